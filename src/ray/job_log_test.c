#include "base/test.h"

#include <stdlib.h>

#include "base/encode.h"
#include "ray/job_log.h"

#include <jansson.h>

static void decodes(void **state)
{
    (void)state;
    static const struct {
        const char *row, *text, *want;
        bool complete, found, problem;
    } rows[] = {
        {"plain", "{\"logs\": \"a\\nb\\n\"}", "a\nb\n", true, true, false},
        {"empty", "{\"logs\": \"\"}", "", true, true, false},
        {"escapes", "{\"logs\":\"\\\"\\\\\\/\\b\\f\\r\\t\"}", "\"\\/\b\f\r\t", true, true, false},
        {"runes", "{\"logs\":\"\\u00e4\\u20ac\\ud83d\\ude00\"}",
         "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", true, true, false},
        {"raw utf-8", "{\"logs\":\"\xc3\xa4\"}", "\xc3\xa4", true, true, false},
        {"lone halves", "{\"logs\":\"\\ud83dx\\ude00\\ud83d\"}",
         "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd", true, true, false},
        {"other keys first",
         "{\"a\":{\"logs\":\"no\",\"x\":[1,\"logs\"]},\"logs\":\"yes\",\"b\":\"no\"}", "yes", true,
         true, false},
        {"a value named logs", "{\"a\":\"logs\",\"b\":\"no\"}", "", false, false, false},
        {"not a string", "{\"logs\":null}", "", false, false, false},
        {"cut", "{\"logs\":\"ab", "ab", false, true, false},
        {"cut in an escape", "{\"logs\":\"ab\\u00", "ab", false, true, false},
        {"not an object", "Traceback (most", "", false, false, true},
        {"bad escape", "{\"logs\":\"a\\x\"}", "a", false, true, true},
        {"bad unit", "{\"logs\":\"a\\u00zz\"}", "a", false, true, true},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step < 40; step++) {
            struct ray_log_reader r;
            ray_log_reader_init(&r, 0);
            size_t len = strlen(rows[i].text);
            for (size_t at = 0; at < len; at += step)
                ray_log_reader_feed(&r, rows[i].text + at, len - at < step ? len - at : step);
            rd_check_str(rows[i].row, rd_buf_str(&r.fresh), rows[i].want);
            rd_check_int(rows[i].row, r.complete, rows[i].complete);
            rd_check_int(rows[i].row, r.found, rows[i].found);
            rd_check_int(rows[i].row, r.problem != NULL, rows[i].problem);
            ray_log_reader_clear(&r);
        }
    }
}

/* A growing log read a thousand times, each answer cut at a random byte: identical by digest. */
static void cuts_lose_nothing(void **state)
{
    (void)state;
    struct rd_buf log = RD_BUF_INIT((size_t)1 << 20), got = RD_BUF_INIT((size_t)1 << 20);
    struct ray_log_reader r;
    unsigned seed = 20261123;
    ray_log_reader_init(&r, 0);
    for (int round = 0; round < 1000; round++) {
        if (round < 900)
            rd_buf_printf(&log, "line %d \xe2\x82\xac \xf0\x9f\x98\x80 \"q\" \\ \t%s\n", round,
                          round % 7 ? "" : "\x01\x7f");
        json_t *answer = json_pack("{s:s#}", "logs", log.data, (int)log.len);
        char *text = json_dumps(answer, round % 2 ? JSON_ENSURE_ASCII : 0);
        size_t len = strlen(text);
        size_t cut = round == 999 ? len : (size_t)rand_r(&seed) % (len + 1);
        ray_log_reader_begin(&r);
        for (size_t at = 0; at < cut;) {
            size_t n = 1 + (size_t)rand_r(&seed) % 700;
            n = n < cut - at ? n : cut - at;
            ray_log_reader_feed(&r, text + at, n);
            rd_buf_append(&got, r.fresh.data, r.fresh.len);
            rd_buf_reset(&r.fresh);
            at += n;
        }
        free(text);
        json_decref(answer);
    }
    char want_hex[RD_SHA256_HEX_LEN + 1], got_hex[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(log.data, log.len, want_hex);
    rd_sha256_hex(got.data, got.len, got_hex);
    rd_check_int("bytes", (long long)got.len, (long long)log.len);
    rd_check_str("digest", got_hex, want_hex);
    rd_check_int("counted", (long long)r.given, (long long)log.len);
    ray_log_reader_clear(&r);
    rd_buf_clear(&log);
    rd_buf_clear(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(cuts_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
