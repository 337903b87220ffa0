/* Status of a RayCluster, with the traits of the real one: `ready` and Provisioned never go back. */
#include "ctl_ray.h"

#include <stdlib.h>
#include <string.h>

json_t *ray_pods(struct ctl_work *w, const json_t *cluster)
{
    RD_AUTOJSON json_t *labels = rd_json_pack("{s:s}", "ray.io/cluster", ctl_name(cluster));
    return kube_list(w->c, "pods", ctl_ns(cluster), labels);
}

static long sum(const json_t *cluster, const char *field, long otherwise)
{
    long all = 0;
    size_t n;
    json_t *group;
    json_array_foreach (rd_json_path(cluster, "spec.workerGroupSpecs"), n, group)
        all += (long)rd_json_path_int(group, field, otherwise) *
               (long)rd_json_path_int(group, "numOfHosts", 1);
    return all;
}

/* A group wants its replicas, kept between its bounds. */
long ray_desired(const json_t *cluster)
{
    long all = 0;
    size_t n;
    json_t *group;
    json_array_foreach (rd_json_path(cluster, "spec.workerGroupSpecs"), n, group) {
        long want = (long)rd_json_path_int(group, "replicas", 0);
        long min = (long)rd_json_path_int(group, "minReplicas", 0);
        long max = (long)rd_json_path_int(group, "maxReplicas", 2147483647);
        want = want < min ? min : want > max ? max : want;
        all += want * (long)rd_json_path_int(group, "numOfHosts", 1);
    }
    return all;
}

/* The first container that is not ready and says why. */
static const char *trouble(const json_t *pod, const char **ret_message)
{
    size_t n;
    json_t *s;
    json_array_foreach (rd_json_path(pod, "status.containerStatuses"), n, s) {
        const char *reason = rd_json_path_str(s, "state.waiting.reason");
        if (reason != NULL) {
            *ret_message = rd_json_path_str(s, "state.waiting.message");
            return reason;
        }
    }
    *ret_message = rd_json_str(rd_json_condition(pod, "PodScheduled"), "message", NULL);
    const char *reason = rd_json_str(rd_json_condition(pod, "PodScheduled"), "reason", NULL);
    return reason == NULL ? "ContainersNotReady" : reason;
}

static void add_resources(const json_t *template, long count, int64_t sums[3])
{
    static const char *const names[] = {"cpu", "memory", "nvidia.com/gpu"};
    size_t n;
    json_t *container;
    json_array_foreach (rd_json_path(template, "spec.containers"), n, container) {
        for (size_t k = 0; k < 3; k++) {
            const json_t *q = rd_json_get(container, "resources", "requests", names[k], NULL);
            q = q != NULL ? q : rd_json_get(container, "resources", "limits", names[k], NULL);
            sums[k] += ctl_milli(q) * count;
        }
    }
}

static void put_desired(const json_t *cluster, json_t *status)
{
    static const char *const fields[][2] = {{"desiredCPU", "cpu"},
                                            {"desiredMemory", "memory"},
                                            {"desiredGPU", "gpu"}};
    int64_t sums[3] = {0};
    add_resources(rd_json_path(cluster, "spec.headGroupSpec.template"), 1, sums);
    size_t n;
    json_t *group;
    json_array_foreach (rd_json_path(cluster, "spec.workerGroupSpecs"), n, group)
        add_resources(json_object_get(group, "template"),
                      (long)rd_json_path_int(group, "replicas", 0), sums);
    for (n = 0; n < RD_ARRAY_LEN(fields); n++) {
        RD_AUTOFREE char *text = ctl_quantity(fields[n][1], sums[n]);
        json_object_set_new(status, fields[n][0], json_string(text));
    }
    json_object_set_new(status, "desiredTPU", json_string("0"));
}

static void put_head(struct ctl_work *w, const json_t *cluster, const json_t *head, json_t *status)
{
    RD_AUTOFREE char *name = ray_service_name(cluster);
    const json_t *service = kube_get(w->c, "services", ctl_ns(cluster), name);
    const char *pod_ip = rd_json_path_str(head, "status.podIP");
    const char *ip = rd_json_path_str(service, "spec.clusterIP");
    json_t *info = rd_json_pack("{s:s}", "serviceName", name);
    if (head != NULL)
        json_object_set_new(info, "podName", json_string(ctl_name(head)));
    if (pod_ip != NULL)
        json_object_set_new(info, "podIP", json_string(pod_ip));
    if (ip != NULL && !rd_streq(ip, "None"))
        json_object_set_new(info, "serviceIP", json_string(ip));
    else if (pod_ip != NULL)
        json_object_set_new(info, "serviceIP", json_string(pod_ip));
    json_object_set_new(status, "head", info);
    json_t *endpoints = json_object();
    size_t n;
    json_t *p;
    json_array_foreach (rd_json_path(service, "spec.ports"), n, p)
        json_object_set_new(endpoints, rd_json_str(p, "name", NULL),
                            json_sprintf("%lld", (long long)rd_json_path_int(p, "port", 0)));
    json_object_set_new(status, "endpoints", endpoints);
}

