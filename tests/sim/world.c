/* What can happen out there: things are made and go in their own time, operations are slow and fail, a
 * custom resource hides errors and heals, others meddle. */
#include "tests/sim/sim.h"

#include <string.h>

static void change(struct sim *s, unsigned i, enum thing_state to, uint64_t at_ms)
{
    struct thing *t = &s->things[i];
    t->before = t->state;
    t->state = to;
    t->at_ms = at_ms;
    t->changed_ms = s->now_ms;
    t->version++;
    if (to == THING_NONE)
        t->copies = 0;
    else if (t->before == THING_NONE)
        t->born++, t->copies = 1;
    net_changed(s, i);
}

static bool in_cluster(enum sim_kind k)
{
    return k == KIND_OBJECTS || k == KIND_RAY || k == KIND_JOB || k == KIND_LEFTOVERS;
}

/* What lived only in a cluster that is gone is gone too; what a custom resource stands for lives on. */
static void bury(struct sim *s, unsigned home)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct thing *t = &s->things[i];
        if (s->home[i] != (int)home)
            continue;
        if (!in_cluster(s->kinds[i])) {
            t->cr = false;
            continue;
        }
        if (!t->ours)
            s->first[i].state = THING_NONE;
        if (t->state != THING_NONE)
            change(s, i, THING_NONE, 0);
        t->ours = t->drifted = t->fails = t->shared = false;
        t->trouble = FAULT_NONE;
        t->met = 0;
    }
}

static void finish(struct sim *s, unsigned i)
{
    struct thing *t = &s->things[i];
    bool made = t->state == THING_MAKING, google = s->kinds[i] == KIND_GOOGLE;
    bool fails = t->fails;
    t->fails = false;
    t->trouble = FAULT_NONE;
    if (made && fails && google) { /* the operation ended with an error: there is nothing */
        change(s, i, THING_NONE, 0);
        t->ours = false;
    } else if (made) {
        change(s, i, THING_UP, 0);
        t->fails = fails; /* a job that ran and failed */
        if (s->kinds[i] == KIND_RAY && s->leftovers_come) {
            for (unsigned k = 0; k < s->count; k++)
                if (s->kinds[k] == KIND_LEFTOVERS && s->things[k].state == THING_NONE) {
                    s->things[k].ours = true;
                    change(s, k, THING_UP, 0);
                }
        }
    } else if (fails) { /* the deletion ended with an error */
        change(s, i, THING_UP, 0);
    } else {
        change(s, i, THING_NONE, 0);
        t->ours = t->drifted = false;
        bury(s, i);
    }
}

void world_settle(struct sim *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct thing *t = &s->things[i];
        bool moves = t->state == THING_MAKING || t->state == THING_GOING;
        if (moves && t->at_ms <= s->now_ms)
            finish(s, i);
        else if (t->trouble && t->trouble_until_ms <= s->now_ms) {
            t->trouble = FAULT_NONE;
            net_changed(s, i);
        }
    }
}

void world_heal(struct sim *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct thing *t = &s->things[i];
        bool stays = s->kinds[i] == KIND_JOB && t->state == THING_UP; /* a job that failed */
        if (t->fails && !stays)
            t->met &= ~FAULT_BIT(FAULT_OP_FAILED);
        t->fails &= stays;
        t->trouble = FAULT_NONE;
        if ((t->state == THING_MAKING || t->state == THING_GOING) && t->at_ms > s->now_ms + 5000)
            t->at_ms = s->now_ms + 5000;
        /* Most of those who took our names have moved on. */
        if (t->state == THING_UP && !t->ours && !t->shared && !s->defs[i].look_only &&
            sim_random(s, 4) > 0) {
            change(s, i, THING_NONE, 0);
            s->first[i].state = THING_NONE;
            t->met = 0;
        }
    }
}

uint64_t world_next_ms(const struct sim *s, unsigned step)
{
    const struct thing *t = &s->things[step];
    uint64_t next = t->state == THING_MAKING || t->state == THING_GOING ? t->at_ms : SIM_FAR;
    if (t->trouble && t->trouble_since_ms > s->now_ms && t->trouble_since_ms < next)
        next = t->trouble_since_ms;
    return t->trouble && t->trouble_until_ms < next ? t->trouble_until_ms : next;
}

/* ---- Looking ---- */

static struct phase_verdict seen(enum phase_finding found)
{
    return (struct phase_verdict){.found = found, .kind = RD_ERR_TRANSIENT};
}

