/* Many requests at once: in_flight_max, order, reuse, HTTP/2. */
#include "harness/one_request.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 1000

struct many {
    struct op op;
    struct http_client *client;
    struct http_req *reqs;
    size_t len;
    const char *method, *url;
    size_t cancel_after; /* cancels the whole lot once so many have ended; 0: never */
    bool first_alone;    /* the others start when the first has ended */
    size_t kill_after;   /* ends the server `pid` once so many have ended; 0: never */
    pid_t pid;
    size_t ended, fine;
    bool started;
};

static void many_start(struct many *m, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        char *url = rd_asprintf("%s%zu", m->url, i);
        http_req_init(&m->reqs[i], m->client, m->method, url);
        http_req_start(&m->reqs[i], &m->op);
        free(url);
    }
}

static void many_step(struct op *op)
{
    struct many *m = container_of(op, struct many, op);
    if (!m->started) {
        m->started = true;
        many_start(m, 0, m->first_alone ? 1 : m->len);
        return;
    }
    if (m->first_alone && op_ended(&m->reqs[0].op)) {
        m->first_alone = false;
        many_start(m, 1, m->len);
        return;
    }
    m->ended = m->fine = 0;
    for (size_t i = 0; i < m->len; i++) {
        m->ended += op_ended(&m->reqs[i].op);
        m->fine += op_ended(&m->reqs[i].op) && m->reqs[i].op.err == NULL;
    }
    if (m->kill_after > 0 && m->ended >= m->kill_after) {
        m->kill_after = 0;
        kill(m->pid, SIGKILL);
    }
    if (op->cancelled || m->ended == m->len || (m->cancel_after > 0 && m->ended >= m->cancel_after))
        op_finish(op, NULL);
}

static void many_run(struct many *m, struct http_client_options *o)
{
    struct loop *l = loop_new();
    m->client = http_client_new(l, o);
    m->reqs = rd_calloc(m->len, sizeof *m->reqs);
    op_start_root(&m->op, l, many_step, "many");
    loop_run(l, &m->op);
    assert_null(m->op.err);
}

static void many_clear(struct many *m)
{
    struct loop *l = m->op.loop;
    for (size_t i = 0; i < m->len; i++) {
        rd_err_free(op_take_err(&m->reqs[i].op));
        http_req_clear(&m->reqs[i]);
    }
    free(m->reqs);
    http_client_free(m->client);
    loop_free(l);
}

static void script_echo(struct peer *p, void *ctx)
{
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        if (ctx != NULL)
            peer_pause(p, *(unsigned *)ctx);
        peer_reply(p, 200, NULL, q.path + 1);
    }
    peer_request_clear(&q);
}

/* Goal: a thousand requests, at most eight in flight, each with its own answer. */
static void thousand_under_a_limit(void **state)
{
    (void)state;
    struct server *s = server_new(script_echo, NULL, NULL);
    RD_AUTOFREE char *url = server_url(s, "/");
    struct http_client_options o = {.proxy = rd_strdup(""), .in_flight_max = 8};
    struct many m = {.len = MANY, .method = "GET", .url = url};
    many_run(&m, &o);
    for (size_t i = 0; i < m.len; i++) {
        char want[24];
        snprintf(want, sizeof want, "%zu", i);
        assert_null(m.reqs[i].op.err);
        assert_string_equal(rd_buf_str(&m.reqs[i].resp), want);
    }
    many_clear(&m);
    assert_int_equal(server_requests(s), MANY);
    assert_true(server_requests_peak(s) <= 8);
    if (server_connections(s) > 8)
        fail_msg("want at most 8 connections, have %u", server_connections(s));
    server_free(s);
}

static void note_order(void *ctx, const struct http_req *r)
{
    rd_buf_printf(ctx, "%s ", strrchr(r->url, '/') + 1);
}

