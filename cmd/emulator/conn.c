#include "conn.h"

#include "chain.h"
#include "http.h"

#include "base/alloc.h"

#include <openssl/err.h>

#include <stdlib.h>
#include <string.h>

struct conn_write {
    uv_write_t req;
    char *data;
};

static void on_closed(uv_handle_t *handle)
{
    struct emu_conn *c = container_of((uv_tcp_t *)handle, struct emu_conn, tcp);
    SSL_free(c->ssl);
    rd_buf_clear(&c->in);
    free(c);
}

void emu_conn_close(struct emu_conn *c, bool reset)
{
    if (c->closing)
        return;
    c->closing = true;
    rd_list_remove(&c->node);
    struct emu_req *req = c->req;
    c->req = NULL;
    if (!reset || uv_tcp_close_reset(&c->tcp, on_closed) != 0)
        uv_close((uv_handle_t *)&c->tcp, on_closed);
    if (req != NULL) {
        req->conn = NULL;
        if (req->on_gone != NULL) {
            emu_gone_fn *gone = req->on_gone;
            req->on_gone = NULL;
            gone(req, req->arg);
        }
    }
}

static void on_written(uv_write_t *req, int status)
{
    struct conn_write *w = container_of(req, struct conn_write, req);
    struct emu_conn *c = req->handle->data;
    free(w->data);
    free(w);
    if (c->closing)
        return;
    if (status != 0)
        emu_conn_close(c, false);
    else if (c->close_after_write && c->tcp.write_queue_size == 0)
        emu_conn_close(c, false);
}

static void net_write(struct emu_conn *c, char *take, size_t len)
{
    struct conn_write *w = rd_calloc(1, sizeof(*w));
    w->data = take;
    uv_buf_t buf = uv_buf_init(take, (unsigned)len);
    if (uv_write(&w->req, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0) {
        free(take);
        free(w);
        emu_conn_close(c, false);
    }
}

static void flush_tls(struct emu_conn *c)
{
    size_t pending = BIO_ctrl_pending(c->to_net);
    if (pending == 0 || c->closing)
        return;
    char *data = rd_malloc(pending);
    int got = BIO_read(c->to_net, data, (int)pending);
    if (got > 0)
        net_write(c, data, (size_t)got);
    else
        free(data);
}

void emu_conn_write(struct emu_conn *c, const void *data, size_t len)
{
    if (c->closing || len == 0)
        return;
    if (c->ssl == NULL) {
        char *copy = rd_malloc(len);
        memcpy(copy, data, len);
        net_write(c, copy, len);
        return;
    }
    /* A memory BIO takes everything, so a write is never short. */
    if (SSL_write(c->ssl, data, (int)len) <= 0)
        emu_conn_close(c, false);
    else
        flush_tls(c);
}

static void refuse(struct emu_conn *c, int status)
{
    RD_AUTOFREE char *head =
        rd_asprintf("HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status,
                    emu_http_reason(status));
    c->close_after_write = true;
    emu_conn_write(c, head, strlen(head));
}

/* Hands whole requests on, one at a time; a handler that answers at once leads to the next turn of
 * this loop rather than to a deeper call. */
static void conn_parse(struct emu_conn *c)
{
    if (c->dispatching)
        return;
    c->dispatching = true;
    while (!c->closing && !c->close_after_write) {
        if (c->req != NULL) {
            if (c->req->websocket)
                emu_ws_input(c->req, &c->in);
            break;
        }
        struct emu_msg msg;
        size_t used = 0;
        bool expects = false;
        enum emu_http_result r = emu_http_parse(c->in.data, c->in.len, &msg, &used, &expects);
        if (r == EMU_HTTP_MORE) {
            if (expects && !c->continued) {
                static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
                c->continued = true;
                emu_conn_write(c, go_on, sizeof(go_on) - 1);
            }
            break;
        }
        if (r != EMU_HTTP_WHOLE) {
            refuse(c, r == EMU_HTTP_BAD ? 400 : 413);
            break;
        }
        c->continued = false;
        rd_buf_consume(&c->in, used);
        c->req = emu_req_new(c->listener, c, &msg);
        emu_server_dispatch(c->req);
    }
    c->dispatching = false;
}

void emu_conn_next(struct emu_conn *c)
{
    conn_parse(c);
}

static bool read_tls(struct emu_conn *c)
{
    char plain[16 * 1024];
    for (;;) {
        ERR_clear_error(); /* SSL_get_error looks at the queue */
        int got = SSL_read(c->ssl, plain, sizeof(plain));
        if (got <= 0) {
            int why = SSL_get_error(c->ssl, got);
            flush_tls(c);
            return why == SSL_ERROR_WANT_READ;
        }
        rd_buf_append(&c->in, plain, (size_t)got);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct emu_conn *c = handle->data;
    *buf = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct emu_conn *c = stream->data;
    if (c->closing)
        return;
    if (got < 0) {
        emu_conn_close(c, false);
        return;
    }
    bool ok = true;
    if (c->ssl == NULL) {
        rd_buf_append(&c->in, buf->base, (size_t)got);
    } else {
        ok = BIO_write(c->from_net, buf->base, (int)got) == (int)got || got == 0;
        ok = ok && read_tls(c);
    }
    if (c->in.overflow) {
        refuse(c, 413);
        return;
    }
    if (!c->closing)
        conn_parse(c);
    if (!ok)
        emu_conn_close(c, false);
}

static bool somebody_is_here(const struct emu *e)
{
    rd_list_foreach (it, &e->server->listeners)
        if (!rd_list_empty(&container_of(it, struct emu_listener, node)->conns))
            return true;
    return false;
}

void emu_conn_accept(struct emu_listener *l)
{
    if (!somebody_is_here(l->emu))
        emu_chain_begin(l->emu);
    struct emu_conn *c = rd_calloc(1, sizeof(*c));
    c->listener = l;
    rd_list_init(&c->node);
    uv_tcp_init(l->emu->loop, &c->tcp);
    c->tcp.data = c;
    rd_buf_init(&c->in, EMU_BODY_MAX + 2 * EMU_HEAD_MAX);
    rd_list_append(&l->conns, &c->node);
    if (l->tls) {
        c->ssl = SSL_new(l->emu->server->tls.ctx);
        c->from_net = BIO_new(BIO_s_mem());
        c->to_net = BIO_new(BIO_s_mem());
        RD_ASSERT(c->ssl != NULL && c->from_net != NULL && c->to_net != NULL);
        SSL_set_bio(c->ssl, c->from_net, c->to_net);
        SSL_set_accept_state(c->ssl);
    }
    if (uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&c->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0) {
        emu_conn_close(c, false);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
}
