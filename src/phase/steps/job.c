/* Step `job`: our own verification program through Ray's Jobs API. The submission id is that of the run
 * which asked for the job, so a lost reply is answered by a look at that id and a job is never run twice.
 * The id is kept with the intent until the job has been judged: a run that follows one that died looks at
 * the same id, and adopts what it finds there; provided that it would ask the same of the same cluster. */
#include "phase/steps/ray.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "phase/steps/names.h"
#include "phase/steps/values.h"
#include "ray/job.h"
#include "ray/verify.h"

#include <string.h>

enum { ST_BEGIN, ST_LOOKED, ST_RUN, ST_EVENTS };

#define EVENTS_MS 5000
#define CLOCKS_APART_MS 60000

struct job_op {
    struct step_op *s;
    struct ray_dashboard dashboard;
    struct ray_call get;
    struct ray_job_run run;
    struct ray_job_follow follow;
    struct ray_package package;
    struct ray_verify_log log;
    struct k8s_call events; /* of our namespace, when a check failed */
    int64_t began_wall_ms;
    char *id;                /* NULL until `identify` */
    bool running, following, failed_checks;
    int state;
};

static void job_free(void *priv)
{
    struct job_op *x = priv;
    ray_call_clear(&x->get);
    k8s_call_clear(&x->events);
    if (x->running)
        ray_job_run_clear(&x->run);
    if (x->following)
        ray_job_follow_clear(&x->follow);
    ray_package_clear(&x->package);
    ray_verify_log_clear(&x->log);
    ray_dashboard_clear(&x->dashboard);
    free(x->id);
    free(x);
}

/* ---- What the job is told to expect ---- */

static double number(const char *quantity)
{
    int64_t milli;
    return quantity && rd_quantity_parse_milli(quantity, &milli) ? (double)milli / 1000 : 0;
}

/* CPUs that Ray counts for a pod: the operator's rule, the limit (else the request) rounded up, unless
 * rayStartParams says otherwise. */
static double pod_cpus(const json_t *group)
{
    const char *told = rd_json_path_str(group, "rayStartParams.num-cpus");
    if (told)
        return number(told);
    const json_t *ray = json_array_get(rd_json_path(group, "template.spec.containers"), 0);
    const char *cpu = rd_json_str(ray, "resources", "limits", "cpu", NULL);
    if (!cpu)
        cpu = rd_json_str(ray, "resources", "requests", "cpu", NULL);
    double n = number(cpu);
    double whole = (double)(int64_t)n;
    return n > whole ? whole + 1 : whole;
}

static void expect(const struct step_ctx *ctx, struct ray_verify_expect *e)
{
    const struct config *c = ctx->config;
    const json_t *cluster = step_fact(ctx, "ray.cluster");
    e->nodes = 1;
    e->cpus = pod_cpus(rd_json_path(cluster, "spec.headGroupSpec"));
    size_t i;
    const json_t *g;
    json_array_foreach(rd_json_path(cluster, "spec.workerGroupSpecs"), i, g)
    {
        json_int_t n = values_group_int(g, "replicas", 0);
        json_int_t min = values_group_int(g, "minReplicas", 0);
        json_int_t max = values_group_int(g, "maxReplicas", n);
        n = n < min ? min : n > max ? max : n;
        e->nodes += (int)n;
        e->cpus += pod_cpus(g) * (double)n;
        if (c->target == TARGET_GKE && c->gpu_pool.enabled &&
            rd_json_str(json_array_get(rd_json_path(g, "template.spec.containers"), 0), "resources",
                        "limits", "nvidia.com/gpu", NULL) &&
            max > 0) {
            e->gpus = 1;
            e->gpu_autoscale = n == 0;
        }
    }
    e->shared_path = VALUES_MOUNT_PATH;
    if (json_is_true(step_fact(ctx, "volume.one_node")))
        e->shared_skip = "one node: the volume is ReadWriteOnce";
    e->spill = c->target == TARGET_GKE && c->spill.enabled;
    if (!e->spill)
        e->spill_skip = c->target == TARGET_LOCAL ? "no spill target on --target local"
                                                  : "spill.enabled is false";
}

/* ---- Log ---- */

