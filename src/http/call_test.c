/* Calls: retries, credentials, judgement, streams, deadlines. */
#include "http/call.h"

#include "harness/one_request.h"

#include <stdio.h>

static const struct retry_policy quick = {.base_ms = 5, .cap_ms = 20};

struct calls {
    struct op op;
    struct loop *loop;
    struct http_client *client;
    struct http_call call[2];
    size_t len;
    uint64_t timeout_ms;      /* of each call; 0: none */
    uint64_t cancel_after_ms; /* 0: never */
    struct op_timer pause;
    bool started;
    unsigned wakes_before_end, retries;
    struct rd_buf seen, reasons;
    bool consume;
};

static void calls_step(struct op *op)
{
    struct calls *c = container_of(op, struct calls, op);
    if (!c->started) {
        c->started = true;
        for (size_t i = 0; i < c->len; i++) {
            http_call_start(&c->call[i], op);
            if (c->timeout_ms > 0)
                op_set_timeout(&c->call[i].op, c->timeout_ms);
        }
        if (c->cancel_after_ms > 0)
            assert_true(op_timer_start(&c->pause, op, c->cancel_after_ms));
        return;
    }
    if (c->consume && c->call[0].req.status == 200 && c->call[0].req.resp.len > 0) {
        struct rd_buf *b = &c->call[0].req.resp;
        rd_buf_append(&c->seen, b->data, b->len);
        rd_buf_consume(b, b->len);
    }
    if (c->cancel_after_ms > 0 && op_ended(&c->pause.op)) {
        for (size_t i = 0; i < c->len; i++)
            op_cancel(&c->call[i].op);
    }
    bool ended = true;
    for (size_t i = 0; i < c->len; i++)
        ended = ended && op_ended(&c->call[i].op);
    if (ended)
        op_finish(op, NULL);
    else
        c->wakes_before_end++;
}

static void on_retry(struct http_call *call, const struct rd_err *why, uint64_t delay_ms)
{
    struct calls *c = call->ctx;
    assert_true(delay_ms <= 100000);
    c->retries++;
    rd_buf_printf(&c->reasons, "%s\n", why->message);
}

static void open_calls(struct calls *c, struct server *s, size_t len, const char *method)
{
    c->loop = loop_new();
    struct http_client_options o = {.proxy = rd_strdup("")};
    c->client = http_client_new(c->loop, &o);
    c->len = len;
    rd_buf_init(&c->seen, 100000);
    rd_buf_init(&c->reasons, 100000);
    RD_AUTOFREE char *url = server_url(s, "/x");
    for (size_t i = 0; i < len; i++) {
        http_call_init(&c->call[i], c->client, method, url);
        c->call[i].policy = &quick;
        c->call[i].on_retry = on_retry;
        c->call[i].ctx = c;
    }
}

static void go(struct calls *c)
{
    op_start_root(&c->op, c->loop, calls_step, "calls");
    loop_run(c->loop, &c->op);
}

static void close_calls(struct calls *c)
{
    for (size_t i = 0; i < c->len; i++) {
        rd_err_free(op_take_err(&c->call[i].op));
        http_call_clear(&c->call[i]);
    }
    rd_err_free(op_take_err(&c->op));
    rd_err_free(op_take_err(&c->pause.op));
    http_client_free(c->client);
    loop_free(c->loop);
    rd_buf_clear(&c->seen);
    rd_buf_clear(&c->reasons);
}

#define assert_call_err(c, kind_, text)                                                            \
    do {                                                                                           \
        const struct rd_err *e_ = (c)->call[0].op.err;                                             \
        if (e_ == NULL)                                                                            \
            fail_msg("want %s with \"%s\", have success", rd_err_kind_name(kind_), text);          \
        if (e_->kind != (kind_) || strstr(e_->message, text) == NULL)                              \
            fail_msg("want %s with \"%s\", have %s: %s", rd_err_kind_name(kind_), text,            \
                     rd_err_kind_name(e_->kind), e_->message);                                     \
    } while (0)

/* ---- A script of answers, one a request, over all connections; the last one repeats ---- */

struct answers {
    const char *const *list; /* "reset", or a status with headers: "503 Retry-After: 1" */
    _Atomic unsigned next;
    unsigned len;
};

