#include "base/test.h"

#include "base/json.h"
#include "ray/validate.h"

/* A cluster KubeRay accepts; each row merges a patch into it (arrays replace). */
static const char base_text[] =
    "{\"apiVersion\":\"ray.io/"
    "v1\",\"kind\":\"RayCluster\",\"metadata\":{\"name\":\"ray\"},\"spec\":{"
    "\"rayVersion\":\"2.60.0\",\"enableInTreeAutoscaling\":true,"
    "\"autoscalerOptions\":{\"version\":\"v2\",\"idleTimeoutSeconds\":60},"
    "\"headGroupSpec\":{\"rayStartParams\":{\"num-cpus\":\"0\"},\"template\":{\"spec\":{"
    "\"containers\":[{\"name\":\"head\",\"image\":\"x\"}]}}},"
    "\"workerGroupSpecs\":[{\"groupName\":\"cpu\",\"replicas\":2,\"minReplicas\":1,\"maxReplicas\":"
    "8,"
    "\"rayStartParams\":{},\"template\":{\"spec\":{\"containers\":[{\"name\":\"w\"}]}}}]}}";

#define NO_SCALE "\"enableInTreeAutoscaling\":false,\"autoscalerOptions\":null"
#define HEAD_ENV(entries)                                                                          \
    "\"headGroupSpec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"head\",\"env\":"       \
    "[" entries "]}]}}}"
#define ENV(n, v) "{\"name\":\"" n "\",\"value\":\"" v "\"}"
#define GROUP(more)                                                                                \
    "{\"groupName\":\"cpu\",\"template\":{\"spec\":{\"containers\":[{\"name\":\"w\"}]}}" more "}"
#define GROUPS(list) "\"workerGroupSpecs\":[" list "]"
#define SPEC(text) "{\"spec\":{" text "}}"
#define HISTORY(env)                                                                               \
    "\"historyServerOptions\":{\"collectorOptions\":{\"image\":\"i\",\"env\":[" env "]}}"

#define ALL_GATES                                                                                  \
    {                                                                                              \
        .network_policy = true, .mtls = true, .history_server = true, .embedded_storage = true     \
    }

struct row {
    const char *name, *patch;
    const char *problem; /* part of the only problem; NULL: accepted */
    struct ray_gates gates;
};

