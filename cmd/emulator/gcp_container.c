/* GKE v1: clusters and their operations. Latencies from the reference's section 7. */
#include "gke_internal.h"

#include "place.h"
#include "policy.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CREATE_ZONAL_MS = 330 * 1000,
    CREATE_REGIONAL_MS = 480 * 1000,
    CREATE_FAILS_MS = 300 * 1000,
    DELETE_MS = 300 * 1000,
    UPDATE_MS = 60 * 1000,
    POOL_CREATE_MS = 120 * 1000,
    POOL_EMPTY_MS = 60 * 1000,
    POOL_STOCKOUT_MS = 600 * 1000,
    POOL_DELETE_MS = 120 * 1000,
    POOL_RETRY_MS = 60 * 1000,
    SCALE_MS = 90 * 1000,
};

static struct emu_gke_hooks hooks_of(struct emu *e)
{
    return e->gke_hooks == NULL ? (struct emu_gke_hooks){0} : *e->gke_hooks;
}

void emu_gke_set_hooks(struct emu *e, const struct emu_gke_hooks *hooks)
{
    e->gke_hooks = hooks;
}

const json_t *emu_gke_cluster(struct emu *e, const char *name)
{
    return emu_store_get(&e->store, GKE_CLUSTERS, name);
}

/* Cluster and pools tell what they are: the node count and the hook. */
static void nodes_changed(struct emu *e, const char *name)
{
    json_t *c = emu_store_get(&e->store, GKE_CLUSTERS, name);
    if (c == NULL)
        return;
    RD_AUTOJSON json_t *nodes = gke_node_list(e, name);
    if (json_array_size(nodes) > 0)
        json_object_set_new(c, "currentNodeCount",
                            json_integer((json_int_t)json_array_size(nodes)));
    else
        json_object_del(c, "currentNodeCount");
    const char *status = rd_json_str(c, "status", NULL);
    struct emu_gke_hooks h = hooks_of(e);
    if (h.changed != NULL && !rd_streq(status, "PROVISIONING")) {
        RD_AUTOJSON json_t *answer = gke_answer(c);
        h.changed(e, name, answer, nodes);
    }
}

static char *cluster_name(const struct gcp_call *c)
{
    return rd_asprintf("projects/%s/locations/%s/clusters/%s", c->emu->project, c->params.v[1],
                       c->params.v[2]);
}

static void fail_absent(struct gcp_call *c, const char *what, const char *name)
{
    (void)what;
    const char *location = c->params.v[1];
    gcp_fail(c, "NOT_FOUND", "Not found: projects/%s/%s/%s/clusters/%s.", c->emu->project,
             emu_zone_exists(location) ? "zones" : "locations", location, name);
}

static json_t *cluster_of(struct gcp_call *c, char **ret_name)
{
    *ret_name = cluster_name(c);
    json_t *cluster = emu_store_get(&c->emu->store, GKE_CLUSTERS, *ret_name);
    if (cluster == NULL)
        fail_absent(c, "cluster", c->params.v[2]);
    return cluster;
}

/* One operation at a time on a cluster. */
static bool check_idle(struct gcp_call *c, const char *name)
{
    const char *running = gcp_op_running(c->emu, name);
    if (running == NULL)
        return true;
    const char *op = strrchr(running, '/') + 1;
    gcp_fail_info(c, "FAILED_PRECONDITION", "CLUSTER_ALREADY_HAS_OPERATION",
                  "container.googleapis.com", rd_json_pack("{s:s}", "operation", op),
                  "Cluster is running incompatible operation %s.", op);
    return false;
}

static struct gcp_op *op_start(struct gcp_call *c, const char *type, const char *target,
                               uint64_t delay_ms, gcp_op_fn *done, json_t *take_args,
                               json_t **ret_answer)
{
    struct emu *e = c->emu;
    const char *location = c->params.v[1];
    char now[32], hex[33];
    emu_stamp_us(now);
    emu_rand_hex(e, hex, 32);
    RD_AUTOFREE char *id =
        rd_asprintf("operation-%lld-%.8s-%.4s-%.4s-%.4s-%.12s", (long long)time(NULL) * 1000, hex,
                    hex + 8, hex + 12, hex + 16, hex + 20);
    RD_AUTOFREE char *key =
        rd_asprintf("projects/%s/locations/%s/operations/%s", e->project, location, id);
    const char *scope = emu_zone_exists(location) ? "zones" : "locations";
    const char *tail = strstr(target, "/clusters/") + 1;
    json_t *body = rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", id, "operationType", type,
                                "status", "RUNNING", "startTime", now, "zone", location);
    json_object_set_new(body, "selfLink",
                        json_sprintf("https://container.googleapis.com/v1/projects/%s/%s/%s/"
                                     "operations/%s",
                                     e->project_number, scope, location, id));
    json_object_set_new(body, "targetLink",
                        json_sprintf("https://container.googleapis.com/v1/projects/%s/%s/%s/%s",
                                     e->project_number, scope, location, tail));
    struct gcp_op *op =
        gcp_op_start(c, GCP_OP_CONTAINER, key, body, target, delay_ms, done, take_args);
    *ret_answer = emu_public(body);
    return op;
}

