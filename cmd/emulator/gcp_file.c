/* Filestore v1. */
#include "ops.h"

#include "gcp_backup.h"
#include "place.h"
#include "quota.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define INSTANCES "file.instances"
#define METADATA "type.googleapis.com/google.cloud.common.OperationMetadata"

enum {
    CREATE_BASIC_MS = 240 * 1000,
    CREATE_ENTERPRISE_MS = 480 * 1000,
    DELETE_MS = 240 * 1000,
    UPDATE_MS = 30 * 1000,
};

/* What a tier is: where it lives, how small and large it may be, what it counts against. */
static const struct tier {
    const char *name, *metric;
    long min_gb, max_gb;
    bool regional;
} tiers[] = {
    {"BASIC_HDD", "StandardStorageGbPerRegion", 1024, 65434, false},
    {"STANDARD", "StandardStorageGbPerRegion", 1024, 65434, false},
    {"BASIC_SSD", "PremiumStorageGbPerRegion", 2560, 65434, false},
    {"PREMIUM", "PremiumStorageGbPerRegion", 2560, 65434, false},
    {"ZONAL", "HighScaleSSDStorageGibPerRegion", 1024, 102400, false},
    {"HIGH_SCALE_SSD", "HighScaleSSDStorageGibPerRegion", 10240, 102400, false},
    {"ENTERPRISE", "EnterpriseStorageGibPerRegion", 1024, 10240, true},
    {"REGIONAL", "EnterpriseStorageGibPerRegion", 1024, 102400, true},
};

static const struct tier *tier_find(const char *name)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(tiers); i++) {
        if (rd_streq(tiers[i].name, name))
            return &tiers[i];
    }
    return NULL;
}

/* int64 that came as number or string. */
static long number_of(const json_t *v)
{
    return json_is_string(v) ? strtol(json_string_value(v), NULL, 10) : (long)json_integer_value(v);
}

static json_t *begin(struct gcp_call *c, const char *verb, const char *target, unsigned ms,
                     gcp_op_fn *done, json_t *take_args)
{
    char now[32], hex[33];
    emu_stamp_us(now);
    emu_rand_hex(c->emu, hex, 32);
    RD_AUTOFREE char *key = rd_asprintf("projects/%s/locations/%s/operations/operation-%s",
                                        c->emu->project, c->params.v[1], hex);
    json_t *body = rd_json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:b}", "name", key, "metadata",
                                "@type", METADATA, "createTime", now, "target", target, "verb",
                                verb, "apiVersion", "v1", "done", 0);
    gcp_op_start(c, GCP_OP_LONGRUNNING, key, body, target, ms, done, take_args);
    return emu_public(body);
}

static json_t *answer_of(const json_t *instance)
{
    json_t *a = emu_public(instance);
    json_object_set_new(a, "@type",
                        json_string("type.googleapis.com/google.cloud.filestore.v1.Instance"));
    return a;
}

static json_t *find_or_fail(struct gcp_call *c, char **ret_name)
{
    *ret_name = rd_asprintf("projects/%s/locations/%s/instances/%s", c->emu->project,
                            c->params.v[1], c->params.v[2]);
    json_t *i = emu_store_get(&c->emu->store, INSTANCES, *ret_name);
    if (i == NULL)
        gcp_fail(c, "NOT_FOUND", "Resource '%s' was not found", *ret_name);
    return i;
}

/* int64 is a string in answers; an export without flavours has AUTH_SYS. */
static void tidy_exports(json_t *share)
{
    static const char *const ids[] = {"anonUid", "anonGid"};
    size_t i;
    json_t *option;
    json_array_foreach (json_object_get(share, "nfsExportOptions"), i, option) {
        for (size_t k = 0; k < RD_ARRAY_LEN(ids); k++) {
            json_t *id = json_object_get(option, ids[k]);
            if (id != NULL)
                json_object_set_new(option, ids[k], json_sprintf("%ld", number_of(id)));
        }
        if (json_object_get(option, "securityFlavors") == NULL)
            json_object_set_new(option, "securityFlavors", rd_json_pack("[s]", "AUTH_SYS"));
    }
}

static void create_done(struct gcp_op *op)
{
    struct emu *e = op->emu;
    json_t *i = emu_store_get(&e->store, INSTANCES, op->target);
    if (op->fail_status != NULL) {
        emu_store_delete(&e->store, INSTANCES, op->target);
        return;
    }
    unsigned net = (unsigned)(emu_rand(e) % 250);
    json_t *network = json_array_get(json_object_get(i, "networks"), 0);
    json_object_set_new(network, "ipAddresses",
                        rd_json_pack("[o]", json_sprintf("10.20.%u.2", net)));
    json_object_set_new(network, "reservedIpRange", json_sprintf("10.20.%u.0/24", net));
    json_object_set_new(i, "state", json_string("READY"));
    op->response = answer_of(i);
}

