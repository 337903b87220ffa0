/* Step `mgmt-net`: network and subnet of the management cluster, by Compute's API, because Config
 * Connector is not there yet. A management cluster that lives in another network keeps it, and then
 * there is nothing to make. */
#include "phase/steps/mgmt_op.h"

#include "base/alloc.h"

#include <stdlib.h>

enum { ST_BEGIN, ST_LOOK, ST_SUBNET_LOOK, ST_NETWORK, ST_SUBNET };

struct mgmt_net {
    struct step_op *s;
    struct gcp_call clusters, network, subnet;
    struct gcp_lro lro;
    int state;
};

static void net_free(void *priv)
{
    struct mgmt_net *x = priv;
    struct gcp_call *calls[] = {&x->clusters, &x->network, &x->subnet};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++) {
        rd_err_free(op_take_err(&calls[i]->op));
        gcp_call_clear(calls[i]);
    }
    rd_err_free(op_take_err(&x->lro.op));
    gcp_lro_clear(&x->lro);
    free(x);
}

static void ask(struct mgmt_net *x, struct op *op)
{
    struct gcp_client *g = x->s->ctx->gcp;
    const struct config *c = x->s->ctx->config;
    x->state = ST_LOOK;
    gcp_clusters_list(&x->clusters, g, c->project, "-");
    gcp_network_get(&x->network, g, c->project, MGMT_NETWORK);
    gcp_subnet_get(&x->subnet, g, c->project, c->region, MGMT_SUBNET);
    gcp_call_start(&x->clusters, op);
    gcp_call_start(&x->network, op);
    gcp_call_start(&x->subnet, op);
}

static bool is_off(const struct mgmt_net *x)
{
    return mgmt_api_off(&x->clusters) || mgmt_api_off(&x->network) || mgmt_api_off(&x->subnet);
}

static struct rd_err *first_error(struct mgmt_net *x)
{
    struct rd_err *err = NULL;
    struct gcp_call *calls[] = {&x->clusters, &x->network, &x->subnet};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++) {
        struct rd_err *one = op_take_err(&calls[i]->op);
        rd_err_keep(&err, &one);
    }
    return err;
}

/* The network a cluster answers with is a name, or a path that ends with one. */
static bool lives_elsewhere(const json_t *cluster)
{
    const char *network = cluster ? rd_json_str(cluster, "network", NULL) : NULL;
    return network && !rd_streq(network, MGMT_NETWORK) &&
           !rd_ends_with(network, "/networks/" MGMT_NETWORK);
}

static void look_end(struct mgmt_net *x)
{
    struct step_op *s = x->s;
    const json_t *cluster = mgmt_cluster_find(x->clusters.result, MGMT_CLUSTER);
    const json_t *network = x->network.result, *subnet = x->subnet.result;
    if (lives_elsewhere(cluster) && !network) {
        s->verdict.kept = true; /* going down: nobody's of ours */
        step_end(s, s->ctx->going_down ? FOUND_ABSENT : FOUND_READY,
                 "the management cluster lives in network %s", rd_json_str(cluster, "network", NULL));
        return;
    }
    if (!network) {
        mgmt_end_absent(s, "%snetwork %s is not there",
                        cluster ? "" : "there is no management cluster " MGMT_CLUSTER "; ",
                        MGMT_NETWORK);
        return;
    }
    s->verdict.ours = mgmt_is_ours(network);
    if (!s->verdict.ours && (s->ctx->going_down || !s->ctx->config->adopt)) {
        mgmt_end_foreign(s, "network", MGMT_NETWORK);
        return;
    }
    if (s->ctx->going_down) {
        step_end(s, FOUND_READY, "network %s", MGMT_NETWORK);
        return;
    }
    /* Without the subnet of this region a cluster that is there already is in another one. */
    if (!subnet && !cluster) {
        s->verdict.drifted = true;
        if (s->may_start)
            step_end(s, FOUND_PENDING, "subnet %s is not there yet", MGMT_SUBNET);
        else
            mgmt_end_absent(s, "subnet %s is not there", MGMT_SUBNET);
        return;
    }
    step_end(s, FOUND_READY, "network %s", MGMT_NETWORK);
}

/* ---- Making ---- */

static void make_network(struct mgmt_net *x, struct op *op)
{
    const struct step_ctx *ctx = x->s->ctx;
    RD_AUTOJSON json_t *body = mgmt_network_body();
    x->state = ST_NETWORK;
    step_note(x->s, "network %s is being made", MGMT_NETWORK);
    gcp_compute_insert(&x->lro, ctx->gcp, ctx->config->project, "global", "networks", body);
    gcp_lro_start(&x->lro, op);
}