/* ---- Cluster ---- */
static const json_t *pools_asked(const json_t *cluster)
{
    return json_object_get(cluster, "nodePools");
}

/* The node's service account has to exist and the caller must be allowed to act as it. */
static bool check_node_account(struct gcp_call *c, const json_t *config)
{
    const char *email = rd_json_str(config, "serviceAccount", NULL);
    if (email == NULL || rd_streq(email, "default"))
        return true;
    RD_AUTOFREE char *sa = rd_asprintf("projects/%s/serviceAccounts/%s", c->emu->project, email);
    if (emu_store_get(&c->emu->store, "iam.serviceAccounts", sa) == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "Service account \"%s\" does not exist.", email);
        return false;
    }
    if (emu_iam_allowed(c->emu, c->req->caller, "iam.serviceAccounts.actAs", sa))
        return true;
    gcp_fail(
        c, "INVALID_ARGUMENT",
        "The user does not have access to service account \"%s\". Ask a project owner to grant "
        "you the iam.serviceAccountUser role on the service account.",
        email);
    return false;
}

static bool check_pool(struct gcp_call *c, const json_t *pool)
{
    const char *name = rd_json_str(pool, "name", NULL);
    if (name == NULL || !rd_is_dns_label(name, 40)) {
        gcp_fail(c, "INVALID_ARGUMENT", "Invalid value for field \"node_pool.name\": \"%s\".",
                 name == NULL ? "" : name);
        return false;
    }
    const json_t *config = json_object_get(pool, "config");
    const json_t *acc = json_array_get(json_object_get(config, "accelerators"), 0);
    const char *type = rd_json_str(config, "machineType", NULL);
    if (acc != NULL && rd_streq(rd_json_str(acc, "acceleratorType", NULL), "nvidia-tesla-t4") &&
        (type == NULL || !rd_starts_with(type, "n1-"))) {
        gcp_fail(c, "INVALID_ARGUMENT",
                 "Accelerator type \"nvidia-tesla-t4\" is not supported with machine type \"%s\".",
                 type == NULL ? "e2-medium" : type);
        return false;
    }
    return check_node_account(c, config);
}

static bool network_exists(struct gcp_call *c, const json_t *made)
{
    struct emu *e = c->emu;
    const char *network = rd_json_path_str(made, "networkConfig.network");
    const char *subnet = rd_json_path_str(made, "networkConfig.subnetwork");
    if (emu_store_get(&e->store, "compute.networks", network) == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "Network \"%s\" does not exist.",
                 strrchr(network, '/') + 1);
        return false;
    }
    if (emu_store_get(&e->store, "compute.subnetworks", subnet) == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "Subnetwork \"%s\" does not exist.",
                 strrchr(subnet, '/') + 1);
        return false;
    }
    return true;
}

static bool check_cluster(struct gcp_call *c, const json_t *asked)
{
    const char *name = rd_json_str(asked, "name", NULL);
    const char *location = c->params.v[1];
    const struct emu *e = c->emu;
    if (!emu_zone_exists(location) && !emu_region_exists(location)) {
        gcp_fail(c, "INVALID_ARGUMENT", "Location \"%s\" does not exist.", location);
        return false;
    }
    if (name == NULL || !rd_is_dns_label(name, 40) || name[0] < 'a' || name[0] > 'z') {
        gcp_fail(c, "INVALID_ARGUMENT", "Invalid value for field \"cluster.name\": \"%s\".",
                 name == NULL ? "" : name);
        return false;
    }
    bool autopilot = rd_json_path_bool(asked, "autopilot.enabled", false);
    if (pools_asked(asked) != NULL && (json_object_get(asked, "initialNodeCount") != NULL ||
                                       json_object_get(asked, "nodeConfig") != NULL)) {
        gcp_fail(c, "INVALID_ARGUMENT",
                 "Cluster.initial_node_count and Cluster.node_config must not "
                 "be used with Cluster.node_pools.");
        return false;
    }
    if (!autopilot && json_array_size(pools_asked(asked)) == 0 &&
        rd_json_path_int(asked, "initialNodeCount", 0) < 1) {
        gcp_fail(c, "INVALID_ARGUMENT", "Cluster.initial_node_count must be greater than zero.");
        return false;
    }
    const char *pool = rd_json_path_str(asked, "workloadIdentityConfig.workloadPool");
    RD_AUTOFREE char *own_pool = rd_asprintf("%s.svc.id.goog", e->project);
    if (pool != NULL && !rd_streq(pool, own_pool)) {
        gcp_fail(c, "INVALID_ARGUMENT", "Workload pool \"%s\" is not \"%s\".", pool, own_pool);
        return false;
    }
    if (rd_json_path_bool(asked, "addonsConfig.configConnectorConfig.enabled", false) &&
        pool == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT",
                 "Config Connector requires Workload Identity to be enabled "
                 "on the cluster.");
        return false;
    }
    size_t i;
    json_t *p;
    json_array_foreach ((json_t *)pools_asked(asked), i, p) {
        if (!check_pool(c, p))
            return false;
    }
    return check_node_account(c, json_object_get(asked, "nodeConfig"));
}

