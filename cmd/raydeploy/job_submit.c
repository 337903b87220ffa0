/* job submit: everything is read and packed before the first byte is sent. */
#include "job.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "ray/runtime_env.h"
#include "ray/working_dir.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SUBMIT_BEGIN, SUBMIT_UPLOAD, SUBMIT_SEND, SUBMIT_FOLLOW };

struct submit {
    struct job_verb j; /* first */
    struct ray_job_spec spec;
    json_t *env, *metadata, *resources, *labels;
    char *id, *entrypoint;
    struct ray_package package;
    struct ray_upload upload;
    struct ray_job_submit send;
    bool packed, uploading, sending;
};

/* ---- Reading ---- */

static json_t *read_json_flag(struct verb_ctx *v, const char *flag, struct rd_err **reterr)
{
    const char *text = verb_flag_text(v, flag);
    RD_AUTOFREE char *what = rd_asprintf("--%s", flag);
    json_t *tree = rd_json_parse_own(text, strlen(text), what, reterr);
    if (tree && !json_is_object(tree)) {
        json_decref(tree);
        rd_fail(reterr, RD_ERR_INPUT, "%s is not a JSON object", what);
        return NULL;
    }
    return tree;
}

/* Of a flag whose values must all be texts (or numbers). */
static bool read_map(struct verb_ctx *v, const char *flag, bool numbers, json_t **ret,
                     struct rd_err **reterr)
{
    const char *name;
    json_t *value;
    if (!verb_flag_text(v, flag))
        return true;
    *ret = read_json_flag(v, flag, reterr);
    if (!*ret)
        return false;
    json_object_foreach (*ret, name, value)
        if (numbers ? !json_is_number(value) : !json_is_string(value))
            return rd_fail(reterr, RD_ERR_INPUT, "--%s: %s is not a %s", flag, name,
                           numbers ? "number" : "text");
    return true;
}

static bool read_number(struct verb_ctx *v, const char *flag, double max, double *ret,
                        struct rd_err **reterr)
{
    const char *text = verb_flag_text(v, flag);
    char *end = NULL;
    if (!text)
        return true;
    *ret = strtod(text, &end);
    if (end == text || *end || !isfinite(*ret) || *ret < 0 || *ret > max)
        return rd_fail(reterr, RD_ERR_INPUT, "--%s \"%.100s\" is not a number from 0 on", flag,
                       text);
    return true;
}

static bool read_env(struct submit *s, struct rd_err **reterr)
{
    struct verb_ctx *v = s->j.v;
    const char *file = verb_flag_text(v, "runtime-env");
    const char *what = file ? file : "--runtime-env-json";
    struct rd_strv unknown = {NULL, 0};
    RD_AUTOJSON json_t *lines = NULL;
    if (file && verb_flag_text(v, "runtime-env-json"))
        return rd_fail(reterr, RD_ERR_INPUT,
                       "--runtime-env and --runtime-env-json cannot be used together");
    if (file)
        s->env = ray_runtime_env_read(file, &lines, reterr);
    else if (verb_flag_text(v, "runtime-env-json"))
        s->env = read_json_flag(v, "runtime-env-json", reterr);
    else
        s->env = json_object();
    bool ok = s->env && ray_runtime_env_check(s->env, what, lines, &unknown, reterr);
    for (size_t i = 0; ok && i < unknown.len; i++)
        verb_say(v, NOTE_WARN, "%s: Ray's own client knows no field %s", what, unknown.v[i]);
    rd_strv_clear(&unknown);
    const char *dir = verb_flag_text(v, "working-dir");
    if (ok && dir && *dir) {
        if (json_object_get(s->env, "working_dir"))
            verb_say(v, NOTE_WARN, "--working-dir stands over the working_dir of %s", what);
        json_object_set_new(s->env, "working_dir", json_string(dir));
    }
    return ok;
}

static bool pack(struct submit *s, struct rd_err **reterr)
{
    const char *dir = rd_json_str(s->env, "working_dir", NULL);
    struct stat st;
    if (!dir || ray_is_package_uri(dir))
        return true;
    if (stat(dir, &st) != 0)
        return rd_fail(reterr, RD_ERR_INPUT, "working directory %s: %s", dir, strerror(errno));
    s->packed = true;
    if (S_ISREG(st.st_mode))
        return ray_working_dir_zip(dir, &s->package, reterr);
    struct rd_strv excludes = {NULL, 0};
    ray_default_excludes(&excludes, getenv("RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES"));
    size_t i;
    const json_t *e;
    json_array_foreach (json_object_get(s->env, "excludes"), i, e)
        rd_strv_add(&excludes, json_string_value(e));
    struct ray_working_dir w = {
        .dir = dir,
        .excludes = &excludes,
        .no_gitignore = rd_streq(getenv("RAY_RUNTIME_ENV_IGNORE_GITIGNORE"), "1"),
    };
    bool ok = ray_working_dir_pack(&w, &s->package, reterr);
    rd_strv_clear(&excludes);
    return ok;
}

