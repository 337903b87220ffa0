/* Deployments, ReplicaSets, StatefulSets, DaemonSets and Jobs: which pods there should be. */
#include "ctl_work.h"

#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 5000 };

/* ---- Pods of an owner ---- */
static json_t *pods_of(struct ctl_work *w, const json_t *owner)
{
    RD_AUTOJSON json_t *all = kube_list(w->c, "pods", ctl_ns(owner), NULL);
    json_t *mine = json_array();
    size_t n;
    json_t *pod;
    json_array_foreach (all, n, pod) {
        if (rd_streq(ctl_owner(pod, rd_json_str(owner, "kind", NULL)), ctl_name(owner)))
            json_array_append(mine, pod);
    }
    return mine;
}

static json_t *pod_from(const json_t *owner, const json_t *template, const char *name)
{
    json_t *pod = ctl_object("v1", "Pod", ctl_ns(owner), name);
    json_t *meta = json_object_get(pod, "metadata");
    static const char *const kept[] = {"labels", "annotations"};
    for (size_t n = 0; n < RD_ARRAY_LEN(kept); n++) {
        json_t *map = rd_json_get(template, "metadata", kept[n], NULL);
        if (map != NULL)
            json_object_set_new(meta, kept[n], json_deep_copy(map));
    }
    json_object_set_new(meta, "ownerReferences", rd_json_pack("[o]", kube_owner_ref(owner)));
    json_object_set_new(pod, "spec", json_deep_copy(json_object_get(template, "spec")));
    return pod;
}

/* Creates one more; false: it was refused and the owner's event says so. */
static bool add_pod(struct ctl_work *w, const json_t *owner, json_t *take_pod, const char *component,
                    char **ret_why)
{
    RD_AUTOFREE char *name = rd_strdup(ctl_name(take_pod));
    if (ctl_pod_create(w, component, take_pod, ret_why) != NULL) {
        kube_event(w->c, component, owner, "Normal", "SuccessfulCreate", "Created pod: %s", name);
        return true;
    }
    kube_event(w->c, component, owner, "Warning", "FailedCreate", "Error creating: %s", *ret_why);
    return false;
}

struct count {
    long all, ready, live;
};

static struct count count_pods(const json_t *pods)
{
    struct count k = {0};
    size_t n;
    json_t *pod;
    json_array_foreach ((json_t *)pods, n, pod) {
        k.all++;
        if (ctl_deleting(pod) || ctl_pod_over(pod))
            continue;
        k.live++;
        k.ready += ctl_pod_ready(pod);
    }
    return k;
}

static void put_status(struct ctl_work *w, const char *manager, const char *resource,
                       const json_t *object, json_t *take_status)
{
    json_object_set_new(take_status, "observedGeneration",
                        json_integer(rd_json_path_int(object, "metadata.generation", 1)));
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(object));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(object));
    kube_merge(w->c, manager, resource, ns, name, rd_json_pack("{s:o}", "status", take_status));
}

static json_t *status_of(const json_t *object)
{
    json_t *status = json_deep_copy(json_object_get(object, "status"));
    return status == NULL ? json_object() : status;
}

static void set_count(json_t *status, const char *key, long value)
{
    json_object_set_new(status, key, json_integer(value));
}

/* ---- ReplicaSets ---- */
static void delete_some(struct ctl_work *w, const json_t *owner, const json_t *pods, long excess)
{
    /* Those that are not ready go first. */
    for (int pass = 0; pass < 2; pass++) {
        size_t n;
        json_t *pod;
        json_array_foreach ((json_t *)pods, n, pod) {
            if (excess <= 0 || ctl_deleting(pod) || ctl_pod_over(pod) ||
                ctl_pod_ready(pod) != (pass == 1))
                continue;
            kube_event(w->c, "replicaset-controller", owner, "Normal", "SuccessfulDelete",
                       "Deleted pod: %s", ctl_name(pod));
            kube_delete(w->c, "pods", ctl_ns(pod), ctl_name(pod));
            excess--;
        }
    }
}

