/* The few compiler words the whole program uses. */
#ifndef RD_BASE_MACROS_H
#define RD_BASE_MACROS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RD_MUST_CHECK __attribute__((warn_unused_result))
#define RD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RD_CLEANUP(fn) __attribute__((cleanup(fn)))

#define RD_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* "%zu object%s" */
#define RD_PLURAL(n) ((n) == 1 ? "" : "s")

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* Guards our own promises, in release builds too. It never judges input. */
#define RD_ASSERT(cond)                                                                            \
    do {                                                                                           \
        if (!(cond))                                                                               \
            rd_assert_failed(#cond, __FILE__, __LINE__);                                           \
    } while (0)

#define RD_UNREACHABLE() rd_assert_failed("unreachable", __FILE__, __LINE__)

/* Prints the broken promise and aborts; main's handler turns the abort into exit code 70. */
_Noreturn void rd_assert_failed(const char *what, const char *file, int line);

#endif
