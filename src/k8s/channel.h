/* The channel protocol v4.channel.k8s.io of port-forward, as bytes: no I/O.
 *
 * One binary message is a channel byte and a payload. For one port: channel 0 is data both ways,
 * channel 1 is error text from the server. The first message of each channel carries the port as a
 * little-endian uint16, which is no data. Unknown channels and empty payloads are ignored.
 * Protocol source: k8s.io/streaming/portforward/websocket.go. */
#ifndef RD_K8S_CHANNEL_H
#define RD_K8S_CHANNEL_H

#include "base/buf.h"

#define CHANNEL_DATA 0
#define CHANNEL_ERROR 1
#define CHANNEL_PAYLOAD_MAX ((size_t)32 << 10) /* of a message of ours */

struct channel_reader {
    uint16_t port;       /* what the first bytes must say */
    struct rd_buf *data; /* borrowed: channel 0 goes here */
    struct rd_buf error; /* text of channel 1, at most 8 KiB */
    unsigned char head[2][2];
    size_t head_len[2];
    int channel;         /* of the message being read; -1: its first byte has not come */
    const char *problem; /* static; a peer that breaks the protocol */
};
void channel_reader_init(struct channel_reader *r, uint16_t port, struct rd_buf *data);
void channel_reader_begin(struct channel_reader *r); /* a new message */
void channel_reader_feed(struct channel_reader *r, const void *data, size_t len); /* part of it */
bool channel_reader_ready(const struct channel_reader *r); /* both channels were opened */
void channel_reader_clear(struct channel_reader *r);

#endif
