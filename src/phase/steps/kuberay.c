#include "phase/steps/kuberay.h"

#include "base/alloc.h"
#include "phase/steps/names.h"
#include "phase/steps/set.h"
#include "phase/steps/space.h"
#include "phase/steps/values.h"

#include <string.h>

static bool render_named(struct step_op *s, struct manifest_list *out, const char *const *names,
                         struct rd_err **reterr)
{
    struct template_values v;
    template_values_init(&v);
    bool ok = values_fill(s->ctx, &v, reterr);
    for (; ok && *names; names++)
        ok = template_render(s->ctx->templates, *names, &v, out, reterr);
    template_values_clear(&v);
    return ok;
}

static bool operator_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    bool all = !rd_streq(s->ctx->config->kuberay.watch, "namespace");
    const char *names[] = {"kuberay/rbac.yaml",
                           all ? "kuberay/watch-all.yaml" : "kuberay/watch-namespace.yaml",
                           "kuberay/deployment.yaml", NULL};
    return render_named(s, out, names, reterr);
}

bool kuberay_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    const char *names[] = {"kuberay/namespace.yaml", NULL};
    return render_named(s, out, names, reterr) && operator_render(s, out, reterr);
}

/* The operator may move into a namespace that is there already. */
static bool shared(struct step_op *s, const json_t *wanted, const json_t *live)
{
    (void)s;
    (void)live;
    return rd_streq(rd_json_str(wanted, "kind", NULL), "Namespace");
}

static const struct set_options operator_set = {.render = kuberay_render, .shared = shared};

static char *operator_namespace(const struct config *c)
{
    return rd_strdup(c->kuberay.ns);
}

static const struct space_options operator_space = {
    .set = {.render = operator_render},
    .ns = operator_namespace,
    .serves_ray_objects = true,
};

/* ---- Somebody else's operator ---- */

struct find_op {
    struct step_op *s;
    struct k8s_call list;
    bool asked;
};

static void find_free(void *priv)
{
    struct find_op *x = priv;
    k8s_call_clear(&x->list);
    free(x);
}

/* The namespaces it watches, by its arguments; NULL: all. Borrowed. */
static const char *watched_namespaces(const json_t *deployment)
{
    size_t i, j;
    const json_t *container, *arg;
    const char *found = NULL;
    json_array_foreach(rd_json_path(deployment, "spec.template.spec.containers"), i, container)
        json_array_foreach(json_object_get(container, "args"), j, arg)
        {
            const char *text = json_string_value(arg);
            if (text && rd_starts_with(text, "--watch-namespace="))
                found = text + strlen("--watch-namespace=");
        }
    return found && *found ? found : NULL;
}

static bool watches_ours(const struct config *c, const char *list)
{
    struct rd_strv names = {0};
    rd_strv_split(&names, list, ",");
    RD_AUTOFREE char *ns = config_namespace(c);
    bool has = rd_strv_has(&names, ns);
    rd_strv_clear(&names);
    return has;
}

static void judge_foreign(struct step_op *s, const json_t *d)
{
    const char *image = NULL;
    size_t i;
    const json_t *container;
    json_array_foreach(rd_json_path(d, "spec.template.spec.containers"), i, container)
        if (!image || strstr(rd_json_str(container, "image", NULL), "kuberay"))
            image = rd_json_str(container, "image", NULL);
    RD_AUTOFREE char *title =
        rd_asprintf("Deployment/%s/%s", rd_json_str(d, "metadata", "namespace", NULL),
                    rd_json_str(d, "metadata", "name", NULL));
    unsigned v[3];
    struct rd_err *err = NULL;
    bool known = image && kuberay_image_version(image, v);
    if (known && (v[0] < 1 || (v[0] == 1 && (v[1] < 5 || (v[1] == 5 && v[2] < 1)))))
        err = rd_err_new(RD_ERR_FOREIGN, "the cluster runs KubeRay %u.%u.%u (%s), which is too old",
                         v[0], v[1], v[2], title);
    else if (watched_namespaces(d) && !watches_ours(s->ctx->config, watched_namespaces(d)))
        err = rd_err_new(RD_ERR_FOREIGN, "the cluster's KubeRay operator (%s) watches only %s", title,
                         watched_namespaces(d));
    if (!err) {
        step_end(s, FOUND_READY, "%s (%s) is used and left alone", title, image ? image : "?");
        return;
    }
    rd_err_resource(err, "%s", title);
    rd_err_hint(err, "Upgrade that operator to 1.5.1 or newer and let it watch this deployment's "
                     "namespace, or remove it; two operators would fight over one RayCluster.");
    step_end_error(s, err);
}

static bool ours_is_there(const struct config *c, const json_t *deployments)
{
    size_t i;
    const json_t *d;
    json_array_foreach(json_object_get(deployments, "items"), i, d)
        if (names_is_ours(c, d) &&
            rd_streq(rd_json_str(d, "metadata", "name", NULL), "kuberay-operator"))
            return true;
    return false;
}

static void find_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct find_op *x = s->priv;
    struct k8s_client *c = s->ctx->workload;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!x->asked) {
        x->asked = true;
        RD_AUTOFREE char *url =
            rd_asprintf("%s/apis/apps/v1/deployments?limit=2000", k8s_client_server(c));
        k8s_call_init(&x->list, c, "GET", url);
        x->list.http.req.resp.max = (size_t)128 << 20;
        k8s_call_start(&x->list, op);
        return;
    }
    struct rd_err *err = op_take_err(&x->list.op);
    if (err) {
        step_end_error(s, err);
        return;
    }
    const json_t *foreign = kuberay_find_operator(s->ctx->config, x->list.result);
    if (foreign && !ours_is_there(s->ctx->config, x->list.result)) {
        judge_foreign(s, foreign);
        return;
    }
    s->priv = NULL;
    s->free_priv = NULL;
    find_free(x);
    set_look(s, NULL, &operator_set);
}

void kuberay_look(struct step_op *s, struct op *parent)
{
    if (step_without_cluster(s, parent))
        return;
    if (s->ctx->going_down) {
        set_look(s, parent, &operator_set);
        return;
    }
    struct find_op *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    s->priv = x;
    s->free_priv = find_free;
    op_start(&s->op, parent, find_step, "kuberay");
}

void kuberay_start(struct step_op *s, struct op *parent)
{
    set_start(s, parent, &operator_set);
}

void kuberay_watch(struct step_op *s, struct op *parent)
{
    set_watch(s, parent, &operator_set);
}

void kuberay_undo(struct step_op *s, struct op *parent)
{
    space_undo(s, parent, &operator_space);
}
