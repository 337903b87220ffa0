/* Step `preflight`: the credential works, the project is there and active, billing is on, and nothing
 * of what the command will do later is forbidden. Everything that is wrong is said at once. */
#include "phase/steps/mgmt_op.h"

#include "auth/auth.h"
#include "base/alloc.h"
#include "phase/steps/chart_fetch.h"
#include "phase/steps/findings.h"
#include "phase/steps/kuberay.h"

#include <stdlib.h>

#define SKEW_WORTH_A_WORD_MS 60000

struct preflight {
    struct step_op *s;
    struct gcp_call project, billing, permissions, clusters;
    struct chart_fetch chart; /* needed in ten minutes, but not to be had is known now */
    struct findings findings;
    unsigned purpose;
    bool asked;
};

static void preflight_free(void *priv)
{
    struct preflight *x = priv;
    struct gcp_call *calls[] = {&x->project, &x->billing, &x->permissions, &x->clusters};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++) {
        rd_err_free(op_take_err(&calls[i]->op));
        gcp_call_clear(calls[i]);
    }
    rd_err_free(op_take_err(&x->chart.op));
    chart_fetch_clear(&x->chart);
    findings_clear(&x->findings);
    free(x);
}

static void ask(struct preflight *x, struct op *op)
{
    struct step_op *s = x->s;
    struct gcp_client *c = s->ctx->gcp;
    const char *project = s->ctx->config->project;
    x->asked = true;
    gcp_project_get(&x->project, c, project);
    gcp_call_start(&x->project, op);
    if (s->may_start && kuberay_wants_chart(s->ctx))
        chart_fetch_start(&x->chart, op, s->ctx);
    if (!s->may_start) /* to look, or to take away what is there, the answers themselves will tell */
        return;
    bool bootstrap =
        s->ctx->dry_run || json_is_true(json_object_get(s->ctx->session, "bootstrap"));
    x->purpose = MGMT_FOR_UP | (bootstrap ? MGMT_FOR_BOOTSTRAP : 0);
    const char *names[100];
    size_t n = mgmt_permission_names(x->purpose, names);
    gcp_project_test_permissions(&x->permissions, c, project, names, n);
    gcp_call_start(&x->permissions, op);
    gcp_billing_info(&x->billing, c, project);
    gcp_call_start(&x->billing, op);
    if (s->ctx->dry_run) { /* who finds the management cluster there need not be able to make it */
        gcp_clusters_list(&x->clusters, c, project, "-");
        gcp_call_start(&x->clusters, op);
    }
}

/* An API that is off answers nothing yet; step `apis` turns it on, and what is wrong shows then. */
static bool unknown_yet(struct preflight *x, struct gcp_call *k, const char *what)
{
    if (!k->op.err || !mgmt_api_off(k))
        return false;
    step_note_resource(x->s, NOTE_DEBUG, what, "unknown until %s is on",
                       k->fault.service ? k->fault.service : "its API");
    return true;
}

static void judge_clock(struct preflight *x)
{
    int64_t theirs;
    if (!x->project.http.req.date || !rd_http_date_parse(x->project.http.req.date, &theirs))
        return;
    int64_t skew = theirs - (int64_t)rd_wall_ms();
    if (skew < 0)
        skew = -skew;
    if (skew < SKEW_WORTH_A_WORD_MS)
        return;
    char text[32];
    rd_duration_text((uint64_t)skew, text);
    RD_AUTOFREE char *line = rd_asprintf("this machine's clock and Google's differ by %s: set it, "
                                         "or tokens may be refused",
                                         text);
    google_on_warning(x->s->ctx, line);
}

/* Without the project nothing else can be known. */
static bool judge_project(struct preflight *x)
{
    const struct config *c = x->s->ctx->config;
    if (unknown_yet(x, &x->project, "project"))
        return true;
    struct rd_err *err = op_take_err(&x->project.op);
    if (err) {
        step_end_error(x->s, err);
        return false;
    }
    judge_clock(x);
    const char *state = rd_json_str(x->project.result, "lifecycleState", NULL);
    if (state && !rd_streq(state, "ACTIVE")) {
        err = rd_err_new(RD_ERR_PREFLIGHT, "project %s is not active: %s", c->project, state);
        rd_err_hint(err, "Restore it, or name another project (--project): "
                         "https://console.cloud.google.com/cloud-resource-manager");
        findings_add(&x->findings, err);
    }
    return true;
}

static void judge_billing(struct preflight *x)
{
    const char *project = x->s->ctx->config->project;
    if (unknown_yet(x, &x->billing, "billing"))
        return;
    if (x->billing.op.err && x->billing.fault.situation == GCP_PERMISSION) {
        step_note_resource(x->s, NOTE_DEBUG, "billing", "may not be read");
        return; /* enabling the APIs tells */
    }
    struct rd_err *err = op_take_err(&x->billing.op);
    if (!err && !rd_json_path_bool(x->billing.result, "billingEnabled", false)) {
        err = rd_err_new(RD_ERR_PREFLIGHT, "project %s has no billing account", project);
        rd_err_hint(err, "Link one: https://console.cloud.google.com/billing/linkedaccount?project=%s",
                    project);
        rd_err_resource(err, "projects/%s", project);
    }
    findings_add(&x->findings, err);
}

static void judge_permissions(struct preflight *x)
{
    if (unknown_yet(x, &x->permissions, "permissions"))
        return;
    if (mgmt_cluster_find(x->clusters.result, MGMT_CLUSTER))
        x->purpose &= ~(unsigned)MGMT_FOR_BOOTSTRAP;
    struct rd_err *err = op_take_err(&x->permissions.op);
    if (!err) {
        const struct step_ctx *ctx = x->s->ctx;
        const char *email = auth_google_email(gcp_client_auth(ctx->gcp));
        err = mgmt_permissions_missing(x->purpose, x->permissions.result,
                                       email ? email : "the identity raydeploy runs as",
                                       ctx->config->project);
    }
    findings_add(&x->findings, err);
}

/* A repository that does not answer just now may be back when it is needed. */
static void judge_chart(struct preflight *x)
{
    if (!x->chart.ctx)
        return;
    struct rd_err *err = op_take_err(&x->chart.op);
    if (!err) {
        kuberay_keep_chart(x->s->ctx, &x->chart);
    } else if (rd_err_transient(err->kind)) {
        step_note_resource(x->s, NOTE_WARN, "KubeRay chart", "%s", err->message);
        rd_err_free(err);
    } else {
        findings_add(&x->findings, err);
    }
}

static void preflight_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct preflight *x = s->priv;
    x->s = s;
    if (mgmt_rests(op))
        return;
    if (!x->asked) {
        ask(x, op);
        return;
    }
    if (!judge_project(x))
        return;
    if (s->may_start) {
        judge_billing(x);
        judge_permissions(x);
        judge_chart(x);
    }
    struct rd_err *err = findings_take(&x->findings);
    if (err) {
        step_end_error(s, err);
        return;
    }
    step_end(s, FOUND_READY, "project %s", s->ctx->config->project);
}

void preflight_look(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct preflight), preflight_step, preflight_free, "preflight");
}
