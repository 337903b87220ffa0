#include "base/test.h"

#include "kube_fields.h"
#include "kube_internal.h"

static json_t *js(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    if (v == NULL)
        fail_msg("not JSON: %s", text);
    return v;
}

static void same(const char *row, const json_t *got, const char *want_text)
{
    RD_AUTOJSON json_t *want = js(want_text);
    RD_AUTOFREE char *a = rd_json_dump(got);
    RD_AUTOFREE char *b = rd_json_dump(want);
    rd_check_str(row, a, b);
}

#define META "\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\"}"

static struct kube_applied apply(const char *manager, json_t *live, const char *config, bool force)
{
    struct kube_owner o = {.manager = manager, .api_version = "apps/v1", .sub = "", .apply = true};
    RD_AUTOJSON json_t *c = js(config);
    struct kube_applied a = kube_fields_apply(kube_type_named("Deployment"), &o, live, c, force);
    json_decref(live);
    return a;
}

/* The applied object with its managedFields, as it would be stored. */
static json_t *stored(struct kube_applied *a)
{
    assert_non_null(a->object);
    json_t *o = json_deep_copy(a->object);
    json_object_set(json_object_get(o, "metadata"), "managedFields", a->managed);
    kube_applied_clear(a);
    return o;
}

static void test_sets(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *o = js("{\"spec\":{\"replicas\":2,\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\","
                               "\"image\":\"i\"}]}}}}");
    RD_AUTOJSON json_t *set = kube_set_of(kube_type_named("Deployment"), o);
    RD_AUTOJSON json_t *out = kube_set_write(set);
    same("keys of lists", out,
         "{\"f:spec\":{\"f:replicas\":{},\"f:template\":{\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"a\\\"}\":"
         "{\".\":{},\"f:image\":{},\"f:name\":{}}}}}}}");
    RD_AUTOJSON json_t *back = kube_set_parse(out);
    assert_true(json_equal(back, set));
    RD_AUTOJSON json_t *other = js("{\"f:spec\":{\"f:replicas\":{\".\":{}}}}");
    RD_AUTOJSON json_t *both = kube_set_intersect(set, other);
    same("intersection", both, "{\"f:spec\":{\"f:replicas\":{\".\":{}}}}");
    kube_set_subtract(set, set);
    same("nothing is left", set, "{}");
}

static void test_apply(void **state)
{
    (void)state;
    struct kube_applied a =
        apply("one", NULL, "{" META ",\"spec\":{\"replicas\":2,\"paused\":true,\"template\":{\"spec\":{\"containers\":["
                           "{\"name\":\"a\",\"image\":\"i\",\"ports\":[{\"containerPort\":80}]}]}}}}", false);
    json_t *live = stored(&a);
    /* Another manager: the same value is shared, another one is a conflict. */
    a = apply("two", json_incref(live), "{" META ",\"spec\":{\"replicas\":2}}", false);
    rd_check_int("shared", (long long)a.conflict_count, 0);
    kube_applied_clear(&a);
    a = apply("two", json_incref(live), "{" META ",\"spec\":{\"replicas\":3}}", false);
    rd_check_int("one conflict", (long long)a.conflict_count, 1);
    rd_check_str("whose", a.conflicts[0].manager_text, "\"one\"");
    rd_check_str("where", a.conflicts[0].path, ".spec.replicas");
    kube_applied_clear(&a);
    a = apply("two", json_incref(live), "{" META ",\"spec\":{\"replicas\":3}}", true);
    rd_check_int("forced", (long long)rd_json_path_int(a.object, "spec.replicas", 0), 3);
    json_decref(live);
    live = stored(&a);
    /* What is not sent any more goes, what somebody else has stays. */
    a = apply("one", json_incref(live), "{" META ",\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\","
                                        "\"image\":\"j\"}]}}}}", false);
    rd_check_int("no conflict", (long long)a.conflict_count, 0);
    assert_null(rd_json_path(a.object, "spec.paused"));
    rd_check_int("kept", (long long)rd_json_path_int(a.object, "spec.replicas", 0), 3);
    same("the port went, the image changed", rd_json_path(a.object, "spec.template.spec.containers"),
         "[{\"name\":\"a\",\"image\":\"j\"}]");
    kube_applied_clear(&a);
    json_decref(live);
}

