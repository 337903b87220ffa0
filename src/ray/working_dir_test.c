/* Working directories as Ray's own client packs them: names and lists of files below were made by it. */
#include "base/test.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "ray/working_dir.h"

static char root[] = "/tmp/raydeploy-wd-XXXXXX";

static void put(const char *name, const char *text)
{
    struct rd_err *err = NULL;
    RD_AUTOFREE char *path = rd_path_join(root, name);
    RD_AUTOFREE char *dir = rd_path_dir(path);
    if (!rd_dir_make(dir, &err) || !rd_file_write_atomic(path, text, strlen(text), 0644, &err))
        fail_msg("%s: %s", name, err->message);
}

static int make(void **state)
{
    (void)state;
    struct rd_err *err = NULL;
    setlocale(LC_ALL, "C.UTF-8"); /* for the reader of the archives */
    if (!mkdtemp(root))
        return -1;
    put("main.py", "print(1)\n");
    put("pkg/__init__.py", "x = 2\n");
    put("pkg/a.pyc", "junk");
    put("pkg/deep/d.txt", "data\n");
    put("pkg/deep/.rayignore", "d.txt\n");
    put("build/o.bin", "o");
    put(".gitignore", "*.pyc\nbuild/\n");
    put(".git/HEAD", "ref");
    put("all/.gitignore", "*\n!keep\n");
    put("all/keep", "k");
    put("venv/x", "v");
    put("uml\303\244ut.txt", "\303\244\n");
    put("excluded.log", "e");
    put("run.sh", "#!/bin/sh\n");
    RD_AUTOFREE char *run = rd_path_join(root, "run.sh"), *sub = rd_path_join(root, "all/sub");
    RD_AUTOFREE char *link = rd_path_join(root, "link.py"), *broken = rd_path_join(root, "broken");
    RD_AUTOFREE char *empty = rd_path_join(root, "empty");
    if (!rd_dir_make(sub, &err) || !rd_dir_make(empty, &err))
        fail_msg("%s", err->message);
    return chmod(run, 0755) || symlink("main.py", link) || symlink("nowhere", broken);
}

static int drop(void **state)
{
    (void)state;
    RD_AUTOFREE char *command = rd_asprintf("rm -rf %s", root);
    return system(command);
}

static void pack(const struct ray_working_dir *w, struct ray_package *ret)
{
    struct rd_err *err = NULL;
    *ret = (struct ray_package){0};
    if (!ray_working_dir_pack(w, ret, &err))
        fail_msg("%s", err->message);
}

/* "name:mode" of each entry, in order. */
static void list(const struct ray_package *p, struct rd_buf *out)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    archive_read_support_format_zip(a);
    assert_int_equal(archive_read_open_memory(a, p->zip.data, p->zip.len), ARCHIVE_OK);
    while (archive_read_next_header(a, &e) != ARCHIVE_EOF)
        rd_buf_printf(out, "%s%s", out->len ? " " : "", archive_entry_pathname(e));
    archive_read_free(a);
}

