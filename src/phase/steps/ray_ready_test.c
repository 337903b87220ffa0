/* The five-part rule: `state: ready` alone proves nothing. */
#include "base/test.h"

#include "base/clock.h"
#include "phase/steps/ray_ready.h"

#define NOW_TEXT "2026-11-23T12:00:00Z"

static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *v = json_loads(text, 0, &e);
    if (!v)
        fail_msg("fixture: %s at %d", e.text, e.position);
    return v;
}

static const char cluster_ready[] =
    "{\"metadata\":{\"uid\":\"c1\"},\"spec\":{\"headGroupSpec\":{\"template\":{\"spec\":{\"containers\":[{"
    "\"image\":\"ray:1\",\"env\":[{\"name\":\"A\",\"value\":\"1\"}]}]}}},\"workerGroupSpecs\":[{"
    "\"groupName\":\"cpu\",\"template\":{\"spec\":{\"containers\":[{\"image\":\"ray:1\"}]}}}]},"
    "\"status\":{\"state\":\"ready\",\"desiredWorkerReplicas\":1,\"minWorkerReplicas\":1,"
    "\"readyWorkerReplicas\":1,\"conditions\":[{\"type\":\"HeadPodReady\",\"status\":\"True\"}]}}";

#define POD(name, type, group, image, env, ready, since)                                           \
    "\"Pod/ns/" name "\":{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\",\"uid\":\"u-" name      \
    "\",\"labels\":{\"ray.io/node-type\":\"" type "\",\"ray.io/group\":\"" group                            \
    "\"}},\"spec\":{\"containers\":[{\"image\":\"" image "\",\"env\":[" env                                 \
    "{\"name\":\"RAY_X\",\"value\":\"y\"}]}]},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":" \
    "\"Ready\",\"status\":\"" ready "\",\"lastTransitionTime\":\"" since "\"}]}}"

#define ENDED(type, group, reason)                                                                 \
    "\"Pod/ns/e\":{\"metadata\":{\"name\":\"e\",\"labels\":{\"ray.io/node-type\":\"" type                   \
    "\",\"ray.io/group\":\"" group "\"}},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"r\","  \
    "\"image\":\"ray:1\",\"env\":[{\"name\":\"A\",\"value\":\"1\"}]}]},\"status\":{\"phase\":\"Running\","         \
    "\"containerStatuses\":[{\"name\":\"r\",\"state\":{\"terminated\":{\"reason\":\"" reason                   \
    "\",\"exitCode\":1}}}]}}"

#define OLD "2026-11-23T11:59:00Z"
#define NEW "2026-11-23T11:59:55Z"
#define A1 "{\"name\":\"A\",\"value\":\"1\"},"
#define HEAD POD("h", "head", "headgroup", "ray:1", A1, "True", OLD)
#define WORKER POD("w", "worker", "cpu", "ray:1", "", "True", OLD)

#define REFUSED(at)                                                                                \
    "{\"Event/ns/e\":{\"type\":\"Warning\",\"reason\":\"FailedToCreateRoleBinding\",\"message\":"            \
    "\"forbidden: User \\\"o\\\" cannot create resource\",\"lastTimestamp\":\"" at                            \
    "\",\"involvedObject\":{\"kind\":\"RayCluster\",\"name\":\"ray\",\"uid\":\"c1\"}}}"
#define MADE(at)                                                                                   \
    "\"Pod/ns/h\":{\"metadata\":{\"name\":\"h\",\"uid\":\"u\",\"creationTimestamp\":\"" at                    \
    "\",\"labels\":{\"ray.io/node-type\":\"head\"}},\"spec\":{\"containers\":[{\"image\":\"ray:1\",\"env\":["      \
    "{\"name\":\"A\",\"value\":\"1\"}]}]},\"status\":{\"phase\":\"Pending\"}}"

