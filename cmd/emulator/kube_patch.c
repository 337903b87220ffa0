/* JSON patch (RFC 6902), merge patch (RFC 7396) and strategic merge patch. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>

enum { OPERATIONS_MAX = 10000 };

/* RFC 7396; target is changed in place. */
void kube_merge_patch(json_t *target, const json_t *patch)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)patch, key, v) {
        if (json_is_null(v)) {
            json_object_del(target, key);
        } else if (json_is_object(v)) {
            json_t *mine = json_object_get(target, key);
            if (!json_is_object(mine)) {
                mine = json_object();
                json_object_set_new(target, key, mine);
            }
            kube_merge_patch(mine, v);
        } else {
            json_object_set_new(target, key, json_deep_copy(v));
        }
    }
}

/* ---- JSON patch ---- */

static char *unescape(const char *s, size_t len)
{
    char *out = rd_strndup(s, len), *w = out;
    for (char *p = out; *p != '\0'; p++) {
        if (p[0] == '~' && (p[1] == '0' || p[1] == '1')) {
            *w++ = p[1] == '0' ? '~' : '/';
            p++;
        } else {
            *w++ = *p;
        }
    }
    *w = '\0';
    return out;
}

/* Index of a pointer's last part in an array of n; -1: no such place. "-" is n. */
static long index_of(const char *part, size_t n)
{
    char *end = NULL;
    if (strcmp(part, "-") == 0)
        return (long)n;
    long i = strtol(part, &end, 10);
    return *part == '\0' || *end != '\0' || i < 0 || (size_t)i > n ? -1 : i;
}

/* The container a pointer's last part is in (borrowed), and that part (owned). */
static json_t *find_parent(json_t *root, const char *pointer, char **ret_last)
{
    json_t *at = root;
    if (*pointer != '/')
        return NULL;
    pointer++;
    for (;;) {
        size_t len = strcspn(pointer, "/");
        char *part = unescape(pointer, len);
        if (pointer[len] == '\0') {
            *ret_last = part;
            return at;
        }
        if (json_is_array(at)) {
            long i = index_of(part, json_array_size(at));
            at = i < 0 ? NULL : json_array_get(at, (size_t)i);
        } else {
            at = json_object_get(at, part);
        }
        free(part);
        if (at == NULL)
            return NULL;
        pointer += len + 1;
    }
}

static json_t *value_at(json_t *root, const char *pointer)
{
    if (*pointer == '\0')
        return root;
    RD_AUTOFREE char *last = NULL;
    json_t *parent = find_parent(root, pointer, &last);
    if (json_is_array(parent)) {
        long i = index_of(last, json_array_size(parent));
        return i < 0 ? NULL : json_array_get(parent, (size_t)i);
    }
    return parent == NULL ? NULL : json_object_get(parent, last);
}

static bool put_at(json_t *root, const char *pointer, json_t *value, bool replace)
{
    RD_AUTOFREE char *last = NULL;
    json_t *parent = find_parent(root, pointer, &last);
    if (json_is_object(parent)) {
        if (replace && json_object_get(parent, last) == NULL)
            return false;
        json_object_set_new(parent, last, json_deep_copy(value));
        return true;
    }
    long i = json_is_array(parent) ? index_of(last, json_array_size(parent)) : -1;
    if (i < 0)
        return false;
    if (replace)
        return json_array_set_new(parent, (size_t)i, json_deep_copy(value)) == 0;
    return json_array_insert_new(parent, (size_t)i, json_deep_copy(value)) == 0;
}

static bool remove_at(json_t *root, const char *pointer)
{
    RD_AUTOFREE char *last = NULL;
    json_t *parent = find_parent(root, pointer, &last);
    if (json_is_object(parent))
        return json_object_del(parent, last) == 0;
    long i = json_is_array(parent) ? index_of(last, json_array_size(parent)) : -1;
    return i >= 0 && json_array_remove(parent, (size_t)i) == 0;
}

