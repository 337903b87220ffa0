#include "manifest/resolve.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/encode.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer texts are never numbers: their conversion would cost more than linear time. */
#define NUMBER_MAX 1024

#define TAG_PREFIX "tag:yaml.org,2002:"

static const struct {
    const char *text;
    enum scalar_type type;
    bool value;
} words[] = {
    {"y", SCALAR_BOOL, true},      {"Y", SCALAR_BOOL, true},      {"yes", SCALAR_BOOL, true},
    {"Yes", SCALAR_BOOL, true},    {"YES", SCALAR_BOOL, true},    {"true", SCALAR_BOOL, true},
    {"True", SCALAR_BOOL, true},   {"TRUE", SCALAR_BOOL, true},   {"on", SCALAR_BOOL, true},
    {"On", SCALAR_BOOL, true},     {"ON", SCALAR_BOOL, true},     {"n", SCALAR_BOOL, false},
    {"N", SCALAR_BOOL, false},     {"no", SCALAR_BOOL, false},    {"No", SCALAR_BOOL, false},
    {"NO", SCALAR_BOOL, false},    {"false", SCALAR_BOOL, false}, {"False", SCALAR_BOOL, false},
    {"FALSE", SCALAR_BOOL, false}, {"off", SCALAR_BOOL, false},   {"Off", SCALAR_BOOL, false},
    {"OFF", SCALAR_BOOL, false},   {"", SCALAR_NULL, false},      {"~", SCALAR_NULL, false},
    {"null", SCALAR_NULL, false},  {"Null", SCALAR_NULL, false},  {"NULL", SCALAR_NULL, false},
};

static bool resolve_word(struct scalar *s, const char *text)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(words); i++) {
        if (strcmp(words[i].text, text) == 0) {
            s->type = words[i].type;
            s->b = words[i].value;
            return true;
        }
    }
    const char *rest = text + (*text == '+' || *text == '-');
    if (strcmp(rest, ".inf") == 0 || strcmp(rest, ".Inf") == 0 || strcmp(rest, ".INF") == 0) {
        s->type = SCALAR_FLOAT;
        s->d = *text == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (strcmp(text, ".nan") == 0 || strcmp(text, ".NaN") == 0 || strcmp(text, ".NAN") == 0) {
        s->type = SCALAR_FLOAT;
        s->d = NAN;
        return true;
    }
    return false;
}

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

static bool resolve_int(struct scalar *s, const char *text)
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
static bool float_syntax(const char *s)
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

static bool resolve_float(struct scalar *s, const char *text)
{
    if (!float_syntax(text))
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

static bool resolve_number(struct scalar *s, const char *text, size_t len)
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
        return resolve_float(s, digits);
    return resolve_int(s, digits) || resolve_float(s, digits) || resolve_binary(s, digits);
}

/* yyyy-m-d, alone or followed by a time. */
static bool looks_like_date(const char *s)
{
    for (int i = 0; i < 4; i++) {
        if (!isdigit((unsigned char)*s++))
            return false;
    }
    for (int part = 0; part < 2; part++) {
        if (*s++ != '-' || !isdigit((unsigned char)*s++))
            return false;
        s += isdigit((unsigned char)*s) != 0;
    }
    return !*s || *s == 'T' || *s == 't' || *s == ' ';
}

/* The type of a scalar that may be anything. */
static void resolve_any(struct scalar *s)
{
    s->type = SCALAR_STRING;
    if (memchr(s->text, '\0', s->len))
        return;
    if (!resolve_word(s, s->text) && s->len > 0 && strchr("+-.0123456789", s->text[0]) &&
        !resolve_number(s, s->text, s->len))
        s->type = SCALAR_STRING;
}

/* Bytes that are not UTF-8 become U+FFFD one by one, as in Go's encoding of JSON. */
static void replace_invalid(struct rd_buf *out, const char *s, size_t len)
{
    while (len > 0) {
        size_t n = 1;
        while (n < 4 && n < len && ((unsigned char)s[n] & 0xc0) == 0x80)
            n++;
        while (n > 1 && !rd_utf8_valid(s, n))
            n--;
        if (rd_utf8_valid(s, n))
            rd_buf_append(out, s, n);
        else
            rd_buf_puts(out, "\xef\xbf\xbd");
        s += n;
        len -= n;
    }
}