static void as_rays_client(void **state)
{
    (void)state;
    static const struct {
        bool defaults, log, no_gitignore;
        const char *name, *files;
    } rows[] = {
        {false, false, false, "_ray_pkg_e45cf56676f4202f.zip",
         ".git/HEAD .gitignore empty/ excluded.log link.py main.py pkg/__init__.py "
         "pkg/deep/.rayignore run.sh uml\303\244ut.txt venv/x"},
        {false, false, true, "_ray_pkg_94369ede65581eb9.zip",
         ".git/HEAD .gitignore all/.gitignore all/keep all/sub/ build/o.bin empty/ excluded.log "
         "link.py main.py pkg/__init__.py pkg/a.pyc pkg/deep/.rayignore run.sh uml\303\244ut.txt "
         "venv/x"},
        {true, false, false, "_ray_pkg_3379fdff4dfc6905.zip",
         ".gitignore empty/ excluded.log link.py main.py pkg/__init__.py pkg/deep/.rayignore run.sh "
         "uml\303\244ut.txt"},
        {true, true, false, "_ray_pkg_e21705de3181cc4d.zip",
         ".gitignore empty/ link.py main.py pkg/__init__.py pkg/deep/.rayignore run.sh "
         "uml\303\244ut.txt"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct rd_strv excludes = {NULL, 0};
        if (rows[i].defaults)
            ray_default_excludes(&excludes, NULL);
        if (rows[i].log)
            rd_strv_add(&excludes, "*.log");
        struct ray_working_dir w = {
            .dir = root, .excludes = &excludes, .no_gitignore = rows[i].no_gitignore};
        struct ray_package p;
        pack(&w, &p);
        RD_AUTOBUF struct rd_buf files = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        list(&p, &files);
        rd_check_str("files", rd_buf_str(&files), rows[i].files);
        rd_check_str("name", p.name, rows[i].name);
        ray_package_clear(&p);
        rd_strv_clear(&excludes);
    }
}

static void content_names_it(void **state)
{
    (void)state;
    struct ray_working_dir w = {.dir = root};
    struct ray_package before, after, again;
    pack(&w, &before);
    put("main.py", "print(2)\n");
    pack(&w, &after);
    put("main.py", "print(1)\n");
    pack(&w, &again);
    assert_string_not_equal(before.name, after.name);
    rd_check_str("name", again.name, before.name);
    ray_package_clear(&before);
    ray_package_clear(&after);
    ray_package_clear(&again);
}

static void too_large_names_the_largest(void **state)
{
    (void)state;
    struct rd_err *err = NULL;
    struct ray_package p;
    struct ray_working_dir w = {.dir = root, .size_max = 20};
    assert_false(ray_working_dir_pack(&w, &p, &err));
    rd_check_int("kind", err->kind, RD_ERR_INPUT);
    assert_non_null(strstr(err->message, "the largest files: .gitignore (0.0 MiB), run.sh"));
    assert_non_null(err->hint);
    rd_err_free(err);
}

static void refusals(void **state)
{
    (void)state;
    struct rd_err *err = NULL;
    struct ray_package p;
    RD_AUTOFREE char *file = rd_path_join(root, "main.py"), *loop = rd_path_join(root, "pkg/loop");
    struct ray_working_dir w = {.dir = "/nonexistent"};
    assert_false(ray_working_dir_pack(&w, &p, &err));
    rd_err_freep(&err);
    w.dir = file;
    assert_false(ray_working_dir_pack(&w, &p, &err));
    assert_non_null(strstr(err->message, "is not a folder"));
    rd_err_freep(&err);
    assert_int_equal(symlink("..", loop), 0);
    w.dir = root;
    assert_false(ray_working_dir_pack(&w, &p, &err));
    assert_non_null(strstr(err->message, "link pkg/loop leads back into itself"));
    rd_err_freep(&err);
    unlink(loop);
    assert_false(ray_working_dir_zip(file, &p, &err));
    rd_err_freep(&err);
}

static void words(void **state)
{
    (void)state;
    struct rd_strv v = {NULL, 0};
    ray_default_excludes(&v, " a , ,b");
    rd_check_int("excludes", (long long)v.len, 2);
    rd_check_str("first", v.v[0], "a");
    rd_strv_clear(&v);
    ray_default_excludes(&v, "");
    rd_check_int("none", (long long)v.len, 0);
    rd_strv_clear(&v);
    assert_true(ray_is_package_uri("gcs://_ray_pkg_1.zip"));
    assert_true(ray_is_package_uri("https://x/y.zip"));
    assert_false(ray_is_package_uri("./here"));
    assert_false(ray_is_package_uri("ftp://x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_rays_client),
        cmocka_unit_test(content_names_it),
        cmocka_unit_test(too_large_names_the_largest),
        cmocka_unit_test(refusals),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
