/* The kinds every API server knows, as kubectl api-resources shows them. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>

/* Flags: n namespaced, s status, c scale, g generation, l no deletecollection, r only create (a
 * review), x only get and list. */
struct kind_row {
    const char *group, *version, *kind, *plural, *shorts, *flags, *subs, *categories;
};

static const struct kind_row rows[] = {
    {"", "v1", "Namespace", "namespaces", "ns", "sl", "finalize", ""},
    {"", "v1", "Pod", "pods", "po", "nsg",
     "attach binding ephemeralcontainers eviction exec log portforward proxy resize", "all"},
    {"", "v1", "Service", "services", "svc", "ns", "proxy", "all"},
    {"", "v1", "ConfigMap", "configmaps", "cm", "n", "", ""},
    {"", "v1", "Secret", "secrets", "", "n", "", ""},
    {"", "v1", "ServiceAccount", "serviceaccounts", "sa", "n", "token", ""},
    {"", "v1", "Endpoints", "endpoints", "ep", "n", "", ""},
    {"", "v1", "Event", "events", "ev", "n", "", ""},
    {"", "v1", "Node", "nodes", "no", "s", "proxy", ""},
    {"", "v1", "PersistentVolume", "persistentvolumes", "pv", "s", "", ""},
    {"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "ns", "", ""},
    {"", "v1", "ResourceQuota", "resourcequotas", "quota", "ns", "", ""},
    {"", "v1", "LimitRange", "limitranges", "limits", "n", "", ""},
    {"", "v1", "ReplicationController", "replicationcontrollers", "rc", "nscg", "", "all"},
    {"", "v1", "PodTemplate", "podtemplates", "", "ng", "", ""},
    {"apiregistration.k8s.io", "v1", "APIService", "apiservices", "", "s", "", "api-extensions"},
    {"apps", "v1", "Deployment", "deployments", "deploy", "nscg", "", "all"},
    {"apps", "v1", "ReplicaSet", "replicasets", "rs", "nscg", "", "all"},
    {"apps", "v1", "StatefulSet", "statefulsets", "sts", "nscg", "", "all"},
    {"apps", "v1", "DaemonSet", "daemonsets", "ds", "nsg", "", "all"},
    {"apps", "v1", "ControllerRevision", "controllerrevisions", "", "n", "", ""},
    {"events.k8s.io", "v1", "Event", "events", "ev", "n", "", ""},
    {"authentication.k8s.io", "v1", "TokenReview", "tokenreviews", "", "r", "", ""},
    {"authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", "", "r", "", ""},
    {"authorization.k8s.io", "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", "", "nr",
     "", ""},
    {"authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "", "r", "",
     ""},
    {"authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", "", "r", "",
     ""},
    {"authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", "", "r", "", ""},
    {"autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "ns", "",
     "all"},
    {"batch", "v1", "Job", "jobs", "", "nsg", "", "all"},
    {"batch", "v1", "CronJob", "cronjobs", "cj", "nsg", "", "all"},
    {"networking.k8s.io", "v1", "Ingress", "ingresses", "ing", "nsg", "", ""},
    {"networking.k8s.io", "v1", "IngressClass", "ingressclasses", "", "g", "", ""},
    {"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol", "ng", "", ""},
    {"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", "nsg", "", ""},
    {"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", "", "", "", ""},
    {"rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", "", "", "", ""},
    {"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "", "n", "", ""},
    {"rbac.authorization.k8s.io", "v1", "Role", "roles", "", "n", "", ""},
    {"storage.k8s.io", "v1", "StorageClass", "storageclasses", "sc", "", "", ""},
    {"storage.k8s.io", "v1", "CSIDriver", "csidrivers", "", "", "", ""},
    {"storage.k8s.io", "v1", "CSINode", "csinodes", "", "", "", ""},
    {"storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", "", "s", "", ""},
    {"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration",
     "mutatingwebhookconfigurations", "", "g", "", "api-extensions"},
    {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration",
     "validatingwebhookconfigurations", "", "g", "", "api-extensions"},
    {"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
     "crd crds", "sg", "", "api-extensions"},
    {"scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "pc", "g", "", ""},
    {"coordination.k8s.io", "v1", "Lease", "leases", "", "n", "", ""},
    {"node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", "", "", "", ""},
    {"discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "", "ng", "", ""},
};

void kube_res_free(struct kube_res *r)
{
    rd_list_remove(&r->node);
    for (size_t i = 0; i < r->version_count; i++) {
        free(r->versions[i].name);
        kube_type_free(r->versions[i].type);
    }
    free(r->versions);
    free(r->name);
    free(r->group);
    free(r->kind);
    free(r->list_kind);
    free(r->plural);
    free(r->singular);
    free(r->storage);
    free(r->verbs);
    rd_strv_clear(&r->short_names);
    rd_strv_clear(&r->categories);
    rd_strv_clear(&r->subs);
    json_decref(r->crd);
    json_decref(r->objects);
    free(r);
}

struct kube_res *kube_res_new(struct kube_cluster *c, const char *group, const char *kind,
                              const char *plural)
{
    struct kube_res *r = rd_calloc(1, sizeof(*r));
    r->group = rd_strdup(group);
    r->kind = rd_strdup(kind);
    r->list_kind = rd_asprintf("%sList", kind);
    r->plural = rd_strdup(plural);
    r->singular = rd_strdup(kind);
    for (char *p = r->singular; *p != '\0'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    r->name = *group == '\0' ? rd_strdup(plural) : rd_asprintf("%s.%s", plural, group);
    r->objects = json_object();
    r->verbs = rd_strdup("create delete deletecollection get list patch update watch");
    rd_list_append(&c->resources, &r->node);
    c->discovery++;
    return r;
}

struct kube_version *kube_res_add_version(struct kube_res *r, const char *version)
{
    r->versions = rd_reallocarray(r->versions, r->version_count + 1, sizeof(*r->versions));
    struct kube_version *v = &r->versions[r->version_count++];
    *v = (struct kube_version){.name = rd_strdup(version)};
    return v;
}

struct kube_version *kube_res_version(struct kube_res *r, const char *version)
{
    for (size_t i = 0; i < r->version_count; i++) {
        if (rd_streq(r->versions[i].name, version))
            return &r->versions[i];
    }
    return NULL;
}

void kube_kinds_add(struct kube_cluster *c)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        const struct kind_row *row = &rows[i];
        struct kube_res *r = kube_res_new(c, row->group, row->kind, row->plural);
        struct kube_version *v = kube_res_add_version(r, row->version);
        v->has_status = strchr(row->flags, 's') != NULL;
        v->has_scale = strchr(row->flags, 'c') != NULL;
        r->storage = rd_strdup(row->version);
        r->namespaced = strchr(row->flags, 'n') != NULL;
        r->generation = strchr(row->flags, 'g') != NULL;
        r->served = true;
        rd_strv_split(&r->short_names, row->shorts, " ");
        rd_strv_split(&r->categories, row->categories, " ");
        rd_strv_split(&r->subs, row->subs, " ");
        if (v->has_status)
            rd_strv_add(&r->subs, "status");
        if (v->has_scale)
            rd_strv_add(&r->subs, "scale");
        if (strchr(row->flags, 'r') != NULL)
            rd_str_dup(&r->verbs, "create");
        if (strchr(row->flags, 'l') != NULL)
            rd_str_dup(&r->verbs, "create delete get list patch update watch");
        r->type = kube_type_named(row->kind);
        if (r->type == NULL)
            r->type = &kube_type_any;
    }
}

struct kube_res *kube_res_find(struct kube_cluster *c, const char *resource)
{
    rd_list_foreach (it, &c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        if (rd_streq(r->name, resource))
            return r;
    }
    return NULL;
}

struct kube_res *kube_res_at(struct kube_cluster *c, const char *group, const char *version,
                             const char *plural)
{
    rd_list_foreach (it, &c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        if (r->served && rd_streq(r->plural, plural) && rd_streq(r->group, group) &&
            kube_res_version(r, version) != NULL)
            return r;
    }
    return NULL;
}

struct kube_res *kube_res_of(struct kube_cluster *c, const char *api_version, const char *kind)
{
    if (api_version == NULL || kind == NULL)
        return NULL;
    const char *slash = strchr(api_version, '/');
    RD_AUTOFREE char *group =
        rd_strndup(api_version, slash == NULL ? 0 : (size_t)(slash - api_version));
    const char *version = slash == NULL ? api_version : slash + 1;
    rd_list_foreach (it, &c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        if (rd_streq(r->kind, kind) && rd_streq(r->group, group) && r->served &&
            kube_res_version(r, version) != NULL)
            return r;
    }
    return NULL;
}

bool kube_res_can(const struct kube_res *r, const char *verb)
{
    struct rd_strv verbs = {0};
    rd_strv_split(&verbs, r->verbs, " ");
    bool can = rd_strv_has(&verbs, verb);
    rd_strv_clear(&verbs);
    return can;
}

const struct kube_type *kube_res_type(struct kube_res *r, const char *version)
{
    if (r->type != NULL)
        return r->type;
    struct kube_version *v = kube_res_version(r, version);
    if (v == NULL)
        return &kube_type_any;
    if (v->type == NULL)
        v->type = kube_type_from_schema(v->schema);
    return v->type;
}

char *kube_api_version(const struct kube_res *r, const char *version)
{
    return *r->group == '\0' ? rd_strdup(version) : rd_asprintf("%s/%s", r->group, version);
}
