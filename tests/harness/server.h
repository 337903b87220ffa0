/* A scripted server for tests: each accepted connection runs the script in a thread of its own,
 * with blocking calls, so that a script reads like the conversation it plays.
 *
 * A call on a connection that is gone returns false or does nothing; a script that notices nothing
 * just ends. server_free() breaks every connection and joins every thread. */
#ifndef HARNESS_SERVER_H
#define HARNESS_SERVER_H

#include "base/buf.h"

struct server;
struct peer;
struct harness_identity; /* tls.h */

typedef void peer_script(struct peer *p, void *ctx);

/* Listens on 127.0.0.1, any port. With an identity TLS is spoken from the first byte. */
struct server *server_new(peer_script *script, void *ctx, struct harness_identity *identity);
void server_free(struct server *s);
unsigned server_port(const struct server *s);
char *server_url(const struct server *s, const char *path); /* owned; https with an identity */
unsigned server_connections(struct server *s);              /* accepted so far */
unsigned server_connections_over(struct server *s);         /* of them, read to their end */
unsigned server_requests(struct server *s);                 /* read so far, over all connections */
unsigned server_requests_peak(struct server *s); /* most that were unanswered at one time */
/* The client certificate's common name of the newest connection that sent one, or "". Owned. */
char *server_client_name(struct server *s);
/* The name the newest client asked for by SNI, or "". Owned. */
char *server_asked_name(struct server *s);

struct peer_request {
    char *method, *path; /* owned */
    struct rd_buf head;  /* request line and headers, as they came */
    struct rd_buf body;
};
void peer_request_clear(struct peer_request *r);
/* The value of a header in head, or NULL. Owned. */
char *peer_request_header(const struct peer_request *r, const char *name);

/* Reads one request with its body (by Content-Length). */
bool peer_read_request(struct peer *p, struct peer_request *r);
/* Writes bytes as they are. */
bool peer_send(struct peer *p, const char *bytes);
bool peer_send_bytes(struct peer *p, const void *bytes, size_t len);
/* A whole answer with Content-Length; headers NULL or lines that end in \r\n. */
bool peer_reply(struct peer *p, int status, const char *headers, const char *body);
/* Up to len bytes as they come; 0: the other side closed or broke. */
size_t peer_read_some(struct peer *p, void *out, size_t len);
void peer_start_tls(struct peer *p, struct harness_identity *identity);
void peer_pause(struct peer *p, unsigned ms); /* ends early when the server is freed */
void peer_wait_gone(struct peer *p);          /* until the client closes */
void peer_reset(struct peer *p);              /* RST instead of FIN */
unsigned peer_index(const struct peer *p);    /* of its connection, from 0 */
void *peer_server_ctx(const struct peer *p);

#endif
