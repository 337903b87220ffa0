#include "phase/steps/ray_ready.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "k8s/verdict.h"

#include <inttypes.h>
#include <string.h>

/* Without a cluster autoscaler nothing will make room; with one, a node takes minutes. */
enum { NO_ROOM_MS = 45 * 1000, NO_ROOM_SCALING_MS = 12 * 60 * 1000, SETTLED_MS = 10 * 1000,
       COMING_BACK_MS = 30 * 1000 };

void ray_reading_clear(struct ray_reading *r)
{
    rd_freep(&r->key);
    rd_freep(&r->message);
    rd_freep(&r->head_pod);
}

static const char *label(const json_t *o, const char *name)
{
    return rd_json_str(o, "metadata", "labels", name, NULL);
}

static const json_t *wanted_container(const json_t *cluster, const json_t *pod)
{
    const json_t *template = NULL;
    if (rd_streq(label(pod, "ray.io/node-type"), "head")) {
        template = rd_json_path(cluster, "spec.headGroupSpec.template");
    } else {
        size_t i;
        const json_t *g;
        json_array_foreach (rd_json_path(cluster, "spec.workerGroupSpecs"), i, g)
            if (rd_streq(rd_json_str(g, "groupName", NULL), label(pod, "ray.io/group")))
                template = json_object_get(g, "template");
    }
    return json_array_get(rd_json_path(template, "spec.containers"), 0);
}

bool ray_pod_is_current(const json_t *cluster, const json_t *pod)
{
    const json_t *want = wanted_container(cluster, pod);
    const json_t *have = json_array_get(rd_json_path(pod, "spec.containers"), 0);
    if (!want)
        return false; /* its group is gone */
    if (!rd_streq(rd_json_str(want, "image", NULL), rd_json_str(have, "image", NULL)))
        return false;
    size_t i, j;
    const json_t *w, *h;
    json_array_foreach (json_object_get(want, "env"), i, w) {
        bool same = false;
        json_array_foreach (json_object_get(have, "env"), j, h)
            if (rd_streq(rd_json_str(h, "name", NULL), rd_json_str(w, "name", NULL)))
                same = rd_streq(rd_json_str(h, "value", NULL), rd_json_str(w, "value", NULL));
        if (!same)
            return false;
    }
    return true;
}

static bool pod_ready(const json_t *pod, int64_t now, bool *ret_settled)
{
    const json_t *c = rd_json_condition(pod, "Ready");
    if (!rd_streq(rd_json_str(c, "status", NULL), "True"))
        return false;
    int64_t since;
    const char *text = rd_json_str(c, "lastTransitionTime", NULL);
    *ret_settled = text && rd_rfc3339_parse(text, &since) && now - since >= SETTLED_MS;
    return true;
}

static void say(struct ray_reading *r, enum ray_answer a, const char *key, char *take)
{
    r->answer = a;
    rd_str_dup(&r->key, key);
    rd_str_take(&r->message, take);
}

/* ---- What dooms it ---- */

static bool event_time(const json_t *e, int64_t *ret)
{
    static const char *const fields[] = {"lastTimestamp", "eventTime", "firstTimestamp"};
    const char *series = rd_json_str(e, "series", "lastObservedTime", NULL);
    if (series && rd_rfc3339_parse(series, ret))
        return true;
    for (size_t i = 0; i < RD_ARRAY_LEN(fields); i++) {
        const char *text = rd_json_str(e, fields[i], NULL);
        if (text && rd_rfc3339_parse(text, ret))
            return true;
    }
    const char *made = rd_json_str(e, "metadata", "creationTimestamp", NULL);
    return made && rd_rfc3339_parse(made, ret);
}

static bool concerns(const json_t *event, const json_t *cluster, const json_t *pods)
{
    const char *uid = rd_json_str(event, "involvedObject", "uid", NULL);
    if (rd_streq(uid, rd_json_str(cluster, "metadata", "uid", NULL)))
        return true;
    const char *title;
    json_t *pod;
    json_object_foreach ((json_t *)pods, title, pod) {
        if (rd_streq(uid, rd_json_str(pod, "metadata", "uid", NULL)))
            return true;
    }
    return false;
}

static bool made_since(const json_t *pod, int64_t at)
{
    const char *text = rd_json_str(pod, "metadata", "creationTimestamp", NULL);
    int64_t made;
    return text && rd_rfc3339_parse(text, &made) && made >= at;
}

/* Volume trouble is only told by events, and only while its pod still waits. An operator that was refused once,
 * and has made a pod since, is refused no more: accounts and roles come before pods. */
