#include "phase/steps/ray.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "k8s/watch.h"
#include "phase/steps/image.h"
#include "phase/steps/names.h"
#include "phase/steps/ray_ready.h"
#include "phase/steps/set.h"
#include "phase/steps/values.h"

/* Two ready readings this far apart: enough when every pod has been Ready for 10 s, else longer. */
enum { AGAIN_SETTLED_MS = 500, AGAIN_FRESH_MS = 3000, DASHBOARD_RETRY_MS = 1000 };

static json_t *amend(struct step_op *s, const json_t *wanted, const json_t *live)
{
    (void)s;
    return live ? ray_keep_scale(wanted, live) : NULL;
}

static bool may_force(struct step_op *s, const json_t *live, const json_t *conflicts)
{
    (void)s;
    (void)live;
    return ray_conflict_is_scaling(conflicts);
}

static const struct set_options cluster_set = {
    .render = ray_render, .amend = amend, .may_force = may_force, .skip_judge = true};

/* START: the images first, then the object. */
struct ray_start_op {
    struct image_look images;
    bool asked;
};

static void start_free(void *priv)
{
    struct ray_start_op *x = priv;
    image_look_clear(&x->images);
    free(x);
}

static void start_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct ray_start_op *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
    } else if (!x->asked) {
        x->asked = true;
        image_look_start(&x->images, op, s->ctx);
    } else if ((err = op_take_err(&x->images.op))) {
        step_end_error(s, err);
    } else {
        s->priv = NULL;
        s->free_priv = NULL;
        start_free(x);
        set_start(s, NULL, &cluster_set);
    }
}

void ray_start(struct step_op *s, struct op *parent)
{
    s->priv = rd_calloc(1, sizeof(struct ray_start_op));
    s->free_priv = start_free;
    op_start(&s->op, parent, start_step, "start");
}

void ray_undo(struct step_op *s, struct op *parent)
{
    set_undo(s, parent, &cluster_set);
}

/* ---- Reading readiness: three watches, the dashboard, a second reading ---- */

struct ready_op {
    struct step_op *s;
    bool once;               /* LOOK: answer now, do not wait */
    struct k8s_watch cluster_watch, pod_watch, event_watch;
    unsigned synced;
    json_t *cluster, *pods, *events;
    json_t *ended;           /* uid -> true: pods whose Ray container ended while we watch */
    struct ray_dashboard dashboard;
    struct ray_call version;
    bool dashboard_open, asking, answered;
    struct op_timer pause, grace;
    uint64_t begun_ms, ready_since_ms, complaint_since_ms;
    int64_t since_wall_ms;
    char *complaint;
    bool begun, ending;
    enum phase_finding found;
};

static void ready_free(void *priv)
{
    struct ready_op *x = priv;
    rd_err_freep(&x->pause.op.err);
    rd_err_freep(&x->grace.op.err);
    k8s_watch_clear(&x->cluster_watch);
    k8s_watch_clear(&x->pod_watch);
    k8s_watch_clear(&x->event_watch);
    if (x->dashboard_open) {
        ray_call_clear(&x->version);
        ray_dashboard_clear(&x->dashboard);
    }
    json_decref(x->cluster);
    json_decref(x->pods);
    json_decref(x->events);
    json_decref(x->ended);
    /* A timer that was cancelled has said so. */
    rd_err_free(op_take_err(&x->pause.op));
    rd_err_free(op_take_err(&x->grace.op));
    free(x->complaint);
    free(x);
}

static void keep(json_t *map, enum k8s_event e, const json_t *object)
{
    RD_AUTOFREE char *title = manifest_object_title(object);
    if (e == K8S_DELETED)
        json_object_del(map, title);
    else
        json_object_set(map, title, (json_t *)object);
}

static void on_event(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct ready_op *x = w->ctx;
    unsigned bit = w == &x->cluster_watch ? 1 : w == &x->pod_watch ? 2 : 4;
    if (e == K8S_SYNCED) {
        x->synced |= bit;
    } else if (bit == 1) {
        json_decref(x->cluster);
        x->cluster = e == K8S_DELETED ? NULL : json_incref((json_t *)object);
    } else {
        keep(bit == 2 ? x->pods : x->events, e, object);
        const char *uid = rd_json_path_str(object, "metadata.uid");
        if (bit == 2 && uid && e != K8S_DELETED && ray_pod_ended(object))
            json_object_set_new(x->ended, uid, json_true());
    }
    op_wake(&x->s->op);
}

