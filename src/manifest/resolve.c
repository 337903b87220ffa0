#include "manifest/resolve_parts.h"

#include "base/buf.h"
#include "base/encode.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* yyyy-m-d, alone or followed by a time. */
bool scalar_looks_like_date(const char *s)
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
void scalar_resolve_any(struct scalar *s)
{
    s->type = SCALAR_STRING;
    if (memchr(s->text, '\0', s->len))
        return;
    if (!resolve_word(s, s->text) && s->len > 0 && strchr("+-.0123456789", s->text[0]) &&
        !scalar_number_any(s, s->text, s->len))
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
            scalar_resolve_any(ret);
        return NULL;
    }
    /* A tag this library does not know makes text, whatever it is. */
    if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) != 0)
        return NULL;
    const char *word = tag + strlen(TAG_PREFIX);
    if (strcmp(word, "binary") == 0)
        return resolve_binary_tag(ret);
    if (strcmp(word, "timestamp") == 0)
        return scalar_looks_like_date(text) ? NULL : "!!timestamp value is not a date";
    if (strcmp(word, "bool") == 0) {
        scalar_resolve_any(ret);
        return ret->type == SCALAR_BOOL ? NULL : "!!bool value is not a boolean";
    }
    if (strcmp(word, "null") == 0) {
        scalar_resolve_any(ret);
        return ret->type == SCALAR_NULL ? NULL : "!!null value is not null";
    }
    if (strcmp(word, "int") == 0) {
        scalar_resolve_any(ret);
        bool fits = ret->type == SCALAR_INT || ret->type == SCALAR_UINT;
        return fits ? NULL : "!!int value is not an integer";
    }
    if (strcmp(word, "float") == 0) {
        scalar_resolve_any(ret);
        if (ret->type == SCALAR_INT) {
            double d = (double)ret->i;
            ret->type = SCALAR_FLOAT;
            ret->d = d;
        }
        return ret->type == SCALAR_FLOAT ? NULL : "!!float value is not a number";
    }
    return NULL;
}
