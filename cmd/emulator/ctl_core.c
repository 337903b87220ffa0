/* Services and their endpoints, load balancers, claims and volumes, budgets and quotas. What costs
 * money in Google Cloud exists there: disks of claims, forwarding rules of LoadBalancer Services. */
#include "ctl_work.h"

#include "gke.h"

#include <stdlib.h>
#include <string.h>

#define LINK "https://www.googleapis.com/compute/v1/"
#define LB_FINALIZER "service.kubernetes.io/load-balancer-cleanup"
#define DISK_FINALIZER "external-provisioner.volume.kubernetes.io/finalizer"
#define DEFAULT_CLASS "standard-rwo"

enum { BIND_MS = 1000, DISK_MS = 10 * 1000, LB_MS = 40 * 1000, LB_GONE_MS = 30 * 1000 };

char *ctl_address(struct ctl_work *w, bool service)
{
    unsigned n = ++w->next_address;
    return service ? rd_asprintf("34.118.%u.%u", 224 + n / 250 % 16, n % 250 + 3)
                   : rd_asprintf("10.%u.%u.%u", 8 + n / 62500 % 4, n / 250 % 250, n % 250 + 4);
}

static void add(struct ctl_work *w, const char *kind, const char *ns, const char *name, uint64_t ms)
{
    RD_AUTOFREE char *key = rd_asprintf("%s/%s", kind, name);
    ctl_queue_add(w->core, ns, key, ms);
}

/* ---- Services ---- */
/* The numbers a port of the Service leads to in a pod; 0: the pod does not name it. */
static long target_port(const json_t *port, const json_t *pod)
{
    const json_t *target = json_object_get(port, "targetPort");
    if (json_is_integer(target) && json_integer_value(target) > 0)
        return (long)json_integer_value(target);
    if (!json_is_string(target))
        return (long)rd_json_path_int(port, "port", 0);
    size_t n, k;
    json_t *container, *p;
    json_array_foreach (rd_json_path(pod, "spec.containers"), n, container) {
        json_array_foreach (json_object_get(container, "ports"), k, p) {
            if (rd_streq(rd_json_str(p, "name", NULL), json_string_value(target)))
                return (long)rd_json_path_int(p, "containerPort", 0);
        }
    }
    return 0;
}

