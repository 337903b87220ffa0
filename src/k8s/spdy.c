#include "k8s/spdy.h"

#include <stdio.h>
#include <string.h>

#define ERROR_STREAM 1
#define DATA_STREAM 3
#define FLAG_FIN 0x01
#define ERROR_TEXT_MAX ((size_t)8 << 10)
#define REPLY_MAX ((size_t)64 << 10)

enum control { SYN_STREAM = 1, SYN_REPLY = 2, RST_STREAM = 3, PING = 6, GOAWAY = 7 };

void spdy_init(struct spdy *s, struct rd_buf *data)
{
    *s = (struct spdy){.data = data};
    rd_buf_init(&s->error, ERROR_TEXT_MAX);
    rd_buf_init(&s->reply, REPLY_MAX);
}

void spdy_clear(struct spdy *s)
{
    rd_buf_clear(&s->error);
    rd_buf_clear(&s->reply);
}

/* ---- Writing ---- */

static void put16(struct rd_buf *out, unsigned n)
{
    rd_buf_putc(out, (char)(n >> 8));
    rd_buf_putc(out, (char)n);
}

static void put32(struct rd_buf *out, size_t n)
{
    put16(out, (unsigned)(n >> 16 & 0xffff));
    put16(out, (unsigned)(n & 0xffff));
}

static void put_text(struct rd_buf *out, const char *text)
{
    put32(out, strlen(text));
    rd_buf_puts(out, text);
}

/* A stored block and an empty one, which makes the reader hand out what it has. */
static void put_stored(struct rd_buf *out, const struct rd_buf *block)
{
    unsigned len = (unsigned)block->len, sizes[] = {len, 0};
    for (int i = 0; i < 2; i++) {
        rd_buf_putc(out, 0);
        rd_buf_putc(out, (char)sizes[i]); /* little-endian, unlike the rest */
        rd_buf_putc(out, (char)(sizes[i] >> 8));
        rd_buf_putc(out, (char)~sizes[i]);
        rd_buf_putc(out, (char)(~sizes[i] >> 8));
        if (i == 0)
            rd_buf_append(out, block->data, block->len);
    }
}

/* first: the connection's zlib stream begins with it. */
static void put_syn(struct rd_buf *out, unsigned stream, const char *type, uint16_t port, bool first)
{
    RD_AUTOBUF struct rd_buf block = RD_BUF_INIT(1024);
    RD_AUTOBUF struct rd_buf packed = RD_BUF_INIT(2048);
    char number[8];
    snprintf(number, sizeof(number), "%u", port);
    put32(&block, 3);
    put_text(&block, "port");
    put_text(&block, number);
    put_text(&block, "requestid");
    put_text(&block, "0");
    put_text(&block, "streamtype");
    put_text(&block, type);
    if (first)
        put16(&packed, 0x7801);
    put_stored(&packed, &block);
    put16(out, 0x8003);
    put16(out, SYN_STREAM);
    put32(out, packed.len + 10); /* no flags */
    put32(out, stream);
    put32(out, 0); /* no parent */
    put16(out, 0); /* priority, slot */
    rd_buf_append(out, packed.data, packed.len);
}

static void data_head(unsigned char head[SPDY_DATA_HEAD], unsigned stream, size_t len, bool last)
{
    const unsigned char bytes[SPDY_DATA_HEAD] = {
        0, 0, 0, (unsigned char)stream, last ? FLAG_FIN : 0, (unsigned char)(len >> 16),
        (unsigned char)(len >> 8), (unsigned char)len};
    memcpy(head, bytes, sizeof(bytes));
}

void spdy_data_head(unsigned char head[SPDY_DATA_HEAD], size_t len, bool last)
{
    RD_ASSERT(len < (1u << 24));
    data_head(head, DATA_STREAM, len, last);
}

void spdy_open(struct rd_buf *out, uint16_t port)
{
    unsigned char none[SPDY_DATA_HEAD];
    put_syn(out, ERROR_STREAM, "error", port, true);
    data_head(none, ERROR_STREAM, 0, true); /* we have no errors to tell */
    rd_buf_append(out, none, sizeof(none));
    put_syn(out, DATA_STREAM, "data", port, false);
}

/* ---- Reading ---- */

static uint32_t get32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void end_stream(struct spdy *s, uint32_t stream)
{
    s->data_ended = s->data_ended || stream == DATA_STREAM;
    s->error_ended = s->error_ended || stream == ERROR_STREAM;
}

/* A control frame is complete; body has its first bytes. */
static void control_ends(struct spdy *s)
{
    unsigned type = (unsigned)s->head[2] << 8 | s->head[3];
    uint32_t stream = get32(s->body) & 0x7fffffff;
    switch (type) {
    case SYN_REPLY:
        s->data_open = s->data_open || stream == DATA_STREAM;
        s->error_open = s->error_open || stream == ERROR_STREAM;
        if (s->head[4] & FLAG_FIN)
            end_stream(s, stream);
        return;
    case RST_STREAM:
        if (stream == DATA_STREAM && !s->data_ended)
            s->problem = "the node reset the stream";
        end_stream(s, stream);
        return;
    case PING: /* even numbers are the peer's */
        if (!(get32(s->body) & 1)) {
            put16(&s->reply, 0x8003);
            put16(&s->reply, PING);
            put32(&s->reply, 4);
            rd_buf_append(&s->reply, s->body, 4);
        }
        return;
    case GOAWAY:
        end_stream(s, DATA_STREAM);
        end_stream(s, ERROR_STREAM);
        return;
    default: /* SETTINGS, HEADERS, WINDOW_UPDATE, a stream of the peer's: nothing for us */
        return;
    }
}

static void frame_ends(struct spdy *s)
{
    if (s->head[0] & 0x80)
        control_ends(s);
    else if (s->head[4] & FLAG_FIN)
        end_stream(s, get32(s->head));
    s->head_len = 0;
}

static void head_ends(struct spdy *s)
{
    s->left = (size_t)s->head[5] << 16 | (size_t)s->head[6] << 8 | s->head[7];
    s->body_len = 0;
    memset(s->body, 0, sizeof(s->body));
    if ((s->head[0] & 0x80) && (s->head[0] != 0x80 || s->head[1] != 3))
        s->problem = "the server speaks another SPDY";
    else if (s->left == 0)
        frame_ends(s);
}

static void body_bytes(struct spdy *s, const char *at, size_t n)
{
    if (s->head[0] & 0x80) {
        for (size_t i = 0; i < n && s->body_len < sizeof(s->body); i++)
            s->body[s->body_len++] = (unsigned char)at[i];
        return;
    }
    uint32_t stream = get32(s->head);
    if (stream == DATA_STREAM) {
        rd_buf_append(s->data, at, n);
        if (s->data->overflow)
            s->problem = "more bytes arrived than were asked for";
    } else if (stream == ERROR_STREAM) {
        size_t room = s->error.max - s->error.len;
        rd_buf_append(&s->error, at, n < room ? n : room);
    }
}

void spdy_feed(struct spdy *s, const void *data, size_t len)
{
    const char *at = data;
    while (len && !s->problem) {
        if (s->head_len < SPDY_DATA_HEAD) {
            s->head[s->head_len++] = (unsigned char)*at++;
            len--;
            if (s->head_len == SPDY_DATA_HEAD)
                head_ends(s);
            continue;
        }
        size_t n = len < s->left ? len : s->left;
        body_bytes(s, at, n);
        at += n;
        len -= n;
        s->left -= n;
        if (s->left == 0)
            frame_ends(s);
    }
}
