/* What every step's verbs share: how they end, how they speak, how they publish. */
#include "phase/steps/step.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

int steps_find(const struct step_row *rows, unsigned count, const char *id)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(rows[i].core.id, id) == 0)
            return (int)i;
    return -1;
}

void step_end(struct step_op *s, enum phase_finding found, const char *reason_fmt, ...)
{
    s->verdict.found = found;
    if (reason_fmt != NULL) {
        va_list ap;
        va_start(ap, reason_fmt);
        rd_str_take(&s->reason, rd_vasprintf(reason_fmt, ap));
        va_end(ap);
    }
    /* An error set beside the verdict decides the exit code. */
    if (s->why != NULL)
        s->verdict.kind = s->why->kind;
    op_finish(&s->op, NULL);
}

void step_verdict_from_error(struct step_op *s, struct rd_err *take)
{
    RD_ASSERT(take != NULL);
    s->verdict.kind = take->kind;
    s->verdict.retry_after_ms = take->retry_after_ms;
    if (rd_err_transient(take->kind) || take->kind == RD_ERR_CANCELLED)
        s->verdict.found = FOUND_UNREACHABLE;
    else if (take->kind == RD_ERR_FOREIGN)
        s->verdict.found = FOUND_FOREIGN;
    else
        s->verdict.found = FOUND_FAILED;
    rd_str_dup(&s->reason, take->message);
    rd_err_free(s->why);
    s->why = take;
}

struct rd_err *step_timed_out(struct step_op *s, struct rd_err *take, const struct rd_err *met)
{
    RD_ASSERT(take->kind == RD_ERR_TIMEOUT);
    struct rd_err *err = s->trouble;
    s->trouble = NULL;
    if (err == NULL && take->bare != RD_ERR_TELLING && s->reason == NULL &&
        (met == NULL || met->bare == RD_ERR_TELLING))
        err = rd_err_dup(met);
    if (err != NULL) {
        if (err->kind != RD_ERR_CREDENTIALS)
            err->kind = RD_ERR_TIMEOUT;
        if (take->bare != RD_ERR_NAMELESS && err->cause == NULL) {
            err->cause = take; /* where it was cut off */
            take = NULL;
        }
        if (!rd_starts_with(err->message, "out of time"))
            rd_err_wrap(err, "out of time");
        rd_err_free(take);
        return err;
    }
    /* What it was waiting for when the time was up says more than that it was up. */
    if (s->reason != NULL && strstr(take->message, s->reason) == NULL) {
        rd_err_wrap(take, "%s", s->reason);
        take->bare = RD_ERR_TELLING;
    }
    return take;
}

void step_end_error(struct step_op *s, struct rd_err *take)
{
    /* A pause that would have passed the deadline. */
    if (take->bare == RD_ERR_NAMELESS)
        take = step_timed_out(s, take, NULL);
    step_verdict_from_error(s, take);
    op_finish(&s->op, NULL);
}

void step_note(struct step_op *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    if (s->reason != NULL && strcmp(s->reason, text) == 0)
        return;
    rd_str_dup(&s->reason, text);
    struct phase_note n = {
        .event = NOTE_STEP,
        .level = NOTE_INFO,
        .step = s->row->core.id,
        .state = NOTE_RUNNING,
        .message = text,
    };
    s->ctx->notes->emit(s->ctx->notes, &n);
}

void step_note_resource(struct step_op *s, enum note_level level, const char *resource,
                        const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    struct phase_note n = {
        .event = NOTE_RESOURCE,
        .level = level,
        .step = s->row->core.id,
        .resource = resource,
        .message = text,
    };
    s->ctx->notes->emit(s->ctx->notes, &n);
}

fact_set step_fact_bit(const char *fact)
{
    for (unsigned i = 0; step_facts[i] != NULL; i++) {
        RD_ASSERT(i < 64);
        if (strcmp(step_facts[i], fact) == 0)
            return (fact_set)1 << i;
    }
    RD_UNREACHABLE();
}

void step_publish(struct step_op *s, const char *fact, json_t *take)
{
    RD_ASSERT(take != NULL);
    fact_set bit = step_fact_bit(fact);
    RD_ASSERT(s->row->core.publishes & bit);
    json_object_set_new(s->ctx->facts, fact, take);
    s->verdict.facts |= bit;
}

const json_t *step_fact(const struct step_ctx *c, const char *fact)
{
    return json_object_get(c->facts, fact);
}

static void without_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    step_end(s, FOUND_ABSENT, "its cluster is not there");
}

bool step_without_cluster(struct step_op *s, struct op *parent)
{
    if (s->ctx->workload != NULL || s->verb != VERB_LOOK)
        return false;
    op_start(&s->op, parent, without_step, "without cluster");
    return true;
}

void step_op_clear(struct step_op *s)
{
    RD_ASSERT(!op_running(&s->op));
    if (s->free_priv != NULL && s->priv != NULL)
        s->free_priv(s->priv);
    s->priv = NULL;
    s->free_priv = NULL;
    free(s->reason);
    s->reason = NULL;
    rd_err_freep(&s->why);
    rd_err_freep(&s->trouble);
    rd_json_decrefp(&s->asks);
    rd_err_freep(&s->op.err);
}
