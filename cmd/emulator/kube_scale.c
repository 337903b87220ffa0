/* The scale subresource: spec.replicas by itself. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>

/* Where a custom kind keeps them; built-in kinds use the usual places. */
static const char *path_of(struct kube_call *k, const char *key, const char *usual)
{
    size_t i;
    json_t *v;
    json_array_foreach (rd_json_get(k->res->crd, "spec", "versions", NULL), i, v) {
        const char *p = rd_json_str(v, "subresources", "scale", key, NULL);
        if (p != NULL && rd_streq(rd_json_str(v, "name", NULL), k->version))
            return p + 1;
    }
    return usual;
}

static json_t *scale_of(struct kube_call *k, const json_t *o)
{
    RD_AUTOBUF struct rd_buf selector = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    const char *key;
    json_t *v;
    json_object_foreach (rd_json_get(o, "spec", "selector", "matchLabels", NULL), key, v)
        rd_buf_printf(&selector, "%s%s=%s", selector.len == 0 ? "" : ",", key, json_string_value(v));
    const char *want = path_of(k, "specReplicasPath", "spec.replicas");
    const char *have = path_of(k, "statusReplicasPath", "status.replicas");
    json_t *meta = json_object();
    static const char *const kept[] = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"};
    for (size_t i = 0; i < RD_ARRAY_LEN(kept); i++) {
        json_t *m = rd_json_get(o, "metadata", kept[i], NULL);
        if (m != NULL)
            json_object_set(meta, kept[i], m);
    }
    return rd_json_pack("{s:s, s:s, s:o, s:{s:I}, s:{s:I, s:s}}", "kind", "Scale", "apiVersion",
                        "autoscaling/v1", "metadata", meta, "spec", "replicas",
                        rd_json_path_int(o, want, 0), "status", "replicas", rd_json_path_int(o, have, 0),
                        "selector", rd_buf_str(&selector));
}

bool kube_serve_scale(struct kube_call *k)
{
    RD_AUTOJSON json_t *old = json_incref(kube_find(k->res, k->ns, k->name));
    const char *method = k->req->msg.method, *type = emu_req_header(k->req, "content-type");
    if (old == NULL) {
        kube_fail(&k->fail, 404, "NotFound", "%s \"%s\" not found", k->res->name, k->name);
        kube_call_status(k, &k->fail);
        return true;
    }
    if (rd_streq(method, "GET")) {
        kube_call_reply(k, 200, scale_of(k, old));
        return true;
    }
    RD_AUTOJSON json_t *body = json_loadb(k->req->msg.body, k->req->msg.body_len, 0, NULL);
    RD_AUTOJSON json_t *scale = scale_of(k, old);
    RD_AUTOJSON json_t *fresh = rd_streq(method, "PATCH")
                                    ? kube_patch(&kube_type_any, type == NULL ? "" : type, scale, body, &k->fail)
                                    : json_incref(body);
    json_t *count = rd_json_get(fresh, "spec", "replicas", NULL);
    json_int_t n = fresh != NULL && count == NULL ? 0 : json_integer_value(count);
    if (fresh == NULL || n < 0 || (count != NULL && !json_is_integer(count))) {
        if (k->fail.code == 0)
            kube_fail(&k->fail, 422, "Invalid", "Scale.autoscaling \"%s\" is invalid: spec.replicas: Invalid value: %lld: must be greater than or equal to 0", k->name, (long long)n);
        kube_call_status(k, &k->fail);
        return true;
    }
    RD_AUTOFREE char *dry = emu_req_query(k->req, "dryRun");
    RD_AUTOFREE char *manager = emu_req_query(k->req, "fieldManager");
    json_t *object = json_deep_copy(old);
    rd_json_path_set(object, path_of(k, "specReplicasPath", "spec.replicas"), json_integer(n));
    const char *rv = kube_meta(fresh, "resourceVersion");
    json_object_set_new(json_object_get(object, "metadata"), "resourceVersion", json_string(rv));
    struct kube_write w = {.c = k->c,
                           .res = k->res,
                           .version = k->res->storage,
                           .ns = k->ns,
                           .name = k->name,
                           .sub = "scale",
                           .manager = manager == NULL ? "kubectl" : manager,
                           .dry_run = rd_streq(dry, "All")};
    json_t *result = kube_write(&w, old, object);
    if (result == NULL)
        kube_call_status(k, &w.fail);
    else
        kube_call_reply(k, 200, scale_of(k, result));
    json_decref(result);
    kube_fail_clear(&w.fail);
    return true;
}
