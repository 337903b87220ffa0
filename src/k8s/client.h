/* One Kubernetes API server: connection, credentials, REST mapping, requests.
 *
 * Requests share one HTTP/2 connection. Every call retries what may be retried (reference section
 * 4.4), refreshes credentials once on 401, obeys Retry-After, and ends with a decoded Status error. */
#ifndef RD_K8S_CLIENT_H
#define RD_K8S_CLIENT_H

#include "base/json.h"
#include "http/call.h"
#include "k8s/kubeconfig.h"

#define K8S_FIELD_MANAGER "raydeploy"

struct k8s_client;

struct k8s_client_options {
    struct k8s_config config;  /* moved in */
    struct http_auth *auth;    /* moved in; NULL: from config (token, token file, exec plugin) */
    unsigned writes_in_flight; /* 0: 16 */
    void (*observe)(void *ctx, const struct http_req *req);
    void *observe_ctx;
    /* Called once per distinct Warning header text. May be NULL. */
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
    /* Called when a request has to be tried again, at most each 10 s for the same reason. May be NULL. */
    void (*retry)(void *ctx, const struct rd_err *why, uint64_t delay_ms);
    void *retry_ctx;
};
struct k8s_client *k8s_client_new(struct loop *l, struct k8s_client_options *take);
void k8s_client_free(struct k8s_client *c);
/* From now on each attempt of a write (k8s_call.write) asks first; after a no the call ends with
 * RD_ERR_TRANSIENT. NULL: nobody is asked. `op` is the call's, whose parents tell on whose behalf it is;
 * `again`: an earlier attempt was made. */
typedef bool k8s_write_gate(void *ctx, const struct op *op, const struct http_req *req, bool again);
void k8s_client_set_write_gate(struct k8s_client *c, k8s_write_gate *may_write, void *ctx);
const char *k8s_client_server(const struct k8s_client *c);
const char *k8s_client_namespace(const struct k8s_client *c);
const char *k8s_client_origin(const struct k8s_client *c);
struct http_client *k8s_client_http(struct k8s_client *c); /* for upgrades */
struct http_auth *k8s_client_auth(struct k8s_client *c);   /* NULL: none */
/* Impersonation headers and User-Agent on a request made outside k8s_call. */
void k8s_client_decorate(struct k8s_client *c, struct http_req *r);

/* ---- Resources ---- */
struct k8s_resource {
    char *group, *version, *kind, *plural; /* owned; group "" is core */
    bool namespaced;
};
/* apiVersion + kind to a resource: a compiled-in table for the kinds raydeploy ships, then what
 * discovery brought (k8s_discover). NULL: not known yet. Borrowed from the client. */
const struct k8s_resource *k8s_resource_find(struct k8s_client *c, const char *api_version,
                                             const char *kind);
/* Learns a CustomResourceDefinition that we apply ourselves. */
void k8s_resource_learn_crd(struct k8s_client *c, const json_t *crd);

/* All resources with the list verb that discovery brought (for scans); borrowed array of *ret_len. */
const struct k8s_resource *const *k8s_resources_listable(struct k8s_client *c, size_t *ret_len);
/* The server's version, once a discovery or k8s_call of /version has ended; NULL before. */
const char *k8s_server_version(const struct k8s_client *c);

/* ---- One request ---- */
struct k8s_call {
    struct op op;
    struct k8s_client *client;
    struct http_call http;
    json_t *result;  /* owned; parsed 2xx body; NULL before the end or when raw */
    bool raw;        /* keep the body as bytes in http.req.resp */
    bool not_found_ok; /* 404 of the object (not of its type): success with result NULL */
    bool metadata_only; /* ask for PartialObjectMetadata */
    bool collection; /* with metadata_only: of a list */
    bool write;      /* counts against writes_in_flight */
    bool accept_set; /* the owner set its own Accept header */
    char *resource_text; /* owned; for errors: "RayCluster/ns/name" */
    uint64_t timeout_ms; /* of the whole call with its retries; 0: 120 s; streams have none */
    int state;
    struct rd_list waiting;
    bool slot;           /* holds one of the writes in flight */
    uint64_t shaky_ms;   /* boot time of the first 500 that usually heals within a minute */
};
/* URL of an object or collection. ns NULL or resource cluster-scoped: no namespace; name NULL:
 * collection; sub NULL: none. Add queries with http_url_query. */
void k8s_url(struct http_url *u, const struct k8s_client *c, const struct k8s_resource *r,
             const char *ns, const char *name, const char *sub);
void k8s_call_init(struct k8s_call *k, struct k8s_client *c, const char *method, const char *url);
void k8s_call_body_json(struct k8s_call *k, const char *content_type, const json_t *body);
void k8s_call_start(struct k8s_call *k, struct op *parent);
void k8s_call_clear(struct k8s_call *k);

/* "Kind/ns/name" or "Kind/name" into k->resource_text. */
void k8s_call_name(struct k8s_call *k, const struct k8s_resource *r, const char *ns,
                   const char *name);

/* Convenience: GET of one object by reference. */
void k8s_get_init(struct k8s_call *k, struct k8s_client *c, const struct k8s_resource *r,
                  const char *ns, const char *name);

/* ---- Discovery ---- */
/* GET /version, /api and /apis, the latter two in the aggregated form; a server without it is walked
 * group by group. Asked again with the ETag. A group-version whose server does not answer is marked
 * stale and kept out; the rest is usable. */
struct k8s_discover {
    struct op op;
    struct k8s_client *client;
    struct k8s_call ask[3]; /* discovery.c's, as is the rest */
    bool read[3];
    struct k8s_discover_walk *walk;
    size_t walk_len;
};
void k8s_discover_start(struct k8s_discover *d, struct op *parent, struct k8s_client *c);
void k8s_discover_clear(struct k8s_discover *d);

/* ---- Errors (pure; reference section 4) ---- */
/* Decodes an answer >= 400 into an rd_err (kind, reason, remote, retry_after, hint) and says whether a
 * retry is worth it. `what`: "apply RayCluster/ns/name". */
enum call_judgement k8s_decode_error(long status, const char *content_type, const char *body,
                                     size_t len, uint64_t retry_after_ms, const char *what,
                                     struct rd_err **ret_err);

#endif
