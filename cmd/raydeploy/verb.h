/* The door: one struct per verb of the contract, one file per verb. */
#ifndef RD_CMD_VERB_H
#define RD_CMD_VERB_H

#include "config/config.h"
#include "k8s/client.h"
#include "loop/loop.h"
#include "phase/drive/drive.h"
#include "ui/ui.h"

struct verb_ctx;

struct verb {
    const char *name;     /* "up" */
    const char *args;     /* "-f FILE...": usage after the name; NULL */
    const char *summary;  /* one line for `help` */
    const char *help;     /* more lines; NULL */
    const struct config_verb_flag *flags; /* ended by a NULL name; NULL: none of its own */
    bool needs_deployment; /* config must be complete (project or local target, name, ...) */
    bool offline;          /* makes no loop and no ui live view */
    int (*run)(struct verb_ctx *v); /* exit code */
};

struct verb_ctx {
    const struct verb *verb;
    struct config config;
    struct loop *loop;       /* NULL when offline */
    struct ui *ui;
    struct note_sink *notes;
    const char *program;     /* argv[0] */
};

/* All verbs of this version, ended by NULL; main.c's order is the order of `help`. */
extern const struct verb *const verbs[];
const struct verb *verb_find(const char *name);

/* Emits the error as a note with the result and returns its exit code; takes *take. */
int verb_fail(struct verb_ctx *v, struct rd_err *take);
/* A client for the cluster that --kubeconfig, --context or the environment name. */
struct k8s_client *verb_connect(struct verb_ctx *v, struct rd_err **reterr);
/* Runs a root op under --timeout with INT and TERM mapped to cancel; the exit code of its end. The
 * error, if any, was reported. `start` starts op as a root of v->loop. */
int verb_run_op(struct verb_ctx *v, struct op *op, void (*start)(struct op *op, void *ctx), void *ctx);

extern const struct verb verb_apply, verb_delete, verb_diff, verb_wait, verb_explain,
    verb_port_forward, verb_up, verb_teardown, verb_test_job, verb_render, verb_init, verb_check,
    verb_plan, verb_status, verb_lint, verb_version, verb_completion, verb_help;

#endif
