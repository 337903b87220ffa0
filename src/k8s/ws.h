/* A WebSocket to a subresource of the API server (RFC 6455; reference sections 9.1 to 9.3).
 *
 * curl connects (same TLS, proxy and CA as every request), the handshake is ours, wslay makes and
 * reads the frames. Bytes are handed over as they come, so a message of any length costs no memory.
 * Sent messages are single unfragmented frames: the Go server does not put fragments together.
 *
 * A ping goes out every ping_ms; three of them without a byte in return mean a dead connection. The
 * op ends without error when the peer closed normally or the owner asked for the close. */
#ifndef RD_K8S_WS_H
#define RD_K8S_WS_H

#include "k8s/client.h"
#include "k8s/ws_handshake.h"

#include <wslay/wslay.h>

#define WS_SEND_QUEUE_MAX ((size_t)256 << 10) /* k8s_ws_room counts down from here */

struct k8s_ws {
    struct op op;
    struct k8s_client *client;
    char *url, *what;      /* owned; what: "port-forward Pod/ns/name", for errors */
    const char *protocols; /* static; which one it is says answer.protocol once it is open */
    uint64_t ping_ms;      /* default 10 000 */
    bool open;             /* the handshake is done */
    bool paused;           /* the owner wants no more bytes for now; k8s_ws_resume ends it */
    /* Called from step; may be NULL. They may set paused and send; they must not clear. */
    void (*on_open)(struct k8s_ws *w);
    void (*on_message)(struct k8s_ws *w); /* a message begins */
    void (*on_chunk)(struct k8s_ws *w, const void *data, size_t len);
    void (*on_room)(struct k8s_ws *w); /* the send queue got shorter */
    void *ctx;
    unsigned close_code; /* the peer's; 0: none came */
    /* ws.c's own. */
    int state;
    struct http_req req;
    struct http_auth_wait wait;
    uint64_t auth_generation;
    bool refreshed;
    struct loop_poll poll;
    uint64_t shake_by_ms, ping_at_ms, closing_by_ms;
    char key[WS_KEY_LEN + 1], accept[WS_ACCEPT_LEN + 1];
    struct ws_answer answer;
    wslay_event_context_ptr frames;
    char *in;
    size_t in_pos, in_len;
    struct rd_buf out;
    size_t out_pos;
    unsigned unanswered;
    bool got_bytes, peer_gone, want_close, in_control;
    struct rd_err *failure;
};
void k8s_ws_init(struct k8s_ws *w, struct k8s_client *c, const char *url, const char *protocols,
                 const char *what);
void k8s_ws_start(struct k8s_ws *w, struct op *parent);
size_t k8s_ws_room(const struct k8s_ws *w); /* payload bytes that may be sent now */
/* One binary message: a short lead (a channel byte, a head) and the payload. */
void k8s_ws_send(struct k8s_ws *w, const void *lead, size_t lead_len, const void *data, size_t len);
void k8s_ws_resume(struct k8s_ws *w);
void k8s_ws_close(struct k8s_ws *w); /* what was sent goes out first, then Close 1000 */
void k8s_ws_clear(struct k8s_ws *w);

#endif
