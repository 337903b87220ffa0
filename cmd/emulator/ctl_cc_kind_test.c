/* What Config Connector's kinds become as requests, held against the types of Google's APIs. */
#include "ctl_cc.h"
#include "schema.h"

#include "base/test.h"

#include <stdlib.h>

#define META(name)                                                                                 \
    "\"metadata\":{\"name\":\"" name "\",\"namespace\":\"cc\",\"labels\":{\"a\":\"b\","              \
    "\"x/y\":\"z\"},\"annotations\":{\"cnrm.cloud.google.com/project-id\":\"p\"}}"

static struct cc_item item(struct cc_world *w, const char *kind, const char *object,
                           const char *refs)
{
    struct cc_item i = {.w = w, .kind = cc_kind_of(kind)};
    assert_non_null(i.kind);
    i.object = json_loads(object, 0, NULL);
    assert_non_null(i.object);
    i.refs = json_loads(refs, 0, NULL);
    i.name = rd_strdup(ctl_name(i.object));
    return i;
}

static void clear(struct cc_item *i)
{
    json_decref(i->object);
    json_decref(i->refs);
    free(i->name);
    free(i->plan.get);
    free(i->plan.create);
    free(i->plan.update);
    free(i->plan.remove);
    json_decref(i->plan.create_body);
    json_decref(i->plan.update_body);
}

