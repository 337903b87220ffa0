/* A step is data (struct step_row) and up to four verbs. A verb is an op that ends with a verdict.
 * Steps never decide about retries of themselves, order or time: the core does. */
#ifndef RD_PHASE_STEPS_STEP_H
#define RD_PHASE_STEPS_STEP_H

#include "config/config.h"
#include "k8s/client.h"
#include "manifest/template.h"
#include "phase/core/phase.h"

struct step_row;
struct gcp_client;

/* What the steps of one run share. Owned by the hall. */
struct step_ctx {
    struct loop *loop;
    const struct config *config;
    struct template_set *templates;
    struct k8s_client *workload;   /* cluster that runs Ray; NULL until a step publishes it */
    struct k8s_client *management; /* cluster that runs Config Connector; NULL on --target local */
    struct gcp_client *gcp;        /* Google's APIs; NULL on --target local, or until google_connect */
    json_t *facts;                 /* fact name -> value; only step_publish writes */
    const char *run_id;            /* of this run; DNS label, unique */
    struct note_sink *notes;
    json_t *session;               /* the steps' own cache for the run; the caller's, or NULL */
    bool going_down;               /* the goal is to undo: LOOK only asks what is there and whose */
    bool job_follows;              /* the test job runs after the RayCluster is ready, and reads it again */
    bool chart_wanted;             /* the goal installs KubeRay's CRDs */
    bool dry_run;                  /* plan: START must not send anything that changes */
    bool lockless;                 /* the cluster that keeps the lock is not there, or is about to go: the
                                      lock of this machine has to do */
    unsigned writes;               /* objects created, changed or deleted so far; the steps count up */
    const json_t *history;         /* the journal's records when the run began, oldest first; NULL: none */
    json_t *open;                  /* step -> step_op.asks of its last START that has had no answer yet, of
                                      this run or an earlier one; NULL: none are kept */
    k8s_write_gate *may_write;     /* for clients that a step makes itself; NULL: nobody is asked */
    void *may_write_ctx;
};

/* One verb of one step in flight. The verb's code keeps its own state in priv. */
struct step_op {
    struct op op;                  /* ends without error: verdict is set. With error: UNREACHABLE or
                                      FAILED by the error's kind (step_verdict_from_error) */
    struct step_ctx *ctx;
    const struct step_row *row;
    enum phase_verb verb;
    bool may_start;                /* the goal may start this step, or plan wants to know what it would
                                      do: LOOK compares with what is wanted. Else it only asks whether
                                      what we made is there */
    bool half_made;                /* by our records we began to make it and never had it ready */
    struct phase_verdict verdict;
    char *reason;                  /* owned; one line: what it waits for or why; NULL */
    struct rd_err *why;            /* owned; for FAILED, FOREIGN, FAILING, UNREACHABLE */
    struct rd_err *trouble;        /* owned; what it would fail with, were the grace over now; NULL */
    json_t *asks;                  /* owned; of a LOOK: what a START would ask for, where no fixed name tells
                                      (the test job). Kept with the intent, on our disk and in the mirror,
                                      until `answered`; NULL: nothing */
    bool answered;                 /* that came to its end: the next run asks anew */
    void *priv;
    void (*free_priv)(void *priv);
};

struct step_row {
    struct phase_step_def core;
    const char *title;             /* "KubeRay operator", for people */
    /* Starts s->op as a child of parent and returns. NULL: the step does not have that verb. Without
     * WATCH it is polled by LOOK; without UNDO it is no part of going down. Going down, a LOOK that finds
     * something of ours must say so (verdict.ours), else it stays; an UNDO that has to leave something
     * of ours behind ends FAILED with RD_ERR_REMAINS. */
    void (*verbs[VERB_MAX])(struct step_op *s, struct op *parent);
    const char *const *templates;  /* NULL-ended; NULL: none */
};

/* The tables. Rows are in topological order. */
const struct step_row *steps_local(unsigned *ret_count);
const struct step_row *steps_gke(unsigned *ret_count);
/* Index of a step by id, or -1. */
int steps_find(const struct step_row *rows, unsigned count, const char *id);

/* Ends a verb. reason may be NULL. */
void step_end(struct step_op *s, enum phase_finding found, const char *reason_fmt, ...)
    RD_PRINTF(3, 4);
/* Ends a verb with an error: UNREACHABLE when transient or cancelled, FOREIGN, else FAILED. */
void step_end_error(struct step_op *s, struct rd_err *take);
/* Progress: what is being waited for and why. Repeats of the same text are dropped. */
void step_note(struct step_op *s, const char *fmt, ...) RD_PRINTF(2, 3);
void step_note_resource(struct step_op *s, enum note_level level, const char *resource,
                        const char *fmt, ...) RD_PRINTF(4, 5);
/* Publishes a fact (takes *take); only names in the row's publishes. */
void step_publish(struct step_op *s, const char *fact, json_t *take);
const json_t *step_fact(const struct step_ctx *c, const char *fact); /* NULL: not known */
/* Where the workload cluster is not there (yet, or no more), nothing in it is either: ends a LOOK with
 * ABSENT and says true. */
bool step_without_cluster(struct step_op *s, struct op *parent);
/* Frees reason, why, priv and the op's error; the op must have ended or never begun. */
void step_op_clear(struct step_op *s);
/* The verdict that an op's error means; fills verdict, why and reason. */
void step_verdict_from_error(struct step_op *s, struct rd_err *take);
/* The error of a verb whose time is up: the trouble it stood in, where there is one, else what it waited
 * for, else `met` (borrowed; NULL), the error before this verb. A refusal keeps its kind, for it is none
 * of time. Takes the timeout, returns what stands for it. */
struct rd_err *step_timed_out(struct step_op *s, struct rd_err *take, const struct rd_err *met);
/* Bit of a fact in fact_set; asserts that it is known. */
fact_set step_fact_bit(const char *fact);

/* Facts by name; order is their bit in fact_set. Ends with NULL. */
extern const char *const step_facts[];

#endif
