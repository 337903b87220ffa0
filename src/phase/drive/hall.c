#include "phase/drive/hall.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "gcp/client.h"
#include "loop/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISPLAY_MS 250
#define RELEASE_MS 4000 /* with the core's 10 s for requests in flight this stays below 15 s */
#define REMOVE_MS 120000
#define WAIVED_MS ((uint64_t)30 * 24 * 3600 * 1000) /* longer than any run */

void hall_event(struct hall *h, const struct phase_event *e)
{
    RD_ASSERT(h->event_count < HALL_EVENTS_MAX);
    h->events[(h->event_first + h->event_count++) % HALL_EVENTS_MAX] = *e;
}

static void push(struct hall *h, enum phase_event_type type)
{
    hall_event(h, &(struct phase_event){.type = type});
}

static void command(struct hall *h, const struct phase_command *c)
{
    switch (c->type) {
    case CMD_JOURNAL:
        hall_journal(h, c);
        return;
    case CMD_RUN:
        hall_step_run(h, c);
        return;
    case CMD_STOP:
        if (h->steps[c->step].run_id != c->run_id)
            return;
        /* Then what it was at is asked for, as when its own limit passes. */
        if (h->phase.halt == HALT_RUN_LIMIT && h->steps[c->step].run.op.life == OP_RUNNING)
            op_set_deadline(&h->steps[c->step].run.op, loop_now_ms(h->loop));
        else
            op_cancel(&h->steps[c->step].run.op);
        return;
    case CMD_NOTE:
        hall_note_state(h, c);
        return;
    case CMD_END:
        h->end = *c;
        h->closing = true;
        return;
    }
    RD_UNREACHABLE();
}

/* Commands may bring further events (a record that is durable at once); those wait their turn in
 * the ring, so the batch at hand is run to its end first. */
static void feed(struct hall *h)
{
    while (h->event_count > 0) {
        struct phase_event e = h->events[h->event_first];
        h->event_first = (h->event_first + 1) % HALL_EVENTS_MAX;
        h->event_count--;
        e.now_ms = loop_now_ms(h->loop);
        phase_step(&h->phase, &e, &h->out);
        for (unsigned n = 0; n < h->out.len; n++)
            command(h, &h->out.v[n]);
    }
}

/* ---- The guard ---- */

/* On the clock as it is now, not as the loop's turn began: this process may have been stopped. */
static bool may_write(void *ctx, const struct op *op, const struct http_req *req, bool again)
{
    struct hall *h = ctx;
    if (h->gated && !phase_may_write(&h->phase, rd_boot_ms()))
        return false;
    return again || hall_request(h, op, req);
}

/* What Google is asked for before the lock's home is there stands under no lock. */
static bool may_write_google(void *ctx, const struct op *op, const struct http_req *req, bool again)
{
    return again || hall_request(ctx, op, req);
}

/* Clients come when steps make them. */
static void operation_began(void *ctx, const struct op *op, const char *name)
{
    hall_operation(ctx, op, name);
}

static void watch_writes(struct hall *h)
{
    struct k8s_client *clients[] = {h->ctx.workload, h->ctx.management};
    for (size_t i = 0; i < RD_ARRAY_LEN(clients); i++)
        if (clients[i])
            k8s_client_set_write_gate(clients[i], may_write, h);
    if (h->ctx.gcp) {
        gcp_client_set_write_gate(h->ctx.gcp, may_write_google, h);
        gcp_client_on_operation(h->ctx.gcp, operation_began, h);
    }
}

static bool nothing_runs(const struct hall *h)
{
    for (unsigned i = 0; i < h->o->row_count; i++)
        if (h->steps[i].active)
            return false;
    return phase_wake_ms(&h->phase) == h->phase.run_limit_at_ms;
}

/* The lock goes with the cluster it lives in; from then on the lock of this machine has to do. What
 * waits for the mirror waits no longer. */
static void waive_lock(struct hall *h)
{
    struct guard *g = h->guard;
    h->lock_waived = true;
    h->gated = false;
    for (unsigned n = 0; n < h->pending_count; n++) {
        struct phase_event e = {.type = EV_JOURNALED};
        e.u.journaled.seq = h->pending[n].seq;
        e.u.journaled.ok = true;
        hall_event(h, &e);
    }
    h->pending_count = 0;
    struct phase_event e = {.type = EV_LOCK};
    e.u.lock.until_ms = loop_now_ms(h->loop) + WAIVED_MS;
    hall_event(h, &e);
    if (h->guard_started && op_running(&g->op))
        op_cancel(&g->op);
}

static void guard_watch(struct hall *h)
{
    struct guard *g = h->guard;
    if (!g || h->guard_over)
        return;
    if (h->ctx.lockless && !h->lock_waived)
        waive_lock(h);
    if (h->lock_waived) {
        h->guard_over = !h->guard_started || op_ended(&g->op);
        return;
    }
    if (!h->guard_started) {
        /* Not before what may fail without it has been found in order: nothing is changed then. */
        if (h->closing || !phase_wants_lock(&h->phase))
            return;
        if (!g->ops->ready(&h->ctx)) {
            if (!h->broken && nothing_runs(h)) { /* and nothing would ever make it ready */
                h->broken = rd_err_new(RD_ERR_INTERNAL, "no step has said where the lock lives");
                push(h, EV_LOCK);
            }
            return;
        }
        h->guard_started = true;
        g->ops->start(g, &h->op);
        return;
    }
    if (op_ended(&g->op)) {
        h->guard_over = true;
        struct rd_err *err = op_take_err(&g->op);
        if (!h->closing) {
            if (!err)
                err = rd_err_new(RD_ERR_LOCKED, "the lock was given up");
            rd_err_keep(&h->broken, &err);
            hall_event(h, &(struct phase_event){.type = EV_LOCK});
        } else if (err && h->removing) {
            err->kind = RD_ERR_REMAINS;
            rd_err_wrap(err, "the lock and the mirror could not be removed");
            rd_err_keep(&h->broken, &err);
        } else if (err) {
            hall_say(h, NOTE_WARN, "the lock could not be given back: %s", err->message);
            rd_err_free(err);
        }
        return;
    }
    if (g->held && g->until_ms != h->told_until_ms) {
        if (h->told_until_ms == 0)
            hall_inventory_merge(h, g->found);
        h->told_until_ms = g->until_ms;
        h->gated = true;
        struct phase_event e = {.type = EV_LOCK};
        e.u.lock.until_ms = g->until_ms;
        hall_event(h, &e);
    }
    hall_mirror_settle(h);
}

