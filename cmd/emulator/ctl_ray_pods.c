/* Pods and Service as KubeRay makes them: labels, names, start command, environment, sidecar. */
#include "ctl_ray.h"

#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

void ray_spec_hash(const json_t *cluster, char *out)
{
    json_t *spec = json_deep_copy(json_object_get(cluster, "spec"));
    size_t n;
    json_t *group;
    /* What the autoscaler owns, and what only says how many, is no reason to start over. */
    json_array_foreach (json_object_get(spec, "workerGroupSpecs"), n, group) {
        static const char *const free_fields[] = {"replicas", "minReplicas", "maxReplicas",
                                                  "scaleStrategy"};
        for (size_t k = 0; k < RD_ARRAY_LEN(free_fields); k++)
            json_object_del(group, free_fields[k]);
    }
    RD_AUTOFREE char *text = rd_json_dump(spec);
    json_decref(spec);
    rd_sha256_hex(text, strlen(text), out);
}

bool ray_auth_on(const json_t *cluster)
{
    return rd_streq(rd_json_path_str(cluster, "spec.authOptions.mode"), "token");
}

char *ray_token_secret(const json_t *cluster)
{
    const char *named = rd_json_path_str(cluster, "spec.authOptions.secretName");
    return rd_strdup(named != NULL ? named : ctl_name(cluster));
}

char *ray_service_name(const json_t *cluster)
{
    const char *own = rd_json_path_str(cluster, "spec.headGroupSpec.headService.metadata.name");
    return own != NULL ? rd_strdup(own) : rd_asprintf("%s-head-svc", ctl_name(cluster));
}

static void env_default(json_t *container, const char *name, const char *value)
{
    json_t *env = json_object_get(container, "env");
    if (!json_is_array(env)) {
        env = json_array();
        json_object_set_new(container, "env", env);
    }
    size_t n;
    json_t *e;
    json_array_foreach (env, n, e) {
        if (rd_streq(rd_json_str(e, "name", NULL), name))
            return;
    }
    json_array_append_new(env, rd_json_pack("{s:s, s:s}", "name", name, "value", value));
}

static void env_auth(json_t *container, const json_t *cluster)
{
    if (!ray_auth_on(cluster))
        return;
    env_default(container, "RAY_AUTH_MODE", "token");
    RD_AUTOFREE char *secret = ray_token_secret(cluster);
    json_array_append_new(
        json_object_get(container, "env"),
        rd_json_pack("{s:s, s:{s:{s:s, s:s}}}", "name", "RAY_AUTH_TOKEN", "valueFrom",
                     "secretKeyRef", "name", secret, "key", "auth_token"));
}

/* Number of whole CPUs: the limit, else the request, rounded up. */
static long cpus_of(const json_t *container)
{
    const json_t *q = rd_json_path(container, "resources.limits.cpu");
    q = q != NULL ? q : rd_json_path(container, "resources.requests.cpu");
    return (long)((ctl_milli(q) + 999) / 1000);
}

static void put_param(struct rd_buf *b, const json_t *params, const char *name, char *take_value)
{
    if (json_object_get(params, name) == NULL)
        rd_buf_printf(b, " --%s=%s ", name, take_value);
    free(take_value);
}

static char *start_command(const json_t *params, const json_t *container, bool head,
                           const char *address, bool autoscaling)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(8192);
    rd_buf_printf(&b, "ulimit -n 65536; ray start %s", head ? "--head " : "");
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)params, key, value) {
        const char *text = json_string_value(value);
        if (rd_streq(text, "true"))
            rd_buf_printf(&b, " --%s ", key);
        else if (!rd_streq(text, "false"))
            rd_buf_printf(&b, " --%s=%s ", key, text == NULL ? "" : text);
    }
    if (head)
        put_param(&b, params, "dashboard-host", rd_strdup("0.0.0.0"));
    else
        put_param(&b, params, "address", rd_strdup(address));
    if (head && autoscaling)
        rd_buf_puts(&b, " --no-monitor ");
    put_param(&b, params, "metrics-export-port", rd_strdup("8080"));
    put_param(&b, params, "dashboard-agent-listen-port", rd_strdup("52365"));
    long cpus = cpus_of(container);
    if (cpus > 0)
        put_param(&b, params, "num-cpus", rd_asprintf("%ld", cpus));
    int64_t memory = ctl_milli(rd_json_path(container, "resources.limits.memory")) / 1000;
    if (memory > 0)
        put_param(&b, params, "memory", rd_asprintf("%lld", (long long)memory));
    int64_t gpus = ctl_milli(rd_json_get(container, "resources", "limits", "nvidia.com/gpu", NULL));
    if (gpus > 0)
        put_param(&b, params, "num-gpus", rd_asprintf("%lld", (long long)gpus / 1000));
    rd_buf_puts(&b, " --block ");
    return rd_buf_take(&b, NULL);
}

