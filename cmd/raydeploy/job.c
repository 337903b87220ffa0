/* job submit|list|status|logs|stop|delete: Ray's Jobs API. */
#include "job.h"

#include "base/alloc.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Life ---- */

bool job_open(struct job_verb *j, struct verb_ctx *v, struct rd_err **reterr)
{
    *j = (struct job_verb){.v = v, .driver_exit_code = -1};
    job_log_init(&j->log, v);
    return ray_way_open(&j->way, v, reterr);
}

void job_close(struct job_verb *j)
{
    ray_call_clear(&j->call);
    if (j->following)
        ray_job_follow_clear(&j->follow);
    rd_err_free(op_take_err(&j->pause.op));
    ray_way_clear(&j->way);
    job_log_clear(&j->log);
}

static void verb_step(struct op *op)
{
    struct job_verb *j = container_of(op, struct job_verb, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!j->way_found) {
        if (!op_ended(&j->way.op))
            return;
        struct rd_err *err = op_take_err(&j->way.op);
        if (err) {
            op_finish(op, err);
            return;
        }
        j->way_found = true;
    }
    if (j->log.closed)
        op_finish(op, NULL); /* nobody reads: the job goes on without us */
    else
        j->step(j);
}

static void begin(struct op *parent, void *ctx)
{
    struct job_verb *j = ctx;
    op_start(&j->op, parent, verb_step, "job");
    ray_way_start(&j->way, &j->op);
}

int job_run(struct job_verb *j)
{
    return verb_run_op(j->v, &j->op, begin, j);
}

/* ---- Following ---- */

static void on_log(struct ray_job_follow *f, const char *data, size_t len)
{
    struct job_verb *j = f->ctx;
    job_log_write(&j->log, data, len);
    if (j->log.closed)
        op_wake(&j->op);
}

static void on_status(struct ray_job_follow *f, enum ray_job_status status, const char *message)
{
    struct job_verb *j = f->ctx;
    j->status = status;
    if (status == RAY_JOB_PENDING && message && *message && !f->once)
        verb_say(j->v, NOTE_INFO, "job %s is PENDING: %s", f->id, message);
    else if (!ray_job_status_terminal(status) && !f->once)
        verb_say(j->v, NOTE_INFO, "job %s is %s", f->id, ray_job_status_name(status));
}

void job_follow(struct job_verb *j, bool once)
{
    j->following = true;
    ray_job_follow_init(&j->follow, &j->way.dash, j->id);
    j->follow.once = once;
    j->follow.on_log = on_log;
    j->follow.on_status = on_status;
    j->follow.ctx = j;
    ray_job_follow_start(&j->follow, &j->op);
}

/* Ray puts the end of the log into its message, which was shown or can be. Owned. */
static char *first_words(const char *message)
{
    static const char announced[] = ", last available logs";
    const char *text = message ? message : "";
    char *line = rd_strndup(text, strcspn(text, "\r\n"));
    char *tail = strstr(line, announced);
    if (tail)
        *tail = '\0';
    return line;
}

struct rd_err *job_judge(struct job_verb *j, const json_t *job)
{
    const char *message = rd_json_str(job, "message", NULL);
    j->status = ray_job_status_parse(rd_json_str(job, "status", NULL));
    j->driver_exit_code = (int)rd_json_path_int(job, "driver_exit_code", -1);
    if (j->driver_exit_code < -1) /* ended by a signal; as a shell counts it */
        j->driver_exit_code = 128 - j->driver_exit_code;
    if (j->status == RAY_JOB_SUCCEEDED)
        return NULL;
    RD_AUTOFREE char *words = first_words(message);
    struct rd_err *err = rd_err_new(RD_ERR_JOB, "job %s is %s%s%s", j->id,
                                    ray_job_status_name(j->status), *words ? ": " : "", words);
    RD_AUTOFREE char *flags = ray_way_flags(&j->way);
    rd_str_dup(&err->reason, rd_json_str(job, "error_type", NULL));
    rd_err_resource(err, "Ray job %s", j->id);
    rd_err_hint(err, "The cluster itself is fine. The job's log: raydeploy job logs %s%s", j->id,
                flags);
    return err;
}

int job_exit_code(const struct job_verb *j, int code)
{
    bool failed = code == rd_err_exit_code(RD_ERR_JOB);
    bool known = j->driver_exit_code > 0 && j->driver_exit_code < 256;
    return verb_flag(j->v, "exit-code-from-job") && failed && known ? j->driver_exit_code : code;
}

/* ---- Shapes ---- */

static void set_time(json_t *o, const char *key, const json_t *job)
{
    json_int_t ms = rd_json_path_int(job, key, 0);
    char text[32];
    if (ms > 0)
        rd_rfc3339_ms(ms, text);
    json_object_set_new(o, key, ms > 0 ? json_string(text) : json_null());
}