static void test_update(void **state)
{
    (void)state;
    const struct kube_type *t = kube_type_named("Deployment");
    RD_AUTOJSON json_t *old = js("{" META ",\"spec\":{\"replicas\":1,\"paused\":true}}");
    RD_AUTOJSON json_t *fresh = js("{" META ",\"spec\":{\"replicas\":2}}");
    RD_AUTOJSON json_t *given =
        js("[{\"manager\":\"a\",\"operation\":\"Apply\",\"apiVersion\":\"apps/v1\",\"time\":\"2026-01-01T00:00:00Z\","
           "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:spec\":{\"f:replicas\":{},\"f:paused\":{}}}}]");
    struct kube_owner o = {.manager = "b", .api_version = "apps/v1", .sub = ""};
    RD_AUTOJSON json_t *managed = kube_managed_update(t, &o, given, old, fresh, true);
    rd_check_int("a has nothing left", (long long)json_array_size(managed), 1);
    rd_check_str("b", rd_json_str(json_array_get(managed, 0), "manager", NULL), "b");
    same("its field", json_object_get(json_array_get(managed, 0), "fieldsV1"),
         "{\"f:spec\":{\"f:replicas\":{}}}");
}

static void test_patch(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type, *patch, *want; /* want NULL: refused */
    } rows[] = {
        {"merge", "application/merge-patch+json", "{\"spec\":{\"replicas\":null,\"paused\":false}}",
         "{\"spec\":{\"paused\":false,\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"i\"}]}}}}"},
        {"strategic", "application/strategic-merge-patch+json",
         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"k\"},{\"name\":\"a\","
         "\"$patch\":\"delete\"}]}}}}",
         "{\"spec\":{\"replicas\":1,\"template\":{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"k\"}]}}}}"},
        {"json", "application/json-patch+json",
         "[{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":1},{\"op\":\"remove\",\"path\":\"/spec/template\"},"
         "{\"op\":\"add\",\"path\":\"/spec/a~1b\",\"value\":[1]},{\"op\":\"add\",\"path\":\"/spec/a~1b/-\","
         "\"value\":2}]",
         "{\"spec\":{\"replicas\":1,\"a/b\":[1,2]}}"},
        {"a test that fails", "application/json-patch+json",
         "[{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":2}]", NULL},
        {"no such path", "application/json-patch+json", "[{\"op\":\"remove\",\"path\":\"/spec/x\"}]", NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *o = js("{\"spec\":{\"replicas\":1,\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\","
                                   "\"image\":\"i\"}]}}}}");
        RD_AUTOJSON json_t *patch = js(rows[i].patch);
        struct kube_fail f = {0};
        RD_AUTOJSON json_t *got = kube_patch(kube_type_named("Deployment"), rows[i].type, o, patch, &f);
        if (rows[i].want == NULL) {
            assert_null(got);
            rd_check_int(rows[i].name, f.code, 422);
        } else {
            same(rows[i].name, got, rows[i].want);
        }
        kube_fail_clear(&f);
    }
}

static void test_select(void **state)
{
    (void)state;
    static const struct {
        const char *labels, *fields;
        bool valid, selected;
    } rows[] = {
        {"a=b", NULL, true, true},           {"a==b,!c", NULL, true, true},
        {"a!=b", NULL, true, false},         {"a in (x, b)", NULL, true, true},
        {"a notin (b)", NULL, true, false},  {"c notin (b)", NULL, true, true},
        {"c", NULL, true, false},            {"a b", NULL, false, false},
        {NULL, "metadata.name=n", true, true}, {NULL, "status.phase!=Running", true, true},
        {NULL, "spec.foo=1", false, false},
    };
    struct kube_res pods = {.name = "pods", .storage = "v1", .namespaced = true};
    RD_AUTOJSON json_t *o = js("{\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"b\"}}}");
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct kube_select s = {0};
        struct kube_fail f = {0};
        bool ok = kube_select_parse_text(&s, rows[i].labels, rows[i].fields, &pods, &f);
        const char *row = rows[i].labels == NULL ? rows[i].fields : rows[i].labels;
        rd_check_int(row, ok, rows[i].valid);
        if (ok)
            rd_check_int(row, kube_selected(&s, o), rows[i].selected);
        kube_select_clear(&s);
        kube_fail_clear(&f);
    }
}

static void test_unknown(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *o = js("{" META ",\"spec\":{\"replicaz\":1,\"template\":{\"spec\":{\"containers\":[{\"x\":1}]}}}}");
    struct rd_strv out = {0};
    kube_type_unknown(kube_type_named("Deployment"), o, &out);
    rd_check_int("two", (long long)out.len, 2);
    rd_check_str("the first", out.v[0], "unknown field \"spec.replicaz\"");
    rd_check_str("the second", out.v[1], "unknown field \"spec.template.spec.containers[0].x\"");
    rd_strv_clear(&out);
}

static int types_free(void **state)
{
    (void)state;
    kube_types_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),   cmocka_unit_test(test_apply),  cmocka_unit_test(test_update),
        cmocka_unit_test(test_patch),  cmocka_unit_test(test_select), cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, types_free);
}
