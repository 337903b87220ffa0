/* The one door for writes: what a create or an update becomes before it is stored. */
#include "kube_internal.h"

#include "kube_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *kube_in_version(const struct kube_res *r, const json_t *object, const char *version)
{
    RD_AUTOFREE char *want = kube_api_version(r, version);
    if (rd_streq(rd_json_str(object, "apiVersion", NULL), want) &&
        rd_streq(rd_json_str(object, "kind", NULL), r->kind))
        return json_incref((json_t *)object);
    /* apiVersion and kind first, as the real server has them */
    json_t *out = rd_json_pack("{s:s, s:s}", "apiVersion", want, "kind", r->kind);
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)object, key, v) {
        if (strcmp(key, "apiVersion") != 0 && strcmp(key, "kind") != 0)
            json_object_set(out, key, v);
    }
    return out;
}

struct kube_res *kube_ns_res(struct kube_cluster *c)
{
    return container_of(c->resources.next, struct kube_res, node);
}

static json_t *meta_of(json_t *object)
{
    json_t *meta = json_object_get(object, "metadata");
    if (!json_is_object(meta)) {
        meta = json_object();
        json_object_set_new(object, "metadata", meta);
    }
    return meta;
}

static void details(struct kube_write *w, const char *name)
{
    if (w->fail.details == NULL)
        w->fail.details = json_object();
    json_object_set_new(w->fail.details, "name", json_string(name));
    if (*w->res->group != '\0')
        json_object_set_new(w->fail.details, "group", json_string(w->res->group));
    json_object_set_new(w->fail.details, "kind", json_string(w->res->plural));
}

/* A namespaced object needs a namespace that stays. */
static bool check_namespace(struct kube_write *w, const char *name)
{
    if (!w->res->namespaced)
        return true;
    const json_t *ns = kube_find(kube_ns_res(w->c), NULL, w->ns);
    if (ns == NULL) {
        kube_fail(&w->fail, 404, "NotFound", "namespaces \"%s\" not found", w->ns);
        w->fail.details = rd_json_pack("{s:s, s:s}", "name", w->ns, "kind", "namespaces");
        return false;
    }
    if (rd_json_get(ns, "metadata", "deletionTimestamp", NULL) == NULL)
        return true;
    RD_AUTOFREE char *why = rd_asprintf("namespace %s is being terminated", w->ns);
    kube_fail(&w->fail, 403, "Forbidden",
              "%s \"%s\" is forbidden: unable to create new content in namespace %s because it is being "
              "terminated",
              w->res->name, name, w->ns);
    details(w, name);
    kube_fail_cause(&w->fail, "NamespaceTerminating", why, "metadata.namespace");
    return false;
}

static bool check_name(struct kube_write *w, const char *name)
{
    bool rbac = rd_ends_with(w->res->group, "rbac.authorization.k8s.io");
    bool fine = rbac ? *name != '\0' && strpbrk(name, "/%") == NULL && strcmp(name, ".") != 0
                : rd_streq(w->res->plural, "namespaces") ? rd_is_dns_label(name, 63)
                                                         : rd_is_dns_subdomain(name);
    if (fine)
        return true;
    RD_AUTOFREE char *why =
        *name == '\0' ? rd_strdup("Required value: name or generateName is required")
                      : rd_asprintf("Invalid value: \"%s\": a lowercase RFC 1123 subdomain must consist of "
                                    "lower case alphanumeric characters, '-' or '.', and must start and "
                                    "end with an alphanumeric character",
                                    name);
    kube_fail(&w->fail, 422, "Invalid", "%s%s%s \"%s\" is invalid: metadata.name: %s", w->res->kind,
              *w->res->group == '\0' ? "" : ".", w->res->group, name, why);
    details(w, name);
    json_object_set_new(w->fail.details, "kind", json_string(w->res->kind));
    kube_fail_cause(&w->fail, *name == '\0' ? "FieldValueRequired" : "FieldValueInvalid", why,
                    "metadata.name");
    return false;
}