static void guard_release(struct hall *h)
{
    struct guard *g = h->guard;
    if (!g || !h->guard_started || h->guard_over || h->lock_waived)
        return;
    bool remove = h->o->goal.kind == GOAL_DOWN && h->end.ok;
    if (g->held && !remove && !h->end.cancelled)
        (void)hall_mirror_behind(h);
    h->removing = remove;
    h->gated = false; /* what is left to write is the guard's own */
    op_set_timeout(&g->op, remove ? REMOVE_MS : RELEASE_MS);
    g->ops->release(g, remove);
}

/* ---- Signals ---- */

static void on_signal(void *ctx, int signum)
{
    struct hall *h = ctx;
    if (signum == SIGHUP) {
        if (h->o->on_hangup)
            h->o->on_hangup(h->o->ctx);
        return;
    }
    h->signals++;
    if (h->signals == 1) {
        h->signum = signum;
        hall_say(h, NOTE_WARN, "stopping: requests in flight may finish (again to stop at once)");
        push(h, EV_CANCEL);
    } else if (h->signals == 2) {
        push(h, EV_ABORT);
        op_cancel(&h->op);
    } else {
        _exit(128 + signum);
    }
    op_wake(&h->op);
}

static void watch_signals(struct hall *h, bool on)
{
    static const int signums[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < RD_ARRAY_LEN(signums); i++)
        loop_on_signal(h->loop, signums[i], on ? on_signal : NULL, h);
}

/* ---- The root ---- */

static void display(struct hall *h)
{
    uint64_t now = loop_now_ms(h->loop);
    if (!h->o->on_tick || now < h->displayed_ms + DISPLAY_MS)
        return;
    h->displayed_ms = now;
    h->o->on_tick(h->o->ctx, now);
}

static void hall_step_op(struct op *op)
{
    struct hall *h = container_of(op, struct hall, op);
    if (op->cancelled) { /* the second signal: what is in flight is cut off */
        feed(h);
        op_finish(op, NULL);
        return;
    }
    bool was_closing;
    watch_writes(h);
    do {
        was_closing = h->closing;
        hall_step_collect(h);
        if (phase_wake_ms(&h->phase) <= loop_now_ms(h->loop))
            push(h, EV_TICK);
        feed(h);
        guard_watch(h);
        if (h->closing && !was_closing)
            guard_release(h);
    } while (h->event_count > 0 || h->closing != was_closing);
    display(h);
    if (h->closing && (!h->guard_started || h->guard_over)) {
        op_finish(op, NULL);
        return;
    }
    uint64_t wake = phase_wake_ms(&h->phase);
    if (h->o->on_tick && h->displayed_ms + DISPLAY_MS < wake)
        wake = h->displayed_ms + DISPLAY_MS;
    op_set_alarm(op, wake);
}

static void begin(struct hall *h)
{
    const struct drive_options *o = h->o;
    struct phase_event e = {.type = EV_START};
    e.u.start.goal = o->goal;
    e.u.start.seed = rd_random_u64();
    e.u.start.needs_lock = h->guard != NULL;
    for (unsigned i = 0; i < o->row_count; i++) {
        h->defs[i] = o->rows[i].core;
        /* What cannot be undone has no part in going down. */
        if (o->goal.kind == GOAL_DOWN && !o->rows[i].verbs[VERB_UNDO])
            e.u.start.goal.want &= ~((step_set)1 << i);
    }
    phase_init(&h->phase, h->defs, o->row_count);
    hall_event(h, &e);
}

void hall_run(struct hall *h, struct loop *l, const struct drive_options *o,
              struct journal *journal, struct guard *guard, struct drive_result *ret)
{
    RD_ASSERT(o->row_count <= PHASE_STEPS_MAX);
    h->loop = l;
    h->o = o;
    h->journal = journal;
    h->guard = guard;
    h->begun_ms = loop_now_ms(l);
    h->ctx.open = json_object();
    h->ctx.may_write = may_write;
    h->ctx.may_write_ctx = h;
    if (journal)
        hall_inventory_load(h);
    begin(h);
    watch_signals(h, true);
    op_start_root(&h->op, l, hall_step_op, "run");
    loop_run(l, &h->op);
    watch_signals(h, false);
    hall_result(h, ret);
    for (unsigned i = 0; i < o->row_count; i++) {
        step_op_clear(&h->steps[i].run);
        free(h->steps[i].reason);
        json_decref(h->steps[i].asks);
        rd_err_free(h->steps[i].err);
    }
    json_decref(h->mirrored_facts);
    json_decref(h->mirror_asked);
    rd_json_decrefp(&h->ctx.open);
    rd_err_free(h->broken);
    rd_err_freep(&h->op.err);
}
