/* Goal: what the verbs make of flags, reports and manifests is right, without a server. */
#include "base/test.h"

#include "base/alloc.h"
#include "deploy.h"
#include "lint.h"

#include <stdlib.h>

static const struct verb fake_verb = {.name = "up"};

struct world {
    struct verb_ctx v;
    struct deploy d;
};

static char *local[] = {"--target", "local"};

static void world_open(struct world *w, int argc, char **argv)
{
    struct rd_err *err = NULL;
    struct ui_options o = {.mode = UI_QUIET};
    memset(w, 0, sizeof(*w));
    w->v.verb = &fake_verb;
    w->v.argc = argc;
    w->v.argv = argv;
    w->v.ui = ui_new(&o, &err);
    w->v.notes = ui_sink(w->v.ui);
    if (!config_load(&w->v.config, argc, argv, NULL, false, &err))
        fail_msg("%s", err->message);
    deploy_init(&w->d, &w->v);
}

static void world_close(struct world *w)
{
    deploy_clear(&w->d);
    config_clear(&w->v.config);
    ui_free(w->v.ui);
}

static void commands_can_be_pasted_into_a_shell(void **state)
{
    (void)state;
    struct world w;
    char *argv[] = {"--target", "local", "--kubeconfig", "my file", "--fact", "a=it's"};
    world_open(&w, 6, argv);
    rd_check_str("resume", w.d.resume,
                 "raydeploy up --target local --kubeconfig 'my file' --fact 'a=it'\\''s'");
    char *flags = deploy_flags(&w.v);
    rd_check_str("flags", flags, " --target local --kubeconfig 'my file'");
    free(flags);
    world_close(&w);
}

/* ---- Timeline ---- */

static void report(struct world *w, const char *id, uint64_t begun, uint64_t ended)
{
    int i = steps_find(w->d.rows, w->d.count, id);
    if (i < 0)
        fail_msg("no step %s", id);
    w->d.spans[i] = (struct deploy_span){begun, ended};
    w->d.result.steps[i].state = STEP_DONE;
}

static void fake_run(struct world *w)
{
    w->d.result.step_count = w->d.count;
    w->d.result.steps = rd_calloc(w->d.count, sizeof(*w->d.result.steps));
    w->d.result.begun_ms = 1000;
    w->d.result.elapsed_ms = 10000;
    for (unsigned i = 0; i < w->d.count; i++) {
        w->d.result.steps[i].id = w->d.rows[i].core.id;
        w->d.result.steps[i].title = w->d.rows[i].title;
        w->d.result.steps[i].state = STEP_UNWANTED;
    }
    report(w, "cluster", 1000, 1100);
    report(w, "kuberay-crds", 1100, 3000);
    report(w, "base", 1100, 1500);
    report(w, "volume", 1500, 1600);
    report(w, "kuberay", 3000, 6000);
    report(w, "ray", 6000, 11000);
    w->d.result.steps[2].reason = rd_strdup("<b>&\033[2J");
}

static void the_trace_marks_the_critical_path(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool critical;
        int ts_ms;
    } want[] = {{"cluster", true, 0},   {"kuberay-crds", true, 100}, {"base", false, 100},
                {"volume", false, 500}, {"kuberay", true, 2000},     {"ray", true, 5000}};
    struct world w;
    struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(1 << 20);
    world_open(&w, 2, local);
    fake_run(&w);
    timeline_trace(&w.d, &text);
    RD_AUTOJSON json_t *trace = rd_json_parse(rd_buf_str(&text), text.len, "trace", &err);
    assert_non_null(trace);
    size_t found = 0, i;
    const json_t *e;
    json_array_foreach (json_object_get(trace, "traceEvents"), i, e) {
        const char *id = rd_json_str(e, "args", "id", NULL);
        for (size_t k = 0; id && k < RD_ARRAY_LEN(want); k++) {
            if (!rd_streq(id, want[k].id))
                continue;
            found++;
            rd_check_int(id, rd_json_path_bool(e, "args.critical", false), want[k].critical);
            rd_check_int(id, rd_json_path_int(e, "ts", -1), want[k].ts_ms * 1000);
        }
    }
    rd_check_int("events", (long long)found, (long long)RD_ARRAY_LEN(want));
    rd_buf_reset(&text);
    timeline_html(&w.d, &text);
    const char *html = rd_buf_str(&text);
    if (!strstr(html, "class=\"critical\"") || !strstr(html, "&lt;b>"))
        fail_msg("the page is wrong: %s", html);
    if (strstr(html, "<b>") || strchr(html, '\033') || strstr(html, "http://") ||
        strstr(html, "https://"))
        fail_msg("the page is not safe or not self-contained: %s", html);
    world_close(&w);
    rd_check_int("name", timeline_check("x.txt", &err), false);
    rd_check_err("name", &err, RD_ERR_INPUT, "must end in .html or .json");
}

