/* What the fixtures of tests/explain cannot show: ages, graces, kinds, events, patience, garbage.
 */
#include "k8s/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/text.h"
#include "k8s/explain.h"

#define NOW_MS ((int64_t)1700000000000) /* 2023-11-14T22:13:20Z */

static json_t *parse(const char *text)
{
    struct rd_err *err = NULL;
    json_t *v = rd_json_parse(text, strlen(text), "the test's object", &err);
    if (v == NULL)
        fail_msg("%s", err->message);
    return v;
}

static void check(const char *text, enum k8s_status status, const char *reason, uint64_t grace_ms,
                  enum rd_err_kind kind)
{
    RD_AUTOJSON json_t *o = parse(text);
    struct k8s_verdict v;
    k8s_judge(o, NOW_MS, &v);
    if (v.status != status || !rd_streq(v.reason, reason) || v.grace_ms != grace_ms ||
        v.kind != kind)
        fail_msg(
            "%s\n  gives %s %s, grace %llu ms, kind %s: %s\n wanted %s %s, grace %llu ms, kind %s",
            text, k8s_status_name(v.status), v.reason != NULL ? v.reason : "-",
            (unsigned long long)v.grace_ms, rd_err_kind_name(v.kind), v.message,
            k8s_status_name(status), reason != NULL ? reason : "-", (unsigned long long)grace_ms,
            rd_err_kind_name(kind));
    k8s_verdict_clear(&v);
}

/* A Config Connector object that is not Ready for this reason, with this message. */
static void check_cnrm(const char *reason, const char *message, enum k8s_status status,
                       uint64_t grace_ms, enum rd_err_kind kind)
{
    RD_AUTOJSON json_t *o =
        rd_json_pack("{s:s,s:s,s:{s:s,s:i},s:{s:i,s:[{s:s,s:s,s:s,s:s}]}}", "apiVersion",
                     "compute.cnrm.cloud.google.com/v1beta1", "kind", "ComputeNetwork", "metadata",
                     "name", "n", "generation", 2, "status", "observedGeneration", 2, "conditions",
                     "type", "Ready", "status", "False", "reason", reason, "message", message);
    RD_AUTOFREE char *text = rd_json_dump(o);
    check(text, status, *reason != '\0' ? reason : NULL, grace_ms, kind);
}

