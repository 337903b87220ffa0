/* What goes after something was deleted: dependents (garbage collection), the content of namespaces and
 * of custom kinds. One sweep over everything, some time after whatever called for it. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEP_MS = 500, AGAIN_MS = 5000 };

#define CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

struct place {
    struct kube_res *res;
    json_t *object; /* owned */
};

struct sweep {
    struct kube_cluster *c;
    json_t *alive; /* uid -> object, borrowed copies */
    bool again;
};

static void sweep_later(struct kube_cluster *c, uint64_t delay_ms);

static bool has_finalizer(const json_t *object, const char *name)
{
    size_t i;
    json_t *f;
    json_array_foreach (rd_json_get(object, "metadata", "finalizers", NULL), i, f) {
        if (rd_streq(json_string_value(f), name))
            return true;
    }
    return false;
}

static bool is_going(const json_t *object)
{
    return rd_json_get(object, "metadata", "deletionTimestamp", NULL) != NULL;
}

/* The object with another metadata list; stores it. Steals. */
static void set_meta(struct kube_cluster *c, struct kube_res *r, const json_t *object, const char *key,
                     json_t *take)
{
    json_t *fresh = kube_copy_meta(object);
    json_t *meta = json_object_get(fresh, "metadata");
    if (json_array_size(take) > 0)
        json_object_set(meta, key, take);
    else
        json_object_del(meta, key);
    json_decref(take);
    json_incref(fresh);
    kube_commit(c, r, fresh);
    kube_delete_finish(c, r, fresh);
    json_decref(fresh);
}

static void drop_finalizer(struct kube_cluster *c, struct kube_res *r, const json_t *object,
                           const char *name)
{
    json_t *list = json_array();
    size_t i;
    json_t *f;
    json_array_foreach (rd_json_get(object, "metadata", "finalizers", NULL), i, f) {
        if (!rd_streq(json_string_value(f), name))
            json_array_append(list, f);
    }
    set_meta(c, r, object, "finalizers", list);
}

static void delete_one(struct kube_cluster *c, struct kube_res *r, const json_t *o,
                       const char *propagation)
{
    if (is_going(o))
        return;
    struct kube_delete d = {.c = c,
                            .res = r,
                            .ns = kube_meta(o, "namespace"),
                            .name = kube_meta(o, "name"),
                            .propagation = propagation,
                            .grace_s = -1,
                            .inside = true};
    json_decref(kube_delete_run(&d));
    kube_fail_clear(&d.fail);
}

/* Every object there is now, as references. */
static struct place *everything(struct kube_cluster *c, size_t *ret_len)
{
    struct place *v = NULL;
    size_t n = 0;
    rd_list_foreach (it, &c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        const char *key;
        json_t *o;
        json_object_foreach (r->objects, key, o) {
            v = rd_reallocarray(v, n + 1, sizeof(*v));
            v[n++] = (struct place){r, json_incref(o)};
        }
    }
    *ret_len = n;
    return v;
}

static bool depends_on(const json_t *object, const char *uid, bool blocking)
{
    size_t i;
    json_t *ref;
    json_array_foreach (rd_json_get(object, "metadata", "ownerReferences", NULL), i, ref) {
        if (rd_streq(rd_json_str(ref, "uid", NULL), uid) &&
            (!blocking || json_is_true(json_object_get(ref, "blockOwnerDeletion"))))
            return true;
    }
    return false;
}

/* Owners of an object that are still there, by uid. */
static json_t *live_refs(const struct sweep *s, const json_t *object, bool *ret_waiting)
{
    json_t *refs = json_array();
    size_t i;
    json_t *ref;
    json_array_foreach (rd_json_get(object, "metadata", "ownerReferences", NULL), i, ref) {
        const char *uid = rd_json_str(ref, "uid", NULL);
        const json_t *owner = uid == NULL ? NULL : json_object_get(s->alive, uid);
        if (owner == NULL)
            continue;
        if (has_finalizer(owner, "foregroundDeletion") && is_going(owner))
            *ret_waiting = true;
        json_array_append(refs, ref);
    }
    return refs;
}

static void collect_dependent(struct sweep *s, const struct place *p)
{
    size_t all = json_array_size(rd_json_get(p->object, "metadata", "ownerReferences", NULL));
    if (all == 0)
        return;
    bool waiting = false;
    RD_AUTOJSON json_t *refs = live_refs(s, p->object, &waiting);
    if (json_array_size(refs) == 0)
        delete_one(s->c, p->res, p->object, "Background");
    else if (waiting)
        delete_one(s->c, p->res, p->object, "Foreground");
    else if (json_array_size(refs) < all)
        set_meta(s->c, p->res, p->object, "ownerReferences", json_incref(refs));
}

