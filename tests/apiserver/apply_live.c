/* Server-side apply against a real API server: what is created, kept, refused and explained. */
#include "live.h"

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

/* Applies take; checks the outcome; returns the error (owned) or NULL. */
static struct rd_err *try_apply(json_t *take, struct k8s_apply *ret, bool dry_run)
{
    memset(ret, 0, sizeof(*ret));
    k8s_apply_init(ret, live->client, take);
    ret->ns = live->ns;
    ret->dry_run = dry_run;
    live_run(live, live_begin_apply, ret);
    json_decref(take);
    ret->object = NULL;
    return op_take_err(&ret->op);
}

static void test_created_unchanged_changed(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum k8s_applied want;
    } rows[] = {{"1", K8S_APPLY_CREATED}, {"1", K8S_APPLY_UNCHANGED}, {"2", K8S_APPLY_CHANGED},
                {"2", K8S_APPLY_UNCHANGED}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct k8s_apply a;
        live_must(try_apply(live_configmap(live, "steps", "k", rows[i].value), &a, false), "apply");
        assert_int_equal(a.outcome, rows[i].want);
        assert_string_equal(rd_json_path_str(a.result, "data.k"), rows[i].value);
        k8s_apply_clear(&a);
    }
}

/* Another writer between our look and our apply does not make it ours. */
static void test_unchanged_beside_others(void **state)
{
    (void)state;
    json_t *first = live_apply(live, live_configmap(live, "beside", "k", "1"), NULL, false);
    json_decref(live_apply(live, live_configmap(live, "beside", "other", "1"), "somebody", false));
    static const struct {
        const char *value;
        enum k8s_applied want;
    } rows[] = {{"1", K8S_APPLY_UNCHANGED}, {"2", K8S_APPLY_CHANGED}};
    RD_AUTOFREE char *stamp = k8s_apply_stamp(first, NULL, NULL);
    assert_non_null(stamp);
    usleep(1100000); /* stamps count whole seconds */
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct k8s_apply a = {0};
        RD_AUTOJSON json_t *o = live_configmap(live, "beside", "k", rows[i].value);
        k8s_apply_init(&a, live->client, o);
        a.before_rv = rd_json_path_str(first, "metadata.resourceVersion");
        a.before_stamp = stamp;
        live_run(live, live_begin_apply, &a);
        live_must(op_take_err(&a.op), "apply");
        assert_int_equal(a.outcome, rows[i].want);
        k8s_apply_clear(&a);
    }
    json_decref(first);
}

static void test_dry_run_leaves_no_trace(void **state)
{
    (void)state;
    struct k8s_apply a;
    live_must(try_apply(live_configmap(live, "ghost", "k", "1"), &a, true), "dry run");
    assert_int_equal(a.outcome, K8S_APPLY_CREATED);
    k8s_apply_clear(&a);
    json_t *there = live_get(live, "v1", "ConfigMap", "ghost");
    assert_null(there);
    json_decref(live_apply(live, live_configmap(live, "ghost", "k", "1"), NULL, false));
    live_must(try_apply(live_configmap(live, "ghost", "k", "2"), &a, true), "dry run");
    assert_int_equal(a.outcome, K8S_APPLY_CHANGED);
    k8s_apply_clear(&a);
    live_must(try_apply(live_configmap(live, "ghost", "k", "1"), &a, true), "dry run");
    assert_int_equal(a.outcome, K8S_APPLY_UNCHANGED);
    k8s_apply_clear(&a);
}

static void test_conflict_names_the_manager(void **state)
{
    (void)state;
    json_decref(live_apply(live, live_configmap(live, "shared", "k", "theirs"), "somebody", false));
    struct k8s_apply a;
    struct rd_err *err = try_apply(live_configmap(live, "shared", "k", "ours"), &a, false);
    assert_non_null(err);
    assert_int_equal(err->kind, RD_ERR_FOREIGN);
    assert_int_equal(json_array_size(a.conflicts), 1);
    const json_t *c = json_array_get(a.conflicts, 0);
    assert_string_equal(rd_json_str(c, "manager", NULL), "somebody");
    assert_string_equal(rd_json_str(c, "field", NULL), ".data.k");
    rd_err_free(err);
    k8s_apply_clear(&a);
}

