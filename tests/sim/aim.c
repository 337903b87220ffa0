/* Lives aimed at one cell of the coverage table. What has to come together for it is made likely: the
 * answer is brought about at the step, the fault strikes when it is about to be given or has just been.
 * All else stays calm, so that runs come as far as the step. What can happen is the same as in other
 * lives; only how often is not. The cell is part of the seed, so that a seed still tells all. */
#include "tests/sim/sim.h"

#define SEED_BITS 40 /* below them: the seed; above: the cell and one, or nothing */

uint64_t aim_seed(enum sim_graph g, unsigned i, enum phase_finding v, enum sim_fault f, uint64_t seed)
{
    uint64_t cell = ((g * SIM_STEPS_MAX + i) * PHASE_FINDING_MAX + v) * FAULT_MAX + f;
    return (cell + 1) << SEED_BITS | (seed & (((uint64_t)1 << SEED_BITS) - 1));
}

static bool take_cell(struct sim *s, uint64_t cell)
{
    struct aim *a = &s->aim;
    a->fault = (enum sim_fault)(cell % FAULT_MAX);
    cell /= FAULT_MAX;
    a->found = (enum phase_finding)(cell % PHASE_FINDING_MAX);
    cell /= PHASE_FINDING_MAX;
    unsigned i = (unsigned)(cell % SIM_STEPS_MAX), g = (unsigned)(cell / SIM_STEPS_MAX);
    if (g >= GRAPH_ANY || i >= graph_steps((enum sim_graph)g) ||
        cells_impossible((enum sim_graph)g, i, a->found, a->fault))
        return false;
    s->graph = (enum sim_graph)g;
    s->focus = (int)i;
    return true;
}

void aim_choose(struct sim *s)
{
    uint64_t cell = s->seed >> SEED_BITS;
    s->aim = (struct aim){0};
    s->aim.on = cell > 0 && take_cell(s, cell - 1);
}

/* ---- What comes together ---- */

static bool wants(const struct sim *s, enum phase_finding v)
{
    return s->aim.on && s->aim.found == v;
}

static char class_of(const struct sim *s)
{
    return sim_fault_class[s->aim.fault];
}

/* In the run under way. */
static bool was_done(const struct sim *s)
{
    for (unsigned n = 0; n < SIM_PROCS; n++)
        if (s->procs[n].alive && s->procs[n].delivered[s->focus] >> FOUND_READY & 1)
            return true;
    return false;
}

static bool related(const struct sim *s, unsigned i)
{
    unsigned k = (unsigned)s->focus;
    return (phase_closure(s->defs, s->count, (step_set)1 << i) >> k & 1) ||
           (phase_closure(s->defs, s->count, (step_set)1 << k) >> i & 1);
}

void aim_rates(struct sim *s)
{
    struct aim *a = &s->aim;
    enum sim_fault f = a->fault;
    bool before_lock = s->defs[s->focus].look_only || s->defs[s->focus].unlocked;
    for (int k = FAULT_LOST_REQUEST; k < FAULT_MAX; k++)
        s->rate[k] = sim_fault_class[k] == 'R' ? (unsigned)sim_random(s, 4) : 0;
    s->rate[FAULT_REFUSED] = 0;
    s->rate[FAULT_CRASH] = a->found == FOUND_FAILING || a->found == FOUND_PENDING ? 400 : 60;
    s->rate[FAULT_TORN] = f == FAULT_TORN ? 1000 : 300;
    if (f == FAULT_FREEZE || f == FAULT_JUMP || f == FAULT_RIVAL || f == FAULT_NO_DISK)
        s->rate[f] = 400;
    if (f == FAULT_LEASE || f == FAULT_MIRROR)
        s->rate[f] = f == FAULT_MIRROR ? 600 : 300;
    s->ambush = FAULT_NONE;
    bool own = true; /* others go on when it has failed */
    for (unsigned i = 0; i < s->count; i++)
        own = own && related(s, i);
    /* By a last look, of a run that had seen the step done. */
    bool last = ((a->found == FOUND_FAILED && own) ||
                 (before_lock && (f == FAULT_LEASE || f == FAULT_MIRROR))) &&
                a->found != FOUND_READY && class_of(s) == 'P';
    a->late = last && !s->defs[s->focus].no_last_look && sim_random(s, 8) > 0;
    if (a->late && f == FAULT_LEASE) /* once is enough, and the lock must last until then */
        s->rate[f] = 30;
    a->half = (class_of(s) == 'W' &&
               (a->found == FOUND_ABSENT || a->found == FOUND_PENDING || a->found == FOUND_LEAVING)) ||
              sim_random(s, 4) == 0;
}

