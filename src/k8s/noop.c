#include "k8s/noop.h"

#include "base/text.h"

#include <string.h>

#define DEPTH_MAX 64

static bool covered(const json_t *fields, const json_t *intent, const json_t *live, unsigned depth);

/* Identity is never a field of its own in managedFields. */
static bool is_identity(const char *key)
{
    static const char *const keys[] = {"apiVersion", "kind"};
    for (size_t i = 0; i < RD_ARRAY_LEN(keys); i++)
        if (rd_streq(key, keys[i]))
            return true;
    return false;
}

static bool leaf(const json_t *fields)
{
    return json_object_size(fields) == 0;
}

/* "f:a" entries: the keys of a map, one by one. skip drops identity at the root and in metadata. */
static bool map_covered(const json_t *fields, const json_t *intent, const json_t *live,
                        bool (*skip)(const char *key), unsigned depth)
{
    const char *key;
    json_t *value;
    size_t owned = 0, wanted = 0;
    if (!json_is_object(intent) || !json_is_object(live))
        return false;
    json_object_foreach((json_t *)fields, key, value) {
        if (rd_streq(key, "."))
            continue;
        if (!rd_starts_with(key, "f:"))
            return false;
        if (!covered(value, json_object_get(intent, key + 2), json_object_get(live, key + 2), depth))
            return false;
        owned++;
    }
    json_object_foreach((json_t *)intent, key, value) {
        if (!skip || !skip(key))
            wanted++;
    }
    /* Every owned key is wanted (else covered() saw NULL); as many of each: the sets are one. */
    return owned == wanted;
}

static bool item_has(const json_t *item, const json_t *keys)
{
    const char *key;
    json_t *value;
    if (!json_is_object(item))
        return false;
    json_object_foreach((json_t *)keys, key, value) {
        if (!json_equal(value, json_object_get(item, key)))
            return false;
    }
    return true;
}

static const json_t *find_item(const json_t *list, const json_t *keys)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
        if (item_has(item, keys))
            return item;
    return NULL;
}

/* "k:{...}" entries: items of a list by their keys; "v:..." entries: members of a set. */
static bool list_covered(const json_t *fields, const json_t *intent, const json_t *live,
                         unsigned depth)
{
    const char *key;
    json_t *value;
    size_t owned = 0;
    if (!json_is_array(intent) || !json_is_array(live))
        return false;
    json_object_foreach((json_t *)fields, key, value) {
        if (rd_streq(key, "."))
            continue;
        json_error_t e;
        RD_AUTOJSON json_t *parsed = json_loads(key + 2, JSON_DECODE_ANY, &e);
        if (!parsed)
            return false;
        if (rd_starts_with(key, "k:")) {
            const json_t *want = find_item(intent, parsed), *have = find_item(live, parsed);
            if (!want || !have || !covered(value, want, have, depth))
                return false;
        } else if (rd_starts_with(key, "v:")) {
            bool in_want = false, in_have = false;
            size_t i;
            json_t *m;
            json_array_foreach(intent, i, m)
                in_want = in_want || json_equal(m, parsed);
            json_array_foreach(live, i, m)
                in_have = in_have || json_equal(m, parsed);
            if (!in_want || !in_have)
                return false;
        } else {
            return false;
        }
        owned++;
    }
    if (owned != json_array_size(intent))
        return false;
    /* The order of a keyed list is part of what apply sets: ours must be a subsequence of what is
     * there. Comparing the items in turn settles it. */
    size_t at = 0, i;
    const json_t *have;
    json_array_foreach(live, i, have)
    {
        const json_t *want = json_array_get(intent, at);
        if (!want)
            break;
        bool same = json_equal((json_t *)want, (json_t *)have);
        json_object_foreach((json_t *)fields, key, value) {
            if (same || !rd_starts_with(key, "k:"))
                continue;
            json_error_t e;
            RD_AUTOJSON json_t *parsed = json_loads(key + 2, JSON_DECODE_ANY, &e);
            same = item_has(want, parsed) && item_has(have, parsed);
        }
        at += same;
    }
    return at == json_array_size(intent);
}

static bool covered(const json_t *fields, const json_t *intent, const json_t *live, unsigned depth)
{
    if (!fields || !intent || !live || depth > DEPTH_MAX)
        return false;
    if (leaf(fields))
        return json_equal((json_t *)intent, (json_t *)live);
    if (json_is_array(intent))
        return list_covered(fields, intent, live, depth + 1);
    return map_covered(fields, intent, live, NULL, depth + 1);
}

static bool skip_metadata(const char *key)
{
    return rd_streq(key, "name") || rd_streq(key, "namespace") || rd_streq(key, "resourceVersion") ||
           rd_streq(key, "uid");
}

static bool skip_root(const char *key)
{
    return is_identity(key) || rd_streq(key, "metadata");
}

bool k8s_apply_is_noop(const json_t *intent, const json_t *live, const char *field_manager)
{
    const json_t *ours = NULL, *entry;
    size_t i;
    json_array_foreach(rd_json_get(live, "metadata", "managedFields", NULL), i, entry)
    {
        if (!rd_streq(rd_json_str(entry, "manager", NULL), field_manager) ||
            rd_json_str(entry, "subresource", NULL))
            continue;
        if (!rd_streq(rd_json_str(entry, "operation", NULL), "Apply"))
            continue;
        if (ours)
            return false; /* two versions of us: let the server sort it out */
        ours = entry;
    }
    if (!ours || rd_json_str(live, "metadata", "deletionTimestamp", NULL) ||
        !rd_streq(rd_json_str(ours, "apiVersion", NULL), rd_json_str(intent, "apiVersion", NULL)) ||
        json_object_get(intent, "status"))
        return false;
    const json_t *fields = json_object_get(ours, "fieldsV1");
    const json_t *meta_fields = json_object_get(fields, "f:metadata");
    const json_t *meta = json_object_get(intent, "metadata");
    RD_AUTOJSON json_t *none = json_object();
    if (!map_covered(meta_fields ? meta_fields : none, meta, json_object_get(live, "metadata"),
                     skip_metadata, 0))
        return false;
    RD_AUTOJSON json_t *rest = json_copy((json_t *)fields);
    if (!rest)
        return false;
    json_object_del(rest, "f:metadata");
    return map_covered(rest, intent, live, skip_root, 0);
}
