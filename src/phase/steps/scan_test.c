/* Goal: each kind of leftover is found and named with the command that removes it; look-alikes of others in
 * the same project never are. */
#include "phase/steps/scan.h"

#include "base/alloc.h"
#include "base/test.h"

#include <string.h>

#define LINK "https://www.googleapis.com/compute/v1/projects/proj-1/"

struct row {
    enum scan_kind kind;
    const char *json;
    const char *name; /* NULL: somebody else's */
    bool management;
};

/* In the order in which a scan shows them. */
static const struct row rows[] = {
    {SCAN_CLUSTER,
     "{'name':'ray-gke','location':'us-central1','resourceLabels':{'raydeploy-deployment':'ray'}}",
     "ray-gke", false},
    {SCAN_CLUSTER, "{'name':'ray-gke-2','location':'us-central1'}", NULL, false},
    {SCAN_CLUSTER,
     "{'name':'other-gke','location':'us-central1','resourceLabels':{'raydeploy-deployment':'other'}}",
     NULL, false},
    {SCAN_CLUSTER,
     "{'name':'ray-mgmt','location':'us-central1-a','resourceLabels':{'raydeploy-management':'ray-mgmt'}}",
     "ray-mgmt", true},
    {SCAN_NETWORK, "{'name':'ray-vpc','description':'Made by raydeploy for deployment ray'}", "ray-vpc",
     false},
    {SCAN_NETWORK, "{'name':'ray-mgmt-vpc','description':'raydeploy-management: made by raydeploy bootstrap'}",
     "ray-mgmt-vpc", true},
    {SCAN_NETWORK, "{'name':'default','description':'Default network for the project'}", NULL, false},
    {SCAN_SUBNET,
     "{'name':'ray-subnet','network':'" LINK "global/networks/ray-vpc','region':'" LINK
     "regions/us-central1'}",
     "ray-subnet", false},
    {SCAN_SUBNET, "{'name':'ray-subnet','network':'" LINK "global/networks/ray-vpc-2'}", NULL, false},
    {SCAN_SUBNET,
     "{'name':'x','network':'https://www.googleapis.com/compute/v1/projects/proj-12/global/networks/"
     "ray-vpc'}",
     NULL, false},
    {SCAN_INSTANCE,
     "{'name':'gke-ray-gke-ray-cpu-1a2b3c4d-x1y2','zone':'" LINK "zones/us-central1-a','selfLink':'" LINK
     "zones/us-central1-a/instances/gke-ray-gke-ray-cpu-1a2b3c4d-x1y2'}",
     "gke-ray-gke-ray-cpu-1a2b3c4d-x1y2", false},
    {SCAN_INSTANCE, "{'name':'gke-ray-gke-ray-cpu-1a2b3c4d-y1y2','zone':'us-central1-b','labels':{'goog-"
                    "k8s-cluster-name':'ray-gke-2'}}",
     NULL, false},
    {SCAN_INSTANCE, "{'name':'vm','zone':'us-east1-b','labels':{'goog-k8s-cluster-name':'ray-gke','goog-"
                    "k8s-cluster-location':'us-east1'}}",
     NULL, false},
    {SCAN_INSTANCE,
     "{'name':'vm','zone':'us-central1-a','networkInterfaces':[{'network':'" LINK
     "global/networks/ray-vpc'}]}",
     "vm", false},
    {SCAN_GROUP_MANAGER,
     "{'name':'gke-ray-gke-ray-gpu-1a2b3c4d-grp','zone':'us-central1-a','selfLink':'" LINK
     "zones/us-central1-a/instanceGroupManagers/gke-ray-gke-ray-gpu-1a2b3c4d-grp'}",
     "gke-ray-gke-ray-gpu-1a2b3c4d-grp", false},
    {SCAN_GROUP_MANAGER, "{'name':'gke-ray-gke-2-ray-cpu-99-grp','region':'us-central1'}", NULL, false},
    {SCAN_GROUP_MANAGER, "{'name':'gke-ray-gke-default-pool-99-grp','region':'us-central1'}",
     "gke-ray-gke-default-pool-99-grp", false},
    {SCAN_GROUP, "{'name':'k8s-ig--0123','zone':'us-central1-a','network':'" LINK
                 "global/networks/ray-vpc'}",
     "k8s-ig--0123", false},
    {SCAN_ENDPOINT_GROUP,
     "{'name':'k8s1-77-web','zone':'us-central1-a','network':'" LINK "global/networks/ray-vpc'}",
     "k8s1-77-web", false},
    {SCAN_TARGET_POOL,
     "{'name':'a0123','region':'us-central1','selfLink':'" LINK
     "regions/us-central1/targetPools/a0123','instances':['" LINK
     "zones/us-central1-a/instances/gke-ray-gke-ray-cpu-1a2b3c4d-x1y2']}",
     "a0123", false},
    {SCAN_TARGET_POOL, "{'name':'b0123','region':'us-central1','instances':['" LINK
                       "zones/us-central1-a/instances/web-1']}",
     NULL, false},
    {SCAN_BACKEND, "{'name':'be','backends':[{'group':'" LINK
                   "zones/us-central1-a/instanceGroupManagers/gke-ray-gke-ray-gpu-1a2b3c4d-grp'}]}",
     "be", false},
    {SCAN_FORWARDING_RULE,
     "{'name':'a0123','region':'us-central1','target':'" LINK
     "regions/us-central1/targetPools/a0123','selfLink':'" LINK
     "regions/us-central1/forwardingRules/a0123'}",
     "a0123", false},
    {SCAN_FORWARDING_RULE, "{'name':'b0123','region':'us-central1','target':'" LINK
                           "regions/us-central1/targetPools/b0123'}",
     NULL, false},
    {SCAN_ADDRESS, "{'name':'a0123','region':'us-central1','users':['" LINK
                   "regions/us-central1/forwardingRules/a0123']}",
     "a0123", false},
    {SCAN_ADDRESS, "{'name':'office','region':'us-central1'}", NULL, false},
    {SCAN_DISK,
     "{'name':'pvc-0123','zone':'us-central1-a','selfLink':'" LINK
     "zones/us-central1-a/disks/pvc-0123','labels':{'goog-k8s-cluster-name':'ray-gke','goog-k8s-cluster-"
     "location':'us-central1'}}",
     "pvc-0123", false},
    {SCAN_DISK, "{'name':'pvc-0124','zone':'us-central1-a','labels':{'goog-k8s-cluster-name':'web'}}", NULL,
     false},
    {SCAN_DISK, "{'name':'pvc-0125','zone':'us-central1-a','description':'{\\\"kubernetes.io/created-for/"
                "pvc/namespace\\\":\\\"ray-system\\\"}'}",
     "pvc-0125", false},
    {SCAN_SNAPSHOT, "{'name':'snap','sourceDisk':'" LINK "zones/us-central1-a/disks/pvc-0123'}", "snap",
     false},
    {SCAN_SNAPSHOT, "{'name':'snap2','sourceDisk':'" LINK "zones/us-central1-a/disks/other'}", NULL, false},
    {SCAN_FIREWALL, "{'name':'k8s-fw-a0123','network':'" LINK "global/networks/ray-vpc'}", "k8s-fw-a0123",
     false},
    {SCAN_FIREWALL, "{'name':'gke-ray-gke-1a2b-all','network':'" LINK "global/networks/default'}", NULL,
     false},
    {SCAN_ROUTER,
     "{'name':'ray-router','region':'us-central1','network':'" LINK "global/networks/ray-vpc'}",
     "ray-router", false},
    {SCAN_ROUTER, "{'name':'ray-router','region':'us-east1','network':'" LINK "global/networks/default'}",
     NULL, false},
    {SCAN_FILESTORE,
     "{'name':'projects/proj-1/locations/us-central1/instances/"
     "ray-filestore','labels':{'raydeploy-deployment':'ray'},'fileShares':[{'capacityGb':'1024'}]}",
     "ray-filestore", false},
    {SCAN_FILESTORE,
     "{'name':'projects/proj-1/locations/us-central1/instances/"
     "ray-filestore2','networks':[{'network':'default'}]}",
     NULL, false},
    {SCAN_BACKUP,
     "{'name':'projects/proj-1/locations/us-central1/backups/b1','sourceInstance':'projects/proj-1/"
     "locations/us-central1/instances/ray-filestore'}",
     "b1", false},
    {SCAN_BACKUP,
     "{'name':'projects/proj-1/locations/us-central1/backups/b2','sourceInstance':'projects/proj-1/"
     "locations/us-central1/instances/not-ray-filestore'}",
     NULL, false},
    {SCAN_BUCKET, "{'name':'proj-1-ray-spill','location':'US-CENTRAL1','labels':{'raydeploy-deployment':"
                  "'ray'}}",
     "proj-1-ray-spill", false},
    {SCAN_BUCKET, "{'name':'proj-1-ray-spill-2','location':'US'}", NULL, false},
    {SCAN_REGISTRY,
     "{'name':'projects/proj-1/locations/us-central1/repositories/"
     "ray-images','labels':{'raydeploy-deployment':'ray'}}",
     "ray-images", false},
    {SCAN_ACCOUNT,
     "{'email':'ray-nodes@proj-1.iam.gserviceaccount.com','description':'Made by raydeploy for deployment "
     "ray'}",
     "ray-nodes@proj-1.iam.gserviceaccount.com", false},
    {SCAN_ACCOUNT, "{'email':'ray-workload@proj-1.iam.gserviceaccount.com','description':'research'}", NULL,
     false},
    {SCAN_ACCOUNT, "{'email':'123-compute@developer.gserviceaccount.com'}", NULL, false},
};

