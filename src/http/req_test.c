/* Requests against a scripted server: answers, stalls, resets, ceilings, TLS, cancelling. */
#include "http/http.h"

#include "base/alloc.h"
#include "base/text.h"
#include "harness/server.h"
#include "harness/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- One request from start to end ---- */

struct run {
    struct op op;
    struct loop *loop;
    struct http_client *client;
    struct http_req req;
    uint64_t cancel_after_ms; /* 0: never */
    struct op_timer pause;
    bool started;
    unsigned wakes;
};

static void run_step(struct op *op)
{
    struct run *r = container_of(op, struct run, op);
    if (!r->started) {
        r->started = true;
        http_req_start(&r->req, op);
        if (r->cancel_after_ms > 0)
            assert_true(op_timer_start(&r->pause, op, r->cancel_after_ms));
        return;
    }
    r->wakes++;
    if (r->cancel_after_ms > 0 && op_ended(&r->pause.op))
        op_cancel(&r->req.op);
    if (op_ended(&r->req.op))
        op_finish(op, op_take_err(&r->req.op));
}

static void run_open(struct run *r, struct http_client_options *options)
{
    r->loop = loop_new();
    r->client = http_client_new(r->loop, options);
}

static void run_init(struct run *r, const char *method, const char *url)
{
    http_req_init(&r->req, r->client, method, url);
}

static void run_go(struct run *r)
{
    r->started = false;
    op_start_root(&r->op, r->loop, run_step, "run");
    loop_run(r->loop, &r->op);
}

static void run_close(struct run *r)
{
    rd_err_free(op_take_err(&r->op));
    rd_err_free(op_take_err(&r->pause.op));
    http_req_clear(&r->req);
    http_client_free(r->client);
    loop_free(r->loop);
}

static void get(struct run *r, struct server *s, const char *path)
{
    run_open(r, NULL);
    RD_AUTOFREE char *url = server_url(s, path);
    run_init(r, "GET", url);
}

#define assert_err(r, kind_, text)                                                                 \
    do {                                                                                           \
        assert_non_null((r)->op.err);                                                              \
        if ((r)->op.err->kind != (kind_) || strstr((r)->op.err->message, text) == NULL)            \
            fail_msg("want %s with \"%s\", have %s: %s", rd_err_kind_name(kind_), text,            \
                     rd_err_kind_name((r)->op.err->kind), (r)->op.err->message);                   \
    } while (0)

static void assert_fine(struct run *r, long status, const char *body)
{
    if (r->op.err != NULL)
        fail_msg("unexpected error: %s", r->op.err->message);
    assert_int_equal(r->req.status, status);
    assert_string_equal(rd_buf_str(&r->req.resp), body);
}

/* ---- Plain answers ---- */

static void script_answer(struct peer *p, void *ctx)
{
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        rd_buf_puts(ctx, rd_buf_str(&q.head));
        rd_buf_append(ctx, q.body.data, q.body.len);
        peer_reply(p, 200,
                   "Content-Type: text/plain\r\nETag: \"7\"\r\nAudit-Id: a-1\r\nRetry-After: 3\r\n"
                   "Warning: 299 - \"old \\\"v1\\\" \"\r\nwarning: 299 k8s \"two\"\r\n",
                   "hello");
    }
    peer_request_clear(&q);
}

static void answer_and_headers(void **state)
{
    (void)state;
    struct rd_buf seen = RD_BUF_INIT(100000);
    struct server *s = server_new(script_answer, &seen, NULL);
    struct run r = {0};
    get(&r, s, "/a/b?c=d");
    http_req_header(&r.req, "Authorization", "Bearer first");
    http_req_header(&r.req, "authorization", "Bearer second");
    http_req_header(&r.req, "X-Empty", "");
    run_go(&r);
    assert_fine(&r, 200, "hello");
    assert_string_equal(r.req.content_type, "text/plain");
    assert_string_equal(r.req.etag, "\"7\"");
    assert_string_equal(r.req.audit_id, "a-1");
    assert_int_equal(r.req.retry_after_ms, 3000);
    assert_string_equal(rd_buf_str(&r.req.warnings), "old \"v1\" \ntwo\n");
    assert_true(r.req.sent);
    run_close(&r);
    server_free(s);
    assert_non_null(strstr(rd_buf_str(&seen), "GET /a/b?c=d HTTP/1.1\r\n"));
    assert_non_null(strstr(rd_buf_str(&seen), "authorization: Bearer second\r\n"));
    assert_null(strstr(rd_buf_str(&seen), "first"));
    assert_non_null(strstr(rd_buf_str(&seen), "X-Empty:\r\n"));
    assert_non_null(strstr(rd_buf_str(&seen), "User-Agent: raydeploy/" RAYDEPLOY_VERSION " (linux/"));
    rd_buf_clear(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_and_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
