/* Step `mgmt`: the management cluster, by GKE's API. There is no request id for a cluster, so the name
 * is what makes creating it safe: whoever comes second finds it and waits. WATCH follows the operation
 * under way, whichever run began it, and ends with Google's own words. */
#include "phase/steps/mgmt_op.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* The name of a DNS endpoint that was just made is not known everywhere at once. */
#define UNREACHED_MS (3 * 60000)
#define PROBE_MS 20000
#define UPDATES_MAX 6

enum { ST_BEGIN, ST_LIST, ST_OPERATIONS, ST_WAIT, ST_PROBE, ST_PAUSE, ST_WRITE };

struct mgmt {
    struct step_op *s;
    struct gcp_call list, operations;
    struct gcp_lro lro;
    struct k8s_call probe;
    struct op_timer pause;
    char *location;         /* owned; of the cluster that was found */
    const json_t *cluster;  /* borrowed from list; NULL: absent */
    const char *writing;    /* static: what the write under way brings */
    uint64_t since_ms, unreached_ms;
    unsigned updates;
    int state;
};

static void mgmt_free(void *priv)
{
    struct mgmt *x = priv;
    struct op *ops[] = {&x->list.op, &x->operations.op, &x->lro.op, &x->probe.op, &x->pause.op};
    for (size_t i = 0; i < RD_ARRAY_LEN(ops); i++)
        rd_err_free(op_take_err(ops[i]));
    gcp_call_clear(&x->list);
    gcp_call_clear(&x->operations);
    gcp_lro_clear(&x->lro);
    k8s_call_clear(&x->probe);
    free(x->location);
    free(x);
}

static const char *status_of(const struct mgmt *x)
{
    const char *status = rd_json_str(x->cluster, "status", NULL);
    return status ? status : "";
}

static void list(struct mgmt *x, struct op *op)
{
    x->state = ST_LIST;
    x->cluster = NULL;
    gcp_call_clear(&x->list);
    gcp_clusters_list(&x->list, x->s->ctx->gcp, x->s->ctx->config->project, "-");
    gcp_call_start(&x->list, op);
}

/* False: the step has been ended. */
static bool listed(struct mgmt *x)
{
    struct step_op *s = x->s;
    bool off = mgmt_api_off(&x->list);
    struct rd_err *err = op_take_err(&x->list.op);
    if (err && !(off && s->verb == VERB_LOOK)) {
        step_end_error(s, err);
        return false;
    }
    rd_err_free(err);
    x->cluster = mgmt_cluster_find(x->list.result, MGMT_CLUSTER);
    if (x->cluster) {
        rd_str_dup(&x->location, rd_json_str(x->cluster, "location", NULL));
        return true;
    }
    size_t blind = json_array_size(json_object_get(x->list.result, "missingZones"));
    if (blind) { /* it may be in one of these */
        err = rd_err_new(RD_ERR_TRANSIENT, "GKE cannot say what is in %zu zones just now", blind);
        step_end_error(s, err);
        return false;
    }
    return true;
}

/* ---- LOOK ---- */

static bool publish(struct mgmt *x)
{
    struct gcp_endpoint e;
    struct rd_err *err = NULL;
    if (!gcp_cluster_endpoint(x->cluster, &e, &err)) {
        step_end_error(x->s, err);
        return false;
    }
    step_publish(x->s, "mgmt.endpoint", json_string(e.server));
    step_publish(x->s, "mgmt.ca", google_ca_fact(e.ca_pem));
    gcp_endpoint_clear(&e);
    if (google_connect_management(x->s->ctx, &err))
        return true;
    step_end_error(x->s, err);
    return false;
}

static void probe(struct mgmt *x, struct op *op)
{
    struct http_url u;
    struct k8s_client *c = x->s->ctx->management;
    x->state = ST_PROBE;
    http_url_init(&u, k8s_client_server(c));
    http_url_path(&u, "/version");
    k8s_call_clear(&x->probe);
    k8s_call_init(&x->probe, c, "GET", http_url_str(&u));
    http_url_clear(&u);
    x->probe.timeout_ms = PROBE_MS;
    k8s_call_start(&x->probe, op);
}

