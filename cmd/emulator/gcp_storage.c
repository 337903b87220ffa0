/* Cloud Storage JSON API v1: buckets, their policies, objects. */
#include "gcp.h"

#include "policy.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS "storage.buckets"
#define OBJECTS "storage.objects"
#define SELF "https://www.googleapis.com/storage/v1/b/"

static json_t *bucket_or_fail(struct gcp_call *c)
{
    const char *name = c->params.v[0];
    json_t *b = emu_store_get(&c->emu->store, BUCKETS, name);
    if (b == NULL && emu_setting_has(c->emu, "bucket-taken", name))
        gcp_fail_old(c, 403, "forbidden",
                     "%s does not have storage.buckets.get access to the Google Cloud Storage "
                     "bucket. Permission 'storage.buckets.get' denied on resource (or it may not "
                     "exist).",
                     gcp_caller_email(c));
    else if (b == NULL)
        gcp_fail_old(c, 404, "notFound", "The specified bucket does not exist.");
    return b;
}

static void touch(struct emu *e, json_t *b)
{
    char now[32];
    emu_stamp_us(now);
    RD_AUTOFREE char *etag = gcp_etag(e);
    long meta = strtol(rd_json_str(b, "metageneration", NULL), NULL, 10);
    json_object_set_new(b, "metageneration", json_sprintf("%ld", meta + 1));
    json_object_set_new(b, "updated", json_string(now));
    json_object_set_new(b, "etag", json_string(etag));
}

static void fill(struct emu *e, json_t *b, const char *name)
{
    char now[32];
    emu_stamp_us(now);
    RD_AUTOFREE char *etag = gcp_etag(e);
    const char *location = rd_json_str(b, "location", NULL);
    RD_AUTOFREE char *place = rd_strdup(location == NULL ? "US" : location);
    for (char *s = place; *s != '\0'; s++)
        *s = (char)toupper((unsigned char)*s);
    bool multi = rd_streq(place, "US") || rd_streq(place, "EU") || rd_streq(place, "ASIA");
    bool ubla = rd_json_path_bool(b, "iamConfiguration.uniformBucketLevelAccess.enabled", false);
    json_object_set_new(b, "kind", json_string("storage#bucket"));
    json_object_set_new(b, "id", json_string(name));
    json_object_set_new(b, "selfLink", json_sprintf(SELF "%s", name));
    json_object_set_new(b, "projectNumber", json_string(e->project_number));
    json_object_set_new(b, "metageneration", json_string("1"));
    json_object_set_new(b, "generation",
                        json_sprintf("%llu", (unsigned long long)(emu_rand(e) >> 14)));
    json_object_set_new(b, "location", json_string(place));
    json_object_set_new(b, "locationType", json_string(multi ? "multi-region" : "region"));
    if (multi)
        json_object_set_new(b, "rpo", json_string("DEFAULT"));
    json_object_set_new(b, "timeCreated", json_string(now));
    json_object_set_new(b, "updated", json_string(now));
    json_object_set_new(b, "etag", json_string(etag));
    if (json_object_get(b, "storageClass") == NULL)
        json_object_set_new(b, "storageClass", json_string("STANDARD"));
    rd_json_path_set(b, "iamConfiguration.bucketPolicyOnly.enabled", json_boolean(ubla));
    rd_json_path_set(b, "iamConfiguration.uniformBucketLevelAccess.enabled", json_boolean(ubla));
    if (rd_json_path(b, "iamConfiguration.publicAccessPrevention") == NULL)
        rd_json_path_set(b, "iamConfiguration.publicAccessPrevention", json_string("inherited"));
    if (json_object_get(b, "softDeletePolicy") == NULL)
        rd_json_path_set(b, "softDeletePolicy.retentionDurationSeconds", json_string("604800"));
    if (!rd_streq(rd_json_path_str(b, "softDeletePolicy.retentionDurationSeconds"), "0"))
        rd_json_path_set(b, "softDeletePolicy.effectiveTime", json_string(now));
}

