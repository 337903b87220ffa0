#include "monitoring/status.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "k8s/verdict.h"
#include "phase/steps/names.h"

#include <string.h>

void mon_status_free(struct mon_status *s)
{
    struct k8s_call *calls[] = {&s->secrets,    &s->pods,     &s->monitors,
                                &s->dashboards, &s->password, &s->ray_pods, &s->operator_pods};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++)
        k8s_call_clear(calls[i]);
    json_decref(s->result);
    rd_err_free(op_take_err(&s->op));
}

/* ---- Monitors against pods ---- */

static bool in_namespaces(const json_t *monitor, const char *ns)
{
    const json_t *names = rd_json_path(monitor, "spec.namespaceSelector.matchNames");
    if (rd_json_path_bool(monitor, "spec.namespaceSelector.any", false))
        return true;
    size_t i;
    const json_t *name;
    json_array_foreach (names, i, name)
        if (rd_streq(json_string_value(name), ns))
            return true;
    return !names && rd_streq(rd_json_str(monitor, "metadata", "namespace", NULL), ns);
}

static bool selects(const json_t *monitor, const json_t *pod)
{
    const json_t *labels = rd_json_get(pod, "metadata", "labels", NULL);
    const char *key;
    json_t *value, *match = rd_json_path(monitor, "spec.selector.matchLabels");
    if (!in_namespaces(monitor, rd_json_str(pod, "metadata", "namespace", NULL)))
        return false;
    json_object_foreach (match, key, value)
        if (!json_equal(value, json_object_get(labels, key)))
            return false;
    return json_object_size(match) > 0;
}

static bool has_port(const json_t *pod, const char *port)
{
    size_t i, j;
    const json_t *container, *p;
    json_array_foreach (rd_json_path(pod, "spec.containers"), i, container)
        json_array_foreach (json_object_get(container, "ports"), j, p)
            if (rd_streq(rd_json_str(p, "name", NULL), port))
                return true;
    return false;
}

json_t *mon_monitor_json(const json_t *monitor, const json_t *pods)
{
    json_t *ports = json_array();
    json_int_t count = 0;
    size_t i, j;
    const json_t *pod, *endpoint;
    const json_t *endpoints = rd_json_path(monitor, "spec.podMetricsEndpoints");
    if (!endpoints)
        endpoints = rd_json_path(monitor, "spec.endpoints");
    json_array_foreach (pods, i, pod)
        count += selects(monitor, pod);
    json_array_foreach (endpoints, j, endpoint) {
        const char *port = rd_json_str(endpoint, "port", NULL);
        json_int_t with = 0;
        json_array_foreach (pods, i, pod)
            with += port && selects(monitor, pod) && has_port(pod, port);
        json_array_append_new(ports, rd_json_pack("{s:s, s:I}", "port", port ? port : "", "pods", with));
    }
    const char *ns = rd_json_str(monitor, "metadata", "namespace", NULL);
    return rd_json_pack("{s:s, s:s, s:I, s:o}", "name", rd_json_str(monitor, "metadata", "name", NULL),
                        "namespace", ns ? ns : "", "pods", count, "ports", ports);
}

/* ---- Asking ---- */

static void ask(struct mon_status *s, struct k8s_call *call, const char *api, const char *kind,
                const char *ns, const char *selector, bool metadata)
{
    struct k8s_client *c = s->m->client;
    struct http_url u;
    k8s_url(&u, c, k8s_resource_find(c, api, kind), ns, NULL, NULL);
    if (selector)
        http_url_query(&u, "labelSelector", selector);
    k8s_call_init(call, c, "GET", http_url_str(&u));
    http_url_clear(&u);
    call->metadata_only = metadata;
    call->collection = metadata;
    k8s_call_start(call, &s->op);
}

static void ask_all(struct mon_status *s)
{
    const struct config *c = s->m->config;
    RD_AUTOFREE char *ray = config_namespace(c);
    RD_AUTOFREE char *mine = names_selector(c);
    RD_AUTOFREE char *cluster = rd_asprintf("ray.io/cluster=%s", c->name);
    RD_AUTOFREE char *boards = rd_asprintf("%s," MON_DASHBOARD_LABEL "=1", mine);
    RD_AUTOFREE char *secret = mon_secret_name(s->m);
    ask(s, &s->ray_pods, "v1", "Pod", ray, cluster, false);
    ask(s, &s->operator_pods, "v1", "Pod", NULL, "app.kubernetes.io/name=kuberay-operator", false);
    if (s->m->kind == MON_GMP) {
        ask(s, &s->monitors, "monitoring.googleapis.com/v1", "PodMonitoring", NULL, mine, false);
        return;
    }
    mon_release_ask(&s->secrets, s->m);
    k8s_call_start(&s->secrets, &s->op);
    ask(s, &s->pods, "v1", "Pod", c->monitoring.ns, NULL, false);
    ask(s, &s->monitors, "monitoring.coreos.com/v1", "PodMonitor", c->monitoring.ns, mine, false);
    ask(s, &s->dashboards, "v1", "ConfigMap", c->monitoring.ns, boards, true);
    k8s_get_init(&s->password, s->m->client, k8s_resource_find(s->m->client, "v1", "Secret"),
                 c->monitoring.ns, secret);
    s->password.metadata_only = true;
    s->password.not_found_ok = true;
    k8s_call_start(&s->password, &s->op);
}