static void put_endpoints(struct ctl_work *w, const json_t *service)
{
    const char *ns = ctl_ns(service), *name = ctl_name(service);
    RD_AUTOJSON json_t *pods = kube_list(w->c, "pods", ns, rd_json_path(service, "spec.selector"));
    bool early = rd_json_path_bool(service, "spec.publishNotReadyAddresses", false);
    json_t *ready = json_array(), *waiting = json_array(), *slice_list = json_array();
    json_t *ports = json_array(), *slice_ports = json_array();
    size_t n;
    json_t *pod, *port;
    const json_t *sample = json_array_get(pods, 0);
    json_array_foreach (rd_json_path(service, "spec.ports"), n, port) {
        const char *port_name = rd_json_str(port, "name", NULL);
        const char *protocol = rd_json_str(port, "protocol", NULL);
        json_t *p = rd_json_pack("{s:I, s:s}", "port", (json_int_t)target_port(port, sample),
                                 "protocol", protocol == NULL ? "TCP" : protocol);
        if (port_name != NULL)
            json_object_set_new(p, "name", json_string(port_name));
        json_array_append_new(slice_ports, json_deep_copy(p));
        json_object_set_new(json_array_get(slice_ports, n), "name",
                            json_string(port_name == NULL ? "" : port_name));
        json_array_append_new(ports, p);
    }
    json_array_foreach (pods, n, pod) {
        const char *ip = rd_json_path_str(pod, "status.podIP");
        if (ip == NULL || ctl_deleting(pod) || ctl_pod_over(pod))
            continue;
        bool is_ready = ctl_pod_ready(pod) || early;
        json_t *ref = rd_json_pack("{s:s, s:s, s:s, s:s}", "kind", "Pod", "namespace", ns, "name",
                                   ctl_name(pod), "uid", rd_json_path_str(pod, "metadata.uid"));
        json_array_append_new(is_ready ? ready : waiting,
                              rd_json_pack("{s:s, s:s, s:O}", "ip", ip, "nodeName",
                                           rd_json_path_str(pod, "spec.nodeName"), "targetRef", ref));
        json_array_append_new(
            slice_list, rd_json_pack("{s:[s], s:{s:b, s:b, s:b}, s:s, s:o}", "addresses", ip,
                                     "conditions", "ready", is_ready, "serving", is_ready,
                                     "terminating", 0, "nodeName",
                                     rd_json_path_str(pod, "spec.nodeName"), "targetRef", ref));
    }
    json_t *endpoints = ctl_object("v1", "Endpoints", ns, name);
    json_t *subset = json_object();
    if (json_array_size(ready) > 0)
        json_object_set(subset, "addresses", ready);
    if (json_array_size(waiting) > 0)
        json_object_set(subset, "notReadyAddresses", waiting);
    if (json_object_size(subset) > 0) {
        if (json_array_size(ports) > 0)
            json_object_set(subset, "ports", ports);
        json_object_set_new(endpoints, "subsets", rd_json_pack("[O]", subset));
    }
    json_decref(subset);
    kube_put(w->c, "kube-controller-manager", endpoints);
    RD_AUTOFREE char *slice_name = rd_asprintf("%s-%.5s", name,
                                               rd_json_path_str(service, "metadata.uid"));
    json_t *slice = ctl_object("discovery.k8s.io/v1", "EndpointSlice", ns, slice_name);
    json_object_set_new(json_object_get(slice, "metadata"), "labels",
                        rd_json_pack("{s:s, s:s}", "kubernetes.io/service-name", name,
                                     "endpointslice.kubernetes.io/managed-by",
                                     "endpointslice-controller.k8s.io"));
    json_object_set_new(json_object_get(slice, "metadata"), "ownerReferences",
                        rd_json_pack("[o]", kube_owner_ref(service)));
    json_object_set_new(slice, "addressType", json_string("IPv4"));
    json_object_set(slice, "endpoints", slice_list);
    json_object_set(slice, "ports", slice_ports);
    kube_put(w->c, "kube-controller-manager", slice);
    json_decref(ready);
    json_decref(waiting);
    json_decref(slice_list);
    json_decref(ports);
    json_decref(slice_ports);
}

/* Load balancers: the parts that GKE's controller makes, named after the Service's uid. */
static char *lb_name(const json_t *service)
{
    RD_AUTOFREE char *hex = rd_strdup("a");
    const char *uid = rd_json_path_str(service, "metadata.uid");
    for (const char *s = uid; s != NULL && *s != '\0' && strlen(hex) < 32; s++) {
        if (*s != '-')
            rd_str_take(&hex, rd_asprintf("%s%c", hex, *s));
    }
    return rd_strdup(hex);
}

static char *region_of(struct ctl_work *w)
{
    const json_t *cluster = emu_gke_cluster(w->e, kube_cluster_name(w->c));
    const char *location = rd_json_str(cluster, "location", NULL);
    size_t len = location == NULL ? 0 : strlen(location);
    return len > 2 && location[len - 2] == '-' ? rd_strndup(location, len - 2)
                                               : rd_strdup(location == NULL ? "" : location);
}

static const char *network_of(struct ctl_work *w)
{
    return rd_json_path_str(emu_gke_cluster(w->e, kube_cluster_name(w->c)), "networkConfig.network");
}

static void lb_parts(struct ctl_work *w, const json_t *service, char *full[3])
{
    RD_AUTOFREE char *name = lb_name(service);
    RD_AUTOFREE char *region = region_of(w);
    full[0] = rd_asprintf("projects/%s/regions/%s/forwardingRules/%s", w->e->project, region, name);
    full[1] = rd_asprintf("projects/%s/regions/%s/targetPools/%s", w->e->project, region, name);
    full[2] = rd_asprintf("projects/%s/global/firewalls/k8s-fw-%s", w->e->project, name);
}

static const char *const lb_kinds[] = {"compute.forwardingRules", "compute.targetPools",
                                       "compute.firewalls"};

