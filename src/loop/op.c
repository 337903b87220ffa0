/* The life of an operation; op.h states the rules. */
#include "loop/internal.h"

#include <string.h>

static void trace(const struct op *op, const char *what)
{
    if (op->loop->trace != NULL)
        op->loop->trace(op->loop->trace_ctx, op, what);
}

void op_trace(struct loop *loop, void (*fn)(void *ctx, const struct op *op, const char *what),
              void *ctx)
{
    loop->trace = fn;
    loop->trace_ctx = ctx;
}

static void enqueue(struct op *op)
{
    if (rd_list_empty(&op->queued))
        rd_list_append(&op->loop->run, &op->queued);
}

static void schedule(struct op *op)
{
    uint64_t at = op->alarm_ms;
    /* Once cancelled, the deadline has nothing left to say; an inherited one is told by the parent.
     */
    if (op->own_deadline && !op->cancelled && op->deadline_ms < at)
        at = op->deadline_ms;
    heap_set(op->loop, op, at);
}

static void start(struct op *op, struct loop *loop, struct op *parent, void (*step)(struct op *),
                  const char *name)
{
    RD_ASSERT(step != NULL);
    RD_ASSERT(op->life == OP_IDLE || op->life == OP_ENDED);
    RD_ASSERT(op->heap_slot == 0);
    rd_err_free(op->err);
    op->err = NULL;
    op->loop = loop;
    op->parent = parent;
    op->step = step;
    op->name = name;
    op->deadline_ms = parent != NULL ? parent->deadline_ms : RD_NEVER;
    op->alarm_ms = RD_NEVER;
    op->heap_at_ms = RD_NEVER;
    op->own_deadline = false;
    op->cancelled = parent != NULL && parent->cancelled;
    op->timed_out = parent != NULL && parent->timed_out;
    op->life = OP_RUNNING;
    op->late = NULL;
    rd_list_init(&op->children);
    rd_list_init(&op->sibling);
    rd_list_init(&op->queued);
    if (parent != NULL)
        rd_list_append(&parent->children, &op->sibling);
    loop->live++;
    trace(op, "start");
    enqueue(op);
}

void op_start(struct op *op, struct op *parent, void (*step)(struct op *), const char *name)
{
    RD_ASSERT(parent != NULL);
    RD_ASSERT(parent->life == OP_RUNNING);
    start(op, parent->loop, parent, step, name);
}

void op_start_root(struct op *op, struct loop *loop, void (*step)(struct op *), const char *name)
{
    start(op, loop, NULL, step, name);
}

/* The depth of the tree is that of our code, never of remote data. */
static void lower_deadlines(struct op *op)
{
    rd_list_foreach (it, &op->children) {
        struct op *child = container_of(it, struct op, sibling);
        if (child->deadline_ms <= op->deadline_ms)
            continue;
        child->deadline_ms = op->deadline_ms;
        child->own_deadline = false;
        schedule(child);
        lower_deadlines(child);
    }
}

void op_set_deadline(struct op *op, uint64_t at_ms)
{
    RD_ASSERT(op->life == OP_RUNNING);
    uint64_t limit = op->parent != NULL ? op->parent->deadline_ms : RD_NEVER;
    op->own_deadline = at_ms < limit;
    op->deadline_ms = at_ms < limit ? at_ms : limit;
    schedule(op);
    lower_deadlines(op);
}

static uint64_t after(uint64_t now_ms, uint64_t delay_ms)
{
    return delay_ms >= RD_NEVER - now_ms ? RD_NEVER : now_ms + delay_ms;
}

void op_set_timeout(struct op *op, uint64_t delay_ms)
{
    op_set_deadline(op, after(op_now_ms(op), delay_ms));
}

void op_set_alarm(struct op *op, uint64_t at_ms)
{
    if (op->life != OP_RUNNING)
        return;
    op->alarm_ms = at_ms;
    schedule(op);
}

void op_fire(struct op *op)
{
    uint64_t now = op->loop->now_ms;
    if (op->alarm_ms <= now) {
        op->alarm_ms = RD_NEVER;
        op_wake(op);
    }
    if (op->own_deadline && !op->cancelled && op->deadline_ms <= now) {
        trace(op, "timeout");
        op->timed_out = true;
        op_cancel(op);
    }
    schedule(op);
}

