/* Requests against a scripted server: answers, stalls, resets, half lines, ceilings, cancelling. */
#include "harness/one_request.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Answers ---- */

static void script_answer(struct peer *p, void *ctx)
{
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        if (ctx != NULL) {
            rd_buf_puts(ctx, rd_buf_str(&q.head));
            rd_buf_append(ctx, q.body.data, q.body.len);
        }
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
    run_get(&r, s, "/a/b?c=d");
    http_req_header(&r.req, "Authorization", "Bearer first");
    http_req_header(&r.req, "authorization", "Bearer second");
    http_req_header(&r.req, "X-Empty", "");
    http_req_header_add(&r.req, "X-Many", "one");
    http_req_header_add(&r.req, "X-Many", "two");
    run_go(&r);
    assert_run_fine(&r, 200, "hello");
    assert_string_equal(r.req.content_type, "text/plain");
    assert_string_equal(r.req.etag, "\"7\"");
    assert_string_equal(r.req.audit_id, "a-1");
    assert_int_equal(r.req.retry_after_ms, 3000);
    assert_string_equal(rd_buf_str(&r.req.warnings), "old \"v1\" \ntwo\n");
    assert_true(r.req.sent);
    assert_int_equal(r.req.got_bytes, 5);
    run_close(&r);
    server_free(s);
    assert_non_null(strstr(rd_buf_str(&seen), "GET /a/b?c=d HTTP/1.1\r\n"));
    assert_non_null(strstr(rd_buf_str(&seen), "authorization: Bearer second\r\n"));
    assert_null(strstr(rd_buf_str(&seen), "first"));
    assert_non_null(strstr(rd_buf_str(&seen), "X-Empty:\r\n"));
    assert_non_null(strstr(rd_buf_str(&seen), "X-Many: one\r\n"));
    assert_non_null(strstr(rd_buf_str(&seen), "X-Many: two\r\n"));
    assert_non_null(strstr(rd_buf_str(&seen), "Accept-Encoding: "));
    assert_non_null(
        strstr(rd_buf_str(&seen), "User-Agent: raydeploy/" RAYDEPLOY_VERSION " (linux/"));
    rd_buf_clear(&seen);
}

/* Goal: every method goes out as itself, with its body and nothing that curl adds. */
static void methods_and_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *method, *type, *body, *want, *not_want;
    } rows[] = {
        {"POST", "application/json", "{}", "POST / HTTP/1.1\r\n", "form-urlencoded"},
        {"POST", NULL, NULL, "Content-Length: 0\r\n", "Content-Type"},
        {"PATCH", "application/apply-patch+yaml", "a: 1", "PATCH / HTTP/1.1\r\n", "Expect"},
        {"PUT", "text/plain", "x", "PUT / HTTP/1.1\r\n", "Expect"},
        {"DELETE", "application/json", "{\"a\":1}", "DELETE / HTTP/1.1\r\n", "Expect"},
        {"DELETE", NULL, NULL, "DELETE / HTTP/1.1\r\n", "Content-Length"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct rd_buf seen = RD_BUF_INIT(100000);
        struct server *s = server_new(script_answer, &seen, NULL);
        struct run r = {0};
        run_open(&r, NULL);
        RD_AUTOFREE char *url = server_url(s, "/");
        http_req_init(&r.req, r.client, rows[i].method, url);
        if (rows[i].body != NULL)
            http_req_body(&r.req, rows[i].type, rd_strdup(rows[i].body), strlen(rows[i].body));
        r.req.no_decode = true;
        run_go(&r);
        assert_run_fine(&r, 200, "hello");
        run_close(&r);
        server_free(s);
        const char *text = rd_buf_str(&seen);
        if (strstr(text, rows[i].want) == NULL || strstr(text, rows[i].not_want) != NULL)
            fail_msg("%s %zu: want \"%s\" and no \"%s\" in:\n%s", rows[i].method, i, rows[i].want,
                     rows[i].not_want, text);
        assert_null(strstr(text, "Accept-Encoding"));
        if (rows[i].body != NULL && !rd_ends_with(text, rows[i].body))
            fail_msg("%s: body missing in:\n%s", rows[i].method, text);
        rd_buf_clear(&seen);
    }
}

