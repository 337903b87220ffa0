#include "k8s/watch.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "k8s/internal.h"

#include <stdio.h>
#include <string.h>

#define SILENCE_MS 150000
#define EVENT_MAX ((size_t)16 << 20)
#define PAGE_SIZE 500
#define BACKOFF_MS 800
#define BACKOFF_MAX_MS 30000
#define HEALTHY_MS 120000
#define SHORT_RUN_MS 1000
#define EMPTY_RUNS_MAX 2

enum { WATCH_LIST, WATCH_LISTING, WATCH_STREAM, WATCH_STREAMING, WATCH_PAUSE };

void k8s_watch_init(struct k8s_watch *w, struct k8s_client *c, const struct k8s_resource *r,
                    const char *ns)
{
    RD_ASSERT(!op_running(&w->op));
    w->client = c;
    w->resource = r;
    rd_str_dup(&w->ns, ns);
    w->silence_ms = SILENCE_MS;
}

static void watch_url(struct k8s_watch *w, struct http_url *u)
{
    k8s_url(u, w->client, w->resource, w->ns, NULL, NULL);
    if (w->label_selector)
        http_url_query(u, "labelSelector", w->label_selector);
    if (w->field_selector)
        http_url_query(u, "fieldSelector", w->field_selector);
}

static char *watch_title(const struct k8s_watch *w)
{
    return w->resource->namespaced && w->ns ? rd_asprintf("%s/%s", w->resource->plural, w->ns)
                                            : rd_strdup(w->resource->plural);
}

/* First list without a resourceVersion: a deploy tool must not judge a stale cache. */
static void list_start(struct k8s_watch *w)
{
    struct http_url u;
    watch_url(w, &u);
    char limit[16];
    snprintf(limit, sizeof(limit), "%u", w->page_size ? w->page_size : PAGE_SIZE);
    http_url_query(&u, "limit", limit);
    if (w->cont)
        http_url_query(&u, "continue", w->cont);
    k8s_call_clear(&w->list);
    k8s_call_init(&w->list, w->client, "GET", http_url_str(&u));
    http_url_clear(&u);
    w->list.resource_text = watch_title(w);
    w->list.metadata_only = w->metadata_only;
    w->list.collection = true;
    w->state = WATCH_LISTING;
    k8s_call_start(&w->list, &w->op);
}

static void stream_start(struct k8s_watch *w)
{
    struct http_url u;
    char timeout[16];
    snprintf(timeout, sizeof(timeout), "%u", 300 + (unsigned)(rd_random_u64() % 300));
    watch_url(w, &u);
    http_url_query(&u, "watch", "true");
    http_url_query(&u, "allowWatchBookmarks", "true");
    http_url_query(&u, "timeoutSeconds", timeout);
    http_url_query(&u, "resourceVersion", w->resource_version);
    k8s_call_clear(&w->stream);
    k8s_call_init(&w->stream, w->client, "GET", http_url_str(&u));
    http_url_clear(&u);
    w->stream.resource_text = watch_title(w);
    w->stream.raw = true;
    w->stream.metadata_only = w->metadata_only;
    w->stream.http.req.stream = true;
    w->stream.http.req.no_decode = true; /* a compressed stream cannot be read piece by piece */
    w->stream.http.req.idle_ms = w->silence_ms;
    w->stream.http.req.resp.max = EVENT_MAX;
    w->scanned = 0;
    w->heard = false;
    w->started_ms = op_now_ms(&w->op);
    w->state = WATCH_STREAMING;
    k8s_call_start(&w->stream, &w->op);
}

/* Lists leave apiVersion and kind out of their items, metadata answers carry those of their own form. */
static void name_kind(const struct k8s_watch *w, json_t *object)
{
    RD_AUTOFREE char *api = k8s_api_version(w->resource);
    json_object_set_new(object, "apiVersion", json_string(api));
    json_object_set_new(object, "kind", json_string(w->resource->kind));
}

static void tell(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    if (w->on_event && !w->op.cancelled)
        w->on_event(w, e, object);
}

static void remember(struct k8s_watch *w, const json_t *object)
{
    const json_t *m = json_object_get(object, "metadata");
    const char *uid = rd_json_str(m, "uid", NULL), *name = rd_json_str(m, "name", NULL);
    const char *ns = rd_json_str(m, "namespace", NULL);
    if (!uid || !name || w->list_only)
        return;
    json_t *kept = rd_json_pack("{s:s, s:s}", "name", name, "uid", uid);
    if (ns)
        json_object_set_new(kept, "namespace", json_string(ns));
    json_object_set_new(w->known, uid, kept);
}

/* After a whole list: what we knew and it does not have has vanished in between. */
static void tell_vanished(struct k8s_watch *w)
{
    const char *uid;
    json_t *metadata;
    void *tmp;
    if (!w->seen)
        return;
    json_object_foreach_safe (w->known, tmp, uid, metadata) {
        if (json_object_get(w->seen, uid))
            continue;
        RD_AUTOJSON json_t *object = rd_json_pack("{s:O}", "metadata", metadata);
        json_object_del(w->known, uid);
        name_kind(w, object);
        tell(w, K8S_DELETED, object);
    }
    json_decref(w->seen);
    w->seen = NULL;
}

