/* What the files of this folder share. */
#ifndef RD_LOOP_INTERNAL_H
#define RD_LOOP_INTERNAL_H

#include "loop/loop.h"

#define LOOP_SIGNALS_MAX 8

struct loop_signal {
    uv_signal_t uv;
    struct loop *loop;
    int signum;       /* 0: the place is free */
    unsigned pending; /* deliveries not yet told */
    void (*fn)(void *ctx, int signum);
    void *ctx;
};

struct loop {
    uv_loop_t uv;
    uv_timer_t timer;
    struct rd_list run; /* struct op.queued */
    uint64_t now_ms;
    struct op **heap; /* owned; heap[0] is the earliest */
    size_t heap_len, heap_cap;
    size_t live; /* ops started and not ended */
    bool running;
    struct loop_signal signals[LOOP_SIGNALS_MAX];
    void (*trace)(void *ctx, const struct op *op, const char *what);
    void *trace_ctx;
};

/* ---- op.c ---- */
void op_run_one(struct op *op); /* takes op, just off the run queue, one turn further */
void op_fire(struct op *op);    /* its time in the heap has come */

/* ---- heap.c: one entry an op, at op->heap_at_ms ---- */
void heap_set(struct loop *l, struct op *op, uint64_t at_ms); /* RD_NEVER: off the heap */
struct op *heap_first(const struct loop *l);                  /* NULL when empty */

#endif
