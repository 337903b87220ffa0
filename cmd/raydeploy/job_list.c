/* job list, status, stop, delete. */
#include "job.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define STOP_WAIT_MS 120000
#define STOP_PAUSE_MS 500
/* Ray's own watcher of a job looks once a second; a record deleted before it saw the job's end is one that
 * failed to it, and it writes a new one. */
#define DELETE_PAUSE_MS 2500
#define DELETE_WAIT_MS 60000

enum { PART_BEGIN, PART_ASKED, PART_LOOKED, PART_PAUSE, PART_AGAIN };

static int part_run(struct verb_ctx *v, void (*step)(struct job_verb *j))
{
    struct job_verb j;
    struct rd_err *err = NULL;
    int code;
    if (job_open(&j, v, &err)) {
        j.id = v->config.rest.len > 1 ? v->config.rest.v[1] : NULL;
        j.step = step;
        code = job_run(&j);
    } else {
        code = verb_fail(v, err);
    }
    job_close(&j);
    return code;
}

/* The answer of the call that ran; NULL and the op finished when it failed. Borrowed. */
static const json_t *answer(struct job_verb *j)
{
    struct rd_err *err = op_take_err(&j->call.op);
    if (err && err->kind == RD_ERR_NOT_FOUND && j->id) {
        RD_AUTOFREE char *flags = ray_way_flags(&j->way);
        rd_err_free(err);
        err = rd_err_new(RD_ERR_NOT_FOUND, "Ray knows no job %s", j->id);
        rd_err_hint(err, "See them all: raydeploy job list%s", flags);
    }
    if (!err && !j->call.result)
        err = rd_err_new(RD_ERR_FAILED, "%s: Ray's answer is empty", j->call.path);
    if (err)
        op_finish(&j->op, err);
    return err ? NULL : j->call.result;
}

/* ---- list ---- */

static int by_start(const void *a, const void *b)
{
    json_int_t x = rd_json_path_int(*(json_t *const *)a, "start_time", 0);
    json_int_t y = rd_json_path_int(*(json_t *const *)b, "start_time", 0);
    return x < y ? 1 : x > y ? -1 : 0;
}

static const char *id_of(const json_t *job)
{
    const char *id = rd_json_str(job, "submission_id", NULL);
    if (!id)
        id = rd_json_str(job, "job_id", NULL);
    return id ? id : "-";
}

static void put_job(const json_t *job, int width, struct rd_buf *out)
{
    json_int_t start = rd_json_path_int(job, "start_time", 0);
    json_int_t end = rd_json_path_int(job, "end_time", 0);
    const char *status = rd_json_str(job, "status", NULL);
    const char *entrypoint = rd_json_str(job, "entrypoint", NULL);
    char when[32] = "-", took[32] = "-";
    if (start > 0) {
        rd_rfc3339_ms(start, when);
        when[19] = 'Z'; /* whole seconds do */
        when[20] = '\0';
        rd_duration_text((uint64_t)((end > start ? end : rd_wall_ms()) - start), took);
    }
    RD_AUTOBUF struct rd_buf id = RD_BUF_INIT(1024);
    ui_clean(&id, id_of(job));
    rd_buf_printf(out, "%-*s  %-9s  %-20s  %-8s  ", width, rd_buf_str(&id), status ? status : "-",
                  when, took);
    ui_clean(out, entrypoint ? entrypoint : "-");
    rd_buf_putc(out, '\n');
}

