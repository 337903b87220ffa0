/* One forwarded connection: a k8s_stream over a k8s_ws. SPDY in it where the API server takes that (from
 * 1.31 on), else the channels that the node reads itself. */
#include "k8s/forward.h"

#include <string.h>

#include "base/alloc.h"
#include "k8s/channel.h"
#include "k8s/spdy.h"
#include "k8s/ws.h"

#define STREAM_IN_MAX ((size_t)1 << 20)
#define STREAM_IN_PAUSE ((size_t)256 << 10) /* no more is read above; what was read still fits */
#define STREAM_ERROR_GRACE_MS 1000          /* for the Close that follows an error text */
#define STREAM_FIN_GRACE_MS 2000            /* for the node's end after ours */
#define PROTOCOLS SPDY_PROTOCOL ", v4.channel.k8s.io"

struct stream_priv {
    struct k8s_ws ws;
    bool tunnelled; /* spdy, not channels */
    struct channel_reader channels;
    struct spdy spdy;
    uint64_t fin_by_ms; /* 0: our end was not said */
    uint64_t error_by_ms; /* 0: no error text yet */
    bool closing;         /* the owner asked for the end */
    bool news;            /* tell the owner in the next step */
};

void k8s_stream_init(struct k8s_stream *s, struct k8s_client *c, const char *ns, const char *pod,
                     uint16_t port)
{
    *s = (struct k8s_stream){.client = c, .port = port};
    s->ns = rd_strdup(ns);
    s->pod = rd_strdup(pod);
    rd_buf_init(&s->in, STREAM_IN_MAX);
    rd_buf_init(&s->out, STREAM_IN_MAX);
}

void k8s_stream_clear(struct k8s_stream *s)
{
    struct stream_priv *p = s->priv;
    if (p) {
        k8s_ws_clear(&p->ws);
        channel_reader_clear(&p->channels);
        spdy_clear(&p->spdy);
    }
    rd_freep(&s->priv);
    rd_freep(&s->ns);
    rd_freep(&s->pod);
    rd_buf_clear(&s->in);
    rd_buf_clear(&s->out);
    rd_err_free(op_take_err(&s->op));
}

static void on_open(struct k8s_ws *w)
{
    struct k8s_stream *s = w->ctx;
    struct stream_priv *p = s->priv;
    p->tunnelled = w->answer.protocol && strcmp(w->answer.protocol, SPDY_PROTOCOL) == 0;
    if (p->tunnelled) {
        RD_AUTOBUF struct rd_buf hello = RD_BUF_INIT(4096);
        spdy_open(&hello, s->port);
        k8s_ws_send(w, NULL, 0, hello.data, hello.len);
    }
}

static void on_message(struct k8s_ws *w)
{
    struct k8s_stream *s = w->ctx;
    struct stream_priv *p = s->priv;
    channel_reader_begin(&p->channels); /* SPDY does not mind where messages begin */
}

static void on_chunk(struct k8s_ws *w, const void *data, size_t len)
{
    struct k8s_stream *s = w->ctx;
    struct stream_priv *p = s->priv;
    if (p->tunnelled)
        spdy_feed(&p->spdy, data, len);
    else
        channel_reader_feed(&p->channels, data, len);
    if (s->in.len >= STREAM_IN_PAUSE)
        w->paused = true;
    p->news = true;
    op_wake(&s->op);
}

static void on_room(struct k8s_ws *w)
{
    struct k8s_stream *s = w->ctx;
    struct stream_priv *p = s->priv;
    p->news = true;
    op_wake(&s->op);
}

/* The node's words about the pod's port. Nearly all of it heals: a port not open yet, a pod being
 * replaced. Whoever waits has a deadline. */
static struct rd_err *channel_error(const struct k8s_stream *s, const struct rd_buf *text)
{
    struct rd_err *err = rd_err_new(RD_ERR_TRANSIENT, "port %u of Pod/%s/%s: %s", s->port, s->ns,
                                    s->pod, rd_buf_str(text));
    rd_str_dup(&err->remote, rd_buf_str(text));
    if (strstr(rd_buf_str(text), "connection refused"))
        rd_str_dup(&err->reason, K8S_STREAM_REFUSED);
    rd_err_resource(err, "Pod/%s/%s", s->ns, s->pod);
    return err;
}

static void stream_send(struct k8s_stream *s)
{
    struct stream_priv *p = s->priv;
    size_t used = 0, room = k8s_ws_room(&p->ws);
    if (room < WS_SEND_QUEUE_MAX / 2 && room < s->out.len)
        return; /* by large pieces: what stays behind is moved each time */
    while (used < s->out.len) {
        size_t n = s->out.len - used;
        if (n > CHANNEL_PAYLOAD_MAX)
            n = CHANNEL_PAYLOAD_MAX;
        if (n > k8s_ws_room(&p->ws))
            break;
        unsigned char lead[SPDY_DATA_HEAD] = {CHANNEL_DATA};
        if (p->tunnelled)
            spdy_data_head(lead, n, false);
        k8s_ws_send(&p->ws, lead, p->tunnelled ? sizeof(lead) : 1, s->out.data + used, n);
        used += n;
    }
    rd_buf_consume(&s->out, used);
}

/* What either protocol has brought so far. */
static const struct rd_buf *said_error(const struct stream_priv *p)
{
    return p->tunnelled ? &p->spdy.error : &p->channels.error;
}

