/* The commands of this version; the order is that of `help`. */
#include "verb.h"

const struct verb *const verbs[] = {
    &verb_init,   &verb_check,    &verb_bootstrap,  &verb_plan,         &verb_up,
    &verb_test_job, &verb_credentials,
    &verb_status, &verb_teardown, &verb_render,     &verb_apply,        &verb_delete,
    &verb_diff,   &verb_wait,     &verb_explain,    &verb_port_forward, &verb_lint,
    &verb_job, &verb_dashboard, &verb_grafana, &verb_monitoring, &verb_local,
    &verb_token,  &verb_version,  &verb_completion, &verb_help,         NULL,
};

const char *const verbs_later[] = {
    NULL,
};

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; verbs[i]; i++)
        if (rd_streq(verbs[i]->name, name))
            return verbs[i];
    return NULL;
}
