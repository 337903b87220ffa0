/* One request to the dashboard. */
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "ray/dashboard_internal.h"

#define RAY_CALL_MS 60000
#define RAY_RETRY_MS 250
#define RAY_RETRY_MAX_MS 4000
#define RAY_TEXT_MAX ((size_t)2048)

enum ray_call_state { RAY_CALL_BEGIN, RAY_CALL_SENT };

/* The last line that says something: of a traceback, the exception (one traceback in another leaves a
 * full stop behind). Owned. */
static char *last_line(const char *body, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", body[len - 1]))
        len--;
    if (len > 1 && body[len - 1] == '.' && body[len - 2] == '\n')
        len--;
    while (len > 0 && strchr(" \t\r\n", body[len - 1]))
        len--;
    size_t from = len;
    while (from > 0 && body[from - 1] != '\n')
        from--;
    size_t n = len - from;
    return rd_strndup(body + from, n < RAY_TEXT_MAX ? n : RAY_TEXT_MAX);
}

static bool holds(const char *body, size_t len, const char *text)
{
    return len > 0 && memmem(body, len, text, strlen(text)) != NULL;
}

enum call_judgement ray_decode_error(long status, const char *body, size_t len, const char *what,
                                     struct rd_err **ret_err)
{
    RD_AUTOFREE char *line = last_line(body, len);
    enum rd_err_kind kind = RD_ERR_FAILED;
    enum call_judgement j = CALL_FINAL;
    if (status == 401 || status == 403) {
        kind = RD_ERR_CREDENTIALS;
    } else if (status == 404) {
        kind = RD_ERR_NOT_FOUND;
    } else if (status == 408 || status == 429 || status >= 500) {
        kind = RD_ERR_TRANSIENT;
        j = CALL_RETRY;
    }
    bool duplicate = status == 500 && holds(body, len, "Please use a different submission_id");
    if (duplicate || (status == 500 && holds(body, len, "in a non-terminal state"))) {
        kind = RD_ERR_FAILED;
        j = CALL_FINAL;
    }
    struct rd_err *err =
        rd_err_new(kind, "%s: Ray answered %ld%s%s", what, status, *line ? ": " : "", line);
    err->http_status = (int)status;
    size_t shown = len < RAY_TEXT_MAX ? len : RAY_TEXT_MAX;
    if (len > 0)
        rd_str_take(&err->remote, rd_strndup(body + (len - shown), shown));
    if (duplicate)
        rd_str_dup(&err->reason, RAY_REASON_DUPLICATE);
    if (status == 401)
        rd_err_hint(
            err, "The cluster has token authentication; its token is in the Secret named like the "
                 "RayCluster, key " RAY_TOKEN_KEY ".");
    *ret_err = err;
    return j;
}

static enum call_judgement judge(struct http_call *h, struct rd_err **ret_err)
{
    struct ray_call *c = h->ctx;
    if (h->req.status == 404 && c->not_found_ok)
        return CALL_OK;
    RD_AUTOFREE char *what = rd_asprintf("%s %s", c->method, c->path);
    return ray_decode_error(h->req.status, rd_buf_str(&h->req.resp), h->req.resp.len, what,
                            ret_err);
}

/* Through the forward all that curl sees is a closed socket; the forward knows why. */
static const struct rd_err *way_problem(const struct ray_call *c)
{
    return c->dash->failure ? c->dash->failure : c->dash->forward.last;
}

static void on_retry(struct http_call *h, const struct rd_err *why, uint64_t delay_ms)
{
    struct ray_call *c = h->ctx;
    const struct rd_err *way = way_problem(c);
    (void)why;
    (void)delay_ms;
    if (way && !rd_err_transient(way->kind))
        op_cancel(&h->op); /* no retry heals this */
}

static bool may_send(struct http_call *h, struct rd_err **ret_err)
{
    struct ray_call *c = h->ctx;
    const struct ray_dashboard *d = c->dash;
    if (!d->may_write || strcmp(c->method, "GET") == 0 ||
        d->may_write(d->may_write_ctx, &c->op, &h->req, h->attempt > 0))
        return true;
    return rd_fail(ret_err, RD_ERR_TRANSIENT,
                   "not sent, because the lock has run out meanwhile or nothing can be written down");
}

void ray_call_init(struct ray_call *c, struct ray_dashboard *d, const char *method,
                   const char *path)
{
    *c = (struct ray_call){.dash = d};
    c->method = rd_strdup(method);
    c->path = rd_strdup(path);
    c->idem = strcmp(method, "POST") == 0 ? RETRY_ONCE : RETRY_SAFE;
    rd_list_init(&c->waiting);
}

void ray_call_clear(struct ray_call *c)
{
    http_call_clear(&c->http);
    rd_err_free(op_take_err(&c->http.op));
    rd_freep(&c->method);
    rd_freep(&c->path);
    rd_freep(&c->body);
    rd_json_decrefp(&c->result);
    rd_err_free(op_take_err(&c->op));
}

