/* Why an object is still there, in words. */
#include "base/clock.h"
#include "k8s/delete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *object, *want;
} rows[] = {
    {"{\"kind\":\"RayCluster\",\"metadata\":{\"deletionTimestamp\":\"2026-01-02T03:04:00Z\","
     "\"finalizers\":[\"ray.io/gcs-ft-redis-cleanup-finalizer\"]}}",
     "finalizer ray.io/gcs-ft-redis-cleanup-finalizer: waits for the KubeRay operator (deletion asked for "
     "3m ago)"},
    {"{\"metadata\":{\"deletionTimestamp\":\"2026-01-02T03:07:00Z\",\"finalizers\":["
     "\"cnrm.cloud.google.com/finalizer\",\"a.example/x\",\"kubernetes.io/pvc-protection\"]}}",
     "finalizers cnrm.cloud.google.com/finalizer, a.example/x, kubernetes.io/pvc-protection: waits for "
     "Config Connector, which deletes the cloud resource first, a pod that still mounts the claim (deletion "
     "asked for 0ms ago)"},
    {"{\"kind\":\"Namespace\",\"metadata\":{},\"status\":{\"conditions\":["
     "{\"type\":\"NamespaceContentRemaining\",\"status\":\"True\",\"message\":\"1 pod\"},"
     "{\"type\":\"NamespaceFinalizersRemaining\",\"status\":\"False\"}]}}",
     "NamespaceContentRemaining: 1 pod"},
    /* The stamp of a pod is when its grace period ends. */
    {"{\"kind\":\"Pod\",\"metadata\":{\"deletionTimestamp\":\"2026-01-02T03:07:00Z\","
     "\"deletionGracePeriodSeconds\":30}}",
     "waits for its grace period of 30 s (deletion asked for 30s ago)"},
    {"{}", "waits for the server, which still has it"},
    {"{\"metadata\":{\"finalizers\":[7]}}", NULL},
};

static void test_table(void **state)
{
    (void)state;
    int64_t now = 0;
    assert_true(rd_rfc3339_parse("2026-01-02T03:07:00Z", &now));
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *o = json_loads(rows[i].object, 0, NULL);
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(4096);
        assert_non_null(o);
        k8s_explain_deletion(o, now, &b);
        if (rows[i].want)
            assert_string_equal(rd_buf_str(&b), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