static bool base64_strict(const char *s, size_t len)
{
    size_t n = 0;
    size_t pad = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\n' || s[i] == '\r')
            continue;
        if (s[i] == '=')
            pad++;
        else if (pad > 0 || !(isalnum((unsigned char)s[i]) || s[i] == '+' || s[i] == '/'))
            return false;
        n++;
    }
    return n % 4 == 0 && pad <= 2;
}

static const char *resolve_binary_tag(struct scalar *s)
{
    size_t len = 0;
    unsigned char *raw = NULL;
    if (base64_strict(s->text, s->len))
        raw = rd_base64_decode(s->text, s->len, &len);
    if (!raw)
        return "!!binary value is not base64";
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    replace_invalid(&b, (const char *)raw, len);
    free(raw);
    s->bytes = rd_buf_take(&b, &s->bytes_len);
    return NULL;
}

const char *scalar_resolve_foreign(struct scalar *ret, const char *text, size_t len,
                                   const char *tag, bool plain)
{
    *ret = (struct scalar){.type = SCALAR_STRING, .text = text, .len = len};
    if (!tag) {
        if (plain)
            resolve_any(ret);
        return NULL;
    }
    /* A tag this library does not know makes text, whatever it is. */
    if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) != 0)
        return NULL;
    const char *word = tag + strlen(TAG_PREFIX);
    if (strcmp(word, "binary") == 0)
        return resolve_binary_tag(ret);
    if (strcmp(word, "timestamp") == 0)
        return looks_like_date(text) ? NULL : "!!timestamp value is not a date";
    if (strcmp(word, "bool") == 0) {
        resolve_any(ret);
        return ret->type == SCALAR_BOOL ? NULL : "!!bool value is not a boolean";
    }
    if (strcmp(word, "null") == 0) {
        resolve_any(ret);
        return ret->type == SCALAR_NULL ? NULL : "!!null value is not null";
    }
    if (strcmp(word, "int") == 0) {
        resolve_any(ret);
        bool fits = ret->type == SCALAR_INT || ret->type == SCALAR_UINT;
        return fits ? NULL : "!!int value is not an integer";
    }
    if (strcmp(word, "float") == 0) {
        resolve_any(ret);
        if (ret->type == SCALAR_INT) {
            double d = (double)ret->i;
            ret->type = SCALAR_FLOAT;
            ret->d = d;
        }
        return ret->type == SCALAR_FLOAT ? NULL : "!!float value is not a number";
    }
    return NULL;
}

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
           (resolve_int(&ignored, digits) || float_syntax(digits));
}

const char *scalar_resolve_strict(struct scalar *ret, const char *text, size_t len, bool plain)
{
    *ret = (struct scalar){.type = SCALAR_STRING, .text = text, .len = len};
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
        return resolve_int(ret, text) && ret->type == SCALAR_INT
                   ? NULL
                   : "is an integer beyond 64 bits: quote it";
    if (len <= NUMBER_MAX && canonical_float(text))
        return resolve_float(ret, text) ? NULL : "is a number out of range: quote it";
    resolve_any(ret);
    if (ret->type != SCALAR_STRING)
        return "means different things to different YAML readers: quote it";
    if (looks_like_date(text) || looks_like_base_60(text) || looks_numeric(text) ||
        strcmp(text, "=") == 0 || strcmp(text, "<<") == 0)
        return "means different things to different YAML readers: quote it";
    return NULL;
}

void scalar_clear(struct scalar *s)
{
    free(s->bytes);
    s->bytes = NULL;
}

/* The shortest digits that read back as the same number: 0.d1d2d3... times 10^point. */
struct shortest {
    bool negative;
    char digits[24];
    size_t len;
    int point;
};

