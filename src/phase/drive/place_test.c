/* Goal: the state folder is where the user, XDG or home says, and apart for each cluster. */
#include "phase/drive/place.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *place(const struct config *c)
{
    struct rd_err *err = NULL;
    char *dir = place_state_dir(c, &err);
    if (!dir)
        fail_msg("%s", err->message);
    return dir;
}

static void test_flag_xdg_home(void **state)
{
    (void)state;
    struct config c = {.name = "ray", .project = "proj"};
    setenv("HOME", "/home/x", 1);
    unsetenv("XDG_STATE_HOME");
    RD_AUTOFREE char *home = place(&c);
    assert_string_equal(home, "/home/x/.local/state/raydeploy/proj/ray");
    setenv("XDG_STATE_HOME", "/xdg", 1);
    RD_AUTOFREE char *xdg = place(&c);
    assert_string_equal(xdg, "/xdg/raydeploy/proj/ray");
    setenv("XDG_STATE_HOME", "relative", 1); /* to be ignored */
    RD_AUTOFREE char *ignored = place(&c);
    assert_string_equal(ignored, home);
    c.state_dir = "/flag";
    RD_AUTOFREE char *flag = place(&c);
    assert_string_equal(flag, "/flag/proj/ray");
}

static void test_no_home(void **state)
{
    (void)state;
    struct config c = {.name = "ray", .project = "proj"};
    struct rd_err *err = NULL;
    unsetenv("HOME");
    unsetenv("XDG_STATE_HOME");
    assert_null(place_state_dir(&c, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    assert_non_null(strstr(err->hint, "--state-dir"));
    rd_err_free(err);
}

static char *of_server(const char *server)
{
    char path[] = "/tmp/raydeploy-place-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd,
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            "clusters: [{name: k, cluster: {server: '%s'}}]\n"
            "users: [{name: u, user: {token: t}}]\n"
            "contexts: [{name: c, context: {cluster: k, user: u}}]\n",
            server);
    close(fd);
    struct config c = {
        .name = "ray", .target = TARGET_LOCAL, .kubeconfig = path, .state_dir = "/state"};
    char *dir = place(&c);
    unlink(path);
    return dir;
}

static void test_clusters_are_kept_apart(void **state)
{
    (void)state;
    RD_AUTOFREE char *one = of_server("https://one.example:6443");
    RD_AUTOFREE char *again = of_server("https://one.example:6443");
    RD_AUTOFREE char *two = of_server("https://two.example:6443");
    assert_string_equal(one, again);
    assert_string_not_equal(one, two);
    if (strncmp(one, "/state/local-", strlen("/state/local-")) != 0)
        fail_msg("'%s' is not below /state/local-", one);
}

static void test_a_broken_kubeconfig_is_told_elsewhere(void **state)
{
    (void)state;
    struct config c = {.name = "ray",
                       .target = TARGET_LOCAL,
                       .kubeconfig = "/no/such/file",
                       .state_dir = "/state"};
    RD_AUTOFREE char *dir = place(&c);
    assert_string_equal(dir, "/state/local/ray");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flag_xdg_home),
        cmocka_unit_test(test_no_home),
        cmocka_unit_test(test_clusters_are_kept_apart),
        cmocka_unit_test(test_a_broken_kubeconfig_is_told_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
