/* What the files of the Config Connector steps share. */
#ifndef RD_PHASE_STEPS_CC_INTERNAL_H
#define RD_PHASE_STEPS_CC_INTERNAL_H

#include "gcp/services.h"
#include "phase/steps/cc_step.h"
#include "phase/steps/set.h"

/* The part of a step, by its id. */
enum cc_part cc_part_of(const struct step_op *s);
/* The objects of the step's part. Going down the cluster's come with those of its pools, whose own steps
 * have nothing to do then: a pool goes with its cluster, in no time of its own. */
bool cc_render_part(struct step_op *s, struct manifest_list *out, struct rd_err **reterr) RD_MUST_CHECK;
/* ctx->gcp and, when its address is known, ctx->management. */
bool cc_connect(struct step_ctx *ctx, struct rd_err **reterr) RD_MUST_CHECK;

/* Asks Google about every object of a list at once. */
struct cc_ask {
    struct op op;
    struct step_ctx *ctx;             /* borrowed */
    const struct manifest_list *list; /* borrowed until the end */
    struct gcp_call *calls;           /* owned; one per object; unasked ones stay zeroed */
    bool *asked;                      /* owned */
    size_t len;
    bool begun;
};
/* Ends with an error when one could not be answered. An API that is off has nothing in it. */
void cc_ask_start(struct cc_ask *a, struct op *parent, struct step_ctx *ctx,
                  const struct manifest_list *list);
void cc_ask_clear(struct cc_ask *a);
/* What Google has for the i-th object; NULL: nothing, or not to be asked for. Borrowed. */
const json_t *cc_ask_found(const struct cc_ask *a, size_t i);
/* Found, and it is for us to take or to delete. */
bool cc_ask_ours(const struct cc_ask *a, size_t i);

/* ---- cc_broken.c ---- */
/* The i-th is ours, and GKE says of it that it is in ERROR. */
bool cc_is_broken(const struct cc_ask *a, size_t i);
/* "node pool ray-cpu could not be made: ..." of the first that is; owned, NULL: none is. */
char *cc_broken_reason(const struct cc_ask *a);
/* What GKE says that keeps a cluster or pool from being ready; owned, NULL: nothing. Config Connector calls
 * a pool up to date as soon as it is there, also without machines, and what was removed until it looks again. */
char *cc_gke_unready(const struct cc_ask *a);
/* Removes them at GKE and waits. Only for a step that is half made (step_op.half_made). */
struct cc_broken {
    struct op op;
    struct step_op *s;
    const struct manifest_list *list; /* borrowed until the end */
    size_t removed;                   /* out */
    struct cc_ask ask;
    struct gcp_lro lro;
    size_t at;
    int state;
};
void cc_broken_start(struct cc_broken *b, struct op *parent, struct step_op *s,
                     const struct manifest_list *list);
void cc_broken_clear(struct cc_broken *b);

/* What a part tells the steps after it, once it is ready at Google. Published through `s`. */
struct cc_facts {
    struct op op;
    struct step_op *s;
    const json_t *live; /* borrowed: title -> custom resource */
    bool once;          /* do not wait */
    bool ready;         /* out: all is published */
    bool closed;        /* out: the API server's DNS endpoint has to be opened first, by START */
    char *reason;       /* out, owned: what is missing */
    struct gcp_call get;
    struct k8s_call readyz, service, slices;
    struct op_timer pause;
    uint64_t since_ms;
    int state;
};
void cc_facts_start(struct cc_facts *f, struct op *parent, struct step_op *s, const json_t *live,
                    bool once);
/* The cluster's DNS endpoint takes no traffic from outside, and nobody else will open it. */
bool cc_endpoint_closed(const struct step_ctx *ctx, const json_t *cluster);
void cc_facts_clear(struct cc_facts *f);

/* Config Connector looks again at once when a label changes (reference config-connector 4.4). One
 * that carries a slash never reaches Google. */
#define CC_REQUEUE_LABEL "raydeploy/requeue"
void cc_requeue_init(struct k8s_call *k, struct k8s_client *c, const json_t *live);
/* What an object said before it was given another try: no news, for a while. */
void cc_stale_set(struct step_ctx *ctx, const char *title, const json_t *live);
bool cc_is_stale(struct step_ctx *ctx, const char *title, const json_t *live, uint64_t waited_ms);

/* In which stage of its step's UNDO an object goes: 0 first. */
#define CC_UNDO_STAGES 4
unsigned cc_undo_stage(const json_t *object);

#endif
