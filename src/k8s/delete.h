/* Delete one object and wait until it is gone (reference section 5). */
#ifndef RD_K8S_DELETE_H
#define RD_K8S_DELETE_H

#include "k8s/watch.h"

enum k8s_propagation { K8S_FOREGROUND, K8S_BACKGROUND, K8S_ORPHAN };

struct k8s_delete {
    struct op op;
    struct k8s_client *client;
    const struct k8s_resource *resource; /* borrowed */
    char *ns, *name;        /* owned copies */
    char *uid;              /* precondition; NULL: whatever is there now */
    enum k8s_propagation propagation;
    bool dry_run;
    bool no_wait;
    /* Told what it still waits for ("finalizer x (controller y)", age); at most once a change. */
    void (*progress)(struct k8s_delete *d, const char *text);
    void *ctx;
    /* Out. */
    bool was_absent;
    struct k8s_call call;
    struct k8s_watch watch;
    struct op_timer pause;
    int state;
    unsigned tries;
    bool gone;              /* the watch saw the end of it */
    char *last_text;
    json_t *last;           /* the object as last seen */
};
void k8s_delete_init(struct k8s_delete *d, struct k8s_client *c, const struct k8s_resource *r,
                     const char *ns, const char *name);
/* At the deadline the error (RD_ERR_TIMEOUT) says which finalizers hold it and who removes them. */
void k8s_delete_start(struct k8s_delete *d, struct op *parent);
void k8s_delete_clear(struct k8s_delete *d);
/* "finalizers a, b since 3m: waits for the KubeRay operator"; appends. Pure. */
void k8s_explain_deletion(const json_t *object, int64_t now_wall_ms, struct rd_buf *out);

#endif
