/* Config Connector's reconcilers: one pass looks at an object and the resource it stands for, and
 * does at most one thing about it. Reasons and messages as reference sections 4 and 8 have them. */
#include "ctl_cc.h"

#include "chain.h"
#include "ops.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKOFF_MIN_MS = 250,
    BACKOFF_MAX_MS = 120 * 1000,
    RESYNC_MS = 600 * 1000,
    POLL_MIN_MS = 200,
    POLL_MAX_MS = 2000,
    DEFENDER_MS = 800,
};

static void pass(struct cc_item *i);

static void pass_clear(struct cc_item *i)
{
    json_decref(i->object);
    json_decref(i->refs);
    json_decref(i->live);
    free(i->plan.get);
    free(i->plan.create);
    free(i->plan.update);
    free(i->plan.remove);
    json_decref(i->plan.create_body);
    json_decref(i->plan.update_body);
    i->plan = (struct cc_plan){0};
    i->object = i->refs = i->live = NULL;
    rd_str_take(&i->principal, NULL);
    rd_str_take(&i->op_path, NULL);
    rd_str_take(&i->failure, NULL);
}

static void item_free(struct cc_item *i)
{
    emu_timer_stop(&i->timer);
    rd_list_remove(&i->node);
    pass_clear(i);
    free(i->seen);
    free(i->made);
    free(i->ns);
    free(i->name);
    free(i->resource);
    free(i);
}

void cc_items_drop(struct cc_world *w)
{
    rd_list_foreach_safe(it, tmp, &w->items)
    {
        struct cc_item *i = container_of(it, struct cc_item, node);
        i->w = NULL;
        emu_timer_stop(&i->timer);
        if (i->calling)
            rd_list_remove(&i->node);
        else
            item_free(i);
    }
}

static void on_timer(struct emu_timer *t)
{
    struct cc_item *i = container_of(t, struct cc_item, timer);
    if (!i->busy)
        pass(i);
}

static void wake(struct cc_item *i, uint64_t delay_ms)
{
    if (i->busy)
        i->again = true;
    else
        emu_timer_start(&i->w->e->clock, &i->timer, delay_ms, on_timer);
}

void cc_end(struct cc_item *i, uint64_t again_ms)
{
    i->busy = false;
    pass_clear(i);
    wake(i, i->again ? 0 : again_ms);
    i->again = false;
}

void cc_back_off(struct cc_item *i)
{
    unsigned shift = i->fails < 10 ? i->fails : 10;
    uint64_t ms = (uint64_t)BACKOFF_MIN_MS << shift;
    i->fails++;
    cc_end(i, ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms);
}

/* ---- Small reads ---- */
const char *cc_annotation(const json_t *object, const char *key)
{
    RD_AUTOFREE char *full = rd_asprintf(CC_PREFIX "%s", key);
    return rd_json_str(object, "metadata", "annotations", full, NULL);
}

const char *cc_project(const struct cc_item *i)
{
    const char *project = cc_annotation(i->object, "project-id");
    const char *ref = rd_json_path_str(i->object, "spec.projectRef.external");
    if (ref != NULL)
        return rd_starts_with(ref, "projects/") ? ref + strlen("projects/") : ref;
    return project;
}

const char *cc_id(const struct cc_item *i)
{
    const char *id = rd_json_path_str(i->object, "spec.resourceID");
    return id == NULL ? i->name : id;
}

const char *cc_text(const struct cc_item *i, const char *path)
{
    return rd_json_path_str(json_object_get(i->object, "spec"), path);
}

const char *cc_ref_text(const struct cc_item *i, const char *path)
{
    return rd_json_str(i->refs, path, NULL);
}

char *cc_error(int status, const json_t *body)
{
    if (status == 0) /* as Go's HTTP client says it */
        return rd_strdup("read tcp 10.8.0.5:43210->199.36.153.8:443: read: connection reset by peer");
    const json_t *error = json_object_get(body, "error");
    const char *message = rd_json_str(error, "message", NULL);
    const char *reason =
        rd_json_str(json_array_get(json_object_get(error, "errors"), 0), "reason", NULL);
    const json_t *details = json_object_get(error, "details");
    RD_AUTOFREE char *more = json_array_size(details) == 0 ? NULL : json_dumps(details, JSON_INDENT(2));
    return rd_asprintf("googleapi: Error %d: %s%s%s%s%s", status,
                       message == NULL ? "no text" : message, more == NULL ? "" : "\nDetails:\n",
                       more == NULL ? "" : more, reason == NULL ? "" : ", ",
                       reason == NULL ? "" : reason);
}

