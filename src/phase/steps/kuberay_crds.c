#include "phase/steps/kuberay.h"

#include "base/alloc.h"
#include "k8s/noop.h"
#include "phase/steps/chart_fetch.h"
#include "phase/steps/crds_seen.h"
#include "phase/steps/names.h"
#include "phase/steps/residue.h"
#include "phase/steps/set.h"

#include <string.h>

#define RAYCLUSTER_CRD "rayclusters.ray.io"
#define CRDS_PATH "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

/* ---- LOOK and START go through the chart first; the set machinery does the rest ---- */

struct crds_op {
    struct step_op *s;
    void (*then)(struct step_op *s, struct op *parent, const struct set_options *o);
    struct op *parent;
    json_t *crds; /* the ray.io CRDs of the cluster: names, labels, versions */
    struct k8s_call live, foreign;
    struct chart_fetch fetch;
    struct residue residue;
    int state;
};

enum { ST_BEGIN, ST_LIVE, ST_CHART, ST_FOREIGN, ST_RESIDUE };

/* The chart is read once a run; the session keeps it (kilobytes of YAML a verb would add up). */
static json_t *session_crds(struct step_ctx *ctx)
{
    if (!ctx->session)
        ctx->session = json_object();
    return json_object_get(ctx->session, "crds");
}

static void session_keep(struct step_ctx *ctx, const struct manifest_list *crds)
{
    json_t *list = json_array();
    RD_AUTOJSON json_t *labels = names_labels(ctx->config);
    for (size_t i = 0; i < crds->len; i++) {
        json_t *crd = crds->v[i].json;
        json_t *meta = json_object_get(crd, "metadata");
        json_t *have = json_object_get(meta, "labels");
        if (!json_is_object(have)) {
            have = json_object();
            json_object_set_new(meta, "labels", have);
        }
        json_object_update(have, labels);
        json_object_del(crd, "status");
        json_array_append(list, crd);
    }
    (void)session_crds(ctx);
    json_object_set_new(ctx->session, "crds", list);
}

/* Of the archive that was brought: also where nothing but its digest was needed so far. */
static const char *session_chart(struct step_ctx *ctx)
{
    (void)session_crds(ctx);
    return rd_json_str(ctx->session, "chart-sha256", NULL);
}

bool kuberay_wants_chart(struct step_ctx *ctx)
{
    return ctx->chart_wanted && !session_chart(ctx);
}

void kuberay_keep_chart(struct step_ctx *ctx, const struct chart_fetch *f)
{
    if (!session_chart(ctx))
        json_object_set_new(ctx->session, "chart-note", json_string(f->note));
    json_object_set_new(ctx->session, "chart-sha256", json_string(f->chart.sha256));
    if (!f->unread)
        session_keep(ctx, &f->chart.crds);
}

bool kuberay_read_chart(struct step_ctx *ctx, struct rd_err **reterr)
{
    if (!chart_is_file(ctx->config))
        return true;
    struct chart_fetch f = {0};
    bool ok = chart_fetch_file(&f, ctx, reterr);
    if (ok)
        kuberay_keep_chart(ctx, &f);
    chart_fetch_clear(&f);
    return ok;
}

static bool crds_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    size_t i;
    json_t *crd;
    json_array_foreach(session_crds(s->ctx), i, crd)
    {
        json_t *copy = json_incref(crd);
        if (!manifest_add(out, copy, "the KubeRay chart", 1, reterr))
            return false;
    }
    return true;
}

/* ---- What was proved once need not be read again ---- */

static void note_seen(json_t *digests, const json_t *live)
{
    const char *name = rd_json_path_str(live, "metadata.name");
    char *digest = crds_seen_digest(live);
    if (name && digest)
        json_object_set_new(digests, name, json_string(digest));
    free(digest);
}

