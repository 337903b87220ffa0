/* One request, and lists of them. */
#include "base/alloc.h"
#include "base/text.h"
#include "gcp/client.h"
#include "gcp/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 300000
#define ENABLED_MS (5 * 60000)
#define ACCOUNT_MS 120000
#define GRANT_MS (7 * 60000)
#define PAGES_MAX 200
#define ITEMS_MAX 100000
#define ANSWER_MAX ((size_t)32 << 20)

/* ---- One request ---- */

static enum call_judgement patient(struct gcp_call *k, const struct rd_err *err)
{
    const struct gcp_client *c = k->client;
    uint64_t now = rd_boot_ms(), limit = 0;
    if (k->fault.situation == GCP_API_OFF && c->enabled_ms != 0 && now - c->enabled_ms < ENABLED_MS)
        return CALL_RETRY;
    if ((k->patience & GCP_PATIENT_ACCOUNT) != 0 &&
        (k->fault.situation == GCP_ACCOUNT_UNSEEN ||
         (k->fault.situation == GCP_ABSENT && !k->not_found_ok)))
        limit = ACCOUNT_MS;
    if ((k->patience & GCP_PATIENT_GRANT) != 0 && k->fault.situation == GCP_PERMISSION)
        limit = GRANT_MS;
    (void)err;
    if (limit == 0)
        return CALL_FINAL;
    if (k->patient_ms == 0)
        k->patient_ms = now;
    return now - k->patient_ms < limit ? CALL_RETRY : CALL_FINAL;
}

static char *what_of(const struct gcp_call *k)
{
    if (k->what != NULL)
        return rd_strdup(k->what);
    const char *url = k->http.req.url, *base = k->client->base[k->api];
    const char *path = rd_starts_with(url, base) ? url + strlen(base) : url;
    return rd_asprintf("%s %.*s", k->http.req.method, (int)strcspn(path, "?"), path);
}

static enum call_judgement judge(struct http_call *http, struct rd_err **ret_err)
{
    struct gcp_call *k = container_of(http, struct gcp_call, http);
    const struct http_req *r = &http->req;
    if (r->status == 404 && k->not_found_ok)
        return CALL_OK;
    RD_AUTOFREE char *what = what_of(k);
    gcp_fault_clear(&k->fault);
    enum call_judgement j =
        gcp_decode_error(r->status, r->content_type, rd_buf_str(&r->resp), r->resp.len,
                         r->retry_after_ms, what, &k->fault, ret_err);
    return j == CALL_FINAL ? patient(k, *ret_err) : j;
}

static void on_retry(struct http_call *http, const struct rd_err *why, uint64_t delay_ms)
{
    struct gcp_call *k = container_of(http, struct gcp_call, http);
    if (k->client->on_retry != NULL)
        k->client->on_retry(k->client->retry_ctx, why, delay_ms);
}

/* POSTs that only ask. */
static bool only_asks(const struct http_req *r)
{
    static const char *const verbs[] = {":testIamPermissions", ":getIamPolicy",
                                        "/getIamPolicy", "/testIamPermissions"};
    for (size_t i = 0; i < RD_ARRAY_LEN(verbs); i++)
        if (rd_ends_with(r->url, verbs[i]))
            return true;
    return rd_streq(r->method, "GET");
}

static bool may_send(struct http_call *h, struct rd_err **ret_err)
{
    struct gcp_call *k = container_of(h, struct gcp_call, http);
    struct gcp_client *c = k->client;
    if (!c->may_write || only_asks(&h->req) ||
        c->may_write(c->may_write_ctx, &k->op, &h->req, h->attempt > 0))
        return true;
    return rd_fail(ret_err, RD_ERR_TRANSIENT, "not sent, because it cannot be written down first");
}

void gcp_client_set_write_gate(struct gcp_client *c, gcp_write_gate *may_write, void *ctx)
{
    c->may_write = may_write;
    c->may_write_ctx = ctx;
}

