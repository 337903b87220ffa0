#include "ray/ignore.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"

/* A pattern becomes a row of elements, and matching keeps the set of places in the path that the
 * elements so far may end at: linear in both, whatever stars there are. */
enum element_kind {
    EL_CHAR,  /* this one */
    EL_ANY,   /* one character, no slash */
    EL_STAR,  /* any number of them */
    EL_PLUS,  /* at least one */
    EL_CLASS, /* one of [...], which may be a slash */
    EL_LEAD,  /* nothing, or characters and a slash */
    EL_INNER, /* nothing, or a slash and characters */
    EL_BELOW, /* a slash and anything */
    EL_REST,  /* nothing, or a slash and anything */
    EL_ALL,   /* at least one character of any kind */
};
struct element {
    enum element_kind kind;
    uint32_t code;
    const char *set; /* into pattern.text: what stands between the brackets */
    size_t set_len;
    bool negated;
};
struct pattern {
    char *text; /* owned */
    struct element *elements;
    size_t len;
    bool leaves_out; /* false: after a "!" */
};
struct ray_ignore {
    struct pattern *patterns;
    size_t len;
};

struct ray_ignore *ray_ignore_new(void)
{
    return rd_calloc(1, sizeof(struct ray_ignore));
}

void ray_ignore_free(struct ray_ignore *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->len; i++) {
        free(g->patterns[i].text);
        free(g->patterns[i].elements);
    }
    free(g->patterns);
    free(g);
}

/* ---- Reading ---- */

/* One code point; of bytes that are no UTF-8, the byte. */
static size_t next_char(const char *s, size_t len, uint32_t *ret_code)
{
    size_t n = rd_utf8_next(s, len, ret_code);
    if (n)
        return n;
    *ret_code = 0x110000u + (unsigned char)*s;
    return 1;
}

static struct element *put(struct pattern *p, enum element_kind kind)
{
    p->elements = rd_reallocarray(p->elements, p->len + 1, sizeof(*p->elements));
    p->elements[p->len] = (struct element){.kind = kind};
    return &p->elements[p->len++];
}

static void put_char(struct pattern *p, uint32_t code)
{
    put(p, EL_CHAR)->code = code;
}

/* s is behind the '['; what the whole bracket expression takes, or 0 when it is never closed. */
static size_t put_class(struct pattern *p, const char *s, size_t len)
{
    size_t end = 0;
    bool negated = len && s[0] == '!';
    end += negated;
    end += end < len && s[end] == ']';
    while (end < len && s[end] != ']')
        end++;
    if (end >= len)
        return 0;
    struct element *e = put(p, EL_CLASS);
    e->negated = negated;
    e->set = s + negated;
    e->set_len = end - negated;
    return end + 1;
}

static void put_segment(struct pattern *p, const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = next_char(s + i, len - i, &code);
        i += n;
        if (code == '\\') {
            if (i < len) {
                i += next_char(s + i, len - i, &code);
                put_char(p, code);
            }
        } else if (code == '*') {
            put(p, EL_STAR);
        } else if (code == '?') {
            put(p, EL_ANY);
        } else if (code == '[') {
            n = put_class(p, s + i, len - i);
            i += n;
            if (!n)
                put_char(p, '[');
        } else {
            put_char(p, code);
        }
    }
}

struct segment {
    const char *at;
    size_t len;
};

static bool is_stars(const struct segment *s)
{
    return s->len == 2 && s->at[0] == '*' && s->at[1] == '*';
}

static void put_segments(struct pattern *p, const struct segment *s, size_t count)
{
    bool slash = false;
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        if (is_stars(&s[i])) {
            if (i == 0 && last)
                put(p, EL_ALL);
            else if (i == 0)
                put(p, EL_LEAD);
            else if (last)
                put(p, EL_BELOW);
            else
                put(p, EL_INNER);
            slash = i > 0 && !last ? true : slash;
            continue;
        }
        if (slash)
            put_char(p, '/');
        if (s[i].len == 1 && s[i].at[0] == '*') {
            put(p, EL_PLUS);
        } else {
            put_segment(p, s[i].at, s[i].len);
            if (last && p->leaves_out)
                put(p, EL_REST);
        }
        slash = true;
    }
}

static const struct segment stars = {"**", 2};

static void compile(struct pattern *p, const char *s)
{
    struct segment *segs = rd_calloc(strlen(s) + 3, sizeof(*segs));
    size_t count = 1; /* segs[0] is kept free for a leading "**" */
    for (const char *at = s;; at++) {
        size_t n = strcspn(at, "/");
        segs[count++] = (struct segment){at, n};
        at += n;
        if (!*at)
            break;
    }
    struct segment *first = segs + 1;
    count--;
    if (first->len == 0) { /* a slash in front: from the folder itself on */
        first++;
        count--;
    } else if ((count == 1 || (count == 2 && first[1].len == 0)) && !is_stars(first)) {
        first--; /* a single name is looked for at every depth */
        *first = stars;
        count++;
    }
    if (count > 1 && first[count - 1].len == 0)
        first[count - 1] = stars;
    if (count > 0)
        put_segments(p, first, count);
    free(segs);
}