static bool good_name(const char *name)
{
    size_t len = strlen(name);
    return len >= 3 && len <= 63 && isalnum((unsigned char)name[0]) &&
           isalnum((unsigned char)name[len - 1]) && strstr(name, "google") == NULL &&
           strncmp(name, "goog", 4) != 0 &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

static void create(struct gcp_call *c)
{
    struct emu *e = c->emu;
    RD_AUTOFREE char *project = emu_req_query(c->req, "project");
    const char *name = rd_json_str(c->body, "name", NULL);
    if (project == NULL ||
        (!rd_streq(project, e->project) && !rd_streq(project, e->project_number))) {
        gcp_fail_old(c, 400, "required", "Required parameter: project");
        return;
    }
    RD_AUTOFREE char *resource = rd_asprintf("projects/%s", e->project);
    if (!gcp_permit(c, "storage.buckets.create", resource))
        return;
    if (name == NULL || !good_name(name)) {
        gcp_fail_old(c, 400, "invalid", "Invalid bucket name: '%s'", name == NULL ? "" : name);
        return;
    }
    if (emu_setting_has(e, "bucket-taken", name)) {
        gcp_fail_old(
            c, 409, "conflict",
            "The requested bucket name is not available. The bucket namespace is shared by "
            "all users of the system. Please select a different name and try again.");
        return;
    }
    if (emu_store_get(&e->store, BUCKETS, name) != NULL) {
        gcp_fail_old(
            c, 409, "conflict",
            "Your previous request to create the named bucket succeeded and you already own "
            "it.");
        return;
    }
    json_t *b = json_deep_copy(c->body);
    fill(e, b, name);
    emu_store_put(&e->store, BUCKETS, name, b);
    RD_AUTOFREE char *key = rd_asprintf("b/%s", name);
    RD_AUTOFREE char *editors = rd_asprintf("projectEditor:%s", e->project);
    RD_AUTOFREE char *owners = rd_asprintf("projectOwner:%s", e->project);
    RD_AUTOFREE char *viewers = rd_asprintf("projectViewer:%s", e->project);
    emu_policy_seed(e, key, "roles/storage.legacyBucketOwner", editors);
    emu_policy_seed(e, key, "roles/storage.legacyBucketOwner", owners);
    emu_policy_seed(e, key, "roles/storage.legacyBucketReader", viewers);
    emu_reply_later(c->req, emu_jitter(e, 2000, 40), 200, emu_public(b));
    c->req = NULL;
    gcp_release(c);
}

static void get(struct gcp_call *c)
{
    const json_t *b = bucket_or_fail(c);
    if (b != NULL)
        gcp_ok(c, emu_public(b));
}

static void list(struct gcp_call *c)
{
    RD_AUTOFREE char *resource = rd_asprintf("projects/%s", c->emu->project);
    if (gcp_permit(c, "storage.buckets.list", resource))
        gcp_ok_page(c, rd_json_pack("{s:s}", "kind", "storage#buckets"), "items",
                    emu_store_list(&c->emu->store, BUCKETS, NULL));
}

static void patch(struct gcp_call *c)
{
    json_t *b = bucket_or_fail(c);
    if (b == NULL)
        return;
    RD_AUTOFREE char *match = emu_req_query(c->req, "ifMetagenerationMatch");
    if (match != NULL && !rd_streq(match, rd_json_str(b, "metageneration", NULL))) {
        gcp_fail_old(c, 412, "conditionNotMet",
                     "At least one of the pre-conditions you specified did not hold.");
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach (c->body, key, value) {
        if (json_is_null(value))
            json_object_del(b, key);
        else
            json_object_set(b, key, value);
    }
    if (json_array_size(rd_json_path(b, "lifecycle.rule")) == 0)
        json_object_del(b, "lifecycle");
    touch(c->emu, b);
    gcp_ok(c, emu_public(b));
}

static char *object_prefix(const struct gcp_call *c)
{
    return rd_asprintf("%s/", c->params.v[0]);
}

static void remove_bucket(struct gcp_call *c)
{
    if (bucket_or_fail(c) == NULL)
        return;
    RD_AUTOFREE char *prefix = object_prefix(c);
    RD_AUTOJSON json_t *objects = emu_store_list(&c->emu->store, OBJECTS, prefix);
    if (json_array_size(objects) > 0) {
        gcp_fail_old(c, 409, "conflict", "The bucket you tried to delete is not empty.");
        return;
    }
    RD_AUTOFREE char *key = rd_asprintf("b/%s", c->params.v[0]);
    emu_policy_drop(c->emu, key);
    emu_store_delete(&c->emu->store, BUCKETS, c->params.v[0]);
    struct emu_req *req = c->req;
    gcp_release(c);
    emu_reply_json(req, 204, NULL);
}

/* The policy with what storage puts around it. */
static void policy_get(struct gcp_call *c)
{
    if (bucket_or_fail(c) == NULL)
        return;
    RD_AUTOFREE char *key = rd_asprintf("b/%s", c->params.v[0]);
    json_t *policy = emu_policy_get(c->emu, key);
    json_object_set_new(policy, "kind", json_string("storage#policy"));
    json_object_set_new(policy, "resourceId",
                        json_sprintf("projects/_/buckets/%s", c->params.v[0]));
    gcp_ok(c, policy);
}

static void policy_set(struct gcp_call *c)
{
    if (bucket_or_fail(c) == NULL)
        return;
    RD_AUTOFREE char *key = rd_asprintf("b/%s", c->params.v[0]);
    gcp_policy_write(c, key);
}

static void policy_test(struct gcp_call *c)
{
    if (bucket_or_fail(c) == NULL)
        return;
    RD_AUTOFREE char *key = rd_asprintf("b/%s", c->params.v[0]);
    json_t *asked = json_array();
    struct rd_strv parts = {0};
    rd_strv_split(&parts, c->req->msg.query, "&");
    for (size_t i = 0; i < parts.len; i++) {
        if (rd_starts_with(parts.v[i], "permissions="))
            json_array_append_new(asked, json_string(parts.v[i] + strlen("permissions=")));
    }
    rd_strv_clear(&parts);
    json_object_set_new(c->body, "permissions", asked);
    gcp_policy_test(c, key);
}

/* ---- Objects ---- */
static char *object_key(const struct gcp_call *c)
{
    return rd_asprintf("%s/%s", c->params.v[0], c->params.v[1]);
}

static void list_objects(struct gcp_call *c)
{
    if (bucket_or_fail(c) == NULL)
        return;
    RD_AUTOFREE char *under = emu_req_query(c->req, "prefix");
    RD_AUTOFREE char *prefix = rd_asprintf("%s/%s", c->params.v[0], under == NULL ? "" : under);
    gcp_ok_page(c, rd_json_pack("{s:s}", "kind", "storage#objects"), "items",
                emu_store_list(&c->emu->store, OBJECTS, prefix));
}

static json_t *object_or_fail(struct gcp_call *c)
{
    RD_AUTOFREE char *key = object_key(c);
    json_t *o = emu_store_get(&c->emu->store, OBJECTS, key);
    if (o == NULL)
        gcp_fail_old(c, 404, "notFound", "No such object: %s", key);
    return o;
}

static void get_object(struct gcp_call *c)
{
    const json_t *o = object_or_fail(c);
    if (o != NULL)
        gcp_ok(c, emu_public(o));
}

static void remove_object(struct gcp_call *c)
{
    if (object_or_fail(c) == NULL)
        return;
    RD_AUTOFREE char *key = object_key(c);
    emu_store_delete(&c->emu->store, OBJECTS, key);
    struct emu_req *req = c->req;
    gcp_release(c);
    emu_reply_json(req, 204, NULL);
}

static void upload(struct gcp_call *c)
{
    struct emu *e = c->emu;
    if (bucket_or_fail(c) == NULL)
        return;
    RD_AUTOFREE char *name = emu_req_query(c->req, "name");
    RD_AUTOFREE char *match = emu_req_query(c->req, "ifGenerationMatch");
    if (name == NULL || *name == '\0') {
        gcp_fail_old(c, 400, "required", "Required parameter: name");
        return;
    }
    RD_AUTOFREE char *key = rd_asprintf("%s/%s", c->params.v[0], name);
    if (rd_streq(match, "0") && emu_store_get(&e->store, OBJECTS, key) != NULL) {
        gcp_fail_old(c, 412, "conditionNotMet",
                     "At least one of the pre-conditions you specified did not hold.");
        return;
    }
    char now[32];
    emu_stamp_us(now);
    json_t *o = rd_json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s}", "kind", "storage#object", "name", name, "bucket",
        c->params.v[0], "size", json_sprintf("%zu", c->req->msg.body_len), "generation",
        json_sprintf("%llu", (unsigned long long)(emu_rand(e) >> 14)), "timeCreated", now);
    emu_store_put(&e->store, OBJECTS, key, o);
    gcp_ok(c, emu_public(o));
}

