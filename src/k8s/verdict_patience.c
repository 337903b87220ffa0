/* How long one trouble has stood (see verdict.h). */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "k8s/verdict_rule.h"

/* A trouble that was away for longer is a new one; one that is not spoken of still stands, because
 * watches are silent while nothing changes. Config Connector retries at most every 120 s,
 * the kubelet's back-off reaches 300 s, but is final long before. */
#define FORGET_MS (150 * K8S_SECOND_MS)

/* Reasons that are one trouble in turns, with messages that count up. */
static const char *const families[][8] = {
    {"image", "ErrImagePull", "ImagePullBackOff", NULL},
    {"crash", "CrashLoopBackOff", "Error", "OOMKilled", "ContainerCannotRun", "StartError", NULL},
    {"schedule", "Unschedulable", NULL},
    {"create", "FailedCreate", "FailedToCreateHeadPod", "FailedToCreateWorkerPod",
     "FailedCreateHeadPod", "FailedCreateWorkerPod", NULL},
};

static char *cause_of(const struct k8s_verdict *v)
{
    const char *reason = v->reason != NULL ? v->reason : "";
    for (size_t f = 0; f < RD_ARRAY_LEN(families); f++) {
        for (const char *const *r = families[f] + 1; *r != NULL; r++) {
            if (strcmp(*r, reason) == 0)
                return rd_strdup(families[f][0]);
        }
    }
    return rd_asprintf("%s: %s", reason, v->message);
}

static bool has_limit(const struct k8s_verdict *v)
{
    return v->status == K8S_FAILED || (v->status == K8S_IN_PROGRESS && v->grace_ms > 0);
}

bool k8s_patience_over(struct k8s_patience *p, const struct k8s_verdict *v, uint64_t now_boot_ms)
{
    if (v->status == K8S_CURRENT || v->status == K8S_TERMINATING)
        k8s_patience_clear(p);
    if (!has_limit(v)) {
        if (p->cause != NULL && p->quiet_ms == 0)
            p->quiet_ms = now_boot_ms;
        return false;
    }
    char *cause = cause_of(v);
    bool same = rd_streq(cause, p->cause) && k8s_patience_stands(p, now_boot_ms);
    if (!same)
        p->since_ms = now_boot_ms;
    rd_str_take(&p->cause, cause);
    p->quiet_ms = 0;
    return now_boot_ms - p->since_ms >= v->grace_ms;
}

bool k8s_patience_stands(const struct k8s_patience *p, uint64_t now_boot_ms)
{
    return p->cause != NULL && (p->quiet_ms == 0 || now_boot_ms - p->quiet_ms <= FORGET_MS);
}

uint64_t k8s_patience_wake_ms(const struct k8s_patience *p, const struct k8s_verdict *v)
{
    return p->cause != NULL && has_limit(v) ? p->since_ms + v->grace_ms : RD_NEVER;
}

void k8s_patience_clear(struct k8s_patience *p)
{
    rd_freep(&p->cause);
    *p = (struct k8s_patience){0};
}
