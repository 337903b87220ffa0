/* Nodes, from the machines behind node pools: what GKE puts on them and what it keeps for itself. */
#include "ctl_work.h"

#include "gke.h"
#include "quota.h"

#include <stdlib.h>
#include <string.h>

static const json_t *pool_of(const json_t *cluster, const char *name)
{
    size_t n;
    json_t *pool;
    json_array_foreach (json_object_get(cluster, "nodePools"), n, pool) {
        if (rd_streq(rd_json_str(pool, "name", NULL), name))
            return pool;
    }
    return NULL;
}

/* GKE's reservations: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the
 * rest; 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112, 2 % of
 * the rest, and 100 MiB for eviction. */
static long free_cpu_milli(long cpus)
{
    long kept_centi = 600; /* hundredths of a thousandth */
    for (long n = 0; n < cpus; n++)
        kept_centi += n == 0 ? 5400 : n == 1 ? 1000 : n < 4 ? 500 : 250;
    return cpus * 1000 - kept_centi / 100;
}

static long free_memory_mb(long mb)
{
    static const struct {
        long up_to_mb, percent;
    } steps[] = {{4096, 25}, {8192, 20}, {16384, 10}, {131072, 6}, {1L << 40, 2}};
    long kept = 100, from = 0;
    for (size_t n = 0; n < RD_ARRAY_LEN(steps) && from < mb; n++) {
        long to = mb < steps[n].up_to_mb ? mb : steps[n].up_to_mb;
        kept += (to - from) * steps[n].percent / 100;
        from = to;
    }
    return mb - kept;
}

static long gpus_of(const json_t *pool)
{
    const json_t *acc = json_array_get(rd_json_path(pool, "config.accelerators"), 0);
    const char *count = rd_json_str(acc, "acceleratorCount", NULL);
    return acc == NULL     ? 0
           : count == NULL ? (long)rd_json_path_int(acc, "acceleratorCount", 1)
                           : strtol(count, NULL, 10);
}

static json_t *labels_of(struct ctl_work *w, const json_t *pool, const char *name,
                         const char *machine, const char *zone)
{
    RD_AUTOFREE char *region = rd_strndup(zone, strlen(zone) > 2 ? strlen(zone) - 2 : 0);
    RD_AUTOFREE char *family = rd_strndup(machine, strcspn(machine, "-"));
    json_t *labels = rd_json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kubernetes.io/hostname", name,
        "kubernetes.io/arch", "amd64", "kubernetes.io/os", "linux",
        "node.kubernetes.io/instance-type", machine, "topology.kubernetes.io/zone", zone,
        "topology.kubernetes.io/region", region, "cloud.google.com/gke-nodepool",
        rd_json_str(pool, "name", NULL), "cloud.google.com/machine-family", family,
        "cloud.google.com/gke-os-distribution", "cos", "cloud.google.com/private-node", "true");
    if (rd_json_path_bool(pool, "config.spot", false))
        json_object_set_new(labels, "cloud.google.com/gke-spot", json_string("true"));
    if (rd_streq(rd_json_path_str(pool, "config.workloadMetadataConfig.mode"), "GKE_METADATA"))
        json_object_set_new(labels, "iam.gke.io/gke-metadata-server-enabled", json_string("true"));
    const char *acc = rd_json_str(json_array_get(rd_json_path(pool, "config.accelerators"), 0),
                                  "acceleratorType", NULL);
    if (acc != NULL)
        json_object_set_new(labels, "cloud.google.com/gke-accelerator", json_string(acc));
    json_t *own = rd_json_path(pool, "config.labels");
    if (own != NULL)
        json_object_update(labels, own);
    (void)w;
    return labels;
}

static const char *effect_of(const char *google)
{
    return rd_streq(google, "NO_EXECUTE")           ? "NoExecute"
           : rd_streq(google, "PREFER_NO_SCHEDULE") ? "PreferNoSchedule"
                                                    : "NoSchedule";
}

