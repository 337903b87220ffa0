/* The kubelets: what a pod goes through on its node, container by container. */
#include "ctl_work.h"

#include "chain.h"
#include "gke.h"
#include "setting.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOUNT_MS = 500,
    INIT_MS = 1000,
    GCS_POLL_MS = 5000,
    END_MS = 2000, /* processes that end on SIGTERM */
    JOB_MS = 3000,
    CONFIG_RETRY_MS = 2000,
    PULL_BACKOFF_MS = 10 * 1000,
    PULL_BACKOFF_MAX_MS = 300 * 1000,
};

/* ---- Images ---- */
static bool from_outside(const char *image)
{
    const char *slash = strchr(image, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - image);
    RD_AUTOFREE char *host = rd_strndup(image, len);
    bool is_host = strchr(host, '.') != NULL || strchr(host, ':') != NULL;
    return !is_host || !(rd_ends_with(host, "gcr.io") || rd_ends_with(host, "pkg.dev") ||
                         rd_ends_with(host, "registry.k8s.io"));
}

static uint64_t pull_ms(const char *image)
{
    if (strstr(image, "/ray") != NULL && strstr(image, "-gpu") != NULL)
        return 120 * 1000;
    if (strstr(image, "/ray:") != NULL || strstr(image, "/ray@") != NULL)
        return 60 * 1000;
    return strstr(image, "prometheus") != NULL || strstr(image, "grafana") != NULL ? 12 * 1000 : 5000;
}

bool ctl_has_nat(struct ctl_work *w)
{
    const json_t *cluster = emu_gke_cluster(w->e, kube_cluster_name(w->c));
    const char *network = rd_json_path_str(cluster, "networkConfig.network");
    /* Nodes with addresses of their own need none. */
    if (!rd_json_path_bool(cluster, "privateClusterConfig.enablePrivateNodes", false) &&
        !rd_json_path_bool(cluster, "networkConfig.defaultEnablePrivateNodes", false))
        return true;
    const char *name;
    json_t *router;
    json_object_foreach (emu_store_all(&w->e->store, "compute.routers"), name, router) {
        const char *link = rd_json_str(router, "network", NULL);
        if (network != NULL && link != NULL && rd_ends_with(link, network) &&
            json_array_size(json_object_get(router, "nats")) > 0)
            return true;
    }
    return false;
}

/* Why the image cannot be had; owned, NULL: it can. */
static char *pull_failure(struct ctl_work *w, const char *image)
{
    if (from_outside(image) && !ctl_has_nat(w)) {
        RD_AUTOFREE char *host = rd_strndup(image, strcspn(image, "/"));
        return rd_asprintf("failed to pull and unpack image \"%s\": failed to resolve reference "
                           "\"%s\": failed to do request: Head \"https://%s/v2/\": dial tcp: i/o "
                           "timeout",
                           image, image, strchr(host, '.') != NULL ? host : "registry-1.docker.io");
    }
    if (!ctl_image_exists(w->e, image))
        return rd_asprintf("failed to pull and unpack image \"%s\": failed to resolve reference "
                           "\"%s\": %s: not found",
                           image, image, image);
    return NULL;
}

/* ---- Creating ---- */
static void fill_default(json_t *spec, const char *key, json_t *take_value)
{
    if (json_object_get(spec, key) == NULL)
        json_object_set(spec, key, take_value);
    json_decref(take_value);
}

const char *ctl_pod_create(struct ctl_work *w, const char *manager, json_t *pod, char **ret_why)
{
    json_t *spec = json_object_get(pod, "spec");
    fill_default(spec, "restartPolicy", json_string("Always"));
    fill_default(spec, "terminationGracePeriodSeconds", json_integer(30));
    fill_default(spec, "dnsPolicy", json_string("ClusterFirst"));
    fill_default(spec, "schedulerName", json_string("default-scheduler"));
    fill_default(spec, "securityContext", json_object());
    if (!ctl_pod_admit(w, pod, ret_why)) {
        json_decref(pod);
        return NULL;
    }
    json_t *status = rd_json_pack("{s:s, s:s}", "phase", "Pending", "qosClass", "Burstable");
    if (json_object_get(spec, "nodeName") != NULL)
        ctl_condition(status, "PodScheduled", "True", NULL, NULL);
    json_object_set_new(pod, "status", status);
    return ctl_name(kube_put(w->c, manager, pod));
}