static struct phase_verdict sight(const struct sim *s, unsigned i, enum thing_state state)
{
    const struct thing *t = &s->things[i];
    bool up = state == THING_UP;
    enum sim_fault trouble = t->trouble_since_ms <= s->now_ms ? t->trouble : FAULT_NONE;
    switch (s->kinds[i]) {
    case KIND_CONNECTOR:
        if (trouble == FAULT_DEPENDENCY)
            return judge_sight(SIGHT_CC_WAITS);
        if (trouble == FAULT_COMPLAINT)
            return judge_sight(SIGHT_CC_HEALS);
        if (trouble == FAULT_OP_FAILED)
            return judge_sight(SIGHT_CC_QUOTA);
        if (up)
            return judge_sight(SIGHT_CC_UP);
        return judge_sight(t->changed_ms + 500 > s->now_ms ? SIGHT_CC_NEW : SIGHT_CC_MAKING);
    case KIND_OBJECTS:
        if (trouble)
            return judge_sight(trouble == FAULT_COMPLAINT ? SIGHT_POD_PULL : SIGHT_POD_DENIED);
        return judge_sight(up ? SIGHT_DEPLOY_UP : SIGHT_DEPLOY_MAKING);
    case KIND_RAY:
        if (trouble)
            return judge_sight(trouble == FAULT_COMPLAINT ? SIGHT_POD_PULL : SIGHT_POD_DENIED);
        return judge_sight(up ? SIGHT_RAY_UP : SIGHT_RAY_MAKING);
    case KIND_JOB:
        if (up && t->fails) {
            struct phase_verdict v = judge_error(RD_ERR_JOB, 0);
            v.ours = true;
            return v;
        }
        break;
    default:
        break;
    }
    return seen(up ? FOUND_READY : FOUND_PENDING);
}

static struct phase_verdict look_facts(struct sim *s, unsigned i)
{
    struct phase_verdict v = seen(FOUND_READY);
    v.facts = s->defs[i].publishes;
    if (!sim_fault_at(s, i, FAULT_OP_FAILED))
        return v;
    s->things[i].met |= FAULT_BIT(FAULT_OP_FAILED); /* quota is short, an account is off */
    return judge_error(RD_ERR_PREFLIGHT, 0);
}

/* The custom resource and what it stands for: each may be there without the other. */
static bool look_resource(const struct sim *s, unsigned i, bool up, struct phase_verdict *v)
{
    const struct thing *t = &s->things[i];
    if (s->kinds[i] != KIND_CONNECTOR)
        return false;
    if (t->state == THING_NONE && t->cr) { /* it says UpToDate; Google says that there is nothing */
        *v = seen(FOUND_PENDING);
        v->drifted = up;
        v->ours = true;
        return true;
    }
    return false;
}

struct phase_verdict world_look(struct sim *s, unsigned i, unsigned asks, bool stale, bool up)
{
    struct thing *t = &s->things[i];
    enum thing_state state = t->state;
    if (s->kinds[i] == KIND_FACTS)
        return look_facts(s, i);
    if (s->home[i] >= 0) {
        const struct thing *home = &s->things[s->home[i]];
        bool there = home->state == THING_UP && home->ours;
        if (!there && in_cluster(s->kinds[i]))
            return home->state == THING_NONE || !home->ours ? seen(FOUND_ABSENT)
                                                            : judge_error(RD_ERR_TRANSIENT, 0);
        if (!there && home->ours && home->state != THING_NONE)
            return judge_error(RD_ERR_TRANSIENT, 0);
    }
    /* A read may lag behind the status of a thing, but not behind its creation or its end: GET by
     * name is consistent in both APIs. */
    if (stale && t->changed_ms + 2000 > s->now_ms && t->state == THING_UP &&
        t->before == THING_MAKING)
        state = THING_MAKING;
    if (s->kinds[i] == KIND_JOB && (t->by != asks || t->state == THING_NONE))
        return seen(FOUND_ABSENT);
    struct phase_verdict v;
    if (look_resource(s, i, up, &v))
        return v;
    if (state == THING_NONE)
        return seen(FOUND_ABSENT);
    if (state == THING_GOING) {
        v = judge_sight(SIGHT_GOING);
        v.ours = t->ours;
        return v;
    }
    if (!t->ours && !t->shared) {
        v = seen(FOUND_FOREIGN);
        v.kind = RD_ERR_FOREIGN;
        return v;
    }
    v = up ? sight(s, i, state) : seen(state == THING_UP ? FOUND_READY : FOUND_PENDING);
    v.ours = t->ours;
    v.drifted = up && state == THING_UP &&
                (t->drifted || (s->kinds[i] == KIND_CONNECTOR && !t->cr && t->ours));
    if (v.found == FOUND_READY)
        v.facts = s->defs[i].publishes;
    return v;
}

/* ---- Changing ---- */

