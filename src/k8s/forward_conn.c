#include "k8s/forward_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

#define CONN_DIAL_MS 10000 /* how long the client is held while the pod does not answer */
#define CONN_DIAL_PAUSE_MS 250
#define CONN_QUEUE_MAX ((size_t)256 << 10)
#define CONN_LINGER_MS 10000  /* silence after the client sent its FIN: half-close or gone */
#define CONN_FAREWELL_MS 2000 /* for the client's FIN after ours */

enum conn_state {
    CONN_DIAL,     /* wait for a pod, then start a stream */
    CONN_PIPE,     /* a stream runs; ready or not */
    CONN_PAUSE,    /* it failed before its first byte; once more */
    CONN_FAREWELL, /* the pod's side ended; the rest goes to the client */
    CONN_CLOSE,
};

struct conn {
    struct op op;
    struct rd_list sibling;
    struct k8s_forward *forward;
    int state;
    uv_tcp_t tcp;
    bool tcp_open, tcp_closing, reading, local_eof, local_broken;
    struct rd_buf from_local; /* read, not yet given to a stream */
    struct rd_buf replay;     /* given to a stream, no answer yet: repeated on a refused port */
    bool replay_lost, answered;
    uv_write_t write;
    uv_shutdown_t shutdown;
    char *writing; /* owned; in flight to the client */
    bool shutting, shut, reset;
    struct k8s_stream stream;
    uint64_t dial_by_ms, again_at_ms, last_byte_ms, farewell_by_ms;
};

/* ---- libuv's callbacks: record and wake ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    (void)h;
    (void)suggested;
    buf->base = rd_malloc((size_t)64 << 10);
    buf->len = (size_t)64 << 10;
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = container_of((uv_tcp_t *)h, struct conn, tcp);
    if (n > 0 && c->state != CONN_FAREWELL)
        rd_buf_append(&c->from_local, buf->base, (size_t)n);
    if (n > 0)
        c->last_byte_ms = op_now_ms(&c->op);
    if (n == UV_EOF)
        c->local_eof = true;
    else if (n < 0)
        c->local_broken = true;
    free(buf->base);
    if (n < 0) {
        uv_read_stop(h);
        c->reading = false;
        c->last_byte_ms = op_now_ms(&c->op);
    } else if (c->from_local.len >= CONN_QUEUE_MAX) {
        uv_read_stop(h);
        c->reading = false;
    }
    op_wake(&c->op);
}

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = container_of(req, struct conn, write);
    rd_freep(&c->writing);
    if (status < 0)
        c->local_broken = true;
    op_wake(&c->op);
}

static void on_shut(uv_shutdown_t *req, int status)
{
    struct conn *c = container_of(req, struct conn, shutdown);
    c->shutting = false;
    c->shut = true;
    if (status < 0)
        c->local_broken = true;
    op_wake(&c->op);
}

static void on_closed(uv_handle_t *h)
{
    struct conn *c = container_of((uv_tcp_t *)h, struct conn, tcp);
    c->tcp_open = false;
    op_wake(&c->op);
}

static void on_stream(struct k8s_stream *s)
{
    struct conn *c = s->ctx;
    op_wake(&c->op);
}

/* ---- Steps ---- */

static void conn_done(struct op *op)
{
    struct conn *c = container_of(op, struct conn, op);
    struct forward_priv *p = c->forward->priv;
    rd_list_remove(&c->sibling);
    p->connections--;
    k8s_stream_clear(&c->stream);
    rd_buf_clear(&c->from_local);
    rd_buf_clear(&c->replay);
    rd_freep(&c->writing);
    rd_err_free(op_take_err(op));
    free(c);
}

static void conn_close(struct conn *c, bool reset)
{
    c->state = CONN_CLOSE;
    c->reset = c->reset || reset;
    op_cancel_children(&c->op);
    op_wake(&c->op);
}

static void conn_close_step(struct conn *c)
{
    if (op_has_children(&c->op))
        return;
    if (c->tcp_open && !c->tcp_closing) {
        c->tcp_closing = true;
        if (!c->reset || c->shutting || c->shut || uv_tcp_close_reset(&c->tcp, on_closed) != 0)
            uv_close((uv_handle_t *)&c->tcp, on_closed);
        return;
    }
    if (!c->tcp_open)
        op_finish(&c->op, NULL);
}