bool ctl_pod_ready(const json_t *pod)
{
    return ctl_condition_true(pod, "Ready") && !ctl_deleting(pod);
}

/* ---- A pod's life ---- */
/* Notes of one pod: {i, stage, due, tries, pulling, made, sched, pulled, end}. */
static json_t *life_of(struct ctl_work *w, const json_t *pod)
{
    const char *uid = rd_json_path_str(pod, "metadata.uid");
    json_t *life = json_object_get(w->lives, uid);
    if (life == NULL) {
        life = rd_json_pack("{s:i}", "i", 0);
        json_object_set_new(w->lives, uid, life);
    }
    return life;
}

static json_int_t now_ms(const struct ctl_work *w)
{
    return (json_int_t)emu_clock_now(&w->e->clock);
}

static void later(struct ctl_work *w, const json_t *pod, json_t *life, uint64_t ms)
{
    json_object_set_new(life, "due", json_integer(now_ms(w) + (json_int_t)ms));
    ctl_queue_add(w->pods, ctl_ns(pod), ctl_name(pod), ms);
}

static void stage(json_t *life, const char *name)
{
    json_object_set_new(life, "stage", json_string(name));
}

static size_t init_count(const json_t *pod)
{
    return json_array_size(rd_json_path(pod, "spec.initContainers"));
}

static json_t *container_status(struct ctl_work *w, const json_t *container, json_t *take_state,
                                bool ready)
{
    bool running = json_object_get(take_state, "running") != NULL;
    json_t *s = rd_json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:i, s:o}", "name", rd_json_str(container, "name", NULL), "image",
        rd_json_str(container, "image", NULL), "imageID", running || ready ? "sha256:0" : "", "ready",
        ready, "started", running, "restartCount", 0, "state", take_state);
    (void)w;
    return s;
}

static json_t *waiting(const char *reason, const char *message)
{
    json_t *state = rd_json_pack("{s:{s:s}}", "waiting", "reason", reason);
    if (message != NULL)
        rd_json_path_set(state, "waiting.message", json_string(message));
    return state;
}

/* Writes the whole status from where the pod is: `i` init containers are over, the next group is in
 * `reason` (NULL: running), main containers are ready or not, or ended. */
