/* install and remove, as one operation each, and what must follow them on every path. */
#ifndef RD_MONITORING_INSTALL_H
#define RD_MONITORING_INSTALL_H

#include "k8s/lease.h"
#include "monitoring/dashboards.h"
#include "monitoring/helm.h"
#include "monitoring/release.h"
#include "phase/steps/residue.h"

/* The lock of monitoring: a Lease in the monitoring namespace. */
struct mon_lock {
    struct k8s_lease lease;
    bool set, held;
};

struct mon_install {
    struct op op;
    struct mon *m;
    struct mon_release release; /* as it is in the end */
    bool helm_ran;
    /* install.c's own. */
    int state;
    char *inputs; /* owned */
    struct k8s_call space, secrets, operators, crd;
    struct op_timer pause;
    uint64_t crd_by_ms;
    struct mon_lock lock;
    struct k8s_batch batch;
    bool batch_set, leftovers, recovered;
    struct op *child; /* what the state waits for; borrowed */
    struct mon_helm helm;
    struct mon_helm_clear clear;
    struct mon_dashboards dashboards;
    struct k8s_call old; /* dashboards that are there */
};
void mon_install_start(struct mon_install *i, struct mon *m, struct op *parent);
void mon_install_free(struct mon_install *i);

struct mon_remove {
    struct op op;
    struct mon *m;
    bool drop_crds; /* in: also the stack's CRDs, where nothing of that kind is left */
    json_t *crds;   /* owned; names of those that stay */
    bool helm_ran;
    /* remove.c's own. */
    int state;
    size_t at;   /* among the server's kinds */
    char *asked; /* the kind that is asked about */
    struct k8s_discover discover;
    struct mon_release release;
    struct k8s_call space, secrets, lists[3], crd_list, objects;
    struct mon_lock lock;
    struct k8s_batch batch;
    bool batch_set, deleting;
    struct op *child;
    struct k8s_delete del;
    struct mon_helm helm;
    struct mon_helm_clear clear;
    struct step_ctx ctx; /* for residue */
    struct residue rest;
    struct rd_err *remains;
};
void mon_remove_start(struct mon_remove *r, struct mon *m, struct op *parent);
void mon_remove_free(struct mon_remove *r);

/* After either of them, however it ended: the account of the Helm job goes, and the lock is given back.
 * Quick where there is nothing to do. */
struct mon_close {
    struct op op;
    struct mon *m;
    /* close.c's own. */
    int state;
    struct mon_helm_clear clear;
    struct k8s_call look, del;
    struct rd_err *failure;
};
void mon_close_start(struct mon_close *x, struct mon *m, struct op *parent);
void mon_close_free(struct mon_close *x);

void mon_lock_start(struct mon_lock *l, struct mon *m, struct op *parent);
void mon_lock_free(struct mon_lock *l);

#endif