/* Goal: one at a time is first come, first served. */
static void order(void **state)
{
    (void)state;
    struct rd_buf log = RD_BUF_INIT(1000);
    struct server *s = server_new(script_echo, NULL, NULL);
    RD_AUTOFREE char *url = server_url(s, "/");
    struct http_client_options o = {
        .proxy = rd_strdup(""), .in_flight_max = 1, .observe = note_order, .observe_ctx = &log};
    struct many m = {.len = 12, .method = "GET", .url = url};
    many_run(&m, &o);
    many_clear(&m);
    assert_string_equal(rd_buf_str(&log), "0 1 2 3 4 5 6 7 8 9 10 11 ");
    assert_int_equal(server_connections(s), 1);
    rd_buf_clear(&log);
    server_free(s);
}

/* Goal: once a server is known to share no connection, no more than six are opened. */
static void six_to_a_server_of_http1(void **state)
{
    (void)state;
    unsigned pause_ms = 2;
    struct server *s = server_new(script_echo, &pause_ms, NULL);
    RD_AUTOFREE char *url = server_url(s, "/");
    static const unsigned limits[] = {0, 4};
    unsigned before = 0;
    for (size_t i = 0; i < RD_ARRAY_LEN(limits); i++) {
        struct http_client_options o = {.proxy = rd_strdup(""), .in_flight_max = limits[i]};
        struct many m = {.len = 200, .method = "GET", .url = url, .first_alone = true};
        many_run(&m, &o);
        assert_int_equal(m.fine, m.len);
        many_clear(&m);
        unsigned opened = server_connections(s) - before;
        before += opened;
        if (opened > (limits[i] ? limits[i] : 6) || opened < 2)
            fail_msg("limit %u: %u connections", limits[i], opened);
    }
    server_free(s);
}

/* Goal: cancelling takes the waiting and the running alike, and nothing is left behind. */
static void cancel_the_lot(void **state)
{
    (void)state;
    unsigned pause_ms = 20;
    struct server *s = server_new(script_echo, &pause_ms, NULL);
    RD_AUTOFREE char *url = server_url(s, "/");
    struct http_client_options o = {.proxy = rd_strdup(""), .in_flight_max = 4};
    struct many m = {.len = 200, .method = "GET", .url = url, .cancel_after = 10};
    many_run(&m, &o);
    size_t fine = 0, cancelled = 0;
    for (size_t i = 0; i < m.len; i++) {
        fine += m.reqs[i].op.err == NULL;
        cancelled += m.reqs[i].op.err != NULL && m.reqs[i].op.err->kind == RD_ERR_CANCELLED;
    }
    assert_true(fine >= 10);
    assert_int_equal(fine + cancelled, m.len);
    many_clear(&m);
    server_free(s);
}

static void script_short_lived(struct peer *p, void *ctx)
{
    (void)ctx;
    struct peer_request q = {0};
    for (int i = 0; i < 3 && peer_read_request(p, &q); i++)
        peer_reply(p, 200, i == 2 ? "Connection: close\r\n" : NULL, q.path + 1);
    peer_request_clear(&q);
}

/* Goal: a server that closes its connections all the time changes nothing. */
static void connections_that_close(void **state)
{
    (void)state;
    struct server *s = server_new(script_short_lived, NULL, NULL);
    RD_AUTOFREE char *url = server_url(s, "/");
    struct http_client_options o = {.proxy = rd_strdup(""), .in_flight_max = 8};
    struct many m = {.len = 150, .method = "GET", .url = url};
    many_run(&m, &o);
    assert_int_equal(m.fine, m.len);
    many_clear(&m);
    assert_true(server_connections(s) >= 50);
    server_free(s);
}

/* ---- HTTP/2, against nghttpd where it is installed ---- */

struct nghttpd {
    char dir[64];
    pid_t pid;
    unsigned port;
};

