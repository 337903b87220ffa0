/* The JSON of clusters and node pools: the request with what GKE adds to it, as recorded from the
 * real service (containercluster-*.http.log of the test data). */
#include "gke_internal.h"

#include "place.h"
#include "server.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void gke_merge(json_t *target, const json_t *patch)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)patch, key, value) {
        json_t *old = json_object_get(target, key);
        if (json_is_object(old) && json_is_object(value))
            gke_merge(old, value); /* as deep as schema_check allows */
        else
            json_object_set_new(target, key, json_deep_copy(value));
    }
}

/* Sets what is not there. Steals. */
static void fill(json_t *o, const char *dotted, json_t *take)
{
    if (rd_json_path(o, dotted) == NULL)
        rd_json_path_set(o, dotted, take);
    else
        json_decref(take);
}

/* "x", "projects/p/global/networks/x" or a link: the path from "projects/". Owned. */
static char *full_network(const struct emu *e, const char *given, const char *region)
{
    const char *at = given == NULL ? NULL : strstr(given, "projects/");
    if (at != NULL)
        return rd_strdup(at);
    if (region == NULL)
        return rd_asprintf("projects/%s/global/networks/%s", e->project,
                           given == NULL ? "default" : given);
    return rd_asprintf("projects/%s/regions/%s/subnetworks/%s", e->project, region,
                       given == NULL ? "default" : given);
}

static void fill_node_config(json_t *config)
{
    static const char *const scopes[] = {
        "https://www.googleapis.com/auth/devstorage.read_only",
        "https://www.googleapis.com/auth/logging.write",
        "https://www.googleapis.com/auth/monitoring",
        "https://www.googleapis.com/auth/service.management.readonly",
        "https://www.googleapis.com/auth/servicecontrol",
        "https://www.googleapis.com/auth/trace.append"};
    fill(config, "diskSizeGb", json_integer(100));
    fill(config, "diskType", json_string("pd-balanced"));
    fill(config, "bootDisk.diskType", json_string(rd_json_str(config, "diskType", NULL)));
    fill(config, "bootDisk.sizeGb",
         json_sprintf("%ld", (long)rd_json_path_int(config, "diskSizeGb", 100)));
    fill(config, "effectiveCgroupMode", json_string("EFFECTIVE_CGROUP_MODE_V2"));
    fill(config, "imageType", json_string("COS_CONTAINERD"));
    fill(config, "kubeletConfig.insecureKubeletReadonlyPortEnabled", json_false());
    fill(config, "kubeletConfig.maxParallelImagePulls", json_integer(2));
    fill(config, "machineType", json_string("e2-medium"));
    fill(config, "metadata", rd_json_pack("{s:s}", "disable-legacy-endpoints", "true"));
    if (json_object_get(config, "oauthScopes") == NULL) {
        json_t *list = json_array();
        for (size_t i = 0; i < RD_ARRAY_LEN(scopes); i++)
            json_array_append_new(list, json_string(scopes[i]));
        json_object_set_new(config, "oauthScopes", list);
    }
    fill(config, "resourceLabels",
         rd_json_pack("{s:s}", "goog-gke-node-pool-provisioning-model",
                      rd_json_path_bool(config, "spot", false) ? "spot" : "on-demand"));
    fill(config, "serviceAccount", json_string("default"));
    fill(config, "shieldedInstanceConfig.enableIntegrityMonitoring", json_true());
    fill(config, "windowsNodeConfig", json_object());
}

/* Answers leave out what is false or empty, but for the endpoints' settings. */
static void drop_defaults(json_t *o)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(o, next, key, value)
    {
        /* Optional fields are shown even when they are false. */
        if (rd_starts_with(key, "insecure") || rd_streq(key, "networkConfig") || key[0] == '_')
            continue;
        bool zero = json_is_integer(value) && json_integer_value(value) == 0;
        if (zero || json_is_false(value) || rd_streq(json_string_value(value), ""))
            json_object_del(o, key);
        else if (json_is_object(value) && !rd_streq(key, "controlPlaneEndpointsConfig"))
            drop_defaults(value); /* as deep as schema_check allows */
    }
}

