/* The rules of validate.h that hang on one option block each. */
#include "ray/validate_internal.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/json.h"

#define FT_ANNOTATION "ray.io/ft-enabled"
#define FT_NAMESPACE_ANNOTATION "ray.io/external-storage-namespace"

static bool head_env(const struct ray_check_ctx *c, const char *name)
{
    return ray_named(json_object_get(c->head_container, "env"), name) != NULL;
}

/* ---- gcsFaultToleranceOptions ---- */

static void check_rocksdb(struct ray_check_ctx *c, const json_t *ft)
{
    static const char *const redis_only[] = {"redisAddress", "redisUsername", "redisPassword",
                                             "externalStorageNamespace"};
    const json_t *storage = json_object_get(ft, "storage");
    size_t i;
    json_t *entry;
    if (!c->gates.embedded_storage)
        ray_problem(c, "gcsFaultToleranceOptions.backend: rocksdb needs the feature gate "
                       "GCSFaultToleranceEmbeddedStorage");
    for (i = 0; i < RD_ARRAY_LEN(redis_only); i++) {
        const json_t *v = json_object_get(ft, redis_only[i]);
        if (v && !(json_is_string(v) && !*json_string_value(v)))
            ray_problem(c, "gcsFaultToleranceOptions.%s does not go with backend rocksdb",
                        redis_only[i]);
    }
    if (*ray_map_str(storage, "claimName") &&
        (json_object_get(storage, "size") || json_object_get(storage, "storageClassName") ||
         json_array_size(json_object_get(storage, "accessModes")) > 0))
        ray_problem(
            c, "gcsFaultToleranceOptions.storage: claimName excludes size, storageClassName and "
               "accessModes");
    if (head_env(c, "RAY_gcs_storage") || head_env(c, "RAY_gcs_storage_path"))
        ray_problem(c,
                    "head: RAY_gcs_storage and RAY_gcs_storage_path are KubeRay's own with backend "
                    "rocksdb");
    json_array_foreach (json_object_get(c->head_container, "volumeMounts"), i, entry) {
        if (strcmp(ray_map_str(entry, "name"), "gcs-storage") == 0 ||
            strcmp(ray_map_str(entry, "mountPath"), "/data/gcs") == 0)
            ray_problem(c, "head: the mount gcs-storage at /data/gcs is KubeRay's own with backend "
                           "rocksdb");
    }
    if (ray_named(rd_json_get(c->head, "template", "spec", "volumes", NULL), "gcs-storage"))
        ray_problem(c, "head: the volume gcs-storage is KubeRay's own with backend rocksdb");
}

void ray_check_fault_tolerance(struct ray_check_ctx *c)
{
    const json_t *ft = json_object_get(c->spec, "gcsFaultToleranceOptions");
    const json_t *params = rd_json_get(c->head, "rayStartParams", NULL);
    const char *annotation = ray_map_str(c->annotations, FT_ANNOTATION);
    bool options = json_is_object(ft);
    if (options && *annotation)
        ray_problem(c, "annotation " FT_ANNOTATION
                       " and gcsFaultToleranceOptions are both set; use only "
                       "the latter");
    if (!options && strcasecmp(annotation, "true") != 0 && head_env(c, "RAY_REDIS_ADDRESS"))
        ray_problem(c, "head: RAY_REDIS_ADDRESS without gcsFaultToleranceOptions");
    if (options) {
        if (*ray_map_str(params, "redis-password"))
            ray_problem(
                c, "head: rayStartParams.redis-password with gcsFaultToleranceOptions; use its "
                   "redisPassword");
        if (head_env(c, "REDIS_PASSWORD"))
            ray_problem(
                c, "head: REDIS_PASSWORD with gcsFaultToleranceOptions; use its redisPassword");
        if (head_env(c, "RAY_REDIS_ADDRESS"))
            ray_problem(
                c, "head: RAY_REDIS_ADDRESS with gcsFaultToleranceOptions; use its redisAddress");
        if (*ray_map_str(c->annotations, FT_NAMESPACE_ANNOTATION))
            ray_problem(c, "annotation " FT_NAMESPACE_ANNOTATION
                           " with gcsFaultToleranceOptions; use its "
                           "externalStorageNamespace");
        if (strcmp(ray_map_str(ft, "backend"), "rocksdb") == 0)
            check_rocksdb(c, ft);
        else if (json_object_get(ft, "storage"))
            ray_problem(c, "gcsFaultToleranceOptions.storage only goes with backend rocksdb");
    }
    if (*ray_map_str(params, "redis-username") || head_env(c, "REDIS_USERNAME"))
        ray_problem(c,
                    "head: a redis user name is set; use gcsFaultToleranceOptions.redisUsername");
}

