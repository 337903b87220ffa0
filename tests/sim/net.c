/* Requests on their way: what may happen to each, and what the shipped retry policy makes of it. */
#include "tests/sim/sim.h"

#include <string.h>

/* Faults that a request of a verb can meet. */
static bool can_meet(enum sim_fault f, enum phase_verb verb)
{
    switch (f) {
    case FAULT_DUPLICATE:
        return sim_mutates(verb);
    case FAULT_STALE:
        return verb == VERB_LOOK;
    case FAULT_CUT:
    case FAULT_GONE:
    case FAULT_SILENT:
        return verb == VERB_WATCH;
    default:
        return true;
    }
}

static enum sim_fault draw(struct sim *s, const struct proc *p, unsigned step, enum phase_verb verb)
{
    if (!s->faults)
        return FAULT_NONE;
    enum sim_fault aimed = s->aim.on ? aim_draw(s, p, step, verb, can_meet) : FAULT_MAX;
    if (aimed != FAULT_MAX) {
        sim_count(s, aimed);
        return aimed;
    }
    unsigned dice = (unsigned)sim_random(s, 1000), sum = 0;
    for (enum sim_fault f = FAULT_LOST_REQUEST; f <= FAULT_SILENT; f++) {
        if (!can_meet(f, verb))
            continue;
        sum += s->aim.on ? s->rate[f] : sim_rate_at(s, step, f);
        if (dice < sum && sum < 900) { /* something must get through now and then */
            sim_count(s, f);
            return f;
        }
    }
    return FAULT_NONE;
}

/* What the thing has met; another's job is not the one that is asked for. */
static fault_set met_by(const struct sim *s, const struct proc *p, unsigned i)
{
    return s->kinds[i] == KIND_JOB && s->things[i].by != p->asks ? 0 : s->things[i].met;
}

static void send(struct sim *s, struct proc *p, unsigned i)
{
    struct flight *f = &p->ops[i];
    f->send_ms = SIM_FAR;
    f->attempt++;
    f->acted = f->twice = false;
    f->thing_met = met_by(s, p, i);
    f->answer = ANSWER_OK;
    f->fault = draw(s, p, i, f->verb);
    if (sim_fault_class[f->fault] != 'S') /* a stream's counts once it strikes */
        f->met |= FAULT_BIT(f->fault);
    uint64_t patience = 1000 + sim_random(s, 10000);
    f->act_ms = s->now_ms + 1 + sim_random(s, 20);
    f->reply_ms = f->verb == VERB_WATCH ? SIM_FAR : f->act_ms + 1 + sim_random(s, 20);
    switch (f->fault) {
    case FAULT_SLOW:
        f->act_ms += sim_random(s, 5000);
        if (f->verb != VERB_WATCH)
            f->reply_ms = f->act_ms + 1 + sim_random(s, 20);
        break;
    case FAULT_LOST_REQUEST:
        f->act_ms = SIM_FAR;
        f->reply_ms = s->now_ms + patience;
        break;
    case FAULT_RESET:
        f->act_ms = SIM_FAR;
        f->reply_ms = s->now_ms + 1 + sim_random(s, 20);
        break;
    case FAULT_LOST_REPLY:
        f->reply_ms = s->now_ms + patience;
        break;
    case FAULT_HALF:
        f->reply_ms = f->act_ms + 1 + sim_random(s, 200);
        break;
    case FAULT_500: /* it may have been done all the same */
        f->answer = ANSWER_500;
        f->reply_ms = f->act_ms + 1 + sim_random(s, 20);
        if (sim_random(s, 2) || f->verb == VERB_WATCH)
            f->act_ms = SIM_FAR;
        break;
    case FAULT_TOKEN:
    case FAULT_REFUSED:
    case FAULT_429:
    case FAULT_503:
        f->answer = f->fault == FAULT_TOKEN     ? ANSWER_401
                    : f->fault == FAULT_REFUSED ? ANSWER_403
                    : f->fault == FAULT_429     ? ANSWER_429
                                                : ANSWER_503;
        f->act_ms = SIM_FAR;
        f->reply_ms = s->now_ms + 1 + sim_random(s, 20);
        break;
    case FAULT_CUT:
        f->list_ms = f->act_ms + aim_breaks(s, 60000);
        break;
    case FAULT_GONE:
        f->list_ms = f->act_ms + aim_breaks(s, 300000);
        break;
    case FAULT_SILENT: /* three silent intervals count as a dead stream */
        f->list_ms = f->act_ms + 90000;
        break;
    default:
        break;
    }
    if (f->verb == VERB_WATCH && f->fault != FAULT_CUT && f->fault != FAULT_GONE &&
        f->fault != FAULT_SILENT)
        f->list_ms = SIM_FAR;
    aim_sent(s, p, i);
}

