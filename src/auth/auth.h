/* Google credentials: Application Default Credentials without any Google program.
 *
 * Order: the flag, GOOGLE_APPLICATION_CREDENTIALS, CLOUDSDK_AUTH_ACCESS_TOKEN_FILE, gcloud's ADC
 * file (CLOUDSDK_CONFIG, else ~/.config/gcloud), GitHub Actions when RAYDEPLOY_WIF_PROVIDER names a
 * provider, the metadata server. A source that is named and broken is an error; the next one is
 * never tried in its place.
 *
 * A token has single flight: one mint at a time, everyone else waits on it. With less than 225 s to
 * live it is renewed in the background while it goes on being used; with less than 10 s callers
 * wait. A 401 drops it once. Tokens, keys, assertions and secrets are struct rd_secret or
 * registered as one, so nothing of them passes rd_redact.
 *
 * Protocol sources: RFC 7523 (JWT bearer grant), RFC 8693 (token exchange), RFC 6749 section 6
 * (refresh), aip.dev 4110 to 4118, Google Cloud's pages "About VM metadata", "STS v1 REST
 * reference" and "IAM Service Account Credentials API", GitHub's page "OpenID Connect reference".
 *
 * From the environment only, never from a file: CLOUDSDK_AUTH_TOKEN_HOST (the whole token URL),
 * CLOUDSDK_API_ENDPOINT_OVERRIDES_STS and _IAMCREDENTIALS (a base URL), GCE_METADATA_HOST
 * (host[:port]), CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE. An override may be host:port; plain http only
 * to a loopback address. Hosts inside credential files are vetted first, then replaced. */
#ifndef RD_AUTH_AUTH_H
#define RD_AUTH_AUTH_H

#include "http/call.h"

#define AUTH_STALE_MS 225000 /* renew in the background */
#define AUTH_DEAD_MS 10000   /* wait for the new one */

enum auth_kind {
    AUTH_SERVICE_ACCOUNT,  /* key file */
    AUTH_AUTHORIZED_USER,  /* refresh token */
    AUTH_EXTERNAL_ACCOUNT, /* workload identity federation */
    AUTH_METADATA,         /* GCE, GKE Workload Identity, Cloud Run, Cloud Build */
    AUTH_TOKEN_FILE,       /* ready access token, read anew when it changes */
    AUTH_STATIC,           /* auth_static_new */
    AUTH_KIND_MAX
};
const char *auth_kind_name(enum auth_kind kind); /* "service account key" */

/* Time, for tests that cannot wait. */
struct auth_clock {
    uint64_t (*boot_ms)(void *ctx);
    int64_t (*wall_ms)(void *ctx);
    void *ctx;
};

/* All borrowed for the call, but ctx and functions. Zeroed is fine. */
struct auth_options {
    const char *credentials_file;   /* the flag; NULL: go on with the order */
    bool allow_custom_hosts;        /* accept hosts in a credential file that are not Google's */
    bool allow_executable;          /* besides GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 */
    const struct auth_clock *clock; /* NULL: the system's */
    /* Things worth saying that are no error, such as a key file others may read. May be NULL. */
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
    void (*observe)(void *ctx, const struct http_req *req); /* as http_client_options */
    void *observe_ctx;
};
/* Finds and reads the source; nothing is sent yet. RD_ERR_CREDENTIALS when a source is broken,
 * RD_ERR_INPUT when an override is. The caller owns one reference of *ret. */
bool auth_google_open(struct loop *l, const struct auth_options *o, struct http_auth **ret,
                      struct rd_err **reterr) RD_MUST_CHECK;
/* Another owner of the same credential: http_auth_ops.free gives one reference back. The last one
 * cancels a renewal under way, and so must not be called from inside the loop. */
struct http_auth *auth_google_ref(struct http_auth *a);
/* A token that is what it is. Owned. */
struct http_auth *auth_static_new(const char *token);

/* ---- What is known; a is of auth_google_open ---- */
enum auth_kind auth_google_kind(const struct http_auth *a);
/* "service account key /path/key.json": where it comes from, for messages. Borrowed. */
const char *auth_google_source(const struct http_auth *a);
/* Identity; NULL while not known (metadata: after the first token; users: never). Borrowed. */
const char *auth_google_email(const struct http_auth *a);
const char *auth_google_project_hint(const struct http_auth *a); /* NULL: none */
/* To be sent as x-goog-user-project; NULL: none. */
const char *auth_google_quota_project(const struct http_auth *a);

/* ---- One token, for `raydeploy token` ---- */
struct auth_token {
    struct op op;
    struct http_auth *auth;
    struct http_auth_wait wait;
    struct rd_secret token;  /* set when the op ended without error */
    int64_t expires_wall_ms; /* 0: not known */
    bool waited;
};
void auth_token_start(struct auth_token *t, struct op *parent, struct http_auth *a);
void auth_token_clear(struct auth_token *t); /* must not be running */

#endif
