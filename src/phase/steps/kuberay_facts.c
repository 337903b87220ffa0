/* Pure judgements about a KubeRay that somebody else installed. */
#include "phase/steps/kuberay.h"

#include "phase/steps/names.h"

#include <stdio.h>
#include <string.h>

bool kuberay_crd_fits(const json_t *crd, const char **ret_missing)
{
    static const char *const needed[] = {
        "rayVersion",        "authOptions",   "upgradeStrategy",  "enableInTreeAutoscaling",
        "autoscalerOptions", "headGroupSpec", "workerGroupSpecs",
    };
    const json_t *schema = NULL;
    size_t i;
    const json_t *version;
    json_array_foreach(rd_json_path(crd, "spec.versions"), i, version)
        if (rd_streq(rd_json_str(version, "name", NULL), "v1") &&
            rd_json_path_bool(version, "served", false))
            schema = rd_json_path(version, "schema.openAPIV3Schema.properties.spec.properties");
    if (!schema) {
        *ret_missing = "version v1";
        return false;
    }
    for (i = 0; i < RD_ARRAY_LEN(needed); i++)
        if (!json_object_get(schema, needed[i])) {
            *ret_missing = needed[i];
            return false;
        }
    if (!rd_json_path(schema, "workerGroupSpecs.items.properties.idleTimeoutSeconds")) {
        *ret_missing = "workerGroupSpecs[].idleTimeoutSeconds";
        return false;
    }
    if (!rd_json_path(schema, "autoscalerOptions.properties.version")) {
        *ret_missing = "autoscalerOptions.version";
        return false;
    }
    return true;
}

bool kuberay_image_version(const char *image, unsigned ret[3])
{
    const char *end = strchr(image, '@');
    size_t len = end ? (size_t)(end - image) : strlen(image);
    const char *colon = NULL;
    for (size_t i = 0; i < len; i++) {
        if (image[i] == '/')
            colon = NULL;
        else if (image[i] == ':')
            colon = image + i;
    }
    return colon && sscanf(colon, ":v%u.%u.%u", &ret[0], &ret[1], &ret[2]) == 3;
}

const json_t *kuberay_find_operator(const struct config *c, const json_t *deployments)
{
    size_t i, j;
    const json_t *d, *container;
    json_array_foreach(json_object_get(deployments, "items"), i, d)
    {
        if (names_is_ours(c, d))
            continue;
        if (rd_streq(rd_json_str(d, "metadata", "labels", "app.kubernetes.io/name", NULL),
                     "kuberay-operator"))
            return d;
        json_array_foreach(rd_json_path(d, "spec.template.spec.containers"), j, container)
        {
            const char *image = rd_json_str(container, "image", NULL);
            if (image && strstr(image, "kuberay/operator"))
                return d;
        }
    }
    return NULL;
}
