/* The chart archive that the emulator serves: its own text throughout. It holds what an installer
 * reads from such a chart, CRDs with open schemas that know the fields KubeRay 1.7.0 has at their top,
 * and no templates. */
#include "outside.h"

#include "base/alloc.h"
#include "base/json.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

/* 2026-01-01: nothing in the archive depends on when it was made. */
enum { MADE_S = 1767225600 };

static json_t *open_object(void)
{
    return rd_json_pack("{s:s, s:b}", "type", "object", "x-kubernetes-preserve-unknown-fields", 1);
}

/* type: a letter as in "rayVersion:s": s string, b boolean, i integer, o open object. */
static json_t *properties(const char *fields)
{
    json_t *all = json_object();
    struct rd_strv words = {0};
    rd_strv_split(&words, fields, " ");
    for (size_t n = 0; n < words.len; n++) {
        char *colon = strchr(words.v[n], ':');
        *colon = '\0';
        const char *type = colon[1] == 's' ? "string" : colon[1] == 'b' ? "boolean" : "integer";
        json_object_set_new(all, words.v[n],
                            colon[1] == 'o' ? open_object() : rd_json_pack("{s:s}", "type", type));
    }
    rd_strv_clear(&words);
    return all;
}

static json_t *object_with(const char *fields)
{
    json_t *o = open_object();
    json_object_set_new(o, "properties", properties(fields));
    return o;
}

static json_t *cluster_spec(void)
{
    json_t *spec = object_with("rayVersion:s suspend:b managedBy:s enableInTreeAutoscaling:b "
                               "gcsFaultToleranceOptions:o networkPolicy:o tlsOptions:o "
                               "historyServerOptions:o headServiceAnnotations:o");
    json_t *p = json_object_get(spec, "properties");
    json_object_set_new(p, "upgradeStrategy", object_with("type:s"));
    json_object_set_new(p, "authOptions",
                        object_with("mode:s secretName:s enableK8sTokenAuth:b"));
    json_object_set_new(p, "autoscalerOptions",
                        object_with("version:s idleTimeoutSeconds:i upscalingMode:s resources:o "
                                    "image:s imagePullPolicy:s"));
    json_object_set_new(p, "headGroupSpec",
                        object_with("template:o rayStartParams:o serviceType:s headService:o "
                                    "enableIngress:b resources:o labels:o"));
    json_t *group = object_with("groupName:s template:o rayStartParams:o replicas:i minReplicas:i "
                                "maxReplicas:i numOfHosts:i idleTimeoutSeconds:i priority:i "
                                "scaleStrategy:o suspend:b resources:o labels:o");
    static const struct {
        const char *field;
        long value;
    } defaults[] = {{"replicas", 0}, {"minReplicas", 0}, {"maxReplicas", 2147483647},
                    {"numOfHosts", 1}};
    for (size_t n = 0; n < RD_ARRAY_LEN(defaults); n++)
        json_object_set_new(rd_json_get(group, "properties", defaults[n].field, NULL), "default",
                            json_integer(defaults[n].value));
    json_object_set_new(group, "required", rd_json_pack("[s, s]", "groupName", "template"));
    json_object_set_new(p, "workerGroupSpecs",
                        rd_json_pack("{s:s, s:o}", "type", "array", "items", group));
    json_object_set_new(spec, "required", rd_json_pack("[s]", "headGroupSpec"));
    return spec;
}

static json_t *columns(void)
{
    static const char *const all[][3] = {
        {"desired workers", "integer", ".status.desiredWorkerReplicas"},
        {"available workers", "integer", ".status.availableWorkerReplicas"},
        {"status", "string", ".status.state"},
        {"age", "date", ".metadata.creationTimestamp"}};
    json_t *list = json_array();
    for (size_t n = 0; n < RD_ARRAY_LEN(all); n++)
        json_array_append_new(list, rd_json_pack("{s:s, s:s, s:s}", "name", all[n][0], "type",
                                                 all[n][1], "jsonPath", all[n][2]));
    return list;
}

