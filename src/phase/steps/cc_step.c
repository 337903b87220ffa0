/* LOOK and START of the Config Connector steps. */
#include "phase/steps/cc_internal.h"

#include "base/alloc.h"
#include "k8s/verdict.h"
#include "phase/steps/google.h"
#include "phase/steps/names.h"

#include <inttypes.h>
#include <stdlib.h>

/* Config Connector answers a requeue within seconds; an answer that is the same word for word by then
 * is a new one. */
#define STALE_MS 30000

enum cc_state { AT_BEGIN, AT_BROKEN, AT_GOOGLE, AT_SET, AT_REQUEUE, AT_CLUSTER, AT_OPENING, AT_FACTS };

struct cc_op {
    struct step_op *s;
    enum cc_state state;
    struct manifest_list list;
    struct cc_ask ask;
    struct step_op set; /* the custom resources */
    bool set_begun;
    json_t *live;       /* title -> custom resource as it is */
    struct cc_facts facts;
    struct k8s_call *requeue; /* owned; one per object that is to be tried again */
    size_t requeue_len;
    unsigned writes_before;
    struct gcp_call cluster;
    struct gcp_lro opening;
    struct cc_broken broken;
    size_t orphans; /* at Google and ours, without a custom resource */
    size_t lost;    /* the other way round */
    char *lost_title, *orphan_title;
};

static void cc_free(void *priv)
{
    struct cc_op *x = priv;
    if (x->set_begun)
        step_op_clear(&x->set);
    cc_ask_clear(&x->ask);
    cc_facts_clear(&x->facts);
    for (size_t i = 0; i < x->requeue_len; i++)
        k8s_call_clear(&x->requeue[i]);
    free(x->requeue);
    gcp_call_clear(&x->cluster);
    gcp_lro_clear(&x->opening);
    cc_broken_clear(&x->broken);
    manifest_list_clear(&x->list);
    json_decref(x->live);
    free(x->lost_title);
    free(x->orphan_title);
    free(x);
}

enum cc_part cc_part_of(const struct step_op *s)
{
    for (unsigned part = 0; part < CC_PART_MAX; part++)
        if (rd_streq(s->row->core.id, cc_part_name(part)))
            return part;
    RD_UNREACHABLE();
}

bool cc_render_part(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    enum cc_part part = cc_part_of(s);
    if (!cc_render(s->ctx, part, out, reterr))
        return false;
    return !s->ctx->going_down || part != CC_GKE ||
           (cc_render(s->ctx, CC_POOL_CPU, out, reterr) &&
            cc_render(s->ctx, CC_POOL_GPU, out, reterr));
}

bool cc_connect(struct step_ctx *ctx, struct rd_err **reterr)
{
    if (!ctx->gcp && !google_connect(ctx, reterr))
        return false;
    if (ctx->management || !json_is_string(step_fact(ctx, "mgmt.endpoint")))
        return true;
    return google_connect_management(ctx, reterr);
}

/* ---- Custom resources ---- */

static struct cc_op *outer(struct step_op *set)
{
    return container_of(set, struct cc_op, set);
}

static size_t index_of(const struct cc_op *x, const json_t *wanted)
{
    RD_AUTOFREE char *title = manifest_object_title(wanted);
    for (size_t i = 0; i < x->list.len; i++) {
        RD_AUTOFREE char *other = manifest_object_title(x->list.v[i].json);
        if (rd_streq(title, other))
            return i;
    }
    RD_UNREACHABLE();
}

static bool may_create(struct step_op *set, const json_t *wanted, struct rd_err **reterr)
{
    struct cc_op *x = outer(set);
    if (set->verb != VERB_LOOK)
        return true; /* LOOK has just asked */
    size_t i = index_of(x, wanted);
    if (!cc_ask_found(&x->ask, i) || cc_ask_ours(&x->ask, i) || set->ctx->config->adopt)
        return true;
    RD_AUTOFREE char *title = cc_google_title(wanted);
    rd_fail(reterr, RD_ERR_FOREIGN, "%s is already there and was not made by this deployment", title);
    rd_err_hint(*reterr, "Remove or rename it, deploy under another name (--name), or let this "
                         "deployment take it over, and delete it at teardown: raydeploy up --adopt.");
    rd_err_resource(*reterr, "%s", title);
    return false;
}

static void seen(struct step_op *set, const json_t *wanted, const json_t *live)
{
    RD_AUTOFREE char *title = manifest_object_title(wanted);
    json_object_set(outer(set)->live, title, (json_t *)live);
}

static const struct set_options cc_set = {
    .render = cc_render_part, .management = true, .may_create = may_create, .seen = seen};

