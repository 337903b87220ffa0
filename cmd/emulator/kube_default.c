/* What the real server fills in by itself, and what it refuses of a whole object. */
#include "kube_internal.h"

#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

static void fill(json_t *o, const char *key, json_t *take)
{
    if (json_is_object(o) && json_object_get(o, key) == NULL)
        json_object_set_new(o, key, take);
    else
        json_decref(take);
}

static json_t *child(json_t *o, const char *key)
{
    json_t *c = json_object_get(o, key);
    if (c == NULL) {
        c = json_object();
        json_object_set_new(o, key, c);
    }
    return c;
}

static void fill_probe(json_t *probe)
{
    fill(probe, "failureThreshold", json_integer(3));
    fill(probe, "periodSeconds", json_integer(10));
    fill(probe, "successThreshold", json_integer(1));
    fill(probe, "timeoutSeconds", json_integer(1));
    fill(json_object_get(probe, "httpGet"), "scheme", json_string("HTTP"));
}

static void fill_resources(json_t *r)
{
    json_t *limits = json_object_get(r, "limits");
    const char *key;
    json_t *v;
    json_object_foreach (limits, key, v) {
        json_t *requests = child(r, "requests");
        fill(requests, key, json_deep_copy(v));
    }
}

static void fill_container(json_t *c)
{
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(c, "ports"), i, p)
        fill(p, "protocol", json_string("TCP"));
    json_array_foreach (json_object_get(c, "env"), i, p)
        fill(rd_json_get(p, "valueFrom", "fieldRef", NULL), "apiVersion", json_string("v1"));
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    for (i = 0; i < RD_ARRAY_LEN(probes); i++)
        fill_probe(json_object_get(c, probes[i]));
    const char *image = rd_json_str(c, "image", NULL);
    const char *name = image == NULL ? NULL : strrchr(image, '/');
    name = name == NULL ? image : name;
    const char *tag = name == NULL ? NULL : strchr(name, ':');
    bool latest = name != NULL && strchr(name, '@') == NULL && (tag == NULL || rd_streq(tag, ":latest"));
    fill(c, "imagePullPolicy", json_string(latest ? "Always" : "IfNotPresent"));
    fill(c, "resources", json_object());
    fill_resources(json_object_get(c, "resources"));
    fill(c, "terminationMessagePath", json_string("/dev/termination-log"));
    fill(c, "terminationMessagePolicy", json_string("File"));
}

static void fill_volume(json_t *v)
{
    static const char *const modes[] = {"configMap", "secret", "projected", "downwardAPI"};
    for (size_t i = 0; i < RD_ARRAY_LEN(modes); i++)
        fill(json_object_get(v, modes[i]), "defaultMode", json_integer(420));
    fill(json_object_get(v, "hostPath"), "type", json_string(""));
    json_t *claim = rd_json_get(v, "ephemeral", "volumeClaimTemplate", "spec", NULL);
    fill(claim, "volumeMode", json_string("Filesystem"));
    if (json_object_size(v) == 1)
        json_object_set_new(v, "emptyDir", json_object());
    size_t i;
    json_t *s;
    json_array_foreach (rd_json_get(v, "projected", "sources", NULL), i, s)
        fill(json_object_get(s, "serviceAccountToken"), "expirationSeconds", json_integer(3600));
}

static void fill_pod(json_t *spec, const char *restart)
{
    if (!json_is_object(spec))
        return;
    static const char *const lists[] = {"initContainers", "containers"};
    size_t i;
    json_t *c;
    for (size_t k = 0; k < RD_ARRAY_LEN(lists); k++) {
        json_array_foreach (json_object_get(spec, lists[k]), i, c)
            fill_container(c);
    }
    json_array_foreach (json_object_get(spec, "volumes"), i, c)
        fill_volume(c);
    fill(spec, "dnsPolicy", json_string("ClusterFirst"));
    if (restart != NULL)
        fill(spec, "restartPolicy", json_string(restart));
    fill(spec, "schedulerName", json_string("default-scheduler"));
    fill(spec, "securityContext", json_object());
    fill(spec, "terminationGracePeriodSeconds", json_integer(30));
    const char *account = rd_json_str(spec, "serviceAccountName", NULL);
    if (account != NULL)
        fill(spec, "serviceAccount", json_string(account));
}

static void fill_deployment(json_t *spec)
{
    fill(spec, "progressDeadlineSeconds", json_integer(600));
    fill(spec, "replicas", json_integer(1));
    fill(spec, "revisionHistoryLimit", json_integer(10));
    json_t *strategy = child(spec, "strategy");
    fill(strategy, "type", json_string("RollingUpdate"));
    if (!rd_streq(rd_json_str(strategy, "type", NULL), "RollingUpdate"))
        return;
    json_t *rolling = child(strategy, "rollingUpdate");
    fill(rolling, "maxSurge", json_string("25%"));
    fill(rolling, "maxUnavailable", json_string("25%"));
}

