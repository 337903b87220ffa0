/* What KubeRay 1.7.0 refuses, and how it says so: by one Warning event, without a status. */
#include "ctl_ray.h"

#include <stdlib.h>
#include <string.h>

static bool version_at_least(const char *version, long major, long minor)
{
    char *end = NULL;
    long a = version == NULL ? 0 : strtol(version, &end, 10);
    long b = end == NULL || *end != '.' ? 0 : strtol(end + 1, NULL, 10);
    return a > major || (a == major && b >= minor);
}

static char *check_group(const json_t *cluster, const json_t *group, bool head)
{
    const char *name = head ? "headgroup" : rd_json_str(group, "groupName", NULL);
    bool scales = rd_json_path_bool(cluster, "spec.enableInTreeAutoscaling", false);
    bool v2 = rd_streq(rd_json_path_str(cluster, "spec.autoscalerOptions.version"), "v2");
    if (json_array_size(rd_json_path(group, "template.spec.containers")) == 0)
        return head ? rd_strdup("headGroupSpec should have at least one container")
                    : rd_asprintf("workerGroupSpec %s should have at least one container", name);
    const char *restart = rd_json_path_str(group, "template.spec.restartPolicy");
    if (v2 && restart != NULL && !rd_streq(restart, "Never"))
        return rd_asprintf("restartPolicy for group %s should be Never or unset when using autoscaler "
                           "V2",
                           name);
    const json_t *params = json_object_get(group, "rayStartParams");
    const json_t *resources = json_object_get(group, "resources");
    static const char *const excluded[] = {"num-cpus", "num-gpus", "memory", "resources"};
    for (size_t n = 0; json_object_size(resources) > 0 && n < RD_ARRAY_LEN(excluded); n++) {
        if (json_object_get(params, excluded[n]) != NULL)
            return rd_asprintf("resource fields should not be set in both rayStartParams and Resources "
                               "for %s group",
                               name);
    }
    if (json_object_get(params, "labels") != NULL)
        return rd_asprintf("rayStartParams['labels'] is not supported for %s group. Please use the "
                           "top-level Labels field instead",
                           name);
    if (head)
        return NULL;
    const json_t *idle = json_object_get(group, "idleTimeoutSeconds");
    if (idle != NULL && !json_is_null(idle)) {
        if (json_integer_value(idle) < 0)
            return rd_asprintf("idleTimeoutSeconds must be non-negative, got %lld",
                               (long long)json_integer_value(idle));
        if (!v2)
            return rd_asprintf("worker group %s has idleTimeoutSeconds set, but autoscaler version is "
                               "not v2",
                               name);
    }
    long min = (long)rd_json_path_int(group, "minReplicas", 0);
    long max = (long)rd_json_path_int(group, "maxReplicas", 2147483647);
    if (min < 0 || max < 0 || min > max)
        return rd_asprintf("worker group %s maxReplicas %ld must be greater than or equal to "
                           "minReplicas %ld",
                           name, max, min);
    if (scales && rd_json_path_bool(group, "suspend", false))
        return rd_asprintf("worker group %s cannot be suspended with Autoscaler enabled", name);
    return NULL;
}

char *ray_refusal(const json_t *cluster, const char **ret_reason)
{
    const char *name = ctl_name(cluster);
    *ret_reason = "InvalidRayClusterMetadata";
    if (strlen(name) > 53)
        return rd_asprintf("RayCluster name should be no more than 53 characters, got %s", name);
    if (name[0] < 'a' || name[0] > 'z' || strchr(name, '.') != NULL)
        return rd_asprintf("RayCluster name should be a valid DNS1035 label: %s", name);
    *ret_reason = "InvalidRayClusterSpec";
    const json_t *spec = json_object_get(cluster, "spec");
    char *why = check_group(cluster, json_object_get(spec, "headGroupSpec"), true);
    size_t n;
    json_t *group;
    json_array_foreach (json_object_get(spec, "workerGroupSpecs"), n, group) {
        if (why == NULL)
            why = check_group(cluster, group, false);
    }
    if (why != NULL)
        return why;
    const char *version = rd_json_str(spec, "rayVersion", NULL);
    if (ray_auth_on(cluster) && !version_at_least(version, 2, 52))
        return rd_asprintf("authOptions.mode is 'token' but minimum Ray version is 2.52.0, got %s",
                           version == NULL ? "" : version);
    static const char *const gated[][2] = {{"networkPolicy", "RayClusterNetworkPolicy"},
                                           {"tlsOptions", "RayClusterMTLS"},
                                           {"historyServerOptions", "RayClusterHistoryServer"}};
    for (n = 0; n < RD_ARRAY_LEN(gated); n++) {
        if (json_object_get(spec, gated[n][0]) != NULL)
            return rd_asprintf("%s is set but the feature gate %s is not enabled", gated[n][0],
                               gated[n][1]);
    }
    const char *strategy = rd_json_path_str(spec, "upgradeStrategy.type");
    if (strategy != NULL && !rd_streq(strategy, "Recreate") && !rd_streq(strategy, "None"))
        return rd_asprintf("the RayCluster spec.upgradeStrategy.type %s is invalid, valid options are "
                           "Recreate or None",
                           strategy);
    return NULL;
}
