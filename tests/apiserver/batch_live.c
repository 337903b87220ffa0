/* Sets of objects against a real API server: order, CRDs and their instances, no-ops, diffs, deletes. */
#include "live.h"

#include "base/file.h"
#include "k8s/noop.h"
#include "manifest/chart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct live *live;

static int open_live(void **state)
{
    (void)state;
    live = live_open();
    return 0;
}

static int close_live(void **state)
{
    (void)state;
    live_close(live);
    return 0;
}

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    (void)b;
    if (r->err && r->outcome == K8S_OUT_FAILED)
        print_message("%s: %s\n", r->title, r->err->message);
    if (getenv("LIVE_TALK"))
        print_message("%s %s\n", r->title, k8s_outcome_name(r->outcome));
}

static void run_batch(struct k8s_batch *b)
{
    b->ns = live->ns;
    b->on_result = on_result;
    live_run(live, live_begin_batch, b);
}

static void check_tally(const struct k8s_batch *b, enum k8s_outcome outcome, size_t want)
{
    for (int i = 0; i < K8S_OUT_MAX; i++) {
        if (b->tally[i] != ((int)outcome == i ? want : 0))
            print_message("%s: %zu\n", k8s_outcome_name((enum k8s_outcome)i), b->tally[i]);
    }
    assert_int_equal(b->tally[outcome], want);
}

static void add_configmaps(struct k8s_batch *b, size_t n, const char *value)
{
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof(name), "many-%zu", i);
        json_t *o = live_configmap(live, name, "k", value);
        k8s_batch_add(b, o);
        json_decref(o);
    }
}

/* 200 objects: one list, and one PATCH for each that is not settled. */
static void test_many(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum k8s_outcome want;
        size_t requests;
    } rows[] = {{"1", K8S_OUT_CREATED, 201}, {"1", K8S_OUT_UNCHANGED, 1}, {"2", K8S_OUT_CONFIGURED, 201}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct k8s_batch b;
        size_t before = live->requests;
        k8s_batch_init(&b, live->client, K8S_BATCH_APPLY);
        add_configmaps(&b, 200, rows[i].value);
        run_batch(&b);
        live_must(op_take_err(&b.op), "batch");
        check_tally(&b, rows[i].want, 200);
        assert_int_equal(live->requests - before, rows[i].requests);
        k8s_batch_clear(&b);
    }
}

static const char assorted[] =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, labels: {a: b}}\nspec:\n  replicas: 0\n"
    "  selector: {matchLabels: {x: d}}\n  template:\n    metadata: {labels: {x: d}}\n    spec:\n"
    "      containers:\n      - name: c\n        image: i\n        ports: [{containerPort: 80, name: p}]\n"
    "        env: [{name: A, value: a}, {name: B, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: status.podIP}}}]\n"
    "        resources: {limits: {cpu: 1}}\n        securityContext: {capabilities: {drop: [ALL]}}\n"
    "      tolerations: [{key: t, operator: Exists}]\n      volumes: [{name: v, emptyDir: {}}]\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  selector: {x: d}\n"
    "  ports: [{port: 80, name: a}, {port: 81, name: b}]\n"
    "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: np}\nspec:\n"
    "  podSelector: {}\n  policyTypes: [Ingress]\n  ingress: [{from: [{podSelector: {}}]}]\n"
    "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules:\n"
    "- {apiGroups: [''], resources: [pods], verbs: [get, list]}\n"
    "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: value}\n"
    "---\napiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {pods: '100', cpu: 1000m}}\n"
    "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa, annotations: {x.y/z: '1'}}\n"
    "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p}\n"
    "spec: {minAvailable: 1, selector: {matchLabels: {x: d}}}\n"
    "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: empty}\ndata: {}\n"
    "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\n"
    "spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}\n";

static enum k8s_applied apply_for_real(const json_t *object)
{
    struct k8s_apply a = {0};
    k8s_apply_init(&a, live->client, object);
    a.ns = live->ns;
    live_run(live, live_begin_apply, &a);
    live_must(op_take_err(&a.op), "apply");
    enum k8s_applied outcome = a.outcome;
    k8s_apply_clear(&a);
    return outcome;
}

/* Where we say that an apply would change nothing, the server says so too; and a change of any leaf of
 * the intent is never taken for nothing. */
