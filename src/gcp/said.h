/* What an answer of Google says, in any of its shapes, between reading and judging it. */
#ifndef RD_GCP_SAID_H
#define RD_GCP_SAID_H

#include "gcp/client.h"

#define GCP_SHOWN_MAX 2048 /* bytes of remote text in a message */

/* What an answer says, in any of the shapes; borrowed from its tree. */
struct gcp_said {
    long http;
    const char *status, *reason, *message;
    const json_t *metadata; /* of ErrorInfo */
    uint64_t retry_ms;
    struct rd_buf details; /* violations, for a person */
};

/* The situation, its error, and whether it passes by itself; fills *f. */
struct rd_err *gcp_said_judge(const struct gcp_said *s, const char *what, struct gcp_fault *f,
                              bool *ret_retry);

#endif
