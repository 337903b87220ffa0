/* Going up, and looking only: what a verdict means for the step it is about. */
#include "phase/core/machine.h"

#define POLL_MAX_MS 15000
#define COMPLAINT_POLL_MAX_MS 2000
#define LOOK_MISSES_MAX 3

/* A last look found it wanting: what was built on it may be gone too. */
static void count_mend(struct phase *p, unsigned i)
{
    p->steps[i].relook = false;
    p->steps[i].mends++;
    step_set above = step_dependents(p, i), seen;
    do {
        seen = above;
        for (unsigned k = 0; k < p->count; k++)
            if (above & STEP_BIT(k))
                above |= step_dependents(p, k);
    } while (above != seen);
    for (unsigned k = 0; k < p->count; k++)
        if (above & STEP_BIT(k))
            p->steps[k].stale = true;
}

/* Final once the same complaint has lasted for its grace. */
static void complain(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    if (!s->complaining || s->complaint != s->last.complaint) {
        s->complaining = true;
        s->complaint = s->last.complaint;
        s->complaint_since_ms = p->now_ms;
    }
    uint64_t lasted = p->now_ms - s->complaint_since_ms;
    if (lasted >= s->last.grace_ms) {
        step_fail(p, i, s->last.kind);
        return;
    }
    uint64_t left = s->last.grace_ms - lasted;
    step_pause_poll(p, i, left < COMPLAINT_POLL_MAX_MS ? left : COMPLAINT_POLL_MAX_MS);
}

/* Only a LOOK may lead to START; after anything else the world is looked at again first. */
static void mend(struct phase *p, unsigned i, enum phase_verb verb)
{
    struct phase_step_live *s = &p->steps[i];
    if (verb == VERB_LOOK)
        step_act(p, i, VERB_START);
    else
        step_pause(p, i, step_backoff_ms(p, s->acts));
}

static void absent(struct phase *p, unsigned i, enum phase_verb verb)
{
    if (step_may_start(p, i))
        mend(p, i, verb);
    else
        step_fail(p, i, RD_ERR_PREFLIGHT);
}

void up_verdict(struct phase *p, unsigned i, enum phase_verb verb)
{
    struct phase_step_live *s = &p->steps[i];
    const struct phase_verdict *v = &s->last;
    bool may = step_may_start(p, i);
    bool drifted = v->drifted && may;
    /* What an earlier run left may be mended; what this run's START made of it stands. */
    bool fresh_try = may && verb == VERB_LOOK && s->acts == 0 && (drifted || p->defs[i].every_run);

    if (v->found != FOUND_UNREACHABLE)
        s->misses = 0;
    if (v->found != FOUND_UNREACHABLE && v->found != FOUND_FAILING)
        s->complaining = false;
    if (s->relook && v->found != FOUND_UNREACHABLE && (v->found != FOUND_READY || drifted)) {
        count_mend(p, i);
        if (s->mends > PHASE_MENDS_MAX) {
            step_fail(p, i, RD_ERR_FOREIGN);
            return;
        }
    }
    switch (v->found) {
    case FOUND_READY:
        if (verb != VERB_START && (fresh_try || drifted))
            mend(p, i, verb);
        else if ((p->facts & p->defs[i].publishes) != p->defs[i].publishes)
            step_fail(p, i, RD_ERR_INTERNAL); /* a broken row: dependents would miss a fact */
        else
            step_done(p, i);
        return;
    case FOUND_ABSENT:
        absent(p, i, verb);
        return;
    case FOUND_PENDING:
        if (verb == VERB_LOOK && drifted) {
            step_act(p, i, VERB_START);
        } else if (verb == VERB_WATCH) { /* it could not watch to the end: poll */
            step_pause_poll(p, i, POLL_MAX_MS);
        } else {
            if (p->defs[i].every_run && s->acts == 0)
                s->acts = 1; /* an earlier run's is still on its way: adopted, never a second one */
            step_move(p, i, STEP_WAITING);
            step_run(p, i, VERB_WATCH);
        }
        return;
    case FOUND_LEAVING:
        step_pause_poll(p, i, POLL_MAX_MS);
        return;
    case FOUND_FAILING:
        if (fresh_try)
            step_act(p, i, VERB_START);
        else
            complain(p, i);
        return;
    case FOUND_FAILED:
        if (fresh_try && (v->ours || drifted)) /* else the look failed: nothing is known */
            step_act(p, i, VERB_START);
        else
            step_fail(p, i, v->kind);
        return;
    case FOUND_FOREIGN:
        step_fail(p, i, RD_ERR_FOREIGN);
        return;
    case FOUND_UNREACHABLE:
        step_pause_miss(p, i, 0);
        return;
    case PHASE_FINDING_MAX:
        break;
    }
    RD_UNREACHABLE();
}

