/* Watches: what happened since a version, then what happens, bookmarks, and an end. */
#include "kube_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    struct rd_list node;
    struct emu_req *req;
    struct kube_cluster *c;
    struct kube_res *res;
    char *version, *ns, *include;
    struct kube_select select;
    enum kube_form form;
    bool bookmarks, columns_sent;
    uv_timer_t timer; /* real time: these are limits of connections, not of the cloud */
    uint64_t end_ms;  /* uv_now */
};

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct watch, timer));
}

/* Everything but the request, which ends elsewhere. */
static void watch_free(struct watch *w)
{
    rd_list_remove(&w->node);
    free(w->version);
    free(w->ns);
    free(w->include);
    kube_select_clear(&w->select);
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}

static void on_gone(struct emu_req *req, void *arg)
{
    watch_free(arg);
    req->streaming ? emu_stream_end(req) : emu_drop(req);
}

static void watch_end(struct watch *w, bool reset)
{
    struct emu_req *req = w->req;
    req->on_gone = NULL;
    watch_free(w);
    if (reset)
        emu_drop(req);
    else
        emu_stream_end(req);
}

/* false: the client does not read; the watch is gone. */
static bool send_event(struct watch *w, const char *type, json_t *take_object)
{
    RD_AUTOJSON json_t *event = rd_json_pack("{s:s, s:o}", "type", type, "object", take_object);
    RD_AUTOFREE char *text = json_dumps(event, JSON_COMPACT);
    RD_AUTOFREE char *line = rd_asprintf("%s\n", text);
    if (emu_stream_queued(w->req) > KUBE_QUEUE_MAX) {
        watch_end(w, true);
        return false;
    }
    emu_stream_write(w->req, line, strlen(line));
    return true;
}

static bool send_object(struct watch *w, const char *type, const json_t *object)
{
    json_t *shown = kube_in_version(w->res, object, w->version);
    json_t *out = kube_as(w->form, w->res, w->version, shown, false, !w->columns_sent, w->include);
    w->columns_sent = true;
    json_decref(shown);
    return send_event(w, type, out);
}

