/* A journey through every request of src/gcp, with real credentials, in the order of a bootstrap
 * and its undoing. The environment names the services (raydeploy-emulator's DIR/env); without it
 * the program exits 77. */
#include "gcp/policy.h"
#include "gcp/services.h"

#include "auth/auth.h"
#include "base/alloc.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

#define PROJECT "demo-project"
#define REGION "us-central1"
#define ZONE "us-central1-a"
#define ACCOUNT "live-nodes@" PROJECT ".iam.gserviceaccount.com"

struct journey {
    struct op op;
    struct loop *loop;
    struct http_auth *auth;
    struct gcp_client *client;
    void (*start)(struct op *parent, struct journey *j);
    struct op *wanted;
    bool started;
    struct gcp_call call;
    struct gcp_list list;
    struct gcp_lro lro;
    struct gcp_policy policy;
    struct gcp_objects_delete objects;
    const struct gcp_binding *binding;
    enum gcp_policy_target target;
    const char *name;
    unsigned polls, retries;
};
static struct journey j;

static void journey_step(struct op *op)
{
    if (!j.started) {
        j.started = true;
        j.start(op, &j);
        return;
    }
    if (op_ended(j.wanted))
        op_finish(op, NULL);
}

static void run(struct op *wanted, void (*start)(struct op *, struct journey *))
{
    j.wanted = wanted;
    j.start = start;
    j.started = false;
    op_start_root(&j.op, j.loop, journey_step, "journey");
    op_set_timeout(&j.op, 120000);
    loop_run(j.loop, &j.op);
    rd_err_free(op_take_err(&j.op));
}

static void must(const char *what, const struct op *op)
{
    if (op->err != NULL)
        fail_msg("%s: %s%s%s", what, op->err->message, op->err->remote ? " | " : "",
                 op->err->remote ? op->err->remote : "");
}

static void start_call(struct op *parent, struct journey *w)
{
    gcp_call_start(&w->call, parent);
}

static void start_list(struct op *parent, struct journey *w)
{
    gcp_list_start(&w->list, parent);
}

static void start_lro(struct op *parent, struct journey *w)
{
    gcp_lro_start(&w->lro, parent);
}

static void start_policy(struct op *parent, struct journey *w)
{
    w->policy.patience = GCP_PATIENT_ACCOUNT;
    gcp_policy_start(&w->policy, parent, w->client, w->target, w->name, w->binding, 1);
}

static const json_t *call(const char *what)
{
    run(&j.call.op, start_call);
    must(what, &j.call.op);
    return j.call.result;
}

static size_t list(const char *what)
{
    run(&j.list.op, start_list);
    must(what, &j.list.op);
    return json_array_size(j.list.items);
}

static void on_progress(struct gcp_lro *l, const json_t *operation)
{
    (void)l, (void)operation;
    j.polls++;
}

static const json_t *lro(const char *what)
{
    j.lro.on_progress = on_progress;
    run(&j.lro.op, start_lro);
    must(what, &j.lro.op);
    return j.lro.result;
}

static size_t policy(const char *what, enum gcp_policy_target target, const char *name,
                     const struct gcp_binding *b)
{
    j.target = target;
    j.name = name;
    j.binding = b;
    run(&j.policy.op, start_policy);
    must(what, &j.policy.op);
    return j.policy.changed;
}

static void on_retry(void *ctx, const struct rd_err *why, uint64_t delay_ms)
{
    (void)ctx;
    j.retries++;
    print_message("retry in %u ms: %s\n", (unsigned)delay_ms, why->message);
}

static int setup(void **state)
{
    (void)state;
    j.loop = loop_new();
    struct auth_options o = {0};
    struct rd_err *err = NULL;
    if (!auth_google_open(j.loop, &o, &j.auth, &err)) {
        print_message("%s\n", err->message);
        return 1;
    }
    struct gcp_client_options c = {.auth = auth_google_ref(j.auth), .on_retry = on_retry};
    j.client = gcp_client_new(j.loop, &c, &err);
    return j.client == NULL;
}

