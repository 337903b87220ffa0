/* Steps whose world is a set of Config Connector objects and what Google made of them: net, nat,
 * accounts, storage, gke, the pools, wi, filestore; the step's id says which part of cc.h. And going
 * down only: what the workload cluster made in the project besides.
 *
 * LOOK asks Google first and Config Connector then. What is at Google without an object of ours for it
 * is refused (foreign) unless it carries our mark, as labels or in its description, or --adopt was
 * given: Config Connector would take it over without a word, and delete it with the object. START
 * applies; what had failed before is given to Config Connector to try again at once. WATCH ends with
 * Google's own words where Config Connector still says "Updating". UNDO deletes the objects and ends
 * when Google answers that the resources are gone; with --keep they are abandoned instead.
 *
 * Facts: accounts ray.email; storage spill.bucket spill.prefix; filestore filestore.ip; gke
 * gke.endpoint gke.ca api.egress volume.modes. A part that the configuration does not want is READY, its
 * facts are null. */
#ifndef RD_PHASE_STEPS_CC_STEP_H
#define RD_PHASE_STEPS_CC_STEP_H

#include "phase/steps/cc.h"

struct gcp_call;

void cc_look(struct step_op *s, struct op *parent);
void cc_start(struct step_op *s, struct op *parent);
void cc_watch(struct step_op *s, struct op *parent);
void cc_undo(struct step_op *s, struct op *parent);

/* As above; ready means that the API server answers too. Sets ctx->workload. */
void gke_look(struct step_op *s, struct op *parent);
void gke_start(struct step_op *s, struct op *parent);
void gke_watch(struct step_op *s, struct op *parent);
void gke_undo(struct step_op *s, struct op *parent);

/* As above; ready means that the address is known too. */
void filestore_look(struct step_op *s, struct op *parent);
void filestore_start(struct step_op *s, struct op *parent);
void filestore_watch(struct step_op *s, struct op *parent);
void filestore_undo(struct step_op *s, struct op *parent);

/* Services with a load balancer, Ingresses, claims with volumes made for them: their controllers take
 * the Google side away, so they go while the cluster still lives. All of the cluster, not ours alone:
 * it goes as a whole. */
void leftovers_look(struct step_op *s, struct op *parent);
void leftovers_undo(struct step_op *s, struct op *parent);

/* ---- What a custom resource is at Google (cc_google.c) ---- */
/* Prepares the request that answers whether the resource of this object is there (result NULL: not).
 * False: nothing of its own at Google to ask for (a member of a policy, the NAT of a router). */
bool cc_google_get(struct gcp_call *k, const struct step_ctx *ctx, const json_t *object);
/* Our mark on what Google answered: labels, or the description of what has no labels. */
bool cc_google_is_ours(const struct config *c, const json_t *resource);
/* "VPC network ray-vpc", for people; owned. */
char *cc_google_title(const json_t *object);
/* The configuration of this run says that Google's side of the object stays (--keep, registry.keep). */
bool cc_keeps(const struct step_ctx *ctx, const json_t *object);

#endif
