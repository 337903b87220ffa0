/* Order: each edge of the header in a table, sharing, no cycle, and thousands of objects. */
#include "k8s/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"

/* "Kind.group/namespace/name [a=b ...]", where a=b sets a path. */
static json_t *object_of(const char *text)
{
    struct rd_strv words = {0};
    rd_strv_split(&words, text, " ");
    char *type = words.v[0];
    char *slash = strchr(type, '/');
    char *dot = memchr(type, '.', (size_t)(slash - type));
    char *second = strchr(slash + 1, '/');
    RD_AUTOFREE char *kind = rd_strndup(type, (size_t)((dot != NULL ? dot : slash) - type));
    RD_AUTOFREE char *group =
        dot != NULL ? rd_strndup(dot + 1, (size_t)(slash - dot - 1)) : rd_strdup("");
    RD_AUTOFREE char *ns = rd_strndup(slash + 1, (size_t)(second - slash - 1));
    RD_AUTOFREE char *api = *group != '\0' ? rd_asprintf("%s/v1", group) : rd_strdup("v1");
    json_t *o = rd_json_pack("{s:s,s:s,s:{s:s}}", "apiVersion", api, "kind", kind, "metadata",
                             "name", second + 1);
    if (*ns != '\0')
        rd_json_path_set(o, "metadata.namespace", json_string(ns));
    for (size_t i = 1; i < words.len; i++) {
        char *eq = strchr(words.v[i], '=');
        *eq = '\0';
        rd_json_path_set(o, words.v[i], json_string(eq + 1));
    }
    rd_strv_clear(&words);
    return o;
}

struct world {
    json_t *objects[32];
    size_t count;
    struct k8s_order apply, gone;
};

static void world_init(struct world *w, const char *const *lines)
{
    *w = (struct world){0};
    for (; lines[w->count] != NULL; w->count++)
        w->objects[w->count] = object_of(lines[w->count]);
    k8s_order_init(&w->apply, w->objects, w->count);
    k8s_order_init_delete(&w->gone, w->objects, w->count);
}

static void world_clear(struct world *w)
{
    k8s_order_clear(&w->apply);
    k8s_order_clear(&w->gone);
    for (size_t i = 0; i < w->count; i++)
        json_decref(w->objects[i]);
}

static bool needs(const struct k8s_order *o, size_t who, size_t whom)
{
    for (size_t i = 0; i < o->need_len[who]; i++) {
        if (o->needs[who][i] == whom)
            return true;
    }
    return false;
}

/* Kahn: true when everything can be started. */
static bool all_start(const struct k8s_order *o)
{
    RD_AUTOFREE bool *done = rd_calloc(o->count + 1, sizeof(bool));
    size_t left = o->count;
    for (bool moved = true; moved && left > 0;) {
        moved = false;
        for (size_t i = 0; i < o->count; i++) {
            bool ready = !done[i];
            for (size_t n = 0; ready && n < o->need_len[i]; n++)
                ready = done[o->needs[i][n]];
            if (ready) {
                done[i] = moved = true;
                left--;
            }
        }
    }
    return left == 0;
}

static void check(const char *const *lines, size_t who, const char *after, const char *gone_after)
{
    struct world w;
    world_init(&w, lines);
    for (int d = 0; d < 2; d++) {
        const struct k8s_order *o = d == 0 ? &w.apply : &w.gone;
        struct rd_strv wanted = {0};
        rd_strv_split(&wanted, d == 0 ? after : gone_after, " ");
        for (size_t i = 0; i < w.count; i++) {
            const char *name = rd_json_path_str(w.objects[i], "metadata.name");
            bool is = needs(o, who, i), want = rd_strv_has(&wanted, name);
            if (is != want)
                fail_msg("%s %s: needs %s: %d, wanted %d", d == 0 ? "apply" : "delete", lines[who],
                         lines[i], is, want);
        }
        if (!all_start(o))
            fail_msg("%s: a cycle", d == 0 ? "apply" : "delete");
        rd_strv_clear(&wanted);
    }
    world_clear(&w);
}

static const char *const kuberay[] = {
    /* 0 */ "RayCluster.ray.io/ray/cluster",
    /* 1 */ "Deployment.apps/ray/operator",
    /* 2 */
    "CustomResourceDefinition.apiextensions.k8s.io//crd spec.group=ray.io "
    "spec.names.kind=RayCluster",
    /* 3 */ "Namespace//ray",
    /* 4 */ "ConfigMap/ray/config",
    /* 5 */ "ServiceAccount/ray/account",
    /* 6 */ "RoleBinding.rbac.authorization.k8s.io/ray/binding",
    /* 7 */ "Role.rbac.authorization.k8s.io/ray/role",
    /* 8 */ "ClusterRole.rbac.authorization.k8s.io//clusterrole",
    /* 9 */ "ClusterRoleBinding.rbac.authorization.k8s.io//clusterbinding",
    /* 10 */ "PersistentVolumeClaim/ray/claim",
    /* 11 */ "StorageClass.storage.k8s.io//class",
    /* 12 */ "ValidatingWebhookConfiguration.admissionregistration.k8s.io//hook",
    /* 13 */ "Service/ray/service",
    /* 14 */ "ConfigMap/other/elsewhere",
    /* 15 */ "ResourceQuota/ray/quota",
    /* 16 */ "NetworkPolicy.networking.k8s.io/ray/policy",
    /* 17 */ "Secret/ray/token type=kubernetes.io/service-account-token",
    NULL};