/* ---- Writing status ---- */
void cc_say(struct cc_item *i, bool ready, const char *reason, const char *message,
            json_t *take_extra)
{
    struct cc_world *w = i->w;
    RD_AUTOJSON json_t *extra = take_extra;
    const json_t *now = kube_get(w->c, i->resource, i->ns, i->name);
    if (now == NULL)
        return;
    json_t *status = json_deep_copy(json_object_get(now, "status"));
    if (status == NULL)
        status = json_object();
    if (extra != NULL)
        json_object_update(status, extra);
    bool news = ctl_condition(status, "Ready", ready ? "True" : "False", reason, message);
    if (!rd_streq(reason, "Unmanaged"))
        json_object_set_new(status, "observedGeneration", json_integer(i->generation));
    kube_merge(w->c, rd_streq(reason, "Unmanaged") ? "cnrm-unmanaged-detector" : CC_MANAGER,
               i->resource, i->ns, i->name, rd_json_pack("{s:o}", "status", status));
    now = kube_get(w->c, i->resource, i->ns, i->name);
    if (news && now != NULL) {
        bool calm = ready || rd_streq(reason, "Updating") || rd_streq(reason, "Deleting") ||
                    rd_streq(reason, "Deleted");
        RD_AUTOFREE char *component = rd_asprintf("%s-controller", i->kind->plural);
        kube_event(w->c, component, now, calm ? "Normal" : "Warning", reason, "%s", message);
    }
}

void cc_fail(struct cc_item *i, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    RD_AUTOFREE char *message = rd_asprintf("Update call failed: %s", text);
    cc_say(i, false, "UpdateFailed", message, NULL);
    cc_back_off(i);
}

void cc_delete_failed(struct cc_item *i, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    RD_AUTOFREE char *message = rd_asprintf("Delete call failed: error deleting resource: %s", text);
    cc_say(i, false, "DeleteFailed", message, NULL);
    cc_back_off(i);
}

void cc_ready(struct cc_item *i, const json_t *live)
{
    json_t *extra = json_object();
    if (live != NULL && i->kind->status != NULL)
        i->kind->status(i, live, extra);
    cc_say(i, true, "UpToDate", "The resource is up to date", extra);
    i->fails = 0;
    /* Who waits for Ready waits for what it takes the controller to say so, too. */
    if (i->made != NULL)
        emu_chain_took(i->w->e, i->made, emu_clock_now(&i->w->e->clock) - i->made_ms);
    const json_t *now = kube_get(i->w->c, i->resource, i->ns, i->name);
    /* It writes the name back, which moves the generation and makes one more pass. */
    if (now != NULL && rd_json_path_str(now, "spec.resourceID") == NULL && i->kind->plan != NULL)
        kube_merge(i->w->c, CC_MANAGER, i->resource, i->ns, i->name,
                   rd_json_pack("{s:{s:s}}", "spec", "resourceID", cc_id(i)));
    else
        rd_freep(&i->made);
    const char *interval = cc_annotation(i->object, "reconcile-interval-in-seconds");
    long every_s = interval == NULL ? -1 : strtol(interval, NULL, 10);
    cc_end(i, every_s == 0  ? RD_BUF_UNBOUNDED
              : every_s > 0 ? (uint64_t)every_s * 1000
                            : emu_jitter(i->w->e, RESYNC_MS, 50));
}

void cc_hold(struct cc_item *i)
{
    const json_t *now = kube_get(i->w->c, i->resource, i->ns, i->name);
    if (now == NULL || ctl_has_finalizer(now, CC_FINALIZER))
        return;
    json_t *list = ctl_finalizers_without(now, CC_FINALIZER);
    json_array_append_new(list, json_string(CC_FINALIZER));
    if (!ctl_has_finalizer(now, CC_DEFENDER))
        json_array_append_new(list, json_string(CC_DEFENDER));
    kube_merge(i->w->c, CC_MANAGER, i->resource, i->ns, i->name,
               rd_json_pack("{s:{s:o}}", "metadata", "finalizers", list));
}

