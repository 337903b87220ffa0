/* The log of one container, followed to its end. A log only grows, so a connection that is cut is made
 * again and the bytes that were seen already are passed over: none is lost or told twice. */
#ifndef RD_K8S_POD_LOG_H
#define RD_K8S_POD_LOG_H

#include "k8s/client.h"

struct k8s_pod_log {
    struct op op; /* ends when the container's log has ended, or is gone */
    struct k8s_client *client;
    char *ns, *pod, *container; /* owned copies */
    /* Each whole line without its end; a last one without a line feed too. Cut at 16 KiB. */
    void (*on_line)(struct k8s_pod_log *l, const char *line);
    void *ctx;
    /* pod_log.c's own. */
    struct k8s_call call;
    struct op_timer pause;
    struct rd_buf line;
    uint64_t seen;  /* bytes told so far */
    uint64_t skip;  /* bytes of this connection to pass over */
    unsigned cuts;
    bool pausing;
};
void k8s_pod_log_init(struct k8s_pod_log *l, struct k8s_client *c, const char *ns, const char *pod,
                      const char *container);
void k8s_pod_log_start(struct k8s_pod_log *l, struct op *parent);
void k8s_pod_log_clear(struct k8s_pod_log *l); /* safe on zeroed memory */
/* Bytes of one connection as they come. Pure but for the callback. */
void k8s_pod_log_feed(struct k8s_pod_log *l, const char *data, size_t len);

#endif
