#include "base/secret.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDACT_MIN 8
#define LINE_MIN 32
#define SECRETS_MAX 1024
#define SHOWN "[redacted]"

void rd_wipe(void *data, size_t len)
{
    if (data != NULL)
        OPENSSL_cleanse(data, len);
}

static void wipe_free(char *data, size_t len)
{
    rd_wipe(data, len);
    free(data);
}

static void wipe_free_str(char *s)
{
    if (s != NULL)
        wipe_free(s, strlen(s));
}

/* The registry. It is a process-wide fact, like the memory it guards: whatever prints must see
 * every secret that was ever set, whoever set it. Only the loop's thread touches it. */
struct pattern {
    struct pattern *next; /* same first byte, longest first */
    char *data;
    size_t len;
    uint64_t serial; /* of the secret it was made from */
};

static struct {
    struct pattern *by_first[256];
    unsigned char pair_seen[65536 / 8]; /* first two bytes of any pattern; may be stale */
    uint64_t serials;                   /* secrets remembered so far */
    bool at_exit;
} known;

static size_t pair_of(const char *s)
{
    return (size_t)(unsigned char)s[0] << 8 | (unsigned char)s[1];
}

static void remember_pattern(const char *data, size_t len)
{
    if (len < REDACT_MIN)
        return;
    struct pattern **at = &known.by_first[(unsigned char)data[0]];
    for (; *at != NULL && (*at)->len >= len; at = &(*at)->next) {
        if ((*at)->len == len && memcmp((*at)->data, data, len) == 0) {
            (*at)->serial = known.serials;
            return;
        }
    }
    struct pattern *p = rd_calloc(1, sizeof(*p));
    p->data = rd_malloc(len);
    memcpy(p->data, data, len);
    p->len = len;
    p->serial = known.serials;
    p->next = *at;
    *at = p;
    size_t pair = pair_of(data);
    known.pair_seen[pair / 8] |= (unsigned char)(1u << pair % 8);
}

static void forget_before(uint64_t serial)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(known.by_first); i++) {
        struct pattern **at = &known.by_first[i];
        while (*at != NULL) {
            struct pattern *p = *at;
            if (p->serial >= serial) {
                at = &p->next;
                continue;
            }
            *at = p->next;
            wipe_free(p->data, p->len);
            free(p);
        }
    }
}

void rd_redact_forget_all(void)
{
    forget_before(UINT64_MAX);
    memset(known.pair_seen, 0, sizeof(known.pair_seen));
}

/* Inside a longer base64 text ("user:token" of a header, a whole kubeconfig in a Secret) the secret
 * starts at one of three places in a group of three bytes. The digits that depend on it alone are
 * the same whatever stands around it. */
static void remember_base64(const char *data, size_t len)
{
    char *padded = rd_malloc(len + 2);
    memset(padded, 0, 2);
    memcpy(padded + 2, data, len);
    for (size_t before = 0; before < 3; before++) {
        const char *start = padded + 2 - before;
        size_t first = (before * 8 + 5) / 6; /* digits that share bits with what precedes */
        size_t end = (before + len) * 8 / 6; /* digits wholly filled */
        char *std = rd_base64_encode(start, before + len);
        char *url = rd_base64url_encode(start, before + len);
        if (before == 0) {
            remember_pattern(std, strlen(std));
            remember_pattern(url, strlen(url));
        }
        if (end > first) {
            remember_pattern(std + first, end - first);
            remember_pattern(url + first, end - first);
        }
        wipe_free_str(std);
        wipe_free_str(url);
    }
    wipe_free(padded, len + 2);
}

