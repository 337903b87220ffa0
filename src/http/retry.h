/* Retry policy: a pure function of what happened, the attempt and the budget.
 * Full jitter exponential backoff; Retry-After is a minimum; if the pause would pass the deadline the
 * attempt fails now. */
#ifndef RD_HTTP_RETRY_H
#define RD_HTTP_RETRY_H

#include "base/clock.h"
#include "base/err.h"

enum retry_idempotence {
    RETRY_SAFE,   /* GET, apply, delete with uid: may be repeated after anything transient */
    RETRY_ONCE,   /* POST without a name of ours: only when surely not processed (429, 503 + Retry-After,
                     connection refused) */
};

struct retry_policy {
    uint64_t base_ms, cap_ms; /* Kubernetes 250 and 8 000; Google 1 000 and 32 000 */
    unsigned attempts_max;    /* 0: the deadline alone decides */
};
extern const struct retry_policy retry_kubernetes, retry_google, retry_fetch;

struct retry_outcome {
    enum rd_err_kind transport; /* meaningful if status == 0 */
    bool sent;                  /* the request may have reached the server */
    long status;
    uint64_t retry_after_ms;
    bool transient_hint;        /* the decoder knows that this 4xx/5xx body is worth a retry */
    bool final_hint;            /* ... or that this 5xx is not */
};

struct retry_decision {
    bool retry;
    uint64_t delay_ms;
};

/* attempt counts from 1; random is any 64-bit number (the caller's seed). */
struct retry_decision retry_decide(const struct retry_policy *p, enum retry_idempotence idem,
                                   const struct retry_outcome *o, unsigned attempt, uint64_t now_ms,
                                   uint64_t deadline_ms, uint64_t random);

#endif
