/* Config Connector's kinds: their fields, what they refer to, and how spec becomes a request. */
#include "ctl_cc.h"

#include <stdlib.h>
#include <string.h>

#define LINK "https://www.googleapis.com/compute/v1/"
#define RESOURCE(plural, group) plural "." group CC_SUFFIX

/* ---- Helpers ---- */
/* Copies what spec has of the space-separated names; "a>b": under another name. */
static void take(const json_t *spec, const char *names, json_t *body)
{
    struct rd_strv words = {0};
    rd_strv_split(&words, names, " ");
    for (size_t n = 0; n < words.len; n++) {
        char *to = strchr(words.v[n], '>');
        if (to != NULL)
            *to++ = '\0';
        json_t *value = json_object_get(spec, words.v[n]);
        if (value != NULL && !json_is_null(value))
            json_object_set_new(body, to == NULL ? words.v[n] : to, json_deep_copy(value));
    }
    rd_strv_clear(&words);
}

static json_t *spec_of(const struct cc_item *i)
{
    return json_object_get(i->object, "spec");
}

/* A reference as compute wants it: a link stays, "projects/..." and bare names become links. */
static char *link_of(const struct cc_item *i, const char *path, const char *collection)
{
    const char *text = cc_ref_text(i, path);
    if (text == NULL)
        return NULL;
    const char *at = strstr(text, "projects/");
    return at != NULL ? rd_asprintf(LINK "%s", at)
                      : rd_asprintf(LINK "projects/%s/%s/%s", cc_project(i), collection, text);
}

static void set_text(json_t *o, const char *key, char *take_text)
{
    if (take_text != NULL)
        json_object_set_new(o, key, json_string(take_text));
    free(take_text);
}

static bool empty(const json_t *v)
{
    return v == NULL || json_is_null(v) || json_is_false(v) ||
           (json_is_integer(v) && json_integer_value(v) == 0) ||
           (json_is_string(v) && *json_string_value(v) == '\0') ||
           (json_is_array(v) && json_array_size(v) == 0) ||
           (json_is_object(v) && json_object_size(v) == 0);
}

/* Whether the live value holds what is wanted; absence is false, zero and empty; links are compared
 * from "projects/" on. Depth is that of our own bodies. */
static bool holds(const json_t *want, const json_t *live)
{
    const char *key;
    json_t *value;
    if (empty(want))
        return empty(live) || json_is_object(want) || json_is_array(want);
    if (json_is_object(want)) {
        json_object_foreach ((json_t *)want, key, value) {
            if (!holds(value, json_object_get(live, key)))
                return false;
        }
        return true;
    }
    if (json_is_array(want)) {
        if (json_array_size(want) != json_array_size(live))
            return false;
        for (size_t n = 0; n < json_array_size(want); n++) {
            if (!holds(json_array_get(want, n), json_array_get(live, n)))
                return false;
        }
        return true;
    }
    if (json_is_string(want) && json_is_string(live)) {
        const char *a = strstr(json_string_value(want), "projects/");
        const char *b = strstr(json_string_value(live), "projects/");
        return rd_streq(json_string_value(want), json_string_value(live)) ||
               (a != NULL && b != NULL && rd_streq(a, b));
    }
    if (json_is_integer(want) && json_is_string(live))
        return strtoll(json_string_value(live), NULL, 10) == json_integer_value(want);
    return json_equal(want, live) == 1;
}

/* Those of the named fields whose live value differs; owned, NULL: none. */
static json_t *differing(const json_t *want, const json_t *live, const char *names)
{
    json_t *out = json_object();
    struct rd_strv words = {0};
    rd_strv_split(&words, names, " ");
    for (size_t n = 0; n < words.len; n++) {
        json_t *value = json_object_get(want, words.v[n]);
        if (value != NULL && !holds(value, json_object_get(live, words.v[n])))
            json_object_set(out, words.v[n], value);
    }
    rd_strv_clear(&words);
    if (json_object_size(out) > 0)
        return out;
    json_decref(out);
    return NULL;
}

/* Labels as Google sees them: keys with a slash stay behind, one mark is added. Owned. */
static json_t *labels_of(const struct cc_item *i)
{
    json_t *labels = rd_json_pack("{s:s}", "managed-by-cnrm", "true");
    const char *key;
    json_t *value;
    json_object_foreach (rd_json_get(i->object, "metadata", "labels", NULL), key, value) {
        if (strchr(key, '/') == NULL)
            json_object_set(labels, key, value);
    }
    return labels;
}

/* ---- Compute ---- */
static void compute_plan(const struct cc_item *i, struct cc_plan *p, const char *collection)
{
    rd_str_take(&p->create, rd_asprintf("/compute/v1/projects/%s/%s", cc_project(i), collection));
    rd_str_take(&p->get, rd_asprintf("%s/%s", p->create, cc_id(i)));
    rd_str_dup(&p->remove, p->get);
    rd_str_dup(&p->update, p->get);
    p->create_method = "POST";
    p->update_method = "PATCH";
    json_decref(p->create_body);
    p->create_body = rd_json_pack("{s:s}", "name", cc_id(i));
}

