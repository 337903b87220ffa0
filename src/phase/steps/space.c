#include "phase/steps/space.h"

#include "base/alloc.h"
#include "k8s/delete.h"
#include "phase/steps/names.h"
#include "phase/steps/residue.h"

enum { ST_BEGIN, ST_RAY, ST_OBJECTS, ST_LOOK, ST_RESIDUE, ST_DELETE };

struct space_op {
    struct step_op *s;
    const struct space_options *o;
    char *ns;
    struct residue ray, rest;
    struct manifest_list list;
    struct k8s_batch batch;
    struct k8s_call look;
    struct k8s_delete del;
    bool batch_set, delete_set;
    int state;
};

static void space_free(void *priv)
{
    struct space_op *x = priv;
    residue_clear(&x->ray);
    residue_clear(&x->rest);
    if (x->batch_set)
        k8s_batch_clear(&x->batch);
    if (x->delete_set)
        k8s_delete_clear(&x->del);
    k8s_call_clear(&x->look);
    manifest_list_clear(&x->list);
    free(x->ns);
    free(x);
}

static bool may_delete(struct k8s_batch *b, size_t index, const json_t *live, struct rd_err **reterr)
{
    struct space_op *x = b->ctx;
    (void)index;
    (void)reterr;
    return names_is_ours(x->s->ctx->config, live);
}

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct space_op *x = b->ctx;
    x->s->ctx->writes += r->outcome == K8S_OUT_DELETED;
    step_note_resource(x->s, r->outcome == K8S_OUT_DELETED ? NOTE_INFO : NOTE_DEBUG, r->title, "%s",
                       k8s_outcome_name(r->outcome));
}

static void on_batch_note(struct k8s_batch *b, size_t index, const char *text)
{
    struct space_op *x = b->ctx;
    RD_AUTOFREE char *title = manifest_object_title(k8s_batch_object(b, index));
    step_note(x->s, "%s: %s", title, text);
}

static void on_delete_note(struct k8s_delete *d, const char *text)
{
    struct space_op *x = d->ctx;
    step_note(x->s, "Namespace/%s: %s", x->ns, text);
}

static void start_objects(struct space_op *x, struct op *op)
{
    struct rd_err *err = NULL;
    x->state = ST_OBJECTS;
    if (!x->o->set.render(x->s, &x->list, &err)) {
        step_end_error(x->s, err);
        return;
    }
    x->batch_set = true;
    k8s_batch_init(&x->batch, x->s->ctx->workload, K8S_BATCH_DELETE);
    x->batch.lock = true;
    x->batch.need_live = true;
    x->batch.may_touch = may_delete;
    x->batch.on_result = on_result;
    x->batch.on_note = on_batch_note;
    x->batch.ctx = x;
    k8s_batch_add_list(&x->batch, &x->list);
    k8s_batch_start(&x->batch, op);
}

static void space_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct space_op *x = s->priv;
    struct k8s_client *c = s->ctx->workload;
    const struct k8s_resource *spaces = k8s_resource_find(c, "v1", "Namespace");
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (x->state) {
    case ST_BEGIN:
        if (x->o->serves_ray_objects) {
            x->state = ST_RAY;
            residue_ray_objects(&x->ray, op, s->ctx, NULL);
            return;
        }
        start_objects(x, op);
        return;
    case ST_RAY:
        if ((err = op_take_err(&x->ray.op)))
            break;
        if (x->ray.found.len) {
            s->verdict.kept = true;
            s->verdict.kind = RD_ERR_REMAINS;
            step_end(s, FOUND_FOREIGN, "the operator stays, because it serves objects of others: %s",
                     rd_buf_str(&x->ray.text));
            return;
        }
        start_objects(x, op);
        return;
    case ST_OBJECTS:
        if ((err = op_take_err(&x->batch.op)))
            break;
        x->state = ST_LOOK;
        k8s_get_init(&x->look, c, spaces, NULL, x->ns);
        x->look.not_found_ok = true;
        k8s_call_start(&x->look, op);
        return;
    case ST_LOOK:
        if ((err = op_take_err(&x->look.op)))
            break;
        if (!x->look.result) {
            step_end(s, FOUND_ABSENT, "gone");
            return;
        }
        if (!names_is_ours(s->ctx->config, x->look.result)) {
            step_end(s, FOUND_ABSENT, "gone; namespace %s is not ours and stays", x->ns);
            return;
        }
        x->state = ST_RESIDUE;
        residue_namespace(&x->rest, op, s->ctx, x->ns);
        return;
    case ST_RESIDUE:
        if ((err = op_take_err(&x->rest.op)))
            break;
        if (x->rest.found.len) {
            s->verdict.kept = true;
            s->verdict.kind = RD_ERR_REMAINS;
            step_end(s, FOUND_FOREIGN, "namespace %s stays, because it holds objects of others: %s",
                     x->ns, rd_buf_str(&x->rest.text));
            return;
        }
        x->state = ST_DELETE;
        x->delete_set = true;
        k8s_delete_init(&x->del, c, spaces, NULL, x->ns);
        rd_str_dup(&x->del.uid, rd_json_str(x->look.result, "metadata", "uid", NULL));
        x->del.progress = on_delete_note;
        x->del.ctx = x;
        k8s_delete_start(&x->del, op);
        return;
    case ST_DELETE:
        if ((err = op_take_err(&x->del.op)))
            break;
        s->ctx->writes++;
        step_end(s, FOUND_ABSENT, "gone");
        return;
    }
    step_end_error(s, err);
}

void space_undo(struct step_op *s, struct op *parent, const struct space_options *o)
{
    struct space_op *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->o = o;
    x->ns = o->ns(s->ctx->config);
    s->priv = x;
    s->free_priv = space_free;
    op_start(&s->op, parent, space_step, "undo");
}
