/* Steps `kuberay-crds` and `kuberay`: the operator of the RayClusters.
 *
 * An existing KubeRay that is not ours and fits (1.5.1 or newer, CRDs with the fields we send) is used
 * and left alone. Ours goes at teardown only when no ray.io object of anybody else exists. */
#ifndef RD_PHASE_STEPS_KUBERAY_H
#define RD_PHASE_STEPS_KUBERAY_H

#include "phase/steps/step.h"

void kuberay_crds_look(struct step_op *s, struct op *parent);
void kuberay_crds_start(struct step_op *s, struct op *parent);
void kuberay_crds_watch(struct step_op *s, struct op *parent);
void kuberay_crds_undo(struct step_op *s, struct op *parent);
void kuberay_look(struct step_op *s, struct op *parent);
void kuberay_start(struct step_op *s, struct op *parent);
void kuberay_watch(struct step_op *s, struct op *parent);
void kuberay_undo(struct step_op *s, struct op *parent);
/* The operator's wanted objects, its namespace included. */
bool kuberay_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
    RD_MUST_CHECK;

/* Reads a chart that is a file into ctx->session, so that a broken one is known before anything is
 * sent. A chart with a URL is left to the step. */
bool kuberay_read_chart(struct step_ctx *ctx, struct rd_err **reterr) RD_MUST_CHECK;

struct chart_fetch;
/* A chart that has to be fetched, will be needed, and is not there yet. */
bool kuberay_wants_chart(struct step_ctx *ctx);
/* Puts a fetched chart where the step finds it. */
void kuberay_keep_chart(struct step_ctx *ctx, const struct chart_fetch *f);

/* Whether a RayCluster CRD has every field that we send; names the first missing one (static). Pure. */
bool kuberay_crd_fits(const json_t *crd, const char **ret_missing);
/* Version of an operator image tag ("...:v1.7.0", also with a digest); false when it has none. Pure. */
bool kuberay_image_version(const char *image, unsigned ret[3]) RD_MUST_CHECK;
/* The operator Deployment of somebody else in a list, or NULL: by the chart's label or the image. Pure. */
const json_t *kuberay_find_operator(const struct config *c, const json_t *deployments);

#endif
