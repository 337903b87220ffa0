#include "k8s/verdict.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "k8s/verdict_rule.h"

/* Where generations are compared. */
enum gate {
    GATE_EQUAL, /* status.observedGeneration, if present, must equal metadata.generation */
    GATE_OWN,   /* the controller does not keep the number up: the rule decides */
};

static const struct rule_row {
    const char *group; /* "" is core */
    const char *kind;
    k8s_rule_fn *rule;
    enum gate gate;
} rule_table[] = {
    {"apps", "Deployment", k8s_rule_deployment, GATE_EQUAL},
    {"apps", "StatefulSet", k8s_rule_statefulset, GATE_EQUAL},
    {"apps", "DaemonSet", k8s_rule_daemonset, GATE_EQUAL},
    {"apps", "ReplicaSet", k8s_rule_replicaset, GATE_EQUAL},
    {"batch", "Job", k8s_rule_job, GATE_EQUAL},
    {"batch", "CronJob", k8s_rule_cronjob, GATE_EQUAL},
    /* A pod's generation moves with resizes and ephemeral containers; readiness does not. */
    {"", "Pod", k8s_rule_pod, GATE_OWN},
    {"", "PersistentVolumeClaim", k8s_rule_pvc, GATE_EQUAL},
    {"", "PersistentVolume", k8s_rule_pv, GATE_EQUAL},
    {"", "Service", k8s_rule_service, GATE_EQUAL},
    {"", "Namespace", k8s_rule_namespace, GATE_EQUAL},
    {"apiextensions.k8s.io", "CustomResourceDefinition", k8s_rule_crd, GATE_EQUAL},
    {"policy", "PodDisruptionBudget", k8s_rule_pdb, GATE_EQUAL},
    {"apiregistration.k8s.io", "APIService", k8s_rule_apiservice, GATE_EQUAL},
    {"", "ConfigMap", k8s_rule_present, GATE_EQUAL},
    {"", "Secret", k8s_rule_present, GATE_EQUAL},
    {"", "ServiceAccount", k8s_rule_present, GATE_EQUAL},
    {"", "ResourceQuota", k8s_rule_present, GATE_EQUAL},
    {"", "LimitRange", k8s_rule_present, GATE_EQUAL},
    {"", "Endpoints", k8s_rule_present, GATE_EQUAL},
    {"discovery.k8s.io", "EndpointSlice", k8s_rule_present, GATE_EQUAL},
    {"networking.k8s.io", "Ingress", k8s_rule_present, GATE_EQUAL},
    {"networking.k8s.io", "NetworkPolicy", k8s_rule_present, GATE_EQUAL},
    {"rbac.authorization.k8s.io", "Role", k8s_rule_present, GATE_EQUAL},
    {"rbac.authorization.k8s.io", "RoleBinding", k8s_rule_present, GATE_EQUAL},
    {"rbac.authorization.k8s.io", "ClusterRole", k8s_rule_present, GATE_EQUAL},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding", k8s_rule_present, GATE_EQUAL},
    {"scheduling.k8s.io", "PriorityClass", k8s_rule_present, GATE_EQUAL},
    {"admissionregistration.k8s.io", "MutatingWebhookConfiguration", k8s_rule_present, GATE_EQUAL},
    {"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", k8s_rule_present,
     GATE_EQUAL},
    {"storage.k8s.io", "StorageClass", k8s_rule_present, GATE_EQUAL},
    {"coordination.k8s.io", "Lease", k8s_rule_present, GATE_EQUAL},
    {"core.cnrm.cloud.google.com", "ConfigConnector", k8s_rule_cnrm_core, GATE_EQUAL},
    {"core.cnrm.cloud.google.com", "ConfigConnectorContext", k8s_rule_cnrm_core, GATE_EQUAL},
    /* KubeRay skips a status write that would change only the number (reference kuberay 3.1). */
    {"ray.io", "RayCluster", k8s_rule_raycluster, GATE_OWN},
    {"ray.io", "RayJob", k8s_rule_rayjob, GATE_OWN},
    {"ray.io", "RayService", k8s_rule_rayservice, GATE_OWN},
    {"ray.io", "RayCronJob", k8s_rule_raycronjob, GATE_OWN},
};

/* Config Connector: one condition for every resource kind, in one group per service. Its own
 * configuration kinds live in core and customize.core, and have no Ready condition. */
static const struct rule_row rule_cnrm = {NULL, NULL, k8s_rule_cnrm, GATE_OWN};

static const struct rule_row *rule_find(const char *api_version, const char *kind)
{
    if (api_version == NULL || kind == NULL || *api_version == '\0' || *kind == '\0')
        return NULL;
    const char *slash = strchr(api_version, '/');
    size_t group_len = slash != NULL ? (size_t)(slash - api_version) : 0;
    if (slash == api_version)
        return NULL; /* "/v1" is not the core group */
    for (size_t i = 0; i < RD_ARRAY_LEN(rule_table); i++) {
        const struct rule_row *r = &rule_table[i];
        if (strlen(r->group) == group_len && memcmp(r->group, api_version, group_len) == 0 &&
            strcmp(r->kind, kind) == 0)
            return r;
    }
    RD_AUTOFREE char *group = rd_strndup(api_version, group_len);
    if (rd_ends_with(group, ".cnrm.cloud.google.com") &&
        !rd_ends_with(group, "core.cnrm.cloud.google.com"))
        return &rule_cnrm;
    return NULL;
}

