/* Goal: on small graphs, every order of every answer. From each state that can be reached, each op
 * in flight is answered in each way, each record succeeds or fails, the lock comes, lapses and
 * goes, the user cancels, time goes on to the next wake; after each event the rules are checked.
 *
 * States are told apart by everything but clocks and counters of ids, so the walk ends. */
#include "phase/core/phase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VISITED (1u << 21) /* places in the table of states; half may be used */
#define DEPTH_MAX 4096

struct node {
    struct phase phase;
    uint64_t now_ms;
    uint64_t seqs[8]; /* records on their way */
    unsigned seq_step[8], seq_count;
    bool seq_intent[8];
    enum phase_verb seq_verb[8];
    bool intent[4]; /* durable, by what came in and went out */
    enum phase_verb intent_verb[4];
    bool looked[4]; /* its last answer was a LOOK's */
    bool cancelled, ended;
};

static struct {
    const struct phase_step_def *defs;
    unsigned count;
    bool needs_lock;
    uint64_t *visited;
    size_t states, moves;
    struct node *stack;
    char trail[DEPTH_MAX][48];
    unsigned depth;
} walk;

/* ---- Telling states apart ---- */

static void mix(uint64_t *h, uint64_t word)
{
    *h = (*h ^ word) * 0x9e3779b97f4a7c15u;
    *h ^= *h >> 31;
}

static unsigned most(unsigned n, unsigned limit)
{
    return n < limit ? n : limit;
}

static uint64_t print_of(const struct node *n)
{
    const struct phase *p = &n->phase;
    uint64_t h = 1;
    bool open = p->lock_until_ms > n->now_ms + p->lock_margin_ms;
    mix(&h, (uint64_t)p->halt << 8 | (uint64_t)open << 1 | (p->lock_until_ms != 0));
    mix(&h, (uint64_t)n->cancelled << 1 | n->ended);
    for (unsigned i = 0; i < walk.count; i++) {
        const struct phase_step_live *s = &p->steps[i];
        bool running = s->run_id != 0;
        mix(&h, (uint64_t)s->state << 32 | (uint64_t)running << 24 | (uint64_t)s->verb << 20 |
                    (uint64_t)s->stopping << 19 | (uint64_t)s->intent_durable << 18 |
                    (uint64_t)s->intent_verb << 14 | (uint64_t)(s->seq != 0) << 13 |
                    (uint64_t)(s->stop_at_ms != RD_NEVER) << 12 | (uint64_t)s->stale << 11 |
                    (uint64_t)s->surveyed << 10 | (uint64_t)s->undo_turn << 9 |
                    (uint64_t)s->paused << 8 | (uint64_t)s->relook << 7 |
                    (uint64_t)s->complaining << 6);
        mix(&h, (uint64_t)most(s->acts, 2) << 16 | most(s->tries, 3) << 8 | most(s->mends, 1));
        mix(&h, (uint64_t)s->last.found << 8 | (uint64_t)s->last.ours << 2 |
                    (uint64_t)s->last.drifted << 1 | s->last.kept);
        mix(&h, (uint64_t)n->intent[i] << 1 | n->looked[i]);
    }
    for (unsigned k = 0; k < n->seq_count; k++)
        mix(&h, (uint64_t)n->seq_step[k] << 2 | n->seq_intent[k]);
    return h | 1; /* 0 is an empty place */
}

static bool is_new(uint64_t print)
{
    for (size_t at = print % VISITED;; at = (at + 1) % VISITED) {
        if (walk.visited[at] == print)
            return false;
        if (walk.visited[at] != 0)
            continue;
        assert_true(walk.states < VISITED / 2);
        walk.visited[at] = print;
        walk.states++;
        return true;
    }
}

/* ---- Rules ---- */

static void broken(const char *what)
{
    for (unsigned d = 0; d < walk.depth; d++)
        print_error("  %s\n", walk.trail[d]);
    fail_msg("%s", what);
}

static void check_act(const struct node *n, const struct phase_command *c)
{
    const struct phase *p = &n->phase;
    bool up = p->goal.kind == GOAL_UP;
    for (unsigned k = 0; k < walk.count; k++) {
        enum step_state s = p->steps[k].state;
        if (up && (walk.defs[c->step].needs >> k & 1) && s != STEP_DONE)
            broken("rule 1: START before a need is done");
        if (!up && (walk.defs[k].needs >> c->step & 1) && s != STEP_GONE && s != STEP_KEPT &&
            s != STEP_DONE && s != STEP_UNWANTED)
            broken("rule 1: UNDO below a dependent");
    }
    if (!n->intent[c->step] || n->intent_verb[c->step] != c->verb)
        broken("rule 2: no durable intent");
    if (!n->looked[c->step])
        broken("no look before the act");
    if (n->cancelled)
        broken("rule 4: act after cancel");
    if (walk.needs_lock && n->now_ms + PHASE_LOCK_MARGIN_MS >= p->lock_until_ms)
        broken("rule 4: act without the lock");
    if (c->verb == VERB_UNDO && !p->steps[c->step].last.ours)
        broken("UNDO of what is not ours");
    if (c->verb == VERB_START && p->steps[c->step].last.found == FOUND_FOREIGN)
        broken("START over somebody else's");
}

