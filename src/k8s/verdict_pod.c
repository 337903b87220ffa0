/* Pods: what they wait for and what dooms them (reference kubernetes-client 6.2 and 6.4). */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "k8s/verdict_rule.h"

#define UNSCHEDULED_MS (15 * K8S_SECOND_MS)

static const char *const pull_later[] = {
    "toomanyrequests", "too many requests", "rate limit",        "timeout",
    "timed out",       "deadline exceeded", "temporary failure", NULL};
static const char *const pull_never[] = {
    "not found", "manifest unknown", "does not exist",        "unauthorized",
    "denied",    "forbidden",        "no match for platform", NULL};

/* Waiting reasons of the kubelet that have a fixed meaning. grace_ms 0: nothing heals it. */
static const struct {
    const char *reason;
    uint64_t grace_ms;
} waiting_table[] = {
    {"ErrImageNeverPull", 0},
    {"InvalidImageName", 0},
    {"ImageInspectError", 0},
    {"SignatureValidationFailed", 0},
    /* The Secret or ConfigMap it names may be in the same apply. */
    {"CreateContainerConfigError", 15 * K8S_SECOND_MS},
    {"CreateContainerError", K8S_MINUTE_MS},
    {"RunContainerError", K8S_MINUTE_MS},
    {"PreStartHookError", K8S_MINUTE_MS},
    {"PostStartHookError", K8S_MINUTE_MS},
    {"PreCreateHookError", K8S_MINUTE_MS},
    {"CreatePodSandboxError", K8S_MINUTE_MS},
};

static void say_pull(struct k8s_verdict *v, const char *who, const char *reason, const char *said)
{
    bool never = k8s_text_has(said, pull_never);
    bool later = !never && k8s_text_has(said, pull_later);
    bool backing_off = rd_streq(reason, "ImagePullBackOff");
    k8s_say(v, never || (backing_off && !later) ? K8S_FAILED : K8S_IN_PROGRESS, reason,
            "%s: %s: %s", reason, who, said);
    if (!later)
        k8s_limit(v, never ? 30 * K8S_SECOND_MS : K8S_MINUTE_MS, RD_ERR_FAILED);
}

bool k8s_say_waiting(struct k8s_verdict *v, const char *who, const char *reason,
                     const char *message, json_int_t restarts)
{
    const char *said = message != NULL && *message != '\0' ? message : "no message";
    if (reason == NULL)
        return false;
    if (rd_streq(reason, "ErrImagePull") || rd_streq(reason, "ImagePullBackOff")) {
        say_pull(v, who, reason, said);
        return true;
    }
    if (rd_streq(reason, "RegistryUnavailable")) {
        k8s_say(v, K8S_IN_PROGRESS, reason, "%s: %s: %s", reason, who, said);
        return true;
    }
    if (rd_streq(reason, "CrashLoopBackOff")) {
        k8s_say(v, K8S_FAILED, reason, "%s: %s: %s", reason, who, said);
        /* One or two crashes are often a start before its neighbour; a third is a habit. */
        k8s_limit(v, restarts >= 3 ? 0 : 30 * K8S_SECOND_MS, RD_ERR_FAILED);
        return true;
    }
    for (size_t i = 0; i < RD_ARRAY_LEN(waiting_table); i++) {
        if (strcmp(waiting_table[i].reason, reason) != 0)
            continue;
        k8s_say(v, K8S_FAILED, reason, "%s: %s: %s", reason, who, said);
        k8s_limit(v, waiting_table[i].grace_ms, RD_ERR_FAILED);
        return true;
    }
    return false;
}

/* "OOMKilled, exit code 137" of a terminated state; owned. */
static char *terminated_text(const json_t *terminated)
{
    const char *reason = rd_json_str(terminated, "reason", NULL);
    const char *message = rd_json_str(terminated, "message", NULL);
    bool more = message != NULL && *message != '\0';
    return rd_asprintf("%s, exit code %lld%s%s", reason != NULL ? reason : "ended",
                       (long long)rd_json_path_int(terminated, "exitCode", 0), more ? ": " : "",
                       more ? message : "");
}

