/* The table of steps as a graph, and the words for states and findings. */
#include "phase/core/machine.h"

const char *phase_finding_name(enum phase_finding f)
{
    static const char *const names[] = {
#define X(name, word) [name] = word,
        PHASE_FINDINGS(X)
#undef X
    };
    RD_ASSERT(f < PHASE_FINDING_MAX);
    return names[f];
}

const char *step_state_name(enum step_state s)
{
    static const char *const names[] = {
#define X(name, word) [name] = word,
        STEP_STATES(X)
#undef X
    };
    RD_ASSERT(s < STEP_STATE_MAX);
    return names[s];
}

const char *phase_verb_name(enum phase_verb v)
{
    static const char *const names[] = {"look", "start", "watch", "undo"};
    RD_ASSERT(v < VERB_MAX);
    return names[v];
}

enum note_state phase_note_state(enum step_state s, enum phase_goal_kind goal)
{
    switch (s) {
    case STEP_BLOCKED:
    case STEP_SEEN:
        return NOTE_PENDING;
    case STEP_LOOKING:
    case STEP_INTENDING:
    case STEP_STARTING:
    case STEP_WAITING:
    case STEP_PAUSING:
    case STEP_UNDOING:
    case STEP_LEAVING:
        return NOTE_RUNNING;
    case STEP_DONE:
        return NOTE_DONE;
    case STEP_FAILED:
        return NOTE_FAILED;
    case STEP_GONE:
        return goal == GOAL_DOWN ? NOTE_UNDONE : NOTE_PENDING;
    case STEP_HELD:
    case STEP_CANCELLED:
    case STEP_KEPT:
    case STEP_UNWANTED:
        return NOTE_SKIPPED;
    case STEP_STATE_MAX:
        break;
    }
    RD_UNREACHABLE();
}

step_set phase_closure(const struct phase_step_def *defs, unsigned count, step_set want)
{
    step_set seen, set = want;
    do {
        seen = set;
        for (unsigned i = 0; i < count; i++)
            if (set & STEP_BIT(i))
                set |= defs[i].needs;
    } while (set != seen);
    return set;
}

void phase_init(struct phase *p, const struct phase_step_def *defs, unsigned count)
{
    RD_ASSERT(count > 0);
    RD_ASSERT(count <= PHASE_STEPS_MAX);
    step_set all = count == PHASE_STEPS_MAX ? UINT32_MAX : STEP_BIT(count) - 1;
    for (unsigned i = 0; i < count; i++) {
        RD_ASSERT(defs[i].id);
        RD_ASSERT((defs[i].needs & ~all) == 0);
        RD_ASSERT(!(phase_closure(defs, count, defs[i].needs) & STEP_BIT(i))); /* no cycle */
        RD_ASSERT((defs[i].down_after & ~all) == 0);
    }
    memset(p, 0, sizeof *p);
    p->defs = defs;
    p->count = count;
    for (unsigned i = 0; i < count; i++) {
        p->steps[i].state = STEP_UNWANTED;
        p->steps[i].stop_at_ms = RD_NEVER;
        p->steps[i].wake_ms = RD_NEVER;
    }
}
