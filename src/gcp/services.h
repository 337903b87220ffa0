/* The requests raydeploy makes, one function each: they prepare a gcp_call, gcp_list or gcp_lro,
 * which the caller starts. All texts are copied; bodies are borrowed.
 *
 * Protocol source: each API's discovery document, revision of 2026. */
#ifndef RD_GCP_SERVICES_H
#define RD_GCP_SERVICES_H

#include "gcp/lro.h"

/* ---- Service Usage v1 ---- */
#define GCP_ENABLE_MAX 20 /* services of one batch */
/* Items {name: "projects/NUM/services/S", state}. */
void gcp_services_enabled(struct gcp_list *l, struct gcp_client *c, const char *project);
/* At most GCP_ENABLE_MAX names. After success call gcp_client_note_enabled. */
void gcp_services_enable(struct gcp_lro *l, struct gcp_client *c, const char *project,
                         const char *const *names, size_t len);
/* What BatchEnableServicesResponse.failures says, or NULL when all went well. */
struct rd_err *gcp_services_enable_failures(const json_t *result);

/* ---- Resource Manager v1, Cloud Billing v1 ---- */
/* {projectId, projectNumber, lifecycleState, parent, labels}; a missing project is a 403. */
void gcp_project_get(struct gcp_call *k, struct gcp_client *c, const char *project);
/* Result {permissions: [subset]}; at most 100 names. */
void gcp_project_test_permissions(struct gcp_call *k, struct gcp_client *c, const char *project,
                                  const char *const *permissions, size_t len);
void gcp_billing_info(struct gcp_call *k, struct gcp_client *c, const char *project);

/* ---- IAM v1: service accounts ---- */
void gcp_account_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                     const char *email); /* 404 is success with result NULL */
void gcp_account_create(struct gcp_call *k, struct gcp_client *c, const char *project,
                        const char *account_id, const char *display_name, const char *description);
void gcp_account_delete(struct gcp_call *k, struct gcp_client *c, const char *project,
                        const char *email); /* 404 is success */
void gcp_accounts_list(struct gcp_list *l, struct gcp_client *c, const char *project);

/* ---- GKE v1 ---- */
/* cluster NULL: the location itself; location "-": all. */
void gcp_cluster_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                     const char *location, const char *cluster); /* 404: result NULL */
void gcp_clusters_list(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location); /* result {clusters, missingZones} */
void gcp_cluster_create(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *location, const json_t *cluster);
/* `update`: {"desiredX": ...}, one group of desired fields. */
void gcp_cluster_update(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *location, const char *cluster, const json_t *update);
void gcp_cluster_set_labels(struct gcp_lro *l, struct gcp_client *c, const char *project,
                            const char *location, const char *cluster, const json_t *labels,
                            const char *fingerprint);
void gcp_cluster_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *location, const char *cluster);
void gcp_node_pool_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                          const char *location, const char *cluster, const char *pool);
void gcp_node_pool_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location, const char *cluster, const char *pool);
void gcp_node_pools_list(struct gcp_call *k, struct gcp_client *c, const char *project,
                         const char *location, const char *cluster);
void gcp_operations_list(struct gcp_call *k, struct gcp_client *c, const char *project,
                         const char *location); /* result {operations} */
void gcp_operation_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location, const char *operation);
void gcp_server_config(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location);

/* How to reach a cluster's API server: DNS endpoint when outside traffic may use it (the system's
 * roots), else the public address (the cluster's CA). All owned; ca_pem NULL: the system's roots.
 */
struct gcp_endpoint {
    char *server; /* "https://..." */
    char *ca_pem;
    bool dns;
};
bool gcp_cluster_endpoint(const json_t *cluster, struct gcp_endpoint *ret,
                          struct rd_err **reterr) RD_MUST_CHECK;
void gcp_endpoint_clear(struct gcp_endpoint *e);

