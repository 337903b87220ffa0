/* Storing one value: text from flags, environment and defaults, trees from the file. */
#include "config/option.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *origin_text(const struct value_origin *o, const char *sub)
{
    if (!o->marks)
        return rd_strdup(o->text);
    RD_AUTOFREE char *pointer = rd_asprintf("%s%s", o->pointer, sub ? sub : "");
    int line = yaml_marks_line(o->marks, pointer);
    /* What is missing has no line: its parent does. */
    for (char *slash = strrchr(pointer, '/'); line == 0 && slash; slash = strrchr(pointer, '/')) {
        *slash = '\0';
        line = yaml_marks_line(o->marks, pointer);
    }
    return line ? rd_asprintf("%s:%d", o->text, line) : rd_strdup(o->text);
}

bool option_refuse(struct rd_err **reterr, const char *origin, const char *name, const char *value,
                   const char *problem)
{
    if (value)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: %s \"%.200s\" %s", origin, name, value, problem);
    return rd_fail(reterr, RD_ERR_INPUT, "%s: %s %s", origin, name, problem);
}

static bool refuse(const struct option *o, const char *value, const struct value_origin *from,
                   const char *sub, const char *problem, struct rd_err **reterr)
{
    RD_AUTOFREE char *origin = origin_text(from, sub);
    /* "--region: region ..." says the same thing twice. */
    if (rd_starts_with(origin, "--") && rd_streq(origin + 2, o->name)) {
        RD_AUTOFREE char *what =
            value ? rd_asprintf("%s \"%.200s\"", origin, value) : rd_strdup(origin);
        return rd_fail(reterr, RD_ERR_INPUT, "%s %s", what, problem);
    }
    return option_refuse(reterr, origin, o->name, value, problem);
}

static int word_index(const struct option *o, const char *text)
{
    for (int i = 0; o->words[i]; i++)
        if (rd_streq(o->words[i], text))
            return i;
    return -1;
}

static bool refuse_word(const struct option *o, const char *text, const struct value_origin *from,
                        struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf problem = RD_BUF_INIT(1024);
    rd_buf_puts(&problem, "must be ");
    for (int i = 0; o->words[i]; i++)
        rd_buf_printf(&problem, "%s%s", i == 0 ? "" : o->words[i + 1] ? ", " : " or ", o->words[i]);
    const char *near = rd_text_nearest(text, o->words);
    if (near)
        rd_buf_printf(&problem, "; did you mean %s?", near);
    return refuse(o, text, from, NULL, rd_buf_str(&problem), reterr);
}

static bool refuse_range(const struct option *o, const char *text, const struct value_origin *from,
                         struct rd_err **reterr)
{
    RD_AUTOFREE char *problem = NULL;
    if (o->type == OPT_DURATION) {
        char least[32], most[32];
        rd_duration_text((uint64_t)o->min, least);
        rd_duration_text((uint64_t)o->max, most);
        problem = rd_asprintf("must be from %s to %s", least, most);
    } else {
        problem = rd_asprintf("must be from %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
                              o->min, o->max);
    }
    return refuse(o, text, from, NULL, problem, reterr);
}

static void *place(struct config *c, const struct option *o)
{
    return (char *)c + o->at;
}

static bool set_text(struct config *c, const struct option *o, const char *text,
                     const struct value_origin *from, struct rd_err **reterr)
{
    if (o->words && word_index(o, text) < 0)
        return refuse_word(o, text, from, reterr);
    const char *problem = o->check ? o->check(text) : NULL;
    if (problem)
        return refuse(o, text, from, NULL, problem, reterr);
    rd_str_dup(place(c, o), text);
    return true;
}

static bool set_int(struct config *c, const struct option *o, json_int_t n, const char *text,
                    const struct value_origin *from, struct rd_err **reterr)
{
    if (n < o->min || n > o->max)
        return refuse_range(o, text, from, reterr);
    *(json_int_t *)place(c, o) = n;
    return true;
}

static void set_tree(struct config *c, const struct option *o, json_t *take)
{
    json_t **at = place(c, o);
    json_decref(*at);
    *at = take;
}

static bool set_list(struct config *c, const struct option *o, const json_t *value,
                     const struct value_origin *from, struct rd_err **reterr)
{
    bool cidrs = o->type == OPT_CIDRS;
    if (!json_is_array(value))
        return refuse(o, NULL, from, NULL,
                      cidrs ? "must be a list of ranges" : "must be a list of zones", reterr);
    size_t i;
    const json_t *v;
    json_array_foreach (value, i, v) {
        RD_AUTOFREE char *sub = rd_asprintf("/%zu", i);
        const char *s = json_string_value(v);
        if (!s)
            return refuse(o, NULL, from, sub, "must be a list of strings", reterr);
        const char *problem = cidrs ? check_cidr(s) : check_zone(s);
        if (problem)
            return refuse(o, s, from, sub, problem, reterr);
    }
    set_tree(c, o, json_deep_copy(value));
    return true;
}

