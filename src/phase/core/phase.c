/* The door of the core: events in, commands out, and the clock's own business. */
#include "phase/core/machine.h"

static void on_start(struct phase *p, const struct phase_event *e)
{
    RD_ASSERT(!p->started);
    p->started = true;
    p->goal = e->u.start.goal;
    p->rng = e->u.start.seed;
    p->needs_lock = e->u.start.needs_lock;
    p->begun_ms = p->now_ms;
    p->run_limit_at_ms = RD_NEVER;
    if (p->goal.run_limit_ms && p->goal.run_limit_ms < RD_NEVER - p->now_ms)
        p->run_limit_at_ms = p->now_ms + p->goal.run_limit_ms;
    p->closure = phase_closure(p->defs, p->count, p->goal.want);
    for (unsigned i = 0; i < p->count; i++)
        if (p->closure & STEP_BIT(i))
            step_move(p, i, STEP_BLOCKED);
}

static void on_verdict(struct phase *p, const struct phase_event *e)
{
    unsigned i = e->u.verdict.step;
    RD_ASSERT(i < p->count);
    struct phase_step_live *s = &p->steps[i];
    if (s->run_id == 0 || s->run_id != e->u.verdict.run_id)
        return; /* said twice */
    RD_ASSERT(s->verb == e->u.verdict.verb);
    s->run_id = 0;
    s->stopping = false;
    s->stop_at_ms = RD_NEVER;
    s->seen_ms = p->now_ms;
    s->last = e->u.verdict.verdict;
    p->facts |= s->last.facts;
    if (p->halt)
        phase_halted_verdict(p, i, s->verb);
    else if (p->goal.kind == GOAL_UP)
        up_verdict(p, i, s->verb);
    else if (p->goal.kind == GOAL_LOOK)
        look_verdict(p, i);
    else
        down_verdict(p, i, s->verb);
}

static void on_journaled(struct phase *p, uint64_t seq, bool ok)
{
    if (!ok) {
        phase_halt(p, HALT_JOURNAL);
        return;
    }
    for (unsigned i = 0; i < p->count; i++) {
        struct phase_step_live *s = &p->steps[i];
        if (s->state != STEP_INTENDING || s->seq != seq)
            continue;
        s->seq = 0;
        s->intent_durable = true;
        /* Writing may have taken long: what was looked at before may no longer hold. */
        if (!lock_open(p, i) || !needs_met(p, i) || p->now_ms - s->seen_ms > PHASE_FRESH_MS) {
            step_move(p, i, STEP_BLOCKED);
        } else {
            step_move(p, i, s->intent_verb == VERB_START ? STEP_STARTING : STEP_UNDOING);
            step_run(p, i, s->intent_verb);
        }
    }
}

static void on_lock(struct phase *p, uint64_t until_ms)
{
    if (until_ms == 0) {
        phase_halt(p, HALT_LOCK);
        return;
    }
    p->lock_until_ms = until_ms;
    p->lock_margin_ms = until_ms > p->now_ms ? (until_ms - p->now_ms) / 10 : 0;
    if (p->lock_margin_ms < PHASE_LOCK_MARGIN_MS)
        p->lock_margin_ms = PHASE_LOCK_MARGIN_MS;
}

static void check_clock(struct phase *p)
{
    if (p->now_ms >= p->run_limit_at_ms)
        phase_halt(p, HALT_RUN_LIMIT);
    for (unsigned i = 0; i < p->count; i++) {
        struct phase_step_live *s = &p->steps[i];
        if (step_settled(s->state))
            continue;
        bool late = s->limit_at_ms && p->now_ms >= s->limit_at_ms;
        bool lapsed = s->run_id && verb_mutates(s->verb) && !lock_open(p, i);
        if (s->run_id && (late || lapsed || p->now_ms >= s->stop_at_ms))
            step_stop(p, i);
        else if (!s->run_id && late && !p->halt)
            step_fail_limit(p, i);
    }
}

static void pump(struct phase *p)
{
    bool moved;
    do {
        moved = false;
        for (unsigned i = 0; i < p->count && !p->halt; i++) {
            if (step_settled(p->steps[i].state))
                continue;
            if (p->goal.kind == GOAL_UP)
                moved |= up_pump(p, i);
            else if (p->goal.kind == GOAL_LOOK)
                moved |= look_pump(p, i);
            else
                moved |= down_pump(p, i);
        }
    } while (moved);
}

static void end_if_over(struct phase *p)
{
    if (p->goal.kind == GOAL_UP && !p->halt && !up_last_look(p))
        return;
    for (unsigned i = 0; i < p->count; i++)
        if (!step_settled(p->steps[i].state))
            return;
    phase_end(p);
}

void phase_step(struct phase *p, const struct phase_event *e, struct phase_commands *out)
{
    out->len = 0;
    if (p->ended)
        return;
    RD_ASSERT(p->started || e->type == EV_START);
    p->out = out;
    if (e->now_ms > p->now_ms)
        p->now_ms = e->now_ms;
    switch (e->type) {
    case EV_START:
        on_start(p, e);
        break;
    case EV_TICK:
        break;
    case EV_VERDICT:
        on_verdict(p, e);
        break;
    case EV_JOURNALED:
        on_journaled(p, e->u.journaled.seq, e->u.journaled.ok);
        break;
    case EV_LOCK:
        on_lock(p, e->u.lock.until_ms);
        break;
    case EV_CANCEL:
        p->cancelled = true;
        phase_halt(p, HALT_CANCEL);
        break;
    case EV_ABORT:
        p->cancelled = true;
        phase_end(p);
        p->out->v[p->out->len - 1].ok = false;
        p->out = NULL;
        return;
    }
    check_clock(p);
    pump(p);
    end_if_over(p);
    p->out = NULL;
}

static bool is_surveyed(const struct phase *p, unsigned i)
{
    return p->steps[i].surveyed;
}

bool phase_wants_lock(const struct phase *p)
{
    if (!p->started || p->ended || p->halt)
        return false;
    for (unsigned i = 0; i < p->count; i++) {
        if (p->steps[i].state != STEP_BLOCKED || lock_open(p, i))
            continue;
        bool first_look = p->goal.kind == GOAL_DOWN && !p->steps[i].surveyed;
        if (first_look ? steps_all(p, p->defs[i].needs, is_surveyed) : needs_met(p, i))
            return true;
    }
    return false;
}

static void sooner(uint64_t *wake, uint64_t at)
{
    if (at < *wake)
        *wake = at;
}

uint64_t phase_wake_ms(const struct phase *p)
{
    uint64_t wake = RD_NEVER;
    if (!p->started || p->ended)
        return wake;
    if (p->halt < HALT_RUN_LIMIT)
        sooner(&wake, p->run_limit_at_ms);
    for (unsigned i = 0; i < p->count; i++) {
        const struct phase_step_live *s = &p->steps[i];
        if (step_settled(s->state) || s->stopping)
            continue;
        sooner(&wake, s->wake_ms);
        if (s->limit_at_ms)
            sooner(&wake, s->limit_at_ms);
        sooner(&wake, s->stop_at_ms);
        if (s->run_id && verb_mutates(s->verb) && p->lock_until_ms && lock_open(p, i) &&
            p->needs_lock && !p->defs[i].unlocked)
            sooner(&wake, p->lock_until_ms - p->lock_margin_ms);
    }
    return wake;
}
