#include "ray/validate_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/json.h"

#define RAY_CLUSTER_NAME_MAX 53
#define AUTOSCALER_V2_ENV "RAY_enable_autoscaler_v2"

/* ---- Helpers of all rules ---- */

void ray_problem(struct ray_check_ctx *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    rd_strv_take(c->problems, rd_vasprintf(fmt, ap));
    va_end(ap);
}

const char *ray_map_str(const json_t *map, const char *key)
{
    const char *s = json_string_value(json_object_get(map, key));
    return s ? s : "";
}

const char *ray_group_name(const json_t *group)
{
    const char *s = rd_json_str(group, "groupName", NULL);
    return s ? s : "";
}

const json_t *ray_first_container(const json_t *group)
{
    return json_array_get(rd_json_get(group, "template", "spec", "containers", NULL), 0);
}

const json_t *ray_named(const json_t *list, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)list, i, entry) {
        if (strcmp(ray_map_str(entry, "name"), name) == 0)
            return entry;
    }
    return NULL;
}

int ray_version_compare(const char *text, unsigned major, unsigned minor)
{
    unsigned long part[2] = {0};
    const char *at = text + (*text == 'v');
    for (int i = 0; i < 2; i++) {
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 6 || (digits > 1 && *at == '0'))
            return -2;
        for (size_t d = 0; d < digits; d++)
            part[i] = part[i] * 10 + (unsigned long)(at[d] - '0');
        at += digits;
        if (i == 0 && *at++ != '.')
            return -2;
    }
    if (part[0] != major)
        return part[0] < major ? -1 : 1;
    return part[1] == minor ? 0 : part[1] < minor ? -1 : 1;
}

/* ---- Names and labels ---- */

static void check_metadata(struct ray_check_ctx *c)
{
    const char *name = rd_json_str(c->cluster, "metadata", "name", NULL);
    if (!name)
        return;
    if (strlen(name) > RAY_CLUSTER_NAME_MAX)
        ray_problem(c, "metadata.name: %zu characters, KubeRay takes at most %d", strlen(name),
                    RAY_CLUSTER_NAME_MAX);
    /* RFC 1035: as a DNS label, but the first character is a letter. */
    if (!rd_is_dns_label(name, 63) || !islower((unsigned char)*name))
        ray_problem(
            c,
            "metadata.name: '%s' is not an RFC 1035 label (lower-case letters, digits, '-', "
            "beginning with a letter)",
            name);
}

