/* A Lease as a lock on a real API server: two holders, a dead one, a lost one, a released one. */
#include "live.h"

#include <string.h>

static struct live *live;

static int open_live(void **state)
{
    (void)state;
    live = live_open();
    return 0;
}

static int close_live(void **state)
{
    (void)state;
    live_close(live);
    return 0;
}

/* One who wants the lock; the test's own step decides when each begins and ends. */
struct party {
    struct k8s_lease lease;
    size_t held, busy;
    uint64_t until_ms;
    bool dead_holder;
};

struct story {
    struct op op;
    struct party a, b;
    struct op_timer pause;
    struct k8s_apply apply;
    json_t *object;
    const char *name;
    int step;
    uint64_t mark_ms;
    void (*go)(struct story *s);
};

static void on_held(struct k8s_lease *l, uint64_t until_ms)
{
    struct party *p = container_of(l, struct party, lease);
    assert_true(until_ms > p->until_ms);
    p->held++;
    p->until_ms = until_ms;
    op_wake(&((struct story *)l->ctx)->op);
}

static void on_busy(struct k8s_lease *l, const struct k8s_lease_holder *h)
{
    struct party *p = container_of(l, struct party, lease);
    p->busy++;
    assert_string_equal(h->identity, "a");
    assert_string_equal(h->run_link, "https://ci.example/1");
    assert_int_equal(h->duration_ms, 2000);
    assert_true(h->since_wall_ms > 0);
}

static bool holder_dead(struct k8s_lease *l, const char *identity)
{
    struct party *p = container_of(l, struct party, lease);
    return p->dead_holder && rd_streq(identity, "a");
}

static void want(struct story *s, struct party *p, const char *identity)
{
    k8s_lease_clear(&p->lease);
    k8s_lease_init(&p->lease, live->client, live->ns, s->name, identity);
    rd_str_dup(&p->lease.run_link, "https://ci.example/1");
    p->lease.duration_ms = 2000;
    p->lease.on_held = on_held;
    p->lease.on_busy = on_busy;
    p->lease.holder_dead = holder_dead;
    p->lease.ctx = s;
    k8s_lease_start(&p->lease, &s->op);
}

static void story_step(struct op *op)
{
    struct story *s = container_of(op, struct story, op);
    if (op->cancelled)
        op_finish(op, NULL);
    else if (!op_running(&s->pause.op) && !op_running(&s->apply.op))
        s->go(s);
}

static void begin_story(struct op *parent, void *ctx)
{
    struct story *s = ctx;
    op_start(&s->op, parent, story_step, "story");
    op_set_timeout(&s->op, 60000);
}

static void tell(const char *name, void (*go)(struct story *s))
{
    struct story *s = rd_calloc(1, sizeof(*s));
    s->name = name;
    s->go = go;
    live_run(live, begin_story, s);
    struct rd_err *err = op_take_err(&s->op);
    if (err)
        print_message("step %d\n", s->step);
    live_must(err, name);
    k8s_lease_clear(&s->a.lease);
    k8s_lease_clear(&s->b.lease);
    k8s_apply_clear(&s->apply);
    rd_err_free(op_take_err(&s->pause.op));
    json_decref(s->object);
    rd_freep(&s);
}

static void must_be_locked(struct k8s_lease *l)
{
    struct rd_err *err = op_take_err(&l->op);
    assert_non_null(err);
    print_message("%s\n", err->message);
    assert_int_equal(err->kind, RD_ERR_LOCKED);
    rd_err_free(err);
}

/* While the holder renews, the other one is turned away. */
static void go_busy(struct story *s)
{
    switch (s->step) {
    case 0:
        want(s, &s->a, "a");
        s->step++;
        return;
    case 1:
        if (!s->a.held)
            return;
        want(s, &s->b, "b");
        s->step++;
        return;
    case 2:
        if (op_running(&s->b.lease.op))
            return;
        must_be_locked(&s->b.lease);
        assert_int_equal(s->b.busy, 1);
        assert_int_equal(s->b.held, 0);
        k8s_lease_release(&s->a.lease);
        s->step++;
        return;
    case 3:
        if (op_running(&s->a.lease.op))
            return;
        live_must(op_take_err(&s->a.lease.op), "release");
        /* Released: free at once. */
        s->mark_ms = op_now_ms(&s->op);
        want(s, &s->b, "b");
        s->step++;
        return;
    case 4:
        if (!s->b.held)
            return;
        assert_true(op_now_ms(&s->op) - s->mark_ms < 2000);
        op_finish(&s->op, NULL);
        return;
    }
}

static void test_busy_then_released(void **state)
{
    (void)state;
    tell("busy", go_busy);
}

/* The holder stops renewing: after its duration, and not before, the other one takes over. */
static void go_dead(struct story *s)
{
    switch (s->step) {
    case 0:
        want(s, &s->a, "a");
        s->step++;
        return;
    case 1:
        if (!s->a.held)
            return;
        op_cancel(&s->a.lease.op);
        s->step++;
        return;
    case 2:
        if (op_running(&s->a.lease.op))
            return;
        s->mark_ms = op_now_ms(&s->op);
        want(s, &s->b, "b");
        s->step++;
        return;
    case 3:
        if (!s->b.held)
            return;
        if (s->b.dead_holder)
            assert_true(op_now_ms(&s->op) - s->mark_ms < 1500);
        else
            assert_true(op_now_ms(&s->op) - s->mark_ms >= 2000);
        op_finish(&s->op, NULL);
        return;
    }
}

static void go_surely_dead(struct story *s)
{
    s->b.dead_holder = true;
    go_dead(s);
}

static void test_unchanged_is_taken_over(void **state)
{
    (void)state;
    tell("dead", go_dead);
}

static void test_dead_process_at_once(void **state)
{
    (void)state;
    tell("surely-dead", go_surely_dead);
}

/* Held over several renewals; then somebody else writes his name over it. */
static void go_lost(struct story *s)
{
    switch (s->step) {
    case 0:
        want(s, &s->a, "a");
        s->step++;
        return;
    case 1:
        if (s->a.held < 4)
            return;
        s->object = rd_json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", "coordination.k8s.io/v1",
                                 "kind", "Lease", "metadata", "name", s->name, "spec",
                                 "holderIdentity", "thief");
        k8s_apply_init(&s->apply, live->client, s->object);
        s->apply.ns = live->ns;
        s->apply.force = true;
        s->apply.field_manager = "thief";
        s->apply.before_rv = "";
        k8s_apply_start(&s->apply, &s->op);
        s->step++;
        return;
    case 2:
        live_must(op_take_err(&s->apply.op), "thief");
        if (op_running(&s->a.lease.op))
            return;
        must_be_locked(&s->a.lease);
        op_finish(&s->op, NULL);
        return;
    }
}

static void test_lost(void **state)
{
    (void)state;
    tell("lost", go_lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy_then_released),
        cmocka_unit_test(test_unchanged_is_taken_over),
        cmocka_unit_test(test_dead_process_at_once),
        cmocka_unit_test(test_lost),
    };
    return cmocka_run_group_tests(tests, open_live, close_live);
}
