#include "phase/steps/vacancy.h"

#include "base/alloc.h"
#include "phase/steps/cc_step.h"
#include "phase/steps/render.h"

#include <stdlib.h>
#include <string.h>

static bool is_bucket(const json_t *object)
{
    return rd_streq(rd_json_str(object, "kind", NULL), "StorageBucket");
}

static bool begin(struct vacancy *v, struct rd_err **reterr)
{
    struct rd_strv unknown = {NULL, 0};
    bool ok = steps_render_cc(v->ctx->config, v->ctx->templates, v->ctx->facts, &v->list, &unknown,
                              reterr);
    rd_strv_clear(&unknown);
    if (!ok)
        return false;
    v->calls = rd_calloc(v->list.len ? v->list.len : 1, sizeof *v->calls);
    for (size_t i = 0; i < v->list.len; i++) {
        const json_t *object = v->list.v[i].json;
        if ((v->all || is_bucket(object)) && cc_google_get(&v->calls[i], v->ctx, object))
            gcp_call_start(&v->calls[i], &v->op);
    }
    return true;
}

static void taken(struct vacancy *v, const char *title, const json_t *live)
{
    const struct config *c = v->ctx->config;
    if (!live || cc_google_is_ours(c, live) || c->adopt)
        return;
    struct rd_err *err = rd_err_new(RD_ERR_FOREIGN, "%s is there already and is not ours", title);
    rd_err_hint(err, "Remove it, choose another name for the deployment (--name), or take it over "
                     "with --adopt.");
    rd_err_resource(err, "%s", title);
    findings_add(v->findings, err);
}

static void judge(struct vacancy *v, size_t i)
{
    struct gcp_call *k = &v->calls[i];
    const json_t *object = v->list.v[i].json;
    RD_AUTOFREE char *title = cc_google_title(object);
    struct rd_err *err = op_take_err(&k->op);
    if (!err) {
        if (v->all)
            taken(v, title, k->result);
        return;
    }
    /* What may not be read under a name that all of Google Cloud shares is somebody else's. */
    if (is_bucket(object) && k->fault.situation == GCP_PERMISSION) {
        struct rd_err *gone = rd_err_new(RD_ERR_FOREIGN, "%s belongs to somebody else", title);
        rd_err_hint(gone, "Names of buckets are shared by all of Google Cloud: set spill.bucket to "
                          "another one.");
        rd_err_resource(gone, "%s", title);
        rd_err_free(err);
        err = gone;
    } else if (k->fault.situation == GCP_API_OFF) {
        rd_err_free(err); /* nothing can be there */
        err = NULL;
    }
    findings_add(v->findings, err);
}

static void vacancy_step(struct op *op)
{
    struct vacancy *v = container_of(op, struct vacancy, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    if (!v->asked) {
        v->asked = true;
        if (!begin(v, &err))
            op_finish(op, err);
        else if (!op_has_children(op))
            op_finish(op, NULL);
        return;
    }
    for (size_t i = 0; i < v->list.len; i++)
        if (v->calls[i].client)
            judge(v, i);
    op_finish(op, NULL);
}

void vacancy_start(struct vacancy *v, struct op *parent, struct step_ctx *ctx,
                   struct findings *findings, bool all)
{
    v->ctx = ctx;
    v->findings = findings;
    v->all = all;
    op_start(&v->op, parent, vacancy_step, "names");
}

void vacancy_clear(struct vacancy *v)
{
    for (size_t i = 0; v->calls && i < v->list.len; i++) {
        rd_err_free(op_take_err(&v->calls[i].op));
        gcp_call_clear(&v->calls[i]);
    }
    free(v->calls);
    manifest_list_clear(&v->list);
    rd_err_free(op_take_err(&v->op));
    memset(v, 0, sizeof *v);
}