static bool event_is_over(const json_t *event, int64_t at, const struct k8s_verdict *v,
                          const json_t *pods, int64_t now)
{
    const char *uid = rd_json_str(event, "involvedObject", "uid", NULL);
    bool refused = v->status == K8S_FAILED && v->kind == RD_ERR_CREDENTIALS;
    const char *title;
    json_t *pod;
    if (refused && rd_streq(rd_json_str(event, "involvedObject", "kind", NULL), "RayCluster")) {
        json_object_foreach ((json_t *)pods, title, pod) {
            if (made_since(pod, at))
                return true;
        }
        return false;
    }
    json_object_foreach ((json_t *)pods, title, pod) {
        bool settled;
        if (rd_streq(uid, rd_json_str(pod, "metadata", "uid", NULL)))
            return pod_ready(pod, now, &settled);
    }
    return false;
}

static bool read_events(const json_t *cluster, const json_t *pods, const json_t *events,
                        int64_t since, int64_t now, struct ray_reading *r)
{
    const char *title;
    json_t *e;
    json_object_foreach ((json_t *)events, title, e) {
        int64_t at;
        struct k8s_verdict v;
        if (!concerns(e, cluster, pods) || !event_time(e, &at) || at < since - 2000 ||
            !k8s_judge_event(e, &v))
            continue;
        if (event_is_over(e, at, &v, pods, now)) {
            k8s_verdict_clear(&v);
            continue;
        }
        RD_AUTOFREE char *key = rd_asprintf("%s/%s", rd_json_str(e, "involvedObject", "kind", NULL),
                                            rd_json_str(e, "involvedObject", "name", NULL));
        bool doomed = v.status == K8S_FAILED;
        r->kind = v.kind;
        r->grace_ms = v.grace_ms;
        /* Trouble that heals (a mount that is tried again) is shown; the limit of the step rules.
         */
        say(r, doomed ? RAY_TROUBLE : RAY_NOT_YET, key, rd_asprintf("%s: %s", key, v.message));
        k8s_verdict_clear(&v);
        if (doomed)
            return true;
    }
    return false;
}

static bool read_replica_failure(const json_t *cluster, struct ray_reading *r)
{
    const json_t *c = rd_json_condition(cluster, "ReplicaFailure");
    if (!rd_streq(rd_json_str(c, "status", NULL), "True"))
        return false;
    const char *message = rd_json_str(c, "message", NULL), *reason = rd_json_str(c, "reason", NULL);
    r->kind = RD_ERR_FAILED;
    /* The operator retries at once; what its words call a refusal will not heal by itself, but for that of an
     * API server that has just come back. */
    bool access = message && strstr(message, "cannot create resource");
    bool refused = message && (strstr(message, "exceeded quota") || strstr(message, "forbidden") ||
                               strstr(message, "denied the request"));
    r->grace_ms = access ? COMING_BACK_MS : refused ? 10 * 1000 : 60 * 1000;
    say(r, RAY_TROUBLE, "ReplicaFailure",
        rd_asprintf("the operator cannot make a pod (%s): %s", reason ? reason : "?",
                    message ? message : "no message"));
    return true;
}

bool ray_pod_ended(const json_t *pod)
{
    const char *phase = rd_json_path_str(pod, "status.phase");
    if (rd_streq(phase, "Failed") || rd_streq(phase, "Succeeded"))
        return true;
    const char *ray =
        rd_json_str(json_array_get(rd_json_path(pod, "spec.containers"), 0), "name", NULL);
    size_t i;
    const json_t *c;
    json_array_foreach (rd_json_path(pod, "status.containerStatuses"), i, c)
        if (rd_streq(rd_json_str(c, "name", NULL), ray) &&
            rd_json_get(c, "state", "terminated", NULL))
            return rd_streq(rd_json_path_str(pod, "spec.restartPolicy"), "Never");
    return false;
}

static bool ended_for_want_of_memory(const json_t *pod)
{
    size_t i;
    const json_t *c;
    json_array_foreach (rd_json_path(pod, "status.containerStatuses"), i, c)
        if (rd_streq(rd_json_str(c, "state", "terminated", "reason", NULL), "OOMKilled"))
            return true;
    return false;
}

static void read_ended(const char *title, const json_t *pod, const struct k8s_verdict *v,
                       unsigned deaths, struct ray_reading *r)
{
    const char *what = v->message ? v->message : "ended";
    /* The same head with the same memory ends the same way again. */
    bool hopeless =
        ended_for_want_of_memory(pod) && rd_streq(label(pod, "ray.io/node-type"), "head");
    if (deaths < RAY_DEATHS_MAX && !hopeless) {
        say(r, RAY_NOT_YET, title,
            rd_asprintf("%s: %s; the operator replaces it (%u of at most %u)", title, what, deaths,
                        RAY_DEATHS_MAX - 1));
        return;
    }
    r->kind = RD_ERR_FAILED;
    say(r, RAY_TROUBLE, title,
        hopeless ? rd_asprintf("%s: %s", title, what)
                 : rd_asprintf("%s: %s; %u pods ended like this", title, what, deaths));
}

