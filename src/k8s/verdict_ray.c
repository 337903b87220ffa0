/* KubeRay's kinds (reference kuberay 3). observedGeneration is shown, never a gate for a
 * RayCluster: KubeRay skips status writes that would change nothing else, and its autoscaler moves
 * the generation. */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "k8s/verdict_rule.h"

static void show_generation(const json_t *o, struct k8s_verdict *v)
{
    json_int_t generation = rd_json_path_int(o, "metadata.generation", -1);
    json_int_t observed = rd_json_path_int(o, "status.observedGeneration", -1);
    if (generation < 0 || observed < 0 || observed == generation)
        return;
    RD_AUTOFREE char *text = rd_asprintf("status written for generation %lld, now %lld",
                                         (long long)observed, (long long)generation);
    k8s_say_also(v, text);
}

/* Pods that the groups must have: the autoscaler's floor, or every replica without one. Replicas
 * are clamped as KubeRay does it. A saved object may have lost its spec; then the status has to do.
 */
static json_int_t workers_wanted(const json_t *o, bool autoscaling)
{
    const json_t *groups = rd_json_path(o, "spec.workerGroupSpecs");
    if (groups == NULL)
        return rd_json_path_int(
            o, autoscaling ? "status.minWorkerReplicas" : "status.desiredWorkerReplicas", 0);
    json_int_t sum = 0;
    size_t i;
    json_t *group;
    json_array_foreach (groups, i, group) {
        if (rd_json_path_bool(group, "suspend", false))
            continue;
        json_int_t least = rd_json_path_int(group, "minReplicas", 0);
        json_int_t most = rd_json_path_int(group, "maxReplicas", INT32_MAX);
        json_int_t n = rd_json_path_int(group, "replicas", least);
        json_int_t hosts = rd_json_path_int(group, "numOfHosts", 1);
        if (autoscaling || n < least)
            n = least;
        else if (n > most)
            n = most;
        /* Garbage must not overflow. */
        if (n > 0 && n <= INT32_MAX && hosts > 0 && hosts <= INT32_MAX && sum <= INT32_MAX)
            sum += n * hosts;
    }
    return sum;
}

static void judge_workers(const json_t *o, struct k8s_verdict *v)
{
    bool autoscaling = rd_json_path_bool(o, "spec.enableInTreeAutoscaling", false);
    json_int_t wanted = workers_wanted(o, autoscaling);
    json_int_t ready = rd_json_path_int(o, "status.readyWorkerReplicas", 0);
    const char *state = rd_json_path_str(o, "status.state");
    RD_AUTOFREE char *counts =
        autoscaling ? rd_asprintf("%lld worker%s ready (at least %lld wanted)", (long long)ready,
                                  ready == 1 ? "" : "s", (long long)wanted)
                    : rd_asprintf("%lld of %lld worker%s ready", (long long)ready,
                                  (long long)wanted, wanted == 1 ? "" : "s");
    bool enough = autoscaling ? ready >= wanted : ready == wanted;
    if (!enough)
        k8s_say(v, K8S_IN_PROGRESS, "WorkersNotReady", "head ready, %s", counts);
    else if (!rd_streq(state, "ready"))
        k8s_say(v, K8S_IN_PROGRESS, "StateNotReady",
                "head ready, %s, but KubeRay has not called the cluster ready (state \"%s\")",
                counts, state != NULL ? state : "");
    else if (k8s_condition_is(o, "RayClusterProvisioned", "False"))
        k8s_say(v, K8S_IN_PROGRESS, k8s_condition_reason(o, "RayClusterProvisioned"), "%s, %s",
                k8s_condition_text(o, "RayClusterProvisioned", "not provisioned"), counts);
    else
        k8s_say(v, K8S_CURRENT, NULL, "head ready, %s", counts);
}

/* KubeRay puts the pod's own general words before what its container says. */
static const char *head_text(const json_t *o)
{
    const char *text = k8s_condition_text(o, "HeadPodReady", NULL);
    if (text == NULL || !rd_starts_with(text, "containers with unready status: "))
        return text;
    const char *more = strstr(text, "]; ");
    return more != NULL && more[3] != '\0' ? more + 3 : text;
}

static void judge_head(const json_t *o, struct k8s_verdict *v)
{
    const char *reason = k8s_condition_reason(o, "HeadPodReady");
    const char *text = head_text(o);
    if (text == NULL) {
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "KubeRay has not reported on the head pod yet");
        return;
    }
    if (rd_streq(reason, "OOMKilled")) {
        /* The head comes back with the same limit, without the state of the cluster. */
        k8s_say(v, K8S_FAILED, reason, "OOMKilled: head pod: %s", text);
        k8s_limit(v, 30 * K8S_SECOND_MS, RD_ERR_FAILED);
    } else if (!k8s_say_waiting(v, "head pod", reason, text, 0)) {
        bool more = reason != NULL && !rd_streq(reason, text);
        k8s_say(v, K8S_IN_PROGRESS, reason, "head pod not ready: %s%s%s", more ? reason : "",
                more ? ": " : "", text);
    }
}

