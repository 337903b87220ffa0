/* From apiVersion and kind to a path, with and without what the server says. */
#include "base/alloc.h"
#include "base/text.h"
#include "k8s/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct k8s_client *fake(void)
{
    struct k8s_client *c = rd_calloc(1, sizeof(*c));
    c->config.server = rd_strdup("https://k.example/prefix");
    k8s_mapping_init(c);
    return c;
}

static void fake_free(struct k8s_client *c)
{
    k8s_mapping_clear(c);
    rd_freep(&c->config.server);
    rd_freep(&c);
}

static void test_static_table(void **state)
{
    (void)state;
    static const struct {
        const char *api, *kind, *plural;
        bool namespaced;
    } table[] = {
        {"v1", "Namespace", "namespaces", false},
        {"v1", "Endpoints", "endpoints", true},
        {"networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true},
        {"ray.io/v1", "RayCluster", "rayclusters", true},
        {"apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false},
        {"apps/v1", "NetworkPolicy", NULL, false},
        {"ray.io/v1alpha1", "RayCluster", NULL, false},
        {"", "Pod", NULL, false},
        {"/", "Pod", NULL, false},
        {"v1/", "Pod", NULL, false},
    };
    struct k8s_client *c = fake();
    for (size_t i = 0; i < RD_ARRAY_LEN(table); i++) {
        const struct k8s_resource *r = k8s_resource_find(c, table[i].api, table[i].kind);
        if (!table[i].plural) {
            assert_null(r);
            continue;
        }
        assert_non_null(r);
        assert_string_equal(r->plural, table[i].plural);
        assert_int_equal(r->namespaced, table[i].namespaced);
        RD_AUTOFREE char *api = k8s_api_version(r);
        assert_string_equal(api, table[i].api);
    }
    fake_free(c);
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *api, *kind, *ns, *name, *sub, *want;
    } table[] = {
        {"v1", "Pod", "n", "p", NULL, "/api/v1/namespaces/n/pods/p"},
        {"v1", "Pod", "n", "p", "log", "/api/v1/namespaces/n/pods/p/log"},
        {"v1", "Pod", NULL, NULL, NULL, "/api/v1/pods"},
        {"v1", "Namespace", NULL, "n", NULL, "/api/v1/namespaces/n"},
        {"v1", "Namespace", "ignored", "n", NULL, "/api/v1/namespaces/n"},
        {"apps/v1", "Deployment", "n", NULL, NULL, "/apis/apps/v1/namespaces/n/deployments"},
        {"rbac.authorization.k8s.io/v1", "ClusterRole", NULL, "system:a/b", NULL,
         "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%2Fb"},
    };
    struct k8s_client *c = fake();
    for (size_t i = 0; i < RD_ARRAY_LEN(table); i++) {
        struct http_url u;
        k8s_url(&u, c, k8s_resource_find(c, table[i].api, table[i].kind), table[i].ns, table[i].name,
                table[i].sub);
        RD_AUTOFREE char *want = rd_asprintf("https://k.example/prefix%s", table[i].want);
        assert_string_equal(http_url_str(&u), want);
        http_url_clear(&u);
    }
    fake_free(c);
}

static const char aggregated[] =
    "{\"kind\":\"APIGroupDiscoveryList\",\"items\":["
    "{\"metadata\":{\"name\":\"w.example\"},\"versions\":["
    "{\"version\":\"v2\",\"freshness\":\"Current\",\"resources\":[{\"resource\":\"widgets\","
    "\"responseKind\":{\"group\":\"w.example\",\"version\":\"v2\",\"kind\":\"Widget\"},"
    "\"scope\":\"Namespaced\",\"verbs\":[\"get\",\"list\"],\"subresources\":[{\"subresource\":\"scale\","
    "\"responseKind\":{\"group\":\"autoscaling\",\"version\":\"v1\",\"kind\":\"Scale\"}}]},"
    "{\"resource\":\"bare\"}]},"
    "{\"version\":\"v1\",\"freshness\":\"Stale\",\"resources\":[{\"resource\":\"widgets\","
    "\"responseKind\":{\"kind\":\"Widget\"},\"scope\":\"Cluster\",\"verbs\":[\"list\"]}]}]},"
    "{\"metadata\":{},\"versions\":[{\"version\":\"v1\",\"resources\":[{\"resource\":\"bindings\","
    "\"responseKind\":{\"kind\":\"Binding\"},\"scope\":\"Namespaced\",\"verbs\":[\"create\"]}]}]},7,{}]}";

static void test_aggregated(void **state)
{
    (void)state;
    struct k8s_client *c = fake();
    RD_AUTOJSON json_t *doc = json_loads(aggregated, 0, NULL);
    struct rd_err *err = NULL;
    assert_non_null(doc);
    assert_true(k8s_mapping_read_aggregated(c, doc, &err));
    const struct k8s_resource *r = k8s_resource_find(c, "w.example/v2", "Widget");
    assert_non_null(r);
    assert_string_equal(r->plural, "widgets");
    assert_true(r->namespaced);
    assert_null(k8s_resource_find(c, "w.example/v1", "Widget")); /* stale: its server is away */
    assert_null(k8s_resource_find(c, "autoscaling/v1", "Scale"));
    assert_non_null(k8s_resource_find(c, "v1", "Binding"));
    k8s_mapping_index_listable(c);
    size_t n;
    const struct k8s_resource *const *listable = k8s_resources_listable(c, &n);
    assert_int_equal(n, 1);
    assert_string_equal(listable[0]->kind, "Widget");
    RD_AUTOJSON json_t *wrong = json_loads("{\"items\":{}}", 0, NULL);
    assert_false(k8s_mapping_read_aggregated(c, wrong, &err));
    rd_err_free(err);
    fake_free(c);
}

static void test_plain(void **state)
{
    (void)state;
    struct k8s_client *c = fake();
    RD_AUTOJSON json_t *doc = json_loads(
        "{\"kind\":\"APIResourceList\",\"groupVersion\":\"w.example/v1\",\"resources\":["
        "{\"name\":\"widgets\",\"kind\":\"Widget\",\"namespaced\":true,\"verbs\":[\"list\"]},"
        "{\"name\":\"widgets/scale\",\"kind\":\"Scale\",\"namespaced\":true,\"verbs\":[\"get\"]}]}",
        0, NULL);
    struct rd_err *err = NULL;
    assert_true(k8s_mapping_read_plain(c, doc, &err));
    assert_non_null(k8s_resource_find(c, "w.example/v1", "Widget"));
    assert_null(k8s_resource_find(c, "w.example/v1", "Scale"));
    fake_free(c);
}

static void test_learned(void **state)
{
    (void)state;
    struct k8s_client *c = fake();
    RD_AUTOJSON json_t *crd = json_loads(
        "{\"spec\":{\"group\":\"w.example\",\"scope\":\"Cluster\",\"names\":{\"kind\":\"Widget\","
        "\"plural\":\"widgets\"},\"versions\":[{\"name\":\"v1\",\"served\":true},{\"name\":\"v0\","
        "\"served\":false}]}}",
        0, NULL);
    k8s_resource_learn_crd(c, crd);
    const struct k8s_resource *r = k8s_resource_find(c, "w.example/v1", "Widget");
    assert_non_null(r);
    assert_false(r->namespaced);
    assert_true(k8s_mapping_known(c, r)->learned);
    assert_null(k8s_resource_find(c, "w.example/v0", "Widget"));
    fake_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_table), cmocka_unit_test(test_urls),
        cmocka_unit_test(test_aggregated),   cmocka_unit_test(test_plain),
        cmocka_unit_test(test_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
