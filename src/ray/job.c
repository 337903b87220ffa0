/* Words of a job, and its submit. */
#include "ray/job.h"

#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "ray/dashboard_internal.h"

#define SUBMIT_MS 300000
#define SUBMIT_PAUSE_MS 500
#define SUBMIT_PAUSE_MAX_MS 8000
#define SUBMISSION_ID_MAX 128

static const struct {
    const char *word;
    bool terminal;
} statuses[] = {
#define X(name, word, terminal) [name] = {word, terminal},
    RAY_JOB_STATUSES(X)
#undef X
};

enum ray_job_status ray_job_status_parse(const char *word)
{
    for (int i = 0; i < RAY_JOB_STATUS_MAX; i++)
        if (rd_streq(word, statuses[i].word))
            return (enum ray_job_status)i;
    return RAY_JOB_UNKNOWN;
}

const char *ray_job_status_name(enum ray_job_status s)
{
    return statuses[s].word;
}

bool ray_job_status_terminal(enum ray_job_status s)
{
    return statuses[s].terminal;
}

/* ---- Submit ---- */

enum submit_state { SUBMIT_CHECK, SUBMIT_POSTED, SUBMIT_LOOKED, SUBMIT_PAUSE };

bool ray_job_spec_check(const struct ray_job_spec *spec, struct rd_err **reterr)
{
    const char *id = spec->submission_id;
    if (!id || !*id || strlen(id) > SUBMISSION_ID_MAX ||
        strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
            strlen(id))
        return rd_fail(reterr, RD_ERR_INPUT,
                       "submission id '%s' is not 1 to %d letters, digits, '-' and '_'",
                       id ? id : "", SUBMISSION_ID_MAX);
    if (!spec->entrypoint || !*spec->entrypoint ||
        !rd_utf8_valid(spec->entrypoint, strlen(spec->entrypoint)))
        return rd_fail(reterr, RD_ERR_INPUT, "a job needs an entrypoint in UTF-8");
    return true;
}

char *ray_job_body(const struct ray_job_spec *spec)
{
    json_t *env = spec->runtime_env ? json_incref((json_t *)spec->runtime_env) : json_object();
    RD_AUTOJSON json_t *body = rd_json_pack("{s:s, s:s, s:o}", "submission_id", spec->submission_id,
                                            "entrypoint", spec->entrypoint, "runtime_env", env);
    if (spec->metadata)
        json_object_set_new(body, "metadata", json_incref((json_t *)spec->metadata));
    if (spec->num_cpus > 0)
        json_object_set_new(body, "entrypoint_num_cpus", json_real(spec->num_cpus));
    if (spec->num_gpus > 0)
        json_object_set_new(body, "entrypoint_num_gpus", json_real(spec->num_gpus));
    if (spec->memory_bytes > 0)
        json_object_set_new(body, "entrypoint_memory", json_integer(spec->memory_bytes));
    if (spec->resources)
        json_object_set_new(body, "entrypoint_resources", json_incref((json_t *)spec->resources));
    if (spec->labels)
        json_object_set_new(body, "entrypoint_label_selector", json_incref((json_t *)spec->labels));
    return rd_json_dump(body);
}

static void submit_post(struct ray_job_submit *s)
{
    s->state = SUBMIT_POSTED;
    ray_call_clear(&s->call);
    ray_call_init(&s->call, s->dash, "POST", "/api/jobs/"); /* the slash is part of it */
    s->call.body = rd_strdup(s->body);
    s->call.body_len = s->body_len;
    ray_call_start(&s->call, &s->op);
}

static void submit_look(struct ray_job_submit *s)
{
    s->state = SUBMIT_LOOKED;
    ray_call_clear(&s->call);
    ray_job_get_init(&s->call, s->dash, s->id);
    s->call.not_found_ok = true;
    ray_call_start(&s->call, &s->op);
}

static void submit_posted(struct ray_job_submit *s)
{
    struct rd_err *err = op_take_err(&s->call.op);
    bool taken = err && rd_streq(err->reason, RAY_REASON_DUPLICATE);
    if (err && !taken && !rd_err_transient(err->kind)) {
        op_finish(&s->op, err);
        return;
    }
    if (!err) {
        op_finish(&s->op, NULL);
        return;
    }
    rd_err_free(s->why);
    s->why = err;
    submit_look(s); /* the reply was lost, or it is there: the id tells */
}

static void submit_looked(struct ray_job_submit *s)
{
    struct rd_err *err = op_take_err(&s->call.op);
    if (err) {
        op_finish(&s->op, err);
        return;
    }
    if (!s->call.result) {
        uint64_t delay = (uint64_t)SUBMIT_PAUSE_MS << (s->attempt < 5 ? s->attempt : 5);
        s->attempt++;
        s->state = SUBMIT_PAUSE;
        if (!op_timer_start(&s->pause, &s->op,
                            delay < SUBMIT_PAUSE_MAX_MS ? delay : SUBMIT_PAUSE_MAX_MS)) {
            err = s->why;
            s->why = NULL;
            op_finish(&s->op, err);
        }
        return;
    }
    const char *entrypoint = rd_json_str(s->call.result, "entrypoint", NULL);
    if (!rd_streq(entrypoint, s->entrypoint)) {
        err = rd_err_new(RD_ERR_FOREIGN, "submission id %s belongs to another job: %s", s->id,
                         entrypoint ? entrypoint : "unknown");
        rd_err_hint(err, "Choose another submission id.");
        op_finish(&s->op, err);
        return;
    }
    s->adopted = true;
    s->job = json_incref(s->call.result);
    op_finish(&s->op, NULL);
}

static void submit_step(struct op *op)
{
    struct ray_job_submit *s = container_of(op, struct ray_job_submit, op);
    if (op->cancelled) {
        struct rd_err *err = NULL;
        if (op->timed_out && s->why) {
            err = s->why;
            s->why = NULL;
            err->kind = RD_ERR_TIMEOUT;
        }
        op_finish(op, err);
        return;
    }
    switch ((enum submit_state)s->state) {
    case SUBMIT_CHECK:
        if (s->bad)
            op_finish(op, rd_err_dup(s->bad));
        else
            submit_post(s);
        return;
    case SUBMIT_POSTED:
        if (op_ended(&s->call.op))
            submit_posted(s);
        return;
    case SUBMIT_LOOKED:
        if (op_ended(&s->call.op))
            submit_looked(s);
        return;
    case SUBMIT_PAUSE:
        if (op_ended(&s->pause.op))
            submit_post(s);
        return;
    }
    RD_UNREACHABLE();
}

void ray_job_submit_start(struct ray_job_submit *s, struct op *parent, struct ray_dashboard *d,
                          const struct ray_job_spec *spec)
{
    *s = (struct ray_job_submit){.dash = d};
    if (ray_job_spec_check(spec, &s->bad)) {
        s->id = rd_strdup(spec->submission_id);
        s->entrypoint = rd_strdup(spec->entrypoint);
        s->body = ray_job_body(spec);
        s->body_len = strlen(s->body);
    }
    op_start(&s->op, parent, submit_step, "job submit");
    op_set_timeout(&s->op, SUBMIT_MS);
}

void ray_job_submit_clear(struct ray_job_submit *s)
{
    ray_call_clear(&s->call);
    rd_err_free(op_take_err(&s->pause.op));
    rd_freep(&s->id);
    rd_freep(&s->entrypoint);
    rd_freep(&s->body);
    rd_json_decrefp(&s->job);
    rd_err_freep(&s->why);
    rd_err_freep(&s->bad);
    rd_err_free(op_take_err(&s->op));
}
