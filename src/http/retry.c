#include "http/retry.h"

const struct retry_policy retry_kubernetes = {.base_ms = 250, .cap_ms = 8000};
const struct retry_policy retry_google = {.base_ms = 1000, .cap_ms = 32000};
const struct retry_policy retry_fetch = {.base_ms = 500, .cap_ms = 20000, .attempts_max = 5};

/* Statuses that say "not now" and surely left everything as it was. */
static bool surely_not_processed(const struct retry_outcome *o)
{
    if (o->status == 0)
        return !o->sent;
    /* A 4xx whose body says that it will pass is a refusal all the same. */
    bool refused = o->transient_hint && o->status >= 400 && o->status < 500 && o->status != 408;
    return refused || o->status == 429 || (o->status == 503 && o->retry_after_ms > 0);
}

static bool passing(const struct retry_outcome *o)
{
    if (o->status == 0)
        return rd_err_transient(o->transport);
    if (o->final_hint || o->status < 400)
        return false;
    switch (o->status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return o->transient_hint;
    }
}

static uint64_t backoff(const struct retry_policy *p, unsigned attempt, uint64_t random)
{
    uint64_t top = p->base_ms;
    for (unsigned i = 1; i < attempt && top < p->cap_ms; i++)
        top *= 2;
    if (top > p->cap_ms)
        top = p->cap_ms;
    return random % (top + 1);
}

struct retry_decision retry_decide(const struct retry_policy *p, enum retry_idempotence idem,
                                   const struct retry_outcome *o, unsigned attempt, uint64_t now_ms,
                                   uint64_t deadline_ms, uint64_t random)
{
    const struct retry_decision no = {0};
    if (!passing(o) || (idem == RETRY_ONCE && !surely_not_processed(o)))
        return no;
    if (p->attempts_max > 0 && attempt >= p->attempts_max)
        return no;
    uint64_t delay = backoff(p, attempt, random);
    if (delay < o->retry_after_ms)
        delay = o->retry_after_ms;
    if (deadline_ms != RD_NEVER && (deadline_ms <= now_ms || delay >= deadline_ms - now_ms))
        return no;
    return (struct retry_decision){.retry = true, .delay_ms = delay};
}
