/* IAM v1 (service accounts and their policies) and IAM Service Account Credentials v1. */
#include "gcp.h"

#include "auth.h"
#include "policy.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define ACCOUNTS "iam.serviceAccounts"

/* A new account is not seen by every front end at once: GET answers 404 that long. */
enum { UNSEEN_MS = 1500 };

/* The account's name in the store, whatever project the path has; NULL when absent (answered). */
static json_t *account_of(struct gcp_call *c, char **ret_name)
{
    *ret_name = rd_asprintf("projects/%s/serviceAccounts/%s", c->emu->project, c->params.v[1]);
    json_t *sa = emu_store_get(&c->emu->store, ACCOUNTS, *ret_name);
    const char *name;
    json_t *other;
    if (sa == NULL) { /* the unique id works as well */
        json_object_foreach (emu_store_all(&c->emu->store, ACCOUNTS), name, other) {
            if (rd_streq(rd_json_str(other, "uniqueId", NULL), c->params.v[1])) {
                sa = other;
                rd_str_dup(ret_name, name);
                break;
            }
        }
    }
    if (sa == NULL ||
        rd_json_path_int(sa, "_seen_ms", 0) > (json_int_t)emu_clock_now(&c->emu->clock)) {
        gcp_fail(c, "NOT_FOUND", "Unknown service account: %s", c->params.v[1]);
        return NULL;
    }
    return sa;
}

static bool good_account_id(const char *id)
{
    size_t len = strlen(id);
    return len >= 6 && len <= 30 && id[0] >= 'a' && id[0] <= 'z' && id[len - 1] != '-' &&
           id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static void create_account(struct gcp_call *c)
{
    struct emu *e = c->emu;
    const char *id = rd_json_str(c->body, "accountId", NULL);
    if (id == NULL || !good_account_id(id)) {
        gcp_fail(c, "INVALID_ARGUMENT",
                 "The account ID \"%s\" does not have a length between 6 and "
                 "30 or is not a valid name.",
                 id == NULL ? "" : id);
        return;
    }
    RD_AUTOFREE char *email = rd_asprintf("%s@%s.iam.gserviceaccount.com", id, e->project);
    RD_AUTOFREE char *name = rd_asprintf("projects/%s/serviceAccounts/%s", e->project, email);
    if (emu_store_get(&e->store, ACCOUNTS, name) != NULL) {
        gcp_fail(c, "ALREADY_EXISTS",
                 "Service account %s already exists within project "
                 "projects/%s.",
                 id, e->project);
        return;
    }
    RD_AUTOFREE char *uid = gcp_unique_id(e);
    RD_AUTOFREE char *client = gcp_unique_id(e);
    RD_AUTOFREE char *etag = gcp_etag(e);
    json_t *sa =
        rd_json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "projectId", e->project,
                     "uniqueId", uid, "email", email, "etag", etag, "oauth2ClientId", client);
    gcp_apply_mask(sa, json_object_get(c->body, "serviceAccount"), "displayName,description");
    json_object_set_new(sa, "_seen_ms",
                        json_integer((json_int_t)emu_clock_now(&e->clock) +
                                     (json_int_t)emu_jitter(e, UNSEEN_MS, 60)));
    emu_store_put(&e->store, ACCOUNTS, name, sa);
    gcp_ok(c, emu_public(sa));
}

static void get_account(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    const json_t *sa = account_of(c, &name);
    if (sa != NULL)
        gcp_ok(c, emu_public(sa));
}

static void list_accounts(struct gcp_call *c)
{
    gcp_ok_page(c, json_object(), "accounts", emu_store_list(&c->emu->store, ACCOUNTS, NULL));
}

static void patch_account(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *sa = account_of(c, &name);
    if (sa == NULL)
        return;
    const char *mask = rd_json_str(c->body, "updateMask", NULL);
    const json_t *patch = json_object_get(c->body, "serviceAccount");
    if (mask == NULL || patch == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "An update mask and a service account are required.");
        return;
    }
    gcp_apply_mask(sa, patch, mask);
    json_t *answer = rd_json_pack("{s:s}", "name", name);
    gcp_apply_mask(answer, patch, mask);
    gcp_ok(c, answer);
}

static void set_disabled(struct gcp_call *c, bool disabled)
{
    RD_AUTOFREE char *name = NULL;
    json_t *sa = account_of(c, &name);
    if (sa == NULL)
        return;
    if (disabled)
        json_object_set_new(sa, "disabled", json_true());
    else
        json_object_del(sa, "disabled");
    gcp_ok(c, json_object());
}

static void disable_account(struct gcp_call *c)
{
    set_disabled(c, true);
}

static void enable_account(struct gcp_call *c)
{
    set_disabled(c, false);
}

static void delete_account(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *sa = account_of(c, &name);
    if (sa == NULL)
        return;
    emu_policy_forget(c->emu, rd_json_str(sa, "email", NULL), rd_json_str(sa, "uniqueId", NULL));
    emu_policy_drop(c->emu, name);
    emu_store_delete(&c->emu->store, ACCOUNTS, name);
    gcp_ok(c, json_object());
}

static void account_policy_get(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    if (account_of(c, &name) != NULL)
        gcp_policy_read(c, name);
}

static void account_policy_set(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    if (account_of(c, &name) != NULL)
        gcp_policy_write(c, name);
}

static void account_policy_test(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    if (account_of(c, &name) != NULL)
        gcp_policy_test(c, name);
}

