#include "base/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK 65536
#define PIPE_WAIT_MS (30 * 1000) /* a named pipe that nobody writes to would be waited for without end */

static void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What the user can cure by another path is input, the rest (a full or failing disk) is not. */
static enum rd_err_kind write_error_kind(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EROFS:
    case EEXIST:
    case ELOOP:
    case ENAMETOOLONG:
        return RD_ERR_INPUT;
    default:
        return RD_ERR_FAILED;
    }
}

/* Opened without blocking; there is something to read, or the end. */
static bool wait_pipe(int fd, const char *name, struct rd_err **reterr)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, PIPE_WAIT_MS);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return rd_fail(reterr, RD_ERR_INPUT, "cannot read %s: %s", name, strerror(errno));
    if (n > 0)
        return true;
    rd_fail(reterr, RD_ERR_INPUT, "cannot read %s: it is a pipe, and nothing came for %d seconds", name,
            PIPE_WAIT_MS / 1000);
    rd_err_hint(*reterr, "Is there a program that writes to it?");
    return false;
}

static bool read_fd(int fd, bool pipe, const char *name, size_t max, struct rd_buf *out,
                    struct rd_err **reterr)
{
    RD_AUTOFREE char *chunk = rd_malloc(READ_CHUNK);
    size_t total = 0;
    for (;;) {
        if (pipe && !wait_pipe(fd, name, reterr))
            return false;
        ssize_t n = read(fd, chunk, READ_CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rd_fail(reterr, RD_ERR_INPUT, "cannot read %s: %s", name, strerror(errno));
        if (n == 0)
            return true;
        if ((size_t)n > max - total)
            return rd_fail(reterr, RD_ERR_INPUT, "%s is too large: more than %zu bytes", name, max);
        total += (size_t)n;
        rd_buf_append(out, chunk, (size_t)n);
        if (out->overflow)
            return rd_fail(reterr, RD_ERR_INPUT, "%s is too large: more than %zu bytes", name,
                           out->max);
    }
}

bool rd_file_read(const char *path, size_t max, struct rd_buf *out, struct rd_err **reterr)
{
    RD_CLEANUP(closep) int fd = -1;
    bool from_stdin = strcmp(path, "-") == 0, pipe = false;
    RD_AUTOFREE char *name = rd_strdup("standard input");
    if (!from_stdin) {
        rd_str_take(&name, rd_asprintf("file %s", path));
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
            return rd_fail(reterr, RD_ERR_INPUT, "cannot open %s: %s", name, strerror(errno));
        struct stat st;
        if (fstat(fd, &st) != 0)
            return rd_fail(reterr, RD_ERR_INPUT, "cannot look at %s: %s", name, strerror(errno));
        if (S_ISDIR(st.st_mode))
            return rd_fail(reterr, RD_ERR_INPUT, "cannot read %s: %s", name, strerror(EISDIR));
        pipe = S_ISFIFO(st.st_mode);
    }
    size_t before = out->len;
    bool overflow_before = out->overflow;
    if (read_fd(from_stdin ? STDIN_FILENO : fd, pipe, name, max, out, reterr))
        return true;
    /* Leave out as it was. */
    out->len = before;
    out->overflow = overflow_before;
    if (out->data != NULL)
        out->data[before] = '\0';
    return false;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0) {
            errno = EIO;
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* A signal (a resized terminal, a second INT) is no reason to call a file broken. */
static int sync_fd(int fd)
{
    int rc;
    do
        rc = fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc;
}

static int open_dir(const char *dir)
{
    int fd;
    do
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static bool sync_dir(const char *dir)
{
    RD_CLEANUP(closep) int fd = open_dir(dir);
    if (fd < 0)
        return false;
    /* Some file systems cannot sync a folder and say EINVAL; they have nothing to lose. */
    return sync_fd(fd) == 0 || errno == EINVAL;
}

/* The steps on the open temporary file; names the one that failed, errno says why. */
static const char *fill_and_rename(int fd, const char *temp, const char *path, const void *data,
                                   size_t len, mode_t mode)
{
    if (!write_all(fd, data, len))
        return "write";
    if (fchmod(fd, mode) != 0)
        return "set the mode of";
    if (sync_fd(fd) != 0)
        return "sync";
    if (rename(temp, path) != 0)
        return "replace";
    return NULL;
}

bool rd_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode,
                          struct rd_err **reterr)
{
    RD_AUTOFREE char *dir = rd_path_dir(path);
    RD_AUTOFREE char *temp = rd_asprintf("%s.tmp-XXXXXX", path);
    RD_CLEANUP(closep) int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        return rd_fail(reterr, write_error_kind(error), "cannot create file %s: %s", path,
                       strerror(error));
    }
    const char *step = fill_and_rename(fd, temp, path, data, len, mode);
    if (step != NULL) {
        int error = errno;
        unlink(temp);
        return rd_fail(reterr, write_error_kind(error), "cannot %s file %s: %s", step, path,
                       strerror(error));
    }
    if (!sync_dir(dir)) {
        int error = errno;
        return rd_fail(reterr, write_error_kind(error), "cannot sync folder %s: %s", dir,
                       strerror(error));
    }
    return true;
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool rd_dir_make(const char *path, struct rd_err **reterr)
{
    RD_AUTOFREE char *part = rd_strdup(path);
    char *p = part;
    for (;;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        char kept = *p;
        *p = '\0';
        if (mkdir(part, 0700) != 0) {
            int error = errno;
            /* A read-only parent says EROFS or EACCES even for a folder that is there. */
            if (!is_dir(part))
                return rd_fail(reterr, write_error_kind(error), "cannot make folder %s: %s", part,
                               strerror(error == EEXIST ? ENOTDIR : error));
        }
        *p = kept;
        if (p[strspn(p, "/")] == '\0')
            return true;
    }
}

char *rd_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    if (name[0] == '/' || n == 0)
        return rd_strdup(name);
    return rd_asprintf("%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

char *rd_path_dir(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    if (n == 0)
        return rd_strdup(".");
    while (n > 1 && path[n - 1] == '/')
        n--;
    return rd_strndup(path, n);
}

bool rd_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}
