/* port-forward NAMESPACE/POD PORT[:REMOTE] */
#include "verb.h"

#include "base/alloc.h"
#include "k8s/forward.h"

#include <stdlib.h>
#include <string.h>

struct forward {
    struct k8s_forward f;
    struct verb_ctx *v;
};

static void on_listening(struct k8s_forward *f)
{
    struct forward *x = f->ctx;
    if (x->v->config.json_output) {
        RD_AUTOJSON json_t *o = rd_json_pack("{s:s, s:i, s:i}", "address", f->bind_host, "port",
                                             (int)f->local_port, "remote_port", (int)f->remote_port);
        verb_print_json(x->v, o);
        return;
    }
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(256);
    rd_buf_printf(&text, "Forwarding from %s:%u -> %u\n", f->bind_host, f->local_port,
                  f->remote_port);
    verb_print(x->v, &text);
}

static void on_note(struct k8s_forward *f, const char *text)
{
    struct forward *x = f->ctx;
    verb_say(x->v, NOTE_WARN, "%s", text);
}

static void start(struct op *parent, void *ctx)
{
    struct forward *x = ctx;
    k8s_forward_start(&x->f, parent);
}

static bool parse_port(const char *text, uint16_t *ret)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < 0 || n > 65535)
        return false;
    *ret = (uint16_t)n;
    return true;
}

/* "8265" is both; "9000:8265" listens on 9000; ":8265" on any port. */
static bool parse_ports(const char *text, uint16_t *ret_local, uint16_t *ret_remote)
{
    const char *colon = strchr(text, ':');
    if (!colon)
        return parse_port(text, ret_remote) && (*ret_local = *ret_remote) != 0;
    RD_AUTOFREE char *local = rd_strndup(text, (size_t)(colon - text));
    *ret_local = 0;
    return (!*local || parse_port(local, ret_local)) && parse_port(colon + 1, ret_remote) &&
           *ret_remote != 0;
}

static int run(struct verb_ctx *v)
{
    const struct rd_strv *words = &v->config.rest;
    uint16_t local = 0, remote = 0;
    if (words->len != 2)
        return verb_refuse(v, "expected NAMESPACE/POD (or svc/NAMESPACE/NAME) and PORT[:REMOTE]");
    struct rd_strv parts = {NULL, 0};
    rd_strv_split(&parts, words->v[0], "/");
    bool service =
        parts.len == 3 && (rd_streq(parts.v[0], "svc") || rd_streq(parts.v[0], "service"));
    bool ok = (service || parts.len == 2) && rd_is_dns_label(parts.v[parts.len - 2], 63) &&
              rd_is_dns_subdomain(parts.v[parts.len - 1]);
    int code;
    if (!ok) {
        code = verb_refuse(v, "\"%.200s\" is not NAMESPACE/POD or svc/NAMESPACE/NAME", words->v[0]);
    } else if (!parse_ports(words->v[1], &local, &remote)) {
        code = verb_refuse(v, "\"%.200s\" is not PORT or PORT:REMOTE", words->v[1]);
    } else {
        struct rd_err *err = NULL;
        struct k8s_client *client = verb_connect(v, &err);
        if (!client) {
            rd_strv_clear(&parts);
            return verb_fail(v, err);
        }
        struct forward x = {.v = v};
        k8s_forward_init(&x.f, client, parts.v[parts.len - 2], remote);
        rd_str_dup(service ? &x.f.service : &x.f.pod, parts.v[parts.len - 1]);
        x.f.local_port = local;
        x.f.on_listening = on_listening;
        x.f.on_note = on_note;
        x.f.ctx = &x;
        code = verb_run_op(v, &x.f.op, start, &x);
        if (code > 128 && v->result && !v->failure)
            rd_str_take(&v->result, rd_strdup("the forward has ended"));
        k8s_forward_clear(&x.f);
        k8s_client_free(client);
    }
    rd_strv_clear(&parts);
    return code;
}

const struct verb verb_port_forward = {
    .name = "port-forward",
    .args = "NAMESPACE/POD|svc/NAMESPACE/NAME PORT[:REMOTE]",
    .summary = "forward a local port to a pod until interrupted",
    .help = "PORT is the local one; 0 or nothing in front of the colon takes any that is free.",
    .takes_words = true,
    .run = run,
};
