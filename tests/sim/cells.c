/* Which verdicts and faults can meet at a step. The coverage table holds the lives to this: a cell that can
 * be met and is not, and one that is met and should not be, are both shown. */
#include "tests/sim/sim.h"

#define F(name) (1u << FOUND_##name)
#define ALL ((1u << PHASE_FINDING_MAX) - 1)

static bool is(enum sim_kind k, unsigned kinds)
{
    return kinds >> k & 1;
}
#define K(name) (1u << KIND_##name)
#define OBJECTS (K(CONNECTOR) | K(OBJECTS) | K(RAY)) /* with conditions and complaints */

/* What a step of a kind can be found to be, by any verb. */
static unsigned findings(enum sim_kind k)
{
    unsigned always = F(UNREACHABLE) | F(FAILED) | F(READY);
    switch (k) {
    case KIND_FACTS:
        return always;
    case KIND_SWITCH:
    case KIND_JOB:
        return always | F(ABSENT) | F(PENDING);
    case KIND_LEFTOVERS:
        return always | F(ABSENT) | F(LEAVING);
    case KIND_POLICY:
        return always | F(ABSENT) | F(PENDING) | F(LEAVING);
    case KIND_GOOGLE:
        return always | F(ABSENT) | F(PENDING) | F(LEAVING) | F(FOREIGN);
    default:
        return ALL;
    }
}

/* Which findings a request of the step can bring that met the fault. */
static const char *of_request(enum sim_graph g, unsigned i, enum sim_kind k, unsigned v,
                              enum sim_fault f)
{
    const struct sim_row *r = graph_row(g, i);
    switch (f) {
    case FAULT_NONE:
        return v & (F(FAILED) | F(FAILING) | F(FOREIGN)) ? "never without a cause" : NULL;
    case FAULT_REFUSED:
        return v == F(FAILED) ? NULL : "403 is final";
    case FAULT_DUPLICATE:
        if (!r->has_start && !r->has_undo)
            return "it is only looked at, and reads are not delivered twice";
        if (v & (F(READY) | F(FAILING) | F(FAILED)))
            return "only looks and watches say so";
        if (v == F(PENDING) && !r->has_start)
            return "it has no START";
        if ((v & (F(LEAVING) | F(ABSENT))) && !r->has_undo)
            return "it has no UNDO";
        if (v == F(FOREIGN) && k == KIND_GOOGLE)
            return "a name that is taken is told by the next look";
        return NULL;
    case FAULT_STALE:
        if (v == F(UNREACHABLE))
            return "a stale read is an answer";
        if (k == KIND_JOB && v == F(READY))
            return "its look never says so";
        return v == F(FAILED) && !is(k, OBJECTS | K(FACTS)) ? "its look never says so" : NULL;
    case FAULT_SLOW:
        return v == F(FAILED) && !r->has_watch && !is(k, OBJECTS | K(JOB) | K(FACTS))
                   ? "no answer of its own says so"
                   : NULL;
    default:
        return NULL;
    }
}

static const char *of_stream(const struct sim_row *r, enum sim_kind k, unsigned v)
{
    if (!r->has_watch)
        return "it has no watch";
    if (v & (F(LEAVING) | F(FAILING) | F(FOREIGN)))
        return "a watch does not end with it";
    if (v == F(PENDING) && k != KIND_CONNECTOR)
        return "a watch waits on";
    if (v == F(ABSENT) && k == KIND_CONNECTOR)
        return "its resource is still there, and drifted";
    if (v == F(ABSENT) && k == KIND_JOB)
        return "a job ends, it is not taken away";
    return NULL;
}

