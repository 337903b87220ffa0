#include "phase/steps/values.h"

#include "base/alloc.h"
#include "phase/steps/cc.h"
#include "phase/steps/names.h"

#include <inttypes.h>
#include <string.h>

/* The autoscaler's sidecar in the head pod (templates/workloads/raycluster.yaml) and the filestore
 * init Job count against the quota too. */
enum { SIDECAR_CPU_MILLI = 500, SIDECAR_MEMORY_MI = 512, SPARE_PODS = 2 };

json_int_t values_group_int(const json_t *group, const char *key, json_int_t otherwise)
{
    const json_t *v = json_object_get(group, key);
    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

static const char *group_str(const json_t *group, const char *key, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(group, key));
    return s ? s : otherwise;
}

static bool group_has_gpus(const json_t *group)
{
    return values_group_int(group, "gpus", 0) > 0;
}

char *values_ray_image(const struct config *c)
{
    if (c->ray.image)
        return rd_strdup(c->ray.image);
    return rd_asprintf("rayproject/ray:%s-py311", c->ray.version);
}

char *values_gpu_image(const struct config *c)
{
    if (c->ray.gpu_image)
        return rd_strdup(c->ray.gpu_image);
    if (c->ray.image)
        return rd_strdup(c->ray.image);
    return rd_asprintf("rayproject/ray:%s-py311-gpu", c->ray.version);
}

/* ---- The operator ---- */

json_t *values_kuberay_args(const struct config *c)
{
    /* An unknown gate stops the operator, so each gate names the first version that has it. The
     * binary's defaults are right for us; only what we rely on is said aloud. */
    json_t *args = json_array();
    static const char *const fixed[] = {
        "--log-stdout-encoder", "json", "--enable-leader-election=true", "--enable-metrics=true",
        "--reconcile-concurrency=2", "--qps=100", "--burst=200",
        "--feature-gates=RayClusterStatusConditions=true",
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(fixed); i++)
        json_array_append_new(args, json_string(fixed[i]));
    if (rd_streq(c->kuberay.watch, "namespace")) {
        RD_AUTOFREE char *ns = config_namespace(c);
        RD_AUTOFREE char *arg = rd_asprintf("--watch-namespace=%s", ns);
        json_array_append_new(args, json_string(arg));
    }
    return args;
}

/* ---- Quota ---- */

struct sum {
    int64_t cpu_milli, memory_milli, gpus, pods;
};

static bool add_pods(struct sum *s, const char *what, const char *cpu, const char *memory,
                     int64_t gpus, int64_t count, struct rd_err **reterr)
{
    int64_t cpu_milli, memory_milli;
    if (!rd_quantity_parse_milli(cpu, &cpu_milli))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: cpu \"%s\" is not a Kubernetes quantity", what, cpu);
    if (!rd_quantity_parse_milli(memory, &memory_milli))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: memory \"%s\" is not a Kubernetes quantity", what,
                       memory);
    s->cpu_milli += cpu_milli * count;
    s->memory_milli += memory_milli * count;
    s->gpus += gpus * count;
    s->pods += count;
    return true;
}

