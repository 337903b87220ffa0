/* Artifact Registry v1. */
#include "ops.h"

#include "place.h"
#include "policy.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define REPOSITORIES "artifactregistry.repositories"
#define TYPE "type.googleapis.com/google.devtools.artifactregistry.v1."

enum { CREATE_MS = 5000, DELETE_MS = 5000 };

static json_t *begin(struct gcp_call *c, const char *target, unsigned ms, gcp_op_fn *done)
{
    char hex[33];
    emu_rand_hex(c->emu, hex, 32);
    RD_AUTOFREE char *key =
        rd_asprintf("projects/%s/locations/%s/operations/%s", c->emu->project, c->params.v[1], hex);
    json_t *body =
        rd_json_pack("{s:s, s:{s:s}}", "name", key, "metadata", "@type", TYPE "OperationMetadata");
    gcp_op_start(c, GCP_OP_LONGRUNNING, key, body, target, ms, done, NULL);
    return emu_public(body);
}

static char *repository_name(const struct gcp_call *c, const char *id)
{
    return rd_asprintf("projects/%s/locations/%s/repositories/%s", c->emu->project, c->params.v[1],
                       id);
}

static json_t *find_or_fail(struct gcp_call *c, char **ret_name)
{
    *ret_name = repository_name(c, c->params.v[2]);
    json_t *r = emu_store_get(&c->emu->store, REPOSITORIES, *ret_name);
    if (r != NULL && json_object_get(r, "_making") == NULL)
        return r;
    gcp_fail(c, "NOT_FOUND", "Requested entity was not found.");
    return NULL;
}

static void create_done(struct gcp_op *op)
{
    json_t *r = emu_store_get(&op->emu->store, REPOSITORIES, op->target);
    if (op->fail_status != NULL) {
        emu_store_delete(&op->emu->store, REPOSITORIES, op->target);
        return;
    }
    json_object_del(r, "_making");
    op->response = emu_public(r);
    json_object_del(op->response, "createTime");
    json_object_del(op->response, "updateTime");
    json_object_del(op->response, "registryUri");
    json_object_set_new(op->response, "@type", json_string(TYPE "Repository"));
}

static void create(struct gcp_call *c)
{
    struct emu *e = c->emu;
    RD_AUTOFREE char *id = emu_req_query(c->req, "repositoryId");
    const char *location = c->params.v[1];
    if (id == NULL || !rd_is_dns_label(id, 63)) {
        gcp_fail(c, "INVALID_ARGUMENT", "Invalid repository id '%s'.", id == NULL ? "" : id);
        return;
    }
    if (!emu_region_exists(location) && !rd_streq(location, "us") &&
        !rd_streq(location, "europe")) {
        gcp_fail(c, "INVALID_ARGUMENT", "Location %s is not found or access is unauthorized.",
                 location);
        return;
    }
    const json_t *format = json_object_get(c->body, "format");
    if (!rd_streq(json_string_value(format), "DOCKER") && json_integer_value(format) != 1) {
        gcp_fail(c, "INVALID_ARGUMENT", "The emulator has repositories of format DOCKER only.");
        return;
    }
    RD_AUTOFREE char *name = repository_name(c, id);
    if (emu_store_get(&e->store, REPOSITORIES, name) != NULL) {
        gcp_fail(c, "ALREADY_EXISTS", "the repository already exists");
        return;
    }
    char now[32];
    emu_stamp_us(now);
    json_t *r = json_deep_copy(c->body);
    json_object_set_new(r, "name", json_string(name));
    json_object_set_new(r, "format", json_string("DOCKER"));
    json_object_set_new(r, "mode", json_string("STANDARD_REPOSITORY"));
    json_object_set_new(r, "createTime", json_string(now));
    json_object_set_new(r, "updateTime", json_string(now));
    json_object_set_new(r, "satisfiesPzi", json_true());
    json_object_set_new(r, "registryUri",
                        json_sprintf("%s-docker.pkg.dev/%s/%s", location, e->project, id));
    json_object_set_new(r, "vulnerabilityScanningConfig",
                        rd_json_pack("{s:s, s:s, s:s}", "enablementState", "SCANNING_DISABLED",
                                     "enablementStateReason",
                                     "API containerscanning.googleapis.com is not enabled.",
                                     "lastEnableTime", now));
    json_object_set_new(r, "_making", json_true());
    emu_store_put(&e->store, REPOSITORIES, name, r);
    gcp_ok(c, begin(c, name, CREATE_MS, create_done));
}

