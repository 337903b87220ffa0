/* Life of the API servers: one for each cluster that GKE says is up. */
#include "kube_internal.h"

#include "auth.h"
#include "ctl.h"
#include "gke.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kube_kept_clear(struct kube_cluster *c);
void kube_subs_clear(struct kube_cluster *c);

static void put_namespace(struct kube_cluster *c, const char *name)
{
    kube_put(c, "kube-apiserver",
             rd_json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace", "metadata", "name",
                          name));
}

/* What a control plane makes for itself. */
static void furnish(struct kube_cluster *c)
{
    static const char *const names[] = {"default", "kube-system", "kube-public", "kube-node-lease"};
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++)
        put_namespace(c, names[i]);
}

/* Pods find the cluster's authority in each namespace. */
static void put_authority(struct kube_cluster *c, const char *ns)
{
    RD_AUTOFREE char *path = rd_path_join(c->emu->dir, "ca.pem");
    struct rd_buf pem RD_AUTOBUF = RD_BUF_INIT(65536);
    RD_AUTOERR struct rd_err *err = NULL;
    if (!rd_file_read(path, 65536, &pem, &err))
        return;
    kube_put(c, "kube-controller-manager",
             rd_json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:{s:s}}", "apiVersion", "v1", "kind",
                          "ConfigMap", "metadata", "name", "kube-root-ca.crt", "namespace", ns,
                          "annotations", "kubernetes.io/description",
                          "Contains a CA bundle that can be used to verify the kube-apiserver",
                          "data", "ca.crt", rd_buf_str(&pem)));
}

/* Each namespace has an account for pods that name none. */
static void on_namespace(struct kube_cluster *c, enum kube_change change, const json_t *ns, void *arg)
{
    (void)arg;
    const char *name = kube_meta(ns, "name");
    if (change == KUBE_DELETED || rd_json_get(ns, "metadata", "deletionTimestamp", NULL) != NULL ||
        kube_get(c, "namespaces", NULL, name) == NULL)
        return;
    put_authority(c, name);
    if (kube_get(c, "serviceaccounts", name, "default") != NULL)
        return;
    kube_put(c, "kube-controller-manager",
             rd_json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "ServiceAccount",
                          "metadata", "name", "default", "namespace", name));
}

