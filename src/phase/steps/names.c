#include "phase/steps/names.h"

#include "base/alloc.h"

json_t *names_labels(const struct config *c)
{
    return rd_json_pack("{s:s, s:s}", MARK_MANAGED_BY, "raydeploy", MARK_DEPLOYMENT, c->name);
}

const char *names_deployment_of(const json_t *object)
{
    const char *by = rd_json_str(object, "metadata", "labels", MARK_MANAGED_BY, NULL);
    if (!rd_streq(by, "raydeploy"))
        return NULL;
    return rd_json_str(object, "metadata", "labels", MARK_DEPLOYMENT, NULL);
}

bool names_is_ours(const struct config *c, const json_t *object)
{
    const char *whose = names_deployment_of(object);
    return whose && rd_streq(whose, c->name);
}

char *names_selector(const struct config *c)
{
    return rd_asprintf("%s=%s", MARK_DEPLOYMENT, c->name);
}