static char *regional(const struct cc_item *i, const char *collection)
{
    return rd_asprintf("regions/%s/%s", cc_text(i, "region"), collection);
}

static void status_link(const struct cc_item *i, const json_t *live, json_t *status)
{
    (void)i;
    take(live, "selfLink", status);
}

static void network_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    compute_plan(i, p, "global/networks");
    take(spec_of(i), "autoCreateSubnetworks description mtu networkFirewallPolicyEnforcementOrder",
         p->create_body);
    if (json_object_get(p->create_body, "autoCreateSubnetworks") == NULL)
        json_object_set_new(p->create_body, "autoCreateSubnetworks", json_true());
    const char *mode = cc_text(i, "routingMode");
    if (mode != NULL)
        json_object_set_new(p->create_body, "routingConfig",
                            rd_json_pack("{s:s}", "routingMode", mode));
    if (live != NULL)
        p->update_body = differing(p->create_body, live, "routingConfig");
}

static void subnet_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    RD_AUTOFREE char *collection = regional(i, "subnetworks");
    compute_plan(i, p, collection);
    json_t *b = p->create_body;
    take(spec_of(i),
         "ipCidrRange description privateIpGoogleAccess purpose role stackType "
         "secondaryIpRange>secondaryIpRanges",
         b);
    json_object_set_new(b, "region", json_sprintf(LINK "projects/%s/regions/%s", cc_project(i),
                                                  cc_text(i, "region")));
    set_text(b, "network", link_of(i, "networkRef", "global/networks"));
    if (live != NULL)
        p->update_body = differing(b, live, "ipCidrRange privateIpGoogleAccess secondaryIpRanges");
    if (p->update_body != NULL)
        take(live, "fingerprint", p->update_body);
}

static void subnet_status(const struct cc_item *i, const json_t *live, json_t *status)
{
    (void)i;
    take(live, "selfLink gatewayAddress creationTimestamp fingerprint", status);
}

static void firewall_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    compute_plan(i, p, "global/firewalls");
    json_t *b = p->create_body;
    take(spec_of(i),
         "description direction priority sourceRanges destinationRanges sourceTags targetTags disabled",
         b);
    static const char *const lists[][2] = {{"allow", "allowed"}, {"deny", "denied"}};
    for (size_t n = 0; n < RD_ARRAY_LEN(lists); n++) {
        size_t k;
        json_t *rule, *out = json_array();
        json_array_foreach (json_object_get(spec_of(i), lists[n][0]), k, rule) {
            json_t *made = json_object();
            take(rule, "protocol>IPProtocol ports", made);
            json_array_append_new(out, made);
        }
        if (json_array_size(out) > 0)
            json_object_set(b, lists[n][1], out);
        json_decref(out);
    }
    set_text(b, "network", link_of(i, "networkRef", "global/networks"));
    if (live != NULL)
        p->update_body = differing(b, live, "allowed denied sourceRanges targetTags priority disabled");
}

static void router_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    RD_AUTOFREE char *collection = regional(i, "routers");
    compute_plan(i, p, collection);
    take(spec_of(i), "description bgp", p->create_body);
    json_object_set_new(
        p->create_body, "region",
        json_sprintf(LINK "projects/%s/regions/%s", cc_project(i), cc_text(i, "region")));
    set_text(p->create_body, "network", link_of(i, "networkRef", "global/networks"));
    if (live != NULL)
        p->update_body = differing(p->create_body, live, "description");
}

static json_t *nat_wanted(const struct cc_item *i)
{
    json_t *nat = rd_json_pack("{s:s}", "name", cc_id(i));
    take(spec_of(i),
         "natIpAllocateOption sourceSubnetworkIpRangesToNat enableDynamicPortAllocation "
         "enableEndpointIndependentMapping minPortsPerVm maxPortsPerVm logConfig udpIdleTimeoutSec "
         "icmpIdleTimeoutSec tcpEstablishedIdleTimeoutSec tcpTransitoryIdleTimeoutSec",
         nat);
    return nat;
}

/* A NAT is an entry of its router: made, changed and removed by a PATCH of that. `live` is the
 * router; update_body is the list without the entry when the object is being deleted. */
static void nat_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    rd_str_take(&p->get,
                rd_asprintf("/compute/v1/projects/%s/regions/%s/routers/%s", cc_project(i),
                            cc_text(i, "region"), cc_ref_text(i, "routerRef")));
    rd_str_dup(&p->create, p->get);
    rd_str_dup(&p->update, p->get);
    rd_str_dup(&p->remove, p->get);
    p->create_method = p->update_method = "PATCH";
    json_t *want = nat_wanted(i);
    json_t *nats = json_array();
    bool same = false;
    size_t n;
    json_t *nat;
    json_array_foreach (json_object_get(live, "nats"), n, nat) {
        if (!rd_streq(rd_json_str(nat, "name", NULL), cc_id(i)))
            json_array_append(nats, nat);
        else
            same = holds(want, nat);
    }
    if (!ctl_deleting(i->object))
        json_array_append(nats, want);
    json_decref(want);
    json_decref(p->create_body);
    p->create_body = rd_json_pack("{s:O}", "nats", nats);
    if (live != NULL && (!same || ctl_deleting(i->object)))
        p->update_body = rd_json_pack("{s:O}", "nats", nats);
    json_decref(nats);
}

