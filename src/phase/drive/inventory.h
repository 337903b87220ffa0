/* What we made, as far as is written down: per step whether an intent was written (applied) and whether
 * it was answered (settled). The journal is its source on our disk, the mirror its copy in the cluster;
 * both say what is ours where an object has no place for a mark. Pure. */
#ifndef RD_PHASE_DRIVE_INVENTORY_H
#define RD_PHASE_DRIVE_INVENTORY_H

#include "phase/core/phase.h"

struct inventory {
    step_set applied, settled;
};

/* A step of every run (the test job) leaves nothing that anybody would have to find again. */
bool inventory_covers(const struct phase_step_def *def);
void inventory_note(struct inventory *v, unsigned step, enum phase_record record);
/* The record would say nothing new: it need not be written. What others made and we only use is never
 * claimed; what carries our mark is ours, whichever run and machine wrote the intent. */
bool inventory_knows(const struct inventory *v, unsigned step, enum phase_record record,
                     bool marked_ours);
/* What another machine applied is ours too. Of what both know, our own word stands. */
void inventory_merge(struct inventory *v, const struct inventory *theirs);

#endif
