/* What there is of monitoring, and whether it sees the pods that it should. */
#ifndef RD_MONITORING_STATUS_H
#define RD_MONITORING_STATUS_H

#include "monitoring/release.h"

struct mon_status {
    struct op op;
    struct mon *m;
    json_t *result; /* owned; the document of `-o json` (docs/json.md) */
    /* status.c's own. */
    struct k8s_call secrets, pods, monitors, dashboards, password, ray_pods, operator_pods;
    bool asked;
};
void mon_status_start(struct mon_status *s, struct mon *m, struct op *parent);
void mon_status_free(struct mon_status *s);

/* Pure. How many of the pods a monitor selects, and of those how many have each of its ports:
 * {"name", "namespace", "kind", "pods", "ports": [{"port", "pods"}]}. Owned. `pods` is an array of Pods; the
 * namespaces are the monitor's own rule. */
json_t *mon_monitor_json(const json_t *monitor, const json_t *pods);

#endif
