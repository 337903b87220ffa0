/* A child process with bounded output, for exec credential plugins and browsers. No shell. */
#ifndef RD_LOOP_PROC_H
#define RD_LOOP_PROC_H

#include "base/buf.h"
#include "loop/loop.h"

struct op_proc {
    struct op op;
    struct rd_buf out; /* stdout, at most out_max bytes: more is an error and ends the process */
    int64_t exit_status;
    int term_signal; /* 0: it exited by itself */
    /* The rest is proc.c's. */
    uv_process_t process;
    uv_pipe_t pipe;
    int open_handles;
    bool exited, eof;
    int kills;
    uint64_t kill_at_ms, linger_until_ms;
    char *process_file; /* owned */
    struct rd_err *failure;
    char chunk[8192];
};

struct op_proc_options {
    const char *file;         /* looked up on PATH unless it holds a slash */
    const char *const *argv;  /* NULL-ended, argv[0] included */
    const char *const *env;   /* NULL-ended KEY=VALUE, whole environment; NULL: ours */
    const char *cwd;          /* NULL: ours */
    bool inherit_stdin;
    bool quiet_stderr;        /* else it goes to the user */
    size_t out_max;
};
/* Ends without error once the process has ended, whatever its status. A missing program is
 * RD_ERR_INPUT. Cancelling sends SIGTERM, then SIGKILL after 2 s. The options are borrowed for the
 * call only. A grandchild that keeps stdout open is not waited for longer than 1 s. */
void op_proc_start(struct op_proc *p, struct op *parent, const struct op_proc_options *o);
void op_proc_clear(struct op_proc *p); /* must not be running; safe on zeroed memory */

#endif
