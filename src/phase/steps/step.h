/* A step is data (struct step_row) and up to four verbs. A verb is an op that ends with a verdict.
 * Steps never decide about retries of themselves, order or time: the core does. */
#ifndef RD_PHASE_STEPS_STEP_H
#define RD_PHASE_STEPS_STEP_H

#include "config/config.h"
#include "k8s/client.h"
#include "manifest/template.h"
#include "phase/core/phase.h"

struct step_row;

/* What the steps of one run share. Owned by the hall. */
struct step_ctx {
    struct loop *loop;
    const struct config *config;
    struct template_set *templates;
    struct k8s_client *workload;   /* cluster that runs Ray; NULL until a step publishes it */
    struct k8s_client *management; /* cluster that runs Config Connector; NULL on --target local */
    json_t *facts;                 /* fact name -> value; only step_publish writes */
    const char *run_id;            /* of this run; DNS label, unique */
    struct note_sink *notes;
    void *session;                 /* src/phase/steps' own caches (rendered objects, live objects) */
    bool dry_run;                  /* plan: START must not send anything that changes */
};

/* One verb of one step in flight. The verb's code keeps its own state in priv. */
struct step_op {
    struct op op;                  /* ends without error: verdict is set. With error: UNREACHABLE or
                                      FAILED by the error's kind (step_verdict_from_error) */
    struct step_ctx *ctx;
    const struct step_row *row;
    enum phase_verb verb;
    struct phase_verdict verdict;
    char *reason;                  /* owned; one line: what it waits for or why; NULL */
    struct rd_err *why;            /* owned; for FAILED, FOREIGN, FAILING, UNREACHABLE */
    void *priv;
    void (*free_priv)(void *priv);
};

struct step_row {
    struct phase_step_def core;
    const char *title;             /* "KubeRay operator", for people */
    /* Starts s->op as a child of parent and returns. NULL: the step does not have that verb. */
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
/* Ends a verb with an error: UNREACHABLE when transient, FOREIGN, CREDENTIALS and the rest FAILED. */
void step_end_error(struct step_op *s, struct rd_err *take);
/* Progress: what is being waited for and why. Repeats of the same text are dropped. */
void step_note(struct step_op *s, const char *fmt, ...) RD_PRINTF(2, 3);
void step_note_resource(struct step_op *s, enum note_level level, const char *resource,
                        const char *fmt, ...) RD_PRINTF(4, 5);
/* Publishes a fact (takes *take); only names in the row's publishes. */
void step_publish(struct step_op *s, const char *fact, json_t *take);
const json_t *step_fact(const struct step_ctx *c, const char *fact); /* NULL: not known */
void step_op_clear(struct step_op *s);

/* Facts by name; order is their bit in fact_set. Ends with NULL. */
extern const char *const step_facts[];

#endif
