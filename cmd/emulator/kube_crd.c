/* CustomResourceDefinitions: their status, and the kinds they bring. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>

#define CRDS "customresourcedefinitions.apiextensions.k8s.io"
#define CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

/* v1 before v1beta1 before v1alpha1, later numbers first, odd names last by name. */
static long rank(const char *version)
{
    char *end = NULL;
    if (version[0] != 'v')
        return 0;
    long major = strtol(version + 1, &end, 10);
    if (end == version + 1)
        return 0;
    if (*end == '\0')
        return 3000000 + major * 1000;
    if (rd_starts_with(end, "beta"))
        return 2000000 + major * 1000 + strtol(end + 4, NULL, 10);
    if (rd_starts_with(end, "alpha"))
        return 1000000 + major * 1000 + strtol(end + 5, NULL, 10);
    return 0;
}

static int by_rank(const void *a, const void *b)
{
    const struct kube_version *x = a, *y = b;
    long d = rank(y->name) - rank(x->name);
    return d < 0 ? -1 : d > 0 ? 1 : strcmp(x->name, y->name);
}

static void take_words(struct rd_strv *out, const json_t *list)
{
    rd_strv_clear(out);
    size_t i;
    json_t *s;
    json_array_foreach ((json_t *)list, i, s)
        rd_strv_add(out, json_string_value(s));
}

static void set_versions(struct kube_res *r, const json_t *crd)
{
    for (size_t i = 0; i < r->version_count; i++) {
        free(r->versions[i].name);
        kube_type_free(r->versions[i].type);
    }
    r->version_count = 0;
    bool status = false, scale = false;
    size_t i;
    json_t *v;
    json_array_foreach (rd_json_get(crd, "spec", "versions", NULL), i, v) {
        const char *name = rd_json_str(v, "name", NULL);
        if (name == NULL)
            continue;
        if (json_is_true(json_object_get(v, "storage")))
            rd_str_dup(&r->storage, name);
        if (!json_is_true(json_object_get(v, "served")))
            continue;
        struct kube_version *mine = kube_res_add_version(r, name);
        mine->schema = rd_json_get(v, "schema", "openAPIV3Schema", NULL);
        mine->columns = json_object_get(v, "additionalPrinterColumns");
        mine->has_status = rd_json_get(v, "subresources", "status", NULL) != NULL;
        mine->has_scale = rd_json_get(v, "subresources", "scale", NULL) != NULL;
        status = status || mine->has_status;
        scale = scale || mine->has_scale;
    }
    qsort(r->versions, r->version_count, sizeof(*r->versions), by_rank);
    rd_strv_clear(&r->subs);
    if (status)
        rd_strv_add(&r->subs, "status");
    if (scale)
        rd_strv_add(&r->subs, "scale");
}

static void serve(struct kube_cluster *c, const json_t *crd)
{
    const char *group = rd_json_str(crd, "spec", "group", NULL);
    const json_t *names = rd_json_get(crd, "spec", "names", NULL);
    const char *plural = rd_json_str(names, "plural", NULL), *kind = rd_json_str(names, "kind", NULL);
    if (group == NULL || plural == NULL || kind == NULL)
        return;
    struct kube_res *r = kube_res_find(c, kube_meta(crd, "name"));
    if (r != NULL && !r->custom)
        return;
    if (r != NULL && r->crd != NULL && r->served &&
        json_equal(json_object_get(r->crd, "spec"), json_object_get(crd, "spec")))
        return; /* only its status or metadata changed */
    if (r == NULL)
        r = kube_res_new(c, group, kind, plural);
    r->custom = true;
    r->served = true;
    /* Types borrow from the definition they came from: new ones before it goes. */
    json_t *was = r->crd;
    r->crd = json_incref((json_t *)crd);
    set_versions(r, crd);
    json_decref(was);
    rd_str_dup(&r->kind, kind);
    const char *list = rd_json_str(names, "listKind", NULL), *one = rd_json_str(names, "singular", NULL);
    rd_str_take(&r->list_kind, list != NULL ? rd_strdup(list) : rd_asprintf("%sList", kind));
    if (one != NULL)
        rd_str_dup(&r->singular, one);
    take_words(&r->short_names, json_object_get(names, "shortNames"));
    take_words(&r->categories, json_object_get(names, "categories"));
    r->namespaced = rd_streq(rd_json_str(crd, "spec", "scope", NULL), "Namespaced");
    c->discovery++;
}

