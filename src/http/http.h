/* HTTP requests as ops over curl's multi interface.
 *
 * An http_req ends without error when a complete answer arrived, whatever its status; an error means
 * that there is none: RD_ERR_NETWORK (name does not resolve, TLS or proxy refused: final),
 * RD_ERR_TRANSIENT (reset, refused, resolver hiccup), RD_ERR_TIMEOUT, RD_ERR_FAILED (answer over its
 * ceiling, or not HTTP), RD_ERR_CREDENTIALS (the peer refused our client certificate), RD_ERR_INPUT
 * (URL, header, CA or client certificate that cannot be used: nothing was sent). Every response byte
 * is bounded by resp.max; with `stream` that bounds what the parent has not consumed yet, and up to
 * 2 MiB may arrive in one turn. Redirects are answers like any other.
 *
 * connect_only (WebSocket): the op ends without error once the connection stands, TLS and proxy
 * included; the handle stays in the multi, and http_req_curl() gives it for curl_easy_send/recv and
 * CURLINFO_ACTIVESOCKET, until http_req_clear() closes it.
 *
 * Nothing is started from inside a curl callback; poll errors are handed on as CURL_CSELECT_ERR. */
#ifndef RD_HTTP_HTTP_H
#define RD_HTTP_HTTP_H

#include "base/buf.h"
#include "base/secret.h"
#include "loop/loop.h"

#include <curl/curl.h>

struct http_req;

struct http_tls {
    char *ca_pem;            /* owned; NULL: system roots (or ca_file) */
    char *ca_file;           /* owned; NULL */
    char *cert_pem;          /* owned; client certificate */
    struct rd_secret key_pem;
    char *server_name;       /* owned; SNI and verified name; NULL: the URL's host */
    bool insecure;           /* kubeconfig insecure-skip-tls-verify only */
    /* ca_pem and ca_file replace the system's roots, they do not add to them. */
};
void http_tls_clear(struct http_tls *t);

/* One peer family: connections, TLS settings and limits are shared by its requests. */
struct http_client;
struct http_client_options {
    struct http_tls tls;     /* moved in */
    char *proxy;             /* owned by the options, moved; "": none; NULL: environment as curl reads
                                it, but never for a loopback address */
    char *unix_socket;       /* owned, moved; every request goes there, whatever its host; NULL: none */
    bool http1_only;
    unsigned in_flight_max;  /* further requests wait in order; 0: no limit. Streams do not count. A server
                                that speaks no HTTP/2 gets six at most */
    /* For --log-file: called when a request ended (also with an error). May be NULL. */
    void (*observe)(void *ctx, const struct http_req *req);
    void *observe_ctx;
};
struct http_client *http_client_new(struct loop *l, struct http_client_options *take);
void http_client_free(struct http_client *c); /* every request must have ended */
/* Settings changed (a new client certificate): later requests use new connections. */
void http_client_set_tls(struct http_client *c, struct http_tls *take);

struct http_req {
    struct op op;
    struct http_client *client;
    /* In; set between http_req_init and http_req_start. */
    char *method, *url;      /* owned */
    struct curl_slist *headers;
    char *body;              /* owned; NULL: none */
    size_t body_len;
    uint64_t connect_ms;     /* name, TCP, proxy and TLS together; default 10 000 */
    uint64_t first_byte_ms;  /* from connection, or the last progress of the upload, to the status
                                line; 0: no limit; default 60 000 */
    uint64_t idle_ms;        /* between bytes of the answer; 0: no limit; default 60 000 */
    bool stream;             /* wake the parent on every arrival; it consumes resp (rd_buf_consume) */
    bool http1;              /* for upgrades */
    bool connect_only;       /* end once connected; use http_req_curl() while it lives */
    bool fresh;              /* on a connection of its own, so that curl cannot repeat by itself what a
                                stale one swallowed: for what must not be sent twice */
    bool no_decode;          /* send no Accept-Encoding (watches) */
    bool (*may_leave)(struct http_req *r); /* asked once connected, with nothing between a yes and the first
                                byte; no: RD_ERR_TRANSIENT, and nothing was sent. NULL: always */
    /* Out. */
    long status;             /* 0: no status line yet */
    struct rd_buf resp;      /* .max may be set before the start; default 16 MiB */
    char *content_type, *etag, *location, *date, *audit_id; /* owned; NULL: absent */
    char *www_authenticate, *metadata_flavor;
    uint64_t retry_after_ms; /* 0: absent */
    struct rd_buf warnings;  /* texts of Warning: 299 headers, one a line */
    bool sent;               /* the request may have reached the server */
    uint64_t started_ms, ended_ms; /* started: handed to curl, after any wait for its turn */
    size_t sent_bytes, got_bytes;
    long http_version;       /* CURL_HTTP_VERSION_x */
    /* http.c's own. */
    CURL *easy;
    struct rd_list waiting;
    int state;
    char errbuf[CURL_ERROR_SIZE];
    uint64_t connected_ms, last_byte_ms;
    curl_off_t uploaded;
    size_t header_bytes;
    CURLcode result;
    bool completed, headers_done, over, counted, bad_header, held_back;
    struct curl_slist *connect_to, *wire_headers;
    struct http_resolve *resolve;
};

/* Prepares zeroed or cleared memory; both texts are copied. */
void http_req_init(struct http_req *r, struct http_client *c, const char *method, const char *url);
/* Sets or replaces a header. A line break in it fails the request at its start. */
void http_req_header(struct http_req *r, const char *name, const char *value);
/* One more header of a name that may repeat. */
void http_req_header_add(struct http_req *r, const char *name, const char *value);
void http_req_body(struct http_req *r, const char *content_type, char *take, size_t len);
/* A request that has ended may be started again as it is. */
void http_req_start(struct http_req *r, struct op *parent);
/* Frees everything but op.err; the request must not be running. Safe on zeroed memory. */
void http_req_clear(struct http_req *r);
CURL *http_req_curl(struct http_req *r); /* the live handle of a connect_only request */

/* "host:port" of a URL for messages. Owned. */
char *http_url_origin(const char *url);

/* ---- URLs: from segments that are escaped, never from printf ---- */
struct http_url {
    struct rd_buf buf;
    bool has_query;
};
void http_url_init(struct http_url *u, const char *base); /* base without trailing slash is fine */
void http_url_seg(struct http_url *u, const char *segment);    /* "/" + escaped segment */
void http_url_path(struct http_url *u, const char *path);      /* literal path of ours, "/api/v1" */
void http_url_query(struct http_url *u, const char *key, const char *value);
const char *http_url_str(const struct http_url *u);
void http_url_clear(struct http_url *u);
/* Scheme must be http or https, no user info, no control bytes; "host:port" alone gets https. */
bool http_url_check(const char *url, struct rd_err **reterr) RD_MUST_CHECK;

#endif