bool kube_prepare_new(struct kube_write *w, json_t *object)
{
    json_t *meta = meta_of(object);
    const char *prefix = rd_json_str(meta, "generateName", NULL);
    if (*kube_meta(object, "name") == '\0' && prefix != NULL && *prefix != '\0') {
        char tail[6];
        for (size_t i = 0; i < 5; i++)
            tail[i] = "bcdfghjklmnpqrstvwxz2456789"[emu_rand(w->c->emu) % 27];
        tail[5] = '\0';
        json_object_set_new(meta, "name", json_sprintf("%s%s", prefix, tail));
    }
    if (w->res->namespaced)
        json_object_set_new(meta, "namespace", json_string(w->ns));
    else
        json_object_del(meta, "namespace");
    const char *name = kube_meta(object, "name");
    if (!w->inside && (!check_name(w, name) || !check_namespace(w, name)))
        return false;
    char uid[37], now[32];
    kube_uid(w->c->emu, uid);
    emu_stamp_s(now);
    json_object_set_new(meta, "uid", json_string(uid));
    json_object_set_new(meta, "creationTimestamp", json_string(now));
    static const char *const not_yours[] = {"resourceVersion", "generation", "deletionTimestamp",
                                            "deletionGracePeriodSeconds", "selfLink"};
    for (size_t i = 0; i < RD_ARRAY_LEN(not_yours); i++)
        json_object_del(meta, not_yours[i]);
    if (w->res->generation || w->res->custom)
        json_object_set_new(meta, "generation", json_integer(1));
    return true;
}

/* What a client cannot change stays. */
static bool keep_meta(struct kube_write *w, const json_t *old, json_t *fresh)
{
    json_t *meta = meta_of(fresh), *was = json_object_get(old, "metadata");
    const char *rv = rd_json_str(meta, "resourceVersion", NULL);
    const char *uid = rd_json_str(meta, "uid", NULL);
    const char *name = kube_meta(old, "name");
    if (!w->inside && uid != NULL && *uid != '\0' && !rd_streq(uid, kube_meta(old, "uid"))) {
        kube_fail(&w->fail, 409, "Conflict",
                  "Operation cannot be fulfilled on %s \"%s\": StorageError: invalid object, Code: 4, "
                  "AdditionalErrorMsg: Precondition failed: UID in precondition: %s, UID in object meta: %s",
                  w->res->name, name, uid, kube_meta(old, "uid"));
        details(w, name);
        return false;
    }
    if (!w->inside && rv != NULL && *rv != '\0' && !rd_streq(rv, kube_meta(old, "resourceVersion"))) {
        kube_fail(&w->fail, 409, "Conflict",
                  "Operation cannot be fulfilled on %s \"%s\": the object has been modified; please apply "
                  "your changes to the latest version and try again",
                  w->res->name, name);
        details(w, name);
        return false;
    }
    static const char *const kept[] = {"name",
                                       "namespace",
                                       "generateName",
                                       "uid",
                                       "creationTimestamp",
                                       "resourceVersion",
                                       "generation",
                                       "deletionTimestamp",
                                       "deletionGracePeriodSeconds"};
    for (size_t i = 0; i < RD_ARRAY_LEN(kept); i++) {
        json_t *v = json_object_get(was, kept[i]);
        if (v != NULL)
            json_object_set(meta, kept[i], v);
        else
            json_object_del(meta, kept[i]);
    }
    if (json_object_get(was, "deletionTimestamp") == NULL || w->inside)
        return true;
    /* On its way out no finalizer joins. */
    size_t i;
    json_t *f;
    json_array_foreach (json_object_get(meta, "finalizers"), i, f) {
        bool known = false;
        size_t k;
        json_t *g;
        json_array_foreach (json_object_get(was, "finalizers"), k, g)
            known = known || json_equal(f, g);
        if (!known) {
            kube_fail(&w->fail, 422, "Invalid",
                      "%s \"%s\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be "
                      "added if the object is being deleted, found new finalizers []string{\"%s\"}",
                      w->res->kind, name, json_string_value(f));
            details(w, name);
            return false;
        }
    }
    return true;
}

static void set_or_del(json_t *object, const char *key, json_t *v)
{
    if (v != NULL)
        json_object_set_new(object, key, json_deep_copy(v));
    else
        json_object_del(object, key);
}

