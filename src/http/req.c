/* A request as an op: wait for a turn, run in curl, end. All decisions are made in the step; curl's
 * callbacks (setup.c) only record. */
#include "http/internal.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum req_state {
    REQ_IDLE,
    REQ_NEW,
    REQ_WAITING,   /* for its turn under in_flight_max */
    REQ_GRANTED,   /* it is its turn */
    REQ_ACTIVE,    /* in curl's hands */
    REQ_RESOLVING, /* the name failed: asking the resolver whether that is final */
    REQ_ENDED,
};

/* Outlives its request: a lookup in a thread cannot always be called back. */
struct http_resolve {
    uv_getaddrinfo_t uv;
    struct http_req *r; /* NULL: nobody waits any more */
    int status;
    bool done;
};

#define CONNECT_MS 10000
#define FIRST_BYTE_MS 60000
#define IDLE_MS 60000
#define RESP_MAX ((size_t)16 << 20)
#define ALONE_MAX 6 /* connections to a server that shares none, as browsers have it */

void http_req_init(struct http_req *r, struct http_client *c, const char *method, const char *url)
{
    RD_ASSERT(!op_running(&r->op));
    r->client = c;
    rd_str_dup(&r->method, method);
    rd_str_dup(&r->url, url);
    r->connect_ms = CONNECT_MS;
    r->first_byte_ms = FIRST_BYTE_MS;
    r->idle_ms = IDLE_MS;
    rd_buf_init(&r->resp, RESP_MAX);
    rd_buf_init(&r->warnings, HTTP_WARNINGS_MAX);
    rd_list_init(&r->waiting);
}

/* Headers carry credentials: no copy of ours stays in freed memory. */
static void free_headers(struct curl_slist **list)
{
    for (struct curl_slist *h = *list; h != NULL; h = h->next)
        rd_wipe(h->data, strlen(h->data));
    curl_slist_free_all(*list);
    *list = NULL;
}

