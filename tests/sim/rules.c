/* What must hold, kept apart from the core's own assertions: this side remembers only what went in
 * and what came out. */
#include "tests/sim/sim.h"

#include <string.h>

bool sim_mutates(enum phase_verb v)
{
    return v == VERB_START || v == VERB_UNDO;
}

bool sim_locked_step(const struct sim *s, unsigned i)
{
    return !s->defs[i].look_only && !s->defs[i].unlocked;
}

/* Does the lock guard what this run does to the step? */
static bool guarded(const struct sim *s, const struct proc *p, unsigned i)
{
    return p->needs_lock && !p->waived && sim_locked_step(s, i);
}

static bool knows_ready(const struct proc *p, unsigned i)
{
    return p->has_seen[i] && p->seen[i].found == FOUND_READY;
}

static bool out_of_the_way(const struct sim *s, const struct proc *p, unsigned i)
{
    enum phase_finding f = p->seen[i].found;
    if (s->defs[i].every_run || s->defs[i].look_only)
        return true;
    return p->has_seen[i] && (f == FOUND_ABSENT || f == FOUND_FOREIGN || p->seen[i].kept ||
                              (!p->seen[i].ours && f != FOUND_UNREACHABLE));
}

static void check_mutation(struct sim *s, struct proc *p, const struct phase_command *c)
{
    unsigned i = c->step;
    const char *id = s->ids[i], *verb = phase_verb_name(c->verb);
    const struct phase_verdict *v = &p->seen[i];
    bool up = p->phase.goal.kind == GOAL_UP;
    for (unsigned k = 0; k < s->count; k++) {
        if (up && (s->defs[i].needs & ((step_set)1 << k)) && !knows_ready(p, k))
            sim_violate(s, "rule 1: %s %s while %s is not known to be ready", verb, id, s->ids[k]);
        bool after = (s->defs[k].needs >> i & 1) || (s->defs[i].down_after >> k & 1);
        if (!up && (p->phase.closure >> k & 1) && after &&
            !out_of_the_way(s, p, k))
            sim_violate(s, "rule 1: %s %s while %s still stands on it", verb, id, s->ids[k]);
    }
    const struct disk *d = proc_disk(s, p);
    if (!(d->intent >> i & 1) || d->intent_verb[i] != c->verb)
        sim_violate(s, "rule 2: %s %s without an intent on disk", verb, id);
    if (p->cancelled)
        sim_violate(s, "rule 4: %s %s after cancel", verb, id);
    if (guarded(s, p, i) && (!p->has_lock || s->now_ms + PHASE_LOCK_MARGIN_MS >= p->until_ms))
        sim_violate(s, "rule 4: %s %s past the lock", verb, id);
    if (!p->has_seen[i] || !p->looked_last[i])
        sim_violate(s, "look first: %s %s without a look before it", verb, id);
    if (s->now_ms - p->seen_ms[i] > PHASE_FRESH_MS)
        sim_violate(s, "look first: %s %s on a look of %llu ms ago", verb, id,
                    (unsigned long long)(s->now_ms - p->seen_ms[i]));
    if (v->found == FOUND_FOREIGN || v->found == FOUND_UNREACHABLE)
        sim_violate(s, "ownership: %s %s after %s", verb, id, phase_finding_name(v->found));
    if (c->verb == VERB_UNDO && (!v->ours || v->found == FOUND_ABSENT))
        sim_violate(s, "ownership: undo %s, which is not known to be ours", id);
    if (c->verb == VERB_START && v->found != FOUND_ABSENT && !v->drifted && !s->defs[i].every_run)
        sim_violate(s, "blind start: %s was %s and not drifted", id, phase_finding_name(v->found));
    if (s->defs[i].tries_max && p->transient[i] >= s->defs[i].tries_max)
        sim_violate(s, "rule 5: %s %s after %u tries", verb, id, p->transient[i]);
    if (!(p->phase.goal.may_start & ((step_set)1 << i)) && up)
        sim_violate(s, "goal: start %s, which may only be looked at", id);
}

