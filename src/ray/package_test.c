#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/alloc.h"
#include "base/file.h"
#include "ray/package.h"

static void add(struct ray_packer *p, const char *name, const char *text)
{
    struct rd_err *err = NULL;
    if (!ray_packer_add(p, name, text, strlen(text), false, &err))
        fail_msg("%s: %s", name, err->message);
}

static void finish(struct ray_packer *p, struct ray_package *ret)
{
    struct rd_err *err = NULL;
    if (!ray_packer_finish(p, ret, &err))
        fail_msg("%s", err->message);
    ray_packer_free(p);
}

/* The order of adding does not matter; one changed byte, name or mode does. */
static void same_content_same_bytes(void **state)
{
    (void)state;
    static const char *const text[] = {"one", "two", "three"};
    static const char *const name[] = {"a.py", "b/c.txt", "\xc3\xa4.txt"};
    struct ray_package first = {0};
    for (int turn = 0; turn < 3; turn++) {
        struct ray_packer *p = ray_packer_new();
        struct ray_package again = {0};
        for (int i = 0; i < 3; i++)
            add(p, name[(i + turn) % 3], text[(i + turn) % 3]);
        finish(p, turn == 0 ? &first : &again);
        if (turn > 0) {
            rd_check_str("name", again.name, first.name);
            rd_check_int("length", (long long)again.zip.len, (long long)first.zip.len);
            assert_memory_equal(again.zip.data, first.zip.data, first.zip.len);
        }
        ray_package_clear(&again);
    }
    rd_check_int("name length", (long long)strlen(first.name), 9 + 32 + 4);
    RD_AUTOFREE char *uri = ray_package_uri(&first);
    rd_check_int("uri", strncmp(uri, "gcs://_ray_pkg_", 15), 0);

    static const struct {
        const char *row, *name, *text;
        bool executable;
    } others[] = {{"content", "a.py", "onE", false},
                  {"name", "A.py", "one", false},
                  {"mode", "a.py", "one", true},
                  {"moved border", "a.pyo", "ne", false}};
    for (size_t i = 0; i < RD_ARRAY_LEN(others); i++) {
        struct ray_packer *p = ray_packer_new();
        struct ray_package other = {0};
        struct rd_err *err = NULL;
        assert_true(ray_packer_add(p, others[i].name, others[i].text, strlen(others[i].text),
                                   others[i].executable, &err));
        add(p, name[1], text[1]);
        add(p, name[2], text[2]);
        finish(p, &other);
        if (strcmp(other.name, first.name) == 0)
            fail_msg("%s: both are %s", others[i].row, other.name);
        ray_package_clear(&other);
    }
    ray_package_clear(&first);
}

/* A zip reader finds the files at the top, sorted, with their contents and modes. */
static void readable(void **state)
{
    (void)state;
    struct ray_packer *p = ray_packer_new();
    struct ray_package pkg = {0};
    struct rd_err *err = NULL;
    add(p, "z.txt", "last");
    add(p, "empty", "");
    assert_true(ray_packer_add(p, "bin/run", "#!/bin/sh\n", 10, true, &err));
    finish(p, &pkg);

    static const struct {
        const char *name, *text;
        int mode;
    } want[] = {{"bin/run", "#!/bin/sh\n", 0755}, {"empty", "", 0644}, {"z.txt", "last", 0644}};
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    archive_read_support_format_zip_seekable(a);
    rd_check_int("open", archive_read_open_memory(a, pkg.zip.data, pkg.zip.len), ARCHIVE_OK);
    for (size_t i = 0; i < RD_ARRAY_LEN(want); i++) {
        char data[64] = {0};
        rd_check_int(want[i].name, archive_read_next_header(a, &e), ARCHIVE_OK);
        rd_check_str("name", archive_entry_pathname(e), want[i].name);
        rd_check_int(want[i].name, archive_entry_perm(e), want[i].mode);
        rd_check_int(want[i].name, archive_read_data(a, data, sizeof(data) - 1),
                     (long long)strlen(want[i].text));
        rd_check_str(want[i].name, data, want[i].text);
    }
    rd_check_int("end", archive_read_next_header(a, &e), ARCHIVE_EOF);
    archive_read_free(a);
    ray_package_clear(&pkg);
}

