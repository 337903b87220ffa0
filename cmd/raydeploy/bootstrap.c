/* bootstrap: the goal `cc-ready` on the same graph as `up`. Only this machine's lock is held: what it
 * makes has fixed names, so two at once come to the same. */
#include "deploy.h"

#include "base/alloc.h"
#include "phase/steps/mgmt_plan.h"

static bool may_go_on(struct verb_ctx *v, int *ret_code)
{
    const struct config *c = &v->config;
    if (c->yes)
        return true;
    if (!ui_can_ask()) {
        struct rd_err *err = rd_err_new(
            RD_ERR_INPUT, "bootstrap asks before it spends money, and nobody can be asked here");
        rd_err_hint(err, "Add --yes to make cluster %s in project %s without being asked; "
                         "raydeploy check shows whether it can be made.",
                    MGMT_CLUSTER, c->project);
        *ret_code = verb_fail(v, err);
        return false;
    }
    RD_AUTOFREE char *question = rd_asprintf(
        "Make or adopt management cluster %s (one e2-standard-4 node) with Config Connector in "
        "project %s, region %s? Google bills it until raydeploy teardown --management.",
        MGMT_CLUSTER, c->project, c->region);
    if (ui_confirm(question))
        return true;
    rd_str_take(&v->result, rd_strdup("nothing was touched"));
    *ret_code = 0;
    return false;
}

static void say_summary(struct deploy *d)
{
    struct verb_ctx *v = d->v;
    RD_AUTOFREE char *where = deploy_flags(v);
    const char *version = json_string_value(json_object_get(d->result.facts, "cc.version"));
    if (d->result.writes == 0)
        verb_say(v, NOTE_INFO, "everything is as wanted: nothing had to change");
    else
        verb_say(v, NOTE_INFO, "%u things were made or changed", d->result.writes);
    verb_say(v, NOTE_INFO, "management cluster %s runs Config Connector %s; it is billed until "
                           "raydeploy teardown --management",
             MGMT_CLUSTER, version ? version : "");
    verb_say(v, NOTE_INFO, "next: raydeploy up%s", where);
}

static int run(struct verb_ctx *v)
{
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (v->config.target == TARGET_LOCAL)
        return verb_refuse(v, "bootstrap is for Google Cloud: --target local needs no management "
                              "cluster");
    struct deploy d;
    deploy_init(&d, v);
    if (deploy_check(&d, false) && may_go_on(v, &code)) {
        d.no_lease = true;
        step_set want = deploy_bit(&d, "cc-ready");
        code = deploy_run(&d, GOAL_UP, want, deploy_closure(&d, want));
        if (code == 0)
            say_summary(&d);
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = deploy_json(&d);
            verb_print_json(v, o);
        }
    }
    deploy_clear(&d);
    return code;
}

const struct verb verb_bootstrap = {
    .name = "bootstrap",
    .summary = "make or adopt the management cluster with Config Connector; safe to repeat",
    .help = "Enables the APIs, makes cluster " MGMT_CLUSTER " with its network and accounts, gives "
            "Config\nConnector its roles, and waits until it truly works. Asks on a terminal unless "
            "--yes is given.\nWhat it makes and what it costs: docs/management.md.",
    .needs_deployment = true,
    .run = run,
};
