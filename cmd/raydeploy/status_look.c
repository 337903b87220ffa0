/* What status asks of the cluster and of Ray: everything at once, each with a limit of its own, so that
 * a part that does not answer costs its own line and no more. */
#include "status.h"

#include "base/alloc.h"
#include "k8s/verdict.h"
#include "phase/drive/holder.h"
#include "ray_way.h"

#include <stdlib.h>
#include <string.h>

#define PART_MS 5000
#define LOCK_NAMESPACE_NAME "raydeploy"

enum part { PART_VERSION, PART_NODES, PART_PODS, PART_OPERATOR, PART_CLUSTER, PART_LEASE, PART_MAX };
static const char *const part_names[PART_MAX] = {
    "the API server", "the nodes", "the pods", "the KubeRay operator", "the RayCluster", "the lock"};

enum { RAY_NODES, RAY_USAGE, RAY_JOBS, RAY_VERSION, RAY_MAX };

struct look {
    struct op op;
    struct verb_ctx *v;
    struct k8s_client *client, *lock; /* either may be NULL */
    struct k8s_call parts[PART_MAX];
    struct ray_dashboard dash;
    struct ray_call ray[RAY_MAX];
    bool asked, ray_asked;
    char *ns;
    json_t *unreachable;
};

/* ---- Pure parts ---- */

static const char *label(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(rd_json_path(o, "metadata.labels"), key));
}

static void set_text(json_t *o, const char *key, const char *text)
{
    json_object_set_new(o, key, text ? json_string(text) : json_null());
}

json_t *status_node_pools(const json_t *list)
{
    json_t *pools = json_array();
    size_t i, j;
    const json_t *node, *p;
    json_array_foreach (json_object_get(list, "items"), i, node) {
        const char *pool = label(node, "cloud.google.com/gke-nodepool");
        const json_t *ready = rd_json_condition(node, "Ready");
        json_t *into = NULL;
        pool = pool ? pool : "nodes";
        json_array_foreach (pools, j, p)
            if (rd_streq(rd_json_str(p, "name", NULL), pool))
                into = json_object_get(p, "nodes");
        if (!into) {
            into = json_array();
            json_array_append_new(pools, rd_json_pack("{s:s, s:o}", "name", pool, "nodes", into));
        }
        json_t *o = json_object();
        set_text(o, "name", rd_json_path_str(node, "metadata.name"));
        json_object_set_new(o, "ready",
                            json_boolean(rd_streq(rd_json_str(ready, "status", NULL), "True")));
        json_object_set_new(o, "schedulable",
                            json_boolean(!rd_json_path_bool(node, "spec.unschedulable", false)));
        set_text(o, "cpu", rd_json_str(node, "status", "allocatable", "cpu", NULL));
        set_text(o, "memory", rd_json_str(node, "status", "allocatable", "memory", NULL));
        set_text(o, "gpu", rd_json_str(node, "status", "allocatable", "nvidia.com/gpu", NULL));
        set_text(o, "zone", label(node, "topology.kubernetes.io/zone"));
        json_array_append_new(into, o);
    }
    return pools;
}

static int by_group(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    bool head_x = rd_streq(rd_json_str(x, "type", NULL), "head");
    bool head_y = rd_streq(rd_json_str(y, "type", NULL), "head");
    if (head_x != head_y)
        return head_x ? -1 : 1;
    const char *keys[] = {"group", "name"};
    for (size_t i = 0; i < RD_ARRAY_LEN(keys); i++) {
        const char *s = rd_json_str(x, keys[i], NULL), *t = rd_json_str(y, keys[i], NULL);
        int order = strcmp(s ? s : "", t ? t : "");
        if (order)
            return order;
    }
    return 0;
}

static json_t *pod_json(const json_t *pod, int64_t now_wall_ms)
{
    const json_t *ready = rd_json_condition(pod, "Ready");
    bool is_ready = rd_streq(rd_json_str(ready, "status", NULL), "True");
    bool leaving = rd_json_path_str(pod, "metadata.deletionTimestamp") != NULL;
    json_int_t restarts = 0;
    size_t i;
    const json_t *c;
    json_array_foreach (rd_json_path(pod, "status.containerStatuses"), i, c)
        restarts += rd_json_path_int(c, "restartCount", 0);
    json_t *o = json_object();
    set_text(o, "name", rd_json_path_str(pod, "metadata.name"));
    set_text(o, "group", label(pod, "ray.io/group"));
    set_text(o, "type", label(pod, "ray.io/node-type"));
    set_text(o, "phase", leaving ? "Terminating" : rd_json_path_str(pod, "status.phase"));
    json_object_set_new(o, "ready", json_boolean(is_ready));
    json_object_set_new(o, "restarts", json_integer(restarts));
    set_text(o, "node", rd_json_path_str(pod, "spec.nodeName"));
    struct k8s_verdict verdict;
    k8s_judge_pod_complaint(pod, now_wall_ms, &verdict);
    set_text(o, "reason", is_ready || verdict.status == K8S_CURRENT ? NULL : verdict.message);
    k8s_verdict_clear(&verdict);
    return o;
}

