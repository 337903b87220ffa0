/* Goal: the hall runs a toy table over a toy world on the real loop, disk and signals: intent
 * before deed, lock before both, clean stops, and a report that names what failed. */
#include "phase/drive/hall.h"

#include "base/alloc.h"
#include "base/file.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PRE, NET, APP, JOB, STEPS };
#define BIT(i) (1u << (i))
#define ALL (BIT(STEPS) - 1)

/* ---- The world ---- */

static struct {
    char *dir;
    bool exists[STEPS], ours[STEPS];
    int fail_start; /* of this step, for good */
    int hang;       /* this step's WATCH never ends */
    int interrupt;  /* this signal arrives when the WATCH of interrupt_at begins */
    int interrupt_at;
    bool stubborn; /* a hanging START; the second signal cuts it off */
    bool held, lose_lock, no_home;
    const char *asks;   /* what a LOOK at JOB would ask for; NULL: nothing */
    bool quiet;         /* the job is all there is to do */
    char *open;         /* owned; what the last LOOK at JOB was told is open; NULL: nothing */
    bool answer;        /* and its WATCH hears the end of it */
    int homeless_at; /* when this step is looked at or undone, the lock's home is gone; -1 */
    enum phase_verb homeless_verb;
    unsigned puts, removed, released;
    json_t *mirror;
    char *story;
    char *last_message;
    int hangups;
} world;

static void tell(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *word = rd_vasprintf(fmt, ap);
    va_end(ap);
    char *next = world.story ? rd_asprintf("%s, %s", world.story, word) : rd_strdup(word);
    rd_str_take(&world.story, next);
}

struct toy {
    struct op_timer timer;
    int state;
};

static int index_of(const struct step_op *s);

static bool on_disk(const char *id, const char *verb)
{
    RD_AUTOFREE char *path = rd_asprintf("%s/journal.jsonl", world.dir);
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(1 << 20);
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOFREE char *step = rd_asprintf("\"step\":\"%s\"", id);
    RD_AUTOFREE char *word = rd_asprintf("\"verb\":\"%s\"", verb);
    if (!rd_file_read(path, 1 << 20, &text, &err))
        return false;
    RD_AUTOFREE char *copy = rd_strdup(rd_buf_str(&text));
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (strstr(line, step) && strstr(line, word))
            return true;
    return false;
}

static void toy_end(struct step_op *s)
{
    int i = index_of(s);
    if (world.homeless_at == i && world.homeless_verb == s->verb)
        s->ctx->lockless = true;
    switch (s->verb) {
    case VERB_LOOK:
        s->verdict.ours = world.ours[i];
        if (i == JOB && world.asks)
            s->asks = json_string(world.asks);
        if (i == PRE)
            step_publish(s, "project.number", json_integer(7));
        if (world.exists[i])
            step_end(s, FOUND_READY, "is there");
        else
            step_end(s, FOUND_ABSENT, "is not there");
        return;
    case VERB_START:
        if (i == JOB && world.asks) { /* another machine would find it */
            assert_string_equal(rd_json_str(s->ctx->open, "job", NULL), world.asks);
            if (world.quiet)
                assert_null(rd_json_get(world.mirror, "open", NULL));
            else
                assert_string_equal(rd_json_str(world.mirror, "open", "job", NULL), world.asks);
        }
        if (world.fail_start == i) {
            step_end_error(s, rd_err_new(RD_ERR_FAILED, "the other side said no"));
            return;
        }
        world.exists[i] = world.ours[i] = true;
        s->ctx->writes += i != JOB || !world.asks;
        step_end(s, FOUND_PENDING, "on its way");
        return;
    case VERB_WATCH:
        s->answered = i == JOB && world.answer;
        step_end(s, FOUND_READY, "is there now");
        return;
    default:
        world.exists[i] = false;
        s->ctx->writes++;
        step_end(s, FOUND_ABSENT, "is gone");
    }
}