static const char *problem_of(const struct stream_priv *p)
{
    return p->tunnelled ? p->spdy.problem : p->channels.problem;
}

static bool is_ready(const struct stream_priv *p)
{
    return p->ws.open && (p->tunnelled ? spdy_ready(&p->spdy) : channel_reader_ready(&p->channels));
}

/* SPDY: the node ended the data; its error stream may still say why. */
static bool node_ended(struct k8s_stream *s)
{
    struct stream_priv *p = s->priv;
    if (!p->tunnelled || !p->spdy.data_ended)
        return false;
    if (p->spdy.error_ended)
        return true;
    if (!p->error_by_ms) {
        p->error_by_ms = op_now_ms(&s->op) + STREAM_ERROR_GRACE_MS;
        op_set_alarm(&s->op, p->error_by_ms);
    }
    return op_now_ms(&s->op) >= p->error_by_ms;
}

static void stream_say_goodbye(struct k8s_stream *s)
{
    struct stream_priv *p = s->priv;
    if (!p->closing || !p->ws.open || p->ws.want_close || s->out.len)
        return;
    /* The node drops what it has not read yet when the connection ends: our end first, then its. */
    if (p->tunnelled && s->ready && !p->fin_by_ms) {
        unsigned char last[SPDY_DATA_HEAD];
        spdy_data_head(last, 0, true);
        k8s_ws_send(&p->ws, last, sizeof(last), NULL, 0);
        p->fin_by_ms = op_now_ms(&s->op) + STREAM_FIN_GRACE_MS;
        op_set_alarm(&s->op, p->fin_by_ms);
    }
    if (!p->fin_by_ms || op_now_ms(&s->op) >= p->fin_by_ms)
        k8s_ws_close(&p->ws);
}

static void stream_step(struct op *op)
{
    struct k8s_stream *s = container_of(op, struct k8s_stream, op);
    struct stream_priv *p = s->priv;
    if (op->cancelled) {
        s->eof = true;
        op_finish(op, NULL);
        return;
    }
    bool error_said = said_error(p)->len > 0;
    bool ended = op_ended(&p->ws.op);
    if (p->spdy.reply.len && p->ws.open && !p->ws.want_close) {
        k8s_ws_send(&p->ws, NULL, 0, p->spdy.reply.data, p->spdy.reply.len);
        rd_buf_reset(&p->spdy.reply);
    }
    if (error_said && !p->error_by_ms) {
        p->error_by_ms = op_now_ms(op) + STREAM_ERROR_GRACE_MS;
        op_set_alarm(op, p->error_by_ms);
    }
    if (ended || problem_of(p) || node_ended(s) ||
        (error_said && op_now_ms(op) >= p->error_by_ms)) {
        struct rd_err *err = ended ? op_take_err(&p->ws.op) : NULL;
        if (problem_of(p) && !err)
            err = rd_err_new(p->tunnelled ? RD_ERR_TRANSIENT : RD_ERR_FAILED,
                             "port-forward of Pod/%s/%s: %s", s->ns, s->pod, problem_of(p));
        if (error_said) { /* says more than how the socket went */
            rd_err_free(err);
            err = channel_error(s, said_error(p));
        }
        s->eof = true;
        if (s->on_ready)
            s->on_ready(s);
        op_finish(op, err);
        return;
    }
    if (is_ready(p) && !s->ready) {
        s->ready = true;
        p->news = true;
    }
    if (s->ready)
        stream_send(s);
    stream_say_goodbye(s);
    if (s->in.len < STREAM_IN_PAUSE)
        k8s_ws_resume(&p->ws);
    if (p->news && s->on_ready) {
        p->news = false;
        s->on_ready(s);
    }
}

void k8s_stream_start(struct k8s_stream *s, struct op *parent)
{
    struct stream_priv *p = rd_calloc(1, sizeof(*p));
    char port[8];
    RD_ASSERT(!s->priv);
    s->priv = p;
    const struct k8s_resource *pods = k8s_resource_find(s->client, "v1", "Pod");
    RD_ASSERT(pods); /* compiled in */
    struct http_url url;
    k8s_url(&url, s->client, pods, s->ns, s->pod, "portforward");
    snprintf(port, sizeof(port), "%u", s->port);
    http_url_query(&url, "ports", port);
    RD_AUTOFREE char *what = rd_asprintf("port-forward Pod/%s/%s", s->ns, s->pod);

    op_start(&s->op, parent, stream_step, "stream");
    channel_reader_init(&p->channels, s->port, &s->in);
    spdy_init(&p->spdy, &s->in);
    k8s_ws_init(&p->ws, s->client, http_url_str(&url), PROTOCOLS, what);
    http_url_clear(&url);
    p->ws.ctx = s;
    if (s->ping_ms)
        p->ws.ping_ms = s->ping_ms;
    p->ws.on_open = on_open;
    p->ws.on_message = on_message;
    p->ws.on_chunk = on_chunk;
    p->ws.on_room = on_room;
    k8s_ws_start(&p->ws, &s->op);
}

void k8s_stream_kick(struct k8s_stream *s)
{
    op_wake(&s->op);
}

void k8s_stream_close(struct k8s_stream *s)
{
    struct stream_priv *p = s->priv;
    if (!p || !op_running(&s->op))
        return;
    p->closing = true;
    if (p->ws.open)
        op_wake(&s->op);
    else
        op_cancel(&s->op);
}