static void script_answers(struct peer *p, void *ctx)
{
    struct answers *a = ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        unsigned i = a->next++;
        const char *answer = a->list[i < a->len ? i : a->len - 1];
        if (strcmp(answer, "reset") == 0) {
            peer_reset(p);
            break;
        }
        if (strcmp(answer, "stall") == 0) {
            peer_wait_gone(p);
            break;
        }
        const char *headers = strchr(answer, ' ');
        RD_AUTOFREE char *lines = headers != NULL ? rd_asprintf("%s\r\n", headers + 1) : NULL;
        RD_AUTOFREE char *token = peer_request_header(&q, "Authorization");
        RD_AUTOFREE char *body = rd_asprintf("%s", token != NULL ? token : "no token");
        peer_reply(p, atoi(answer), lines, body);
    }
    peer_request_clear(&q);
}

#define ANSWERS(...)                                                                               \
    {                                                                                              \
        .list = (const char *const[]){__VA_ARGS__},                                                \
        .len = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                         \
    }

static void retries(void **state)
{
    (void)state;
    struct {
        const char *what;
        struct answers answers;
        enum retry_idempotence idem;
        unsigned requests;
        enum rd_err_kind kind; /* RD_ERR_KIND_MAX: success */
    } rows[] = {
        {"fine at once", ANSWERS("200"), RETRY_SAFE, 1, RD_ERR_KIND_MAX},
        {"a redirect is an answer", ANSWERS("302"), RETRY_SAFE, 1, RD_ERR_KIND_MAX},
        {"resets", ANSWERS("reset", "reset", "200"), RETRY_SAFE, 3, RD_ERR_KIND_MAX},
        {"a reset of what must go once", ANSWERS("reset", "200"), RETRY_ONCE, 1, RD_ERR_TRANSIENT},
        {"502, 503, 504", ANSWERS("502", "503", "504", "200"), RETRY_SAFE, 4, RD_ERR_KIND_MAX},
        {"503 of what must go once", ANSWERS("503", "200"), RETRY_ONCE, 1, RD_ERR_TRANSIENT},
        {"429 of what must go once", ANSWERS("429", "200"), RETRY_ONCE, 2, RD_ERR_KIND_MAX},
        {"404", ANSWERS("404", "200"), RETRY_SAFE, 1, RD_ERR_NOT_FOUND},
        {"403", ANSWERS("403", "200"), RETRY_SAFE, 1, RD_ERR_CREDENTIALS},
        {"401 without credentials", ANSWERS("401", "200"), RETRY_SAFE, 1, RD_ERR_CREDENTIALS},
        {"409", ANSWERS("409", "200"), RETRY_SAFE, 1, RD_ERR_CONFLICT},
        {"400", ANSWERS("400", "200"), RETRY_SAFE, 1, RD_ERR_FAILED},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct server *s = server_new(script_answers, &rows[i].answers, NULL);
        struct calls c = {0};
        open_calls(&c, s, 1, "POST");
        c.call[0].idem = rows[i].idem;
        go(&c);
        const struct rd_err *err = c.call[0].op.err;
        enum rd_err_kind kind = err != NULL ? err->kind : RD_ERR_KIND_MAX;
        if (kind != rows[i].kind || server_requests(s) != rows[i].requests)
            fail_msg("%s: want %u requests and kind %d, have %u and %d: %s", rows[i].what,
                     rows[i].requests, rows[i].kind, server_requests(s), kind,
                     err != NULL ? err->message : "fine");
        assert_int_equal(c.retries, rows[i].requests - 1);
        assert_int_equal(c.call[0].attempt, rows[i].requests);
        close_calls(&c);
        server_free(s);
    }
}

/* Goal: giving up says how often it was tried, and keeps what the last answer said. */
static void giving_up(void **state)
{
    (void)state;
    static const struct retry_policy thrice = {.base_ms = 1, .cap_ms = 2, .attempts_max = 3};
    struct answers a = ANSWERS("503");
    struct server *s = server_new(script_answers, &a, NULL);
    struct calls c = {0};
    open_calls(&c, s, 1, "GET");
    c.call[0].policy = &thrice;
    go(&c);
    assert_call_err(&c, RD_ERR_TRANSIENT, "gave up after 3 attempts");
    assert_int_equal(c.call[0].op.err->http_status, 503);
    assert_string_equal(c.call[0].op.err->remote, "no token");
    assert_non_null(strstr(rd_buf_str(&c.reasons), "status 503"));
    close_calls(&c);
    server_free(s);
}