void net_run(struct sim *s, struct proc *p, const struct phase_command *c)
{
    struct flight *f = &p->ops[c->step];
    *f = (struct flight){.live = true,
                         .run_id = c->run_id,
                         .verb = c->verb,
                         .begun_ms = s->now_ms,
                         .list_ms = SIM_FAR,
                         .deadline_ms = c->deadline_ms,
                         .version = p->looked_version[c->step],
                         .born = p->looked_born[c->step]};
    if (c->verb == VERB_WATCH && !s->has_watch[c->step]) {
        f->polled = true; /* no watch: the hall looks instead */
        f->verb = VERB_LOOK;
    }
    send(s, p, c->step);
}

static bool is_google(const struct sim *s, unsigned i)
{
    enum sim_kind k = s->kinds[i];
    return k == KIND_FACTS || k == KIND_SWITCH || k == KIND_GOOGLE || k == KIND_POLICY;
}

/* ---- The end of an op ---- */

static void count_cells(struct sim *s, struct proc *p, unsigned i, enum phase_finding found,
                        fault_set met)
{
    p->delivered[i] |= 1u << found;
    if (s->graph == GRAPH_ANY)
        return;
    met &= ~FAULT_BIT(FAULT_NONE);
    if (!met)
        met = FAULT_BIT(FAULT_NONE);
    met |= p->struck;
    for (enum sim_fault f = FAULT_NONE; f < FAULT_MAX; f++)
        if (met >> f & 1)
            s->tally->cells[s->graph][i][found][f]++;
}

/* `answered`: by the other side, with what it saw. */
static void finish(struct sim *s, struct proc *p, unsigned i, struct phase_verdict v, bool answered)
{
    struct flight *f = &p->ops[i];
    struct thing *t = &s->things[i];
    enum phase_verb verb = f->polled ? VERB_WATCH : f->verb;
    f->live = false;
    count_cells(s, p, i, v.found, f->met | (answered ? f->thing_met : met_by(s, p, i)));
    if ((v.found == FOUND_READY && !v.drifted && !t->trouble && t->ours) ||
        (v.found == FOUND_ABSENT && verb == VERB_LOOK && t->state == THING_NONE))
        t->met = 0;
    sim_tell(s, "run %u: %s %s: %s%s%s%s%s", p->id, phase_verb_name(verb), s->ids[i],
             phase_finding_name(v.found), v.ours ? " ours" : "", v.drifted ? " drifted" : "",
             f->fault ? " after " : "", f->fault ? sim_fault_names[f->fault] : "");
    struct phase_event e = {.type = EV_VERDICT};
    e.u.verdict.step = i;
    e.u.verdict.verb = verb;
    e.u.verdict.run_id = f->run_id;
    e.u.verdict.verdict = v;
    rules_verdict(s, p, i, verb, &v);
    p->wrote |= sim_mutates(f->verb) && f->acted && answered && s->kinds[i] != KIND_JOB;
    if (s->kinds[i] == KIND_JOB && verb == VERB_WATCH && v.ours &&
        (v.found == FOUND_READY || v.found == FOUND_FAILED)) {
        t->judged |= t->by == p->open;
        disk_answered(s, p, i);
    }
    proc_ambush(s, p, i, v.found);
    aim_found(s, p, i, v.found);
    proc_deliver(s, p, &e);
}

/* A request that is still under way when its sender gives up may yet land. */
static void leave_behind(struct sim *s, const struct proc *p, unsigned i)
{
    const struct flight *f = &p->ops[i];
    if (!f->live || !sim_mutates(f->verb) || f->act_ms > s->now_ms + SIM_LATE_MAX_MS)
        return;
    for (unsigned n = 0; n < LATE_MAX; n++)
        if (!s->late[n].live) {
            s->late[n] = (struct late){true,       i,         p->asks,    p->asks_alone,
                                      f->verb,    f->act_ms, f->version, f->born};
            return;
        }
}