#define BASE                                                                                       \
    "config account quota policy token role clusterrole binding clusterbinding claim class "

static void test_edges(void **state)
{
    (void)state;
    check(kuberay, 0, "ray crd " BASE, "hook");
    check(kuberay, 1, "ray " BASE, "hook cluster");
    check(kuberay, 2, "", "hook cluster");
    check(kuberay, 3, "",
          "hook cluster operator config account binding role claim service quota policy token");
    check(kuberay, 4, "ray", "hook operator cluster");
    check(kuberay, 5, "ray", "hook operator cluster token binding clusterbinding");
    check(kuberay, 6, "ray role clusterrole account", "hook operator cluster");
    check(kuberay, 8, "", "hook operator cluster binding clusterbinding");
    check(kuberay, 9, "clusterrole account", "hook operator cluster");
    check(kuberay, 10, "ray class", "hook operator cluster");
    check(kuberay, 11, "", "hook operator cluster claim");
    check(kuberay, 12, "ray crd cluster operator service elsewhere " BASE, "");
    check(kuberay, 13, "ray", "hook cluster");
    check(kuberay, 14, "", "hook");
    check(kuberay, 17, "ray account", "hook operator cluster");
}

/* A CRD of a *.k8s.io group still comes before its instances. */
static void test_crd_in_kubernetes_group(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Gateway.gateway.networking.k8s.io/a/gw",
        "CustomResourceDefinition.apiextensions.k8s.io//crd "
        "spec.group=gateway.networking.k8s.io spec.names.kind=Gateway",
        "CustomResourceDefinition.apiextensions.k8s.io//other "
        "spec.group=gateway.networking.k8s.io spec.names.kind=HTTPRoute",
        NULL};
    check(lines, 0, "crd", "");
    check(lines, 1, "", "gw");
    check(lines, 2, "", "");
}

static void test_apiservice(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Widget.metrics.example.com/a/served",
        "APIService.apiregistration.k8s.io//api spec.group=metrics.example.com spec.version=v1 "
        "spec.service.name=s spec.service.namespace=b",
        "Deployment.apps/b/server",
        "Service/b/s",
        "Deployment.apps/a/bystander",
        NULL};
    check(lines, 0, "api", "");
    check(lines, 1, "server s", "served");
    check(lines, 2, "", "served api");
    check(lines, 4, "", "served api");
}

/* Garbage has an order, too: none. A namespace that says it lives in itself does not need itself.
 */
static void test_garbage(void **state)
{
    (void)state;
    json_t *objects[] = {json_object(), json_array(), json_string("x"),
                         object_of("Namespace/self/self"), object_of("Pod/self/p")};
    struct k8s_order o;
    k8s_order_init(&o, objects, RD_ARRAY_LEN(objects));
    assert_true(all_start(&o));
    assert_int_equal(o.need_len[3], 0);
    assert_int_equal(o.need_len[4], 1);
    k8s_order_clear(&o);
    k8s_order_init_delete(&o, objects, RD_ARRAY_LEN(objects));
    assert_true(all_start(&o));
    k8s_order_clear(&o);
    k8s_order_init(&o, NULL, 0);
    k8s_order_clear(&o);
    for (size_t i = 0; i < RD_ARRAY_LEN(objects); i++)
        json_decref(objects[i]);
}

/* Memory is linear: half of 20 000 objects need the other half, and share one list. */
static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    json_t **objects = rd_calloc(COUNT, sizeof(*objects));
    for (size_t i = 0; i < COUNT; i++) {
        RD_AUTOFREE char *text = rd_asprintf(
            "%s/ns%zu/n%zu", i % 2 == 0 ? "ConfigMap" : "Deployment.apps", i % 8 / 2, i);
        objects[i] = object_of(text);
    }
    struct k8s_order o;
    k8s_order_init(&o, objects, COUNT);
    assert_int_equal(o.need_len[1], COUNT / 8);
    assert_int_equal(o.need_len[0], 0);
    assert_ptr_equal(o.needs[1], o.needs[9]);
    assert_in_range(o.list_count, 1, 8);
    k8s_order_clear(&o);
    for (size_t i = 0; i < COUNT; i++)
        json_decref(objects[i]);
    rd_freep(&objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),      cmocka_unit_test(test_crd_in_kubernetes_group),
        cmocka_unit_test(test_apiservice), cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
