#include "base/test.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json.h"

#include <stdlib.h>

static void check_dump(const char *row, const json_t *v, const char *want)
{
    RD_AUTOFREE char *got = rd_json_dump(v);
    rd_check_str(row, got, want);
}

static json_t *parse(const char *text)
{
    struct rd_err *err = NULL;
    json_t *v = rd_json_parse(text, strlen(text), "test", &err);
    if (v == NULL)
        fail_msg("%s: %s", text, err->message);
    return v;
}

static void pack_and_dump(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *v =
        rd_json_pack("{s:i, s:[s,n,b], s:{s:s}}", "z", 1, "a", "x", 1, "m", "k", "v");
    check_dump("sorted and compact", v, "{\"a\":[\"x\",null,true],\"m\":{\"k\":\"v\"},\"z\":1}");
    RD_AUTOJSON json_t *scalar = json_string("only");
    check_dump("scalar", scalar, "\"only\"");
}

static void parse_table(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error; /* NULL: fine */
    } cases[] = {
        {"{}", NULL},
        {" [1, 2.5, true, null] \n", NULL},
        {"{\"a\":{\"b\":\"\\u00e9\"}}", NULL},
        {"{\"a\":1,\"a\":2}", NULL},
        {"", "doc is not JSON: it is empty"},
        {" ", "doc is not JSON: line 1"},
        {"{", "line 1 column 1"},
        {"{\n  \"a\": 1,\n}", "line 3 column 1"},
        {"[1,2", "line 1"},
        {"{} x", "line 1 column 4"},
        {"\"scalar\"", "doc is not JSON"},
        {"12", "doc is not JSON"},
        {"nul", "doc is not JSON"},
        {"[01]", "doc is not JSON"},
        {"[1e999]", "doc is not JSON"},
        {"[99999999999999999999]", "doc is not JSON"},
        {"{'a':1}", "doc is not JSON"},
        {"[\"\x01\"]", "doc is not JSON"},
        {"[\"\\u0000\"]", "doc is not JSON"},
        {"{\"\\u0000\":1}", "doc is not JSON"},
        {"[\"\\ud800\"]", "doc is not JSON"},
        {"[\"\xc0\xaf\"]", "doc is not JSON"},
        {"[\"\xed\xa0\x80\"]", "doc is not JSON"},
        {"[\"\xff\"]", "doc is not JSON"},
        {"\xef\xbb\xbf{}", "doc is not JSON"},
        {"[\x1b[31m]", "near '\\x1b'"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        struct rd_err *err = NULL;
        RD_AUTOJSON json_t *v = rd_json_parse(cases[i].text, strlen(cases[i].text), "doc", &err);
        if (cases[i].error == NULL) {
            rd_check_str(cases[i].text, err == NULL ? NULL : err->message, NULL);
            assert_non_null(v);
        } else {
            assert_null(v);
            if (err != NULL)
                assert_true(strlen(err->message) < 1000);
            rd_check_err(cases[i].text, &err, RD_ERR_INPUT, cases[i].error);
        }
    }
    struct rd_err *err = NULL;
    assert_null(rd_json_parse("{}\0", 3, "doc", &err));
    rd_check_err("NUL after the end", &err, RD_ERR_INPUT, "doc is not JSON");
    assert_null(rd_json_parse("[\"a\0b\"]", 7, "doc", &err));
    rd_check_err("NUL inside", &err, RD_ERR_INPUT, "doc is not JSON");
    assert_null(rd_json_parse(NULL, 0, "doc", &err));
    rd_check_err("nothing", &err, RD_ERR_INPUT, "it is empty");
}

static void duplicate_keys(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1,\"a\":2}";
    struct rd_err *err = NULL;
    RD_AUTOJSON json_t *v = rd_json_parse(text, strlen(text), "doc", &err);
    check_dump("the last wins", v, "{\"a\":2}");
    assert_null(rd_json_parse_own(text, strlen(text), "doc", &err));
    rd_check_err("own file", &err, RD_ERR_INPUT, "duplicate");
    RD_AUTOJSON json_t *own = rd_json_parse_own("{\"a\":2}", 7, "doc", &err);
    check_dump("own file without", own, "{\"a\":2}");
}

static void depth_is_bounded(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(1 << 20);
    for (int i = 0; i < 100000; i++)
        rd_buf_puts(&text, "[");
    struct rd_err *err = NULL;
    assert_null(rd_json_parse(text.data, text.len, "deep", &err));
    rd_check_err("deep", &err, RD_ERR_INPUT, "deep is not JSON");
}

