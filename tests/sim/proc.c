/* One run of the program: what the hall does with the core's commands, and the lease. */
#include "tests/sim/sim.h"

#include <string.h>

struct disk *proc_disk(struct sim *s, const struct proc *p)
{
    return &s->disks[p - s->procs];
}

/* ---- The lease ---- */

static void tell_lock(struct sim *s, struct proc *p, uint64_t until_ms)
{
    struct phase_event e = {.type = EV_LOCK};
    e.u.lock.until_ms = until_ms;
    if (until_ms && !p->has_lock) /* what another machine applied is ours too */
        mirror_read(s, p);
    p->has_lock = until_ms != 0;
    p->until_ms = until_ms;
    if (!until_ms) {
        p->wants_lock = false;
        sim_tell(s, "run %u: no lock", p->id);
    }
    proc_deliver(s, p, &e);
}

static bool is_alive(const struct sim *s, unsigned id)
{
    for (unsigned n = 0; n < SIM_PROCS; n++)
        if (s->procs[n].alive && s->procs[n].id == id)
            return true;
    return false;
}

/* Ids go on by two, so the parity says which machine it is. */
static bool same_machine(const struct proc *p, unsigned id)
{
    return (p->id & 1) == (id & 1);
}

static void lease_turn(struct sim *s, struct proc *p)
{
    bool mine = s->lease_holder == p->id;
    if (p->has_lock) {
        if (!mine || s->now_ms >= p->until_ms) {
            tell_lock(s, p, 0);
            return;
        }
        if (sim_fault(s, FAULT_LEASE)) {
            sim_struck(s, p, FAULT_LEASE);
            /* the server is away so long */
            p->lock_at_ms = s->now_ms + 1 + sim_random(s, s->lease_ms);
            return;
        }
    } else if (s->lease_holder != 0 && !mine) {
        bool dead = same_machine(p, s->lease_holder) && !is_alive(s, s->lease_holder);
        if (!dead && s->now_ms < s->lease_until_ms) {
            if (p->busy_seen_until_ms && p->busy_seen_until_ms != s->lease_until_ms) {
                tell_lock(s, p, 0); /* it was renewed: somebody is at work */
                return;
            }
            p->busy_seen_until_ms = s->lease_until_ms;
            p->lock_at_ms = s->lease_until_ms;
            return;
        }
    }
    s->lease_holder = p->id;
    s->lease_until_ms = s->now_ms + s->lease_ms;
    p->lock_at_ms = s->now_ms + s->lease_ms / 4;
    sim_tell(s, "run %u: holds the lease", p->id);
    tell_lock(s, p, s->lease_until_ms);
}

/* The lock is asked for when nothing but it is missing and its home is known. */
static void lease_wanted(struct sim *s, struct proc *p)
{
    if (p->wants_lock || !p->needs_lock || !p->alive || p->has_lock ||
        !phase_wants_lock(&p->phase))
        return;
    if (p->has_seen[s->lock_home] && p->seen[s->lock_home].found == FOUND_READY) {
        p->wants_lock = true;
        p->lock_at_ms = s->now_ms + 5;
    }
}

/* The lock goes with the cluster it lives in; from then on the lock of the machine has to do. What
 * waits for the mirror waits no longer (step_ctx.lockless, hall.c). */
static void waive_lock(struct sim *s, struct proc *p)
{
    p->waived = true;
    p->wants_lock = false;
    p->has_lock = true;
    p->until_ms = SIM_FAR / 2;
    p->put.live = false;
    sim_tell(s, "run %u: goes on without the lease", p->id);
    if (s->lease_holder == p->id)
        s->lease_holder = 0;
    unsigned count = p->waiting_count;
    p->waiting_count = 0;
    for (unsigned n = 0; n < count && p->alive; n++) {
        struct phase_event e = {.type = EV_JOURNALED};
        e.u.journaled.seq = p->waiting[n].seq;
        e.u.journaled.ok = true;
        proc_deliver(s, p, &e);
    }
    struct phase_event e = {.type = EV_LOCK};
    e.u.lock.until_ms = p->until_ms;
    proc_deliver(s, p, &e);
}

static void lease_waived(struct sim *s, struct proc *p)
{
    if (!p->alive || !p->needs_lock || p->waived || s->goal.kind != GOAL_DOWN || !s->lock_home)
        return;
    const struct flight *f = &p->ops[s->lock_home];
    bool going = f->live && f->verb == VERB_UNDO && f->acted;
    enum phase_finding found = p->seen[s->lock_home].found;
    bool not_there = p->has_seen[s->lock_home] && found != FOUND_READY && found != FOUND_UNREACHABLE;
    if (going || not_there)
        waive_lock(s, p);
}

