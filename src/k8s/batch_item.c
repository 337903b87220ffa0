#include "base/alloc.h"
#include "base/text.h"
#include "k8s/batch_internal.h"
#include "k8s/noop.h"

#include <string.h>

enum { WORK_BEGIN, WORK_LOOK, WORK_APPLY, WORK_SERVED, WORK_DELETE };

static bool is_crd(const struct batch_item *item)
{
    return item->resource && rd_streq(item->resource->kind, "CustomResourceDefinition") &&
           rd_streq(item->resource->group, "apiextensions.k8s.io");
}

const json_t *batch_intent(const struct batch_item *item)
{
    return item->amended ? item->amended : item->object;
}

/* Objects that no survey covered look for themselves; deletes only when somebody wants to see. */
static bool must_look(const struct batch_item *item)
{
    const struct k8s_batch *b = item->batch;
    if (b->need_live || b->may_touch || b->amend || b->lock)
        return true;
    return b->verb != K8S_BATCH_DELETE && !item->seen_rv;
}

static void end(struct batch_work *w, enum k8s_outcome outcome, struct rd_err *take)
{
    w->outcome = take ? K8S_OUT_FAILED : outcome;
    op_finish(&w->op, take);
}

/* ---- CRDs: accepted is not yet served ---- */

static bool crd_condition(const json_t *crd, const char *type, const char *status,
                          const char **ret_reason)
{
    const json_t *c = rd_json_condition(crd, type);
    const char *reason = rd_json_str(c, "reason", NULL);
    *ret_reason = reason ? reason : "";
    return rd_streq(rd_json_str(c, "status", NULL), status);
}

/* True once it is decided: served (err NULL) or refused for good. */
static bool crd_decided(const json_t *crd, struct rd_err **ret_err)
{
    const char *reason;
    const char *name = rd_json_path_str(crd, "metadata.name");
    bool names_ok = crd_condition(crd, "NamesAccepted", "True", &reason);
    if (crd_condition(crd, "NamesAccepted", "False", &reason)) {
        *ret_err = rd_err_new(RD_ERR_FOREIGN, "CustomResourceDefinition/%s: its names are taken by "
                              "another definition (%s)", name, reason);
        return true;
    }
    if (crd_condition(crd, "Established", "True", &reason))
        return names_ok;
    if (crd_condition(crd, "Established", "False", &reason) && *reason &&
        !rd_streq(reason, "Installing") && !rd_streq(reason, "NotAccepted")) {
        *ret_err = rd_err_new(RD_ERR_FAILED, "CustomResourceDefinition/%s: not established (%s)", name,
                              reason);
        return true;
    }
    return false;
}

static void on_crd(struct k8s_watch *watch, enum k8s_event e, const json_t *object)
{
    struct batch_work *w = watch->ctx;
    if (e == K8S_SYNCED)
        return;
    if (e == K8S_DELETED)
        w->crd_err = rd_err_new(RD_ERR_CONFLICT, "%s: deleted while waiting for it to be served",
                                w->item->title);
    else
        w->crd_ready = crd_decided(object, &w->crd_err);
    if (w->crd_ready || w->crd_err)
        op_cancel(&watch->op);
}

static void wait_served(struct batch_work *w)
{
    struct batch_item *item = w->item;
    k8s_watch_init(&w->served, item->batch->client, item->resource, NULL);
    w->served.field_selector = rd_asprintf("metadata.name=%s", item->name);
    w->served.on_event = on_crd;
    w->served.ctx = w;
    w->state = WORK_SERVED;
    k8s_watch_start(&w->served, &w->op);
}

/* The object is as it is to be; a definition has to be served as well. */
static void settled(struct batch_work *w)
{
    const struct k8s_batch *b = w->item->batch;
    if (is_crd(w->item) && !b->dry_run && b->verb == K8S_BATCH_APPLY &&
        !crd_decided(w->result, &w->crd_err)) {
        wait_served(w);
        return;
    }
    struct rd_err *err = w->crd_err;
    w->crd_err = NULL;
    end(w, w->outcome, err);
}

/* ---- Apply and diff ---- */

static void look(struct batch_work *w)
{
    struct batch_item *item = w->item;
    w->state = WORK_LOOK;
    k8s_get_init(&w->look, item->batch->client, item->resource, item->ns, item->name);
    w->look.not_found_ok = true;
    k8s_call_start(&w->look, &w->op);
}

static void apply(struct batch_work *w, bool force)
{
    struct batch_item *item = w->item;
    struct k8s_batch *b = item->batch;
    struct k8s_apply *a = &w->apply;
    k8s_apply_clear(a);
    k8s_apply_init(a, b->client, batch_intent(item));
    a->ns = item->ns;
    a->dry_run = b->dry_run || b->verb == K8S_BATCH_DIFF;
    a->force = force;
    a->field_manager = b->field_manager;
    a->looked = w->looked;
    a->live = w->live;
    a->before_stamp = item->seen_stamp;
    if (!w->looked)
        a->before_rv = item->seen_rv ? item->seen_rv : "";
    if (b->lock && w->live)
        a->lock_rv = rd_json_path_str(w->live, "metadata.resourceVersion");
    a->slim = !b->want_results && !is_crd(item);
    w->state = WORK_APPLY;
    k8s_apply_start(a, &w->op);
}

