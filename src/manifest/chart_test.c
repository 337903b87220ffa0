/* Charts: archives as they should be, and as they should not. */
#include "manifest/chart.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"
#include "manifest/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct item {
    const char *path;
    const char *text; /* a link's target */
    mode_t type;      /* 0: file */
};

static const char chart_yaml[] = "apiVersion: v2\nname: demo\nversion: 1.2.3\n";
static const char crd_yaml[] =
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    "metadata:\n  name: xs.demo.io\n";

/* Owned gzipped tar of the items, ended by a NULL path. */
static char *pack(const struct item *items, size_t *ret_len)
{
    size_t room = 1 << 20;
    char *out = rd_malloc(room);
    struct archive *a = archive_write_new();
    archive_write_add_filter_gzip(a);
    archive_write_set_format_pax_restricted(a);
    assert_int_equal(archive_write_open_memory(a, out, room, ret_len), ARCHIVE_OK);
    for (; items->path; items++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, items->path);
        archive_entry_set_perm(e, 0644);
        archive_entry_set_filetype(e, items->type ? items->type : AE_IFREG);
        if (items->type == AE_IFLNK)
            archive_entry_set_symlink(e, items->text);
        else if (!items->type)
            archive_entry_set_size(e, (la_int64_t)strlen(items->text));
        assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
        if (!items->type)
            archive_write_data(a, items->text, strlen(items->text));
        archive_entry_free(e);
    }
    archive_write_close(a);
    archive_write_free(a);
    return out;
}

/* "name version crds", or "error: ..."; owned. */
static char *summary(const char *data, size_t len)
{
    struct chart c;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!chart_read(data, len, "demo.tgz", &c, &err)) {
        assert_int_equal(err->kind, RD_ERR_INPUT);
        return rd_asprintf("error: %s", err->message);
    }
    char *got = rd_asprintf("%s %s %zu", c.name, c.version, c.crds.len);
    assert_int_equal(strlen(c.sha256), 64);
    chart_clear(&c);
    return got;
}

static char *summary_of(const struct item *items)
{
    size_t len;
    RD_AUTOFREE char *data = pack(items, &len);
    return summary(data, len);
}

static void a_chart_gives_its_crds(void **state)
{
    (void)state;
    static const struct item items[] = {
        {"demo/", "", AE_IFDIR},
        {"./demo/Chart.yaml", chart_yaml, 0},
        {"demo/values.yaml", "a: [\n", 0},
        {"demo/crds/", "", AE_IFDIR},
        {"demo/crds/x.yaml", crd_yaml, 0},
        {"demo/crds/README.md", "text", 0},
        {"demo/templates/a.yaml", "{{ x }}", 0},
        {"demo/charts/sub/crds/y.yaml", crd_yaml, 0},
        {NULL, NULL, 0},
    };
    size_t len;
    RD_AUTOFREE char *data = pack(items, &len);
    struct chart c;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!chart_read(data, len, "demo.tgz", &c, &err))
        fail_msg("%s", err->message);
    assert_string_equal(c.name, "demo");
    assert_string_equal(c.version, "1.2.3");
    assert_int_equal(c.crds.len, 1);
    assert_string_equal(c.crds.v[0].file, "demo.tgz/demo/crds/x.yaml");
    assert_int_equal(c.crds.v[0].line, 1);
    char want[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(data, len, want);
    assert_string_equal(c.sha256, want);
    chart_clear(&c);
}

static void what_is_no_chart_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct item items[4];
        const char *want;
    } cases[] = {
        {{{NULL, NULL, 0}}, "no Chart.yaml"},
        {{{"Chart.yaml", chart_yaml, 0}}, "no Chart.yaml"},
        {{{"d/Chart.yaml", "a: [\n", 0}}, "demo.tgz/d/Chart.yaml:2:1: "},
        {{{"d/Chart.yaml", "name: d\n", 0}}, "demo.tgz/d/Chart.yaml:1: no version"},
        {{{"d/Chart.yaml", "name: d\nversion: 1.2\n", 0}}, "d/Chart.yaml:1: no version"},
        {{{"d/Chart.yaml", "", 0}}, "d/Chart.yaml:1: no name"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"d/crds/x.yaml", "a:\n\tb\n", 0}},
         "demo.tgz/d/crds/x.yaml:2:1: "},
        {{{"d/Chart.yaml", chart_yaml, 0},
          {"d/crds/x.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", 0}},
         "d/crds/x.yaml:1: a Pod among the chart's CRDs"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"d/crds/x.yaml", "- x\n", 0}},
         "d/crds/x.yaml:1: not a Kubernetes object"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"../x", "x", 0}}, "'../x' leads out"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"d/../../x", "x", 0}}, "leads out"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"/etc/x", "x", 0}}, "'/etc/x' leads out"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"d\\..\\x", "x", 0}}, "leads out"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"d/x", "/etc/passwd", AE_IFLNK}}, "a symbolic link"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"d/x", "", AE_IFIFO}}, "neither a file nor a folder"},
        {{{"d/Chart.yaml", chart_yaml, 0}, {"d/x", "", AE_IFCHR}}, "neither a file nor a folder"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *got = summary_of(cases[i].items);
        if (!rd_starts_with(got, "error: demo.tgz") || !strstr(got, cases[i].want))
            fail_msg("got %s\n  want %s", got, cases[i].want);
    }
    static const char *const texts[] = {"", "x", "\x1f\x8b", "not an archive, but a text of length",
                                        "\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++) {
        RD_AUTOFREE char *got = summary(texts[i], i == 4 ? 20 : strlen(texts[i]));
        if (!rd_starts_with(got, "error: demo.tgz"))
            fail_msg("text %zu: %s", i, got);
    }
}