static void finish_owner(struct sweep *s, const struct place *p, const struct place *all, size_t n)
{
    if (!is_going(p->object))
        return;
    const char *uid = kube_meta(p->object, "uid");
    if (has_finalizer(p->object, "orphan")) {
        for (size_t i = 0; i < n; i++) {
            const json_t *now = kube_find(all[i].res, kube_meta(all[i].object, "namespace"),
                                          kube_meta(all[i].object, "name"));
            if (now == NULL || !depends_on(now, uid, false))
                continue;
            json_t *refs = json_array();
            size_t k;
            json_t *ref;
            json_array_foreach (rd_json_get(now, "metadata", "ownerReferences", NULL), k, ref) {
                if (!rd_streq(rd_json_str(ref, "uid", NULL), uid))
                    json_array_append(refs, ref);
            }
            set_meta(s->c, all[i].res, now, "ownerReferences", refs);
        }
        drop_finalizer(s->c, p->res, p->object, "orphan");
        s->again = true;
    } else if (has_finalizer(p->object, "foregroundDeletion")) {
        for (size_t i = 0; i < n; i++) {
            const json_t *now = kube_find(all[i].res, kube_meta(all[i].object, "namespace"),
                                          kube_meta(all[i].object, "name"));
            if (now != NULL && depends_on(now, uid, true))
                return;
        }
        drop_finalizer(s->c, p->res, p->object, "foregroundDeletion");
        s->again = true;
    }
}

static json_t *condition(const char *type, bool on, const char *reason, const char *message)
{
    char now[32];
    emu_stamp_s(now);
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "lastTransitionTime", now, "message", message,
                        "reason", reason, "status", on ? "True" : "False", "type", type);
}

/* What still is in a namespace, as the conditions tell it. */
static void say_remaining(struct sweep *s, const json_t *ns, json_t *counts, json_t *finalizers)
{
    RD_AUTOBUF struct rd_buf what = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    RD_AUTOBUF struct rd_buf who = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    const char *key;
    json_t *v;
    json_object_foreach (counts, key, v)
        rd_buf_printf(&what, "%s%s has %lld resource instances", what.len == 0 ? "" : ", ", key,
                      (long long)json_integer_value(v));
    json_object_foreach (finalizers, key, v)
        rd_buf_printf(&who, "%s%s in %lld resource instances", who.len == 0 ? "" : ", ", key,
                      (long long)json_integer_value(v));
    RD_AUTOFREE char *left = rd_asprintf("Some resources are remaining: %s", rd_buf_str(&what));
    RD_AUTOFREE char *held = rd_asprintf("Some content in the namespace has finalizers remaining: %s",
                                         rd_buf_str(&who));
    json_t *list = json_array();
    json_array_append_new(list, condition("NamespaceDeletionDiscoveryFailure", false,
                                          "ResourcesDiscovered",
                                          "All resources successfully discovered"));
    json_array_append_new(list, condition("NamespaceDeletionGroupVersionParsingFailure", false,
                                          "ParsedGroupVersions",
                                          "All legacy kube types successfully parsed"));
    json_array_append_new(list,
                          condition("NamespaceDeletionContentFailure", false, "ContentDeleted",
                                    "All content successfully deleted, may be waiting on finalization"));
    json_array_append_new(list, condition("NamespaceContentRemaining", true, "SomeResourcesRemain", left));
    if (who.len > 0)
        json_array_append_new(
            list, condition("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain", held));
    else
        json_array_append_new(list, condition("NamespaceFinalizersRemaining", false,
                                              "ContentHasNoFinalizers",
                                              "All content-preserving finalizers finished"));
    /* A change of times alone is no news. */
    size_t i;
    json_t *c;
    json_array_foreach (list, i, c) {
        json_t *was = rd_json_condition(ns, rd_json_str(c, "type", NULL));
        if (was != NULL && rd_streq(rd_json_str(was, "message", NULL), rd_json_str(c, "message", NULL)))
            json_object_set(c, "lastTransitionTime", json_object_get(was, "lastTransitionTime"));
    }
    kube_merge(s->c, "kube-controller-manager", "namespaces", NULL, kube_meta(ns, "name"),
               rd_json_pack("{s:{s:o}}", "status", "conditions", list));
}

