#include "base/test.h"

#include "base/alloc.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_abort(const char *row, void (*act)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        /* cmocka's own handler would report the abort as a test failure. */
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        act();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rd_check_int(row, WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status), SIGABRT);
}

static void calloc_too_much(void)
{
    free(rd_calloc(SIZE_MAX / 2, 3));
}

static void reallocarray_too_much(void)
{
    free(rd_reallocarray(NULL, SIZE_MAX / 8, 16));
}

static void broken_promise(void)
{
    RD_ASSERT(1 + 1 == 3);
}

/* A product that does not fit must not become a small allocation. */
static void overflow_and_assert_abort(void **state)
{
    (void)state;
    expect_abort("calloc", calloc_too_much);
    expect_abort("reallocarray", reallocarray_too_much);
    expect_abort("assert", broken_promise);
}

static void zero_sizes_are_not_null(void **state)
{
    (void)state;
    RD_AUTOFREE char *a = rd_malloc(0);
    RD_AUTOFREE char *b = rd_calloc(0, 8);
    RD_AUTOFREE char *c = rd_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    c = rd_realloc(c, 0);
    assert_non_null(c);
}

static void calloc_is_zeroed(void **state)
{
    (void)state;
    RD_AUTOFREE unsigned char *p = rd_calloc(7, 13);
    for (size_t i = 0; i < 7 * 13; i++)
        assert_int_equal(p[i], 0);
}

static void strings(void **state)
{
    (void)state;
    assert_null(rd_strdup(NULL));
    RD_AUTOFREE char *s = rd_strdup("abc");
    rd_check_str("strdup", s, "abc");
    RD_AUTOFREE char *cut = rd_strndup("abcdef", 3);
    rd_check_str("strndup cuts", cut, "abc");
    RD_AUTOFREE char *whole = rd_strndup("ab", 100);
    rd_check_str("strndup stops at the end", whole, "ab");
    RD_AUTOFREE char *text = rd_asprintf("%s-%d-%0*d", "x", 7, 300, 1);
    rd_check_int("asprintf", (long long)strlen(text), 4 + 300);

    rd_str_dup(&s, s + 1);
    rd_check_str("dup of its own tail", s, "bc");
    rd_str_dup(&s, NULL);
    rd_check_str("dup of NULL", s, NULL);
    rd_str_take(&s, rd_strdup("new"));
    rd_check_str("take", s, "new");
    rd_freep(&s);
    assert_null(s);
    rd_freep(&s);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflow_and_assert_abort),
        cmocka_unit_test(zero_sizes_are_not_null),
        cmocka_unit_test(calloc_is_zeroed),
        cmocka_unit_test(strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
