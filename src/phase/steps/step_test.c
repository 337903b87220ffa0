/* Goal: a verb's end, its words and its facts reach the hall as they were meant. */
#include "phase/steps/step.h"

#include "base/alloc.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned notes;
static char *last;

static void emit(struct note_sink *sink, const struct phase_note *n)
{
    (void)sink;
    notes++;
    rd_str_dup(&last, n->message);
    assert_string_equal(n->step, "a");
}

static struct note_sink sink = {emit};

static const struct step_row row = {.core = {.id = "a", .publishes = 1}, .title = "A"};

static void (*script)(struct step_op *s);

static void run_script(struct op *op)
{
    script(container_of(op, struct step_op, op));
}

static void run(struct step_op *s, struct step_ctx *ctx, void (*fn)(struct step_op *s))
{
    struct loop *l = loop_new();
    memset(s, 0, sizeof *s);
    memset(ctx, 0, sizeof *ctx);
    notes = 0;
    ctx->loop = l;
    ctx->notes = &sink;
    ctx->facts = json_object();
    s->ctx = ctx;
    s->row = &row;
    script = fn;
    op_start_root(&s->op, l, run_script, "a");
    loop_run(l, &s->op);
    loop_free(l);
}

static void clear(struct step_op *s, struct step_ctx *ctx)
{
    step_op_clear(s);
    json_decref(ctx->facts);
    free(last);
    last = NULL;
}

static void end_ready(struct step_op *s)
{
    step_publish(s, step_facts[0], json_integer(7));
    step_note(s, "1 of 2");
    step_note(s, "1 of 2"); /* said once */
    step_note(s, "2 of 2");
    step_note_resource(s, NOTE_INFO, "Pod/ns/x", "%s", "created");
    step_end(s, FOUND_READY, "%d parts", 2);
}

static void test_words_and_facts(void **state)
{
    (void)state;
    struct step_op s;
    struct step_ctx ctx;
    run(&s, &ctx, end_ready);
    assert_null(s.op.err);
    assert_int_equal(s.verdict.found, FOUND_READY);
    assert_int_equal(s.verdict.facts, 1);
    assert_string_equal(s.reason, "2 parts");
    assert_int_equal(notes, 3);
    assert_string_equal(last, "created");
    assert_int_equal(json_integer_value(step_fact(&ctx, step_facts[0])), 7);
    assert_null(step_fact(&ctx, step_facts[1]));
    clear(&s, &ctx);
}

static enum rd_err_kind kind_to_end_with;

static void end_with_error(struct step_op *s)
{
    struct rd_err *err = rd_err_new(kind_to_end_with, "the other side: no");
    err->retry_after_ms = 5;
    step_end_error(s, err);
}

static void test_errors_become_findings(void **state)
{
    (void)state;
    for (int kind = 0; kind < RD_ERR_KIND_MAX; kind++) {
        enum phase_finding expect = FOUND_FAILED;
        if (kind == RD_ERR_TIMEOUT || kind == RD_ERR_TRANSIENT || kind == RD_ERR_CONFLICT ||
            kind == RD_ERR_CANCELLED)
            expect = FOUND_UNREACHABLE;
        if (kind == RD_ERR_FOREIGN)
            expect = FOUND_FOREIGN;
        struct step_op s;
        struct step_ctx ctx;
        kind_to_end_with = kind;
        run(&s, &ctx, end_with_error);
        if (s.verdict.found != expect)
            fail_msg("%s: found %s, expected %s", rd_err_kind_name(kind),
                     phase_finding_name(s.verdict.found), phase_finding_name(expect));
        assert_int_equal(s.verdict.kind, kind);
        assert_int_equal(s.verdict.retry_after_ms, 5);
        assert_string_equal(s.reason, "the other side: no");
        assert_non_null(s.why);
        clear(&s, &ctx);
    }
}

static void end_in_trouble(struct step_op *s)
{
    s->trouble = rd_err_new(RD_ERR_CREDENTIALS, "it may not");
    rd_err_hint(s->trouble, "grant it");
    op_finish(&s->op, rd_err_new(RD_ERR_TIMEOUT, "a: out of time"));
}

static void test_time_is_up(void **state)
{
    (void)state;
    static const struct {
        enum rd_err_kind kind, becomes;
    } rows[] = {
        {RD_ERR_CREDENTIALS, RD_ERR_CREDENTIALS},
        {RD_ERR_FAILED, RD_ERR_TIMEOUT},
        {RD_ERR_TRANSIENT, RD_ERR_TIMEOUT},
    };
    struct step_ctx ctx;
    struct step_op s;
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        run(&s, &ctx, end_in_trouble);
        s.trouble->kind = rows[i].kind;
        RD_AUTOERR struct rd_err *err = step_timed_out(&s, op_take_err(&s.op), NULL);
        assert_int_equal(err->kind, rows[i].becomes);
        assert_string_equal(err->message, "out of time: it may not");
        assert_non_null(err->cause); /* where it was cut off */
        assert_string_equal(err->hint, "grant it");
        assert_null(s.trouble);
        clear(&s, &ctx);
    }
    run(&s, &ctx, end_in_trouble);
    rd_err_freep(&s.trouble);
    rd_str_dup(&s.reason, "the pool is being made");
    RD_AUTOERR struct rd_err *err = step_timed_out(&s, op_take_err(&s.op), NULL);
    assert_int_equal(err->kind, RD_ERR_TIMEOUT);
    assert_string_equal(err->message, "the pool is being made: a: out of time");
    clear(&s, &ctx);
    /* Nothing was met in this verb: the error before it. A refusal costs what it cost then. */
    RD_AUTOERR struct rd_err *met = rd_err_new(RD_ERR_TRANSIENT, "nobody is there");
    for (int refused = 0; refused < 2; refused++) {
        run(&s, &ctx, end_in_trouble);
        rd_err_freep(&s.trouble);
        struct rd_err *bare = op_take_err(&s.op);
        bare->bare = RD_ERR_NAMELESS;
        met->kind = refused ? RD_ERR_CREDENTIALS : RD_ERR_TRANSIENT;
        RD_AUTOERR struct rd_err *late = step_timed_out(&s, bare, met);
        assert_int_equal(late->kind, refused ? RD_ERR_CREDENTIALS : RD_ERR_TIMEOUT);
        assert_string_equal(late->message, "out of time: nobody is there");
        clear(&s, &ctx);
    }
}

static void test_rows_are_found(void **state)
{
    (void)state;
    const struct step_row rows[] = {{.core = {.id = "a"}}, {.core = {.id = "b"}}};
    assert_int_equal(steps_find(rows, 2, "b"), 1);
    assert_int_equal(steps_find(rows, 2, "c"), -1);
}

static void test_every_fact_has_a_bit_of_its_own(void **state)
{
    (void)state;
    fact_set all = 0;
    for (unsigned i = 0; step_facts[i]; i++) {
        assert_int_equal(all & step_fact_bit(step_facts[i]), 0);
        all |= step_fact_bit(step_facts[i]);
    }
    assert_int_not_equal(all, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_facts),
        cmocka_unit_test(test_errors_become_findings),
        cmocka_unit_test(test_time_is_up),
        cmocka_unit_test(test_rows_are_found),
        cmocka_unit_test(test_every_fact_has_a_bit_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