/* As Ray's own, so that people know it for what it is: no letters that look like others. */
static char *new_id(void)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ123456789";
    struct rd_buf b = RD_BUF_INIT(64);
    rd_buf_puts(&b, "raysubmit_");
    for (int i = 0; i < 16; i++)
        rd_buf_putc(&b, letters[rd_random_u64() % (sizeof(letters) - 1)]);
    return rd_buf_take(&b, NULL);
}

static bool read_all(struct submit *s, struct rd_err **reterr)
{
    struct verb_ctx *v = s->j.v;
    const struct rd_strv *words = &v->config.rest;
    const char *id = verb_flag_text(v, "submission-id");
    double memory = 0;
    if (words->len < 2) {
        rd_fail(reterr, RD_ERR_INPUT, "no command is given");
        rd_err_hint(*reterr, "Put it behind two dashes: raydeploy job submit -- python main.py");
        return false;
    }
    for (size_t i = 1; i < words->len; i++)
        if (!rd_utf8_valid(words->v[i], strlen(words->v[i])))
            return rd_fail(reterr, RD_ERR_INPUT, "the command is not UTF-8");
    if (!read_env(s, reterr) || !read_map(v, "metadata-json", false, &s->metadata, reterr) ||
        !read_map(v, "entrypoint-resources", true, &s->resources, reterr) ||
        !read_map(v, "entrypoint-label-selector", false, &s->labels, reterr) ||
        !read_number(v, "entrypoint-num-cpus", 1e6, &s->spec.num_cpus, reterr) ||
        !read_number(v, "entrypoint-num-gpus", 1e6, &s->spec.num_gpus, reterr) ||
        !read_number(v, "entrypoint-memory", 1e15, &memory, reterr))
        return false;
    s->entrypoint = job_shell_join(words->v + 1, words->len - 1);
    s->id = id ? rd_strdup(id) : new_id();
    s->spec.submission_id = s->id;
    s->spec.entrypoint = s->entrypoint;
    s->spec.runtime_env = s->env;
    s->spec.metadata = s->metadata;
    s->spec.resources = s->resources;
    s->spec.labels = s->labels;
    s->spec.memory_bytes = (json_int_t)memory;
    s->j.id = s->id;
    return ray_job_spec_check(&s->spec, reterr) && pack(s, reterr);
}

/* ---- Sending ---- */

static bool check_version(struct submit *s, struct rd_err **reterr)
{
    const struct ray_way *w = &s->j.way;
    bool takes = s->spec.num_cpus > 0 || s->spec.num_gpus > 0 || s->spec.resources;
    return (!takes || ray_way_needs(w, 2, 2, "--entrypoint-num-cpus and the like", reterr)) &&
           (s->spec.memory_bytes == 0 || ray_way_needs(w, 2, 8, "--entrypoint-memory", reterr)) &&
           (!s->spec.labels || ray_way_needs(w, 2, 49, "--entrypoint-label-selector", reterr));
}

static void send_job(struct submit *s)
{
    s->j.state = SUBMIT_SEND;
    s->sending = true;
    ray_job_submit_start(&s->send, &s->j.op, &s->j.way.dash, &s->spec);
}

static bool follows(const struct verb_ctx *v)
{
    return verb_flag(v, "follow") || verb_flag(v, "exit-code-from-job");
}

static json_t *result_json(const struct submit *s, const json_t *job)
{
    json_t *o = job ? job_json(job) : json_object();
    json_object_set_new(o, "submission_id", json_string(s->id));
    json_object_set_new(o, "entrypoint", json_string(s->entrypoint));
    json_object_set_new(o, "adopted", json_boolean(s->send.adopted));
    json_object_set_new(o, "ray_version", json_string(s->j.way.ray_version));
    if (s->packed) {
        RD_AUTOFREE char *uri = ray_package_uri(&s->package);
        json_object_set_new(o, "package",
                            rd_json_pack("{s:s, s:I, s:I, s:b}", "uri", uri, "files",
                                         (json_int_t)s->package.files, "bytes",
                                         (json_int_t)s->package.zip.len, "uploaded",
                                         !s->upload.present));
    } else {
        json_object_set_new(o, "package", json_null());
    }
    return o;
}