static void test_cnrm_messages(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        enum k8s_status status;
        uint64_t grace_s;
        enum rd_err_kind kind;
    } rows[] = {
        {"googleapi: Error 403: Compute Engine API has not been used in project 7 before or it is "
         "disabled., accessNotConfigured",
         K8S_FAILED, 300, RD_ERR_FAILED},
        {"googleapi: Error 403: The caller does not have permission, forbidden", K8S_FAILED, 420,
         RD_ERR_CREDENTIALS},
        {"Required 'compute.networks.create' permission for 'projects/p/global/networks/n'",
         K8S_FAILED, 420, RD_ERR_CREDENTIALS},
        {"Permission 'iam.serviceAccounts.create' denied on resource (or it may not exist).",
         K8S_FAILED, 420, RD_ERR_CREDENTIALS},
        {"x@p.iam.gserviceaccount.com does not have storage.buckets.get access", K8S_FAILED, 420,
         RD_ERR_CREDENTIALS},
        {"Unable to generate token; IAM returned 403 Forbidden: Permission "
         "'iam.serviceAccounts.getAccessToken' denied",
         K8S_FAILED, 300, RD_ERR_CREDENTIALS},
        {"googleapi: Error 403: Quota 'SSD_TOTAL_GB' exceeded. Limit: 500.0 in region us-central1.",
         K8S_FAILED, 0, RD_ERR_FAILED},
        {"Error 429: RESOURCE_EXHAUSTED: ENTERPRISE storage", K8S_FAILED, 0, RD_ERR_FAILED},
        {"Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'",
         K8S_IN_PROGRESS, 0, RD_ERR_FAILED},
        {"googleapi: Error 403: Rate Limit Exceeded, rateLimitExceeded", K8S_IN_PROGRESS, 0,
         RD_ERR_FAILED},
        {"The zone 'z' does not have enough resources available to fulfill the request", K8S_FAILED,
         0, RD_ERR_FAILED},
        {"[code: GCE_STOCKOUT]", K8S_FAILED, 0, RD_ERR_FAILED},
        {"googleapi: Error 409: The resource 'n' already exists, alreadyExists", K8S_FAILED, 5,
         RD_ERR_FOREIGN},
        {"googleapi: Error 400: Service account a@p does not exist., badRequest", K8S_FAILED, 120,
         RD_ERR_FAILED},
        {"member deleted:serviceAccount:a@p?uid=1", K8S_FAILED, 120, RD_ERR_FAILED},
        {"Error 400: Identity Pool does not exist (p.svc.id.goog)., badRequest", K8S_IN_PROGRESS, 0,
         RD_ERR_FAILED},
        {"Error 400: The network is already being used by 's', resourceInUseByAnotherResource",
         K8S_FAILED, 300, RD_ERR_FAILED},
        {"Error 400: The resource 'n' is not ready, resourceNotReady", K8S_IN_PROGRESS, 0,
         RD_ERR_FAILED},
        {"summary: googleapi: Error 400: Cluster is running incompatible operation "
         "operation-1700000000000-1a2b3c4d., failedPrecondition",
         K8S_IN_PROGRESS, 0, RD_ERR_FAILED},
        {"Error 400: Operation operation-1 is currently upgrading cluster c. Please wait and try "
         "again once it is done. Details: [reason: CLUSTER_ALREADY_HAS_OPERATION]",
         K8S_IN_PROGRESS, 0, RD_ERR_FAILED},
        {"Error waiting for creating GKE cluster: All cluster resources were brought up, but: only "
         "0 nodes out of 1 have registered; cluster may be unhealthy.",
         K8S_FAILED, 0, RD_ERR_FAILED},
        {"error creating NodePool: NodePool p was created in the error state \"ERROR\"", K8S_FAILED,
         0, RD_ERR_FAILED},
        {"Error waiting for creating GKE cluster: Google Compute Engine: Required "
         "'compute.networks.get' permission for 'projects/p/global/networks/n'",
         K8S_FAILED, 0, RD_ERR_CREDENTIALS},
        {"cannot make changes to immutable field(s): [Field Name: mtu, Got: 1, Wanted: 2]",
         K8S_FAILED, 0, RD_ERR_FOREIGN},
        {"googleapi: Error 400: Invalid value for field 'resource.name', invalid", K8S_FAILED, 0,
         RD_ERR_FAILED},
        {"googleapi: Error 503: The service is currently unavailable., backendError", K8S_FAILED,
         600, RD_ERR_TRANSIENT},
        {"something that no table knows", K8S_FAILED, 300, RD_ERR_FAILED},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        check_cnrm("UpdateFailed", rows[i].message, rows[i].status, rows[i].grace_s * 1000,
                   rows[i].kind);
        check_cnrm("", rows[i].message, rows[i].status, rows[i].grace_s * 1000, rows[i].kind);
    }
}

static void test_cnrm_reasons(void **state)
{
    (void)state;
    check_cnrm("Updating", "Update in progress", K8S_IN_PROGRESS, 0, RD_ERR_FAILED);
    check_cnrm("DependencyNotReady", "reference a/b is not ready", K8S_IN_PROGRESS, 0,
               RD_ERR_FAILED);
    check_cnrm("DependencyNotFound", "reference a/b is not found", K8S_IN_PROGRESS, 30000,
               RD_ERR_FAILED);
    check_cnrm("DependencyInvalid", "key x is missing", K8S_FAILED, 0, RD_ERR_FAILED);
    check_cnrm("ManagementConflict", "lease held by another", K8S_FAILED, 0, RD_ERR_FOREIGN);
    check_cnrm("Unmanaged", "No controller is managing this resource.", K8S_FAILED, 180000,
               RD_ERR_FAILED);
    check_cnrm("PreActuationTransformFailed", "internal", K8S_FAILED, 180000, RD_ERR_FAILED);
}

