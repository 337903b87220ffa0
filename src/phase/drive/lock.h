/* The guard of a deployment on Kubernetes: namespace LOCK_NAMESPACE, in it the Lease and the mirror
 * ConfigMap `raydeploy-NAME` (decisions.md, Lock, stop, resume).
 *
 * Acquire: namespace (made when it is not there), Lease, mirror read. Release: mirror as it should be,
 * Lease given back. Removal, after everything else is gone: mirror, Lease, and the namespace if
 * raydeploy made it and nothing of anybody else's lives in it. */
#ifndef RD_PHASE_DRIVE_LOCK_H
#define RD_PHASE_DRIVE_LOCK_H

#include "k8s/delete.h"
#include "k8s/lease.h"
#include "phase/drive/guard.h"
#include "phase/drive/mirror.h"

struct lock {
    struct guard g;          /* first */
    struct k8s_client *client; /* borrowed; known once started */
    char *name;              /* owned: raydeploy-NAME */
    bool in_workload;        /* --target local: the lock's home is the cluster it guards */
    int state;
    bool release, remove;
    unsigned tries;
    struct k8s_lease lease;
    struct mirror mirror;
    json_t *content;         /* owned: what the mirror should hold */
    unsigned mirror_put;     /* put_asked as of the write under way or last done */
    struct k8s_call call;
    struct k8s_call others[4]; /* what else lives in the namespace */
    struct k8s_delete del;
    struct op_timer pause;
    struct rd_err *failure;  /* owned: to end with once the lease is given back */
};

void lock_init(struct lock *l, struct step_ctx *ctx);
void lock_clear(struct lock *l);

#endif
