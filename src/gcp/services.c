/* Service Usage, Resource Manager, Billing, IAM, Filestore, Artifact Registry, Cloud Quotas. */
#include "gcp/services.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static void prepare(struct gcp_call *k, struct gcp_client *c, enum gcp_api api, const char *method,
                    struct http_url *u)
{
    gcp_call_init(k, c, api, method, http_url_str(u));
    http_url_clear(u);
}

static void prepare_list(struct gcp_list *l, struct gcp_client *c, enum gcp_api api,
                         struct http_url *u, const char *key)
{
    gcp_list_init(l, c, api, http_url_str(u), key);
    http_url_clear(u);
}

/* A change that ends in an operation: everything of an earlier use goes. */
static struct gcp_call *prepare_lro(struct gcp_lro *l, struct gcp_client *c, enum gcp_api api,
                                    const char *method, struct http_url *u)
{
    gcp_lro_clear(l);
    prepare(&l->call, c, api, method, u);
    return &l->call;
}

/* ---- Service Usage ---- */

void gcp_services_enabled(struct gcp_list *l, struct gcp_client *c, const char *project)
{
    struct http_url u;
    gcp_url(&u, c, GCP_SERVICEUSAGE);
    gcp_url_segs(&u, "", "projects", project, "services", NULL);
    http_url_query(&u, "filter", "state:ENABLED");
    http_url_query(&u, "pageSize", "200");
    prepare_list(l, c, GCP_SERVICEUSAGE, &u, "services");
    l->call.no_quota_project = true; /* the API may be off there */
    gcp_call_what(&l->call, "list the enabled APIs of project %s", project);
}

void gcp_services_enable(struct gcp_lro *l, struct gcp_client *c, const char *project,
                         const char *const *names, size_t len)
{
    RD_ASSERT(len > 0);
    RD_ASSERT(len <= GCP_ENABLE_MAX);
    struct http_url u;
    gcp_url(&u, c, GCP_SERVICEUSAGE);
    gcp_url_segs(&u, ":batchEnable", "projects", project, "services", NULL);
    struct gcp_call *k = prepare_lro(l, c, GCP_SERVICEUSAGE, "POST", &u);
    RD_AUTOJSON json_t *body = rd_json_pack("{s:[]}", "serviceIds");
    for (size_t i = 0; i < len; i++)
        json_array_append_new(json_object_get(body, "serviceIds"), json_string(names[i]));
    gcp_call_body(k, body);
    k->no_quota_project = true;
    k->query_may_repeat = true; /* enabling twice is enabling */
    gcp_call_what(k, "enable APIs of project %s", project);
}

struct rd_err *gcp_services_enable_failures(const json_t *result)
{
    const json_t *failures = json_object_get(result, "failures"), *f;
    size_t i;
    struct rd_err *err = NULL;
    json_array_foreach (failures, i, f) {
        const char *id = json_string_value(json_object_get(f, "serviceId"));
        const char *message = json_string_value(json_object_get(f, "errorMessage"));
        if (err == NULL)
            err =
                rd_err_new(RD_ERR_PREFLIGHT, "API %s cannot be enabled: %s",
                           id != NULL ? id : "(unnamed)", message != NULL ? message : "no reason");
    }
    return err;
}

/* ---- Resource Manager, Billing ---- */

void gcp_project_get(struct gcp_call *k, struct gcp_client *c, const char *project)
{
    struct http_url u;
    gcp_url(&u, c, GCP_RESOURCEMANAGER);
    gcp_url_segs(&u, "", "projects", project, NULL);
    prepare(k, c, GCP_RESOURCEMANAGER, "GET", &u);
    gcp_call_what(k, "get project %s", project);
}

