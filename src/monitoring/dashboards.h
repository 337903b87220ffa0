/* Ray's Grafana dashboards, as the running head wrote them. Ray's dashboard server has no address for
 * them, so they are read from the head's disk by a command of Ray's own Python. */
#ifndef RD_MONITORING_DASHBOARDS_H
#define RD_MONITORING_DASHBOARDS_H

#include "k8s/pod_exec.h"
#include "monitoring/mon.h"

struct mon_dashboards {
    struct op op; /* no head that could be asked is no error: see why_none */
    struct mon *m;
    /* Out. */
    json_t *files;   /* owned; file name -> text; empty: none */
    char *why_none;  /* owned; NULL: there are some */
    /* dashboards.c's own. */
    int state;
    struct k8s_call pods;
    struct k8s_pod_exec exec;
    bool asked;
};
void mon_dashboards_start(struct mon_dashboards *d, struct mon *m, struct op *parent);
void mon_dashboards_free(struct mon_dashboards *d); /* safe on zeroed memory */

/* Of what the head answered: each file's text must be a JSON object that an object can hold. Adds to
 * files; texts about those left out go to left_out. */
bool mon_dashboards_read(const char *text, size_t len, json_t *files, struct rd_strv *left_out,
                         struct rd_err **reterr) RD_MUST_CHECK;

#endif