void gke_tidy(json_t *o)
{
    drop_defaults(o);
    if (json_object_size(json_object_get(o, "networkPolicy")) == 0)
        json_object_del(o, "networkPolicy");
    json_t *maintenance = json_object_get(o, "maintenancePolicy");
    if (json_object_size(json_object_get(maintenance, "window")) == 0)
        json_object_del(maintenance, "window");
}

json_t *gke_pool_new(struct emu *e, const json_t *cluster, const json_t *asked)
{
    json_t *pool = json_deep_copy(asked);
    gke_tidy(pool);
    char hex[9];
    emu_rand_hex(e, hex, 8);
    json_int_t min = rd_json_path_int(pool, "autoscaling.minNodeCount", 0);
    if (min > 0)
        fill(pool, "initialNodeCount", json_integer(min));
    fill(pool, "config", json_object());
    fill_node_config(json_object_get(pool, "config"));
    fill(pool, "management", rd_json_pack("{s:b, s:b}", "autoRepair", 1, "autoUpgrade", 1));
    fill(pool, "maxPodsConstraint", rd_json_pack("{s:s}", "maxPodsPerNode", "110"));
    fill(pool, "upgradeSettings.maxSurge", json_integer(1));
    fill(pool, "upgradeSettings.strategy", json_string("SURGE"));
    if (json_object_get(pool, "locations") == NULL)
        json_object_set_new(pool, "locations",
                            json_deep_copy(json_object_get(cluster, "locations")));
    fill(pool, "networkConfig.podIpv4CidrBlock", json_string("10.92.0.0/14"));
    fill(pool, "networkConfig.podIpv4RangeUtilization", json_real(0.001));
    fill(pool, "networkConfig.podRange",
         json_sprintf("%s-pods-%s", rd_json_str(pool, "name", NULL), hex));
    const char *subnet = rd_json_path_str(cluster, "networkConfig.subnetwork");
    if (subnet != NULL)
        fill(pool, "networkConfig.subnetwork", json_string(subnet));
    fill(pool, "podIpv4CidrSize", json_integer(24));
    bool is_private =
        rd_json_path_bool(cluster, "networkConfig.defaultEnablePrivateNodes", false) ||
        rd_json_path_bool(cluster, "privateClusterConfig.enablePrivateNodes", false);
    if (is_private)
        fill(pool, "networkConfig.enablePrivateNodes", json_true());
    json_object_set_new(pool, "selfLink",
                        json_sprintf("%s/nodePools/%s", rd_json_str(cluster, "selfLink", NULL),
                                     rd_json_str(pool, "name", NULL)));
    json_object_set_new(pool, "_hash", json_string(hex));
    json_object_set_new(pool, "status", json_string("PROVISIONING"));
    json_object_set_new(pool, "version", json_string(GKE_VERSION));
    json_t *groups = json_array();
    size_t i;
    json_t *zone;
    json_array_foreach (json_object_get(pool, "locations"), i, zone)
        json_array_append_new(
            groups,
            json_sprintf("https://www.googleapis.com/compute/v1/projects/%s/zones/%s/"
                         "instanceGroupManagers/gke-%s-%s-%s-grp",
                         e->project, json_string_value(zone), rd_json_str(cluster, "name", NULL),
                         rd_json_str(pool, "name", NULL), hex));
    json_object_set_new(pool, "instanceGroupUrls", groups);
    return pool;
}

json_t *gke_pool_find(const json_t *cluster, const char *pool)
{
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(cluster, "nodePools"), i, p) {
        if (rd_streq(rd_json_str(p, "name", NULL), pool))
            return p;
    }
    return NULL;
}

static void fill_addons(json_t *c)
{
    fill(c, "addonsConfig.gcePersistentDiskCsiDriverConfig.enabled", json_true());
    fill(c, "addonsConfig.kubernetesDashboard.disabled", json_true());
    fill(c, "addonsConfig.networkPolicyConfig.disabled", json_true());
}

