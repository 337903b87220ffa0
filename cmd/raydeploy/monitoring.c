/* monitoring install|remove|status: see docs/monitoring.md. */
#include "ray_way.h"
#include "verb.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "monitoring/install.h"
#include "monitoring/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct config_verb_flag flags[] = {
    {"with", NULL, "WHAT", false,
     "prometheus (default): the kube-prometheus-stack; gmp: Google's managed Prometheus"},
    {"existing", NULL, NULL, false,
     "the release is there and not ours: leave it alone, add only Ray's monitors and dashboards"},
    {"crds", NULL, NULL, false, "remove: also the stack's CRDs, when no object of them is left"},
    {"show-password", NULL, NULL, false, "print Grafana's password; on a terminal only"},
    {NULL, NULL, NULL, false, NULL},
};

struct monitoring {
    struct verb_ctx *v;
    struct mon m;
    struct mon_install install;
    struct mon_remove remove;
    struct mon_status status;
    struct mon_close close;
};

static void start_install(struct op *parent, void *ctx)
{
    struct monitoring *x = ctx;
    mon_install_start(&x->install, &x->m, parent);
}

static void start_remove(struct op *parent, void *ctx)
{
    struct monitoring *x = ctx;
    mon_remove_start(&x->remove, &x->m, parent);
}

static void start_status(struct op *parent, void *ctx)
{
    struct monitoring *x = ctx;
    mon_status_start(&x->status, &x->m, parent);
}

static void start_close(struct op *parent, void *ctx)
{
    struct monitoring *x = ctx;
    mon_close_start(&x->close, &x->m, parent);
}

/* Whatever happened, the job's account goes. The code is the first trouble's. */
static int finish(struct monitoring *x, int code)
{
    if (!x->m.helm_dirty && !x->m.holder)
        return code;
    x->v->config.timeout_ms = 0; /* it may have run out; this has a limit of its own */
    int closing = verb_run_op(x->v, &x->close.op, start_close, x);
    mon_close_free(&x->close);
    return code ? code : closing;
}

/* ---- Grafana's password ---- */

struct password {
    struct k8s_call call;
};

static void start_password(struct op *parent, void *ctx)
{
    struct password *p = ctx;
    k8s_call_start(&p->call, parent);
}

/* Straight to the terminal that asked for it: it was never made known to the redaction. */
static int print_password(struct monitoring *x)
{
    struct verb_ctx *v = x->v;
    struct password p = {0};
    RD_AUTOFREE char *name = mon_secret_name(&x->m);
    k8s_get_init(&p.call, x->m.client, k8s_resource_find(x->m.client, "v1", "Secret"),
                 v->config.monitoring.ns, name);
    int code = verb_run_op(v, &p.call.op, start_password, &p);
    const char *text = rd_json_str(p.call.result, "data", "admin-password", NULL);
    size_t len;
    char *plain = text ? (char *)rd_base64_decode(text, strlen(text), &len) : NULL;
    if (plain) {
        RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        rd_buf_printf(&out, "Grafana: user admin, password %s\n", plain);
        verb_print(v, &out);
        rd_wipe(out.data, out.len);
        rd_wipe(plain, len);
        free(plain);
    }
    k8s_call_clear(&p.call);
    return code;
}

/* ---- Results ---- */

static json_t *head_json(const struct monitoring *x, const char *action)
{
    return rd_json_pack("{s:s, s:s, s:s, s:O, s:O}", "action", action, "name",
                        x->v->config.name, "with", x->m.kind == MON_GMP ? "gmp" : "prometheus",
                        "objects", x->m.objects, "notices", x->m.notices);
}

static void print_objects(const struct monitoring *x, struct rd_buf *out)
{
    size_t i;
    const json_t *one;
    json_array_foreach (x->m.objects, i, one) {
        const char *ns = rd_json_str(one, "namespace", NULL);
        rd_buf_printf(out, "%s/%s%s%s %s\n", rd_json_str(one, "kind", NULL), ns ? ns : "",
                      ns ? "/" : "", rd_json_str(one, "name", NULL),
                      rd_json_str(one, "outcome", NULL));
    }
}