static void drop_finalizer(struct cc_item *i, const char *finalizer)
{
    const json_t *now = kube_get(i->w->c, i->resource, i->ns, i->name);
    if (now != NULL && ctl_has_finalizer(now, finalizer))
        kube_merge(i->w->c, CC_MANAGER, i->resource, i->ns, i->name,
                   rd_json_pack("{s:{s:o}}", "metadata", "finalizers",
                                ctl_finalizers_without(now, finalizer)));
}

void cc_gone(struct cc_item *i)
{
    cc_say(i, false, "Deleted", "Successfully deleted", NULL);
    drop_finalizer(i, CC_FINALIZER);
    cc_end(i, RESYNC_MS);
}

/* ---- Calls and operations ---- */
void cc_answered(struct cc_item *i, int status, const json_t *body)
{
    i->calling = false;
    if (i->w == NULL)
        item_free(i);
    else
        i->next(i, status, body);
}

static void on_answer(int status, json_t *body, void *arg)
{
    cc_answered(arg, status, body);
}

void cc_call(struct cc_item *i, const char *method, const char *path, json_t *take_body,
             void (*next)(struct cc_item *, int, const json_t *))
{
    i->calling = true;
    i->next = next;
    emu_call(i->w->e, i->kind->api, i->principal, method, path, take_body, on_answer, i);
}

static void poll_op(struct cc_item *i);

static void on_poll(struct emu_timer *t)
{
    poll_op(container_of(t, struct cc_item, timer));
}

/* The last poll is not late: what a pause would cost is no modelled latency (chain.h). */
static void poll_later(struct cc_item *i)
{
    const struct gcp_op *op = gcp_op_at(i->w->e, i->op_path);
    uint64_t now_ms = emu_clock_now(&i->w->e->clock), ms = POLL_MAX_MS;
    if (op == NULL)
        ms = POLL_MIN_MS;
    else if (op->timer.due_ms < now_ms + ms)
        ms = op->timer.due_ms > now_ms ? op->timer.due_ms - now_ms : 0;
    emu_timer_start(&i->w->e->clock, &i->timer, ms, on_poll);
}

/* What an operation ended with; owned, NULL: well. */
static char *op_failure(const json_t *op)
{
    const json_t *error = json_object_get(op, "error");
    const json_t *first = json_array_get(json_object_get(error, "errors"), 0);
    if (error == NULL)
        return NULL;
    if (first != NULL)
        return rd_asprintf("%s: %s", rd_json_str(first, "code", NULL),
                           rd_json_str(first, "message", NULL));
    const char *message = rd_json_str(error, "message", NULL);
    return rd_strdup(message == NULL ? "unknown error" : message);
}

static void polled(struct cc_item *i, int status, const json_t *body)
{
    if (status != 200) {
        poll_op(i);
        return;
    }
    bool done = rd_streq(rd_json_str(body, "status", NULL), "DONE") ||
                rd_json_path_bool(body, "done", false);
    if (!done) {
        poll_later(i);
        return;
    }
    RD_AUTOFREE char *failure = op_failure(body);
    i->then(i, failure);
}

static void poll_op(struct cc_item *i)
{
    cc_call(i, "GET", i->op_path, NULL, polled);
}

void cc_wait(struct cc_item *i, const json_t *body, void (*then)(struct cc_item *, const char *))
{
    const char *name = rd_json_str(body, "name", NULL);
    const char *link = rd_json_str(body, "selfLink", NULL);
    i->then = then;
    if (rd_streq(i->kind->api, "compute"))
        rd_str_take(&i->op_path, rd_asprintf("/compute/v1/%s", strstr(link, "projects/")));
    else if (rd_streq(i->kind->api, "container"))
        rd_str_take(&i->op_path, rd_asprintf("/v1/projects/%s/locations/%s/operations/%s",
                                             cc_project(i), cc_text(i, "location"), name));
    else
        rd_str_take(&i->op_path, rd_asprintf("/v1/%s", name));
    poll_later(i);
}