static json_t *crd(const char *kind, const char *plural, const char *singular)
{
    bool cluster = strcmp(plural, "rayclusters") == 0;
    RD_AUTOFREE char *name = rd_asprintf("%s.ray.io", plural);
    RD_AUTOFREE char *list_kind = rd_asprintf("%sList", kind);
    json_t *version = rd_json_pack(
        "{s:s, s:b, s:b, s:{s:{}}, s:{s:{s:s, s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:o, s:o}}}}",
        "name", "v1", "served", 1, "storage", 1, "subresources", "status", "schema",
        "openAPIV3Schema", "type", "object", "description",
        "An open schema of raydeploy's emulator; not KubeRay's.", "properties", "apiVersion", "type",
        "string", "kind", "type", "string", "metadata", "type", "object", "spec",
        cluster ? cluster_spec() : open_object(), "status", open_object());
    if (cluster)
        json_object_set_new(version, "additionalPrinterColumns", columns());
    return rd_json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:[s]}, "
                        "s:[o]}}",
                        "apiVersion", "apiextensions.k8s.io/v1", "kind", "CustomResourceDefinition",
                        "metadata", "name", name, "annotations", "raydeploy.emulator/schema",
                        "the emulator's own", "spec", "group", "ray.io", "scope", "Namespaced",
                        "names", "kind", kind, "listKind", list_kind, "plural", plural, "singular",
                        singular, "categories", "all", "versions", version);
}

static void add_file(struct archive *a, const char *path, const char *text)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, path);
    archive_entry_set_size(e, (la_int64_t)strlen(text));
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_mtime(e, MADE_S, 0);
    RD_ASSERT(archive_write_header(a, e) == ARCHIVE_OK);
    RD_ASSERT(archive_write_data(a, text, strlen(text)) == (la_ssize_t)strlen(text));
    archive_entry_free(e);
}

static la_ssize_t on_bytes(struct archive *a, void *ctx, const void *data, size_t len)
{
    (void)a;
    rd_buf_append(ctx, data, len);
    return (la_ssize_t)len;
}

char *emu_chart_archive(size_t *ret_len)
{
    static const char *const kinds[][3] = {{"RayCluster", "rayclusters", "raycluster"},
                                           {"RayJob", "rayjobs", "rayjob"},
                                           {"RayService", "rayservices", "rayservice"},
                                           {"RayCronJob", "raycronjobs", "raycronjob"}};
    struct rd_buf out = RD_BUF_INIT(1 << 20);
    struct archive *a = archive_write_new();
    bool ok = archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
              archive_write_set_options(a, "gzip:!timestamp") == ARCHIVE_OK &&
              archive_write_set_format_ustar(a) == ARCHIVE_OK &&
              archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
              archive_write_open(a, &out, NULL, on_bytes, NULL) == ARCHIVE_OK;
    RD_ASSERT(ok);
    add_file(a, "kuberay-operator/Chart.yaml",
             "apiVersion: v2\nname: kuberay-operator\nversion: " EMU_CHART_VERSION
             "\ntype: application\n"
             "description: Made by raydeploy's emulator. Not KubeRay's chart.\n");
    for (size_t n = 0; n < RD_ARRAY_LEN(kinds); n++) {
        json_t *o = crd(kinds[n][0], kinds[n][1], kinds[n][2]);
        RD_AUTOFREE char *text = json_dumps(o, JSON_INDENT(1) | JSON_SORT_KEYS);
        RD_AUTOFREE char *path = rd_asprintf("kuberay-operator/crds/ray.io_%s.yaml", kinds[n][1]);
        add_file(a, path, text);
        json_decref(o);
    }
    RD_ASSERT(archive_write_close(a) == ARCHIVE_OK);
    archive_write_free(a);
    return rd_buf_take(&out, ret_len);
}
