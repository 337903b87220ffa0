/* One run of the program: what the hall does with the core's commands, on a modelled clock, disk,
 * network and lease. */
#include "tests/sim/sim.h"

#include <string.h>

#define FAR RD_NEVER

static bool mutates(enum phase_verb v)
{
    return v == VERB_START || v == VERB_UNDO;
}

static void deliver(struct sim *s, struct proc *p, struct phase_event *e);

/* ---- The disk ---- */

static void write_record(struct sim *s, struct proc *p, const struct phase_command *c)
{
    for (unsigned n = 0; n < 64; n++) {
        struct record *r = &p->records[n];
        if (r->live)
            continue;
        *r = (struct record){.live = true,
                             .seq = c->seq,
                             .at_ms = s->now_ms + 1 + sim_random(s, 5),
                             .step = c->step,
                             .record = c->record,
                             .verb = c->verb};
        if (sim_fault(s, FAULT_SLOW, 20))
            r->at_ms += sim_random(s, 40000);
        /* One file, appended to: no record is on disk before the one ahead of it. */
        for (unsigned m = 0; m < 64; m++)
            if (m != n && p->records[m].live && p->records[m].at_ms >= r->at_ms)
                r->at_ms = p->records[m].at_ms + 1;
        r->fails = sim_fault(s, FAULT_DISK, 2);
        return;
    }
    sim_violate(s, "more than 64 records are on their way to disk");
}

static void settle_record(struct proc *p, const struct record *r)
{
    if (r->step == PHASE_NO_STEP)
        return;
    p->intent[r->step] = r->record == REC_INTENT_START || r->record == REC_INTENT_UNDO;
    p->intent_verb[r->step] = r->verb;
}

static void synced(struct sim *s, struct proc *p, struct record *r)
{
    r->live = false;
    if (!r->fails)
        settle_record(p, r);
    struct phase_event e = {.type = EV_JOURNALED};
    e.u.journaled.seq = r->seq;
    e.u.journaled.ok = !r->fails;
    deliver(s, p, &e);
}

/* ---- The network ---- */

static void fly(struct sim *s, struct proc *p, const struct phase_command *c)
{
    struct flight *f = &p->ops[c->step];
    *f = (struct flight){.live = true,
                         .run_id = c->run_id,
                         .verb = c->verb,
                         .sent_ms = s->now_ms,
                         .deadline_ms = c->deadline_ms,
                         .version = p->looked_version[c->step]};
    f->act_ms = s->now_ms + 1 + sim_random(s, 20);
    if (sim_fault(s, FAULT_SLOW, s->rate / 2)) {
        f->fault = FAULT_SLOW;
        f->act_ms += sim_random(s, 5000);
    }
    f->reply_ms = c->verb == VERB_WATCH ? FAR : f->act_ms + 1 + sim_random(s, 20);
    uint64_t out_of_patience = s->now_ms + 1000 + sim_random(s, 10000);
    if (sim_fault(s, FAULT_LOST_REQUEST, s->rate)) {
        f->fault = FAULT_LOST_REQUEST;
        f->act_ms = FAR;
        f->reply_ms = out_of_patience;
    } else if (c->verb != VERB_WATCH && sim_fault(s, FAULT_LOST_REPLY, s->rate)) {
        f->fault = FAULT_LOST_REPLY;
        f->reply_ms = out_of_patience;
    } else if (c->verb == VERB_LOOK && sim_fault(s, FAULT_STALE, s->rate)) {
        f->fault = FAULT_STALE;
    } else if (c->verb == VERB_WATCH && sim_fault(s, FAULT_CUT, s->rate)) {
        f->fault = FAULT_CUT;
        f->reply_ms = out_of_patience;
    } else if (c->verb != VERB_WATCH && sim_fault(s, FAULT_REFUSED, s->rate / 8)) {
        f->fault = FAULT_REFUSED;
        f->act_ms = FAR;
    }
    if (f->reply_ms > f->deadline_ms)
        f->reply_ms = f->deadline_ms;
}

