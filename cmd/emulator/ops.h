/* Long-running operations: something that is done some virtual time from now and ends well or with
 * an error. The forms of the services differ; what they share is here. */
#ifndef EMU_OPS_H
#define EMU_OPS_H

#include "gcp.h"

struct gcp_op;
/* Runs when the time has come; may call gcp_op_fail. Without a failure the operation ends well. */
typedef void gcp_op_fn(struct gcp_op *op);

enum gcp_op_form {
    GCP_OP_LONGRUNNING, /* done, response, error */
    GCP_OP_CONTAINER,   /* status DONE, error */
    GCP_OP_COMPUTE,     /* status DONE, error.errors[] */
};

struct gcp_op {
    struct rd_list node; /* in emu.ops */
    struct emu *emu;
    struct emu_timer timer;
    enum gcp_op_form form;
    char *key;    /* in the store, kind "operations" */
    char *target; /* full name of what it works on */
    gcp_op_fn *done;
    json_t *args;                     /* whatever the method wants to find again; owned */
    json_t *response;                 /* LONGRUNNING: set by done; owned */
    bool fail_wanted;                 /* a fault rule asked for it */
    char *fail_status, *fail_message; /* by gcp_op_fail */
};

/* Stores `body` under key (its JSON is what GET answers) and starts the clock. The op frees itself.
 * Borrowed result, valid until it is done. */
struct gcp_op *gcp_op_start(struct gcp_call *c, enum gcp_op_form form, const char *key,
                            json_t *take_body, const char *target, uint64_t delay_ms,
                            gcp_op_fn *done, json_t *take_args);
/* From done: the operation ends with this error. status: google.rpc name; compute: its own code
 * ("QUOTA_EXCEEDED"). */
void gcp_op_fail(struct gcp_op *op, const char *status, const char *fmt, ...) RD_PRINTF(3, 4);
void gcp_ops_clear(struct emu *e);                  /* at the end: those under way never finish */
json_t *gcp_op_get(struct emu *e, const char *key); /* borrowed, or NULL */
/* The running operation on a target (or below it), or NULL: "one at a time". Borrowed name. */
const char *gcp_op_running(struct emu *e, const char *target);
/* The running operation that is read at this path; borrowed, or NULL. */
const struct gcp_op *gcp_op_at(const struct emu *e, const char *path);

/* Method bodies for GET of an operation. */
void gcp_longrunning_get(struct gcp_call *c);

/* What a new project holds; called by gcp_start. */
void gcp_seed_services(struct emu *e);
void gcp_seed_project(struct emu *e);

#endif
