#include "base/json.h"

#include "base/alloc.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

json_t *rd_json_pack(const char *fmt, ...)
{
    json_error_t error;
    va_list ap;
    va_start(ap, fmt);
    json_t *v = json_vpack_ex(&error, 0, fmt, ap);
    va_end(ap);
    if (v == NULL) {
        RD_AUTOFREE char *what = rd_asprintf("json pack \"%s\": %s", fmt, error.text);
        rd_assert_failed(what, __FILE__, __LINE__);
    }
    return v;
}

static json_t *json_parse(const char *data, size_t len, size_t flags, const char *what,
                          struct rd_err **reterr)
{
    json_error_t error;
    json_t *v = json_loadb(len > 0 ? data : "", len, flags, &error);
    if (v != NULL)
        return v;
    if (len == 0) {
        rd_fail(reterr, RD_ERR_INPUT, "%s is not JSON: it is empty", what);
        return NULL;
    }
    /* jansson quotes the input in its message, and the input may be anything. */
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(4 * JSON_ERROR_TEXT_LENGTH);
    rd_text_escape(&text, error.text, strlen(error.text), false);
    if (error.line > 0)
        rd_fail(reterr, RD_ERR_INPUT, "%s is not JSON: line %d column %d: %s", what, error.line,
                error.column, rd_buf_str(&text));
    else
        rd_fail(reterr, RD_ERR_INPUT, "%s is not JSON: %s", what, rd_buf_str(&text));
    return NULL;
}

json_t *rd_json_parse(const char *data, size_t len, const char *what, struct rd_err **reterr)
{
    return json_parse(data, len, 0, what, reterr);
}

json_t *rd_json_parse_own(const char *data, size_t len, const char *what, struct rd_err **reterr)
{
    return json_parse(data, len, JSON_REJECT_DUPLICATES, what, reterr);
}

char *rd_json_dump(const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    RD_ASSERT(text != NULL);
    return text;
}

static json_t *json_walk(const json_t *root, va_list ap)
{
    json_t *v = (json_t *)root;
    const char *key;
    while (v != NULL && (key = va_arg(ap, const char *)) != NULL)
        v = json_object_get(v, key);
    return v;
}

json_t *rd_json_get(const json_t *root, ...)
{
    va_list ap;
    va_start(ap, root);
    json_t *v = json_walk(root, ap);
    va_end(ap);
    return v;
}

const char *rd_json_str(const json_t *root, ...)
{
    va_list ap;
    va_start(ap, root);
    json_t *v = json_walk(root, ap);
    va_end(ap);
    return json_string_value(v);
}

json_t *rd_json_path(const json_t *root, const char *dotted)
{
    json_t *v = (json_t *)root;
    while (v != NULL) {
        size_t n = strcspn(dotted, ".");
        v = json_object_getn(v, dotted, n);
        if (dotted[n] == '\0')
            break;
        dotted += n + 1;
    }
    return v;
}

const char *rd_json_path_str(const json_t *root, const char *dotted)
{
    return json_string_value(rd_json_path(root, dotted));
}

json_int_t rd_json_path_int(const json_t *root, const char *dotted, json_int_t otherwise)
{
    json_t *v = rd_json_path(root, dotted);
    if (json_is_integer(v))
        return json_integer_value(v);
    if (json_is_real(v)) {
        double d = json_real_value(v);
        /* 2^63 itself does not fit; both bounds are exact doubles. */
        if (d >= -0x1p63 && d < 0x1p63 && floor(d) == d)
            return (json_int_t)d;
    }
    return otherwise;
}

bool rd_json_path_bool(const json_t *root, const char *dotted, bool otherwise)
{
    json_t *v = rd_json_path(root, dotted);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

void rd_json_path_set(json_t *root, const char *dotted, json_t *value)
{
    RD_ASSERT(json_is_object(root));
    RD_ASSERT(value != NULL);
    json_t *at = root;
    int failed;
    for (;;) {
        size_t n = strcspn(dotted, ".");
        RD_ASSERT(n > 0);
        if (dotted[n] == '\0') {
            failed = json_object_setn_new(at, dotted, n, value);
            RD_ASSERT(failed == 0);
            return;
        }
        json_t *next = json_object_getn(at, dotted, n);
        if (!json_is_object(next)) {
            next = json_object();
            failed = json_object_setn_new(at, dotted, n, next);
            RD_ASSERT(failed == 0);
        }
        at = next;
        dotted += n + 1;
    }
}

json_t *rd_json_condition(const json_t *object, const char *type)
{
    size_t i;
    json_t *condition;
    json_array_foreach (rd_json_get(object, "status", "conditions", NULL), i, condition) {
        if (rd_streq(rd_json_str(condition, "type", NULL), type))
            return condition;
    }
    return NULL;
}

void rd_json_decrefp(json_t **v)
{
    json_decref(*v);
    *v = NULL;
}
