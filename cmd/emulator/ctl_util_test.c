#include "ctl_work.h"

#include "base/test.h"

#include <stdlib.h>

static json_t *parse(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(v);
    return v;
}

/* Selectors mean what Kubernetes says they mean. */
static void test_selectors(void **state)
{
    (void)state;
    static const struct {
        const char *selector, *labels;
        bool want;
    } rows[] = {
        {"{}", "{}", true},
        {"{\"matchLabels\":{\"a\":\"1\"}}", "{\"a\":\"1\",\"b\":\"2\"}", true},
        {"{\"matchLabels\":{\"a\":\"1\"}}", "{\"a\":\"2\"}", false},
        {"{\"matchLabels\":{\"a\":\"1\"}}", "{}", false},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}", "{\"a\":\"\"}", true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}", "{}", false},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"DoesNotExist\"}]}", "{}", true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"1\",\"2\"]}]}",
         "{\"a\":\"2\"}", true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"1\"]}]}", "{}",
         false},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}", "{}",
         true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}",
         "{\"a\":\"1\"}", false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *selector = parse(rows[i].selector);
        RD_AUTOJSON json_t *labels = parse(rows[i].labels);
        rd_check_int(rows[i].selector, ctl_selector_match(selector, labels), rows[i].want);
    }
}

/* lastTransitionTime moves with the status only; a change of words is news all the same. */
static void test_conditions(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *status = json_object();
    assert_true(ctl_condition(status, "Ready", "False", "Updating", "soon"));
    json_t *c = json_array_get(json_object_get(status, "conditions"), 0);
    json_object_set_new(c, "lastTransitionTime", json_string("then"));
    assert_false(ctl_condition(status, "Ready", "False", "Updating", "soon"));
    assert_true(ctl_condition(status, "Ready", "False", "UpdateFailed", "no"));
    assert_string_equal(rd_json_str(c, "lastTransitionTime", NULL), "then");
    assert_true(ctl_condition(status, "Ready", "True", "UpToDate", NULL));
    assert_string_not_equal(rd_json_str(c, "lastTransitionTime", NULL), "then");
    assert_null(json_object_get(c, "message"));
    assert_int_equal(json_array_size(json_object_get(status, "conditions")), 1);
}

static void test_quantities(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int64_t milli;
        const char *want;
    } rows[] = {{"cpu", 1500, "1500m"},
                {"cpu", 2000, "2"},
                {"requests.memory", ((int64_t)2 << 30) * 1000, "2Gi"},
                {"limits.memory", ((int64_t)300 << 20) * 1000, "300Mi"},
                {"pods", 3000, "3"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *got = ctl_quantity(rows[i].key, rows[i].milli);
        rd_check_str(rows[i].key, got, rows[i].want);
    }
}

static void pod_name_containers(json_t *pod)
{
    json_t *list = rd_json_path(pod, "spec.containers");
    json_object_set_new(json_array_get(list, 0), "name", json_string("a"));
    json_object_set_new(json_array_get(list, 1), "name", json_string("b"));
}

/* What a pod asks of a node: limits stand for requests, init containers run alone. */
static void test_requests(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *pod = parse(
        "{\"spec\":{\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"3\"}}}],"
        "\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"500m\"},\"limits\":{\"cpu\":\"2\","
        "\"memory\":\"1Gi\"}}},{\"resources\":{\"limits\":{\"cpu\":\"1\",\"nvidia.com/gpu\":1}}}]}}");
    RD_AUTOJSON json_t *sum = ctl_pod_requests(pod);
    static const struct {
        const char *name;
        int64_t want;
    } rows[] = {{"cpu", 3000},
                {"memory", ((int64_t)1 << 30) * 1000},
                {"nvidia.com/gpu", 1000},
                {"pods", 1000}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++)
        rd_check_int(rows[i].name, json_integer_value(json_object_get(sum, rows[i].name)),
                     rows[i].want);
    const char *without = NULL;
    rd_check_int("quota", ctl_quota_use(pod, "limits.cpu", &without), 3000);
    assert_null(without);
    pod_name_containers(pod);
    rd_check_int("quota", ctl_quota_use(pod, "limits.memory", &without), ((int64_t)1 << 30) * 1000);
    rd_check_str("who says nothing", without, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors), cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_quantities), cmocka_unit_test(test_requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
