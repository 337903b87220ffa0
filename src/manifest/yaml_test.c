/* The reader: strict mode, ceilings, messages and marks. What foreign scalars mean is in
 * peer_test.c. */
#include "base/alloc.h"
#include "manifest/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The first document as compact JSON, or "error: " and the message; owned. */
static char *read_len(const char *text, size_t len, enum yaml_mode mode,
                      const struct yaml_limits *limits)
{
    struct yaml_stream s;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!yaml_read(text, len, "f.yaml", mode, limits, false, &s, &err)) {
        assert_int_equal(err->kind, RD_ERR_INPUT);
        return rd_asprintf("error: %s", err->message);
    }
    char *json = s.len ? rd_json_dump(s.docs[0].root) : rd_strdup("none");
    yaml_stream_clear(&s);
    return json;
}

static char *read_one(const char *text, enum yaml_mode mode)
{
    return read_len(text, strlen(text), mode, NULL);
}

static void strict_takes_what_readers_agree_about(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"a: 1", "{\"a\":1}"},
        {"a: -0", "{\"a\":0}"},
        {"a: 1.5", "{\"a\":1.5}"},
        {"a: 1.0", "{\"a\":1}"},
        {"a: 2.5e+3", "{\"a\":2500}"},
        {"a: true\nb: false", "{\"a\":true,\"b\":false}"},
        {"a:\nb: ~\nc: null", "{\"a\":null,\"b\":null,\"c\":null}"},
        {"a: 'yes'\nb: \"0644\"", "{\"a\":\"yes\",\"b\":\"0644\"}"},
        {"a: 10.0.0.0/16", "{\"a\":\"10.0.0.0/16\"}"},
        {"a: 8080:80", "{\"a\":\"8080:80\"}"},
        {"a: 1.2.3", "{\"a\":\"1.2.3\"}"},
        {"a: 500m", "{\"a\":\"500m\"}"},
        {"a: rayproject/ray:2.54.0-py311", "{\"a\":\"rayproject/ray:2.54.0-py311\"}"},
        {"a: ${name}", "{\"a\":\"${name}\"}"},
        {"a: 9223372036854775807", "{\"a\":9223372036854775807}"},
        {"a: |\n  x\n  y\n", "{\"a\":\"x\\ny\\n\"}"},
        {"{\"a\": [1, \"x\", null, true]}", "{\"a\":[1,\"x\",null,true]}"},
        {"- a\n- [b, {c: 1}]", "[\"a\",[\"b\",{\"c\":1}]]"},
        {"", "none"},
        {"# c\n", "null"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *got = read_one(cases[i].text, YAML_STRICT);
        assert_string_equal(got, cases[i].json);
    }
}

static void strict_wants_quotes(void **state)
{
    (void)state;
    static const char *const words[] = {
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "True",
        "FALSE",
        "Null",
        "0644",
        "0o17",
        "0x1f",
        "0b11",
        "1_000",
        "1:30",
        "+1",
        "1e3",
        ".5",
        "5.",
        "1.5e3",
        "1e999",
        ".inf",
        ".NaN",
        "-.Inf",
        "08",
        "00",
        "=",
        "1,000",
        "190:20:30.15",
        "2001-12-14",
        "2001-1-1 10:00:00",
        "9223372036854775808",
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(words); i++) {
        RD_AUTOFREE char *text = rd_asprintf("x: 1\na: %s\n", words[i]);
        RD_AUTOFREE char *got = read_one(text, YAML_STRICT);
        if (!strstr(got, "error: f.yaml:2:4: ") || !strstr(got, "quote it"))
            fail_msg("%s: %s", words[i], got);
        RD_AUTOFREE char *quoted = rd_asprintf("a: '%s'\n", words[i]);
        RD_AUTOFREE char *taken = read_one(quoted, YAML_STRICT);
        RD_AUTOFREE char *want = rd_asprintf("{\"a\":\"%s\"}", words[i]);
        assert_string_equal(taken, want);
    }
}

