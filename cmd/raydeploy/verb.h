/* The door: one struct per verb of the contract, one file per verb. */
#ifndef RD_CMD_VERB_H
#define RD_CMD_VERB_H

#include "config/config.h"
#include "k8s/client.h"
#include "loop/loop.h"
#include "manifest/objects.h"
#include "phase/drive/drive.h"
#include "ui/ui.h"

#include <signal.h>

struct verb_ctx;

struct verb {
    const char *name;                     /* "up" */
    const char *args;                     /* "-f FILE...": usage after the name; NULL */
    const char *summary;                  /* one line for `help` */
    const char *help;                     /* more lines; NULL */
    const struct config_verb_flag *flags; /* ended by a NULL name; NULL: none of its own */
    bool needs_deployment; /* config must be complete (project or local target, name, ...) */
    bool offline;          /* makes no loop and no ui live view */
    bool takes_words;      /* positional arguments are allowed */
    int (*run)(struct verb_ctx *v); /* exit code */
};

struct verb_ctx {
    const struct verb *verb;
    struct config config;
    struct loop *loop; /* NULL when offline */
    struct ui *ui;
    struct note_sink *notes;
    const char *program; /* argv[0] */
    int argc;            /* the arguments after the verb, as given */
    char **argv;
    struct rd_err *failure; /* owned; what the result will show (verb_fail) */
    char *result;           /* owned; closing words of a success or a stop; NULL: none */
    bool told;              /* a document of -o json has the failure in it */
};

/* All verbs of this version, ended by NULL; main.c's order is the order of `help`. */
extern const struct verb *const verbs[];
const struct verb *verb_find(const char *name);
/* Commands of the contract that a later version brings; ended by NULL. */
extern const char *const verbs_later[];
void verb_usage(const struct verb *verb, struct rd_buf *out);
void verb_overview(struct rd_buf *out);

/* Keeps the error for the result, unless there is one already, and returns its exit code; takes
 * *take. */
int verb_fail(struct verb_ctx *v, struct rd_err *take);
/* verb_fail with RD_ERR_INPUT: exit code 2. */
int verb_refuse(struct verb_ctx *v, const char *fmt, ...) RD_PRINTF(2, 3);
/* Says something on standard error (the contract: messages go there). */
void verb_say(struct verb_ctx *v, enum note_level level, const char *fmt, ...) RD_PRINTF(3, 4);
/* Results: standard output. Text is escaped by the caller where it is not ours. */
void verb_print(struct verb_ctx *v, const struct rd_buf *text);
/* The tree as one compact JSON line; when the verb has failed already, with its `error`. */
void verb_print_json(struct verb_ctx *v, const json_t *tree);
/* The same where the failure is not kept yet; err may be NULL. */
void verb_print_json_of(struct verb_ctx *v, const json_t *tree, const struct rd_err *err);

bool verb_flag(const struct verb_ctx *v, const char *name);
const char *verb_flag_text(const struct verb_ctx *v, const char *name); /* NULL: not given */

/* For the observe of any client, with the verb_ctx as its context: requests go to the log. */
void verb_on_request(void *v, const struct http_req *r);
/* Google credentials in their order, --credentials first; the caller owns one reference. */
bool verb_google(struct verb_ctx *v, struct http_auth **ret, struct rd_err **reterr) RD_MUST_CHECK;
/* A client for the cluster that --kubeconfig, --context or the environment name. */
struct k8s_client *verb_connect(struct verb_ctx *v, struct rd_err **reterr);
/* All of -f, and at least one object; else RD_ERR_INPUT. */
bool verb_load_files(struct verb_ctx *v, struct manifest_list *l,
                     struct rd_err **reterr) RD_MUST_CHECK;
/* Runs an op under --timeout with INT and TERM mapped to cancel; the exit code of its end. The
 * error, if any, was kept for the result. `start` starts op as a child of parent. */
int verb_run_op(struct verb_ctx *v, struct op *op, void (*start)(struct op *parent, void *ctx),
                void *ctx);
/* "configmap/x", "raycluster.ray.io/x": as kubectl names objects in its output. Appends. */
void verb_object_name(struct rd_buf *out, const json_t *object);
/* {apiVersion, kind, namespace, name}; owned. */
json_t *verb_object_json(const json_t *object);

extern const struct verb verb_apply, verb_delete, verb_diff, verb_wait, verb_explain,
    verb_port_forward, verb_up, verb_bootstrap, verb_credentials, verb_teardown, verb_test_job,
    verb_render, verb_init, verb_check, verb_job, verb_dashboard, verb_grafana, verb_plan,
    verb_monitoring, verb_local, verb_status, verb_lint, verb_token, verb_version, verb_completion, verb_help;

#endif
