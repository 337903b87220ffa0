/* set_watch: one watch per kind and namespace of the set, and one for the pods of its Deployments and
 * Jobs, until all that can be judged is Current. */
#include "phase/steps/set.h"

#include "base/alloc.h"
#include "k8s/verdict.h"
#include "k8s/watch.h"
#include "phase/steps/names.h"

#include <string.h>

struct set_kind {
    struct k8s_watch watch;
    struct set_watch *owner;
    bool pods;
    bool synced;
};

struct set_watch {
    struct step_op *s;
    const struct set_options *o;
    struct manifest_list list;
    struct set_kind *kinds;
    size_t kind_count;
    json_t *live;          /* title -> object, of the set's kinds */
    json_t *met;           /* titles that were ever in it */
    json_t *pods;          /* "ns/name" -> pod */
    struct op_timer grace; /* wakes when a complaint may have become final */
    struct k8s_patience patience; /* how long it has stood */
    char *gone;            /* title of what somebody deleted while it was waited for */
    bool started, ending;
};

static void watch_free(void *priv)
{
    struct set_watch *x = priv;
    for (size_t i = 0; i < x->kind_count; i++)
        k8s_watch_clear(&x->kinds[i].watch);
    free(x->kinds);
    manifest_list_clear(&x->list);
    json_decref(x->live);
    json_decref(x->met);
    json_decref(x->pods);
    free(x->gone);
    k8s_patience_clear(&x->patience);
    rd_err_freep(&x->grace.op.err);
    free(x);
}

static void on_event(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct set_kind *k = w->ctx;
    struct set_watch *x = k->owner;
    if (e == K8S_SYNCED) {
        k->synced = true;
    } else {
        RD_AUTOFREE char *title = manifest_object_title(object);
        json_t *map = k->pods ? x->pods : x->live;
        if (e == K8S_DELETED)
            json_object_del(map, title);
        else
            json_object_set(map, title, (json_t *)object);
        if (!k->pods)
            json_object_set_new(x->met, title, json_true());
    }
    op_wake(&x->s->op);
}

static void add_watch(struct set_watch *x, const char *api_version, const char *kind, const char *ns,
                      const char *selector, bool pods)
{
    const struct k8s_resource *r = k8s_resource_find(set_client(x->s, x->o), api_version, kind);
    if (!r)
        return; /* LOOK and START would have said so */
    for (size_t i = 0; i < x->kind_count; i++)
        if (x->kinds[i].watch.resource == r && rd_streq(x->kinds[i].watch.ns, ns) &&
            x->kinds[i].pods == pods)
            return;
    struct set_kind *k = &x->kinds[x->kind_count++];
    k->owner = x;
    k->pods = pods;
    k8s_watch_init(&k->watch, set_client(x->s, x->o), r, ns);
    rd_str_dup(&k->watch.label_selector, selector);
    k->watch.on_event = on_event;
    k->watch.ctx = k;
}

static bool has_pods(const char *kind)
{
    return rd_streq(kind, "Deployment") || rd_streq(kind, "Job") || rd_streq(kind, "StatefulSet") ||
           rd_streq(kind, "DaemonSet");
}

static void start_watches(struct set_watch *x)
{
    RD_AUTOFREE char *mine = names_selector(x->s->ctx->config);
    /* At most one for the kind and one for its pods each. */
    x->kinds = rd_calloc(2 * x->list.len + 1, sizeof(*x->kinds));
    for (size_t i = 0; i < x->list.len; i++) {
        const json_t *o = x->list.v[i].json;
        const char *api = rd_json_str(o, "apiVersion", NULL), *kind = rd_json_str(o, "kind", NULL);
        const char *ns = rd_json_str(o, "metadata", "namespace", NULL);
        if (!k8s_kind_has_rule(api, kind))
            continue;
        add_watch(x, api, kind, ns, mine, false);
        if (has_pods(kind))
            add_watch(x, "v1", "Pod", ns, NULL, true);
    }
    for (size_t i = 0; i < x->kind_count; i++)
        k8s_watch_start(&x->kinds[i].watch, &x->s->op);
}

static bool selects(const json_t *match_labels, const json_t *pod)
{
    const json_t *labels = rd_json_get(pod, "metadata", "labels", NULL);
    const char *key;
    json_t *value;
    if (json_object_size(match_labels) == 0)
        return false;
    json_object_foreach((json_t *)match_labels, key, value) {
        if (!json_equal(value, json_object_get(labels, key)))
            return false;
    }
    return true;
}