static void json_of_a_run(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, local);
    fake_run(&w);
    struct phase_note n = {
        .event = NOTE_RESOURCE, .step = "base", .resource = "Namespace/a", .message = "configured"};
    w.d.sink.emit(&w.d.sink, &n);
    n.message = "differs at spec.x: 1 -> 2";
    w.d.sink.emit(&w.d.sink, &n);
    w.d.sink.emit(&w.d.sink, &n);
    RD_AUTOJSON json_t *o = deploy_json(&w.d);
    const json_t *r = json_array_get(json_object_get(o, "resources"), 0);
    rd_check_int("resources", (long long)json_array_size(json_object_get(o, "resources")), 1);
    rd_check_str("outcome", rd_json_str(r, "outcome", NULL), "configured");
    rd_check_int("changes", (long long)json_array_size(json_object_get(r, "changes")), 1);
    rd_check_str("change", json_string_value(json_array_get(json_object_get(r, "changes"), 0)),
                 "spec.x: 1 -> 2");
    rd_check_int("elapsed",
                 rd_json_path_int(json_array_get(json_object_get(o, "steps"), 0), "elapsed_ms", -1),
                 100);
    world_close(&w);
}

/* ---- Lint ---- */

/* Findings for YAML text, "error: message" lines. Owned. */
static char *lint_text(const char *yaml)
{
    struct rd_err *err = NULL;
    struct yaml_stream s;
    struct manifest_list list = {0};
    if (!yaml_read(yaml, strlen(yaml), "t.yaml", YAML_FOREIGN, NULL, false, &s, &err))
        fail_msg("%s", err->message);
    for (size_t i = 0; i < s.len; i++)
        if (!manifest_add(&list, json_incref(s.docs[i].root), "t.yaml", s.docs[i].line, &err))
            fail_msg("%s", err->message);
    RD_AUTOJSON json_t *findings = json_array();
    struct lint l = {.findings = findings};
    lint_all(&l, &list);
    struct rd_buf b = RD_BUF_INIT(1 << 16);
    size_t i;
    const json_t *f;
    json_array_foreach (findings, i, f)
        rd_buf_printf(&b, "%s: %s\n", rd_json_str(f, "level", NULL),
                      rd_json_str(f, "message", NULL));
    manifest_list_clear(&list);
    yaml_stream_clear(&s);
    return rd_buf_take(&b, NULL);
}

#define META(kind, api) "apiVersion: " api "\nkind: " kind "\nmetadata: {name: x, namespace: ns}\n"
#define DEPLOYMENT                                                                                 \
    META("Deployment", "apps/v1")                                                                  \
    "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b, c: d}}}}\n"
#define OPERATOR(version, gates)                                                                   \
    META("Deployment", "apps/v1")                                                                  \
    "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: "        \
    "{containers: [{image: 'quay.io/kuberay/operator:v" version                                    \
    "', args: ['--feature-gates=" gates "']}]}}}\n"
#define CLUSTER(env)                                                                               \
    META("RayCluster", "ray.io/v1")                                                                \
    "spec: {rayVersion: 2.60.0, authOptions: {mode: token}, headGroupSpec: {template: {spec: "     \
    "{containers: [{name: h, image: i, env: [" env "]}]}}}}\n"
#define SPILL(json) "{name: RAY_object_spilling_config, value: '" json "'}"

