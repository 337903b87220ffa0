/* managedFields: who owns what after an update or an apply. */
#include "kube_fields.h"

#include "emu.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* What nobody owns. */
static json_t *bare(const json_t *object)
{
    if (object == NULL)
        return NULL;
    json_t *copy = json_copy((json_t *)object);
    json_object_del(copy, "apiVersion");
    json_object_del(copy, "kind");
    json_t *meta = json_copy(json_object_get(object, "metadata"));
    static const char *const own[] = {"name",           "namespace",         "uid",
                                      "resourceVersion", "creationTimestamp", "generation",
                                      "managedFields",   "deletionTimestamp", "selfLink",
                                      "deletionGracePeriodSeconds"};
    for (size_t i = 0; i < RD_ARRAY_LEN(own); i++)
        json_object_del(meta, own[i]);
    if (json_object_size(meta) > 0)
        json_object_set(copy, "metadata", meta);
    else
        json_object_del(copy, "metadata");
    json_decref(meta);
    return copy;
}

/* Entries with their sets parsed into "_set". */
static json_t *entries_of(const json_t *managed)
{
    json_t *list = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)managed, i, entry) {
        if (!json_is_object(json_object_get(entry, "fieldsV1")))
            continue;
        json_t *copy = json_copy(entry);
        json_object_set_new(copy, "_set", kube_set_parse(json_object_get(entry, "fieldsV1")));
        json_array_append_new(list, copy);
    }
    return list;
}

static bool is_same(const json_t *entry, const struct kube_owner *o)
{
    const char *sub = rd_json_str(entry, "subresource", NULL);
    if (!rd_streq(rd_json_str(entry, "manager", NULL), o->manager) ||
        !rd_streq(rd_json_str(entry, "operation", NULL), o->apply ? "Apply" : "Update") ||
        !rd_streq(sub == NULL ? "" : sub, o->sub))
        return false;
    return o->apply || rd_streq(rd_json_str(entry, "apiVersion", NULL), o->api_version);
}

static json_t *entry_of(json_t *entries, const struct kube_owner *o)
{
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry) {
        if (is_same(entry, o))
            return entry;
    }
    return NULL;
}

static json_t *entry_add(json_t *entries, const struct kube_owner *o)
{
    json_t *entry = rd_json_pack("{s:s, s:s, s:s, s:s, s:o}", "manager", o->manager, "operation",
                                 o->apply ? "Apply" : "Update", "apiVersion", o->api_version,
                                 "fieldsType", "FieldsV1", "_set", json_object());
    if (*o->sub != '\0')
        json_object_set_new(entry, "subresource", json_string(o->sub));
    json_array_append_new(entries, entry);
    return entry;
}

static int order(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"operation", "time", "manager", "apiVersion", "subresource"};
    for (size_t i = 0; i < RD_ARRAY_LEN(keys); i++) {
        const char *x = rd_json_str(a, keys[i], NULL), *y = rd_json_str(b, keys[i], NULL);
        int c = strcmp(x == NULL ? "" : x, y == NULL ? "" : y);
        if (c != 0)
            return c;
    }
    return 0;
}

/* Sets back to fieldsV1, empty entries out, a time for what changed, in the usual order. Steals. */
static json_t *finish(json_t *entries)
{
    char now[32];
    emu_stamp_s(now);
    json_t *out = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry) {
        json_t *set = json_object_get(entry, "_set");
        if (json_object_size(set) == 0)
            continue;
        json_t *fields = kube_set_write(set);
        if (!json_equal(fields, json_object_get(entry, "fieldsV1")) ||
            json_object_get(entry, "time") == NULL)
            json_object_set_new(entry, "time", json_string(now));
        json_object_set_new(entry, "fieldsV1", fields);
        json_object_del(entry, "_set");
        size_t at = json_array_size(out);
        while (at > 0 && order(json_array_get(out, at - 1), entry) > 0)
            at--;
        json_array_insert(out, at, entry);
    }
    json_decref(entries);
    return out;
}

json_t *kube_managed_update(const struct kube_type *t, const struct kube_owner *o, const json_t *given,
                            const json_t *old, const json_t *fresh, bool builtin)
{
    json_t *entries = entries_of(given);
    RD_AUTOJSON json_t *a = bare(old), *b = bare(fresh);
    struct kube_diff d = kube_diff(t, a, b, builtin);
    json_t *entry = entry_of(entries, o);
    size_t i;
    json_t *other;
    json_array_foreach (entries, i, other) {
        json_t *set = json_object_get(other, "_set");
        if (other != entry) {
            kube_set_subtract(set, d.modified);
            kube_set_subtract(set, d.added);
        }
        kube_set_subtract(set, d.removed);
    }
    if (entry == NULL)
        entry = entry_add(entries, o);
    kube_set_union(json_object_get(entry, "_set"), d.added);
    kube_set_union(json_object_get(entry, "_set"), d.modified);
    kube_diff_clear(&d);
    return finish(entries);
}