static struct phase_verdict nothing(enum rd_err_kind kind)
{
    return (struct phase_verdict){.found = FOUND_UNREACHABLE, .kind = kind};
}

static void act(struct sim *s, struct proc *p, unsigned i)
{
    struct flight *f = &p->ops[i];
    f->act_ms = FAR;
    f->acted = true;
    switch (f->verb) {
    case VERB_LOOK:
        f->verdict = world_look(s, i, f->fault == FAULT_STALE);
        p->looked_version[i] = s->things[i].version;
        return;
    case VERB_WATCH:
        f->verdict = world_look(s, i, false);
        if (f->verdict.found == FOUND_PENDING)
            f->act_ms = s->now_ms + 100;
        else if (f->reply_ms > s->now_ms + 20)
            f->reply_ms = s->now_ms + 1 + sim_random(s, 20);
        return;
    case VERB_START:
    case VERB_UNDO:
        rules_change(s, p, i, f->verb);
        f->verdict =
            f->verb == VERB_START ? world_start(s, i, f->version) : world_undo(s, i, f->version);
        return;
    case VERB_MAX:
        break;
    }
    RD_UNREACHABLE();
}

static void reply(struct sim *s, struct proc *p, unsigned i)
{
    struct flight *f = &p->ops[i];
    struct phase_verdict v = f->verdict;
    bool lost = !f->acted || f->fault == FAULT_LOST_REPLY || f->fault == FAULT_CUT;
    if (f->fault == FAULT_REFUSED && !f->stopped)
        v = (struct phase_verdict){.found = FOUND_FAILED, .kind = RD_ERR_CREDENTIALS};
    else if (lost || f->stopped)
        v = nothing(f->stopped ? RD_ERR_CANCELLED : RD_ERR_TRANSIENT);
    if (f->fault == FAULT_CUT && f->acted && sim_random(s, 2) && !f->stopped)
        v = f->verdict; /* the watch ends in the middle of the thing's way */
    /* A request that is still under way when its sender gives up may yet land. */
    if (mutates(f->verb) && f->act_ms != FAR && f->act_ms <= s->now_ms + SIM_LATE_MAX_MS) {
        for (unsigned n = 0; n < 16; n++)
            if (!s->late[n].live) {
                s->late[n] = (struct late){true, i, f->verb, f->act_ms, f->version};
                break;
            }
    }
    struct phase_event e = {.type = EV_VERDICT};
    e.u.verdict.step = i;
    e.u.verdict.verb = f->verb;
    e.u.verdict.run_id = f->run_id;
    e.u.verdict.verdict = v;
    if (s->local)
        s->cells[i][v.found][f->fault]++;
    sim_tell(s, "run %u: %s %s: %s%s%s%s", p->id, phase_verb_name(f->verb), s->ids[i],
             phase_finding_name(v.found), v.ours ? " ours" : "", v.drifted ? " drifted" : "",
             f->fault ? " (fault)" : "");
    f->live = false;
    rules_verdict(s, p, i, f->verb, &v);
    if (i == 0 && v.found == FOUND_READY && !p->wants_lock) { /* the first step connects */
        p->wants_lock = true;
        p->lock_at_ms = s->now_ms + 5;
    }
    deliver(s, p, &e);
}

static void stop(struct sim *s, struct proc *p, const struct phase_command *c)
{
    struct flight *f = &p->ops[c->step];
    if (!f->live || f->run_id != c->run_id || f->stopped)
        return;
    f->stopped = true;
    f->reply_ms = s->now_ms + 1 + sim_random(s, 50);
    if (f->act_ms > s->now_ms + SIM_LATE_MAX_MS)
        f->act_ms = FAR; /* it had not been sent yet */
}

/* ---- The lease ---- */

