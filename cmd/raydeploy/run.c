/* What every verb shares: saying, failing, connecting, running one op to its end. */
#include "verb.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 250

int verb_fail(struct verb_ctx *v, struct rd_err *take)
{
    int code = rd_err_exit_code(take->kind);
    rd_err_keep(&v->failure, &take);
    return code;
}

int verb_refuse(struct verb_ctx *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    struct rd_err *err = rd_err_new(RD_ERR_INPUT, "%s", text);
    rd_err_hint(err, "See `raydeploy %s --help`.", v->verb->name);
    return verb_fail(v, err);
}

void verb_say(struct verb_ctx *v, enum note_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    struct phase_note n = {.event = NOTE_LOG, .level = level, .message = text};
    v->notes->emit(v->notes, &n);
}

void verb_print(struct verb_ctx *v, const struct rd_buf *text)
{
    ui_print(v->ui, rd_buf_str(text), text->len);
}

void verb_print_json(struct verb_ctx *v, const json_t *tree)
{
    verb_print_json_of(v, tree, v->failure);
}

void verb_print_json_of(struct verb_ctx *v, const json_t *tree, const struct rd_err *err)
{
    RD_AUTOJSON json_t *all = json_copy((json_t *)tree); /* its top alone is changed */
    if (err)
        json_object_set_new(all, "error", ui_error_json(err));
    v->told = v->told || err;
    RD_AUTOFREE char *text = rd_json_dump(all);
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(&b, "%s\n", text);
    verb_print(v, &b);
}

bool verb_flag(const struct verb_ctx *v, const char *name)
{
    return json_is_true(json_object_get(v->config.verb_flags, name));
}

const char *verb_flag_text(const struct verb_ctx *v, const char *name)
{
    return json_string_value(json_object_get(v->config.verb_flags, name));
}

/* ---- Connecting ---- */

void verb_on_request(void *ctx, const struct http_req *r)
{
    struct verb_ctx *v = ctx;
    RD_AUTOFREE char *what = rd_asprintf("%s %s", r->method, r->url);
    struct phase_note n = {.event = NOTE_REQUEST,
                           .level = NOTE_DEBUG,
                           .resource = what,
                           .http_status = (int)r->status,
                           .error = r->op.err,
                           .message = r->op.err ? r->op.err->message : NULL,
                           .elapsed_ms =
                               r->ended_ms > r->started_ms ? r->ended_ms - r->started_ms : 0};
    v->notes->emit(v->notes, &n);
}

static void on_warning(void *ctx, const char *text)
{
    verb_say(ctx, NOTE_WARN, "%s", text);
}

static void on_retry(void *ctx, const struct rd_err *why, uint64_t delay_ms)
{
    char text[32];
    rd_duration_text(delay_ms, text);
    verb_say(ctx, NOTE_WARN, "%s; trying again in %s", why->message, text);
}

struct k8s_client *verb_connect(struct verb_ctx *v, struct rd_err **reterr)
{
    struct k8s_config_options where = {.path = v->config.kubeconfig, .context = v->config.context};
    struct k8s_client_options o = {.observe = verb_on_request,
                                   .observe_ctx = v,
                                   .warn = on_warning,
                                   .warn_ctx = v,
                                   .retry = on_retry,
                                   .retry_ctx = v};
    if (!k8s_config_load(&where, &o.config, reterr))
        return NULL;
    return k8s_client_new(v->loop, &o);
}

bool verb_load_files(struct verb_ctx *v, struct manifest_list *l, struct rd_err **reterr)
{
    const struct rd_strv *files = &v->config.files;
    if (files->len == 0) {
        rd_fail(reterr, RD_ERR_INPUT, "no manifest is given: use -f FILE, -f FOLDER or -f -");
        return false;
    }
    for (size_t i = 0; i < files->len; i++)
        if (!manifest_load(l, files->v[i], reterr))
            return false;
    return manifest_require(l, files->len == 1 ? files->v[0] : "the given files", reterr);
}

/* ---- Names ---- */

void verb_object_name(struct rd_buf *out, const json_t *object)
{
    const char *kind = rd_json_str(object, "kind", NULL);
    const char *api = rd_json_str(object, "apiVersion", NULL);
    const char *slash = api ? strchr(api, '/') : NULL;
    RD_AUTOBUF struct rd_buf raw = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (const char *p = kind ? kind : "object"; *p; p++)
        rd_buf_putc(&raw, (char)tolower((unsigned char)*p));
    if (slash)
        rd_buf_printf(&raw, ".%.*s", (int)(slash - api), api);
    rd_buf_printf(&raw, "/%s", rd_json_str(object, "metadata", "name", NULL));
    ui_clean(out, rd_buf_str(&raw));
}

json_t *verb_object_json(const json_t *object)
{
    const char *ns = rd_json_str(object, "metadata", "namespace", NULL);
    json_t *o = rd_json_pack(
        "{s:s, s:s, s:s}", "apiVersion", rd_json_str(object, "apiVersion", NULL), "kind",
        rd_json_str(object, "kind", NULL), "name", rd_json_str(object, "metadata", "name", NULL));
    if (ns)
        json_object_set_new(o, "namespace", json_string(ns));
    return o;
}

/* ---- One op to its end ---- */

struct run {
    struct op root; /* of the verb's op; steps four times a second for the window's sake */
    struct verb_ctx *v;
    struct op *op;
    void (*start)(struct op *parent, void *ctx);
    void *ctx;
    bool started;
    int signum; /* the first that came; 0: none */
};

static void on_signal(void *ctx, int signum)
{
    struct run *r = ctx;
    if (signum == SIGHUP) {
        ui_detach(r->v->ui);
        return;
    }
    if (r->signum)
        _exit(128 + signum); /* asked twice: now */
    r->signum = signum;
    verb_say(r->v, NOTE_WARN, "stopping; once more to leave at once");
    op_cancel(&r->root);
}

static void run_step(struct op *op)
{
    struct run *r = container_of(op, struct run, root);
    if (!r->started && !op->cancelled) {
        r->started = true;
        r->start(op, r->ctx);
    }
    if (!r->started || op_ended(r->op)) {
        op_finish(op, r->started ? op_take_err(r->op) : NULL);
        return;
    }
    ui_tick(r->v->ui, op_now_ms(op));
    op_set_alarm(op, op_now_ms(op) + TICK_MS);
}

static void hear_signals(struct run *r, bool on)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < RD_ARRAY_LEN(signals); i++)
        loop_on_signal(r->v->loop, signals[i], on ? on_signal : NULL, on ? r : NULL);
}

int verb_run_op(struct verb_ctx *v, struct op *op, void (*start)(struct op *parent, void *ctx),
                void *ctx)
{
    struct run r = {.v = v, .op = op, .start = start, .ctx = ctx};
    hear_signals(&r, true);
    op_start_root(&r.root, v->loop, run_step, v->verb->name);
    if (v->config.timeout_ms)
        op_set_timeout(&r.root, v->config.timeout_ms);
    loop_run(v->loop, &r.root);
    hear_signals(&r, false);
    struct rd_err *err = op_take_err(&r.root);
    if (!err)
        return 0;
    if (r.signum) {
        rd_err_free(err);
        rd_str_take(&v->result,
                    rd_asprintf("interrupted; what was sent stands, and the same command "
                                "goes on from there"));
        return 128 + r.signum;
    }
    return verb_fail(v, err);
}
