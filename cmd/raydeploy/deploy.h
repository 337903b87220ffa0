/* What the verbs that drive the graph share: up, test-job, teardown, check, status and plan. */
#ifndef RD_CMD_DEPLOY_H
#define RD_CMD_DEPLOY_H

#include "verb.h"

/* Of one object, as the steps' looks and writes told it. */
struct deploy_resource {
    char *step, *title;     /* owned; title: "Kind/namespace/name" */
    char *outcome;          /* owned; "created", "configured", "unchanged", ... */
    struct rd_strv changes; /* "spec.replicas: 2 -> 3" */
};

/* When a step was first at it and first done (boot clock; 0: never): the last look before success
 * would else stretch every step to the end. */
struct deploy_span {
    uint64_t begun_ms, ended_ms;
};

struct deploy {
    struct note_sink sink; /* hands notes on to the window and remembers resources */
    struct verb_ctx *v;
    const struct step_row *rows;
    unsigned count;
    step_set inside; /* steps whose objects live in the workload cluster of --target gke */
    bool looking; /* resources are results, not progress */
    bool quiet;   /* no notes: it is done again and again */
    uint64_t limit_ms; /* of the run without --timeout; 0: the usual */
    bool no_lease; /* drive_options.no_lease */
    struct deploy_resource *resources;
    size_t resource_count;
    struct deploy_span spans[PHASE_STEPS_MAX];
    struct drive_result result;
    json_t *session; /* owned; the steps' caches */
    char *resume;    /* owned; the command line as it was given */
};

void deploy_init(struct deploy *d, struct verb_ctx *v);
void deploy_clear(struct deploy *d);
/* Every template, a chart that is a file (when it will be needed), and the configuration as a
 * whole, before anything is sent; false: v->failure is set. */
bool deploy_check(struct deploy *d, bool needs_chart);
step_set deploy_all(const struct deploy *d);
step_set deploy_bit(const struct deploy *d, const char *step); /* 0: the target has no such step */
/* Of all, those that leave something to look at: neither the test job nor what only goes down. */
step_set deploy_lasting(const struct deploy *d);
/* The steps that serve every deployment of the project; empty for --target local. */
step_set deploy_management(const struct deploy *d);
/* These steps and all that they need. */
step_set deploy_closure(const struct deploy *d, step_set want);
/* Runs the graph; the exit code. The error, if any, was kept for the result. */
int deploy_run(struct deploy *d, enum phase_goal_kind kind, step_set want, step_set may_start);
/* Adds the objects of a step whose cluster is not there yet, as to be created. */
bool deploy_add_unmade(struct deploy *d, struct template_set *templates, const char *step,
                       struct rd_err **reterr) RD_MUST_CHECK;
/* {steps: [{id, title, state, reason, elapsed_ms}], resources: [...], writes, facts...}; owned. */
json_t *deploy_json(const struct deploy *d);
/* The flags that lead to the same deployment: "--target local --kubeconfig x -c y"; owned. */
char *deploy_flags(const struct verb_ctx *v);
/* The steps that the run's time hung on, as "net 42 s, gke 8m, ..."; owned; NULL: too few. */
char *deploy_critical_path(const struct deploy *d);
/* Says what --target local leaves out. */
void deploy_say_left_out(struct verb_ctx *v);

/* timeline.c: a Gantt chart as a page (*.html) or a trace (*.json). */
bool timeline_check(const char *path, struct rd_err **reterr) RD_MUST_CHECK;
bool timeline_write(const struct deploy *d, const char *path, struct rd_err **reterr) RD_MUST_CHECK;
void timeline_html(const struct deploy *d, struct rd_buf *out);
void timeline_trace(const struct deploy *d, struct rd_buf *out);

#endif
