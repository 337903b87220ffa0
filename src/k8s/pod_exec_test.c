/* Goal: exec's channels are told apart however messages are cut, and the Status is understood. */
#include "base/test.h"

#include "k8s/pod_exec.h"

#include <stdlib.h>

static void message(struct k8s_pod_exec *x, const char *bytes, size_t len, size_t cut)
{
    x->channel = -1;
    for (size_t at = 0; at < len; at += cut)
        k8s_pod_exec_feed(x, bytes + at, len - at < cut ? len - at : cut);
}

static void channels_whatever_the_cuts(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 8; cut++) {
        struct k8s_pod_exec x;
        k8s_pod_exec_init(&x, NULL, "ns", "pod", NULL);
        message(&x, "\001hello ", 7, cut);
        message(&x, "\002oops", 5, cut);
        message(&x, "\001world", 6, cut);
        message(&x, "\011ignored", 8, cut);
        message(&x, "\003{}", 3, cut);
        message(&x, "\001", 1, cut);
        assert_string_equal(rd_buf_str(&x.out), "hello world");
        assert_string_equal(rd_buf_str(&x.err), "oops");
        assert_string_equal(rd_buf_str(&x.status), "{}");
        k8s_pod_exec_clear(&x);
    }
}

static void output_past_the_ceiling_is_noticed(void **state)
{
    (void)state;
    struct k8s_pod_exec x;
    k8s_pod_exec_init(&x, NULL, "ns", "pod", NULL);
    x.out.max = 8;
    message(&x, "\001123456", 7, 7);
    message(&x, "\0017890", 5, 5);
    assert_true(x.out.overflow);
    k8s_pod_exec_clear(&x);
}

static void status_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int code;
    } rows[] = {
        {"{\"metadata\":{},\"status\":\"Success\"}", true, 0},
        {"{\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code\","
         "\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\","
         "\"message\":\"7\"}]}}",
         true, 7},
        {"{\"status\":\"Failure\",\"message\":\"no such file\",\"code\":500}", true, -1},
        {"{}", false, -1},
        {"not json", false, -1},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        int code = -1;
        char *text = NULL;
        bool ok = k8s_pod_exec_read_status(rows[i].text, strlen(rows[i].text), &code, &text);
        assert_int_equal(ok, rows[i].ok);
        assert_int_equal(code, rows[i].code);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_whatever_the_cuts),
        cmocka_unit_test(output_past_the_ceiling_is_noticed),
        cmocka_unit_test(status_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