static void toy_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct toy *t = s->priv;
    if (op->cancelled) {
        tell("%s %s stopped", phase_verb_name(s->verb), s->row->core.id);
        op_finish(op, NULL);
        return;
    }
    if (t->state++ == 0) {
        enum phase_verb at = world.stubborn ? VERB_START : VERB_WATCH;
        bool hangs = s->verb == at && world.hang == index_of(s);
        if (s->verb == at && world.interrupt_at == index_of(s))
            raise(world.interrupt);
        if (hangs && world.stubborn)
            raise(world.interrupt);
        if (hangs)
            step_note(s, "2 of 3 parts");
        if (!op_timer_start(&t->timer, op, hangs ? 30000 : 1))
            step_end_error(s, op_take_err(&t->timer.op));
        return;
    }
    toy_end(s);
}

static void toy_free(void *priv)
{
    struct toy *t = priv;
    rd_err_free(t->timer.op.err);
    free(t);
}

static void toy_verb(struct step_op *s, struct op *parent)
{
    const char *id = s->row->core.id;
    if (s->verb == VERB_START || s->verb == VERB_UNDO) {
        assert_true(on_disk(id, phase_verb_name(s->verb)));
        assert_true(world.held);
        /* Another machine would find what is about to be made. */
        if (!s->row->core.every_run && !world.no_home)
            assert_non_null(rd_json_get(world.mirror, "steps", id, NULL));
    }
    tell("%s %s", phase_verb_name(s->verb), id);
    if (index_of(s) == JOB && s->verb == VERB_LOOK)
        rd_str_dup(&world.open, rd_json_str(s->ctx->open, "job", NULL));
    s->priv = rd_calloc(1, sizeof(struct toy));
    s->free_priv = toy_free;
    op_start(&s->op, parent, toy_step, id);
}

#define TOY                                                                                        \
    {                                                                                              \
        toy_verb, toy_verb, toy_verb, toy_verb                                                     \
    }
static const struct step_row rows[STEPS] = {
    [PRE] = {.core = {.id = "pre", .limit_ms = 60000, .look_only = true, .publishes = 1},
             .title = "Preflight",
             .verbs = {toy_verb}},
    [NET] = {.core = {.id = "net", .needs = BIT(PRE), .limit_ms = 60000},
             .title = "Network",
             .verbs = TOY},
    [APP] = {.core = {.id = "app", .needs = BIT(NET), .limit_ms = 60000},
             .title = "Application",
             .verbs = TOY},
    [JOB] = {.core = {.id = "job", .needs = BIT(APP), .limit_ms = 60000, .every_run = true},
             .title = "Test job",
             .verbs = {toy_verb, toy_verb, toy_verb}},
};

static int index_of(const struct step_op *s)
{
    return (int)(s->row - rows);
}

/* ---- A guard without a cluster ---- */

struct toy_guard {
    struct guard g;
    struct op_timer timer;
    bool release;
};

static bool toy_guard_ready(const struct step_ctx *ctx)
{
    return !world.no_home && step_fact(ctx, "project.number") != NULL;
}

static void toy_guard_step(struct op *op)
{
    struct toy_guard *t = container_of(op, struct toy_guard, g.op);
    if (op->cancelled || t->release) {
        op_finish(op, NULL);
        return;
    }
    if (!t->g.held) {
        t->g.held = world.held = true;
        tell("lock");
        t->g.until_ms = op_now_ms(op) + 60000;
        t->g.found = world.mirror;
        op_wake(op->parent);
    } else if (world.lose_lock) {
        op_finish(op, rd_err_new(RD_ERR_LOCKED, "somebody else has it"));
    }
    t->g.put_done = t->g.put_asked;
}

static void toy_guard_start(struct guard *g, struct op *parent)
{
    op_start(&g->op, parent, toy_guard_step, "guard");
}

static void toy_guard_put(struct guard *g, json_t *take)
{
    json_decref(world.mirror);
    world.mirror = take;
    g->found = take;
    world.puts++;
    g->put_asked++;
    op_wake(&g->op);
    op_wake(g->op.parent);
}

