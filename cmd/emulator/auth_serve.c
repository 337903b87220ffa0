/* The token endpoints: oauth2, STS and the metadata server. */
#include "auth_internal.h"

#include "gcp.h"
#include "policy.h"
#include "route.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* OAuth errors have a string where the APIs have an object. */
static void refuse(struct emu_req *req, int status, const char *error, const char *text)
{
    emu_reply_json(req, status,
                   rd_json_pack("{s:s, s:s}", "error", error, "error_description", text));
}

static char *form_value(const struct emu_req *req, const char *key)
{
    struct emu_req form = {.msg = {.query = req->msg.body}};
    return emu_req_query(&form, key);
}

static json_t *token_answer(struct emu *e, const char *principal)
{
    unsigned life = emu_auth_life_s(e, TOKEN_LIFETIME_S + 1);
    RD_AUTOFREE char *token = emu_auth_token_new(e, principal, life);
    return rd_json_pack("{s:s, s:i, s:s}", "access_token", token, "expires_in", (int)life - 1,
                        "token_type", "Bearer");
}

static void grant_jwt(struct emu_req *req)
{
    struct emu *e = req->emu;
    RD_AUTOFREE char *assertion = form_value(req, "assertion");
    const char *why = NULL;
    RD_AUTOJSON json_t *claims = assertion == NULL ? NULL : emu_jwt_verify(e, assertion, &why);
    if (assertion == NULL) {
        refuse(req, 400, "invalid_request", "Missing required parameter: assertion");
        return;
    }
    if (emu_setting(e, "refuse-token") != NULL)
        why = "Invalid JWT Signature.";
    if (claims == NULL || emu_setting(e, "refuse-token") != NULL) {
        refuse(req, 400, "invalid_grant", why);
        return;
    }
    const char *iss = rd_json_str(claims, "iss", NULL);
    const char *aud = rd_json_str(claims, "aud", NULL);
    if (!rd_streq(iss, e->auth->deployer)) {
        refuse(req, 400, "invalid_grant", "Invalid grant: account not found");
        return;
    }
    if (aud == NULL || !rd_ends_with(aud, "/token")) {
        refuse(req, 400, "invalid_grant", "Invalid JWT: Failed audience check.");
        return;
    }
    const char *target = rd_json_str(claims, "target_audience", NULL);
    if (target != NULL) {
        RD_AUTOJSON json_t *id = rd_json_pack(
            "{s:s, s:s, s:s, s:s, s:b, s:I, s:I}", "iss", "https://accounts.google.com", "aud",
            target, "sub", "100000000000000000001", "email", iss, "email_verified", 1, "iat",
            (json_int_t)emu_auth_now_s(e), "exp", (json_int_t)emu_auth_now_s(e) + 3600);
        RD_AUTOFREE char *jwt = emu_jwt_sign(e, id);
        emu_reply_json(req, 200, rd_json_pack("{s:s}", "id_token", jwt));
        return;
    }
    const char *scope = rd_json_str(claims, "scope", NULL);
    if (scope == NULL || *scope == '\0') {
        refuse(req, 400, "invalid_scope", "Empty or missing scope not allowed.");
        return;
    }
    RD_AUTOFREE char *principal = rd_asprintf("serviceAccount:%s", iss);
    emu_reply_json(req, 200, token_answer(e, principal));
}

static void grant_refresh(struct emu_req *req)
{
    struct emu *e = req->emu;
    RD_AUTOFREE char *token = form_value(req, "refresh_token");
    RD_AUTOFREE char *secret = form_value(req, "client_secret");
    if (!rd_streq(secret, e->auth->client_secret)) {
        refuse(req, 401, "invalid_client", "The provided client secret is invalid.");
        return;
    }
    if (!rd_streq(token, e->auth->refresh_token) || emu_setting(e, "refuse-token") != NULL) {
        refuse(req, 400, "invalid_grant", "Token has been expired or revoked.");
        return;
    }
    emu_reply_json(req, 200, token_answer(e, "user:developer@example.com"));
}

