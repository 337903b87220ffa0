/* KubeRay's operator: at work while a Deployment of it is available and may do what it does. */
#include "ctl_ray.h"

#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 200, RETRY_MS = 2000, RESYNC_MS = 300 * 1000 };

struct ray_world {
    struct ctl_work *w;
    struct ctl_queue *queue;
    json_t *refused; /* owned: uid -> text said by the last event */
};

static const char ray_key;

/* ---- Is there an operator? ---- */
static bool binds(const json_t *list, const char *account_ns, const char *account)
{
    size_t n, k;
    json_t *binding, *subject;
    json_array_foreach ((json_t *)list, n, binding) {
        json_array_foreach (json_object_get(binding, "subjects"), k, subject) {
            if (rd_streq(rd_json_str(subject, "kind", NULL), "ServiceAccount") &&
                rd_streq(rd_json_str(subject, "name", NULL), account) &&
                rd_streq(rd_json_str(subject, "namespace", NULL), account_ns) &&
                !rd_ends_with(rd_json_path_str(binding, "roleRef.name"), "leader-election"))
                return true;
        }
    }
    return false;
}

/* Available, and bound in the namespace or everywhere. */
static bool operator_serves(struct ctl_work *w, const char *ns)
{
    RD_AUTOJSON json_t *all = kube_list(w->c, "deployments.apps", NULL, NULL);
    size_t n;
    json_t *d;
    json_array_foreach (all, n, d) {
        const json_t *spec = rd_json_path(d, "spec.template.spec");
        const char *image =
            rd_json_str(json_array_get(json_object_get(spec, "containers"), 0), "image", NULL);
        if (image == NULL || strstr(image, "kuberay/operator") == NULL ||
            rd_json_path_int(d, "status.availableReplicas", 0) < 1)
            continue;
        const char *account = rd_json_str(spec, "serviceAccountName", NULL);
        account = account == NULL ? "default" : account;
        RD_AUTOJSON json_t *wide =
            kube_list(w->c, "clusterrolebindings.rbac.authorization.k8s.io", NULL, NULL);
        RD_AUTOJSON json_t *local =
            kube_list(w->c, "rolebindings.rbac.authorization.k8s.io", ns, NULL);
        if (binds(wide, ctl_ns(d), account) || binds(local, ctl_ns(d), account))
            return true;
    }
    return false;
}

/* ---- Objects around the pods ---- */
static bool autoscaler_rights(struct ctl_work *w, const json_t *cluster)
{
    if (!rd_json_path_bool(cluster, "spec.enableInTreeAutoscaling", false))
        return true;
    const char *name = ctl_name(cluster), *ns = ctl_ns(cluster);
    const char *account =
        rd_json_path_str(cluster, "spec.headGroupSpec.template.spec.serviceAccountName");
    if (account != NULL && kube_get(w->c, "serviceaccounts", ns, account) == NULL) {
        kube_event(w->c, "raycluster-controller", cluster, "Warning",
                   "AutoscalerServiceAccountNotFound",
                   "Failed to reconcile RayCluster %s/%s. The service account %s is not found.", ns,
                   name, account);
        return false;
    }
    json_t *owner = kube_owner_ref(cluster);
    if (account == NULL && kube_get(w->c, "serviceaccounts", ns, name) == NULL) {
        json_t *o = ctl_object("v1", "ServiceAccount", ns, name);
        json_object_set_new(json_object_get(o, "metadata"), "ownerReferences",
                            rd_json_pack("[O]", owner));
        kube_put(w->c, RAY_OPERATOR, o);
    }
    if (kube_get(w->c, "roles.rbac.authorization.k8s.io", ns, name) == NULL) {
        json_t *o = ctl_object("rbac.authorization.k8s.io/v1", "Role", ns, name);
        json_object_set_new(json_object_get(o, "metadata"), "ownerReferences",
                            rd_json_pack("[O]", owner));
        json_object_set_new(
            o, "rules",
            rd_json_pack("[{s:[s], s:[s], s:[s, s, s, s]}, {s:[s], s:[s], s:[s]}, {s:[s], s:[s], "
                         "s:[s, s]}]",
                         "apiGroups", "", "resources", "pods", "verbs", "get", "list", "watch",
                         "patch", "apiGroups", "", "resources", "pods/resize", "verbs", "patch",
                         "apiGroups", "ray.io", "resources", "rayclusters", "verbs", "get", "patch"));
        kube_put(w->c, RAY_OPERATOR, o);
        o = ctl_object("rbac.authorization.k8s.io/v1", "RoleBinding", ns, name);
        json_object_set_new(json_object_get(o, "metadata"), "ownerReferences",
                            rd_json_pack("[O]", owner));
        json_object_set_new(o, "roleRef",
                            rd_json_pack("{s:s, s:s, s:s}", "apiGroup", "rbac.authorization.k8s.io",
                                         "kind", "Role", "name", name));
        json_object_set_new(o, "subjects",
                            rd_json_pack("[{s:s, s:s, s:s}]", "kind", "ServiceAccount", "name",
                                         account != NULL ? account : name, "namespace", ns));
        kube_put(w->c, RAY_OPERATOR, o);
    }
    json_decref(owner);
    return true;
}

