/* One cluster in somebody's kubeconfig: the other entries stay as they are. */
#ifndef RD_CMD_KUBECONFIG_MERGE_H
#define RD_CMD_KUBECONFIG_MERGE_H

#include "base/json.h"

struct kubeconfig_entry {
    const char *name;      /* of cluster, user and context alike */
    const char *server;
    const char *ca_pem;    /* NULL: the system's roots */
    const char *ca_file;   /* in its place; NULL */
    const char *command;   /* absolute path of the exec plugin */
    json_t *args;          /* borrowed array of its arguments */
};
/* Puts the entry into the tree (an empty object is fine) and makes it the current context. RD_ERR_INPUT
 * when the tree is no kubeconfig. Pure. */
bool kubeconfig_put(json_t *tree, const struct kubeconfig_entry *e, struct rd_err **reterr)
    RD_MUST_CHECK;
/* The same with a file, replaced as a whole (0600) or made. A link stays one. */
bool kubeconfig_put_file(const char *path, const struct kubeconfig_entry *e, struct rd_err **reterr)
    RD_MUST_CHECK;

#endif
