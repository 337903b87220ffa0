/* Workload controllers: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob (reference
 * kubernetes-client 6.2; the first failing line decides). */
#include "base/alloc.h"
#include "base/text.h"
#include "k8s/verdict_rule.h"

/* A day that never comes: the Deployment controller reads it as "no deadline". */
#define NO_DEADLINE 2147483647

static bool say_unseen(const json_t *object, struct k8s_verdict *v)
{
    if (k8s_has_status(object))
        return false;
    k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "no controller has looked at it yet");
    return true;
}

/* "2 of 3 replicas WORD". */
static void say_counts(struct k8s_verdict *v, enum k8s_status s, const char *reason,
                       json_int_t have, json_int_t want, const char *noun, const char *word)
{
    k8s_say(v, s, reason, "%lld of %lld %s%s %s", (long long)have, (long long)want, noun,
            want == 1 ? "" : "s", word);
}

/* The API server's own words on why pods are missing; a quota rarely grows while one waits. */
static void add_replica_failure(const json_t *object, struct k8s_verdict *v)
{
    if (!k8s_condition_is(object, "ReplicaFailure", "True"))
        return;
    const char *text = k8s_condition_text(object, "ReplicaFailure", "ReplicaFailure");
    const char *reason = k8s_condition_reason(object, "ReplicaFailure");
    enum rd_err_kind kind;
    bool refused = k8s_text_is_refusal(text, &kind);
    rd_str_dup(&v->reason, reason != NULL ? reason : "ReplicaFailure");
    k8s_say_also(v, text);
    if (refused)
        k8s_limit(v, K8S_MINUTE_MS, kind);
}

static void judge_deployment(const json_t *o, struct k8s_verdict *v)
{
    json_int_t want = rd_json_path_int(o, "spec.replicas", 1);
    json_int_t total = rd_json_path_int(o, "status.replicas", 0);
    json_int_t updated = rd_json_path_int(o, "status.updatedReplicas", 0);
    json_int_t ready = rd_json_path_int(o, "status.readyReplicas", 0);
    json_int_t available = rd_json_path_int(o, "status.availableReplicas", 0);
    json_int_t deadline = rd_json_path_int(o, "spec.progressDeadlineSeconds", NO_DEADLINE);

    if (want > total)
        say_counts(v, K8S_IN_PROGRESS, "LessReplicas", total, want, "replica", "created");
    else if (want > updated)
        say_counts(v, K8S_IN_PROGRESS, "LessUpdated", updated, want, "replica", "updated");
    else if (total > want)
        k8s_say(v, K8S_IN_PROGRESS, "ExtraPods", "%lld old replica%s still to go",
                (long long)(total - want), total - want == 1 ? "" : "s");
    else if (updated > available)
        say_counts(v, K8S_IN_PROGRESS, "LessAvailable", available, updated, "replica", "available");
    else if (want > ready)
        say_counts(v, K8S_IN_PROGRESS, "LessReady", ready, want, "replica", "ready");
    else if (deadline < NO_DEADLINE &&
             !(k8s_condition_is(o, "Progressing", "True") &&
               rd_streq(k8s_condition_reason(o, "Progressing"), "NewReplicaSetAvailable")))
        k8s_say(v, K8S_IN_PROGRESS, k8s_condition_reason(o, "Progressing"),
                "its rollout is not finished: %s",
                k8s_condition_text(o, "Progressing", "no condition Progressing yet"));
    else if (!k8s_condition_is(o, "Available", "True"))
        k8s_say(v, K8S_IN_PROGRESS, k8s_condition_reason(o, "Available"), "not available: %s",
                k8s_condition_text(o, "Available", "no condition Available yet"));
    else
        say_counts(v, K8S_CURRENT, NULL, available, want, "replica", "available");
}

void k8s_rule_deployment(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    if (say_unseen(o, v))
        return;
    if (rd_streq(k8s_condition_reason(o, "Progressing"), "ProgressDeadlineExceeded")) {
        k8s_say(v, K8S_FAILED, "ProgressDeadlineExceeded",
                "%s (%lld of %lld updated, %lld available)",
                k8s_condition_text(o, "Progressing", "progress deadline exceeded"),
                (long long)rd_json_path_int(o, "status.updatedReplicas", 0),
                (long long)rd_json_path_int(o, "spec.replicas", 1),
                (long long)rd_json_path_int(o, "status.availableReplicas", 0));
        if (k8s_condition_is(o, "ReplicaFailure", "True"))
            k8s_say_also(v, k8s_condition_text(o, "ReplicaFailure", NULL));
        return;
    }
    judge_deployment(o, v);
    if (v->status == K8S_IN_PROGRESS)
        add_replica_failure(o, v);
}

