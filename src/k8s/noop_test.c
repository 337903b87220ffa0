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

/* ---- Field by field ---- */

#define OURS(fields) "{\"manager\":\"raydeploy\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsV1\":" fields "}"
#define OBJECT(fields, meta, rest)                                                                   \
    "{\"apiVersion\":\"v1\",\"kind\":\"K\",\"metadata\":{\"name\":\"n\",\"uid\":\"u\"" meta                 \
    ",\"managedFields\":[" fields "]}," rest "}"
#define WANTED(meta, rest) "{\"apiVersion\":\"v1\",\"kind\":\"K\",\"metadata\":{\"name\":\"n\"" meta "}," rest "}"

#define PORTS_OWNED                                                                                \
    "{\"f:spec\":{\"f:ports\":{\".\":{},\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},"      \
    "\"f:port\":{}},\"k:{\\\"port\\\":81,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:port\":{}}}}}"
#define TCP(n) "{\"port\":" #n ",\"protocol\":\"TCP\"}"

static const struct {
    const char *name, *intent, *live;
    bool want;
} more[] = {
    {"same", WANTED("", "\"data\":{\"k\":\"v\"}"),
     OBJECT(OURS("{\"f:data\":{\".\":{},\"f:k\":{}}}"), "", "\"data\":{\"k\":\"v\"}"), true},
    {"others' fields beside", WANTED("", "\"data\":{\"k\":\"v\"}"),
     OBJECT(OURS("{\"f:data\":{\"f:k\":{}}}"), ",\"labels\":{\"a\":\"b\"}",
          "\"data\":{\"k\":\"v\",\"x\":\"y\"},\"status\":{}"),
     true},
    {"other value", WANTED("", "\"data\":{\"k\":\"w\"}"),
     OBJECT(OURS("{\"f:data\":{\"f:k\":{}}}"), "", "\"data\":{\"k\":\"v\"}"), false},
    {"field given up", WANTED("", "\"data\":{\"k\":\"v\"}"),
     OBJECT(OURS("{\"f:data\":{\"f:k\":{},\"f:old\":{}}}"), "", "\"data\":{\"k\":\"v\",\"old\":\"1\"}"), false},
    {"field not ours yet", WANTED("", "\"data\":{\"k\":\"v\",\"l\":\"1\"}"),
     OBJECT(OURS("{\"f:data\":{\"f:k\":{}}}"), "", "\"data\":{\"k\":\"v\",\"l\":\"1\"}"), false},
    {"ownership lost", WANTED("", "\"data\":{\"k\":\"v\"}"),
     OBJECT("{\"manager\":\"x\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsV1\":{\"f:data\":{\"f:k\":{}}}}",
          "", "\"data\":{\"k\":\"v\"}"),
     false},
    {"only an update of ours", WANTED("", "\"data\":{\"k\":\"v\"}"),
     OBJECT("{\"manager\":\"raydeploy\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsV1\":{\"f:data\":{\"f:k\":{}}}}",
          "", "\"data\":{\"k\":\"v\"}"),
     false},
    {"two versions", WANTED("", "\"data\":{\"k\":\"v\"}"),
     OBJECT(OURS("{\"f:data\":{\"f:k\":{}}}") ",{\"manager\":\"raydeploy\",\"operation\":\"Apply\",\"apiVersion\":"
          "\"v2\",\"fieldsV1\":{}}", "", "\"data\":{\"k\":\"v\"}"),
     false},
    {"labels", WANTED(",\"labels\":{\"a\":\"b\"}", "\"data\":{}"),
     OBJECT(OURS("{\"f:metadata\":{\"f:labels\":{\"f:a\":{}}},\"f:data\":{}}"), ",\"labels\":{\"a\":\"b\"}",
          "\"data\":{}"),
     true},
    {"label taken out", WANTED("", "\"data\":{}"),
     OBJECT(OURS("{\"f:metadata\":{\"f:labels\":{\"f:a\":{}}},\"f:data\":{}}"), ",\"labels\":{\"a\":\"b\"}",
          "\"data\":{}"),
     false},
    {"going away", WANTED("", "\"data\":{\"k\":\"v\"}"),
     OBJECT(OURS("{\"f:data\":{\"f:k\":{}}}"), ",\"deletionTimestamp\":\"x\"", "\"data\":{\"k\":\"v\"}"), false},
    {"keyed list with a defaulted key", WANTED("", "\"spec\":{\"ports\":[{\"port\":80},{\"port\":81}]}"),
     OBJECT(OURS(PORTS_OWNED), "", "\"spec\":{\"ports\":[" TCP(80) "," TCP(81) "]}"), true},
    {"keyed list in another order", WANTED("", "\"spec\":{\"ports\":[{\"port\":81},{\"port\":80}]}"),
     OBJECT(OURS(PORTS_OWNED), "", "\"spec\":{\"ports\":[" TCP(80) "," TCP(81) "]}"), false},
    {"keyed list with an item of others", WANTED("", "\"spec\":{\"ports\":[{\"port\":80},{\"port\":81}]}"),
     OBJECT(OURS(PORTS_OWNED), "", "\"spec\":{\"ports\":[" TCP(80) "," TCP(81) "," TCP(82) "]}"), true},
    {"keyed list, an item gone", WANTED("", "\"spec\":{\"ports\":[{\"port\":80}]}"),
     OBJECT(OURS(PORTS_OWNED), "", "\"spec\":{\"ports\":[" TCP(80) "," TCP(81) "]}"), false},
    {"two items for one key", WANTED("", "\"spec\":{\"ports\":[{\"port\":80},{\"port\":80}]}"),
     OBJECT(OURS(PORTS_OWNED), "", "\"spec\":{\"ports\":[" TCP(80) "," TCP(81) "]}"), false},
    {"atomic list", WANTED("", "\"l\":[1,2]"), OBJECT(OURS("{\"f:l\":{}}"), "", "\"l\":[1,2]"), true},
    {"atomic list, defaulted inside", WANTED("", "\"l\":[{\"a\":1}]"),
     OBJECT(OURS("{\"f:l\":{}}"), "", "\"l\":[{\"a\":1,\"b\":2}]"), false},
    {"set", WANTED("", "\"l\":[\"a\",\"b\"]"),
     OBJECT(OURS("{\"f:l\":{\"v:\\\"a\\\"\":{},\"v:\\\"b\\\"\":{}}}"), "", "\"l\":[\"a\",\"b\"]"), true},
    {"set with a member of others", WANTED("", "\"l\":[\"a\"]"),
     OBJECT(OURS("{\"f:l\":{\"v:\\\"a\\\"\":{}}}"), "", "\"l\":[\"a\",\"b\"]"), true},
    {"normalised", WANTED("", "\"cpu\":\"1000m\""), OBJECT(OURS("{\"f:cpu\":{}}"), "", "\"cpu\":\"1\""), false},
    {"a quantity in the server's spelling", WANTED("", "\"limits\":{\"cpu\":\"1000m\",\"memory\":1}"),
     OBJECT(OURS("{\"f:limits\":{\"f:cpu\":{},\"f:memory\":{}}}"), "",
            "\"limits\":{\"cpu\":\"1\",\"memory\":\"1\"}"),
     true},
    {"another quantity", WANTED("", "\"limits\":{\"cpu\":\"1001m\"}"),
     OBJECT(OURS("{\"f:limits\":{\"f:cpu\":{}}}"), "", "\"limits\":{\"cpu\":\"1\"}"), false},
    {"only that it is there", "{\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n\",\"namespace\":\"x\"}}",
     OBJECT("{\"manager\":\"x\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsV1\":{}}", "", "\"x\":1"),
     true},
    {"only that it is there any more", "{\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n\"}}",
     OBJECT(OURS("{\"f:x\":{}}"), "", "\"x\":1"), false},
    {"null", WANTED("", "\"x\":null"), OBJECT(OURS("{\"f:x\":{}}"), "", "\"y\":1"), false},
    {"scalar where a tree is owned", WANTED("", "\"x\":1"), OBJECT(OURS("{\"f:x\":{\"f:y\":{}}}"), "", "\"x\":1"),
     false},
    {"nonsense", WANTED("", "\"x\":[1]"), OBJECT(OURS("{\"f:x\":{\"k:nonsense\":{}}}"), "", "\"x\":[1]"), false},
    {"no managed fields", WANTED("", "\"x\":1"), "{\"apiVersion\":\"v1\",\"x\":1}", false},
    {"other version", WANTED("", "\"x\":1"),
     "{\"apiVersion\":\"v2\",\"metadata\":{\"managedFields\":[" OURS("{\"f:x\":{}}") "]},\"x\":1}", false},
};

static void more_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(more); i++) {
        RD_AUTOJSON json_t *intent = parse(more[i].intent), *live = parse(more[i].live);
        if (k8s_apply_is_noop(intent, live, "raydeploy") != more[i].want)
            fail_msg("%s: wanted %d", more[i].name, more[i].want);
    }
    RD_AUTOJSON json_t *intent = parse(more[0].intent);
    assert_false(k8s_apply_is_noop(intent, NULL, "raydeploy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table), cmocka_unit_test(more_rows),
        cmocka_unit_test(order_of_a_keyed_list_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
