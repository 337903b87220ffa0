/* What GKE itself calls broken. A cluster or pool whose creation failed stays behind in status ERROR where
 * the provider's own cleaning up failed too, and Config Connector then takes it over as it is: a pool
 * without a node is "up to date", a cluster fails for good. Removed at GKE, it is made anew. That is done
 * only to what this deployment began, by its own records, and never had ready: of anything else ERROR may
 * mean a bad day, and there may be work in it. */
#include "phase/steps/cc_internal.h"

#include "base/alloc.h"

enum { ST_ASK, ST_NEXT, ST_REMOVE };

bool cc_is_broken(const struct cc_ask *a, size_t i)
{
    const char *kind = rd_json_str(a->list->v[i].json, "kind", NULL);
    bool of_gke = rd_streq(kind, "ContainerCluster") || rd_streq(kind, "ContainerNodePool");
    return of_gke && cc_ask_ours(a, i) &&
           rd_streq(rd_json_str(cc_ask_found(a, i), "status", NULL), "ERROR");
}

char *cc_broken_reason(const struct cc_ask *a)
{
    for (size_t i = 0; i < a->len; i++) {
        if (!cc_is_broken(a, i))
            continue;
        RD_AUTOFREE char *title = cc_google_title(a->list->v[i].json);
        const char *message = rd_json_str(cc_ask_found(a, i), "statusMessage", NULL);
        return rd_asprintf("%s could not be made: %s", title, message ? message : "GKE says ERROR");
    }
    return NULL;
}

char *cc_gke_unready(const struct cc_ask *a)
{
    for (size_t i = 0; i < a->len; i++) {
        const char *kind = rd_json_str(a->list->v[i].json, "kind", NULL);
        bool pool = rd_streq(kind, "ContainerNodePool");
        const json_t *found = cc_ask_found(a, i);
        const char *status = rd_json_str(found, "status", NULL);
        const char *message = rd_json_str(found, "statusMessage", NULL);
        if (!found && a->asked[i] && (pool || rd_streq(kind, "ContainerCluster")))
            return rd_asprintf("GKE does not have the %s", pool ? "node pool" : "cluster");
        if (pool && (rd_streq(status, "ERROR") || rd_streq(status, "PROVISIONING") ||
                     rd_streq(status, "STOPPING")))
            return rd_asprintf("GKE says that the node pool is %s%s%s", status, message ? ": " : "",
                               message ? message : "");
    }
    return NULL;
}

static void remove_next(struct cc_broken *b)
{
    const struct step_ctx *ctx = b->s->ctx;
    for (; b->at < b->ask.len; b->at++) {
        if (!cc_is_broken(&b->ask, b->at))
            continue;
        const json_t *o = b->list->v[b->at++].json;
        const char *location = rd_json_str(o, "spec", "location", NULL);
        const char *name = rd_json_str(o, "metadata", "name", NULL);
        gcp_lro_clear(&b->lro);
        if (rd_streq(rd_json_str(o, "kind", NULL), "ContainerCluster"))
            gcp_cluster_delete(&b->lro, ctx->gcp, ctx->config->project, location, name);
        else
            gcp_node_pool_delete(&b->lro, ctx->gcp, ctx->config->project, location,
                                 rd_json_str(o, "spec", "clusterRef", "name", NULL), name);
        RD_AUTOFREE char *title = cc_google_title(o);
        step_note_resource(b->s, NOTE_WARN, title, "removed, as its creation failed; it is made anew");
        b->s->ctx->writes++;
        b->removed++;
        b->state = ST_REMOVE;
        gcp_lro_start(&b->lro, &b->op);
        return;
    }
    op_finish(&b->op, NULL);
}

static void broken_step(struct op *op)
{
    struct cc_broken *b = container_of(op, struct cc_broken, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (b->state) {
    case ST_ASK:
        b->state = ST_NEXT;
        cc_ask_start(&b->ask, op, b->s->ctx, b->list);
        return;
    case ST_NEXT:
        err = op_take_err(&b->ask.op);
        break;
    case ST_REMOVE:
        err = op_take_err(&b->lro.op);
        break;
    }
    if (err)
        op_finish(op, err);
    else
        remove_next(b);
}

void cc_broken_start(struct cc_broken *b, struct op *parent, struct step_op *s,
                     const struct manifest_list *list)
{
    b->s = s;
    b->list = list;
    b->state = ST_ASK;
    op_start(&b->op, parent, broken_step, "remove what is broken");
}

void cc_broken_clear(struct cc_broken *b)
{
    cc_ask_clear(&b->ask);
    gcp_lro_clear(&b->lro);
    rd_err_freep(&b->op.err);
}