/* ---- References ---- */
static void say_dependency(struct cc_item *i, const char *reason, const char *kind, const char *ns,
                           const char *name, const char *word)
{
    RD_AUTOFREE char *message = rd_asprintf("reference %s %s/%s is not %s", kind, ns, name, word);
    cc_say(i, false, reason, message, NULL);
    i->waiting = true;
    cc_end(i, emu_jitter(i->w->e, RESYNC_MS, 50));
}

static json_t *ref_at(const struct cc_item *i, const char *path)
{
    json_t *spec = json_object_get(i->object, "spec");
    if (rd_starts_with(path, "networks."))
        return json_object_get(json_array_get(json_object_get(spec, "networks"), 0),
                               path + strlen("networks."));
    return rd_json_path(spec, path);
}

/* Text for one reference into i->refs; false: said why not, and the pass is over. */
static bool resolve(struct cc_item *i, const struct cc_ref *r)
{
    const json_t *ref = ref_at(i, r->path);
    const char *external = rd_json_str(ref, "external", NULL);
    const char *name = rd_json_str(ref, "name", NULL);
    if (external != NULL)
        json_object_set_new(i->refs, r->path, json_string(external));
    if (external != NULL || name == NULL)
        return true;
    const char *ns = rd_json_str(ref, "namespace", NULL);
    ns = ns == NULL ? i->ns : ns;
    const struct cc_kind *k = NULL;
    for (size_t n = 0; n < cc_kinds_len && k == NULL; n++) {
        RD_AUTOFREE char *resource = cc_resource(&cc_kinds[n]);
        if (r->resource == NULL ? rd_streq(cc_kinds[n].kind, rd_json_str(ref, "kind", NULL))
                                : rd_streq(resource, r->resource))
            k = &cc_kinds[n];
    }
    if (k == NULL) {
        cc_fail(i, "error resolving resource reference: no match for kind \"%s\"",
                rd_json_str(ref, "kind", NULL));
        return false;
    }
    RD_AUTOFREE char *resource = cc_resource(k);
    const json_t *target = kube_get(i->w->c, resource, ns, name);
    if (target == NULL) {
        say_dependency(i, "DependencyNotFound", k->kind, ns, name, "found");
        return false;
    }
    if (!ctl_condition_true(target, "Ready")) {
        say_dependency(i, "DependencyNotReady", k->kind, ns, name, "ready");
        return false;
    }
    const char *value = r->value == NULL ? NULL : rd_json_path_str(target, r->value);
    const char *id = rd_json_path_str(target, "spec.resourceID");
    json_object_set_new(i->refs, r->path,
                        json_string(value != NULL ? value : id != NULL ? id : name));
    return true;
}

static bool resolve_all(struct cc_item *i)
{
    i->refs = json_object();
    for (size_t n = 0; n < RD_ARRAY_LEN(i->kind->refs) && i->kind->refs[n].path != NULL; n++) {
        if (!resolve(i, &i->kind->refs[n]))
            return false;
    }
    return true;
}

/* ---- Apply ---- */
static void send_reread(struct cc_item *i);

static void on_reread(struct emu_timer *t)
{
    send_reread(container_of(t, struct cc_item, timer));
}

static void reread(struct cc_item *i, int status, const json_t *body)
{
    if (status == 404 && i->tries++ < 20) { /* not seen everywhere yet */
        emu_timer_start(&i->w->e->clock, &i->timer, 500, on_reread);
        return;
    }
    if (status != 200) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_fail(i, "error fetching live state: error reading underlying resource: summary: %s",
                text);
        return;
    }
    cc_ready(i, body);
}

static void send_reread(struct cc_item *i)
{
    cc_call(i, "GET", i->plan.get, NULL, reread);
}

void cc_read_again(struct cc_item *i, const char *failure)
{
    if (failure != NULL) {
        cc_fail(i, "error applying desired state: %sError waiting to update %s: %s",
                i->kind->dcl ? "" : "summary: ", i->kind->what, failure);
        return;
    }
    i->tries = 0;
    send_reread(i);
}

/* The provider removes what it could not make, says so, and then it all begins anew. */
static void cleaned(struct cc_item *i, const char *failure)
{
    (void)failure;
    cc_fail(i, "error applying desired state: %s", i->failure);
}