static void keep_seen(struct step_op *s, const json_t *digests)
{
    crds_seen_keep(s->ctx->config, k8s_client_server(s->ctx->workload), session_chart(s->ctx), digests);
}

static void looked_at(struct step_op *s, const json_t *wanted, const json_t *live)
{
    (void)wanted;
    json_t *looked = json_object_get(s->ctx->session, "crds-looked");
    if (s->verb == VERB_LOOK)
        note_seen(looked, live);
}

static void all_as_wanted(struct step_op *s)
{
    const json_t *looked = json_object_get(s->ctx->session, "crds-looked");
    size_t n = json_array_size(session_crds(s->ctx));
    if (json_object_size(looked) == n)
        keep_seen(s, looked);
    step_end(s, FOUND_READY, "%zu objects as wanted", n);
}

/* They are served; were they changed by others since START, the next LOOK is to find it. */
static void served(struct step_op *s, const struct manifest_list *list, const json_t *live)
{
    RD_AUTOJSON json_t *digests = json_object();
    for (size_t i = 0; i < list->len; i++) {
        RD_AUTOFREE char *title = manifest_object_title(list->v[i].json);
        const json_t *crd = json_object_get(live, title);
        if (!k8s_apply_is_noop(list->v[i].json, crd, K8S_FIELD_MANAGER))
            return;
        note_seen(digests, crd);
    }
    if (json_object_size(digests) == list->len)
        keep_seen(s, digests);
}

static const struct set_options crds_set = {
    .render = crds_render, .seen = looked_at, .after_look = all_as_wanted, .ready = served};

/* True: the very objects that were found as wanted before. */
static bool seen_before(struct crds_op *x)
{
    struct step_op *s = x->s;
    RD_AUTOJSON json_t *names = crds_seen_match(
        s->ctx->config, k8s_client_server(s->ctx->workload), session_chart(s->ctx), x->crds);
    size_t i;
    json_t *name;
    if (!names)
        return false;
    json_array_foreach(names, i, name)
    {
        RD_AUTOFREE char *title = rd_asprintf("CustomResourceDefinition/%s", json_string_value(name));
        step_note_resource(s, NOTE_DEBUG, title, "%s", k8s_outcome_name(K8S_OUT_UNCHANGED));
    }
    s->verdict.ours = true;
    step_end(s, FOUND_READY, "%zu objects as wanted", json_array_size(names));
    return true;
}

/* Deleting needs names and marks only: whatever carries our mark in the group ray.io. */
static bool undo_render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    size_t i;
    const json_t *crd;
    json_array_foreach(json_object_get(s->ctx->session, "live-crds"), i, crd)
        if (!manifest_add(out, json_incref((json_t *)crd), "the cluster", 1, reterr))
            return false;
    return true;
}

static const struct set_options undo_set = {.render = undo_render};

static void crds_free(void *priv)
{
    struct crds_op *x = priv;
    json_decref(x->crds);
    k8s_call_clear(&x->live);
    k8s_call_clear(&x->foreign);
    chart_fetch_clear(&x->fetch);
    residue_clear(&x->residue);
    free(x);
}

/* The ray.io CRDs of the cluster, cut to what is needed. */
static json_t *ray_crds(const json_t *list)
{
    json_t *out = json_array();
    size_t i;
    json_t *crd;
    json_array_foreach(json_object_get(list, "items"), i, crd)
    {
        if (!rd_ends_with(rd_json_path_str(crd, "metadata.name"), ".ray.io"))
            continue;
        json_object_set_new(crd, "apiVersion", json_string("apiextensions.k8s.io/v1"));
        json_object_set_new(crd, "kind", json_string("CustomResourceDefinition"));
        json_array_append(out, crd);
    }
    return out;
}