/* Of the world, per mille. */
unsigned aim_rate(const struct sim *s, unsigned step, enum sim_fault f)
{
    const struct aim *a = &s->aim;
    if ((int)step != s->focus || (a->late && !was_done(s)))
        return 0;
    /* Meddling comes when aim_meddles() says so. */
    if (f == a->fault || (f == FAULT_MEDDLE && a->fault != FAULT_DRIFT))
        return 600;
    if (a->found == FOUND_FAILING && f == FAULT_COMPLAINT)
        return 800;
    if (a->found == FOUND_FAILED && f == FAULT_OP_FAILED && s->kinds[step] != KIND_FACTS)
        return 500;
    if (a->found == FOUND_FOREIGN && f == FAULT_FOREIGN)
        return 600;
    if (a->found == FOUND_PENDING && f == FAULT_OP_SLOW)
        return 500;
    return 0;
}

/* What a request of the run meets; FAULT_MAX: what any request may meet. */
enum sim_fault aim_draw(struct sim *s, const struct proc *p, unsigned i, enum phase_verb verb,
                        bool (*can_meet)(enum sim_fault, enum phase_verb))
{
    const struct aim *a = &s->aim;
    const struct flight *f = &p->ops[i];
    bool was_done = p->delivered[s->focus] >> FOUND_READY & 1;
    bool meets = can_meet(a->fault, verb);
    bool said = p->delivered[s->focus] >> a->found & 1;
    if ((int)i != s->focus) /* of the last looks the others take longer */
        return a->late && was_done && verb == VERB_LOOK && sim_chance(s, 300) ? FAULT_LOST_REQUEST
                                                                              : FAULT_MAX;
    switch (class_of(s)) {
    case 'R':
        if (meets && sim_chance(s, a->found == FOUND_UNREACHABLE ? 800 : 400))
            return a->fault;
        return FAULT_MAX;
    case 'S':
        if (verb != VERB_WATCH)
            return FAULT_MAX;
        if (!(f->met & FAULT_BIT(a->fault)))
            return sim_chance(s, 800) ? a->fault : FAULT_MAX;
        if (a->found == FOUND_FAILED && sim_chance(s, 500))
            return FAULT_REFUSED;
        return a->found == FOUND_UNREACHABLE && sim_chance(s, 900) ? FAULT_RESET : FAULT_MAX;
    default:
        break;
    }
    bool due = class_of(s) == 'W' ? (s->things[i].met & FAULT_BIT(a->fault)) != 0
                                  : !a->late || (was_done && (!f->polled || verb != VERB_WATCH));
    if (due && a->found == FOUND_FAILED && sim_chance(s, a->late ? 600 : 250))
        return FAULT_REFUSED;
    /* Of a START whose answer is lost nothing is known, and the look after it finds what it made. */
    bool lost = a->found == FOUND_UNREACHABLE || (a->found == FOUND_FAILING && f->attempt == 1);
    if (due && lost && class_of(s) == 'P' && sim_mutates(verb) && sim_chance(s, 500))
        return FAULT_HALF;
    if (!due || a->found != FOUND_UNREACHABLE)
        return FAULT_MAX;
    /* Nothing but the step's limit ends a look that gets no answer. */
    bool then_crash = (a->fault == FAULT_TORN || a->fault == FAULT_CRASH) && verb == VERB_LOOK && s->seed & 1;
    if ((s->kinds[i] == KIND_FACTS || then_crash) && !a->late)
        return !said && sim_chance(s, 980) ? FAULT_RESET : FAULT_MAX;
    return sim_chance(s, class_of(s) == 'W' ? 700 : 200) ? FAULT_RESET : FAULT_MAX;
}