static void fill_network(struct emu *e, json_t *c, const char *region)
{
    RD_AUTOFREE char *network = full_network(e, rd_json_str(c, "network", NULL), NULL);
    const char *sub = rd_json_str(c, "subnetwork", NULL);
    RD_AUTOFREE char *subnet =
        full_network(e, sub == NULL ? strrchr(network, '/') + 1 : sub, region);
    json_object_set_new(c, "network", json_string(strrchr(network, '/') + 1));
    json_object_set_new(c, "subnetwork", json_string(strrchr(subnet, '/') + 1));
    rd_json_path_set(c, "networkConfig.network", json_string(network));
    rd_json_path_set(c, "networkConfig.subnetwork", json_string(subnet));
    fill(c, "networkConfig.serviceExternalIpsConfig", json_object());
    const char *pods = rd_json_path_str(c, "ipAllocationPolicy.clusterIpv4CidrBlock");
    const char *services = rd_json_path_str(c, "ipAllocationPolicy.servicesIpv4CidrBlock");
    RD_AUTOFREE char *pods_range = rd_strdup(pods == NULL || *pods == '/' ? "10.112.0.0/14" : pods);
    RD_AUTOFREE char *service_range =
        rd_strdup(services == NULL || *services == '/' ? "34.118.224.0/20" : services);
    json_object_set_new(c, "clusterIpv4Cidr", json_string(pods_range));
    rd_json_path_set(c, "ipAllocationPolicy.clusterIpv4Cidr", json_string(pods_range));
    rd_json_path_set(c, "ipAllocationPolicy.clusterIpv4CidrBlock", json_string(pods_range));
    fill(c, "ipAllocationPolicy.podCidrOverprovisionConfig", json_object());
    rd_json_path_set(c, "ipAllocationPolicy.servicesIpv4Cidr", json_string(service_range));
    rd_json_path_set(c, "ipAllocationPolicy.servicesIpv4CidrBlock", json_string(service_range));
    fill(c, "ipAllocationPolicy.stackType", json_string("IPV4"));
    fill(c, "ipAllocationPolicy.useIpAliases", json_true());
    json_object_set_new(c, "servicesIpv4Cidr", json_string(service_range));
}

/* Node auto-provisioning's defaults are shown whether it is on or not. */
static void fill_autoscaling(json_t *c)
{
    static const char at[] = "autoscaling.autoprovisioningNodePoolDefaults";
    fill(c, "autoscaling.autoscalingProfile", json_string("BALANCED"));
    json_t *defaults = rd_json_path(c, at);
    if (defaults == NULL) {
        defaults = json_object();
        rd_json_path_set(c, at, defaults);
    }
    fill(defaults, "imageType", json_string("COS_CONTAINERD"));
    fill(defaults, "management", rd_json_pack("{s:b, s:b}", "autoRepair", 1, "autoUpgrade", 1));
    fill(defaults, "oauthScopes",
         rd_json_pack("[s, s]", "https://www.googleapis.com/auth/userinfo.email",
                      "https://www.googleapis.com/auth/cloud-platform"));
    fill(defaults, "serviceAccount", json_string("default"));
}

static void fill_observability(json_t *c)
{
    if (rd_json_path(c, "loggingConfig.componentConfig") == NULL)
        rd_json_path_set(c, "loggingConfig.componentConfig.enableComponents",
                         rd_json_pack("[s, s]", "SYSTEM_COMPONENTS", "WORKLOADS"));
    fill(c, "loggingService", json_string("logging.googleapis.com/kubernetes"));
    fill(c, "monitoringConfig.advancedDatapathObservabilityConfig", json_object());
    if (rd_json_path(c, "monitoringConfig.componentConfig") == NULL)
        rd_json_path_set(c, "monitoringConfig.componentConfig.enableComponents",
                         rd_json_pack("[s]", "SYSTEM_COMPONENTS"));
    fill(c, "monitoringConfig.managedPrometheusConfig.enabled", json_true());
    fill(c, "monitoringService", json_string("monitoring.googleapis.com/kubernetes"));
}

