/* pods/portforward: a WebSocket whose messages start with a channel number (v4.channel.k8s.io; v5 has
 * a close signal besides). Behind port 8265 of a running head pod is Ray's dashboard; behind any
 * other port nobody listens. */
#include "ctl_ray.h"

#include "conn.h"
#include "http.h"

#include <stdlib.h>
#include <string.h>

enum { DATA = 0, ERROR = 1, CLOSE_SIGNAL = 255 };

struct forward {
    struct ctl_work *w;
    char *ns, *pod;
    struct rd_buf in;
    long port;
};

static void forward_free(struct forward *f)
{
    rd_buf_clear(&f->in);
    free(f->ns);
    free(f->pod);
    free(f);
}

static void send_on(struct emu_req *req, int channel, const void *data, size_t len)
{
    enum { PIECE = 32 * 1024 };
    size_t at = 0;
    do {
        size_t n = len - at < PIECE ? len - at : PIECE;
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        rd_buf_putc(&b, (char)channel);
        rd_buf_append(&b, (const char *)data + at, n);
        emu_ws_send(req, 2, b.data, b.len);
        at += n;
    } while (at < len);
}

static void refuse(struct emu_req *req, const struct forward *f, const json_t *pod)
{
    RD_AUTOFREE char *text = rd_asprintf(
        "error forwarding port %ld to pod %s, uid : failed to execute portforward in network "
        "namespace \"/var/run/netns/cni\": failed to connect to localhost:%ld inside namespace "
        "\"%s\", IPv4: dial tcp4 127.0.0.1:%ld: connect: connection refused",
        f->port, pod == NULL ? f->pod : rd_json_path_str(pod, "metadata.uid"), f->port, f->ns,
        f->port);
    send_on(req, ERROR, text, strlen(text));
}

static bool is_open(const json_t *pod, long port)
{
    const char *type = rd_json_str(pod, "metadata", "labels", "ray.io/node-type", NULL);
    return port == RAY_PORT && rd_streq(type, "head") && ctl_condition_true(pod, "Ready");
}

/* The tunnel is gone, without a word. */
static bool cut(struct emu_req *req, struct forward *f)
{
    req->on_gone = NULL;
    forward_free(f);
    emu_drop(req);
    return false;
}

static void work_out(struct forward *f, const json_t *pod, const struct emu_msg *m,
                     const struct emu_fault *fault, struct dash_answer *a)
{
    if (fault->effect == EMU_STATUS)
        *a = (struct dash_answer){.status = fault->status,
                                  .body = rd_strdup("fault by rule of the emulator"),
                                  .len = strlen("fault by rule of the emulator"),
                                  .type = "text/plain"};
    else
        dash_serve(f->w, pod, m, a);
}

/* False: the tunnel is no more. */
static bool answer(struct emu_req *req, struct forward *f, const struct emu_msg *m)
{
    const json_t *found = kube_get(f->w->c, "pods", f->ns, f->pod);
    if (!is_open(found, f->port)) {
        refuse(req, f, found);
        return true;
    }
    RD_AUTOJSON json_t *pod = json_incref((json_t *)found);
    struct emu_fault fault = emu_tunnel_fault(req, "ray", m);
    enum emu_effect e = fault.effect;
    if (e == EMU_DELAY || e == EMU_OP_FAIL)
        fault.effect = e = EMU_NONE; /* a tunnel is as fast as it is, and Ray has no such operations */
    if (e == EMU_RESET || e == EMU_KILL) {
        emu_tunnel_log(req, "ray", m, 0, &fault);
        if (e == EMU_KILL)
            emu_kill_victim(req->emu);
        return cut(req, f);
    }
    struct dash_answer a = {0};
    work_out(f, pod, m, &fault, &a);
    emu_tunnel_log(req, "ray", m, a.status, &fault);
    if (e == EMU_DROP_REPLY || e == EMU_KILL_UNANSWERED) {
        dash_answer_clear(&a);
        if (e == EMU_KILL_UNANSWERED)
            emu_kill_victim(req->emu);
        return cut(req, f);
    }
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(&out,
                  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: %s\r\n"
                  "Server: TwistedWeb\r\n\r\n",
                  a.status, emu_http_reason(a.status), a.type, a.len,
                  m->keep_alive ? "keep-alive" : "close");
    if (!rd_streq(m->method, "HEAD"))
        rd_buf_append(&out, a.body, a.len);
    if (e == EMU_HALF)
        out.len /= 2;
    send_on(req, DATA, out.data, out.len);
    dash_answer_clear(&a);
    if (e == EMU_KILL_ANSWERED)
        emu_kill_victim(req->emu);
    if (e != EMU_HALF)
        return true;
    req->on_gone = NULL;
    forward_free(f);
    emu_ws_end(req, 1011);
    return false;
}