static void add_pattern(struct ray_ignore *g, const char *s, size_t len)
{
    static const char white[] = " \t\n\r\f\v";
    while (len && strchr(white, s[0])) {
        s++;
        len--;
    }
    while (len && strchr(white, s[len - 1]))
        len--;
    if (len == 0 || s[0] == '#' || (len == 1 && s[0] == '/'))
        return;
    struct pattern p = {.leaves_out = s[0] != '!'};
    s += !p.leaves_out;
    len -= !p.leaves_out;
    if (len && s[0] == '\\') {
        s++;
        len--;
    }
    p.text = rd_strndup(s, len);
    compile(&p, p.text);
    g->patterns = rd_reallocarray(g->patterns, g->len + 1, sizeof(*g->patterns));
    g->patterns[g->len++] = p;
}

void ray_ignore_add(struct ray_ignore *g, const char *pattern)
{
    add_pattern(g, pattern, strlen(pattern));
}

void ray_ignore_add_lines(struct ray_ignore *g, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = 0;
        while (i + n < len && text[i + n] != '\n' && text[i + n] != '\r')
            n++;
        add_pattern(g, text + i, n);
        i += n + 1;
    }
}

/* ---- Matching ---- */

static bool in_class(const struct element *e, uint32_t code)
{
    bool in = false;
    for (size_t i = 0; i < e->set_len && !in;) {
        uint32_t low, high;
        i += next_char(e->set + i, e->set_len - i, &low);
        high = low;
        if (i + 1 < e->set_len && e->set[i] == '-') {
            i++;
            i += next_char(e->set + i, e->set_len - i, &high);
        }
        in = code >= low && code <= high;
    }
    return in != e->negated;
}

/* From the places in `from` to those in `to`; both have a flag for each byte of the path and one for
 * its end. */
static void advance(const struct element *e, const char *path, size_t len, const bool *from, bool *to)
{
    bool run = false; /* a repeated element that began earlier is still going */
    bool began = false;
    memset(to, 0, len + 1);
    for (size_t i = 0; i <= len;) {
        uint32_t code = 0;
        size_t n = i < len ? next_char(path + i, len - i, &code) : 1;
        bool here = from[i], more = i < len, slash = more && code == '/';
        size_t next = i + n;
        switch (e->kind) {
        case EL_CHAR:
            if (here && more && code == e->code)
                to[next] = true;
            break;
        case EL_ANY:
            if (here && more && !slash)
                to[next] = true;
            break;
        case EL_CLASS:
            if (here && more && in_class(e, code))
                to[next] = true;
            break;
        case EL_STAR:
        case EL_PLUS:
            run = (run || here) && more && !slash;
            if (here && e->kind == EL_STAR)
                to[i] = true;
            if (run)
                to[next] = true;
            break;
        case EL_ALL:
            run = (run || here) && more;
            if (run)
                to[next] = true;
            break;
        case EL_LEAD: /* began: at least one character is behind us */
            if (here)
                to[i] = true;
            if (began && slash)
                to[next] = true;
            began = began || here;
            break;
        case EL_INNER: /* began: behind its slash */
            if (here)
                to[i] = true;
            run = run && more;
            if (run)
                to[next] = true;
            if (here && slash)
                run = true;
            break;
        case EL_BELOW:
        case EL_REST:
            if (here && e->kind == EL_REST)
                to[i] = true;
            run = run || (here && slash);
            if (run && more)
                to[next] = true;
            break;
        }
        i = next;
    }
}

static bool pattern_matches(const struct pattern *p, const char *path, size_t len, bool *a, bool *b)
{
    memset(a, 0, len + 1);
    a[0] = true;
    for (size_t i = 0; i < p->len; i++) {
        advance(&p->elements[i], path, len, a, b);
        bool *swap = a;
        a = b;
        b = swap;
    }
    return a[len];
}

bool ray_ignore_match(const struct ray_ignore *g, const char *path)
{
    size_t len = strlen(path);
    bool matched = false;
    RD_AUTOFREE bool *a = rd_calloc(len + 1, sizeof(bool));
    RD_AUTOFREE bool *b = rd_calloc(len + 1, sizeof(bool));
    for (size_t i = 0; i < g->len; i++)
        if (g->patterns[i].leaves_out != matched &&
            pattern_matches(&g->patterns[i], path, len, a, b))
            matched = g->patterns[i].leaves_out;
    return matched;
}