/* ---- authOptions ---- */

void ray_check_auth(struct ray_check_ctx *c)
{
    const json_t *auth = json_object_get(c->spec, "authOptions");
    const char *version = ray_map_str(c->spec, "rayVersion");
    bool by_kubernetes = rd_json_path_bool(auth, "enableK8sTokenAuth", false);
    if (strcmp(ray_map_str(auth, "mode"), "token") != 0) {
        if (by_kubernetes)
            ray_problem(c, "authOptions.enableK8sTokenAuth needs authOptions.mode: token");
        return;
    }
    if (!*version) {
        ray_problem(c, "authOptions.mode: token needs rayVersion, 2.52.0 or later");
        return;
    }
    int order = ray_version_compare(version, 2, 52);
    if (order < 0) {
        ray_problem(c, "authOptions.mode: token needs rayVersion 2.52.0 or later, and it is '%s'",
                    version);
        return;
    }
    if (by_kubernetes && ray_version_compare(version, 2, 55) < 0)
        ray_problem(
            c, "authOptions.enableK8sTokenAuth needs rayVersion 2.55.0 or later, and it is '%s'",
            version);
    if (by_kubernetes && *ray_map_str(auth, "secretName"))
        ray_problem(c, "authOptions: enableK8sTokenAuth and secretName are both set");
}

/* ---- networkPolicy ---- */

static void check_rules(struct ray_check_ctx *c, const char *where, const json_t *rules,
                        const char *mode)
{
    if (strcmp(mode, "DenyAllEgress") == 0 &&
        json_array_size(json_object_get(rules, "ingressRules")) > 0)
        ray_problem(c,
                    "networkPolicy.%s.ingressRules with mode %s, which does not restrict ingress",
                    where, mode);
    if (strcmp(mode, "DenyAllIngress") == 0 &&
        json_array_size(json_object_get(rules, "egressRules")) > 0)
        ray_problem(c, "networkPolicy.%s.egressRules with mode %s, which does not restrict egress",
                    where, mode);
}

void ray_check_network_policy(struct ray_check_ctx *c)
{
    const json_t *policy = json_object_get(c->spec, "networkPolicy");
    const char *mode = ray_map_str(policy, "mode");
    struct rd_strv names = {0};
    size_t i;
    json_t *entry;
    if (!json_is_object(policy))
        return;
    if (!c->gates.network_policy)
        ray_problem(c, "networkPolicy needs the feature gate RayClusterNetworkPolicy");
    check_rules(c, "head", json_object_get(policy, "head"), mode);
    check_rules(c, "worker", json_object_get(policy, "worker"), mode);
    json_array_foreach ((json_t *)c->groups, i, entry) {
        const char *name = ray_group_name(entry);
        if (!rd_is_dns_label(name, 63))
            ray_problem(c, "group %s: with networkPolicy its name must be a DNS label", name);
        rd_strv_add(&names, name);
    }
    json_array_foreach (json_object_get(policy, "workerGroups"), i, entry) {
        const char *name = ray_group_name(entry);
        RD_AUTOFREE char *where = rd_asprintf("workerGroups[%s]", name);
        check_rules(c, where, entry, mode);
        if (!rd_strv_has(&names, name))
            ray_problem(c, "networkPolicy.%s names no worker group", where);
    }
    rd_strv_clear(&names);
}

/* ---- tlsOptions ---- */

static void check_tls_place(struct ray_check_ctx *c, const char *where, const json_t *env,
                            const json_t *mounts)
{
    static const char *const own[] = {"RAY_USE_TLS", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY",
                                      "RAY_TLS_CA_CERT"};
    size_t i;
    json_t *mount;
    for (i = 0; i < RD_ARRAY_LEN(own); i++)
        if (ray_named(env, own[i]))
            ray_problem(c, "%s: %s is KubeRay's own with tlsOptions", where, own[i]);
    json_array_foreach ((json_t *)mounts, i, mount) {
        if (strcmp(ray_map_str(mount, "name"), "ray-tls") == 0 ||
            strcmp(ray_map_str(mount, "mountPath"), "/etc/ray/tls") == 0)
            ray_problem(c, "%s: the mount ray-tls at /etc/ray/tls is KubeRay's own with tlsOptions",
                        where);
    }
}

