#include "k8s/ws_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* the example of RFC 6455 section 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define OFFER "v5.channel.k8s.io, v4.channel.k8s.io"
#define UP "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

/* The accept value is the RFC's own example, and keys differ. */
static void test_accept(void **state)
{
    (void)state;
    char accept[WS_ACCEPT_LEN + 1], one[WS_KEY_LEN + 1], two[WS_KEY_LEN + 1];
    ws_accept_for(KEY, accept);
    assert_string_equal(accept, ACCEPT);
    ws_key_make(one);
    ws_key_make(two);
    assert_int_equal(strlen(one), WS_KEY_LEN);
    assert_string_not_equal(one, two);
}

/* The request carries path, query, port, protocol and the given headers, and nothing can be
 * smuggled. */
static void test_request(void **state)
{
    (void)state;
    struct rd_err *err = NULL;
    struct rd_buf out = RD_BUF_INIT(4096);
    const char *const headers[] = {"Authorization: Bearer abc", NULL};
    assert_true(ws_request_write(&out, "https://h.example:6443/api/v1/x?ports=8265",
                                 "v4.channel.k8s.io", KEY, headers, &err));
    assert_string_equal(rd_buf_str(&out),
                        "GET /api/v1/x?ports=8265 HTTP/1.1\r\nHost: h.example:6443\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: " KEY
                        "\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
                        "Authorization: Bearer abc\r\n\r\n");
    const char *const smuggled[] = {"A: b\r\nHost: evil", NULL};
    rd_buf_reset(&out);
    assert_false(ws_request_write(&out, "https://h/", NULL, KEY, smuggled, &err));
    assert_non_null(err);
    rd_err_freep(&err);
    rd_buf_clear(&out);
}

struct answer_case {
    const char *name, *text;
    bool end; /* the connection ends after the text */
    enum ws_answer_state state;
    long status;
    const char *body;
    const char *rest; /* what follows the answer and belongs to the next reader */
    uint64_t retry_after_ms;
};

static const struct answer_case answer_cases[] = {
    {"open",
     UP "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n"
        "\x82\x03",
     false, WS_ANSWER_OPEN, 101, "", "\x82\x03", 0},
    {"odd case and spaces",
     "HTTP/1.1 101 ok\r\nupgrade:  WebSocket \r\nCONNECTION: keep-alive, Upgrade\r\n"
     "sec-websocket-accept:" ACCEPT "\r\nsec-websocket-protocol: v5.channel.k8s.io\r\n\r\n",
     false, WS_ANSWER_OPEN, 101, "", "", 0},
    {"wrong accept",
     UP "Sec-WebSocket-Accept: AAAALMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n",
     false, WS_ANSWER_BAD, 101, "", "", 0},
    {"no accept", UP "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n", false, WS_ANSWER_BAD, 101,
     "", "", 0},
    {"other protocol", UP "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: v6\r\n\r\n",
     false, WS_ANSWER_BAD, 101, "", "", 0},
    {"no protocol", UP "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", false, WS_ANSWER_BAD, 101, "",
     "", 0},
    {"extension",
     UP "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
     false, WS_ANSWER_BAD, 101, "", "", 0},
    {"no upgrade header",
     "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: " ACCEPT
     "\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n",
     false, WS_ANSWER_BAD, 101, "", "", 0},
    {"status by length",
     "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: "
     "7\r\n\r\n{\"a\":1}",
     false, WS_ANSWER_REFUSED, 403, "{\"a\":1}", "", 0},
    {"empty refusal", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", false,
     WS_ANSWER_REFUSED, 403, "", "", 0},
    {"chunked",
     "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: "
     "chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n"
     "0\r\nTrailer: t\r\n\r\n",
     false, WS_ANSWER_REFUSED, 404, "abc0123456789", "", 0},
    {"to the end", "HTTP/1.1 500 Oops\r\nRetry-After: 3\r\n\r\nsome text", true, WS_ANSWER_REFUSED,
     500, "some text", "", 3000},
    {"interim first",
     "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno", false,
     WS_ANSWER_REFUSED, 400, "no", "", 0},
    {"bare newlines", "HTTP/1.1 400 Bad\nContent-Length: 2\n\nno", false, WS_ANSWER_REFUSED, 400,
     "no", "", 0},
    {"half a head", "HTTP/1.1 400 Bad\r\nContent-", true, WS_ANSWER_BAD, 0, "", "", 0},
    {"not http", "SSH-2.0-OpenSSH_9.2\r\n\r\n", false, WS_ANSWER_BAD, 0, "", "", 0},
    {"http2 preface", "HTTP/2 200 OK\r\n\r\n", false, WS_ANSWER_BAD, 0, "", "", 0},
    {"nameless header", "HTTP/1.1 400 Bad\r\n: x\r\n\r\n", false, WS_ANSWER_BAD, 400, "", "", 0},
    {"length that is no number", "HTTP/1.1 400 Bad\r\nContent-Length: 1x\r\n\r\n", false,
     WS_ANSWER_BAD, 400, "", "", 0},
    {"chunk without a size", "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", false,
     WS_ANSWER_BAD, 400, "", "", 0},
    {"chunk too long", "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
     false, WS_ANSWER_BAD, 400, "", "", 0},
};