/* The main resource leaves status alone, /status everything else. */
static void keep_parts(struct kube_write *w, const json_t *old, json_t *fresh)
{
    const struct kube_version *v = kube_res_version(w->res, w->version);
    if (w->inside || v == NULL || !v->has_status)
        return;
    if (rd_streq(w->sub, "status") && old != NULL) {
        json_t *meta = json_object_get(fresh, "metadata");
        static const char *const kept[] = {"labels", "annotations", "finalizers", "ownerReferences"};
        for (size_t i = 0; i < RD_ARRAY_LEN(kept); i++)
            set_or_del(meta, kept[i], rd_json_get(old, "metadata", kept[i], NULL));
        const char *key;
        json_t *value;
        void *next;
        json_object_foreach_safe(fresh, next, key, value)
        {
            if (strcmp(key, "status") != 0 && strcmp(key, "metadata") != 0)
                set_or_del(fresh, key, json_object_get(old, key));
        }
        json_object_foreach ((json_t *)old, key, value) {
            if (strcmp(key, "status") != 0 && strcmp(key, "metadata") != 0)
                json_object_set_new(fresh, key, json_deep_copy(value));
        }
    } else if (*w->sub == '\0') {
        set_or_del(fresh, "status", json_object_get(old, "status"));
    }
}

static bool spec_differs(const json_t *old, const json_t *fresh)
{
    for (int turn = 0; turn < 2; turn++) {
        const json_t *a = turn == 0 ? old : fresh, *b = turn == 0 ? fresh : old;
        const char *key;
        json_t *v;
        json_object_foreach ((json_t *)a, key, v) {
            if (strcmp(key, "metadata") == 0 || strcmp(key, "status") == 0 ||
                strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0)
                continue;
            json_t *other = json_object_get(b, key);
            if (other != v && !json_equal(v, other))
                return true;
        }
    }
    return false;
}

static void drop_nulls(json_t *v)
{
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            drop_nulls(json_array_get(v, i));
        return;
    }
    const char *key;
    json_t *child;
    void *next;
    json_object_foreach_safe(v, next, key, child)
    {
        if (json_is_null(child))
            json_object_del(v, key);
        else
            drop_nulls(child);
    }
}

/* After managedFields are settled: compare, count, store. Steals fresh. */
static json_t *settle(struct kube_write *w, const json_t *old, json_t *fresh)
{
    json_t *meta = json_object_get(fresh, "metadata");
    w->created = old == NULL;
    w->changed = old == NULL || !json_equal((json_t *)old, fresh);
    if (!w->changed) {
        json_decref(fresh);
        return json_incref((json_t *)old);
    }
    if (old != NULL && (w->res->generation || w->res->custom) && spec_differs(old, fresh))
        json_object_set_new(
            meta, "generation",
            json_integer(rd_json_path_int(old, "metadata.generation", 0) + 1));
    if (w->dry_run)
        return fresh;
    json_incref(fresh);
    kube_commit(w->c, w->res, fresh);
    kube_delete_finish(w->c, w->res, fresh); /* the answer is the object as it went */
    return fresh;
}

/* Status, metadata and defaults in place, admitted and valid; false: w->fail. */
static bool shape(struct kube_write *w, const json_t *old, json_t *fresh)
{
    if (old == NULL ? !kube_prepare_new(w, fresh) : !keep_meta(w, old, fresh))
        return false;
    keep_parts(w, old, fresh);
    drop_nulls(fresh);
    kube_default(w->c, w->res, w->version, fresh);
    if (w->inside)
        return true;
    if (!kube_admit_run(w, old, fresh))
        return false;
    return kube_valid(w->c, w->res, w->version, old, fresh, &w->fail);
}

