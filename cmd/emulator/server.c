#include "conn.h"
#include "http.h"
#include "route.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static int64_t wall_us(void)
{
    struct timeval tv;
    gettimeofday(&tv, NULL);
    return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

struct emu_server *emu_server_new(struct emu *e, struct rd_err **reterr)
{
    struct emu_server *s = rd_calloc(1, sizeof(*s));
    s->emu = e;
    rd_list_init(&s->inside);
    rd_list_init(&s->listeners);
    if (!emu_tls_init(&s->tls, reterr)) {
        free(s);
        return NULL;
    }
    RD_AUTOFREE char *path = rd_path_join(e->dir, "requests.jsonl");
    s->log = fopen(path, "we");
    if (s->log == NULL) {
        rd_fail(reterr, RD_ERR_FAILED, "cannot write %s", path);
        emu_tls_clear(&s->tls);
        free(s);
        return NULL;
    }
    return s;
}

const char *emu_server_ca_pem(const struct emu_server *s)
{
    return s->tls.ca_pem;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct emu_listener *l = container_of((uv_tcp_t *)handle, struct emu_listener, tcp);
    free(l->api);
    free(l);
}

void emu_listener_close(struct emu_listener *l)
{
    if (l->closing)
        return;
    l->closing = true;
    rd_list_remove(&l->node);
    while (!rd_list_empty(&l->conns))
        emu_conn_close(container_of(l->conns.next, struct emu_conn, node), true);
    uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}

void emu_server_free(struct emu_server *s)
{
    if (s == NULL)
        return;
    while (!rd_list_empty(&s->inside)) {
        struct emu_req *req = container_of(s->inside.next, struct emu_req, inside);
        req->on_answer(0, NULL, req->answer_arg);
        emu_req_end(req);
    }
    while (!rd_list_empty(&s->listeners))
        emu_listener_close(container_of(s->listeners.next, struct emu_listener, node));
    uv_run(s->emu->loop, UV_RUN_DEFAULT); /* close callbacks */
    fclose(s->log);
    emu_tls_clear(&s->tls);
    free(s);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct emu_listener *l = container_of((uv_tcp_t *)stream, struct emu_listener, tcp);
    if (status == 0 && !l->closing)
        emu_conn_accept(l);
}

struct emu_listener *emu_listen(struct emu *e, const char *api, bool tls, emu_handler_fn *handler,
                                void *arg, struct rd_err **reterr)
{
    struct emu_listener *l = rd_calloc(1, sizeof(*l));
    *l = (struct emu_listener){
        .emu = e, .api = rd_strdup(api), .tls = tls, .handler = handler, .arg = arg};
    rd_list_init(&l->node);
    rd_list_init(&l->conns);
    struct sockaddr_in addr;
    uv_ip4_addr("127.0.0.1", 0, &addr);
    uv_tcp_init(e->loop, &l->tcp);
    int rc = uv_tcp_bind(&l->tcp, (const struct sockaddr *)&addr, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&l->tcp, 512, on_connection);
    int len = sizeof(addr);
    if (rc == 0)
        rc = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&addr, &len);
    if (rc != 0) {
        rd_fail(reterr, RD_ERR_FAILED, "cannot listen for %s: %s", api, uv_strerror(rc));
        l->closing = true;
        uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
        return NULL;
    }
    l->port = ntohs(addr.sin_port);
    rd_list_append(&e->server->listeners, &l->node);
    return l;
}

int emu_listener_port(const struct emu_listener *l)
{
    return l->port;
}

const char *emu_listener_api(const struct emu_listener *l)
{
    return l->api;
}

struct emu_listener *emu_listener_find(struct emu *e, const char *api)
{
    rd_list_foreach (it, &e->server->listeners) {
        struct emu_listener *l = container_of(it, struct emu_listener, node);
        if (rd_streq(l->api, api))
            return l;
    }
    return NULL;
}

struct emu_req *emu_req_new(struct emu_listener *l, struct emu_conn *c, struct emu_msg *take)
{
    struct emu_req *req = rd_calloc(1, sizeof(*req));
    req->emu = l->emu;
    req->listener = l;
    req->conn = c;
    req->msg = *take;
    *take = (struct emu_msg){0};
    req->seq = ++l->emu->server->seq;
    req->wall_us = wall_us();
    rd_list_init(&req->inside);
    rd_buf_init(&req->extra, EMU_HEAD_MAX);
    return req;
}