/* ---- GKE ---- */
static json_t *node_config(const struct cc_item *i, const json_t *config, const char *account)
{
    json_t *out = json_object();
    take(config,
         "machineType diskSizeGb diskType imageType oauthScopes labels tags spot preemptible "
         "minCpuPlatform metadata gcfsConfig gvnic localSsdCount resourceLabels "
         "workloadMetadataConfig shieldedInstanceConfig taint>taints",
         out);
    if (account != NULL)
        json_object_set_new(out, "serviceAccount", json_string(account));
    json_t *list = json_array();
    size_t n;
    json_t *acc;
    json_array_foreach (json_object_get(config, "guestAccelerator"), n, acc) {
        json_t *made = json_object();
        take(acc, "type>acceleratorType gpuDriverInstallationConfig gpuPartitionSize gpuSharingConfig",
             made);
        json_object_set_new(made, "acceleratorCount",
                            json_sprintf("%lld", (long long)rd_json_path_int(acc, "count", 1)));
        json_array_append_new(list, made);
    }
    if (json_array_size(list) > 0)
        json_object_set(out, "accelerators", list);
    json_decref(list);
    (void)i;
    return out;
}

static json_t *cluster_body(const struct cc_item *i)
{
    json_t *spec = spec_of(i);
    json_t *b = rd_json_pack("{s:s}", "name", cc_id(i));
    take(spec,
         "description initialNodeCount nodeLocations>locations releaseChannel addonsConfig "
         "workloadIdentityConfig minMasterVersion>initialClusterVersion nodePoolDefaults "
         "controlPlaneEndpointsConfig maintenancePolicy binaryAuthorization",
         b);
    json_object_set_new(b, "resourceLabels", labels_of(i));
    set_text(b, "network", link_of(i, "networkRef", "global/networks"));
    RD_AUTOFREE char *region = rd_strdup(cc_text(i, "location"));
    /* "us-central1-a": the region is what comes before the last dash. */
    if (strlen(region) > 2 && region[strlen(region) - 2] == '-')
        region[strlen(region) - 2] = '\0';
    RD_AUTOFREE char *subnets = rd_asprintf("regions/%s/subnetworks", region);
    set_text(b, "subnetwork", link_of(i, "subnetworkRef", subnets));
    for (size_t n = 0; n < 2; n++) { /* GKE takes them without the host */
        static const char *const keys[] = {"network", "subnetwork"};
        const char *at = rd_json_str(b, keys[n], NULL);
        at = at == NULL ? NULL : strstr(at, "projects/");
        if (at != NULL)
            json_object_set_new(b, keys[n], json_string(at));
    }
    const json_t *ranges = json_object_get(spec, "ipAllocationPolicy");
    json_t *policy = rd_json_pack("{s:b}", "useIpAliases", 1);
    take(ranges,
         "clusterSecondaryRangeName servicesSecondaryRangeName clusterIpv4CidrBlock "
         "servicesIpv4CidrBlock stackType",
         policy);
    json_object_set_new(b, "ipAllocationPolicy", policy);
    const char *datapath = cc_text(i, "datapathProvider");
    if (datapath != NULL)
        rd_json_path_set(b, "networkConfig.datapathProvider", json_string(datapath));
    const json_t *hidden = json_object_get(spec, "privateClusterConfig");
    if (hidden != NULL) {
        json_t *made = json_object();
        take(hidden,
             "enablePrivateNodes enablePrivateEndpoint masterIpv4CidrBlock masterGlobalAccessConfig",
             made);
        const char *ref = cc_ref_text(i, "privateClusterConfig.privateEndpointSubnetworkRef");
        if (ref != NULL)
            json_object_set_new(made, "privateEndpointSubnetwork", json_string(ref));
        json_object_set_new(b, "privateClusterConfig", made);
    }
    const json_t *networks = json_object_get(spec, "masterAuthorizedNetworksConfig");
    if (networks != NULL) {
        json_t *made = rd_json_pack("{s:b}", "enabled", 1);
        take(networks, "cidrBlocks gcpPublicCidrsAccessEnabled", made);
        json_object_set_new(b, "masterAuthorizedNetworksConfig", made);
    }
    if (rd_json_path_bool(spec, "enableShieldedNodes", false))
        rd_json_path_set(b, "shieldedNodes.enabled", json_true());
    const json_t *config = json_object_get(spec, "nodeConfig");
    if (config != NULL)
        json_object_set_new(b, "nodeConfig",
                            node_config(i, config, cc_ref_text(i, "nodeConfig.serviceAccountRef")));
    return b;
}

