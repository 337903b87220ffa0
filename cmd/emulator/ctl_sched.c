/* The scheduler, and the cluster autoscaler that looks at what it could not place. */
#include "ctl_work.h"

#include "gke.h"

#include <stdlib.h>
#include <string.h>

enum { SCAN_MS = 10 * 1000, SCALE_WAIT_MS = 240 * 1000 };

bool ctl_pod_over(const json_t *pod)
{
    const char *phase = rd_json_path_str(pod, "status.phase");
    return rd_streq(phase, "Succeeded") || rd_streq(phase, "Failed");
}

static void add_requests(json_t *sum, const json_t *containers)
{
    size_t n;
    json_t *container, *quantity;
    const char *name;
    json_array_foreach ((json_t *)containers, n, container) {
        /* A limit without a request is the request; defaults were filled in at admission. */
        json_t *requests = json_deep_copy(rd_json_path(container, "resources.limits"));
        if (requests == NULL)
            requests = json_object();
        json_t *own = rd_json_path(container, "resources.requests");
        if (own != NULL)
            json_object_update(requests, own);
        json_object_foreach (requests, name, quantity)
            json_object_set_new(
                sum, name,
                json_integer(
                             json_integer_value(json_object_get(sum, name)) + ctl_milli(quantity)));
        json_decref(requests);
    }
}

json_t *ctl_pod_requests(const json_t *pod)
{
    json_t *sum = json_object();
    add_requests(sum, rd_json_path(pod, "spec.containers"));
    /* Each init container runs alone: the largest counts if it is more than the sum. */
    size_t n;
    json_t *init, *value;
    const char *name;
    json_array_foreach (rd_json_path(pod, "spec.initContainers"), n, init) {
        json_t *one = json_object();
        RD_AUTOJSON json_t *list = rd_json_pack("[O]", init);
        add_requests(one, list);
        json_object_foreach (one, name, value) {
            if (json_integer_value(value) > json_integer_value(json_object_get(sum, name)))
                json_object_set(sum, name, value);
        }
        json_decref(one);
    }
    json_object_set_new(sum, "pods", json_integer(1000));
    return sum;
}

/* ---- Fitting one pod on one node ---- */
static bool tolerates(const json_t *pod, const json_t *taint)
{
    size_t n;
    json_t *t;
    json_array_foreach (rd_json_path(pod, "spec.tolerations"), n, t) {
        const char *key = rd_json_str(t, "key", NULL), *op = rd_json_str(t, "operator", NULL);
        const char *effect = rd_json_str(t, "effect", NULL);
        bool key_hit = key == NULL || rd_streq(key, rd_json_str(taint, "key", NULL));
        bool value_hit = rd_streq(op, "Exists") || rd_streq(rd_json_str(t, "value", NULL),
                                                            rd_json_str(taint, "value", NULL));
        bool effect_hit =
            effect == NULL || *effect == '\0' || rd_streq(effect, rd_json_str(taint, "effect", NULL));
        if (key_hit && value_hit && effect_hit)
            return true;
    }
    return false;
}

static bool node_affinity(const json_t *pod, const json_t *labels)
{
    const json_t *terms = rd_json_path(pod, "spec.affinity.nodeAffinity."
                                            "requiredDuringSchedulingIgnoredDuringExecution."
                                            "nodeSelectorTerms");
    if (terms == NULL)
        return true;
    for (size_t n = 0; n < json_array_size(terms); n++) {
        if (ctl_selector_match(json_array_get(terms, n), labels))
            return true;
    }
    return false;
}

