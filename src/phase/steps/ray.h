/* Steps `ray` (the RayCluster, ready by the five-part rule) and `job` (the verification job). */
#ifndef RD_PHASE_STEPS_RAY_H
#define RD_PHASE_STEPS_RAY_H

#include "phase/steps/step.h"
#include "ray/dashboard.h"

void ray_look(struct step_op *s, struct op *parent);
void ray_start(struct step_op *s, struct op *parent);
void ray_watch(struct step_op *s, struct op *parent);
void ray_undo(struct step_op *s, struct op *parent);

void job_look(struct step_op *s, struct op *parent);
void job_start(struct step_op *s, struct op *parent);
void job_watch(struct step_op *s, struct op *parent);

/* A dashboard of this deployment's cluster, not started. */
void ray_open_dashboard(struct step_ctx *ctx, struct ray_dashboard *d);
/* The wanted RayCluster as one object of the list; refuses what KubeRay would refuse. */
bool ray_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr) RD_MUST_CHECK;
/* The live replicas and scaleStrategy of each group, by name, put into the wanted object, and a default
 * that the server filled in. Pure; owned. */
json_t *ray_keep_scale(const json_t *wanted, const json_t *live);
/* Field conflicts that the autoscaler's patch explains. Pure. */
bool ray_conflict_is_scaling(const json_t *conflicts);

#endif
