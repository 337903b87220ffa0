#include "gcp.h"

#include "auth.h"
#include "ops.h"
#include "policy.h"
#include "schema.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct gcp_api *const apis[] = {
    &gcp_serviceusage,     &gcp_resourcemanager, &gcp_billing, &gcp_iam,
    &gcp_iamcredentials,   &gcp_container,       &gcp_file,    &gcp_storage,
    &gcp_artifactregistry, &gcp_compute,         &gcp_quotas,
};

const char *gcp_caller_email(const struct gcp_call *c)
{
    const char *colon = strchr(c->req->caller, ':');
    return colon == NULL ? c->req->caller : colon + 1;
}

char *gcp_unique_id(struct emu *e)
{
    return rd_asprintf("1%010llu%010llu", (unsigned long long)(emu_rand(e) % 10000000000ull),
                       (unsigned long long)(emu_rand(e) % 10000000000ull));
}

char *gcp_etag(struct emu *e)
{
    uint64_t bits = emu_rand(e);
    return rd_base64_encode(&bits, sizeof(bits));
}

void gcp_release(struct gcp_call *c)
{
    emu_params_clear(&c->params);
    json_decref(c->body);
    free(c->resource);
    free(c);
}

/* Whether the API is on, as the front ends know it. */
static bool check_enabled(struct gcp_call *c)
{
    struct emu *e = c->emu;
    if (gcp_service_usable(e, c->api->service))
        return true;
    RD_AUTOFREE char *consumer = rd_asprintf("projects/%s", e->project_number);
    RD_AUTOFREE char *url =
        rd_asprintf("https://console.developers.google.com/apis/api/%s/overview?project=%s",
                    c->api->service, e->project_number);
    gcp_fail_info(
        c, "PERMISSION_DENIED", "SERVICE_DISABLED", "googleapis.com",
        rd_json_pack("{s:s, s:s, s:s, s:s}", "consumer", consumer, "service", c->api->service,
                     "containerInfo", e->project_number, "activationUrl", url),
        "%s has not been used in project %s before or it is disabled. Enable it by "
        "visiting %s then retry. If you enabled this API recently, wait a few minutes for "
        "the action to propagate to our systems and retry.",
        c->api->service, e->project_number, url);
    return false;
}

static bool check_query(struct gcp_call *c)
{
    static const char *const standard[] = {
        "alt",         "$alt",      "prettyPrint", "$prettyPrint", "fields",
        "$fields",     "quotaUser", "userIp",      "key",          "access_token",
        "oauth_token", "callback",  "$.xgafv",     "uploadType",   "upload_protocol",
        "userProject", NULL};
    struct rd_strv known = {0}, sent = {0};
    if (c->route->query != NULL)
        rd_strv_split(&known, c->route->query, " ");
    rd_strv_split(&sent, c->req->msg.query, "&");
    bool ok = true;
    for (size_t i = 0; ok && i < sent.len; i++) {
        RD_AUTOFREE char *name = emu_percent_decode(sent.v[i], strcspn(sent.v[i], "="), true);
        bool hit = rd_strv_has(&known, name);
        for (size_t k = 0; !hit && standard[k] != NULL; k++)
            hit = rd_streq(standard[k], name);
        if (!hit) {
            ok = false;
            gcp_fail(c, "INVALID_ARGUMENT",
                     "Invalid JSON payload received. Unknown name \"%s\": Cannot bind query "
                     "parameter. Field '%s' could not be found in request message.",
                     name, name);
        }
    }
    rd_strv_clear(&known);
    rd_strv_clear(&sent);
    return ok;
}