static void firewalls_add(struct emu *e, const char *name, const json_t *cluster)
{
    static const char *const kinds[] = {"all", "master", "vms"};
    const char *network = rd_json_path_str(cluster, "networkConfig.network");
    for (size_t i = 0; i < RD_ARRAY_LEN(kinds); i++) {
        RD_AUTOFREE char *short_name = rd_asprintf("gke-%s-%.8s-%s", strrchr(name, '/') + 1,
                                                   rd_json_str(cluster, "id", NULL), kinds[i]);
        RD_AUTOFREE char *full =
            rd_asprintf("projects/%s/global/firewalls/%s", e->project, short_name);
        RD_AUTOFREE char *link = rd_asprintf("https://www.googleapis.com/compute/v1/%s", full);
        RD_AUTOFREE char *net = rd_asprintf("https://www.googleapis.com/compute/v1/%s", network);
        emu_store_put(&e->store, "compute.firewalls", full,
                      rd_json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:s}], s:i, s:s}", "kind",
                                   "compute#firewall", "name", short_name, "network", net,
                                   "selfLink", link, "direction", "INGRESS", "allowed",
                                   "IPProtocol", "all", "priority", 1000, "_cluster", name));
    }
}

static void drop_where_cluster(struct emu *e, const char *kind, const char *cluster)
{
    struct rd_strv gone = {0};
    const char *name;
    json_t *o;
    json_object_foreach (emu_store_all(&e->store, kind), name, o) {
        if (rd_streq(rd_json_str(o, "_cluster", NULL), cluster))
            rd_strv_add(&gone, name);
    }
    for (size_t i = 0; i < gone.len; i++)
        emu_store_delete(&e->store, kind, gone.v[i]);
    rd_strv_clear(&gone);
}

static void progress_done(struct gcp_op *op)
{
    json_t *body = gcp_op_get(op->emu, op->key);
    static const char *const names[] = {"CLUSTER_CONFIGURING", "CLUSTER_DEPLOYING",
                                        "CLUSTER_HEALTHCHECKING"};
    json_t *metrics = json_array();
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        json_array_append_new(metrics,
                              rd_json_pack("{s:s, s:s}", "name", names[i], "intValue", "8"));
        json_array_append_new(
            metrics, rd_json_pack("{s:s+, s:s}", "name", names[i], "_TOTAL", "intValue", "8"));
    }
    json_object_set_new(body, "progress", rd_json_pack("{s:o}", "metrics", metrics));
}

static void create_done(struct gcp_op *op)
{
    struct emu *e = op->emu;
    json_t *cluster = emu_store_get(&e->store, GKE_CLUSTERS, op->target);
    if (emu_setting_has(e, "cluster-fails", strrchr(op->target, '/') + 1))
        gcp_op_fail(op, "INTERNAL",
                    "All cluster resources were brought up, but: only 0 nodes out of "
                    "1 have registered; this is likely due to Nodes failing to start "
                    "correctly; try re-creating the cluster or contact support if "
                    "that doesn't work.");
    if (op->fail_status != NULL) {
        json_object_set_new(cluster, "status", json_string("ERROR"));
        json_object_set_new(cluster, "statusMessage", json_string(op->fail_message));
        return;
    }
    progress_done(op);
    struct emu_gke_hooks h = hooks_of(e);
    RD_AUTOJSON json_t *answer = gke_answer(cluster);
    gke_set_endpoint(e, cluster, h.up == NULL ? 0 : h.up(e, op->target, answer));
    json_object_set_new(cluster, "status", json_string("RUNNING"));
    firewalls_add(e, op->target, cluster);
    size_t i;
    json_t *pool;
    json_array_foreach (json_object_get(cluster, "nodePools"), i, pool) {
        json_object_set_new(pool, "status", json_string("RUNNING"));
        gke_set_nodes(e, op->target, cluster, pool, gke_pool_nodes(cluster, pool));
    }
    nodes_changed(e, op->target);
}

static void create_cluster(struct gcp_call *c)
{
    struct emu *e = c->emu;
    const json_t *asked = json_object_get(c->body, "cluster");
    if (asked == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "Cluster is required.");
        return;
    }
    if (!check_cluster(c, asked))
        return;
    const char *location = c->params.v[1];
    RD_AUTOFREE char *name = rd_asprintf("projects/%s/locations/%s/clusters/%s", e->project,
                                         location, rd_json_str(asked, "name", NULL));
    bool zonal = emu_zone_exists(location);
    if (emu_store_get(&e->store, GKE_CLUSTERS, name) != NULL) {
        gcp_fail(c, "ALREADY_EXISTS", "Already exists: projects/%s/%s/%s/clusters/%s.", e->project,
                 zonal ? "zones" : "locations", location, rd_json_str(asked, "name", NULL));
        return;
    }
    json_t *made = gke_cluster_new(e, location, asked);
    if (!network_exists(c, made)) {
        json_decref(made);
        return;
    }
    size_t i;
    json_t *pool;
    json_array_foreach (json_object_get(made, "nodePools"), i, pool) {
        RD_AUTOFREE char *lacking = gke_quota_short(e, pool, gke_pool_nodes(made, pool));
        if (lacking != NULL) {
            json_decref(made);
            gcp_fail(c, "PERMISSION_DENIED", "%s", lacking);
            return;
        }
    }
    emu_store_put(&e->store, GKE_CLUSTERS, name, made);
    bool fails = emu_setting_has(e, "cluster-fails", rd_json_str(asked, "name", NULL));
    json_t *answer = NULL;
    op_start(c, "CREATE_CLUSTER", name,
             fails   ? CREATE_FAILS_MS
             : zonal ? CREATE_ZONAL_MS
                     : CREATE_REGIONAL_MS,
             create_done, NULL, &answer);
    gcp_ok(c, answer);
}

