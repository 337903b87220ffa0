#include "phase/steps/mgmt_plan.h"

#include "base/alloc.h"
#include "phase/steps/cc.h"

#include <string.h>

bool mgmt_is_ours(const json_t *resource)
{
    if (rd_json_get(resource, "resourceLabels", MGMT_MARK, NULL))
        return true;
    const char *text = rd_json_str(resource, "description", NULL);
    return text && rd_starts_with(text, MGMT_MARK);
}

/* ---- Bodies ---- */

json_t *mgmt_network_body(void)
{
    return rd_json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", MGMT_NETWORK, "description",
                        MGMT_DESCRIPTION, "autoCreateSubnetworks", 0, "routingConfig",
                        "routingMode", "REGIONAL");
}

/* One node, two during an upgrade; a node takes a /24 of the pods' range. Private access to Google's
 * APIs and registries is all the traffic there is, so there is no router and no NAT. */
json_t *mgmt_subnet_body(const struct config *c)
{
    RD_AUTOFREE char *network =
        rd_asprintf("projects/%s/global/networks/%s", c->project, MGMT_NETWORK);
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:b, s:[{s:s, s:s}, {s:s, s:s}]}", "name",
                        MGMT_SUBNET, "description", MGMT_DESCRIPTION, "network", network,
                        "ipCidrRange", "10.0.0.0/24", "privateIpGoogleAccess", 1,
                        "secondaryIpRanges", "rangeName", CC_RANGE_PODS, "ipCidrRange",
                        "10.4.0.0/20", "rangeName", CC_RANGE_SERVICES, "ipCidrRange",
                        "10.8.0.0/24");
}

static bool wants_addon(const struct config *c)
{
    return rd_streq(c->management.connector, "addon");
}

static json_t *node_pool(const char *node_email)
{
    json_t *config = rd_json_pack(
        "{s:s, s:s, s:i, s:s, s:[s], s:{s:b, s:b}, s:{s:s}}", "machineType", "e2-standard-4",
        "diskType", "pd-balanced", "diskSizeGb", 50, "serviceAccount", node_email, "oauthScopes",
        "https://www.googleapis.com/auth/cloud-platform", "shieldedInstanceConfig",
        "enableSecureBoot", 1, "enableIntegrityMonitoring", 1, "workloadMetadataConfig", "mode",
        "GKE_METADATA");
    return rd_json_pack("{s:s, s:i, s:o, s:{s:b, s:b}, s:{s:i}}", "name", "default-pool",
                        "initialNodeCount", 1, "config", config, "management", "autoRepair", 1,
                        "autoUpgrade", 1, "upgradeSettings", "maxSurge", 1);
}

json_t *mgmt_cluster_body(const struct config *c, const char *node_email)
{
    RD_AUTOFREE char *network =
        rd_asprintf("projects/%s/global/networks/%s", c->project, MGMT_NETWORK);
    RD_AUTOFREE char *subnet = rd_asprintf("projects/%s/regions/%s/subnetworks/%s", c->project,
                                           c->region, MGMT_SUBNET);
    RD_AUTOFREE char *pool = cc_workload_pool(c);
    json_t *body = rd_json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s}, s:{s:b}, s:{s:s}}", "name", MGMT_CLUSTER,
        "description", "Config Connector of raydeploy", "network", network, "subnetwork", subnet,
        "resourceLabels", MGMT_MARK, "true", "releaseChannel", "channel", "REGULAR",
        "shieldedNodes", "enabled", 1, "workloadIdentityConfig", "workloadPool", pool);
    /* No address at all: IAM guards the DNS endpoint, and nodes have private addresses only. */
    json_object_set_new(body, "controlPlaneEndpointsConfig",
                        rd_json_pack("{s:{s:b}, s:{s:b}}", "dnsEndpointConfig",
                                     "allowExternalTraffic", 1, "ipEndpointsConfig", "enabled", 0));
    json_object_set_new(body, "networkConfig",
                        rd_json_pack("{s:b}", "defaultEnablePrivateNodes", 1));
    json_object_set_new(body, "ipAllocationPolicy",
                        rd_json_pack("{s:b, s:s, s:s}", "useIpAliases", 1,
                                     "clusterSecondaryRangeName", CC_RANGE_PODS,
                                     "servicesSecondaryRangeName", CC_RANGE_SERVICES));
    json_object_set_new(body, "addonsConfig",
                        rd_json_pack("{s:{s:b}, s:{s:b}, s:{s:b}}", "configConnectorConfig",
                                     "enabled", wants_addon(c), "httpLoadBalancing", "disabled", 1,
                                     "kubernetesDashboard", "disabled", 1));
    /* The add-on insists on monitoring; what the system says of itself is free of charge. */
    static const char *const watched[] = {"loggingConfig", "monitoringConfig"};
    for (size_t i = 0; i < RD_ARRAY_LEN(watched); i++)
        json_object_set_new(body, watched[i],
                            rd_json_pack("{s:{s:[s]}}", "componentConfig", "enableComponents",
                                         "SYSTEM_COMPONENTS"));
    json_object_set_new(body, "nodePools", rd_json_pack("[o]", node_pool(node_email)));
    return body;
}

