#include "base/test.h"

#include <stdio.h>

#include "ray/verify.h"

static struct rd_buf heard;

static void on_check(struct ray_verify_log *v, enum ray_check_word word, const char *name,
                     const char *detail)
{
    (void)v;
    rd_buf_printf(&heard, "[%d|%s|%s]", word, name, detail);
}

static void on_other(struct ray_verify_log *v, const char *line)
{
    (void)v;
    rd_buf_printf(&heard, "(%s)", line);
}

/* Lines are found however the bytes are split; the closing line counts only when it agrees. */
static void lines(void **state)
{
    (void)state;
    static const struct {
        const char *row, *text, *want;
        unsigned pass, fail, skip;
        bool summary;
    } rows[] = {
        {"all kinds",
         "hello\nPASS cpus: 2 of 2\nFAIL sum: 1 != 2: odd\r\nSKIP gpu: none\n"
         "RAYDEPLOY-VERIFY {\"pass\":1,\"fail\":1,\"skip\":1}\n",
         "(hello)[0|cpus|2 of 2][1|sum|1 != 2: odd][2|gpu|none]", 1, 1, 1, true},
        {"counts differ", "PASS a: b\nRAYDEPLOY-VERIFY {\"pass\":2,\"fail\":0,\"skip\":0}\n",
         "[0|a|b]", 1, 0, 0, false},
        {"nothing passed", "RAYDEPLOY-VERIFY {\"pass\":0,\"fail\":0,\"skip\":0}\n", "", 0, 0, 0,
         false},
        {"no closing line", "PASS a: b", "[0|a|b]", 1, 0, 0, false},
        {"broken closing line", "PASS a: b\nRAYDEPLOY-VERIFY {", "[0|a|b]", 1, 0, 0, false},
        {"not a check", "PASS\nPASSED a: b\nPASS two words: x\nPASS : y\nxPASS a: b\n",
         "(PASS)(PASSED a: b)(PASS two words: x)(PASS : y)(xPASS a: b)", 0, 0, 0, false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step < 60; step += 7) {
            struct ray_verify_log v;
            size_t len = strlen(rows[i].text);
            rd_buf_init(&heard, 4096);
            ray_verify_log_init(&v);
            v.on_check = on_check;
            v.on_other = on_other;
            for (size_t at = 0; at < len; at += step)
                ray_verify_log_feed(&v, rows[i].text + at, len - at < step ? len - at : step);
            ray_verify_log_end(&v);
            rd_check_str(rows[i].row, rd_buf_str(&heard), rows[i].want);
            rd_check_int(rows[i].row, v.pass, rows[i].pass);
            rd_check_int(rows[i].row, v.fail, rows[i].fail);
            rd_check_int(rows[i].row, v.skip, rows[i].skip);
            rd_check_int(rows[i].row, v.summary, rows[i].summary);
            ray_verify_log_clear(&v);
            rd_buf_clear(&heard);
        }
    }
}

/* A line without an end costs no memory. */
static void endless_line(void **state)
{
    (void)state;
    struct ray_verify_log v;
    char block[4096];
    memset(block, 'x', sizeof(block));
    ray_verify_log_init(&v);
    for (int i = 0; i < 1000; i++)
        ray_verify_log_feed(&v, block, sizeof(block));
    assert_true(v.line.len <= v.line.max);
    ray_verify_log_feed(&v, "\nPASS a: b\n", 11);
    rd_check_int("found after it", v.pass, 1);
    ray_verify_log_clear(&v);
}

/* The package is the program and the expectations, the same for the same expectations. */
static void package(void **state)
{
    (void)state;
    struct ray_verify_expect e = {.nodes = 2, .cpus = 2, .shared_path = "/mnt/x"};
    struct ray_package a, b, c;
    struct rd_err *err = NULL;
    assert_true(ray_verify_package("print(1)", 8, &e, &a, &err));
    assert_true(ray_verify_package("print(1)", 8, &e, &b, &err));
    e.nodes = 3;
    assert_true(ray_verify_package("print(1)", 8, &e, &c, &err));
    rd_check_str("same", a.name, b.name);
    assert_string_not_equal(a.name, c.name);
    rd_check_int("files", (long long)a.files, 2);
    ray_package_clear(&a);
    ray_package_clear(&b);
    ray_package_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(endless_line),
        cmocka_unit_test(package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
