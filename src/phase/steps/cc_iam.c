/* Step `cc-iam`: what Config Connector may do in the project, and that its controller may act as the
 * account which may. The identity pool exists only once a cluster with Workload Identity does, which is
 * why this comes after the cluster. */
#include "phase/steps/mgmt_op.h"

#include "base/alloc.h"
#include "phase/steps/cc.h"

#include <stdlib.h>

enum { ST_BEGIN, ST_LOOK, ST_ROLES, ST_IDENTITY };

struct cc_iam {
    struct step_op *s;
    struct gcp_call account, roles, identity;
    struct gcp_policy grant;
    struct gcp_binding edits[MGMT_EDITS_MAX * 2], user;
    size_t edits_len;
    char *email, *member, *controller, *resource;
    int state;
};

static void cc_iam_free(void *priv)
{
    struct cc_iam *x = priv;
    struct gcp_call *calls[] = {&x->account, &x->roles, &x->identity};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++) {
        rd_err_free(op_take_err(&calls[i]->op));
        gcp_call_clear(calls[i]);
    }
    rd_err_free(op_take_err(&x->grant.op));
    gcp_policy_clear(&x->grant);
    free(x->email);
    free(x->member);
    free(x->controller);
    free(x->resource);
    free(x);
}

static void ask(struct cc_iam *x, struct op *op)
{
    struct gcp_client *g = x->s->ctx->gcp;
    const struct config *c = x->s->ctx->config;
    RD_AUTOFREE char *pool = cc_workload_pool(c);
    x->state = ST_LOOK;
    x->email = cc_connector_email(c);
    x->member = rd_asprintf("serviceAccount:%s", x->email);
    x->resource = rd_asprintf("projects/%s/serviceAccounts/%s", c->project, x->email);
    /* Namespaced mode: the controller's Kubernetes account is named after the namespace it serves. */
    x->controller = rd_asprintf("serviceAccount:%s[cnrm-system/cnrm-controller-manager-%s]", pool,
                                CC_NAMESPACE);
    x->user = (struct gcp_binding){.role = "roles/iam.workloadIdentityUser",
                                   .member = x->controller,
                                   .remove = x->s->verb == VERB_UNDO};
    gcp_account_get(&x->account, g, c->project, x->email);
    gcp_policy_get(&x->roles, g, GCP_POLICY_PROJECT, c->project);
    gcp_policy_get(&x->identity, g, GCP_POLICY_ACCOUNT, x->resource);
    x->identity.not_found_ok = true; /* no account, no binding */
    gcp_call_start(&x->account, op);
    gcp_call_start(&x->roles, op);
    gcp_call_start(&x->identity, op);
}

/* Roles of the other choice go as well, but only from an account of our making. */
static void plan_edits(struct cc_iam *x, bool down)
{
    const struct config *c = x->s->ctx->config;
    x->edits_len = mgmt_edits(x->edits, mgmt_connector_roles(c), x->member, down);
    if (x->account.result && mgmt_is_ours(x->account.result))
        x->edits_len += mgmt_edits(x->edits + x->edits_len, mgmt_connector_roles_dropped(c),
                                   x->member, true);
}

static size_t differing(const struct cc_iam *x)
{
    size_t n = gcp_policy_has(x->identity.result, &x->user) == x->user.remove;
    for (size_t i = 0; i < x->edits_len; i++)
        n += gcp_policy_has(x->roles.result, &x->edits[i]) == x->edits[i].remove;
    return n;
}

static bool has_any(const struct cc_iam *x)
{
    bool any = gcp_policy_has(x->identity.result, &x->user);
    for (size_t i = 0; i < x->edits_len; i++)
        any = any || gcp_policy_has(x->roles.result, &x->edits[i]);
    return any;
}

/* Who may only deploy may not be allowed to read policies: then what the bootstrap did stands. */
static bool may_not_look(struct cc_iam *x)
{
    return !x->s->may_start && !x->s->ctx->going_down &&
           (x->roles.fault.situation == GCP_PERMISSION ||
            x->identity.fault.situation == GCP_PERMISSION);
}