json_t *job_json(const json_t *job)
{
    static const char *const texts[] = {"submission_id", "job_id",     "type",    "status",
                                        "entrypoint",    "error_type", "message", NULL};
    json_t *o = json_object();
    for (size_t i = 0; texts[i]; i++) {
        json_t *text = json_object_get(job, texts[i]);
        json_object_set_new(o, texts[i], json_is_string(text) ? json_incref(text) : json_null());
    }
    set_time(o, "start_time", job);
    set_time(o, "end_time", job);
    json_t *code = json_object_get(job, "driver_exit_code");
    json_object_set_new(o, "driver_exit_code",
                        json_is_integer(code) ? json_incref(code) : json_null());
    json_t *metadata = json_object_get(job, "metadata");
    json_object_set_new(o, "metadata",
                        json_is_object(metadata) ? json_incref(metadata) : json_object());
    return o;
}

char *job_shell_join(char *const *words, size_t count)
{
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < count; i++) {
        bool plain = *words[i] != '\0';
        for (const char *p = words[i]; *p && plain; p++)
            plain = isalnum((unsigned char)*p) || strchr("_@%+=:,./-", *p);
        if (i)
            rd_buf_putc(&b, ' ');
        if (!plain)
            rd_buf_putc(&b, '\'');
        for (const char *p = words[i]; *p; p++) {
            if (*p == '\'')
                rd_buf_puts(&b, "'\"'\"'");
            else
                rd_buf_putc(&b, *p);
        }
        if (!plain)
            rd_buf_putc(&b, '\'');
    }
    return rd_buf_take(&b, NULL);
}

/* ---- The verb ---- */

static const struct config_verb_flag flags[] = {
    RAY_WAY_FLAG,
    {"working-dir", NULL, "DIR", false, "submit: a folder that the job runs in, a zip, or its URI"},
    {"runtime-env", NULL, "FILE", false, "submit: the runtime environment, YAML or JSON"},
    {"runtime-env-json", NULL, "JSON", false, "submit: the same as a value"},
    {"submission-id", NULL, "ID", false, "submit: the job's id; chosen when not given"},
    {"metadata-json", NULL, "JSON", false, "submit: texts to keep with the job"},
    {"entrypoint-num-cpus", NULL, "N", false, "submit: CPUs that the command itself takes"},
    {"entrypoint-num-gpus", NULL, "N", false, "submit: GPUs that the command itself takes"},
    {"entrypoint-memory", NULL, "BYTES", false, "submit: memory that the command itself takes"},
    {"entrypoint-resources", NULL, "JSON", false, "submit: further resources of the command"},
    {"entrypoint-label-selector", NULL, "JSON", false, "submit: labels of the command's node"},
    {"follow", "f", NULL, false, "submit, logs: show the log until the job ends"},
    {"exit-code-from-job", NULL, NULL, false,
     "submit, logs: follow, and end with the job's own exit code"},
    {"no-wait", NULL, NULL, false, "stop: do not wait until the job has ended"},
    {NULL, NULL, NULL, false, NULL},
};

static const struct {
    const char *word, *flags; /* the flags beside --address that it takes */
    int (*run)(struct verb_ctx *v);
    bool id, words; /* an id behind it; any number of words */
} parts[] = {
    {"submit",
     " working-dir runtime-env runtime-env-json submission-id metadata-json entrypoint-num-cpus "
     "entrypoint-num-gpus entrypoint-memory entrypoint-resources entrypoint-label-selector follow "
     "exit-code-from-job ",
     job_submit, false, true},
    {"list", " ", job_list, false, false},
    {"status", " ", job_status, true, false},
    {"logs", " follow exit-code-from-job ", job_logs, true, false},
    {"stop", " no-wait ", job_stop, true, false},
    {"delete", " ", job_delete, true, false},
};

static bool check_flags(struct verb_ctx *v, size_t part)
{
    const char *name;
    json_t *value;
    json_object_foreach (v->config.verb_flags, name, value) {
        RD_AUTOFREE char *padded = rd_asprintf(" %s ", name);
        if (rd_streq(name, "address") || strstr(parts[part].flags, padded))
            continue;
        verb_refuse(v, "`job %s` takes no --%s", parts[part].word, name);
        return false;
    }
    return true;
}

static int run(struct verb_ctx *v)
{
    const struct rd_strv *words = &v->config.rest;
    if (words->len == 0)
        return verb_refuse(v, "expected submit, list, status, logs, stop or delete");
    for (size_t i = 0; i < RD_ARRAY_LEN(parts); i++) {
        if (!rd_streq(words->v[0], parts[i].word))
            continue;
        if (!check_flags(v, i))
            return rd_err_exit_code(RD_ERR_INPUT);
        if (parts[i].id && words->len != 2)
            return verb_refuse(v, "`job %s` needs the id of a job", parts[i].word);
        if (!parts[i].id && !parts[i].words && words->len != 1)
            return verb_refuse(v, "`job %s` takes no argument", parts[i].word);
        return parts[i].run(v);
    }
    return verb_refuse(v, "\"%.200s\" is not submit, list, status, logs, stop or delete",
                       words->v[0]);
}

const struct verb verb_job = {
    .name = "job",
    .args = "submit -- COMMAND...|list|status ID|logs ID|stop ID|delete ID",
    .summary = "submit and look after Ray jobs",
    .help =
        "submit prints the id of the job; with --follow the log is on standard output, and FAILED or\n"
        "STOPPED exits 8. The working directory is uploaded once for each content, without what\n"
        ".gitignore, .rayignore and the runtime environment's excludes name.",
    .flags = flags,
    .takes_words = true,
    .run = run,
};
