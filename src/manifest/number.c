#include "manifest/resolve_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return 99;
}

/* Unsigned digits of one base, nothing around them. */
static bool parse_digits(const char *s, unsigned base, uint64_t *ret)
{
    uint64_t v = 0;
    for (; *s; s++) {
        unsigned d = (unsigned)digit_value(*s);
        if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
    }
    *ret = v;
    return true;
}

/* Digits with the prefixes of Go's base 0: 0b, 0o, 0x in either case, and a bare 0 for octal. */
static bool parse_magnitude(const char *s, uint64_t *ret)
{
    if (!*s)
        return false;
    if (*s != '0')
        return parse_digits(s, 10, ret);
    unsigned base = 8;
    const char *digits = s + 1;
    if (s[1] && s[2]) {
        switch (s[1]) {
        case 'b':
        case 'B':
            base = 2;
            break;
        case 'o':
        case 'O':
            base = 8;
            break;
        case 'x':
        case 'X':
            base = 16;
            break;
        default:
            return parse_digits(digits, base, ret);
        }
        digits = s + 2;
    }
    return parse_digits(digits, base, ret);
}

static bool set_int(struct scalar *s, bool negative, uint64_t v)
{
    if (!negative && v > INT64_MAX)
        return false;
    if (negative && v > (uint64_t)INT64_MAX + 1)
        return false;
    s->type = SCALAR_INT;
    s->i = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool scalar_number_int(struct scalar *s, const char *text)
{
    bool sign = *text == '+' || *text == '-';
    uint64_t v;
    if (!parse_magnitude(text + sign, &v))
        return false;
    if (set_int(s, *text == '-', v))
        return true;
    if (sign)
        return false;
    s->type = SCALAR_UINT;
    s->u = v;
    return true;
}

/* [-+]?(.digits | digits[.digits?])([eE][-+]?digits)? */
bool scalar_number_float_syntax(const char *s)
{
    s += *s == '+' || *s == '-';
    size_t before = strspn(s, "0123456789");
    s += before;
    if (*s == '.') {
        s++;
        size_t after = strspn(s, "0123456789");
        if (before + after == 0)
            return false;
        s += after;
    } else if (before == 0) {
        return false;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        size_t n = strspn(s, "0123456789");
        if (n == 0)
            return false;
        s += n;
    }
    return *s == '\0';
}

bool scalar_number_float(struct scalar *s, const char *text)
{
    if (!scalar_number_float_syntax(text))
        return false;
    double d = strtod(text, NULL);
    if (isinf(d))
        return false;
    s->type = SCALAR_FLOAT;
    s->d = d;
    return true;
}

/* A second chance for 0b and a sign behind it ("0b-101"), which that library grants. */
static bool resolve_binary(struct scalar *s, const char *text)
{
    bool outer = text[0] == '-';
    const char *p = text + outer;
    if (p[0] != '0' || p[1] != 'b')
        return false;
    p += 2;
    bool negative = outer;
    if (!outer && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    uint64_t v;
    return *p && parse_digits(p, 2, &v) && set_int(s, negative, v);
}

bool scalar_number_any(struct scalar *s, const char *text, size_t len)
{
    if (len > NUMBER_MAX)
        return false;
    char digits[NUMBER_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '_')
            digits[n++] = text[i];
        else if (*text == '.' &&
                 !(isdigit((unsigned char)text[i - 1]) && isdigit((unsigned char)text[i + 1])))
            return false; /* behind a leading point they stand between digits only */
    }
    digits[n] = '\0';
    if (*text == '.')
        return scalar_number_float(s, digits);
    return scalar_number_int(s, digits) || scalar_number_float(s, digits) ||
           resolve_binary(s, digits);
}
