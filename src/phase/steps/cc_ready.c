/* Step `cc-ready`: the namespace and its context are applied, and Config Connector truly works: its own
 * objects healthy, its controllers and webhooks up, every kind we send established, and a dry run of a
 * first object comes back with the webhooks' work on it. Whether the account's roles have arrived
 * everywhere shows at the first real object, whose step is patient with refusals for some minutes. */
#include "phase/steps/mgmt_op.h"

#include "base/alloc.h"
#include "k8s/batch.h"
#include "k8s/delete.h"
#include "phase/steps/cc.h"
#include "phase/steps/cc_health.h"
#include "phase/steps/cc_operator.h"
#include "phase/steps/cc_others.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <string.h>

#define CORE_API "core.cnrm.cloud.google.com/v1beta1"
#define CONNECTOR "configconnector.core.cnrm.cloud.google.com"
#define CONTEXT "configconnectorcontext.core.cnrm.cloud.google.com"
#define SYSTEM "cnrm-system"
#define CACHE "cc.crds" /* in ctx->session: name -> definition, once established */

static const char *const core_crds[] = {"configconnectors.core.cnrm.cloud.google.com",
                                        "configconnectorcontexts.core.cnrm.cloud.google.com"};
/* Every kind of templates/cc. */
static const char *const kind_crds[] = {
    "computenetworks.compute.cnrm.cloud.google.com",
    "computesubnetworks.compute.cnrm.cloud.google.com",
    "computerouters.compute.cnrm.cloud.google.com",
    "computerouternats.compute.cnrm.cloud.google.com",
    "containerclusters.container.cnrm.cloud.google.com",
    "containernodepools.container.cnrm.cloud.google.com",
    "filestoreinstances.filestore.cnrm.cloud.google.com",
    "storagebuckets.storage.cnrm.cloud.google.com",
    "artifactregistryrepositories.artifactregistry.cnrm.cloud.google.com",
    "iamserviceaccounts.iam.cnrm.cloud.google.com",
    "iampolicymembers.iam.cnrm.cloud.google.com",
};
enum { CORE = RD_ARRAY_LEN(core_crds), KINDS = RD_ARRAY_LEN(kind_crds) };

enum {
    ST_BEGIN, ST_CORE, ST_OPERATOR, ST_DIFF, ST_HEALTH, ST_DRY_RUN, ST_APPLY, ST_OTHERS, ST_DELETE
};
enum { Q_CONNECTOR, Q_CONTEXT, Q_SYSTEM, Q_SETS, Q_DEPLOYMENTS, Q_VALIDATING, Q_MUTATING, Q_SLICES, QUESTIONS };

struct ready {
    struct step_op *s;
    struct k8s_call core[CORE], installed, kinds[KINDS], ask[QUESTIONS];
    struct manifest_list list;
    struct k8s_batch batch;
    struct k8s_apply dry;
    json_t *sample; /* owned; of the dry run */
    struct k8s_delete del;
    struct cc_others others;
    struct cc_operator operator;
    struct rd_err *foreign; /* owned */
    size_t absent, drifted;
    bool batch_set, delete_set, operator_set, operator_done;
    int state;
};

static void ready_free(void *priv)
{
    struct ready *x = priv;
    for (size_t i = 0; i < CORE; i++)
        rd_err_free(op_take_err(&x->core[i].op)), k8s_call_clear(&x->core[i]);
    rd_err_free(op_take_err(&x->installed.op));
    k8s_call_clear(&x->installed);
    for (size_t i = 0; i < KINDS; i++)
        rd_err_free(op_take_err(&x->kinds[i].op)), k8s_call_clear(&x->kinds[i]);
    for (size_t i = 0; i < QUESTIONS; i++)
        rd_err_free(op_take_err(&x->ask[i].op)), k8s_call_clear(&x->ask[i]);
    if (x->batch_set)
        rd_err_free(op_take_err(&x->batch.op)), k8s_batch_clear(&x->batch);
    if (x->delete_set)
        rd_err_free(op_take_err(&x->del.op)), k8s_delete_clear(&x->del);
    if (x->operator_set)
        cc_operator_clear(&x->operator);
    rd_err_free(op_take_err(&x->dry.op));
    k8s_apply_clear(&x->dry);
    cc_others_clear(&x->others);
    manifest_list_clear(&x->list);
    json_decref(x->sample);
    rd_err_free(x->foreign);
    free(x);
}

