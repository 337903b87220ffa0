/* Credential, request, judgement, pause, again. */
#include "http/call.h"

#include "base/alloc.h"
#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

enum call_state {
    CALL_BEGIN,   /* a credential is wanted */
    CALL_AUTH,    /* ... and being fetched */
    CALL_REQUEST, /* the request runs */
    CALL_PAUSE,   /* before the next attempt */
};

#define BODY_SHOWN_MAX 2048

void http_call_init(struct http_call *c, struct http_client *client, const char *method,
                    const char *url)
{
    http_req_init(&c->req, client, method, url);
    c->policy = &retry_fetch;
    c->idem = RETRY_SAFE;
}

static enum rd_err_kind kind_of_status(long status)
{
    switch (status) {
    case 401:
    case 403:
        return RD_ERR_CREDENTIALS;
    case 404:
    case 410:
        return RD_ERR_NOT_FOUND;
    case 409:
    case 412:
        return RD_ERR_CONFLICT;
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return RD_ERR_TRANSIENT;
    case 407:
        return RD_ERR_NETWORK;
    default:
        return RD_ERR_FAILED;
    }
}

struct rd_err *http_status_error(const struct http_req *r, const char *what)
{
    RD_AUTOFREE char *origin = http_url_origin(r->url);
    struct rd_err *err = rd_err_new(kind_of_status(r->status), "%s: %s answered with status %ld",
                                    what, origin, r->status);
    err->http_status = (int)r->status;
    err->retry_after_ms = r->retry_after_ms;
    rd_err_resource(err, "%s %.*s", r->method, (int)strcspn(r->url, "?#"), r->url);
    if (r->resp.len > 0) {
        size_t shown = r->resp.len < BODY_SHOWN_MAX ? r->resp.len : BODY_SHOWN_MAX;
        RD_AUTOFREE char *body = rd_strndup(rd_buf_str(&r->resp), shown);
        rd_str_take(&err->remote,
                    rd_asprintf("%s%s%s%s", r->content_type != NULL ? r->content_type : "",
                                r->content_type != NULL ? ": " : "", body,
                                shown < r->resp.len ? "..." : ""));
    }
    if (r->location != NULL && r->status >= 300 && r->status < 400)
        rd_err_hint(err, "It points to %s.", r->location);
    return err;
}

/* A yes may have grown old meanwhile: the request waited for its turn or for a connection, or this process
 * was stopped. */
static bool may_leave(struct http_req *r)
{
    struct http_call *c = container_of(r, struct http_call, req);
    rd_err_freep(&c->held);
    return c->may_send(c, &c->held);
}

static void send_request(struct http_call *c)
{
    struct rd_err *err = NULL;
    if (c->may_send != NULL && !c->may_send(c, &err)) {
        op_finish(&c->op, err);
        return;
    }
    c->attempt++;
    c->state = CALL_REQUEST;
    /* A stale connection makes curl send again by itself; what must go once gets its own. */
    c->req.fresh = c->idem == RETRY_ONCE;
    c->req.may_leave = c->may_send != NULL ? may_leave : NULL;
    if (c->auth != NULL) {
        c->auth->ops->apply(c->auth, &c->req);
        c->auth_generation = c->auth->generation;
    }
    http_req_start(&c->req, &c->op);
}

static void begin(struct http_call *c)
{
    if (c->auth == NULL || c->auth->ops->ensure(c->auth, &c->wait, &c->op)) {
        send_request(c);
        return;
    }
    c->state = CALL_AUTH;
}

static void keep_last(struct http_call *c, struct rd_err *take)
{
    rd_err_free(c->last);
    c->last = take;
}

/* Pauses before another attempt, or ends with why there is none. */
static void retry_or_end(struct http_call *c, const struct retry_outcome *o, struct rd_err *take)
{
    struct retry_decision d = retry_decide(c->policy, c->idem, o, c->attempt, op_now_ms(&c->op),
                                           c->op.deadline_ms, rd_random_u64());
    if (!d.retry) {
        if (c->attempt > 1 && rd_err_transient(take->kind))
            rd_err_wrap(take, "gave up after %u attempts", c->attempt);
        op_finish(&c->op, take);
        return;
    }
    keep_last(c, take);
    if (c->on_retry != NULL)
        c->on_retry(c, c->last, d.delay_ms);
    c->state = CALL_PAUSE;
    if (!op_timer_start(&c->pause, &c->op, d.delay_ms)) {
        rd_err_free(op_take_err(&c->pause.op));
        c->last = NULL;
        op_finish(&c->op, take);
    }
}

