/* Undo of a set that lives in a namespace of ours: first what we made in it, then, when nothing of
 * anybody else is left there, the namespace. */
#ifndef RD_PHASE_STEPS_SPACE_H
#define RD_PHASE_STEPS_SPACE_H

#include "phase/steps/set.h"

struct space_options {
    struct set_options set; /* without the namespace; shared and render are used */
    char *(*ns)(const struct config *c); /* owned result */
    /* Not undone while ray.io objects of others exist (the operator). */
    bool serves_ray_objects;
};
void space_undo(struct step_op *s, struct op *parent, const struct space_options *o);

#endif