static bool send_bookmark(struct watch *w, bool initial_end)
{
    RD_AUTOFREE char *api = kube_api_version(w->res, w->version);
    json_t *meta =
        rd_json_pack("{s:o}", "resourceVersion", json_sprintf("%lld", (long long)w->c->rv));
    if (initial_end)
        json_object_set_new(meta, "annotations",
                            rd_json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
    json_t *o = rd_json_pack("{s:s, s:s, s:o}", "kind", w->res->kind, "apiVersion", api, "metadata", meta);
    if (w->form != KUBE_FULL) {
        json_t *out = kube_as(w->form, w->res, w->version, o, false, !w->columns_sent, w->include);
        json_decref(o);
        o = out;
    }
    return send_event(w, "BOOKMARK", o);
}

static bool is_seen(const struct watch *w, const json_t *object)
{
    return object != NULL && (w->ns == NULL || rd_streq(kube_meta(object, "namespace"), w->ns)) &&
           kube_selected(&w->select, object);
}

/* What a selector makes of a change: entering is ADDED, leaving is DELETED. */
static bool send_change(struct watch *w, const struct kube_past *p)
{
    bool before = is_seen(w, p->old);
    bool after = p->change != KUBE_DELETED && is_seen(w, p->object);
    if (!before && !after)
        return true;
    if (after)
        return send_object(w, before ? "MODIFIED" : "ADDED", p->object);
    return send_object(w, "DELETED", p->object);
}

void kube_watch_tell(struct kube_cluster *c, const struct kube_past *p)
{
    rd_list_foreach_safe (it, tmp, &c->watches) {
        struct watch *w = container_of(it, struct watch, node);
        if (w->res == p->res)
            send_change(w, p);
    }
}

void kube_watch_drop_all(struct kube_cluster *c)
{
    while (!rd_list_empty(&c->watches))
        watch_end(container_of(c->watches.next, struct watch, node), true);
}

static void arm(struct watch *w);

static void on_timer(uv_timer_t *timer)
{
    struct watch *w = container_of(timer, struct watch, timer);
    bool over = uv_now(w->c->emu->loop) >= w->end_ms || !w->res->served;
    if (w->bookmarks && !send_bookmark(w, false))
        return;
    if (over)
        watch_end(w, false);
    else
        arm(w);
}

static void arm(struct watch *w)
{
    uint64_t now_ms = uv_now(w->c->emu->loop);
    uint64_t left_ms = w->end_ms > now_ms ? w->end_ms - now_ms : 0;
    uv_timer_start(&w->timer, on_timer, left_ms < KUBE_BOOKMARK_MS ? left_ms : KUBE_BOOKMARK_MS, 0);
}

static json_t *expired(const struct kube_cluster *c, json_int_t rv)
{
    return rd_json_pack("{s:s, s:s, s:{}, s:s, s:o, s:s, s:i}", "kind", "Status", "apiVersion", "v1",
                        "metadata", "status", "Failure", "message",
                        json_sprintf("too old resource version: %lld (%lld)", (long long)rv,
                                     (long long)c->past_floor + 1),
                        "reason", "Expired", "code", 410);
}

static bool send_initial(struct watch *w, bool end_mark)
{
    RD_AUTOJSON json_t *all = kube_sorted(w->res, w->ns);
    size_t i;
    json_t *o;
    json_array_foreach (all, i, o) {
        if (kube_selected(&w->select, o) && !send_object(w, "ADDED", o))
            return false;
    }
    return !end_mark || send_bookmark(w, true);
}

static bool send_past(struct watch *w, json_int_t rv)
{
    struct kube_cluster *c = w->c;
    for (size_t i = 0; i < c->past_len; i++) {
        if (c->past[i].rv > rv && c->past[i].res == w->res && !send_change(w, &c->past[i]))
            return false;
    }
    return true;
}

static bool check(struct kube_call *k, const char *rv, const char *match, bool initial)
{
    const char *field = NULL, *why = NULL;
    bool bookmarks = emu_req_query_true(k->req, "allowWatchBookmarks");
    if (initial && !rd_streq(match, "NotOlderThan")) {
        field = "resourceVersionMatch";
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    } else if (initial && !bookmarks) {
        field = "sendInitialEvents";
        why = "sendInitialEvents requires allowWatchBookmarks";
    } else if (!initial && match != NULL && *match != '\0') {
        field = "resourceVersionMatch";
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
    }
    if (field != NULL) {
        kube_fail(&k->fail, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: %s: Forbidden: %s",
                  field, why);
        k->fail.details = rd_json_pack("{s:s, s:s}", "group", "meta.k8s.io", "kind", "ListOptions");
        kube_fail_cause(&k->fail, "FieldValueForbidden", why, field);
        return false;
    }
    char *end = NULL;
    if (rv != NULL && *rv != '\0' && (strtoll(rv, &end, 10) < 0 || *end != '\0'))
        return kube_fail(&k->fail, 400, "BadRequest", "Invalid value: \"%s\": resource version", rv);
    return true;
}

void kube_serve_watch(struct kube_call *k)
{
    RD_AUTOFREE char *rv_text = emu_req_query(k->req, "resourceVersion");
    RD_AUTOFREE char *match = emu_req_query(k->req, "resourceVersionMatch");
    RD_AUTOFREE char *initial = emu_req_query(k->req, "sendInitialEvents");
    RD_AUTOFREE char *seconds = emu_req_query(k->req, "timeoutSeconds");
    struct kube_select select = {0};
    bool list = rd_streq(initial, "true");
    if (!check(k, rv_text, match, initial != NULL) ||
        !kube_select_parse(&select, k->req, k->res, &k->fail)) {
        kube_call_status(k, &k->fail);
        return;
    }
    json_int_t rv = rv_text == NULL ? 0 : strtoll(rv_text, NULL, 10);
    struct emu_req *req = k->req;
    k->req = NULL;
    struct watch *w = rd_calloc(1, sizeof(*w));
    *w = (struct watch){.req = req,
                        .c = k->c,
                        .res = k->res,
                        .version = rd_strdup(k->version),
                        .ns = rd_strdup(k->ns),
                        .include = emu_req_query(req, "includeObject"),
                        .select = select,
                        .form = kube_form(req),
                        .bookmarks = emu_req_query_true(req, "allowWatchBookmarks")};
    rd_list_append(&k->c->watches, &w->node);
    uv_timer_init(k->c->emu->loop, &w->timer);
    long life_s = seconds == NULL ? 1800 + (long)(emu_rand(k->c->emu) % 1800) : strtol(seconds, NULL, 10);
    uv_update_time(k->c->emu->loop);
    w->end_ms = uv_now(k->c->emu->loop) + (uint64_t)(life_s < 0 ? 0 : life_s) * 1000;
    req->arg = w;
    req->on_gone = on_gone;
    emu_req_add_header(req, "Cache-Control", "no-cache, private");
    struct rd_list *list_head = &k->c->watches;
    emu_stream_begin(req, 200, "application/json");
    /* A fault may have ended it on the spot. */
    if (rd_list_empty(list_head) || container_of(list_head->prev, struct watch, node) != w)
        return;
    bool alive;
    if (rv > 0 && !list && rv < w->c->past_floor) {
        if (send_event(w, "ERROR", expired(w->c, rv)))
            watch_end(w, false);
        return;
    }
    if (rv <= 0 || list)
        alive = rd_streq(initial, "false") || send_initial(w, list);
    else
        alive = send_past(w, rv);
    if (alive)
        arm(w);
}
