#include "deploy.h"

#include "base/alloc.h"

static const struct config_verb_flag flags[] = {
    {"bootstrap", NULL, NULL, false, "make the management cluster first, when it is not there"},
    {"skip-test-job", NULL, NULL, false, "stop before the test job"},
    {"timeline", NULL, "FILE", false, "where the time went: FILE.html or FILE.json"},
    {NULL, NULL, NULL, false, NULL},
};

/* How to reach what was made, and how to undo it. */
static void say_summary(struct deploy *d)
{
    struct verb_ctx *v = d->v;
    RD_AUTOFREE char *ns = config_namespace(&v->config);
    RD_AUTOFREE char *where = deploy_flags(v);
    const json_t *facts = d->result.facts;
    const char *head = json_string_value(json_object_get(facts, "ray.head"));
    const char *version = json_string_value(json_object_get(facts, "ray.version"));
    const json_t *nodes = json_object_get(facts, "ray.nodes");
    if (d->result.writes == 0)
        verb_say(v, NOTE_INFO, "everything is as wanted: nothing had to change");
    else
        verb_say(v, NOTE_INFO, "%u %s created or changed", d->result.writes,
                 d->result.writes == 1 ? "object was" : "objects were");
    RD_AUTOFREE char *path = d->result.writes ? deploy_critical_path(d) : NULL;
    if (path)
        verb_say(v, NOTE_INFO, "critical path: %s", path);
    if (nodes)
        verb_say(v, NOTE_INFO, "Ray %s runs on %" JSON_INTEGER_FORMAT " node%s: RayCluster %s/%s",
                 version ? version : v->config.ray.version, json_integer_value(nodes),
                 RD_PLURAL(json_integer_value(nodes)), ns, v->config.name);
    if (head) {
        verb_say(v, NOTE_INFO, "its dashboard and Jobs API: raydeploy dashboard%s", where);
        if (rd_streq(v->config.ray.auth, "token"))
            verb_say(v, NOTE_INFO, "their token: key auth_token of Secret %s/%s", ns,
                     v->config.name);
    }
    verb_say(v, NOTE_INFO, "to take it all back: raydeploy teardown%s", where);
}

/* What costs money is asked for on Google Cloud; false: *ret_code is the end of it. */
static bool may_go_on(struct verb_ctx *v, int *ret_code)
{
    *ret_code = 0;
    if (v->config.yes || v->config.target == TARGET_LOCAL)
        return true;
    if (!ui_can_ask()) {
        struct rd_err *err =
            rd_err_new(RD_ERR_INPUT, "up asks before it spends money, and nobody can be asked here");
        rd_err_hint(err, "Add --yes to deploy %s into project %s without being asked; raydeploy plan "
                         "shows what it would make.",
                    v->config.name, v->config.project);
        *ret_code = verb_fail(v, err);
        return false;
    }
    RD_AUTOFREE char *question =
        rd_asprintf("Deploy %s into project %s, region %s? Google bills what is made until "
                    "raydeploy teardown.",
                    v->config.name, v->config.project, v->config.region);
    if (ui_confirm(question))
        return true;
    rd_str_take(&v->result, rd_strdup("nothing was touched"));
    return false;
}

static int run(struct verb_ctx *v)
{
    struct deploy d;
    struct rd_err *err = NULL;
    const char *timeline = verb_flag_text(v, "timeline");
    if (timeline && !timeline_check(timeline, &err))
        return verb_fail(v, err);
    deploy_init(&d, v);
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (deploy_check(&d, true) && may_go_on(v, &code)) {
        step_set want = deploy_all(&d) & ~deploy_bit(&d, "workload-leftovers");
        if (verb_flag(v, "skip-test-job"))
            want &= ~deploy_bit(&d, "job");
        deploy_say_left_out(v);
        step_set may_start = verb_flag(v, "bootstrap") ? want : want & ~deploy_management(&d);
        code = deploy_run(&d, GOAL_UP, want, may_start);
        if (timeline && timeline_write(&d, timeline, &err)) {
            verb_say(v, NOTE_INFO, "wrote %s", timeline);
        } else if (timeline) {
            int bad = verb_fail(v, err);
            code = code ? code : bad;
        }
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

const struct verb verb_up = {
    .name = "up",
    .summary = "bring everything about, test job included; safe to repeat, resumes",
    .help = "Prints the test job's checks (PASS, FAIL, SKIP) on standard output.",
    .flags = flags,
    .needs_deployment = true,
    .run = run,
};
