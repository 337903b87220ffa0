/* Looks for objects that would be lost or orphaned by deleting what we made. */
#ifndef RD_PHASE_STEPS_RESIDUE_H
#define RD_PHASE_STEPS_RESIDUE_H

#include "phase/steps/step.h"

struct residue {
    struct op op;
    struct step_ctx *ctx;
    struct rd_strv found; /* out: "Kind/namespace/name" */
    struct rd_buf text;   /* out: the first few of them, for people */
    char *ns;             /* namespace scan */
    struct k8s_discover discover;
    struct k8s_call *calls;
    const struct k8s_resource **resources;
    size_t count;
    int state;
};
/* Every ray.io object of the cluster but the RayCluster of this deployment. A cluster without the
 * CRDs has none. */
void residue_ray_objects(struct residue *r, struct op *parent, struct step_ctx *ctx, const char *ns);
/* What a namespace holds that is neither ours nor made by Kubernetes for every namespace, nor owned by
 * another object. */
void residue_namespace(struct residue *r, struct op *parent, struct step_ctx *ctx, const char *ns);
void residue_clear(struct residue *r);
/* Is it made by Kubernetes for every namespace, or a mere trace (events, leases)? Pure. */
bool residue_is_default(const char *group, const char *kind, const json_t *meta_object);

#endif
