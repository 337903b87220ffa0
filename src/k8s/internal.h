/* What the files of this folder share and nobody else needs. */
#ifndef RD_K8S_INTERNAL_H
#define RD_K8S_INTERNAL_H

#include "k8s/client.h"

#define K8S_PAGE_MAX ((size_t)64 << 20)  /* bytes of one answer */
#define K8S_LIST_MAX ((size_t)256 << 20) /* bytes of all pages of one list */

/* A row of the REST mapping. */
struct k8s_known {
    struct k8s_resource r; /* first: borrowed by callers for the client's life */
    bool served;   /* discovery saw it */
    bool learned;  /* from a CRD we applied: may need a moment until it is served */
    bool listable;
    bool stale;    /* the aggregated API server behind it did not answer */
};

struct k8s_client {
    struct loop *loop;
    struct k8s_config config;
    struct http_client *http;
    struct http_auth *auth; /* owned; NULL: none */
    char *user_agent;
    /* Writes in flight: a call takes a slot or waits in order. */
    unsigned writes, writes_max;
    struct rd_list write_queue; /* struct k8s_call.waiting */
    k8s_write_gate *may_write; /* NULL: always */
    void *may_write_ctx;
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
    json_t *warned; /* texts already told, as keys */
    void (*retry)(void *ctx, const struct rd_err *why, uint64_t delay_ms);
    void *retry_ctx;
    char *retried;       /* what was told last */
    uint64_t retried_ms; /* and when, boot clock */
    uint64_t away_ms;    /* when the server last broke off or did not answer, boot clock; 0: never */
    struct k8s_known **known;
    size_t known_len, known_cap;
    const struct k8s_resource **listable;
    size_t listable_len;
    bool discovered;
    char *version;
    char *etag[2]; /* of /api and /apis */
};

/* ---- client.c ---- */
void k8s_tls_dup(struct http_tls *dst, const struct http_tls *src); /* dst is overwritten */

/* ---- mapping.c ---- */
void k8s_mapping_init(struct k8s_client *c);
void k8s_mapping_clear(struct k8s_client *c);
/* Adds or refreshes a row; strings are copied. */
struct k8s_known *k8s_mapping_put(struct k8s_client *c, const char *group, const char *version,
                                  const char *kind, const char *plural, bool namespaced);
struct k8s_known *k8s_mapping_known(struct k8s_client *c, const struct k8s_resource *r);
/* "group/version" or "v1" as in apiVersion; owned. */
char *k8s_api_version(const struct k8s_resource *r);
/* Reads one aggregated discovery document into the mapping. */
bool k8s_mapping_read_aggregated(struct k8s_client *c, const json_t *list, struct rd_err **reterr)
    RD_MUST_CHECK;
/* Reads one APIResourceList. */
bool k8s_mapping_read_plain(struct k8s_client *c, const json_t *list, struct rd_err **reterr)
    RD_MUST_CHECK;
void k8s_mapping_index_listable(struct k8s_client *c);

/* ---- errors.c ---- */
enum k8s_missing {
    K8S_MISSING_NOTHING,
    K8S_MISSING_TYPE,      /* no such path: the CRD is absent or not served yet */
    K8S_MISSING_NAMESPACE, /* only when the object asked for is not a Namespace itself */
    K8S_MISSING_OBJECT
};
enum k8s_missing k8s_what_is_missing(long status, const char *body, size_t len);
json_t *k8s_status_parse(const char *body, size_t len); /* Status object or NULL; owned */
json_t *k8s_decode_conflicts(const json_t *status);     /* owned array {manager, field, message} */
bool k8s_text_is_webhook(const char *message);

/* ---- auth.c ---- */
/* The credential of config (borrowed for the auth's life); NULL when it has none. */
struct http_auth *k8s_auth_new(const struct k8s_config *config, struct http_client *http);

/* ---- exec.c ---- */
/* KUBERNETES_EXEC_INFO of a plugin; owned. Pure. */
char *k8s_exec_info(const struct k8s_config *config, bool interactive);
/* What a plugin answered. */
struct k8s_exec_credential {
    struct rd_secret token;
    char *cert_pem; /* owned; NULL: none */
    struct rd_secret key_pem;
    int64_t expires_wall_ms; /* 0: not said */
};
/* Reads an ExecCredential of exactly this apiVersion. Pure. */
bool k8s_exec_read(const char *text, size_t len, const char *api_version,
                   struct k8s_exec_credential *ret, struct rd_err **reterr) RD_MUST_CHECK;
void k8s_exec_credential_clear(struct k8s_exec_credential *c);
/* An auth that runs config->exec; see auth.c for the others. */
struct http_auth *k8s_exec_auth_new(const struct k8s_config *config, struct http_client *http);

#endif
