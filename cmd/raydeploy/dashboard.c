/* dashboard, grafana: a local port that leads to the head pod, or to Grafana's Service, until
 * interrupted. Each new connection goes to the pod that is current then. */
#include "ray_way.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "deploy.h"
#include "k8s/forward.h"
#include "loop/proc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GRAFANA_PORT 3000
#define LOOK_MS 30000

enum { OPEN_BEGIN, OPEN_TARGET, OPEN_LOGIN, OPEN_CHART_LOGIN, OPEN_FORWARD };

struct opened {
    struct op op;
    struct verb_ctx *v;
    struct k8s_client *client;
    bool grafana;
    int state;
    char *ns, *name; /* owned: of the RayCluster, or of the Service */
    char *bind;      /* owned */
    uint16_t port;
    struct k8s_call get;
    struct k8s_forward forward;
    bool forwarding, browsing;
    struct op_proc browser;
    char *secret, *user, *password; /* owned; NULL: not known, or not to be shown */
};

static void opened_clear(struct opened *o)
{
    if (o->forwarding)
        k8s_forward_clear(&o->forward);
    if (o->browsing)
        op_proc_clear(&o->browser);
    rd_err_free(op_take_err(&o->browser.op));
    k8s_call_clear(&o->get);
    rd_err_free(op_take_err(&o->get.op));
    if (o->client)
        k8s_client_free(o->client);
    if (o->password)
        rd_wipe(o->password, strlen(o->password));
    free(o->password);
    free(o->user);
    free(o->secret);
    free(o->ns);
    free(o->name);
    free(o->bind);
}

/* ---- The login ---- */

static char *secret_value(const json_t *secret, const char *key)
{
    const char *text = rd_json_str(secret, "data", key, NULL);
    size_t len = 0;
    unsigned char *raw = text ? rd_base64_decode(text, strlen(text), &len) : NULL;
    char *value = raw ? rd_strndup((const char *)raw, len) : NULL;
    if (raw)
        rd_wipe(raw, len);
    free(raw);
    return value;
}

static void ask(struct opened *o, const char *api, const char *kind, const char *name, int state)
{
    const struct k8s_resource *r = k8s_resource_find(o->client, api, kind);
    RD_ASSERT(r); /* all of them are compiled in */
    o->state = state;
    k8s_call_clear(&o->get);
    k8s_get_init(&o->get, o->client, r, o->ns, name);
    o->get.timeout_ms = LOOK_MS;
    o->get.not_found_ok = state != OPEN_TARGET;
    k8s_call_start(&o->get, &o->op);
}

static void ask_login(struct opened *o)
{
    if (!o->grafana && o->secret && verb_flag(o->v, "show-password")) {
        ask(o, "v1", "Secret", o->secret, OPEN_LOGIN);
        return;
    }
    if (!o->grafana) {
        o->state = OPEN_FORWARD;
        op_wake(&o->op);
        return;
    }
    rd_str_take(&o->secret, rd_asprintf("%s-grafana-admin", o->v->config.name));
    ask(o, "v1", "Secret", o->secret, OPEN_LOGIN);
}

static void read_login(struct opened *o)
{
    struct rd_err *err = op_take_err(&o->get.op);
    if (!err && !o->get.result && o->grafana && o->state == OPEN_LOGIN) {
        rd_str_dup(&o->secret, o->name); /* a release that is not ours keeps it under its own name */
        ask(o, "v1", "Secret", o->secret, OPEN_CHART_LOGIN);
        return;
    }
    if (err)
        verb_say(o->v, NOTE_WARN, "the login is not known: %s", err->message);
    if (o->get.result) {
        o->user = o->grafana ? secret_value(o->get.result, "admin-user") : NULL;
        if (verb_flag(o->v, "show-password"))
            o->password = secret_value(o->get.result, o->grafana ? "admin-password" : RAY_TOKEN_KEY);
    } else {
        rd_str_take(&o->secret, NULL);
    }
    rd_json_decrefp(&o->get.result);
    rd_err_free(err);
    o->state = OPEN_FORWARD;
    op_wake(&o->op);
}

/* ---- The forward ---- */

static char *url_of(const struct opened *o)
{
    const char *host = rd_streq(o->bind, "0.0.0.0") ? "127.0.0.1" : o->bind;
    bool six = strchr(host, ':') != NULL;
    return rd_asprintf("http://%s%s%s:%u", six ? "[" : "", host, six ? "]" : "",
                       o->forward.local_port);
}