static void look_down_end(struct mgmt *x)
{
    struct step_op *s = x->s;
    if (!x->cluster) {
        s->ctx->lockless = true; /* its cluster is not there: the local lock has to do */
        step_end(s, FOUND_ABSENT, "there is no management cluster");
        return;
    }
    if (rd_streq(status_of(x), "STOPPING")) {
        s->ctx->lockless = true;
        s->verdict.ours = true;
        step_end(s, FOUND_LEAVING, "being deleted");
        return;
    }
    s->verdict.ours = mgmt_is_ours(x->cluster);
    bool answers = !rd_streq(status_of(x), "ERROR") && !rd_streq(status_of(x), "PROVISIONING");
    s->ctx->lockless = !answers;
    if (answers && !publish(x))
        return;
    if (s->verdict.ours)
        step_end(s, FOUND_READY, "cluster %s", MGMT_CLUSTER);
    else
        mgmt_end_foreign(s, "cluster", MGMT_CLUSTER);
}

static void end_not_fit(struct mgmt *x)
{
    struct step_op *s = x->s;
    const char *lacks = NULL;
    json_decref(mgmt_cluster_update(s->ctx->config, x->cluster, &lacks));
    if (!s->verdict.ours) {
        s->why = rd_err_new(RD_ERR_FOREIGN, "cluster %s is there, is not marked as raydeploy's, and "
                                            "lacks %s",
                            MGMT_CLUSTER, lacks ? lacks : "what is needed");
        rd_err_hint(s->why, "Give it that yourself, or run `raydeploy bootstrap --adopt` to let "
                            "raydeploy change it and take it over.");
        rd_err_resource(s->why, "%s", MGMT_CLUSTER);
        step_end(s, FOUND_FOREIGN, "%s", s->why->message);
        return;
    }
    s->why = rd_err_new(RD_ERR_PREFLIGHT, "cluster %s lacks %s", MGMT_CLUSTER,
                        lacks ? lacks : "what is needed");
    rd_err_hint(s->why, "Run `raydeploy bootstrap`, which adds it.");
    step_end(s, FOUND_FAILED, "%s", s->why->message);
}

static struct rd_err *broken(const struct mgmt *x)
{
    const char *said = rd_json_str(x->cluster, "statusMessage", NULL);
    struct rd_err *err = rd_err_new(RD_ERR_FAILED, "GKE could not make cluster %s: %s", MGMT_CLUSTER,
                                    said ? said : "it is in state ERROR");
    rd_err_hint(err, "Once the cause is gone, run the same command again: what is left of it is "
                     "deleted and made anew.");
    rd_err_resource(err, "%s", MGMT_CLUSTER);
    if (said)
        err->remote = rd_strdup(said);
    return err;
}

/* What is there, judged; goes on to the probe when it should answer. */
static void judge(struct mgmt *x, struct op *op)
{
    struct step_op *s = x->s;
    const struct config *c = s->ctx->config;
    const char *status = status_of(x);
    if (!x->cluster) {
        mgmt_end_absent(s, "there is no management cluster %s", MGMT_CLUSTER);
        return;
    }
    s->verdict.ours = mgmt_is_ours(x->cluster);
    bool may_change = s->may_start && (s->verdict.ours || c->adopt);
    if (rd_streq(status, "STOPPING")) {
        step_end(s, FOUND_LEAVING, "being deleted");
        return;
    }
    if (rd_streq(status, "ERROR")) {
        s->verdict.drifted = may_change && s->verb == VERB_LOOK;
        if (s->verdict.drifted)
            step_end(s, FOUND_PENDING, "in state ERROR: to be made anew");
        else
            step_end_error(s, broken(x));
        return;
    }
    if (rd_streq(status, "PROVISIONING")) {
        step_end(s, FOUND_PENDING, "GKE is making it");
        return;
    }
    const char *lacks = NULL;
    json_t *update = mgmt_cluster_update(c, x->cluster, &lacks);
    json_decref(update);
    bool mark = may_change && !s->verdict.ours;
    s->verdict.drifted = may_change && (update || mark);
    if (s->verdict.drifted && s->verb == VERB_LOOK) {
        step_end(s, FOUND_PENDING, "to be given %s", lacks ? lacks : "our mark");
        return;
    }
    if (!mgmt_cluster_fits(c, x->cluster)) {
        end_not_fit(x);
        return;
    }
    if (publish(x))
        probe(x, op);
}

