#include "ray/runtime_env.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "manifest/yaml.h"
#include "ray/working_dir.h"

#define LIST_FILE_MAX ((size_t)1 << 20)

static json_t *lines_of(const struct yaml_doc *doc)
{
    json_t *lines = json_object();
    const char *field;
    json_t *value;
    json_object_foreach (doc->root, field, value) {
        RD_AUTOFREE char *at = yaml_pointer_child("", field);
        json_object_set_new(lines, field, json_integer(yaml_marks_line(doc->marks, at)));
    }
    return lines;
}

json_t *ray_runtime_env_read(const char *path, json_t **ret_lines, struct rd_err **reterr)
{
    struct yaml_stream s;
    if (!yaml_read_file(path, YAML_FOREIGN, NULL, true, &s, reterr))
        return NULL;
    json_t *env = NULL;
    if (s.len > 1)
        rd_fail(reterr, RD_ERR_INPUT, "%s:%d: holds %zu documents; a runtime environment is one", path,
                s.docs[1].line, s.len);
    else if (s.len == 0 || json_is_null(s.docs[0].root))
        env = json_object();
    else if (!json_is_object(s.docs[0].root))
        rd_fail(reterr, RD_ERR_INPUT, "%s:%d: no mapping of runtime environment fields", path,
                s.docs[0].line);
    else
        env = json_incref(s.docs[0].root);
    if (env && ret_lines)
        *ret_lines = s.len ? lines_of(&s.docs[0]) : json_object();
    yaml_stream_clear(&s);
    return env;
}

/* ---- Checks ---- */

struct check {
    json_t *env;
    const char *what;
    struct rd_err **reterr;
};

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "a mapping";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "nothing";
    }
    return "something else";
}

static bool wrong(struct check *c, const char *field, const char *must, const json_t *got)
{
    return rd_fail(c->reterr, RD_ERR_INPUT, "%s: %s must be %s, and is %s", c->what, field, must,
                   type_name(got));
}

static bool is_texts(const json_t *v)
{
    size_t i;
    const json_t *e;
    if (!json_is_array(v))
        return false;
    json_array_foreach (v, i, e)
        if (!json_is_string(e))
            return false;
    return true;
}

static bool check_texts(struct check *c, const char *field, const json_t *v)
{
    return is_texts(v) || wrong(c, field, "a list of texts", v);
}

static bool check_env_vars(struct check *c, const json_t *v)
{
    const char *name;
    const json_t *value;
    if (!json_is_object(v))
        return wrong(c, "env_vars", "a mapping of names to texts", v);
    json_object_foreach ((json_t *)v, name, value) {
        if (json_is_string(value))
            continue;
        rd_fail(c->reterr, RD_ERR_INPUT, "%s: env_vars.%s must be a text, and is %s", c->what, name,
                type_name(value));
        rd_err_hint(*c->reterr, "Quote the value.");
        return false;
    }
    return true;
}

/* Lines of a requirements file, as Ray's client takes them: all of them, the ends trimmed. Owned. */
static json_t *read_lines(struct check *c, const char *field, const char *path)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(LIST_FILE_MAX);
    if (!rd_file_read(path, LIST_FILE_MAX, &text, c->reterr)) {
        rd_err_wrap(*c->reterr, "%s: %s", c->what, field);
        return NULL;
    }
    json_t *lines = json_array();
    const char *at = rd_buf_str(&text), *end = at + text.len;
    while (at < end && strchr(" \t\r\n", *at))
        at++;
    while (end > at && strchr(" \t\r\n", end[-1]))
        end--;
    while (at < end) {
        size_t n = strcspn(at, "\r\n");
        n = n < (size_t)(end - at) ? n : (size_t)(end - at);
        json_t *line = json_stringn(at, n);
        if (!line) {
            json_decref(lines);
            rd_fail(c->reterr, RD_ERR_INPUT, "%s: %s: %s is not UTF-8", c->what, field, path);
            return NULL;
        }
        json_array_append_new(lines, line);
        at += n + (n < (size_t)(end - at));
    }
    return lines;
}

/* pip and uv: a file, a list, or a mapping of the known fields. */
static bool check_packages(struct check *c, const char *field, const char *check_name,
                           const char *const *known)
{
    json_t *v = json_object_get(c->env, field);
    if (json_is_object(v)) {
        const char *name;
        json_t *value;
        json_object_foreach (v, name, value) {
            bool fits = false;
            for (size_t i = 0; known[i]; i++)
                fits = fits || rd_streq(known[i], name);
            if (!fits)
                return rd_fail(c->reterr, RD_ERR_INPUT, "%s: %s has no field %s", c->what, field,
                               name);
        }
        json_t *packages = json_object_get(v, "packages");
        if (!packages)
            return rd_fail(c->reterr, RD_ERR_INPUT, "%s: %s needs a field packages", c->what, field);
        if (json_is_string(packages)) {
            packages = read_lines(c, field, json_string_value(packages));
            if (!packages)
                return false;
            json_object_set_new(v, "packages", packages);
        }
        return is_texts(packages) || wrong(c, field, "a list of texts in its packages", packages);
    }
    json_t *packages = NULL;
    if (json_is_string(v))
        packages = read_lines(c, field, json_string_value(v));
    else if (check_texts(c, field, v))
        packages = json_incref(v);
    if (!packages)
        return false;
    json_object_set_new(c->env, field,
                        rd_json_pack("{s:o, s:b}", "packages", packages, check_name, 0));
    return true;
}

