/* Selectors that match no pod protect nothing, balance nothing and budget nothing, and nobody says
 * so. */
#include "lint.h"

#include "base/alloc.h"

#include <string.h>

/* What the operator puts on every pod; cluster and group have values of their own. */
static void operator_labels(json_t *labels, const char *cluster, const char *type,
                            const char *group)
{
    RD_AUTOFREE char *id = rd_asprintf("%s-%s", cluster, type);
    json_object_set_new(labels, "ray.io/is-ray-node", json_string("yes"));
    json_object_set_new(labels, "ray.io/cluster", json_string(cluster));
    json_object_set_new(labels, "ray.io/node-type", json_string(type));
    json_object_set_new(labels, "ray.io/group", json_string(group));
    json_object_set_new(labels, "ray.io/identifier", json_string(id));
    json_object_set_new(labels, "app.kubernetes.io/name", json_string("kuberay"));
    json_object_set_new(labels, "app.kubernetes.io/created-by", json_string("kuberay-operator"));
}

static bool subset(const json_t *want, const json_t *labels)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)want, key, v)
        if (!json_equal(v, json_object_get(labels, key)))
            return false;
    return true;
}

static json_t *pod_labels(const json_t *template)
{
    const json_t *labels = rd_json_path(template, "metadata.labels");
    return json_is_object(labels) ? json_deep_copy(labels) : json_object();
}

/* Does a RayCluster's pod match? */
static bool ray_matches(const json_t *cluster, const json_t *want)
{
    const char *name = rd_json_str(cluster, "metadata", "name", NULL);
    RD_AUTOJSON json_t *head = pod_labels(rd_json_path(cluster, "spec.headGroupSpec.template"));
    operator_labels(head, name, "head", "headgroup");
    if (subset(want, head))
        return true;
    size_t i;
    const json_t *g;
    json_array_foreach (rd_json_path(cluster, "spec.workerGroupSpecs"), i, g) {
        const char *group = rd_json_str(g, "groupName", NULL);
        RD_AUTOJSON json_t *worker = pod_labels(json_object_get(g, "template"));
        operator_labels(worker, name, "worker", group ? group : "");
        if (subset(want, worker))
            return true;
    }
    return false;
}

static bool makes_pods(const char *kind)
{
    static const char *const kinds[] = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet",
                                        "Job"};
    for (size_t i = 0; i < RD_ARRAY_LEN(kinds); i++)
        if (rd_streq(kinds[i], kind))
            return true;
    return false;
}

/* 1: a pod of the set matches; 0: pods there are, but none matches; -1: the set has no pods in that
 * namespace, so nothing can be said. */
static int matches_any(const struct lint *l, const char *ns, const json_t *want)
{
    int answer = -1;
    for (size_t i = 0; i < l->list->len; i++) {
        const json_t *o = l->list->v[i].json;
        const char *kind = rd_json_str(o, "kind", NULL);
        bool pods = makes_pods(kind), ray = rd_streq(kind, "RayCluster"),
             pod = rd_streq(kind, "Pod");
        if ((!pods && !ray && !pod) || !rd_streq(ns, rd_json_str(o, "metadata", "namespace", NULL)))
            continue;
        answer = 0;
        RD_AUTOJSON json_t *labels = pods  ? pod_labels(rd_json_path(o, "spec.template"))
                                     : pod ? pod_labels(o)
                                           : NULL;
        if (ray ? ray_matches(o, want) : subset(want, labels))
            return 1;
    }
    return answer;
}

static void check_labels(struct lint *l, const struct manifest_object *o, const char *where,
                         const char *ns, const json_t *want)
{
    if (json_object_size(want) == 0)
        return; /* an empty selector means all, or none on purpose */
    if (json_object_get(want, "ray.io/cluster-name")) {
        lint_find(l, o, true,
                  "%s: no pod has label ray.io/cluster-name; KubeRay sets ray.io/cluster", where);
        return;
    }
    RD_AUTOFREE char *text = rd_json_dump(want);
    if (matches_any(l, ns, want) == 0)
        lint_find(l, o, false, "%s: %s matches no pod of these manifests", where, text);
}

static void check_peers(struct lint *l, const struct manifest_object *o, const char *direction,
                        const char *side, const char *ns)
{
    const json_t *spec = json_object_get(o->json, "spec");
    const json_t *own = rd_json_path(spec, "podSelector.matchLabels");
    size_t i, j;
    const json_t *rule, *peer;
    json_array_foreach (json_object_get(spec, direction), i, rule) {
        json_array_foreach (json_object_get(rule, side), j, peer) {
            const json_t *labels = rd_json_path(peer, "podSelector.matchLabels");
            if (!labels || json_object_get(peer, "namespaceSelector"))
                continue;
            RD_AUTOFREE char *where = rd_asprintf("spec.%s[%zu].%s[%zu]", direction, i, side, j);
            check_labels(l, o, where, ns, labels);
            /* Between the pods of one Ray cluster a port list hangs jobs. */
            if (json_object_get(labels, "ray.io/cluster") && json_equal(labels, own) &&
                json_array_size(json_object_get(rule, "ports")) > 0)
                lint_find(l, o, false,
                          "%s lists ports between the pods of one Ray cluster: Ray draws most "
                          "of its ports at random, and jobs hang",
                          where);
        }
    }
}

void lint_selectors(struct lint *l, const struct manifest_object *o)
{
    const char *kind = rd_json_str(o->json, "kind", NULL);
    const char *ns = rd_json_str(o->json, "metadata", "namespace", NULL);
    if (rd_streq(kind, "NetworkPolicy")) {
        check_labels(l, o, "spec.podSelector", ns,
                     rd_json_path(o->json, "spec.podSelector.matchLabels"));
        check_peers(l, o, "ingress", "from", ns);
        check_peers(l, o, "egress", "to", ns);
    } else if (rd_streq(kind, "PodDisruptionBudget")) {
        check_labels(l, o, "spec.selector", ns, rd_json_path(o->json, "spec.selector.matchLabels"));
    } else if (rd_streq(kind, "Service")) {
        check_labels(l, o, "spec.selector", ns, rd_json_path(o->json, "spec.selector"));
    } else if (makes_pods(kind) && !rd_streq(kind, "Job")) {
        const json_t *want = rd_json_path(o->json, "spec.selector.matchLabels");
        RD_AUTOJSON json_t *labels = pod_labels(rd_json_path(o->json, "spec.template"));
        if (json_is_object(want) && !subset(want, labels))
            lint_find(l, o, true, "spec.selector does not match the labels of its own pods");
    }
}