bool k8s_kind_has_rule(const char *api_version, const char *kind)
{
    return rule_find(api_version, kind) != NULL;
}

static void add_finalizers(const json_t *list, struct k8s_verdict *v)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(K8S_MESSAGE_MAX);
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        if (!json_is_string(item))
            continue;
        if (text.len == 0)
            rd_buf_printf(&text, "waits for finalizer%s ", json_array_size(list) > 1 ? "s" : "");
        else
            rd_buf_puts(&text, ", ");
        rd_buf_puts(&text, json_string_value(item));
    }
    k8s_say_also(v, rd_buf_str(&text));
}

/* A deleted object may hang for hours: say for how long, on what, and what was said about it. */
static void say_terminating(const json_t *object, int64_t now_wall_ms, struct k8s_verdict *v)
{
    const char *since = rd_json_path_str(object, "metadata.deletionTimestamp");
    int64_t age_ms = k8s_age_ms(since, now_wall_ms);
    char age[32] = "";
    if (age_ms >= 0)
        rd_duration_text((uint64_t)age_ms / 1000 * 1000, age);
    k8s_say(v, K8S_TERMINATING, NULL, "being deleted%s%s", age_ms > 0 ? " for " : "",
            age_ms > 0 ? age : "");

    /* A namespace has its list in the spec, and says in conditions what is left in it. */
    add_finalizers(rd_json_path(object, "metadata.finalizers"), v);
    add_finalizers(rd_json_path(object, "spec.finalizers"), v);
    size_t i;
    json_t *item;
    json_array_foreach (rd_json_path(object, "status.conditions"), i, item) {
        const char *type = rd_json_str(item, "type", NULL);
        if (type != NULL && rd_starts_with(type, "Namespace") &&
            rd_streq(rd_json_str(item, "status", NULL), "True"))
            k8s_say_also(v, rd_json_str(item, "message", NULL));
    }
    const char *reason = k8s_condition_reason(object, "Ready");
    if (rd_streq(reason, "DeleteFailed"))
        k8s_say_also(v, k8s_condition_text(object, "Ready", NULL));
}

/* True and a verdict when the controller has not seen the object as it is now. */
static bool say_unobserved(const json_t *object, enum gate gate, struct k8s_verdict *v)
{
    json_int_t generation = rd_json_path_int(object, "metadata.generation", -1);
    json_int_t observed = rd_json_path_int(object, "status.observedGeneration", -1);
    if (gate == GATE_OWN || generation < 0 || observed < 0 || observed == generation)
        return false;
    k8s_say(v, K8S_IN_PROGRESS, "GenerationNotObserved",
            "its controller has seen generation %lld, the object is at %lld", (long long)observed,
            (long long)generation);
    return true;
}

/* The two conditions that kstatus asks controllers to use; the first in the list decides. */
static bool say_standard_condition(const json_t *object, struct k8s_verdict *v)
{
    size_t i;
    json_t *c;
    json_array_foreach (rd_json_path(object, "status.conditions"), i, c) {
        const char *type = rd_json_str(c, "type", NULL);
        bool reconciling = rd_streq(type, "Reconciling");
        bool stalled = rd_streq(type, "Stalled");
        if ((!reconciling && !stalled) || !rd_streq(rd_json_str(c, "status", NULL), "True"))
            continue;
        const char *reason = rd_json_str(c, "reason", NULL);
        const char *message = rd_json_str(c, "message", NULL);
        if (message == NULL || *message == '\0')
            message = reason != NULL ? reason : type;
        k8s_say(v, stalled ? K8S_FAILED : K8S_IN_PROGRESS, reason, "%s", message);
        return true;
    }
    return false;
}

void k8s_judge(const json_t *object, int64_t now_wall_ms, struct k8s_verdict *ret)
{
    *ret = (struct k8s_verdict){0};
    const char *kind = rd_json_str(object, "kind", NULL);
    const char *api_version = rd_json_str(object, "apiVersion", NULL);
    if (kind == NULL || api_version == NULL) {
        k8s_say(ret, K8S_UNKNOWN, NULL, "not a Kubernetes object: no apiVersion or kind");
        return;
    }
    const char *deleted = rd_json_path_str(object, "metadata.deletionTimestamp");
    if (deleted != NULL && *deleted != '\0') {
        say_terminating(object, now_wall_ms, ret);
        return;
    }
    const struct rule_row *row = rule_find(api_version, kind);
    if (row == NULL) {
        k8s_say(ret, K8S_UNKNOWN, NULL, "no readiness rule for %s %s", api_version, kind);
        const json_t *ready = rd_json_condition(object, "Ready");
        const char *status = rd_json_str(ready, "status", NULL);
        if (status != NULL) {
            RD_AUTOFREE char *text = rd_asprintf("its condition Ready is %s", status);
            k8s_say_also(ret, text);
        }
        return;
    }
    if (say_unobserved(object, row->gate, ret))
        return;
    if (row->gate == GATE_EQUAL && say_standard_condition(object, ret))
        return;
    row->rule(object, now_wall_ms, ret);
    RD_ASSERT(ret->message != NULL);
}

void k8s_judge_pod_complaint(const json_t *pod, int64_t now_wall_ms, struct k8s_verdict *ret)
{
    *ret = (struct k8s_verdict){0};
    const char *deleted = rd_json_path_str(pod, "metadata.deletionTimestamp");
    if (deleted != NULL && *deleted != '\0')
        say_terminating(pod, now_wall_ms, ret);
    else
        k8s_rule_pod(pod, now_wall_ms, ret);
}
