/* libuv beneath, a run queue and a timer heap above. libuv's own clock stops in suspend, so the
 * heap runs on the boot clock and the one uv timer is never armed further ahead than TIMER_MAX_MS.
 */
#include "loop/internal.h"

#include "base/alloc.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define TIMER_MAX_MS 5000
#define STEPS_PER_TURN 4096 /* then sockets get their turn, whatever is queued */

static void on_timer(uv_timer_t *t)
{
    (void)t; /* waking up is all it is for */
}

struct loop *loop_new(void)
{
    /* Idempotent with these arguments; before the first handle of the process. */
    uv_replace_allocator(rd_malloc, rd_realloc, rd_calloc, free);
    signal(SIGPIPE, SIG_IGN);
    struct loop *l = rd_calloc(1, sizeof *l);
    int rc = uv_loop_init(&l->uv);
    RD_ASSERT(rc == 0);
    rc = uv_timer_init(&l->uv, &l->timer);
    RD_ASSERT(rc == 0);
    rd_list_init(&l->run);
    l->now_ms = rd_boot_ms();
    return l;
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

uint64_t loop_now_ms(const struct loop *l)
{
    return l->now_ms;
}

static void fire_timers(struct loop *l)
{
    struct op *op;
    while ((op = heap_first(l)) != NULL && op->heap_at_ms <= l->now_ms)
        op_fire(op);
}

static void tell_signals(struct loop *l)
{
    for (size_t i = 0; i < LOOP_SIGNALS_MAX; i++) {
        struct loop_signal *s = &l->signals[i];
        while (s->pending > 0) {
            s->pending--;
            if (s->fn != NULL)
                s->fn(s->ctx, s->signum);
        }
    }
}

static void drain(struct loop *l)
{
    for (unsigned i = 0; i < STEPS_PER_TURN && !rd_list_empty(&l->run); i++) {
        struct op *op = container_of(l->run.next, struct op, queued);
        rd_list_remove(&op->queued);
        op_run_one(op);
    }
}

static void turn(struct loop *l)
{
    if (!rd_list_empty(&l->run)) {
        uv_run(&l->uv, UV_RUN_NOWAIT);
        return;
    }
    struct op *first = heap_first(l);
    if (first == NULL) {
        uv_timer_stop(&l->timer);
        /* Nothing queued, no timer, no handle: whoever waits here waits for ever. */
        RD_ASSERT(uv_loop_alive(&l->uv));
    } else {
        uint64_t now = rd_boot_ms();
        if (first->heap_at_ms <= now) {
            uv_run(&l->uv, UV_RUN_NOWAIT);
            return;
        }
        uint64_t wait = first->heap_at_ms - now;
        uv_update_time(&l->uv);
        /* It repeats, because libuv before 1.45 runs due timers before it polls: one that is due by
         * then would be used up, and the poll would wait without any timer. */
        uv_timer_start(&l->timer, on_timer, wait < TIMER_MAX_MS ? wait : TIMER_MAX_MS, 1);
    }
    uv_run(&l->uv, UV_RUN_ONCE);
}

void loop_run(struct loop *l, const struct op *root)
{
    RD_ASSERT(root->life != OP_IDLE);
    RD_ASSERT(!l->running); /* a step that runs the loop would be entered again by itself */
    l->running = true;
    for (;;) {
        l->now_ms = rd_boot_ms();
        tell_signals(l);
        fire_timers(l);
        drain(l);
        if (op_ended(root))
            break;
        turn(l);
    }
    l->running = false;
}

static void assert_closing(uv_handle_t *h, void *arg)
{
    (void)arg;
    RD_ASSERT(uv_is_closing(h));
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    drain(l);
    RD_ASSERT(rd_list_empty(&l->run));
    RD_ASSERT(l->live == 0);
    RD_ASSERT(l->heap_len == 0);
    uv_close((uv_handle_t *)&l->timer, NULL);
    for (size_t i = 0; i < LOOP_SIGNALS_MAX; i++) {
        if (l->signals[i].loop != NULL)
            uv_close((uv_handle_t *)&l->signals[i].uv, NULL);
    }
    uv_walk(&l->uv, assert_closing, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&l->uv);
    RD_ASSERT(rc == 0);
    free(l->heap);
    free(l);
}

static void on_signal(uv_signal_t *uv, int signum)
{
    (void)signum;
    container_of(uv, struct loop_signal, uv)->pending++;
}

void loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx)
{
    struct loop_signal *s = NULL;
    for (size_t i = 0; i < LOOP_SIGNALS_MAX && s == NULL; i++) {
        if (l->signals[i].signum == signum)
            s = &l->signals[i];
    }
    for (size_t i = 0; i < LOOP_SIGNALS_MAX && s == NULL && fn != NULL; i++) {
        if (l->signals[i].signum == 0)
            s = &l->signals[i];
    }
    if (s == NULL) {
        RD_ASSERT(fn == NULL); /* more signals than places */
        return;
    }
    int rc = 0;
    if (fn == NULL) {
        rc = uv_signal_stop(&s->uv);
        s->signum = 0;
        s->pending = 0;
    } else {
        if (s->loop == NULL) {
            s->loop = l;
            rc = uv_signal_init(&l->uv, &s->uv);
            RD_ASSERT(rc == 0);
        }
        s->signum = signum;
        rc = uv_signal_start(&s->uv, on_signal, signum);
    }
    RD_ASSERT(rc == 0);
    s->fn = fn;
    s->ctx = ctx;
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct loop_poll *p = container_of(uv, struct loop_poll, uv);
    if (status < 0)
        p->status = status;
    p->ready |= events;
    op_wake(p->op);
}

bool loop_poll_open(struct loop_poll *p, struct loop *l, int fd, struct op *op)
{
    RD_ASSERT(!p->open);
    p->op = op;
    p->ready = 0;
    p->status = uv_poll_init(&l->uv, &p->uv, fd);
    p->open = p->status == 0;
    return p->open;
}

void loop_poll_want(struct loop_poll *p, int events)
{
    if (!p->open || uv_is_closing((uv_handle_t *)&p->uv))
        return;
    int rc = events == 0 ? uv_poll_stop(&p->uv) : uv_poll_start(&p->uv, events, on_poll);
    if (rc != 0) {
        p->status = rc;
        op_wake(p->op);
    }
}

static void on_poll_closed(uv_handle_t *h)
{
    struct loop_poll *p = container_of((uv_poll_t *)h, struct loop_poll, uv);
    p->open = false;
    op_wake(p->op);
}

void loop_poll_close(struct loop_poll *p)
{
    if (p->open && !uv_is_closing((uv_handle_t *)&p->uv))
        uv_close((uv_handle_t *)&p->uv, on_poll_closed);
}
