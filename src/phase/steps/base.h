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

#endif