json_t *kube_write(struct kube_write *w, const json_t *old, json_t *take)
{
    RD_AUTOFREE char *api = kube_api_version(w->res, w->version);
    json_t *converted = kube_in_version(w->res, take, w->res->storage);
    json_t *fresh = json_deep_copy(converted);
    json_decref(converted);
    json_decref(take);
    if (!shape(w, old, fresh)) {
        json_decref(fresh);
        return NULL;
    }
    json_t *meta = json_object_get(fresh, "metadata");
    json_t *was = rd_json_get(old, "metadata", "managedFields", NULL);
    json_t *given = json_object_get(meta, "managedFields");
    /* What a client sends back counts if it still is a list of entries; [{}] clears it. */
    RD_AUTOJSON json_t *base = json_incref(json_array_size(given) > 0 ? given : was);
    struct kube_owner o = {.manager = w->manager, .api_version = api, .sub = w->sub};
    json_t *managed = kube_managed_update(kube_res_type(w->res, w->res->storage), &o, base, old, fresh,
                                          !w->res->custom);
    if (json_array_size(managed) > 0)
        json_object_set(meta, "managedFields", managed);
    else
        json_object_del(meta, "managedFields");
    json_decref(managed);
    return settle(w, old, fresh);
}

static void fail_conflicts(struct kube_write *w, const struct kube_applied *a)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(&text, "Apply failed with %zu conflict%s:", a->conflict_count,
                  a->conflict_count == 1 ? "" : "s");
    const char *last = "";
    bool many = false;
    for (size_t i = 1; i < a->conflict_count; i++)
        many = many || !rd_streq(a->conflicts[i].manager_text, a->conflicts[0].manager_text);
    bool list = many || a->conflict_count > 1;
    for (size_t i = 0; i < a->conflict_count; i++) {
        const struct kube_conflict *k = &a->conflicts[i];
        if (!list) {
            rd_buf_printf(&text, " conflict with %s: %s", k->manager_text, k->path);
            break;
        }
        if (!rd_streq(last, k->manager_text))
            rd_buf_printf(&text, "%sconflicts with %s:", i == 0 && !many ? " " : "\n", k->manager_text);
        rd_buf_printf(&text, "\n- %s", k->path);
        last = k->manager_text;
    }
    kube_fail(&w->fail, 409, "Conflict", "%s", rd_buf_str(&text));
    for (size_t i = 0; i < a->conflict_count; i++) {
        RD_AUTOFREE char *why = rd_asprintf("conflict with %s", a->conflicts[i].manager_text);
        kube_fail_cause(&w->fail, "FieldManagerConflict", why, a->conflicts[i].path);
    }
}

json_t *kube_apply(struct kube_write *w, const json_t *old, json_t *take_config)
{
    RD_AUTOJSON json_t *sent = take_config;
    RD_AUTOFREE char *api = kube_api_version(w->res, w->version);
    json_t *converted = kube_in_version(w->res, sent, w->res->storage);
    RD_AUTOJSON json_t *config = json_deep_copy(converted);
    json_decref(converted);
    RD_AUTOFREE char *want_rv = rd_strdup(rd_json_str(config, "metadata", "resourceVersion", NULL));
    RD_AUTOFREE char *want_uid = rd_strdup(rd_json_str(config, "metadata", "uid", NULL));
    const struct kube_version *v = kube_res_version(w->res, w->version);
    if (v != NULL && v->has_status && *w->sub == '\0')
        json_object_del(config, "status");
    drop_nulls(config);
    struct kube_owner o = {.manager = w->manager, .api_version = api, .sub = w->sub, .apply = true};
    const struct kube_type *t = kube_res_type(w->res, w->res->storage);
    struct kube_applied a = kube_fields_apply(t, &o, old, config, w->force);
    if (a.conflict_count > 0) {
        fail_conflicts(w, &a);
        kube_applied_clear(&a);
        return NULL;
    }
    json_t *fresh = json_incref(a.object);
    json_t *meta = meta_of(fresh);
    if (old != NULL) { /* what the configuration says of these is a precondition, see keep_meta */
        set_or_del(meta, "resourceVersion", NULL);
        if (want_rv != NULL)
            json_object_set_new(meta, "resourceVersion", json_string(want_rv));
        if (want_uid != NULL)
            json_object_set_new(meta, "uid", json_string(want_uid));
    }
    if (!shape(w, old, fresh)) {
        json_decref(fresh);
        kube_applied_clear(&a);
        return NULL;
    }
    json_object_set(json_object_get(fresh, "metadata"), "managedFields", a.managed);
    json_decref(a.object);
    a.object = NULL;
    json_t *result = settle(w, old, fresh);
    kube_applied_clear(&a);
    return result;
}