/* Config Connector's own write leaves the number one behind; only managedFields can tell. */
static void test_cnrm_lag(void **state)
{
    (void)state;
#define LAGGING(fields)                                                                            \
    "{\"apiVersion\":\"storage.cnrm.cloud.google.com/v1beta1\",\"kind\":\"StorageBucket\","        \
    "\"metadata\":{\"name\":\"b\",\"generation\":3" fields "},"                                    \
    "\"status\":{\"observedGeneration\":2,\"conditions\":[{\"type\":\"Ready\","                    \
    "\"status\":\"True\",\"reason\":\"UpToDate\",\"message\":\"The resource is up to date\"}]}}"
    check(LAGGING(""), K8S_IN_PROGRESS, "GenerationNotObserved", 0, RD_ERR_FAILED);
    check(LAGGING(
              ",\"managedFields\":[{\"manager\":\"raydeploy\",\"time\":\"2023-11-14T22:13:10Z\"}]"),
          K8S_IN_PROGRESS, "GenerationNotObserved", 0, RD_ERR_FAILED);
    check(
        LAGGING(",\"managedFields\":[{\"manager\":\"raydeploy\",\"time\":\"2023-11-14T22:10:00Z\"},"
                "{\"manager\":\"cnrm-controller-manager\",\"time\":\"2023-11-14T22:13:19Z\"}]"),
        K8S_CURRENT, NULL, 0, RD_ERR_FAILED);
}

static void check_waiting(const char *reason, const char *message, int restarts,
                          enum k8s_status status, uint64_t grace_s)
{
    RD_AUTOJSON json_t *o =
        rd_json_pack("{s:s,s:s,s:{s:s},s:{s:s,s:[{s:s,s:i,s:b,s:{s:{s:s,s:s}}}]}}", "apiVersion",
                     "v1", "kind", "Pod", "metadata", "name", "p", "status", "phase", "Pending",
                     "containerStatuses", "name", "c", "restartCount", restarts, "ready", 0,
                     "state", "waiting", "reason", reason, "message", message);
    RD_AUTOFREE char *text = rd_json_dump(o);
    bool plain = rd_streq(reason, "ContainerCreating");
    check(text, status, plain ? "Pending" : reason, grace_s * 1000, RD_ERR_FAILED);
}

static void test_container_reasons(void **state)
{
    (void)state;
    check_waiting("ContainerCreating", "", 0, K8S_IN_PROGRESS, 0);
    check_waiting("ErrImagePull", "rpc error: manifest unknown", 0, K8S_FAILED, 30);
    check_waiting("ErrImagePull", "connection refused", 0, K8S_IN_PROGRESS, 60);
    check_waiting("ErrImagePull", "toomanyrequests: slow down", 0, K8S_IN_PROGRESS, 0);
    check_waiting("ImagePullBackOff", "Back-off pulling image \"x\"", 0, K8S_FAILED, 60);
    check_waiting("ImagePullBackOff", "Back-off: i/o timeout", 0, K8S_IN_PROGRESS, 0);
    check_waiting("ErrImageNeverPull", "no", 0, K8S_FAILED, 0);
    check_waiting("InvalidImageName", "no", 0, K8S_FAILED, 0);
    check_waiting("RegistryUnavailable", "later", 0, K8S_IN_PROGRESS, 0);
    check_waiting("CreateContainerConfigError", "secret \"s\" not found", 0, K8S_FAILED, 15);
    check_waiting("CreateContainerError", "no", 0, K8S_FAILED, 60);
    check_waiting("RunContainerError", "no", 0, K8S_FAILED, 60);
    check_waiting("CrashLoopBackOff", "back-off 10s", 1, K8S_FAILED, 30);
    check_waiting("CrashLoopBackOff", "back-off 40s", 3, K8S_FAILED, 0);
}

