#include "phase/drive/journal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "phase/drive/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define JOURNAL_MAX ((size_t)64 << 20)

struct journal {
    struct journal_disk *disk; /* borrowed */
    char *dir, *path;          /* owned */
    int fd;                    /* for appending; -1 until the first */
    int lock_fd;
    off_t good; /* bytes of whole records; what follows is torn */
    bool torn, broken;
    uint64_t next_seq;
    json_t *records;
    struct rd_err *damage;
};

static int sys_open(struct journal_disk *d, const char *path, int flags, mode_t mode)
{
    (void)d;
    return open(path, flags, mode);
}

static ssize_t sys_write(struct journal_disk *d, int fd, const void *data, size_t len)
{
    (void)d;
    return write(fd, data, len);
}

static int sys_fsync(struct journal_disk *d, int fd)
{
    (void)d;
    return fsync(fd);
}

static int sys_ftruncate(struct journal_disk *d, int fd, off_t len)
{
    (void)d;
    return ftruncate(fd, len);
}

static int sys_rename(struct journal_disk *d, const char *from, const char *to)
{
    (void)d;
    return rename(from, to);
}

static struct journal_disk system_disk = {sys_open, sys_write, sys_fsync, sys_ftruncate,
                                          sys_rename};

/* ---- Reading ---- */

static void damaged(struct journal *j, const struct journal_scan *scan)
{
    (void)rd_fail(&j->damage, RD_ERR_FAILED, "journal %s is damaged at line %u: %s", j->path,
                  scan->line, scan->damage);
    rd_err_hint(j->damage, "Run the same command with --rebuild-journal: it keeps the old journal "
                           "beside a new one and goes on from what it finds in the world.");
}

static void read_records(struct journal *j, const char *data, size_t len)
{
    struct journal_scan scan;
    journal_scan(data, len, j->records, &scan);
    j->next_seq = scan.next_seq;
    j->good = (off_t)scan.good;
    j->torn = scan.torn;
    if (scan.damage != NULL)
        damaged(j, &scan);
}

static void load(struct journal *j)
{
    json_array_clear(j->records);
    rd_err_freep(&j->damage);
    j->next_seq = 1;
    j->good = 0;
    j->torn = false;
    if (!rd_path_exists(j->path))
        return;
    RD_AUTOBUF struct rd_buf data = RD_BUF_INIT(JOURNAL_MAX);
    if (rd_file_read(j->path, JOURNAL_MAX, &data, &j->damage))
        read_records(j, rd_buf_str(&data), data.len);
    else
        rd_err_hint(j->damage, "If the journal is beyond repair, run with --rebuild-journal.");
}

bool journal_open(const char *dir, struct journal_disk *disk, struct journal **ret,
                  struct rd_err **reterr)
{
    if (!rd_dir_make(dir, reterr))
        return false;
    struct journal *j = rd_calloc(1, sizeof *j);
    j->disk = disk != NULL ? disk : &system_disk;
    j->dir = rd_strdup(dir);
    j->path = rd_path_join(dir, "journal.jsonl");
    j->fd = j->lock_fd = -1;
    j->records = json_array();
    load(j);
    *ret = j;
    return true;
}

/* ---- Locking ---- */

static bool busy(struct journal *j, const char *lock_path, struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(4096);
    RD_AUTOERR struct rd_err *ignored = NULL;
    const char *who = "another run";
    if (rd_file_read(lock_path, 4096, &text, &ignored) && text.len > 0)
        who = rd_buf_str(&text);
    (void)rd_fail(reterr, RD_ERR_LOCKED, "another run on this machine works on this deployment: %s",
                  who);
    rd_err_hint(*reterr,
                "Wait for it to end, or stop it with a signal to that process; the lock ends "
                "with the process. It is held on %s.",
                lock_path);
    rd_err_resource(*reterr, "%s", j->dir);
    return false;
}

static bool set_aside(struct journal *j, struct rd_err **reterr)
{
    char now[32];
    rd_rfc3339_ms(rd_wall_ms(), now);
    RD_AUTOFREE char *old = rd_asprintf("%s.%s.old", j->path, now);
    if (j->disk->rename(j->disk, j->path, old) != 0 && errno != ENOENT)
        return rd_fail(reterr, RD_ERR_FAILED, "cannot set aside journal %s: %s", j->path,
                       strerror(errno));
    load(j);
    return true;
}

