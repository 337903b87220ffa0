/* Going down. Each step is looked at in the order of needs first; its undoing comes in its turn,
 * when its dependents are gone. */
#include "phase/core/machine.h"

#define POLL_MAX_MS 15000

static bool is_surveyed(const struct phase *p, unsigned i)
{
    return p->steps[i].surveyed;
}

/* Its turn has come: what was found decides. */
static void decide(struct phase *p, unsigned i, enum phase_verb verb)
{
    struct phase_step_live *s = &p->steps[i];
    const struct phase_verdict *v = &s->last;
    switch (v->found) {
    case FOUND_ABSENT:
        step_done(p, i);
        return;
    case FOUND_FOREIGN:
        step_move(p, i, STEP_KEPT);
        return;
    case FOUND_LEAVING:
        step_pause_poll(p, i, POLL_MAX_MS);
        return;
    case FOUND_READY:
    case FOUND_PENDING:
    case FOUND_FAILING:
    case FOUND_FAILED:
        if (v->kept || (!v->ours && v->found != FOUND_FAILED && verb == VERB_LOOK))
            step_move(p, i, STEP_KEPT);
        else if (v->found == FOUND_FAILED && (!v->ours || verb == VERB_UNDO))
            step_fail(p, i, v->kind); /* it could not be looked at, or not be undone */
        else if (verb == VERB_LOOK)
            step_act(p, i, VERB_UNDO);
        else
            step_pause_poll(p, i, POLL_MAX_MS); /* UNDO was taken; it goes in its own time */
        return;
    case FOUND_UNREACHABLE:
        step_pause_miss(p, i, 0);
        return;
    case PHASE_FINDING_MAX:
        break;
    }
    RD_UNREACHABLE();
}

/* Not to be undone: only what others learn from it counts. */
static void bystander(struct phase *p, unsigned i)
{
    const struct phase_verdict *v = &p->steps[i].last;
    bool must_hold = p->defs[i].look_only;
    switch (v->found) {
    case FOUND_UNREACHABLE:
        step_pause_miss(p, i, 0);
        return;
    case FOUND_ABSENT:
        step_move(p, i, STEP_GONE);
        return;
    case FOUND_FAILED:
        step_fail(p, i, v->kind);
        return;
    case FOUND_FAILING:
        if (must_hold)
            step_fail(p, i, v->kind);
        else
            step_done(p, i);
        return;
    default:
        step_done(p, i);
    }
}

/* The limit of the undoing starts now. */
static void take_turn(struct phase *p, unsigned i, enum phase_verb verb)
{
    p->steps[i].undo_turn = true;
    step_begin(p, i);
    decide(p, i, verb);
}

void down_verdict(struct phase *p, unsigned i, enum phase_verb verb)
{
    struct phase_step_live *s = &p->steps[i];
    if (s->last.found != FOUND_UNREACHABLE) {
        s->misses = 0;
        s->surveyed = true;
    }
    if (!step_wanted(p, i) || p->defs[i].look_only)
        bystander(p, i);
    else if (s->undo_turn || s->last.found == FOUND_UNREACHABLE)
        decide(p, i, verb);
    else if (s->last.found == FOUND_FAILED && !s->last.ours)
        step_fail(p, i, s->last.kind);
    else if (needs_met(p, i) && lock_open(p, i))
        take_turn(p, i, verb);
    else
        step_move(p, i, STEP_BLOCKED); /* until its turn */
}

static bool its_turn(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    if (!steps_all(p, step_down_after(p, i), step_not_lost)) {
        step_move(p, i, STEP_HELD);
        return true;
    }
    if (!needs_met(p, i) || !lock_open(p, i))
        return false;
    bool fresh = p->now_ms - s->seen_ms <= PHASE_FRESH_MS;
    for (unsigned k = 0; k < p->count; k++)
        if ((p->defs[i].down_after & p->closure & STEP_BIT(k)) && p->steps[k].ended_ms >= s->seen_ms)
            fresh = false;
    if (!s->undo_turn && fresh)
        take_turn(p, i, VERB_LOOK);
    else
        step_look(p, i);
    return true;
}

bool down_pump(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    if (s->state == STEP_BLOCKED && s->surveyed)
        return its_turn(p, i);
    if (s->state == STEP_BLOCKED && !steps_all(p, p->defs[i].needs, step_not_lost)) {
        step_move(p, i, STEP_HELD);
        return true;
    }
    if (s->state == STEP_BLOCKED && steps_all(p, p->defs[i].needs, is_surveyed) &&
        lock_open(p, i)) {
        step_look(p, i);
        return true;
    }
    bool resting = s->state == STEP_PAUSING || (s->state == STEP_LEAVING && s->run_id == 0);
    if (resting && s->wake_ms <= p->now_ms) {
        step_look(p, i);
        return true;
    }
    return false;
}