static void put_list(struct verb_ctx *v, const json_t *jobs)
{
    size_t n = json_array_size(jobs), width = 2;
    RD_AUTOFREE const json_t **sorted = rd_calloc(n + 1, sizeof(*sorted));
    for (size_t i = 0; i < n; i++) {
        sorted[i] = json_array_get(jobs, i);
        size_t len = strlen(id_of(sorted[i]));
        width = len > width && len <= 64 ? len : width;
    }
    qsort(sorted, n, sizeof(*sorted), by_start);
    if (v->config.json_output) {
        RD_AUTOJSON json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, job_json(sorted[i]));
        RD_AUTOJSON json_t *o = rd_json_pack("{s:O}", "jobs", list);
        verb_print_json(v, o);
        return;
    }
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (n)
        rd_buf_printf(&text, "%-*s  %-9s  %-20s  %-8s  %s\n", (int)width, "ID", "STATUS", "STARTED",
                      "TOOK", "COMMAND");
    for (size_t i = 0; i < n; i++)
        put_job(sorted[i], (int)width, &text);
    if (n == 0)
        verb_say(v, NOTE_INFO, "there are no jobs");
    verb_print(v, &text);
}

static void list_step(struct job_verb *j)
{
    if (j->state == PART_BEGIN) {
        j->state = PART_ASKED;
        ray_job_list_init(&j->call, &j->way.dash);
        ray_call_start(&j->call, &j->op);
        return;
    }
    const json_t *jobs = op_ended(&j->call.op) ? answer(j) : NULL;
    if (!jobs)
        return;
    struct rd_err *err = NULL;
    if (json_is_array(jobs))
        put_list(j->v, jobs);
    else
        err = rd_err_new(RD_ERR_FAILED, "%s: Ray's answer is no list", j->call.path);
    op_finish(&j->op, err);
}

int job_list(struct verb_ctx *v)
{
    return part_run(v, list_step);
}

/* ---- status ---- */

static void put_field(struct rd_buf *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    rd_buf_printf(out, "%-11s ", name);
    ui_clean(out, value);
    rd_buf_putc(out, '\n');
}

static void put_status(struct verb_ctx *v, const json_t *job)
{
    RD_AUTOJSON json_t *o = job_json(job);
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (v->config.json_output) {
        verb_print_json(v, o);
        return;
    }
    put_field(&text, "id", id_of(job));
    put_field(&text, "status", rd_json_str(o, "status", NULL));
    put_field(&text, "command", rd_json_str(o, "entrypoint", NULL));
    put_field(&text, "started", rd_json_str(o, "start_time", NULL));
    put_field(&text, "ended", rd_json_str(o, "end_time", NULL));
    put_field(&text, "message", rd_json_str(o, "message", NULL));
    put_field(&text, "error type", rd_json_str(o, "error_type", NULL));
    json_t *code = json_object_get(o, "driver_exit_code");
    if (json_is_integer(code))
        rd_buf_printf(&text, "%-11s %d\n", "exit code", (int)json_integer_value(code));
    verb_print(v, &text);
}

static void status_step(struct job_verb *j)
{
    if (j->state == PART_BEGIN) {
        j->state = PART_ASKED;
        ray_job_get_init(&j->call, &j->way.dash, j->id);
        ray_call_start(&j->call, &j->op);
        return;
    }
    const json_t *job = op_ended(&j->call.op) ? answer(j) : NULL;
    if (!job)
        return;
    put_status(j->v, job);
    op_finish(&j->op, NULL);
}

int job_status(struct verb_ctx *v)
{
    return part_run(v, status_step);
}

/* ---- stop ---- */

static void look(struct job_verb *j)
{
    j->state = PART_LOOKED;
    ray_call_clear(&j->call);
    ray_job_get_init(&j->call, &j->way.dash, j->id);
    ray_call_start(&j->call, &j->op);
}

static void stopped(struct job_verb *j, const json_t *job)
{
    const char *status = rd_json_str(job, "status", NULL);
    if (j->v->config.json_output)
        put_status(j->v, job);
    rd_str_take(&j->v->result,
                rd_asprintf(ray_job_status_terminal(ray_job_status_parse(status))
                                ? "job %s is %s"
                                : "job %s is %s, and was asked to stop",
                            j->id, status ? status : "UNKNOWN"));
    op_finish(&j->op, NULL);
}

