/* The retry policy as a table, and the shape of its pauses. */
#include "http/retry.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NONE RD_ERR_KIND_MAX

static void decisions(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct retry_outcome o;
        bool safe, once; /* wanted with RETRY_SAFE, with RETRY_ONCE */
    } rows[] = {
        {"refused before a byte left", {RD_ERR_TRANSIENT, false, 0, 0, false, false}, true, true},
        {"reset after it left", {RD_ERR_TRANSIENT, true, 0, 0, false, false}, true, false},
        {"no connection in time", {RD_ERR_TIMEOUT, false, 0, 0, false, false}, true, true},
        {"no answer in time", {RD_ERR_TIMEOUT, true, 0, 0, false, false}, true, false},
        {"certificate refused", {RD_ERR_NETWORK, false, 0, 0, false, false}, false, false},
        {"answer over its ceiling", {RD_ERR_FAILED, true, 0, 0, false, false}, false, false},
        {"cancelled", {RD_ERR_CANCELLED, true, 0, 0, false, false}, false, false},
        {"200", {NONE, true, 200, 0, false, false}, false, false},
        {"400", {NONE, true, 400, 0, false, false}, false, false},
        {"403", {NONE, true, 403, 0, false, false}, false, false},
        {"403 that passes", {NONE, true, 403, 0, true, false}, true, true},
        {"409", {NONE, true, 409, 0, false, false}, false, false},
        {"409 of a quota race", {NONE, true, 409, 0, true, false}, true, true},
        {"408", {NONE, true, 408, 0, false, false}, true, false},
        {"429", {NONE, true, 429, 0, false, false}, true, true},
        {"429 for good", {NONE, true, 429, 0, false, true}, false, false},
        {"500", {NONE, true, 500, 0, false, false}, true, false},
        {"500 for good", {NONE, true, 500, 0, false, true}, false, false},
        {"501", {NONE, true, 501, 0, false, false}, false, false},
        {"502", {NONE, true, 502, 0, false, false}, true, false},
        {"503", {NONE, true, 503, 0, false, false}, true, false},
        {"503 with Retry-After", {NONE, true, 503, 1, false, false}, true, true},
        {"504", {NONE, true, 504, 5000, false, false}, true, false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        for (int once = 0; once < 2; once++) {
            struct retry_decision d =
                retry_decide(&retry_kubernetes, once ? RETRY_ONCE : RETRY_SAFE, &rows[i].o, 1, 1000,
                             RD_NEVER, 12345);
            bool want = once ? rows[i].once : rows[i].safe;
            if (d.retry != want)
                fail_msg("%s, %s: want %d, have %d", rows[i].what, once ? "once" : "safe", want,
                         d.retry);
        }
    }
}

static const struct retry_outcome reset = {.transport = RD_ERR_TRANSIENT, .sent = true};

/* Goal: the pause lies between 0 and base * 2^(attempt-1), never over the cap, and uses all of it.
 */
static void pauses(void **state)
{
    (void)state;
    const struct retry_policy *policies[] = {&retry_kubernetes, &retry_google, &retry_fetch};
    for (size_t k = 0; k < RD_ARRAY_LEN(policies); k++) {
        const struct retry_policy p = {policies[k]->base_ms, policies[k]->cap_ms, 0};
        for (unsigned attempt = 1; attempt <= 100; attempt++) {
            uint64_t top = attempt > 20 ? p.cap_ms : p.base_ms << (attempt - 1);
            if (top > p.cap_ms)
                top = p.cap_ms;
            uint64_t least = RD_NEVER, most = 0;
            for (uint64_t random = 0; random < 4 * (top + 1); random += top / 64 + 1) {
                struct retry_decision d =
                    retry_decide(&p, RETRY_SAFE, &reset, attempt, 0, RD_NEVER, random);
                assert_true(d.retry);
                least = d.delay_ms < least ? d.delay_ms : least;
                most = d.delay_ms > most ? d.delay_ms : most;
            }
            assert_true(least <= top / 16);
            if (most > top || most < top - top / 16 - 1)
                fail_msg("attempt %u: want at most %lu, have %lu", attempt, (unsigned long)top,
                         (unsigned long)most);
        }
    }
}

/* Goal: Retry-After is a minimum, also over the cap. */
static void retry_after(void **state)
{
    (void)state;
    struct retry_outcome o = {.status = 429, .retry_after_ms = 60000};
    struct retry_decision d = retry_decide(&retry_kubernetes, RETRY_ONCE, &o, 1, 0, RD_NEVER, 7);
    assert_true(d.retry);
    assert_int_equal(d.delay_ms, 60000);
    o.retry_after_ms = 1;
    d = retry_decide(&retry_kubernetes, RETRY_ONCE, &o, 1, 0, RD_NEVER, 200);
    assert_int_equal(d.delay_ms, 200);
}

/* Goal: a pause that would reach the deadline is none: fail now. */
static void deadline(void **state)
{
    (void)state;
    struct retry_outcome o = {.status = 429, .retry_after_ms = 5000};
    assert_true(retry_decide(&retry_kubernetes, RETRY_SAFE, &o, 1, 1000, 6001, 0).retry);
    assert_false(retry_decide(&retry_kubernetes, RETRY_SAFE, &o, 1, 1000, 6000, 0).retry);
    assert_false(retry_decide(&retry_kubernetes, RETRY_SAFE, &o, 1, 7000, 6000, 0).retry);
}

static void attempts(void **state)
{
    (void)state;
    for (unsigned attempt = 1; attempt < 8; attempt++) {
        bool retry = retry_decide(&retry_fetch, RETRY_SAFE, &reset, attempt, 0, RD_NEVER, 1).retry;
        assert_int_equal(retry, attempt < retry_fetch.attempts_max);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions), cmocka_unit_test(pauses),   cmocka_unit_test(retry_after),
        cmocka_unit_test(deadline),  cmocka_unit_test(attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
