/* What the shipped judges and decoders make of the world's answers. The model has a handful of different
 * objects and refusals; each is shown to the shipped code once, when the simulation starts. */
#include "gcp/client.h"
#include "k8s/client.h"
#include "k8s/verdict.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define NOW_MS ((int64_t)1700000000000)

static struct phase_verdict sights[SIGHT_MAX];
static struct judged answers[2][ANSWER_MAX];
static enum rd_err_kind failed_operation;

#define CC(status, reason, message)                                                                \
    "{\"apiVersion\":\"compute.cnrm.cloud.google.com/v1beta1\",\"kind\":\"ComputeNetwork\","       \
    "\"metadata\":{\"name\":\"n\",\"generation\":2},\"status\":{\"observedGeneration\":2,"         \
    "\"conditions\":[{\"type\":\"Ready\",\"status\":\"" status "\",\"reason\":\"" reason           \
    "\",\"message\":\"" message "\"}]}}"
#define DEPLOY(ready, available)                                                                   \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\","            \
    "\"generation\":1},\"spec\":{\"replicas\":1},\"status\":{\"observedGeneration\":1,"            \
    "\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":" ready ",\"availableReplicas\":" ready \
    ",\"conditions\":[{\"type\":\"Progressing\",\"status\":\"True\",\"reason\":"                   \
    "\"NewReplicaSetAvailable\"},{\"type\":\"Available\",\"status\":\"" available "\"}]}}"
#define POD(reason)                                                                                \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"status\":{\"phase\":"  \
    "\"Pending\",\"containerStatuses\":[{\"name\":\"c\",\"ready\":false,\"state\":{\"waiting\":{"  \
    "\"reason\":\"" reason "\",\"message\":\"back-off\"}}}]}}"
#define RAY(head, workers, state)                                                                  \
    "{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"metadata\":{\"name\":\"r\","          \
    "\"generation\":1},\"spec\":{\"workerGroupSpecs\":[{\"groupName\":\"w\",\"replicas\":1,"       \
    "\"minReplicas\":1,\"maxReplicas\":1}]},\"status\":{\"observedGeneration\":1,"                 \
    "\"readyWorkerReplicas\":" workers ",\"desiredWorkerReplicas\":1,\"state\":\"" state           \
    "\",\"conditions\":[{\"type\":\"HeadPodReady\",\"status\":\"" head "\"},"                      \
    "{\"type\":\"RayClusterProvisioned\",\"status\":\"" head "\"}]}}"

static const char *const objects[SIGHT_MAX] = {
    [SIGHT_CC_NEW] = "{\"apiVersion\":\"compute.cnrm.cloud.google.com/v1beta1\",\"kind\":"
                     "\"ComputeNetwork\",\"metadata\":{\"name\":\"n\",\"generation\":1}}",
    [SIGHT_CC_WAITS] = CC("False", "DependencyNotReady", "reference is not ready"),
    [SIGHT_CC_MAKING] = CC("False", "Creating", "Creation in progress"),
    [SIGHT_CC_HEALS] = CC("False", "UpdateFailed", "Update call failed: googleapi: Error 503: "
                                                   "backendError"),
    [SIGHT_CC_QUOTA] = CC("False", "UpdateFailed", "Update call failed: googleapi: Error 403: "
                                                   "Quota exceeded for quota metric"),
    [SIGHT_CC_UP] = CC("True", "UpToDate", "The resource is up to date"),
    [SIGHT_CC_GOING] = CC("False", "Deleting", "Deletion in progress"),
    [SIGHT_CC_STUCK] = CC("False", "DeleteFailed", "Delete call failed: googleapi: Error 400: The "
                                                   "resource is already being used by another"),
    [SIGHT_DEPLOY_MAKING] = DEPLOY("0", "False"),
    [SIGHT_DEPLOY_UP] = DEPLOY("1", "True"),
    [SIGHT_POD_PULL] = POD("ImagePullBackOff"),
    [SIGHT_POD_DENIED] = POD("InvalidImageName"),
    [SIGHT_RAY_MAKING] = RAY("False", "0", ""),
    [SIGHT_RAY_UP] = RAY("True", "1", "ready"),
    [SIGHT_GOING] = "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":"
                    "\"d\",\"deletionTimestamp\":\"2023-11-14T22:13:00Z\",\"finalizers\":[\"x\"]}}",
};
/* What the model means by it: another answer is a change of the judges that the model must learn. */
static const enum phase_finding meant[SIGHT_MAX] = {
    [SIGHT_CC_NEW] = FOUND_PENDING,    [SIGHT_CC_WAITS] = FOUND_PENDING,
    [SIGHT_CC_MAKING] = FOUND_PENDING, [SIGHT_CC_HEALS] = FOUND_FAILING,
    [SIGHT_CC_QUOTA] = FOUND_FAILED,   [SIGHT_CC_UP] = FOUND_READY,
    [SIGHT_CC_GOING] = FOUND_PENDING,  [SIGHT_CC_STUCK] = FOUND_FAILING,
    [SIGHT_DEPLOY_MAKING] = FOUND_PENDING, [SIGHT_DEPLOY_UP] = FOUND_READY,
    [SIGHT_POD_PULL] = FOUND_FAILING,  [SIGHT_POD_DENIED] = FOUND_FAILED,
    [SIGHT_RAY_MAKING] = FOUND_PENDING, [SIGHT_RAY_UP] = FOUND_READY,
    [SIGHT_GOING] = FOUND_LEAVING,
};

