/* What can be done to one step. Gates stand here, so that no judgement can forget them. */
#include "phase/core/machine.h"

#define BACKOFF_MS 250
#define BACKOFF_MAX_MS 8000
#define POLL_MIN_MS 100

/* From a state to the states it may be followed by. */
#define TO(s) ((uint32_t)1 << (s))
#define FAILS (TO(STEP_FAILED) | TO(STEP_CANCELLED))
#define RESTS (TO(STEP_PAUSING) | TO(STEP_LEAVING) | TO(STEP_BLOCKED))
static const uint32_t moves[STEP_STATE_MAX] = {
    [STEP_UNWANTED] = TO(STEP_BLOCKED),
    [STEP_BLOCKED] = TO(STEP_LOOKING) | TO(STEP_HELD) | TO(STEP_INTENDING) | TO(STEP_UNDOING) |
                     TO(STEP_LEAVING) | TO(STEP_GONE) | TO(STEP_KEPT) | FAILS,
    [STEP_LOOKING] = RESTS | TO(STEP_INTENDING) | TO(STEP_STARTING) | TO(STEP_UNDOING) |
                     TO(STEP_WAITING) | TO(STEP_DONE) | TO(STEP_GONE) | TO(STEP_KEPT) |
                     TO(STEP_SEEN) | FAILS,
    [STEP_INTENDING] = TO(STEP_STARTING) | TO(STEP_UNDOING) | TO(STEP_BLOCKED) | FAILS,
    [STEP_STARTING] = TO(STEP_WAITING) | TO(STEP_PAUSING) | TO(STEP_DONE) | FAILS,
    [STEP_WAITING] = TO(STEP_PAUSING) | TO(STEP_DONE) | FAILS,
    [STEP_PAUSING] = TO(STEP_LOOKING) | FAILS,
    [STEP_UNDOING] = TO(STEP_LEAVING) | TO(STEP_GONE) | TO(STEP_KEPT) | FAILS,
    [STEP_LEAVING] = TO(STEP_INTENDING) | TO(STEP_UNDOING) | TO(STEP_BLOCKED) | TO(STEP_GONE) |
                     TO(STEP_KEPT) | FAILS,
    [STEP_DONE] = TO(STEP_LOOKING), /* the last look */
};

bool step_settled(enum step_state s)
{
    switch (s) {
    case STEP_DONE:
    case STEP_FAILED:
    case STEP_HELD:
    case STEP_CANCELLED:
    case STEP_GONE:
    case STEP_KEPT:
    case STEP_SEEN:
    case STEP_UNWANTED:
        return true;
    default:
        return false;
    }
}

struct phase_command *emit(struct phase *p, enum phase_command_type type, unsigned i)
{
    RD_ASSERT(p->out->len < PHASE_COMMANDS_MAX);
    struct phase_command *c = &p->out->v[p->out->len++];
    memset(c, 0, sizeof *c);
    c->type = type;
    c->step = i;
    return c;
}

void step_move(struct phase *p, unsigned i, enum step_state to)
{
    struct phase_step_live *s = &p->steps[i];
    RD_ASSERT(moves[s->state] & TO(to));
    if (step_settled(to)) {
        RD_ASSERT(s->run_id == 0);
        s->ended_ms = p->now_ms;
        s->wake_ms = RD_NEVER;
        s->limit_at_ms = 0;
        s->seq = 0;
    }
    if (to == STEP_BLOCKED) {
        s->limit_at_ms = 0; /* starts anew when the way is free */
        s->seq = 0;
    }
    struct phase_command *c = emit(p, CMD_NOTE, i);
    c->from = s->state;
    c->to = to;
    s->state = to;
}

bool verb_mutates(enum phase_verb v)
{
    return v == VERB_START || v == VERB_UNDO;
}

bool step_wanted(const struct phase *p, unsigned i)
{
    return p->goal.want & STEP_BIT(i);
}

bool step_may_start(const struct phase *p, unsigned i)
{
    return p->goal.kind == GOAL_UP && !p->defs[i].look_only && (p->goal.may_start & STEP_BIT(i));
}

bool steps_all(const struct phase *p, step_set set, bool (*is)(const struct phase *, unsigned))
{
    for (unsigned i = 0; i < p->count; i++)
        if ((set & STEP_BIT(i)) && !is(p, i))
            return false;
    return true;
}