static void watch(struct ready_op *x, struct k8s_watch *w, const char *api, const char *kind,
                  const char *ns, const char *labels, const char *fields)
{
    const struct k8s_resource *r = k8s_resource_find(x->s->ctx->workload, api, kind);
    RD_ASSERT(r); /* all three are in the compiled-in table */
    k8s_watch_init(w, x->s->ctx->workload, r, ns);
    rd_str_dup(&w->label_selector, labels);
    rd_str_dup(&w->field_selector, fields);
    w->on_event = on_event;
    w->ctx = x;
    k8s_watch_start(w, &x->s->op);
}

static void begin(struct ready_op *x)
{
    const struct config *c = x->s->ctx->config;
    RD_AUTOFREE char *ns = config_namespace(c);
    RD_AUTOFREE char *by_name = rd_asprintf("metadata.name=%s", c->name);
    RD_AUTOFREE char *by_label = rd_asprintf("ray.io/cluster=%s", c->name);
    watch(x, &x->cluster_watch, "ray.io/v1", "RayCluster", ns, NULL, by_name);
    watch(x, &x->pod_watch, "v1", "Pod", ns, by_label, NULL);
    watch(x, &x->event_watch, "v1", "Event", ns, NULL, "type=Warning");
}

static void finish(struct ready_op *x, enum phase_finding found)
{
    x->ending = true;
    x->found = found;
    op_cancel_children(&x->s->op);
    op_wake(&x->s->op);
}

static void ask_dashboard(struct ready_op *x)
{
    if (!x->dashboard_open) {
        x->dashboard_open = true;
        ray_open_dashboard(x->s->ctx, &x->dashboard);
        ray_dashboard_start(&x->dashboard, &x->s->op);
    }
    x->asking = true;
    ray_call_clear(&x->version);
    ray_version_init(&x->version, &x->dashboard);
    ray_call_start(&x->version, &x->s->op);
    op_set_timeout(&x->version.op, 10 * 1000);
}

/* true: it answered. */
static bool dashboard_answered(struct ready_op *x)
{
    if (x->answered)
        return true;
    if (op_running(&x->pause.op))
        return false;
    if (!x->asking) {
        ask_dashboard(x);
        return false;
    }
    if (!op_ended(&x->version.op))
        return false;
    x->asking = false;
    struct rd_err *err RD_AUTOERR = op_take_err(&x->version.op);
    if (!err) {
        x->answered = true;
        return true;
    }
    if (x->once || err->kind == RD_ERR_CREDENTIALS) {
        rd_err_wrap(err, "ask Ray's dashboard for its version");
        if (err->kind == RD_ERR_CREDENTIALS) {
            x->s->why = rd_err_dup(err);
            finish(x, FOUND_FAILED);
        } else {
            rd_str_dup(&x->s->reason, err->message);
            finish(x, FOUND_PENDING);
        }
        return false;
    }
    step_note(x->s, "pods are ready; the dashboard does not answer yet: %s", err->message);
    if (op_ended(&x->dashboard.op)) {
        /* It gave up for good (a denied forward, say): its words are the cause. */
        x->s->why = rd_err_dup(err);
        finish(x, FOUND_FAILED);
        return false;
    }
    (void)op_timer_start(&x->pause, &x->s->op, DASHBOARD_RETRY_MS);
    return false;
}

static void trouble(struct ready_op *x, const struct ray_reading *r)
{
    uint64_t now = op_now_ms(&x->s->op);
    if (!rd_streq(x->complaint, r->key)) {
        rd_str_dup(&x->complaint, r->key);
        x->complaint_since_ms = now;
    }
    step_note(x->s, "%s", r->message);
    uint64_t stood = now - x->complaint_since_ms;
    if (stood < r->grace_ms) {
        if (!op_running(&x->grace.op))
            (void)op_timer_start(&x->grace, &x->s->op, r->grace_ms - stood + 10);
        return;
    }
    x->s->why = rd_err_new(r->kind, "%s", r->message);
    rd_err_resource(x->s->why, "%s", r->key);
    RD_AUTOFREE char *ns = config_namespace(x->s->ctx->config);
    rd_err_hint(x->s->why, "Look closer: raydeploy status; then correct the cause and run the same "
                           "command again, it goes on from here. Objects are in namespace %s.", ns);
    finish(x, FOUND_FAILED);
}

static void publish(struct ready_op *x, const struct ray_reading *r)
{
    struct step_op *s = x->s;
    step_publish(s, "ray.head", json_string(r->head_pod));
    step_publish(s, "ray.nodes", json_integer(r->pods));
    const char *version = rd_json_str(x->version.result, "ray_version", NULL);
    if (version) {
        step_publish(s, "ray.version", json_string(version));
        if (!rd_streq(version, s->ctx->config->ray.version))
            step_note_resource(s, NOTE_WARN, "RayCluster",
                               "the image runs Ray %s, but ray.version says %s: set it right, KubeRay "
                               "chooses probes and authentication by it",
                               version, s->ctx->config->ray.version);
    }
    if (x->cluster)
        step_publish(s, "ray.cluster", json_incref(x->cluster));
}