void rules_command(struct sim *s, struct proc *p, const struct phase_command *c)
{
    if (p->ended)
        sim_violate(s, "end: command %d after the end", c->type);
    if (c->type == CMD_RUN) {
        if (p->ops[c->step].live)
            sim_violate(s, "rule 3: a second op of %s", s->ids[c->step]);
        if (p->cancelled)
            sim_violate(s, "rule 4: %s %s after cancel", phase_verb_name(c->verb), s->ids[c->step]);
        if (c->deadline_ms <= s->now_ms)
            sim_violate(s, "rule 5: %s %s past its limit", phase_verb_name(c->verb),
                        s->ids[c->step]);
        if (sim_mutates(c->verb))
            check_mutation(s, p, c);
    }
    /* Reached, by whatever op found it so: what spoils it afterwards has a budget of its own. */
    if (c->type == CMD_NOTE && (c->to == STEP_DONE || c->to == STEP_GONE))
        p->transient[c->step] = 0;
    if (c->type == CMD_NOTE && c->to == STEP_GONE &&
        s->now_ms - p->seen_ms[c->step] > PHASE_FRESH_MS)
        sim_violate(s, "look first: %s is said to be gone by a look of %llu ms ago",
                    s->ids[c->step], (unsigned long long)(s->now_ms - p->seen_ms[c->step]));
    if (c->type == CMD_END && !p->aborted) {
        for (unsigned i = 0; i < s->count; i++)
            if (p->ops[i].live)
                sim_violate(s, "end: %s is still in flight", s->ids[i]);
        /* While it is frozen nobody can hold it to its word. */
        uint64_t from = p->cancelled_ms > p->frozen_until_ms ? p->cancelled_ms : p->frozen_until_ms;
        if (p->cancelled && s->now_ms > from + 15000)
            sim_violate(s, "cancel: took %llu ms", (unsigned long long)(s->now_ms - from));
    }
}

void rules_verdict(struct sim *s, struct proc *p, unsigned step, enum phase_verb verb,
                   const struct phase_verdict *v)
{
    if (v->found == FOUND_UNREACHABLE && sim_mutates(verb))
        p->transient[step]++;
    if (v->found == FOUND_READY && verb != VERB_LOOK)
        p->transient[step] = 0;
    p->seen[step] = *v;
    p->has_seen[step] = true;
    p->seen_ms[step] = s->now_ms;
    p->looked_last[step] = verb == VERB_LOOK;
}

/* A request reached the world. */
void rules_change(struct sim *s, const struct proc *p, unsigned step, enum phase_verb verb)
{
    if (guarded(s, p, step) && s->lease_holder != 0 && s->lease_holder != p->id)
        sim_violate(s, "two writers: %s %s by run %u while run %u holds the lease",
                    phase_verb_name(verb), s->ids[step], p->id, s->lease_holder);
    /* The core stops what is in flight a margin before the end; what is on its way may land. */
    if (guarded(s, p, step) && s->now_ms + PHASE_LOCK_MARGIN_MS > p->until_ms + SIM_LATE_MAX_MS)
        sim_violate(s, "rule 4: %s %s lands %lld ms before the lock ends", phase_verb_name(verb),
                    s->ids[step], (long long)(p->until_ms - s->now_ms));
    /* Another machine must find what is about to be made. */
    if (guarded(s, p, step) && inventory_covers(&s->defs[step]) &&
        !(s->mirror.applied >> step & 1))
        sim_violate(s, "mirror: %s %s lands and the mirror does not know of it",
                    phase_verb_name(verb), s->ids[step]);
    if (s->things[step].shared)
        sim_violate(s, "ownership: %s %s, which is somebody else's", phase_verb_name(verb),
                    s->ids[step]);
}

void rules_after(struct sim *s, struct proc *p)
{
    uint64_t wake = p->wake_ms;
    if (!p->ended && p->alive && wake <= s->now_ms)
        sim_violate(s, "wake: wants to be woken at %llu, now is %llu", (unsigned long long)wake,
                    (unsigned long long)s->now_ms);
    for (unsigned i = 0; i < s->count; i++) {
        uint64_t limit = p->phase.steps[i].limit_at_ms;
        if (!p->ended && limit && limit + 2000 < s->now_ms &&
            p->frozen_until_ms + 2000 < s->now_ms && !p->phase.halt)
            sim_violate(s, "rule 5: %s is %llu ms past its limit", s->ids[i],
                        (unsigned long long)(s->now_ms - limit));
    }
}

/* What is ours after a run that went well is known to the next machine too. */
void rules_end(struct sim *s, struct proc *p)
{
    if (!p->end.ok || !p->needs_lock || !p->has_lock || s->goal.kind != GOAL_UP || p->cancelled ||
        s->lease_holder != p->id)
        return;
    for (unsigned i = 0; i < s->count; i++)
        if ((p->phase.closure >> i & 1) && inventory_covers(&s->defs[i]) && s->things[i].ours &&
            s->things[i].state != THING_NONE && !(s->mirror.applied >> i & 1))
            sim_violate(s, "mirror: after success it does not know of %s", s->ids[i]);
}
