/* What not every Config Connector knows. Its webhooks refuse a field they do not have, so a field
 * that came late is sent only where it is; the rest must be there from the floor on. */
#include "phase/steps/cc.h"

#include "base/alloc.h"
#include "config/option.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* First releases as GoogleCloudPlatform/k8s-config-connector's tags and release notes have them.
 * The annotation is in no schema: for it only the version counts. */
static const struct feature {
    const char *name, *kind, *path, *annotation, *since;
    bool in_schema;
} features_all[] = {
    {"dns-endpoint", "ContainerCluster", "spec.controlPlaneEndpointsConfig", NULL, "1.134.0", true},
    {"soft-delete", "StorageBucket", "spec.softDeletePolicy", NULL, "1.120.0", true},
    {"default-pool-config", "ContainerCluster", "spec.nodeConfig",
     "cnrm.cloud.google.com/remove-default-node-pool-allow-node-config", "1.153.0", false},
};

/* Placeholders that stand for "not asked for" when empty. */
static const struct {
    const char *kind, *path;
} optional[] = {
    {"ContainerCluster", "spec.controlPlaneEndpointsConfig"},
    {"ContainerCluster", "spec.masterAuthorizedNetworksConfig"},
    {"ContainerCluster", "spec.privateClusterConfig.privateEndpointSubnetworkRef"},
};

bool cc_check_version(const char *version, struct rd_err **reterr)
{
    bool known = version && isdigit((unsigned char)version[0]) && !check_version(version);
    if (known && version_compare(version, CC_VERSION_FLOOR) >= 0)
        return true;
    rd_fail(reterr, RD_ERR_PREFLIGHT,
            known ? "Config Connector %s is older than " CC_VERSION_FLOOR
                  : "Config Connector says its version is \"%s\"",
            version ? version : "");
    rd_err_hint(*reterr,
                "Set management.connector: manual to have raydeploy install a current one.");
    return false;
}

/* The schema of an object's version in its CRD; borrowed. */
static const json_t *crd_schema(const json_t *crd, const char *api_version)
{
    const char *slash = api_version ? strchr(api_version, '/') : NULL;
    size_t i;
    const json_t *v;
    json_array_foreach (rd_json_path(crd, "spec.versions"), i, v)
        if (!slash || rd_streq(rd_json_str(v, "name", NULL), slash + 1))
            return rd_json_path(v, "schema.openAPIV3Schema");
    return NULL;
}

static bool schema_has(const json_t *schema, const char *path)
{
    RD_AUTOFREE char *copy = rd_strdup(path);
    char *rest = copy;
    for (char *part = strsep(&rest, "."); part && schema; part = strsep(&rest, "."))
        schema = rd_json_get(schema, "properties", part, NULL);
    return schema;
}

static const json_t *crd_of_kind(const json_t *crds, const char *kind)
{
    size_t i;
    const json_t *crd;
    json_array_foreach (crds, i, crd)
        if (rd_streq(rd_json_path_str(crd, "spec.names.kind"), kind))
            return crd;
    return NULL;
}

json_t *cc_features(const char *version, const json_t *crds)
{
    json_t *have = json_array();
    for (size_t i = 0; i < RD_ARRAY_LEN(features_all); i++) {
        const struct feature *f = &features_all[i];
        if (version && version_compare(version, f->since) < 0)
            continue;
        if (crds && f->in_schema &&
            !schema_has(crd_schema(crd_of_kind(crds, f->kind), NULL), f->path))
            continue;
        /* Seen in no schema and no version said: not to be relied on. */
        if (crds && !version && !f->in_schema)
            continue;
        json_array_append_new(have, json_string(f->name));
    }
    return have;
}

static bool has_feature(const json_t *features, const char *name)
{
    size_t i;
    const json_t *f;
    json_array_foreach (features, i, f)
        if (rd_streq(json_string_value(f), name))
            return true;
    return features == NULL;
}

static void drop(json_t *object, const char *path)
{
    const char *dot = strrchr(path, '.');
    RD_AUTOFREE char *parent = rd_strndup(path, (size_t)(dot - path));
    json_object_del(rd_json_path(object, parent), dot + 1);
}

void cc_prune(json_t *object, const json_t *features)
{
    const char *kind = rd_json_str(object, "kind", NULL);
    for (size_t i = 0; i < RD_ARRAY_LEN(features_all); i++) {
        const struct feature *f = &features_all[i];
        if (!rd_streq(kind, f->kind) || has_feature(features, f->name))
            continue;
        drop(object, f->path);
        if (f->annotation)
            json_object_del(rd_json_path(object, "metadata.annotations"), f->annotation);
    }
    for (size_t i = 0; i < RD_ARRAY_LEN(optional); i++) {
        const json_t *v =
            rd_streq(kind, optional[i].kind) ? rd_json_path(object, optional[i].path) : NULL;
        if (v && json_object_size(v) == 0)
            drop(object, optional[i].path);
    }
}

/* Depth is that of our own templates. */
static char *unknown_in(const json_t *value, const json_t *schema, const char *at)
{
    const char *key;
    json_t *child;
    if (json_is_array(value)) {
        size_t i;
        json_array_foreach (value, i, child) {
            char *found = unknown_in(child, json_object_get(schema, "items"), at);
            if (found)
                return found;
        }
    }
    if (!json_is_object(value) ||
        json_is_true(json_object_get(schema, "x-kubernetes-preserve-unknown-fields")))
        return NULL;
    json_object_foreach ((json_t *)value, key, child) {
        const json_t *inner = rd_json_get(schema, "properties", key, NULL);
        if (!inner)
            inner = json_object_get(schema, "additionalProperties");
        RD_AUTOFREE char *here = rd_asprintf("%s.%s", at, key);
        char *found = inner ? unknown_in(child, inner, here) : rd_strdup(here);
        if (found)
            return found;
    }
    return NULL;
}

char *cc_unknown_field(const json_t *object, const json_t *crd)
{
    const json_t *schema = crd_schema(crd, rd_json_str(object, "apiVersion", NULL));
    return unknown_in(json_object_get(object, "spec"),
                      rd_json_get(schema, "properties", "spec", NULL), "spec");
}
