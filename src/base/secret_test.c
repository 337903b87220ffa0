#include "base/test.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/secret.h"

#include <stdlib.h>

static int forget(void **state)
{
    (void)state;
    rd_redact_forget_all();
    return 0;
}

static void remember(const char *value)
{
    struct rd_secret s = {0};
    rd_secret_set(&s, value, strlen(value));
    rd_secret_clear(&s);
}

static void check_redact(const char *row, const char *text, const char *want)
{
    RD_AUTOBUF struct rd_buf got = RD_BUF_INIT(1 << 16);
    rd_redact(&got, text, strlen(text));
    rd_check_str(row, rd_buf_str(&got), want);
}

static void set_take_clear(void **state)
{
    (void)state;
    struct rd_secret s = {0};
    char text[40];
    assert_false(rd_secret_is_set(&s));
    rd_secret_describe(&s, text);
    rd_check_str("not set", text, "<no secret>");
    rd_secret_set(&s, "tok\0en", 6);
    assert_true(rd_secret_is_set(&s));
    rd_check_int("length", (long long)s.len, 6);
    assert_memory_equal(s.data, "tok\0en", 7);
    rd_secret_describe(&s, text);
    rd_check_str("described", text, "<secret, 6 bytes>");
    rd_secret_set(&s, s.data + 4, 2);
    rd_check_str("set from its own tail", s.data, "en");
    rd_secret_take(&s, rd_strdup("moved in"));
    rd_check_str("taken", s.data, "moved in");
    rd_secret_set(&s, NULL, 0);
    assert_true(rd_secret_is_set(&s));
    rd_check_str("empty is set", s.data, "");
    rd_secret_clear(&s);
    rd_secret_clear(&s);
    assert_false(rd_secret_is_set(&s));
}

static void wipe_zeroes(void **state)
{
    (void)state;
    char bytes[] = "sensitive";
    rd_wipe(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], 0);
    rd_wipe(NULL, 0);
}