static void refusals_say_where(void **state)
{
    (void)state;
    static const struct {
        enum yaml_mode mode;
        const char *text, *want;
    } cases[] = {
        {YAML_STRICT, "a: 1\na: 2\n", "f.yaml:2:1: key 'a' is given twice"},
        {YAML_STRICT, "b:\n  a: 1\n  a: 2\n", "f.yaml:3:3: key 'a' is given twice"},
        {YAML_STRICT, "a: &x 1\n", "f.yaml:1:4: anchors (&x) are not allowed here"},
        {YAML_STRICT, "a: 1\nb: \"x\\0y\"\n", "f.yaml:2:4: 'x' is cut by a NUL character"},
        {YAML_STRICT, "\"x\\0y\": 1\n", "f.yaml:1:1: "},
        {YAML_STRICT, "a: *x\n", "f.yaml:1:4: aliases (*x) are not allowed here"},
        {YAML_STRICT, "a: !!str 1\n", "f.yaml:1:4: tags"},
        {YAML_STRICT, "a: !x {}\n", "f.yaml:1:4: tags"},
        {YAML_STRICT, "<<: {}\n", "f.yaml:1:1: '<<'"},
        {YAML_STRICT, "1: a\n", "f.yaml:1:1: key '1' is not text"},
        {YAML_STRICT, "~: a\n", "f.yaml:1:1: key '~' is not text"},
        {YAML_STRICT, "? [a]\n: b\n", "f.yaml:1:3: a key must be text"},
        {YAML_STRICT, "%YAML 1.2\n---\na: 1\n", "f.yaml:1:1: YAML directives"},
        {YAML_STRICT, "a: 1\n...\nb: 2\n", "f.yaml:3:1: text after the end of the document"},
        {YAML_STRICT, "a: 1\n--- b: 1\n", "f.yaml:2:4: only a comment may follow ---"},
        {YAML_STRICT, "a: 1\n---\nb: 2\n---\nc: [\n", "f.yaml:6:1: "},
        {YAML_STRICT, "a:\n\tb: 1\n", "f.yaml:2:1: "},
        {YAML_STRICT, "a: 1\nb: \x01\n", "f.yaml:2:4: not UTF-8 text"},
        {YAML_STRICT, "a: 1\nb: \xff\n", "f.yaml:2:4: not UTF-8 text"},
        {YAML_FOREIGN,
         "\xff\xfe"
         "a\0",
         "f.yaml:1:1: not UTF-8 text"},
        {YAML_FOREIGN,
         "\x7f"
         "ELF\x02\x01",
         "f.yaml:1:1: not UTF-8 text"},
        {YAML_FOREIGN, "a: &x [*x]\n", "f.yaml:1:8: the value of anchor 'x' contains itself"},
        {YAML_FOREIGN, "a: 1\nb: *y\n", "f.yaml:2:4: no anchor 'y'"},
        {YAML_FOREIGN, "a: .nan\n", "f.yaml:1:4: '.nan' cannot be said in JSON"},
        {YAML_FOREIGN, "a:\n  <<: 1\n", "f.yaml:2:7: a merge key"},
        {YAML_FOREIGN, "{\"a\": 1}\n{\"a\": 2}\n{\"a\": ]\n", "f.yaml:3: malformed JSON"},
        {YAML_FOREIGN, "{\"a\": 1e999}\n", "f.yaml:1: number out of range"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *got = read_one(cases[i].text, cases[i].mode);
        RD_AUTOFREE char *want = rd_asprintf("error: %s", cases[i].want);
        if (strncmp(got, want, strlen(want)) != 0)
            fail_msg("%s\n  got:  %s\n  want: %s", cases[i].text, got, want);
    }
}

static char *repeat(const char *unit, size_t n, const char *end)
{
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < n; i++)
        rd_buf_puts(&b, unit);
    rd_buf_puts(&b, end);
    return rd_buf_take(&b, NULL);
}

