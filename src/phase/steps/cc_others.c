#include "phase/steps/cc_others.h"

#include "base/alloc.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <string.h>

#define SUFFIX ".cnrm.cloud.google.com"
#define SHOWN_MAX 5

/* Kinds of resources at Google; the connector's own (core, customize) are not. */
static bool is_resource(const struct k8s_resource *r)
{
    return r->namespaced && rd_ends_with(r->group, SUFFIX) && !rd_starts_with(r->group, "core.") &&
           !rd_starts_with(r->group, "customize.");
}

static void list_all(struct cc_others *o)
{
    size_t n;
    const struct k8s_resource *const *all = k8s_resources_listable(o->client, &n);
    o->listed = true;
    o->calls = rd_calloc(n ? n : 1, sizeof *o->calls);
    o->resources = rd_calloc(n ? n : 1, sizeof *o->resources);
    for (size_t i = 0; i < n; i++) {
        if (!is_resource(all[i]))
            continue;
        struct http_url u;
        struct k8s_call *k = &o->calls[o->count];
        k8s_url(&u, o->client, all[i], NULL, NULL, NULL);
        k8s_call_init(k, o->client, "GET", http_url_str(&u));
        http_url_clear(&u);
        k8s_call_name(k, all[i], NULL, NULL);
        k->metadata_only = true;
        k->collection = true;
        k->not_found_ok = true;
        o->resources[o->count++] = all[i];
        k8s_call_start(k, &o->op);
    }
}

static void count(struct cc_others *o, const char *kind, const json_t *object)
{
    bool ours = names_is_ours(o->config, object);
    char *title = rd_asprintf("%s/%s/%s", kind, rd_json_str(object, "metadata", "namespace", NULL),
                              rd_json_str(object, "metadata", "name", NULL));
    size_t shown = o->ours + o->foreign.len;
    if (shown < SHOWN_MAX)
        rd_buf_printf(&o->text, "%s%s", shown ? ", " : "", title);
    else if (shown == SHOWN_MAX)
        rd_buf_puts(&o->text, " and more");
    if (ours)
        o->ours++, free(title);
    else
        rd_strv_take(&o->foreign, title);
}

static void others_step(struct op *op)
{
    struct cc_others *o = container_of(op, struct cc_others, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    if (!o->listed) {
        err = op_take_err(&o->discover.op);
        if (!err)
            list_all(o);
        if (err || o->count == 0)
            op_finish(op, err);
        return;
    }
    for (size_t i = 0; i < o->count; i++) {
        struct rd_err *one = op_take_err(&o->calls[i].op);
        rd_err_keep(&err, &one);
        size_t k;
        const json_t *object;
        json_array_foreach(json_object_get(o->calls[i].result, "items"), k, object)
            count(o, o->resources[i]->kind, object);
    }
    op_finish(op, err);
}

void cc_others_start(struct cc_others *o, struct op *parent, struct k8s_client *c,
                     const struct config *config)
{
    o->client = c;
    o->config = config;
    rd_buf_init(&o->text, 4096);
    op_start(&o->op, parent, others_step, "others");
    k8s_discover_start(&o->discover, &o->op, c);
}

void cc_others_clear(struct cc_others *o)
{
    for (size_t i = 0; i < o->count; i++) {
        rd_err_free(op_take_err(&o->calls[i].op));
        k8s_call_clear(&o->calls[i]);
    }
    rd_err_free(op_take_err(&o->discover.op));
    k8s_discover_clear(&o->discover);
    rd_err_free(op_take_err(&o->op));
    free(o->calls);
    free((void *)o->resources);
    rd_strv_clear(&o->foreign);
    rd_buf_clear(&o->text);
    memset(o, 0, sizeof *o);
}
