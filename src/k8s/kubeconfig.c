#include "k8s/kubeconfig.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "k8s/kubeconfig_parts.h"
#include "manifest/yaml.h"

#include <stdlib.h>
#include <string.h>

static const struct yaml_limits limits = {
    .bytes_max = (size_t)8 << 20, .nodes_max = 200000, .depth_max = 64, .docs_max = 16};

static const char *const lists[] = {"clusters", "users", "contexts"};
static const char *const bodies[] = {"cluster", "user", "context"};

/* One file being merged in. */
struct source {
    const char *file;
    const struct yaml_doc *doc;
};

/* "file:line" of a place in the file, or of the document where it is unknown; owned. */
static char *place(const struct source *from, const char *pointer)
{
    int line = yaml_marks_line(from->doc->marks, pointer);
    return rd_asprintf("%s:%d", from->file, line ? line : from->doc->line);
}

static bool refuse(const struct source *from, const char *pointer, struct rd_err **reterr,
                   const char *fmt, ...) RD_PRINTF(4, 5);
static bool refuse(const struct source *from, const char *pointer, struct rd_err **reterr,
                   const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    RD_AUTOFREE char *where = place(from, pointer);
    return rd_fail(reterr, RD_ERR_INPUT, "%s: %s", where, text);
}

/* Adds the named entries of one list; the first file that names one wins as a whole. */
static bool merge_list(json_t *into, const struct source *from, const char *what,
                       const char *body_key, struct rd_err **reterr)
{
    RD_AUTOFREE char *list_at = rd_asprintf("/%s", what);
    const json_t *list = json_object_get(from->doc->root, what);
    if (!list || json_is_null(list))
        return true;
    if (!json_is_array(list))
        return refuse(from, list_at, reterr, "%s must be a list", what);
    RD_AUTOJSON json_t *here = json_object();
    size_t i;
    json_t *entry;
    json_array_foreach (list, i, entry) {
        RD_AUTOFREE char *at = rd_asprintf("/%s/%zu", what, i);
        RD_AUTOFREE char *where = place(from, at);
        const char *name = rd_json_str(entry, "name", NULL);
        json_t *body = json_object_get(entry, body_key);
        if (!json_is_object(entry) || !name)
            return refuse(from, at, reterr, "%s[%zu] has no name", what, i);
        if (json_object_get(here, name))
            return refuse(from, at, reterr, "%s has \"%s\" twice", what, name);
        if (body && !json_is_null(body) && !json_is_object(body))
            return refuse(from, at, reterr, "%s \"%s\": %s must be a mapping", what, name, body_key);
        json_object_set_new(here, name, json_true());
        if (json_object_get(into, name))
            continue;
        json_t *kept = json_is_object(body) ? json_incref(body) : json_object();
        json_object_set_new(into, name, rd_json_pack("{s:s, s:s, s:o}", "file", from->file, "where",
                                                     where, "body", kept));
    }
    return true;
}

static bool merge_document(struct kubeconfig *k, const struct source *from, struct rd_err **reterr)
{
    const json_t *root = from->doc->root;
    if (json_is_null(root))
        return true;
    if (!json_is_object(root))
        return refuse(from, "", reterr, "a kubeconfig must be a mapping");
    const char *kind = rd_json_str(root, "kind", NULL);
    if (kind && !rd_streq(kind, "Config"))
        return refuse(from, "/kind", reterr, "kind is %s, not Config", kind);
    const char *version = rd_json_str(root, "apiVersion", NULL);
    if (version && !rd_streq(version, "v1"))
        return refuse(from, "/apiVersion", reterr, "apiVersion is %s, not v1", version);
    for (size_t i = 0; i < RD_ARRAY_LEN(lists); i++) {
        if (!merge_list(k->named[i], from, lists[i], bodies[i], reterr))
            return false;
    }
    const json_t *current = json_object_get(root, "current-context");
    if (current && !json_is_string(current) && !json_is_null(current))
        return refuse(from, "/current-context", reterr, "current-context must be a string");
    if (json_is_string(current) && json_string_length(current) && !k->current) {
        k->current = rd_strdup(json_string_value(current));
        k->current_at = place(from, "/current-context");
    }
    return true;
}