static bool check_conda(struct check *c)
{
    json_t *v = json_object_get(c->env, "conda");
    const char *text = json_string_value(v);
    if (json_is_object(v) || (text && !rd_ends_with(text, ".yaml") && !rd_ends_with(text, ".yml")))
        return true;
    if (!text)
        return wrong(c, "conda", "a name, a file or a mapping", v);
    json_t *read = ray_runtime_env_read(text, NULL, c->reterr);
    if (!read) {
        rd_err_wrap(*c->reterr, "%s: conda", c->what);
        return false;
    }
    json_object_set_new(c->env, "conda", read);
    return true;
}

static bool check_modules(struct check *c, const json_t *v)
{
    size_t i;
    const json_t *e;
    if (!check_texts(c, "py_modules", v))
        return false;
    json_array_foreach (v, i, e) {
        if (ray_is_package_uri(json_string_value(e)))
            continue;
        rd_fail(c->reterr, RD_ERR_INPUT, "%s: py_modules: %s is no address of a package", c->what,
                json_string_value(e));
        rd_err_hint(*c->reterr, "Put local modules into the working directory: it is on the "
                                "job's PYTHONPATH.");
        return false;
    }
    return true;
}

static bool check_config(struct check *c, const json_t *v)
{
    if (!json_is_object(v))
        return wrong(c, "config", "a mapping", v);
    const json_t *limit = json_object_get(v, "setup_timeout_seconds");
    json_int_t n = json_integer_value(limit);
    if (limit && (!json_is_integer(limit) || (n <= 0 && n != -1)))
        return rd_fail(c->reterr, RD_ERR_INPUT,
                       "%s: config.setup_timeout_seconds must be a whole number above 0, or -1",
                       c->what);
    const json_t *eager = json_object_get(v, "eager_install");
    return !eager || json_is_boolean(eager) ||
           wrong(c, "config.eager_install", "true or false", eager);
}

static const char *const known_fields[] = {
    "py_modules", "py_executable", "java_jars", "working_dir", "conda", "pip", "uv", "container",
    "excludes", "env_vars", "config", "worker_process_setup_hook", "nsight", "_nsight", "image_uri",
    "mpi", "_rocprof_sys", "rocprof_sys", "_ray_release", "_ray_commit", "_inject_current_ray", NULL,
};

static bool is_known(const char *field)
{
    for (size_t i = 0; known_fields[i]; i++)
        if (rd_streq(known_fields[i], field))
            return true;
    return false;
}

static bool check_field(struct check *c, const char *field, json_t *v)
{
    static const char *const pip[] = {"packages", "pip_check", "pip_version", "pip_install_options",
                                      NULL};
    static const char *const uv[] = {"packages", "uv_check", "uv_version", "uv_pip_install_options",
                                     NULL};
    static const char *const texts[] = {"working_dir", "py_executable", "image_uri",
                                        "worker_process_setup_hook", NULL};
    for (size_t i = 0; texts[i]; i++)
        if (rd_streq(field, texts[i]))
            return json_is_string(v) || wrong(c, field, "a text", v);
    if (rd_streq(field, "excludes"))
        return check_texts(c, field, v);
    if (rd_streq(field, "env_vars"))
        return check_env_vars(c, v);
    if (rd_streq(field, "py_modules"))
        return check_modules(c, v);
    if (rd_streq(field, "config"))
        return check_config(c, v);
    if (rd_streq(field, "conda"))
        return check_conda(c);
    if (rd_streq(field, "pip"))
        return check_packages(c, field, "pip_check", pip);
    if (rd_streq(field, "uv"))
        return check_packages(c, field, "uv_check", uv);
    return true;
}

static bool check_together(struct check *c)
{
    static const char *const installers[] = {"pip", "conda", "uv"};
    const char *first = NULL;
    for (size_t i = 0; i < RD_ARRAY_LEN(installers); i++) {
        if (!json_object_get(c->env, installers[i]))
            continue;
        if (first)
            return rd_fail(c->reterr, RD_ERR_INPUT, "%s: %s and %s cannot be used together", c->what,
                           first, installers[i]);
        first = installers[i];
    }
    return true;
}

bool ray_runtime_env_check(json_t *env, const char *what, const json_t *lines,
                           struct rd_strv *unknown, struct rd_err **reterr)
{
    struct check c = {.env = env, .what = what, .reterr = reterr};
    struct rd_strv names = {NULL, 0};
    const char *name;
    json_t *value;
    if (!json_is_object(env))
        return rd_fail(reterr, RD_ERR_INPUT, "%s is no mapping of runtime environment fields", what);
    json_object_foreach (env, name, value)
        rd_strv_add(&names, name); /* a check may put another value in its place */
    bool ok = true;
    for (size_t i = 0; ok && i < names.len; i++) {
        value = json_object_get(env, names.v[i]);
        if (json_is_null(value)) {
            json_object_del(env, names.v[i]); /* "no pip" is no pip */
            continue;
        }
        if (!is_known(names.v[i]) && unknown)
            rd_strv_add(unknown, names.v[i]);
        json_int_t line = json_integer_value(json_object_get(lines, names.v[i]));
        RD_AUTOFREE char *where = rd_asprintf("%s:%d", what, (int)line);
        c.what = line ? where : what;
        ok = check_field(&c, names.v[i], value);
        c.what = what;
    }
    rd_strv_clear(&names);
    return ok && check_together(&c);
}