static int teardown(void **state)
{
    (void)state;
    gcp_call_clear(&j.call);
    gcp_list_clear(&j.list);
    gcp_lro_clear(&j.lro);
    gcp_policy_clear(&j.policy);
    gcp_objects_delete_clear(&j.objects);
    gcp_client_free(j.client);
    j.auth->ops->free(j.auth);
    loop_free(j.loop);
    return 0;
}

/* ---- The journey ---- */

static void project(void **state)
{
    (void)state;
    gcp_project_get(&j.call, j.client, PROJECT);
    rd_check_str("state", rd_json_path_str(call("project"), "lifecycleState"), "ACTIVE");
    const char *const permissions[] = {"container.clusters.create", "serviceusage.services.enable"};
    gcp_project_test_permissions(&j.call, j.client, PROJECT, permissions, 2);
    rd_check_int("granted",
                 (long long)json_array_size(json_object_get(call("permissions"), "permissions")),
                 2);
    gcp_billing_info(&j.call, j.client, PROJECT);
    assert_true(rd_json_path_bool(call("billing"), "billingEnabled", false));
    gcp_project_get(&j.call, j.client, "no-such-project-at-all");
    run(&j.call.op, start_call);
    assert_non_null(j.call.op.err);
    rd_check_str("no project", rd_err_kind_name(j.call.op.err->kind), "credentials");
}

static void apis(void **state)
{
    (void)state;
    static const char *const names[] = {
        "container.googleapis.com",        "compute.googleapis.com",    "iam.googleapis.com",
        "iamcredentials.googleapis.com",   "file.googleapis.com",       "storage.googleapis.com",
        "artifactregistry.googleapis.com", "cloudquotas.googleapis.com"};
    gcp_cluster_get(&j.call, j.client, PROJECT, ZONE, "live");
    run(&j.call.op, start_call);
    assert_non_null(j.call.op.err);
    rd_check_str("before", gcp_situation_name(j.call.fault.situation), "api off");
    gcp_services_enable(&j.lro, j.client, PROJECT, names, RD_ARRAY_LEN(names));
    struct rd_err *failures = gcp_services_enable_failures(lro("enable"));
    assert_null(failures);
    gcp_client_note_enabled(j.client);
    gcp_services_enable(&j.lro, j.client, PROJECT, names, RD_ARRAY_LEN(names));
    lro("enable what is enabled");
    gcp_services_enabled(&j.list, j.client, PROJECT);
    size_t enabled = list("enabled APIs");
    if (enabled < RD_ARRAY_LEN(names))
        fail_msg("got %zu enabled APIs, want at least %zu", enabled, RD_ARRAY_LEN(names));
}

static void quotas(void **state)
{
    (void)state;
    double limit, usage;
    int64_t value;
    gcp_region_get(&j.call, j.client, PROJECT, REGION);
    assert_true(gcp_compute_quota(call("region"), "CPUS", &limit, &usage));
    gcp_compute_project_get(&j.call, j.client, PROJECT);
    call("compute project");
    gcp_zones_list(&j.list, j.client, PROJECT);
    assert_true(list("zones") > 0);
    gcp_accelerator_get(&j.call, j.client, PROJECT, ZONE, "nvidia-tesla-t4");
    call("accelerator");
    gcp_machine_type_get(&j.call, j.client, PROJECT, ZONE, "n1-standard-8");
    assert_non_null(call("machine type"));
    gcp_machine_type_get(&j.call, j.client, PROJECT, ZONE, "no-such-type");
    assert_null(call("no machine type"));
    gcp_quota_get(&j.call, j.client, PROJECT, "compute.googleapis.com",
                  "NVIDIA-T4-GPUS-per-project-region");
    const json_t *info = call("quota");
    if (info != NULL && !gcp_quota_value(info, REGION, &value))
        fail_msg("the quota says nothing about " REGION);
}

