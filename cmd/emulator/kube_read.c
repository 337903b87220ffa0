/* Lists: selectors, pages, versions. */
#include "kube_internal.h"

#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

/* A page token names where to go on and the version of the first page. */
static char *token_new(json_int_t rv, size_t at)
{
    RD_AUTOFREE char *text =
        rd_asprintf("{\"v\":\"meta.k8s.io/v1\",\"rv\":%lld,\"start\":%zu}", (long long)rv, at);
    return rd_base64_encode(text, strlen(text));
}

static bool token_read(const char *token, json_int_t *ret_rv, size_t *ret_at)
{
    size_t len = 0;
    RD_AUTOFREE char *text = (char *)rd_base64_decode(token, strlen(token), &len);
    RD_AUTOJSON json_t *v = text == NULL ? NULL : json_loadb(text, len, 0, NULL);
    if (!json_is_integer(json_object_get(v, "rv")))
        return false;
    *ret_rv = json_integer_value(json_object_get(v, "rv"));
    *ret_at = (size_t)rd_json_path_int(v, "start", 0);
    return true;
}

static bool check_versions(struct kube_call *k, const char *rv, const char *match, bool paging)
{
    char *end = NULL;
    long long want = rv == NULL || *rv == '\0' ? 0 : strtoll(rv, &end, 10);
    if (end != NULL && *end != '\0')
        return kube_fail(&k->fail, 400, "BadRequest", "Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax", rv, rv);
    if (match != NULL && *match != '\0') {
        const char *why = NULL;
        if (rv == NULL || *rv == '\0')
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
        else if (paging)
            why = "resourceVersionMatch is forbidden when continue is provided";
        else if (!rd_streq(match, "Exact") && !rd_streq(match, "NotOlderThan"))
            why = "supported values: \"Exact\", \"NotOlderThan\", \"\"";
        else if (rd_streq(match, "Exact") && want == 0)
            why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
        if (why != NULL) {
            kube_fail(&k->fail, 422, "Invalid",
                      "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: %s", why);
            k->fail.details = rd_json_pack("{s:s, s:s}", "group", "meta.k8s.io", "kind", "ListOptions");
            kube_fail_cause(&k->fail, "FieldValueForbidden", why, "resourceVersionMatch");
            return false;
        }
    }
    if (want > k->c->rv) {
        kube_fail(&k->fail, 504, "Timeout", "Too large resource version: %lld, current: %lld", want,
                  (long long)k->c->rv);
        k->fail.details = rd_json_pack("{s:i}", "retryAfterSeconds", 1);
        kube_fail_cause(&k->fail, "ResourceVersionTooLarge", "Too large resource version", NULL);
        return false;
    }
    if (rd_streq(match, "Exact") && want < k->c->past_floor)
        return kube_fail(&k->fail, 410, "Expired",
                         "The resourceVersion for the provided list is too old.");
    return true;
}

static json_t *list_of(struct kube_call *k, json_t *take_items, json_int_t rv, const char *next,
                       size_t left)
{
    RD_AUTOFREE char *api = kube_api_version(k->res, k->version);
    json_t *meta = rd_json_pack("{s:o}", "resourceVersion", json_sprintf("%lld", (long long)rv));
    if (next != NULL) {
        json_object_set_new(meta, "continue", json_string(next));
        json_object_set_new(meta, "remainingItemCount", json_integer((json_int_t)left));
    }
    return rd_json_pack("{s:s, s:s, s:o, s:o}", "kind", k->res->list_kind, "apiVersion", api, "metadata",
                        meta, "items", take_items);
}

void kube_serve_list(struct kube_call *k)
{
    RD_AUTOFREE char *rv = emu_req_query(k->req, "resourceVersion");
    RD_AUTOFREE char *match = emu_req_query(k->req, "resourceVersionMatch");
    RD_AUTOFREE char *limit_text = emu_req_query(k->req, "limit");
    RD_AUTOFREE char *token = emu_req_query(k->req, "continue");
    size_t limit = limit_text == NULL ? 0 : strtoul(limit_text, NULL, 10), at = 0;
    json_int_t page_rv = k->c->rv;
    bool paging = token != NULL && *token != '\0';
    struct kube_select s = {0};
    bool ok = check_versions(k, rv, match, paging) && kube_select_parse(&s, k->req, k->res, &k->fail);
    if (ok && paging) {
        if (!token_read(token, &page_rv, &at))
            ok = kube_fail(&k->fail, 400, "BadRequest", "continue key is not valid: %s", token);
        else if (page_rv < k->c->past_floor)
            ok = kube_fail(&k->fail, 410, "Expired",
                           "The provided continue parameter is too old to display a consistent list "
                           "result. You can start a new list without the continue parameter.");
    }
    if (!ok) {
        kube_call_status(k, &k->fail);
        kube_select_clear(&s);
        return;
    }
    RD_AUTOJSON json_t *all = kube_sorted(k->res, k->ns);
    json_t *items = json_array();
    size_t n = json_array_size(all), matched = 0, left = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(all, i);
        if (!kube_selected(&s, o) || matched++ < at)
            continue;
        if (limit > 0 && json_array_size(items) == limit)
            left++;
        else
            json_array_append_new(items, kube_in_version(k->res, o, k->version));
    }
    kube_select_clear(&s);
    RD_AUTOFREE char *next = left > 0 ? token_new(page_rv, at + limit) : NULL;
    json_t *list = list_of(k, items, page_rv, next, left);
    enum kube_form form = kube_form(k->req);
    RD_AUTOFREE char *include = emu_req_query(k->req, "includeObject");
    json_t *out = kube_as(form, k->res, k->version, list, true, true, include);
    json_decref(list);
    kube_call_reply(k, 200, out);
}

void kube_call_object(struct kube_call *k, int status, json_t *take)
{
    RD_AUTOFREE char *include = emu_req_query(k->req, "includeObject");
    json_t *out = kube_as(kube_form(k->req), k->res, k->version, take, false, true, include);
    json_decref(take);
    kube_call_reply(k, status, out);
}
