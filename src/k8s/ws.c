#include "k8s/ws.h"

#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "k8s/ws_wire.h"

#define WS_SHAKE_MS 15000
#define WS_PING_MS 10000
#define WS_PINGS_MAX 3
#define WS_CLOSING_MS 2000

enum ws_state {
    WS_BEGIN,
    WS_AUTH,
    WS_CONNECT,
    WS_SHAKE,
    WS_REDIAL, /* 401: once more with a fresh credential */
    WS_OPEN,
    WS_CLOSING, /* our Close is out or on its way */
    WS_ENDING,
};

void k8s_ws_init(struct k8s_ws *w, struct k8s_client *c, const char *url, const char *protocols,
                 const char *what)
{
    *w = (struct k8s_ws){.client = c, .protocols = protocols, .ping_ms = WS_PING_MS};
    w->url = rd_strdup(url);
    w->what = rd_strdup(what);
    rd_buf_init(&w->out, RD_BUF_UNBOUNDED); /* bounded by WS_SEND_QUEUE_MAX through k8s_ws_room */
}

void k8s_ws_clear(struct k8s_ws *w)
{
    rd_freep(&w->url);
    rd_freep(&w->what);
    http_req_clear(&w->req);
    rd_err_free(op_take_err(&w->req.op));
    rd_err_free(op_take_err(&w->wait.op));
    ws_answer_clear(&w->answer);
    if (w->frames)
        wslay_event_context_free(w->frames);
    w->frames = NULL;
    rd_freep(&w->in);
    rd_buf_clear(&w->out);
    rd_err_freep(&w->failure);
    rd_err_free(op_take_err(&w->op));
}

/* ---- Ends ---- */

/* The first error wins; from here the step only takes things apart. */
static void ws_end(struct k8s_ws *w, struct rd_err *take)
{
    rd_err_keep(&w->failure, &take);
    w->state = WS_ENDING;
    w->open = false;
    op_cancel_children(&w->op);
    op_wake(&w->op);
}

static void ws_lost(struct k8s_ws *w, const char *how)
{
    struct rd_err *err = rd_err_new(RD_ERR_TRANSIENT, "%s: %s", w->what, how);
    ws_end(w, err);
}

/* True once nothing of the connection is left. */
static bool ws_disconnect(struct k8s_ws *w)
{
    if (op_has_children(&w->op))
        return false;
    if (w->poll.open) {
        loop_poll_close(&w->poll); /* wakes us when it is gone */
        return false;
    }
    http_req_clear(&w->req);
    return true;
}

/* ---- Handshake ---- */

static void ws_dial(struct k8s_ws *w)
{
    struct http_auth *auth = k8s_client_auth(w->client);
    http_req_init(&w->req, k8s_client_http(w->client), "GET", w->url);
    w->req.connect_only = true;
    w->req.http1 = true;
    k8s_client_decorate(w->client, &w->req);
    if (auth) {
        w->auth_generation = auth->generation;
        auth->ops->apply(auth, &w->req);
    }
    w->state = WS_CONNECT;
    http_req_start(&w->req, &w->op);
}

static bool ws_hello(struct k8s_ws *w, struct rd_err **reterr)
{
    size_t n = 0;
    for (struct curl_slist *h = w->req.headers; h; h = h->next)
        n++;
    RD_AUTOFREE const char **lines = rd_calloc(n + 1, sizeof(*lines));
    n = 0;
    for (struct curl_slist *h = w->req.headers; h; h = h->next)
        lines[n++] = h->data;

    ws_key_make(w->key);
    ws_accept_for(w->key, w->accept);
    ws_answer_clear(&w->answer);
    ws_answer_init(&w->answer, w->accept, w->protocols);
    rd_buf_reset(&w->out);
    w->out_pos = 0;
    struct rd_buf hello = RD_BUF_INIT((size_t)64 << 10);
    bool ok = ws_request_write(&hello, w->url, w->protocols, w->key, lines, reterr);
    if (ok)
        rd_buf_append(&w->out, hello.data, hello.len);
    if (hello.data)
        rd_wipe(hello.data, hello.len);
    rd_buf_clear(&hello);
    return ok;
}

static void ws_connected(struct k8s_ws *w)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct rd_err *err = op_take_err(&w->req.op);
    if (err) {
        rd_err_wrap(err, "%s", w->what);
        ws_end(w, err);
        return;
    }
    CURLcode rc = curl_easy_getinfo(http_req_curl(&w->req), CURLINFO_ACTIVESOCKET, &fd);
    if (rc != CURLE_OK || fd == CURL_SOCKET_BAD ||
        !loop_poll_open(&w->poll, w->op.loop, fd, &w->op)) {
        ws_lost(w, "the connection was gone before its first byte");
        return;
    }
    if (!ws_hello(w, &err)) {
        ws_end(w, err);
        return;
    }
    if (!w->in)
        w->in = rd_malloc(WS_READ_MAX);
    w->in_pos = w->in_len = 0;
    w->state = WS_SHAKE;
    w->shake_by_ms = op_now_ms(&w->op) + WS_SHAKE_MS;
    op_set_alarm(&w->op, w->shake_by_ms);
    op_wake(&w->op);
}