static const struct row rows[] = {
    {"as it is", "{}", NULL, {0}},
    {"name at the limit",
     "{\"metadata\":{\"name\":\"a23456789012345678901234567890123456789012345678901ab\"}}",
     NULL,
     {0}},
    {"name too long",
     "{\"metadata\":{\"name\":\"a23456789012345678901234567890123456789012345678901abc\"}}",
     "54 characters",
     {0}},
    {"name with a digit first", "{\"metadata\":{\"name\":\"1ray\"}}", "RFC 1035", {0}},
    {"name in capitals", "{\"metadata\":{\"name\":\"Ray\"}}", "RFC 1035", {0}},
    {"head without container",
     SPEC("\"headGroupSpec\":{\"template\":{\"spec\":{\"containers\":[]}}}"),
     "head: its pod template",
     {0}},
    {"group without container",
     SPEC(GROUPS("{\"groupName\":\"cpu\",\"template\":{}}")),
     "group cpu: its pod template",
     {0}},
    {"same name twice", SPEC(GROUPS(GROUP("") "," GROUP(""))), "same groupName", {0}},
    {"negative min", SPEC(GROUPS(GROUP(",\"minReplicas\":-1"))), "minReplicas -1 is negative", {0}},
    {"min over max",
     SPEC(GROUPS(GROUP(",\"minReplicas\":3,\"maxReplicas\":2"))),
     "minReplicas 3 is more than maxReplicas 2",
     {0}},
    {"defaults fill min and max", SPEC(NO_SCALE "," GROUPS(GROUP(""))), NULL, {0}},
    {"sizes twice",
     SPEC(GROUPS(GROUP(",\"rayStartParams\":{\"num-cpus\":\"2\"},\"resources\":{\"CPU\":\"2\"}"))),
     "only one of them",
     {0}},
    {"empty resources",
     SPEC(GROUPS(GROUP(",\"rayStartParams\":{\"num-cpus\":\"2\"},\"resources\":{}"))),
     NULL,
     {0}},
    {"memory and resources",
     SPEC(GROUPS(GROUP(",\"rayStartParams\":{\"memory\":\"2\"},\"resources\":{\"CPU\":\"2\"}"))),
     "only one of them",
     {0}},
    {"half a CPU",
     SPEC(GROUPS(GROUP(",\"rayStartParams\":{\"num-cpus\":\"0.5\"}"))),
     "'0.5' is not a whole number",
     {0}},
    {"half a CPU of the head",
     SPEC("\"headGroupSpec\":{\"rayStartParams\":{\"num-cpus\":\"500m\"}}"),
     "group head: rayStartParams.num-cpus '500m'",
     {0}},
    {"labels among the parameters",
     SPEC(GROUPS(GROUP(",\"rayStartParams\":{\"labels\":\"a=b\"}"))),
     "rayStartParams.labels",
     {0}},
    {"good labels",
     SPEC(GROUPS(GROUP(",\"labels\":{\"ray.io/zone\":\"a-b_c.d\",\"x\":\"\"}"))),
     NULL,
     {0}},
    {"bad label key", SPEC(GROUPS(GROUP(",\"labels\":{\"-x\":\"a\"}"))), "label key '-x'", {0}},
    {"bad label prefix",
     SPEC(GROUPS(GROUP(",\"labels\":{\"A_b/x\":\"a\"}"))),
     "label key 'A_b/x'",
     {0}},
    {"bad label value", SPEC(GROUPS(GROUP(",\"labels\":{\"x\":\"a b\"}"))), "value 'a b'", {0}},
    {"idle timeout with v2", SPEC(GROUPS(GROUP(",\"idleTimeoutSeconds\":10"))), NULL, {0}},
    {"negative idle timeout",
     SPEC(GROUPS(GROUP(",\"idleTimeoutSeconds\":-1"))),
     "is negative",
     {0}},
    {"idle timeout with v1",
     SPEC(
         "\"autoscalerOptions\":{\"version\":\"v1\"}," GROUPS(GROUP(",\"idleTimeoutSeconds\":10"))),
     "needs autoscalerOptions.version: v2",
     {0}},
    {"idle timeout by environment",
     SPEC("\"autoscalerOptions\":null," HEAD_ENV(
         ENV("RAY_enable_autoscaler_v2", "true")) "," GROUPS(GROUP(",\"idleTimeoutSeconds\":10"))),
     NULL,
     {0}},
    {"idle timeout by a wrong environment",
     SPEC("\"autoscalerOptions\":null," HEAD_ENV(ENV("RAY_enable_autoscaler_v2", "yes")) "," GROUPS(
         GROUP(",\"idleTimeoutSeconds\":10"))),
     "needs autoscalerOptions.version: v2",
     {0}},
    {"priority", SPEC(GROUPS(GROUP(",\"priority\":5"))), NULL, {0}},
    {"priority on an old Ray",
     SPEC("\"rayVersion\":\"2.55.9\"," GROUPS(GROUP(",\"priority\":5"))),
     "priority needs rayVersion 2.56.0",
     {0}},
    {"priority without a version",
     SPEC("\"rayVersion\":null," GROUPS(GROUP(",\"priority\":5"))),
     "priority needs rayVersion 2.56.0",
     {0}},
    {"priority with v1",
     SPEC("\"autoscalerOptions\":{\"version\":\"v1\"}," GROUPS(GROUP(",\"priority\":5"))),
     "priority needs autoscalerOptions.version",
     {0}},
    {"priority zero", SPEC("\"rayVersion\":null," GROUPS(GROUP(",\"priority\":0"))), NULL, {0}},
    {"suspend with autoscaling",
     SPEC(GROUPS(GROUP(",\"suspend\":true"))),
     "does not go with autoscaling",
     {0}},
    {"suspend without", SPEC(NO_SCALE "," GROUPS(GROUP(",\"suspend\":true"))), NULL, {0}},
    {"suspend without the gate",
     SPEC(NO_SCALE "," GROUPS(GROUP(",\"suspend\":true"))),
     "RayJobDeletionPolicy",
     {.no_group_suspend = true}},
    {"version and environment",
     SPEC(HEAD_ENV(ENV("RAY_enable_autoscaler_v2", "0"))),
     "use only the former",
     {0}},
    {"environment without autoscaling",
     SPEC(NO_SCALE "," HEAD_ENV(ENV("RAY_enable_autoscaler_v2", "1"))),
     "enableInTreeAutoscaling is off",
     {0}},
    {"environment says no",
     SPEC(NO_SCALE "," HEAD_ENV(ENV("RAY_enable_autoscaler_v2", "0"))),
     NULL,
     {0}},
    {"head restarts",
     SPEC("\"headGroupSpec\":{\"template\":{\"spec\":{\"restartPolicy\":\"Always\"}}}"),
     "group head: restartPolicy is Always",
     {0}},
    {"worker restarts",
     SPEC(GROUPS("{\"groupName\":\"cpu\",\"template\":{\"spec\":{\"restartPolicy\":\"OnFailure\","
                 "\"containers\":[{\"name\":\"w\"}]}}}")),
     "group cpu: restartPolicy is OnFailure",
     {0}},
    {"restarts with v1",
     SPEC("\"autoscalerOptions\":{\"version\":\"v1\"},\"headGroupSpec\":{\"template\":{\"spec\":{"
          "\"restartPolicy\":\"Always\"}}}"),
     NULL,
     {0}},
    {"negative autoscaler idle",
     SPEC("\"autoscalerOptions\":{\"idleTimeoutSeconds\":-5}"),
     "autoscalerOptions.idleTimeoutSeconds",
     {0}},
    {"shadowed start command",
     SPEC("\"autoscalerOptions\":{\"env\":[" ENV("KUBERAY_GEN_AUTOSCALER_START_CMD", "x") "]}"),
     "KubeRay's own",
     {0}},
    {"fault tolerance",
     SPEC("\"gcsFaultToleranceOptions\":{\"redisAddress\":\"r:6379\"}"),
     NULL,
     {0}},
    {"fault tolerance twice",
     "{\"metadata\":{\"annotations\":{\"ray.io/ft-enabled\":\"true\"}},"
     "\"spec\":{\"gcsFaultToleranceOptions\":{}}}",
     "both set",
     {0}},
    {"redis address alone",
     SPEC(HEAD_ENV(ENV("RAY_REDIS_ADDRESS", "r"))),
     "without gcsFaultToleranceOptions",
     {0}},
    {"redis address by annotation",
     "{\"metadata\":{\"annotations\":{\"ray.io/ft-enabled\":\"True\"}},"
     "\"spec\":{" HEAD_ENV(ENV("RAY_REDIS_ADDRESS", "r")) "}}",
     NULL,
     {0}},
    {"redis address twice",
     SPEC("\"gcsFaultToleranceOptions\":{}," HEAD_ENV(ENV("RAY_REDIS_ADDRESS", "r"))),
     "use its redisAddress",
     {0}},
    {"redis password parameter",
     SPEC("\"gcsFaultToleranceOptions\":{},\"headGroupSpec\":{\"rayStartParams\":{\"redis-"
          "password\":\"p\"}}"),
     "use its redisPassword",
     {0}},
    {"redis password environment",
     SPEC("\"gcsFaultToleranceOptions\":{}," HEAD_ENV(ENV("REDIS_PASSWORD", "p"))),
     "use its redisPassword",
     {0}},
    {"storage namespace annotation",
     "{\"metadata\":{\"annotations\":{\"ray.io/external-storage-namespace\":\"n\"}},"
     "\"spec\":{\"gcsFaultToleranceOptions\":{}}}",
     "use its externalStorageNamespace",
     {0}},
    {"redis user environment", SPEC(HEAD_ENV(ENV("REDIS_USERNAME", "u"))), "redisUsername", {0}},
    {"redis user parameter",
     SPEC("\"headGroupSpec\":{\"rayStartParams\":{\"redis-username\":\"u\"}}"),
     "redisUsername",
     {0}},
    {"redis with storage",
     SPEC("\"gcsFaultToleranceOptions\":{\"storage\":{}}"),
     "only goes with backend",
     {0}},
    {"rocksdb without the gate",
     SPEC("\"gcsFaultToleranceOptions\":{\"backend\":\"rocksdb\"}"),
     "GCSFaultToleranceEmbeddedStorage",
     {0}},
    {"rocksdb",
     SPEC("\"gcsFaultToleranceOptions\":{\"backend\":\"rocksdb\",\"storage\":{\"size\":\"1Gi\"}}"),
     NULL, ALL_GATES},
    {"rocksdb with redis",
     SPEC("\"gcsFaultToleranceOptions\":{\"backend\":\"rocksdb\",\"redisAddress\":\"r\"}"),
     "redisAddress does not go", ALL_GATES},
    {"rocksdb claim and size",
     SPEC("\"gcsFaultToleranceOptions\":{\"backend\":\"rocksdb\",\"storage\":{\"claimName\":\"c\","
          "\"size\":\"1Gi\"}}"),
     "claimName excludes", ALL_GATES},
    {"token", SPEC("\"authOptions\":{\"mode\":\"token\"}"), NULL, {0}},
    {"token from 2.52 on",
     SPEC("\"rayVersion\":\"2.52.0\",\"authOptions\":{\"mode\":\"token\"}"),
     NULL,
     {0}},
    {"token too early",
     SPEC("\"rayVersion\":\"2.51.2\",\"authOptions\":{\"mode\":\"token\"}"),
     "2.52.0 or later",
     {0}},
    {"token with a word",
     SPEC("\"rayVersion\":\"nightly\",\"authOptions\":{\"mode\":\"token\"}"),
     "2.52.0 or later",
     {0}},
    {"token without a version",
     SPEC("\"rayVersion\":null,\"authOptions\":{\"mode\":\"token\"}"),
     "needs rayVersion",
     {0}},
    {"kubernetes token",
     SPEC("\"authOptions\":{\"mode\":\"token\",\"enableK8sTokenAuth\":true}"),
     NULL,
     {0}},
    {"kubernetes token too early",
     SPEC("\"rayVersion\":\"2.54.0\",\"authOptions\":{\"mode\":\"token\",\"enableK8sTokenAuth\":"
          "true}"),
     "2.55.0 or later",
     {0}},
    {"kubernetes token and a secret",
     SPEC("\"authOptions\":{\"mode\":\"token\",\"enableK8sTokenAuth\":true,\"secretName\":\"s\"}"),
     "secretName are both set",
     {0}},
    {"kubernetes token without the mode",
     SPEC("\"authOptions\":{\"enableK8sTokenAuth\":true}"),
     "needs authOptions.mode: token",
     {0}},
    {"policy without the gate",
     SPEC("\"networkPolicy\":{\"mode\":\"DenyAll\"}"),
     "RayClusterNetworkPolicy",
     {0}},
    {"policy",
     SPEC("\"networkPolicy\":{\"head\":{\"ingressRules\":[{}]},\"workerGroups\":[{\"groupName\":"
          "\"cpu\"}]}"),
     NULL, ALL_GATES},
    {"ingress while egress is denied",
     SPEC("\"networkPolicy\":{\"mode\":\"DenyAllEgress\",\"head\":{\"ingressRules\":[{}]}}"),
     "head.ingressRules", ALL_GATES},
    {"egress while ingress is denied",
     SPEC("\"networkPolicy\":{\"mode\":\"DenyAllIngress\",\"worker\":{\"egressRules\":[{}]}}"),
     "worker.egressRules", ALL_GATES},
    {"rules of one group",
     SPEC("\"networkPolicy\":{\"mode\":\"DenyAllIngress\",\"workerGroups\":[{\"groupName\":\"cpu\","
          "\"egressRules\":[{}]}]}"),
     "workerGroups[cpu].egressRules", ALL_GATES},
    {"policy of no group", SPEC("\"networkPolicy\":{\"workerGroups\":[{\"groupName\":\"gpu\"}]}"),
     "workerGroups[gpu] names no worker group", ALL_GATES},
    {"policy and a group in capitals",
     SPEC("\"networkPolicy\":{}," GROUPS(
         "{\"groupName\":\"CPU\",\"template\":{\"spec\":{\"containers\":["
         "{\"name\":\"w\"}]}}}")),
     "must be a DNS label", ALL_GATES},
    {"group in capitals without a policy",
     SPEC(GROUPS(
         "{\"groupName\":\"CPU\",\"template\":{\"spec\":{\"containers\":[{\"name\":\"w\"}]}}}")),
     NULL,
     {0}},
    {"TLS without the gate", SPEC("\"tlsOptions\":{\"enabled\":true}"), "RayClusterMTLS", {0}},
    {"TLS", SPEC("\"tlsOptions\":{\"enabled\":true}"), NULL, ALL_GATES},
    {"TLS and its environment",
     SPEC("\"tlsOptions\":{\"enabled\":true}," HEAD_ENV(ENV("RAY_USE_TLS", "1"))),
     "head: RAY_USE_TLS", ALL_GATES},
    {"TLS off and its environment",
     SPEC("\"tlsOptions\":{\"enabled\":false}," HEAD_ENV(ENV("RAY_USE_TLS", "1"))), NULL,
     ALL_GATES},
    {"TLS and its mount",
     SPEC("\"tlsOptions\":{\"enabled\":true}," GROUPS(
         "{\"groupName\":\"cpu\",\"template\":{\"spec\":{\"containers\":[{\"name\":\"w\","
         "\"volumeMounts\":"
         "[{\"name\":\"t\",\"mountPath\":\"/etc/ray/tls\"}]}]}}}")),
     "group cpu: the mount ray-tls", ALL_GATES},
    {"history without the gate", SPEC(HISTORY("")), "RayClusterHistoryServer", {0}},
    {"history", SPEC(HISTORY(ENV("STORAGE_BACKEND", "gcs") "," ENV("GCS_BUCKET", "b"))), NULL,
     ALL_GATES},
    {"history without a bucket", SPEC(HISTORY(ENV("STORAGE_BACKEND", "GCS"))),
     "GCS_BUCKET is needed", ALL_GATES},
    {"history without a backend", SPEC(HISTORY("")), "STORAGE_BACKEND must be set", ALL_GATES},
    {"history and KubeRay's environment",
     SPEC(HISTORY(ENV("STORAGE_BACKEND", "S3") "," ENV("S3_REGION", "r") "," ENV("RAY_ROLE", "x"))),
     "RAY_ROLE is KubeRay's own", ALL_GATES},
    {"history on azure", SPEC(HISTORY(ENV("STORAGE_BACKEND", "AzureBlob"))),
     "is needed for AzureBlob", ALL_GATES},
    {"history without options", SPEC("\"historyServerOptions\":{}"), "collectorOptions must be set",
     ALL_GATES},
    {"unknown upgrade",
     SPEC("\"upgradeStrategy\":{\"type\":\"Rolling\"}"),
     "neither Recreate nor None",
     {0}},
    {"upgrade", SPEC("\"upgradeStrategy\":{\"type\":\"Recreate\"}"), NULL, {0}},
    {"upgrade of a job's cluster",
     "{\"metadata\":{\"labels\":{\"ray.io/originated-from-crd\":\"RayJob\"}},"
     "\"spec\":{\"upgradeStrategy\":{\"type\":\"None\"}}}",
     "made by a RayJob",
     {0}},
};