static void clean_sent(struct cc_item *i, int status, const json_t *body)
{
    if (status == 200)
        cc_wait(i, body, cleaned);
    else
        cleaned(i, NULL);
}

static void created(struct cc_item *i, const char *failure)
{
    if (failure == NULL) {
        cc_after_create(i);
        return;
    }
    const char *form =
        rd_streq(i->kind->api, "container") ? "waiting for creating GKE" : "waiting to create";
    rd_str_take(&i->failure, rd_asprintf("%sError %s %s: %s", i->kind->dcl ? "" : "summary: ", form,
                                         i->kind->what, failure));
    if (rd_streq(i->kind->api, "container"))
        cc_call(i, "DELETE", i->plan.remove, NULL, clean_sent);
    else
        cleaned(i, NULL);
}

static void send_create(struct cc_item *i);

static void on_send_again(struct emu_timer *t)
{
    send_create(container_of(t, struct cc_item, timer));
}

static bool is_operation(const struct cc_item *i, const json_t *body)
{
    return rd_streq(i->kind->api, "file") || rd_streq(i->kind->api, "artifactregistry") ||
           rd_streq(rd_json_str(body, "kind", NULL), "compute#operation") ||
           rd_json_str(body, "operationType", NULL) != NULL;
}

/* Another operation on the cluster: asked again inside one Apply for up to 30 minutes, the state
 * stays Updating. */
static bool is_busy(const struct cc_item *i, int status, const json_t *body)
{
    const char *word = rd_json_path_str(body, "error.status");
    return rd_streq(i->kind->api, "container") &&
           ((status == 400 && rd_streq(word, "FAILED_PRECONDITION")) || status == 429);
}

static void create_sent(struct cc_item *i, int status, const json_t *body)
{
    if (is_busy(i, status, body)) {
        emu_timer_start(&i->w->e->clock, &i->timer, 1000, on_send_again);
        return;
    }
    if (status / 100 != 2) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_fail(i, "error applying desired state: %s%s%s%s%s", i->kind->dcl ? "" : "summary: ",
                i->kind->dcl ? "" : "Error creating ", i->kind->dcl ? "" : i->kind->what,
                i->kind->dcl ? "" : ": ", text);
    } else if (is_operation(i, body)) {
        cc_wait(i, body, created);
        const struct gcp_op *op = gcp_op_at(i->w->e, i->op_path);
        rd_str_dup(&i->made, op == NULL ? NULL : op->target);
        i->made_ms = emu_clock_now(&i->w->e->clock);
    } else {
        created(i, NULL);
    }
}

static void send_create(struct cc_item *i)
{
    cc_call(i, i->plan.create_method, i->plan.create, json_incref(i->plan.create_body),
            create_sent);
}

static void send_update(struct cc_item *i);

static void on_update_again(struct emu_timer *t)
{
    send_update(container_of(t, struct cc_item, timer));
}

static void update_sent(struct cc_item *i, int status, const json_t *body)
{
    if (is_busy(i, status, body)) {
        emu_timer_start(&i->w->e->clock, &i->timer, 1000, on_update_again);
    } else if (status / 100 != 2) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_fail(i, "error applying desired state: %s%s", i->kind->dcl ? "" : "summary: ", text);
    } else if (is_operation(i, body) && rd_json_str(body, "@type", NULL) == NULL &&
               (!rd_streq(i->kind->api, "artifactregistry"))) {
        cc_wait(i, body, cc_read_again);
    } else {
        cc_read_again(i, NULL);
    }
}

static void send_update(struct cc_item *i)
{
    cc_call(i, i->plan.update_method, i->plan.update, json_incref(i->plan.update_body),
            update_sent);
}

static bool pool_busy(const json_t *live)
{
    const char *status = rd_json_str(live, "status", NULL);
    return rd_streq(status, "PROVISIONING") || rd_streq(status, "RECONCILING");
}