/* How long it takes to make the thing, where that matters; 0: as ever. What stands beside the step in
 * focus is still under way when that has failed; a stream has the time to break; of a job there is more
 * than a last look's freshness. */
uint64_t aim_takes(struct sim *s, unsigned i)
{
    const struct aim *a = &s->aim;
    uint64_t limit = s->defs[i].limit_ms;
    if (!a->on || !s->faults)
        return 0;
    if (s->defs[i].every_run && (int)i != s->focus && a->late)
        return PHASE_FRESH_MS + 2000 + sim_random(s, 20000);
    if ((int)i == s->focus && class_of(s) == 'S' && s->has_watch[i])
        return (a->fault == FAULT_SILENT ? 92000 : 5000) + sim_random(s, limit / 3);
    if ((int)i == s->focus && a->found == FOUND_PENDING && s->has_watch[i] && sim_random(s, 4))
        return 20000 + limit / 2 + sim_random(s, limit / 2);
    if (class_of(s) == 'P' && s->has_watch[i] && !related(s, i))
        return 1000 + sim_random(s, limit / 3);
    return 0;
}

/* A stream that is to break does so soon. */
uint64_t aim_breaks(struct sim *s, uint64_t within_ms)
{
    return sim_random(s, s->aim.on && within_ms > 5000 ? 5000 : within_ms);
}

/* Is the record one that the run is to be struck at? */
bool aim_record(struct sim *s, struct proc *p)
{
    const struct aim *a = &s->aim;
    if (!a->on || !s->faults || !(p->delivered[s->focus] >> a->found & 1))
        return false;
    if (a->fault == FAULT_TORN && sim_random(s, 2))
        p->crash_after = 1; /* while it is being written */
    return a->fault == FAULT_DISK;
}

bool aim_lasts(const struct sim *s, unsigned i)
{
    return wants(s, FOUND_FAILING) && (int)i == s->focus;
}

bool aim_slow_disk(struct sim *s)
{
    return s->aim.on && s->faults && (s->aim.fault == FAULT_DISK || s->aim.fault == FAULT_TORN) &&
           sim_random(s, 2);
}

/* ---- Strikes ---- */

static void strike(struct sim *s, struct proc *p, uint64_t within_ms)
{
    uint64_t at_ms = s->now_ms + sim_random(s, within_ms);
    enum sim_fault f = s->aim.fault;
    switch (f) {
    case FAULT_CANCEL:
    case FAULT_ABORT:
        if (p->cancelled || p->cancel_at_ms != SIM_FAR)
            return;
        p->cancel_at_ms = at_ms;
        break;
    case FAULT_CRASH:
    case FAULT_TORN:
        if (f == FAULT_TORN && p->record_count == 0)
            return; /* nothing is being written: aim_record() waits for what will be */
        if (p->crash_after == 0 || p->crash_after > 4)
            p->crash_after = 1 + (unsigned)sim_random(s, 4);
        return;
    case FAULT_FREEZE:
    case FAULT_JUMP:
        if (p->freeze_at_ms != SIM_FAR)
            return;
        p->freeze_at_ms = at_ms;
        p->sleeps = f == FAULT_JUMP;
        break;
    case FAULT_DISK:
        for (unsigned n = 0; n < p->record_count; n++)
            p->records[(p->record_first + n) % RECORDS_MAX].fails = true;
        p->disk_full = true;
        break;
    default:
        return;
    }
    sim_count(s, f);
}