static void toy_guard_release(struct guard *g, bool remove)
{
    struct toy_guard *t = container_of(g, struct toy_guard, g);
    t->release = true;
    world.held = false;
    world.released++;
    world.removed += remove;
    op_wake(&g->op);
}

static void toy_guard_clear(struct guard *g)
{
    (void)g;
}

static const struct guard_ops toy_guard_ops = {toy_guard_ready, toy_guard_start, toy_guard_put,
                                               toy_guard_release, toy_guard_clear};

/* ---- Running ---- */

static void toy_emit(struct note_sink *sink, const struct phase_note *n)
{
    (void)sink;
    if (n->message)
        rd_str_dup(&world.last_message, n->message);
}

static void toy_hangup(void *ctx)
{
    (void)ctx;
    world.hangups++;
}

static struct drive_result run(enum phase_goal_kind kind)
{
    struct loop *l = loop_new();
    struct hall *h = rd_calloc(1, sizeof *h);
    struct journal *j = NULL;
    struct rd_err *err = NULL;
    struct toy_guard guard = {.g = {.ops = &toy_guard_ops}};
    struct drive_options o = {
        .rows = rows,
        .row_count = STEPS,
        .goal = {.kind = kind, .want = ALL & ~BIT(PRE), .may_start = ALL},
        .verb = "up",
        .on_hangup = toy_hangup,
        .resume_command = "raydeploy up",
    };
    rd_str_take(&world.story, NULL);
    assert_true(journal_open(world.dir, NULL, &j, &err));
    assert_true(journal_lock(j, false, &err));
    struct drive_result r = {0};
    h->ctx =
        (struct step_ctx){.loop = l, .facts = json_object(), .run_id = "r1", .notes = &h->notes};
    h->notes.emit = toy_emit;
    hall_run(h, l, &o, j, &guard.g, &r);
    rd_err_free(guard.g.op.err);
    journal_close(j);
    json_decref(h->ctx.facts);
    free(h);
    loop_free(l);
    return r;
}

#define EXPECT_STORY(expect)                                                                       \
    do {                                                                                           \
        if (strcmp(world.story, expect) != 0)                                                      \
            fail_msg("told '%s', expected '%s'", world.story, expect);                             \
    } while (0)

static const char from_nothing[] = "look pre, lock, look net, start net, watch net, look app, "
                                   "start app, watch app, look job, start job, watch job";

static void test_up_then_again_then_down(void **state)
{
    (void)state;
    struct drive_result r = run(GOAL_UP);
    EXPECT_STORY(from_nothing);
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(r.writes, 3);
    assert_int_equal(r.steps[APP].state, STEP_DONE);
    assert_string_equal(r.steps[APP].reason, "is there now");
    assert_int_equal(json_integer_value(json_object_get(r.facts, "project.number")), 7);
    assert_int_equal(world.released, 1);
    assert_true(world.puts > 0);
    RD_AUTOFREE char *mirror = rd_json_dump(world.mirror);
    assert_string_equal(mirror,
                        "{\"facts\":{},\"steps\":{\"app\":{\"applied\":true,\"settled\":true},"
                        "\"net\":{\"applied\":true,\"settled\":true}},\"version\":1}");
    drive_result_clear(&r);

    world.puts = 0;
    r = run(GOAL_UP);
    EXPECT_STORY("look pre, lock, look net, look app, look job, start job, watch job");
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(world.puts, 0); /* nothing new to say */
    drive_result_clear(&r);

    r = run(GOAL_DOWN);
    EXPECT_STORY("look pre, lock, look net, look app, undo app, undo net");
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(world.removed, 1);
    assert_int_equal(r.steps[NET].state, STEP_GONE);
    drive_result_clear(&r);

    r = run(GOAL_DOWN);
    EXPECT_STORY("look pre, lock, look net, look app");
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(r.writes, 0);
    drive_result_clear(&r);
}

static void test_another_machine_knows_from_the_mirror(void **state)
{
    (void)state;
    struct drive_result r = run(GOAL_UP);
    drive_result_clear(&r);
    RD_AUTOFREE char *path = rd_asprintf("%s/journal.jsonl", world.dir);
    assert_int_equal(unlink(path), 0);
    world.puts = 0;
    r = run(GOAL_UP);
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(world.puts, 0);
    drive_result_clear(&r);
}

