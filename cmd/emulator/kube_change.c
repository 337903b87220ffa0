/* POST, PUT, PATCH and DELETE of resources. */
#include "kube_internal.h"
#include "kube_proto.h"

#include <stdlib.h>
#include <string.h>

static bool check_options(struct kube_call *k, const char *type, bool apply, struct kube_write *w,
                          char **ret_manager)
{
    RD_AUTOFREE char *manager = emu_req_query(k->req, "fieldManager");
    RD_AUTOFREE char *dry = emu_req_query(k->req, "dryRun");
    RD_AUTOFREE char *validation = emu_req_query(k->req, "fieldValidation");
    RD_AUTOFREE char *force = emu_req_query(k->req, "force");
    const char *field = NULL, *reason = "FieldValueInvalid";
    RD_AUTOFREE char *why = NULL;
    if (dry != NULL && *dry != '\0' && !rd_streq(dry, "All")) {
        field = "dryRun";
        reason = "FieldValueNotSupported";
        why = rd_asprintf("Unsupported value: \"%s\": supported values: \"All\"", dry);
    } else if (validation != NULL && *validation != '\0' && !rd_streq(validation, "Strict") &&
               !rd_streq(validation, "Warn") && !rd_streq(validation, "Ignore")) {
        field = "fieldValidation";
        reason = "FieldValueNotSupported";
        why = rd_asprintf("Unsupported value: \"%s\": supported values: \"Ignore\", \"Strict\", \"Warn\"",
                          validation);
    } else if (apply && (manager == NULL || *manager == '\0')) {
        field = "fieldManager";
        reason = "FieldValueRequired";
        why = rd_strdup("Required value: is required for apply patch");
    } else if (force != NULL && !apply && rd_streq(type, "PatchOptions")) {
        field = "force";
        reason = "FieldValueForbidden";
        why = rd_strdup("Forbidden: may not be specified for non-apply patch");
    } else if (manager != NULL && strlen(manager) > 128) {
        field = "fieldManager";
        reason = "FieldValueTooLong";
        why = rd_strdup("Too long: may not be more than 128 bytes");
    }
    if (field != NULL) {
        kube_fail(&k->fail, 422, "Invalid", "%s.meta.k8s.io \"\" is invalid: %s: %s", type, field, why);
        k->fail.details = rd_json_pack("{s:s, s:s}", "group", "meta.k8s.io", "kind", type);
        kube_fail_cause(&k->fail, reason, why, field);
        return false;
    }
    w->dry_run = rd_streq(dry, "All");
    w->force = rd_streq(force, "true");
    w->apply = apply;
    if (manager == NULL || *manager == '\0') {
        const char *agent = emu_req_header(k->req, "user-agent");
        rd_str_take(&manager, rd_strndup(agent == NULL ? "unknown" : agent,
                                         agent == NULL ? 7 : strcspn(agent, "/ ")));
    }
    *ret_manager = manager;
    manager = NULL;
    return true;
}

static enum kube_validation validation_of(const struct kube_call *k)
{
    RD_AUTOFREE char *v = emu_req_query(k->req, "fieldValidation");
    return rd_streq(v, "Strict") ? KUBE_STRICT : rd_streq(v, "Ignore") ? KUBE_IGNORE : KUBE_WARN;
}

static void warn(struct kube_call *k, const char *text)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(16 * 1024);
    rd_buf_puts(&out, "299 - \"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            rd_buf_putc(&out, '\\');
        rd_buf_putc(&out, *text);
    }
    rd_buf_putc(&out, '"');
    emu_req_add_header(k->req, "Warning", rd_buf_str(&out));
}

static bool media_is(const char *type, const char *want)
{
    size_t len = type == NULL ? 0 : strcspn(type, "; ");
    return len == strlen(want) && strncasecmp(type, want, len) == 0;
}

