/* Requests of one API server: who calls, may it, which resource and verb. */
#include "kube_internal.h"

#include "auth.h"
#include "route.h"

#include <stdlib.h>
#include <string.h>

static void call_clear(struct kube_call *k)
{
    free(k->group);
    free(k->version);
    free(k->ns);
    free(k->name);
    free(k->sub);
    kube_fail_clear(&k->fail);
}

static json_t *status_of(const struct kube_fail *f)
{
    json_t *s = rd_json_pack("{s:s, s:s, s:{}, s:s, s:s}", "kind", "Status", "apiVersion", "v1", "metadata",
                             "status", "Failure", "message", f->message);
    if (f->reason != NULL && *f->reason != '\0')
        json_object_set_new(s, "reason", json_string(f->reason));
    if (f->details != NULL)
        json_object_set(s, "details", f->details);
    json_object_set_new(s, "code", json_integer(f->code));
    return s;
}

static void reply(struct emu_req *req, int status, json_t *take)
{
    char id[37];
    kube_uid(req->emu, id);
    emu_req_add_header(req, "Audit-Id", id);
    emu_req_add_header(req, "Cache-Control", "no-cache, private");
    if (req->on_answer != NULL) {
        emu_reply_json(req, status, take);
        return;
    }
    /* kubectl shows what a browser-like client gets indented; everybody else gets one line. */
    RD_AUTOFREE char *text = json_dumps(take, JSON_COMPACT);
    RD_AUTOFREE char *line = rd_asprintf("%s\n", text);
    json_decref(take);
    emu_reply_bytes(req, status, "application/json", line, strlen(line));
}

void kube_call_reply(struct kube_call *k, int status, json_t *take)
{
    struct emu_req *req = k->req;
    k->req = NULL;
    reply(req, status, take);
}

void kube_call_status(struct kube_call *k, const struct kube_fail *f)
{
    kube_call_reply(k, f->code, status_of(f));
}

void kube_reply_status(struct emu_req *req, int code, const char *reason, const char *fmt, ...)
{
    struct kube_fail f = {.code = code, .reason = rd_strdup(reason)};
    va_list ap;
    va_start(ap, fmt);
    f.message = rd_vasprintf(fmt, ap);
    va_end(ap);
    reply(req, code, status_of(&f));
    kube_fail_clear(&f);
}

static void reply_text(struct kube_call *k, int status, const char *text)
{
    struct emu_req *req = k->req;
    k->req = NULL;
    emu_reply_bytes(req, status, "text/plain; charset=utf-8", text, strlen(text));
}

static json_t *version_doc(void)
{
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "major", "1", "minor", "35",
                        "gitVersion", KUBE_GIT_VERSION, "gitCommit",
                        "0000000000000000000000000000000000000000", "gitTreeState", "clean", "buildDate",
                        "2026-01-01T00:00:00Z", "goVersion", "go1.25.0", "compiler", "gc", "platform",
                        "linux/amd64");
}

/* Paths that are not resources. */
static bool serve_plain(struct kube_call *k, const char *path)
{
    if (rd_streq(path, "/version") || rd_streq(path, "/version/")) {
        kube_call_reply(k, 200, version_doc());
        return true;
    }
    static const char *const health[] = {"/readyz", "/livez", "/healthz"};
    for (size_t i = 0; i < RD_ARRAY_LEN(health); i++) {
        if (rd_starts_with(path, health[i])) {
            reply_text(k, 200, "ok");
            return true;
        }
    }
    return kube_discovery(k) || kube_openapi(k);
}

/* /api/V/... and /apis/G/V/...; false: not such a path. */
static bool parse_path(struct kube_call *k, const char *path)
{
    struct rd_strv raw = {0};
    rd_strv_split(&raw, path, "/");
    char *s[12] = {0};
    size_t n = raw.len;
    bool ok = n >= 3 && n <= RD_ARRAY_LEN(s);
    for (size_t i = 0; ok && i < n; i++)
        s[i] = emu_percent_decode(raw.v[i], strlen(raw.v[i]), false);
    rd_strv_clear(&raw);
    size_t at = 0;
    if (ok && rd_streq(s[0], "api")) {
        k->group = rd_strdup("");
        k->version = rd_strdup(s[1]);
        at = 2;
    } else if (ok && rd_streq(s[0], "apis") && n >= 4) {
        k->group = rd_strdup(s[1]);
        k->version = rd_strdup(s[2]);
        at = 3;
    } else {
        ok = false;
    }
    if (ok) {
        char *plural = s[at];
        bool is_sub = n - at == 3 && (rd_streq(s[n - 1], "status") || rd_streq(s[n - 1], "finalize"));
        if (rd_streq(plural, "namespaces") && n - at >= 3 && !(is_sub && *k->group == '\0')) {
            k->ns = rd_strdup(s[at + 1]);
            at += 2;
            plural = s[at];
        }
        k->name = at + 1 < n ? rd_strdup(s[at + 1]) : NULL;
        k->sub = rd_strdup(at + 2 < n ? s[at + 2] : "");
        k->res = kube_res_at(k->c, k->group, k->version, plural);
    }
    for (size_t i = 0; i < RD_ARRAY_LEN(s); i++)
        free(s[i]);
    return ok;
}