static bool operate(json_t *root, const json_t *step, struct kube_fail *f)
{
    const char *op = rd_json_str(step, "op", NULL), *path = rd_json_str(step, "path", NULL);
    const char *from = rd_json_str(step, "from", NULL);
    json_t *value = json_object_get(step, "value");
    if (op == NULL || path == NULL)
        return kube_fail(f, 400, "BadRequest", "json patch: an operation without op or path");
    bool ok = false;
    if (strcmp(op, "test") == 0) {
        json_t *now = value_at(root, path);
        ok = now == NULL ? value == NULL || json_is_null(value) : json_equal(now, value);
        if (!ok)
            return kube_fail(f, 422, "Invalid",
                             "the server rejected our request due to an error in our request: testing value "
                             "%s failed: test failed",
                             path);
    } else if (strcmp(op, "add") == 0 || strcmp(op, "replace") == 0) {
        ok = value != NULL && put_at(root, path, value, op[0] == 'r');
    } else if (strcmp(op, "remove") == 0) {
        ok = remove_at(root, path);
    } else if ((strcmp(op, "move") == 0 || strcmp(op, "copy") == 0) && from != NULL) {
        json_t *moved = json_deep_copy(value_at(root, from));
        ok = moved != NULL && (op[0] == 'c' || remove_at(root, from)) && put_at(root, path, moved, false);
        json_decref(moved);
    } else {
        return kube_fail(f, 400, "BadRequest", "json patch: unexpected kind of operation: %s", op);
    }
    return ok || kube_fail(f, 422, "Invalid",
                           "the server rejected our request due to an error in our request: %s operation "
                           "does not apply: doc is missing path: \"%s\": missing value",
                           op, path);
}

static bool json_patch(json_t *root, const json_t *steps, struct kube_fail *f)
{
    if (!json_is_array(steps))
        return kube_fail(f, 400, "BadRequest", "json patch: not a list of operations");
    if (json_array_size(steps) > OPERATIONS_MAX)
        return kube_fail(f, 413, "RequestEntityTooLarge",
                         "The allowed maximum operations in a JSON patch is %d, got %zu", OPERATIONS_MAX,
                         json_array_size(steps));
    size_t i;
    json_t *step;
    json_array_foreach ((json_t *)steps, i, step) {
        if (!operate(root, step, f))
            return false;
    }
    return true;
}

/* ---- Strategic merge ---- */

/* By which key a list is merged; NULL: replaced. Differs from server-side apply only in that one key
 * is enough. */
static const char *merge_key(const struct kube_type *t)
{
    return t != NULL && t->kind == KUBE_T_LIST ? t->keys[0] : NULL;
}

static void strategic(const struct kube_type *t, json_t *target, const json_t *patch);

static ssize_t find_by(const json_t *list, const char *key, const json_t *item)
{
    json_t *want = json_object_get(item, key);
    for (size_t i = 0; want != NULL && i < json_array_size(list); i++) {
        if (json_equal(json_object_get(json_array_get(list, i), key), want))
            return (ssize_t)i;
    }
    return -1;
}

static void strip_directives(json_t *v)
{
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            strip_directives(json_array_get(v, i));
        return;
    }
    const char *key;
    json_t *child;
    void *next;
    json_object_foreach_safe(v, next, key, child)
    {
        if (key[0] == '$' || json_is_null(child))
            json_object_del(v, key);
        else
            strip_directives(child);
    }
}

static json_t *merged_list(const struct kube_type *t, json_t *mine, const json_t *patch)
{
    const char *key = merge_key(t);
    json_t *out = json_array();
    size_t i;
    json_t *item;
    bool replace = key == NULL && !(t != NULL && t->set);
    json_array_foreach ((json_t *)patch, i, item)
        replace = replace || rd_streq(rd_json_str(item, "$patch", NULL), "replace");
    if (!replace)
        json_array_extend(out, mine);
    json_array_foreach ((json_t *)patch, i, item) {
        const char *how = rd_json_str(item, "$patch", NULL);
        ssize_t at = key == NULL ? -1 : find_by(out, key, item);
        if (rd_streq(how, "replace") && json_object_size(item) == 1)
            continue;
        if (rd_streq(how, "delete")) {
            if (at >= 0)
                json_array_remove(out, (size_t)at);
        } else if (at >= 0) {
            json_t *copy = json_deep_copy(json_array_get(out, (size_t)at));
            strategic(t->elem, copy, item);
            json_array_set_new(out, (size_t)at, copy);
        } else {
            bool has = false;
            size_t k;
            json_t *other;
            if (!json_is_object(item) && !replace) {
                json_array_foreach (out, k, other)
                    has = has || json_equal(other, item);
            }
            json_t *copy = json_deep_copy(item);
            strip_directives(copy);
            if (has)
                json_decref(copy);
            else
                json_array_append_new(out, copy);
        }
    }
    return out;
}

