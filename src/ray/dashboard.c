/* The way to a dashboard: where requests go, and the token that goes with them. */
#include "ray/dashboard.h"

#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "ray/dashboard_internal.h"

#define RAY_REQUESTS_MAX 8

enum secret_state { SECRET_NONE, SECRET_WANTED, SECRET_READING, SECRET_READ };

/* ---- The token, as a credential source with a single flight ---- */

void ray_dashboard_call_comes(struct ray_dashboard *d)
{
    if (d->token_secret && d->secret_state == SECRET_NONE) {
        d->secret_state = SECRET_WANTED;
        op_wake(&d->op);
    }
}

static void wait_step(struct op *op)
{
    struct http_auth_wait *w = container_of(op, struct http_auth_wait, op);
    struct ray_dashboard *d = container_of(w->auth, struct ray_dashboard, auth);
    if (!op->cancelled && !d->failure && d->secret_state != SECRET_READ) {
        ray_dashboard_call_comes(d);
        return;
    }
    rd_list_remove(&w->waiting);
    op_finish(op, op->cancelled || !d->failure ? NULL : rd_err_dup(d->failure));
}

static bool token_ensure(struct http_auth *a, struct http_auth_wait *wait, struct op *parent)
{
    struct ray_dashboard *d = container_of(a, struct ray_dashboard, auth);
    if (!d->token_secret || d->secret_state == SECRET_READ)
        return true;
    wait->auth = a;
    op_start(&wait->op, parent, wait_step, "token");
    rd_list_init(&wait->waiting);
    rd_list_append(&d->token_waiting, &wait->waiting);
    return false;
}

static void token_apply(struct http_auth *a, struct http_req *r)
{
    struct ray_dashboard *d = container_of(a, struct ray_dashboard, auth);
    if (!rd_secret_is_set(&d->token))
        return;
    char *value = rd_asprintf("Bearer %s", d->token.data);
    http_req_header(r, "Authorization", value);
    /* An API server that proxies keeps Authorization for itself; Ray takes this one as well. */
    http_req_header(r, "X-Ray-Authorization", value);
    rd_wipe(value, strlen(value));
    free(value);
}

static void token_invalidate(struct http_auth *a)
{
    struct ray_dashboard *d = container_of(a, struct ray_dashboard, auth);
    if (d->secret_state == SECRET_READ)
        d->secret_state = SECRET_NONE; /* a cluster made anew has a new token */
}

static void token_free(struct http_auth *a)
{
    (void)a; /* lives in the dashboard */
}

static const struct http_auth_ops token_ops = {token_ensure, token_apply, token_invalidate,
                                               token_free};

bool ray_token_decode(const json_t *secret, struct rd_secret *ret, struct rd_err **reterr)
{
    const char *name = rd_json_str(secret, "metadata", "name", NULL);
    const char *text = rd_json_str(secret, "data", RAY_TOKEN_KEY, NULL);
    size_t len = 0;
    unsigned char *raw = text ? rd_base64_decode(text, strlen(text), &len) : NULL;
    bool ok = raw && len > 0;
    /* It goes into a header: visible ASCII only. */
    for (size_t i = 0; ok && i < len; i++)
        ok = raw[i] > 0x20 && raw[i] < 0x7f;
    if (ok)
        rd_secret_set(ret, (const char *)raw, len);
    else
        rd_fail(reterr, RD_ERR_CREDENTIALS, "Secret/%s has no usable key %s", name ? name : "?",
                RAY_TOKEN_KEY);
    if (raw)
        rd_wipe(raw, len);
    free(raw);
    return ok;
}

/* ---- The op ---- */

void ray_dashboard_init(struct ray_dashboard *d)
{
    *d = (struct ray_dashboard){0};
    rd_list_init(&d->waiting);
    rd_list_init(&d->token_waiting);
}

void ray_dashboard_clear(struct ray_dashboard *d)
{
    rd_freep(&d->address);
    rd_freep(&d->ns);
    rd_freep(&d->cluster);
    rd_freep(&d->token_secret);
    rd_freep(&d->base);
    rd_secret_clear(&d->token);
    http_tls_clear(&d->tls);
    if (d->http)
        http_client_free(d->http);
    d->http = NULL;
    k8s_forward_clear(&d->forward);
    k8s_call_clear(&d->secret);
    rd_err_free(op_take_err(&d->secret.op));
    rd_err_freep(&d->failure);
    rd_err_free(op_take_err(&d->op));
}