static void show(struct ctl_work *w, const json_t *pod, json_t *life, const char *reason,
                 const char *message, const char *culprit)
{
    size_t at = (size_t)rd_json_path_int(life, "i", 0), inits = init_count(pod), n;
    const char *st = rd_json_str(life, "stage", NULL);
    bool ready = rd_streq(st, "ready"), over = rd_streq(st, "over");
    json_t *container;
    json_t *status = json_deep_copy(json_object_get(pod, "status"));
    json_t *init_list = json_array(), *main_list = json_array();
    const char *now = ctl_now();
    json_array_foreach (rd_json_path(pod, "spec.initContainers"), n, container) {
        json_t *state =
            n < at   ? rd_json_pack("{s:{s:i, s:s, s:s}}", "terminated", "exitCode", 0, "reason",
                                    "Completed", "finishedAt", now)
            : n > at ? waiting("PodInitializing", NULL)
            : reason != NULL ? waiting(reason, message)
                             : rd_json_pack("{s:{s:s}}", "running", "startedAt", now);
        json_array_append_new(init_list, container_status(w, container, state, n < at));
    }
    json_array_foreach (rd_json_path(pod, "spec.containers"), n, container) {
        const char *name = rd_json_str(container, "name", NULL);
        bool blamed = culprit == NULL || rd_streq(culprit, name);
        json_t *state =
            at < inits ? waiting("PodInitializing", NULL)
            : over     ? rd_json_pack("{s:{s:i, s:s, s:s}}", "terminated", "exitCode", 0, "reason",
                                      "Completed", "finishedAt", now)
            : reason != NULL
                ? waiting(blamed ? reason : "ContainerCreating", blamed ? message : NULL)
                : rd_json_pack("{s:{s:s}}", "running", "startedAt", now);
        json_array_append_new(main_list, container_status(w, container, state, ready));
    }
    if (inits > 0)
        json_object_set(status, "initContainerStatuses", init_list);
    json_object_set(status, "containerStatuses", main_list);
    json_decref(init_list);
    json_decref(main_list);
    bool running = at >= inits && reason == NULL;
    json_object_set_new(status, "phase",
                        json_string(over ? "Succeeded" : running ? "Running" : "Pending"));
    ctl_condition(status, "Initialized", at >= inits ? "True" : "False",
                  at >= inits ? NULL : "ContainersNotInitialized", NULL);
    const char *why = ready ? NULL : over ? "PodCompleted" : "ContainersNotReady";
    ctl_condition(status, "ContainersReady", ready ? "True" : "False", why, NULL);
    ctl_condition(status, "Ready", ready ? "True" : "False", why, NULL);
    ctl_condition(status, "PodScheduled", "True", NULL, NULL);
    const char *node = rd_json_path_str(pod, "spec.nodeName");
    const json_t *host = kube_get(w->c, "nodes", NULL, node);
    const char *ip =
        rd_json_str(json_array_get(rd_json_path(host, "status.addresses"), 0), "address", NULL);
    if (ip != NULL)
        json_object_set_new(status, "hostIP", json_string(ip));
    if (json_object_get(status, "startTime") == NULL)
        json_object_set_new(status, "startTime", json_string(now));
    bool has_net = at > 0 || reason == NULL;
    if (has_net && json_object_get(status, "podIP") == NULL) {
        RD_AUTOFREE char *address = ctl_address(w, false);
        json_object_set_new(status, "podIP", json_string(address));
        json_object_set_new(status, "podIPs", rd_json_pack("[{s:s}]", "ip", address));
    }
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(pod));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(pod));
    kube_merge(w->c, "kubelet", "pods", ns, name, rd_json_pack("{s:o}", "status", status));
}

/* A Secret or ConfigMap that a container's environment names and that is not there; owned. */
static char *missing_source(struct ctl_work *w, const json_t *pod, const json_t *container)
{
    size_t n;
    json_t *env;
    json_array_foreach (json_object_get(container, "env"), n, env) {
        static const char *const kinds[][3] = {{"valueFrom.secretKeyRef", "secrets", "secret"},
                                               {"valueFrom.configMapKeyRef", "configmaps",
                                                "configmap"}};
        for (size_t k = 0; k < RD_ARRAY_LEN(kinds); k++) {
            const json_t *ref = rd_json_path(env, kinds[k][0]);
            const char *name = rd_json_str(ref, "name", NULL);
            if (name != NULL && !rd_json_path_bool(ref, "optional", false) &&
                kube_get(w->c, kinds[k][1], ctl_ns(pod), name) == NULL)
                return rd_asprintf("%s \"%s\" not found", kinds[k][2], name);
        }
    }
    return NULL;
}

/* The containers of the step the pod is at; owned. */
static json_t *group_of(const json_t *pod, const json_t *life)
{
    size_t at = (size_t)rd_json_path_int(life, "i", 0);
    if (at < init_count(pod))
        return rd_json_pack("[O]", json_array_get(rd_json_path(pod, "spec.initContainers"), at));
    return json_incref(rd_json_path(pod, "spec.containers"));
}

static void chain_name(const struct ctl_work *w, const json_t *pod, const char *tail, char **ret)
{
    *ret = rd_asprintf("%s/pods/%s/%s%s", kube_cluster_name(w->c), ctl_ns(pod), ctl_name(pod), tail);
}