/* A pod is given 15 s to find a node, counted from the scheduler's word, else from its birth. */
static void test_unschedulable_age(void **state)
{
    (void)state;
#define UNSCHEDULABLE(born, since, why)                                                            \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"" born "},\"status\":{"   \
    "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\"" since  \
    ",\"reason\":\"Unschedulable\",\"message\":\"0/3 nodes are available: " why "\"}]}}"
#define BORN(t) ",\"creationTimestamp\":\"" t "\""
#define SINCE(t) ",\"lastTransitionTime\":\"" t "\""
    check(UNSCHEDULABLE(BORN("2023-11-14T22:13:06Z"), "", "no"), K8S_IN_PROGRESS, "Unschedulable",
          61000, RD_ERR_FAILED);
    check(UNSCHEDULABLE(BORN("2023-11-14T22:13:05Z"), "", "no"), K8S_FAILED, "Unschedulable", 60000,
          RD_ERR_FAILED);
    check(UNSCHEDULABLE(BORN("2023-11-14T20:00:00Z"), SINCE("2023-11-14T22:13:10Z"), "no"),
          K8S_IN_PROGRESS, "Unschedulable", 65000, RD_ERR_FAILED);
    check(UNSCHEDULABLE("", "", "no"), K8S_FAILED, "Unschedulable", 60000, RD_ERR_FAILED);
    check(UNSCHEDULABLE("", "", "pod has unbound immediate PersistentVolumeClaims"),
          K8S_IN_PROGRESS, "Unschedulable", 0, RD_ERR_FAILED);
    /* A clock behind the server's makes the pod young, not ancient. */
    check(UNSCHEDULABLE(BORN("2024-01-01T00:00:00Z"), "", "no"), K8S_IN_PROGRESS, "Unschedulable",
          75000, RD_ERR_FAILED);
}

static void test_replica_failure(void **state)
{
    (void)state;
#define DEPLOYMENT(message)                                                                        \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\"},\"spec\":{" \
    "\"replicas\":2},\"status\":{\"replicas\":1,\"conditions\":[{\"type\":\"ReplicaFailure\","     \
    "\"status\":\"True\",\"reason\":\"FailedCreate\",\"message\":\"" message "\"}]}}"
    check(DEPLOYMENT("pods \\\"d-x\\\" is forbidden: exceeded quota: q"), K8S_IN_PROGRESS,
          "FailedCreate", 60000, RD_ERR_FAILED);
    check(DEPLOYMENT("pods is forbidden: User \\\"u\\\" cannot create resource \\\"pods\\\""),
          K8S_IN_PROGRESS, "FailedCreate", 60000, RD_ERR_CREDENTIALS);
    check(DEPLOYMENT("Timeout: request did not complete"), K8S_IN_PROGRESS, "FailedCreate", 0,
          RD_ERR_FAILED);
#define CLUSTER(reason, message)                                                                   \
    "{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"metadata\":{\"name\":\"r\"},"         \
    "\"status\":{\"state\":\"ready\",\"conditions\":[{\"type\":\"ReplicaFailure\",\"status\":"     \
    "\"True\",\"reason\":\"" reason "\",\"message\":\"" message "\"}]}}"
    check(CLUSTER("FailedCreateWorkerPod", "exceeded quota: q"), K8S_FAILED,
          "FailedCreateWorkerPod", 10000, RD_ERR_FAILED);
    check(CLUSTER("FailedDeleteHeadPod", "etcdserver: request timed out"), K8S_FAILED,
          "FailedDeleteHeadPod", 90000, RD_ERR_FAILED);
}

