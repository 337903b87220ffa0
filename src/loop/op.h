/* Operations on one loop.
 *
 * An operation is a struct that embeds `struct op`, an enum of states, its children by value, and one
 * step function. Callbacks from libuv and curl only record and call op_wake(); the run queue calls
 * step() after they returned. Nothing completes inside the call that started it.
 *
 * Life: op_start -> step() any number of times -> op_finish -> remaining children are cancelled and
 * drained -> done() exactly once (if set) -> the parent's step() is queued. After that the memory is
 * the owner's again and may be started anew. An op that failed has err set (op_take_err).
 *
 * Cancelling a node cancels its subtree: every descendant gets `cancelled`; an op with live children is
 * stepped when the last of them has ended, a leaf is stepped at once. A cancelled op's step must close
 * what it holds and call op_finish; with a NULL error that becomes RD_ERR_CANCELLED, or RD_ERR_TIMEOUT
 * when the deadline did it, in the words of the child that was cut off, where one had any. A child's
 * deadline is never later than its parent's, and a child started under a cancelled parent is born cancelled.
 *
 * op_finish only records: the end itself comes from the run queue, so it may be called anywhere, also
 * from the function that started the op. The memory must stay until op_ended().
 *
 * Time is the boot clock in milliseconds (base/clock.h). */
#ifndef RD_LOOP_OP_H
#define RD_LOOP_OP_H

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"

struct loop;

enum op_life { OP_IDLE, OP_RUNNING, OP_DRAINING, OP_ENDED };

struct op {
    struct loop *loop;
    struct op *parent;      /* NULL: a root */
    struct rd_list children; /* struct op.sibling */
    struct rd_list sibling;
    struct rd_list queued;  /* in the run queue */
    void (*step)(struct op *op);
    void (*done)(struct op *op); /* NULL, or set by the owner, who keeps it across lives: runs once
                                    at each end, is the last to touch the op and may free it */
    const char *name;       /* static or outliving the op: for messages and traces */
    struct rd_err *err;     /* owned; NULL on success */
    struct rd_err *late;    /* owned until the end; what a child was at when the time was up */
    uint64_t deadline_ms;   /* RD_NEVER: the parent's rules */
    uint64_t alarm_ms;      /* RD_NEVER: none; set with op_set_alarm */
    size_t heap_slot;       /* place in the loop's heap, counted from 1; heap.c only */
    uint64_t heap_at_ms;    /* the earlier of alarm and own deadline */
    bool own_deadline;      /* set here, not inherited */
    enum op_life life;
    bool cancelled;         /* stop now; timed_out says why */
    bool timed_out;
};

/* Starts op as a child of parent, or as a root of the loop. The op may be zeroed memory or an ended
 * op; a running one is our bug. The error of an earlier life is freed. */
void op_start(struct op *op, struct op *parent, void (*step)(struct op *), const char *name);
void op_start_root(struct op *op, struct loop *loop, void (*step)(struct op *), const char *name);
/* The deadline becomes the earliest of at_ms and the parent's. Call after op_start. */
void op_set_deadline(struct op *op, uint64_t at_ms);
void op_set_timeout(struct op *op, uint64_t delay_ms);
/* One step() at that time, also when the op is cancelled meanwhile; RD_NEVER takes it off. An op has
 * one alarm: setting it again moves it. */
void op_set_alarm(struct op *op, uint64_t at_ms);
/* Ends op: success with NULL, else takes *take. Later calls are ignored. */
void op_finish(struct op *op, struct rd_err *take);
void op_cancel(struct op *op); /* harmless on an op that is not running */
void op_cancel_children(struct op *op);
void op_wake(struct op *op); /* queue one step(); any number of calls is one step */
bool op_running(const struct op *op); /* started and not ended */
bool op_ended(const struct op *op);
bool op_has_children(const struct op *op);
/* Why it failed, or NULL; the caller owns it. */
struct rd_err *op_take_err(struct op *op);
uint64_t op_now_ms(const struct op *op);
/* Told about each start, step, cancel and end of every op on the loop, for tests and --log-file; NULL:
 * nobody. `what` is one of "start", "step", "cancel", "timeout", "end". */
void op_trace(struct loop *loop, void (*fn)(void *ctx, const struct op *op, const char *what), void *ctx);

/* A pause. */
struct op_timer {
    struct op op;
    uint64_t at_ms;
};
/* false (and op.err set, RD_ERR_TIMEOUT) when the pause would pass the parent's deadline: say so now,
 * not then. Otherwise ends by itself after delay_ms. */
bool op_timer_start(struct op_timer *t, struct op *parent, uint64_t delay_ms);

#endif