static void get_cluster(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    const json_t *cluster = cluster_of(c, &name);
    if (cluster != NULL)
        gcp_ok(c, gke_answer(cluster));
}

static void list_clusters(struct gcp_call *c)
{
    RD_AUTOFREE char *prefix =
        rd_streq(c->params.v[1], "-")
            ? rd_asprintf("projects/%s/", c->emu->project)
            : rd_asprintf("projects/%s/locations/%s/", c->emu->project, c->params.v[1]);
    RD_AUTOJSON json_t *all = emu_store_list(&c->emu->store, GKE_CLUSTERS, prefix);
    json_t *out = json_array();
    size_t i;
    json_t *cluster;
    json_array_foreach (all, i, cluster)
        json_array_append_new(out, gke_answer(cluster));
    json_t *answer = json_object();
    if (json_array_size(out) > 0)
        json_object_set(answer, "clusters", out);
    json_decref(out);
    gcp_ok(c, answer);
}

static void delete_done(struct gcp_op *op)
{
    struct emu *e = op->emu;
    json_t *cluster = emu_store_get(&e->store, GKE_CLUSTERS, op->target);
    if (op->fail_status != NULL) {
        json_object_set_new(cluster, "status", json_string("ERROR"));
        return;
    }
    RD_AUTOJSON json_t *nodes = gke_instances(e, op->target, NULL);
    size_t i;
    json_t *node;
    json_array_foreach (nodes, i, node) {
        RD_AUTOFREE char *disk = rd_strdup(rd_json_str(node, "_disk", NULL));
        emu_store_delete(&e->store, "compute.disks", disk);
    }
    drop_where_cluster(e, "compute.instances", op->target);
    drop_where_cluster(e, "compute.firewalls", op->target);
    emu_store_delete(&e->store, GKE_CLUSTERS, op->target);
}

static void delete_cluster(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    if (cluster == NULL || !check_idle(c, name))
        return;
    bool had_api = !rd_streq(rd_json_str(cluster, "status", NULL), "ERROR");
    json_object_set_new(cluster, "status", json_string("STOPPING"));
    json_t *answer = NULL;
    op_start(c, "DELETE_CLUSTER", name, DELETE_MS, delete_done, NULL, &answer);
    struct emu_gke_hooks h = hooks_of(c->emu);
    if (h.down != NULL && had_api)
        h.down(c->emu, name);
    gcp_ok(c, answer);
}

static void update_done(struct gcp_op *op)
{
    json_t *cluster = emu_store_get(&op->emu->store, GKE_CLUSTERS, op->target);
    if (cluster == NULL)
        return;
    json_object_set_new(cluster, "status", json_string("RUNNING"));
    if (op->fail_status == NULL) {
        json_t *pool = gke_pool_find(cluster, rd_json_str(op->args, "nodePoolId", NULL));
        json_t *scaling = json_object_get(op->args, "nodePoolAutoscaling");
        if (pool != NULL && scaling != NULL) {
            json_object_set(pool, "autoscaling", scaling);
            gke_tidy(pool);
        }
        json_object_del(op->args, "nodePoolId");
        json_object_del(op->args, "nodePoolAutoscaling");
        gke_merge(cluster, op->args);
        gke_tidy(cluster);
    }
    nodes_changed(op->emu, op->target);
}

/* {"desiredAddonsConfig": x} means that addonsConfig becomes x. Owned. */
static json_t *desired(const json_t *update, size_t *ret_groups)
{
    json_t *patch = json_object();
    *ret_groups = 0;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)update, key, value) {
        if (!rd_starts_with(key, "desired"))
            continue;
        RD_AUTOFREE char *field = rd_strdup(key + strlen("desired"));
        field[0] = (char)(field[0] | 0x20);
        static const char *const of_network[] = {"enableCiliumClusterwideNetworkPolicy",
                                                 "defaultEnablePrivateNodes", "datapathProvider",
                                                 "enableMultiNetworking"};
        bool network = false;
        for (size_t i = 0; i < RD_ARRAY_LEN(of_network); i++)
            network = network || rd_streq(field, of_network[i]);
        RD_AUTOFREE char *path =
            network ? rd_asprintf("networkConfig.%s", field) : rd_strdup(field);
        rd_json_path_set(patch, path, json_incref(value));
        /* These two go with another one. */
        if (!rd_streq(field, "monitoringService") && !rd_streq(field, "nodePoolId"))
            (*ret_groups)++;
    }
    return patch;
}

