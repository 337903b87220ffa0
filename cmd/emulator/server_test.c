/* The HTTP side over a real loopback connection: bytes out, bytes in, on one loop. */
#include "server.h"

#include "base/alloc.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    struct emu emu;
    uv_loop_t loop;
    char dir[64];
    struct emu_listener *listener;
    struct emu_req *held; /* by /hold */
    bool gone;
};

struct client {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_timer_t limit;
    struct rd_buf in;
    const char *want; /* stop when it has arrived */
    bool ended, timed_out;
    char chunk[4096];
};

static void on_gone(struct emu_req *req, void *arg)
{
    struct world *w = arg;
    w->gone = true;
    emu_stream_end(req);
}

static void on_message(struct emu_req *req, int opcode, const char *data, size_t len, void *arg)
{
    (void)arg;
    if (len == 3 && memcmp(data, "bye", 3) == 0)
        emu_ws_end(req, 1000);
    else
        emu_ws_send(req, opcode, data, len);
}

static void on_request(struct emu_req *req, void *arg)
{
    struct world *w = arg;
    const char *path = req->msg.path;
    if (rd_streq(path, "/later")) {
        emu_reply_later(req, 20, 200, rd_json_pack("{s:s}", "late", "yes"));
    } else if (rd_streq(path, "/drop")) {
        emu_drop(req);
    } else if (rd_streq(path, "/stream") || rd_streq(path, "/hold")) {
        emu_stream_begin(req, 200, "application/json");
        emu_stream_write(req, "one\n", 4);
        emu_stream_write(req, "three\n", 6);
        if (rd_streq(path, "/stream")) {
            emu_stream_end(req);
        } else {
            req->on_gone = on_gone;
            req->arg = w;
            w->held = req;
        }
    } else if (emu_ws_wanted(req)) {
        emu_ws_accept(req, "echo", on_message);
    } else {
        RD_AUTOFREE char *q = emu_req_query(req, "q");
        emu_reply_json(req, 200,
                       rd_json_pack("{s:s, s:s, s:s}", "path", path, "q", q == NULL ? "" : q,
                                    "body", req->msg.body));
    }
}

static int setup(void **state)
{
    struct world *w = rd_calloc(1, sizeof(*w));
    struct rd_err *err = NULL;
    strcpy(w->dir, "/tmp/emulator-test-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    uv_loop_init(&w->loop);
    w->emu = (struct emu){.loop = &w->loop, .dir = w->dir, .project = "p", .project_number = "1"};
    rd_list_init(&w->emu.ops);
    rd_list_init(&w->emu.growths);
    emu_clock_init(&w->emu.clock, &w->loop, 1);
    emu_store_init(&w->emu.store);
    w->emu.server = emu_server_new(&w->emu, &err);
    assert_non_null(w->emu.server);
    w->listener = emu_listen(&w->emu, "test", false, on_request, w, &err);
    assert_non_null(w->listener);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    emu_clock_close(&w->emu.clock);
    emu_server_free(w->emu.server);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    rd_check_int("the loop is empty", uv_loop_close(&w->loop), 0);
    emu_store_clear(&w->emu.store);
    emu_faults_clear(&w->emu.faults);
    char path[128];
    snprintf(path, sizeof(path), "%s/requests.jsonl", w->dir);
    unlink(path);
    rmdir(w->dir);
    free(w);
    return 0;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)size;
    struct client *c = handle->data;
    *buf = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static bool arrived(const struct client *c)
{
    return c->want != NULL && c->in.len > 0 &&
           memmem(c->in.data, c->in.len, c->want, strlen(c->want)) != NULL;
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct client *c = stream->data;
    if (got < 0)
        c->ended = true;
    else
        rd_buf_append(&c->in, buf->base, (size_t)got);
    if (c->ended || arrived(c))
        uv_stop(stream->loop);
}

static void on_limit(uv_timer_t *timer)
{
    struct client *c = timer->data;
    c->timed_out = true;
    uv_stop(timer->loop);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct client *c = req->handle->data;
    rd_check_int("connected", status, 0);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    uv_stop(c->tcp.loop);
}

static void client_open(struct world *w, struct client *c)
{
    *c = (struct client){.in = RD_BUF_INIT(1 << 20)};
    uv_tcp_init(&w->loop, &c->tcp);
    uv_timer_init(&w->loop, &c->limit);
    c->tcp.data = c->limit.data = c;
    struct sockaddr_in addr;
    uv_ip4_addr("127.0.0.1", emu_listener_port(w->listener), &addr);
    uv_tcp_connect(&c->connect, &c->tcp, (const struct sockaddr *)&addr, on_connected);
    uv_run(&w->loop, UV_RUN_DEFAULT);
}

/* Sends, then runs the loop until `want` has arrived or the server has closed. */
static void client_say(struct world *w, struct client *c, const void *data, size_t len,
                       const char *want)
{
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)len);
    c->want = want;
    if (len > 0)
        rd_check_int("written", uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, NULL), 0);
    uv_timer_start(&c->limit, on_limit, 10000, 0);
    if (!c->ended && !arrived(c))
        uv_run(&w->loop, UV_RUN_DEFAULT);
    if (c->timed_out)
        fail_msg("no \"%s\" within 10 s, but: %s", want == NULL ? "end" : want, rd_buf_str(&c->in));
    uv_timer_stop(&c->limit);
}