static void network(void **state)
{
    (void)state;
    gcp_network_get(&j.call, j.client, PROJECT, "live-net");
    assert_null(call("no network"));
    RD_AUTOJSON json_t *net =
        rd_json_pack("{s:s, s:b}", "name", "live-net", "autoCreateSubnetworks", 0);
    gcp_compute_insert(&j.lro, j.client, PROJECT, "global", "networks", net);
    lro("network");
    gcp_network_get(&j.call, j.client, PROJECT, "live-net");
    assert_non_null(call("the network"));
    RD_AUTOJSON json_t *subnet = rd_json_pack(
        "{s:s, s:s, s:s, s:b, s:[{s:s, s:s}, {s:s, s:s}]}", "name", "live-subnet", "network",
        "projects/" PROJECT "/global/networks/live-net", "ipCidrRange", "10.0.0.0/20",
        "privateIpGoogleAccess", 1, "secondaryIpRanges", "rangeName", "pods", "ipCidrRange",
        "10.4.0.0/16", "rangeName", "services", "ipCidrRange", "10.8.0.0/20");
    gcp_compute_insert(&j.lro, j.client, PROJECT, "regions/" REGION, "subnetworks", subnet);
    lro("subnet");
    gcp_subnet_get(&j.call, j.client, PROJECT, REGION, "live-subnet");
    assert_non_null(call("the subnet"));
    gcp_compute_insert(&j.lro, j.client, PROJECT, "global", "networks", net);
    run(&j.lro.op, start_lro);
    assert_non_null(j.lro.op.err);
    rd_check_str("again", gcp_situation_name(j.lro.fault.situation), "exists");
}

static const struct gcp_binding role = {.role = "roles/container.defaultNodeServiceAccount",
                                        .member = "serviceAccount:" ACCOUNT};
static const struct gcp_binding unrole = {.role = "roles/container.defaultNodeServiceAccount",
                                          .member = "serviceAccount:" ACCOUNT,
                                          .remove = true};

static void accounts(void **state)
{
    (void)state;
    gcp_account_get(&j.call, j.client, PROJECT, ACCOUNT);
    assert_null(call("no account"));
    gcp_account_create(&j.call, j.client, PROJECT, "live-nodes", "nodes", "made by a test");
    rd_check_str("email", rd_json_path_str(call("account"), "email"), ACCOUNT);
    rd_check_int("grant", (long long)policy("project policy", GCP_POLICY_PROJECT, PROJECT, &role),
                 1);
    rd_check_int("grant again",
                 (long long)policy("project policy", GCP_POLICY_PROJECT, PROJECT, &role), 0);
    gcp_policy_get(&j.call, j.client, GCP_POLICY_PROJECT, PROJECT);
    assert_true(gcp_policy_has(call("read policy"), &role));
    const struct gcp_binding user = {.role = "roles/iam.serviceAccountUser",
                                     .member = "serviceAccount:deployer@" PROJECT
                                               ".iam.gserviceaccount.com"};
    rd_check_int("account",
                 (long long)policy("account policy", GCP_POLICY_ACCOUNT,
                                   "projects/" PROJECT "/serviceAccounts/" ACCOUNT, &user),
                 1);
    gcp_accounts_list(&j.list, j.client, PROJECT);
    assert_true(list("accounts") > 0);
}

