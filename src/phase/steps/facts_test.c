/* Pure judgements of the local steps: addresses, classes, somebody else's KubeRay. */
#include "base/test.h"

#include "base/alloc.h"
#include "phase/steps/cluster.h"
#include "phase/steps/kuberay.h"
#include "phase/steps/names.h"
#include "phase/steps/ray.h"
#include "phase/steps/residue.h"

static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *v = json_loads(text, 0, &e);
    if (!v)
        fail_msg("fixture: %s at %d", e.text, e.position);
    return v;
}

static void check_json(const char *what, const json_t *got, const char *want)
{
    RD_AUTOJSON json_t *w = parse(want);
    if (!json_equal((json_t *)got, w)) {
        char *g = rd_json_dump(got), *t = rd_json_dump(w);
        fail_msg("%s: got %s, want %s", what, g, t);
    }
}

static void egress_has_the_service_and_every_endpoint(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *service = parse("{\"spec\":{\"clusterIP\":\"10.96.0.1\"}}");
    RD_AUTOJSON json_t *slices = parse(
        "{\"items\":[{\"ports\":[{\"port\":6443}],\"endpoints\":[{\"addresses\":[\"192.0.2.7\"]},"
        "{\"addresses\":[\"192.0.2.8\"]}]},{\"ports\":[{\"port\":443}],\"endpoints\":[{\"addresses\":"
        "[\"2001:db8::1\"]}]},{\"ports\":[{\"port\":1}],\"endpoints\":[]}]}");
    RD_AUTOJSON json_t *got = cluster_api_egress(service, slices);
    check_json("egress", got,
               "[{\"to\":[{\"ipBlock\":{\"cidr\":\"10.96.0.1/32\"}}],\"ports\":[{\"port\":443,"
               "\"protocol\":\"TCP\"}]},{\"to\":[{\"ipBlock\":{\"cidr\":\"192.0.2.7/32\"}},{\"ipBlock\":{"
               "\"cidr\":\"192.0.2.8/32\"}}],\"ports\":[{\"port\":6443,\"protocol\":\"TCP\"}]},{\"to\":[{"
               "\"ipBlock\":{\"cidr\":\"2001:db8::1/128\"}}],\"ports\":[{\"port\":443,\"protocol\":"
               "\"TCP\"}]}]");
    RD_AUTOJSON json_t *headless = parse("{\"spec\":{\"clusterIP\":\"None\"}}");
    RD_AUTOJSON json_t *nothing = cluster_api_egress(headless, NULL);
    check_json("no addresses", nothing, "[]");
}

static void newest_default_class_wins(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *list = parse(
        "{\"items\":[{\"metadata\":{\"name\":\"a\"}},"
        "{\"metadata\":{\"name\":\"b\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"annotations\":{"
        "\"storageclass.kubernetes.io/is-default-class\":\"true\"}}},"
        "{\"metadata\":{\"name\":\"c\",\"creationTimestamp\":\"2026-02-01T00:00:00Z\",\"annotations\":{"
        "\"storageclass.kubernetes.io/is-default-class\":\"true\"}}},"
        "{\"metadata\":{\"name\":\"d\",\"creationTimestamp\":\"2026-03-01T00:00:00Z\",\"annotations\":{"
        "\"storageclass.kubernetes.io/is-default-class\":\"false\"}}}]}");
    rd_check_str("default", rd_json_str(cluster_default_class(list), "metadata", "name", NULL), "c");
    RD_AUTOJSON json_t *none = parse("{\"items\":[]}");
    assert_null(cluster_default_class(none));
}

static void operator_versions(void **state)
{
    (void)state;
    static const struct {
        const char *image;
        bool ok;
        unsigned v[3];
    } rows[] = {
        {"quay.io/kuberay/operator:v1.7.0", true, {1, 7, 0}},
        {"registry.example:5000/kuberay/operator:v1.5.1@sha256:0123", true, {1, 5, 1}},
        {"registry.example:5000/kuberay/operator", false, {0}},
        {"quay.io/kuberay/operator:nightly", false, {0}},
        {"quay.io/kuberay/operator@sha256:0123", false, {0}},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        unsigned v[3] = {0};
        rd_check_int(rows[i].image, kuberay_image_version(rows[i].image, v), rows[i].ok);
        for (int j = 0; rows[i].ok && j < 3; j++)
            rd_check_int(rows[i].image, v[j], rows[i].v[j]);
    }
}

static void finds_operators_that_are_not_ours(void **state)
{
    (void)state;
    struct config c = {.name = (char *)"ray"};
    RD_AUTOJSON json_t *list = parse(
        "{\"items\":[{\"metadata\":{\"name\":\"kuberay-operator\",\"labels\":{\"app.kubernetes.io/name\":"
        "\"kuberay-operator\",\"app.kubernetes.io/managed-by\":\"raydeploy\",\"raydeploy-deployment\":"
        "\"ray\"}}},{\"metadata\":{\"name\":\"web\"},\"spec\":{\"template\":{\"spec\":{\"containers\":[{"
        "\"image\":\"nginx\"}]}}}},{\"metadata\":{\"name\":\"byimage\"},\"spec\":{\"template\":{\"spec\":{"
        "\"containers\":[{\"image\":\"quay.io/kuberay/operator:v1.6.0\"}]}}}}]}");
    rd_check_str("by image",
                 rd_json_str(kuberay_find_operator(&c, list), "metadata", "name", NULL), "byimage");
    c.name = (char *)"other";
    rd_check_str("another deployment's",
                 rd_json_str(kuberay_find_operator(&c, list), "metadata", "name", NULL),
                 "kuberay-operator");
}