step_set step_dependents(const struct phase *p, unsigned i)
{
    step_set set = 0;
    for (unsigned k = 0; k < p->count; k++)
        if ((p->closure & STEP_BIT(k)) && (p->defs[k].needs & STEP_BIT(i)))
            set |= STEP_BIT(k);
    return set;
}

step_set step_down_after(const struct phase *p, unsigned i)
{
    return step_dependents(p, i) | (p->defs[i].down_after & p->closure);
}

bool phase_may_write(const struct phase *p, uint64_t now_ms)
{
    return p->lock_until_ms > 0 && now_ms + p->lock_margin_ms < p->lock_until_ms;
}

bool lock_open(const struct phase *p, unsigned i)
{
    if (!p->needs_lock || p->defs[i].unlocked || p->defs[i].look_only)
        return true;
    return phase_may_write(p, p->now_ms);
}

bool step_not_lost(const struct phase *p, unsigned i)
{
    enum step_state s = p->steps[i].state;
    return s != STEP_FAILED && s != STEP_HELD && s != STEP_CANCELLED;
}

static bool is_done(const struct phase *p, unsigned i)
{
    return p->steps[i].state == STEP_DONE;
}

static bool is_out_of_the_way(const struct phase *p, unsigned i)
{
    enum step_state s = p->steps[i].state;
    return s == STEP_GONE || s == STEP_KEPT || s == STEP_DONE || s == STEP_UNWANTED;
}

bool needs_met(const struct phase *p, unsigned i)
{
    if (p->goal.kind == GOAL_DOWN)
        return steps_all(p, step_down_after(p, i), is_out_of_the_way);
    return steps_all(p, p->defs[i].needs, is_done);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > RD_NEVER - b ? RD_NEVER : a + b;
}

void step_begin(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    if (s->begun_ms == 0)
        s->begun_ms = p->now_ms;
    s->limit_at_ms = p->defs[i].limit_ms ? later(p->now_ms, p->defs[i].limit_ms) : RD_NEVER;
}

void step_run(struct phase *p, unsigned i, enum phase_verb verb)
{
    struct phase_step_live *s = &p->steps[i];
    RD_ASSERT(s->run_id == 0);
    RD_ASSERT(!p->halt);
    if (verb_mutates(verb)) {
        RD_ASSERT(s->intent_durable);
        RD_ASSERT(s->intent_verb == verb);
        RD_ASSERT(lock_open(p, i));
        RD_ASSERT(needs_met(p, i));
        s->acts++;
        s->paused = false;
    }
    s->run_id = ++p->next_run_id;
    s->verb = verb;
    s->wake_ms = RD_NEVER;
    struct phase_command *c = emit(p, CMD_RUN, i);
    c->verb = verb;
    c->run_id = s->run_id;
    c->deadline_ms = s->limit_at_ms < p->run_limit_at_ms ? s->limit_at_ms : p->run_limit_at_ms;
}

void step_look(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    if (s->limit_at_ms == 0)
        step_begin(p, i);
    if (s->state != STEP_LEAVING)
        step_move(p, i, STEP_LOOKING);
    step_run(p, i, VERB_LOOK);
}

static void go(struct phase *p, unsigned i, enum phase_verb verb)
{
    step_move(p, i, verb == VERB_START ? STEP_STARTING : STEP_UNDOING);
    step_run(p, i, verb);
}

void step_act(struct phase *p, unsigned i, enum phase_verb verb)
{
    struct phase_step_live *s = &p->steps[i];
    RD_ASSERT(verb_mutates(verb));
    RD_ASSERT(s->run_id == 0);
    RD_ASSERT(s->verb == VERB_LOOK); /* look, then act */
    if (p->now_ms >= s->limit_at_ms) {
        step_fail_limit(p, i);
    } else if (!lock_open(p, i) || !needs_met(p, i)) {
        step_move(p, i, STEP_BLOCKED); /* and is looked at again when the way is free */
    } else if (s->acts > 0 && !s->paused) {
        step_pause(p, i, step_backoff_ms(p, s->acts - 1));
    } else if (s->intent_durable && s->intent_verb == verb) {
        go(p, i, verb);
    } else {
        step_move(p, i, STEP_INTENDING);
        s->intent_durable = false;
        s->intent_verb = verb;
        s->seq = ++p->next_seq;
        struct phase_command *c = emit(p, CMD_JOURNAL, i);
        c->verb = verb;
        c->seq = s->seq;
        c->record = verb == VERB_START ? REC_INTENT_START : REC_INTENT_UNDO;
    }
}