static void begin_set(struct cc_op *x, struct op *op,
                      void (*fn)(struct step_op *, struct op *, const struct set_options *))
{
    x->state = AT_SET;
    x->set_begun = true;
    x->set.ctx = x->s->ctx;
    x->set.row = x->s->row;
    x->set.verb = x->s->verb;
    x->set.may_start = x->s->may_start;
    fn(&x->set, op, &cc_set);
}

/* The set's verdict becomes the step's. */
static void take_set(struct cc_op *x)
{
    struct step_op *s = x->s;
    s->verdict = x->set.verdict;
    rd_str_take(&s->reason, x->set.reason);
    x->set.reason = NULL;
    rd_err_free(s->why);
    s->why = x->set.why;
    x->set.why = NULL;
}

/* ---- What is on one side only ---- */

static bool counts_as_lost(const json_t *object)
{
    /* A service account that was just made answers 404 for a while. */
    return !rd_streq(rd_json_str(object, "kind", NULL), "IAMServiceAccount");
}

static void compare(struct cc_op *x)
{
    for (size_t i = 0; i < x->list.len; i++) {
        const json_t *o = x->list.v[i].json;
        RD_AUTOFREE char *title = manifest_object_title(o);
        bool object = json_object_get(x->live, title) != NULL;
        if (!object && cc_ask_ours(&x->ask, i) && x->orphans++ == 0)
            x->orphan_title = cc_google_title(o);
        if (object && x->ask.asked[i] && !cc_ask_found(&x->ask, i) && counts_as_lost(o) &&
            x->lost++ == 0)
            x->lost_title = cc_google_title(o);
    }
}

static bool is_failed(const json_t *live)
{
    struct k8s_verdict v;
    k8s_judge(live, rd_wall_ms(), &v);
    bool failed = v.status == K8S_FAILED;
    k8s_verdict_clear(&v);
    return failed;
}

/* ---- LOOK ---- */

static bool is_pool(const struct step_op *s)
{
    enum cc_part part = cc_part_of(s);
    return part == CC_POOL_CPU || part == CC_POOL_GPU;
}

static bool needs_facts(const struct cc_op *x)
{
    const struct step_op *s = x->s;
    if (s->verdict.found == FOUND_READY)
        return true;
    /* What is inside the cluster can only be looked at, and deleted, through its API server. */
    return cc_part_of(s) == CC_GKE && x->ask.len && cc_ask_found(&x->ask, 0) &&
           s->verdict.found == FOUND_PENDING && (s->ctx->going_down || !s->may_start);
}

static void look_end(struct cc_op *x, struct op *op)
{
    struct step_op *s = x->s;
    take_set(x);
    compare(x);
    RD_AUTOFREE char *broken =
        s->half_made && s->may_start && !s->ctx->going_down ? cc_broken_reason(&x->ask) : NULL;
    enum phase_finding found = s->verdict.found;
    char *unready = NULL;
    bool absent_or_there = found == FOUND_ABSENT || found == FOUND_PENDING || found == FOUND_READY ||
                           found == FOUND_FOREIGN;
    if (s->ctx->going_down && x->orphans && absent_or_there && !s->verdict.ours) {
        s->verdict.found = FOUND_PENDING;
        s->verdict.kept = false;
        s->verdict.ours = true;
        rd_str_take(&s->reason, rd_asprintf("%s is at Google without its object", x->orphan_title));
    } else if (broken && (found == FOUND_PENDING || found == FOUND_READY)) {
        s->verdict.found = FOUND_PENDING;
        s->verdict.drifted = true;
        rd_str_take(&s->reason, rd_strdup(broken));
    } else if (found == FOUND_READY && x->lost) {
        s->verdict.found = FOUND_PENDING;
        s->verdict.drifted = true;
        rd_str_take(&s->reason, rd_asprintf("%s is gone at Google", x->lost_title));
    } else if (found == FOUND_READY && !s->ctx->going_down &&
               (unready = cc_gke_unready(&x->ask)) != NULL) {
        s->verdict.found = FOUND_PENDING;
        rd_str_take(&s->reason, unready);
    } else if (found == FOUND_PENDING && !s->ctx->going_down && !s->verdict.drifted) {
        /* What failed before is worth another try: its cause may be gone. */
        const char *title;
        json_t *live;
        json_object_foreach (x->live, title, live) {
            if (is_failed(live)) {
                s->verdict.drifted = true;
                cc_stale_set(s->ctx, title, live);
            }
        }
    }
    if (!needs_facts(x)) {
        op_finish(op, NULL);
        return;
    }
    x->state = AT_FACTS;
    cc_facts_start(&x->facts, op, s, x->live, true);
}

