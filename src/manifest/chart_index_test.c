/* Finding a chart in a repository index, and resolving its URL. */
#include "base/alloc.h"
#include "base/text.h"
#include "manifest/chart.h"
#include "manifest/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX_UPPER "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"

static const char index_text[] = "apiVersion: v1\n"
                                 "entries:\n"
                                 "  demo:\n"
                                 "  - version: 1.7.0\n"
                                 "    digest: " HEX "\n"
                                 "    urls: [https://x.org/d/demo-1.7.0.tgz, http://other/]\n"
                                 "  - version: v1.6.0\n"
                                 "    digest: sha256:" HEX_UPPER "\n"
                                 "    urls:\n"
                                 "    - charts/demo-1.6.0.tgz\n"
                                 "  - {version: 1.5.0, urls: [/abs.tgz]}\n"
                                 "  - {version: 1.4.0, urls: []}\n"
                                 "  - {version: 1.3.0, urls: ['oci://x/y']}\n"
                                 "  - {version: 1.2.0, urls: [a.tgz], digest: md5}\n"
                                 "  - {version: 1.1}\n"
                                 "  empty: []\n"
                                 "  odd: {a: 1}\n";

/* "URL DIGEST" or "error: ..."; owned. */
static char *find(const char *text, const char *name, const char *version)
{
    RD_AUTOFREE char *url = NULL;
    RD_AUTOFREE char *digest = NULL;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!chart_index_find(text, strlen(text), "https://h.org/charts/index.yaml", name, version,
                          &url, &digest, &err)) {
        assert_int_equal(err->kind, RD_ERR_INPUT);
        assert_null(url);
        return rd_asprintf("error: %s|%s", err->message, err->hint ? err->hint : "");
    }
    return rd_asprintf("%s %s", url, digest ? digest : "-");
}

static void charts_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *name, *version, *want;
    } cases[] = {
        {"demo", "1.7.0", "https://x.org/d/demo-1.7.0.tgz " HEX},
        {"demo", "v1.7.0", "https://x.org/d/demo-1.7.0.tgz " HEX},
        {"demo", "1.6.0", "https://h.org/charts/charts/demo-1.6.0.tgz " HEX},
        {"demo", "1.5.0", "https://h.org/abs.tgz -"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *got = find(index_text, cases[i].name, cases[i].version);
        assert_string_equal(got, cases[i].want);
    }
}

static void misses_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *version, *want;
    } cases[] = {
        {index_text, "other", "1", "no chart named other in this index"},
        {index_text, "odd", "1", "no chart named odd in this index"},
        {index_text, "empty", "1", "no version 1 of chart empty"},
        {index_text, "demo", "9.9.9",
         "no version 9.9.9 of chart demo|The newest there are 1.7.0, v1.6.0, 1.5.0"},
        {index_text, "demo", "1.4.0", "has no http or https URL"},
        {index_text, "demo", "1.3.0", "has no http or https URL"},
        {index_text, "demo", "1.2.0", "is not SHA-256"},
        {"", "demo", "1", "no chart named demo"},
        {"entries: [\n", "demo", "1", "index.yaml:2:1: "},
        {"<html>\n<p>a: b: c\n", "demo", "1", "index.yaml:2:"},
        {"\x1f\x8b\x08", "demo", "1", "index.yaml:1:1: not UTF-8 text"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *got = find(cases[i].text, cases[i].name, cases[i].version);
        if (!rd_starts_with(got, "error: https://h.org/charts/index.yaml") ||
            !strstr(got, cases[i].want))
            fail_msg("got %s\n  want %s", got, cases[i].want);
    }
}

static void references_are_resolved(void **state)
{
    (void)state;
    static const struct {
        const char *base, *ref, *want;
    } cases[] = {
        {"https://h/a/index.yaml", "b.tgz", "https://h/a/b.tgz"},
        {"https://h/a/index.yaml", "./b.tgz", "https://h/a/b.tgz"},
        {"https://h/a/index.yaml", "../b.tgz", "https://h/b.tgz"},
        {"https://h/a/index.yaml", "../../../b.tgz", "https://h/b.tgz"},
        {"https://h/a/index.yaml", "/x/../b.tgz", "https://h/b.tgz"},
        {"https://h/a/index.yaml", "c/./d/../b.tgz?q=../r", "https://h/a/c/b.tgz?q=../r"},
        {"https://h/a/index.yaml?tok=1/2", "b.tgz", "https://h/a/b.tgz"},
        {"https://h", "b.tgz", "https://h/b.tgz"},
        {"https://h?q", "b.tgz", "https://h/b.tgz"},
        {"https://h:8443/i", "b.tgz", "https://h:8443/b.tgz"},
        {"https://h/i", "//o/b.tgz", "https://o/b.tgz"},
        {"https://h/i", "http://o/b.tgz", "http://o/b.tgz"},
        {"https://h/i", "HTTPS://o/b.tgz", "HTTPS://o/b.tgz"},
        {"https://h/i", "a/..", "https://h/"},
        {"https://h/i", "", NULL},
        {"https://h/i", "file:///etc/passwd", NULL},
        {"https://h/i", "https:b.tgz", NULL},
        {"https://h/i", "https:///b.tgz", NULL},
        {"https://h/i", "a b", NULL},
        {"https://h/i", "a\r\nHost: x", NULL},
        {"/local/index.yaml", "b.tgz", NULL},
        {"https://h/a b/index.yaml", "b.tgz", NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *got = url_resolve(cases[i].base, cases[i].ref);
        if (!rd_streq(got, cases[i].want))
            fail_msg("%s + %s: got %s, want %s", cases[i].base, cases[i].ref, got ? got : "NULL",
                     cases[i].want ? cases[i].want : "NULL");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charts_are_found),
        cmocka_unit_test(misses_are_explained),
        cmocka_unit_test(references_are_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
