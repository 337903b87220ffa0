/* What bootstrap demands and makes: arithmetic of quotas, permissions, roles, bodies. */
#include "base/test.h"
#include "phase/steps/cc_health.h"
#include "phase/steps/findings.h"
#include "phase/steps/mgmt_plan.h"
#include "phase/steps/quota_plan.h"

#include "base/alloc.h"
#include "base/file.h"

#include <string.h>

static struct config config_of(const char *const *args, int argc)
{
    struct config c;
    struct rd_err *err = NULL;
    if (!config_load(&c, argc, (char **)args, NULL, true, &err))
        fail_msg("%s", err->message);
    return c;
}

static struct config plain(void)
{
    static const char *const args[] = {"--project", "demo-project"};
    return config_of(args, 2);
}

static json_t *parse(const char *text)
{
    json_t *v = json_loads(text, 0, NULL);
    assert_non_null(v);
    return v;
}

static void machines(void **state)
{
    (void)state;
    const struct {
        const char *type;
        bool spot;
        unsigned vcpus;
        const char *metric;
    } rows[] = {
        {"n2-standard-4", false, 4, "N2_CPUS"},   {"n1-standard-8", false, 8, "CPUS"},
        {"e2-standard-4", false, 4, "CPUS"},      {"e2-medium", false, 2, "CPUS"},
        {"c3-highcpu-22", false, 22, "C3_CPUS"},  {"n2d-custom-6-8192", false, 6, "N2D_CPUS"},
        {"n2-standard-4", true, 4, "PREEMPTIBLE_CPUS"}, {"a2-highgpu-1g", false, 1, "A2_CPUS"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        char metric[64];
        quota_cpu_metric(rows[i].type, rows[i].spot, metric);
        rd_check_str(rows[i].type, metric, rows[i].metric);
        rd_check_int(rows[i].type, quota_vcpus(rows[i].type), rows[i].vcpus);
    }
    char gpu[64];
    quota_gpu_metric("nvidia-tesla-t4", false, gpu);
    rd_check_str("t4", gpu, "NVIDIA_T4_GPUS");
    quota_gpu_metric("nvidia-l4", true, gpu);
    rd_check_str("l4", gpu, "PREEMPTIBLE_NVIDIA_L4_GPUS");
}

static const struct quota_need *find(const struct quota_needs *n, const char *metric)
{
    for (size_t i = 0; i < n->len; i++)
        if (strcmp(n->v[i].metric, metric) == 0)
            return &n->v[i];
    return NULL;
}

static void quota_of_nothing_yet(void **state)
{
    (void)state;
    struct config c = plain();
    struct quota_needs n;
    struct quota_there there = {.bootstrap = true, .zones = 3};
    quota_plan(&c, &there, &n);
    /* e2-standard-4 for the management cluster, a small node in each of three zones at first */
    rd_check_int("CPUS", (long long)find(&n, "CPUS")->amount, 4 + 6);
    rd_check_int("N2_CPUS", (long long)find(&n, "N2_CPUS")->amount, 4);
    rd_check_int("N2_CPUS at most", (long long)find(&n, "N2_CPUS")->most, 20);
    rd_check_int("T4", (long long)find(&n, "NVIDIA_T4_GPUS")->amount, 1);
    rd_check_int("T4 at most", (long long)find(&n, "NVIDIA_T4_GPUS")->most, 4);
    rd_check_int("GPUs", (long long)find(&n, "GPUS_ALL_REGIONS")->amount, 1);
    rd_check_int("disks", (long long)find(&n, "SSD_TOTAL_GB")->amount, 50 + 100);
    rd_check_int("networks", (long long)find(&n, "NETWORKS")->amount, 2);
    assert_true(find(&n, "GPUS_ALL_REGIONS")->project);
    assert_false(find(&n, "CPUS")->project);
    config_clear(&c);
}

static void quota_of_what_is_there(void **state)
{
    (void)state;
    struct config c = plain();
    struct quota_needs n;
    struct quota_there there = {.management = true, .network = true, .cluster = true,
                                .cpu_pool = true, .gpu_pool = true, .bootstrap = true};
    quota_plan(&c, &there, &n);
    rd_check_int("needs", (long long)n.len, 0);
    config_clear(&c);
}

static void judging(void **state)
{
    (void)state;
    struct config c = plain();
    struct quota_need n = {.metric = "NVIDIA_T4_GPUS", .amount = 1, .most = 4, .what = "GPU pool"};
    const struct {
        double limit, usage;
        bool fails, warns;
    } rows[] = {
        {4, 0, false, false}, {4, 1, false, true}, {1, 0, false, true},
        {0, 0, true, false},  {4, 4, true, false}, {-1, 9, false, false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        char *warn = NULL;
        struct rd_err *err = quota_judge(&c, &n, rows[i].limit, rows[i].usage, &warn);
        rd_check_int("fails", err != NULL, rows[i].fails);
        rd_check_int("warns", warn != NULL, rows[i].warns);
        if (err) {
            rd_check_int("kind", err->kind, RD_ERR_PREFLIGHT);
            assert_non_null(strstr(err->hint, "gpuPool.enabled=false"));
        }
        rd_err_free(err);
        free(warn);
    }
    struct rd_err *err = quota_judge_filestore(&c, 0, 0);
    assert_non_null(strstr(err->hint, "filestore.tier: BASIC_HDD"));
    rd_err_free(err);
    assert_null(quota_judge_filestore(&c, 2048, 1024));
    config_clear(&c);
}

static void filestore_use(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *all = parse(
        "[{\"name\":\"projects/p/locations/us-central1/instances/a\",\"tier\":\"ENTERPRISE\","
        "\"fileShares\":[{\"capacityGb\":\"1024\"}]},"
        "{\"name\":\"projects/p/locations/us-central1-b/instances/b\",\"tier\":\"ENTERPRISE\","
        "\"fileShares\":[{\"capacityGb\":512}]},"
        "{\"name\":\"projects/p/locations/us-central12/instances/c\",\"tier\":\"ENTERPRISE\","
        "\"fileShares\":[{\"capacityGb\":\"1\"}]},"
        "{\"name\":\"projects/p/locations/us-central1-b/instances/d\",\"tier\":\"BASIC_HDD\","
        "\"fileShares\":[{\"capacityGb\":\"2\"}]}]");
    rd_check_int("GB", (long long)quota_filestore_used(all, "ENTERPRISE", "us-central1"), 1536);
}

static void permissions(void **state)
{
    (void)state;
    const char *names[100];
    size_t up = mgmt_permission_names(MGMT_FOR_UP, names);
    size_t both = mgmt_permission_names(MGMT_FOR_UP | MGMT_FOR_BOOTSTRAP, names);
    assert_true(up < both);
    RD_AUTOJSON json_t *answer = rd_json_pack("{s:[]}", "permissions");
    for (size_t i = 0; i < both; i++)
        if (strcmp(names[i], "iam.serviceAccounts.actAs") != 0)
            json_array_append_new(json_object_get(answer, "permissions"), json_string(names[i]));
    assert_null(mgmt_permissions_missing(MGMT_FOR_UP, answer, "me", "p"));
    struct rd_err *err =
        mgmt_permissions_missing(MGMT_FOR_UP | MGMT_FOR_BOOTSTRAP, answer, "me", "p");
    assert_non_null(err);
    rd_check_int("kind", err->kind, RD_ERR_CREDENTIALS);
    rd_check_str("message", err->message,
                 "me may not: iam.serviceAccounts.actAs (roles/iam.serviceAccountUser)");
    rd_err_free(err);
}

/* docs/permissions.md names each of them, with its role and for what. */
static void permissions_are_documented(void **state)
{
    (void)state;
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(1 << 20);
    struct rd_err *err = NULL;
    if (!rd_file_read(RD_SOURCE_DIR "/docs/permissions.md", 1 << 20, &b, &err))
        fail_msg("%s", err->message);
    size_t n = 0;
    for (; mgmt_permissions[n].name; n++) {
        const struct mgmt_permission *p = &mgmt_permissions[n];
        RD_AUTOFREE char *row = rd_asprintf("| `%s` | `%s` | %s | %s |", p->name, p->role,
                                            p->purpose & MGMT_FOR_UP ? "x" : "",
                                            p->purpose & MGMT_FOR_BOOTSTRAP ? "x" : "");
        if (!strstr(rd_buf_str(&b), row))
            fail_msg("docs/permissions.md has no row %s", row);
    }
    size_t rows = 0;
    for (const char *at = rd_buf_str(&b); (at = strstr(at, "` | `roles/")); at++)
        rows++;
    rd_check_int("rows", (long long)rows, (long long)n);
}

static void roles(void **state)
{
    (void)state;
    struct config c = plain();
    struct gcp_binding edits[MGMT_EDITS_MAX];
    rd_check_str("as the owner asked", mgmt_connector_roles(&c)[0], "roles/editor");
    rd_check_str("and", mgmt_connector_roles(&c)[1], "roles/iam.securityAdmin");
    size_t n = mgmt_edits(edits, mgmt_connector_roles_dropped(&c), "serviceAccount:a@b", true);
    assert_true(n > 5);
    for (size_t i = 0; i < n; i++)
        if (strcmp(edits[i].role, "roles/editor") == 0 || strcmp(edits[i].role, "roles/owner") == 0)
            fail_msg("the narrow set holds %s", edits[i].role);
    config_clear(&c);
}

static void cluster_that_is_there(void **state)
{
    (void)state;
    struct config c = plain();
    const char *what = NULL;
    RD_AUTOJSON json_t *body = mgmt_cluster_body(&c, "nodes@x");
    RD_AUTOJSON json_t *nothing = mgmt_cluster_update(&c, body, &what);
    assert_null(nothing);
    assert_true(mgmt_cluster_fits(&c, body));
    assert_true(mgmt_is_ours(body));
    json_object_del(body, "addonsConfig");
    RD_AUTOJSON json_t *addon = mgmt_cluster_update(&c, body, &what);
    rd_check_str("lacks", what, "the Config Connector add-on");
    assert_false(mgmt_cluster_fits(&c, body));
    json_object_del(body, "workloadIdentityConfig");
    RD_AUTOJSON json_t *identity = mgmt_cluster_update(&c, body, &what);
    rd_check_str("lacks first", what, "Workload Identity");
    rd_check_int("one group a call", (long long)json_object_size(identity), 1);
    config_clear(&c);
}

static void operations(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *list = parse(
        "{\"operations\":[{\"name\":\"a\",\"operationType\":\"CREATE_CLUSTER\",\"startTime\":\"2026-01-01T00:00:00Z\","
        "\"targetLink\":\"https://x/projects/1/zones/z/clusters/ray-mgmt\"},"
        "{\"name\":\"b\",\"operationType\":\"CREATE_CLUSTER\",\"startTime\":\"2026-01-02T00:00:00Z\","
        "\"targetLink\":\"https://x/projects/1/zones/z/clusters/ray-mgmt\"},"
        "{\"name\":\"c\",\"operationType\":\"CREATE_CLUSTER\",\"startTime\":\"2026-01-03T00:00:00Z\","
        "\"targetLink\":\"https://x/projects/1/zones/z/clusters/not-ray-mgmt\"},"
        "{\"name\":\"d\",\"operationType\":\"DELETE_CLUSTER\",\"startTime\":\"2026-01-04T00:00:00Z\","
        "\"targetLink\":\"https://x/projects/1/zones/z/clusters/ray-mgmt\"}]}");
    rd_check_str("newest", rd_json_str(mgmt_operation_find(list, "CREATE_CLUSTER", "ray-mgmt"), "name",
                                       NULL),
                 "b");
}

static void all_findings(void **state)
{
    (void)state;
    struct findings f = {0};
    assert_null(findings_take(&f));
    findings_add(&f, NULL);
    findings_add(&f, rd_err_new(RD_ERR_PREFLIGHT, "one"));
    findings_add(&f, rd_err_new(RD_ERR_CREDENTIALS, "two"));
    findings_add(&f, rd_err_new(RD_ERR_FOREIGN, "three"));
    struct rd_err *err = findings_take(&f);
    rd_check_int("the gravest decides", err->kind, RD_ERR_CREDENTIALS);
    rd_check_str("all are said", err->message, "3 problems: (1) one; (2) two; (3) three");
    rd_err_free(err);
    assert_null(findings_take(&f));
}

#define HEALTHY "{\"metadata\":{\"generation\":2},\"status\":{\"healthy\":true,\"observedGeneration\":2}}"
#define SETS                                                                                       \
    "{\"items\":[{\"metadata\":{\"name\":\"cnrm-controller-manager-x1\",\"labels\":"               \
    "{\"cnrm.cloud.google.com/scoped-namespace\":\"raydeploy\"}},\"status\":{\"readyReplicas\":1}},"  \
    "{\"metadata\":{\"name\":\"cnrm-deletiondefender\"},\"status\":{\"readyReplicas\":1}},"        \
    "{\"metadata\":{\"name\":\"cnrm-unmanaged-detector\"},\"status\":{\"readyReplicas\":1}}]}"
#define DEPLOYMENTS                                                                                \
    "{\"items\":[{\"metadata\":{\"name\":\"cnrm-webhook-manager\"},\"status\":{\"availableReplicas\":2}}]}"
#define HOOKS "{\"webhooks\":[{\"clientConfig\":{\"caBundle\":\"QUJD\"}}]}"
#define SLICES "{\"items\":[{\"endpoints\":[{\"addresses\":[\"10.4.0.7\"],\"conditions\":{\"ready\":true}}]}]}"

static void health(void **state)
{
    (void)state;
    /* Each row spoils one part of what is well. */
    static const char *const well[7] = {HEALTHY, HEALTHY, SETS, DEPLOYMENTS, HOOKS, HOOKS, SLICES};
    const struct {
        int part; /* -1: none */
        const char *instead, *lacks;
    } rows[] = {
        {-1, NULL, NULL},
        {0, NULL, "ConfigConnector is not there yet"},
        {1, "{\"status\":{\"healthy\":false}}", "ConfigConnectorContext is not healthy yet"},
        {1, "{\"status\":{\"healthy\":true,\"errors\":[\"no such account\"]}}",
         "ConfigConnectorContext: no such account"},
        {1, "{\"metadata\":{\"generation\":3},\"status\":{\"healthy\":true,\"observedGeneration\":2}}",
         "the operator has not seen the last change of ConfigConnectorContext"},
        {2, "{\"items\":[]}", "the controller of namespace raydeploy is not ready yet"},
        {3, "{\"items\":[]}", "Deployment/cnrm-system/cnrm-webhook-manager is not available yet"},
        {4, NULL, "its validating webhooks are not registered yet"},
        {5, "{\"webhooks\":[{\"clientConfig\":{}}]}",
         "its mutating webhooks are not registered yet"},
        {6, "{\"items\":[{\"endpoints\":[{\"addresses\":[\"10.4.0.7\"],\"conditions\":{\"ready\":false}}]}]}",
         "its webhooks have no ready address yet"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        json_t *v[7];
        for (int k = 0; k < 7; k++) {
            const char *text = k == rows[i].part ? rows[i].instead : well[k];
            v[k] = text ? parse(text) : NULL;
        }
        struct cc_health h = {v[0], v[1], v[2], v[3], v[4], v[5], v[6], "raydeploy"};
        RD_AUTOFREE char *lacks = cc_health_lacks(&h);
        rd_check_str("lacks", lacks ? lacks : "(nothing)", rows[i].lacks ? rows[i].lacks : "(nothing)");
        for (int k = 0; k < 7; k++)
            json_decref(v[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machines),       cmocka_unit_test(quota_of_nothing_yet),
        cmocka_unit_test(quota_of_what_is_there), cmocka_unit_test(judging),
        cmocka_unit_test(filestore_use),  cmocka_unit_test(permissions),
        cmocka_unit_test(permissions_are_documented),
        cmocka_unit_test(roles),          cmocka_unit_test(cluster_that_is_there),
        cmocka_unit_test(operations),     cmocka_unit_test(all_findings),
        cmocka_unit_test(health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