/* What the images could not come before: the pool, the way out, the operator, the share. */
static void chain_pulled(struct ctl_work *w, const json_t *pod, const json_t *life)
{
    struct rd_strv needs = {0};
    const json_t *node = kube_get(w->c, "nodes", NULL, rd_json_path_str(pod, "spec.nodeName"));
    rd_strv_take(&needs, rd_asprintf("%s/nodePools/%s", kube_cluster_name(w->c),
                                     rd_json_str(node, "metadata", "labels",
                                                 "cloud.google.com/gke-nodepool", NULL)));
    rd_strv_add(&needs, kube_cluster_name(w->c));
    const char *without = NULL;
    if (w->gpu_asked_by != NULL && ctl_quota_use(pod, "limits.nvidia.com/gpu", &without) > 0)
        rd_strv_add(&needs, w->gpu_asked_by);
    const json_t *cluster = emu_gke_cluster(w->e, kube_cluster_name(w->c));
    const char *network = rd_json_path_str(cluster, "networkConfig.network");
    const char *name;
    json_t *o;
    json_object_foreach (emu_store_all(&w->e->store, "compute.routers"), name, o) {
        const char *link = rd_json_str(o, "network", NULL);
        if (network != NULL && link != NULL && rd_ends_with(link, network))
            rd_strv_add(&needs, name);
    }
    if (rd_json_str(pod, "metadata", "labels", "ray.io/cluster", NULL) != NULL) {
        if (w->operator_chain != NULL)
            rd_strv_add(&needs, w->operator_chain);
        json_object_foreach (emu_store_all(&w->e->store, "file.instances"), name, o) {
            if (rd_streq(rd_json_str(o, "_network", NULL), network))
                rd_strv_add(&needs, name);
        }
    }
    RD_AUTOFREE char *entry = NULL;
    chain_name(w, pod, "/images", &entry);
    /* Ray's pods bring nodes about; others just wait for some. */
    bool ray = rd_json_str(pod, "metadata", "labels", "ray.io/cluster", NULL) != NULL;
    json_int_t from = rd_json_path_int(life, ray ? "made" : "sched", now_ms(w));
    emu_chain_add(w->e, entry, (uint64_t)(now_ms(w) - from), (const char *const *)needs.v);
    rd_strv_clear(&needs);
}

static void chain_ready(struct ctl_work *w, const json_t *pod, const json_t *life)
{
    RD_AUTOFREE char *images = NULL;
    RD_AUTOFREE char *entry = NULL;
    chain_name(w, pod, "/images", &images);
    chain_name(w, pod, "", &entry);
    json_int_t from = rd_json_path_int(life, "pulled", now_ms(w));
    const char *ray = rd_json_str(pod, "metadata", "labels", "ray.io/cluster", NULL);
    bool worker = rd_streq(rd_json_str(pod, "metadata", "labels", "ray.io/node-type", NULL), "worker");
    const char *head = NULL;
    if (worker) {
        head = json_string_value(json_object_get(w->heads, ray));
        json_int_t head_ms = rd_json_path_int(w->heads_ms, ray, 0);
        from = head_ms > from ? head_ms : from;
    } else if (ray != NULL) {
        json_object_set_new(w->heads, ray, json_string(entry));
        json_object_set_new(w->heads_ms, ray, json_integer(now_ms(w)));
    }
    const char *needs[] = {images, head, NULL};
    emu_chain_add(w->e, entry, (uint64_t)(now_ms(w) - from), needs);
    if (ray != NULL)
        rd_str_dup(&w->last_ray_pod, entry);
    if (rd_streq(rd_json_str(pod, "metadata", "labels", "app.kubernetes.io/name", NULL),
                 "kuberay-operator"))
        rd_str_dup(&w->operator_chain, entry);
}