static void old_crds_do_not_fit(void **state)
{
    (void)state;
    const char *missing = NULL;
    RD_AUTOJSON json_t *old = parse(
        "{\"spec\":{\"versions\":[{\"name\":\"v1\",\"served\":true,\"schema\":{\"openAPIV3Schema\":{"
        "\"properties\":{\"spec\":{\"properties\":{\"rayVersion\":{}}}}}}}]}}");
    assert_false(kuberay_crd_fits(old, &missing));
    rd_check_str("missing", missing, "authOptions");
    RD_AUTOJSON json_t *alpha = parse("{\"spec\":{\"versions\":[{\"name\":\"v1alpha1\",\"served\":true}]}}");
    assert_false(kuberay_crd_fits(alpha, &missing));
    rd_check_str("missing", missing, "version v1");
}

static void scale_is_kept_by_group_name(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *want = parse(
        "{\"spec\":{\"workerGroupSpecs\":[{\"groupName\":\"a\",\"replicas\":2,\"x\":1},{\"groupName\":"
        "\"new\",\"replicas\":3}]}}");
    RD_AUTOJSON json_t *live = parse(
        "{\"spec\":{\"workerGroupSpecs\":[{\"groupName\":\"b\",\"replicas\":9},{\"groupName\":\"a\","
        "\"replicas\":5,\"x\":0,\"scaleStrategy\":{\"workersToDelete\":[\"p\"]}}]}}");
    RD_AUTOJSON json_t *got = ray_keep_scale(want, live);
    check_json("kept", got,
               "{\"spec\":{\"workerGroupSpecs\":[{\"groupName\":\"a\",\"replicas\":5,\"x\":1,"
               "\"scaleStrategy\":{\"workersToDelete\":[\"p\"]}},{\"groupName\":\"new\",\"replicas\":3}]}}");
}

static void a_default_priority_is_written_out(void **state)
{
    (void)state;
    static const struct {
        const char *want, *live, *got;
    } rows[] = {
        {"\"groupName\":\"a\"", "\"groupName\":\"a\",\"priority\":0", "\"groupName\":\"a\",\"priority\":0"},
        {"\"groupName\":\"a\"", "\"groupName\":\"a\",\"priority\":7", "\"groupName\":\"a\""},
        {"\"groupName\":\"a\"", "\"groupName\":\"a\"", "\"groupName\":\"a\""},
        {"\"groupName\":\"a\",\"priority\":3", "\"groupName\":\"a\",\"priority\":0",
         "\"groupName\":\"a\",\"priority\":3"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *w = rd_asprintf("{\"spec\":{\"workerGroupSpecs\":[{%s}]}}", rows[i].want);
        RD_AUTOFREE char *l = rd_asprintf("{\"spec\":{\"workerGroupSpecs\":[{%s}]}}", rows[i].live);
        RD_AUTOFREE char *g = rd_asprintf("{\"spec\":{\"workerGroupSpecs\":[{%s}]}}", rows[i].got);
        RD_AUTOJSON json_t *want = parse(w), *live = parse(l);
        RD_AUTOJSON json_t *got = ray_keep_scale(want, live);
        check_json(rows[i].live, got, g);
    }
}

static void only_scaling_conflicts_are_forced(void **state)
{
    (void)state;
    static const struct {
        const char *conflicts;
        bool want;
    } rows[] = {
        {"[]", false},
        {"[{\"field\":\".spec.workerGroupSpecs\",\"manager\":\"python-requests\"}]", true},
        {"[{\"field\":\".spec.workerGroupSpecs\",\"manager\":\"kubectl-patch\"}]", true},
        {"[{\"field\":\".spec.workerGroupSpecs\",\"manager\":\"kubectl-edit\"}]", false},
        {"[{\"field\":\".spec.rayVersion\",\"manager\":\"python-requests\"}]", false},
        {"[{\"field\":\".spec.workerGroupSpecs\",\"manager\":\"a\"},{\"field\":\".spec.rayVersion\","
         "\"manager\":\"a\"}]",
         false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *c = parse(rows[i].conflicts);
        rd_check_int(rows[i].conflicts, ray_conflict_is_scaling(c), rows[i].want);
    }
}

static void residue_leaves_defaults_out(void **state)
{
    (void)state;
    static const struct {
        const char *group, *kind, *object;
        bool want;
    } rows[] = {
        {"", "ConfigMap", "{\"metadata\":{\"name\":\"kube-root-ca.crt\"}}", true},
        {"", "ConfigMap", "{\"metadata\":{\"name\":\"mine\"}}", false},
        {"", "ServiceAccount", "{\"metadata\":{\"name\":\"default\"}}", true},
        {"x.example", "ServiceAccount", "{\"metadata\":{\"name\":\"default\"}}", false},
        {"", "Pod", "{\"metadata\":{\"name\":\"p\",\"ownerReferences\":[{\"kind\":\"ReplicaSet\"}]}}", true},
        {"", "Pod", "{\"metadata\":{\"name\":\"p\"}}", false},
        {"coordination.k8s.io", "Lease", "{\"metadata\":{\"name\":\"l\"}}", true},
        {"events.k8s.io", "Event", "{\"metadata\":{\"name\":\"e\"}}", true},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *o = parse(rows[i].object);
        rd_check_int(rows[i].object, residue_is_default(rows[i].group, rows[i].kind, o), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(egress_has_the_service_and_every_endpoint),
        cmocka_unit_test(newest_default_class_wins),
        cmocka_unit_test(operator_versions),
        cmocka_unit_test(finds_operators_that_are_not_ours),
        cmocka_unit_test(old_crds_do_not_fit),
        cmocka_unit_test(scale_is_kept_by_group_name),
        cmocka_unit_test(a_default_priority_is_written_out),
        cmocka_unit_test(only_scaling_conflicts_are_forced),
        cmocka_unit_test(residue_leaves_defaults_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