static void test_events(void **state)
{
    (void)state;
    static const struct {
        const char *reason, *key, *text;
        bool said;
        enum k8s_status status;
        uint64_t grace_ms;
        enum rd_err_kind kind;
    } rows[] = {
        {"FailedCreate", "message", "pods \"x\" is forbidden: exceeded quota: q", true, K8S_FAILED,
         0, RD_ERR_FAILED},
        {"FailedCreate", "message", "violates PodSecurity \"restricted:latest\"", true, K8S_FAILED,
         0, RD_ERR_FAILED},
        {"FailedCreate", "message",
         "pods \"x\" is forbidden: error looking up service account n/a: serviceaccount \"a\" not "
         "found",
         true, K8S_FAILED, 15000, RD_ERR_FAILED},
        {"FailedCreate", "message", "Internal error occurred", true, K8S_IN_PROGRESS, 0,
         RD_ERR_FAILED},
        {"FailedToCreateHeadPod", "note", "admission webhook \"w\" denied the request: no", true,
         K8S_FAILED, 0, RD_ERR_FAILED},
        {"FailedToCreateWorkerPod", "note", "etcdserver: timeout", true, K8S_FAILED, 60000,
         RD_ERR_FAILED},
        {"FailedToCreateRole", "note", "roles is forbidden: User \"u\" cannot create resource",
         true, K8S_FAILED, 30000, RD_ERR_CREDENTIALS},
        {"InvalidRayClusterSpec", "note", "The RayCluster spec is invalid: a", true, K8S_FAILED, 0,
         RD_ERR_FAILED},
        {"InvalidRayClusterSpec", "note", "RayCluster spec warning: a", false, 0, 0, 0},
        {"NotTriggerScaleUp", "message", "pod didn't trigger scale-up", true, K8S_FAILED, 60000,
         RD_ERR_FAILED},
        {"FailedMount", "message", "MountVolume.SetUp failed", true, K8S_IN_PROGRESS, 0,
         RD_ERR_FAILED},
        {"FailedScheduling", "message", "0/3 nodes are available", false, 0, 0, 0},
        {"Scheduled", "message", "Successfully assigned", false, 0, 0, 0},
        {"FailedCreate", "other", "no text", false, 0, 0, 0},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *event = rd_json_pack("{s:s,s:s,s:s}", "reason", rows[i].reason,
                                                 rows[i].key, rows[i].text, "type", "Warning");
        struct k8s_verdict v;
        bool said = k8s_judge_event(event, &v);
        if (said != rows[i].said ||
            (said && (v.status != rows[i].status || v.grace_ms != rows[i].grace_ms ||
                      v.kind != rows[i].kind)))
            fail_msg("row %zu (%s): said %d, %s, grace %llu, kind %s", i, rows[i].reason, said,
                     k8s_status_name(v.status), (unsigned long long)v.grace_ms,
                     rd_err_kind_name(v.kind));
        k8s_verdict_clear(&v);
    }
    struct k8s_verdict v;
    assert_false(k8s_judge_event(NULL, &v));
    assert_null(v.message);
}

/* One pull failure under two names is one trouble; a good spell that is short does not end it. */
static void test_patience(void **state)
{
    (void)state;
    struct k8s_verdict pull = {K8S_FAILED, "ErrImagePull", "a", 60000, RD_ERR_FAILED};
    struct k8s_verdict back = {K8S_FAILED, "ImagePullBackOff", "b", 60000, RD_ERR_FAILED};
    struct k8s_verdict work = {K8S_IN_PROGRESS, "Pending", "c", 0, RD_ERR_FAILED};
    struct k8s_verdict good = {K8S_CURRENT, NULL, "d", 0, RD_ERR_FAILED};
    struct k8s_verdict late = {K8S_IN_PROGRESS, "DependencyNotFound", "e", 30000, RD_ERR_FAILED};
    struct k8s_verdict dead = {K8S_FAILED, "InvalidImageName", "f", 0, RD_ERR_FAILED};
    static const uint64_t start = 5000000;
    struct k8s_patience p = {0};

    assert_false(k8s_patience_over(&p, &pull, start));
    assert_int_equal(k8s_patience_wake_ms(&p, &pull), start + 60000);
    assert_false(k8s_patience_over(&p, &work, start + 20000));
    assert_true(k8s_patience_stands(&p, start + 170000));
    assert_false(k8s_patience_stands(&p, start + 170001));
    assert_int_equal(k8s_patience_wake_ms(&p, &work), RD_NEVER);
    assert_false(k8s_patience_over(&p, &back, start + 59999));
    assert_true(k8s_patience_over(&p, &back, start + 60000));

    /* Another trouble starts its own clock, and so does one that was forgotten. */
    assert_false(k8s_patience_over(&p, &late, start + 70000));
    assert_false(k8s_patience_over(&p, &late, start + 99999));
    assert_true(k8s_patience_over(&p, &late, start + 100000));
    /* Silence is not a good spell. */
    assert_true(k8s_patience_over(&p, &late, start + 900000));
    assert_false(k8s_patience_over(&p, &work, start + 900001));
    assert_true(k8s_patience_over(&p, &late, start + 1050001));
    assert_false(k8s_patience_over(&p, &work, start + 1050002));
    assert_false(k8s_patience_over(&p, &late, start + 1200003));

    assert_false(k8s_patience_over(&p, &good, start + 1210000));
    assert_null(p.cause);
    assert_true(k8s_patience_over(&p, &dead, start + 1220000));
    k8s_patience_clear(&p);
}