static bool check_body(struct gcp_call *c)
{
    bool wants = c->route->body != NULL;
    const struct emu_req *req = c->req;
    if (!wants && req->msg.body_len > 0 && !rd_streq(req->msg.body, "{}") &&
        !rd_starts_with(req->msg.path, "/upload/")) {
        gcp_fail(c, "INVALID_ARGUMENT",
                 "Invalid JSON payload received. Unknown name \"\": Root "
                 "element must be a message.");
        return false;
    }
    c->body = wants ? emu_req_json(req) : json_object();
    if (c->body == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT",
                 "Invalid JSON payload received. Parsing terminated before "
                 "end of input.");
        return false;
    }
    char *why = NULL;
    /* "*": the method knows the type only later */
    if (!wants || rd_streq(c->route->body, "*") || schema_check(c->route->body, c->body, &why))
        return true;
    gcp_fail(c, "INVALID_ARGUMENT", "%s", why);
    free(why);
    return false;
}

/* "/v1/projects/p/x/y:verb" -> "projects/p/x/y"; storage: "b/NAME". Decoded. */
static char *resource_of(const struct gcp_call *c)
{
    const char *path = c->req->msg.path;
    const char *at = strstr(path, "/projects/");
    if (c->api == &gcp_storage) {
        const char *b = strstr(path, "/b/");
        if (b == NULL)
            return rd_strdup("");
        return emu_percent_decode(b + 1, 2 + strcspn(b + 3, "/"), false);
    }
    if (at == NULL)
        return rd_strdup(path);
    size_t len = strlen(at + 1);
    const char *verb = strrchr(c->route->pattern, ':');
    if (verb != NULL && verb[-1] == '}')
        len -= strlen(verb);
    return emu_percent_decode(at + 1, len, false);
}

bool gcp_permit(struct gcp_call *c, const char *permission, const char *resource)
{
    if (emu_iam_allowed(c->emu, c->req->caller, permission, resource))
        return true;
    json_t *meta = rd_json_pack("{s:s, s:s}", "permission", permission, "resource", resource);
    if (c->api == &gcp_container) {
        gcp_fail_info(c, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED", "container.googleapis.com",
                      meta, "Required \"%s\" permission(s) for \"%s\".", permission, resource);
    } else if (c->api == &gcp_resourcemanager) {
        gcp_fail_info(c, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED",
                      "cloudresourcemanager.googleapis.com", meta,
                      "The caller does not have permission");
    } else if (c->api == &gcp_compute) {
        json_decref(meta);
        gcp_fail_old(c, 403, "forbidden", "Required '%s' permission for '%s'", permission,
                     resource);
    } else if (c->api == &gcp_storage) {
        json_decref(meta);
        gcp_fail_old(c, 403, "forbidden",
                     "%s does not have %s access to the Google Cloud Storage bucket. Permission "
                     "'%s' denied on resource (or it may not exist).",
                     gcp_caller_email(c), permission, permission);
    } else {
        gcp_fail_info(c, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED", "iam.googleapis.com", meta,
                      "Permission '%s' denied on resource '//%s/%s' (or it may not exist).",
                      permission, c->api->service, resource);
    }
    return false;
}

/* Only one project exists. */
static bool check_project(struct gcp_call *c)
{
    const char *at = strstr(c->req->msg.path, "/projects/");
    if (at == NULL)
        return true;
    at += strlen("/projects/");
    size_t len = strcspn(at, "/:");
    const struct emu *e = c->emu;
    const char *names[] = {e->project, e->project_number, "-", "_"};
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        if (strlen(names[i]) == len && strncmp(at, names[i], len) == 0)
            return true;
    }
    if (c->api->old_errors)
        gcp_fail_old(c, 404, "notFound", "The resource 'projects/%.*s' was not found", (int)len,
                     at);
    else
        gcp_fail(c, "PERMISSION_DENIED", "The caller does not have permission");
    return false;
}

