/* What every test file includes, in the order cmocka asks for, and two helpers for tables. Only for
 * *_test.c files. */
#ifndef RD_BASE_TEST_H
#define RD_BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"

/* Fails naming the row of a table and both values. */
static inline void rd_check_str(const char *row, const char *got, const char *want)
{
    if (!rd_streq(got, want))
        fail_msg("%s: got \"%s\", want \"%s\"", row, got == NULL ? "(null)" : got,
                 want == NULL ? "(null)" : want);
}

static inline void rd_check_int(const char *row, long long got, long long want)
{
    if (got != want)
        fail_msg("%s: got %lld, want %lld", row, got, want);
}

/* The error is of this kind, and its message holds `part`. Frees it. */
static inline void rd_check_err(const char *row, struct rd_err **err, enum rd_err_kind kind,
                                const char *part)
{
    if (*err == NULL)
        fail_msg("%s: got no error, want %s: %s", row, rd_err_kind_name(kind), part);
    if ((*err)->kind != kind || strstr((*err)->message, part) == NULL)
        fail_msg("%s: got %s: %s, want %s: %s", row, rd_err_kind_name((*err)->kind),
                 (*err)->message, rd_err_kind_name(kind), part);
    rd_err_freep(err);
}

#endif