static void stop_step(struct job_verb *j)
{
    const json_t *job;
    switch (j->state) {
    case PART_BEGIN:
        op_set_timeout(&j->op, STOP_WAIT_MS);
        j->state = PART_ASKED;
        ray_job_stop_init(&j->call, &j->way.dash, j->id);
        ray_call_start(&j->call, &j->op);
        return;
    case PART_ASKED:
        if (op_ended(&j->call.op) && answer(j))
            look(j);
        return;
    case PART_LOOKED:
        job = op_ended(&j->call.op) ? answer(j) : NULL;
        if (!job)
            return;
        if (verb_flag(j->v, "no-wait") ||
            ray_job_status_terminal(ray_job_status_parse(rd_json_str(job, "status", NULL)))) {
            stopped(j, job);
            return;
        }
        j->state = PART_PAUSE;
        if (!op_timer_start(&j->pause, &j->op, STOP_PAUSE_MS)) {
            rd_err_free(op_take_err(&j->pause.op));
            op_finish(&j->op,
                      rd_err_new(RD_ERR_TIMEOUT, "job %s was asked to stop and is still running",
                                 j->id));
        }
        return;
    case PART_PAUSE:
        if (op_ended(&j->pause.op))
            look(j);
        return;
    }
    RD_UNREACHABLE();
}

int job_stop(struct verb_ctx *v)
{
    return part_run(v, stop_step);
}

/* ---- delete ---- */

static void ask_delete(struct job_verb *j, int state)
{
    j->state = state;
    ray_call_clear(&j->call);
    ray_job_delete_init(&j->call, &j->way.dash, j->id);
    ray_call_start(&j->call, &j->op);
}

static void deleted(struct job_verb *j)
{
    if (j->v->config.json_output) {
        RD_AUTOJSON json_t *o = rd_json_pack("{s:s, s:b}", "submission_id", j->id, "deleted", 1);
        verb_print_json(j->v, o);
    }
    rd_str_take(&j->v->result, rd_asprintf("job %s deleted", j->id));
    op_finish(&j->op, NULL);
}

/* The answer to DELETE; then a look after a while whether the record stayed away. */
static void delete_asked(struct job_verb *j)
{
    RD_AUTOFREE char *flags = ray_way_flags(&j->way);
    if (j->call.op.err && j->call.op.err->http_status >= 400 && j->call.op.err->http_status != 404 &&
        j->call.op.err->remote && strstr(j->call.op.err->remote, "in a non-terminal state"))
        rd_err_hint(j->call.op.err, "Stop it first: raydeploy job stop %s%s", j->id, flags);
    if (!answer(j))
        return;
    j->state = PART_PAUSE;
    if (!op_timer_start(&j->pause, &j->op, DELETE_PAUSE_MS)) {
        rd_err_free(op_take_err(&j->pause.op));
        op_finish(&j->op, rd_err_new(RD_ERR_TIMEOUT, "job %s was deleted and Ray keeps writing it anew",
                                     j->id));
    }
}

static void delete_step(struct job_verb *j)
{
    switch (j->state) {
    case PART_BEGIN:
        op_set_timeout(&j->op, DELETE_WAIT_MS);
        ask_delete(j, PART_ASKED);
        return;
    case PART_ASKED:
        if (op_ended(&j->call.op))
            delete_asked(j);
        return;
    case PART_PAUSE:
        if (op_ended(&j->pause.op))
            look(j);
        return;
    case PART_AGAIN:
    case PART_LOOKED:
        if (!op_ended(&j->call.op))
            return;
        if (j->call.op.err && j->call.op.err->kind == RD_ERR_NOT_FOUND) {
            rd_err_free(op_take_err(&j->call.op));
            deleted(j);
        } else if (j->state == PART_AGAIN) {
            delete_asked(j);
        } else if (answer(j)) {
            ask_delete(j, PART_AGAIN);
        }
        return;
    }
    RD_UNREACHABLE();
}

int job_delete(struct verb_ctx *v)
{
    return part_run(v, delete_step);
}
