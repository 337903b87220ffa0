#include "base/encode.h"

#include "base/alloc.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char base64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *base64_with(const char *alphabet, bool pad, const unsigned char *in, size_t len)
{
    RD_ASSERT(len <= SIZE_MAX / 2);
    char *out = rd_malloc((len + 2) / 3 * 4 + 1);
    char *w = out;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)in[i] << 16;
        if (have > 1)
            bits |= (uint32_t)in[i + 1] << 8;
        if (have > 2)
            bits |= in[i + 2];
        for (size_t k = 0; k < 4; k++) {
            if (k <= have)
                *w++ = alphabet[bits >> (18 - 6 * k) & 63];
            else if (pad)
                *w++ = '=';
        }
    }
    *w = '\0';
    return out;
}

char *rd_base64_encode(const void *data, size_t len)
{
    return base64_with(base64_std, true, data, len);
}

char *rd_base64url_encode(const void *data, size_t len)
{
    return base64_with(base64_url, false, data, len);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

unsigned char *rd_base64_decode(const char *text, size_t len, size_t *ret_len)
{
    RD_AUTOFREE unsigned char *out = rd_malloc(len / 4 * 3 + 4);
    size_t n = 0, digits = 0, pads = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_space(text[i]))
            continue;
        if (text[i] == '=') {
            pads++;
            continue;
        }
        int value = base64_value(text[i]);
        if (value < 0 || pads > 0)
            return NULL;
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 == 0) {
            out[n++] = (unsigned char)(bits >> 16);
            out[n++] = (unsigned char)(bits >> 8);
            out[n++] = (unsigned char)bits;
        }
    }
    size_t rest = digits % 4;
    /* One digit holds no whole byte; padding, when there is any, must fill the group. */
    if (rest == 1 || (pads > 0 && (rest == 0 || rest + pads != 4)))
        return NULL;
    if (rest == 2) {
        out[n++] = (unsigned char)(bits >> 4);
    } else if (rest == 3) {
        out[n++] = (unsigned char)(bits >> 10);
        out[n++] = (unsigned char)(bits >> 2);
    }
    out[n] = '\0';
    *ret_len = n;
    unsigned char *result = out;
    out = NULL;
    return result;
}

struct rd_sha256 {
    EVP_MD_CTX *ctx;
};

struct rd_sha256 *rd_sha256_new(void)
{
    struct rd_sha256 *h = rd_calloc(1, sizeof(*h));
    h->ctx = EVP_MD_CTX_new();
    RD_ASSERT(h->ctx != NULL);
    int ok = EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL);
    RD_ASSERT(ok == 1);
    return h;
}

void rd_sha256_update(struct rd_sha256 *h, const void *data, size_t len)
{
    int ok = EVP_DigestUpdate(h->ctx, data, len);
    RD_ASSERT(ok == 1);
}

void rd_sha256_final(struct rd_sha256 *take, char *out)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[RD_SHA256_HEX_LEN / 2];
    unsigned len = 0;
    int ok = EVP_DigestFinal_ex(take->ctx, digest, &len);
    RD_ASSERT(ok == 1);
    RD_ASSERT(len == sizeof(digest));
    for (size_t i = 0; i < sizeof(digest); i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[RD_SHA256_HEX_LEN] = '\0';
    EVP_MD_CTX_free(take->ctx);
    free(take);
}

void rd_sha256_hex(const void *data, size_t len, char *out)
{
    struct rd_sha256 *h = rd_sha256_new();
    rd_sha256_update(h, data, len);
    rd_sha256_final(h, out);
}

size_t rd_utf8_next(const char *s, size_t len, uint32_t *ret_code)
{
    if (len == 0)
        return 0;
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80) {
        *ret_code = u[0];
        return 1;
    }
    size_t need;
    uint32_t code, least;
    if (u[0] >= 0xc2 && u[0] <= 0xdf) {
        need = 2, code = u[0] & 0x1f, least = 0x80;
    } else if (u[0] >= 0xe0 && u[0] <= 0xef) {
        need = 3, code = u[0] & 0x0f, least = 0x800;
    } else if (u[0] >= 0xf0 && u[0] <= 0xf4) {
        need = 4, code = u[0] & 0x07, least = 0x10000;
    } else {
        return 0;
    }
    if (len < need)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (u[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < least || code > 0x10ffff || surrogate)
        return 0;
    *ret_code = code;
    return need;
}

bool rd_utf8_valid(const char *s, size_t len)
{
    while (len > 0) {
        uint32_t code;
        size_t n = rd_utf8_next(s, len, &code);
        if (n == 0)
            return false;
        s += n;
        len -= n;
    }
    return true;
}

char *rd_percent_encode(const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = rd_reallocarray(NULL, strlen(s) + 1, 3);
    char *w = out;
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        /* isalnum would ask the locale. */
        bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            *w++ = (char)c;
        } else {
            *w++ = '%';
            *w++ = hex[c >> 4];
            *w++ = hex[c & 15];
        }
    }
    *w = '\0';
    return out;
}

void rd_random_bytes(void *out, size_t len)
{
    char *w = out;
    while (len > 0) {
        ssize_t n = getrandom(w, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        RD_ASSERT(n > 0);
        w += n;
        len -= (size_t)n;
    }
}

uint64_t rd_random_u64(void)
{
    uint64_t value;
    rd_random_bytes(&value, sizeof(value));
    return value;
}
