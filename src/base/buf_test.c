#include "base/test.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <stdlib.h>

static void check_buf(const char *row, const struct rd_buf *b, const char *want, bool overflow)
{
    rd_check_str(row, rd_buf_str(b), want);
    rd_check_int(row, (long long)b->len, (long long)strlen(want));
    rd_check_int(row, b->overflow, overflow);
}

static void empty_has_a_string(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(10);
    check_buf("untouched", &b, "", false);
    rd_buf_append(&b, NULL, 0);
    rd_buf_puts(&b, "");
    rd_buf_printf(&b, "%s", "");
    rd_buf_consume(&b, 0);
    check_buf("nothing appended", &b, "", false);
    size_t len = 7;
    RD_AUTOFREE char *s = rd_buf_take(&b, &len);
    rd_check_str("taken", s, "");
    rd_check_int("taken length", (long long)len, 0);
}

/* The append that does not fit changes nothing, and neither does any later one that would: a gap
 * must not go unseen. */
static void overflow_sticks(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf b;
    rd_buf_init(&b, 5);
    rd_buf_puts(&b, "abcde");
    check_buf("exactly full", &b, "abcde", false);
    rd_buf_append(&b, NULL, 0);
    check_buf("nothing fits", &b, "abcde", false);
    rd_buf_putc(&b, 'f');
    check_buf("one too many", &b, "abcde", true);
    rd_buf_consume(&b, 3);
    rd_buf_putc(&b, 'x');
    check_buf("sticky", &b, "de", true);
    rd_buf_reset(&b);
    check_buf("reset", &b, "", false);
    rd_buf_puts(&b, "ab");
    rd_buf_puts(&b, "cdef");
    rd_buf_puts(&b, "g");
    check_buf("no gap", &b, "ab", true);
    rd_buf_reset(&b);
    rd_buf_printf(&b, "%s", "123456");
    check_buf("printf overflows", &b, "", true);
    rd_buf_clear(&b);
    rd_buf_printf(&b, "%d", 12345);
    check_buf("the ceiling survives clear", &b, "12345", false);
    rd_buf_append(&b, "zzzz", SIZE_MAX);
    check_buf("absurd length", &b, "12345", true);
}

static void zero_ceiling(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf b = {0};
    rd_buf_putc(&b, 'x');
    check_buf("zeroed struct", &b, "", true);
}

static void grows_and_keeps_bytes(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (int i = 0; i < 5000; i++)
        rd_buf_printf(&b, "%04d", i);
    rd_check_int("length", (long long)b.len, 20000);
    for (int i = 0; i < 5000; i += 617) {
        RD_AUTOFREE char *want = rd_asprintf("%04d", i);
        RD_AUTOFREE char *got = rd_strndup(b.data + (size_t)i * 4, 4);
        rd_check_str("part", got, want);
    }
    rd_buf_consume(&b, 19996);
    check_buf("tail", &b, "4999", false);
    rd_buf_consume(&b, 4);
    check_buf("all consumed", &b, "", false);
}

static void bytes_are_not_text(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(100);
    rd_buf_append(&b, "a\0b", 3);
    rd_buf_putc(&b, '\0');
    rd_check_int("length", (long long)b.len, 4);
    assert_memory_equal(b.data, "a\0b\0", 5);
    size_t len = 0;
    RD_AUTOFREE char *s = rd_buf_take(&b, &len);
    rd_check_int("taken length", (long long)len, 4);
    assert_memory_equal(s, "a\0b\0", 5);
    check_buf("empty after take", &b, "", false);
    rd_check_int("ceiling after take", (long long)b.max, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_has_a_string), cmocka_unit_test(overflow_sticks),
        cmocka_unit_test(zero_ceiling),       cmocka_unit_test(grows_and_keeps_bytes),
        cmocka_unit_test(bytes_are_not_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
