#include "k8s/ws_handshake.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#define WS_RETRY_AFTER_MAX_S 3600

enum chunk_state { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

void ws_key_make(char *key)
{
    unsigned char raw[16];
    rd_random_bytes(raw, sizeof(raw));
    RD_AUTOFREE char *text = rd_base64_encode(raw, sizeof(raw));
    RD_ASSERT(strlen(text) == WS_KEY_LEN);
    memcpy(key, text, WS_KEY_LEN + 1);
}

void ws_accept_for(const char *key, char *accept)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 section 1.3 */
    struct rd_buf joined = RD_BUF_INIT(128);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    rd_buf_puts(&joined, key);
    rd_buf_puts(&joined, guid);
    int ok = EVP_Digest(joined.data, joined.len, digest, &len, EVP_sha1(), NULL);
    RD_ASSERT(ok == 1);
    RD_ASSERT(len == 20);
    rd_buf_clear(&joined);
    RD_AUTOFREE char *text = rd_base64_encode(digest, len);
    memcpy(accept, text, WS_ACCEPT_LEN + 1);
}

static bool line_is_clean(const char *line)
{
    for (const unsigned char *p = (const unsigned char *)line; *p; p++)
        if (*p < 0x20 && *p != '\t')
            return false;
    return true;
}

bool ws_request_write(struct rd_buf *out, const char *url, const char *protocols, const char *key,
                      const char *const *headers, struct rd_err **reterr)
{
    bool ok = false;
    char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL, *query = NULL;
    CURLU *u = curl_url();
    RD_ASSERT(u);
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK || !line_is_clean(url) ||
        strchr(url, ' ')) {
        rd_fail(reterr, RD_ERR_INPUT, "address is not usable for a websocket");
        goto out;
    }
    /* Absent unless the URL names them; both calls leave NULL then. */
    (void)curl_url_get(u, CURLUPART_PORT, &port, 0);
    (void)curl_url_get(u, CURLUPART_QUERY, &query, 0);

    rd_buf_printf(out, "GET %s%s%s HTTP/1.1\r\n", path, query ? "?" : "", query ? query : "");
    rd_buf_printf(out, "Host: %s%s%s\r\n", host, port ? ":" : "", port ? port : "");
    rd_buf_puts(out, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    rd_buf_printf(out, "Sec-WebSocket-Key: %s\r\n", key);
    if (protocols)
        rd_buf_printf(out, "Sec-WebSocket-Protocol: %s\r\n", protocols);
    for (size_t i = 0; headers && headers[i]; i++) {
        if (!line_is_clean(headers[i])) {
            rd_fail(reterr, RD_ERR_INPUT, "request header holds a control byte");
            goto out;
        }
        rd_buf_printf(out, "%s\r\n", headers[i]);
    }
    rd_buf_puts(out, "\r\n");
    if (out->overflow) {
        rd_fail(reterr, RD_ERR_INPUT, "request headers are too long for a websocket handshake");
        goto out;
    }
    ok = true;
out:
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    curl_url_cleanup(u);
    return ok;
}

void ws_answer_init(struct ws_answer *a, const char *accept, const char *offered)
{
    *a = (struct ws_answer){.accept = accept, .offered = offered};
    rd_buf_init(&a->head, WS_HEAD_MAX);
    rd_buf_init(&a->body, WS_BODY_MAX);
}

void ws_answer_clear(struct ws_answer *a)
{
    rd_buf_clear(&a->head);
    rd_buf_clear(&a->body);
    rd_freep(&a->content_type);
    rd_freep(&a->protocol);
}

static void answer_bad(struct ws_answer *a, const char *problem)
{
    a->state = WS_ANSWER_BAD;
    a->problem = problem;
}

/* True if the comma list holds the token. */
static bool list_has(const char *list, const char *token)
{
    struct rd_strv parts = {0};
    bool found = false;
    rd_strv_split(&parts, list, ", \t");
    for (size_t i = 0; i < parts.len; i++)
        found = found || strcasecmp(parts.v[i], token) == 0;
    rd_strv_clear(&parts);
    return found;
}

struct head_facts {
    bool upgrade, connection, accept, extension;
    bool has_length;
};

