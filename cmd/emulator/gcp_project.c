/* Resource Manager v1 and Cloud Billing v1: the one project. */
#include "ops.h"

#include "auth.h"
#include "policy.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

void gcp_seed_project(struct emu *e)
{
    char now[32];
    emu_stamp_us(now);
    json_t *p =
        rd_json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}}", "projectNumber", e->project_number,
                     "projectId", e->project, "lifecycleState", "ACTIVE", "name", e->project,
                     "createTime", now, "parent", "type", "organization", "id", "987654321098");
    emu_store_put(&e->store, "cloudresourcemanager.projects", e->project, p);
    RD_AUTOFREE char *resource = rd_asprintf("projects/%s", e->project);
    RD_AUTOFREE char *owner = rd_asprintf("serviceAccount:%s", emu_auth_deployer(e));
    emu_policy_seed(e, resource, "roles/owner", owner);
    emu_policy_seed(e, resource, "roles/owner", "user:developer@example.com");
    RD_AUTOFREE char *sa =
        rd_asprintf("projects/%s/serviceAccounts/%s", e->project, emu_auth_deployer(e));
    RD_AUTOFREE char *uid = gcp_unique_id(e);
    RD_AUTOFREE char *client = gcp_unique_id(e);
    RD_AUTOFREE char *etag = gcp_etag(e);
    emu_store_put(&e->store, "iam.serviceAccounts", sa,
                  rd_json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", sa, "projectId",
                               e->project, "uniqueId", uid, "email", emu_auth_deployer(e),
                               "displayName", "deployer", "etag", etag, "oauth2ClientId", client));
    /* Federation and impersonation in external.json and impersonated.json lead to the deployer. */
    RD_AUTOFREE char *pool = rd_asprintf(
        "principal://iam.googleapis.com/projects/%s/locations/global/workloadIdentityPools/pool/"
        "subject/ci",
        e->project_number);
    emu_policy_seed(e, sa, "roles/iam.workloadIdentityUser", pool);
    emu_policy_seed(e, sa, "roles/iam.serviceAccountTokenCreator", "user:developer@example.com");
}

static void get_project(struct gcp_call *c)
{
    gcp_ok(c, emu_public(
                  emu_store_get(&c->emu->store, "cloudresourcemanager.projects", c->emu->project)));
}

static void get_project_v3(struct gcp_call *c)
{
    const struct emu *e = c->emu;
    gcp_ok(c, rd_json_pack("{s:s+, s:s, s:s, s:s, s:s}", "name", "projects/", e->project_number,
                           "parent", "organizations/987654321098", "projectId", e->project, "state",
                           "ACTIVE", "displayName", e->project));
}

static void list_projects(struct gcp_call *c)
{
    gcp_ok_page(c, json_object(), "projects",
                emu_store_list(&c->emu->store, "cloudresourcemanager.projects", NULL));
}

static char *project_name(const struct gcp_call *c)
{
    return rd_asprintf("projects/%s", c->emu->project);
}

static void get_policy(struct gcp_call *c)
{
    RD_AUTOFREE char *name = project_name(c);
    gcp_policy_read(c, name);
}

static void set_policy(struct gcp_call *c)
{
    RD_AUTOFREE char *name = project_name(c);
    gcp_policy_write(c, name);
}

static void test_permissions(struct gcp_call *c)
{
    RD_AUTOFREE char *name = project_name(c);
    gcp_policy_test(c, name);
}

static const struct gcp_route routes[] = {
    {"POST", "/v1/projects/{}:getIamPolicy", get_policy, "resourcemanager.projects.getIamPolicy",
     "RmGetIamPolicyRequest", NULL},
    {"POST", "/v1/projects/{}:setIamPolicy", set_policy, "resourcemanager.projects.setIamPolicy",
     "RmSetIamPolicyRequest", NULL},
    {"POST", "/v1/projects/{}:testIamPermissions", test_permissions, NULL,
     "RmTestIamPermissionsRequest", NULL},
    {"GET", "/v1/projects/{}", get_project, "resourcemanager.projects.get", NULL, NULL},
    {"GET", "/v1/projects", list_projects, NULL, NULL, "filter pageSize pageToken"},
    {"GET", "/v3/projects/{}", get_project_v3, "resourcemanager.projects.get", NULL, NULL},
};

const struct gcp_api gcp_resourcemanager = {.name = "cloudresourcemanager",
                                            .service = "cloudresourcemanager.googleapis.com",
                                            .override = "CLOUDRESOURCEMANAGER",
                                            .path = "/",
                                            .routes = routes,
                                            .route_count = RD_ARRAY_LEN(routes)};

static void get_billing(struct gcp_call *c)
{
    const struct emu *e = c->emu;
    bool on = !rd_streq(emu_setting(e, "billing"), "off");
    gcp_ok(c, rd_json_pack("{s:s++, s:s, s:s, s:b}", "name", "projects/", e->project,
                           "/billingInfo", "projectId", e->project, "billingAccountName",
                           on ? "billingAccounts/012345-6789AB-CDEF01" : "", "billingEnabled",
                           (int)on));
}

static const struct gcp_route billing_routes[] = {
    {"GET", "/v1/projects/{}/billingInfo", get_billing, "resourcemanager.projects.get", NULL, NULL},
};

const struct gcp_api gcp_billing = {.name = "cloudbilling",
                                    .service = "cloudbilling.googleapis.com",
                                    .override = "CLOUDBILLING",
                                    .path = "/",
                                    .routes = billing_routes,
                                    .route_count = RD_ARRAY_LEN(billing_routes)};