void step_stop(struct phase *p, unsigned i)
{
    struct phase_step_live *s = &p->steps[i];
    if (s->run_id == 0 || s->stopping)
        return;
    s->stopping = true;
    struct phase_command *c = emit(p, CMD_STOP, i);
    c->verb = s->verb;
    c->run_id = s->run_id;
}

/* The intent has been answered: a later START or UNDO needs a new one. */
static void settle(struct phase *p, unsigned i, enum step_state to, enum phase_record record)
{
    struct phase_step_live *s = &p->steps[i];
    s->intent_durable = false;
    s->acts = s->tries = s->misses = 0;
    s->paused = s->complaining = s->relook = false;
    step_move(p, i, to);
    struct phase_command *c = emit(p, CMD_JOURNAL, i);
    c->seq = ++p->next_seq;
    c->record = record;
}

void step_done(struct phase *p, unsigned i)
{
    if (p->goal.kind == GOAL_UP) {
        settle(p, i, STEP_DONE, REC_DONE);
        return;
    }
    if (p->goal.kind == GOAL_DOWN && p->steps[i].last.found == FOUND_ABSENT) {
        settle(p, i, STEP_GONE, REC_UNDONE);
        return;
    }
    step_move(p, i, STEP_DONE);
}

void step_fail(struct phase *p, unsigned i, enum rd_err_kind kind)
{
    p->steps[i].fail_kind = kind;
    step_move(p, i, STEP_FAILED);
    if (p->goal.fail_fast && p->goal.kind == GOAL_UP)
        phase_halt(p, HALT_FAIL_FAST);
}

void step_fail_limit(struct phase *p, unsigned i)
{
    const struct phase_step_live *s = &p->steps[i];
    /* A complaint that was heard to the end says more than the clock. */
    step_fail(p, i, s->complaining ? s->last.kind : RD_ERR_TIMEOUT);
}

static uint64_t random_below(struct phase *p, uint64_t n) /* splitmix64 */
{
    uint64_t z = (p->rng += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % n;
}

/* Full jitter: a random part of a doubling delay. */
uint64_t step_backoff_ms(struct phase *p, unsigned attempt)
{
    uint64_t most = BACKOFF_MS;
    for (unsigned n = 0; n < attempt && most < BACKOFF_MAX_MS; n++)
        most *= 2;
    if (most > BACKOFF_MAX_MS)
        most = BACKOFF_MAX_MS;
    return 1 + random_below(p, most);
}

void step_pause(struct phase *p, unsigned i, uint64_t delay_ms)
{
    struct phase_step_live *s = &p->steps[i];
    RD_ASSERT(s->run_id == 0);
    if (p->now_ms >= s->limit_at_ms) {
        step_fail_limit(p, i);
        return;
    }
    s->wake_ms = later(p->now_ms, delay_ms);
    if (s->wake_ms > s->limit_at_ms)
        s->wake_ms = s->limit_at_ms;
    s->paused = true;
    bool leaving = p->goal.kind == GOAL_DOWN && (s->acts > 0 || s->last.found == FOUND_LEAVING);
    if (s->state != STEP_LEAVING)
        step_move(p, i, leaving ? STEP_LEAVING : STEP_PAUSING);
}

void step_pause_poll(struct phase *p, unsigned i, uint64_t most_ms)
{
    uint64_t delay = (p->now_ms - p->steps[i].begun_ms) / 100; /* a hundredth of the time waited */
    if (delay < POLL_MIN_MS)
        delay = POLL_MIN_MS;
    if (delay > most_ms)
        delay = most_ms;
    step_pause(p, i, delay);
    p->steps[i].paused = false; /* too short to count as the pause before a repeat */
}

void step_pause_miss(struct phase *p, unsigned i, unsigned misses_max)
{
    struct phase_step_live *s = &p->steps[i];
    enum rd_err_kind kind = rd_err_transient(s->last.kind) ? s->last.kind : RD_ERR_TIMEOUT;
    if (verb_mutates(s->verb)) {
        s->tries++;
        if (p->defs[i].tries_max && s->tries >= p->defs[i].tries_max) {
            step_fail(p, i, kind);
            return;
        }
    }
    uint64_t delay = step_backoff_ms(p, s->misses++);
    if (delay < s->last.retry_after_ms)
        delay = s->last.retry_after_ms;
    /* A pause that would pass the limit ends the attempt now, not later. */
    if ((misses_max && s->misses >= misses_max) || later(p->now_ms, delay) >= s->limit_at_ms)
        step_fail(p, i, kind);
    else
        step_pause(p, i, delay);
}
