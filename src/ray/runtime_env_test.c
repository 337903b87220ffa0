/* Runtime environments: what is refused before anything is sent, and what is filled in. */
#include "base/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "ray/runtime_env.h"

static void put(const char *path, const char *text)
{
    struct rd_err *err = NULL;
    if (!rd_file_write_atomic(path, text, strlen(text), 0644, &err))
        fail_msg("%s", err->message);
}

static void checks(void **state)
{
    (void)state;
    char dir[] = "/tmp/raydeploy-env-XXXXXX";
    assert_non_null(mkdtemp(dir));
    RD_AUTOFREE char *file = rd_path_join(dir, "env.yaml"), *list = rd_path_join(dir, "req.txt");
    RD_AUTOFREE char *conda = rd_path_join(dir, "conda.yml");
    put(list, "\nrequests==2\n# note\nnumpy\n\n");
    put(conda, "dependencies: [pip]\n");
    const struct {
        const char *text, *message, *result; /* message: part of the refusal; result: JSON */
    } rows[] = {
        {"", NULL, "{}"},
        {"{}", NULL, "{}"},
        {"env_vars: {A: \"1\"}\nexcludes: ['*.log']\nworking_dir: .\n", NULL,
         "{\"env_vars\":{\"A\":\"1\"},\"excludes\":[\"*.log\"],\"working_dir\":\".\"}"},
        {"env_vars: {A: 1}", "env.yaml:1: env_vars.A must be a text, and is a number", NULL},
        {"env_vars: [A]", "env_vars must be a mapping of names to texts, and is a list", NULL},
        {"pip: []\nexcludes: []\nenv_vars: 1", "env.yaml:3: env_vars must be", NULL},
        {"\n- a", "env.yaml:2: no mapping", NULL},
        {"pip: [requests]", NULL, "{\"pip\":{\"packages\":[\"requests\"],\"pip_check\":false}}"},
        {"pip: FILE", NULL,
         "{\"pip\":{\"packages\":[\"requests==2\",\"# note\",\"numpy\"],\"pip_check\":false}}"},
        {"pip: {packages: FILE, pip_check: true}", NULL,
         "{\"pip\":{\"packages\":[\"requests==2\",\"# note\",\"numpy\"],\"pip_check\":true}}"},
        {"pip: {package: [a]}", "pip has no field package", NULL},
        {"pip: {pip_check: true}", "pip needs a field packages", NULL},
        {"pip: [1]", "pip must be a list of texts", NULL},
        {"pip: /nonexistent/r.txt", "/nonexistent/r.txt", NULL},
        {"uv: [a]", NULL, "{\"uv\":{\"packages\":[\"a\"],\"uv_check\":false}}"},
        {"pip: [a]\nconda: base", "pip and conda cannot be used together", NULL},
        {"conda: base", NULL, "{\"conda\":\"base\"}"},
        {"conda: CONDA", NULL, "{\"conda\":{\"dependencies\":[\"pip\"]}}"},
        {"conda: 3", "conda must be a name, a file or a mapping, and is a number", NULL},
        {"py_modules: [gcs://a.zip]", NULL, "{\"py_modules\":[\"gcs://a.zip\"]}"},
        {"py_modules: [./here]", "py_modules: ./here is no address of a package", NULL},
        {"config: {setup_timeout_seconds: 0}", "config.setup_timeout_seconds", NULL},
        {"config: {setup_timeout_seconds: -1, eager_install: no}", NULL,
         "{\"config\":{\"eager_install\":false,\"setup_timeout_seconds\":-1}}"},
        {"working_dir: [a]", "working_dir must be a text, and is a list", NULL},
        {"pip: null", NULL, "{}"},
        {"a: 1\n---\nb: 2\n", "env.yaml:3: holds 2 documents", NULL},
        {"a: [", "env.yaml", NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(4096);
        for (const char *p = rows[i].text; *p;) {
            if (rd_starts_with(p, "FILE") || rd_starts_with(p, "CONDA")) {
                rd_buf_puts(&text, *p == 'F' ? list : conda);
                p += *p == 'F' ? 4 : 5;
            } else {
                rd_buf_putc(&text, *p++);
            }
        }
        put(file, rd_buf_str(&text));
        struct rd_err *err = NULL;
        struct rd_strv unknown = {NULL, 0};
        json_t *lines = NULL;
        json_t *env = ray_runtime_env_read(file, &lines, &err);
        bool ok = env && ray_runtime_env_check(env, file, lines, &unknown, &err);
        if (ok != (rows[i].message == NULL))
            fail_msg("row %zu (%s): %s", i, rows[i].text, ok ? "taken" : err->message);
        if (err) {
            rd_check_int("kind", err->kind, RD_ERR_INPUT);
            if (!strstr(err->message, rows[i].message))
                fail_msg("row %zu: got '%s', want '%s'", i, err->message, rows[i].message);
        } else {
            RD_AUTOFREE char *got = rd_json_dump(env);
            rd_check_str(rows[i].text, got, rows[i].result);
        }
        rd_check_int("unknown", (long long)unknown.len, 0);
        rd_strv_clear(&unknown);
        rd_err_free(err);
        json_decref(env);
        json_decref(lines);
    }
    unlink(file);
    unlink(list);
    unlink(conda);
    rmdir(dir);
}

static void unknown_fields_are_told(void **state)
{
    (void)state;
    struct rd_err *err = NULL;
    struct rd_strv unknown = {NULL, 0};
    json_t *env = rd_json_pack("{s:s, s:{}}", "wroking_dir", ".", "env_vars");
    assert_true(ray_runtime_env_check(env, "env", NULL, &unknown, &err));
    rd_check_int("unknown", (long long)unknown.len, 1);
    rd_check_str("unknown", unknown.v[0], "wroking_dir");
    rd_strv_clear(&unknown);
    json_decref(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(checks),
                                       cmocka_unit_test(unknown_fields_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
