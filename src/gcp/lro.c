#include "gcp/lro.h"

#include "base/alloc.h"
#include "base/text.h"
#include "gcp/internal.h"

#include <stdlib.h>
#include <string.h>

enum lro_state {
    LRO_BEGIN,
    LRO_POSTED,  /* the change is on its way */
    LRO_PAUSE,   /* before a poll */
    LRO_POLLED,  /* asked */
    LRO_BLOCKED, /* another operation holds the cluster: pause before asking for it */
    LRO_BLOCKER, /* asked for that one */
};

#define POLL_MIN_MS 100
#define POLL_MAX_MS 15000
#define BUSY_MS (60 * 60000)
#define LOST_MAX 10 /* answers 404 in a row before we believe that it is gone */

uint64_t gcp_poll_pause_ms(uint64_t waited_ms)
{
    uint64_t pause = waited_ms / 100;
    return pause < POLL_MIN_MS ? POLL_MIN_MS : pause > POLL_MAX_MS ? POLL_MAX_MS : pause;
}

/* ---- Judging ---- */

static bool has_errors(const json_t *error)
{
    return json_object_size(error) > 0 &&
           (json_object_get(error, "message") != NULL || json_object_get(error, "code") != NULL ||
            json_array_size(json_object_get(error, "errors")) > 0);
}

bool gcp_lro_done(enum gcp_api api, const json_t *o, const char *what, struct gcp_fault *fault,
                  struct rd_err **ret_err)
{
    memset(fault, 0, sizeof *fault);
    const json_t *error = json_object_get(o, "error");
    bool by_status = api == GCP_CONTAINER || api == GCP_COMPUTE;
    const char *status = json_string_value(json_object_get(o, "status"));
    if (by_status ? !rd_streq(status, "DONE") : !json_is_true(json_object_get(o, "done"))) {
        const char *name = json_string_value(json_object_get(o, "name"));
        /* Nothing had to be done: it cannot be asked for, either. */
        return !by_status && name != NULL && rd_ends_with(name, "noop.DONE_OPERATION");
    }
    if (has_errors(error)) {
        long http = (long)rd_json_path_int(o, "httpErrorStatusCode", 0);
        *ret_err = gcp_decode_status(error, http, what, fault);
        return true;
    }
    /* Older GKE operations say it here only. */
    const char *message = json_string_value(json_object_get(o, "statusMessage"));
    if (api == GCP_CONTAINER && message != NULL && *message != '\0') {
        RD_AUTOJSON json_t *made = rd_json_pack("{s:s}", "message", message);
        *ret_err = gcp_decode_status(made, 0, what, fault);
    }
    return true;
}

/* ---- Where to ask ---- */

static const char *last_segment(const char *url)
{
    const char *slash = url != NULL ? strrchr(url, '/') : NULL;
    return slash != NULL ? slash + 1 : url;
}

/* Never from selfLink: GKE's has the project's number and a zone where it should not. */
static void operation_url(const struct gcp_lro *l, const char *name, struct http_url *u)
{
    const struct gcp_client *c = l->call.client;
    gcp_url(u, c, l->call.api);
    if (l->call.api == GCP_CONTAINER) {
        gcp_url_segs(u, "", "projects", l->project, "locations", l->location, "operations", name,
                     NULL);
    } else if (l->call.api == GCP_COMPUTE) {
        gcp_url_segs(u, "", "projects", l->project, NULL);
        rd_buf_printf(&u->buf, "/%s", l->location); /* "global", "regions/r", "zones/z": ours */
        gcp_url_segs(u, "", "operations", name, NULL);
    } else {
        struct rd_strv parts = {0};
        rd_strv_split(&parts, name, "/");
        for (size_t i = 0; i < parts.len; i++)
            http_url_seg(u, parts.v[i]);
        rd_strv_clear(&parts);
    }
}

static const char *what_of(const struct gcp_lro *l)
{
    return l->call.what != NULL ? l->call.what : l->name != NULL ? l->name : "operation";
}