static void lb_make(struct ctl_work *w, const json_t *service)
{
    char *full[3];
    lb_parts(w, service, full);
    const char *network = network_of(w);
    RD_AUTOFREE char *owner = rd_asprintf("{\"kubernetes.io/service-name\":\"%s/%s\"}",
                                          ctl_ns(service), ctl_name(service));
    RD_AUTOFREE char *address = rd_asprintf("34.72.%u.%u", (unsigned)(emu_rand(w->e) % 250),
                                            (unsigned)(emu_rand(w->e) % 250));
    static const char *const kinds[] = {"compute#forwardingRule", "compute#targetPool",
                                        "compute#firewall"};
    for (size_t n = 0; n < 3; n++) {
        json_t *o = rd_json_pack("{s:s, s:s, s:s, s:o}", "kind", kinds[n], "name",
                                 strrchr(full[n], '/') + 1, "description", owner, "selfLink",
                                 json_sprintf(LINK "%s", full[n]));
        if (n != 1 && network != NULL)
            json_object_set_new(o, "network", json_sprintf(LINK "%s", network));
        if (n == 0) {
            json_object_set_new(o, "IPAddress", json_string(address));
            json_object_set_new(o, "IPProtocol", json_string("TCP"));
            json_object_set_new(o, "loadBalancingScheme", json_string("EXTERNAL"));
            json_object_set_new(o, "target", json_sprintf(LINK "%s", full[1]));
        }
        if (n < 2) {
            RD_AUTOFREE char *region = region_of(w);
            json_object_set_new(
                o, "region", json_sprintf(LINK "projects/%s/regions/%s", w->e->project, region));
        } else {
            json_object_set_new(o, "direction", json_string("INGRESS"));
            json_object_set_new(o, "targetTags", rd_json_pack("[o]", json_sprintf("gke-%s-node",
                                                              ctl_cluster_short(w->c))));
        }
        emu_store_put(&w->e->store, lb_kinds[n], full[n], o);
        free(full[n]);
    }
    kube_event(w->c, "service-controller", service, "Normal", "EnsuredLoadBalancer",
               "Ensured load balancer");
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(service));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(service));
    kube_merge(w->c, "cloud-controller-manager", "services", ns, name,
               rd_json_pack("{s:{s:{s:[{s:s, s:s}]}}}", "status", "loadBalancer", "ingress", "ip",
                            address, "ipMode", "VIP"));
}

static void lb_drop(struct ctl_work *w, const json_t *service)
{
    char *full[3];
    lb_parts(w, service, full);
    for (size_t n = 0; n < 3; n++) {
        emu_store_delete(&w->e->store, lb_kinds[n], full[n]);
        free(full[n]);
    }
}

static void set_finalizers(struct ctl_work *w, const char *resource, const json_t *o,
                           const char *finalizer, bool on)
{
    if (ctl_has_finalizer(o, finalizer) == on)
        return;
    json_t *list = ctl_finalizers_without(o, finalizer);
    if (on)
        json_array_append_new(list, json_string(finalizer));
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(o));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(o));
    kube_merge(w->c, "kube-controller-manager", resource, ns, name,
               rd_json_pack("{s:{s:o}}", "metadata", "finalizers", list));
}

static void look_service(struct ctl_work *w, const json_t *service)
{
    const char *type = rd_json_path_str(service, "spec.type");
    bool balanced = rd_streq(type, "LoadBalancer");
    if (ctl_deleting(service)) {
        if (ctl_has_finalizer(service, LB_FINALIZER)) {
            lb_drop(w, service);
            set_finalizers(w, "services", service, LB_FINALIZER, false);
        }
        return;
    }
    if (rd_json_path_str(service, "spec.clusterIP") == NULL &&
        !rd_streq(type, "ExternalName")) {
        RD_AUTOFREE char *address = ctl_address(w, true);
        kube_merge(w->c, "kube-apiserver", "services", ctl_ns(service), ctl_name(service),
                   rd_json_pack("{s:{s:s, s:[s]}}", "spec", "clusterIP", address, "clusterIPs",
                                address));
        return; /* told of it, and looked at again */
    }
    if (rd_json_path(service, "spec.selector") != NULL)
        put_endpoints(w, service);
    if (!balanced)
        return;
    if (!ctl_has_finalizer(service, LB_FINALIZER)) {
        set_finalizers(w, "services", service, LB_FINALIZER, true);
        add(w, "Balancer", ctl_ns(service), ctl_name(service), emu_jitter(w->e, LB_MS, 30));
    }
}

