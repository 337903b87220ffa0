/* What a part of phase 1 tells the steps after it. */
#include "phase/steps/cc_internal.h"

#include "base/alloc.h"
#include "phase/steps/cluster.h"
#include "phase/steps/google.h"
#include "phase/steps/names.h"

#include <stdlib.h>

enum { F_BEGIN, F_CLUSTER, F_READYZ, F_EGRESS, F_FILESTORE, F_PAUSE };

void cc_facts_clear(struct cc_facts *f)
{
    gcp_call_clear(&f->get);
    k8s_call_clear(&f->readyz);
    k8s_call_clear(&f->service);
    k8s_call_clear(&f->slices);
    rd_str_take(&f->reason, NULL);
    rd_err_freep(&f->pause.op.err);
    rd_err_freep(&f->op.err);
}

static void done(struct cc_facts *f)
{
    rd_err_freep(&f->s->trouble);
    f->ready = true;
    op_finish(&f->op, NULL);
}

/* Not there yet: said once, or asked again at the pace of all polling. `trouble`: the error behind it, which
 * it ends with when the time is up; NULL: it only takes time. */
static void again(struct cc_facts *f, const char *reason, struct rd_err *take_trouble)
{
    rd_err_free(f->s->trouble);
    f->s->trouble = take_trouble;
    rd_str_dup(&f->reason, reason);
    if (f->once) {
        op_finish(&f->op, NULL);
        return;
    }
    step_note(f->s, "%s", reason);
    f->state = F_PAUSE;
    uint64_t waited = op_now_ms(&f->op) - f->since_ms;
    if (!op_timer_start(&f->pause, &f->op, gcp_poll_pause_ms(waited)))
        op_finish(&f->op, op_take_err(&f->pause.op));
}

/* ---- gke ---- */

static void ask_cluster(struct cc_facts *f)
{
    const struct config *c = f->s->ctx->config;
    RD_AUTOFREE char *name = cc_cluster(c);
    f->state = F_CLUSTER;
    gcp_call_clear(&f->get);
    gcp_cluster_get(&f->get, f->s->ctx->gcp, c->project, c->region, name);
    gcp_call_start(&f->get, &f->op);
}

static void get_path(struct cc_facts *f, struct k8s_call *call, const char *path)
{
    struct k8s_client *c = f->s->ctx->workload;
    RD_AUTOFREE char *url = rd_asprintf("%s%s", k8s_client_server(c), path);
    k8s_call_clear(call);
    k8s_call_init(call, c, "GET", url);
    call->timeout_ms = 10 * 1000;
    k8s_call_start(call, &f->op);
}

static void ask_readyz(struct cc_facts *f)
{
    f->state = F_READYZ;
    get_path(f, &f->readyz, "/readyz");
    f->readyz.raw = true;
}

/* A Config Connector that does not know the field leaves the endpoint as GKE makes it: closed. */
bool cc_endpoint_closed(const struct step_ctx *ctx, const json_t *cluster)
{
    return rd_streq(ctx->config->network.control_plane, "dns") && !cc_has_dns_endpoint(ctx) &&
           !rd_json_path_bool(
               cluster, "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic", false);
}

static void read_cluster(struct cc_facts *f)
{
    struct step_op *s = f->s;
    struct rd_err *err = NULL;
    const char *status = rd_json_str(f->get.result, "status", NULL);
    if (!f->get.result) {
        again(f, "GKE does not know the cluster", NULL);
        return;
    }
    if (rd_streq(status, "PROVISIONING") || rd_streq(status, "STOPPING") ||
        rd_streq(status, "ERROR")) {
        RD_AUTOFREE char *text = rd_asprintf("GKE says that the cluster is %s", status);
        again(f, text, NULL);
        return;
    }
    if (cc_endpoint_closed(s->ctx, f->get.result) && !s->ctx->going_down) {
        f->closed = true;
        rd_str_dup(&f->reason, "its DNS endpoint is to be opened");
        op_finish(&f->op, NULL);
        return;
    }
    struct gcp_endpoint e = {0};
    if (!gcp_cluster_endpoint(f->get.result, &e, &err)) {
        op_finish(&f->op, err);
        return;
    }
    step_publish(s, "gke.endpoint", json_string(e.server));
    step_publish(s, "gke.ca", google_ca_fact(e.ca_pem));
    gcp_endpoint_clear(&e);
    if (!s->ctx->workload && !google_connect_workload(s->ctx, &err)) {
        op_finish(&f->op, err);
        return;
    }
    ask_readyz(f);
}

static void read_readyz(struct cc_facts *f)
{
    struct rd_err *err = op_take_err(&f->readyz.op);
    if (err && rd_err_transient(err->kind)) {
        RD_AUTOFREE char *host = http_url_origin(k8s_client_server(f->s->ctx->workload));
        rd_err_wrap(err, "the cluster's API server at %s does not answer yet", host);
        if (!err->hint)
            rd_err_hint(err, "Run the same command again to go on from here; GKE mends a control plane "
                             "by itself. If it stays so, see what GKE says of the cluster: raydeploy "
                             "status.");
        RD_AUTOFREE char *text = rd_strdup(err->message);
        again(f, text, err);
    } else if (err) {
        rd_err_wrap(err, "ask the workload cluster whether it is ready");
        op_finish(&f->op, err);
    } else {
        f->state = F_EGRESS;
        get_path(f, &f->service, "/api/v1/namespaces/default/services/kubernetes");
        get_path(f, &f->slices, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
                                "?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes");
    }
}