/* Required (anti-)affinity to other pods, by any topology label. */
static bool pod_affinity(struct ctl_work *w, const json_t *pod, const json_t *node, bool anti)
{
    const json_t *terms =
        rd_json_path(pod, anti ? "spec.affinity.podAntiAffinity."
                                 "requiredDuringSchedulingIgnoredDuringExecution"
                               : "spec.affinity.podAffinity."
                                 "requiredDuringSchedulingIgnoredDuringExecution");
    for (size_t n = 0; n < json_array_size(terms); n++) {
        const json_t *term = json_array_get(terms, n);
        const char *key = rd_json_str(term, "topologyKey", NULL);
        const char *here = rd_json_str(node, "metadata", "labels", key, NULL);
        RD_AUTOJSON json_t *others = kube_list(w->c, "pods", ctl_ns(pod), NULL);
        bool any = false, near = false;
        size_t k;
        json_t *other;
        json_array_foreach (others, k, other) {
            const char *at = rd_json_path_str(other, "spec.nodeName");
            if (rd_streq(ctl_name(other), ctl_name(pod)) || ctl_pod_over(other) || at == NULL ||
                !ctl_selector_match(json_object_get(term, "labelSelector"),
                                    rd_json_path(other, "metadata.labels")))
                continue;
            const json_t *there = kube_get(w->c, "nodes", NULL, at);
            any = true;
            near = near || (here != NULL &&
                            rd_streq(here, rd_json_str(there, "metadata", "labels", key, NULL)));
        }
        /* The first of a group that wants to be together may go anywhere. */
        bool self = ctl_selector_match(json_object_get(term, "labelSelector"),
                                       rd_json_path(pod, "metadata.labels"));
        if (anti ? near : !near && (any || !self))
            return false;
    }
    return true;
}

/* NULL: it fits; else what the scheduler says of such nodes. Owned. */
static char *misfit(struct ctl_work *w, const json_t *pod, const json_t *node, const json_t *used)
{
    const json_t *labels = rd_json_path(node, "metadata.labels");
    if (rd_json_path_bool(node, "spec.unschedulable", false))
        return rd_strdup("node(s) were unschedulable");
    size_t n;
    json_t *taint;
    json_array_foreach (rd_json_path(node, "spec.taints"), n, taint) {
        if (!rd_streq(rd_json_str(taint, "effect", NULL), "PreferNoSchedule") &&
            !tolerates(pod, taint))
            return rd_asprintf("node(s) had untolerated taint {%s: %s}",
                               rd_json_str(taint, "key", NULL), rd_json_str(taint, "value", NULL));
    }
    if (!ctl_labels_match(rd_json_path(pod, "spec.nodeSelector"), labels) ||
        !node_affinity(pod, labels))
        return rd_strdup("node(s) didn't match Pod's node affinity/selector");
    RD_AUTOJSON json_t *wants = ctl_pod_requests(pod);
    const char *name;
    json_t *value;
    json_object_foreach (wants, name, value) {
        int64_t have = ctl_milli(rd_json_get(node, "status", "allocatable", name, NULL));
        int64_t taken = json_integer_value(json_object_get(used, name));
        if (json_integer_value(value) > 0 && taken + json_integer_value(value) > have)
            return rd_asprintf("Insufficient %s", name);
    }
    if (!pod_affinity(w, pod, node, false))
        return rd_strdup("node(s) didn't match pod affinity rules");
    if (!pod_affinity(w, pod, node, true))
        return rd_strdup("node(s) didn't match pod anti-affinity rules");
    return NULL;
}

static void count_in(json_t *used, const json_t *pod)
{
    RD_AUTOJSON json_t *wants = ctl_pod_requests(pod);
    const char *name;
    json_t *value;
    json_object_foreach (wants, name, value)
        json_object_set_new(used, name,
                            json_integer(json_integer_value(json_object_get(used, name)) +
                                         json_integer_value(value)));
}

/* node name to what its pods take; owned. */
static json_t *usage(const json_t *pods)
{
    json_t *all = json_object();
    size_t n;
    json_t *pod;
    json_array_foreach ((json_t *)pods, n, pod) {
        const char *at = rd_json_path_str(pod, "spec.nodeName");
        if (at == NULL || ctl_pod_over(pod))
            continue;
        if (json_object_get(all, at) == NULL)
            json_object_set_new(all, at, json_object());
        count_in(json_object_get(all, at), pod);
    }
    return all;
}

