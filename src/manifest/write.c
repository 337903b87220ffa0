#include "manifest/yaml.h"

#include "manifest/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jansson's own ceiling for what it parses. */
#define DEPTH_MAX 2048
/* libyaml takes a longer key only behind a question mark. */
#define SIMPLE_KEY_MAX 120

static bool plain_ok(const char *s, size_t len)
{
    struct scalar x;
    if (len == 0 || len > 512 || strncmp(s, "...", 3) == 0)
        return false;
    const char *problem = scalar_resolve_strict(&x, s, len, true);
    if (problem || x.type != SCALAR_STRING)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c < 0x20 || c > 0x7e)
            return false;
        if (i == 0 && !alnum && !strchr("/._$(", c))
            return false;
        if (c == ':' && (i + 1 == len || s[i + 1] == ' '))
            return false;
        if (c == '#' && s[i - 1] == ' ')
            return false;
    }
    return s[len - 1] != ' ';
}

/* The code point at s (valid UTF-8) and its length. */
static unsigned code_point(const char *s, size_t *ret_len)
{
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80) {
        *ret_len = 1;
        return u[0];
    }
    size_t n = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    unsigned c = u[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (u[i] & 0x3fu);
    *ret_len = n;
    return c;
}

/* Not text to YAML, a line break to it, or invisible. */
static bool must_escape(unsigned c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
           (c & 0xfffe) == 0xfffe;
}

static void write_quoted(struct rd_buf *out, const char *s, size_t len)
{
    rd_buf_putc(out, '"');
    for (size_t i = 0, n; i < len; i += n) {
        unsigned c = code_point(s + i, &n);
        if (c == '\n')
            rd_buf_puts(out, "\\n");
        else if (c == '\t')
            rd_buf_puts(out, "\\t");
        else if (c == '"' || c == '\\')
            rd_buf_printf(out, "\\%c", (int)c);
        else if (!must_escape(c))
            rd_buf_append(out, s + i, n);
        else if (c > 0xffff)
            rd_buf_printf(out, "\\U%08X", c);
        else if (c > 0xff)
            rd_buf_printf(out, "\\u%04X", c);
        else
            rd_buf_printf(out, "\\x%02X", c);
    }
    rd_buf_putc(out, '"');
}

static bool literal_ok(const char *s, size_t len)
{
    if (len < 2 || strchr(" \t\n", s[0]) || !memchr(s, '\n', len))
        return false;
    for (size_t i = 0, n; i < len; i += n) {
        unsigned c = code_point(s + i, &n);
        if (c != '\n' && c != '\t' && must_escape(c))
            return false;
    }
    return true;
}

static void indent(struct rd_buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rd_buf_putc(out, ' ');
}

/* Ends with a newline. */
static void write_literal(struct rd_buf *out, const char *s, size_t len, size_t column)
{
    bool ends = s[len - 1] == '\n';
    bool blank_end = ends && s[len - 2] == '\n';
    rd_buf_puts(out, !ends ? "|-\n" : blank_end ? "|+\n" : "|\n");
    for (const char *p = s, *end = s + len; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
        if (n > 0)
            indent(out, column);
        rd_buf_append(out, p, n);
        rd_buf_putc(out, '\n');
        p += n + 1;
    }
}

static void write_string(struct rd_buf *out, const char *s, size_t len)
{
    if (plain_ok(s, len))
        rd_buf_append(out, s, len);
    else
        write_quoted(out, s, len);
}

/* Digits, a point, digits, and an exponent only with its sign: the form all readers agree about. */
static void write_real(struct rd_buf *out, double d)
{
    char text[40];
    for (int n = 15; n <= 17; n++) {
        snprintf(text, sizeof(text), "%.*g", n, d);
        if (strtod(text, NULL) == d)
            break;
    }
    size_t digits = strspn(text, "-0123456789.");
    rd_buf_append(out, text, digits);
    if (!memchr(text, '.', digits))
        rd_buf_puts(out, ".0");
    rd_buf_puts(out, text + digits);
}

static void write_scalar(struct rd_buf *out, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        write_string(out, json_string_value(v), json_string_length(v));
        return;
    case JSON_INTEGER:
        rd_buf_printf(out, "%lld", (long long)json_integer_value(v));
        return;
    case JSON_REAL:
        write_real(out, json_real_value(v));
        return;
    case JSON_TRUE:
        rd_buf_puts(out, "true");
        return;
    case JSON_FALSE:
        rd_buf_puts(out, "false");
        return;
    case JSON_NULL:
        rd_buf_puts(out, "null");
        return;
    case JSON_OBJECT:
        rd_buf_puts(out, "{}");
        return;
    case JSON_ARRAY:
        rd_buf_puts(out, "[]");
        return;
    }
    RD_UNREACHABLE();
}

static bool is_container(const json_t *v)
{
    return json_object_size(v) > 0 || json_array_size(v) > 0;
}

static void write_block(struct rd_buf *out, const json_t *v, size_t column, bool indented,
                        size_t depth);

/* What follows "key:" or "-", up to and with the newline. `same_line` lets a container begin behind
 * the dash. */
static void write_value(struct rd_buf *out, const json_t *v, size_t column, bool same_line,
                        size_t depth)
{
    if (is_container(v)) {
        rd_buf_putc(out, same_line ? ' ' : '\n');
        write_block(out, v, column, same_line, depth + 1);
        return;
    }
    rd_buf_putc(out, ' ');
    if (json_is_string(v) && literal_ok(json_string_value(v), json_string_length(v))) {
        write_literal(out, json_string_value(v), json_string_length(v), column);
        return;
    }
    write_scalar(out, v);
    rd_buf_putc(out, '\n');
}

/* `indented`: the block begins behind a dash, in its column already. */
static void write_block(struct rd_buf *out, const json_t *v, size_t column, bool indented,
                        size_t depth)
{
    RD_ASSERT(depth < DEPTH_MAX);
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            if (!indented)
                indent(out, column);
            indented = false;
            rd_buf_putc(out, '-');
            write_value(out, json_array_get(v, i), column + 2, true, depth);
        }
        return;
    }
    const char *key;
    json_t *child;
    json_object_foreach ((json_t *)v, key, child) {
        if (!indented)
            indent(out, column);
        indented = false;
        size_t len = strlen(key);
        if (len > SIMPLE_KEY_MAX) {
            rd_buf_puts(out, "? ");
            write_quoted(out, key, len);
            rd_buf_putc(out, '\n');
            indent(out, column);
        } else {
            write_string(out, key, len);
        }
        rd_buf_putc(out, ':');
        /* A list stays in the column of its key, as the field writes it. */
        write_value(out, child, json_is_array(child) ? column : column + 2, false, depth);
    }
}

static void write_comment(struct rd_buf *out, const char *comment)
{
    for (const char *p = comment; *p;) {
        size_t n = strcspn(p, "\n");
        rd_buf_puts(out, n ? "# " : "#");
        for (size_t i = 0; i < n; i++)
            rd_buf_putc(out, (unsigned char)p[i] < 0x20 ? '?' : p[i]);
        rd_buf_putc(out, '\n');
        p += n + (p[n] == '\n');
    }
}

void yaml_write(struct rd_buf *out, const json_t *root, const char *comment)
{
    if (comment)
        write_comment(out, comment);
    if (is_container(root)) {
        write_block(out, root, 0, false, 0);
        return;
    }
    write_scalar(out, root);
    rd_buf_putc(out, '\n');
}
