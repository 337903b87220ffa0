#include "phase/drive/drive.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "gcp/client.h"
#include "loop/loop.h"
#include "phase/drive/hall.h"
#include "phase/drive/journal.h"
#include "phase/drive/lock.h"
#include "phase/drive/place.h"

#include <stdlib.h>
#include <time.h>

/* Everything a run owns, so that one function can let go of it. */
struct drive {
    struct hall hall;
    struct lock lock;
    bool guarded;
    struct journal *journal;
    char *run_id;
};

/* What a note does not know of itself: how long its step has been at it. */
static void emit(struct note_sink *sink, const struct phase_note *note)
{
    struct hall *h = container_of(sink, struct hall, notes);
    if (!h->o || !h->o->notes)
        return;
    struct phase_note n = *note;
    uint64_t now = loop_now_ms(h->loop), since = h->begun_ms;
    int i = n.step ? steps_find(h->o->rows, h->o->row_count, n.step) : -1;
    if (i >= 0 && h->phase.steps[i].begun_ms)
        since = h->phase.steps[i].begun_ms;
    else if (i >= 0)
        since = now;
    if (n.elapsed_ms == 0 && n.event != NOTE_REQUEST)
        n.elapsed_ms = now - since;
    h->o->notes->emit(h->o->notes, &n);
}

/* "r20260102t030405-1a2b3c": sorts by time, and is a DNS label. */
static char *make_run_id(void)
{
    time_t now = (time_t)(rd_wall_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y%m%dt%H%M%S", &tm);
    return rd_asprintf("r%s-%06x", stamp, (unsigned)(rd_random_u64() & 0xffffff));
}

/* Looking only writes nothing down and holds no lock; it reads what was written. */
static bool open_journal(struct drive *d, const struct drive_options *o, struct rd_err **reterr)
{
    RD_AUTOFREE char *dir = place_state_dir(o->config, reterr);
    if (!dir)
        return false;
    if (!journal_open(dir, NULL, &d->journal, reterr) ||
        !journal_lock(d->journal, o->config->rebuild_journal, reterr))
        return false;
    json_t *fields = rd_json_pack("{s:s, s:s, s:s, s:s}", "run", d->run_id, "verb", o->verb,
                                  "version", RAYDEPLOY_VERSION, "deployment", o->config->name);
    return journal_append(d->journal, "run", fields, reterr);
}

static void make_context(struct drive *d, struct loop *l, const struct drive_options *o)
{
    struct step_ctx *ctx = &d->hall.ctx;
    d->hall.notes.emit = emit;
    ctx->loop = l;
    ctx->config = o->config;
    ctx->run_id = d->run_id;
    ctx->notes = &d->hall.notes;
    ctx->session = o->session;
    ctx->going_down = o->goal.kind == GOAL_DOWN;
    int job = steps_find(o->rows, o->row_count, "job");
    ctx->job_follows = o->goal.kind == GOAL_UP && job >= 0 && (o->goal.want >> job & 1) != 0;
    ctx->dry_run = o->dry_run;
    int crds = steps_find(o->rows, o->row_count, "kuberay-crds");
    ctx->chart_wanted = crds >= 0 && o->goal.kind != GOAL_DOWN && (o->goal.want >> crds & 1) &&
                        (o->dry_run || (o->goal.may_start >> crds & 1));
    ctx->facts = json_object();
    if (o->config->facts)
        json_object_update(ctx->facts, o->config->facts);
}

static void let_go(struct drive *d)
{
    struct step_ctx *ctx = &d->hall.ctx;
    if (d->guarded)
        lock_clear(&d->lock);
    k8s_client_free(ctx->workload);
    k8s_client_free(ctx->management);
    gcp_client_free(ctx->gcp);
    template_set_free(ctx->templates);
    json_decref(ctx->facts);
    journal_close(d->journal);
    free(d->run_id);
    free(d);
}

/* Nothing was begun: the report says so, and why. */
static void refuse(const struct drive_options *o, struct rd_err *take, struct drive_result *ret)
{
    ret->err = take;
    ret->exit_code = rd_err_exit_code(take->kind);
    ret->facts = json_object();
    ret->step_count = o->row_count;
    ret->steps = rd_calloc(o->row_count, sizeof *ret->steps);
    for (unsigned i = 0; i < o->row_count; i++) {
        ret->steps[i].id = o->rows[i].core.id;
        ret->steps[i].title = o->rows[i].title;
        ret->steps[i].state = STEP_UNWANTED;
    }
}

void drive_run(struct loop *l, const struct drive_options *o, struct drive_result *ret)
{
    struct drive *d = rd_calloc(1, sizeof *d);
    struct rd_err *err = NULL;
    *ret = (struct drive_result){0};
    d->run_id = make_run_id();
    make_context(d, l, o);
    d->hall.ctx.templates = template_set_open(o->config->templates_dir, &err);
    if (!d->hall.ctx.templates || (!o->no_lock && !open_journal(d, o, &err))) {
        refuse(o, err, ret);
        let_go(d);
        return;
    }
    if (!o->no_lock && !o->no_lease) {
        lock_init(&d->lock, &d->hall.ctx);
        d->guarded = true;
    }
    hall_run(&d->hall, l, o, d->journal, d->guarded ? &d->lock.g : NULL, ret);
    let_go(d);
}