/* ".spec.containers[name=\"x\"].image" of every member of the set. */
static void list_paths(const json_t *set, const char *path, struct rd_strv *out)
{
    const char *key;
    json_t *child;
    json_object_foreach ((json_t *)set, key, child) {
        if (strcmp(key, ".") == 0) {
            rd_strv_add(out, path);
            continue;
        }
        RD_AUTOBUF struct rd_buf next = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        rd_buf_puts(&next, path);
        if (key[0] == 'f') {
            rd_buf_printf(&next, ".%s", key + 2);
        } else if (key[0] == 'v') {
            rd_buf_printf(&next, "[=%s]", key + 2);
        } else {
            RD_AUTOJSON json_t *keys = json_loads(key + 2, 0, NULL);
            const char *name;
            json_t *v;
            rd_buf_putc(&next, '[');
            bool first = true;
            json_object_foreach (keys, name, v) {
                RD_AUTOFREE char *text = rd_json_dump(v);
                rd_buf_printf(&next, "%s%s=%s", first ? "" : ",", name, text);
                first = false;
            }
            rd_buf_putc(&next, ']');
        }
        list_paths(child, rd_buf_str(&next), out);
    }
}

static void conflict_add(struct kube_applied *a, const json_t *entry, const char *path)
{
    const char *sub = rd_json_str(entry, "subresource", NULL);
    const char *time = rd_json_str(entry, "time", NULL);
    bool apply = rd_streq(rd_json_str(entry, "operation", NULL), "Apply");
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(&text, "\"%s\"", rd_json_str(entry, "manager", NULL));
    if (sub != NULL)
        rd_buf_printf(&text, " with subresource \"%s\"", sub);
    if (!apply) {
        rd_buf_printf(&text, " using %s", rd_json_str(entry, "apiVersion", NULL));
        if (time != NULL)
            rd_buf_printf(&text, " at %s", time);
    }
    a->conflicts = rd_reallocarray(a->conflicts, a->conflict_count + 1, sizeof(*a->conflicts));
    a->conflicts[a->conflict_count++] = (struct kube_conflict){
        .manager_text = rd_buf_take(&text, NULL), .path = rd_strdup(path)};
}

/* Fields of others that this write changes: conflicts, or taken away from them. */
static void take_from_others(struct kube_applied *a, json_t *entries, const json_t *mine,
                             const struct kube_diff *d, bool force)
{
    RD_AUTOJSON json_t *touched = json_object();
    kube_set_union(touched, d->added);
    kube_set_union(touched, d->modified);
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry) {
        json_t *set = json_object_get(entry, "_set");
        if (entry != mine) {
            RD_AUTOJSON json_t *both = kube_set_intersect(set, touched);
            if (json_object_size(both) > 0 && !force) {
                struct rd_strv paths = {0};
                list_paths(both, "", &paths);
                for (size_t k = 0; k < paths.len; k++)
                    conflict_add(a, entry, paths.v[k]);
                rd_strv_clear(&paths);
            }
            kube_set_subtract(set, both);
        }
        if (entry != mine)
            kube_set_subtract(set, d->removed);
    }
}

struct kube_applied kube_fields_apply(const struct kube_type *t, const struct kube_owner *o,
                                      const json_t *live, const json_t *config, bool force)
{
    struct kube_applied a = {0};
    json_t *entries = entries_of(rd_json_get(live, "metadata", "managedFields", NULL));
    /* What was there before anybody kept book belongs to nobody in particular. */
    if (live != NULL && json_array_size(entries) == 0) {
        struct kube_owner before = {.manager = "before-first-apply", .api_version = o->api_version, .sub = ""};
        RD_AUTOJSON json_t *b = bare(live);
        json_object_del(b, "status");
        json_object_set_new(entry_add(entries, &before), "_set", kube_set_of(t, b));
    }
    RD_AUTOJSON json_t *bare_live = bare(live), *bare_config = bare(config);
    a.object = live == NULL ? json_deep_copy(config) : kube_fields_merge(t, live, config);
    json_t *mine = entry_of(entries, o);
    RD_AUTOJSON json_t *last = mine == NULL ? json_object() : json_incref(json_object_get(mine, "_set"));
    if (mine == NULL)
        mine = entry_add(entries, o);
    json_object_set_new(mine, "apiVersion", json_string(o->api_version));
    json_object_set_new(mine, "_set", kube_set_of(t, bare_config));
    RD_AUTOJSON json_t *all = json_object();
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry)
        kube_set_union(all, json_object_get(entry, "_set"));
    kube_fields_prune(t, a.object, last, all);
    RD_AUTOJSON json_t *bare_object = bare(a.object);
    struct kube_diff d = kube_diff(t, bare_live, bare_object, false);
    take_from_others(&a, entries, mine, &d, force);
    kube_diff_clear(&d);
    if (a.conflict_count > 0) {
        json_decref(entries);
        json_decref(a.object);
        a.object = NULL;
        return a;
    }
    a.managed = finish(entries);
    json_object_del(json_object_get(a.object, "metadata"), "managedFields");
    return a;
}

void kube_applied_clear(struct kube_applied *a)
{
    for (size_t i = 0; i < a->conflict_count; i++) {
        free(a->conflicts[i].manager_text);
        free(a->conflicts[i].path);
    }
    free(a->conflicts);
    json_decref(a->object);
    json_decref(a->managed);
    *a = (struct kube_applied){0};
}
