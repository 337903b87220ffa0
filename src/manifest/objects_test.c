/* Manifests as objects with their origin. */
#include "base/alloc.h"
#include "base/file.h"
#include "manifest/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *folder; /* of this test's files; made anew for each test */

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    folder = rd_asprintf("%s/raydeploy-objects-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    RD_AUTOFREE char *command = rd_asprintf("rm -r '%s'", folder);
    int status = system(command);
    rd_freep(&folder);
    return status;
}

static char *put(const char *name, const char *text)
{
    char *path = rd_path_join(folder, name);
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(rd_file_write_atomic(path, text, strlen(text), 0600, &err));
    return path;
}

static char *load(const char *path)
{
    struct manifest_list l = {0};
    RD_AUTOERR struct rd_err *err = NULL;
    struct rd_buf b = RD_BUF_INIT(1 << 16);
    if (!manifest_load(&l, path, &err)) {
        assert_int_equal(err->kind, RD_ERR_INPUT);
        rd_buf_printf(&b, "error: %s", err->message);
    }
    for (size_t i = 0; !err && i < l.len; i++) {
        RD_AUTOFREE char *title = manifest_object_title(l.v[i].json);
        rd_buf_printf(&b, "%s%s:%s:%d", i ? " " : "", title, strrchr(l.v[i].file, '/') + 1,
                      l.v[i].line);
    }
    manifest_list_clear(&l);
    return rd_buf_take(&b, NULL);
}

static void objects_have_an_origin(void **state)
{
    (void)state;
    RD_AUTOFREE char *path = put(
        "a.yaml", "# c\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n---\n---\n"
                  "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: ns}\n");
    RD_AUTOFREE char *got = load(path);
    assert_string_equal(got, "Namespace/ns:a.yaml:2 Deployment/ns/d:a.yaml:7");
}

static void lists_are_flattened(void **state)
{
    (void)state;
    RD_AUTOFREE char *path =
        put("l.yaml",
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n"
            "  metadata: {name: s}\n- apiVersion: v1\n  kind: Service\n  metadata: {name: s}\n---\n"
            "apiVersion: ray.io/v1\nkind: RayClusterList\nitems:\n- metadata: {name: r}\n");
    RD_AUTOFREE char *got = load(path);
    assert_string_equal(got, "Secret/s:l.yaml:1 Service/s:l.yaml:1 RayCluster/r:l.yaml:11");
}

static void shapes_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a: 1\n", "t.yaml:1: the object has no apiVersion"},
        {"apiVersion: 1\n", "t.yaml:1: the object has no apiVersion that is text"},
        {"\napiVersion: v1\n", "t.yaml:2: the object has no kind"},
        {"apiVersion: v1\nkind: Pod\n", "t.yaml:1: Pod has no metadata.name"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {name: 5}\n",
         "t.yaml:1: Pod has no metadata.name that is text"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {name: y}\n",
         "t.yaml:1: Pod has no metadata.name that is text (true is none: quote it)"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {name: ''}\n",
         "t.yaml:1: Pod has no metadata.name that is text"},
        {"apiVersion: v1\nkind: Pod\nmetadata: x\n", "t.yaml:1: Pod has no metadata.name"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {generateName: x}\n",
         "t.yaml:1: Pod has metadata.generateName"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: 1}\n",
         "t.yaml:1: the metadata.namespace of Pod/x is not text"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {name: \"x\\0y\"}\n",
         "t.yaml:1: the metadata.name of Pod holds a control character"},
        {"apiVersion: v1\nkind: \"Po\\ed\"\nmetadata: {name: x}\n",
         "t.yaml:1: the kind of the object holds a control character"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: \"a\\nb\"}\n",
         "t.yaml:1: the metadata.namespace of Pod/"},
        {"- a\n", "t.yaml:1: not a Kubernetes object"},
        {"just text\n", "t.yaml:1: not a Kubernetes object"},
        {"kind: List\napiVersion: v1\nitems: [1]\n",
         "t.yaml:1: item 0 of the list is not an object"},
        {"kind: List\napiVersion: v1\nitems: [{kind: List, items: []}]\n",
         "t.yaml:1: item 0 of the list is a list itself"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n---\napiVersion: v2\nkind: Pod\n"
         "metadata: {name: x}\n",
         "Pod/x is given twice, first in "},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *path = put("t.yaml", cases[i].text);
        RD_AUTOFREE char *got = load(path);
        if (strncmp(got, "error: ", 7) != 0 || !strstr(got, cases[i].want))
            fail_msg("%s\n  got:  %s\n  want: %s", cases[i].text, got, cases[i].want);
    }
}

