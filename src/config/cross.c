/* Rules that need more than one value. */
#include "config/option.h"

#include "base/alloc.h"
#include "base/file.h"

#include <inttypes.h>
#include <string.h>

/* The oldest versions whose fields and flags our templates use (KubeRay: upgradeStrategy in 1.6;
 * Ray: token authentication in 2.52, a drain that drains in 2.58, KubeRay's own floor 2.38). */
#define KUBERAY_FLOOR "1.6.0"
#define RAY_FLOOR "2.38.0"
#define RAY_TOKEN "2.52.0"
#define RAY_TESTED "2.54.0"
#define RAY_DRAIN "2.58.0"
#define WORKERS_WARN 1000

static void warn(struct config *c, const char *fmt, ...) RD_PRINTF(2, 3);
static void warn(struct config *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    rd_strv_take(&c->warnings, rd_vasprintf(fmt, ap));
    va_end(ap);
}

static bool refuse(const struct config *c, struct rd_err **reterr, const char *name,
                   const char *value, const char *problem)
{
    return option_refuse(reterr, config_origin(c, name), name, value, problem);
}

static bool check_network(const struct config *c, struct rd_err **reterr)
{
    const struct {
        const char *name, *cidr;
    } nets[] = {{"network.subnetCidr", c->network.subnet_cidr},
                {"network.podsCidr", c->network.pods_cidr},
                {"network.servicesCidr", c->network.services_cidr}};
    for (size_t i = 0; i < RD_ARRAY_LEN(nets); i++)
        for (size_t j = 0; j < i; j++) {
            uint32_t a0, a1, b0, b1;
            cidr_range(nets[i].cidr, &a0, &a1);
            cidr_range(nets[j].cidr, &b0, &b1);
            if (a0 > b1 || b0 > a1)
                continue;
            /* Blame what somebody wrote, not a default. */
            size_t blame = rd_streq(config_origin(c, nets[i].name), "default") ? j : i;
            size_t other = blame == i ? j : i;
            RD_AUTOFREE char *problem =
                rd_asprintf("overlaps %s %s (%s)", nets[other].name, nets[other].cidr,
                            config_origin(c, nets[other].name));
            return refuse(c, reterr, nets[blame].name, nets[blame].cidr, problem);
        }
    if (rd_streq(c->network.control_plane, "public") &&
        json_array_size(c->network.authorized_networks) == 0)
        return refuse(
            c, reterr, "network.controlPlane", "public",
            "needs network.authorizedNetworks: without it the API server would be open to "
            "every address");
    return true;
}

static bool check_zone_in(const struct config *c, const char *name, const char *zone,
                          struct rd_err **reterr)
{
    if (!zone || (rd_starts_with(zone, c->region) && zone[strlen(c->region)] == '-'))
        return true;
    RD_AUTOFREE char *problem =
        rd_asprintf("is not a zone of region %s (%s)", c->region, config_origin(c, "region"));
    return refuse(c, reterr, name, zone, problem);
}

static bool check_zones(const struct config *c, struct rd_err **reterr)
{
    size_t i;
    const json_t *zone;
    json_array_foreach (c->gpu_pool.zones, i, zone)
        if (!check_zone_in(c, "gpuPool.zones", json_string_value(zone), reterr))
            return false;
    return check_zone_in(c, "management.zone", c->management.zone, reterr) &&
           check_zone_in(c, "filestore.zone", c->filestore.zone, reterr);
}

static bool check_pools(const struct config *c, struct rd_err **reterr)
{
    if (c->cpu_pool.min > c->cpu_pool.max)
        return refuse(c, reterr, "cpuPool.min", NULL, "is more than cpuPool.max");
    if (c->gpu_pool.min > c->gpu_pool.max)
        return refuse(c, reterr, "gpuPool.min", NULL, "is more than gpuPool.max");
    static const struct {
        const char *tier;
        json_int_t least;
    } sizes[] = {{"BASIC_SSD", 2560}, {"HIGH_SCALE_SSD", 10240}};
    for (size_t i = 0; i < RD_ARRAY_LEN(sizes); i++)
        if (rd_streq(c->filestore.tier, sizes[i].tier) &&
            c->filestore.capacity_gb < sizes[i].least) {
            RD_AUTOFREE char *problem =
                rd_asprintf("must be at least %" JSON_INTEGER_FORMAT " for tier %s", sizes[i].least,
                            sizes[i].tier);
            return refuse(c, reterr, "filestore.capacityGb", NULL, problem);
        }
    return true;
}