static void update_cluster(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    if (cluster == NULL || !check_idle(c, name))
        return;
    size_t groups = 0;
    json_t *patch = desired(json_object_get(c->body, "update"), &groups);
    if (groups != 1) {
        json_decref(patch);
        gcp_fail(c, "INVALID_ARGUMENT",
                 groups == 0 ? "Must specify a field to update."
                             : "Only one field may be updated at a time.");
        return;
    }
    json_object_set_new(cluster, "status", json_string("RECONCILING"));
    json_t *answer = NULL;
    op_start(c, "UPDATE_CLUSTER", name, UPDATE_MS, update_done, patch, &answer);
    gcp_ok(c, answer);
}

static void labels_done(struct gcp_op *op)
{
    json_t *cluster = emu_store_get(&op->emu->store, GKE_CLUSTERS, op->target);
    if (cluster == NULL)
        return;
    char hex[9];
    emu_rand_hex(op->emu, hex, 8);
    json_object_set(cluster, "resourceLabels", json_object_get(op->args, "resourceLabels"));
    json_object_set_new(cluster, "labelFingerprint", json_string(hex));
    nodes_changed(op->emu, op->target);
}

static void set_labels(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    if (cluster == NULL || !check_idle(c, name))
        return;
    const char *print = rd_json_str(c->body, "labelFingerprint", NULL);
    if (!rd_streq(print, rd_json_str(cluster, "labelFingerprint", NULL))) {
        gcp_fail(c, "FAILED_PRECONDITION", "Labels could not be set due to fingerprint mismatch.");
        return;
    }
    json_t *answer = NULL;
    op_start(c, "UPDATE_CLUSTER", name, 2000, labels_done, json_deep_copy(c->body), &answer);
    gcp_ok(c, answer);
}

static void set_addons(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    if (cluster == NULL || !check_idle(c, name))
        return;
    json_t *patch = rd_json_pack("{s:O}", "addonsConfig", json_object_get(c->body, "addonsConfig"));
    json_t *answer = NULL;
    op_start(c, "UPDATE_CLUSTER", name, UPDATE_MS, update_done, patch, &answer);
    gcp_ok(c, answer);
}

/* ---- Node pools ---- */
static json_t *pool_of(struct gcp_call *c, json_t *cluster)
{
    json_t *pool = gke_pool_find(cluster, c->params.v[3]);
    if (pool == NULL)
        gcp_fail(c, "NOT_FOUND", "Not found: projects/%s/%s/%s/clusters/%s/nodePools/%s.",
                 c->emu->project, emu_zone_exists(c->params.v[1]) ? "zones" : "locations",
                 c->params.v[1], c->params.v[2], c->params.v[3]);
    return pool;
}

static char *pool_target(const char *cluster, const char *pool)
{
    return rd_asprintf("%s/nodePools/%s", cluster, pool);
}

/* The cluster's name in "CLUSTER/nodePools/POOL". Owned. */
static char *cluster_of_target(const char *target)
{
    return rd_strndup(target, (size_t)(strstr(target, "/nodePools/") - target));
}

static bool out_of_stock(struct emu *e, const json_t *pool)
{
    const json_t *acc = json_array_get(rd_json_path(pool, "config.accelerators"), 0);
    const char *type = rd_json_str(acc, "acceleratorType", NULL);
    const char *machine = rd_json_path_str(pool, "config.machineType");
    return (type != NULL && emu_setting_has(e, "stockout", type)) ||
           (machine != NULL && emu_setting_has(e, "stockout", machine));
}

/* Machines that come later: the autoscaler's, and those of a pool that found none at first. */
struct growth {
    struct rd_list node;
    struct emu *emu;
    struct emu_timer timer;
    char *cluster, *pool;
    long count;
};

static void growth_free(struct growth *g)
{
    rd_list_remove(&g->node);
    emu_timer_stop(&g->timer);
    free(g->cluster);
    free(g->pool);
    free(g);
}

void emu_gke_clear(struct emu *e)
{
    while (!rd_list_empty(&e->growths))
        growth_free(container_of(e->growths.next, struct growth, node));
}

/* The group of a pool in status ERROR goes on asking for its machines. */
static void on_grown(struct emu_timer *t)
{
    struct growth *g = container_of(t, struct growth, timer);
    json_t *cluster = emu_store_get(&g->emu->store, GKE_CLUSTERS, g->cluster);
    json_t *pool = cluster == NULL ? NULL : gke_pool_find(cluster, g->pool);
    bool at_fault = rd_streq(rd_json_str(pool, "status", NULL), "ERROR");
    if (pool != NULL && rd_streq(rd_json_str(cluster, "status", NULL), "RUNNING")) {
        if (at_fault && out_of_stock(g->emu, pool)) {
            emu_timer_start(&g->emu->clock, &g->timer, POOL_RETRY_MS, on_grown);
            return;
        }
        if (at_fault) {
            json_object_set_new(pool, "status", json_string("RUNNING"));
            json_object_del(pool, "statusMessage");
        }
        gke_set_nodes(g->emu, g->cluster, cluster, pool, g->count);
        nodes_changed(g->emu, g->cluster);
    }
    growth_free(g);
}

