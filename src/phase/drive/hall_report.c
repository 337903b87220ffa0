/* What is said while it runs, and what it came to. */
#include "phase/drive/hall.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "loop/loop.h"

#include <stdarg.h>
#include <stdlib.h>

void hall_say(struct hall *h, enum note_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    struct phase_note n = {.event = NOTE_LOG, .level = level, .message = text};
    h->notes.emit(&h->notes, &n);
}

/* The step below that failed, for one that is held. */
static const char *held_by(const struct hall *h, unsigned i)
{
    for (unsigned k = 0; k < h->o->row_count; k++) {
        enum step_state s = h->phase.steps[k].state;
        bool on_the_way = h->o->goal.kind == GOAL_DOWN
                              ? (h->defs[k].needs & ((step_set)1 << i)) != 0
                              : (h->defs[i].needs & ((step_set)1 << k)) != 0;
        if (on_the_way && (s == STEP_FAILED || s == STEP_HELD || s == STEP_CANCELLED))
            return h->defs[k].id;
    }
    return "a step before it";
}

void hall_step_failed(struct hall *h, unsigned i)
{
    struct hall_step *hs = &h->steps[i];
    const struct step_row *row = &h->o->rows[i];
    enum rd_err_kind kind = h->phase.steps[i].fail_kind;
    if (hs->err && hs->err->kind == kind) {
        rd_err_wrap(hs->err, "%s", row->title);
        return;
    }
    const char *reason = hs->reason ? hs->reason : "no answer";
    struct rd_err *err;
    char limit[32];
    bool whole = h->phase.halt == HALT_RUN_LIMIT;
    rd_duration_text(whole ? h->o->goal.run_limit_ms : row->core.limit_ms, limit);
    if (kind == RD_ERR_PREFLIGHT) {
        err = rd_err_new(kind, "%s: it is not there, and this command does not create it",
                         row->title);
        rd_err_hint(err, "Run raydeploy up first.");
    } else if (kind == RD_ERR_FOREIGN) {
        err = rd_err_new(kind, "%s: it is not ours, or somebody keeps changing it: %s", row->title,
                         reason);
    } else if (kind == RD_ERR_TIMEOUT) {
        err =
            rd_err_new(kind, "%s: not finished in time (%s %s): %s", row->title,
                       whole ? "the whole run may take" : "limit", limit, reason);
        rd_err_hint(err, "%s%sRun the same command again to go on from here.",
                    hs->err && hs->err->hint ? hs->err->hint : "",
                    hs->err && hs->err->hint ? " " : "");
    } else {
        err = rd_err_new(kind, "%s: %s", row->title, reason);
    }
    err->cause = hs->err;
    hs->err = err;
}

void hall_note_state(struct hall *h, const struct phase_command *c)
{
    struct hall_step *hs = &h->steps[c->step];
    if (c->to == STEP_FAILED)
        hall_step_failed(h, c->step);
    RD_AUTOFREE char *text = NULL;
    switch (c->to) {
    case STEP_HELD:
        text = rd_asprintf("waits for %s, which did not succeed", held_by(h, c->step));
        break;
    case STEP_BLOCKED:
    case STEP_LOOKING:
    case STEP_INTENDING:
    case STEP_UNWANTED:
    case STEP_CANCELLED:
        break;
    case STEP_FAILED:
        text = rd_strdup(hs->err->message);
        break;
    default:
        text = rd_strdup(hs->reason);
    }
    struct phase_note n = {
        .event = NOTE_STEP,
        .level = c->to == STEP_FAILED ? NOTE_ERROR : NOTE_INFO,
        .step = h->defs[c->step].id,
        .state = phase_note_state(c->to, h->o->goal.kind),
        .detail = step_state_name(c->to),
        .message = text,
        .error = c->to == STEP_FAILED ? hs->err : NULL,
    };
    h->notes.emit(&h->notes, &n);
}

/* ---- The end ---- */

static void report_step(struct hall *h, unsigned i, struct drive_step_report *r)
{
    const struct phase_step_live *live = &h->phase.steps[i];
    r->id = h->o->rows[i].core.id;
    r->title = h->o->rows[i].title;
    r->state = live->state;
    r->found = live->last;
    r->begun_ms = live->begun_ms;
    r->ended_ms = live->ended_ms;
    r->reason = rd_strdup(h->steps[i].reason);
    r->err = live->state == STEP_FAILED ? rd_err_dup(h->steps[i].err) : NULL;
}

static struct rd_err *what_went_wrong(struct hall *h)
{
    const struct phase_command *end = &h->end;
    if (end->ok && !h->broken)
        return NULL;
    if (h->broken) {
        struct rd_err *err = h->broken;
        h->broken = NULL;
        return err;
    }
    if (end->cancelled || h->signals > 0) {
        struct rd_err *err = rd_err_new(RD_ERR_CANCELLED, "stopped by signal %d", h->signum);
        return err;
    }
    if (end->step != PHASE_NO_STEP) {
        struct rd_err *err = rd_err_dup(h->steps[end->step].err);
        /* Going down, what remains is what counts; why is in the message. */
        err->kind = end->exit_kind;
        return err;
    }
    if (end->exit_kind == RD_ERR_TIMEOUT) {
        char limit[32];
        rd_duration_text(h->o->goal.run_limit_ms, limit);
        return rd_err_new(RD_ERR_TIMEOUT, "out of time: the whole run may take %s", limit);
    }
    return rd_err_new(end->exit_kind, "the goal was not reached");
}

void hall_result(struct hall *h, struct drive_result *ret)
{
    ret->err = what_went_wrong(h);
    ret->exit_code = ret->err ? rd_err_exit_code(ret->err->kind) : 0;
    if (ret->err && ret->err->kind == RD_ERR_CANCELLED)
        ret->exit_code = 128 + h->signum;
    ret->step_count = h->o->row_count;
    ret->steps = rd_calloc(ret->step_count, sizeof *ret->steps);
    for (unsigned i = 0; i < ret->step_count; i++)
        report_step(h, i, &ret->steps[i]);
    ret->writes = h->ctx.writes;
    ret->begun_ms = h->begun_ms;
    ret->elapsed_ms = loop_now_ms(h->loop) - h->begun_ms;
    ret->facts = json_deep_copy(h->ctx.facts);
    if (ret->exit_code != 0 && h->o->resume_command &&
        (ret->err->kind == RD_ERR_CANCELLED || rd_err_transient(ret->err->kind)))
        hall_say(h, NOTE_INFO, "to go on from here: %s", h->o->resume_command);
}

void drive_result_clear(struct drive_result *r)
{
    for (unsigned i = 0; i < r->step_count; i++) {
        free(r->steps[i].reason);
        rd_err_free(r->steps[i].err);
    }
    free(r->steps);
    rd_err_free(r->err);
    json_decref(r->facts);
    *r = (struct drive_result){0};
}