/* Goal: an ended request may be started again; the connection is used again. */
static void restart_and_keep_alive(void **state)
{
    (void)state;
    struct server *s = server_new(script_answer, NULL, NULL);
    struct run r = {0};
    run_get(&r, s, "/");
    for (int i = 0; i < 5; i++) {
        run_go(&r);
        assert_run_fine(&r, 200, "hello");
    }
    run_close(&r);
    assert_int_equal(server_requests(s), 5);
    assert_int_equal(server_connections(s), 1);
    server_free(s);
}

static void script_statuses(struct peer *p, void *ctx)
{
    (void)ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        int status = atoi(q.path + 1);
        peer_reply(p, status, "Location: /elsewhere\r\nWWW-Authenticate: Basic\r\n", "body");
    }
    peer_request_clear(&q);
}

/* Goal: any status is an answer; redirects are not followed. */
static void any_status_is_an_answer(void **state)
{
    (void)state;
    struct server *s = server_new(script_statuses, NULL, NULL);
    struct run r = {0};
    run_open(&r, NULL);
    static const int statuses[] = {301, 307, 401, 404, 429, 500, 503};
    for (size_t i = 0; i < RD_ARRAY_LEN(statuses); i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", statuses[i]);
        http_req_clear(&r.req);
        run_get(&r, s, path);
        run_go(&r);
        assert_run_fine(&r, statuses[i], "body");
        assert_string_equal(r.req.location, "/elsewhere");
        assert_string_equal(r.req.www_authenticate, "Basic");
    }
    run_close(&r);
    assert_int_equal(server_requests(s), RD_ARRAY_LEN(statuses));
    server_free(s);
}

static void script_interim(struct peer *p, void *ctx)
{
    (void)ctx;
    struct peer_request q = {0};
    if (peer_read_request(p, &q)) {
        peer_send(p, "HTTP/1.1 103 Early\r\nETag: early\r\nWarning: 299 - \"early\"\r\n\r\n");
        peer_send(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                     "ETag: trailer\r\n\r\n");
        peer_wait_gone(p);
    }
    peer_request_clear(&q);
}

/* Goal: headers of an interim answer and trailers are not those of the answer. */
static void interim_answers_and_trailers(void **state)
{
    (void)state;
    struct server *s = server_new(script_interim, NULL, NULL);
    struct run r = {0};
    run_get(&r, s, "/");
    run_go(&r);
    assert_run_fine(&r, 200, "abc");
    assert_null(r.req.etag);
    assert_string_equal(rd_buf_str(&r.req.warnings), "");
    run_close(&r);
    server_free(s);
}

/* ---- Scripts that break off or stall, by bytes ---- */

struct script {
    const char *bytes; /* sent after the request */
    enum { THEN_CLOSE, THEN_RESET, THEN_STALL } then;
    bool before_request; /* do it at once */
};

static void script_play(struct peer *p, void *ctx)
{
    const struct script *script = ctx;
    struct peer_request q = {0};
    if (!script->before_request)
        peer_read_request(p, &q);
    peer_request_clear(&q);
    peer_send(p, script->bytes);
    if (script->then == THEN_STALL)
        peer_wait_gone(p);
    if (script->then == THEN_RESET)
        peer_reset(p);
}

