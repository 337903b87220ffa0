#include "phase/steps/vacancy.h"

#include "auth/auth.h"
#include "base/alloc.h"
#include "phase/steps/cc_step.h"
#include "phase/steps/google.h"
#include "phase/steps/names.h"
#include "phase/steps/render.h"

#include <stdlib.h>
#include <string.h>

enum { AT_BEGIN, AT_GOOGLE, AT_OBJECTS };

static bool is_kind(const json_t *object, const char *kind)
{
    return rd_streq(rd_json_str(object, "kind", NULL), kind);
}

static bool ask_google(struct vacancy *v, struct rd_err **reterr)
{
    struct rd_strv unknown = {NULL, 0};
    bool ok = steps_render_cc(v->ctx->config, v->ctx->templates, v->ctx->facts, &v->list, &unknown,
                              reterr);
    rd_strv_clear(&unknown);
    if (!ok)
        return false;
    v->names = rd_calloc(v->list.len ? v->list.len : 1, sizeof *v->names);
    for (size_t i = 0; i < v->list.len; i++) {
        const json_t *object = v->list.v[i].json;
        struct vacancy_name *n = &v->names[i];
        if (is_kind(object, "ContainerNodePool") || !cc_google_get(&n->google, v->ctx, object))
            continue; /* a pool is whose its cluster is */
        n->title = cc_google_title(object);
        n->asked = true;
        gcp_call_start(&n->google, &v->op);
    }
    return true;
}

static void taken(struct vacancy *v, const char *title, const char *whose)
{
    struct rd_err *err =
        whose ? rd_err_new(RD_ERR_FOREIGN, "%s is there already and belongs to the deployment \"%s\"",
                           title, whose)
              : rd_err_new(RD_ERR_FOREIGN, "%s is there already and is not ours", title);
    rd_err_hint(err, "Remove it, choose another name for the deployment (--name), or take it over "
                     "with --adopt.");
    rd_err_resource(err, "%s", title);
    findings_add(v->findings, err);
}

static void judge(struct vacancy *v, size_t i)
{
    struct vacancy_name *n = &v->names[i];
    const struct config *c = v->ctx->config;
    struct rd_err *err = op_take_err(&n->google.op);
    if (!err) {
        n->unproven = n->google.result && !cc_google_is_ours(c, n->google.result) && !c->adopt;
        return;
    }
    /* What may not be read under a name that all of Google Cloud shares is somebody else's. */
    if (is_kind(v->list.v[i].json, "StorageBucket") && n->google.fault.situation == GCP_PERMISSION) {
        struct rd_err *gone = rd_err_new(RD_ERR_FOREIGN, "%s belongs to somebody else", n->title);
        rd_err_hint(gone, "Names of buckets are shared by all of Google Cloud: set spill.bucket to "
                          "another one.");
        rd_err_resource(gone, "%s", n->title);
        rd_err_free(err);
        err = gone;
    } else if (n->google.fault.situation == GCP_API_OFF) {
        rd_err_free(err); /* nothing can be there */
        err = NULL;
    }
    findings_add(v->findings, err);
}

/* The steps' own connection comes later, with the fact that names its address. NULL without an error: the
 * cluster has no address yet, so nothing can be in it. */
static struct k8s_client *management(struct vacancy *v, struct rd_err **reterr)
{
    struct step_ctx *ctx = v->ctx;
    if (ctx->management || v->client)
        return ctx->management ? ctx->management : v->client;
    struct gcp_endpoint e = {0};
    struct rd_err *none = NULL;
    if (!v->management || !gcp_cluster_endpoint(v->management, &e, &none)) {
        rd_err_free(none);
        return NULL;
    }
    struct google_ears ears = {0};
    if (ctx->notes)
        ears = (struct google_ears){google_on_request, google_on_warning, google_on_retry, ctx};
    v->client = google_cluster_client(ctx->loop, auth_google_ref(gcp_client_auth(ctx->gcp)),
                                      "the management cluster", e.server, e.ca_pem, &ears, reterr);
    gcp_endpoint_clear(&e);
    return v->client;
}

/* False: there is nothing that could prove anything, or *reterr. */
static bool ask_objects(struct vacancy *v, struct rd_err **reterr)
{
    struct k8s_client *c = management(v, reterr);
    if (!c)
        return false;
    for (size_t i = 0; i < v->list.len; i++) {
        struct vacancy_name *n = &v->names[i];
        const json_t *object = v->list.v[i].json;
        if (!n->unproven)
            continue;
        const struct k8s_resource *r = k8s_resource_find(
            c, rd_json_str(object, "apiVersion", NULL), rd_json_str(object, "kind", NULL));
        RD_ASSERT(r); /* one of the kinds that raydeploy ships */
        k8s_get_init(&n->object, c, r, rd_json_str(object, "metadata", "namespace", NULL),
                     rd_json_str(object, "metadata", "name", NULL));
        n->object.not_found_ok = true;
        k8s_call_start(&n->object, &v->op);
    }
    return true;
}

static void judge_object(struct vacancy *v, struct vacancy_name *n)
{
    struct rd_err *err = op_take_err(&n->object.op);
    if (err && err->http_status != 404) { /* its kind may not be known yet either */
        rd_err_wrap(err, "is %s ours?", n->title);
        findings_add(v->findings, err);
        return;
    }
    rd_err_free(err);
    const json_t *live = n->object.result;
    if (!live || !names_is_ours(v->ctx->config, live))
        taken(v, n->title, live ? names_deployment_of(live) : NULL);
}

static void vacancy_step(struct op *op)
{
    struct vacancy *v = container_of(op, struct vacancy, op);
    struct rd_err *err = NULL;
    size_t unproven = 0;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (v->state) {
    case AT_BEGIN:
        v->state = AT_GOOGLE;
        if (!ask_google(v, &err) || !op_has_children(op))
            op_finish(op, err);
        return;
    case AT_GOOGLE:
        for (size_t i = 0; i < v->list.len; i++) {
            if (v->names[i].asked)
                judge(v, i);
            unproven += v->names[i].unproven;
        }
        v->state = AT_OBJECTS;
        if (unproven && ask_objects(v, &err))
            return;
        for (size_t i = 0; i < v->list.len && !err; i++)
            if (v->names[i].unproven)
                taken(v, v->names[i].title, NULL);
        op_finish(op, err);
        return;
    case AT_OBJECTS:
        for (size_t i = 0; i < v->list.len; i++)
            if (v->names[i].unproven)
                judge_object(v, &v->names[i]);
        op_finish(op, NULL);
        return;
    }
    RD_UNREACHABLE();
}

void vacancy_start(struct vacancy *v, struct op *parent, struct step_ctx *ctx,
                   struct findings *findings, const json_t *management_cluster)
{
    v->ctx = ctx;
    v->findings = findings;
    v->management = management_cluster;
    v->state = AT_BEGIN;
    op_start(&v->op, parent, vacancy_step, "names");
}

void vacancy_clear(struct vacancy *v)
{
    for (size_t i = 0; v->names && i < v->list.len; i++) {
        struct vacancy_name *n = &v->names[i];
        gcp_call_clear(&n->google);
        k8s_call_clear(&n->object);
        free(n->title);
    }
    free(v->names);
    if (v->client)
        k8s_client_free(v->client);
    manifest_list_clear(&v->list);
    rd_err_free(op_take_err(&v->op));
    memset(v, 0, sizeof *v);
}
