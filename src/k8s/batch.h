/* Many objects at once: apply, delete or diff a set in the order of k8s/order.h. This is what
 * `raydeploy apply|delete|diff -f` and the deploy steps are made of.
 *
 * Each object starts as soon as its own needs are met: a Namespace was accepted, a CRD is Established
 * with its names accepted (watched by name: a definition is large), anything else was applied. Deletes
 * run the same edges backwards and wait until each object is gone. In flight at most the client's
 * writes_in_flight.
 *
 * Errors: each object's own goes to on_result. The batch ends with the first of them (its kind is the
 * exit code), or without error when every object came out well. Cancelled: objects not finished are
 * reported as SKIPPED before the batch ends.
 *
 * Requests: first a look, which four or more objects of one kind and namespace share as one list; then
 * one PATCH for each object that the look does not show to be settled already (k8s/noop.h). */
#ifndef RD_K8S_BATCH_H
#define RD_K8S_BATCH_H

#include "k8s/apply.h"
#include "k8s/delete.h"
#include "manifest/objects.h"

enum k8s_batch_verb { K8S_BATCH_APPLY, K8S_BATCH_DELETE, K8S_BATCH_DIFF };

#define K8S_OUTCOMES(X)                                                                            \
    X(K8S_OUT_CREATED, "created")          /* diff: would be created */                            \
    X(K8S_OUT_CONFIGURED, "configured")    /* diff: would be changed */                            \
    X(K8S_OUT_UNCHANGED, "unchanged")                                                              \
    X(K8S_OUT_DELETED, "deleted")                                                                  \
    X(K8S_OUT_ABSENT, "absent")            /* delete: was not there */                             \
    X(K8S_OUT_UNVALIDATED, "unvalidated")  /* dry run, and its namespace or CRD is not there yet */ \
    X(K8S_OUT_KEPT, "kept")                /* may_touch said no without an error */                \
    X(K8S_OUT_SKIPPED, "skipped")          /* not tried: a need failed, fail_fast or cancelled */  \
    X(K8S_OUT_FAILED, "failed")

enum k8s_outcome {
#define X(name, text) name,
    K8S_OUTCOMES(X)
#undef X
        K8S_OUT_MAX
};
const char *k8s_outcome_name(enum k8s_outcome o);

/* Everything borrowed for the call of on_result. */
struct k8s_batch_result {
    size_t index;             /* order of k8s_batch_add */
    const json_t *object;     /* as it was added */
    enum k8s_outcome outcome;
    const struct rd_err *err; /* FAILED, SKIPPED; else NULL */
    const json_t *result;     /* as the server has it now; metadata only unless want_results; may be NULL */
    const json_t *live;       /* as it was before, if it was looked at (see need_live); NULL: absent */
    const json_t *changes;    /* DIFF: array of {path, from, to} as k8s_object_diff gives */
    const json_t *conflicts;  /* array of {manager, field, message}; DIFF also when it went on */
    const char *title;        /* "Kind/namespace/name" */
};

struct k8s_batch {
    struct op op;
    struct k8s_client *client;
    /* In; set between init and start. */
    enum k8s_batch_verb verb;
    const char *ns;         /* borrowed; for namespaced objects that name none; NULL: the client's */
    const char *field_manager; /* NULL: K8S_FIELD_MANAGER */
    bool dry_run;
    bool force;             /* apply: take over fields of other managers */
    bool fail_fast;         /* after the first failure start nothing more */
    bool hold_dependents;   /* an object whose need failed is SKIPPED instead of tried */
    bool want_results;      /* whole objects in result, not metadata only */
    bool need_live;         /* each whole object is to be in `live`; implied by may_touch, amend, lock and
                               DIFF; costs a GET each */
    bool lock;              /* writes carry the resourceVersion (delete: uid) of the look */
    bool no_wait;           /* delete: do not wait until gone */
    bool parents_come;      /* dry run: a namespace or CRD that is missing will be brought by somebody
                               else before the real run: UNVALIDATED, not FAILED */
    enum k8s_propagation propagation; /* delete; default K8S_FOREGROUND */
    /* May this object be written or deleted? live is NULL when absent. False with *reterr set: FAILED;
     * false without: KEPT. Called before anything is sent. May be NULL. */
    bool (*may_touch)(struct k8s_batch *b, size_t index, const json_t *live, struct rd_err **reterr);
    /* A last change to the intent with live at hand (live may be NULL): a new object, owned by the
     * batch, or NULL to send it as it is. May be NULL. */
    json_t *(*amend)(struct k8s_batch *b, size_t index, const json_t *object, const json_t *live);
    /* Apply refused with these field conflicts: true repeats it once with force (with `lock`, under
     * the same resourceVersion). May be NULL: never. */
    bool (*may_force)(struct k8s_batch *b, size_t index, const json_t *live, const json_t *conflicts);
    /* Exactly once for each object, in the order they come out. May be NULL. */
    void (*on_result)(struct k8s_batch *b, const struct k8s_batch_result *r);
    /* Progress of one object ("waits for finalizer ..."); may be NULL. */
    void (*on_note)(struct k8s_batch *b, size_t index, const char *text);
    void *ctx;
    /* Out. */
    size_t count;                  /* objects added */
    size_t tally[K8S_OUT_MAX];     /* results by outcome */
    void *priv;                    /* batch.c's */
};
void k8s_batch_init(struct k8s_batch *b, struct k8s_client *c, enum k8s_batch_verb verb);
/* Takes a reference; the object must not change until the batch was cleared. Returns its index. */
size_t k8s_batch_add(struct k8s_batch *b, const json_t *object);
void k8s_batch_add_list(struct k8s_batch *b, const struct manifest_list *list);
void k8s_batch_start(struct k8s_batch *b, struct op *parent);
void k8s_batch_clear(struct k8s_batch *b);
/* The object last sent (amended) or else as given; borrowed. */
const json_t *k8s_batch_object(const struct k8s_batch *b, size_t index);

#endif