static void ask(struct gcp_lro *l, const char *name, enum lro_state state)
{
    struct http_url u;
    operation_url(l, name, &u);
    gcp_call_init(&l->poll, l->call.client, l->call.api, "GET", http_url_str(&u));
    http_url_clear(&u);
    gcp_call_what(&l->poll, "%s", what_of(l));
    l->poll.no_quota_project = l->call.no_quota_project;
    l->state = state;
    gcp_call_start(&l->poll, &l->op);
}

static void pause_for(struct gcp_lro *l, uint64_t since_ms, enum lro_state state)
{
    l->state = state;
    uint64_t now = op_now_ms(&l->op);
    if (!op_timer_start(&l->pause, &l->op,
                        gcp_poll_pause_ms(now > since_ms ? now - since_ms : 0))) {
        struct rd_err *err = op_take_err(&l->pause.op);
        rd_err_wrap(err, "%s is not done", what_of(l));
        op_finish(&l->op, err);
    }
}

/* ---- Steps ---- */

/* The operation's state has come. */
static void take_operation(struct gcp_lro *l, const json_t *operation)
{
    json_t *copy = json_incref((json_t *)(uintptr_t)operation);
    json_decref(l->operation);
    l->operation = copy;
    const char *name = json_string_value(json_object_get(operation, "name"));
    if (name != NULL && l->name == NULL) {
        l->name = rd_strdup(name);
        const struct gcp_client *c = l->call.client;
        if (c->began != NULL)
            c->began(c->began_ctx, &l->op, name);
    }
    if (l->call.api == GCP_COMPUTE && l->location == NULL) {
        const char *zone = last_segment(json_string_value(json_object_get(operation, "zone")));
        const char *region = last_segment(json_string_value(json_object_get(operation, "region")));
        l->location = zone != NULL     ? rd_asprintf("zones/%s", zone)
                      : region != NULL ? rd_asprintf("regions/%s", region)
                                       : rd_strdup("global");
    }
    if (l->on_progress != NULL)
        l->on_progress(l, operation);
    struct rd_err *err = NULL;
    gcp_fault_clear(&l->fault);
    if (l->no_wait && l->name != NULL) {
        op_finish(&l->op, NULL);
        return;
    }
    if (gcp_lro_done(l->call.api, operation, what_of(l), &l->fault, &err)) {
        bool plain = l->call.api == GCP_CONTAINER || l->call.api == GCP_COMPUTE;
        json_t *result = plain ? l->operation : json_object_get(l->operation, "response");
        l->result = json_incref(result);
        op_finish(&l->op, err);
        return;
    }
    if (l->name == NULL) {
        err = rd_err_new(RD_ERR_FAILED, "%s: the answer is no operation", what_of(l));
        op_finish(&l->op, err);
        return;
    }
    pause_for(l, l->since_ms, LRO_PAUSE);
}

/* An answer that is the thing itself, not an operation, has nothing to wait for. */
static void posted(struct gcp_lro *l)
{
    struct rd_err *err = op_take_err(&l->call.op);
    if (err == NULL && l->call.result == NULL) {
        l->absent = true;
        op_finish(&l->op, NULL);
        return;
    }
    if (err == NULL) {
        l->since_ms = op_now_ms(&l->op);
        take_operation(l, l->call.result);
        return;
    }
    gcp_fault_clear(&l->fault);
    l->fault = l->call.fault;
    memset(&l->call.fault, 0, sizeof l->call.fault);
    bool busy = l->fault.situation == GCP_BUSY && l->call.api == GCP_CONTAINER;
    if (l->busy_since_ms == 0)
        l->busy_since_ms = op_now_ms(&l->op);
    if (!busy || op_now_ms(&l->op) - l->busy_since_ms > BUSY_MS) {
        op_finish(&l->op, err);
        return;
    }
    struct gcp_client *c = l->call.client;
    if (c->on_retry != NULL)
        c->on_retry(c->retry_ctx, err, gcp_poll_pause_ms(op_now_ms(&l->op) - l->busy_since_ms));
    rd_err_free(err);
    pause_for(l, l->busy_since_ms, LRO_BLOCKED);
}