json_t *values_quota(const struct config *c, struct rd_err **reterr)
{
    struct sum s = {.cpu_milli = SIDECAR_CPU_MILLI,
                    .memory_milli = (int64_t)SIDECAR_MEMORY_MI * 1024 * 1024 * 1000};
    if (!add_pods(&s, "ray.head", group_str(c->ray.head, "cpu", "1"),
                  group_str(c->ray.head, "memory", "2Gi"), 0, 1, reterr))
        return NULL;
    /* The spare pods are the volume's init Job and one to look around with. */
    if (!add_pods(&s, "quota", "500m", "512Mi", 0, SPARE_PODS, reterr))
        return NULL;
    size_t i;
    const json_t *g;
    json_array_foreach(c->ray.workers, i, g)
    {
        RD_AUTOFREE char *what = rd_asprintf("ray.workers[%zu]", i);
        if (!add_pods(&s, what, group_str(g, "cpu", "1"), group_str(g, "memory", "2Gi"),
                      values_group_int(g, "gpus", 0), values_group_int(g, "max", 1), reterr))
            return NULL;
    }
    RD_AUTOFREE char *cpu = rd_asprintf("%" PRId64 "m", s.cpu_milli);
    int64_t mi = (s.memory_milli / 1000 + 1024 * 1024 - 1) / (1024 * 1024);
    RD_AUTOFREE char *memory = rd_asprintf("%" PRId64 "Mi", mi);
    RD_AUTOFREE char *pods = rd_asprintf("%" PRId64, s.pods);
    json_t *hard = rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "limits.cpu", cpu, "limits.memory",
                                memory, "pods", pods, "persistentvolumeclaims", "1",
                                "services.loadbalancers", "0");
    if (s.gpus > 0) {
        RD_AUTOFREE char *gpus = rd_asprintf("%" PRId64, s.gpus);
        json_object_set_new(hard, "requests.nvidia.com/gpu", json_string(gpus));
    }
    return hard;
}

/* ---- Pods ---- */

static void env_add(json_t *env, const char *name, const char *value)
{
    json_array_append_new(env, rd_json_pack("{s:s, s:s}", "name", name, "value", value));
}

/* The user's variables win: ours of the same name are left out. */
static json_t *env_list(const json_t *ours, const json_t *user)
{
    json_t *env = json_array();
    size_t i;
    const json_t *e;
    json_array_foreach(ours, i, e)
    {
        const char *name = rd_json_str(e, "name", NULL);
        if (!json_object_get(user, name))
            json_array_append(env, (json_t *)e);
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)user, key, value) {
        env_add(env, key, json_string_value(value));
    }
    return env;
}

static json_t *start_params(const json_t *group, bool head)
{
    json_t *params = json_object();
    if (head)
        json_object_set_new(params, "dashboard-host", json_string("0.0.0.0"));
    const json_t *user = json_object_get(group, "rayStartParams");
    if (user)
        json_object_update(params, (json_t *)user);
    return params;
}

static json_t *resources(const json_t *group, bool requests)
{
    const char *cpu = group_str(group, "cpu", "1");
    json_t *r = rd_json_pack("{s:s, s:s}", "cpu",
                             requests ? group_str(group, "cpuRequest", cpu) : cpu, "memory",
                             group_str(group, "memory", "2Gi"));
    json_int_t gpus = values_group_int(group, "gpus", 0);
    if (gpus > 0) {
        RD_AUTOFREE char *n = rd_asprintf("%" JSON_INTEGER_FORMAT, gpus);
        json_object_set_new(r, "nvidia.com/gpu", json_string(n));
    }
    return r;
}

/* Ray drains at SIGTERM for at most this long; the pod's grace must be longer, or the kubelet ends
 * it first. Compute Engine gives a spot machine about 30 s, of which pods see half. */
static unsigned drain_s(const struct config *c, const json_t *group)
{
    if (json_is_true(json_object_get(group, "spot")))
        return 15;
    return c->target == TARGET_LOCAL ? 10 : 90;
}

static unsigned grace_s(const struct config *c, const json_t *group)
{
    return drain_s(c, group) == 90 ? 120 : 30;
}

static json_t *worker_env(const struct config *c, const json_t *group)
{
    RD_AUTOJSON json_t *ours = json_array();
    RD_AUTOFREE char *drain = rd_asprintf("%u", drain_s(c, group));
    env_add(ours, "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", drain);
    return env_list(ours, json_object_get(group, "env"));
}

/* The chart's own rule for its object names: the release when it holds the chart's name, else both
 * joined, cut at 26 (kube-prometheus-stack templates/_helpers.tpl). Owned. */
char *values_stack_fullname(const char *release)
{
    char *full = strstr(release, "kube-prometheus-stack")
                     ? rd_strdup(release)
                     : rd_asprintf("%s-kube-prometheus-stack", release);
    if (strlen(full) > 26)
        full[26] = '\0';
    size_t len = strlen(full);
    if (len && full[len - 1] == '-')
        full[len - 1] = '\0';
    return full;
}