static void token(struct ctl_work *w, const json_t *cluster)
{
    if (!ray_auth_on(cluster) || rd_json_path(cluster, "spec.authOptions.secretName") != NULL)
        return;
    RD_AUTOFREE char *name = ray_token_secret(cluster);
    if (kube_get(w->c, "secrets", ctl_ns(cluster), name) != NULL)
        return;
    unsigned char bytes[32];
    for (size_t n = 0; n < sizeof(bytes); n++)
        bytes[n] = (unsigned char)emu_rand(w->e);
    RD_AUTOFREE char *text = rd_base64_encode(bytes, sizeof(bytes));
    RD_AUTOFREE char *data = rd_base64_encode(text, strlen(text));
    json_t *o = ctl_object("v1", "Secret", ctl_ns(cluster), name);
    json_object_set_new(json_object_get(o, "metadata"), "labels",
                        rd_json_pack("{s:s, s:s}", "ray.io/cluster", ctl_name(cluster),
                                     "app.kubernetes.io/created-by", RAY_OPERATOR));
    json_object_set_new(json_object_get(o, "metadata"), "ownerReferences",
                        rd_json_pack("[o]", kube_owner_ref(cluster)));
    json_object_set_new(o, "type", json_string("Opaque"));
    json_object_set_new(o, "data", rd_json_pack("{s:s}", "auth_token", data));
    kube_put(w->c, RAY_OPERATOR, o);
}

static void service(struct ctl_work *w, const json_t *cluster)
{
    RD_AUTOFREE char *name = ray_service_name(cluster);
    if (kube_get(w->c, "services", ctl_ns(cluster), name) != NULL)
        return; /* never updated once made */
    kube_put(w->c, RAY_OPERATOR, ray_head_service(cluster));
    kube_event(w->c, "raycluster-controller", cluster, "Normal", "CreatedService",
               "Created service %s/%s", ctl_ns(cluster), name);
}

/* ---- Pods ---- */
static bool create(struct ctl_work *w, const json_t *cluster, json_t *take_pod, bool head,
                   char **ret_why)
{
    RD_AUTOFREE char *name = rd_strdup(ctl_name(take_pod));
    const char *kind = head ? "HeadPod" : "WorkerPod";
    if (ctl_pod_create(w, RAY_OPERATOR, take_pod, ret_why) != NULL) {
        RD_AUTOFREE char *reason = rd_asprintf("Created%s", kind);
        kube_event(w->c, "raycluster-controller", cluster, "Normal", reason,
                   "Created %s Pod %s/%s", head ? "head" : "worker", ctl_ns(cluster), name);
        return true;
    }
    RD_AUTOFREE char *reason = rd_asprintf("FailedToCreate%s", kind);
    kube_event(w->c, "raycluster-controller", cluster, "Warning", reason,
               "Failed to create %s Pod %s/%s, %s", head ? "head" : "worker", ctl_ns(cluster), name,
               *ret_why);
    return false;
}

