/* A growing byte string with a ceiling. Appends past the ceiling set a sticky overflow flag and
 * change nothing, so callers append freely and check once. Always NUL-terminated. */
#ifndef RD_BASE_BUF_H
#define RD_BASE_BUF_H

#include "base/macros.h"

#include <stdarg.h>

struct rd_buf {
    char *data;  /* owned; NULL until the first append */
    size_t len;  /* bytes, without the closing NUL */
    size_t cap;  /* bytes allocated */
    size_t max;  /* ceiling in bytes for len */
    bool overflow;
};

#define RD_BUF_UNBOUNDED ((size_t)1 << 40)

#define RD_BUF_INIT(ceiling) ((struct rd_buf){.max = (ceiling)})

void rd_buf_init(struct rd_buf *b, size_t max);
void rd_buf_clear(struct rd_buf *b); /* frees; the ceiling stays, the flag is lowered */
void rd_buf_reset(struct rd_buf *b); /* keeps the memory, len 0, flag lowered */
void rd_buf_append(struct rd_buf *b, const void *data, size_t len);
void rd_buf_puts(struct rd_buf *b, const char *s);
void rd_buf_putc(struct rd_buf *b, char c);
void rd_buf_printf(struct rd_buf *b, const char *fmt, ...) RD_PRINTF(2, 3);
void rd_buf_vprintf(struct rd_buf *b, const char *fmt, va_list ap) RD_PRINTF(2, 0);
/* Drops the first n bytes (n <= len). */
void rd_buf_consume(struct rd_buf *b, size_t n);
/* "" when empty; borrowed until the next call on b. */
const char *rd_buf_str(const struct rd_buf *b);
/* Moves the bytes out (never NULL); b is empty afterwards. */
char *rd_buf_take(struct rd_buf *b, size_t *ret_len);
#define RD_AUTOBUF RD_CLEANUP(rd_buf_clear)

#endif
