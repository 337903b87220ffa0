#include "local/docker.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL_MS 60000
#define BODY_MAX ((size_t)16 << 20)
#define LINE_MAX_BYTES ((size_t)1 << 20)

/* ---- Where it is ---- */

bool docker_host_read(const char *host, char **ret_socket, char **ret_base, struct rd_err **reterr)
{
    *ret_socket = *ret_base = NULL;
    if (rd_starts_with(host, "unix://") && host[7] == '/') {
        *ret_socket = rd_strdup(host + 7);
        *ret_base = rd_strdup("http://docker");
        return true;
    }
    if (rd_starts_with(host, "tcp://")) {
        const char *at = host + 6;
        static const char *const loopback[] = {"127.", "localhost:", "[::1]:"};
        for (size_t i = 0; i < RD_ARRAY_LEN(loopback); i++)
            if (rd_starts_with(at, loopback[i]) && strchr(at, ':')) {
                *ret_base = rd_asprintf("http://%s", at);
                if (http_url_check(*ret_base, reterr))
                    return true;
                rd_freep(ret_base);
                rd_err_wrap(*reterr, "DOCKER_HOST");
                return false;
            }
    }
    rd_fail(reterr, RD_ERR_INPUT, "DOCKER_HOST is \"%.200s\"", host);
    rd_err_hint(*reterr, "A local cluster needs an engine on this machine: unix:///path/docker.sock, or "
                         "tcp://127.0.0.1:PORT.");
    return false;
}

static char *usual_socket(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    RD_AUTOFREE char *rootless = runtime ? rd_asprintf("%s/docker.sock", runtime) : NULL;
    bool own = rootless && access("/var/run/docker.sock", F_OK) != 0 && rd_path_exists(rootless);
    return rd_strdup(own ? rootless : "/var/run/docker.sock");
}

bool docker_open(struct docker *d, struct loop *l, const char *host, struct rd_err **reterr)
{
    *d = (struct docker){0};
    struct http_client_options o = {.proxy = rd_strdup(""), .http1_only = true};
    if (host && *host) {
        if (!docker_host_read(host, &o.unix_socket, &d->base, reterr)) {
            free(o.proxy);
            return false;
        }
        d->origin = rd_strdup(host);
    } else {
        o.unix_socket = usual_socket();
        d->base = rd_strdup("http://docker");
        d->origin = rd_asprintf("unix://%s", o.unix_socket);
    }
    d->http = http_client_new(l, &o);
    return true;
}

void docker_close(struct docker *d)
{
    if (d->http)
        http_client_free(d->http);
    rd_freep(&d->origin);
    rd_freep(&d->base);
    d->http = NULL;
}

/* ---- One request ---- */

void docker_url(struct http_url *u, const struct docker *d, const char *path)
{
    http_url_init(u, d->base);
    http_url_path(u, path);
}

void docker_call_init(struct docker_call *c, struct docker *d, const char *method,
                      struct http_url *u, const char *what, const char *subject)
{
    docker_call_clear(c);
    c->d = d;
    c->what = what;
    c->subject = rd_strdup(subject);
    http_req_init(&c->req, d->http, method, http_url_str(u));
    http_url_clear(u);
    c->req.resp.max = BODY_MAX;
    c->started = true;
}

void docker_call_json(struct docker_call *c, const json_t *body)
{
    char *text = rd_json_dump(body);
    http_req_body(&c->req, "application/json", text, strlen(text));
}

void docker_call_clear(struct docker_call *c)
{
    if (c->started) {
        http_req_clear(&c->req);
        rd_err_free(op_take_err(&c->req.op));
    }
    rd_err_free(op_take_err(&c->op));
    json_decref(c->result);
    free(c->subject);
    memset(c, 0, sizeof(*c));
}

static struct rd_err *unreachable(struct docker_call *c, struct rd_err *take)
{
    if (c->req.status || take->kind == RD_ERR_CANCELLED || take->kind == RD_ERR_INPUT)
        return take;
    struct rd_err *err = rd_err_new(RD_ERR_PREFLIGHT, "Docker does not answer at %s: %s", c->d->origin,
                                    take->message);
    rd_err_hint(err, "Install and start Docker (Debian: apt install docker.io), let this user reach its "
                     "socket (group docker), or name another with DOCKER_HOST.");
    rd_err_resource(err, "%s", c->d->origin);
    rd_err_free(take);
    return err;
}