static void broken_answers(void **state)
{
    (void)state;
    static const struct {
        struct script script;
        enum rd_err_kind kind;
        const char *text;
        bool sent;
    } rows[] = {
        {{"", THEN_CLOSE, false}, RD_ERR_TRANSIENT, "without an answer", true},
        {{"", THEN_RESET, false}, RD_ERR_TRANSIENT, "was lost", true},
        {{"HTTP/1.1 20", THEN_CLOSE, false}, RD_ERR_TRANSIENT, "without an answer", true},
        {{"HTTP/1.1 200 OK\r\nContent-Le", THEN_CLOSE, false}, RD_ERR_TRANSIENT, "broke off", true},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", THEN_CLOSE, false},
         RD_ERR_TRANSIENT,
         "broke off",
         true},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", THEN_RESET, false},
         RD_ERR_TRANSIENT,
         "was lost",
         true},
        {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", THEN_CLOSE, false},
         RD_ERR_TRANSIENT,
         "",
         true},
        {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", THEN_CLOSE, false},
         RD_ERR_TRANSIENT,
         "",
         true},
        {{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", THEN_CLOSE,
          false},
         RD_ERR_FAILED,
         "cannot be decoded",
         true},
        {{"SSH-2.0-OpenSSH_9.2\r\n", THEN_CLOSE, false},
         RD_ERR_FAILED,
         "does not answer in HTTP",
         true},
        {{"", THEN_STALL, false}, RD_ERR_TIMEOUT, "no answer from 127.0.0.1", true},
        {{"HTTP/1.1 200 OK\r\nX: ", THEN_STALL, false}, RD_ERR_TIMEOUT, "no answer from", true},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", THEN_STALL, false},
         RD_ERR_TIMEOUT,
         "stalled for 100 ms",
         true},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct script script = rows[i].script;
        struct server *s = server_new(script_play, &script, NULL);
        struct run r = {0};
        run_get(&r, s, "/x?secret=1");
        r.req.first_byte_ms = 100;
        r.req.idle_ms = 100;
        http_req_header(&r.req, "Authorization", "Bearer geheim");
        run_go(&r);
        if (r.op.err == NULL || r.op.err->kind != rows[i].kind ||
            strstr(r.op.err->message, rows[i].text) == NULL || r.req.sent != rows[i].sent)
            fail_msg("row %zu: want %s \"%s\" sent %d, have %s: %s sent %d", i,
                     rd_err_kind_name(rows[i].kind), rows[i].text, rows[i].sent,
                     r.op.err != NULL ? rd_err_kind_name(r.op.err->kind) : "success",
                     r.op.err != NULL ? r.op.err->message : "", r.req.sent);
        assert_null(strstr(r.op.err->message, "geheim"));
        assert_null(strstr(r.op.err->resource, "secret"));
        assert_non_null(strstr(r.op.err->resource, "/x"));
        run_close(&r);
        server_free(s);
    }
}

static void script_slow(struct peer *p, void *ctx)
{
    const char *text = ctx;
    struct peer_request q = {0};
    peer_read_request(p, &q);
    peer_request_clear(&q);
    for (const char *b = text; *b != '\0'; b++) {
        if (!peer_send_bytes(p, b, 1))
            return;
        peer_pause(p, 5);
    }
}

/* Goal: slow is not stalled: each byte resets the idle limit. */
static void slow_is_not_stalled(void **state)
{
    (void)state;
    static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 60\r\nX: y\r\n\r\n"
                         "012345678901234567890123456789012345678901234567890123456789";
    struct server *s = server_new(script_slow, text, NULL);
    struct run r = {0};
    run_get(&r, s, "/");
    r.req.idle_ms = 250; /* the body alone takes 300 */
    run_go(&r);
    assert_run_fine(&r, 200, strrchr(text, '\n') + 1);
    run_close(&r);
    server_free(s);
}

static void script_flood(struct peer *p, void *ctx)
{
    const char *head = ctx;
    struct peer_request q = {0};
    peer_read_request(p, &q);
    peer_request_clear(&q);
    peer_send(p, head);
    while (peer_send(p, "X-Flood: 0123456789012345678901234567890123456789\r\n"))
        ;
}

/* Goal: the answer's size is bounded, headers and body. */
static void ceilings(void **state)
{
    (void)state;
    char body[] = "HTTP/1.1 200 OK\r\n\r\n", headers[] = "HTTP/1.1 200 OK\r\n";
    struct server *s = server_new(script_flood, body, NULL);
    struct run r = {0};
    run_get(&r, s, "/");
    r.req.resp.max = 100000;
    run_go(&r);
    assert_run_err(&r, RD_ERR_FAILED, "over the limit of 100000 bytes");
    assert_true(r.req.resp.len <= 100000);
    run_close(&r);
    server_free(s);
    s = server_new(script_flood, headers, NULL);
    r = (struct run){0};
    run_get(&r, s, "/");
    run_go(&r);
    assert_run_err(&r, RD_ERR_FAILED, "headers of the answer");
    run_close(&r);
    server_free(s);
}

static void script_exact(struct peer *p, void *ctx)
{
    struct peer_request q = {0};
    while (peer_read_request(p, &q))
        peer_reply(p, 200, NULL, ctx);
    peer_request_clear(&q);
}