json_t *status_pods(const json_t *list, int64_t now_wall_ms)
{
    json_t *pods = json_array();
    size_t i, n = json_array_size(json_object_get(list, "items"));
    RD_AUTOFREE json_t **sorted = rd_calloc(n + 1, sizeof(*sorted));
    for (i = 0; i < n; i++)
        sorted[i] = pod_json(json_array_get(json_object_get(list, "items"), i), now_wall_ms);
    qsort(sorted, n, sizeof(*sorted), by_group);
    for (i = 0; i < n; i++)
        json_array_append_new(pods, sorted[i]);
    return pods;
}

/* The dashboard writes 64-bit numbers as text, and its keys in two spellings. */
static double number(const json_t *o, const char *camel, const char *snake)
{
    const json_t *n = json_object_get(o, camel);
    if (!n && snake)
        n = json_object_get(o, snake);
    if (json_is_string(n))
        return strtod(json_string_value(n), NULL);
    return json_number_value(n);
}

/* "CPU": [used, total] of the autoscaler's report; -1: not told. */
static double used_of(const json_t *usage, const char *resource)
{
    const json_t *pair = json_object_get(usage, resource);
    return json_array_size(pair) == 2 ? json_number_value(json_array_get(pair, 0)) : -1;
}

static json_t *amount(double used, double total)
{
    return rd_json_pack("{s:o, s:f}", "used", used < 0 ? json_null() : json_real(used), "total",
                        total);
}

json_t *status_ray(const json_t *nodes, const json_t *usage)
{
    const json_t *list = rd_json_path(nodes, "data.summary");
    const json_t *report = rd_json_path(usage, "data.clusterStatus.loadMetricsReport.usage");
    double cpus = 0, gpus = 0, store = 0, store_used = 0, spilled = 0;
    int alive = 0, dead = 0;
    size_t i;
    const json_t *node;
    if (!json_is_array(list))
        return json_null();
    json_array_foreach (list, i, node) {
        const json_t *r = json_object_get(node, "raylet");
        const json_t *total = json_object_get(r, "resourcesTotal");
        const json_t *stats = json_object_get(r, "storeStats");
        if (!rd_streq(rd_json_str(r, "state", NULL), "ALIVE")) {
            dead++;
            continue;
        }
        alive++;
        cpus += number(total, "CPU", NULL);
        gpus += number(total, "GPU", NULL);
        store += number(stats, "objectStoreBytesAvail", "object_store_bytes_avail");
        store_used += number(stats, "objectStoreBytesUsed", "object_store_bytes_used");
        spilled += number(stats, "spilledBytesTotal", "spilled_bytes_total");
    }
    return rd_json_pack("{s:{s:i, s:i}, s:o, s:o, s:{s:I, s:I}, s:I}", "nodes", "alive", alive, "dead",
                        dead, "cpu", amount(used_of(report, "CPU"), cpus), "gpu",
                        amount(used_of(report, "GPU"), gpus), "object_store", "used_bytes",
                        (json_int_t)store_used, "total_bytes", (json_int_t)store, "spilled_bytes",
                        (json_int_t)spilled);
}

/* ---- Asking ---- */

static void ask(struct look *l, enum part part, const char *api, const char *kind, const char *ns,
                const char *name, const char *selector)
{
    struct k8s_call *k = &l->parts[part];
    struct k8s_client *client = part == PART_LEASE ? l->lock : l->client;
    if (!client)
        return;
    if (part == PART_VERSION) {
        struct http_url url;
        http_url_init(&url, k8s_client_server(client));
        http_url_path(&url, "/version");
        k8s_call_init(k, client, "GET", http_url_str(&url));
        http_url_clear(&url);
    } else {
        const struct k8s_resource *r = k8s_resource_find(client, api, kind);
        struct http_url url;
        RD_ASSERT(r); /* all of them are compiled in */
        k8s_url(&url, client, r, ns, name, NULL);
        if (selector)
            http_url_query(&url, "labelSelector", selector);
        k8s_call_init(k, client, "GET", http_url_str(&url));
        if (name)
            k8s_call_name(k, r, ns, name);
        else
            rd_str_dup(&k->resource_text, part_names[part]);
        http_url_clear(&url);
    }
    k->timeout_ms = PART_MS;
    k->not_found_ok = true;
    k8s_call_start(k, &l->op);
}

