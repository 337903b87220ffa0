/* The Google APIs: one listener each, a table of methods each. Before a method runs the caller is
 * known, the API is enabled, the query and the body hold nothing unknown, and the caller has the
 * method's permission. The kube half makes its requests with emu_call ("container", "compute",
 * ...), as the principal it runs as, and meets the same. */
#ifndef EMU_GCP_H
#define EMU_GCP_H

#include "route.h"
#include "server.h"

struct gcp_call {
    struct emu_req *req; /* answered once through the functions below */
    struct emu *emu;
    const struct gcp_api *api;
    const struct gcp_route *route;
    struct emu_params params;
    json_t *body;   /* {} when there was none */
    char *resource; /* "projects/p/locations/l/clusters/c", "b/BUCKET": path without version */
};

typedef void gcp_fn(struct gcp_call *c);

struct gcp_route {
    const char *method;
    const char *pattern;
    gcp_fn *fn;
    const char *permission; /* NULL: the method checks by itself */
    const char *body;       /* type in schema_types; NULL: refused unless empty; "*": fn checks */
    const char *query;      /* allowed parameters besides the standard ones; NULL: none */
};

struct gcp_api {
    const char *name;     /* listener and fault rules: "container" */
    const char *service;  /* "container.googleapis.com" */
    const char *override; /* CLOUDSDK_API_ENDPOINT_OVERRIDES_<this> */
    const char *path;     /* of the override URL: "/", "/compute/v1/" */
    bool old_errors;      /* compute, storage: errors[] and no status */
    const struct gcp_route *routes;
    size_t route_count;
};

extern const struct gcp_api gcp_serviceusage, gcp_resourcemanager, gcp_billing, gcp_iam,
    gcp_iamcredentials, gcp_container, gcp_file, gcp_storage, gcp_artifactregistry, gcp_compute,
    gcp_quotas;

/* Opens every API's listener and puts in what a new project holds. */
bool gcp_start(struct emu *e, struct rd_err **reterr) RD_MUST_CHECK;
/* The overrides as shell exports. */
void gcp_write_env(struct emu *e, struct rd_buf *out);

/* Ends the call without an answer: the method answers c->req by itself, after this. */
void gcp_release(struct gcp_call *c);
/* Answers; the call is over. Steals the body. */
void gcp_ok(struct gcp_call *c, json_t *take);
/* status: google.rpc code name ("NOT_FOUND"); the HTTP code follows from it. */
void gcp_fail(struct gcp_call *c, const char *status, const char *fmt, ...) RD_PRINTF(3, 4);
/* The same with an ErrorInfo; steals metadata (may be NULL). */
void gcp_fail_info(struct gcp_call *c, const char *status, const char *reason, const char *domain,
                   json_t *take_metadata, const char *fmt, ...) RD_PRINTF(6, 7);
/* compute and storage: HTTP code and reason of errors[]. */
void gcp_fail_old(struct gcp_call *c, int code, const char *reason, const char *fmt, ...)
    RD_PRINTF(4, 5);
/* For a method that checks by itself: true, or answers 403. `resource` as in emu_iam_allowed. */
bool gcp_permit(struct gcp_call *c, const char *permission, const char *resource);
/* Whether the service can be used now (enabled, and known everywhere). */
bool gcp_service_usable(struct emu *e, const char *service);

const char *gcp_caller_email(const struct gcp_call *c);           /* without "serviceAccount:" */
json_t *gcp_grpc_status(const char *status, const char *message); /* {code, message} */
/* A page of `all` (owned array, stolen) under items_key, by pageSize/maxResults and pageToken. */
void gcp_ok_page(struct gcp_call *c, json_t *take_head, const char *items_key, json_t *take_all);
/* Policy methods for any resource. set wants {"policy": {...}}. */
void gcp_policy_read(struct gcp_call *c, const char *resource);
void gcp_policy_write(struct gcp_call *c, const char *resource);
void gcp_policy_test(struct gcp_call *c, const char *resource);
/* Copies every field of `patch` named in the comma-separated mask ("a,b.c": whole top fields; NULL:
 * all of patch) into target. */
void gcp_apply_mask(json_t *target, const json_t *patch, const char *mask);
char *gcp_unique_id(struct emu *e); /* owned; 21 digits */
char *gcp_etag(struct emu *e);      /* owned */

#endif
