/* Ray's dashboard on port 8265: its REST and Jobs API, plain HTTP with an optional token.
 *
 * A dashboard is reached at a base URL, or through a port-forward to the head pod that this op
 * opens on a loopback port of its own. It is a service: start it once, make calls for as long as
 * wanted, cancel it. Calls made before it is ready wait; calls made after it failed get its error.
 *
 * The protocol: python/ray/dashboard/modules/job of ray-project/ray. Errors are plain text, often a
 * traceback of which the last line says what happened. */
#ifndef RD_RAY_DASHBOARD_H
#define RD_RAY_DASHBOARD_H

#include "base/json.h"
#include "base/secret.h"
#include "http/call.h"
#include "k8s/forward.h"

#define RAY_DASHBOARD_PORT 8265
#define RAY_TOKEN_KEY "auth_token" /* in the Secret that KubeRay makes */

struct ray_dashboard {
    struct op op; /* ends when cancelled, or when the dashboard can never be reached */
    /* In; set between _init and _start. Strings are owned copies. */
    char *address;             /* base URL; NULL: by port-forward through `client`: */
    struct k8s_client *client; /* borrowed */
    char *ns, *cluster;        /*   the head pod of this RayCluster */
    char *token_secret;        /* Secret in ns that holds RAY_TOKEN_KEY; NULL: `token` as it is */
    struct rd_secret token;    /* not set: no authentication */
    struct http_tls tls;       /* for an https address; moved in at the start */
    /* Each attempt of a request that changes something asks first; after a no the call ends with
     * RD_ERR_TRANSIENT. NULL: nobody is asked. */
    k8s_write_gate *may_write;
    void *may_write_ctx;
    /* Trouble on the way and pod changes, for progress. May be NULL. */
    void (*on_note)(struct ray_dashboard *d, const char *text);
    void *ctx;
    /* Out. */
    bool ready;
    char *base; /* owned; where requests go */
    /* dashboard.c's own. */
    struct http_client *http;
    struct http_auth auth;
    struct k8s_forward forward;
    struct k8s_call secret;
    struct rd_list waiting, token_waiting;
    struct rd_err *failure;
    int secret_state;
};
void ray_dashboard_init(struct ray_dashboard *d);
void ray_dashboard_start(struct ray_dashboard *d, struct op *parent);
void ray_dashboard_clear(struct ray_dashboard *d); /* every call must have ended */

/* ---- One request ---- */
struct ray_call {
    struct op op;
    struct ray_dashboard *dash;
    char *method, *path; /* owned; path is absolute and escaped */
    char *body;          /* owned */
    size_t body_len;
    const char *body_type; /* static; NULL: application/json */
    enum retry_idempotence idem;
    unsigned attempts_max; /* 0: the deadline decides */
    bool not_found_ok;     /* 404: success with result NULL */
    bool raw;              /* keep the body as bytes in http.req.resp */
    bool stream;           /* as http_req.stream: wakes the parent, which consumes http.req.resp */
    json_t *result;        /* owned; parsed body */
    /* call.c's own. */
    struct retry_policy policy;
    struct http_call http;
    struct rd_list waiting;
    int state;
};
/* Times out after 60 s unless the caller sets an earlier deadline after the start. */
void ray_call_init(struct ray_call *c, struct ray_dashboard *d, const char *method,
                   const char *path);
void ray_call_start(struct ray_call *c, struct op *parent);
void ray_call_clear(struct ray_call *c);

void ray_version_init(struct ray_call *c, struct ray_dashboard *d); /* {"ray_version",..} */
void ray_nodes_init(struct ray_call *c, struct ray_dashboard *d);   /* {"data":{"summary"..}} */
void ray_cluster_status_init(struct ray_call *c, struct ray_dashboard *d); /* autoscaler's view */
void ray_job_list_init(struct ray_call *c, struct ray_dashboard *d);
void ray_job_get_init(struct ray_call *c, struct ray_dashboard *d, const char *id);
void ray_job_stop_init(struct ray_call *c, struct ray_dashboard *d, const char *id);
void ray_job_delete_init(struct ray_call *c, struct ray_dashboard *d, const char *id);
void ray_job_logs_init(struct ray_call *c, struct ray_dashboard *d, const char *id);

/* Number of alive nodes in the answer of ray_nodes_init; -1 when it has another shape. */
int ray_nodes_alive(const json_t *answer);

#endif
