#include "deploy.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "phase/steps/kuberay.h"
#include "phase/steps/render.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The whole run, when no --timeout is given. */
#define RUN_LIMIT_MS ((uint64_t)90 * 60 * 1000)

/* ---- Notes ---- */

static struct deploy_resource *resource_of(struct deploy *d, const char *step, const char *title)
{
    for (size_t i = 0; i < d->resource_count; i++)
        if (rd_streq(d->resources[i].title, title) && rd_streq(d->resources[i].step, step))
            return &d->resources[i];
    d->resources = rd_reallocarray(d->resources, d->resource_count + 1, sizeof(*d->resources));
    struct deploy_resource *r = &d->resources[d->resource_count++];
    *r = (struct deploy_resource){.step = rd_strdup(step), .title = rd_strdup(title)};
    return r;
}

bool deploy_add_unmade(struct deploy *d, struct template_set *templates, const char *step,
                       struct rd_err **reterr)
{
    struct manifest_list list = {0};
    bool ok = steps_render_step(&d->v->config, templates, d->result.facts, step, &list, reterr);
    for (size_t i = 0; ok && i < list.len; i++) {
        RD_AUTOFREE char *title = manifest_object_title(list.v[i].json);
        rd_str_dup(&resource_of(d, step, title)->outcome, "created");
    }
    manifest_list_clear(&list);
    return ok;
}

#define DIFFERS "differs at "

static void remember(struct deploy *d, const struct phase_note *n)
{
    struct deploy_resource *r = resource_of(d, n->step, n->resource);
    if (rd_starts_with(n->message, DIFFERS)) {
        const char *change = n->message + strlen(DIFFERS);
        if (!rd_strv_has(&r->changes, change))
            rd_strv_add(&r->changes, change);
        return;
    }
    rd_str_dup(&r->outcome, n->message);
}

static void clock_step(struct deploy *d, const struct phase_note *n)
{
    int i = steps_find(d->rows, d->count, n->step);
    if (i < 0)
        return;
    struct deploy_span *s = &d->spans[i];
    uint64_t now = rd_boot_ms();
    if (n->state == NOTE_RUNNING && !s->begun_ms)
        s->begun_ms = now;
    if (s->begun_ms && !s->ended_ms &&
        (n->state == NOTE_DONE || n->state == NOTE_FAILED || n->state == NOTE_UNDONE))
        s->ended_ms = now;
}

static void emit(struct note_sink *sink, const struct phase_note *n)
{
    struct deploy *d = container_of(sink, struct deploy, sink);
    if (n->event == NOTE_STEP && n->step)
        clock_step(d, n);
    if (n->event == NOTE_RESOURCE && n->step && n->resource && n->message)
        remember(d, n);
    if (!d->quiet)
        d->v->notes->emit(d->v->notes, n);
}

/* ---- The command line that goes on ---- */

static void put_word(struct rd_buf *out, const char *word)
{
    if (out->len && out->data[out->len - 1] != ' ')
        rd_buf_putc(out, ' ');
    bool plain = *word != '\0';
    for (const char *p = word; *p && plain; p++)
        plain = isalnum((unsigned char)*p) || strchr("-_./:=@,+%", *p);
    if (plain) {
        rd_buf_puts(out, word);
        return;
    }
    rd_buf_putc(out, '\'');
    for (const char *p = word; *p; p++) {
        if (*p == '\'')
            rd_buf_puts(out, "'\\''");
        else
            rd_buf_putc(out, *p);
    }
    rd_buf_putc(out, '\'');
}

static char *command_line(const struct verb_ctx *v)
{
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    put_word(&b, "raydeploy");
    put_word(&b, v->verb->name);
    for (int i = 0; i < v->argc; i++)
        put_word(&b, v->argv[i]);
    return rd_buf_take(&b, NULL);
}

char *deploy_flags(const struct verb_ctx *v)
{
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    const struct config *c = &v->config;
    const struct {
        const char *flag, *value;
    } flags[] = {
        {"--target", c->target == TARGET_LOCAL ? "local" : NULL},
        {"--config", rd_streq(config_origin(c, "config"), "--config") ? c->file : NULL},
        {"--project", rd_streq(config_origin(c, "project"), "--project") ? c->project : NULL},
        {"--region", rd_streq(config_origin(c, "region"), "--region") ? c->region : NULL},
        {"--name", rd_streq(config_origin(c, "name"), "--name") ? c->name : NULL},
        {"--kubeconfig", c->kubeconfig},
        {"--context", c->context},
        {"--state-dir", c->state_dir},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(flags); i++)
        if (flags[i].value) {
            rd_buf_puts(&b, b.len ? "" : " ");
            put_word(&b, flags[i].flag);
            put_word(&b, flags[i].value);
        }
    return rd_buf_take(&b, NULL);
}

