/* The promises of op.h, shown on traces: order of cancelling, done exactly once, deadlines,
 * restart. */
#include "loop/loop.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct node {
    struct op op;
    struct node *kids[4];
    int steps, dones;
    bool finish_at_once;   /* op_finish in the first step */
    bool finish_with_kids; /* once every kid was started */
    bool hold;             /* the kids' end does not end it */
    bool started;
};

static struct rd_buf trace_text;

static void on_trace(void *ctx, const struct op *op, const char *what)
{
    (void)ctx;
    rd_buf_printf(&trace_text, "%s%s:%s", trace_text.len > 0 ? " " : "", op->name, what);
}

static void node_done(struct op *op)
{
    struct node *n = container_of(op, struct node, op);
    n->dones++;
    rd_buf_printf(&trace_text, " %s:done", op->name);
}

static void node_step(struct op *op)
{
    struct node *n = container_of(op, struct node, op);
    n->steps++;
    if (op->cancelled || n->finish_at_once) {
        op_finish(op, NULL);
        return;
    }
    if (n->started) {
        if (!op_has_children(op) && !n->hold && n->kids[0] != NULL)
            op_finish(op, NULL);
        return;
    }
    n->started = true;
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < RD_ARRAY_LEN(n->kids) && n->kids[i] != NULL; i++) {
        n->kids[i]->op.done = node_done;
        const char *name = n->kids[i]->op.name;
        op_start(&n->kids[i]->op, op, node_step, name != NULL ? name : names[i]);
    }
    if (n->finish_with_kids)
        op_finish(op, NULL);
}

static int setup(void **state)
{
    *state = loop_new();
    rd_buf_init(&trace_text, RD_BUF_UNBOUNDED);
    return 0;
}

static int teardown(void **state)
{
    loop_free(*state);
    rd_buf_clear(&trace_text);
    return 0;
}

static void run(struct loop *l, struct node *root)
{
    root->op.done = node_done;
    op_trace(l, on_trace, NULL);
    op_start_root(&root->op, l, node_step, "root");
    loop_run(l, &root->op);
}

static void drop(struct node *n)
{
    rd_err_free(op_take_err(&n->op));
}

/* Goal: nothing ends inside the call that started it, and the end comes once, children first. */
static void children_end_before_parents(void **state)
{
    struct node kid = {.finish_at_once = true}, root = {.kids = {&kid}};
    run(*state, &root);
    assert_string_equal(
        rd_buf_str(&trace_text),
        "root:start root:step a:start a:step a:end a:done root:step root:end root:done");
    assert_int_equal(kid.dones, 1);
    assert_int_equal(root.dones, 1);
    assert_null(root.op.err);
}

/* Goal: finishing with live children cancels them and waits until they are gone. */
static void finish_drains_children(void **state)
{
    struct node x = {0}, y = {0}, a = {.kids = {&x, &y}},
                root = {.kids = {&a}, .finish_with_kids = true};
    x.op.name = "x";
    y.op.name = "y";
    run(*state, &root);
    /* a was started in the same step, so it is born and cancelled before it ever had kids. */
    assert_string_equal(
        rd_buf_str(&trace_text),
        "root:start root:step a:start a:cancel a:step a:end a:done root:end root:done");
    assert_int_equal(x.dones, 0);
    assert_int_equal(a.op.err->kind, RD_ERR_CANCELLED);
    assert_null(root.op.err);
    drop(&a);
}

static struct node *cancel_target;
static void cancel_step(struct op *op)
{
    op_cancel(&cancel_target->op);
    op_finish(op, NULL);
}