/* ---- Filestore v1 ---- */
void gcp_filestore_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location, const char *instance); /* 404: result NULL */
void gcp_filestore_list(struct gcp_list *l, struct gcp_client *c, const char *project);
/* Backups of instances, in every region; they outlive their instance and are billed. */
void gcp_filestore_backups_list(struct gcp_list *l, struct gcp_client *c, const char *project);
void gcp_filestore_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                          const char *location, const char *instance);

/* ---- Storage v1 ---- */
void gcp_bucket_get(struct gcp_call *k, struct gcp_client *c, const char *bucket); /* 404: NULL */
void gcp_bucket_delete(struct gcp_call *k, struct gcp_client *c, const char *bucket); /* 404 is success */
void gcp_buckets_list(struct gcp_list *l, struct gcp_client *c, const char *project);
void gcp_objects_list(struct gcp_list *l, struct gcp_client *c, const char *bucket,
                      const char *prefix); /* items {name, generation, size}; 404: empty */
/* Deletes every object under prefix, 8 at a time. */
struct gcp_objects_delete {
    struct op op;
    struct gcp_list list;
    struct gcp_call slots[8];
    struct gcp_client *client;
    char *bucket, *prefix; /* owned */
    size_t next, deleted;
    int state;
};
void gcp_objects_delete_start(struct gcp_objects_delete *d, struct op *parent, struct gcp_client *c,
                              const char *bucket, const char *prefix);
void gcp_objects_delete_clear(struct gcp_objects_delete *d);

/* ---- Artifact Registry v1 ---- */
void gcp_repository_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                        const char *location, const char *repository); /* 404: NULL */
void gcp_repository_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                           const char *location, const char *repository); /* 404 is success */
void gcp_repositories_list(struct gcp_list *l, struct gcp_client *c, const char *project,
                           const char *location);
void gcp_docker_images_list(struct gcp_list *l, struct gcp_client *c, const char *project,
                            const char *location, const char *repository);

/* ---- Compute v1 ---- */
void gcp_region_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                    const char *region); /* quotas[{metric, limit, usage}] */
void gcp_compute_project_get(struct gcp_call *k, struct gcp_client *c, const char *project);
void gcp_zones_list(struct gcp_list *l, struct gcp_client *c, const char *project);
void gcp_accelerator_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                         const char *zone, const char *accelerator); /* 404: NULL */
void gcp_machine_type_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                          const char *zone, const char *machine_type); /* 404: NULL */
/* Any one resource: scope "global", "regions/R" or "zones/Z"; 404: result NULL. */
void gcp_compute_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                     const char *scope, const char *collection, const char *name);
void gcp_compute_insert(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *scope, const char *collection, const json_t *body);
void gcp_compute_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *scope, const char *collection, const char *name);
/* All of a collection in every zone and region. filter NULL: none. */
void gcp_compute_aggregated(struct gcp_list *l, struct gcp_client *c, const char *project,
                            const char *collection, const char *filter);
/* Of one scope, for what is global only. */
void gcp_compute_list(struct gcp_list *l, struct gcp_client *c, const char *project,
                      const char *scope, const char *collection, const char *filter);
/* The collections that cost money or block a network's deletion, for the teardown scan. */
struct gcp_scan_row {
    const char *collection; /* "instances" */
    const char *kind;       /* "VM" */
    const char *scope;      /* NULL: aggregated list; else "global" */
    bool billed;
};
extern const struct gcp_scan_row gcp_scan_rows[]; /* ended by a NULL collection */
void gcp_network_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                     const char *network);
void gcp_subnet_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                    const char *region, const char *subnet);

/* ---- Cloud Quotas v1 ---- */
/* service "compute.googleapis.com", id "NVIDIA-T4-GPUS-per-project-region". */
void gcp_quota_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                   const char *service, const char *id); /* 404: NULL */
/* The limit for a region of a quotaInfo; false when it says nothing about it. Negative: no limit.
 */
bool gcp_quota_value(const json_t *quota_info, const char *region, int64_t *ret);
/* Limit and use of a metric in a region's or project's quotas; false when it is not there. */
bool gcp_compute_quota(const json_t *region, const char *metric, double *ret_limit,
                       double *ret_usage);

#endif
