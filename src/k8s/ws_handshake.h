/* The opening handshake of a WebSocket (RFC 6455 section 4), as bytes: no I/O.
 *
 * The answer is read incrementally and bounded: headers up to 32 KiB, the body of a refusal (a
 * Kubernetes Status, by length, chunked or until the connection ends) up to 64 KiB, cut off there.
 */
#ifndef RD_K8S_WS_HANDSHAKE_H
#define RD_K8S_WS_HANDSHAKE_H

#include "base/buf.h"
#include "base/err.h"

#define WS_KEY_LEN 24    /* 16 random bytes in base64 */
#define WS_ACCEPT_LEN 28 /* a SHA-1 in base64 */
#define WS_HEAD_MAX ((size_t)32 << 10)
#define WS_BODY_MAX ((size_t)64 << 10)

/* key has room for WS_KEY_LEN + 1, accept for WS_ACCEPT_LEN + 1. */
void ws_key_make(char *key);
void ws_accept_for(const char *key, char *accept);

/* Appends the request for url (http or https). headers: NULL-ended "Name: value" lines, may be
 * NULL. A line with a control byte is an error, since it could smuggle a second header. */
bool ws_request_write(struct rd_buf *out, const char *url, const char *protocols, const char *key,
                      const char *const *headers, struct rd_err **reterr) RD_MUST_CHECK;

enum ws_answer_state {
    WS_ANSWER_HEAD,    /* feed more */
    WS_ANSWER_BODY,    /* refused; feed more of the body */
    WS_ANSWER_REFUSED, /* complete, not a 101 */
    WS_ANSWER_OPEN,    /* 101; later bytes are frames */
    WS_ANSWER_BAD,     /* not HTTP, over its ceiling, or a 101 that breaks the rules: see problem */
};
struct ws_answer {
    enum ws_answer_state state;
    long status;
    struct rd_buf head, body;
    char *content_type, *protocol; /* owned; NULL: absent */
    uint64_t retry_after_ms;
    const char *problem; /* static */
    /* The reader's own. */
    const char *accept;  /* borrowed: what must come back */
    const char *offered; /* borrowed */
    bool chunked, to_end;
    uint64_t left; /* of the body, or of the chunk */
    int chunk_state;
    size_t chunk_digits;
    size_t scan;
};
/* accept and offered are borrowed for the life of a. */
void ws_answer_init(struct ws_answer *a, const char *accept, const char *offered);
/* Returns how many bytes it took: all of them unless the state became OPEN, REFUSED or BAD. */
size_t ws_answer_feed(struct ws_answer *a, const char *data, size_t len);
/* The connection ended: a body without a length is complete now, anything else is BAD. */
void ws_answer_end(struct ws_answer *a);
void ws_answer_clear(struct ws_answer *a);

#endif
