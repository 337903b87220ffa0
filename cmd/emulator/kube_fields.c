#include "kube_fields.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static json_t *child_of(json_t *set, const char *path)
{
    json_t *c = json_object_get(set, path);
    if (c == NULL) {
        c = json_object();
        json_object_set_new(set, path, c);
    }
    return c;
}

static void mark(json_t *set)
{
    if (json_object_get(set, ".") == NULL)
        json_object_set_new(set, ".", json_object());
}

static void attach(json_t *set, const char *path, json_t *take)
{
    if (json_object_size(take) == 0)
        json_decref(take);
    else
        json_object_set_new(set, path, take);
}

json_t *kube_set_parse(const json_t *fields)
{
    json_t *set = json_object();
    const char *key;
    json_t *child;
    json_object_foreach ((json_t *)fields, key, child) {
        if (strcmp(key, ".") == 0) {
            mark(set);
            continue;
        }
        json_t *c = kube_set_parse(child);
        if (json_object_size(child) == 0)
            mark(c);
        json_object_set_new(set, key, c);
    }
    return set;
}

json_t *kube_set_write(const json_t *set)
{
    json_t *fields = json_object();
    const char *key;
    json_t *child;
    json_object_foreach ((json_t *)set, key, child) {
        if (strcmp(key, ".") == 0) {
            if (json_object_size(set) > 1)
                json_object_set_new(fields, ".", json_object());
        } else {
            json_object_set_new(fields, key, kube_set_write(child));
        }
    }
    return fields;
}

void kube_set_union(json_t *into, const json_t *other)
{
    const char *key;
    json_t *child;
    json_object_foreach ((json_t *)other, key, child) {
        if (strcmp(key, ".") == 0)
            mark(into);
        else
            kube_set_union(child_of(into, key), child);
    }
}

void kube_set_subtract(json_t *from, const json_t *other)
{
    const char *key;
    json_t *child;
    void *next;
    /* A set may be taken from itself: the entry goes while we stand on it. */
    json_object_foreach_safe ((json_t *)other, next, key, child) {
        json_t *mine = json_object_get(from, key);
        if (mine == NULL)
            continue;
        if (strcmp(key, ".") != 0) {
            kube_set_subtract(mine, child);
            if (json_object_size(mine) > 0)
                continue;
        }
        json_object_del(from, key);
    }
}

json_t *kube_set_intersect(const json_t *a, const json_t *b)
{
    json_t *out = json_object();
    const char *key;
    json_t *child;
    json_object_foreach ((json_t *)a, key, child) {
        json_t *other = json_object_get(b, key);
        if (other == NULL)
            continue;
        if (strcmp(key, ".") == 0)
            mark(out);
        else
            attach(out, key, kube_set_intersect(child, other));
    }
    return out;
}

static bool granular_map(const struct kube_type *t, const json_t *v)
{
    return json_is_object(v) && kube_type_is_map(t) && (t == NULL || !t->atomic);
}

static bool granular_list(const struct kube_type *t, const json_t *v)
{
    return json_is_array(v) && kube_type_is_assoc(t);
}

static const struct kube_type *field_type(const struct kube_type *t, const char *name)
{
    const struct kube_type *f = kube_type_field(t, name);
    return f == NULL ? &kube_type_any : f;
}

static bool is_declared(const struct kube_type *t, const char *name)
{
    for (size_t i = 0; t != NULL && i < t->field_count; i++) {
        if (strcmp(t->fields[i].name, name) == 0)
            return true;
    }
    return false;
}

static void set_of(const struct kube_type *t, const json_t *v, json_t *set)
{
    if (granular_map(t, v)) {
        const char *key;
        json_t *child;
        json_object_foreach ((json_t *)v, key, child) {
            RD_AUTOFREE char *path = rd_asprintf("f:%s", key);
            json_t *node = json_object();
            set_of(field_type(t, key), child, node);
            bool empty = json_is_null(child) ||
                         (json_is_object(child) && json_object_size(child) == 0) ||
                         (t != NULL && t->kind == KUBE_T_MAP && !is_declared(t, key));
            if (empty)
                mark(node);
            attach(set, path, node);
        }
    } else if (granular_list(t, v)) {
        size_t i;
        json_t *item;
        json_array_foreach ((json_t *)v, i, item) {
            RD_AUTOFREE char *path = kube_item_path(t, item);
            if (path == NULL)
                continue;
            json_t *node = child_of(set, path);
            if (!t->set)
                set_of(t->elem, item, node);
            mark(node);
        }
    } else {
        mark(set);
    }
}

json_t *kube_set_of(const struct kube_type *t, const json_t *object)
{
    json_t *set = json_object();
    set_of(t, object, set);
    json_object_del(set, ".");
    return set;
}

/* Struct fields without a pointer are always there, so that nobody adds them. */
static bool always_there(const char *path)
{
    static const char *const names[] = {"f:metadata", "f:spec",       "f:status",      "f:template",
                                        "f:strategy", "f:containers", "f:jobTemplate", "f:updateStrategy",
                                        "f:names",    "f:versions"};
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], path) == 0)
            return true;
    }
    return false;
}

static void diff_at(const struct kube_type *t, const json_t *a, const json_t *b, const char *path,
                    bool builtin, struct kube_diff out);

static void diff_child(const struct kube_type *t, const json_t *a, const json_t *b, const char *path,
                       bool builtin, struct kube_diff out)
{
    struct kube_diff in = {json_object(), json_object(), json_object()};
    diff_at(t, a, b, path, builtin, in);
    attach(out.added, path, in.added);
    attach(out.modified, path, in.modified);
    attach(out.removed, path, in.removed);
}