/* Goal: the gate is asked before each attempt, and again before its first byte; what it refuses is not
 * sent. */
static unsigned gate_asked, gate_yeses;

static bool gate(struct http_call *c, struct rd_err **ret_err)
{
    (void)c;
    return gate_asked++ < gate_yeses || rd_fail(ret_err, RD_ERR_TRANSIENT, "too late to send");
}

static void a_gate_before_each_attempt(void **state)
{
    (void)state;
    struct answers a = ANSWERS("503", "200");
    struct server *s = server_new(script_answers, &a, NULL);
    struct calls c = {0};
    open_calls(&c, s, 1, "GET");
    c.call[0].may_send = gate;
    gate_asked = 0;
    gate_yeses = 2;
    go(&c);
    assert_call_err(&c, RD_ERR_TRANSIENT, "too late to send");
    assert_int_equal(a.next, 1);
    assert_int_equal(gate_asked, 3);
    close_calls(&c);
    server_free(s);
}

/* Goal: the lock ran out while the connection was made: not a byte of the request leaves. */
static void a_gate_before_the_first_byte(void **state)
{
    (void)state;
    struct answers a = ANSWERS("200");
    struct server *s = server_new(script_answers, &a, NULL);
    struct calls c = {0};
    open_calls(&c, s, 1, "POST");
    c.call[0].may_send = gate;
    gate_asked = 0;
    gate_yeses = 1;
    go(&c);
    assert_call_err(&c, RD_ERR_TRANSIENT, "too late to send");
    assert_int_equal(a.next, 0);
    assert_int_equal(gate_asked, 2);
    assert_false(c.call[0].req.sent);
    close_calls(&c);
    server_free(s);
}

/* Goal: a Retry-After past the deadline ends the call now, with the answer and not with a timeout.
 */
static void retry_after_past_the_deadline(void **state)
{
    (void)state;
    struct answers a = ANSWERS("429 Retry-After: 3600");
    struct server *s = server_new(script_answers, &a, NULL);
    struct calls c = {.timeout_ms = 60000};
    open_calls(&c, s, 1, "GET");
    go(&c);
    assert_call_err(&c, RD_ERR_TRANSIENT, "status 429");
    assert_int_equal(c.call[0].op.err->retry_after_ms, 3600000);
    close_calls(&c);
    server_free(s);
}

/* Goal: a deadline that passes in a later attempt also says what was wrong with the earlier one. */
static void deadline_in_a_later_attempt(void **state)
{
    (void)state;
    struct answers a = ANSWERS("502", "stall");
    struct server *s = server_new(script_answers, &a, NULL);
    struct calls c = {.timeout_ms = 1500};
    open_calls(&c, s, 1, "GET");
    go(&c);
    assert_call_err(&c, RD_ERR_TIMEOUT, "status 502; after 2 attempts: no answer from 127.0.0.1");
    assert_non_null(c.call[0].op.err->cause);
    close_calls(&c);
    server_free(s);
}

static void cancelling(void **state)
{
    (void)state;
    static const char *const what[] = {"stall", "503 Retry-After: 100"}; /* in request, in pause */
    for (size_t i = 0; i < RD_ARRAY_LEN(what); i++) {
        struct answers a = {.list = &what[i], .len = 1};
        struct server *s = server_new(script_answers, &a, NULL);
        struct calls c = {.cancel_after_ms = 60};
        open_calls(&c, s, 1, "GET");
        go(&c);
        assert_call_err(&c, RD_ERR_CANCELLED, "");
        close_calls(&c);
        server_free(s);
    }
}

/* ---- Judges ---- */

static enum call_judgement verdict;

static enum call_judgement fixed_judge(struct http_call *c, struct rd_err **ret_err)
{
    if (verdict != CALL_OK)
        *ret_err = rd_err_new(RD_ERR_FOREIGN, "judged %ld", c->req.status);
    return verdict;
}

