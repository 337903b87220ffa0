#include "k8s/apply.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "k8s/internal.h"

#include <string.h>

#define TYPE_LEARNED_MS 30000 /* between Established and every replica serving it */
#define TYPE_KNOWN_MS 3000
#define NAMESPACE_MS 3000
#define PAUSE_MS 250
#define PAUSE_MAX_MS 2000

enum { APPLY_BEGIN, APPLY_LOOK, APPLY_SENT, APPLY_PAUSE };

void k8s_apply_init(struct k8s_apply *a, struct k8s_client *c, const json_t *object)
{
    RD_ASSERT(!op_running(&a->op));
    a->client = c;
    a->object = object;
}

static const char *apply_ns(const struct k8s_apply *a)
{
    if (!a->resource->namespaced)
        return NULL;
    const char *ns = rd_json_path_str(a->object, "metadata.namespace");
    if (ns && *ns)
        return ns;
    return a->ns ? a->ns : k8s_client_namespace(a->client);
}

static const char *apply_name(const struct k8s_apply *a)
{
    return rd_json_path_str(a->object, "metadata.name");
}

static void look(struct k8s_apply *a)
{
    a->state = APPLY_LOOK;
    k8s_get_init(&a->call, a->client, a->resource, apply_ns(a), apply_name(a));
    a->call.not_found_ok = true;
    a->call.metadata_only = !a->dry_run;
    k8s_call_start(&a->call, &a->op);
}

/* The intent, with the version it must still have. */
static void send_body(struct k8s_apply *a)
{
    json_t *body = (json_t *)a->object;
    json_incref(body);
    if (a->lock_rv) {
        json_decref(body);
        body = json_copy((json_t *)a->object);
        json_t *metadata = json_copy(json_object_get(a->object, "metadata"));
        json_object_set_new(metadata, "resourceVersion", json_string(a->lock_rv));
        json_object_set_new(body, "metadata", metadata);
    }
    k8s_call_body_json(&a->call, "application/apply-patch+yaml", body);
    json_decref(body);
}

