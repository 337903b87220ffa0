/* From configuration and facts to the values of templates/cc, and from these to objects. */
#include "phase/steps/cc.h"

#include "base/alloc.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <string.h>

#define SET(name, value)                                                                           \
    do {                                                                                           \
        if (!template_set(v, name, value, reterr))                                                 \
            return false;                                                                          \
    } while (0)
#define SET_STR(name, value)                                                                       \
    do {                                                                                           \
        if (!template_set_str(v, name, value, reterr))                                             \
            return false;                                                                          \
    } while (0)
/* A name that the function makes. */
#define SET_NAME(name, make)                                                                       \
    do {                                                                                           \
        RD_AUTOFREE char *made_ = (make);                                                          \
        SET_STR(name, made_);                                                                      \
    } while (0)

/* GKE spreads a regional pool over this many zones. */
enum { ZONES = 3 };

/* Fact cc.features; else what fact cc.version says; else NULL: all there are. Owned. */
static json_t *features_of(const struct step_ctx *ctx)
{
    const json_t *known = step_fact(ctx, "cc.features");
    const char *version = json_string_value(step_fact(ctx, "cc.version"));
    if (known)
        return json_incref((json_t *)known);
    return version ? cc_features(version, NULL) : NULL;
}

bool cc_has_dns_endpoint(const struct step_ctx *ctx)
{
    RD_AUTOJSON json_t *features = features_of(ctx);
    size_t i;
    const json_t *f;
    json_array_foreach (features, i, f)
        if (rd_streq(json_string_value(f), "dns-endpoint"))
            return true;
    return features == NULL;
}

/* ---- The control plane ---- */

static json_t *endpoints(const struct config *c)
{
    if (!rd_streq(c->network.control_plane, "dns"))
        return json_object();
    return rd_json_pack("{s:{s:b}, s:{s:b}}", "dnsEndpointConfig", "allowExternalTraffic", 1,
                        "ipEndpointsConfig", "enabled", 0);
}

/* Where the DNS endpoint has to be switched on by another way, the address is closed to everybody
 * until then: an authorized-networks list without an entry. */
static json_t *authorized(const struct step_ctx *ctx)
{
    const struct config *c = ctx->config;
    if (rd_streq(c->network.control_plane, "dns"))
        return cc_has_dns_endpoint(ctx) ? json_object()
                                     : rd_json_pack("{s:b}", "gcpPublicCidrsAccessEnabled", 0);
    json_t *blocks = json_array();
    size_t i;
    const json_t *cidr;
    json_array_foreach (c->network.authorized_networks, i, cidr)
        json_array_append_new(blocks, rd_json_pack("{s:s}", "cidrBlock", json_string_value(cidr)));
    return rd_json_pack("{s:o, s:b}", "cidrBlocks", blocks, "gcpPublicCidrsAccessEnabled", 0);
}

/* An address of the control plane is taken from our subnet; without addresses there is none to
 * place. */
static json_t *private_endpoint(const struct step_ctx *ctx)
{
    RD_AUTOFREE char *subnet = cc_subnet(ctx->config);
    if (rd_streq(ctx->config->network.control_plane, "dns") && cc_has_dns_endpoint(ctx))
        return json_object();
    return rd_json_pack("{s:s}", "name", subnet);
}

static bool fill_cluster(const struct step_ctx *ctx, struct template_values *v,
                         struct rd_err **reterr)
{
    const struct config *c = ctx->config;
    SET_NAME("gke_cluster", cc_cluster(c));
    SET_NAME("workload_pool", cc_workload_pool(c));
    SET("control_plane_endpoints", endpoints(c));
    SET("authorized_networks", authorized(ctx));
    SET("private_endpoint", private_endpoint(ctx));
    return true;
}

/* ---- Pools ---- */

static bool fill_pools(const struct step_ctx *ctx, struct template_values *v,
                       struct rd_err **reterr)
{
    const struct config *c = ctx->config;
    /* One node a zone from the start, where the pool may be so large: the head waits for nodes, and
     * the autoscaler would take another minute to notice. */
    SET("cpu_initial", json_integer(c->cpu_pool.max >= ZONES ? 1 : 0));
    SET("cpu_min", json_integer(c->cpu_pool.min));
    SET("cpu_max", json_integer(c->cpu_pool.max));
    SET_STR("cpu_location_policy", c->cpu_pool.spot ? "ANY" : "BALANCED");
    SET_STR("cpu_machine_type", c->cpu_pool.machine_type);
    SET("cpu_disk_gb", json_integer(c->cpu_pool.disk_gb));
    SET("cpu_spot", json_boolean(c->cpu_pool.spot));
    SET("gpu_min", json_integer(c->gpu_pool.min));
    SET("gpu_max", json_integer(c->gpu_pool.max));
    SET_STR("gpu_machine_type", c->gpu_pool.machine_type);
    SET_STR("gpu_accelerator", c->gpu_pool.accelerator);
    SET("gpu_spot", json_boolean(c->gpu_pool.spot));
    const json_t *zones =
        json_array_size(c->gpu_pool.zones) ? c->gpu_pool.zones : step_fact(ctx, "gpu.zones");
    if (zones || ctx->going_down)
        SET("gpu_zones", zones ? json_incref((json_t *)zones) : json_array());
    return true;
}

