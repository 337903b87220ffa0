/* One request on a loop of its own, from start to end, for tests of http. */
#ifndef HARNESS_ONE_REQUEST_H
#define HARNESS_ONE_REQUEST_H

#include "base/alloc.h"
#include "base/text.h"
#include "harness/server.h"
#include "harness/tls.h"
#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct run {
    struct op op;
    struct loop *loop;
    struct http_client *client;
    struct http_req req;
    uint64_t cancel_after_ms; /* 0: never */
    uint64_t timeout_ms;      /* 0: none */
    struct op_timer pause;
    bool started;
    unsigned wakes;
    void (*on_wake)(struct run *r); /* stream: something may have arrived */
};

static inline void run_step(struct op *op)
{
    struct run *r = container_of(op, struct run, op);
    if (!r->started) {
        r->started = true;
        http_req_start(&r->req, op);
        if (r->timeout_ms > 0)
            op_set_timeout(&r->req.op, r->timeout_ms);
        if (r->cancel_after_ms > 0)
            assert_true(op_timer_start(&r->pause, op, r->cancel_after_ms));
        return;
    }
    r->wakes++;
    if (r->on_wake != NULL)
        r->on_wake(r);
    if (r->cancel_after_ms > 0 && op_ended(&r->pause.op))
        op_cancel(&r->req.op);
    if (op_ended(&r->req.op))
        op_finish(op, op_take_err(&r->req.op));
}

/* options NULL: defaults, without the proxies of the environment. */
static inline void run_open(struct run *r, struct http_client_options *options)
{
    struct http_client_options direct = {.proxy = rd_strdup("")};
    r->loop = loop_new();
    r->client = http_client_new(r->loop, options != NULL ? options : &direct);
    free(direct.proxy);
}

static inline void run_get(struct run *r, struct server *s, const char *path)
{
    if (r->loop == NULL)
        run_open(r, NULL);
    RD_AUTOFREE char *url = server_url(s, path);
    http_req_init(&r->req, r->client, "GET", url);
}

static inline void run_go(struct run *r)
{
    r->started = false;
    r->wakes = 0;
    rd_err_free(op_take_err(&r->pause.op));
    op_start_root(&r->op, r->loop, run_step, "run");
    loop_run(r->loop, &r->op);
}

static inline void run_close(struct run *r)
{
    rd_err_free(op_take_err(&r->op));
    rd_err_free(op_take_err(&r->pause.op));
    http_req_clear(&r->req);
    http_client_free(r->client);
    loop_free(r->loop);
}

#define assert_run_err(r, kind_, text)                                                             \
    do {                                                                                           \
        if ((r)->op.err == NULL)                                                                   \
            fail_msg("want %s with \"%s\", have success with status %ld", rd_err_kind_name(kind_), \
                     text, (r)->req.status);                                                       \
        if ((r)->op.err->kind != (kind_) || strstr((r)->op.err->message, text) == NULL)            \
            fail_msg("want %s with \"%s\", have %s: %s", rd_err_kind_name(kind_), text,            \
                     rd_err_kind_name((r)->op.err->kind), (r)->op.err->message);                   \
    } while (0)

static inline void assert_run_fine(struct run *r, long status, const char *body)
{
    if (r->op.err != NULL)
        fail_msg("unexpected error: %s", r->op.err->message);
    assert_int_equal(r->req.status, status);
    assert_string_equal(rd_buf_str(&r->req.resp), body);
}

#endif