/* ---- The run ---- */

static void crash(struct sim *s, struct proc *p)
{
    sim_tell(s, "run %u: crash", p->id);
    sim_count(s, FAULT_CRASH);
    sim_struck(s, p, FAULT_CRASH);
    s->life_crashes++;
    net_abandon(s, p);
    disk_crash(s, p);
    p->alive = false;
}

static void command(struct sim *s, struct proc *p, const struct phase_command *c)
{
    sim_hash(s, (uint64_t)c->type << 32 | c->step << 8 | (uint64_t)c->verb << 4 | c->to);
    rules_command(s, p, c);
    switch (c->type) {
    case CMD_JOURNAL:
        disk_write(s, p, c);
        return;
    case CMD_RUN:
        sim_tell(s, "run %u: -> %s %s", p->id, phase_verb_name(c->verb), s->ids[c->step]);
        net_run(s, p, c);
        return;
    case CMD_STOP:
        sim_tell(s, "run %u: -> stop %s", p->id, s->ids[c->step]);
        net_stop(s, p, c);
        return;
    case CMD_NOTE:
        sim_tell(s, "run %u: %s is %s", p->id, s->ids[c->step], step_state_name(c->to));
        return;
    case CMD_END:
        sim_tell(s, "run %u: ends %s", p->id,
                 c->ok          ? "well"
                 : c->cancelled ? "cancelled"
                                : rd_err_kind_name(c->exit_kind));
        p->end = *c;
        p->ended = true;
        return;
    }
}

void proc_deliver(struct sim *s, struct proc *p, struct phase_event *e)
{
    if (!p->alive || p->ended)
        return;
    e->now_ms = s->now_ms;
    s->tally->events++;
    sim_hash(s, s->now_ms << 8 | e->type);
    struct phase_commands *out = &s->out;
    phase_step(&p->phase, e, out);
    p->wake_ms = phase_wake_ms(&p->phase);
    p->stepped = true;
    for (unsigned n = 0; n < out->len && !s->violation[0]; n++) {
        command(s, p, &out->v[n]);
        if (p->crash_after && --p->crash_after == 0) {
            crash(s, p);
            return;
        }
    }
    rules_after(s, p);
    if (p->ended) {
        net_abandon(s, p); /* after an abort requests may be under way */
        disk_crash(s, p);  /* nobody waits for the mirror */
        mirror_release(s, p);
        rules_end(s, p);
        p->alive = false;
        if (s->lease_holder == p->id && !p->aborted) /* given back */
            s->lease_holder = 0;
    }
}

/* Some time within a run: short and long spans alike. */
static uint64_t some_time(struct sim *s)
{
    return s->now_ms + sim_random(s, (uint64_t)1 << (8 + sim_random(s, 14)));
}

void proc_begin(struct sim *s, struct proc *p, const struct phase_goal *goal, bool needs_lock)
{
    unsigned id = p->id + SIM_PROCS; /* a new run is somebody else to the lease */
    memset(p, 0, sizeof *p);
    p->alive = true;
    p->id = id;
    p->needs_lock = needs_lock;
    p->begun_ms = s->now_ms;
    p->cancel_at_ms = p->abort_at_ms = p->freeze_at_ms = p->lock_at_ms = SIM_FAR;
    if (sim_fault(s, FAULT_CANCEL))
        p->cancel_at_ms = some_time(s);
    if (sim_fault(s, FAULT_FREEZE))
        p->freeze_at_ms = some_time(s);
    else if (sim_fault(s, FAULT_JUMP))
        p->freeze_at_ms = some_time(s), p->sleeps = true;
    if (s->faults && sim_chance(s, s->rate[FAULT_CRASH]))
        p->crash_after = 1 + (unsigned)sim_random(s, s->count * (4 + sim_random(s, 16)));
    if (sim_fault(s, FAULT_NO_DISK)) {
        disk_lose(s, p);
        sim_struck(s, p, FAULT_NO_DISK);
        sim_tell(s, "run %u: on a new machine", p->id);
    }
    disk_begin(s, p);
    sim_tell(s, "run %u: begins, %s", p->id, goal->kind == GOAL_UP ? "up" : "down");
    s->tally->runs++;
    phase_init(&p->phase, s->defs, s->count);
    p->wake_ms = SIM_FAR;
    struct phase_event e = {.type = EV_START};
    e.u.start.goal = *goal;
    e.u.start.seed = sim_random(s, 1u << 30);
    e.u.start.needs_lock = needs_lock;
    proc_deliver(s, p, &e);
}