static void tell_lock(struct sim *s, struct proc *p, uint64_t until_ms)
{
    struct phase_event e = {.type = EV_LOCK};
    e.u.lock.until_ms = until_ms;
    p->has_lock = until_ms != 0;
    p->until_ms = until_ms;
    if (!until_ms) {
        p->wants_lock = false;
        p->told_lost = true;
        sim_tell(s, "run %u: no lock", p->id);
    }
    deliver(s, p, &e);
}

static bool rival_alive(const struct sim *s, unsigned id)
{
    for (unsigned n = 0; n < SIM_PROCS; n++)
        if (s->procs[n].alive && s->procs[n].id == id)
            return true;
    return false;
}

static void lease_turn(struct sim *s, struct proc *p)
{
    bool mine = s->lease_holder == p->id;
    if (p->has_lock) {
        if (!mine || s->now_ms >= p->until_ms) {
            tell_lock(s, p, 0);
            return;
        }
        if (sim_fault(s, FAULT_LEASE, s->rate)) {
            p->lock_at_ms =
                s->now_ms + 1 + sim_random(s, s->lease_ms); /* the server is away so long */
            return;
        }
    } else if (s->lease_holder != 0 && !mine) {
        bool dead = !rival_alive(s, s->lease_holder);
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

/* ---- The run ---- */

void proc_crash(struct sim *s, struct proc *p)
{
    sim_tell(s, "run %u: crash", p->id);
    for (unsigned i = 0; i < s->count; i++) {
        struct flight *f = &p->ops[i];
        bool under_way = f->live && mutates(f->verb) && f->act_ms <= s->now_ms + SIM_LATE_MAX_MS;
        for (unsigned n = 0; under_way && n < 16; n++)
            if (!s->late[n].live) {
                s->late[n] = (struct late){true, i, f->verb, f->act_ms, f->version};
                break;
            }
    }
    /* What was not synced may be on the disk or not. */
    for (unsigned n = 0; n < 64; n++)
        if (p->records[n].live && !p->records[n].fails && sim_random(s, 2))
            settle_record(p, &p->records[n]);
    p->alive = false;
}

static void command(struct sim *s, struct proc *p, const struct phase_command *c)
{
    sim_hash(s, (uint64_t)c->type << 32 | c->step << 8 | (uint64_t)c->verb << 4 | c->to);
    rules_command(s, p, c);
    switch (c->type) {
    case CMD_JOURNAL:
        write_record(s, p, c);
        return;
    case CMD_RUN:
        sim_tell(s, "run %u: -> %s %s", p->id, phase_verb_name(c->verb), s->ids[c->step]);
        fly(s, p, c);
        return;
    case CMD_STOP:
        sim_tell(s, "run %u: -> stop %s", p->id, s->ids[c->step]);
        stop(s, p, c);
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

static void deliver(struct sim *s, struct proc *p, struct phase_event *e)
{
    if (!p->alive || p->ended)
        return;
    e->now_ms = s->now_ms;
    s->events++;
    sim_hash(s, s->now_ms << 8 | e->type);
    phase_step(&p->phase, e, &p->out);
    for (unsigned n = 0; n < p->out.len && !s->violation[0]; n++) {
        command(s, p, &p->out.v[n]);
        if (p->crash_after && --p->crash_after == 0) {
            s->fault_count[FAULT_CRASH]++;
            s->crashes++;
            proc_crash(s, p);
            return;
        }
    }
    rules_after(s, p);
    if (p->ended) {
        p->alive = false;
        if (s->lease_holder == p->id) /* given back */
            s->lease_holder = 0;
    }
}

void proc_begin(struct sim *s, struct proc *p, const struct phase_goal *goal)
{
    struct proc old = *p;
    memset(p, 0, sizeof *p);
    memcpy(p->intent, old.intent, sizeof p->intent);
    memcpy(p->intent_verb, old.intent_verb, sizeof p->intent_verb);
    p->alive = true;
    p->id = old.id + SIM_PROCS; /* a new run is somebody else to the lease */
    p->begun_ms = s->now_ms;
    p->cancel_at_ms = p->freeze_at_ms = p->lock_at_ms = FAR;
    if (sim_fault(s, FAULT_CANCEL, s->rate))
        p->cancel_at_ms = s->now_ms + sim_random(s, 20000);
    if (sim_fault(s, FAULT_FREEZE, s->rate))
        p->freeze_at_ms = s->now_ms + sim_random(s, 20000);
    if (s->faults && sim_random(s, 1000) < 250)
        p->crash_after = 1 + (unsigned)sim_random(s, 80);
    sim_tell(s, "run %u: begins, %s", p->id, goal->kind == GOAL_UP ? "up" : "down");
    s->runs++;
    phase_init(&p->phase, s->defs, s->count);
    struct phase_event e = {.type = EV_START};
    e.u.start.goal = *goal;
    e.u.start.seed = sim_random(s, 1u << 30);
    e.u.start.needs_lock = true;
    deliver(s, p, &e);
}

static void sooner(uint64_t *t, uint64_t at)
{
    if (at < *t)
        *t = at;
}

/* When it next has something to do; a frozen one only when it thaws. Requests that are under way
 * land in the meantime (life.c asks for those apart). */
uint64_t proc_next_ms(const struct sim *s, const struct proc *p)
{
    uint64_t next = FAR;
    if (!p->alive)
        return FAR;
    sooner(&next, phase_wake_ms(&p->phase));
    sooner(&next, p->cancel_at_ms);
    sooner(&next, p->freeze_at_ms);
    if (p->wants_lock)
        sooner(&next, p->lock_at_ms);
    for (unsigned i = 0; i < s->count; i++) {
        if (!p->ops[i].live)
            continue;
        sooner(&next, p->ops[i].reply_ms);
        sooner(&next, p->ops[i].act_ms);
    }
    for (unsigned n = 0; n < 64; n++)
        if (p->records[n].live)
            sooner(&next, p->records[n].at_ms);
    return next < p->frozen_until_ms ? p->frozen_until_ms : next;
}

void proc_turn(struct sim *s, struct proc *p)
{
    if (p->freeze_at_ms <= s->now_ms) {
        p->freeze_at_ms = FAR;
        p->frozen_until_ms = s->now_ms + sim_random(s, 3 * s->lease_ms);
        sim_tell(s, "run %u: frozen for %llu ms", p->id,
                 (unsigned long long)(p->frozen_until_ms - s->now_ms));
        /* What had been sent lands; what had not waits for the thaw. */
        for (unsigned i = 0; i < s->count; i++) {
            struct flight *f = &p->ops[i];
            if (f->live && mutates(f->verb) && f->act_ms != FAR &&
                f->act_ms > s->now_ms + SIM_LATE_MAX_MS)
                f->act_ms = FAR;
            else if (f->live && mutates(f->verb) && f->act_ms != FAR)
                act(s, p, i);
        }
        return;
    }
    if (p->frozen_until_ms > s->now_ms)
        return;
    for (unsigned i = 0; i < s->count && p->alive; i++)
        if (p->ops[i].live && p->ops[i].act_ms <= s->now_ms)
            act(s, p, i);
    for (unsigned n = 0; n < 64 && p->alive; n++)
        if (p->records[n].live && p->records[n].at_ms <= s->now_ms)
            synced(s, p, &p->records[n]);
    if (p->alive && p->cancel_at_ms <= s->now_ms) {
        p->cancel_at_ms = FAR;
        p->cancelled = true;
        p->cancelled_ms = s->now_ms;
        sim_tell(s, "run %u: cancel", p->id);
        deliver(s, p, &(struct phase_event){.type = EV_CANCEL});
    }
    if (p->alive && p->wants_lock && p->lock_at_ms <= s->now_ms)
        lease_turn(s, p);
    for (unsigned i = 0; i < s->count && p->alive; i++)
        if (p->ops[i].live && p->ops[i].reply_ms <= s->now_ms)
            reply(s, p, i);
    if (p->alive && phase_wake_ms(&p->phase) <= s->now_ms)
        deliver(s, p, &(struct phase_event){.type = EV_TICK});
}