static json_t *cluster_body(void)
{
    return rd_json_pack(
        "{s:s, s:s, s:s, s:{s:s}, s:{s:b}, s:{s:s}, s:{s:{s:b}}, s:{s:{s:b}}, s:{s:b, s:s, s:s},"
        " s:[{s:s, s:i, s:{s:s, s:s, s:i, s:s, s:[s], s:{s:s}}, s:{s:b, s:b}}]}",
        "name", "live", "network", "projects/" PROJECT "/global/networks/live-net", "subnetwork",
        "projects/" PROJECT "/regions/" REGION "/subnetworks/live-subnet", "releaseChannel",
        "channel", "REGULAR", "shieldedNodes", "enabled", 1, "workloadIdentityConfig",
        "workloadPool", PROJECT ".svc.id.goog", "addonsConfig", "configConnectorConfig", "enabled",
        1, "controlPlaneEndpointsConfig", "dnsEndpointConfig", "allowExternalTraffic", 1,
        "ipAllocationPolicy", "useIpAliases", 1, "clusterSecondaryRangeName", "pods",
        "servicesSecondaryRangeName", "services", "nodePools", "name", "default-pool",
        "initialNodeCount", 1, "config", "machineType", "e2-standard-4", "diskType", "pd-balanced",
        "diskSizeGb", 50, "serviceAccount", ACCOUNT, "oauthScopes",
        "https://www.googleapis.com/auth/cloud-platform", "workloadMetadataConfig", "mode",
        "GKE_METADATA", "management", "autoRepair", 1, "autoUpgrade", 1);
}

static void cluster(void **state)
{
    (void)state;
    gcp_server_config(&j.call, j.client, PROJECT, ZONE);
    call("server config");
    gcp_cluster_get(&j.call, j.client, PROJECT, ZONE, "live");
    assert_null(call("no cluster"));
    RD_AUTOJSON json_t *body = cluster_body();
    j.polls = 0;
    gcp_cluster_create(&j.lro, j.client, PROJECT, ZONE, body);
    lro("create cluster");
    print_message("cluster made, %u polls\n", j.polls);
    assert_true(j.polls > 1);
    /* The same operation, found again by its name after a crash. */
    RD_AUTOFREE char *name = rd_strdup(j.lro.name);
    gcp_operation_get(&j.call, j.client, PROJECT, ZONE, name);
    rd_check_str("operation", rd_json_path_str(call("operation"), "status"), "DONE");
    gcp_operations_list(&j.call, j.client, PROJECT, ZONE);
    assert_true(json_array_size(json_object_get(call("operations"), "operations")) > 0);
    gcp_cluster_get(&j.call, j.client, PROJECT, ZONE, "live");
    const json_t *live = call("the cluster");
    rd_check_str("status", rd_json_path_str(live, "status"), "RUNNING");
    struct gcp_endpoint e;
    struct rd_err *err = NULL;
    if (!gcp_cluster_endpoint(live, &e, &err))
        fail_msg("%s", err->message);
    assert_true(rd_starts_with(e.server, "https://"));
    gcp_endpoint_clear(&e);
    RD_AUTOFREE char *print = rd_strdup(rd_json_path_str(live, "labelFingerprint"));
    RD_AUTOJSON json_t *labels = rd_json_pack("{s:s}", "raydeploy", "live");
    if (print != NULL) {
        gcp_cluster_set_labels(&j.lro, j.client, PROJECT, ZONE, "live", labels, print);
        lro("labels");
    }
    RD_AUTOJSON json_t *update = rd_json_pack("{s:{s:{s:b}}}", "desiredControlPlaneEndpointsConfig",
                                              "dnsEndpointConfig", "allowExternalTraffic", 1);
    gcp_cluster_update(&j.lro, j.client, PROJECT, ZONE, "live", update);
    lro("update");
    gcp_node_pools_list(&j.call, j.client, PROJECT, ZONE, "live");
    rd_check_int("pools", (long long)json_array_size(json_object_get(call("pools"), "nodePools")),
                 1);
    gcp_node_pool_get(&j.call, j.client, PROJECT, ZONE, "live", "default-pool");
    assert_non_null(call("pool"));
    gcp_clusters_list(&j.call, j.client, PROJECT, "-");
    rd_check_int("clusters",
                 (long long)json_array_size(json_object_get(call("clusters"), "clusters")), 1);
    gcp_cluster_create(&j.lro, j.client, PROJECT, ZONE, body);
    run(&j.lro.op, start_lro);
    assert_non_null(j.lro.op.err);
    rd_check_str("again", gcp_situation_name(j.lro.fault.situation), "exists");
}

