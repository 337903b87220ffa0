/* One run of helm in the cluster: an account that may do everything, a Job under it, its log, its end.
 *
 * mon_helm starts it and watches; mon_helm_clear takes Job, binding and account away again, in this order,
 * so that a helm that is told to end can still write down that it was. Whoever starts the first must run
 * the second on every path; mon.helm_dirty says that it is still to be done. */
#ifndef RD_MONITORING_HELM_H
#define RD_MONITORING_HELM_H

#include "k8s/delete.h"
#include "k8s/pod_log.h"
#include "k8s/verdict.h"
#include "monitoring/mon.h"

struct mon_helm {
    struct op op;
    struct mon *m;
    json_t *args; /* owned */
    /* helm.c's own. */
    int state;
    struct k8s_batch batch;
    bool batch_set, watching, logging;
    struct k8s_watch jobs, pods, events;
    struct k8s_pod_log log;
    json_t *job, *pod;       /* owned; as last seen; NULL */
    json_t *told;            /* owned; events that were not judged yet */
    struct k8s_patience patience;
    struct rd_strv lines;    /* the last of the log */
    struct rd_err *failure;
    char *said;              /* what was last shown as waited for */
    uint64_t drain_ms;
};
/* Takes *take_args. */
void mon_helm_init(struct mon_helm *h, struct mon *m, json_t *take_args);
void mon_helm_start(struct mon_helm *h, struct op *parent);
void mon_helm_free(struct mon_helm *h); /* clears; safe on zeroed memory */

struct mon_helm_clear {
    struct op op; /* goes through all three whatever happens; ends with the first error */
    struct mon *m;
    uint64_t job_ms;  /* how long the Job's pod may take to end */
    bool found;       /* something was there */
    /* helm_clear.c's own. */
    unsigned at;
    int state;
    char *name; /* of the one at hand */
    struct k8s_call look;
    struct k8s_delete del;
    bool deleting;
    struct rd_err *failure;
};
void mon_helm_clear_start(struct mon_helm_clear *x, struct mon *m, uint64_t job_ms,
                          struct op *parent);
void mon_helm_clear_free(struct mon_helm_clear *x); /* safe on zeroed memory */

/* ---- Pure: why a run failed (explain.c) ---- */
struct mon_helm_end {
    const char *verb;             /* "upgrade" */
    const char *release, *ns;
    const struct rd_strv *lines;  /* the last lines of its log, oldest first */
    int exit_code;                /* -1: not known */
    const char *reason;           /* of the container ("OOMKilled") or the Job ("DeadlineExceeded"); NULL */
};
struct rd_err *mon_helm_explain(const struct mon_helm_end *end);

#endif