static struct k8s_client *client(const struct ready *x)
{
    return x->s->ctx->management;
}

static const struct k8s_resource *kind(const struct ready *x, const char *api, const char *name)
{
    const struct k8s_resource *r = k8s_resource_find(client(x), api, name);
    RD_ASSERT(r);
    return r;
}

static void get(struct ready *x, struct k8s_call *k, const char *api, const char *name_of_kind,
                const char *ns, const char *name)
{
    k8s_call_clear(k);
    k8s_get_init(k, client(x), kind(x, api, name_of_kind), ns, name);
    k->not_found_ok = true;
    k8s_call_start(k, &x->s->op);
}

static void list(struct ready *x, struct k8s_call *k, const char *api, const char *name_of_kind,
                 const char *ns, const char *selector)
{
    struct http_url u;
    const struct k8s_resource *r = kind(x, api, name_of_kind);
    k8s_url(&u, client(x), r, ns, NULL, NULL);
    if (selector)
        http_url_query(&u, "labelSelector", selector);
    k8s_call_init(k, client(x), "GET", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(k, r, ns, NULL);
    k8s_call_start(k, &x->s->op);
}

static const char *const crd_api = "apiextensions.k8s.io/v1";

/* ---- The operator and its own kinds ---- */

static bool by_hand(const struct ready *x)
{
    return rd_streq(x->s->ctx->config->management.connector, "manual");
}

static void ask_core(struct ready *x)
{
    x->state = ST_CORE;
    for (size_t i = 0; i < CORE; i++)
        get(x, &x->core[i], crd_api, "CustomResourceDefinition", NULL, core_crds[i]);
    if (by_hand(x))
        get(x, &x->installed, "apps/v1", "StatefulSet", "configconnector-operator-system",
            "configconnector-operator");
}

static void render_and_batch(struct ready *x, struct op *op, enum k8s_batch_verb verb);

/* False: the step has been ended. */
static bool take(struct ready *x, struct op *of)
{
    struct rd_err *err = op_take_err(of);
    if (err)
        step_end_error(x->s, err);
    return err == NULL;
}

static void core_known(struct ready *x, struct op *op)
{
    bool there = true;
    for (size_t i = 0; i < CORE; i++) {
        if (!take(x, &x->core[i].op))
            return;
        there = there && cc_crd_established(x->core[i].result);
    }
    if (x->installed.client && !take(x, &x->installed.op))
        return;
    if (x->s->verb == VERB_START && by_hand(x) && !x->operator_done) {
        /* Applied again also when it is there: a newer one may have been asked for. */
        x->state = ST_OPERATOR;
        x->operator_set = true;
        cc_operator_start(&x->operator, op, x->s);
    } else if (there) {
        render_and_batch(x, op, x->s->verb == VERB_START ? K8S_BATCH_APPLY : K8S_BATCH_DIFF);
    } else if (by_hand(x) && (x->installed.result || x->operator_done)) {
        x->s->verdict.ours = true;
        step_end(x->s, FOUND_PENDING, "the operator has not brought its kinds yet");
    } else if (by_hand(x)) {
        mgmt_end_absent(x->s, "Config Connector's operator is not installed");
    } else {
        x->s->verdict.ours = true;
        step_end(x->s, FOUND_PENDING, "GKE is installing the Config Connector add-on");
    }
}

/* ---- The namespace and its context ---- */

static bool may_touch(struct k8s_batch *b, size_t index, const json_t *live, struct rd_err **reterr)
{
    struct ready *x = b->ctx;
    (void)index;
    const char *by = rd_json_str(live, "metadata", "labels", MARK_MANAGED_BY, NULL);
    /* The add-on makes its own ConfigConnector; what we say about it there only adds to it. */
    bool shared = rd_streq(rd_json_str(live, "kind", NULL), "ConfigConnector");
    if (!live || shared || x->s->ctx->config->adopt || rd_streq(by, "raydeploy"))
        return true;
    RD_AUTOFREE char *title = manifest_object_title(live);
    rd_fail(reterr, RD_ERR_FOREIGN, "%s is there already and is not marked as raydeploy's", title);
    rd_err_hint(*reterr, "Remove it, or run the same command with --adopt to take it over.");
    rd_err_resource(*reterr, "%s", title);
    return false;
}

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct ready *x = b->ctx;
    bool apply = b->verb == K8S_BATCH_APPLY;
    bool wrote = r->outcome == K8S_OUT_CREATED || r->outcome == K8S_OUT_CONFIGURED;
    x->absent += r->outcome == K8S_OUT_CREATED || r->outcome == K8S_OUT_UNVALIDATED;
    x->drifted += r->outcome == K8S_OUT_CONFIGURED;
    x->s->ctx->writes += apply && wrote;
    step_note_resource(x->s, apply && wrote ? NOTE_INFO : NOTE_DEBUG, r->title, "%s",
                       r->err ? r->err->message : k8s_outcome_name(r->outcome));
}