static void ws_refused(struct k8s_ws *w)
{
    struct ws_answer *a = &w->answer;
    struct http_auth *auth = k8s_client_auth(w->client);
    struct rd_err *err = NULL;
    if (a->status == 401 && auth && !w->refreshed) {
        w->refreshed = true;
        if (auth->generation == w->auth_generation)
            auth->ops->invalidate(auth);
        w->state = WS_REDIAL;
        op_cancel_children(&w->op);
        op_wake(&w->op);
        return;
    }
    if (a->status < 400) {
        ws_end(w, rd_err_new(RD_ERR_FAILED, "%s: the server answered %ld to a websocket request",
                             w->what, a->status));
        return;
    }
    enum call_judgement j =
        k8s_decode_error(a->status, a->content_type ? a->content_type : "", rd_buf_str(&a->body),
                         a->body.len, a->retry_after_ms, w->what, &err);
    if (!err)
        err = rd_err_new(j == CALL_RETRY ? RD_ERR_TRANSIENT : RD_ERR_FAILED,
                         "%s: the server answered %ld", w->what, a->status);
    ws_end(w, err);
}

static void ws_shake_hands(struct k8s_ws *w)
{
    struct ws_answer *a = &w->answer;
    if (op_now_ms(&w->op) >= w->shake_by_ms) {
        ws_lost(w, "no answer to the websocket handshake within 15 s");
        return;
    }
    bool up = ws_flush(w);
    while (up && (a->state == WS_ANSWER_HEAD || a->state == WS_ANSWER_BODY)) {
        size_t got = 0;
        up = ws_receive(w, w->in, WS_READ_MAX, &got);
        if (up && got == 0) {
            ws_want(w);
            return;
        }
        if (up) {
            w->in_len = got;
            w->in_pos = ws_answer_feed(a, w->in, got);
        }
    }
    if (!up)
        ws_answer_end(a);
    w->peer_gone = false;
    if (a->state == WS_ANSWER_OPEN) {
        ws_frames_open(w);
        w->open = true;
        w->state = WS_OPEN;
        w->ping_at_ms = op_now_ms(&w->op) + w->ping_ms;
        op_set_alarm(&w->op, w->ping_at_ms);
        if (w->on_open)
            w->on_open(w);
        op_wake(&w->op);
    } else if (a->state == WS_ANSWER_REFUSED) {
        ws_refused(w);
    } else {
        ws_lost(w, a->problem);
    }
}

/* ---- Open ---- */

static void ws_tick(struct k8s_ws *w)
{
    if (w->got_bytes || w->paused) /* while we do not read, silence says nothing */
        w->unanswered = 0;
    w->got_bytes = false;
    if (w->unanswered >= WS_PINGS_MAX) {
        ws_lost(w, "the server has not answered for three pings");
        return;
    }
    static const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
    if (wslay_event_queue_msg(w->frames, &ping) == 0)
        w->unanswered++;
    w->ping_at_ms = op_now_ms(&w->op) + w->ping_ms;
}

/* True while the connection goes on. */
static bool ws_carry(struct k8s_ws *w)
{
    size_t room = k8s_ws_room(w);
    int rc = wslay_event_recv(w->frames);
    if (w->state == WS_ENDING)
        return false;
    int sent = wslay_event_send(w->frames);
    bool up = ws_flush(w);
    if (wslay_event_get_close_received(w->frames))
        w->close_code = wslay_event_get_status_code_received(w->frames);

    if (w->close_code || wslay_event_get_close_received(w->frames)) {
        /* Our answering Close should leave, but the peer has gone either way. */
        if (!w->closing_by_ms)
            w->closing_by_ms = op_now_ms(&w->op) + WS_CLOSING_MS;
        bool flushed = !up || w->out_pos >= w->out.len || op_now_ms(&w->op) >= w->closing_by_ms;
        bool normal = w->close_code == WSLAY_CODE_NORMAL_CLOSURE ||
                      w->close_code == WSLAY_CODE_GOING_AWAY ||
                      w->close_code == WSLAY_CODE_NO_STATUS_RCVD || w->close_code == 0;
        if (!flushed)
            return true;
        struct rd_err *err = normal ? NULL
                                    : rd_err_new(RD_ERR_TRANSIENT,
                                                 "%s: the server closed the websocket with code %u",
                                                 w->what, w->close_code);
        ws_end(w, err);
        return false;
    }
    if (!up || w->peer_gone) {
        if (w->want_close)
            ws_end(w, NULL);
        else
            ws_lost(w, "the connection ended without a close");
        return false;
    }
    /* wslay answers a broken rule by a Close of its own and reads no more. */
    if (rc != 0 || sent != 0 || !wslay_event_get_read_enabled(w->frames)) {
        ws_lost(w, "the server broke the websocket protocol");
        return false;
    }
    if (k8s_ws_room(w) > room && w->on_room)
        w->on_room(w);
    return true;
}

