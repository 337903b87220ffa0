#include "k8s/delete.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "k8s/internal.h"

#include <string.h>

#define TRIES_MAX 5

enum { DELETE_BEGIN, DELETE_SENT, DELETE_PAUSE, DELETE_WAIT };

void k8s_delete_init(struct k8s_delete *d, struct k8s_client *c, const struct k8s_resource *r,
                     const char *ns, const char *name)
{
    RD_ASSERT(!op_running(&d->op));
    d->client = c;
    d->resource = r;
    rd_str_dup(&d->ns, ns);
    rd_str_dup(&d->name, name);
    d->propagation = K8S_FOREGROUND;
}

static void send_delete(struct k8s_delete *d)
{
    static const char *const policies[] = {"Foreground", "Background", "Orphan"};
    struct http_url u;
    k8s_url(&u, d->client, d->resource, d->ns, d->name, NULL);
    k8s_call_clear(&d->call);
    k8s_call_init(&d->call, d->client, "DELETE", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(&d->call, d->resource, d->ns, d->name);
    RD_AUTOJSON json_t *body =
        rd_json_pack("{s:s, s:s, s:s}", "kind", "DeleteOptions", "apiVersion", "v1",
                     "propagationPolicy", policies[d->propagation]);
    if (d->uid)
        rd_json_path_set(body, "preconditions.uid", json_string(d->uid));
    if (d->dry_run)
        json_object_set_new(body, "dryRun", rd_json_pack("[s]", "All"));
    k8s_call_body_json(&d->call, "application/json", body);
    d->call.write = true;
    d->state = DELETE_SENT;
    k8s_call_start(&d->call, &d->op);
}

/* ---- Why it is still there ---- */

static const struct {
    const char *finalizer; /* prefix or whole */
    const char *who;
} holders[] = {
    {"cnrm.cloud.google.com/deletion-defender", "Config Connector's deletion defender"},
    {"cnrm.cloud.google.com/", "Config Connector, which deletes the cloud resource first"},
    {"ray.io/", "the KubeRay operator"},
    {"kubernetes.io/pvc-protection", "a pod that still mounts the claim"},
    {"kubernetes.io/pv-protection", "a claim that is still bound to the volume"},
    {"service.kubernetes.io/load-balancer-cleanup", "the cloud controller, which removes the load "
                                                    "balancer"},
    {"networking.gke.io/", "the cloud controller, which removes the load balancer"},
    {"foregroundDeletion", "its dependents"},
    {"orphan", "the garbage collector, which releases its dependents"},
    {"batch.kubernetes.io/job-tracking", "the job controller"},
    {"customresourcecleanup.apiextensions.k8s.io", "the custom resources of this definition"},
};

static const char *holder_of(const char *finalizer)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(holders); i++) {
        if (rd_starts_with(finalizer, holders[i].finalizer))
            return holders[i].who;
    }
    return NULL;
}

static void explain_finalizers(const json_t *object, struct rd_buf *out)
{
    const json_t *finalizers = rd_json_path(object, "metadata.finalizers");
    size_t i, n = json_array_size(finalizers);
    if (!n)
        return;
    rd_buf_puts(out, n > 1 ? "finalizers " : "finalizer ");
    for (i = 0; i < n && i < 8; i++) {
        const char *f = json_string_value(json_array_get(finalizers, i));
        rd_buf_printf(out, "%s%.128s", i ? ", " : "", f ? f : "?");
    }
    const char *sep = ": waits for ";
    for (i = 0; i < n && i < 8; i++) {
        const char *f = json_string_value(json_array_get(finalizers, i));
        const char *who = f ? holder_of(f) : NULL;
        if (who)
            rd_buf_printf(out, "%s%s", sep, who);
        if (who)
            sep = ", ";
    }
}