/* ---- Life ---- */

void deploy_init(struct deploy *d, struct verb_ctx *v)
{
    *d = (struct deploy){.v = v, .sink = {.emit = emit}};
    d->rows = v->config.target == TARGET_LOCAL ? steps_local(&d->count) : steps_gke(&d->count);
    d->resume = command_line(v);
    d->session = json_object();
    static const char *const inside[] = {"workload-leftovers", "kuberay-crds", "base", "kuberay",
                                         "volume", "ray", "job"};
    for (size_t i = 0; v->config.target == TARGET_GKE && i < RD_ARRAY_LEN(inside); i++)
        d->inside |= deploy_bit(d, inside[i]);
    for (unsigned i = 0; i < d->count; i++)
        ui_name_step(v->ui, d->rows[i].core.id, d->rows[i].title);
}

void deploy_clear(struct deploy *d)
{
    for (size_t i = 0; i < d->resource_count; i++) {
        free(d->resources[i].step);
        free(d->resources[i].title);
        free(d->resources[i].outcome);
        rd_strv_clear(&d->resources[i].changes);
    }
    free(d->resources);
    free(d->resume);
    json_decref(d->session);
    drive_result_clear(&d->result);
}

bool deploy_check(struct deploy *d, bool needs_chart)
{
    struct rd_err *err = NULL;
    struct manifest_list list = {0};
    struct rd_strv unknown = {NULL, 0};
    const struct config *c = &d->v->config;
    struct template_set *templates = template_set_open(c->templates_dir, &err);
    struct step_ctx ctx = {.config = c, .session = d->session};
    bool ok = templates && steps_render(c, templates, c->facts, &list, &unknown, &err) &&
              (c->target == TARGET_LOCAL ||
               steps_render_cc(c, templates, c->facts, &list, &unknown, &err)) &&
              (!needs_chart || kuberay_read_chart(&ctx, &err));
    if (ok && c->templates_dir)
        for (unsigned i = 0; i < d->count; i++)
            for (const char *const *t = d->rows[i].templates; t && *t; t++) {
                const char *origin = template_origin(templates, *t);
                if (origin && !rd_streq(origin, "embedded"))
                    verb_say(d->v, NOTE_INFO, "template %s comes from %s", *t, origin);
            }
    rd_strv_clear(&unknown);
    manifest_list_clear(&list);
    template_set_free(templates);
    if (!ok)
        verb_fail(d->v, err);
    return ok;
}

step_set deploy_all(const struct deploy *d)
{
    return (step_set)(((uint64_t)1 << d->count) - 1);
}

step_set deploy_bit(const struct deploy *d, const char *step)
{
    int i = steps_find(d->rows, d->count, step);
    return i < 0 ? 0 : (step_set)1 << i;
}

step_set deploy_lasting(const struct deploy *d)
{
    return deploy_all(d) & ~deploy_bit(d, "job") & ~deploy_bit(d, "workload-leftovers");
}

step_set deploy_management(const struct deploy *d)
{
    static const char *const ids[] = {"mgmt-net", "mgmt-accounts", "mgmt", "cc-iam", "cc-ready"};
    step_set all = 0;
    for (size_t i = 0; i < RD_ARRAY_LEN(ids); i++)
        all |= deploy_bit(d, ids[i]);
    return all;
}

step_set deploy_closure(const struct deploy *d, step_set want)
{
    struct phase_step_def defs[PHASE_STEPS_MAX];
    for (unsigned i = 0; i < d->count; i++)
        defs[i] = d->rows[i].core;
    return phase_closure(defs, d->count, want);
}

/* ---- Running ---- */

static void on_tick(void *ctx, uint64_t now_ms)
{
    struct deploy *d = ctx;
    ui_tick(d->v->ui, now_ms);
}

static void on_hangup(void *ctx)
{
    struct deploy *d = ctx;
    ui_detach(d->v->ui);
}

