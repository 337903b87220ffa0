/* The ops of steps: from RUN to verdict. */
#include "phase/drive/hall.h"

#include "base/alloc.h"
#include "loop/loop.h"

#include <stdlib.h>
#include <string.h>

void hall_step_run(struct hall *h, const struct phase_command *c)
{
    struct hall_step *hs = &h->steps[c->step];
    const struct step_row *row = &h->o->rows[c->step];
    RD_ASSERT(!hs->active);
    enum phase_verb verb = c->verb;
    if (verb == VERB_WATCH && !row->verbs[verb])
        verb = VERB_LOOK; /* no watch: it is polled */
    RD_ASSERT(row->verbs[verb]);
    struct step_op *s = &hs->run;
    step_op_clear(s);
    memset(s, 0, sizeof *s);
    s->ctx = &h->ctx;
    s->row = row;
    s->verb = c->verb;
    s->may_start = h->ctx.dry_run || (h->o->goal.kind == GOAL_UP && (h->o->goal.may_start >> c->step & 1));
    s->half_made = (h->inventory.applied & ~h->inventory.settled) >> c->step & 1;
    /* A verb that ends without a word is our bug, and must not pass for a finding. */
    s->verdict.found = FOUND_FAILED;
    s->verdict.kind = RD_ERR_INTERNAL;
    hs->active = true;
    hs->run_id = c->run_id;
    row->verbs[verb](s, &h->op);
    RD_ASSERT(op_running(&s->op));
    if (c->deadline_ms != RD_NEVER)
        op_set_deadline(&s->op, c->deadline_ms);
}

/* A row that is ready without its facts would let dependents run into nothing. */
static void check_facts(struct hall *h, struct step_op *s)
{
    fact_set missing = s->row->core.publishes & ~(h->phase.facts | s->verdict.facts);
    if (h->o->goal.kind != GOAL_UP || s->verdict.found != FOUND_READY || !missing)
        return;
    const char *name = "?";
    for (unsigned i = 0; step_facts[i]; i++)
        if (missing & ((fact_set)1 << i))
            name = step_facts[i];
    struct rd_err *err =
        rd_err_new(RD_ERR_INTERNAL, "step %s is ready but did not say %s", s->row->core.id, name);
    step_verdict_from_error(s, err);
}

void hall_step_collect(struct hall *h)
{
    for (unsigned i = 0; i < h->o->row_count; i++) {
        struct hall_step *hs = &h->steps[i];
        if (!hs->active || !op_ended(&hs->run.op))
            continue;
        hs->active = false;
        struct step_op *s = &hs->run;
        struct rd_err *err = op_take_err(&s->op);
        if (err) {
            if (err->kind == RD_ERR_TIMEOUT)
                err = step_timed_out(s, err, hs->err);
            step_verdict_from_error(s, err);
        }
        check_facts(h, s);
        if (s->reason)
            rd_str_dup(&hs->reason, s->reason);
        if (s->verb == VERB_LOOK) {
            json_decref(hs->asks);
            hs->asks = json_incref(s->asks);
        }
        if (s->answered)
            hall_answered(h, i);
        rd_err_free(hs->err);
        hs->err = rd_err_dup(s->why);
        struct phase_event e = {.type = EV_VERDICT};
        e.u.verdict.step = i;
        e.u.verdict.verb = s->verb;
        e.u.verdict.run_id = hs->run_id;
        e.u.verdict.verdict = s->verdict;
        hall_event(h, &e);
    }
}
