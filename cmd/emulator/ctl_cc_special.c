/* What some kinds do besides: the default pool goes right after its cluster came, a Filestore
 * instance gets one PATCH more, a bucket is emptied before it is deleted. */
#include "ctl_cc.h"

#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 1000 };

/* ---- Default node pool ---- */
static void default_pool_gone(struct cc_item *i, const char *failure)
{
    if (failure != NULL) {
        cc_fail(i, "error applying desired state: summary: error deleting default node pool: %s",
                failure);
        return;
    }
    cc_read_again(i, NULL);
}

static void remove_default_pool(struct cc_item *i);

static void on_again(struct emu_timer *t)
{
    remove_default_pool(container_of(t, struct cc_item, timer));
}

static void default_pool_sent(struct cc_item *i, int status, const json_t *body)
{
    if (status == 404)
        cc_read_again(i, NULL);
    else if (status / 100 == 2)
        cc_wait(i, body, default_pool_gone);
    else if (i->tries++ < 60)
        emu_timer_start(&i->w->e->clock, &i->timer, AGAIN_MS, on_again);
    else
        default_pool_gone(i, "the cluster stays busy");
}

static void remove_default_pool(struct cc_item *i)
{
    RD_AUTOFREE char *path = rd_asprintf("%s/nodePools/default-pool", i->plan.get);
    cc_call(i, "DELETE", path, NULL, default_pool_sent);
}

/* ---- Filestore ---- */
static void share_patched(struct cc_item *i, int status, const json_t *body)
{
    if (status / 100 != 2) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_fail(i, "error applying desired state: %s", text);
        return;
    }
    cc_wait(i, body, cc_read_again);
}

void cc_after_create(struct cc_item *i)
{
    i->tries = 0;
    if (rd_streq(i->kind->kind, "ContainerCluster") &&
        rd_streq(cc_annotation(i->object, "remove-default-node-pool"), "true")) {
        remove_default_pool(i);
    } else if (rd_streq(i->kind->kind, "FilestoreInstance")) {
        RD_AUTOFREE char *path = rd_asprintf("%s?updateMask=fileShares", i->plan.get);
        cc_call(i, "PATCH", path,
                rd_json_pack("{s:O}", "fileShares",
                             json_object_get(i->plan.create_body, "fileShares")),
                share_patched);
    } else {
        cc_read_again(i, NULL);
    }
}

/* ---- Buckets ---- */
static void list_objects(struct cc_item *i);

static void object_removed(struct cc_item *i, int status, const json_t *body)
{
    if (status / 100 != 2 && status != 404) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_delete_failed(i, "summary: Error deleting contents of object: %s", text);
        return;
    }
    list_objects(i);
}

static void objects_listed(struct cc_item *i, int status, const json_t *body)
{
    const json_t *first = json_array_get(json_object_get(body, "items"), 0);
    if (status != 200) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_delete_failed(i, "summary: Error listing objects of bucket %s: %s", cc_id(i), text);
        return;
    }
    if (first == NULL) {
        i->then(i, NULL);
        return;
    }
    /* Annotations are read now: they may have been added to an object already being deleted. */
    const json_t *now = kube_get(i->w->c, i->resource, i->ns, i->name);
    if (!rd_streq(cc_annotation(now, "force-destroy"), "true")) {
        cc_delete_failed(i,
                         "summary: Error trying to delete bucket %s containing objects without "
                         "`force_destroy` set to true",
                         cc_id(i));
        return;
    }
    RD_AUTOFREE char *name = rd_percent_encode(rd_json_str(first, "name", NULL));
    RD_AUTOFREE char *path = rd_asprintf("%s/o/%s", i->plan.get, name);
    cc_call(i, "DELETE", path, NULL, object_removed);
}

static void list_objects(struct cc_item *i)
{
    RD_AUTOFREE char *path = rd_asprintf("%s/o?versions=true", i->plan.get);
    cc_call(i, "GET", path, NULL, objects_listed);
}

static void bucket_empty(struct cc_item *i, const char *failure)
{
    (void)failure;
    i->go_on(i);
}

void cc_before_delete(struct cc_item *i, void (*go_on)(struct cc_item *i))
{
    if (!rd_streq(i->kind->kind, "StorageBucket")) {
        go_on(i);
        return;
    }
    i->go_on = go_on;
    i->then = bucket_empty;
    list_objects(i);
}
