/* As much of SPDY/3.1 as one forwarded connection takes, as bytes: no I/O. kubectl forwards this way since
 * 1.31: SPDY inside a WebSocket that ends at the API server, which costs the node far less for each byte
 * than the channels of channel.h.
 *
 * Stream 1 carries the node's error text, stream 3 the data; both are opened by us with the port in their
 * headers. Header blocks are zlib streams; ours consist of stored blocks, and the node's replies need no
 * reading. Neither side of Kubernetes uses SPDY's flow control.
 * Protocol: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/. */
#ifndef RD_K8S_SPDY_H
#define RD_K8S_SPDY_H

#include "base/buf.h"

#define SPDY_PROTOCOL "SPDY/3.1+portforward.k8s.io"
#define SPDY_DATA_HEAD 8

struct spdy {
    struct rd_buf *data; /* borrowed: the data stream goes here */
    struct rd_buf error; /* text of the error stream, at most 8 KiB */
    struct rd_buf reply; /* frames that must be sent; the owner takes them */
    bool data_open, error_open, data_ended, error_ended;
    const char *problem; /* static; the peer broke the protocol, or reset a stream */
    /* The reader's own. */
    unsigned char head[SPDY_DATA_HEAD], body[8];
    size_t head_len, body_len, left;
};
void spdy_init(struct spdy *s, struct rd_buf *data);
void spdy_clear(struct spdy *s);
/* Appends the frames that open both streams. */
void spdy_open(struct rd_buf *out, uint16_t port);
/* The head of a frame of len bytes of data; last: no more will follow. */
void spdy_data_head(unsigned char head[SPDY_DATA_HEAD], size_t len, bool last);
void spdy_feed(struct spdy *s, const void *data, size_t len);
static inline bool spdy_ready(const struct spdy *s)
{
    return s->data_open && s->error_open;
}

#endif
