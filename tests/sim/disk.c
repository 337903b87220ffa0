/* Journal and mirror. The disk loses and tears what was not synced; in one life of eight it holds the
 * lines themselves, written and read by the shipped code. */
#include "phase/drive/journal.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

static const char *const record_names[] = {"intent", "intent", "done", "undone", "end"};

/* ---- Lines ---- */

static char *line_of(const struct sim *s, const struct disk *d, const struct record *r)
{
    json_t *record = json_object();
    json_object_set_new(record, "seq", json_integer((json_int_t)d->count + 1));
    json_object_set_new(record, "type", json_string(r->answered ? "answered" : record_names[r->record]));
    if (r->step != PHASE_NO_STEP)
        json_object_set_new(record, "step", json_string(s->ids[r->step]));
    if (r->asks)
        json_object_set_new(record, "asks", json_integer(r->asks));
    if (r->alone)
        json_object_set_new(record, "alone", json_true());
    if (!r->answered && (r->record == REC_INTENT_START || r->record == REC_INTENT_UNDO))
        json_object_set_new(record, "verb", json_string(phase_verb_name(r->verb)));
    char *line = journal_write_line(record);
    json_decref(record);
    return line;
}

static void put_bytes(struct disk *d, const char *data, size_t len)
{
    if (d->len + len > d->room)
        d->bytes = realloc(d->bytes, d->room = 2 * (d->len + len) + 4096);
    memcpy(d->bytes + d->len, data, len);
    d->len += len;
}

/* What a new run reads is what the last ones relied on, and nothing else. */
static void read_back(struct sim *s, struct disk *d)
{
    struct journal_scan scan;
    struct inventory found = {0};
    json_t *records = json_array(), *record;
    size_t n;
    unsigned open = 0;
    journal_scan(d->bytes, d->len, records, &scan);
    json_array_foreach (records, n, record) {
        const char *id = json_string_value(json_object_get(record, "step"));
        const char *type = json_string_value(json_object_get(record, "type"));
        unsigned asks = (unsigned)json_integer_value(json_object_get(record, "asks"));
        if (asks)
            open = strcmp(type, "answered") == 0 ? 0 : asks;
        for (unsigned i = 0; id && i < s->count; i++)
            for (int r = 0; r < REC_END && strcmp(s->ids[i], id) == 0; r++)
                if (strcmp(record_names[r], type) == 0)
                    inventory_note(&found, i, r);
    }
    if (scan.damage)
        sim_violate(s, "journal: line %u of an honest disk: %s", scan.line, scan.damage);
    else if (json_array_size(records) != d->count)
        sim_violate(s, "journal: %zu records are read, %u were written", json_array_size(records),
                    d->count);
    else if (found.applied != d->inventory.applied || found.settled != d->inventory.settled)
        sim_violate(s, "journal: its records come to another inventory");
    else if (open != d->open)
        sim_violate(s, "journal: its records say that job %u is open, not %u", open, d->open);
    json_decref(records);
    d->len = scan.good; /* the torn end is cut off before the first append */
}

/* Ids of jobs, a bit each. */
static bool id_in(const uint64_t *ids, unsigned id)
{
    return ids[id / 64 % 8] >> (id % 64) & 1;
}

static void id_add(uint64_t *ids, unsigned id)
{
    ids[id / 64 % 8] |= (uint64_t)1 << (id % 64);
}

/* Does the machine that asked for it still know that no mirror was told? */
bool disk_knows_alone(const struct sim *s, unsigned job)
{
    return id_in(s->disks[(job - 1) % SIM_PROCS].alone, job);
}

static void hold(struct sim *s, struct disk *d, const struct record *r)
{
    if (d->real) {
        char *line = line_of(s, d, r);
        put_bytes(d, line, strlen(line));
        free(line);
    }
    d->count++;
    if (r->step == PHASE_NO_STEP)
        return;
    if (r->answered) {
        id_add(d->answered, r->asks);
        d->open = 0;
        return;
    }
    if (r->asks)
        d->open = r->asks;
    if (r->alone)
        id_add(d->alone, r->asks);
    inventory_note(&d->inventory, r->step, r->record);
    step_set bit = (step_set)1 << r->step;
    bool intent = r->record == REC_INTENT_START || r->record == REC_INTENT_UNDO;
    d->intent = intent ? d->intent | bit : d->intent & ~bit;
    d->intent_verb[r->step] = r->verb;
}

