/* WATCH of the Config Connector steps: one watch for each kind of the part, GKE's operations beside it,
 * then what the part tells the steps after it. */
#include "phase/steps/cc_internal.h"

#include "base/alloc.h"
#include "k8s/verdict.h"
#include "k8s/watch.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <string.h>

/* Some verdicts depend on ages that no event marks (a generation that lags for good). */
#define REJUDGE_MS 5000

struct cc_kind {
    struct k8s_watch watch;
    struct cc_watch *owner;
    bool synced;
};

struct cc_watch {
    struct step_op *s;
    struct manifest_list list;
    struct cc_kind *kinds; /* owned */
    size_t kind_count;
    json_t *live; /* title -> custom resource */
    struct k8s_patience patience;
    uint64_t since_ms;
    /* GKE's operations on the cluster or pool. */
    struct gcp_call operations;
    struct op_timer pause;
    json_t *old; /* names of those that had ended before */
    bool asked_operations;
    struct cc_facts facts;
    struct cc_ask ask; /* the last word is GKE's own */
    bool begun, ending, asking, telling;
    enum phase_finding found;
};

static void watch_free(void *priv)
{
    struct cc_watch *x = priv;
    for (size_t i = 0; i < x->kind_count; i++)
        k8s_watch_clear(&x->kinds[i].watch);
    free(x->kinds);
    rd_err_freep(&x->pause.op.err);
    gcp_call_clear(&x->operations);
    cc_facts_clear(&x->facts);
    cc_ask_clear(&x->ask);
    manifest_list_clear(&x->list);
    k8s_patience_clear(&x->patience);
    json_decref(x->live);
    json_decref(x->old);
    free(x);
}

static void end_with(struct cc_watch *x, enum phase_finding found)
{
    x->ending = true;
    x->found = found;
    op_cancel_children(&x->s->op);
    op_wake(&x->s->op);
}

static void fail_with(struct cc_watch *x, struct rd_err *take)
{
    rd_err_free(x->s->why);
    x->s->why = take;
    end_with(x, FOUND_FAILED);
}

/* ---- Custom resources ---- */

static void on_event(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct cc_kind *k = w->ctx;
    struct cc_watch *x = k->owner;
    if (e == K8S_SYNCED) {
        k->synced = true;
    } else {
        RD_AUTOFREE char *title = manifest_object_title(object);
        if (e == K8S_DELETED)
            json_object_del(x->live, title);
        else
            json_object_set(x->live, title, (json_t *)object);
    }
    op_wake(&x->s->op);
}

static void start_watches(struct cc_watch *x)
{
    struct k8s_client *c = x->s->ctx->management;
    RD_AUTOFREE char *mine = names_selector(x->s->ctx->config);
    x->kinds = rd_calloc(x->list.len + 1, sizeof(*x->kinds));
    for (size_t i = 0; i < x->list.len; i++) {
        const json_t *o = x->list.v[i].json;
        const struct k8s_resource *r = k8s_resource_find(c, rd_json_str(o, "apiVersion", NULL),
                                                         rd_json_str(o, "kind", NULL));
        RD_ASSERT(r); /* LOOK has read it */
        bool has = false;
        for (size_t j = 0; j < x->kind_count; j++)
            has = has || x->kinds[j].watch.resource == r;
        if (has)
            continue;
        struct cc_kind *k = &x->kinds[x->kind_count++];
        k->owner = x;
        k8s_watch_init(&k->watch, c, r, CC_NAMESPACE);
        rd_str_dup(&k->watch.label_selector, mine);
        k->watch.on_event = on_event;
        k->watch.ctx = k;
        k8s_watch_start(&k->watch, &x->s->op);
    }
}

/* What stands between us and the goal: a failure before anything else, then what works, then what only
 * waits for that. */
static int weight(const struct k8s_verdict *v)
{
    if (v->status == K8S_CURRENT)
        return 0;
    if (v->status == K8S_FAILED)
        return 3;
    return v->reason && rd_starts_with(v->reason, "Dependency") && v->grace_ms == 0 ? 1 : 2;
}

static struct rd_err *trouble_of(const json_t *object, const struct k8s_verdict *v)
{
    RD_AUTOFREE char *title = cc_google_title(object);
    RD_AUTOFREE char *resource = manifest_object_title(object);
    struct rd_err *err = rd_err_new(v->kind, "%s: %s", title, v->message);
    rd_err_resource(err, "%s", resource);
    rd_err_hint(err, "Correct the cause and run the same command again: it goes on from here, and Config "
                     "Connector tries again at once.");
    return err;
}