void gcp_client_on_operation(struct gcp_client *c,
                             void (*began)(void *ctx, const struct op *op, const char *name),
                             void *ctx)
{
    c->began = began;
    c->began_ctx = ctx;
}

void gcp_call_init(struct gcp_call *k, struct gcp_client *c, enum gcp_api api, const char *method,
                   const char *url)
{
    gcp_call_clear(k);
    memset(k, 0, sizeof *k);
    k->client = c;
    k->api = api;
    http_call_init(&k->http, gcp_http(c, api), method, url);
    k->http.req.resp.max = ANSWER_MAX;
    k->http.policy = &retry_google;
    k->http.judge = judge;
    k->http.on_retry = on_retry;
    k->http.may_send = may_send;
    k->http.auth = c->auth;
    if (rd_streq(method, "POST"))
        k->http.idem = RETRY_ONCE;
}

void gcp_call_body(struct gcp_call *k, const json_t *body)
{
    char *text = rd_json_dump(body);
    http_req_body(&k->http.req, "application/json; charset=UTF-8", text, strlen(text));
}

void gcp_call_what(struct gcp_call *k, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    rd_str_take(&k->what, rd_vasprintf(fmt, ap));
    va_end(ap);
}

static bool read_result(struct gcp_call *k, struct rd_err **reterr)
{
    struct http_req *r = &k->http.req;
    if (r->status == 404)
        return true; /* and no result */
    RD_AUTOFREE char *what = what_of(k);
    if (r->status >= 300) {
        *reterr = http_status_error(r, what);
        return false;
    }
    if (r->resp.len == 0) {
        k->result = json_object();
        return true;
    }
    k->result = rd_json_parse(rd_buf_str(&r->resp), r->resp.len, "answer", reterr);
    if (k->result != NULL)
        return true;
    RD_AUTOFREE char *origin = http_url_origin(r->url);
    (*reterr)->kind = RD_ERR_FAILED;
    rd_err_wrap(*reterr, "%s: %s", what, origin);
    return false;
}

static void call_step(struct op *op)
{
    struct gcp_call *k = container_of(op, struct gcp_call, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        err = k->started ? op_take_err(&k->http.op) : NULL;
        if (err != NULL && err->http_status == 0) {
            RD_AUTOFREE char *what = what_of(k);
            rd_err_wrap(err, "%s", what);
        }
        op_finish(op, err);
        return;
    }
    if (!k->started) {
        k->started = true;
        http_req_header(&k->http.req, "Accept", "application/json");
        if (k->client->quota_project != NULL && !k->no_quota_project)
            http_req_header(&k->http.req, "x-goog-user-project", k->client->quota_project);
        if (k->query_may_repeat)
            k->http.idem = RETRY_SAFE;
        http_call_start(&k->http, op);
        return;
    }
    if (op_running(&k->http.op))
        return;
    err = op_take_err(&k->http.op);
    if (err != NULL && err->http_status == 0) {
        RD_AUTOFREE char *what = what_of(k);
        rd_err_wrap(err, "%s", what);
    }
    if (err == NULL)
        (void)!read_result(k, &err);
    op_finish(op, err);
}

void gcp_call_start(struct gcp_call *k, struct op *parent)
{
    k->started = false;
    k->patient_ms = 0;
    json_decref(k->result);
    k->result = NULL;
    gcp_fault_clear(&k->fault);
    op_start(&k->op, parent, call_step, "google call");
    op_set_timeout(&k->op, k->timeout_ms != 0 ? k->timeout_ms : CALL_MS);
}

void gcp_call_clear(struct gcp_call *k)
{
    RD_ASSERT(!op_running(&k->op));
    rd_err_free(op_take_err(&k->op));
    rd_err_free(op_take_err(&k->http.op));
    http_call_clear(&k->http);
    rd_str_take(&k->what, NULL);
    json_decref(k->result);
    k->result = NULL;
    gcp_fault_clear(&k->fault);
}