/* true: all of the group's images are on the node. */
static bool pull(struct ctl_work *w, const json_t *pod, json_t *life, const json_t *group)
{
    const char *node = rd_json_path_str(pod, "spec.nodeName");
    size_t n;
    json_t *container;
    json_array_foreach ((json_t *)group, n, container) {
        const char *image = rd_json_str(container, "image", NULL);
        const char *name = rd_json_str(container, "name", NULL);
        RD_AUTOFREE char *key = rd_asprintf("%s %s", node, image);
        if (json_object_get(w->images, key) != NULL)
            continue;
        if (rd_streq(rd_json_str(life, "pulling", NULL), image)) {
            json_object_set_new(w->images, key, json_true());
            json_object_del(life, "pulling");
            kube_event(w->c, "kubelet", pod, "Normal", "Pulled",
                       "Successfully pulled image \"%s\"", image);
            continue;
        }
        RD_AUTOFREE char *why = pull_failure(w, image);
        if (why == NULL) {
            json_object_set_new(life, "pulling", json_string(image));
            json_object_set_new(life, "tries", json_integer(0));
            kube_event(w->c, "kubelet", pod, "Normal", "Pulling", "Pulling image \"%s\"", image);
            later(w, pod, life, emu_jitter(w->e, pull_ms(image), 15));
            return false;
        }
        json_int_t tries = rd_json_path_int(life, "tries", 0);
        uint64_t back = (uint64_t)PULL_BACKOFF_MS << (tries < 5 ? tries : 5);
        json_object_set_new(life, "tries", json_integer(tries + 1));
        kube_event(w->c, "kubelet", pod, "Warning", "Failed", "Failed to pull image \"%s\": %s", image,
                   why);
        RD_AUTOFREE char *back_off = rd_asprintf("Back-off pulling image \"%s\": ErrImagePull: %s",
                                                 image, why);
        if (tries == 0)
            show(w, pod, life, "ErrImagePull", why, name);
        else
            show(w, pod, life, "ImagePullBackOff", back_off, name);
        pod = kube_get(w->c, "pods", ctl_ns(pod), ctl_name(pod));
        if (pod != NULL)
            later(w, pod, life, tries == 0 ? 2000 : back < PULL_BACKOFF_MAX_MS ? back : PULL_BACKOFF_MAX_MS);
        return false;
    }
    return true;
}

static uint64_t ready_after(struct ctl_work *w, const json_t *pod)
{
    uint64_t most = 500;
    size_t n;
    json_t *container;
    json_array_foreach (rd_json_path(pod, "spec.containers"), n, container) {
        const json_t *probe = json_object_get(container, "readinessProbe");
        if (probe == NULL)
            continue;
        uint64_t first = (uint64_t)rd_json_path_int(probe, "initialDelaySeconds", 0) * 1000;
        uint64_t period = (uint64_t)rd_json_path_int(probe, "periodSeconds", 10) * 1000;
        uint64_t ms = (first < 1000 ? 1000 : first) + emu_rand(w->e) % (period + 1);
        most = ms > most ? ms : most;
    }
    return most;
}

static void begin_group(struct ctl_work *w, const json_t *pod, json_t *life, const json_t *group)
{
    bool init = (size_t)rd_json_path_int(life, "i", 0) < init_count(pod);
    size_t n;
    json_t *container;
    json_array_foreach ((json_t *)group, n, container) {
        RD_AUTOFREE char *missing = missing_source(w, pod, container);
        if (missing == NULL)
            continue;
        show(w, pod, life, "CreateContainerConfigError", missing,
             rd_json_str(container, "name", NULL));
        later(w, pod, life, CONFIG_RETRY_MS);
        return;
    }
    json_array_foreach ((json_t *)group, n, container)
        kube_event(w->c, "kubelet", pod, "Normal", "Started", "Started container %s",
                   rd_json_str(container, "name", NULL));
    if (json_object_get(life, "pulled") == NULL) {
        chain_pulled(w, pod, life);
        json_object_set_new(life, "pulled", json_integer(now_ms(w)));
    }
    stage(life, "run");
    bool job = ctl_owner(pod, "Job") != NULL;
    show(w, pod, life, NULL, NULL, NULL);
    later(w, pod, life, init ? INIT_MS : job ? JOB_MS : ready_after(w, pod));
}