/* What a run asked for, and died before the answer, is told to the next run, on this machine or another;
 * once answered, to none. */
static void test_what_is_open_is_handed_on(void **state)
{
    (void)state;
    RD_AUTOFREE char *path = rd_asprintf("%s/journal.jsonl", world.dir);
    world.asks = "job of r1";
    struct drive_result r = run(GOAL_UP);
    assert_int_equal(r.exit_code, 0);
    assert_null(world.open);
    drive_result_clear(&r);
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        if (elsewhere)
            assert_int_equal(unlink(path), 0);
        r = run(GOAL_UP);
        assert_string_equal(world.open, "job of r1");
        drive_result_clear(&r);
    }
    world.answer = true;
    RD_AUTOJSON json_t *before = json_deep_copy(world.mirror);
    r = run(GOAL_UP);
    assert_string_equal(world.open, "job of r1");
    assert_null(rd_json_get(world.mirror, "open", NULL));
    drive_result_clear(&r);
    /* A mirror that missed the answer does not bring it back where the answer is known. */
    json_decref(world.mirror);
    world.mirror = json_incref(before);
    r = run(GOAL_UP);
    assert_null(world.open);
    assert_null(rd_json_get(world.mirror, "open", NULL));
    drive_result_clear(&r);
    /* A run with nothing else to do leaves the mirror alone; on this machine its question is known. */
    world.answer = false;
    world.quiet = true;
    world.asks = "job of r5";
    for (int again = 0; again < 2; again++) {
        r = run(GOAL_UP);
        assert_null(rd_json_get(world.mirror, "open", NULL));
        if (again)
            assert_string_equal(world.open, "job of r5");
        drive_result_clear(&r);
    }
}

/* A run that died between its intent on our disk and the mirror. */
static void test_an_old_intent_reaches_the_mirror_first(void **state)
{
    (void)state;
    struct journal *j = NULL;
    struct rd_err *err = NULL;
    assert_true(journal_open(world.dir, NULL, &j, &err));
    assert_true(journal_lock(j, false, &err));
    json_t *intent = rd_json_pack("{s:s, s:s, s:s}", "step", "app", "verb", "start", "run", "r0");
    assert_true(journal_append(j, "intent", intent, &err));
    journal_close(j);
    struct drive_result r = run(GOAL_UP);
    EXPECT_STORY(from_nothing);
    assert_int_equal(r.exit_code, 0);
    drive_result_clear(&r);
}

static void test_a_failure_is_named(void **state)
{
    (void)state;
    world.fail_start = APP;
    struct drive_result r = run(GOAL_UP);
    assert_int_equal(r.exit_code, 1);
    assert_string_equal(r.err->message, "Application: the other side said no");
    assert_int_equal(r.steps[APP].state, STEP_FAILED);
    assert_int_equal(r.steps[JOB].state, STEP_HELD);
    assert_int_equal(world.released, 1);
    drive_result_clear(&r);
}

static void test_signal_stops_cleanly(void **state)
{
    (void)state;
    world.hang = APP;
    world.interrupt = SIGTERM;
    world.interrupt_at = APP;
    struct drive_result r = run(GOAL_UP);
    EXPECT_STORY("look pre, lock, look net, start net, watch net, look app, start app, watch app, "
                 "watch app stopped");
    assert_int_equal(r.exit_code, 143);
    assert_int_equal(r.steps[APP].state, STEP_CANCELLED);
    assert_int_equal(world.released, 1);
    assert_string_equal(world.last_message, "to go on from here: raydeploy up");
    drive_result_clear(&r);
    world.hang = -1;
    r = run(GOAL_UP); /* and goes on */
    EXPECT_STORY("look pre, lock, look net, look app, look job, start job, watch job");
    assert_int_equal(r.exit_code, 0);
    drive_result_clear(&r);
}