static void look_replicaset(struct ctl_work *w, const json_t *rs)
{
    RD_AUTOJSON json_t *pods = pods_of(w, rs);
    struct count k = count_pods(pods);
    long want = (long)rd_json_path_int(rs, "spec.replicas", 1);
    RD_AUTOFREE char *why = NULL;
    for (long n = k.live; n < want && why == NULL; n++) {
        char suffix[6];
        ctl_suffix(w->e, suffix);
        RD_AUTOFREE char *name = rd_asprintf("%s-%s", ctl_name(rs), suffix);
        add_pod(w, rs, pod_from(rs, rd_json_path(rs, "spec.template"), name),
                "replicaset-controller", &why);
    }
    delete_some(w, rs, pods, k.live - want);
    json_t *status = status_of(rs);
    json_object_del(status, "conditions");
    if (why != NULL) {
        ctl_condition(status, "ReplicaFailure", "True", "FailedCreate", why);
        RD_AUTOFREE char *key = rd_asprintf("ReplicaSet/%s", ctl_name(rs));
        ctl_queue_add(w->apps, ctl_ns(rs), key, RETRY_MS);
    }
    set_count(status, "replicas", k.live);
    set_count(status, "readyReplicas", k.ready);
    set_count(status, "availableReplicas", k.ready);
    set_count(status, "fullyLabeledReplicas", k.live);
    put_status(w, "kube-controller-manager", "replicasets.apps", rs, status);
}

/* ---- Deployments ---- */
static json_t *sets_of(struct ctl_work *w, const json_t *deployment)
{
    RD_AUTOJSON json_t *all = kube_list(w->c, "replicasets.apps", ctl_ns(deployment), NULL);
    json_t *mine = json_array();
    size_t n;
    json_t *rs;
    json_array_foreach (all, n, rs) {
        if (rd_streq(ctl_owner(rs, "Deployment"), ctl_name(deployment)))
            json_array_append(mine, rs);
    }
    return mine;
}

static void template_hash(const json_t *template, char out[11])
{
    RD_AUTOFREE char *text = rd_json_dump(template);
    char hex[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(text, strlen(text), hex);
    memcpy(out, hex, 10);
    out[10] = '\0';
}

static void put_replicaset(struct ctl_work *w, const json_t *d, const char *name, const char *hash,
                           long replicas)
{
    json_t *rs = ctl_object("apps/v1", "ReplicaSet", ctl_ns(d), name);
    json_t *template = json_deep_copy(rd_json_path(d, "spec.template"));
    json_t *labels = rd_json_get(template, "metadata", "labels", NULL);
    json_object_set_new(labels, "pod-template-hash", json_string(hash));
    rd_json_path_set(rs, "metadata.labels", json_deep_copy(labels));
    json_object_set_new(json_object_get(rs, "metadata"), "annotations",
                        rd_json_pack("{s:s}", "deployment.kubernetes.io/revision", "1"));
    json_object_set_new(json_object_get(rs, "metadata"), "ownerReferences",
                        rd_json_pack("[o]", kube_owner_ref(d)));
    json_object_set_new(rs, "spec",
                        rd_json_pack("{s:I, s:{s:O}, s:o}", "replicas", (json_int_t)replicas,
                                     "selector", "matchLabels", labels, "template", template));
    kube_put(w->c, "kube-controller-manager", rs);
}

static void scale_set(struct ctl_work *w, const json_t *rs, long replicas)
{
    if (rd_json_path_int(rs, "spec.replicas", 1) == replicas)
        return;
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(rs));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(rs));
    kube_merge(w->c, "kube-controller-manager", "replicasets.apps", ns, name,
               rd_json_pack("{s:{s:I}}", "spec", "replicas", (json_int_t)replicas));
}

