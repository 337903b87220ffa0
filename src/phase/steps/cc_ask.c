#include "phase/steps/cc_internal.h"

#include "base/alloc.h"

#include <stdlib.h>

static bool bucket_is_anothers(const struct cc_ask *a, size_t i)
{
    /* Bucket names are shared by all of Google Cloud: 403 is how one of somebody else answers. */
    return rd_streq(rd_json_str(a->list->v[i].json, "kind", NULL), "StorageBucket") &&
           a->calls[i].fault.situation == GCP_PERMISSION;
}

static bool read_answer(struct cc_ask *a, size_t i, struct rd_err **reterr)
{
    struct rd_err *err RD_AUTOERR = op_take_err(&a->calls[i].op);
    RD_AUTOFREE char *title = cc_google_title(a->list->v[i].json);
    if (!err || a->calls[i].fault.situation == GCP_API_OFF)
        return true;
    if (bucket_is_anothers(a, i)) {
        if (a->ctx->going_down)
            return true;
        rd_fail(reterr, RD_ERR_FOREIGN, "%s belongs to another project", title);
        rd_err_hint(*reterr, "Names of buckets are shared by all of Google Cloud. Choose another with "
                             "spill.bucket, or turn spilling off with spill.enabled: false.");
        rd_err_resource(*reterr, "%s", title);
        return false;
    }
    rd_err_wrap(err, "look for %s at Google", title);
    *reterr = rd_err_dup(err);
    return false;
}

static void ask_step(struct op *op)
{
    struct cc_ask *a = container_of(op, struct cc_ask, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!a->begun) {
        a->begun = true;
        for (size_t i = 0; i < a->len; i++) {
            a->asked[i] = cc_google_get(&a->calls[i], a->ctx, a->list->v[i].json);
            if (a->asked[i])
                gcp_call_start(&a->calls[i], op);
        }
    }
    if (op_has_children(op))
        return;
    for (size_t i = 0; i < a->len && !err; i++)
        if (a->asked[i])
            (void)read_answer(a, i, &err);
    op_finish(op, err);
}

void cc_ask_start(struct cc_ask *a, struct op *parent, struct step_ctx *ctx,
                  const struct manifest_list *list)
{
    a->ctx = ctx;
    a->list = list;
    a->len = list->len;
    a->calls = rd_calloc(list->len + 1, sizeof(*a->calls));
    a->asked = rd_calloc(list->len + 1, sizeof(*a->asked));
    a->begun = false;
    op_start(&a->op, parent, ask_step, "ask Google");
}

void cc_ask_clear(struct cc_ask *a)
{
    for (size_t i = 0; i < a->len; i++)
        if (a->asked[i])
            gcp_call_clear(&a->calls[i]);
    free(a->calls);
    free(a->asked);
    a->calls = NULL;
    a->asked = NULL;
    a->len = 0;
    rd_err_freep(&a->op.err);
}

const json_t *cc_ask_found(const struct cc_ask *a, size_t i)
{
    RD_ASSERT(i < a->len);
    return a->asked[i] ? a->calls[i].result : NULL;
}

bool cc_ask_ours(const struct cc_ask *a, size_t i)
{
    const json_t *found = cc_ask_found(a, i);
    /* A pool carries no mark: it is whose its cluster is. */
    return found && (rd_streq(rd_json_str(a->list->v[i].json, "kind", NULL), "ContainerNodePool") ||
                     cc_google_is_ours(a->ctx->config, found));
}