static bool check_shape(struct gcp_call *c, const struct tier *t, long gb)
{
    const char *location = c->params.v[1];
    const json_t *shares = json_object_get(c->body, "fileShares");
    const char *share = rd_json_str(json_array_get(shares, 0), "name", NULL);
    if (t == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "The instance tier is required.");
        return false;
    }
    if (t->regional ? !emu_region_exists(location) : !emu_zone_exists(location)) {
        gcp_fail(c, "INVALID_ARGUMENT", "Location '%s' is not a %s; instances of tier %s are %s.",
                 location, t->regional ? "region" : "zone", t->name,
                 t->regional ? "regional" : "zonal");
        return false;
    }
    if (json_array_size(shares) != 1 ||
        json_array_size(json_object_get(c->body, "networks")) != 1 || share == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "Exactly one file share and one network are required.");
        return false;
    }
    size_t max = t->regional || rd_streq(t->name, "ZONAL") ? 63 : 16;
    if (strlen(share) > max || share[0] < 'a' || share[0] > 'z' ||
        share[strspn(share, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0') {
        gcp_fail(c, "INVALID_ARGUMENT", "Invalid file share name '%s'.", share);
        return false;
    }
    if (gb < t->min_gb || gb > t->max_gb) {
        gcp_fail(c, "INVALID_ARGUMENT",
                 "Invalid capacity %ld GB: tier %s needs between %ld and %ld GB.", gb, t->name,
                 t->min_gb, t->max_gb);
        return false;
    }
    return true;
}

static void create(struct gcp_call *c)
{
    struct emu *e = c->emu;
    RD_AUTOFREE char *id = emu_req_query(c->req, "instanceId");
    const struct tier *t = tier_find(rd_json_str(c->body, "tier", NULL));
    json_t *share = json_array_get(json_object_get(c->body, "fileShares"), 0);
    long gb = number_of(json_object_get(share, "capacityGb"));
    if (id == NULL || !rd_is_dns_label(id, 63)) {
        gcp_fail(c, "INVALID_ARGUMENT", "Invalid instance id '%s'.", id == NULL ? "" : id);
        return;
    }
    if (!check_shape(c, t, gb))
        return;
    RD_AUTOFREE char *name =
        rd_asprintf("projects/%s/locations/%s/instances/%s", e->project, c->params.v[1], id);
    if (emu_store_get(&e->store, INSTANCES, name) != NULL) {
        gcp_fail(c, "ALREADY_EXISTS", "Resource '%s' already exists", name);
        return;
    }
    const json_t *net = json_array_get(json_object_get(c->body, "networks"), 0);
    const char *given = rd_json_str(net, "network", NULL);
    const char *at = given == NULL ? NULL : strstr(given, "projects/");
    RD_AUTOFREE char *network = at != NULL
                                    ? rd_strdup(at)
                                    : rd_asprintf("projects/%s/global/networks/%s", e->project,
                                                  given == NULL ? "default" : given);
    if (emu_store_get(&e->store, "compute.networks", network) == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "network '%s' does not exist.", strrchr(network, '/') + 1);
        return;
    }
    if (emu_quota_short(e, t->metric, gb) > 0) {
        gcp_fail_info(c, "RESOURCE_EXHAUSTED", "RESOURCE_QUOTA_EXCEEDED", "googleapis.com",
                      rd_json_pack("{s:s}", "quota_limit", t->metric),
                      "Quota limit '%s' has been exceeded. Limit: %ld in region %s.", t->metric,
                      emu_quota_limit(e, emu_quota_by_metric(t->metric)), c->params.v[1]);
        return;
    }
    char now[32];
    emu_stamp_us(now);
    json_t *i = json_deep_copy(c->body);
    json_object_set_new(i, "name", json_string(name));
    json_object_set_new(i, "createTime", json_string(now));
    json_object_set_new(i, "state", json_string("CREATING"));
    json_t *own_share = json_array_get(json_object_get(i, "fileShares"), 0);
    json_object_set_new(own_share, "capacityGb", json_sprintf("%ld", gb));
    if (json_array_size(json_object_get(own_share, "nfsExportOptions")) == 0)
        json_object_del(own_share, "nfsExportOptions");
    tidy_exports(own_share);
    json_t *own_net = json_array_get(json_object_get(i, "networks"), 0);
    json_object_set_new(own_net, "network", json_string(network));
    if (json_object_get(own_net, "modes") == NULL)
        json_object_set_new(own_net, "modes", rd_json_pack("[s]", "MODE_IPV4"));
    json_object_set_new(i, "_network", json_string(network));
    json_object_set_new(i, "_metric", json_string(t->metric));
    json_object_set_new(i, "_capacity_gb", json_sprintf("%ld", gb));
    emu_store_put(&e->store, INSTANCES, name, i);
    gcp_ok(c, begin(c, "create", name, t->regional ? CREATE_ENTERPRISE_MS : CREATE_BASIC_MS,
                    create_done, NULL));
}