/* ---- Lists ---- */

void gcp_list_init(struct gcp_list *l, struct gcp_client *c, enum gcp_api api, const char *url,
                   const char *items_key)
{
    gcp_list_clear(l);
    memset(l, 0, sizeof *l);
    l->items_key = items_key;
    l->url = rd_strdup(url);
    gcp_call_init(&l->call, c, api, "GET", url);
}

static void add_all(json_t *to, const json_t *from)
{
    json_t *item;
    size_t i;
    json_array_foreach (from, i, item) {
        if (json_array_size(to) < ITEMS_MAX)
            json_array_append(to, item);
    }
}

/* Compute says it per scope or of the whole, the others name the locations. */
static bool is_incomplete(const json_t *part)
{
    return rd_streq(rd_json_str(part, "warning", "code", NULL), "UNREACHABLE") ||
           json_array_size(json_object_get(part, "unreachable")) > 0 ||
           json_array_size(json_object_get(part, "unreachables")) > 0;
}

static void add_page(struct gcp_list *l, json_t *page)
{
    l->incomplete = l->incomplete || is_incomplete(page);
    if (!l->aggregated) {
        add_all(l->items, json_object_get(page, l->items_key));
        return;
    }
    const char *scope;
    json_t *part;
    json_object_foreach (json_object_get(page, "items"), scope, part) {
        l->incomplete = l->incomplete || is_incomplete(part);
        add_all(l->items, json_object_get(part, l->items_key));
    }
}

/* Asks for the page after this one; false: this was the last. */
static bool next_page(struct gcp_list *l)
{
    const char *token = json_string_value(json_object_get(l->call.result, "nextPageToken"));
    if (token == NULL || *token == '\0')
        return false;
    RD_AUTOFREE char *what = rd_strdup(l->call.what);
    struct http_url u;
    http_url_init(&u, l->url);
    http_url_query(&u, "pageToken", token);
    struct gcp_client *c = l->call.client;
    bool no_quota = l->call.no_quota_project;
    gcp_call_init(&l->call, c, l->call.api, "GET", http_url_str(&u));
    l->call.no_quota_project = no_quota;
    rd_str_take(&l->call.what, what);
    what = NULL;
    http_url_clear(&u);
    gcp_call_start(&l->call, &l->op);
    return true;
}

static void list_step(struct op *op)
{
    struct gcp_list *l = container_of(op, struct gcp_list, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (l->pages == 0) {
        l->pages = 1;
        l->call.not_found_ok = l->not_found_ok;
        gcp_call_start(&l->call, op);
        return;
    }
    if (op_running(&l->call.op))
        return;
    struct rd_err *err = op_take_err(&l->call.op);
    if (err != NULL || l->call.result == NULL) {
        op_finish(op, err);
        return;
    }
    add_page(l, l->call.result);
    if (l->first == NULL) {
        l->first = json_copy(l->call.result);
        json_object_del(l->first, l->aggregated ? "items" : l->items_key);
    }
    if (++l->pages > PAGES_MAX || json_array_size(l->items) >= ITEMS_MAX) {
        err = rd_err_new(RD_ERR_FAILED, "%s: the list does not end",
                         l->call.what != NULL ? l->call.what : l->url);
        op_finish(op, err);
        return;
    }
    if (!next_page(l))
        op_finish(op, NULL);
}

void gcp_list_start(struct gcp_list *l, struct op *parent)
{
    l->pages = 0;
    l->incomplete = false;
    json_decref(l->items);
    l->items = json_array();
    json_decref(l->first);
    l->first = NULL;
    op_start(&l->op, parent, list_step, "google list");
}

void gcp_list_clear(struct gcp_list *l)
{
    RD_ASSERT(!op_running(&l->op));
    rd_err_free(op_take_err(&l->op));
    gcp_call_clear(&l->call);
    json_decref(l->items);
    json_decref(l->first);
    l->items = l->first = NULL;
    rd_str_take(&l->url, NULL);
}
