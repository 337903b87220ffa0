/* /api, /apis and below: the old form and the aggregated one. */
#include "kube_internal.h"

#include "base/encode.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

static json_t *verbs_of(const struct kube_res *r)
{
    struct rd_strv words = {0};
    rd_strv_split(&words, r->verbs, " ");
    json_t *list = json_array();
    for (size_t i = 0; i < words.len; i++)
        json_array_append_new(list, json_string(words.v[i]));
    rd_strv_clear(&words);
    return list;
}

static json_t *strings(const struct rd_strv *l)
{
    json_t *list = json_array();
    for (size_t i = 0; i < l->len; i++)
        json_array_append_new(list, json_string(l->v[i]));
    return list;
}

/* Kind and verbs of a subresource. */
static void sub_of(const struct kube_res *r, const struct kube_version *v, const char *sub,
                   const char **ret_kind, const char **ret_group, const char **ret_version,
                   const char **ret_verbs)
{
    static const struct {
        const char *sub, *kind, *group, *version, *verbs;
    } rows[] = {
        {"scale", "Scale", "autoscaling", "v1", "get patch update"},
        {"eviction", "Eviction", "policy", "v1", "create"},
        {"binding", "Binding", "", "v1", "create"},
        {"token", "TokenRequest", "authentication.k8s.io", "v1", "create"},
        {"exec", "PodExecOptions", "", "v1", "create get"},
        {"attach", "PodAttachOptions", "", "v1", "create get"},
        {"portforward", "PodPortForwardOptions", "", "v1", "create get"},
        {"proxy", "PodProxyOptions", "", "v1", "create delete get patch update"},
        {"log", "Pod", "", "v1", "get"},
        {"finalize", "Namespace", "", "v1", "update"},
    };
    *ret_kind = r->kind;
    *ret_group = r->group;
    *ret_version = v->name;
    *ret_verbs = "get patch update";
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].sub, sub) != 0)
            continue;
        *ret_kind = rows[i].kind;
        *ret_group = rows[i].group;
        *ret_version = rows[i].version;
        *ret_verbs = rows[i].verbs;
    }
}

static bool has_sub(const struct kube_res *r, const struct kube_version *v, const char *sub)
{
    if (!r->custom)
        return true;
    return rd_streq(sub, "status") ? v->has_status : v->has_scale;
}

static void add_plain(json_t *list, const struct kube_res *r, const struct kube_version *v)
{
    json_t *o = rd_json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", r->plural, "singularName", r->singular,
                             "namespaced", r->namespaced, "kind", r->kind, "verbs", verbs_of(r));
    if (r->short_names.len > 0)
        json_object_set_new(o, "shortNames", strings(&r->short_names));
    if (r->categories.len > 0)
        json_object_set_new(o, "categories", strings(&r->categories));
    json_array_append_new(list, o);
    for (size_t i = 0; i < r->subs.len; i++) {
        const char *kind, *group, *version, *verbs;
        if (!has_sub(r, v, r->subs.v[i]))
            continue;
        sub_of(r, v, r->subs.v[i], &kind, &group, &version, &verbs);
        struct rd_strv words = {0};
        rd_strv_split(&words, verbs, " ");
        json_t *s = rd_json_pack("{s:o, s:s, s:b, s:s, s:o}", "name",
                                 json_sprintf("%s/%s", r->plural, r->subs.v[i]), "singularName", "",
                                 "namespaced", r->namespaced, "kind", kind, "verbs", strings(&words));
        rd_strv_clear(&words);
        if (!rd_streq(group, r->group)) {
            json_object_set_new(s, "group", json_string(group));
            json_object_set_new(s, "version", json_string(version));
        }
        json_array_append_new(list, s);
    }
}

