#include "store.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>

void emu_store_init(struct emu_store *s)
{
    *s = (struct emu_store){.kinds = json_object()};
}

void emu_store_clear(struct emu_store *s)
{
    json_decref(s->kinds);
    for (size_t i = 0; i < s->view_count; i++)
        free(s->views[i].name);
    free(s->views);
    *s = (struct emu_store){0};
}

json_t *emu_store_get(const struct emu_store *s, const char *kind, const char *name)
{
    return json_object_get(json_object_get(s->kinds, kind), name);
}

json_t *emu_store_all(struct emu_store *s, const char *kind)
{
    json_t *all = json_object_get(s->kinds, kind);
    if (all == NULL) {
        all = json_object();
        json_object_set_new(s->kinds, kind, all);
    }
    return all;
}

json_t *emu_store_put(struct emu_store *s, const char *kind, const char *name, json_t *take)
{
    RD_ASSERT(take != NULL);
    RD_ASSERT(json_object_set_new(emu_store_all(s, kind), name, take) == 0);
    s->changes++;
    return take;
}

bool emu_store_delete(struct emu_store *s, const char *kind, const char *name)
{
    if (json_object_del(emu_store_all(s, kind), name) != 0)
        return false;
    s->changes++;
    return true;
}

json_t *emu_store_list(struct emu_store *s, const char *kind, const char *prefix)
{
    json_t *list = json_array();
    const char *name;
    json_t *value;
    json_object_foreach (emu_store_all(s, kind), name, value) {
        if (prefix == NULL || rd_starts_with(name, prefix))
            json_array_append(list, value);
    }
    return list;
}

void emu_store_add_view(struct emu_store *s, const char *name, emu_view_fn *fn, void *arg)
{
    s->views = rd_reallocarray(s->views, s->view_count + 1, sizeof(*s->views));
    s->views[s->view_count++] =
        (struct emu_store_view){.name = rd_strdup(name), .fn = fn, .arg = arg};
}

json_t *emu_public(const json_t *resource)
{
    json_t *copy = json_deep_copy(resource);
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(copy, next, key, value)
    {
        if (key[0] == '_')
            json_object_del(copy, key);
    }
    return copy;
}

json_t *emu_store_dump(struct emu_store *s)
{
    json_t *gcp = json_object();
    const char *kind;
    json_t *all;
    json_object_foreach (s->kinds, kind, all) {
        if (kind[0] == '_' || json_object_size(all) == 0)
            continue;
        json_t *out = json_object();
        const char *name;
        json_t *value;
        json_object_foreach (all, name, value)
            json_object_set_new(out, name, emu_public(value));
        json_object_set_new(gcp, kind, out);
    }
    json_t *dump = json_object();
    json_object_set_new(dump, "gcp", gcp);
    for (size_t i = 0; i < s->view_count; i++)
        json_object_set_new(dump, s->views[i].name, s->views[i].fn(s->views[i].arg));
    return dump;
}
