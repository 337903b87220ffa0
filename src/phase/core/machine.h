/* The core's own parts: act.c moves one step, up.c and down.c judge verdicts, phase.c is the door. */
#ifndef RD_PHASE_CORE_MACHINE_H
#define RD_PHASE_CORE_MACHINE_H

#include "phase/core/phase.h"

#include <string.h>

#define STEP_BIT(i) ((step_set)1 << (i))

/* ---- act.c: what can be done to one step ---- */

/* The one function that changes a state: asserts the move, keeps the times, emits the note. */
void step_move(struct phase *p, unsigned i, enum step_state to);
bool step_settled(enum step_state s);
bool verb_mutates(enum phase_verb v);
bool step_wanted(const struct phase *p, unsigned i);
bool step_may_start(const struct phase *p, unsigned i);
bool step_not_lost(const struct phase *p, unsigned i); /* not failed, held or cancelled */
/* Do all steps of the set have that property? */
bool steps_all(const struct phase *p, step_set set, bool (*is)(const struct phase *, unsigned));
/* Steps of the closure that need i. */
step_set step_dependents(const struct phase *p, unsigned i);
/* Steps of the closure that must be out of the way before i is undone. */
step_set step_down_after(const struct phase *p, unsigned i);

bool lock_open(const struct phase *p, unsigned i); /* may step i act under the lock as it is now? */
bool needs_met(const struct phase *p, unsigned i); /* rule 1, in the goal's direction */

void step_begin(struct phase *p, unsigned i);  /* its limit starts now */
void step_look(struct phase *p, unsigned i);
void step_run(struct phase *p, unsigned i, enum phase_verb verb);
/* Towards START or UNDO: a pause before a repeat, the gates, the intent, the op. */
void step_act(struct phase *p, unsigned i, enum phase_verb verb);
void step_stop(struct phase *p, unsigned i);
void step_done(struct phase *p, unsigned i);
void step_fail(struct phase *p, unsigned i, enum rd_err_kind kind);
void step_fail_limit(struct phase *p, unsigned i);
/* Look again after delay_ms, at the latest when the limit passes. */
void step_pause(struct phase *p, unsigned i, uint64_t delay_ms);
void step_pause_poll(struct phase *p, unsigned i, uint64_t most_ms);
/* After UNREACHABLE: backoff with jitter, the limit, the budget of tries. */
void step_pause_miss(struct phase *p, unsigned i, unsigned misses_max);
uint64_t step_backoff_ms(struct phase *p, unsigned attempt);

struct phase_command *emit(struct phase *p, enum phase_command_type type, unsigned i);

/* ---- verdicts, one function for each goal ---- */
void up_verdict(struct phase *p, unsigned i, enum phase_verb verb);
bool up_pump(struct phase *p, unsigned i);
bool up_last_look(struct phase *p); /* true: nothing is left to be asked again */
void look_verdict(struct phase *p, unsigned i);
bool look_pump(struct phase *p, unsigned i);
void down_verdict(struct phase *p, unsigned i, enum phase_verb verb);
bool down_pump(struct phase *p, unsigned i);

/* ---- end.c ---- */
void phase_halt(struct phase *p, enum phase_halt why);
void phase_halted_verdict(struct phase *p, unsigned i, enum phase_verb verb);
void phase_end(struct phase *p);

#endif
