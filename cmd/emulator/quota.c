#include "quota.h"

#include "setting.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define COMPUTE "compute.googleapis.com"
#define FILESTORE "file.googleapis.com"

const struct emu_quota emu_quotas[] = {
    {COMPUTE, "CPUS", "CPUS-per-project-region", 72, false},
    {COMPUTE, "N2_CPUS", "N2-CPUS-per-project-region", 72, false},
    {COMPUTE, "PREEMPTIBLE_CPUS", "PREEMPTIBLE-CPUS-per-project-region", 72, false},
    {COMPUTE, "NVIDIA_T4_GPUS", "NVIDIA-T4-GPUS-per-project-region", 4, false},
    {COMPUTE, "PREEMPTIBLE_NVIDIA_T4_GPUS", "PREEMPTIBLE-NVIDIA-T4-GPUS-per-project-region", 4,
     false},
    {COMPUTE, "SSD_TOTAL_GB", "SSD-TOTAL-GB-per-project-region", 2000, false},
    {COMPUTE, "DISKS_TOTAL_GB", "DISKS-TOTAL-GB-per-project-region", 8192, false},
    {COMPUTE, "IN_USE_ADDRESSES", "IN-USE-ADDRESSES-per-project-region", 16, false},
    {COMPUTE, "STATIC_ADDRESSES", "STATIC-ADDRESSES-per-project-region", 16, false},
    {COMPUTE, "INSTANCES", "INSTANCES-per-project-region", 720, false},
    {COMPUTE, "CPUS_ALL_REGIONS", "CPUS-ALL-REGIONS-per-project", 96, true},
    {COMPUTE, "GPUS_ALL_REGIONS", "GPUS-ALL-REGIONS-per-project", 4, true},
    {COMPUTE, "NETWORKS", "NETWORKS-per-project", 15, true},
    {COMPUTE, "SUBNETWORKS", "SUBNETWORKS-per-project", 100, true},
    {COMPUTE, "ROUTERS", "ROUTERS-per-project", 20, true},
    {COMPUTE, "FIREWALLS", "FIREWALLS-per-project", 200, true},
    {FILESTORE, "StandardStorageGbPerRegion", "StandardStorageGbPerRegion", 4096, false},
    {FILESTORE, "PremiumStorageGbPerRegion", "PremiumStorageGbPerRegion", 4096, false},
    {FILESTORE, "HighScaleSSDStorageGibPerRegion", "HighScaleSSDStorageGibPerRegion", 10240, false},
    {FILESTORE, "EnterpriseStorageGibPerRegion", "EnterpriseStorageGibPerRegion", 10240, false},
};
const size_t emu_quotas_len = RD_ARRAY_LEN(emu_quotas);

const struct emu_quota *emu_quota_by_id(const char *id, const char *service)
{
    for (size_t i = 0; i < emu_quotas_len; i++) {
        if (rd_streq(emu_quotas[i].id, id) && rd_streq(emu_quotas[i].service, service))
            return &emu_quotas[i];
    }
    return NULL;
}

const struct emu_quota *emu_quota_by_metric(const char *metric)
{
    for (size_t i = 0; i < emu_quotas_len; i++) {
        if (rd_streq(emu_quotas[i].metric, metric))
            return &emu_quotas[i];
    }
    return NULL;
}

long emu_quota_limit(struct emu *e, const struct emu_quota *q)
{
    size_t len = strlen(q->metric);
    for (size_t i = e->settings.len; i-- > 0;) {
        const char *s = e->settings.v[i];
        if (rd_starts_with(s, "quota=") && strncmp(s + 6, q->metric, len) == 0 && s[6 + len] == '=')
            return strtol(s + 6 + len + 1, NULL, 10);
    }
    return q->limit;
}

