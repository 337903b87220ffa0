/* Service Usage v1 and Cloud Quotas v1. */
#include "ops.h"

#include "quota.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define SERVICES "serviceusage.services"

enum { ENABLE_MAX = 20, ENABLE_MS = 20000, KNOWN_MS = 8000 };

/* What exists at all, with its title; `on`: enabled in a new project. */
static const struct {
    const char *name, *title;
    bool on;
} catalogue[] = {
    {"artifactregistry.googleapis.com", "Artifact Registry API", false},
    {"cloudapis.googleapis.com", "Google Cloud APIs", true},
    {"cloudbilling.googleapis.com", "Cloud Billing API", true},
    {"cloudbuild.googleapis.com", "Cloud Build API", false},
    {"cloudquotas.googleapis.com", "Cloud Quotas API", false},
    {"cloudresourcemanager.googleapis.com", "Cloud Resource Manager API", true},
    {"compute.googleapis.com", "Compute Engine API", false},
    {"container.googleapis.com", "Kubernetes Engine API", false},
    {"containerfilesystem.googleapis.com", "Container File System API", false},
    {"containerregistry.googleapis.com", "Container Registry API", false},
    {"dns.googleapis.com", "Cloud DNS API", false},
    {"file.googleapis.com", "Cloud Filestore API", false},
    {"iam.googleapis.com", "Identity and Access Management (IAM) API", false},
    {"iamcredentials.googleapis.com", "IAM Service Account Credentials API", false},
    {"logging.googleapis.com", "Cloud Logging API", true},
    {"monitoring.googleapis.com", "Cloud Monitoring API", true},
    {"networkconnectivity.googleapis.com", "Network Connectivity API", false},
    {"oslogin.googleapis.com", "Cloud OS Login API", false},
    {"pubsub.googleapis.com", "Cloud Pub/Sub API", false},
    {"runtimeconfig.googleapis.com", "Cloud Runtime Configuration API", false},
    {"servicemanagement.googleapis.com", "Service Management API", true},
    {"servicenetworking.googleapis.com", "Service Networking API", false},
    {"serviceusage.googleapis.com", "Service Usage API", true},
    {"storage-api.googleapis.com", "Google Cloud Storage JSON API", true},
    {"storage-component.googleapis.com", "Cloud Storage", true},
    {"storage.googleapis.com", "Cloud Storage API", true},
    {"sts.googleapis.com", "Security Token Service API", false},
};

/* Enabled along with the key. */
static const char *const dependencies[][2] = {
    {"container.googleapis.com", "compute.googleapis.com"},
    {"container.googleapis.com", "artifactregistry.googleapis.com"},
    {"container.googleapis.com", "containerregistry.googleapis.com"},
    {"container.googleapis.com", "containerfilesystem.googleapis.com"},
    {"container.googleapis.com", "dns.googleapis.com"},
    {"container.googleapis.com", "iam.googleapis.com"},
    {"container.googleapis.com", "iamcredentials.googleapis.com"},
    {"container.googleapis.com", "pubsub.googleapis.com"},
    {"compute.googleapis.com", "oslogin.googleapis.com"},
    {"iam.googleapis.com", "iamcredentials.googleapis.com"},
    {"file.googleapis.com", "networkconnectivity.googleapis.com"},
};

static json_t *service_json(struct emu *e, const char *name)
{
    const json_t *stored = emu_store_get(&e->store, SERVICES, name);
    json_t *out = json_object();
    json_object_set_new(out, "name",
                        json_sprintf("projects/%s/services/%s", e->project_number, name));
    if (stored != NULL)
        json_object_set_new(out, "parent", json_sprintf("projects/%s", e->project_number));
    json_object_set_new(
        out, "state",
        json_string(stored == NULL ? "DISABLED" : rd_json_str(stored, "state", NULL)));
    for (size_t i = 0; i < RD_ARRAY_LEN(catalogue); i++) {
        if (rd_streq(catalogue[i].name, name))
            json_object_set_new(out, "config",
                                rd_json_pack("{s:s, s:s, s:{}, s:{}}", "name", name, "title",
                                             catalogue[i].title, "documentation", "quota"));
    }
    return out;
}

