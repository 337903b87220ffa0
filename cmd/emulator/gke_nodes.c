/* The machines behind node pools: instances, instance groups and boot disks in the Compute API. */
#include "gke_internal.h"

#include "quota.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define LINK "https://www.googleapis.com/compute/v1/"

long gke_pool_nodes(const json_t *cluster, const json_t *pool)
{
    json_t *locations = json_object_get(pool, "locations");
    if (json_array_size(locations) == 0)
        locations = json_object_get(cluster, "locations");
    long zones = (long)json_array_size(locations);
    if (zones == 0)
        zones = 1;
    if (json_object_get(pool, "_nodes") != NULL)
        return (long)rd_json_path_int(pool, "_nodes", 0);
    long per_zone = (long)rd_json_path_int(pool, "initialNodeCount", 0);
    long nodes = per_zone * zones;
    if (rd_json_path_bool(pool, "autoscaling.enabled", false)) {
        long total_min = (long)rd_json_path_int(pool, "autoscaling.totalMinNodeCount", 0);
        long min = (long)rd_json_path_int(pool, "autoscaling.minNodeCount", 0) * zones;
        if (min > nodes)
            nodes = min;
        if (total_min > nodes)
            nodes = total_min;
    }
    return nodes;
}

/* What one node counts against. Owned. */
static json_t *node_uses(const json_t *pool)
{
    const char *type = rd_json_path_str(pool, "config.machineType");
    bool spot = rd_json_path_bool(pool, "config.spot", false) ||
                rd_json_path_bool(pool, "config.preemptible", false);
    const char *metric = "CPUS";
    long cpus = emu_machine_cpus(type == NULL ? "e2-medium" : type, &metric);
    json_t *uses =
        rd_json_pack("{s:I, s:I, s:I}", "INSTANCES", (json_int_t)1, "CPUS_ALL_REGIONS",
                     (json_int_t)cpus, spot ? "PREEMPTIBLE_CPUS" : metric, (json_int_t)cpus);
    const json_t *acc = json_array_get(rd_json_path(pool, "config.accelerators"), 0);
    const char *count = rd_json_str(acc, "acceleratorCount", NULL);
    if (acc != NULL) {
        long gpus = count == NULL ? (long)rd_json_path_int(acc, "acceleratorCount", 1)
                                  : strtol(count, NULL, 10);
        json_object_set_new(uses, spot ? "PREEMPTIBLE_NVIDIA_T4_GPUS" : "NVIDIA_T4_GPUS",
                            json_integer(gpus));
        json_object_set_new(uses, "GPUS_ALL_REGIONS", json_integer(gpus));
    }
    const char *disk = rd_json_path_str(pool, "config.diskType");
    long gb = (long)rd_json_path_int(pool, "config.diskSizeGb", 100);
    json_object_set_new(uses, rd_streq(disk, "pd-standard") ? "DISKS_TOTAL_GB" : "SSD_TOTAL_GB",
                        json_integer(gb));
    return uses;
}

char *gke_quota_short(struct emu *e, const json_t *pool, long nodes)
{
    RD_AUTOJSON json_t *uses = node_uses(pool);
    const char *metric;
    json_t *value;
    json_object_foreach (uses, metric, value) {
        long want = (long)json_integer_value(value) * nodes;
        long lacking = emu_quota_short(e, metric, want);
        if (lacking == 0)
            continue;
        const struct emu_quota *q = emu_quota_by_metric(metric);
        long limit = emu_quota_limit(e, q);
        return rd_asprintf("Insufficient %s quota to satisfy request: resource \"%s\": request "
                           "requires '%ld.0' and is short '%ld.0'. project has a quota of '%ld.0' "
                           "with '%ld.0' available.",
                           q->global ? "project" : "regional", metric, want, lacking, limit,
                           limit - emu_quota_usage(e, q));
    }
    return NULL;
}

static char *node_prefix(const char *cluster, const json_t *pool)
{
    return rd_asprintf("gke-%s-%s-%s-", strrchr(cluster, '/') + 1, rd_json_str(pool, "name", NULL),
                       rd_json_str(pool, "_hash", NULL));
}

json_t *gke_instances(struct emu *e, const char *cluster, const char *pool)
{
    json_t *list = json_array();
    const char *name;
    json_t *i;
    json_object_foreach (emu_store_all(&e->store, "compute.instances"), name, i) {
        if (rd_streq(rd_json_str(i, "_cluster", NULL), cluster) &&
            (pool == NULL || rd_streq(rd_json_str(i, "_pool", NULL), pool)))
            json_array_append(list, i);
    }
    return list;
}

json_t *gke_node_list(struct emu *e, const char *cluster)
{
    RD_AUTOJSON json_t *instances = gke_instances(e, cluster, NULL);
    json_t *nodes = json_array();
    size_t k;
    json_t *i;
    json_array_foreach (instances, k, i) {
        const char *machine = strrchr(rd_json_str(i, "machineType", NULL), '/') + 1;
        const char *zone = strrchr(rd_json_str(i, "zone", NULL), '/') + 1;
        json_t *node =
            rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", rd_json_str(i, "name", NULL), "pool",
                         rd_json_str(i, "_pool", NULL), "zone", zone, "machineType", machine, "ip",
                         rd_json_str(i, "_ip", NULL));
        const char *acc = rd_json_str(i, "_accelerator", NULL);
        json_object_set_new(node, "accelerator", acc == NULL ? json_null() : json_string(acc));
        json_object_set_new(node, "spot", json_boolean(rd_json_path_bool(i, "_spot", false)));
        json_array_append_new(nodes, node);
    }
    return nodes;
}