bool journal_lock(struct journal *j, bool rebuild, struct rd_err **reterr)
{
    RD_ASSERT(j->lock_fd < 0);
    RD_AUTOFREE char *path = rd_path_join(j->dir, "lock");
    int fd = j->disk->open(j->disk, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return rd_fail(reterr, RD_ERR_FAILED, "cannot open lock %s: %s", path, strerror(errno));
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        int error = errno;
        close(fd);
        if (error == EWOULDBLOCK)
            return busy(j, path, reterr);
        return rd_fail(reterr, RD_ERR_FAILED, "cannot lock %s: %s", path, strerror(error));
    }
    j->lock_fd = fd;
    RD_AUTOFREE char *who = holder_describe();
    /* For people only: whoever cannot read it still sees that it is held. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, who, strlen(who), 0) < 0)
        errno = 0;
    load(j);
    if (rebuild && (j->damage != NULL || j->torn) && !set_aside(j, reterr))
        return false;
    if (j->damage != NULL) {
        *reterr = rd_err_dup(j->damage);
        return false;
    }
    return true;
}

/* ---- Appending ---- */

static bool broke(struct journal *j, const char *what, struct rd_err **reterr)
{
    int error = errno;
    j->broken = true;
    (void)rd_fail(reterr, RD_ERR_FAILED, "cannot %s journal %s: %s", what, j->path,
                  strerror(error));
    rd_err_hint(*reterr,
                "Nothing is done that cannot be written down first. Make room on the disk (or "
                "name another place with --state-dir) and run the same command again.");
    return false;
}

static bool write_all(struct journal *j, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = j->disk->write(j->disk, j->fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static int sync_retry(struct journal *j, int fd)
{
    int rc;
    do
        rc = j->disk->fsync(j->disk, fd);
    while (rc != 0 && errno == EINTR);
    return rc;
}

static bool sync_dir(struct journal *j)
{
    int fd = j->disk->open(j->disk, j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    int rc = sync_retry(j, fd);
    int error = errno;
    close(fd);
    errno = error;
    return rc == 0 || error == EINVAL; /* some file systems cannot sync a folder */
}

static bool open_for_append(struct journal *j, struct rd_err **reterr)
{
    if (j->fd >= 0)
        return true;
    j->fd = j->disk->open(j->disk, j->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (j->fd < 0)
        return broke(j, "open", reterr);
    if (j->torn && j->disk->ftruncate(j->disk, j->fd, j->good) != 0)
        return broke(j, "cut the torn end off", reterr);
    j->torn = false;
    /* Also when the file was there: the run that made it may have died before this. */
    if (!sync_dir(j))
        return broke(j, "sync the folder of", reterr);
    return true;
}

bool journal_append(struct journal *j, const char *type, json_t *take_fields,
                    struct rd_err **reterr)
{
    RD_ASSERT(j->lock_fd >= 0);
    RD_AUTOJSON json_t *record = take_fields != NULL ? take_fields : json_object();
    if (j->broken)
        return rd_fail(reterr, RD_ERR_FAILED, "journal %s could not be written before", j->path);
    if (!open_for_append(j, reterr))
        return false;
    char now[32];
    rd_rfc3339_ms(rd_wall_ms(), now);
    json_object_set_new(record, "seq", json_integer((json_int_t)j->next_seq));
    json_object_set_new(record, "time", json_string(now));
    json_object_set_new(record, "type", json_string(type));
    RD_AUTOFREE char *line = journal_write_line(record);
    size_t len = strlen(line);
    if (!write_all(j, line, len)) {
        /* Half a record is cut off; where even that fails, the next run's reader does it. */
        int error = errno;
        bool cut = j->disk->ftruncate(j->disk, j->fd, j->good) == 0;
        errno = error;
        (void)broke(j, "write", reterr);
        j->broken = !cut;
        return false;
    }
    /* After a failed fsync nobody knows what is on disk, so nothing more is claimed. */
    if (sync_retry(j, j->fd) != 0)
        return broke(j, "sync", reterr);
    j->good += (off_t)len;
    j->next_seq++;
    json_array_append(j->records, record);
    return true;
}

const json_t *journal_records(const struct journal *j)
{
    return j->records;
}

const struct rd_err *journal_damage(const struct journal *j)
{
    return j->damage;
}

const char *journal_path(const struct journal *j)
{
    return j->path;
}

uint64_t journal_next_seq(const struct journal *j)
{
    return j->next_seq;
}

void journal_close(struct journal *j)
{
    if (j == NULL)
        return;
    if (j->fd >= 0)
        close(j->fd);
    if (j->lock_fd >= 0)
        close(j->lock_fd);
    json_decref(j->records);
    rd_err_free(j->damage);
    free(j->path);
    free(j->dir);
    free(j);
}
