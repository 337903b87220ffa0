#include "fault.h"

#include <stdio.h>

#include "base/test.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        size_t count;
        const char *error; /* NULL: fine */
    } rows[] = {
        {"POST /v1/*/clusters:503", 1, NULL},
        {"POST /v1/projects/*:setIamPolicy:429@0.2", 1, NULL},
        {"GET *:reset@3; * container/*:drop-reply@50%;", 2, NULL},
        {"GET *:delay=250ms@1\nGET *:half", 2, NULL},
        {"WRITE *:kill@3;AFTER-WRITE *:kill-answered@1;WRITE *:kill-unanswered", 3, NULL},
        {"", 0, NULL},
        {"GET", 0, "METHOD path-glob:effect"},
        {"GET /x", 0, "has no effect"},
        {"GET /x:explode", 0, "explode"},
        {"GET /x:200", 0, "200"},
        {"GET /x:503@0", 0, "@0"},
        {"GET /x:503@1.5", 0, "@1.5"},
        {"GET /x:503@-1", 0, "@-1"},
        {"GET /x:delay=fast", 0, "delay=fast"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct emu_faults f = {0};
        struct rd_err *err = NULL;
        bool ok = emu_faults_parse(&f, rows[i].spec, &err);
        if (rows[i].error != NULL) {
            rd_check_err(rows[i].spec, &err, RD_ERR_INPUT, rows[i].error);
        } else {
            rd_check_int(rows[i].spec, ok, true);
            rd_check_int(rows[i].spec, (long long)f.count, (long long)rows[i].count);
        }
        emu_faults_clear(&f);
    }
}

static void test_pick(void **state)
{
    (void)state;
    struct emu_faults f = {0};
    struct rd_err *err = NULL;
    assert_true(emu_faults_parse(
        &f, "GET /a/*:503@2; POST */policy:setIt:409; * file/v1/x:reset@0.5", &err));
    static const struct {
        const char *api, *method, *path;
        double random;
        enum emu_effect want;
    } rows[] = {
        {"x", "GET", "/a/b", 0, EMU_NONE},
        {"x", "PUT", "/a/b", 0, EMU_NONE},
        {"x", "GET", "/a/c", 0, EMU_STATUS},
        {"x", "GET", "/a/b", 0, EMU_NONE},
        {"x", "POST", "/v1/policy:setIt", 0, EMU_STATUS},
        /* The third rule sees the number moved on by twice the golden ratio: 0.236. */
        {"file", "GET", "/v1/x", 0.26, EMU_RESET},
        {"file", "GET", "/v1/x", 0.27, EMU_NONE},
        {"other", "GET", "/v1/x", 0, EMU_NONE},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct emu_fault got =
            emu_faults_pick(&f, rows[i].api, rows[i].method, rows[i].path, "", rows[i].random);
        char row[16];
        snprintf(row, sizeof(row), "row %zu", i);
        rd_check_int(row, got.effect, rows[i].want);
    }
    emu_faults_clear(&f);
}

static void test_writes(void **state)
{
    (void)state;
    struct emu_faults f = {0};
    struct rd_err *err = NULL;
    assert_true(emu_faults_parse(&f, "WRITE *:503@2;AFTER-WRITE *:429@2", &err));
    static const struct {
        const char *api, *method, *path, *query;
        enum emu_effect want;
    } rows[] = {
        {"oauth2", "POST", "/token", "", EMU_NONE},
        {"container", "GET", "/v1/x", "", EMU_NONE},
        {"container", "POST", "/v1/x", "", EMU_NONE}, /* write 1 */
        {"kube-a", "PATCH", "/api/v1/x", "dryRun=All&fieldManager=a", EMU_NONE},
        {"cloudresourcemanager", "POST", "/v1/projects/p:getIamPolicy", "", EMU_NONE},
        {"container", "GET", "/v1/x", "", EMU_NONE}, /* after-write 1 */
        {"container", "GET", "/v1/x", "", EMU_NONE},
        {"kube-a", "PATCH", "/api/v1/x", "fieldManager=a", EMU_STATUS}, /* write 2 */
        {"container", "DELETE", "/v1/x", "", EMU_NONE},
        {"container", "GET", "/v1/x", "", EMU_STATUS}, /* after-write 2 */
        {"container", "GET", "/v1/x", "", EMU_NONE},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct emu_fault got = emu_faults_pick(&f, rows[i].api, rows[i].method, rows[i].path,
                                               rows[i].query, 0);
        char row[16];
        snprintf(row, sizeof(row), "row %zu", i);
        rd_check_int(row, got.effect, rows[i].want);
    }
    emu_faults_clear(&f);
}

static void test_inside(void **state)
{
    (void)state;
    struct emu_faults f = {0};
    struct rd_err *err = NULL;
    assert_true(emu_faults_parse(&f, "* *:500", &err));
    assert_false(emu_faults_inside(&f));
    assert_int_equal(emu_faults_pick_inside(&f, "file", "GET", "/v1/x", 0).effect, EMU_NONE);
    assert_true(emu_faults_parse(&f, "INSIDE file/*:op-fail@2", &err));
    assert_true(emu_faults_inside(&f));
    assert_int_equal(emu_faults_pick(&f, "file", "POST", "/v1/x", "", 0).effect, EMU_STATUS);
    assert_int_equal(emu_faults_pick_inside(&f, "compute", "GET", "/v1/x", 0).effect, EMU_NONE);
    assert_int_equal(emu_faults_pick_inside(&f, "file", "GET", "/v1/x", 0).effect, EMU_NONE);
    assert_int_equal(emu_faults_pick_inside(&f, "file", "GET", "/v1/x", 0).effect, EMU_OP_FAIL);
    assert_true(emu_faults_parse(&f, "INSIDE-DELETE compute/*:500", &err));
    assert_int_equal(emu_faults_pick_inside(&f, "compute", "GET", "/v1/x", 0).effect, EMU_NONE);
    assert_int_equal(emu_faults_pick_inside(&f, "compute", "DELETE", "/v1/x", 0).effect, EMU_STATUS);
    emu_faults_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_pick),
                                       cmocka_unit_test(test_writes),
                                       cmocka_unit_test(test_inside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
