#include "route.h"

#include "base/alloc.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *emu_percent_decode(const char *s, size_t len, bool plus_is_space)
{
    char *out = rd_malloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%' && i + 2 < len && hex_value(s[i + 1]) >= 0 && hex_value(s[i + 2]) >= 0) {
            out[n++] = (char)(hex_value(s[i + 1]) * 16 + hex_value(s[i + 2]));
            i += 2;
        } else {
            out[n++] = plus_is_space && s[i] == '+' ? ' ' : s[i];
        }
    }
    out[n] = '\0';
    return out;
}

void emu_params_clear(struct emu_params *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->v[i]);
    *p = (struct emu_params){0};
}

static void params_add(struct emu_params *p, const char *s, size_t len)
{
    RD_ASSERT(p->count < EMU_PARAMS_MAX);
    p->v[p->count++] = emu_percent_decode(s, len, false);
}

/* Where a segment's custom verb begins; gcloud may send the colon encoded only inside names. */
static size_t verb_at(const char *s, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        if (s[i - 1] == ':')
            return i - 1;
    }
    return len;
}

static bool match_segment(const char *pat, size_t pat_len, const char *seg, size_t seg_len,
                          bool last, struct emu_params *ret)
{
    if (pat_len < 2 || pat[0] != '{' || pat[1] != '}')
        return pat_len == seg_len && memcmp(pat, seg, pat_len) == 0;
    size_t tail = pat_len - 2; /* ":verb" or nothing */
    size_t verb = last ? verb_at(seg, seg_len) : seg_len;
    if (tail == 0)
        verb = seg_len;
    else if (seg_len - verb != tail || memcmp(pat + 2, seg + verb, tail) != 0)
        return false;
    if (verb == 0)
        return false;
    params_add(ret, seg, verb);
    return true;
}

bool emu_route_match(const char *pattern, const char *path, struct emu_params *ret)
{
    *ret = (struct emu_params){0};
    while (*pattern == '/' && *path == '/') {
        pattern++;
        path++;
        if (rd_streq(pattern, "**")) {
            params_add(ret, path, strlen(path));
            return true;
        }
        size_t pat_len = strcspn(pattern, "/");
        size_t seg_len = strcspn(path, "/");
        bool last = pattern[pat_len] == '\0' && path[seg_len] == '\0';
        if (!match_segment(pattern, pat_len, path, seg_len, last, ret))
            break;
        pattern += pat_len;
        path += seg_len;
        if (*pattern == '\0' && *path == '\0')
            return true;
    }
    emu_params_clear(ret);
    return false;
}

const struct emu_route *emu_route_find(const struct emu_route *rows, size_t count,
                                       const char *method, const char *path, struct emu_params *ret,
                                       bool *ret_path_known)
{
    *ret_path_known = false;
    for (size_t i = 0; i < count; i++) {
        if (!emu_route_match(rows[i].pattern, path, ret))
            continue;
        *ret_path_known = true;
        if (rd_streq(rows[i].method, method))
            return &rows[i];
        emu_params_clear(ret);
    }
    return NULL;
}
