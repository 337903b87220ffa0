#include "monitoring/helm.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define LINES_KEPT 60
#define DRAIN_MS 5000

enum helm_state { HELM_BEGIN, HELM_RBAC, HELM_JOB, HELM_WATCH, HELM_DRAIN };

void mon_helm_init(struct mon_helm *h, struct mon *m, json_t *take_args)
{
    *h = (struct mon_helm){.m = m, .args = take_args, .told = json_array()};
}

void mon_helm_free(struct mon_helm *h)
{
    if (h->batch_set)
        k8s_batch_clear(&h->batch);
    if (h->watching) {
        k8s_watch_clear(&h->jobs);
        k8s_watch_clear(&h->pods);
        k8s_watch_clear(&h->events);
    }
    if (h->logging)
        k8s_pod_log_clear(&h->log);
    json_decref(h->args);
    json_decref(h->job);
    json_decref(h->pod);
    json_decref(h->told);
    k8s_patience_clear(&h->patience);
    rd_strv_clear(&h->lines);
    rd_err_free(h->failure);
    free(h->said);
    rd_err_free(op_take_err(&h->op));
    *h = (struct mon_helm){0};
}

static const char *verb(const struct mon_helm *h)
{
    const char *first = json_string_value(json_array_get(h->args, 0));
    return first ? first : "run";
}

/* ---- What the cluster says ---- */

static void keep(json_t **slot, enum k8s_event e, const json_t *object)
{
    if (e == K8S_SYNCED)
        return;
    json_decref(*slot);
    *slot = e == K8S_DELETED ? NULL : json_incref((json_t *)object);
}

static void on_job(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct mon_helm *h = w->ctx;
    keep(&h->job, e, object);
    op_wake(&h->op);
}

static void on_pod(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct mon_helm *h = w->ctx;
    keep(&h->pod, e, object);
    op_wake(&h->op);
}

static void on_job_event(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct mon_helm *h = w->ctx;
    if (e == K8S_SYNCED || e == K8S_DELETED)
        return;
    json_array_append(h->told, (json_t *)object);
    op_wake(&h->op);
}

static void on_line(struct k8s_pod_log *l, const char *line)
{
    struct mon_helm *h = l->ctx;
    mon_say(h->m, NOTE_INFO, "helm: %s", line);
    rd_strv_add(&h->lines, line);
    if (h->lines.len > LINES_KEPT) {
        free(h->lines.v[0]);
        memmove(h->lines.v, h->lines.v + 1, h->lines.len * sizeof(*h->lines.v));
        h->lines.len--;
    }
}

/* ---- Starting ---- */

static void apply(struct mon_helm *h, enum helm_state state, bool job)
{
    struct manifest_list list = {0};
    struct rd_err *err = NULL;
    bool ok = job ? mon_render_job(h->m, h->args, &list, &err) : mon_render_rbac(h->m, &list, &err);
    if (ok) {
        if (h->batch_set)
            k8s_batch_clear(&h->batch);
        h->batch_set = true;
        h->state = state;
        mon_batch_init(&h->batch, h->m, K8S_BATCH_APPLY, true);
        k8s_batch_add_list(&h->batch, &list);
        h->m->helm_dirty = true;
        k8s_batch_start(&h->batch, &h->op);
    } else {
        op_finish(&h->op, err);
    }
    manifest_list_clear(&list);
}

static void watch(struct mon_helm *h, struct k8s_watch *w, const char *api, const char *kind,
                  void (*on_event)(struct k8s_watch *, enum k8s_event, const json_t *))
{
    const struct k8s_resource *r = k8s_resource_find(h->m->client, api, kind);
    RD_ASSERT(r);
    k8s_watch_init(w, h->m->client, r, h->m->config->monitoring.ns);
    w->on_event = on_event;
    w->ctx = h;
}

