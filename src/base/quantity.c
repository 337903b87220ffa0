#include "base/text.h"

#include <string.h>

/* A quantity is sign, decimal number, suffix; the suffix is a power of 1024, a power of ten by
 * letter, or a decimal exponent. We hold it as digits * 10^ten * 2^two and scale once at the end.
 *
 * 20 digits times 2^60 fit in 128 bits, and a result has 19 digits at most, so digits beyond the
 * first 20 can only matter for rounding up. */
#define DIGITS_MAX 20
#define EXPONENT_MAX 100000 /* far past any result, far from overflowing an int */

struct quantity {
    unsigned __int128 digits;
    int ten;
    int two;
    bool more; /* something not zero was cut off */
};

static bool take_number(const char **p, struct quantity *q)
{
    int kept = 0;
    bool any = false, fraction = false;
    for (;; ++*p) {
        if (**p == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (**p < '0' || **p > '9')
            return any;
        any = true;
        if (q->ten > EXPONENT_MAX || q->ten < -EXPONENT_MAX)
            return false;
        unsigned digit = (unsigned)(**p - '0');
        if (kept == DIGITS_MAX) {
            q->more = q->more || digit != 0;
            q->ten += fraction ? 0 : 1;
            continue;
        }
        q->digits = q->digits * 10 + digit;
        q->ten -= fraction ? 1 : 0;
        kept += kept > 0 || digit != 0 ? 1 : 0;
    }
}

static bool take_suffix(const char *p, struct quantity *q)
{
    static const struct {
        const char *name;
        int ten;
        int two;
    } suffixes[] = {
        {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
        {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
        {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(suffixes); i++) {
        if (strcmp(p, suffixes[i].name) == 0) {
            q->ten += suffixes[i].ten;
            q->two = suffixes[i].two;
            return true;
        }
    }
    if (*p != 'e' && *p != 'E')
        return false;
    p++;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    if (*p == '\0')
        return false;
    int exponent = 0;
    for (; *p != '\0'; p++) {
        if (*p < '0' || *p > '9')
            return false;
        exponent = exponent * 10 + (*p - '0');
        if (exponent > EXPONENT_MAX)
            return false;
    }
    q->ten += negative ? -exponent : exponent;
    return true;
}

bool rd_quantity_parse_milli(const char *text, int64_t *ret_milli)
{
    const char *p = text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    struct quantity q = {0};
    if (!take_number(&p, &q) || !take_suffix(p, &q))
        return false;
    q.ten += 3;
    if (q.digits == 0 && !q.more) {
        *ret_milli = 0;
        return true;
    }
    unsigned __int128 value = q.digits << q.two;
    for (; q.ten < 0 && value > 0; q.ten++) {
        q.more = q.more || value % 10 != 0;
        value /= 10;
    }
    for (; q.ten > 0; q.ten--) {
        if (value > INT64_MAX)
            return false;
        value *= 10;
    }
    /* Away from zero, as the API server does: who asks for little must not get nothing. */
    if (q.more)
        value++;
    if (value > INT64_MAX)
        return false;
    *ret_milli = negative ? -(int64_t)value : (int64_t)value;
    return true;
}
