#include "manifest/url.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_web(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static bool has_scheme(const char *ref)
{
    if (!isalpha((unsigned char)*ref))
        return false;
    const char *p = ref;
    while (isalnum((unsigned char)*p) || *p == '+' || *p == '-' || *p == '.')
        p++;
    return *p == ':';
}

/* Where the path of a web URL begins. */
static size_t authority_end(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return (size_t)(host - url) + strcspn(host, "/?#");
}

/* Appends path (up to ? or #) without "." and ".." parts; it begins with a slash. */
static void append_clean(struct rd_buf *out, const char *path, size_t len)
{
    size_t floor = out->len;
    const char *end = path + len;
    for (const char *p = path; p < end;) {
        const char *part = p + 1;
        const char *next = memchr(part, '/', (size_t)(end - part));
        size_t n = next ? (size_t)(next - part) : (size_t)(end - part);
        bool dot = n == 1 && part[0] == '.';
        bool dots = n == 2 && part[0] == '.' && part[1] == '.';
        if (dots) {
            while (out->len > floor && out->data[out->len - 1] != '/')
                out->len--;
            if (out->len > floor)
                out->len--;
        }
        if (!dot && !dots)
            rd_buf_append(out, p, n + 1);
        else if (!next)
            rd_buf_putc(out, '/');
        p = part + n;
    }
}

static bool is_clean(const char *url)
{
    for (; *url; url++) {
        if ((unsigned char)*url <= ' ' || *url == 0x7f || *url == '\\')
            return false;
    }
    return true;
}

char *url_resolve(const char *base, const char *ref)
{
    if (!*ref || !is_clean(ref))
        return NULL;
    if (has_scheme(ref))
        return is_web(ref) && authority_end(ref) > (size_t)(strstr(ref, "://") + 3 - ref)
                   ? rd_strdup(ref)
                   : NULL;
    if (!is_web(base) || !is_clean(base))
        return NULL;
    if (rd_starts_with(ref, "//"))
        return rd_asprintf("%.*s%s", (int)(strchr(base, ':') + 1 - base), base, ref);
    size_t host = authority_end(base);
    size_t path_len = strcspn(base + host, "?#");
    struct rd_buf path = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (*ref != '/') {
        while (path_len > 0 && base[host + path_len - 1] != '/')
            path_len--;
        rd_buf_append(&path, base + host, path_len);
        if (path.len == 0)
            rd_buf_putc(&path, '/');
    }
    rd_buf_puts(&path, ref);
    size_t ref_end = strcspn(rd_buf_str(&path), "?#");
    struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_append(&out, base, host);
    append_clean(&out, path.data, ref_end);
    rd_buf_puts(&out, path.data + ref_end);
    rd_buf_clear(&path);
    return rd_buf_take(&out, NULL);
}