/* Feeds in pieces of `step` bytes and compares everything. */
static void check_answer(const struct answer_case *c, size_t step)
{
    struct ws_answer a;
    ws_answer_init(&a, ACCEPT, OFFER);
    size_t len = strlen(c->text), at = 0;
    while (at < len && (a.state == WS_ANSWER_HEAD || a.state == WS_ANSWER_BODY)) {
        size_t n = len - at < step ? len - at : step;
        size_t used = ws_answer_feed(&a, c->text + at, n);
        bool more = a.state == WS_ANSWER_HEAD || a.state == WS_ANSWER_BODY;
        if (more && used != n)
            fail_msg("%s/%zu: took %zu of %zu bytes", c->name, step, used, n);
        at += used;
    }
    if (c->end)
        ws_answer_end(&a);
    if (a.state != c->state)
        fail_msg("%s/%zu: state %d, not %d (%s)", c->name, step, a.state, c->state,
                 a.problem ? a.problem : "no problem");
    if (a.status != c->status)
        fail_msg("%s/%zu: status %ld, not %ld", c->name, step, a.status, c->status);
    if (strcmp(rd_buf_str(&a.body), c->body) != 0)
        fail_msg("%s/%zu: body '%s', not '%s'", c->name, step, rd_buf_str(&a.body), c->body);
    if (a.retry_after_ms != c->retry_after_ms)
        fail_msg("%s/%zu: retry after %llu", c->name, step, (unsigned long long)a.retry_after_ms);
    if (a.state == WS_ANSWER_OPEN && strcmp(c->text + at, c->rest) != 0)
        fail_msg("%s/%zu: rest '%s'", c->name, step, c->text + at);
    if ((a.state == WS_ANSWER_BAD) != (a.problem != NULL))
        fail_msg("%s/%zu: problem %s", c->name, step, a.problem ? a.problem : "missing");
    ws_answer_clear(&a);
}

/* Every answer means the same however the bytes are split. */
static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(answer_cases); i++)
        for (size_t step = 1; step <= 300; step++)
            check_answer(&answer_cases[i], step);
}

/* Endless headers and bodies are cut at their ceilings. */
static void test_bounds(void **state)
{
    (void)state;
    struct ws_answer a;
    char block[1024];
    memset(block, 'x', sizeof(block));
    ws_answer_init(&a, ACCEPT, OFFER);
    ws_answer_feed(&a, "HTTP/1.1 400 Bad\r\nX: ", 21);
    for (int i = 0; i < 64 && a.state == WS_ANSWER_HEAD; i++)
        ws_answer_feed(&a, block, sizeof(block));
    assert_int_equal(a.state, WS_ANSWER_BAD);
    ws_answer_clear(&a);

    ws_answer_init(&a, ACCEPT, OFFER);
    ws_answer_feed(&a, "HTTP/1.1 400 Bad\r\n\r\n", 20);
    for (int i = 0; i < 128 && a.state == WS_ANSWER_BODY; i++)
        ws_answer_feed(&a, block, sizeof(block));
    assert_int_equal(a.state, WS_ANSWER_REFUSED);
    assert_true(a.body.len <= WS_BODY_MAX);
    ws_answer_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