static void on_oauth2(struct emu_req *req, void *arg)
{
    (void)arg;
    req->body_secret = true;
    if (!rd_streq(req->msg.method, "POST") || !rd_streq(req->msg.path, "/token")) {
        refuse(req, 404, "not_found", req->msg.path);
        return;
    }
    RD_AUTOFREE char *grant = form_value(req, "grant_type");
    if (rd_streq(grant, "urn:ietf:params:oauth:grant-type:jwt-bearer"))
        grant_jwt(req);
    else if (rd_streq(grant, "refresh_token"))
        grant_refresh(req);
    else
        refuse(req, 400, "unsupported_grant_type", "Invalid grant_type");
}

/* Form or JSON with camelCase names. */
static char *sts_value(const struct emu_req *req, const json_t *body, const char *form,
                       const char *json)
{
    const char *value = rd_json_str(body, json, NULL);
    return value != NULL ? rd_strdup(value) : form_value(req, form);
}

static void on_sts(struct emu_req *req, void *arg)
{
    (void)arg;
    struct emu *e = req->emu;
    req->body_secret = true;
    RD_AUTOJSON json_t *body = req->msg.body[0] == '{' ? emu_req_json(req) : NULL;
    RD_AUTOFREE char *grant = sts_value(req, body, "grant_type", "grantType");
    RD_AUTOFREE char *audience = sts_value(req, body, "audience", "audience");
    RD_AUTOFREE char *subject = sts_value(req, body, "subject_token", "subjectToken");
    RD_AUTOFREE char *pool = rd_asprintf(
        "//iam.googleapis.com/projects/%s/locations/global/workloadIdentityPools/pool/providers/ci",
        e->project_number);
    if (!rd_streq(req->msg.method, "POST") || !rd_streq(req->msg.path, "/v1/token"))
        refuse(req, 404, "not_found", req->msg.path);
    else if (!rd_streq(grant, "urn:ietf:params:oauth:grant-type:token-exchange"))
        refuse(req, 400, "unsupported_grant_type", "Invalid grant_type");
    else if (!rd_streq(audience, pool))
        refuse(
            req, 400, "invalid_target",
            "The target service indicated by the \"audience\" parameters is invalid. This might "
            "either be because the pool or provider is disabled or deleted or because it doesn't "
            "exist.");
    else if (!rd_streq(subject, e->auth->subject_token))
        refuse(req, 400, "invalid_grant", "The subject token could not be verified.");
    else {
        RD_AUTOFREE char *principal = rd_asprintf(
            "principal://iam.googleapis.com/projects/%s/locations/global/workloadIdentityPools/"
            "pool/subject/ci",
            e->project_number);
        json_t *answer = token_answer(e, principal);
        json_object_set_new(answer, "issued_token_type",
                            json_string("urn:ietf:params:oauth:token-type:access_token"));
        if (emu_setting(e, "subject-once") != NULL)
            emu_auth_subject_new(e);
        emu_reply_json(req, 200, answer);
    }
}

static void reply_text(struct emu_req *req, const char *text)
{
    emu_req_add_header(req, "Metadata-Flavor", "Google");
    emu_reply_bytes(req, 200, "application/text", text, strlen(text));
}

static void reply_meta(struct emu_req *req, json_t *take)
{
    emu_req_add_header(req, "Metadata-Flavor", "Google");
    emu_reply_json(req, 200, take);
}

#define SCOPES                                                                                     \
    "https://www.googleapis.com/auth/cloud-platform\n"                                             \
    "https://www.googleapis.com/auth/userinfo.email\n"

