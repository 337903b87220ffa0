/* Steps `base` (namespace, accounts, quota, policies) and `volume` (the shared claim). */
#ifndef RD_PHASE_STEPS_BASE_H
#define RD_PHASE_STEPS_BASE_H

#include "phase/steps/step.h"

void base_look(struct step_op *s, struct op *parent);
void base_start(struct step_op *s, struct op *parent);
void base_undo(struct step_op *s, struct op *parent);
void volume_look(struct step_op *s, struct op *parent);
void volume_start(struct step_op *s, struct op *parent);
void volume_undo(struct step_op *s, struct op *parent);
/* The wanted objects. */
bool base_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr) RD_MUST_CHECK;
bool volume_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
    RD_MUST_CHECK;

#endif
