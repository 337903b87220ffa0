#include "http.h"

#include "base/alloc.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 128 };

void emu_msg_clear(struct emu_msg *m)
{
    free(m->method);
    free(m->target);
    free(m->path);
    free(m->query);
    for (size_t i = 0; i < m->header_count; i++) {
        free(m->headers[i].name);
        free(m->headers[i].value);
    }
    free(m->headers);
    free(m->body);
    *m = (struct emu_msg){0};
}

const char *emu_msg_header(const struct emu_msg *m, const char *name)
{
    for (size_t i = 0; i < m->header_count; i++) {
        if (strcasecmp(m->headers[i].name, name) == 0)
            return m->headers[i].value;
    }
    return NULL;
}

const char *emu_http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{101, "Switching Protocols"},
                   {200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {308, "Resume Incomplete"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {422, "Unprocessable Entity"},
                   {429, "Too Many Requests"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Status";
}

static bool take_header(struct emu_msg *m, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || colon == line || m->header_count == HEADERS_MAX)
        return false;
    size_t name_len = (size_t)(colon - line);
    const char *value = colon + 1;
    const char *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    m->headers = rd_reallocarray(m->headers, m->header_count + 1, sizeof(*m->headers));
    struct emu_header *h = &m->headers[m->header_count++];
    h->name = rd_strndup(line, name_len);
    for (char *c = h->name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    h->value = rd_strndup(value, (size_t)(end - value));
    return true;
}

static bool take_request_line(struct emu_msg *m, const char *line, size_t len)
{
    const char *s1 = memchr(line, ' ', len);
    if (s1 == NULL || s1 == line)
        return false;
    const char *target = s1 + 1;
    const char *s2 = memchr(target, ' ', len - (size_t)(target - line));
    if (s2 == NULL || s2 == target || strncmp(s2 + 1, "HTTP/1.", 7) != 0 ||
        (size_t)(s2 + 9 - line) != len)
        return false;
    m->method = rd_strndup(line, (size_t)(s1 - line));
    m->target = rd_strndup(target, (size_t)(s2 - target));
    m->keep_alive = s2[8] == '1';
    /* Absolute form is what a proxy would get; the authority is dropped. */
    const char *path = m->target;
    if (rd_starts_with(path, "http://") || rd_starts_with(path, "https://")) {
        path = strchr(strstr(path, "//") + 2, '/');
        if (path == NULL)
            path = "/";
    }
    size_t path_len = strcspn(path, "?");
    m->path = rd_strndup(path, path_len);
    m->query = rd_strdup(path[path_len] == '?' ? path + path_len + 1 : "");
    return m->path[0] == '/' || rd_streq(m->path, "*");
}

/* Joins chunks; *ret_used counts from `data`. */
static enum emu_http_result take_chunks(const char *data, size_t len, struct rd_buf *body,
                                        size_t *ret_used)
{
    size_t at = 0;
    for (;;) {
        const char *eol = memmem(data + at, len - at, "\r\n", 2);
        if (eol == NULL)
            return len - at > 1024 ? EMU_HTTP_BAD : EMU_HTTP_MORE;
        char *end = NULL;
        errno = 0;
        unsigned long long size = strtoull(data + at, &end, 16);
        if (errno != 0 || end == data + at || (*end != '\r' && *end != ';'))
            return EMU_HTTP_BAD;
        if (size > EMU_BODY_MAX - body->len)
            return EMU_HTTP_TOO_LARGE;
        at = (size_t)(eol + 2 - data);
        if (len - at < size + 2)
            return EMU_HTTP_MORE;
        if (size == 0) { /* trailers are not used by any client here */
            *ret_used = at + 2;
            return memcmp(data + at, "\r\n", 2) == 0 ? EMU_HTTP_WHOLE : EMU_HTTP_BAD;
        }
        rd_buf_append(body, data + at, size);
        at += size;
        if (memcmp(data + at, "\r\n", 2) != 0)
            return EMU_HTTP_BAD;
        at += 2;
    }
}

static bool take_head(struct emu_msg *m, const char *data, size_t head_len)
{
    bool first = true;
    for (size_t at = 0; at < head_len;) {
        const char *eol = memmem(data + at, head_len - at, "\r\n", 2);
        size_t line_len = eol == NULL ? head_len - at : (size_t)(eol - (data + at));
        if (memchr(data + at, '\0', line_len) != NULL)
            return false;
        if (!(first ? take_request_line(m, data + at, line_len)
                    : take_header(m, data + at, line_len)))
            return false;
        first = false;
        at += line_len + 2;
    }
    const char *connection = emu_msg_header(m, "connection");
    if (connection != NULL && strcasecmp(connection, "close") == 0)
        m->keep_alive = false;
    return !first;
}

static enum emu_http_result take_body(struct emu_msg *m, const char *data, size_t len,
                                      size_t *ret_used)
{
    const char *coding = emu_msg_header(m, "transfer-encoding");
    if (coding != NULL) {
        if (strcasecmp(coding, "chunked") != 0)
            return EMU_HTTP_BAD;
        RD_AUTOBUF struct rd_buf body = RD_BUF_INIT(EMU_BODY_MAX);
        enum emu_http_result r = take_chunks(data, len, &body, ret_used);
        if (r == EMU_HTTP_WHOLE)
            m->body = rd_buf_take(&body, &m->body_len);
        return r;
    }
    const char *length = emu_msg_header(m, "content-length");
    unsigned long long want = 0;
    if (length != NULL) {
        if (length[0] == '\0' || length[strspn(length, "0123456789")] != '\0')
            return EMU_HTTP_BAD;
        errno = 0;
        want = strtoull(length, NULL, 10);
        if (errno != 0 || want > EMU_BODY_MAX)
            return EMU_HTTP_TOO_LARGE;
    }
    if (len < want)
        return EMU_HTTP_MORE;
    m->body = rd_strndup("", 0);
    if (want > 0) {
        m->body = rd_realloc(m->body, want + 1);
        memcpy(m->body, data, want);
        m->body[want] = '\0';
    }
    m->body_len = want;
    *ret_used = want;
    return EMU_HTTP_WHOLE;
}

enum emu_http_result emu_http_parse(const char *data, size_t len, struct emu_msg *ret,
                                    size_t *ret_used, bool *ret_expects)
{
    *ret_expects = false;
    const char *end = len == 0 ? NULL : memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL)
        return len > EMU_HEAD_MAX ? EMU_HTTP_TOO_LARGE : EMU_HTTP_MORE;
    size_t head_len = (size_t)(end - data);
    if (head_len > EMU_HEAD_MAX)
        return EMU_HTTP_TOO_LARGE;
    struct emu_msg m = {0};
    enum emu_http_result r = EMU_HTTP_BAD;
    size_t used = 0;
    if (take_head(&m, data, head_len)) {
        r = take_body(&m, end + 4, len - head_len - 4, &used);
        const char *expect = emu_msg_header(&m, "expect");
        *ret_expects = r == EMU_HTTP_MORE && expect != NULL &&
                       strcasecmp(expect, "100-continue") == 0 && len == head_len + 4;
    }
    if (r == EMU_HTTP_WHOLE) {
        *ret = m;
        *ret_used = head_len + 4 + used;
    } else {
        emu_msg_clear(&m);
    }
    return r;
}
