#include "phase/steps/quota_plan.h"

#include "base/alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTA_PAGE "https://console.cloud.google.com/iam-admin/quotas"

unsigned quota_vcpus(const char *machine_type)
{
    const char *family_end = strchr(machine_type, '-');
    if (!family_end)
        return 0;
    const char *shape = family_end + 1;
    if (rd_starts_with(shape, "micro") || rd_starts_with(shape, "small") ||
        rd_starts_with(shape, "medium"))
        return 2; /* shared cores of E2 count in full */
    if (rd_starts_with(shape, "custom-"))
        return (unsigned)strtoul(shape + strlen("custom-"), NULL, 10);
    const char *number = strchr(shape, '-');
    return number ? (unsigned)strtoul(number + 1, NULL, 10) : 0;
}

void quota_cpu_metric(const char *machine_type, bool spot, char out[64])
{
    /* E2, N1 and what is older than quotas per family share one. */
    static const char *const shared[] = {"e2", "n1", "f1", "g1", "custom", NULL};
    char family[16] = "";
    size_t n = strcspn(machine_type, "-");
    snprintf(family, sizeof family, "%.*s", (int)(n < sizeof family ? n : sizeof family - 1),
             machine_type);
    for (size_t i = 0; shared[i]; i++)
        if (rd_streq(family, shared[i]))
            family[0] = '\0';
    for (char *p = family; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    if (spot)
        snprintf(out, 64, "PREEMPTIBLE_CPUS");
    else
        snprintf(out, 64, "%s%sCPUS", family, family[0] ? "_" : "");
}

void quota_gpu_metric(const char *accelerator, bool spot, char out[64])
{
    const char *model = accelerator;
    if (rd_starts_with(model, "nvidia-"))
        model += strlen("nvidia-");
    if (rd_starts_with(model, "tesla-"))
        model += strlen("tesla-");
    char upper[32] = "";
    for (size_t i = 0; model[i] && i + 1 < sizeof upper; i++) {
        upper[i] = model[i] == '-' ? '_' : (char)toupper((unsigned char)model[i]);
        upper[i + 1] = '\0';
    }
    snprintf(out, 64, "%sNVIDIA_%s_GPUS", spot ? "PREEMPTIBLE_" : "", upper);
}

const char *quota_filestore_id(const char *tier)
{
    static const char *const ids[][2] = {
        {"BASIC_HDD", "StandardStorageGbPerRegion"},
        {"BASIC_SSD", "PremiumStorageGbPerRegion"},
        {"HIGH_SCALE_SSD", "HighScaleSSDStorageGibPerRegion"},
        {"ENTERPRISE", "EnterpriseStorageGibPerRegion"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(ids); i++)
        if (rd_streq(tier, ids[i][0]))
            return ids[i][1];
    return NULL;
}

/* An instance's name: projects/P/locations/LOCATION/instances/I; a zone's begins with its region. */
static bool is_in_region(const char *name, const char *region)
{
    const char *at = name ? strstr(name, "/locations/") : NULL;
    if (!at)
        return false;
    at += strlen("/locations/");
    size_t n = strlen(region);
    return strncmp(at, region, n) == 0 && (at[n] == '/' || at[n] == '-');
}

double quota_filestore_used(const json_t *instances, const char *tier, const char *region)
{
    double used = 0;
    size_t i, k;
    const json_t *one, *share;
    json_array_foreach(instances, i, one) {
        if (!rd_streq(rd_json_str(one, "tier", NULL), tier) ||
            !is_in_region(rd_json_str(one, "name", NULL), region))
            continue;
        json_array_foreach(json_object_get(one, "fileShares"), k, share) {
            const json_t *gb = json_object_get(share, "capacityGb");
            used += json_is_string(gb) ? strtod(json_string_value(gb), NULL)
                                       : json_number_value(gb);
        }
    }
    return used;
}

/* ---- The plan ---- */

static void need(struct quota_needs *all, const char *metric, bool project, double amount,
                 double most, const char *what)
{
    struct quota_need *n = NULL;
    for (size_t i = 0; i < all->len; i++)
        if (rd_streq(all->v[i].metric, metric))
            n = &all->v[i];
    if (!n) {
        RD_ASSERT(all->len < QUOTA_NEEDS_MAX);
        n = &all->v[all->len++];
        *n = (struct quota_need){.project = project};
        snprintf(n->metric, sizeof n->metric, "%s", metric);
    }
    n->amount += amount;
    n->most += most;
    size_t at = strlen(n->what);
    snprintf(n->what + at, sizeof n->what - at, "%s%s", at ? ", " : "", what);
}

static void need_nodes(struct quota_needs *all, const char *machine_type, bool spot, double count,
                       double most, double disk_gb, const char *what)
{
    char metric[64];
    double each = quota_vcpus(machine_type);
    quota_cpu_metric(machine_type, spot, metric);
    if (each > 0) {
        need(all, metric, false, count * each, most * each, what);
        need(all, "CPUS_ALL_REGIONS", true, count * each, most * each, what);
    }
    need(all, "SSD_TOTAL_GB", false, count * disk_gb, most * disk_gb, what);
}

static double at_least_one(json_int_t n)
{
    return n > 1 ? (double)n : 1;
}

void quota_plan(const struct config *c, const struct quota_there *there, struct quota_needs *ret)
{
    memset(ret, 0, sizeof *ret);
    if (!there->management && there->bootstrap) {
        need_nodes(ret, "e2-standard-4", false, 1, 1, 50, "management cluster");
        if (!there->management_network)
            need(ret, "NETWORKS", true, 1, 1, "network of the management cluster");
    }
    if (!there->network)
        need(ret, "NETWORKS", true, 1, 1, "network of the deployment");
    if (!there->cluster) {
        /* GKE makes a pool first that goes at once: a small node in each zone. */
        double zones = there->zones && there->zones < 3 ? there->zones : 3;
        need(ret, "CPUS", false, 2 * zones, 2 * zones, "the cluster's first pool");
        need(ret, "DISKS_TOTAL_GB", false, 30 * zones, 30 * zones, "the cluster's first pool");
        need(ret, "IN_USE_ADDRESSES", false, 1, 1, "NAT");
    }
    if (!there->cpu_pool)
        need_nodes(ret, c->cpu_pool.machine_type, c->cpu_pool.spot, at_least_one(c->cpu_pool.min),
                   (double)c->cpu_pool.max, (double)c->cpu_pool.disk_gb, "CPU pool");
    if (c->gpu_pool.enabled && !there->gpu_pool) {
        char metric[64];
        quota_gpu_metric(c->gpu_pool.accelerator, c->gpu_pool.spot, metric);
        double min = (double)c->gpu_pool.min, max = (double)c->gpu_pool.max;
        need(ret, metric, false, at_least_one(c->gpu_pool.min), max, "GPU pool");
        need(ret, "GPUS_ALL_REGIONS", true, at_least_one(c->gpu_pool.min), max, "GPU pool");
        need_nodes(ret, c->gpu_pool.machine_type, c->gpu_pool.spot, min, max, 100, "GPU pool");
    }
}

/* ---- Judging ---- */

static bool is_gpu(const char *metric)
{
    return strstr(metric, "GPUS") != NULL;
}

struct rd_err *quota_judge(const struct config *c, const struct quota_need *n, double limit,
                           double usage, char **ret_warn)
{
    double left = limit - usage;
    if (limit < 0 || n->most <= left)
        return NULL;
    const char *where = n->project ? c->project : c->region;
    if (n->amount <= left) {
        *ret_warn = rd_asprintf("quota %s in %s has %g of %g left; at their largest the node pools "
                                "would take %g (%s)",
                                n->metric, where, left, limit, n->most, n->what);
        return NULL;
    }
    struct rd_err *err =
        rd_err_new(RD_ERR_PREFLIGHT, "quota %s in %s: %g needed (%s), %g of %g left", n->metric,
                   where, n->amount, n->what, left > 0 ? left : 0, limit);
    if (is_gpu(n->metric))
        rd_err_hint(err, "Set gpuPool.enabled=false to go on without GPUs, or ask for more of %s: "
                         QUOTA_PAGE,
                    n->metric);
    else
        rd_err_hint(err, "Ask for more of %s, or take another region or smaller machines: "
                         QUOTA_PAGE,
                    n->metric);
    rd_err_resource(err, "%s", n->metric);
    return err;
}

struct rd_err *quota_judge_filestore(const struct config *c, double limit, double used)
{
    double want = (double)c->filestore.capacity_gb;
    if (limit < 0 || limit - used >= want)
        return NULL;
    struct rd_err *err = rd_err_new(
        RD_ERR_PREFLIGHT, "quota of Filestore %s in %s: %g GB needed, %g of %g left",
        c->filestore.tier, c->region, want, limit > used ? limit - used : 0, limit);
    if (rd_streq(c->filestore.tier, "BASIC_HDD"))
        rd_err_hint(err, "Ask for more: " QUOTA_PAGE);
    else
        rd_err_hint(err, "Set filestore.tier: BASIC_HDD, whose quota new projects have, or ask for "
                         "more: " QUOTA_PAGE);
    rd_err_resource(err, "%s", quota_filestore_id(c->filestore.tier));
    return err;
}
