#include "k8s/kubeconfig_parts.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"

#include <string.h>

#define PEM_MAX ((size_t)1 << 20)

bool kubeconfig_str(const struct kubeconfig_part *p, const char *key, char **ret,
                    struct rd_err **reterr)
{
    const json_t *v = json_object_get(p->body, key);
    if (!v || json_is_null(v))
        return true;
    if (!json_is_string(v))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: %s must be a string", p->where, key);
    if (strlen(json_string_value(v)) != json_string_length(v))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: %s holds a NUL character", p->where, key);
    if (json_string_length(v))
        rd_str_dup(ret, json_string_value(v));
    return true;
}

static bool read_bool(const struct kubeconfig_part *p, const char *key, bool *ret,
                      struct rd_err **reterr)
{
    const json_t *v = json_object_get(p->body, key);
    if (!v || json_is_null(v))
        return true;
    if (!json_is_boolean(v))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: %s must be true or false", p->where, key);
    *ret = json_is_true(v);
    return true;
}

static bool read_strings(const struct kubeconfig_part *p, const char *key, struct rd_strv *ret,
                         struct rd_err **reterr)
{
    const json_t *list = json_object_get(p->body, key);
    if (!list || json_is_null(list))
        return true;
    if (!json_is_array(list))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: %s must be a list", p->where, key);
    size_t i;
    json_t *v;
    json_array_foreach (list, i, v) {
        if (!json_is_string(v))
            return rd_fail(reterr, RD_ERR_INPUT, "%s: %s[%zu] must be a string", p->where, key, i);
        rd_strv_add(ret, json_string_value(v));
    }
    return true;
}

static bool read_path(const struct kubeconfig_part *p, const char *key, char **ret,
                      struct rd_err **reterr)
{
    if (!kubeconfig_str(p, key, ret, reterr))
        return false;
    if (*ret && **ret != '/') {
        RD_AUTOFREE char *dir = rd_path_dir(p->file);
        rd_str_take(ret, rd_path_join(dir, *ret));
    }
    return true;
}

/* KEY-data (base64) wins over the file named by KEY. */
static bool read_pem(const struct kubeconfig_part *p, const char *key, char **ret,
                     struct rd_err **reterr)
{
    RD_AUTOFREE char *data_key = rd_asprintf("%s-data", key);
    RD_AUTOFREE char *data = NULL;
    RD_AUTOFREE char *path = NULL;
    if (!kubeconfig_str(p, data_key, &data, reterr) || !read_path(p, key, &path, reterr))
        return false;
    if (data) {
        size_t len;
        unsigned char *pem = rd_base64_decode(data, strlen(data), &len);
        rd_wipe(data, strlen(data));
        if (!pem || strlen((char *)pem) != len) {
            rd_freep(&pem);
            return rd_fail(reterr, RD_ERR_INPUT, "%s: %s is not base64 of a text", p->where, data_key);
        }
        rd_str_take(ret, (char *)pem);
    } else if (path) {
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        if (!rd_file_read(path, PEM_MAX, &b, reterr)) {
            rd_err_wrap(*reterr, "%s: %s", p->where, key);
            return false;
        }
        rd_str_take(ret, rd_buf_take(&b, NULL));
    } else {
        return true;
    }
    if (!strstr(*ret, "-----BEGIN "))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: %s holds no PEM block", p->where,
                       data ? data_key : key);
    return true;
}

static bool check_server(struct kubeconfig_part *p, struct k8s_config *ret, struct rd_err **reterr)
{
    if (!ret->server)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: no server", p->where);
    if (!strstr(ret->server, "://"))
        rd_str_take(&ret->server, rd_asprintf("https://%s", ret->server));
    size_t len = strlen(ret->server);
    while (len && ret->server[len - 1] == '/')
        ret->server[--len] = '\0';
    if (!http_url_check(ret->server, reterr)) {
        rd_err_wrap(*reterr, "%s: server", p->where);
        return false;
    }
    if (strpbrk(ret->server, "?#"))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: server must not have a query or fragment",
                       p->where);
    return true;
}

static bool check_proxy(struct kubeconfig_part *p, const char *url, struct rd_err **reterr)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://"};
    for (size_t i = 0; url && i < RD_ARRAY_LEN(schemes); i++) {
        if (rd_starts_with(url, schemes[i]))
            return true;
    }
    if (!url)
        return true;
    return rd_fail(reterr, RD_ERR_INPUT, "%s: proxy-url must start with http://, https:// or socks5://",
                   p->where);
}