/* The body as JSON; *ret_twice (owned) is what jansson says of duplicate keys. */
static json_t *read_body(struct kube_call *k, char **ret_twice)
{
    json_error_t e = {.text = "the body is not in a form that is known here"};
    json_t *v = kube_proto_is(k->req) ? kube_proto_read(k->req) : NULL;
    if (v != NULL)
        return v;
    v = json_loadb(k->req->msg.body, k->req->msg.body_len, JSON_REJECT_DUPLICATES, &e);
    if (v == NULL && json_error_code(&e) == json_error_duplicate_key) {
        const char *at = strstr(e.text, "'"), *end = at == NULL ? NULL : strchr(at + 1, '\'');
        at = strchr(e.text, '"') != NULL && at == NULL ? strchr(e.text, '"') : at;
        end = at == NULL ? NULL : strchr(at + 1, *at);
        *ret_twice = end == NULL ? rd_strdup("duplicate field")
                                 : rd_asprintf("duplicate field \"%.*s\"", (int)(end - at - 1), at + 1);
        v = json_loadb(k->req->msg.body, k->req->msg.body_len, 0, &e);
    }
    if (v == NULL)
        kube_fail(&k->fail, 400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: %s",
                  k->res->kind, k->version, k->res->kind, e.text);
    return v;
}

/* Unknown and duplicate fields, as fieldValidation wants them treated; then they are gone. */
static bool judge_fields(struct kube_call *k, json_t *object, const char *twice, bool apply)
{
    enum kube_validation how = validation_of(k);
    const struct kube_type *t = kube_res_type(k->res, k->version);
    struct rd_strv unknown = {0};
    kube_type_unknown(t, object, &unknown);
    if (twice != NULL)
        rd_strv_add(&unknown, twice);
    bool ok = true;
    if (unknown.len > 0 && how == KUBE_STRICT) {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        for (size_t i = 0; i < unknown.len; i++)
            rd_buf_printf(&text, "%s%s", i == 0 ? "" : ", ", unknown.v[i]);
        if (apply && twice == NULL) {
            /* The real server's typed conversion gives up first; its Status has no reason. */
            const char *field = strchr(unknown.v[0], '"') + 1;
            kube_fail(&k->fail, 500, "", "failed to create typed patch object (%s/%s; %s%s%s, Kind=%s): .%.*s: field not declared in schema",
                      k->ns == NULL ? "" : k->ns, k->name, k->group, *k->group == '\0' ? "" : "/",
                      k->version, k->res->kind, (int)strcspn(field, "\""), field);
        } else {
            kube_fail(&k->fail, 400, "BadRequest",
                      "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
                      k->res->kind, k->version, k->res->kind, rd_buf_str(&text));
        }
        ok = false;
    }
    for (size_t i = 0; ok && how == KUBE_WARN && i < unknown.len; i++)
        warn(k, unknown.v[i]);
    rd_strv_clear(&unknown);
    if (ok)
        kube_type_prune(t, object);
    return ok;
}

/* apiVersion and kind are those of the path, the name is that of the path. */
static bool check_identity(struct kube_call *k, json_t *object)
{
    RD_AUTOFREE char *api = kube_api_version(k->res, k->version);
    const char *given = rd_json_str(object, "apiVersion", NULL), *kind = rd_json_str(object, "kind", NULL);
    if (given == NULL && kind == NULL) {
        json_object_set_new(object, "apiVersion", json_string(api));
        json_object_set_new(object, "kind", json_string(k->res->kind));
    } else if (!rd_streq(given, api) || !rd_streq(kind, k->res->kind)) {
        return kube_fail(&k->fail, 400, "BadRequest",
                         "the API version in the data (%s) does not match the expected API version (%s)",
                         rd_streq(given, api) ? kind : given == NULL ? "" : given,
                         rd_streq(given, api) ? k->res->kind : api);
    }
    const char *ns = kube_meta(object, "namespace"), *name = kube_meta(object, "name");
    if (*ns != '\0' && k->ns != NULL && !rd_streq(ns, k->ns))
        return kube_fail(&k->fail, 400, "BadRequest",
                         "the namespace of the provided object does not match the namespace sent on the "
                         "request");
    if (k->name != NULL && *name != '\0' && !rd_streq(name, k->name))
        return kube_fail(&k->fail, 400, "BadRequest",
                         "the name of the object (%s) does not match the name on the URL (%s)", name,
                         k->name);
    return true;
}

