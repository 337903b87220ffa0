#include "phase/steps/google.h"

#include "auth/auth.h"
#include "auth/override.h"
#include "base/alloc.h"
#include "phase/steps/names.h"

#include <stdlib.h>

/* ---- What clients tell a run ---- */

void google_on_request(void *p, const struct http_req *r)
{
    struct step_ctx *ctx = p;
    RD_AUTOFREE char *what = rd_asprintf("%s %s", r->method, r->url);
    struct phase_note n = {
        .event = NOTE_REQUEST,
        .level = NOTE_DEBUG,
        .resource = what,
        .http_status = (int)r->status,
        .error = r->op.err,
        .message = r->op.err ? r->op.err->message : NULL,
        .elapsed_ms = r->ended_ms > r->started_ms ? r->ended_ms - r->started_ms : 0,
    };
    ctx->notes->emit(ctx->notes, &n);
}

void google_on_warning(void *p, const char *text)
{
    struct step_ctx *ctx = p;
    struct phase_note n = {.event = NOTE_LOG, .level = NOTE_WARN, .message = text};
    ctx->notes->emit(ctx->notes, &n);
}

void google_on_retry(void *p, const struct rd_err *why, uint64_t delay_ms)
{
    char pause[32];
    rd_duration_text(delay_ms, pause);
    RD_AUTOFREE char *text = rd_asprintf("%s; trying again in %s", why->message, pause);
    google_on_warning(p, text);
}

static struct google_ears ears_of(struct step_ctx *ctx)
{
    if (!ctx->notes)
        return (struct google_ears){0};
    return (struct google_ears){google_on_request, google_on_warning, google_on_retry, ctx};
}

/* ---- Google ---- */

bool google_credentials(struct loop *l, const struct config *c, const struct google_ears *ears,
                        struct http_auth **ret, struct rd_err **reterr)
{
    struct auth_options o = {.credentials_file = c->credentials,
                             .warn = ears->warn,
                             .warn_ctx = ears->ctx,
                             .observe = ears->observe,
                             .observe_ctx = ears->ctx};
    return auth_google_open(l, &o, ret, reterr);
}

struct gcp_client *google_client_new(struct loop *l, const struct config *c,
                                     const struct google_ears *ears, struct rd_err **reterr)
{
    struct http_auth *auth = NULL;
    if (!google_credentials(l, c, ears, &auth, reterr))
        return NULL;
    struct gcp_client_options o = {.auth = auth,
                                   .quota_project = auth_google_quota_project(auth),
                                   .observe = ears->observe,
                                   .observe_ctx = ears->ctx,
                                   .on_retry = ears->retry,
                                   .retry_ctx = ears->ctx};
    struct gcp_client *client = gcp_client_new(l, &o, reterr);
    if (!client)
        auth->ops->free(auth);
    return client;
}

bool google_connect(struct step_ctx *ctx, struct rd_err **reterr)
{
    if (ctx->gcp)
        return true;
    struct google_ears ears = ears_of(ctx);
    ctx->gcp = google_client_new(ctx->loop, ctx->config, &ears, reterr);
    return ctx->gcp != NULL;
}

json_t *google_ca_fact(const char *ca_pem)
{
    return json_string(ca_pem ? ca_pem : "");
}

/* ---- Clusters ---- */

struct k8s_client *google_cluster_client(struct loop *l, struct http_auth *take_auth,
                                         const char *what, const char *server, const char *ca,
                                         const struct google_ears *ears, struct rd_err **reterr)
{
    if (!http_url_check(server, reterr)) {
        take_auth->ops->free(take_auth);
        return NULL;
    }
    struct k8s_client_options o = {.auth = take_auth,
                                   .observe = ears->observe,
                                   .observe_ctx = ears->ctx,
                                   .warn = ears->warn,
                                   .warn_ctx = ears->ctx,
                                   .retry = ears->retry,
                                   .retry_ctx = ears->ctx};
    o.config.origin = rd_strdup(what);
    o.config.server = rd_strdup(server);
    o.config.ns = rd_strdup("default");
    if (ca && *ca)
        o.config.tls.ca_pem = rd_strdup(ca);
    else
        o.config.tls.ca_file = rd_strdup(auth_env("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"));
    return k8s_client_new(l, &o);
}

/* The same identity as for Google's APIs: IAM decides there as well. */
static bool connect_cluster(struct step_ctx *ctx, const char *endpoint_fact, const char *ca_fact,
                            const char *what, struct k8s_client **into, struct rd_err **reterr)
{
    if (*into)
        return true;
    const char *server = json_string_value(step_fact(ctx, endpoint_fact));
    const char *ca = json_string_value(step_fact(ctx, ca_fact));
    if (!server)
        return rd_fail(reterr, RD_ERR_PREFLIGHT, "the address of %s is not known yet", what);
    if (!google_connect(ctx, reterr))
        return false;
    struct google_ears ears = ears_of(ctx);
    *into = google_cluster_client(ctx->loop, auth_google_ref(gcp_client_auth(ctx->gcp)), what,
                                  server, ca, &ears, reterr);
    return *into != NULL;
}

bool google_connect_management(struct step_ctx *ctx, struct rd_err **reterr)
{
    return connect_cluster(ctx, "mgmt.endpoint", "mgmt.ca", "the management cluster",
                           &ctx->management, reterr);
}

bool google_connect_workload(struct step_ctx *ctx, struct rd_err **reterr)
{
    return connect_cluster(ctx, "gke.endpoint", "gke.ca", "the workload cluster", &ctx->workload,
                           reterr);
}

bool google_is_ours(const struct config *c, const json_t *resource_labels)
{
    return rd_streq(rd_json_str(resource_labels, MARK_DEPLOYMENT, NULL), c->name);
}
