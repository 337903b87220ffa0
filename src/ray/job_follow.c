/* Waits for a job's end and hands out its log, each byte once (job_log.h says how). */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "ray/job.h"

#define FOLLOW_PAUSE_MIN_MS 100
#define FOLLOW_PAUSE_MAX_MS 15000
#define FOLLOW_LOG_PAUSE_MAX_MS 2000
#define FOLLOW_LOG_SHARE 4        /* a log that takes long to read is read more seldom */
#define FOLLOW_LOG_MS 120000      /* one reading of it */
#define FOLLOW_LOG_FAILURES_MAX 5 /* after the end: answers that are no log */
#define FOLLOW_LOG_LOST_MAX 60    /* after the end: no answer at all */
#define FOLLOW_SHORT_MAX 3        /* answers that hold less than was given out already */

enum follow_state { FOLLOW_LOOK, FOLLOW_LOOKED, FOLLOW_READING, FOLLOW_PAUSE };

void ray_job_follow_init(struct ray_job_follow *f, struct ray_dashboard *d, const char *id)
{
    *f = (struct ray_job_follow){.dash = d};
    f->id = rd_strdup(id);
}

void ray_job_follow_clear(struct ray_job_follow *f)
{
    ray_call_clear(&f->get);
    ray_call_clear(&f->logs);
    rd_err_free(op_take_err(&f->pause.op));
    ray_log_reader_clear(&f->reader);
    rd_freep(&f->id);
    rd_json_decrefp(&f->job);
    rd_err_freep(&f->log_problem);
    rd_err_free(op_take_err(&f->op));
}

static void follow_look(struct ray_job_follow *f)
{
    f->state = FOLLOW_LOOKED;
    ray_call_clear(&f->get);
    ray_job_get_init(&f->get, f->dash, f->id);
    ray_call_start(&f->get, &f->op);
}

static void follow_read(struct ray_job_follow *f)
{
    f->state = FOLLOW_READING;
    ray_call_clear(&f->logs);
    ray_job_logs_init(&f->logs, f->dash, f->id);
    f->logs.stream = true;
    f->logs.attempts_max = 1; /* the next reading is the retry */
    ray_log_reader_begin(&f->reader);
    f->fetch_ms = op_now_ms(&f->op);
    ray_call_start(&f->logs, &f->op);
    op_set_timeout(&f->logs.op, FOLLOW_LOG_MS);
}

static void follow_pause(struct ray_job_follow *f)
{
    uint64_t delay = (op_now_ms(&f->op) - f->started_ms) / 100;
    uint64_t max = f->no_logs ? FOLLOW_PAUSE_MAX_MS : FOLLOW_LOG_PAUSE_MAX_MS;
    if (delay > max)
        delay = max;
    if (delay < FOLLOW_PAUSE_MIN_MS)
        delay = FOLLOW_PAUSE_MIN_MS;
    if (!f->no_logs && delay < f->fetch_ms * FOLLOW_LOG_SHARE)
        delay = f->fetch_ms * FOLLOW_LOG_SHARE;
    f->state = FOLLOW_PAUSE;
    if (!op_timer_start(&f->pause, &f->op, delay))
        op_finish(&f->op, op_take_err(&f->pause.op));
}

static void follow_looked(struct ray_job_follow *f)
{
    struct rd_err *err = op_take_err(&f->get.op);
    if (err && err->kind == RD_ERR_NOT_FOUND) {
        rd_err_free(err);
        err = rd_err_new(f->job ? RD_ERR_FAILED : RD_ERR_NOT_FOUND, "Ray knows no job %s", f->id);
        if (f->job)
            rd_err_hint(
                err, "It was there before: a head pod that was replaced forgets its jobs. See why "
                     "with: raydeploy status");
    }
    if (err) {
        op_finish(&f->op, err);
        return;
    }
    rd_json_decrefp(&f->job);
    f->job = json_incref(f->get.result);
    enum ray_job_status status = ray_job_status_parse(rd_json_str(f->job, "status", NULL));
    if (status != f->status) {
        f->status = status;
        if (f->on_status)
            f->on_status(f, status, rd_json_str(f->job, "message", NULL));
    }
    if (!f->no_logs)
        follow_read(f);
    else if (ray_job_status_terminal(status))
        op_finish(&f->op, NULL);
    else
        follow_pause(f);
}