/* ---- Acting ---- */

static void watch_sees(struct sim *s, struct proc *p, unsigned i)
{
    struct flight *f = &p->ops[i];
    struct phase_verdict v = world_look(s, i, p->asks, false, s->goal.kind == GOAL_UP);
    struct thing *t = &s->things[i];
    uint64_t next = world_next_ms(s, i);
    const struct thing *home = s->home[i] >= 0 ? &s->things[s->home[i]] : NULL;
    if (home && (home->state != THING_UP || !home->ours)) /* its server is gone */
        v = judge_error(RD_ERR_TRANSIENT, 0);
    if (v.found == FOUND_ABSENT && s->kinds[i] == KIND_CONNECTOR) /* that server was made anew */
        v = judge_error(RD_ERR_TRANSIENT, 0);
    if (v.found == FOUND_FAILING) { /* shown, and borne for its grace */
        uint64_t final_ms = t->trouble_since_ms + v.grace_ms;
        if (s->now_ms >= final_ms) {
            v.found = FOUND_FAILED;
        } else {
            f->act_ms = final_ms < next ? final_ms : next;
            return;
        }
    }
    if ((v.found == FOUND_PENDING && !v.drifted) || v.found == FOUND_LEAVING) {
        f->act_ms = next == SIM_FAR ? SIM_FAR : next + 1;
        return;
    }
    if (v.found == FOUND_ABSENT && f->acted && s->kinds[i] == KIND_GOOGLE &&
        t->met & FAULT_BIT(FAULT_OP_FAILED))
        v = judge_error(judge_failed_operation(), 0); /* it watched the operation */
    f->verdict = v;
    f->act_ms = SIM_FAR;
    f->list_ms = SIM_FAR;
    f->reply_ms = s->now_ms + 1 + sim_random(s, 20);
}

static void change(struct sim *s, struct proc *p, unsigned i)
{
    struct flight *f = &p->ops[i];
    struct phase_verdict v;
    rules_change(s, p, i, f->verb);
    enum sim_answer a = f->verb == VERB_START ? world_start(s, i, p->asks, f->version, &v)
                                              : world_undo(s, i, f->born, &v);
    if (f->verb == VERB_START && s->kinds[i] == KIND_JOB && s->things[i].by == p->asks)
        s->things[i].alone = p->asks_alone;
    if (f->twice || f->answer != ANSWER_OK)
        return; /* the first delivery is answered; 500 says nothing of what was done */
    f->answer = a;
    f->verdict = v;
}

static void act(struct sim *s, struct proc *p, unsigned i)
{
    struct flight *f = &p->ops[i];
    uint64_t again_ms = SIM_FAR;
    f->act_ms = SIM_FAR;
    if (f->verb == VERB_WATCH) {
        watch_sees(s, p, i);
        f->acted = true;
        f->thing_met = met_by(s, p, i);
        return;
    }
    if (sim_mutates(f->verb)) {
        change(s, p, i);
        if (f->fault == FAULT_DUPLICATE && !f->twice)
            again_ms = s->now_ms + 1 + sim_random(s, 10);
    } else {
        if (s->kinds[i] == KIND_JOB && f->verb == VERB_LOOK) /* its own, or what a dead run asked for */
            p->asks = p->open ? p->open : p->id;
        f->verdict = world_look(s, i, p->asks, f->fault == FAULT_STALE, s->goal.kind == GOAL_UP);
        bool judged = f->verdict.found == FOUND_READY || f->verdict.found == FOUND_FAILED;
        if (s->kinds[i] == KIND_JOB && f->verdict.ours && judged) /* that is for WATCH to say */
            f->verdict = (struct phase_verdict){
                .found = FOUND_PENDING, .kind = RD_ERR_TRANSIENT, .ours = true};
        if (f->verdict.found == FOUND_UNREACHABLE)
            f->met &= ~FAULT_BIT(FAULT_STALE); /* nobody was there to read from */
        p->looked_version[i] = s->things[i].version;
        p->looked_born[i] = s->things[i].born;
    }
    f->acted = true;
    if (!f->twice && f->answer != ANSWER_500)
        f->thing_met = met_by(s, p, i);
    if (again_ms != SIM_FAR) {
        f->act_ms = again_ms;
        f->twice = true;
    }
    if (s->kinds[i] == KIND_FACTS)
        s->things[i].met = 0; /* said once */
}

