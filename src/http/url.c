/* Building and checking URLs. */
#include "http/http.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define URL_MAX ((size_t)64 << 10)

void http_url_init(struct http_url *u, const char *base)
{
    rd_buf_init(&u->buf, URL_MAX);
    u->has_query = false;
    if (strstr(base, "://") == NULL)
        rd_buf_puts(&u->buf, "https://");
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    rd_buf_append(&u->buf, base, len);
    u->has_query = memchr(base, '?', len) != NULL;
}

void http_url_seg(struct http_url *u, const char *segment)
{
    RD_ASSERT(!u->has_query);
    RD_AUTOFREE char *escaped = rd_percent_encode(segment);
    rd_buf_putc(&u->buf, '/');
    /* Dot segments would be resolved away by whoever reads the URL next. */
    if (rd_streq(segment, ".") || rd_streq(segment, ".."))
        rd_buf_puts(&u->buf, segment[1] == '.' ? "%2E%2E" : "%2E");
    else
        rd_buf_puts(&u->buf, escaped);
}

void http_url_path(struct http_url *u, const char *path)
{
    RD_ASSERT(!u->has_query);
    if (path[0] != '/')
        rd_buf_putc(&u->buf, '/');
    rd_buf_puts(&u->buf, path);
    u->has_query = strchr(path, '?') != NULL;
}

void http_url_query(struct http_url *u, const char *key, const char *value)
{
    RD_AUTOFREE char *k = rd_percent_encode(key);
    RD_AUTOFREE char *v = rd_percent_encode(value);
    rd_buf_putc(&u->buf, u->has_query ? '&' : '?');
    rd_buf_puts(&u->buf, k);
    rd_buf_putc(&u->buf, '=');
    rd_buf_puts(&u->buf, v);
    u->has_query = true;
}

/* A URL past the ceiling becomes "", which no request accepts. */
const char *http_url_str(const struct http_url *u)
{
    return u->buf.overflow ? "" : rd_buf_str(&u->buf);
}

void http_url_clear(struct http_url *u)
{
    rd_buf_clear(&u->buf);
    u->has_query = false;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

bool http_url_check(const char *url, struct rd_err **reterr)
{
    size_t len = strlen(url);
    if (len == 0 || len > URL_MAX)
        return rd_fail(reterr, RD_ERR_INPUT, "URL is empty or longer than %zu bytes", URL_MAX);
    for (size_t i = 0; i < len; i++) {
        unsigned char b = (unsigned char)url[i];
        if (b <= ' ' || b == 0x7f)
            return rd_fail(reterr, RD_ERR_INPUT, "URL has a blank or control byte at position %zu",
                           i);
    }
    RD_AUTOFREE char *full =
        strstr(url, "://") != NULL ? rd_strdup(url) : rd_asprintf("https://%s", url);
    if (strncasecmp(full, "https://", 8) != 0 && strncasecmp(full, "http://", 7) != 0)
        return rd_fail(reterr, RD_ERR_INPUT, "URL is neither http nor https");
    CURLU *u = curl_url();
    RD_ASSERT(u != NULL);
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, full, 0);
    bool user = rc == CURLUE_OK && (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD));
    bool host = rc == CURLUE_OK && has_part(u, CURLUPART_HOST);
    curl_url_cleanup(u);
    /* Nothing of the URL is repeated here: it may hold the very password that is refused. */
    if (user)
        return rd_fail(reterr, RD_ERR_INPUT, "URL holds a user name or password");
    if (rc != CURLUE_OK || !host)
        return rd_fail(reterr, RD_ERR_INPUT, "URL is malformed: %s",
                       rc != CURLUE_OK ? curl_url_strerror(rc) : "no host");
    return true;
}

char *http_url_origin(const char *url)
{
    char *host = NULL, *port = NULL, *origin;
    CURLU *u = curl_url();
    RD_ASSERT(u != NULL);
    if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        origin = rd_asprintf("%s:%s", host, port);
    else
        origin = rd_strdup("an unnamed host");
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return origin;
}