static void test_create(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *object, *refs, *type, *path, *body;
    } rows[] = {
        {"ComputeNetwork",
         "{" META("n") ",\"spec\":{\"autoCreateSubnetworks\":false,\"routingMode\":\"REGIONAL\"}}",
         "{}", "CpNetwork", "/compute/v1/projects/p/global/networks",
         "{\"autoCreateSubnetworks\":false,\"name\":\"n\",\"routingConfig\":{\"routingMode\":"
         "\"REGIONAL\"}}"},
        {"ComputeSubnetwork",
         "{" META("s") ",\"spec\":{\"region\":\"r\",\"ipCidrRange\":\"10.0.0.0/20\","
                       "\"secondaryIpRange\":[{\"rangeName\":\"pods\",\"ipCidrRange\":\"10.8.0.0/14\"}],"
                       "\"privateIpGoogleAccess\":true}}",
         "{\"networkRef\":\"projects/p/global/networks/n\"}", "CpSubnetwork",
         "/compute/v1/projects/p/regions/r/subnetworks", NULL},
        {"ComputeRouterNAT",
         "{" META("nat") ",\"spec\":{\"region\":\"r\",\"natIpAllocateOption\":\"AUTO_ONLY\","
                         "\"sourceSubnetworkIpRangesToNat\":\"ALL_SUBNETWORKS_ALL_IP_RANGES\","
                         "\"minPortsPerVm\":64,\"logConfig\":{\"enable\":true,\"filter\":"
                         "\"ERRORS_ONLY\"}}}",
         "{\"routerRef\":\"rt\"}", "CpRouter", "/compute/v1/projects/p/regions/r/routers/rt", NULL},
        {"ContainerCluster",
         "{" META("c") ",\"spec\":{\"location\":\"us-central1\",\"initialNodeCount\":1,\"nodeConfig\":"
                       "{\"machineType\":\"e2-medium\",\"diskSizeGb\":30,\"shieldedInstanceConfig\":"
                       "{\"enableSecureBoot\":true}},\"networkingMode\":\"VPC_NATIVE\","
                       "\"ipAllocationPolicy\":{\"clusterSecondaryRangeName\":\"pods\"},"
                       "\"datapathProvider\":\"ADVANCED_DATAPATH\",\"privateClusterConfig\":"
                       "{\"enablePrivateNodes\":true},\"workloadIdentityConfig\":{\"workloadPool\":"
                       "\"p.svc.id.goog\"},\"releaseChannel\":{\"channel\":\"REGULAR\"},"
                       "\"enableShieldedNodes\":true,\"addonsConfig\":{\"dnsCacheConfig\":{\"enabled\":"
                       "true},\"gcsFuseCsiDriverConfig\":{\"enabled\":true}},"
                       "\"controlPlaneEndpointsConfig\":{\"dnsEndpointConfig\":"
                       "{\"allowExternalTraffic\":true},\"ipEndpointsConfig\":{\"enabled\":false}},"
                       "\"masterAuthorizedNetworksConfig\":{\"cidrBlocks\":[{\"cidrBlock\":"
                       "\"192.0.2.0/24\"}]}}}",
         "{\"networkRef\":\"https://www.googleapis.com/compute/v1/projects/p/global/networks/n\","
         "\"nodeConfig.serviceAccountRef\":\"a@p.iam.gserviceaccount.com\"}",
         "CtCreateClusterRequest", "/v1/projects/p/locations/us-central1/clusters", NULL},
        {"ContainerNodePool",
         "{" META("g") ",\"spec\":{\"location\":\"us-central1\",\"initialNodeCount\":0,"
                       "\"nodeLocations\":[\"us-central1-a\"],\"autoscaling\":{\"totalMinNodeCount\":0,"
                       "\"totalMaxNodeCount\":4,\"locationPolicy\":\"ANY\"},\"management\":"
                       "{\"autoRepair\":true,\"autoUpgrade\":true},\"upgradeSettings\":{\"maxSurge\":0,"
                       "\"maxUnavailable\":1},\"nodeConfig\":{\"machineType\":\"n1-standard-8\","
                       "\"guestAccelerator\":[{\"type\":\"nvidia-tesla-t4\",\"count\":1,"
                       "\"gpuDriverInstallationConfig\":{\"gpuDriverVersion\":\"DEFAULT\"}}],"
                       "\"workloadMetadataConfig\":{\"mode\":\"GKE_METADATA\"}}}}",
         "{\"clusterRef\":\"c\"}", "CtCreateNodePoolRequest",
         "/v1/projects/p/locations/us-central1/clusters/c/nodePools", NULL},
        {"FilestoreInstance",
         "{" META("f") ",\"spec\":{\"location\":\"us-central1\",\"tier\":\"ENTERPRISE\",\"fileShares\":"
                       "[{\"name\":\"share\",\"capacityGb\":1024}],\"networks\":[{\"networkRef\":"
                       "{\"name\":\"n\"},\"modes\":[\"MODE_IPV4\"]}]}}",
         "{\"networks.networkRef\":\"n\"}", "FsInstance",
         "/v1beta1/projects/p/locations/us-central1/instances?instanceId=f",
         "{\"fileShares\":[{\"capacityGb\":1024,\"name\":\"share\"}],\"labels\":{\"a\":\"b\","
         "\"managed-by-cnrm\":\"true\"},\"networks\":[{\"modes\":[\"MODE_IPV4\"],\"network\":"
         "\"projects/p/global/networks/n\"}],\"tier\":\"ENTERPRISE\"}"},
        {"StorageBucket",
         "{" META("b") ",\"spec\":{\"location\":\"us-central1\",\"uniformBucketLevelAccess\":true,"
                       "\"publicAccessPrevention\":\"enforced\",\"softDeletePolicy\":"
                       "{\"retentionDurationSeconds\":0},\"lifecycleRule\":[{\"action\":{\"type\":"
                       "\"Delete\"},\"condition\":{\"age\":7}}]}}",
         "{}", "StBucket", "/storage/v1/b?project=p", NULL},
        {"ArtifactRegistryRepository",
         "{" META("i") ",\"spec\":{\"location\":\"us-central1\",\"format\":\"DOCKER\"}}", "{}",
         "ArRepository", "/v1/projects/p/locations/us-central1/repositories?repositoryId=i", NULL},
        {"IAMServiceAccount", "{" META("account") ",\"spec\":{\"displayName\":\"d\"}}", "{}",
         "ImCreateServiceAccountRequest", "/v1/projects/p/serviceAccounts",
         "{\"accountId\":\"account\",\"serviceAccount\":{\"displayName\":\"d\"}}"},
    };
    struct cc_world w = {.version = (char *)"1.140.0"};
    for (size_t n = 0; n < RD_ARRAY_LEN(rows); n++) {
        struct cc_item i = item(&w, rows[n].kind, rows[n].object, rows[n].refs);
        i.kind->plan(&i, NULL, &i.plan);
        char *why = NULL;
        if (!schema_check(rows[n].type, i.plan.create_body, &why))
            fail_msg("%s: %s", rows[n].kind, why);
        free(why);
        rd_check_str(rows[n].kind, i.plan.create, rows[n].path);
        RD_AUTOFREE char *body = rd_json_dump(i.plan.create_body);
        if (rows[n].body != NULL)
            rd_check_str(rows[n].kind, body, rows[n].body);
        assert_null(i.plan.update_body);
        clear(&i);
    }
}

