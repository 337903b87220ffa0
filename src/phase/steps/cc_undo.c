/* UNDO of the Config Connector steps: in stages, each object until it is gone and Google says so too. */
#include "phase/steps/cc_internal.h"

#include "base/alloc.h"
#include "gcp/policy.h"
#include "phase/steps/names.h"

#include <stdlib.h>

/* Google may show for a moment what was just deleted. */
#define PROOF_MS 120000

/* Members before what they are members of, what is in a cluster or network after or before it (reference
 * config-connector 8.2, 8.3). Objects of one stage go together. */
unsigned cc_undo_stage(const json_t *object)
{
    const char *kind = rd_json_str(object, "kind", NULL);
    if (rd_streq(kind, "IAMPolicyMember"))
        return 0;
    if (rd_streq(kind, "ComputeRouterNAT") || rd_streq(kind, "ComputeSubnetwork"))
        return 1;
    /* Pools go with their cluster; deleted before it, each would cost minutes of its own. */
    if (rd_streq(kind, "ComputeNetwork") || rd_streq(kind, "IAMServiceAccount") ||
        rd_streq(kind, "ContainerNodePool"))
        return 3;
    return 2;
}

enum undo_state { U_BEGIN, U_LOOK, U_ABANDON, U_STAGE, U_GOOGLE, U_REST, U_EMPTY, U_PAUSE };

struct cc_undo {
    struct step_op *s;
    enum undo_state state;
    struct manifest_list list;
    struct k8s_batch batch;
    bool batch_set;
    json_t *live; /* title -> custom resource, ours */
    struct k8s_call *abandon; /* owned; one per object that stays at Google */
    size_t abandon_len;
    unsigned stage;
    struct cc_ask ask;
    size_t rest;            /* the object that is deleted at Google itself */
    struct gcp_lro lro;
    struct gcp_call call;
    struct gcp_objects_delete objects;
    struct gcp_policy unbind;
    struct gcp_binding edit; /* of unbind */
    char *member;            /* owned; edit's */
    bool emptied;
    struct op_timer pause;
    uint64_t proof_since_ms;
    struct rd_err *why;     /* owned: the first that could not be deleted */
};

static void batch_clear(struct cc_undo *x)
{
    if (x->batch_set)
        k8s_batch_clear(&x->batch);
    x->batch_set = false;
}

static void undo_free(void *priv)
{
    struct cc_undo *x = priv;
    batch_clear(x);
    rd_err_freep(&x->pause.op.err);
    for (size_t i = 0; i < x->abandon_len; i++)
        k8s_call_clear(&x->abandon[i]);
    free(x->abandon);
    cc_ask_clear(&x->ask);
    gcp_lro_clear(&x->lro);
    gcp_call_clear(&x->call);
    gcp_objects_delete_clear(&x->objects);
    rd_err_free(op_take_err(&x->unbind.op));
    gcp_policy_clear(&x->unbind);
    free(x->member);
    manifest_list_clear(&x->list);
    json_decref(x->live);
    rd_err_free(x->why);
    rd_err_free(op_take_err(&x->pause.op));
    free(x);
}

/* ---- Custom resources ---- */

static bool may_touch(struct k8s_batch *b, size_t index, const json_t *live, struct rd_err **reterr)
{
    struct cc_undo *x = b->ctx;
    (void)index;
    (void)reterr;
    return live && names_is_ours(x->s->ctx->config, live);
}

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct cc_undo *x = b->ctx;
    struct step_op *s = x->s;
    if (b->dry_run) {
        if (r->outcome == K8S_OUT_DELETED && r->live)
            json_object_set(x->live, r->title, (json_t *)r->live);
        return;
    }
    bool deleted = r->outcome == K8S_OUT_DELETED;
    s->ctx->writes += deleted;
    if (r->outcome == K8S_OUT_FAILED)
        step_note_resource(s, NOTE_WARN, r->title, "%s", r->err->message);
    else
        step_note_resource(s, deleted ? NOTE_INFO : NOTE_DEBUG, r->title, "%s",
                           k8s_outcome_name(r->outcome));
}

static void on_note(struct k8s_batch *b, size_t index, const char *text)
{
    struct cc_undo *x = b->ctx;
    RD_AUTOFREE char *title = cc_google_title(k8s_batch_object(b, index));
    step_note(x->s, "%s: %s", title, text);
}