/* ---- Claims ---- */
static json_t *disk_of(struct ctl_work *w, const char *volume, const json_t *claim, char **ret_zone)
{
    json_t *nodes = kube_list(w->c, "nodes", NULL, NULL);
    const char *zone = rd_json_str(json_array_get(nodes, 0), "metadata", "labels",
                                   "topology.kubernetes.io/zone", NULL);
    /* A pod that already has a node decides the zone. */
    RD_AUTOJSON json_t *pods = kube_list(w->c, "pods", ctl_ns(claim), NULL);
    size_t n, k;
    json_t *pod, *v;
    json_array_foreach (pods, n, pod) {
        json_array_foreach (rd_json_path(pod, "spec.volumes"), k, v) {
            if (!rd_streq(rd_json_path_str(v, "persistentVolumeClaim.claimName"), ctl_name(claim)))
                continue;
            const json_t *node =
                kube_get(w->c, "nodes", NULL, rd_json_path_str(pod, "spec.nodeName"));
            const char *at =
                rd_json_str(node, "metadata", "labels", "topology.kubernetes.io/zone", NULL);
            zone = at == NULL ? zone : at;
        }
    }
    *ret_zone = zone == NULL ? NULL : rd_strdup(zone);
    json_decref(nodes);
    if (*ret_zone == NULL)
        return NULL;
    int64_t bytes = ctl_milli(rd_json_path(claim, "spec.resources.requests.storage")) / 1000;
    RD_AUTOFREE char *full =
        rd_asprintf("projects/%s/zones/%s/disks/%s", w->e->project, *ret_zone, volume);
    return emu_store_put(
        &w->e->store, "compute.disks", full,
        rd_json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:{s:s}, s:o}", "kind", "compute#disk", "name",
                     volume, "sizeGb", json_sprintf("%lld", (long long)((bytes + (1 << 30) - 1) >> 30)),
                     "status", "READY", "selfLink", json_sprintf(LINK "%s", full), "zone",
                     json_sprintf(LINK "projects/%s/zones/%s", w->e->project, *ret_zone), "labels",
                     "goog-k8s-cluster-name", ctl_cluster_short(w->c), "description",
                     json_sprintf("{\"kubernetes.io/created-for/pvc/name\":\"%s\"}",
                                  ctl_name(claim))));
}

static void bind_claim(struct ctl_work *w, const json_t *claim, const json_t *volume)
{
    const char *ns = ctl_ns(claim), *name = ctl_name(claim), *v = ctl_name(volume);
    json_t *capacity = json_deep_copy(rd_json_path(volume, "spec.capacity"));
    json_t *modes = json_deep_copy(rd_json_path(volume, "spec.accessModes"));
    json_t *ref = rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "apiVersion", "v1", "kind",
                               "PersistentVolumeClaim", "namespace", ns, "name", name, "uid",
                               rd_json_path_str(claim, "metadata.uid"));
    RD_AUTOFREE char *volume_name = rd_strdup(v);
    RD_AUTOFREE char *space = rd_strdup(ns);
    RD_AUTOFREE char *claim_name = rd_strdup(name);
    kube_merge(w->c, "kube-controller-manager", "persistentvolumes", NULL, volume_name,
               rd_json_pack("{s:{s:o}, s:{s:s}}", "spec", "claimRef", ref, "status", "phase",
                            "Bound"));
    kube_merge(w->c, "kube-controller-manager", "persistentvolumeclaims", space, claim_name,
               rd_json_pack("{s:{s:s}, s:{s:s, s:o, s:o}}", "spec", "volumeName", volume_name,
                            "status", "phase", "Bound", "capacity", capacity, "accessModes", modes));
    ctl_queue_add(w->sched, "", "schedule", 0);
}

static bool is_used(struct ctl_work *w, const json_t *claim)
{
    RD_AUTOJSON json_t *pods = kube_list(w->c, "pods", ctl_ns(claim), NULL);
    size_t n, k;
    json_t *pod, *v;
    json_array_foreach (pods, n, pod) {
        if (ctl_pod_over(pod))
            continue;
        json_array_foreach (rd_json_path(pod, "spec.volumes"), k, v) {
            if (rd_streq(rd_json_path_str(v, "persistentVolumeClaim.claimName"), ctl_name(claim)))
                return true;
        }
    }
    return false;
}

