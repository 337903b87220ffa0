/* status: every step with its state, and what the cluster and Ray say; once, or again and again. */
#include "ray_way.h"
#include "status.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOOK_LOCAL_MS 8000 /* without --timeout */
#define LOOK_GKE_MS 30000  /* Google's APIs as well */
#define WATCH_PAUSE_MS 2000
#define ASK_GOOGLE_MS 5000

/* The steps' own words: what a look found, not where the machine stands. */
static const char *word_of(const struct drive_step_report *s)
{
    switch (s->state) {
    case STEP_FAILED:
        return "failed";
    case STEP_HELD:
    case STEP_CANCELLED:
    case STEP_UNWANTED:
        return "unknown";
    default:
        break;
    }
    if (s->found.found == FOUND_READY && s->found.drifted)
        return "drifted";
    return phase_finding_name(s->found.found);
}

static void put_steps(const struct deploy *d, struct rd_buf *out)
{
    size_t width = 0;
    for (unsigned i = 0; i < d->result.step_count; i++) {
        size_t n = strlen(d->result.steps[i].title);
        width = n > width ? n : width;
    }
    for (unsigned i = 0; i < d->result.step_count; i++) {
        const struct drive_step_report *s = &d->result.steps[i];
        if (s->state == STEP_UNWANTED)
            continue; /* the test job leaves nothing to look at */
        const char *reason = s->err ? s->err->message : s->reason;
        rd_buf_printf(out, "%-*s  %-11s", (int)width, s->title, word_of(s));
        if (reason) {
            rd_buf_puts(out, "  ");
            ui_clean(out, reason);
        }
        while (out->len && out->data[out->len - 1] == ' ')
            out->data[--out->len] = '\0';
        rd_buf_putc(out, '\n');
    }
}

static void put_resources(const struct deploy *d, struct rd_buf *out)
{
    for (size_t i = 0; i < d->resource_count; i++) {
        const struct deploy_resource *r = &d->resources[i];
        if (!r->outcome)
            continue;
        rd_buf_puts(out, "  ");
        ui_clean(out, r->title);
        rd_buf_putc(out, ' ');
        ui_clean(out, rd_streq(r->outcome, "created") || rd_streq(r->outcome, "unvalidated")
                          ? "absent"
                      : rd_streq(r->outcome, "configured") ? "differs"
                      : rd_streq(r->outcome, "unchanged")  ? "as wanted"
                                                           : r->outcome);
        rd_buf_putc(out, '\n');
    }
}

/* ---- One look ---- */

struct picture {
    struct deploy d;
    json_t *look; /* owned */
    int code;
    bool stopped; /* by a signal */
};

/* The look ends where a step does not answer, such as the management cluster; Google itself may know the
 * workload cluster all the same. */
static struct k8s_client *connect_workload(const struct picture *p, struct rd_err **reterr)
{
    struct verb_ctx *v = p->d.v;
    const json_t *facts = p->d.result.facts;
    if (v->config.target == TARGET_LOCAL || json_object_get(facts, "gke.endpoint"))
        return verb_workload(v, facts, reterr);
    int gke = steps_find(p->d.rows, p->d.count, "gke");
    int first = steps_find(p->d.rows, p->d.count, "preflight");
    RD_ASSERT(gke >= 0 && first >= 0);
    if (p->d.result.steps[gke].state == STEP_GONE) {
        rd_fail(reterr, RD_ERR_NOT_FOUND, "the cluster is not there");
        return NULL;
    }
    if (p->d.result.steps[first].state != STEP_DONE) {
        rd_fail(reterr, RD_ERR_PREFLIGHT, "its address is not known");
        return NULL;
    }
    struct rd_err *told = v->failure; /* of the look: it stays the failure */
    uint64_t limit_ms = v->config.timeout_ms;
    v->failure = NULL;
    v->config.timeout_ms = ASK_GOOGLE_MS;
    struct k8s_client *client = verb_workload(v, NULL, reterr);
    v->config.timeout_ms = limit_ms;
    v->failure = told;
    return client;
}