static json_t *head_env(const struct step_ctx *ctx)
{
    const struct config *c = ctx->config;
    RD_AUTOJSON json_t *ours = json_array();
    RD_AUTOFREE char *drain = rd_asprintf("%u", drain_s(c, c->ray.head));
    env_add(ours, "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", drain);
    RD_AUTOFREE char *stack = values_stack_fullname(c->monitoring.release);
    RD_AUTOFREE char *prometheus =
        rd_asprintf("http://%s-prometheus.%s.svc:9090", stack, c->monitoring.ns);
    RD_AUTOFREE char *grafana =
        rd_asprintf("http://%s-grafana.%s.svc:80", c->monitoring.release, c->monitoring.ns);
    env_add(ours, "RAY_GRAFANA_HOST", grafana);
    env_add(ours, "RAY_GRAFANA_IFRAME_HOST",
            c->monitoring.grafana_host ? c->monitoring.grafana_host : "http://localhost:3000");
    env_add(ours, "RAY_PROMETHEUS_HOST",
            c->monitoring.prometheus_host ? c->monitoring.prometheus_host : prometheus);
    if (rd_streq(c->ray.auth, "disabled"))
        env_add(ours, "RAY_AUTH_MODE", "disabled");
    const char *bucket = json_string_value(step_fact(ctx, "spill.bucket"));
    const char *prefix = json_string_value(step_fact(ctx, "spill.prefix"));
    if (c->target == TARGET_GKE && c->spill.enabled && bucket && prefix) {
        /* Only uri: any key the storage class does not take is a TypeError that crashes the head. */
        RD_AUTOFREE char *uri = rd_asprintf("gs://%s/%s", bucket, prefix);
        RD_AUTOJSON json_t *spill = rd_json_pack("{s:s, s:{s:s}}", "type", "smart_open", "params",
                                                 "uri", uri);
        RD_AUTOFREE char *text = rd_json_dump(spill);
        env_add(ours, "RAY_object_spilling_config", text);
    }
    return env_list(ours, json_object_get(c->ray.head, "env"));
}

static json_t *node_selector(const struct step_ctx *ctx, const json_t *group)
{
    json_t *sel = json_object();
    if (ctx->config->target == TARGET_GKE) {
        json_object_set_new(sel, "iam.gke.io/gke-metadata-server-enabled", json_string("true"));
        if (group && group_has_gpus(group))
            json_object_set_new(sel, "cloud.google.com/gke-accelerator",
                                json_string(ctx->config->gpu_pool.accelerator));
    }
    const json_t *user = group ? json_object_get(group, "nodeSelector") : NULL;
    if (user)
        json_object_update(sel, (json_t *)user);
    return sel;
}

static json_t *tolerations(const json_t *group)
{
    json_t *t = json_array();
    if (group_has_gpus(group))
        json_array_append_new(t, rd_json_pack("{s:s, s:s, s:s}", "key", "nvidia.com/gpu", "operator",
                                              "Exists", "effect", "NoSchedule"));
    if (json_is_true(json_object_get(group, "spot")))
        json_array_append_new(t, rd_json_pack("{s:s, s:s, s:s, s:s}", "key", "cloud.google.com/gke-spot",
                                              "operator", "Equal", "value", "true", "effect",
                                              "NoSchedule"));
    return t;
}

/* A ReadWriteOnce volume can be mounted on one node only: workers follow the head there. */
static json_t *affinity(const struct step_ctx *ctx)
{
    if (!json_is_true(step_fact(ctx, "volume.one_node")))
        return json_object();
    return rd_json_pack(
        "{s:{s:[{s:s, s:{s:{s:s, s:s}}}]}}", "podAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution", "topologyKey", "kubernetes.io/hostname",
        "labelSelector", "matchLabels", "ray.io/cluster", ctx->config->name, "ray.io/node-type",
        "head");
}

#define SET(name, value)                                                                           \
    do {                                                                                           \
        if (!template_set(v, name, value, reterr))                                                 \
            return false;                                                                          \
    } while (0)