/* Goal: cancelling goes from the root down, ending from the leaves up. */
static void cancel_order(void **state)
{
    struct loop *l = *state;
    struct node x = {0}, y = {0}, a = {.kids = {&x, &y}}, b = {0}, root = {.kids = {&a, &b}};
    x.op.name = "x";
    y.op.name = "y";
    struct op canceller = {0};
    root.op.done = node_done;
    op_start_root(&root.op, l, node_step, "root");
    /* Two turns of the queue: the whole tree stands. */
    struct node settle = {.finish_at_once = true}, outer = {.kids = {&settle}};
    op_start_root(&outer.op, l, node_step, "outer");
    loop_run(l, &outer.op);
    rd_buf_reset(&trace_text);
    op_trace(l, on_trace, NULL);
    cancel_target = &root;
    op_start_root(&canceller, l, cancel_step, "canceller");
    loop_run(l, &root.op);
    assert_string_equal(
        rd_buf_str(&trace_text),
        "canceller:start canceller:step root:cancel a:cancel x:cancel y:cancel b:cancel "
        "x:step y:step b:step canceller:end "
        "x:end x:done y:end y:done b:end b:done a:step a:end a:done root:step root:end "
        "root:done");
    struct node *all[] = {&x, &y, &a, &b, &root};
    for (size_t i = 0; i < RD_ARRAY_LEN(all); i++) {
        assert_int_equal(all[i]->op.err->kind, RD_ERR_CANCELLED);
        assert_int_equal(all[i]->op.life, OP_ENDED);
        drop(all[i]);
    }
}

/* Goal: a child that had just finished when its parent was cancelled keeps its success. */
static void child_finishing_during_cancel(void **state)
{
    struct loop *l = *state;
    struct node kid = {0}, root = {.kids = {&kid}};
    op_start_root(&root.op, l, node_step, "root");
    struct node outer = {.finish_at_once = true};
    op_start_root(&outer.op, l, node_step, "outer");
    loop_run(l, &outer.op);
    kid.op.done = node_done;
    op_finish(&kid.op, NULL);
    op_cancel(&root.op);
    op_finish(&kid.op, rd_err_new(RD_ERR_FAILED, "too late")); /* ignored and freed */
    loop_run(l, &root.op);
    assert_int_equal(kid.dones, 1);
    assert_null(kid.op.err);
    assert_int_equal(root.op.err->kind, RD_ERR_CANCELLED);
    drop(&root);
}

/* Goal: an ended op may be started anew, and its old error is gone. */
static void restart(void **state)
{
    struct node n = {.finish_at_once = true};
    for (int i = 0; i < 3; i++) {
        n.op.done = node_done;
        op_start_root(&n.op, *state, node_step, "again");
        if (i < 2)
            op_cancel(&n.op);
        loop_run(*state, &n.op);
        if (i < 2)
            assert_int_equal(n.op.err->kind, RD_ERR_CANCELLED);
        else
            assert_null(n.op.err);
    }
    assert_int_equal(n.dones, 3);
}

static void restarting_done(struct op *op)
{
    struct node *n = container_of(op, struct node, op);
    if (++n->dones < 5)
        op_start_root(op, op->loop, node_step, op->name);
}

/* Goal: done() is the last to touch the op, so it may start it again. */
static void restart_from_done(void **state)
{
    struct node n = {.finish_at_once = true, .op.done = restarting_done};
    op_start_root(&n.op, *state, node_step, "n");
    while (n.dones < 5)
        loop_run(*state, &n.op);
    assert_int_equal(n.dones, 5);
}

/* Goal: a parent's deadline is its children's, earlier ones stay, later ones are cut. */
static void deadline_inheritance(void **state)
{
    struct loop *l = *state;
    struct node early = {0}, late = {0}, root = {.kids = {&early, &late}};
    op_start_root(&root.op, l, node_step, "root");
    op_set_deadline(&root.op, loop_now_ms(l) + 3600000);
    struct node outer = {.finish_at_once = true};
    op_start_root(&outer.op, l, node_step, "outer");
    loop_run(l, &outer.op);
    assert_int_equal(early.op.deadline_ms, root.op.deadline_ms);
    op_set_deadline(&early.op, loop_now_ms(l) + 1000);
    op_set_deadline(&late.op, RD_NEVER);
    assert_int_equal(late.op.deadline_ms, root.op.deadline_ms);
    uint64_t earlier = early.op.deadline_ms;
    op_set_deadline(&root.op, loop_now_ms(l) + 2000);
    assert_int_equal(late.op.deadline_ms, root.op.deadline_ms);
    assert_int_equal(early.op.deadline_ms, earlier);
    op_set_deadline(&root.op, loop_now_ms(l) + 20);
    assert_int_equal(early.op.deadline_ms, root.op.deadline_ms);
    loop_run(l, &root.op);
    struct node *all[] = {&early, &late, &root};
    for (size_t i = 0; i < RD_ARRAY_LEN(all); i++) {
        assert_int_equal(all[i]->op.err->kind, RD_ERR_TIMEOUT);
        assert_true(all[i]->op.timed_out);
        drop(all[i]);
    }
}