static void read_egress(struct cc_facts *f)
{
    struct step_op *s = f->s;
    struct rd_err *err = op_take_err(&f->service.op);
    if (!err)
        err = op_take_err(&f->slices.op);
    if (err) {
        op_finish(&f->op, err);
        return;
    }
    step_publish(s, "api.egress", cluster_api_egress(f->service.result, f->slices.result));
    /* The share is NFS; without one, the claim is a disk of the cluster's default class. */
    bool shares = s->ctx->config->filestore.enabled;
    step_publish(s, "volume.modes",
                 rd_json_pack("[s]", shares ? "ReadWriteMany" : "ReadWriteOnce"));
    step_publish(s, "volume.one_node", json_boolean(!shares));
    done(f);
}

/* ---- filestore ---- */

static void ask_filestore(struct cc_facts *f)
{
    struct step_ctx *ctx = f->s->ctx;
    RD_AUTOFREE char *name = cc_filestore(ctx->config);
    RD_AUTOFREE char *location = cc_filestore_location(ctx);
    RD_ASSERT(location); /* the object could not have been rendered without */
    f->state = F_FILESTORE;
    gcp_call_clear(&f->get);
    gcp_filestore_get(&f->get, ctx->gcp, ctx->config->project, location, name);
    gcp_call_start(&f->get, &f->op);
}

static void read_filestore(struct cc_facts *f)
{
    const json_t *network = json_array_get(json_object_get(f->get.result, "networks"), 0);
    const char *ip =
        json_string_value(json_array_get(json_object_get(network, "ipAddresses"), 0));
    const char *state = rd_json_str(f->get.result, "state", NULL);
    if (!ip || (state && !rd_streq(state, "READY"))) {
        RD_AUTOFREE char *text =
            rd_asprintf("Filestore says that the instance is %s", state ? state : "not there");
        again(f, text, NULL);
        return;
    }
    step_publish(f->s, "filestore.ip", json_string(ip));
    done(f);
}

/* ---- storage ---- */

/* Each deployment spills under a prefix of its own, also when it is made anew under the same name in a
 * bucket that was kept: the uid of the bucket's object. The RayCluster's own uid is not known before
 * its pods' environment is. */
static void say_bucket(struct cc_facts *f)
{
    RD_AUTOFREE char *bucket = cc_bucket(f->s->ctx->config);
    const char *title, *uid = NULL;
    json_t *live;
    json_object_foreach ((json_t *)f->live, title, live) {
        if (rd_streq(rd_json_str(live, "kind", NULL), "StorageBucket"))
            uid = rd_json_str(live, "metadata", "uid", NULL);
    }
    step_publish(f->s, "spill.bucket", json_string(bucket));
    step_publish(f->s, "spill.prefix", json_string(uid ? uid : f->s->ctx->config->name));
    done(f);
}

static void say_nothing(struct cc_facts *f, enum cc_part part)
{
    if (part == CC_STORAGE) {
        step_publish(f->s, "spill.bucket", json_null());
        step_publish(f->s, "spill.prefix", json_null());
    } else if (part == CC_FILESTORE) {
        step_publish(f->s, "filestore.ip", json_null());
    }
    done(f);
}

static void begin(struct cc_facts *f)
{
    struct step_ctx *ctx = f->s->ctx;
    enum cc_part part = cc_part_of(f->s);
    if (!cc_part_wanted(ctx->config, part)) {
        say_nothing(f, part);
        return;
    }
    switch (part) {
    case CC_GKE:
        ask_cluster(f);
        return;
    case CC_FILESTORE:
        ask_filestore(f);
        return;
    case CC_STORAGE:
        say_bucket(f);
        return;
    case CC_ACCOUNTS: {
        RD_AUTOFREE char *account = cc_ray_account(ctx->config);
        RD_AUTOFREE char *email = cc_account_email(ctx->config, account);
        step_publish(f->s, "ray.email", json_string(email));
        done(f);
        return;
    }
    default:
        done(f);
    }
}

static void facts_step(struct op *op)
{
    struct cc_facts *f = container_of(op, struct cc_facts, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (f->state) {
    case F_BEGIN:
    case F_PAUSE:
        begin(f);
        return;
    case F_CLUSTER:
    case F_FILESTORE:
        if ((err = op_take_err(&f->get.op)))
            op_finish(op, err);
        else if (f->state == F_CLUSTER)
            read_cluster(f);
        else
            read_filestore(f);
        return;
    case F_READYZ:
        read_readyz(f);
        return;
    case F_EGRESS:
        read_egress(f);
        return;
    }
    RD_UNREACHABLE();
}

void cc_facts_start(struct cc_facts *f, struct op *parent, struct step_op *s, const json_t *live,
                    bool once)
{
    f->s = s;
    f->live = live;
    f->once = once;
    f->ready = false;
    f->closed = false;
    f->state = F_BEGIN;
    op_start(&f->op, parent, facts_step, "facts");
    f->since_ms = op_now_ms(&f->op);
}