static void take_commands(struct node *n, const struct phase_commands *out, unsigned const *flying)
{
    for (unsigned k = 0; k < out->len; k++) {
        const struct phase_command *c = &out->v[k];
        if (n->ended)
            broken("a command after the end");
        if (c->type == CMD_RUN) {
            if (flying[c->step])
                broken("rule 3: two ops of one step");
            if (c->verb == VERB_START || c->verb == VERB_UNDO)
                check_act(n, c);
        } else if (c->type == CMD_JOURNAL && c->step != PHASE_NO_STEP) {
            bool intent = c->record == REC_INTENT_START || c->record == REC_INTENT_UNDO;
            if (!intent) { /* only intents are waited for */
                n->intent[c->step] = false;
                continue;
            }
            assert_true(n->seq_count < 8);
            n->seqs[n->seq_count] = c->seq;
            n->seq_step[n->seq_count] = c->step;
            n->seq_verb[n->seq_count] = c->verb;
            n->seq_intent[n->seq_count++] = intent;
        } else if (c->type == CMD_END) {
            n->ended = true;
        }
    }
}

static void check_rest(const struct node *n)
{
    uint64_t wake = phase_wake_ms(&n->phase);
    bool running = false;
    for (unsigned i = 0; i < walk.count; i++)
        running |= n->phase.steps[i].run_id != 0;
    if (n->ended) {
        if (running)
            broken("the end, with an op in flight");
        return;
    }
    if (wake <= n->now_ms)
        broken("it would be woken for ever");
    bool lock_may_come = walk.needs_lock;
    if (!running && n->seq_count == 0 && wake == RD_NEVER && !lock_may_come)
        broken("stuck: nothing will ever happen");
}

/* ---- The walk ---- */

static const struct phase_verdict answers[] = {
    {.found = FOUND_ABSENT},
    {.found = FOUND_PENDING, .ours = true},
    {.found = FOUND_READY, .ours = true},
    {.found = FOUND_READY, .ours = true, .drifted = true},
    {.found = FOUND_READY},
    {.found = FOUND_READY, .ours = true, .kept = true},
    {.found = FOUND_FAILING, .ours = true, .kind = RD_ERR_FAILED, .grace_ms = 1},
    {.found = FOUND_FAILED, .ours = true, .kind = RD_ERR_FAILED},
    {.found = FOUND_FAILED, .kind = RD_ERR_CREDENTIALS},
    {.found = FOUND_LEAVING, .ours = true},
    {.found = FOUND_FOREIGN, .kind = RD_ERR_FOREIGN},
    {.found = FOUND_UNREACHABLE, .kind = RD_ERR_TRANSIENT},
};

static void visit(const struct node *n);

static void move(const struct node *from, struct phase_event *e, const char *what, unsigned step)
{
    struct node *to = &walk.stack[walk.depth + 1];
    static struct phase_commands out;
    unsigned flying[4] = {0};
    *to = *from;
    snprintf(walk.trail[walk.depth], sizeof walk.trail[0], "%s %s", what,
             step < walk.count ? walk.defs[step].id : "");
    walk.depth++;
    assert_true(walk.depth + 1 < DEPTH_MAX);
    if (e->type == EV_VERDICT) {
        to->looked[step] = e->u.verdict.verb == VERB_LOOK;
    } else if (e->type == EV_JOURNALED) {
        for (unsigned k = 0; k < to->seq_count; k++) {
            if (to->seqs[k] != e->u.journaled.seq)
                continue;
            if (e->u.journaled.ok) {
                to->intent[to->seq_step[k]] = true;
                to->intent_verb[to->seq_step[k]] = to->seq_verb[k];
            }
            to->seq_count--;
            to->seqs[k] = to->seqs[to->seq_count];
            to->seq_step[k] = to->seq_step[to->seq_count];
            to->seq_verb[k] = to->seq_verb[to->seq_count];
            to->seq_intent[k] = to->seq_intent[to->seq_count];
            break;
        }
    } else if (e->type == EV_CANCEL) {
        to->cancelled = true;
    }
    for (unsigned i = 0; i < walk.count; i++)
        flying[i] = to->phase.steps[i].run_id;
    if (e->type == EV_VERDICT)
        flying[step] = 0;
    e->now_ms = to->now_ms;
    walk.moves++;
    phase_step(&to->phase, e, &out);
    take_commands(to, &out, flying);
    check_rest(to);
    if (!to->ended && is_new(print_of(to)))
        visit(to);
    walk.depth--;
}

