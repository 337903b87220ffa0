/* The mirror: inventory and facts in a ConfigMap beside the Lease, so that another machine can resume
 * and tear down without our disk. Written only when its content changes; never a secret. */
#ifndef RD_PHASE_DRIVE_MIRROR_H
#define RD_PHASE_DRIVE_MIRROR_H

#include "k8s/client.h"

struct mirror {
    struct op op;            /* one read, write or removal at a time */
    struct k8s_client *client; /* borrowed */
    const char *ns, *name;   /* borrowed */
    json_t *content;         /* owned: as it is in the cluster; NULL: none */
    json_t *wanted;          /* owned: what the write under way puts there */
    char *version;           /* owned: resourceVersion; NULL: not there */
    int state;
    unsigned tries;
    struct k8s_call call;
};

void mirror_init(struct mirror *m, struct k8s_client *c, const char *ns, const char *name);
void mirror_read(struct mirror *m, struct op *parent);
/* Takes *take_content. Without error it is durable in the cluster. */
void mirror_write(struct mirror *m, struct op *parent, json_t *take_content);
void mirror_remove(struct mirror *m, struct op *parent);
void mirror_clear(struct mirror *m);

#endif