static void fill_stateful_set(json_t *spec)
{
    fill(spec, "podManagementPolicy", json_string("OrderedReady"));
    fill(spec, "replicas", json_integer(1));
    fill(spec, "revisionHistoryLimit", json_integer(10));
    fill(spec, "persistentVolumeClaimRetentionPolicy",
         rd_json_pack("{s:s, s:s}", "whenDeleted", "Retain", "whenScaled", "Retain"));
    json_t *update = child(spec, "updateStrategy");
    fill(update, "type", json_string("RollingUpdate"));
    if (rd_streq(rd_json_str(update, "type", NULL), "RollingUpdate"))
        fill(child(update, "rollingUpdate"), "partition", json_integer(0));
    size_t i;
    json_t *claim;
    json_array_foreach (json_object_get(spec, "volumeClaimTemplates"), i, claim) {
        fill(claim, "apiVersion", json_string("v1"));
        fill(claim, "kind", json_string("PersistentVolumeClaim"));
        fill(child(claim, "spec"), "volumeMode", json_string("Filesystem"));
        fill(child(claim, "status"), "phase", json_string("Pending"));
    }
}

static void fill_daemon_set(json_t *spec)
{
    fill(spec, "revisionHistoryLimit", json_integer(10));
    json_t *update = child(spec, "updateStrategy");
    fill(update, "type", json_string("RollingUpdate"));
    json_t *rolling = child(update, "rollingUpdate");
    fill(rolling, "maxSurge", json_integer(0));
    fill(rolling, "maxUnavailable", json_integer(1));
}

static void fill_job(json_t *job, json_t *spec)
{
    fill(spec, "backoffLimit", json_integer(6));
    fill(spec, "completionMode", json_string("NonIndexed"));
    fill(spec, "manualSelector", json_false());
    fill(spec, "podReplacementPolicy", json_string("TerminatingOrFailed"));
    fill(spec, "suspend", json_false());
    if (json_object_get(spec, "parallelism") == NULL && json_object_get(spec, "completions") == NULL)
        fill(spec, "completions", json_integer(1));
    fill(spec, "parallelism", json_integer(1));
    if (json_object_get(spec, "selector") != NULL)
        return;
    /* The real server names the pods by the Job's uid. */
    const char *uid = kube_meta(job, "uid"), *name = kube_meta(job, "name");
    json_object_set_new(spec, "selector",
                        rd_json_pack("{s:{s:s}}", "matchLabels", "batch.kubernetes.io/controller-uid", uid));
    json_t *labels = child(child(child(spec, "template"), "metadata"), "labels");
    json_object_set_new(labels, "batch.kubernetes.io/controller-uid", json_string(uid));
    json_object_set_new(labels, "batch.kubernetes.io/job-name", json_string(name));
    json_object_set_new(labels, "controller-uid", json_string(uid));
    json_object_set_new(labels, "job-name", json_string(name));
}

/* The address of a Service comes from its name's place in the cluster's counter. */
static void fill_service(struct kube_cluster *c, json_t *o)
{
    json_t *spec = child(o, "spec");
    fill(spec, "type", json_string("ClusterIP"));
    const char *type = rd_json_str(spec, "type", NULL);
    fill(spec, "sessionAffinity", json_string("None"));
    bool external = rd_streq(type, "ExternalName");
    if (!external) {
        if (json_object_get(spec, "clusterIP") == NULL ||
            rd_streq(rd_json_str(spec, "clusterIP", NULL), "")) {
            unsigned n = (unsigned)(++c->addresses);
            json_object_set_new(spec, "clusterIP",
                                json_sprintf("34.118.%u.%u", 225 + n / 250 % 14, 2 + n % 250));
        }
        fill(spec, "clusterIPs", rd_json_pack("[s]", rd_json_str(spec, "clusterIP", NULL)));
        fill(spec, "internalTrafficPolicy", json_string("Cluster"));
        fill(spec, "ipFamilies", rd_json_pack("[s]", "IPv4"));
        fill(spec, "ipFamilyPolicy", json_string("SingleStack"));
    }
    bool ports = rd_streq(type, "NodePort") || rd_streq(type, "LoadBalancer");
    if (ports)
        fill(spec, "externalTrafficPolicy", json_string("Cluster"));
    if (rd_streq(type, "LoadBalancer"))
        fill(spec, "allocateLoadBalancerNodePorts", json_true());
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(spec, "ports"), i, p) {
        fill(p, "protocol", json_string("TCP"));
        json_t *port = json_object_get(p, "port");
        if (port != NULL)
            fill(p, "targetPort", json_deep_copy(port));
        if (ports && json_object_get(p, "nodePort") == NULL)
            json_object_set_new(p, "nodePort", json_integer(30000 + (json_int_t)(++c->node_ports % 2768)));
    }
    fill(child(o, "status"), "loadBalancer", json_object());
}

static void fill_secret(json_t *o)
{
    fill(o, "type", json_string("Opaque"));
    json_t *plain = json_object_get(o, "stringData");
    const char *key;
    json_t *v;
    json_object_foreach (plain, key, v) {
        const char *s = json_string_value(v);
        if (s == NULL)
            continue;
        RD_AUTOFREE char *text = rd_base64_encode(s, strlen(s));
        json_object_set_new(child(o, "data"), key, json_string(text));
    }
    json_object_del(o, "stringData");
}

