#include "phase/steps/set.h"

#include "base/alloc.h"
#include "k8s/verdict.h"
#include "manifest/template.h"
#include "phase/steps/names.h"

#include <string.h>

struct set_op {
    struct step_op *s;
    const struct set_options *o;
    struct manifest_list list;
    struct k8s_batch batch;
    bool started;
    /* What LOOK counted. */
    size_t absent, drifted, fine, foreign, kept, deleted;
    struct rd_buf pending; /* first object that is there and not Current yet */
    struct rd_err *failed; /* ... or that failed */
    uint64_t grace_ms;
};

static void set_free(void *priv)
{
    struct set_op *x = priv;
    k8s_batch_clear(&x->batch);
    manifest_list_clear(&x->list);
    rd_buf_clear(&x->pending);
    rd_err_free(x->failed);
    free(x);
}

struct k8s_client *set_client(const struct step_op *s, const struct set_options *o)
{
    return o->management ? s->ctx->management : s->ctx->workload;
}

bool set_refuse_foreign(const struct config *c, const json_t *live, struct rd_err **reterr)
{
    RD_AUTOFREE char *title = manifest_object_title(live);
    const char *whose = names_deployment_of(live);
    if (whose)
        rd_fail(reterr, RD_ERR_FOREIGN, "%s belongs to the raydeploy deployment \"%s\"", title, whose);
    else
        rd_fail(reterr, RD_ERR_FOREIGN, "%s is already there and was not made by raydeploy", title);
    if (whose)
        rd_err_hint(*reterr, "Choose another name with --name, or run with --name %s.", whose);
    else
        rd_err_hint(*reterr,
                    "Remove or rename it, deploy under another name (--name), or let this deployment "
                    "take it over: raydeploy up --adopt.");
    rd_err_resource(*reterr, "%s", title);
    (void)c;
    return false;
}

static bool may_touch(struct k8s_batch *b, size_t index, const json_t *live, struct rd_err **reterr)
{
    struct set_op *x = b->ctx;
    const struct config *c = x->s->ctx->config;
    if (!live)
        return b->verb == K8S_BATCH_DELETE || !x->o->may_create ||
               x->o->may_create(x->s, k8s_batch_object(b, index), reterr);
    if (names_is_ours(c, live))
        return true;
    if (x->o->shared && x->o->shared(x->s, k8s_batch_object(b, index), live))
        return false;
    if (b->verb == K8S_BATCH_DELETE) {
        x->foreign++;
        return false;
    }
    if (c->adopt && !names_deployment_of(live))
        return true;
    return set_refuse_foreign(c, live, reterr);
}

static json_t *amend(struct k8s_batch *b, size_t index, const json_t *object, const json_t *live)
{
    struct set_op *x = b->ctx;
    (void)index;
    return x->o->amend ? x->o->amend(x->s, object, live) : NULL;
}

static bool may_force(struct k8s_batch *b, size_t index, const json_t *live, const json_t *conflicts)
{
    struct set_op *x = b->ctx;
    (void)index;
    return x->o->may_force && x->o->may_force(x->s, live, conflicts);
}

static void judge_live(struct set_op *x, const json_t *live, const char *title)
{
    struct k8s_verdict v;
    k8s_judge(live, rd_wall_ms(), &v);
    if (v.status == K8S_FAILED && !x->failed) {
        x->failed = rd_err_new(v.kind, "%s failed: %s", title, v.message);
        rd_err_resource(x->failed, "%s", title);
        x->grace_ms = v.grace_ms;
    } else if (v.status != K8S_CURRENT && v.status != K8S_UNKNOWN && x->pending.len == 0) {
        rd_buf_printf(&x->pending, "%s: %s", title, v.message);
    }
    k8s_verdict_clear(&v);
}

static char *value_text(const json_t *value)
{
    return value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)
                 : rd_strdup("(none)");
}

/* `plan` shows these; Secrets come as digests already. */
static void note_change(struct step_op *s, const char *title, const json_t *change)
{
    RD_AUTOFREE char *from = value_text(json_object_get(change, "from"));
    RD_AUTOFREE char *to = value_text(json_object_get(change, "to"));
    step_note_resource(s, NOTE_DEBUG, title, "differs at %s: %.300s -> %.300s",
                       rd_json_str(change, "path", NULL), from, to);
}

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct set_op *x = b->ctx;
    struct step_op *s = x->s;
    enum note_level level = NOTE_DEBUG;
    switch (r->outcome) {
    case K8S_OUT_CREATED:
    case K8S_OUT_UNVALIDATED:
        x->absent++;
        break;
    case K8S_OUT_CONFIGURED:
        x->drifted++;
        break;
    case K8S_OUT_UNCHANGED:
        x->fine++;
        break;
    case K8S_OUT_KEPT:
        x->kept++;
        break;
    case K8S_OUT_DELETED:
        x->deleted++;
        break;
    default:
        break;
    }
    if (b->verb != K8S_BATCH_DIFF && !b->dry_run && (r->outcome == K8S_OUT_CREATED ||
                                      r->outcome == K8S_OUT_CONFIGURED ||
                                      r->outcome == K8S_OUT_DELETED)) {
        level = NOTE_INFO;
        s->ctx->writes++;
    }
    if (r->outcome == K8S_OUT_FAILED)
        step_note_resource(s, NOTE_DEBUG, r->title, "%s", r->err->message);
    else
        step_note_resource(s, level, r->title, "%s", k8s_outcome_name(r->outcome));
    if (b->verb == K8S_BATCH_DIFF && r->changes) {
        size_t i;
        const json_t *change;
        json_array_foreach(r->changes, i, change)
            note_change(s, r->title, change);
    }
    const json_t *now = b->verb == K8S_BATCH_DIFF ? r->live : r->result;
    if (b->verb != K8S_BATCH_DELETE && now) {
        if (!x->o->skip_judge && b->verb == K8S_BATCH_DIFF)
            judge_live(x, now, r->title);
        if (x->o->seen)
            x->o->seen(s, r->object, now);
    }
}