/* Goal: exactly the ceiling fits. */
static void exactly_the_ceiling(void **state)
{
    (void)state;
    char body[] = "0123456789";
    struct server *s = server_new(script_exact, body, NULL);
    for (size_t max = 9; max <= 10; max++) {
        struct run r = {0};
        run_get(&r, s, "/");
        r.req.resp.max = max;
        run_go(&r);
        if (max == 10)
            assert_run_fine(&r, 200, body);
        else
            assert_run_err(&r, RD_ERR_FAILED, "over the limit of 9 bytes");
        run_close(&r);
    }
    server_free(s);
}

/* ---- Streams ---- */

struct lines {
    struct run run;
    char seen[64];
};

static void consume(struct run *r)
{
    struct lines *l = container_of(r, struct lines, run);
    if (r->req.status == 0)
        return;
    strncat(l->seen, rd_buf_str(&r->req.resp), sizeof l->seen - strlen(l->seen) - 1);
    rd_buf_consume(&r->req.resp, r->req.resp.len);
}

static void script_stream(struct peer *p, void *ctx)
{
    (void)ctx;
    struct peer_request q = {0};
    peer_read_request(p, &q);
    peer_request_clear(&q);
    peer_send(p, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 8; i++) {
        peer_pause(p, 20);
        peer_send(p, "line\n");
    }
}

/* Goal: a stream wakes its parent while it runs; what is consumed does not count. */
static void stream(void **state)
{
    (void)state;
    struct server *s = server_new(script_stream, NULL, NULL);
    struct lines l = {.run.on_wake = consume};
    run_get(&l.run, s, "/");
    l.run.req.stream = true;
    l.run.req.resp.max = 30;
    run_go(&l.run);
    assert_run_fine(&l.run, 200, "");
    assert_string_equal(l.seen, "line\nline\nline\nline\nline\nline\nline\nline\n");
    assert_true(l.run.wakes >= 3);
    run_close(&l.run);
    server_free(s);
}

/* ---- Not connected ---- */

static unsigned closed_port(int *ret_fd)
{
    /* Bound and not listening: refused, and nobody else can take it. */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *ret_fd = fd;
    return ntohs(a.sin_port);
}

static void refused(void **state)
{
    (void)state;
    int fd;
    RD_AUTOFREE char *url = rd_asprintf("http://127.0.0.1:%u/", closed_port(&fd));
    struct run r = {0};
    run_open(&r, NULL);
    http_req_init(&r.req, r.client, "GET", url);
    run_go(&r);
    assert_run_err(&r, RD_ERR_TRANSIENT, "Connection refused");
    assert_false(r.req.sent);
    assert_non_null(r.op.err->hint);
    run_close(&r);
    close(fd);
}

/* Goal: a name under .invalid (RFC 6761) never resolves. Where a resolver is at hand, that is
 * final; where none can be asked, nobody can know, and it is not. */
static void name_does_not_resolve(void **state)
{
    (void)state;
    struct run r = {0};
    run_open(&r, NULL);
    http_req_init(&r.req, r.client, "GET", "https://raydeploy-test.invalid/");
    run_go(&r);
    assert_non_null(r.op.err);
    if (r.op.err->kind != RD_ERR_NETWORK)
        assert_run_err(&r, RD_ERR_TRANSIENT, "cannot be resolved at the moment");
    else
        assert_run_err(&r, RD_ERR_NETWORK, "host name raydeploy-test.invalid does not resolve");
    assert_false(r.req.sent);
    run_close(&r);
}

static void connect_limit(void **state)
{
    (void)state;
    /* A backlog that is full: the handshake is never answered. */
    int fd = socket(AF_INET, SOCK_STREAM, 0), fill[8];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (size_t i = 0; i < RD_ARRAY_LEN(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fill[i], (struct sockaddr *)&a, len) != 0)
            assert_int_equal(errno, EINPROGRESS);
    }
    RD_AUTOFREE char *url = rd_asprintf("http://127.0.0.1:%u/", ntohs(a.sin_port));
    struct run r = {0};
    run_open(&r, NULL);
    http_req_init(&r.req, r.client, "GET", url);
    r.req.connect_ms = 150;
    run_go(&r);
    assert_run_err(&r, RD_ERR_TIMEOUT, "within 150 ms");
    assert_false(r.req.sent);
    run_close(&r);
    for (size_t i = 0; i < RD_ARRAY_LEN(fill); i++)
        close(fill[i]);
    close(fd);
}

