/* Ready means ready: the five-part rule (../shared/reference/kuberay.md section 3.3). `state: ready`
 * is sticky and RayClusterProvisioned never goes back, so neither is enough. Pure. */
#ifndef RD_PHASE_STEPS_RAY_READY_H
#define RD_PHASE_STEPS_RAY_READY_H

#include "base/json.h"
#include "base/text.h"

enum ray_answer {
    RAY_NOT_YET,
    RAY_READY,   /* parts 1 to 3 hold; the dashboard (4) and a second reading (5) are the caller's */
    RAY_TROUBLE, /* a complaint that is final once it stood for grace_ms */
};

struct ray_reading {
    enum ray_answer answer;
    char *key;       /* owned; what complains: stays the same while its reasons take turns */
    char *message;   /* owned; what is waited for, or the complaint */
    uint64_t grace_ms;
    enum rd_err_kind kind;
    char *head_pod;  /* owned; NULL until there is one */
    int64_t pods, ready_pods;
    bool settled;    /* every pod has been Ready for 10 s */
};

/* Has the Ray container of a pod ended? Under restartPolicy Never the operator replaces such a pod, so
 * one that ends is no verdict, but RAY_DEATHS_MAX of them in one wait are. */
bool ray_pod_ended(const json_t *pod);
#define RAY_DEATHS_MAX 4

/* cluster: the RayCluster; pods: object title -> pod with label ray.io/cluster; events: title -> event.
 * deaths: how many different pods
 * were seen to end so far. autoscales: nodes may still come (Unschedulable is then waited for longer). since_wall_ms: events
 * older than this run's apply do not count. */
void ray_read(const json_t *cluster, const json_t *pods, const json_t *events, unsigned deaths,
              bool autoscales, int64_t since_wall_ms, int64_t now_wall_ms, struct ray_reading *ret);
void ray_reading_clear(struct ray_reading *r);

/* Does a pod run what the spec wants now (image and env of container 0)? An old pod waits for its
 * replacement. */
bool ray_pod_is_current(const json_t *cluster, const json_t *pod);

#endif