static void sooner(uint64_t *t, uint64_t at)
{
    if (at < *t)
        *t = at;
}

/* When it next has something to do; a frozen one only when it thaws. Requests that are under way
 * land in the meantime. */
uint64_t proc_next_ms(const struct sim *s, const struct proc *p)
{
    uint64_t next = SIM_FAR;
    if (!p->alive)
        return SIM_FAR;
    sooner(&next, p->wake_ms);
    sooner(&next, p->cancel_at_ms);
    sooner(&next, p->abort_at_ms);
    sooner(&next, p->freeze_at_ms);
    if (p->wants_lock)
        sooner(&next, p->lock_at_ms);
    sooner(&next, net_next_ms(s, p));
    sooner(&next, disk_next_ms(p));
    return next < p->frozen_until_ms ? p->frozen_until_ms : next;
}

void proc_ambush(struct sim *s, struct proc *p, unsigned step, enum phase_finding found)
{
    if (!s->faults || !s->ambush || (int)step != s->focus || found != s->ambush_at ||
        sim_random(s, 2))
        return;
    uint64_t soon_ms = s->now_ms + sim_random(s, 100);
    switch (s->ambush) {
    case FAULT_CANCEL:
    case FAULT_ABORT:
        if (p->cancelled)
            return;
        p->cancel_at_ms = soon_ms;
        sim_count(s, FAULT_CANCEL);
        return;
    case FAULT_DISK:
        p->disk_full = true;
        return;
    case FAULT_CRASH:
        p->crash_after = 1 + (unsigned)sim_random(s, 12);
        return;
    default:
        p->freeze_at_ms = soon_ms;
        p->sleeps = s->ambush == FAULT_JUMP;
        sim_count(s, s->ambush);
    }
}

static void freeze(struct sim *s, struct proc *p)
{
    p->freeze_at_ms = SIM_FAR;
    p->frozen_until_ms = s->now_ms + sim_random(s, p->sleeps ? 900000 : 3 * s->lease_ms);
    sim_tell(s, "run %u: %s for %llu ms", p->id, p->sleeps ? "its machine sleeps" : "stopped",
             (unsigned long long)(p->frozen_until_ms - s->now_ms));
    sim_struck(s, p, p->sleeps ? FAULT_JUMP : FAULT_FREEZE);
    net_freeze(s, p);
}

static void signals(struct sim *s, struct proc *p)
{
    if (p->cancel_at_ms <= s->now_ms) {
        p->cancel_at_ms = SIM_FAR;
        p->cancelled = true;
        p->cancelled_ms = s->now_ms;
        if (sim_fault(s, FAULT_ABORT) || s->ambush == FAULT_ABORT ||
            (s->aim.on && s->aim.fault == FAULT_ABORT))
            p->abort_at_ms = s->now_ms + 1 + sim_random(s, sim_random(s, 3) ? 30 : 3000);
        sim_struck(s, p, FAULT_CANCEL);
        sim_tell(s, "run %u: cancel", p->id);
        proc_deliver(s, p, &(struct phase_event){.type = EV_CANCEL});
    }
    if (p->alive && p->abort_at_ms <= s->now_ms) {
        p->abort_at_ms = SIM_FAR;
        p->aborted = true;
        sim_struck(s, p, FAULT_ABORT);
        sim_tell(s, "run %u: abort", p->id);
        proc_deliver(s, p, &(struct phase_event){.type = EV_ABORT});
    }
}

void proc_turn(struct sim *s, struct proc *p)
{
    if (p->freeze_at_ms <= s->now_ms) {
        freeze(s, p);
        return;
    }
    if (p->frozen_until_ms > s->now_ms)
        return;
    if (p->sleeps && p->frozen_until_ms) {
        p->sleeps = false;
        net_wake(s, p);
    }
    disk_turn(s, p);
    if (p->alive)
        signals(s, p);
    if (p->alive && p->wants_lock && p->lock_at_ms <= s->now_ms)
        lease_turn(s, p);
    if (p->alive)
        net_turn(s, p);
    if (p->alive && p->wake_ms <= s->now_ms)
        proc_deliver(s, p, &(struct phase_event){.type = EV_TICK});
    lease_waived(s, p);
    if (p->stepped)
        lease_wanted(s, p);
    p->stepped = false;
}