static void cluster_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    rd_str_take(&p->create, rd_asprintf("/v1/projects/%s/locations/%s/clusters", cc_project(i),
                                        cc_text(i, "location")));
    rd_str_take(&p->get, rd_asprintf("%s/%s", p->create, cc_id(i)));
    rd_str_dup(&p->update, p->get);
    rd_str_dup(&p->remove, p->get);
    p->create_method = "POST";
    p->update_method = "PUT";
    json_decref(p->create_body);
    json_t *want = cluster_body(i);
    p->create_body = rd_json_pack("{s:O}", "cluster", want);
    /* One setting an update, as GKE demands; the next pass does the next one. */
    static const struct {
        const char *field, *desired;
    } updates[] = {{"masterAuthorizedNetworksConfig", "desiredMasterAuthorizedNetworksConfig"},
                   {"controlPlaneEndpointsConfig", "desiredControlPlaneEndpointsConfig"},
                   {"addonsConfig", "desiredAddonsConfig"},
                   {"releaseChannel", "desiredReleaseChannel"}};
    for (size_t n = 0; live != NULL && n < RD_ARRAY_LEN(updates) && p->update_body == NULL; n++) {
        json_t *value = json_object_get(want, updates[n].field);
        const json_t *have = json_object_get(live, updates[n].field);
        if (value != NULL && !holds(value, have) &&
            !(n == 0 && rd_json_path(live, "controlPlaneEndpointsConfig.ipEndpointsConfig."
                                           "authorizedNetworksConfig") == NULL &&
              json_object_get(want, "controlPlaneEndpointsConfig") != NULL))
            p->update_body = rd_json_pack("{s:{s:O}}", "update", updates[n].desired, value);
    }
    if (live != NULL && p->update_body == NULL &&
        !holds(json_object_get(want, "resourceLabels"), json_object_get(live, "resourceLabels"))) {
        rd_str_take(&p->update, rd_asprintf("%s:setResourceLabels", p->get));
        p->update_method = "POST";
        p->update_body = rd_json_pack("{s:O, s:s}", "resourceLabels",
                                      json_object_get(want, "resourceLabels"), "labelFingerprint",
                                      rd_json_str(live, "labelFingerprint", NULL));
    }
    json_decref(want);
}

static void cluster_status(const struct cc_item *i, const json_t *live, json_t *status)
{
    take(live,
         "endpoint selfLink labelFingerprint servicesIpv4Cidr currentMasterVersion>masterVersion",
         status);
    if (cc_at_least(i->w, "1.120.0")) {
        const char *ca = rd_json_path_str(live, "masterAuth.clusterCaCertificate");
        if (ca != NULL)
            rd_json_path_set(status, "observedState.masterAuth.clusterCaCertificate",
                             json_string(ca));
    }
    json_t *hidden = json_object();
    take(json_object_get(live, "privateClusterConfig"), "privateEndpoint publicEndpoint", hidden);
    if (json_object_size(hidden) > 0)
        rd_json_path_set(status, "observedState.privateClusterConfig", json_incref(hidden));
    json_decref(hidden);
    const char *dns =
        rd_json_path_str(live, "controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint");
    if (dns != NULL && cc_at_least(i->w, "1.134.0"))
        rd_json_path_set(status,
                         "observedState.controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint",
                         json_string(dns));
}

static void pool_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    json_t *spec = spec_of(i);
    rd_str_take(&p->create,
                rd_asprintf("/v1/projects/%s/locations/%s/clusters/%s/nodePools", cc_project(i),
                            cc_text(i, "location"), cc_ref_text(i, "clusterRef")));
    rd_str_take(&p->get, rd_asprintf("%s/%s", p->create, cc_id(i)));
    rd_str_dup(&p->update, p->get);
    rd_str_dup(&p->remove, p->get);
    p->create_method = "POST";
    p->update_method = "PUT";
    json_t *b = rd_json_pack("{s:s}", "name", cc_id(i));
    take(spec, "initialNodeCount nodeLocations>locations management upgradeSettings version", b);
    const json_t *count = json_object_get(spec, "nodeCount");
    if (count != NULL && json_object_get(b, "initialNodeCount") == NULL)
        json_object_set_new(b, "initialNodeCount", json_deep_copy(count));
    const json_t *scaling = json_object_get(spec, "autoscaling");
    if (scaling != NULL) {
        json_t *made = rd_json_pack("{s:b}", "enabled", 1);
        take(scaling, "minNodeCount maxNodeCount totalMinNodeCount totalMaxNodeCount locationPolicy",
             made);
        json_object_set_new(b, "autoscaling", made);
    }
    json_int_t pods = rd_json_path_int(spec, "maxPodsPerNode", 0);
    if (pods > 0)
        rd_json_path_set(b, "maxPodsConstraint.maxPodsPerNode",
                         json_sprintf("%lld", (long long)pods));
    const json_t *config = json_object_get(spec, "nodeConfig");
    if (config != NULL)
        json_object_set_new(b, "config",
                            node_config(i, config, cc_ref_text(i, "nodeConfig.serviceAccountRef")));
    if (live != NULL && scaling != NULL &&
        !holds(json_object_get(b, "autoscaling"), json_object_get(live, "autoscaling"))) {
        rd_str_take(&p->update, rd_asprintf("%s:setAutoscaling", p->get));
        p->update_method = "POST";
        p->update_body = rd_json_pack("{s:O}", "autoscaling", json_object_get(b, "autoscaling"));
    } else if (live != NULL && !holds(json_object_get(b, "management"),
                                      json_object_get(live, "management"))) {
        rd_str_take(&p->update, rd_asprintf("%s:setManagement", p->get));
        p->update_method = "POST";
        p->update_body = rd_json_pack("{s:O}", "management", json_object_get(b, "management"));
    } else if (live != NULL) {
        p->update_body = differing(b, live, "upgradeSettings locations");
    }
    json_decref(p->create_body);
    p->create_body = rd_json_pack("{s:o}", "nodePool", b);
}

