#include "manifest/json_stream.h"

#include "manifest/resolve.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool json_stream_opens(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && is_space(text[i]))
        i++;
    return i < len && text[i] == '{';
}

void json_stream_skip_space(const char *text, size_t len, size_t *pos, int *line)
{
    for (; *pos < len && is_space(text[*pos]); (*pos)++)
        *line += text[*pos] == '\n';
}

void json_stream_skip_line(const char *text, size_t len, size_t *pos, int *line)
{
    while (*pos < len && is_space(text[*pos])) {
        if (text[(*pos)++] == '\n') {
            (*line)++;
            return;
        }
    }
}

/* Upper bounds of what a value holds, from its punctuation alone. */
struct census {
    size_t nodes;
    size_t depth;
};

static bool take_census(const char *text, size_t len, struct census *ret)
{
    *ret = (struct census){.nodes = 1};
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
            continue;
        }
        switch (c) {
        case '"':
            quoted = true;
            break;
        case '{':
        case '[':
            ret->nodes++;
            if (++depth > ret->depth)
                ret->depth = depth;
            break;
        case ',':
            ret->nodes++;
            break;
        case '}':
        case ']':
            if (depth <= 1)
                return depth == 1;
            depth--;
            break;
        }
    }
    return false;
}

static json_t *integral(json_t *v)
{
    return json_is_real(v) ? scalar_json_number(json_real_value(v)) : NULL;
}

/* The depth is known to be within depth_max. */
static void make_integral(json_t *v)
{
    const char *key;
    json_t *child;
    size_t i;
    if (json_is_object(v)) {
        json_object_foreach (v, key, child) {
            json_t *number = integral(child);
            if (number)
                json_object_iter_set_new(v, json_object_key_to_iter(key), number);
            else
                make_integral(child);
        }
    } else if (json_is_array(v)) {
        json_array_foreach (v, i, child) {
            json_t *number = integral(child);
            if (number)
                json_array_set_new(v, i, number);
            else
                make_integral(child);
        }
    }
}

enum json_stream_result json_stream_next(const char *text, size_t len, size_t depth_max,
                                         size_t *nodes_left, json_t **ret_value, size_t *ret_used)
{
    struct census census;
    if (!take_census(text, len, &census))
        return JSON_STREAM_OTHER;
    if (census.depth > depth_max)
        return JSON_STREAM_DEEP;
    if (census.nodes > *nodes_left)
        return JSON_STREAM_LARGE;
    json_error_t error;
    json_t *value = json_loadb(text, len, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
    /* An integer beyond 64 bits is for the YAML reader, which makes a float of it. */
    if (!value)
        return json_error_code(&error) == json_error_numeric_overflow && strstr(error.text, "real")
                   ? JSON_STREAM_RANGE
                   : JSON_STREAM_OTHER;
    *nodes_left -= census.nodes;
    make_integral(value);
    *ret_value = value;
    *ret_used = (size_t)error.position;
    return JSON_STREAM_VALUE;
}
