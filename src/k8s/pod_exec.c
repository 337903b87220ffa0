#include "k8s/pod_exec.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define OUT_MAX ((size_t)16 << 20)
#define ERR_MAX ((size_t)64 << 10)

enum { CH_OUT = 1, CH_ERR = 2, CH_STATUS = 3 };

void k8s_pod_exec_init(struct k8s_pod_exec *x, struct k8s_client *c, const char *ns,
                       const char *pod, const char *container)
{
    *x = (struct k8s_pod_exec){.client = c, .exit_code = -1, .channel = -1};
    x->ns = rd_strdup(ns);
    x->pod = rd_strdup(pod);
    x->container = rd_strdup(container);
    rd_buf_init(&x->out, OUT_MAX);
    rd_buf_init(&x->err, ERR_MAX);
    rd_buf_init(&x->status, ERR_MAX);
}

void k8s_pod_exec_clear(struct k8s_pod_exec *x)
{
    if (x->started)
        k8s_ws_clear(&x->ws);
    rd_freep(&x->ns);
    rd_freep(&x->pod);
    rd_freep(&x->container);
    rd_strv_clear(&x->command);
    rd_buf_clear(&x->out);
    rd_buf_clear(&x->err);
    rd_buf_clear(&x->status);
    rd_err_free(op_take_err(&x->op));
}

void k8s_pod_exec_feed(struct k8s_pod_exec *x, const void *data, size_t len)
{
    const unsigned char *p = data;
    if (len && x->channel < 0) {
        x->channel = *p++;
        len--;
    }
    if (x->channel == CH_OUT)
        rd_buf_append(&x->out, p, len);
    else if (x->channel == CH_STATUS)
        rd_buf_append(&x->status, p, len);
    else if (x->channel == CH_ERR)
        rd_buf_append(&x->err, p, len < ERR_MAX - x->err.len ? len : ERR_MAX - x->err.len);
}

bool k8s_pod_exec_read_status(const char *text, size_t len, int *ret_code, char **ret_message)
{
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOJSON json_t *status = rd_json_parse(text, len, "exec status", &err);
    const char *word = rd_json_str(status, "status", NULL);
    if (!word)
        return false;
    *ret_code = rd_streq(word, "Success") ? 0 : -1;
    rd_str_dup(ret_message, rd_json_str(status, "message", NULL));
    size_t i;
    const json_t *cause;
    json_array_foreach (rd_json_path(status, "details.causes"), i, cause)
        if (rd_streq(rd_json_str(cause, "reason", NULL), "ExitCode")) {
            const char *number = rd_json_str(cause, "message", NULL);
            *ret_code = number ? atoi(number) : -1;
        }
    return true;
}

static void on_message(struct k8s_ws *w)
{
    struct k8s_pod_exec *x = w->ctx;
    x->channel = -1;
}

static void on_chunk(struct k8s_ws *w, const void *data, size_t len)
{
    struct k8s_pod_exec *x = w->ctx;
    k8s_pod_exec_feed(x, data, len);
}

/* How the command ended, by the Status; a connection that closed without one lost the end. */
static struct rd_err *judge(struct k8s_pod_exec *x)
{
    struct rd_err *err = op_take_err(&x->ws.op);
    RD_AUTOFREE char *message = NULL;
    bool said = x->status.len > 0 && k8s_pod_exec_read_status(rd_buf_str(&x->status), x->status.len,
                                                              &x->exit_code, &message);
    if (said && x->exit_code == 0 && !x->out.overflow) {
        rd_err_free(err);
        return NULL;
    }
    if (!said && err)
        return err;
    rd_err_free(err);
    if (!said)
        err = rd_err_new(RD_ERR_TRANSIENT, "exec in Pod/%s/%s: the connection ended before the command",
                         x->ns, x->pod);
    else if (x->out.overflow)
        err = rd_err_new(RD_ERR_FAILED, "exec in Pod/%s/%s: more than %d MiB of output", x->ns, x->pod,
                         (int)(OUT_MAX >> 20));
    else
        err = rd_err_new(RD_ERR_FAILED, "exec in Pod/%s/%s: %s", x->ns, x->pod,
                         message ? message : "the command failed");
    rd_err_resource(err, "Pod/%s/%s", x->ns, x->pod);
    if (x->err.len)
        rd_str_dup(&err->remote, rd_buf_str(&x->err));
    return err;
}

static void exec_step(struct op *op)
{
    struct k8s_pod_exec *x = container_of(op, struct k8s_pod_exec, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_ended(&x->ws.op))
        op_finish(op, judge(x));
}

void k8s_pod_exec_start(struct k8s_pod_exec *x, struct op *parent)
{
    const struct k8s_resource *pods = k8s_resource_find(x->client, "v1", "Pod");
    RD_ASSERT(pods && x->command.len > 0);
    struct http_url url;
    k8s_url(&url, x->client, pods, x->ns, x->pod, "exec");
    for (size_t i = 0; i < x->command.len; i++)
        http_url_query(&url, "command", x->command.v[i]);
    if (x->container)
        http_url_query(&url, "container", x->container);
    http_url_query(&url, "stdout", "true");
    http_url_query(&url, "stderr", "true");
    RD_AUTOFREE char *what = rd_asprintf("exec in Pod/%s/%s", x->ns, x->pod);
    op_start(&x->op, parent, exec_step, "exec");
    x->started = true;
    k8s_ws_init(&x->ws, x->client, http_url_str(&url), "v4.channel.k8s.io", what);
    http_url_clear(&url);
    x->ws.ctx = x;
    x->ws.on_message = on_message;
    x->ws.on_chunk = on_chunk;
    k8s_ws_start(&x->ws, &x->op);
}