static void pool_status(const struct cc_item *i, const json_t *live, json_t *status)
{
    take(live, "instanceGroupUrls instanceGroupUrls>managedInstanceGroupUrls", status);
    const char *version = rd_json_str(live, "version", NULL);
    if (version != NULL)
        rd_json_path_set(status, "observedState.version", json_string(version));
    json_t *taints = rd_json_path(live, "config.taints");
    if (taints != NULL && cc_at_least(i->w, "1.154.0"))
        rd_json_path_set(status, "observedState.nodeConfig.taint", json_deep_copy(taints));
}

/* ---- Filestore, storage, registry, accounts ---- */
static void filestore_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    RD_AUTOFREE char *base = rd_asprintf("/v1beta1/projects/%s/locations/%s/instances",
                                         cc_project(i), cc_text(i, "location"));
    rd_str_take(&p->create, rd_asprintf("%s?instanceId=%s", base, cc_id(i)));
    rd_str_take(&p->get, rd_asprintf("%s/%s", base, cc_id(i)));
    rd_str_dup(&p->remove, p->get);
    p->create_method = "POST";
    p->update_method = "PATCH";
    json_t *b = json_object();
    take(spec_of(i), "description tier fileShares networks", b);
    json_object_set_new(b, "labels", labels_of(i));
    json_t *network = json_array_get(json_object_get(b, "networks"), 0);
    json_object_del(network, "networkRef");
    const char *ref = cc_ref_text(i, "networks.networkRef");
    const char *at = ref == NULL ? NULL : strstr(ref, "projects/");
    if (ref != NULL)
        json_object_set_new(network, "network",
                            at != NULL ? json_string(at)
                                       : json_sprintf("projects/%s/global/networks/%s",
                                                      cc_project(i), ref));
    if (live != NULL) {
        json_t *news = differing(b, live, "description fileShares labels");
        if (news != NULL) {
            RD_AUTOBUF struct rd_buf mask = RD_BUF_INIT(256);
            const char *key;
            json_t *value;
            json_object_foreach (news, key, value)
                rd_buf_printf(&mask, "%s%s", mask.len > 0 ? "," : "", key);
            rd_str_take(&p->update, rd_asprintf("%s?updateMask=%s", p->get, rd_buf_str(&mask)));
        }
        p->update_body = news;
    }
    json_decref(p->create_body);
    p->create_body = b;
}

static void filestore_status(const struct cc_item *i, const json_t *live, json_t *status)
{
    (void)i;
    take(live, "state statusMessage createTime etag", status);
}

static void bucket_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    json_t *spec = spec_of(i);
    rd_str_take(&p->create, rd_asprintf("/storage/v1/b?project=%s", cc_project(i)));
    rd_str_take(&p->get, rd_asprintf("/storage/v1/b/%s", cc_id(i)));
    rd_str_dup(&p->update, p->get);
    rd_str_dup(&p->remove, p->get);
    p->create_method = "POST";
    p->update_method = "PATCH";
    json_t *b = rd_json_pack("{s:s, s:o}", "name", cc_id(i), "labels", labels_of(i));
    take(spec, "location storageClass versioning autoclass", b);
    if (json_object_get(spec, "uniformBucketLevelAccess") != NULL)
        rd_json_path_set(b, "iamConfiguration.uniformBucketLevelAccess.enabled",
                         json_incref(json_object_get(spec, "uniformBucketLevelAccess")));
    if (json_object_get(spec, "publicAccessPrevention") != NULL)
        rd_json_path_set(b, "iamConfiguration.publicAccessPrevention",
                         json_incref(json_object_get(spec, "publicAccessPrevention")));
    if (json_object_get(spec, "lifecycleRule") != NULL)
        rd_json_path_set(b, "lifecycle.rule",
                         json_deep_copy(json_object_get(spec, "lifecycleRule")));
    json_t *keep = rd_json_path(spec, "softDeletePolicy.retentionDurationSeconds");
    if (keep != NULL)
        rd_json_path_set(b, "softDeletePolicy.retentionDurationSeconds",
                         json_sprintf("%lld", (long long)json_integer_value(keep)));
    if (live != NULL)
        p->update_body = differing(b, live, "labels lifecycle versioning softDeletePolicy");
    json_decref(p->create_body);
    p->create_body = b;
}

static void bucket_status(const struct cc_item *i, const json_t *live, json_t *status)
{
    take(live, "selfLink", status);
    json_object_set_new(status, "url", json_sprintf("gs://%s", cc_id(i)));
}

