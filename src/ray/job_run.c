/* Package, submit, follow, result. */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "ray/job.h"

enum run_state { RUN_BEGIN, RUN_UPLOAD, RUN_SUBMIT, RUN_FOLLOW };

void ray_job_run_init(struct ray_job_run *r, struct ray_dashboard *d)
{
    *r = (struct ray_job_run){.dash = d, .driver_exit_code = -1};
}

void ray_job_run_clear(struct ray_job_run *r)
{
    if (r->uploading)
        ray_upload_clear(&r->upload);
    if (r->submitting)
        ray_job_submit_clear(&r->submit);
    if (r->following)
        ray_job_follow_clear(&r->follow);
    rd_json_decrefp(&r->env);
    rd_json_decrefp(&r->job);
    rd_freep(&r->message);
    rd_err_free(op_take_err(&r->op));
}

static void run_tell(struct ray_job_run *r, const char *text)
{
    if (r->on_status)
        r->on_status(r, text);
}

static void on_log(struct ray_job_follow *f, const char *data, size_t len)
{
    struct ray_job_run *r = f->ctx;
    if (r->on_log)
        r->on_log(r, data, len);
}

static void on_status(struct ray_job_follow *f, enum ray_job_status status, const char *message)
{
    struct ray_job_run *r = f->ctx;
    RD_AUTOFREE char *text = message && *message && !ray_job_status_terminal(status)
                                 ? rd_asprintf("%s: %s", ray_job_status_name(status), message)
                                 : rd_strdup(ray_job_status_name(status));
    run_tell(r, text);
}

static void run_submit(struct ray_job_run *r)
{
    r->sent = r->spec;
    if (r->package) {
        r->env = r->spec.runtime_env ? json_copy((json_t *)r->spec.runtime_env) : json_object();
        char *uri = ray_package_uri(r->package);
        json_object_set_new(r->env, "working_dir", json_string(uri));
        free(uri);
        r->sent.runtime_env = r->env;
    }
    r->state = RUN_SUBMIT;
    r->submitting = true;
    run_tell(r, "submitting");
    ray_job_submit_start(&r->submit, &r->op, r->dash, &r->sent);
}

static void run_follow(struct ray_job_run *r)
{
    r->adopted = r->submit.adopted;
    r->state = RUN_FOLLOW;
    r->following = true;
    ray_job_follow_init(&r->follow, r->dash, r->spec.submission_id);
    r->follow.on_log = on_log;
    r->follow.on_status = on_status;
    r->follow.ctx = r;
    ray_job_follow_start(&r->follow, &r->op);
}

static void run_result(struct ray_job_run *r)
{
    struct rd_err *err = op_take_err(&r->follow.op);
    r->status = r->follow.status;
    r->job = json_incref(r->follow.job);
    rd_str_dup(&r->message, rd_json_str(r->job, "message", NULL));
    r->driver_exit_code = (int)rd_json_path_int(r->job, "driver_exit_code", -1);
    if (!err && r->follow.log_problem) {
        RD_AUTOFREE char *text =
            rd_asprintf("the log is incomplete: %s", r->follow.log_problem->message);
        run_tell(r, text);
    }
    if (!err && r->status != RAY_JOB_SUCCEEDED) {
        err = rd_err_new(RD_ERR_JOB, "job %s is %s%s%s", r->spec.submission_id,
                         ray_job_status_name(r->status), r->message ? ": " : "",
                         r->message ? r->message : "");
        rd_str_dup(&err->reason, rd_json_str(r->job, "error_type", NULL));
        rd_err_resource(err, "Ray job %s", r->spec.submission_id);
    }
    op_finish(&r->op, err);
}

static void run_step(struct op *op)
{
    struct ray_job_run *r = container_of(op, struct ray_job_run, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        if (r->following)
            r->status = r->follow.status;
        op_finish(op, NULL);
        return;
    }
    switch ((enum run_state)r->state) {
    case RUN_BEGIN:
        if (!r->package) {
            run_submit(r);
            return;
        }
        r->state = RUN_UPLOAD;
        r->uploading = true;
        run_tell(r, "uploading");
        ray_upload_start(&r->upload, op, r->dash, r->package);
        return;
    case RUN_UPLOAD:
        if (!op_ended(&r->upload.op))
            return;
        err = op_take_err(&r->upload.op);
        if (err)
            op_finish(op, err);
        else
            run_submit(r);
        return;
    case RUN_SUBMIT:
        if (!op_ended(&r->submit.op))
            return;
        err = op_take_err(&r->submit.op);
        if (err)
            op_finish(op, err);
        else
            run_follow(r);
        return;
    case RUN_FOLLOW:
        if (op_ended(&r->follow.op))
            run_result(r);
        return;
    }
    RD_UNREACHABLE();
}

void ray_job_run_start(struct ray_job_run *r, struct op *parent)
{
    op_start(&r->op, parent, run_step, "job");
}