static struct rd_err *out_of_time(const struct op *op)
{
    struct rd_err *err = rd_err_new(RD_ERR_TIMEOUT, "%s: out of time", op->name);
    err->bare = RD_ERR_NAMELESS;
    return err;
}

void op_finish(struct op *op, struct rd_err *take)
{
    if (op->life != OP_RUNNING) {
        rd_err_free(take);
        return;
    }
    if (take == NULL && op->timed_out) {
        take = op->late;
        op->late = NULL;
        if (take == NULL)
            take = out_of_time(op);
    }
    if (take == NULL && op->cancelled)
        take = rd_err_new(RD_ERR_CANCELLED, "%s: cancelled", op->name);
    op->err = take;
    op->life = OP_DRAINING;
    heap_set(op->loop, op, RD_NEVER);
    op_cancel_children(op);
    enqueue(op);
}

void op_cancel(struct op *op)
{
    if (op->life != OP_RUNNING || op->cancelled)
        return;
    op->cancelled = true;
    trace(op, "cancel");
    schedule(op);
    op_cancel_children(op);
    enqueue(op);
}

void op_cancel_children(struct op *op)
{
    if (op->life != OP_RUNNING && op->life != OP_DRAINING)
        return;
    rd_list_foreach (it, &op->children) {
        struct op *child = container_of(it, struct op, sibling);
        if (child->life == OP_RUNNING && !child->cancelled)
            child->timed_out = op->timed_out;
        op_cancel(child);
    }
}

void op_wake(struct op *op)
{
    if (op->life == OP_RUNNING)
        enqueue(op);
}

/* What it was at when the time was up, for those above, who only know that it was. What had an answer says
 * most. */
static void tell_parent(const struct op *op)
{
    struct op *parent = op->parent;
    if (parent == NULL || parent->life != OP_RUNNING || !parent->timed_out || !op->timed_out ||
        op->err == NULL || op->err->bare == RD_ERR_NAMELESS)
        return;
    if (parent->late != NULL && parent->late->bare <= op->err->bare)
        return;
    rd_err_free(parent->late);
    parent->late = rd_err_dup(op->err);
}

static void end(struct op *op)
{
    struct op *parent = op->parent;
    RD_ASSERT(op->heap_slot == 0);
    tell_parent(op);
    rd_err_freep(&op->late);
    op->life = OP_ENDED;
    op->loop->live--;
    rd_list_remove(&op->sibling);
    trace(op, "end");
    if (parent != NULL)
        enqueue(parent);
    if (op->done != NULL)
        op->done(op);
}

/* With live children a cancelled or finished op rests: the last child to end queues it again. */
void op_run_one(struct op *op)
{
    bool children = op_has_children(op);
    if (op->life == OP_DRAINING) {
        if (!children)
            end(op);
        return;
    }
    RD_ASSERT(op->life == OP_RUNNING);
    if (op->cancelled && children)
        return;
    trace(op, "step");
    op->step(op);
}

bool op_running(const struct op *op)
{
    return op->life == OP_RUNNING || op->life == OP_DRAINING;
}

bool op_ended(const struct op *op)
{
    return op->life == OP_ENDED;
}

bool op_has_children(const struct op *op)
{
    return op_running(op) && !rd_list_empty(&op->children);
}

struct rd_err *op_take_err(struct op *op)
{
    struct rd_err *err = op->err;
    op->err = NULL;
    return err;
}

uint64_t op_now_ms(const struct op *op)
{
    return loop_now_ms(op->loop);
}

static void timer_step(struct op *op)
{
    struct op_timer *t = container_of(op, struct op_timer, op);
    if (op->cancelled || op_now_ms(op) >= t->at_ms)
        op_finish(op, NULL);
    else
        op_set_alarm(op, t->at_ms);
}

bool op_timer_start(struct op_timer *t, struct op *parent, uint64_t delay_ms)
{
    uint64_t at = after(op_now_ms(parent), delay_ms);
    RD_ASSERT(!op_running(&t->op));
    if (at >= parent->deadline_ms && parent->deadline_ms != RD_NEVER) {
        rd_err_free(t->op.err);
        t->op.err = out_of_time(parent);
        return false;
    }
    t->at_ms = at;
    op_start(&t->op, parent, timer_step, "pause");
    return true;
}