static void registry_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    RD_AUTOFREE char *base = rd_asprintf("/v1/projects/%s/locations/%s/repositories", cc_project(i),
                                         cc_text(i, "location"));
    rd_str_take(&p->create, rd_asprintf("%s?repositoryId=%s", base, cc_id(i)));
    rd_str_take(&p->get, rd_asprintf("%s/%s", base, cc_id(i)));
    rd_str_take(&p->update, rd_asprintf("%s?updateMask=description,labels", p->get));
    rd_str_dup(&p->remove, p->get);
    p->create_method = "POST";
    p->update_method = "PATCH";
    json_t *b = rd_json_pack("{s:o}", "labels", labels_of(i));
    take(spec_of(i), "description format mode dockerConfig cleanupPolicyDryRun", b);
    if (live != NULL)
        p->update_body = differing(b, live, "description labels");
    json_decref(p->create_body);
    p->create_body = b;
}

static void registry_status(const struct cc_item *i, const json_t *live, json_t *status)
{
    (void)i;
    take(live, "name createTime updateTime", status);
}

static void account_plan(const struct cc_item *i, const json_t *live, struct cc_plan *p)
{
    rd_str_take(&p->create, rd_asprintf("/v1/projects/%s/serviceAccounts", cc_project(i)));
    rd_str_take(&p->get, rd_asprintf("%s/%s@%s.iam.gserviceaccount.com", p->create, cc_id(i),
                                     cc_project(i)));
    rd_str_dup(&p->update, p->get);
    rd_str_dup(&p->remove, p->get);
    p->create_method = "POST";
    p->update_method = "PATCH";
    json_t *account = json_object();
    take(spec_of(i), "displayName description", account);
    if (live != NULL) {
        json_t *news = differing(account, live, "displayName description");
        if (news != NULL)
            p->update_body = rd_json_pack("{s:o, s:s}", "serviceAccount", news, "updateMask",
                                          "displayName,description");
    }
    json_decref(p->create_body);
    p->create_body =
        rd_json_pack("{s:s, s:o}", "accountId", cc_id(i), "serviceAccount", account);
}

static void account_status(const struct cc_item *i, const json_t *live, json_t *status)
{
    take(live, "email name uniqueId", status);
    if (cc_at_least(i->w, "1.98.0"))
        json_object_set_new(status, "member",
                            json_sprintf("serviceAccount:%s", rd_json_str(live, "email", NULL)));
}

/* ---- Fields ---- */
#define F(path) {path, NULL}
static const struct cc_field network_fields[] = {
    F("autoCreateSubnetworks"), F("deleteDefaultRoutesOnCreate"), F("description"), F("mtu"),
    F("routingMode"), F("networkFirewallPolicyEnforcementOrder"), F("enableUlaInternalIpv6"),
    F("internalIpv6Range"), F(NULL)};
static const struct cc_field subnet_fields[] = {
    F("networkRef"), F("region"), F("ipCidrRange"), F("secondaryIpRange"), F("description"),
    F("privateIpGoogleAccess"), F("privateIpv6GoogleAccess"), F("purpose"), F("role"),
    F("stackType"), F("ipv6AccessType"), F("logConfig"), F(NULL)};
static const struct cc_field firewall_fields[] = {
    F("networkRef"), F("allow"), F("deny"), F("description"), F("direction"), F("disabled"),
    F("destinationRanges"), F("enableLogging"), F("logConfig"), F("priority"), F("sourceRanges"),
    F("sourceServiceAccounts"), F("sourceTags"), F("targetServiceAccounts"), F("targetTags"),
    F(NULL)};
static const struct cc_field router_fields[] = {
    F("networkRef"), F("region"), F("description"), F("bgp"), F("encryptedInterconnectRouter"),
    F(NULL)};
static const struct cc_field nat_fields[] = {
    F("routerRef"), F("region"), F("sourceSubnetworkIpRangesToNat"), F("natIpAllocateOption"),
    F("natIps"), F("drainNatIps"), F("minPortsPerVm"), F("maxPortsPerVm"), F("subnetwork"),
    F("enableDynamicPortAllocation"), F("enableEndpointIndependentMapping"), F("logConfig"),
    F("udpIdleTimeoutSec"), F("icmpIdleTimeoutSec"), F("tcpEstablishedIdleTimeoutSec"),
    F("tcpTransitoryIdleTimeoutSec"), F("tcpTimeWaitTimeoutSec"), F("rules"), F(NULL)};
#define NODE_FIELDS                                                                                \
    F("nodeConfig.machineType"), F("nodeConfig.diskSizeGb"), F("nodeConfig.diskType"),             \
        F("nodeConfig.imageType"), F("nodeConfig.serviceAccountRef"), F("nodeConfig.oauthScopes"), \
        F("nodeConfig.labels"), F("nodeConfig.tags"), F("nodeConfig.resourceLabels"),              \
        F("nodeConfig.spot"), F("nodeConfig.preemptible"), F("nodeConfig.taint"),                  \
        F("nodeConfig.guestAccelerator"), F("nodeConfig.gcfsConfig"), F("nodeConfig.gvnic"),       \
        F("nodeConfig.workloadMetadataConfig"), F("nodeConfig.shieldedInstanceConfig"),            \
        F("nodeConfig.minCpuPlatform"), F("nodeConfig.metadata"), F("nodeConfig.localSsdCount"),   \
        F("nodeConfig.linuxNodeConfig"), F("nodeConfig.kubeletConfig"),                            \
        F("nodeConfig.bootDiskKMSCryptoKeyRef"), F("nodeConfig.reservationAffinity"),              \
        {"nodeConfig.fastSocket", "1.111.0"}