static void test_settled_as_the_server_says(void **state)
{
    (void)state;
    struct yaml_stream docs;
    struct rd_err *err = NULL;
    if (!yaml_read(assorted, strlen(assorted), "assorted", YAML_FOREIGN, &yaml_limits_default, false,
                   &docs, &err))
        live_must(err, "yaml");
    size_t settled = 0;
    for (size_t i = 0; i < docs.len; i++)
        assert_int_equal(apply_for_real(docs.docs[i].root), K8S_APPLY_CREATED);
    usleep(1100000); /* controllers write status; whose change it was is told by whole seconds */
    for (size_t i = 0; i < docs.len; i++) {
        json_t *o = docs.docs[i].root;
        const char *kind = rd_json_str(o, "kind", NULL);
        json_t *there = live_get(live, rd_json_str(o, "apiVersion", NULL), kind,
                                 rd_json_path_str(o, "metadata.name"));
        bool noop = k8s_apply_is_noop(o, there, K8S_FIELD_MANAGER);
        print_message("%s: %s\n", kind, noop ? "settled" : "left to the server");
        settled += noop;
        assert_int_equal(apply_for_real(o), K8S_APPLY_UNCHANGED);
        json_t *other = json_deep_copy(o);
        rd_json_path_set(other, "metadata.labels.more", json_string("1"));
        assert_false(k8s_apply_is_noop(other, there, K8S_FIELD_MANAGER));
        assert_int_equal(apply_for_real(other), K8S_APPLY_CHANGED);
        json_decref(there);
        there = live_get(live, rd_json_str(o, "apiVersion", NULL), kind,
                         rd_json_path_str(o, "metadata.name"));
        assert_false(k8s_apply_is_noop(o, there, K8S_FIELD_MANAGER)); /* the label is to go again */
        json_decref(there);
        json_decref(other);
    }
    yaml_stream_clear(&docs);
    assert_true(settled >= 7);
}

static void test_diff(void **state)
{
    (void)state;
    struct k8s_batch b;
    json_decref(live_apply(live, live_configmap(live, "diff-1", "k", "1"), NULL, false));
    json_decref(live_apply(live, live_configmap(live, "diff-2", "k", "1"), NULL, false));
    json_decref(live_apply(live, live_configmap(live, "diff-3", "k", "1"), "somebody", false));
    k8s_batch_init(&b, live->client, K8S_BATCH_DIFF);
    static const char *const values[] = {"1", "2", "2", "2"};
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof(name), "diff-%zu", i + 1);
        json_t *o = live_configmap(live, name, "k", values[i]);
        k8s_batch_add(&b, o);
        json_decref(o);
    }
    run_batch(&b);
    live_must(op_take_err(&b.op), "diff");
    assert_int_equal(b.tally[K8S_OUT_UNCHANGED], 1);
    assert_int_equal(b.tally[K8S_OUT_CONFIGURED], 2);
    assert_int_equal(b.tally[K8S_OUT_CREATED], 1);
    k8s_batch_clear(&b);
    json_t *none = live_get(live, "v1", "ConfigMap", "diff-4");
    assert_null(none);
}

static json_t *raycluster(const char *name)
{
    return rd_json_pack(
        "{s:s, s:s, s:{s:s}, s:{s:s, s:{s:{}, s:{s:{s:[{s:s, s:s}]}}}}}", "apiVersion", "ray.io/v1",
        "kind", "RayCluster", "metadata", "name", name, "spec", "rayVersion", "2.58.0", "headGroupSpec",
        "rayStartParams", "template", "spec", "containers", "name", "ray-head", "image",
        "rayproject/ray:2.58.0");
}

/* The real definitions and an instance in one set, given in the wrong order. */
static void test_crds_then_instances(void **state)
{
    (void)state;
    const char *path = getenv("RIG_CHART") ? getenv("RIG_CHART")
                                           : "../shared/charts/kuberay-operator-1.7.0.tgz";
    if (!rd_path_exists(path)) {
        print_message("SKIP: no chart at %s\n", path);
        skip();
    }
    RD_AUTOBUF struct rd_buf data = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    struct chart chart = {0};
    struct rd_err *err = NULL;
    if (!rd_file_read(path, (size_t)64 << 20, &data, &err) ||
        !chart_read(data.data, data.len, path, &chart, &err))
        live_must(err, "chart");
    for (int round = 0; round < 2; round++) {
        struct k8s_batch b;
        k8s_batch_init(&b, live->client, K8S_BATCH_APPLY);
        json_t *cluster = raycluster("right-away");
        k8s_batch_add(&b, cluster);
        json_decref(cluster);
        k8s_batch_add_list(&b, &chart.crds);
        run_batch(&b);
        live_must(op_take_err(&b.op), "crds and an instance");
        print_message("round %d: created %zu, configured %zu, unchanged %zu\n", round,
                      b.tally[K8S_OUT_CREATED], b.tally[K8S_OUT_CONFIGURED], b.tally[K8S_OUT_UNCHANGED]);
        if (round)
            check_tally(&b, K8S_OUT_UNCHANGED, chart.crds.len + 1);
        k8s_batch_clear(&b);
    }
    struct k8s_batch b;
    json_t *cluster = raycluster("right-away");
    k8s_batch_init(&b, live->client, K8S_BATCH_DELETE);
    k8s_batch_add(&b, cluster);
    json_decref(cluster);
    run_batch(&b);
    live_must(op_take_err(&b.op), "delete");
    check_tally(&b, K8S_OUT_DELETED, 1);
    k8s_batch_clear(&b);
    chart_clear(&chart);
}