static void conn_dial(struct conn *c)
{
    struct k8s_forward *f = c->forward;
    struct forward_priv *p = f->priv;
    if (!p->target.pod) {
        if (op_now_ms(&c->op) >= c->dial_by_ms) {
            const char *why = p->target.why_none ? p->target.why_none : "there is no pod";
            rd_err_free(f->last);
            f->last = rd_err_new(RD_ERR_TRANSIENT, "%s", why);
            forward_note(f, why);
            conn_close(c, false);
            return;
        }
        op_set_alarm(&c->op, c->dial_by_ms);
        return;
    }
    k8s_stream_clear(&c->stream);
    k8s_stream_init(&c->stream, f->client, f->ns, p->target.pod, p->target.port);
    c->stream.on_ready = on_stream;
    c->stream.ctx = c;
    c->state = CONN_PIPE;
    /* What a refused port never saw goes first. */
    rd_buf_append(&c->stream.out, c->replay.data, c->replay.len);
    k8s_stream_start(&c->stream, &c->op);
}

/* A failure before the first byte came back: worth another try while the client waits? */
static bool conn_may_redial(const struct conn *c, const struct rd_err *err)
{
    if (c->answered || c->replay_lost || c->local_broken)
        return false;
    if (op_now_ms(&c->op) + CONN_DIAL_PAUSE_MS >= c->dial_by_ms)
        return false;
    if (err->kind == RD_ERR_NOT_FOUND)
        return !c->forward->pod; /* the watch brings the next pod */
    if (c->stream.ready && c->replay.len > 0)
        return rd_streq(err->reason, K8S_STREAM_REFUSED); /* else somebody may have read it */
    return rd_err_transient(err->kind);
}

static void conn_stream_ended(struct conn *c)
{
    struct k8s_forward *f = c->forward;
    struct rd_err *err = op_take_err(&c->stream.op);
    if (!err) {
        c->state = CONN_FAREWELL;
        c->farewell_by_ms = RD_NEVER;
        op_wake(&c->op);
        return;
    }
    forward_note(f, err->message);
    bool again = conn_may_redial(c, err);
    rd_err_free(f->last);
    f->last = err;
    if (again) {
        c->state = CONN_PAUSE;
        c->again_at_ms = op_now_ms(&c->op) + CONN_DIAL_PAUSE_MS;
        op_set_alarm(&c->op, c->again_at_ms);
    } else {
        conn_close(c, c->answered); /* an answer cut short must not look complete */
    }
}

/* Client to pod. */
static void conn_push(struct conn *c)
{
    if (c->stream.ready && c->from_local.len && c->stream.out.len < CONN_QUEUE_MAX) {
        if (!c->answered && !c->replay_lost) {
            if (c->replay.len + c->from_local.len > CONN_QUEUE_MAX) {
                c->replay_lost = true;
                rd_buf_clear(&c->replay);
            } else {
                rd_buf_append(&c->replay, c->from_local.data, c->from_local.len);
            }
        }
        if (c->stream.out.len == 0) { /* both have room for what the other holds */
            struct rd_buf swap = c->stream.out;
            c->stream.out.data = c->from_local.data;
            c->stream.out.len = c->from_local.len;
            c->stream.out.cap = c->from_local.cap;
            c->from_local.data = swap.data;
            c->from_local.len = swap.len;
            c->from_local.cap = swap.cap;
        } else {
            rd_buf_append(&c->stream.out, c->from_local.data, c->from_local.len);
            rd_buf_reset(&c->from_local);
        }
        k8s_stream_kick(&c->stream);
    }
    if (!c->reading && !c->local_eof && !c->local_broken && c->from_local.len < CONN_QUEUE_MAX)
        c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
}

/* Pod to client: one write in flight, the next gathers in stream.in meanwhile. */
static void conn_pull(struct conn *c)
{
    struct k8s_forward *f = c->forward;
    if (c->stream.in.len && !c->answered) {
        c->answered = true;
        rd_buf_clear(&c->replay);
        rd_err_freep(&f->last);
    }
    if (!c->stream.in.len || c->writing || c->local_broken)
        return;
    size_t len = 0;
    c->writing = rd_buf_take(&c->stream.in, &len);
    c->last_byte_ms = op_now_ms(&c->op);
    uv_buf_t buf = uv_buf_init(c->writing, (unsigned)len);
    int rc = uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written);
    if (rc != 0) {
        rd_freep(&c->writing);
        c->local_broken = true;
    }
    k8s_stream_kick(&c->stream);
}

