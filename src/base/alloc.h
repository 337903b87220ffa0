/* Allocation that cannot fail: running out of memory aborts, and the journal makes an abort just
 * another crash to resume from. rd_alloc_init() routes jansson here; curl and libuv are routed where
 * they are initialised. Memory from here is freed with free(). */
#ifndef RD_BASE_ALLOC_H
#define RD_BASE_ALLOC_H

#include "base/macros.h"

#include <stdarg.h>

void *rd_malloc(size_t size);
void *rd_calloc(size_t count, size_t size); /* zeroed; aborts on overflow of count * size */
void *rd_realloc(void *ptr, size_t size);
/* Room for count elements of size each; aborts on overflow. */
void *rd_reallocarray(void *ptr, size_t count, size_t size);
char *rd_strdup(const char *s);           /* NULL gives NULL */
char *rd_strndup(const char *s, size_t n); /* s must not be NULL */
char *rd_asprintf(const char *fmt, ...) RD_PRINTF(1, 2);
char *rd_vasprintf(const char *fmt, va_list ap) RD_PRINTF(1, 0);

/* Frees *p and sets it to NULL; for RD_CLEANUP(rd_freep). */
void rd_freep(void *p);
#define RD_AUTOFREE RD_CLEANUP(rd_freep)

/* Replaces *dst, freeing the old value. `take` moves, `dup` copies (NULL allowed). */
void rd_str_take(char **dst, char *take);
void rd_str_dup(char **dst, const char *src);

/* Once, before any library call. */
void rd_alloc_init(void);

#endif
