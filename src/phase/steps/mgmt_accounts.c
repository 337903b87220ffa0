/* Step `mgmt-accounts`: the account of the management cluster's node with its two roles, and the account
 * Config Connector acts as (its roles are step cc-iam's). A management cluster that somebody else made
 * has accounts already, and those are used as they are. */
#include "phase/steps/mgmt_op.h"

#include "base/alloc.h"
#include "phase/steps/cc.h"

#include <stdlib.h>

enum { ST_BEGIN, ST_LOOK, ST_MADE, ST_ROLES, ST_DELETED };
enum { NODES, CONNECTOR, ACCOUNTS };

struct accounts {
    struct step_op *s;
    struct gcp_call clusters, policy, get[ACCOUNTS], make[ACCOUNTS];
    struct gcp_policy grant;
    struct gcp_binding edits[MGMT_EDITS_MAX];
    size_t edits_len;
    char *email[ACCOUNTS], *member;
    int state;
};

static const char *const ids[ACCOUNTS] = {MGMT_NODES, MGMT_CONNECTOR};
static const char *const titles[ACCOUNTS] = {"Node of the raydeploy management cluster",
                                             "Config Connector of raydeploy"};

static void accounts_free(void *priv)
{
    struct accounts *x = priv;
    struct gcp_call *calls[] = {&x->clusters, &x->policy,  &x->get[0],
                                &x->get[1],   &x->make[0], &x->make[1]};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++) {
        rd_err_free(op_take_err(&calls[i]->op));
        gcp_call_clear(calls[i]);
    }
    rd_err_free(op_take_err(&x->grant.op));
    gcp_policy_clear(&x->grant);
    for (size_t i = 0; i < ACCOUNTS; i++)
        free(x->email[i]);
    free(x->member);
    free(x);
}

static void ask(struct accounts *x, struct op *op)
{
    struct gcp_client *g = x->s->ctx->gcp;
    const struct config *c = x->s->ctx->config;
    x->state = ST_LOOK;
    x->email[NODES] = mgmt_node_email(c);
    x->email[CONNECTOR] = cc_connector_email(c);
    x->member = rd_asprintf("serviceAccount:%s", x->email[NODES]);
    x->edits_len = mgmt_edits(x->edits, mgmt_node_roles, x->member, x->s->verb == VERB_UNDO);
    gcp_clusters_list(&x->clusters, g, c->project, "-");
    gcp_call_start(&x->clusters, op);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        gcp_account_get(&x->get[i], g, c->project, x->email[i]);
        gcp_call_start(&x->get[i], op);
    }
    if (x->s->ctx->going_down)
        return;
    gcp_policy_get(&x->policy, g, GCP_POLICY_PROJECT, c->project);
    gcp_call_start(&x->policy, op);
}

static bool is_off(const struct accounts *x)
{
    return mgmt_api_off(&x->clusters) || mgmt_api_off(&x->get[0]) || mgmt_api_off(&x->get[1]) ||
           mgmt_api_off(&x->policy);
}

static struct rd_err *first_error(struct accounts *x)
{
    struct rd_err *err = NULL;
    struct gcp_call *calls[] = {&x->get[0], &x->get[1], &x->policy, &x->clusters};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++) {
        struct rd_err *one = op_take_err(&calls[i]->op);
        rd_err_keep(&err, &one);
    }
    return err;
}

/* The cluster is there and not of our making: whoever made it made its accounts. */
static bool is_adopted(const struct accounts *x)
{
    const json_t *cluster = mgmt_cluster_find(x->clusters.result, MGMT_CLUSTER);
    return x->s->ctx->config->adopt || (cluster && !mgmt_is_ours(cluster));
}

static bool needs_node_account(const struct accounts *x)
{
    const json_t *cluster = mgmt_cluster_find(x->clusters.result, MGMT_CLUSTER);
    return !cluster || mgmt_is_ours(cluster);
}

static size_t roles_missing(const struct accounts *x)
{
    size_t missing = 0;
    for (size_t i = 0; i < x->edits_len; i++)
        missing += !gcp_policy_has(x->policy.result, &x->edits[i]);
    return missing;
}

static void look_down_end(struct accounts *x)
{
    struct step_op *s = x->s;
    size_t ours = 0, others = 0;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        ours += x->get[i].result && mgmt_is_ours(x->get[i].result);
        others += x->get[i].result && !mgmt_is_ours(x->get[i].result);
    }
    s->verdict.ours = ours > 0;
    if (ours)
        step_end(s, FOUND_READY, "%zu accounts", ours);
    else if (others)
        mgmt_end_foreign(s, "account", x->get[NODES].result ? MGMT_NODES : MGMT_CONNECTOR);
    else
        step_end(s, FOUND_ABSENT, "not there");
}