/* One line a request; the body as JSON if it is JSON. Written when the answer is known. */
static void log_line(struct emu_req *req, const char *api, const struct emu_msg *m, uint64_t seq,
                     int64_t at_us, int status, const struct emu_fault *f)
{
    char time[32];
    rd_rfc3339_us(at_us, time);
    json_t *line = rd_json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:i}", "seq", (json_int_t)seq, "time", time,
                                "api", api, "method", m->method, "path", m->path, "query", m->query,
                                "status", status);
    if (req->caller != NULL)
        json_object_set_new(line, "caller", json_string(req->caller));
    if (req->on_answer != NULL)
        json_object_set_new(line, "inside", json_true());
    json_t *body = NULL;
    if (req->body_secret)
        body = json_string("(secret)");
    else if (m->body_len > 0) {
        body = json_loadb(m->body, m->body_len, 0, NULL);
        if (body == NULL && rd_utf8_valid(m->body, m->body_len))
            body = json_stringn(m->body, m->body_len);
        if (body == NULL)
            body = json_sprintf("(%zu bytes)", m->body_len);
    }
    if (body != NULL)
        json_object_set_new(line, "body", body);
    if (f->effect != EMU_NONE)
        json_object_set_new(line, "fault", json_integer(f->effect));
    char *text = json_dumps(line, JSON_COMPACT);
    FILE *log = req->emu->server->log;
    if (text != NULL)
        fprintf(log, "%s\n", text);
    fflush(log);
    free(text);
    json_decref(line);
}

void emu_req_log(struct emu_req *req)
{
    if (req->logged)
        return;
    req->logged = true;
    log_line(req, req->listener->api, &req->msg, req->seq, req->wall_us, req->status, &req->fault);
}

static double draw(struct emu *e)
{
    return (double)(emu_rand(e) >> 11) / 9007199254740992.0;
}

struct emu_fault emu_tunnel_fault(struct emu_req *tunnel, const char *api, const struct emu_msg *m)
{
    struct emu *e = tunnel->emu;
    return emu_faults_pick(&e->faults, api, m->method, m->path, m->query, draw(e));
}

void emu_tunnel_log(struct emu_req *tunnel, const char *api, const struct emu_msg *m, int status,
                    const struct emu_fault *f)
{
    log_line(tunnel, api, m, ++tunnel->emu->server->seq, wall_us(), status, f);
}

void emu_req_end(struct emu_req *req)
{
    emu_req_log(req);
    struct emu_conn *c = req->conn;
    emu_timer_stop(&req->timer);
    rd_list_remove(&req->inside);
    json_decref(req->delayed);
    emu_msg_clear(&req->msg);
    rd_buf_clear(&req->extra);
    free(req->caller);
    free(req);
    if (c != NULL) {
        c->req = NULL;
        emu_conn_next(c);
    }
}

void emu_kill_victim(struct emu *e)
{
    const char *path = emu_setting(e, "victim");
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    int pid = 0;
    if (file == NULL || fscanf(file, "%d", &pid) != 1 || pid <= 1 || kill(pid, SIGKILL) != 0)
        fprintf(stderr, "raydeploy-emulator: a fault should kill the client, but the setting victim names "
                        "no file with its pid\n");
    if (file != NULL)
        fclose(file);
}

static void run_handler(struct emu_req *req)
{
    req->listener->handler(req, req->listener->arg);
}

static void on_delay(struct emu_timer *t)
{
    run_handler(container_of(t, struct emu_req, timer));
}

static void reply_fault(struct emu_req *req, int status)
{
    const char *grpc = status == 429   ? "RESOURCE_EXHAUSTED"
                       : status == 401 ? "UNAUTHENTICATED"
                       : status == 403 ? "PERMISSION_DENIED"
                       : status == 503 ? "UNAVAILABLE"
                       : status == 504 ? "DEADLINE_EXCEEDED"
                       : status >= 500 ? "INTERNAL"
                                       : "FAILED_PRECONDITION";
    json_t *body;
    if (rd_starts_with(req->listener->api, "kube"))
        body = rd_json_pack("{s:s, s:s, s:{}, s:s, s:s, s:s, s:i}", "kind", "Status", "apiVersion",
                            "v1", "metadata", "status", "Failure", "message",
                            "fault by rule of the emulator", "reason",
                            status == 429   ? "TooManyRequests"
                            : status == 401 ? "Unauthorized"
                            : status == 403 ? "Forbidden"
                            : status == 409 ? "Conflict"
                            : status == 503 ? "ServiceUnavailable"
                            : status == 504 ? "Timeout"
                                            : "InternalError",
                            "code", status);
    else
        body = rd_json_pack("{s:{s:i, s:s, s:s}}", "error", "code", status, "message",
                            "fault by rule of the emulator", "status", grpc);
    if (status == 429 || status == 503)
        emu_req_add_header(req, "Retry-After", "1");
    emu_reply_json(req, status, body);
}

