/* The hall's inside: the root op that runs the core's commands and feeds it what happens. */
#ifndef RD_PHASE_DRIVE_HALL_H
#define RD_PHASE_DRIVE_HALL_H

#include "phase/drive/drive.h"
#include "phase/drive/guard.h"
#include "phase/drive/inventory.h"
#include "phase/drive/journal.h"

#define HALL_EVENTS_MAX 512

struct hall_step {
    struct step_op run;     /* one verb at a time */
    bool active;
    unsigned run_id;
    char *reason;           /* owned: the last word of its ops */
    struct rd_err *err;     /* owned: why it failed */
    json_t *asks;           /* owned: of its last LOOK (step_op.asks); NULL */
};

/* A record that is on our disk and waits for the mirror. */
struct hall_pending {
    uint64_t seq;
    unsigned put;
};

struct hall {
    struct op op;
    struct loop *loop;
    const struct drive_options *o;
    struct step_ctx ctx;
    struct note_sink notes;       /* fills in times, then hands on to o->notes */
    struct phase_step_def defs[PHASE_STEPS_MAX];
    struct phase phase;
    struct phase_commands out;
    struct phase_event events[HALL_EVENTS_MAX]; /* ring: to be fed */
    unsigned event_first, event_count;
    struct hall_step steps[PHASE_STEPS_MAX];
    struct inventory inventory;
    struct journal *journal;      /* borrowed; NULL: GOAL_LOOK writes nothing down */
    struct guard *guard;          /* borrowed; NULL: no lock */
    bool guard_started, guard_over;
    bool lock_waived;             /* step_ctx.lockless was heard */
    uint64_t told_until_ms;
    bool gated;                   /* writes ask for the lock */
    struct hall_pending pending[PHASE_STEPS_MAX * 2];
    unsigned pending_count;
    json_t *mirror_asked;         /* owned: the last content put; NULL: none yet */
    json_t *mirrored_facts;       /* owned: of the mirror as it was found; NULL: none */
    struct rd_err *broken;        /* owned: lock or journal: why the run had to end */
    unsigned signals;
    int signum;                   /* the first */
    uint64_t begun_ms, displayed_ms;
    bool closing;                 /* CMD_END came; the guard is being released */
    bool removing;                /* together with all that it made */
    struct phase_command end;
};

/* Runs to the end, then fills ret. journal and guard may be NULL (see above). */
void hall_run(struct hall *h, struct loop *l, const struct drive_options *o, struct journal *journal,
              struct guard *guard, struct drive_result *ret);

/* ---- hall_step.c: ops of steps ---- */
void hall_step_run(struct hall *h, const struct phase_command *c);
void hall_step_collect(struct hall *h); /* turns ended ops into verdicts */
void hall_event(struct hall *h, const struct phase_event *e);

/* ---- hall_record.c: what is written down ---- */
void hall_journal(struct hall *h, const struct phase_command *c);
void hall_inventory_load(struct hall *h);              /* from the journal */
void hall_inventory_merge(struct hall *h, const json_t *mirror);
/* Writes down a request that a step is about to send, with method and path; false: it could not be, and the
 * run ends. Requests of the guard are nobody's intent. */
bool hall_request(struct hall *h, const struct op *op, const struct http_req *req);
/* The name of a long-running operation that a step's request began. */
void hall_operation(struct hall *h, const struct op *op, const char *name);
/* What a step asked for has come to its end (step_op.answered). */
void hall_answered(struct hall *h, unsigned step);
json_t *hall_mirror(const struct hall *h);             /* owned */
/* Asks for what the mirror was not asked to hold yet; true while a write of it is under way. */
bool hall_mirror_behind(struct hall *h);
void hall_mirror_settle(struct hall *h);               /* answers records the mirror now holds */

/* ---- hall_report.c: what is said ---- */
void hall_note_state(struct hall *h, const struct phase_command *c);
void hall_say(struct hall *h, enum note_level level, const char *fmt, ...) RD_PRINTF(3, 4);
void hall_result(struct hall *h, struct drive_result *ret);
/* Builds the error of a step that failed, from its last word and the core's judgement. */
void hall_step_failed(struct hall *h, unsigned i);

#endif