static void send_delete(struct batch_work *w);

static bool type_missing(const struct k8s_call *k, const struct rd_err *err)
{
    const struct http_req *r = &k->http.req;
    return err && err->http_status == 404 &&
           k8s_what_is_missing(r->status, r->resp.data, r->resp.len) == K8S_MISSING_TYPE;
}

/* What was read shows that an apply would find nothing to do: the write is saved. */
static bool nothing_to_do(struct batch_work *w)
{
    struct batch_item *item = w->item;
    struct k8s_batch *b = item->batch;
    const char *manager = b->field_manager ? b->field_manager : K8S_FIELD_MANAGER;
    if (!w->live || !k8s_apply_is_noop(batch_intent(item), w->live, manager))
        return false;
    w->outcome = K8S_OUT_UNCHANGED;
    w->result = json_incref(w->live);
    if (b->verb == K8S_BATCH_DIFF)
        w->changes = json_array();
    return true;
}

static void looked(struct batch_work *w)
{
    struct batch_item *item = w->item;
    struct k8s_batch *b = item->batch;
    struct rd_err *err = op_take_err(&w->look.op);
    bool asked = b->need_live || b->may_touch || b->amend || b->lock || b->verb == K8S_BATCH_DIFF;
    if (type_missing(&w->look, err) || (err && err->kind == RD_ERR_CREDENTIALS && !asked)) {
        /* No type, no object; no right to read: the write tells what that means. */
        w->blind = err->kind == RD_ERR_CREDENTIALS;
        rd_err_free(err);
        err = NULL;
    }
    if (err) {
        end(w, K8S_OUT_FAILED, err);
        return;
    }
    w->looked = !w->blind;
    w->live = json_incref(w->look.result);
    rd_str_take(&item->seen_stamp,
                k8s_apply_stamp(w->live, b->field_manager, w->look.http.req.date));
    k8s_call_clear(&w->look);
    if (b->may_touch && !b->may_touch(b, item->index, w->live, &err)) {
        end(w, K8S_OUT_KEPT, err);
        return;
    }
    if (b->verb == K8S_BATCH_DELETE) {
        if (w->live)
            send_delete(w);
        else
            end(w, K8S_OUT_ABSENT, NULL);
        return;
    }
    if (b->amend && !item->amended)
        item->amended = b->amend(b, item->index, item->object, w->live);
    if (nothing_to_do(w))
        settled(w);
    else
        apply(w, b->force);
}

/* A refused apply that may go on all the same. */
static bool go_on(struct batch_work *w, const struct rd_err *err)
{
    struct k8s_batch *b = w->item->batch;
    struct k8s_apply *a = &w->apply;
    if (err->kind == RD_ERR_FOREIGN && !a->force && json_array_size(a->conflicts)) {
        json_decref(w->conflicts);
        w->conflicts = json_incref(a->conflicts);
        /* A diff forces its dry run only to learn what would come out. */
        if (b->verb == K8S_BATCH_DIFF ||
            (b->may_force && b->may_force(b, w->item->index, w->live, w->conflicts))) {
            apply(w, true);
            return true;
        }
    }
    return false;
}

static bool not_validated(struct batch_work *w, const struct rd_err *err)
{
    const struct http_req *r = &w->apply.call.http.req;
    enum k8s_missing missing = k8s_what_is_missing(r->status, r->resp.data, r->resp.len);
    return w->apply.dry_run && err->http_status == 404 &&
           (missing == K8S_MISSING_TYPE || missing == K8S_MISSING_NAMESPACE) &&
           (w->item->batch->parents_come || batch_brings_parent(w->item));
}

static void applied(struct batch_work *w)
{
    static const enum k8s_outcome outcomes[] = {
        [K8S_APPLY_CREATED] = K8S_OUT_CREATED,
        [K8S_APPLY_CHANGED] = K8S_OUT_CONFIGURED,
        [K8S_APPLY_UNCHANGED] = K8S_OUT_UNCHANGED,
    };
    struct batch_item *item = w->item;
    struct k8s_apply *a = &w->apply;
    struct rd_err *err = op_take_err(&a->op);
    if (err && not_validated(w, err)) {
        rd_err_free(err);
        end(w, K8S_OUT_UNVALIDATED, NULL);
        return;
    }
    if (err) {
        if (go_on(w, err))
            rd_err_free(err);
        else
            end(w, K8S_OUT_FAILED, err);
        return;
    }
    w->result = json_incref(a->result);
    w->outcome = outcomes[a->outcome];
    if (item->batch->verb == K8S_BATCH_DIFF) {
        w->changes = json_array();
        if (w->live)
            k8s_object_diff(w->live, w->result, w->changes);
    }
    settled(w);
}

