/* What can happen out there: things are made and go in their own time, others meddle. */
#include "tests/sim/sim.h"

#include <string.h>

static void change(struct sim *s, struct thing *t, enum thing_state to, uint64_t at_ms)
{
    t->before = t->state;
    t->state = to;
    t->at_ms = at_ms;
    t->changed_ms = s->now_ms;
    t->version++;
}

void world_settle(struct sim *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct thing *t = &s->things[i];
        if (t->state == THING_MAKING && t->at_ms <= s->now_ms) {
            t->sick = false;
            change(s, t, THING_UP, 0);
        } else if (t->state == THING_GOING && t->at_ms <= s->now_ms) {
            change(s, t, THING_NONE, 0);
            t->ours = t->drifted = t->sick = false;
        }
    }
}

struct phase_verdict world_look(struct sim *s, unsigned step, bool stale)
{
    struct thing *t = &s->things[step];
    struct phase_verdict v = {.found = FOUND_ABSENT, .kind = RD_ERR_TRANSIENT};
    enum thing_state state = t->state;
    /* A read may lag behind the status of a thing, but not behind its creation or its end: GET by
     * name is consistent in both APIs. */
    if (stale && t->changed_ms + 2000 > s->now_ms && t->state == THING_UP &&
        t->before == THING_MAKING)
        state = THING_MAKING;
    v.ours = t->ours;
    v.drifted = t->drifted && state == THING_UP;
    switch (state) {
    case THING_NONE:
        return v;
    case THING_MAKING:
        v.found = t->ours ? FOUND_PENDING : FOUND_FOREIGN;
        if (t->sick && t->ours) {
            v.found = FOUND_FAILING;
            v.kind = RD_ERR_FAILED;
            v.complaint = 1;
            v.grace_ms = 20000;
        }
        break;
    case THING_UP:
        v.found = t->ours || t->shared || s->defs[step].look_only ? FOUND_READY : FOUND_FOREIGN;
        v.facts = s->defs[step].publishes;
        break;
    case THING_GOING:
        v.found = FOUND_LEAVING;
        break;
    }
    if (v.found == FOUND_FOREIGN)
        v.kind = RD_ERR_FOREIGN;
    return v;
}

struct phase_verdict world_start(struct sim *s, unsigned step, unsigned version)
{
    struct thing *t = &s->things[step];
    struct phase_verdict v = {.found = FOUND_PENDING, .kind = RD_ERR_TRANSIENT, .ours = true};
    if (t->state != THING_NONE && !t->ours) { /* a name that is taken */
        v.found = FOUND_FOREIGN;
        v.kind = RD_ERR_FOREIGN;
        v.ours = false;
        return v;
    }
    if (t->state == THING_GOING || t->version != version) { /* 409 */
        v.found = FOUND_UNREACHABLE;
        v.kind = RD_ERR_CONFLICT;
        return v;
    }
    uint64_t takes = s->defs[step].every_run ? 200 : 50 + sim_random(s, 4000);
    bool was_up = t->state == THING_UP;
    t->ours = true;
    t->drifted = false;
    change(s, t, THING_MAKING, s->now_ms + (was_up ? 20 : takes));
    if (sim_fault(s, FAULT_SICK, 60)) {
        t->sick = true;
        t->at_ms = s->now_ms + 1000 + sim_random(s, 15000);
    }
    return v;
}

struct phase_verdict world_undo(struct sim *s, unsigned step, unsigned version)
{
    struct thing *t = &s->things[step];
    struct phase_verdict v = {.found = FOUND_ABSENT, .kind = RD_ERR_TRANSIENT, .ours = true};
    if (t->state == THING_NONE)
        return v;
    if (t->state == THING_GOING) {
        v.found = FOUND_LEAVING;
        return v;
    }
    /* Deletion names the version that was looked at; MAKING to UP is the thing's own doing. */
    if (!t->ours || t->version > version + 1) {
        v.found = FOUND_UNREACHABLE;
        v.kind = RD_ERR_CONFLICT;
        return v;
    }
    change(s, t, THING_GOING, s->now_ms + sim_random(s, 3000));
    v.found = FOUND_LEAVING;
    return v;
}

/* Somebody deletes or changes one of ours. */
void world_meddle(struct sim *s)
{
    unsigned i = (unsigned)sim_random(s, s->count);
    struct thing *t = &s->things[i];
    if (!t->ours || t->state != THING_UP)
        return; /* what others have among themselves is not our story */
    if (sim_fault(s, FAULT_MEDDLE, 500)) {
        sim_tell(s, "somebody deletes %s", s->ids[i]);
        change(s, t, THING_GOING, s->now_ms + sim_random(s, 2000));
    } else if (sim_fault(s, FAULT_DRIFT, 500)) {
        sim_tell(s, "somebody changes %s", s->ids[i]);
        t->drifted = true;
        t->version++;
    }
}