static void looked(struct cc_item *i, int status, const json_t *body)
{
    if (status == 404) {
        i->kind->plan(i, NULL, &i->plan);
        cc_hold(i);
        cc_say(i, false, "Updating", "Update in progress", NULL);
        send_create(i);
        return;
    }
    if (status != 200) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_fail(i,
                "error fetching live state: error reading underlying resource: %sError when "
                "reading or editing %s \"%s\": %s",
                i->kind->dcl ? "" : "summary: ", i->kind->what, i->plan.get, text);
        return;
    }
    if (rd_streq(i->kind->kind, "ContainerCluster")) {
        bool at_fault = rd_streq(rd_json_str(body, "status", NULL), "ERROR");
        bool removes = rd_streq(cc_annotation(i->object, "remove-default-node-pool"), "true");
        bool allows = rd_streq(
            cc_annotation(i->object, "remove-default-node-pool-allow-node-config"), "true");
        if (at_fault) {
            cc_fail(i,
                    "error fetching live state: error reading underlying resource: summary: "
                    "Cluster \"%s\" has status \"ERROR\" with message \"%s\"",
                    cc_id(i), rd_json_str(body, "statusMessage", NULL));
            return;
        }
        if (removes && rd_json_path(i->object, "spec.nodeConfig") != NULL &&
            !(allows && cc_at_least(i->w, "1.152.0"))) {
            cc_fail(i, "error calculating diff: 1 error occurred:\n\t* node_version can only be "
                       "specified if remove_default_node_pool is not true");
            return;
        }
        if (pool_busy(body)) { /* adopted while it is being made: the provider waits */
            cc_end(i, 5000);
            return;
        }
    }
    i->live = json_deep_copy(body);
    i->kind->plan(i, i->live, &i->plan);
    cc_hold(i);
    if (i->plan.update_body == NULL) {
        cc_ready(i, i->live);
        return;
    }
    cc_say(i, false, "Updating", "Update in progress", NULL);
    send_update(i);
}

/* ---- Delete ---- */
static void removed(struct cc_item *i, const char *failure)
{
    if (failure != NULL)
        cc_delete_failed(i, "summary: Error waiting for deleting %s: %s", i->kind->what, failure);
    else
        cc_gone(i);
}

static void send_remove(struct cc_item *i);

static void on_remove_again(struct emu_timer *t)
{
    send_remove(container_of(t, struct cc_item, timer));
}

static void remove_sent(struct cc_item *i, int status, const json_t *body)
{
    bool busy = rd_streq(i->kind->api, "container") && status == 400 &&
                rd_streq(rd_json_path_str(body, "error.status"), "FAILED_PRECONDITION");
    if (busy && i->tries++ < 30) { /* the provider asks for half a minute before it complains */
        emu_timer_start(&i->w->e->clock, &i->timer, 1000, on_remove_again);
    } else if (status == 404) {
        cc_gone(i);
    } else if (status / 100 != 2) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_delete_failed(i, "%sError when deleting %s \"%s\": %s", i->kind->dcl ? "" : "summary: ",
                         i->kind->what, cc_id(i), text);
    } else if (body != NULL && is_operation(i, body)) {
        cc_wait(i, body, removed);
    } else {
        cc_gone(i);
    }
}

static void send_remove(struct cc_item *i)
{
    bool nat = i->plan.update_body != NULL && rd_streq(i->kind->kind, "ComputeRouterNAT");
    if (nat)
        cc_call(i, "PATCH", i->plan.remove, json_incref(i->plan.update_body), remove_sent);
    else
        cc_call(i, "DELETE", i->plan.remove, NULL, remove_sent);
}

static void looked_before_delete(struct cc_item *i, int status, const json_t *body)
{
    if (status == 404) {
        cc_gone(i);
        return;
    }
    if (status != 200) {
        RD_AUTOFREE char *text = cc_error(status, body);
        cc_delete_failed(i, "%s", text);
        return;
    }
    i->live = json_deep_copy(body);
    i->kind->plan(i, i->live, &i->plan);
    cc_say(i, false, "Deleting", "Deletion in progress", NULL);
    i->tries = 0;
    cc_before_delete(i, send_remove);
}