static void print_install(struct monitoring *x)
{
    struct verb_ctx *v = x->v;
    const struct config *c = &v->config;
    const struct mon_release *r = &x->install.release;
    if (c->json_output) {
        RD_AUTOJSON json_t *o = head_json(x, "install");
        if (x->m.kind == MON_PROMETHEUS) {
            RD_AUTOFREE char *secret = mon_secret_name(&x->m);
            RD_AUTOFREE char *where = rd_asprintf("%s/%s", c->monitoring.ns, secret);
            json_object_set_new(
                o, "release",
                rd_json_pack("{s:s, s:s, s:I, s:s, s:b}", "name", c->monitoring.release, "namespace",
                             c->monitoring.ns, "revision", r->revision, "status",
                             r->status ? r->status : "unknown", "helm_ran", x->install.helm_ran));
            if (!x->m.existing)
                json_object_set_new(o, "grafana",
                                    rd_json_pack("{s:s, s:s}", "user", "admin", "secret", where));
        }
        verb_print_json(v, o);
        return;
    }
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    print_objects(x, &out);
    if (x->m.kind == MON_GMP)
        rd_buf_puts(&out, "Metrics go to Cloud Monitoring; look at them in the console's Metrics Explorer "
                          "under prometheus.googleapis.com/ray_*\n");
    else
        rd_buf_printf(&out, "release %s in namespace %s, revision %d: %s\n", c->monitoring.release,
                      c->monitoring.ns, (int)r->revision, r->status ? r->status : "unknown");
    if (x->m.kind == MON_PROMETHEUS && !x->m.existing)
        rd_buf_puts(&out, "Grafana: raydeploy grafana; its password: raydeploy monitoring status "
                          "--show-password\n");
    verb_print(v, &out);
}

static void print_remove(struct monitoring *x)
{
    size_t i;
    const json_t *name;
    if (x->v->config.json_output) {
        RD_AUTOJSON json_t *o = head_json(x, "remove");
        json_object_set_new(o, "helm_ran", json_boolean(x->remove.helm_ran));
        json_object_set_new(o, "crds_kept",
                            x->remove.crds ? json_incref(x->remove.crds) : json_array());
        verb_print_json(x->v, o);
        return;
    }
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    print_objects(x, &out);
    if (json_array_size(x->remove.crds))
        rd_buf_puts(&out, "kept, as helm does (--crds removes them when nothing of their kind is left):\n");
    json_array_foreach (x->remove.crds, i, name)
        rd_buf_printf(&out, "  CustomResourceDefinition/%s\n", json_string_value(name));
    verb_print(x->v, &out);
}

static void put_ports(struct rd_buf *out, const json_t *monitor)
{
    size_t i;
    const json_t *p;
    json_array_foreach (json_object_get(monitor, "ports"), i, p)
        rd_buf_printf(out, "%s%s %d", i ? ", " : " (", rd_json_str(p, "port", NULL),
                      (int)rd_json_path_int(p, "pods", 0));
    rd_buf_puts(out, i ? ")" : "");
}

static void print_status(struct monitoring *x)
{
    const json_t *s = x->status.result, *one;
    size_t i;
    if (x->v->config.json_output) {
        verb_print_json(x->v, s);
        return;
    }
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    const json_t *release = json_object_get(s, "release");
    if (release && !rd_json_path_bool(release, "found", false))
        rd_buf_printf(&out, "release    %s in namespace %s: not installed\n",
                      rd_json_str(release, "name", NULL), rd_json_str(release, "namespace", NULL));
    else if (release)
        rd_buf_printf(&out, "release    %s in namespace %s, revision %d: %s%s\n",
                      rd_json_str(release, "name", NULL), rd_json_str(release, "namespace", NULL),
                      (int)rd_json_path_int(release, "revision", 0),
                      rd_json_str(release, "status", NULL),
                      rd_json_path_bool(release, "ours", false) ? "" : " (not this deployment's)");
    json_array_foreach (json_object_get(s, "pods"), i, one) {
        rd_buf_printf(&out, "pod        %s %s: ", rd_json_str(one, "name", NULL),
                      rd_json_str(one, "status", NULL));
        ui_clean(&out, rd_json_str(one, "message", NULL));
        rd_buf_putc(&out, '\n');
    }
    json_array_foreach (json_object_get(s, "monitors"), i, one) {
        rd_buf_printf(&out, "monitor    %s: %d pods", rd_json_str(one, "name", NULL),
                      (int)rd_json_path_int(one, "pods", 0));
        put_ports(&out, one);
        rd_buf_putc(&out, '\n');
    }
    if (json_array_size(json_object_get(s, "monitors")) == 0)
        rd_buf_puts(&out, "monitor    none: run raydeploy monitoring install\n");
    json_array_foreach (json_object_get(s, "dashboards"), i, one)
        rd_buf_printf(&out, "dashboard  %s\n", json_string_value(one));
    verb_print(x->v, &out);
}

/* ---- The verb ---- */

