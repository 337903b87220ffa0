/* Flag, environment, file, default: the first that has a value gives it. */
#include "config/option.h"

#include "base/alloc.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_FILE "raydeploy.yaml"

struct load {
    struct config *c;
    json_t *flags; /* of flags_parse */
    struct config_file file;
    const char *file_name;
    bool deployment; /* values of a deployment count, not only flags */
};

static const char *env_of(const struct option *o, const char **ret_name)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(o->env) && o->env[i]; i++) {
        const char *value = getenv(o->env[i]);
        if (value && *value) {
            *ret_name = o->env[i];
            return value;
        }
    }
    return NULL;
}

static void remember(struct config *c, const struct option *o, char *take_origin)
{
    json_object_set_new(c->origins, o->name, json_string(take_origin));
    free(take_origin);
}

static bool from_flag(struct load *l, const struct option *o, const json_t *given,
                      struct rd_err **reterr)
{
    RD_AUTOFREE char *shown = rd_asprintf("--%s", o->flag);
    struct value_origin from = {.text = shown};
    remember(l->c, o, rd_strdup(shown));
    if (json_is_integer(given)) {
        RD_AUTOFREE char *text = rd_asprintf("%" JSON_INTEGER_FORMAT, json_integer_value(given));
        return option_set_text(l->c, o, text, &from, reterr);
    }
    if (json_is_string(given))
        return option_set_text(l->c, o, json_string_value(given), &from, reterr);
    size_t i;
    const json_t *v;
    json_array_foreach (given, i, v)
        if (!option_set_text(l->c, o, json_string_value(v), &from, reterr))
            return false;
    return true;
}

static const json_t *in_file(const struct load *l, const struct option *o)
{
    const json_t *v = o->in_file && l->file.root ? rd_json_path(l->file.root, o->name) : NULL;
    return json_is_null(v) ? NULL : v;
}

static bool from_file(struct load *l, const struct option *o, const json_t *value,
                      struct rd_err **reterr)
{
    RD_AUTOFREE char *pointer = rd_asprintf("/%s", o->name);
    for (char *p = pointer; *p; p++)
        if (*p == '.')
            *p = '/';
    struct value_origin from = {.text = l->file_name, .marks = l->file.marks, .pointer = pointer};
    remember(l->c, o, origin_text(&from, NULL));
    return option_set_json(l->c, o, value, &from, reterr);
}

static bool load_one(struct load *l, const struct option *o, struct rd_err **reterr)
{
    const json_t *given = json_object_get(l->flags, o->name);
    if (given)
        return from_flag(l, o, given, reterr);
    const char *name;
    const char *env = l->deployment || !o->in_file ? env_of(o, &name) : NULL;
    if (env) {
        struct value_origin from = {.text = name};
        remember(l->c, o, rd_strdup(name));
        return option_set_text(l->c, o, env, &from, reterr);
    }
    const json_t *value = in_file(l, o);
    if (value)
        return from_file(l, o, value, reterr);
    const char *fallback = o->fallback[l->c->target];
    struct value_origin from = {.text = "default"};
    return !fallback || option_set_text(l->c, o, fallback, &from, reterr);
}

/* A file that was named must be there; the default one may be missing. */
static bool open_file(struct load *l, struct rd_err **reterr)
{
    const struct option *o = option_find("config");
    if (!load_one(l, o, reterr))
        return false;
    struct config *c = l->c;
    if (c->file) {
        if (!rd_path_exists(c->file))
            return option_refuse(reterr, config_origin(c, "config"), "configuration", c->file,
                                 "is not there");
    } else {
        if (!l->deployment || !rd_path_exists(DEFAULT_FILE))
            return true;
        c->file = rd_strdup(DEFAULT_FILE);
    }
    l->deployment = true;
    l->file_name = c->file;
    return config_file_read(c->file, &l->file, reterr);
}

bool config_load(struct config *c, int argc, char **argv, const struct config_verb_flag *verb_flags,
                 bool needs_deployment, struct rd_err **reterr)
{
    memset(c, 0, sizeof(*c));
    c->origins = json_object();
    c->verb_flags = json_object();
    RD_AUTOJSON json_t *flags = json_object();
    struct load l = {.c = c, .flags = flags, .deployment = needs_deployment};
    bool ok = flags_parse(c, argc, argv, verb_flags, flags, reterr);
    /* The target first: defaults depend on it. */
    ok = ok && load_one(&l, option_find("target"), reterr) && open_file(&l, reterr);
    for (const struct option *o = config_options; ok && o->name; o++)
        if (!rd_streq(o->name, "target") && !rd_streq(o->name, "config"))
            ok = load_one(&l, o, reterr);
    ok = ok && config_cross_check(c, reterr);
    if (ok && !c->facts)
        c->facts = json_object();
    config_file_clear(&l.file);
    if (!ok)
        config_clear(c);
    return ok;
}

bool config_require(const struct config *c, struct rd_err **reterr)
{
    if (c->target == TARGET_LOCAL || c->project)
        return true;
    rd_fail(reterr, RD_ERR_INPUT, "no project is set");
    rd_err_hint(*reterr, "Set `project` in %s, GCP_PROJECT_ID, or pass --project ID.",
                c->file ? c->file : DEFAULT_FILE " (`raydeploy init` writes one)");
    return false;
}

const char *config_origin(const struct config *c, const char *option)
{
    const struct option *o = option_find(option);
    const char *origin = o ? json_string_value(json_object_get(c->origins, o->name)) : NULL;
    return origin ? origin : "default";
}

void config_clear(struct config *c)
{
    for (const struct option *o = config_options; o->name; o++) {
        void *at = (char *)c + o->at;
        switch (o->type) {
        case OPT_TEXT:
            rd_str_take(at, NULL);
            break;
        case OPT_CIDRS:
        case OPT_ZONES:
        case OPT_HEAD:
        case OPT_WORKERS:
        case OPT_PAIRS:
            rd_json_decrefp(at);
            *(json_t **)at = NULL;
            break;
        default:
            break;
        }
    }
    rd_strv_clear(&c->files);
    rd_strv_clear(&c->rest);
    rd_strv_clear(&c->warnings);
    rd_json_decrefp(&c->verb_flags);
    rd_json_decrefp(&c->origins);
    memset(c, 0, sizeof(*c));
}

char *config_namespace(const struct config *c)
{
    return rd_asprintf("%s-system", c->name);
}

char *config_head_account(const struct config *c)
{
    return rd_asprintf("%s-head", c->name);
}

char *config_worker_account(const struct config *c)
{
    return rd_asprintf("%s-worker", c->name);
}

char *config_claim(const struct config *c)
{
    return rd_asprintf("%s-shared", c->name);
}