static json_t *exec_extension(const json_t *cluster)
{
    size_t i;
    json_t *e;
    json_array_foreach (json_object_get(cluster, "extensions"), i, e) {
        if (rd_streq(rd_json_str(e, "name", NULL), "client.authentication.k8s.io/exec"))
            return json_incref(json_object_get(e, "extension"));
    }
    return NULL;
}

bool kubeconfig_read_cluster(const json_t *entry, const char *name, struct k8s_config *ret,
                             struct rd_err **reterr)
{
    const char *file = rd_json_str(entry, "file", NULL);
    RD_AUTOFREE char *where =
        rd_asprintf("%s: cluster \"%s\"", rd_json_str(entry, "where", NULL), name);
    struct kubeconfig_part p = {where, file, json_object_get(entry, "body")};
    if (!kubeconfig_str(&p, "server", &ret->server, reterr) ||
        !kubeconfig_str(&p, "tls-server-name", &ret->tls.server_name, reterr) ||
        !kubeconfig_str(&p, "proxy-url", &ret->proxy_url, reterr) ||
        !read_bool(&p, "insecure-skip-tls-verify", &ret->tls.insecure, reterr) ||
        !read_bool(&p, "disable-compression", &ret->disable_compression, reterr) ||
        !read_pem(&p, "certificate-authority", &ret->tls.ca_pem, reterr))
        return false;
    if (ret->tls.insecure && ret->tls.ca_pem)
        return rd_fail(reterr, RD_ERR_INPUT,
                       "%s: certificate-authority and insecure-skip-tls-verify exclude each other",
                       where);
    ret->exec.cluster_extension = exec_extension(p.body);
    return check_server(&p, ret, reterr) && check_proxy(&p, ret->proxy_url, reterr);
}

static bool read_secret(const struct kubeconfig_part *p, const char *key, struct rd_secret *ret,
                        struct rd_err **reterr)
{
    char *text = NULL;
    if (!kubeconfig_str(p, key, &text, reterr))
        return false;
    if (text)
        rd_secret_take(ret, text);
    return true;
}

static bool read_impersonation(const struct kubeconfig_part *p, struct k8s_config *ret,
                               struct rd_err **reterr)
{
    if (!kubeconfig_str(p, "as", &ret->as, reterr) ||
        !kubeconfig_str(p, "as-uid", &ret->as_uid, reterr) ||
        !read_strings(p, "as-groups", &ret->as_groups, reterr))
        return false;
    const json_t *extra = json_object_get(p->body, "as-user-extra");
    if (extra && !json_is_null(extra)) {
        if (!json_is_object(extra))
            return rd_fail(reterr, RD_ERR_INPUT, "%s: as-user-extra must be a mapping", p->where);
        const char *key;
        json_t *values;
        json_object_foreach ((json_t *)extra, key, values) {
            struct rd_strv checked = {0};
            struct kubeconfig_part part = {p->where, p->file, extra};
            bool ok = read_strings(&part, key, &checked, reterr);
            rd_strv_clear(&checked);
            if (!ok)
                return false;
        }
        ret->as_extra = json_deep_copy(extra);
    }
    if (!ret->as && (ret->as_uid || ret->as_groups.len || ret->as_extra))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: as-uid, as-groups and as-user-extra need as",
                       p->where);
    return true;
}

static bool read_exec_env(const struct kubeconfig_part *p, struct k8s_exec_config *e,
                          struct rd_err **reterr)
{
    size_t i;
    json_t *v;
    const json_t *env = json_object_get(p->body, "env");
    if (env && !json_is_null(env) && !json_is_array(env))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: env must be a list", p->where);
    json_array_foreach (env, i, v) {
        const char *name = rd_json_str(v, "name", NULL);
        const char *value = rd_json_str(v, "value", NULL);
        if (!name || !*name || strchr(name, '='))
            return rd_fail(reterr, RD_ERR_INPUT, "%s: env[%zu] has no usable name", p->where, i);
        rd_strv_take(&e->env, rd_asprintf("%s=%s", name, value ? value : ""));
    }
    return true;
}

