#include "base/text.h"

#include "base/alloc.h"
#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

bool rd_streq(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

bool rd_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool rd_ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

/* Only the last star ever needs another try: an earlier one has already matched as little as it
 * can. So the cost is at most the product of the lengths. */
bool rd_glob_match(const char *pattern, const char *s)
{
    const char *star = NULL, *star_s = NULL;
    while (*s != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            star_s = s;
        } else if (*pattern == '?' || (*pattern != '\0' && *pattern == *s)) {
            pattern++;
            s++;
        } else if (star != NULL) {
            pattern = star + 1;
            s = ++star_s;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

#define NEAREST_MAX 64

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours, letter case aside. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][NEAREST_MAX + 1];
    RD_ASSERT(nb <= NEAREST_MAX);
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            size_t best = min_size(up[j - 1] + (same ? 0 : 1), min_size(up[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                best = min_size(best, up2[j - 2] + 1);
            row[j] = best;
        }
    }
    return rows[na % 3][nb];
}

const char *rd_text_nearest(const char *word, const char *const *words)
{
    size_t n = strlen(word);
    if (n == 0 || n > NEAREST_MAX)
        return NULL;
    /* Near means that most of the word is there: 1 edit in 3 letters, at most 3. */
    size_t limit = min_size((n + 2) / 3, 3);
    const char *nearest = NULL;
    for (; *words != NULL; words++) {
        size_t m = strlen(*words);
        if (m > NEAREST_MAX)
            continue;
        size_t distance = edit_distance(word, n, *words, m);
        if (distance < m && distance <= limit && (nearest == NULL || distance < limit)) {
            nearest = *words;
            limit = distance;
        }
    }
    return nearest;
}

/* Marks that reorder the text around them can make a line read as something else. */
static bool turns_direction(uint32_t code)
{
    return code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void rd_text_escape(struct rd_buf *out, const char *s, size_t len, bool keep_newlines)
{
    size_t plain = 0; /* bytes before s that go out as they are */
    while (len > 0) {
        uint32_t code = 0;
        size_t n = rd_utf8_next(s, len, &code);
        bool blank = code == '\n' || code == '\t';
        bool escape = n == 0 || code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 ||
                      code == 0x2029 || turns_direction(code);
        if (!escape || (n > 0 && blank && keep_newlines)) {
            s += n;
            len -= n;
            plain += n;
            continue;
        }
        rd_buf_append(out, s - plain, plain);
        plain = 0;
        if (n == 0)
            rd_buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*s);
        else if (blank)
            rd_buf_puts(out, code == '\n' ? "\\n" : "\\t");
        else
            rd_buf_printf(out, code > 0xff ? "\\u%04x" : "\\x%02x", (unsigned)code);
        size_t used = n > 0 ? n : 1;
        s += used;
        len -= used;
    }
    rd_buf_append(out, s - plain, plain);
}

static bool is_dns_end(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_dns_part(const char *s, size_t n)
{
    if (n == 0 || !is_dns_end(s[0]) || !is_dns_end(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_dns_end(s[i]) && s[i] != '-')
            return false;
    }
    return true;
}

bool rd_is_dns_label(const char *s, size_t max)
{
    if (s == NULL)
        return false;
    size_t n = strlen(s);
    return n <= max && n <= 63 && is_dns_part(s, n);
}

/* As the API server has it, only the whole is limited, not each part. */
bool rd_is_dns_subdomain(const char *s)
{
    if (s == NULL || strlen(s) > 253)
        return false;
    for (;;) {
        size_t n = strcspn(s, ".");
        if (!is_dns_part(s, n))
            return false;
        if (s[n] == '\0')
            return true;
        s += n + 1;
    }
}

void rd_strv_take(struct rd_strv *l, char *take)
{
    RD_ASSERT(take != NULL);
    /* Grows at powers of two; len + 2 counts the new string and the closing NULL. */
    size_t need = l->len + 2;
    if (l->v == NULL)
        l->v = rd_reallocarray(NULL, 2, sizeof(*l->v));
    else if (((need - 1) & (need - 2)) == 0)
        l->v = rd_reallocarray(l->v, 2 * (need - 1), sizeof(*l->v));
    l->v[l->len++] = take;
    l->v[l->len] = NULL;
}

void rd_strv_add(struct rd_strv *l, const char *s)
{
    rd_strv_take(l, rd_strdup(s));
}

void rd_strv_clear(struct rd_strv *l)
{
    for (size_t i = 0; i < l->len; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct rd_strv){0};
}

bool rd_strv_has(const struct rd_strv *l, const char *s)
{
    for (size_t i = 0; i < l->len; i++) {
        if (strcmp(l->v[i], s) == 0)
            return true;
    }
    return false;
}

void rd_strv_split(struct rd_strv *l, const char *s, const char *seps)
{
    for (;;) {
        s += strspn(s, seps);
        size_t n = strcspn(s, seps);
        if (n == 0)
            return;
        rd_strv_take(l, rd_strndup(s, n));
        s += n;
    }
}
