/* What guards a deployment against a second run, and what another machine resumes from: the Lease and
 * the mirror. An interface, so that the hall can be tested without an API server.
 *
 * The guard is an op under the hall. Once started it acquires; then `held` is true and until_ms moves
 * on with each renewal. Each change wakes the parent. It ends by release, or with an error when the
 * lock is lost or cannot be had. */
#ifndef RD_PHASE_DRIVE_GUARD_H
#define RD_PHASE_DRIVE_GUARD_H

#include "phase/steps/step.h"

struct guard;

struct guard_ops {
    /* Is the place where the lock lives known by now? */
    bool (*ready)(const struct step_ctx *ctx);
    void (*start)(struct guard *g, struct op *parent);
    /* Writes the mirror; put_done follows put_asked when it is durable. Takes *take_content. */
    void (*put)(struct guard *g, json_t *take_content);
    /* Gives the lock back and ends; `remove`: takes away everything the guard made. */
    void (*release)(struct guard *g, bool remove);
    void (*clear)(struct guard *g);
};

struct guard {
    struct op op;
    const struct guard_ops *ops;
    struct step_ctx *ctx;    /* borrowed */
    bool held;
    uint64_t until_ms;       /* boot clock */
    const json_t *found;     /* borrowed: the mirror's content when the lock was got; NULL: none */
    unsigned put_asked, put_done;
};

#endif
