/* What a person sees of the difference between two objects. */
#include "base/alloc.h"
#include "base/text.h"
#include "k8s/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *live, *wanted;
    const char *out; /* the compact array, or NULL: only the count */
    size_t count;
} rows[] = {
    {"{\"a\":1}", "{\"a\":1}", "[]", 0},
    {"{\"a\":1}", "{\"a\":2}", "[{\"from\":1,\"path\":\"a\",\"to\":2}]", 1},
    {"{}", "{\"a\":{\"b\":1}}", "[{\"path\":\"a\",\"to\":{\"b\":1}}]", 1},
    {"{\"a\":{\"b\":1}}", "{}", "[{\"from\":{\"b\":1},\"path\":\"a\"}]", 1},
    {"{\"l\":[1,2,3]}", "{\"l\":[1,5]}",
     "[{\"from\":2,\"path\":\"l[1]\",\"to\":5},{\"from\":3,\"path\":\"l[2]\"}]", 2},
    {"{\"m\":{\"x.y/z\":\"1\"}}", "{\"m\":{\"x.y/z\":\"2\"}}",
     "[{\"from\":\"1\",\"path\":\"m[\\\"x.y/z\\\"]\",\"to\":\"2\"}]", 1},
    {"{\"a\":1,\"b\":{\"c\":[{\"d\":1}]}}", "{\"a\":\"1\",\"b\":{\"c\":[{\"d\":2}]}}",
     "[{\"from\":1,\"path\":\"a\",\"to\":\"1\"},{\"from\":1,\"path\":\"b.c[0].d\",\"to\":2}]", 2},
    {"{\"a\":null}", "{}", "[]", 0},
    {"{\"metadata\":{\"uid\":\"1\",\"resourceVersion\":\"1\",\"generation\":1,\"managedFields\":[1],"
     "\"creationTimestamp\":\"x\"},\"status\":{\"a\":1}}",
     "{\"metadata\":{\"uid\":\"2\",\"resourceVersion\":\"2\",\"generation\":2,\"managedFields\":[2]},"
     "\"status\":{}}",
     "[]", 0},
    /* status and uid only at their own places */
    {"{\"spec\":{\"status\":1,\"metadata\":{\"uid\":1}}}", "{\"spec\":{\"status\":2,\"metadata\":{\"uid\":2}}}",
     NULL, 2},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *live = json_loads(rows[i].live, 0, NULL);
        RD_AUTOJSON json_t *wanted = json_loads(rows[i].wanted, 0, NULL);
        RD_AUTOJSON json_t *out = json_array();
        assert_int_equal(k8s_object_diff(live, wanted, out), rows[i].count);
        assert_int_equal(k8s_object_diff(live, wanted, NULL), rows[i].count);
        RD_AUTOFREE char *text = rd_json_dump(out);
        if (rows[i].out)
            assert_string_equal(text, rows[i].out);
    }
}

static void test_secrets_are_digests(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"{\"kind\":\"Secret\",\"data\":{\"p\":\"aHVzaA==\"}}",
         "{\"kind\":\"Secret\",\"data\":{\"p\":\"b3RoZXI=\"}}"},
        {"{\"kind\":\"Secret\"}", "{\"kind\":\"Secret\",\"data\":{\"p\":\"b3RoZXI=\"}}"},
        {"{\"kind\":\"Secret\",\"stringData\":{\"p\":\"aHVzaA==\"}}", "{\"kind\":\"Secret\"}"},
        {"{\"kind\":\"Secret\",\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/"
         "last-applied-configuration\":\"aHVzaA==\"}}}",
         "{\"kind\":\"Secret\",\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/"
         "last-applied-configuration\":\"b3RoZXI=\"}}}"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(pairs); i++) {
        RD_AUTOJSON json_t *live = json_loads(pairs[i][0], 0, NULL);
        RD_AUTOJSON json_t *wanted = json_loads(pairs[i][1], 0, NULL);
        RD_AUTOJSON json_t *out = json_array();
        assert_int_equal(k8s_object_diff(live, wanted, out), 1);
        RD_AUTOFREE char *text = rd_json_dump(out);
        assert_null(strstr(text, "aHVzaA"));
        assert_null(strstr(text, "b3RoZXI"));
        assert_non_null(strstr(text, "sha256:"));
    }
}

static void test_deep(void **state)
{
    (void)state;
    json_t *live = json_object(), *wanted = json_object();
    json_t *a = live, *b = wanted;
    for (int i = 0; i < 1500; i++) {
        json_object_set_new(a, "x", json_object());
        json_object_set_new(b, "x", json_object());
        a = json_object_get(a, "x");
        b = json_object_get(b, "x");
    }
    json_object_set_new(b, "y", json_integer(1));
    assert_int_equal(k8s_object_diff(live, wanted, NULL), 1);
    json_decref(live);
    json_decref(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_secrets_are_digests),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