static void explain_namespace(const json_t *object, struct rd_buf *out)
{
    size_t i;
    json_t *c;
    json_array_foreach (rd_json_path(object, "status.conditions"), i, c) {
        const char *type = rd_json_str(c, "type", NULL), *message = rd_json_str(c, "message", NULL);
        if (!type || !rd_starts_with(type, "Namespace") ||
            !rd_streq(rd_json_str(c, "status", NULL), "True"))
            continue;
        rd_buf_printf(out, "%s%.60s: %.300s", out->len ? "; " : "", type, message ? message : "");
        if (rd_streq(type, "NamespaceDeletionDiscoveryFailure"))
            rd_buf_puts(out, " (an aggregated API does not answer: repair or delete its APIService)");
    }
}

static void explain(const json_t *object, struct rd_buf *out)
{
    size_t before = out->len;
    explain_finalizers(object, out);
    if (rd_streq(rd_json_str(object, "kind", NULL), "Namespace"))
        explain_namespace(object, out);
    if (out->len != before)
        return;
    json_int_t grace = rd_json_path_int(object, "metadata.deletionGracePeriodSeconds", 0);
    if (grace > 0)
        rd_buf_printf(out, "waits for its grace period of %d s", (int)grace);
    else
        rd_buf_puts(out, "waits for the server, which still has it");
}

void k8s_explain_deletion(const json_t *object, int64_t now_wall_ms, struct rd_buf *out)
{
    explain(object, out);
    const char *at = rd_json_path_str(object, "metadata.deletionTimestamp");
    json_int_t grace = rd_json_path_int(object, "metadata.deletionGracePeriodSeconds", 0);
    int64_t since_ms;
    if (!at || !rd_rfc3339_parse(at, &since_ms))
        return;
    since_ms -= (int64_t)grace * 1000; /* the stamp is when the grace period ends */
    if (now_wall_ms < since_ms)
        return;
    char age[32];
    rd_duration_text((uint64_t)((now_wall_ms - since_ms) / 1000 * 1000), age);
    rd_buf_printf(out, " (deletion asked for %s ago)", age);
}

static void note(struct k8s_delete *d, const json_t *object)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(4096);
    json_decref(d->last);
    d->last = json_deep_copy(object);
    explain(object, &b);
    if (rd_streq(rd_buf_str(&b), d->last_text))
        return;
    rd_str_dup(&d->last_text, rd_buf_str(&b));
    if (d->progress)
        d->progress(d, d->last_text);
}

/* ---- Waiting ---- */

static void on_event(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct k8s_delete *d = w->ctx;
    const char *uid = object ? rd_json_path_str(object, "metadata.uid") : NULL;
    bool ours = object && (!d->uid || rd_streq(uid, d->uid));
    if (e != K8S_SYNCED && e != K8S_DELETED && ours) {
        d->gone = false;
        if (!d->uid)
            rd_str_dup(&d->uid, uid);
        note(d, object);
        return;
    }
    /* A list without it, its DELETED, or another object of its name: ours is gone. */
    if (e != K8S_SYNCED)
        d->gone = true;
    if (d->gone)
        op_cancel(&w->op);
}

static void wait_gone(struct k8s_delete *d)
{
    RD_AUTOFREE char *selector = rd_asprintf("metadata.name=%s", d->name);
    d->gone = true; /* until the list shows it */
    k8s_watch_init(&d->watch, d->client, d->resource, d->ns);
    rd_str_dup(&d->watch.field_selector, selector);
    d->watch.on_event = on_event;
    d->watch.ctx = d;
    /* Conditions tell why a namespace stays; of anything else the metadata is enough. */
    d->watch.metadata_only = !rd_streq(d->resource->kind, "Namespace");
    d->state = DELETE_WAIT;
    k8s_watch_start(&d->watch, &d->op);
}