static void client_close(struct world *w, struct client *c)
{
    uv_close((uv_handle_t *)&c->tcp, NULL);
    uv_close((uv_handle_t *)&c->limit, NULL);
    for (int i = 0; i < 5; i++)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    rd_buf_clear(&c->in);
}

static void expect(const struct client *c, const char *part)
{
    if (memmem(rd_buf_str(&c->in), c->in.len, part, strlen(part)) == NULL)
        fail_msg("no \"%s\" in: %s", part, rd_buf_str(&c->in));
}

/* Two requests in one packet get two answers in order, the first of them late. */
static void test_keep_alive(void **state)
{
    struct world *w = *state;
    struct client c;
    client_open(w, &c);
    static const char two[] =
        "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
        "POST /echo?q=a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    client_say(w, &c, two, sizeof(two) - 1, "\"hi\"}");
    const char *late = strstr(c.in.data, "{\"late\":\"yes\"}");
    const char *echo = strstr(c.in.data, "{\"path\":\"/echo\",\"q\":\"a b\",\"body\":\"hi\"}");
    assert_non_null(late);
    assert_non_null(echo);
    rd_check_int("in order", late < echo, true);
    static const char last[] = "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n";
    client_say(w, &c, last, sizeof(last) - 1, NULL);
    rd_check_int("closed when asked", c.ended, true);
    client_close(w, &c);
}

static void test_stream(void **state)
{
    struct world *w = *state;
    struct client c;
    client_open(w, &c);
    static const char get[] = "GET /stream HTTP/1.1\r\n\r\n";
    client_say(w, &c, get, sizeof(get) - 1, "0\r\n\r\n");
    expect(&c, "Transfer-Encoding: chunked\r\n");
    expect(&c, "4\r\none\n\r\n6\r\nthree\n\r\n0\r\n\r\n");
    static const char hold[] = "GET /hold HTTP/1.1\r\n\r\n";
    rd_buf_reset(&c.in);
    client_say(w, &c, hold, sizeof(hold) - 1, "three\n");
    rd_check_int("still there", w->gone, false);
    client_close(w, &c);
    rd_check_int("told that the client has left", w->gone, true);
}

static void test_drop_and_bad(void **state)
{
    struct world *w = *state;
    struct client c;
    client_open(w, &c);
    static const char drop[] = "GET /drop HTTP/1.1\r\n\r\n";
    client_say(w, &c, drop, sizeof(drop) - 1, NULL);
    rd_check_int("nothing was said", (long long)c.in.len, 0);
    client_close(w, &c);
    client_open(w, &c);
    static const char bad[] = "nonsense\r\n\r\n";
    client_say(w, &c, bad, sizeof(bad) - 1, NULL);
    expect(&c, "HTTP/1.1 400 ");
    client_close(w, &c);
}

