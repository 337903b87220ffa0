#include "kubeconfig_merge.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"
#include "manifest/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KUBECONFIG_MAX ((size_t)8 << 20)

static bool list_of(json_t *tree, const char *key, json_t **ret, struct rd_err **reterr)
{
    *ret = json_object_get(tree, key);
    if (!*ret || json_is_null(*ret)) {
        *ret = json_array();
        json_object_set_new(tree, key, *ret);
    }
    return json_is_array(*ret) ||
           rd_fail(reterr, RD_ERR_INPUT, "the kubeconfig's %s are no list", key);
}

/* Replaces the entry of that name, or adds it. */
static bool put(json_t *tree, const char *key, const char *name, const char *part, json_t *take_value,
                struct rd_err **reterr)
{
    RD_AUTOJSON json_t *entry = rd_json_pack("{s:s, s:o}", "name", name, part, take_value);
    json_t *list, *one;
    size_t i;
    if (!list_of(tree, key, &list, reterr))
        return false;
    json_array_foreach(list, i, one) {
        if (rd_streq(rd_json_str(one, "name", NULL), name)) {
            json_array_set(list, i, entry);
            return true;
        }
    }
    json_array_append(list, entry);
    return true;
}

static json_t *cluster_of(const struct kubeconfig_entry *e)
{
    json_t *c = rd_json_pack("{s:s}", "server", e->server);
    if (e->ca_pem) {
        RD_AUTOFREE char *text = rd_base64_encode(e->ca_pem, strlen(e->ca_pem));
        json_object_set_new(c, "certificate-authority-data", json_string(text));
    } else if (e->ca_file) {
        json_object_set_new(c, "certificate-authority", json_string(e->ca_file));
    }
    return c;
}

static json_t *user_of(const struct kubeconfig_entry *e)
{
    if (e->user)
        return json_deep_copy(e->user);
    return rd_json_pack("{s:{s:s, s:s, s:O, s:s, s:b, s:s}}", "exec", "apiVersion",
                        "client.authentication.k8s.io/v1", "command", e->command, "args", e->args,
                        "interactiveMode", "Never", "provideClusterInfo", 0, "installHint",
                        "This entry was written by raydeploy credentials; the program is no longer "
                        "where it was.");
}

bool kubeconfig_put(json_t *tree, const struct kubeconfig_entry *e, struct rd_err **reterr)
{
    const char *kind = rd_json_str(tree, "kind", NULL);
    if (!json_is_object(tree) || (kind && !rd_streq(kind, "Config")))
        return rd_fail(reterr, RD_ERR_INPUT, "it is not a kubeconfig");
    if (!rd_json_str(tree, "apiVersion", NULL))
        json_object_set_new(tree, "apiVersion", json_string("v1"));
    if (!kind)
        json_object_set_new(tree, "kind", json_string("Config"));
    const char *user = e->user_name ? e->user_name : e->name;
    json_t *context = rd_json_pack("{s:s, s:s}", "cluster", e->name, "user", user);
    if (!put(tree, "clusters", e->name, "cluster", cluster_of(e), reterr) ||
        !put(tree, "users", user, "user", user_of(e), reterr)) {
        json_decref(context);
        return false;
    }
    if (!put(tree, "contexts", e->name, "context", context, reterr))
        return false;
    json_object_set_new(tree, "current-context", json_string(e->name));
    return true;
}

static bool read_tree(const char *path, json_t **ret, struct rd_err **reterr)
{
    *ret = NULL;
    if (!rd_path_exists(path)) {
        *ret = json_object();
        return true;
    }
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(KUBECONFIG_MAX);
    struct yaml_stream s;
    if (!rd_file_read(path, KUBECONFIG_MAX, &b, reterr) ||
        !yaml_read(rd_buf_str(&b), b.len, path, YAML_FOREIGN, NULL, false, &s, reterr))
        return false;
    if (s.len == 1 && json_is_object(s.docs[0].root))
        *ret = json_incref(s.docs[0].root);
    else if (s.len == 0 || json_is_null(s.docs[0].root))
        *ret = json_object();
    yaml_stream_clear(&s);
    return *ret || rd_fail(reterr, RD_ERR_INPUT, "%s is not a kubeconfig", path);
}

static char *real_path(const char *path)
{
    char *real = realpath(path, NULL);
    char *own = rd_strdup(real ? real : path);
    free(real);
    return own;
}

static bool write_tree(const char *target, const json_t *tree, struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    yaml_write(&text, tree, NULL);
    const char *slash = strrchr(target, '/');
    RD_AUTOFREE char *dir = slash ? rd_strndup(target, (size_t)(slash - target)) : NULL;
    return (!dir || !*dir || rd_path_exists(dir) || rd_dir_make(dir, reterr)) &&
           rd_file_write_atomic(target, rd_buf_str(&text), text.len, 0600, reterr);
}

bool kubeconfig_put_file(const char *path, const struct kubeconfig_entry *e, struct rd_err **reterr)
{
    RD_AUTOFREE char *target = real_path(path);
    json_t *tree = NULL;
    if (!read_tree(target, &tree, reterr))
        return false;
    bool ok = kubeconfig_put(tree, e, reterr);
    if (!ok)
        rd_err_wrap(*reterr, "%s", target);
    ok = ok && write_tree(target, tree, reterr);
    json_decref(tree);
    return ok;
}

static bool drop_named(json_t *tree, const char *key, const char *name)
{
    json_t *list = json_object_get(tree, key);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (rd_streq(rd_json_str(json_array_get(list, i), "name", NULL), name)) {
            json_array_remove(list, i);
            return true;
        }
    return false;
}

bool kubeconfig_drop(json_t *tree, const char *name, const char *user)
{
    bool cluster = drop_named(tree, "clusters", name);
    bool context = drop_named(tree, "contexts", name);
    bool login = drop_named(tree, "users", user);
    bool any = cluster || context || login;
    if (any && rd_streq(rd_json_str(tree, "current-context", NULL), name))
        json_object_set_new(tree, "current-context", json_string(""));
    return any;
}

bool kubeconfig_drop_file(const char *path, const char *name, const char *user, bool *ret_dropped,
                          struct rd_err **reterr)
{
    *ret_dropped = false;
    if (!rd_path_exists(path))
        return true;
    RD_AUTOFREE char *target = real_path(path);
    json_t *tree = NULL;
    if (!read_tree(target, &tree, reterr))
        return false;
    *ret_dropped = kubeconfig_drop(tree, name, user);
    bool ok = !*ret_dropped || write_tree(target, tree, reterr);
    json_decref(tree);
    return ok;
}

char *kubeconfig_path(const struct config *c)
{
    if (c->kubeconfig)
        return rd_strdup(c->kubeconfig);
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    size_t n = list ? strcspn(list, ":") : 0;
    if (n)
        return rd_strndup(list, n);
    return rd_asprintf("%s/.kube/config", home ? home : "");
}