static void ask_all(struct look *l)
{
    const struct config *c = &l->v->config;
    RD_AUTOFREE char *pods = rd_asprintf("ray.io/cluster=%s", c->name);
    RD_AUTOFREE char *lease = rd_asprintf("raydeploy-%s", c->name);
    ask(l, PART_VERSION, NULL, NULL, NULL, NULL, NULL);
    ask(l, PART_NODES, "v1", "Node", NULL, NULL, NULL);
    ask(l, PART_PODS, "v1", "Pod", l->ns, NULL, pods);
    ask(l, PART_OPERATOR, "apps/v1", "Deployment", c->kuberay.ns, "kuberay-operator", NULL);
    ask(l, PART_CLUSTER, "ray.io/v1", "RayCluster", l->ns, c->name, NULL);
    ask(l, PART_LEASE, "coordination.k8s.io/v1", "Lease", LOCK_NAMESPACE_NAME, lease, NULL);
}

static void say_unreachable(struct look *l, const char *part, const struct rd_err *err)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    ui_clean(&b, err->message);
    json_array_append_new(l->unreachable,
                          rd_json_pack("{s:s, s:s}", "part", part, "reason", rd_buf_str(&b)));
}

static bool pod_runs(const struct look *l)
{
    size_t i;
    const json_t *pod;
    json_array_foreach (json_object_get(l->parts[PART_PODS].result, "items"), i, pod)
        if (rd_streq(label(pod, "ray.io/node-type"), "head") &&
            rd_streq(rd_json_path_str(pod, "status.phase"), "Running"))
            return true;
    return false;
}

/* Ray is asked once it is known that there is a head pod, and whether it wants a token. */
static void ask_ray(struct look *l)
{
    l->ray_asked = true;
    l->dash.client = l->client;
    l->dash.ns = rd_strdup(l->ns);
    l->dash.cluster = rd_strdup(l->v->config.name);
    l->dash.token_secret = ray_token_secret(l->parts[PART_CLUSTER].result);
    ray_dashboard_start(&l->dash, &l->op);
    ray_nodes_init(&l->ray[RAY_NODES], &l->dash);
    ray_cluster_status_init(&l->ray[RAY_USAGE], &l->dash);
    ray_job_list_init(&l->ray[RAY_JOBS], &l->dash);
    ray_version_init(&l->ray[RAY_VERSION], &l->dash);
    for (int i = 0; i < RAY_MAX; i++) {
        ray_call_start(&l->ray[i], &l->op);
        op_set_timeout(&l->ray[i].op, PART_MS);
    }
}

static void look_step(struct op *op)
{
    struct look *l = container_of(op, struct look, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!l->asked) {
        l->asked = true;
        ask_all(l);
        return;
    }
    for (int i = 0; i < PART_MAX; i++)
        if (op_running(&l->parts[i].op))
            return;
    if (!l->ray_asked && l->parts[PART_CLUSTER].result && pod_runs(l)) {
        ask_ray(l);
        return;
    }
    for (int i = 0; i < RAY_MAX && l->ray_asked; i++)
        if (op_running(&l->ray[i].op))
            return;
    op_finish(op, NULL);
}

static void begin(struct op *parent, void *ctx)
{
    struct look *l = ctx;
    op_start(&l->op, parent, look_step, "status");
}

/* ---- What was found ---- */

/* Whose last sign of life is older than twice the time for which the lock is good: a holder on another
 * machine that died, if the clocks are right. */
static bool is_silent(const json_t *lease, int64_t now_wall_ms)
{
    const char *renewed = rd_json_path_str(lease, "spec.renewTime");
    json_int_t good_s = rd_json_path_int(lease, "spec.leaseDurationSeconds", 0);
    int64_t at_ms;
    return renewed && good_s > 0 && rd_rfc3339_parse(renewed, &at_ms) &&
           now_wall_ms - at_ms > 2 * 1000 * (int64_t)good_s;
}

