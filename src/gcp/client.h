/* One client for Google's REST APIs: endpoints with overrides, one request op, one error decoder.
 *
 * Protocol sources: the discovery documents of each API; google/rpc/status.proto,
 * error_details.proto and google/api/error_reason.proto for errors; AIP-151 (operations), AIP-158
 * (pages), AIP-193 (errors), AIP-194 (retries).
 *
 * Every URL is built from an API's base, which CLOUDSDK_API_ENDPOINT_OVERRIDES_<API> replaces (the
 * compute and storage overrides end in /compute/v1/ and /storage/v1/, as gcloud has them; a
 * path-less one gets it); host:port alone is https. CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE replaces the
 * system's roots. At most 8 requests are in flight per host. */
#ifndef RD_GCP_CLIENT_H
#define RD_GCP_CLIENT_H

#include "base/json.h"
#include "http/call.h"

/*        name                 word of the override    host                   version path */
#define GCP_APIS(X)                                                                                \
    X(GCP_SERVICEUSAGE, "SERVICEUSAGE", "serviceusage.googleapis.com", "/v1")                      \
    X(GCP_RESOURCEMANAGER, "CLOUDRESOURCEMANAGER", "cloudresourcemanager.googleapis.com", "/v1")   \
    X(GCP_BILLING, "CLOUDBILLING", "cloudbilling.googleapis.com", "/v1")                           \
    X(GCP_IAM, "IAM", "iam.googleapis.com", "/v1")                                                 \
    X(GCP_CONTAINER, "CONTAINER", "container.googleapis.com", "/v1")                               \
    X(GCP_FILE, "FILE", "file.googleapis.com", "/v1")                                              \
    X(GCP_STORAGE, "STORAGE", "storage.googleapis.com", "/storage/v1")                             \
    X(GCP_ARTIFACTREGISTRY, "ARTIFACTREGISTRY", "artifactregistry.googleapis.com", "/v1")          \
    X(GCP_COMPUTE, "COMPUTE", "compute.googleapis.com", "/compute/v1")                             \
    X(GCP_QUOTAS, "CLOUDQUOTAS", "cloudquotas.googleapis.com", "/v1")

enum gcp_api {
#define X(name, word, host, path) name,
    GCP_APIS(X)
#undef X
        GCP_API_MAX
};
const char *
gcp_api_host(enum gcp_api api); /* "container.googleapis.com": also the service's name */

/* What an answer or a failed operation means; kinds, hints and retries follow from it. */
enum gcp_situation {
    GCP_OTHER,
    GCP_API_OFF, /* SERVICE_DISABLED */
    GCP_BILLING_OFF,
    GCP_PERMISSION,     /* IAM refused, also "or it may not exist" */
    GCP_IDENTITY,       /* 401: token, scopes, account state */
    GCP_ABSENT,         /* 404 */
    GCP_EXISTS,         /* 409 already exists, name taken */
    GCP_ACCOUNT_UNSEEN, /* a service account that was just made is not known everywhere yet */
    GCP_RACE,           /* 409 ABORTED, 412: somebody wrote between our read and our write */
    GCP_BUSY,           /* another operation holds the cluster or the resource */
    GCP_WRONG_STATE,    /* FAILED_PRECONDITION of another sort: look again */
    GCP_RATE,           /* requests per minute */
    GCP_QUOTA,          /* allocation quota: permanent */
    GCP_STOCKOUT,       /* no machines of this sort there now */
    GCP_ORG_POLICY,     /* organisation policy or VPC Service Controls */
    GCP_INVALID,        /* 400: our request is wrong */
    GCP_TRANSIENT,      /* 5xx */
    GCP_SITUATION_MAX
};
const char *gcp_situation_name(enum gcp_situation s);

struct gcp_fault {
    enum gcp_situation situation;
    char *service;    /* owned; API_OFF: which, "file.googleapis.com" */
    char *permission; /* owned; PERMISSION: which */
    char *operation;  /* owned; BUSY: the one that holds it */
    char *metric;     /* owned; QUOTA, RATE: which */
    char *help_url;   /* owned; the first Help link, or activationUrl */
};
void gcp_fault_clear(struct gcp_fault *f);

/* ---- Errors (pure) ---- */
/* An answer >= 400. CALL_RETRY when the answer alone says that a retry is worth it. `what`: "create
 * cluster ray-gke". *fault is filled, to be cleared by the caller. */
enum call_judgement gcp_decode_error(long status, const char *content_type, const char *body,
                                     size_t len, uint64_t retry_after_ms, const char *what,
                                     struct gcp_fault *fault, struct rd_err **ret_err);
/* The error of an operation: google.rpc.Status, or compute's {errors:[{code,message}]} with
 * httpErrorStatusCode. Never retried as it is. */
struct rd_err *gcp_decode_status(const json_t *error, long http_status, const char *what,
                                 struct gcp_fault *fault);