static void redact_table(void **state)
{
    (void)state;
    remember("s3cr3t/value+1");
    remember("s3cr3t/v");
    remember("short77");
    static const struct {
        const char *row, *text, *want;
    } cases[] = {
        {"empty", "", ""},
        {"nothing known", "a plain line", "a plain line"},
        {"alone", "s3cr3t/value+1", "[redacted]"},
        {"in the middle", "token=s3cr3t/value+1;", "token=[redacted];"},
        {"twice in a row", "s3cr3t/value+1s3cr3t/value+1", "[redacted][redacted]"},
        {"the longest wins", "s3cr3t/v s3cr3t/value+1", "[redacted] [redacted]"},
        {"cut at the end", "s3cr3t/value+", "[redacted]alue+"},
        {"cut short", "s3cr3t/", "s3cr3t/"},
        {"too short to remember", "short77", "short77"},
        {"base64", "czNjcjN0L3ZhbHVlKzE=", "[redacted]"},
        {"base64 with a neighbour", "\"czNjcjN0L3ZhbHVlKzE=\"", "\"[redacted]\""},
        {"percent", "?t=s3cr3t%2Fvalue%2B1&x", "?t=[redacted]&x"},
        {"percent in lower case", "?t=s3cr3t%2fvalue%2b1&x", "?t=[redacted]&x"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++)
        check_redact(cases[i].row, cases[i].text, cases[i].want);
}

/* A token inside "user:token", or a key inside a kubeconfig that is base64 as a whole, sits at any
 * of three places in a group of digits. */
static void redact_inside_base64(void **state)
{
    (void)state;
    static const char secret[] = "\xfb\xff"
                                 "Tok3n-0123456789?>\xfe";
    remember(secret);
    for (size_t before = 0; before < 7; before++) {
        for (size_t after = 0; after < 7; after++) {
            RD_AUTOBUF struct rd_buf whole = RD_BUF_INIT(200);
            rd_buf_append(&whole, "\x00\xff\x55\xaa\x0f\xf0", before);
            rd_buf_puts(&whole, secret);
            rd_buf_append(&whole, "\xff\xff\xff\xff\xff\xff", after);
            for (int url = 0; url < 2; url++) {
                RD_AUTOFREE char *text = url ? rd_base64url_encode(whole.data, whole.len)
                                             : rd_base64_encode(whole.data, whole.len);
                RD_AUTOBUF struct rd_buf got = RD_BUF_INIT(400);
                rd_redact(&got, text, strlen(text));
                const char *mark = strstr(rd_buf_str(&got), "[redacted]");
                if (mark == NULL)
                    fail_msg("%zu before, %zu after: %s is shown", before, after, text);
                /* What stays is what the neighbours decide: whole digits of theirs and at most one
                 * shared digit on each side, and padding. */
                size_t most = (before * 8 + 5) / 6 + (after * 8 + 5) / 6 + 1 + 2;
                size_t left = got.len - strlen("[redacted]");
                if (left > most)
                    fail_msg("%zu before, %zu after: %zu digits left of %s, want at most %zu: %s",
                             before, after, left, text, most, rd_buf_str(&got));
            }
        }
    }
}

#define PEM_LINE_1 "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
#define PEM_LINE_2 "VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDu"

static void redact_pem(void **state)
{
    (void)state;
    remember("-----BEGIN KEY-----\n" PEM_LINE_1 "\n" PEM_LINE_2 "\n-----END KEY-----\n");
    check_redact("as JSON writes it",
                 "{\"private_key\":\"-----BEGIN KEY-----\\n" PEM_LINE_1 "\\n" PEM_LINE_2
                 "\\n-----END KEY-----\\n\"}",
                 "{\"private_key\":\"[redacted]\"}");
    check_redact("indented as YAML does", "key: |\n  " PEM_LINE_1 "\n  " PEM_LINE_2 "\n",
                 "key: |\n  [redacted]\n  [redacted]\n");
}

static void redact_bytes(void **state)
{
    (void)state;
    struct rd_secret s = {0};
    rd_secret_set(&s, "nul\0inside\xff", 11);
    RD_AUTOBUF struct rd_buf got = RD_BUF_INIT(100);
    rd_redact(&got, "a\0nul\0inside\xff\0b", 15);
    rd_check_int("length", (long long)got.len, 14);
    assert_memory_equal(got.data, "a\0[redacted]\0b", 14);
    rd_secret_clear(&s);
    rd_buf_clear(&got);
    got.max = 5;
    rd_redact(&got, "longer than five", 16);
    rd_check_int("overflow shows", got.overflow, true);
}

static void forgetting(void **state)
{
    (void)state;
    remember("forget-me-not");
    check_redact("known", "forget-me-not", "[redacted]");
    rd_redact_forget_all();
    check_redact("forgotten", "forget-me-not", "forget-me-not");
    remember("forget-me-not");
    check_redact("known again", "forget-me-not", "[redacted]");
}

/* Tokens are renewed for ever: the newest stay known, and the registry does not grow for ever. A
 * secret that is set again counts as new. */
static void many_secrets(void **state)
{
    (void)state;
    remember("set-again-each-time");
    for (int i = 0; i < 5000; i++) {
        RD_AUTOFREE char *token = rd_asprintf("ya29.token-number-%d-x", i);
        remember(token);
        if (i % 500 == 0)
            remember("set-again-each-time");
        check_redact("renewed", "set-again-each-time", "[redacted]");
    }
    check_redact("newest", "ya29.token-number-4999-x", "[redacted]");
    check_redact("recent", "ya29.token-number-4000-x", "[redacted]");
    check_redact("long gone", "ya29.token-number-10-x", "ya29.token-number-10-x");
}

/* Against the plain way: look for every form at every place. */
static void redact_large_random_text(void **state)
{
    (void)state;
    remember("abababab");
    remember("abababababc");
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(1 << 22), got = RD_BUF_INIT(1 << 23),
                             want = RD_BUF_INIT(1 << 23);
    while (text.len < 1 << 20) {
        uint64_t bits = rd_random_u64();
        for (int i = 0; i < 32; i++)
            rd_buf_putc(&text, "aabbabcb"[bits >> 2 * i & 3]);
        if (bits % 3 == 0)
            rd_buf_puts(&text, bits % 2 == 0 ? "abababababc" : "abababab");
    }
    rd_redact(&got, text.data, text.len);
    for (size_t i = 0; i < text.len;) {
        if (rd_starts_with(text.data + i, "abababababc")) {
            rd_buf_puts(&want, "[redacted]");
            i += 11;
        } else if (rd_starts_with(text.data + i, "abababab")) {
            rd_buf_puts(&want, "[redacted]");
            i += 8;
        } else {
            rd_buf_putc(&want, text.data[i++]);
        }
    }
    rd_check_int("length", (long long)got.len, (long long)want.len);
    assert_memory_equal(got.data, want.data, want.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(set_take_clear, forget),
        cmocka_unit_test_teardown(wipe_zeroes, forget),
        cmocka_unit_test_teardown(redact_table, forget),
        cmocka_unit_test_teardown(redact_inside_base64, forget),
        cmocka_unit_test_teardown(redact_pem, forget),
        cmocka_unit_test_teardown(redact_bytes, forget),
        cmocka_unit_test_teardown(forgetting, forget),
        cmocka_unit_test_teardown(many_secrets, forget),
        cmocka_unit_test_teardown(redact_large_random_text, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