/* What the pods of a workload complain about, if anything. */
static bool pod_complaint(struct set_watch *x, const json_t *workload, struct k8s_verdict *ret,
                          char **ret_title)
{
    const json_t *match = rd_json_get(workload, "spec", "selector", "matchLabels", NULL);
    const char *title;
    json_t *pod;
    json_object_foreach(x->pods, title, pod) {
        if (!rd_streq(rd_json_str(pod, "metadata", "namespace", NULL),
                      rd_json_str(workload, "metadata", "namespace", NULL)) ||
            !selects(match, pod))
            continue;
        k8s_judge_pod_complaint(pod, rd_wall_ms(), ret);
        if (ret->status == K8S_FAILED || ret->status == K8S_IN_PROGRESS) {
            *ret_title = rd_strdup(title);
            return true;
        }
        k8s_verdict_clear(ret);
    }
    return false;
}

static void set_end(struct set_watch *x)
{
    x->ending = true;
    op_cancel_children(&x->s->op);
}

/* Shows what is waited for; trouble with a limit ends the watch once it stood for that long. */
static void complain(struct set_watch *x, const struct k8s_verdict *v, const char *title)
{
    uint64_t now = op_now_ms(&x->s->op);
    RD_AUTOFREE char *text = rd_asprintf("%s: %s", title, v->message);
    step_note(x->s, "%s", text);
    if (!k8s_patience_over(&x->patience, v, now)) {
        uint64_t wake = k8s_patience_wake_ms(&x->patience, v);
        if (wake != RD_NEVER && !op_running(&x->grace.op))
            (void)op_timer_start(&x->grace, &x->s->op, wake - now + 10);
        return;
    }
    x->s->why = rd_err_new(v->kind, "%s", text);
    rd_err_resource(x->s->why, "%s", title);
    set_end(x);
}

/* What is not there will not become ready: the next LOOK says what became of it. An object that may be
 * somebody else's does not carry our label and was never listed; only ours is waited for. */
static bool is_gone(struct set_watch *x, const char *title)
{
    if (json_object_get(x->live, title) || (x->o->shared && !json_object_get(x->met, title)))
        return false;
    rd_str_dup(&x->gone, title);
    set_end(x);
    return true;
}

static void evaluate(struct set_watch *x)
{
    for (size_t i = 0; i < x->kind_count; i++)
        if (!x->kinds[i].synced)
            return;
    for (size_t i = 0; i < x->list.len; i++) {
        const json_t *want = x->list.v[i].json;
        if (!k8s_kind_has_rule(rd_json_str(want, "apiVersion", NULL), rd_json_str(want, "kind", NULL)))
            continue;
        RD_AUTOFREE char *title = manifest_object_title(want);
        const json_t *live = json_object_get(x->live, title);
        if (is_gone(x, title))
            return;
        if (!live)
            continue;
        struct k8s_verdict v;
        k8s_judge(live, rd_wall_ms(), &v);
        if (v.status == K8S_CURRENT || v.status == K8S_UNKNOWN) {
            k8s_verdict_clear(&v);
            continue;
        }
        struct k8s_verdict pod = {0};
        RD_AUTOFREE char *pod_title = NULL;
        /* What a pod says is nearer to the cause than the counts of its workload. */
        if (v.status == K8S_FAILED || !pod_complaint(x, live, &pod, &pod_title))
            complain(x, &v, title);
        else if (pod.status == K8S_FAILED || v.grace_ms == 0)
            complain(x, &pod, pod_title);
        else
            complain(x, &v, title);
        k8s_verdict_clear(&pod);
        k8s_verdict_clear(&v);
        return;
    }
    set_end(x);
}

static void watch_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct set_watch *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!x->started) {
        x->started = true;
        if (!x->o->render(s, &x->list, &err)) {
            step_end_error(s, err);
            return;
        }
        start_watches(x);
        if (x->kind_count == 0)
            step_end(s, FOUND_READY, "applied");
        return;
    }
    if (!x->ending) {
        for (size_t i = 0; i < x->kind_count; i++)
            if (op_ended(&x->kinds[i].watch.op)) {
                step_end_error(s, op_take_err(&x->kinds[i].watch.op));
                return;
            }
        evaluate(x);
    }
    if (!x->ending)
        return;
    if (x->gone) {
        step_note(s, "%s was deleted by somebody while it was waited for", x->gone);
        step_end(s, FOUND_ABSENT, "%s was deleted meanwhile", x->gone);
    } else if (s->why) {
        s->verdict.kind = s->why->kind;
        step_end(s, FOUND_FAILED, "%s", s->why->message);
    } else {
        s->verdict.ours = true;
        if (x->o->ready)
            x->o->ready(s, &x->list, x->live);
        step_end(s, FOUND_READY, "ready");
    }
}

void set_watch(struct step_op *s, struct op *parent, const struct set_options *o)
{
    struct set_watch *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->o = o;
    x->live = json_object();
    x->met = json_object();
    x->pods = json_object();
    s->priv = x;
    s->free_priv = watch_free;
    op_start(&s->op, parent, watch_step, "watch");
}
