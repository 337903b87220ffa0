/* Virtual time: --speed times the machine's monotonic time. Delays are the modelled ones of the
 * real services; a timer divides them. One uv_timer serves all. */
#ifndef EMU_CLOCK_H
#define EMU_CLOCK_H

#include "base/list.h"

#include <uv.h>

struct emu_clock {
    uv_timer_t timer;
    struct rd_list timers; /* by due time */
    double speed;
    uint64_t base_ms; /* uv_now at the start */
    bool closed;
};

struct emu_timer;
typedef void emu_timer_fn(struct emu_timer *t);

/* Embedded in what waits. Zeroed memory is a stopped timer. */
struct emu_timer {
    struct rd_list node;
    uint64_t due_ms; /* virtual */
    emu_timer_fn *fn;
};

void emu_clock_init(struct emu_clock *c, uv_loop_t *loop, double speed);
void emu_clock_close(struct emu_clock *c);         /* nothing fires afterwards */
uint64_t emu_clock_now(const struct emu_clock *c); /* virtual ms since the start */
/* Fires once, delay_ms of virtual time from now, never inside this call; restarts a running one.
 * The callback may free the memory that holds the timer. */
void emu_timer_start(struct emu_clock *c, struct emu_timer *t, uint64_t delay_ms, emu_timer_fn *fn);
void emu_timer_stop(struct emu_timer *t);

#endif