static void render_and_batch(struct ready *x, struct op *op, enum k8s_batch_verb verb)
{
    struct rd_err *err = NULL;
    x->state = verb == K8S_BATCH_APPLY ? ST_APPLY : ST_DIFF;
    if (!cc_render(x->s->ctx, CC_BOOTSTRAP, &x->list, &err)) {
        step_end_error(x->s, err);
        return;
    }
    x->batch_set = true;
    k8s_batch_init(&x->batch, client(x), verb);
    x->batch.lock = true;
    x->batch.need_live = true;
    x->batch.parents_come = true;
    x->batch.hold_dependents = true;
    x->batch.may_touch = may_touch;
    x->batch.on_result = on_result;
    x->batch.ctx = x;
    k8s_batch_add_list(&x->batch, &x->list);
    k8s_batch_start(&x->batch, op);
}

/* ---- Health ---- */

static json_t *cache(const struct ready *x)
{
    json_t *session = x->s->ctx->session;
    if (session && !json_object_get(session, CACHE))
        json_object_set_new(session, CACHE, json_object());
    return json_object_get(session, CACHE);
}

static void ask_health(struct ready *x)
{
    x->state = ST_HEALTH;
    struct k8s_call *q = x->ask;
    get(x, &q[Q_CONNECTOR], CORE_API, "ConfigConnector", NULL, CONNECTOR);
    get(x, &q[Q_CONTEXT], CORE_API, "ConfigConnectorContext", CC_NAMESPACE, CONTEXT);
    get(x, &q[Q_SYSTEM], "v1", "Namespace", NULL, SYSTEM);
    list(x, &q[Q_SETS], "apps/v1", "StatefulSet", SYSTEM, NULL);
    list(x, &q[Q_DEPLOYMENTS], "apps/v1", "Deployment", SYSTEM, NULL);
    get(x, &q[Q_VALIDATING], "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
        NULL, "validating-webhook.cnrm.cloud.google.com");
    get(x, &q[Q_MUTATING], "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", NULL,
        "mutating-webhook.cnrm.cloud.google.com");
    list(x, &q[Q_SLICES], "discovery.k8s.io/v1", "EndpointSlice", SYSTEM,
         "kubernetes.io/service-name=cnrm-validating-webhook");
    for (size_t i = 0; i < KINDS; i++)
        if (!json_object_get(cache(x), kind_crds[i]))
            get(x, &x->kinds[i], crd_api, "CustomResourceDefinition", NULL, kind_crds[i]);
}