static bool service_exists(const char *name)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(catalogue); i++) {
        if (rd_streq(catalogue[i].name, name))
            return true;
    }
    return false;
}

static void service_enable(struct emu *e, const char *name, uint64_t usable_ms)
{
    const json_t *old = emu_store_get(&e->store, SERVICES, name);
    if (rd_streq(rd_json_str(old, "state", NULL), "ENABLED"))
        return;
    emu_store_put(
        &e->store, SERVICES, name,
        rd_json_pack("{s:s, s:I}", "state", "ENABLED", "_usable_ms", (json_int_t)usable_ms));
    for (size_t i = 0; i < RD_ARRAY_LEN(dependencies); i++) {
        if (rd_streq(dependencies[i][0], name))
            service_enable(e, dependencies[i][1], usable_ms);
    }
}

bool gcp_service_usable(struct emu *e, const char *service)
{
    const json_t *s = emu_store_get(&e->store, SERVICES, service);
    return rd_streq(rd_json_str(s, "state", NULL), "ENABLED") &&
           rd_json_path_int(s, "_usable_ms", 0) <= (json_int_t)emu_clock_now(&e->clock);
}

void gcp_seed_services(struct emu *e)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(catalogue); i++) {
        if (catalogue[i].on && !emu_setting_has(e, "disable", catalogue[i].name))
            service_enable(e, catalogue[i].name, 0);
    }
}

static void list_services(struct gcp_call *c)
{
    RD_AUTOFREE char *filter = emu_req_query(c->req, "filter");
    json_t *all = json_array();
    for (size_t i = 0; i < RD_ARRAY_LEN(catalogue); i++) {
        json_t *s = service_json(c->emu, catalogue[i].name);
        const char *state = rd_json_str(s, "state", NULL);
        if (filter == NULL || *filter == '\0' ||
            (rd_starts_with(filter, "state:") && rd_streq(filter + 6, state)))
            json_array_append(all, s);
        json_decref(s);
    }
    gcp_ok_page(c, json_object(), "services", all);
}

static void get_service(struct gcp_call *c)
{
    if (!service_exists(c->params.v[1])) {
        gcp_fail(c, "PERMISSION_DENIED", "Not found or permission denied for service(s): %s.",
                 c->params.v[1]);
        return;
    }
    gcp_ok(c, service_json(c->emu, c->params.v[1]));
}

static void batch_get(struct gcp_call *c)
{
    json_t *services = json_array();
    struct rd_strv parts = {0};
    rd_strv_split(&parts, c->req->msg.query, "&");
    for (size_t i = 0; i < parts.len; i++) {
        if (!rd_starts_with(parts.v[i], "names="))
            continue;
        RD_AUTOFREE char *name = emu_percent_decode(parts.v[i] + 6, strlen(parts.v[i] + 6), true);
        const char *slash = strrchr(name, '/');
        if (slash != NULL && service_exists(slash + 1))
            json_array_append_new(services, service_json(c->emu, slash + 1));
    }
    rd_strv_clear(&parts);
    gcp_ok(c, rd_json_pack("{s:o}", "services", services));
}

