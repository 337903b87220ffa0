/* What bootstrap makes, and what the steps before it demand: names, bodies, roles, permissions, quota.
 * Pure; docs/management.md and docs/permissions.md explain the choices. */
#ifndef RD_PHASE_STEPS_MGMT_PLAN_H
#define RD_PHASE_STEPS_MGMT_PLAN_H

#include "config/config.h"
#include "gcp/policy.h"

#define MGMT_CLUSTER "ray-mgmt"
#define MGMT_NETWORK "ray-mgmt-vpc"
#define MGMT_SUBNET "ray-mgmt-subnet"
#define MGMT_NODES "ray-mgmt-nodes" /* account ids */
#define MGMT_CONNECTOR "config-connector-sa"
#define MGMT_MARK "raydeploy-management" /* label of the cluster; begins the description of the rest */
#define MGMT_DESCRIPTION MGMT_MARK ": made by raydeploy bootstrap"

/* Carries the mark: a cluster by its label, the rest by the description. */
bool mgmt_is_ours(const json_t *resource);

/* ---- Bodies; owned ---- */
json_t *mgmt_network_body(void);
json_t *mgmt_subnet_body(const struct config *c);
json_t *mgmt_cluster_body(const struct config *c, const char *node_email);
/* What a running cluster lacks, as the `update` of one call: the first of Workload Identity, DNS
 * endpoint, add-on; NULL: nothing. *ret_what: static, for people. Owned. */
json_t *mgmt_cluster_update(const struct config *c, const json_t *cluster, const char **ret_what);
/* Serves without a change: Workload Identity of this project and Config Connector. */
bool mgmt_cluster_fits(const struct config *c, const json_t *cluster);
/* The cluster of that name in an answer of clusters.list, or NULL. Borrowed. */
const json_t *mgmt_cluster_find(const json_t *list, const char *name);
/* The newest operation of this type on the cluster in an answer of operations.list, or NULL. */
const json_t *mgmt_operation_find(const json_t *list, const char *type, const char *cluster);

/* ---- Roles ---- */
extern const char *const mgmt_node_roles[]; /* NULL-ended, as all here */
/* Of Config Connector's account, by management.roles. */
const char *const *mgmt_connector_roles(const struct config *c);
/* Those of the other choice, which an earlier bootstrap may have given. */
const char *const *mgmt_connector_roles_dropped(const struct config *c);
#define MGMT_EDITS_MAX 16
/* Fills edits for these roles and one member (borrowed); returns how many. */
size_t mgmt_edits(struct gcp_binding *edits, const char *const *roles, const char *member,
                  bool remove);

/* ---- Permissions of whoever runs raydeploy ---- */
enum { MGMT_FOR_UP = 1, MGMT_FOR_BOOTSTRAP = 2 };
struct mgmt_permission {
    const char *name, *role; /* a role that holds it */
    unsigned purpose;
};
extern const struct mgmt_permission mgmt_permissions[]; /* ended by a NULL name */
/* Names for these purposes; returns how many (at most 100). */
size_t mgmt_permission_names(unsigned purpose, const char **names);
/* From the answer of testIamPermissions: NULL, or an error naming each missing one with its role. */
struct rd_err *mgmt_permissions_missing(unsigned purpose, const json_t *answer, const char *who,
                                        const char *project);

#endif