/* Our Close leaves after everything that was sent before it. */
static void ws_say_goodbye(struct k8s_ws *w)
{
    if (w->out_pos < w->out.len || wslay_event_get_queued_msg_count(w->frames) > 0)
        return;
    w->state = WS_CLOSING;
    w->paused = false; /* what still comes is read to find the peer's Close */
    w->closing_by_ms = op_now_ms(&w->op) + WS_CLOSING_MS;
    /* Refused only if the peer's Close came first; then there is nothing left to say. */
    (void)wslay_event_queue_close(w->frames, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
}

/* A Close without waiting: what the socket does not take now is not sent. */
static void ws_part(struct k8s_ws *w)
{
    if (wslay_event_queue_close(w->frames, WSLAY_CODE_GOING_AWAY, NULL, 0) == 0 &&
        wslay_event_send(w->frames) == 0)
        (void)ws_flush(w); /* gone or full: either way we are leaving */
}

static void ws_open_step(struct k8s_ws *w)
{
    uint64_t now = op_now_ms(&w->op);
    if (w->state == WS_CLOSING && now >= w->closing_by_ms) {
        ws_end(w, NULL); /* we did our part */
        return;
    }
    if (w->state == WS_OPEN && now >= w->ping_at_ms)
        ws_tick(w);
    if (w->state == WS_OPEN && w->want_close)
        ws_say_goodbye(w);
    if (w->state == WS_ENDING || !ws_carry(w))
        return;
    if (w->poll.status < 0 &&
        !w->paused) { /* a reset, and what had come before it was read by now */
        ws_lost(w, uv_strerror(w->poll.status));
        return;
    }
    if (w->state == WS_OPEN && w->want_close && w->out_pos >= w->out.len)
        op_wake(&w->op);
    ws_want(w);
    uint64_t at = w->state == WS_OPEN ? w->ping_at_ms : RD_NEVER;
    if (w->closing_by_ms && w->closing_by_ms < at)
        at = w->closing_by_ms;
    op_set_alarm(&w->op, at);
}

static void ws_step(struct op *op)
{
    struct k8s_ws *w = container_of(op, struct k8s_ws, op);
    struct http_auth *auth = k8s_client_auth(w->client);
    if (op->cancelled) {
        if (w->state == WS_OPEN) /* a node that sees no Close may keep its side for hours */
            ws_part(w);
        w->state = WS_ENDING;
    }
    switch ((enum ws_state)w->state) {
    case WS_BEGIN:
        w->state = WS_AUTH;
        if (auth && !auth->ops->ensure(auth, &w->wait, op))
            return;
        ws_dial(w);
        return;
    case WS_AUTH:
        if (!op_ended(&w->wait.op))
            return;
        if (w->wait.op.err)
            ws_end(w, op_take_err(&w->wait.op));
        else
            ws_dial(w);
        return;
    case WS_CONNECT:
        if (op_ended(&w->req.op))
            ws_connected(w);
        return;
    case WS_SHAKE:
        ws_shake_hands(w);
        return;
    case WS_REDIAL:
        if (!ws_disconnect(w))
            return;
        w->state = WS_BEGIN;
        op_wake(op);
        return;
    case WS_OPEN:
    case WS_CLOSING:
        ws_open_step(w);
        return;
    case WS_ENDING:
        w->open = false;
        if (ws_disconnect(w)) {
            struct rd_err *err = w->failure;
            w->failure = NULL;
            op_finish(op, err);
        }
        return;
    }
    RD_UNREACHABLE();
}

void k8s_ws_start(struct k8s_ws *w, struct op *parent)
{
    op_start(&w->op, parent, ws_step, "websocket");
}

size_t k8s_ws_room(const struct k8s_ws *w)
{
    if (!w->open || w->want_close)
        return 0;
    size_t queued = wslay_event_get_queued_msg_length(w->frames) + (w->out.len - w->out_pos);
    return queued < WS_SEND_QUEUE_MAX ? WS_SEND_QUEUE_MAX - queued : 0;
}

void k8s_ws_send(struct k8s_ws *w, const void *lead, size_t lead_len, const void *data, size_t len)
{
    RD_ASSERT(w->open);
    RD_ASSERT(!w->want_close);
    if (wslay_event_get_close_received(w->frames))
        return; /* nobody listens any more; the step finds that by itself */
    ws_frame_write(w, lead, lead_len, data, len);
    op_wake(&w->op);
}

void k8s_ws_resume(struct k8s_ws *w)
{
    if (w->paused) {
        w->paused = false;
        op_wake(&w->op);
    }
}

void k8s_ws_close(struct k8s_ws *w)
{
    w->want_close = true;
    if (w->state != WS_OPEN && w->state != WS_CLOSING)
        op_cancel(&w->op); /* nothing to say goodbye to */
    op_wake(&w->op);
}
