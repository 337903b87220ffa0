/* What KubeRay and Ray would refuse or stumble over. Source of the facts: ray-operator of
 * KubeRay 1.7.0, python/ray/_private/external_storage.py of Ray. */
#include "lint.h"

#include "base/alloc.h"
#include "ray/validate.h"

#include <stdlib.h>
#include <string.h>

/* ---- Feature gates: an unknown one stops the operator ---- */

static const struct {
    const char *name;
    unsigned since, until; /* minor versions of KubeRay 1.x; until: the first without it, 0: none */
} gates[] = {
    {"RayClusterStatusConditions", 2, 0},
    {"RayJobDeletionPolicy", 3, 0},
    {"RayMultiHostIndexing", 6, 0},
    {"RayServiceIncrementalUpgrade", 5, 0},
    {"RayCronJob", 6, 0},
    {"SidecarSubmitterRestart", 7, 0},
    {"AsyncJobInfoQuery", 6, 7},
    {"RayClusterNetworkPolicy", 7, 0},
    {"GCSFaultToleranceEmbeddedStorage", 7, 0},
    {"RayClusterMTLS", 7, 0},
    {"RayClusterHistoryServer", 7, 0},
    {"KubernetesWAS", 7, 0},
};

/* Minor version of "...kuberay/operator:v1.7.0"; 0: not to be told. */
static unsigned operator_minor(const char *image)
{
    const char *tag = image ? strstr(image, "operator:v1.") : NULL;
    return tag ? (unsigned)strtoul(tag + strlen("operator:v1."), NULL, 10) : 0;
}

static void check_gate(struct lint *l, const struct manifest_object *o, const char *word,
                       unsigned minor)
{
    RD_AUTOFREE char *name = rd_strndup(word, strcspn(word, "="));
    for (size_t i = 0; i < RD_ARRAY_LEN(gates); i++) {
        if (!rd_streq(gates[i].name, name))
            continue;
        if (gates[i].until && minor >= gates[i].until)
            lint_find(l, o, true,
                      "feature gate %s is gone since 1.%u: the operator would not start", name,
                      gates[i].until);
        else if (minor && minor < gates[i].since && gates[i].since >= 7)
            lint_find(l, o, true, "feature gate %s came with 1.%u: operator 1.%u would not start",
                      name, gates[i].since, minor);
        return;
    }
    if (minor <= 7) /* a newer operator may know it */
        lint_find(l, o, true, "no KubeRay operator knows feature gate %s: it would not start",
                  name);
}

static void lint_operator(struct lint *l, const struct manifest_object *o)
{
    size_t i, j;
    const json_t *c, *arg;
    json_array_foreach (rd_json_path(o->json, "spec.template.spec.containers"), i, c) {
        const char *image = rd_json_str(c, "image", NULL);
        unsigned minor = operator_minor(image);
        if (!minor)
            continue;
        json_array_foreach (json_object_get(c, "args"), j, arg) {
            static const char flag[] = "--feature-gates=";
            const char *text = json_string_value(arg);
            if (!text || !rd_starts_with(text, flag))
                continue;
            struct rd_strv words = {NULL, 0};
            rd_strv_split(&words, text + strlen(flag), ",");
            for (size_t k = 0; k < words.len; k++)
                check_gate(l, o, words.v[k], minor);
            rd_strv_clear(&words);
        }
    }
}

/* ---- Pods of a RayCluster ---- */

static bool known_param(const char *type, const char *name)
{
    static const char *const smart[] = {"uri", "prefix", "override_transport_params",
                                        "buffer_size"};
    static const char *const file[] = {"directory_path", "buffer_size"};
    bool is_smart = rd_streq(type, "smart_open");
    const char *const *v = is_smart ? smart : file;
    size_t n = is_smart ? RD_ARRAY_LEN(smart) : RD_ARRAY_LEN(file);
    for (size_t i = 0; i < n; i++)
        if (rd_streq(v[i], name))
            return true;
    return false;
}

