/* Everything that is wrong, not only the first of it: for the steps that look before anything is made. */
#ifndef RD_PHASE_STEPS_FINDINGS_H
#define RD_PHASE_STEPS_FINDINGS_H

#include "base/text.h"
#include "base/err.h"

#define FINDINGS_MAX 32

struct findings {
    struct rd_err *v[FINDINGS_MAX]; /* owned */
    size_t len, dropped;
};
void findings_add(struct findings *f, struct rd_err *take); /* NULL is fine */
/* One error for all, of the gravest kind; NULL: there is none. Empties f. */
struct rd_err *findings_take(struct findings *f);
void findings_clear(struct findings *f);

#endif
