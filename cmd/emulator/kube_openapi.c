/* /openapi/v3 and /openapi/v2: the shape of paths and of objects, as far as clients look: which verbs take
 * which parameters, and how lists are merged. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>

static json_t *type_doc(const struct kube_type *t, const char *prefix, int depth);

static json_t *fields_doc(const struct kube_type *t, const char *prefix, int depth)
{
    json_t *props = json_object();
    for (size_t i = 0; i < t->field_count; i++)
        json_object_set_new(props, t->fields[i].name, type_doc(t->fields[i].type, prefix, depth + 1));
    return props;
}

static json_t *type_doc(const struct kube_type *t, const char *prefix, int depth)
{
    if (t != NULL && t->name != NULL && depth > 0) {
        /* As the real documents have it: a reference inside allOf, so that it may have neighbours. */
        return rd_json_pack("{s:{}, s:[{s:o}]}", "default", "allOf", "$ref",
                            json_sprintf("%s%s", prefix, t->name));
    }
    switch (t == NULL ? KUBE_T_ANY : t->kind) {
    case KUBE_T_STRING:
        return rd_json_pack("{s:s}", "type", "string");
    case KUBE_T_INTEGER:
        return rd_json_pack("{s:s}", "type", "integer");
    case KUBE_T_NUMBER:
        return rd_json_pack("{s:s}", "type", "number");
    case KUBE_T_BOOL:
        return rd_json_pack("{s:s}", "type", "boolean");
    case KUBE_T_INTSTR:
        return rd_json_pack("{s:s, s:[{s:s}, {s:s}]}", "format", "int-or-string", "oneOf", "type", "integer",
                            "type", "string");
    case KUBE_T_LIST: {
        json_t *d = rd_json_pack("{s:s, s:o}", "type", "array", "items", type_doc(t->elem, prefix, depth + 1));
        json_object_set_new(d, "x-kubernetes-list-type",
                            json_string(!kube_type_is_assoc(t) ? "atomic" : t->set ? "set" : "map"));
        if (t->keys[0] != NULL) {
            json_t *keys = json_array();
            for (size_t i = 0; i < KUBE_KEYS_MAX && t->keys[i] != NULL; i++)
                json_array_append_new(keys, json_string(t->keys[i]));
            if (kube_type_is_assoc(t))
                json_object_set(d, "x-kubernetes-list-map-keys", keys);
            json_decref(keys);
            json_object_set_new(d, "x-kubernetes-patch-merge-key", json_string(t->keys[0]));
            json_object_set_new(d, "x-kubernetes-patch-strategy", json_string("merge"));
        } else if (t->set) {
            json_object_set_new(d, "x-kubernetes-patch-strategy", json_string("merge"));
        }
        return d;
    }
    case KUBE_T_MAP:
        return rd_json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
                            type_doc(t->elem, prefix, depth + 1));
    case KUBE_T_OBJECT: {
        json_t *d = rd_json_pack("{s:s, s:o}", "type", "object", "properties", fields_doc(t, prefix, depth));
        if (t->atomic)
            json_object_set_new(d, "x-kubernetes-map-type", json_string("atomic"));
        return d;
    }
    default:
        return rd_json_pack("{s:b}", "x-kubernetes-preserve-unknown-fields", 1);
    }
}

static json_t *parameter(const char *name, const char *type)
{
    return rd_json_pack("{s:s, s:s, s:{s:s, s:b}}", "name", name, "in", "query", "schema", "type", type,
                        "uniqueItems", 1);
}

static json_t *operation(const struct kube_res *r, const char *version, const char *action)
{
    json_t *parameters = json_array();
    bool writes = !rd_streq(action, "get") && !rd_streq(action, "list");
    if (writes) {
        json_array_append_new(parameters, parameter("dryRun", "string"));
        json_array_append_new(parameters, parameter("fieldManager", "string"));
        json_array_append_new(parameters, parameter("fieldValidation", "string"));
    }
    if (rd_streq(action, "patch"))
        json_array_append_new(parameters, parameter("force", "boolean"));
    json_t *op = rd_json_pack("{s:s, s:o, s:{s:{s:s}}, s:s, s:{s:s, s:s, s:s}}", "operationId",
                              action, "parameters", parameters, "responses", "200", "description", "OK",
                              "x-kubernetes-action", action, "x-kubernetes-group-version-kind", "group",
                              r->group, "kind", r->kind, "version", version);
    if (rd_streq(action, "patch")) {
        json_t *content = json_object();
        static const char *const types[] = {"application/apply-patch+yaml", "application/json-patch+json",
                                            "application/merge-patch+json",
                                            "application/strategic-merge-patch+json"};
        for (size_t i = 0; i < RD_ARRAY_LEN(types); i++) {
            if (i < 3 || !r->custom)
                json_object_set_new(content, types[i], rd_json_pack("{s:{s:s}}", "schema", "type", "object"));
        }
        json_object_set_new(op, "requestBody", rd_json_pack("{s:o}", "content", content));
    }
    return op;
}