#define B "/storage/v1/b"

static const struct gcp_route routes[] = {
    {"POST", B, create, NULL, "StBucket",
     "project predefinedAcl predefinedDefaultObjectAcl projection "
     "enableObjectRetention"},
    {"GET", B, list, NULL, NULL,
     "project prefix maxResults pageToken projection softDeleted "
     "returnPartialSuccess"},
    {"GET", B "/{}/iam", policy_get, "storage.buckets.getIamPolicy", NULL,
     "optionsRequestedPolicyVersion"},
    {"PUT", B "/{}/iam", policy_set, "storage.buckets.setIamPolicy", "StPolicy", NULL},
    {"GET", B "/{}/iam/testPermissions", policy_test, NULL, NULL, "permissions"},
    {"GET", B "/{}", get, "storage.buckets.get", NULL,
     "projection generation softDeleted ifMetagenerationMatch ifMetagenerationNotMatch"},
    {"PATCH", B "/{}", patch, "storage.buckets.update", "StBucket",
     "projection predefinedAcl predefinedDefaultObjectAcl ifMetagenerationMatch "
     "ifMetagenerationNotMatch"},
    {"DELETE", B "/{}", remove_bucket, "storage.buckets.delete", NULL, "ifMetagenerationMatch"},
    {"GET", B "/{}/o", list_objects, "storage.objects.list", NULL,
     "prefix delimiter endOffset startOffset includeTrailingDelimiter includeFoldersAsPrefixes "
     "matchGlob maxResults pageToken softDeleted versions projection filter"},
    {"GET", B "/{}/o/{}", get_object, "storage.objects.get", NULL,
     "projection generation ifGenerationMatch softDeleted"},
    {"DELETE", B "/{}/o/{}", remove_object, "storage.objects.delete", NULL,
     "generation ifGenerationMatch"},
    {"POST", "/upload/storage/v1/b/{}/o", upload, "storage.objects.create", NULL,
     "name ifGenerationMatch"},
};

const struct gcp_api gcp_storage = {.name = "storage",
                                    .service = "storage.googleapis.com",
                                    .override = "STORAGE",
                                    .path = "/storage/v1/",
                                    .old_errors = true,
                                    .routes = routes,
                                    .route_count = RD_ARRAY_LEN(routes)};