void gke_set_endpoint(struct emu *e, json_t *c, int port)
{
    char hex[13];
    emu_rand_hex(e, hex, 12);
    const char *location = rd_json_str(c, "location", NULL);
    RD_AUTOFREE char *address =
        port > 0 ? rd_asprintf("127.0.0.1:%d", port) : rd_strdup("203.0.113.10");
    RD_AUTOFREE char *dns =
        port > 0 ? rd_strdup(address)
                 : rd_asprintf("gke-%s-%s.%s.gke.goog", hex, e->project_number, location);
    fill(c, "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic", json_false());
    fill(c, "controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sTokensViaDns", json_false());
    rd_json_path_set(c, "controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint", json_string(dns));
    fill(c, "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled", json_true());
    bool ip = rd_json_path_bool(c, "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled", true);
    if (rd_json_path_bool(c, "networkConfig.defaultEnablePrivateNodes", false))
        rd_json_path_set(c, "privateClusterConfig.enablePrivateNodes", json_true());
    if (json_object_get(c, "masterAuthorizedNetworksConfig") == NULL)
        json_object_set_new(c, "masterAuthorizedNetworksConfig", json_object());
    if (ip) {
        fill(c, "controlPlaneEndpointsConfig.ipEndpointsConfig.enablePublicEndpoint", json_true());
        fill(c,
             "controlPlaneEndpointsConfig.ipEndpointsConfig.authorizedNetworksConfig."
             "gcpPublicCidrsAccessEnabled",
             json_true());
        json_object_set(c, "masterAuthorizedNetworksConfig",
                        rd_json_path(c, "controlPlaneEndpointsConfig.ipEndpointsConfig."
                                        "authorizedNetworksConfig"));
        json_t *ip_config = rd_json_path(c, "controlPlaneEndpointsConfig.ipEndpointsConfig");
        if (rd_streq(rd_json_str(ip_config, "privateEndpointSubnetwork", NULL), ""))
            json_object_del(ip_config, "privateEndpointSubnetwork");
        rd_json_path_set(c, "controlPlaneEndpointsConfig.ipEndpointsConfig.privateEndpoint",
                         json_string("10.128.0.2"));
        rd_json_path_set(c, "controlPlaneEndpointsConfig.ipEndpointsConfig.publicEndpoint",
                         json_string(address));
        rd_json_path_set(c, "privateClusterConfig.privateEndpoint", json_string("10.128.0.2"));
        rd_json_path_set(c, "privateClusterConfig.publicEndpoint", json_string(address));
    }
    json_object_set_new(c, "endpoint", json_string(ip ? address : dns));
    const char *pem = emu_server_ca_pem(e->server);
    RD_AUTOFREE char *ca = rd_base64_encode(pem, strlen(pem));
    rd_json_path_set(c, "masterAuth.clusterCaCertificate", json_string(ca));
    fill(c, "masterAuth.clientCertificateConfig", json_object());
}

/* Zones the nodes are in: as asked, the zone itself, or three of the region. Owned. */
static json_t *default_locations(const char *location)
{
    if (emu_zone_exists(location))
        return rd_json_pack("[s]", location);
    struct rd_strv zones = {0};
    emu_region_zones(location, &zones);
    json_t *list = json_array();
    for (size_t i = 0; i < zones.len && i < 3; i++)
        json_array_append_new(list, json_string(zones.v[i]));
    rd_strv_clear(&zones);
    return list;
}