static void look_deployment(struct ctl_work *w, const json_t *d)
{
    char hash[11];
    template_hash(rd_json_path(d, "spec.template"), hash);
    RD_AUTOFREE char *name = rd_asprintf("%s-%s", ctl_name(d), hash);
    RD_AUTOJSON json_t *sets = sets_of(w, d);
    bool recreate = rd_streq(rd_json_path_str(d, "spec.strategy.type"), "Recreate");
    long want = (long)rd_json_path_int(d, "spec.replicas", 1), old_live = 0, old_ready = 0;
    const json_t *current = NULL;
    size_t n;
    json_t *rs;
    json_array_foreach (sets, n, rs) {
        if (rd_streq(ctl_name(rs), name)) {
            current = rs;
            continue;
        }
        RD_AUTOJSON json_t *pods = pods_of(w, rs);
        struct count k = count_pods(pods);
        old_live += recreate ? k.all : k.live;
        old_ready += k.ready;
    }
    long ready = (long)rd_json_path_int(current, "status.readyReplicas", 0);
    long updated = (long)rd_json_path_int(current, "status.replicas", 0);
    bool failed = ctl_condition_true(current, "ReplicaFailure");
    RD_AUTOFREE char *why =
        rd_strdup(rd_json_str(rd_json_condition(current, "ReplicaFailure"), "message", NULL));
    json_array_foreach (sets, n, rs) {
        /* Old ones go at once (Recreate), or when the new ones are ready. */
        if (!rd_streq(ctl_name(rs), name) && (recreate || ready >= want))
            scale_set(w, rs, 0);
    }
    if (current != NULL)
        scale_set(w, current, want);
    else if (!recreate || old_live == 0)
        put_replicaset(w, d, name, hash, want);
    json_t *status = status_of(d);
    bool available = ready + old_ready >= want - (recreate || want > 3 ? 0 : want > 1 ? 1 : 0);
    set_count(status, "replicas", updated + old_live);
    set_count(status, "updatedReplicas", updated);
    set_count(status, "readyReplicas", ready + old_ready);
    set_count(status, "availableReplicas", ready + old_ready);
    set_count(status, "unavailableReplicas", want > ready + old_ready ? want - ready - old_ready : 0);
    ctl_condition(status, "Available", available ? "True" : "False",
                  available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                  available ? "Deployment has minimum availability."
                            : "Deployment does not have minimum availability.");
    bool done = ready >= want && updated >= want && old_live == 0;
    ctl_condition(status, "Progressing", "True",
                  done ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
                  done ? "ReplicaSet has successfully progressed." : "ReplicaSet is progressing.");
    if (failed)
        ctl_condition(status, "ReplicaFailure", "True", "FailedCreate", why);
    else if (rd_json_condition(d, "ReplicaFailure") != NULL)
        ctl_condition(status, "ReplicaFailure", "False", "NewReplicaSetAvailable", NULL);
    put_status(w, "kube-controller-manager", "deployments.apps", d, status);
}

/* ---- StatefulSets ---- */
static void claims_of(struct ctl_work *w, const json_t *set, json_t *pod, long ordinal)
{
    size_t n;
    json_t *template;
    json_array_foreach (rd_json_path(set, "spec.volumeClaimTemplates"), n, template) {
        const char *volume = ctl_name(template);
        RD_AUTOFREE char *name = rd_asprintf("%s-%s-%ld", volume, ctl_name(set), ordinal);
        if (kube_get(w->c, "persistentvolumeclaims", ctl_ns(set), name) == NULL) {
            json_t *claim = ctl_object("v1", "PersistentVolumeClaim", ctl_ns(set), name);
            json_object_set_new(claim, "spec", json_deep_copy(json_object_get(template, "spec")));
            kube_put(w->c, "kube-controller-manager", claim);
        }
        json_t *volumes = rd_json_path(pod, "spec.volumes");
        if (!json_is_array(volumes)) {
            volumes = json_array();
            rd_json_path_set(pod, "spec.volumes", volumes);
        }
        json_array_append_new(volumes, rd_json_pack("{s:s, s:{s:s}}", "name", volume,
                                                    "persistentVolumeClaim", "claimName", name));
    }
}

