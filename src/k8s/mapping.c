#include "base/alloc.h"
#include "base/text.h"
#include "k8s/client.h"
#include "k8s/internal.h"

#include <string.h>

#define RESOURCES_MAX 20000

/* The kinds that Kubernetes itself, KubeRay and our templates have: enough to send the first request
 * without asking the server what it has. Rows that this server does not serve end in a 404 of the
 * path. C: cluster-scoped. */
static const struct row {
    const char *group, *version, *kind, *plural;
    bool cluster;
} rows[] = {
    {"", "v1", "Namespace", "namespaces", true},
    {"", "v1", "Node", "nodes", true},
    {"", "v1", "PersistentVolume", "persistentvolumes", true},
    {"", "v1", "ConfigMap", "configmaps", false},
    {"", "v1", "Secret", "secrets", false},
    {"", "v1", "Service", "services", false},
    {"", "v1", "ServiceAccount", "serviceaccounts", false},
    {"", "v1", "Pod", "pods", false},
    {"", "v1", "PodTemplate", "podtemplates", false},
    {"", "v1", "ReplicationController", "replicationcontrollers", false},
    {"", "v1", "Endpoints", "endpoints", false},
    {"", "v1", "Event", "events", false},
    {"", "v1", "LimitRange", "limitranges", false},
    {"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", false},
    {"", "v1", "ResourceQuota", "resourcequotas", false},
    {"apps", "v1", "Deployment", "deployments", false},
    {"apps", "v1", "StatefulSet", "statefulsets", false},
    {"apps", "v1", "DaemonSet", "daemonsets", false},
    {"apps", "v1", "ReplicaSet", "replicasets", false},
    {"batch", "v1", "Job", "jobs", false},
    {"batch", "v1", "CronJob", "cronjobs", false},
    {"autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", false},
    {"autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", false},
    {"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", false},
    {"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", false},
    {"networking.k8s.io", "v1", "Ingress", "ingresses", false},
    {"networking.k8s.io", "v1", "IngressClass", "ingressclasses", true},
    {"discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", false},
    {"rbac.authorization.k8s.io", "v1", "Role", "roles", false},
    {"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", false},
    {"rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", true},
    {"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", true},
    {"storage.k8s.io", "v1", "StorageClass", "storageclasses", true},
    {"storage.k8s.io", "v1", "CSIDriver", "csidrivers", true},
    {"scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", true},
    {"coordination.k8s.io", "v1", "Lease", "leases", false},
    {"node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", true},
    {"events.k8s.io", "v1", "Event", "events", false},
    {"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", true},
    {"apiregistration.k8s.io", "v1", "APIService", "apiservices", true},
    {"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration",
     "mutatingwebhookconfigurations", true},
    {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration",
     "validatingwebhookconfigurations", true},
    {"admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy",
     "validatingadmissionpolicies", true},
    {"admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding",
     "validatingadmissionpolicybindings", true},
    {"ray.io", "v1", "RayCluster", "rayclusters", false},
    {"ray.io", "v1", "RayJob", "rayjobs", false},
    {"ray.io", "v1", "RayService", "rayservices", false},
    {"ray.io", "v1", "RayCronJob", "raycronjobs", false},
    {"monitoring.coreos.com", "v1", "PodMonitor", "podmonitors", false},
    {"monitoring.googleapis.com", "v1", "PodMonitoring", "podmonitorings", false},
    {"core.cnrm.cloud.google.com", "v1beta1", "ConfigConnectorContext", "configconnectorcontexts",
     false},
    {"core.cnrm.cloud.google.com", "v1beta1", "ConfigConnector", "configconnectors", true},
    {"compute.cnrm.cloud.google.com", "v1beta1", "ComputeNetwork", "computenetworks", false},
    {"compute.cnrm.cloud.google.com", "v1beta1", "ComputeSubnetwork", "computesubnetworks", false},
    {"compute.cnrm.cloud.google.com", "v1beta1", "ComputeRouter", "computerouters", false},
    {"compute.cnrm.cloud.google.com", "v1beta1", "ComputeRouterNAT", "computerouternats", false},
    {"compute.cnrm.cloud.google.com", "v1beta1", "ComputeFirewall", "computefirewalls", false},
    {"container.cnrm.cloud.google.com", "v1beta1", "ContainerCluster", "containerclusters", false},
    {"container.cnrm.cloud.google.com", "v1beta1", "ContainerNodePool", "containernodepools", false},
    {"iam.cnrm.cloud.google.com", "v1beta1", "IAMServiceAccount", "iamserviceaccounts", false},
    {"iam.cnrm.cloud.google.com", "v1beta1", "IAMPolicyMember", "iampolicymembers", false},
    {"storage.cnrm.cloud.google.com", "v1beta1", "StorageBucket", "storagebuckets", false},
    {"filestore.cnrm.cloud.google.com", "v1beta1", "FilestoreInstance", "filestoreinstances", false},
    {"artifactregistry.cnrm.cloud.google.com", "v1beta1", "ArtifactRegistryRepository",
     "artifactregistryrepositories", false},
};