static struct rd_err *refused(struct docker_call *c)
{
    RD_AUTOERR struct rd_err *bad = NULL;
    RD_AUTOJSON json_t *said = rd_json_parse(c->req.resp.data ? c->req.resp.data : "", c->req.resp.len,
                                             "the engine's answer", &bad);
    const char *text = rd_json_str(said, "message", NULL);
    enum rd_err_kind kind = c->req.status == 404   ? RD_ERR_NOT_FOUND
                            : c->req.status == 401 || c->req.status == 403 ? RD_ERR_CREDENTIALS
                                                                             : RD_ERR_FAILED;
    struct rd_err *err = rd_err_new(kind, "cannot %s %s: Docker answered %ld%s%.500s", c->what,
                                    c->subject, c->req.status, text ? ": " : "", text ? text : "");
    err->http_status = (int)c->req.status;
    rd_err_resource(err, "%s", c->subject);
    if (text)
        rd_str_dup(&err->remote, text);
    return err;
}

static void call_step(struct op *op)
{
    struct docker_call *c = container_of(op, struct docker_call, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!op_ended(&c->req.op)) {
        if (c->stream && op->parent && c->req.status >= 200 && c->req.status < 300)
            op_wake(op->parent);
        return;
    }
    struct rd_err *err = op_take_err(&c->req.op);
    if (err) {
        op_finish(op, unreachable(c, err));
        return;
    }
    if (c->req.status >= 400) {
        op_finish(op, c->missing_ok && c->req.status == 404 ? NULL : refused(c));
        return;
    }
    if (!c->raw && !c->stream && c->req.resp.len)
        c->result = rd_json_parse(c->req.resp.data, c->req.resp.len, "the engine's answer", &err);
    op_finish(op, err);
}

void docker_call_start(struct docker_call *c, struct op *parent)
{
    c->req.stream = c->stream;
    if (c->stream)
        c->req.idle_ms = 0;
    op_start(&c->op, parent, call_step, c->what);
    if (!c->stream)
        op_set_timeout(&c->op, CALL_MS);
    http_req_start(&c->req, &c->op);
}

/* ---- Pure parts ---- */

json_t *docker_next_line(struct rd_buf *in)
{
    for (;;) {
        char *end = in->len ? memchr(in->data, '\n', in->len) : NULL;
        if (!end) {
            if (in->len > LINE_MAX_BYTES)
                rd_buf_reset(in);
            return NULL;
        }
        size_t n = (size_t)(end - in->data);
        RD_AUTOERR struct rd_err *bad = NULL;
        json_t *line = n > 1 ? rd_json_parse(in->data, n, "progress", &bad) : NULL;
        rd_buf_consume(in, n + 1);
        if (line)
            return line;
    }
}

#define TAR_BLOCK 512

bool docker_untar(const char *data, size_t len, struct rd_buf *out)
{
    while (len >= TAR_BLOCK && data[0]) {
        char field[13] = {0};
        memcpy(field, data + 124, 12);
        char *end;
        unsigned long long size = strtoull(field, &end, 8);
        if (end == field || size > len - TAR_BLOCK)
            return false;
        char type = data[156];
        if (type == '0' || type == '\0') {
            rd_buf_append(out, data + TAR_BLOCK, (size_t)size);
            return !out->overflow;
        }
        size_t whole = TAR_BLOCK + ((size_t)size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        if (whole > len)
            return false;
        data += whole;
        len -= whole;
    }
    return false;
}

void docker_unframe(const char *data, size_t len, struct rd_buf *out)
{
    while (len >= 8) {
        const unsigned char *h = (const unsigned char *)data;
        if (h[0] > 2 || h[1] || h[2] || h[3]) {
            rd_buf_append(out, data, len); /* a terminal's log has no frames */
            return;
        }
        size_t n = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
        data += 8;
        len -= 8;
        if (n > len)
            n = len;
        rd_buf_append(out, data, n);
        data += n;
        len -= n;
    }
}
