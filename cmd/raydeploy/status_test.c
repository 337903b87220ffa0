/* status: what is made of the answers of the API server and of Ray, and how it is told. */
#include "base/test.h"

#include "base/alloc.h"
#include "status.h"

#include <stdlib.h>

static json_t *tree(const char *text)
{
    json_error_t why;
    json_t *t = json_loads(text, 0, &why);
    if (!t)
        fail_msg("%s at %d", why.text, why.position);
    return t;
}

static void check(const char *what, json_t *take, const char *want)
{
    RD_AUTOFREE char *got = rd_json_dump(take);
    rd_check_str(what, got, want);
    json_decref(take);
}

static void nodes_by_pool(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *list = tree(
        "{\"items\":[{\"metadata\":{\"name\":\"a\",\"labels\":{\"cloud.google.com/gke-nodepool\":\"cpu\","
        "\"topology.kubernetes.io/zone\":\"z\"}},\"spec\":{\"unschedulable\":true},\"status\":{"
        "\"allocatable\":{\"cpu\":\"4\",\"memory\":\"8Gi\",\"nvidia.com/gpu\":\"1\"},\"conditions\":[{"
        "\"type\":\"Ready\",\"status\":\"True\"}]}},{\"metadata\":{\"name\":\"b\"}}]}");
    check("pools", status_node_pools(list),
          "[{\"name\":\"cpu\",\"nodes\":[{\"cpu\":\"4\",\"gpu\":\"1\",\"memory\":\"8Gi\",\"name\":\"a\","
          "\"ready\":true,\"schedulable\":false,\"zone\":\"z\"}]},{\"name\":\"nodes\",\"nodes\":[{\"cpu\":"
          "null,\"gpu\":null,\"memory\":null,\"name\":\"b\",\"ready\":false,\"schedulable\":true,\"zone\":"
          "null}]}]");
    check("no answer", status_node_pools(NULL), "[]");
}

static void who_holds_the_lock(void **state)
{
    (void)state;
    static const struct {
        const char *renewed, *want;
    } rows[] = {
        {"2026-01-02T03:03:00.000000Z",
         "{\"dead\":false,\"holder\":\"somebody\",\"renewed\":\"2026-01-02T03:03:00.000000Z\",\"silent\":false,"
         "\"since\":\"2026-01-02T03:00:00.000000Z\"}"},
        {"2026-01-02T03:02:00.000000Z",
         "{\"dead\":false,\"holder\":\"somebody\",\"renewed\":\"2026-01-02T03:02:00.000000Z\",\"silent\":true,"
         "\"since\":\"2026-01-02T03:00:00.000000Z\"}"},
    };
    int64_t now_ms = 0;
    assert_true(rd_rfc3339_parse("2026-01-02T03:04:05Z", &now_ms));
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *lease = rd_json_pack(
            "{s:{s:s, s:s, s:s, s:i}}", "spec", "holderIdentity", "somebody", "acquireTime",
            "2026-01-02T03:00:00.000000Z", "renewTime", rows[i].renewed, "leaseDurationSeconds", 60);
        check("held", status_lock(lease, now_ms), rows[i].want);
    }
    RD_AUTOJSON json_t *left = tree("{\"spec\":{\"holderIdentity\":\"\"}}");
    assert_true(json_is_null(status_lock(left, now_ms)));
    assert_true(json_is_null(status_lock(NULL, now_ms)));
}

static void pods_by_group(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *list = tree(
        "{\"items\":[{\"metadata\":{\"name\":\"w\",\"labels\":{\"ray.io/group\":\"cpu\",\"ray.io/node-type\":"
        "\"worker\"}},\"status\":{\"phase\":\"Pending\",\"containerStatuses\":[{\"restartCount\":2,\"state\":{"
        "\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":\"no such image\"}}}]}},{\"metadata\":{\"name\":"
        "\"h\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{\"ray.io/group\":\"headgroup\","
        "\"ray.io/node-type\":\"head\"}},\"spec\":{\"nodeName\":\"n\"},\"status\":{\"phase\":\"Running\","
        "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}]}");
    RD_AUTOJSON json_t *pods = status_pods(list, 0);
    rd_check_int("pods", (long long)json_array_size(pods), 2);
    check("head first", json_incref(json_array_get(pods, 0)),
          "{\"group\":\"headgroup\",\"name\":\"h\",\"node\":\"n\",\"phase\":\"Terminating\",\"ready\":true,"
          "\"reason\":null,\"restarts\":0,\"type\":\"head\"}");
    const json_t *worker = json_array_get(pods, 1);
    rd_check_int("restarts", rd_json_path_int(worker, "restarts", -1), 2);
    assert_non_null(strstr(rd_json_str(worker, "reason", NULL), "no such image"));
}