/* A definition that did not exist a moment before, and its instance, in a namespace of the same set. */
static void test_fresh_definition(void **state)
{
    (void)state;
    for (int verb = 0; verb < 3; verb++) {
        RD_AUTOFREE char *ns = rd_asprintf("%s-b", live->ns);
        json_t *objects[] = {
            rd_json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:i}}", "apiVersion", "client-test.example.org/v1",
                         "kind", "Widget", "metadata", "name", "one", "namespace", ns, "spec", "n", 1),
            rd_json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:{s:s, s:s}, s:s, s:[{s:s, s:b, s:b, "
                         "s:{s:{s:s, s:{s:{s:s, s:{s:{s:s}}}}}}}]}}",
                         "apiVersion", "apiextensions.k8s.io/v1", "kind", "CustomResourceDefinition",
                         "metadata", "name", "widgets.client-test.example.org", "spec", "group",
                         "client-test.example.org", "names", "kind", "Widget", "plural", "widgets",
                         "scope", "Namespaced", "versions", "name", "v1", "served", 1, "storage", 1,
                         "schema", "openAPIV3Schema", "type", "object", "properties", "spec", "type",
                         "object", "properties", "n", "type", "integer"),
            rd_json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace", "metadata",
                         "name", ns),
        };
        struct k8s_batch b;
        static const enum k8s_batch_verb verbs[] = {K8S_BATCH_DIFF, K8S_BATCH_APPLY, K8S_BATCH_DELETE};
        k8s_batch_init(&b, live->client, verbs[verb]);
        for (size_t i = 0; i < RD_ARRAY_LEN(objects); i++) {
            k8s_batch_add(&b, objects[i]);
            json_decref(objects[i]);
        }
        run_batch(&b);
        live_must(op_take_err(&b.op), "fresh definition");
        if (verb == 0) {
            assert_int_equal(b.tally[K8S_OUT_CREATED], 2);
            assert_int_equal(b.tally[K8S_OUT_UNVALIDATED], 1);
        } else {
            check_tally(&b, verb == 1 ? K8S_OUT_CREATED : K8S_OUT_DELETED, 3);
        }
        k8s_batch_clear(&b);
    }
}

static bool refuse(struct k8s_batch *b, size_t index, const json_t *live_object, struct rd_err **reterr)
{
    if (index == 0)
        return rd_fail(reterr, RD_ERR_FOREIGN, "not ours");
    if (index == 1)
        return false;
    (void)b;
    return live_object == NULL;
}

static json_t *amend(struct k8s_batch *b, size_t index, const json_t *object, const json_t *live_object)
{
    (void)b;
    (void)index;
    (void)live_object;
    json_t *copy = json_deep_copy(object);
    rd_json_path_set(copy, "data.k", json_string("amended"));
    return copy;
}

static void test_hooks(void **state)
{
    (void)state;
    struct k8s_batch b;
    k8s_batch_init(&b, live->client, K8S_BATCH_APPLY);
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "hook-%zu", i);
        json_t *o = live_configmap(live, name, "k", "given");
        k8s_batch_add(&b, o);
        json_decref(o);
    }
    b.may_touch = refuse;
    b.amend = amend;
    b.lock = true;
    run_batch(&b);
    struct rd_err *err = op_take_err(&b.op);
    assert_non_null(err);
    assert_int_equal(err->kind, RD_ERR_FOREIGN);
    rd_err_free(err);
    assert_int_equal(b.tally[K8S_OUT_FAILED], 1);
    assert_int_equal(b.tally[K8S_OUT_KEPT], 1);
    assert_int_equal(b.tally[K8S_OUT_CREATED], 1);
    k8s_batch_clear(&b);
    json_t *third = live_get(live, "v1", "ConfigMap", "hook-2");
    assert_string_equal(rd_json_path_str(third, "data.k"), "amended");
    json_decref(third);
}

static void test_delete_many(void **state)
{
    (void)state;
    static const enum k8s_outcome want[] = {K8S_OUT_DELETED, K8S_OUT_ABSENT};
    for (size_t i = 0; i < 2; i++) {
        struct k8s_batch b;
        k8s_batch_init(&b, live->client, K8S_BATCH_DELETE);
        add_configmaps(&b, 200, "1");
        run_batch(&b);
        live_must(op_take_err(&b.op), "delete");
        check_tally(&b, want[i], 200);
        k8s_batch_clear(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_settled_as_the_server_says),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_crds_then_instances),
        cmocka_unit_test(test_fresh_definition),
        cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_delete_many),
    };
    return cmocka_run_group_tests(tests, open_live, close_live);
}