/* ---- Accounts and data ---- */

static bool fill_accounts(const struct config *c, struct template_values *v, struct rd_err **reterr)
{
    SET_NAME("node_account", cc_node_account(c));
    SET_NAME("ray_account", cc_ray_account(c));
    SET_NAME("cc_email", cc_connector_email(c));
    SET_NAME("head_account", config_head_account(c));
    SET_NAME("worker_account", config_worker_account(c));
    SET_NAME("namespace", config_namespace(c));
    SET_NAME("registry", cc_registry(c));
    SET_STR("registry_deletion", c->registry.keep ? "abandon" : "delete");
    return true;
}

/* Config Connector's object is named after the bucket, and its names are stricter. */
static bool fill_bucket(const struct step_ctx *ctx, struct template_values *v,
                        struct rd_err **reterr)
{
    const struct config *c = ctx->config;
    RD_AUTOFREE char *bucket = cc_bucket(c);
    if (c->spill.enabled && !ctx->going_down && (strlen(bucket) > 63 || !rd_is_dns_subdomain(bucket))) {
        rd_fail(reterr, RD_ERR_INPUT,
                "%s: spill.bucket \"%s\" must be at most 63 lower-case letters, "
                "digits, '-' and '.'",
                config_origin(c, "spill.bucket"), bucket);
        rd_err_hint(*reterr,
                    "Config Connector names its object after the bucket, which excludes '_'.");
        return false;
    }
    if (c->spill.enabled || ctx->going_down)
        SET_STR("bucket", bucket);
    SET("spill_age_days", json_integer(c->spill.age_days));
    return true;
}

bool cc_values_fill(const struct step_ctx *ctx, struct template_values *v, struct rd_err **reterr)
{
    const struct config *c = ctx->config;
    RD_AUTOFREE char *description = cc_description(c);
    SET_STR("name", c->name);
    SET_STR("project", c->project);
    SET_STR("region", c->region);
    SET("labels", names_labels(c));
    SET("management_labels", rd_json_pack("{s:s}", MARK_MANAGED_BY, "raydeploy"));
    SET_STR("cc_namespace", CC_NAMESPACE);
    SET_STR("description", description);
    SET_NAME("network", cc_network(c));
    SET_NAME("subnet", cc_subnet(c));
    SET_STR("subnet_cidr", c->network.subnet_cidr);
    SET_STR("pods_cidr", c->network.pods_cidr);
    SET_STR("services_cidr", c->network.services_cidr);
    if (!fill_accounts(c, v, reterr) || !fill_bucket(ctx, v, reterr) ||
        !fill_cluster(ctx, v, reterr) || !fill_pools(ctx, v, reterr))
        return false;
    /* Going down, objects are known by name alone. */
    RD_AUTOFREE char *location = cc_filestore_location(ctx);
    if (location || ctx->going_down)
        SET_STR("filestore_location", location ? location : c->region);
    SET_STR("filestore_tier", c->filestore.tier);
    SET("filestore_capacity_gb", json_integer(c->filestore.capacity_gb));
    SET_STR("filestore_share", CC_FILESTORE_SHARE);
    return true;
}

/* ---- Objects ---- */

bool cc_render(const struct step_ctx *ctx, enum cc_part part, struct manifest_list *out,
               struct rd_err **reterr)
{
    /* What an earlier configuration wanted has to go too. */
    if (!ctx->going_down && !cc_part_wanted(ctx->config, part))
        return true;
    struct template_values v;
    size_t before = out->len;
    template_values_init(&v);
    bool ok = cc_values_fill(ctx, &v, reterr);
    for (const char *const *t = cc_part_templates(ctx->config, part); ok && *t; t++)
        ok = template_render(ctx->templates, *t, &v, out, reterr);
    RD_AUTOJSON json_t *features = features_of(ctx);
    for (size_t i = before; ok && i < out->len; i++)
        cc_prune(out->v[i].json, features);
    template_values_clear(&v);
    return ok;
}

bool cc_render_step(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    const char *id = s->row->core.id;
    for (unsigned part = 0; part < CC_PART_MAX; part++)
        if (rd_streq(id, cc_part_name(part)) || (part == CC_BOOTSTRAP && rd_streq(id, "cc-ready")))
            return cc_render(s->ctx, part, out, reterr);
    RD_UNREACHABLE();
}