/* Any bytes: a value or an error whose message is clean text, never both, never neither. */
static void random_bytes(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]\",:0123eE.-+tfn\\u\x80\xff\xed\xa0 \n\x1b";
    for (int round = 0; round < 20000; round++) {
        char text[24];
        rd_random_bytes(text, sizeof(text));
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = alphabet[(unsigned char)text[i] % (sizeof(alphabet) - 1)];
        RD_AUTOERR struct rd_err *err = NULL;
        RD_AUTOJSON json_t *v = rd_json_parse(text, sizeof(text), "doc", &err);
        assert_true((v == NULL) == (err != NULL));
        if (err != NULL)
            assert_true(rd_utf8_valid(err->message, strlen(err->message)));
    }
}

static void walking(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *v =
        parse("{\"spec\":{\"template\":{\"name\":\"x\",\"n\":3,\"a.b\":1}},\"list\":[1]}");
    rd_check_str("keys", rd_json_str(v, "spec", "template", "name", NULL), "x");
    rd_check_str("number is no string", rd_json_str(v, "spec", "template", "n", NULL), NULL);
    assert_null(rd_json_get(v, "spec", "nope", "name", NULL));
    assert_null(rd_json_get(v, "list", "0", NULL));
    assert_null(rd_json_get(NULL, "a", NULL));
    assert_null(rd_json_get(v, "spec", "template", "name", "deeper", NULL));
    assert_ptr_equal(rd_json_get(v, NULL), v);
    rd_check_int("dotted key by keys",
                 json_integer_value(rd_json_get(v, "spec", "template", "a.b", NULL)), 1);

    rd_check_str("path", rd_json_path_str(v, "spec.template.name"), "x");
    assert_null(rd_json_path(v, "spec.template.name.deeper"));
    assert_null(rd_json_path(v, "spec.temp"));
    assert_null(rd_json_path(v, "spec.template.a.b"));
    assert_null(rd_json_path(v, ""));
    assert_null(rd_json_path(v, "spec."));
    assert_null(rd_json_path(v, ".spec"));
    assert_null(rd_json_path(NULL, "a"));
}

static void typed_reads(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *v =
        parse("{\"i\":-7,\"r\":3.0,\"f\":3.5,\"s\":\"9\",\"big\":1e19,\"t\":true,"
              "\"b\":false,\"n\":null,\"edge\":-9223372036854775808.0,"
              "\"over\":9223372036854775808.0}");
    static const struct {
        const char *path;
        json_int_t want;
    } ints[] = {
        {"i", -7}, {"r", 3},  {"f", 42}, {"s", 42},           {"big", 42},
        {"t", 42}, {"n", 42}, {"x", 42}, {"edge", INT64_MIN}, {"over", 42},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(ints); i++)
        rd_check_int(ints[i].path, rd_json_path_int(v, ints[i].path, 42), ints[i].want);
    rd_check_int("true", rd_json_path_bool(v, "t", false), true);
    rd_check_int("false", rd_json_path_bool(v, "b", true), false);
    rd_check_int("null", rd_json_path_bool(v, "n", true), true);
    rd_check_int("string", rd_json_path_bool(v, "s", true), true);
    rd_check_int("absent", rd_json_path_bool(v, "x", false), false);
}

static void setting(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *v = parse("{\"a\":1,\"o\":{\"k\":1}}");
    rd_json_path_set(v, "top", json_true());
    rd_json_path_set(v, "o.new.deep", json_integer(2));
    rd_json_path_set(v, "a.b", json_string("over a scalar"));
    rd_json_path_set(v, "o.k", json_null());
    check_dump("set", v,
               "{\"a\":{\"b\":\"over a scalar\"},\"o\":{\"k\":null,\"new\":{\"deep\":2}},"
               "\"top\":true}");
}

static void conditions(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *v = parse("{\"status\":{\"conditions\":[7,{\"x\":1},{\"type\":\"Ready\","
                                  "\"status\":\"True\"},{\"type\":\"Failed\"}]}}");
    rd_check_str("found", rd_json_str(rd_json_condition(v, "Ready"), "status", NULL), "True");
    assert_null(rd_json_condition(v, "ready"));
    assert_null(rd_json_condition(v, "Missing"));
    assert_null(rd_json_condition(NULL, "Ready"));
    RD_AUTOJSON json_t *odd = parse("{\"status\":{\"conditions\":{\"type\":\"Ready\"}}}");
    assert_null(rd_json_condition(odd, "Ready"));
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack_and_dump),  cmocka_unit_test(parse_table),
        cmocka_unit_test(duplicate_keys), cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(random_bytes),   cmocka_unit_test(walking),
        cmocka_unit_test(typed_reads),    cmocka_unit_test(setting),
        cmocka_unit_test(conditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
