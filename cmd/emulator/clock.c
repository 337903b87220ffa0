#include "clock.h"

#include <math.h>

void emu_clock_init(struct emu_clock *c, uv_loop_t *loop, double speed)
{
    uv_timer_init(loop, &c->timer);
    rd_list_init(&c->timers);
    c->speed = speed;
    c->base_ms = uv_now(loop);
    c->closed = false;
}

uint64_t emu_clock_now(const struct emu_clock *c)
{
    return (uint64_t)((double)(uv_now(c->timer.loop) - c->base_ms) * c->speed);
}

static void clock_arm(struct emu_clock *c);

static void on_timer(uv_timer_t *handle)
{
    struct emu_clock *c = container_of(handle, struct emu_clock, timer);
    uint64_t now_ms = emu_clock_now(c);
    /* What a callback starts now is due later than now_ms or waits for the next turn. */
    while (!rd_list_empty(&c->timers)) {
        struct emu_timer *t = container_of(c->timers.next, struct emu_timer, node);
        if (t->due_ms > now_ms)
            break;
        rd_list_remove(&t->node);
        t->fn(t);
        if (c->closed)
            return;
    }
    clock_arm(c);
}

static void clock_arm(struct emu_clock *c)
{
    if (c->closed)
        return;
    if (rd_list_empty(&c->timers)) {
        uv_timer_stop(&c->timer);
        return;
    }
    const struct emu_timer *first = container_of(c->timers.next, struct emu_timer, node);
    uint64_t now_ms = emu_clock_now(c);
    uint64_t left_ms = first->due_ms > now_ms ? first->due_ms - now_ms : 0;
    uv_timer_start(&c->timer, on_timer, (uint64_t)ceil((double)left_ms / c->speed), 0);
}

void emu_timer_start(struct emu_clock *c, struct emu_timer *t, uint64_t delay_ms, emu_timer_fn *fn)
{
    emu_timer_stop(t);
    uv_update_time(c->timer.loop);
    /* At least one tick, so that a timer that restarts itself cannot hold the loop. */
    t->due_ms = emu_clock_now(c) + (delay_ms == 0 ? 1 : delay_ms);
    t->fn = fn;
    struct rd_list *at = c->timers.prev;
    while (at != &c->timers && container_of(at, struct emu_timer, node)->due_ms > t->due_ms)
        at = at->prev;
    rd_list_append(at->next, &t->node);
    clock_arm(c);
}

void emu_timer_stop(struct emu_timer *t)
{
    if (t->node.next == NULL)
        rd_list_init(&t->node);
    rd_list_remove(&t->node);
}

void emu_clock_close(struct emu_clock *c)
{
    c->closed = true;
    while (!rd_list_empty(&c->timers))
        rd_list_remove(c->timers.next);
    uv_close((uv_handle_t *)&c->timer, NULL);
}