static void answer_all(const struct node *n)
{
    for (unsigned i = 0; i < walk.count; i++) {
        const struct phase_step_live *s = &n->phase.steps[i];
        for (size_t a = 0; s->run_id && a < sizeof answers / sizeof answers[0]; a++) {
            struct phase_event e = {.type = EV_VERDICT};
            e.u.verdict.step = i;
            e.u.verdict.verb = s->verb;
            e.u.verdict.run_id = s->run_id;
            e.u.verdict.verdict = answers[a];
            char what[48];
            snprintf(what, sizeof what, "%s says %s%s%s", phase_verb_name(s->verb),
                     phase_finding_name(answers[a].found), answers[a].ours ? " ours" : "",
                     answers[a].drifted ? " drifted" : "");
            move(n, &e, what, i);
        }
    }
}

static void visit(const struct node *n)
{
    struct node *here = &walk.stack[walk.depth];
    answer_all(n);
    for (unsigned k = 0; k < n->seq_count; k++)
        for (int ok = 0; ok < 2; ok++) {
            struct phase_event e = {.type = EV_JOURNALED};
            e.u.journaled.seq = n->seqs[k];
            e.u.journaled.ok = ok;
            move(n, &e, ok ? "written" : "not written", n->seq_step[k]);
        }
    if (walk.needs_lock) {
        struct phase_event e = {.type = EV_LOCK};
        e.u.lock.until_ms = n->now_ms + 3600000;
        move(n, &e, "lock", walk.count);
        e.u.lock.until_ms = n->now_ms + 1; /* lapses at once, and may be renewed */
        move(n, &e, "lock lapses", walk.count);
        e.u.lock.until_ms = 0;
        move(n, &e, "lock lost", walk.count);
    }
    if (!n->cancelled)
        move(n, &(struct phase_event){.type = EV_CANCEL}, "cancel", walk.count);
    uint64_t wake = phase_wake_ms(&n->phase);
    if (wake != RD_NEVER) {
        uint64_t now = here->now_ms;
        here->now_ms = wake;
        move(here, &(struct phase_event){.type = EV_TICK}, "time goes on", walk.count);
        here->now_ms = now;
    }
}

static void walk_graph(const struct phase_step_def *defs, unsigned count, enum phase_goal_kind kind,
                       bool needs_lock, step_set want)
{
    walk.defs = defs;
    walk.count = count;
    walk.needs_lock = needs_lock;
    walk.states = walk.moves = walk.depth = 0;
    walk.visited = calloc(VISITED, sizeof *walk.visited);
    walk.stack = calloc(DEPTH_MAX, sizeof *walk.stack);
    struct node *n = &walk.stack[0];
    n->now_ms = 1000;
    phase_init(&n->phase, defs, count);
    struct phase_event e = {.type = EV_START};
    e.u.start.goal = (struct phase_goal){.kind = kind, .want = want, .may_start = want};
    e.u.start.seed = 1;
    e.u.start.needs_lock = needs_lock;
    static struct phase_commands out;
    unsigned flying[4] = {0};
    e.now_ms = n->now_ms;
    phase_step(&n->phase, &e, &out);
    take_commands(n, &out, flying);
    visit(n);
    print_message("%zu states, %zu moves\n", walk.states, walk.moves);
    assert_true(walk.states > 100);
    free(walk.visited);
    free(walk.stack);
}

static const struct phase_step_def one[] = {
    {.id = "a"},
};
static const struct phase_step_def two[] = {
    {.id = "a", .tries_max = 3},
    {.id = "b", .needs = 1},
};
static const struct phase_step_def job[] = {
    {.id = "a"},
    {.id = "job", .needs = 1, .every_run = true},
};

static const struct phase_step_def aside[] = {
    {.id = "a", .yields = true},
    {.id = "b"},
};

static void test_up(void **state)
{
    (void)state;
    walk_graph(aside, 2, GOAL_UP, false, 3);
    walk_graph(one, 1, GOAL_UP, true, 1);
    walk_graph(two, 2, GOAL_UP, true, 3);
    walk_graph(job, 2, GOAL_UP, false, 3);
}

static void test_down(void **state)
{
    (void)state;
    walk_graph(one, 1, GOAL_DOWN, true, 1);
    walk_graph(two, 2, GOAL_DOWN, true, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