/* Where it answers, as programs inside find it. */
static void furnish_service(struct kube_cluster *c, int port)
{
    json_t *service = rd_json_pack(
        "{s:s, s:s, s:{s:s, s:s, s:{s:s, s:s}}, s:{s:s, s:[s], s:[{s:s, s:i, s:s, s:i}], s:s}}",
        "apiVersion", "v1", "kind", "Service", "metadata", "name", "kubernetes", "namespace", "default",
        "labels", "component", "apiserver", "provider", "kubernetes", "spec", "clusterIP", "34.118.224.1",
        "clusterIPs", "34.118.224.1", "ports", "name", "https", "port", 443, "protocol", "TCP",
        "targetPort", port, "type", "ClusterIP");
    kube_put(c, "kube-apiserver", service);
    kube_put(c, "kube-apiserver",
             rd_json_pack("{s:s, s:s, s:{s:s, s:s}, s:[{s:[{s:s}], s:[{s:s, s:i, s:s}]}]}", "apiVersion",
                          "v1", "kind", "Endpoints", "metadata", "name", "kubernetes", "namespace",
                          "default", "subsets", "addresses", "ip", "127.0.0.1", "ports", "name", "https",
                          "port", port, "protocol", "TCP"));
    kube_put(c, "kube-apiserver",
             rd_json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:s, s:[{s:[s], s:{s:b}}], s:[{s:s, s:i, "
                          "s:s}]}",
                          "apiVersion", "discovery.k8s.io/v1", "kind", "EndpointSlice", "metadata", "name",
                          "kubernetes", "namespace", "default", "labels", "kubernetes.io/service-name",
                          "kubernetes", "addressType", "IPv4", "endpoints", "addresses", "127.0.0.1",
                          "conditions", "ready", 1, "ports", "name", "https", "port", port, "protocol",
                          "TCP"));
}

static void cluster_free(struct kube_cluster *c)
{
    c->dropped = true;
    rd_list_remove(&c->node);
    kube_watch_drop_all(c);
    if (c->listener != NULL)
        emu_listener_close(c->listener);
    emu_timer_stop(&c->sweep);
    kube_told_clear(c);
    kube_kept_clear(c);
    kube_admit_clear(c);
    kube_subs_clear(c);
    kube_past_clear(c, 0);
    free(c->past);
    while (!rd_list_empty(&c->resources))
        kube_res_free(container_of(c->resources.next, struct kube_res, node));
    json_decref(c->gke);
    free(c->name);
    free(c->short_name);
    free(c->token);
    free(c);
}

static void connector_maybe(struct kube_cluster *c, const json_t *cluster)
{
    bool on = rd_json_path_bool(cluster, "addonsConfig.configConnectorConfig.enabled", false);
    bool was = c->connector;
    c->connector = on;
    if (!on || was)
        return;
    ctl_connector_start(c, NULL);
}

static int on_up(struct emu *e, const char *name, const json_t *cluster)
{
    struct kube_cluster *c = rd_calloc(1, sizeof(*c));
    c->kube = e->kube;
    c->emu = e;
    c->name = rd_strdup(name);
    c->short_name = rd_strdup(strrchr(name, '/') + 1);
    c->gke = json_deep_copy(cluster);
    struct rd_list *lists[] = {&c->node,       &c->resources, &c->told,   &c->subscribers,
                               &c->admits,     &c->subs,      &c->kept,   &c->watches};
    for (size_t i = 0; i < RD_ARRAY_LEN(lists); i++)
        rd_list_init(lists[i]);
    rd_list_append(&e->kube->clusters, &c->node);
    kube_kinds_add(c);
    RD_AUTOFREE char *api = rd_asprintf("kube-%s", c->short_name);
    RD_AUTOERR struct rd_err *err = NULL;
    c->listener = emu_listen(e, api, true, kube_serve, c, &err);
    if (c->listener == NULL) {
        fprintf(stderr, "raydeploy-emulator: %s\n", err->message);
        cluster_free(c);
        return 0;
    }
    kube_crd_start(c);
    kube_collector_start(c);
    kube_subscribe(c, "namespaces", on_namespace, NULL);
    furnish(c);
    ctl_workload_start(c);
    ctl_connector_watch(c);
    furnish_service(c, emu_listener_port(c->listener));
    connector_maybe(c, cluster);
    kube_config_write(e->kube);
    return emu_listener_port(c->listener);
}

static void on_changed(struct emu *e, const char *name, const json_t *cluster, const json_t *instances)
{
    struct kube_cluster *c = kube_cluster_find(e, name);
    if (c == NULL)
        return;
    json_decref(c->gke);
    c->gke = json_deep_copy(cluster);
    ctl_nodes_set(c, cluster, instances);
    connector_maybe(c, cluster);
}

static void on_down(struct emu *e, const char *name)
{
    struct kube_cluster *c = kube_cluster_find(e, name);
    if (c == NULL)
        return;
    cluster_free(c);
    kube_config_write(e->kube);
}

static const struct emu_gke_hooks hooks = {.up = on_up, .changed = on_changed, .down = on_down};

static json_t *view(void *arg)
{
    struct emu_kube *k = arg;
    json_t *out = json_object();
    rd_list_foreach (it, &k->clusters) {
        struct kube_cluster *c = container_of(it, struct kube_cluster, node);
        json_t *mine = json_object();
        rd_list_foreach (at, &c->resources) {
            struct kube_res *r = container_of(at, struct kube_res, node);
            if (json_object_size(r->objects) > 0)
                json_object_set(mine, r->name, r->objects);
        }
        json_object_set_new(out, c->name, mine);
    }
    return out;
}

void kube_start(struct emu *e)
{
    struct emu_kube *k = rd_calloc(1, sizeof(*k));
    k->emu = e;
    rd_list_init(&k->clusters);
    uv_idle_init(e->loop, &k->idle);
    e->kube = k;
    emu_gke_set_hooks(e, &hooks);
    emu_store_add_view(&e->store, "kubernetes", view, k);
    kube_config_write(k);
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of((uv_idle_t *)handle, struct emu_kube, idle));
}

void kube_stop(struct emu *e)
{
    struct emu_kube *k = e->kube;
    if (k == NULL)
        return;
    while (!rd_list_empty(&k->clusters))
        cluster_free(container_of(k->clusters.next, struct kube_cluster, node));
    e->kube = NULL;
    uv_close((uv_handle_t *)&k->idle, on_closed);
    kube_types_free();
}
