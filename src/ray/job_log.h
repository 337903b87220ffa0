/* The log in a {"logs": "..."} answer, decoded as it arrives, and what of it is new: no I/O.
 *
 * Each answer holds the whole log. The first `given` bytes were handed out before and are skipped,
 * so an answer that is cut anywhere loses nothing and doubles nothing: the next one goes on there.
 * Memory is bounded by the arrival, not by the log. */
#ifndef RD_RAY_JOB_LOG_H
#define RD_RAY_JOB_LOG_H

#include "base/buf.h"

struct ray_log_reader {
    uint64_t given;      /* bytes handed out in this life and earlier ones */
    uint64_t seen;       /* bytes of the log in this answer so far */
    bool complete;       /* the log's closing quote was seen */
    bool found;          /* the answer has a log */
    const char *problem; /* static; the answer is not of the known shape */
    struct rd_buf fresh; /* new bytes, to be taken by the owner */
    /* The reader's own. */
    int state, depth;
    bool key_next, in_logs;
    char word[8]; /* the key being read; longer ones are not ours */
    size_t word_len;
    unsigned unit; /* of \uXXXX */
    int unit_digits;
    unsigned high; /* a high surrogate that waits for its low one */
};
void ray_log_reader_init(struct ray_log_reader *r, uint64_t given);
void ray_log_reader_begin(struct ray_log_reader *r); /* a new answer */
void ray_log_reader_feed(struct ray_log_reader *r, const char *data, size_t len);
void ray_log_reader_clear(struct ray_log_reader *r);

#endif
