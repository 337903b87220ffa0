/* Deleting one object: preconditions, finalizers, grace, propagation. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool fail(struct kube_delete *d, int code, const char *reason, char *take_message)
{
    kube_fail(&d->fail, code, reason, "%s", take_message);
    free(take_message);
    d->fail.details = rd_json_pack("{s:s, s:s}", "name", d->name, "kind", d->res->plural);
    if (*d->res->group != '\0')
        json_object_set_new(d->fail.details, "group", json_string(d->res->group));
    return false;
}

static bool check(struct kube_delete *d, const json_t *old)
{
    if (old == NULL)
        return fail(d, 404, "NotFound", rd_asprintf("%s \"%s\" not found", d->res->name, d->name));
    const char *uid = kube_meta(old, "uid"), *rv = kube_meta(old, "resourceVersion");
    if (d->uid != NULL && !rd_streq(d->uid, uid))
        return fail(d, 409, "Conflict",
                    rd_asprintf("Operation cannot be fulfilled on %s \"%s\": the UID in the precondition "
                                "(%s) does not match the UID in record (%s). The object might have been "
                                "deleted and then recreated",
                                d->res->name, d->name, d->uid, uid));
    if (d->rv != NULL && !rd_streq(d->rv, rv))
        return fail(d, 409, "Conflict",
                    rd_asprintf("Operation cannot be fulfilled on %s \"%s\": the ResourceVersion in the "
                                "precondition (%s) does not match the ResourceVersion in record (%s). The "
                                "object might have been modified",
                                d->res->name, d->name, d->rv, rv));
    static const char *const for_good[] = {"default", "kube-system", "kube-public"};
    for (size_t i = 0; rd_streq(d->res->name, "namespaces") && i < RD_ARRAY_LEN(for_good); i++) {
        if (rd_streq(d->name, for_good[i]))
            return fail(d, 403, "Forbidden",
                        rd_asprintf("namespaces \"%s\" is forbidden: this namespace may not be deleted",
                                    d->name));
    }
    return d->inside || kube_admit_ask(d->c, d->res, old, NULL, d->dry_run, &d->fail);
}

static void set_finalizer(json_t *meta, const char *name, bool on)
{
    json_t *list = json_array();
    size_t i;
    json_t *f;
    json_array_foreach (json_object_get(meta, "finalizers"), i, f) {
        if (!rd_streq(json_string_value(f), name))
            json_array_append(list, f);
    }
    if (on)
        json_array_append_new(list, json_string(name));
    if (json_array_size(list) > 0)
        json_object_set(meta, "finalizers", list);
    else
        json_object_del(meta, "finalizers");
    json_decref(list);
}

/* Seconds a running pod may take to end; 0: nothing to wait for. */
static long grace_of(const struct kube_delete *d, const json_t *old)
{
    if (!rd_streq(d->res->name, "pods") || rd_json_str(old, "spec", "nodeName", NULL) == NULL)
        return 0;
    const char *phase = rd_json_str(old, "status", "phase", NULL);
    if (rd_streq(phase, "Succeeded") || rd_streq(phase, "Failed"))
        return 0;
    if (d->grace_s >= 0)
        return d->grace_s;
    if (d->inside && rd_json_get(old, "metadata", "deletionTimestamp", NULL) != NULL)
        return 0; /* the node says that it has ended */
    return rd_json_path_int(old, "spec.terminationGracePeriodSeconds", 30);
}

static void stamp_later(char *out, long seconds)
{
    emu_stamp_s(out);
    struct tm tm = {0};
    if (seconds > 0 && strptime(out, "%Y-%m-%dT%H:%M:%SZ", &tm) != NULL) {
        time_t t = timegm(&tm) + seconds;
        gmtime_r(&t, &tm);
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
}

static bool is_held(const json_t *object)
{
    return json_array_size(rd_json_get(object, "metadata", "finalizers", NULL)) > 0 ||
           json_array_size(rd_json_get(object, "spec", "finalizers", NULL)) > 0;
}

static json_t *begin(struct kube_delete *d, const json_t *old, json_t *take_meta, long grace_s)
{
    json_t *fresh = json_copy((json_t *)old);
    json_object_set(fresh, "metadata", take_meta);
    bool first = json_object_get(take_meta, "deletionTimestamp") == NULL;
    if (first) {
        char when[32];
        stamp_later(when, (long)((double)grace_s / d->c->emu->clock.speed));
        json_object_set_new(take_meta, "deletionTimestamp", json_string(when));
        json_int_t generation = rd_json_path_int(old, "metadata.generation", 0);
        if (generation > 0)
            json_object_set_new(take_meta, "generation", json_integer(generation + 1));
    }
    json_object_set_new(take_meta, "deletionGracePeriodSeconds", json_integer(grace_s));
    json_decref(take_meta);
    if (rd_streq(d->res->name, "namespaces"))
        json_object_set_new(fresh, "status", rd_json_pack("{s:s}", "phase", "Terminating"));
    if (json_equal(fresh, (json_t *)old)) {
        json_decref(fresh);
        return json_incref((json_t *)old);
    }
    kube_commit(d->c, d->res, json_incref(fresh));
    return fresh;
}

json_t *kube_delete_run(struct kube_delete *d)
{
    const json_t *old = kube_find(d->res, d->ns, d->name);
    if (!check(d, old))
        return NULL;
    if (d->dry_run)
        return json_incref((json_t *)old);
    json_t *meta = json_copy(json_object_get(old, "metadata"));
    set_finalizer(meta, "foregroundDeletion", rd_streq(d->propagation, "Foreground"));
    set_finalizer(meta, "orphan", rd_streq(d->propagation, "Orphan"));
    bool held = json_array_size(json_object_get(meta, "finalizers")) > 0 ||
                json_array_size(rd_json_get(old, "spec", "finalizers", NULL)) > 0;
    bool ns = rd_streq(d->res->name, "namespaces");
    long grace_s = grace_of(d, old);
    if (held || grace_s > 0 || (ns && is_held(old)))
        return begin(d, old, meta, grace_s);
    json_decref(meta);
    d->gone = true;
    json_t *last = json_incref((json_t *)old);
    kube_remove(d->c, d->res, d->ns, d->name);
    return last;
}

bool kube_delete_finish(struct kube_cluster *c, struct kube_res *r, const json_t *object)
{
    if (rd_json_get(object, "metadata", "deletionTimestamp", NULL) == NULL || is_held(object) ||
        rd_json_path_int(object, "metadata.deletionGracePeriodSeconds", 0) > 0)
        return false;
    RD_AUTOFREE char *ns = rd_strdup(kube_meta(object, "namespace"));
    RD_AUTOFREE char *name = rd_strdup(kube_meta(object, "name"));
    kube_remove(c, r, ns, name);
    return true;
}
