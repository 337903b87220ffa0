#include "k8s/forward_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    struct rd_err *err = NULL;
    json_t *v = rd_json_parse(text, strlen(text), "fixture", &err);
    if (!v)
        fail_msg("%s: %s", text, err->message);
    return v;
}

#define POD(name, created, extra, ready)                                                           \
    "{\"metadata\":{\"name\":\"" name "\",\"uid\":\"u-" name "\",\"creationTimestamp\":\"" created \
    "\"" extra "},\"spec\":{\"containers\":[{\"name\":\"c\",\"ports\":[{\"name\":\"web\","         \
    "\"containerPort\":8080},{\"containerPort\":9}]}]},\"status\":{\"conditions\":[{\"type\":"     \
    "\"Ready\",\"status\":\"" ready "\"}]}}"

static void add(json_t *pods, const char *text)
{
    json_t *pod = parse(text);
    json_object_set_new(pods, rd_json_str(pod, "metadata", "uid", NULL), forward_pod_facts(pod));
    json_decref(pod);
}

/* The newest Ready pod that is not leaving. */
static void test_pick(void **state)
{
    (void)state;
    json_t *pods = json_object();
    assert_null(forward_pick(pods));
    add(pods, POD("old", "2026-01-01T00:00:00Z", "", "True"));
    add(pods, POD("new", "2026-01-02T00:00:00Z", "", "True"));
    add(pods, POD("unready", "2026-01-03T00:00:00Z", "", "False"));
    add(pods, POD("leaving", "2026-01-04T00:00:00Z", ",\"deletionTimestamp\":\"x\"", "True"));
    add(pods, "{\"metadata\":{\"uid\":\"u-none\",\"name\":\"none\"}}");
    assert_string_equal(rd_json_str(forward_pick(pods), "name", NULL), "new");
    add(pods, POD("newer", "2026-01-02T00:00:00Z", "", "True"));
    assert_string_equal(rd_json_str(forward_pick(pods), "name", NULL), "newer");
    json_decref(pods);
}

/* A Service's port by number or name, and the reasons why there is none. */
static void test_service(void **state)
{
    (void)state;
    struct rd_err *err = NULL;
    json_t *port = NULL, *facts = NULL;
    char *labels = NULL;
    json_t *svc =
        parse("{\"metadata\":{\"name\":\"s\"},\"spec\":{\"selector\":{\"a\":\"b\",\"c\":\"d\"},"
              "\"ports\":[{\"port\":80,\"targetPort\":\"web\"},{\"port\":81,\"targetPort\":82},"
              "{\"port\":83},{\"port\":84,\"targetPort\":\"absent\"}]}}");
    json_t *pod = parse(POD("p", "2026-01-01T00:00:00Z", "", "True"));
    facts = forward_pod_facts(pod);
    static const struct {
        uint16_t port, want;
    } rows[] = {{80, 8080}, {81, 82}, {83, 83}, {84, 0}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        assert_true(forward_service_read(svc, rows[i].port, &port, &labels, &err));
        assert_string_equal(labels, "a=b,c=d");
        if (forward_target_port(port, facts) != rows[i].want)
            fail_msg("port %u: %u, not %u", rows[i].port, forward_target_port(port, facts),
                     rows[i].want);
        json_decref(port);
        free(labels);
    }
    assert_false(forward_service_read(svc, 99, &port, &labels, &err));
    assert_non_null(strstr(err->hint, "80, 81, 83, 84"));
    rd_err_freep(&err);
    json_t *bare = parse("{\"metadata\":{\"name\":\"s\"},\"spec\":{\"ports\":[{\"port\":80}]}}");
    assert_false(forward_service_read(bare, 80, &port, &labels, &err));
    assert_non_null(strstr(err->message, "selects no pods"));
    rd_err_freep(&err);
    json_decref(bare);
    json_decref(svc);
    json_decref(pod);
    json_decref(facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
