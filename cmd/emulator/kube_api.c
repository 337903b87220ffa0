/* What controllers use: the functions of kube.h over the store and the door for writes. */
#include "kube_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct keep {
    struct rd_list node;
    const void *key;
    void *value;
    void (*drop)(void *take);
};

const char *kube_cluster_name(const struct kube_cluster *c)
{
    return c->name;
}

struct emu *kube_cluster_emu(const struct kube_cluster *c)
{
    return c->emu;
}

struct kube_cluster *kube_cluster_find(struct emu *e, const char *name)
{
    if (e->kube == NULL)
        return NULL;
    rd_list_foreach (it, &e->kube->clusters) {
        struct kube_cluster *c = container_of(it, struct kube_cluster, node);
        if (rd_streq(c->name, name))
            return c;
    }
    return NULL;
}

void kube_cluster_keep(struct kube_cluster *c, const void *key, void *take, void (*drop)(void *take))
{
    struct keep *k = rd_calloc(1, sizeof(*k));
    *k = (struct keep){.key = key, .value = take, .drop = drop};
    rd_list_append(&c->kept, &k->node);
}

void *kube_cluster_kept(const struct kube_cluster *c, const void *key)
{
    rd_list_foreach (it, (struct rd_list *)&c->kept) {
        struct keep *k = container_of(it, struct keep, node);
        if (k->key == key)
            return k->value;
    }
    return NULL;
}

void kube_kept_clear(struct kube_cluster *c)
{
    while (!rd_list_empty(&c->kept)) { /* the latest first: it may use what came before */
        struct keep *k = container_of(c->kept.prev, struct keep, node);
        rd_list_remove(&k->node);
        if (k->drop != NULL)
            k->drop(k->value);
        free(k);
    }
}

const json_t *kube_get(struct kube_cluster *c, const char *resource, const char *ns, const char *name)
{
    const struct kube_res *r = kube_res_find(c, resource);
    return r == NULL || name == NULL ? NULL : kube_find(r, ns, name);
}

static bool has_labels(const json_t *object, const json_t *labels)
{
    const char *key;
    json_t *want;
    json_object_foreach ((json_t *)labels, key, want) {
        if (!json_equal(rd_json_get(object, "metadata", "labels", key, NULL), want))
            return false;
    }
    return true;
}

json_t *kube_list(struct kube_cluster *c, const char *resource, const char *ns, const json_t *labels)
{
    const struct kube_res *r = kube_res_find(c, resource);
    json_t *out = json_array();
    if (r == NULL)
        return out;
    RD_AUTOJSON json_t *all = kube_sorted(r, r->namespaced ? ns : NULL);
    size_t i;
    json_t *o;
    json_array_foreach (all, i, o) {
        if (has_labels(o, labels))
            json_array_append(out, o);
    }
    return out;
}

/* The borrowed object a write left in the store. */
static const json_t *stored(struct kube_write *w, json_t *take_result)
{
    if (take_result == NULL)
        fprintf(stderr, "raydeploy-emulator: a controller's write of %s %s/%s fails: %s\n", w->res->name,
                w->ns == NULL ? "" : w->ns, w->name, w->fail.message);
    RD_AUTOFREE char *name = rd_strdup(take_result == NULL ? w->name : kube_meta(take_result, "name"));
    RD_AUTOFREE char *ns = rd_strdup(w->ns);
    json_decref(take_result);
    kube_fail_clear(&w->fail);
    return name == NULL ? NULL : kube_find(w->res, ns, name);
}

const json_t *kube_put(struct kube_cluster *c, const char *manager, json_t *take)
{
    struct kube_res *r =
        kube_res_of(c, rd_json_str(take, "apiVersion", NULL), rd_json_str(take, "kind", NULL));
    if (r == NULL) {
        fprintf(stderr, "raydeploy-emulator: no kind %s %s in %s\n", rd_json_str(take, "apiVersion", NULL),
                rd_json_str(take, "kind", NULL), c->name);
        json_decref(take);
        return NULL;
    }
    RD_AUTOFREE char *ns = rd_strdup(kube_meta(take, "namespace"));
    RD_AUTOFREE char *name = rd_strdup(kube_meta(take, "name"));
    struct kube_write w = {.c = c,
                           .res = r,
                           .version = r->storage,
                           .ns = r->namespaced ? ns : NULL,
                           .name = name,
                           .sub = "",
                           .manager = manager,
                           .inside = true};
    json_t *old = *name == '\0' ? NULL : json_incref(kube_find(r, ns, name));
    json_t *result = kube_write(&w, old, take);
    json_decref(old);
    return stored(&w, result);
}