/* A resource that is as wanted is left alone; one that is not gets the difference. */
static void test_drift(void **state)
{
    (void)state;
    static const struct {
        const char *live, *want;
    } rows[] = {
        {"{\"name\":\"n\",\"routingConfig\":{\"routingMode\":\"REGIONAL\",\"more\":1}}", NULL},
        {"{\"name\":\"n\",\"routingConfig\":{\"routingMode\":\"GLOBAL\"}}",
         "{\"routingConfig\":{\"routingMode\":\"REGIONAL\"}}"},
        {"{\"name\":\"n\"}", "{\"routingConfig\":{\"routingMode\":\"REGIONAL\"}}"},
    };
    struct cc_world w = {.version = (char *)"1.140.0"};
    for (size_t n = 0; n < RD_ARRAY_LEN(rows); n++) {
        struct cc_item i =
            item(&w, "ComputeNetwork", "{" META("n") ",\"spec\":{\"routingMode\":\"REGIONAL\"}}", "{}");
        RD_AUTOJSON json_t *live = json_loads(rows[n].live, 0, NULL);
        i.kind->plan(&i, live, &i.plan);
        RD_AUTOFREE char *got =
            i.plan.update_body == NULL ? NULL : rd_json_dump(i.plan.update_body);
        rd_check_str(rows[n].live, got, rows[n].want);
        clear(&i);
    }
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        const char *have, *asked;
        bool want;
    } rows[] = {{"1.140.0", "1.140.0", true},  {"1.140.0", "1.134.0", true},
                {"1.99.0", "1.120.0", false},  {"1.152.1", "1.152.0", true},
                {"1.120.0", "1.152.0", false}, {"2.0.0", "1.152.0", true}};
    for (size_t n = 0; n < RD_ARRAY_LEN(rows); n++) {
        struct cc_world w = {.version = rd_strdup(rows[n].have)};
        rd_check_int(rows[n].have, cc_at_least(&w, rows[n].asked), rows[n].want);
        free(w.version);
    }
}

/* The message grammar of the provider's errors. */
static void test_errors(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body, *want;
    } rows[] = {
        {403, "{\"error\":{\"message\":\"Quota 'NETWORKS' exceeded.\",\"errors\":[{\"reason\":"
              "\"quotaExceeded\"}]}}",
         "googleapi: Error 403: Quota 'NETWORKS' exceeded., quotaExceeded"},
        {404, "{\"error\":{\"message\":\"not there\",\"status\":\"NOT_FOUND\"}}",
         "googleapi: Error 404: not there"},
        {500, "{}", "googleapi: Error 500: no text"}};
    for (size_t n = 0; n < RD_ARRAY_LEN(rows); n++) {
        RD_AUTOJSON json_t *body = json_loads(rows[n].body, 0, NULL);
        RD_AUTOFREE char *got = cc_error(rows[n].status, body);
        rd_check_str(rows[n].body, got, rows[n].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create), cmocka_unit_test(test_drift),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
