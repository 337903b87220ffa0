/* The controllers behind an API server, in the spirit of kwok's stages: what happens to an object, after
 * which delay (virtual time, jittered by seed), and what its status then says. Each is told of changes
 * (kube.h) and writes as the component it plays, under that component's field manager. */
#ifndef EMU_CTL_H
#define EMU_CTL_H

#include "kube.h"

/* Called when a cluster's API server starts to answer: namespaces, nodes, ServiceAccounts, Deployments,
 * StatefulSets, Jobs, Pods, claims, Services, Endpoints; KubeRay when its operator's Deployment runs,
 * Ray's dashboard and Jobs API behind a port-forward to a head pod. */
void ctl_workload_start(struct kube_cluster *c);
/* addonsConfig.configConnectorConfig.enabled became true, or the operator was installed by hand: CRDs,
 * webhooks, controllers; ConfigConnector(Context) and every kind of templates/cc. Once per cluster. */
void ctl_connector_start(struct kube_cluster *c, const char *version);
/* From the start of every cluster: notices an operator that somebody applies. */
void ctl_connector_watch(struct kube_cluster *c);
/* The nodes of the cluster, as gke.h's hook hands them over. */
void ctl_nodes_set(struct kube_cluster *c, const json_t *cluster, const json_t *instances);

#endif
