/* What the files of KubeRay's and Ray's behaviour share. */
#ifndef EMU_CTL_RAY_H
#define EMU_CTL_RAY_H

#include "ctl_work.h"

#define RAY_CLUSTERS "rayclusters.ray.io"
#define RAY_OPERATOR "kuberay-operator"
#define RAY_PORT 8265

/* ctl_ray_pods.c: pods and the head Service from a spec; owned. */
json_t *ray_head_pod(struct ctl_work *w, const json_t *cluster, const char *hash);
json_t *ray_worker_pod(struct ctl_work *w, const json_t *cluster, const json_t *group);
json_t *ray_head_service(const json_t *cluster);
char *ray_service_name(const json_t *cluster); /* owned */
/* What the Recreate strategy compares; out has room for 65. */
void ray_spec_hash(const json_t *cluster, char *out);
bool ray_auth_on(const json_t *cluster);
char *ray_token_secret(const json_t *cluster); /* owned */

/* ctl_ray_check.c: why KubeRay refuses a spec; owned, NULL: it takes it. *ret_reason: of the event. */
char *ray_refusal(const json_t *cluster, const char **ret_reason);

/* ctl_ray_status.c */
void ray_write_status(struct ctl_work *w, const json_t *cluster, const char *failure,
                      const char *failure_reason);
json_t *ray_pods(struct ctl_work *w, const json_t *cluster); /* owned array */
long ray_desired(const json_t *cluster);

/* ctl_dash.c: Ray's dashboard of one head pod. */
struct dash_answer {
    int status;
    char *body; /* owned */
    size_t len;
    const char *type;
};
/* One HTTP request as it came through the forward; head pod's namespace and name. */
void dash_serve(struct ctl_work *w, const json_t *pod, const struct emu_msg *m,
                struct dash_answer *ret);
void dash_answer_clear(struct dash_answer *a);
/* Queue function of ctl_work.jobs: keys are "HEAD-POD JOB". */
void dash_look(struct kube_cluster *c, const char *ns, const char *key, void *arg);

/* ctl_verify.c: what templates/job/verify.py prints on the cluster as it is; owned. */
char *verify_output(struct ctl_work *w, const json_t *head, const json_t *expect, bool *ret_ok);
/* The nodes of Ray: head first, as /nodes?view=summary shows them; owned array. */
json_t *ray_nodes(struct ctl_work *w, const json_t *head);

/* ctl_forward.c */
void ctl_forward_start(struct kube_cluster *c);

#endif