/* How long it takes: what is watched may be long under way, what is polled is not. */
static uint64_t takes(struct sim *s, unsigned i, bool making)
{
    uint64_t limit = s->defs[i].limit_ms, most = making && s->has_watch[i] ? limit / 6 : 4000;
    if (s->defs[i].every_run)
        most = 2000;
    if (sim_fault_at(s, i, FAULT_OP_SLOW)) {
        s->things[i].met |= FAULT_BIT(FAULT_OP_SLOW);
        most = !making ? 20000 : s->has_watch[i] ? limit + limit / 4 : limit / 4;
    }
    uint64_t aimed = making ? aim_takes(s, i) : 0;
    return aimed ? aimed : 50 + sim_random(s, most);
}

/* What goes wrong on the way, and passes by itself. */
static void trouble(struct sim *s, unsigned i)
{
    struct thing *t = &s->things[i];
    enum sim_kind k = s->kinds[i];
    enum sim_fault f = FAULT_NONE;
    uint64_t lasts = 1000 + sim_random(s, 15000);
    t->trouble = FAULT_NONE;
    t->fails = false;
    if (k == KIND_GOOGLE || k == KIND_JOB) {
        t->fails = sim_fault_at(s, i, FAULT_OP_FAILED);
        if (t->fails)
            t->met |= FAULT_BIT(FAULT_OP_FAILED);
        return;
    }
    if (k == KIND_CONNECTOR && sim_fault_at(s, i, FAULT_DEPENDENCY))
        f = FAULT_DEPENDENCY;
    else if (k != KIND_POLICY && k != KIND_SWITCH && sim_fault_at(s, i, FAULT_COMPLAINT))
        f = FAULT_COMPLAINT;
    else if (k != KIND_POLICY && k != KIND_SWITCH && sim_fault_at(s, i, FAULT_OP_FAILED))
        f = FAULT_OP_FAILED;
    if (!f)
        return;
    if (sim_random(s, s->focus == (int)i ? 2 : 8) == 0)
        lasts = sim_random(s, 1200000); /* longer than any grace */
    t->trouble = f;
    t->met |= FAULT_BIT(f);
    t->trouble_since_ms = s->now_ms;
    if (aim_lasts(s, i))
        lasts = 1000 + sim_random(s, 600000);
    else if (s->has_watch[i] && sim_random(s, 2)) /* it begins well */
        t->trouble_since_ms += sim_random(s, s->defs[i].limit_ms / 4);
    t->trouble_until_ms = t->trouble_since_ms + lasts;
    if (t->at_ms < t->trouble_until_ms)
        t->at_ms = t->trouble_until_ms;
}

/* Between our look and our write somebody else wrote, or took the name. */
static void overtake(struct sim *s, unsigned i, unsigned version)
{
    struct thing *t = &s->things[i];
    enum sim_kind k = s->kinds[i];
    if (t->state == THING_NONE && !t->cr && k != KIND_SWITCH && k != KIND_JOB &&
        k != KIND_POLICY && k != KIND_LEFTOVERS && sim_fault_at(s, i, FAULT_FOREIGN)) {
        sim_tell(s, "somebody else makes %s", s->ids[i]);
        change(s, i, THING_UP, 0);
        t->ours = false;
        t->met = FAULT_BIT(FAULT_FOREIGN);
        s->first[i] = *t;
    } else if (k != KIND_JOB && t->version == version && sim_fault_at(s, i, FAULT_CONFLICT)) {
        t->version++;
        t->met |= FAULT_BIT(FAULT_CONFLICT);
    }
}

static enum sim_answer start_job(struct sim *s, unsigned i, unsigned by)
{
    struct thing *t = &s->things[i];
    if (t->state != THING_NONE && t->by == by)
        return ANSWER_EXISTS;
    /* What one machine alone knew of, another asks for anew: either it submits under an id of its own, or
     * under one that the mirror had. */
    bool unknown = t->alone && ((t->by ^ by) & 1 || by == s->mirror_open || !disk_knows_alone(s, t->by));
    if (t->state != THING_NONE && !t->judged && !unknown) {
        t->copies++;
        s->tally->duplicates++;
        sim_violate(s, "duplicate: job %u is submitted, and of job %u nobody has heard the end", by, t->by);
        return ANSWER_OK;
    }
    t->judged = false;
    t->by = by;
    t->copies = 0;
    t->met = 0;
    change(s, i, THING_MAKING, s->now_ms + takes(s, i, true));
    t->copies = 1;
    return ANSWER_OK;
}