void gcp_project_test_permissions(struct gcp_call *k, struct gcp_client *c, const char *project,
                                  const char *const *permissions, size_t len)
{
    RD_ASSERT(len <= 100);
    struct http_url u;
    gcp_url(&u, c, GCP_RESOURCEMANAGER);
    gcp_url_segs(&u, ":testIamPermissions", "projects", project, NULL);
    prepare(k, c, GCP_RESOURCEMANAGER, "POST", &u);
    RD_AUTOJSON json_t *body = rd_json_pack("{s:[]}", "permissions");
    for (size_t i = 0; i < len; i++)
        json_array_append_new(json_object_get(body, "permissions"), json_string(permissions[i]));
    gcp_call_body(k, body);
    k->query_may_repeat = true;
    gcp_call_what(k, "test permissions on project %s", project);
}

void gcp_billing_info(struct gcp_call *k, struct gcp_client *c, const char *project)
{
    struct http_url u;
    gcp_url(&u, c, GCP_BILLING);
    gcp_url_segs(&u, "", "projects", project, "billingInfo", NULL);
    prepare(k, c, GCP_BILLING, "GET", &u);
    gcp_call_what(k, "get billing of project %s", project);
}

/* ---- IAM ---- */

void gcp_account_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                     const char *email)
{
    struct http_url u;
    gcp_url(&u, c, GCP_IAM);
    gcp_url_segs(&u, "", "projects", project, "serviceAccounts", email, NULL);
    prepare(k, c, GCP_IAM, "GET", &u);
    k->not_found_ok = true;
    gcp_call_what(k, "get service account %s", email);
}

void gcp_account_create(struct gcp_call *k, struct gcp_client *c, const char *project,
                        const char *account_id, const char *display_name, const char *description)
{
    struct http_url u;
    gcp_url(&u, c, GCP_IAM);
    gcp_url_segs(&u, "", "projects", project, "serviceAccounts", NULL);
    prepare(k, c, GCP_IAM, "POST", &u);
    RD_AUTOJSON json_t *body =
        rd_json_pack("{s:s, s:{s:s, s:s}}", "accountId", account_id, "serviceAccount",
                     "displayName", display_name != NULL ? display_name : account_id, "description",
                     description != NULL ? description : "");
    gcp_call_body(k, body);
    gcp_call_what(k, "create service account %s", account_id);
}

void gcp_account_delete(struct gcp_call *k, struct gcp_client *c, const char *project,
                        const char *email)
{
    struct http_url u;
    gcp_url(&u, c, GCP_IAM);
    gcp_url_segs(&u, "", "projects", project, "serviceAccounts", email, NULL);
    prepare(k, c, GCP_IAM, "DELETE", &u);
    k->not_found_ok = true;
    gcp_call_what(k, "delete service account %s", email);
}

void gcp_accounts_list(struct gcp_list *l, struct gcp_client *c, const char *project)
{
    struct http_url u;
    gcp_url(&u, c, GCP_IAM);
    gcp_url_segs(&u, "", "projects", project, "serviceAccounts", NULL);
    http_url_query(&u, "pageSize", "100");
    prepare_list(l, c, GCP_IAM, &u, "accounts");
    gcp_call_what(&l->call, "list service accounts of project %s", project);
}

/* ---- Filestore ---- */

void gcp_filestore_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location, const char *instance)
{
    struct http_url u;
    gcp_url(&u, c, GCP_FILE);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "instances", instance, NULL);
    prepare(k, c, GCP_FILE, "GET", &u);
    k->not_found_ok = true;
    gcp_call_what(k, "get Filestore instance %s", instance);
}

void gcp_filestore_list(struct gcp_list *l, struct gcp_client *c, const char *project)
{
    struct http_url u;
    gcp_url(&u, c, GCP_FILE);
    gcp_url_segs(&u, "", "projects", project, "locations", "-", "instances", NULL);
    prepare_list(l, c, GCP_FILE, &u, "instances");
    gcp_call_what(&l->call, "list Filestore instances of project %s", project);
}

void gcp_filestore_backups_list(struct gcp_list *l, struct gcp_client *c, const char *project)
{
    struct http_url u;
    gcp_url(&u, c, GCP_FILE);
    gcp_url_segs(&u, "", "projects", project, "locations", "-", "backups", NULL);
    prepare_list(l, c, GCP_FILE, &u, "backups");
    gcp_call_what(&l->call, "list Filestore backups of project %s", project);
}

