#include "k8s/watch.h"

#include <string.h>

/* The server ends each document with a newline and writes none inside (reference 3.2), so one memchr
 * over the new bytes is enough. */
size_t k8s_stream_next(const char *data, size_t len, size_t *scan, size_t max, bool *ret_too_long)
{
    *ret_too_long = false;
    const char *end = *scan < len ? memchr(data + *scan, '\n', len - *scan) : NULL;
    if (!end) {
        *scan = len;
        *ret_too_long = len > max;
        return 0;
    }
    size_t n = (size_t)(end - data) + 1;
    *ret_too_long = n > max;
    *scan = 0;
    return n;
}