static const struct cc_field cluster_fields[] = {
    F("location"), F("nodeLocations"), F("description"), F("initialNodeCount"), NODE_FIELDS,
    F("networkRef"), F("subnetworkRef"), F("networkingMode"), F("ipAllocationPolicy"),
    F("privateClusterConfig"), F("masterAuthorizedNetworksConfig"), F("masterAuth"),
    F("workloadIdentityConfig"), F("releaseChannel"), F("minMasterVersion"),
    F("datapathProvider"), F("addonsConfig.gcpFilestoreCsiDriverConfig"),
    {"addonsConfig.gcsFuseCsiDriverConfig", "1.105.0"},
    F("addonsConfig.gcePersistentDiskCsiDriverConfig"), F("addonsConfig.configConnectorConfig"),
    F("addonsConfig.httpLoadBalancing"), F("addonsConfig.horizontalPodAutoscaling"),
    F("addonsConfig.networkPolicyConfig"), F("addonsConfig.dnsCacheConfig"),
    F("addonsConfig.gkeBackupAgentConfig"), {"nodePoolDefaults.nodeConfigDefaults", "1.96.0"},
    F("enableShieldedNodes"), F("loggingConfig"), F("monitoringConfig"), F("loggingService"),
    F("monitoringService"), F("networkPolicy"), F("maintenancePolicy"), F("binaryAuthorization"),
    F("clusterAutoscaling"), F("databaseEncryption"), F("defaultMaxPodsPerNode"),
    F("enableIntranodeVisibility"), F("enableAutopilot"), F("resourceUsageExportConfig"),
    F("verticalPodAutoscaling"), F("dnsConfig"), F("costManagementConfig"),
    {"controlPlaneEndpointsConfig.dnsEndpointConfig", "1.134.0"},
    {"controlPlaneEndpointsConfig.ipEndpointsConfig", "1.134.0"}, F(NULL)};
static const struct cc_field pool_fields[] = {
    F("clusterRef"), F("location"), F("nodeLocations"), F("initialNodeCount"), F("nodeCount"),
    F("autoscaling.minNodeCount"), F("autoscaling.maxNodeCount"),
    {"autoscaling.totalMinNodeCount", "1.96.0"}, {"autoscaling.totalMaxNodeCount", "1.96.0"},
    {"autoscaling.locationPolicy", "1.96.0"}, F("management"), F("maxPodsPerNode"), F("version"),
    F("upgradeSettings"), F("networkConfig"), F("placementPolicy"), F("namePrefix"), NODE_FIELDS,
    F(NULL)};
static const struct cc_field filestore_fields[] = {
    F("location"), F("projectRef"), F("tier"), F("fileShares"), F("networks"), F("description"),
    F(NULL)};
static const struct cc_field bucket_fields[] = {
    F("location"), F("storageClass"), F("uniformBucketLevelAccess"), F("publicAccessPrevention"),
    F("lifecycleRule"), {"softDeletePolicy", "1.120.0"}, F("versioning"), F("autoclass"),
    F("bucketPolicyOnly"), F("cors"), F("encryption"), F("logging"), F("requesterPays"),
    F("retentionPolicy"), F("website"), F("defaultEventBasedHold"), F("customPlacementConfig"),
    F(NULL)};
static const struct cc_field registry_fields[] = {
    F("location"), F("format"), F("description"), {"mode", "1.102.0"}, {"dockerConfig", "1.103.0"},
    {"cleanupPolicies", "1.109.0"}, {"cleanupPolicyDryRun", "1.109.0"}, F("kmsKeyRef"),
    F("mavenConfig"), F(NULL)};
static const struct cc_field account_fields[] = {F("displayName"), F("description"), F("disabled"),
                                                 F(NULL)};
static const struct cc_field member_fields[] = {F("resourceRef"), F("role"), F("member"),
                                                F("memberFrom"), F("condition"), F(NULL)};