static void table(void **state)
{
    (void)state;
    static const struct {
        const char *what, *pods, *path, *value, *events;
        enum ray_answer answer;
        const char *words; /* in the message */
        bool settled;
        unsigned deaths;
    } rows[] = {
        {"all there", "{" HEAD "," WORKER "}", NULL, NULL, "{}", RAY_READY, "head and 1", true, 0},
        {"fresh", "{" HEAD "," POD("w", "worker", "cpu", "ray:1", "", "True", NEW) "}", NULL, NULL, "{}",
         RAY_READY, "head and 1", false, 0},
        {"worker died, state still says ready", "{" HEAD "}", "status.readyWorkerReplicas", "0", "{}",
         RAY_NOT_YET, "0 of 1", true, 0},
        {"no pods at all", "{}", NULL, NULL, "{}", RAY_NOT_YET, "no head", true, 0},
        {"old image", "{" POD("h", "head", "headgroup", "ray:0", A1, "True", OLD) "," WORKER "}", NULL, NULL,
         "{}", RAY_NOT_YET, "to be replaced", true, 0},
        {"old environment", "{" POD("h", "head", "headgroup", "ray:1", "", "True", OLD) "," WORKER "}", NULL,
         NULL, "{}", RAY_NOT_YET, "to be replaced", true, 0},
        {"pod of a removed group", "{" HEAD "," POD("w", "worker", "gone", "ray:1", "", "True", OLD) "}",
         NULL, NULL, "{}", RAY_NOT_YET, "to be replaced", true, 0},
        {"two heads", "{" HEAD "," POD("h2", "head", "headgroup", "ray:1", A1, "True", OLD) "," WORKER "}",
         NULL, NULL, "{}", RAY_NOT_YET, "two head pods", true, 0},
        {"state empty", "{" HEAD "," WORKER "}", "status.state", "\"\"", "{}", RAY_NOT_YET, "state=ready",
         true, 0},
        {"head condition missing", "{" HEAD "," WORKER "}", "status.conditions", "[]", "{}", RAY_NOT_YET,
         "head ready", true, 0},
        {"autoscaler wants more", "{" HEAD "," WORKER "}", "status.desiredWorkerReplicas", "3", "{}",
         RAY_NOT_YET, "1 of 3", true, 0},
        {"scaled to no worker: the status leaves out zeros", "{" HEAD "}", "status",
         "{\"state\":\"ready\",\"conditions\":[{\"type\":\"HeadPodReady\",\"status\":\"True\"}]}", "{}",
         RAY_READY, "head and 0", true, 0},
        {"rejected by the operator", "{}", "status", "{}",
         "{\"Event/ns/e\":{\"type\":\"Warning\",\"reason\":\"InvalidRayClusterSpec\",\"message\":\"no\","
         "\"eventTime\":\"2026-11-23T11:59:59.000000Z\",\"involvedObject\":{\"kind\":\"RayCluster\","
         "\"name\":\"ray\",\"uid\":\"c1\"}}}",
         RAY_TROUBLE, "no", true, 0},
        {"rejected before this run", "{}", "status", "{}",
         "{\"Event/ns/e\":{\"type\":\"Warning\",\"reason\":\"InvalidRayClusterSpec\",\"message\":\"no\","
         "\"eventTime\":\"2026-11-23T10:00:00.000000Z\",\"involvedObject\":{\"kind\":\"RayCluster\","
         "\"name\":\"ray\",\"uid\":\"c1\"}}}",
         RAY_NOT_YET, "no head", true, 0},
        {"the operator was refused by a server that came back", "{}", "status", "{}", REFUSED(NEW), RAY_TROUBLE,
         "cannot create", true, 0},
        {"and has made a pod since", "{" MADE(NEW) "}", "status", "{}", REFUSED(NEW), RAY_NOT_YET, "not scheduled",
         true, 0},
        {"a pod of before proves nothing", "{" MADE(OLD) "}", "status", "{}", REFUSED(NEW), RAY_TROUBLE,
         "cannot create", true, 0},
        {"quota", "{" HEAD "}", "status.conditions",
         "[{\"type\":\"ReplicaFailure\",\"status\":\"True\",\"reason\":\"FailedCreateWorkerPod\",\"message\":"
         "\"pods is forbidden: exceeded quota\"}]",
         "{}", RAY_TROUBLE, "exceeded quota", true, 0},
        {"unschedulable",
         "{" HEAD ",\"Pod/ns/w\":{\"metadata\":{\"name\":\"w\",\"uid\":\"u\",\"labels\":{\"ray.io/node-type\":"
         "\"worker\",\"ray.io/group\":\"cpu\"}},\"spec\":{\"containers\":[{\"image\":\"ray:1\"}]},\"status\":{"
         "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":"
         "\"Unschedulable\",\"message\":\"0/3 nodes are available\"}]}}}",
         NULL, NULL, "{}", RAY_TROUBLE, "0/3 nodes", true, 0},
        {"one worker ended, the operator replaces it", "{" HEAD "," ENDED("worker", "cpu", "Error") "}", NULL,
         NULL, "{}", RAY_NOT_YET, "1 of at most 3", true, 1},
        {"workers end again and again", "{" HEAD "," ENDED("worker", "cpu", "Error") "}", NULL, NULL, "{}",
         RAY_TROUBLE, "4 pods", true, 4},
        {"the head has too little memory", "{" ENDED("head", "headgroup", "OOMKilled") "}", NULL, NULL, "{}",
         RAY_TROUBLE, "OOMKilled", true, 1},
    };
    int64_t now;
    assert_true(rd_rfc3339_parse(NOW_TEXT, &now));
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *cluster = parse(cluster_ready);
        RD_AUTOJSON json_t *pods = parse(rows[i].pods);
        RD_AUTOJSON json_t *events = parse(rows[i].events);
        struct ray_reading r;
        if (rows[i].path) {
            json_error_t e;
            rd_json_path_set(cluster, rows[i].path, json_loads(rows[i].value, JSON_DECODE_ANY, &e));
        }
        ray_read(cluster, pods, events, rows[i].deaths, false, now - 60 * 1000, now, &r);
        rd_check_int(rows[i].what, r.answer, rows[i].answer);
        if (!strstr(r.message, rows[i].words))
            fail_msg("%s: message '%s' lacks '%s'", rows[i].what, r.message, rows[i].words);
        if (r.answer == RAY_READY)
            rd_check_int(rows[i].what, r.settled, rows[i].settled);
        ray_reading_clear(&r);
    }
}

static void no_room_is_waited_for_longer_where_nodes_may_come(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *cluster = parse(cluster_ready);
    RD_AUTOJSON json_t *events = json_object();
    RD_AUTOJSON json_t *pods = parse(
        "{\"Pod/ns/w\":{\"metadata\":{\"name\":\"w\",\"labels\":{\"ray.io/node-type\":\"worker\",\"ray.io/"
        "group\":\"cpu\"}},\"spec\":{\"containers\":[{\"image\":\"ray:1\"}]},\"status\":{\"conditions\":[{"
        "\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\",\"message\":\"m\"}]}}}");
    struct ray_reading fixed, scaling;
    ray_read(cluster, pods, events, 0, false, 0, 0, &fixed);
    ray_read(cluster, pods, events, 0, true, 0, 0, &scaling);
    if (fixed.grace_ms >= scaling.grace_ms)
        fail_msg("grace %llu, with autoscaling %llu", (unsigned long long)fixed.grace_ms,
                 (unsigned long long)scaling.grace_ms);
    ray_reading_clear(&fixed);
    ray_reading_clear(&scaling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(no_room_is_waited_for_longer_where_nodes_may_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