json_t *gke_cluster_new(struct emu *e, const char *location, const json_t *asked)
{
    json_t *c = json_deep_copy(asked);
    gke_tidy(c);
    char now[32], hex[65];
    emu_stamp_us(now);
    emu_rand_hex(e, hex, 64);
    RD_AUTOFREE char *region = emu_region_of(location);
    RD_AUTOFREE char *etag = gcp_etag(e);
    const char *name = rd_json_str(c, "name", NULL);
    bool zonal = emu_zone_exists(location);
    json_object_set_new(c, "location", json_string(location));
    if (emu_zone_exists(location))
        json_object_set_new(c, "zone", json_string(location));
    if (json_array_size(json_object_get(c, "locations")) == 0)
        json_object_set_new(c, "locations", default_locations(location));
    fill_addons(c);
    fill_network(e, c, region);
    fill_observability(c);
    fill(c, "anonymousAuthenticationConfig.mode", json_string("ENABLED"));
    fill(c, "autopilot", json_object());
    fill_autoscaling(c);
    json_object_set_new(c, "createTime", json_string(now));
    json_object_set_new(c, "currentMasterVersion", json_string(GKE_VERSION));
    json_object_set_new(c, "currentNodeVersion", json_string(GKE_VERSION));
    json_object_set_new(c, "initialClusterVersion", json_string(GKE_VERSION));
    fill(c, "databaseEncryption",
         rd_json_pack("{s:s, s:s}", "currentState", "CURRENT_STATE_DECRYPTED", "state",
                      "DECRYPTED"));
    fill(c, "defaultMaxPodsConstraint.maxPodsPerNode", json_string("110"));
    fill(c, "enterpriseConfig.clusterTier", json_string("STANDARD"));
    json_object_set_new(c, "etag", json_string(etag));
    json_object_set_new(c, "id", json_string(hex));
    json_object_set_new(c, "labelFingerprint", json_stringn(hex, 8));
    fill(c, "legacyAbac", json_object());
    fill(c, "maintenancePolicy.resourceVersion", json_stringn(hex + 8, 8));
    fill(c, "nodePoolDefaults.nodeConfigDefaults.loggingConfig.variantConfig.variant",
         json_string("DEFAULT"));
    fill(c,
         "nodePoolDefaults.nodeConfigDefaults.nodeKubeletConfig."
         "insecureKubeletReadonlyPortEnabled",
         json_false());
    fill(c, "nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled",
         json_false());
    fill(c, "protectConfig",
         rd_json_pack("{s:{s:s}, s:s}", "workloadConfig", "auditMode", "BASIC",
                      "workloadVulnerabilityMode", "WORKLOAD_VULNERABILITY_MODE_UNSPECIFIED"));
    fill(c, "rbacBindingConfig",
         rd_json_pack("{s:b, s:b}", "enableInsecureBindingSystemAuthenticated", 1,
                      "enableInsecureBindingSystemUnauthenticated", 1));
    fill(c, "userManagedKeysConfig", json_object());
    fill(c, "notificationConfig.pubsub", json_object());
    fill(c, "podAutoscaling.hpaProfile", json_string("PERFORMANCE"));
    fill(c, "releaseChannel.channel", json_string("REGULAR"));
    fill(c, "securityPostureConfig",
         rd_json_pack("{s:s, s:s}", "mode", "BASIC", "vulnerabilityMode",
                      "VULNERABILITY_MODE_UNSPECIFIED"));
    fill(c, "shieldedNodes.enabled", json_true());
    json_object_set_new(c, "selfLink",
                        json_sprintf("https://container.googleapis.com/v1/projects/%s/%s/%s/"
                                     "clusters/%s",
                                     e->project, zonal ? "zones" : "locations", location, name));
    json_object_set_new(c, "status", json_string("PROVISIONING"));

    json_t *asked_pools = json_incref(json_object_get(c, "nodePools"));
    if (asked_pools == NULL) {
        json_t *config = json_object_get(c, "nodeConfig");
        asked_pools = rd_json_pack("[{s:s, s:I, s:o}]", "name", "default-pool", "initialNodeCount",
                                   rd_json_path_int(c, "initialNodeCount", 1), "config",
                                   config == NULL ? json_object() : json_deep_copy(config));
    }
    json_t *pools = json_array();
    size_t i;
    json_t *pool;
    json_array_foreach (asked_pools, i, pool)
        json_array_append_new(pools, gke_pool_new(e, c, pool));
    json_decref(asked_pools);
    json_object_set_new(c, "nodePools", pools);
    json_object_set_new(c, "nodeConfig",
                        json_deep_copy(json_object_get(json_array_get(pools, 0), "config")));
    return c;
}

json_t *gke_answer(const json_t *cluster)
{
    json_t *c = emu_public(cluster);
    json_t *pools = json_object_get(c, "nodePools");
    json_t *clean = json_array();
    json_t *groups = json_array();
    size_t i, k;
    json_t *pool, *url;
    json_array_foreach (pools, i, pool) {
        json_t *shown = emu_public(pool);
        json_object_del(shown, "selfLink"); /* only a pool by itself has it */
        json_array_append_new(clean, shown);
        json_array_foreach (json_object_get(pool, "instanceGroupUrls"), k, url)
            json_array_append(groups, url);
    }
    json_object_set_new(c, "nodePools", clean);
    json_object_set_new(c, "instanceGroupUrls", groups);
    return c;
}