static bool label_word(const char *s, size_t len)
{
    if (len == 0 || len > 63 || !isalnum((unsigned char)s[0]) ||
        !isalnum((unsigned char)s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("-_.", s[i]))
            return false;
    return true;
}

static bool label_key(const char *key)
{
    const char *slash = strchr(key, '/');
    if (!slash)
        return label_word(key, strlen(key));
    RD_AUTOFREE char *prefix = rd_strndup(key, (size_t)(slash - key));
    return rd_is_dns_subdomain(prefix) && label_word(slash + 1, strlen(slash + 1));
}

static void check_labels(struct ray_check_ctx *c, const char *name, const json_t *group)
{
    const char *key;
    json_t *value;
    if (rd_json_get(group, "rayStartParams", "labels", NULL))
        ray_problem(c, "group %s: rayStartParams.labels is not supported; use the group's labels",
                    name);
    json_object_foreach (rd_json_get(group, "labels", NULL), key, value) {
        const char *text = json_string_value(value);
        if (!label_key(key))
            ray_problem(c, "group %s: label key '%s' is not valid", name, key);
        if (text && *text && !label_word(text, strlen(text)))
            ray_problem(c, "group %s: value '%s' of label '%s' is not valid", name, text, key);
    }
}

/* ---- Groups ---- */

static void check_start_params(struct ray_check_ctx *c, const char *name, const json_t *group)
{
    static const char *const sizes[] = {"num-cpus", "num-gpus", "memory", "resources"};
    const json_t *params = rd_json_get(group, "rayStartParams", NULL);
    const char *cpus = ray_map_str(params, "num-cpus");
    bool sized = false;
    for (size_t i = 0; i < RD_ARRAY_LEN(sizes); i++)
        sized = sized || *ray_map_str(params, sizes[i]);
    if (sized && json_object_size(rd_json_get(group, "resources", NULL)) > 0)
        ray_problem(
            c, "group %s: sizes are in both rayStartParams and resources; use only one of them",
            name);
    /* Not KubeRay's rule: `ray start` exits on anything else, and the pod crashes in a loop. */
    if (*cpus && strspn(cpus, "0123456789") != strlen(cpus))
        ray_problem(c, "group %s: rayStartParams.num-cpus '%s' is not a whole number", name, cpus);
}

/* autoscalerOptions.version v2, or the older way by environment. */
static bool v2_in_any_way(const struct ray_check_ctx *c)
{
    const char *value = ray_map_str(
        ray_named(json_object_get(c->head_container, "env"), AUTOSCALER_V2_ENV), "value");
    return c->v2 || strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
}

static void check_group_autoscaling(struct ray_check_ctx *c, const json_t *group)
{
    const char *name = ray_group_name(group);
    const json_t *idle = rd_json_get(group, "idleTimeoutSeconds", NULL);
    json_int_t priority = rd_json_path_int(group, "priority", 0);
    if (json_is_integer(idle) && json_integer_value(idle) < 0)
        ray_problem(c, "group %s: idleTimeoutSeconds is negative", name);
    else if (json_is_integer(idle) && !v2_in_any_way(c))
        ray_problem(c, "group %s: idleTimeoutSeconds needs autoscalerOptions.version: v2", name);
    if (priority != 0) {
        const char *version = ray_map_str(c->spec, "rayVersion");
        int order = *version ? ray_version_compare(version, 2, 56) : -2;
        if (order < 0)
            ray_problem(c, "group %s: priority needs rayVersion 2.56.0 or later, and it is '%s'",
                        name, version);
        else if (!v2_in_any_way(c))
            ray_problem(c, "group %s: priority needs autoscalerOptions.version: v2", name);
    }
    if (rd_json_path_bool(group, "suspend", false)) {
        if (c->gates.no_group_suspend)
            ray_problem(c, "group %s: suspend needs the feature gate RayJobDeletionPolicy", name);
        if (c->autoscaling)
            ray_problem(c, "group %s: suspend does not go with autoscaling", name);
    }
}

static void check_replicas(struct ray_check_ctx *c, const json_t *group)
{
    const char *name = ray_group_name(group);
    /* Absent ones get the defaults of the CRD: 0 and 2147483647. */
    json_int_t min = rd_json_path_int(group, "minReplicas", 0);
    json_int_t max = rd_json_path_int(group, "maxReplicas", INT32_MAX);
    if (min < 0)
        ray_problem(c, "group %s: minReplicas %" JSON_INTEGER_FORMAT " is negative", name, min);
    if (max < 0)
        ray_problem(c, "group %s: maxReplicas %" JSON_INTEGER_FORMAT " is negative", name, max);
    if (min > max)
        ray_problem(c,
                    "group %s: minReplicas %" JSON_INTEGER_FORMAT
                    " is more than maxReplicas %" JSON_INTEGER_FORMAT,
                    name, min, max);
}

static void check_groups(struct ray_check_ctx *c)
{
    size_t i;
    json_t *group;
    struct rd_strv seen = {0};
    json_array_foreach ((json_t *)c->groups, i, group) {
        const char *name = ray_group_name(group);
        if (!ray_first_container(group))
            ray_problem(c, "group %s: its pod template has no container", name);
        if (rd_strv_has(&seen, name)) /* only the optional webhook would say so */
            ray_problem(c, "group %s: another worker group has the same groupName", name);
        rd_strv_add(&seen, name);
        check_replicas(c, group);
        check_start_params(c, name, group);
        check_labels(c, name, group);
        check_group_autoscaling(c, group);
    }
    rd_strv_clear(&seen);
}

/* ---- Autoscaler and upgrade ---- */

static void check_restart_policy(struct ray_check_ctx *c, const char *name, const json_t *group)
{
    const char *policy = rd_json_str(group, "template", "spec", "restartPolicy", NULL);
    if (policy && *policy && strcmp(policy, "Never") != 0)
        ray_problem(c, "group %s: restartPolicy is %s; autoscaler v2 needs Never or none", name,
                    policy);
}

static void check_autoscaler(struct ray_check_ctx *c)
{
    const json_t *env = ray_named(json_object_get(c->head_container, "env"), AUTOSCALER_V2_ENV);
    const char *value = ray_map_str(env, "value");
    size_t i;
    json_t *group;
    if (!c->autoscaling && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0))
        ray_problem(c, "head: " AUTOSCALER_V2_ENV " is set while enableInTreeAutoscaling is off");
    if (c->autoscaling && env && json_is_string(json_object_get(c->options, "version")))
        ray_problem(c, "head: both autoscalerOptions.version and " AUTOSCALER_V2_ENV
                       " are set; use only the former");
    if (c->autoscaling && c->v2) {
        check_restart_policy(c, "head", c->head);
        json_array_foreach ((json_t *)c->groups, i, group)
            check_restart_policy(c, ray_group_name(group), group);
    }
    if (rd_json_path_int(c->options, "idleTimeoutSeconds", 0) < 0)
        ray_problem(c, "autoscalerOptions.idleTimeoutSeconds is negative");
    if (ray_named(json_object_get(c->options, "env"), "KUBERAY_GEN_AUTOSCALER_START_CMD"))
        ray_problem(c, "autoscalerOptions.env: KUBERAY_GEN_AUTOSCALER_START_CMD is KubeRay's own");
}

