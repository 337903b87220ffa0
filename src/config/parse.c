/* The command line: the common flags of the table and the verb's own. */
#include "config/option.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Flags of the contract whose commands are still to come. */
static const char *const later_flags[] = {
    "exec-credential", NULL,
};

struct parse {
    struct config *c;
    int argc;
    char **argv;
    const struct config_verb_flag *verb_flags;
    json_t *common;
    struct rd_err **reterr;
    int i;
};

static const struct config_verb_flag *verb_flag(const struct parse *p, const char *name,
                                                char letter)
{
    for (const struct config_verb_flag *f = p->verb_flags; f && f->name; f++)
        if ((name && rd_streq(f->name, name)) ||
            (letter && f->short_name && f->short_name[0] == letter))
            return f;
    return NULL;
}

static bool refuse_unknown(struct parse *p, const char *flag)
{
    for (size_t i = 0; later_flags[i]; i++)
        if (rd_streq(later_flags[i], flag))
            return rd_fail(p->reterr, RD_ERR_INPUT, "--%s is not in this version", flag);
    struct rd_strv names = {NULL, 0};
    for (const struct option *o = config_options; o->name; o++)
        if (o->flag)
            rd_strv_add(&names, o->flag);
    for (const struct config_verb_flag *f = p->verb_flags; f && f->name; f++)
        rd_strv_add(&names, f->name);
    rd_strv_add(&names, "help");
    const char *near = rd_text_nearest(flag, (const char *const *)names.v);
    if (near)
        rd_fail(p->reterr, RD_ERR_INPUT, "unknown flag --%.200s; did you mean --%s?", flag, near);
    else
        rd_fail(p->reterr, RD_ERR_INPUT, "unknown flag --%.200s", flag);
    rd_strv_clear(&names);
    return false;
}

static void store_common(struct parse *p, const struct option *o, const char *value)
{
    if (o->type == OPT_COUNT) {
        json_int_t n = json_integer_value(json_object_get(p->common, o->name));
        json_object_set_new(p->common, o->name, json_integer(n + 1));
        return;
    }
    if (o->type == OPT_PAIRS) {
        json_t *list = json_object_get(p->common, o->name);
        if (!list) {
            list = json_array();
            json_object_set_new(p->common, o->name, list);
        }
        json_array_append_new(list, json_string(value));
        return;
    }
    json_object_set_new(p->common, o->name, json_string(value));
}

static void store_verb(struct parse *p, const struct config_verb_flag *f, const char *value)
{
    if (rd_streq(f->name, "file")) {
        rd_strv_add(&p->c->files, value);
        return;
    }
    if (!f->arg) {
        json_object_set_new(p->c->verb_flags, f->name, json_boolean(!rd_streq(value, "false")));
        return;
    }
    if (!f->repeats) {
        json_object_set_new(p->c->verb_flags, f->name, json_string(value));
        return;
    }
    json_t *list = json_object_get(p->c->verb_flags, f->name);
    if (!list) {
        list = json_array();
        json_object_set_new(p->c->verb_flags, f->name, list);
    }
    json_array_append_new(list, json_string(value));
}

/* One flag, found as o or f; `value` is what stood after '=' or the letter, or NULL. */
static bool take_flag(struct parse *p, const char *shown, const struct option *o,
                      const struct config_verb_flag *f, const char *value)
{
    bool wants = o ? o->arg != NULL : f->arg != NULL;
    if (wants && !value) {
        if (p->i + 1 >= p->argc)
            return rd_fail(p->reterr, RD_ERR_INPUT, "%s needs a value (%s)", shown,
                           o ? o->arg : f->arg);
        value = p->argv[++p->i];
    }
    if (!wants && value && !rd_streq(value, "true") && !rd_streq(value, "false"))
        return rd_fail(p->reterr, RD_ERR_INPUT,
                       "%s takes no value, or true or false; got \"%.200s\"", shown, value);
    if (!wants && !value)
        value = "true";
    /* jansson holds UTF-8 only, and no flag of ours means other bytes. */
    RD_AUTOJSON json_t *text = json_string(value);
    if (!text)
        return rd_fail(p->reterr, RD_ERR_INPUT, "the value of %s is not UTF-8", shown);
    if (o)
        store_common(p, o, value);
    else
        store_verb(p, f, value);
    return true;
}

static bool parse_long(struct parse *p, const char *arg)
{
    const char *eq = strchr(arg, '=');
    RD_AUTOFREE char *name = eq ? rd_strndup(arg, (size_t)(eq - arg)) : rd_strdup(arg);
    const struct config_verb_flag *f = verb_flag(p, name, 0);
    const struct option *o = NULL;
    for (const struct option *t = config_options; t->name && !f; t++)
        if (rd_streq(t->flag, name))
            o = t;
    if (!o && !f)
        return refuse_unknown(p, name);
    RD_AUTOFREE char *shown = rd_asprintf("--%s", name);
    return take_flag(p, shown, o, f, eq ? eq + 1 : NULL);
}

/* -f FILE, -fFILE, -yv: letters of switches may stand together. */
static bool parse_short(struct parse *p, const char *letters)
{
    for (; *letters; letters++) {
        const struct config_verb_flag *f = verb_flag(p, NULL, *letters);
        const struct option *o = f ? NULL : option_by_letter(*letters);
        char shown[] = {'-', *letters, '\0'};
        if (!o && !f)
            return rd_fail(p->reterr, RD_ERR_INPUT, "unknown flag -%.20s", letters);
        bool wants = o ? o->arg != NULL : f->arg != NULL;
        if (wants) {
            const char *value = letters[1] ? letters + 1 + (letters[1] == '=') : NULL;
            return take_flag(p, shown, o, f, value);
        }
        if (!take_flag(p, shown, o, f, NULL))
            return false;
    }
    return true;
}

bool flags_parse(struct config *c, int argc, char **argv, const struct config_verb_flag *verb_flags,
                 json_t *ret_common, struct rd_err **reterr)
{
    struct parse p = {.c = c,
                      .argc = argc,
                      .argv = argv,
                      .verb_flags = verb_flags,
                      .common = ret_common,
                      .reterr = reterr};
    for (p.i = 0; p.i < argc; p.i++) {
        const char *arg = argv[p.i];
        if (rd_streq(arg, "--")) {
            for (p.i++; p.i < argc; p.i++)
                rd_strv_add(&c->rest, argv[p.i]);
            break;
        }
        bool ok = true;
        if (rd_starts_with(arg, "--"))
            ok = parse_long(&p, arg + 2);
        else if (arg[0] == '-' && arg[1])
            ok = parse_short(&p, arg + 1);
        else
            rd_strv_add(&c->rest, arg);
        if (!ok)
            return false;
    }
    return true;
}

int config_verb_index(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (arg[0] != '-' || !arg[1])
            return i;
        if (rd_streq(arg, "--"))
            return i + 1 < argc ? i + 1 : -1;
        const struct option *o = NULL;
        bool joined;
        if (arg[1] == '-') {
            joined = strchr(arg, '=') != NULL;
            for (const struct option *t = config_options; t->name; t++)
                if (rd_streq(t->flag, arg + 2))
                    o = t;
        } else {
            joined = arg[2] != '\0';
            o = option_by_letter(arg[1]);
        }
        if (o && o->arg && !joined)
            i++;
    }
    return -1;
}
