/* The graphs of lives: the shipped tables, and graphs made up. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* What stands behind a step of the tables, and in whose cluster. A step that is not here stops the
 * simulation: it would not know what it does. */
static const struct model {
    const char *id;
    enum sim_kind kind;
    const char *home;
} models[] = {
    {"cluster", KIND_FACTS, NULL},
    {"preflight", KIND_FACTS, NULL},
    {"apis", KIND_SWITCH, NULL},
    {"quota", KIND_FACTS, NULL},
    {"mgmt-net", KIND_GOOGLE, NULL},
    {"mgmt-accounts", KIND_GOOGLE, NULL},
    {"mgmt", KIND_GOOGLE, NULL},
    {"cc-iam", KIND_POLICY, NULL},
    {"cc-ready", KIND_OBJECTS, "mgmt"},
    {"net", KIND_CONNECTOR, "mgmt"},
    {"nat", KIND_CONNECTOR, "mgmt"},
    {"accounts", KIND_CONNECTOR, "mgmt"},
    {"storage", KIND_CONNECTOR, "mgmt"},
    {"gke", KIND_CONNECTOR, "mgmt"},
    {"pool-cpu", KIND_CONNECTOR, "mgmt"},
    {"pool-gpu", KIND_CONNECTOR, "mgmt"},
    {"wi", KIND_CONNECTOR, "mgmt"},
    {"filestore", KIND_CONNECTOR, "mgmt"},
    {"workload-leftovers", KIND_LEFTOVERS, "gke"},
    {"kuberay-crds", KIND_OBJECTS, "gke"},
    {"base", KIND_OBJECTS, "gke"},
    {"kuberay", KIND_OBJECTS, "gke"},
    {"volume", KIND_OBJECTS, "gke"},
    {"ray", KIND_RAY, "gke"},
    {"job", KIND_JOB, "gke"},
};

static const struct model *model_of(const char *id)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(models); i++)
        if (strcmp(models[i].id, id) == 0)
            return &models[i];
    fprintf(stderr, "sim: the tables have a step %s, of which graph.c has no model\n", id);
    exit(2);
}

const char *graph_name(enum sim_graph g)
{
    static const char *const names[] = {"local", "gke", "any"};
    return names[g];
}

unsigned graph_steps(enum sim_graph g)
{
    return g == GRAPH_LOCAL ? sim_rows_local_count : sim_rows_gke_count;
}

const struct sim_row *graph_row(enum sim_graph g, unsigned i)
{
    return g == GRAPH_LOCAL ? &sim_rows_local[i] : &sim_rows_gke[i];
}

const char *graph_step(enum sim_graph g, unsigned i)
{
    return graph_row(g, i)->id;
}

enum sim_kind graph_kind(enum sim_graph g, unsigned i)
{
    return model_of(graph_step(g, i))->kind;
}

bool graph_is_home(enum sim_graph g, unsigned i)
{
    for (unsigned k = 0; k < graph_steps(g); k++) {
        const char *home = model_of(graph_step(g, k))->home;
        if (home && strcmp(home, graph_step(g, i)) == 0)
            return true;
    }
    return false;
}

static int find(const struct sim *s, const char *id)
{
    for (unsigned i = 0; id && i < s->count; i++)
        if (strcmp(s->ids[i], id) == 0)
            return (int)i;
    return -1;
}

/* All that a set of steps needs. */
static step_set needed(const struct sim *s, int i)
{
    return i < 0 ? 0 : phase_closure(s->defs, s->count, (step_set)1 << i);
}

static void shipped_graph(struct sim *s)
{
    s->count = graph_steps(s->graph);
    RD_ASSERT(s->count <= SIM_STEPS_MAX);
    for (unsigned i = 0; i < s->count; i++) {
        const struct sim_row *r = graph_row(s->graph, i);
        snprintf(s->ids[i], sizeof s->ids[i], "%s", r->id);
        s->defs[i] = (struct phase_step_def){.id = s->ids[i],
                                             .needs = r->needs,
                                             .down_after = r->down_after,
                                             .limit_ms = r->limit_ms,
                                             .tries_max = r->tries_max,
                                             .publishes = r->publishes,
                                             .look_only = r->look_only,
                                             .every_run = r->every_run,
                                             .no_last_look = r->no_last_look,
                                             .yields = r->yields,
                                             .unlocked = r->unlocked};
        s->kinds[i] = model_of(r->id)->kind;
        s->has_watch[i] = r->has_watch;
        s->startable |= (step_set)r->has_start << i;
        s->undoable |= (step_set)r->has_undo << i;
    }
    for (unsigned i = 0; i < s->count; i++)
        s->home[i] = find(s, model_of(s->ids[i])->home);
    if (s->graph == GRAPH_GKE) {
        s->lock_home = (unsigned)find(s, "mgmt");
        s->management = needed(s, find(s, "cc-ready"));
    }
}

static void any_graph(struct sim *s)
{
    static const enum sim_kind kinds[] = {KIND_GOOGLE, KIND_CONNECTOR, KIND_OBJECTS, KIND_POLICY};
    s->count = 2 + (unsigned)sim_random(s, 9);
    for (unsigned i = 0; i < s->count; i++) {
        struct phase_step_def *d = &s->defs[i];
        snprintf(s->ids[i], sizeof s->ids[i], "s%u", i % 100u);
        *d = (struct phase_step_def){.id = s->ids[i], .needs = i ? 1 : 0};
        for (unsigned k = 1; k < i; k++)
            if (sim_random(s, 3) == 0)
                d->needs |= (step_set)1 << k;
        /* Now and then one that goes only after another that stands beside it. */
        if (i > 1 && sim_random(s, 4) == 0) {
            unsigned k = 1 + (unsigned)sim_random(s, i - 1);
            if (!(phase_closure(s->defs, i + 1, (step_set)1 << i) >> k & 1))
                s->defs[k].down_after |= (step_set)1 << i;
        }
        d->limit_ms = 1000 * (60 + sim_random(s, 600));
        if (sim_random(s, 4) == 0)
            d->tries_max = 3 + (unsigned)sim_random(s, 5);
        if (sim_random(s, 3) == 0)
            d->publishes = (fact_set)1 << i;
        s->kinds[i] = kinds[sim_random(s, RD_ARRAY_LEN(kinds))];
        s->has_watch[i] = sim_random(s, 4) > 0;
        s->home[i] = -1;
    }
    unsigned last = s->count - 1;
    s->defs[0].look_only = true;
    s->kinds[0] = KIND_FACTS;
    s->defs[last].every_run = s->defs[last].no_last_look = true;
    s->has_watch[last] = true;
    s->kinds[last] = KIND_JOB;
    s->startable = (((step_set)1 << s->count) - 1) & ~(step_set)1;
    s->undoable = s->startable & ~((step_set)1 << last);
}

/* The graph of --target gke costs twenty times what a small one costs. */
void graph_choose(struct sim *s)
{
    uint64_t dice = sim_random(s, 100);
    aim_choose(s);
    if (!s->aim.on)
        s->graph = dice < 32 ? GRAPH_GKE : dice < 60 ? GRAPH_LOCAL : GRAPH_ANY;
    s->startable = s->undoable = s->management = 0;
    s->lock_home = 0;
    if (s->graph == GRAPH_ANY)
        any_graph(s);
    else
        shipped_graph(s);
}
