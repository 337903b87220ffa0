/* Before anything is made: are the names that a deployment will take free in the project? */
#ifndef RD_PHASE_STEPS_VACANCY_H
#define RD_PHASE_STEPS_VACANCY_H

#include "gcp/services.h"
#include "manifest/objects.h"
#include "phase/steps/findings.h"
#include "phase/steps/step.h"

struct vacancy {
    struct op op;
    struct step_ctx *ctx;
    struct manifest_list list;
    struct gcp_call *calls; /* one an object; those that ask nothing stay zeroed */
    struct findings *findings; /* borrowed; what is taken goes there */
    bool all;   /* every name; else only those that are shared with other projects (the bucket) */
    bool asked;
};
void vacancy_start(struct vacancy *v, struct op *parent, struct step_ctx *ctx,
                   struct findings *findings, bool all);
void vacancy_clear(struct vacancy *v);

#endif
