/* What an Accept header makes of an object: itself, its metadata, a row of a table. */
#include "kube_internal.h"

#include "kube_column.h"

#include <stdlib.h>
#include <string.h>

enum kube_form kube_form(const struct emu_req *req)
{
    const char *accept = emu_req_header(req, "accept");
    if (accept == NULL)
        return KUBE_FULL;
    struct rd_strv entries = {0};
    rd_strv_split(&entries, accept, ",");
    enum kube_form form = KUBE_FULL;
    for (size_t i = 0; i < entries.len; i++) {
        const char *e = entries.v[i] + strspn(entries.v[i], " ");
        if (!rd_starts_with(e, "application/json") && !rd_starts_with(e, "*/*"))
            continue; /* protobuf and the like */
        bool v1 = strstr(e, "v=v1") != NULL && strstr(e, "v=v1beta1") == NULL;
        if (strstr(e, "as=Table") != NULL && v1)
            form = KUBE_TABLE;
        else if (strstr(e, "as=PartialObjectMetadata") != NULL && v1)
            form = KUBE_METADATA;
        else if (strstr(e, "as=") != NULL)
            continue;
        break;
    }
    rd_strv_clear(&entries);
    return form;
}

static json_t *metadata_only(const json_t *object)
{
    return rd_json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata", "apiVersion",
                        "meta.k8s.io/v1", "metadata", json_object_get(object, "metadata"));
}

static json_t *rows_of(struct kube_res *r, const char *version, const json_t *object, bool list,
                       const char *include)
{
    json_t *rows = json_array();
    size_t n = list ? json_array_size(json_object_get(object, "items")) : 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *o = list ? json_array_get(json_object_get(object, "items"), i) : object;
        json_t *row = rd_json_pack("{s:o}", "cells", kube_column_cells(r, version, o));
        if (rd_streq(include, "Object"))
            json_object_set(row, "object", (json_t *)o);
        else if (!rd_streq(include, "None"))
            json_object_set_new(row, "object", metadata_only(o));
        json_array_append_new(rows, row);
    }
    return rows;
}

json_t *kube_as(enum kube_form form, struct kube_res *r, const char *version, const json_t *object,
                bool list, bool with_columns, const char *include)
{
    if (form == KUBE_FULL || rd_streq(rd_json_str(object, "kind", NULL), "Status"))
        return json_incref((json_t *)object);
    if (form == KUBE_METADATA && !list)
        return metadata_only(object);
    if (form == KUBE_METADATA) {
        json_t *items = json_array();
        size_t i;
        json_t *o;
        json_array_foreach (json_object_get(object, "items"), i, o)
            json_array_append_new(items, metadata_only(o));
        return rd_json_pack("{s:s, s:s, s:O, s:o}", "kind", "PartialObjectMetadataList", "apiVersion",
                            "meta.k8s.io/v1", "metadata", json_object_get(object, "metadata"), "items",
                            items);
    }
    const json_t *meta = json_object_get(object, "metadata");
    json_t *own = list ? json_deep_copy(meta) : json_object();
    if (!list)
        json_object_set_new(own, "resourceVersion", json_string(kube_meta(object, "resourceVersion")));
    return rd_json_pack("{s:s, s:s, s:o, s:o, s:o}", "kind", "Table", "apiVersion", "meta.k8s.io/v1",
                        "metadata", own, "columnDefinitions",
                        with_columns ? kube_column_definitions(r, version) : json_null(), "rows",
                        rows_of(r, version, object, list, include));
}
