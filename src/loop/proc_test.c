/* Child processes: output, ceilings, cancelling, missing programs, leftovers that hold the pipe. */
#include "loop/proc.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct run {
    struct op op;
    struct op_proc proc;
    struct op_proc_options options;
    uint64_t cancel_after_ms; /* 0: never */
    struct op_timer pause;
    bool started;
};

static void run_step(struct op *op)
{
    struct run *r = container_of(op, struct run, op);
    if (!r->started) {
        r->started = true;
        op_proc_start(&r->proc, op, &r->options);
        if (r->cancel_after_ms > 0)
            assert_true(op_timer_start(&r->pause, op, r->cancel_after_ms));
        return;
    }
    if (op_ended(&r->pause.op))
        op_cancel(&r->proc.op);
    if (op_ended(&r->proc.op))
        op_finish(op, op_take_err(&r->proc.op));
}

static void run(struct run *r, const char *const *argv, size_t out_max)
{
    struct loop *l = loop_new();
    r->options.file = argv[0];
    r->options.argv = argv;
    r->options.out_max = out_max;
    r->options.quiet_stderr = true;
    op_start_root(&r->op, l, run_step, "run");
    loop_run(l, &r->op);
    loop_free(l);
    rd_err_free(op_take_err(&r->pause.op));
}

static void end(struct run *r)
{
    rd_err_free(op_take_err(&r->op));
    op_proc_clear(&r->proc);
}

#define SH(script)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        "sh", "-c", script, NULL                                                                   \
    }

static void output_and_status(void **state)
{
    (void)state;
    struct run r = {0};
    run(&r, SH("printf 'one\\ntwo'; exit 3"), 100);
    assert_null(r.op.err);
    assert_string_equal(rd_buf_str(&r.proc.out), "one\ntwo");
    assert_int_equal(r.proc.exit_status, 3);
    assert_int_equal(r.proc.term_signal, 0);
    end(&r);
}

static void environment_is_ours_to_give(void **state)
{
    (void)state;
    struct run r = {.options.env = (const char *const[]){"A=b c", "PATH=/usr/bin:/bin", NULL}};
    run(&r, SH("printf '%s' \"$A\"; [ -z \"$HOME\" ] && printf ' no home'"), 100);
    assert_null(r.op.err);
    assert_string_equal(rd_buf_str(&r.proc.out), "b c no home");
    end(&r);
}

static void killed_by_signal(void **state)
{
    (void)state;
    struct run r = {0};
    run(&r, SH("kill -9 $$"), 100);
    assert_null(r.op.err);
    assert_int_equal(r.proc.term_signal, SIGKILL);
    end(&r);
}

static void missing_program(void **state)
{
    (void)state;
    struct run r = {0};
    run(&r, (const char *const[]){"no-such-program-here", NULL}, 100);
    assert_non_null(r.op.err);
    assert_int_equal(r.op.err->kind, RD_ERR_INPUT);
    assert_non_null(strstr(r.op.err->message, "no-such-program-here was not found"));
    assert_non_null(r.op.err->hint);
    end(&r);
}

static void not_executable(void **state)
{
    (void)state;
    struct run r = {0};
    run(&r, (const char *const[]){"/etc/passwd", NULL}, 100);
    assert_non_null(r.op.err);
    assert_int_equal(r.op.err->kind, RD_ERR_INPUT);
    end(&r);
}

/* Goal: endless output ends the process, and the bytes kept stay under the ceiling. */
static void too_much_output(void **state)
{
    (void)state;
    struct run r = {0};
    run(&r, SH("while :; do echo 0123456789012345678901234567890123456789; done"), 10000);
    assert_non_null(r.op.err);
    assert_int_equal(r.op.err->kind, RD_ERR_FAILED);
    assert_non_null(strstr(r.op.err->message, "more than 10000 bytes"));
    assert_true(r.proc.out.len <= 10000);
    end(&r);
}

static void cancel_ends_it(void **state)
{
    (void)state;
    struct run r = {.cancel_after_ms = 30};
    run(&r, (const char *const[]){"sleep", "1000", NULL}, 100);
    assert_non_null(r.op.err);
    assert_int_equal(r.op.err->kind, RD_ERR_CANCELLED);
    assert_int_equal(r.proc.term_signal, SIGTERM);
    end(&r);
}

/* Goal: a process deaf to SIGTERM is killed. */
static void cancel_of_the_deaf(void **state)
{
    (void)state;
    struct run r = {.cancel_after_ms = 200};
    run(&r, SH("trap '' TERM; while :; do sleep 0.1; done"), 100);
    assert_non_null(r.op.err);
    assert_int_equal(r.proc.term_signal, SIGKILL);
    end(&r);
}

/* Goal: a leftover that keeps stdout open does not hold us. */
static void grandchild_keeps_stdout(void **state)
{
    (void)state;
    struct run r = {0};
    run(&r, SH("sleep 5 & printf done"), 100);
    assert_null(r.op.err);
    assert_string_equal(rd_buf_str(&r.proc.out), "done");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status),       cmocka_unit_test(environment_is_ours_to_give),
        cmocka_unit_test(killed_by_signal),        cmocka_unit_test(missing_program),
        cmocka_unit_test(not_executable),          cmocka_unit_test(too_much_output),
        cmocka_unit_test(cancel_ends_it),          cmocka_unit_test(cancel_of_the_deaf),
        cmocka_unit_test(grandchild_keeps_stdout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