/* Whether this container says something that decides; *v is set then. */
static bool complain_container(const json_t *pod, const json_t *status, bool init,
                               struct k8s_verdict *v)
{
    const char *name = rd_json_str(status, "name", NULL);
    json_int_t restarts = rd_json_path_int(status, "restartCount", 0);
    RD_AUTOFREE char *who =
        rd_asprintf("%scontainer %s", init ? "init " : "", name != NULL ? name : "(unnamed)");
    const json_t *waiting = rd_json_path(status, "state.waiting");
    if (k8s_say_waiting(v, who, rd_json_str(waiting, "reason", NULL),
                        rd_json_str(waiting, "message", NULL), restarts)) {
        const json_t *last = rd_json_path(status, "lastState.terminated");
        if (last != NULL) {
            RD_AUTOFREE char *how = terminated_text(last);
            RD_AUTOFREE char *text = rd_asprintf("last ended with %s", how);
            k8s_say_also(v, text);
        }
        return true;
    }
    const json_t *ended = rd_json_path(status, "state.terminated");
    if (ended == NULL || rd_json_path_int(ended, "exitCode", 0) == 0)
        return false;
    RD_AUTOFREE char *how = terminated_text(ended);
    const char *reason = rd_json_str(ended, "reason", NULL);
    k8s_say(v, K8S_FAILED, reason, "%s: ended with %s (%lld restart%s)", who, how,
            (long long)restarts, restarts == 1 ? "" : "s");
    const char *policy = rd_json_path_str(pod, "spec.restartPolicy");
    bool never = rd_streq(policy, "Never");
    k8s_limit(v, never || restarts >= 3 ? 0 : 30 * K8S_SECOND_MS, RD_ERR_FAILED);
    return true;
}

static bool complain_containers(const json_t *pod, struct k8s_verdict *v)
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
    for (size_t l = 0; l < RD_ARRAY_LEN(lists); l++) {
        size_t i;
        json_t *status;
        json_array_foreach (rd_json_path(pod, lists[l]), i, status) {
            if (complain_container(pod, status, l == 0, v))
                return true;
        }
    }
    return false;
}

static bool complain_scheduling(const json_t *pod, int64_t now_wall_ms, struct k8s_verdict *v)
{
    static const char *const unbound[] = {"unbound immediate PersistentVolumeClaims", NULL};
    const json_t *c = rd_json_condition(pod, "PodScheduled");
    if (!rd_streq(rd_json_str(c, "status", NULL), "False"))
        return false;
    const char *reason = k8s_condition_reason(pod, "PodScheduled");
    const char *text = k8s_condition_text(pod, "PodScheduled", "no message");
    if (rd_streq(reason, "SchedulingGated")) {
        k8s_say(v, K8S_IN_PROGRESS, reason, "held by a scheduling gate: %s", text);
        return true;
    }
    if (!rd_streq(reason, "Unschedulable"))
        return false;
    int64_t age_ms = k8s_age_ms(rd_json_str(c, "lastTransitionTime", NULL), now_wall_ms);
    if (age_ms < 0)
        age_ms = k8s_age_ms(rd_json_path_str(pod, "metadata.creationTimestamp"), now_wall_ms);
    bool young = age_ms >= 0 && (uint64_t)age_ms < UNSCHEDULED_MS;
    if (k8s_text_has(text, unbound)) {
        k8s_say(v, K8S_IN_PROGRESS, reason, "no node for it yet: %s", text);
    } else if (young) {
        /* Nobody may speak of the pod again, so the limit counts from here on. */
        k8s_say(v, K8S_IN_PROGRESS, reason, "no node for it yet: %s", text);
        k8s_limit(v, UNSCHEDULED_MS - (uint64_t)age_ms + K8S_MINUTE_MS, RD_ERR_FAILED);
    } else {
        k8s_say(v, K8S_FAILED, reason, "Unschedulable: no node can take it: %s", text);
        k8s_limit(v, K8S_MINUTE_MS, RD_ERR_FAILED);
    }
    return true;
}

