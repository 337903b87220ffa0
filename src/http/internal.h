/* What the files of this folder share. */
#ifndef RD_HTTP_INTERNAL_H
#define RD_HTTP_INTERNAL_H

#include "http/http.h"

#define HTTP_HEADERS_MAX ((size_t)256 << 10)
#define HTTP_WARNINGS_MAX ((size_t)16 << 10)

struct http_client {
    struct loop *loop;
    struct op pump; /* a root op: gives curl its sockets and its time, collects what has ended */
    CURLM *multi;
    struct http_client_options o;
    struct rd_list waiting; /* struct http_req.waiting, first come first served */
    struct rd_list ready;   /* struct http_sock.ready */
    uint64_t timer_at_ms;   /* when curl wants to be called; RD_NEVER: not */
    unsigned in_flight;
    size_t handles; /* requests that run or hold a handle */
    bool lost;      /* the last transfer ended without an answer */
    bool alone;     /* the last answer came by HTTP/1.1: a request holds a connection of its own */
    CURLSH *share;  /* TLS sessions: a second connection to a host takes the first one's up again */
};

/* ---- client.c ---- */
void client_collect(struct http_client *c); /* wakes requests whose transfer has ended */

/* ---- setup.c: a curl handle for r, ready to be added; NULL and *reterr when it cannot be ---- */
CURL *setup_easy(struct http_req *r, struct rd_err **reterr);

/* ---- header.c: one header line as curl gives it, CRLF included; false: over the ceiling ---- */
bool header_line(struct http_req *r, const char *line, size_t len);
/* Seconds or a date against `now_wall_ms`; 0: malformed. "0" becomes 1 ms: it was there. */
uint64_t header_retry_after_ms(const char *value, int64_t now_wall_ms);

/* ---- noproxy.c: host without brackets or port ---- */
bool noproxy_matches(const char *host, const char *no_proxy); /* the rules of NO_PROXY */
bool noproxy_loopback(const char *host);

/* ---- fail.c: what a curl code means to a person ---- */
struct rd_err *fail_curl(const struct http_req *r, CURLcode code);
struct rd_err *fail_resolve(const struct http_req *r, int uv_status); /* 0: it resolved after all */
struct rd_err *
fail_slow(const struct http_req *r); /* a limit of ours or the op's deadline passed */

#endif
