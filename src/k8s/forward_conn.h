/* One local connection of a forward; forward.c accepts it, this carries its bytes. */
#ifndef RD_K8S_FORWARD_CONN_H
#define RD_K8S_FORWARD_CONN_H

#include "k8s/forward.h"
#include "k8s/forward_target.h"

struct forward_priv {
    uv_tcp_t listener;
    bool listener_open, accept_waiting, told, ending;
    struct rd_err *failure;
    size_t connections; /* live */
    struct forward_target target;
    struct rd_list conns;
    char *last_note;
};

/* Accepts the waiting connection; the op frees itself at its end. */
void forward_conn_accept(struct k8s_forward *f);
/* The target changed: whoever waits for a pod looks again. */
void forward_conns_wake(struct k8s_forward *f);
/* Passes a note on unless it repeats the last one. */
void forward_note(struct k8s_forward *f, const char *text);

#endif