static void open_browser(struct opened *o, const char *url)
{
#ifdef __APPLE__
    const char *argv[] = {"open", url, NULL};
#else
    const char *argv[] = {"xdg-open", url, NULL};
#endif
    struct op_proc_options how = {
        .file = argv[0], .argv = argv, .quiet_stderr = true, .out_max = 65536};
    o->browsing = true;
    op_proc_start(&o->browser, &o->op, &how);
}

static void print_url(struct opened *o, const char *url)
{
    struct verb_ctx *v = o->v;
    if (v->config.json_output) {
        RD_AUTOJSON json_t *t = rd_json_pack("{s:s, s:s, s:s, s:s, s:i, s:s?, s:s?}", "url", url,
                                             o->grafana ? "service" : "cluster", o->name, "namespace",
                                             o->ns, "address", o->bind, "port",
                                             (int)o->forward.local_port, "user", o->user,
                                             "login_secret", o->secret);
        verb_print_json(v, t);
        return;
    }
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(&text, "%s\n", url);
    verb_print(v, &text);
    if (o->user)
        verb_say(v, NOTE_INFO, "user %s; the password is in Secret %s/%s%s", o->user, o->ns, o->secret,
                 o->password ? "" : " (--show-password shows it)");
    else if (o->secret)
        verb_say(v, NOTE_INFO, "the dashboard asks for the token in Secret %s/%s%s", o->ns, o->secret,
                 o->password ? "" : " (--show-password shows it)");
    if (!o->password)
        return;
    /* Straight to the terminal, past the log file. */
    rd_buf_reset(&text);
    rd_buf_printf(&text, "%s ", o->grafana ? "password" : "token");
    rd_text_escape(&text, o->password, strlen(o->password), false);
    rd_buf_putc(&text, '\n');
    verb_print(v, &text);
    rd_wipe(text.data, text.len);
}

static void on_listening(struct k8s_forward *f)
{
    struct opened *o = f->ctx;
    RD_AUTOFREE char *url = url_of(o);
    print_url(o, url);
    verb_say(o->v, NOTE_INFO, "%s %s/%s at %s until interrupted", o->grafana ? "Service" : "RayCluster",
             o->ns, o->name, url);
    if (verb_flag(o->v, "open"))
        open_browser(o, url);
}

static void on_note(struct k8s_forward *f, const char *text)
{
    struct opened *o = f->ctx;
    verb_say(o->v, NOTE_WARN, "%s", text);
}

static void start_forward(struct opened *o, uint16_t remote)
{
    o->forwarding = true;
    k8s_forward_init(&o->forward, o->client, o->ns, remote);
    if (o->grafana)
        rd_str_dup(&o->forward.service, o->name);
    else
        rd_str_take(&o->forward.selector,
                    rd_asprintf("ray.io/cluster=%s,ray.io/node-type=head", o->name));
    o->forward.bind_host = o->bind;
    o->forward.local_port = o->port;
    o->forward.on_listening = on_listening;
    o->forward.on_note = on_note;
    o->forward.ctx = o;
}

/* ---- Steps ---- */

static struct rd_err *not_there(const struct opened *o)
{
    RD_AUTOFREE char *flags = deploy_flags(o->v);
    struct rd_err *err = rd_err_new(RD_ERR_NOT_FOUND, "there is no %s %s in namespace %s",
                                    o->grafana ? "Service" : "RayCluster", o->name, o->ns);
    rd_err_hint(err, "Make it with: raydeploy %s%s", o->grafana ? "monitoring install" : "up", flags);
    return err;
}

static void read_target(struct opened *o)
{
    struct rd_err *err = op_take_err(&o->get.op);
    if (err) {
        bool absent = err->kind == RD_ERR_NOT_FOUND;
        if (absent)
            rd_err_free(err);
        op_finish(&o->op, absent ? not_there(o) : err);
        return;
    }
    const json_t *port = json_array_get(rd_json_path(o->get.result, "spec.ports"), 0);
    json_int_t remote = o->grafana ? rd_json_path_int(port, "port", 80) : RAY_DASHBOARD_PORT;
    if (remote < 1 || remote > 65535)
        remote = 80;
    if (!o->grafana)
        o->secret = ray_token_secret(o->get.result);
    start_forward(o, (uint16_t)remote);
    ask_login(o);
}