static void start_watches(struct mon_helm *h)
{
    RD_AUTOFREE char *name = mon_helm_name(h->m);
    h->state = HELM_WATCH;
    h->watching = true;
    watch(h, &h->jobs, "batch/v1", "Job", on_job);
    rd_str_take(&h->jobs.field_selector, rd_asprintf("metadata.name=%s", name));
    watch(h, &h->pods, "v1", "Pod", on_pod);
    rd_str_take(&h->pods.label_selector, rd_asprintf("batch.kubernetes.io/job-name=%s", name));
    watch(h, &h->events, "v1", "Event", on_job_event);
    rd_str_take(&h->events.field_selector,
                rd_asprintf("involvedObject.kind=Job,involvedObject.name=%s", name));
    k8s_watch_start(&h->jobs, &h->op);
    k8s_watch_start(&h->pods, &h->op);
    k8s_watch_start(&h->events, &h->op);
}

/* ---- Watching ---- */

static const json_t *container_state(const json_t *pod)
{
    return rd_json_get(json_array_get(rd_json_path(pod, "status.containerStatuses"), 0), "state", NULL);
}

static bool has_begun(const json_t *pod)
{
    const json_t *state = container_state(pod);
    return rd_json_get(state, "running", NULL) || rd_json_get(state, "terminated", NULL);
}

static void follow(struct mon_helm *h)
{
    if (h->logging || !h->pod || !has_begun(h->pod))
        return;
    h->logging = true;
    k8s_pod_log_init(&h->log, h->m->client, h->m->config->monitoring.ns,
                     rd_json_str(h->pod, "metadata", "name", NULL), "helm");
    h->log.on_line = on_line;
    h->log.ctx = h;
    k8s_pod_log_start(&h->log, &h->op);
}

/* What keeps the pod from starting, or from running on. */
static void judge_pod(struct mon_helm *h)
{
    struct k8s_verdict v;
    if (!h->pod)
        return;
    k8s_judge_pod_complaint(h->pod, rd_wall_ms(), &v);
    uint64_t now = op_now_ms(&h->op);
    const char *name = rd_json_str(h->pod, "metadata", "name", NULL);
    bool ended = rd_json_get(container_state(h->pod), "terminated", NULL) != NULL;
    if (ended) {
        /* Its exit is for the log and the Job to tell. */
    } else if (k8s_patience_over(&h->patience, &v, now)) {
        h->failure = rd_err_new(v.kind, "the Helm job's pod cannot run: %s", v.message);
        rd_err_resource(h->failure, "Pod/%s/%s", h->m->config->monitoring.ns, name);
        bool image = v.reason && (strstr(v.reason, "Image") || strstr(v.reason, "image"));
        rd_err_hint(h->failure,
                    image ? "The nodes must be able to pull monitoring.helmImage: look at its name, its "
                            "digest and the registry's rights."
                          : "Cure what holds the pod up, then run the same command again.");
    } else {
        uint64_t wake = k8s_patience_wake_ms(&h->patience, &v);
        if (wake != RD_NEVER)
            op_set_alarm(&h->op, wake + 10);
        if (v.status != K8S_CURRENT && !rd_streq(h->said, v.message)) {
            rd_str_dup(&h->said, v.message);
            mon_part(h->m, "helm", NOTE_RUNNING, "Pod %s: %s", name, v.message);
        }
    }
    k8s_verdict_clear(&v);
}

/* Words of controllers about our Job; a past one of the same name has another uid. */
static void judge_events(struct mon_helm *h)
{
    const char *uid = rd_json_str(h->job, "metadata", "uid", NULL);
    RD_AUTOFREE char *name = mon_helm_name(h->m);
    size_t i;
    const json_t *event;
    if (!uid)
        return;
    json_array_foreach (h->told, i, event) {
        struct k8s_verdict v;
        if (!rd_streq(uid, rd_json_str(event, "involvedObject", "uid", NULL)))
            continue;
        if (k8s_judge_event(event, &v) && v.status == K8S_FAILED && !h->failure) {
            h->failure = rd_err_new(v.kind, "the Helm job got no pod: %s", v.message);
            rd_err_resource(h->failure, "Job/%s/%s", h->m->config->monitoring.ns, name);
            rd_err_hint(h->failure, "Cure what refuses the pod (a quota, an admission policy, the "
                                    "namespace's pod security), then run the same command again.");
        } else if (v.status == K8S_IN_PROGRESS) {
            mon_part(h->m, "helm", NOTE_RUNNING, "Job %s: %s", name, v.message);
        }
        k8s_verdict_clear(&v);
    }
    json_array_clear(h->told);
}

