/* check and plan: the same look at everything, told in two ways. */
#include "deploy.h"

#include "base/alloc.h"

#include <string.h>

static bool is_absent(const struct drive_step_report *s)
{
    return s->state != STEP_FAILED && s->found.found == FOUND_ABSENT;
}

/* ---- check ---- */

/* The management cluster, or what it stands on, is yet to be made. */
static bool lacks_management(const struct deploy *d)
{
    for (unsigned i = 0; i < d->result.step_count; i++)
        if ((deploy_management(d) >> i & 1) && is_absent(&d->result.steps[i]))
            return true;
    return false;
}

static int run_check(struct verb_ctx *v)
{
    struct deploy d;
    deploy_init(&d, v);
    d.looking = true;
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (deploy_check(&d, true)) {
        deploy_say_left_out(v);
        code = deploy_run(&d, GOAL_LOOK, deploy_lasting(&d), 0);
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = deploy_json(&d);
            verb_print_json(v, o);
        } else {
            unsigned problems = 0;
            for (unsigned i = 0; i < d.result.step_count; i++) {
                const struct drive_step_report *s = &d.result.steps[i];
                if (s->state != STEP_FAILED)
                    continue;
                problems++;
                rd_buf_printf(&text, "FAIL %s: ", s->title);
                ui_clean(&text, s->err ? s->err->message : s->reason ? s->reason : "failed");
                rd_buf_putc(&text, '\n');
            }
            if (code == 0)
                rd_buf_printf(&text,
                              "PASS the configuration, the %s and what is there already allow "
                              "`raydeploy %s`\n",
                              v->config.target == TARGET_LOCAL ? "cluster" : "project",
                              lacks_management(&d) ? "bootstrap`, which comes first, and then "
                                                     "`raydeploy up"
                                                   : "up");
            else if (problems == 0)
                rd_buf_puts(&text, "FAIL not everything could be looked at\n");
            verb_print(v, &text);
        }
    }
    deploy_clear(&d);
    return code;
}

const struct verb verb_check = {
    .name = "check",
    .summary = "everything that would fail later, before anything changes",
    .needs_deployment = true,
    .run = run_check,
};

/* ---- plan ---- */

static const struct config_verb_flag plan_flags[] = {
    {"exit-code", NULL, NULL, false, "exit with 10 when something would change"},
    {NULL, NULL, NULL, false, NULL},
};

static void put_plan_step(const struct deploy *d, const struct drive_step_report *s,
                          struct rd_buf *out, unsigned *pending)
{
    unsigned before = *pending;
    for (size_t i = 0; i < d->resource_count; i++) {
        const struct deploy_resource *r = &d->resources[i];
        if (!rd_streq(r->step, s->id) || !r->outcome)
            continue;
        bool create = rd_streq(r->outcome, "created") || rd_streq(r->outcome, "unvalidated");
        bool change = rd_streq(r->outcome, "configured") || r->changes.len > 0;
        if (!create && !change)
            continue;
        ++*pending;
        rd_buf_puts(out, create ? "+ " : "~ ");
        ui_clean(out, r->title);
        rd_buf_puts(out, create ? " would be created\n" : " would change\n");
        for (size_t j = 0; j < r->changes.len && !create; j++) {
            rd_buf_puts(out, "    ");
            ui_clean(out, r->changes.v[j]);
            rd_buf_putc(out, '\n');
        }
    }
    if (*pending > before || s->state == STEP_FAILED || s->state == STEP_HELD)
        return;
    /* Steps whose objects are not listed one by one. */
    if (is_absent(s) || s->found.drifted) {
        ++*pending;
        rd_buf_printf(out, "%s %s: ", is_absent(s) ? "+" : "~", s->title);
        ui_clean(out, s->reason ? s->reason : is_absent(s) ? "would be made" : "would change");
        rd_buf_putc(out, '\n');
    }
}

static bool has_resources(const struct deploy *d, const char *step)
{
    for (size_t i = 0; i < d->resource_count; i++)
        if (rd_streq(d->resources[i].step, step))
            return true;
    return false;
}

/* Where there is no server yet that could tell by a dry run, the templates do. */
static bool add_unmade(struct deploy *d)
{
    struct rd_err *err = NULL;
    struct template_set *templates = template_set_open(d->v->config.templates_dir, &err);
    bool ok = templates != NULL;
    for (unsigned i = 0; ok && i < d->result.step_count; i++) {
        const struct drive_step_report *s = &d->result.steps[i];
        if (s->state != STEP_UNWANTED && is_absent(s) && !has_resources(d, s->id))
            ok = deploy_add_unmade(d, templates, s->id, &err);
    }
    template_set_free(templates);
    if (!ok)
        verb_fail(d->v, err);
    return ok;
}

static int run_plan(struct verb_ctx *v)
{
    struct deploy d;
    deploy_init(&d, v);
    d.looking = true;
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (deploy_check(&d, true)) {
        code = deploy_run(&d, GOAL_LOOK, deploy_lasting(&d), 0);
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        unsigned pending = 0;
        if (code == 0 && !add_unmade(&d))
            code = rd_err_exit_code(RD_ERR_INPUT);
        for (unsigned i = 0; i < d.result.step_count; i++)
            if (d.result.steps[i].state != STEP_UNWANTED)
                put_plan_step(&d, &d.result.steps[i], &text, &pending);
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = deploy_json(&d);
            json_object_set_new(o, "pending", json_integer(pending));
            verb_print_json(v, o);
        } else {
            if (code == 0 && pending == 0)
                rd_buf_puts(&text, "no changes: everything is as wanted\n");
            verb_print(v, &text);
        }
        if (code == 0 && pending > 0 && verb_flag(v, "exit-code"))
            code = 10;
    }
    deploy_clear(&d);
    return code;
}

const struct verb verb_plan = {
    .name = "plan",
    .summary = "what up would create or change, by server-side dry run",
    .flags = plan_flags,
    .needs_deployment = true,
    .run = run_plan,
};
