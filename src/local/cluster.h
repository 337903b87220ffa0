/* A k3s cluster in Docker, laid out as k3d lays it out: containers k3d-NAME-server-0 and
 * k3d-NAME-agent-N, network and label names as k3d's, so that k3d's own commands see it too. What we made
 * carries LOCAL_LABEL besides, and nothing without it is ever touched. */
#ifndef RD_LOCAL_CLUSTER_H
#define RD_LOCAL_CLUSTER_H

#include "k8s/client.h"
#include "local/docker.h"

#define LOCAL_LABEL "raydeploy.local" /* = NAME */
#define LOCAL_AGENTS_MAX 16
#define LOCAL_IMAGE "rancher/k3s:v1.34.1-k3s1"

/* ---- Names and requests; pure (spec.c) ---- */
struct local_spec {
    const char *name, *image, *token; /* borrowed */
    uint16_t port;                    /* of the API, on 127.0.0.1 */
    unsigned agents;
};
char *local_context(const char *name);            /* "k3d-NAME": context, cluster and network; owned */
char *local_user(const char *name);               /* "admin@k3d-NAME"; owned */
char *local_volume(const char *name);             /* owned */
char *local_node(const char *name, unsigned n);   /* 0: the server, else agent n - 1; owned */
json_t *local_container_json(const struct local_spec *s, unsigned n); /* body of containers/create */
json_t *local_network_json(const char *name);
json_t *local_volume_json(const char *name);
/* {"label": [...]} for list requests, as text; owned. */
char *local_filters(const char *name);
/* Of an object's Labels. */
bool local_is_ours(const json_t *labels, const char *name);
/* "repo" and "tag" of an image for images/create; a digest counts as tag. Both owned. */
void local_image_split(const char *image, char **ret_repo, char **ret_tag);
/* RD_ERR_FOREIGN for something of that name that is not ours. */
bool local_refuse(const char *what, const char *name, const json_t *labels, struct rd_err **reterr);
/* What k3s wrote, for the outside: the server's address becomes 127.0.0.1:port. *ret_user is the body of a
 * users entry. False when it is no kubeconfig of k3s. */
struct local_access {
    char *server, *ca_pem; /* owned */
    json_t *user;          /* owned; {client-certificate-data, client-key-data} */
};
bool local_access_read(const char *text, size_t len, uint16_t port, struct local_access *ret,
                       struct rd_err **reterr) RD_MUST_CHECK;
void local_access_clear(struct local_access *a);

/* ---- create ---- */
struct local_create {
    struct op op;
    struct docker *d;
    /* In; borrowed. */
    const char *name, *image;
    uint16_t port;  /* 0: one that is free */
    unsigned agents;
    void (*say)(void *ctx, const char *text); /* progress */
    void *ctx;
    /* Out. */
    bool adopted;        /* it was there already: a failure leaves it */
    bool made;           /* something was made */
    struct local_access access;
    /* create.c's own. */
    int state;
    uint16_t used_port;
    unsigned node, port_tries;
    char *token, *id; /* id: of the container at hand */
    char *ids[1 + LOCAL_AGENTS_MAX];
    bool running[1 + LOCAL_AGENTS_MAX];
    struct docker_call call;
    struct op_timer pause;
    json_t *layers;   /* of a pull */
    uint64_t said_ms, ready_by_ms;
    struct rd_err *pull_error;
    struct k8s_client *k8s;
    struct k8s_call ask;
    char *last;       /* what was last waited for */
};
/* Fills zeroed memory; set the In fields, then start. */
void local_create_start(struct local_create *c, struct op *parent);
void local_create_clear(struct local_create *c);

/* ---- delete: containers, then network and volume ---- */
struct local_delete {
    struct op op;
    struct docker *d;
    const char *name; /* borrowed */
    json_t *removed;  /* owned, out: [{"kind", "name"}] */
    /* delete.c's own. */
    int state;
    size_t at;
    json_t *containers;
    struct docker_call call;
};
void local_delete_start(struct local_delete *x, struct op *parent);
void local_delete_clear(struct local_delete *x);

#endif
