/* raydeploy.yaml: read strictly, and no key passes that nobody reads. */
#include "config/option.h"

#include "base/alloc.h"

#include <string.h>

#define FILE_DEPTH_MAX 40
#define FILE_BYTES_MAX ((size_t)1 << 20)

static bool is_section(const char *name)
{
    size_t len = strlen(name);
    for (const struct option *o = config_options; o->name; o++)
        if (o->in_file && strncmp(o->name, name, len) == 0 && o->name[len] == '.')
            return true;
    return false;
}

/* "regoin" -> region, "ray.verison" -> ray.version, "verison" nothing. Owned, or NULL. */
static char *suggestion(const char *prefix, const char *key)
{
    struct rd_strv names = {NULL, 0};
    size_t plen = strlen(prefix);
    for (const struct option *o = config_options; o->name; o++) {
        if (!o->in_file || strncmp(o->name, prefix, plen) != 0)
            continue;
        RD_AUTOFREE char *word = rd_strndup(o->name + plen, strcspn(o->name + plen, "."));
        if (!rd_strv_has(&names, word))
            rd_strv_add(&names, word);
    }
    char *text = NULL;
    /* The right word in the wrong place, else the nearest one in this place. */
    for (const struct option *o = config_options; o->name && !text; o++) {
        const char *dot = strrchr(o->name, '.');
        if (o->in_file && rd_streq(dot ? dot + 1 : o->name, key))
            text = rd_strdup(o->name);
    }
    const char *near = text ? NULL : rd_text_nearest(key, (const char *const *)names.v);
    if (near)
        text = rd_asprintf("%s%s", prefix, near);
    rd_strv_clear(&names);
    return text;
}

static bool refuse_key(const struct value_origin *at, const char *prefix, const char *key,
                       struct rd_err **reterr)
{
    RD_AUTOFREE char *origin = origin_text(at, NULL);
    RD_AUTOFREE char *near = suggestion(prefix, key);
    const struct option *flag = *prefix ? NULL : option_find(key);
    if (near)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: unknown key \"%s%.200s\"; did you mean %s?",
                       origin, prefix, key, near);
    if (flag && !flag->in_file)
        return rd_fail(reterr, RD_ERR_INPUT,
                       "%s: \"%.200s\" is a flag, not a key of the file: use --%s", origin, key,
                       flag->flag);
    return rd_fail(reterr, RD_ERR_INPUT, "%s: unknown key \"%s%.200s\"", origin, prefix, key);
}

/* Keys of the root and of its sections: two levels, as the table has them. */
static bool check_keys(const char *name, const json_t *object, const struct yaml_marks *marks,
                       const char *prefix, const char *pointer, struct rd_err **reterr)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)object, key, v) {
        RD_AUTOFREE char *full = rd_asprintf("%s%s", prefix, key);
        RD_AUTOFREE char *at = rd_asprintf("%s/%s", pointer, key);
        struct value_origin from = {.text = name, .marks = marks, .pointer = at};
        const struct option *o = option_find(full);
        bool dotted = strchr(key, '.') != NULL;
        if (o && o->in_file && rd_streq(o->name, full) && !dotted)
            continue;
        if (dotted && o && o->in_file) {
            RD_AUTOFREE char *origin = origin_text(&from, NULL);
            return rd_fail(reterr, RD_ERR_INPUT,
                           "%s: write \"%s\" as a key inside the mapping %.*s", origin, full,
                           (int)strcspn(full, "."), full);
        }
        if (*prefix || !is_section(full))
            return refuse_key(&from, prefix, key, reterr);
        if (json_is_null(v))
            continue;
        if (!json_is_object(v)) {
            RD_AUTOFREE char *origin = origin_text(&from, NULL);
            return rd_fail(reterr, RD_ERR_INPUT, "%s: %s must be a mapping", origin, full);
        }
        RD_AUTOFREE char *inner = rd_asprintf("%s.", full);
        if (!check_keys(name, v, marks, inner, at, reterr))
            return false;
    }
    return true;
}

bool config_file_read(const char *path, struct config_file *ret, struct rd_err **reterr)
{
    struct yaml_limits limits = yaml_limits_default;
    limits.bytes_max = FILE_BYTES_MAX;
    limits.depth_max = FILE_DEPTH_MAX;
    memset(ret, 0, sizeof(*ret));
    if (!yaml_read_file(path, YAML_STRICT, &limits, true, &ret->stream, reterr))
        return false;
    const struct yaml_stream *s = &ret->stream;
    if (s->len > 1)
        rd_fail(reterr, RD_ERR_INPUT, "%s:%d: the configuration is one document, not %zu", path,
                s->docs[1].line, s->len);
    else if (s->len == 1 && !json_is_null(s->docs[0].root) && !json_is_object(s->docs[0].root))
        rd_fail(reterr, RD_ERR_INPUT, "%s:%d: the configuration must be a mapping of keys", path,
                s->docs[0].line);
    else if (s->len == 1 && json_is_object(s->docs[0].root) &&
             check_keys(path, s->docs[0].root, s->docs[0].marks, "", "", reterr)) {
        ret->root = s->docs[0].root;
        ret->marks = s->docs[0].marks;
        return true;
    } else if (!*reterr) {
        return true; /* an empty file */
    }
    config_file_clear(ret);
    return false;
}

void config_file_clear(struct config_file *f)
{
    yaml_stream_clear(&f->stream);
    f->root = NULL;
    f->marks = NULL;
}
