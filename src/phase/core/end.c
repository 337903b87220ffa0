/* Ends: stopping early, and what the whole run comes to. */
#include "phase/core/machine.h"

/* The state of a step that an early end leaves unfinished. */
static void leave(struct phase *p, unsigned i)
{
    bool active = p->steps[i].state != STEP_BLOCKED;
    if (p->halt == HALT_RUN_LIMIT && active) {
        p->steps[i].fail_kind = RD_ERR_TIMEOUT;
        step_move(p, i, STEP_FAILED);
    } else {
        step_move(p, i, STEP_CANCELLED);
    }
}

void phase_halt(struct phase *p, enum phase_halt why)
{
    if (p->halt >= why)
        return;
    p->halt = why;
    for (unsigned i = 0; i < p->count; i++) {
        struct phase_step_live *s = &p->steps[i];
        if (step_settled(s->state))
            continue;
        if (s->run_id == 0)
            leave(p, i);
        else if (!verb_mutates(s->verb) || why == HALT_LOCK || why == HALT_RUN_LIMIT)
            step_stop(p, i);
        else if (s->stop_at_ms == RD_NEVER)
            s->stop_at_ms = p->now_ms + PHASE_SETTLE_MS;
    }
}

/* Nothing new starts, but what an op still found out counts. */
void phase_halted_verdict(struct phase *p, unsigned i, enum phase_verb verb)
{
    struct phase_step_live *s = &p->steps[i];
    const struct phase_verdict *v = &s->last;
    bool must_act = p->defs[i].every_run && s->acts == 0;
    if (p->goal.kind == GOAL_UP && v->found == FOUND_READY && !v->drifted && !must_act &&
        (p->facts & p->defs[i].publishes) == p->defs[i].publishes) {
        step_done(p, i);
    } else if (p->goal.kind == GOAL_DOWN && v->found == FOUND_ABSENT && verb == VERB_UNDO) {
        step_done(p, i);
    } else if (v->found == FOUND_FAILED &&
               (verb_mutates(verb) || (verb == VERB_WATCH && p->halt == HALT_RUN_LIMIT))) {
        s->fail_kind = v->kind;
        step_move(p, i, STEP_FAILED);
    } else {
        leave(p, i);
    }
}

/* Smaller is graver. */
static unsigned gravity(enum rd_err_kind kind)
{
    switch (kind) {
    case RD_ERR_INTERNAL:
        return 0;
    case RD_ERR_CREDENTIALS:
        return 1;
    case RD_ERR_FOREIGN:
        return 2;
    case RD_ERR_INPUT:
        return 3;
    case RD_ERR_PREFLIGHT:
        return 4;
    case RD_ERR_REMAINS:
        return 6;
    case RD_ERR_JOB:
        return 7;
    case RD_ERR_TIMEOUT:
    case RD_ERR_TRANSIENT:
        return 8;
    default:
        return 5;
    }
}

static enum rd_err_kind exit_kind_of(const struct phase *p, unsigned i)
{
    enum rd_err_kind kind = p->steps[i].fail_kind;
    if (p->goal.kind != GOAL_DOWN || p->defs[i].look_only)
        return kind;
    return kind == RD_ERR_CREDENTIALS || kind == RD_ERR_INTERNAL ? kind : RD_ERR_REMAINS;
}

void phase_end(struct phase *p)
{
    bool reached = true;
    unsigned gravest = PHASE_NO_STEP;
    enum rd_err_kind kind = RD_ERR_CANCELLED;
    for (unsigned i = 0; i < p->count; i++) {
        if (!(p->closure & STEP_BIT(i)))
            continue;
        if (!step_not_lost(p, i))
            reached = false;
        if (p->steps[i].state != STEP_FAILED)
            continue;
        enum rd_err_kind k = exit_kind_of(p, i);
        if (gravest == PHASE_NO_STEP || gravity(k) < gravity(kind)) {
            gravest = i;
            kind = k;
        }
    }
    if (!reached && gravest == PHASE_NO_STEP && p->halt == HALT_RUN_LIMIT)
        kind = RD_ERR_TIMEOUT;
    if (p->halt == HALT_JOURNAL)
        kind = RD_ERR_FAILED;
    if (p->halt == HALT_LOCK)
        kind = RD_ERR_LOCKED;
    if (p->halt == HALT_JOURNAL || p->halt == HALT_LOCK)
        gravest = PHASE_NO_STEP;
    if (p->halt != HALT_JOURNAL) {
        struct phase_command *r = emit(p, CMD_JOURNAL, PHASE_NO_STEP);
        r->seq = ++p->next_seq;
        r->record = REC_END;
    }
    struct phase_command *c = emit(p, CMD_END, gravest);
    c->ok = reached;
    c->cancelled = p->cancelled;
    c->exit_kind = kind;
    p->ended = true;
}