static void enable_done(struct gcp_op *op)
{
    struct emu *e = op->emu;
    uint64_t usable_ms = emu_clock_now(&e->clock) + emu_jitter(e, KNOWN_MS, 50);
    json_t *list = json_array();
    size_t i;
    json_t *id;
    json_array_foreach (json_object_get(op->args, "ids"), i, id) {
        if (op->fail_status == NULL)
            service_enable(e, json_string_value(id), usable_ms);
        json_t *s = service_json(e, json_string_value(id));
        json_object_del(s, "config");
        json_array_append_new(list, s);
    }
    static const char type[] = "type.googleapis.com/google.api.serviceusage.v1.";
    json_t *body = gcp_op_get(e, op->key);
    if (rd_json_path_bool(op->args, "batch", false)) {
        json_object_set_new(body, "metadata",
                            rd_json_pack("{s:s+}", "@type", type, "OperationMetadata"));
        op->response = rd_json_pack("{s:s+, s:o}", "@type", type, "BatchEnableServicesResponse",
                                    "services", list);
    } else {
        json_object_set_new(body, "metadata",
                            rd_json_pack("{s:s, s:{}}", "@type",
                                         "type.googleapis.com/google.protobuf.Empty", "value"));
        op->response = rd_json_pack("{s:s+, s:O}", "@type", type, "EnableServiceResponse",
                                    "service", json_array_get(list, 0));
        json_decref(list);
    }
}

static void start_enable(struct gcp_call *c, json_t *take_ids, bool batch)
{
    struct emu *e = c->emu;
    RD_AUTOJSON json_t *ids = take_ids;
    bool all_on = true;
    size_t i;
    json_t *id;
    json_array_foreach (ids, i, id) {
        const char *name = json_string_value(id);
        if (!service_exists(name) || emu_setting_has(e, "forbid-enable", name)) {
            gcp_fail_info(c, "PERMISSION_DENIED", "SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED",
                          "serviceusage.googleapis.com", NULL,
                          "Not found or permission denied for service(s): %s.", name);
            return;
        }
        all_on = all_on && gcp_service_usable(e, name);
    }
    if (rd_streq(emu_setting(e, "billing"), "off") && !all_on) {
        gcp_fail_info(c, "FAILED_PRECONDITION", "UREQ_PROJECT_BILLING_NOT_FOUND",
                      "serviceusage.googleapis.com/billing-enabled", NULL,
                      "Billing account for project '%s' is not found. Billing must be enabled for "
                      "activation of service(s) '%s' to proceed.",
                      e->project_number, json_string_value(json_array_get(ids, 0)));
        return;
    }
    if (all_on) {
        json_t *done =
            rd_json_pack("{s:s, s:b}", "name", "operations/noop.DONE_OPERATION", "done", 1);
        gcp_ok(c, done);
        return;
    }
    char hex[33];
    emu_rand_hex(e, hex, 32);
    RD_AUTOFREE char *key = rd_asprintf("operations/acf.p2-%s-%s", e->project_number, hex);
    json_t *body = rd_json_pack("{s:s}", "name", key);
    gcp_op_start(c, GCP_OP_LONGRUNNING, key, body, "services", ENABLE_MS, enable_done,
                 rd_json_pack("{s:O, s:b}", "ids", ids, "batch", (int)batch));
    gcp_ok(c, rd_json_pack("{s:s}", "name", key));
}

static void batch_enable(struct gcp_call *c)
{
    json_t *ids = json_object_get(c->body, "serviceIds");
    if (json_array_size(ids) == 0 || json_array_size(ids) > ENABLE_MAX) {
        gcp_fail(c, "INVALID_ARGUMENT", "Invalid number of services: %zu; 1 to %d are allowed.",
                 json_array_size(ids), ENABLE_MAX);
        return;
    }
    start_enable(c, json_incref(ids), true);
}

static void enable_one(struct gcp_call *c)
{
    start_enable(c, rd_json_pack("[s]", c->params.v[1]), false);
}

static void get_operation(struct gcp_call *c)
{
    RD_AUTOFREE char *key = rd_asprintf("operations/%s", c->params.v[0]);
    const json_t *body = gcp_op_get(c->emu, key);
    if (body == NULL)
        gcp_fail(c, "NOT_FOUND", "Operation not found: %s", key);
    else
        gcp_ok(c, emu_public(body));
}

