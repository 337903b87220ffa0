/* Field sets (managedFields, reference 2.2) are trees: "f:name" a field, "k:{...}" the item of a list with
 * those keys, "v:..." a member of a set, "." the node itself; a node without children is a leaf, or is
 * replaced as a whole. */
#include "k8s/noop.h"

#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

/* Three views of one place, still to compare: a work list, since depth is the server's. */
struct place {
    const json_t *fields, *intent, *live;
    bool quantities; /* the children are resource quantities */
};

struct walk {
    struct place *v;
    size_t len, cap;
    bool builtin; /* the server keeps quantities in its own spelling */
    bool ok;
};

static void push(struct walk *w, const json_t *fields, const json_t *intent, const json_t *live)
{
    if (!fields || !intent || !live) {
        w->ok = false;
        return;
    }
    if (w->len == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        w->v = rd_reallocarray(w->v, w->cap, sizeof(*w->v));
    }
    w->v[w->len++] = (struct place){fields, intent, live, false};
}

static bool parse_quantity(const json_t *v, int64_t *ret_milli)
{
    if (json_is_string(v))
        return rd_quantity_parse_milli(json_string_value(v), ret_milli);
    if (!json_is_integer(v) || json_integer_value(v) > INT64_MAX / 1000 || json_integer_value(v) < 0)
        return false;
    *ret_milli = json_integer_value(v) * 1000;
    return true;
}

static bool same_value(const struct walk *w, const struct place *p)
{
    int64_t ours, live;
    if (json_equal((json_t *)p->intent, (json_t *)p->live))
        return true;
    return w->builtin && p->quantities && parse_quantity(p->intent, &ours) &&
           parse_quantity(p->live, &live) && ours == live;
}

static bool holds_quantities(const char *key)
{
    static const char *const keys[] = {"limits", "requests", "hard", "capacity"};
    for (size_t i = 0; i < RD_ARRAY_LEN(keys); i++) {
        if (!strcmp(keys[i], key))
            return true;
    }
    return false;
}

static bool group_is_builtin(const char *api_version)
{
    size_t group = strcspn(api_version, "/");
    RD_AUTOFREE char *name = rd_strndup(api_version, group);
    return !strchr(name, '.') || rd_ends_with(name, ".k8s.io");
}

static size_t children(const json_t *fields)
{
    return json_object_size(fields) - (json_object_get(fields, ".") != NULL);
}

static size_t only_equal(const json_t *list, const json_t *value)
{
    size_t n = json_array_size(list), found = n, i;
    json_t *item;
    json_array_foreach (list, i, item) {
        if (!json_equal(item, (json_t *)value))
            continue;
        if (found != n)
            return n;
        found = i;
    }
    return found;
}

static void compare_object(struct walk *w, const struct place *p)
{
    const char *key;
    json_t *value;
    if (!json_is_object(p->live) || children(p->fields) != json_object_size(p->intent)) {
        w->ok = false;
        return;
    }
    json_object_foreach ((json_t *)p->intent, key, value) {
        RD_AUTOFREE char *field = rd_asprintf("f:%s", key);
        push(w, json_object_get(p->fields, field), value, json_object_get(p->live, key));
        if (w->ok)
            w->v[w->len - 1].quantities = p->quantities || holds_quantities(key);
    }
}

/* Whether an item has these keys; a key that it leaves out may have been defaulted when `lax`. */
static bool item_matches(const json_t *item, const json_t *keys, bool lax)
{
    const char *key;
    json_t *value;
    if (!json_is_object(item))
        return false;
    json_object_foreach ((json_t *)keys, key, value) {
        const json_t *got = json_object_get(item, key);
        if (got ? !json_equal(got, value) : !lax)
            return false;
    }
    return true;
}

/* The only index whose item matches; the length when there is none or more than one. */
static size_t only_match(const json_t *list, const json_t *keys, bool lax)
{
    size_t n = json_array_size(list), found = n, i;
    json_t *item;
    json_array_foreach (list, i, item) {
        if (!item_matches(item, keys, lax))
            continue;
        if (found != n)
            return n;
        found = i;
    }
    return found;
}

