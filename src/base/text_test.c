#include "base/test.h"

#include "base/encode.h"

#include <stdio.h>

static void comparing(void **state)
{
    (void)state;
    assert_true(rd_streq(NULL, NULL));
    assert_false(rd_streq(NULL, ""));
    assert_false(rd_streq("", NULL));
    assert_true(rd_streq("a", "a"));
    assert_true(rd_starts_with("abc", ""));
    assert_true(rd_starts_with("abc", "abc"));
    assert_false(rd_starts_with("ab", "abc"));
    assert_true(rd_ends_with("abc", "bc"));
    assert_true(rd_ends_with("", ""));
    assert_false(rd_ends_with("c", "bc"));
}

static void glob_table(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *s;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "x", true},
        {"?", "", false},
        {"?", "x", true},
        {"?", "xy", false},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"*c", "abcd", false},
        {"a*c", "ac", true},
        {"a*c", "abcbc", true},
        {"a*b*c", "axxbyyc", true},
        {"a*b*c", "axxcyyb", false},
        {"*.example.com", "x.example.com", true},
        {"*.example.com", "example.com", false},
        {"a?c*", "abcdef", true},
        {"a?c*", "acdef", false},
        {"*?", "", false},
        {"*?", "a", true},
        {"[a]", "a", false},
        {"[a]", "[a]", true},
        {"\\*", "*", false},
        {"*aab", "aaaaaab", true},
        {"abc", "abcd", false},
        {"abcd", "abc", false},
        {"abc*", "abc", true},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        if (rd_glob_match(cases[i].pattern, cases[i].s) != cases[i].match)
            fail_msg("glob %s against %s: got %d, want %d", cases[i].pattern, cases[i].s,
                     !cases[i].match, cases[i].match);
    }
}

/* A pattern that takes exponential time when every star is tried again ends at once here. */
static void glob_is_not_exponential(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf pattern = RD_BUF_INIT(1000), s = RD_BUF_INIT(1000);
    for (int i = 0; i < 100; i++) {
        rd_buf_puts(&pattern, "a*");
        rd_buf_puts(&s, "aaaaa");
    }
    rd_buf_puts(&pattern, "b");
    assert_false(rd_glob_match(rd_buf_str(&pattern), rd_buf_str(&s)));
}

