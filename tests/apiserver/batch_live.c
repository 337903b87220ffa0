/* Sets of objects against a real API server: order, CRDs and their instances, no-ops, diffs, deletes. */
#include "live.h"

#include "base/file.h"
#include "manifest/chart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* 200 objects: one list and one PATCH each, whatever the outcome. */
static void test_many(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum k8s_outcome want;
    } rows[] = {{"1", K8S_OUT_CREATED}, {"1", K8S_OUT_UNCHANGED}, {"2", K8S_OUT_CONFIGURED}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct k8s_batch b;
        size_t before = live->requests;
        k8s_batch_init(&b, live->client, K8S_BATCH_APPLY);
        add_configmaps(&b, 200, rows[i].value);
        run_batch(&b);
        live_must(op_take_err(&b.op), "batch");
        check_tally(&b, rows[i].want, 200);
        assert_int_equal(live->requests - before, 201);
        k8s_batch_clear(&b);
    }
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
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_crds_then_instances),
        cmocka_unit_test(test_fresh_definition),
        cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_delete_many),
    };
    return cmocka_run_group_tests(tests, open_live, close_live);
}