/* What has arrived so far. */
static void follow_take(struct ray_job_follow *f)
{
    struct rd_buf *resp = &f->logs.http.req.resp;
    if (f->logs.http.req.status != 200 || resp->len == 0)
        return;
    ray_log_reader_feed(&f->reader, resp->data, resp->len);
    rd_buf_consume(resp, resp->len);
    f->log_bytes = f->reader.given;
    if (f->reader.fresh.len == 0)
        return;
    f->short_answers = 0;
    if (f->on_log)
        f->on_log(f, f->reader.fresh.data, f->reader.fresh.len);
    rd_buf_reset(&f->reader.fresh);
}

/* A log that got shorter was replaced; after a few answers that agree it is given out from its
 * start. */
static bool follow_shrunk(struct ray_job_follow *f)
{
    if (f->reader.seen >= f->reader.given)
        return false;
    if (++f->short_answers < FOLLOW_SHORT_MAX)
        return true;
    ray_log_reader_clear(&f->reader);
    ray_log_reader_init(&f->reader, 0);
    f->log_bytes = 0;
    f->short_answers = 0;
    return true;
}

static void follow_read_ended(struct ray_job_follow *f)
{
    struct rd_err *err = op_take_err(&f->logs.op);
    bool terminal = f->once || ray_job_status_terminal(f->status);
    follow_take(f);
    f->fetch_ms = op_now_ms(&f->op) - f->fetch_ms;
    if (!err && f->reader.problem)
        err = rd_err_new(RD_ERR_FAILED, "log of job %s: %s", f->id, f->reader.problem);
    if (!err && f->reader.found && !f->reader.complete)
        err = rd_err_new(RD_ERR_TRANSIENT, "log of job %s: the answer was cut short", f->id);
    if (!err && !follow_shrunk(f)) {
        f->log_failures = f->log_lost = 0;
        if (terminal)
            op_finish(&f->op, NULL);
        else
            follow_pause(f);
        return;
    }
    if (err && err->kind == RD_ERR_CREDENTIALS) {
        op_finish(&f->op, err);
        return;
    }
    /* Ray answers 500 for a log that is no UTF-8, or that ends within a character right now. The
     * job's end does not hang on its log. */
    if (err && err->http_status)
        f->log_failures++;
    else if (err)
        f->log_lost++;
    if (terminal && err &&
        (f->log_failures >= FOLLOW_LOG_FAILURES_MAX || f->log_lost >= FOLLOW_LOG_LOST_MAX)) {
        f->log_problem = err;
        op_finish(&f->op, NULL);
        return;
    }
    rd_err_free(err);
    follow_pause(f);
}

static void follow_step(struct op *op)
{
    struct ray_job_follow *f = container_of(op, struct ray_job_follow, op);
    if (op->cancelled) {
        if (f->state == FOLLOW_READING)
            follow_take(f);
        op_finish(op, NULL);
        return;
    }
    switch ((enum follow_state)f->state) {
    case FOLLOW_LOOK:
        follow_look(f);
        return;
    case FOLLOW_LOOKED:
        if (op_ended(&f->get.op))
            follow_looked(f);
        return;
    case FOLLOW_READING:
        if (op_ended(&f->logs.op))
            follow_read_ended(f);
        else
            follow_take(f);
        return;
    case FOLLOW_PAUSE:
        if (!op_ended(&f->pause.op))
            return;
        /* After the end only the log is of interest. */
        if (f->once || ray_job_status_terminal(f->status))
            follow_read(f);
        else
            follow_look(f);
        return;
    }
    RD_UNREACHABLE();
}

void ray_job_follow_start(struct ray_job_follow *f, struct op *parent)
{
    f->state = FOLLOW_LOOK;
    ray_log_reader_init(&f->reader, f->log_bytes);
    op_start(&f->op, parent, follow_step, "job follow");
    f->started_ms = op_now_ms(&f->op);
}