json_t *status_lock(const json_t *lease, int64_t now_wall_ms)
{
    const char *holder = rd_json_path_str(lease, "spec.holderIdentity");
    if (!holder || !*holder)
        return json_null();
    RD_AUTOFREE char *person = holder_person(holder);
    json_t *o = rd_json_pack("{s:s, s:b, s:b}", "holder", person, "dead", holder_is_dead(holder),
                             "silent", is_silent(lease, now_wall_ms));
    set_text(o, "since", rd_json_path_str(lease, "spec.acquireTime"));
    set_text(o, "renewed", rd_json_path_str(lease, "spec.renewTime"));
    return o;
}

static json_t *running_jobs(const json_t *jobs)
{
    json_t *list = json_array();
    size_t i;
    const json_t *job;
    json_array_foreach (jobs, i, job) {
        const char *status = rd_json_str(job, "status", NULL);
        if (!rd_streq(status, "RUNNING") && !rd_streq(status, "PENDING"))
            continue;
        json_t *o = json_object();
        const char *id = rd_json_str(job, "submission_id", NULL);
        set_text(o, "id", id ? id : rd_json_str(job, "job_id", NULL));
        set_text(o, "status", status);
        set_text(o, "entrypoint", rd_json_str(job, "entrypoint", NULL));
        json_array_append_new(list, o);
    }
    return list;
}

/* The tag of the operator's image: "v1.7.0" is 1.7.0. */
static const char *operator_version(const json_t *deployment)
{
    const json_t *c = json_array_get(rd_json_path(deployment, "spec.template.spec.containers"), 0);
    const char *image = rd_json_str(c, "image", NULL), *colon = image ? strrchr(image, ':') : NULL;
    if (!colon || strchr(colon, '/') || strchr(image, '@'))
        return image;
    return colon + 1 + (colon[1] == 'v');
}

static json_t *result(struct look *l)
{
    for (int i = 0; i < PART_MAX; i++) {
        const struct rd_err *err = l->parts[i].op.err;
        bool absent = err && err->http_status == 404; /* not even its kind is there */
        if (err && err->kind != RD_ERR_CANCELLED && !absent)
            say_unreachable(l, part_names[i], err);
        if (err && i == PART_VERSION && !err->http_status) /* nobody is there: once is enough */
            i = l->lock == l->client ? PART_LEASE : PART_LEASE - 1;
    }
    const struct rd_err *ray_err = l->ray[RAY_NODES].op.err ? l->ray[RAY_NODES].op.err
                                                            : l->ray[RAY_JOBS].op.err;
    if (ray_err)
        say_unreachable(l, "Ray's dashboard", ray_err);
    json_t *versions = rd_json_pack("{s:s}", "raydeploy", RAYDEPLOY_VERSION);
    set_text(versions, "kubernetes", rd_json_str(l->parts[PART_VERSION].result, "gitVersion", NULL));
    set_text(versions, "kuberay", operator_version(l->parts[PART_OPERATOR].result));
    set_text(versions, "ray", rd_json_str(l->ray[RAY_VERSION].result, "ray_version", NULL));
    json_t *ray = l->ray[RAY_NODES].result
                      ? status_ray(l->ray[RAY_NODES].result, l->ray[RAY_USAGE].result)
                      : json_null();
    return rd_json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "versions", versions, "lock",
                        status_lock(l->parts[PART_LEASE].result, rd_wall_ms()), "node_pools",
                        status_node_pools(l->parts[PART_NODES].result), "pods",
                        status_pods(l->parts[PART_PODS].result, rd_wall_ms()), "ray", ray, "jobs",
                        running_jobs(l->ray[RAY_JOBS].result), "unreachable", l->unreachable);
}

json_t *status_look(struct verb_ctx *v, struct k8s_client *client, const char *why_no_client,
                    struct k8s_client *lock, int *ret_code)
{
    *ret_code = 0;
    struct look l = {.v = v, .client = client, .lock = lock, .unreachable = json_array()};
    ray_dashboard_init(&l.dash);
    l.ns = config_namespace(&v->config);
    if (client || lock)
        *ret_code = verb_run_op(v, &l.op, begin, &l); /* what did not answer is in the result */
    if (!client)
        json_array_append_new(l.unreachable,
                              rd_json_pack("{s:s, s:s}", "part", "the cluster", "reason",
                                           why_no_client ? why_no_client : "not known yet"));
    json_t *o = result(&l);
    for (int i = 0; i < RAY_MAX; i++)
        ray_call_clear(&l.ray[i]);
    ray_dashboard_clear(&l.dash);
    for (int i = 0; i < PART_MAX; i++) {
        k8s_call_clear(&l.parts[i]);
        rd_err_free(op_take_err(&l.parts[i].op));
    }
    rd_err_free(op_take_err(&l.op));
    json_decref(l.unreachable);
    free(l.ns);
    return o;
}