static bool read_pod(const json_t *cluster, const char *title, const json_t *pod, unsigned deaths,
                     bool autoscales, int64_t now, struct ray_reading *r)
{
    bool settled;
    if (rd_json_str(pod, "metadata", "deletionTimestamp", NULL)) {
        say(r, RAY_NOT_YET, title, rd_asprintf("%s is ending", title));
        return false;
    }
    if (!ray_pod_is_current(cluster, pod)) {
        say(r, RAY_NOT_YET, title,
            rd_asprintf("%s still runs the old image or environment and is to be replaced", title));
        return false;
    }
    if (pod_ready(pod, now, &settled)) {
        r->ready_pods++;
        r->settled = r->settled && settled;
        return true;
    }
    struct k8s_verdict v;
    k8s_judge_pod_complaint(pod, now, &v);
    const json_t *scheduled = rd_json_condition(pod, "PodScheduled");
    if (rd_streq(rd_json_str(scheduled, "reason", NULL), "Unschedulable")) {
        r->kind = RD_ERR_FAILED;
        r->grace_ms = autoscales ? NO_ROOM_SCALING_MS : NO_ROOM_MS;
        say(r, RAY_TROUBLE, title,
            rd_asprintf("%s finds no room: %s", title, rd_json_str(scheduled, "message", NULL)));
    } else if (ray_pod_ended(pod)) {
        read_ended(title, pod, &v, deaths, r);
    } else if (v.status == K8S_FAILED) {
        r->kind = v.kind;
        r->grace_ms = v.grace_ms;
        say(r, RAY_TROUBLE, title, rd_asprintf("%s: %s", title, v.message));
    } else {
        say(r, RAY_NOT_YET, title,
            rd_asprintf("%s: %s", title, v.message ? v.message : "not ready"));
    }
    k8s_verdict_clear(&v);
    return false;
}

static json_int_t wanted_workers(const json_t *cluster)
{
    json_int_t sum = 0;
    size_t i;
    const json_t *g;
    json_array_foreach (rd_json_path(cluster, "spec.workerGroupSpecs"), i, g) {
        json_int_t replicas = rd_json_path_int(g, "replicas", 0);
        json_int_t min = rd_json_path_int(g, "minReplicas", 0);
        sum += replicas > min ? replicas : min;
    }
    return sum;
}

void ray_read(const json_t *cluster, const json_t *pods, const json_t *events, unsigned deaths,
              bool autoscales, int64_t since_wall_ms, int64_t now, struct ray_reading *r)
{
    *r = (struct ray_reading){.settled = true};
    if (!cluster) {
        say(r, RAY_NOT_YET, "cluster", rd_strdup("the RayCluster is not there"));
        return;
    }
    bool all_ready = true;
    const char *title;
    json_t *pod;
    int heads = 0;
    json_object_foreach ((json_t *)pods, title, pod) {
        r->pods++;
        bool head = rd_streq(label(pod, "ray.io/node-type"), "head");
        heads += head;
        if (head && !r->head_pod)
            r->head_pod = rd_strdup(rd_json_str(pod, "metadata", "name", NULL));
        if (r->answer != RAY_TROUBLE)
            all_ready = read_pod(cluster, title, pod, deaths, autoscales, now, r) && all_ready;
    }
    if (r->answer == RAY_TROUBLE)
        return;
    if (read_events(cluster, pods, events, since_wall_ms, now, r) ||
        read_replica_failure(cluster, r))
        return;
    if (!all_ready)
        return;
    if (heads != 1) {
        say(r, RAY_NOT_YET, "head",
            heads ? rd_strdup("two head pods, one is ending") : rd_strdup("no head pod yet"));
        return;
    }
    const json_t *head_ready = rd_json_condition(cluster, "HeadPodReady");
    if (!rd_streq(rd_json_str(head_ready, "status", NULL), "True")) {
        const char *why = rd_json_str(head_ready, "message", NULL);
        say(r, RAY_NOT_YET, "head",
            rd_asprintf("the operator has not seen the head ready%s%s", why ? ": " : "",
                        why ? why : ""));
        return;
    }
    /* The status leaves out zeros: none wanted is not the same as none counted yet. */
    json_int_t desired =
        rd_json_path_int(cluster, "status.desiredWorkerReplicas", wanted_workers(cluster) ? -1 : 0);
    json_int_t ready = rd_json_path_int(cluster, "status.readyWorkerReplicas", 0);
    json_int_t least = rd_json_path_int(cluster, "status.minWorkerReplicas", 0);
    if (desired < 0 || ready < least || ready < desired || r->pods < desired + 1) {
        say(r, RAY_NOT_YET, "workers",
            rd_asprintf("%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " workers ready", ready,
                        desired < 0 ? least : desired));
        return;
    }
    if (!rd_streq(rd_json_path_str(cluster, "status.state"), "ready")) {
        say(r, RAY_NOT_YET, "state", rd_strdup("the operator has not set state=ready"));
        return;
    }
    say(r, RAY_READY, "ready",
        rd_asprintf("head and %" JSON_INTEGER_FORMAT " workers ready", ready));
}
