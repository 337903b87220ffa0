/* Steps whose world is a set of Kubernetes objects: one way to look, start, watch and undo them.
 *
 * LOOK reads every object and dry-runs ours over it, so that drift is judged by the server and not by
 * our belief. START applies under the resourceVersion that was looked at. UNDO deletes what carries
 * our mark and waits until it is gone. */
#ifndef RD_PHASE_STEPS_SET_H
#define RD_PHASE_STEPS_SET_H

#include "k8s/batch.h"
#include "phase/steps/step.h"

struct set_options {
    /* Adds the wanted objects. Required. */
    bool (*render)(struct step_op *s, struct manifest_list *out, struct rd_err **reterr);
    /* Judges a live object that was found as wanted; NULL: k8s_judge. A verdict that is not Current
     * makes LOOK say PENDING. */
    bool skip_judge;
    bool management; /* the objects live on the management cluster */
    bool background; /* UNDO: does not wait for dependents; custom resources have none */
    /* Which live objects without our mark are fine to leave as they are (shared namespaces); NULL:
     * none. Such an object is neither written nor deleted. */
    bool (*shared)(struct step_op *s, const json_t *wanted, const json_t *live);
    json_t *(*amend)(struct step_op *s, const json_t *wanted, const json_t *live);
    bool (*may_force)(struct step_op *s, const json_t *live, const json_t *conflicts);
    /* LOOK found all as wanted: go on with this (it takes the running op over) instead of ending. */
    void (*after_look)(struct step_op *s);
    /* May an object be created that is not there? False with *reterr: why not. NULL: yes. */
    bool (*may_create)(struct step_op *s, const json_t *wanted, struct rd_err **reterr);
    /* Called with each live object of LOOK or result of START; may publish facts. */
    void (*seen)(struct step_op *s, const json_t *wanted, const json_t *live);
    /* WATCH found all Current: with the live objects by their titles. */
    void (*ready)(struct step_op *s, const struct manifest_list *wanted, const json_t *live);
};

/* Each starts s->op as a child of parent, or takes a running s->op over (parent is then ignored; the
 * caller's priv must be gone). `o` must outlive the op (static). */
void set_look(struct step_op *s, struct op *parent, const struct set_options *o);
void set_start(struct step_op *s, struct op *parent, const struct set_options *o);
void set_undo(struct step_op *s, struct op *parent, const struct set_options *o);
/* Ready when every object of the set that a rule can judge is Current; watches, and shows what the
 * pods of its Deployments and Jobs complain about. Failed complaints end it after their grace. ABSENT
 * when somebody deletes one of them meanwhile: it is looked at and applied again. */
void set_watch(struct step_op *s, struct op *parent, const struct set_options *o);

/* The cluster of the set; NULL: there is none yet (or no more), then LOOK says ABSENT. */
struct k8s_client *set_client(const struct step_op *s, const struct set_options *o);

/* The error for an object of somebody else. */
bool set_refuse_foreign(const struct config *c, const json_t *live, struct rd_err **reterr);

#endif