static void probes(json_t *container, bool head)
{
    static const struct {
        const char *name;
        int delay, failures;
    } kinds[] = {{"readinessProbe", 10, 10}, {"livenessProbe", 30, 120}};
    for (size_t n = 0; n < RD_ARRAY_LEN(kinds); n++) {
        if (json_object_get(container, kinds[n].name) == NULL)
            json_object_set_new(
                container, kinds[n].name,
                rd_json_pack("{s:{s:s, s:i}, s:i, s:i, s:i, s:i, s:i}", "httpGet", "path",
                             "/api/healthz", "port", 52365, "initialDelaySeconds", kinds[n].delay,
                             "periodSeconds", 5, "timeoutSeconds", head ? 5 : 2, "failureThreshold",
                             kinds[n].failures, "successThreshold", 1));
    }
}

static void metrics_port(json_t *container)
{
    json_t *ports = json_object_get(container, "ports");
    if (!json_is_array(ports)) {
        ports = json_array();
        json_object_set_new(container, "ports", ports);
    }
    size_t n;
    json_t *p;
    json_array_foreach (ports, n, p) {
        if (rd_streq(rd_json_str(p, "name", NULL), "metrics"))
            return;
    }
    json_array_append_new(ports, rd_json_pack("{s:s, s:i, s:s}", "name", "metrics", "containerPort",
                                              8080, "protocol", "TCP"));
}

static void shared_memory(json_t *spec, json_t *container)
{
    size_t n;
    json_t *m;
    json_array_foreach (json_object_get(container, "volumeMounts"), n, m) {
        if (rd_streq(rd_json_str(m, "mountPath", NULL), "/dev/shm"))
            return;
    }
    static const char *const lists[] = {"volumes", "volumeMounts"};
    json_t *owners[] = {spec, container};
    for (n = 0; n < 2; n++) {
        if (!json_is_array(json_object_get(owners[n], lists[n])))
            json_object_set_new(owners[n], lists[n], json_array());
    }
    json_t *dir = rd_json_pack("{s:s}", "medium", "Memory");
    json_t *limit = rd_json_path(container, "resources.limits.memory");
    if (limit != NULL)
        json_object_set(dir, "sizeLimit", limit);
    json_array_append_new(json_object_get(spec, "volumes"),
                          rd_json_pack("{s:s, s:o}", "name", "shared-mem", "emptyDir", dir));
    json_array_append_new(
        json_object_get(container, "volumeMounts"),
        rd_json_pack("{s:s, s:s}", "name", "shared-mem", "mountPath", "/dev/shm"));
}