static bool merge_file(struct kubeconfig *k, const char *path, struct rd_err **reterr)
{
    struct yaml_stream stream = {0};
    if (!yaml_read_file(path, YAML_FOREIGN, &limits, true, &stream, reterr))
        return false;
    /* As kubectl does, only the first document counts. */
    struct source from = {.file = path, .doc = stream.docs};
    bool ok = !stream.len || merge_document(k, &from, reterr);
    yaml_stream_clear(&stream);
    return ok;
}

static bool load_files(const struct k8s_config_options *o, struct kubeconfig *k,
                       struct rd_err **reterr)
{
    if (o->path) {
        rd_str_dup(&k->files_text, o->path);
        return merge_file(k, o->path, reterr);
    }
    struct rd_strv paths = {0};
    const char *env = getenv("KUBECONFIG");
    const char *home = getenv("HOME");
    if (env && *env)
        rd_strv_split(&paths, env, ":");
    else if (home && *home)
        rd_strv_take(&paths, rd_path_join(home, ".kube/config"));
    bool ok = true;
    for (size_t i = 0; ok && i < paths.len; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen = seen || rd_streq(paths.v[i], paths.v[j]);
        if (seen || !rd_path_exists(paths.v[i]))
            continue;
        ok = merge_file(k, paths.v[i], reterr);
    }
    rd_str_dup(&k->files_text, env && *env ? env : paths.len ? paths.v[0] : "~/.kube/config");
    rd_strv_clear(&paths);
    return ok;
}

static void kubeconfig_clear(struct kubeconfig *k)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(k->named); i++)
        json_decref(k->named[i]);
    rd_freep(&k->current);
    rd_freep(&k->current_at);
    rd_freep(&k->files_text);
}

/* "a, b and 3 more" for messages. */
static char *names_text(const json_t *named)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(2048);
    size_t n = 0;
    const char *name;
    json_t *entry;
    json_object_foreach ((json_t *)named, name, entry) {
        if (n++ < 8)
            rd_buf_printf(&b, "%s%.100s", n > 1 ? ", " : "", name);
    }
    if (n > 8)
        rd_buf_printf(&b, " and %zu more", n - 8);
    return rd_buf_take(&b, NULL);
}

static bool pick(struct kubeconfig *k, const struct k8s_config_options *o, struct k8s_config *ret,
                 struct rd_err **reterr)
{
    const char *want = o->context ? o->context : k->current;
    const json_t *contexts = k->named[KUBECONFIG_CONTEXTS];
    if (!want || !json_object_get(contexts, want)) {
        RD_AUTOFREE char *names = names_text(contexts);
        if (want)
            rd_fail(reterr, RD_ERR_INPUT, "%s: no context \"%s\"",
                    o->context ? k->files_text : k->current_at, want);
        else
            rd_fail(reterr, RD_ERR_INPUT, "%s: no current-context", k->files_text);
        rd_err_hint(*reterr, *names ? "Name one with --context; there are: %s." : "It holds no context "
                                      "at all; is it the right file?%s",
                    names);
        return false;
    }
    const json_t *entry = json_object_get(contexts, want);
    const char *file = rd_json_str(entry, "file", NULL);
    RD_AUTOFREE char *where =
        rd_asprintf("%s: context \"%s\"", rd_json_str(entry, "where", NULL), want);
    struct kubeconfig_part context = {.where = where, .body = json_object_get(entry, "body")};
    char *cluster = NULL, *user = NULL;
    bool ok = kubeconfig_str(&context, "cluster", &cluster, reterr) &&
              kubeconfig_str(&context, "user", &user, reterr) &&
              kubeconfig_str(&context, "namespace", &ret->ns, reterr);
    if (ok && (!cluster || !json_object_get(k->named[KUBECONFIG_CLUSTERS], cluster)))
        ok = rd_fail(reterr, RD_ERR_INPUT, "%s: no cluster \"%s\"", where, cluster ? cluster : "");
    if (ok && user && !json_object_get(k->named[KUBECONFIG_USERS], user))
        ok = rd_fail(reterr, RD_ERR_INPUT, "%s: no user \"%s\"", where, user);
    if (ok) {
        ret->origin = rd_asprintf("%s, context %s", file, want);
        ret->context = rd_strdup(want);
        ret->user = rd_strdup(user);
        ok = kubeconfig_read_cluster(json_object_get(k->named[KUBECONFIG_CLUSTERS], cluster), cluster,
                                     ret, reterr) &&
             (!user || kubeconfig_read_user(json_object_get(k->named[KUBECONFIG_USERS], user), user,
                                            ret, reterr));
    }
    rd_freep(&cluster);
    rd_freep(&user);
    if (ok && !ret->ns)
        ret->ns = rd_strdup("default");
    return ok;
}

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

