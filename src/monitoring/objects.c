/* From the configuration to the objects and to Helm's arguments. */
#include "monitoring/mon.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "phase/steps/names.h"
#include "phase/steps/values.h"

#include <string.h>

static bool fill(struct mon *m, struct template_values *v, struct rd_err **reterr)
{
    const struct config *c = m->config;
    RD_AUTOJSON json_t *none = json_object();
    struct step_ctx ctx = {.config = c, .templates = m->templates, .facts = none};
    template_values_init(v);
    if (!values_fill(&ctx, v, reterr))
        return false;
    json_t *monitor = names_labels(c);
    json_object_set_new(monitor, "release", json_string(c->monitoring.release));
    json_t *dashboard = names_labels(c);
    json_object_set_new(dashboard, MON_DASHBOARD_LABEL, json_string("1"));
    return template_set(v, "monitor_labels", monitor, reterr) &&
           template_set(v, "dashboard_labels", dashboard, reterr) &&
           template_set_str(v, "operator_namespace", m->operator_ns ? m->operator_ns : c->kuberay.ns,
                            reterr) &&
           template_set(v, "helm_deadline_s", json_integer(MON_JOB_LIMIT_S), reterr) &&
           (!c->monitoring.helm_image ||
            template_set_str(v, "helm_image", c->monitoring.helm_image, reterr));
}

static bool render(struct mon *m, const char *name, struct manifest_list *out,
                   struct rd_err **reterr)
{
    struct template_values v;
    bool ok = fill(m, &v, reterr) && template_render(m->templates, name, &v, out, reterr);
    template_values_clear(&v);
    return ok;
}

bool mon_render_namespace(struct mon *m, struct manifest_list *out, struct rd_err **reterr)
{
    return render(m, "monitoring/namespace.yaml", out, reterr);
}

bool mon_render_rbac(struct mon *m, struct manifest_list *out, struct rd_err **reterr)
{
    return render(m, "monitoring/helm-rbac.yaml", out, reterr);
}

bool mon_render_monitors(struct mon *m, struct manifest_list *out, struct rd_err **reterr)
{
    return render(m, m->kind == MON_GMP ? "monitoring/gmp.yaml" : "monitoring/monitors.yaml", out,
                  reterr);
}

bool mon_render_policies(struct mon *m, struct manifest_list *out, struct rd_err **reterr)
{
    return render(m, "workloads/network-policy-monitoring.yaml", out, reterr);
}

/* The values file as text; owned. */
static char *values_text(struct mon *m, const struct template_values *v, struct rd_err **reterr)
{
    RD_AUTOJSON json_t *tree = template_fragment(m->templates, "monitoring/values.yaml", v, reterr);
    if (!tree)
        return NULL;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    yaml_write(&text, tree, NULL);
    return rd_buf_take(&text, NULL);
}

bool mon_render_settings(struct mon *m, const char *password, struct manifest_list *out,
                         struct rd_err **reterr)
{
    struct template_values v;
    RD_AUTOFREE char *user64 = rd_base64_encode("admin", 5);
    RD_AUTOFREE char *pass64 = rd_base64_encode(password, strlen(password));
    bool ok = fill(m, &v, reterr);
    RD_AUTOFREE char *text = ok ? values_text(m, &v, reterr) : NULL;
    ok = ok && text &&
         template_set(&v, "helm_values", rd_json_pack("{s:s}", "values.yaml", text), reterr) &&
         template_set(&v, "grafana_admin",
                      rd_json_pack("{s:s, s:s}", "admin-user", user64, "admin-password", pass64),
                      reterr) &&
         template_render(m->templates, "monitoring/settings.yaml", &v, out, reterr);
    template_values_clear(&v);
    return ok;
}

bool mon_render_job(struct mon *m, const json_t *args, struct manifest_list *out,
                    struct rd_err **reterr)
{
    struct template_values v;
    bool ok = fill(m, &v, reterr) &&
              template_set(&v, "helm_args", json_deep_copy(args), reterr) &&
              template_render(m->templates, "monitoring/helm-job.yaml", &v, out, reterr);
    template_values_clear(&v);
    return ok;
}

bool mon_render_dashboard(struct mon *m, const char *file, const char *text,
                          struct manifest_list *out, struct rd_err **reterr)
{
    struct template_values v;
    RD_AUTOFREE char *name = mon_dashboard_name(m, file);
    if (!name)
        return rd_fail(reterr, RD_ERR_FAILED, "dashboard \"%.200s\" cannot be the name of an object",
                       file);
    bool ok = fill(m, &v, reterr) && template_set_str(&v, "dashboard_name", name, reterr) &&
              template_set(&v, "dashboard_data", rd_json_pack("{s:s}", file, text), reterr) &&
              template_render(m->templates, "monitoring/dashboard.yaml", &v, out, reterr);
    template_values_clear(&v);
    return ok;
}

/* ---- Helm ---- */

json_t *mon_args_install(const struct mon *m, const char *inputs)
{
    const struct config *c = m->config;
    RD_AUTOFREE char *timeout = rd_asprintf("%ds", MON_HELM_LIMIT_S);
    RD_AUTOFREE char *labels = rd_asprintf("%s=raydeploy,%s=%s,%s=%s", MARK_MANAGED_BY,
                                           MARK_DEPLOYMENT, c->name, MON_INPUTS_LABEL, inputs);
    json_t *args = rd_json_pack("[s, s, s]", "upgrade", "--install", c->monitoring.release);
    if (rd_starts_with(c->monitoring.chart_repo, "oci://")) {
        RD_AUTOFREE char *chart = rd_asprintf("%s/%s", c->monitoring.chart_repo, MON_CHART);
        json_array_append_new(args, json_string(chart));
    } else {
        json_array_append_new(args, json_string(MON_CHART));
        json_array_append_new(args, json_string("--repo"));
        json_array_append_new(args, json_string(c->monitoring.chart_repo));
    }
    /* What somebody set by hand in an upgrade of his own stays set. */
    RD_AUTOJSON json_t *rest = rd_json_pack(
        "[s, s, s, s, s, s, s, s, s, s, s, s]", "--version", c->monitoring.chart_version,
        "--namespace", c->monitoring.ns, "--values", "/values/values.yaml",
        "--reset-then-reuse-values", "--labels", labels, "--wait", "--timeout", timeout);
    json_array_extend(args, rest);
    return args;
}

json_t *mon_args_uninstall(const struct mon *m)
{
    RD_AUTOFREE char *timeout = rd_asprintf("%ds", MON_HELM_LIMIT_S);
    return rd_json_pack("[s, s, s, s, s, s, s]", "uninstall", m->config->monitoring.release,
                        "--namespace", m->config->monitoring.ns, "--wait", "--timeout", timeout);
}

json_t *mon_args_rollback(const struct mon *m)
{
    return rd_json_pack("[s, s, s, s]", "rollback", m->config->monitoring.release, "--namespace",
                        m->config->monitoring.ns);
}

char *mon_inputs(struct mon *m, struct rd_err **reterr)
{
    const struct config *c = m->config;
    struct template_values v;
    bool ok = fill(m, &v, reterr);
    RD_AUTOFREE char *text = ok ? values_text(m, &v, reterr) : NULL;
    template_values_clear(&v);
    if (!text)
        return NULL;
    RD_AUTOFREE char *all = rd_asprintf("%s\n%s\n%s", c->monitoring.chart_repo,
                                        c->monitoring.chart_version, text);
    char hex[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(all, strlen(all), hex);
    return rd_strndup(hex, 16);
}
