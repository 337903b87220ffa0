#include "k8s/pod_log.h"

#include "base/alloc.h"

#include <string.h>

#define LINE_MAX_BYTES ((size_t)16 << 10)
#define CUTS_MAX 20
#define CUT_PAUSE_MS 500

void k8s_pod_log_init(struct k8s_pod_log *l, struct k8s_client *c, const char *ns, const char *pod,
                      const char *container)
{
    *l = (struct k8s_pod_log){.client = c};
    l->ns = rd_strdup(ns);
    l->pod = rd_strdup(pod);
    l->container = rd_strdup(container);
    rd_buf_init(&l->line, RD_BUF_UNBOUNDED);
}

void k8s_pod_log_clear(struct k8s_pod_log *l)
{
    k8s_call_clear(&l->call);
    rd_freep(&l->ns);
    rd_freep(&l->pod);
    rd_freep(&l->container);
    rd_buf_clear(&l->line);
    rd_err_free(op_take_err(&l->pause.op));
    rd_err_free(op_take_err(&l->op));
}

static void tell(struct k8s_pod_log *l)
{
    if (l->on_line)
        l->on_line(l, rd_buf_str(&l->line));
    rd_buf_reset(&l->line);
}

void k8s_pod_log_feed(struct k8s_pod_log *l, const char *data, size_t len)
{
    size_t over = len < l->skip ? len : (size_t)l->skip;
    l->skip -= over;
    data += over;
    len -= over;
    l->seen += len;
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n')
            tell(l);
        else if (l->line.len < LINE_MAX_BYTES)
            rd_buf_putc(&l->line, data[i] ? data[i] : ' ');
    }
}

static void open_stream(struct k8s_pod_log *l)
{
    const struct k8s_resource *pods = k8s_resource_find(l->client, "v1", "Pod");
    struct http_url u;
    l->skip = l->seen;
    k8s_url(&u, l->client, pods, l->ns, l->pod, "log");
    http_url_query(&u, "container", l->container);
    http_url_query(&u, "follow", "true");
    k8s_call_clear(&l->call);
    k8s_call_init(&l->call, l->client, "GET", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(&l->call, pods, l->ns, l->pod);
    l->call.raw = true;
    l->call.not_found_ok = true;
    l->call.accept_set = true; /* plain text */
    l->call.http.req.stream = true;
    l->call.http.req.no_decode = true;
    l->call.http.req.idle_ms = 0; /* a program may be silent for long; the caller has a deadline */
    k8s_call_start(&l->call, &l->op);
}

static void cut(struct k8s_pod_log *l, struct rd_err *take)
{
    /* 400 is the kubelet's word for a container that has not started. */
    bool heals = rd_err_transient(take->kind) || take->http_status == 400 || take->http_status == 0;
    if (!heals || ++l->cuts > CUTS_MAX) {
        op_finish(&l->op, take);
        return;
    }
    rd_err_free(take);
    l->pausing = true;
    if (!op_timer_start(&l->pause, &l->op, CUT_PAUSE_MS))
        op_finish(&l->op, op_take_err(&l->pause.op));
}

static void log_step(struct op *op)
{
    struct k8s_pod_log *l = container_of(op, struct k8s_pod_log, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (l->pausing) {
        if (!op_ended(&l->pause.op))
            return;
        l->pausing = false;
        open_stream(l);
        return;
    }
    struct rd_buf *in = &l->call.http.req.resp;
    long status = l->call.http.req.status;
    if (status >= 200 && status < 300 && in->len) {
        k8s_pod_log_feed(l, in->data, in->len);
        rd_buf_consume(in, in->len);
    }
    if (!op_ended(&l->call.op))
        return;
    struct rd_err *err = op_take_err(&l->call.op);
    if (err) {
        cut(l, err);
        return;
    }
    if (l->line.len)
        tell(l);
    op_finish(op, NULL);
}

void k8s_pod_log_start(struct k8s_pod_log *l, struct op *parent)
{
    op_start(&l->op, parent, log_step, "log");
    open_stream(l);
}