static json_t *parse(const char *name, const char *text)
{
    json_error_t why;
    json_t *v = json_loads(text, 0, &why);
    if (v == NULL)
        fail_msg("%s: %s at %d", name, why.text, why.column);
    return v;
}

/* Each rule alone: accepted, or exactly one problem that names it. */
static void each_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        json_t *cluster = parse("base", base_text), *patch = parse(rows[i].name, rows[i].patch);
        struct rd_strv problems = {0};
        rd_check_int(rows[i].name, json_object_update_recursive(cluster, patch), 0);
        bool ok = ray_validate_cluster(cluster, rows[i].gates, &problems);
        for (size_t p = 1; p < problems.len; p++)
            fail_msg("%s: a second problem: %s", rows[i].name, problems.v[p]);
        if (ok != (rows[i].problem == NULL))
            fail_msg("%s: %s", rows[i].name, problems.len ? problems.v[0] : "accepted");
        if (ok != (problems.len == 0))
            fail_msg("%s: result and problems disagree", rows[i].name);
        if (!ok && strstr(problems.v[0], rows[i].problem) == NULL)
            fail_msg("%s: got \"%s\", want \"%s\"", rows[i].name, problems.v[0], rows[i].problem);
        rd_strv_clear(&problems);
        json_decref(cluster);
        json_decref(patch);
    }
}

