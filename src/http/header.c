/* Response headers: the few that matter, each bounded, the last one of a name wins. */
#include "http/internal.h"

#include "base/alloc.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_AFTER_MAX_S (24 * 3600)

uint64_t header_retry_after_ms(const char *value, int64_t now_wall_ms)
{
    if (isdigit((unsigned char)value[0])) {
        uint64_t s = 0;
        const char *p = value;
        for (; isdigit((unsigned char)*p); p++)
            s = s < RETRY_AFTER_MAX_S ? 10 * s + (uint64_t)(*p - '0') : RETRY_AFTER_MAX_S;
        if (*p != '\0')
            return 0;
        if (s > RETRY_AFTER_MAX_S)
            s = RETRY_AFTER_MAX_S;
        return s == 0 ? 1 : s * 1000;
    }
    int64_t at;
    if (!rd_http_date_parse(value, &at))
        return 0;
    int64_t wait = at - now_wall_ms;
    if (wait > (int64_t)RETRY_AFTER_MAX_S * 1000)
        wait = (int64_t)RETRY_AFTER_MAX_S * 1000;
    return wait <= 0 ? 1 : (uint64_t)wait;
}

/* 299 agent "text" ["date"]: RFC 7234 section 5.5; the text is what people shall see. */
static void add_warning(struct rd_buf *out, const char *value)
{
    if (strncmp(value, "299", 3) != 0)
        return;
    const char *p = strchr(value, '"');
    if (p == NULL)
        return;
    for (p++; *p != '\0' && *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        rd_buf_putc(out, *p == '\n' ? ' ' : *p);
    }
    rd_buf_putc(out, '\n');
}

static void forget(struct http_req *r)
{
    char **texts[] = {&r->content_type, &r->etag,     &r->location,         &r->date,
                      &r->audit_id,     &r->www_authenticate, &r->metadata_flavor};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++)
        rd_str_take(texts[i], NULL);
    r->retry_after_ms = 0;
    rd_buf_reset(&r->warnings);
}

static void keep(struct http_req *r, const char *name, char *take)
{
    const struct {
        const char *name;
        char **text;
    } kept[] = {
        {"content-type", &r->content_type}, {"etag", &r->etag},
        {"location", &r->location},         {"date", &r->date},
        {"audit-id", &r->audit_id},         {"www-authenticate", &r->www_authenticate},
        {"metadata-flavor", &r->metadata_flavor},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(kept); i++) {
        if (strcasecmp(name, kept[i].name) == 0) {
            rd_str_take(kept[i].text, take);
            return;
        }
    }
    if (strcasecmp(name, "retry-after") == 0)
        r->retry_after_ms = header_retry_after_ms(take, rd_wall_ms());
    else if (strcasecmp(name, "warning") == 0)
        add_warning(&r->warnings, take);
    free(take);
}

bool header_line(struct http_req *r, const char *line, size_t len)
{
    r->header_bytes += len;
    if (r->header_bytes > HTTP_HEADERS_MAX)
        return false;
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0 && !r->headers_done) {
        forget(r); /* an interim answer came before this one */
        return true;
    }
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || r->headers_done) /* end of the headers, or a trailer */
        return true;
    const char *value = colon + 1, *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    RD_AUTOFREE char *name = rd_strndup(line, (size_t)(colon - line));
    keep(r, name, rd_strndup(value, (size_t)(end - value)));
    return true;
}
