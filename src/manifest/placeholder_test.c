/* The types no template uses yet, and the cutting of texts. */
#include "manifest/placeholder.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(enum placeholder_type type, const char *text, bool good)
{
    RD_AUTOJSON json_t *v = json_string(text);
    const char *want = placeholder_check(type, v);
    if (good && want)
        fail_msg("'%s' was refused: not %s", text, want);
    if (!good && !want)
        fail_msg("'%s' was taken", text);
}

static void texts_of_each_type(void **state)
{
    (void)state;
    static const struct {
        enum placeholder_type type;
        const char *good[6], *bad[8];
    } cases[] = {
        {PH_PROJECT_ID,
         {"my-project-1", "abcdef", "example.com:my-project"},
         {"short", "1abcdef", "abcdef-", "Abcdef", "a234567890123456789012345678901", "",
          "x y z a b"}},
        {PH_CIDR,
         {"10.0.0.0/16", "0.0.0.0/0", "192.168.1.1/32", "fd00::/8", "::/0"},
         {"10.0.0.1/16", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/016", "10.0.0/8", "fd00::1/64", "/8",
          "10.0.0.0/"}},
        {PH_EMAIL,
         {"a@b.c", "ray-workload@p-1.iam.gserviceaccount.com"},
         {"a", "@b.c", "a@", "a b@c.d", "a@b_c", "a@b.c\n"}},
        {PH_URL,
         {"https://x", "gs://bucket/prefix", "http://127.0.0.1:8265/a?b=c#d"},
         {"x", "://x", "https://", "https://a b", "HTTPS://x", "https://\x01"}},
        {PH_BOOL, {NULL}, {"true"}},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        for (size_t k = 0; k < RD_ARRAY_LEN(cases[i].good) && cases[i].good[k]; k++)
            check(cases[i].type, cases[i].good[k], true);
        for (size_t k = 0; k < RD_ARRAY_LEN(cases[i].bad) && cases[i].bad[k]; k++)
            check(cases[i].type, cases[i].bad[k], false);
    }
    for (int type = 0; type < PH_TYPE_MAX; type++)
        assert_non_null(placeholder_check((enum placeholder_type)type, json_null()));
    assert_null(placeholder_check(PH_BOOL, json_true()));
}

static void texts_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text, *parts; /* names in <>, pieces joined by | */
    } cases[] = {
        {"", ""},
        {"a", "a"},
        {"${a}", "<a>"},
        {"x${a}y", "x|<a>|y"},
        {"${a}${b}", "<a>|<b>"},
        {"$${a}", "${a}"},
        {"$$${a}", "$${a}"},
        {"$", "$"},
        {"$a", "$a"},
        {"a$", "a$"},
        {"${a_1}", "<a_1>"},
        {"${", NULL},
        {"${}", NULL},
        {"${A}", NULL},
        {"${a b}", NULL},
        {"${1}", NULL},
        {"${a", NULL},
        {"x${a:-b}", NULL},
        {"${${a}}", NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        struct placeholder_text t;
        const char *problem = placeholder_split(cases[i].text, &t);
        if (!cases[i].parts) {
            if (!problem)
                fail_msg("'%s' was taken", cases[i].text);
            assert_int_equal(t.len, 0);
            continue;
        }
        assert_null(problem);
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(1000);
        for (size_t k = 0; k < t.len; k++)
            rd_buf_printf(&b, t.v[k].is_name ? "%s<%s>" : "%s%s", k ? "|" : "", t.v[k].text);
        assert_string_equal(rd_buf_str(&b), cases[i].parts);
        placeholder_text_clear(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_each_type),
        cmocka_unit_test(texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