static void check_upgrade(struct ray_check_ctx *c)
{
    const char *type = rd_json_str(c->spec, "upgradeStrategy", "type", NULL);
    const char *origin = ray_map_str(rd_json_get(c->cluster, "metadata", "labels", NULL),
                                     "ray.io/originated-from-crd");
    if (!type)
        return;
    if (strcmp(type, "Recreate") != 0 && strcmp(type, "None") != 0)
        ray_problem(c, "upgradeStrategy.type: '%s' is neither Recreate nor None", type);
    if (strcmp(origin, "RayJob") == 0 || strcmp(origin, "RayService") == 0)
        ray_problem(c, "upgradeStrategy does not go with a cluster made by a %s", origin);
}

bool ray_validate_cluster(const json_t *cluster, struct ray_gates gates, struct rd_strv *problems)
{
    size_t before = problems->len;
    const json_t *spec = rd_json_get(cluster, "spec", NULL);
    const json_t *options = rd_json_get(spec, "autoscalerOptions", NULL);
    const char *version = rd_json_str(options, "version", NULL);
    const json_t *head = rd_json_get(spec, "headGroupSpec", NULL);
    struct ray_check_ctx c = {
        .gates = gates,
        .problems = problems,
        .cluster = cluster,
        .spec = spec,
        .annotations = rd_json_get(cluster, "metadata", "annotations", NULL),
        .groups = rd_json_get(spec, "workerGroupSpecs", NULL),
        .options = options,
        .head = head,
        .head_container = ray_first_container(head),
        .autoscaling = rd_json_path_bool(spec, "enableInTreeAutoscaling", false),
        .v2 = version && strcmp(version, "v2") == 0,
    };
    check_metadata(&c);
    if (!c.head_container)
        ray_problem(&c, "head: its pod template has no container");
    check_start_params(&c, "head", head);
    check_labels(&c, "head", head);
    check_groups(&c);
    ray_check_fault_tolerance(&c);
    check_autoscaler(&c);
    ray_check_history(&c);
    ray_check_auth(&c);
    ray_check_network_policy(&c);
    ray_check_tls(&c);
    check_upgrade(&c);
    return problems->len == before;
}