static void facts_end(struct cc_op *x, struct op *op)
{
    struct step_op *s = x->s;
    struct rd_err *err = op_take_err(&x->facts.op);
    if (s->verdict.found != FOUND_READY) {
        rd_err_free(err); /* what could not be learned is not there to be looked at */
        op_finish(op, NULL);
    } else if (err) {
        step_end_error(s, err);
    } else if (x->facts.ready) {
        op_finish(op, NULL);
    } else {
        s->verdict.drifted = x->facts.closed;
        step_end(s, FOUND_PENDING, "%s", x->facts.reason ? x->facts.reason : "not ready yet");
    }
}

/* ---- START: what had failed is tried again at once ---- */

/* It says what it said before this START: not an answer to what was just applied. */
static bool had_failed(struct step_ctx *ctx, const char *title, const json_t *live)
{
    return is_failed(live) && cc_is_stale(ctx, title, live, 0);
}

/* Where nothing had failed and nothing was changed either, something is gone at Google: all are given
 * another look, because only Config Connector knows what hangs on what. */
static bool start_requeue(struct cc_op *x, struct op *op)
{
    struct step_op *s = x->s;
    size_t failed = 0;
    const char *title;
    json_t *live;
    json_object_foreach (x->live, title, live) {
        failed += had_failed(s->ctx, title, live);
    }
    bool all = x->broken.removed > 0 || (failed == 0 && s->ctx->writes == x->writes_before);
    x->requeue = rd_calloc(json_object_size(x->live) + 1, sizeof(*x->requeue));
    json_object_foreach (x->live, title, live) {
        if (!all && !had_failed(s->ctx, title, live))
            continue;
        struct k8s_call *k = &x->requeue[x->requeue_len++];
        cc_requeue_init(k, s->ctx->management, live);
        s->ctx->writes++;
        k8s_call_start(k, op);
    }
    return x->requeue_len > 0;
}

/* A cluster that is up with its DNS endpoint closed is opened at GKE itself. */
static void ask_cluster(struct cc_op *x, struct op *op)
{
    const struct config *c = x->s->ctx->config;
    RD_AUTOFREE char *name = cc_cluster(c);
    x->state = AT_CLUSTER;
    gcp_cluster_get(&x->cluster, x->s->ctx->gcp, c->project, c->region, name);
    gcp_call_start(&x->cluster, op);
}

static void open_endpoint(struct cc_op *x, struct op *op)
{
    const struct config *c = x->s->ctx->config;
    struct rd_err *err = op_take_err(&x->cluster.op);
    RD_AUTOFREE char *name = cc_cluster(c);
    if (err) {
        step_end_error(x->s, err);
        return;
    }
    if (!x->cluster.result || !cc_endpoint_closed(x->s->ctx, x->cluster.result) ||
        !rd_streq(rd_json_str(x->cluster.result, "status", NULL), "RUNNING")) {
        op_finish(op, NULL);
        return;
    }
    RD_AUTOJSON json_t *update =
        rd_json_pack("{s:{s:{s:b}}}", "desiredControlPlaneEndpointsConfig", "dnsEndpointConfig",
                     "allowExternalTraffic", 1);
    x->state = AT_OPENING;
    x->s->ctx->writes++;
    gcp_cluster_update(&x->opening, x->s->ctx->gcp, c->project, c->region, name, update);
    gcp_lro_start(&x->opening, op);
}

/* What follows the apply. */
static void start_rest(struct cc_op *x, struct op *op)
{
    const struct step_ctx *ctx = x->s->ctx;
    if (cc_part_of(x->s) == CC_GKE && rd_streq(ctx->config->network.control_plane, "dns") &&
        !cc_has_dns_endpoint(ctx))
        ask_cluster(x, op);
    else
        op_finish(op, NULL);
}

static void start_end(struct cc_op *x, struct op *op)
{
    for (size_t i = 0; i < x->requeue_len; i++) {
        struct rd_err *err = op_take_err(&x->requeue[i].op);
        if (err) {
            step_end_error(x->s, err);
            return;
        }
    }
    start_rest(x, op);
}

/* ---- The op ---- */