static void groups_tell_objects_apart(void **state)
{
    (void)state;
    RD_AUTOFREE char *path =
        put("g.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n---\n"
                      "apiVersion: serving.io/v1\nkind: Service\n"
                      "metadata: {name: x}\n---\n"
                      "apiVersion: v1\nkind: Service\n"
                      "metadata: {name: x, namespace: z}\n");
    RD_AUTOFREE char *got = load(path);
    assert_string_equal(got, "Service/x:g.yaml:1 Service/x:g.yaml:5 Service/z/x:g.yaml:9");
}

static void folders_are_sorted(void **state)
{
    (void)state;
    static const char *const names[] = {"b.yml", "a.yaml", "c.json", "d.txt", ".e.yaml"};
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        RD_AUTOFREE char *text = rd_asprintf(
            "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p%zu\"}}", i);
        RD_AUTOFREE char *path = put(names[i], text);
    }
    RD_AUTOFREE char *sub = rd_path_join(folder, "sub.yaml");
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(rd_dir_make(sub, &err));
    RD_AUTOFREE char *got = load(folder);
    assert_string_equal(got, "Pod/p1:a.yaml:1 Pod/p0:b.yml:1 Pod/p2:c.json:1");
}

static void links_stay_inside(void **state)
{
    (void)state;
    RD_AUTOFREE char *real = put("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n");
    RD_AUTOFREE char *sub = rd_path_join(folder, "sub");
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(rd_dir_make(sub, &err));
    RD_AUTOFREE char *inner = rd_path_join(folder, "sub/in.yaml");
    assert_int_equal(symlink("../a.yaml", inner), 0);
    RD_AUTOFREE char *out = load(sub);
    assert_non_null(strstr(out, "leads out of its folder"));
    assert_int_equal(unlink(inner), 0);
    RD_AUTOFREE char *gone = rd_path_join(folder, "sub/gone.yaml");
    assert_int_equal(symlink("nowhere", gone), 0);
    RD_AUTOFREE char *dangling = load(sub);
    assert_non_null(strstr(dangling, "cannot read"));
    assert_int_equal(unlink(gone), 0);
    RD_AUTOFREE char *good = put("sub/x.txt", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n");
    assert_int_equal(symlink("x.txt", inner), 0);
    RD_AUTOFREE char *in = load(sub);
    assert_string_equal(in, "Pod/x:in.yaml:1");
}

static void nothing_is_an_error_of_its_own(void **state)
{
    (void)state;
    struct manifest_list l = {0};
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOFREE char *path = put("empty.yaml", "# nothing\n---\n");
    assert_true(manifest_load(&l, path, &err));
    assert_false(manifest_require(&l, path, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    assert_non_null(strstr(err->message, "no objects in "));
    rd_err_freep(&err);
    RD_AUTOFREE char *missing = rd_path_join(folder, "none.yaml");
    assert_false(manifest_load(&l, missing, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    rd_err_freep(&err);
    RD_AUTOFREE char *fifo_like = rd_path_join(folder, "none/none.yaml");
    assert_false(manifest_load(&l, fifo_like, &err));
    manifest_list_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_have_an_origin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_are_flattened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shapes_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_tell_objects_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_are_sorted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_stay_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_an_error_of_its_own, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