/* Creating or deleting a pod was refused; KubeRay tries again every 2 s. */
static void say_replica_failure(const json_t *o, struct k8s_verdict *v)
{
    const char *reason = k8s_condition_reason(o, "ReplicaFailure");
    const char *text = k8s_condition_text(o, "ReplicaFailure", "no message");
    k8s_say_reason(v, K8S_FAILED, reason != NULL ? reason : "ReplicaFailure", text);
    enum rd_err_kind kind;
    bool refused = k8s_text_is_refusal(text, &kind);
    k8s_limit(v, refused ? 10 * K8S_SECOND_MS : 90 * K8S_SECOND_MS, kind);
}

void k8s_rule_raycluster(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    bool suspend = rd_json_path_bool(o, "spec.suspend", false);
    const char *state = rd_json_path_str(o, "status.state");
    if (!k8s_has_status(o))
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "KubeRay has not looked at it yet");
    else if (k8s_condition_is(o, "ReplicaFailure", "True"))
        say_replica_failure(o, v);
    else if (suspend && k8s_condition_is(o, "RayClusterSuspended", "True"))
        k8s_say(v, K8S_CURRENT, "Suspended", "suspended, as its spec asks");
    else if (suspend || k8s_condition_is(o, "RayClusterSuspending", "True"))
        k8s_say(v, K8S_IN_PROGRESS, "Suspending", "being suspended");
    else if (k8s_condition_is(o, "RayClusterSuspended", "True") || rd_streq(state, "suspended"))
        k8s_say(v, K8S_IN_PROGRESS, "Suspended", "suspended, waits for KubeRay to resume it");
    else if (!k8s_condition_is(o, "HeadPodReady", "True"))
        judge_head(o, v);
    else
        judge_workers(o, v);
    show_generation(o, v);
}

void k8s_rule_rayjob(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const char *phase = rd_json_path_str(o, "status.jobDeploymentStatus");
    const char *job = rd_json_path_str(o, "status.jobStatus");
    const char *reason = rd_json_path_str(o, "status.reason");
    const char *text = rd_json_path_str(o, "status.message");
    const char *cluster = rd_json_path_str(o, "status.rayClusterName");
    if (reason == NULL || *reason == '\0')
        reason = phase;
    if (text == NULL || *text == '\0')
        text = "no message";
    if (cluster == NULL || *cluster == '\0')
        cluster = "(not named yet)";

    if (phase == NULL || *phase == '\0') {
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "KubeRay has not looked at it yet");
    } else if (rd_streq(phase, "Failed")) {
        k8s_say_reason(v, K8S_FAILED, reason, text);
        k8s_limit(v, 0, rd_streq(reason, "AppFailed") ? RD_ERR_JOB : RD_ERR_FAILED);
    } else if (rd_streq(phase, "ValidationFailed")) {
        /* It stands until KubeRay has read a corrected spec. */
        k8s_say_reason(v, K8S_FAILED, reason, text);
        k8s_limit(v, 15 * K8S_SECOND_MS, RD_ERR_FAILED);
    } else if (rd_streq(phase, "Complete") && rd_streq(job, "STOPPED")) {
        k8s_say(v, K8S_FAILED, "Stopped", "the job was stopped before its end: %s", text);
        k8s_limit(v, 0, RD_ERR_JOB);
    } else if (rd_streq(phase, "Complete")) {
        k8s_say(v, K8S_CURRENT, NULL, "complete: job %s", job != NULL ? job : "SUCCEEDED");
    } else if (rd_streq(phase, "Suspended") && rd_json_path_bool(o, "spec.suspend", false)) {
        k8s_say(v, K8S_CURRENT, "Suspended", "suspended, as its spec asks");
    } else if (rd_streq(phase, "Running") && rd_streq(job, "FAILED")) {
        /* Its submitter still has to end; then it is Failed, or tried again. */
        k8s_say(v, K8S_IN_PROGRESS, "JobFailed", "the job failed on cluster %s: %s", cluster, text);
    } else if (rd_streq(phase, "Running")) {
        k8s_say(v, K8S_CURRENT, NULL, "running on cluster %s, job %s", cluster,
                job != NULL && *job != '\0' ? job : "not submitted yet");
    } else if (rd_streq(phase, "Initializing")) {
        k8s_say(v, K8S_IN_PROGRESS, phase, "waits for cluster %s to be ready", cluster);
    } else if (rd_streq(phase, "Waiting")) {
        k8s_say(v, K8S_IN_PROGRESS, phase, "waits for somebody to submit the job to cluster %s",
                cluster);
    } else if (rd_streq(phase, "Retrying")) {
        k8s_say(v, K8S_IN_PROGRESS, phase, "tried again after %lld failure%s: %s",
                (long long)rd_json_path_int(o, "status.failed", 0),
                rd_json_path_int(o, "status.failed", 0) == 1 ? "" : "s", text);
    } else if (rd_streq(phase, "Suspending")) {
        k8s_say(v, K8S_IN_PROGRESS, phase, "being suspended");
    } else if (rd_streq(phase, "Suspended")) {
        k8s_say(v, K8S_IN_PROGRESS, phase, "suspended, waits for KubeRay to resume it");
    } else {
        k8s_say(v, K8S_IN_PROGRESS, phase, "%s", phase);
    }
}