static void send_apply(struct k8s_apply *a)
{
    struct http_url u;
    a->state = APPLY_SENT;
    k8s_call_clear(&a->call);
    k8s_url(&u, a->client, a->resource, apply_ns(a), apply_name(a), NULL);
    http_url_query(&u, "fieldManager", a->field_manager ? a->field_manager : K8S_FIELD_MANAGER);
    http_url_query(&u, "fieldValidation", "Strict");
    if (a->force)
        http_url_query(&u, "force", "true");
    if (a->dry_run)
        http_url_query(&u, "dryRun", "All");
    k8s_call_init(&a->call, a->client, "PATCH", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(&a->call, a->resource, apply_ns(a), apply_name(a));
    send_body(a);
    a->call.write = true;
    a->call.metadata_only = a->slim && !a->dry_run;
    k8s_call_start(&a->call, &a->op);
}

static bool older(const char *time, const char *date)
{
    int64_t time_ms, date_ms;
    return !date || (rd_rfc3339_parse(time, &time_ms) && rd_http_date_parse(date, &date_ms) &&
                     time_ms < date_ms);
}

char *k8s_apply_stamp(const json_t *object, const char *manager, const char *date)
{
    size_t i;
    json_t *entry;
    json_array_foreach (rd_json_path(object, "metadata.managedFields"), i, entry) {
        const char *time = rd_json_str(entry, "time", NULL);
        if (time && rd_streq(rd_json_str(entry, "operation", NULL), "Apply") &&
            rd_streq(rd_json_str(entry, "manager", NULL), manager ? manager : K8S_FIELD_MANAGER) &&
            !rd_json_str(entry, "subresource", NULL))
            return older(time, date) ? rd_asprintf("%s/%" JSON_INTEGER_FORMAT, time,
                                                   rd_json_path_int(object, "metadata.generation", 0))
                                     : NULL;
    }
    return NULL;
}

/* What the GET found; whatever hinders it (no right to read, type not there), the write will tell. */
static void looked(struct k8s_apply *a)
{
    rd_err_free(op_take_err(&a->call.op));
    const char *rv = rd_json_path_str(a->call.result, "metadata.resourceVersion");
    rd_str_dup(&a->seen_rv, rv ? rv : "");
    rd_str_take(&a->seen_stamp, k8s_apply_stamp(a->call.result, a->field_manager,
                                                a->call.http.req.date));
    a->seen = json_incref(a->call.result);
}

static void judge_success(struct k8s_apply *a)
{
    a->result = json_incref(a->call.result);
    if (a->call.http.req.status == 201) {
        a->outcome = K8S_APPLY_CREATED;
        return;
    }
    /* A dry run answers with the old resourceVersion: only the contents can tell. */
    const json_t *before = a->looked ? a->live : a->seen;
    if (a->dry_run && before) {
        a->outcome = k8s_object_diff(before, a->result, NULL) ? K8S_APPLY_CHANGED
                                                             : K8S_APPLY_UNCHANGED;
        return;
    }
    const char *rv = rd_json_path_str(a->result, "metadata.resourceVersion");
    RD_AUTOFREE char *stamp = k8s_apply_stamp(a->result, a->field_manager, NULL);
    bool same = rd_streq(rv, a->seen_rv) || (stamp && rd_streq(stamp, a->seen_stamp));
    a->outcome = same ? K8S_APPLY_UNCHANGED : K8S_APPLY_CHANGED;
}

/* Whether this 404 is only a matter of a moment; *take is consumed when it is not. */
static bool wait_for_missing(struct k8s_apply *a, struct rd_err **take)
{
    const struct http_req *r = &a->call.http.req;
    enum k8s_missing missing = k8s_what_is_missing(r->status, r->resp.data, r->resp.len);
    bool type = missing == K8S_MISSING_TYPE;
    if (!type && missing != K8S_MISSING_NAMESPACE)
        return false;
    const struct k8s_known *known = k8s_mapping_known(a->client, a->resource);
    uint64_t window = !type ? NAMESPACE_MS : known->learned ? TYPE_LEARNED_MS : TYPE_KNOWN_MS;
    uint64_t now = op_now_ms(&a->op);
    if (!a->missing_ms)
        a->missing_ms = now;
    uint64_t delay = (uint64_t)PAUSE_MS << (a->pauses < 3 ? a->pauses : 3);
    a->pauses++;
    if (!a->dry_run && now + delay < a->missing_ms + window &&
        op_timer_start(&a->pause, &a->op, delay < PAUSE_MAX_MS ? delay : PAUSE_MAX_MS)) {
        a->state = APPLY_PAUSE;
        return true;
    }
    if (type) {
        RD_AUTOFREE char *api = k8s_api_version(a->resource);
        rd_err_freep(take);
        *take = rd_err_new(RD_ERR_FAILED, "cannot apply %s: no such kind on this server: %s of %s",
                           a->call.resource_text, a->resource->kind, api);
        (*take)->http_status = 404;
        rd_err_hint(*take, "Apply the CustomResourceDefinition of %s.%s first.", a->resource->plural,
                    a->resource->group);
    }
    return false;
}

static void end(struct k8s_apply *a, struct rd_err *take)
{
    if (take && take->http_status == 409) {
        const struct rd_buf *body = &a->call.http.req.resp;
        RD_AUTOJSON json_t *status = k8s_status_parse(rd_buf_str(body), body->len);
        a->conflicts = k8s_decode_conflicts(status);
    }
    op_finish(&a->op, take);
}

static void apply_step(struct op *op)
{
    struct k8s_apply *a = container_of(op, struct k8s_apply, op);
    if (op->cancelled) {
        op_finish(op, op_take_err(&a->call.op));
        return;
    }
    switch (a->state) {
    case APPLY_BEGIN: {
        const char *api = rd_json_str(a->object, "apiVersion", NULL);
        const char *kind = rd_json_str(a->object, "kind", NULL);
        RD_ASSERT(api && kind && apply_name(a));
        a->resource = k8s_resource_find(a->client, api, kind);
        if (!a->resource) {
            struct rd_err *err = rd_err_new(RD_ERR_FAILED, "cannot apply %s/%s: no such kind on this "
                                            "server: %s of %s", kind, apply_name(a), kind, api);
            rd_err_hint(err, "Apply the CustomResourceDefinition of %s first.", kind);
            op_finish(op, err);
            return;
        }
        const char *rv = a->looked ? rd_json_path_str(a->live, "metadata.resourceVersion")
                                   : a->before_rv;
        rd_str_dup(&a->seen_rv, rv ? rv : "");
        rd_str_dup(&a->seen_stamp, a->before_stamp);
        if (a->looked || a->before_rv)
            send_apply(a);
        else
            look(a);
        return;
    }
    case APPLY_LOOK:
        if (op_running(&a->call.op))
            return;
        looked(a);
        send_apply(a);
        return;
    case APPLY_SENT: {
        if (op_running(&a->call.op))
            return;
        struct rd_err *err = op_take_err(&a->call.op);
        if (!err)
            judge_success(a);
        else if (wait_for_missing(a, &err)) {
            rd_err_free(err);
            return;
        }
        end(a, err);
        return;
    }
    case APPLY_PAUSE:
        if (!op_running(&a->pause.op))
            send_apply(a);
        return;
    }
    RD_UNREACHABLE();
}

void k8s_apply_start(struct k8s_apply *a, struct op *parent)
{
    a->state = APPLY_BEGIN;
    a->missing_ms = 0;
    a->pauses = 0;
    op_start(&a->op, parent, apply_step, "apply");
}

void k8s_apply_clear(struct k8s_apply *a)
{
    RD_ASSERT(!op_running(&a->op));
    k8s_call_clear(&a->call);
    rd_err_free(op_take_err(&a->pause.op));
    rd_err_free(op_take_err(&a->op));
    json_decref(a->result);
    json_decref(a->conflicts);
    json_decref(a->seen);
    rd_freep(&a->seen_rv);
    rd_freep(&a->seen_stamp);
    memset(a, 0, sizeof(*a));
}
