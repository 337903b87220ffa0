/* Storage, Service, Namespace, CustomResourceDefinition, PodDisruptionBudget, APIService, and the
 * kinds that are ready as soon as the API server took them (reference kubernetes-client 6.2). */
#include "base/text.h"
#include "k8s/verdict_rule.h"

void k8s_rule_present(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)o;
    (void)now_wall_ms;
    k8s_say(v, K8S_CURRENT, NULL, "ready once accepted; no controller has to act on it");
}

void k8s_rule_pvc(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const char *phase = rd_json_path_str(o, "status.phase");
    const char *volume = rd_json_path_str(o, "spec.volumeName");
    const char *class = rd_json_path_str(o, "spec.storageClassName");
    if (rd_streq(phase, "Bound"))
        k8s_say(v, K8S_CURRENT, NULL, "bound to volume %s", volume != NULL ? volume : "(unnamed)");
    else if (rd_streq(phase, "Lost"))
        k8s_say(v, K8S_FAILED, "Lost", "its volume %s is gone, and the data with it",
                volume != NULL ? volume : "(unnamed)");
    else if (phase == NULL)
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "no controller has looked at it yet");
    else if (volume != NULL && *volume != '\0')
        k8s_say(v, K8S_IN_PROGRESS, phase, "%s: waits to be bound to volume %s", phase, volume);
    else
        k8s_say(v, K8S_IN_PROGRESS, phase,
                "%s: waits for a volume of class %s (a class that binds late waits for the first "
                "pod that uses the claim)",
                phase,
                class == NULL    ? "(default)"
                : *class == '\0' ? "\"\""
                                 : class);
}

void k8s_rule_pv(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const char *phase = rd_json_path_str(o, "status.phase");
    const char *said = rd_json_path_str(o, "status.message");
    const char *ns = rd_json_path_str(o, "spec.claimRef.namespace");
    const char *claim = rd_json_path_str(o, "spec.claimRef.name");
    const char *policy = rd_json_path_str(o, "spec.persistentVolumeReclaimPolicy");
    if (rd_streq(phase, "Available")) {
        k8s_say(v, K8S_CURRENT, NULL, "available, no claim holds it");
    } else if (rd_streq(phase, "Bound")) {
        k8s_say(v, K8S_CURRENT, NULL, "bound to claim %s/%s", ns != NULL ? ns : "",
                claim != NULL ? claim : "");
    } else if (rd_streq(phase, "Failed")) {
        k8s_say(v, K8S_FAILED, "Failed", "its reclamation failed: %s",
                said != NULL && *said != '\0' ? said : "no message");
    } else if (rd_streq(phase, "Released") && !rd_streq(policy, "Delete")) {
        /* Nobody will ever bind it again by themselves. */
        k8s_say(v, K8S_FAILED, "Released",
                "its claim %s/%s is gone; the data is kept, and no new claim can bind it until its "
                "spec.claimRef is cleared",
                ns != NULL ? ns : "", claim != NULL ? claim : "");
    } else if (phase != NULL) {
        k8s_say(v, K8S_IN_PROGRESS, phase, "phase %s%s%s", phase,
                said != NULL && *said != '\0' ? ": " : "", said != NULL ? said : "");
    } else {
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "no controller has looked at it yet");
    }
}

void k8s_rule_service(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const char *type = rd_json_path_str(o, "spec.type");
    if (!rd_streq(type, "LoadBalancer")) {
        k8s_say(v, K8S_CURRENT, NULL, "%s Service, ready once accepted",
                type != NULL ? type : "ClusterIP");
        return;
    }
    const json_t *first = json_array_get(rd_json_path(o, "status.loadBalancer.ingress"), 0);
    const char *address = rd_json_str(first, "ip", NULL);
    if (address == NULL)
        address = rd_json_str(first, "hostname", NULL);
    if (first != NULL)
        k8s_say(v, K8S_CURRENT, NULL, "load balancer at %s", address != NULL ? address : "unknown");
    else
        k8s_say(v, K8S_IN_PROGRESS, "NoAddress", "waits for the address of its load balancer");
}

void k8s_rule_namespace(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const char *phase = rd_json_path_str(o, "status.phase");
    if (rd_streq(phase, "Active"))
        k8s_say(v, K8S_CURRENT, NULL, "active");
    else if (rd_streq(phase, "Terminating"))
        k8s_say(v, K8S_TERMINATING, NULL, "being deleted");
    else
        k8s_say(v, K8S_IN_PROGRESS, "NotActive", "%s",
                phase != NULL ? "not active yet" : "not seen by an API server yet");
}

void k8s_rule_crd(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const char *why = k8s_condition_reason(o, "Established");
    if (k8s_condition_is(o, "NamesAccepted", "False")) {
        /* Another definition has the plural or the kind: somebody else's. */
        k8s_say(v, K8S_FAILED, k8s_condition_reason(o, "NamesAccepted"), "its names are taken: %s",
                k8s_condition_text(o, "NamesAccepted", "no message"));
        k8s_limit(v, 0, RD_ERR_FOREIGN);
    } else if (k8s_condition_is(o, "Established", "False") && !rd_streq(why, "Installing") &&
               !rd_streq(why, "NotAccepted")) {
        k8s_say(v, K8S_FAILED, why, "not established: %s",
                k8s_condition_text(o, "Established", "no message"));
    } else if (k8s_condition_is(o, "Established", "True") &&
               k8s_condition_is(o, "NamesAccepted", "True")) {
        k8s_say(v, K8S_CURRENT, NULL, "established and served");
    } else if (rd_json_condition(o, "Established") == NULL &&
               rd_json_condition(o, "NamesAccepted") == NULL) {
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "no controller has looked at it yet");
    } else {
        k8s_say(v, K8S_IN_PROGRESS, why != NULL ? why : "Installing", "being installed: %s",
                k8s_condition_text(o, "Established", "not established yet"));
    }
}

void k8s_rule_pdb(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    if (!k8s_has_status(o))
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "no controller has looked at it yet");
    else
        k8s_say(v, K8S_CURRENT, NULL, "%lld healthy pods, %lld needed, %lld may be evicted now",
                (long long)rd_json_path_int(o, "status.currentHealthy", 0),
                (long long)rd_json_path_int(o, "status.desiredHealthy", 0),
                (long long)rd_json_path_int(o, "status.disruptionsAllowed", 0));
}

void k8s_rule_apiservice(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    if (k8s_condition_is(o, "Available", "True"))
        k8s_say(v, K8S_CURRENT, NULL, "available: %s", k8s_condition_text(o, "Available", "yes"));
    else if (rd_json_condition(o, "Available") == NULL)
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "no controller has looked at it yet");
    else
        k8s_say(v, K8S_IN_PROGRESS, k8s_condition_reason(o, "Available"), "not available: %s",
                k8s_condition_text(o, "Available", "no message"));
}
