/* One forwarded connection against a scripted kubelet: frames, errors, closes, back-pressure. */
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "harness/server.h"
#include "harness/tls.h"
#include "k8s/forward.h"
#include "k8s/ws_handshake.h"

#define PORT 8265
#define FLOOD ((size_t)4 << 20)

/* ---- The kubelet's side ---- */

struct frame {
    unsigned opcode;
    bool fin, masked;
    struct rd_buf payload;
};

static bool read_exact(struct peer *p, void *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = peer_read_some(p, (char *)out + at, len - at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

static bool read_frame(struct peer *p, struct frame *f)
{
    unsigned char head[2], wide[8], mask[4] = {0};
    if (!read_exact(p, head, 2))
        return false;
    f->fin = head[0] & 0x80;
    f->opcode = head[0] & 0x0f;
    f->masked = head[1] & 0x80;
    size_t len = head[1] & 0x7f, bytes = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (bytes > 0 && !read_exact(p, wide, bytes))
        return false;
    if (bytes > 0)
        len = 0;
    for (size_t i = 0; i < bytes; i++)
        len = len << 8 | wide[i];
    if (f->masked && !read_exact(p, mask, 4))
        return false;
    rd_buf_clear(&f->payload);
    rd_buf_init(&f->payload, (size_t)1 << 20);
    char *data = rd_malloc(len + 1);
    bool ok = read_exact(p, data, len);
    for (size_t i = 0; ok && i < len; i++)
        data[i] = (char)(data[i] ^ mask[i % 4]);
    if (ok)
        rd_buf_append(&f->payload, data, len);
    free(data);
    return ok;
}

static bool send_frame(struct peer *p, unsigned first, const void *data, size_t len)
{
    unsigned char head[10] = {(unsigned char)first, (unsigned char)len};
    size_t n = 2;
    if (len > 125) {
        head[1] = 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (unsigned char)(len >> (56 - 8 * i));
        n = 10;
    }
    return peer_send_bytes(p, head, n) && peer_send_bytes(p, data, len);
}

/* The 101, and the first frame of each channel. */
static bool welcome(struct peer *p)
{
    struct peer_request q = {0};
    char accept[WS_ACCEPT_LEN + 1];
    if (!peer_read_request(p, &q))
        return false;
    RD_AUTOFREE char *key = peer_request_header(&q, "Sec-WebSocket-Key");
    RD_AUTOFREE char *offer = peer_request_header(&q, "Sec-WebSocket-Protocol");
    RD_AUTOFREE char *who = peer_request_header(&q, "Authorization");
    bool fine = rd_streq(offer, "SPDY/3.1+portforward.k8s.io, v4.channel.k8s.io") && rd_streq(who, "Bearer token-of-the-test") &&
                rd_streq(q.path, "/api/v1/namespaces/ns/pods/pod/portforward?ports=8265") &&
                key != NULL;
    if (!fine)
        fprintf(stderr, "unexpected handshake: %s", rd_buf_str(&q.head));
    peer_request_clear(&q);
    if (!fine)
        return false; /* the client then sees a connection that ends */
    ws_accept_for(key, accept);
    RD_AUTOFREE char *answer = rd_asprintf(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n",
        accept);
    /* Frames right behind the headers: what was read too far belongs to them. */
    return peer_send(p, answer) && send_frame(p, 0x82, "\x00\x49\x20", 3) &&
           send_frame(p, 0x82, "\x01\x49\x20", 3);
}

struct heard {
    bool pong, bad_frame, closed;
    struct rd_buf data;
};

static void play_talk(struct peer *p, void *ctx)
{
    struct heard *h = ctx;
    struct frame f = {0};
    if (!welcome(p))
        return;
    /* A fragmented message with a ping between its parts. */
    send_frame(p, 0x02,
               "\x00"
               "hel",
               4);
    send_frame(p, 0x89, "beat", 4);
    send_frame(p, 0x00, "lo ", 3);
    send_frame(p, 0x80, "there", 5);
    while (!(h->pong && h->data.len >= 100000) && read_frame(p, &f)) {
        h->bad_frame |= !f.masked || !f.fin || f.payload.len > ((size_t)32 << 10) + 1;
        if (f.opcode == 0xa)
            h->pong = rd_streq(rd_buf_str(&f.payload), "beat");
        else if (f.opcode == 2 && f.payload.len > 0 && f.payload.data[0] == 0)
            rd_buf_append(&h->data, f.payload.data + 1, f.payload.len - 1);
        else
            h->bad_frame = true;
    }
    send_frame(p, 0x82, "\x00 bye", 5);
    send_frame(p, 0x88, "\x03\xe8", 2);
    h->closed = read_frame(p, &f) && f.opcode == 8;
    rd_buf_clear(&f.payload);
}

static void play_refused(struct peer *p, void *ctx)
{
    static const char text[] = "\x01"
                               "error forwarding port 8265: dial tcp4 127.0.0.1:8265: connect: "
                               "connection refused";
    (void)ctx;
    if (welcome(p))
        send_frame(p, 0x82, text, sizeof(text) - 1);
    peer_wait_gone(p); /* no Close: the text alone must do */
}

static void play_forbidden(struct peer *p, void *ctx)
{
    struct peer_request q = {0};
    (void)ctx;
    if (peer_read_request(p, &q))
        peer_reply(
            p, 403, "Content-Type: application/json\r\n",
            "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"pods "
            "\\\"pod\\\" is forbidden\",\"reason\":\"Forbidden\",\"code\":403}");
    peer_request_clear(&q);
}

static void play_cut(struct peer *p, void *ctx)
{
    (void)ctx;
    if (welcome(p))
        send_frame(p, 0x82, "\x00half", 5);
}

static void play_error_close(struct peer *p, void *ctx)
{
    (void)ctx;
    if (welcome(p))
        send_frame(p, 0x88, "\x03\xf3", 2); /* 1011 */
    peer_wait_gone(p);
}

static void play_garbage(struct peer *p, void *ctx)
{
    (void)ctx;
    if (welcome(p))
        send_frame(p, 0xf3, "xxx", 3); /* reserved bits, reserved opcode */
    peer_wait_gone(p);
}

static void play_last_words(struct peer *p, void *ctx)
{
    (void)ctx;
    if (welcome(p))
        send_frame(p, 0x82,
                   "\x00"
                   "data",
                   5);
    send_frame(p, 0x88, "\x03\xe8", 2);
    peer_wait_gone(p);
}

static void play_silent(struct peer *p, void *ctx)
{
    (void)ctx;
    if (welcome(p))
        send_frame(p, 0x82, "\x00last", 5);
    peer_wait_gone(p); /* reads, and answers no ping */
}

/* Answers pings late, but answers; then ends. */
static void play_slow(struct peer *p, void *ctx)
{
    struct frame f = {0};
    unsigned pings = 0;
    (void)ctx;
    if (!welcome(p))
        return;
    while (pings < 6 && read_frame(p, &f)) {
        if (f.opcode == 9 && ++pings % 3 == 2)
            send_frame(p, 0x8a, f.payload.data, f.payload.len);
    }
    send_frame(p, 0x88, "\x03\xe8", 2);
    read_frame(p, &f);
    rd_buf_clear(&f.payload);
}

/* An expired token the first time. */
static void play_once_more(struct peer *p, void *ctx)
{
    struct peer_request q = {0};
    struct frame f = {0};
    (void)ctx;
    if (peer_index(p) == 0) {
        if (peer_read_request(p, &q))
            peer_reply(p, 401, NULL, "");
        peer_request_clear(&q);
        return;
    }
    if (welcome(p)) {
        send_frame(p, 0x82,
                   "\x00"
                   "again",
                   6);
        send_frame(p, 0x88, "\x03\xe8", 2);
        read_frame(p, &f);
    }
    rd_buf_clear(&f.payload);
}

static void play_flood(struct peer *p, void *ctx)
{
    char *block = rd_calloc(1, 65536 + 1);
    struct frame f = {0};
    (void)ctx;
    memset(block + 1, 'f', 65536);
    if (welcome(p)) {
        for (size_t at = 0; at < FLOOD && send_frame(p, 0x82, block, 65537); at += 65536)
            ;
        send_frame(p, 0x88, "\x03\xe8", 2);
        read_frame(p, &f);
    }
    rd_buf_clear(&f.payload);
    free(block);
}

/* ---- Our side ---- */

struct stage {
    struct op op;
    struct k8s_stream stream;
    struct rd_buf got;
    const char *say;
    size_t say_times, in_peak;
    bool hoard; /* consume only after a while */
    uint64_t until_ms, ping_ms;
    bool begun, said;
};

static void on_ready(struct k8s_stream *s)
{
    struct stage *x = s->ctx;
    if (s->in.len > x->in_peak)
        x->in_peak = s->in.len;
    op_wake(&x->op);
}

static void stage_step(struct op *op)
{
    struct stage *x = container_of(op, struct stage, op);
    struct k8s_stream *s = &x->stream;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!x->begun) {
        x->begun = true;
        s->on_ready = on_ready;
        s->ctx = x;
        s->ping_ms = x->ping_ms;
        k8s_stream_start(s, op);
        x->until_ms = x->hoard ? op_now_ms(op) + 500 : 0;
        return;
    }
    if (s->ready && !x->said) {
        x->said = true;
        for (size_t i = 0; i < x->say_times; i++)
            rd_buf_puts(&s->out, x->say);
        k8s_stream_kick(s);
    }
    if (op_now_ms(op) >= x->until_ms) {
        rd_buf_append(&x->got, s->in.data, s->in.len);
        rd_buf_reset(&s->in);
        k8s_stream_kick(s);
    } else {
        op_set_alarm(op, x->until_ms);
    }
    if (op_ended(&s->op) && s->in.len == 0)
        op_finish(op, NULL);
}

static struct rd_err *run(peer_script *script, void *ctx, struct stage *x)
{
    struct harness_ca *ca = harness_ca_new("test");
    struct harness_identity *id = harness_identity_new(ca, "server", "IP:127.0.0.1", 1);
    struct server *server = server_new(script, ctx, id);
    struct loop *loop = loop_new();
    struct k8s_client_options o = {.config.tls.ca_pem = rd_strdup(harness_ca_pem(ca))};
    o.config.server = server_url(server, "");
    o.config.ns = rd_strdup("ns");
    o.config.origin = rd_strdup("test");
    rd_secret_set(&o.config.token, "token-of-the-test", 17);
    struct k8s_client *client = k8s_client_new(loop, &o);
    rd_buf_init(&x->got, (size_t)8 << 20);
    k8s_stream_init(&x->stream, client, "ns", "pod", PORT);
    op_start_root(&x->op, loop, stage_step, "stage");
    op_set_timeout(&x->op, 30000);
    loop_run(loop, &x->op);
    struct rd_err *late = op_take_err(&x->op);
    if (late != NULL)
        fail_msg("%s", late->message);
    struct rd_err *err = op_take_err(&x->stream.op);
    k8s_stream_clear(&x->stream);
    k8s_client_free(client);
    loop_free(loop);
    server_free(server);
    harness_identity_free(id);
    harness_ca_free(ca);
    return err;
}

/* Fragments, a ping in between, our frames masked and whole, a normal end. */
static void talks(void **state)
{
    (void)state;
    struct heard h = {.data = RD_BUF_INIT((size_t)1 << 20)};
    struct stage x = {.say = "0123456789", .say_times = 10000};
    struct rd_err *err = run(play_talk, &h, &x);
    if (err != NULL)
        fail_msg("%s", err->message);
    rd_check_str("received", rd_buf_str(&x.got), "hello there bye");
    rd_check_int("sent", (long long)h.data.len, 100000);
    rd_check_int("order", strncmp(rd_buf_str(&h.data), "01234567890123", 14), 0);
    rd_check_int("pong", h.pong, true);
    rd_check_int("frames that break the rules", h.bad_frame, false);
    rd_check_int("our Close", h.closed, true);
    rd_buf_clear(&h.data);
    rd_buf_clear(&x.got);
}

static void fails(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        peer_script *script;
        enum rd_err_kind kind;
        const char *part, *reason, *got;
    } rows[] = {
        {"refused port", play_refused, RD_ERR_TRANSIENT, "connection refused", K8S_STREAM_REFUSED,
         ""},
        {"forbidden", play_forbidden, RD_ERR_CREDENTIALS, "is forbidden", "Forbidden", ""},
        {"cut", play_cut, RD_ERR_TRANSIENT, "ended without a close", NULL, "half"},
        {"close with an error", play_error_close, RD_ERR_TRANSIENT, "code 1011", NULL, ""},
        {"silence", play_silent, RD_ERR_TRANSIENT, "three pings", NULL, "last"},
        {"garbage", play_garbage, RD_ERR_TRANSIENT, "broke the websocket protocol", NULL, ""},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct stage x = {.ping_ms = 100};
        struct rd_err *err = run(rows[i].script, NULL, &x);
        if (err == NULL)
            fail_msg("%s: no error", rows[i].row);
        rd_check_str(rows[i].row, err->reason, rows[i].reason);
        rd_check_err(rows[i].row, &err, rows[i].kind, rows[i].part);
        rd_check_str(rows[i].row, rd_buf_str(&x.got), rows[i].got);
        rd_buf_clear(&x.got);
    }
}