json_t *ctl_node_make(struct ctl_work *w, const json_t *cluster, const json_t *pool,
                      const json_t *instance)
{
    const char *machine = rd_json_path_str(pool, "config.machineType");
    json_t *zones = json_object_get(pool, "locations");
    if (json_array_size(zones) == 0)
        zones = json_object_get(cluster, "locations");
    const char *zone = rd_json_str(instance, "zone", NULL);
    if (zone == NULL)
        zone = json_string_value(json_array_get(zones, 0));
    const char *name = instance == NULL ? "template" : rd_json_str(instance, "name", NULL);
    machine = machine == NULL ? "e2-medium" : machine;
    const char *metric;
    long cpus = emu_machine_cpus(machine, &metric);
    long mb = emu_machine_memory_mb(machine), gpus = gpus_of(pool);
    long disk = (long)rd_json_path_int(pool, "config.diskSizeGb", 100);
    json_t *o = ctl_object("v1", "Node", NULL, name);
    json_object_set_new(json_object_get(o, "metadata"), "labels",
                        labels_of(w, pool, name, machine, zone == NULL ? "" : zone));
    json_t *taints = json_array();
    if (gpus > 0 && json_array_size(json_object_get(cluster, "nodePools")) > 1)
        json_array_append_new(taints, rd_json_pack("{s:s, s:s, s:s}", "key", "nvidia.com/gpu",
                                                   "value", "present", "effect", "NoSchedule"));
    size_t n;
    json_t *t;
    json_array_foreach (rd_json_path(pool, "config.taints"), n, t)
        json_array_append_new(taints, rd_json_pack("{s:s, s:s, s:s}", "key",
                                                   rd_json_str(t, "key", NULL), "value",
                                                   rd_json_str(t, "value", NULL), "effect",
                                                   effect_of(rd_json_str(t, "effect", NULL))));
    rd_json_path_set(o, "spec.providerID",
                     json_sprintf("gce://%s/%s/%s", w->e->project, zone == NULL ? "" : zone, name));
    if (json_array_size(taints) > 0)
        rd_json_path_set(o, "spec.taints", json_incref(taints));
    json_decref(taints);
    json_t *capacity = rd_json_pack("{s:o, s:o, s:o, s:s}", "cpu", json_sprintf("%ld", cpus),
                                    "memory", json_sprintf("%ldMi", mb), "ephemeral-storage",
                                    json_sprintf("%ldGi", disk), "pods", "110");
    json_t *allocatable = rd_json_pack(
        "{s:o, s:o, s:o, s:s}", "cpu", json_sprintf("%ldm", free_cpu_milli(cpus)), "memory",
        json_sprintf("%ldMi", free_memory_mb(mb)), "ephemeral-storage",
        json_sprintf("%ldGi", disk > 40 ? disk * 6 / 10 : disk / 2), "pods", "110");
    if (gpus > 0) {
        json_object_set_new(capacity, "nvidia.com/gpu", json_sprintf("%ld", gpus));
        json_object_set_new(allocatable, "nvidia.com/gpu", json_sprintf("%ld", gpus));
    }
    json_t *status = rd_json_pack("{s:o, s:o}", "capacity", capacity, "allocatable", allocatable);
    ctl_condition(status, "Ready", "True", "KubeletReady", "kubelet is posting ready status");
    static const char *const calm[] = {"MemoryPressure", "DiskPressure", "PIDPressure",
                                       "NetworkUnavailable"};
    for (n = 0; n < RD_ARRAY_LEN(calm); n++)
        ctl_condition(status, calm[n], "False", "KubeletHasSufficient", NULL);
    const char *ip = rd_json_str(instance, "ip", NULL);
    json_object_set_new(status, "addresses",
                        rd_json_pack("[{s:s, s:s}, {s:s, s:s}]", "type", "InternalIP", "address",
                                     ip == NULL ? "10.0.0.2" : ip, "type", "Hostname", "address",
                                     name));
    json_object_set_new(status, "nodeInfo",
                        rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "kubeletVersion",
                                     "v1.35.3-gke.1234000", "osImage", "Container-Optimized OS",
                                     "architecture", "amd64", "operatingSystem", "linux",
                                     "containerRuntimeVersion", "containerd://2.1.5"));
    json_object_set_new(o, "status", status);
    return o;
}

/* What GKE runs on every node. */
static void put_agents(struct ctl_work *w, const char *node)
{
    static const struct {
        const char *name, *cpu, *memory;
    } agents[] = {{"fluentbit-gke", "100m", "200Mi"},
                  {"gke-metadata-server", "100m", "100Mi"},
                  {"node-local-dns", "25m", "20Mi"}};
    for (size_t n = 0; n < RD_ARRAY_LEN(agents); n++) {
        const char *tail = strrchr(node, '-');
        RD_AUTOFREE char *name = rd_asprintf("%s%s", agents[n].name, tail == NULL ? "" : tail);
        RD_AUTOFREE char *image = rd_asprintf("gke.gcr.io/%s:v1", agents[n].name);
        if (kube_get(w->c, "pods", "kube-system", name) != NULL)
            continue;
        json_t *o = ctl_object("v1", "Pod", "kube-system", name);
        rd_json_path_set(o, "metadata.labels", rd_json_pack("{s:s}", "k8s-app", agents[n].name));
        json_object_set_new(
            o, "spec",
            rd_json_pack("{s:s, s:[{s:s}], s:s, s:[{s:s, s:s, s:{s:{s:s, s:s}}}]}", "nodeName",
                         node, "tolerations", "operator", "Exists", "priorityClassName",
                         "system-node-critical", "containers", "name", agents[n].name, "image",
                         image, "resources", "requests", "cpu", agents[n].cpu, "memory",
                         agents[n].memory));
        char *why = NULL;
        ctl_pod_create(w, "daemonset-controller", o, &why);
        free(why);
    }
}

void ctl_nodes_set(struct kube_cluster *c, const json_t *cluster, const json_t *instances)
{
    struct ctl_work *w = ctl_work_of(c);
    if (w == NULL)
        return;
    json_t *wanted = json_object();
    size_t n;
    json_t *i;
    json_array_foreach ((json_t *)instances, n, i) {
        const char *name = rd_json_str(i, "name", NULL);
        const json_t *pool = pool_of(cluster, rd_json_str(i, "pool", NULL));
        json_object_set_new(wanted, name, json_true());
        if (pool == NULL || kube_get(c, "nodes", NULL, name) != NULL)
            continue;
        kube_put(c, "kubelet", ctl_node_make(w, cluster, pool, i));
        put_agents(w, name);
    }
    RD_AUTOJSON json_t *nodes = kube_list(c, "nodes", NULL, NULL);
    json_array_foreach (nodes, n, i) {
        if (json_object_get(wanted, ctl_name(i)) == NULL)
            kube_delete(c, "nodes", NULL, ctl_name(i));
    }
    json_decref(wanted);
}