static void on_check(struct ray_verify_log *v, enum ray_check_word word, const char *name,
                     const char *detail)
{
    static const char *const words[] = {"PASS", "FAIL", "SKIP"};
    struct job_op *x = v->ctx;
    RD_AUTOFREE char *line = rd_asprintf("%s %s: %s", words[word], name, detail ? detail : "");
    x->failed_checks = x->failed_checks || word == RAY_CHECK_FAIL;
    struct phase_note n = {.event = NOTE_LOG,
                           .level = word == RAY_CHECK_FAIL ? NOTE_ERROR : NOTE_INFO,
                           .step = x->s->row->core.id,
                           .detail = "check",
                           .message = line};
    x->s->ctx->notes->emit(x->s->ctx->notes, &n);
}

static void on_other(struct ray_verify_log *v, const char *line)
{
    struct job_op *x = v->ctx;
    struct phase_note n = {.event = NOTE_LOG,
                           .level = NOTE_DEBUG,
                           .step = x->s->row->core.id,
                           .message = line};
    x->s->ctx->notes->emit(x->s->ctx->notes, &n);
}

static void on_run_log(struct ray_job_run *r, const char *data, size_t len)
{
    struct job_op *x = r->ctx;
    ray_verify_log_feed(&x->log, data, len);
}

static void on_run_status(struct ray_job_run *r, const char *text)
{
    struct job_op *x = r->ctx;
    step_note(x->s, "job %s: %s", x->id, text);
}

static void on_follow_log(struct ray_job_follow *f, const char *data, size_t len)
{
    struct job_op *x = f->ctx;
    ray_verify_log_feed(&x->log, data, len);
}

/* ---- Why a check failed, where the cluster knows ---- */

static bool is_room(const char *reason)
{
    return rd_streq(reason, "FailedScaleUp") || rd_streq(reason, "NotTriggerScaleUp") ||
           rd_streq(reason, "FailedScheduling");
}

static int64_t seen_ms(const json_t *event)
{
    const char *at = rd_json_str(event, "lastTimestamp", NULL);
    int64_t ms;
    if (!at)
        at = rd_json_str(event, "eventTime", NULL);
    return at && rd_rfc3339_parse(at, &ms) ? ms : 0;
}

/* The newest word about a pod for which there is no room: the job only knows that it waited. What the
 * autoscaler says of the cloud comes before what the scheduler says of the nodes. */
static const json_t *no_room(const json_t *events, int64_t since_ms)
{
    const json_t *best = NULL, *event;
    bool best_scales = false;
    int64_t best_ms = since_ms;
    size_t i;
    json_array_foreach (json_object_get(events, "items"), i, event) {
        const char *reason = rd_json_str(event, "reason", NULL);
        bool scales = rd_streq(reason, "FailedScaleUp");
        int64_t ms = seen_ms(event);
        if (!is_room(reason) || ms < since_ms || !rd_json_str(event, "message", NULL) ||
            !rd_streq(rd_json_str(event, "involvedObject", "kind", NULL), "Pod") ||
            best_scales > scales || (best_scales == scales && ms < best_ms))
            continue;
        best = event;
        best_scales = scales;
        best_ms = ms;
    }
    return best;
}

static void ask_events(struct job_op *x, struct op *op)
{
    const struct step_ctx *ctx = x->s->ctx;
    RD_AUTOFREE char *ns = config_namespace(ctx->config);
    struct http_url u;
    http_url_init(&u, k8s_client_server(ctx->workload));
    http_url_path(&u, "/api/v1/namespaces");
    http_url_seg(&u, ns);
    http_url_seg(&u, "events");
    x->state = ST_EVENTS;
    k8s_call_init(&x->events, ctx->workload, "GET", http_url_str(&u));
    http_url_clear(&u);
    x->events.timeout_ms = EVENTS_MS;
    k8s_call_start(&x->events, op);
}

static void events_read(struct job_op *x)
{
    struct step_op *s = x->s;
    rd_err_free(op_take_err(&x->events.op)); /* it was only to say more */
    const json_t *event = no_room(x->events.result, x->began_wall_ms - CLOCKS_APART_MS);
    if (event)
        rd_str_take(&s->why->message,
                    rd_asprintf("%s; %s of pod %s: %s", s->why->message,
                                rd_json_str(event, "reason", NULL),
                                rd_json_str(event, "involvedObject", "name", NULL),
                                rd_json_str(event, "message", NULL)));
    step_end(s, FOUND_FAILED, "%s", s->why->message);
}