static bool check(struct verb_ctx *v, struct mon *m, const char *action, int *ret)
{
    const char *with = verb_flag_text(v, "with");
    bool helm = !rd_streq(action, "status");
    if (with && !rd_streq(with, "prometheus") && !rd_streq(with, "gmp")) {
        *ret = verb_refuse(v, "--with must be prometheus or gmp");
        return false;
    }
    m->kind = rd_streq(with, "gmp") ? MON_GMP : MON_PROMETHEUS;
    m->existing = verb_flag(v, "existing");
    m->show_password = verb_flag(v, "show-password");
    if (m->existing && m->kind == MON_GMP) {
        *ret = verb_refuse(v, "--existing is about a Helm release; --with gmp has none");
        return false;
    }
    if (m->show_password && (m->kind == MON_GMP || rd_streq(action, "remove"))) {
        *ret = verb_refuse(v, "--show-password: there is no password here");
        return false;
    }
    if (m->show_password && (v->config.json_output || !isatty(STDOUT_FILENO))) {
        *ret = verb_refuse(v, "--show-password: standard output must be a terminal, so that the password "
                              "does not end up in a file or a log");
        return false;
    }
    if (verb_flag(v, "crds") && !rd_streq(action, "remove")) {
        *ret = verb_refuse(v, "--crds goes with monitoring remove");
        return false;
    }
    if (verb_flag(v, "crds") && (m->existing || m->kind == MON_GMP)) {
        *ret = verb_refuse(v, "--crds: those CRDs are not ours to remove");
        return false;
    }
    if (helm && m->kind == MON_PROMETHEUS && !m->existing && !v->config.monitoring.helm_image) {
        struct rd_err *err = rd_err_new(RD_ERR_INPUT, "monitoring.helmImage is not set");
        rd_err_hint(err, "Helm runs as a job in the cluster, with every right there is, so the image is "
                         "yours to choose: set monitoring.helmImage in raydeploy.yaml (or --helm-image) to "
                         "an image with Helm 3.14 or newer, by digest: NAME@sha256:...");
        *ret = verb_fail(v, err);
        return false;
    }
    return true;
}

static int act(struct monitoring *x, const char *action)
{
    struct verb_ctx *v = x->v;
    int code;
    if (rd_streq(action, "install")) {
        code = finish(x, verb_run_op(v, &x->install.op, start_install, x));
        if (code == 0)
            print_install(x);
        mon_install_free(&x->install);
    } else if (rd_streq(action, "remove")) {
        x->remove.drop_crds = verb_flag(v, "crds");
        code = finish(x, verb_run_op(v, &x->remove.op, start_remove, x));
        if (code == 0)
            print_remove(x);
        mon_remove_free(&x->remove);
    } else {
        code = verb_run_op(v, &x->status.op, start_status, x);
        if (code == 0)
            print_status(x);
        mon_status_free(&x->status);
    }
    if (code == 0 && x->m.show_password)
        code = print_password(x);
    return code;
}

/* A kubeconfig that was named counts on either target. */
static struct k8s_client *connect_workload(struct verb_ctx *v, struct rd_err **reterr)
{
    bool named = v->config.kubeconfig || v->config.context;
    return named ? verb_connect(v, reterr) : verb_workload(v, NULL, reterr);
}

static int run(struct verb_ctx *v)
{
    const struct rd_strv *words = &v->config.rest;
    static const char *const actions[] = {"install", "remove", "status"};
    const char *action = words->len == 1 ? words->v[0] : "";
    bool known = false;
    int code = 0;
    for (size_t i = 0; i < RD_ARRAY_LEN(actions); i++)
        known = known || rd_streq(action, actions[i]);
    if (!known)
        return verb_refuse(v, "expected one of install, remove and status");
    struct monitoring x = {.v = v};
    struct rd_err *err = NULL;
    mon_init(&x.m, &v->config);
    x.m.notes = v->notes;
    if (check(v, &x.m, action, &code)) {
        x.m.templates = template_set_open(v->config.templates_dir, &err);
        x.m.client = x.m.templates ? connect_workload(v, &err) : NULL;
        code = x.m.client ? act(&x, action) : verb_fail(v, err);
    }
    if (x.m.client)
        k8s_client_free(x.m.client);
    template_set_free(x.m.templates);
    mon_clear(&x.m);
    return code;
}

const struct verb verb_monitoring = {
    .name = "monitoring",
    .args = "install|remove|status",
    .summary = "Prometheus and Grafana with Ray's scrape targets and dashboards",
    .help = "install runs helm as a job in the cluster (monitoring.helmImage, by digest), under an account\n"
            "that lives only as long as the job; then come the monitors, and Ray's dashboards from the\n"
            "running head. What is as wanted is left alone. remove uninstalls the release and takes our\n"
            "objects away; its CRDs stay, as with helm, unless --crds. The RayCluster is never touched.",
    .flags = flags,
    .needs_deployment = true,
    .takes_words = true,
    .run = run,
};