struct late_child {
    struct op op;
    struct node kid;
};

static void late_child_step(struct op *op)
{
    struct late_child *p = container_of(op, struct late_child, op);
    if (op->cancelled && p->kid.op.life == OP_IDLE) {
        op_start(&p->kid.op, op, node_step, "kid"); /* cleaning up: born cancelled */
        return;
    }
    if (op->cancelled)
        op_finish(op, NULL);
}

/* Goal: what is started under a cancelled op is cancelled from birth. */
static void born_cancelled(void **state)
{
    struct late_child p = {0};
    op_start_root(&p.op, *state, late_child_step, "p");
    op_cancel(&p.op);
    loop_run(*state, &p.op);
    assert_int_equal(p.kid.op.err->kind, RD_ERR_CANCELLED);
    assert_int_equal(p.kid.steps, 1);
    drop(&p.kid);
    rd_err_free(op_take_err(&p.op));
}

/* Goal: any number of wakes before a turn is one step. */
static void wakes_collapse(void **state)
{
    struct loop *l = *state;
    struct node n = {.hold = true, .started = true}, outer = {.finish_at_once = true};
    op_start_root(&n.op, l, node_step, "n");
    for (int i = 0; i < 10; i++)
        op_wake(&n.op);
    op_start_root(&outer.op, l, node_step, "outer");
    loop_run(l, &outer.op);
    assert_int_equal(n.steps, 1);
    op_finish(&n.op, NULL);
    op_wake(&n.op);
    loop_run(l, &n.op);
    op_wake(&n.op);
    op_cancel(&n.op);
    assert_int_equal(n.steps, 1);
}

struct many {
    struct op op;
    struct op_timer *timers;
    size_t len, ended_early;
    uint64_t last_ms;
    bool started;
};

static struct many *many;

static void many_timer_done(struct op *op)
{
    struct op_timer *t = container_of(op, struct op_timer, op);
    if (op_now_ms(op) < t->at_ms)
        many->ended_early++;
}

static void many_step(struct op *op)
{
    if (!many->started) {
        many->started = true;
        for (size_t i = 0; i < many->len; i++) {
            many->timers[i].op.done = many_timer_done;
            bool ok = op_timer_start(&many->timers[i], op, (i * 7919) % 50);
            assert_true(ok);
        }
        return;
    }
    if (!op_has_children(op))
        op_finish(op, NULL);
}

/* Goal: 100 000 timers at once end once each and never early; the heap is empty after them. */
static void many_timers(void **state)
{
    struct many m = {.len = 100000};
    m.timers = rd_calloc(m.len, sizeof *m.timers);
    many = &m;
    op_start_root(&m.op, *state, many_step, "many");
    loop_run(*state, &m.op);
    for (size_t i = 0; i < m.len; i++)
        assert_int_equal(m.timers[i].op.life, OP_ENDED);
    assert_int_equal(m.ended_early, 0);
    free(m.timers);
}

