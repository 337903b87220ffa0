/* Files built into the binary by cmake/embed.cmake. */
#ifndef RD_BASE_EMBED_H
#define RD_BASE_EMBED_H

#include <stddef.h>

struct rd_embedded {
    const char *name;          /* relative path; NULL ends the table */
    const unsigned char *data; /* followed by a zero byte that len does not count */
    size_t len;
};

#endif