static const struct gcp_route routes[] = {
    {"POST", "/v1/projects/{}/serviceAccounts/{}:getIamPolicy", account_policy_get,
     "iam.serviceAccounts.getIamPolicy", NULL, "options.requestedPolicyVersion"},
    {"POST", "/v1/projects/{}/serviceAccounts/{}:setIamPolicy", account_policy_set,
     "iam.serviceAccounts.setIamPolicy", "ImSetIamPolicyRequest", NULL},
    {"POST", "/v1/projects/{}/serviceAccounts/{}:testIamPermissions", account_policy_test, NULL,
     "ImTestIamPermissionsRequest", NULL},
    {"POST", "/v1/projects/{}/serviceAccounts/{}:disable", disable_account,
     "iam.serviceAccounts.disable", "ImDisableServiceAccountRequest", NULL},
    {"POST", "/v1/projects/{}/serviceAccounts/{}:enable", enable_account,
     "iam.serviceAccounts.enable", "ImEnableServiceAccountRequest", NULL},
    {"GET", "/v1/projects/{}/serviceAccounts/{}", get_account, "iam.serviceAccounts.get", NULL,
     NULL},
    {"PATCH", "/v1/projects/{}/serviceAccounts/{}", patch_account, "iam.serviceAccounts.update",
     "ImPatchServiceAccountRequest", NULL},
    {"DELETE", "/v1/projects/{}/serviceAccounts/{}", delete_account, "iam.serviceAccounts.delete",
     NULL, NULL},
    {"GET", "/v1/projects/{}/serviceAccounts", list_accounts, "iam.serviceAccounts.list", NULL,
     "pageSize pageToken"},
    {"POST", "/v1/projects/{}/serviceAccounts", create_account, "iam.serviceAccounts.create",
     "ImCreateServiceAccountRequest", NULL},
};

const struct gcp_api gcp_iam = {.name = "iam",
                                .service = "iam.googleapis.com",
                                .override = "IAM",
                                .path = "/",
                                .routes = routes,
                                .route_count = RD_ARRAY_LEN(routes)};

/* ---- IAM credentials ---- */
static json_t *target_account(struct gcp_call *c, const char *permission)
{
    RD_AUTOFREE char *name = NULL;
    c->req->body_secret = true;
    if (!rd_streq(c->params.v[0], "-")) {
        gcp_fail(c, "INVALID_ARGUMENT", "Request contains an invalid argument.");
        return NULL;
    }
    name = rd_asprintf("projects/%s/serviceAccounts/%s", c->emu->project, c->params.v[1]);
    json_t *sa = emu_store_get(&c->emu->store, ACCOUNTS, name);
    if (sa == NULL) {
        gcp_fail(c, "NOT_FOUND", "Not found; Gaia id not found for email %s", c->params.v[1]);
        return NULL;
    }
    return gcp_permit(c, permission, name) ? sa : NULL;
}

static void generate_access_token(struct gcp_call *c)
{
    json_t *sa = target_account(c, "iam.serviceAccounts.getAccessToken");
    if (sa == NULL)
        return;
    const char *lifetime = rd_json_str(c->body, "lifetime", NULL);
    char *end = NULL;
    long seconds = lifetime == NULL ? 3600 : strtol(lifetime, &end, 10);
    if (json_array_size(json_object_get(c->body, "scope")) == 0) {
        gcp_fail(c, "INVALID_ARGUMENT", "Scope required.");
        return;
    }
    if (seconds < 1 || seconds > 3600 || (lifetime != NULL && !rd_streq(end, "s"))) {
        gcp_fail(c, "INVALID_ARGUMENT", "The access token lifetime cannot exceed 3600 seconds.");
        return;
    }
    seconds = emu_auth_life_s(c->emu, (unsigned)seconds);
    RD_AUTOFREE char *principal = rd_asprintf("serviceAccount:%s", rd_json_str(sa, "email", NULL));
    RD_AUTOFREE char *token = emu_auth_token_new(c->emu, principal, (unsigned)seconds);
    char expires[32];
    rd_rfc3339_ms((emu_auth_now_s(c->emu) + seconds) * 1000, expires);
    strcpy(strchr(expires, '.'), "Z");
    gcp_ok(c, rd_json_pack("{s:s, s:s}", "accessToken", token, "expireTime", expires));
}

static void generate_id_token(struct gcp_call *c)
{
    json_t *sa = target_account(c, "iam.serviceAccounts.getOpenIdToken");
    if (sa == NULL)
        return;
    const char *audience = rd_json_str(c->body, "audience", NULL);
    if (audience == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "Audience required.");
        return;
    }
    json_int_t now = (json_int_t)emu_auth_now_s(c->emu);
    RD_AUTOJSON json_t *claims = rd_json_pack(
        "{s:s, s:s, s:s, s:I, s:I}", "iss", "https://accounts.google.com", "aud", audience, "email",
        rd_json_str(sa, "email", NULL), "iat", now, "exp", now + 3600);
    RD_AUTOFREE char *jwt = emu_jwt_sign(c->emu, claims);
    gcp_ok(c, rd_json_pack("{s:s}", "token", jwt));
}

static const struct gcp_route credential_routes[] = {
    {"POST", "/v1/projects/{}/serviceAccounts/{}:generateAccessToken", generate_access_token, NULL,
     "IcGenerateAccessTokenRequest", NULL},
    {"POST", "/v1/projects/{}/serviceAccounts/{}:generateIdToken", generate_id_token, NULL,
     "IcGenerateIdTokenRequest", NULL},
};

const struct gcp_api gcp_iamcredentials = {.name = "iamcredentials",
                                           .service = "iamcredentials.googleapis.com",
                                           .override = "IAMCREDENTIALS",
                                           .path = "/",
                                           .routes = credential_routes,
                                           .route_count = RD_ARRAY_LEN(credential_routes)};