static void served(struct batch_work *w)
{
    struct rd_err *err = op_take_err(&w->served.op);
    if (w->crd_ready || w->crd_err) {
        rd_err_free(err); /* our own stop */
        err = w->crd_err;
        w->crd_err = NULL;
    }
    end(w, w->outcome, err);
}

/* ---- Delete ---- */

static void on_progress(struct k8s_delete *d, const char *text)
{
    struct batch_work *w = d->ctx;
    struct k8s_batch *b = w->item->batch;
    if (b->on_note)
        b->on_note(b, w->item->index, text);
}

/* Kinds that own nothing: a foreground delete would only make the garbage collector pass by. */
static bool owns_nothing(const struct k8s_resource *r)
{
    static const char *const kinds[] = {
        "ConfigMap",   "Secret",        "ServiceAccount", "Role",          "RoleBinding",
        "ClusterRole", "ClusterRoleBinding", "LimitRange", "ResourceQuota", "NetworkPolicy",
        "PodDisruptionBudget", "PersistentVolumeClaim", "PersistentVolume", "StorageClass",
        "PriorityClass", "Namespace", "Lease"};
    if (*r->group && !rd_ends_with(r->group, ".k8s.io") && !rd_streq(r->group, "policy"))
        return false;
    for (size_t i = 0; i < RD_ARRAY_LEN(kinds); i++) {
        if (rd_streq(kinds[i], r->kind))
            return true;
    }
    return false;
}

static void send_delete(struct batch_work *w)
{
    struct batch_item *item = w->item;
    struct k8s_batch *b = item->batch;
    struct k8s_delete *d = &w->del;
    k8s_delete_init(d, b->client, item->resource, item->resource->namespaced ? item->ns : NULL,
                    item->name);
    d->propagation = b->propagation == K8S_FOREGROUND && owns_nothing(item->resource)
                         ? K8S_BACKGROUND
                         : b->propagation;
    d->dry_run = b->dry_run;
    d->no_wait = b->no_wait;
    d->progress = on_progress;
    d->ctx = w;
    if (w->live)
        rd_str_dup(&d->uid, rd_json_path_str(w->live, "metadata.uid"));
    w->state = WORK_DELETE;
    k8s_delete_start(d, &w->op);
}

static void work_step(struct op *op)
{
    struct batch_work *w = container_of(op, struct batch_work, op);
    struct k8s_batch *b = w->item->batch;
    if (op->cancelled) {
        /* The child knows best what the time was spent on. */
        struct rd_err *err = w->state == WORK_LOOK     ? op_take_err(&w->look.op)
                             : w->state == WORK_APPLY  ? op_take_err(&w->apply.op)
                             : w->state == WORK_SERVED ? op_take_err(&w->served.op)
                             : w->state == WORK_DELETE ? op_take_err(&w->del.op)
                                                       : NULL;
        w->outcome = op->timed_out ? K8S_OUT_FAILED : K8S_OUT_SKIPPED;
        op_finish(op, err);
        return;
    }
    switch (w->state) {
    case WORK_BEGIN:
        if (w->item->settled) {
            w->result = json_incref(w->item->settled);
            end(w, K8S_OUT_UNCHANGED, NULL);
        } else if (must_look(w->item))
            look(w);
        else if (b->verb == K8S_BATCH_DELETE)
            send_delete(w);
        else
            apply(w, b->force);
        return;
    case WORK_LOOK:
        if (!op_running(&w->look.op))
            looked(w);
        return;
    case WORK_APPLY:
        if (!op_running(&w->apply.op))
            applied(w);
        return;
    case WORK_SERVED:
        if (!op_running(&w->served.op))
            served(w);
        return;
    case WORK_DELETE:
        if (!op_running(&w->del.op)) {
            struct rd_err *err = op_take_err(&w->del.op);
            end(w, w->del.was_absent ? K8S_OUT_ABSENT : K8S_OUT_DELETED, err);
        }
        return;
    }
    RD_UNREACHABLE();
}

/* Runs before the batch steps, so that it finds the ended ones without looking at all. */
static void work_done(struct op *op)
{
    struct batch_work *w = container_of(op, struct batch_work, op);
    struct batch_state *s = w->item->batch->priv;
    w->item->life = ITEM_ENDED;
    rd_list_append(&s->ended, &w->item->queued);
}

void batch_work_start(struct batch_item *item, struct op *parent)
{
    struct batch_work *w = rd_calloc(1, sizeof(*w));
    w->item = item;
    item->work = w;
    item->life = ITEM_RUNNING;
    op_start(&w->op, parent, work_step, "object");
    w->op.done = work_done;
}

void batch_work_free(struct batch_work *w)
{
    if (!w)
        return;
    RD_ASSERT(!op_running(&w->op));
    k8s_call_clear(&w->look);
    k8s_apply_clear(&w->apply);
    k8s_delete_clear(&w->del);
    k8s_watch_clear(&w->served);
    rd_err_free(op_take_err(&w->op));
    rd_err_free(w->crd_err);
    json_decref(w->live);
    json_decref(w->result);
    json_decref(w->changes);
    json_decref(w->conflicts);
    rd_freep(&w);
}