static bool fits(const json_t *volume, const json_t *claim)
{
    const char *class = rd_json_path_str(claim, "spec.storageClassName");
    const char *wanted = rd_json_path_str(claim, "spec.volumeName");
    const char *for_name = rd_json_path_str(volume, "spec.claimRef.name");
    const char *for_ns = rd_json_path_str(volume, "spec.claimRef.namespace");
    const char *own = rd_json_path_str(volume, "spec.storageClassName");
    bool same_class = rd_streq(class == NULL ? "" : class, own == NULL ? "" : own);
    bool reserved = for_name == NULL || (rd_streq(for_name, ctl_name(claim)) &&
                                         rd_streq(for_ns, ctl_ns(claim)));
    bool named = wanted == NULL || *wanted == '\0' || rd_streq(wanted, ctl_name(volume));
    bool large = ctl_milli(rd_json_path(volume, "spec.capacity.storage")) >=
                 ctl_milli(rd_json_path(claim, "spec.resources.requests.storage"));
    const char *phase = rd_json_path_str(volume, "status.phase");
    return same_class && reserved && named && large && !rd_streq(phase, "Released");
}

static void provision(struct ctl_work *w, const json_t *claim, const char *provisioner)
{
    RD_AUTOFREE char *name = rd_asprintf("pvc-%s", rd_json_path_str(claim, "metadata.uid"));
    RD_AUTOFREE char *zone = NULL;
    if (disk_of(w, name, claim, &zone) == NULL) {
        add(w, "PersistentVolumeClaim", ctl_ns(claim), ctl_name(claim), DISK_MS);
        return;
    }
    json_t *o = ctl_object("v1", "PersistentVolume", NULL, name);
    json_object_set_new(json_object_get(o, "metadata"), "finalizers",
                        rd_json_pack("[s]", DISK_FINALIZER));
    json_object_set_new(json_object_get(o, "metadata"), "annotations",
                        rd_json_pack("{s:s}", "pv.kubernetes.io/provisioned-by", provisioner));
    json_object_set_new(
        o, "spec",
        rd_json_pack("{s:{s:O}, s:O, s:s, s:s, s:{s:s, s:o, s:s}}", "capacity", "storage",
                     rd_json_path(claim, "spec.resources.requests.storage"), "accessModes",
                     rd_json_path(claim, "spec.accessModes"), "persistentVolumeReclaimPolicy",
                     "Delete", "storageClassName", rd_json_path_str(claim, "spec.storageClassName"),
                     "csi", "driver", provisioner, "volumeHandle",
                     json_sprintf("projects/%s/zones/%s/disks/%s", w->e->project, zone, name),
                     "fsType", "ext4"));
    json_object_set_new(o, "status", rd_json_pack("{s:s}", "phase", "Available"));
    kube_put(w->c, "csi-provisioner", o);
    kube_event(w->c, provisioner, claim, "Normal", "ProvisioningSucceeded",
               "Successfully provisioned volume %s", name);
    bind_claim(w, claim, kube_get(w->c, "persistentvolumes", NULL, name));
}

