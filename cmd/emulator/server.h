/* The HTTP side: listeners (TLS or plain, each an API on a loopback port of its own), HTTP/1.1 with
 * keep-alive, and requests that are answered now or later.
 *
 * A handler gets the request and owns it until it ends it, exactly once, by one of emu_reply_*,
 * emu_drop, emu_stream_end or emu_ws_end. The client may leave before: then on_gone (if set) is
 * called once, answers go nowhere, and the request still has to be ended (also inside on_gone). A
 * request may also come from inside (emu_call): no connection, same handlers. */
#ifndef EMU_SERVER_H
#define EMU_SERVER_H

#include "emu.h"

#include "base/buf.h"

enum {
    EMU_HEAD_MAX = 64 * 1024,
    EMU_BODY_MAX = 32 * 1024 * 1024,
};

struct emu_req;
typedef void emu_handler_fn(struct emu_req *req, void *arg);
typedef void emu_gone_fn(struct emu_req *req, void *arg);
typedef void emu_data_fn(struct emu_req *req, int opcode, const char *data, size_t len, void *arg);
typedef void emu_answer_fn(int status, json_t *body, void *arg); /* body borrowed, may be NULL */

struct emu_header {
    char *name; /* lower case */
    char *value;
};

/* A parsed request head and body; see http.h. */
struct emu_msg {
    char *method;
    char *target; /* as sent */
    char *path;   /* target without the query, still percent-encoded */
    char *query;  /* "" when there is none */
    struct emu_header *headers;
    size_t header_count;
    char *body; /* owned; NUL behind it; "" when there is none */
    size_t body_len;
    bool keep_alive;
};

struct emu_req {
    struct rd_list inside; /* among the calls from inside */
    struct emu *emu;
    struct emu_listener *listener;
    struct emu_conn *conn; /* NULL: inside call, or the client has left */
    struct emu_msg msg;
    uint64_t seq;
    int64_t wall_us; /* arrival */
    char *caller;    /* principal once known ("serviceAccount:..."), owned; for the log too */
    struct emu_fault fault;
    struct rd_buf extra; /* response headers added by emu_req_add_header */
    int status;          /* once answered; 0: dropped */
    bool streaming, websocket, logged;
    bool body_secret; /* the log shows no body */
    emu_gone_fn *on_gone;
    emu_data_fn *on_data;     /* websocket messages */
    void *arg;                /* for the two above */
    emu_answer_fn *on_answer; /* inside call */
    void *answer_arg;
    struct emu_timer timer; /* free for the handler's use (delayed answers) */
    json_t *delayed;        /* emu_reply_later keeps its body here */
};

/* Opens a listener on 127.0.0.1 with a port of its own choosing and returns the port. `api` names
 * it in the log and in fault rules ("container", "kube-management"); copied. */
struct emu_listener *emu_listen(struct emu *e, const char *api, bool tls, emu_handler_fn *handler,
                                void *arg, struct rd_err **reterr) RD_MUST_CHECK;
int emu_listener_port(const struct emu_listener *l);
const char *emu_listener_api(const struct emu_listener *l);
/* Stops listening and resets its connections; requests under way get on_gone. */
void emu_listener_close(struct emu_listener *take);
/* The listener of an API, or NULL. */
struct emu_listener *emu_listener_find(struct emu *e, const char *api);

/* A request from inside to the API's handler, as `caller`; only faults for INSIDE strike it, the log shows
 * it with "inside". `answer` is called once, never inside this call, with status 0 where the reply was
 * lost. path may hold a query. */
void emu_call(struct emu *e, const char *api, const char *caller, const char *method,
              const char *path, json_t *take_body, emu_answer_fn *answer, void *arg);

/* Reading. Borrowed as long as the request. */
const char *emu_req_header(const struct emu_req *req, const char *name); /* NULL: absent */
/* Decoded value of a query parameter; owned, or NULL. */
char *emu_req_query(const struct emu_req *req, const char *key);
bool emu_req_query_true(const struct emu_req *req, const char *key); /* "true" or "1" */
/* The body as JSON object; {} when empty; NULL when it is not one. Owned. */
json_t *emu_req_json(const struct emu_req *req);

/* Answering. */
void emu_req_add_header(struct emu_req *req, const char *name, const char *value);
void emu_reply_json(struct emu_req *take, int status, json_t *take_body); /* NULL: no body */
void emu_reply_bytes(struct emu_req *take, int status, const char *type, const void *data,
                     size_t len);
/* The same after delay_ms of virtual time. */
void emu_reply_later(struct emu_req *take, uint64_t delay_ms, int status, json_t *take_body);
void emu_drop(struct emu_req *take); /* resets the connection, no answer */

/* Chunked stream, for watches and logs. */
void emu_stream_begin(struct emu_req *req, int status, const char *type);
void emu_stream_write(struct emu_req *req, const void *data, size_t len);
void emu_stream_end(struct emu_req *take);
/* Bytes queued but not yet taken by the client. */
size_t emu_stream_queued(const struct emu_req *req);

/* WebSocket (RFC 6455). Accept sends the 101 with `protocol` (NULL: none); then on_data gets whole
 * messages (opcode 1 or 2, at most EMU_BODY_MAX) and emu_ws_send sends one. Pings are answered. */
bool emu_ws_wanted(const struct emu_req *req);
void emu_ws_accept(struct emu_req *req, const char *protocol, emu_data_fn *on_data);
void emu_ws_send(struct emu_req *req, int opcode, const void *data, size_t len);
void emu_ws_end(struct emu_req *take, int code);

/* Requests that came through a tunnel of ours (a forwarded port), parsed by the tunnel's owner: what strikes
 * them, and their line in the log, under the caller of the tunnel. `api` names what is behind it. */
struct emu_fault emu_tunnel_fault(struct emu_req *tunnel, const char *api, const struct emu_msg *m);
void emu_tunnel_log(struct emu_req *tunnel, const char *api, const struct emu_msg *m, int status,
                    const struct emu_fault *f);
struct emu_server *emu_server_new(struct emu *e, struct rd_err **reterr) RD_MUST_CHECK;
const char *emu_server_ca_pem(const struct emu_server *s);
void emu_server_free(struct emu_server *s);

#endif