static void end(struct kube_call *k, struct kube_write *w, json_t *result)
{
    if (result == NULL) {
        kube_call_status(k, &w->fail);
        kube_fail_clear(&w->fail);
        return;
    }
    json_t *out = kube_in_version(k->res, result, k->version);
    json_decref(result);
    kube_call_object(k, w->created ? 201 : 200, out);
}

static void already_exists(struct kube_call *k, const char *name)
{
    kube_fail(&k->fail, 409, "AlreadyExists", "%s \"%s\" already exists", k->res->name, name);
    k->fail.details = rd_json_pack("{s:s, s:s}", "name", name, "kind", k->res->plural);
    if (*k->group != '\0')
        json_object_set_new(k->fail.details, "group", json_string(k->group));
    kube_call_status(k, &k->fail);
}

static void not_found(struct kube_call *k)
{
    kube_fail(&k->fail, 404, "NotFound", "%s \"%s\" not found", k->res->name, k->name);
    k->fail.details = rd_json_pack("{s:s, s:s}", "name", k->name, "kind", k->res->plural);
    if (*k->group != '\0')
        json_object_set_new(k->fail.details, "group", json_string(k->group));
    kube_call_status(k, &k->fail);
}

static void create(struct kube_call *k, struct kube_write *w)
{
    RD_AUTOFREE char *twice = NULL;
    json_t *object = read_body(k, &twice);
    if (object == NULL || !check_identity(k, object) || !judge_fields(k, object, twice, false)) {
        json_decref(object);
        kube_call_status(k, &k->fail);
        return;
    }
    const char *name = kube_meta(object, "name");
    if (*name != '\0' && kube_find(k->res, k->ns, name) != NULL) {
        already_exists(k, name);
        json_decref(object);
        return;
    }
    end(k, w, kube_write(w, NULL, object));
}

static void update(struct kube_call *k, struct kube_write *w)
{
    RD_AUTOFREE char *twice = NULL;
    json_t *object = read_body(k, &twice);
    if (object == NULL || !check_identity(k, object) || !judge_fields(k, object, twice, false)) {
        json_decref(object);
        kube_call_status(k, &k->fail);
        return;
    }
    RD_AUTOJSON json_t *old = json_incref(kube_find(k->res, k->ns, k->name));
    if (old == NULL) {
        json_decref(object);
        not_found(k);
        return;
    }
    /* Some kinds cannot be replaced without saying which version was seen. */
    if (k->res->custom && *kube_meta(object, "resourceVersion") == '\0') {
        kube_fail(&k->fail, 422, "Invalid",
                  "%s.%s \"%s\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified "
                  "for an update",
                  k->res->plural, k->group, k->name);
        k->fail.details = rd_json_pack("{s:s, s:s, s:s}", "name", k->name, "group", k->group, "kind",
                                       k->res->plural);
        kube_fail_cause(&k->fail, "FieldValueInvalid", "Invalid value: 0: must be specified for an update",
                        "metadata.resourceVersion");
        json_decref(object);
        kube_call_status(k, &k->fail);
        return;
    }
    end(k, w, kube_write(w, old, object));
}

static void apply(struct kube_call *k, struct kube_write *w)
{
    RD_AUTOFREE char *twice = NULL;
    json_t *config = read_body(k, &twice);
    bool ok = config != NULL && check_identity(k, config) && judge_fields(k, config, twice, true);
    if (ok && json_array_size(rd_json_get(config, "metadata", "managedFields", NULL)) > 0)
        ok = kube_fail(&k->fail, 400, "BadRequest", "metadata.managedFields must be nil");
    const json_t *now = kube_find(k->res, k->ns, k->name);
    if (ok && now == NULL && *kube_meta(config, "uid") != '\0')
        ok = kube_fail(&k->fail, 409, "Conflict",
                       "uid mismatch: the provided object specified uid %s, and no existing object was found",
                       kube_meta(config, "uid"));
    if (!ok) {
        json_decref(config);
        kube_call_status(k, &k->fail);
        return;
    }
    json_object_del(json_object_get(config, "metadata"), "managedFields");
    if (*kube_meta(config, "name") == '\0') {
        if (!json_is_object(json_object_get(config, "metadata")))
            json_object_set_new(config, "metadata", json_object());
        json_object_set_new(json_object_get(config, "metadata"), "name", json_string(k->name));
    }
    RD_AUTOJSON json_t *old = json_incref((json_t *)now);
    if (old == NULL && *k->sub != '\0') {
        json_decref(config);
        not_found(k);
        return;
    }
    end(k, w, kube_apply(w, old, config));
}