static bool check_exec(const struct kubeconfig_part *p, struct k8s_exec_config *e,
                       struct rd_err **reterr)
{
    static const char *const modes[] = {"Never", "IfAvailable", "Always", NULL};
    if (!e->command)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: no command", p->where);
    if (!e->api_version)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: no apiVersion", p->where);
    bool v1 = rd_streq(e->api_version, "client.authentication.k8s.io/v1");
    if (!v1 && !rd_streq(e->api_version, "client.authentication.k8s.io/v1beta1")) {
        rd_fail(reterr, RD_ERR_INPUT, "%s: apiVersion %s is not supported", p->where, e->api_version);
        rd_err_hint(*reterr, "Use client.authentication.k8s.io/v1 or v1beta1; update the plugin if it "
                             "knows neither.");
        return false;
    }
    if (!e->interactive_mode && v1)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: interactiveMode is required with %s", p->where,
                       e->api_version);
    if (!e->interactive_mode)
        e->interactive_mode = rd_strdup("IfAvailable");
    for (size_t i = 0; modes[i]; i++) {
        if (rd_streq(modes[i], e->interactive_mode))
            return true;
    }
    return rd_fail(reterr, RD_ERR_INPUT, "%s: interactiveMode %s is not Never, IfAvailable or Always",
                   p->where, e->interactive_mode);
}

static bool read_exec(const struct kubeconfig_part *user, struct k8s_exec_config *e,
                      struct rd_err **reterr)
{
    const json_t *exec = json_object_get(user->body, "exec");
    if (!exec || json_is_null(exec))
        return true;
    if (!json_is_object(exec))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: exec must be a mapping", user->where);
    RD_AUTOFREE char *where = rd_asprintf("%s: exec", user->where);
    struct kubeconfig_part p = {where, user->file, exec};
    if (!kubeconfig_str(&p, "command", &e->command, reterr) ||
        !read_strings(&p, "args", &e->args, reterr) || !read_exec_env(&p, e, reterr) ||
        !kubeconfig_str(&p, "apiVersion", &e->api_version, reterr) ||
        !kubeconfig_str(&p, "installHint", &e->install_hint, reterr) ||
        !kubeconfig_str(&p, "interactiveMode", &e->interactive_mode, reterr) ||
        !read_bool(&p, "provideClusterInfo", &e->provide_cluster_info, reterr))
        return false;
    /* A bare name goes through PATH; anything with a slash is relative to the file. */
    if (e->command && *e->command != '/' && strchr(e->command, '/')) {
        RD_AUTOFREE char *dir = rd_path_dir(p.file);
        rd_str_take(&e->command, rd_path_join(dir, e->command));
    }
    return check_exec(&p, e, reterr);
}

static bool check_user(const struct kubeconfig_part *p, struct k8s_config *ret,
                       struct rd_err **reterr)
{
    const json_t *provider = json_object_get(p->body, "auth-provider");
    bool token = rd_secret_is_set(&ret->token) || ret->token_file;
    if (provider && !json_is_null(provider) && !ret->exec.command && !token) {
        const char *name = rd_json_str(provider, "name", NULL);
        rd_fail(reterr, RD_ERR_INPUT, "%s: auth-provider \"%s\" was removed from Kubernetes clients "
                "in 1.26", p->where, name ? name : "");
        rd_err_hint(*reterr, "Write the entry anew with an exec plugin, for GKE: gcloud container "
                             "clusters get-credentials.");
        return false;
    }
    if (token && (ret->username || rd_secret_is_set(&ret->password)))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: token and username/password exclude each other",
                       p->where);
    bool key = rd_secret_is_set(&ret->tls.key_pem);
    if ((ret->tls.cert_pem != NULL) != key)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: client-%s without client-%s", p->where,
                       key ? "key" : "certificate", key ? "certificate" : "key");
    return true;
}

bool kubeconfig_read_user(const json_t *entry, const char *name, struct k8s_config *ret,
                          struct rd_err **reterr)
{
    const char *file = rd_json_str(entry, "file", NULL);
    RD_AUTOFREE char *where = rd_asprintf("%s: user \"%s\"", rd_json_str(entry, "where", NULL), name);
    struct kubeconfig_part p = {where, file, json_object_get(entry, "body")};
    char *key = NULL;
    bool ok = read_pem(&p, "client-certificate", &ret->tls.cert_pem, reterr) &&
              read_pem(&p, "client-key", &key, reterr);
    if (key)
        rd_secret_take(&ret->tls.key_pem, key);
    return ok && read_secret(&p, "token", &ret->token, reterr) &&
           read_path(&p, "tokenFile", &ret->token_file, reterr) &&
           kubeconfig_str(&p, "username", &ret->username, reterr) &&
           read_secret(&p, "password", &ret->password, reterr) &&
           read_impersonation(&p, ret, reterr) && read_exec(&p, &ret->exec, reterr) &&
           check_user(&p, ret, reterr);
}