static struct k8s_known *mapping_find(struct k8s_client *c, const char *group, size_t group_len,
                                      const char *version, const char *kind)
{
    for (size_t i = 0; i < c->known_len; i++) {
        struct k8s_resource *r = &c->known[i]->r;
        if (!strcmp(r->kind, kind) && !strncmp(r->group, group, group_len) &&
            !r->group[group_len] && !strcmp(r->version, version))
            return c->known[i];
    }
    return NULL;
}

struct k8s_known *k8s_mapping_put(struct k8s_client *c, const char *group, const char *version,
                                  const char *kind, const char *plural, bool namespaced)
{
    struct k8s_known *k = mapping_find(c, group, strlen(group), version, kind);
    if (!k) {
        if (c->known_len == c->known_cap) {
            c->known_cap = c->known_cap ? c->known_cap * 2 : 128;
            c->known = rd_reallocarray(c->known, c->known_cap, sizeof(*c->known));
        }
        k = rd_calloc(1, sizeof(*k));
        c->known[c->known_len++] = k;
        k->r.group = rd_strdup(group);
        k->r.version = rd_strdup(version);
        k->r.kind = rd_strdup(kind);
        k->r.plural = rd_strdup(plural);
    }
    /* Callers may hold the row: its strings change only when the server says something else. */
    if (!rd_streq(k->r.plural, plural))
        rd_str_dup(&k->r.plural, plural);
    k->r.namespaced = namespaced;
    return k;
}

void k8s_mapping_init(struct k8s_client *c)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++)
        k8s_mapping_put(c, rows[i].group, rows[i].version, rows[i].kind, rows[i].plural,
                        !rows[i].cluster);
}

void k8s_mapping_clear(struct k8s_client *c)
{
    for (size_t i = 0; i < c->known_len; i++) {
        struct k8s_resource *r = &c->known[i]->r;
        rd_freep(&r->group);
        rd_freep(&r->version);
        rd_freep(&r->kind);
        rd_freep(&r->plural);
        rd_freep(&c->known[i]);
    }
    rd_freep(&c->known);
    rd_freep(&c->listable);
    c->known_len = c->known_cap = c->listable_len = 0;
}

const struct k8s_resource *k8s_resource_find(struct k8s_client *c, const char *api_version,
                                             const char *kind)
{
    const char *slash = strchr(api_version, '/');
    size_t group_len = slash ? (size_t)(slash - api_version) : 0;
    struct k8s_known *k =
        mapping_find(c, api_version, group_len, slash ? slash + 1 : api_version, kind);
    return k && !k->stale ? &k->r : NULL;
}

struct k8s_known *k8s_mapping_known(struct k8s_client *c, const struct k8s_resource *r)
{
    (void)c;
    return container_of((struct k8s_resource *)r, struct k8s_known, r);
}

char *k8s_api_version(const struct k8s_resource *r)
{
    return *r->group ? rd_asprintf("%s/%s", r->group, r->version) : rd_strdup(r->version);
}