#define NETWORK RESOURCE("computenetworks", "compute")
#define ACCOUNT RESOURCE("iamserviceaccounts", "iam")
const struct cc_kind cc_kinds[] = {
    {.group = "compute", .kind = "ComputeNetwork", .plural = "computenetworks", .api = "compute",
     .what = "Network", .fields = network_fields,
     .immutable = "autoCreateSubnetworks description mtu resourceID", .plan = network_plan,
     .status = status_link},
    {.group = "compute", .kind = "ComputeSubnetwork", .plural = "computesubnetworks",
     .api = "compute", .what = "Subnetwork", .fields = subnet_fields,
     .immutable = "region networkRef description purpose resourceID",
     .refs = {{"networkRef", NETWORK, "status.selfLink", false}}, .plan = subnet_plan,
     .status = subnet_status},
    {.group = "compute", .kind = "ComputeFirewall", .plural = "computefirewalls", .api = "compute",
     .what = "Firewall", .fields = firewall_fields, .immutable = "networkRef direction resourceID",
     .refs = {{"networkRef", NETWORK, "status.selfLink", false}}, .plan = firewall_plan,
     .status = status_link},
    {.group = "compute", .kind = "ComputeRouter", .plural = "computerouters", .api = "compute",
     .what = "Router", .fields = router_fields, .immutable = "region networkRef resourceID",
     .refs = {{"networkRef", NETWORK, "status.selfLink", false}}, .plan = router_plan,
     .status = status_link},
    {.group = "compute", .kind = "ComputeRouterNAT", .plural = "computerouternats",
     .api = "compute", .what = "RouterNat", .fields = nat_fields,
     .immutable = "region routerRef resourceID",
     .refs = {{"routerRef", RESOURCE("computerouters", "compute"), NULL, true}}, .plan = nat_plan},
    {.group = "container", .kind = "ContainerCluster", .plural = "containerclusters",
     .api = "container", .what = "cluster", .fields = cluster_fields,
     .immutable = "location initialNodeCount networkingMode ipAllocationPolicy datapathProvider "
                  "description resourceID",
     .refs = {{"networkRef", NETWORK, "status.selfLink", false},
              {"subnetworkRef", RESOURCE("computesubnetworks", "compute"), "status.selfLink",
               false},
              {"nodeConfig.serviceAccountRef", ACCOUNT, "status.email", false},
              {"privateClusterConfig.privateEndpointSubnetworkRef",
               RESOURCE("computesubnetworks", "compute"), "status.selfLink", false}},
     .plan = cluster_plan, .status = cluster_status},
    {.group = "container", .kind = "ContainerNodePool", .plural = "containernodepools",
     .api = "container", .what = "NodePool", .fields = pool_fields,
     .immutable = "location clusterRef nodeConfig.machineType nodeConfig.diskSizeGb "
                  "nodeConfig.diskType nodeConfig.spot nodeConfig.labels "
                  "nodeConfig.guestAccelerator maxPodsPerNode initialNodeCount resourceID",
     .refs = {{"clusterRef", RESOURCE("containerclusters", "container"), NULL, true},
              {"nodeConfig.serviceAccountRef", ACCOUNT, "status.email", false}},
     .plan = pool_plan, .status = pool_status},
    {.group = "filestore", .kind = "FilestoreInstance", .plural = "filestoreinstances",
     .api = "file", .what = "Instance", .dcl = true, .fields = filestore_fields,
     .immutable = "location tier projectRef resourceID",
     .refs = {{"networks.networkRef", NETWORK, "status.selfLink", false}}, .plan = filestore_plan,
     .status = filestore_status},
    {.group = "storage", .kind = "StorageBucket", .plural = "storagebuckets", .api = "storage",
     .what = "Storage Bucket", .fields = bucket_fields, .immutable = "location resourceID",
     .plan = bucket_plan, .status = bucket_status},
    {.group = "artifactregistry", .kind = "ArtifactRegistryRepository",
     .plural = "artifactregistryrepositories", .api = "artifactregistry", .what = "Repository",
     .fields = registry_fields, .immutable = "location format kmsKeyRef resourceID",
     .plan = registry_plan, .status = registry_status},
    {.group = "iam", .kind = "IAMServiceAccount", .plural = "iamserviceaccounts", .api = "iam",
     .what = "service account", .fields = account_fields, .immutable = "resourceID",
     .plan = account_plan, .status = account_status},
    {.group = "iam", .kind = "IAMPolicyMember", .plural = "iampolicymembers", .api = "iam",
     .what = "policy member", .fields = member_fields,
     .immutable = "resourceRef role member memberFrom condition",
     .refs = {{"memberFrom.serviceAccountRef", ACCOUNT, "status.email", false},
              {"resourceRef", NULL, NULL, false}}},
};
const size_t cc_kinds_len = RD_ARRAY_LEN(cc_kinds);

const struct cc_kind *cc_kind_of(const char *kind)
{
    for (size_t n = 0; n < cc_kinds_len; n++) {
        if (rd_streq(cc_kinds[n].kind, kind))
            return &cc_kinds[n];
    }
    return NULL;
}

char *cc_resource(const struct cc_kind *k)
{
    return rd_asprintf("%s.%s" CC_SUFFIX, k->plural, k->group);
}

bool cc_at_least(const struct cc_world *w, const char *version)
{
    long a[3] = {0}, b[3] = {0};
    const char *texts[] = {w->version, version};
    for (size_t t = 0; t < 2; t++) {
        struct rd_strv parts = {0};
        rd_strv_split(&parts, texts[t], ".");
        for (size_t n = 0; n < 3 && n < parts.len; n++)
            (t == 0 ? a : b)[n] = strtol(parts.v[n], NULL, 10);
        rd_strv_clear(&parts);
    }
    for (size_t n = 0; n < 3; n++) {
        if (a[n] != b[n])
            return a[n] > b[n];
    }
    return true;
}