static void polled(struct gcp_lro *l)
{
    struct rd_err *err = op_take_err(&l->poll.op);
    if (err == NULL) {
        l->lost = 0;
        take_operation(l, l->poll.result);
        return;
    }
    bool lost = l->poll.fault.situation == GCP_ABSENT;
    l->lost = lost ? l->lost + 1 : 0;
    /* Asking failed, not the operation: it goes on. */
    if ((rd_err_transient(err->kind) || lost) && l->lost < LOST_MAX) {
        rd_err_free(err);
        pause_for(l, l->since_ms, LRO_PAUSE);
        return;
    }
    rd_err_wrap(err, "its operation %s", l->name);
    op_finish(&l->op, err);
}

/* Whether the operation that holds the cluster goes on. */
static void blocker_asked(struct gcp_lro *l)
{
    struct rd_err *err = op_take_err(&l->poll.op);
    bool running = err == NULL &&
                   !rd_streq(json_string_value(json_object_get(l->poll.result, "status")), "DONE");
    rd_err_free(err); /* gone or unknown: the change itself tells */
    if (running) {
        pause_for(l, l->busy_since_ms, LRO_BLOCKED);
        return;
    }
    rd_str_take(&l->fault.operation, NULL);
    l->state = LRO_POSTED;
    gcp_call_start(&l->call, &l->op);
}

static void lro_step(struct op *op)
{
    struct gcp_lro *l = container_of(op, struct gcp_lro, op);
    if (op->cancelled) {
        struct rd_err *err = NULL;
        if (op->timed_out)
            err = rd_err_new(RD_ERR_TIMEOUT, "%s is not done in time", what_of(l));
        op_finish(op, err);
        return;
    }
    if (op_running(&l->call.op) || op_running(&l->poll.op) || op_running(&l->pause.op))
        return;
    switch (l->state) {
    case LRO_BEGIN:
        if (l->name != NULL) {
            ask(l, l->name, LRO_POLLED);
            return;
        }
        l->state = LRO_POSTED;
        l->call.not_found_ok = l->absent_ok;
        gcp_call_start(&l->call, op);
        return;
    case LRO_POSTED:
        posted(l);
        return;
    case LRO_PAUSE:
        ask(l, l->name, LRO_POLLED);
        return;
    case LRO_POLLED:
        polled(l);
        return;
    case LRO_BLOCKED:
        if (l->fault.operation != NULL && l->project != NULL && l->location != NULL) {
            ask(l, l->fault.operation, LRO_BLOCKER);
            return;
        }
        l->state = LRO_POSTED;
        gcp_call_start(&l->call, op);
        return;
    case LRO_BLOCKER:
        blocker_asked(l);
        return;
    default:
        RD_UNREACHABLE();
    }
}

static void start(struct gcp_lro *l, struct op *parent)
{
    l->state = LRO_BEGIN;
    l->busy_since_ms = 0;
    l->lost = 0;
    l->absent = false;
    json_decref(l->operation);
    json_decref(l->result);
    l->operation = l->result = NULL;
    gcp_fault_clear(&l->fault);
    op_start(&l->op, parent, lro_step, "google operation");
    l->since_ms = op_now_ms(&l->op);
}

void gcp_lro_start(struct gcp_lro *l, struct op *parent)
{
    rd_str_take(&l->name, NULL);
    start(l, parent);
}

void gcp_lro_wait(struct gcp_lro *l, struct op *parent, struct gcp_client *c, enum gcp_api api,
                  const char *name, const char *what)
{
    struct http_url u;
    gcp_url(&u, c, api);
    gcp_call_init(&l->call, c, api, "GET", http_url_str(&u));
    http_url_clear(&u);
    gcp_call_what(&l->call, "%s", what);
    rd_str_dup(&l->name, name);
    start(l, parent);
}

void gcp_lro_clear(struct gcp_lro *l)
{
    RD_ASSERT(!op_running(&l->op));
    rd_err_free(op_take_err(&l->op));
    rd_err_free(op_take_err(&l->pause.op));
    gcp_call_clear(&l->call);
    gcp_call_clear(&l->poll);
    rd_str_take(&l->project, NULL);
    rd_str_take(&l->location, NULL);
    rd_str_take(&l->name, NULL);
    json_decref(l->operation);
    json_decref(l->result);
    l->operation = l->result = NULL;
    gcp_fault_clear(&l->fault);
}
