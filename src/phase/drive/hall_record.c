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

static bool in_inventory(const struct hall *h, unsigned i)
{
    return inventory_covers(&h->o->rows[i].core);
}

/* What a LOOK finds again at once (whole objects, rules) is not worth keeping, and would change
 * with every status. */
static bool lasts(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

/* A run that has changed nothing leaves the mirror as it is: what it asks for stays in our journal alone,
 * unless another run has written it there. */
static bool mirrors_open(const struct hall *h)
{
    return h->ctx.writes > 0 ||
           (h->guard && json_object_size(rd_json_get(h->guard->found, "open", NULL)) > 0);
}

json_t *hall_mirror(const struct hall *h)
{
    json_t *steps = json_object();
    json_t *facts = h->mirrored_facts ? json_copy(h->mirrored_facts) : json_object();
    for (unsigned i = 0; i < h->o->row_count; i++)
        if (in_inventory(h, i) && (h->inventory.applied >> i & 1))
            json_object_set_new(steps, h->o->rows[i].core.id,
                                rd_json_pack("{s:b, s:b}", "applied", 1, "settled",
                                             (int)(h->inventory.settled >> i & 1)));
    for (unsigned f = 0; step_facts[f]; f++) {
        bool lasting = false;
        for (unsigned i = 0; i < h->o->row_count; i++)
            if (h->o->rows[i].core.publishes & ((fact_set)1 << f))
                lasting = in_inventory(h, i);
        const json_t *value = json_object_get(h->ctx.facts, step_facts[f]);
        if (lasting && value && lasts(value))
            json_object_set_new(facts, step_facts[f], json_deep_copy(value));
    }
    bool tell = json_object_size(h->ctx.open) && mirrors_open(h);
    json_t *open = tell ? json_deep_copy(h->ctx.open) : NULL;
    return rd_json_pack("{s:i, s:o, s:o, s:o*}", "version", 1, "steps", steps, "facts", facts, "open",
                        open);
}

/* What was asked for last, and has had no answer that anybody wrote down. */
static void read_open(struct hall *h, const char *step, const char *type, const json_t *record)
{
    json_t *asks = rd_json_get(record, "asks", NULL);
    if (asks && rd_streq(type, "intent"))
        json_object_set(h->ctx.open, step, asks);
    else if (rd_streq(type, "answered"))
        json_object_del(h->ctx.open, step);
}

/* The last record of this type about this question; NULL: none. */
static const json_t *record_of(const struct hall *h, const char *type, const char *step,
                               const json_t *asks)
{
    size_t n;
    const json_t *record, *last = NULL;
    json_array_foreach (journal_records(h->journal), n, record)
        if (rd_streq(rd_json_str(record, "type", NULL), type) &&
            rd_streq(rd_json_str(record, "step", NULL), step) &&
            json_equal(rd_json_get(record, "asks", NULL), asks))
            last = record;
    return last;
}

void hall_inventory_load(struct hall *h)
{
    size_t n;
    const json_t *record;
    json_array_foreach (journal_records(h->journal), n, record) {
        const char *id = rd_json_str(record, "step", NULL);
        const char *type = rd_json_str(record, "type", NULL);
        int i = id ? steps_find(h->o->rows, h->o->row_count, id) : -1;
        for (int r = 0; i >= 0 && r < REC_END; r++)
            if (rd_streq(type, record_names[r]))
                inventory_note(&h->inventory, (unsigned)i, r);
        if (i >= 0)
            read_open(h, id, type, record);
    }
    h->ctx.history = journal_records(h->journal);
}

/* What another machine applied is ours too, and what it learned holds until we learn better. */
void hall_inventory_merge(struct hall *h, const json_t *mirror)
{
    json_decref(h->mirrored_facts);
    h->mirrored_facts = json_incref(rd_json_get(mirror, "facts", NULL));
    struct inventory theirs = {0};
    const char *id;
    json_t *step;
    json_object_foreach (rd_json_get(mirror, "steps", NULL), id, step) {
        int i = steps_find(h->o->rows, h->o->row_count, id);
        if (i < 0)
            continue;
        theirs.applied |= (step_set)rd_json_path_bool(step, "applied", false) << i;
        theirs.settled |= (step_set)rd_json_path_bool(step, "settled", false) << i;
    }
    inventory_merge(&h->inventory, &theirs);
    if (!mirror)
        return;
    /* What was to be mirrored was so before anything was sent; only its answer may be known here alone. */
    RD_AUTOJSON json_t *here = h->ctx.open;
    h->ctx.open = json_object();
    json_object_foreach (here, id, step)
        if (h->journal && rd_json_path_bool(record_of(h, "intent", id, step), "alone", false))
            json_object_set(h->ctx.open, id, step);
    json_object_foreach (rd_json_get(mirror, "open", NULL), id, step)
        if (!h->journal || !record_of(h, "answered", id, step))
            json_object_set(h->ctx.open, id, step);
}

static bool append(struct hall *h, const struct phase_command *c)
{
    json_t *fields = json_object();
    if (c->step != PHASE_NO_STEP)
        json_object_set_new(fields, "step", json_string(h->o->rows[c->step].core.id));
    if (c->record == REC_INTENT_START || c->record == REC_INTENT_UNDO)
        json_object_set_new(fields, "verb", json_string(phase_verb_name(c->verb)));
    if (c->record == REC_INTENT_START && h->steps[c->step].asks) {
        json_object_set(fields, "asks", h->steps[c->step].asks);
        if (!mirrors_open(h))
            json_object_set_new(fields, "alone", json_true());
    }
    json_object_set_new(fields, "run", json_string(h->ctx.run_id));
    struct rd_err *err = NULL;
    if (journal_append(h->journal, record_names[c->record], fields, &err))
        return true;
    rd_err_keep(&h->broken, &err);
    return false;
}

static const struct step_row *on_behalf_of(const struct hall *h, const struct op *op)
{
    for (; op; op = op->parent)
        for (unsigned i = 0; i < h->o->row_count; i++)
            if (op == &h->steps[i].run.op)
                return &h->o->rows[i];
    return NULL;
}

static bool write_down(struct hall *h, const char *type, json_t *take_fields)
{
    struct rd_err *err = NULL;
    if (journal_append(h->journal, type, take_fields, &err))
        return true;
    rd_err_keep(&h->broken, &err);
    journaled(h, 0, false);
    op_wake(&h->op);
    return false;
}

bool hall_request(struct hall *h, const struct op *op, const struct http_req *req)
{
    const struct step_row *row = on_behalf_of(h, op);
    if (!h->journal || !row || strstr(req->url, "dryRun=All"))
        return true;
    const char *host = strstr(req->url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    path = path ? path : "/";
    json_t *fields = rd_json_pack("{s:s, s:s, s:s, s:o}", "step", row->core.id, "run", h->ctx.run_id,
                                  "method", req->method, "path",
                                  json_stringn(path, strcspn(path, "?#")));
    return write_down(h, "request", fields);
}

void hall_operation(struct hall *h, const struct op *op, const char *name)
{
    const struct step_row *row = on_behalf_of(h, op);
    if (h->journal && row)
        (void)write_down(h, "operation", rd_json_pack("{s:s, s:s, s:s}", "step", row->core.id, "run",
                                                h->ctx.run_id, "name", name));
}

/* What counts is the mirror, not our disk: an earlier run may have written an intent down here and died
 * before the mirror had it. */
bool hall_mirror_behind(struct hall *h)
{
    RD_AUTOJSON json_t *now = hall_mirror(h);
    if (!json_equal(now, h->mirror_asked ? h->mirror_asked : h->guard->found)) {
        h->guard->ops->put(h->guard, json_incref(now));
        json_decref(h->mirror_asked);
        h->mirror_asked = json_incref(now);
    }
    return h->guard->put_done != h->guard->put_asked;
}

static bool has_mirror(const struct hall *h)
{
    return h->guard_started && !h->guard_over && !h->lock_waived && h->guard->held;
}

void hall_answered(struct hall *h, unsigned step)
{
    const char *id = h->o->rows[step].core.id;
    json_t *asks = json_object_get(h->ctx.open, id);
    if (!asks || !h->journal)
        return;
    (void)write_down(h, "answered", rd_json_pack("{s:s, s:s, s:O}", "step", id, "run", h->ctx.run_id, "asks",
                                           asks));
    json_object_del(h->ctx.open, id);
    if (has_mirror(h))
        (void)hall_mirror_behind(h);
}

void hall_journal(struct hall *h, const struct phase_command *c)
{
    bool of_step = c->step != PHASE_NO_STEP;
    if (!h->journal || (of_step && inventory_knows(&h->inventory, c->step, c->record,
                                                   h->phase.steps[c->step].last.ours))) {
        journaled(h, c->seq, true);
        return;
    }
    if (of_step)
        inventory_note(&h->inventory, c->step, c->record);
    if (!append(h, c)) {
        journaled(h, c->seq, false);
        return;
    }
    bool intent = c->record == REC_INTENT_START || c->record == REC_INTENT_UNDO;
    if (c->record == REC_INTENT_START && h->steps[c->step].asks)
        json_object_set(h->ctx.open, h->o->rows[c->step].core.id, h->steps[c->step].asks);
    if (!intent || !has_mirror(h) || !hall_mirror_behind(h)) {
        journaled(h, c->seq, true);
        return;
    }
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
