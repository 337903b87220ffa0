/* Port-forward over a WebSocket (reference section 9): SPDY inside it where the API server takes that
 * (spdy.h), else v4.channel.k8s.io, so it works with API servers from before 1.30 to the newest. Needs
 * verbs get and create on pods/portforward. */
#ifndef RD_K8S_FORWARD_H
#define RD_K8S_FORWARD_H

#include "k8s/client.h"

/* rd_err.reason of a stream whose port nobody listens on: no byte reached anybody. */
#define K8S_STREAM_REFUSED "ConnectionRefused"

/* One connection to one port of one pod: bytes both ways with back-pressure. k8s_stream_close ends both
 * directions. */
struct k8s_stream {
    struct op op; /* ends when the remote ended (err NULL: normal end) or failed */
    struct k8s_client *client;
    char *ns, *pod; /* owned copies */
    uint16_t port;
    uint64_t ping_ms;  /* between pings; three without a byte in return: dead; default 10 000 */
    struct rd_buf in;  /* bytes from the pod; the owner consumes; ceiling 1 MiB */
    struct rd_buf out; /* bytes for the pod; append, then k8s_stream_kick */
    bool ready;        /* handshake done and the port's first frames seen */
    bool eof;          /* no more bytes will come */
    /* Bytes arrived, room appeared, or it became ready. Called from step. */
    void (*on_ready)(struct k8s_stream *s);
    void *ctx;
    void *priv; /* forward.c's */
};
void k8s_stream_init(struct k8s_stream *s, struct k8s_client *c, const char *ns, const char *pod,
                     uint16_t port);
void k8s_stream_start(struct k8s_stream *s, struct op *parent);
void k8s_stream_kick(struct k8s_stream *s);  /* out has bytes, or in was consumed */
void k8s_stream_close(struct k8s_stream *s); /* sends Close, then ends */
void k8s_stream_clear(struct k8s_stream *s);

/* A local listener; each local connection gets its own stream to the pod that is current then. */
struct k8s_forward {
    struct op
        op; /* ends when cancelled; with an error when it cannot listen or there can be no pod */
    struct k8s_client *client;
    char *ns;
    char *pod;      /* fixed pod, or NULL: */
    char *selector; /*   newest Ready pod of this label selector */
    char *service;  /*   or of this Service (its selector and target port) */
    uint16_t remote_port;
    const char *bind_host; /* "127.0.0.1" */
    uint16_t local_port;   /* 0: any; the real one once on_listening was called */
    void (*on_listening)(struct k8s_forward *f);
    void (*on_note)(struct k8s_forward *f, const char *text); /* connection trouble, pod changes */
    struct rd_err *last; /* owned; why the last connection failed; NULL once one succeeded */
    void *ctx;
    void *priv;
};
void k8s_forward_init(struct k8s_forward *f, struct k8s_client *c, const char *ns,
                      uint16_t remote_port);
void k8s_forward_start(struct k8s_forward *f, struct op *parent);
void k8s_forward_clear(struct k8s_forward *f);

#endif