static void judge(struct http_call *c)
{
    struct http_req *r = &c->req;
    struct rd_err *err = op_take_err(&r->op);
    struct retry_outcome o = {.sent = r->sent};
    if (r->held_back) {
        rd_err_free(err);
        err = c->held;
        c->held = NULL;
        op_finish(&c->op, err);
        return;
    }
    if (err != NULL) {
        o.transport = err->kind;
        c->unsure |= r->sent;
        if (r->stream && r->status >= 200 && r->status < 300) {
            op_finish(&c->op, err); /* the owner has read from it: only he knows how to go on */
            return;
        }
        retry_or_end(c, &o, err);
        return;
    }
    if (r->status < 400) {
        op_finish(&c->op, NULL);
        return;
    }
    o.status = r->status;
    if (r->status == 401 && c->auth != NULL && !c->refreshed) {
        c->refreshed = true;
        /* Someone else may have been told before us, and the credential be a new one already. */
        if (c->auth->generation == c->auth_generation)
            c->auth->ops->invalidate(c->auth);
        c->state = CALL_BEGIN;
        begin(c);
        return;
    }
    enum call_judgement j = CALL_RETRY;
    if (c->judge != NULL) {
        j = c->judge(c, &err);
        o.transient_hint = j == CALL_RETRY;
        o.final_hint = j == CALL_FINAL;
    }
    if (j == CALL_OK) {
        rd_err_free(err);
        op_finish(&c->op, NULL);
        return;
    }
    if (err == NULL)
        err = http_status_error(r, r->method);
    o.retry_after_ms =
        err->retry_after_ms > r->retry_after_ms ? err->retry_after_ms : r->retry_after_ms;
    c->unsure |= r->status >= 500;
    retry_or_end(c, &o, err);
}

/* A deadline that passed between attempts says why there had to be another one. */
static struct rd_err *stopped(struct http_call *c)
{
    struct rd_err *req_err = op_take_err(&c->req.op);
    bool flowing = c->req.stream && c->req.status >= 200 && c->req.status < 300;
    if (!c->op.timed_out || flowing) { /* a stream that flowed until then has nothing to tell */
        rd_err_free(req_err);
        return NULL;
    }
    struct rd_err *err = req_err;
    if (c->last != NULL && c->last->kind == RD_ERR_CREDENTIALS) { /* a refusal is none of time */
        rd_err_free(err);
        err = c->last;
        c->last = NULL;
        return err;
    }
    if (err == NULL || err->kind != RD_ERR_TIMEOUT) {
        rd_err_free(err);
        RD_AUTOFREE char *origin = http_url_origin(c->req.url);
        err = rd_err_new(RD_ERR_TIMEOUT, "no answer from %s in time", origin);
    }
    err->bare = c->last != NULL ? RD_ERR_TELLING : RD_ERR_UNHEARD;
    if (c->last != NULL) {
        rd_err_wrap(err, "%s; after %u attempts", c->last->message, c->attempt);
        rd_err_free(err->cause);
        err->cause = c->last;
        c->last = NULL;
    }
    return err;
}

static void call_step(struct op *op)
{
    struct http_call *c = container_of(op, struct http_call, op);
    if (op->cancelled) {
        op_finish(op, stopped(c));
        return;
    }
    switch (c->state) {
    case CALL_BEGIN:
        begin(c);
        return;
    case CALL_AUTH:
        if (op_running(&c->wait.op))
            return;
        if (c->wait.op.err != NULL) {
            op_finish(op, op_take_err(&c->wait.op));
            return;
        }
        send_request(c);
        return;
    case CALL_REQUEST:
        if (!op_ended(&c->req.op)) {
            if (c->req.stream && c->req.status >= 200 && c->req.status < 300 && op->parent != NULL)
                op_wake(op->parent);
            return;
        }
        judge(c);
        return;
    case CALL_PAUSE:
        if (op_running(&c->pause.op))
            return;
        begin(c); /* the credential may have aged meanwhile */
        return;
    default:
        RD_UNREACHABLE();
    }
}

void http_call_start(struct http_call *c, struct op *parent)
{
    op_start(&c->op, parent, call_step, "call");
    c->state = CALL_BEGIN;
    c->attempt = 0;
    c->refreshed = c->unsure = false;
    keep_last(c, NULL);
    rd_err_freep(&c->held);
}

void http_call_clear(struct http_call *c)
{
    RD_ASSERT(!op_running(&c->op));
    http_req_clear(&c->req);
    rd_err_free(op_take_err(&c->req.op));
    rd_err_free(op_take_err(&c->wait.op));
    rd_err_free(op_take_err(&c->pause.op));
    keep_last(c, NULL);
    rd_err_freep(&c->held);
}