static void check_spill(struct lint *l, const struct manifest_object *o, const char *text)
{
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOJSON json_t *spill =
        rd_json_parse(text, strlen(text), "RAY_object_spilling_config", &err);
    if (!spill) {
        lint_find(l, o, true, "%s: the head would not start", err->message);
        return;
    }
    const char *type = rd_json_str(spill, "type", NULL);
    if (!rd_streq(type, "smart_open") && !rd_streq(type, "filesystem"))
        return; /* a storage class of their own */
    const char *name;
    json_t *value;
    json_object_foreach (json_object_get(spill, "params"), name, value) {
        if (!known_param(type, name))
            lint_find(l, o, true,
                      "RAY_object_spilling_config: parameter %s is not one of %s: the head would "
                      "crash at "
                      "its start",
                      name, type);
    }
}

static void lint_pod(struct lint *l, const struct manifest_object *o, const json_t *template)
{
    size_t i, j;
    const json_t *c, *e;
    json_array_foreach (rd_json_path(template, "spec.containers"), i, c) {
        json_array_foreach (json_object_get(c, "env"), j, e) {
            const char *value = rd_json_str(e, "value", NULL);
            if (value && rd_streq(rd_json_str(e, "name", NULL), "RAY_object_spilling_config"))
                check_spill(l, o, value);
        }
        const json_t *hook = rd_json_path(c, "lifecycle.preStop.exec.command");
        RD_AUTOFREE char *text = hook ? rd_json_dump(hook) : NULL;
        if (text && strstr(text, "ray stop"))
            lint_find(l, o, false,
                      "container %s: `ray stop` as preStop kills running tasks and defeats Ray's "
                      "own drain",
                      rd_json_str(c, "name", NULL));
    }
}

static void lint_cluster(struct lint *l, const struct manifest_object *o, const json_t *spec)
{
    struct rd_strv problems = {NULL, 0};
    RD_AUTOJSON json_t *cluster =
        rd_json_pack("{s:s, s:s, s:O, s:O}", "apiVersion", "ray.io/v1", "kind", "RayCluster",
                     "metadata", json_object_get(o->json, "metadata"), "spec", spec);
    /* Gates that somebody may have switched on are given the benefit of the doubt. */
    struct ray_gates gates_on = {.network_policy = true, .mtls = true, .history_server = true};
    if (!ray_validate_cluster(cluster, gates_on, &problems))
        for (size_t i = 0; i < problems.len; i++)
            lint_find(l, o, true, "KubeRay would refuse it, with an event only: %s", problems.v[i]);
    rd_strv_clear(&problems);
    if (!json_object_get(spec, "rayVersion"))
        lint_find(l, o, false,
                  "spec.rayVersion is missing: probes and token authentication fall back to "
                  "those of old versions");
    const json_t *auth = json_object_get(spec, "authOptions");
    if (!auth)
        lint_find(l, o, false,
                  "spec.authOptions is missing: whoever reaches port 8265 can run code");
    else if (!json_object_get(auth, "mode"))
        lint_find(l, o, false,
                  "spec.authOptions has no mode: only the literal mode: token turns "
                  "authentication on");
    lint_pod(l, o, rd_json_path(spec, "headGroupSpec.template"));
    size_t i;
    const json_t *g;
    json_array_foreach (json_object_get(spec, "workerGroupSpecs"), i, g)
        lint_pod(l, o, json_object_get(g, "template"));
}

void lint_ray(struct lint *l, const struct manifest_object *o)
{
    const char *kind = rd_json_str(o->json, "kind", NULL);
    const char *api = rd_json_str(o->json, "apiVersion", NULL);
    if (rd_streq(kind, "Deployment")) {
        lint_operator(l, o);
        return;
    }
    if (!rd_starts_with(api, "ray.io/"))
        return;
    if (rd_streq(api, "ray.io/v1alpha1"))
        lint_find(l, o, false, "ray.io/v1alpha1 is deprecated: use ray.io/v1");
    static const struct {
        const char *kind, *path;
    } places[] = {{"RayCluster", "spec"},
                  {"RayJob", "spec.rayClusterSpec"},
                  {"RayService", "spec.rayClusterConfig"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(places); i++) {
        const json_t *spec =
            rd_streq(kind, places[i].kind) ? rd_json_path(o->json, places[i].path) : NULL;
        if (json_is_object(spec))
            lint_cluster(l, o, spec);
    }
}
