#include "tests/sim/sim.h"

#include <stdarg.h>
#include <string.h>

#define RUNS_MAX 12 /* with faults, before they are switched off */
#define TURNS_MAX 200000
#define RUN_MAX_MS (3600u * 1000)

const char *const sim_fault_names[FAULT_MAX] = {
#define X(name, text) [name] = text,
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

bool sim_fault(struct sim *s, enum sim_fault f, unsigned per_mille)
{
    if (!s->faults || sim_random(s, 1000) >= per_mille)
        return false;
    s->fault_count[f]++;
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

/* ---- The graph: every other life the one of --target local, else any ---- */

static void add(struct sim *s, const char *id, step_set needs, uint64_t limit_s)
{
    snprintf(s->ids[s->count], sizeof s->ids[0], "%s", id);
    s->defs[s->count] =
        (struct phase_step_def){.id = s->ids[s->count], .needs = needs, .limit_ms = limit_s * 1000};
    s->count++;
}

const char *const sim_local_steps[SIM_LOCAL_STEPS] = {"cluster", "crds", "base", "kuberay",
                                                      "volume",  "ray",  "job"};

static void local_graph(struct sim *s)
{
    static const struct {
        step_set needs;
        unsigned limit_s;
    } rows[SIM_LOCAL_STEPS] = {{0, 120}, {1, 180},       {1, 120}, {2 | 4, 600},
                               {4, 300}, {8 | 16, 1200}, {32, 900}};
    for (unsigned i = 0; i < SIM_LOCAL_STEPS; i++)
        add(s, sim_local_steps[i], rows[i].needs, rows[i].limit_s);
    s->defs[0].publishes = 1;
    s->defs[2].tries_max = 5;
}

static void any_graph(struct sim *s)
{
    unsigned count = 2 + (unsigned)sim_random(s, SIM_STEPS_MAX - 1);
    for (unsigned i = 0; i < count; i++) {
        char id[8];
        snprintf(id, sizeof id, "s%u", i % 100u);
        step_set needs = i ? 1 : 0;
        for (unsigned k = 1; k < i; k++)
            if (sim_random(s, 3) == 0)
                needs |= (step_set)1 << k;
        add(s, id, needs, 60 + sim_random(s, 600));
        if (sim_random(s, 4) == 0)
            s->defs[i].tries_max = 3 + (unsigned)sim_random(s, 5);
        if (sim_random(s, 3) == 0)
            s->defs[i].publishes = (fact_set)1 << i;
    }
}

static void make_world(struct sim *s)
{
    unsigned last = s->count - 1;
    s->defs[0].look_only = true;
    s->defs[last].every_run = s->defs[last].no_last_look = true;
    s->things[0].state = THING_UP;
    /* In one life of ten somebody else has a thing of that name. */
    if (s->count > 2 && sim_random(s, 10) == 0) {
        struct thing *t = &s->things[1 + sim_random(s, s->count - 2)];
        t->state = THING_UP;
        t->shared = sim_random(s, 2);
    }
    memcpy(s->first, s->things, sizeof s->first);
    static const uint64_t leases[] = {2000, 10000, 60000};
    s->lease_ms = leases[sim_random(s, 3)];
    s->rate = 20 + (unsigned)sim_random(s, 150);
}

/* ---- Running ---- */

static void land_late(struct sim *s)
{
    for (unsigned n = 0; n < 16; n++) {
        struct late *l = &s->late[n];
        if (!l->live || l->at_ms > s->now_ms)
            continue;
        l->live = false;
        sim_tell(s, "a late %s %s lands", phase_verb_name(l->verb), s->ids[l->step]);
        if (l->verb == VERB_START)
            (void)world_start(s, l->step, l->version);
        else
            (void)world_undo(s, l->step, l->version);
    }
}

static uint64_t next_ms(const struct sim *s)
{
    uint64_t next = RD_NEVER;
    for (unsigned n = 0; n < SIM_PROCS; n++) {
        uint64_t at = proc_next_ms(s, &s->procs[n]);
        if (at < next)
            next = at;
    }
    for (unsigned n = 0; n < 16; n++)
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
        if (next == RD_NEVER) {
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
        land_late(s);
        if (s->faults && sim_random(s, 400) == 0)
            world_meddle(s);
        for (unsigned n = 0; n < SIM_PROCS; n++)
            if (s->procs[n].alive && proc_next_ms(s, &s->procs[n]) <= s->now_ms)
                proc_turn(s, &s->procs[n]);
    }
}

static bool foreign_in_the_way(const struct sim *s)
{
    for (unsigned i = 1; i < s->count; i++)
        if (s->first[i].state == THING_UP && !s->first[i].shared)
            return true;
    return false;
}

/* Did this run come to what it should have come to in a world without faults? */
static void must_have_ended_well(struct sim *s, const struct proc *p, enum phase_goal_kind kind)
{
    bool foreign = kind == GOAL_UP && foreign_in_the_way(s);
    if (!p->ended)
        sim_violate(s, "rule 6: the run did not end");
    else if (!foreign && !p->end.ok)
        sim_violate(s, "rule 6: without faults it ended %s", rd_err_kind_name(p->end.exit_kind));
    else if (foreign && (p->end.ok || p->end.exit_kind != RD_ERR_FOREIGN))
        sim_violate(s, "ownership: somebody else's thing was in the way and it ended %s",
                    p->end.ok ? "well" : rd_err_kind_name(p->end.exit_kind));
}

static void must_be_up(struct sim *s)
{
    bool foreign = foreign_in_the_way(s);
    for (unsigned i = 1; i < s->count && !foreign; i++)
        if (s->things[i].state != THING_UP || s->things[i].drifted)
            sim_violate(s, "rule 6: %s is not as wanted after success", s->ids[i]);
}

static void must_be_as_before(struct sim *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        bool was = s->first[i].state == THING_UP, is = s->things[i].state != THING_NONE;
        if (s->defs[i].every_run && !was)
            continue; /* a job ends with its cluster */
        if (is != was || s->things[i].ours)
            sim_violate(s, "rule 7: %s %s", s->ids[i], is ? "was left behind" : "was taken away");
    }
}

static void run_goal(struct sim *s, const struct phase_goal *goal)
{
    bool helped = false, over = false;
    s->faults = true;
    for (unsigned run = 0; run < RUNS_MAX && !over && !s->violation[0]; run++) {
        s->now_ms += 1000 + sim_random(s, 5000);
        proc_begin(s, &s->procs[0], goal);
        if (sim_fault(s, FAULT_RIVAL, 100))
            proc_begin(s, &s->procs[1], goal);
        play(s);
        over = s->procs[0].ended && s->procs[0].end.ok;
        helped |= run > 0 && s->procs[0].ended && !s->procs[0].end.ok && !s->procs[0].end.cancelled;
    }
    if (over && !helped)
        s->resumed_alone++;
    else
        s->needed_help++;
    s->faults = false;
    s->now_ms += 5000;
    if (s->violation[0])
        return;
    world_settle(s);
    sim_tell(s, "from here on nothing fails");
    proc_begin(s, &s->procs[0], goal);
    play(s);
    if (!s->violation[0])
        must_have_ended_well(s, &s->procs[0], goal->kind);
}

bool sim_life(struct sim *s, uint64_t seed, bool story)
{
    s->seed = s->rng = seed;
    s->now_ms = 1000;
    s->hash = 0xcbf29ce484222325u;
    s->story = story;
    s->faults = false;
    s->count = s->lease_holder = 0;
    s->violation[0] = '\0';
    memset(s->things, 0, sizeof s->things);
    memset(s->late, 0, sizeof s->late);
    memset(s->procs, 0, sizeof s->procs);
    for (unsigned n = 0; n < SIM_PROCS; n++)
        s->procs[n].id = n + 1;
    s->local = sim_random(s, 2);
    if (s->local)
        local_graph(s);
    else
        any_graph(s);
    make_world(s);
    step_set all = ((step_set)1 << s->count) - 1, job = (step_set)1 << (s->count - 1);
    struct phase_goal up = {.kind = GOAL_UP, .want = all, .may_start = all};
    /* Only what has an UNDO takes part in going down (drive/hall.c leaves the job out). */
    struct phase_goal down = {.kind = GOAL_DOWN, .want = all & ~job & ~(step_set)1};
    run_goal(s, &up);
    if (!s->violation[0])
        must_be_up(s);
    if (!s->violation[0])
        run_goal(s, &down);
    if (!s->violation[0])
        must_be_as_before(s);
    return !s->violation[0];
}