/* ---- Answers ---- */

static void retry_or_end(struct sim *s, struct proc *p, unsigned i, const struct retry_outcome *o,
                         enum rd_err_kind kind)
{
    struct flight *f = &p->ops[i];
    bool google = is_google(s, i);
    bool once = f->verb == VERB_START && (s->kinds[i] == KIND_GOOGLE || s->kinds[i] == KIND_JOB);
    struct retry_decision d =
        retry_decide(google ? &retry_google : &retry_kubernetes, once ? RETRY_ONCE : RETRY_SAFE, o,
                     f->attempt, s->now_ms, f->deadline_ms, sim_random(s, UINT64_MAX));
    if (!d.retry) {
        finish(s, p, i, judge_error(kind, o->retry_after_ms), o->status != 0);
        return;
    }
    f->met &= ~(FAULT_BIT(FAULT_DUPLICATE) | FAULT_BIT(FAULT_SLOW)); /* of no effect */
    f->act_ms = f->reply_ms = f->list_ms = SIM_FAR;
    f->send_ms = s->now_ms + d.delay_ms;
}

static void reply(struct sim *s, struct proc *p, unsigned i)
{
    struct flight *f = &p->ops[i];
    if (f->stopped || s->now_ms >= f->deadline_ms) {
        leave_behind(s, p, i);
        if (f->fault != FAULT_LOST_REQUEST && f->fault != FAULT_LOST_REPLY &&
            f->fault != FAULT_SLOW && f->fault != FAULT_DUPLICATE && f->send_ms == SIM_FAR &&
            sim_fault_class[f->fault] == 'R')
            f->met &= ~FAULT_BIT(f->fault); /* what would have come did not come to count */
        finish(s, p, i, judge_error(f->stopped ? RD_ERR_CANCELLED : RD_ERR_TIMEOUT, 0), false);
        return;
    }
    struct retry_outcome o = {.sent = f->fault != FAULT_RESET};
    switch (f->fault) {
    case FAULT_LOST_REQUEST:
    case FAULT_LOST_REPLY:
        leave_behind(s, p, i);
        o.transport = RD_ERR_TIMEOUT;
        retry_or_end(s, p, i, &o, o.transport);
        return;
    case FAULT_RESET:
    case FAULT_HALF:
        leave_behind(s, p, i);
        o.transport = RD_ERR_TRANSIENT;
        retry_or_end(s, p, i, &o, o.transport);
        return;
    default:
        break;
    }
    if (f->answer == ANSWER_OK) {
        RD_ASSERT(f->acted);
        finish(s, p, i, f->verdict, true);
        return;
    }
    if (f->answer == ANSWER_401 && !f->refreshed) {
        f->refreshed = true;
        f->act_ms = f->reply_ms = SIM_FAR;
        f->send_ms = s->now_ms + 5 + sim_random(s, 500);
        return;
    }
    const struct judged *j = judge_answer(is_google(s, i), f->answer);
    o.status = j->status;
    o.retry_after_ms = j->retry_after_ms;
    o.transient_hint = j->retry;
    o.final_hint = j->final;
    retry_or_end(s, p, i, &o, j->kind);
}

/* The write gate of the hall's clients: asked before each attempt. */
static void send_again(struct sim *s, struct proc *p, unsigned i)
{
    struct flight *f = &p->ops[i];
    bool gated = sim_mutates(f->verb) && p->needs_lock && sim_locked_step(s, i);
    if (gated && !phase_may_write(&p->phase, s->now_ms))
        finish(s, p, i, judge_error(RD_ERR_TRANSIENT, 0), false);
    else
        send(s, p, i);
}