/* A claim that the pod waits for; NULL: none. WaitForFirstConsumer claims do not hold it. */
static char *missing_claim(struct ctl_work *w, const json_t *pod)
{
    size_t n;
    json_t *volume;
    json_array_foreach (rd_json_path(pod, "spec.volumes"), n, volume) {
        const char *name = rd_json_path_str(volume, "persistentVolumeClaim.claimName");
        if (name == NULL)
            continue;
        const json_t *claim = kube_get(w->c, "persistentvolumeclaims", ctl_ns(pod), name);
        if (claim == NULL)
            return rd_asprintf("persistentvolumeclaim \"%s\" not found", name);
        const json_t *class =
            kube_get(w->c, "storageclasses.storage.k8s.io", NULL,
                     rd_json_path_str(claim, "spec.storageClassName"));
        bool late = rd_streq(rd_json_str(class, "volumeBindingMode", NULL), "WaitForFirstConsumer");
        if (!late && !rd_streq(rd_json_path_str(claim, "status.phase"), "Bound"))
            return rd_strdup("pod has unbound immediate PersistentVolumeClaims. not found");
    }
    return NULL;
}

static void say_unschedulable(struct ctl_work *w, const json_t *pod, const char *message)
{
    const json_t *had = rd_json_condition(pod, "PodScheduled");
    if (rd_streq(rd_json_str(had, "message", NULL), message))
        return;
    json_t *status = json_deep_copy(json_object_get(pod, "status"));
    if (status == NULL)
        status = rd_json_pack("{s:s}", "phase", "Pending");
    ctl_condition(status, "PodScheduled", "False", "Unschedulable", message);
    kube_event(w->c, "default-scheduler", pod, "Warning", "FailedScheduling", "%s", message);
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(pod));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(pod));
    kube_merge(w->c, "kube-scheduler", "pods", ns, name, rd_json_pack("{s:o}", "status", status));
}

/* Chosen by most free CPU, so that pods spread. */
static bool place(struct ctl_work *w, const json_t *pod, const json_t *nodes, json_t *used)
{
    const char *best = NULL;
    int64_t best_free = -1;
    json_t *reasons = json_object();
    size_t n;
    json_t *node;
    RD_AUTOFREE char *claim = missing_claim(w, pod);
    json_array_foreach ((json_t *)nodes, n, node) {
        const json_t *taken = json_object_get(used, ctl_name(node));
        char *why = claim != NULL ? rd_strdup(claim) : misfit(w, pod, node, taken);
        if (why != NULL) {
            json_object_set_new(
                reasons, why,
                json_integer(json_integer_value(json_object_get(reasons, why)) + 1));
            free(why);
            continue;
        }
        int64_t left = ctl_milli(rd_json_path(node, "status.allocatable.cpu")) -
                       json_integer_value(json_object_get(taken, "cpu"));
        if (left > best_free) {
            best_free = left;
            best = ctl_name(node);
        }
    }
    if (best == NULL) {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(4096);
        rd_buf_printf(&text, "0/%zu nodes are available: ", json_array_size(nodes));
        const char *why;
        json_t *count;
        bool first = true;
        json_object_foreach (reasons, why, count) {
            if (claim != NULL)
                rd_buf_puts(&text, why);
            else
                rd_buf_printf(&text, "%s%lld %s", first ? "" : ", ",
                              (long long)json_integer_value(count), why);
            first = false;
        }
        if (first)
            rd_buf_puts(&text, claim != NULL ? claim : "no nodes available to schedule pods");
        rd_buf_puts(&text, ". preemption: 0/0 nodes are available.");
        say_unschedulable(w, pod, rd_buf_str(&text));
    } else {
        if (json_object_get(used, best) == NULL)
            json_object_set_new(used, best, json_object());
        count_in(json_object_get(used, best), pod);
        json_t *status = json_deep_copy(json_object_get(pod, "status"));
        if (status == NULL)
            status = rd_json_pack("{s:s}", "phase", "Pending");
        ctl_condition(status, "PodScheduled", "True", NULL, NULL);
        kube_event(w->c, "default-scheduler", pod, "Normal", "Scheduled",
                   "Successfully assigned %s/%s to %s", ctl_ns(pod), ctl_name(pod), best);
        RD_AUTOFREE char *ns = rd_strdup(ctl_ns(pod));
        RD_AUTOFREE char *name = rd_strdup(ctl_name(pod));
        kube_merge(w->c, "kube-scheduler", "pods", ns, name,
                   rd_json_pack("{s:{s:s}, s:o}", "spec", "nodeName", best, "status", status));
    }
    json_decref(reasons);
    return best != NULL;
}