static json_t *aggregated_resource(const struct kube_res *r, const struct kube_version *v)
{
    json_t *o = rd_json_pack("{s:s, s:{s:s, s:s, s:s}, s:s, s:s, s:o}", "resource", r->plural,
                             "responseKind", "group", r->group, "version", v->name, "kind", r->kind, "scope",
                             r->namespaced ? "Namespaced" : "Cluster", "singularResource", r->singular,
                             "verbs", verbs_of(r));
    if (r->short_names.len > 0)
        json_object_set_new(o, "shortNames", strings(&r->short_names));
    if (r->categories.len > 0)
        json_object_set_new(o, "categories", strings(&r->categories));
    json_t *subs = json_array();
    for (size_t i = 0; i < r->subs.len; i++) {
        const char *kind, *group, *version, *verbs;
        if (!has_sub(r, v, r->subs.v[i]))
            continue;
        sub_of(r, v, r->subs.v[i], &kind, &group, &version, &verbs);
        struct rd_strv words = {0};
        rd_strv_split(&words, verbs, " ");
        json_array_append_new(subs, rd_json_pack("{s:s, s:{s:s, s:s, s:s}, s:o}", "subresource", r->subs.v[i],
                                                 "responseKind", "group", group, "version", version, "kind",
                                                 kind, "verbs", strings(&words)));
        rd_strv_clear(&words);
    }
    if (json_array_size(subs) > 0)
        json_object_set(o, "subresources", subs);
    json_decref(subs);
    return o;
}

/* {group: {version: [resources]}} in the order of the table, by `add`. core: "" only or all but it. */
static json_t *tree(struct kube_cluster *c, bool core, bool aggregated)
{
    json_t *groups = json_object();
    rd_list_foreach (it, &c->resources) {
        struct kube_res *r = container_of(it, struct kube_res, node);
        if (!r->served || (*r->group == '\0') != core)
            continue;
        json_t *g = json_object_get(groups, r->group);
        if (g == NULL) {
            g = json_object();
            json_object_set_new(groups, r->group, g);
        }
        for (size_t i = 0; i < r->version_count; i++) {
            json_t *list = json_object_get(g, r->versions[i].name);
            if (list == NULL) {
                list = json_array();
                json_object_set_new(g, r->versions[i].name, list);
            }
            if (aggregated)
                json_array_append_new(list, aggregated_resource(r, &r->versions[i]));
            else
                add_plain(list, r, &r->versions[i]);
        }
    }
    return groups;
}

static void reply_aggregated(struct kube_call *k, bool core)
{
    RD_AUTOJSON json_t *groups = tree(k->c, core, true);
    json_t *items = json_array();
    const char *group, *version;
    json_t *versions, *resources;
    json_object_foreach (groups, group, versions) {
        json_t *list = json_array();
        json_object_foreach (versions, version, resources)
            json_array_append_new(list, rd_json_pack("{s:s, s:O, s:s}", "version", version, "resources",
                                                     resources, "freshness", "Current"));
        json_t *meta = rd_json_pack("{s:n}", "creationTimestamp");
        if (*group != '\0')
            json_object_set_new(meta, "name", json_string(group));
        json_array_append_new(items, rd_json_pack("{s:o, s:o}", "metadata", meta, "versions", list));
    }
    RD_AUTOJSON json_t *doc =
        rd_json_pack("{s:s, s:s, s:{}, s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
                     "apidiscovery.k8s.io/v2", "metadata", "items", items);
    RD_AUTOFREE char *text = json_dumps(doc, JSON_COMPACT);
    unsigned char sum[SHA512_DIGEST_LENGTH];
    SHA512((const unsigned char *)text, strlen(text), sum);
    RD_AUTOBUF struct rd_buf etag = RD_BUF_INIT(512);
    rd_buf_putc(&etag, '"');
    for (size_t i = 0; i < sizeof(sum); i++)
        rd_buf_printf(&etag, "%02X", sum[i]);
    rd_buf_putc(&etag, '"');
    struct emu_req *req = k->req;
    k->req = NULL;
    emu_req_add_header(req, "ETag", rd_buf_str(&etag));
    emu_req_add_header(req, "Vary", "Accept");
    emu_req_add_header(req, "Cache-Control", "public");
    if (rd_streq(emu_req_header(req, "if-none-match"), rd_buf_str(&etag)))
        emu_reply_bytes(req, 304, NULL, "", 0);
    else
        emu_reply_bytes(req, 200, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                        text, strlen(text));
}