static void make_subnet(struct mgmt_net *x, struct op *op)
{
    const struct step_ctx *ctx = x->s->ctx;
    RD_AUTOJSON json_t *body = mgmt_subnet_body(ctx->config);
    RD_AUTOFREE char *scope = rd_asprintf("regions/%s", ctx->config->region);
    x->state = ST_SUBNET;
    step_note(x->s, "subnet %s is being made", MGMT_SUBNET);
    gcp_compute_insert(&x->lro, ctx->gcp, ctx->config->project, scope, "subnetworks", body);
    gcp_lro_start(&x->lro, op);
}

/* True: go on. What another run has made, or is making, the next LOOK judges. */
static bool made(struct mgmt_net *x, const char *resource)
{
    struct rd_err *err = op_take_err(&x->lro.op);
    if (!err) {
        mgmt_wrote(x->s, resource, "created");
        return true;
    }
    if (x->lro.fault.situation == GCP_EXISTS || rd_streq(err->reason, "resourceNotReady")) {
        step_end(x->s, FOUND_PENDING, "%s is on its way already", resource);
        rd_err_free(err);
    } else {
        step_end_error(x->s, err);
    }
    return false;
}

static void unmake(struct mgmt_net *x, struct op *op, const char *scope, const char *collection,
                   const char *name)
{
    const struct step_ctx *ctx = x->s->ctx;
    step_note(x->s, "%s is being deleted", name);
    gcp_compute_delete(&x->lro, ctx->gcp, ctx->config->project, scope, collection, name);
    gcp_lro_start(&x->lro, op);
}

static bool gone(struct mgmt_net *x, const char *resource)
{
    struct rd_err *err = op_take_err(&x->lro.op);
    if (err) {
        step_end_error(x->s, err);
        return false;
    }
    if (!x->lro.absent)
        mgmt_wrote(x->s, resource, "deleted");
    return true;
}

static void act(struct mgmt_net *x, struct op *op)
{
    struct step_op *s = x->s;
    RD_AUTOFREE char *scope = rd_asprintf("regions/%s", s->ctx->config->region);
    bool down = s->verb == VERB_UNDO;
    switch (x->state) {
    case ST_LOOK:
        if (down) {
            x->state = ST_SUBNET;
            if (x->subnet.result && mgmt_is_ours(x->subnet.result)) {
                unmake(x, op, scope, "subnetworks", MGMT_SUBNET);
                return;
            }
            op_wake(op);
        } else if (!x->network.result) {
            make_network(x, op);
        } else if (!x->subnet.result) {
            make_subnet(x, op);
        } else {
            step_end(s, FOUND_PENDING, NULL);
        }
        return;
    case ST_NETWORK:
        if (down) {
            if (gone(x, "network " MGMT_NETWORK))
                step_end(s, FOUND_ABSENT, "gone");
        } else if (made(x, "network " MGMT_NETWORK)) {
            make_subnet(x, op);
        }
        return;
    case ST_SUBNET:
        if (!down) {
            if (made(x, "subnet " MGMT_SUBNET))
                step_end(s, FOUND_PENDING, "made");
            return;
        }
        if (x->lro.call.client && !gone(x, "subnet " MGMT_SUBNET))
            return;
        x->state = ST_NETWORK;
        unmake(x, op, "global", "networks", MGMT_NETWORK);
        return;
    }
    RD_UNREACHABLE();
}

static void net_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct mgmt_net *x = s->priv;
    x->s = s;
    if (mgmt_rests(op))
        return;
    if (x->state == ST_BEGIN) {
        ask(x, op);
        return;
    }
    if (x->state == ST_LOOK) {
        bool off = is_off(x);
        struct rd_err *err = first_error(x);
        if (off && s->verb == VERB_LOOK) {
            rd_err_free(err);
            mgmt_end_absent(s, "network %s is not there", MGMT_NETWORK);
            return;
        }
        if (err) {
            step_end_error(s, err);
            return;
        }
    }
    if (s->verb == VERB_LOOK || s->verb == VERB_WATCH)
        look_end(x);
    else
        act(x, op);
}

static void begin(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct mgmt_net), net_step, net_free, "mgmt-net");
}

void mgmt_net_look(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void mgmt_net_start(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void mgmt_net_undo(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}
