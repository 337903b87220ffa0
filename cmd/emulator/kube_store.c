/* What a cluster holds, its history, and who is told of changes. */
#include "kube_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct told {
    struct rd_list node;
    uint64_t seq;
    struct kube_subscriber *only; /* NULL: everybody who was there */
    struct kube_res *res;
    enum kube_change change;
    json_t *object;
};

struct kube_subscriber {
    struct rd_list node;
    char *resource; /* NULL: every one */
    kube_told_fn *fn;
    void *arg;
    uint64_t since;
};

static char *key_of(const char *ns, const char *name)
{
    return rd_asprintf("%s/%s", ns == NULL ? "" : ns, name);
}

const char *kube_meta(const json_t *object, const char *field)
{
    const char *s = rd_json_str(object, "metadata", field, NULL);
    return s == NULL ? "" : s;
}

void kube_uid(struct emu *e, char out[37])
{
    char hex[33];
    emu_rand_hex(e, hex, 32);
    hex[12] = '4';
    hex[16] = "89ab"[emu_rand(e) & 3];
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

json_t *kube_copy_meta(const json_t *object)
{
    json_t *copy = json_copy((json_t *)object);
    json_t *meta = json_copy(json_object_get(object, "metadata"));
    json_object_set_new(copy, "metadata", meta == NULL ? json_object() : meta);
    return copy;
}

json_t *kube_find(const struct kube_res *r, const char *ns, const char *name)
{
    RD_AUTOFREE char *key = key_of(r->namespaced ? ns : NULL, name);
    return json_object_get(r->objects, key);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *kube_sorted(const struct kube_res *r, const char *ns)
{
    size_t n = 0, ns_len = ns == NULL ? 0 : strlen(ns);
    const char **keys = rd_reallocarray(NULL, json_object_size(r->objects) + 1, sizeof(*keys));
    const char *key;
    json_t *o;
    json_object_foreach (r->objects, key, o) {
        if (ns_len == 0 || (strncmp(key, ns, ns_len) == 0 && key[ns_len] == '/'))
            keys[n++] = key;
    }
    qsort(keys, n, sizeof(*keys), by_key);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(list, json_object_get(r->objects, keys[i]));
    free(keys);
    return list;
}

void kube_past_clear(struct kube_cluster *c, size_t keep)
{
    if (c->past_len <= keep)
        return;
    size_t drop = c->past_len - keep;
    for (size_t i = 0; i < drop; i++) {
        c->past_floor = c->past[i].rv;
        json_decref(c->past[i].object);
        json_decref(c->past[i].old);
    }
    memmove(c->past, c->past + drop, keep * sizeof(*c->past));
    c->past_len = keep;
}

static void on_idle(uv_idle_t *idle)
{
    struct emu_kube *k = container_of(idle, struct emu_kube, idle);
    uv_idle_stop(idle);
    k->idle_on = false;
    rd_list_foreach_safe (it, tmp, &k->clusters)
        kube_tell_all(container_of(it, struct kube_cluster, node));
}

static void tell(struct kube_cluster *c, struct kube_res *r, enum kube_change change, json_t *object,
                 struct kube_subscriber *only)
{
    struct told *t = rd_calloc(1, sizeof(*t));
    *t = (struct told){.seq = ++c->told_seq,
                       .only = only,
                       .res = r,
                       .change = change,
                       .object = json_incref(object)};
    rd_list_append(&c->told, &t->node);
    if (!c->kube->idle_on) {
        c->kube->idle_on = true;
        uv_idle_start(&c->kube->idle, on_idle);
    }
}

static void told_free(struct told *t)
{
    rd_list_remove(&t->node);
    json_decref(t->object);
    free(t);
}

/* Only what is queued now: what the callbacks write is told on the next turn of the loop. */
void kube_tell_all(struct kube_cluster *c)
{
    uint64_t last = c->told_seq;
    while (!c->dropped && !rd_list_empty(&c->told)) {
        struct told *t = container_of(c->told.next, struct told, node);
        if (t->seq > last)
            return;
        rd_list_foreach_safe (it, tmp, &c->subscribers) {
            struct kube_subscriber *s = container_of(it, struct kube_subscriber, node);
            if (t->only == NULL ? s->since < t->seq : s == t->only) {
                if (s->resource == NULL || rd_streq(s->resource, t->res->name))
                    s->fn(c, t->change, t->object, s->arg);
            }
        }
        told_free(t);
    }
}

void kube_told_clear(struct kube_cluster *c)
{
    while (!rd_list_empty(&c->told))
        told_free(container_of(c->told.next, struct told, node));
    while (!rd_list_empty(&c->subscribers)) {
        struct kube_subscriber *s = container_of(c->subscribers.next, struct kube_subscriber, node);
        rd_list_remove(&s->node);
        free(s->resource);
        free(s);
    }
}

void kube_subscribe(struct kube_cluster *c, const char *resource, kube_told_fn *fn, void *arg)
{
    struct kube_subscriber *s = rd_calloc(1, sizeof(*s));
    *s = (struct kube_subscriber){
        .resource = rd_strdup(resource), .fn = fn, .arg = arg, .since = c->told_seq};
    rd_list_append(&c->subscribers, &s->node);
    rd_list_foreach (it, &c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        if (resource != NULL && !rd_streq(r->name, resource))
            continue;
        RD_AUTOJSON json_t *all = kube_sorted(r, NULL);
        size_t i;
        json_t *o;
        json_array_foreach (all, i, o)
            tell(c, r, KUBE_ADDED, o, s);
    }
}

static void remember(struct kube_cluster *c, struct kube_res *r, enum kube_change change,
                     json_t *object, json_t *old)
{
    if (c->past_len == 2 * KUBE_HISTORY_MAX)
        kube_past_clear(c, KUBE_HISTORY_MAX);
    if (c->past_len == c->past_cap) {
        c->past_cap = c->past_cap == 0 ? 256 : c->past_cap * 2;
        c->past = rd_reallocarray(c->past, c->past_cap, sizeof(*c->past));
    }
    struct kube_past *p = &c->past[c->past_len++];
    *p = (struct kube_past){.rv = c->rv,
                            .res = r,
                            .change = change,
                            .object = json_incref(object),
                            .old = json_incref(old)};
    kube_watch_tell(c, p);
    tell(c, r, change, object, NULL);
}

static void set_rv(struct kube_cluster *c, json_t *object)
{
    json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                        json_sprintf("%lld", (long long)++c->rv));
}

void kube_commit(struct kube_cluster *c, struct kube_res *r, json_t *take)
{
    set_rv(c, take);
    RD_AUTOFREE char *key =
        key_of(r->namespaced ? kube_meta(take, "namespace") : NULL, kube_meta(take, "name"));
    RD_AUTOJSON json_t *old = json_incref(json_object_get(r->objects, key));
    json_object_set_new(r->objects, key, take);
    c->emu->store.changes++;
    remember(c, r, old == NULL ? KUBE_ADDED : KUBE_MODIFIED, take, old);
}

void kube_remove(struct kube_cluster *c, struct kube_res *r, const char *ns, const char *name)
{
    RD_AUTOFREE char *key = key_of(r->namespaced ? ns : NULL, name);
    RD_AUTOJSON json_t *old = json_incref(json_object_get(r->objects, key));
    if (old == NULL)
        return;
    RD_AUTOJSON json_t *last = kube_copy_meta(old);
    set_rv(c, last);
    json_object_del(r->objects, key);
    c->emu->store.changes++;
    remember(c, r, KUBE_DELETED, last, old);
}
