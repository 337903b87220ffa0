/* Templates: what is replaced, what is refused, and which file is read. */
#include "base/alloc.h"
#include "base/file.h"
#include "manifest/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_OF(text) (const unsigned char *)(text), sizeof(text) - 1

static const struct rd_embedded table[] = {
    {"workloads/space.yaml", FILE_OF("apiVersion: v1\nkind: Namespace\nmetadata:\n"
                                     "  name: ${namespace}\n  labels: ${labels}\n")},
    {"workloads/mixed.yaml",
     FILE_OF("# two documents\napiVersion: v1\nkind: ConfigMap\nmetadata:\n"
             "  name: ${name}-cm\n  ${name}: key\ndata:\n  a: 'x ${group_max} y'\n"
             "  b: $${HOME}\n  c: ['${group_max}', $, $$, a$b, '{${claim}}']\n---\n"
             "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")},
    {"workloads/typo.yaml", FILE_OF("a: 1\nb:\n  - c: ${nmae}\n")},
    {"workloads/open.yaml", FILE_OF("a: 1\nb: ${name\n")},
    {"workloads/list_in_text.yaml", FILE_OF("a: x-${labels}\n")},
    {"workloads/fact.yaml", FILE_OF("a: ${filestore_ip}\n")},
    {"workloads/part.yaml", FILE_OF("- cpu: ${group_max}\n- ${labels}\n")},
    {"job/job.py", FILE_OF("print('${name}')\n")},
    {NULL, NULL, 0},
};

static struct template_set *set;
static struct template_values values;
static char *folder;

static int set_up(void **state)
{
    (void)state;
    RD_AUTOERR struct rd_err *err = NULL;
    set = template_set_open_over(table, NULL, &err);
    template_values_init(&values);
    const char *tmp = getenv("TMPDIR");
    folder = rd_asprintf("%s/raydeploy-template-XXXXXX", tmp ? tmp : "/tmp");
    return set && mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    template_set_free(set);
    template_values_clear(&values);
    RD_AUTOFREE char *command = rd_asprintf("rm -r '%s'", folder);
    int status = system(command);
    rd_freep(&folder);
    return status;
}

static void give(const char *name, json_t *take)
{
    RD_AUTOERR struct rd_err *err = NULL;
    if (!template_set(&values, name, take, &err))
        fail_msg("%s", err->message);
}

static char *render(const char *name)
{
    struct manifest_list l = {0};
    RD_AUTOERR struct rd_err *err = NULL;
    struct rd_buf b = RD_BUF_INIT(1 << 16);
    if (!template_render(set, name, &values, &l, &err)) {
        assert_int_equal(err->kind, RD_ERR_INPUT);
        rd_buf_printf(&b, "error: %s", err->message);
    }
    for (size_t i = 0; !err && i < l.len; i++) {
        RD_AUTOFREE char *json = rd_json_dump(l.v[i].json);
        rd_buf_printf(&b, "%s%s", i ? "\n" : "", json);
    }
    manifest_list_clear(&l);
    return rd_buf_take(&b, NULL);
}

static void values_take_their_place(void **state)
{
    (void)state;
    give("namespace", json_string("ray-system"));
    give("labels", rd_json_pack("{s:s}", "a", "${name}: [x]"));
    RD_AUTOFREE char *got = render("workloads/space.yaml");
    assert_string_equal(got, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":"
                             "{\"labels\":{\"a\":\"${name}: [x]\"},\"name\":\"ray-system\"}}");
    give("name", json_string("ray"));
    give("claim", json_string("ray-shared"));
    give("group_max", json_integer(8));
    RD_AUTOFREE char *mixed = render("workloads/mixed.yaml");
    assert_string_equal(
        mixed, "{\"apiVersion\":\"v1\",\"data\":{\"a\":\"x 8 y\",\"b\":\"${HOME}\",\"c\":[8,\"$\","
               "\"$$\",\"a$b\",\"{ray-shared}\"]},\"kind\":\"ConfigMap\",\"metadata\":"
               "{\"${name}\":\"key\",\"name\":\"ray-cm\"}}\n"
               "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"}}");
}

