/* The journal: intent on disk before the request leaves. The world is the truth; the journal is a
 * hint and our proof of ownership. One JSON object a line with a sequence number and a checksum;
 * append, fsync; the folder is fsynced at birth. A torn last line is dropped; damage before it is an
 * error that names the line (--rebuild-journal starts a new one and keeps the old beside it).
 * Never a secret. */
#ifndef RD_PHASE_DRIVE_JOURNAL_H
#define RD_PHASE_DRIVE_JOURNAL_H

#include "base/json.h"

#include <sys/types.h>

struct journal;

/* The disk, so that a test can make its N-th call fail. Each behaves like the system call. */
struct journal_disk {
    int (*open)(struct journal_disk *d, const char *path, int flags, mode_t mode);
    ssize_t (*write)(struct journal_disk *d, int fd, const void *data, size_t len);
    int (*fsync)(struct journal_disk *d, int fd);
    int (*ftruncate)(struct journal_disk *d, int fd, off_t len);
    int (*rename)(struct journal_disk *d, const char *from, const char *to);
};

/* dir: $XDG_STATE_HOME/raydeploy/PROJECT/DEPLOYMENT (made when missing, 0700). Changes no record; what
 * is torn is cut off by the first append. disk NULL: the system's; else it must outlive the journal. */
bool journal_open(const char *dir, struct journal_disk *disk, struct journal **ret,
                  struct rd_err **reterr) RD_MUST_CHECK;
/* Local lock (flock; the file names pid and start), then reads the records anew, since another run may
 * just have ended. RD_ERR_LOCKED names the holder. With `rebuild` damage is moved aside. */
bool journal_lock(struct journal *j, bool rebuild, struct rd_err **reterr) RD_MUST_CHECK;
/* Appends {seq, time, type, ...fields} and returns after fsync; takes *take_fields (NULL: none). After
 * a failure that may have left half a record nothing more is appended. Needs the lock. */
bool journal_append(struct journal *j, const char *type, json_t *take_fields, struct rd_err **reterr)
    RD_MUST_CHECK;
/* All valid records, oldest first; borrowed array. */
const json_t *journal_records(const struct journal *j);
/* NULL, or what is wrong with it; borrowed. Then only a locking with `rebuild` makes it usable. */
const struct rd_err *journal_damage(const struct journal *j);
const char *journal_path(const struct journal *j);
uint64_t journal_next_seq(const struct journal *j);
void journal_close(struct journal *j); /* NULL is fine */

/* Pure: one line without its newline, to a record; owned, or NULL when the line is not whole. */
json_t *journal_read_line(const char *line, size_t len);
/* Pure: a record to its line with newline; owned. Adds the checksum to the record. */
char *journal_write_line(json_t *record);

struct journal_scan {
    size_t good;        /* bytes of whole records */
    bool torn;          /* what follows is half a record: dropped */
    const char *damage; /* static; NULL: none. What follows `good` is no record */
    unsigned line;      /* of the damage */
    uint64_t next_seq;
};
/* Pure: appends the whole records of a file to `records`, oldest first. */
void journal_scan(const char *data, size_t len, json_t *records, struct journal_scan *ret);

#endif