static void grow_later(struct emu *e, const char *cluster, const char *pool, long count,
                       uint64_t delay_ms)
{
    struct growth *g = rd_calloc(1, sizeof(*g));
    *g = (struct growth){
        .emu = e, .cluster = rd_strdup(cluster), .pool = rd_strdup(pool), .count = count};
    rd_list_init(&g->node);
    rd_list_append(&e->growths, &g->node);
    emu_timer_start(&e->clock, &g->timer, delay_ms, on_grown);
}

static void pool_created(struct gcp_op *op)
{
    struct emu *e = op->emu;
    RD_AUTOFREE char *name = cluster_of_target(op->target);
    json_t *cluster = emu_store_get(&e->store, GKE_CLUSTERS, name);
    json_t *pool = gke_pool_find(cluster, strrchr(op->target, '/') + 1);
    if (pool == NULL)
        return;
    if (out_of_stock(e, pool) && gke_pool_nodes(cluster, pool) > 0)
        gcp_op_fail(op, "RESOURCE_EXHAUSTED",
                    "Google Compute Engine: [GCE_STOCKOUT] Instance '%s' creation failed: The zone "
                    "'%s' does not have enough resources available to fulfill the request.",
                    strrchr(op->target, '/') + 1,
                    json_string_value(json_array_get(json_object_get(pool, "locations"), 0)));
    json_object_set_new(pool, "status", json_string(op->fail_status == NULL ? "RUNNING" : "ERROR"));
    if (op->fail_status == NULL) {
        gke_set_nodes(e, name, cluster, pool, gke_pool_nodes(cluster, pool));
    } else {
        json_object_set_new(pool, "statusMessage", json_string(op->fail_message));
        grow_later(e, name, rd_json_str(pool, "name", NULL), gke_pool_nodes(cluster, pool),
                   POOL_RETRY_MS);
    }
    nodes_changed(e, name);
}

static void create_pool(struct gcp_call *c)
{
    struct emu *e = c->emu;
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    if (cluster == NULL || !check_idle(c, name))
        return;
    const json_t *asked = json_object_get(c->body, "nodePool");
    if (asked == NULL || !check_pool(c, asked)) {
        if (asked == NULL)
            gcp_fail(c, "INVALID_ARGUMENT", "NodePool is required.");
        return;
    }
    const char *short_name = rd_json_str(asked, "name", NULL);
    if (gke_pool_find(cluster, short_name) != NULL) {
        gcp_fail(c, "ALREADY_EXISTS", "Already exists: %s/nodePools/%s.", name, short_name);
        return;
    }
    json_t *pool = gke_pool_new(e, cluster, asked);
    long nodes = gke_pool_nodes(cluster, pool);
    RD_AUTOFREE char *lacking = gke_quota_short(e, pool, nodes);
    if (lacking != NULL) {
        json_decref(pool);
        gcp_fail(c, "PERMISSION_DENIED", "%s", lacking);
        return;
    }
    json_array_append_new(json_object_get(cluster, "nodePools"), pool);
    RD_AUTOFREE char *target = pool_target(name, short_name);
    json_t *answer = NULL;
    op_start(c, "CREATE_NODE_POOL", target,
             nodes == 0              ? POOL_EMPTY_MS
             : out_of_stock(e, pool) ? POOL_STOCKOUT_MS
                                     : POOL_CREATE_MS,
             pool_created, NULL, &answer);
    gcp_ok(c, answer);
}

static void get_pool(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    const json_t *pool = cluster == NULL ? NULL : pool_of(c, cluster);
    if (pool != NULL)
        gcp_ok(c, emu_public(pool));
}

static void list_pools(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    if (cluster == NULL)
        return;
    RD_AUTOJSON json_t *answer = gke_answer(cluster);
    json_t *pools = json_object_get(answer, "nodePools");
    gcp_ok(c,
           json_array_size(pools) == 0 ? json_object() : rd_json_pack("{s:O}", "nodePools", pools));
}

static void pool_deleted(struct gcp_op *op)
{
    struct emu *e = op->emu;
    RD_AUTOFREE char *name = cluster_of_target(op->target);
    json_t *cluster = emu_store_get(&e->store, GKE_CLUSTERS, name);
    const char *short_name = strrchr(op->target, '/') + 1;
    json_t *pool = gke_pool_find(cluster, short_name);
    if (pool == NULL || op->fail_status != NULL)
        return;
    gke_set_nodes(e, name, cluster, pool, 0);
    json_t *pools = json_object_get(cluster, "nodePools");
    for (size_t i = json_array_size(pools); i-- > 0;) {
        if (rd_streq(rd_json_str(json_array_get(pools, i), "name", NULL), short_name))
            json_array_remove(pools, i);
    }
    nodes_changed(e, name);
}

static void delete_pool(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    json_t *pool = cluster == NULL ? NULL : pool_of(c, cluster);
    if (pool == NULL || !check_idle(c, name))
        return;
    json_object_set_new(pool, "status", json_string("STOPPING"));
    RD_AUTOFREE char *target = pool_target(name, c->params.v[3]);
    json_t *answer = NULL;
    op_start(c, "DELETE_NODE_POOL", target, POOL_DELETE_MS, pool_deleted, NULL, &answer);
    gcp_ok(c, answer);
}