/* What head and workers have in common. */
static json_t *pod_base(struct ctl_work *w, const json_t *cluster, const json_t *group, bool head)
{
    const char *name = ctl_name(cluster), *ns = ctl_ns(cluster);
    const char *group_name = head ? "headgroup" : rd_json_str(group, "groupName", NULL);
    char suffix[6];
    ctl_suffix(w->e, suffix);
    RD_AUTOFREE char *prefix =
        head ? rd_asprintf("%s-head-", name) : rd_asprintf("%s-%s-worker-", name, group_name);
    for (char *s = prefix; *s != '\0'; s++)
        *s = (char)(*s >= 'A' && *s <= 'Z' ? *s | 0x20 : *s);
    RD_AUTOFREE char *pod_name = rd_asprintf("%.50s%s", prefix, suffix);
    json_t *pod = ctl_object("v1", "Pod", ns, pod_name);
    json_t *meta = json_object_get(pod, "metadata");
    const json_t *template = json_object_get(group, "template");
    json_t *labels = json_deep_copy(rd_json_get(template, "metadata", "labels", NULL));
    labels = labels == NULL ? json_object() : labels;
    RD_AUTOFREE char *identifier = rd_asprintf("%s-%s", name, head ? "head" : "worker");
    json_t *own = rd_json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ray.io/is-ray-node", "yes",
                               "ray.io/cluster", name, "ray.io/node-type", head ? "head" : "worker",
                               "ray.io/group", group_name, "ray.io/identifier", identifier,
                               "app.kubernetes.io/name", "kuberay", "app.kubernetes.io/created-by",
                               RAY_OPERATOR);
    json_object_update(labels, own);
    json_decref(own);
    json_object_set_new(meta, "labels", labels);
    json_t *annotations = json_deep_copy(rd_json_get(template, "metadata", "annotations", NULL));
    annotations = annotations == NULL ? json_object() : annotations;
    json_object_set_new(annotations, "ray.io/ft-enabled", json_string("false"));
    json_object_set_new(annotations, "ray.io/kuberay-version", json_string("v1.7.0"));
    json_object_set_new(meta, "annotations", annotations);
    json_object_set_new(meta, "ownerReferences", rd_json_pack("[o]", kube_owner_ref(cluster)));
    json_t *spec = json_deep_copy(json_object_get(template, "spec"));
    json_object_set_new(pod, "spec", spec);
    if (rd_streq(rd_json_path_str(cluster, "spec.autoscalerOptions.version"), "v2"))
        json_object_set_new(spec, "restartPolicy", json_string("Never"));
    json_t *container = json_array_get(json_object_get(spec, "containers"), 0);
    RD_AUTOFREE char *service = ray_service_name(cluster);
    RD_AUTOFREE char *fqdn = rd_asprintf("%s.%s.svc.cluster.local", service, ns);
    RD_AUTOFREE char *address = rd_asprintf("%s:6379", fqdn);
    bool scales = rd_json_path_bool(cluster, "spec.enableInTreeAutoscaling", false);
    RD_AUTOFREE char *command = start_command(json_object_get(group, "rayStartParams"), container,
                                              head, address, scales);
    if (json_object_get(container, "command") == NULL) {
        json_object_set_new(container, "command", rd_json_pack("[s, s, s]", "/bin/bash", "-c", "--"));
        json_object_set_new(container, "args", rd_json_pack("[s]", command));
    }
    env_default(container, "RAY_CLUSTER_NAME", name);
    env_default(container, "RAY_CLUSTER_NAMESPACE", ns);
    env_default(container, "RAY_CLOUD_INSTANCE_ID", pod_name);
    env_default(container, "RAY_NODE_TYPE_NAME", group_name);
    env_default(container, "KUBERAY_GEN_RAY_START_CMD", command);
    env_default(container, "RAY_PORT", "6379");
    env_default(container, "RAY_ADDRESS", head ? "127.0.0.1:6379" : address);
    env_default(container, "RAY_USAGE_STATS_KUBERAY_IN_USE", "1");
    if (!head) {
        env_default(container, "FQ_RAY_IP", fqdn);
        env_default(container, "RAY_IP", service);
    }
    env_auth(container, cluster);
    probes(container, head);
    metrics_port(container);
    shared_memory(spec, container);
    return pod;
}

json_t *ray_head_pod(struct ctl_work *w, const json_t *cluster, const char *hash)
{
    const json_t *group = rd_json_path(cluster, "spec.headGroupSpec");
    json_t *pod = pod_base(w, cluster, group, true);
    json_t *spec = json_object_get(pod, "spec");
    json_t *containers = json_object_get(spec, "containers");
    json_t *ray = json_array_get(containers, 0);
    json_object_set_new(rd_json_path(pod, "metadata.annotations"),
                        "ray.io/upgrade-strategy-recreate-hash", json_string(hash));
    if (!rd_json_path_bool(cluster, "spec.enableInTreeAutoscaling", false))
        return pod;
    if (rd_streq(rd_json_path_str(cluster, "spec.autoscalerOptions.version"), "v2"))
        env_default(ray, "RAY_enable_autoscaler_v2", "true");
    const json_t *options = rd_json_path(cluster, "spec.autoscalerOptions");
    const char *image = rd_json_str(options, "image", NULL);
    json_t *sidecar = rd_json_pack("{s:s, s:s, s:[s, s, s], s:[s]}", "name", "autoscaler", "image",
                                   image != NULL ? image : rd_json_str(ray, "image", NULL),
                                   "command", "/bin/bash", "-c", "--", "args",
                                   "ray kuberay-autoscaler --cluster-name $(RAY_CLUSTER_NAME) "
                                   "--cluster-namespace $(RAY_CLUSTER_NAMESPACE)");
    json_t *resources = json_object_get(options, "resources");
    json_object_set_new(sidecar, "resources",
                        resources != NULL
                            ? json_deep_copy(resources)
                            : rd_json_pack("{s:{s:s, s:s}, s:{s:s, s:s}}", "limits", "cpu", "500m",
                                           "memory", "512Mi", "requests", "cpu", "500m", "memory",
                                           "512Mi"));
    env_default(sidecar, "RAY_CLUSTER_NAME", ctl_name(cluster));
    env_default(sidecar, "RAY_CLUSTER_NAMESPACE", ctl_ns(cluster));
    env_default(sidecar, "RAY_HEAD_POD_NAME", ctl_name(pod));
    env_default(sidecar, "KUBERAY_CRD_VER", "v1");
    env_auth(sidecar, cluster);
    json_array_append_new(containers, sidecar);
    json_array_append_new(json_object_get(spec, "volumes"),
                          rd_json_pack("{s:s, s:{}}", "name", "ray-logs", "emptyDir"));
    if (json_object_get(spec, "serviceAccountName") == NULL)
        json_object_set_new(spec, "serviceAccountName", json_string(ctl_name(cluster)));
    return pod;
}