/* What a thing can look like while the fault is upon it. */
static const char *of_thing(enum sim_graph g, unsigned i, enum sim_kind k, unsigned v, enum sim_fault f)
{
    const struct sim_row *r = graph_row(g, i);
    static const char no[] = "that does not happen to such a thing";
    static const char other[] = "the thing looks different then";
    if (v == F(FOREIGN) && f != FAULT_FOREIGN)
        return "what befell ours says nothing of theirs";
    switch (f) {
    case FAULT_CONFLICT:
        if (is(k, K(FACTS) | K(JOB)))
            return no;
        if (v == F(FAILING) || (!r->has_undo && (v & (F(READY) | F(PENDING)))))
            return other;
        if (v == F(PENDING) && k == KIND_GOOGLE && graph_is_home(g, i))
            return "what lives in it is looked at before it is undone, and cannot be while it is made";
        return v == F(PENDING) && k == KIND_LEFTOVERS ? other : NULL;
    case FAULT_OP_SLOW:
        if (k == KIND_FACTS)
            return no;
        if ((v == F(ABSENT) && !r->has_undo) || (v == F(READY) && !r->has_start))
            return other;
        return NULL;
    case FAULT_OP_FAILED:
        if (is(k, K(SWITCH) | K(POLICY) | K(LEFTOVERS)))
            return no;
        if (k == KIND_FACTS)
            return v == F(FAILED) ? NULL : other;
        if (v == F(FAILING) || (k == KIND_JOB && (v & (F(ABSENT) | F(READY)))))
            return other;
        return NULL;
    case FAULT_COMPLAINT:
        return is(k, OBJECTS) ? NULL : no;
    case FAULT_DEPENDENCY:
        return k != KIND_CONNECTOR ? no : v == F(FAILING) ? other : NULL;
    case FAULT_FOREIGN:
        if (!is(k, K(GOOGLE) | OBJECTS))
            return no;
        if (v == F(READY)) /* somebody else's that fits */
            return k == KIND_OBJECTS && g == GRAPH_LOCAL ? NULL : other;
        return v & (F(FOREIGN) | F(UNREACHABLE) | F(FAILED)) ? NULL : other;
    case FAULT_MEDDLE:
        if (is(k, K(FACTS) | K(JOB) | K(LEFTOVERS) | K(SWITCH)))
            return no;
        if (v & (F(READY) | F(FAILING)) || (v == F(PENDING) && k != KIND_CONNECTOR))
            return other;
        return NULL;
    case FAULT_DRIFT:
        if (is(k, K(FACTS) | K(JOB) | K(LEFTOVERS) | K(SWITCH)))
            return no;
        return v & (F(PENDING) | F(FAILING)) ? other : NULL;
    default:
        return NULL;
    }
}

/* Do all other steps come before it or after it? Then nothing is under way beside it, and its failure is
 * the run's end. */
static bool alone(enum sim_graph g, unsigned i)
{
    struct phase_step_def defs[SIM_STEPS_MAX];
    unsigned count = graph_steps(g);
    for (unsigned k = 0; k < count; k++)
        defs[k] = (struct phase_step_def){.id = graph_step(g, k), .needs = graph_row(g, k)->needs};
    step_set below = phase_closure(defs, count, (step_set)1 << i);
    for (unsigned k = 0; k < count; k++)
        if (!(below >> k & 1) && !(phase_closure(defs, count, (step_set)1 << k) >> i & 1))
            return false;
    return true;
}

/* Any fault of a run meets any verdict of it: before it, or after. */
static const char *of_run(enum sim_graph g, unsigned i, unsigned v, enum sim_fault f)
{
    const struct sim_row *r = graph_row(g, i);
    if (v != F(FAILED) || !r->no_last_look || !alone(g, i))
        return NULL;
    switch (f) {
    case FAULT_ABORT:
    case FAULT_DISK:
        return "its failure ends the run, and nothing is under way beside it";
    case FAULT_CANCEL:
        return r->look_only ? "a cancel stops its look before it fails, and its failure ends the run" : NULL;
    case FAULT_LEASE:
    case FAULT_MIRROR:
        return r->look_only ? "it is looked at before the lock, and its failure ends the run" : NULL;
    default:
        return NULL;
    }
}

const char *cells_impossible(enum sim_graph g, unsigned i, enum phase_finding found,
                             enum sim_fault f)
{
    const struct sim_row *r = graph_row(g, i);
    enum sim_kind k = graph_kind(g, i);
    unsigned v = 1u << found;
    if (!(v & findings(k)))
        return "such a thing is never found so";
    switch (sim_fault_class[f]) {
    case 'N':
    case 'R':
        return of_request(g, i, k, v, f);
    case 'S':
        return of_stream(r, k, v);
    case 'W':
        return of_thing(g, i, k, v, f);
    default:
        return of_run(g, i, v, f);
    }
}
