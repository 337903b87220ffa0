/* The start of a cluster's controllers, and who is told of what. */
#include "ctl_work.h"

#include "ctl_ray.h"

#include <stdlib.h>
#include <string.h>

static const char work_key;

struct ctl_work *ctl_work_of(const struct kube_cluster *c)
{
    return kube_cluster_kept(c, &work_key);
}

static void drop_work(void *take)
{
    struct ctl_work *w = take;
    ctl_queue_free(w->pods);
    ctl_queue_free(w->apps);
    ctl_queue_free(w->core);
    ctl_queue_free(w->sched);
    ctl_queue_free(w->jobs);
    json_decref(w->dashes);
    json_decref(w->images);
    json_decref(w->scaling);
    json_decref(w->told);
    json_decref(w->lives);
    json_decref(w->heads);
    json_decref(w->heads_ms);
    free(w->operator_chain);
    free(w->last_ray_pod);
    free(w->gpu_asked_by);
    free(w);
}

static void told_pod(struct kube_cluster *c, enum kube_change change, const json_t *pod, void *arg)
{
    (void)c;
    struct ctl_work *w = arg;
    if (change != KUBE_DELETED) {
        ctl_queue_add(w->pods, ctl_ns(pod), ctl_name(pod), 0);
    } else {
        json_object_del(w->told, ctl_name(pod));
        json_object_del(w->lives, rd_json_path_str(pod, "metadata.uid"));
        json_object_del(w->dashes, rd_json_path_str(pod, "metadata.uid"));
    }
    if (change != KUBE_MODIFIED || rd_json_path_str(pod, "spec.nodeName") == NULL || ctl_pod_over(pod))
        ctl_queue_add(w->sched, "", "schedule", 20);
    ctl_apps_told(w, pod);
    ctl_core_told(w, change, pod);
}

static void told_node(struct kube_cluster *c, enum kube_change change, const json_t *node, void *arg)
{
    struct ctl_work *w = arg;
    ctl_queue_add(w->sched, "", "schedule", 20);
    if (change != KUBE_DELETED)
        return;
    /* Pods of a machine that is gone go with it. */
    RD_AUTOJSON json_t *pods = kube_list(c, "pods", NULL, NULL);
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        if (rd_streq(rd_json_path_str(pod, "spec.nodeName"), ctl_name(node)))
            ctl_queue_add(w->pods, ctl_ns(pod), ctl_name(pod), 0);
    }
}

static void told_app(struct kube_cluster *c, enum kube_change change, const json_t *o, void *arg)
{
    (void)c;
    struct ctl_work *w = arg;
    if (change == KUBE_DELETED) {
        ctl_apps_told(w, o);
        return;
    }
    RD_AUTOFREE char *key =
        rd_asprintf("%s/%s", rd_json_str(o, "kind", NULL), ctl_name(o));
    ctl_queue_add(w->apps, ctl_ns(o), key, 10);
    ctl_apps_told(w, o);
}

static void told_core(struct kube_cluster *c, enum kube_change change, const json_t *o, void *arg)
{
    (void)c;
    ctl_core_told(arg, change, o);
}

static void admit_pod(struct kube_cluster *c, const json_t *old, json_t *pod, bool dry_run,
                      struct kube_refusal *ret, void *arg)
{
    (void)c;
    (void)dry_run;
    RD_AUTOFREE char *why = NULL;
    if (old == NULL && pod != NULL && !ctl_pod_admit(arg, pod, &why))
        kube_refuse(ret, 403, "Forbidden", "%s", why);
}

void ctl_workload_start(struct kube_cluster *c)
{
    struct ctl_work *w = rd_calloc(1, sizeof(*w));
    *w = (struct ctl_work){.c = c,
                           .e = kube_cluster_emu(c),
                           .dashes = json_object(),
                           .images = json_object(),
                           .scaling = json_object(),
                           .told = json_object(),
                           .lives = json_object(),
                           .heads = json_object(),
                           .heads_ms = json_object()};
    w->pods = ctl_queue_new(c, ctl_pod_look, w);
    w->apps = ctl_queue_new(c, ctl_apps_look, w);
    w->core = ctl_queue_new(c, ctl_core_look, w);
    w->sched = ctl_queue_new(c, ctl_sched_look, w);
    w->jobs = ctl_queue_new(c, dash_look, w);
    kube_cluster_keep(c, &work_key, w, drop_work);
    ctl_core_seed(w);
    kube_admit(c, "pods", admit_pod, w);
    kube_subscribe(c, "pods", told_pod, w);
    kube_subscribe(c, "nodes", told_node, w);
    static const char *const apps[] = {"deployments.apps", "replicasets.apps", "statefulsets.apps",
                                       "daemonsets.apps", "jobs.batch"};
    for (size_t i = 0; i < RD_ARRAY_LEN(apps); i++)
        kube_subscribe(c, apps[i], told_app, w);
    static const char *const core[] = {"services", "persistentvolumeclaims", "persistentvolumes",
                                       "resourcequotas", "poddisruptionbudgets.policy"};
    for (size_t i = 0; i < RD_ARRAY_LEN(core); i++)
        kube_subscribe(c, core[i], told_core, w);
    ctl_ray_start(c);
}