static void add_node(struct emu *e, const char *cluster, const json_t *cluster_json,
                     const json_t *pool, const char *zone)
{
    char hex[5];
    emu_rand_hex(e, hex, 4);
    RD_AUTOFREE char *prefix = node_prefix(cluster, pool);
    RD_AUTOFREE char *name = rd_asprintf("%s%s", prefix, hex);
    RD_AUTOFREE char *full =
        rd_asprintf("projects/%s/zones/%s/instances/%s", e->project, zone, name);
    RD_AUTOFREE char *disk = rd_asprintf("projects/%s/zones/%s/disks/%s", e->project, zone, name);
    const char *type = rd_json_path_str(pool, "config.machineType");
    unsigned long ip = (unsigned long)(2 + emu_rand(e) % 60000);
    json_t *i = json_object();
    json_object_set_new(i, "kind", json_string("compute#instance"));
    json_object_set_new(i, "id", json_sprintf("%llu", (unsigned long long)(emu_rand(e) >> 1)));
    json_object_set_new(i, "name", json_string(name));
    json_object_set_new(i, "status", json_string("RUNNING"));
    json_object_set_new(i, "zone", json_sprintf(LINK "projects/%s/zones/%s", e->project, zone));
    json_object_set_new(
        i, "machineType",
        json_sprintf(LINK "projects/%s/zones/%s/machineTypes/%s", e->project, zone, type));
    json_object_set_new(i, "selfLink", json_sprintf(LINK "%s", full));
    json_object_set_new(i, "labels",
                        rd_json_pack("{s:s, s:s}", "goog-gke-node", "", "goog-k8s-cluster-name",
                                     strrchr(cluster, '/') + 1));
    json_t *nic = json_object();
    json_object_set_new(
        nic, "network",
        json_sprintf(LINK "%s", rd_json_path_str(cluster_json, "networkConfig.network")));
    json_object_set_new(
        nic, "subnetwork",
        json_sprintf(LINK "%s", rd_json_path_str(cluster_json, "networkConfig.subnetwork")));
    json_object_set_new(i, "_ip", json_sprintf("10.0.%lu.%lu", ip / 250, ip % 250 + 2));
    json_object_set(nic, "networkIP", json_object_get(i, "_ip"));
    json_object_set_new(i, "networkInterfaces", rd_json_pack("[o]", nic));
    json_object_set_new(i, "disks",
                        rd_json_pack("[{s:b, s:b, s:o}]", "boot", 1, "autoDelete", 1, "source",
                                     json_sprintf(LINK "%s", disk)));
    json_object_set_new(i, "_cluster", json_string(cluster));
    json_object_set_new(i, "_pool", json_string(rd_json_str(pool, "name", NULL)));
    json_object_set_new(i, "_uses", node_uses(pool));
    json_object_set_new(i, "_disk", json_string(disk));
    json_object_set_new(i, "_spot", json_boolean(rd_json_path_bool(pool, "config.spot", false)));
    const char *acc = rd_json_str(json_array_get(rd_json_path(pool, "config.accelerators"), 0),
                                  "acceleratorType", NULL);
    if (acc != NULL)
        json_object_set_new(i, "_accelerator", json_string(acc));
    emu_store_put(&e->store, "compute.instances", full, i);
    emu_store_put(
        &e->store, "compute.disks", disk,
        rd_json_pack("{s:s, s:s, s:o, s:o, s:s}", "kind", "compute#disk", "name", name, "sizeGb",
                     json_sprintf("%ld", (long)rd_json_path_int(pool, "config.diskSizeGb", 100)),
                     "selfLink", json_sprintf(LINK "%s", disk), "status", "READY"));
}

static void drop_node(struct emu *e, json_t *instance)
{
    RD_AUTOFREE char *disk = rd_strdup(rd_json_str(instance, "_disk", NULL));
    RD_AUTOFREE char *full = rd_strdup(rd_json_str(instance, "selfLink", NULL) + strlen(LINK));
    emu_store_delete(&e->store, "compute.disks", disk);
    emu_store_delete(&e->store, "compute.instances", full);
}

void gke_set_nodes(struct emu *e, const char *cluster, const json_t *cluster_json, json_t *pool,
                   long count)
{
    RD_AUTOJSON json_t *have = gke_instances(e, cluster, rd_json_str(pool, "name", NULL));
    long now = (long)json_array_size(have);
    json_object_set_new(pool, "_nodes", json_integer(count));
    for (long k = now; k > count; k--)
        drop_node(e, json_array_get(have, (size_t)(k - 1)));
    json_t *zones = json_object_get(pool, "locations");
    if (json_array_size(zones) == 0)
        zones = json_object_get(cluster_json, "locations");
    for (long k = now; k < count; k++)
        add_node(e, cluster, cluster_json, pool,
                 json_string_value(json_array_get(zones, (size_t)k % json_array_size(zones))));
}
