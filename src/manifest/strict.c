#include "manifest/resolve_parts.h"

#include <ctype.h>
#include <string.h>

/* -?(0|[1-9][0-9]*), and what follows it. */
static bool canonical_int(const char *s, const char **ret_rest)
{
    s += *s == '-';
    if (!isdigit((unsigned char)*s))
        return false;
    s += *s == '0' ? 1 : strspn(s, "0123456789");
    *ret_rest = s;
    return true;
}

static bool canonical_float(const char *s)
{
    const char *p;
    if (!canonical_int(s, &p) || *p++ != '.')
        return false;
    size_t n = strspn(p, "0123456789");
    if (n == 0)
        return false;
    p += n;
    if (*p == 'e' || *p == 'E') { /* readers differ about an exponent without a sign */
        p++;
        if (*p != '+' && *p != '-')
            return false;
        p++;
        n = strspn(p, "0123456789");
        if (n == 0)
            return false;
        p += n;
    }
    return *p == '\0';
}

/* Base 60 of YAML 1.1: 1:30, 190:20:30.15 */
static bool looks_like_base_60(const char *s)
{
    s += *s == '+' || *s == '-';
    if (!isdigit((unsigned char)*s))
        return false;
    s += strspn(s, "0123456789_");
    if (*s != ':')
        return false;
    while (*s == ':') {
        s++;
        size_t n = strspn(s, "0123456789");
        if (n == 0 || n > 2 || (n == 2 && s[0] > '5'))
            return false;
        s += n;
    }
    if (*s == '.')
        s += 1 + strspn(s + 1, "0123456789_");
    return *s == '\0';
}

/* What some reader or other takes for a number: 1_000, 0x1f, 0b1, 0o17, 1e999. */
static bool looks_numeric(const char *s)
{
    char digits[NUMBER_MAX + 1];
    size_t n = 0;
    size_t len = strlen(s);
    if (len == 0)
        return false;
    if (len > NUMBER_MAX)
        return s[strspn(s, "0123456789_.,+-eE")] == '\0' && strpbrk(s, "0123456789");
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '_' && s[i] != ',')
            digits[n++] = s[i];
    }
    digits[n] = '\0';
    struct scalar ignored;
    return s[0] != ',' && s[0] != '_' && s[strspn(s, "+-")] != ',' &&
           (scalar_number_int(&ignored, digits) || scalar_number_float_syntax(digits));
}

const char *scalar_resolve_strict(struct scalar *ret, const char *text, size_t len, bool plain)
{
    *ret = (struct scalar){.type = SCALAR_STRING, .text = text, .len = len};
    if (memchr(text, '\0', len)) /* "a\0b" is "a" to whoever reads on */
        return "is cut by a NUL character";
    if (!plain)
        return NULL;
    if (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0) {
        ret->type = SCALAR_NULL;
        return NULL;
    }
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        ret->type = SCALAR_BOOL;
        ret->b = *text == 't';
        return NULL;
    }
    const char *rest;
    if (len <= NUMBER_MAX && canonical_int(text, &rest) && !*rest)
        return scalar_number_int(ret, text) && ret->type == SCALAR_INT
                   ? NULL
                   : "is an integer beyond 64 bits: quote it";
    if (len <= NUMBER_MAX && canonical_float(text))
        return scalar_number_float(ret, text) ? NULL : "is a number out of range: quote it";
    scalar_resolve_any(ret);
    if (ret->type != SCALAR_STRING)
        return "means different things to different YAML readers: quote it";
    if (scalar_looks_like_date(text) || looks_like_base_60(text) || looks_numeric(text) ||
        strcmp(text, "=") == 0 || strcmp(text, "<<") == 0)
        return "means different things to different YAML readers: quote it";
    return NULL;
}