void disk_wipe(struct disk *d)
{
    d->count = 0;
    d->len = 0;
    d->intent = 0;
    d->open = 0;
    memset(d->answered, 0, sizeof d->answered);
    memset(d->alone, 0, sizeof d->alone);
    d->inventory = (struct inventory){0};
}

/* A byte of the journal is another: whoever reads it must hear of it. Only of the last record may it be
 * taken for one that was never written to its end. */
static void damage(struct sim *s, struct disk *d)
{
    size_t last = 0, lines = 0;
    for (size_t n = 0; n + 1 < d->len; n++)
        if (d->bytes[n] == '\n')
            last = n + 1, lines++;
    if (lines < 2)
        return;
    size_t at = sim_random(s, last);
    if (d->bytes[at] == '\n')
        at--;
    d->bytes[at] ^= 4;
    struct journal_scan scan;
    json_t *records = json_array();
    journal_scan(d->bytes, d->len, records, &scan);
    if (!scan.damage)
        sim_violate(s, "journal: byte %zu of %zu is damaged and nothing is said", at, d->len);
    json_decref(records);
}

/* The run is on another machine, or this one's journal is damaged and is rebuilt: set aside, begun anew. */
void disk_lose(struct sim *s, struct proc *p)
{
    struct disk *d = proc_disk(s, p);
    if (d->real && sim_random(s, 2))
        damage(s, d);
    disk_wipe(d);
}

void disk_begin(struct sim *s, struct proc *p)
{
    struct disk *d = proc_disk(s, p);
    if (d->real)
        read_back(s, d);
    p->inventory = d->inventory;
    p->open = d->open;
}

static void mirror_set(struct sim *s, struct inventory content, unsigned open)
{
    s->mirror = content;
    s->mirror_open = open;
    s->mirror_there = true;
    s->mirror_version++;
}

/* Of what was not synced a part is kept, in the order of writing; the next may be torn. A run that came to
 * its end had written all but that before it went on. */
void disk_crash(struct sim *s, struct proc *p)
{
    struct disk *d = proc_disk(s, p);
    unsigned kept = p->record_count;
    if (kept && !p->ended)
        kept = (unsigned)sim_random(s, kept + 1);
    else if (kept && p->records[(p->record_first + kept - 1) % RECORDS_MAX].record == REC_END)
        kept -= (unsigned)sim_random(s, 2);
    for (unsigned n = 0; n < kept; n++) {
        struct record *r = &p->records[(p->record_first + n) % RECORDS_MAX];
        if (r->fails)
            break;
        hold(s, d, r);
    }
    if (kept < p->record_count && sim_fault(s, FAULT_TORN)) {
        sim_struck(s, p, FAULT_TORN);
        if (d->real) {
            char *line = line_of(s, d, &p->records[(p->record_first + kept) % RECORDS_MAX]);
            put_bytes(d, line, sim_random(s, strlen(line)));
            free(line);
        }
    }
    p->record_count = 0;
    /* The mirror's write may be on its way. */
    if (p->put.live && p->put.sent && p->put.lands && p->put.version == s->mirror_version && sim_random(s, 2))
        mirror_set(s, p->put.content, p->put.open);
}

/* ---- The mirror ---- */

static bool mirrors(const struct proc *p)
{
    return p->needs_lock && p->has_lock && !p->waived;
}

/* A run that has changed nothing leaves the mirror as it is (drive/hall_record.c). */
static unsigned mirrored_open(const struct proc *p)
{
    return p->wrote || p->found_open ? p->open : 0;
}

