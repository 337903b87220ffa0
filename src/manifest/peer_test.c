/* Our foreign mode against the answers of the library that kubectl reads manifests with: every line
 * of tests/yaml/table.jsonl, which tests/yaml/main.go wrote. */
#include "base/alloc.h"
#include "base/file.h"
#include "manifest/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char slash[] = "an escape of YAML 1.2 that libyaml 0.2 knows";
static const char colon[] =
    "libyaml 0.2 wants quotes about a text of a flow list that ends in a colon";
static const char dropped[] = "they ignore what follows the root of a document";

/* Where we differ, and why we leave it so. */
static const struct {
    const char *text;
    const char *why;
} differences[] = {
    {"v: \"\\/\"\n", slash},
    {"- \"\\/\"\n", slash},
    {"[a, \"\\/\" ]\n", slash},
    {"\"\\/\": v\n", slash},
    {"[a, a? ]\n", "libyaml 0.2 takes a ? inside a plain scalar of a flow list"},
    {"[a:]\n", colon},
    {"a: [x:]\n", colon},
    {"a: [x:, y]\n", colon},
    {"{a: [b:]}\n", colon},
    {"a: {b: c:}\n", colon},
    {"a: [--x:]\n", colon},
    {"  a: 1\nb: 2\n", dropped},
    {"a: 1\n...\nb: 2\n", dropped},
    {"[]: v\n", dropped},
    {"{? a : b}: v\n", dropped},
    {"[a, a] ]\n", dropped},
    {"[a, ] ]\n", dropped},
    {"---\n\xef\xbb\xbf"
     "a: 1\n",
     "they make a byte order mark inside a document part of a key"},
    {"{\"a\": 1} x", "they refuse it for being shorter than four bytes; it is no object to us"},
    {NULL, NULL},
};

static const char *difference(const char *text)
{
    for (size_t i = 0; differences[i].text; i++) {
        if (strcmp(differences[i].text, text) == 0)
            return differences[i].why;
    }
    return NULL;
}

/* The documents as one array, or NULL when they are refused. */
static json_t *read_all(const char *text, size_t len, char **ret_message)
{
    struct yaml_stream s;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!yaml_read(text, len, "case", YAML_FOREIGN, NULL, false, &s, &err)) {
        assert_int_equal(err->kind, RD_ERR_INPUT);
        *ret_message = rd_strdup(err->message);
        return NULL;
    }
    json_t *all = json_array();
    for (size_t i = 0; i < s.len; i++)
        json_array_append(all, s.docs[i].root);
    yaml_stream_clear(&s);
    return all;
}

static bool check_line(const char *line, size_t len)
{
    json_error_t error;
    RD_AUTOJSON json_t *entry = json_loadb(line, len, JSON_ALLOW_NUL, &error);
    if (!entry)
        fail_msg("%.*s: %s", (int)len, line, error.text);
    const json_t *in = json_object_get(entry, "in");
    RD_AUTOJSON json_t *want = NULL;
    if (!json_is_true(json_object_get(entry, "error"))) {
        want = json_incref(json_object_get(entry, "out"));
        if (!want)
            want = json_array();
    }
    RD_AUTOFREE char *message = NULL;
    RD_AUTOJSON json_t *got = read_all(json_string_value(in), json_string_length(in), &message);
    bool same = got && want ? json_equal(got, want) : !got && !want;
    const char *why = difference(json_string_value(in));
    if (same == !why)
        return true;
    RD_AUTOFREE char *got_text = got ? rd_json_dump(got) : rd_asprintf("error: %s", message);
    RD_AUTOFREE char *want_text = want ? rd_json_dump(want) : rd_strdup("error");
    print_error("%.*s\n  ours:   %s\n  theirs: %s\n", (int)len, line, got_text, want_text);
    return false;
}

static void table_agrees(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(8 << 20);
    RD_AUTOERR struct rd_err *err = NULL;
    if (!rd_file_read(RD_SOURCE_DIR "/tests/yaml/table.jsonl", 8 << 20, &text, &err))
        fail_msg("%s", err->message);
    unsigned cases = 0;
    unsigned wrong = 0;
    for (const char *p = rd_buf_str(&text); *p;) {
        size_t len = strcspn(p, "\n");
        if (len > 0) {
            cases++;
            wrong += !check_line(p, len);
        }
        p += len + (p[len] == '\n');
    }
    print_message("%u texts compared, %u surprises, %zu known differences\n", cases, wrong,
                  RD_ARRAY_LEN(differences) - 1);
    assert_true(cases > 1500);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table_agrees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