/* Goal: the same when all are cancelled half-way, which takes them from the heap's middle. */
static void many_timers_cancelled(void **state)
{
    struct many m = {.len = 20000};
    m.timers = rd_calloc(m.len, sizeof *m.timers);
    many = &m;
    op_start_root(&m.op, *state, many_step, "many");
    op_set_timeout(&m.op, 25000); /* pauses fit; the cancel is ours */
    struct node outer = {.finish_at_once = true};
    op_start_root(&outer.op, *state, node_step, "outer");
    loop_run(*state, &outer.op);
    for (size_t i = 0; i < m.len; i += 2) {
        m.timers[i].op.done = NULL;
        op_cancel(&m.timers[i].op);
    }
    loop_run(*state, &m.op);
    for (size_t i = 0; i < m.len; i++) {
        assert_int_equal(m.timers[i].op.life, OP_ENDED);
        rd_err_free(op_take_err(&m.timers[i].op));
    }
    assert_int_equal(m.ended_early, 0);
    free(m.timers);
}

/* Goal: a pause that would pass the deadline says so at once. */
static void pause_past_deadline(void **state)
{
    struct node root = {.hold = true, .started = true};
    op_start_root(&root.op, *state, node_step, "root");
    op_set_timeout(&root.op, 1000);
    struct op_timer t = {0};
    assert_false(op_timer_start(&t, &root.op, 1000));
    assert_int_equal(t.op.err->kind, RD_ERR_TIMEOUT);
    assert_false(op_running(&t.op));
    rd_err_free(op_take_err(&t.op));
    assert_true(op_timer_start(&t, &root.op, 900));
    op_cancel(&root.op);
    loop_run(*state, &root.op);
    rd_err_free(op_take_err(&t.op));
    drop(&root);
}

static int signals_seen;
static struct node *signal_node;
static void on_usr1(void *ctx, int signum)
{
    assert_ptr_equal(ctx, &signals_seen);
    assert_int_equal(signum, SIGUSR1);
    signals_seen++;
    op_finish(&signal_node->op, NULL);
}

/* Goal: a signal comes from the run queue; taken off, it is not told. */
static void signals(void **state)
{
    struct loop *l = *state;
    for (int i = 0; i < 2; i++) {
        struct node n = {.hold = true, .started = true};
        signal_node = &n;
        loop_on_signal(l, SIGUSR1, on_usr1, &signals_seen);
        op_start_root(&n.op, l, node_step, "n");
        kill(getpid(), SIGUSR1);
        loop_run(l, &n.op);
        assert_int_equal(signals_seen, i + 1);
        loop_on_signal(l, SIGUSR1, NULL, NULL);
    }
}

struct reader {
    struct op op;
    struct loop_poll poll;
    int fd;
    char got;
};

static void reader_step(struct op *op)
{
    struct reader *r = container_of(op, struct reader, op);
    if (r->got == 0 && (r->poll.ready & UV_READABLE) != 0) {
        assert_int_equal(read(r->fd, &r->got, 1), 1);
        loop_poll_close(&r->poll);
    }
    if (r->got != 0 && !r->poll.open)
        op_finish(op, NULL);
}

/* Goal: readiness of a foreign descriptor wakes its op, closing it ends before the op does. */
static void poll_readiness(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct reader r = {.fd = fds[0]};
    op_start_root(&r.op, *state, reader_step, "reader");
    assert_true(loop_poll_open(&r.poll, *state, fds[0], &r.op));
    loop_poll_want(&r.poll, UV_READABLE);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_run(*state, &r.op);
    assert_int_equal(r.got, 'x');
    close(fds[0]);
    close(fds[1]);
}

struct pauser {
    struct op op;
    struct loop_poll poll;
    struct op_timer pause;
    unsigned left;
};

static void pauser_step(struct op *op)
{
    struct pauser *p = container_of(op, struct pauser, op);
    if (op_running(&p->pause.op))
        return;
    if (p->left > 0) {
        p->left--;
        assert_true(op_timer_start(&p->pause, op, p->left % 2));
        return;
    }
    loop_poll_close(&p->poll);
    if (!p->poll.open)
        op_finish(op, NULL);
}

