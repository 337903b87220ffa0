#include "base/alloc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
    static const char text[] = "raydeploy: out of memory\n";
    /* stdio might want to allocate. */
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    abort();
}

static size_t checked_product(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        out_of_memory();
    return total;
}

/* Zero sizes become one byte: a NULL that means success confuses libraries and readers alike. */
void *rd_malloc(size_t size)
{
    void *p = malloc(size > 0 ? size : 1);
    if (p == NULL)
        out_of_memory();
    return p;
}

void *rd_calloc(size_t count, size_t size)
{
    size_t total = checked_product(count, size);
    void *p = calloc(1, total > 0 ? total : 1);
    if (p == NULL)
        out_of_memory();
    return p;
}

void *rd_realloc(void *ptr, size_t size)
{
    void *p = realloc(ptr, size > 0 ? size : 1);
    if (p == NULL)
        out_of_memory();
    return p;
}

void *rd_reallocarray(void *ptr, size_t count, size_t size)
{
    return rd_realloc(ptr, checked_product(count, size));
}

char *rd_strdup(const char *s)
{
    return s == NULL ? NULL : rd_strndup(s, strlen(s));
}

char *rd_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = rd_malloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *rd_asprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = rd_vasprintf(fmt, ap);
    va_end(ap);
    return s;
}

char *rd_vasprintf(const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    RD_ASSERT(len >= 0);
    char *s = rd_malloc((size_t)len + 1);
    int written = vsnprintf(s, (size_t)len + 1, fmt, ap);
    RD_ASSERT(written == len);
    return s;
}

void rd_freep(void *p)
{
    void *ptr;
    memcpy(&ptr, p, sizeof(ptr));
    free(ptr);
    ptr = NULL;
    memcpy(p, &ptr, sizeof(ptr));
}

void rd_str_take(char **dst, char *take)
{
    RD_ASSERT(take == NULL || take != *dst);
    free(*dst);
    *dst = take;
}

void rd_str_dup(char **dst, const char *src)
{
    /* Copy first: src may point into *dst. */
    char *copy = rd_strdup(src);
    free(*dst);
    *dst = copy;
}

void rd_alloc_init(void)
{
    json_set_alloc_funcs(rd_malloc, free);
}
