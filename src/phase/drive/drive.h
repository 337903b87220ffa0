/* The hall: owns the loop, the boot clock, the disk and the signals; runs the core's commands and
 * feeds what happens. */
#ifndef RD_PHASE_DRIVE_DRIVE_H
#define RD_PHASE_DRIVE_DRIVE_H

#include "phase/steps/step.h"

struct drive_options {
    const struct config *config;
    const struct step_row *rows;
    unsigned row_count;
    struct phase_goal goal;
    const char *verb;              /* "up": for the journal, the report and the resume line */
    struct note_sink *notes;
    void (*on_tick)(void *ctx, uint64_t now_ms); /* four times a second; NULL */
    void (*on_hangup)(void *ctx);  /* HUP or closed terminal: the display ends */
    void *ctx;
    bool no_lock;                  /* looking only: no journal, no lock */
    bool no_lease;                 /* the lock of this machine only: what is made has fixed names */
    bool dry_run;                  /* step_ctx.dry_run */
    json_t *session;               /* step_ctx.session: an object; borrowed */
    const char *resume_command;    /* printed after a stop or failure */
};

struct drive_step_report {
    const char *id, *title;
    enum step_state state;
    struct phase_verdict found;    /* the last one */
    uint64_t begun_ms, ended_ms;   /* boot clock; 0: never */
    char *reason;
    struct rd_err *err;
};

struct drive_result {
    int exit_code;
    struct rd_err *err;            /* owned; the first and gravest; NULL on success */
    struct drive_step_report *steps;
    unsigned step_count;
    unsigned writes;               /* objects created or changed by this run */
    uint64_t begun_ms;             /* boot clock */
    uint64_t elapsed_ms;
    json_t *facts;                 /* owned */
};

/* Runs to the end. The result is always filled. Notes of steps, progress and a resume line go to
 * o->notes; the caller reports the result itself (its note is the last line). */
void drive_run(struct loop *l, const struct drive_options *o, struct drive_result *ret);
void drive_result_clear(struct drive_result *r);

#endif