static void look_statefulset(struct ctl_work *w, const json_t *set)
{
    char hash[11];
    template_hash(rd_json_path(set, "spec.template"), hash);
    RD_AUTOFREE char *revision = rd_asprintf("%s-%s", ctl_name(set), hash);
    RD_AUTOJSON json_t *pods = pods_of(w, set);
    long want = (long)rd_json_path_int(set, "spec.replicas", 1), updated = 0;
    struct count k = count_pods(pods);
    RD_AUTOFREE char *why = NULL;
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        long ordinal = strtol(strrchr(ctl_name(pod), '-') + 1, NULL, 10);
        bool same = rd_streq(
            rd_json_str(pod, "metadata", "labels", "controller-revision-hash", NULL), revision);
        updated += same && !ctl_deleting(pod);
        if (!ctl_deleting(pod) && (ordinal >= want || !same || ctl_pod_over(pod)))
            kube_delete(w->c, "pods", ctl_ns(pod), ctl_name(pod));
    }
    for (long i = 0; i < want && why == NULL; i++) {
        RD_AUTOFREE char *name = rd_asprintf("%s-%ld", ctl_name(set), i);
        const json_t *there = kube_get(w->c, "pods", ctl_ns(set), name);
        if (there != NULL && ctl_pod_ready(there))
            continue;
        if (there == NULL) {
            json_t *fresh = pod_from(set, rd_json_path(set, "spec.template"), name);
            json_t *labels = rd_json_get(fresh, "metadata", "labels", NULL);
            json_object_set_new(labels, "controller-revision-hash", json_string(revision));
            json_object_set_new(labels, "statefulset.kubernetes.io/pod-name", json_string(name));
            claims_of(w, set, fresh, i);
            add_pod(w, set, fresh, "statefulset-controller", &why);
        }
        if (!rd_streq(rd_json_path_str(set, "spec.podManagementPolicy"), "Parallel"))
            break; /* one after the other */
    }
    if (why != NULL) {
        RD_AUTOFREE char *key = rd_asprintf("StatefulSet/%s", ctl_name(set));
        ctl_queue_add(w->apps, ctl_ns(set), key, RETRY_MS);
    }
    json_t *status = status_of(set);
    set_count(status, "replicas", k.live);
    set_count(status, "readyReplicas", k.ready);
    set_count(status, "availableReplicas", k.ready);
    set_count(status, "currentReplicas", updated);
    set_count(status, "updatedReplicas", updated);
    json_object_set_new(status, "currentRevision", json_string(revision));
    json_object_set_new(status, "updateRevision", json_string(revision));
    put_status(w, "kube-controller-manager", "statefulsets.apps", set, status);
}

/* ---- DaemonSets ---- */
static void look_daemonset(struct ctl_work *w, const json_t *set)
{
    RD_AUTOJSON json_t *pods = pods_of(w, set);
    RD_AUTOJSON json_t *nodes = kube_list(w->c, "nodes", NULL, NULL);
    struct count k = count_pods(pods);
    long wanted = 0;
    size_t n, m;
    json_t *node, *pod;
    json_array_foreach (nodes, n, node) {
        if (!ctl_labels_match(rd_json_path(set, "spec.template.spec.nodeSelector"),
                              rd_json_path(node, "metadata.labels")))
            continue;
        wanted++;
        bool there = false;
        json_array_foreach (pods, m, pod)
            there = there || rd_streq(rd_json_path_str(pod, "spec.nodeName"), ctl_name(node));
        if (there)
            continue;
        char suffix[6];
        ctl_suffix(w->e, suffix);
        RD_AUTOFREE char *name = rd_asprintf("%s-%s", ctl_name(set), suffix);
        RD_AUTOFREE char *why = NULL;
        json_t *fresh = pod_from(set, rd_json_path(set, "spec.template"), name);
        rd_json_path_set(fresh, "spec.nodeName", json_string(ctl_name(node)));
        add_pod(w, set, fresh, "daemonset-controller", &why);
    }
    json_t *status = status_of(set);
    set_count(status, "desiredNumberScheduled", wanted);
    set_count(status, "currentNumberScheduled", k.live);
    set_count(status, "updatedNumberScheduled", k.live);
    set_count(status, "numberReady", k.ready);
    set_count(status, "numberAvailable", k.ready);
    set_count(status, "numberMisscheduled", 0);
    put_status(w, "kube-controller-manager", "daemonsets.apps", set, status);
}