static void picture_take(struct picture *p, struct verb_ctx *v, bool quiet)
{
    struct rd_err *err = NULL;
    int code = 0;
    *p = (struct picture){.code = rd_err_exit_code(RD_ERR_INPUT)};
    deploy_init(&p->d, v);
    p->d.looking = true;
    p->d.quiet = quiet;
    p->d.limit_ms = v->config.target == TARGET_LOCAL ? LOOK_LOCAL_MS : LOOK_GKE_MS;
    if (!deploy_check(&p->d, true))
        return;
    p->code = deploy_run(&p->d, GOAL_LOOK, deploy_lasting(&p->d), 0);
    p->stopped = p->code > 128;
    if (p->stopped)
        return;
    const json_t *facts = p->d.result.facts;
    bool local = v->config.target == TARGET_LOCAL;
    struct k8s_client *client = connect_workload(p, &err);
    if (err && err->kind == RD_ERR_CANCELLED) {
        p->code = 128 + SIGINT;
        p->stopped = true;
        rd_err_free(err);
        return;
    }
    struct rd_err *no_lock = NULL; /* the steps tell of a management cluster that is not there */
    struct k8s_client *lock = local ? client : verb_management(v, facts, &no_lock);
    p->look = status_look(v, client, err ? err->message : NULL, lock, &code);
    rd_err_free(no_lock);
    if (lock && lock != client)
        k8s_client_free(lock);
    p->stopped = code > 128;
    p->code = p->stopped ? code : p->code;
    if (client)
        k8s_client_free(client);
    rd_err_free(err);
}

static void picture_clear(struct picture *p)
{
    json_decref(p->look);
    deploy_clear(&p->d);
}

/* On Google Cloud the steps that make the cluster come first, then those inside it. */
static int phase_of(const struct deploy *d, unsigned step)
{
    return d->v->config.target == TARGET_LOCAL || (d->inside >> step & 1) ? 2 : 1;
}

static json_t *picture_json(const struct picture *p)
{
    json_t *o = deploy_json(&p->d), *steps = json_object_get(o, "steps"), *phases = json_array();
    size_t i;
    json_t *s;
    int count[3] = {0}, ready[3] = {0};
    json_array_foreach (steps, i, s) {
        int phase = phase_of(&p->d, (unsigned)i);
        const struct drive_step_report *r = &p->d.result.steps[i];
        json_object_set_new(s, "phase", json_integer(phase));
        json_object_set_new(s, "word", json_string(word_of(r)));
        if (r->state == STEP_UNWANTED)
            continue;
        count[phase]++;
        ready[phase] += rd_streq(word_of(r), "ready");
    }
    for (int phase = 1; phase <= 2; phase++)
        if (count[phase])
            json_array_append_new(phases, rd_json_pack("{s:i, s:i, s:i}", "phase", phase, "steps",
                                                       count[phase], "ready", ready[phase]));
    json_object_set_new(o, "phases", phases);
    if (p->look)
        json_object_update(o, p->look);
    return o;
}

static void picture_text(const struct picture *p, struct rd_buf *out)
{
    put_steps(&p->d, out);
    if (p->d.v->config.verbose)
        put_resources(&p->d, out);
    if (p->look)
        status_put(p->look, out);
}

/* ---- Again and again ---- */

static void picture_lines(const struct picture *p, struct rd_strv *out)
{
    for (unsigned i = 0; i < p->d.result.step_count; i++) {
        const struct drive_step_report *s = &p->d.result.steps[i];
        const char *reason = s->err ? s->err->message : s->reason;
        if (s->state == STEP_UNWANTED)
            continue;
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        rd_buf_printf(&b, "%s: %s%s", s->title, word_of(s), reason ? ", " : "");
        if (reason)
            ui_clean(&b, reason);
        rd_strv_add(out, rd_buf_str(&b));
    }
    if (p->look)
        status_lines(p->look, out);
}

/* The screen from its upper left corner on: each line overwritten and cleared to its end. */
static void draw(struct verb_ctx *v, const struct rd_buf *text)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    struct winsize w = {0};
    size_t rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 2 ? w.ws_row : 24;
    size_t columns = w.ws_col > 1 ? w.ws_col : 80, column = 0;
    rd_buf_puts(&out, "\033[H");
    for (const char *c = rd_buf_str(text); *c && rows > 1; c++) {
        if (*c == '\n') {
            rd_buf_puts(&out, "\033[K\n");
            rows--;
            column = 0;
        } else if (column + 1 < columns || ((unsigned char)*c & 0xc0) == 0x80) {
            rd_buf_putc(&out, *c);
            column += ((unsigned char)*c & 0xc0) != 0x80;
        }
    }
    rd_buf_puts(&out, "\033[J");
    verb_print(v, &out);
}