static void a_value_is_never_structure(void **state)
{
    (void)state;
    RD_AUTOERR struct rd_err *err = NULL;
    assert_false(template_set_str(&values, "namespace", "x\n  evil: true", &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    assert_non_null(strstr(err->message, "namespace"));
    rd_err_freep(&err);
    /* A list is checked only as a list, and stays one. */
    give("prometheus_peers", rd_json_pack("[s]", "x: y\n- z"));
    assert_int_equal(json_array_size(json_object_get(values.map, "prometheus_peers")), 1);
}

static void mistakes_say_where(void **state)
{
    (void)state;
    give("name", json_string("ray"));
    give("labels", json_object());
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"workloads/typo.yaml",
         "templates/workloads/typo.yaml:3: unknown placeholder ${nmae} (is it "
         "${name}?)"},
        {"workloads/open.yaml", "templates/workloads/open.yaml:2: malformed placeholder"},
        {"workloads/list_in_text.yaml", "templates/workloads/list_in_text.yaml:1: placeholder "
                                        "${labels} stands in text"},
        {"workloads/fact.yaml",
         "templates/workloads/fact.yaml:1: placeholder ${filestore_ip} has no "
         "value yet: fact filestore.ip is not known"},
        {"workloads/space.yaml",
         "templates/workloads/space.yaml:4: placeholder ${namespace} has no value"},
        {"workloads/none.yaml", "no template is named workloads/none.yaml"},
        {"../etc/passwd", "no template is named ../etc/passwd"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *got = render(cases[i].name);
        RD_AUTOFREE char *want = rd_asprintf("error: %s", cases[i].want);
        if (strncmp(got, want, strlen(want)) != 0)
            fail_msg("got %s\n  want %s", got, want);
    }
}

static void fragments_are_trees(void **state)
{
    (void)state;
    give("group_max", json_integer(8));
    give("labels", json_object());
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOJSON json_t *part = template_fragment(set, "workloads/part.yaml", &values, &err);
    assert_non_null(part);
    RD_AUTOFREE char *got = rd_json_dump(part);
    assert_string_equal(got, "[{\"cpu\":8},{}]");
    assert_null(template_fragment(set, "workloads/mixed.yaml", &values, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
}

static void names_are_collected(void **state)
{
    (void)state;
    struct rd_strv names = {0};
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(template_names(set, "workloads/mixed.yaml", &names, &err));
    assert_int_equal(names.len, 3);
    assert_string_equal(names.v[0], "name");
    assert_string_equal(names.v[1], "group_max");
    assert_string_equal(names.v[2], "claim");
    assert_false(template_names(set, "workloads/typo.yaml", &names, &err));
    rd_strv_clear(&names);
}

static char *put(const char *name, const char *text)
{
    char *path = rd_path_join(folder, name);
    RD_AUTOFREE char *dir = rd_path_dir(path);
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(rd_dir_make(dir, &err));
    assert_true(rd_file_write_atomic(path, text, strlen(text), 0600, &err));
    return path;
}

static void a_folder_shadows_file_by_file(void **state)
{
    (void)state;
    RD_AUTOFREE char *path =
        put("workloads/space.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: mine}\n");
    RD_AUTOFREE char *hidden = put(".git/config", "x");
    RD_AUTOERR struct rd_err *err = NULL;
    struct template_set *mine = template_set_open_over(table, folder, &err);
    assert_non_null(mine);
    assert_string_equal(template_origin(mine, "workloads/space.yaml"), path);
    assert_string_equal(template_origin(mine, "workloads/mixed.yaml"), "embedded");
    assert_null(template_origin(mine, "workloads/none.yaml"));
    size_t len = 0;
    assert_string_equal(template_text(mine, "job/job.py", &len), "print('${name}')\n");
    assert_int_equal(len, 17);
    assert_null(template_text(mine, "job/none.py", &len));
    struct template_set *before = set;
    set = mine;
    RD_AUTOFREE char *got = render("workloads/space.yaml");
    set = before;
    assert_string_equal(
        got, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"mine\"}}");
    assert_string_equal(template_all(mine)[0], "job/job.py");
    template_set_free(mine);
}

static void refuse_folder(const char *want)
{
    RD_AUTOERR struct rd_err *err = NULL;
    assert_null(template_set_open_over(table, folder, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    if (!strstr(err->message, want))
        fail_msg("got %s\n  want %s", err->message, want);
}

static void a_file_that_shadows_nothing_is_refused(void **state)
{
    (void)state;
    RD_AUTOFREE char *path = put("workloads/spaces.yaml", "a: 1\n");
    refuse_folder("workloads/spaces.yaml shadows no template (is it workloads/space.yaml?)");
    assert_int_equal(unlink(path), 0);
    RD_AUTOFREE char *other = put("else/deep/x.yaml", "a: 1\n");
    refuse_folder("else shadows no template");
}

static void links_do_not_leave(void **state)
{
    (void)state;
    RD_AUTOFREE char *dir = rd_path_join(folder, "job");
    RD_AUTOERR struct rd_err *err = NULL;
    assert_true(rd_dir_make(dir, &err));
    RD_AUTOFREE char *path = rd_path_join(dir, "job.py");
    assert_int_equal(symlink("/etc/hostname", path), 0);
    refuse_folder("leads out of its folder");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(symlink("/etc", dir), 0);
    refuse_folder("leads out of its folder");
}

static void types_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *name, *good, *bad;
    } cases[] = {
        {"namespace", "\"ray-system\"", "\"Ray\""},
        {"namespace", "\"a\"", "\"a.b\""},
        {"namespace", "\"a1\"", "5"},
        {"claim", "\"a.b-c\"", "\"a..b\""},
        {"group_max", "8", "\"8\""},
        {"group_max", "0", "1.5"},
        {"labels", "{}", "[]"},
        {"head_env", "[]", "{}"},
        {"ray_version", "\"2.54.0\"", "2.54"},
        {"ray_version", "\"x y\"", "\"x\\ny\""},
        {"volume_size", "\"100Gi\"", "\"100 Gi\""},
        {"volume_size", "2", "-2"},
        {"volume_size", "\"1e3\"", "\"-1\""},
        {"ray_image", "\"rayproject/ray:2.54.0-py311\"", "\"rayproject/ray:\""},
        {"ray_image", "\"ray\"", "\"Ray\""},
        {"ray_image", "\"localhost:5000/a/b:c\"", "\"localhost:/a\""},
        {"ray_image", "\"us-central1-docker.pkg.dev/p-1/ray-images/ray:x\"", "\"a//b\""},
        {"ray_image",
         "\"a.b/c@sha256:"
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
         "\"",
         "\"a@sha256:12\""},
        {"ray_image", "\"a__b/c-d.e\"", "\"a b\""},
        {"ray_image", "\"a:T_1.2-3\"", "\"a:.x\""},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOERR struct rd_err *err = NULL;
        json_t *good = json_loads(cases[i].good, JSON_DECODE_ANY, NULL);
        json_t *bad = json_loads(cases[i].bad, JSON_DECODE_ANY, NULL);
        assert_true(good && bad);
        if (!template_set(&values, cases[i].name, good, &err))
            fail_msg("%s", err->message);
        if (template_set(&values, cases[i].name, bad, &err))
            fail_msg("%s took %s", cases[i].name, cases[i].bad);
        assert_int_equal(err->kind, RD_ERR_INPUT);
        assert_non_null(strstr(err->message, cases[i].name));
    }
    RD_AUTOERR struct rd_err *err = NULL;
    assert_false(template_set_str(&values, "nobody", "x", &err));
    assert_non_null(strstr(err->message, "nobody"));
    rd_err_freep(&err);
    assert_false(template_set_str(&values, "name", NULL, &err));
}

/* What the binary carries parses, and uses only names of the catalogue. */
static void our_templates_are_sound(void **state)
{
    (void)state;
    RD_AUTOERR struct rd_err *err = NULL;
    struct template_set *ours = template_set_open(NULL, &err);
    assert_non_null(ours);
    unsigned files = 0;
    struct rd_strv names = {0};
    for (const char *const *name = template_all(ours); *name; name++) {
        if (!rd_ends_with(*name, ".yaml"))
            continue;
        files++;
        if (!template_names(ours, *name, &names, &err))
            fail_msg("%s", err->message);
    }
    print_message("%u templates use %zu placeholders\n", files, names.len);
    assert_true(files > 0);
    rd_strv_clear(&names);
    template_set_free(ours);
}

static void the_catalogue_is_sorted(void **state)
{
    (void)state;
    for (const struct placeholder *p = template_catalogue + 1; p->name; p++) {
        if (strcmp(p[-1].name, p->name) >= 0)
            fail_msg("%s before %s", p[-1].name, p->name);
        assert_true(p->type < PH_TYPE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_take_their_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_is_never_structure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_say_where, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fragments_are_trees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_collected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_shadows_file_by_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_shadows_nothing_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_do_not_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(types_are_checked, set_up, tear_down),
        cmocka_unit_test(our_templates_are_sound),
        cmocka_unit_test(the_catalogue_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
