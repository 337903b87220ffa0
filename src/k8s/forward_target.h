/* Which pod and port a forward goes to right now: a fixed pod, the newest Ready pod of a selector,
 * or of a Service (its selector, and its port translated to the pod's). */
#ifndef RD_K8S_FORWARD_TARGET_H
#define RD_K8S_FORWARD_TARGET_H

#include "k8s/watch.h"

struct forward_target {
    struct op op; /* ends when cancelled, or when there can be no pod: error */
    struct k8s_client *client;
    const char *ns, *fixed, *selector, *service; /* borrowed */
    uint16_t wanted_port;
    /* Out. */
    char *pod;                                   /* owned; NULL: none is Ready */
    uint16_t port;                               /* of that pod */
    char *why_none;                              /* owned */
    void (*on_change)(struct forward_target *t); /* called from step */
    void *ctx;
    /* forward_target.c's own. */
    struct k8s_call get;
    struct k8s_watch watch;
    json_t *service_port; /* {"port":..,"targetPort":..}, owned */
    char *labels;
    json_t *pods; /* uid -> facts */
    bool synced;
    int state;
};
void forward_target_init(struct forward_target *t, struct k8s_client *c, const char *ns,
                         uint16_t port);
void forward_target_start(struct forward_target *t, struct op *parent);
void forward_target_clear(struct forward_target *t);

/* ---- Pure parts ---- */
/* What is kept of a pod: {"name","created","ready","ports":{name:number}}. Owned. */
json_t *forward_pod_facts(const json_t *pod);
/* The Ready pod created last (ties: the greater name); NULL: none. Borrowed. */
const json_t *forward_pick(const json_t *pods);
/* The Service's port entry and label selector; false with the reason. */
bool forward_service_read(const json_t *service, uint16_t port, json_t **ret_port,
                          char **ret_labels, struct rd_err **reterr) RD_MUST_CHECK;
/* The number behind a Service's targetPort on this pod; 0: the pod has no port of that name. */
uint16_t forward_target_port(const json_t *service_port, const json_t *facts);

#endif