static void judge_object(enum sim_sight s)
{
    struct rd_err *err = NULL;
    RD_AUTOJSON json_t *object = rd_json_parse(objects[s], strlen(objects[s]), "object", &err);
    struct k8s_verdict k;
    struct phase_verdict v = {.kind = RD_ERR_TRANSIENT, .ours = true};
    RD_ASSERT(object);
    if (s == SIGHT_POD_PULL || s == SIGHT_POD_DENIED)
        k8s_judge_pod_complaint(object, NOW_MS, &k);
    else
        k8s_judge(object, NOW_MS, &k);
    switch (k.status) {
    case K8S_CURRENT:
        v.found = FOUND_READY;
        break;
    case K8S_FAILED:
        v.found = k.grace_ms ? FOUND_FAILING : FOUND_FAILED;
        v.kind = k.kind;
        v.complaint = 1 + s;
        v.grace_ms = k.grace_ms;
        break;
    case K8S_TERMINATING:
        v.found = FOUND_LEAVING;
        break;
    default:
        v.found = FOUND_PENDING;
    }
    if (v.found != meant[s]) {
        fprintf(stderr, "sim: the judges say %s (%s) of what the model means to be %s: %s\n",
                phase_finding_name(v.found), k.message, phase_finding_name(meant[s]), objects[s]);
        exit(2);
    }
    k8s_verdict_clear(&k);
    sights[s] = v;
}

static const struct {
    long status, retry_after_s;
    const char *k8s, *google;
} bodies[ANSWER_MAX] = {
    [ANSWER_CONFLICT] = {409, 0,
                         "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Conflict\","
                         "\"message\":\"the object has been modified\",\"code\":409}",
                         "{\"error\":{\"code\":409,\"status\":\"ABORTED\",\"message\":"
                         "\"There were concurrent policy changes\"}}"},
    [ANSWER_EXISTS] = {409, 0,
                       "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"AlreadyExists\","
                       "\"message\":\"already exists\",\"code\":409}",
                       "{\"error\":{\"code\":409,\"status\":\"ALREADY_EXISTS\",\"message\":"
                       "\"Already exists\"}}"},
    [ANSWER_BUSY] = {400, 0,
                     "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Conflict\","
                     "\"message\":\"object is being deleted\",\"code\":409}",
                     "{\"error\":{\"code\":400,\"status\":\"FAILED_PRECONDITION\",\"message\":"
                     "\"busy\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
                     "\"reason\":\"CLUSTER_ALREADY_HAS_OPERATION\"}]}}"},
    [ANSWER_TAKEN] = {409, 0,
                      "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Conflict\","
                      "\"message\":\"Apply failed with 1 conflict: conflict with \\\"other\\\"\","
                      "\"details\":{\"causes\":[{\"reason\":\"FieldManagerConflict\",\"message\":"
                      "\"conflict with \\\"other\\\"\",\"field\":\".spec.x\"}]},\"code\":409}",
                      "{\"error\":{\"code\":409,\"status\":\"ALREADY_EXISTS\",\"message\":"
                      "\"Already exists\"}}"},
    [ANSWER_401] = {401, 0, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\",\"code\":401}",
                    "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\",\"message\":\"x\"}}"},
    [ANSWER_403] = {403, 0,
                    "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"forbidden: User "
                    "cannot\",\"code\":403}",
                    "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"x\"}}"},
    [ANSWER_429] = {429, 1, "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"code\":429}",
                    "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"x\","
                    "\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
                    "\"reason\":\"RATE_LIMIT_EXCEEDED\"}]}}"},
    [ANSWER_500] = {500, 0, "{\"kind\":\"Status\",\"reason\":\"InternalError\",\"message\":"
                            "\"etcdserver: request timed out\",\"code\":500}",
                    "{\"error\":{\"code\":500,\"status\":\"INTERNAL\",\"message\":\"x\"}}"},
    [ANSWER_503] = {503, 2, "{\"kind\":\"Status\",\"reason\":\"ServiceUnavailable\",\"code\":503}",
                    "{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\",\"message\":\"x\"}}"},
};

