/* From configuration and facts to the values of the workload templates. */
#ifndef RD_PHASE_STEPS_VALUES_H
#define RD_PHASE_STEPS_VALUES_H

#include "phase/steps/step.h"

#define VALUES_MOUNT_PATH "/mnt/ray-data"

/* Fills every placeholder that the facts known so far allow; a template that needs one more fails to
 * render and says which. */
bool values_fill(const struct step_ctx *ctx, struct template_values *ret, struct rd_err **reterr)
    RD_MUST_CHECK;

/* The largest cluster that the configuration allows, as the hard limits of a ResourceQuota. Owned. */
json_t *values_quota(const struct config *c, struct rd_err **reterr);
/* Image of the head and CPU groups, of GPU groups; owned. */
char *values_ray_image(const struct config *c);
char *values_gpu_image(const struct config *c);
/* What kube-prometheus-stack calls its own objects in a release of this name; owned. */
char *values_stack_fullname(const char *release);
/* Arguments of the operator: gates only that its version knows. Owned array. */
json_t *values_kuberay_args(const struct config *c);
/* The RayCluster's replicas of a group at creation. */
json_int_t values_group_int(const json_t *group, const char *key, json_int_t otherwise);

#endif
