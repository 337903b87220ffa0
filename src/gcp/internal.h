/* What the files of this folder share. */
#ifndef RD_GCP_INTERNAL_H
#define RD_GCP_INTERNAL_H

#include "gcp/client.h"

struct gcp_client {
    struct loop *loop;
    struct http_auth *auth; /* owned; NULL: none */
    char *quota_project, *ca_file;
    char *base[GCP_API_MAX];
    bool overridden[GCP_API_MAX];
    struct {
        char *origin;
        struct http_client *http;
    } hosts[GCP_API_MAX]; /* filled from the front */
    uint64_t enabled_ms;  /* boot time of our last enabling of APIs; 0: never */
    void (*observe)(void *ctx, const struct http_req *req);
    void *observe_ctx;
    gcp_write_gate *may_write; /* NULL: always */
    void *may_write_ctx;
    void (*began)(void *ctx, const struct op *op, const char *name); /* NULL: nobody is told */
    void *began_ctx;
    void (*on_retry)(void *ctx, const struct rd_err *why, uint64_t delay_ms);
    void *retry_ctx;
};

struct http_client *gcp_http(struct gcp_client *c, enum gcp_api api);

#endif
