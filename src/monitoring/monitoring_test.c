/* Goal: objects, Helm's arguments, what is read of releases and dashboards, and the words of a failure. */
#include "base/test.h"

#include "base/alloc.h"
#include "monitoring/dashboards.h"
#include "monitoring/helm.h"
#include "monitoring/release.h"
#include "monitoring/status.h"

#include <stdlib.h>
#include <unistd.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct world {
    struct config config;
    struct mon m;
};

static void open_world(struct world *w, const char *yaml)
{
    char path[] = "/tmp/monitoring_testXXXXXX";
    struct rd_err *err = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    char *argv[] = {(char *)"-c", path, (char *)"--target", (char *)"local", NULL};
    *w = (struct world){0};
    if (!config_load(&w->config, 4, argv, NULL, true, &err))
        fail_msg("config: %s", err->message);
    unlink(path);
    mon_init(&w->m, &w->config);
    w->m.templates = template_set_open(NULL, &err);
    assert_non_null(w->m.templates);
}

static void close_world(struct world *w)
{
    template_set_free(w->m.templates);
    mon_clear(&w->m);
    config_clear(&w->config);
}

#define YAML "name: one\nmonitoring:\n  helmImage: alpine/helm@sha256:" DIGEST "\n"

static const json_t *find(const struct manifest_list *l, const char *kind)
{
    for (size_t i = 0; i < l->len; i++)
        if (rd_streq(rd_json_str(l->v[i].json, "kind", NULL), kind))
            return l->v[i].json;
    return NULL;
}

static void the_job_is_what_helm_needs(void **state)
{
    (void)state;
    struct world w;
    struct manifest_list l = {0};
    struct rd_err *err = NULL;
    open_world(&w, YAML);
    RD_AUTOJSON json_t *args = mon_args_install(&w.m, "abc");
    RD_AUTOFREE char *text = rd_json_dump(args);
    rd_check_str("args", text,
                 "[\"upgrade\",\"--install\",\"kube-prometheus-stack\",\"kube-prometheus-stack\",\"--repo\","
                 "\"https://prometheus-community.github.io/helm-charts\",\"--version\",\"81.6.2\","
                 "\"--namespace\",\"monitoring\",\"--values\",\"/values/values.yaml\","
                 "\"--reset-then-reuse-values\",\"--labels\","
                 "\"app.kubernetes.io/managed-by=raydeploy,raydeploy-deployment=one,raydeploy-inputs=abc\","
                 "\"--wait\",\"--timeout\",\"600s\"]");
    if (!mon_render_job(&w.m, args, &l, &err) || !mon_render_rbac(&w.m, &l, &err) ||
        !mon_render_settings(&w.m, "pass-word-of-grafana", &l, &err))
        fail_msg("%s", err->message);
    const json_t *job = find(&l, "Job");
    const json_t *container = json_array_get(rd_json_path(job, "spec.template.spec.containers"), 0);
    assert_string_equal(rd_json_str(container, "image", NULL), "alpine/helm@sha256:" DIGEST);
    assert_true(json_equal(json_object_get(container, "args"), args));
    assert_int_equal(rd_json_path_int(job, "spec.backoffLimit", -1), 0);
    /* The values name the Secret and hold nothing of it. */
    RD_AUTOFREE char *values = rd_json_dump(rd_json_get(find(&l, "ConfigMap"), "data", NULL));
    assert_non_null(strstr(values, "existingSecret: one-grafana-admin"));
    assert_null(strstr(values, "pass-word"));
    manifest_list_clear(&l);
    close_world(&w);
}

static void a_registry_needs_no_repository(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, YAML "  chartRepo: oci://ghcr.io/prometheus-community/charts\n");
    RD_AUTOJSON json_t *args = mon_args_install(&w.m, "abc");
    assert_string_equal(json_string_value(json_array_get(args, 3)),
                        "oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack");
    assert_string_equal(json_string_value(json_array_get(args, 4)), "--version");
    close_world(&w);
}

static void an_image_by_tag_is_refused(void **state)
{
    (void)state;
    struct config c;
    struct rd_err *err = NULL;
    static const char *const bad[] = {"alpine/helm:3", "alpine/helm@sha256:12", "@sha256:" DIGEST};
    for (size_t i = 0; i < RD_ARRAY_LEN(bad); i++) {
        char *argv[] = {(char *)"--target", (char *)"local", (char *)"--helm-image", (char *)bad[i], NULL};
        assert_false(config_load(&c, 4, argv, NULL, true, &err));
        rd_check_err(bad[i], &err, RD_ERR_INPUT, "digest");
    }
}

static void dashboards_get_names_of_objects(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, YAML);
    static const char *const rows[][2] = {
        {"default_grafana_dashboard.json", "one-dashboard-default"},
        {"serve_deployment_grafana_dashboard.json", "one-dashboard-serve-deployment"},
        {"My Board.json", "one-dashboard-my-board"},
        {"___.json", "one-dashboard"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *name = mon_dashboard_name(&w.m, rows[i][0]);
        rd_check_str(rows[i][0], name, rows[i][1]);
    }
    close_world(&w);
}

static void what_the_head_answers(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *files = json_object();
    struct rd_strv out = {NULL, 0};
    struct rd_err *err = NULL;
    static const char text[] = "{\"a.json\":\"{\\\"panels\\\":[]}\",\"b.json\":\"[1]\",\"c.json\":\"{\",\"d.json\":7}";
    assert_true(mon_dashboards_read(text, strlen(text), files, &out, &err));
    assert_int_equal(json_object_size(files), 1);
    assert_int_equal(out.len, 3);
    assert_false(mon_dashboards_read("Traceback", 9, files, &out, &err));
    rd_err_freep(&err);
    rd_strv_clear(&out);
}