static void start_batch(struct cc_undo *x, struct op *op, bool dry_run)
{
    batch_clear(x);
    x->batch_set = true;
    k8s_batch_init(&x->batch, x->s->ctx->management, K8S_BATCH_DELETE);
    x->batch.propagation = K8S_BACKGROUND;
    x->batch.dry_run = dry_run;
    x->batch.need_live = true;
    x->batch.lock = true;
    x->batch.may_touch = may_touch;
    x->batch.on_result = on_result;
    x->batch.on_note = on_note;
    x->batch.ctx = x;
    for (size_t i = 0; i < x->list.len; i++)
        if (dry_run || cc_undo_stage(x->list.v[i].json) == x->stage)
            k8s_batch_add(&x->batch, x->list.v[i].json);
    k8s_batch_start(&x->batch, op);
}

/* Config Connector reads the annotation when it deletes. */
static void abandon(struct cc_undo *x, struct op *op, const json_t *live)
{
    struct k8s_client *c = x->s->ctx->management;
    const char *kind = rd_json_str(live, "kind", NULL);
    const char *ns = rd_json_str(live, "metadata", "namespace", NULL);
    const char *name = rd_json_str(live, "metadata", "name", NULL);
    const struct k8s_resource *r = k8s_resource_find(c, rd_json_str(live, "apiVersion", NULL), kind);
    struct k8s_call *k = &x->abandon[x->abandon_len++];
    struct http_url u;
    RD_ASSERT(r && name);
    k8s_url(&u, c, r, ns, name, NULL);
    http_url_query(&u, "fieldManager", K8S_FIELD_MANAGER);
    k8s_call_init(k, c, "PATCH", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(k, r, ns, name);
    RD_AUTOJSON json_t *body = rd_json_pack("{s:{s:s?, s:{s:s}}}", "metadata", "uid",
                                            rd_json_str(live, "metadata", "uid", NULL), "annotations",
                                            "cnrm.cloud.google.com/deletion-policy", "abandon");
    k8s_call_body_json(k, "application/merge-patch+json", body);
    k->write = true;
    k->http.idem = RETRY_SAFE;
    k8s_call_start(k, op);
}

static const json_t *live_of(const struct cc_undo *x, const json_t *object)
{
    RD_AUTOFREE char *title = manifest_object_title(object);
    return json_object_get(x->live, title);
}

static bool start_abandoning(struct cc_undo *x, struct op *op)
{
    x->abandon = rd_calloc(x->list.len + 1, sizeof(*x->abandon));
    for (size_t i = 0; i < x->list.len; i++) {
        const json_t *o = x->list.v[i].json, *live = live_of(x, o);
        const char *policy =
            rd_json_str(live, "metadata", "annotations", "cnrm.cloud.google.com/deletion-policy", NULL);
        if (live && cc_keeps(x->s->ctx, o) && !rd_streq(policy, "abandon"))
            abandon(x, op, live);
    }
    return x->abandon_len > 0;
}

/* ---- At Google itself: what has no custom resource any more ---- */

static bool alone_at_google(const struct cc_undo *x, size_t i)
{
    return cc_ask_ours(&x->ask, i) && !live_of(x, x->list.v[i].json);
}

/* A member goes with the policy of what is deleted. The project stays, and so does what is kept: there it would
 * be left behind, under the name of an account that is no more. Asked only about what is alone itself. */
static bool stays_behind(const struct cc_undo *x, const json_t *member)
{
    const char *account = rd_json_str(member, "spec", "memberFrom", "serviceAccountRef", "name", NULL);
    const char *of = rd_json_str(member, "spec", "resourceRef", "kind", NULL);
    const char *name = rd_json_str(member, "spec", "resourceRef", "name", NULL);
    if (!account || live_of(x, member))
        return false;
    for (size_t i = 0; i < x->list.len; i++) {
        const json_t *o = x->list.v[i].json;
        const char *kind = rd_json_str(o, "kind", NULL), *is = rd_json_str(o, "metadata", "name", NULL);
        bool alone = alone_at_google(x, i);
        if (alone && rd_streq(of, "Project") && rd_streq(kind, "IAMServiceAccount") &&
            rd_streq(is, account))
            return true;
        if (alone && rd_streq(kind, of) && rd_streq(is, name) && cc_keeps(x->s->ctx, o))
            return true;
    }
    return false;
}

static bool unbind(struct cc_undo *x, struct op *op, const json_t *object)
{
    struct step_ctx *ctx = x->s->ctx;
    const struct config *c = ctx->config;
    const char *of = rd_json_str(object, "spec", "resourceRef", "kind", NULL);
    const char *name = rd_json_str(object, "spec", "resourceRef", "name", NULL);
    RD_AUTOFREE char *email = cc_account_email(
        c, rd_json_str(object, "spec", "memberFrom", "serviceAccountRef", "name", NULL));
    RD_AUTOFREE char *path =
        rd_streq(of, "Project") ? rd_strdup(c->project)
        : rd_streq(of, "StorageBucket")
            ? rd_strdup(name)
            : rd_asprintf("projects/%s/locations/%s/repositories/%s", c->project, c->region, name);
    rd_err_free(op_take_err(&x->unbind.op));
    gcp_policy_clear(&x->unbind);
    rd_str_take(&x->member, rd_asprintf("serviceAccount:%s", email));
    x->edit = (struct gcp_binding){
        .role = rd_json_str(object, "spec", "role", NULL), .member = x->member, .remove = true};
    x->unbind.absent_ok = true;
    gcp_policy_start(&x->unbind, op, ctx->gcp,
                     rd_streq(of, "Project")         ? GCP_POLICY_PROJECT
                     : rd_streq(of, "StorageBucket") ? GCP_POLICY_BUCKET
                                                     : GCP_POLICY_REPOSITORY,
                     path, &x->edit, 1);
    return true;
}

static bool rest_delete(struct cc_undo *x, struct op *op, const json_t *object)
{
    struct step_ctx *ctx = x->s->ctx;
    const struct config *c = ctx->config;
    const char *kind = rd_json_str(object, "kind", NULL);
    const char *name = rd_json_str(object, "metadata", "name", NULL);
    const char *location = rd_json_str(object, "spec", "location", NULL);
    RD_AUTOFREE char *region = rd_asprintf("regions/%s", c->region);
    gcp_lro_clear(&x->lro);
    gcp_call_clear(&x->call);
    x->state = U_REST;
    if (rd_streq(kind, "IAMPolicyMember"))
        return unbind(x, op, object);
    if (rd_streq(kind, "ContainerCluster")) {
        gcp_cluster_delete(&x->lro, ctx->gcp, c->project, location, name);
    } else if (rd_streq(kind, "FilestoreInstance")) {
        gcp_filestore_delete(&x->lro, ctx->gcp, c->project, location, name);
    } else if (rd_streq(kind, "ArtifactRegistryRepository")) {
        gcp_repository_delete(&x->lro, ctx->gcp, c->project, location, name);
    } else if (rd_streq(kind, "ComputeNetwork")) {
        gcp_compute_delete(&x->lro, ctx->gcp, c->project, "global", "networks", name);
    } else if (rd_streq(kind, "ComputeSubnetwork")) {
        gcp_compute_delete(&x->lro, ctx->gcp, c->project, region, "subnetworks", name);
    } else if (rd_streq(kind, "ComputeRouter")) {
        gcp_compute_delete(&x->lro, ctx->gcp, c->project, region, "routers", name);
    } else if (rd_streq(kind, "StorageBucket")) {
        if (!x->emptied) {
            x->state = U_EMPTY;
            gcp_objects_delete_start(&x->objects, op, ctx->gcp, name, "");
            return true;
        }
        gcp_bucket_delete(&x->call, ctx->gcp, name);
        gcp_call_start(&x->call, op);
        return true;
    } else if (rd_streq(kind, "IAMServiceAccount")) {
        RD_AUTOFREE char *email = cc_account_email(c, name);
        gcp_account_delete(&x->call, ctx->gcp, c->project, email);
        gcp_call_start(&x->call, op);
        return true;
    } else {
        return false; /* a pool goes with its cluster */
    }
    x->lro.absent_ok = true;
    gcp_lro_start(&x->lro, op);
    return true;
}

/* It was found without a custom resource, it is ours, and nobody asked to keep it. */
static bool is_orphan(const struct cc_undo *x, size_t i)
{
    const json_t *o = x->list.v[i].json;
    if (rd_streq(rd_json_str(o, "kind", NULL), "IAMPolicyMember"))
        return stays_behind(x, o);
    return alone_at_google(x, i) && !cc_keeps(x->s->ctx, o) &&
           !rd_streq(rd_json_str(o, "kind", NULL), "ContainerNodePool");
}

/* The next orphan in the order of the stages. */
static bool next_orphan(struct cc_undo *x, struct op *op)
{
    for (; x->stage < CC_UNDO_STAGES; x->stage++, x->rest = 0)
        for (; x->rest < x->list.len; x->rest++)
            if (cc_undo_stage(x->list.v[x->rest].json) == x->stage && is_orphan(x, x->rest)) {
                RD_AUTOFREE char *title = cc_google_title(x->list.v[x->rest].json);
                step_note(x->s, "deleting %s, which has no object any more", title);
                if (rest_delete(x, op, x->list.v[x->rest].json))
                    return true;
            }
    return false;
}

static void take_rest(struct cc_undo *x)
{
    struct rd_err *err = op_take_err(&x->lro.op);
    if (!err)
        err = op_take_err(&x->call.op);
    if (!err)
        err = op_take_err(&x->unbind.op);
    RD_AUTOFREE char *title = cc_google_title(x->list.v[x->rest].json);
    if (!err) {
        x->s->ctx->writes++;
        step_note_resource(x->s, NOTE_INFO, title, "deleted");
    } else if (!x->why) {
        rd_err_resource(err, "%s", title);
        x->why = err;
    } else {
        rd_err_free(err);
    }
    x->rest++;
}

/* ---- Proof ---- */

static void ask_google(struct cc_undo *x, struct op *op)
{
    x->state = U_GOOGLE;
    cc_ask_clear(&x->ask);
    cc_ask_start(&x->ask, op, x->s->ctx, &x->list);
}

static void say_kept(struct cc_undo *x)
{
    json_t *kept = json_object_get(x->s->ctx->session, "kept");
    for (size_t i = 0; i < x->list.len; i++) {
        if (!cc_keeps(x->s->ctx, x->list.v[i].json) || !cc_ask_found(&x->ask, i))
            continue;
        RD_AUTOFREE char *title = cc_google_title(x->list.v[i].json);
        step_note_resource(x->s, NOTE_INFO, title, "kept, still billed");
        if (kept)
            json_array_append_new(kept, json_string(title));
    }
}

static void judge_proof(struct cc_undo *x, struct op *op)
{
    struct step_op *s = x->s;
    RD_AUTOFREE char *left = NULL;
    for (size_t i = 0; i < x->list.len && !left; i++)
        if (cc_ask_ours(&x->ask, i) && !cc_keeps(s->ctx, x->list.v[i].json))
            left = cc_google_title(x->list.v[i].json);
    uint64_t now = op_now_ms(op);
    if (!x->proof_since_ms)
        x->proof_since_ms = now;
    if (x->why) {
        step_end_error(s, x->why);
        x->why = NULL;
    } else if (!left) {
        say_kept(x);
        step_end(s, FOUND_ABSENT, "gone");
    } else if (now - x->proof_since_ms < PROOF_MS) {
        step_note(s, "%s is still there at Google", left);
        x->state = U_PAUSE;
        if (!op_timer_start(&x->pause, op, gcp_poll_pause_ms(now - x->proof_since_ms)))
            step_end_error(s, op_take_err(&x->pause.op));
    } else {
        s->why = rd_err_new(RD_ERR_REMAINS, "%s is still there, although its object is gone", left);
        rd_err_resource(s->why, "%s", left);
        rd_err_hint(s->why, "Run the same command again: what has no object any more is deleted at "
                            "Google itself.");
        step_end(s, FOUND_FAILED, "%s", s->why->message);
    }
}

/* ---- The op ---- */

static void next_stage(struct cc_undo *x, struct op *op)
{
    bool any = false;
    for (; x->stage < CC_UNDO_STAGES && !any; x->stage += !any)
        for (size_t i = 0; i < x->list.len; i++)
            any = any || cc_undo_stage(x->list.v[i].json) == x->stage;
    if (any) {
        x->state = U_STAGE;
        start_batch(x, op, false);
        return;
    }
    x->stage = 0;
    x->rest = 0;
    ask_google(x, op);
}

static void undo_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct cc_undo *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (x->state) {
    case U_BEGIN:
        if (!cc_connect(s->ctx, &err) || !cc_render_part(s, &x->list, &err))
            break;
        if (!s->ctx->management) {
            x->stage = 0;
            ask_google(x, op);
            return;
        }
        x->state = U_LOOK;
        start_batch(x, op, true);
        return;
    case U_LOOK:
        if ((err = op_take_err(&x->batch.op)))
            break;
        x->state = U_ABANDON;
        if (!start_abandoning(x, op))
            next_stage(x, op);
        return;
    case U_ABANDON:
        for (size_t i = 0; i < x->abandon_len && !err; i++)
            err = op_take_err(&x->abandon[i].op);
        if (err)
            break;
        next_stage(x, op);
        return;
    case U_STAGE:
        if ((err = op_take_err(&x->batch.op)))
            break;
        x->stage++;
        next_stage(x, op);
        return;
    case U_GOOGLE:
        if ((err = op_take_err(&x->ask.op)))
            break;
        if (!next_orphan(x, op))
            judge_proof(x, op);
        return;
    case U_EMPTY:
        if ((err = op_take_err(&x->objects.op)))
            break;
        x->emptied = true;
        (void)rest_delete(x, op, x->list.v[x->rest].json);
        return;
    case U_REST:
        take_rest(x);
        if (!next_orphan(x, op))
            ask_google(x, op);
        return;
    case U_PAUSE:
        ask_google(x, op);
        return;
    }
    step_end_error(s, err);
}

void cc_undo(struct step_op *s, struct op *parent)
{
    struct cc_undo *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->live = json_object();
    s->priv = x;
    s->free_priv = undo_free;
    op_start(&s->op, parent, undo_step, "undo");
}