static void look_end(struct cc_iam *x)
{
    struct step_op *s = x->s;
    bool down = s->ctx->going_down;
    plan_edits(x, down);
    if (down) {
        bool ours = !x->account.result || mgmt_is_ours(x->account.result);
        s->verdict.ours = ours && has_any(x);
        if (s->verdict.ours)
            step_end(s, FOUND_READY, "roles of %s", x->email);
        else
            step_end(s, FOUND_ABSENT, ours ? "none are left" : "the account is not ours");
        return;
    }
    size_t n = differing(x);
    s->verdict.ours = n < x->edits_len + 1;
    if (n == 0)
        step_end(s, FOUND_READY, "%s may do its work", x->email);
    else
        mgmt_end_absent(s, "%zu role%s of %s to be changed", n, RD_PLURAL(n), x->email);
}

static void grant(struct cc_iam *x, struct op *op, int state)
{
    const struct step_ctx *ctx = x->s->ctx;
    bool project = state == ST_ROLES;
    x->state = state;
    rd_err_free(op_take_err(&x->grant.op));
    gcp_policy_clear(&x->grant);
    x->grant.patience = GCP_PATIENT_ACCOUNT;
    x->grant.absent_ok = x->s->verb == VERB_UNDO;
    gcp_policy_start(&x->grant, op, ctx->gcp, project ? GCP_POLICY_PROJECT : GCP_POLICY_ACCOUNT,
                     project ? ctx->config->project : x->resource, project ? x->edits : &x->user,
                     project ? x->edits_len : 1);
}

static bool granted(struct cc_iam *x, const char *what)
{
    struct rd_err *err = op_take_err(&x->grant.op);
    if (err) {
        step_end_error(x->s, err);
        return false;
    }
    if (x->grant.changed)
        mgmt_wrote(x->s, what, x->s->verb == VERB_UNDO ? "taken away" : "given");
    return true;
}

static void looked(struct cc_iam *x, struct op *op)
{
    struct step_op *s = x->s;
    bool quiet = may_not_look(x);
    bool off = mgmt_api_off(&x->account) || mgmt_api_off(&x->roles) || mgmt_api_off(&x->identity);
    struct rd_err *first = op_take_err(&x->account.op);
    struct rd_err *second = op_take_err(&x->roles.op), *third = op_take_err(&x->identity.op);
    rd_err_keep(&first, &second);
    rd_err_keep(&first, &third);
    if (first && off && s->verb == VERB_LOOK) {
        rd_err_free(first);
        mgmt_end_absent(s, "no roles have been given yet");
    } else if (first && quiet) {
        rd_err_free(first);
        step_end(s, FOUND_READY, "roles may not be read; they are as bootstrap left them");
    } else if (first) {
        step_end_error(s, first);
    } else if (s->verb == VERB_LOOK || s->verb == VERB_WATCH) {
        look_end(x);
    } else {
        plan_edits(x, s->verb == VERB_UNDO);
        grant(x, op, ST_ROLES);
    }
}

static void cc_iam_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct cc_iam *x = s->priv;
    x->s = s;
    if (mgmt_rests(op))
        return;
    switch (x->state) {
    case ST_BEGIN:
        ask(x, op);
        return;
    case ST_LOOK:
        looked(x, op);
        return;
    case ST_ROLES:
        if (granted(x, "roles of " MGMT_CONNECTOR))
            grant(x, op, ST_IDENTITY);
        return;
    case ST_IDENTITY:
        if (granted(x, "Workload Identity of " MGMT_CONNECTOR))
            step_end(s, s->verb == VERB_UNDO ? FOUND_ABSENT : FOUND_PENDING, "done");
        return;
    }
    RD_UNREACHABLE();
}

static void begin(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct cc_iam), cc_iam_step, cc_iam_free, "cc-iam");
}

void cc_iam_look(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void cc_iam_start(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void cc_iam_undo(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}