/* Each would cost gigabytes or hours without its ceiling. */
static void ceilings_hold(void **state)
{
    (void)state;
    struct yaml_limits small = {
        .bytes_max = 4 << 20, .nodes_max = 10000, .depth_max = 50, .docs_max = 10};
    static const struct {
        const char *unit;
        size_t n;
        const char *end, *want;
    } cases[] = {
        {"[", 1000000, "", "nested deeper than 50 levels"},
        {"{a: ", 200000, "", "nested deeper than 50 levels"},
        {"- ", 1000000, "x\n", "nested deeper than 50 levels"},
        {"? ", 1000000, "x\n", "a key must be text"},
        {"{\"a\":", 100, "", "nested deeper than 50 levels"},
        {"- {}\n", 100000, "", "too many values"},
        {"a\n---\n", 100, "", "more than 10 documents"},
        {"x", (4 << 20) + 1, "", "larger than 4194304 bytes"},
        {"%TAG ! x\n", 100000, "---\n", "YAML directives"},
        {"%TAG ! x\r", 100000, "---\n", "YAML directives"},
        {"# \xc2\x85%TAG ! x", 100000, "\n---\n", "YAML directives"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *text = repeat(cases[i].unit, cases[i].n, cases[i].end);
        RD_AUTOFREE char *got = read_len(text, strlen(text), YAML_FOREIGN, &small);
        if (!strstr(got, "error: f.yaml:") || !strstr(got, cases[i].want))
            fail_msg("%s: got %.200s, want %s", cases[i].unit, got, cases[i].want);
    }
    /* A JSON value that closes. */
    RD_AUTOFREE char *open = repeat("{\"a\":[", 40, "1");
    RD_AUTOFREE char *deep = repeat("]}", 40, "\n");
    RD_AUTOFREE char *json = rd_asprintf("%s%s", open, deep);
    RD_AUTOFREE char *got = read_len(json, strlen(json), YAML_FOREIGN, &small);
    assert_string_equal(got, "error: f.yaml:1: nested deeper than 50 levels");
    RD_AUTOFREE char *items = repeat("{},", 20000, "{}]}");
    RD_AUTOFREE char *wide = rd_asprintf("{\"a\":[%s", items);
    RD_AUTOFREE char *got_wide = read_len(wide, strlen(wide), YAML_FOREIGN, &small);
    assert_string_equal(got_wide, "error: f.yaml:1: too many values");
}

static void alias_bombs_stop(void **state)
{
    (void)state;
    struct rd_buf b = RD_BUF_INIT(1 << 20);
    rd_buf_puts(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 30; i++) {
        rd_buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            rd_buf_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
        rd_buf_puts(&b, "]\n");
    }
    RD_AUTOFREE char *got = read_len(b.data, b.len, YAML_FOREIGN, NULL);
    assert_non_null(strstr(got, "too many values, aliases expanded"));
    rd_buf_clear(&b);

    /* Few values, many bytes. */
    rd_buf_puts(&b, "a: &a ");
    for (int i = 0; i < 500000; i++)
        rd_buf_putc(&b, 'x');
    rd_buf_puts(&b, "\nb:\n");
    for (int i = 0; i < 1000; i++)
        rd_buf_puts(&b, "- *a\n");
    RD_AUTOFREE char *bytes = read_len(b.data, b.len, YAML_FOREIGN, NULL);
    assert_non_null(strstr(bytes, "too many bytes, aliases expanded"));
    rd_buf_clear(&b);

    /* Each alias one level deeper. */
    rd_buf_puts(&b, "a0: &a0 [x]\n");
    for (int i = 1; i < 200; i++)
        rd_buf_printf(&b, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    RD_AUTOFREE char *deep = read_len(b.data, b.len, YAML_FOREIGN, NULL);
    assert_non_null(strstr(deep, "nested deeper than 100 levels"));
    rd_buf_clear(&b);
}

static void aliases_are_copies(void **state)
{
    (void)state;
    const char *text = "a: &x {c: [1]}\nb: *x\nd: {<<: *x}\n";
    struct yaml_stream s;
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(yaml_read(text, strlen(text), "f", YAML_FOREIGN, NULL, false, &s, &err));
    json_t *root = s.docs[0].root;
    json_array_append_new(rd_json_path(root, "a.c"), json_integer(2));
    RD_AUTOFREE char *got = rd_json_dump(root);
    assert_string_equal(got, "{\"a\":{\"c\":[1,2]},\"b\":{\"c\":[1]},\"d\":{\"c\":[1]}}");
    yaml_stream_clear(&s);
}

static void marks_know_lines(void **state)
{
    (void)state;
    const char *text = "# c\nproject: x\nray:\n  workers:\n  - name: a\n    max: 3\n  - name: b\n"
                       "  \"x/y~z\": 1\n";
    static const struct {
        const char *pointer;
        int line;
    } cases[] = {
        {"", 2},
        {"/project", 2},
        {"/ray", 3},
        {"/ray/workers", 4},
        {"/ray/workers/0", 5},
        {"/ray/workers/0/max", 6},
        {"/ray/workers/1/name", 7},
        {"/ray/x~1y~0z", 8},
        {"/none", 0},
    };
    struct yaml_stream s;
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(yaml_read(text, strlen(text), "f", YAML_STRICT, NULL, true, &s, &err));
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        int line = yaml_marks_line(s.docs[0].marks, cases[i].pointer);
        if (line != cases[i].line)
            fail_msg("%s: line %d, not %d", cases[i].pointer, line, cases[i].line);
    }
    assert_int_equal(yaml_marks_line(NULL, "/a"), 0);
    yaml_stream_clear(&s);
}

static void documents_know_lines(void **state)
{
    (void)state;
    const char *text = "# c\n\na: 1\n---\n\nb: 2\n---\n# empty\n--- # d\nc: 3\n";
    static const int lines[] = {3, 6, 8, 10};
    struct yaml_stream s;
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(yaml_read(text, strlen(text), "-", YAML_FOREIGN, NULL, false, &s, &err));
    assert_string_equal(s.name, "stdin");
    assert_int_equal(s.len, RD_ARRAY_LEN(lines));
    for (size_t i = 0; i < s.len; i++)
        assert_int_equal(s.docs[i].line, lines[i]);
    assert_true(json_is_null(s.docs[2].root));
    yaml_stream_clear(&s);
}

static void files_are_bounded(void **state)
{
    (void)state;
    struct yaml_stream s;
    RD_AUTOERR struct rd_err *err = NULL;
    struct yaml_limits tiny = yaml_limits_default;
    tiny.bytes_max = 100;
    assert_false(
        yaml_read_file(RD_SOURCE_DIR "/CMakeLists.txt", YAML_FOREIGN, &tiny, false, &s, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    assert_non_null(strstr(err->message, "CMakeLists.txt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_takes_what_readers_agree_about),
        cmocka_unit_test(strict_wants_quotes),
        cmocka_unit_test(refusals_say_where),
        cmocka_unit_test(ceilings_hold),
        cmocka_unit_test(alias_bombs_stop),
        cmocka_unit_test(aliases_are_copies),
        cmocka_unit_test(marks_know_lines),
        cmocka_unit_test(documents_know_lines),
        cmocka_unit_test(files_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
