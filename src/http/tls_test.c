/* TLS: private authorities, wrong ones, expired and misnamed certificates, client certificates. */
#include "harness/one_request.h"

#include <openssl/ssl.h>

static void script_hello(struct peer *p, void *ctx)
{
    (void)ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        RD_AUTOFREE char *host = peer_request_header(&q, "Host");
        peer_reply(p, 200, NULL, host);
    }
    peer_request_clear(&q);
}

struct world {
    struct harness_ca *ca, *other;
};

static int setup(void **state)
{
    struct world *w = rd_calloc(1, sizeof *w);
    w->ca = harness_ca_new("ca");
    w->other = harness_ca_new("other");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    harness_ca_free(w->ca);
    harness_ca_free(w->other);
    free(w);
    return 0;
}

static struct http_client_options options(const struct harness_ca *ca)
{
    return (struct http_client_options){
        .proxy = rd_strdup(""),
        .tls.ca_pem = ca != NULL ? rd_strdup(harness_ca_pem(ca)) : NULL,
    };
}

static void certificates(void **state)
{
    struct world *w = *state;
    const struct {
        const char *what;
        const char *san;
        int days;
        const struct harness_ca *trusted; /* NULL: the system's */
        bool insecure;
        const char *error, *hint; /* NULL: accepted */
    } rows[] = {
        {"right", "IP:127.0.0.1", 1, w->ca, false, NULL, NULL},
        {"authority of someone else", "IP:127.0.0.1", 1, w->other, false, "was not accepted",
         "authority configured"},
        {"system authorities", "IP:127.0.0.1", 1, NULL, false, "was not accepted",
         "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"},
        {"wrong name", "DNS:elsewhere", 1, w->ca, false, "was not accepted", "another name"},
        {"expired", "IP:127.0.0.1", -1, w->ca, false, "was not accepted", "clock"},
        {"wrong, but nobody looks", "DNS:elsewhere", -1, w->other, true, NULL, NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct harness_identity *id =
            harness_identity_new(w->ca, "server", rows[i].san, rows[i].days);
        struct server *s = server_new(script_hello, NULL, id);
        struct run r = {0};
        struct http_client_options o = options(rows[i].trusted);
        o.tls.insecure = rows[i].insecure;
        run_open(&r, &o);
        run_get(&r, s, "/");
        run_go(&r);
        if (rows[i].error == NULL) {
            if (r.op.err != NULL)
                fail_msg("%s: %s", rows[i].what, r.op.err->message);
            assert_int_equal(r.req.status, 200);
        } else {
            assert_run_err(&r, RD_ERR_NETWORK, rows[i].error);
            if (r.op.err->hint == NULL || strstr(r.op.err->hint, rows[i].hint) == NULL)
                fail_msg("%s: want a hint with \"%s\", have %s", rows[i].what, rows[i].hint,
                         r.op.err->hint);
            assert_false(r.req.sent);
        }
        run_close(&r);
        server_free(s);
        harness_identity_free(id);
    }
}

/* Goal: TLS for one name, TCP and Host for another. */
static void server_name(void **state)
{
    struct world *w = *state;
    struct harness_identity *id =
        harness_identity_new(w->ca, "server", "DNS:kubernetes.default", 1);
    struct server *s = server_new(script_hello, NULL, id);
    struct run r = {0};
    struct http_client_options o = options(w->ca);
    o.tls.server_name = rd_strdup("kubernetes.default");
    run_open(&r, &o);
    run_get(&r, s, "/");
    run_go(&r);
    RD_AUTOFREE char *host = rd_asprintf("127.0.0.1:%u", server_port(s));
    assert_run_fine(&r, 200, host);
    RD_AUTOFREE char *asked = server_asked_name(s);
    assert_string_equal(asked, "kubernetes.default");
    run_close(&r);
    server_free(s);
    harness_identity_free(id);
}

/* Goal: a client certificate is sent; a new one opens new connections; none is refused as ours. */
static void client_certificates(void **state)
{
    struct world *w = *state;
    struct harness_identity *id = harness_identity_new(w->ca, "server", "IP:127.0.0.1", 1);
    struct harness_identity *anna = harness_identity_new(w->ca, "anna", NULL, 1);
    struct harness_identity *bert = harness_identity_new(w->ca, "bert", NULL, 1);
    harness_identity_want_client(id);
    struct server *s = server_new(script_hello, NULL, id);
    struct run r = {0};
    struct http_client_options o = options(w->ca);
    run_open(&r, &o);
    run_get(&r, s, "/");
    run_go(&r);
    assert_run_err(&r, RD_ERR_CREDENTIALS, "refused our client certificate");
    struct harness_identity *ids[] = {anna, bert};
    const char *names[] = {"anna", "bert"};
    for (size_t i = 0; i < 2; i++) {
        struct http_tls tls = {
            .ca_pem = rd_strdup(harness_ca_pem(w->ca)),
            .cert_pem = rd_strdup(harness_identity_cert_pem(ids[i])),
        };
        const char *key = harness_identity_key_pem(ids[i]);
        rd_secret_set(&tls.key_pem, key, strlen(key));
        http_client_set_tls(r.client, &tls);
        for (int twice = 0; twice < 2; twice++) {
            run_go(&r);
            assert_null(r.op.err);
            RD_AUTOFREE char *name = server_client_name(s);
            assert_string_equal(name, names[i]);
        }
    }
    assert_int_equal(server_connections(s), 3);
    run_close(&r);
    server_free(s);
    harness_identity_free(id);
    harness_identity_free(anna);
    harness_identity_free(bert);
    rd_redact_forget_all();
}

/* Goal: a second connection takes up the first one's session. */
static void sessions(void **state)
{
    struct world *w = *state;
    struct harness_identity *id = harness_identity_new(w->ca, "server", "IP:127.0.0.1", 1);
    struct server *s = server_new(script_hello, NULL, id);
    struct run r = {0};
    struct http_client_options o = options(w->ca);
    run_open(&r, &o);
    run_get(&r, s, "/");
    r.req.fresh = true;
    for (unsigned resumed = 0; resumed < 3; resumed++) {
        run_go(&r);
        assert_null(r.op.err);
        assert_int_equal(server_connections(s), resumed + 1);
        assert_int_equal(SSL_CTX_sess_hits(harness_identity_ctx(id)), resumed);
    }
    run_close(&r);
    server_free(s);
    harness_identity_free(id);
}

static void unusable_settings(void **state)
{
    struct world *w = *state;
    struct harness_identity *id = harness_identity_new(w->ca, "server", "IP:127.0.0.1", 1);
    struct harness_identity *anna = harness_identity_new(w->ca, "anna", NULL, 1);
    struct server *s = server_new(script_hello, NULL, id);
    const struct {
        const char *ca, *cert, *key, *want;
    } rows[] = {
        {"not a certificate", NULL, NULL, "certificate authority"},
        {NULL, "not a certificate", "nor a key", "client certificate"},
        {NULL, harness_identity_cert_pem(anna), harness_identity_key_pem(id), "client certificate"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct run r = {0};
        struct http_client_options o = options(w->ca);
        if (rows[i].ca != NULL)
            rd_str_dup(&o.tls.ca_pem, rows[i].ca);
        rd_str_dup(&o.tls.cert_pem, rows[i].cert);
        if (rows[i].key != NULL)
            rd_secret_set(&o.tls.key_pem, rows[i].key, strlen(rows[i].key));
        run_open(&r, &o);
        run_get(&r, s, "/");
        run_go(&r);
        assert_run_err(&r, RD_ERR_INPUT, rows[i].want);
        run_close(&r);
    }
    server_free(s);
    harness_identity_free(id);
    harness_identity_free(anna);
    rd_redact_forget_all();
}

static void script_plain_text(struct peer *p, void *ctx)
{
    (void)ctx;
    peer_send(p, "HTTP/1.1 400 Bad Request\r\n\r\n");
    peer_wait_gone(p);
}

static void script_hang_up(struct peer *p, void *ctx)
{
    (void)ctx;
    char some[16];
    peer_read_some(p, some, sizeof some);
    peer_reset(p);
}

static void script_silence(struct peer *p, void *ctx)
{
    (void)ctx;
    peer_wait_gone(p);
}

/* Goal: a server without TLS is final; a handshake that was lost is not. */
static void handshakes(void **state)
{
    (void)state;
    const struct {
        peer_script *script;
        enum rd_err_kind kind;
        const char *text;
    } rows[] = {
        {script_plain_text, RD_ERR_NETWORK, "no TLS connection"},
        {script_hang_up, RD_ERR_TRANSIENT, "no TLS connection"},
        {script_silence, RD_ERR_TIMEOUT, "no connection to 127.0.0.1"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct server *s = server_new(rows[i].script, NULL, NULL);
        struct run r = {0};
        run_open(&r, NULL);
        RD_AUTOFREE char *url = rd_asprintf("https://127.0.0.1:%u/", server_port(s));
        http_req_init(&r.req, r.client, "GET", url);
        r.req.connect_ms = rows[i].kind == RD_ERR_TIMEOUT ? 200 : 10000;
        run_go(&r);
        assert_run_err(&r, rows[i].kind, rows[i].text);
        assert_false(r.req.sent);
        run_close(&r);
        server_free(s);
    }
}

/* ---- Proxies ---- */

/* Answers CONNECT for any host by speaking TLS itself; plain requests by saying so. */
static void script_proxy(struct peer *p, void *ctx)
{
    struct harness_identity *id = ctx;
    struct peer_request q = {0};
    if (peer_read_request(p, &q)) {
        if (strcmp(q.method, "CONNECT") == 0) {
            peer_send(p, "HTTP/1.1 200 Connected\r\nETag: proxy\r\n\r\n");
            peer_start_tls(p, id);
            if (peer_read_request(p, &q))
                peer_reply(p, 200, NULL, "through the tunnel");
        } else {
            RD_AUTOFREE char *body = rd_asprintf("forwarded %s", q.path);
            peer_reply(p, 200, NULL, body);
        }
    }
    peer_request_clear(&q);
}

static void proxy_tunnel(void **state)
{
    struct world *w = *state;
    struct harness_identity *id = harness_identity_new(w->ca, "server", "DNS:far.invalid", 1);
    struct server *s = server_new(script_proxy, id, NULL);
    static const char *const ways[] = {"option", "environment", "no proxy"};
    for (size_t i = 0; i < RD_ARRAY_LEN(ways); i++) {
        RD_AUTOFREE char *proxy = rd_asprintf("http://127.0.0.1:%u", server_port(s));
        struct run r = {0};
        struct http_client_options o = options(w->ca);
        if (i == 0) {
            rd_str_dup(&o.proxy, proxy);
            setenv("NO_PROXY", "far.invalid", 1); /* does not hold for a proxy that was named */
        } else {
            rd_str_dup(&o.proxy, NULL);
            setenv("HTTPS_PROXY", proxy, 1);
            if (i == 2)
                setenv("NO_PROXY", "far.invalid", 1);
        }
        run_open(&r, &o);
        http_req_init(&r.req, r.client, "GET", "https://far.invalid/x");
        run_go(&r);
        if (i == 2) {
            assert_non_null(r.op.err); /* went straight, and there is no such host */
        } else {
            assert_run_fine(&r, 200, "through the tunnel");
            assert_null(r.req.etag);
        }
        run_close(&r);
        unsetenv("HTTPS_PROXY");
        unsetenv("NO_PROXY");
    }
    server_free(s);
    harness_identity_free(id);
}

/* Goal: the environment's proxy is not asked for loopback, nor, under another TLS name, for the
 * real host that NO_PROXY names. */
static void environment_proxy_is_not_for(void **state)
{
    struct world *w = *state;
    struct harness_identity *id =
        harness_identity_new(w->ca, "server", "IP:127.0.0.1,DNS:kubernetes.default", 1);
    struct server *s = server_new(script_hello, NULL, id);
    struct server *proxy = server_new(script_hello, NULL, NULL); /* refuses to tunnel, and counts */
    RD_AUTOFREE char *proxy_url = server_url(proxy, "");
    setenv("HTTPS_PROXY", proxy_url, 1);
    struct run r = {0};
    struct http_client_options o = options(w->ca);
    rd_str_dup(&o.proxy, NULL);
    run_open(&r, &o);
    run_get(&r, s, "/");
    run_go(&r);
    assert_null(r.op.err);
    run_close(&r);
    assert_int_equal(server_connections(proxy), 0);
    for (int named = 0; named < 2; named++) {
        /* RFC 5737: nobody answers there. */
        setenv("NO_PROXY", named ? "192.0.2.0/24" : "kubernetes.default", 1);
        r = (struct run){0};
        o = options(w->ca);
        rd_str_dup(&o.proxy, NULL);
        rd_str_dup(&o.tls.server_name, "kubernetes.default");
        run_open(&r, &o);
        http_req_init(&r.req, r.client, "GET", "https://192.0.2.1:6443/");
        r.req.connect_ms = named ? 50 : 10000;
        run_go(&r);
        assert_non_null(r.op.err);
        assert_int_equal(server_connections(proxy), 1); /* only by the first of the two */
        run_close(&r);
    }
    unsetenv("HTTPS_PROXY");
    unsetenv("NO_PROXY");
    server_free(s);
    server_free(proxy);
    harness_identity_free(id);
}

static void proxy_forwards_plain_http(void **state)
{
    (void)state;
    struct server *s = server_new(script_proxy, NULL, NULL);
    struct run r = {0};
    struct http_client_options o = {.proxy = rd_asprintf("http://127.0.0.1:%u", server_port(s))};
    run_open(&r, &o);
    http_req_init(&r.req, r.client, "GET", "http://far.invalid/x");
    run_go(&r);
    assert_run_fine(&r, 200, "forwarded http://far.invalid/x");
    run_close(&r);
    server_free(s);
}

static void script_refusing_proxy(struct peer *p, void *ctx)
{
    struct peer_request q = {0};
    if (peer_read_request(p, &q))
        peer_reply(p, *(int *)ctx, "Proxy-Authenticate: Basic realm=x\r\n", "no");
    peer_request_clear(&q);
}

static void proxy_refuses(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum rd_err_kind kind;
    } rows[] = {{403, RD_ERR_NETWORK}, {407, RD_ERR_NETWORK}, {503, RD_ERR_TRANSIENT}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        int status = rows[i].status;
        struct server *s = server_new(script_refusing_proxy, &status, NULL);
        struct run r = {0};
        struct http_client_options o = {
            .proxy = rd_asprintf("http://user:geheim@127.0.0.1:%u", server_port(s))};
        run_open(&r, &o);
        http_req_init(&r.req, r.client, "GET", "https://far.invalid/x");
        run_go(&r);
        assert_run_err(&r, rows[i].kind, "the proxy refused a connection to far.invalid:443");
        assert_null(strstr(r.op.err->message, "geheim"));
        assert_false(r.req.sent);
        run_close(&r);
        server_free(s);
    }
}

/* RFC 1928, as far as a client without a password needs it; what was asked for is the answer. */
static void script_socks(struct peer *p, void *ctx)
{
    unsigned char b[300];
    size_t n = peer_read_some(p, b, sizeof b);
    if (n < 3 || b[0] != 5)
        return;
    peer_send_bytes(p, "\x05\x00", 2);
    n = peer_read_some(p, b, sizeof b);
    if (n < 7 || b[3] != 3) /* 3: a name, to be resolved here */
        return;
    b[5 + b[4]] = '\0';
    RD_AUTOFREE char *name = rd_strdup((char *)b + 5);
    unsigned char reply[] = {5, *(unsigned char *)ctx, 0, 1, 0, 0, 0, 0, 0, 0};
    peer_send_bytes(p, reply, sizeof reply);
    struct peer_request q = {0};
    if (peer_read_request(p, &q))
        peer_reply(p, 200, NULL, name);
    peer_request_clear(&q);
}

static void socks_proxy(void **state)
{
    (void)state;
    static const struct {
        unsigned char reply;
        enum rd_err_kind kind;
    } rows[] = {{0, RD_ERR_KIND_MAX}, {2, RD_ERR_NETWORK}, {5, RD_ERR_TRANSIENT}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        unsigned char reply = rows[i].reply;
        struct server *s = server_new(script_socks, &reply, NULL);
        struct run r = {0};
        struct http_client_options o = {.proxy =
                                            rd_asprintf("socks5://127.0.0.1:%u", server_port(s))};
        run_open(&r, &o);
        http_req_init(&r.req, r.client, "GET", "http://far.invalid/");
        run_go(&r);
        if (reply == 0)
            assert_run_fine(&r, 200, "far.invalid");
        else
            assert_run_err(&r, rows[i].kind, "the proxy did not connect to far.invalid:80");
        run_close(&r);
        server_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(server_name, setup, teardown),
        cmocka_unit_test_setup_teardown(client_certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(unusable_settings, setup, teardown),
        cmocka_unit_test(handshakes),
        cmocka_unit_test_setup_teardown(proxy_tunnel, setup, teardown),
        cmocka_unit_test_setup_teardown(environment_proxy_is_not_for, setup, teardown),
        cmocka_unit_test(proxy_forwards_plain_http),
        cmocka_unit_test(proxy_refuses),
        cmocka_unit_test(socks_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
