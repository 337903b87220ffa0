/* How the verbs of mgmt.h begin and step: state in priv, one step function, Google's client at hand. */
#ifndef RD_PHASE_STEPS_MGMT_OP_H
#define RD_PHASE_STEPS_MGMT_OP_H

#include "gcp/services.h"
#include "phase/steps/google.h"
#include "phase/steps/mgmt.h"
#include "phase/steps/mgmt_plan.h"

/* Starts s->op with zeroed state of that size in s->priv. */
void mgmt_begin(struct step_op *s, struct op *parent, size_t size, void (*step)(struct op *),
                void (*free_priv)(void *), const char *name);
/* For the top of a step: true when there is nothing to do now (children run), or nothing more
 * (cancelled, no credentials: the op has been ended). */
bool mgmt_rests(struct op *op);
/* The answer says that the API is not enabled: unknown until it is. */
bool mgmt_api_off(const struct gcp_call *k);
/* Ends LOOK with ABSENT; when this command may not make it, with the way out. */
void mgmt_end_absent(struct step_op *s, const char *reason_fmt, ...) RD_PRINTF(2, 3);
/* Ends with FOREIGN: it is there, not ours, and --adopt was not given. */
void mgmt_end_foreign(struct step_op *s, const char *what, const char *name);
/* Counts one thing made, changed or deleted, and says so. */
void mgmt_wrote(struct step_op *s, const char *resource, const char *outcome);
/* Whether teardown was asked for the management cluster too (ctx->session "management"). */
bool mgmt_goes(const struct step_ctx *ctx);
/* Email of the node account, owned. */
char *mgmt_node_email(const struct config *c);

#endif
