/* A client for the cluster that runs Ray, whichever target it is. */
#include "ray_way.h"

#include "base/alloc.h"
#include "gcp/services.h"
#include "phase/steps/cc.h"
#include "phase/steps/google.h"
#include "phase/steps/mgmt_plan.h"

struct finding {
    struct verb_ctx *v;
    struct gcp_client *gcp;
    struct gcp_call call;
};

static void on_warning(void *ctx, const char *text)
{
    verb_say(ctx, NOTE_WARN, "%s", text);
}

static void start(struct op *parent, void *ctx)
{
    struct finding *f = ctx;
    const struct config *c = &f->v->config;
    gcp_clusters_list(&f->call, f->gcp, c->project, c->region);
    gcp_call_start(&f->call, parent);
}

/* The facts that a run would have published; owned. */
static json_t *cluster_facts(const json_t *clusters, const struct config *c, struct rd_err **reterr)
{
    struct gcp_endpoint end;
    RD_AUTOFREE char *name = cc_cluster(c);
    const json_t *cluster = mgmt_cluster_find(clusters, name);
    if (!cluster) {
        rd_fail(reterr, RD_ERR_NOT_FOUND, "there is no cluster %s in project %s", name, c->project);
        rd_err_hint(*reterr, "Run `raydeploy up` to make it.");
        return NULL;
    }
    if (!gcp_cluster_endpoint(cluster, &end, reterr))
        return NULL;
    json_t *facts = rd_json_pack("{s:s, s:o}", "gke.endpoint", end.server, "gke.ca",
                                 google_ca_fact(end.ca_pem));
    gcp_endpoint_clear(&end);
    return facts;
}

static json_t *find_cluster(struct verb_ctx *v, struct rd_err **reterr)
{
    struct finding f = {.v = v};
    struct google_ears ears = {.observe = verb_on_request, .warn = on_warning, .ctx = v};
    json_t *facts = NULL;
    f.gcp = google_client_new(v->loop, &v->config, &ears, reterr);
    if (!f.gcp)
        return NULL;
    int code = verb_run_op(v, &f.call.op, start, &f);
    if (code == 0) {
        facts = cluster_facts(f.call.result, &v->config, reterr);
    } else if (v->failure) {
        *reterr = v->failure;
        v->failure = NULL;
    } else {
        rd_fail(reterr, RD_ERR_CANCELLED, "interrupted");
    }
    rd_err_free(op_take_err(&f.call.op));
    gcp_call_clear(&f.call);
    gcp_client_free(f.gcp);
    return facts;
}

static struct k8s_client *connect_by(struct verb_ctx *v, const char *what, const char *server,
                                     const char *ca, struct rd_err **reterr)
{
    struct google_ears ears = {.observe = verb_on_request, .warn = on_warning, .ctx = v};
    struct http_auth *auth = NULL;
    if (!server) {
        rd_fail(reterr, RD_ERR_PREFLIGHT, "the address of %s is not known yet", what);
        return NULL;
    }
    if (!google_credentials(v->loop, &v->config, &ears, &auth, reterr))
        return NULL;
    return google_cluster_client(v->loop, auth, what, server, ca, &ears, reterr);
}

struct k8s_client *verb_workload(struct verb_ctx *v, const json_t *facts, struct rd_err **reterr)
{
    if (v->config.target == TARGET_LOCAL)
        return verb_connect(v, reterr);
    RD_AUTOJSON json_t *own = facts ? json_incref((json_t *)facts) : find_cluster(v, reterr);
    if (!own)
        return NULL;
    return connect_by(v, "the workload cluster", rd_json_str(own, "gke.endpoint", NULL),
                      rd_json_str(own, "gke.ca", NULL), reterr);
}

struct k8s_client *verb_management(struct verb_ctx *v, const json_t *facts, struct rd_err **reterr)
{
    return connect_by(v, "the management cluster", rd_json_str(facts, "mgmt.endpoint", NULL),
                      rd_json_str(facts, "mgmt.ca", NULL), reterr);
}
