/* One client connection: bytes in, plain or through TLS memory BIOs, requests out to the listener's
 * handler one at a time. Private to the server's files. */
#ifndef EMU_CONN_H
#define EMU_CONN_H

#include "server.h"
#include "tls.h"

struct emu_listener {
    struct rd_list node;
    struct emu *emu;
    char *api;
    bool tls;
    uv_tcp_t tcp;
    int port;
    emu_handler_fn *handler;
    void *arg;
    struct rd_list conns;
    bool closing;
};

struct emu_conn {
    struct rd_list node;
    struct emu_listener *listener;
    uv_tcp_t tcp;
    SSL *ssl;               /* NULL: plain */
    BIO *from_net, *to_net; /* borrowed from ssl */
    struct rd_buf in;       /* decrypted, not yet parsed */
    struct emu_req *req;    /* the one under way */
    bool close_after_write; /* the last answer said so */
    bool closing, dispatching, continued;
    char chunk[64 * 1024];
};

struct emu_server {
    struct emu *emu;
    struct emu_tls tls;
    struct rd_list listeners;
    struct rd_list inside; /* calls of emu_call that have no answer yet */
    FILE *log;
    uint64_t seq;
    uint64_t log_seq;
};

void emu_conn_accept(struct emu_listener *l);
void emu_conn_write(struct emu_conn *c, const void *data, size_t len);
/* reset: RST instead of a clean end. */
void emu_conn_close(struct emu_conn *c, bool reset);
/* The request has ended: parse the next one. */
void emu_conn_next(struct emu_conn *c);

/* server.c */
void emu_server_dispatch(struct emu_req *take);
struct emu_req *emu_req_new(struct emu_listener *l, struct emu_conn *c, struct emu_msg *take);
/* Bytes after a websocket was accepted. */
void emu_ws_input(struct emu_req *req, struct rd_buf *in);
void emu_req_log(struct emu_req *req);
/* The fault effects `kill...`: SIGKILL to the process whose pid the file of setting `victim` holds. */
void emu_kill_victim(struct emu *e);
void emu_req_end(struct emu_req *take); /* frees; the connection goes on or closes */

#endif