void k8s_rule_statefulset(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    if (say_unseen(o, v))
        return;
    json_int_t want = rd_json_path_int(o, "spec.replicas", 1);
    json_int_t total = rd_json_path_int(o, "status.replicas", 0);
    json_int_t ready = rd_json_path_int(o, "status.readyReplicas", 0);
    json_int_t current = rd_json_path_int(o, "status.currentReplicas", 0);
    json_int_t updated = rd_json_path_int(o, "status.updatedReplicas", 0);
    json_int_t partition = rd_json_path_int(o, "spec.updateStrategy.rollingUpdate.partition", -1);
    const char *now_at = rd_json_path_str(o, "status.currentRevision");
    const char *goes_to = rd_json_path_str(o, "status.updateRevision");

    if (rd_streq(rd_json_path_str(o, "spec.updateStrategy.type"), "OnDelete"))
        k8s_say(v, K8S_CURRENT, NULL,
                "%lld of %lld replicas ready; updates wait for pods to be "
                "deleted by hand (OnDelete)",
                (long long)ready, (long long)want);
    else if (want > total)
        say_counts(v, K8S_IN_PROGRESS, "LessReplicas", total, want, "replica", "created");
    else if (want > ready)
        say_counts(v, K8S_IN_PROGRESS, "LessReady", ready, want, "replica", "ready");
    else if (total > want)
        k8s_say(v, K8S_IN_PROGRESS, "ExtraPods", "%lld replica%s still to go",
                (long long)(total - want), total - want == 1 ? "" : "s");
    else if (partition > 0 && updated < want - partition)
        say_counts(v, K8S_IN_PROGRESS, "PartitionRollout", updated, want - partition, "replica",
                   "above the partition updated");
    else if (partition > 0)
        k8s_say(v, K8S_CURRENT, NULL, "%lld of %lld replicas ready; updated above partition %lld",
                (long long)ready, (long long)want, (long long)partition);
    else if (partition == 0 && updated >= want)
        /* 0 is what the API server fills in: no partition, and the updated count is kept. */
        say_counts(v, K8S_CURRENT, NULL, ready, want, "replica", "ready");
    else if (!rd_streq(now_at, goes_to))
        k8s_say(v, K8S_IN_PROGRESS, "RevisionMismatch",
                "rolling from revision %s to %s, %lld of %lld replicas updated",
                now_at != NULL ? now_at : "none", goes_to != NULL ? goes_to : "none",
                (long long)updated, (long long)want);
    else if (partition == 0)
        say_counts(v, K8S_IN_PROGRESS, "LessUpdated", updated, want, "replica", "updated");
    else if (want > current)
        say_counts(v, K8S_IN_PROGRESS, "LessCurrent", current, want, "replica",
                   "at the current revision");
    else
        say_counts(v, K8S_CURRENT, NULL, ready, want, "replica", "ready");
}

void k8s_rule_daemonset(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    if (say_unseen(o, v))
        return;
    json_int_t want = rd_json_path_int(o, "status.desiredNumberScheduled", -1);
    json_int_t current = rd_json_path_int(o, "status.currentNumberScheduled", 0);
    json_int_t updated = rd_json_path_int(o, "status.updatedNumberScheduled", 0);
    json_int_t available = rd_json_path_int(o, "status.numberAvailable", 0);
    json_int_t ready = rd_json_path_int(o, "status.numberReady", 0);

    /* With 0 nodes and 0 pods every count agrees, so only these tell that a controller was here. */
    if (rd_json_path_int(o, "metadata.generation", -1) < 0 ||
        rd_json_path_int(o, "status.observedGeneration", -1) < 0 || want < 0)
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "its controller has not counted nodes yet");
    else if (want > current)
        say_counts(v, K8S_IN_PROGRESS, "LessCurrent", current, want, "pod", "created");
    else if (want > updated)
        say_counts(v, K8S_IN_PROGRESS, "LessUpdated", updated, want, "pod", "updated");
    else if (want > available)
        say_counts(v, K8S_IN_PROGRESS, "LessAvailable", available, want, "pod", "available");
    else if (want > ready)
        say_counts(v, K8S_IN_PROGRESS, "LessReady", ready, want, "pod", "ready");
    else if (want == 0)
        k8s_say(v, K8S_CURRENT, NULL, "no node wants a pod of it");
    else
        say_counts(v, K8S_CURRENT, NULL, available, want, "pod", "available");
}