static void test_unknown_field_is_final(void **state)
{
    (void)state;
    json_t *pod = rd_json_pack("{s:s, s:s, s:{s:s}, s:{s:i, s:[{s:s, s:s}]}}", "apiVersion", "v1", "kind",
                               "Pod", "metadata", "name", "typo", "spec", "replicaz", 3, "containers",
                               "name", "c", "image", "i");
    struct k8s_apply a;
    size_t before = live->requests;
    struct rd_err *err = try_apply(pod, &a, false);
    assert_non_null(err);
    assert_int_equal(err->kind, RD_ERR_FAILED);
    assert_non_null(strstr(err->message, "replicaz"));
    assert_int_equal(live->requests - before, 2); /* the look and one PATCH: no retry */
    rd_err_free(err);
    k8s_apply_clear(&a);
}

static void test_bad_objects(void **state)
{
    (void)state;
    struct {
        json_t *object;
        enum rd_err_kind kind;
        int status;
    } rows[] = {
        {rd_json_pack("{s:s, s:s, s:{s:s}, s:{s:[{s:s}]}}", "apiVersion", "v1", "kind", "Pod",
                      "metadata", "name", "no-image", "spec", "containers", "name", "c"),
         RD_ERR_FAILED, 422},
        {rd_json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "example.org/v1", "kind", "Nothing",
                      "metadata", "name", "x"),
         RD_ERR_FAILED, 0},
        {rd_json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "iam.cnrm.cloud.google.com/v1beta1", "kind",
                      "IAMPolicyMember", "metadata", "name", "x"),
         RD_ERR_FAILED, 404},
        {rd_json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata",
                      "name", "x", "namespace", "no-such-namespace"),
         RD_ERR_NOT_FOUND, 404},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct k8s_apply a;
        struct rd_err *err = try_apply(rows[i].object, &a, false);
        assert_non_null(err);
        print_message("%s\n", err->message);
        assert_int_equal(err->kind, rows[i].kind);
        assert_int_equal(err->http_status, rows[i].status);
        rd_err_free(err);
        k8s_apply_clear(&a);
    }
}

static void test_immutable_is_foreign(void **state)
{
    (void)state;
    json_t *one = live_configmap(live, "frozen", "k", "1");
    json_object_set_new(one, "immutable", json_true());
    json_decref(live_apply(live, one, NULL, false));
    json_t *two = live_configmap(live, "frozen", "k", "2");
    json_object_set_new(two, "immutable", json_true());
    struct k8s_apply a;
    struct rd_err *err = try_apply(two, &a, false);
    assert_non_null(err);
    print_message("%s\n", err->message);
    assert_int_equal(err->kind, RD_ERR_FOREIGN);
    rd_err_free(err);
    k8s_apply_clear(&a);
}

static void test_lock_meets_another_version(void **state)
{
    (void)state;
    json_t *first = live_apply(live, live_configmap(live, "locked", "k", "1"), NULL, false);
    json_decref(live_apply(live, live_configmap(live, "locked", "other", "1"), "somebody", false));
    struct k8s_apply a = {0};
    RD_AUTOJSON json_t *next = live_configmap(live, "locked", "k", "2");
    k8s_apply_init(&a, live->client, next);
    a.looked = true;
    a.live = first;
    a.lock_rv = rd_json_path_str(first, "metadata.resourceVersion");
    live_run(live, live_begin_apply, &a);
    struct rd_err *err = op_take_err(&a.op);
    assert_non_null(err);
    assert_int_equal(err->kind, RD_ERR_CONFLICT);
    rd_err_free(err);
    k8s_apply_clear(&a);
    json_decref(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_created_unchanged_changed),
        cmocka_unit_test(test_unchanged_beside_others),
        cmocka_unit_test(test_dry_run_leaves_no_trace),
        cmocka_unit_test(test_conflict_names_the_manager),
        cmocka_unit_test(test_unknown_field_is_final),
        cmocka_unit_test(test_bad_objects),
        cmocka_unit_test(test_immutable_is_foreign),
        cmocka_unit_test(test_lock_meets_another_version),
    };
    return cmocka_run_group_tests(tests, open_live, close_live);
}