/* ---- Verbs ---- */

static void result(struct job_op *x, struct op *op, enum ray_job_status status, const char *message)
{
    struct step_op *s = x->s;
    s->answered = true;
    ray_verify_log_end(&x->log);
    step_publish(s, "job.result",
                 rd_json_pack("{s:s, s:s, s:i, s:i, s:i}", "id", x->id, "status",
                              ray_job_status_name(status), "pass", (int)x->log.pass, "fail",
                              (int)x->log.fail, "skip", (int)x->log.skip));
    if (status == RAY_JOB_SUCCEEDED && x->log.fail == 0 && x->log.summary) {
        step_end(s, FOUND_READY, "job %s SUCCEEDED: %u PASS, %u SKIP", x->id, x->log.pass,
                 x->log.skip);
        return;
    }
    if (status == RAY_JOB_SUCCEEDED)
        s->why = rd_err_new(RD_ERR_JOB, "job %s ended as SUCCEEDED without its closing line", x->id);
    else
        s->why = rd_err_new(RD_ERR_JOB, "job %s is %s: %u checks passed, %u failed", x->id,
                            ray_job_status_name(status), x->log.pass, x->log.fail);
    s->why->remote = rd_strdup(message);
    rd_err_hint(s->why, "The cluster itself is up. The lines marked FAIL say what is wrong; run the "
                        "check again with: raydeploy test-job");
    rd_err_resource(s->why, "Ray job %s", x->id);
    if (x->failed_checks && s->ctx->workload)
        ask_events(x, op);
    else
        step_end(s, FOUND_FAILED, "%s", s->why->message);
}

static const char *program(const struct step_ctx *ctx, size_t *ret_len)
{
    const char *text = template_text(ctx->templates, "job/verify.py", ret_len);
    RD_ASSERT(text);
    return text;
}

/* What a job is asked to show, as a digest: the program and the cluster as it is wanted. What the autoscaler
 * moves meanwhile, perhaps for this very job, makes no other request of it. */
static void digest(const struct step_ctx *ctx, char ret[RD_SHA256_HEX_LEN + 1])
{
    RD_AUTOJSON json_t *spec = json_deep_copy(rd_json_get(step_fact(ctx, "ray.cluster"), "spec", NULL));
    size_t i, len;
    json_t *g;
    json_array_foreach(json_object_get(spec, "workerGroupSpecs"), i, g)
    {
        json_object_del(g, "replicas");
        json_object_del(g, "scaleStrategy");
    }
    struct ray_verify_expect e = {0};
    expect(ctx, &e);
    RD_AUTOJSON json_t *all =
        rd_json_pack("{s:s, s:O?, s:s?, s:b}", "program", program(ctx, &len), "spec", spec,
                     "shared_skip", e.shared_skip, "spill", (int)e.spill);
    RD_AUTOFREE char *text = rd_json_dump(all);
    rd_sha256_hex(text, strlen(text), ret);
}

/* Which job: the one that was asked for and not judged yet, else one of this run. */
static void identify(struct job_op *x)
{
    struct step_op *s = x->s;
    const json_t *open = rd_json_get(s->ctx->open, s->row->core.id, NULL);
    const char *id = rd_json_str(open, "id", NULL);
    if (s->verb == VERB_LOOK && s->may_start && !s->ctx->dry_run) {
        char request[RD_SHA256_HEX_LEN + 1];
        digest(s->ctx, request);
        const char *uid = rd_json_path_str(step_fact(s->ctx, "ray.cluster"), "metadata.uid");
        bool same = id && rd_streq(rd_json_str(open, "request", NULL), request) &&
                    rd_streq(rd_json_str(open, "cluster", NULL), uid);
        x->id = same ? rd_strdup(id) : rd_asprintf("raydeploy-%s", s->ctx->run_id);
        s->asks = rd_json_pack("{s:s, s:s, s:s*}", "id", x->id, "request", request, "cluster", uid);
    } else {
        x->id = id ? rd_strdup(id) : rd_asprintf("raydeploy-%s", s->ctx->run_id);
    }
}