/* The parent's own deletion takes the child along; true: nothing more to do in this pass. */
static bool leave_to_parent(struct cc_item *i)
{
    for (size_t n = 0; n < RD_ARRAY_LEN(i->kind->refs) && i->kind->refs[n].path != NULL; n++) {
        const struct cc_ref *r = &i->kind->refs[n];
        const json_t *ref = r->parent ? ref_at(i, r->path) : NULL;
        const char *name = rd_json_str(ref, "name", NULL);
        if (name == NULL)
            continue;
        const json_t *parent = kube_get(i->w->c, r->resource, i->ns, name);
        if (parent == NULL) {
            cc_gone(i);
            return true;
        }
        const char *reason = rd_json_str(rd_json_condition(parent, "Ready"), "reason", NULL);
        bool in_use = rd_streq(reason, "DeleteFailed");
        if (!ctl_condition_true(parent, "Ready") && !in_use) {
            say_dependency(i, "DependencyNotReady", rd_json_str(parent, "kind", NULL), i->ns, name,
                           "ready");
            return true;
        }
    }
    return false;
}

/* For deletion a reference that is gone or not ready still has a name. */
static void resolve_anyhow(struct cc_item *i)
{
    i->refs = json_object();
    for (size_t n = 0; n < RD_ARRAY_LEN(i->kind->refs) && i->kind->refs[n].path != NULL; n++) {
        const struct cc_ref *r = &i->kind->refs[n];
        const json_t *ref = ref_at(i, r->path);
        const char *name = rd_json_str(ref, "name", NULL);
        const char *external = rd_json_str(ref, "external", NULL);
        const json_t *target =
            r->resource == NULL || name == NULL ? NULL : kube_get(i->w->c, r->resource, i->ns, name);
        const char *value = r->value == NULL ? NULL : rd_json_path_str(target, r->value);
        const char *text = external != NULL ? external : value != NULL ? value : name;
        if (text != NULL)
            json_object_set_new(i->refs, r->path, json_string(text));
    }
}

static void begin_delete(struct cc_item *i)
{
    struct cc_world *w = i->w;
    if (!ctl_has_finalizer(i->object, CC_FINALIZER)) {
        drop_finalizer(i, CC_DEFENDER);
        cc_end(i, RESYNC_MS);
        return;
    }
    if (ctl_has_finalizer(i->object, CC_DEFENDER)) {
        RD_AUTOJSON json_t *defenders = kube_list(
            w->c, "statefulsets.apps", CC_SYSTEM, NULL);
        size_t n;
        json_t *s;
        bool runs = false;
        json_array_foreach (defenders, n, s)
            runs = runs || (rd_streq(ctl_name(s), "cnrm-deletiondefender") &&
                            rd_json_path_int(s, "status.readyReplicas", 0) > 0);
        const json_t *crd =
            kube_get(w->c, "customresourcedefinitions.apiextensions.k8s.io", NULL, i->resource);
        bool abandons = crd == NULL || ctl_deleting(crd);
        if (runs) {
            if (abandons)
                drop_finalizer(i, CC_FINALIZER);
            drop_finalizer(i, CC_DEFENDER);
        }
        cc_end(i, DEFENDER_MS);
        return;
    }
    if (rd_streq(cc_annotation(i->object, "deletion-policy"), "abandon")) {
        cc_gone(i);
        return;
    }
    resolve_anyhow(i);
    if (leave_to_parent(i))
        return;
    if (rd_streq(i->kind->kind, "IAMPolicyMember")) {
        cc_member_remove(i);
        return;
    }
    i->kind->plan(i, NULL, &i->plan);
    cc_call(i, "GET", i->plan.get, NULL, looked_before_delete);
}

/* ---- A pass ---- */
static bool take_identity(struct cc_item *i)
{
    struct cc_world *w = i->w;
    const char *account = cc_account_of(w, i->ns);
    RD_AUTOFREE char *sa =
        rd_asprintf("projects/%s/serviceAccounts/%s", w->e->project, account);
    RD_AUTOFREE char *ksa = rd_asprintf("serviceAccount:%s.svc.id.goog[" CC_SYSTEM
                                        "/cnrm-controller-manager-%s]",
                                        w->e->project, i->ns);
    i->principal = rd_asprintf("serviceAccount:%s", account);
    if (cc_may_act_as(w, ksa, sa))
        return true;
    RD_AUTOFREE char *text = rd_asprintf(
        "error fetching live state: error reading underlying resource: summary: Error when reading "
        "or editing %s: Get \"https://%s.googleapis.com/\": compute: Received 403 `Unable to "
        "generate access token; IAM returned 403 Forbidden: Permission "
        "'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).`",
        i->kind->what, i->kind->api);
    if (ctl_deleting(i->object))
        cc_delete_failed(i, "%s", text);
    else
        cc_fail(i, "%s", text);
    return false;
}

