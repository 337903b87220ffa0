/* Connections of the cloud target, each made once per run and kept in step_ctx; facts carry what is
 * needed, never an ambient kubeconfig. None of these sends a request. */
#ifndef RD_PHASE_STEPS_GOOGLE_H
#define RD_PHASE_STEPS_GOOGLE_H

#include "gcp/client.h"
#include "phase/steps/step.h"

/* Who is told about the requests and troubles of a connection; any function may be NULL. */
struct google_ears {
    void (*observe)(void *ctx, const struct http_req *r);
    void (*warn)(void *ctx, const char *text);
    void (*retry)(void *ctx, const struct rd_err *why, uint64_t delay_ms);
    void *ctx;
};
/* Google credentials in their order, --credentials first; the caller owns one reference. */
bool google_credentials(struct loop *l, const struct config *c, const struct google_ears *ears,
                        struct http_auth **ret, struct rd_err **reterr) RD_MUST_CHECK;
/* A client with these credentials. */
struct gcp_client *google_client_new(struct loop *l, const struct config *c,
                                     const struct google_ears *ears, struct rd_err **reterr);

/* A client for a cluster's API server. Takes *take_auth (also when it fails). ca: the value of a fact
 * as google_ca_fact makes it, or NULL. What ears->ctx points to must outlive the client. */
struct k8s_client *google_cluster_client(struct loop *l, struct http_auth *take_auth,
                                         const char *what, const char *server, const char *ca,
                                         const struct google_ears *ears, struct rd_err **reterr);

/* ctx->gcp with the credentials that --credentials or the environment name (src/auth). */
bool google_connect(struct step_ctx *ctx, struct rd_err **reterr) RD_MUST_CHECK;
/* ctx->management from facts mgmt.endpoint and mgmt.ca; false with RD_ERR_PREFLIGHT while they are not
 * known. */
bool google_connect_management(struct step_ctx *ctx, struct rd_err **reterr) RD_MUST_CHECK;
/* ctx->workload from facts gke.endpoint and gke.ca. */
bool google_connect_workload(struct step_ctx *ctx, struct rd_err **reterr) RD_MUST_CHECK;
/* The value of a fact that holds a cluster's authority: its PEM; "" when the cluster is reached through
 * Google's own front end, which the system's roots vouch for. Owned. */
json_t *google_ca_fact(const char *ca_pem);
/* The observer, warning and retry callbacks of every client of a run; ctx is their context. */
void google_on_request(void *ctx, const struct http_req *r);
void google_on_warning(void *ctx, const char *text);
void google_on_retry(void *ctx, const struct rd_err *why, uint64_t delay_ms);
/* The deployment's labels on a GCP resource carry our mark (GCP label raydeploy-deployment). */
bool google_is_ours(const struct config *c, const json_t *resource_labels);

#endif