static void look_claim(struct ctl_work *w, const json_t *claim)
{
    const char *phase = rd_json_path_str(claim, "status.phase");
    if (ctl_deleting(claim)) {
        if (!is_used(w, claim))
            set_finalizers(w, "persistentvolumeclaims", claim, "kubernetes.io/pvc-protection", false);
        return;
    }
    set_finalizers(w, "persistentvolumeclaims", claim, "kubernetes.io/pvc-protection", true);
    if (rd_streq(phase, "Bound"))
        return;
    if (rd_json_path(claim, "spec.storageClassName") == NULL) {
        kube_merge(w->c, "kube-controller-manager", "persistentvolumeclaims", ctl_ns(claim),
                   ctl_name(claim),
                   rd_json_pack("{s:{s:s}}", "spec", "storageClassName", DEFAULT_CLASS));
        return; /* told of it, and looked at again */
    }
    RD_AUTOJSON json_t *volumes = kube_list(w->c, "persistentvolumes", NULL, NULL);
    size_t n;
    json_t *v;
    json_array_foreach (volumes, n, v) {
        if (fits(v, claim)) {
            bind_claim(w, claim, v);
            return;
        }
    }
    const json_t *class = kube_get(w->c, "storageclasses.storage.k8s.io", NULL,
                                   rd_json_path_str(claim, "spec.storageClassName"));
    const char *provisioner = rd_json_str(class, "provisioner", NULL);
    bool late = rd_streq(rd_json_str(class, "volumeBindingMode", NULL), "WaitForFirstConsumer");
    if (rd_streq(provisioner, "pd.csi.storage.gke.io") && (!late || is_used(w, claim))) {
        add(w, "Provision", ctl_ns(claim), ctl_name(claim), emu_jitter(w->e, DISK_MS, 30));
        return;
    }
    if (phase == NULL)
        kube_merge(w->c, "kube-controller-manager", "persistentvolumeclaims", ctl_ns(claim),
                   ctl_name(claim), rd_json_pack("{s:{s:s}}", "status", "phase", "Pending"));
}

static void look_volume(struct ctl_work *w, const json_t *volume)
{
    const char *phase = rd_json_path_str(volume, "status.phase");
    const json_t *ref = rd_json_path(volume, "spec.claimRef");
    const char *claim_name = rd_json_str(ref, "name", NULL);
    const json_t *claim = claim_name == NULL
                              ? NULL
                              : kube_get(w->c, "persistentvolumeclaims",
                                         rd_json_str(ref, "namespace", NULL), claim_name);
    bool reclaims =
        rd_streq(rd_json_path_str(volume, "spec.persistentVolumeReclaimPolicy"), "Delete");
    if (ctl_deleting(volume)) {
        if (ctl_has_finalizer(volume, DISK_FINALIZER)) {
            const char *handle = rd_json_path_str(volume, "spec.csi.volumeHandle");
            if (handle != NULL && reclaims)
                emu_store_delete(&w->e->store, "compute.disks", handle);
            set_finalizers(w, "persistentvolumes", volume, DISK_FINALIZER, false);
            return;
        }
        if (claim == NULL)
            set_finalizers(w, "persistentvolumes", volume, "kubernetes.io/pv-protection", false);
        return;
    }
    if (phase == NULL) {
        kube_merge(w->c, "kube-controller-manager", "persistentvolumes", NULL, ctl_name(volume),
                   rd_json_pack("{s:{s:s}}", "status", "phase", "Available"));
    } else if (rd_streq(phase, "Bound") && claim == NULL) {
        RD_AUTOFREE char *name = rd_strdup(ctl_name(volume));
        kube_merge(w->c, "kube-controller-manager", "persistentvolumes", NULL, name,
                   rd_json_pack("{s:{s:s}}", "status", "phase", "Released"));
        if (reclaims)
            kube_delete(w->c, "persistentvolumes", NULL, name);
    }
    RD_AUTOJSON json_t *claims = kube_list(w->c, "persistentvolumeclaims", NULL, NULL);
    size_t n;
    json_t *other;
    json_array_foreach (claims, n, other) {
        if (!rd_streq(rd_json_path_str(other, "status.phase"), "Bound"))
            add(w, "PersistentVolumeClaim", ctl_ns(other), ctl_name(other), BIND_MS);
    }
}

/* ---- Budgets and quotas ---- */
static void look_budget(struct ctl_work *w, const json_t *budget)
{
    RD_AUTOJSON json_t *pods = kube_list(w->c, "pods", ctl_ns(budget), NULL);
    long expected = 0, healthy = 0;
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        if (ctl_pod_over(pod) || !ctl_selector_match(rd_json_path(budget, "spec.selector"),
                                                     rd_json_path(pod, "metadata.labels")))
            continue;
        expected++;
        healthy += ctl_pod_ready(pod);
    }
    long desired = (long)rd_json_path_int(budget, "spec.minAvailable", 0);
    long allowed = healthy > desired ? healthy - desired : 0;
    json_t *status = json_deep_copy(json_object_get(budget, "status"));
    status = status == NULL ? json_object() : status;
    json_t *news = rd_json_pack("{s:I, s:I, s:I, s:I, s:I}", "expectedPods", (json_int_t)expected,
                                "currentHealthy", (json_int_t)healthy, "desiredHealthy",
                                (json_int_t)desired, "disruptionsAllowed", (json_int_t)allowed,
                                "observedGeneration",
                                rd_json_path_int(budget, "metadata.generation", 1));
    json_object_update(status, news);
    json_decref(news);
    ctl_condition(status, "DisruptionAllowed", allowed > 0 ? "True" : "False",
                  allowed > 0 ? "SufficientPods" : "InsufficientPods", NULL);
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(budget));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(budget));
    kube_merge(w->c, "kube-controller-manager", "poddisruptionbudgets.policy", ns, name,
               rd_json_pack("{s:o}", "status", status));
}