/* Those that may be on the critical path go first: requests of all share a few connections. */
static bool others_begin(const struct phase *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        enum step_state s = p->steps[i].state;
        if (p->defs[i].yields || !(p->closure & STEP_BIT(i)))
            continue;
        if (s == STEP_LOOKING || s == STEP_INTENDING || s == STEP_STARTING ||
            (s == STEP_BLOCKED && needs_met(p, i) && lock_open(p, i)))
            return true;
    }
    return false;
}

bool up_pump(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    if (s->state == STEP_BLOCKED && !steps_all(p, p->defs[i].needs, step_not_lost)) {
        step_move(p, i, STEP_HELD);
        return true;
    }
    bool ready = s->state == STEP_BLOCKED && needs_met(p, i) && lock_open(p, i) &&
                 !(p->defs[i].yields && others_begin(p));
    if (ready || (s->state == STEP_PAUSING && s->wake_ms <= p->now_ms)) {
        step_look(p, i);
        return true;
    }
    return false;
}

bool up_last_look(struct phase *p)
{
    bool all_done = true, fresh = true;
    for (unsigned i = 0; i < p->count; i++)
        if ((p->closure & STEP_BIT(i)) && p->steps[i].state != STEP_DONE)
            all_done = false;
    if (!all_done)
        return true;
    for (unsigned i = 0; i < p->count; i++) {
        struct phase_step_live *s = &p->steps[i];
        if (!(p->closure & STEP_BIT(i)) || p->defs[i].no_last_look || p->defs[i].every_run)
            continue;
        if (!s->stale && p->now_ms - s->seen_ms <= PHASE_FRESH_MS)
            continue;
        fresh = false;
        s->relook = true;
        s->stale = false;
        step_begin(p, i);
        step_look(p, i);
    }
    return fresh;
}

/* ---- Looking only ---- */

void look_verdict(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    const struct phase_verdict *v = &s->last;
    switch (v->found) {
    case FOUND_READY:
        if (v->drifted)
            step_move(p, i, STEP_SEEN);
        else
            step_done(p, i);
        return;
    case FOUND_PENDING:
    case FOUND_LEAVING:
    case FOUND_FAILING:
        step_move(p, i, STEP_SEEN);
        return;
    case FOUND_ABSENT:
        if (p->defs[i].look_only)
            step_fail(p, i, RD_ERR_PREFLIGHT);
        else
            step_move(p, i, STEP_GONE);
        return;
    case FOUND_FAILED:
        step_fail(p, i, v->kind);
        return;
    case FOUND_FOREIGN:
        step_fail(p, i, RD_ERR_FOREIGN);
        return;
    case FOUND_UNREACHABLE:
        step_pause_miss(p, i, LOOK_MISSES_MAX);
        return;
    case PHASE_FINDING_MAX:
        break;
    }
    RD_UNREACHABLE();
}

static bool is_looked_at(const struct phase *p, unsigned i)
{
    return step_settled(p->steps[i].state);
}

/* It was looked at, whatever was found: what needs it can be looked at too. */
static bool does_not_hold(const struct phase *p, unsigned i)
{
    const struct phase_step_live *s = &p->steps[i];
    if (s->state == STEP_FAILED)
        return !p->defs[i].look_only && (s->last.ours || s->last.found == FOUND_FOREIGN);
    return step_not_lost(p, i);
}

bool look_pump(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    if (s->state == STEP_BLOCKED && steps_all(p, p->defs[i].needs, is_looked_at)) {
        if (!steps_all(p, p->defs[i].needs, does_not_hold)) {
            step_move(p, i, STEP_HELD);
            return true;
        }
        if (lock_open(p, i)) {
            step_look(p, i);
            return true;
        }
    }
    if (s->state == STEP_PAUSING && s->wake_ms <= p->now_ms) {
        step_look(p, i);
        return true;
    }
    return false;
}