/* Any JSON at all gets a verdict with a message, and only real rules say Current. */
static void test_garbage(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "[]",
        "{}",
        "\"Pod\"",
        "{\"kind\":1,\"apiVersion\":[]}",
        "{\"kind\":\"\",\"apiVersion\":\"\"}",
        "{\"kind\":\"Pod\",\"apiVersion\":\"/\"}",
        "{\"kind\":\"Deployment\",\"apiVersion\":\"v1\",\"status\":{\"replicas\":1}}",
        "{\"kind\":\"Gadget\",\"apiVersion\":\"example.com/v1\",\"status\":{\"conditions\":["
        "{\"type\":\"Ready\",\"status\":\"True\"}]}}",
        "{\"kind\":\"X\",\"apiVersion\":\"customize.core.cnrm.cloud.google.com/v1\"}"};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++) {
        json_error_t e;
        RD_AUTOJSON json_t *o = json_loads(texts[i], JSON_DECODE_ANY, &e);
        struct k8s_verdict v;
        k8s_judge(o, NOW_MS, &v);
        if (v.status != K8S_UNKNOWN || v.message == NULL)
            fail_msg("%s: %s %s", texts[i], k8s_status_name(v.status), v.message);
        k8s_verdict_clear(&v);
    }
    /* Every rule survives wrong types everywhere. */
    static const char *const kinds[] = {"apps/v1 Deployment",
                                        "apps/v1 StatefulSet",
                                        "apps/v1 DaemonSet",
                                        "apps/v1 ReplicaSet",
                                        "batch/v1 Job",
                                        "batch/v1 CronJob",
                                        "v1 Pod",
                                        "v1 PersistentVolumeClaim",
                                        "v1 PersistentVolume",
                                        "v1 Service",
                                        "v1 Namespace",
                                        "v1 ConfigMap",
                                        "apiextensions.k8s.io/v1 CustomResourceDefinition",
                                        "policy/v1 PodDisruptionBudget",
                                        "apiregistration.k8s.io/v1 APIService",
                                        "core.cnrm.cloud.google.com/v1beta1 ConfigConnector",
                                        "filestore.cnrm.cloud.google.com/v1beta1 FilestoreInstance",
                                        "ray.io/v1 RayCluster",
                                        "ray.io/v1 RayJob",
                                        "ray.io/v1 RayService",
                                        "ray.io/v1 RayCronJob"};
    static const char *const bodies[] = {
        "\"metadata\":[],\"spec\":7,\"status\":\"x\"",
        "\"metadata\":{\"generation\":\"1\",\"finalizers\":{},\"managedFields\":[1]},\"spec\":{"
        "\"replicas\":{},\"workerGroupSpecs\":[1,{\"minReplicas\":9223372036854775807,"
        "\"replicas\":9223372036854775807,\"numOfHosts\":9223372036854775807}]},"
        "\"status\":{\"conditions\":{},\"phase\":3,\"containerStatuses\":[1,{}],"
        "\"replicas\":-9223372036854775808,\"errors\":{}}",
        "\"metadata\":{\"deletionTimestamp\":\"yesterday\",\"finalizers\":[1,\"f\"]},\"status\":{"
        "\"conditions\":[1,{},{\"type\":\"Ready\",\"status\":true,\"reason\":7}]}",
        "\"status\":{\"phase\":\"Failed\",\"state\":\"\",\"conditions\":[{\"type\":\"Ready\","
        "\"status\":\"False\"},{\"type\":\"HeadPodReady\",\"status\":\"True\"},"
        "{\"type\":\"Stalled\",\"status\":\"True\"}],\"containerStatuses\":[{\"state\":"
        "{\"terminated\":{\"exitCode\":1}}}],\"jobDeploymentStatus\":\"Failed\"}"};
    for (size_t k = 0; k < RD_ARRAY_LEN(kinds); k++) {
        struct rd_strv words = {0};
        rd_strv_split(&words, kinds[k], " ");
        assert_true(k8s_kind_has_rule(words.v[0], words.v[1]));
        for (size_t b = 0; b < RD_ARRAY_LEN(bodies); b++) {
            RD_AUTOFREE char *text = rd_asprintf("{\"apiVersion\":\"%s\",\"kind\":\"%s\",%s}",
                                                 words.v[0], words.v[1], bodies[b]);
            RD_AUTOJSON json_t *o = parse(text);
            struct k8s_verdict v;
            k8s_judge(o, NOW_MS, &v);
            assert_non_null(v.message);
            assert_int_not_equal(v.status, K8S_UNKNOWN);
            k8s_verdict_clear(&v);
        }
        rd_strv_clear(&words);
    }
}