static void probed(struct mgmt *x, struct op *op)
{
    struct step_op *s = x->s;
    struct rd_err *err = op_take_err(&x->probe.op);
    if (!err) {
        step_end(s, FOUND_READY, "cluster %s in %s%s", MGMT_CLUSTER, x->location,
                 s->verdict.ours ? "" : ", used as it is");
        return;
    }
    bool passes = rd_err_transient(err->kind) || err->kind == RD_ERR_NETWORK;
    uint64_t now = op_now_ms(op);
    if (!x->unreached_ms)
        x->unreached_ms = now;
    if (!passes || (s->verb == VERB_WATCH && now - x->unreached_ms > UNREACHED_MS)) {
        rd_err_wrap(err, "the API server of %s", MGMT_CLUSTER);
        step_end_error(s, err);
        return;
    }
    if (s->verb != VERB_WATCH) {
        step_end(s, FOUND_PENDING, "the API server does not answer yet: %s", err->message);
        rd_err_free(err);
        return;
    }
    step_note(s, "the API server does not answer yet: %s", err->message);
    rd_err_free(err);
    x->state = ST_PAUSE;
    if (!op_timer_start(&x->pause, op, gcp_poll_pause_ms((now - x->unreached_ms) * 10)))
        step_end_error(s, op_take_err(&x->pause.op));
}

/* ---- WATCH ---- */

static void ask_operations(struct mgmt *x, struct op *op)
{
    x->state = ST_OPERATIONS;
    gcp_call_clear(&x->operations);
    gcp_operations_list(&x->operations, x->s->ctx->gcp, x->s->ctx->config->project, x->location);
    gcp_call_start(&x->operations, op);
}

static void on_progress(struct gcp_lro *l, const json_t *operation)
{
    struct mgmt *x = l->ctx;
    const char *detail = rd_json_str(operation, "detail", NULL);
    const char *stage = rd_json_path_str(operation, "progress.name");
    if (detail && *detail)
        step_note(x->s, "%s", detail);
    else if (stage && *stage)
        step_note(x->s, "GKE: %s", stage);
}

/* Of a failed operation; NULL: it did not fail. What is done is done: it does not pass by itself. */
static struct rd_err *failure_of(const json_t *operation)
{
    struct gcp_fault fault = {0};
    struct rd_err *err = NULL;
    if (operation)
        (void)gcp_lro_done(GCP_CONTAINER, operation, "create cluster " MGMT_CLUSTER, &fault, &err);
    gcp_fault_clear(&fault);
    if (err && rd_err_transient(err->kind))
        err->kind = RD_ERR_FAILED;
    if (err && !err->hint)
        rd_err_hint(err, "Once the cause is gone, run the same command again: what is left of it is "
                         "deleted and made anew.");
    return err;
}

static void operations_known(struct mgmt *x, struct op *op)
{
    struct step_op *s = x->s;
    struct rd_err *err = op_take_err(&x->operations.op);
    const json_t *made = err ? NULL : mgmt_operation_find(x->operations.result, "CREATE_CLUSTER",
                                                          MGMT_CLUSTER);
    rd_err_free(err); /* the cluster itself tells, only later */
    const char *name = rd_json_str(made, "name", NULL);
    if (!x->cluster || rd_streq(status_of(x), "ERROR")) {
        err = failure_of(made);
        if (!err && x->cluster)
            err = broken(x);
        if (err)
            step_end_error(s, err);
        else
            step_end(s, FOUND_ABSENT, "it has gone again");
        return;
    }
    if (name && !rd_streq(rd_json_str(made, "status", NULL), "DONE")) {
        x->state = ST_WAIT;
        gcp_lro_clear(&x->lro);
        x->lro.on_progress = on_progress;
        x->lro.ctx = x;
        rd_str_dup(&x->lro.project, s->ctx->config->project);
        rd_str_dup(&x->lro.location, x->location);
        gcp_lro_wait(&x->lro, op, s->ctx->gcp, GCP_CONTAINER, name,
                     "create cluster " MGMT_CLUSTER);
        return;
    }
    x->state = ST_PAUSE;
    if (!op_timer_start(&x->pause, op, gcp_poll_pause_ms(op_now_ms(op) - x->since_ms)))
        step_end_error(s, op_take_err(&x->pause.op));
}