static void conn_pipe(struct conn *c)
{
    conn_push(c);
    conn_pull(c);
    if (c->local_broken) {
        conn_close(c, true);
        return;
    }
    if (op_ended(&c->stream.op)) {
        conn_stream_ended(c);
        return;
    }
    if (!c->local_eof)
        return;
    /* The protocol has no half-close: keep the pod's side for an answer that is still on its way.
     */
    uint64_t by = c->last_byte_ms + CONN_LINGER_MS;
    if (!c->stream.ready && !c->from_local.len && !c->replay.len)
        conn_close(c, false); /* it connected and left */
    else if (op_now_ms(&c->op) >= by && !c->stream.out.len && !c->stream.in.len)
        k8s_stream_close(&c->stream);
    else
        op_set_alarm(&c->op, by > op_now_ms(&c->op) ? by : op_now_ms(&c->op) + CONN_DIAL_PAUSE_MS);
}

/* The pod ended its side: the rest goes out, then our FIN; the client's bytes are read away, since
 * closing over unread ones would reset the connection under the answer. */
static void conn_farewell(struct conn *c)
{
    conn_pull(c);
    if (c->local_broken) {
        conn_close(c, true);
        return;
    }
    if (c->stream.in.len || c->writing || c->shutting)
        return;
    if (!c->shut) {
        c->shutting = uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shut) == 0;
        c->farewell_by_ms = op_now_ms(&c->op) + CONN_FAREWELL_MS;
        if (!c->shutting)
            conn_close(c, false);
        return;
    }
    rd_buf_reset(&c->from_local);
    if (c->local_eof || op_now_ms(&c->op) >= c->farewell_by_ms) {
        conn_close(c, false);
        return;
    }
    if (!c->reading)
        c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
    op_set_alarm(&c->op, c->farewell_by_ms);
}

static void conn_step(struct op *op)
{
    struct conn *c = container_of(op, struct conn, op);
    if (op->cancelled)
        c->state = CONN_CLOSE;
    bool left = c->local_broken || (c->local_eof && !c->from_local.len && !c->replay.len);
    if ((c->state == CONN_DIAL || c->state == CONN_PAUSE) && left)
        conn_close(c, false);
    switch ((enum conn_state)c->state) {
    case CONN_PAUSE:
        if (op_now_ms(op) < c->again_at_ms) {
            op_set_alarm(op, c->again_at_ms);
            return;
        }
        c->state = CONN_DIAL;
        conn_dial(c);
        return;
    case CONN_DIAL:
        if (!c->reading && !c->local_eof) /* to notice a client that leaves */
            c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
        conn_dial(c);
        return;
    case CONN_PIPE:
        conn_pipe(c);
        return;
    case CONN_FAREWELL:
        conn_farewell(c);
        return;
    case CONN_CLOSE:
        conn_close_step(c);
        return;
    }
    RD_UNREACHABLE();
}

void forward_conn_accept(struct k8s_forward *f)
{
    struct forward_priv *p = f->priv;
    struct conn *c = rd_calloc(1, sizeof(*c));
    int rc = uv_tcp_init(loop_uv(f->op.loop), &c->tcp);
    RD_ASSERT(rc == 0);
    c->forward = f;
    c->tcp_open = true;
    rd_buf_init(&c->from_local, CONN_QUEUE_MAX * 2);
    rd_buf_init(&c->replay, CONN_QUEUE_MAX);
    rd_list_init(&c->sibling);
    rd_list_append(&p->conns, &c->sibling);
    p->connections++;
    op_start(&c->op, &f->op, conn_step, "forwarded connection");
    c->op.done = conn_done;
    c->dial_by_ms = op_now_ms(&c->op) + CONN_DIAL_MS;
    c->last_byte_ms = op_now_ms(&c->op);
    if (uv_accept((uv_stream_t *)&p->listener, (uv_stream_t *)&c->tcp) != 0)
        conn_close(c, false);
    else
        uv_tcp_nodelay(&c->tcp, 1);
}

void forward_conns_wake(struct k8s_forward *f)
{
    struct forward_priv *p = f->priv;
    rd_list_foreach (it, &p->conns)
        op_wake(&container_of(it, struct conn, sibling)->op);
}