static void lint_knows_what_cannot_work(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *part; /* NULL: no finding */
    } rows[] = {
        {META("ConfigMap", "v1"), NULL},
        {DEPLOYMENT, NULL},
        {META("Service", "v1") "spec: {selector: {a: b}}\n---\n" DEPLOYMENT, NULL},
        {META("Service", "v1") "spec: {selector: {a: c}}\n---\n" DEPLOYMENT,
         "warning: spec.selector: {\"a\":\"c\"} matches no pod"},
        {META("Service", "v1") "spec: {selector: {a: c}}\n", NULL}, /* pods may be elsewhere */
        {META("PodDisruptionBudget",
              "policy/v1") "spec: {selector: {matchLabels: {ray.io/cluster-name: x}}}\n",
         "error: spec.selector: no pod has label ray.io/cluster-name"},
        {META("PodDisruptionBudget", "policy/v1") "spec: {selector: {matchLabels: {ray.io/cluster: "
                                                  "x, ray.io/node-type: head}}}\n"
                                                  "---\n" CLUSTER(""),
         NULL},
        {META("PodDisruptionBudget", "policy/v1") "spec: {selector: {matchLabels: {ray.io/cluster: "
                                                  "x, ray.io/node-type: worker}}}\n"
                                                  "---\n" CLUSTER(""),
         "matches no pod"},
        {META("NetworkPolicy",
              "networking.k8s.io/v1") "spec: {podSelector: {matchLabels: {ray.io/cluster: x}}, "
                                      "ingress: [{from: [{podSelector: "
                                      "{matchLabels: {ray.io/cluster: x}}}], ports: [{port: "
                                      "6379}]}]}\n",
         "warning: spec.ingress[0].from[0] lists ports between the pods of one Ray cluster"},
        {META("Deployment", "apps/v1") "spec: {selector: {matchLabels: {a: b}}, template: "
                                       "{metadata: {labels: {a: c}}}}\n",
         "error: spec.selector does not match the labels of its own pods"},
        {OPERATOR("1.7.0", "RayClusterStatusConditions=true"), NULL},
        {OPERATOR("1.7.0", "AsyncJobInfoQuery=true"), "gone since 1.7"},
        {OPERATOR("1.6.2", "AsyncJobInfoQuery=true"), NULL},
        {OPERATOR("1.6.2", "RayClusterMTLS=true"), "came with 1.7"},
        {OPERATOR("1.7.0", "Nonsense=true"), "no KubeRay operator knows feature gate Nonsense"},
        {OPERATOR("1.9.0", "Nonsense=true"), NULL},
        {CLUSTER(""), NULL},
        {CLUSTER(SPILL("{\"type\":\"smart_open\",\"params\":{\"uri\":\"gs://b\"}}")), NULL},
        {CLUSTER(
             SPILL("{\"type\":\"smart_open\",\"params\":{\"uri\":\"gs://b\",\"num_threads\":1}}")),
         "error: RAY_object_spilling_config: parameter num_threads"},
        {CLUSTER(SPILL("{\"type\":")), "the head would not start"},
        {CLUSTER(SPILL("{\"type\":\"own.Class\",\"params\":{\"any\":1}}")), NULL},
        {META("RayCluster", "ray.io/v1") "spec: {rayVersion: 2.60.0, headGroupSpec: {template: "
                                         "{spec: {containers: [{name: h, image: "
                                         "i}]}}}}\n",
         "spec.authOptions is missing"},
        {META("RayCluster", "ray.io/v1") "spec: {rayVersion: 2.60.0, authOptions: {mode: token}, "
                                         "headGroupSpec: {template: {spec: "
                                         "{containers: []}}}}\n",
         "error: KubeRay would refuse it"},
        {META("RayJob", "ray.io/v1") "spec: {rayClusterSpec: {authOptions: {mode: disabled}, "
                                     "headGroupSpec: {template: {spec: "
                                     "{containers: [{name: h, image: i}]}}}}}\n",
         "spec.rayVersion is missing"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        char *got = lint_text(rows[i].yaml);
        if (rows[i].part ? strstr(got, rows[i].part) == NULL : *got != '\0')
            fail_msg("%s\ngot \"%s\", want \"%s\"", rows[i].yaml, got,
                     rows[i].part ? rows[i].part : "");
        free(got);
    }
}

static void objects_are_named_as_kubectl_does(void **state)
{
    (void)state;
    static const struct {
        const char *api, *kind, *want;
    } rows[] = {{"v1", "ConfigMap", "configmap/a"},
                {"apps/v1", "Deployment", "deployment.apps/a"},
                {"ray.io/v1", "RayCluster", "raycluster.ray.io/a"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *o = rd_json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", rows[i].api,
                                             "kind", rows[i].kind, "metadata", "name", "a");
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(1024);
        verb_object_name(&b, o);
        rd_check_str(rows[i].kind, rd_buf_str(&b), rows[i].want);
    }
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_can_be_pasted_into_a_shell),
        cmocka_unit_test(the_trace_marks_the_critical_path),
        cmocka_unit_test(json_of_a_run),
        cmocka_unit_test(lint_knows_what_cannot_work),
        cmocka_unit_test(objects_are_named_as_kubectl_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