/* ---- Jobs ---- */
static void look_job(struct ctl_work *w, const json_t *job)
{
    if (ctl_condition_true(job, "Complete") || ctl_condition_true(job, "Failed"))
        return;
    RD_AUTOJSON json_t *pods = pods_of(w, job);
    long completions = (long)rd_json_path_int(job, "spec.completions", 1);
    long parallel = (long)rd_json_path_int(job, "spec.parallelism", 1);
    long active = 0, succeeded = 0, failed = 0, ready = 0;
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        const char *phase = rd_json_path_str(pod, "status.phase");
        succeeded += rd_streq(phase, "Succeeded");
        failed += rd_streq(phase, "Failed");
        active += !ctl_pod_over(pod) && !ctl_deleting(pod);
        ready += ctl_pod_ready(pod);
    }
    RD_AUTOFREE char *why = NULL;
    bool suspended = rd_json_path_bool(job, "spec.suspend", false);
    while (!suspended && active < parallel && active + succeeded < completions && why == NULL) {
        char suffix[6];
        ctl_suffix(w->e, suffix);
        RD_AUTOFREE char *name = rd_asprintf("%s-%s", ctl_name(job), suffix);
        json_t *fresh = pod_from(job, rd_json_path(job, "spec.template"), name);
        json_t *labels = rd_json_get(fresh, "metadata", "labels", NULL);
        if (labels == NULL) {
            labels = json_object();
            rd_json_path_set(fresh, "metadata.labels", labels);
        }
        const char *uid = rd_json_path_str(job, "metadata.uid");
        json_object_set_new(labels, "job-name", json_string(ctl_name(job)));
        json_object_set_new(labels, "batch.kubernetes.io/job-name", json_string(ctl_name(job)));
        json_object_set_new(labels, "batch.kubernetes.io/controller-uid", json_string(uid));
        if (add_pod(w, job, fresh, "job-controller", &why))
            active++;
    }
    if (why != NULL) {
        RD_AUTOFREE char *key = rd_asprintf("Job/%s", ctl_name(job));
        ctl_queue_add(w->apps, ctl_ns(job), key, RETRY_MS);
    }
    json_t *status = status_of(job);
    if (json_object_get(status, "startTime") == NULL)
        json_object_set_new(status, "startTime", json_string(ctl_now()));
    if (succeeded >= completions) {
        active = ready = 0;
        ctl_condition(status, "SuccessCriteriaMet", "True", "CompletionsReached",
                      "Reached expected number of succeeded pods");
        ctl_condition(status, "Complete", "True", "CompletionsReached",
                      "Reached expected number of succeeded pods");
        json_object_set_new(status, "completionTime", json_string(ctl_now()));
    }
    set_count(status, "active", active);
    set_count(status, "succeeded", succeeded);
    set_count(status, "failed", failed);
    set_count(status, "ready", ready);
    put_status(w, "kube-controller-manager", "jobs.batch", job, status);
}

/* ---- Looks ---- */
static const struct {
    const char *kind, *resource;
    void (*look)(struct ctl_work *w, const json_t *object);
} apps[] = {{"Deployment", "deployments.apps", look_deployment},
            {"ReplicaSet", "replicasets.apps", look_replicaset},
            {"StatefulSet", "statefulsets.apps", look_statefulset},
            {"DaemonSet", "daemonsets.apps", look_daemonset},
            {"Job", "jobs.batch", look_job}};

void ctl_apps_look(struct kube_cluster *c, const char *ns, const char *key, void *arg)
{
    const char *slash = strchr(key, '/');
    for (size_t n = 0; n < RD_ARRAY_LEN(apps); n++) {
        if (strncmp(apps[n].kind, key, (size_t)(slash - key)) != 0 ||
            apps[n].kind[slash - key] != '\0')
            continue;
        const json_t *object = kube_get(c, apps[n].resource, ns, slash + 1);
        if (object == NULL || ctl_deleting(object))
            return;
        RD_AUTOJSON json_t *held = json_incref((json_t *)object);
        apps[n].look(arg, held);
        return;
    }
}

/* A pod or ReplicaSet has changed: its owner looks again. */
void ctl_apps_told(struct ctl_work *w, const json_t *object)
{
    for (size_t n = 0; n < RD_ARRAY_LEN(apps); n++) {
        const char *owner = ctl_owner(object, apps[n].kind);
        if (owner == NULL)
            continue;
        RD_AUTOFREE char *key = rd_asprintf("%s/%s", apps[n].kind, owner);
        ctl_queue_add(w->apps, ctl_ns(object), key, 10);
    }
}