static void get(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    const json_t *r = find_or_fail(c, &name);
    if (r != NULL)
        gcp_ok(c, emu_public(r));
}

static void list(struct gcp_call *c)
{
    RD_AUTOFREE char *prefix = repository_name(c, "");
    gcp_ok_page(c, json_object(), "repositories",
                emu_store_list(&c->emu->store, REPOSITORIES, prefix));
}

static void patch(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    json_t *r = find_or_fail(c, &name);
    if (r == NULL)
        return;
    char now[32];
    emu_stamp_us(now);
    RD_AUTOFREE char *mask = emu_req_query(c->req, "updateMask");
    gcp_apply_mask(r, c->body, mask == NULL ? "description,labels" : mask);
    json_object_set_new(r, "updateTime", json_string(now));
    json_t *answer = emu_public(r);
    json_object_del(answer, "registryUri"); /* the real one leaves it out here */
    gcp_ok(c, answer);
}

static void delete_done(struct gcp_op *op)
{
    if (op->fail_status != NULL)
        return;
    emu_store_delete(&op->emu->store, REPOSITORIES, op->target);
    emu_policy_drop(op->emu, op->target);
    op->response = rd_json_pack("{s:s}", "@type", "type.googleapis.com/google.protobuf.Empty");
}

static void remove_one(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    if (find_or_fail(c, &name) != NULL)
        gcp_ok(c, begin(c, name, DELETE_MS, delete_done));
}

static void policy_get(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    if (find_or_fail(c, &name) != NULL)
        gcp_policy_read(c, name);
}

static void policy_set(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    if (find_or_fail(c, &name) != NULL)
        gcp_policy_write(c, name);
}

static void policy_test(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    if (find_or_fail(c, &name) != NULL)
        gcp_policy_test(c, name);
}

/* Nothing is ever pushed here. */
static void list_images(struct gcp_call *c)
{
    RD_AUTOFREE char *name = NULL;
    if (find_or_fail(c, &name) != NULL)
        gcp_ok(c, json_object());
}

#define R "/v1/projects/{}/locations/{}/repositories"

static const struct gcp_route routes[] = {
    {"POST", R, create, "artifactregistry.repositories.create", "ArRepository", "repositoryId"},
    {"GET", R, list, "artifactregistry.repositories.list", NULL,
     "pageSize pageToken filter orderBy"},
    {"GET", R "/{}:getIamPolicy", policy_get, "artifactregistry.repositories.getIamPolicy", NULL,
     "options.requestedPolicyVersion"},
    {"POST", R "/{}:setIamPolicy", policy_set, "artifactregistry.repositories.setIamPolicy",
     "ArSetIamPolicyRequest", NULL},
    {"POST", R "/{}:testIamPermissions", policy_test, NULL, "ArTestIamPermissionsRequest", NULL},
    {"GET", R "/{}/dockerImages", list_images, "artifactregistry.dockerimages.list", NULL,
     "pageSize pageToken orderBy"},
    {"GET", R "/{}/packages", list_images, "artifactregistry.packages.list", NULL,
     "pageSize pageToken filter orderBy"},
    {"GET", R "/{}", get, "artifactregistry.repositories.get", NULL, NULL},
    {"PATCH", R "/{}", patch, "artifactregistry.repositories.update", "ArRepository", "updateMask"},
    {"DELETE", R "/{}", remove_one, "artifactregistry.repositories.delete", NULL, NULL},
    {"GET", "/v1/projects/{}/locations/{}/operations/{}", gcp_longrunning_get, NULL, NULL, NULL},
};

const struct gcp_api gcp_artifactregistry = {.name = "artifactregistry",
                                             .service = "artifactregistry.googleapis.com",
                                             .override = "ARTIFACTREGISTRY",
                                             .path = "/",
                                             .routes = routes,
                                             .route_count = RD_ARRAY_LEN(routes)};