static void page_read(struct k8s_watch *w)
{
    size_t i;
    json_t *object;
    const json_t *items = json_object_get(w->list.result, "items");
    json_array_foreach (items, i, object) {
        if (w->op.cancelled)
            return;
        const char *uid = rd_json_path_str(object, "metadata.uid");
        name_kind(w, object);
        if (w->seen && uid)
            json_object_set_new(w->seen, uid, json_true());
        remember(w, object);
        tell(w, K8S_ADDED, object);
    }
}

static void rest(struct k8s_watch *w, int next)
{
    unsigned shift = w->failures < 6 ? w->failures : 6;
    uint64_t ceiling = (uint64_t)BACKOFF_MS << shift;
    if (ceiling > BACKOFF_MAX_MS)
        ceiling = BACKOFF_MAX_MS;
    uint64_t delay = ceiling / 2 + rd_random_u64() % (ceiling / 2 + 1);
    w->failures++;
    w->next = next;
    w->state = WATCH_PAUSE;
    if (op_timer_start(&w->pause, &w->op, delay))
        return;
    struct rd_err *err = w->why ? rd_err_dup(w->why) : op_take_err(&w->pause.op);
    err->kind = RD_ERR_TIMEOUT;
    op_finish(&w->op, err);
}

static void relist(struct k8s_watch *w)
{
    w->relists++;
    w->empty_runs = 0;
    w->list_bytes = 0;
    rd_freep(&w->cont);
    json_decref(w->seen);
    w->seen = json_object();
    w->state = WATCH_LIST;
    op_wake(&w->op);
}

static void trouble(struct k8s_watch *w, struct rd_err *take)
{
    rd_err_free(w->why);
    w->why = take;
}

static bool passing(const struct rd_err *err)
{
    return err->kind == RD_ERR_TRANSIENT || err->kind == RD_ERR_TIMEOUT;
}

static void list_ended(struct k8s_watch *w)
{
    struct rd_err *err = op_take_err(&w->list.op);
    if (err && err->http_status == 410 && w->failures < 5) {
        /* The pages' snapshot was compacted away. */
        w->failures++;
        rd_err_free(err);
        relist(w);
        return;
    }
    if (err && passing(err) && !w->list_only) {
        trouble(w, err);
        rest(w, WATCH_LIST);
        return;
    }
    if (err) {
        op_finish(&w->op, err);
        return;
    }
    w->list_bytes += w->list.http.req.got_bytes;
    const char *rv = rd_json_path_str(w->list.result, "metadata.resourceVersion");
    const char *cont = rd_json_path_str(w->list.result, "metadata.continue");
    if (!rv || w->list_bytes > K8S_LIST_MAX) {
        RD_AUTOFREE char *title = watch_title(w);
        op_finish(&w->op, rd_err_new(RD_ERR_FAILED, rv ? "list of %s: the pages are over %d MiB"
                                                       : "list of %s: no resourceVersion, not a list",
                                     title, (int)(K8S_LIST_MAX >> 20)));
        return;
    }
    rd_str_dup(&w->resource_version, rv);
    rd_str_dup(&w->cont, cont && *cont ? cont : NULL);
    page_read(w);
    json_decref(w->list.result);
    w->list.result = NULL;
    if (w->cont) {
        w->state = WATCH_LIST;
        op_wake(&w->op);
        return;
    }
    tell_vanished(w);
    tell(w, K8S_SYNCED, NULL);
    if (w->list_only && !w->op.cancelled) {
        op_finish(&w->op, NULL);
        return;
    }
    w->state = WATCH_STREAM;
    op_wake(&w->op);
}

static void stop_stream(struct k8s_watch *w, int next)
{
    w->next = next;
    op_cancel(&w->stream.op);
}

static void error_event(struct k8s_watch *w, const json_t *status)
{
    json_int_t code = rd_json_path_int(status, "code", 500);
    RD_AUTOFREE char *text = json_dumps(status, JSON_COMPACT);
    RD_AUTOFREE char *title = watch_title(w);
    RD_AUTOFREE char *what = rd_asprintf("watch %s", title);
    struct rd_err *err = NULL;
    k8s_decode_error((long)code, "application/json", text, text ? strlen(text) : 0, 0, what, &err);
    trouble(w, err);
    /* Whatever the server says is wrong with this stream, a new list is the cure. */
    stop_stream(w, code == 410 ? WATCH_LIST : WATCH_PAUSE);
}