static void nearest_table(void **state)
{
    (void)state;
    static const char *const commands[] = {"bootstrap", "up",       "test-job",
                                           "status",    "teardown", NULL};
    static const struct {
        const char *word, *want;
    } cases[] = {
        {"boostrap", "bootstrap"},
        {"bootsrtap", "bootstrap"},
        {"BOOTSTRAP", "bootstrap"},
        {"status", "status"},
        {"satus", "status"},
        {"stauts", "status"},
        {"tear-down", "teardown"},
        {"testjob", "test-job"},
        {"pu", "up"},
        {"u", "up"},
        {"upp", "up"},
        {"x", NULL},
        {"xy", NULL},
        {"destroy", NULL},
        {"", NULL},
        {"statusstatusstatusstatusstatusstatusstatusstatusstatusstatusstatus", NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++)
        rd_check_str(cases[i].word, rd_text_nearest(cases[i].word, commands), cases[i].want);
    static const char *const none[] = {NULL};
    rd_check_str("no words", rd_text_nearest("up", none), NULL);
    static const char *const letter[] = {"y", NULL};
    rd_check_str("nothing in common", rd_text_nearest("x", letter), NULL);
    static const char *const two[] = {"tolerations", "toleration", NULL};
    rd_check_str("the nearer of two", rd_text_nearest("toleratin", two), "toleration");
}

static void escape_table(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want, *want_lines; /* want_lines NULL: the same */
    } cases[] = {
        {"", "", NULL},
        {"plain text \\ \"", "plain text \\ \"", NULL},
        {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m", NULL},
        {"a\nb\tc", "a\\nb\\tc", "a\nb\tc"},
        {"a\r\nb", "a\\x0d\\nb", "a\\x0d\nb"},
        {"\a\b\x7f", "\\x07\\x08\\x7f", NULL},
        {"\xc2\x9b"
         "31m",
         "\\x9b31m", NULL},
        {"\xc2\x80\xc2\x9f\xc2\xa0", "\\x80\\x9f\xc2\xa0", NULL},
        {"h\xc3\xa9llo \xe2\x9c\x93 \xf0\x9f\x98\x80", "h\xc3\xa9llo \xe2\x9c\x93 \xf0\x9f\x98\x80",
         NULL},
        {"\x9b"
         "31m",
         "\\x9b31m", NULL},
        {"\xc0\xaf", "\\xc0\\xaf", NULL},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80", NULL},
        {"ok\xff\xfe!", "ok\\xff\\xfe!", NULL},
        {"cut \xe2\x9c", "cut \\xe2\\x9c", NULL},
        {"\xe2\x9c(", "\\xe2\\x9c(", NULL},
        {"a\xe2\x80\xae"
         "b\xe2\x81\xa6"
         "c",
         "a\\u202eb\\u2066c", NULL},
        {"line\xe2\x80\xa8sep", "line\\u2028sep", NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        for (int keep = 0; keep < 2; keep++) {
            RD_AUTOBUF struct rd_buf got = RD_BUF_INIT(1000);
            rd_text_escape(&got, cases[i].text, strlen(cases[i].text), keep);
            bool lines = keep && cases[i].want_lines != NULL;
            rd_check_str(cases[i].want, rd_buf_str(&got),
                         lines ? cases[i].want_lines : cases[i].want);
        }
    }
    RD_AUTOBUF struct rd_buf got = RD_BUF_INIT(1000);
    rd_text_escape(&got, "a\0b", 3, false);
    rd_check_str("NUL", rd_buf_str(&got), "a\\x00b");
}

/* Whatever comes in, what goes out is valid UTF-8 without control characters, and escaping it again
 * changes nothing. */
static void escape_random_bytes(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        char bytes[64];
        rd_random_bytes(bytes, sizeof(bytes));
        RD_AUTOBUF struct rd_buf once = RD_BUF_INIT(1000), twice = RD_BUF_INIT(1000);
        rd_text_escape(&once, bytes, sizeof(bytes), false);
        assert_true(rd_utf8_valid(once.data, once.len));
        for (size_t i = 0; i < once.len; i++)
            assert_true((unsigned char)once.data[i] >= 0x20 && once.data[i] != 0x7f);
        rd_text_escape(&twice, once.data, once.len, false);
        rd_check_str("twice", rd_buf_str(&twice), rd_buf_str(&once));
    }
}

static void dns_table(void **state)
{
    (void)state;
#define L10 "abcdefghij"
#define L60 L10 L10 L10 L10 L10 L10
    static const struct {
        const char *s;
        bool label, subdomain;
    } cases[] = {
        {"a", true, true},
        {"0", true, true},
        {"ray-cluster-1", true, true},
        {L60 "abc", true, true},
        {L60 "abcd", false, true},
        {"a.b", false, true},
        {"rayclusters.ray.io", false, true},
        {"", false, false},
        {"-a", false, false},
        {"a-", false, false},
        {"-", false, false},
        {"A", false, false},
        {"a_b", false, false},
        {"a b", false, false},
        {"a\n", false, false},
        {".", false, false},
        {"a.", false, false},
        {".a", false, false},
        {"a..b", false, false},
        {"a.-b", false, false},
        {"a-.b", false, false},
        {"*.a", false, false},
        {"\xc3\xa9", false, false},
        {NULL, false, false},
        {L60 "." L60 "." L60 "." L60 ".abcdefghi", false, true},
        {L60 "." L60 "." L60 "." L60 ".abcdefghij", false, false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        const char *row = cases[i].s == NULL ? "NULL" : cases[i].s;
        rd_check_int(row, rd_is_dns_label(cases[i].s, 63), cases[i].label);
        rd_check_int(row, rd_is_dns_subdomain(cases[i].s), cases[i].subdomain);
    }
    assert_true(rd_is_dns_label("abcde", 5));
    assert_false(rd_is_dns_label("abcdef", 5));
    assert_false(rd_is_dns_label(L60 "abcd", 100));
}

static void strv_grows(void **state)
{
    (void)state;
    struct rd_strv l = {0};
    rd_strv_clear(&l);
    for (int i = 0; i < 300; i++) {
        char number[16];
        snprintf(number, sizeof(number), "n%d", i);
        assert_false(rd_strv_has(&l, number));
        rd_strv_add(&l, number);
        assert_true(rd_strv_has(&l, number));
        rd_check_int("length", (long long)l.len, i + 1);
        assert_null(l.v[l.len]);
    }
    rd_check_str("first", l.v[0], "n0");
    rd_check_str("last", l.v[299], "n299");
    rd_strv_clear(&l);
    rd_check_int("cleared", (long long)l.len, 0);
    assert_null(l.v);
}

static void strv_split_table(void **state)
{
    (void)state;
    static const struct {
        const char *s, *seps, *want;
    } cases[] = {
        {"", ",", ""},        {",,,", ",", ""},        {"a", ",", "a|"},
        {"a,b", ",", "a|b|"}, {",a,,b,", ",", "a|b|"}, {"a b,c", ", ", "a|b|c|"},
        {"a b", "", "a b|"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        struct rd_strv l = {0};
        RD_AUTOBUF struct rd_buf got = RD_BUF_INIT(100);
        rd_strv_split(&l, cases[i].s, cases[i].seps);
        for (size_t k = 0; k < l.len; k++)
            rd_buf_printf(&got, "%s|", l.v[k]);
        rd_strv_clear(&l);
        rd_check_str(cases[i].s, rd_buf_str(&got), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(glob_table),
        cmocka_unit_test(glob_is_not_exponential),
        cmocka_unit_test(nearest_table),
        cmocka_unit_test(escape_table),
        cmocka_unit_test(escape_random_bytes),
        cmocka_unit_test(dns_table),
        cmocka_unit_test(strv_grows),
        cmocka_unit_test(strv_split_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