/* Where the list member that `field` names stands in our list and in the live one. */
static bool find_member(const struct place *p, const char *field, size_t *ret_ours, size_t *ret_live)
{
    if (strlen(field) < 3)
        return false;
    RD_AUTOJSON json_t *parsed = json_loads(field + 2, JSON_DECODE_ANY, NULL);
    if (rd_starts_with(field, "k:") && json_is_object(parsed)) {
        *ret_ours = only_match(p->intent, parsed, true);
        *ret_live = only_match(p->live, parsed, false);
    } else if (rd_starts_with(field, "v:") && parsed) {
        *ret_ours = only_equal(p->intent, parsed);
        *ret_live = only_equal(p->live, parsed);
    } else {
        return false;
    }
    return *ret_ours < json_array_size(p->intent) && *ret_live < json_array_size(p->live);
}

/* Each of our members is there, in our order; others' may stand between. */
static void compare_list(struct walk *w, const struct place *p)
{
    size_t n = json_array_size(p->intent);
    const char *field;
    json_t *below;
    if (!json_is_array(p->live) || children(p->fields) != n) {
        w->ok = false;
        return;
    }
    RD_AUTOFREE size_t *stands = rd_calloc(n + 1, sizeof(*stands)); /* index in live, from 1 */
    json_object_foreach ((json_t *)p->fields, field, below) {
        size_t ours, live;
        if (!strcmp(field, "."))
            continue;
        if (!find_member(p, field, &ours, &live) || stands[ours]) {
            w->ok = false;
            return;
        }
        stands[ours] = live + 1;
        push(w, below, json_array_get(p->intent, ours), json_array_get(p->live, live));
    }
    for (size_t i = 1; i < n; i++)
        w->ok = w->ok && stands[i - 1] < stands[i];
}

/* The intent without what names it: those are in no field set. Owned. */
static json_t *named_fields(const json_t *intent)
{
    json_t *root = json_copy((json_t *)intent);
    json_t *metadata = json_copy(json_object_get(intent, "metadata"));
    json_object_del(root, "apiVersion");
    json_object_del(root, "kind");
    json_object_del(root, "metadata");
    json_object_del(metadata, "name");
    json_object_del(metadata, "namespace");
    json_object_del(metadata, "uid");
    json_object_del(metadata, "resourceVersion");
    if (json_object_size(metadata))
        json_object_set(root, "metadata", metadata);
    json_decref(metadata);
    return root;
}

/* The one field set of the manager's applies, of this version; NULL when there is none. *ret_mixed: there
 * are several, or one of another version. */
static const json_t *field_set(const json_t *live, const char *manager, const char *api_version,
                               bool *ret_mixed)
{
    const json_t *found = NULL;
    size_t i;
    json_t *entry;
    *ret_mixed = false;
    json_array_foreach (rd_json_path(live, "metadata.managedFields"), i, entry) {
        if (!rd_streq(rd_json_str(entry, "manager", NULL), manager) ||
            !rd_streq(rd_json_str(entry, "operation", NULL), "Apply") ||
            rd_json_str(entry, "subresource", NULL))
            continue;
        if (found || !rd_streq(rd_json_str(entry, "apiVersion", NULL), api_version))
            *ret_mixed = true;
        found = json_object_get(entry, "fieldsV1");
    }
    return found;
}

static bool fields_settled(const json_t *fields, const json_t *root, const json_t *live, bool builtin)
{
    struct walk w = {.builtin = builtin, .ok = true};
    push(&w, fields, root, live);
    while (w.ok && w.len) {
        struct place p = w.v[--w.len];
        if (!children(p.fields))
            w.ok = same_value(&w, &p);
        else if (json_is_object(p.intent))
            compare_object(&w, &p);
        else if (json_is_array(p.intent))
            compare_list(&w, &p);
        else
            w.ok = false;
    }
    rd_freep(&w.v);
    return w.ok;
}

bool k8s_apply_is_noop(const json_t *intent, const json_t *live, const char *field_manager)
{
    const char *api = rd_json_str(intent, "apiVersion", NULL);
    if (!live || !api || !rd_streq(api, rd_json_str(live, "apiVersion", NULL)) ||
        rd_json_path(live, "metadata.deletionTimestamp"))
        return false;
    bool mixed;
    const json_t *fields = field_set(live, field_manager, api, &mixed);
    if (mixed)
        return false;
    RD_AUTOJSON json_t *root = named_fields(intent);
    /* The server keeps no entry for one who wants nothing but that the object is there. */
    if (!fields || !json_object_size(root))
        return !fields && !json_object_size(root);
    return fields_settled(fields, root, live, group_is_builtin(api));
}
