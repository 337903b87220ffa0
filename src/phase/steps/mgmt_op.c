#include "phase/steps/mgmt_op.h"

#include "base/alloc.h"
#include "phase/steps/cc.h"

void mgmt_begin(struct step_op *s, struct op *parent, size_t size, void (*step)(struct op *),
                void (*free_priv)(void *), const char *name)
{
    s->priv = rd_calloc(1, size);
    s->free_priv = free_priv;
    op_start(&s->op, parent, step, name);
}

bool mgmt_rests(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return true;
    }
    if (op_has_children(op))
        return true;
    if (google_connect(s->ctx, &err))
        return false;
    step_end_error(s, err);
    return true;
}

bool mgmt_api_off(const struct gcp_call *k)
{
    return k->fault.situation == GCP_API_OFF;
}

void mgmt_end_absent(struct step_op *s, const char *reason_fmt, ...)
{
    va_list ap;
    va_start(ap, reason_fmt);
    RD_AUTOFREE char *text = rd_vasprintf(reason_fmt, ap);
    va_end(ap);
    if (!s->may_start && !s->ctx->going_down && !s->why) {
        s->why = rd_err_new(RD_ERR_PREFLIGHT, "%s", text);
        rd_err_hint(s->why, "Run `raydeploy bootstrap`, or `raydeploy up --bootstrap` for both.");
    }
    step_end(s, FOUND_ABSENT, "%s", text);
}

void mgmt_end_foreign(struct step_op *s, const char *what, const char *name)
{
    if (s->ctx->going_down) {
        s->verdict.kept = true;
        step_end(s, FOUND_FOREIGN, "%s %s is not ours and stays", what, name);
        return;
    }
    s->why = rd_err_new(RD_ERR_FOREIGN, "%s %s is there already and is not marked as raydeploy's",
                        what, name);
    rd_err_hint(s->why, "Remove it, take another project, or run the same command with --adopt to "
                        "take it over.");
    rd_err_resource(s->why, "%s", name);
    step_end(s, FOUND_FOREIGN, "%s", s->why->message);
}

void mgmt_wrote(struct step_op *s, const char *resource, const char *outcome)
{
    s->ctx->writes++;
    step_note_resource(s, NOTE_INFO, resource, "%s", outcome);
}

bool mgmt_goes(const struct step_ctx *ctx)
{
    return json_is_true(json_object_get(ctx->session, "management"));
}

char *mgmt_node_email(const struct config *c)
{
    return cc_account_email(c, MGMT_NODES);
}