/* A message is one line under its ceiling, and the line of explain cannot drive a terminal. */
static void test_message_bounds(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_puts(&text, "first\n\n  second\t\x1b[31m");
    for (int i = 0; i < 3000; i++)
        rd_buf_puts(&text, "\xc3\xa9");
    rd_buf_puts(&text, "the end");
    RD_AUTOJSON json_t *o = rd_json_pack(
        "{s:s,s:s,s:{s:s,s:s},s:{s:s,s:s}}", "apiVersion", "v1", "kind", "Pod", "metadata", "name",
        "a\nb", "namespace", "n", "status", "phase", "Failed", "message", rd_buf_str(&text));
    struct k8s_verdict v;
    k8s_judge(o, NOW_MS, &v);
    assert_in_range(strlen(v.message), K8S_MESSAGE_MAX - 4, K8S_MESSAGE_MAX);
    assert_true(rd_utf8_valid(v.message, strlen(v.message)));
    assert_null(strchr(v.message, '\n'));
    assert_non_null(strstr(v.message, "first second \x1b"));
    assert_non_null(strstr(v.message, "\xc3\xa9 ... \xc3\xa9"));
    assert_string_equal(v.message + strlen(v.message) - 9, "\xc3\xa9the end");
    k8s_verdict_clear(&v);

    RD_AUTOBUF struct rd_buf line = RD_BUF_INIT(8192);
    enum k8s_status status;
    k8s_explain_line(o, NOW_MS, &line, &status);
    assert_int_equal(status, K8S_FAILED);
    const char *start = "Pod/n/a\\nb Failed phase Failed: first second \\x1b[31m";
    if (!rd_starts_with(rd_buf_str(&line), start))
        fail_msg("got    %.80s\nwanted %s", rd_buf_str(&line), start);
    assert_ptr_equal(strchr(rd_buf_str(&line), '\n'), line.data + line.len - 1);
}

/* A pod out of a list carries no kind, and is judged all the same. */
static void test_pod_from_list(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *o =
        parse("{\"metadata\":{\"name\":\"p\"},\"status\":{\"phase\":\"Running\","
              "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
    struct k8s_verdict v;
    k8s_judge_pod_complaint(o, NOW_MS, &v);
    assert_int_equal(v.status, K8S_CURRENT);
    k8s_verdict_clear(&v);
    rd_json_path_set(o, "metadata.deletionTimestamp", json_string("2023-11-14T22:12:20Z"));
    k8s_judge_pod_complaint(o, NOW_MS, &v);
    assert_int_equal(v.status, K8S_TERMINATING);
    assert_string_equal(v.message, "being deleted for 1m");
    k8s_verdict_clear(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cnrm_messages),
        cmocka_unit_test(test_cnrm_reasons),
        cmocka_unit_test(test_cnrm_lag),
        cmocka_unit_test(test_container_reasons),
        cmocka_unit_test(test_unschedulable_age),
        cmocka_unit_test(test_replica_failure),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_message_bounds),
        cmocka_unit_test(test_pod_from_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