/* Data before the end of the same burst arrives; a peer that answers one ping in three lives; a 401
 * is answered once with the credential read anew. */
static void lives(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        peer_script *script;
        uint64_t ping_ms;
        const char *got;
    } rows[] = {{"last words", play_last_words, 0, "data"},
                {"slow to answer", play_slow, 100, ""},
                {"once more", play_once_more, 0, "again"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct stage x = {.ping_ms = rows[i].ping_ms};
        struct rd_err *err = run(rows[i].script, NULL, &x);
        if (err != NULL)
            fail_msg("%s: %s", rows[i].row, err->message);
        rd_check_str(rows[i].row, rd_buf_str(&x.got), rows[i].got);
        rd_buf_clear(&x.got);
    }
}

/* Who does not consume is not drowned, and loses nothing. */
static void back_pressure(void **state)
{
    (void)state;
    struct stage x = {.hoard = true};
    struct rd_err *err = run(play_flood, NULL, &x);
    if (err != NULL)
        fail_msg("%s", err->message);
    rd_check_int("bytes", (long long)x.got.len, (long long)FLOOD);
    if (x.in_peak > ((size_t)1 << 20))
        fail_msg("%zu bytes were held", x.in_peak);
    rd_buf_clear(&x.got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talks),
        cmocka_unit_test(fails),
        cmocka_unit_test(lives),
        cmocka_unit_test(back_pressure),
    };
    rd_alloc_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