static void patch(struct kube_call *k, struct kube_write *w, const char *type)
{
    RD_AUTOJSON json_t *body = json_loadb(k->req->msg.body, k->req->msg.body_len, 0, NULL);
    RD_AUTOJSON json_t *old = json_incref(kube_find(k->res, k->ns, k->name));
    if (old == NULL) {
        not_found(k);
        return;
    }
    json_t *shown = kube_in_version(k->res, old, k->version);
    json_t *fresh = kube_patch(kube_res_type(k->res, k->version), type, shown, body, &k->fail);
    json_decref(shown);
    if (fresh == NULL || !check_identity(k, fresh) || !judge_fields(k, fresh, NULL, false)) {
        json_decref(fresh);
        kube_call_status(k, &k->fail);
        return;
    }
    end(k, w, kube_write(w, old, fresh));
}

static void unsupported(struct kube_call *k, const char *want)
{
    kube_fail(&k->fail, 415, "UnsupportedMediaType",
              "the body of the request was in an unknown format - accepted media types include: %s", want);
    k->fail.details = json_object();
    kube_call_status(k, &k->fail);
}

void kube_serve_write(struct kube_call *k)
{
    const char *method = k->req->msg.method, *type = emu_req_header(k->req, "content-type");
    bool is_patch = rd_streq(method, "PATCH");
    bool is_apply = is_patch && media_is(type, "application/apply-patch+yaml");
    struct kube_write w = {.c = k->c,
                           .res = k->res,
                           .version = k->version,
                           .ns = k->ns,
                           .name = k->name,
                           .sub = k->sub};
    RD_AUTOFREE char *manager = NULL;
    const char *options = is_patch                    ? "PatchOptions"
                          : rd_streq(method, "POST") ? "CreateOptions"
                                                      : "UpdateOptions";
    if (!check_options(k, options, is_apply, &w, &manager)) {
        kube_call_status(k, &k->fail);
        return;
    }
    w.manager = manager;
    bool strategic = media_is(type, "application/strategic-merge-patch+json");
    if (is_apply)
        apply(k, &w);
    else if (is_patch && ((strategic && !k->res->custom) || media_is(type, "application/merge-patch+json") ||
                          media_is(type, "application/json-patch+json")))
        patch(k, &w, type);
    else if (is_patch)
        unsupported(k, k->res->custom ? "application/json-patch+json, application/merge-patch+json, "
                                        "application/apply-patch+yaml"
                                      : "application/json-patch+json, application/merge-patch+json, "
                                        "application/strategic-merge-patch+json, "
                                        "application/apply-patch+yaml");
    else if (type != NULL && !media_is(type, "application/json") && !kube_proto_is(k->req))
        unsupported(k, "application/json");
    else if (rd_streq(method, "POST"))
        create(k, &w);
    else
        update(k, &w);
}

static const char *default_propagation(const struct kube_call *k, const json_t *options)
{
    json_t *orphan = json_object_get(options, "orphanDependents");
    const char *p = rd_json_str(options, "propagationPolicy", NULL);
    return p != NULL ? p : json_is_true(orphan) ? "Orphan" : k->res == NULL ? NULL : "Background";
}

static void delete_fill(struct kube_call *k, struct kube_delete *d, const json_t *options)
{
    d->c = k->c;
    d->res = k->res;
    d->ns = k->ns;
    d->propagation = default_propagation(k, options);
    d->uid = rd_json_str(options, "preconditions", "uid", NULL);
    d->rv = rd_json_str(options, "preconditions", "resourceVersion", NULL);
    d->grace_s = (long)rd_json_path_int(options, "gracePeriodSeconds", -1);
    d->dry_run = json_array_size(json_object_get(options, "dryRun")) > 0;
}