static void watch_listed(struct mgmt *x, struct op *op)
{
    bool making = x->cluster && rd_streq(status_of(x), "PROVISIONING");
    bool failed = x->cluster && rd_streq(status_of(x), "ERROR");
    if ((making || failed) && x->location)
        ask_operations(x, op);
    else
        judge(x, op);
}

static void waited(struct mgmt *x, struct op *op)
{
    struct rd_err *err = op_take_err(&x->lro.op), *failure = failure_of(x->lro.operation);
    if (failure) {
        rd_err_free(err);
        err = failure;
    }
    if (err && !rd_err_transient(err->kind)) {
        step_end_error(x->s, err);
        return;
    }
    rd_err_free(err);
    list(x, op);
}

/* ---- START ---- */

static const char *zone_for_new(const struct step_ctx *ctx)
{
    if (ctx->config->management.zone)
        return ctx->config->management.zone;
    return json_string_value(json_array_get(step_fact(ctx, "region.zones"), 0));
}

static void create(struct mgmt *x, struct op *op)
{
    struct step_op *s = x->s;
    const struct config *c = s->ctx->config;
    const char *zone = zone_for_new(s->ctx);
    if (!zone) {
        step_end_error(s, rd_err_new(RD_ERR_PREFLIGHT, "the zones of %s are not known", c->region));
        return;
    }
    RD_AUTOFREE char *email = mgmt_node_email(c);
    RD_AUTOJSON json_t *body = mgmt_cluster_body(c, email);
    x->state = ST_WRITE;
    x->writing = "created";
    rd_str_dup(&x->location, zone);
    gcp_cluster_create(&x->lro, s->ctx->gcp, c->project, zone, body);
    x->lro.no_wait = true; /* WATCH finds it, as it would after a crash */
    x->lro.call.patience = GCP_PATIENT_ACCOUNT;
    gcp_lro_start(&x->lro, op);
}

static void remake(struct mgmt *x, struct op *op)
{
    x->state = ST_WRITE;
    x->writing = "deleted";
    step_note(x->s, "what is left of a failed attempt is being deleted");
    gcp_cluster_delete(&x->lro, x->s->ctx->gcp, x->s->ctx->config->project, x->location,
                       MGMT_CLUSTER);
    gcp_lro_start(&x->lro, op);
}

static void mark(struct mgmt *x, struct op *op)
{
    const char *fingerprint = rd_json_str(x->cluster, "labelFingerprint", NULL);
    json_t *old = rd_json_get(x->cluster, "resourceLabels", NULL);
    RD_AUTOJSON json_t *labels = old ? json_deep_copy(old) : json_object();
    json_object_set_new(labels, MGMT_MARK, json_string("true"));
    x->state = ST_WRITE;
    x->writing = "marked as ours";
    gcp_cluster_set_labels(&x->lro, x->s->ctx->gcp, x->s->ctx->config->project, x->location,
                           MGMT_CLUSTER, labels, fingerprint ? fingerprint : "");
    gcp_lro_start(&x->lro, op);
}

static void change(struct mgmt *x, struct op *op)
{
    struct step_op *s = x->s;
    const char *what = NULL;
    RD_AUTOJSON json_t *update = mgmt_cluster_update(s->ctx->config, x->cluster, &what);
    if (!mgmt_is_ours(x->cluster)) {
        mark(x, op);
    } else if (update && x->updates++ < UPDATES_MAX) {
        const char *etag = rd_json_str(x->cluster, "etag", NULL);
        if (etag)
            json_object_set_new(update, "etag", json_string(etag));
        x->state = ST_WRITE;
        x->writing = what;
        step_note(s, "is being given %s", what);
        gcp_cluster_update(&x->lro, s->ctx->gcp, s->ctx->config->project, x->location, MGMT_CLUSTER,
                           update);
        gcp_lro_start(&x->lro, op);
    } else {
        step_end(s, FOUND_PENDING, NULL);
    }
}