static void dashboard_tell(struct ray_dashboard *d)
{
    rd_list_foreach (it, &d->waiting)
        op_wake(&container_of(it, struct ray_call, waiting)->op);
    rd_list_foreach (it, &d->token_waiting)
        op_wake(&container_of(it, struct http_auth_wait, waiting)->op);
}

static void on_listening(struct k8s_forward *f)
{
    struct ray_dashboard *d = f->ctx;
    d->base = rd_asprintf("http://%s:%u", f->bind_host, f->local_port);
    d->ready = true;
    dashboard_tell(d);
}

static void on_note(struct k8s_forward *f, const char *text)
{
    struct ray_dashboard *d = f->ctx;
    if (d->on_note)
        d->on_note(d, text);
}

static void dashboard_connect(struct ray_dashboard *d)
{
    struct http_client_options o = {.http1_only = true, .in_flight_max = RAY_REQUESTS_MAX};
    struct rd_err *err = NULL;
    if (d->address && !http_url_check(d->address, &err)) {
        op_finish(&d->op, err);
        return;
    }
    if (d->address) {
        /* A bare host:port of a dashboard is plain HTTP. */
        d->base = strstr(d->address, "://") ? rd_strdup(d->address)
                                            : rd_asprintf("http://%s", d->address);
        o.tls = d->tls;
        d->tls = (struct http_tls){0};
        d->ready = true;
    } else {
        o.proxy = rd_strdup(""); /* loopback: never through a proxy of the environment */
        k8s_forward_init(&d->forward, d->client, d->ns, RAY_DASHBOARD_PORT);
        d->forward.selector = rd_asprintf("ray.io/cluster=%s,ray.io/node-type=head", d->cluster);
        d->forward.on_listening = on_listening;
        d->forward.on_note = on_note;
        d->forward.ctx = d;
        k8s_forward_start(&d->forward, &d->op);
    }
    d->http = http_client_new(d->op.loop, &o);
    dashboard_tell(d);
}

static void secret_start(struct ray_dashboard *d)
{
    const struct k8s_resource *secrets = k8s_resource_find(d->client, "v1", "Secret");
    RD_ASSERT(secrets); /* compiled in */
    k8s_call_clear(&d->secret);
    k8s_get_init(&d->secret, d->client, secrets, d->ns, d->token_secret);
    d->secret_state = SECRET_READING;
    k8s_call_start(&d->secret, &d->op);
}

static void secret_read(struct ray_dashboard *d)
{
    struct rd_err *err = op_take_err(&d->secret.op);
    if (!err && ray_token_decode(d->secret.result, &d->token, &err)) {
        d->secret_state = SECRET_READ;
        d->auth.generation++;
        rd_json_decrefp(&d->secret.result);
        dashboard_tell(d);
        return;
    }
    if (!d->ready && err->kind == RD_ERR_NOT_FOUND) {
        rd_err_free(err); /* KubeRay makes it before the head: there is no head yet either */
        d->secret_state = SECRET_NONE;
        return;
    }
    rd_err_wrap(err, "token of the dashboard");
    d->failure = err;
    dashboard_tell(d);
}

static void dashboard_step(struct op *op)
{
    struct ray_dashboard *d = container_of(op, struct ray_dashboard, op);
    if (op->cancelled) {
        d->ready = false;
        if (!d->failure)
            d->failure = rd_err_new(RD_ERR_CANCELLED, "the connection to the dashboard was closed");
        dashboard_tell(d);
        op_finish(op, NULL);
        return;
    }
    if (!d->http) {
        dashboard_connect(d);
        if (!op_running(op) || !d->http)
            return;
    }
    if (d->secret_state == SECRET_WANTED)
        secret_start(d);
    else if (d->secret_state == SECRET_READING && op_ended(&d->secret.op))
        secret_read(d);
    if (!d->address && !d->failure && op_ended(&d->forward.op)) {
        struct rd_err *err = op_take_err(&d->forward.op);
        d->failure =
            err ? err : rd_err_new(RD_ERR_TRANSIENT, "the port-forward to the dashboard ended");
        dashboard_tell(d);
    }
    if (d->failure) {
        d->ready = false;
        op_finish(op, rd_err_dup(d->failure));
    }
}

void ray_dashboard_start(struct ray_dashboard *d, struct op *parent)
{
    RD_ASSERT(d->address || (d->client && d->ns && d->cluster));
    RD_ASSERT(!d->token_secret || d->client);
    d->auth.ops = &token_ops;
    op_start(&d->op, parent, dashboard_step, "dashboard");
}