static json_t *read_options(struct kube_call *k)
{
    json_t *options = kube_proto_is(k->req) ? kube_proto_read(k->req) : emu_req_json(k->req);
    if (options == NULL || json_object_size(options) > 0)
        return options;
    static const char *const words[] = {"propagationPolicy", "orphanDependents"};
    for (size_t i = 0; i < RD_ARRAY_LEN(words); i++) {
        RD_AUTOFREE char *v = emu_req_query(k->req, words[i]);
        if (v != NULL)
            json_object_set_new(options, words[i], i == 1 ? json_boolean(rd_streq(v, "true")) : json_string(v));
    }
    RD_AUTOFREE char *grace = emu_req_query(k->req, "gracePeriodSeconds");
    if (grace != NULL)
        json_object_set_new(options, "gracePeriodSeconds", json_integer(strtol(grace, NULL, 10)));
    RD_AUTOFREE char *dry = emu_req_query(k->req, "dryRun");
    if (dry != NULL)
        json_object_set_new(options, "dryRun", rd_json_pack("[s]", dry));
    return options;
}

static void delete_one(struct kube_call *k, const json_t *options)
{
    struct kube_delete d = {.name = k->name};
    delete_fill(k, &d, options);
    json_t *last = kube_delete_run(&d);
    if (last == NULL) {
        kube_call_status(k, &d.fail);
    } else if (d.gone && !rd_streq(k->res->name, "pods")) {
        json_t *s = rd_json_pack("{s:s, s:s, s:{}, s:s, s:{s:s, s:s, s:s}}", "kind", "Status", "apiVersion",
                                 "v1", "metadata", "status", "Success", "details", "name", k->name, "kind",
                                 k->res->plural, "uid", kube_meta(last, "uid"));
        if (*k->group != '\0')
            json_object_set_new(json_object_get(s, "details"), "group", json_string(k->group));
        kube_call_reply(k, 200, s);
        json_decref(last);
    } else {
        json_t *out = kube_in_version(k->res, last, k->version);
        json_decref(last);
        kube_call_object(k, 200, out);
    }
    kube_fail_clear(&d.fail);
}

static void delete_many(struct kube_call *k, const json_t *options)
{
    struct kube_select s = {0};
    if (!kube_select_parse(&s, k->req, k->res, &k->fail)) {
        kube_call_status(k, &k->fail);
        return;
    }
    RD_AUTOJSON json_t *all = kube_sorted(k->res, k->ns);
    RD_AUTOFREE char *api = kube_api_version(k->res, k->version);
    json_t *items = json_array();
    size_t i;
    json_t *o;
    json_array_foreach (all, i, o) {
        if (!kube_selected(&s, o))
            continue;
        struct kube_delete d = {0};
        delete_fill(k, &d, options);
        d.ns = kube_meta(o, "namespace");
        d.name = kube_meta(o, "name");
        json_t *last = kube_delete_run(&d);
        if (last != NULL)
            json_array_append_new(items, last);
        kube_fail_clear(&d.fail);
    }
    kube_select_clear(&s);
    kube_call_reply(k, 200,
                    rd_json_pack("{s:s, s:s, s:{s:o}, s:o}", "kind", k->res->list_kind, "apiVersion", api,
                                 "metadata", "resourceVersion",
                                 json_sprintf("%lld", (long long)k->c->rv), "items", items));
}

void kube_serve_delete(struct kube_call *k)
{
    RD_AUTOJSON json_t *options = read_options(k);
    const char *p = rd_json_str(options, "propagationPolicy", NULL);
    bool known = p == NULL || rd_streq(p, "Foreground") || rd_streq(p, "Background") || rd_streq(p, "Orphan");
    if (options == NULL || !known) {
        kube_fail(&k->fail, options == NULL ? 400 : 422, options == NULL ? "BadRequest" : "Invalid",
                  "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"%s\": "
                  "supported values: \"Foreground\", \"Background\", \"Orphan\"",
                  p == NULL ? "" : p);
        kube_call_status(k, &k->fail);
    } else if (k->name != NULL) {
        delete_one(k, options);
    } else {
        delete_many(k, options);
    }
}