static void start_listed(struct mgmt *x, struct op *op)
{
    struct step_op *s = x->s;
    bool mine = x->cluster && (mgmt_is_ours(x->cluster) || s->ctx->config->adopt);
    if (!x->cluster)
        create(x, op);
    else if (!mine || rd_streq(status_of(x), "PROVISIONING") || rd_streq(status_of(x), "STOPPING"))
        step_end(s, FOUND_PENDING, NULL); /* somebody was faster; WATCH and LOOK judge */
    else if (rd_streq(status_of(x), "ERROR"))
        remake(x, op);
    else
        change(x, op);
}

/* Network and accounts have been made by now, so what is refused is no longer a matter of preflight;
 * quota, stockout and permission keep their own words and hints. */
static void written(struct mgmt *x, struct op *op)
{
    struct step_op *s = x->s;
    bool exists = x->lro.fault.situation == GCP_EXISTS;
    struct rd_err *err = op_take_err(&x->lro.op);
    if (err && !exists) {
        if (err->kind == RD_ERR_PREFLIGHT)
            err->kind = RD_ERR_FAILED;
        step_end_error(s, err);
        return;
    }
    rd_err_free(err);
    if (!exists)
        mgmt_wrote(s, "cluster " MGMT_CLUSTER, x->writing);
    bool created = rd_streq(x->writing, "created");
    gcp_lro_clear(&x->lro);
    if (created)
        step_end(s, FOUND_PENDING, "GKE is making it");
    else
        list(x, op);
}

/* ---- UNDO ---- */

static void undo_listed(struct mgmt *x, struct op *op)
{
    struct step_op *s = x->s;
    s->ctx->lockless = true; /* the lock goes with the cluster */
    if (!x->cluster) {
        step_end(s, FOUND_ABSENT, "gone");
        return;
    }
    if (!mgmt_is_ours(x->cluster)) {
        mgmt_end_foreign(s, "cluster", MGMT_CLUSTER);
        return;
    }
    x->state = ST_WRITE;
    step_note(s, "GKE is deleting it");
    gcp_cluster_delete(&x->lro, s->ctx->gcp, s->ctx->config->project, x->location, MGMT_CLUSTER);
    x->lro.on_progress = on_progress;
    x->lro.ctx = x;
    gcp_lro_start(&x->lro, op);
}

static void unmade(struct mgmt *x)
{
    struct rd_err *err = op_take_err(&x->lro.op);
    if (err) {
        step_end_error(x->s, err);
        return;
    }
    mgmt_wrote(x->s, "cluster " MGMT_CLUSTER, "deleted");
    step_end(x->s, FOUND_ABSENT, "gone");
}

/* ---- The machine ---- */

static void mgmt_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct mgmt *x = s->priv;
    x->s = s;
    if (mgmt_rests(op))
        return;
    switch (x->state) {
    case ST_BEGIN:
        x->since_ms = op_now_ms(op);
        list(x, op);
        return;
    case ST_LIST:
        if (!listed(x))
            return;
        if (s->verb == VERB_START)
            start_listed(x, op);
        else if (s->verb == VERB_UNDO)
            undo_listed(x, op);
        else if (s->ctx->going_down)
            look_down_end(x);
        else if (s->verb == VERB_WATCH)
            watch_listed(x, op);
        else
            judge(x, op);
        return;
    case ST_OPERATIONS:
        operations_known(x, op);
        return;
    case ST_WAIT:
        waited(x, op);
        return;
    case ST_PROBE:
        probed(x, op);
        return;
    case ST_PAUSE:
        list(x, op);
        return;
    case ST_WRITE:
        if (s->verb == VERB_UNDO)
            unmade(x);
        else
            written(x, op);
        return;
    }
    RD_UNREACHABLE();
}

static void begin(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct mgmt), mgmt_step, mgmt_free, "mgmt");
}

void mgmt_look(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void mgmt_start(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void mgmt_watch(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}

void mgmt_undo(struct step_op *s, struct op *parent)
{
    begin(s, parent);
}
