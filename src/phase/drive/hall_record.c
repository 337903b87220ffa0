/* What is written down: the journal on our disk and the mirror in the cluster. An intent counts as
 * durable when both have it. */
#include "phase/drive/hall.h"

#include "base/alloc.h"

#include <string.h>

static const char *const record_names[] = {
    [REC_INTENT_START] = "intent",
    [REC_INTENT_UNDO] = "intent",
    [REC_DONE] = "done",
    [REC_UNDONE] = "undone",
    [REC_END] = "end",
};

static void journaled(struct hall *h, uint64_t seq, bool ok)
{
    struct phase_event e = {.type = EV_JOURNALED};
    e.u.journaled.seq = seq;
    e.u.journaled.ok = ok;
    hall_event(h, &e);
}

/* A step of every run (the test job) leaves nothing that anybody would have to find again. */
static bool in_inventory(const struct hall *h, unsigned i)
{
    return !h->o->rows[i].core.every_run && !h->o->rows[i].core.look_only;
}

/* What a LOOK finds again at once (whole objects, rules) is not worth keeping, and would change
 * with every status. */
static bool lasts(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

json_t *hall_mirror(const struct hall *h)
{
    json_t *steps = json_object();
    json_t *facts = h->mirrored_facts ? json_copy(h->mirrored_facts) : json_object();
    for (unsigned i = 0; i < h->o->row_count; i++)
        if (in_inventory(h, i) && h->steps[i].applied)
            json_object_set_new(
                steps, h->o->rows[i].core.id,
                rd_json_pack("{s:b, s:b}", "applied", 1, "settled", h->steps[i].settled));
    for (unsigned f = 0; step_facts[f]; f++) {
        bool lasting = false;
        for (unsigned i = 0; i < h->o->row_count; i++)
            if (h->o->rows[i].core.publishes & ((fact_set)1 << f))
                lasting = in_inventory(h, i);
        const json_t *value = json_object_get(h->ctx.facts, step_facts[f]);
        if (lasting && value && lasts(value))
            json_object_set_new(facts, step_facts[f], json_deep_copy(value));
    }
    return rd_json_pack("{s:i, s:o, s:o}", "version", 1, "steps", steps, "facts", facts);
}

static void inventory(struct hall_step *hs, const char *type)
{
    if (rd_streq(type, "intent")) {
        hs->applied = true;
        hs->settled = false;
    } else if (rd_streq(type, "done")) {
        hs->applied = hs->settled = true;
    } else if (rd_streq(type, "undone")) {
        hs->applied = hs->settled = false;
    }
}

void hall_inventory_load(struct hall *h)
{
    size_t n;
    const json_t *record;
    json_array_foreach (journal_records(h->journal), n, record) {
        const char *id = rd_json_str(record, "step", NULL);
        int i = id ? steps_find(h->o->rows, h->o->row_count, id) : -1;
        if (i >= 0)
            inventory(&h->steps[i], rd_json_str(record, "type", NULL));
    }
    h->ctx.history = journal_records(h->journal);
}

/* What another machine applied is ours too, and what it learned holds until we learn better. */
void hall_inventory_merge(struct hall *h, const json_t *mirror)
{
    json_decref(h->mirrored_facts);
    h->mirrored_facts = json_incref(rd_json_get(mirror, "facts", NULL));
    const char *id;
    json_t *step;
    json_object_foreach (rd_json_get(mirror, "steps", NULL), id, step) {
        int i = steps_find(h->o->rows, h->o->row_count, id);
        if (i < 0 || h->steps[i].applied)
            continue;
        h->steps[i].applied = rd_json_path_bool(step, "applied", false);
        h->steps[i].settled = rd_json_path_bool(step, "settled", false);
    }
}

static bool append(struct hall *h, const struct phase_command *c)
{
    json_t *fields = json_object();
    if (c->step != PHASE_NO_STEP)
        json_object_set_new(fields, "step", json_string(h->o->rows[c->step].core.id));
    if (c->record == REC_INTENT_START || c->record == REC_INTENT_UNDO)
        json_object_set_new(fields, "verb", json_string(phase_verb_name(c->verb)));
    json_object_set_new(fields, "run", json_string(h->ctx.run_id));
    struct rd_err *err = NULL;
    if (journal_append(h->journal, record_names[c->record], fields, &err))
        return true;
    rd_err_keep(&h->broken, &err);
    return false;
}

void hall_journal(struct hall *h, const struct phase_command *c)
{
    struct hall_step *hs = c->step == PHASE_NO_STEP ? NULL : &h->steps[c->step];
    /* What others made and we only use is never claimed; what carries our mark is ours, whichever
     * run and machine wrote the intent. */
    bool ours = hs && (hs->applied || h->phase.steps[c->step].last.ours);
    bool known = hs && ((c->record == REC_DONE && (!ours || (hs->applied && hs->settled))) ||
                        (c->record == REC_UNDONE && !hs->applied));
    if (!h->journal || known) { /* nothing new is said */
        journaled(h, c->seq, true);
        return;
    }
    RD_AUTOJSON json_t *before = hs ? hall_mirror(h) : NULL;
    if (hs)
        inventory(hs, record_names[c->record]);
    if (!append(h, c)) {
        journaled(h, c->seq, false);
        return;
    }
    bool intent = c->record == REC_INTENT_START || c->record == REC_INTENT_UNDO;
    bool mirrored = h->guard_started && !h->guard_over && !h->lock_waived && h->guard->held;
    RD_AUTOJSON json_t *after = hs ? hall_mirror(h) : NULL;
    if (!intent || !mirrored || json_equal(before, after)) {
        journaled(h, c->seq, true);
        return;
    }
    h->guard->ops->put(h->guard, json_incref(after));
    RD_ASSERT(h->pending_count < RD_ARRAY_LEN(h->pending));
    h->pending[h->pending_count++] = (struct hall_pending){c->seq, h->guard->put_asked};
}

void hall_mirror_settle(struct hall *h)
{
    unsigned left = 0;
    for (unsigned n = 0; n < h->pending_count; n++) {
        if (h->pending[n].put <= h->guard->put_done)
            journaled(h, h->pending[n].seq, true);
        else
            h->pending[left++] = h->pending[n];
    }
    h->pending_count = left;
}