/* The definitions that are established; owned. *ret_missing: the first that is not. */
static json_t *definitions(struct ready *x, const char **ret_missing)
{
    json_t *all = json_array();
    for (size_t i = 0; i < KINDS; i++) {
        json_t *crd = json_object_get(cache(x), kind_crds[i]);
        if (!crd && cc_crd_established(x->kinds[i].result)) {
            crd = x->kinds[i].result;
            if (cache(x))
                json_object_set(cache(x), kind_crds[i], crd);
        }
        if (crd)
            json_array_append(all, crd);
        else if (!*ret_missing)
            *ret_missing = kind_crds[i];
    }
    return all;
}

static void start_dry_run(struct ready *x, struct op *op)
{
    x->state = ST_DRY_RUN;
    x->sample = rd_json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:b}}", "apiVersion",
                             "compute.cnrm.cloud.google.com/v1beta1", "kind", "ComputeNetwork",
                             "metadata", "name", "raydeploy-asks", "namespace", CC_NAMESPACE, "spec",
                             "autoCreateSubnetworks", 0);
    k8s_apply_init(&x->dry, client(x), x->sample);
    x->dry.dry_run = true;
    x->dry.looked = true;
    k8s_apply_start(&x->dry, op);
}

static void health_known(struct ready *x, struct op *op)
{
    struct step_op *s = x->s;
    for (size_t i = 0; i < QUESTIONS; i++)
        if (!take(x, &x->ask[i].op))
            return;
    for (size_t i = 0; i < KINDS; i++)
        if (x->kinds[i].client && !take(x, &x->kinds[i].op))
            return;
    const struct k8s_call *q = x->ask;
    const char *version = cc_version_of(q[Q_SYSTEM].result), *missing = NULL;
    struct rd_err *err = NULL;
    s->verdict.ours = true;
    if (version && !cc_check_version(version, &err)) {
        step_end_error(s, err);
        return;
    }
    struct cc_health h = {.connector = q[Q_CONNECTOR].result,
                          .context = q[Q_CONTEXT].result,
                          .sets = q[Q_SETS].result,
                          .deployments = q[Q_DEPLOYMENTS].result,
                          .validating = q[Q_VALIDATING].result,
                          .mutating = q[Q_MUTATING].result,
                          .slices = q[Q_SLICES].result,
                          .ns = CC_NAMESPACE};
    RD_AUTOJSON json_t *crds = definitions(x, &missing);
    RD_AUTOFREE char *lacks = cc_health_lacks(&h);
    if (!version) {
        step_end(s, FOUND_PENDING, "Config Connector has not said its version yet");
    } else if (missing) {
        step_end(s, FOUND_PENDING, "%s is not established yet", missing);
    } else if (lacks) {
        step_end(s, FOUND_PENDING, "%s", lacks);
    } else {
        step_publish(s, "cc.version", json_string(version));
        step_publish(s, "cc.features", cc_features(version, crds));
        start_dry_run(x, op);
    }
}

static void dry_run_known(struct ready *x)
{
    struct step_op *s = x->s;
    struct rd_err *err = op_take_err(&x->dry.op);
    /* Its webhooks are registered before they answer. */
    if (err && (rd_err_transient(err->kind) || err->http_status >= 500)) {
        step_end(s, FOUND_PENDING, "its webhooks do not answer yet: %s", err->message);
        rd_err_free(err);
        return;
    }
    if (err) {
        step_end_error(s, err);
        return;
    }
    const char *project = rd_json_str(x->dry.result, "metadata", "annotations",
                                      "cnrm.cloud.google.com/project-id", NULL);
    if (project)
        step_end(s, FOUND_READY, "version %s",
                 json_string_value(step_fact(s->ctx, "cc.version")));
    else
        step_end(s, FOUND_PENDING, "its webhooks are not at work yet");
}

