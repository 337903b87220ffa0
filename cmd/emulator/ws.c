/* WebSocket, server side (RFC 6455): no extensions, fragments joined, pings answered. */
#include "conn.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct ws_frame {
    bool fin;
    int opcode;
    const unsigned char *mask; /* 4 bytes */
    char *data;                /* in the input buffer, unmasked in place */
    size_t len, size;          /* size: with the head */
};

bool emu_ws_wanted(const struct emu_req *req)
{
    const char *upgrade = emu_req_header(req, "upgrade");
    return upgrade != NULL && strcasecmp(upgrade, "websocket") == 0 &&
           emu_req_header(req, "sec-websocket-key") != NULL;
}

void emu_ws_accept(struct emu_req *req, const char *protocol, emu_data_fn *on_data)
{
    RD_ASSERT(emu_ws_wanted(req));
    req->websocket = req->streaming = true;
    req->status = 101;
    req->on_data = on_data;
    emu_req_log(req);
    if (req->conn == NULL)
        return;
    RD_AUTOFREE char *text = rd_asprintf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                                         emu_req_header(req, "sec-websocket-key"));
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    RD_ASSERT(EVP_Digest(text, strlen(text), digest, &digest_len, EVP_sha1(), NULL) == 1);
    RD_AUTOFREE char *accept = rd_base64_encode(digest, digest_len);
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(EMU_HEAD_MAX);
    rd_buf_printf(&out,
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
                  accept);
    if (protocol != NULL)
        rd_buf_printf(&out, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    rd_buf_puts(&out, "\r\n");
    emu_conn_write(req->conn, out.data, out.len);
}

void emu_ws_send(struct emu_req *req, int opcode, const void *data, size_t len)
{
    RD_ASSERT(req->websocket);
    if (req->conn == NULL)
        return;
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_putc(&out, (char)(0x80 | opcode));
    if (len < 126) {
        rd_buf_putc(&out, (char)len);
    } else {
        unsigned bytes = len <= 0xffff ? 2 : 8;
        rd_buf_putc(&out, bytes == 2 ? 126 : 127);
        for (unsigned i = bytes; i-- > 0;)
            rd_buf_putc(&out, (char)((uint64_t)len >> (8 * i)));
    }
    rd_buf_append(&out, data, len);
    emu_conn_write(req->conn, out.data, out.len);
}

void emu_ws_end(struct emu_req *req, int code)
{
    req->on_gone = NULL;
    if (req->conn != NULL) {
        unsigned char payload[2] = {(unsigned char)(code >> 8), (unsigned char)code};
        req->conn->close_after_write = true;
        emu_ws_send(req, 8, payload, sizeof(payload));
    }
    emu_req_end(req);
}

/* 1: a frame, 0: not whole yet, -1: broken. */
static int frame_read(struct rd_buf *in, size_t from, struct ws_frame *f)
{
    const unsigned char *p = (const unsigned char *)in->data + from;
    size_t have = in->len - from;
    if (have < 2)
        return 0;
    size_t head = 2;
    uint64_t len = p[1] & 0x7f;
    unsigned extra = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (have < head + extra)
        return 0;
    if (extra > 0) {
        len = 0;
        for (unsigned i = 0; i < extra; i++)
            len = len << 8 | p[head + i];
    }
    head += extra;
    if ((p[0] & 0x70) != 0 || (p[1] & 0x80) == 0 || len > EMU_BODY_MAX)
        return -1; /* no extension was agreed; a client must mask */
    if (have < head + 4 + len)
        return 0;
    *f = (struct ws_frame){.fin = (p[0] & 0x80) != 0,
                           .opcode = p[0] & 0x0f,
                           .mask = p + head,
                           .data = in->data + from + head + 4,
                           .len = (size_t)len,
                           .size = head + 4 + (size_t)len};
    return 1;
}

static void gone(struct emu_req *req)
{
    struct emu_conn *c = req->conn;
    if (c != NULL)
        emu_conn_close(c, false); /* calls on_gone */
}

/* Whole messages in order; a control frame may stand between fragments. The callback may end the
 * request, so nothing of it is touched after that without asking the connection. */
void emu_ws_input(struct emu_req *req, struct rd_buf *in)
{
    struct emu_conn *c = req->conn;
    while (c->req == req && !c->closing) {
        struct rd_buf message = RD_BUF_INIT(EMU_BODY_MAX);
        int opcode = 0;
        size_t at = 0;
        int r;
        struct ws_frame f;
        while ((r = frame_read(in, at, &f)) == 1) {
            unsigned char mask[4];
            memcpy(mask, f.mask, sizeof(mask));
            RD_AUTOFREE char *plain = rd_malloc(f.len + 1);
            for (size_t i = 0; i < f.len; i++)
                plain[i] = (char)(f.data[i] ^ mask[i % 4]);
            if (f.opcode >= 8) {
                /* Taken out of the middle, so that the fragments around it stay. */
                size_t tail = in->len - at - f.size;
                memmove(in->data + at, in->data + at + f.size, tail);
                in->len -= f.size;
                if (f.opcode == 9)
                    emu_ws_send(req, 10, plain, f.len);
                if (f.opcode == 8) {
                    r = -1;
                    break;
                }
                continue;
            }
            if (f.opcode != 0)
                opcode = f.opcode;
            rd_buf_append(&message, plain, f.len);
            at += f.size;
            if (f.fin)
                break;
        }
        if (r == 1 && !message.overflow) {
            rd_buf_consume(in, at);
            req->on_data(req, opcode, rd_buf_str(&message), message.len, req->arg);
            rd_buf_clear(&message);
            continue;
        }
        bool broken = r < 0 || message.overflow;
        rd_buf_clear(&message);
        if (broken)
            gone(req);
        return;
    }
}