void gcp_filestore_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                          const char *location, const char *instance)
{
    struct http_url u;
    gcp_url(&u, c, GCP_FILE);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "instances", instance, NULL);
    struct gcp_call *k = prepare_lro(l, c, GCP_FILE, "DELETE", &u);
    l->absent_ok = true;
    gcp_call_what(k, "delete Filestore instance %s", instance);
}

/* ---- Artifact Registry ---- */

void gcp_repository_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                        const char *location, const char *repository)
{
    struct http_url u;
    gcp_url(&u, c, GCP_ARTIFACTREGISTRY);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "repositories", repository,
                 NULL);
    prepare(k, c, GCP_ARTIFACTREGISTRY, "GET", &u);
    k->not_found_ok = true;
    gcp_call_what(k, "get Artifact Registry repository %s", repository);
}

void gcp_repository_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                           const char *location, const char *repository)
{
    struct http_url u;
    gcp_url(&u, c, GCP_ARTIFACTREGISTRY);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "repositories", repository,
                 NULL);
    struct gcp_call *k = prepare_lro(l, c, GCP_ARTIFACTREGISTRY, "DELETE", &u);
    l->absent_ok = true;
    gcp_call_what(k, "delete Artifact Registry repository %s", repository);
}

void gcp_repositories_list(struct gcp_list *l, struct gcp_client *c, const char *project,
                           const char *location)
{
    struct http_url u;
    gcp_url(&u, c, GCP_ARTIFACTREGISTRY);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "repositories", NULL);
    prepare_list(l, c, GCP_ARTIFACTREGISTRY, &u, "repositories");
    gcp_call_what(&l->call, "list Artifact Registry repositories in %s", location);
}

void gcp_docker_images_list(struct gcp_list *l, struct gcp_client *c, const char *project,
                            const char *location, const char *repository)
{
    struct http_url u;
    gcp_url(&u, c, GCP_ARTIFACTREGISTRY);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "repositories", repository,
                 "dockerImages", NULL);
    prepare_list(l, c, GCP_ARTIFACTREGISTRY, &u, "dockerImages");
    l->not_found_ok = true;
    gcp_call_what(&l->call, "list images of repository %s", repository);
}

/* ---- Cloud Quotas ---- */

void gcp_quota_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                   const char *service, const char *id)
{
    struct http_url u;
    gcp_url(&u, c, GCP_QUOTAS);
    gcp_url_segs(&u, "", "projects", project, "locations", "global", "services", service,
                 "quotaInfos", id, NULL);
    prepare(k, c, GCP_QUOTAS, "GET", &u);
    k->not_found_ok = true;
    gcp_call_what(k, "get quota %s of %s", id, service);
}

static bool holds(const json_t *list, const char *text)
{
    const json_t *one;
    size_t i;
    json_array_foreach (list, i, one) {
        if (rd_streq(json_string_value(one), text))
            return true;
    }
    return false;
}

bool gcp_quota_value(const json_t *info, const char *region, int64_t *ret)
{
    const json_t *row;
    size_t i;
    json_array_foreach (json_object_get(info, "dimensionsInfos"), i, row) {
        const json_t *dimensions = json_object_get(row, "dimensions");
        const json_t *where = json_object_get(row, "applicableLocations");
        const char *named = rd_json_str(row, "dimensions", "region", NULL);
        /* The most specific rows come first; rows of other dimensions than the region are not ours.
         */
        if (json_object_size(dimensions) > (named != NULL ? 1u : 0u) ||
            (named != NULL && !rd_streq(named, region)))
            continue;
        if (named == NULL && json_array_size(where) > 0 && !holds(where, region) &&
            !holds(where, "global"))
            continue;
        const char *value = rd_json_str(row, "details", "value", NULL);
        char *end;
        if (value == NULL || *value == '\0')
            return false;
        *ret = strtoll(value, &end, 10);
        return *end == '\0';
    }
    return false;
}