static void on_account(struct emu_req *req, const char *rest)
{
    struct emu *e = req->emu;
    const char *slash = strchr(rest, '/');
    RD_AUTOFREE char *name =
        rd_strndup(rest, slash == NULL ? strlen(rest) : (size_t)(slash - rest));
    const char *what = slash == NULL ? "" : slash + 1;
    RD_AUTOFREE char *email = emu_percent_decode(name, strlen(name), false);
    if (*name == '\0') {
        RD_AUTOFREE char *list = rd_asprintf("default/\n%s/\n", e->auth->deployer);
        reply_text(req, list);
    } else if (!rd_streq(email, "default") && !rd_streq(email, e->auth->deployer)) {
        emu_reply_json(req, 404, NULL);
    } else if (rd_streq(what, "token")) {
        RD_AUTOFREE char *principal = rd_asprintf("serviceAccount:%s", e->auth->deployer);
        reply_meta(req, token_answer(e, principal));
    } else if (rd_streq(what, "email")) {
        reply_text(req, e->auth->deployer);
    } else if (rd_streq(what, "scopes")) {
        reply_text(req, SCOPES);
    } else if (rd_streq(what, "identity")) {
        RD_AUTOFREE char *audience = emu_req_query(req, "audience");
        RD_AUTOJSON json_t *id = rd_json_pack(
            "{s:s, s:s, s:s, s:I, s:I}", "iss", "https://accounts.google.com", "aud",
            audience == NULL ? "" : audience, "email", e->auth->deployer, "iat",
            (json_int_t)emu_auth_now_s(e), "exp", (json_int_t)emu_auth_now_s(e) + 3600);
        RD_AUTOFREE char *jwt = emu_jwt_sign(e, id);
        reply_text(req, jwt);
    } else if (*what == '\0') {
        reply_meta(req, rd_json_pack("{s:s, s:[s], s:[s, s]}", "email", e->auth->deployer,
                                     "aliases", "default", "scopes",
                                     "https://www.googleapis.com/auth/cloud-platform",
                                     "https://www.googleapis.com/auth/userinfo.email"));
    } else {
        emu_reply_json(req, 404, NULL);
    }
}

static void on_metadata(struct emu_req *req, void *arg)
{
    (void)arg;
    struct emu *e = req->emu;
    static const char base[] = "/computeMetadata/v1/";
    static const char accounts[] = "instance/service-accounts/";
    const char *path = req->msg.path;
    if (rd_streq(path, "/")) {
        reply_text(req, "computeMetadata/\n");
        return;
    }
    /* The header keeps browsers and request forgery out. */
    if (!rd_streq(emu_req_header(req, "metadata-flavor"), "Google") ||
        emu_req_header(req, "x-forwarded-for") != NULL) {
        static const char text[] = "Missing Metadata-Flavor:Google header.\n";
        emu_reply_bytes(req, 403, "text/html", text, sizeof(text) - 1);
        return;
    }
    const char *rest = rd_starts_with(path, base) ? path + sizeof(base) - 1 : "";
    if (rd_starts_with(rest, accounts))
        on_account(req, rest + sizeof(accounts) - 1);
    else if (rd_streq(rest, "project/project-id"))
        reply_text(req, e->project);
    else if (rd_streq(rest, "project/numeric-project-id"))
        reply_text(req, e->project_number);
    else if (rd_streq(rest, "universe/universe-domain"))
        reply_text(req, "googleapis.com");
    else if (rd_streq(rest, "instance/zone")) {
        RD_AUTOFREE char *zone = rd_asprintf("projects/%s/zones/us-central1-a", e->project_number);
        reply_text(req, zone);
    } else
        emu_reply_json(req, 404, NULL);
}

bool emu_auth_listen(struct emu *e, struct rd_err **reterr)
{
    return emu_listen(e, "oauth2", true, on_oauth2, NULL, reterr) != NULL &&
           emu_listen(e, "sts", true, on_sts, NULL, reterr) != NULL &&
           emu_listen(e, "metadata", false, on_metadata, NULL, reterr) != NULL;
}