void emu_server_dispatch(struct emu_req *req)
{
    struct emu *e = req->emu;
    struct emu_fault f = emu_faults_pick(&e->faults, req->listener->api, req->msg.method,
                                         req->msg.path, req->msg.query, draw(e));
    req->fault = f;
    if (f.effect == EMU_KILL) {
        emu_kill_victim(e);
        emu_drop(req);
    } else if (f.effect == EMU_STATUS)
        reply_fault(req, f.status);
    else if (f.effect == EMU_RESET)
        emu_drop(req);
    else if (f.effect == EMU_DELAY)
        emu_timer_start(&e->clock, &req->timer, (uint64_t)((double)f.delay_ms * e->clock.speed),
                        on_delay);
    else
        run_handler(req);
}

/* What may happen between a controller and the API it calls. It has no patience to lose and no machine to
 * kill: what is slow there is only slow, half an answer is none. */
static void on_inside(struct emu_timer *t)
{
    struct emu_req *req = container_of(t, struct emu_req, timer);
    struct emu *e = req->emu;
    if (emu_faults_inside(&e->faults))
        req->fault = emu_faults_pick_inside(&e->faults, req->listener->api, req->msg.method,
                                            req->msg.path, draw(e));
    switch (req->fault.effect) {
    case EMU_STATUS:
        reply_fault(req, req->fault.status);
        return;
    case EMU_RESET:
        emu_drop(req);
        return;
    case EMU_HALF:
        req->fault.effect = EMU_DROP_REPLY;
        break;
    case EMU_DELAY:
        emu_timer_start(&e->clock, &req->timer,
                        (uint64_t)((double)req->fault.delay_ms * e->clock.speed), on_delay);
        return;
    case EMU_NONE:
    case EMU_DROP_REPLY:
    case EMU_OP_FAIL:
        break;
    case EMU_KILL:
    case EMU_KILL_UNANSWERED:
    case EMU_KILL_ANSWERED:
        req->fault.effect = EMU_NONE;
        break;
    }
    run_handler(req);
}

void emu_call(struct emu *e, const char *api, const char *caller, const char *method,
              const char *path, json_t *take_body, emu_answer_fn *answer, void *arg)
{
    struct emu_listener *l = emu_listener_find(e, api);
    RD_ASSERT(l != NULL);
    size_t path_len = strcspn(path, "?");
    struct emu_msg msg = {
        .method = rd_strdup(method),
        .target = rd_strdup(path),
        .path = rd_strndup(path, path_len),
        .query = rd_strdup(path[path_len] == '?' ? path + path_len + 1 : ""),
        .body = take_body == NULL ? rd_strdup("") : rd_json_dump(take_body),
    };
    msg.body_len = strlen(msg.body);
    json_decref(take_body);
    struct emu_req *req = emu_req_new(l, NULL, &msg);
    req->caller = rd_strdup(caller);
    req->on_answer = answer;
    req->answer_arg = arg;
    rd_list_append(&e->server->inside, &req->inside);
    emu_timer_start(&e->clock, &req->timer, 0, on_inside);
}

const char *emu_req_header(const struct emu_req *req, const char *name)
{
    return emu_msg_header(&req->msg, name);
}

char *emu_req_query(const struct emu_req *req, const char *key)
{
    size_t key_len = strlen(key);
    for (const char *at = req->msg.query; *at != '\0';) {
        size_t len = strcspn(at, "&");
        size_t name_len = strcspn(at, "=&");
        RD_AUTOFREE char *name = emu_percent_decode(at, name_len, true);
        if (strlen(name) == key_len && rd_streq(name, key))
            return name_len < len ? emu_percent_decode(at + name_len + 1, len - name_len - 1, true)
                                  : rd_strdup("");
        at += len + (at[len] == '&');
    }
    return NULL;
}

bool emu_req_query_true(const struct emu_req *req, const char *key)
{
    RD_AUTOFREE char *value = emu_req_query(req, key);
    return rd_streq(value, "true") || rd_streq(value, "1");
}

json_t *emu_req_json(const struct emu_req *req)
{
    if (req->msg.body_len == 0)
        return json_object();
    json_t *v = json_loadb(req->msg.body, req->msg.body_len, 0, NULL);
    if (!json_is_object(v)) {
        json_decref(v);
        return NULL;
    }
    return v;
}