static void complain(struct cc_watch *x, const json_t *object, const struct k8s_verdict *v)
{
    uint64_t now = op_now_ms(&x->s->op);
    RD_AUTOFREE char *title = cc_google_title(object);
    step_note(x->s, "%s: %s", title, v->message);
    bool over = k8s_patience_over(&x->patience, v, now);
    if (v->status == K8S_FAILED) {
        rd_err_free(x->s->trouble);
        x->s->trouble = trouble_of(object, v);
    } else if (!k8s_patience_stands(&x->patience, now)) {
        rd_err_freep(&x->s->trouble);
    }
    if (!over) {
        uint64_t wake = k8s_patience_wake_ms(&x->patience, v);
        op_set_alarm(&x->s->op, wake < now + REJUDGE_MS ? wake + 10 : now + REJUDGE_MS);
        return;
    }
    fail_with(x, trouble_of(object, v));
}

static void evaluate(struct cc_watch *x)
{
    struct step_op *s = x->s;
    uint64_t waited = op_now_ms(&s->op) - x->since_ms;
    for (size_t i = 0; i < x->kind_count; i++)
        if (!x->kinds[i].synced)
            return;
    int worst = 0;
    const json_t *object = NULL;
    struct k8s_verdict verdict = {0};
    for (size_t i = 0; i < x->list.len; i++) {
        const json_t *want = x->list.v[i].json;
        RD_AUTOFREE char *title = manifest_object_title(want);
        const json_t *live = json_object_get(x->live, title);
        if (!live) {
            rd_str_take(&s->reason, rd_asprintf("%s was deleted meanwhile", title));
            k8s_verdict_clear(&verdict);
            end_with(x, FOUND_ABSENT);
            return;
        }
        struct k8s_verdict v;
        k8s_judge(live, rd_wall_ms(), &v);
        if (v.status != K8S_CURRENT && cc_is_stale(s->ctx, title, live, waited)) {
            v.status = K8S_IN_PROGRESS;
            v.grace_ms = 0;
        }
        if (weight(&v) > worst) {
            k8s_verdict_clear(&verdict);
            verdict = v;
            worst = weight(&v);
            object = want;
        } else {
            k8s_verdict_clear(&v);
        }
    }
    if (object)
        complain(x, object, &verdict);
    else
        end_with(x, FOUND_READY);
    k8s_verdict_clear(&verdict);
}

/* ---- GKE's operations ---- */

static bool has_operations(const struct cc_watch *x)
{
    enum cc_part part = cc_part_of(x->s);
    return part == CC_GKE || part == CC_POOL_CPU || part == CC_POOL_GPU;
}

static void ask_operations(struct cc_watch *x)
{
    const struct config *c = x->s->ctx->config;
    x->asked_operations = true;
    gcp_call_clear(&x->operations);
    gcp_operations_list(&x->operations, x->s->ctx->gcp, c->project, c->region);
    gcp_call_start(&x->operations, &x->s->op);
}

/* Of the cluster, or of a pool of it. */
static bool concerns(const struct cc_watch *x, const json_t *operation)
{
    const struct config *c = x->s->ctx->config;
    const char *target = rd_json_str(operation, "targetLink", NULL);
    RD_AUTOFREE char *cluster = cc_cluster(c);
    RD_AUTOFREE char *end = NULL;
    if (cc_part_of(x->s) == CC_GKE)
        end = rd_asprintf("/clusters/%s", cluster);
    else
        end = rd_asprintf("/clusters/%s/nodePools/%s", cluster,
                          rd_json_str(x->list.v[0].json, "metadata", "name", NULL));
    return target && rd_ends_with(target, end);
}

static void read_operation(struct cc_watch *x, const json_t *operation, bool first)
{
    const char *name = rd_json_str(operation, "name", NULL);
    const char *type = rd_json_str(operation, "operationType", NULL);
    if (!name || !concerns(x, operation) || json_object_get(x->old, name))
        return;
    RD_AUTOFREE char *title = cc_google_title(x->list.v[0].json);
    RD_AUTOFREE char *what = rd_asprintf("%s: GKE operation %s", title, type ? type : name);
    struct gcp_fault fault = {0};
    struct rd_err *err = NULL;
    bool done = gcp_lro_done(GCP_CONTAINER, operation, what, &fault, &err);
    gcp_fault_clear(&fault);
    if (!done)
        return;
    json_object_set_new(x->old, name, json_true());
    /* What ended before we came is what the custom resource tells of. */
    if (!err || first || rd_err_transient(err->kind)) {
        rd_err_free(err);
        return;
    }
    if (err->kind == RD_ERR_PREFLIGHT)
        err->kind = RD_ERR_FAILED; /* something billable is there by now */
    rd_err_resource(err, "%s", title);
    fail_with(x, err);
}