static void sent(struct submit *s)
{
    struct verb_ctx *v = s->j.v;
    RD_AUTOFREE char *flags = ray_way_flags(&s->j.way);
    if (s->send.adopted)
        verb_say(v, NOTE_INFO, "job %s was there already with the same command, and is taken as it is",
                 s->id);
    else
        verb_say(v, NOTE_INFO, "job %s submitted", s->id);
    if (follows(v)) {
        s->j.state = SUBMIT_FOLLOW;
        job_follow(&s->j, false);
        return;
    }
    if (v->config.json_output) {
        RD_AUTOJSON json_t *o = result_json(s, NULL);
        verb_print_json(v, o);
    } else {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(1024);
        rd_buf_printf(&text, "%s\n", s->id);
        verb_print(v, &text);
    }
    rd_str_take(&v->result, rd_asprintf("its log: raydeploy job logs -f %s%s", s->id, flags));
    op_finish(&s->j.op, NULL);
}

static void followed(struct submit *s)
{
    struct verb_ctx *v = s->j.v;
    struct rd_err *err = op_take_err(&s->j.follow.op);
    if (!err) {
        job_log_end(&s->j.log);
        if (s->j.follow.log_problem)
            verb_say(v, NOTE_WARN, "the log is incomplete: %s", s->j.follow.log_problem->message);
        err = job_judge(&s->j, s->j.follow.job);
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = result_json(s, s->j.follow.job);
            json_object_set_new(o, "log_bytes", json_integer((json_int_t)s->j.log.bytes));
            verb_print_json_of(v, o, err);
        }
        if (!err)
            rd_str_take(&v->result, rd_asprintf("job %s SUCCEEDED", s->id));
    }
    op_finish(&s->j.op, err);
}

static void submit_step(struct job_verb *j)
{
    struct submit *s = container_of(j, struct submit, j);
    struct rd_err *err = NULL;
    switch (j->state) {
    case SUBMIT_BEGIN:
        if (!check_version(s, &err)) {
            op_finish(&j->op, err);
        } else if (s->packed) {
            j->state = SUBMIT_UPLOAD;
            s->uploading = true;
            ray_upload_start(&s->upload, &j->op, &j->way.dash, &s->package);
        } else {
            send_job(s);
        }
        return;
    case SUBMIT_UPLOAD:
        if (!op_ended(&s->upload.op))
            return;
        err = op_take_err(&s->upload.op);
        if (err) {
            op_finish(&j->op, err);
            return;
        }
        verb_say(j->v, NOTE_INFO, "package %s (%.1f MiB) %s", s->package.name,
                 (double)s->package.zip.len / (1 << 20),
                 s->upload.present ? "is there already" : "uploaded");
        char *uri = ray_package_uri(&s->package);
        json_object_set_new(s->env, "working_dir", json_string(uri));
        free(uri);
        send_job(s);
        return;
    case SUBMIT_SEND:
        if (!op_ended(&s->send.op))
            return;
        err = op_take_err(&s->send.op);
        if (err)
            op_finish(&j->op, err);
        else
            sent(s);
        return;
    case SUBMIT_FOLLOW:
        if (op_ended(&j->follow.op))
            followed(s);
        return;
    }
    RD_UNREACHABLE();
}

/* A stop of ours does not stop the job. */
static void say_stopped(const struct submit *s)
{
    RD_AUTOFREE char *flags = ray_way_flags(&s->j.way);
    rd_str_take(&s->j.v->result,
                s->sending && op_ended(&s->send.op)
                    ? rd_asprintf("interrupted; job %s goes on. Its log: raydeploy job logs -f %s%s; "
                                  "to stop it: raydeploy job stop %s%s",
                                  s->id, s->id, flags, s->id, flags)
                    : rd_asprintf("interrupted; to be sure that job %s is submitted once, run the same "
                                  "command with --submission-id %s",
                                  s->id, s->id));
}

static void submit_clear(struct submit *s)
{
    if (s->uploading)
        ray_upload_clear(&s->upload);
    if (s->sending)
        ray_job_submit_clear(&s->send);
    ray_package_clear(&s->package);
    json_decref(s->env);
    json_decref(s->metadata);
    json_decref(s->resources);
    json_decref(s->labels);
    free(s->id);
    free(s->entrypoint);
}

int job_submit(struct verb_ctx *v)
{
    struct submit s = {0};
    struct rd_err *err = NULL;
    int code;
    bool opened = job_open(&s.j, v, &err);
    s.j.step = submit_step;
    if (opened && read_all(&s, &err)) {
        code = job_exit_code(&s.j, job_run(&s.j));
        if (code > 128 && v->result && !v->failure)
            say_stopped(&s);
    } else {
        code = verb_fail(v, err);
    }
    submit_clear(&s);
    job_close(&s.j);
    return code;
}