static bool in_cluster(const struct k8s_config_options *o, struct k8s_config *ret,
                       struct rd_err **reterr)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    const char *dir = o->in_cluster_dir ? o->in_cluster_dir : SERVICE_ACCOUNT;
    RD_AUTOFREE char *token = rd_path_join(dir, "token");
    if (o->no_in_cluster || !host || !*host || !port || !*port || !rd_path_exists(token))
        return false;
    RD_AUTOFREE char *ca = rd_path_join(dir, "ca.crt");
    RD_AUTOFREE char *ns = rd_path_join(dir, "namespace");
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (!rd_file_read(ca, (size_t)1 << 20, &text, reterr))
        return false;
    ret->tls.ca_pem = rd_buf_take(&text, NULL);
    if (rd_path_exists(ns)) {
        if (!rd_file_read(ns, 1024, &text, reterr))
            return false;
        ret->ns = rd_strndup(rd_buf_str(&text), strcspn(rd_buf_str(&text), " \r\n"));
    }
    if (!ret->ns || !*ret->ns)
        rd_str_dup(&ret->ns, "default");
    ret->origin = rd_strdup("in-cluster");
    ret->server = strchr(host, ':') ? rd_asprintf("https://[%s]:%s", host, port)
                                    : rd_asprintf("https://%s:%s", host, port);
    rd_str_dup(&ret->token_file, token);
    return http_url_check(ret->server, reterr);
}

bool k8s_config_load(const struct k8s_config_options *o, struct k8s_config *ret,
                     struct rd_err **reterr)
{
    struct kubeconfig k = {.named = {json_object(), json_object(), json_object()}};
    struct k8s_config c = {0};
    bool ok = load_files(o, &k, reterr);
    bool empty = true;
    for (size_t i = 0; i < RD_ARRAY_LEN(k.named); i++)
        empty = empty && json_object_size(k.named[i]) == 0;
    if (ok && empty && !o->path && !o->context) {
        ok = in_cluster(o, &c, reterr);
        if (!ok && !*reterr) {
            rd_fail(reterr, RD_ERR_INPUT, "no kubeconfig: nothing in %s", k.files_text);
            rd_err_hint(*reterr, "Name one with --kubeconfig or KUBECONFIG.");
        }
    } else if (ok) {
        ok = pick(&k, o, &c, reterr);
    }
    kubeconfig_clear(&k);
    if (ok)
        *ret = c;
    else
        k8s_config_clear(&c);
    return ok;
}

void k8s_config_clear(struct k8s_config *c)
{
    char **strings[] = {&c->origin,     &c->context,  &c->user,   &c->server,
                        &c->ns,         &c->proxy_url, &c->token_file, &c->username,
                        &c->as,         &c->as_uid,   &c->exec.command, &c->exec.api_version,
                        &c->exec.install_hint, &c->exec.interactive_mode};
    for (size_t i = 0; i < RD_ARRAY_LEN(strings); i++)
        rd_freep(strings[i]);
    http_tls_clear(&c->tls);
    rd_secret_clear(&c->token);
    rd_secret_clear(&c->password);
    rd_strv_clear(&c->exec.args);
    rd_strv_clear(&c->exec.env);
    rd_strv_clear(&c->as_groups);
    json_decref(c->exec.cluster_extension);
    json_decref(c->as_extra);
    memset(c, 0, sizeof(*c));
}