static void put_start(struct sim *s, struct proc *p)
{
    bool lost = sim_fault(s, FAULT_MIRROR);
    if (lost)
        sim_struck(s, p, FAULT_MIRROR);
    p->put = (struct put){.live = true,
                          .number = p->put_asked,
                          .content = p->asked,
                          .open = p->asked_open,
                          .version = s->mirror_version,
                          .sent = phase_may_write(&p->phase, s->now_ms),
                          .at_ms = s->now_ms + 1 + sim_random(s, 20),
                          .lands = !lost || sim_random(s, 2),
                          .answered = !lost};
}

/* Asks for what the mirror was not asked to hold yet; true while a write is under way. */
static bool mirror_behind(struct sim *s, struct proc *p)
{
    const struct inventory *was = p->has_asked ? &p->asked : &s->mirror;
    unsigned was_open = p->has_asked ? p->asked_open : s->mirror_open;
    if (p->inventory.applied != was->applied || p->inventory.settled != was->settled ||
        mirrored_open(p) != was_open) {
        p->asked = p->inventory;
        p->asked_open = mirrored_open(p);
        p->has_asked = true;
        p->put_asked++;
        if (!p->put.live)
            put_start(s, p);
    }
    return p->put_done != p->put_asked;
}

static void journaled(struct sim *s, struct proc *p, uint64_t seq, bool ok)
{
    struct phase_event e = {.type = EV_JOURNALED};
    e.u.journaled.seq = seq;
    e.u.journaled.ok = ok;
    proc_deliver(s, p, &e);
}

static void put_turn(struct sim *s, struct proc *p)
{
    struct put *put = &p->put;
    put->live = false;
    if (!p->has_lock)
        return;
    if (!phase_may_write(&p->phase, s->now_ms)) { /* the gate: after the next renewal */
        put->live = true;
        put->at_ms = s->now_ms + 1000;
        return;
    }
    if (put->lands) {
        if (s->lease_holder != p->id)
            sim_violate(s, "two writers: the mirror is written by run %u while run %u holds the "
                           "lease",
                        p->id, s->lease_holder);
        mirror_set(s, put->content, put->open); /* after a conflict it is read and written again */
    }
    if (!put->answered) {
        put_start(s, p);
        put->at_ms += 1000;
        return;
    }
    p->put_done = put->number;
    if (p->put_done != p->put_asked)
        put_start(s, p);
    unsigned left = 0, count = p->waiting_count;
    uint64_t done[RECORDS_MAX];
    unsigned done_count = 0;
    for (unsigned n = 0; n < count; n++) {
        if (p->waiting[n].put <= p->put_done)
            done[done_count++] = p->waiting[n].seq;
        else
            p->waiting[left++] = p->waiting[n];
    }
    p->waiting_count = left;
    for (unsigned n = 0; n < done_count && p->alive; n++)
        journaled(s, p, done[n], true);
}

/* The last word, before the lease is given back. */
void mirror_release(struct sim *s, struct proc *p)
{
    if (!mirrors(p) || p->aborted || s->lease_holder != p->id ||
        !phase_may_write(&p->phase, s->now_ms))
        return;
    bool remove = s->goal.kind == GOAL_DOWN && p->end.ok;
    if (remove) {
        mirror_set(s, (struct inventory){0}, 0);
        s->mirror_there = false;
    } else if (!p->cancelled) {
        mirror_set(s, p->inventory, mirrored_open(p));
    }
}

/* The mirror had an intent before anything was sent; only its answer may be known here alone. */
void mirror_read(struct sim *s, struct proc *p)
{
    unsigned open = s->mirror_open;
    const struct disk *d = proc_disk(s, p);
    inventory_merge(&p->inventory, &s->mirror);
    if (!s->mirror_there)
        return;
    p->found_open = open != 0;
    if (!id_in(d->alone, p->open))
        p->open = 0;
    if (open && !id_in(d->answered, open))
        p->open = open;
}

/* ---- Writing ---- */