static void schedule(struct ctl_work *w)
{
    RD_AUTOJSON json_t *pods = kube_list(w->c, "pods", NULL, NULL);
    RD_AUTOJSON json_t *nodes = kube_list(w->c, "nodes", NULL, NULL);
    RD_AUTOJSON json_t *used = usage(pods);
    bool left = false;
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        if (rd_json_path_str(pod, "spec.nodeName") != NULL || ctl_deleting(pod) || ctl_pod_over(pod))
            continue;
        if (!place(w, pod, nodes, used))
            left = true;
    }
    if (left)
        ctl_queue_add(w->sched, "", "scale", SCAN_MS);
}

/* ---- Cluster autoscaler ---- */
static void tell_once(struct ctl_work *w, const json_t *pod, const char *type, const char *reason,
                      const char *text)
{
    if (rd_streq(rd_json_str(w->told, ctl_name(pod), NULL), text))
        return;
    json_object_set_new(w->told, ctl_name(pod), json_string(text));
    kube_event(w->c, "cluster-autoscaler", pod, type, reason, "%s", text);
}

static long nodes_of_pool(struct ctl_work *w, const char *pool)
{
    RD_AUTOJSON json_t *labels = rd_json_pack("{s:s}", "cloud.google.com/gke-nodepool", pool);
    RD_AUTOJSON json_t *nodes = kube_list(w->c, "nodes", NULL, labels);
    return (long)json_array_size(nodes);
}

/* How many fresh nodes of the template take the pods that fit one; those pods go into `taken`. */
static long nodes_needed(struct ctl_work *w, const json_t *node, const json_t *waiting, json_t *taken)
{
    json_t *bins = json_array();
    size_t n;
    json_t *pod;
    json_array_foreach ((json_t *)waiting, n, pod) {
        RD_AUTOJSON json_t *empty = json_object();
        RD_AUTOFREE char *why = misfit(w, pod, node, empty);
        if (why != NULL)
            continue;
        json_array_append(taken, pod);
        bool put = false;
        for (size_t k = 0; k < json_array_size(bins) && !put; k++) {
            RD_AUTOFREE char *full = misfit(w, pod, node, json_array_get(bins, k));
            if (full == NULL) {
                count_in(json_array_get(bins, k), pod);
                put = true;
            }
        }
        if (!put) {
            json_t *bin = json_object();
            count_in(bin, pod);
            json_array_append_new(bins, bin);
        }
    }
    long count = (long)json_array_size(bins);
    json_decref(bins);
    return count;
}

static bool still_scaling(struct ctl_work *w, const char *pool)
{
    const json_t *asked = json_object_get(w->scaling, pool);
    if (asked == NULL)
        return false;
    bool there = nodes_of_pool(w, pool) >= (long)rd_json_path_int(asked, "count", 0);
    bool over = (json_int_t)emu_clock_now(&w->e->clock) > rd_json_path_int(asked, "until_ms", 0);
    if (!there && !over)
        return true;
    json_object_del(w->scaling, pool);
    return false;
}