static const struct gcp_route service_routes[] = {
    {"POST", "/v1/projects/{}/services:batchEnable", batch_enable, "serviceusage.services.enable",
     "SuBatchEnableServicesRequest", NULL},
    {"GET", "/v1/projects/{}/services:batchGet", batch_get, "serviceusage.services.get", NULL,
     "names"},
    {"POST", "/v1/projects/{}/services/{}:enable", enable_one, "serviceusage.services.enable",
     "SuEnableServiceRequest", NULL},
    {"GET", "/v1/projects/{}/services/{}", get_service, "serviceusage.services.get", NULL, NULL},
    {"GET", "/v1/projects/{}/services", list_services, "serviceusage.services.list", NULL,
     "filter pageSize pageToken"},
    {"GET", "/v1/operations/{}", get_operation, NULL, NULL, NULL},
};

const struct gcp_api gcp_serviceusage = {.name = "serviceusage",
                                         .service = "serviceusage.googleapis.com",
                                         .override = "SERVICEUSAGE",
                                         .path = "/",
                                         .routes = service_routes,
                                         .route_count = RD_ARRAY_LEN(service_routes)};

/* ---- Cloud Quotas ---- */
static json_t *quota_info(struct emu *e, const char *service, const struct emu_quota *q)
{
    json_t *details = rd_json_pack("{s:{s:o}, s:[s]}", "details", "value",
                                   json_sprintf("%ld", emu_quota_limit(e, q)),
                                   "applicableLocations", q->global ? "global" : "us-central1");
    if (!q->global)
        json_object_set_new(details, "dimensions", rd_json_pack("{s:s}", "region", "us-central1"));
    json_t *info = json_object();
    json_object_set_new(info, "name",
                        json_sprintf("projects/%s/locations/global/services/%s/quotaInfos/%s",
                                     e->project_number, service, q->id));
    json_object_set_new(info, "quotaId", json_string(q->id));
    json_object_set_new(info, "metric", json_sprintf("%s/%s", service, q->metric));
    json_object_set_new(info, "service", json_string(service));
    json_object_set_new(info, "containerType", json_string("PROJECT"));
    json_object_set_new(info, "quotaDisplayName", json_string(q->metric));
    json_object_set_new(info, "dimensionsInfos", rd_json_pack("[o]", details));
    json_object_set_new(info, "quotaIncreaseEligibility", rd_json_pack("{s:b}", "isEligible", 1));
    return info;
}

static void get_quota(struct gcp_call *c)
{
    const struct emu_quota *q = emu_quota_by_id(c->params.v[2], c->params.v[1]);
    if (q == NULL)
        gcp_fail(c, "NOT_FOUND", "Quota info %s not found.", c->params.v[2]);
    else
        gcp_ok(c, quota_info(c->emu, c->params.v[1], q));
}

static void list_quotas(struct gcp_call *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < emu_quotas_len; i++) {
        if (rd_streq(emu_quotas[i].service, c->params.v[1]))
            json_array_append_new(all, quota_info(c->emu, c->params.v[1], &emu_quotas[i]));
    }
    gcp_ok_page(c, json_object(), "quotaInfos", all);
}

static const struct gcp_route quota_routes[] = {
    {"GET", "/v1/projects/{}/locations/global/services/{}/quotaInfos/{}", get_quota,
     "cloudquotas.quotas.get", NULL, NULL},
    {"GET", "/v1/projects/{}/locations/global/services/{}/quotaInfos", list_quotas,
     "cloudquotas.quotas.get", NULL, "pageSize pageToken"},
};

const struct gcp_api gcp_quotas = {.name = "cloudquotas",
                                   .service = "cloudquotas.googleapis.com",
                                   .override = "CLOUDQUOTAS",
                                   .path = "/",
                                   .routes = quota_routes,
                                   .route_count = RD_ARRAY_LEN(quota_routes)};
