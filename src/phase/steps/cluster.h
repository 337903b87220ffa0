/* The cluster that runs Ray, as --target local finds it. */
#ifndef RD_PHASE_STEPS_CLUSTER_H
#define RD_PHASE_STEPS_CLUSTER_H

#include "phase/steps/step.h"

/* Makes ctx->workload from the kubeconfig, once. Reads files only; no request is sent. */
bool cluster_connect(struct step_ctx *ctx, struct rd_err **reterr) RD_MUST_CHECK;
void cluster_look(struct step_op *s, struct op *parent);

/* NetworkPolicy egress rules to the API server: its ClusterIP on 443 and every EndpointSlice address
 * on that slice's own port. Pure; owned. */
json_t *cluster_api_egress(const json_t *service, const json_t *slices);
/* The default StorageClass of a list, or NULL. Pure; borrowed. */
const json_t *cluster_default_class(const json_t *classes);

#endif
