/* Jobs on a Ray cluster: submit under an id of our own, follow the log, wait for the end.
 *
 * The id is chosen by the caller, so a lost reply to the submit is answered by looking at that id;
 * a job is never submitted twice. The log is read from the start each time and the part already
 * given out is skipped, so a cut connection neither loses nor doubles a byte. */
#ifndef RD_RAY_JOB_H
#define RD_RAY_JOB_H

#include "ray/dashboard.h"
#include "ray/job_log.h"
#include "ray/package.h"

#define RAY_JOB_STATUSES(X)                                                                        \
    X(RAY_JOB_UNKNOWN, "UNKNOWN", false)                                                           \
    X(RAY_JOB_PENDING, "PENDING", false)                                                           \
    X(RAY_JOB_RUNNING, "RUNNING", false)                                                           \
    X(RAY_JOB_STOPPED, "STOPPED", true)                                                            \
    X(RAY_JOB_SUCCEEDED, "SUCCEEDED", true)                                                        \
    X(RAY_JOB_FAILED, "FAILED", true)

enum ray_job_status {
#define X(name, word, terminal) name,
    RAY_JOB_STATUSES(X)
#undef X
        RAY_JOB_STATUS_MAX
};
enum ray_job_status ray_job_status_parse(const char *word); /* NULL and new words: UNKNOWN */
const char *ray_job_status_name(enum ray_job_status s);
bool ray_job_status_terminal(enum ray_job_status s);

/* ---- Submit ---- */
struct ray_job_spec {
    const char *submission_id; /* required; letters, digits, '-', '_', at most 128 */
    const char *entrypoint;    /* required; run by a shell on the head */
    const json_t *runtime_env; /* object; NULL: {} */
    const json_t *metadata;    /* object of strings; NULL: none */
    double num_cpus, num_gpus; /* negative or 0: not set */
    json_int_t memory_bytes;   /* 0: not set */
    const json_t *resources;   /* object of numbers; NULL: none */
    const json_t *labels;      /* object of texts: entrypoint_label_selector; NULL: none */
};
/* What Ray would refuse, before anything is sent. */
bool ray_job_spec_check(const struct ray_job_spec *spec, struct rd_err **reterr) RD_MUST_CHECK;
/* The JSON that is sent; owned. */
char *ray_job_body(const struct ray_job_spec *spec);
struct ray_job_submit {
    struct op op; /* ends without error once a job of that id exists */
    struct ray_dashboard *dash;
    bool adopted; /* it was there already, or the reply was lost */
    json_t *job;  /* owned; the job object, when it was adopted */
    /* job.c's own. */
    char *id, *entrypoint, *body;
    size_t body_len;
    struct ray_call call;
    struct op_timer pause;
    struct rd_err *why, *bad;
    unsigned attempt;
    int state;
};
void ray_job_submit_start(struct ray_job_submit *s, struct op *parent, struct ray_dashboard *d,
                          const struct ray_job_spec *spec); /* copies what it needs */
void ray_job_submit_clear(struct ray_job_submit *s);

/* ---- Follow ---- */
struct ray_job_follow {
    struct op op; /* ends without error at a terminal status, after the last byte of the log */
    struct ray_dashboard *dash;
    char *id;     /* owned */
    bool no_logs; /* set before the start: only wait */
    bool once;    /* the same: end with the log as it is now, whatever the status */
    /* New bytes of the log, in order, each once. Called from step. */
    void (*on_log)(struct ray_job_follow *f, const char *data, size_t len);
    void (*on_status)(struct ray_job_follow *f, enum ray_job_status status, const char *message);
    void *ctx;
    json_t *job; /* owned; the last job object seen */
    enum ray_job_status status;
    struct rd_err *log_problem; /* owned; the log could not be read to its end; NULL: it was */
    uint64_t log_bytes;         /* given out so far; may be set before the start to resume */
    /* job_follow.c's own. */
    struct ray_call get, logs;
    struct op_timer pause;
    struct ray_log_reader reader;
    uint64_t started_ms, fetch_ms;
    unsigned log_failures, log_lost, short_answers;
    int state;
};
void ray_job_follow_init(struct ray_job_follow *f, struct ray_dashboard *d, const char *id);
void ray_job_follow_start(struct ray_job_follow *f, struct op *parent);
void ray_job_follow_clear(struct ray_job_follow *f);

/* ---- All of it ---- */
struct ray_job_run {
    struct op op; /* success: SUCCEEDED. FAILED or STOPPED: RD_ERR_JOB with Ray's message */
    struct ray_dashboard *dash;
    /* In; borrowed until the end. spec.runtime_env gets working_dir from the package. Cancelling
     * this op leaves the job running: stop it with ray_job_stop_init under a parent that lives on.
     */
    struct ray_job_spec spec;
    const struct ray_package *package; /* NULL: none */
    void (*on_log)(struct ray_job_run *r, const char *data, size_t len);
    void (*on_status)(struct ray_job_run *r, const char *text); /* "uploading", "PENDING: ..." */
    void *ctx;
    /* Out; valid once ended. */
    enum ray_job_status status;
    char *message;        /* owned; Ray's; NULL: none */
    int driver_exit_code; /* -1: not known */
    bool adopted;
    json_t *job; /* owned */
    /* job_run.c's own. */
    struct ray_upload upload;
    struct ray_job_submit submit;
    struct ray_job_follow follow;
    struct ray_job_spec sent; /* spec with the package's working_dir */
    json_t *env;
    bool uploading, submitting, following;
    int state;
};
void ray_job_run_init(struct ray_job_run *r, struct ray_dashboard *d);
void ray_job_run_start(struct ray_job_run *r, struct op *parent);
void ray_job_run_clear(struct ray_job_run *r);

#endif
