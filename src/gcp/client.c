#include "gcp/client.h"

#include "auth/override.h"
#include "base/alloc.h"
#include "base/text.h"
#include "gcp/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT 8

static const struct {
    const char *word, *host, *path;
} apis[GCP_API_MAX] = {
#define X(name, word, host, path) {word, host, path},
    GCP_APIS(X)
#undef X
};

const char *gcp_api_host(enum gcp_api api)
{
    RD_ASSERT(api < GCP_API_MAX);
    return apis[api].host;
}

static bool find_base(struct gcp_client *c, enum gcp_api api, struct rd_err **reterr)
{
    RD_AUTOFREE char *variable = rd_asprintf("CLOUDSDK_API_ENDPOINT_OVERRIDES_%s", apis[api].word);
    char *override = NULL;
    if (!auth_override(variable, "", &override, reterr))
        return false;
    c->overridden[api] = override != NULL;
    if (override == NULL)
        override = rd_asprintf("https://%s", apis[api].host);
    /* gcloud's overrides hold the version for compute and storage, and not for the others. */
    c->base[api] = rd_ends_with(override, apis[api].path)
                       ? rd_strdup(override)
                       : rd_asprintf("%s%s", override, apis[api].path);
    free(override);
    return true;
}

struct gcp_client *gcp_client_new(struct loop *l, struct gcp_client_options *take,
                                  struct rd_err **reterr)
{
    struct gcp_client *c = rd_calloc(1, sizeof *c);
    c->loop = l;
    for (int api = 0; api < GCP_API_MAX; api++) {
        if (!find_base(c, (enum gcp_api)api, reterr)) {
            gcp_client_free(c); /* the credential stays the caller's */
            return NULL;
        }
    }
    c->auth = take->auth;
    take->auth = NULL;
    c->quota_project = rd_strdup(take->quota_project);
    c->observe = take->observe;
    c->observe_ctx = take->observe_ctx;
    c->on_retry = take->on_retry;
    c->retry_ctx = take->retry_ctx;
    c->ca_file = rd_strdup(auth_env("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"));
    return c;
}

void gcp_client_free(struct gcp_client *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < GCP_API_MAX; i++) {
        http_client_free(c->hosts[i].http);
        free(c->hosts[i].origin);
        free(c->base[i]);
    }
    if (c->auth != NULL)
        c->auth->ops->free(c->auth);
    free(c->quota_project);
    free(c->ca_file);
    free(c);
}

const char *gcp_client_base(const struct gcp_client *c, enum gcp_api api)
{
    RD_ASSERT(api < GCP_API_MAX);
    return c->base[api];
}

void gcp_client_note_enabled(struct gcp_client *c)
{
    c->enabled_ms = rd_boot_ms();
}

bool gcp_client_overridden(const struct gcp_client *c, enum gcp_api api)
{
    return c->overridden[api];
}

struct http_auth *gcp_client_auth(struct gcp_client *c)
{
    return c->auth;
}

/* One pool of connections per host, made when it is first asked for. */
struct http_client *gcp_http(struct gcp_client *c, enum gcp_api api)
{
    RD_AUTOFREE char *origin = http_url_origin(c->base[api]);
    for (int i = 0; i < GCP_API_MAX; i++) {
        if (c->hosts[i].http == NULL) {
            struct http_client_options o = {
                .in_flight_max = IN_FLIGHT, .observe = c->observe, .observe_ctx = c->observe_ctx};
            o.tls.ca_file = rd_strdup(c->ca_file);
            c->hosts[i].http = http_client_new(c->loop, &o);
            c->hosts[i].origin = rd_strdup(origin);
        }
        if (rd_streq(c->hosts[i].origin, origin))
            return c->hosts[i].http;
    }
    RD_UNREACHABLE();
}

void gcp_url(struct http_url *u, const struct gcp_client *c, enum gcp_api api)
{
    http_url_init(u, c->base[api]);
}

void gcp_url_segs(struct http_url *u, const char *verb, ...)
{
    va_list ap;
    va_start(ap, verb);
    for (const char *s = va_arg(ap, const char *); s != NULL; s = va_arg(ap, const char *))
        http_url_seg(u, s);
    va_end(ap);
    rd_buf_puts(&u->buf, verb); /* a colon must not be escaped */
}