static void bad_urls_and_headers(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",        "ftp://host/",       "http://user:pw@host/", "http://ho st/",
        "http://", "file:///etc/passwd"};
    for (size_t i = 0; i < RD_ARRAY_LEN(urls); i++) {
        struct run r = {0};
        run_open(&r, NULL);
        http_req_init(&r.req, r.client, "GET", urls[i]);
        run_go(&r);
        assert_run_err(&r, RD_ERR_INPUT, "URL");
        assert_null(strstr(r.op.err->message, "pw"));
        run_close(&r);
    }
    struct run r = {0};
    run_open(&r, NULL);
    http_req_init(&r.req, r.client, "GET", "http://127.0.0.1/");
    http_req_header(&r.req, "Authorization", "Bearer x\r\nX-Evil: 1");
    run_go(&r);
    assert_run_err(&r, RD_ERR_INPUT, "line break");
    run_close(&r);
}

/* ---- Cancelling and deadlines in each state ---- */

static void script_stall_at(struct peer *p, void *ctx)
{
    const struct script *script = ctx;
    if (script->before_request) { /* never reads */
        peer_pause(p, 100000);
        return;
    }
    script_play(p, ctx);
}

static void cancel_and_deadline(void **state)
{
    (void)state;
    struct script rows[] = {
        {"", THEN_STALL, true},
        {"", THEN_STALL, false},
        {"HTTP/1.1 200", THEN_STALL, false},
        {"HTTP/1.1 200 OK\r\n\r\nabc", THEN_STALL, false},
    };
    for (size_t i = 0; i < 2 * RD_ARRAY_LEN(rows); i++) {
        struct server *s = server_new(script_stall_at, &rows[i / 2], NULL);
        struct run r = {0};
        if (i % 2 == 0)
            r.cancel_after_ms = 40;
        else
            r.timeout_ms = 40;
        run_get(&r, s, "/");
        run_go(&r);
        assert_run_err(&r, i % 2 == 0 ? RD_ERR_CANCELLED : RD_ERR_TIMEOUT, "");
        run_close(&r);
        server_free(s);
    }
}

static void cancel_while_connecting(void **state)
{
    (void)state;
    struct run r = {.cancel_after_ms = 1};
    run_open(&r, NULL);
    /* RFC 5737: no route or no answer; either way it ends at once. */
    http_req_init(&r.req, r.client, "GET", "http://192.0.2.1:9/");
    run_go(&r);
    assert_non_null(r.op.err);
    run_close(&r);
}

static void cancel_while_resolving(void **state)
{
    (void)state;
    struct run r = {.cancel_after_ms = 1};
    run_open(&r, NULL);
    http_req_init(&r.req, r.client, "GET", "http://raydeploy-test.invalid/");
    run_go(&r);
    assert_non_null(r.op.err);
    run_close(&r);
}

/* ---- What a stale connection swallows ---- */

static void script_swallow(struct peer *p, void *ctx)
{
    (void)ctx;
    struct peer_request q = {0};
    if (peer_read_request(p, &q) && peer_index(p) == 0) {
        peer_reply(p, 200, NULL, "one");
        peer_read_request(p, &q); /* taken, perhaps done, never answered */
    } else {
        peer_reply(p, 200, NULL, "again");
    }
    peer_request_clear(&q);
}

/* Goal: curl repeats by itself on a stale connection; `fresh` keeps it from doing so. */
static void fresh_is_never_repeated(void **state)
{
    (void)state;
    for (int fresh = 0; fresh < 2; fresh++) {
        struct server *s = server_new(script_swallow, NULL, NULL);
        struct run r = {0};
        run_get(&r, s, "/");
        run_go(&r);
        assert_run_fine(&r, 200, "one");
        http_req_clear(&r.req);
        RD_AUTOFREE char *url = server_url(s, "/");
        http_req_init(&r.req, r.client, "POST", url);
        r.req.fresh = fresh;
        run_go(&r);
        assert_run_fine(&r, 200, "again");
        /* Without fresh the POST was read twice, with it once. */
        assert_int_equal(server_requests(s), fresh ? 2 : 3);
        run_close(&r);
        server_free(s);
    }
}