static void look_quota(struct ctl_work *w, const json_t *quota)
{
    json_t *used = json_object(), *limit;
    const char *key;
    json_object_foreach (rd_json_path(quota, "spec.hard"), key, limit) {
        RD_AUTOFREE char *text = ctl_quantity(key, ctl_quota_used(w, ctl_ns(quota), key));
        json_object_set_new(used, key, json_string(text));
    }
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(quota));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(quota));
    kube_merge(w->c, "kube-controller-manager", "resourcequotas", ns, name,
               rd_json_pack("{s:{s:O, s:o}}", "status", "hard", rd_json_path(quota, "spec.hard"),
                            "used", used));
}

/* ---- Looks ---- */
static void balance(struct ctl_work *w, const json_t *service)
{
    if (!ctl_deleting(service) && ctl_has_finalizer(service, LB_FINALIZER))
        lb_make(w, service);
}

static void provision_now(struct ctl_work *w, const json_t *claim)
{
    if (!ctl_deleting(claim) && !rd_streq(rd_json_path_str(claim, "status.phase"), "Bound"))
        provision(w, claim, "pd.csi.storage.gke.io");
}

static const struct {
    const char *kind, *resource;
    void (*look)(struct ctl_work *w, const json_t *object);
} looks[] = {{"Service", "services", look_service},
             {"Balancer", "services", balance},
             {"PersistentVolumeClaim", "persistentvolumeclaims", look_claim},
             {"Provision", "persistentvolumeclaims", provision_now},
             {"PersistentVolume", "persistentvolumes", look_volume},
             {"PodDisruptionBudget", "poddisruptionbudgets.policy", look_budget},
             {"ResourceQuota", "resourcequotas", look_quota}};

void ctl_core_look(struct kube_cluster *c, const char *ns, const char *key, void *arg)
{
    const char *slash = strchr(key, '/');
    for (size_t n = 0; n < RD_ARRAY_LEN(looks); n++) {
        if (strlen(looks[n].kind) != (size_t)(slash - key) ||
            strncmp(looks[n].kind, key, (size_t)(slash - key)) != 0)
            continue;
        const json_t *object = kube_get(c, looks[n].resource, ns, slash + 1);
        if (object == NULL)
            return;
        RD_AUTOJSON json_t *held = json_incref((json_t *)object);
        looks[n].look(arg, held);
        return;
    }
}

static void add_all(struct ctl_work *w, const char *kind, const char *resource, const char *ns,
                    uint64_t ms)
{
    RD_AUTOJSON json_t *all = kube_list(w->c, resource, ns, NULL);
    size_t n;
    json_t *o;
    json_array_foreach (all, n, o)
        add(w, kind, ctl_ns(o), ctl_name(o), ms);
}

void ctl_core_told(struct ctl_work *w, enum kube_change change, const json_t *object)
{
    const char *kind = rd_json_str(object, "kind", NULL), *ns = ctl_ns(object);
    if (rd_streq(kind, "Pod")) {
        add_all(w, "Service", "services", ns, 20);
        add_all(w, "PodDisruptionBudget", "poddisruptionbudgets.policy", ns, 20);
        add_all(w, "ResourceQuota", "resourcequotas", ns, 20);
        if (rd_json_path(object, "spec.volumes") != NULL)
            add_all(w, "PersistentVolumeClaim", "persistentvolumeclaims", ns, 20);
        return;
    }
    if (change != KUBE_DELETED) {
        uint64_t ms = rd_streq(kind, "Service") && ctl_deleting(object) ? LB_GONE_MS
                      : rd_streq(kind, "PersistentVolume")              ? BIND_MS
                                                                        : 20;
        add(w, kind, ns, ctl_name(object), ms);
        return;
    }
    if (rd_streq(kind, "Service"))
        kube_delete(w->c, "endpoints", ns, ctl_name(object));
    if (rd_streq(kind, "PersistentVolumeClaim"))
        add_all(w, "PersistentVolume", "persistentvolumes", NULL, BIND_MS);
}

