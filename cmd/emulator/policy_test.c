#include "policy.h"

#include "base/alloc.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

static void test_roles(void **state)
{
    (void)state;
    static const struct {
        const char *role, *permission;
        bool want;
    } rows[] = {
        {"roles/owner", "container.clusters.create", true},
        {"roles/owner", "resourcemanager.projects.setIamPolicy", true},
        {"roles/owner", "iam.serviceAccounts.getAccessToken", false},
        {"roles/editor", "container.clusters.create", true},
        {"roles/editor", "iam.serviceAccounts.actAs", true},
        {"roles/editor", "resourcemanager.projects.setIamPolicy", false},
        {"roles/editor", "storage.objects.delete", false},
        {"roles/iam.securityAdmin", "storage.buckets.setIamPolicy", true},
        {"roles/iam.securityAdmin", "compute.networks.create", false},
        {"roles/iam.workloadIdentityUser", "iam.serviceAccounts.getAccessToken", true},
        {"roles/iam.workloadIdentityUser", "iam.serviceAccounts.actAs", false},
        {"roles/container.developer", "container.pods.create", true},
        {"roles/container.developer", "container.clusterRoles.create", false},
        {"roles/artifactregistry.reader", "artifactregistry.repositories.downloadArtifacts", true},
        {"roles/artifactregistry.reader", "artifactregistry.repositories.delete", false},
        {"roles/storage.objectUser", "storage.objects.create", true},
        {"roles/storage.objectUser", "storage.buckets.get", false},
        {"roles/nobody.knows", "container.clusters.get", false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *row = rd_asprintf("%s %s", rows[i].role, rows[i].permission);
        rd_check_int(row, emu_role_has(rows[i].role, rows[i].permission), rows[i].want);
    }
}

/* A policy by its etag, its delay, and what a deleted account leaves behind. */
static void test_policy(void **state)
{
    (void)state;
    struct emu e = {.project = "p", .project_number = "1"};
    uv_loop_t loop;
    uv_loop_init(&loop);
    e.loop = &loop;
    emu_clock_init(&e.clock, &loop, 1e6); /* a second in a microsecond */
    emu_store_init(&e.store);
    emu_policy_seed(&e, "projects/p", "roles/owner", "user:a");
    rd_check_int("seeded", emu_iam_allowed(&e, "user:a", "compute.networks.get", NULL), true);
    rd_check_int("others", emu_iam_allowed(&e, "user:b", "compute.networks.get", NULL), false);

    json_t *policy = emu_policy_get(&e, "projects/p");
    json_array_append_new(json_object_get(policy, "bindings"),
                          rd_json_pack("{s:s, s:[s]}", "role", "roles/viewer", "members",
                                       "serviceAccount:x@p.iam.gserviceaccount.com"));
    char *member = NULL;
    rd_check_int("no such account", emu_policy_set(&e, "projects/p", policy, &member),
                 EMU_POLICY_NO_MEMBER);
    rd_check_str("which", member, "x@p.iam.gserviceaccount.com");
    free(member);
    emu_store_put(&e.store, "iam.serviceAccounts",
                  "projects/p/serviceAccounts/x@p.iam.gserviceaccount.com", json_object());
    rd_check_int("set", emu_policy_set(&e, "projects/p", policy, &member), EMU_POLICY_OK);
    rd_check_int("old etag", emu_policy_set(&e, "projects/p", policy, &member), EMU_POLICY_RACE);
    json_decref(policy);

    static const char x[] = "serviceAccount:x@p.iam.gserviceaccount.com";
    rd_check_int("not yet", emu_iam_allowed(&e, x, "compute.networks.get", NULL), false);
    uint64_t began = uv_now(&loop);
    while (uv_now(&loop) == began)
        uv_update_time(&loop);
    rd_check_int("then", emu_iam_allowed(&e, x, "compute.networks.get", NULL), true);
    emu_policy_forget(&e, "x@p.iam.gserviceaccount.com", "77");
    rd_check_int("deleted", emu_iam_allowed(&e, x, "compute.networks.get", NULL), false);
    policy = emu_policy_get(&e, "projects/p");
    RD_AUTOFREE char *text = rd_json_dump(policy);
    assert_non_null(strstr(text, "deleted:serviceAccount:x@p.iam.gserviceaccount.com?uid=77"));
    json_decref(policy);
    emu_clock_close(&e.clock);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    emu_store_clear(&e.store);
}

/* The bytes of an etag count, not how a client writes them. */
static void test_etag_alphabets(void **state)
{
    (void)state;
    static const struct {
        const char *held, *sent;
        enum emu_policy_result want;
    } rows[] = {
        {"+/+/+/+/+/8=", "+/+/+/+/+/8=", EMU_POLICY_OK},
        {"+/+/+/+/+/8=", "-_-_-_-_-_8=", EMU_POLICY_OK},
        {"+/+/+/+/+/8=", "-_-_-_-_-_8", EMU_POLICY_OK},
        {"+/+/+/+/+/8=", "", EMU_POLICY_OK}, /* none: whatever it is */
        {"+/+/+/+/+/8=", "-_-_-_-_-_4=", EMU_POLICY_RACE},
        {"+/+/+/+/+/8=", "-_-_-_-_", EMU_POLICY_RACE},
        {"+/+/+/+/+/8=", "not base64!", EMU_POLICY_RACE},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct emu e = {.project = "p", .project_number = "1"};
        uv_loop_t loop;
        uv_loop_init(&loop);
        e.loop = &loop;
        emu_clock_init(&e.clock, &loop, 1);
        emu_store_init(&e.store);
        emu_store_put(&e.store, "iam.policies", "projects/p",
                      rd_json_pack("{s:s}", "etag", rows[i].held));
        json_t *policy = rd_json_pack("{s:s}", "etag", rows[i].sent);
        char *member = NULL;
        rd_check_int(rows[i].sent, emu_policy_set(&e, "projects/p", policy, &member), rows[i].want);
        json_decref(policy);
        emu_clock_close(&e.clock);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        emu_store_clear(&e.store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_roles), cmocka_unit_test(test_policy),
                                       cmocka_unit_test(test_etag_alphabets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