static void end_run(struct ctl_work *w, const json_t *pod, json_t *life, const json_t *group)
{
    size_t at = (size_t)rd_json_path_int(life, "i", 0);
    const char *name = rd_json_str(json_array_get(group, 0), "name", NULL);
    if (at < init_count(pod)) {
        if (rd_streq(name, "wait-gcs-ready") && !ctl_ray_gcs_ready(w->c, pod)) {
            later(w, pod, life, GCS_POLL_MS);
            return;
        }
        json_object_set_new(life, "i", json_integer((json_int_t)at + 1));
        stage(life, "pull");
        show(w, pod, life, "PodInitializing", NULL, NULL);
        later(w, pod, life, 0);
        return;
    }
    bool job = ctl_owner(pod, "Job") != NULL;
    stage(life, job ? "over" : "ready");
    if (!job)
        chain_ready(w, pod, life);
    show(w, pod, life, NULL, NULL, NULL);
}

static void go_away(struct ctl_work *w, const json_t *pod, json_t *life)
{
    json_int_t grace = rd_json_path_int(pod, "metadata.deletionGracePeriodSeconds", 30);
    if (json_object_get(life, "end") == NULL) {
        uint64_t ms = (uint64_t)grace * 1000 < END_MS ? (uint64_t)grace * 1000 : END_MS;
        kube_event(w->c, "kubelet", pod, "Normal", "Killing", "Stopping container %s",
                   rd_json_str(json_array_get(rd_json_path(pod, "spec.containers"), 0), "name", NULL));
        json_object_set_new(life, "end", json_integer(now_ms(w) + (json_int_t)ms));
        ctl_queue_add(w->pods, ctl_ns(pod), ctl_name(pod), ms);
    } else if (now_ms(w) >= rd_json_path_int(life, "end", 0)) {
        RD_AUTOFREE char *ns = rd_strdup(ctl_ns(pod));
        RD_AUTOFREE char *name = rd_strdup(ctl_name(pod));
        kube_delete(w->c, "pods", ns, name);
    }
}

void ctl_pod_look(struct kube_cluster *c, const char *ns, const char *name, void *arg)
{
    struct ctl_work *w = arg;
    const json_t *found = kube_get(c, "pods", ns, name);
    if (found == NULL)
        return;
    RD_AUTOJSON json_t *pod = json_incref((json_t *)found);
    const char *node = rd_json_path_str(pod, "spec.nodeName");
    json_t *life = life_of(w, pod);
    if (json_object_get(life, "made") == NULL)
        json_object_set_new(life, "made", json_integer(now_ms(w)));
    if (node == NULL)
        return;
    if (kube_get(c, "nodes", NULL, node) == NULL) { /* the machine is gone, and the pod with it */
        kube_delete(c, "pods", ns, name);
        if (kube_get(c, "pods", ns, name) != NULL)
            kube_delete(c, "pods", ns, name);
        return;
    }
    if (ctl_deleting(pod)) {
        go_away(w, pod, life);
        return;
    }
    const char *st = rd_json_str(life, "stage", NULL);
    if (ctl_pod_over(pod) || rd_streq(st, "ready"))
        return;
    if (st == NULL) {
        stage(life, "pull");
        json_object_set_new(life, "sched", json_integer(now_ms(w)));
        show(w, pod, life, init_count(pod) > 0 ? "PodInitializing" : "ContainerCreating", NULL, NULL);
        later(w, pod, life, emu_jitter(w->e, MOUNT_MS, 40));
        return;
    }
    json_int_t left = rd_json_path_int(life, "due", 0) - now_ms(w);
    if (left > 0) {
        ctl_queue_add(w->pods, ns, name, (uint64_t)left);
        return;
    }
    RD_AUTOJSON json_t *group = group_of(pod, life);
    if (rd_streq(st, "run"))
        end_run(w, pod, life, group);
    else if (pull(w, pod, life, group))
        begin_group(w, pod, life, group);
}
