/* Phase 1 as Config Connector objects: derived names, values of templates/cc, rendering, and what
 * an older Config Connector must not be sent. Nothing here talks to a server.
 *
 * All objects live in one namespace of the management cluster, each with its project annotation and
 * the marks of names.h. Those of namespace.yaml and connector.yaml serve every deployment and carry
 * no deployment's mark. */
#ifndef RD_PHASE_STEPS_CC_H
#define RD_PHASE_STEPS_CC_H

#include "phase/steps/step.h"

#define CC_NAMESPACE "raydeploy"
#define CC_FILESTORE_SHARE "share"
#define CC_RANGE_PODS "pods" /* of the subnet; templates/cc/net.yaml */
#define CC_RANGE_SERVICES "services"

/* One part per step of the graph, in an order in which they may be applied. CC_BOOTSTRAP is of step
 * cc-ready. */
#define CC_PARTS(X)                                                                                \
    X(CC_BOOTSTRAP, "bootstrap")                                                                   \
    X(CC_NET, "net")                                                                               \
    X(CC_NAT, "nat")                                                                               \
    X(CC_ACCOUNTS, "accounts")                                                                     \
    X(CC_STORAGE, "storage")                                                                       \
    X(CC_GKE, "gke")                                                                               \
    X(CC_POOL_CPU, "pool-cpu")                                                                     \
    X(CC_POOL_GPU, "pool-gpu")                                                                     \
    X(CC_WI, "wi")                                                                                 \
    X(CC_FILESTORE, "filestore")

enum cc_part {
#define X(name, word) name,
    CC_PARTS(X)
#undef X
        CC_PART_MAX
};
const char *cc_part_name(enum cc_part part); /* the id of its step */
/* Whether the configuration asks for it (GPU pool, bucket, Filestore may be off). */
bool cc_part_wanted(const struct config *c, enum cc_part part);
/* Its templates, ended by NULL; borrowed. The connector's own object comes with a manual install
 * only. */
const char *const *cc_part_templates(const struct config *c, enum cc_part part);

/* ---- Names (decisions.md); each owned by the caller ---- */
char *cc_network(const struct config *c);
char *cc_subnet(const struct config *c);
char *cc_cluster(const struct config *c);
char *cc_filestore(const struct config *c);
char *cc_registry(const struct config *c);
char *cc_bucket(const struct config *c);
char *cc_node_account(const struct config *c); /* account ids, before the @ */
char *cc_ray_account(const struct config *c);
/* ID@PROJECT.iam.gserviceaccount.com; of a domain-scoped project (example.com:p) the domain goes
 * last. */
char *cc_account_email(const struct config *c, const char *id);
char *cc_connector_email(const struct config *c); /* of Config Connector's controller */
char *cc_workload_pool(const struct config *c);   /* PROJECT.svc.id.goog */
/* Our mark on resources that have no labels: their description. */
char *cc_description(const struct config *c);
/* The region for regional tiers; else filestore.zone, or the first zone of fact region.zones; NULL:
 * not known yet. */
char *cc_filestore_location(const struct step_ctx *ctx);

/* ---- What the installed Config Connector can take (cc_fields.c) ---- */
#define CC_VERSION_FLOOR "1.125.0"
/* RD_ERR_PREFLIGHT for a version older than the floor, or one that is no version. */
bool cc_check_version(const char *version, struct rd_err **reterr) RD_MUST_CHECK;
/* Names of the optional features, as an array of strings (fact cc.features). A feature is there
 * when the version (NULL: not known) is new enough and the CRDs (array of
 * CustomResourceDefinitions, NULL: not looked at) have its field. Owned. */
json_t *cc_features(const char *version, const json_t *crds);
/* Takes out of the object what needs a feature that is not in the array (NULL: all are there), and
 * optional parts that the configuration left empty. */
void cc_prune(json_t *object, const json_t *features);
/* Whether Config Connector can be told of a DNS endpoint; else the step opens it at GKE. */
bool cc_has_dns_endpoint(const struct step_ctx *ctx);
/* The first field of spec that the CRD's schema does not have, as a dotted path; owned, NULL: it
 * has all. Such a field would be refused at apply. */
char *cc_unknown_field(const json_t *object, const json_t *crd);

/* ---- Rendering ---- */
/* Every value of templates/cc that the facts known so far allow. */
bool cc_values_fill(const struct step_ctx *ctx, struct template_values *v,
                    struct rd_err **reterr) RD_MUST_CHECK;
/* Adds the objects of one part; nothing when the configuration does not want it. Facts:
 * cc.features, or cc.version in its place, decide what is left out. */
bool cc_render(const struct step_ctx *ctx, enum cc_part part, struct manifest_list *out,
               struct rd_err **reterr) RD_MUST_CHECK;
/* The same as a set's render: the step's id says which part. */
bool cc_render_step(struct step_op *s, struct manifest_list *out,
                    struct rd_err **reterr) RD_MUST_CHECK;

#endif
