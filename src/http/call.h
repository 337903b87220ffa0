/* A request with credentials and retries: what the API clients are made of. */
#ifndef RD_HTTP_CALL_H
#define RD_HTTP_CALL_H

#include "http/http.h"
#include "http/retry.h"

struct http_auth;

/* Waits for a credential; embedded in http_call. */
struct http_auth_wait {
    struct op op;
    struct http_auth *auth;
    struct rd_list waiting;
};

/* A source of credentials with single flight: one fetch at a time, everyone else waits on it. */
struct http_auth_ops {
    /* true: a fresh credential is at hand. false: `wait` was started as a child of parent and ends when
     * there is one, or with the error. */
    bool (*ensure)(struct http_auth *a, struct http_auth_wait *wait, struct op *parent);
    void (*apply)(struct http_auth *a, struct http_req *r); /* sets headers */
    /* The server answered 401 to what apply() gave. Several calls may say so of the same credential
     * before there is a new one: idempotent. */
    void (*invalidate)(struct http_auth *a);
    void (*free)(struct http_auth *a);
};
struct http_auth {
    const struct http_auth_ops *ops;
    uint64_t generation; /* counts credentials handed out; guards against double invalidation */
};

enum call_judgement { CALL_OK, CALL_RETRY, CALL_FINAL };

struct http_call {
    struct op op;
    struct http_req req;         /* set up by the owner between http_call_init and http_call_start */
    struct http_auth *auth;      /* borrowed; NULL: none */
    const struct retry_policy *policy;
    enum retry_idempotence idem;
    /* Looks at a complete answer of status >= 400 (never 401 the first time) and says whether it is
     * worth a retry; fills *ret_err (kind, reason, remote, hint) when it is not CALL_OK. NULL: by status. */
    enum call_judgement (*judge)(struct http_call *c, struct rd_err **ret_err);
    /* Told about each retry, for progress; may be NULL. */
    void (*on_retry)(struct http_call *c, const struct rd_err *why, uint64_t delay_ms);
    /* Asked before each attempt, and once more when nothing but the sending is left, on the clock as it is
     * then: a process that was stopped for a while must not send what it was about to. False with an error
     * ends the call with it. NULL: always. */
    bool (*may_send)(struct http_call *c, struct rd_err **ret_err);
    void *ctx;                   /* the owner's */
    unsigned attempt;
    bool refreshed;
    bool unsure;                 /* an earlier attempt may have taken effect */
    struct http_auth_wait wait;
    struct op_timer pause;
    int state;
    uint64_t auth_generation;
    struct rd_err *last;         /* owned; why the last attempt failed */
    struct rd_err *held;         /* owned; why it was held back */
};

/* Prepares zeroed or cleared memory: policy retry_fetch, RETRY_SAFE. */
void http_call_init(struct http_call *c, struct http_client *client, const char *method,
                    const char *url);
/* With req.stream the call passes each wake on to its parent once a 2xx status line has come.
 * Ends without error on a 2xx or 3xx answer (req.status, req.resp); otherwise with the judge's error.
 * With RETRY_ONCE the request gets a connection of its own (http_req.fresh). A stream that breaks
 * after its 2xx status line is not repeated. */
void http_call_start(struct http_call *c, struct op *parent);
/* Frees everything but op.err; must not be running. Safe on zeroed memory. */
void http_call_clear(struct http_call *c);

/* The error for an answer that is not in any shape we know: status, content type, the first 2 KiB. */
struct rd_err *http_status_error(const struct http_req *r, const char *what);

#endif
