/* Files: bounded reads, atomic writes. */
#ifndef RD_BASE_FILE_H
#define RD_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* Reads all of `path` ("-": stdin), at most max bytes; more is an RD_ERR_INPUT error. Appends. */
bool rd_file_read(const char *path, size_t max, struct rd_buf *out, struct rd_err **reterr)
    RD_MUST_CHECK;
/* Writes to a temporary name beside it, fsync, rename, fsync of the folder. */
bool rd_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode,
                          struct rd_err **reterr) RD_MUST_CHECK;
/* mkdir -p with mode 0700 for what is missing. */
bool rd_dir_make(const char *path, struct rd_err **reterr) RD_MUST_CHECK;
char *rd_path_join(const char *dir, const char *name); /* owned; absolute name wins */
char *rd_path_dir(const char *path);                   /* owned; "." when there is none */
bool rd_path_exists(const char *path);

#endif