int deploy_run(struct deploy *d, enum phase_goal_kind kind, step_set want, step_set may_start)
{
    const struct config *c = &d->v->config;
    struct drive_options o = {
        .config = c,
        .rows = d->rows,
        .row_count = d->count,
        .goal = {.kind = kind,
                 .want = want,
                 .may_start = may_start,
                 .fail_fast = c->fail_fast,
                 .run_limit_ms = c->timeout_ms ? c->timeout_ms
                                 : d->limit_ms ? d->limit_ms
                                               : RUN_LIMIT_MS},
        .verb = d->v->verb->name,
        .notes = &d->sink,
        .on_tick = on_tick,
        .on_hangup = on_hangup,
        .ctx = d,
        .no_lock = kind == GOAL_LOOK,
        .no_lease = d->no_lease,
        /* check and plan compare with what is wanted; status only asks what is there. */
        .dry_run = kind == GOAL_LOOK && strcmp(d->v->verb->name, "status") != 0,
        .session = d->session,
    };
    json_object_set_new(d->session, "bootstrap",
                        json_boolean(may_start & deploy_bit(d, "mgmt")));
    drive_result_clear(&d->result); /* a second run of the same command */
    drive_run(d->v->loop, &o, &d->result);
    for (unsigned i = 0; i < d->count; i++) /* what was cut off ended now */
        if (d->spans[i].begun_ms && !d->spans[i].ended_ms)
            d->spans[i].ended_ms = rd_boot_ms();
    if (!d->result.err)
        return d->result.exit_code;
    int code = d->result.exit_code;
    struct rd_err *err = rd_err_dup(d->result.err);
    bool stopped = err->kind == RD_ERR_CANCELLED;
    if (kind == GOAL_LOOK && stopped)
        rd_str_take(&d->v->result, rd_strdup("interrupted; nothing was changed"));
    else if (kind != GOAL_LOOK && (stopped || rd_err_transient(err->kind)))
        rd_str_take(&d->v->result,
                    rd_asprintf("%s: %s",
                                stopped ? "interrupted, and stopped cleanly; to go on"
                                        : "to go on from here",
                                d->resume));
    if (stopped)
        rd_err_free(err);
    else
        rd_err_keep(&d->v->failure, &err);
    return code;
}

/* ---- Results ---- */

static void set_clean(json_t *o, const char *key, const char *text)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    ui_clean(&b, text ? text : "");
    json_object_set_new(o, key, text ? json_string(rd_buf_str(&b)) : json_null());
}

static json_t *step_json(const struct drive_step_report *s, const struct deploy_span *span)
{
    json_t *o = rd_json_pack("{s:s, s:s, s:s}", "id", s->id, "title", s->title, "state",
                             step_state_name(s->state));
    bool looked = s->state != STEP_UNWANTED && s->state != STEP_HELD && s->state != STEP_CANCELLED;
    json_object_set_new(o, "found",
                        looked ? json_string(phase_finding_name(s->found.found)) : json_null());
    json_object_set_new(
        o, "elapsed_ms",
        json_integer(span->ended_ms ? (json_int_t)(span->ended_ms - span->begun_ms) : 0));
    set_clean(o, "reason", s->err ? s->err->message : s->reason);
    return o;
}

static json_t *resource_json(const struct deploy_resource *r)
{
    json_t *o = json_object();
    set_clean(o, "resource", r->title);
    set_clean(o, "step", r->step);
    set_clean(o, "outcome", r->outcome);
    json_t *changes = json_array();
    for (size_t i = 0; i < r->changes.len; i++) {
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        ui_clean(&b, r->changes.v[i]);
        json_array_append_new(changes, json_string(rd_buf_str(&b)));
    }
    json_object_set_new(o, "changes", changes);
    return o;
}

json_t *deploy_json(const struct deploy *d)
{
    json_t *steps = json_array(), *resources = json_array();
    for (unsigned i = 0; i < d->result.step_count; i++)
        json_array_append_new(steps, step_json(&d->result.steps[i], &d->spans[i]));
    for (size_t i = 0; i < d->resource_count; i++)
        json_array_append_new(resources, resource_json(&d->resources[i]));
    json_t *o = rd_json_pack("{s:s, s:s, s:o, s:o, s:I, s:i}", "name", d->v->config.name, "target",
                             d->v->config.target == TARGET_LOCAL ? "local" : "gke", "steps", steps,
                             "resources", resources, "elapsed_ms", (json_int_t)d->result.elapsed_ms,
                             "writes", (int)d->result.writes);
    static const char *const facts[] = {"ray.version", "ray.nodes", "ray.head", "job.result"};
    for (size_t i = 0; i < RD_ARRAY_LEN(facts); i++) {
        json_t *fact = json_object_get(d->result.facts, facts[i]);
        json_object_set(o, facts[i], fact ? fact : json_null());
    }
    return o;
}

void deploy_say_left_out(struct verb_ctx *v)
{
    if (v->config.target != TARGET_LOCAL)
        return;
    verb_say(
        v, NOTE_INFO,
        "--target local leaves out: GPU worker groups, spilling to a bucket, the accounts' Google "
        "identity, the image registry; the shared volume is a claim of the cluster's default "
        "StorageClass instead of Filestore");
}