static void get(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    const json_t *i = find_or_fail(c, &name);
    if (i != NULL)
        gcp_ok(c, emu_public(i));
}

static void list(struct gcp_call *c)
{
    RD_AUTOFREE char *prefix =
        rd_streq(c->params.v[1], "-")
            ? rd_asprintf("projects/%s/", c->emu->project)
            : rd_asprintf("projects/%s/locations/%s/", c->emu->project, c->params.v[1]);
    gcp_ok_page(c, json_object(), "instances", emu_store_list(&c->emu->store, INSTANCES, prefix));
}

static void update_done(struct gcp_op *op)
{
    json_t *i = emu_store_get(&op->emu->store, INSTANCES, op->target);
    if (i == NULL)
        return;
    json_object_set_new(i, "state", json_string("READY"));
    if (op->fail_status == NULL) {
        gcp_apply_mask(i, json_object_get(op->args, "patch"), rd_json_str(op->args, "mask", NULL));
        json_t *share = json_array_get(json_object_get(i, "fileShares"), 0);
        long gb = number_of(json_object_get(share, "capacityGb"));
        json_object_set_new(share, "capacityGb", json_sprintf("%ld", gb));
        tidy_exports(share);
        json_object_set_new(i, "_capacity_gb", json_sprintf("%ld", gb));
        op->response = answer_of(i);
    }
}

static void update(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *i = find_or_fail(c, &name);
    if (i == NULL)
        return;
    RD_AUTOFREE char *mask = emu_req_query(c->req, "updateMask");
    if (mask == NULL || *mask == '\0') {
        gcp_fail(c, "INVALID_ARGUMENT", "The update mask is required.");
        return;
    }
    if (gcp_op_running(c->emu, name) != NULL) {
        gcp_fail(c, "FAILED_PRECONDITION", "Another operation is in progress on '%s'.", name);
        return;
    }
    gcp_ok(c, begin(c, "update", name, UPDATE_MS, update_done,
                    rd_json_pack("{s:O, s:s}", "patch", c->body, "mask", mask)));
}

static void delete_done(struct gcp_op *op)
{
    json_t *i = emu_store_get(&op->emu->store, INSTANCES, op->target);
    if (op->fail_status == NULL) {
        emu_store_delete(&op->emu->store, INSTANCES, op->target);
        op->response = rd_json_pack("{s:s}", "@type", "type.googleapis.com/google.protobuf.Empty");
    } else if (i != NULL) {
        json_object_set_new(i, "state", json_string("READY"));
    }
}

static void remove_one(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *i = find_or_fail(c, &name);
    if (i == NULL)
        return;
    if (gcp_op_running(c->emu, name) != NULL) {
        gcp_fail(c, "FAILED_PRECONDITION", "Another operation is in progress on '%s'.", name);
        return;
    }
    json_object_set_new(i, "state", json_string("DELETING"));
    gcp_ok(c, begin(c, "delete", name, DELETE_MS, delete_done, NULL));
}

#define L "/v1/projects/{}/locations/{}"
/* Config Connector writes to v1beta1. */
#define B "/v1beta1/projects/{}/locations/{}"

static const struct gcp_route routes[] = {
    {"POST", L "/instances", create, "file.instances.create", "FsInstance", "instanceId"},
    {"GET", L "/instances", list, "file.instances.list", NULL, "pageSize pageToken filter orderBy"},
    {"GET", L "/instances/{}", get, "file.instances.get", NULL, NULL},
    {"PATCH", L "/instances/{}", update, "file.instances.update", "FsInstance", "updateMask"},
    {"DELETE", L "/instances/{}", remove_one, "file.instances.delete", NULL, "force"},
    {"POST", L "/backups", gcp_backup_create, "file.backups.create", "FsBackup", "backupId"},
    {"GET", L "/backups", gcp_backup_list, "file.backups.list", NULL,
     "pageSize pageToken filter orderBy"},
    {"GET", L "/backups/{}", gcp_backup_get, "file.backups.get", NULL, NULL},
    {"DELETE", L "/backups/{}", gcp_backup_delete, "file.backups.delete", NULL, NULL},
    {"GET", L "/operations/{}", gcp_longrunning_get, "file.operations.get", NULL, NULL},
    {"POST", B "/instances", create, "file.instances.create", "FsInstance", "instanceId"},
    {"GET", B "/instances/{}", get, "file.instances.get", NULL, NULL},
    {"PATCH", B "/instances/{}", update, "file.instances.update", "FsInstance", "updateMask"},
    {"DELETE", B "/instances/{}", remove_one, "file.instances.delete", NULL, "force"},
    {"GET", B "/operations/{}", gcp_longrunning_get, "file.operations.get", NULL, NULL},
};

const struct gcp_api gcp_file = {.name = "file",
                                 .service = "file.googleapis.com",
                                 .override = "FILE",
                                 .path = "/",
                                 .routes = routes,
                                 .route_count = RD_ARRAY_LEN(routes)};