static void rest(void **state)
{
    (void)state;
    /* Objects are not for whoever owns the project: a role of their own, which takes time to count.
     */
    struct gcp_binding objects = {.role = "roles/storage.admin",
                                  .member = "serviceAccount:deployer@" PROJECT
                                            ".iam.gserviceaccount.com"};
    rd_check_int("grant", (long long)policy("grant", GCP_POLICY_PROJECT, PROJECT, &objects), 1);
    gcp_filestore_list(&j.list, j.client, PROJECT);
    list("filestores");
    gcp_filestore_get(&j.call, j.client, PROJECT, REGION, "none");
    assert_null(call("no filestore"));
    gcp_filestore_delete(&j.lro, j.client, PROJECT, REGION, "none");
    lro("delete no filestore");
    assert_true(j.lro.absent);
    gcp_buckets_list(&j.list, j.client, PROJECT);
    list("buckets");
    gcp_bucket_get(&j.call, j.client, PROJECT "-no-such-bucket");
    assert_null(call("no bucket"));
    gcp_objects_list(&j.list, j.client, PROJECT "-no-such-bucket", "x/");
    j.list.call.patience = GCP_PATIENT_GRANT;
    rd_check_int("objects", (long long)list("objects"), 0);
    gcp_repositories_list(&j.list, j.client, PROJECT, REGION);
    list("repositories");
    gcp_repository_get(&j.call, j.client, PROJECT, REGION, "none");
    assert_null(call("no repository"));
    gcp_docker_images_list(&j.list, j.client, PROJECT, REGION, "none");
    rd_check_int("images", (long long)list("images"), 0);
    objects.remove = true;
    rd_check_int("revoke", (long long)policy("revoke", GCP_POLICY_PROJECT, PROJECT, &objects), 1);
    for (const struct gcp_scan_row *r = gcp_scan_rows; r->collection != NULL; r++) {
        if (r->scope != NULL)
            gcp_compute_list(&j.list, j.client, PROJECT, r->scope, r->collection, NULL);
        else
            gcp_compute_aggregated(&j.list, j.client, PROJECT, r->collection, NULL);
        print_message("scan: %zu %s\n", list(r->collection), r->collection);
    }
}

static void undo(void **state)
{
    (void)state;
    gcp_cluster_delete(&j.lro, j.client, PROJECT, ZONE, "live");
    lro("delete cluster");
    gcp_cluster_delete(&j.lro, j.client, PROJECT, ZONE, "live");
    lro("delete it again");
    assert_true(j.lro.absent);
    rd_check_int("revoke", (long long)policy("revoke", GCP_POLICY_PROJECT, PROJECT, &unrole), 1);
    gcp_account_delete(&j.call, j.client, PROJECT, ACCOUNT);
    call("delete account");
    gcp_account_delete(&j.call, j.client, PROJECT, ACCOUNT);
    call("delete it again");
    gcp_compute_delete(&j.lro, j.client, PROJECT, "regions/" REGION, "subnetworks", "live-subnet");
    lro("delete subnet");
    gcp_compute_delete(&j.lro, j.client, PROJECT, "global", "networks", "live-net");
    lro("delete network");
    gcp_network_get(&j.call, j.client, PROJECT, "live-net");
    assert_null(call("no network"));
    print_message("%u retries in all\n", j.retries);
}

int main(void)
{
    rd_alloc_init();
    if (getenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER") == NULL) {
        print_message("SKIP: no emulator in the environment\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(project), cmocka_unit_test(apis),     cmocka_unit_test(quotas),
        cmocka_unit_test(network), cmocka_unit_test(accounts), cmocka_unit_test(cluster),
        cmocka_unit_test(rest),    cmocka_unit_test(undo),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