static void rays_own_view(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *nodes = tree(
        "{\"data\":{\"summary\":[{\"raylet\":{\"state\":\"ALIVE\",\"resourcesTotal\":{\"CPU\":2,\"GPU\":1},"
        "\"storeStats\":{\"objectStoreBytesAvail\":\"1000\",\"objectStoreBytesUsed\":\"10\","
        "\"spilledBytesTotal\":\"5\"}}},{\"raylet\":{\"state\":\"ALIVE\",\"resourcesTotal\":{\"CPU\":0.5},"
        "\"storeStats\":{\"objectStoreBytesAvail\":500,\"spilledBytesTotal\":2}}},{\"raylet\":{\"state\":"
        "\"DEAD\",\"resourcesTotal\":{\"CPU\":9}}}]}}");
    RD_AUTOJSON json_t *usage = tree(
        "{\"data\":{\"clusterStatus\":{\"loadMetricsReport\":{\"usage\":{\"CPU\":[1.5,2.5]}}}}}");
    check("with usage", status_ray(nodes, usage),
          "{\"cpu\":{\"total\":2.5,\"used\":1.5},\"gpu\":{\"total\":1.0,\"used\":null},\"nodes\":{\"alive\":2,"
          "\"dead\":1},\"object_store\":{\"total_bytes\":1500,\"used_bytes\":10},\"spilled_bytes\":7}");
    check("another shape", status_ray(usage, NULL), "null");
}

static void as_text(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *look = tree(
        "{\"versions\":{\"raydeploy\":\"1\",\"kubernetes\":\"v1.36\",\"kuberay\":null,\"ray\":\"2.60.0\"},"
        "\"lock\":{\"holder\":\"host (pid 7)\",\"since\":\"2026-01-01T00:00:00Z\",\"dead\":false},"
        "\"node_pools\":[{\"name\":\"nodes\",\"nodes\":[{\"name\":\"n\",\"ready\":true,\"cpu\":\"2\","
        "\"memory\":\"4Gi\"}]}],\"pods\":[{\"name\":\"h\",\"group\":\"headgroup\",\"phase\":\"Running\","
        "\"ready\":true,\"restarts\":0}],\"ray\":{\"nodes\":{\"alive\":1,\"dead\":0},\"cpu\":{\"used\":null,"
        "\"total\":2.0},\"gpu\":{\"used\":null,\"total\":0.0},\"object_store\":{\"used_bytes\":0,"
        "\"total_bytes\":1048576},\"spilled_bytes\":0},\"jobs\":[{\"id\":\"j\",\"status\":\"RUNNING\","
        "\"entrypoint\":\"a\\u001b[2Jb\"}],\"unreachable\":[{\"part\":\"the nodes\",\"reason\":\"no\"}]}");
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    status_put(look, &text);
    rd_check_str("text", rd_buf_str(&text),
                 "a run is under way: host (pid 7) since 2026-01-01T00:00:00Z\n"
                 "node pool nodes: 1 of 1 ready\n"
                 "  n                                        ready     cpu 2, memory 4Gi\n"
                 "pods of group headgroup:\n"
                 "  h                                        Running, ready\n"
                 "Ray: 1 nodes alive, 2 CPUs, 0 GPUs, object store 0.0 of 1.0 MiB, 0.0 MiB spilled\n"
                 "job j RUNNING  a\\x1b[2Jb\n"
                 "unreachable: the nodes: no\n"
                 "raydeploy 1, Kubernetes v1.36, KubeRay unknown, Ray 2.60.0\n");
    struct rd_strv lines = {NULL, 0};
    status_lines(look, &lines);
    rd_check_int("lines", (long long)lines.len, 6);
    rd_check_str("pod", lines.v[2], "pod h: Running, ready");
    rd_strv_clear(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_by_pool),
        cmocka_unit_test(who_holds_the_lock),
        cmocka_unit_test(pods_by_group),
        cmocka_unit_test(rays_own_view),
        cmocka_unit_test(as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
