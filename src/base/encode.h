/* Encodings and digests. */
#ifndef RD_BASE_ENCODE_H
#define RD_BASE_ENCODE_H

#include "base/macros.h"

#define RD_SHA256_HEX_LEN 64

char *rd_base64_encode(const void *data, size_t len); /* owned; standard alphabet, padded */
char *rd_base64url_encode(const void *data, size_t len); /* owned; RFC 4648 section 5, no padding */
/* Standard or URL alphabet, white space skipped, padding optional. Owned and NUL-terminated, or
 * NULL when malformed. */
unsigned char *rd_base64_decode(const char *text, size_t len, size_t *ret_len);
/* Lower-case hex; out has room for RD_SHA256_HEX_LEN + 1. */
void rd_sha256_hex(const void *data, size_t len, char *out);
/* Streaming form; final frees the context. */
struct rd_sha256;
struct rd_sha256 *rd_sha256_new(void);
void rd_sha256_update(struct rd_sha256 *h, const void *data, size_t len);
void rd_sha256_final(struct rd_sha256 *take, char *out);
/* Bytes of the code point at s (1 to 4), or 0 when it is malformed, cut short or len is 0. */
size_t rd_utf8_next(const char *s, size_t len, uint32_t *ret_code);
bool rd_utf8_valid(const char *s, size_t len);
/* Percent-encodes everything but RFC 3986 unreserved characters. Owned. */
char *rd_percent_encode(const char *s);
void rd_random_bytes(void *out, size_t len); /* from the system; aborts if it has none */
uint64_t rd_random_u64(void);

#endif
