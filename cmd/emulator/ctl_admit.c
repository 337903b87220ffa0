/* What the API server does to a new pod: LimitRange defaults, GKE's toleration for accelerators,
 * ResourceQuota. */
#include "ctl_work.h"

#include <stdlib.h>
#include <string.h>

static void fill_resources(json_t *container, const char *part, const json_t *defaults)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)defaults, name, value) {
        json_t *resources = json_object_get(container, "resources");
        if (!json_is_object(resources)) {
            resources = json_object();
            json_object_set_new(container, "resources", resources);
        }
        json_t *have = json_object_get(resources, part);
        if (!json_is_object(have)) {
            have = json_object();
            json_object_set_new(resources, part, have);
        }
        if (json_object_get(have, name) == NULL)
            json_object_set_new(have, name, json_deep_copy(value));
    }
}

static void limit_ranges(struct ctl_work *w, const char *ns, json_t *containers)
{
    RD_AUTOJSON json_t *ranges = kube_list(w->c, "limitranges", ns, NULL);
    size_t n, k, m;
    json_t *range, *limit, *container;
    json_array_foreach (containers, m, container) {
        json_t *limits = rd_json_path(container, "resources.limits");
        if (limits != NULL) /* a limit without a request is the request */
            fill_resources(container, "requests", limits);
        json_array_foreach (ranges, n, range) {
            json_array_foreach (rd_json_path(range, "spec.limits"), k, limit) {
                if (!rd_streq(rd_json_str(limit, "type", NULL), "Container"))
                    continue;
                fill_resources(container, "requests", json_object_get(limit, "defaultRequest"));
                fill_resources(container, "limits", json_object_get(limit, "default"));
            }
        }
    }
}

/* Sum of one part ("requests", "limits") of one resource over the pod's containers, in thousandths;
 * *ret_without names a container that does not say. */
static int64_t sum_of(const json_t *pod, const char *part, const char *resource,
                      const char **ret_without)
{
    int64_t sum = 0;
    size_t n;
    json_t *container;
    json_array_foreach (rd_json_path(pod, "spec.containers"), n, container) {
        const json_t *q = rd_json_get(container, "resources", part, resource, NULL);
        if (q == NULL)
            *ret_without = rd_json_str(container, "name", NULL);
        sum += ctl_milli(q);
    }
    return sum;
}

int64_t ctl_quota_use(const json_t *pod, const char *key, const char **ret_without)
{
    if (rd_streq(key, "pods") || rd_streq(key, "count/pods"))
        return 1000;
    if (rd_starts_with(key, "requests."))
        return sum_of(pod, "requests", key + strlen("requests."), ret_without);
    if (rd_starts_with(key, "limits."))
        return sum_of(pod, "limits", key + strlen("limits."), ret_without);
    if (rd_streq(key, "cpu") || rd_streq(key, "memory"))
        return sum_of(pod, "requests", key, ret_without);
    return 0;
}

char *ctl_quantity(const char *key, int64_t milli)
{
    bool bytes = strstr(key, "memory") != NULL || strstr(key, "storage") != NULL;
    int64_t whole = milli / 1000;
    if (bytes && whole % (1 << 30) == 0 && whole > 0)
        return rd_asprintf("%lldGi", (long long)(whole >> 30));
    if (bytes && whole % (1 << 20) == 0 && whole > 0)
        return rd_asprintf("%lldMi", (long long)(whole >> 20));
    return milli % 1000 == 0 ? rd_asprintf("%lld", (long long)whole)
                             : rd_asprintf("%lldm", (long long)milli);
}

int64_t ctl_quota_used(struct ctl_work *w, const char *ns, const char *key)
{
    RD_AUTOJSON json_t *pods = kube_list(w->c, "pods", ns, NULL);
    int64_t used = 0;
    const char *without = NULL;
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        if (!ctl_pod_over(pod))
            used += ctl_quota_use(pod, key, &without);
    }
    return used;
}

static bool quota(struct ctl_work *w, const json_t *pod, char **ret_why)
{
    const char *ns = ctl_ns(pod);
    RD_AUTOJSON json_t *quotas = kube_list(w->c, "resourcequotas", ns, NULL);
    size_t n;
    json_t *q, *limit;
    const char *key;
    json_array_foreach (quotas, n, q) {
        json_object_foreach (rd_json_path(q, "spec.hard"), key, limit) {
            const char *without = NULL;
            int64_t want = ctl_quota_use(pod, key, &without);
            bool must = rd_starts_with(key, "limits.") || rd_ends_with(key, "cpu") ||
                        rd_ends_with(key, "memory");
            if (without != NULL && must) {
                *ret_why = rd_asprintf("pods \"%s\" is forbidden: failed quota: %s: must specify %s "
                                       "for: %s",
                                       ctl_name(pod), ctl_name(q), key, without);
                return false;
            }
            int64_t used = ctl_quota_used(w, ns, key);
            if (want == 0 || used + want <= ctl_milli(limit))
                continue;
            RD_AUTOFREE char *a = ctl_quantity(key, want);
            RD_AUTOFREE char *b = ctl_quantity(key, used);
            RD_AUTOFREE char *c = ctl_quantity(key, ctl_milli(limit));
            *ret_why = rd_asprintf("pods \"%s\" is forbidden: exceeded quota: %s, requested: %s=%s, "
                                   "used: %s=%s, limited: %s=%s",
                                   ctl_name(pod), ctl_name(q), key, a, key, b, key, c);
            return false;
        }
    }
    return true;
}

static bool wants_gpu(const json_t *pod)
{
    const char *without = NULL;
    return sum_of(pod, "limits", "nvidia.com/gpu", &without) > 0;
}

bool ctl_pod_admit(struct ctl_work *w, json_t *pod, char **ret_why)
{
    const char *ns = ctl_ns(pod);
    limit_ranges(w, ns, rd_json_path(pod, "spec.containers"));
    limit_ranges(w, ns, rd_json_path(pod, "spec.initContainers"));
    if (wants_gpu(pod)) {
        json_t *list = rd_json_path(pod, "spec.tolerations");
        if (!json_is_array(list)) {
            list = json_array();
            rd_json_path_set(pod, "spec.tolerations", list);
        }
        bool has = false;
        size_t n;
        json_t *t;
        json_array_foreach (list, n, t)
            has = has || rd_streq(rd_json_str(t, "key", NULL), "nvidia.com/gpu");
        if (!has)
            json_array_append_new(list, rd_json_pack("{s:s, s:s, s:s}", "key", "nvidia.com/gpu",
                                                     "operator", "Exists", "effect", "NoSchedule"));
    }
    const char *account = rd_json_path_str(pod, "spec.serviceAccountName");
    if (account == NULL) {
        rd_json_path_set(pod, "spec.serviceAccountName", json_string("default"));
    } else if (!rd_streq(ns, "kube-system") && !rd_streq(account, "default") &&
               kube_get(w->c, "serviceaccounts", ns, account) == NULL) {
        *ret_why = rd_asprintf("error looking up service account %s/%s: serviceaccount \"%s\" not "
                               "found",
                               ns, account, account);
        return false;
    }
    return quota(w, pod, ret_why);
}