/* Somebody else's RayCluster CRD? False when ours, or none, are there. */
static bool is_foreign(const struct config *c, const json_t *crds)
{
    size_t i;
    const json_t *crd;
    bool foreign = false;
    json_array_foreach(crds, i, crd)
    {
        if (names_is_ours(c, crd))
            return false;
        foreign = foreign || rd_streq(rd_json_path_str(crd, "metadata.name"), RAYCLUSTER_CRD);
    }
    return foreign && !c->adopt;
}

/* Fit or refuse. */
static void judge_foreign(struct step_op *s, const json_t *crd)
{
    const char *missing = NULL;
    if (kuberay_crd_fits(crd, &missing)) {
        step_end(s, FOUND_READY, "CRDs of another KubeRay installation are used and left alone");
        return;
    }
    struct rd_err *err = rd_err_new(RD_ERR_FOREIGN,
                                    "the cluster has KubeRay CRDs that are not ours and lack %s",
                                    missing);
    rd_err_hint(err, "Upgrade that KubeRay to 1.5.1 or newer (CRDs included: Helm never upgrades "
                     "them), or let this deployment take its CRDs over with --adopt.");
    rd_err_resource(err, "CustomResourceDefinition/" RAYCLUSTER_CRD);
    step_end_error(s, err);
}

/* Going down nobody needs the chart: what is there and carries our mark is what there is to undo. */
static void look_down(struct step_op *s, const json_t *crds)
{
    size_t i, ours = 0;
    const json_t *crd;
    json_array_foreach(crds, i, crd)
        ours += names_is_ours(s->ctx->config, crd);
    s->verdict.ours = ours > 0;
    s->verdict.kept = !ours && json_array_size(crds) > 0;
    if (ours)
        step_end(s, FOUND_PENDING, "%zu CRDs of ours", ours);
    else if (s->verdict.kept)
        step_end(s, FOUND_FOREIGN, "the CRDs are not ours and stay");
    else
        step_end(s, FOUND_ABSENT, "not there");
}

/* Nobody is going to change them, so the chart is not needed to tell whether they are there. */
static void look_only(struct step_op *s, const json_t *crds)
{
    size_t i, ours = 0;
    const json_t *crd;
    json_array_foreach(crds, i, crd)
        ours += names_is_ours(s->ctx->config, crd);
    s->verdict.ours = ours > 0;
    if (ours)
        step_end(s, FOUND_READY, "%zu CRDs of ours", ours);
    else
        step_end(s, FOUND_ABSENT, "not there yet");
}

static void hand_over(struct crds_op *x, const struct set_options *o)
{
    /* The set's own priv replaces ours; the op goes on under its step function. */
    struct step_op *s = x->s;
    void (*then)(struct step_op *, struct op *, const struct set_options *) = x->then;
    s->priv = NULL;
    s->free_priv = NULL;
    crds_free(x);
    then(s, NULL, o);
}

/* With the chart at hand. */
static void go_on(struct crds_op *x)
{
    json_object_set_new(x->s->ctx->session, "crds-looked", json_object());
    hand_over(x, &crds_set);
}

static void ask_live(struct crds_op *x)
{
    struct k8s_client *c = x->s->ctx->workload;
    RD_AUTOFREE char *url = rd_asprintf("%s%s", k8s_client_server(c), CRDS_PATH);
    k8s_call_init(&x->live, c, "GET", url);
    /* Names and labels tell whose they are; four whole CRDs of KubeRay are 1.2 MB. */
    x->live.http.req.resp.max = (size_t)128 << 20;
    x->live.metadata_only = true;
    x->live.collection = true;
    k8s_call_start(&x->live, &x->s->op);
}

static void ask_foreign(struct crds_op *x)
{
    struct k8s_client *c = x->s->ctx->workload;
    RD_AUTOFREE char *url = rd_asprintf("%s%s/%s", k8s_client_server(c), CRDS_PATH, RAYCLUSTER_CRD);
    k8s_call_init(&x->foreign, c, "GET", url);
    k8s_call_start(&x->foreign, &x->s->op);
}