json_t *ray_worker_pod(struct ctl_work *w, const json_t *cluster, const json_t *group)
{
    json_t *pod = pod_base(w, cluster, group, false);
    json_t *spec = json_object_get(pod, "spec");
    const json_t *ray = json_array_get(json_object_get(spec, "containers"), 0);
    json_t *init = rd_json_pack("{s:s, s:O, s:[s, s, s], s:{s:{s:s, s:s}, s:{s:s, s:s}}}", "name",
                                "wait-gcs-ready", "image", json_object_get(ray, "image"), "command",
                                "/bin/bash", "-c", "--", "resources", "limits", "cpu", "200m",
                                "memory", "256Mi", "requests", "cpu", "200m", "memory", "256Mi");
    json_t *env = json_object_get(ray, "env");
    json_object_set_new(init, "env", json_deep_copy(env));
    json_t *list = json_object_get(spec, "initContainers");
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(spec, "initContainers", list);
    }
    json_array_append_new(list, init);
    return pod;
}

json_t *ray_head_service(const json_t *cluster)
{
    RD_AUTOFREE char *name = ray_service_name(cluster);
    RD_AUTOFREE char *identifier = rd_asprintf("%s-head", ctl_name(cluster));
    json_t *labels = rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "ray.io/cluster", ctl_name(cluster),
                                  "ray.io/node-type", "head", "ray.io/identifier", identifier,
                                  "app.kubernetes.io/name", "kuberay",
                                  "app.kubernetes.io/created-by", RAY_OPERATOR);
    json_t *o = ctl_object("v1", "Service", ctl_ns(cluster), name);
    rd_json_path_set(o, "metadata.labels", json_deep_copy(labels));
    json_object_set_new(json_object_get(o, "metadata"), "ownerReferences",
                        rd_json_pack("[o]", kube_owner_ref(cluster)));
    json_t *ports = json_array();
    const json_t *container = json_array_get(
        rd_json_path(cluster, "spec.headGroupSpec.template.spec.containers"), 0);
    size_t n;
    json_t *p;
    bool metrics = false;
    json_array_foreach (json_object_get(container, "ports"), n, p) {
        const char *port_name = rd_json_str(p, "name", NULL);
        long number = (long)rd_json_path_int(p, "containerPort", 0);
        RD_AUTOFREE char *made = port_name == NULL ? rd_asprintf("%ld-port", number) : NULL;
        metrics = metrics || rd_streq(port_name, "metrics");
        json_array_append_new(ports,
                              rd_json_pack("{s:s, s:I, s:I, s:s, s:s}", "name",
                                           port_name == NULL ? made : port_name, "port",
                                           (json_int_t)number, "targetPort", (json_int_t)number,
                                           "protocol", "TCP", "appProtocol", "tcp"));
    }
    static const struct {
        const char *name;
        int port;
    } usual[] = {{"client", 10001}, {"gcs-server", 6379}, {"dashboard", 8265}, {"serve", 8000}};
    bool bare = json_array_size(ports) == 0;
    for (n = 0; bare && n < RD_ARRAY_LEN(usual); n++)
        json_array_append_new(ports, rd_json_pack("{s:s, s:i, s:i, s:s, s:s}", "name",
                                                  usual[n].name, "port", usual[n].port, "targetPort",
                                                  usual[n].port, "protocol", "TCP", "appProtocol",
                                                  "tcp"));
    if (!metrics)
        json_array_append_new(ports, rd_json_pack("{s:s, s:i, s:i, s:s, s:s}", "name", "metrics",
                                                  "port", 8080, "targetPort", 8080, "protocol",
                                                  "TCP", "appProtocol", "tcp"));
    const char *type = rd_json_path_str(cluster, "spec.headGroupSpec.serviceType");
    bool headless = (type == NULL || rd_streq(type, "ClusterIP")) &&
                    rd_json_path(cluster, "spec.headGroupSpec.headService") == NULL;
    json_t *spec = rd_json_pack("{s:o, s:o, s:s}", "selector", labels, "ports", ports, "type",
                                type == NULL ? "ClusterIP" : type);
    if (headless) {
        json_object_set_new(spec, "clusterIP", json_string("None"));
        json_object_set_new(spec, "clusterIPs", rd_json_pack("[s]", "None"));
        json_object_set_new(spec, "publishNotReadyAddresses", json_true());
    }
    json_object_set_new(o, "spec", spec);
    return o;
}