/* ---- What a new GKE cluster holds ---- */
static void put_class(struct ctl_work *w, const char *name, const char *type, bool standard)
{
    json_t *o = ctl_object("storage.k8s.io/v1", "StorageClass", NULL, name);
    if (standard)
        json_object_set_new(json_object_get(o, "metadata"), "annotations",
                            rd_json_pack("{s:s}", "storageclass.kubernetes.io/is-default-class",
                                         "true"));
    json_object_set_new(o, "provisioner", json_string("pd.csi.storage.gke.io"));
    json_object_set_new(o, "parameters", rd_json_pack("{s:s}", "type", type));
    json_object_set_new(o, "reclaimPolicy", json_string("Delete"));
    json_object_set_new(o, "allowVolumeExpansion", json_true());
    json_object_set_new(o, "volumeBindingMode", json_string("WaitForFirstConsumer"));
    kube_put(w->c, "addon-manager", o);
}

static void put_system(struct ctl_work *w, const char *name, const char *app, const char *cpu,
                       const char *memory)
{
    RD_AUTOFREE char *image = rd_asprintf("gke.gcr.io/%s:v1", name);
    json_t *o = ctl_object("apps/v1", "Deployment", "kube-system", name);
    json_t *labels = rd_json_pack("{s:s}", "k8s-app", app);
    rd_json_path_set(o, "metadata.labels", json_incref(labels));
    json_object_set_new(
        o, "spec",
        rd_json_pack("{s:i, s:{s:O}, s:{s:{s:O}, s:{s:[{s:s, s:s}], s:[{s:s, s:s, s:{s:{s:s, s:s}}}]}}}",
                     "replicas", 1, "selector", "matchLabels", labels, "template", "metadata",
                     "labels", labels, "spec", "tolerations", "key", "components.gke.io/gke-managed",
                     "operator", "Exists", "containers", "name", name, "image", image, "resources",
                     "requests", "cpu", cpu, "memory", memory));
    json_decref(labels);
    kube_put(w->c, "addon-manager", o);
}

void ctl_core_seed(struct ctl_work *w)
{
    put_class(w, DEFAULT_CLASS, "pd-balanced", true);
    put_class(w, "standard", "pd-standard", false);
    put_class(w, "premium-rwo", "pd-ssd", false);
    static const struct {
        const char *name, *app, *cpu, *memory;
    } system[] = {{"kube-dns", "kube-dns", "260m", "110Mi"},
                  {"konnectivity-agent", "konnectivity-agent", "10m", "30Mi"},
                  {"metrics-server", "metrics-server", "48m", "105Mi"}};
    for (size_t n = 0; n < RD_ARRAY_LEN(system); n++)
        put_system(w, system[n].name, system[n].app, system[n].cpu, system[n].memory);
    json_t *dns = ctl_object("v1", "Service", "kube-system", "kube-dns");
    rd_json_path_set(dns, "metadata.labels", rd_json_pack("{s:s}", "k8s-app", "kube-dns"));
    json_object_set_new(
        dns, "spec",
        rd_json_pack("{s:s, s:[s], s:s, s:{s:s}, s:[{s:s, s:i, s:s, s:i}, {s:s, s:i, s:s, s:i}]}",
                     "clusterIP", "34.118.224.10", "clusterIPs", "34.118.224.10", "type",
                     "ClusterIP", "selector", "k8s-app", "kube-dns", "ports", "name", "dns", "port",
                     53, "protocol", "UDP", "targetPort", 53, "name", "dns-tcp", "port", 53,
                     "protocol", "TCP", "targetPort", 53));
    kube_put(w->c, "addon-manager", dns);
}
