#include "base/test.h"

#include "base/alloc.h"

#include <stdlib.h>

/* The exit codes are promised to scripts, so they are spelled out here a second time. */
static void kinds_have_their_exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum rd_err_kind kind;
        int code;
        bool transient;
        const char *word;
    } cases[] = {
        {RD_ERR_INTERNAL, 70, false, "internal"},  {RD_ERR_FAILED, 1, false, "failed"},
        {RD_ERR_INPUT, 2, false, "input"},         {RD_ERR_CREDENTIALS, 3, false, "credentials"},
        {RD_ERR_PREFLIGHT, 4, false, "preflight"}, {RD_ERR_TIMEOUT, 5, true, "timeout"},
        {RD_ERR_TRANSIENT, 5, true, "transient"},  {RD_ERR_LOCKED, 6, false, "locked"},
        {RD_ERR_FOREIGN, 7, false, "foreign"},     {RD_ERR_JOB, 8, false, "job"},
        {RD_ERR_REMAINS, 9, false, "remains"},     {RD_ERR_NETWORK, 1, false, "network"},
        {RD_ERR_NOT_FOUND, 1, false, "not-found"}, {RD_ERR_CONFLICT, 1, true, "conflict"},
        {RD_ERR_CANCELLED, 1, false, "cancelled"},
    };
    rd_check_int("every kind is listed", RD_ARRAY_LEN(cases), RD_ERR_KIND_MAX);
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        rd_check_int(cases[i].word, rd_err_exit_code(cases[i].kind), cases[i].code);
        rd_check_int(cases[i].word, rd_err_transient(cases[i].kind), cases[i].transient);
        rd_check_str(cases[i].word, rd_err_kind_name(cases[i].kind), cases[i].word);
    }
}

static bool find_pod(const char *name, struct rd_err **reterr)
{
    return rd_fail(reterr, RD_ERR_NOT_FOUND, "pod %s does not exist", name);
}

static void fail_and_wrap(void **state)
{
    (void)state;
    RD_AUTOERR struct rd_err *err = NULL;
    assert_false(find_pod("ray-head", &err));
    assert_non_null(err);
    rd_check_int("kind", err->kind, RD_ERR_NOT_FOUND);
    rd_check_str("message", err->message, "pod ray-head does not exist");
    rd_err_wrap(err, "%s %d", "waiting for step", 3);
    rd_check_str("wrapped", err->message, "waiting for step 3: pod ray-head does not exist");
    rd_err_hint(err, "Run %s.", "a");
    rd_err_hint(err, "Run %s.", "b");
    rd_check_str("hint", err->hint, "Run b.");
    rd_err_resource(err, "Pod/%s/%s", "ns", "ray-head");
    rd_check_str("resource", err->resource, "Pod/ns/ray-head");
}

static void keep_first(void **state)
{
    (void)state;
    RD_AUTOERR struct rd_err *first = NULL;
    struct rd_err *next = NULL;
    rd_err_keep(&first, &next);
    assert_null(first);
    next = rd_err_new(RD_ERR_JOB, "one");
    rd_err_keep(&first, &next);
    assert_null(next);
    next = rd_err_new(RD_ERR_INPUT, "two");
    rd_err_keep(&first, &next);
    assert_null(next);
    rd_check_str("first wins", first->message, "one");
}

static void dup_is_deep(void **state)
{
    (void)state;
    assert_null(rd_err_dup(NULL));
    struct rd_err *err = rd_err_new(RD_ERR_TRANSIENT, "outer");
    err->reason = rd_strdup("Unavailable");
    err->remote = rd_strdup("try later");
    err->http_status = 503;
    err->retry_after_ms = 1500;
    err->cause = rd_err_new(RD_ERR_NETWORK, "inner");
    rd_err_hint(err->cause, "Look at the cable.");
    RD_AUTOERR struct rd_err *copy = rd_err_dup(err);
    rd_err_freep(&err);
    assert_null(err);
    rd_check_int("kind", copy->kind, RD_ERR_TRANSIENT);
    rd_check_str("message", copy->message, "outer");
    rd_check_str("reason", copy->reason, "Unavailable");
    rd_check_str("remote", copy->remote, "try later");
    rd_check_str("no hint", copy->hint, NULL);
    rd_check_int("status", copy->http_status, 503);
    rd_check_int("retry after", (long long)copy->retry_after_ms, 1500);
    assert_non_null(copy->cause);
    rd_check_str("cause", copy->cause->message, "inner");
    rd_check_str("cause hint", copy->cause->hint, "Look at the cable.");
    assert_null(copy->cause->cause);
}

/* Free does not recurse, so a long chain cannot exhaust the stack. */
static void long_cause_chain(void **state)
{
    (void)state;
    struct rd_err *err = NULL;
    for (int i = 0; i < 200000; i++) {
        struct rd_err *outer = rd_err_new(RD_ERR_FAILED, "x");
        outer->cause = err;
        err = outer;
    }
    RD_AUTOERR struct rd_err *copy = rd_err_dup(err);
    rd_err_free(err);
    rd_err_free(NULL);
    int n = 0;
    for (const struct rd_err *e = copy; e != NULL; e = e->cause)
        n++;
    rd_check_int("length", n, 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_have_their_exit_codes),
        cmocka_unit_test(fail_and_wrap),
        cmocka_unit_test(keep_first),
        cmocka_unit_test(dup_is_deep),
        cmocka_unit_test(long_cause_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