static void judges(void **state)
{
    (void)state;
    static const struct {
        enum call_judgement verdict;
        const char *status;
        unsigned requests;
        bool fine;
    } rows[] = {
        {CALL_OK, "404", 1, true},
        {CALL_RETRY, "409", 3, true}, /* two of them, then 200 */
        {CALL_FINAL, "503", 1, false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        const char *list[] = {rows[i].status, rows[i].status, "200"};
        struct answers a = {.list = list, .len = 3};
        struct server *s = server_new(script_answers, &a, NULL);
        struct calls c = {0};
        open_calls(&c, s, 1, "GET");
        verdict = rows[i].verdict;
        c.call[0].judge = fixed_judge;
        go(&c);
        assert_int_equal(server_requests(s), rows[i].requests);
        if (rows[i].fine)
            assert_null(c.call[0].op.err);
        else
            assert_call_err(&c, RD_ERR_FOREIGN, "judged 503");
        close_calls(&c);
        server_free(s);
    }
}

/* ---- Credentials ---- */

struct fake_auth {
    struct http_auth base;
    bool fresh, slow, broken;
    unsigned fetches, invalidations;
    struct http_auth_wait *waiting[4];
    size_t waiting_len;
};

static void fake_wait_step(struct op *op)
{
    struct http_auth_wait *w = container_of(op, struct http_auth_wait, op);
    struct fake_auth *a = container_of(w->auth, struct fake_auth, base);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (a->slow)
        return;
    if (a->broken) {
        op_finish(op, rd_err_new(RD_ERR_CREDENTIALS, "the key is gone"));
        return;
    }
    if (!a->fresh) {
        a->fresh = true;
        a->fetches++;
        a->base.generation++;
    }
    op_finish(op, NULL);
}

static bool fake_ensure(struct http_auth *base, struct http_auth_wait *wait, struct op *parent)
{
    struct fake_auth *a = container_of(base, struct fake_auth, base);
    if (a->fresh)
        return true;
    wait->auth = base;
    op_start(&wait->op, parent, fake_wait_step, "credential");
    return false;
}

static void fake_apply(struct http_auth *base, struct http_req *r)
{
    char text[40];
    snprintf(text, sizeof text, "Bearer token-%lu", (unsigned long)base->generation);
    http_req_header(r, "Authorization", text);
}

static void fake_invalidate(struct http_auth *base)
{
    struct fake_auth *a = container_of(base, struct fake_auth, base);
    a->fresh = false;
    a->invalidations++;
}

static const struct http_auth_ops fake_ops = {fake_ensure, fake_apply, fake_invalidate, NULL};

static void credential_is_fetched_and_sent(void **state)
{
    (void)state;
    struct answers a = ANSWERS("200");
    struct server *s = server_new(script_answers, &a, NULL);
    struct fake_auth auth = {.base.ops = &fake_ops};
    struct calls c = {0};
    open_calls(&c, s, 1, "GET");
    c.call[0].auth = &auth.base;
    go(&c);
    assert_null(c.call[0].op.err);
    assert_string_equal(rd_buf_str(&c.call[0].req.resp), "Bearer token-1");
    close_calls(&c);
    server_free(s);
}

/* Goal: a 401 renews the credential once and repeats, even what must go once; it is no attempt. */
static void one_401_is_forgiven(void **state)
{
    (void)state;
    struct answers a = ANSWERS("401", "200");
    struct server *s = server_new(script_answers, &a, NULL);
    struct fake_auth auth = {.base.ops = &fake_ops, .base.generation = 1, .fresh = true};
    struct calls c = {0};
    open_calls(&c, s, 1, "POST");
    c.call[0].auth = &auth.base;
    c.call[0].idem = RETRY_ONCE;
    go(&c);
    assert_null(c.call[0].op.err);
    assert_string_equal(rd_buf_str(&c.call[0].req.resp), "Bearer token-2");
    assert_int_equal(auth.invalidations, 1);
    assert_int_equal(c.retries, 0);
    close_calls(&c);
    server_free(s);
}

static void second_401_is_final(void **state)
{
    (void)state;
    struct answers a = ANSWERS("401");
    struct server *s = server_new(script_answers, &a, NULL);
    struct fake_auth auth = {.base.ops = &fake_ops, .base.generation = 1, .fresh = true};
    struct calls c = {0};
    open_calls(&c, s, 1, "GET");
    c.call[0].auth = &auth.base;
    go(&c);
    assert_call_err(&c, RD_ERR_CREDENTIALS, "status 401");
    assert_int_equal(server_requests(s), 2);
    assert_int_equal(auth.invalidations, 1);
    close_calls(&c);
    server_free(s);
}

static void script_renewed_only(struct peer *p, void *ctx)
{
    (void)ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        RD_AUTOFREE char *token = peer_request_header(&q, "Authorization");
        peer_reply(p, rd_streq(token, "Bearer token-1") ? 401 : 200, NULL, token);
    }
    peer_request_clear(&q);
}