/* ---- A cluster that is there ---- */

static bool has_identity(const struct config *c, const json_t *cluster)
{
    RD_AUTOFREE char *pool = cc_workload_pool(c);
    return rd_streq(rd_json_path_str(cluster, "workloadIdentityConfig.workloadPool"), pool);
}

static bool has_addon(const json_t *cluster)
{
    return rd_json_path_bool(cluster, "addonsConfig.configConnectorConfig.enabled", false);
}

static bool has_dns(const json_t *cluster)
{
    return rd_json_path_bool(
        cluster, "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic", false);
}

json_t *mgmt_cluster_update(const struct config *c, const json_t *cluster, const char **ret_what)
{
    if (!has_identity(c, cluster)) {
        RD_AUTOFREE char *pool = cc_workload_pool(c);
        *ret_what = "Workload Identity";
        return rd_json_pack("{s:{s:s}}", "desiredWorkloadIdentityConfig", "workloadPool", pool);
    }
    if (!has_dns(cluster)) {
        *ret_what = "a DNS endpoint";
        return rd_json_pack("{s:{s:{s:b}}}", "desiredControlPlaneEndpointsConfig",
                            "dnsEndpointConfig", "allowExternalTraffic", 1);
    }
    if (wants_addon(c) && !has_addon(cluster)) {
        *ret_what = "the Config Connector add-on";
        return rd_json_pack("{s:{s:{s:b}}}", "desiredAddonsConfig", "configConnectorConfig",
                            "enabled", 1);
    }
    return NULL;
}

bool mgmt_cluster_fits(const struct config *c, const json_t *cluster)
{
    return has_identity(c, cluster) && (has_addon(cluster) || !wants_addon(c));
}

const json_t *mgmt_cluster_find(const json_t *list, const char *name)
{
    size_t i;
    const json_t *cluster;
    json_array_foreach(json_object_get(list, "clusters"), i, cluster)
        if (rd_streq(rd_json_str(cluster, "name", NULL), name))
            return cluster;
    return NULL;
}

/* targetLink names the project by number and a zone as such, so only its end is looked at. */
const json_t *mgmt_operation_find(const json_t *list, const char *type, const char *cluster)
{
    RD_AUTOFREE char *tail = rd_asprintf("/clusters/%s", cluster);
    const json_t *newest = NULL, *op;
    const char *newest_start = "";
    size_t i;
    json_array_foreach(json_object_get(list, "operations"), i, op) {
        const char *target = rd_json_str(op, "targetLink", NULL);
        const char *start = rd_json_str(op, "startTime", NULL);
        if (!rd_streq(rd_json_str(op, "operationType", NULL), type) || !target ||
            !rd_ends_with(target, tail))
            continue;
        if (!newest || (start && strcmp(start, newest_start) > 0)) {
            newest = op;
            newest_start = start ? start : "";
        }
    }
    return newest;
}

/* ---- Roles ---- */

const char *const mgmt_node_roles[] = {"roles/container.defaultNodeServiceAccount",
                                       "roles/artifactregistry.reader", NULL};

/* Editor makes and deletes every resource; policies are the security administrator's. Objects in a
 * bucket are neither's, and teardown empties the spill bucket. */
static const char *const editor_roles[] = {"roles/editor", "roles/iam.securityAdmin",
                                           "roles/storage.objectAdmin", NULL};
/* The same for the kinds of resources that a deployment has, and no others. */
static const char *const least_roles[] = {
    "roles/compute.networkAdmin",     "roles/compute.securityAdmin",
    "roles/container.admin",          "roles/file.editor",
    "roles/storage.admin",            "roles/artifactregistry.admin",
    "roles/iam.serviceAccountAdmin",  "roles/iam.serviceAccountUser",
    "roles/resourcemanager.projectIamAdmin", NULL};

const char *const *mgmt_connector_roles(const struct config *c)
{
    return rd_streq(c->management.roles, "least") ? least_roles : editor_roles;
}

const char *const *mgmt_connector_roles_dropped(const struct config *c)
{
    return rd_streq(c->management.roles, "least") ? editor_roles : least_roles;
}

size_t mgmt_edits(struct gcp_binding *edits, const char *const *roles, const char *member,
                  bool remove)
{
    size_t n = 0;
    for (; roles[n]; n++) {
        RD_ASSERT(n < MGMT_EDITS_MAX);
        edits[n] = (struct gcp_binding){.role = roles[n], .member = member, .remove = remove};
    }
    return n;
}