/* ---- connect_only ---- */

static void script_raw(struct peer *p, void *ctx)
{
    (void)ctx;
    char got[5] = {0};
    if (peer_read_some(p, got, 4) == 4)
        peer_send(p, strcmp(got, "ping") == 0 ? "pong" : "huh?");
    peer_wait_gone(p);
}

static void connect_only(void **state)
{
    (void)state;
    struct harness_ca *ca = harness_ca_new("connect-only ca");
    struct harness_identity *id = harness_identity_new(ca, "server", "IP:127.0.0.1", 1);
    for (int tls = 0; tls < 2; tls++) {
        struct server *s = server_new(script_raw, NULL, tls ? id : NULL);
        struct run r = {0};
        struct http_client_options o = {.proxy = rd_strdup(""),
                                        .tls.ca_pem = rd_strdup(harness_ca_pem(ca))};
        run_open(&r, &o);
        RD_AUTOFREE char *url = server_url(s, "/");
        http_req_init(&r.req, r.client, "GET", url);
        r.req.connect_only = true;
        run_go(&r);
        assert_null(r.op.err);
        assert_int_equal(r.req.status, 0);
        CURL *e = http_req_curl(&r.req);
        assert_non_null(e);
        curl_socket_t fd = CURL_SOCKET_BAD;
        assert_int_equal(curl_easy_getinfo(e, CURLINFO_ACTIVESOCKET, &fd), CURLE_OK);
        assert_true(fd >= 0);
        size_t n = 0;
        assert_int_equal(curl_easy_send(e, "ping", 4, &n), CURLE_OK);
        assert_int_equal(n, 4);
        char got[8] = {0};
        CURLcode rc;
        while ((rc = curl_easy_recv(e, got, 4, &n)) == CURLE_AGAIN)
            usleep(1000);
        assert_int_equal(rc, CURLE_OK);
        assert_string_equal(got, "pong");
        run_close(&r);
        server_free(s);
    }
    harness_identity_free(id);
    harness_ca_free(ca);
}

/* Goal: an observer sees each end, failures included. */
static void observe(void *ctx, const struct http_req *r)
{
    rd_buf_printf(ctx, "%s %ld %s\n", r->method, r->status,
                  r->op.err != NULL ? rd_err_kind_name(r->op.err->kind) : "fine");
}

static void observer(void **state)
{
    (void)state;
    struct rd_buf log = RD_BUF_INIT(1000);
    struct script script = {"", THEN_CLOSE, false};
    struct server *good = server_new(script_answer, NULL, NULL);
    struct server *bad = server_new(script_play, &script, NULL);
    struct http_client_options o = {
        .proxy = rd_strdup(""), .observe = observe, .observe_ctx = &log};
    struct run r = {0};
    run_open(&r, &o);
    run_get(&r, good, "/");
    run_go(&r);
    http_req_clear(&r.req);
    run_get(&r, bad, "/");
    run_go(&r);
    run_close(&r);
    assert_string_equal(rd_buf_str(&log), "GET 200 fine\nGET 0 transient\n");
    rd_buf_clear(&log);
    server_free(good);
    server_free(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_and_headers),
        cmocka_unit_test(methods_and_bodies),
        cmocka_unit_test(restart_and_keep_alive),
        cmocka_unit_test(any_status_is_an_answer),
        cmocka_unit_test(interim_answers_and_trailers),
        cmocka_unit_test(broken_answers),
        cmocka_unit_test(slow_is_not_stalled),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(exactly_the_ceiling),
        cmocka_unit_test(stream),
        cmocka_unit_test(refused),
        cmocka_unit_test(name_does_not_resolve),
        cmocka_unit_test(connect_limit),
        cmocka_unit_test(bad_urls_and_headers),
        cmocka_unit_test(cancel_and_deadline),
        cmocka_unit_test(cancel_while_connecting),
        cmocka_unit_test(cancel_while_resolving),
        cmocka_unit_test(fresh_is_never_repeated),
        cmocka_unit_test(connect_only),
        cmocka_unit_test(observer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