/* Every cut is noticed, and every flipped bit but those that fill the last byte before the trailer. */
static void damage_is_noticed(void **state)
{
    (void)state;
    static const struct item items[] = {
        {"d/Chart.yaml", chart_yaml, 0}, {"d/crds/x.yaml", crd_yaml, 0}, {NULL, NULL, 0}};
    size_t len;
    RD_AUTOFREE char *data = pack(items, &len);
    RD_AUTOFREE char *whole = summary(data, len);
    assert_string_equal(whole, "demo 1.2.3 1");
    for (size_t cut = 0; cut < len; cut++) {
        RD_AUTOFREE char *got = summary(data, cut);
        if (!rd_starts_with(got, "error: "))
            fail_msg("cut to %zu of %zu bytes: %s", cut, len, got);
    }
    unsigned noticed = 0;
    for (size_t i = 10; i < len; i++) { /* the ten before say when and where it was packed */
        data[i] ^= 0x10;
        RD_AUTOFREE char *got = summary(data, len);
        data[i] ^= 0x10;
        noticed += rd_starts_with(got, "error: ");
    }
    assert_in_range(noticed, len - 11, len - 10);
}

static void bombs_do_not_go_off(void **state)
{
    (void)state;
    size_t size = 8 << 20;
    RD_AUTOFREE char *zeros = rd_malloc(size + 1);
    memset(zeros, ' ', size);
    zeros[size] = '\0';
    struct item items[] = {{"d/big", zeros, 0}, {NULL, NULL, 0}};
    size_t len;
    RD_AUTOFREE char *data = pack(items, &len);
    assert_true(len < 100000);
    struct archive_limits limits = {.bytes_max = 1 << 20, .files_max = 10};
    struct archive_files files;
    RD_AUTOERR struct rd_err *err = NULL;
    assert_false(archive_read_tgz(data, len, "bomb.tgz", &limits, NULL, &files, &err));
    assert_string_equal(err->message, "bomb.tgz: unpacks to more than 1048576 bytes");
    rd_err_freep(&err);
    struct item many[12] = {{NULL, NULL, 0}};
    for (size_t i = 0; i < 11; i++)
        many[i] = (struct item){"d/x", "x", 0};
    many[11].path = NULL;
    RD_AUTOFREE char *more = pack(many, &len);
    assert_false(archive_read_tgz(more, len, "many.tgz", &limits, NULL, &files, &err));
    assert_string_equal(err->message, "many.tgz: more than 10 entries");
}

static void the_real_chart(void **state)
{
    (void)state;
    const char *shared = getenv("RAYDEPLOY_SHARED");
    RD_AUTOFREE char *path = rd_asprintf("%s/charts/kuberay-operator-1.7.0.tgz",
                                         shared ? shared : RD_SOURCE_DIR "/../shared");
    if (!rd_path_exists(path)) {
        print_message("SKIP: no %s\n", path);
        rd_freep(&path); /* skip() jumps past the cleanup */
        skip();
    }
    RD_AUTOBUF struct rd_buf data = RD_BUF_INIT(8 << 20);
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(rd_file_read(path, 8 << 20, &data, &err));
    struct chart c;
    if (!chart_read(rd_buf_str(&data), data.len, path, &c, &err))
        fail_msg("%s", err->message);
    assert_string_equal(c.name, "kuberay-operator");
    assert_string_equal(c.version, "1.7.0");
    static const char *const names[] = {"rayclusters.ray.io", "raycronjobs.ray.io",
                                        "rayjobs.ray.io", "rayservices.ray.io"};
    assert_int_equal(c.crds.len, RD_ARRAY_LEN(names));
    for (size_t i = 0; i < c.crds.len; i++)
        assert_string_equal(rd_json_str(c.crds.v[i].json, "metadata", "name", NULL), names[i]);
    chart_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chart_gives_its_crds), cmocka_unit_test(what_is_no_chart_is_refused),
        cmocka_unit_test(damage_is_noticed),      cmocka_unit_test(bombs_do_not_go_off),
        cmocka_unit_test(the_real_chart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
