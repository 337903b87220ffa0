#include "k8s/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct message {
    const char *bytes;
    size_t len;
};
#define M(s)                                                                                       \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

/* Each message is fed in pieces of `step` bytes. */
static void feed(struct channel_reader *r, const struct message *m, size_t count, size_t step)
{
    for (size_t i = 0; i < count; i++) {
        channel_reader_begin(r);
        for (size_t at = 0; at < m[i].len; at += step)
            channel_reader_feed(r, m[i].bytes + at, m[i].len - at < step ? m[i].len - at : step);
    }
}

/* The first two bytes of each channel are the port, in one message or two, in any order. */
static void test_channels(void **state)
{
    (void)state;
    static const struct message m[] = {
        M("\x00\x49\x20"),
        M("\x00"
          "early"),
        M("\x01\x49\x20"),
        M("\x00"
          " data"),
        M("\x00"),
        M("\x07"
          "unknown"),
        M("\x01"
          "oops"),
        M("\x00!"),
    };
    static const struct message joined[] = {
        M("\x01\x49"),
        M("\x00\x49\x20"
          "early data!"),
        M("\x01\x20oops"),
    };
    for (size_t step = 1; step < 16; step++) {
        struct rd_buf data = RD_BUF_INIT(1024);
        struct channel_reader r;
        channel_reader_init(&r, 8265, &data);
        feed(&r, m, 2, step);
        assert_false(channel_reader_ready(&r));
        feed(&r, m + 2, RD_ARRAY_LEN(m) - 2, step);
        assert_true(channel_reader_ready(&r));
        assert_string_equal(rd_buf_str(&data), "early data!");
        assert_string_equal(rd_buf_str(&r.error), "oops");
        assert_null(r.problem);
        channel_reader_clear(&r);
        rd_buf_reset(&data);

        channel_reader_init(&r, 8265, &data);
        feed(&r, joined, RD_ARRAY_LEN(joined), step);
        assert_true(channel_reader_ready(&r));
        assert_string_equal(rd_buf_str(&data), "early data!");
        assert_string_equal(rd_buf_str(&r.error), "oops");
        channel_reader_clear(&r);
        rd_buf_clear(&data);
    }
}

/* Another port, and more data than the ceiling, are problems; a long error text is cut. */
static void test_problems(void **state)
{
    (void)state;
    static const struct message other[] = {M("\x00\x50\x20")};
    static const struct message flood[] = {M("\x00\x49\x20"), M("\x00"
                                                                "0123456789")};
    struct rd_buf data = RD_BUF_INIT(4);
    struct channel_reader r;
    channel_reader_init(&r, 8265, &data);
    feed(&r, other, 1, 3);
    assert_non_null(r.problem);
    channel_reader_clear(&r);

    channel_reader_init(&r, 8265, &data);
    feed(&r, flood, 2, 64);
    assert_non_null(r.problem);
    channel_reader_clear(&r);

    char text[4096];
    memset(text, 'e', sizeof(text));
    text[0] = 1;
    channel_reader_init(&r, 8265, &data);
    for (int i = 0; i < 8; i++) {
        channel_reader_begin(&r);
        channel_reader_feed(&r, text, sizeof(text));
    }
    assert_int_equal(r.error.len, r.error.max);
    assert_false(r.error.overflow);
    channel_reader_clear(&r);
    rd_buf_clear(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
