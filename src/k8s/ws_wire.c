/* Bytes between curl's connection and wslay's frames. */
#include "k8s/ws_wire.h"

#include <string.h>

#include "base/encode.h"

/* ---- Bytes ---- */

bool ws_receive(struct k8s_ws *w, char *into, size_t room, size_t *ret_len)
{
    *ret_len = 0;
    CURLcode rc = curl_easy_recv(http_req_curl(&w->req), into, room, ret_len);
    if (rc == CURLE_AGAIN) {
        *ret_len = 0;
        return true;
    }
    if (rc != CURLE_OK || *ret_len == 0) {
        w->peer_gone = true;
        return false;
    }
    w->got_bytes = true;
    return true;
}

bool ws_flush(struct k8s_ws *w)
{
    while (w->out_pos < w->out.len) {
        size_t sent = 0;
        CURLcode rc = curl_easy_send(http_req_curl(&w->req), w->out.data + w->out_pos,
                                     w->out.len - w->out_pos, &sent);
        if (rc == CURLE_AGAIN)
            return true;
        if (rc != CURLE_OK) {
            w->peer_gone = true;
            return false;
        }
        w->out_pos += sent;
    }
    rd_buf_reset(&w->out);
    w->out_pos = 0;
    return true;
}

void ws_want(struct k8s_ws *w)
{
    int events = w->paused && w->open ? 0 : UV_READABLE;
    if (w->out_pos < w->out.len)
        events |= UV_WRITABLE;
    loop_poll_want(&w->poll, events);
}

/* ---- Frames ---- */

static ssize_t frame_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags,
                          void *user_data)
{
    struct k8s_ws *w = user_data;
    (void)flags;
    if (w->in_pos == w->in_len && !w->paused) {
        w->in_pos = w->in_len = 0;
        if (!ws_receive(w, w->in, WS_READ_MAX, &w->in_len)) {
            wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
            return -1;
        }
    }
    if (w->in_pos == w->in_len || w->paused) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (len > w->in_len - w->in_pos)
        len = w->in_len - w->in_pos;
    memcpy(buf, w->in + w->in_pos, len);
    w->in_pos += len;
    return (ssize_t)len;
}

/* Frames are gathered, so that TLS records are long; ws_flush hands them to curl. */
static ssize_t frame_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                          void *user_data)
{
    struct k8s_ws *w = user_data;
    (void)ctx;
    (void)flags;
    rd_buf_append(&w->out, data, len);
    return (ssize_t)len;
}

static int frame_mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, void *user_data)
{
    (void)ctx;
    (void)user_data;
    rd_random_bytes(buf, len);
    return 0;
}

/* RFC 6455 section 5.2: head, mask, and the payload under it. wslay would copy it twice and mask it
 * through a small buffer, which halves what a connection carries. */
void ws_frame_write(struct k8s_ws *w, const void *lead, size_t lead_len, const void *data, size_t len)
{
    uint64_t total = (uint64_t)len + lead_len, word, key;
    unsigned char head[14], mask[8];
    size_t n = 0;
    head[n++] = 0x80 | WSLAY_BINARY_FRAME;
    if (total < 126) {
        head[n++] = 0x80 | (unsigned char)total;
    } else if (total < 65536) {
        head[n++] = 0x80 | 126;
        head[n++] = (unsigned char)(total >> 8);
        head[n++] = (unsigned char)total;
    } else {
        head[n++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            head[n++] = (unsigned char)(total >> shift);
    }
    rd_random_bytes(mask, 4);
    memcpy(mask + 4, mask, 4);
    memcpy(head + n, mask, 4);
    n += 4;
    rd_buf_append(&w->out, head, n);
    size_t from = w->out.len, i = 0;
    rd_buf_append(&w->out, lead, lead_len);
    rd_buf_append(&w->out, data, len);
    RD_ASSERT(w->out.len == from + total); /* the buffer has no ceiling */
    char *at = w->out.data + from;
    memcpy(&key, mask, sizeof(key));
    for (; i + sizeof(word) <= total; i += sizeof(word)) {
        memcpy(&word, at + i, sizeof(word));
        word ^= key;
        memcpy(at + i, &word, sizeof(word));
    }
    for (; i < total; i++)
        at[i] ^= (char)mask[i % 4];
}

static void frame_start(wslay_event_context_ptr ctx,
                        const struct wslay_event_on_frame_recv_start_arg *arg, void *user_data)
{
    struct k8s_ws *w = user_data;
    (void)ctx;
    w->in_control = wslay_is_ctrl_frame(arg->opcode);
    if (!w->in_control && arg->opcode != WSLAY_CONTINUATION_FRAME && w->on_message)
        w->on_message(w);
}

static void frame_chunk(wslay_event_context_ptr ctx,
                        const struct wslay_event_on_frame_recv_chunk_arg *arg, void *user_data)
{
    struct k8s_ws *w = user_data;
    (void)ctx;
    if (w->on_chunk && arg->data_length && !w->in_control)
        w->on_chunk(w, arg->data, arg->data_length);
}

void ws_frames_open(struct k8s_ws *w)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = frame_recv,
        .send_callback = frame_send,
        .genmask_callback = frame_mask,
        .on_frame_recv_start_callback = frame_start,
        .on_frame_recv_chunk_callback = frame_chunk,
    };
    int rc = wslay_event_context_client_init(&w->frames, &callbacks, w);
    RD_ASSERT(rc == 0);
    wslay_event_config_set_no_buffering(w->frames, 1);
}
