/* Is this object ready? One pure rule per kind: deletion, then generation, then the kind's own rule.
 * A kind with no rule is Unknown, never Current. Used by waits, by steps and by `explain`.
 *
 * Rules: ../shared/reference/kubernetes-client.md section 6 (cli-utils kstatus, kapp), Config
 * Connector's Ready condition, KubeRay's conditions. */
#ifndef RD_K8S_VERDICT_H
#define RD_K8S_VERDICT_H

#include "base/json.h"

#define K8S_STATUSES(X)                                                                            \
    X(K8S_CURRENT, "Current")                                                                      \
    X(K8S_IN_PROGRESS, "InProgress")                                                               \
    X(K8S_FAILED, "Failed")                                                                        \
    X(K8S_TERMINATING, "Terminating")                                                              \
    X(K8S_UNKNOWN, "Unknown")

enum k8s_status {
#define X(name, text) name,
    K8S_STATUSES(X)
#undef X
        K8S_STATUS_MAX
};

struct k8s_verdict {
    enum k8s_status status;
    char *reason;  /* owned; one CamelCase word where the object gives one, else NULL */
    char *message; /* owned; for people, one line; never NULL */
    /* A Failed that may heal by itself (the controller retries, a pull is retried): final only after
     * it stood unchanged for grace_ms. 0 with Failed: final at once. */
    uint64_t grace_ms;
    enum rd_err_kind kind; /* with Failed: what it costs (permission 3, quota 1, ...) */
};

/* now_wall_ms judges ages (Unschedulable younger than 15 s). Never fails: garbage is Unknown. */
void k8s_judge(const json_t *object, int64_t now_wall_ms, struct k8s_verdict *ret);
void k8s_verdict_clear(struct k8s_verdict *v);
const char *k8s_status_name(enum k8s_status s);
/* Whether a rule exists for this apiVersion and kind. */
bool k8s_kind_has_rule(const char *api_version, const char *kind);

/* What a pod complains about (reference 6.4): scans init containers, containers, conditions. Failed
 * with grace, or InProgress with the reason it waits for. */
void k8s_judge_pod_complaint(const json_t *pod, int64_t now_wall_ms, struct k8s_verdict *ret);
/* A Warning event that dooms its object (FailedCreate with quota text, InvalidRayClusterSpec, ...):
 * true and a verdict, or false. */
bool k8s_judge_event(const json_t *event, struct k8s_verdict *ret);

#endif
