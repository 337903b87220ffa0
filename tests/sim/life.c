#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 8 /* with faults, before they are switched off */
#define TURNS_MAX 400000
#define RUN_MAX_MS (12u * 3600 * 1000)

const char *const sim_fault_names[FAULT_MAX] = {
#define X(name, class, text) [name] = text,
    SIM_FAULTS(X)
#undef X
};
const char sim_fault_class[FAULT_MAX] = {
#define X(name, class, text) [name] = class,
    SIM_FAULTS(X)
#undef X
};

/* ---- Chance and story ---- */

uint64_t sim_random(struct sim *s, uint64_t below)
{
    uint64_t z = (s->rng += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

bool sim_chance(struct sim *s, unsigned per_mille)
{
    return per_mille && sim_random(s, 1000) < per_mille;
}

void sim_count(struct sim *s, enum sim_fault f)
{
    s->tally->faults[f]++;
    s->life_faults++;
}

bool sim_fault(struct sim *s, enum sim_fault f)
{
    if (!s->faults || !sim_chance(s, s->rate[f]))
        return false;
    sim_count(s, f);
    return true;
}

/* What seldom comes together does so at the step in focus. */
unsigned sim_rate_at(const struct sim *s, unsigned step, enum sim_fault f)
{
    if (s->aim.on)
        return aim_rate(s, step, f);
    if (s->focus != (int)step)
        return s->rate[f];
    unsigned least = sim_fault_class[f] == 'W' ? 300 : sim_fault_class[f] == 'S' ? 250 : 60;
    if (f == FAULT_REFUSED || f == FAULT_STALE || f == FAULT_DUPLICATE)
        least = 120;
    return s->rate[f] > least ? s->rate[f] : least;
}

bool sim_fault_at(struct sim *s, unsigned step, enum sim_fault f)
{
    if (!s->faults || !sim_chance(s, sim_rate_at(s, step, f)))
        return false;
    sim_count(s, f);
    return true;
}

void sim_hash(struct sim *s, uint64_t word)
{
    s->hash = (s->hash ^ word) * 0x100000001b3u;
    s->hash ^= s->hash >> 29;
}

void sim_tell(struct sim *s, const char *fmt, ...)
{
    if (!s->story)
        return;
    va_list ap;
    va_start(ap, fmt);
    printf("%8.3f  ", (double)s->now_ms / 1000);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
}

void sim_violate(struct sim *s, const char *fmt, ...)
{
    if (s->violation[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->violation, sizeof s->violation, fmt, ap);
    va_end(ap);
    sim_tell(s, "BROKEN: %s", s->violation);
}

void sim_struck(struct sim *s, struct proc *p, enum sim_fault f)
{
    if (s->graph == GRAPH_ANY || !s->faults || (p->struck & FAULT_BIT(f)))
        return;
    p->struck |= FAULT_BIT(f);
    for (unsigned i = 0; i < s->count; i++)
        for (int v = 0; v < PHASE_FINDING_MAX; v++)
            if (p->delivered[i] >> v & 1)
                s->tally->cells[s->graph][i][v][f]++;
}

/* ---- The world at first ---- */

/* Which faults a life knows, and how often: many seldom, some often. Most lives have one or two themes:
 * all faults of a class. */
static void choose_rates(struct sim *s)
{
    static const char themes[] = {'R', 'S', 'W', 'W', 'P', 'P', 0};
    char one = themes[sim_random(s, sizeof themes)], other = themes[sim_random(s, sizeof themes)];
    for (int f = FAULT_LOST_REQUEST; f < FAULT_MAX; f++) {
        uint64_t dice = sim_random(s, 100);
        char class = sim_fault_class[f];
        if (class == one || class == other)
            dice = class == 'R' ? 45 : 100;
        else
            dice -= dice / 4;
        s->rate[f] = dice < 45   ? 0
                     : dice < 85 ? 10 + (unsigned)sim_random(s, 60)
                                 : 60 + (unsigned)sim_random(s, 200);
    }
    s->rate[FAULT_REFUSED] /= 3; /* ends the run */
    s->rate[FAULT_DISK] /= one == 'P' || other == 'P' ? 3 : 8;
    s->rate[FAULT_FOREIGN] /= sim_random(s, 3) ? 6 : 1;
    s->rate[FAULT_OP_FAILED] /= 2;
    s->rate[FAULT_MEDDLE] = s->rate[FAULT_MEDDLE] ? 300 : 0;
    s->rate[FAULT_DRIFT] = s->rate[FAULT_DRIFT] ? 300 : 0;
    s->rate[FAULT_CRASH] = 100 + (unsigned)sim_random(s, 400);
    s->rate[FAULT_TORN] = s->rate[FAULT_TORN] ? 500 : 0;
    s->rate[FAULT_ABORT] = s->rate[FAULT_ABORT] ? 800 : 0;
    s->rate[FAULT_CANCEL] += s->rate[FAULT_CANCEL] ? 200 : 0;
    if ((one == 'P' || other == 'P') && sim_random(s, 2)) {
        s->rate[FAULT_CANCEL] = s->rate[FAULT_ABORT] = 800;
        s->rate[FAULT_CRASH] = 100;
    }
    s->rate[FAULT_JUMP] *= 2;
    s->focus = s->graph != GRAPH_ANY && sim_random(s, 2) ? (int)sim_random(s, s->count) : -1;
    static const enum sim_fault ambushes[] = {FAULT_CANCEL, FAULT_ABORT, FAULT_DISK, FAULT_CRASH,
                                              FAULT_FREEZE, FAULT_JUMP,  FAULT_NONE, FAULT_NONE};
    s->ambush = s->focus >= 0 ? ambushes[sim_random(s, RD_ARRAY_LEN(ambushes))] : FAULT_NONE;
    s->ambush_at = (enum phase_finding)sim_random(s, PHASE_FINDING_MAX);
    /* What one round trip decides can be ambushed; of what seldom happens there is more. */
    if (s->ambush_at == FOUND_READY || s->ambush_at == FOUND_ABSENT)
        s->ambush_at = sim_random(s, 2) ? FOUND_FAILING : FOUND_FAILED;
}

static bool can_be_foreign(const struct sim *s, unsigned i)
{
    enum sim_kind k = s->kinds[i];
    return s->home[i] < 0 && (k == KIND_GOOGLE || k == KIND_CONNECTOR || k == KIND_OBJECTS);
}

static void make_world(struct sim *s)
{
    memset(s->things, 0, sizeof s->things);
    for (unsigned i = 0; i < s->count; i++)
        if (s->defs[i].look_only)
            s->things[i].state = THING_UP;
    /* In one life of ten somebody else has a thing of that name. */
    unsigned i = (unsigned)sim_random(s, s->count);
    if (sim_random(s, 10) == 0 && can_be_foreign(s, i)) {
        struct thing *t = &s->things[i];
        t->state = THING_UP;
        t->shared = s->kinds[i] == KIND_OBJECTS && sim_random(s, 2);
        t->met = FAULT_BIT(FAULT_FOREIGN);
    }
    memcpy(s->first, s->things, sizeof s->first);
    static const uint64_t leases[] = {2000, 10000, 60000};
    s->lease_ms = leases[sim_random(s, 3)];
    s->leftovers_come = sim_random(s, 2);
    s->mirror = (struct inventory){0};
    s->mirror_version = s->mirror_open = 0;
    s->mirror_there = false;
    bool real = sim_random(s, 8) == 0;
    for (unsigned n = 0; n < SIM_PROCS; n++) {
        disk_wipe(&s->disks[n]);
        s->disks[n].real = real;
    }
    s->tally->real_disks += real;
}

/* ---- Running ---- */

static uint64_t next_ms(const struct sim *s)
{
    uint64_t next = SIM_FAR;
    for (unsigned n = 0; n < SIM_PROCS; n++) {
        uint64_t at = proc_next_ms(s, &s->procs[n]);
        if (at < next)
            next = at;
    }
    for (unsigned n = 0; n < LATE_MAX; n++)
        if (s->late[n].live && s->late[n].at_ms < next)
            next = s->late[n].at_ms;
    return next;
}

/* Until no run is alive. */
static void play(struct sim *s)
{
    uint64_t begun = s->now_ms;
    for (unsigned turn = 0; !s->violation[0]; turn++) {
        bool alive = false;
        for (unsigned n = 0; n < SIM_PROCS; n++)
            alive |= s->procs[n].alive;
        if (!alive)
            return;
        uint64_t next = next_ms(s);
        if (next == SIM_FAR) {
            sim_violate(s, "stuck: nothing will ever happen again");
            return;
        }
        if (turn > TURNS_MAX || s->now_ms > begun + RUN_MAX_MS) {
            sim_violate(s, "rule 6: no end after %u turns and %llu ms", turn,
                        (unsigned long long)(s->now_ms - begun));
            return;
        }
        if (next > s->now_ms)
            s->now_ms = next;
        world_settle(s);
        net_land_late(s);
        if (s->faults && (s->aim.on ? aim_meddles(s) : sim_random(s, s->focus >= 0 ? 40 : 100) == 0))
            world_meddle(s);
        for (unsigned n = 0; n < SIM_PROCS; n++)
            if (s->procs[n].alive && proc_next_ms(s, &s->procs[n]) <= s->now_ms)
                proc_turn(s, &s->procs[n]);
    }
}

/* ---- What must have come of it ---- */

static bool foreign_in_the_way(const struct sim *s, step_set closure)
{
    for (unsigned i = 0; i < s->count; i++)
        if ((closure >> i & 1) && !s->defs[i].look_only && s->things[i].state == THING_UP &&
            !s->things[i].ours && !s->things[i].shared)
            return true;
    return false;
}

static void must_have_ended_well(struct sim *s, const struct proc *p)
{
    bool up = s->goal.kind == GOAL_UP;
    bool foreign = up && foreign_in_the_way(s, p->phase.closure);
    if (!p->ended)
        sim_violate(s, "rule 6: the run did not end");
    else if (!foreign && !p->end.ok)
        sim_violate(s, "rule 6: without faults it ended %s", rd_err_kind_name(p->end.exit_kind));
    else if (foreign && (p->end.ok || p->end.exit_kind != RD_ERR_FOREIGN))
        sim_violate(s, "ownership: somebody else's thing was in the way and it ended %s",
                    p->end.ok ? "well" : rd_err_kind_name(p->end.exit_kind));
    if (!up || !p->end.ok)
        return;
    for (unsigned i = 0; i < s->count; i++) {
        const struct thing *t = &s->things[i];
        if (!(p->phase.closure >> i & 1) || s->defs[i].look_only)
            continue;
        if (t->state != THING_UP || t->drifted || (t->fails && s->kinds[i] == KIND_JOB))
            sim_violate(s, "rule 6: %s is not as wanted after success", s->ids[i]);
        if (t->copies > 1) {
            s->tally->duplicates += t->copies - 1;
            sim_violate(s, "duplicate: %s is there %u times", s->ids[i], t->copies);
        }
    }
}

static void must_be_as_before(struct sim *s, step_set about)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct thing *t = &s->things[i];
        bool was = s->first[i].state == THING_UP, is = t->state != THING_NONE || t->cr;
        if (!(about >> i & 1) || (is == was && !(is && t->ours && !s->defs[i].look_only)))
            continue;
        s->tally->orphans += is;
        sim_violate(s, "rule 7: %s %s", s->ids[i], is ? "was left behind" : "was taken away");
    }
}

/* ---- Goals ---- */

/* Does this end ask for a person: another account, a name freed, room on the disk? */
static bool asks_for_help(const struct proc *p)
{
    return p->ended && !p->end.ok && !p->end.cancelled &&
           !rd_err_transient(p->end.exit_kind) && p->end.exit_kind != RD_ERR_LOCKED;
}

/* Did the run adopt the job of one that died, and hear that it had failed? */
static bool failed_of_another(const struct sim *s, const struct proc *p)
{
    return !s->violation[0] && p->ended && !p->end.ok && p->end.exit_kind == RD_ERR_JOB &&
           p->end.step != PHASE_NO_STEP && s->things[p->end.step].by != p->id;
}

/* With `leave_half`: what faults left is left, and the next goal begins there. */
static void run_goal(struct sim *s, enum phase_goal_kind kind, step_set want, step_set may_start,
                     bool needs_lock, bool leave_half)
{
    bool over = false;
    if (s->violation[0])
        return;
    s->goal = (struct phase_goal){.kind = kind, .want = want, .may_start = may_start};
    s->goal.run_limit_ms = 90u * 60 * 1000;
    s->faults = true;
    unsigned most = s->aim.on && leave_half ? 1 + (unsigned)sim_random(s, 3) : RUNS_MAX;
    for (unsigned run = 0; run < most && !over && !s->violation[0]; run++) {
        s->now_ms += 1000 + sim_random(s, 5000);
        if (run > 0) {
            s->tally->resumes++;
            s->tally->resumed_alone += !asks_for_help(&s->procs[0]);
        }
        proc_begin(s, &s->procs[0], &s->goal, needs_lock);
        if (sim_fault(s, FAULT_RIVAL))
            proc_begin(s, &s->procs[1], &s->goal, needs_lock);
        for (unsigned n = 0; n < SIM_PROCS && s->procs[1].alive; n++)
            sim_struck(s, &s->procs[n], FAULT_RIVAL);
        play(s);
        over = s->procs[0].ended && s->procs[0].end.ok;
    }
    s->faults = false;
    s->goal.run_limit_ms = 0;
    if (s->violation[0] || leave_half)
        return;
    s->now_ms += 5000;
    world_settle(s);
    net_land_late(s);
    world_heal(s);
    sim_tell(s, "from here on nothing fails");
    s->tally->goals++;
    proc_begin(s, &s->procs[0], &s->goal, needs_lock);
    play(s);
    if (failed_of_another(s, &s->procs[0])) { /* that is told; the next run asks for a job of its own */
        s->now_ms += 1000;
        proc_begin(s, &s->procs[0], &s->goal, needs_lock);
        play(s);
    }
    if (!s->violation[0])
        must_have_ended_well(s, &s->procs[0]);
}

static void small_life(struct sim *s)
{
    step_set all = ((step_set)1 << s->count) - 1;
    run_goal(s, GOAL_UP, all, all, true, s->aim.on ? s->aim.half : sim_random(s, 3) == 0);
    /* Only what has an UNDO takes part in going down (drive/hall.c). */
    run_goal(s, GOAL_DOWN, s->undoable, 0, true, false);
    if (!s->violation[0])
        must_be_as_before(s, all & (s->undoable | 1));
}

/* bootstrap and up, or up --bootstrap; teardown, and then --management, or both in one. */
static void cloud_life(struct sim *s)
{
    step_set all = ((step_set)1 << s->count) - 1, ours = all & ~s->management;
    bool separate = sim_random(s, 2), at_once = sim_random(s, 2), half = sim_random(s, 2);
    if (s->aim.on) {
        half = s->aim.half;
        if (half && s->management >> s->focus & 1)
            separate = at_once = true;
    }
    const struct thing *home = &s->things[s->lock_home];
    bool given_up = separate && at_once && half; /* bootstrap, and then never mind */
    if (separate)
        run_goal(s, GOAL_UP, s->management, s->management, false, given_up);
    bool ready = !foreign_in_the_way(s, s->management) && home->state == THING_UP;
    step_set down_only = ours & ~s->startable & s->undoable;
    if ((!separate || ready) && !given_up)
        run_goal(s, GOAL_UP, all & ~down_only, separate ? ours : all, true, half);
    if (!at_once && home->state == THING_UP && home->ours) {
        run_goal(s, GOAL_DOWN, ours & s->undoable, 0, true, false);
        if (!s->violation[0])
            must_be_as_before(s, ours & s->undoable);
        ours = 0;
    }
    run_goal(s, GOAL_DOWN, (ours | s->management) & s->undoable, 0, true, false);
    if (!s->violation[0])
        must_be_as_before(s, (ours | s->management) & s->undoable);
}

bool sim_life(struct sim *s, uint64_t seed, bool story)
{
    s->seed = s->rng = seed;
    s->now_ms = 1000;
    s->hash = 0xcbf29ce484222325u;
    s->story = story;
    s->faults = false;
    s->lease_holder = 0;
    s->life_faults = s->life_crashes = 0;
    s->violation[0] = '\0';
    memset(s->late, 0, sizeof s->late);
    for (unsigned n = 0; n < SIM_PROCS; n++) {
        memset(&s->procs[n], 0, sizeof s->procs[n]);
        s->procs[n].id = n + 1;
    }
    graph_choose(s);
    if (s->aim.on)
        aim_rates(s);
    else
        choose_rates(s);
    make_world(s);
    if (s->graph == GRAPH_GKE)
        cloud_life(s);
    else
        small_life(s);
    return !s->violation[0];
}
