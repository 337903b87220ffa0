#include "schema.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

struct check {
    struct rd_buf path; /* "cluster.node_pools[0]" */
    char *why;
};

/* The fields of a message, without the closing brace; NULL: no such type, which is our bug. */
static const char *type_fields(const char *name, size_t len)
{
    for (size_t i = 0; i < schema_types_len; i++) {
        if (strncmp(schema_types[i], name, len) == 0 && schema_types[i][len] == '{')
            return schema_types[i] + len + 1;
    }
    return NULL;
}

/* The type text of `key`; ends at a space or brace outside of {*:T}. */
static const char *field_type(const char *fields, const char *key, size_t *ret_len)
{
    size_t key_len = strlen(key);
    for (const char *at = fields; *at != '\0' && *at != '}';) {
        const char *colon = strchr(at, ':');
        if (colon == NULL)
            break;
        const char *type = colon + 1;
        size_t len = strcspn(type, type[0] == '{' ? "}" : " }");
        if (type[0] == '{')
            len++;
        if ((size_t)(colon - at) == key_len && memcmp(at, key, key_len) == 0) {
            *ret_len = len;
            return type;
        }
        at = type + len + strspn(type + len, " ");
    }
    return NULL;
}

static bool fail_value(struct check *c, const char *kind, const json_t *v)
{
    RD_AUTOFREE char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    c->why = rd_asprintf("Invalid value at '%s' (%s), %s", rd_buf_str(&c->path), kind,
                         text == NULL ? "" : text);
    return false;
}

static bool is_integer(const json_t *v)
{
    if (json_is_integer(v))
        return true;
    if (json_is_real(v))
        return json_real_value(v) == (double)(long long)json_real_value(v);
    if (!json_is_string(v))
        return false;
    const char *s = json_string_value(v);
    s += *s == '-';
    return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static bool in_enum(const char *type, size_t len, const json_t *v)
{
    if (json_is_integer(v))
        return true; /* enums may come as numbers */
    const char *s = json_string_value(v);
    if (s == NULL)
        return false;
    size_t want = strlen(s);
    for (size_t at = 1; at + 1 < len;) {
        size_t n = strcspn(type + at, "|'");
        if (n == want && memcmp(type + at, s, n) == 0)
            return true;
        at += n + 1;
    }
    return false;
}

static bool check_value(struct check *c, const char *type, size_t len, const json_t *v,
                        unsigned depth);

/* The field in the path as the services write it: snake_case. */
static size_t path_push(struct check *c, const char *key)
{
    size_t before = c->path.len;
    if (before > 0)
        rd_buf_putc(&c->path, '.');
    for (; *key != '\0'; key++) {
        if (isupper((unsigned char)*key))
            rd_buf_putc(&c->path, '_');
        rd_buf_putc(&c->path, (char)tolower((unsigned char)*key));
    }
    return before;
}

static void path_pop(struct check *c, size_t before)
{
    c->path.len = before;
    if (c->path.data != NULL)
        c->path.data[before] = '\0';
}

static bool check_message(struct check *c, const char *type, size_t len, const json_t *v,
                          unsigned depth)
{
    const char *fields = type_fields(type, len);
    RD_ASSERT(fields != NULL);
    if (!json_is_object(v))
        return fail_value(c, "type.googleapis.com/Message", v);
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)v, key, value) {
        size_t type_len = 0;
        const char *field = field_type(fields, key, &type_len);
        if (field == NULL && c->path.len == 0) {
            c->why = rd_asprintf(
                "Invalid JSON payload received. Unknown name \"%s\": Cannot find field.", key);
            return false;
        }
        if (field == NULL) {
            c->why = rd_asprintf(
                "Invalid JSON payload received. Unknown name \"%s\" at '%s': Cannot find field.",
                key, rd_buf_str(&c->path));
            return false;
        }
        size_t before = path_push(c, key);
        if (!check_value(c, field, type_len, value, depth + 1))
            return false;
        path_pop(c, before);
    }
    return true;
}

static bool check_value(struct check *c, const char *type, size_t len, const json_t *v,
                        unsigned depth)
{
    if (depth > DEPTH_MAX)
        return fail_value(c, "too deep", v);
    if (json_is_null(v))
        return true;
    if (type[0] == '[') {
        if (!json_is_array(v))
            return fail_value(c, "a list", v);
        size_t before = c->path.len;
        for (size_t i = 0; i < json_array_size(v); i++) {
            rd_buf_printf(&c->path, "[%zu]", i);
            if (!check_value(c, type + 1, len - 2, json_array_get(v, i), depth + 1))
                return false;
            path_pop(c, before);
        }
        return true;
    }
    if (type[0] == '{') {
        if (!json_is_object(v))
            return fail_value(c, "a map", v);
        const char *key;
        json_t *value;
        json_object_foreach ((json_t *)v, key, value) {
            if (!check_value(c, type + 3, len - 4, value, depth + 1))
                return false;
        }
        return true;
    }
    if (type[0] == '\'')
        return in_enum(type, len, v) || fail_value(c, "TYPE_ENUM", v);
    if (len > 1)
        return check_message(c, type, len, v, depth);
    switch (type[0]) {
    case 's':
        return json_is_string(v) || fail_value(c, "TYPE_STRING", v);
    case 'b':
        return json_is_boolean(v) || fail_value(c, "TYPE_BOOL", v);
    case 'i':
        return is_integer(v) || fail_value(c, "TYPE_INT32", v);
    case 'l':
        return is_integer(v) || fail_value(c, "TYPE_INT64", v);
    case 'n':
        return json_is_number(v) || fail_value(c, "TYPE_DOUBLE", v);
    case 'm': {
        if (!json_is_object(v))
            return fail_value(c, "a map", v);
        const char *key;
        json_t *value;
        json_object_foreach ((json_t *)v, key, value) {
            if (!json_is_string(value))
                return fail_value(c, "TYPE_STRING", value);
        }
        return true;
    }
    case 'o':
        return true;
    }
    RD_UNREACHABLE();
}

bool schema_check(const char *type, const json_t *body, char **ret_why)
{
    struct check c = {.path = RD_BUF_INIT(64 * 1024)};
    bool ok = check_value(&c, type, strlen(type), body, 0);
    rd_buf_clear(&c.path);
    if (!ok)
        *ret_why = c.why;
    return ok;
}