static void remember_percent(const char *text)
{
    char *encoded = rd_percent_encode(text);
    size_t n = strlen(encoded);
    remember_pattern(encoded, n);
    for (size_t i = 0; i + 2 < n; i++) {
        if (encoded[i] != '%')
            continue;
        for (size_t k = i + 1; k <= i + 2; k++) {
            if (encoded[k] >= 'A' && encoded[k] <= 'F')
                encoded[k] = (char)(encoded[k] - 'A' + 'a');
        }
    }
    remember_pattern(encoded, n);
    wipe_free(encoded, n);
}

/* As it stands between the quotes of a JSON string. */
static void remember_json(const char *data, size_t len)
{
    RD_AUTOJSON json_t *v = json_stringn(data, len);
    if (v == NULL)
        return;
    char *text = rd_json_dump(v);
    size_t n = strlen(text);
    RD_ASSERT(n >= 2);
    remember_pattern(text + 1, n - 2);
    wipe_free(text, n);
    rd_wipe((char *)json_string_value(v), len);
}

/* A PEM key is shown line by line, indented, in YAML. */
static void remember_lines(const char *data, size_t len)
{
    while (len > 0) {
        const char *nl = memchr(data, '\n', len);
        size_t n = nl == NULL ? len : (size_t)(nl - data);
        if (n >= LINE_MIN)
            remember_pattern(data, n);
        if (nl == NULL)
            return;
        data += n + 1;
        len -= n + 1;
    }
}

static void remember(const char *data, size_t len)
{
    if (len < REDACT_MIN)
        return;
    if (!known.at_exit) {
        known.at_exit = true;
        atexit(rd_redact_forget_all);
    }
    known.serials++;
    /* Tokens are renewed for as long as we run; those of long ago have expired. */
    if (known.serials > SECRETS_MAX && known.serials % SECRETS_MAX == 0)
        forget_before(known.serials - SECRETS_MAX);
    remember_pattern(data, len);
    remember_base64(data, len);
    if (memchr(data, '\0', len) == NULL)
        remember_percent(data);
    remember_json(data, len);
    if (memchr(data, '\n', len) != NULL)
        remember_lines(data, len);
}

static const struct pattern *find_at(const char *s, size_t len)
{
    size_t pair = pair_of(s);
    if ((known.pair_seen[pair / 8] >> pair % 8 & 1) == 0)
        return NULL;
    for (const struct pattern *p = known.by_first[(unsigned char)s[0]]; p != NULL; p = p->next) {
        if (p->len <= len && memcmp(p->data, s, p->len) == 0)
            return p;
    }
    return NULL;
}

void rd_redact(struct rd_buf *out, const char *text, size_t len)
{
    size_t plain = 0, i = 0;
    while (len - i >= REDACT_MIN) {
        const struct pattern *p = find_at(text + i, len - i);
        if (p == NULL) {
            i++;
            continue;
        }
        rd_buf_append(out, text + plain, i - plain);
        rd_buf_puts(out, SHOWN);
        i += p->len;
        plain = i;
    }
    rd_buf_append(out, text + plain, len - plain);
}

void rd_secret_set(struct rd_secret *s, const char *data, size_t len)
{
    /* Copy first: data may be the old value. */
    char *copy = rd_malloc(len + 1);
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    rd_secret_clear(s);
    s->data = copy;
    s->len = len;
    remember(copy, len);
}

void rd_secret_take(struct rd_secret *s, char *take)
{
    RD_ASSERT(take != NULL);
    RD_ASSERT(take != s->data);
    rd_secret_clear(s);
    s->data = take;
    s->len = strlen(take);
    remember(s->data, s->len);
}

void rd_secret_clear(struct rd_secret *s)
{
    if (s->data != NULL)
        wipe_free(s->data, s->len);
    *s = (struct rd_secret){0};
}

bool rd_secret_is_set(const struct rd_secret *s)
{
    return s->data != NULL;
}

void rd_secret_describe(const struct rd_secret *s, char *out)
{
    if (s->data == NULL)
        snprintf(out, 40, "<no secret>");
    else
        snprintf(out, 40, "<secret, %zu bytes>", s->len);
}