static void on_data(struct emu_req *req, int opcode, const char *data, size_t len, void *arg)
{
    (void)opcode;
    struct forward *f = arg;
    if (len == 0 || data[0] != DATA)
        return;
    rd_buf_append(&f->in, data + 1, len - 1);
    for (;;) {
        struct emu_msg m = {0};
        size_t used = 0;
        bool expects = false;
        enum emu_http_result r =
            emu_http_parse(rd_buf_str(&f->in), f->in.len, &m, &used, &expects);
        if (r == EMU_HTTP_WHOLE) {
            rd_buf_consume(&f->in, used);
            bool open = answer(req, f, &m);
            emu_msg_clear(&m);
            if (!open)
                return;
            continue;
        }
        if (r == EMU_HTTP_MORE) {
            static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
            if (expects)
                send_on(req, DATA, go_on, strlen(go_on));
            return;
        }
        static const char bad[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
                                  "Connection: close\r\n\r\n";
        send_on(req, DATA, bad, strlen(bad));
        rd_buf_reset(&f->in);
        return;
    }
}

static void on_gone(struct emu_req *req, void *arg)
{
    forward_free(arg);
    emu_ws_end(req, 1000);
}

static bool offers(const struct emu_req *req, const char *protocol)
{
    const char *list = emu_req_header(req, "sec-websocket-protocol");
    struct rd_strv words = {0};
    rd_strv_split(&words, list == NULL ? "" : list, ", ");
    bool has = rd_strv_has(&words, protocol);
    rd_strv_clear(&words);
    return has;
}

static void serve(struct kube_cluster *c, const json_t *pod, struct emu_req *req, void *arg)
{
    (void)arg;
    const char *protocol = offers(req, "v4.channel.k8s.io")   ? "v4.channel.k8s.io"
                           : offers(req, "v5.channel.k8s.io") ? "v5.channel.k8s.io"
                                                              : NULL;
    RD_AUTOFREE char *ports = emu_req_query(req, "ports");
    long port = ports == NULL ? 0 : strtol(ports, NULL, 10);
    if (!emu_ws_wanted(req) || protocol == NULL) {
        kube_reply_status(req, 400, "BadRequest",
                          "unable to upgrade: the emulator forwards ports by WebSocket "
                          "v4.channel.k8s.io only");
        return;
    }
    if (port < 1 || port > 65535) {
        kube_reply_status(req, 400, "BadRequest", "query parameter \"ports\" is required");
        return;
    }
    if (!rd_streq(rd_json_path_str(pod, "status.phase"), "Running")) {
        kube_reply_status(req, 500, "InternalError",
                          "error forwarding port %ld: pod %s is not running", port, ctl_name(pod));
        return;
    }
    struct forward *f = rd_calloc(1, sizeof(*f));
    *f = (struct forward){.w = ctl_work_of(c),
                          .ns = rd_strdup(ctl_ns(pod)),
                          .pod = rd_strdup(ctl_name(pod)),
                          .in = RD_BUF_INIT(EMU_BODY_MAX * 4),
                          .port = port};
    req->arg = f;
    req->on_gone = on_gone;
    emu_ws_accept(req, protocol, on_data);
    /* Each channel begins with its port, low byte first. */
    for (int channel = DATA; channel <= ERROR; channel++) {
        unsigned char head[2] = {(unsigned char)port, (unsigned char)(port >> 8)};
        send_on(req, channel, head, sizeof(head));
    }
    if (!is_open(pod, port))
        refuse(req, f, pod);
}

void ctl_forward_start(struct kube_cluster *c)
{
    kube_subresource(c, "pods", "portforward", serve, NULL);
}
