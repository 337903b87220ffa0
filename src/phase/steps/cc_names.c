#include "phase/steps/cc.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static const char *const part_names[] = {
#define X(name, word) word,
    CC_PARTS(X)
#undef X
};

const char *cc_part_name(enum cc_part part)
{
    RD_ASSERT(part < CC_PART_MAX);
    return part_names[part];
}

bool cc_part_wanted(const struct config *c, enum cc_part part)
{
    switch (part) {
    case CC_POOL_GPU:
        return c->gpu_pool.enabled;
    case CC_STORAGE:
        return c->spill.enabled;
    case CC_FILESTORE:
        return c->filestore.enabled;
    default:
        return true;
    }
}

const char *const *cc_part_templates(const struct config *c, enum cc_part part)
{
    static const char *const files[CC_PART_MAX][2] = {
        [CC_BOOTSTRAP] = {"cc/namespace.yaml", NULL},
        [CC_NET] = {"cc/net.yaml", NULL},
        [CC_NAT] = {"cc/nat.yaml", NULL},
        [CC_ACCOUNTS] = {"cc/accounts.yaml", NULL},
        [CC_STORAGE] = {"cc/storage.yaml", NULL},
        [CC_GKE] = {"cc/gke.yaml", NULL},
        [CC_POOL_CPU] = {"cc/pool-cpu.yaml", NULL},
        [CC_POOL_GPU] = {"cc/pool-gpu.yaml", NULL},
        [CC_WI] = {"cc/wi.yaml", NULL},
        [CC_FILESTORE] = {"cc/filestore.yaml", NULL},
    };
    static const char *const manual[] = {"cc/connector.yaml", "cc/namespace.yaml", NULL};
    RD_ASSERT(part < CC_PART_MAX);
    if (part == CC_BOOTSTRAP && rd_streq(c->management.connector, "manual"))
        return manual;
    return files[part];
}

char *cc_network(const struct config *c)
{
    return rd_asprintf("%s-vpc", c->name);
}

char *cc_subnet(const struct config *c)
{
    return rd_asprintf("%s-subnet", c->name);
}

char *cc_cluster(const struct config *c)
{
    return rd_asprintf("%s-gke", c->name);
}

char *cc_filestore(const struct config *c)
{
    return rd_asprintf("%s-filestore", c->name);
}

char *cc_registry(const struct config *c)
{
    return c->registry.name ? rd_strdup(c->registry.name) : rd_asprintf("%s-images", c->name);
}

/* Bucket names are shared by all of Google Cloud: the project makes ours unlikely to be taken. A
 * colon cannot be in one, and a dot would claim a domain. */
char *cc_bucket(const struct config *c)
{
    if (c->spill.bucket)
        return rd_strdup(c->spill.bucket);
    char *name = rd_asprintf("%s-%s-spill", c->project, c->name);
    for (char *p = name; *p; p++)
        if (*p == ':' || *p == '.')
            *p = '-';
    return name;
}

char *cc_node_account(const struct config *c)
{
    return rd_asprintf("%s-nodes", c->name);
}

char *cc_ray_account(const struct config *c)
{
    return rd_asprintf("%s-workload", c->name);
}

char *cc_account_email(const struct config *c, const char *id)
{
    const char *colon = strchr(c->project, ':');
    if (!colon)
        return rd_asprintf("%s@%s.iam.gserviceaccount.com", id, c->project);
    return rd_asprintf("%s@%s.%.*s.iam.gserviceaccount.com", id, colon + 1,
                       (int)(colon - c->project), c->project);
}

char *cc_connector_email(const struct config *c)
{
    return cc_account_email(c, "config-connector-sa");
}

char *cc_workload_pool(const struct config *c)
{
    return rd_asprintf("%s.svc.id.goog", c->project);
}

char *cc_description(const struct config *c)
{
    return rd_asprintf("Made by raydeploy for deployment %s", c->name);
}

char *cc_filestore_location(const struct step_ctx *ctx)
{
    const struct config *c = ctx->config;
    if (rd_streq(c->filestore.tier, "ENTERPRISE") || rd_streq(c->filestore.tier, "REGIONAL"))
        return rd_strdup(c->region);
    if (c->filestore.zone)
        return rd_strdup(c->filestore.zone);
    const char *first = json_string_value(json_array_get(step_fact(ctx, "region.zones"), 0));
    return first ? rd_strdup(first) : NULL;
}
