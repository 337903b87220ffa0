#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "k8s/apply.h"

#include <stdlib.h>
#include <string.h>

/* Two values still to compare; a work list instead of recursion, since depth is the server's. */
struct pair {
    char *path; /* owned */
    const json_t *from, *to; /* NULL: that side has none */
    bool secret;             /* below data of a Secret */
};

struct work {
    struct pair *v;
    size_t len, cap;
    json_t *out;
    size_t found;
};

static void push(struct work *w, char *take_path, const json_t *from, const json_t *to, bool secret)
{
    if (w->len == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        w->v = rd_reallocarray(w->v, w->cap, sizeof(*w->v));
    }
    w->v[w->len++] = (struct pair){take_path, from, to, secret};
}

static bool plain_key(const char *key)
{
    return *key && key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$")] ==
                       '\0';
}

static char *path_key(const char *path, const char *key)
{
    if (!plain_key(key))
        return rd_asprintf("%s[\"%s\"]", path, key);
    return *path ? rd_asprintf("%s.%s", path, key) : rd_strdup(key);
}

static json_t *shown(const json_t *value, bool secret)
{
    if (!secret)
        return json_deep_copy(value);
    RD_AUTOFREE char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char digest[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(text, strlen(text), digest);
    RD_AUTOFREE char *label = rd_asprintf("sha256:%.12s", digest);
    return json_string(label);
}

static void differs(struct work *w, const struct pair *p)
{
    w->found++;
    if (!w->out)
        return;
    json_t *entry = rd_json_pack("{s:s}", "path", p->path);
    if (p->from)
        json_object_set_new(entry, "from", shown(p->from, p->secret));
    if (p->to)
        json_object_set_new(entry, "to", shown(p->to, p->secret));
    json_array_append_new(w->out, entry);
}

static bool ignored(const char *path)
{
    static const char *const paths[] = {
        "status",          "metadata.managedFields",     "metadata.resourceVersion",
        "metadata.uid",    "metadata.creationTimestamp", "metadata.generation",
        "metadata.selfLink"};
    for (size_t i = 0; i < RD_ARRAY_LEN(paths); i++) {
        if (!strcmp(path, paths[i]))
            return true;
    }
    return false;
}

static void compare_objects(struct work *w, const struct pair *p)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)p->from, key, value)
        push(w, path_key(p->path, key), value, json_object_get(p->to, key), p->secret);
    json_object_foreach ((json_t *)p->to, key, value) {
        if (!json_object_get(p->from, key))
            push(w, path_key(p->path, key), NULL, value, p->secret);
    }
}

static void compare_arrays(struct work *w, const struct pair *p)
{
    size_t from = json_array_size(p->from), to = json_array_size(p->to);
    for (size_t i = 0; i < from || i < to; i++)
        push(w, rd_asprintf("%s[%zu]", p->path, i), json_array_get(p->from, i),
             json_array_get(p->to, i), p->secret);
}

/* null and an empty collection say as much as nothing at all. */
static bool nothing(const json_t *v)
{
    return !v || json_is_null(v);
}

static int by_path(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    return strcmp(rd_json_str(*x, "path", NULL), rd_json_str(*y, "path", NULL));
}

static void sort_from(json_t *out, size_t first)
{
    size_t n = json_array_size(out) - first;
    if (n < 2)
        return;
    RD_AUTOFREE json_t **v = rd_calloc(n, sizeof(json_t *));
    for (size_t i = 0; i < n; i++)
        v[i] = json_incref(json_array_get(out, first + i));
    qsort(v, n, sizeof(json_t *), by_path);
    for (size_t i = 0; i < n; i++)
        json_array_set_new(out, first + i, v[i]);
}

size_t k8s_object_diff(const json_t *live, const json_t *wanted, json_t *out)
{
    struct work w = {.out = out};
    size_t first = out ? json_array_size(out) : 0;
    bool secret = rd_streq(rd_json_str(wanted, "kind", NULL), "Secret") ||
                  rd_streq(rd_json_str(live, "kind", NULL), "Secret");
    push(&w, rd_strdup(""), live, wanted, false);
    while (w.len) {
        struct pair p = w.v[--w.len];
        if (secret && (!strcmp(p.path, "data") || !strcmp(p.path, "stringData") ||
                       rd_ends_with(p.path, "[\"kubectl.kubernetes.io/last-applied-configuration\"]")))
            p.secret = true;
        if (ignored(p.path) || (nothing(p.from) && nothing(p.to)))
            ;
        else if (json_is_object(p.from) && json_is_object(p.to))
            compare_objects(&w, &p);
        else if (json_is_array(p.from) && json_is_array(p.to))
            compare_arrays(&w, &p);
        else if (!json_equal(p.from, p.to))
            differs(&w, &p);
        rd_freep(&p.path);
    }
    rd_freep(&w.v);
    if (out)
        sort_from(out, first);
    return w.found;
}