long emu_machine_cpus(const char *machine_type, const char **ret_metric)
{
    static const struct {
        const char *name;
        long cpus;
    } shared[] = {
        {"e2-micro", 2}, {"e2-small", 2}, {"e2-medium", 2}, {"f1-micro", 1}, {"g1-small", 1}};
    *ret_metric = rd_starts_with(machine_type, "n2-") ? "N2_CPUS" : "CPUS";
    for (size_t i = 0; i < RD_ARRAY_LEN(shared); i++) {
        if (rd_streq(shared[i].name, machine_type))
            return shared[i].cpus;
    }
    const char *dash = strrchr(machine_type, '-');
    return dash == NULL ? 0 : strtol(dash + 1, NULL, 10);
}

long emu_machine_memory_mb(const char *machine_type)
{
    const char *metric;
    long cpus = emu_machine_cpus(machine_type, &metric);
    if (rd_streq(machine_type, "e2-medium"))
        return 4096;
    if (strstr(machine_type, "-standard-") != NULL)
        return cpus * (rd_starts_with(machine_type, "n1-") ? 3840 : 4096);
    if (strstr(machine_type, "-highmem-") != NULL)
        return cpus * (rd_starts_with(machine_type, "n1-") ? 6656 : 8192);
    if (strstr(machine_type, "-highcpu-") != NULL)
        return cpus * 1024;
    return cpus == 0 ? 0 : 2048;
}

static long count_kind(struct emu *e, const char *kind)
{
    return (long)json_object_size(emu_store_all(&e->store, kind));
}

static long filestore_gb(struct emu *e, const char *metric)
{
    const char *name;
    json_t *i;
    long sum = 0;
    json_object_foreach (emu_store_all(&e->store, "file.instances"), name, i) {
        const char *m = rd_json_str(i, "_metric", NULL);
        if (rd_streq(m, metric))
            sum += strtol(rd_json_path_str(i, "_capacity_gb"), NULL, 10);
    }
    return sum;
}

/* Instances carry what they count for: {"CPUS": 4, "NVIDIA_T4_GPUS": 1, ...}. */
static long instances_use(struct emu *e, const char *metric)
{
    const char *name;
    json_t *i;
    long sum = 0;
    json_object_foreach (emu_store_all(&e->store, "compute.instances"), name, i)
        sum += (long)json_integer_value(json_object_get(json_object_get(i, "_uses"), metric));
    return sum;
}

long emu_quota_usage(struct emu *e, const struct emu_quota *q)
{
    if (rd_streq(q->service, FILESTORE))
        return filestore_gb(e, q->metric);
    static const char *const kinds[][2] = {{"NETWORKS", "compute.networks"},
                                           {"SUBNETWORKS", "compute.subnetworks"},
                                           {"ROUTERS", "compute.routers"},
                                           {"FIREWALLS", "compute.firewalls"},
                                           {"STATIC_ADDRESSES", "compute.addresses"},
                                           {"INSTANCES", "compute.instances"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(kinds); i++) {
        if (rd_streq(kinds[i][0], q->metric))
            return count_kind(e, kinds[i][1]);
    }
    return instances_use(e, q->metric);
}

json_t *emu_quota_list(struct emu *e, bool global)
{
    json_t *list = json_array();
    for (size_t i = 0; i < emu_quotas_len; i++) {
        const struct emu_quota *q = &emu_quotas[i];
        if (q->global != global || !rd_streq(q->service, COMPUTE))
            continue;
        json_array_append_new(list, rd_json_pack("{s:s, s:f, s:f}", "metric", q->metric, "limit",
                                                 (double)emu_quota_limit(e, q), "usage",
                                                 (double)emu_quota_usage(e, q)));
    }
    return list;
}

long emu_quota_short(struct emu *e, const char *metric, long amount)
{
    const struct emu_quota *q = emu_quota_by_metric(metric);
    if (q == NULL)
        return 0;
    long over = emu_quota_usage(e, q) + amount - emu_quota_limit(e, q);
    return over > 0 ? over : 0;
}