static bool version_known(struct kube_call *k)
{
    rd_list_foreach (it, &k->c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        if (r->served && rd_streq(r->group, k->group) && kube_res_version(r, k->version) != NULL)
            return true;
    }
    return false;
}

static const char *verb_of(const struct kube_call *k)
{
    const char *m = k->req->msg.method;
    if (rd_streq(m, "GET") || rd_streq(m, "HEAD"))
        return k->name != NULL                                ? "get"
               : emu_req_query_true(k->req, "watch") ? "watch"
                                                              : "list";
    if (rd_streq(m, "POST"))
        return "create";
    if (rd_streq(m, "PUT"))
        return "update";
    if (rd_streq(m, "PATCH"))
        return "patch";
    if (rd_streq(m, "DELETE"))
        return k->name != NULL ? "delete" : "deletecollection";
    return NULL;
}

static void forbid(struct kube_call *k, const char *verb, const char *permission)
{
    const char *who = strchr(k->req->caller, ':');
    RD_AUTOFREE char *where = k->res->namespaced && k->ns != NULL
                                  ? rd_asprintf("in the namespace \"%s\"", k->ns)
                                  : rd_strdup("at the cluster scope");
    RD_AUTOFREE char *name = k->name == NULL ? rd_strdup("") : rd_asprintf(" \"%s\"", k->name);
    RD_AUTOFREE char *what = *k->sub == '\0' ? rd_strdup(k->res->plural)
                                             : rd_asprintf("%s/%s", k->res->plural, k->sub);
    kube_fail(&k->fail, 403, "Forbidden",
              "%s%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group \"%s\" %s: requires "
              "one of [\"%s\"] permission(s).",
              k->res->name, name, who == NULL ? k->req->caller : who + 1, verb, what, k->group, where,
              permission);
    k->fail.details = rd_json_pack("{s:s}", "kind", k->res->plural);
    if (k->name != NULL)
        json_object_set_new(k->fail.details, "name", json_string(k->name));
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

struct kube_subres {
    struct rd_list node;
    char *resource, *sub;
    kube_sub_fn *fn;
    void *arg;
};

void kube_subresource(struct kube_cluster *c, const char *resource, const char *sub, kube_sub_fn *fn,
                      void *arg)
{
    struct kube_subres *s = rd_calloc(1, sizeof(*s));
    *s = (struct kube_subres){
        .resource = rd_strdup(resource), .sub = rd_strdup(sub), .fn = fn, .arg = arg};
    rd_list_append(&c->subs, &s->node);
}

void kube_subs_clear(struct kube_cluster *c)
{
    while (!rd_list_empty(&c->subs)) {
        struct kube_subres *s = container_of(c->subs.next, struct kube_subres, node);
        rd_list_remove(&s->node);
        free(s->resource);
        free(s->sub);
        free(s);
    }
}

/* Subresources that somebody behind the server answers. */
static bool serve_sub(struct kube_call *k)
{
    rd_list_foreach (it, &k->c->subs) {
        struct kube_subres *s = container_of(it, struct kube_subres, node);
        if (!rd_streq(s->sub, k->sub) || !rd_streq(s->resource, k->res->name))
            continue;
        const json_t *o = kube_find(k->res, k->ns, k->name);
        if (o == NULL) {
            not_found(k);
            return true;
        }
        struct emu_req *req = k->req;
        k->req = NULL;
        s->fn(k->c, o, req, s->arg);
        return true;
    }
    return false;
}

static void method_not_allowed(struct kube_call *k)
{
    kube_fail(&k->fail, 405, "MethodNotAllowed",
              "the server does not allow this method on the requested resource");
    k->fail.details = json_object();
    kube_call_status(k, &k->fail);
}

static void serve_get(struct kube_call *k)
{
    const json_t *o = kube_find(k->res, k->ns, k->name);
    if (o == NULL)
        not_found(k);
    else
        kube_call_object(k, 200, kube_in_version(k->res, o, k->version));
}

static void serve_resource(struct kube_call *k, const char *verb)
{
    if (kube_serve_review(k) || serve_sub(k))
        return;
    bool known = *k->sub == '\0' || rd_streq(k->sub, "status") || rd_streq(k->sub, "finalize") ||
                 rd_streq(k->sub, "scale");
    if (!known || (*k->sub != '\0' && !rd_strv_has(&k->res->subs, k->sub))) {
        kube_fail(&k->fail, 404, "NotFound", "the server could not find the requested resource");
        k->fail.details = json_object();
        kube_call_status(k, &k->fail);
        return;
    }
    if (rd_streq(k->sub, "scale") && kube_serve_scale(k))
        return;
    const char *m = k->req->msg.method;
    bool write = rd_streq(m, "POST") || rd_streq(m, "PUT") || rd_streq(m, "PATCH");
    if ((*k->sub == '\0' && !kube_res_can(k->res, verb)) ||
        (rd_streq(m, "POST") && k->name != NULL && *k->sub == '\0') ||
        (!rd_streq(m, "POST") && write && k->name == NULL) ||
        (rd_streq(m, "POST") && k->res->namespaced && k->ns == NULL))
        method_not_allowed(k);
    else if (write)
        kube_serve_write(k);
    else if (rd_streq(m, "DELETE"))
        kube_serve_delete(k);
    else if (k->name != NULL)
        serve_get(k);
    else if (rd_streq(verb, "watch"))
        kube_serve_watch(k);
    else
        kube_serve_list(k);
}

static void unauthorized(struct kube_call *k)
{
    kube_fail(&k->fail, 401, "Unauthorized", "Unauthorized");
    kube_call_status(k, &k->fail);
}

/* An apply that makes the object has to be allowed to make it, too. */
static bool creates_by_apply(const struct kube_call *k, const char *verb)
{
    const char *type = emu_req_header(k->req, "content-type");
    return rd_streq(verb, "patch") && *k->sub == '\0' && k->name != NULL && type != NULL &&
           strstr(type, "apply-patch") != NULL && kube_find(k->res, k->ns, k->name) == NULL;
}

void kube_serve(struct emu_req *req, void *arg)
{
    struct kube_call k = {.req = req, .c = arg};
    const char *path = req->msg.path, *why = NULL;
    bool open = rd_streq(path, "/version") || rd_starts_with(path, "/readyz") ||
                rd_starts_with(path, "/livez") || rd_starts_with(path, "/healthz");
    const char *caller = emu_auth_caller(req, &why);
    if (caller == NULL && (!open || emu_req_header(req, "authorization") != NULL)) {
        unauthorized(&k);
    } else if (req->msg.body_len > KUBE_BODY_MAX) {
        kube_fail(&k.fail, 413, "RequestEntityTooLarge", "Request entity too large: limit is %d",
                  KUBE_BODY_MAX);
        kube_call_status(&k, &k.fail);
    } else if (!serve_plain(&k, path)) {
        const char *verb = NULL;
        RD_AUTOFREE char *permission = NULL;
        if (!parse_path(&k, path) || !version_known(&k)) {
            reply_text(&k, 404, "404 page not found\n");
        } else if (k.res == NULL || (k.ns != NULL && !k.res->namespaced) ||
                   (k.ns == NULL && k.res->namespaced && k.name != NULL)) {
            kube_fail(&k.fail, 404, "NotFound", "the server could not find the requested resource");
            k.fail.details = json_object();
            kube_call_status(&k, &k.fail);
        } else if ((verb = verb_of(&k)) == NULL) {
            method_not_allowed(&k);
        } else if (!kube_authorized(k.c->emu, caller, verb, k.group, k.res->plural, k.sub,
                                    &permission)) {
            forbid(&k, verb, permission);
        } else if (creates_by_apply(&k, verb) &&
                   !kube_authorized(k.c->emu, caller, "create", k.group, k.res->plural, k.sub,
                                    &permission)) {
            forbid(&k, "create", permission);
        } else {
            serve_resource(&k, verb);
        }
    }
    RD_ASSERT(k.req == NULL);
    call_clear(&k);
}