static void on_request(struct emu_req *req, void *arg)
{
    const struct gcp_api *api = arg;
    struct gcp_call *c = rd_calloc(1, sizeof(*c));
    *c = (struct gcp_call){.req = req, .emu = req->emu, .api = api};
    const char *why = NULL;
    if (emu_auth_caller(req, &why) == NULL) {
        gcp_fail_info(c, "UNAUTHENTICATED", why, "googleapis.com",
                      rd_json_pack("{s:s}", "service", api->service),
                      "Request had invalid authentication credentials. Expected OAuth 2 access "
                      "token, login cookie or other valid authentication credential.");
        return;
    }
    if (!check_enabled(c))
        return;
    bool known_path = false;
    for (size_t i = 0; i < api->route_count && c->route == NULL; i++) {
        if (!emu_route_match(api->routes[i].pattern, req->msg.path, &c->params))
            continue;
        known_path = true;
        if (rd_streq(api->routes[i].method, req->msg.method))
            c->route = &api->routes[i];
        else
            emu_params_clear(&c->params);
    }
    if (c->route == NULL) {
        gcp_fail(c, known_path ? "UNIMPLEMENTED" : "NOT_FOUND", "Method not found: %s %s",
                 req->msg.method, req->msg.path);
        return;
    }
    c->resource = resource_of(c);
    if (!check_query(c) || !check_body(c) || !check_project(c))
        return;
    if (c->route->permission != NULL && !gcp_permit(c, c->route->permission, c->resource))
        return;
    c->route->fn(c);
}

bool gcp_start(struct emu *e, struct rd_err **reterr)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(apis); i++) {
        if (emu_listen(e, apis[i]->name, true, on_request, (void *)apis[i], reterr) == NULL)
            return false;
    }
    gcp_seed_services(e);
    gcp_seed_project(e);
    return true;
}

void gcp_write_env(struct emu *e, struct rd_buf *out)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(apis); i++)
        rd_buf_printf(out, "export CLOUDSDK_API_ENDPOINT_OVERRIDES_%s=https://127.0.0.1:%d%s\n",
                      apis[i]->override, emu_listener_port(emu_listener_find(e, apis[i]->name)),
                      apis[i]->path);
}

void gcp_ok(struct gcp_call *c, json_t *take)
{
    struct emu_req *req = c->req;
    gcp_release(c);
    emu_reply_json(req, 200, take);
}

static const struct {
    const char *status;
    int grpc, http;
} codes[] = {
    {"CANCELLED", 1, 499},          {"INVALID_ARGUMENT", 3, 400},    {"DEADLINE_EXCEEDED", 4, 504},
    {"NOT_FOUND", 5, 404},          {"ALREADY_EXISTS", 6, 409},      {"PERMISSION_DENIED", 7, 403},
    {"RESOURCE_EXHAUSTED", 8, 429}, {"FAILED_PRECONDITION", 9, 400}, {"ABORTED", 10, 409},
    {"UNIMPLEMENTED", 12, 501},     {"INTERNAL", 13, 500},           {"UNAVAILABLE", 14, 503},
    {"UNAUTHENTICATED", 16, 401}};

static int code_of(const char *status, bool http)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(codes); i++) {
        if (rd_streq(codes[i].status, status))
            return http ? codes[i].http : codes[i].grpc;
    }
    RD_UNREACHABLE();
}

json_t *gcp_grpc_status(const char *status, const char *message)
{
    return rd_json_pack("{s:i, s:s}", "code", code_of(status, false), "message", message);
}

static void fail(struct gcp_call *c, int code, json_t *take_error)
{
    struct emu_req *req = c->req;
    gcp_release(c);
    emu_reply_json(req, code, rd_json_pack("{s:o}", "error", take_error));
}

static json_t *old_error(int code, const char *reason, const char *message)
{
    return rd_json_pack("{s:i, s:s, s:[{s:s, s:s, s:s}]}", "code", code, "message", message,
                        "errors", "domain", "global", "message", message, "reason", reason);
}

void gcp_fail_old(struct gcp_call *c, int code, const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *message = rd_vasprintf(fmt, ap);
    va_end(ap);
    fail(c, code, old_error(code, reason, message));
}