static json_t *group_doc(const char *group, const json_t *versions)
{
    json_t *list = json_array();
    const char *version;
    json_t *v;
    json_object_foreach ((json_t *)versions, version, v)
        json_array_append_new(list,
                              rd_json_pack("{s:o, s:s}", "groupVersion",
                                           json_sprintf("%s/%s", group, version), "version", version));
    return rd_json_pack("{s:s, s:o, s:O}", "name", group, "versions", list, "preferredVersion",
                        json_array_get(list, 0));
}

static void reply_group(struct kube_call *k, const char *group, const char *version)
{
    bool core = *group == '\0';
    RD_AUTOJSON json_t *groups = tree(k->c, core, false);
    const json_t *versions = json_object_get(groups, group);
    const json_t *resources = version == NULL ? NULL : json_object_get(versions, version);
    if (versions == NULL || (version != NULL && resources == NULL)) {
        struct emu_req *req = k->req;
        k->req = NULL;
        emu_reply_bytes(req, 404, "text/plain; charset=utf-8", "404 page not found\n", 19);
        return;
    }
    if (version == NULL) {
        json_t *doc = rd_json_pack("{s:s, s:s}", "kind", "APIGroup", "apiVersion", "v1");
        json_t *g = group_doc(group, versions);
        json_object_update(doc, g);
        json_decref(g);
        kube_call_reply(k, 200, doc);
        return;
    }
    kube_call_reply(k, 200,
                    rd_json_pack("{s:s, s:s, s:o, s:O}", "kind", "APIResourceList", "apiVersion", "v1",
                                 "groupVersion",
                                 core ? json_string(version) : json_sprintf("%s/%s", group, version),
                                 "resources", (json_t *)resources));
}

static bool wants_aggregated(const struct emu_req *req)
{
    const char *accept = emu_req_header(req, "accept");
    struct rd_strv entries = {0};
    rd_strv_split(&entries, accept == NULL ? "" : accept, ",");
    bool yes = false;
    for (size_t i = 0; i < entries.len && !yes; i++)
        yes = strstr(entries.v[i], "as=APIGroupDiscoveryList") != NULL &&
              strstr(entries.v[i], "g=apidiscovery.k8s.io") != NULL &&
              rd_ends_with(entries.v[i], "v=v2") + (strstr(entries.v[i], "v=v2;") != NULL) > 0;
    rd_strv_clear(&entries);
    return yes;
}

bool kube_discovery(struct kube_call *k)
{
    struct rd_strv parts = {0};
    rd_strv_split(&parts, k->req->msg.path, "/");
    bool core = parts.len >= 1 && rd_streq(parts.v[0], "api");
    bool named = parts.len >= 1 && rd_streq(parts.v[0], "apis");
    bool mine = rd_streq(k->req->msg.method, "GET") &&
                ((core && parts.len <= 2) || (named && parts.len <= 3));
    if (mine && parts.len == 1 && wants_aggregated(k->req)) {
        reply_aggregated(k, core);
    } else if (mine && core && parts.len == 1) {
        kube_call_reply(
            k, 200,
            rd_json_pack("{s:s, s:[s], s:[{s:s, s:o}]}", "kind", "APIVersions", "versions", "v1",
                         "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress",
                         json_sprintf("127.0.0.1:%d", emu_listener_port(k->c->listener))));
    } else if (mine && parts.len == 1) {
        RD_AUTOJSON json_t *groups = tree(k->c, false, false);
        json_t *list = json_array();
        const char *group;
        json_t *versions;
        json_object_foreach (groups, group, versions)
            json_array_append_new(list, group_doc(group, versions));
        kube_call_reply(k, 200, rd_json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1",
                                             "groups", list));
    } else if (mine && core) {
        reply_group(k, "", parts.v[1]);
    } else if (mine) {
        reply_group(k, parts.v[1], parts.len == 3 ? parts.v[2] : NULL);
    }
    rd_strv_clear(&parts);
    return mine;
}
