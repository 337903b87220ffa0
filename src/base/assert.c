#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void rd_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "raydeploy: broken promise: %s (%s:%d)\n", what, file, line);
    fflush(stderr);
    abort();
}