static void look_end(struct accounts *x)
{
    struct step_op *s = x->s;
    bool node = needs_node_account(x);
    size_t missing = 0;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        if (!x->get[i].result) {
            missing += i == CONNECTOR || node;
        } else if (!mgmt_is_ours(x->get[i].result) && !is_adopted(x)) {
            mgmt_end_foreign(s, "account", x->email[i]);
            return;
        }
    }
    step_publish(s, "cc.email", json_string(x->email[CONNECTOR]));
    if (missing) {
        mgmt_end_absent(s, "%zu accounts are not there", missing);
        return;
    }
    size_t roles = node ? roles_missing(x) : 0;
    s->verdict.ours = true;
    s->verdict.drifted = roles > 0;
    if (roles && s->may_start)
        step_end(s, FOUND_PENDING, "%zu roles to be given to %s", roles, x->email[NODES]);
    else
        step_end(s, FOUND_READY, "%s", x->email[CONNECTOR]);
}

/* ---- Making ---- */

static void make(struct accounts *x, struct op *op)
{
    const struct step_ctx *ctx = x->s->ctx;
    x->state = ST_MADE;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        if (x->get[i].result || (i == NODES && !needs_node_account(x)))
            continue;
        gcp_account_create(&x->make[i], ctx->gcp, ctx->config->project, ids[i], titles[i],
                           MGMT_DESCRIPTION);
        gcp_call_start(&x->make[i], op);
    }
    if (!op_has_children(op))
        op_wake(op);
}

static void grant(struct accounts *x, struct op *op)
{
    const struct step_ctx *ctx = x->s->ctx;
    x->state = ST_ROLES;
    x->grant.patience = GCP_PATIENT_ACCOUNT;
    x->grant.absent_ok = x->s->verb == VERB_UNDO;
    gcp_policy_start(&x->grant, op, ctx->gcp, GCP_POLICY_PROJECT, ctx->config->project, x->edits,
                     x->edits_len);
}

/* False: the step has been ended. */
static bool settled(struct accounts *x, const char *outcome)
{
    for (size_t i = 0; i < ACCOUNTS; i++) {
        if (!x->make[i].client)
            continue;
        struct rd_err *err = op_take_err(&x->make[i].op);
        if (err && x->make[i].fault.situation != GCP_EXISTS) {
            step_end_error(x->s, err);
            return false;
        }
        RD_AUTOFREE char *title = rd_asprintf("account %s", x->email[i]);
        if (!err)
            mgmt_wrote(x->s, title, outcome);
        rd_err_free(err);
    }
    return true;
}

static void take_away(struct accounts *x, struct op *op)
{
    const struct step_ctx *ctx = x->s->ctx;
    x->state = ST_DELETED;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        if (!x->get[i].result || !mgmt_is_ours(x->get[i].result))
            continue;
        gcp_account_delete(&x->make[i], ctx->gcp, ctx->config->project, x->email[i]);
        gcp_call_start(&x->make[i], op);
    }
    if (!op_has_children(op))
        op_wake(op);
}

static void act(struct accounts *x, struct op *op)
{
    struct step_op *s = x->s;
    bool down = s->verb == VERB_UNDO;
    struct rd_err *err;
    switch (x->state) {
    case ST_LOOK:
        /* A binding of an account that is gone stays behind as "deleted:", so roles go first. */
        if (down && x->get[NODES].result && mgmt_is_ours(x->get[NODES].result))
            grant(x, op);
        else if (down)
            take_away(x, op);
        else
            make(x, op);
        return;
    case ST_MADE:
        if (!settled(x, "created"))
            return;
        if (needs_node_account(x))
            grant(x, op);
        else
            step_end(s, FOUND_PENDING, NULL);
        return;
    case ST_ROLES:
        err = op_take_err(&x->grant.op);
        if (err) {
            step_end_error(s, err);
            return;
        }
        if (x->grant.changed)
            mgmt_wrote(s, "roles of " MGMT_NODES, down ? "taken away" : "given");
        if (down)
            take_away(x, op);
        else
            step_end(s, FOUND_PENDING, "made");
        return;
    case ST_DELETED:
        if (settled(x, "deleted"))
            step_end(s, FOUND_ABSENT, "gone");
        return;
    }
    RD_UNREACHABLE();
}

static void accounts_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct accounts *x = s->priv;
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
            mgmt_end_absent(s, "the accounts are not there");
            return;
        }
        if (err) {
            step_end_error(s, err);
            return;
        }
    }
    if (s->verb == VERB_LOOK || s->verb == VERB_WATCH) {
        if (s->ctx->going_down)
            look_down_end(x);
        else
            look_end(x);
        return;
    }
    act(x, op);
}

static void begin(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct accounts), accounts_step, accounts_free, "mgmt-accounts");
}

void mgmt_accounts_look(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void mgmt_accounts_start(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void mgmt_accounts_undo(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}