static void call_send(struct ray_call *c)
{
    struct ray_dashboard *d = c->dash;
    struct http_url url;
    rd_list_remove(&c->waiting);
    http_url_init(&url, d->base);
    http_url_path(&url, c->path);
    http_call_init(&c->http, d->http, "GET", http_url_str(&url));
    rd_str_dup(&c->http.req.method, c->method);
    http_url_clear(&url);
    http_req_header(&c->http.req, "User-Agent", "raydeploy/" RAYDEPLOY_VERSION);
    if (c->body) {
        char *copy = rd_malloc(c->body_len + 1);
        memcpy(copy, c->body, c->body_len);
        copy[c->body_len] = '\0';
        http_req_body(&c->http.req, c->body_type ? c->body_type : "application/json", copy,
                      c->body_len);
    }
    c->http.req.stream = c->stream;
    c->http.auth = d->token_secret || rd_secret_is_set(&d->token) ? &d->auth : NULL;
    c->policy = (struct retry_policy){
        .base_ms = RAY_RETRY_MS, .cap_ms = RAY_RETRY_MAX_MS, .attempts_max = c->attempts_max};
    c->http.policy = &c->policy;
    c->http.idem = c->idem;
    c->http.judge = judge;
    c->http.may_send = may_send;
    c->http.on_retry = on_retry;
    c->http.ctx = c;
    c->state = RAY_CALL_SENT;
    http_call_start(&c->http, &c->op);
}

static struct rd_err *call_error(struct ray_call *c)
{
    struct rd_err *err = op_take_err(&c->http.op);
    const struct rd_err *way = way_problem(c);
    if (!err || !way || err->http_status)
        return err;
    struct rd_err *told = rd_err_dup(way);
    if (rd_err_transient(way->kind))
        told->kind = err->kind == RD_ERR_CANCELLED ? told->kind : err->kind;
    rd_err_free(err);
    return told;
}

static void call_ended(struct ray_call *c)
{
    struct rd_err *err = call_error(c);
    struct http_req *r = &c->http.req;
    if (!err && !c->raw && !c->stream && r->status != 404 && r->resp.len > 0)
        c->result = rd_json_parse(r->resp.data, r->resp.len, c->path, &err);
    if (err && err->kind == RD_ERR_INPUT)
        err->kind =
            RD_ERR_FAILED; /* a dashboard that does not speak JSON is no fault of the user's */
    op_finish(&c->op, err);
}

static void call_step(struct op *op)
{
    struct ray_call *c = container_of(op, struct ray_call, op);
    struct ray_dashboard *d = c->dash;
    if (op->cancelled) {
        rd_list_remove(&c->waiting);
        const struct rd_err *way = way_problem(c);
        if (op->timed_out && way) {
            struct rd_err *err = rd_err_dup(way);
            err->kind = RD_ERR_TIMEOUT;
            op_finish(op, err);
        } else {
            op_finish(op, c->state == RAY_CALL_SENT ? op_take_err(&c->http.op) : NULL);
        }
        return;
    }
    switch ((enum ray_call_state)c->state) {
    case RAY_CALL_BEGIN:
        if (d->failure) {
            rd_list_remove(&c->waiting);
            op_finish(op, rd_err_dup(d->failure));
        } else if (d->ready && d->http) {
            call_send(c);
        } else if (rd_list_empty(&c->waiting)) {
            rd_list_append(&d->waiting, &c->waiting);
            ray_dashboard_call_comes(d);
        }
        return;
    case RAY_CALL_SENT:
        if (op_ended(&c->http.op))
            call_ended(c);
        else if (c->stream && op->parent)
            op_wake(op->parent);
        return;
    }
    RD_UNREACHABLE();
}

void ray_call_start(struct ray_call *c, struct op *parent)
{
    op_start(&c->op, parent, call_step, "Ray call");
    op_set_timeout(&c->op, RAY_CALL_MS);
}

/* ---- The calls there are ---- */

void ray_version_init(struct ray_call *c, struct ray_dashboard *d)
{
    ray_call_init(c, d, "GET", "/api/version");
}

void ray_nodes_init(struct ray_call *c, struct ray_dashboard *d)
{
    ray_call_init(c, d, "GET", "/nodes?view=summary");
}

void ray_cluster_status_init(struct ray_call *c, struct ray_dashboard *d)
{
    ray_call_init(c, d, "GET", "/api/cluster_status");
}

void ray_job_list_init(struct ray_call *c, struct ray_dashboard *d)
{
    ray_call_init(c, d, "GET", "/api/jobs/");
}

static void job_call_init(struct ray_call *c, struct ray_dashboard *d, const char *method,
                          const char *id, const char *tail)
{
    RD_AUTOFREE char *escaped = rd_percent_encode(id);
    RD_AUTOFREE char *path = rd_asprintf("/api/jobs/%s%s", escaped, tail);
    ray_call_init(c, d, method, path);
}

void ray_job_get_init(struct ray_call *c, struct ray_dashboard *d, const char *id)
{
    job_call_init(c, d, "GET", id, "");
}

void ray_job_stop_init(struct ray_call *c, struct ray_dashboard *d, const char *id)
{
    job_call_init(c, d, "POST", id, "/stop");
    c->idem = RETRY_SAFE; /* stopping twice is stopping */
}

void ray_job_delete_init(struct ray_call *c, struct ray_dashboard *d, const char *id)
{
    job_call_init(c, d, "DELETE", id, "");
}

void ray_job_logs_init(struct ray_call *c, struct ray_dashboard *d, const char *id)
{
    job_call_init(c, d, "GET", id, "/logs");
}

int ray_nodes_alive(const json_t *answer)
{
    const json_t *nodes = rd_json_get(answer, "data", "summary", NULL);
    int alive = 0;
    size_t i;
    json_t *node;
    if (!json_is_array(nodes))
        return -1;
    json_array_foreach ((json_t *)nodes, i, node) {
        const char *state = rd_json_str(node, "raylet", "state", NULL);
        alive += rd_streq(state, "ALIVE");
    }
    return alive;
}
