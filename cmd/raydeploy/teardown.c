#include "deploy.h"

#include "base/alloc.h"

/* Ours, but still needed by somebody: not an error of a step, and not done either. */
static int report_rest(struct deploy *d)
{
    struct verb_ctx *v = d->v;
    RD_AUTOBUF struct rd_buf rest = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (unsigned i = 0; i < d->result.step_count; i++) {
        const struct drive_step_report *s = &d->result.steps[i];
        if (s->state != STEP_KEPT)
            continue;
        if (s->found.kind == RD_ERR_REMAINS)
            rd_buf_printf(&rest, "%s%s: %s", rest.len ? "; " : "", s->title,
                          s->reason ? s->reason : "stays");
        else if (s->reason)
            verb_say(v, NOTE_INFO, "kept: %s: %s", s->title, s->reason);
    }
    if (rest.len) {
        struct rd_err *err =
            rd_err_new(RD_ERR_REMAINS, "not everything is gone: %s", rd_buf_str(&rest));
        rd_err_hint(err, "Run the same command again when what needs it is gone.");
        return verb_fail(v, err);
    }
    verb_say(v, NOTE_INFO,
             d->result.writes ? "nothing of deployment %s is left"
                              : "there was nothing to do: nothing of deployment %s is left",
             v->config.name);
    return 0;
}

static int run(struct verb_ctx *v)
{
    struct deploy d;
    RD_AUTOFREE char *ns = config_namespace(&v->config);
    if (!v->config.yes && ui_can_ask()) {
        RD_AUTOFREE char *question = rd_asprintf(
            "Delete RayCluster %s, namespace %s with the shared volume's data, and what else "
            "raydeploy made for deployment %s?",
            v->config.name, ns, v->config.name);
        if (!ui_confirm(question)) {
            rd_str_take(&v->result, rd_strdup("nothing was touched"));
            return 0;
        }
    }
    deploy_init(&d, v);
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (deploy_check(&d, false)) {
        code = deploy_run(&d, GOAL_DOWN, deploy_all(&d), 0);
        if (code == 0)
            code = report_rest(&d);
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = deploy_json(&d);
            verb_print_json(v, o);
        }
    }
    deploy_clear(&d);
    return code;
}

const struct verb verb_teardown = {
    .name = "teardown",
    .summary = "delete what raydeploy made, in the safe order, and wait until it is gone",
    .help = "Deletes only what carries our mark. Asks on a terminal unless --yes is given.",
    .needs_deployment = true,
    .run = run,
};
