#include "phase/steps/base.h"

#include "base/alloc.h"
#include "phase/steps/names.h"
#include "phase/steps/set.h"
#include "phase/steps/space.h"
#include "phase/steps/values.h"

/* An empty map of annotations is none to the server, yet would be noted as a field of ours. */
static json_t *without_empty(json_t *object)
{
    json_t *metadata = json_object_get(object, "metadata");
    json_t *annotations = json_object_get(metadata, "annotations");
    if (annotations && json_object_size(annotations) == 0)
        json_object_del(metadata, "annotations");
    return object;
}

static bool render_files(struct step_op *s, const char *const *names, bool without_namespace,
                         struct manifest_list *out, struct rd_err **reterr)
{
    struct template_values v;
    struct manifest_list all = {0};
    template_values_init(&v);
    bool ok = values_fill(s->ctx, &v, reterr);
    for (; ok && *names; names++)
        ok = template_render(s->ctx->templates, *names, &v, &all, reterr);
    for (size_t i = 0; ok && i < all.len; i++) {
        if (without_namespace && rd_streq(rd_json_str(all.v[i].json, "kind", NULL), "Namespace"))
            continue;
        ok = manifest_add(out, json_incref(without_empty(all.v[i].json)), all.v[i].file, all.v[i].line, reterr);
    }
    manifest_list_clear(&all);
    template_values_clear(&v);
    return ok;
}

static const char *const *base_files(const struct config *c)
{
    static const char *const local[] = {"workloads/namespace.yaml", "workloads/network-policy.yaml",
                                        "workloads/network-policy-monitoring.yaml", NULL};
    static const char *const gke[] = {"workloads/namespace.yaml", "workloads/network-policy.yaml",
                                      "workloads/network-policy-monitoring.yaml",
                                      "workloads/network-policy-gke.yaml", NULL};
    return c->target == TARGET_LOCAL ? local : gke;
}

bool base_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    return render_files(s, base_files(s->ctx->config), false, out, reterr);
}

static bool render_inside(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    return render_files(s, base_files(s->ctx->config), true, out, reterr);
}

static const struct set_options base_set = {.render = base_render, .skip_judge = true};
static const struct space_options base_space = {.set = {.render = render_inside},
                                                .ns = config_namespace};

void base_look(struct step_op *s, struct op *parent)
{
    set_look(s, parent, &base_set);
}

void base_start(struct step_op *s, struct op *parent)
{
    set_start(s, parent, &base_set);
}

void base_undo(struct step_op *s, struct op *parent)
{
    space_undo(s, parent, &base_space);
}

/* ---- Volume ---- */

bool volume_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    static const char *const local[] = {"workloads/volume-local.yaml", NULL};
    static const char *const gke[] = {"workloads/volume-filestore.yaml", NULL};
    const struct config *c = s->ctx->config;
    bool filestore = c->target == TARGET_GKE && c->filestore.enabled;
    return render_files(s, filestore ? gke : local, false, out, reterr);
}

/* The access modes of a claim are immutable, and the storage class the server chose stays its own. */
static json_t *volume_amend(struct step_op *s, const json_t *wanted, const json_t *live)
{
    (void)s;
    if (!live || !rd_streq(rd_json_str(wanted, "kind", NULL), "PersistentVolumeClaim"))
        return NULL;
    json_t *copy = json_deep_copy(wanted);
    json_t *modes = rd_json_path(live, "spec.accessModes");
    if (modes)
        rd_json_path_set(copy, "spec.accessModes", json_incref(modes));
    return copy;
}

/* A class that binds when the first pod comes leaves the claim Pending until then: not for us to
 * wait for, the RayCluster brings the pods. */
static const struct set_options volume_set = {
    .render = volume_render, .amend = volume_amend, .skip_judge = true};

void volume_look(struct step_op *s, struct op *parent)
{
    set_look(s, parent, &volume_set);
}

void volume_start(struct step_op *s, struct op *parent)
{
    set_start(s, parent, &volume_set);
}

void volume_undo(struct step_op *s, struct op *parent)
{
    set_undo(s, parent, &volume_set);
}
