/* raydeploy job: what its subcommands share. */
#ifndef RD_CMD_JOB_H
#define RD_CMD_JOB_H

#include "ray_way.h"

#include "ray/job.h"

/* The log on standard output: as it is into a file or pipe; on a terminal without what could drive it
 * (colours aside); with -o json one {"log": LINE} a line. */
struct job_log {
    struct verb_ctx *v;
    bool terminal, closed; /* closed: nobody reads any more */
    struct rd_buf line;    /* json: what has no end of line yet */
    struct rd_buf escape;  /* terminal: a colour that has only begun */
    uint64_t bytes;
};
void job_log_init(struct job_log *l, struct verb_ctx *v);
void job_log_write(struct job_log *l, const char *data, size_t len);
void job_log_end(struct job_log *l); /* a last line without its newline */
void job_log_clear(struct job_log *l);

/* One subcommand: finds the way, then runs its own steps. */
struct job_verb {
    struct op op;
    struct verb_ctx *v;
    struct ray_way way;
    const char *id; /* borrowed; NULL: list, or submit before it chose one */
    /* From the way's end on; finishes op. */
    void (*step)(struct job_verb *j);
    int state;
    struct ray_call call;
    struct ray_job_follow follow;
    bool following, way_found;
    struct op_timer pause;
    struct job_log log;
    enum ray_job_status status; /* for the exit code */
    int driver_exit_code;       /* -1: not known */
};
/* Runs it; the exit code. The way must be open. */
int job_run(struct job_verb *j);
bool job_open(struct job_verb *j, struct verb_ctx *v, struct rd_err **reterr) RD_MUST_CHECK;
void job_close(struct job_verb *j);
/* Follows (once: reads what is there) to the end; then job_judge. */
void job_follow(struct job_verb *j, bool once);
/* SUCCEEDED: NULL; else RD_ERR_JOB with Ray's words. Keeps status and exit code. Owned. */
struct rd_err *job_judge(struct job_verb *j, const json_t *job);
/* With --exit-code-from-job that of the job, where it is known. */
int job_exit_code(const struct job_verb *j, int code);
/* The documented shape of a job (docs/json.md); owned. */
json_t *job_json(const json_t *job);

/* POSIX words as one line that a shell splits into them again. Owned. */
char *job_shell_join(char *const *words, size_t count);

int job_submit(struct verb_ctx *v);
int job_logs(struct verb_ctx *v);
int job_list(struct verb_ctx *v);
int job_status(struct verb_ctx *v);
int job_stop(struct verb_ctx *v);
int job_delete(struct verb_ctx *v);

#endif