static void cc_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct cc_op *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (x->state) {
    case AT_BEGIN:
        if (s->ctx->going_down && is_pool(s)) {
            step_end(s, FOUND_ABSENT, "goes with the cluster");
            return;
        }
        if (!cc_connect(s->ctx, &err) || !cc_render_part(s, &x->list, &err)) {
            step_end_error(s, err);
            return;
        }
        x->writes_before = s->ctx->writes;
        if (s->verb == VERB_START && s->half_made && (is_pool(s) || cc_part_of(s) == CC_GKE)) {
            x->state = AT_BROKEN;
            cc_broken_start(&x->broken, op, s, &x->list);
            return;
        }
        if (s->verb == VERB_START) {
            begin_set(x, op, set_start);
            return;
        }
        x->state = AT_GOOGLE;
        cc_ask_start(&x->ask, op, s->ctx, &x->list);
        return;
    case AT_BROKEN:
        if ((err = op_take_err(&x->broken.op)))
            step_end_error(s, err);
        else
            begin_set(x, op, set_start);
        return;
    case AT_GOOGLE:
        if ((err = op_take_err(&x->ask.op)))
            step_end_error(s, err);
        else
            begin_set(x, op, set_look);
        return;
    case AT_SET:
        err = op_take_err(&x->set.op);
        if (err) {
            step_end_error(s, err);
        } else if (s->verb == VERB_LOOK) {
            look_end(x, op);
        } else {
            take_set(x);
            x->state = AT_REQUEUE;
            if (s->verdict.found != FOUND_PENDING)
                op_finish(op, NULL);
            else if (!start_requeue(x, op))
                start_rest(x, op);
        }
        return;
    case AT_REQUEUE:
        start_end(x, op);
        return;
    case AT_CLUSTER:
        open_endpoint(x, op);
        return;
    case AT_OPENING:
        if ((err = op_take_err(&x->opening.op)))
            step_end_error(s, err);
        else
            op_finish(op, NULL);
        return;
    case AT_FACTS:
        facts_end(x, op);
        return;
    }
    RD_UNREACHABLE();
}

static void cc_begin(struct step_op *s, struct op *parent, const char *name)
{
    struct cc_op *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->live = json_object();
    s->priv = x;
    s->free_priv = cc_free;
    op_start(&s->op, parent, cc_step, name);
}

void cc_look(struct step_op *s, struct op *parent)
{
    cc_begin(s, parent, "look");
}

void cc_start(struct step_op *s, struct op *parent)
{
    cc_begin(s, parent, "start");
}

/* ---- Steps with more to say; the part knows what ---- */

void gke_look(struct step_op *s, struct op *parent)
{
    cc_look(s, parent);
}

void gke_start(struct step_op *s, struct op *parent)
{
    cc_start(s, parent);
}

void gke_watch(struct step_op *s, struct op *parent)
{
    cc_watch(s, parent);
}

void gke_undo(struct step_op *s, struct op *parent)
{
    cc_undo(s, parent);
}

void filestore_look(struct step_op *s, struct op *parent)
{
    cc_look(s, parent);
}

void filestore_start(struct step_op *s, struct op *parent)
{
    cc_start(s, parent);
}

void filestore_watch(struct step_op *s, struct op *parent)
{
    cc_watch(s, parent);
}

void filestore_undo(struct step_op *s, struct op *parent)
{
    cc_undo(s, parent);
}

/* ---- Another try ---- */

void cc_requeue_init(struct k8s_call *k, struct k8s_client *c, const json_t *live)
{
    const char *kind = rd_json_str(live, "kind", NULL);
    const char *ns = rd_json_str(live, "metadata", "namespace", NULL);
    const char *name = rd_json_str(live, "metadata", "name", NULL);
    const struct k8s_resource *r =
        k8s_resource_find(c, rd_json_str(live, "apiVersion", NULL), kind);
    RD_ASSERT(r && name); /* it was just applied */
    struct http_url u;
    k8s_url(&u, c, r, ns, name, NULL);
    http_url_query(&u, "fieldManager", "raydeploy-requeue");
    k8s_call_init(k, c, "PATCH", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(k, r, ns, name);
    RD_AUTOFREE char *now = rd_asprintf("%" PRId64, rd_wall_ms());
    /* The uid is a precondition: this object, not a later one of its name. */
    RD_AUTOJSON json_t *body =
        rd_json_pack("{s:{s:s?, s:{s:s}}}", "metadata", "uid",
                     rd_json_str(live, "metadata", "uid", NULL), "labels", CC_REQUEUE_LABEL, now);
    k8s_call_body_json(k, "application/merge-patch+json", body);
    k->write = true;
    k->http.idem = RETRY_SAFE;
}

static json_t *stale_map(struct step_ctx *ctx)
{
    json_t *map = json_object_get(ctx->session, "cc-stale");
    if (!map && ctx->session) {
        map = json_object();
        json_object_set_new(ctx->session, "cc-stale", map);
    }
    return map;
}

void cc_stale_set(struct step_ctx *ctx, const char *title, const json_t *live)
{
    json_t *status = json_object_get(live, "status");
    if (status && stale_map(ctx))
        json_object_set_new(stale_map(ctx), title, json_deep_copy(status));
}

bool cc_is_stale(struct step_ctx *ctx, const char *title, const json_t *live, uint64_t waited_ms)
{
    json_t *old = json_object_get(stale_map(ctx), title);
    if (!old)
        return false;
    if (waited_ms < STALE_MS && json_equal(old, json_object_get(live, "status")))
        return true;
    json_object_del(stale_map(ctx), title);
    return false;
}
