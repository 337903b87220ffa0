/* Where the Kubernetes half meets GKE: a cluster that becomes RUNNING gets an API server, one that
 * is deleted loses it, node pools are its nodes. Clusters themselves are made and deleted by REST
 * (emu_call "container"), from outside or by Config Connector's behaviour. */
#ifndef EMU_GKE_H
#define EMU_GKE_H

#include "emu.h"

struct emu_gke_hooks {
    /* A control plane exists now; returns the port of its API server (emu_listen). `name` is
     * "projects/P/locations/L/clusters/C", `cluster` its JSON as GET answers it. Config Connector
     * is on when addonsConfig.configConnectorConfig.enabled is true. */
    int (*up)(struct emu *e, const char *name, const json_t *cluster);
    /* Addons, labels or node pools have changed (also after up, once the first nodes are there).
     * Nodes are the entries of `instances`: {name, pool, zone, machineType, accelerator, spot}. */
    void (*changed)(struct emu *e, const char *name, const json_t *cluster,
                    const json_t *instances);
    void (*down)(struct emu *e, const char *name);
};

/* Once, before any request. Without hooks a cluster's endpoint is an address nobody answers at. */
void emu_gke_set_hooks(struct emu *e, const struct emu_gke_hooks *hooks);
/* The cluster autoscaler: sets a pool's nodes to count (within its autoscaling bounds, quota and
 * stock) after the modelled time for machines; `changed` follows. false: *ret_why says why not.
 * Borrowed. */
bool emu_gke_scale(struct emu *e, const char *cluster, const char *pool, long count,
                   const char **ret_why);
void emu_gke_clear(struct emu *e); /* at the end: no machine comes any more */
/* Borrowed; NULL when there is no such cluster. Keys that start with '_' are the emulator's. */
const json_t *emu_gke_cluster(struct emu *e, const char *name);

#endif
