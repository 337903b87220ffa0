/* The Docker Engine over its HTTP API (docs.docker.com/reference/api/engine), by its unix socket or a
 * loopback port. Nothing here knows what a cluster is. */
#ifndef RD_LOCAL_DOCKER_H
#define RD_LOCAL_DOCKER_H

#include "base/json.h"
#include "http/http.h"

struct docker {
    struct http_client *http;
    char *origin; /* owned; "unix:///var/run/docker.sock", for people */
    char *base;   /* owned; URL in front of every path */
};
/* host: DOCKER_HOST, or NULL for the usual sockets. unix:///path and tcp://loopback:port only; else
 * RD_ERR_INPUT. Sends nothing. */
bool docker_open(struct docker *d, struct loop *l, const char *host, struct rd_err **reterr)
    RD_MUST_CHECK;
void docker_close(struct docker *d); /* every call must have ended; safe on zeroed memory */
/* What DOCKER_HOST means: the socket's path (owned) or a base URL (owned). Pure. */
bool docker_host_read(const char *host, char **ret_socket, char **ret_base, struct rd_err **reterr)
    RD_MUST_CHECK;

/* ---- One request ---- */
struct docker_call {
    struct op op; /* error for a status of 400 and more, with the engine's words and http_status */
    struct docker *d;
    struct http_req req;
    const char *what;  /* static; "create container", for messages */
    char *subject;     /* owned; "k3d-ray-server-0" */
    bool missing_ok;   /* 404 is no error: result stays NULL */
    bool raw;          /* the body stays as bytes in req.resp */
    bool stream;       /* wakes the parent on each arrival; it consumes req.resp; implies raw */
    json_t *result;    /* owned; parsed body; NULL: none */
    bool started;
};
void docker_url(struct http_url *u, const struct docker *d, const char *path);
/* Clears what was there (zeroed memory is fine); `u` is cleared. */
void docker_call_init(struct docker_call *c, struct docker *d, const char *method,
                      struct http_url *u, const char *what, const char *subject);
void docker_call_json(struct docker_call *c, const json_t *body);
void docker_call_start(struct docker_call *c, struct op *parent);
void docker_call_clear(struct docker_call *c); /* safe on zeroed memory */

/* ---- Pure parts ---- */
/* The next line of a stream of JSON lines as a tree; owned; NULL: no whole line yet. Consumes it. */
json_t *docker_next_line(struct rd_buf *in);
/* The only file of a tar that the archive API answers with; false when it is none. Owned. */
bool docker_untar(const char *data, size_t len, struct rd_buf *out);
/* The text of a log answer, which comes in frames of stdout and stderr (8 bytes in front of each). */
void docker_unframe(const char *data, size_t len, struct rd_buf *out);

#endif
