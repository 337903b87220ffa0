/* What the files of GKE share. */
#ifndef EMU_GKE_INTERNAL_H
#define EMU_GKE_INTERNAL_H

#include "gke.h"
#include "ops.h"

#define GKE_CLUSTERS "container.clusters"
#define GKE_VERSION "1.35.3-gke.1234000"

/* gke_nodes.c */
long gke_pool_nodes(const json_t *cluster, const json_t *pool); /* wanted now, in total */
/* Owned message when so many more nodes of the pool do not fit the quota; NULL: they do. */
char *gke_quota_short(struct emu *e, const json_t *pool, long nodes);
json_t *gke_instances(struct emu *e, const char *cluster, const char *pool); /* owned array */
json_t *gke_node_list(struct emu *e, const char *cluster); /* owned; for hooks.changed */
void gke_set_nodes(struct emu *e, const char *cluster, const json_t *cluster_json, json_t *pool,
                   long count);

/* gke_shape.c: what GKE makes of a request. */
json_t *gke_cluster_new(struct emu *e, const char *location, const json_t *asked); /* owned */
json_t *gke_pool_new(struct emu *e, const json_t *cluster, const json_t *asked);   /* owned */
/* Deep merge of objects; everything else is replaced. */
void gke_merge(json_t *target, const json_t *patch);
/* What is false, zero or empty is left out, as in the real answers. */
void gke_tidy(json_t *cluster_or_pool);
json_t *gke_pool_find(const json_t *cluster, const char *pool); /* borrowed or NULL */
/* Endpoints once the control plane answers on a port (0: nobody answers). */
void gke_set_endpoint(struct emu *e, json_t *cluster, int port);
json_t *gke_answer(const json_t *cluster); /* owned; without the emulator's notes, pools included */

#endif
