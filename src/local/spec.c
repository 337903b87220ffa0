/* What we ask Docker for, and what we take from it: no I/O. */
#include "local/cluster.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "manifest/yaml.h"

#include <stdlib.h>
#include <string.h>

char *local_context(const char *name)
{
    return rd_asprintf("k3d-%s", name);
}

char *local_user(const char *name)
{
    return rd_asprintf("admin@k3d-%s", name);
}

char *local_volume(const char *name)
{
    return rd_asprintf("k3d-%s-data", name);
}

char *local_node(const char *name, unsigned n)
{
    return n ? rd_asprintf("k3d-%s-agent-%u", name, n - 1) : rd_asprintf("k3d-%s-server-0", name);
}

static json_t *labels(const char *name)
{
    RD_AUTOFREE char *network = local_context(name);
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "app", "k3d", "k3d.cluster", name,
                        "k3d.cluster.network", network, "app.kubernetes.io/managed-by", "raydeploy",
                        LOCAL_LABEL, name);
}

char *local_filters(const char *name)
{
    RD_AUTOFREE char *cluster = rd_asprintf("k3d.cluster=%s", name);
    RD_AUTOJSON json_t *f = rd_json_pack("{s:[s, s]}", "label", "app=k3d", cluster);
    return rd_json_dump(f);
}

bool local_is_ours(const json_t *l, const char *name)
{
    return rd_streq(json_string_value(json_object_get(l, LOCAL_LABEL)), name);
}

bool local_refuse(const char *what, const char *name, const json_t *l, struct rd_err **reterr)
{
    bool k3d = rd_streq(json_string_value(json_object_get(l, "app")), "k3d");
    rd_fail(reterr, RD_ERR_FOREIGN, "%s %s is there and was not made by raydeploy%s", what, name,
            k3d ? ", but by k3d" : "");
    rd_err_resource(*reterr, "%s %s", what, name);
    rd_err_hint(*reterr, k3d ? "It can be used as it is: --target local --context k3d-NAME. To have one of "
                               "our own beside it, choose another --name; k3d cluster delete removes it."
                             : "Remove it, or choose another --name.");
    return false;
}

/* ---- Bodies ---- */

json_t *local_network_json(const char *name)
{
    RD_AUTOFREE char *network = local_context(name);
    return rd_json_pack("{s:s, s:s, s:b, s:o, s:{s:s}}", "Name", network, "Driver", "bridge",
                        "CheckDuplicate", 1, "Labels", labels(name), "Options",
                        "com.docker.network.bridge.enable_ip_masquerade", "true");
}

json_t *local_volume_json(const char *name)
{
    RD_AUTOFREE char *volume = local_volume(name);
    return rd_json_pack("{s:s, s:o}", "Name", volume, "Labels", labels(name));
}

static json_t *node_labels(const struct local_spec *s, unsigned n)
{
    RD_AUTOFREE char *server = local_node(s->name, 0);
    RD_AUTOFREE char *url = rd_asprintf("https://%s:6443", server);
    RD_AUTOFREE char *port = rd_asprintf("%u", s->port);
    json_t *l = labels(s->name);
    json_object_set_new(l, "k3d.role", json_string(n ? "agent" : "server"));
    json_object_set_new(l, "k3d.cluster.url", json_string(url));
    /* k3d adds nodes with it; who can read labels can read the environment too. */
    json_object_set_new(l, "k3d.cluster.token", json_string(s->token));
    json_object_set_new(l, "k3d.cluster.network.external", json_string("false"));
    if (!n) {
        json_object_set_new(l, "k3d.server.api.host", json_string("127.0.0.1"));
        json_object_set_new(l, "k3d.server.api.hostIP", json_string("127.0.0.1"));
        json_object_set_new(l, "k3d.server.api.port", json_string(port));
    }
    return l;
}

