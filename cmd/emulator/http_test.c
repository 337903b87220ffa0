#include "http.h"

#include "base/alloc.h"
#include "base/test.h"

#include <stdio.h>

static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum emu_http_result want;
        const char *path, *body;
    } rows[] = {
        {"", EMU_HTTP_MORE, NULL, NULL},
        {"GET / HTTP/1.1\r\n", EMU_HTTP_MORE, NULL, NULL},
        {"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", EMU_HTTP_WHOLE, "/a", ""},
        {"GET https://h:1/a%2Fb HTTP/1.1\r\n\r\n", EMU_HTTP_WHOLE, "/a%2Fb", ""},
        {"POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", EMU_HTTP_MORE, NULL, NULL},
        {"POST /p HTTP/1.1\r\ncontent-length:3 \r\n\r\nabcGET", EMU_HTTP_WHOLE, "/p", "abc"},
        {"POST /p HTTP/1.1\r\nContent-Length: -1\r\n\r\n", EMU_HTTP_BAD, NULL, NULL},
        {"POST /p HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", EMU_HTTP_TOO_LARGE, NULL, NULL},
        {"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
         EMU_HTTP_WHOLE, "/p", "abc"},
        {"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab", EMU_HTTP_MORE, NULL,
         NULL},
        {"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", EMU_HTTP_BAD, NULL,
         NULL},
        {"POST /p HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", EMU_HTTP_BAD, NULL, NULL},
        {"GET / HTTP/2.0\r\n\r\n", EMU_HTTP_BAD, NULL, NULL},
        {"GET /\r\n\r\n", EMU_HTTP_BAD, NULL, NULL},
        {"nonsense\r\n\r\n", EMU_HTTP_BAD, NULL, NULL},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", EMU_HTTP_BAD, NULL, NULL},
        {"GET / HTTP/1.1\r\n: v\r\n\r\n", EMU_HTTP_BAD, NULL, NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct emu_msg msg = {0};
        size_t used = 0;
        bool expects = false;
        enum emu_http_result got =
            emu_http_parse(rows[i].text, strlen(rows[i].text), &msg, &used, &expects);
        rd_check_int(rows[i].text, got, rows[i].want);
        if (got == EMU_HTTP_WHOLE) {
            rd_check_str(rows[i].text, msg.path, rows[i].path);
            rd_check_str(rows[i].text, msg.body, rows[i].body);
            if (used > strlen(rows[i].text))
                fail_msg("row %zu: used %zu of %zu", i, used, strlen(rows[i].text));
        }
        emu_msg_clear(&msg);
    }
}

/* Every prefix of a request asks for more; none reads past its end (under ASan). */
static void test_prefixes(void **state)
{
    (void)state;
    static const char text[] = "PUT /x?y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n0\r\n\r\n";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        RD_AUTOFREE char *exact = rd_malloc(len + 1);
        memcpy(exact, text, len);
        exact[len] = '\0';
        struct emu_msg msg = {0};
        size_t used = 0;
        bool expects = false;
        char row[32];
        snprintf(row, sizeof(row), "%zu bytes", len);
        rd_check_int(row, emu_http_parse(exact, len, &msg, &used, &expects), EMU_HTTP_MORE);
    }
}

static void test_expect(void **state)
{
    (void)state;
    static const char text[] =
        "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    struct emu_msg msg = {0};
    size_t used = 0;
    bool expects = false;
    rd_check_int("head", emu_http_parse(text, sizeof(text) - 1, &msg, &used, &expects),
                 EMU_HTTP_MORE);
    rd_check_int("expects", expects, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_prefixes),
                                       cmocka_unit_test(test_expect)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