bool option_set_json(struct config *c, const struct option *o, const json_t *value,
                     const struct value_origin *from, struct rd_err **reterr)
{
    json_t *tree;
    switch (o->type) {
    case OPT_TEXT:
        if (!json_is_string(value))
            return refuse(o, NULL, from, NULL,
                          json_is_number(value) || json_is_boolean(value)
                              ? "must be a string: quote it"
                              : "must be a string",
                          reterr);
        return set_text(c, o, json_string_value(value), from, reterr);
    case OPT_SWITCH:
        if (!json_is_boolean(value))
            return refuse(o, NULL, from, NULL, "must be true or false", reterr);
        *(bool *)place(c, o) = json_is_true(value);
        return true;
    case OPT_INT: {
        if (!json_is_integer(value))
            return refuse(o, NULL, from, NULL, "must be a whole number", reterr);
        RD_AUTOFREE char *text = rd_asprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return set_int(c, o, json_integer_value(value), text, from, reterr);
    }
    case OPT_CIDRS:
    case OPT_ZONES:
        return set_list(c, o, value, from, reterr);
    case OPT_HEAD:
        tree = group_head(c, value, from, reterr);
        break;
    case OPT_WORKERS:
        tree = group_workers(c, value, from, reterr);
        break;
    default:
        RD_UNREACHABLE(); /* not in the file */
    }
    if (!tree)
        return false;
    set_tree(c, o, tree);
    return true;
}

static bool set_pair(struct config *c, const struct option *o, const char *text,
                     const struct value_origin *from, struct rd_err **reterr)
{
    const char *problem = o->check(text);
    if (problem)
        return refuse(o, text, from, NULL, problem, reterr);
    json_t **map = place(c, o);
    if (!*map)
        *map = json_object();
    const char *eq = strchr(text, '=');
    RD_AUTOFREE char *name = rd_strndup(text, (size_t)(eq - text));
    json_t *value = NULL;
    /* Lists and objects are facts too; anything else is text. */
    if (eq[1] == '[' || eq[1] == '{') {
        value = rd_json_parse_own(eq + 1, strlen(eq + 1), name, reterr);
        if (!value) {
            rd_err_wrap(*reterr, "%s", from->text);
            return false;
        }
    } else {
        value = json_string(eq + 1);
        if (!value)
            return refuse(o, name, from, NULL, "has a value that is not UTF-8", reterr);
    }
    json_object_set_new(*map, name, value);
    return true;
}

bool option_set_text(struct config *c, const struct option *o, const char *text,
                     const struct value_origin *from, struct rd_err **reterr)
{
    switch (o->type) {
    case OPT_TEXT:
        return set_text(c, o, text, from, reterr);
    case OPT_SWITCH:
        if (!rd_streq(text, "true") && !rd_streq(text, "false"))
            return refuse(o, text, from, NULL, "must be true or false", reterr);
        *(bool *)place(c, o) = rd_streq(text, "true");
        return true;
    case OPT_COUNT:
    case OPT_INT: {
        char *end;
        errno = 0;
        long long n = strtoll(text, &end, 10);
        if (end == text || *end || errno)
            return refuse(o, text, from, NULL, "must be a whole number", reterr);
        if (o->type == OPT_INT)
            return set_int(c, o, n, text, from, reterr);
        *(int *)place(c, o) = n < 0 ? 0 : n > 9 ? 9 : (int)n;
        return true;
    }
    case OPT_DURATION: {
        uint64_t ms;
        if (!rd_duration_parse(text, &ms))
            return refuse(o, text, from, NULL, "must be a duration like 90s or 1h30m", reterr);
        if (ms < (uint64_t)o->min || ms > (uint64_t)o->max)
            return refuse_range(o, text, from, reterr);
        *(uint64_t *)place(c, o) = ms;
        return true;
    }
    case OPT_CHOICE: {
        int i = word_index(o, text);
        if (i < 0)
            return refuse_word(o, text, from, reterr);
        memcpy(place(c, o), &i, sizeof(i));
        return true;
    }
    case OPT_FORMAT: {
        int i = word_index(o, text);
        if (i < 0)
            return refuse_word(o, text, from, reterr);
        *(bool *)place(c, o) = i == 1;
        return true;
    }
    case OPT_PAIRS:
        return set_pair(c, o, text, from, reterr);
    case OPT_CIDRS:
    case OPT_ZONES:
    case OPT_HEAD:
    case OPT_WORKERS: {
        RD_AUTOJSON json_t *tree = rd_json_parse_own(text, strlen(text), o->name, reterr);
        return tree && option_set_json(c, o, tree, from, reterr);
    }
    }
    RD_UNREACHABLE();
}