static void add_paths(json_t *paths, const struct kube_res *r, const char *version)
{
    RD_AUTOFREE char *root = *r->group == '\0' ? rd_asprintf("/api/%s", version)
                                               : rd_asprintf("/apis/%s/%s", r->group, version);
    RD_AUTOFREE char *all = rd_asprintf("%s/%s%s", root, r->namespaced ? "namespaces/{namespace}/" : "",
                                        r->plural);
    RD_AUTOFREE char *one = rd_asprintf("%s/{name}", all);
    json_t *many = json_object();
    if (kube_res_can(r, "list"))
        json_object_set_new(many, "get", operation(r, version, "list"));
    json_object_set_new(many, "post", operation(r, version, "post"));
    json_object_set_new(paths, all, many);
    if (!kube_res_can(r, "get"))
        return;
    json_object_set_new(paths, one,
                        rd_json_pack("{s:o, s:o, s:o, s:o}", "get", operation(r, version, "get"), "put",
                                     operation(r, version, "put"), "patch", operation(r, version, "patch"),
                                     "delete", operation(r, version, "delete")));
}

static json_t *info(void)
{
    return rd_json_pack("{s:s, s:s}", "title", "Kubernetes", "version", KUBE_GIT_VERSION);
}

#define REF3 "#/components/schemas/"

static json_t *kind_doc(struct kube_res *r, const char *version, const char *prefix)
{
    const struct kube_version *v = kube_res_version(r, version);
    json_t *doc = r->custom ? json_deep_copy(v->schema) : type_doc(kube_res_type(r, version), prefix, 0);
    if (doc == NULL)
        doc = json_object();
    json_object_set_new(doc, "x-kubernetes-group-version-kind",
                        rd_json_pack("[{s:s, s:s, s:s}]", "group", r->group, "kind", r->kind, "version",
                                     version));
    return doc;
}

static json_t *group_doc(struct kube_cluster *c, const char *group, const char *version)
{
    json_t *paths = json_object(), *schemas = json_object();
    bool builtin = false;
    rd_list_foreach (it, &c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        if (!r->served || !rd_streq(r->group, group) || kube_res_version(r, version) == NULL)
            continue;
        add_paths(paths, r, version);
        builtin = builtin || !r->custom;
        RD_AUTOFREE char *name =
            rd_asprintf("%s.%s.%s", *group == '\0' ? "io.k8s.api.core" : group, version, r->kind);
        json_object_set_new(schemas, name, kind_doc(r, version, REF3));
    }
    for (size_t i = 0; builtin && i < kube_type_count(); i++)
        json_object_set_new(schemas, kube_type_at(i)->name, type_doc(kube_type_at(i), REF3, 0));
    if (json_object_size(paths) == 0) {
        json_decref(paths);
        json_decref(schemas);
        return NULL;
    }
    return rd_json_pack("{s:s, s:o, s:o, s:{s:o}}", "openapi", "3.0.0", "info", info(), "paths", paths,
                        "components", "schemas", schemas);
}

static void reply_index(struct kube_call *k)
{
    json_t *paths = json_object();
    rd_list_foreach (it, &k->c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        for (size_t i = 0; r->served && i < r->version_count; i++) {
            RD_AUTOFREE char *path = *r->group == '\0'
                                         ? rd_asprintf("api/%s", r->versions[i].name)
                                         : rd_asprintf("apis/%s/%s", r->group, r->versions[i].name);
            /* The hash names this content; kubectl keeps documents by it. */
            json_object_set_new(paths, path,
                                rd_json_pack("{s:o}", "serverRelativeURL",
                                             json_sprintf("/openapi/v3/%s?hash=%s-%llu", path,
                                                          KUBE_GIT_VERSION,
                                                          (unsigned long long)k->c->discovery)));
        }
    }
    kube_call_reply(k, 200, rd_json_pack("{s:o}", "paths", paths));
}

bool kube_openapi(struct kube_call *k)
{
    const char *path = k->req->msg.path;
    if (!rd_starts_with(path, "/openapi/"))
        return false;
    struct rd_strv p = {0};
    rd_strv_split(&p, path, "/");
    json_t *doc = NULL;
    if (p.len == 2 && rd_streq(p.v[1], "v3")) {
        reply_index(k);
    } else if (p.len >= 4 && rd_streq(p.v[1], "v3")) {
        if (rd_streq(p.v[2], "api") && p.len == 4)
            doc = group_doc(k->c, "", p.v[3]);
        else if (rd_streq(p.v[2], "apis") && p.len == 5)
            doc = group_doc(k->c, p.v[3], p.v[4]);
    } else if (p.len == 2 && rd_streq(p.v[1], "v2")) {
        json_t *paths = json_object();
        rd_list_foreach (it, &k->c->resources) {
            struct kube_res *r = container_of(it, struct kube_res, node);
            for (size_t i = 0; r->served && i < r->version_count; i++)
                add_paths(paths, r, r->versions[i].name);
        }
        doc = rd_json_pack("{s:s, s:o, s:o, s:{}}", "swagger", "2.0", "info", info(), "paths", paths,
                           "definitions");
    }
    rd_strv_clear(&p);
    if (k->req == NULL)
        return true;
    if (doc != NULL) {
        kube_call_reply(k, 200, doc);
        return true;
    }
    struct emu_req *req = k->req;
    k->req = NULL;
    emu_reply_bytes(req, 404, "text/plain; charset=utf-8", "404 page not found\n", 19);
    return true;
}