/* notFound, alreadyExists: the reason of the older form. */
static char *camel(const char *status)
{
    char *out = rd_strdup(status);
    size_t n = 0;
    for (const char *s = status; *s != '\0'; s++) {
        if (*s == '_')
            out[n++] = *++s;
        else
            out[n++] = (char)tolower((unsigned char)*s);
    }
    out[n] = '\0';
    return out;
}

static void fail_text(struct gcp_call *c, const char *status, json_t *take_info,
                      const char *message)
{
    int code = code_of(status, true);
    json_t *error;
    if (c->api->old_errors) {
        RD_AUTOFREE char *reason = camel(rd_streq(status, "INVALID_ARGUMENT") ? "INVALID" : status);
        error = old_error(code, reason, message);
    } else {
        error = rd_json_pack("{s:i, s:s, s:s}", "code", code, "message", message, "status", status);
    }
    if (c->api == &gcp_container || c->api == &gcp_iam) { /* these two say it both ways */
        RD_AUTOFREE char *reason = camel(status);
        RD_AUTOJSON json_t *old = old_error(code, reason, message);
        json_object_set(error, "errors", json_object_get(old, "errors"));
    }
    if (take_info != NULL)
        json_object_set_new(error, "details", rd_json_pack("[o]", take_info));
    fail(c, code, error);
}

void gcp_fail(struct gcp_call *c, const char *status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *message = rd_vasprintf(fmt, ap);
    va_end(ap);
    fail_text(c, status, NULL, message);
}

void gcp_fail_info(struct gcp_call *c, const char *status, const char *reason, const char *domain,
                   json_t *take_metadata, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *message = rd_vasprintf(fmt, ap);
    va_end(ap);
    json_t *info =
        rd_json_pack("{s:s, s:s, s:s}", "@type", "type.googleapis.com/google.rpc.ErrorInfo",
                     "reason", reason, "domain", domain);
    if (take_metadata != NULL)
        json_object_set_new(info, "metadata", take_metadata);
    fail_text(c, status, info, message);
}

void gcp_ok_page(struct gcp_call *c, json_t *take_head, const char *items_key, json_t *take_all)
{
    RD_AUTOFREE char *size_text = emu_req_query(c->req, "pageSize");
    RD_AUTOFREE char *max_text = emu_req_query(c->req, "maxResults");
    RD_AUTOFREE char *token = emu_req_query(c->req, "pageToken");
    size_t size = size_text != NULL  ? strtoul(size_text, NULL, 10)
                  : max_text != NULL ? strtoul(max_text, NULL, 10)
                                     : 0;
    size_t from = token == NULL ? 0 : strtoul(token, NULL, 10);
    if (size == 0 || size > 1000)
        size = 500;
    json_t *items = json_array();
    size_t total = json_array_size(take_all);
    for (size_t i = from; i < total && i < from + size; i++)
        json_array_append_new(items, emu_public(json_array_get(take_all, i)));
    json_decref(take_all);
    if (json_array_size(items) > 0)
        json_object_set_new(take_head, items_key, items);
    else
        json_decref(items); /* empty lists are left out */
    if (from + size < total)
        json_object_set_new(take_head, "nextPageToken", json_sprintf("%zu", from + size));
    gcp_ok(c, take_head);
}

void gcp_policy_read(struct gcp_call *c, const char *resource)
{
    gcp_ok(c, emu_policy_get(c->emu, resource));
}

