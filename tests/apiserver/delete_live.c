/* Deleting against a real API server: dependents, finalizers, another object of the same name. */
#include "live.h"

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

static json_t *configmap(const char *name, const json_t *owner, const char *finalizer)
{
    json_t *o = live_configmap(live, name, "k", "v");
    if (owner)
        rd_json_path_set(o, "metadata.ownerReferences",
                         rd_json_pack("[{s:s, s:s, s:s, s:s, s:b}]", "apiVersion", "v1", "kind",
                                      "ConfigMap", "name", rd_json_path_str(owner, "metadata.name"),
                                      "uid", rd_json_path_str(owner, "metadata.uid"),
                                      "blockOwnerDeletion", 1));
    if (finalizer)
        rd_json_path_set(o, "metadata.finalizers", rd_json_pack("[s]", finalizer));
    return o;
}

static void begin_limited(struct op *parent, void *ctx)
{
    struct k8s_delete *d = ctx;
    k8s_delete_start(d, parent);
    op_set_timeout(&d->op, 2000);
}

static void count_progress(struct k8s_delete *d, const char *text)
{
    print_message("  %s\n", text);
    ++*(size_t *)d->ctx;
}

static void init(struct k8s_delete *d, const char *name)
{
    memset(d, 0, sizeof(*d));
    k8s_delete_init(d, live->client, k8s_resource_find(live->client, "v1", "ConfigMap"), live->ns, name);
}

static void test_dependents_first(void **state)
{
    (void)state;
    json_t *owner = live_apply(live, configmap("owner", NULL, NULL), NULL, false);
    json_decref(live_apply(live, configmap("child", owner, NULL), NULL, false));
    struct k8s_delete d;
    init(&d, "owner");
    live_run(live, live_begin_delete, &d);
    live_must(op_take_err(&d.op), "delete");
    assert_false(d.was_absent);
    k8s_delete_clear(&d);
    json_decref(owner);
    /* The child went before the owner could. */
    assert_null(live_get(live, "v1", "ConfigMap", "child"));
    assert_null(live_get(live, "v1", "ConfigMap", "owner"));
    init(&d, "owner");
    live_run(live, live_begin_delete, &d);
    live_must(op_take_err(&d.op), "delete again");
    assert_true(d.was_absent);
    k8s_delete_clear(&d);
}

static void test_finalizer_is_named(void **state)
{
    (void)state;
    json_decref(live_apply(live, configmap("stuck", NULL, "ray.io/some-finalizer"), NULL, false));
    struct k8s_delete d;
    size_t progress = 0;
    init(&d, "stuck");
    d.propagation = K8S_BACKGROUND;
    d.progress = count_progress;
    d.ctx = &progress;
    live_run(live, begin_limited, &d);
    struct rd_err *err = op_take_err(&d.op);
    assert_non_null(err);
    print_message("%s\n", err->message);
    assert_int_equal(err->kind, RD_ERR_TIMEOUT);
    assert_non_null(strstr(err->message, "ray.io/some-finalizer: waits for the KubeRay operator"));
    assert_int_equal(progress, 1);
    rd_err_free(err);
    k8s_delete_clear(&d);
    json_decref(live_apply(live, configmap("stuck", NULL, NULL), NULL, false));
    assert_null(live_get(live, "v1", "ConfigMap", "stuck"));
}

static void test_another_of_the_name(void **state)
{
    (void)state;
    json_decref(live_apply(live, configmap("twin", NULL, NULL), NULL, false));
    struct k8s_delete d;
    init(&d, "twin");
    rd_str_dup(&d.uid, "00000000-0000-0000-0000-000000000000");
    live_run(live, live_begin_delete, &d);
    live_must(op_take_err(&d.op), "delete");
    assert_true(d.was_absent);
    k8s_delete_clear(&d);
    json_t *there = live_get(live, "v1", "ConfigMap", "twin");
    assert_non_null(there);
    json_decref(there);
}

static void test_dry_run(void **state)
{
    (void)state;
    json_decref(live_apply(live, configmap("dry", NULL, NULL), NULL, false));
    struct k8s_delete d;
    init(&d, "dry");
    d.dry_run = true;
    live_run(live, live_begin_delete, &d);
    live_must(op_take_err(&d.op), "delete");
    k8s_delete_clear(&d);
    json_t *there = live_get(live, "v1", "ConfigMap", "dry");
    assert_non_null(there);
    json_decref(there);
}

/* A namespace with contents: waits until all of it is gone. */
static void test_namespace(void **state)
{
    (void)state;
    RD_AUTOFREE char *ns = rd_asprintf("%s-gone", live->ns);
    json_decref(live_apply(live, rd_json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind",
                                              "Namespace", "metadata", "name", ns), NULL, false));
    json_t *inside = live_configmap(live, "inside", "k", "v");
    rd_json_path_set(inside, "metadata.namespace", json_string(ns));
    json_decref(live_apply(live, inside, NULL, false));
    struct k8s_delete d = {0};
    size_t progress = 0;
    k8s_delete_init(&d, live->client, k8s_resource_find(live->client, "v1", "Namespace"), NULL, ns);
    d.progress = count_progress;
    d.ctx = &progress;
    live_run(live, live_begin_delete, &d);
    live_must(op_take_err(&d.op), "delete");
    k8s_delete_clear(&d);
    struct k8s_call k = {0};
    k8s_get_init(&k, live->client, k8s_resource_find(live->client, "v1", "Namespace"), NULL, ns);
    k.not_found_ok = true;
    live_run(live, live_begin_call, &k);
    live_must(op_take_err(&k.op), "get");
    assert_null(k.result);
    k8s_call_clear(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dependents_first),    cmocka_unit_test(test_finalizer_is_named),
        cmocka_unit_test(test_another_of_the_name), cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_namespace),
    };
    return cmocka_run_group_tests(tests, open_live, close_live);
}