static void opened_step(struct op *op)
{
    struct opened *o = container_of(op, struct opened, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    switch (o->state) {
    case OPEN_BEGIN:
        if (o->grafana)
            ask(o, "v1", "Service", o->name, OPEN_TARGET);
        else
            ask(o, "ray.io/v1", "RayCluster", o->name, OPEN_TARGET);
        return;
    case OPEN_TARGET:
        if (op_ended(&o->get.op))
            read_target(o);
        return;
    case OPEN_LOGIN:
    case OPEN_CHART_LOGIN:
        if (op_ended(&o->get.op))
            read_login(o);
        return;
    case OPEN_FORWARD:
        if (o->forward.op.life == OP_IDLE) {
            k8s_forward_start(&o->forward, op);
            return;
        }
        if (o->browsing && op_ended(&o->browser.op) && o->browser.op.err) {
            verb_say(o->v, NOTE_WARN, "no browser was opened: %s", o->browser.op.err->message);
            rd_err_free(op_take_err(&o->browser.op));
        }
        if (op_ended(&o->forward.op))
            op_finish(op, op_take_err(&o->forward.op));
        return;
    }
    RD_UNREACHABLE();
}

static void begin(struct op *parent, void *ctx)
{
    struct opened *o = ctx;
    op_start(&o->op, parent, opened_step, o->grafana ? "grafana" : "dashboard");
}

/* ---- The verbs ---- */

static bool read_flags(struct opened *o, uint16_t usual, struct rd_err **reterr)
{
    const char *port = verb_flag_text(o->v, "port"), *bind = verb_flag_text(o->v, "address");
    char *end = NULL;
    long n = port ? strtol(port, &end, 10) : usual;
    if (port && (end == port || *end || n < 0 || n > 65535))
        return rd_fail(reterr, RD_ERR_INPUT, "--port \"%.100s\" is not a number from 0 to 65535", port);
    if (verb_flag(o->v, "show-password") && (!isatty(STDOUT_FILENO) || o->v->config.json_output))
        return rd_fail(reterr, RD_ERR_INPUT, "--show-password shows it on a terminal only");
    o->port = (uint16_t)n;
    o->bind = rd_strdup(!bind || rd_streq(bind, "localhost") ? "127.0.0.1" : bind);
    if (!rd_starts_with(o->bind, "127.") && !rd_streq(o->bind, "::1"))
        verb_say(o->v, NOTE_WARN, "whoever reaches %s of this machine reaches %s", o->bind,
                 o->grafana ? "Grafana" : "the dashboard, which runs what it is told");
    return true;
}

static int run(struct verb_ctx *v, bool grafana)
{
    struct opened o = {.v = v, .grafana = grafana};
    struct rd_err *err = NULL;
    int code;
    bool ok = verb_deployment(v, &err) &&
              read_flags(&o, grafana ? GRAFANA_PORT : RAY_DASHBOARD_PORT, &err);
    if (ok)
        o.client = verb_workload(v, NULL, &err);
    if (o.client) {
        o.ns = grafana ? rd_strdup(v->config.monitoring.ns) : config_namespace(&v->config);
        o.name = grafana ? rd_asprintf("%s-grafana", v->config.monitoring.release)
                         : rd_strdup(v->config.name);
        code = verb_run_op(v, &o.op, begin, &o);
        if (code > 128 && v->result && !v->failure)
            rd_str_take(&v->result, rd_strdup("the forward has ended"));
    } else {
        code = verb_fail(v, err);
    }
    opened_clear(&o);
    return code;
}

static int run_dashboard(struct verb_ctx *v)
{
    return run(v, false);
}

static int run_grafana(struct verb_ctx *v)
{
    return run(v, true);
}

#define COMMON_FLAGS                                                                               \
    {"address", NULL, "IP", false, "where to listen; default 127.0.0.1"},                          \
        {"open", NULL, NULL, false, "start a browser there"},                                      \
        {NULL, NULL, NULL, false, NULL}

static const struct config_verb_flag dashboard_flags[] = {
    {"port", NULL, "PORT", false, "the local port; default 8265, 0 for any that is free"},
    {"show-password", NULL, NULL, false, "show the dashboard's token, on a terminal only"},
    COMMON_FLAGS,
};
static const struct config_verb_flag grafana_flags[] = {
    {"port", NULL, "PORT", false, "the local port; default 3000, 0 for any that is free"},
    {"show-password", NULL, NULL, false, "show Grafana's password, on a terminal only"},
    COMMON_FLAGS,
};

const struct verb verb_dashboard = {
    .name = "dashboard",
    .summary = "Ray's dashboard at http://127.0.0.1:8265 until interrupted",
    .help = "Goes on when the head pod is replaced: new connections lead to the new one.",
    .flags = dashboard_flags,
    .run = run_dashboard,
};

const struct verb verb_grafana = {
    .name = "grafana",
    .summary = "Grafana at http://127.0.0.1:3000 until interrupted",
    .help = "The Service of `raydeploy monitoring install`, or of a release monitoring.release in\n"
            "monitoring.namespace.",
    .flags = grafana_flags,
    .run = run_grafana,
};