/* The run is stopped with the request under way: what it asked for is not known then, or is found as it
 * stands by the next run. */
static void interrupt(struct sim *s, struct proc *p, const struct flight *f, uint64_t within_ms)
{
    uint64_t at_ms = s->now_ms + sim_random(s, within_ms);
    if (sim_mutates(f->verb)) { /* a cancel would let it settle */
        if (p->freeze_at_ms != SIM_FAR)
            return;
        p->freeze_at_ms = at_ms;
        p->sleeps = false;
        sim_count(s, FAULT_FREEZE);
    } else if (!p->cancelled && p->cancel_at_ms == SIM_FAR) {
        p->cancel_at_ms = at_ms;
        sim_count(s, FAULT_CANCEL);
    }
}

/* Has the request, or what it is about, met the fault, so that its loss would count? */
static bool has_met(const struct sim *s, const struct proc *p, unsigned i)
{
    enum sim_fault fault = s->aim.fault;
    const struct flight *f = &p->ops[i];
    switch (class_of(s)) {
    case 'W':
        return s->things[i].met & FAULT_BIT(fault);
    case 'P':
        return s->aim.late && fault != FAULT_CANCEL && fault != FAULT_ABORT &&
               p->delivered[i] >> FOUND_READY & 1;
    default:
        return f->met & FAULT_BIT(fault) &&
               (f->attempt > 1 || fault == FAULT_LOST_REQUEST || fault == FAULT_LOST_REPLY ||
                fault == FAULT_SLOW || fault == FAULT_DUPLICATE);
    }
}

void aim_found(struct sim *s, struct proc *p, unsigned step, enum phase_finding found)
{
    if (s->aim.on && s->faults && (int)step == s->focus && found == s->aim.found &&
        class_of(s) == 'P' && sim_random(s, 4) > 0)
        strike(s, p, 3);
}

/* A request of the step has left. */
void aim_sent(struct sim *s, struct proc *p, unsigned i)
{
    const struct aim *a = &s->aim;
    if (!a->on || !s->faults)
        return;
    const struct flight *f = &p->ops[i];
    bool said = p->delivered[s->focus] >> a->found & 1, here = (int)i == s->focus;
    bool about = here && sim_mutates(f->verb) &&
                 (a->found == FOUND_FAILED || a->found == FOUND_UNREACHABLE) && !a->late;
    if (class_of(s) == 'P' && (said || about) && sim_random(s, 2))
        strike(s, p, 15);
    if (here && a->found == FOUND_UNREACHABLE && has_met(s, p, i) && sim_random(s, 2))
        interrupt(s, p, f, 15);
    bool lasting = a->found == FOUND_FAILING ? s->things[i].trouble == FAULT_COMPLAINT
                                             : a->found == FOUND_PENDING && a->fault != FAULT_SILENT;
    if (here && lasting && class_of(s) != 'S' && (f->verb == VERB_WATCH || f->polled) &&
        sim_random(s, 2))
        interrupt(s, p, f, 3000);
}

/* Is it time that somebody takes away what the step made? */
bool aim_meddles(struct sim *s)
{
    const struct aim *a = &s->aim;
    if (a->fault == FAULT_MEDDLE || a->fault == FAULT_DRIFT)
        return sim_random(s, 20) == 0;
    for (unsigned n = 0; n < SIM_PROCS; n++) {
        const struct proc *p = &s->procs[n];
        const struct flight *f = &p->ops[s->focus];
        if (!p->alive)
            continue;
        if (class_of(s) == 'S' && (a->found == FOUND_ABSENT || a->found == FOUND_PENDING) && f->live &&
            f->verb == VERB_WATCH && f->met & FAULT_BIT(a->fault))
            return sim_random(s, 3) == 0;
        if (a->late && a->found == FOUND_FOREIGN && p->has_lock && was_done(s) &&
            p->ops[s->count - 1].live)
            return sim_random(s, 3) == 0;
    }
    return false;
}
