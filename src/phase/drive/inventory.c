#include "phase/drive/inventory.h"

#define BIT(step) ((step_set)1 << (step))

bool inventory_covers(const struct phase_step_def *def)
{
    return !def->every_run && !def->look_only;
}

void inventory_note(struct inventory *v, unsigned step, enum phase_record record)
{
    switch (record) {
    case REC_INTENT_START:
    case REC_INTENT_UNDO:
        v->applied |= BIT(step);
        v->settled &= ~BIT(step);
        return;
    case REC_DONE:
        v->applied |= BIT(step);
        v->settled |= BIT(step);
        return;
    case REC_UNDONE:
        v->applied &= ~BIT(step);
        v->settled &= ~BIT(step);
        return;
    case REC_END:
        return;
    }
    RD_UNREACHABLE();
}

bool inventory_knows(const struct inventory *v, unsigned step, enum phase_record record,
                     bool marked_ours)
{
    bool applied = v->applied & BIT(step), settled = v->settled & BIT(step);
    if (record == REC_DONE)
        return applied ? settled : !marked_ours;
    return record == REC_UNDONE && !applied;
}

void inventory_merge(struct inventory *v, const struct inventory *theirs)
{
    step_set news = theirs->applied & ~v->applied;
    v->applied |= news;
    v->settled |= theirs->settled & news;
}