static void remove_pod(struct ctl_work *w, const json_t *cluster, const json_t *pod, bool head)
{
    if (ctl_deleting(pod))
        return;
    kube_event(w->c, "raycluster-controller", cluster, "Normal",
               head ? "DeletedHeadPod" : "DeletedWorkerPod", "Deleted %s Pod %s/%s",
               head ? "head" : "worker", ctl_ns(pod), ctl_name(pod));
    kube_delete(w->c, "pods", ctl_ns(pod), ctl_name(pod));
}

static bool named_to_go(const json_t *group, const char *pod)
{
    size_t n;
    json_t *name;
    json_array_foreach (rd_json_path(group, "scaleStrategy.workersToDelete"), n, name) {
        if (rd_streq(json_string_value(name), pod))
            return true;
    }
    return false;
}

/* false: *ret_why says what was refused. */
static bool workers(struct ctl_work *w, const json_t *cluster, const json_t *pods,
                    const json_t *group, char **ret_why)
{
    const char *name = rd_json_str(group, "groupName", NULL);
    bool scales = rd_json_path_bool(cluster, "spec.enableInTreeAutoscaling", false);
    long want = (long)rd_json_path_int(group, "replicas", 0), have = 0;
    long min = (long)rd_json_path_int(group, "minReplicas", 0);
    long max = (long)rd_json_path_int(group, "maxReplicas", 2147483647);
    want = want < min ? min : want > max ? max : want;
    json_t *mine = json_array();
    size_t n;
    json_t *pod;
    json_array_foreach ((json_t *)pods, n, pod) {
        if (!rd_streq(rd_json_str(pod, "metadata", "labels", "ray.io/group", NULL), name) ||
            ctl_deleting(pod))
            continue;
        if (ctl_pod_over(pod) || named_to_go(group, ctl_name(pod)))
            remove_pod(w, cluster, pod, false);
        else if (json_array_append(mine, pod) == 0)
            have++;
    }
    bool fine = true;
    for (; have < want && fine; have++)
        fine = create(w, cluster, ray_worker_pod(w, cluster, group), false, ret_why);
    /* With the autoscaler only those that it names go. */
    for (n = json_array_size(mine); fine && !scales && have > want && n-- > 0; have--)
        remove_pod(w, cluster, json_array_get(mine, n), false);
    json_decref(mine);
    return fine;
}

static void delete_all(struct ctl_work *w, const json_t *cluster, const json_t *pods)
{
    size_t n;
    json_t *pod;
    json_array_foreach ((json_t *)pods, n, pod)
        remove_pod(w, cluster, pod,
                   rd_streq(rd_json_str(pod, "metadata", "labels", "ray.io/node-type", NULL), "head"));
}

/* NULL: all there; else what failed, with its reason. */
static char *reconcile_pods(struct ctl_work *w, const json_t *cluster, const char **ret_reason)
{
    RD_AUTOJSON json_t *pods = ray_pods(w, cluster);
    char hash[65];
    ray_spec_hash(cluster, hash);
    if (rd_json_path_bool(cluster, "spec.suspend", false)) {
        delete_all(w, cluster, pods);
        return NULL;
    }
    const json_t *head = NULL;
    bool head_leaves = false;
    size_t n;
    json_t *pod, *group;
    json_array_foreach (pods, n, pod) {
        if (!rd_streq(rd_json_str(pod, "metadata", "labels", "ray.io/node-type", NULL), "head"))
            continue;
        head_leaves = head_leaves || ctl_deleting(pod);
        if (!ctl_deleting(pod))
            head = pod;
    }
    bool recreates = rd_streq(rd_json_path_str(cluster, "spec.upgradeStrategy.type"), "Recreate");
    const char *was = rd_json_str(head, "metadata", "annotations",
                                  "ray.io/upgrade-strategy-recreate-hash", NULL);
    if (recreates && was != NULL && !rd_streq(was, hash)) {
        delete_all(w, cluster, pods);
        return NULL; /* told of their end, and looked at again */
    }
    if (head != NULL && ctl_pod_over(head)) {
        remove_pod(w, cluster, head, true);
        return NULL;
    }
    char *why = NULL;
    if (head == NULL && !head_leaves && !create(w, cluster, ray_head_pod(w, cluster, hash), true, &why)) {
        *ret_reason = "FailedCreateHeadPod";
        return why;
    }
    if (head == NULL && head_leaves)
        return NULL;
    json_array_foreach (rd_json_path(cluster, "spec.workerGroupSpecs"), n, group) {
        if (!workers(w, cluster, pods, group, &why)) {
            *ret_reason = "FailedCreateWorkerPod";
            return why;
        }
    }
    return NULL;
}

