/* Goal: only a process of this very machine that is surely gone counts as dead. */
#include "phase/drive/holder.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_we_live(void **state)
{
    (void)state;
    RD_AUTOFREE char *self = holder_identity();
    assert_false(holder_is_dead(self));
}

static void test_a_child_that_ended_is_dead(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *self = holder_identity();
        if (write(fds[1], self, strlen(self)) < 0)
            _exit(1);
        _exit(0);
    }
    close(fds[1]);
    char child[512] = "";
    assert_true(read(fds[0], child, sizeof child - 1) > 0);
    close(fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(holder_is_dead(child));
}

static void test_a_reused_pid_is_dead(void **state)
{
    (void)state;
    RD_AUTOFREE char *self = holder_identity();
    RD_AUTOFREE char *other = rd_asprintf("%.*s/1", (int)(strrchr(self, '/') - self), self);
    assert_true(holder_is_dead(other));
}

static void test_strangers_are_never_thought_dead(void **state)
{
    (void)state;
    RD_AUTOFREE char *self = holder_identity();
    RD_AUTOFREE char *elsewhere = rd_asprintf("other-%s", self);
    assert_false(holder_is_dead(elsewhere));
    assert_false(holder_is_dead(""));
    assert_false(holder_is_dead("kubectl"));
    assert_false(holder_is_dead("a/b/c/99999999/1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_we_live),
        cmocka_unit_test(test_a_child_that_ended_is_dead),
        cmocka_unit_test(test_a_reused_pid_is_dead),
        cmocka_unit_test(test_strangers_are_never_thought_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