/* Names what a started but unready pod still waits for. */
static void say_not_ready(const json_t *pod, struct k8s_verdict *v)
{
    size_t i, total = 0, ready = 0;
    json_t *status;
    RD_AUTOBUF struct rd_buf late = RD_BUF_INIT(K8S_MESSAGE_MAX);
    json_array_foreach (rd_json_path(pod, "status.initContainerStatuses"), i, status) {
        const char *name = rd_json_str(status, "name", NULL);
        /* Init containers run one after the other, so the first running one is what all wait for
         * (a side container that is started is not waited for). */
        if (rd_json_path(status, "state.running") != NULL &&
            !rd_json_path_bool(status, "ready", false) && name != NULL) {
            k8s_say(v, K8S_IN_PROGRESS, "Initializing", "init container %s is running", name);
            return;
        }
    }
    json_array_foreach (rd_json_path(pod, "status.containerStatuses"), i, status) {
        const char *name = rd_json_str(status, "name", NULL);
        const char *waits = rd_json_path_str(status, "state.waiting.reason");
        const json_t *last = rd_json_path(status, "lastState.terminated");
        total++;
        if (rd_json_path_bool(status, "ready", false)) {
            ready++;
            continue;
        }
        rd_buf_printf(&late, "%s%s", late.len == 0 ? ", waits for " : ", ",
                      name != NULL ? name : "");
        if (waits != NULL)
            rd_buf_printf(&late, " (%s)", waits);
        else if (last != NULL) {
            RD_AUTOFREE char *how = terminated_text(last);
            rd_buf_printf(&late, " (last ended with %s)", how);
        }
    }
    const char *phase = rd_json_path_str(pod, "status.phase");
    if (total > 0)
        k8s_say(v, K8S_IN_PROGRESS, phase, "%zu of %zu container%s ready%s", ready, total,
                total == 1 ? "" : "s", rd_buf_str(&late));
    else if (rd_json_condition(pod, "PodScheduled") == NULL)
        k8s_say(v, K8S_IN_PROGRESS, phase, "%s, not scheduled yet", phase);
    else
        k8s_say(v, K8S_IN_PROGRESS, phase, "%s, its containers have not started", phase);
    /* All containers are ready, so a readiness gate or the node holds it back. */
    if (total > 0 && ready == total)
        k8s_say_also(v, k8s_condition_text(pod, "Ready", "condition Ready is not set"));
}

static bool owner_replaces(const json_t *pod)
{
    size_t i;
    json_t *owner;
    json_array_foreach (rd_json_path(pod, "metadata.ownerReferences"), i, owner) {
        if (rd_json_path_bool(owner, "controller", false))
            return true;
    }
    return false;
}

static void say_phase_failed(const json_t *pod, struct k8s_verdict *v)
{
    static const char *const lost[] = {"Evicted",    "NodeLost",     "Preempting", "NodeShutdown",
                                       "Terminated", "NodeAffinity", "Shutdown",   NULL};
    const char *reason = rd_json_path_str(pod, "status.reason");
    const char *message = rd_json_path_str(pod, "status.message");
    if (reason == NULL && complain_containers(pod, v)) {
        v->grace_ms = 0; /* the phase is the pod's last word */
        return;
    }
    bool told = message != NULL && *message != '\0';
    k8s_say(v, K8S_FAILED, reason, "%s%s%s", reason != NULL ? reason : "phase Failed",
            told ? ": " : "", told ? message : "");
    /* Spot nodes go away every day; what owns the pod makes another one. */
    if (reason != NULL && k8s_text_has(reason, lost) && owner_replaces(pod))
        k8s_limit(v, 5 * K8S_MINUTE_MS, RD_ERR_FAILED);
}

static void say_ready(const json_t *pod, struct k8s_verdict *v)
{
    k8s_say(v, K8S_CURRENT, NULL, "running and ready");
    size_t i;
    json_t *status;
    json_array_foreach (rd_json_path(pod, "status.containerStatuses"), i, status) {
        const json_t *last = rd_json_path(status, "lastState.terminated");
        const char *name = rd_json_str(status, "name", NULL);
        if (last == NULL || name == NULL)
            continue;
        json_int_t restarts = rd_json_path_int(status, "restartCount", 0);
        RD_AUTOFREE char *how = terminated_text(last);
        RD_AUTOFREE char *text =
            rd_asprintf("container %s restarted %lld time%s, last ended with %s", name,
                        (long long)restarts, restarts == 1 ? "" : "s", how);
        k8s_say_also(v, text);
    }
}

void k8s_rule_pod(const json_t *pod, int64_t now_wall_ms, struct k8s_verdict *v)
{
    const char *phase = rd_json_path_str(pod, "status.phase");
    if (phase == NULL || *phase == '\0')
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "no scheduler or kubelet has looked at it yet");
    else if (strcmp(phase, "Succeeded") == 0)
        k8s_say(v, K8S_CURRENT, NULL, "ran to its end");
    else if (strcmp(phase, "Failed") == 0)
        say_phase_failed(pod, v);
    else if (strcmp(phase, "Running") == 0 && k8s_condition_is(pod, "Ready", "True"))
        say_ready(pod, v);
    else if (!complain_scheduling(pod, now_wall_ms, v) && !complain_containers(pod, v))
        say_not_ready(pod, v);
}