/* ---- The document ---- */

static json_t *release_json(struct mon_status *s)
{
    struct mon_release r;
    mon_release_read(s->secrets.result, &r);
    json_t *o = rd_json_pack("{s:s, s:s, s:b}", "name", s->m->config->monitoring.release, "namespace",
                             s->m->config->monitoring.ns, "found", r.found);
    if (r.found) {
        json_object_set_new(o, "revision", json_integer(r.revision));
        json_object_set_new(o, "status", json_string(r.status ? r.status : "unknown"));
        json_object_set_new(o, "ours", json_boolean(mon_release_ours(s->m, &r)));
    }
    mon_release_clear(&r);
    return o;
}

static json_t *pods_json(struct mon_status *s)
{
    json_t *list = json_array();
    size_t i;
    json_t *pod;
    json_array_foreach (json_object_get(s->pods.result, "items"), i, pod) {
        struct k8s_verdict v;
        json_object_set_new(pod, "apiVersion", json_string("v1"));
        json_object_set_new(pod, "kind", json_string("Pod"));
        k8s_judge(pod, rd_wall_ms(), &v);
        json_array_append_new(list, rd_json_pack("{s:s, s:s, s:s}", "name",
                                                 rd_json_str(pod, "metadata", "name", NULL), "status",
                                                 k8s_status_name(v.status), "message", v.message));
        k8s_verdict_clear(&v);
    }
    return list;
}

static json_t *monitors_json(struct mon_status *s)
{
    json_t *list = json_array();
    RD_AUTOJSON json_t *pods = json_array();
    size_t i;
    const json_t *one;
    json_array_extend(pods, json_object_get(s->ray_pods.result, "items"));
    json_array_extend(pods, json_object_get(s->operator_pods.result, "items"));
    json_array_foreach (json_object_get(s->monitors.result, "items"), i, one)
        json_array_append_new(list, mon_monitor_json(one, pods));
    return list;
}

static json_t *names_json(const json_t *list)
{
    json_t *names = json_array();
    size_t i;
    const json_t *one;
    json_array_foreach (json_object_get(list, "items"), i, one)
        json_array_append(names, rd_json_get(one, "metadata", "name", NULL));
    return names;
}

static void compose(struct mon_status *s)
{
    bool gmp = s->m->kind == MON_GMP;
    s->result = rd_json_pack("{s:s, s:s, s:o}", "name", s->m->config->name, "with",
                             gmp ? "gmp" : "prometheus", "monitors", monitors_json(s));
    if (gmp)
        return;
    json_object_set_new(s->result, "release", release_json(s));
    json_object_set_new(s->result, "pods", pods_json(s));
    json_object_set_new(s->result, "dashboards", names_json(s->dashboards.result));
    json_t *grafana = rd_json_pack("{s:s}", "user", "admin");
    RD_AUTOFREE char *secret = mon_secret_name(s->m);
    RD_AUTOFREE char *where = rd_asprintf("%s/%s", s->m->config->monitoring.ns, secret);
    if (s->password.result)
        json_object_set_new(grafana, "secret", json_string(where));
    json_object_set_new(s->result, "grafana", grafana);
}

static void status_step(struct op *op)
{
    struct mon_status *s = container_of(op, struct mon_status, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!s->asked) {
        s->asked = true;
        ask_all(s);
        return;
    }
    if (op_has_children(op))
        return;
    struct k8s_call *calls[] = {&s->secrets,    &s->pods,     &s->monitors, &s->ray_pods,
                                &s->dashboards, &s->password, &s->operator_pods};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++) {
        struct rd_err *err = op_take_err(&calls[i]->op);
        /* A cluster without the CRDs has no monitors. */
        if (err && !(calls[i] == &s->monitors && err->http_status == 404)) {
            op_finish(op, err);
            return;
        }
        rd_err_free(err);
    }
    compose(s);
    op_finish(op, NULL);
}

void mon_status_start(struct mon_status *s, struct mon *m, struct op *parent)
{
    *s = (struct mon_status){.m = m};
    op_start(&s->op, parent, status_step, "monitoring status");
}