static void test_hangup_ends_the_display_only(void **state)
{
    (void)state;
    world.interrupt = SIGHUP;
    world.interrupt_at = APP;
    struct drive_result r = run(GOAL_UP);
    EXPECT_STORY(from_nothing);
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(world.hangups, 1);
    drive_result_clear(&r);
}

static void test_second_signal_ends_at_once(void **state)
{
    (void)state;
    world.hang = APP;
    world.stubborn = true; /* the first signal would let its START settle for 10 s */
    world.interrupt = SIGINT;
    world.interrupt_at = APP;
    struct drive_result r = run(GOAL_UP);
    assert_int_equal(r.exit_code, 130);
    drive_result_clear(&r);
}

static void test_lost_lock_ends_the_run(void **state)
{
    (void)state;
    world.lose_lock = true;
    struct drive_result r = run(GOAL_UP);
    assert_int_equal(r.exit_code, 6);
    assert_string_equal(r.err->message, "somebody else has it");
    assert_false(world.exists[JOB]);
    drive_result_clear(&r);
}

static void test_no_place_for_the_lock_is_our_bug(void **state)
{
    (void)state;
    world.no_home = true;
    struct drive_result r = run(GOAL_UP);
    EXPECT_STORY("look pre");
    assert_int_equal(r.exit_code, 70);
    drive_result_clear(&r);
}

/* Its cluster is not there: the lock of this machine has to do. */
static void test_no_home_for_the_lock_and_known_to_be(void **state)
{
    (void)state;
    world.no_home = true;
    world.held = true; /* as far as the toys are concerned */
    world.homeless_at = PRE;
    world.homeless_verb = VERB_LOOK;
    world.exists[NET] = world.ours[NET] = true;
    struct drive_result r = run(GOAL_DOWN);
    EXPECT_STORY("look pre, look net, look app, undo net");
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(world.released, 0);
    drive_result_clear(&r);
}

/* Undoing the cluster takes the lock away with it, and is not a loss. */
static void test_the_home_of_the_lock_goes(void **state)
{
    (void)state;
    world.homeless_at = APP;
    world.homeless_verb = VERB_UNDO;
    world.exists[NET] = world.ours[NET] = world.exists[APP] = world.ours[APP] = true;
    struct drive_result r = run(GOAL_DOWN);
    EXPECT_STORY("look pre, lock, look net, look app, undo app, undo net");
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(r.steps[NET].state, STEP_GONE);
    assert_int_equal(world.removed, 0);
    drive_result_clear(&r);
}

static int begin(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.fail_start = world.hang = world.interrupt_at = world.homeless_at = -1;
    world.exists[PRE] = true;
    world.dir = rd_strdup("/tmp/raydeploy-hall-XXXXXX");
    return mkdtemp(world.dir) == NULL;
}

static int end(void **state)
{
    (void)state;
    RD_AUTOFREE char *cmd = rd_asprintf("rm -rf '%s'", world.dir);
    free(world.dir);
    free(world.story);
    free(world.last_message);
    free(world.open);
    json_decref(world.mirror);
    return system(cmd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_up_then_again_then_down, begin, end),
        cmocka_unit_test_setup_teardown(test_another_machine_knows_from_the_mirror, begin, end),
        cmocka_unit_test_setup_teardown(test_an_old_intent_reaches_the_mirror_first, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_open_is_handed_on, begin, end),
        cmocka_unit_test_setup_teardown(test_a_failure_is_named, begin, end),
        cmocka_unit_test_setup_teardown(test_signal_stops_cleanly, begin, end),
        cmocka_unit_test_setup_teardown(test_hangup_ends_the_display_only, begin, end),
        cmocka_unit_test_setup_teardown(test_second_signal_ends_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_no_place_for_the_lock_is_our_bug, begin, end),
        cmocka_unit_test_setup_teardown(test_lost_lock_ends_the_run, begin, end),
        cmocka_unit_test_setup_teardown(test_no_home_for_the_lock_and_known_to_be, begin, end),
        cmocka_unit_test_setup_teardown(test_the_home_of_the_lock_goes, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