static void diff_known(struct ready *x)
{
    struct step_op *s = x->s;
    if (!take(x, &x->batch.op))
        return;
    s->verdict.ours = x->absent < x->list.len;
    if (x->absent) {
        mgmt_end_absent(s, "%zu object%s to be created", x->absent, RD_PLURAL(x->absent));
    } else if (x->drifted && s->may_start && s->verb == VERB_LOOK) {
        s->verdict.drifted = true;
        step_end(s, FOUND_PENDING, "%zu object%s to be changed", x->drifted, RD_PLURAL(x->drifted));
    } else {
        ask_health(x);
    }
}

/* ---- Going down ---- */

static void undo_others(struct ready *x, struct op *op)
{
    struct step_op *s = x->s;
    if (!take(x, &x->others.op))
        return;
    if (s->verb == VERB_LOOK && x->others.foreign.len) {
        s->why = rd_err_new(RD_ERR_FOREIGN, "the management cluster serves other deployments: %s",
                            rd_buf_str(&x->others.text));
        rd_err_hint(s->why, "Tear those down first, or leave --management out: then the cluster "
                            "stays.");
        rd_err_resource(s->why, "%s", MGMT_CLUSTER);
        step_end(s, FOUND_FAILED, "%s", s->why->message);
        return;
    }
    if (s->verb == VERB_LOOK) {
        s->verdict.ours = true;
        step_end(s, FOUND_READY, "Config Connector");
        return;
    }
    if (x->others.foreign.len || x->others.ours) {
        s->why = rd_err_new(RD_ERR_REMAINS, "Config Connector still looks after %zu objects: %s",
                            x->others.foreign.len + x->others.ours, rd_buf_str(&x->others.text));
        step_end(s, FOUND_FAILED, "%s", s->why->message);
        return;
    }
    x->state = ST_DELETE;
    x->delete_set = true;
    k8s_delete_init(&x->del, client(x), kind(x, CORE_API, "ConfigConnectorContext"), CC_NAMESPACE,
                    CONTEXT);
    x->del.propagation = K8S_BACKGROUND;
    k8s_delete_start(&x->del, op);
}

static void down(struct ready *x, struct op *op)
{
    struct step_op *s = x->s;
    if (!client(x)) {
        step_end(s, FOUND_ABSENT, "there is no management cluster");
    } else if (!mgmt_goes(s->ctx)) {
        step_end(s, FOUND_READY, "stays");
    } else {
        x->state = ST_OTHERS;
        cc_others_start(&x->others, op, client(x), s->ctx->config);
    }
}

/* ---- The machine ---- */

static void ready_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct ready *x = s->priv;
    struct rd_err *err = NULL;
    x->s = s;
    if (mgmt_rests(op))
        return;
    switch (x->state) {
    case ST_BEGIN:
        if (s->ctx->going_down)
            down(x, op);
        else if (!client(x))
            mgmt_end_absent(s, "there is no management cluster");
        else
            ask_core(x);
        return;
    case ST_CORE:
        core_known(x, op);
        return;
    case ST_OPERATOR:
        if (!take(x, &x->operator.op))
            return;
        s->ctx->writes += x->operator.writes;
        x->operator_done = true;
        ask_core(x);
        return;
    case ST_DIFF:
        diff_known(x);
        return;
    case ST_APPLY:
        if (!take(x, &x->batch.op))
            return;
        s->verdict.ours = true;
        step_end(s, FOUND_PENDING, "applied");
        return;
    case ST_HEALTH:
        health_known(x, op);
        return;
    case ST_DRY_RUN:
        dry_run_known(x);
        return;
    case ST_OTHERS:
        undo_others(x, op);
        return;
    case ST_DELETE:
        err = op_take_err(&x->del.op);
        if (err) {
            step_end_error(s, err);
            return;
        }
        if (!x->del.was_absent)
            mgmt_wrote(s, "ConfigConnectorContext/" CC_NAMESPACE, "deleted");
        step_end(s, FOUND_ABSENT, "gone");
        return;
    }
    RD_UNREACHABLE();
}

static void begin(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct ready), ready_step, ready_free, "cc-ready");
}

void cc_ready_look(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void cc_ready_start(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void cc_ready_undo(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}
