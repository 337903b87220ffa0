/* What is refused of an object that decodes well: a little of each kind's validation, the schema of custom
 * kinds, and fields that never change. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>

static void add(json_t *causes, const char *reason, const char *field, const char *message)
{
    json_array_append_new(causes,
                          rd_json_pack("{s:s, s:s, s:s}", "reason", reason, "message", message, "field", field));
}

static void require(json_t *causes, const json_t *object, const char *path)
{
    if (rd_json_path(object, path) == NULL)
        add(causes, "FieldValueRequired", path, "Required value");
}

static void immutable(json_t *causes, const json_t *old, const json_t *fresh, const char *path)
{
    if (old == NULL)
        return;
    json_t *a = rd_json_path(old, path), *b = rd_json_path(fresh, path);
    if (a == NULL || b == NULL ? a == b : json_equal(a, b))
        return;
    RD_AUTOFREE char *now = b == NULL ? rd_strdup("null") : rd_json_dump(b);
    RD_AUTOFREE char *why = rd_asprintf("Invalid value: %s: field is immutable", now);
    add(causes, "FieldValueInvalid", path, why);
}

static void check_containers(json_t *causes, const json_t *spec, const char *prefix)
{
    const json_t *list = json_object_get(spec, "containers");
    RD_AUTOFREE char *at = rd_asprintf("%s.containers", prefix);
    if (json_array_size(list) == 0)
        add(causes, "FieldValueRequired", at, "Required value");
    RD_AUTOJSON json_t *seen = json_object();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        const char *name = rd_json_str(c, "name", NULL);
        RD_AUTOFREE char *name_at = rd_asprintf("%s[%zu].name", at, i);
        RD_AUTOFREE char *image_at = rd_asprintf("%s[%zu].image", at, i);
        if (name == NULL) {
            add(causes, "FieldValueRequired", name_at, "Required value");
        } else if (json_object_get(seen, name) != NULL) {
            RD_AUTOFREE char *why = rd_asprintf("Duplicate value: \"%s\"", name);
            add(causes, "FieldValueDuplicate", name_at, why);
        } else {
            json_object_set_new(seen, name, json_true());
        }
        if (rd_json_str(c, "image", NULL) == NULL)
            add(causes, "FieldValueRequired", image_at, "Required value");
    }
}

static void check_selector(json_t *causes, const json_t *o)
{
    const char *key;
    json_t *v;
    json_object_foreach (rd_json_path(o, "spec.selector.matchLabels"), key, v) {
        if (!json_equal(v, rd_json_get(o, "spec", "template", "metadata", "labels", key, NULL))) {
            add(causes, "FieldValueInvalid", "spec.template.metadata.labels",
                "Invalid value: `selector` does not match template `labels`");
            return;
        }
    }
}

static void check_crd(json_t *causes, const json_t *o)
{
    require(causes, o, "spec.group");
    require(causes, o, "spec.names.plural");
    require(causes, o, "spec.names.kind");
    require(causes, o, "spec.scope");
    const char *plural = rd_json_str(o, "spec", "names", "plural", NULL);
    const char *group = rd_json_str(o, "spec", "group", NULL);
    RD_AUTOFREE char *want = rd_asprintf("%s.%s", plural == NULL ? "" : plural, group == NULL ? "" : group);
    if (plural != NULL && group != NULL && !rd_streq(want, kube_meta(o, "name"))) {
        RD_AUTOFREE char *why =
            rd_asprintf("Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group", kube_meta(o, "name"));
        add(causes, "FieldValueInvalid", "metadata.name", why);
    }
    size_t i, stored = 0;
    json_t *v;
    json_array_foreach (rd_json_path(o, "spec.versions"), i, v)
        stored += json_is_true(json_object_get(v, "storage"));
    if (stored != 1)
        add(causes, "FieldValueInvalid", "spec.versions",
            "Invalid value: must have exactly one version marked as storage version");
}

static void check_kind(struct kube_res *r, const json_t *old, const json_t *o, json_t *causes)
{
    const char *k = r->kind;
    bool set = rd_streq(k, "Deployment") || rd_streq(k, "StatefulSet") || rd_streq(k, "DaemonSet") ||
               rd_streq(k, "ReplicaSet");
    if (set) {
        require(causes, o, "spec.selector");
        check_selector(causes, o);
        immutable(causes, old, o, "spec.selector");
    }
    if (set || rd_streq(k, "Job"))
        check_containers(causes, rd_json_path(o, "spec.template.spec"), "spec.template.spec");
    if (rd_streq(k, "Job")) {
        immutable(causes, old, o, "spec.template");
        immutable(causes, old, o, "spec.selector");
        immutable(causes, old, o, "spec.completionMode");
    } else if (rd_streq(k, "Pod")) {
        check_containers(causes, json_object_get(o, "spec"), "spec");
    } else if (rd_streq(k, "Service")) {
        immutable(causes, old, o, "spec.clusterIP");
        const char *ip = rd_json_str(o, "spec", "clusterIP", NULL);
        bool none = rd_streq(ip, "None") || rd_streq(rd_json_str(o, "spec", "type", NULL), "ExternalName");
        if (!none && json_array_size(rd_json_path(o, "spec.ports")) == 0)
            add(causes, "FieldValueRequired", "spec.ports", "Required value");
    } else if (rd_streq(k, "PersistentVolumeClaim")) {
        require(causes, o, "spec.accessModes");
        require(causes, o, "spec.resources.requests.storage");
        immutable(causes, old, o, "spec.storageClassName");
        immutable(causes, old, o, "spec.accessModes");
    } else if (rd_streq(k, "PersistentVolume")) {
        require(causes, o, "spec.accessModes");
        require(causes, o, "spec.capacity");
    } else if (rd_streq(k, "StorageClass")) {
        require(causes, o, "provisioner");
        immutable(causes, old, o, "parameters");
        immutable(causes, old, o, "provisioner");
    } else if (rd_ends_with(k, "RoleBinding")) {
        require(causes, o, "roleRef");
        immutable(causes, old, o, "roleRef");
    } else if (rd_streq(k, "Secret")) {
        immutable(causes, old, o, "type");
    } else if (rd_streq(k, "CustomResourceDefinition")) {
        check_crd(causes, o);
    }
}

bool kube_valid(struct kube_cluster *c, struct kube_res *r, const char *version, const json_t *old,
                const json_t *o, struct kube_fail *f)
{
    (void)c;
    RD_AUTOJSON json_t *causes = json_array();
    if (!r->custom)
        check_kind(r, old, o, causes);
    kube_type_check(kube_res_type(r, r->custom ? version : r->storage), o, causes);
    size_t n = json_array_size(causes);
    if (n == 0)
        return true;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < n; i++) {
        const json_t *cause = json_array_get(causes, i);
        rd_buf_printf(&text, "%s%s: %s", i == 0 ? "" : ", ", rd_json_str(cause, "field", NULL),
                      rd_json_str(cause, "message", NULL));
    }
    const char *name = kube_meta(o, "name");
    kube_fail(f, 422, "Invalid", "%s%s%s \"%s\" is invalid: %s%s%s", r->kind, *r->group == '\0' ? "" : ".",
              r->group, name, n > 1 ? "[" : "", rd_buf_str(&text), n > 1 ? "]" : "");
    f->details = rd_json_pack("{s:s, s:s, s:O}", "name", name, "kind", r->kind, "causes", causes);
    if (*r->group != '\0')
        json_object_set_new(f->details, "group", json_string(r->group));
    return false;
}
