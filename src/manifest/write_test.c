/* Whatever the writer writes, both modes read back. */
#include "base/alloc.h"
#include "manifest/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_mode(const json_t *want, const char *text, size_t len, enum yaml_mode mode)
{
    struct yaml_stream s;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!yaml_read(text, len, "written", mode, NULL, false, &s, &err))
        fail_msg("%s\n%s", text, err->message);
    assert_int_equal(s.len, 1);
    if (!json_equal(s.docs[0].root, want)) {
        RD_AUTOFREE char *a = rd_json_dump(want);
        RD_AUTOFREE char *b = rd_json_dump(s.docs[0].root);
        fail_msg("%s\n  wrote %s\n  read  %s", text, a, b);
    }
    yaml_stream_clear(&s);
}

static void check(const json_t *v)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(1 << 20);
    yaml_write(&out, v, "a comment\nof two lines");
    check_mode(v, rd_buf_str(&out), out.len, YAML_STRICT);
    check_mode(v, rd_buf_str(&out), out.len, YAML_FOREIGN);
}

static void strings_come_back(void **state)
{
    (void)state;
    static const char *const words[] = {
        "",
        " ",
        "a",
        "a b",
        " a",
        "a ",
        "yes",
        "No",
        "off",
        "y",
        "null",
        "Null",
        "~",
        "true",
        "True",
        "1",
        "-1",
        "+1",
        "0644",
        "0x1f",
        "0b1",
        "0o7",
        "1_000",
        "1:30",
        "1.5",
        "1e3",
        ".5",
        "5.",
        ".",
        "..",
        "...",
        "... a",
        "---",
        "--- a",
        "-",
        "- a",
        "?",
        "? a",
        ":",
        ": a",
        "a: b",
        "a:b",
        "a:",
        "a #b",
        "a#b",
        "#a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'a'",
        "\"a\"",
        "it's",
        "[a]",
        "{a}",
        "a,b",
        "a]b",
        "<<",
        "=",
        ".inf",
        ".nan",
        "2001-12-14",
        "10.0.0.0/16",
        "500m",
        "2Gi",
        "${x}",
        "$(A)",
        "{{ .x }}",
        "a\tb",
        "\ta",
        "a\t",
        "a\\b",
        "a\nb",
        "a\nb\n",
        "a\nb\n\n",
        "\na",
        "\n",
        "\n\n",
        "a\n",
        "a\n\n\n",
        " a\nb",
        "a\n b",
        "a\n  \nb",
        "a\n\tb",
        "a\n# b\n",
        "a\n---\nb\n",
        "a\n...\n",
        "#!/bin/sh\nset -eu\necho \"$1\"\n",
        "a\r\nb",
        "a\rb",
        "\x01",
        "a\x7f"
        "b",
        "\xc3\xa9",
        "a\xc2\x85"
        "b",
        "a\xc2\xa0"
        "b",
        "a\xe2\x80\xa8"
        "b",
        "\xef\xbb\xbf"
        "a",
        "\xe6\x97\xa5\n\xe6\x9c\xac\n",
        "\xf0\x9f\x98\x80",
        "\xef\xbf\xbe",
        "a \n b \n",
        "a:\n- b\n",
        "http://x:80/y?z=1#f",
        "rayproject/ray:2.54.0",
        "-----BEGIN X-----\nabc\n-----END X-----\n",
    };
    RD_AUTOJSON json_t *all = json_array();
    RD_AUTOJSON json_t *keys = json_object();
    for (size_t i = 0; i < RD_ARRAY_LEN(words); i++) {
        RD_AUTOJSON json_t *s = json_string(words[i]);
        check(s);
        json_array_append(all, s);
        json_object_set(keys, words[i], s);
        RD_AUTOJSON json_t *in = rd_json_pack("{s:{s:O, s:[O, [O]], s:[{s:O, s:i}]}}", "a", "b", s,
                                              "c", s, s, "d", "e", s, "f", 1);
        check(in);
    }
    check(all);
    check(keys);
}

static void trees_come_back(void **state)
{
    (void)state;
    static const char *const trees[] = {
        "null",
        "true",
        "false",
        "0",
        "-5",
        "9223372036854775807",
        "1.5",
        "-2.5e-7",
        "1e300",
        "1.7976931348623157e308",
        "4.9e-324",
        "0.1",
        "1e25",
        "{}",
        "[]",
        "[[]]",
        "[{}]",
        "{\"a\":{}}",
        "{\"a\":[]}",
        "[[1,[2,[3]]],{\"a\":[{\"b\":[]}]}]",
        "[null,[null,{\"a\":null}]]",
        "{\"a\":{\"b\":{\"c\":{\"d\":[1,{\"e\":[2]}]}}}}",
        "[[[[\"x\\ny\\n\"]]]]",
        "[{\"a\":\"x\\ny\",\"b\":1},{\"a\":[\"p\\nq\\n\\n\"],\"b\":2}]",
        "{\"\":1,\" \":2,\"a b\":3,\"1\":4,\"yes\":5,\"a: b\":6,\"x\\ny\":7}",
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(trees); i++) {
        RD_AUTOJSON json_t *v = json_loads(trees[i], JSON_DECODE_ANY, NULL);
        assert_non_null(v);
        check(v);
    }
    RD_AUTOJSON json_t *deep = json_integer(1);
    for (int i = 0; i < 80; i++)
        deep = i % 2 ? json_pack("[o]", deep) : json_pack("{s:o}", "k", deep);
    check(deep);
    char key[3000];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    RD_AUTOJSON json_t *long_key = rd_json_pack("{s:[i], s:s}", key, 1, "a", key);
    check(long_key);
    key[500] = '\0';
    RD_AUTOJSON json_t *mid_key = rd_json_pack("[{s:{s:i}}]", key, "a", 1);
    check(mid_key);
}

static void looks_as_people_write_it(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *v =
        rd_json_pack("{s:s, s:{s:s, s:{}}, s:{s:[{s:s, s:[s, s]}], s:s, s:b, s:i}}", "kind", "Pod",
                     "metadata", "name", "x", "labels", "spec", "containers", "image", "r/i:1",
                     "args", "a", "yes", "script", "set -e\nls\n", "hostNetwork", 0, "grace", 30);
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(1 << 20);
    yaml_write(&out, v, "made by raydeploy");
    assert_string_equal(rd_buf_str(&out), "# made by raydeploy\n"
                                          "kind: Pod\n"
                                          "metadata:\n"
                                          "  name: x\n"
                                          "  labels: {}\n"
                                          "spec:\n"
                                          "  containers:\n"
                                          "  - image: r/i:1\n"
                                          "    args:\n"
                                          "    - a\n"
                                          "    - \"yes\"\n"
                                          "  script: |\n"
                                          "    set -e\n"
                                          "    ls\n"
                                          "  hostNetwork: false\n"
                                          "  grace: 30\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_come_back),
        cmocka_unit_test(trees_come_back),
        cmocka_unit_test(looks_as_people_write_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