static json_t *host_json(const struct local_spec *s, unsigned n)
{
    RD_AUTOFREE char *network = local_context(s->name);
    RD_AUTOFREE char *volume = local_volume(s->name);
    RD_AUTOFREE char *port = rd_asprintf("%u", s->port);
    json_t *h = rd_json_pack("{s:b, s:b, s:s, s:{s:s}, s:{s:s, s:s}}", "Privileged", 1, "Init", 1,
                             "NetworkMode", network, "RestartPolicy", "Name", "unless-stopped", "Tmpfs",
                             "/run", "", "/var/run", "");
    if (n)
        return h;
    json_object_set_new(h, "Mounts",
                        rd_json_pack("[{s:s, s:s, s:s}]", "Type", "volume", "Source", volume, "Target",
                                     "/var/lib/rancher/k3s"));
    json_object_set_new(h, "PortBindings",
                        rd_json_pack("{s:[{s:s, s:s}]}", "6443/tcp", "HostIp", "127.0.0.1", "HostPort",
                                     port));
    return h;
}

json_t *local_container_json(const struct local_spec *s, unsigned n)
{
    RD_AUTOFREE char *host = local_node(s->name, n);
    RD_AUTOFREE char *server = local_node(s->name, 0);
    RD_AUTOFREE char *token = rd_asprintf("K3S_TOKEN=%s", s->token);
    RD_AUTOFREE char *url = rd_asprintf("K3S_URL=https://%s:6443", server);
    json_t *c = rd_json_pack("{s:s, s:s, s:[s], s:o, s:o}", "Hostname", host, "Image", s->image, "Env",
                             token, "Labels", node_labels(s, n), "HostConfig", host_json(s, n));
    if (n) {
        json_array_append_new(json_object_get(c, "Env"), json_string(url));
        json_object_set_new(c, "Cmd", rd_json_pack("[s]", "agent"));
    } else {
        json_object_set_new(c, "Cmd",
                            rd_json_pack("[s, s, s, s, s]", "server", "--tls-san", "127.0.0.1",
                                         "--tls-san", host));
        json_object_set_new(c, "ExposedPorts", rd_json_pack("{s:{}}", "6443/tcp"));
    }
    return c;
}

void local_image_split(const char *image, char **ret_repo, char **ret_tag)
{
    const char *at = strchr(image, '@');
    const char *slash = strrchr(image, '/');
    const char *colon = at ? NULL : strchr(slash ? slash : image, ':');
    const char *cut = at ? at : colon;
    *ret_repo = cut ? rd_strndup(image, (size_t)(cut - image)) : rd_strdup(image);
    *ret_tag = rd_strdup(cut ? cut + 1 : "latest");
    if (at) {
        /* A tag beside the digest says nothing. */
        const char *s = strrchr(*ret_repo, '/');
        char *tag = strchr(s ? s : *ret_repo, ':');
        if (tag)
            *tag = '\0';
    }
}

/* ---- The kubeconfig that k3s wrote ---- */

static const json_t *first(const json_t *tree, const char *list, const char *part)
{
    return rd_json_get(json_array_get(json_object_get(tree, list), 0), part, NULL);
}

bool local_access_read(const char *text, size_t len, uint16_t port, struct local_access *ret,
                       struct rd_err **reterr)
{
    struct yaml_stream s;
    *ret = (struct local_access){0};
    if (!yaml_read(text, len, "k3s.yaml", YAML_FOREIGN, NULL, false, &s, reterr))
        return false;
    const json_t *tree = s.len ? s.docs[0].root : NULL;
    const json_t *user = first(tree, "users", "user");
    const char *ca = rd_json_str(first(tree, "clusters", "cluster"), "certificate-authority-data", NULL);
    const char *cert = rd_json_str(user, "client-certificate-data", NULL);
    const char *key = rd_json_str(user, "client-key-data", NULL);
    size_t n;
    if (ca && cert && key)
        ret->ca_pem = (char *)rd_base64_decode(ca, strlen(ca), &n);
    if (ret->ca_pem) {
        ret->server = rd_asprintf("https://127.0.0.1:%u", port);
        ret->user = rd_json_pack("{s:s, s:s}", "client-certificate-data", cert, "client-key-data", key);
    }
    yaml_stream_clear(&s);
    return ret->user || rd_fail(reterr, RD_ERR_FAILED, "k3s.yaml is not the kubeconfig of a k3s server");
}

void local_access_clear(struct local_access *a)
{
    rd_freep(&a->server);
    rd_freep(&a->ca_pem);
    json_decref(a->user);
    a->user = NULL;
}