void ray_write_status(struct ctl_work *w, const json_t *cluster, const char *failure,
                      const char *failure_reason)
{
    RD_AUTOJSON json_t *pods = ray_pods(w, cluster);
    json_t *status = json_deep_copy(json_object_get(cluster, "status"));
    status = status == NULL ? json_object() : status;
    const json_t *head = NULL;
    long available = 0, ready = 0, all_ready = 0, desired = ray_desired(cluster);
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        bool is_head =
            rd_streq(rd_json_str(pod, "metadata", "labels", "ray.io/node-type", NULL), "head");
        bool runs = rd_streq(rd_json_path_str(pod, "status.phase"), "Running");
        if (is_head)
            head = pod;
        else
            available += runs;
        if (!is_head && runs && ctl_condition_true(pod, "Ready"))
            ready++;
        all_ready += runs && ctl_condition_true(pod, "Ready");
    }
    json_object_set_new(status, "desiredWorkerReplicas", json_integer(desired));
    json_object_set_new(status, "minWorkerReplicas", json_integer(sum(cluster, "minReplicas", 0)));
    json_object_set_new(status, "maxWorkerReplicas",
                        json_integer(sum(cluster, "maxReplicas", 2147483647)));
    json_object_set_new(status, "availableWorkerReplicas", json_integer(available));
    json_object_set_new(status, "readyWorkerReplicas", json_integer(ready));
    put_desired(cluster, status);
    put_head(w, cluster, head, status);
    bool suspended = rd_json_path_bool(cluster, "spec.suspend", false);
    size_t count = json_array_size(pods);
    if (suspended && count == 0)
        json_object_set_new(status, "state", json_string("suspended"));
    else if (failure == NULL && count == (size_t)desired + 1 && (size_t)all_ready == count)
        json_object_set_new(status, "state", json_string("ready"));
    if (suspended)
        ctl_condition(status, "RayClusterSuspended", count == 0 ? "True" : "False", "RayClusterSuspended",
                      NULL);
    if (head == NULL) {
        ctl_condition(status, "HeadPodReady", "False", "HeadPodNotFound", "Head Pod not found");
    } else if (ctl_condition_true(head, "Ready")) {
        ctl_condition(status, "HeadPodReady", "True", "HeadPodRunningAndReady", "");
    } else {
        const char *message = NULL;
        const char *reason = trouble(head, &message);
        ctl_condition(status, "HeadPodReady", "False", reason, message == NULL ? "" : message);
    }
    bool provisioned = ctl_condition_true(cluster, "RayClusterProvisioned");
    if (!provisioned && count > 0 && (size_t)all_ready == count)
        ctl_condition(status, "RayClusterProvisioned", "True", "AllPodRunningAndReadyFirstTime",
                      "All Ray Pods are ready for the first time");
    else if (!provisioned)
        ctl_condition(status, "RayClusterProvisioned", "False", "RayClusterPodsProvisioning",
                      "RayCluster Pods are being provisioned for first time");
    json_t *conditions = json_object_get(status, "conditions");
    for (n = json_array_size(conditions); n-- > 0;) {
        if (rd_streq(rd_json_str(json_array_get(conditions, n), "type", NULL), "ReplicaFailure"))
            json_array_remove(conditions, n);
    }
    if (failure != NULL)
        ctl_condition(status, "ReplicaFailure", "True", failure_reason, failure);
    /* A write is left out when only this and the date would change. */
    RD_AUTOJSON json_t *old = json_deep_copy(json_object_get(cluster, "status"));
    json_object_del(old, "observedGeneration");
    json_object_del(old, "lastUpdateTime");
    RD_AUTOJSON json_t *bare = json_deep_copy(status);
    json_object_del(bare, "observedGeneration");
    json_object_del(bare, "lastUpdateTime");
    if (old != NULL && json_equal(old, bare)) {
        json_decref(status);
        return;
    }
    const char *state = rd_json_str(status, "state", NULL);
    if (state != NULL && rd_json_get(status, "stateTransitionTimes", state, NULL) == NULL) {
        json_t *times = json_object_get(status, "stateTransitionTimes");
        if (times == NULL) {
            times = json_object();
            json_object_set_new(status, "stateTransitionTimes", times);
        }
        json_object_set_new(times, state, json_string(ctl_now()));
    }
    json_object_set_new(status, "observedGeneration",
                        json_integer(rd_json_path_int(cluster, "metadata.generation", 1)));
    json_object_set_new(status, "lastUpdateTime", json_string(ctl_now()));
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(cluster));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(cluster));
    kube_merge(w->c, RAY_OPERATOR, RAY_CLUSTERS, ns, name, rd_json_pack("{s:o}", "status", status));
}