#define SET_STR(name, value)                                                                       \
    do {                                                                                           \
        if (!template_set_str(v, name, value, reterr))                                             \
            return false;                                                                          \
    } while (0)

static bool fill_group(const struct step_ctx *ctx, const json_t *group, struct template_values *v,
                       struct rd_err **reterr)
{
    const struct config *c = ctx->config;
    RD_AUTOFREE char *image = group_has_gpus(group) ? values_gpu_image(c) : values_ray_image(c);
    json_int_t min = values_group_int(group, "min", 0);
    SET_STR("group_name", group_str(group, "name", "cpu"));
    SET("group_replicas", json_integer(values_group_int(group, "replicas", min)));
    SET("group_min", json_integer(min));
    SET("group_max", json_integer(values_group_int(group, "max", 1)));
    SET("group_idle_s", json_integer(values_group_int(group, "idleTimeoutSeconds", 60)));
    SET("group_start_params", start_params(group, false));
    SET("group_grace_s", json_integer(grace_s(c, group)));
    SET("group_node_selector", node_selector(ctx, group));
    SET("group_tolerations", tolerations(group));
    SET("group_affinity", affinity(ctx));
    SET_STR("group_image", image);
    SET("group_env", worker_env(c, group));
    SET("group_requests", resources(group, true));
    SET("group_limits", resources(group, false));
    return true;
}

static bool fill_cluster(const struct step_ctx *ctx, struct template_values *v,
                         struct rd_err **reterr)
{
    const struct config *c = ctx->config;
    RD_AUTOFREE char *image = values_ray_image(c);
    SET_STR("ray_version", c->ray.version);
    SET_STR("ray_image", image);
    SET_STR("ray_auth", c->ray.auth);
    SET("pod_labels", names_labels(c));
    SET("head_start_params", start_params(c->ray.head, true));
    SET("head_grace_s", json_integer(grace_s(c, c->ray.head)));
    SET("head_node_selector", node_selector(ctx, NULL));
    SET("head_env", head_env(ctx));
    SET("head_requests", resources(c->ray.head, true));
    SET("head_limits", resources(c->ray.head, false));
    SET_STR("mount_path", VALUES_MOUNT_PATH);

    json_t *pod = template_fragment(ctx->templates, "workloads/head-pod.yaml", v, reterr);
    if (!pod)
        return false;
    if (c->target == TARGET_GKE && c->filestore.enabled) {
        json_t *init = template_fragment(ctx->templates, "workloads/volume-init.yaml", v, reterr);
        if (!init) {
            json_decref(pod);
            return false;
        }
        json_object_set_new(pod, "initContainers", rd_json_pack("[o]", init));
    }
    SET("head_pod", pod);
    RD_AUTOJSON json_t *groups = json_array();
    size_t i;
    const json_t *g;
    json_array_foreach(c->ray.workers, i, g)
    {
        if (!fill_group(ctx, g, v, reterr))
            return false;
        json_t *one = template_fragment(ctx->templates, "workloads/worker-group.yaml", v, reterr);
        if (!one)
            return false;
        json_array_append_new(groups, one);
    }
    SET("worker_groups", json_incref(groups));
    return true;
}

/* ---- Network ---- */

static json_t *dns_peers(const struct config *c)
{
    json_t *peers = json_array();
    static const char *const apps[] = {"kube-dns", "node-local-dns"};
    for (size_t i = 0; i < RD_ARRAY_LEN(apps); i++)
        json_array_append_new(
            peers, rd_json_pack("{s:{s:{s:s}}, s:{s:{s:s}}}", "namespaceSelector", "matchLabels",
                                "kubernetes.io/metadata.name", "kube-system", "podSelector",
                                "matchLabels", "k8s-app", apps[i]));
    if (c->target == TARGET_GKE) {
        static const char *const cidrs[] = {"169.254.20.10/32", "169.254.169.254/32"};
        for (size_t i = 0; i < RD_ARRAY_LEN(cidrs); i++)
            json_array_append_new(peers, rd_json_pack("{s:{s:s}}", "ipBlock", "cidr", cidrs[i]));
    }
    return peers;
}