void k8s_resource_learn_crd(struct k8s_client *c, const json_t *crd)
{
    const char *group = rd_json_path_str(crd, "spec.group");
    const char *kind = rd_json_path_str(crd, "spec.names.kind");
    const char *plural = rd_json_path_str(crd, "spec.names.plural");
    const char *scope = rd_json_path_str(crd, "spec.scope");
    if (!group || !kind || !plural || !scope)
        return;
    size_t i;
    json_t *version;
    json_array_foreach (rd_json_path(crd, "spec.versions"), i, version) {
        const char *name = rd_json_str(version, "name", NULL);
        if (!name || !json_is_true(json_object_get(version, "served")))
            continue;
        struct k8s_known *k =
            k8s_mapping_put(c, group, name, kind, plural, rd_streq(scope, "Namespaced"));
        k->learned = true;
        k->stale = false;
    }
}

static bool has_verb(const json_t *verbs, const char *verb)
{
    size_t i;
    json_t *v;
    json_array_foreach (verbs, i, v) {
        if (rd_streq(json_string_value(v), verb))
            return true;
    }
    return false;
}

static void read_version(struct k8s_client *c, const char *group, const json_t *version)
{
    const char *name = rd_json_str(version, "version", NULL);
    if (!name)
        return;
    bool stale = rd_streq(rd_json_str(version, "freshness", NULL), "Stale");
    size_t i;
    json_t *resource;
    json_array_foreach (json_object_get(version, "resources"), i, resource) {
        const char *plural = rd_json_str(resource, "resource", NULL);
        const char *kind = rd_json_str(resource, "responseKind", "kind", NULL);
        const char *scope = rd_json_str(resource, "scope", NULL);
        if (!plural || !kind || !scope || c->known_len >= RESOURCES_MAX)
            continue;
        struct k8s_known *k =
            k8s_mapping_put(c, group, name, kind, plural, rd_streq(scope, "Namespaced"));
        k->served = true;
        k->stale = stale;
        k->listable = !stale && has_verb(json_object_get(resource, "verbs"), "list");
    }
}

bool k8s_mapping_read_aggregated(struct k8s_client *c, const json_t *list, struct rd_err **reterr)
{
    const json_t *items = json_object_get(list, "items");
    if (!json_is_array(items))
        return rd_fail(reterr, RD_ERR_FAILED, "discovery of %s: the answer has no items",
                       c->config.server);
    size_t i, j;
    json_t *item, *version;
    json_array_foreach (items, i, item) {
        const char *group = rd_json_str(item, "metadata", "name", NULL);
        json_array_foreach (json_object_get(item, "versions"), j, version)
            read_version(c, group ? group : "", version);
    }
    return true;
}

bool k8s_mapping_read_plain(struct k8s_client *c, const json_t *list, struct rd_err **reterr)
{
    const char *gv = rd_json_str(list, "groupVersion", NULL);
    if (!gv)
        return rd_fail(reterr, RD_ERR_FAILED, "discovery of %s: a list without groupVersion",
                       c->config.server);
    const char *slash = strchr(gv, '/');
    RD_AUTOFREE char *group = slash ? rd_strndup(gv, (size_t)(slash - gv)) : rd_strdup("");
    const char *version = slash ? slash + 1 : gv;
    size_t i;
    json_t *resource;
    json_array_foreach (json_object_get(list, "resources"), i, resource) {
        const char *plural = rd_json_str(resource, "name", NULL);
        const char *kind = rd_json_str(resource, "kind", NULL);
        if (!plural || !kind || strchr(plural, '/') || c->known_len >= RESOURCES_MAX)
            continue;
        struct k8s_known *k = k8s_mapping_put(c, group, version, kind, plural,
                                              json_is_true(json_object_get(resource, "namespaced")));
        k->served = true;
        k->listable = has_verb(json_object_get(resource, "verbs"), "list");
    }
    return true;
}

void k8s_mapping_index_listable(struct k8s_client *c)
{
    c->listable = rd_reallocarray(c->listable, c->known_len + 1, sizeof(*c->listable));
    c->listable_len = 0;
    for (size_t i = 0; i < c->known_len; i++) {
        if (c->known[i]->listable && !c->known[i]->stale)
            c->listable[c->listable_len++] = &c->known[i]->r;
    }
}

const struct k8s_resource *const *k8s_resources_listable(struct k8s_client *c, size_t *ret_len)
{
    *ret_len = c->listable_len;
    return (const struct k8s_resource *const *)c->listable;
}