/* The first Serve application that is not running; NULL: all are. */
static const char *serve_trouble(const json_t *o, const char **ret_name, const char **ret_text)
{
    const char *name;
    json_t *app;
    json_t *apps = rd_json_path(o, "status.activeServiceStatus.applicationStatuses");
    json_object_foreach (apps, name, app) {
        const char *status = rd_json_str(app, "status", NULL);
        if (status == NULL || *status == '\0' || rd_streq(status, "RUNNING"))
            continue;
        *ret_name = name;
        *ret_text = rd_json_str(app, "message", NULL);
        return status;
    }
    return NULL;
}

static void judge_serving(const json_t *o, struct k8s_verdict *v)
{
    const char *name = NULL, *text = NULL;
    const char *trouble = serve_trouble(o, &name, &text);
    json_int_t generation = rd_json_path_int(o, "metadata.generation", -1);
    json_int_t observed = rd_json_path_int(o, "status.observedGeneration", -1);
    if (observed >= 0 && generation >= 0 && observed != generation) {
        /* With Ready true KubeRay does write the number: it is part of the condition. */
        k8s_say(v, K8S_IN_PROGRESS, "GenerationNotObserved",
                "KubeRay has seen generation %lld, the object is at %lld", (long long)observed,
                (long long)generation);
    } else if (k8s_condition_is(o, "UpgradeInProgress", "True") ||
               k8s_condition_is(o, "RollbackInProgress", "True")) {
        const char *which = k8s_condition_is(o, "RollbackInProgress", "True") ? "RollbackInProgress"
                                                                              : "UpgradeInProgress";
        k8s_say(v, K8S_IN_PROGRESS, which, "serving, and moving to another cluster: %s",
                k8s_condition_text(o, which, which));
    } else if (trouble != NULL) {
        bool failed = rd_streq(trouble, "DEPLOY_FAILED") || rd_streq(trouble, "UNHEALTHY");
        k8s_say(v, failed ? K8S_FAILED : K8S_IN_PROGRESS, trouble, "Serve application %s is %s%s%s",
                name, trouble, text != NULL && *text != '\0' ? ": " : "", text != NULL ? text : "");
        if (failed)
            k8s_limit(v, K8S_MINUTE_MS, RD_ERR_FAILED);
    } else {
        k8s_say(v, K8S_CURRENT, NULL, "serving from %lld endpoint%s of cluster %s",
                (long long)rd_json_path_int(o, "status.numServeEndpoints", 0),
                rd_json_path_int(o, "status.numServeEndpoints", 0) == 1 ? "" : "s",
                rd_json_path_str(o, "status.activeServiceStatus.rayClusterName") != NULL
                    ? rd_json_path_str(o, "status.activeServiceStatus.rayClusterName")
                    : "(unnamed)");
    }
}

void k8s_rule_rayservice(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const char *reason = k8s_condition_reason(o, "Ready");
    const char *text = k8s_condition_text(o, "Ready", "not ready");
    if (rd_json_condition(o, "Ready") == NULL) {
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "KubeRay has not looked at it yet");
    } else if (k8s_condition_is(o, "Ready", "True")) {
        judge_serving(o, v);
    } else if (rd_streq(reason, "ValidationFailed")) {
        /* It stands until KubeRay has read a corrected spec. */
        k8s_say_reason(v, K8S_FAILED, reason, text);
        k8s_limit(v, 15 * K8S_SECOND_MS, RD_ERR_FAILED);
    } else if (rd_streq(reason, "InitializingTimeout")) {
        k8s_say_reason(v, K8S_FAILED, reason, text);
    } else {
        const char *name = NULL, *said = NULL;
        const char *trouble = serve_trouble(o, &name, &said);
        k8s_say(v, K8S_IN_PROGRESS, reason, "not ready: %s", text);
        if (trouble != NULL) {
            RD_AUTOFREE char *more =
                rd_asprintf("Serve application %s is %s%s%s", name, trouble,
                            said != NULL && *said != '\0' ? ": " : "", said != NULL ? said : "");
            k8s_say_also(v, more);
        }
    }
}

void k8s_rule_raycronjob(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    k8s_rule_cronjob(o, now_wall_ms, v);
}
