/* Goal: what goes before what, what stays when it is asked to, whose a resource is, and when an old
 * complaint is news again. */
#include "base/test.h"

#include "base/alloc.h"
#include "phase/steps/cc_internal.h"

static json_t *object(const char *kind, const char *name)
{
    return rd_json_pack("{s:s, s:{s:s}}", "kind", kind, "metadata", "name", name);
}

static unsigned stage(const char *kind)
{
    RD_AUTOJSON json_t *o = object(kind, "x");
    return cc_undo_stage(o);
}

static void stages(void **state)
{
    (void)state;
    static const struct {
        const char *first, *then;
    } rows[] = {
        {"IAMPolicyMember", "IAMServiceAccount"},
        {"IAMPolicyMember", "StorageBucket"},
        {"IAMPolicyMember", "ArtifactRegistryRepository"},
        {"ComputeRouterNAT", "ComputeRouter"},
        {"ComputeSubnetwork", "ComputeNetwork"},
        {"ContainerCluster", "ContainerNodePool"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        if (stage(rows[i].first) >= stage(rows[i].then))
            fail_msg("%s must go before %s", rows[i].first, rows[i].then);
        assert_true(stage(rows[i].then) < CC_UNDO_STAGES);
    }
}

static void keeping(void **state)
{
    (void)state;
    struct config c = {.name = "ray", .project = "p"};
    struct step_ctx ctx = {.config = &c, .session = json_object()};
    static const struct {
        const char *kind, *word;
    } rows[] = {
        {"FilestoreInstance", "filestore"}, {"ComputeNetwork", "filestore"}, {"StorageBucket", "bucket"},
        {"ArtifactRegistryRepository", "registry"}, {"ContainerCluster", NULL}, {"ComputeSubnetwork", NULL},
        {"IAMServiceAccount", NULL},
    };
    static const char *const words[] = {"filestore", "bucket", "registry"};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *o = object(rows[i].kind, "x");
        json_object_clear(ctx.session);
        assert_false(cc_keeps(&ctx, o));
        for (size_t k = 0; k < RD_ARRAY_LEN(words); k++) {
            json_object_set_new(ctx.session, "keep", rd_json_pack("[s]", words[k]));
            if (cc_keeps(&ctx, o) != rd_streq(rows[i].word, words[k]))
                fail_msg("%s with --keep %s", rows[i].kind, words[k]);
        }
    }
    RD_AUTOJSON json_t *images = object("ArtifactRegistryRepository", "x");
    json_object_clear(ctx.session);
    c.registry.keep = true;
    assert_true(cc_keeps(&ctx, images));
    json_decref(ctx.session);
}

static void whose(void **state)
{
    (void)state;
    struct config c = {.name = "ray", .project = "p"};
    static const struct {
        const char *json;
        bool ours;
    } rows[] = {
        {"{\"labels\":{\"raydeploy-deployment\":\"ray\"}}", true},
        {"{\"resourceLabels\":{\"raydeploy-deployment\":\"ray\"}}", true},
        {"{\"labels\":{\"raydeploy-deployment\":\"ray2\"},\"description\":\"Made by raydeploy for "
         "deployment ray\"}",
         false},
        {"{\"description\":\"Made by raydeploy for deployment ray\"}", true},
        {"{\"description\":\"Made by raydeploy for deployment ray2\"}", false},
        {"{\"name\":\"ray-vpc\"}", false},
        {"{}", false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *o = json_loads(rows[i].json, 0, NULL);
        assert_non_null(o);
        if (cc_google_is_ours(&c, o) != rows[i].ours)
            fail_msg("%s", rows[i].json);
    }
}

static void stale(void **state)
{
    (void)state;
    struct step_ctx ctx = {.session = json_object()};
    RD_AUTOJSON json_t *before = rd_json_pack("{s:{s:s}}", "status", "x", "quota");
    RD_AUTOJSON json_t *after = rd_json_pack("{s:{s:s}}", "status", "x", "updating");
    assert_false(cc_is_stale(&ctx, "A/x", before, 0));
    cc_stale_set(&ctx, "A/x", before);
    assert_true(cc_is_stale(&ctx, "A/x", before, 0));
    assert_false(cc_is_stale(&ctx, "A/y", before, 0));
    /* It moved: from here on its words count, also when they are the old ones again. */
    assert_false(cc_is_stale(&ctx, "A/x", after, 10));
    assert_false(cc_is_stale(&ctx, "A/x", before, 20));
    /* It never moves: after a while it is meant. */
    cc_stale_set(&ctx, "A/x", before);
    assert_true(cc_is_stale(&ctx, "A/x", before, 1000));
    assert_false(cc_is_stale(&ctx, "A/x", before, 60000));
    json_decref(ctx.session);
}

/* What Google answered of one object keeps it from being ready, whatever Config Connector says. */
static void unready(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *status, *want; /* status NULL: 404 */
    } rows[] = {
        {"ContainerNodePool", "RUNNING", NULL},
        {"ContainerNodePool", "PROVISIONING", "GKE says that the node pool is PROVISIONING: m"},
        {"ContainerNodePool", "STOPPING", "GKE says that the node pool is STOPPING: m"},
        {"ContainerNodePool", "ERROR", "GKE says that the node pool is ERROR: m"},
        {"ContainerNodePool", NULL, "GKE does not have the node pool"},
        {"ContainerCluster", "RUNNING", NULL},
        {"ContainerCluster", NULL, "GKE does not have the cluster"},
        {"ComputeNetwork", NULL, NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct manifest_object o = {.json = object(rows[i].kind, "x")};
        struct manifest_list list = {.v = &o, .len = 1};
        struct gcp_call call = {0};
        bool asked = true;
        if (rows[i].status)
            call.result = rd_json_pack("{s:s, s:s}", "status", rows[i].status, "statusMessage", "m");
        struct cc_ask ask = {.list = &list, .calls = &call, .asked = &asked, .len = 1};
        RD_AUTOFREE char *got = cc_gke_unready(&ask);
        if (!rd_streq(got, rows[i].want))
            fail_msg("%s %s: %s", rows[i].kind, rows[i].status ? rows[i].status : "404", got ? got : "nothing");
        asked = false;
        call.result = (json_decref(call.result), NULL);
        RD_AUTOFREE char *unasked = cc_gke_unready(&ask);
        assert_null(unasked);
        json_decref(o.json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages),
        cmocka_unit_test(keeping),
        cmocka_unit_test(whose),
        cmocka_unit_test(stale),
        cmocka_unit_test(unready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
