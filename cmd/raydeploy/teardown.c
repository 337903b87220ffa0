#include "deploy.h"

#include "base/alloc.h"

static int run(struct verb_ctx *v)
{
    struct deploy d;
    RD_AUTOFREE char *ns = config_namespace(&v->config);
    if (!v->config.yes && ui_can_ask()) {
        RD_AUTOFREE char *question =
            rd_asprintf("Delete RayCluster %s, namespace %s with the shared volume's data, and what else "
                        "raydeploy made for deployment %s?",
                        v->config.name, ns, v->config.name);
        if (!ui_confirm(question)) {
            rd_str_take(&v->result, rd_strdup("nothing was touched"));
            return 0;
        }
    }
    deploy_init(&d, v);
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (deploy_check(&d)) {
        code = deploy_run(&d, GOAL_DOWN, deploy_all(&d), 0);
        if (code == 0 && d.result.writes == 0)
            verb_say(v, NOTE_INFO, "there was nothing to do: nothing of deployment %s is left",
                     v->config.name);
        else if (code == 0)
            verb_say(v, NOTE_INFO, "nothing of deployment %s is left", v->config.name);
        for (unsigned i = 0; i < d.result.step_count; i++)
            if (d.result.steps[i].state == STEP_KEPT && d.result.steps[i].reason)
                verb_say(v, NOTE_INFO, "kept: %s: %s", d.result.steps[i].title,
                         d.result.steps[i].reason);
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