static void the_newest_revision_counts(void **state)
{
    (void)state;
    struct world w;
    struct mon_release r;
    open_world(&w, YAML);
    RD_AUTOJSON json_t *list = rd_json_pack(
        "{s:[{s:{s:{s:s, s:s}}}, {s:{s:{s:s, s:s, s:s, s:s, s:s, s:s}}}, {s:{s:{s:s, s:s}}}]}", "items",
        "metadata", "labels", "version", "9", "status", "superseded", "metadata", "labels", "version",
        "10", "status", "pending-upgrade", "modifiedAt", "1700000000", "app.kubernetes.io/managed-by",
        "raydeploy", "raydeploy-deployment", "one", MON_INPUTS_LABEL, "abc", "metadata", "labels",
        "version", "2", "status", "failed");
    mon_release_read(list, &r);
    assert_int_equal(r.revision, 10);
    assert_true(mon_release_ours(&w.m, &r));
    assert_true(mon_release_pending(&r));
    assert_string_equal(r.inputs, "abc");
    mon_release_clear(&r);
    mon_release_read(NULL, &r);
    assert_false(r.found);
    mon_release_clear(&r);
    close_world(&w);
}

static void failures_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reason;
        int code;
        enum rd_err_kind kind;
        const char *says, *hint;
    } rows[] = {
        {"Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress", NULL, 1,
         RD_ERR_TRANSIENT, "another operation", "Wait"},
        {"Error: chart \"kube-prometheus-stack\" version \"6.6.6\" not found in x repository", NULL, 1,
         RD_ERR_FAILED, "6.6.6", "monitoring.chartVersion"},
        {"Error: unknown flag: --labels", NULL, 1, RD_ERR_FAILED, "unknown flag", "3.14"},
        {"Error: something new", NULL, 1, RD_ERR_FAILED, "something new", "run the same command"},
        {NULL, "OOMKilled", 137, RD_ERR_FAILED, "out of memory", "helmImage"},
        {"still waiting", "DeadlineExceeded", -1, RD_ERR_TIMEOUT, "still waiting", "goes on"},
        {NULL, NULL, 3, RD_ERR_FAILED, "exit code 3", "run"},
        {NULL, NULL, -1, RD_ERR_TRANSIENT, "pod is gone", "again"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct rd_strv lines = {NULL, 0};
        if (rows[i].line) {
            rd_strv_add(&lines, "Release does not exist. Installing it now.");
            rd_strv_add(&lines, rows[i].line);
            rd_strv_add(&lines, "");
        }
        struct mon_helm_end end = {.verb = "upgrade",
                                   .release = "stack",
                                   .ns = "monitoring",
                                   .lines = &lines,
                                   .exit_code = rows[i].code,
                                   .reason = rows[i].reason};
        struct rd_err *err = mon_helm_explain(&end);
        assert_int_equal(err->kind, rows[i].kind);
        if (!strstr(err->message, rows[i].says) || !strstr(err->hint, rows[i].hint))
            fail_msg("row %zu: %s / %s", i, err->message, err->hint);
        rd_err_free(err);
        rd_strv_clear(&lines);
    }
}

static void monitors_are_held_against_pods(void **state)
{
    (void)state;
    struct world w;
    struct manifest_list l = {0};
    struct rd_err *err = NULL;
    open_world(&w, YAML);
    assert_true(mon_render_monitors(&w.m, &l, &err));
    RD_AUTOJSON json_t *pods = rd_json_pack(
        "[{s:{s:s, s:{s:s, s:s}}, s:{s:[{s:[{s:s}, {s:s}]}]}}, {s:{s:s, s:{s:s, s:s}}}]", "metadata",
        "namespace", "one-system", "labels", "ray.io/cluster", "one", "ray.io/node-type", "head", "spec",
        "containers", "ports", "name", "metrics", "name", "as-metrics", "metadata", "namespace",
        "elsewhere", "labels", "ray.io/cluster", "one", "ray.io/node-type", "head");
    RD_AUTOJSON json_t *head = mon_monitor_json(l.v[0].json, pods);
    RD_AUTOFREE char *text = rd_json_dump(head);
    rd_check_str("head", text,
                 "{\"name\":\"one-ray-head\",\"namespace\":\"monitoring\",\"pods\":1,\"ports\":[{\"pods\":1,"
                 "\"port\":\"metrics\"},{\"pods\":1,\"port\":\"as-metrics\"},{\"pods\":0,\"port\":"
                 "\"dash-metrics\"}]}");
    manifest_list_clear(&l);
    close_world(&w);
}

/* What depends on the inputs changes with them, and with nothing else. */
static void inputs_are_a_digest(void **state)
{
    (void)state;
    struct world a, b;
    struct rd_err *err = NULL;
    open_world(&a, YAML);
    open_world(&b, YAML "  chartVersion: 81.6.3\n");
    RD_AUTOFREE char *one = mon_inputs(&a.m, &err);
    RD_AUTOFREE char *again = mon_inputs(&a.m, &err);
    RD_AUTOFREE char *other = mon_inputs(&b.m, &err);
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    assert_int_equal(strlen(one), 16);
    close_world(&a);
    close_world(&b);
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_job_is_what_helm_needs),
        cmocka_unit_test(a_registry_needs_no_repository),
        cmocka_unit_test(an_image_by_tag_is_refused),
        cmocka_unit_test(dashboards_get_names_of_objects),
        cmocka_unit_test(what_the_head_answers),
        cmocka_unit_test(the_newest_revision_counts),
        cmocka_unit_test(failures_are_explained),
        cmocka_unit_test(monitors_are_held_against_pods),
        cmocka_unit_test(inputs_are_a_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
