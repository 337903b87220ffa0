#include "base/alloc.h"
#include "base/text.h"
#include "k8s/client.h"
#include "k8s/internal.h"

#include <string.h>

#define CALL_TIMEOUT_MS 120000
/* A webhook whose pods start, or storage that moves: reference 4.3. */
#define SHAKY_MS 60000

#define TOLD_AGAIN_MS 10000
/* So long after it was away a refusal may be a server that is not quite there. */
#define COMING_BACK_MS 30000

enum { CALL_BEGIN, CALL_QUEUED, CALL_SENT };

static const char *call_verb(const struct k8s_call *k)
{
    static const struct {
        const char *method, *verb;
    } verbs[] = {{"GET", "get"},       {"POST", "create"},   {"PUT", "update"},
                 {"PATCH", "apply"},   {"DELETE", "delete"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(verbs); i++) {
        if (rd_streq(k->http.req.method, verbs[i].method))
            return verbs[i].verb;
    }
    return k->http.req.method;
}

/* "apply RayCluster/ns/name", or the path when the owner gave no name; owned. */
static char *call_what(const struct k8s_call *k)
{
    if (k->resource_text)
        return rd_asprintf("%s %s", call_verb(k), k->resource_text);
    const char *path = k->http.req.url;
    const char *server = k->client->config.server;
    if (rd_starts_with(path, server))
        path += strlen(server);
    return rd_asprintf("%s %.*s", call_verb(k), (int)strcspn(path, "?"), path);
}

static void hint_401(const struct k8s_call *k, struct rd_err *err)
{
    const struct k8s_config *config = &k->client->config;
    const char *user = config->user ? config->user : "(none)";
    rd_err_wrap(err, "%s, user %s", config->origin ? config->origin : "kubeconfig", user);
    if (config->exec.command)
        rd_err_hint(err, "The plugin %s was asked again and its credential was refused too; log in "
                         "again with the tool it belongs to, then run the same command again.",
                    config->exec.command);
    else if (config->token_file)
        rd_err_hint(err, "The token in %s is not accepted any more; renew it, then run the same "
                         "command again.",
                    config->token_file);
    else if (rd_secret_is_set(&config->token))
        rd_err_hint(err, "The token of user %s is expired or revoked and cannot be renewed by itself; "
                         "write a new one into the kubeconfig, or use another --context.",
                    user);
    else if (config->tls.cert_pem)
        rd_err_hint(err, "The client certificate of user %s is not accepted, perhaps expired; write a "
                         "new one into the kubeconfig, or use another --context.",
                    user);
    else
        rd_err_hint(err, "User %s has no credential that this server accepts; add one to the "
                         "kubeconfig, or use another --context.",
                    user);
}

/* An API server that comes back answers 403 to everybody until it has read the rules. */
static bool just_away(const struct k8s_call *k)
{
    const struct k8s_client *c = k->client;
    return c->away_ms && op_now_ms(&k->op) - c->away_ms < COMING_BACK_MS;
}

/* No answer at all: the server may be starting anew. */
static void note_away(struct k8s_call *k, const struct rd_err *why)
{
    if (why->kind == RD_ERR_TRANSIENT && why->http_status == 0)
        k->client->away_ms = op_now_ms(&k->op);
}

static enum call_judgement call_judge(struct http_call *h, struct rd_err **ret_err)
{
    struct k8s_call *k = container_of(h, struct k8s_call, http);
    RD_AUTOFREE char *what = call_what(k);
    enum call_judgement verdict =
        k8s_decode_error(h->req.status, h->req.content_type, h->req.resp.data, h->req.resp.len,
                         h->req.retry_after_ms, what, ret_err);
    if (h->req.status == 401)
        hint_401(k, *ret_err);
    if (h->req.audit_id && h->req.status >= 500)
        rd_str_take(&(*ret_err)->message, rd_asprintf("%s (audit id %.64s)", (*ret_err)->message,
                                                      h->req.audit_id));
    if (h->req.status == 403 && just_away(k))
        return CALL_RETRY;
    if (verdict != CALL_RETRY)
        return verdict;
    if (h->req.status == 500 || k8s_text_is_webhook((*ret_err)->message)) {
        uint64_t now = op_now_ms(&k->op);
        if (!k->shaky_ms)
            k->shaky_ms = now;
        if (now - k->shaky_ms >= SHAKY_MS)
            return CALL_FINAL;
    }
    return verdict;
}

static void call_retried(struct http_call *h, const struct rd_err *why, uint64_t delay_ms)
{
    struct k8s_call *k = container_of(h, struct k8s_call, http);
    struct k8s_client *c = k->client;
    note_away(k, why);
    uint64_t now = op_now_ms(&k->op);
    const char *reason = why->remote ? why->remote : why->message;
    if (!c->retry || (rd_streq(c->retried, reason) && now - c->retried_ms < TOLD_AGAIN_MS))
        return;
    rd_str_dup(&c->retried, reason);
    c->retried_ms = now;
    c->retry(c->retry_ctx, why, delay_ms);
}

static bool call_may_send(struct http_call *h, struct rd_err **ret_err)
{
    struct k8s_call *k = container_of(h, struct k8s_call, http);
    struct k8s_client *c = k->client;
    if (!k->write || !c->may_write ||
        c->may_write(c->may_write_ctx, &k->op, &h->req, h->attempt > 0))
        return true;
    return rd_fail(ret_err, RD_ERR_TRANSIENT,
                   "not sent, because the lock has run out meanwhile or nothing can be written down");
}

void k8s_client_set_write_gate(struct k8s_client *c, k8s_write_gate *may_write, void *ctx)
{
    c->may_write = may_write;
    c->may_write_ctx = ctx;
}

void k8s_call_init(struct k8s_call *k, struct k8s_client *c, const char *method, const char *url)
{
    RD_ASSERT(!op_running(&k->op));
    k->client = c;
    http_call_init(&k->http, c->http, method, url);
    k->http.auth = c->auth;
    k->http.policy = &retry_kubernetes;
    k->http.idem = rd_streq(method, "POST") ? RETRY_ONCE : RETRY_SAFE;
    k->http.judge = call_judge;
    k->http.on_retry = call_retried;
    k->http.may_send = call_may_send;
    k->http.req.resp.max = K8S_PAGE_MAX;
    k8s_client_decorate(c, &k->http.req);
    rd_list_init(&k->waiting);
}

void k8s_call_body_json(struct k8s_call *k, const char *content_type, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    RD_ASSERT(text);
    http_req_body(&k->http.req, content_type, text, strlen(text));
}

void k8s_call_name(struct k8s_call *k, const struct k8s_resource *r, const char *ns,
                   const char *name)
{
    rd_str_take(&k->resource_text, r->namespaced && ns ? rd_asprintf("%s/%s/%s", r->kind, ns, name)
                                                       : rd_asprintf("%s/%s", r->kind, name));
}

void k8s_get_init(struct k8s_call *k, struct k8s_client *c, const struct k8s_resource *r,
                  const char *ns, const char *name)
{
    struct http_url u;
    k8s_url(&u, c, r, ns, name, NULL);
    k8s_call_init(k, c, "GET", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(k, r, ns, name);
}

static void call_warn(struct k8s_call *k)
{
    struct k8s_client *c = k->client;
    if (!c->warn || !k->http.req.warnings.len)
        return;
    RD_AUTOFREE char *texts = rd_strdup(rd_buf_str(&k->http.req.warnings));
    char *save = NULL;
    for (char *line = strtok_r(texts, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (json_object_get(c->warned, line) || json_object_size(c->warned) >= 1000)
            continue;
        if (json_object_set_new(c->warned, line, json_true()) == 0)
            c->warn(c->warn_ctx, line);
    }
}

/* Gives the write slot to the next in line. */
static void call_release(struct k8s_call *k)
{
    struct k8s_client *c = k->client;
    rd_list_remove(&k->waiting);
    if (!k->slot)
        return;
    k->slot = false;
    if (rd_list_empty(&c->write_queue)) {
        c->writes--;
        return;
    }
    struct k8s_call *next = container_of(c->write_queue.next, struct k8s_call, waiting);
    rd_list_remove(&next->waiting);
    next->slot = true;
    op_wake(&next->op);
}

static void call_end(struct k8s_call *k, struct rd_err *take)
{
    call_release(k);
    op_finish(&k->op, take);
}

static struct rd_err *call_read(struct k8s_call *k)
{
    struct http_req *r = &k->http.req;
    call_warn(k);
    if (k->raw || r->status == 304 || r->resp.len == 0)
        return NULL;
    struct rd_err *err = NULL;
    RD_AUTOFREE char *what = call_what(k);
    k->result = rd_json_parse(r->resp.data, r->resp.len, "the server's answer", &err);
    rd_buf_clear(&r->resp);
    if (!k->result) {
        /* A proxy in between answered 200 with something else. */
        err->kind = RD_ERR_FAILED;
        rd_err_wrap(err, "cannot %s", what);
    }
    return err;
}

static void call_step(struct op *op)
{
    struct k8s_call *k = container_of(op, struct k8s_call, op);
    struct k8s_client *c = k->client;
    if (op->cancelled) {
        struct rd_err *err = op->timed_out ? op_take_err(&k->http.op) : NULL;
        if (err) {
            RD_AUTOFREE char *what = call_what(k);
            rd_err_wrap(err, "cannot %s", what);
        }
        call_end(k, err);
        return;
    }
    switch (k->state) {
    case CALL_BEGIN:
        if (k->write && c->writes >= c->writes_max) {
            k->state = CALL_QUEUED;
            rd_list_append(&c->write_queue, &k->waiting);
            return;
        }
        if (k->write) {
            c->writes++;
            k->slot = true;
        }
        k->state = CALL_SENT;
        http_call_start(&k->http, op);
        return;
    case CALL_QUEUED:
        if (!k->slot)
            return;
        k->state = CALL_SENT;
        http_call_start(&k->http, op);
        return;
    case CALL_SENT: {
        if (op_running(&k->http.op)) {
            if (k->http.req.stream && op->parent)
                op_wake(op->parent);
            return;
        }
        struct rd_err *err = op_take_err(&k->http.op);
        if (!err) {
            call_end(k, call_read(k));
            return;
        }
        note_away(k, err);
        struct http_req *r = &k->http.req;
        enum k8s_missing missing = k8s_what_is_missing(r->status, r->resp.data, r->resp.len);
        if (k->not_found_ok && missing != K8S_MISSING_NOTHING && missing != K8S_MISSING_TYPE) {
            rd_err_free(err);
            call_end(k, NULL);
            return;
        }
        if (!err->http_status) {
            RD_AUTOFREE char *what = call_what(k);
            rd_err_wrap(err, "cannot %s", what);
        }
        call_end(k, err);
        return;
    }
    }
    RD_UNREACHABLE();
}

void k8s_call_start(struct k8s_call *k, struct op *parent)
{
    struct http_req *r = &k->http.req;
    if (k->accept_set)
        ;
    else if (k->metadata_only)
        http_req_header(r, "Accept",
                        k->collection
                            ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
                            : "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");
    else if (!k->raw || r->stream)
        http_req_header(r, "Accept", "application/json");
    k->state = CALL_BEGIN;
    k->shaky_ms = 0;
    op_start(&k->op, parent, call_step, "kubernetes request");
    if (!r->stream)
        op_set_timeout(&k->op, k->timeout_ms ? k->timeout_ms : CALL_TIMEOUT_MS);
}

void k8s_call_clear(struct k8s_call *k)
{
    RD_ASSERT(!op_running(&k->op));
    http_call_clear(&k->http);
    rd_err_free(op_take_err(&k->http.op));
    json_decref(k->result);
    rd_freep(&k->resource_text);
    rd_err_free(op_take_err(&k->op));
    memset(k, 0, sizeof(*k));
}