static void scale_pool(struct ctl_work *w, const json_t *cluster, const json_t *pool,
                       const json_t *waiting, json_t *told)
{
    const char *name = rd_json_str(pool, "name", NULL);
    RD_AUTOJSON json_t *node = ctl_node_make(w, cluster, pool, NULL);
    RD_AUTOJSON json_t *pods = json_array();
    long more = nodes_needed(w, node, waiting, pods);
    if (more == 0)
        return;
    long now = nodes_of_pool(w, name);
    const char *why = NULL;
    bool busy = still_scaling(w, name), scaled = false;
    long granted = 0;
    for (long ask = more; !busy && ask > 0 && !scaled; ask--) {
        scaled = emu_gke_scale(w->e, kube_cluster_name(w->c), name, now + ask, &why);
        granted = ask;
        if (!scaled && !rd_streq(why, "max node group size reached"))
            break;
    }
    if (scaled)
        json_object_set_new(
            w->scaling, name,
            rd_json_pack("{s:I, s:I}", "count", (json_int_t)(now + granted), "until_ms",
                         (json_int_t)emu_clock_now(&w->e->clock) + SCALE_WAIT_MS));
    json_t *zones = json_object_get(pool, "locations");
    const char *zone = json_string_value(json_array_get(zones, 0));
    const char *group = json_string_value(json_array_get(json_object_get(pool, "instanceGroupUrls"), 0));
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        RD_AUTOFREE char *text = NULL;
        json_object_set_new(told, ctl_name(pod), json_true());
        if (busy)
            continue;
        if (scaled) {
            text = rd_asprintf("pod triggered scale-up: [{%s %ld->%ld (max: %lld)}]",
                               group == NULL ? name : group, now, now + granted,
                               (long long)rd_json_path_int(pool, "autoscaling.totalMaxNodeCount", 0));
            tell_once(w, pod, "Normal", "TriggeredScaleUp", text);
        } else if (rd_streq(why, "quota exceeded") || rd_streq(why, "out of resources")) {
            text = rd_asprintf("Node scale up in zones %s associated with this pod failed: %s. Pod is "
                               "at risk of not being scheduled.",
                               zone, rd_streq(why, "quota exceeded") ? "GCE quota exceeded"
                                                                    : "GCE out of resources");
            tell_once(w, pod, "Warning", "FailedScaleUp", text);
        } else {
            text = rd_asprintf("pod didn't trigger scale-up: 1 %s", why == NULL ? "" : why);
            tell_once(w, pod, "Normal", "NotTriggerScaleUp", text);
        }
    }
}

static void scale(struct ctl_work *w)
{
    const json_t *now = emu_gke_cluster(w->e, kube_cluster_name(w->c));
    if (now == NULL)
        return;
    RD_AUTOJSON json_t *cluster = json_deep_copy(now);
    RD_AUTOJSON json_t *pods = kube_list(w->c, "pods", NULL, NULL);
    RD_AUTOJSON json_t *waiting = json_array();
    RD_AUTOJSON json_t *told = json_object();
    size_t n;
    json_t *pod, *pool;
    json_array_foreach (pods, n, pod) {
        RD_AUTOFREE char *claim = missing_claim(w, pod);
        const char *reason = rd_json_str(rd_json_condition(pod, "PodScheduled"), "reason", NULL);
        if (rd_json_path_str(pod, "spec.nodeName") == NULL && !ctl_deleting(pod) && claim == NULL &&
            rd_streq(reason, "Unschedulable"))
            json_array_append(waiting, pod);
    }
    if (json_array_size(waiting) == 0)
        return;
    json_array_foreach (json_object_get(cluster, "nodePools"), n, pool) {
        if (rd_json_path_bool(pool, "autoscaling.enabled", false) &&
            rd_streq(rd_json_str(pool, "status", NULL), "RUNNING"))
            scale_pool(w, cluster, pool, waiting, told);
    }
    json_array_foreach (waiting, n, pod) {
        if (json_object_get(told, ctl_name(pod)) == NULL)
            tell_once(w, pod, "Normal", "NotTriggerScaleUp",
                      "pod didn't trigger scale-up: no node group has nodes that it would fit on");
    }
    ctl_queue_add(w->sched, "", "scale", SCAN_MS);
}

void ctl_sched_look(struct kube_cluster *c, const char *ns, const char *name, void *arg)
{
    (void)c;
    (void)ns;
    if (rd_streq(name, "schedule"))
        schedule(arg);
    else
        scale(arg);
}