static void pass(struct cc_item *i)
{
    struct cc_world *w = i->w;
    const json_t *now = kube_get(w->c, i->resource, i->ns, i->name);
    if (now == NULL) {
        item_free(i);
        return;
    }
    i->busy = true;
    i->waiting = false;
    i->object = json_deep_copy(now);
    i->generation = rd_json_path_int(now, "metadata.generation", 1);
    if (cc_account_of(w, i->ns) == NULL) {
        RD_AUTOFREE char *message =
            rd_asprintf("No controller is managing this resource. Check if a "
                        "ConfigConnectorContext exists for resource's namespace, '%s'",
                        i->ns);
        cc_say(i, false, "Unmanaged", message, NULL);
        cc_end(i, RESYNC_MS);
        return;
    }
    if (!cc_manager_runs(w, i->ns)) {
        cc_end(i, 2000);
        return;
    }
    /* Deleted before anything was made: there is nothing to ask Google about. */
    bool untouched = ctl_deleting(now) && !ctl_has_finalizer(now, CC_FINALIZER);
    if (!untouched && !take_identity(i))
        return;
    if (ctl_deleting(now)) {
        begin_delete(i);
        return;
    }
    if (cc_project(i) == NULL) {
        cc_fail(i, "error fetching live state: no value found for annotation " CC_PREFIX
                   "project-id");
        return;
    }
    if (!resolve_all(i))
        return;
    if (rd_streq(i->kind->kind, "IAMPolicyMember")) {
        cc_member_apply(i);
        return;
    }
    i->kind->plan(i, NULL, &i->plan);
    cc_call(i, "GET", i->plan.get, NULL, looked);
}

/* ---- Being told ---- */
static char *what_matters(const json_t *object)
{
    json_t *o = rd_json_pack("{s:I, s:b, s:b}", "g", rd_json_path_int(object, "metadata.generation", 1),
                             "d", ctl_deleting(object), "f", ctl_has_finalizer(object, CC_DEFENDER));
    static const char *const maps[] = {"labels", "annotations"};
    for (size_t n = 0; n < RD_ARRAY_LEN(maps); n++) {
        json_t *map = rd_json_get(object, "metadata", maps[n], NULL);
        if (map != NULL)
            json_object_set(o, maps[n], map);
    }
    char *text = rd_json_dump(o);
    json_decref(o);
    return text;
}

void cc_wake_waiting(struct cc_world *w)
{
    rd_list_foreach (it, &w->items) {
        struct cc_item *i = container_of(it, struct cc_item, node);
        if (i->waiting)
            wake(i, 0);
    }
}

void cc_wake_namespace(struct cc_world *w, const char *ns)
{
    rd_list_foreach (it, &w->items) {
        struct cc_item *i = container_of(it, struct cc_item, node);
        if (rd_streq(i->ns, ns))
            wake(i, 0);
    }
}

void cc_item_told(struct cc_world *w, const struct cc_kind *k, enum kube_change change,
                  const json_t *object)
{
    struct cc_item *i = NULL;
    rd_list_foreach (it, &w->items) {
        struct cc_item *known = container_of(it, struct cc_item, node);
        if (known->kind == k && rd_streq(known->name, ctl_name(object)) &&
            rd_streq(known->ns, ctl_ns(object)))
            i = known;
    }
    if (change == KUBE_DELETED) {
        cc_wake_waiting(w);
        if (i != NULL)
            wake(i, 0); /* the pass finds nothing, or the object that came after */
        return;
    }
    if (i == NULL) {
        i = rd_calloc(1, sizeof(*i));
        i->w = w;
        i->kind = k;
        i->ns = rd_strdup(ctl_ns(object));
        i->name = rd_strdup(ctl_name(object));
        i->resource = cc_resource(k);
        rd_list_append(&w->items, &i->node);
    }
    if (ctl_condition_true(object, "Ready") || ctl_deleting(object))
        cc_wake_waiting(w);
    char *now = what_matters(object);
    bool news = !rd_streq(now, i->seen);
    rd_str_take(&i->seen, now);
    if (news) {
        i->fails = 0;
        wake(i, 50);
    }
}