/* ---- Client ---- */
struct gcp_client;
struct gcp_client_options {
    struct http_auth *auth;    /* moved in; NULL: none */
    const char *quota_project; /* sent as x-goog-user-project; NULL: not sent */
    void (*observe)(void *ctx, const struct http_req *req);
    void *observe_ctx;
    /* Told about each retry ("create cluster x: busy; again in 4 s"). May be NULL. */
    void (*on_retry)(void *ctx, const struct rd_err *why, uint64_t delay_ms);
    void *retry_ctx;
};
/* RD_ERR_INPUT when an override cannot be used; the credential then stays the caller's. */
struct gcp_client *gcp_client_new(struct loop *l, struct gcp_client_options *take,
                                  struct rd_err **reterr) RD_MUST_CHECK;
/* From now on each attempt of a request that may change something asks first; after a no the call ends with
 * RD_ERR_TRANSIENT. NULL: nobody is asked. `op` is the call's; `again`: an earlier attempt was made. */
typedef bool gcp_write_gate(void *ctx, const struct op *op, const struct http_req *req, bool again);
void gcp_client_set_write_gate(struct gcp_client *c, gcp_write_gate *may_write, void *ctx);
/* From now on told the name of each operation that a change of ours began, as soon as it is known. `op` is
 * that of the gcp_lro. */
void gcp_client_on_operation(struct gcp_client *c,
                             void (*began)(void *ctx, const struct op *op, const char *name),
                             void *ctx);
void gcp_client_free(struct gcp_client *c); /* every call must have ended */
const char *gcp_client_base(const struct gcp_client *c, enum gcp_api api); /* with version path */
/* We have just enabled APIs: for 5 minutes SERVICE_DISABLED is retried. */
void gcp_client_note_enabled(struct gcp_client *c);
/* Whether an endpoint was replaced from the environment: then it is no Google. */
bool gcp_client_overridden(const struct gcp_client *c, enum gcp_api api);
struct http_auth *gcp_client_auth(struct gcp_client *c); /* borrowed; NULL: none */

/* ---- One request ---- */
/* Refusals that are retried because of what we did shortly before. */
enum gcp_patience {
    GCP_PATIENT_ACCOUNT = 1, /* a service account was just made: 120 s */
    GCP_PATIENT_GRANT = 2,   /* a role was just granted to us: 7 min */
};
struct gcp_call {
    struct op op;
    struct gcp_client *client;
    enum gcp_api api;
    struct http_call http;
    char *what;        /* owned; for messages; NULL: method and path */
    bool not_found_ok; /* 404: success with result NULL */
    bool no_quota_project;
    bool query_may_repeat;  /* a POST that only reads (getIamPolicy) */
    unsigned patience;      /* enum gcp_patience */
    uint64_t timeout_ms;    /* with retries; 0: 300 s */
    json_t *result;         /* owned; parsed 2xx body, {} for an empty one; NULL before the end */
    struct gcp_fault fault; /* of the last refusal; kept when the call failed */
    uint64_t patient_ms;    /* boot time of the first refusal of this sort */
    uint64_t patience_left_ms;
    bool started;
};
/* Prepares zeroed or cleared memory. GET, PUT, PATCH and DELETE are repeated after anything
 * transient, POST only when surely not processed. `url` from gcp_url. */
void gcp_call_init(struct gcp_call *k, struct gcp_client *c, enum gcp_api api, const char *method,
                   const char *url);
void gcp_call_body(struct gcp_call *k, const json_t *body);
void gcp_call_what(struct gcp_call *k, const char *fmt, ...) RD_PRINTF(2, 3);
void gcp_call_start(struct gcp_call *k, struct op *parent);
void gcp_call_clear(struct gcp_call *k); /* must not be running; safe on zeroed memory */
/* The base of an API, to add escaped segments to. */
void gcp_url(struct http_url *u, const struct gcp_client *c, enum gcp_api api);
/* "/" + each escaped segment, up to NULL; then a custom verb as it is ("", ":getIamPolicy"). */
void gcp_url_segs(struct http_url *u, const char *verb, ...) __attribute__((sentinel));

/* ---- Lists: all pages into one array ---- */
struct gcp_list {
    struct op op;
    struct gcp_call call;
    const char *items_key; /* "clusters"; borrowed */
    bool aggregated;       /* compute: items is an object of scopes, each with items_key */
    json_t *items;         /* owned; array */
    json_t *first;         /* owned; first page without its items: warnings, missingZones */
    char *url;             /* owned; without pageToken */
    unsigned pages;
    bool not_found_ok; /* 404: an empty list */
    /* Out: some zone or region could not be asked; what is not listed may still be there. */
    bool incomplete;
};
/* `url` may have a query; at most 200 pages are read, 100 000 items. */
void gcp_list_init(struct gcp_list *l, struct gcp_client *c, enum gcp_api api, const char *url,
                   const char *items_key);
void gcp_list_start(struct gcp_list *l, struct op *parent);
void gcp_list_clear(struct gcp_list *l);

#endif