static bool check_members(struct gcp_call *c, const json_t *policy)
{
    static const char *const prefixes[] = {
        "user:",         "serviceAccount:", "group:",        "domain:",        "principal:",
        "principalSet:", "deleted:",        "projectOwner:", "projectEditor:", "projectViewer:"};
    size_t i, k;
    json_t *binding, *member;
    json_array_foreach (json_object_get(policy, "bindings"), i, binding) {
        const char *role = rd_json_str(binding, "role", NULL);
        if (role == NULL || !emu_role_known(role)) {
            gcp_fail(c, "INVALID_ARGUMENT", "Role %s is not supported for this resource.",
                     role == NULL ? "" : role);
            return false;
        }
        json_array_foreach (json_object_get(binding, "members"), k, member) {
            const char *m = json_string_value(member);
            bool good = rd_streq(m, "allUsers") || rd_streq(m, "allAuthenticatedUsers");
            for (size_t p = 0; !good && m != NULL && p < RD_ARRAY_LEN(prefixes); p++)
                good = rd_starts_with(m, prefixes[p]);
            if (!good) {
                gcp_fail(c, "INVALID_ARGUMENT", "Invalid member: %s", m == NULL ? "" : m);
                return false;
            }
        }
    }
    return true;
}

void gcp_policy_write(struct gcp_call *c, const char *resource)
{
    /* Storage has the policy itself as body. */
    const json_t *policy = c->api == &gcp_storage ? c->body : json_object_get(c->body, "policy");
    if (policy == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "Policy is required.");
        return;
    }
    if (!check_members(c, policy))
        return;
    RD_AUTOFREE char *member = NULL;
    switch (emu_policy_set(c->emu, resource, policy, &member)) {
    case EMU_POLICY_OK:
        gcp_ok(c, emu_policy_get(c->emu, resource));
        return;
    case EMU_POLICY_RACE:
        if (c->api == &gcp_storage)
            gcp_fail_old(c, 412, "conditionNotMet",
                         "At least one of the pre-conditions you "
                         "specified did not hold.");
        else
            gcp_fail(c, "ABORTED",
                     "There were concurrent policy changes. Please retry the whole "
                     "read-modify-write with exponential backoff.");
        return;
    case EMU_POLICY_NO_MEMBER:
        gcp_fail(c, "INVALID_ARGUMENT", "Service account %s does not exist.", member);
        return;
    }
}

void gcp_policy_test(struct gcp_call *c, const char *resource)
{
    json_t *has = json_array();
    size_t i;
    json_t *name;
    json_t *asked = json_object_get(c->body, "permissions");
    if (json_array_size(asked) > 100) {
        json_decref(has);
        gcp_fail(c, "INVALID_ARGUMENT", "At most 100 permissions may be tested at once.");
        return;
    }
    json_array_foreach (asked, i, name) {
        const char *p = json_string_value(name);
        if (p == NULL || strchr(p, '*') != NULL || strchr(p, '.') == NULL) {
            json_decref(has);
            gcp_fail(c, "INVALID_ARGUMENT", "Permission %s is not valid for this resource.",
                     p == NULL ? "" : p);
            return;
        }
        if (emu_iam_allowed(c->emu, c->req->caller, p, resource))
            json_array_append(has, name);
    }
    if (json_array_size(has) == 0) {
        json_decref(has);
        gcp_ok(c, json_object());
        return;
    }
    gcp_ok(c, rd_json_pack("{s:o}", "permissions", has));
}

/* Masks come in camelCase and in snake_case. */
static bool mask_names(const char *field, const char *key)
{
    for (; *key != '\0'; key++, field++) {
        if (*field == '_' && tolower((unsigned char)*key) == field[1])
            field++;
        else if (*field != *key)
            return false;
    }
    return *field == '\0' || *field == '.';
}

void gcp_apply_mask(json_t *target, const json_t *patch, const char *mask)
{
    struct rd_strv fields = {0};
    if (mask != NULL)
        rd_strv_split(&fields, mask, ", ");
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)patch, key, value) {
        bool named = mask == NULL;
        for (size_t i = 0; i < fields.len && !named; i++)
            named = mask_names(fields.v[i], key);
        if (named)
            json_object_set_new(target, key, json_deep_copy(value));
    }
    rd_strv_clear(&fields);
}