static bool job_is(const json_t *job, const char *type)
{
    return rd_streq(rd_json_str(rd_json_condition(job, type), "status", NULL), "True");
}

static struct rd_err *outcome(struct mon_helm *h)
{
    if (job_is(h->job, "Complete"))
        return NULL;
    const json_t *terminated = rd_json_get(container_state(h->pod), "terminated", NULL);
    const char *reason = rd_json_str(rd_json_condition(h->job, "Failed"), "reason", NULL);
    if (!rd_streq(reason, "DeadlineExceeded"))
        reason = rd_json_str(terminated, "reason", NULL);
    struct mon_helm_end end = {.verb = verb(h),
                               .release = h->m->config->monitoring.release,
                               .ns = h->m->config->monitoring.ns,
                               .lines = &h->lines,
                               .exit_code = (int)rd_json_path_int(terminated, "exitCode", -1),
                               .reason = reason};
    return mon_helm_explain(&end);
}

static void drain(struct mon_helm *h)
{
    follow(h);
    bool told = h->logging && op_ended(&h->log.op);
    uint64_t now = op_now_ms(&h->op);
    if (!told && now < h->drain_ms) {
        op_set_alarm(&h->op, h->drain_ms);
        return;
    }
    op_finish(&h->op, outcome(h));
}

static void look(struct mon_helm *h)
{
    struct k8s_watch *watches[] = {&h->jobs, &h->pods, &h->events};
    for (size_t i = 0; i < RD_ARRAY_LEN(watches); i++)
        if (op_ended(&watches[i]->op)) {
            op_finish(&h->op, op_take_err(&watches[i]->op));
            return;
        }
    follow(h);
    if (job_is(h->job, "Complete") || job_is(h->job, "Failed")) {
        h->state = HELM_DRAIN;
        h->drain_ms = op_now_ms(&h->op) + DRAIN_MS;
        drain(h);
        return;
    }
    judge_events(h);
    if (!h->failure)
        judge_pod(h);
    if (h->failure) {
        op_finish(&h->op, h->failure);
        h->failure = NULL;
    }
}

static void helm_step(struct op *op)
{
    struct mon_helm *h = container_of(op, struct mon_helm, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        if (op->timed_out) {
            err = rd_err_new(RD_ERR_TIMEOUT, "helm %s of release %s did not end in time%s%s", verb(h),
                             h->m->config->monitoring.release, h->said ? ": " : "",
                             h->said ? h->said : "");
            rd_err_hint(err, "Run the same command again: it clears up and goes on.");
        }
        op_finish(op, err);
        return;
    }
    switch ((enum helm_state)h->state) {
    case HELM_BEGIN:
        apply(h, HELM_RBAC, false);
        return;
    case HELM_RBAC:
        if ((err = op_take_err(&h->batch.op)))
            op_finish(op, err);
        else
            apply(h, HELM_JOB, true);
        return;
    case HELM_JOB:
        if ((err = op_take_err(&h->batch.op))) {
            op_finish(op, err);
            return;
        }
        mon_part(h->m, "helm", NOTE_RUNNING, "helm %s %s", verb(h), h->m->config->monitoring.release);
        start_watches(h);
        return;
    case HELM_WATCH:
        look(h);
        return;
    case HELM_DRAIN:
        drain(h);
        return;
    }
    RD_UNREACHABLE();
}

void mon_helm_start(struct mon_helm *h, struct op *parent)
{
    op_start(&h->op, parent, helm_step, "helm");
    /* The Job's own limit comes first; this one is for a cluster that does not keep it. */
    op_set_timeout(&h->op, (uint64_t)(MON_JOB_LIMIT_S + 60) * 1000);
}
