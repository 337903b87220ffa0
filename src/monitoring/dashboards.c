#include "monitoring/dashboards.h"

#include "base/alloc.h"

#include <string.h>

/* A ConfigMap holds 1 MiB; the file's name and the object around it need some of that. */
#define FILE_MAX ((size_t)(1 << 20) - 4096)
#define EXEC_LIMIT_MS 60000

/* Where Ray writes them: ray/dashboard/modules/metrics/metrics_head.py. */
static const char script[] =
    "import json, os\n"
    "root = os.environ.get('RAY_METRICS_OUTPUT_ROOT') or '/tmp/ray/session_latest/metrics'\n"
    "path = (os.environ.get('RAY_METRICS_GRAFANA_DASHBOARD_OUTPUT_DIR')\n"
    "        or os.path.join(root, 'grafana', 'dashboards'))\n"
    "names = sorted(os.listdir(path)) if os.path.isdir(path) else []\n"
    "print(json.dumps({n: open(os.path.join(path, n), encoding='utf-8').read()\n"
    "                  for n in names if n.endswith('.json')}))\n";

enum { DASH_PODS, DASH_EXEC };

void mon_dashboards_free(struct mon_dashboards *d)
{
    k8s_call_clear(&d->pods);
    if (d->asked)
        k8s_pod_exec_clear(&d->exec);
    json_decref(d->files);
    rd_freep(&d->why_none);
    rd_err_free(op_take_err(&d->op));
    *d = (struct mon_dashboards){0};
}

bool mon_dashboards_read(const char *text, size_t len, json_t *files, struct rd_strv *left_out,
                         struct rd_err **reterr)
{
    RD_AUTOJSON json_t *tree = rd_json_parse(text, len, "the head's list of dashboards", reterr);
    if (!tree)
        return false;
    const char *name;
    json_t *value;
    json_object_foreach (tree, name, value) {
        RD_AUTOERR struct rd_err *bad = NULL;
        size_t size = json_string_length(value);
        RD_AUTOJSON json_t *dashboard =
            json_is_string(value) ? rd_json_parse(json_string_value(value), size, name, &bad) : NULL;
        if (!json_is_object(dashboard))
            rd_strv_take(left_out, rd_asprintf("%.200s is not a dashboard", name));
        else if (size > FILE_MAX)
            rd_strv_take(left_out, rd_asprintf("%.200s is larger than a ConfigMap may be (%zu bytes)",
                                               name, size));
        else
            json_object_set(files, name, value);
    }
    return true;
}

static bool is_ready(const json_t *pod)
{
    return !rd_json_get(pod, "metadata", "deletionTimestamp", NULL) &&
           rd_streq(rd_json_str(rd_json_condition(pod, "Ready"), "status", NULL), "True");
}

static void ask_head(struct mon_dashboards *d)
{
    size_t i, count = 0;
    const json_t *pod, *head = NULL;
    json_array_foreach (json_object_get(d->pods.result, "items"), i, pod) {
        count++;
        if (is_ready(pod))
            head = pod;
    }
    if (!head) {
        d->why_none = rd_strdup(count ? "the head pod is not ready" : "no head pod is running");
        op_finish(&d->op, NULL);
        return;
    }
    d->state = DASH_EXEC;
    d->asked = true;
    k8s_pod_exec_init(&d->exec, d->m->client, rd_json_str(head, "metadata", "namespace", NULL),
                      rd_json_str(head, "metadata", "name", NULL), "ray-head");
    rd_strv_add(&d->exec.command, "python");
    rd_strv_add(&d->exec.command, "-c");
    rd_strv_add(&d->exec.command, script);
    k8s_pod_exec_start(&d->exec, &d->op);
    op_set_timeout(&d->exec.op, EXEC_LIMIT_MS);
}

static void read_answer(struct mon_dashboards *d)
{
    struct rd_strv left_out = {NULL, 0};
    struct rd_err *err = op_take_err(&d->exec.op);
    if (!err && mon_dashboards_read(rd_buf_str(&d->exec.out), d->exec.out.len, d->files, &left_out,
                                    &err)) {
        for (size_t i = 0; i < left_out.len; i++)
            mon_notice(d->m, "dashboard left out: %s", left_out.v[i]);
        if (json_object_size(d->files) == 0)
            d->why_none = rd_strdup("the head has written none");
    }
    if (err)
        rd_err_wrap(err, "cannot read Ray's dashboards from the head");
    rd_strv_clear(&left_out);
    op_finish(&d->op, err);
}

static void dashboards_step(struct op *op)
{
    struct mon_dashboards *d = container_of(op, struct mon_dashboards, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (d->state == DASH_EXEC) {
        if (op_ended(&d->exec.op))
            read_answer(d);
        return;
    }
    if (!op_ended(&d->pods.op))
        return;
    struct rd_err *err = op_take_err(&d->pods.op);
    if (err)
        op_finish(op, err);
    else
        ask_head(d);
}

void mon_dashboards_start(struct mon_dashboards *d, struct mon *m, struct op *parent)
{
    const struct config *c = m->config;
    RD_AUTOFREE char *ns = config_namespace(c);
    RD_AUTOFREE char *selector = rd_asprintf("ray.io/cluster=%s,ray.io/node-type=head", c->name);
    struct http_url u;
    *d = (struct mon_dashboards){.m = m, .files = json_object()};
    op_start(&d->op, parent, dashboards_step, "dashboards");
    k8s_url(&u, m->client, k8s_resource_find(m->client, "v1", "Pod"), ns, NULL, NULL);
    http_url_query(&u, "labelSelector", selector);
    k8s_call_init(&d->pods, m->client, "GET", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_start(&d->pods, &d->op);
}