/* Goal: two calls that got 401 for the same credential throw it away once. */
static void two_calls_invalidate_once(void **state)
{
    (void)state;
    struct server *s = server_new(script_renewed_only, NULL, NULL);
    struct fake_auth auth = {.base.ops = &fake_ops, .base.generation = 1, .fresh = true};
    struct calls c = {0};
    open_calls(&c, s, 2, "GET");
    c.call[0].auth = c.call[1].auth = &auth.base;
    go(&c);
    assert_null(c.call[0].op.err);
    assert_null(c.call[1].op.err);
    assert_int_equal(auth.fetches, 1);
    assert_in_range(auth.invalidations, 1, 2); /* the second while no new one was there yet */
    close_calls(&c);
    server_free(s);
}

static void credential_fails(void **state)
{
    (void)state;
    struct answers a = ANSWERS("200");
    struct server *s = server_new(script_answers, &a, NULL);
    struct fake_auth auth = {.base.ops = &fake_ops, .broken = true};
    struct calls c = {0};
    open_calls(&c, s, 1, "GET");
    c.call[0].auth = &auth.base;
    go(&c);
    assert_call_err(&c, RD_ERR_CREDENTIALS, "the key is gone");
    assert_int_equal(server_requests(s), 0);
    close_calls(&c);
    server_free(s);
}

static void cancel_while_waiting_for_a_credential(void **state)
{
    (void)state;
    struct answers a = ANSWERS("200");
    struct server *s = server_new(script_answers, &a, NULL);
    struct fake_auth auth = {.base.ops = &fake_ops, .slow = true};
    struct calls c = {.cancel_after_ms = 30};
    open_calls(&c, s, 1, "GET");
    c.call[0].auth = &auth.base;
    go(&c);
    assert_call_err(&c, RD_ERR_CANCELLED, "");
    close_calls(&c);
    server_free(s);
}

/* ---- Streams ---- */

static void script_stream(struct peer *p, void *ctx)
{
    bool broken = *(bool *)ctx;
    struct peer_request q = {0};
    if (peer_read_request(p, &q)) {
        if (peer_index(p) == 0) {
            peer_reply(p, 503, NULL, "not yet");
        } else {
            peer_send(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < 4; i++) {
                peer_send(p, "5\r\nline\n\r\n");
                peer_pause(p, 20);
            }
            if (!broken)
                peer_send(p, "0\r\n\r\n");
        }
    }
    peer_request_clear(&q);
}

/* Goal: a refusal before the stream is retried; its owner hears of each arrival; a stream that
 * breaks is not repeated behind his back. */
static void streams(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool broken = i == 1;
        struct server *s = server_new(script_stream, &broken, NULL);
        struct calls c = {.consume = true};
        open_calls(&c, s, 1, "GET");
        c.call[0].req.stream = true;
        go(&c);
        assert_string_equal(rd_buf_str(&c.seen), "line\nline\nline\nline\n");
        if (broken)
            assert_call_err(&c, RD_ERR_TRANSIENT, "");
        else
            assert_null(c.call[0].op.err);
        assert_true(c.wakes_before_end >= 2);
        assert_int_equal(server_connections(s), 2);
        close_calls(&c);
        server_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries),
        cmocka_unit_test(giving_up),
        cmocka_unit_test(a_gate_before_each_attempt),
        cmocka_unit_test(a_gate_before_the_first_byte),
        cmocka_unit_test(retry_after_past_the_deadline),
        cmocka_unit_test(deadline_in_a_later_attempt),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(judges),
        cmocka_unit_test(credential_is_fetched_and_sent),
        cmocka_unit_test(one_401_is_forgiven),
        cmocka_unit_test(second_401_is_final),
        cmocka_unit_test(two_calls_invalidate_once),
        cmocka_unit_test(credential_fails),
        cmocka_unit_test(cancel_while_waiting_for_a_credential),
        cmocka_unit_test(streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