static bool check_versions(struct config *c, struct rd_err **reterr)
{
    const char *ray = c->ray.version;
    if (version_compare(c->kuberay.version, KUBERAY_FLOOR) < 0)
        return refuse(c, reterr, "kuberay.version", c->kuberay.version,
                      "is too old: the cluster we send needs " KUBERAY_FLOOR " or newer");
    if (version_compare(ray, RAY_FLOOR) < 0)
        return refuse(c, reterr, "ray.version", ray,
                      "is too old: KubeRay expects " RAY_FLOOR " or newer");
    if (version_compare(ray, RAY_TOKEN) < 0 && rd_streq(c->ray.auth, "token"))
        return refuse(c, reterr, "ray.version", ray,
                      "cannot authenticate by token, which " RAY_TOKEN
                      " brought; set ray.auth: disabled to do without");
    if (rd_streq(c->ray.auth, "disabled"))
        warn(c,
             "%s: ray.auth is disabled: whoever reaches port 8265 of the head can run code in it",
             config_origin(c, "ray.auth"));
    if (version_compare(ray, RAY_TESTED) < 0)
        warn(c, "%s: ray.version %s is older than " RAY_TESTED ", the oldest this version supports",
             config_origin(c, "ray.version"), ray);
    else if (version_compare(ray, RAY_DRAIN) < 0)
        warn(c,
             "%s: ray.version %s does not drain a node when its pod ends; " RAY_DRAIN
             " and newer do",
             config_origin(c, "ray.version"), ray);
    return true;
}

static bool has_gpus(const json_t *group)
{
    return json_integer_value(json_object_get(group, "gpus")) > 0;
}

/* GPU groups have no place without GPU nodes: a default one goes silently, one that somebody wrote
 * is refused on Google Cloud and left out, aloud, on a local cluster. */
static bool check_gpu_groups(struct config *c, struct rd_err **reterr)
{
    bool local = c->target == TARGET_LOCAL;
    if (!local && c->gpu_pool.enabled)
        return true;
    bool written = !rd_streq(config_origin(c, "ray.workers"), "default");
    for (size_t i = json_array_size(c->ray.workers); i-- > 0;) {
        const json_t *group = json_array_get(c->ray.workers, i);
        if (!has_gpus(group))
            continue;
        const char *name = json_string_value(json_object_get(group, "name"));
        if (written && !local)
            return refuse(c, reterr, "ray.workers", name,
                          "asks for GPUs, but gpuPool.enabled is false");
        if (written)
            warn(c, "%s: worker group \"%s\" asks for GPUs and is left out on --target local",
                 config_origin(c, "ray.workers"), name);
        json_array_remove(c->ray.workers, i);
    }
    if (json_array_size(c->ray.workers) == 0)
        return refuse(c, reterr, "ray.workers", NULL, "has no group left without the GPU groups");
    return true;
}

static void check_sizes(struct config *c)
{
    json_int_t most = 0;
    int64_t milli = 0, one = 0;
    if (rd_quantity_parse_milli(json_string_value(json_object_get(c->ray.head, "cpu")), &one))
        milli = (one + 999) / 1000 * 1000;
    size_t i;
    const json_t *g;
    json_array_foreach (c->ray.workers, i, g) {
        most += json_integer_value(json_object_get(g, "max"));
        if (rd_quantity_parse_milli(json_string_value(json_object_get(g, "cpu")), &one))
            milli += (one + 999) / 1000 * 1000 * json_integer_value(json_object_get(g, "replicas"));
    }
    if (most > WORKERS_WARN)
        warn(c,
             "%s: up to %" JSON_INTEGER_FORMAT " workers: clusters of more than %d are beyond what "
             "KubeRay is commonly run with",
             config_origin(c, "ray.workers"), most, WORKERS_WARN);
    if (milli < 2000)
        warn(c,
             "%s: head and workers have less than 2 CPUs in sum: tasks of the test job may wait "
             "for each other",
             config_origin(c, "ray.workers"));
}

/* A file that is not there must not be found out after half a deployment. */
static bool check_paths(const struct config *c, struct rd_err **reterr)
{
    const char *chart = c->kuberay.chart;
    if (chart && !strstr(chart, "://") && !rd_path_exists(chart))
        return refuse(c, reterr, "kuberay.chart", chart, "is not there");
    if (c->templates_dir && !rd_path_exists(c->templates_dir))
        return refuse(c, reterr, "templates", c->templates_dir, "is not there");
    return true;
}

bool config_cross_check(struct config *c, struct rd_err **reterr)
{
    if (!check_network(c, reterr) || !check_zones(c, reterr) || !check_pools(c, reterr) ||
        !check_versions(c, reterr) || !check_gpu_groups(c, reterr) || !check_paths(c, reterr))
        return false;
    check_sizes(c);
    return true;
}
