/* The journal: intent on disk before the request leaves. The world is the truth; the journal is a
 * hint and our proof of ownership. One JSON object a line with a sequence number and a checksum;
 * append, fsync; the folder is fsynced at birth. A torn last line is dropped; damage before it is an
 * error that names the line (--rebuild-journal starts a new one and keeps the old beside it).
 * Never a secret. */
#ifndef RD_PHASE_DRIVE_JOURNAL_H
#define RD_PHASE_DRIVE_JOURNAL_H

#include "base/json.h"

struct journal;

/* dir: $XDG_STATE_HOME/raydeploy/PROJECT/DEPLOYMENT (made when missing, 0700). */
bool journal_open(const char *dir, bool rebuild, struct journal **ret, struct rd_err **reterr)
    RD_MUST_CHECK;
/* Appends {seq, time, type, ...fields} and returns after fsync; takes *take_fields. */
bool journal_append(struct journal *j, const char *type, json_t *take_fields, struct rd_err **reterr)
    RD_MUST_CHECK;
/* All valid records, oldest first; borrowed array. */
const json_t *journal_records(const struct journal *j);
/* Local lock (flock plus pid and start time); RD_ERR_LOCKED names the holder. */
bool journal_lock(struct journal *j, struct rd_err **reterr) RD_MUST_CHECK;
const char *journal_path(const struct journal *j);
uint64_t journal_next_seq(const struct journal *j);
void journal_close(struct journal *j);

#endif
