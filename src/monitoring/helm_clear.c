#include "monitoring/helm.h"

#include "base/alloc.h"
#include "phase/steps/names.h"

enum { CLEAR_LOOK, CLEAR_LOOKED, CLEAR_DELETED };

/* Job first, see helm.h. */
static const struct {
    const char *api, *kind;
    bool namespaced;
    char *(*name)(const struct mon *m);
} things[] = {
    {"batch/v1", "Job", true, mon_helm_name},
    {"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", false, mon_binding_name},
    {"v1", "ServiceAccount", true, mon_helm_name},
};

void mon_helm_clear_free(struct mon_helm_clear *x)
{
    k8s_call_clear(&x->look);
    if (x->deleting)
        k8s_delete_clear(&x->del);
    rd_err_free(x->failure);
    rd_err_free(op_take_err(&x->op));
    rd_freep(&x->name);
    *x = (struct mon_helm_clear){0};
}

static const struct k8s_resource *resource(struct mon_helm_clear *x)
{
    const struct k8s_resource *r =
        k8s_resource_find(x->m->client, things[x->at].api, things[x->at].kind);
    RD_ASSERT(r);
    return r;
}

static const char *space(struct mon_helm_clear *x)
{
    return things[x->at].namespaced ? x->m->config->monitoring.ns : NULL;
}

static void look(struct mon_helm_clear *x)
{
    rd_str_take(&x->name, things[x->at].name(x->m));
    x->state = CLEAR_LOOKED;
    k8s_call_clear(&x->look);
    k8s_get_init(&x->look, x->m->client, resource(x), space(x), x->name);
    x->look.metadata_only = true;
    x->look.not_found_ok = true;
    k8s_call_start(&x->look, &x->op);
}

static void next(struct mon_helm_clear *x)
{
    x->at++;
    x->state = CLEAR_LOOK;
    op_wake(&x->op);
}

static void on_progress(struct k8s_delete *d, const char *text)
{
    struct mon_helm_clear *x = d->ctx;
    mon_say(x->m, NOTE_INFO, "%s %s: %s", things[x->at].kind, x->name, text);
}

static void looked(struct mon_helm_clear *x)
{
    const json_t *live = x->look.result;
    if (!live || !names_is_ours(x->m->config, live)) {
        next(x); /* what is not ours was never used by us: applying it was refused */
        return;
    }
    x->found = true;
    x->state = CLEAR_DELETED;
    if (x->deleting)
        k8s_delete_clear(&x->del);
    x->deleting = true;
    k8s_delete_init(&x->del, x->m->client, resource(x), space(x), x->name);
    rd_str_dup(&x->del.uid, rd_json_str(live, "metadata", "uid", NULL));
    x->del.progress = on_progress;
    x->del.ctx = x;
    k8s_delete_start(&x->del, &x->op);
    if (x->at == 0)
        op_set_timeout(&x->del.op, x->job_ms);
}

static void clear_step(struct op *op)
{
    struct mon_helm_clear *x = container_of(op, struct mon_helm_clear, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, x->failure);
        x->failure = NULL;
        return;
    }
    if (x->at == RD_ARRAY_LEN(things)) {
        if (!x->failure)
            x->m->helm_dirty = false;
        op_finish(op, x->failure);
        x->failure = NULL;
        return;
    }
    switch (x->state) {
    case CLEAR_LOOK:
        look(x);
        return;
    case CLEAR_LOOKED:
        if ((err = op_take_err(&x->look.op))) {
            rd_err_keep(&x->failure, &err);
            next(x);
            return;
        }
        looked(x);
        return;
    case CLEAR_DELETED:
        if ((err = op_take_err(&x->del.op)))
            rd_err_keep(&x->failure, &err);
        next(x);
        return;
    }
    RD_UNREACHABLE();
}

void mon_helm_clear_start(struct mon_helm_clear *x, struct mon *m, uint64_t job_ms,
                          struct op *parent)
{
    *x = (struct mon_helm_clear){.m = m, .job_ms = job_ms};
    op_start(&x->op, parent, clear_step, "helm clear");
}
