#include "phase/steps/cc_health.h"

#include "base/alloc.h"
#include "base/text.h"

#define SCOPED "cnrm.cloud.google.com/scoped-namespace"

bool cc_crd_established(const json_t *crd)
{
    return rd_streq(rd_json_str(rd_json_condition(crd, "Established"), "status", NULL), "True");
}

const char *cc_version_of(const json_t *ns)
{
    return rd_json_str(ns, "metadata", "annotations", "cnrm.cloud.google.com/version", NULL);
}

/* Owned; NULL: healthy, and of what was applied last. */
static char *core_lacks(const json_t *o, const char *kind)
{
    const char *error = json_string_value(json_array_get(rd_json_path(o, "status.errors"), 0));
    if (!o)
        return rd_asprintf("%s is not there yet", kind);
    if (error)
        return rd_asprintf("%s: %s", kind, error);
    if (!rd_json_path_bool(o, "status.healthy", false))
        return rd_asprintf("%s is not healthy yet", kind);
    json_int_t generation = rd_json_path_int(o, "metadata.generation", 0);
    if (rd_json_path_int(o, "status.observedGeneration", generation) < generation)
        return rd_asprintf("the operator has not seen the last change of %s", kind);
    return NULL;
}

static bool is_up(const json_t *o, const char *field)
{
    return rd_json_path_int(o, field, 0) >= 1;
}

static const json_t *named(const json_t *list, const char *name)
{
    size_t i;
    const json_t *o;
    json_array_foreach(json_object_get(list, "items"), i, o)
        if (rd_streq(rd_json_str(o, "metadata", "name", NULL), name))
            return o;
    return NULL;
}

/* Its name is generated; the label names the namespace. */
static const json_t *controller_of(const json_t *list, const char *ns)
{
    size_t i;
    const json_t *o;
    json_array_foreach(json_object_get(list, "items"), i, o)
        if (rd_streq(rd_json_str(o, "metadata", "labels", SCOPED, NULL), ns))
            return o;
    return NULL;
}

static char *workloads_lack(const struct cc_health *h)
{
    static const char *const sets[] = {"cnrm-deletiondefender", "cnrm-unmanaged-detector"};
    const char *ready = "status.readyReplicas";
    if (!is_up(controller_of(h->sets, h->ns), ready))
        return rd_asprintf("the controller of namespace %s is not ready yet", h->ns);
    for (size_t i = 0; i < RD_ARRAY_LEN(sets); i++)
        if (!is_up(named(h->sets, sets[i]), ready))
            return rd_asprintf("StatefulSet/cnrm-system/%s is not ready yet", sets[i]);
    if (!is_up(named(h->deployments, "cnrm-webhook-manager"), "status.availableReplicas"))
        return rd_strdup("Deployment/cnrm-system/cnrm-webhook-manager is not available yet");
    return NULL;
}

static bool has_authority(const json_t *configuration)
{
    size_t i;
    const json_t *hook;
    json_array_foreach(json_object_get(configuration, "webhooks"), i, hook) {
        const char *bundle = rd_json_path_str(hook, "clientConfig.caBundle");
        if (!bundle || !*bundle)
            return false;
    }
    return json_array_size(json_object_get(configuration, "webhooks")) > 0;
}

static bool has_address(const json_t *slices)
{
    size_t i, k;
    const json_t *slice, *end;
    json_array_foreach(json_object_get(slices, "items"), i, slice) {
        json_array_foreach(json_object_get(slice, "endpoints"), k, end)
            if (rd_json_path_bool(end, "conditions.ready", true) &&
                json_array_size(json_object_get(end, "addresses")) > 0)
                return true;
    }
    return false;
}

char *cc_health_lacks(const struct cc_health *h)
{
    char *lacks = core_lacks(h->connector, "ConfigConnector");
    if (!lacks)
        lacks = core_lacks(h->context, "ConfigConnectorContext");
    if (!lacks)
        lacks = workloads_lack(h);
    if (!lacks && !has_authority(h->validating))
        lacks = rd_strdup("its validating webhooks are not registered yet");
    if (!lacks && !has_authority(h->mutating))
        lacks = rd_strdup("its mutating webhooks are not registered yet");
    if (!lacks && !has_address(h->slices))
        lacks = rd_strdup("its webhooks have no ready address yet");
    return lacks;
}
