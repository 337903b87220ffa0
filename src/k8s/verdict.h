/* Is this object ready? One pure rule per kind: deletion, then generation, then the kind's own
 * rule. A kind with no rule is Unknown, never Current. Used by waits, by steps and by `explain`.
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
    char *message; /* owned; for people, one line, at most K8S_MESSAGE_MAX bytes; never NULL. Remote
                    * text: a sink still escapes control bytes */
    /* Failed: may heal by itself (the controller retries, a pull is repeated), so it is final only
     * after it stood for grace_ms; 0: final at once. InProgress: 0 is ordinary waiting; more means
     * that whoever waits gives up after it stood for so long (a reference that names nothing). */
    uint64_t grace_ms;
    enum rd_err_kind kind; /* what it costs when it becomes final (permission 3, quota 1, ...) */
};

#define K8S_MESSAGE_MAX 1024

/* now_wall_ms judges ages (Unschedulable younger than 15 s). Never fails: garbage is Unknown. The
 * object needs its apiVersion and kind, which the items of a list from a server do not carry. *ret
 * need not be initialised. */
void k8s_judge(const json_t *object, int64_t now_wall_ms, struct k8s_verdict *ret);
void k8s_verdict_clear(struct k8s_verdict *v);
const char *k8s_status_name(enum k8s_status s);
/* Whether a rule exists for this apiVersion and kind. */
bool k8s_kind_has_rule(const char *api_version, const char *kind);

/* What a pod complains about (reference 6.4): scans init containers, containers, conditions. Failed
 * with grace, or InProgress with the reason it waits for; Current when it has nothing to complain
 * of. Needs no apiVersion and kind. Reason Unschedulable: a caller that knows of a node autoscaler
 * at work waits on until the event NotTriggerScaleUp. */
void k8s_judge_pod_complaint(const json_t *pod, int64_t now_wall_ms, struct k8s_verdict *ret);
/* An event (core v1 or events.k8s.io/v1). True and Failed: it dooms its object (FailedCreate with
 * quota text, InvalidRayClusterSpec, ...). True and InProgress: worth showing while waiting
 * (FailedMount, ProvisioningFailed, ...), never a failure by itself. False: says nothing; *ret is
 * cleared. Events live for an hour, also after their cause has gone: whoever asks leaves out those
 * older than what he waits for. */
bool k8s_judge_event(const json_t *event, struct k8s_verdict *ret);

/* How long one trouble has stood, over a series of verdicts on one object. Controllers that retry
 * flip between the trouble and "working on it" (ErrImagePull and ImagePullBackOff, UpdateFailed and
 * Updating), so a short good spell does not start the clock again. Zeroed memory is a fresh one. */
struct k8s_patience {
    char *cause;       /* owned; NULL: no trouble seen */
    uint64_t since_ms; /* boot clock: the cause was first seen */
    uint64_t quiet_ms; /* the good spell began; 0: none since the cause was last seen */
};
/* Notes the verdict; true when it is final: its grace has passed. */
bool k8s_patience_over(struct k8s_patience *p, const struct k8s_verdict *v, uint64_t now_boot_ms);
/* The trouble still stands: seen last, or so lately that the good spell since may be one more try. */
bool k8s_patience_stands(const struct k8s_patience *p, uint64_t now_boot_ms);
/* When to ask again without news: RD_NEVER, or the boot time the last verdict becomes final. */
uint64_t k8s_patience_wake_ms(const struct k8s_patience *p, const struct k8s_verdict *v);
void k8s_patience_clear(struct k8s_patience *p);

#endif
