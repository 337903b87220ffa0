/* What the controllers of a cluster's workloads share: nodes, scheduler, kubelets, Deployments and
 * their kin, claims, Services. Level-triggered: each look compares what is with what should be. */
#ifndef EMU_CTL_WORK_H
#define EMU_CTL_WORK_H

#include "ctl.h"
#include "ctl_util.h"

struct ctl_work {
    struct kube_cluster *c;
    struct emu *e;
    struct ctl_queue *pods;  /* kubelets, by pod */
    struct ctl_queue *apps;  /* "Deployment/NAME" and so on, by namespace */
    struct ctl_queue *core;  /* services, claims, budgets, quotas */
    struct ctl_queue *sched; /* "schedule", "scale" */
    struct ctl_queue *jobs;  /* of Ray's dashboards */
    json_t *dashes;          /* owned: head pod's uid -> its jobs and packages */
    json_t *images;          /* owned: "node image" -> true once pulled */
    json_t *scaling;         /* owned: pool -> {count, until_ms} asked for and not there yet */
    json_t *told;            /* owned: pod -> what the autoscaler said last */
    json_t *lives;           /* owned: pod uid -> where it is in its life */
    json_t *heads, *heads_ms; /* owned: RayCluster -> its head's name in the chain, and since when */
    /* Names in the chain: KubeRay's pod, the last of Ray's, the job that asked for a GPU; owned. */
    char *operator_chain, *last_ray_pod, *gpu_asked_by;
    unsigned next_address;   /* of pods and Services */
};

struct ctl_work *ctl_work_of(const struct kube_cluster *c); /* NULL: none */

/* ---- Nodes and scheduling (ctl_node.c, ctl_sched.c) ---- */
/* The node an instance of the pool would be; owned. instance NULL: as the autoscaler imagines it. */
json_t *ctl_node_make(struct ctl_work *w, const json_t *cluster, const json_t *pool,
                      const json_t *instance);
void ctl_sched_look(struct kube_cluster *c, const char *ns, const char *name, void *arg);
/* What one more pod takes, as {cpu, memory, ...} in thousandths, pods included; owned. */
json_t *ctl_pod_requests(const json_t *pod);
bool ctl_pod_over(const json_t *pod); /* Succeeded or Failed */

/* ---- Pods (ctl_pod.c) ---- */
/* Creates a pod as a client would: quota, LimitRange, defaults, tolerations. NULL: *ret_why (owned)
 * says why the server refused; else its name, borrowed from the stored object. */
const char *ctl_pod_create(struct ctl_work *w, const char *manager, json_t *take_pod, char **ret_why);
void ctl_pod_look(struct kube_cluster *c, const char *ns, const char *name, void *arg);
bool ctl_pod_ready(const json_t *pod);
/* Admission of pods: fills in and counts; false: *ret_why. */
bool ctl_pod_admit(struct ctl_work *w, json_t *pod, char **ret_why);
/* What a pod takes of a quota's key, in thousandths; *ret_without: a container that does not say. */
int64_t ctl_quota_use(const json_t *pod, const char *key, const char **ret_without);
int64_t ctl_quota_used(struct ctl_work *w, const char *ns, const char *key);
char *ctl_quantity(const char *key, int64_t milli); /* owned */
/* Whether a network of the cluster reaches the internet. */
bool ctl_has_nat(struct ctl_work *w);
/* Whether the reference's registry has it; registries that are not played have everything. */
bool ctl_image_exists(struct emu *e, const char *image);

/* ---- Deployments and kin (ctl_apps.c), the rest (ctl_core.c) ---- */
void ctl_apps_look(struct kube_cluster *c, const char *ns, const char *name, void *arg);
void ctl_apps_told(struct ctl_work *w, const json_t *object);
void ctl_core_look(struct kube_cluster *c, const char *ns, const char *name, void *arg);
void ctl_core_told(struct ctl_work *w, enum kube_change change, const json_t *object);
void ctl_core_seed(struct ctl_work *w);
/* An address inside the pod range ("10.1.0.7") or the service range; owned. */
char *ctl_address(struct ctl_work *w, bool service);

/* ---- KubeRay (ctl_ray.c) ---- */
void ctl_ray_start(struct kube_cluster *c);
/* Whether the init container of a worker that waits for the head may end. */
bool ctl_ray_gcs_ready(struct kube_cluster *c, const json_t *pod);

#endif