/* All that is wrong is told at once. */
static void all_at_once(void **state)
{
    (void)state;
    json_t *cluster = parse("bad", "{\"metadata\":{\"name\":\"9\"},\"spec\":{\"workerGroupSpecs\":["
                                   "{\"groupName\":\"a\",\"minReplicas\":2,\"maxReplicas\":1},"
                                   "{\"groupName\":\"a\"}]}}");
    struct rd_strv problems = {0};
    assert_false(ray_validate_cluster(cluster, (struct ray_gates){0}, &problems));
    rd_check_int("name, head, two groups without containers, min, twice", (long long)problems.len,
                 6);
    rd_strv_clear(&problems);
    json_decref(cluster);
}

/* JSON of any shape is judged without harm. */
static void odd_shapes(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "{}",
        "[]",
        "{\"spec\":[]}",
        "{\"spec\":{\"workerGroupSpecs\":{}}}",
        "{\"spec\":{\"workerGroupSpecs\":[1,null,\"x\",[]]}}",
        "{\"spec\":{\"headGroupSpec\":{\"template\":{\"spec\":{\"containers\":[7]}}}}}",
        "{\"spec\":{\"headGroupSpec\":{\"rayStartParams\":{\"num-cpus\":4}},\"autoscalerOptions\":"
        "3}}",
        "{\"metadata\":{\"name\":1,\"labels\":[]},\"spec\":{\"rayVersion\":2,\"networkPolicy\":[],"
        "\"upgradeStrategy\":{\"type\":{}}}}",
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(odd); i++) {
        json_t *cluster = parse(odd[i], odd[i]);
        struct rd_strv problems = {0};
        bool ok = ray_validate_cluster(cluster, (struct ray_gates)ALL_GATES, &problems);
        rd_check_int(odd[i], ok, problems.len == 0);
        rd_strv_clear(&problems);
        json_decref(cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(odd_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
