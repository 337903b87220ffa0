/* Events: which doom their object, and which are worth showing (reference kubernetes-client 6.4,
 * kuberay 3.5). */
#include "k8s/verdict.h"

#include "base/alloc.h"
#include "base/text.h"
#include "k8s/verdict_rule.h"

/* An API server that comes back refuses controllers too until it has read the rules; they try again. */
#define COMING_BACK_MS (30 * K8S_SECOND_MS)

/* What dooms only when the API server or a webhook refused. */
static bool event_refusal(const char *reason)
{
    return rd_streq(reason, "FailedCreate") || rd_streq(reason, "FailedToCreateHeadPod") ||
           rd_streq(reason, "FailedToCreateWorkerPod") ||
           rd_streq(reason, "FailedToCreateService") || rd_streq(reason, "FailedToCreateRole") ||
           rd_streq(reason, "FailedToCreateRoleBinding") ||
           rd_streq(reason, "FailedToCreateServiceAccount") ||
           rd_streq(reason, "FailedToCreateRayCluster") ||
           rd_streq(reason, "FailedToCreateRayJobSubmitter");
}

static const struct {
    const char *reason;
    uint64_t grace_ms;
} doom_table[] = {
    {"InvalidRayClusterSpec", 0},
    {"InvalidRayClusterMetadata", 0},
    {"InvalidRayClusterStatus", 0},
    {"InvalidRayJobSpec", 0},
    {"InvalidRayJobMetadata", 0},
    {"InvalidRayJobStatus", 0},
    {"InvalidRayServiceSpec", 0},
    {"InvalidRayServiceMetadata", 0},
    {"InvalidRayCronJobSpec", 0},
    /* The account may be in the same apply. */
    {"AutoscalerServiceAccountNotFound", 15 * K8S_SECOND_MS},
    {"NetworkPolicyNameCollision", 0},
    /* KubeRay repeats these; without a refusal in the text they are often a blink of the server. */
    {"FailedToCreateHeadPod", K8S_MINUTE_MS},
    {"FailedToCreateWorkerPod", K8S_MINUTE_MS},
    /* The node autoscaler looked and found no pool that could take the pod. */
    {"NotTriggerScaleUp", K8S_MINUTE_MS},
    /* The cloud refused a node; the autoscaler tries other zones for a while. */
    {"FailedScaleUp", 2 * K8S_MINUTE_MS},
};

/* What the object itself does not tell. They may be over by now, so none of them dooms. */
static const char *const shown[] = {"FailedMount",
                                    "FailedAttachVolume",
                                    "FailedBinding",
                                    "ProvisioningFailed",
                                    "FailedCreatePodSandBox",
                                    "NetworkNotReady",
                                    "Unhealthy",
                                    "FailedKillPod",
                                    "FailedCreate",
                                    "FailedToCreateRayCluster",
                                    NULL};

bool k8s_judge_event(const json_t *event, struct k8s_verdict *ret)
{
    *ret = (struct k8s_verdict){0};
    const char *reason = rd_json_str(event, "reason", NULL);
    const char *text = rd_json_str(event, "message", NULL);
    if (text == NULL)
        text = rd_json_str(event, "note", NULL);
    if (reason == NULL || text == NULL)
        return false;
    /* KubeRay 1.7 writes mere advice under the reason of a refusal. */
    static const char *const advice[] = {"spec warning", NULL};
    if (rd_starts_with(reason, "InvalidRay") && k8s_text_has(text, advice))
        return false;

    enum rd_err_kind kind;
    if (event_refusal(reason) && k8s_text_is_refusal(text, &kind)) {
        k8s_say_reason(ret, K8S_FAILED, reason, text);
        /* The account may be in the same apply. */
        static const char *const account[] = {"error looking up service account", NULL};
        uint64_t grace_ms = k8s_text_has(text, account) ? 15 * K8S_SECOND_MS : 0;
        if (kind == RD_ERR_CREDENTIALS)
            grace_ms = COMING_BACK_MS;
        k8s_limit(ret, grace_ms, kind);
        return true;
    }
    for (size_t i = 0; i < RD_ARRAY_LEN(doom_table); i++) {
        if (!rd_streq(doom_table[i].reason, reason))
            continue;
        k8s_say_reason(ret, K8S_FAILED, reason, text);
        k8s_limit(ret, doom_table[i].grace_ms, RD_ERR_FAILED);
        return true;
    }
    for (const char *const *s = shown; *s != NULL; s++) {
        if (!rd_streq(*s, reason))
            continue;
        k8s_say_reason(ret, K8S_IN_PROGRESS, reason, text);
        return true;
    }
    return false;
}