/* Names that would leave the folder, or that two systems read differently, are refused. */
static void bad_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "/etc/passwd", "../x", "a/../x", "a//b",    "a/",
                                      "./a", ".",           "a\\b", "a\nb",   "\xff.txt"};
    struct ray_packer *p = ray_packer_new();
    struct ray_package pkg = {0};
    for (size_t i = 0; i < RD_ARRAY_LEN(bad); i++) {
        struct rd_err *err = NULL;
        if (ray_packer_add(p, bad[i], "x", 1, false, &err))
            fail_msg("'%s' was taken", bad[i]);
        rd_check_err(bad[i], &err, RD_ERR_INPUT, "cannot go into a package");
    }
    struct rd_err *err = NULL;
    add(p, "twice", "1");
    add(p, "twice", "2");
    assert_false(ray_packer_finish(p, &pkg, &err));
    rd_check_err("twice", &err, RD_ERR_INPUT, "twice");
    ray_packer_free(p);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    struct rd_err *err = NULL;
    RD_AUTOFREE char *path = rd_path_join(dir, name);
    if (!rd_file_write_atomic(path, text, strlen(text), 0644, &err))
        fail_msg("%s", err->message);
}

static bool skip_pyc(void *ctx, const char *name, bool is_dir)
{
    (void)ctx;
    return rd_ends_with(name, ".pyc") || (is_dir && rd_streq(name, "sub/cache"));
}

/* A folder: what skip leaves out stays out, links inside count as files, links outside are refused.
 */
static void folders(void **state)
{
    (void)state;
    char dir[] = "/tmp/raydeploy-package-XXXXXX";
    struct rd_err *err = NULL;
    struct ray_package pkg = {0}, same = {0};
    assert_non_null(mkdtemp(dir));
    RD_AUTOFREE char *sub = rd_path_join(dir, "sub/cache");
    assert_true(rd_dir_make(sub, &err));
    write_file(dir, "main.py", "print(1)");
    write_file(dir, "main.pyc", "x");
    write_file(dir, "sub/data", "d");
    write_file(dir, "sub/cache/big", "b");
    RD_AUTOFREE char *link = rd_path_join(dir, "link");
    assert_int_equal(symlink("sub/data", link), 0);

    struct ray_packer *p = ray_packer_new();
    if (!ray_packer_add_dir(p, dir, skip_pyc, NULL, &err))
        fail_msg("%s", err->message);
    finish(p, &pkg);
    rd_check_int("files", (long long)pkg.files, 3);
    p = ray_packer_new();
    add(p, "main.py", "print(1)");
    add(p, "sub/data", "d");
    add(p, "link", "d");
    finish(p, &same);
    rd_check_str("as if added by hand", pkg.name, same.name);

    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    p = ray_packer_new();
    assert_false(ray_packer_add_dir(p, dir, skip_pyc, NULL, &err));
    rd_check_err("outside", &err, RD_ERR_INPUT, "link link leaves the folder");
    ray_packer_free(p);
    p = ray_packer_new();
    assert_false(ray_packer_add_dir(p, "/nonexistent-folder", NULL, NULL, &err));
    rd_check_err("absent", &err, RD_ERR_INPUT, "cannot read folder");
    ray_packer_free(p);
    ray_package_clear(&pkg);
    ray_package_clear(&same);

    static const char *const made[] = {"link", "sub/cache/big", "sub/data", "main.pyc", "main.py"};
    for (size_t i = 0; i < RD_ARRAY_LEN(made); i++) {
        RD_AUTOFREE char *path = rd_path_join(dir, made[i]);
        assert_int_equal(unlink(path), 0);
    }
    RD_AUTOFREE char *parent = rd_path_join(dir, "sub");
    assert_int_equal(rmdir(sub) + rmdir(parent) + rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_content_same_bytes),
        cmocka_unit_test(readable),
        cmocka_unit_test(bad_names),
        cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