static void look(struct kube_cluster *c, const char *ns, const char *name, void *arg)
{
    struct ray_world *r = arg;
    const json_t *found = kube_get(c, RAY_CLUSTERS, ns, name);
    if (found == NULL || ctl_deleting(found))
        return;
    RD_AUTOJSON json_t *cluster = json_incref((json_t *)found);
    if (!operator_serves(r->w, ns)) {
        ctl_queue_add(r->queue, ns, name, RETRY_MS);
        return;
    }
    const char *managed = rd_json_path_str(cluster, "spec.managedBy");
    if (managed != NULL && !rd_streq(managed, "ray.io/kuberay-operator"))
        return;
    const char *reason = NULL, *uid = rd_json_path_str(cluster, "metadata.uid");
    RD_AUTOFREE char *refusal = ray_refusal(cluster, &reason);
    if (refusal != NULL) {
        if (!rd_streq(rd_json_str(r->refused, uid, NULL), refusal))
            kube_event(c, "raycluster-controller", cluster, "Warning", reason,
                       "The RayCluster spec is invalid %s/%s: %s", ns, name, refusal);
        json_object_set_new(r->refused, uid, json_string(refusal));
        return;
    }
    json_object_del(r->refused, uid);
    if (!autoscaler_rights(r->w, cluster)) {
        ctl_queue_add(r->queue, ns, name, RETRY_MS);
        return;
    }
    token(r->w, cluster);
    service(r->w, cluster);
    RD_AUTOFREE char *failure = reconcile_pods(r->w, cluster, &reason);
    found = kube_get(c, RAY_CLUSTERS, ns, name);
    if (found == NULL)
        return;
    RD_AUTOJSON json_t *now = json_incref((json_t *)found);
    ray_write_status(r->w, now, failure, reason);
    ctl_queue_add(r->queue, ns, name, failure == NULL ? RESYNC_MS : RETRY_MS);
}

/* ---- Being told ---- */
static void told_cluster(struct kube_cluster *c, enum kube_change change, const json_t *o, void *arg)
{
    (void)c;
    struct ray_world *r = arg;
    if (change != KUBE_DELETED)
        ctl_queue_add(r->queue, ctl_ns(o), ctl_name(o), LOOK_MS);
}

static void told_pod(struct kube_cluster *c, enum kube_change change, const json_t *pod, void *arg)
{
    (void)c;
    (void)change;
    struct ray_world *r = arg;
    const char *cluster = rd_json_str(pod, "metadata", "labels", "ray.io/cluster", NULL);
    if (cluster != NULL)
        ctl_queue_add(r->queue, ctl_ns(pod), cluster, LOOK_MS);
}

bool ctl_ray_gcs_ready(struct kube_cluster *c, const json_t *pod)
{
    const char *cluster = rd_json_str(pod, "metadata", "labels", "ray.io/cluster", NULL);
    if (cluster == NULL)
        return true;
    RD_AUTOJSON json_t *labels =
        rd_json_pack("{s:s, s:s}", "ray.io/cluster", cluster, "ray.io/node-type", "head");
    RD_AUTOJSON json_t *heads = kube_list(c, "pods", ctl_ns(pod), labels);
    size_t n;
    json_t *head;
    json_array_foreach (heads, n, head) {
        if (ctl_pod_ready(head))
            return true;
    }
    return false;
}

static void drop(void *take)
{
    struct ray_world *r = take;
    ctl_queue_free(r->queue);
    json_decref(r->refused);
    free(r);
}

void ctl_ray_start(struct kube_cluster *c)
{
    struct ray_world *r = rd_calloc(1, sizeof(*r));
    r->w = ctl_work_of(c);
    r->refused = json_object();
    r->queue = ctl_queue_new(c, look, r);
    kube_cluster_keep(c, &ray_key, r, drop);
    kube_subscribe(c, RAY_CLUSTERS, told_cluster, r);
    kube_subscribe(c, "pods", told_pod, r);
    ctl_forward_start(c);
}