static void pool_updated(struct gcp_op *op)
{
    struct emu *e = op->emu;
    RD_AUTOFREE char *name = cluster_of_target(op->target);
    json_t *cluster = emu_store_get(&e->store, GKE_CLUSTERS, name);
    json_t *pool = gke_pool_find(cluster, strrchr(op->target, '/') + 1);
    if (pool == NULL)
        return;
    json_object_set_new(pool, "status", json_string("RUNNING"));
    if (op->fail_status != NULL)
        return;
    json_t *count = json_object_get(op->args, "_nodes");
    if (count != NULL)
        gke_set_nodes(e, name, cluster, pool, (long)json_integer_value(count));
    json_object_del(op->args, "_nodes");
    gke_merge(pool, op->args);
    nodes_changed(e, name);
}

static void start_pool_update(struct gcp_call *c, const char *type, json_t *take_patch)
{
    RD_AUTOFREE char *name = NULL;
    json_t *cluster = cluster_of(c, &name);
    json_t *pool = cluster == NULL ? NULL : pool_of(c, cluster);
    if (pool == NULL || !check_idle(c, name)) {
        json_decref(take_patch);
        return;
    }
    json_object_set_new(pool, "status", json_string("RECONCILING"));
    RD_AUTOFREE char *target = pool_target(name, c->params.v[3]);
    json_t *answer = NULL;
    op_start(c, type, target, UPDATE_MS, pool_updated, take_patch, &answer);
    gcp_ok(c, answer);
}

/* Fields of the pool itself; the others belong to its config. */
static void update_pool(struct gcp_call *c)
{
    static const char *const of_pool[] = {"locations", "upgradeSettings", "nodeNetworkConfig",
                                          "etag"};
    static const char *const no_field[] = {"name",       "clusterId",   "zone",  "projectId",
                                           "nodePoolId", "nodeVersion", "image", "imageProject"};
    json_t *patch = json_object();
    const char *key;
    json_t *value;
    json_object_foreach (c->body, key, value) {
        bool top = false, skip = false;
        for (size_t i = 0; i < RD_ARRAY_LEN(of_pool); i++)
            top = top || rd_streq(key, of_pool[i]);
        for (size_t i = 0; i < RD_ARRAY_LEN(no_field); i++)
            skip = skip || rd_streq(key, no_field[i]);
        if (skip)
            continue;
        if (top) {
            json_object_set(patch, key, value);
            continue;
        }
        /* {"taints": {"taints": [...]}}, {"labels": {"labels": {...}}} */
        static const char *const wrapped[][2] = {
            {"taints", "taints"}, {"labels", "labels"}, {"resourceLabels", "labels"}, {"tags", ""}};
        json_t *inner = value;
        for (size_t i = 0; i < RD_ARRAY_LEN(wrapped); i++) {
            if (rd_streq(key, wrapped[i][0]) && json_object_get(value, wrapped[i][1]) != NULL)
                inner = json_object_get(value, wrapped[i][1]);
        }
        RD_AUTOFREE char *path = rd_asprintf("config.%s", key);
        rd_json_path_set(patch, path, json_incref(inner));
    }
    start_pool_update(c, "UPGRADE_NODES", patch);
}

static void set_pool_size(struct gcp_call *c)
{
    start_pool_update(c, "SET_NODE_POOL_SIZE",
                      rd_json_pack("{s:I}", "_nodes", rd_json_path_int(c->body, "nodeCount", 0)));
}

static void set_pool_autoscaling(struct gcp_call *c)
{
    json_t *a = json_object_get(c->body, "autoscaling");
    start_pool_update(c, "UPDATE_CLUSTER",
                      a == NULL ? json_object() : rd_json_pack("{s:O}", "autoscaling", a));
}

static void set_pool_management(struct gcp_call *c)
{
    json_t *m = json_object_get(c->body, "management");
    start_pool_update(c, "SET_NODE_POOL_MANAGEMENT",
                      m == NULL ? json_object() : rd_json_pack("{s:O}", "management", m));
}

/* ---- Cluster autoscaler ---- */
bool emu_gke_scale(struct emu *e, const char *cluster_name_, const char *pool_name, long count,
                   const char **ret_why)
{
    json_t *cluster = emu_store_get(&e->store, GKE_CLUSTERS, cluster_name_);
    json_t *pool = cluster == NULL ? NULL : gke_pool_find(cluster, pool_name);
    *ret_why = "no such node pool";
    if (pool == NULL)
        return false;
    *ret_why = "the pool does not scale";
    if (!rd_json_path_bool(pool, "autoscaling.enabled", false))
        return false;
    long zones = (long)json_array_size(json_object_get(pool, "locations"));
    long max = (long)rd_json_path_int(pool, "autoscaling.totalMaxNodeCount", 0);
    if (max == 0)
        max =
            (long)rd_json_path_int(pool, "autoscaling.maxNodeCount", 0) * (zones == 0 ? 1 : zones);
    *ret_why = "max node group size reached";
    if (count > max)
        return false;
    long now = gke_pool_nodes(cluster, pool);
    RD_AUTOFREE char *lacking = count > now ? gke_quota_short(e, pool, count - now) : NULL;
    *ret_why = "quota exceeded";
    if (lacking != NULL)
        return false;
    *ret_why = "out of resources";
    if (count > now && out_of_stock(e, pool))
        return false;
    grow_later(e, cluster_name_, pool_name, count, emu_jitter(e, SCALE_MS, 20));
    return true;
}