static void head_line(struct ws_answer *a, struct head_facts *f, char *line)
{
    char *colon = strchr(line, ':');
    if (!colon || colon == line) {
        answer_bad(a, "a header line has no name");
        return;
    }
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--)
        value[n - 1] = '\0';

    if (strcasecmp(line, "Upgrade") == 0) {
        f->upgrade = strcasecmp(value, "websocket") == 0;
    } else if (strcasecmp(line, "Connection") == 0) {
        f->connection = f->connection || list_has(value, "upgrade");
    } else if (strcasecmp(line, "Sec-WebSocket-Accept") == 0) {
        f->accept = strcmp(value, a->accept) == 0;
    } else if (strcasecmp(line, "Sec-WebSocket-Protocol") == 0) {
        rd_str_dup(&a->protocol, value);
    } else if (strcasecmp(line, "Sec-WebSocket-Extensions") == 0) {
        f->extension = f->extension || *value;
    } else if (strcasecmp(line, "Content-Type") == 0) {
        rd_str_dup(&a->content_type, value);
    } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
        a->chunked = list_has(value, "chunked");
    } else if (strcasecmp(line, "Content-Length") == 0) {
        f->has_length = true;
        a->left = 0;
        if (!*value || strlen(value) > 15 || strspn(value, "0123456789") != strlen(value))
            answer_bad(a, "Content-Length is not a number");
        for (const char *p = value; a->state != WS_ANSWER_BAD && *p; p++)
            a->left = a->left * 10 + (uint64_t)(*p - '0');
    } else if (strcasecmp(line, "Retry-After") == 0) {
        uint64_t s = 0;
        if (*value && strlen(value) <= 6 && strspn(value, "0123456789") == strlen(value))
            for (const char *p = value; *p; p++)
                s = s * 10 + (uint64_t)(*p - '0');
        a->retry_after_ms = (s > WS_RETRY_AFTER_MAX_S ? WS_RETRY_AFTER_MAX_S : s) * 1000;
    }
}

static void head_judge(struct ws_answer *a, const struct head_facts *f)
{
    if (a->status != 101) {
        a->to_end = !a->chunked && !f->has_length;
        bool empty = a->status == 204 || a->status == 304 || (f->has_length && a->left == 0);
        if (a->chunked)
            a->left = 0;
        a->state = empty && !a->chunked ? WS_ANSWER_REFUSED : WS_ANSWER_BODY;
        return;
    }
    if (!f->upgrade || !f->connection)
        answer_bad(a, "a 101 answer does not upgrade to websocket");
    else if (!f->accept)
        answer_bad(a, "Sec-WebSocket-Accept does not belong to our key");
    else if (f->extension)
        answer_bad(a, "the server chose an extension that was not offered");
    else if (a->protocol && (!a->offered || !list_has(a->offered, a->protocol)))
        answer_bad(a, "the server chose a protocol that was not offered");
    else if (!a->protocol && a->offered)
        answer_bad(a, "the server chose none of the offered protocols");
    else
        a->state = WS_ANSWER_OPEN;
}

static void head_parse(struct ws_answer *a)
{
    struct head_facts f = {0};
    char *at = a->head.data;
    if (memchr(at, '\0', a->head.len)) {
        answer_bad(a, "a header holds a zero byte");
        return;
    }
    if (strncmp(at, "HTTP/1.", 7) != 0 || strspn(at + 7, "01") < 1 || at[8] != ' ' ||
        strspn(at + 9, "0123456789") != 3 || (at[12] != ' ' && at[12] != '\r' && at[12] != '\n')) {
        answer_bad(a, "the answer is not HTTP/1.1");
        return;
    }
    a->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
    at = strchr(at, '\n') + 1;
    while (a->state == WS_ANSWER_HEAD && *at && *at != '\r' && *at != '\n') {
        char *end = strchr(at, '\n');
        *end = '\0';
        if (end > at && end[-1] == '\r')
            end[-1] = '\0';
        head_line(a, &f, at);
        at = end + 1;
    }
    if (a->state == WS_ANSWER_HEAD)
        head_judge(a, &f);
}

