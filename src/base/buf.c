#include "base/buf.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rd_buf_init(struct rd_buf *b, size_t max)
{
    *b = RD_BUF_INIT(max);
}

void rd_buf_clear(struct rd_buf *b)
{
    free(b->data);
    *b = RD_BUF_INIT(b->max);
}

void rd_buf_reset(struct rd_buf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

/* Makes room for more bytes and the closing NUL, or raises the flag. */
static bool buf_reserve(struct rd_buf *b, size_t more)
{
    RD_ASSERT(b->len <= b->max);
    if (b->overflow || more > b->max - b->len) {
        b->overflow = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need)
        cap *= 2;
    b->data = rd_realloc(b->data, cap);
    b->cap = cap;
    return true;
}

void rd_buf_append(struct rd_buf *b, const void *data, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void rd_buf_puts(struct rd_buf *b, const char *s)
{
    rd_buf_append(b, s, strlen(s));
}

void rd_buf_putc(struct rd_buf *b, char c)
{
    rd_buf_append(b, &c, 1);
}

void rd_buf_printf(struct rd_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    rd_buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void rd_buf_vprintf(struct rd_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    RD_ASSERT(len >= 0);
    if (len == 0 || !buf_reserve(b, (size_t)len))
        return;
    int written = vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
    RD_ASSERT(written == len);
    b->len += (size_t)len;
}

void rd_buf_consume(struct rd_buf *b, size_t n)
{
    RD_ASSERT(n <= b->len);
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len);
    b->data[b->len] = '\0';
}

const char *rd_buf_str(const struct rd_buf *b)
{
    return b->data == NULL ? "" : b->data;
}

char *rd_buf_take(struct rd_buf *b, size_t *ret_len)
{
    char *data = b->data == NULL ? rd_strdup("") : b->data;
    if (ret_len != NULL)
        *ret_len = b->len;
    b->data = NULL;
    rd_buf_clear(b);
    return data;
}