static void empty_namespace(struct sweep *s, const json_t *ns)
{
    const char *name = kube_meta(ns, "name");
    RD_AUTOJSON json_t *counts = json_object();
    RD_AUTOJSON json_t *finalizers = json_object();
    rd_list_foreach_safe (it, tmp, &s->c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        if (!r->namespaced)
            continue;
        RD_AUTOJSON json_t *all = kube_sorted(r, name);
        size_t i, k;
        json_t *o, *f;
        json_array_foreach (all, i, o)
            delete_one(s->c, r, o, "Background");
        RD_AUTOJSON json_t *left = kube_sorted(r, name);
        if (json_array_size(left) > 0)
            json_object_set_new(counts, r->name, json_integer((json_int_t)json_array_size(left)));
        json_array_foreach (left, i, o) {
            json_array_foreach (rd_json_get(o, "metadata", "finalizers", NULL), k, f)
                json_object_set_new(
                    finalizers, json_string_value(f),
                    json_integer(
                        json_integer_value(json_object_get(finalizers, json_string_value(f))) + 1));
        }
    }
    s->again = true;
    if (json_object_size(counts) > 0) {
        say_remaining(s, ns, counts, finalizers);
        return;
    }
    json_t *fresh = kube_copy_meta(ns);
    json_object_set_new(fresh, "spec", json_object());
    kube_commit(s->c, kube_ns_res(s->c), json_incref(fresh));
    kube_delete_finish(s->c, kube_ns_res(s->c), fresh);
    json_decref(fresh);
}

static void empty_kind(struct sweep *s, struct kube_res *crds, const json_t *crd)
{
    struct kube_res *r = kube_res_find(s->c, kube_meta(crd, "name"));
    if (r != NULL) {
        RD_AUTOJSON json_t *all = kube_sorted(r, NULL);
        size_t i;
        json_t *o;
        json_array_foreach (all, i, o)
            delete_one(s->c, r, o, "Background");
        s->again = true;
        if (json_object_size(r->objects) > 0)
            return;
    }
    drop_finalizer(s->c, crds, crd, CRD_FINALIZER);
}

/* A node that never says that a pod has ended does not keep it: its grace period does. */
static void end_pod(struct sweep *s, const struct place *p)
{
    const char *when = kube_meta(p->object, "deletionTimestamp");
    char now[32];
    emu_stamp_s(now);
    s->again = true;
    if (strcmp(when, now) > 0)
        return;
    struct kube_delete d = {.c = s->c,
                            .res = p->res,
                            .ns = kube_meta(p->object, "namespace"),
                            .name = kube_meta(p->object, "name"),
                            .grace_s = 0,
                            .inside = true};
    json_decref(kube_delete_run(&d));
    kube_fail_clear(&d.fail);
}

static void on_sweep(struct emu_timer *t)
{
    struct kube_cluster *c = container_of(t, struct kube_cluster, sweep);
    struct sweep s = {.c = c, .alive = json_object()};
    size_t n = 0;
    struct place *all = everything(c, &n);
    for (size_t i = 0; i < n; i++)
        json_object_set(s.alive, kube_meta(all[i].object, "uid"), all[i].object);
    struct kube_res *crds = kube_res_find(c, "customresourcedefinitions.apiextensions.k8s.io");
    for (size_t i = 0; i < n; i++) {
        struct place *p = &all[i];
        const json_t *now =
            kube_find(p->res, kube_meta(p->object, "namespace"), kube_meta(p->object, "name"));
        if (now != p->object) {
            s.again = s.again || now != NULL;
            continue; /* changed since: the next sweep looks */
        }
        collect_dependent(&s, p);
        now = kube_find(p->res, kube_meta(p->object, "namespace"), kube_meta(p->object, "name"));
        if (now != p->object || !is_going(p->object))
            continue;
        bool held = has_finalizer(p->object, "foregroundDeletion") || has_finalizer(p->object, "orphan");
        if (p->res == kube_ns_res(c) && !held)
            empty_namespace(&s, p->object);
        else if (p->res == crds && has_finalizer(p->object, CRD_FINALIZER))
            empty_kind(&s, crds, p->object);
        else if (rd_streq(p->res->name, "pods") &&
                 rd_json_path_int(p->object, "metadata.deletionGracePeriodSeconds", 0) > 0)
            end_pod(&s, p);
        else
            finish_owner(&s, p, all, n);
    }
    for (size_t i = 0; i < n; i++)
        json_decref(all[i].object);
    free(all);
    json_decref(s.alive);
    if (s.again)
        sweep_later(c, AGAIN_MS);
}

static void sweep_later(struct kube_cluster *c, uint64_t delay_ms)
{
    bool runs = c->sweep.node.next != NULL && !rd_list_empty(&c->sweep.node);
    if (runs && c->sweep.due_ms <= emu_clock_now(&c->emu->clock) + delay_ms)
        return;
    emu_timer_start(&c->emu->clock, &c->sweep, delay_ms, on_sweep);
}

static void on_change(struct kube_cluster *c, enum kube_change change, const json_t *object, void *arg)
{
    (void)arg;
    bool owned = change == KUBE_ADDED &&
                 json_array_size(rd_json_get(object, "metadata", "ownerReferences", NULL)) > 0;
    if (change == KUBE_DELETED || owned || is_going(object))
        sweep_later(c, emu_jitter(c->emu, SWEEP_MS, 40));
}

void kube_collector_start(struct kube_cluster *c)
{
    kube_subscribe(c, NULL, on_change, NULL);
}