static void diff_list(const struct kube_type *t, const json_t *a, const json_t *b, bool builtin,
                      struct kube_diff out)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)a, i, item) {
        RD_AUTOFREE char *path = kube_item_path(t, item);
        if (path == NULL)
            continue;
        ssize_t at = kube_item_find(t, b, path);
        diff_child(t->set ? &kube_type_any : t->elem, item, at < 0 ? NULL : json_array_get(b, (size_t)at),
                   path, builtin, out);
    }
    json_array_foreach ((json_t *)b, i, item) {
        RD_AUTOFREE char *path = kube_item_path(t, item);
        if (path != NULL && kube_item_find(t, a, path) < 0)
            diff_child(t->set ? &kube_type_any : t->elem, NULL, item, path, builtin, out);
    }
}

static void diff_map(const struct kube_type *t, const json_t *a, const json_t *b, bool builtin,
                     struct kube_diff out)
{
    const char *key;
    json_t *child;
    json_object_foreach ((json_t *)a, key, child) {
        RD_AUTOFREE char *path = rd_asprintf("f:%s", key);
        diff_child(field_type(t, key), child, json_object_get(b, key), path, builtin, out);
    }
    json_object_foreach ((json_t *)b, key, child) {
        if (json_object_get(a, key) != NULL)
            continue;
        RD_AUTOFREE char *path = rd_asprintf("f:%s", key);
        diff_child(field_type(t, key), NULL, child, path, builtin, out);
    }
}

static void diff_at(const struct kube_type *t, const json_t *a, const json_t *b, const char *path,
                    bool builtin, struct kube_diff out)
{
    if (a == b)
        return; /* the same tree, or neither */
    const json_t *shape = b != NULL ? b : a;
    bool alike = a == NULL || b == NULL || json_typeof(a) == json_typeof(b);
    bool parts = false;
    if (alike && granular_map(t, shape)) {
        parts = json_object_size(a) + json_object_size(b) > 0;
        diff_map(t, a, b, builtin, out);
    } else if (alike && granular_list(t, shape)) {
        parts = json_array_size(a) + json_array_size(b) > 0;
        diff_list(t, a, b, builtin, out);
    }
    if (*path == '\0' || (builtin && parts && always_there(path)))
        return;
    if (a == NULL)
        mark(out.added);
    else if (b == NULL)
        mark(out.removed);
    else if (!parts && !json_equal((json_t *)a, (json_t *)b))
        mark(out.modified);
}

struct kube_diff kube_diff(const struct kube_type *t, const json_t *old, const json_t *fresh,
                           bool builtin)
{
    struct kube_diff d = {json_object(), json_object(), json_object()};
    diff_at(t, old, fresh, "", builtin, d);
    return d;
}

void kube_diff_clear(struct kube_diff *d)
{
    json_decref(d->added);
    json_decref(d->modified);
    json_decref(d->removed);
    *d = (struct kube_diff){0};
}

static json_t *merge_list(const struct kube_type *t, const json_t *live, const json_t *config)
{
    json_t *out = json_array();
    size_t i = 0, k = 0, n = json_array_size(live), m = json_array_size(config);
    while (i < n || k < m) {
        RD_AUTOFREE char *left = i < n ? kube_item_path(t, json_array_get(live, i)) : NULL;
        if (i < n && (left == NULL || kube_item_find(t, config, left) < 0)) {
            json_array_append_new(out, json_deep_copy(json_array_get(live, i++)));
            continue;
        }
        if (k < m) {
            json_t *mine = json_array_get(config, k++);
            RD_AUTOFREE char *path = kube_item_path(t, mine);
            ssize_t at = path == NULL ? -1 : kube_item_find(t, live, path);
            json_array_append_new(
                out, at < 0 || t->set
                         ? json_deep_copy(mine)
                         : kube_fields_merge(t->elem, json_array_get(live, (size_t)at), mine));
            if (rd_streq(path, left))
                i++;
            continue;
        }
        i++; /* it went out where the configuration has it */
    }
    return out;
}

json_t *kube_fields_merge(const struct kube_type *t, const json_t *live, const json_t *config)
{
    if (granular_map(t, live) && granular_map(t, config)) {
        json_t *out = json_object();
        const char *key;
        json_t *child;
        json_object_foreach ((json_t *)live, key, child) {
            json_t *mine = json_object_get(config, key);
            json_object_set_new(out, key,
                                mine == NULL ? json_deep_copy(child)
                                             : kube_fields_merge(field_type(t, key), child, mine));
        }
        json_object_foreach ((json_t *)config, key, child) {
            if (json_object_get(live, key) == NULL)
                json_object_set_new(out, key, json_deep_copy(child));
        }
        return out;
    }
    if (granular_list(t, live) && granular_list(t, config))
        return merge_list(t, live, config);
    return json_deep_copy(config);
}

void kube_fields_prune(const struct kube_type *t, json_t *v, const json_t *last,
                       const json_t *managed)
{
    const char *path;
    json_t *node;
    json_object_foreach ((json_t *)last, path, node) {
        if (strcmp(path, ".") == 0)
            continue;
        json_t *kept = json_object_get(managed, path);
        bool field = path[0] == 'f';
        ssize_t at = field ? 0 : kube_item_find(t, v, path);
        if (at < 0)
            continue;
        json_t *child = field ? json_object_get(v, path + 2) : json_array_get(v, (size_t)at);
        if (child == NULL)
            continue;
        bool goes = kept == NULL && (field || json_object_get(node, ".") != NULL);
        if (goes && field)
            json_object_del(v, path + 2);
        else if (goes)
            json_array_remove(v, (size_t)at);
        else
            kube_fields_prune(field ? field_type(t, path + 2) : t->elem, child, node, kept);
    }
}
