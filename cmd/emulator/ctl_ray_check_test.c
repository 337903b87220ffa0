/* What KubeRay refuses, and what the outside world has to offer. */
#include "ctl_ray.h"
#include "outside.h"

#include "base/encode.h"
#include "base/test.h"

#include <stdlib.h>

#define POD "\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}"
#define CLUSTER(spec) "{\"metadata\":{\"name\":\"r\"},\"spec\":{" spec "}}"
#define HEAD "\"headGroupSpec\":{" POD "}"

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *object, *reason, *part; /* part NULL: it is taken */
    } rows[] = {
        {CLUSTER(HEAD), "", NULL},
        {CLUSTER("\"headGroupSpec\":{}"), "InvalidRayClusterSpec", "at least one container"},
        {CLUSTER(HEAD ",\"authOptions\":{\"mode\":\"token\"},\"rayVersion\":\"2.51.0\""),
         "InvalidRayClusterSpec", "minimum Ray version"},
        {CLUSTER(HEAD ",\"authOptions\":{\"mode\":\"token\"},\"rayVersion\":\"2.54.0\""), "", NULL},
        {CLUSTER(HEAD ",\"workerGroupSpecs\":[{\"groupName\":\"g\",\"idleTimeoutSeconds\":5," POD
                      "}]"),
         "InvalidRayClusterSpec", "autoscaler version is not v2"},
        {CLUSTER(HEAD ",\"autoscalerOptions\":{\"version\":\"v2\"},\"workerGroupSpecs\":[{"
                      "\"groupName\":\"g\",\"idleTimeoutSeconds\":5," POD "}]"),
         "", NULL},
        {CLUSTER(HEAD ",\"workerGroupSpecs\":[{\"groupName\":\"g\",\"minReplicas\":3,"
                      "\"maxReplicas\":2," POD "}]"),
         "InvalidRayClusterSpec", "minReplicas"},
        {CLUSTER(HEAD ",\"networkPolicy\":{}"), "InvalidRayClusterSpec", "feature gate"},
        {CLUSTER(HEAD ",\"upgradeStrategy\":{\"type\":\"Rolling\"}"), "InvalidRayClusterSpec",
         "upgradeStrategy"},
        {"{\"metadata\":{\"name\":\"a.b\"},\"spec\":{" HEAD "}}", "InvalidRayClusterMetadata",
         "DNS1035"},
    };
    for (size_t n = 0; n < RD_ARRAY_LEN(rows); n++) {
        RD_AUTOJSON json_t *object = json_loads(rows[n].object, 0, NULL);
        assert_non_null(object);
        const char *reason = NULL;
        RD_AUTOFREE char *got = ray_refusal(object, &reason);
        if (rows[n].part == NULL) {
            rd_check_str(rows[n].object, got, NULL);
            continue;
        }
        rd_check_str(rows[n].object, reason, rows[n].reason);
        if (got == NULL || strstr(got, rows[n].part) == NULL)
            fail_msg("%s: got \"%s\", want \"%s\" in it", rows[n].object, got, rows[n].part);
    }
}

/* The number of workers is no reason for new pods; their image is. */
static void test_hash(void **state)
{
    (void)state;
    static const char form[] = "{\"spec\":{\"workerGroupSpecs\":[{\"replicas\":%d,\"image\":\"%s\"}]}}";
    char hashes[3][65];
    static const struct {
        int replicas;
        const char *image;
    } rows[] = {{1, "a"}, {5, "a"}, {1, "b"}};
    for (size_t n = 0; n < 3; n++) {
        RD_AUTOFREE char *text = rd_asprintf(form, rows[n].replicas, rows[n].image);
        RD_AUTOJSON json_t *object = json_loads(text, 0, NULL);
        ray_spec_hash(object, hashes[n]);
    }
    assert_string_equal(hashes[0], hashes[1]);
    assert_string_not_equal(hashes[0], hashes[2]);
}

static void test_outside(void **state)
{
    (void)state;
    struct emu e = {0};
    static const struct {
        const char *repository, *tag;
        bool want;
    } rows[] = {{"rayproject/ray", "2.58.0-py311", true},
                {"rayproject/ray", "2.60.0-py311-gpu", true},
                {"rayproject/ray", "2.54.0-aarch64", true},
                {"rayproject/ray", "2.54.0", true},
                {"rayproject/ray", "2.54.0-py27", false},
                {"rayproject/ray", "2.58", false},
                {"library/busybox", "1", true}};
    for (size_t n = 0; n < RD_ARRAY_LEN(rows); n++)
        rd_check_int(rows[n].tag, emu_docker_has(&e, rows[n].repository, rows[n].tag),
                     rows[n].want);
    /* Clients remember a digest by version: the archive is the same each time. */
    char digests[2][RD_SHA256_HEX_LEN + 1];
    for (size_t n = 0; n < 2; n++) {
        size_t len = 0;
        RD_AUTOFREE char *archive = emu_chart_archive(&len);
        assert_true(len > 1000);
        rd_sha256_hex(archive, len, digests[n]);
    }
    assert_string_equal(digests[0], digests[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals), cmocka_unit_test(test_hash),
                                       cmocka_unit_test(test_outside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
