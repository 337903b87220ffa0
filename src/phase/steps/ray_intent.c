/* What we want of the RayCluster, given what lives. */
#include "phase/steps/ray.h"

#include "base/alloc.h"
#include "phase/steps/names.h"
#include "phase/steps/values.h"
#include "ray/validate.h"

#include <string.h>

bool ray_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    struct template_values v;
    struct rd_strv problems = {0};
    template_values_init(&v);
    size_t before = out->len;
    bool ok = values_fill(s->ctx, &v, reterr) &&
              template_render(s->ctx->templates, "workloads/raycluster.yaml", &v, out, reterr);
    template_values_clear(&v);
    for (size_t i = before; ok && i < out->len; i++) {
        if (ray_validate_cluster(out->v[i].json, (struct ray_gates){0}, &problems))
            continue;
        struct rd_buf text RD_AUTOBUF = RD_BUF_INIT(16384);
        for (size_t j = 0; j < problems.len; j++)
            rd_buf_printf(&text, "%s%s", j ? "; " : "", problems.v[j]);
        ok = rd_fail(reterr, RD_ERR_INPUT, "KubeRay would refuse the RayCluster: %s",
                     rd_buf_str(&text));
        rd_err_hint(*reterr, "Correct the ray section of the configuration (raydeploy render shows "
                             "the result). Nothing was sent.");
    }
    rd_strv_clear(&problems);
    return ok;
}

static const json_t *group_named(const json_t *cluster, const char *name)
{
    size_t i;
    const json_t *g;
    json_array_foreach(rd_json_path(cluster, "spec.workerGroupSpecs"), i, g)
        if (rd_streq(rd_json_str(g, "groupName", NULL), name))
            return g;
    return NULL;
}

/* KubeRay 1.7 gives each group a priority, 0 unless it says another; older ones do not know the field, so
 * it is written out only where it lives. Without it the list would never compare as equal. */
static void keep_default_priority(json_t *group, const json_t *was)
{
    json_t *priority = json_object_get(was, "priority");
    if (json_is_integer(priority) && json_integer_value(priority) == 0 &&
        !json_object_get(group, "priority"))
        json_object_set(group, "priority", priority);
}

json_t *ray_keep_scale(const json_t *wanted, const json_t *live)
{
    json_t *copy = json_deep_copy(wanted);
    size_t i;
    json_t *g;
    json_array_foreach(rd_json_path(copy, "spec.workerGroupSpecs"), i, g)
    {
        const json_t *was = group_named(live, rd_json_str(g, "groupName", NULL));
        json_t *replicas = json_object_get(was, "replicas");
        json_t *strategy = json_object_get(was, "scaleStrategy");
        if (replicas)
            json_object_set(g, "replicas", replicas);
        if (strategy)
            json_object_set(g, "scaleStrategy", strategy);
        keep_default_priority(g, was);
    }
    return copy;
}

bool ray_conflict_is_scaling(const json_t *conflicts)
{
    /* People edit with these; their changes are theirs to keep or to drop. */
    static const char *const people[] = {
        "kubectl-edit", "kubectl-client-side-apply", "kubectl-replace", "kubectl", "helm",
        "argocd-controller", "kustomize-controller", "terraform",
    };
    size_t i;
    const json_t *c;
    if (json_array_size(conflicts) == 0)
        return false;
    json_array_foreach(conflicts, i, c)
    {
        if (!rd_streq(rd_json_str(c, "field", NULL), ".spec.workerGroupSpecs"))
            return false;
        for (size_t j = 0; j < RD_ARRAY_LEN(people); j++)
            if (rd_streq(rd_json_str(c, "manager", NULL), people[j]))
                return false;
    }
    return true;
}

void ray_open_dashboard(struct step_ctx *ctx, struct ray_dashboard *d)
{
    const struct config *c = ctx->config;
    ray_dashboard_init(d);
    d->client = ctx->workload;
    d->may_write = ctx->may_write;
    d->may_write_ctx = ctx->may_write_ctx;
    d->ns = config_namespace(c);
    d->cluster = rd_strdup(c->name);
    if (rd_streq(c->ray.auth, "token"))
        d->token_secret = rd_strdup(c->name);
}