void ray_check_tls(struct ray_check_ctx *c)
{
    const json_t *tls = json_object_get(c->spec, "tlsOptions");
    size_t i;
    json_t *group;
    if (!json_is_object(tls))
        return;
    if (!c->gates.mtls) {
        ray_problem(c, "tlsOptions needs the feature gate RayClusterMTLS");
        return;
    }
    if (!rd_json_path_bool(tls, "enabled", false))
        return;
    check_tls_place(c, "head", json_object_get(c->head_container, "env"),
                    json_object_get(c->head_container, "volumeMounts"));
    json_array_foreach ((json_t *)c->groups, i, group) {
        const json_t *container = ray_first_container(group);
        RD_AUTOFREE char *where = rd_asprintf("group %s", ray_group_name(group));
        check_tls_place(c, where, json_object_get(container, "env"),
                        json_object_get(container, "volumeMounts"));
    }
    check_tls_place(c, "autoscalerOptions", json_object_get(c->options, "env"),
                    json_object_get(c->options, "volumeMounts"));
}

/* ---- historyServerOptions ---- */

static bool env_given(const json_t *env, const char *name)
{
    const json_t *entry = ray_named(env, name);
    return *ray_map_str(entry, "value") || json_is_object(json_object_get(entry, "valueFrom"));
}

static void need_env(struct ray_check_ctx *c, const json_t *env, const char *backend,
                     const char *name)
{
    if (!env_given(env, name))
        ray_problem(c, "historyServerOptions.collectorOptions.env: %s is needed for %s", name,
                    backend);
}

static void check_azure(struct ray_check_ctx *c, const json_t *env)
{
    static const char text_env[] = "AZURE_STORAGE_CONNECTION_STRING";
    static const char url_env[] = "AZURE_STORAGE_ACCOUNT_URL";
    const char *mode = ray_map_str(ray_named(env, "AZURE_STORAGE_AUTH_MODE"), "value");
    if (strcasecmp(mode, "connection_string") == 0)
        need_env(c, env, "AzureBlob", text_env);
    else if (strcasecmp(mode, "workload_identity") == 0 || strcasecmp(mode, "default") == 0)
        need_env(c, env, "AzureBlob", url_env);
    else if (!env_given(env, text_env))
        need_env(c, env, "AzureBlob", url_env);
}

static void check_collector(struct ray_check_ctx *c, const json_t *collector)
{
    static const char *const own[] = {
        "POD_IP",   "FQ_RAY_IP",  "RAY_CLUSTER_NAME", "RAY_CLUSTER_NAMESPACE",
        "RAY_ROLE", "OWNER_KIND", "OWNER_NAME",       "EVENTS_PORT"};
    const json_t *env = json_object_get(collector, "env");
    const char *backend = ray_map_str(ray_named(env, "STORAGE_BACKEND"), "value");
    if (!*ray_map_str(collector, "image"))
        ray_problem(c, "historyServerOptions.collectorOptions.image must be set");
    for (size_t i = 0; i < RD_ARRAY_LEN(own); i++)
        if (ray_named(env, own[i]))
            ray_problem(c, "historyServerOptions.collectorOptions.env: %s is KubeRay's own",
                        own[i]);
    if (!*backend)
        ray_problem(c, "historyServerOptions.collectorOptions.env: STORAGE_BACKEND must be set");
    if (strcasecmp(backend, "GCS") == 0) {
        need_env(c, env, "GCS", "GCS_BUCKET");
    } else if (strcasecmp(backend, "S3") == 0) {
        need_env(c, env, "S3", "S3_REGION");
    } else if (strcasecmp(backend, "AZUREBLOB") == 0) {
        check_azure(c, env);
    } else if (strcasecmp(backend, "ALIYUNOSS") == 0) {
        need_env(c, env, "AliyunOSS", "OSS_BUCKET");
        need_env(c, env, "AliyunOSS", "OSS_ENDPOINT");
        need_env(c, env, "AliyunOSS", "OSS_REGION");
    }
}

void ray_check_history(struct ray_check_ctx *c)
{
    static const char sidecar[] = "ray-history-collector";
    const json_t *history = json_object_get(c->spec, "historyServerOptions");
    const json_t *collector = json_object_get(history, "collectorOptions");
    size_t i;
    json_t *group;
    if (!json_is_object(history))
        return;
    if (!c->gates.history_server) {
        ray_problem(c, "historyServerOptions needs the feature gate RayClusterHistoryServer");
        return;
    }
    if (!json_is_object(collector)) {
        ray_problem(c, "historyServerOptions.collectorOptions must be set");
        return;
    }
    check_collector(c, collector);
    if (ray_named(rd_json_get(c->head, "template", "spec", "containers", NULL), sidecar))
        ray_problem(c, "head: a container is named %s, which is KubeRay's own", sidecar);
    json_array_foreach ((json_t *)c->groups, i, group) {
        if (ray_named(rd_json_get(group, "template", "spec", "containers", NULL), sidecar))
            ray_problem(c, "group %s: a container is named %s, which is KubeRay's own",
                        ray_group_name(group), sidecar);
    }
}