void disk_write(struct sim *s, struct proc *p, const struct phase_command *c)
{
    bool of_step = c->step != PHASE_NO_STEP;
    bool known = of_step && inventory_knows(&p->inventory, c->step, c->record,
                                            p->phase.steps[c->step].last.ours);
    if (p->record_count == RECORDS_MAX) {
        sim_violate(s, "more than %d records are on their way to disk", RECORDS_MAX);
        return;
    }
    if (known)
        return; /* nothing new is said; the core waits for intents alone, which are never known */
    if (of_step)
        inventory_note(&p->inventory, c->step, c->record);
    struct record *r = &p->records[(p->record_first + p->record_count) % RECORDS_MAX];
    bool asks = c->record == REC_INTENT_START && s->kinds[c->step] == KIND_JOB;
    if (asks)
        p->asks_alone = !p->wrote && !p->found_open;
    *r = (struct record){.seq = c->seq,
                         .asks = asks ? p->asks : 0,
                         .alone = asks && p->asks_alone,
                         .at_ms = s->now_ms + 1 + sim_random(s, 5),
                         .step = c->step,
                         .record = c->record,
                         .verb = c->verb};
    if (s->faults && sim_random(s, 50) == 0 && sim_fault(s, FAULT_SLOW))
        r->at_ms += sim_random(s, 40000);
    else if (aim_slow_disk(s))
        r->at_ms += sim_random(s, 3000);
    /* One file, appended to: no record is on disk before the one ahead of it. */
    if (p->record_count) {
        const struct record *ahead =
            &p->records[(p->record_first + p->record_count - 1) % RECORDS_MAX];
        if (r->at_ms <= ahead->at_ms)
            r->at_ms = ahead->at_ms + 1;
    }
    r->fails = sim_fault(s, FAULT_DISK) || p->disk_full || aim_record(s, p);
    p->disk_full = false;
    p->record_count++;
}

/* Written like any record; for the mirror nobody waits. */
void disk_answered(struct sim *s, struct proc *p, unsigned step)
{
    unsigned open = p->open;
    if (!open || p->record_count == RECORDS_MAX)
        return;
    p->open = 0;
    struct record *r = &p->records[(p->record_first + p->record_count) % RECORDS_MAX];
    *r = (struct record){.at_ms = s->now_ms + 1 + sim_random(s, 5),
                         .step = step,
                         .record = REC_DONE,
                         .answered = true,
                         .asks = open};
    if (p->record_count) {
        const struct record *ahead =
            &p->records[(p->record_first + p->record_count - 1) % RECORDS_MAX];
        if (r->at_ms <= ahead->at_ms)
            r->at_ms = ahead->at_ms + 1;
    }
    p->record_count++;
    if (mirrors(p))
        (void)mirror_behind(s, p);
}

static void synced(struct sim *s, struct proc *p)
{
    struct record r = p->records[p->record_first];
    p->record_first = (p->record_first + 1) % RECORDS_MAX;
    p->record_count--;
    if (r.fails) {
        sim_struck(s, p, FAULT_DISK);
        p->record_count = 0; /* nothing more is appended to a journal that is broken */
        journaled(s, p, r.seq, false);
        return;
    }
    hold(s, proc_disk(s, p), &r);
    if (r.answered)
        return; /* nobody waits for it */
    if (r.asks)
        p->open = r.asks;
    bool intent = r.record == REC_INTENT_START || r.record == REC_INTENT_UNDO;
    if (intent && mirrors(p) && mirror_behind(s, p)) {
        if (p->waiting_count == RECORDS_MAX) {
            sim_violate(s, "more than %d records wait for the mirror", RECORDS_MAX);
            return;
        }
        p->waiting[p->waiting_count].seq = r.seq;
        p->waiting[p->waiting_count++].put = p->put_asked;
        return;
    }
    journaled(s, p, r.seq, true);
}

void disk_turn(struct sim *s, struct proc *p)
{
    while (p->alive && p->record_count && p->records[p->record_first].at_ms <= s->now_ms)
        synced(s, p);
    if (p->alive && p->put.live && p->put.at_ms <= s->now_ms)
        put_turn(s, p);
}

uint64_t disk_next_ms(const struct proc *p)
{
    uint64_t next = p->record_count ? p->records[p->record_first].at_ms : SIM_FAR;
    return p->put.live && p->put.at_ms < next ? p->put.at_ms : next;
}