static void judge_body(bool google, enum sim_answer a)
{
    const char *body = google ? bodies[a].google : bodies[a].k8s;
    long status = a == ANSWER_BUSY && !google ? 409 : bodies[a].status;
    uint64_t retry_after = (uint64_t)bodies[a].retry_after_s * 1000;
    struct gcp_fault fault = {0};
    struct rd_err *err = NULL;
    enum call_judgement j =
        google ? gcp_decode_error(status, "application/json", body, strlen(body), retry_after,
                                  "sim", &fault, &err)
               : k8s_decode_error(status, "application/json", body, strlen(body), retry_after,
                                  "sim", &err);
    RD_ASSERT(err);
    /* A name that is taken: only a look at the mark can say by whom. */
    enum rd_err_kind kind = google && fault.situation == GCP_EXISTS ? RD_ERR_CONFLICT : err->kind;
    answers[google][a] = (struct judged){.status = status,
                                         .kind = kind,
                                         .retry = j == CALL_RETRY,
                                         .final = j == CALL_FINAL,
                                         .retry_after_ms = err->retry_after_ms > retry_after
                                                               ? err->retry_after_ms
                                                               : retry_after};
    rd_err_free(err);
    gcp_fault_clear(&fault);
}

void judge_init(void)
{
    for (int s = 0; s < SIGHT_MAX; s++)
        judge_object(s);
    for (int a = ANSWER_CONFLICT; a < ANSWER_MAX; a++) {
        judge_body(false, a);
        judge_body(true, a);
    }
    static const char error[] = "{\"code\":8,\"message\":\"Insufficient quota to satisfy the "
                                "request\",\"details\":[{\"@type\":\"type.googleapis.com/"
                                "google.rpc.ErrorInfo\",\"reason\":\"RESOURCE_QUOTA_EXCEEDED\"}]}";
    struct gcp_fault fault = {0};
    struct rd_err *err = NULL;
    RD_AUTOJSON json_t *status = rd_json_parse(error, strlen(error), "error", &err);
    err = gcp_decode_status(status, 0, "sim", &fault);
    failed_operation = err->kind;
    rd_err_free(err);
    gcp_fault_clear(&fault);
}

struct phase_verdict judge_sight(enum sim_sight s)
{
    return sights[s];
}

const struct judged *judge_answer(bool google, enum sim_answer a)
{
    return &answers[google][a];
}

enum rd_err_kind judge_failed_operation(void)
{
    return failed_operation;
}

struct phase_verdict judge_error(enum rd_err_kind kind, uint64_t retry_after_ms)
{
    struct phase_verdict v = {.kind = kind, .retry_after_ms = retry_after_ms};
    if (rd_err_transient(kind) || kind == RD_ERR_CANCELLED)
        v.found = FOUND_UNREACHABLE;
    else if (kind == RD_ERR_FOREIGN)
        v.found = FOUND_FOREIGN;
    else
        v.found = FOUND_FAILED;
    return v;
}
