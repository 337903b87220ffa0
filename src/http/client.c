/* curl's multi interface on the loop.
 *
 * uv callbacks only note what a socket is ready for; the pump, an op, hands it to curl from the run
 * queue and collects results after every action. So curl is never entered from one of its own
 * callbacks, and a request may be started or stopped from any step. */
#include "http/internal.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_CONNECTIONS_MAX 64

struct http_sock {
    uv_poll_t poll;
    struct rd_list ready;
    struct http_client *client; /* NULL: closing */
    curl_socket_t fd;
    int want; /* UV_READABLE | UV_WRITABLE */
    int seen; /* CURL_CSELECT_*, not yet handed on */
    bool polled;
};

static void on_sock_closed(uv_handle_t *h)
{
    free(container_of((uv_poll_t *)h, struct http_sock, poll));
}

static void sock_close(struct http_sock *s)
{
    rd_list_remove(&s->ready);
    s->client = NULL;
    if (s->polled)
        uv_close((uv_handle_t *)&s->poll, on_sock_closed);
    else
        free(s);
}

static void sock_note(struct http_sock *s, int mask)
{
    s->seen |= mask;
    if (rd_list_empty(&s->ready))
        rd_list_append(&s->client->ready, &s->ready);
    op_wake(&s->client->pump);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_sock *s = container_of(poll, struct http_sock, poll);
    int mask = 0;
    if (status < 0) {
        /* ERR alone makes curl give up blindly; with the direction it reads what is still there,
         * such as the alert that says why, and then meets the error itself. */
        mask = CURL_CSELECT_ERR;
        events = s->want;
    }
    if ((events & UV_READABLE) != 0)
        mask |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0)
        mask |= CURL_CSELECT_OUT;
    sock_note(s, mask);
}

static void sock_watch(struct http_sock *s)
{
    if (!s->polled || uv_poll_start(&s->poll, s->want, on_poll) != 0)
        sock_note(s, CURL_CSELECT_ERR);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *sock_ctx)
{
    (void)easy;
    struct http_client *c = ctx;
    struct http_sock *s = sock_ctx;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL) {
            curl_multi_assign(c->multi, fd, NULL);
            sock_close(s);
        }
        return 0;
    }
    if (s == NULL) {
        s = rd_calloc(1, sizeof *s);
        s->client = c;
        s->fd = fd;
        rd_list_init(&s->ready);
        s->polled = uv_poll_init(loop_uv(c->loop), &s->poll, fd) == 0;
        curl_multi_assign(c->multi, fd, s);
    }
    s->want = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
              ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    sock_watch(s);
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    (void)multi;
    struct http_client *c = ctx;
    if (timeout_ms < 0) {
        c->timer_at_ms = RD_NEVER;
    } else if (timeout_ms == 0) {
        c->timer_at_ms = 0;
        op_wake(&c->pump);
    } else {
        c->timer_at_ms = rd_boot_ms() + (uint64_t)timeout_ms;
    }
    op_set_alarm(&c->pump, timeout_ms <= 0 ? RD_NEVER : c->timer_at_ms);
    return 0;
}

void client_collect(struct http_client *c)
{
    int left;
    CURLMsg *msg;
    while ((msg = curl_multi_info_read(c->multi, &left)) != NULL) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        struct http_req *r = NULL;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        RD_ASSERT(r != NULL);
        RD_ASSERT(r->easy == msg->easy_handle);
        r->result = msg->data.result;
        r->completed = true;
        op_wake(&r->op);
    }
}

static void pump_step(struct op *op)
{
    struct http_client *c = container_of(op, struct http_client, pump);
    int running;
    while (!rd_list_empty(&c->ready)) {
        struct http_sock *s = container_of(c->ready.next, struct http_sock, ready);
        curl_socket_t fd = s->fd;
        int mask = s->seen;
        s->seen = 0;
        rd_list_remove(&s->ready);
        /* libuv stops a poll that failed; curl, if it stays with the socket, expects it to go on.
         */
        if ((mask & CURL_CSELECT_ERR) != 0 && s->polled)
            uv_poll_start(&s->poll, s->want, on_poll);
        curl_multi_socket_action(c->multi, fd, mask, &running); /* s may be gone after this */
    }
    if (c->timer_at_ms != RD_NEVER && c->timer_at_ms <= op_now_ms(op)) {
        c->timer_at_ms = RD_NEVER;
        curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    client_collect(c);
}

static void pump_done(struct op *op)
{
    struct http_client *c = container_of(op, struct http_client, pump);
    rd_err_free(op_take_err(op));
    free(c);
}

struct http_client *http_client_new(struct loop *l, struct http_client_options *take)
{
    CURLcode rc = curl_global_init_mem(CURL_GLOBAL_DEFAULT, rd_malloc, free, rd_realloc, rd_strdup,
                                       rd_calloc);
    RD_ASSERT(rc == CURLE_OK);
    struct http_client *c = rd_calloc(1, sizeof *c);
    c->loop = l;
    if (take != NULL) {
        c->o = *take;
        *take = (struct http_client_options){0};
    }
    rd_list_init(&c->waiting);
    rd_list_init(&c->ready);
    c->timer_at_ms = RD_NEVER;
    c->multi = curl_multi_init();
    RD_ASSERT(c->multi != NULL);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX);
    c->share = curl_share_init();
    RD_ASSERT(c->share != NULL);
    curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    c->pump.done = pump_done;
    op_start_root(&c->pump, l, pump_step, "http client");
    return c;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    RD_ASSERT(c->handles == 0);
    RD_ASSERT(rd_list_empty(&c->waiting));
    curl_multi_cleanup(c->multi);
    curl_share_cleanup(c->share);
    while (!rd_list_empty(&c->ready))
        sock_close(container_of(c->ready.next, struct http_sock, ready));
    http_tls_clear(&c->o.tls);
    free(c->o.proxy);
    free(c->o.unix_socket);
    op_finish(&c->pump, NULL); /* frees c from the run queue */
    curl_global_cleanup();
}

void http_client_set_tls(struct http_client *c, struct http_tls *take)
{
    http_tls_clear(&c->o.tls);
    c->o.tls = *take;
    *take = (struct http_tls){0};
}

void http_tls_clear(struct http_tls *t)
{
    free(t->ca_pem);
    free(t->ca_file);
    free(t->cert_pem);
    rd_secret_clear(&t->key_pem);
    free(t->server_name);
    *t = (struct http_tls){0};
}
