#include "manifest/resolve.h"

#include "base/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