static void write_file(const struct nghttpd *n, const char *name, const char *text)
{
    RD_AUTOFREE char *path = rd_asprintf("%s/%s", n->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static unsigned free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static bool answers(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return ok;
}

static bool nghttpd_start(struct nghttpd *n, const struct harness_identity *id, const char *streams)
{
    strcpy(n->dir, "/tmp/raydeploy-h2-XXXXXX");
    assert_non_null(mkdtemp(n->dir));
    write_file(n, "cert", harness_identity_cert_pem(id));
    write_file(n, "key", harness_identity_key_pem(id));
    write_file(n, "page", "page");
    n->port = free_port();
    char port[8];
    snprintf(port, sizeof port, "%u", n->port);
    RD_AUTOFREE char *cert = rd_asprintf("%s/cert", n->dir);
    RD_AUTOFREE char *key = rd_asprintf("%s/key", n->dir);
    n->pid = fork();
    assert_true(n->pid >= 0);
    if (n->pid == 0) {
        execlp("nghttpd", "nghttpd", "-d", n->dir, "-m", streams, "--address=127.0.0.1", port, key,
               cert, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        int status;
        if (waitpid(n->pid, &status, WNOHANG) == n->pid) {
            n->pid = 0;
            return false; /* not installed */
        }
        if (answers(n->port))
            return true;
        usleep(10000);
    }
    return false;
}

static void nghttpd_stop(struct nghttpd *n)
{
    if (n->pid > 0) {
        kill(n->pid, SIGTERM);
        waitpid(n->pid, NULL, 0);
    }
    static const char *const names[] = {"cert", "key", "page"};
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        RD_AUTOFREE char *path = rd_asprintf("%s/%s", n->dir, names[i]);
        unlink(path);
    }
    rmdir(n->dir);
}

/* Goal: many requests share one connection; when it takes fewer streams than we have requests, all
 * still end well. */
static void http2(void **state)
{
    (void)state;
    struct harness_ca *ca = harness_ca_new("ca");
    struct harness_identity *id = harness_identity_new(ca, "server", "IP:127.0.0.1", 1);
    static const char *const streams[] = {"100", "5"};
    bool here = true;
    for (size_t i = 0; i < 2 && here; i++) {
        struct nghttpd n = {0};
        here = nghttpd_start(&n, id, streams[i]);
        if (here) {
            RD_AUTOFREE char *url = rd_asprintf("https://127.0.0.1:%u/page?", n.port);
            struct http_client_options o = {.proxy = rd_strdup(""),
                                            .tls.ca_pem = rd_strdup(harness_ca_pem(ca)),
                                            .in_flight_max = 50};
            struct many m = {.len = 300, .method = "GET", .url = url};
            many_run(&m, &o);
            for (size_t k = 0; k < m.len; k++) {
                if (m.reqs[k].op.err != NULL)
                    fail_msg("%zu: %s", k, m.reqs[k].op.err->message);
                assert_int_equal(m.reqs[k].status, 200);
                assert_string_equal(rd_buf_str(&m.reqs[k].resp), "page");
                assert_int_equal(m.reqs[k].http_version, CURL_HTTP_VERSION_2_0);
            }
            many_clear(&m);
            /* Then the server dies under them. */
            o = (struct http_client_options){.proxy = rd_strdup(""),
                                             .tls.ca_pem = rd_strdup(harness_ca_pem(ca)),
                                             .in_flight_max = 50};
            m = (struct many){
                .len = 300, .method = "GET", .url = url, .kill_after = 40, .pid = n.pid};
            many_run(&m, &o);
            size_t lost = 0;
            for (size_t k = 0; k < m.len; k++) {
                const struct rd_err *err = m.reqs[k].op.err;
                lost += err != NULL;
                if (err != NULL && err->kind != RD_ERR_TRANSIENT)
                    fail_msg("%zu: %s: %s", k, rd_err_kind_name(err->kind), err->message);
            }
            assert_true(lost > 0);
            many_clear(&m);
        }
        nghttpd_stop(&n);
    }
    harness_identity_free(id);
    harness_ca_free(ca);
    if (!here) {
        print_message("SKIP: nghttpd (Debian: nghttp2-server) is not installed\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousand_under_a_limit),
        cmocka_unit_test(order),
        cmocka_unit_test(six_to_a_server_of_http1),
        cmocka_unit_test(cancel_the_lot),
        cmocka_unit_test(connections_that_close),
        cmocka_unit_test(http2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