/* ---- Operations and the rest ---- */
static void get_operation(struct gcp_call *c)
{
    RD_AUTOFREE char *key = rd_asprintf("projects/%s/locations/%s/operations/%s", c->emu->project,
                                        c->params.v[1], c->params.v[2]);
    const json_t *body = gcp_op_get(c->emu, key);
    if (body == NULL)
        gcp_fail(c, "NOT_FOUND", "Not found: %s.", key);
    else
        gcp_ok(c, emu_public(body));
}

static void list_operations(struct gcp_call *c)
{
    RD_AUTOFREE char *prefix =
        rd_streq(c->params.v[1], "-")
            ? rd_asprintf("projects/%s/", c->emu->project)
            : rd_asprintf("projects/%s/locations/%s/", c->emu->project, c->params.v[1]);
    RD_AUTOJSON json_t *all = emu_store_list(&c->emu->store, "_operations", prefix);
    json_t *out = json_array();
    size_t i;
    json_t *op;
    json_array_foreach (all, i, op) {
        const char *link = rd_json_str(op, "selfLink", NULL);
        if (link != NULL && strstr(link, "container.googleapis.com") != NULL)
            json_array_append_new(out, emu_public(op));
    }
    gcp_ok(c, rd_json_pack("{s:o}", "operations", out));
}

static void get_server_config(struct gcp_call *c)
{
    static const char *const names[] = {"RAPID", "REGULAR", "STABLE", "EXTENDED"};
    json_t *channels = json_array();
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++)
        json_array_append_new(channels, rd_json_pack("{s:s, s:s, s:[s]}", "channel", names[i],
                                                     "defaultVersion", GKE_VERSION, "validVersions",
                                                     GKE_VERSION));
    gcp_ok(c, rd_json_pack("{s:s, s:[s], s:[s], s:s, s:[s, s], s:o}", "defaultClusterVersion",
                           GKE_VERSION, "validMasterVersions", GKE_VERSION, "validNodeVersions",
                           GKE_VERSION, "defaultImageType", "COS_CONTAINERD", "validImageTypes",
                           "COS_CONTAINERD", "UBUNTU_CONTAINERD", "channels", channels));
}

#define LOC "/v1/projects/{}/locations/{}"

static const struct gcp_route routes[] = {
    {"POST", LOC "/clusters", create_cluster, "container.clusters.create", "CtCreateClusterRequest",
     NULL},
    {"GET", LOC "/clusters", list_clusters, "container.clusters.list", NULL, NULL},
    {"POST", LOC "/clusters/{}:setResourceLabels", set_labels, "container.clusters.update",
     "CtSetLabelsRequest", NULL},
    {"POST", LOC "/clusters/{}:setAddons", set_addons, "container.clusters.update",
     "CtSetAddonsConfigRequest", NULL},
    {"GET", LOC "/clusters/{}", get_cluster, "container.clusters.get", NULL, NULL},
    {"PUT", LOC "/clusters/{}", update_cluster, "container.clusters.update",
     "CtUpdateClusterRequest", NULL},
    {"DELETE", LOC "/clusters/{}", delete_cluster, "container.clusters.delete", NULL, NULL},
    {"POST", LOC "/clusters/{}/nodePools", create_pool, "container.clusters.update",
     "CtCreateNodePoolRequest", NULL},
    {"GET", LOC "/clusters/{}/nodePools", list_pools, "container.clusters.get", NULL, NULL},
    {"POST", LOC "/clusters/{}/nodePools/{}:setSize", set_pool_size, "container.clusters.update",
     "CtSetNodePoolSizeRequest", NULL},
    {"POST", LOC "/clusters/{}/nodePools/{}:setAutoscaling", set_pool_autoscaling,
     "container.clusters.update", "CtSetNodePoolAutoscalingRequest", NULL},
    {"POST", LOC "/clusters/{}/nodePools/{}:setManagement", set_pool_management,
     "container.clusters.update", "CtSetNodePoolManagementRequest", NULL},
    {"GET", LOC "/clusters/{}/nodePools/{}", get_pool, "container.clusters.get", NULL, NULL},
    {"PUT", LOC "/clusters/{}/nodePools/{}", update_pool, "container.clusters.update",
     "CtUpdateNodePoolRequest", NULL},
    {"DELETE", LOC "/clusters/{}/nodePools/{}", delete_pool, "container.clusters.update", NULL,
     NULL},
    {"GET", LOC "/operations/{}", get_operation, "container.operations.get", NULL, NULL},
    {"GET", LOC "/operations", list_operations, "container.operations.list", NULL, NULL},
    {"GET", LOC "/serverConfig", get_server_config, "container.clusters.list", NULL, NULL},
};

const struct gcp_api gcp_container = {.name = "container",
                                      .service = "container.googleapis.com",
                                      .override = "CONTAINER",
                                      .path = "/",
                                      .routes = routes,
                                      .route_count = RD_ARRAY_LEN(routes)};
