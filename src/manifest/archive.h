/* A gzipped tar in memory as a list of its files. Bounded; wholly checked before anything is used:
 * length and checksum of the gzip stream (libarchive looks at neither), paths and types of entries. */
#ifndef RD_MANIFEST_ARCHIVE_H
#define RD_MANIFEST_ARCHIVE_H

#include "base/err.h"

struct archive_limits {
    size_t bytes_max; /* unpacked, the tar as a whole */
    size_t files_max;
};
extern const struct archive_limits archive_limits_default; /* 64 MiB, 10 000 */

struct archive_file {
    char *path; /* owned; relative, without "." and ".." parts */
    char *data; /* owned; NUL-terminated */
    size_t len;
};

struct archive_files {
    struct archive_file *v;
    size_t len, cap;
};

/* Errors are RD_ERR_INPUT naming `label`; ret is empty then. `want` chooses which files to keep (NULL:
 * all); the others are checked and dropped. */
bool archive_read_tgz(const char *data, size_t len, const char *label,
                      const struct archive_limits *limits, bool (*want)(const char *path),
                      struct archive_files *ret, struct rd_err **reterr) RD_MUST_CHECK;
void archive_files_clear(struct archive_files *f);

#endif