enum sim_answer world_start(struct sim *s, unsigned i, unsigned by, unsigned version,
                            struct phase_verdict *ret)
{
    struct thing *t = &s->things[i];
    *ret = seen(FOUND_PENDING);
    ret->ours = true;
    if (s->home[i] >= 0) {
        const struct thing *home = &s->things[s->home[i]];
        if (home->state != THING_UP || !home->ours)
            return ANSWER_503;
    }
    overtake(s, i, version);
    if (t->state != THING_NONE && !t->ours && !t->shared)
        return ANSWER_TAKEN;
    if (s->kinds[i] == KIND_JOB) {
        enum sim_answer a = start_job(s, i, by);
        t->ours |= a == ANSWER_OK;
        if (a == ANSWER_OK)
            trouble(s, i);
        return a;
    }
    if (t->state == THING_GOING)
        return ANSWER_BUSY;
    if (s->kinds[i] == KIND_GOOGLE && t->state != THING_NONE && !t->drifted)
        return ANSWER_EXISTS;
    if (t->version != version)
        return ANSWER_CONFLICT;
    bool was_up = t->state == THING_UP;
    t->met = 0; /* a new try */
    t->ours = true;
    t->drifted = false;
    t->cr = s->kinds[i] == KIND_CONNECTOR;
    change(s, i, THING_MAKING, s->now_ms + (was_up ? 20 : takes(s, i, true)));
    if (!was_up)
        trouble(s, i);
    return ANSWER_OK;
}

/* What we undo may be all that still knows of something that costs money. */
static void look_for_orphans(struct sim *s, unsigned i)
{
    for (unsigned k = 0; k < s->count; k++) {
        const struct thing *t = &s->things[k];
        bool known_here_only = s->kinds[k] == KIND_LEFTOVERS ? t->state == THING_UP
                               : s->kinds[k] == KIND_CONNECTOR ? t->cr : false;
        if (s->home[k] != (int)i || !t->ours || !known_here_only)
            continue;
        s->tally->orphans++;
        sim_violate(s, "orphan: %s is undone while %s lives by it", s->ids[i], s->ids[k]);
    }
}

enum sim_answer world_undo(struct sim *s, unsigned i, unsigned born, struct phase_verdict *ret)
{
    struct thing *t = &s->things[i];
    *ret = seen(FOUND_ABSENT);
    ret->ours = true;
    if (s->home[i] >= 0 && s->things[s->home[i]].state != THING_UP &&
        s->things[s->home[i]].state != THING_NONE)
        return ANSWER_503;
    if (t->state == THING_NONE) {
        t->cr = false;
        return ANSWER_OK;
    }
    ret->found = FOUND_LEAVING;
    if (t->state == THING_GOING) {
        t->cr = false;
        return ANSWER_OK;
    }
    if (sim_fault_at(s, i, FAULT_CONFLICT)) {
        t->met |= FAULT_BIT(FAULT_CONFLICT);
        return ANSWER_CONFLICT;
    }
    if (!t->ours || t->born != born) /* deletion names the uid that was looked at */
        return ANSWER_CONFLICT;
    look_for_orphans(s, i);
    uint64_t lasts = takes(s, i, false);
    if (s->kinds[i] == KIND_RAY)
        lasts += sim_random(s, 20000); /* its finalizer waits for the operator */
    t->cr = false;
    t->trouble = FAULT_NONE;
    change(s, i, THING_GOING, s->now_ms + lasts);
    t->fails = s->kinds[i] == KIND_GOOGLE && sim_fault_at(s, i, FAULT_OP_FAILED);
    if (t->fails) {
        t->met |= FAULT_BIT(FAULT_OP_FAILED);
    } else if (sim_random(s, 4) == 0) { /* gone before the answer came */
        t->at_ms = s->now_ms;
        finish(s, i);
        ret->found = FOUND_ABSENT;
    }
    return ANSWER_OK;
}

/* Somebody deletes or changes one of ours, of those that the goal is about. */
void world_meddle(struct sim *s)
{
    bool focus = s->aim.on || (s->focus >= 0 && sim_random(s, 2));
    unsigned i = focus ? (unsigned)s->focus : (unsigned)sim_random(s, s->count);
    struct thing *t = &s->things[i];
    step_set about = s->goal.kind == GOAL_UP ? s->goal.may_start : s->goal.want;
    bool there = t->state == THING_UP || t->state == THING_MAKING;
    if (!t->ours || !there || !(about >> i & 1) || s->kinds[i] == KIND_JOB ||
        s->kinds[i] == KIND_LEFTOVERS || s->kinds[i] == KIND_SWITCH)
        return; /* what others have among themselves is not our story */
    if (sim_fault_at(s, i, FAULT_MEDDLE)) {
        sim_tell(s, "somebody deletes %s", s->ids[i]);
        t->met = FAULT_BIT(FAULT_MEDDLE);
        t->fails = t->drifted = false;
        t->trouble = FAULT_NONE;
        change(s, i, THING_GOING, s->now_ms + sim_random(s, 2000));
    } else if (t->state == THING_UP && sim_fault_at(s, i, FAULT_DRIFT)) {
        sim_tell(s, "somebody changes %s", s->ids[i]);
        t->met |= FAULT_BIT(FAULT_DRIFT);
        t->drifted = true;
        t->before = THING_UP;
        t->version++;
        net_changed(s, i);
    }
}