static void start_run(struct job_op *x, struct op *op)
{
    struct step_op *s = x->s;
    struct rd_err *err = NULL;
    struct ray_verify_expect e = {0};
    size_t len;
    const char *text = program(s->ctx, &len);
    expect(s->ctx, &e);
    if (!ray_verify_package(text, len, &e, &x->package, &err)) {
        step_end_error(s, err);
        return;
    }
    x->state = ST_RUN;
    x->running = true;
    ray_job_run_init(&x->run, &x->dashboard);
    x->run.spec.submission_id = x->id;
    x->run.spec.entrypoint = ray_verify_entrypoint;
    x->run.package = &x->package;
    x->run.on_log = on_run_log;
    x->run.on_status = on_run_status;
    x->run.ctx = x;
    ray_job_run_start(&x->run, op);
}

static void start_follow(struct job_op *x, struct op *op)
{
    x->state = ST_RUN;
    x->following = true;
    ray_job_follow_init(&x->follow, &x->dashboard, x->id);
    x->follow.on_log = on_follow_log;
    x->follow.ctx = x;
    ray_job_follow_start(&x->follow, op);
}

static void looked(struct job_op *x)
{
    struct step_op *s = x->s;
    struct rd_err *err = op_take_err(&x->get.op);
    if (err) {
        step_end_error(s, err);
        return;
    }
    enum ray_job_status st = ray_job_status_parse(rd_json_str(x->get.result, "status", NULL));
    s->verdict.ours = true;
    if (!x->get.result)
        step_end(s, FOUND_ABSENT, "not submitted yet");
    else
        step_end(s, FOUND_PENDING, "job %s is %s", x->id, ray_job_status_name(st));
}

static void job_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct job_op *x = s->priv;
    if (op->cancelled) {
        s->answered = false; /* nobody was told */
        op_finish(op, NULL);
        return;
    }
    switch (x->state) {
    case ST_BEGIN:
        identify(x);
        ray_dashboard_start(&x->dashboard, op);
        if (s->verb == VERB_LOOK) {
            x->state = ST_LOOKED;
            ray_job_get_init(&x->get, &x->dashboard, x->id);
            x->get.not_found_ok = true;
            ray_call_start(&x->get, op);
        } else if (s->verb == VERB_START) {
            start_run(x, op);
        } else {
            start_follow(x, op);
        }
        return;
    case ST_LOOKED:
        if (op_ended(&x->get.op))
            looked(x);
        return;
    case ST_RUN: {
        struct op *child = x->running ? &x->run.op : &x->follow.op;
        if (!op_ended(child))
            return;
        struct rd_err *err = op_take_err(child);
        enum ray_job_status st = x->running ? x->run.status : x->follow.status;
        if (ray_job_status_terminal(st)) {
            rd_err_free(err);
            const char *message = x->running ? x->run.message
                                             : rd_json_str(x->follow.job, "message", NULL);
            result(x, op, st, message);
            return;
        }
        step_end_error(s, err ? err : rd_err_new(RD_ERR_TRANSIENT, "job %s has no result", x->id));
        return;
    }
    case ST_EVENTS:
        if (op_ended(&x->events.op))
            events_read(x);
        return;
    }
}

static void job_begin(struct step_op *s, struct op *parent)
{
    struct job_op *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->began_wall_ms = rd_wall_ms();
    ray_open_dashboard(s->ctx, &x->dashboard);
    ray_verify_log_init(&x->log);
    x->log.on_check = on_check;
    x->log.on_other = on_other;
    x->log.ctx = x;
    s->priv = x;
    s->free_priv = job_free;
    op_start(&s->op, parent, job_step, "job");
}

static void nothing_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    if (op->cancelled)
        op_finish(op, NULL);
    else
        step_end(s, FOUND_ABSENT, "a job leaves nothing behind");
}

void job_look(struct step_op *s, struct op *parent)
{
    if (step_without_cluster(s, parent))
        return;
    if (s->ctx->going_down)
        op_start(&s->op, parent, nothing_step, "job");
    else
        job_begin(s, parent);
}

void job_start(struct step_op *s, struct op *parent)
{
    job_begin(s, parent);
}

void job_watch(struct step_op *s, struct op *parent)
{
    job_begin(s, parent);
}