static void shortest_digits(double d, bool single, struct shortest *ret)
{
    char text[40];
    int max = single ? 9 : 17;
    for (int n = 1; n <= max; n++) {
        snprintf(text, sizeof(text), "%.*e", n - 1, d);
        if (single ? strtof(text, NULL) == (float)d : strtod(text, NULL) == d)
            break;
    }
    *ret = (struct shortest){.negative = signbit(d) != 0};
    const char *p = text + (text[0] == '-');
    for (; *p && *p != 'e'; p++) {
        if (isdigit((unsigned char)*p))
            ret->digits[ret->len++] = *p;
    }
    ret->point = atoi(p + 1) + 1;
}

json_t *scalar_json_number(double d)
{
    if (!isfinite(d))
        return NULL;
    if (d == trunc(d) && fabs(d) < 1e19) {
        /* Not the cast: the library prints the shortest digits and pads with zeros, which is what
         * the server then reads. */
        struct shortest s;
        shortest_digits(d, false, &s);
        char text[48];
        int zeros = s.point - (int)s.len;
        if (d == 0)
            return json_integer(0);
        if (zeros >= 0) {
            snprintf(text, sizeof(text), "%s%.*s%.*s", s.negative ? "-" : "", (int)s.len, s.digits,
                     zeros, "00000000000000000000");
            errno = 0;
            long long v = strtoll(text, NULL, 10);
            if (errno == 0)
                return json_integer(v);
        } else {
            return json_integer((json_int_t)d);
        }
    }
    return json_real(d);
}

json_t *scalar_to_json(const struct scalar *s)
{
    switch (s->type) {
    case SCALAR_NULL:
        return json_null();
    case SCALAR_BOOL:
        return json_boolean(s->b);
    case SCALAR_INT:
        return json_integer(s->i);
    case SCALAR_UINT:
        return json_real((double)s->u);
    case SCALAR_FLOAT:
        return scalar_json_number(s->d);
    case SCALAR_STRING:
        return s->bytes ? json_stringn(s->bytes, s->bytes_len) : json_stringn(s->text, s->len);
    case SCALAR_TYPE_MAX:
        break;
    }
    RD_UNREACHABLE();
}

/* A float key is printed in single precision, %g-like, as that library does. */
static char *float_key(double d)
{
    if (isnan(d))
        return rd_strdup(".nan");
    float f = (float)d;
    if (isinf(f))
        return rd_strdup(f < 0 ? "-.inf" : ".inf");
    if (f == 0)
        return rd_strdup(signbit(f) ? "-0" : "0");
    struct shortest s;
    shortest_digits((double)f, true, &s);
    while (s.len > 1 && s.digits[s.len - 1] == '0')
        s.len--;
    const char *sign = s.negative ? "-" : "";
    int exponent = s.point - 1;
    int len = (int)s.len;
    if (exponent < -4 || exponent >= 6)
        return rd_asprintf("%s%c%s%.*se%c%02d", sign, s.digits[0], len > 1 ? "." : "", len - 1,
                           s.digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
    if (s.point <= 0)
        return rd_asprintf("%s0.%.*s%.*s", sign, -s.point, "0000000000", len, s.digits);
    if (len <= s.point)
        return rd_asprintf("%s%.*s%.*s", sign, len, s.digits, s.point - len, "00000000");
    return rd_asprintf("%s%.*s.%.*s", sign, s.point, s.digits, len - s.point, s.digits + s.point);
}

char *scalar_to_key(const struct scalar *s, size_t *ret_len)
{
    char *key = NULL;
    switch (s->type) {
    case SCALAR_NULL:
    case SCALAR_UINT:
        return NULL;
    case SCALAR_BOOL:
        key = rd_strdup(s->b ? "true" : "false");
        break;
    case SCALAR_INT:
        key = rd_asprintf("%lld", (long long)s->i);
        break;
    case SCALAR_FLOAT:
        key = float_key(s->d);
        break;
    case SCALAR_STRING: {
        size_t len = s->bytes ? s->bytes_len : s->len;
        key = rd_malloc(len + 1);
        memcpy(key, s->bytes ? s->bytes : s->text, len);
        key[len] = '\0';
        *ret_len = len;
        return key;
    }
    case SCALAR_TYPE_MAX:
        RD_UNREACHABLE();
    }
    *ret_len = strlen(key);
    return key;
}