static void say_changes(struct verb_ctx *v, struct rd_strv *before, struct rd_strv *now)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    char time[32];
    rd_rfc3339_ms(rd_wall_ms(), time);
    for (size_t i = 0; i < now->len; i++)
        if (!rd_strv_has(before, now->v[i]))
            rd_buf_printf(&out, "%s %s\n", time, now->v[i]);
    for (size_t i = 0; i < before->len; i++) {
        const char *colon = strchr(before->v[i], ':');
        size_t n = colon ? (size_t)(colon - before->v[i]) + 1 : strlen(before->v[i]);
        bool there = false;
        for (size_t j = 0; j < now->len && !there; j++)
            there = strncmp(now->v[j], before->v[i], n) == 0;
        if (!there)
            rd_buf_printf(&out, "%s gone: %s\n", time, before->v[i]);
    }
    verb_print(v, &out);
    rd_strv_clear(before);
    *before = *now;
    *now = (struct rd_strv){NULL, 0};
}

struct pause {
    struct op op;
    uint64_t at_ms;
};

static void pause_step(struct op *op)
{
    struct pause *p = container_of(op, struct pause, op);
    if (op->cancelled || op_now_ms(op) >= p->at_ms)
        op_finish(op, NULL);
}

static void begin_pause(struct op *parent, void *ctx)
{
    struct pause *p = ctx;
    op_start(&p->op, parent, pause_step, "pause");
    p->at_ms = op_now_ms(&p->op) + WATCH_PAUSE_MS;
    op_set_alarm(&p->op, p->at_ms);
}

static void forget_words(struct verb_ctx *v)
{
    rd_err_freep(&v->failure);
    rd_str_take(&v->result, NULL);
}

static int watch(struct verb_ctx *v)
{
    bool screen = isatty(STDOUT_FILENO) && !v->config.json_output;
    uint64_t until = v->config.timeout_ms ? rd_boot_ms() + v->config.timeout_ms : RD_NEVER;
    struct rd_strv before = {NULL, 0}, now = {NULL, 0};
    RD_AUTOFREE char *last = NULL;
    int code = 0;
    bool stopped = false;
    if (screen)
        ui_print(v->ui, "\033[2J", 4);
    while (!stopped) {
        struct picture p;
        picture_take(&p, v, true);
        stopped = p.stopped;
        code = p.code;
        bool bad = code == rd_err_exit_code(RD_ERR_INPUT);
        if (!stopped && !bad && v->config.json_output) {
            RD_AUTOJSON json_t *o = picture_json(&p);
            json_object_del(o, "elapsed_ms");
            size_t i;
            json_t *s;
            json_array_foreach (json_object_get(o, "steps"), i, s)
                json_object_del(s, "elapsed_ms");
            RD_AUTOFREE char *text = rd_json_dump(o);
            if (!rd_streq(text, last))
                verb_print_json(v, o);
            rd_str_dup(&last, text);
        } else if (!stopped && !bad && screen) {
            RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
            picture_text(&p, &text);
            draw(v, &text);
        } else if (!stopped && !bad) {
            picture_lines(&p, &now);
            say_changes(v, &before, &now);
        }
        picture_clear(&p);
        if (bad)
            break;
        forget_words(v);
        struct pause pause = {0};
        if (!stopped && rd_boot_ms() + WATCH_PAUSE_MS >= until) {
            code = 0;
            break;
        }
        if (!stopped)
            code = verb_run_op(v, &pause.op, begin_pause, &pause);
        stopped = stopped || code > 128;
        rd_err_free(op_take_err(&pause.op));
    }
    rd_strv_clear(&before);
    rd_strv_clear(&now);
    if (stopped)
        rd_str_take(&v->result, rd_strdup("the watch has ended; nothing was changed"));
    return code;
}

/* ---- The verb ---- */

static int run_status(struct verb_ctx *v)
{
    if (verb_flag(v, "watch"))
        return watch(v);
    struct picture p;
    picture_take(&p, v, false);
    if (p.look && v->config.json_output) {
        RD_AUTOJSON json_t *o = picture_json(&p);
        verb_print_json(v, o);
    } else if (p.look) {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        picture_text(&p, &text);
        verb_print(v, &text);
    }
    int code = p.code;
    picture_clear(&p);
    return code;
}

static const struct config_verb_flag flags[] = {
    {"watch", "w", NULL, false, "look again every 2 seconds: in place on a terminal, else a line for "
                                "each change"},
    {NULL, NULL, NULL, false, NULL},
};

const struct verb verb_status = {
    .name = "status",
    .summary = "every step, the nodes, the pods, Ray's own view and its jobs; -v lists the objects",
    .help = "Looks, and changes nothing. Words: ready, drifted (there, but not as wanted), "
            "pending, failing,\n"
            "absent, foreign (somebody else's), leaving, unreachable, failed, unknown. What does not "
            "answer\nwithin a few seconds is named, and the rest is shown.",
    .flags = flags,
    .needs_deployment = true,
    .run = run_status,
};
