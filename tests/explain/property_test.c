/* What holds for every fixture, whatever its kind says: deletion wins, no status is never good
 * news, and a value of the wrong type anywhere gives a verdict with a message, not a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fixture.h"
#include "k8s/explain.h"

#define NOW_MS ((int64_t)1741687200000) /* 2025-03-11T10:00:00Z */

static void each_fixture(void (*check)(const char *name, bool rule, json_t *object, void *ctx),
                         void *ctx)
{
    struct rd_strv folders = {0};
    fixture_list(FIXTURE_ROOT, &folders);
    assert_in_range(folders.len, 2, 1000);
    for (size_t i = 0; i < folders.len; i++) {
        RD_AUTOFREE char *path = rd_asprintf("%s/%s", FIXTURE_ROOT, folders.v[i]);
        struct rd_strv files = {0};
        fixture_list(path, &files);
        for (size_t f = 0; f < files.len; f++) {
            RD_AUTOERR struct rd_err *err = NULL;
            struct manifest_list list = {0};
            RD_AUTOFREE char *name = rd_asprintf("%s/%s", folders.v[i], files.v[f]);
            if (!fixture_load(folders.v[i], files.v[f], &list, &err))
                fail_msg("%s", err->message);
            check(name, strcmp(folders.v[i], FIXTURE_NO_RULE) != 0, list.v[0].json, ctx);
            manifest_list_clear(&list);
        }
        rd_strv_clear(&files);
    }
    rd_strv_clear(&folders);
}

static enum k8s_status judge(const json_t *object)
{
    struct k8s_verdict v;
    k8s_judge(object, NOW_MS, &v);
    enum k8s_status s = v.status;
    if (v.message == NULL || strlen(v.message) > K8S_MESSAGE_MAX || strchr(v.message, '\n') != NULL)
        fail_msg("bad message: %s", v.message != NULL ? v.message : "none");
    if (s != K8S_FAILED && s != K8S_IN_PROGRESS && v.grace_ms != 0)
        fail_msg("%s with a grace: %s", k8s_status_name(s), v.message);
    k8s_verdict_clear(&v);
    return s;
}

static void check_deletion(const char *name, bool rule, json_t *object, void *ctx)
{
    (void)rule;
    (void)ctx;
    rd_json_path_set(object, "metadata.deletionTimestamp", json_string("2025-03-11T09:59:00Z"));
    enum k8s_status s = judge(object);
    if (s != K8S_TERMINATING)
        fail_msg("%s, deleted, is %s", name, k8s_status_name(s));
}

static void test_deletion(void **state)
{
    (void)state;
    each_fixture(check_deletion, NULL);
}

/* Kinds that nobody reports on, or that are usable before anybody does. */
static bool ready_without_status(const json_t *object)
{
    static const char *const kinds[] = {"CronJob",
                                        "ConfigMap",
                                        "Secret",
                                        "ServiceAccount",
                                        "ResourceQuota",
                                        "LimitRange",
                                        "Endpoints",
                                        "EndpointSlice",
                                        "Ingress",
                                        "NetworkPolicy",
                                        "Role",
                                        "RoleBinding",
                                        "ClusterRole",
                                        "ClusterRoleBinding",
                                        "PriorityClass",
                                        "MutatingWebhookConfiguration",
                                        "ValidatingWebhookConfiguration",
                                        "StorageClass",
                                        "Lease",
                                        "RayCronJob",
                                        NULL};
    const char *kind = rd_json_str(object, "kind", NULL);
    for (const char *const *k = kinds; *k != NULL; k++) {
        if (rd_streq(*k, kind))
            return true;
    }
    return rd_streq(kind, "Service") && rd_streq(rd_json_str(object, "apiVersion", NULL), "v1") &&
           !rd_streq(rd_json_path_str(object, "spec.type"), "LoadBalancer");
}

static void check_no_status(const char *name, bool rule, json_t *object, void *ctx)
{
    (void)ctx;
    json_object_del(object, "status");
    json_object_del(json_object_get(object, "metadata"), "deletionTimestamp");
    enum k8s_status want = !rule                          ? K8S_UNKNOWN
                           : ready_without_status(object) ? K8S_CURRENT
                                                          : K8S_IN_PROGRESS;
    enum k8s_status s = judge(object);
    if (s != want)
        fail_msg("%s, without status, is %s, wanted %s", name, k8s_status_name(s),
                 k8s_status_name(want));
}

static void test_no_status(void **state)
{
    (void)state;
    each_fixture(check_no_status, NULL);
}

struct mutation {
    json_t *root;
    bool rule;
    const char *name;
    size_t count;
};

/* What a sick server, or a person with an editor, may put anywhere. Fresh values: they are stolen.
 */
static json_t *wrong_value(size_t which)
{
    switch (which) {
    case 0:
        return json_null();
    case 1:
        return json_integer(-1);
    case 2:
        return json_string("x");
    case 3:
        return json_array();
    case 4:
        return json_pack("{s:i}", "type", 1);
    case 5:
        return json_pack("[{},n,s]", "y");
    default:
        return json_integer(INT64_MAX);
    }
}
#define WRONG_VALUES 7

static void judge_mutant(struct mutation *m)
{
    enum k8s_status s = judge(m->root);
    if (!m->rule && s == K8S_CURRENT)
        fail_msg("%s: a mutant without a rule is Current", m->name);
    m->count++;
}

/* Fixtures are ours and at most a dozen levels deep. */
static void mutate(struct mutation *m, json_t *at)
{
    const char *key;
    void *next;
    json_t *value;
    size_t i;
    if (json_is_object(at)) {
        json_object_foreach_safe(at, next, key, value)
        {
            RD_AUTOFREE char *name = rd_strdup(key);
            RD_AUTOJSON json_t *keep = json_incref(value);
            for (size_t w = 0; w < WRONG_VALUES; w++) {
                json_object_set_new(at, name, wrong_value(w));
                judge_mutant(m);
            }
            json_object_set(at, name, keep);
            mutate(m, keep);
        }
    } else if (json_is_array(at)) {
        json_array_foreach (at, i, value) {
            RD_AUTOJSON json_t *keep = json_incref(value);
            for (size_t w = 0; w < WRONG_VALUES; w++) {
                json_array_set_new(at, i, wrong_value(w));
                judge_mutant(m);
            }
            json_array_set(at, i, keep);
            mutate(m, keep);
        }
    }
}

static void check_mutants(const char *name, bool rule, json_t *object, void *ctx)
{
    size_t *count = ctx;
    struct mutation m = {.root = object, .rule = rule, .name = name};
    /* The kind decides which rule is meant, so it stays. */
    json_t *metadata = json_object_get(object, "metadata");
    mutate(&m, metadata);
    mutate(&m, json_object_get(object, "status"));
    mutate(&m, json_object_get(object, "spec"));
    *count += m.count;
}

static void test_mutants(void **state)
{
    (void)state;
    size_t count = 0;
    each_fixture(check_mutants, &count);
    print_message("%zu mutants judged\n", count);
    assert_in_range(count, 10000, SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deletion),
        cmocka_unit_test(test_no_status),
        cmocka_unit_test(test_mutants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
