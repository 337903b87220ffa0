#include "k8s/forward.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "k8s/forward_conn.h"

#define FORWARD_BACKLOG 128
#define FORWARD_CONNECTIONS_MAX 512 /* more wait in the kernel's queue */

void k8s_forward_init(struct k8s_forward *f, struct k8s_client *c, const char *ns,
                      uint16_t remote_port)
{
    *f = (struct k8s_forward){.client = c, .remote_port = remote_port, .bind_host = "127.0.0.1"};
    f->ns = rd_strdup(ns);
}

void k8s_forward_clear(struct k8s_forward *f)
{
    struct forward_priv *p = f->priv;
    if (p) {
        RD_ASSERT(!p->listener_open);
        forward_target_clear(&p->target);
        rd_freep(&p->last_note);
        rd_err_freep(&p->failure);
    }
    rd_freep(&f->priv);
    rd_freep(&f->ns);
    rd_freep(&f->pod);
    rd_freep(&f->selector);
    rd_freep(&f->service);
    rd_err_freep(&f->last);
    rd_err_free(op_take_err(&f->op));
}

void forward_note(struct k8s_forward *f, const char *text)
{
    struct forward_priv *p = f->priv;
    if (!f->on_note || rd_streq(p->last_note, text))
        return;
    rd_str_dup(&p->last_note, text);
    f->on_note(f, text);
}

static void on_target(struct forward_target *t)
{
    struct k8s_forward *f = t->ctx;
    struct forward_priv *p = f->priv;
    if (t->pod && p->told) {
        RD_AUTOFREE char *text = rd_asprintf("new connections go to Pod/%s/%s now", f->ns, t->pod);
        forward_note(f, text);
    } else if (!t->pod && t->why_none) {
        forward_note(f, t->why_none);
    }
    p->told = p->told || t->pod;
    forward_conns_wake(f);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct forward_priv *p = container_of((uv_tcp_t *)server, struct forward_priv, listener);
    struct k8s_forward *f = p->target.ctx;
    if (status == 0)
        p->accept_waiting = true; /* libuv asks for no more until it was accepted */
    op_wake(&f->op);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct forward_priv *p = container_of((uv_tcp_t *)h, struct forward_priv, listener);
    struct k8s_forward *f = p->target.ctx;
    p->listener_open = false;
    op_wake(&f->op);
}

static bool forward_listen(struct k8s_forward *f, struct rd_err **reterr)
{
    struct forward_priv *p = f->priv;
    struct sockaddr_storage addr = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&addr;
    int rc = uv_tcp_init(loop_uv(f->op.loop), &p->listener);
    RD_ASSERT(rc == 0);
    p->listener_open = true;
    if (uv_ip4_addr(f->bind_host, f->local_port, v4) != 0 &&
        uv_ip6_addr(f->bind_host, f->local_port, v6) != 0)
        return rd_fail(reterr, RD_ERR_INPUT, "%s is not an IP address to listen on", f->bind_host);
    rc = uv_tcp_bind(&p->listener, (struct sockaddr *)&addr, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&p->listener, FORWARD_BACKLOG, on_connection);
    if (rc != 0) {
        rd_fail(reterr, RD_ERR_INPUT, "cannot listen on %s port %u: %s", f->bind_host,
                f->local_port, uv_strerror(rc));
        rd_err_hint(*reterr, "Choose another local port, or 0 for any that is free.");
        return false;
    }
    int len = sizeof(addr);
    rc = uv_tcp_getsockname(&p->listener, (struct sockaddr *)&addr, &len);
    RD_ASSERT(rc == 0);
    f->local_port = ntohs(addr.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
    return true;
}

/* Takes the listener and the connections apart; the step finishes. */
static void forward_end(struct k8s_forward *f, struct rd_err *take)
{
    struct forward_priv *p = f->priv;
    rd_err_keep(&p->failure, &take);
    p->ending = true;
    op_cancel_children(&f->op);
    if (p->listener_open && !uv_is_closing((uv_handle_t *)&p->listener))
        uv_close((uv_handle_t *)&p->listener, on_listener_closed);
    op_wake(&f->op);
}

static void forward_step(struct op *op)
{
    struct k8s_forward *f = container_of(op, struct k8s_forward, op);
    struct forward_priv *p = f->priv;
    struct rd_err *err = NULL;
    if (op->cancelled && !p->ending)
        forward_end(f, NULL);
    if (p->ending) {
        if (!p->listener_open && !op_has_children(op)) {
            err = p->failure;
            p->failure = NULL;
            op_finish(op, err);
        }
        return;
    }
    if (op_ended(&p->target.op)) {
        forward_end(f, op_take_err(&p->target.op));
        return;
    }
    if (!p->listener_open) {
        if (!forward_listen(f, &err)) {
            forward_end(f, err);
            return;
        }
        forward_target_start(&p->target, op);
        if (f->on_listening)
            f->on_listening(f);
        return;
    }
    if (p->accept_waiting && p->connections < FORWARD_CONNECTIONS_MAX) {
        p->accept_waiting = false;
        forward_conn_accept(f);
    }
}

void k8s_forward_start(struct k8s_forward *f, struct op *parent)
{
    RD_ASSERT(!f->priv);
    struct forward_priv *p = rd_calloc(1, sizeof(*p));
    f->priv = p;
    rd_list_init(&p->conns);
    op_start(&f->op, parent, forward_step, "port-forward");
    forward_target_init(&p->target, f->client, f->ns, f->remote_port);
    p->target.fixed = f->pod;
    p->target.selector = f->selector;
    p->target.service = f->service;
    p->target.ctx = f;
    p->target.on_change = on_target;
}