static struct rd_err *out_of_time(struct k8s_delete *d, struct rd_err *take)
{
    if (!d->last)
        return take;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(4096);
    k8s_explain_deletion(d->last, rd_wall_ms(), &b);
    rd_err_free(take);
    struct rd_err *err =
        rd_err_new(RD_ERR_TIMEOUT, "%s/%s%s%s is still there: %s", d->resource->kind,
                   d->ns ? d->ns : "", d->ns ? "/" : "", d->name, rd_buf_str(&b));
    rd_err_resource(err, "%s/%s%s%s", d->resource->kind, d->ns ? d->ns : "", d->ns ? "/" : "", d->name);
    rd_err_hint(err, "See to it that what it waits for is running, then run the same command again.");
    return err;
}

static void sent(struct k8s_delete *d)
{
    const struct http_req *r = &d->call.http.req;
    struct rd_err *err = op_take_err(&d->call.op);
    if (err && err->http_status == 404) {
        rd_err_free(err);
        d->was_absent = d->tries == 0 && !d->call.http.unsure;
        op_finish(&d->op, NULL);
        return;
    }
    if (err && err->kind == RD_ERR_CONFLICT) {
        rd_err_free(err);
        /* With a uid: another object has the name now, so ours is gone. Otherwise it changed between
         * the server's own reading and deleting. */
        if (d->uid && strstr(rd_buf_str(&r->resp), "recondition")) {
            d->was_absent = true;
            op_finish(&d->op, NULL);
            return;
        }
        if (++d->tries < TRIES_MAX && op_timer_start(&d->pause, &d->op, 100u << d->tries)) {
            d->state = DELETE_PAUSE;
            return;
        }
        op_finish(&d->op, rd_err_new(RD_ERR_CONFLICT, "%s %s: keeps changing while it is deleted",
                                     d->resource->kind, d->name));
        return;
    }
    bool gone = rd_streq(rd_json_str(d->call.result, "kind", NULL), "Status");
    const char *uid = rd_json_path_str(d->call.result, gone ? "details.uid" : "metadata.uid");
    if (!err && uid && !d->uid)
        rd_str_dup(&d->uid, uid);
    if (err || d->dry_run || d->no_wait || gone) {
        op_finish(&d->op, err);
        return;
    }
    if (rd_json_path_str(d->call.result, "metadata.deletionTimestamp"))
        note(d, d->call.result);
    wait_gone(d);
}

static void delete_step(struct op *op)
{
    struct k8s_delete *d = container_of(op, struct k8s_delete, op);
    if (op->cancelled) {
        struct rd_err *err = d->state == DELETE_SENT ? op_take_err(&d->call.op) : NULL;
        op_finish(op, op->timed_out ? out_of_time(d, err) : err);
        return;
    }
    switch (d->state) {
    case DELETE_BEGIN:
        send_delete(d);
        return;
    case DELETE_SENT:
        if (!op_running(&d->call.op))
            sent(d);
        return;
    case DELETE_PAUSE:
        if (!op_running(&d->pause.op))
            send_delete(d);
        return;
    case DELETE_WAIT: {
        if (op_running(&d->watch.op))
            return;
        struct rd_err *err = op_take_err(&d->watch.op);
        if (err && (err->kind == RD_ERR_CANCELLED ? d->gone : err->http_status == 404)) {
            /* Our own stop; or its type went with its CRD, and it with that. */
            rd_err_free(err);
            err = NULL;
        }
        op_finish(op, err);
        return;
    }
    }
    RD_UNREACHABLE();
}

void k8s_delete_start(struct k8s_delete *d, struct op *parent)
{
    d->state = DELETE_BEGIN;
    d->tries = 0;
    op_start(&d->op, parent, delete_step, "delete");
}

void k8s_delete_clear(struct k8s_delete *d)
{
    RD_ASSERT(!op_running(&d->op));
    k8s_call_clear(&d->call);
    k8s_watch_clear(&d->watch);
    rd_err_free(op_take_err(&d->pause.op));
    rd_err_free(op_take_err(&d->op));
    rd_freep(&d->ns);
    rd_freep(&d->name);
    rd_freep(&d->uid);
    rd_freep(&d->last_text);
    json_decref(d->last);
    memset(d, 0, sizeof(*d));
}