/* Takes bytes up to and with the empty line. */
static size_t head_feed(struct ws_answer *a, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        rd_buf_putc(&a->head, data[i]);
        if (a->head.overflow) {
            answer_bad(a, "the headers are longer than 32 KiB");
            return i + 1;
        }
        if (data[i] != '\n')
            continue;
        const char *h = a->head.data;
        size_t n = a->head.len;
        bool blank =
            (n >= 2 && h[n - 2] == '\n') || (n >= 3 && h[n - 2] == '\r' && h[n - 3] == '\n');
        if (!blank)
            continue;
        /* An interim answer (100, 103) may precede the real one. */
        if (n >= 12 && strncmp(h, "HTTP/1.", 7) == 0 && h[9] == '1' &&
            strncmp(h + 9, "101", 3) != 0) {
            rd_buf_reset(&a->head);
            continue;
        }
        head_parse(a);
        return i + 1;
    }
    return len;
}

static void body_append(struct ws_answer *a, const char *data, size_t len)
{
    size_t room = a->body.max - a->body.len;
    rd_buf_append(&a->body, data, len < room ? len : room);
    if (len >= room)
        a->state = WS_ANSWER_REFUSED; /* enough to explain the refusal */
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One byte of chunk framing. */
static void chunk_byte(struct ws_answer *a, char c)
{
    if (a->chunk_state == CHUNK_SIZE) {
        int digit = hex_digit(c);
        if (digit >= 0) {
            if (++a->chunk_digits > 7)
                answer_bad(a, "a chunk of the answer is too long");
            a->left = a->left * 16 + (uint64_t)digit;
            return;
        }
        if (a->chunk_digits == 0) {
            answer_bad(a, "a chunk of the answer has no size");
            return;
        }
        a->chunk_state = CHUNK_EXTENSION; /* whatever follows the size, up to the newline */
    }
    switch ((enum chunk_state)a->chunk_state) {
    case CHUNK_EXTENSION:
        if (c == '\n') {
            a->chunk_state = a->left ? CHUNK_DATA : CHUNK_TRAILER;
            a->chunk_digits = 0;
        }
        return;
    case CHUNK_DATA_END:
        if (c == '\n')
            a->chunk_state = CHUNK_SIZE;
        else if (c != '\r')
            answer_bad(a, "a chunk of the answer does not end where it should");
        return;
    case CHUNK_TRAILER: /* chunk_digits counts the bytes of the trailer line */
        if (c == '\n' && a->chunk_digits == 0)
            a->state = WS_ANSWER_REFUSED;
        else if (c == '\n')
            a->chunk_digits = 0;
        else if (c != '\r')
            a->chunk_digits++;
        return;
    case CHUNK_SIZE:
    case CHUNK_DATA:
        break;
    }
    RD_UNREACHABLE();
}

static size_t body_feed(struct ws_answer *a, const char *data, size_t len)
{
    size_t i = 0;
    while (i < len && a->state == WS_ANSWER_BODY) {
        if (a->chunked && a->chunk_state != CHUNK_DATA) {
            chunk_byte(a, data[i++]);
            continue;
        }
        size_t n = len - i;
        if (!a->to_end && n > a->left)
            n = (size_t)a->left;
        body_append(a, data + i, n);
        i += n;
        if (a->to_end)
            continue;
        a->left -= n;
        if (a->left == 0 && a->chunked)
            a->chunk_state = CHUNK_DATA_END;
        else if (a->left == 0)
            a->state = WS_ANSWER_REFUSED;
    }
    return i;
}

size_t ws_answer_feed(struct ws_answer *a, const char *data, size_t len)
{
    size_t used = 0;
    if (a->state == WS_ANSWER_HEAD)
        used = head_feed(a, data, len);
    if (a->state == WS_ANSWER_BODY)
        used += body_feed(a, data + used, len - used);
    return used;
}

void ws_answer_end(struct ws_answer *a)
{
    if (a->state == WS_ANSWER_BODY && (a->to_end || a->body.len))
        a->state = WS_ANSWER_REFUSED; /* half a Status still explains more than none */
    else if (a->state == WS_ANSWER_HEAD || a->state == WS_ANSWER_BODY)
        answer_bad(a, "the connection ended before the answer was complete");
}