const json_t *kube_merge(struct kube_cluster *c, const char *manager, const char *resource, const char *ns,
                         const char *name, json_t *take)
{
    RD_AUTOJSON json_t *patch = take;
    struct kube_res *r = kube_res_find(c, resource);
    RD_AUTOJSON json_t *old = r == NULL ? NULL : json_incref(kube_find(r, ns, name));
    if (old == NULL)
        return NULL;
    bool status_only = json_object_size(patch) == 1 && json_object_get(patch, "status") != NULL;
    json_t *fresh = json_deep_copy(old);
    kube_merge_patch(fresh, patch);
    RD_AUTOFREE char *own_ns = rd_strdup(ns);
    RD_AUTOFREE char *own_name = rd_strdup(name);
    struct kube_write w = {.c = c,
                           .res = r,
                           .version = r->storage,
                           .ns = own_ns,
                           .name = own_name,
                           .sub = status_only ? "status" : "",
                           .manager = manager,
                           .inside = true};
    return stored(&w, kube_write(&w, old, fresh));
}

void kube_delete(struct kube_cluster *c, const char *resource, const char *ns, const char *name)
{
    struct kube_res *r = kube_res_find(c, resource);
    if (r == NULL || kube_find(r, ns, name) == NULL)
        return;
    RD_AUTOFREE char *own_ns = rd_strdup(ns);
    RD_AUTOFREE char *own_name = rd_strdup(name);
    struct kube_delete d = {
        .c = c, .res = r, .ns = own_ns, .name = own_name, .grace_s = -1, .inside = true};
    json_decref(kube_delete_run(&d));
    kube_fail_clear(&d.fail);
}

json_t *kube_owner_ref(const json_t *object)
{
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion",
                        rd_json_str(object, "apiVersion", NULL), "kind",
                        rd_json_str(object, "kind", NULL), "name", kube_meta(object, "name"), "uid",
                        kube_meta(object, "uid"), "controller", 1, "blockOwnerDeletion", 1);
}

/* The event that says the same already, or NULL. */
static const json_t *event_find(struct kube_cluster *c, const char *ns, const char *component,
                                const json_t *object, const char *reason, const char *message)
{
    const struct kube_res *r = kube_res_find(c, "events");
    const char *key;
    json_t *e;
    json_object_foreach (r->objects, key, e) {
        if (rd_streq(rd_json_str(e, "involvedObject", "uid", NULL), kube_meta(object, "uid")) &&
            rd_streq(rd_json_str(e, "reason", NULL), reason) &&
            rd_streq(rd_json_str(e, "message", NULL), message) &&
            rd_streq(kube_meta(e, "namespace"), ns) &&
            rd_streq(rd_json_str(e, "source", "component", NULL), component))
            return e;
    }
    return NULL;
}

void kube_event(struct kube_cluster *c, const char *component, const json_t *object, const char *type,
                const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *message = rd_vasprintf(fmt, ap);
    va_end(ap);
    char now[32], hex[17];
    emu_stamp_s(now);
    const char *own = kube_meta(object, "namespace");
    const char *ns = *own == '\0' ? "default" : own;
    const json_t *was = event_find(c, ns, component, object, reason, message);
    if (was != NULL) {
        json_int_t count = rd_json_path_int(was, "count", 1) + 1;
        kube_merge(c, component, "events", ns, kube_meta(was, "name"),
                   rd_json_pack("{s:I, s:s}", "count", count, "lastTimestamp", now));
        return;
    }
    emu_rand_hex(c->emu, hex, 16);
    RD_AUTOFREE char *name = rd_asprintf("%s.%s", kube_meta(object, "name"), hex);
    json_t *ref = rd_json_pack(
        "{s:s, s:s, s:s, s:s, s:s}", "apiVersion", rd_json_str(object, "apiVersion", NULL), "kind",
        rd_json_str(object, "kind", NULL), "name", kube_meta(object, "name"), "resourceVersion",
        kube_meta(object, "resourceVersion"), "uid", kube_meta(object, "uid"));
    if (*own != '\0')
        json_object_set_new(ref, "namespace", json_string(own));
    kube_put(c, component,
             rd_json_pack("{s:s, s:s, s:{s:s, s:s}, s:i, s:n, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:{s:s}, "
                          "s:s}",
                          "apiVersion", "v1", "kind", "Event", "metadata", "name", name, "namespace", ns,
                          "count", 1, "eventTime", "firstTimestamp", now, "involvedObject", ref,
                          "lastTimestamp", now, "message", message, "reason", reason,
                          "reportingComponent", component, "reportingInstance", "", "source", "component",
                          component, "type", type));
}