static json_t *parse(const char *single_quoted)
{
    RD_AUTOFREE char *text = rd_strdup(single_quoted);
    struct rd_err *err = NULL;
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *o = rd_json_parse(text, strlen(text), "row", &err);
    assert_null(err);
    return o;
}

static void leftovers(void **state)
{
    (void)state;
    struct config c = {.name = "ray", .project = "proj-1", .region = "us-central1"};
    struct scan_match *m = scan_match_new(&c);
    bool found_of[SCAN_KIND_MAX] = {false};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *o = parse(rows[i].json);
        struct scan_item item = {0};
        bool found = scan_match_resource(m, rows[i].kind, o, &item);
        if (found != (rows[i].name != NULL))
            fail_msg("row %zu %s: %s", i, rows[i].json, found ? item.why : "not found");
        if (!found)
            continue;
        assert_string_equal(item.name, rows[i].name);
        assert_int_equal(item.management, rows[i].management);
        assert_true(rd_starts_with(item.command, "gcloud "));
        assert_non_null(strstr(item.command, rows[i].name));
        if (rows[i].kind == SCAN_ACCOUNT) /* belongs to no region */
            assert_null(strstr(item.command, " --region "));
        found_of[rows[i].kind] = true;
        scan_item_clear(&item);
    }
    for (unsigned k = 0; k < SCAN_PROJECT_BINDING; k++)
        if (!found_of[k])
            fail_msg("no row for %s", scan_kind_name(k));
    scan_match_free(m);
}