static void crds_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct crds_op *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    switch (x->state) {
    case ST_BEGIN:
        x->state = ST_LIVE;
        ask_live(x);
        if (!session_chart(s->ctx) && !s->ctx->going_down && s->may_start)
            chart_fetch_start(&x->fetch, op, s->ctx);
        return;
    case ST_LIVE: {
        if (op_has_children(op))
            return;
        if ((err = op_take_err(&x->live.op))) {
            step_end_error(s, err);
            return;
        }
        json_t *crds = x->crds = ray_crds(x->live.result);
        if (s->verb == VERB_UNDO) {
            (void)session_crds(s->ctx);
            json_object_set(s->ctx->session, "live-crds", crds);
            x->state = ST_RESIDUE;
            residue_ray_objects(&x->residue, op, s->ctx, NULL);
            return;
        }
        if (s->verb == VERB_LOOK && s->ctx->going_down) {
            look_down(s, crds);
            return;
        }
        if (s->verb == VERB_LOOK && is_foreign(s->ctx->config, crds)) {
            op_cancel(&x->fetch.op); /* nobody needs our chart then */
            x->state = ST_FOREIGN;
            ask_foreign(x);
            return;
        }
        if (!s->may_start) {
            look_only(s, crds);
            return;
        }
        if ((err = op_take_err(&x->fetch.op))) {
            step_end_error(s, err);
            return;
        }
        if (x->fetch.note)
            kuberay_keep_chart(s->ctx, &x->fetch);
        if (json_object_get(s->ctx->session, "chart-note")) {
            step_note(s, "%s", rd_json_str(s->ctx->session, "chart-note", NULL));
            json_object_del(s->ctx->session, "chart-note");
        }
        if (s->verb == VERB_LOOK && seen_before(x))
            return;
        if (session_crds(s->ctx)) {
            go_on(x);
            return;
        }
        x->state = ST_CHART;
        chart_fetch_clear(&x->fetch);
        x->fetch = (struct chart_fetch){.whole = true};
        chart_fetch_start(&x->fetch, op, s->ctx);
        return;
    }
    case ST_CHART:
        if (op_has_children(op))
            return;
        if ((err = op_take_err(&x->fetch.op))) {
            step_end_error(s, err);
            return;
        }
        kuberay_keep_chart(s->ctx, &x->fetch);
        go_on(x);
        return;
    case ST_FOREIGN:
        if (op_has_children(op))
            return;
        if ((err = op_take_err(&x->foreign.op)))
            step_end_error(s, err);
        else
            judge_foreign(s, x->foreign.result);
        return;
    case ST_RESIDUE:
        if ((err = op_take_err(&x->residue.op))) {
            step_end_error(s, err);
            return;
        }
        if (x->residue.found.len) {
            s->verdict.kept = true;
            s->verdict.kind = RD_ERR_REMAINS;
            step_end(s, FOUND_FOREIGN, "the CRDs stay, because these objects of others need them: %s",
                     rd_buf_str(&x->residue.text));
            return;
        }
        hand_over(x, &undo_set);
        return;
    }
}

static void crds_begin(struct step_op *s, struct op *parent,
                       void (*then)(struct step_op *, struct op *, const struct set_options *))
{
    struct crds_op *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->then = then;
    s->priv = x;
    s->free_priv = crds_free;
    op_start(&s->op, parent, crds_step, "kuberay-crds");
}

void kuberay_crds_look(struct step_op *s, struct op *parent)
{
    if (!step_without_cluster(s, parent))
        crds_begin(s, parent, set_look);
}

void kuberay_crds_start(struct step_op *s, struct op *parent)
{
    crds_begin(s, parent, set_start);
}

void kuberay_crds_watch(struct step_op *s, struct op *parent)
{
    set_watch(s, parent, &crds_set);
}

void kuberay_crds_undo(struct step_op *s, struct op *parent)
{
    crds_begin(s, parent, set_undo);
}
