/* Filestore v1: backups. They are of a share, and outlive their instance. */
#include "gcp_backup.h"

#include "place.h"

#include "base/alloc.h"
#include "base/text.h"

#define BACKUPS "file.backups"
#define METADATA "type.googleapis.com/google.cloud.common.OperationMetadata"

enum { CREATE_MS = 120 * 1000, DELETE_MS = 30 * 1000 };

static char *name_of(struct gcp_call *c, const char *id)
{
    return rd_asprintf("projects/%s/locations/%s/backups/%s", c->emu->project, c->params.v[1], id);
}

static json_t *begin(struct gcp_call *c, const char *verb, const char *target, unsigned ms,
                     gcp_op_fn *done)
{
    char now[32], hex[33];
    emu_stamp_us(now);
    emu_rand_hex(c->emu, hex, 32);
    RD_AUTOFREE char *key = rd_asprintf("projects/%s/locations/%s/operations/operation-%s",
                                        c->emu->project, c->params.v[1], hex);
    json_t *body = rd_json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:b}", "name", key, "metadata",
                                "@type", METADATA, "createTime", now, "target", target, "verb",
                                verb, "apiVersion", "v1", "done", 0);
    gcp_op_start(c, GCP_OP_LONGRUNNING, key, body, target, ms, done, NULL);
    return emu_public(body);
}

static void create_done(struct gcp_op *op)
{
    json_t *b = emu_store_get(&op->emu->store, BACKUPS, op->target);
    if (op->fail_status != NULL) {
        emu_store_delete(&op->emu->store, BACKUPS, op->target);
        return;
    }
    json_object_set_new(b, "state", json_string("READY"));
    op->response = emu_public(b);
    json_object_set_new(op->response, "@type",
                        json_string("type.googleapis.com/google.cloud.filestore.v1.Backup"));
}

void gcp_backup_create(struct gcp_call *c)
{
    struct emu *e = c->emu;
    RD_AUTOFREE char *id = emu_req_query(c->req, "backupId");
    const char *source = rd_json_str(c->body, "sourceInstance", NULL);
    const char *share = rd_json_str(c->body, "sourceFileShare", NULL);
    if (id == NULL || !rd_is_dns_label(id, 63) || !emu_region_exists(c->params.v[1])) {
        gcp_fail(c, "INVALID_ARGUMENT", "Invalid backup '%s' in location '%s'.", id == NULL ? "" : id,
                 c->params.v[1]);
        return;
    }
    const json_t *instance = source == NULL ? NULL : emu_store_get(&e->store, "file.instances", source);
    if (instance == NULL || share == NULL) {
        gcp_fail(c, "INVALID_ARGUMENT", "Source instance '%s' does not exist, or no share is named.",
                 source == NULL ? "" : source);
        return;
    }
    RD_AUTOFREE char *name = name_of(c, id);
    if (emu_store_get(&e->store, BACKUPS, name) != NULL) {
        gcp_fail(c, "ALREADY_EXISTS", "Resource '%s' already exists", name);
        return;
    }
    char now[32];
    emu_stamp_us(now);
    const json_t *first = json_array_get(json_object_get(instance, "fileShares"), 0);
    json_t *b = json_deep_copy(c->body);
    json_object_set_new(b, "name", json_string(name));
    json_object_set_new(b, "createTime", json_string(now));
    json_object_set_new(b, "state", json_string("CREATING"));
    json_object_set(b, "capacityGb", json_object_get(first, "capacityGb"));
    json_object_set(b, "sourceInstanceTier", json_object_get(instance, "tier"));
    emu_store_put(&e->store, BACKUPS, name, b);
    gcp_ok(c, begin(c, "create", name, CREATE_MS, create_done));
}

void gcp_backup_list(struct gcp_call *c)
{
    RD_AUTOFREE char *prefix =
        rd_streq(c->params.v[1], "-")
            ? rd_asprintf("projects/%s/", c->emu->project)
            : rd_asprintf("projects/%s/locations/%s/", c->emu->project, c->params.v[1]);
    gcp_ok_page(c, json_object(), "backups", emu_store_list(&c->emu->store, BACKUPS, prefix));
}

void gcp_backup_get(struct gcp_call *c)
{
    RD_AUTOFREE char *name = name_of(c, c->params.v[2]);
    const json_t *b = emu_store_get(&c->emu->store, BACKUPS, name);
    if (b == NULL)
        gcp_fail(c, "NOT_FOUND", "Resource '%s' was not found", name);
    else
        gcp_ok(c, emu_public(b));
}

static void delete_done(struct gcp_op *op)
{
    if (op->fail_status != NULL)
        return;
    emu_store_delete(&op->emu->store, BACKUPS, op->target);
    op->response = rd_json_pack("{s:s}", "@type", "type.googleapis.com/google.protobuf.Empty");
}

void gcp_backup_delete(struct gcp_call *c)
{
    RD_AUTOFREE char *name = name_of(c, c->params.v[2]);
    json_t *b = emu_store_get(&c->emu->store, BACKUPS, name);
    if (b == NULL) {
        gcp_fail(c, "NOT_FOUND", "Resource '%s' was not found", name);
        return;
    }
    json_object_set_new(b, "state", json_string("DELETING"));
    gcp_ok(c, begin(c, "delete", name, DELETE_MS, delete_done));
}
