#include "deploy.h"

static int run(struct verb_ctx *v)
{
    struct deploy d;
    deploy_init(&d, v);
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (deploy_check(&d, true)) {
        step_set job = deploy_bit(&d, "job");
        code = deploy_run(&d, GOAL_UP, job, job);
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = deploy_json(&d);
            verb_print_json(v, o);
        }
    }
    deploy_clear(&d);
    return code;
}

const struct verb verb_test_job = {
    .name = "test-job",
    .summary = "run the verification job on the live cluster",
    .help = "Prints each check as PASS, FAIL or SKIP on standard output; exit code 8 when one "
            "fails. Changes\n"
            "nothing else: what is missing is reported, not made.",
    .needs_deployment = true,
    .run = run,
};
