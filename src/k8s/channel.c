#include "k8s/channel.h"

#include <string.h>

#define CHANNEL_ERROR_MAX ((size_t)8 << 10)

void channel_reader_init(struct channel_reader *r, uint16_t port, struct rd_buf *data)
{
    *r = (struct channel_reader){.port = port, .data = data, .channel = -1};
    rd_buf_init(&r->error, CHANNEL_ERROR_MAX);
}

void channel_reader_clear(struct channel_reader *r)
{
    rd_buf_clear(&r->error);
}

void channel_reader_begin(struct channel_reader *r)
{
    r->channel = -1;
}

bool channel_reader_ready(const struct channel_reader *r)
{
    return r->head_len[CHANNEL_DATA] == 2 && r->head_len[CHANNEL_ERROR] == 2;
}

void channel_reader_feed(struct channel_reader *r, const void *data, size_t len)
{
    const unsigned char *at = data;
    if (len > 0 && r->channel < 0) {
        r->channel = *at++;
        len--;
    }
    if (len == 0 || r->channel > CHANNEL_ERROR)
        return;

    size_t *have = &r->head_len[r->channel];
    while (*have < 2 && len > 0) {
        r->head[r->channel][(*have)++] = *at++;
        len--;
        if (*have == 2) {
            const unsigned char *h = r->head[r->channel];
            if ((h[0] | h[1] << 8) != r->port)
                r->problem = "a channel was opened for another port";
        }
    }
    if (len == 0)
        return;
    if (r->channel == CHANNEL_DATA) {
        rd_buf_append(r->data, at, len);
        if (r->data->overflow)
            r->problem = "more bytes arrived than were asked for";
        return;
    }
    size_t room = r->error.max - r->error.len;
    rd_buf_append(&r->error, at, len < room ? len : room);
}