static void delete_primitives(json_t *target, const char *key, const json_t *gone)
{
    json_t *mine = json_object_get(target, key);
    json_t *kept = json_array();
    size_t i, k;
    json_t *v, *g;
    json_array_foreach (mine, i, v) {
        bool has = false;
        json_array_foreach ((json_t *)gone, k, g)
            has = has || json_equal(v, g);
        if (!has)
            json_array_append(kept, v);
    }
    json_object_set_new(target, key, kept);
}

static void set_order(const struct kube_type *t, json_t *target, const char *key, const json_t *order)
{
    json_t *mine = json_object_get(target, key);
    const char *by = merge_key(t == NULL ? NULL : kube_type_field(t, key));
    json_t *out = json_array();
    size_t i;
    json_t *o, *v;
    json_array_foreach ((json_t *)order, i, o) {
        for (size_t k = 0; k < json_array_size(mine); k++) {
            v = json_array_get(mine, k);
            bool same = json_is_object(o) ? by != NULL && json_equal(json_object_get(v, by), json_object_get(o, by))
                                          : json_equal(v, o);
            if (same) {
                json_array_append_new(out, json_incref(v));
                json_array_remove(mine, k);
                break;
            }
        }
    }
    json_array_extend(out, mine);
    json_object_set_new(target, key, out);
}

static void strategic(const struct kube_type *t, json_t *target, const json_t *patch)
{
    if (rd_streq(rd_json_str(patch, "$patch", NULL), "replace"))
        json_object_clear(target);
    json_t *retain = json_object_get(patch, "$retainKeys");
    if (retain != NULL) {
        const char *key;
        json_t *v;
        void *next;
        json_object_foreach_safe(target, next, key, v)
        {
            bool kept = false;
            size_t i;
            json_t *k;
            json_array_foreach (retain, i, k)
                kept = kept || rd_streq(json_string_value(k), key);
            if (!kept)
                json_object_del(target, key);
        }
    }
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)patch, key, v) {
        if (rd_starts_with(key, "$deleteFromPrimitiveList/")) {
            delete_primitives(target, strchr(key, '/') + 1, v);
            continue;
        }
        if (key[0] == '$')
            continue;
        json_t *mine = json_object_get(target, key);
        const struct kube_type *ft = t == NULL ? NULL : kube_type_field(t, key);
        if (json_is_null(v)) {
            json_object_del(target, key);
        } else if (json_is_object(v) && rd_streq(rd_json_str(v, "$patch", NULL), "delete")) {
            json_object_del(target, key);
        } else if (json_is_object(v) && json_is_object(mine)) {
            strategic(ft, mine, v);
        } else if (json_is_array(v) && json_is_array(mine)) {
            json_object_set_new(target, key, merged_list(ft, mine, v));
        } else {
            json_t *copy = json_deep_copy(v);
            strip_directives(copy);
            json_object_set_new(target, key, copy);
        }
    }
    json_object_foreach ((json_t *)patch, key, v) {
        if (rd_starts_with(key, "$setElementOrder/"))
            set_order(t, target, strchr(key, '/') + 1, v);
    }
}

json_t *kube_patch(const struct kube_type *t, const char *content_type, const json_t *object,
                   const json_t *patch, struct kube_fail *f)
{
    if (patch == NULL) {
        kube_fail(f, 400, "BadRequest", "error decoding patch: the body is not JSON");
        return NULL;
    }
    json_t *fresh = json_deep_copy(object);
    bool ok = true;
    if (rd_starts_with(content_type, "application/json-patch+json"))
        ok = json_patch(fresh, patch, f);
    else if (!json_is_object(patch))
        ok = kube_fail(f, 400, "BadRequest", "error decoding patch: it is not an object");
    else if (rd_starts_with(content_type, "application/merge-patch+json"))
        kube_merge_patch(fresh, patch);
    else
        strategic(t, fresh, patch);
    if (ok)
        return fresh;
    json_decref(fresh);
    return NULL;
}