static void read_operations(struct cc_watch *x)
{
    bool first = x->old == NULL;
    struct rd_err *err = op_take_err(&x->operations.op);
    if (first)
        x->old = json_object();
    size_t i;
    const json_t *operation;
    json_array_foreach (json_object_get(x->operations.result, "operations"), i, operation)
        if (!x->ending)
            read_operation(x, operation, first);
    rd_err_free(err); /* the custom resource has the last word; this only sees more, and sooner */
    x->asked_operations = false;
    if (!x->ending)
        (void)op_timer_start(&x->pause, &x->s->op,
                             gcp_poll_pause_ms(op_now_ms(&x->s->op) - x->since_ms));
}

/* ---- The op ---- */

/* Of what Config Connector calls up to date; false: the op has been ended, for GKE does not. */
static bool told_by_google(struct cc_watch *x)
{
    struct step_op *s = x->s;
    struct rd_err *err = op_take_err(&x->ask.op);
    RD_AUTOFREE char *broken = err ? NULL : cc_broken_reason(&x->ask);
    RD_AUTOFREE char *unready = err ? NULL : cc_gke_unready(&x->ask);
    if (err)
        step_end_error(s, err);
    else if (broken && s->half_made) /* LOOK leads to START, which makes it anew */
        step_end(s, FOUND_PENDING, "%s", broken);
    else if (unready) { /* only its object tells what becomes of it: LOOK and WATCH again */
        s->verdict.ours = true;
        step_end(s, FOUND_PENDING, "%s", unready);
    } else
        return true;
    return false;
}

static void finish(struct cc_watch *x)
{
    struct step_op *s = x->s;
    if (s->why) {
        s->verdict.ours = true;
        step_end(s, FOUND_FAILED, "%s", s->why->message);
    } else if (x->found == FOUND_READY && has_operations(x) && x->list.len && !x->asking) {
        x->asking = true;
        cc_ask_start(&x->ask, &s->op, s->ctx, &x->list);
    } else if (x->found == FOUND_READY && x->asking && !x->telling && !told_by_google(x)) {
        return;
    } else if (x->found == FOUND_READY && !x->telling) {
        x->telling = true;
        cc_facts_start(&x->facts, &s->op, s, x->live, false);
    } else if (x->telling) {
        struct rd_err *err = op_take_err(&x->facts.op);
        s->verdict.ours = true;
        if (err)
            step_end_error(s, err);
        else if (x->facts.ready)
            step_end(s, FOUND_READY, "ready");
        else /* LOOK leads to START, which alone may change things */
            step_end(s, FOUND_PENDING, "%s", x->facts.reason);
    } else {
        op_finish(&s->op, NULL);
        s->verdict.found = x->found;
    }
}

static bool a_watch_ended(struct cc_watch *x)
{
    for (size_t i = 0; i < x->kind_count; i++)
        if (op_ended(&x->kinds[i].watch.op)) {
            step_end_error(x->s, op_take_err(&x->kinds[i].watch.op));
            return true;
        }
    return false;
}

static void watch_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct cc_watch *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!x->begun) {
        x->begun = true;
        x->since_ms = op_now_ms(op);
        if (!cc_connect(s->ctx, &err) || !cc_render_part(s, &x->list, &err)) {
            step_end_error(s, err);
            return;
        }
        start_watches(x);
        if (has_operations(x) && x->list.len)
            ask_operations(x);
        else if (x->list.len == 0)
            end_with(x, FOUND_READY);
    }
    if (!x->ending) {
        if (a_watch_ended(x))
            return;
        if (x->asked_operations && op_ended(&x->operations.op))
            read_operations(x);
        else if (has_operations(x) && !x->asked_operations && op_ended(&x->pause.op))
            ask_operations(x);
        if (!x->ending)
            evaluate(x);
    }
    if (x->ending && !op_has_children(op))
        finish(x);
}

void cc_watch(struct step_op *s, struct op *parent)
{
    struct cc_watch *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->live = json_object();
    s->priv = x;
    s->free_priv = watch_free;
    op_start(&s->op, parent, watch_step, "watch");
}
