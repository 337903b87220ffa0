/* Kubeconfig files in DIR: one for each cluster, and one with them all that `env` names. */
#include "kube_internal.h"

#include "auth.h"

#include "base/encode.h"
#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_LIFETIME_S = 12 * 3600 };

static void add(struct kube_cluster *c, json_t *doc)
{
    struct emu *e = c->emu;
    const char *pem = emu_server_ca_pem(e->server);
    RD_AUTOFREE char *ca = rd_base64_encode(pem, strlen(pem));
    RD_AUTOFREE char *principal = rd_asprintf("serviceAccount:%s", emu_auth_deployer(e));
    if (c->token == NULL)
        c->token = emu_auth_token_new(e, principal, TOKEN_LIFETIME_S);
    json_array_append_new(
        json_object_get(doc, "clusters"),
        rd_json_pack("{s:s, s:{s:s, s:o}}", "name", c->short_name, "cluster", "certificate-authority-data",
                     ca, "server",
                     json_sprintf("https://127.0.0.1:%d", emu_listener_port(c->listener))));
    json_array_append_new(
        json_object_get(doc, "users"),
        rd_json_pack("{s:s, s:{s:s}}", "name", c->short_name, "user", "token", c->token));
    json_array_append_new(json_object_get(doc, "contexts"),
                          rd_json_pack("{s:s, s:{s:s, s:s}}", "name", c->short_name, "context", "cluster",
                                       c->short_name, "user", c->short_name));
}

static json_t *empty(void)
{
    return rd_json_pack("{s:s, s:s, s:[], s:[], s:[], s:s}", "apiVersion", "v1", "kind", "Config", "clusters",
                        "users", "contexts", "current-context", "");
}

static void write_doc(struct emu *e, const char *name, json_t *take)
{
    RD_AUTOJSON json_t *doc = take;
    RD_AUTOFREE char *text = json_dumps(doc, JSON_INDENT(2)); /* JSON is YAML */
    RD_AUTOFREE char *path = rd_path_join(e->dir, name);
    RD_AUTOERR struct rd_err *err = NULL;
    if (!rd_file_write_atomic(path, text, strlen(text), 0600, &err))
        fprintf(stderr, "raydeploy-emulator: %s\n", err->message);
}

static bool is_there(const struct emu_kube *k, const char *short_name)
{
    rd_list_foreach (it, (struct rd_list *)&k->clusters) {
        if (rd_streq(container_of(it, struct kube_cluster, node)->short_name, short_name))
            return true;
    }
    return false;
}

static void remove_old(struct emu_kube *k)
{
    DIR *dir = opendir(k->emu->dir);
    if (dir == NULL)
        return;
    for (struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
        if (!rd_starts_with(d->d_name, "kubeconfig-") || is_there(k, d->d_name + 11))
            continue;
        RD_AUTOFREE char *path = rd_path_join(k->emu->dir, d->d_name);
        unlink(path);
    }
    closedir(dir);
}

void kube_config_write(struct emu_kube *k)
{
    json_t *all = empty();
    rd_list_foreach (it, &k->clusters) {
        struct kube_cluster *c = container_of(it, struct kube_cluster, node);
        if (c->listener == NULL)
            continue;
        json_t *one = empty();
        add(c, one);
        add(c, all);
        json_object_set_new(one, "current-context", json_string(c->short_name));
        json_object_set_new(all, "current-context", json_string(c->short_name)); /* the latest */
        RD_AUTOFREE char *name = rd_asprintf("kubeconfig-%s", c->short_name);
        write_doc(k->emu, name, one);
    }
    write_doc(k->emu, "kubeconfig", all);
    remove_old(k);
}
