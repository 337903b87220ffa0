/* KubeRay's own rules for a RayCluster, checked before it is sent. The operator applies them in its
 * reconcile loop: the API server answers 201, one Warning event appears, and nothing happens.
 * Beside them: a repeated groupName, which only the optional webhook sees, and num-cpus that `ray
 * start` would refuse.
 *
 * Source of the facts: ray-operator/controllers/ray/utils/validation.go of KubeRay 1.7.0. */
#ifndef RD_RAY_VALIDATE_H
#define RD_RAY_VALIDATE_H

#include "base/text.h"

#include <jansson.h>

/* Feature gates of the operator that will read it; all zero are the defaults of 1.7.0. */
struct ray_gates {
    bool network_policy;   /* RayClusterNetworkPolicy */
    bool mtls;             /* RayClusterMTLS */
    bool history_server;   /* RayClusterHistoryServer */
    bool embedded_storage; /* GCSFaultToleranceEmbeddedStorage */
    bool no_group_suspend; /* RayJobDeletionPolicy switched off */
};

/* True when nothing is wrong; else each problem is added as one sentence that names the field.
 * Never fails on odd JSON: what the CRD's schema refuses is left to the API server. */
bool ray_validate_cluster(const json_t *cluster, struct ray_gates gates, struct rd_strv *problems);

#endif
