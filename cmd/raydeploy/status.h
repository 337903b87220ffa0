/* raydeploy status: what the cluster and Ray say about a deployment, beside its steps. */
#ifndef RD_CMD_STATUS_H
#define RD_CMD_STATUS_H

#include "deploy.h"

/* Asks everything at once and takes what answers: {versions, lock, node_pools, pods, ray, jobs,
 * unreachable} (docs/json.md). Owned; never NULL. client NULL: why, and what the other one knows. lock: the
 * cluster that the lock lies in; NULL: not known. *ret_code as verb_run_op's. */
json_t *status_look(struct verb_ctx *v, struct k8s_client *client, const char *why_no_client,
                    struct k8s_client *lock, int *ret_code);

/* ---- Pure parts ---- */
/* Who holds a Lease; JSON null: nobody. Owned. */
json_t *status_lock(const json_t *lease, int64_t now_wall_ms);
/* Nodes of a list by the pool that their label names. Owned. */
json_t *status_node_pools(const json_t *nodes);
/* Pods of a list in order of group and name. Owned. */
json_t *status_pods(const json_t *pods, int64_t now_wall_ms);
/* Ray's own view: the answers of /nodes?view=summary and /api/cluster_status (NULL: none). Owned. */
json_t *status_ray(const json_t *nodes, const json_t *usage);
/* The same as text. */
void status_put(const json_t *look, struct rd_buf *out);
/* One line a fact, "pod ray-head-x: Running, ready", for comparing two looks. */
void status_lines(const json_t *look, struct rd_strv *out);

#endif