static void test_faults(void **state)
{
    struct world *w = *state;
    struct rd_err *err = NULL;
    assert_true(
        emu_faults_parse(&w->emu.faults, "GET /a:503@1; GET /a:half@2; GET /a:drop-reply@3", &err));
    static const char get[] = "GET /a HTTP/1.1\r\n\r\n";
    struct client c;
    client_open(w, &c);
    client_say(w, &c, get, sizeof(get) - 1, "UNAVAILABLE");
    expect(&c, "HTTP/1.1 503 ");
    rd_buf_reset(&c.in);
    client_say(w, &c, get, sizeof(get) - 1, NULL);
    expect(&c, "HTTP/1.1 200 OK");
    assert_null(strstr(c.in.data, "\"body\""));
    client_close(w, &c);
    client_open(w, &c);
    client_say(w, &c, get, sizeof(get) - 1, NULL);
    rd_check_int("the reply is lost", (long long)c.in.len, 0);
    client_close(w, &c);
}

/* The key and its answer are RFC 6455's own example. A message in two fragments with a ping
 * between. */
static void test_websocket(void **state)
{
    struct world *w = *state;
    struct client c;
    client_open(w, &c);
    static const char hello[] = "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client_say(w, &c, hello, sizeof(hello) - 1, "\r\n\r\n");
    expect(&c, "HTTP/1.1 101 ");
    expect(&c, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
    expect(&c, "Sec-WebSocket-Protocol: echo\r\n");
    rd_buf_reset(&c.in);
    /* The mask is zero, so the payload reads as it is. */
    static const unsigned char frames[] = {0x02, 0x82, 0, 0, 0, 0, 'a', 'b',  /* binary, not last */
                                           0x89, 0x81, 0, 0, 0, 0, 'p',       /* ping */
                                           0x80, 0x82, 0, 0, 0, 0, 'c', 'd'}; /* last */
    client_say(w, &c, frames, sizeof(frames), "abcd");
    static const unsigned char want[] = {0x8a, 1, 'p', 0x82, 4, 'a', 'b', 'c', 'd'};
    rd_check_int("bytes", (long long)c.in.len, (long long)sizeof(want));
    rd_check_int("pong and echo", memcmp(c.in.data, want, sizeof(want)), 0);
    rd_buf_reset(&c.in);
    static const unsigned char bye[] = {0x81, 0x83, 1, 2, 3, 4, 'b' ^ 1, 'y' ^ 2, 'e' ^ 3};
    client_say(w, &c, bye, sizeof(bye), NULL);
    static const unsigned char close[] = {0x88, 2, 0x03, 0xe8};
    rd_check_int("closed with 1000", memcmp(c.in.data, close, sizeof(close)), 0);
    client_close(w, &c);
}

static void on_answer(int status, json_t *body, void *arg)
{
    char **text = arg;
    RD_AUTOFREE char *json = rd_json_dump(body);
    *text = rd_asprintf("%d %s", status, json);
}

/* A request from inside meets the same handler, but never inside the call. */
static void test_inside(void **state)
{
    struct world *w = *state;
    char *text = NULL;
    emu_call(&w->emu, "test", "user:a", "PUT", "/in?q=1", rd_json_pack("{s:i}", "x", 1), on_answer,
             &text);
    assert_null(text);
    /* Not UV_RUN_ONCE: on a slow machine the timer is due before the wait, which then has no end. */
    while (text == NULL)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    rd_check_str("answer", text, "200 {\"body\":\"{\\\"x\\\":1}\",\"path\":\"/in\",\"q\":\"1\"}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keep_alive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drop_and_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_websocket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inside, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
