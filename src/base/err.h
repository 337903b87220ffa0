/* The one error type. A fallible function returns bool, is RD_MUST_CHECK and takes
 * `struct rd_err **reterr` last: *reterr is NULL on entry and set exactly when the result is false.
 *
 * message: lower case, no full stop, names the kind of thing and the thing.
 * hint:    whole sentences with a command the reader can run.
 * Kind decides the exit code (one table, rd_err_exit_code) and whether a retry is thinkable. */
#ifndef RD_BASE_ERR_H
#define RD_BASE_ERR_H

#include "base/macros.h"

/*        name          exit  transient  word */
#define RD_ERR_KINDS(X)                                                                            \
    X(RD_ERR_INTERNAL, 70, false, "internal")       /* our bug */                                  \
    X(RD_ERR_FAILED, 1, false, "failed")            /* refused or broken for good */               \
    X(RD_ERR_INPUT, 2, false, "input")              /* flags, config, templates, manifests */      \
    X(RD_ERR_CREDENTIALS, 3, false, "credentials")  /* identity, IAM, RBAC */                      \
    X(RD_ERR_PREFLIGHT, 4, false, "preflight")      /* quota or check before anything billable */  \
    X(RD_ERR_TIMEOUT, 5, true, "timeout")           /* a deadline passed */                        \
    X(RD_ERR_TRANSIENT, 5, true, "transient")       /* 5xx, reset, refused: worth a retry */       \
    X(RD_ERR_LOCKED, 6, false, "locked")            /* another run holds the lock, or it was lost */ \
    X(RD_ERR_FOREIGN, 7, false, "foreign")          /* owned by someone else, immutable, conflict */ \
    X(RD_ERR_JOB, 8, false, "job")                  /* the job ran and failed */                   \
    X(RD_ERR_REMAINS, 9, false, "remains")          /* teardown incomplete */                      \
    X(RD_ERR_NETWORK, 1, false, "network")          /* no such name, TLS refused, proxy refused */ \
    X(RD_ERR_NOT_FOUND, 1, false, "not-found")      /* 404, and the caller wanted it to exist */   \
    X(RD_ERR_CONFLICT, 1, true, "conflict")         /* 409 or 412 by version: look again */        \
    X(RD_ERR_CANCELLED, 1, false, "cancelled")      /* we stopped it */

enum rd_err_kind {
#define X(name, code, transient, word) name,
    RD_ERR_KINDS(X)
#undef X
        RD_ERR_KIND_MAX
};

/* Time was up, and what was met before says more than this. */
enum rd_err_bare {
    RD_ERR_TELLING,  /* no: it says what was wrong */
    RD_ERR_UNHEARD,  /* a first request was under way; it names the host */
    RD_ERR_NAMELESS, /* it says nothing else */
};

struct rd_err {
    enum rd_err_kind kind;
    char *message;   /* owned; never NULL */
    char *hint;      /* owned; NULL: none */
    char *reason;    /* owned; remote reason: google.rpc status or Kubernetes Status.reason */
    char *resource;  /* owned; "kind/namespace/name" or a URL; NULL: none */
    char *remote;    /* owned; what the other side said, word for word, bounded */
    int http_status; /* 0: no answer */
    uint64_t retry_after_ms; /* from Retry-After or Status.details; 0: none */
    struct rd_err *cause;    /* owned; NULL: none */
    enum rd_err_bare bare;
};

struct rd_err *rd_err_new(enum rd_err_kind kind, const char *fmt, ...) RD_PRINTF(2, 3);
/* Sets *reterr and returns false, so that `return rd_fail(...)` reads well. */
bool rd_fail(struct rd_err **reterr, enum rd_err_kind kind, const char *fmt, ...) RD_PRINTF(3, 4);
/* Puts "context: " before the message. Wrap only to add what the caller alone knows. */
void rd_err_wrap(struct rd_err *err, const char *fmt, ...) RD_PRINTF(2, 3);
void rd_err_hint(struct rd_err *err, const char *fmt, ...) RD_PRINTF(2, 3); /* replaces */
void rd_err_resource(struct rd_err *err, const char *fmt, ...) RD_PRINTF(2, 3);
/* Moves *take into *dst if *dst is NULL, else drops it: the first error wins. */
void rd_err_keep(struct rd_err **dst, struct rd_err **take);
struct rd_err *rd_err_dup(const struct rd_err *err);
void rd_err_free(struct rd_err *err);
void rd_err_freep(struct rd_err **err);
#define RD_AUTOERR RD_CLEANUP(rd_err_freep)

int rd_err_exit_code(enum rd_err_kind kind);
bool rd_err_transient(enum rd_err_kind kind);
const char *rd_err_kind_name(enum rd_err_kind kind);

#endif
