/* Step `cluster` of --target local: what the kubeconfig names answers, the rights suffice, and what the
 * later steps must know of it (API server addresses, default StorageClass) becomes facts. */
#include "phase/steps/cluster.h"

#include "base/alloc.h"
#include "phase/steps/google.h"

#include <string.h>

/* What `up` needs; asked one by one only when the user is not allowed everything. */
static const struct {
    const char *verb, *group, *resource, *sub;
    bool in_namespace; /* the Ray namespace; else cluster-wide */
} rights[] = {
    {"create", "", "namespaces", NULL, false},
    {"patch", "", "namespaces", NULL, false},
    {"patch", "apiextensions.k8s.io", "customresourcedefinitions", NULL, false},
    {"patch", "rbac.authorization.k8s.io", "clusterroles", NULL, false},
    {"patch", "rbac.authorization.k8s.io", "clusterrolebindings", NULL, false},
    {"list", "storage.k8s.io", "storageclasses", NULL, false},
    {"patch", "apps", "deployments", NULL, false},
    {"patch", "", "serviceaccounts", NULL, true},
    {"patch", "", "resourcequotas", NULL, true},
    {"patch", "networking.k8s.io", "networkpolicies", NULL, true},
    {"patch", "policy", "poddisruptionbudgets", NULL, true},
    {"patch", "", "persistentvolumeclaims", NULL, true},
    {"patch", "ray.io", "rayclusters", NULL, true},
    {"watch", "", "pods", NULL, true},
    {"get", "", "pods", "portforward", true},
    /* Since 1.35 a WebSocket upgrade needs create as well. */
    {"create", "", "pods", "portforward", true},
    {"get", "", "secrets", NULL, true},
};
enum { RIGHTS = RD_ARRAY_LEN(rights) };

struct cluster_op {
    struct step_op *s;
    struct k8s_call version, service, slices, classes, everything;
    struct k8s_call review[RIGHTS];
    int state;
};

enum { ST_BEGIN, ST_ASKED, ST_RIGHTS };

static void cluster_free(void *priv)
{
    struct cluster_op *x = priv;
    k8s_call_clear(&x->version);
    k8s_call_clear(&x->service);
    k8s_call_clear(&x->slices);
    k8s_call_clear(&x->classes);
    k8s_call_clear(&x->everything);
    for (size_t i = 0; i < RIGHTS; i++)
        k8s_call_clear(&x->review[i]);
    free(x);
}

bool cluster_connect(struct step_ctx *ctx, struct rd_err **reterr)
{
    if (ctx->workload)
        return true;
    const struct config *c = ctx->config;
    struct k8s_config_options o = {.path = c->kubeconfig, .context = c->context};
    struct k8s_client_options co = {0};
    if (ctx->notes)
        co = (struct k8s_client_options){.observe = google_on_request, .observe_ctx = ctx,
                                         .warn = google_on_warning, .warn_ctx = ctx,
                                         .retry = google_on_retry, .retry_ctx = ctx};
    if (!k8s_config_load(&o, &co.config, reterr))
        return false;
    ctx->workload = k8s_client_new(ctx->loop, &co);
    return true;
}

/* ---- Rights ---- */