static void fill_webhooks(json_t *o, bool mutating)
{
    size_t i, k;
    json_t *w, *r;
    json_array_foreach (json_object_get(o, "webhooks"), i, w) {
        fill(w, "failurePolicy", json_string("Fail"));
        fill(w, "matchPolicy", json_string("Equivalent"));
        fill(w, "namespaceSelector", json_object());
        fill(w, "objectSelector", json_object());
        fill(w, "timeoutSeconds", json_integer(10));
        if (mutating)
            fill(w, "reinvocationPolicy", json_string("Never"));
        fill(rd_json_get(w, "clientConfig", "service", NULL), "port", json_integer(443));
        json_array_foreach (json_object_get(w, "rules"), k, r)
            fill(r, "scope", json_string("*"));
    }
}

static void fill_crd(json_t *o)
{
    json_t *spec = child(o, "spec"), *names = child(spec, "names");
    fill(spec, "conversion", rd_json_pack("{s:s}", "strategy", "None"));
    const char *kind = rd_json_str(names, "kind", NULL);
    if (kind == NULL)
        return;
    RD_AUTOFREE char *low = rd_strdup(kind);
    for (char *p = low; *p != '\0'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    fill(names, "listKind", json_sprintf("%sList", kind));
    fill(names, "singular", json_string(low));
}

static void fill_namespace(json_t *o)
{
    if (rd_json_get(o, "metadata", "deletionTimestamp", NULL) == NULL) {
        fill(child(o, "spec"), "finalizers", rd_json_pack("[s]", "kubernetes"));
        fill(child(o, "status"), "phase", json_string("Active"));
    }
    json_object_set_new(child(child(o, "metadata"), "labels"), "kubernetes.io/metadata.name",
                        json_string(kube_meta(o, "name")));
}

void kube_default(struct kube_cluster *c, struct kube_res *r, const char *version, json_t *o)
{
    json_t *spec = json_object_get(o, "spec");
    json_t *pod = rd_json_get(spec, "template", "spec", NULL);
    const char *k = r->custom ? "" : r->kind;
    if (r->custom) {
        kube_type_default(kube_res_type(r, version), o);
    } else if (rd_streq(k, "Namespace")) {
        fill_namespace(o);
    } else if (rd_streq(k, "Pod")) {
        fill_pod(spec, "Always");
        fill(spec, "enableServiceLinks", json_true());
        fill(spec, "preemptionPolicy", json_string("PreemptLowerPriority"));
        fill(spec, "priority", json_integer(0));
        fill(spec, "serviceAccountName", json_string("default"));
        fill(spec, "serviceAccount", json_string("default"));
        fill(child(o, "status"), "phase", json_string("Pending"));
    } else if (rd_streq(k, "Service")) {
        fill_service(c, o);
    } else if (rd_streq(k, "Deployment")) {
        fill_deployment(spec);
        fill_pod(pod, "Always");
    } else if (rd_streq(k, "ReplicaSet")) {
        fill(spec, "replicas", json_integer(1));
        fill_pod(pod, "Always");
    } else if (rd_streq(k, "StatefulSet")) {
        fill_stateful_set(spec);
        fill_pod(pod, "Always");
    } else if (rd_streq(k, "DaemonSet")) {
        fill_daemon_set(spec);
        fill_pod(pod, "Always");
    } else if (rd_streq(k, "Job")) {
        fill_job(o, spec);
        fill_pod(pod, NULL);
    } else if (rd_streq(k, "Secret")) {
        fill_secret(o);
    } else if (rd_streq(k, "PersistentVolumeClaim")) {
        fill(spec, "volumeMode", json_string("Filesystem"));
        fill(child(o, "status"), "phase", json_string("Pending"));
    } else if (rd_streq(k, "PersistentVolume")) {
        fill(spec, "persistentVolumeReclaimPolicy", json_string("Retain"));
        fill(spec, "volumeMode", json_string("Filesystem"));
        fill(child(o, "status"), "phase", json_string("Pending"));
    } else if (rd_streq(k, "StorageClass")) {
        fill(o, "reclaimPolicy", json_string("Delete"));
        fill(o, "volumeBindingMode", json_string("Immediate"));
    } else if (rd_streq(k, "NetworkPolicy")) {
        if (json_object_get(spec, "policyTypes") == NULL)
            fill(spec, "policyTypes",
                 json_object_get(spec, "egress") != NULL ? rd_json_pack("[s, s]", "Ingress", "Egress")
                                                         : rd_json_pack("[s]", "Ingress"));
    } else if (rd_streq(k, "PriorityClass")) {
        fill(o, "preemptionPolicy", json_string("PreemptLowerPriority"));
    } else if (rd_ends_with(k, "WebhookConfiguration")) {
        fill_webhooks(o, k[0] == 'M');
    } else if (rd_streq(k, "CustomResourceDefinition")) {
        fill_crd(o);
    }
}
