/* "Provably nothing to do", and everything that is not. */
#include "base/test.h"

#include <stdio.h>

#include "k8s/noop.h"

static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *v = json_loads(text, 0, &e);
    if (!v)
        fail_msg("fixture: %s at %d", e.text, e.position);
    return v;
}

#define META "\"apiVersion\":\"v1\",\"kind\":\"Service\""
#define FIELDS                                                                                     \
    "{\"f:metadata\":{\"f:labels\":{\"f:a\":{}}},\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80}\":{\".\":{}," \
    "\"f:port\":{},\"f:name\":{}}},\"f:selector\":{},\"f:type\":{}}}"
#define LIVE(labels, ports, selector, extra, fields)                                               \
    "{" META ",\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"1\","    \
    "\"labels\":{" labels "},\"managedFields\":[{\"manager\":\"kubectl\",\"operation\":\"Update\","          \
    "\"apiVersion\":\"v1\",\"fieldsV1\":{}},{\"manager\":\"raydeploy\",\"operation\":\"Apply\","             \
    "\"apiVersion\":\"v1\",\"fieldsV1\":" fields "}]},\"spec\":{\"ports\":[" ports "],\"selector\":{" selector \
    "},\"type\":\"ClusterIP\",\"clusterIP\":\"10.0.0.1\"" extra "}}"
#define INTENT(labels, ports, selector, extra)                                                     \
    "{" META ",\"metadata\":{\"name\":\"x\",\"labels\":{" labels "}},\"spec\":{\"ports\":[" ports              \
    "],\"selector\":{" selector "},\"type\":\"ClusterIP\"" extra "}}"

#define PORT "{\"port\":80,\"name\":\"h\"}"
#define PORT_LIVE "{\"port\":80,\"name\":\"h\",\"protocol\":\"TCP\"}"

static void table(void **state)
{
    (void)state;
    static const char live[] = LIVE("\"a\":\"1\",\"theirs\":\"2\"", PORT_LIVE, "\"app\":\"x\"", "", FIELDS);
    static const struct {
        const char *what, *intent, *live;
        bool want;
    } rows[] = {
        {"the same", INTENT("\"a\":\"1\"", PORT, "\"app\":\"x\"", ""), live, true},
        {"a label changed", INTENT("\"a\":\"2\"", PORT, "\"app\":\"x\"", ""), live, false},
        {"a label more", INTENT("\"a\":\"1\",\"b\":\"1\"", PORT, "\"app\":\"x\"", ""), live, false},
        {"a label of ours no longer wanted", INTENT("", PORT, "\"app\":\"x\"", ""), live, false},
        {"their label wanted too", INTENT("\"a\":\"1\",\"theirs\":\"2\"", PORT, "\"app\":\"x\"", ""), live,
         false},
        {"atomic map changed", INTENT("\"a\":\"1\"", PORT, "\"app\":\"y\"", ""), live, false},
        {"atomic map grew", INTENT("\"a\":\"1\"", PORT, "\"app\":\"x\",\"b\":\"c\"", ""), live, false},
        {"a field more", INTENT("\"a\":\"1\"", PORT, "\"app\":\"x\"", ",\"clusterIP\":\"10.0.0.1\""), live,
         false},
        {"a port's name changed", INTENT("\"a\":\"1\"", "{\"port\":80,\"name\":\"g\"}", "\"app\":\"x\"", ""),
         live, false},
        {"a port more", INTENT("\"a\":\"1\"", PORT ",{\"port\":81,\"name\":\"i\"}", "\"app\":\"x\"", ""), live,
         false},
        {"a port renumbered", INTENT("\"a\":\"1\"", "{\"port\":81,\"name\":\"h\"}", "\"app\":\"x\"", ""), live,
         false},
        {"not managed by us", INTENT("\"a\":\"1\"", PORT, "\"app\":\"x\"", ""),
         "{" META ",\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"}},\"spec\":{\"ports\":[" PORT
         "],\"selector\":{\"app\":\"x\"},\"type\":\"ClusterIP\"}}",
         false},
        {"somebody changed our value", INTENT("\"a\":\"1\"", PORT, "\"app\":\"x\"", ""),
         LIVE("\"a\":\"9\"", PORT_LIVE, "\"app\":\"x\"", "", FIELDS), false},
        {"somebody took a field over", INTENT("\"a\":\"1\"", PORT, "\"app\":\"x\"", ""),
         LIVE("\"a\":\"1\"", PORT_LIVE, "\"app\":\"x\"", "",
              "{\"f:metadata\":{\"f:labels\":{\"f:a\":{}}},\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80}\":{"
              "\".\":{},\"f:port\":{},\"f:name\":{}}},\"f:selector\":{}}}"),
         false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *intent = parse(rows[i].intent);
        RD_AUTOJSON json_t *l = parse(rows[i].live);
        rd_check_int(rows[i].what, k8s_apply_is_noop(intent, l, "raydeploy"), rows[i].want);
    }
}

static void order_of_a_keyed_list_counts(void **state)
{
    (void)state;
    static const char fields[] =
        "{\"f:spec\":{\"f:l\":{\"k:{\\\"n\\\":\\\"a\\\"}\":{\".\":{},\"f:n\":{}},\"k:{\\\"n\\\":\\\"b\\\"}\":{\".\":{},"
        "\"f:n\":{}}},\"f:set\":{\"v:\\\"x\\\"\":{}}}}";
    static const struct {
        const char *what, *want, *have, *set;
        bool noop;
    } rows[] = {
        {"same order", "{\"n\":\"a\"},{\"n\":\"b\"}", "{\"n\":\"a\"},{\"n\":\"b\"}", "\"x\"", true},
        {"theirs between", "{\"n\":\"a\"},{\"n\":\"b\"}", "{\"n\":\"a\"},{\"n\":\"t\"},{\"n\":\"b\"}", "\"x\",\"t\"",
         true},
        {"swapped", "{\"n\":\"b\"},{\"n\":\"a\"}", "{\"n\":\"a\"},{\"n\":\"b\"}", "\"x\"", false},
        {"member gone", "{\"n\":\"a\"},{\"n\":\"b\"}", "{\"n\":\"a\"},{\"n\":\"b\"}", "\"t\"", false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        char text[2048];
        snprintf(text, sizeof(text), "{\"apiVersion\":\"v1\",\"kind\":\"K\",\"metadata\":{\"name\":\"x\"},"
                 "\"spec\":{\"l\":[%s],\"set\":[\"x\"]}}", rows[i].want);
        RD_AUTOJSON json_t *intent = parse(text);
        snprintf(text, sizeof(text), "{\"apiVersion\":\"v1\",\"kind\":\"K\",\"metadata\":{\"name\":\"x\","
                 "\"managedFields\":[{\"manager\":\"raydeploy\",\"operation\":\"Apply\",\"apiVersion\":\"v1\","
                 "\"fieldsV1\":%s}]},\"spec\":{\"l\":[%s],\"set\":[%s]}}", fields, rows[i].have, rows[i].set);
        RD_AUTOJSON json_t *live = parse(text);
        rd_check_int(rows[i].what, k8s_apply_is_noop(intent, live, "raydeploy"), rows[i].noop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(order_of_a_keyed_list_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