/* How far apart the two readings are: longer where pods were long in coming, because then they are long
 * in falling over, too. The test job is a second reading by itself, and a better one: it counts nodes and
 * CPUs from inside, seconds later. */
static uint64_t again_ms(const struct ready_op *x, bool settled, uint64_t now)
{
    if (x->s->ctx->job_follows && !x->once)
        return 0;
    uint64_t share = (now - x->begun_ms) / 50;
    if (settled || share < AGAIN_SETTLED_MS)
        return AGAIN_SETTLED_MS;
    return share < AGAIN_FRESH_MS ? share : AGAIN_FRESH_MS;
}

static void evaluate(struct ready_op *x)
{
    struct ray_reading r;
    if (x->synced != 7)
        return;
    unsigned deaths = (unsigned)json_object_size(x->ended);
    ray_read(x->cluster, x->pods, x->events, deaths, x->s->ctx->config->target == TARGET_GKE,
             x->since_wall_ms, rd_wall_ms(), &r);
    if (r.answer != RAY_READY) {
        x->ready_since_ms = 0;
        x->answered = false;
    }
    if (r.answer == RAY_TROUBLE && !x->once) {
        trouble(x, &r);
    } else if (r.answer != RAY_READY) {
        rd_str_take(&x->complaint, NULL);
        if (x->once) {
            rd_str_dup(&x->s->reason, r.message);
            finish(x, FOUND_PENDING);
        } else {
            step_note(x->s, "%s", r.message);
        }
    } else {
        uint64_t now = op_now_ms(&x->s->op);
        uint64_t again = again_ms(x, r.settled, now);
        if (!x->ready_since_ms)
            x->ready_since_ms = now;
        if (!dashboard_answered(x)) {
            ray_reading_clear(&r);
            return;
        }
        if (now - x->ready_since_ms >= again) {
            publish(x, &r);
            rd_str_dup(&x->s->reason, r.message);
            finish(x, FOUND_READY);
        } else if (x->once && !r.settled) {
            rd_str_dup(&x->s->reason, "ready a moment ago; reading again");
            finish(x, FOUND_PENDING);
        } else if (!op_running(&x->pause.op)) {
            (void)op_timer_start(&x->pause, &x->s->op, again - (now - x->ready_since_ms) + 5);
        }
    }
    ray_reading_clear(&r);
}

static void ready_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct ready_op *x = s->priv;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!x->begun) {
        x->begun = true;
        begin(x);
        return;
    }
    struct k8s_watch *watches[] = {&x->cluster_watch, &x->pod_watch, &x->event_watch};
    for (size_t i = 0; !x->ending && i < RD_ARRAY_LEN(watches); i++)
        if (op_ended(&watches[i]->op)) {
            step_end_error(s, op_take_err(&watches[i]->op));
            return;
        }
    if (!x->ending)
        evaluate(x);
    if (!x->ending)
        return;
    s->verdict.ours = true;
    if (s->why)
        s->verdict.kind = s->why->kind;
    step_end(s, x->found, "%s", s->why ? s->why->message : s->reason ? s->reason : "ready");
}

static struct ready_op *ready_new(struct step_op *s, bool once)
{
    struct ready_op *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->once = once;
    x->pods = json_object();
    x->events = json_object();
    x->ended = json_object();
    x->since_wall_ms = rd_wall_ms();
    x->begun_ms = rd_boot_ms();
    s->priv = x;
    s->free_priv = ready_free;
    return x;
}

void ray_watch(struct step_op *s, struct op *parent)
{
    (void)ready_new(s, false);
    op_start(&s->op, parent, ready_step, "watch");
}

/* ---- LOOK: as wanted? then ready? ---- */

static void after_look(struct step_op *s)
{
    /* As wanted; whether it is ready is another question. The op goes on under the reader. */
    if (s->free_priv)
        s->free_priv(s->priv);
    (void)ready_new(s, true);
    s->op.step = ready_step;
    op_wake(&s->op);
}

static const struct set_options look_set = {
    .render = ray_render, .amend = amend, .may_force = may_force, .skip_judge = true,
    .after_look = after_look};

void ray_look(struct step_op *s, struct op *parent)
{
    set_look(s, parent, &look_set);
}
