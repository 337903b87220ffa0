/* Cloud Storage. */
#include "base/alloc.h"
#include "base/text.h"
#include "gcp/services.h"

#include <string.h>

void gcp_bucket_get(struct gcp_call *k, struct gcp_client *c, const char *bucket)
{
    struct http_url u;
    gcp_url(&u, c, GCP_STORAGE);
    gcp_url_segs(&u, "", "b", bucket, NULL);
    http_url_query(&u, "projection", "noAcl");
    gcp_call_init(k, c, GCP_STORAGE, "GET", http_url_str(&u));
    http_url_clear(&u);
    k->not_found_ok = true;
    gcp_call_what(k, "get bucket %s", bucket);
}

void gcp_bucket_delete(struct gcp_call *k, struct gcp_client *c, const char *bucket)
{
    struct http_url u;
    gcp_url(&u, c, GCP_STORAGE);
    gcp_url_segs(&u, "", "b", bucket, NULL);
    gcp_call_init(k, c, GCP_STORAGE, "DELETE", http_url_str(&u));
    http_url_clear(&u);
    k->not_found_ok = true;
    gcp_call_what(k, "delete bucket %s", bucket);
}

void gcp_buckets_list(struct gcp_list *l, struct gcp_client *c, const char *project)
{
    struct http_url u;
    gcp_url(&u, c, GCP_STORAGE);
    gcp_url_segs(&u, "", "b", NULL);
    http_url_query(&u, "project", project);
    http_url_query(&u, "projection", "noAcl");
    gcp_list_init(l, c, GCP_STORAGE, http_url_str(&u), "items");
    http_url_clear(&u);
    gcp_call_what(&l->call, "list buckets of project %s", project);
}

void gcp_objects_list(struct gcp_list *l, struct gcp_client *c, const char *bucket,
                      const char *prefix)
{
    struct http_url u;
    gcp_url(&u, c, GCP_STORAGE);
    gcp_url_segs(&u, "", "b", bucket, "o", NULL);
    if (prefix != NULL && *prefix != '\0')
        http_url_query(&u, "prefix", prefix);
    gcp_list_init(l, c, GCP_STORAGE, http_url_str(&u), "items");
    http_url_clear(&u);
    l->not_found_ok = true;
    gcp_call_what(&l->call, "list objects of bucket %s", bucket);
}

/* ---- Deleting under a prefix ---- */

enum { OBJECTS_BEGIN, OBJECTS_LISTED, OBJECTS_DELETING };

static void delete_one(struct gcp_objects_delete *d, struct gcp_call *k, const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *generation = json_string_value(json_object_get(object, "generation"));
    struct http_url u;
    gcp_url(&u, d->client, GCP_STORAGE);
    gcp_url_segs(&u, "", "b", d->bucket, "o", name != NULL ? name : "", NULL);
    if (generation != NULL)
        http_url_query(&u, "ifGenerationMatch", generation);
    gcp_call_init(k, d->client, GCP_STORAGE, "DELETE", http_url_str(&u));
    http_url_clear(&u);
    k->not_found_ok = true;
    gcp_call_what(k, "delete object %s of bucket %s", name != NULL ? name : "", d->bucket);
    gcp_call_start(k, &d->op);
}

/* One slot that has ended, or was never used, takes the next object. false: an error ended it all.
 */
static bool turn(struct gcp_objects_delete *d, struct gcp_call *k)
{
    if (k->client != NULL) {
        struct rd_err *err = op_take_err(&k->op);
        if (err != NULL) {
            op_cancel_children(&d->op);
            op_finish(&d->op, err);
            return false;
        }
        d->deleted++;
        gcp_call_clear(k);
        k->client = NULL;
    }
    if (d->next < json_array_size(d->list.items))
        delete_one(d, k, json_array_get(d->list.items, d->next++));
    return true;
}

static void objects_step(struct op *op)
{
    struct gcp_objects_delete *d = container_of(op, struct gcp_objects_delete, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (d->state == OBJECTS_BEGIN) {
        d->state = OBJECTS_LISTED;
        gcp_objects_list(&d->list, d->client, d->bucket, d->prefix);
        gcp_list_start(&d->list, op);
        return;
    }
    if (d->state == OBJECTS_LISTED) {
        if (op_running(&d->list.op))
            return;
        struct rd_err *err = op_take_err(&d->list.op);
        if (err != NULL) {
            op_finish(op, err);
            return;
        }
        d->state = OBJECTS_DELETING;
    }
    bool busy = false;
    for (size_t i = 0; i < RD_ARRAY_LEN(d->slots); i++) {
        struct gcp_call *k = &d->slots[i];
        if (!op_running(&k->op) && !turn(d, k))
            return;
        busy = busy || op_running(&k->op);
    }
    if (!busy)
        op_finish(op, NULL);
}

void gcp_objects_delete_start(struct gcp_objects_delete *d, struct op *parent, struct gcp_client *c,
                              const char *bucket, const char *prefix)
{
    d->client = c;
    rd_str_dup(&d->bucket, bucket);
    rd_str_dup(&d->prefix, prefix);
    d->next = d->deleted = 0;
    d->state = OBJECTS_BEGIN;
    op_start(&d->op, parent, objects_step, "delete objects");
}

void gcp_objects_delete_clear(struct gcp_objects_delete *d)
{
    RD_ASSERT(!op_running(&d->op));
    rd_err_free(op_take_err(&d->op));
    gcp_list_clear(&d->list);
    for (size_t i = 0; i < RD_ARRAY_LEN(d->slots); i++)
        gcp_call_clear(&d->slots[i]);
    rd_str_take(&d->bucket, NULL);
    rd_str_take(&d->prefix, NULL);
}
