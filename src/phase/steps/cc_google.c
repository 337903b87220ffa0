/* What a Config Connector object is at Google, and whose. */
#include "phase/steps/cc_step.h"

#include "base/alloc.h"
#include "gcp/services.h"
#include "phase/steps/names.h"

#include <string.h>

/* Kind, what people call it, and the collection of Compute where it is one. */
static const struct google_kind {
    const char *kind, *word;
    const char *collection;
    bool global;
} kinds[] = {
    {"ComputeNetwork", "VPC network", "networks", true},
    {"ComputeSubnetwork", "subnet", "subnetworks", false},
    {"ComputeRouter", "router", "routers", false},
    {"ComputeFirewall", "firewall rule", "firewalls", true},
    {"ContainerCluster", "GKE cluster", NULL, false},
    {"ContainerNodePool", "node pool", NULL, false},
    {"FilestoreInstance", "Filestore instance", NULL, false},
    {"StorageBucket", "bucket", NULL, false},
    {"ArtifactRegistryRepository", "image registry", NULL, false},
    {"IAMServiceAccount", "service account", NULL, false},
    {"IAMPolicyMember", "IAM binding", NULL, false},
    {"ComputeRouterNAT", "NAT", NULL, false},
};

static const struct google_kind *kind_of(const json_t *object)
{
    const char *kind = rd_json_str(object, "kind", NULL);
    for (size_t i = 0; i < RD_ARRAY_LEN(kinds); i++)
        if (rd_streq(kinds[i].kind, kind))
            return &kinds[i];
    return NULL;
}

static const char *name_of(const json_t *object)
{
    return rd_json_str(object, "metadata", "name", NULL);
}

char *cc_google_title(const json_t *object)
{
    const struct google_kind *k = kind_of(object);
    return rd_asprintf("%s %s", k ? k->word : rd_json_str(object, "kind", NULL), name_of(object));
}

bool cc_google_get(struct gcp_call *k, const struct step_ctx *ctx, const json_t *object)
{
    const struct config *c = ctx->config;
    const struct google_kind *g = kind_of(object);
    const char *kind = rd_json_str(object, "kind", NULL), *name = name_of(object);
    const char *location = rd_json_str(object, "spec", "location", NULL);
    if (!g)
        return false;
    if (g->collection) {
        RD_AUTOFREE char *region = rd_asprintf("regions/%s", c->region);
        gcp_compute_get(k, ctx->gcp, c->project, g->global ? "global" : region, g->collection, name);
    } else if (rd_streq(kind, "ContainerCluster")) {
        gcp_cluster_get(k, ctx->gcp, c->project, location, name);
    } else if (rd_streq(kind, "ContainerNodePool")) {
        gcp_node_pool_get(k, ctx->gcp, c->project, location,
                          rd_json_str(object, "spec", "clusterRef", "name", NULL), name);
    } else if (rd_streq(kind, "FilestoreInstance")) {
        gcp_filestore_get(k, ctx->gcp, c->project, location, name);
    } else if (rd_streq(kind, "StorageBucket")) {
        gcp_bucket_get(k, ctx->gcp, name);
    } else if (rd_streq(kind, "ArtifactRegistryRepository")) {
        gcp_repository_get(k, ctx->gcp, c->project, location, name);
    } else if (rd_streq(kind, "IAMServiceAccount")) {
        RD_AUTOFREE char *email = cc_account_email(c, name);
        gcp_account_get(k, ctx->gcp, c->project, email);
    } else {
        return false; /* part of something else: a router, a policy */
    }
    return true;
}

bool cc_google_is_ours(const struct config *c, const json_t *resource)
{
    const char *label = rd_json_str(resource, "resourceLabels", MARK_DEPLOYMENT, NULL);
    if (!label)
        label = rd_json_str(resource, "labels", MARK_DEPLOYMENT, NULL);
    if (label)
        return rd_streq(label, c->name);
    RD_AUTOFREE char *mark = cc_description(c);
    return rd_streq(rd_json_str(resource, "description", NULL), mark);
}

/* ---- What stays ---- */

static bool asked_to_keep(const struct step_ctx *ctx, const char *word)
{
    size_t i;
    const json_t *v;
    json_array_foreach (json_object_get(ctx->session, "keep"), i, v)
        if (rd_streq(json_string_value(v), word))
            return true;
    return false;
}

bool cc_keeps(const struct step_ctx *ctx, const json_t *object)
{
    const char *kind = rd_json_str(object, "kind", NULL);
    if (rd_streq(kind, "FilestoreInstance"))
        return asked_to_keep(ctx, "filestore");
    /* A share lives in its network, which cannot go before it. */
    if (rd_streq(kind, "ComputeNetwork"))
        return asked_to_keep(ctx, "filestore");
    if (rd_streq(kind, "StorageBucket"))
        return asked_to_keep(ctx, "bucket");
    if (rd_streq(kind, "ArtifactRegistryRepository"))
        return asked_to_keep(ctx, "registry") || ctx->config->registry.keep;
    return false;
}