static void on_batch_note(struct k8s_batch *b, size_t index, const char *text)
{
    struct set_op *x = b->ctx;
    RD_AUTOFREE char *title = manifest_object_title(k8s_batch_object(b, index));
    step_note(x->s, "%s: %s", title, text);
}

static void look_down_end(struct set_op *x)
{
    struct step_op *s = x->s;
    if (x->deleted) {
        s->verdict.ours = true;
        step_end(s, FOUND_PENDING, "%zu object%s of ours", x->deleted, RD_PLURAL(x->deleted));
    } else if (x->foreign) {
        s->verdict.kept = true;
        step_end(s, FOUND_FOREIGN, "%zu objects are not ours and stay", x->foreign);
    } else {
        step_end(s, FOUND_ABSENT, "not there");
    }
}

static void look_end(struct set_op *x)
{
    struct step_op *s = x->s;
    if (s->ctx->going_down) {
        look_down_end(x);
        return;
    }
    if (x->absent && !x->fine && !x->drifted && !x->kept) {
        step_end(s, FOUND_ABSENT, "not there yet");
        return;
    }
    s->verdict.ours = true;
    s->verdict.drifted = x->absent || x->drifted;
    if (s->verdict.drifted) {
        step_end(s, FOUND_PENDING, "%zu to create, %zu to change", x->absent, x->drifted);
    } else if (x->failed) {
        /* Looked at once: whether it heals is for WATCH to find out. */
        step_end(s, FOUND_PENDING, "%s", x->failed->message);
    } else if (x->pending.len) {
        step_end(s, FOUND_PENDING, "%s", rd_buf_str(&x->pending));
    } else if (x->o->after_look) {
        x->o->after_look(s);
    } else {
        step_end(s, FOUND_READY, "%zu object%s as wanted", x->fine + x->kept,
                 RD_PLURAL(x->fine + x->kept));
    }
}

static void set_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct set_op *x = s->priv;
    struct rd_err *err = NULL;
    if (!x->started && !op->cancelled) {
        x->started = true;
        struct k8s_client *client = set_client(s, x->o);
        if (!client && s->verb != VERB_START) {
            step_end(s, FOUND_ABSENT, "its cluster is not there");
            return;
        }
        RD_ASSERT(client); /* START comes after the step that connects */
        if (!x->o->render(s, &x->list, &err)) {
            /* A look goes on where an earlier step is not done. */
            if (s->verb == VERB_LOOK && err->resource && rd_starts_with(err->resource, TEMPLATE_FACT)) {
                s->verdict.drifted = true;
                step_end(s, FOUND_PENDING, "cannot be told before %s is known", err->resource);
                rd_err_free(err);
            } else {
                step_end_error(s, err);
            }
            return;
        }
        enum k8s_batch_verb verb = s->verb == VERB_UNDO || s->ctx->going_down ? K8S_BATCH_DELETE
                                   : s->verb == VERB_START                    ? K8S_BATCH_APPLY
                                                                              : K8S_BATCH_DIFF;
        k8s_batch_init(&x->batch, client, verb);
        if (x->o->background)
            x->batch.propagation = K8S_BACKGROUND;
        x->batch.dry_run = verb == K8S_BATCH_DELETE && s->verb == VERB_LOOK;
        x->batch.parents_come = s->verb == VERB_LOOK; /* by the steps before this one */
        x->batch.need_live = true;
        x->batch.lock = true;
        x->batch.want_results = true;
        x->batch.hold_dependents = true;
        x->batch.may_touch = may_touch;
        x->batch.amend = amend;
        x->batch.may_force = may_force;
        x->batch.on_result = on_result;
        x->batch.on_note = on_batch_note;
        x->batch.ctx = x;
        k8s_batch_add_list(&x->batch, &x->list);
        k8s_batch_start(&x->batch, op);
        return;
    }
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    err = op_take_err(&x->batch.op);
    if (err) {
        step_end_error(s, err);
        return;
    }
    switch (s->verb) {
    case VERB_LOOK:
        look_end(x);
        break;
    case VERB_START:
        s->verdict.ours = true;
        step_end(s, s->row->verbs[VERB_WATCH] ? FOUND_PENDING : FOUND_READY, "applied");
        break;
    default:
        if (x->foreign)
            step_note(s, "%zu objects are not ours and stay", x->foreign);
        step_end(s, FOUND_ABSENT, "gone");
    }
}

static void set_begin(struct step_op *s, struct op *parent, const struct set_options *o,
                      const char *name)
{
    struct set_op *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->o = o;
    rd_buf_init(&x->pending, 4096);
    s->priv = x;
    s->free_priv = set_free;
    if (op_running(&s->op)) {
        s->op.step = set_step;
        op_wake(&s->op);
    } else {
        op_start(&s->op, parent, set_step, name);
    }
}

void set_look(struct step_op *s, struct op *parent, const struct set_options *o)
{
    set_begin(s, parent, o, "look");
}

void set_start(struct step_op *s, struct op *parent, const struct set_options *o)
{
    set_begin(s, parent, o, "start");
}

void set_undo(struct step_op *s, struct op *parent, const struct set_options *o)
{
    set_begin(s, parent, o, "undo");
}