static void count(void *ctx, struct scan_item *take)
{
    struct rd_strv *names = ctx;
    rd_strv_add(names, take->name);
    scan_item_clear(take);
}

static void bindings(void **state)
{
    (void)state;
    struct config c = {.name = "ray", .project = "proj-1", .region = "us-central1"};
    struct scan_match *m = scan_match_new(&c);
    struct rd_strv names = {NULL, 0};
    struct scan_item item = {0};
    /* Of our name, and not ours: its roles are its owner's business. */
    RD_AUTOJSON json_t *account =
        parse("{'email':'ray-workload@proj-1.iam.gserviceaccount.com','description':'research'}");
    assert_false(scan_match_resource(m, SCAN_ACCOUNT, account, &item));
    RD_AUTOJSON json_t *policy = parse(
        "{'bindings':[{'role':'roles/a','members':["
        "'serviceAccount:ray-nodes@proj-1.iam.gserviceaccount.com',"
        "'deleted:serviceAccount:ray-nodes@proj-1.iam.gserviceaccount.com?uid=12',"
        "'serviceAccount:ray-workload@proj-1.iam.gserviceaccount.com',"
        "'serviceAccount:ray-nodes@proj-12.iam.gserviceaccount.com',"
        "'user:ray-nodes@proj-1.iam.gserviceaccount.com']},"
        "{'role':'roles/iam.workloadIdentityUser','members':["
        "'serviceAccount:proj-1.svc.id.goog[ray-system/ray-head]',"
        "'serviceAccount:proj-1.svc.id.goog[ray-system/ray-headless]']}]}");
    scan_match_policy(m, SCAN_PROJECT_BINDING, "proj-1", policy, count, &names);
    scan_match_policy(m, SCAN_BUCKET_BINDING, "b", policy, count, &names);
    scan_match_policy(m, SCAN_ACCOUNT_BINDING, "x@y", policy, count, &names);
    assert_int_equal(names.len, 9);
    assert_string_equal(names.v[0], "roles/a for serviceAccount:ray-nodes@proj-1.iam.gserviceaccount.com");
    assert_string_equal(
        names.v[1], "roles/a for deleted:serviceAccount:ray-nodes@proj-1.iam.gserviceaccount.com?uid=12");
    assert_string_equal(names.v[2], "roles/iam.workloadIdentityUser for "
                                    "serviceAccount:proj-1.svc.id.goog[ray-system/ray-head]");
    rd_strv_clear(&names);
    scan_match_free(m);
}

static void foreign_names(void **state)
{
    (void)state;
    struct config c = {.name = "ray", .project = "proj-1", .region = "us-central1"};
    struct scan_match *m = scan_match_new(&c);
    struct scan_item item = {0};
    RD_AUTOJSON json_t *cluster = parse("{'name':'ray-gke','location':'us-central1'}");
    RD_AUTOJSON json_t *network = parse("{'name':'ray-vpc','description':'of the research group'}");
    RD_AUTOJSON json_t *vm =
        parse("{'name':'gke-ray-gke-ray-cpu-1-2','zone':'us-central1-a','networkInterfaces':[{'network':"
              "'" LINK "global/networks/ray-vpc'}],'labels':{'goog-k8s-cluster-name':'ray-gke'}}");
    assert_false(scan_match_resource(m, SCAN_CLUSTER, cluster, &item));
    assert_false(scan_match_resource(m, SCAN_NETWORK, network, &item));
    assert_false(scan_match_resource(m, SCAN_INSTANCE, vm, &item));
    scan_match_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leftovers),
        cmocka_unit_test(bindings),
        cmocka_unit_test(foreign_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
