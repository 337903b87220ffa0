/* A command in a container of a running pod, to its end: pods/exec over a WebSocket. Standard output is
 * kept, standard error for the message. Needs verbs get and create on pods/exec.
 *
 * Protocol v4.channel.k8s.io of exec: one binary message is a channel byte and a payload; 1 is standard
 * output, 2 standard error, 3 a Status object that says how the command ended. */
#ifndef RD_K8S_POD_EXEC_H
#define RD_K8S_POD_EXEC_H

#include "base/text.h"
#include "k8s/ws.h"

struct k8s_pod_exec {
    struct op op; /* ends without error when the command ended with 0 */
    struct k8s_client *client;
    /* In; owned copies. */
    char *ns, *pod, *container; /* container NULL: the pod's first */
    struct rd_strv command;
    /* Out. */
    struct rd_buf out; /* ceiling 16 MiB; more is an error */
    struct rd_buf err; /* the first 64 KiB */
    int exit_code;     /* -1: not known */
    /* pod_exec.c's own. */
    struct k8s_ws ws;
    struct rd_buf status;
    int channel; /* of the message being read; -1: its first byte has not come */
    bool started;
};
void k8s_pod_exec_init(struct k8s_pod_exec *x, struct k8s_client *c, const char *ns,
                       const char *pod, const char *container);
void k8s_pod_exec_start(struct k8s_pod_exec *x, struct op *parent);
void k8s_pod_exec_clear(struct k8s_pod_exec *x); /* safe on zeroed memory */

/* One piece of a message; pure but for the buffers. Channel -1 before the first byte of a message. */
void k8s_pod_exec_feed(struct k8s_pod_exec *x, const void *data, size_t len);
/* What the Status of channel 3 says: true with *ret_code, or false for something that is none. Pure. */
bool k8s_pod_exec_read_status(const char *text, size_t len, int *ret_code, char **ret_message);

#endif