/* Who scrapes: the release's Prometheus, and on Google Cloud the collectors of managed Prometheus,
 * whose namespaces are Google's own. */
static json_t *prometheus_peers(const struct config *c)
{
    json_t *peers = json_array();
    json_array_append_new(
        peers, rd_json_pack("{s:{s:{s:s}}, s:{s:{s:s}}}", "namespaceSelector", "matchLabels",
                            "kubernetes.io/metadata.name", c->monitoring.ns, "podSelector",
                            "matchLabels", "app.kubernetes.io/name", "prometheus"));
    static const char *const managed[] = {"gmp-system", "gke-gmp-system"};
    for (size_t i = 0; c->target == TARGET_GKE && i < RD_ARRAY_LEN(managed); i++)
        json_array_append_new(
            peers, rd_json_pack("{s:{s:{s:s}}}", "namespaceSelector", "matchLabels",
                                "kubernetes.io/metadata.name", managed[i]));
    return peers;
}

bool values_fill(const struct step_ctx *ctx, struct template_values *v, struct rd_err **reterr)
{
    const struct config *c = ctx->config;
    RD_AUTOFREE char *ns = config_namespace(c);
    RD_AUTOFREE char *head = config_head_account(c);
    RD_AUTOFREE char *worker = config_worker_account(c);
    RD_AUTOFREE char *claim = config_claim(c);
    RD_AUTOFREE char *kuberay_image = rd_asprintf("quay.io/kuberay/operator:v%s", c->kuberay.version);

    SET_STR("name", c->name);
    SET("labels", names_labels(c));
    json_t *ns_labels = names_labels(c);
    json_object_set_new(ns_labels, "pod-security.kubernetes.io/enforce", json_string("baseline"));
    SET("namespace_labels", ns_labels);
    SET_STR("namespace", ns);
    SET_STR("head_account", head);
    SET_STR("worker_account", worker);
    SET_STR("claim", claim);
    /* The name decides the address, so nobody has to wait until the account is there. */
    json_t *annotations = json_object();
    if (c->target == TARGET_GKE) {
        RD_AUTOFREE char *account = cc_ray_account(c);
        RD_AUTOFREE char *email = cc_account_email(c, account);
        json_object_set_new(annotations, "iam.gke.io/gcp-service-account", json_string(email));
    }
    SET("account_annotations", annotations);
    json_t *hard = values_quota(c, reterr);
    if (!hard)
        return false;
    SET("quota_hard", hard);

    SET_STR("kuberay_namespace", c->kuberay.ns);
    SET_STR("kuberay_image", kuberay_image);
    SET("kuberay_args", values_kuberay_args(c));
    json_t *rules = template_fragment(ctx->templates, "kuberay/rules.yaml", v, reterr);
    if (!rules)
        return false;
    SET("kuberay_rules", rules);

    SET("dns_peers", dns_peers(c));
    SET("prometheus_peers", prometheus_peers(c));
    SET_STR("monitoring_namespace", c->monitoring.ns);
    /* Going down, objects are known by name alone. */
    const json_t *egress = step_fact(ctx, "api.egress");
    if (egress || ctx->going_down)
        SET("api_server_egress", egress ? json_incref((json_t *)egress) : json_array());

    const json_t *modes = step_fact(ctx, "volume.modes");
    if (modes || ctx->going_down)
        SET("volume_access_modes", modes ? json_incref((json_t *)modes) : json_array());
    RD_AUTOFREE char *size = c->target == TARGET_LOCAL
                                 ? rd_strdup("1Gi")
                                 : rd_asprintf("%" JSON_INTEGER_FORMAT "Gi", c->filestore.capacity_gb);
    SET_STR("volume_size", size);
    const char *ip = json_string_value(step_fact(ctx, "filestore.ip"));
    if (ip || ctx->going_down) {
        SET("filestore_ip", json_string(ip ? ip : "192.0.2.1"));
        SET_STR("filestore_path", "/" CC_FILESTORE_SHARE);
    }
    return fill_cluster(ctx, v, reterr);
}