void k8s_rule_replicaset(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    if (say_unseen(o, v))
        return;
    json_int_t want = rd_json_path_int(o, "spec.replicas", 1);
    json_int_t total = rd_json_path_int(o, "status.replicas", 0);
    json_int_t labeled = rd_json_path_int(o, "status.fullyLabeledReplicas", 0);
    json_int_t available = rd_json_path_int(o, "status.availableReplicas", 0);
    json_int_t ready = rd_json_path_int(o, "status.readyReplicas", 0);

    if (k8s_condition_is(o, "ReplicaFailure", "True"))
        say_counts(v, K8S_IN_PROGRESS, "ReplicaFailure", available, want, "replica", "available");
    else if (want > labeled)
        say_counts(v, K8S_IN_PROGRESS, "LessLabelled", labeled, want, "replica",
                   "created with all labels");
    else if (want > available)
        say_counts(v, K8S_IN_PROGRESS, "LessAvailable", available, want, "replica", "available");
    else if (want > ready)
        say_counts(v, K8S_IN_PROGRESS, "LessReady", ready, want, "replica", "ready");
    else if (total > want)
        k8s_say(v, K8S_IN_PROGRESS, "ExtraPods", "%lld replica%s still to go",
                (long long)(total - want), total - want == 1 ? "" : "s");
    else
        say_counts(v, K8S_CURRENT, NULL, available, want, "replica", "available");
    if (v->status == K8S_IN_PROGRESS)
        add_replica_failure(o, v);
}

void k8s_rule_job(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    json_int_t want =
        rd_json_path_int(o, "spec.completions", rd_json_path_int(o, "spec.parallelism", 1));
    json_int_t succeeded = rd_json_path_int(o, "status.succeeded", 0);
    json_int_t failed = rd_json_path_int(o, "status.failed", 0);
    json_int_t active = rd_json_path_int(o, "status.active", 0);
    /* FailureTarget stands while the last pods of a failed Job are being ended. */
    const char *lost = k8s_condition_is(o, "Failed", "True")          ? "Failed"
                       : k8s_condition_is(o, "FailureTarget", "True") ? "FailureTarget"
                                                                      : NULL;
    if (k8s_condition_is(o, "Complete", "True")) {
        say_counts(v, K8S_CURRENT, NULL, succeeded, want, "completion", "done");
    } else if (lost != NULL) {
        k8s_say(v, K8S_FAILED, k8s_condition_reason(o, lost), "%s: %s (%lld failed pod%s)",
                k8s_condition_reason(o, lost) != NULL ? k8s_condition_reason(o, lost) : "failed",
                k8s_condition_text(o, lost, "no message"), (long long)failed,
                failed == 1 ? "" : "s");
    } else if (k8s_condition_is(o, "Suspended", "True") &&
               rd_json_path_bool(o, "spec.suspend", false)) {
        k8s_say(v, K8S_CURRENT, "Suspended", "suspended, as its spec asks");
    } else if (rd_json_path_str(o, "status.startTime") == NULL) {
        k8s_say(v, K8S_IN_PROGRESS, "NotStarted", "not started yet");
    } else {
        k8s_say(v, K8S_IN_PROGRESS, "Running",
                "%lld of %lld completions done, %lld pod%s active, %lld failed",
                (long long)succeeded, (long long)want, (long long)active, active == 1 ? "" : "s",
                (long long)failed);
    }
}

void k8s_rule_cronjob(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const char *schedule = rd_json_path_str(o, "spec.schedule");
    const char *last = rd_json_path_str(o, "status.lastScheduleTime");
    if (rd_json_path_bool(o, "spec.suspend", false))
        k8s_say(v, K8S_CURRENT, "Suspended", "suspended, as its spec asks");
    else
        k8s_say(v, K8S_CURRENT, NULL, "schedule \"%s\", last started %s",
                schedule != NULL ? schedule : "", last != NULL ? last : "never");
}