void net_turn(struct sim *s, struct proc *p)
{
    for (unsigned i = 0; i < s->count && p->alive; i++) {
        struct flight *f = &p->ops[i];
        if (!f->live)
            continue;
        if (f->act_ms <= s->now_ms)
            act(s, p, i);
        if (f->list_ms <= s->now_ms && !f->stopped) { /* the stream is dead: list and watch anew */
            f->list_ms = SIM_FAR;
            f->met |= FAULT_BIT(f->fault);
            f->send_ms = s->now_ms + 1 + sim_random(s, 1000);
            f->act_ms = SIM_FAR;
        }
        if (f->live && (f->reply_ms <= s->now_ms || f->deadline_ms <= s->now_ms))
            reply(s, p, i);
        else if (f->live && f->send_ms <= s->now_ms && !f->stopped)
            send_again(s, p, i);
    }
}

void net_stop(struct sim *s, struct proc *p, const struct phase_command *c)
{
    struct flight *f = &p->ops[c->step];
    if (!f->live || f->run_id != c->run_id || f->stopped)
        return;
    f->stopped = true;
    f->send_ms = f->list_ms = SIM_FAR;
    f->reply_ms = s->now_ms + 1 + sim_random(s, 50);
    if (f->act_ms > s->now_ms + SIM_LATE_MAX_MS || f->verb == VERB_WATCH)
        f->act_ms = SIM_FAR; /* it had not been sent yet */
}

/* Stopped: what had been sent lands, what had not waits. */
void net_freeze(struct sim *s, struct proc *p)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct flight *f = &p->ops[i];
        if (f->live && sim_mutates(f->verb) && f->act_ms != SIM_FAR) {
            if (f->act_ms <= s->now_ms + SIM_LATE_MAX_MS)
                act(s, p, i);
            else
                f->fault = FAULT_LOST_REQUEST; /* it never left */
            f->act_ms = SIM_FAR;
        }
    }
}

void net_wake(struct sim *s, struct proc *p)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct flight *f = &p->ops[i];
        if (!f->live || f->stopped || f->send_ms != SIM_FAR)
            continue;
        f->act_ms = f->list_ms = SIM_FAR;
        f->met &= ~FAULT_BIT(f->fault);
        f->fault = FAULT_LOST_REPLY;
        f->reply_ms = s->now_ms + 1 + sim_random(s, 50);
    }
}

void net_abandon(struct sim *s, struct proc *p)
{
    for (unsigned i = 0; i < s->count; i++) {
        leave_behind(s, p, i);
        p->ops[i].live = false;
    }
}

void net_land_late(struct sim *s)
{
    for (unsigned n = 0; n < LATE_MAX; n++) {
        struct late *l = &s->late[n];
        if (!l->live || l->at_ms > s->now_ms)
            continue;
        struct phase_verdict v;
        l->live = false;
        sim_tell(s, "a late %s %s lands", phase_verb_name(l->verb), s->ids[l->step]);
        if (l->verb == VERB_START)
            (void)world_start(s, l->step, l->by, l->version, &v);
        else
            (void)world_undo(s, l->step, l->born, &v);
        if (l->verb == VERB_START && s->kinds[l->step] == KIND_JOB && s->things[l->step].by == l->by)
            s->things[l->step].alone = l->alone;
    }
}

void net_changed(struct sim *s, unsigned step)
{
    for (unsigned n = 0; n < SIM_PROCS; n++) {
        struct flight *f = &s->procs[n].ops[step];
        if (s->procs[n].alive && f->live && f->verb == VERB_WATCH && f->acted && !f->stopped &&
            f->reply_ms == SIM_FAR && f->send_ms == SIM_FAR && f->fault != FAULT_SILENT)
            f->act_ms = s->now_ms + 1 + sim_random(s, 20);
    }
}

uint64_t net_next_ms(const struct sim *s, const struct proc *p)
{
    uint64_t next = SIM_FAR;
    for (unsigned i = 0; i < s->count; i++) {
        const struct flight *f = &p->ops[i];
        if (!f->live)
            continue;
        const uint64_t times[] = {f->reply_ms, f->act_ms, f->send_ms, f->list_ms, f->deadline_ms};
        for (size_t n = 0; n < RD_ARRAY_LEN(times); n++)
            if (times[n] < next)
                next = times[n];
    }
    return next;
}