void http_req_header_add(struct http_req *r, const char *name, const char *value)
{
    if (strpbrk(name, "\r\n:") != NULL || strpbrk(value, "\r\n") != NULL) {
        r->bad_header = true;
        return;
    }
    /* curl's spelling of a header without a value is "Name;". */
    char *line = value[0] == '\0' ? rd_asprintf("%s;", name) : rd_asprintf("%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(r->headers, line);
    RD_ASSERT(longer != NULL);
    r->headers = longer;
    rd_wipe(line, strlen(line));
    free(line);
}

void http_req_header(struct http_req *r, const char *name, const char *value)
{
    size_t name_len = strlen(name);
    struct curl_slist *list = NULL;
    for (struct curl_slist *h = r->headers; h != NULL; h = h->next) {
        if (strncasecmp(h->data, name, name_len) == 0 &&
            (h->data[name_len] == ':' || h->data[name_len] == ';'))
            continue;
        struct curl_slist *longer = curl_slist_append(list, h->data);
        RD_ASSERT(longer != NULL);
        list = longer;
    }
    free_headers(&r->headers);
    r->headers = list;
    http_req_header_add(r, name, value);
}

void http_req_body(struct http_req *r, const char *content_type, char *take, size_t len)
{
    rd_str_take(&r->body, take);
    r->body_len = len;
    if (content_type != NULL)
        http_req_header(r, "Content-Type", content_type);
}

CURL *http_req_curl(struct http_req *r)
{
    return r->easy;
}

/* Takes r out of curl's hands. */
static void detach(struct http_req *r)
{
    if (r->easy != NULL) {
        curl_multi_remove_handle(r->client->multi, r->easy);
        curl_easy_cleanup(r->easy);
        r->easy = NULL;
        r->client->handles--;
    }
    free_headers(&r->wire_headers);
    curl_slist_free_all(r->connect_to);
    r->connect_to = NULL;
}

/* 0: no limit. */
static unsigned in_flight_max(const struct http_client *c)
{
    unsigned max = c->o.in_flight_max;
    return c->alone && (max == 0 || max > ALONE_MAX) ? ALONE_MAX : max;
}

static void grant_next(struct http_client *c)
{
    unsigned max = in_flight_max(c);
    while (!rd_list_empty(&c->waiting) && (max == 0 || c->in_flight < max)) {
        struct http_req *next = container_of(c->waiting.next, struct http_req, waiting);
        rd_list_remove(&next->waiting);
        next->state = REQ_GRANTED;
        next->counted = true;
        c->in_flight++;
        op_wake(&next->op);
    }
}

static void end(struct http_req *r, struct rd_err *take)
{
    struct http_client *c = r->client;
    r->ended_ms = op_now_ms(&r->op);
    if (r->easy != NULL) {
        curl_off_t sent = 0;
        curl_easy_getinfo(r->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
        r->sent_bytes = (size_t)sent;
        curl_easy_getinfo(r->easy, CURLINFO_HTTP_VERSION, &r->http_version);
        if (r->status > 0 && !r->http1 && !r->connect_only)
            c->alone = r->http_version != 0 && r->http_version < CURL_HTTP_VERSION_2_0;
    }
    if (!(r->connect_only && r->completed && take == NULL && !r->op.cancelled))
        detach(r);
    rd_list_remove(&r->waiting);
    r->state = REQ_ENDED;
    if (r->counted) {
        r->counted = false;
        c->in_flight--;
    }
    c->handles--; /* the running op's count; a handle that is kept has its own */
    grant_next(c);
    op_finish(&r->op, take);
    if (c->o.observe != NULL)
        c->o.observe(c->o.observe_ctx, r);
}

static void launch(struct http_req *r)
{
    struct rd_err *err = NULL;
    r->started_ms = op_now_ms(&r->op);
    r->easy = setup_easy(r, &err);
    if (r->easy == NULL) {
        end(r, err);
        return;
    }
    r->client->handles++;
    r->state = REQ_ACTIVE;
    CURLMcode rc = curl_multi_add_handle(r->client->multi, r->easy);
    RD_ASSERT(rc == CURLM_OK);
    op_wake(&r->client->pump);
}

static void on_resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *found)
{
    struct http_resolve *l = container_of(uv, struct http_resolve, uv);
    uv_freeaddrinfo(found);
    if (l->r == NULL) {
        free(l);
        return;
    }
    l->status = status;
    l->done = true;
    op_wake(&l->r->op);
}

/* curl says only that a name did not resolve. Whether there is no such name (final) or the resolver
 * stumbled (worth a retry) is in getaddrinfo's code, so we ask once more ourselves. */
static void ask_resolver(struct http_req *r)
{
    char *host = NULL;
    CURLU *u = curl_url();
    RD_ASSERT(u != NULL);
    struct http_resolve *l = rd_calloc(1, sizeof *l);
    int rc = UV_EAI_NONAME;
    if (curl_url_set(u, CURLUPART_URL, r->url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        rc = uv_getaddrinfo(loop_uv(r->op.loop), &l->uv, on_resolved, host, NULL, &hints);
    }
    curl_free(host);
    curl_url_cleanup(u);
    if (rc != 0) {
        free(l);
        end(r, fail_resolve(r, rc));
        return;
    }
    l->r = r;
    r->resolve = l;
    r->state = REQ_RESOLVING;
}

static void drop_resolve(struct http_req *r)
{
    struct http_resolve *l = r->resolve;
    r->resolve = NULL;
    if (l == NULL)
        return;
    if (l->done) {
        free(l);
        return;
    }
    l->r = NULL;
    uv_cancel((uv_req_t *)&l->uv);
}

/* Sets the alarm for the limit of the phase r is in; true: that limit has passed. */
static bool too_slow(struct http_req *r)
{
    uint64_t now = op_now_ms(&r->op), from, limit;
    if (r->connected_ms == 0)
        return false; /* curl watches connect_ms itself */
    if (r->headers_done) {
        from = r->last_byte_ms;
        limit = r->idle_ms;
    } else {
        curl_off_t uploaded = 0;
        curl_easy_getinfo(r->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
        if (uploaded > r->uploaded) {
            r->uploaded = uploaded;
            r->last_byte_ms = now;
        }
        from = r->last_byte_ms > r->connected_ms ? r->last_byte_ms : r->connected_ms;
        limit = r->first_byte_ms;
    }
    if (limit == 0) {
        op_set_alarm(&r->op, RD_NEVER);
        return false;
    }
    if (now - from >= limit)
        return true;
    op_set_alarm(&r->op, from + limit);
    return false;
}

static void completed(struct http_req *r)
{
    r->client->lost = r->result != CURLE_OK;
    if (r->over) {
        end(r, fail_curl(r, CURLE_WRITE_ERROR));
    } else if (r->result == CURLE_COULDNT_RESOLVE_HOST) {
        ask_resolver(r);
    } else if (r->result != CURLE_OK) {
        end(r, fail_curl(r, r->result));
    } else if (!r->connect_only && !r->headers_done) {
        end(r, fail_curl(r, CURLE_PARTIAL_FILE)); /* curl lets half a header pass for an answer */
    } else {
        end(r, NULL);
    }
}

static void req_step(struct op *op)
{
    struct http_req *r = container_of(op, struct http_req, op);
    if (r->state == REQ_ENDED)
        return;
    if (op->cancelled) {
        drop_resolve(r);
        end(r, op->timed_out ? fail_slow(r) : NULL);
        return;
    }
    switch (r->state) {
    case REQ_NEW:
        if (!r->stream && !r->connect_only) {
            rd_list_append(&r->client->waiting, &r->waiting);
            r->state = REQ_WAITING;
            grant_next(r->client);
            return;
        }
        launch(r);
        return;
    case REQ_WAITING:
        return;
    case REQ_GRANTED:
        launch(r);
        return;
    case REQ_ACTIVE:
        if (r->completed)
            completed(r);
        else if (too_slow(r))
            end(r, fail_slow(r));
        return;
    case REQ_RESOLVING:
        if (r->resolve->done) {
            int status = r->resolve->status;
            drop_resolve(r);
            end(r, fail_resolve(r, status));
        }
        return;
    default:
        RD_UNREACHABLE();
    }
}

static void reset_answer(struct http_req *r)
{
    char **texts[] = {&r->content_type, &r->etag,     &r->location,
                      &r->date,         &r->audit_id, &r->www_authenticate, &r->metadata_flavor};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++)
        rd_str_take(texts[i], NULL);
    rd_buf_reset(&r->resp);
    rd_buf_reset(&r->warnings);
    r->status = 0;
    r->retry_after_ms = 0;
    r->sent = r->completed = r->headers_done = r->over = r->held_back = false;
    r->started_ms = r->ended_ms = r->connected_ms = r->last_byte_ms = 0;
    r->sent_bytes = r->got_bytes = r->header_bytes = 0;
    r->uploaded = 0;
    r->http_version = 0;
    r->errbuf[0] = '\0';
    r->result = CURLE_OK;
}

void http_req_start(struct http_req *r, struct op *parent)
{
    RD_ASSERT(r->method != NULL);
    op_start(&r->op, parent, req_step, "request");
    detach(r); /* a connection that an earlier life left standing */
    reset_answer(r);
    r->state = REQ_NEW;
    r->client->handles++;
}

void http_req_clear(struct http_req *r)
{
    RD_ASSERT(!op_running(&r->op));
    if (r->client == NULL)
        return;
    detach(r);
    reset_answer(r);
    free_headers(&r->headers);
    rd_str_take(&r->method, NULL);
    rd_str_take(&r->url, NULL);
    rd_str_take(&r->body, NULL);
    rd_buf_clear(&r->resp);
    rd_buf_clear(&r->warnings);
    struct op op = r->op;
    *r = (struct http_req){.op = op};
}
