/* A watch stream cut at every byte gives the same documents. */
#include "base/buf.h"
#include "k8s/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char stream[] = "{\"type\":\"ADDED\",\"object\":{\"s\":\"a\\nb}{\"}}\n"
                             "\n"
                             "{\"type\":\"BOOKMARK\"}\n"
                             "{\"x\":\"\xc3\xa4\"}\n"
                             "{\"unfinished\":";

/* Feeds the stream in two or three pieces and joins what comes out with '|'. */
static void feed(const size_t *cuts, size_t n, struct rd_buf *out)
{
    RD_AUTOBUF struct rd_buf in = RD_BUF_INIT(1 << 20);
    size_t scan = 0, from = 0;
    for (size_t i = 0; i <= n; i++) {
        size_t to = i < n ? cuts[i] : sizeof(stream) - 1;
        rd_buf_append(&in, stream + from, to - from);
        from = to;
        for (;;) {
            bool too_long;
            size_t end = k8s_stream_next(in.data ? in.data : "", in.len, &scan, 1000, &too_long);
            assert_false(too_long);
            if (!end)
                break;
            rd_buf_append(out, in.data, end);
            rd_buf_putc(out, '|');
            rd_buf_consume(&in, end);
        }
    }
}

static void test_every_cut(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf whole = RD_BUF_INIT(1 << 20);
    feed(NULL, 0, &whole);
    assert_non_null(strstr(whole.data, "BOOKMARK\"}\n|"));
    assert_null(strstr(whole.data, "unfinished"));
    for (size_t a = 0; a < sizeof(stream); a++) {
        for (size_t b = a; b < sizeof(stream); b++) {
            RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(1 << 20);
            feed((size_t[]){a, b}, 2, &out);
            assert_string_equal(out.data, whole.data);
        }
    }
}

static void test_too_long(void **state)
{
    (void)state;
    bool too_long;
    size_t scan = 0;
    assert_int_equal(k8s_stream_next("abcdefgh", 8, &scan, 8, &too_long), 0);
    assert_false(too_long);
    assert_int_equal(k8s_stream_next("abcdefghi", 9, &scan, 8, &too_long), 0);
    assert_true(too_long);
    scan = 0;
    assert_int_equal(k8s_stream_next("abcdefghi\n", 10, &scan, 8, &too_long), 10);
    assert_true(too_long);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