static void ask_right(struct cluster_op *x, struct k8s_call *call, const char *verb,
                      const char *group, const char *resource, const char *sub, const char *ns)
{
    struct k8s_client *c = x->s->ctx->workload;
    struct http_url url;
    http_url_init(&url, k8s_client_server(c));
    http_url_path(&url, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    k8s_call_init(call, c, "POST", http_url_str(&url));
    http_url_clear(&url);
    RD_AUTOJSON json_t *attributes = rd_json_pack("{s:s, s:s, s:s}", "verb", verb, "group", group,
                                                  "resource", resource);
    if (sub)
        json_object_set_new(attributes, "subresource", json_string(sub));
    if (ns)
        json_object_set_new(attributes, "namespace", json_string(ns));
    RD_AUTOJSON json_t *body =
        rd_json_pack("{s:s, s:s, s:{s:O}}", "apiVersion", "authorization.k8s.io/v1", "kind",
                     "SelfSubjectAccessReview", "spec", "resourceAttributes", attributes);
    k8s_call_body_json(call, "application/json", body);
    /* A review stores nothing, so asking twice is harmless. */
    call->http.idem = RETRY_SAFE;
    k8s_call_start(call, &x->s->op);
}

static void ask_each_right(struct cluster_op *x)
{
    RD_AUTOFREE char *ns = config_namespace(x->s->ctx->config);
    for (size_t i = 0; i < RIGHTS; i++)
        ask_right(x, &x->review[i], rights[i].verb, rights[i].group, rights[i].resource,
                  rights[i].sub, rights[i].in_namespace ? ns : NULL);
}

static bool judge_rights(struct cluster_op *x, struct rd_err **reterr)
{
    struct rd_buf list = RD_BUF_INIT(8192);
    size_t missing = 0;
    for (size_t i = 0; i < RIGHTS; i++) {
        if (x->review[i].op.err) {
            rd_buf_clear(&list);
            *reterr = op_take_err(&x->review[i].op);
            return false;
        }
        if (rd_json_path_bool(x->review[i].result, "status.allowed", false))
            continue;
        rd_buf_printf(&list, "%s%s %s%s%s%s%s", missing++ ? ", " : "", rights[i].verb,
                      rights[i].resource, rights[i].sub ? "/" : "", rights[i].sub ? rights[i].sub : "",
                      rights[i].group[0] ? "." : "", rights[i].group);
    }
    if (missing) {
        rd_fail(reterr, RD_ERR_CREDENTIALS, "this user may not: %s", rd_buf_str(&list));
        rd_err_hint(*reterr, "Ask for these rights, or use a context that has them (--context). "
                             "Nothing was changed.");
        rd_err_resource(*reterr, "%s", k8s_client_origin(x->s->ctx->workload));
    }
    rd_buf_clear(&list);
    return missing == 0;
}

/* ---- Facts ---- */

static json_t *egress_rule(const json_t *peers, json_int_t port)
{
    return rd_json_pack("{s:O, s:[{s:I, s:s}]}", "to", peers, "ports", "port", port, "protocol",
                        "TCP");
}

static void add_ip(json_t *peers, const char *ip)
{
    RD_AUTOFREE char *cidr = rd_asprintf("%s/%d", ip, strchr(ip, ':') ? 128 : 32);
    json_array_append_new(peers, rd_json_pack("{s:{s:s}}", "ipBlock", "cidr", cidr));
}

json_t *cluster_api_egress(const json_t *service, const json_t *slices)
{
    json_t *rules = json_array();
    const char *ip = rd_json_str(service, "spec", "clusterIP", NULL);
    if (ip && !rd_streq(ip, "None")) {
        RD_AUTOJSON json_t *peers = json_array();
        add_ip(peers, ip);
        json_array_append_new(rules, egress_rule(peers, 443));
    }
    size_t i, j, k;
    const json_t *slice, *port, *endpoint, *address;
    json_array_foreach(json_object_get(slices, "items"), i, slice)
    {
        RD_AUTOJSON json_t *peers = json_array();
        json_array_foreach(json_object_get(slice, "endpoints"), j, endpoint)
            json_array_foreach(json_object_get(endpoint, "addresses"), k, address)
                if (json_string_value(address) && !strchr(json_string_value(address), '%'))
                    add_ip(peers, json_string_value(address));
        if (json_array_size(peers) == 0)
            continue;
        json_array_foreach(json_object_get(slice, "ports"), j, port)
        {
            json_int_t number = rd_json_path_int(port, "port", 0);
            if (number > 0)
                json_array_append_new(rules, egress_rule(peers, number));
        }
    }
    return rules;
}

/* Provisioners whose volumes many nodes can write to. Others get ReadWriteOnce, which every
 * provisioner offers. */
static bool provisioner_shares(const char *provisioner)
{
    static const char *const sharing[] = {
        "nfs.csi.k8s.io",        "filestore.csi.storage.gke.io",  "efs.csi.aws.com",
        "file.csi.azure.com",    "kubernetes.io/azure-file",      "cephfs.csi.ceph.com",
        "driver.longhorn.io",    "smb.csi.k8s.io",
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(sharing); i++)
        if (rd_ends_with(provisioner, sharing[i]))
            return true;
    return strstr(provisioner, "nfs") != NULL;
}

const json_t *cluster_default_class(const json_t *classes)
{
    size_t i;
    const json_t *c, *best = NULL;
    json_array_foreach(json_object_get(classes, "items"), i, c)
    {
        const char *is = rd_json_str(c, "metadata", "annotations",
                                     "storageclass.kubernetes.io/is-default-class", NULL);
        /* Several defaults: the newest one counts (DefaultStorageClass admission). */
        if (rd_streq(is, "true") &&
            (!best || strcmp(rd_json_path_str(c, "metadata.creationTimestamp"),
                             rd_json_path_str(best, "metadata.creationTimestamp")) > 0))
            best = c;
    }
    return best;
}

static bool publish_facts(struct cluster_op *x, struct rd_err **reterr)
{
    struct step_op *s = x->s;
    step_publish(s, "api.egress", cluster_api_egress(x->service.result, x->slices.result));
    const json_t *class = cluster_default_class(x->classes.result);
    if (!class) {
        rd_fail(reterr, RD_ERR_PREFLIGHT, "the cluster has no default StorageClass");
        rd_err_hint(*reterr, "Ray's shared volume needs one: install a provisioner (k3s and kind bring "
                             "local-path), or mark a class with the annotation "
                             "storageclass.kubernetes.io/is-default-class=true.");
        rd_err_resource(*reterr, "storageclasses.storage.k8s.io");
        return false;
    }
    const char *provisioner = rd_json_str(class, "provisioner", NULL);
    bool shares = provisioner && provisioner_shares(provisioner);
    step_publish(s, "volume.class", json_string(rd_json_str(class, "metadata", "name", NULL)));
    step_publish(s, "volume.modes",
                 rd_json_pack("[s]", shares ? "ReadWriteMany" : "ReadWriteOnce"));
    step_publish(s, "volume.one_node", json_boolean(!shares));
    return true;
}

static void start_get(struct cluster_op *x, struct k8s_call *call, const char *path)
{
    struct k8s_client *c = x->s->ctx->workload;
    RD_AUTOFREE char *url = rd_asprintf("%s%s", k8s_client_server(c), path);
    k8s_call_init(call, c, "GET", url);
    k8s_call_start(call, &x->s->op);
}

static void cluster_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct cluster_op *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    switch (x->state) {
    case ST_BEGIN:
        if (!cluster_connect(s->ctx, &err)) {
            step_end_error(s, err);
            return;
        }
        x->state = ST_ASKED;
        start_get(x, &x->version, "/version");
        start_get(x, &x->service, "/api/v1/namespaces/default/services/kubernetes");
        start_get(x, &x->slices,
                  "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
                  "?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes");
        start_get(x, &x->classes, "/apis/storage.k8s.io/v1/storageclasses");
        ask_right(x, &x->everything, "*", "*", "*", NULL, NULL);
        return;
    case ST_ASKED: {
        struct k8s_call *calls[] = {&x->version, &x->everything, &x->service, &x->slices,
                                    &x->classes};
        if (op_has_children(op))
            return;
        for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++)
            if ((err = op_take_err(&calls[i]->op))) {
                step_end_error(s, err);
                return;
            }
        if (!publish_facts(x, &err)) {
            step_end_error(s, err);
            return;
        }
        x->state = ST_RIGHTS;
        if (!rd_json_path_bool(x->everything.result, "status.allowed", false)) {
            ask_each_right(x);
            return;
        }
        break;
    }
    case ST_RIGHTS:
        if (op_has_children(op))
            return;
        if (!judge_rights(x, &err)) {
            step_end_error(s, err);
            return;
        }
        break;
    }
    const char *version = rd_json_str(x->version.result, "gitVersion", NULL);
    step_end(s, FOUND_READY, "Kubernetes %s at %s", version ? version : "of unknown version",
             k8s_client_server(s->ctx->workload));
}

void cluster_look(struct step_op *s, struct op *parent)
{
    struct cluster_op *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    s->priv = x;
    s->free_priv = cluster_free;
    op_start(&s->op, parent, cluster_step, "cluster");
}