/* Goal: a pause that comes due just before the loop polls ends it too, also beside a socket on which
 * nothing ever happens. (It once slept for good.) */
static void short_pauses_beside_a_silent_socket(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct pauser p = {.left = 3000};
    op_start_root(&p.op, *state, pauser_step, "pauser");
    assert_true(loop_poll_open(&p.poll, *state, fds[0], &p.op));
    loop_poll_want(&p.poll, UV_READABLE);
    loop_run(*state, &p.op);
    assert_int_equal(p.left, 0);
    close(fds[0]);
    close(fds[1]);
}

/* ---- What was met when the time was up ---- */

struct late {
    struct op op, inner[2];
    struct op_timer pause;
    bool started;
};

static void answered_step(struct op *op)
{
    if (!op->cancelled)
        return;
    struct rd_err *err = rd_err_new(RD_ERR_TIMEOUT, "%s: it said 503", op->name);
    err->bare = op->name[0] == 'b' ? RD_ERR_TELLING : RD_ERR_UNHEARD;
    op_finish(op, err);
}

static void between_step(struct op *op)
{
    struct late *l = container_of(op, struct late, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (l->started)
        return;
    l->started = true;
    (void)op_timer_start(&l->pause, op, 10000);
    op_start(&l->inner[0], op, answered_step, "a");
    op_start(&l->inner[1], op, answered_step, "b");
}

/* Goal: whoever only says that the time was up passes on what a child was at, the one that had an answer
 * before all; a pause has nothing to say, and what was cancelled is not late. */
static void late_words(void **state)
{
    struct late l = {.started = false};
    op_start_root(&l.op, *state, between_step, "root");
    op_set_timeout(&l.op, 20);
    loop_run(*state, &l.op);
    struct rd_err *err = op_take_err(&l.op);
    assert_int_equal(err->kind, RD_ERR_TIMEOUT);
    assert_string_equal(err->message, "b: it said 503");
    assert_int_equal(err->bare, RD_ERR_TELLING);
    rd_err_free(err);
    for (size_t i = 0; i < 2; i++)
        rd_err_free(op_take_err(&l.inner[i]));
    rd_err_free(op_take_err(&l.pause.op));

    struct op_timer only = {.at_ms = 0};
    struct late plain = {.started = true};
    op_start_root(&plain.op, *state, between_step, "plain");
    assert_true(op_timer_start(&only, &plain.op, 10000));
    op_set_timeout(&plain.op, 10);
    loop_run(*state, &plain.op);
    assert_string_equal(plain.op.err->message, "plain: out of time");
    assert_int_equal(plain.op.err->bare, RD_ERR_NAMELESS);
    rd_err_free(op_take_err(&plain.op));
    rd_err_free(op_take_err(&only.op));

    struct late stopped = {.started = false};
    op_start_root(&stopped.op, *state, between_step, "stopped");
    op_cancel(&stopped.op);
    loop_run(*state, &stopped.op);
    assert_int_equal(stopped.op.err->kind, RD_ERR_CANCELLED);
    rd_err_free(op_take_err(&stopped.op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(children_end_before_parents, setup, teardown),
        cmocka_unit_test_setup_teardown(finish_drains_children, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_order, setup, teardown),
        cmocka_unit_test_setup_teardown(child_finishing_during_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(restart, setup, teardown),
        cmocka_unit_test_setup_teardown(restart_from_done, setup, teardown),
        cmocka_unit_test_setup_teardown(deadline_inheritance, setup, teardown),
        cmocka_unit_test_setup_teardown(born_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(wakes_collapse, setup, teardown),
        cmocka_unit_test_setup_teardown(many_timers, setup, teardown),
        cmocka_unit_test_setup_teardown(many_timers_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(pause_past_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(late_words, setup, teardown),
        cmocka_unit_test_setup_teardown(signals, setup, teardown),
        cmocka_unit_test_setup_teardown(poll_readiness, setup, teardown),
        cmocka_unit_test_setup_teardown(short_pauses_beside_a_silent_socket, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