static void event_read(struct k8s_watch *w, const char *data, size_t len)
{
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOJSON json_t *event = rd_json_parse(data, len, "watch event", &err);
    const char *type = rd_json_str(event, "type", NULL);
    json_t *object = json_object_get(event, "object");
    if (!type || !json_is_object(object)) {
        if (!err)
            err = rd_err_new(RD_ERR_TRANSIENT, "watch event without type or object");
        trouble(w, err);
        err = NULL;
        stop_stream(w, WATCH_PAUSE);
        return;
    }
    if (rd_streq(type, "ERROR")) {
        error_event(w, object);
        return;
    }
    const char *rv = rd_json_path_str(object, "metadata.resourceVersion");
    if (rv)
        rd_str_dup(&w->resource_version, rv);
    w->heard = true;
    w->empty_runs = 0;
    if (op_now_ms(&w->op) - w->started_ms > HEALTHY_MS)
        w->failures = 0;
    if (rd_streq(type, "BOOKMARK"))
        return;
    name_kind(w, object);
    const char *uid = rd_json_path_str(object, "metadata.uid");
    if (rd_streq(type, "DELETED")) {
        if (uid)
            json_object_del(w->known, uid);
        tell(w, K8S_DELETED, object);
        return;
    }
    remember(w, object);
    tell(w, rd_streq(type, "ADDED") ? K8S_ADDED : K8S_MODIFIED, object);
}

static void stream_read(struct k8s_watch *w)
{
    struct rd_buf *in = &w->stream.http.req.resp;
    const char *data = rd_buf_str(in);
    size_t done = 0;
    bool too_long = false;
    while (w->next == WATCH_STREAM && !w->op.cancelled) {
        size_t n = k8s_stream_next(data + done, in->len - done, &w->scanned, EVENT_MAX, &too_long);
        if (too_long) {
            trouble(w, rd_err_new(RD_ERR_FAILED, "watch event over %d MiB", (int)(EVENT_MAX >> 20)));
            stop_stream(w, WATCH_PAUSE);
        }
        if (!n)
            break;
        if (n > 1 && !too_long)
            event_read(w, data + done, n);
        done += n;
    }
    rd_buf_consume(in, done);
}

static void stream_ended(struct k8s_watch *w)
{
    struct rd_err *err = op_take_err(&w->stream.op);
    if (w->next != WATCH_STREAM) {
        rd_err_free(err); /* our own stop: the reason is in w->why */
        if (w->next == WATCH_LIST)
            relist(w);
        else
            rest(w, WATCH_LIST);
        return;
    }
    long status = w->stream.http.req.status;
    if (err && err->http_status == 410) {
        rd_err_free(err);
        relist(w);
    } else if (err && (passing(err) || (status >= 200 && status < 300))) {
        /* Nothing was lost: the same stream goes on from the last version we saw. */
        trouble(w, err);
        rest(w, WATCH_STREAM);
    } else if (err) {
        op_finish(&w->op, err);
    } else if (!w->heard && op_now_ms(&w->op) - w->started_ms < SHORT_RUN_MS) {
        /* 200 and nothing: some servers answer so to a version they no longer have. */
        if (++w->empty_runs >= EMPTY_RUNS_MAX) {
            w->empty_runs = 0;
            rest(w, WATCH_LIST);
        } else {
            rest(w, WATCH_STREAM);
        }
    } else {
        w->failures = 0;
        w->state = WATCH_STREAM;
        op_wake(&w->op);
    }
}

static void watch_step(struct op *op)
{
    struct k8s_watch *w = container_of(op, struct k8s_watch, op);
    if (op->cancelled) {
        struct rd_err *err = NULL;
        if (op->timed_out && w->why) {
            err = rd_err_dup(w->why);
            err->kind = RD_ERR_TIMEOUT;
        }
        op_finish(op, err);
        return;
    }
    switch (w->state) {
    case WATCH_LIST:
        list_start(w);
        return;
    case WATCH_LISTING:
        if (!op_running(&w->list.op))
            list_ended(w);
        return;
    case WATCH_STREAM:
        w->next = WATCH_STREAM;
        stream_start(w);
        return;
    case WATCH_STREAMING:
        stream_read(w);
        if (!op->cancelled && !op_running(&w->stream.op))
            stream_ended(w);
        return;
    case WATCH_PAUSE:
        if (op_running(&w->pause.op))
            return;
        if (w->next == WATCH_LIST) {
            relist(w);
        } else {
            w->state = w->next;
            op_wake(op);
        }
        return;
    }
    RD_UNREACHABLE();
}

void k8s_watch_start(struct k8s_watch *w, struct op *parent)
{
    w->state = WATCH_LIST;
    w->failures = w->empty_runs = 0;
    w->list_bytes = 0;
    rd_freep(&w->cont);
    json_decref(w->known);
    json_decref(w->seen);
    w->known = json_object();
    w->seen = NULL;
    op_start(&w->op, parent, watch_step, "watch");
}

void k8s_watch_clear(struct k8s_watch *w)
{
    RD_ASSERT(!op_running(&w->op));
    k8s_call_clear(&w->list);
    k8s_call_clear(&w->stream);
    rd_err_free(op_take_err(&w->pause.op));
    rd_err_free(op_take_err(&w->op));
    rd_err_free(w->why);
    rd_freep(&w->ns);
    rd_freep(&w->label_selector);
    rd_freep(&w->field_selector);
    rd_freep(&w->resource_version);
    rd_freep(&w->cont);
    json_decref(w->known);
    json_decref(w->seen);
    memset(w, 0, sizeof(*w));
}