static void unserve(struct kube_cluster *c, const char *name)
{
    struct kube_res *r = kube_res_find(c, name);
    if (r == NULL || !r->custom)
        return;
    r->served = false;
    json_object_clear(r->objects);
    c->discovery++;
}

static json_t *condition(const char *type, const char *reason, const char *message)
{
    char now[32];
    emu_stamp_s(now);
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "lastTransitionTime", now, "message", message,
                        "reason", reason, "status", "True", "type", type);
}

static json_t *established(const json_t *crd)
{
    json_t *names = json_deep_copy(rd_json_get(crd, "spec", "names", NULL));
    RD_AUTOFREE char *kind = rd_strdup(rd_json_str(names, "kind", NULL));
    if (json_object_get(names, "listKind") == NULL)
        json_object_set_new(names, "listKind", json_sprintf("%sList", kind));
    if (json_object_get(names, "singular") == NULL) {
        for (char *p = kind; *p != '\0'; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        json_object_set_new(names, "singular", json_string(kind));
    }
    json_t *stored = json_array();
    size_t i;
    json_t *v;
    json_array_foreach (rd_json_get(crd, "spec", "versions", NULL), i, v) {
        if (json_is_true(json_object_get(v, "storage")))
            json_array_append(stored, json_object_get(v, "name"));
    }
    return rd_json_pack("{s:o, s:[o, o], s:o}", "acceptedNames", names, "conditions",
                        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                        condition("Established", "InitialNamesAccepted",
                                  "the initial names have been accepted"),
                        "storedVersions", stored);
}

static void on_crd(struct kube_cluster *c, enum kube_change change, const json_t *crd, void *arg)
{
    (void)arg;
    const char *name = kube_meta(crd, "name");
    if (change == KUBE_DELETED) {
        unserve(c, name);
        return;
    }
    const json_t *now = kube_get(c, CRDS, NULL, name);
    if (now == NULL || rd_json_get(now, "metadata", "deletionTimestamp", NULL) != NULL)
        return;
    RD_AUTOJSON json_t *kept = json_incref((json_t *)now);
    if (rd_json_condition(kept, "Established") == NULL) {
        RD_AUTOJSON json_t *finalizers =
            json_deep_copy(rd_json_get(kept, "metadata", "finalizers", NULL));
        bool has = false;
        size_t i;
        json_t *f;
        json_array_foreach (finalizers, i, f)
            has = has || rd_streq(json_string_value(f), CRD_FINALIZER);
        if (!has) {
            json_t *list = finalizers == NULL ? json_array() : json_incref(finalizers);
            json_array_append_new(list, json_string(CRD_FINALIZER));
            kube_merge(c, "kube-apiserver", CRDS, NULL, name,
                       rd_json_pack("{s:{s:o}}", "metadata", "finalizers", list));
        }
        kube_merge(c, "kube-apiserver", CRDS, NULL, name,
                   rd_json_pack("{s:o}", "status", established(kept)));
        now = kube_get(c, CRDS, NULL, name);
    }
    serve(c, now);
}

void kube_crd_start(struct kube_cluster *c)
{
    kube_subscribe(c, CRDS, on_crd, NULL);
}

/* Schema that knows the dotted names; a name without more under it is free. */
static json_t *schema_of(const char *const *fields)
{
    if (fields == NULL)
        return rd_json_pack("{s:s, s:b}", "type", "object", "x-kubernetes-preserve-unknown-fields", 1);
    json_t *root = rd_json_pack("{s:s, s:{}}", "type", "object", "properties");
    for (; *fields != NULL; fields++) {
        struct rd_strv parts = {0};
        rd_strv_split(&parts, *fields, ".");
        json_t *at = root;
        for (size_t i = 0; i < parts.len; i++) {
            json_object_del(at, "x-kubernetes-preserve-unknown-fields");
            json_t *props = json_object_get(at, "properties");
            if (props == NULL) {
                props = json_object();
                json_object_set_new(at, "properties", props);
                json_object_set_new(at, "type", json_string("object"));
            }
            json_t *next = json_object_get(props, parts.v[i]);
            if (next == NULL) {
                next = rd_json_pack("{s:b}", "x-kubernetes-preserve-unknown-fields", 1);
                json_object_set_new(props, parts.v[i], next);
            }
            at = next;
        }
        rd_strv_clear(&parts);
    }
    return root;
}

void kube_define(struct kube_cluster *c, const struct kube_kind *k, const char *const *fields,
                 json_t *take_labels)
{
    json_t *names = rd_json_pack("{s:s, s:s, s:s}", "kind", k->kind, "plural", k->plural, "singular",
                                 k->singular);
    if (k->short_name != NULL)
        json_object_set_new(names, "shortNames", rd_json_pack("[s]", k->short_name));
    bool cnrm = rd_ends_with(k->group, ".cnrm.cloud.google.com");
    if (cnrm)
        json_object_set_new(names, "categories", rd_json_pack("[s]", "gcp"));
    json_t *version = rd_json_pack(
        "{s:s, s:b, s:b, s:{s:{s:s, s:{s:o, s:{s:s, s:b}}}}}", "name", k->version, "served", 1, "storage", 1,
        "schema", "openAPIV3Schema", "type", "object", "properties", "spec", schema_of(fields), "status",
        "type", "object", "x-kubernetes-preserve-unknown-fields", 1);
    if (k->has_status)
        json_object_set_new(version, "subresources", rd_json_pack("{s:{}}", "status"));
    if (cnrm) {
        json_t *columns = json_loads(
            "[{\"jsonPath\":\".metadata.creationTimestamp\",\"name\":\"Age\",\"type\":\"date\"},"
            "{\"jsonPath\":\".status.conditions[?(@.type=='Ready')].status\",\"name\":\"Ready\","
            "\"type\":\"string\"},"
            "{\"jsonPath\":\".status.conditions[?(@.type=='Ready')].reason\",\"name\":\"Status\","
            "\"type\":\"string\"},"
            "{\"jsonPath\":\".status.conditions[?(@.type=='Ready')].lastTransitionTime\","
            "\"name\":\"Status Age\",\"type\":\"date\"}]",
            0, NULL);
        RD_ASSERT(columns != NULL);
        json_object_set_new(version, "additionalPrinterColumns", columns);
    }
    json_t *crd = rd_json_pack("{s:s, s:s, s:{s:o, s:[s]}, s:{s:{s:s}, s:s, s:o, s:s, s:[o]}}", "apiVersion",
                               "apiextensions.k8s.io/v1", "kind", "CustomResourceDefinition", "metadata",
                               "name", json_sprintf("%s.%s", k->plural, k->group), "finalizers",
                               CRD_FINALIZER, "spec", "conversion", "strategy", "None", "group", k->group,
                               "names", names, "scope", k->namespaced ? "Namespaced" : "Cluster",
                               "versions", version);
    json_object_set_new(crd, "status", established(crd));
    if (take_labels != NULL)
        json_object_set_new(json_object_get(crd, "metadata"), "labels", take_labels);
    const json_t *now = kube_put(c, "kubectl-client-side-apply", crd);
    if (now != NULL)
        serve(c, now);
}
