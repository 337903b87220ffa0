/* The way to a Ray dashboard for verbs: by --address (or Ray's own variables), or by a port-forward
 * to the head pod of the deployment, with the token that goes with it; and the comparison of versions
 * that comes before anything else. */
#ifndef RD_CMD_RAY_WAY_H
#define RD_CMD_RAY_WAY_H

#include "verb.h"

#include "ray/dashboard.h"

struct ray_way {
    struct op op; /* ends once the dashboard has told its version and that will do */
    struct verb_ctx *v;
    struct k8s_client *client; /* owned; NULL: by address */
    struct ray_dashboard dash; /* serves as long as the parent of op runs */
    char *ray_version;         /* owned; the dashboard's */
    char *wanted;              /* owned; spec.rayVersion of the RayCluster; NULL */
    bool quiet;                /* say nothing about versions that differ */
    /* ray_way.c's own. */
    struct k8s_call get;
    struct ray_call version;
    bool asked, dialled;
};

#define RAY_WAY_FLAG                                                                               \
    {"address", NULL, "URL", false,                                                                \
     "a Ray dashboard, http://HOST:8265 (also RAY_API_SERVER_ADDRESS, RAY_ADDRESS); without it, "  \
     "the deployment's"}

/* Sends nothing. Without an address the configuration is read as for a deployment. */
bool ray_way_open(struct ray_way *w, struct verb_ctx *v, struct rd_err **reterr) RD_MUST_CHECK;
void ray_way_start(struct ray_way *w, struct op *parent);
void ray_way_clear(struct ray_way *w);
/* A feature that Ray has from this version on; false with an error that says so. */
bool ray_way_needs(const struct ray_way *w, unsigned major, unsigned minor, const char *feature,
                   struct rd_err **reterr) RD_MUST_CHECK;
/* "--address URL", or the flags of the deployment, for commands that we suggest. Owned; may be "". */
char *ray_way_flags(const struct ray_way *w);

/* Shared with verbs that look at a RayCluster by themselves. The configuration of a deployment, for verbs
 * that may do without one: */
bool verb_deployment(struct verb_ctx *v, struct rd_err **reterr) RD_MUST_CHECK;
/* A client for the cluster that runs Ray: of the kubeconfig, or on Google Cloud by the facts of a run
 * (NULL: Google is asked first). */
struct k8s_client *verb_workload(struct verb_ctx *v, const json_t *facts, struct rd_err **reterr);
/* On Google Cloud: a client for the management cluster, by the facts of a run. */
struct k8s_client *verb_management(struct verb_ctx *v, const json_t *facts, struct rd_err **reterr);
/* The Secret of the token that a RayCluster asks for; NULL: none. Owned. */
char *ray_token_secret(const json_t *cluster);

#endif
