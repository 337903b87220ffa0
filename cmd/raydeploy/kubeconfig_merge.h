/* One cluster in somebody's kubeconfig: the other entries stay as they are. */
#ifndef RD_CMD_KUBECONFIG_MERGE_H
#define RD_CMD_KUBECONFIG_MERGE_H

#include "base/json.h"
#include "config/config.h"

struct kubeconfig_entry {
    const char *name;      /* of cluster and context, and of the user unless: */
    const char *user_name; /* NULL */
    const char *server;
    const char *ca_pem;    /* NULL: the system's roots */
    const char *ca_file;   /* in its place; NULL */
    json_t *user;          /* borrowed; how to log in; NULL: by an exec plugin: */
    const char *command;   /*   its absolute path */
    json_t *args;          /*   borrowed array of its arguments */
};
/* Puts the entry into the tree (an empty object is fine) and makes it the current context. RD_ERR_INPUT
 * when the tree is no kubeconfig. Pure. */
bool kubeconfig_put(json_t *tree, const struct kubeconfig_entry *e, struct rd_err **reterr)
    RD_MUST_CHECK;
/* The same with a file, replaced as a whole (0600) or made. A link stays one. */
bool kubeconfig_put_file(const char *path, const struct kubeconfig_entry *e, struct rd_err **reterr)
    RD_MUST_CHECK;
/* Takes cluster and context of that name out again, and the user; the current context is left empty when it
 * was this one. A file that is not there is fine. */
bool kubeconfig_drop_file(const char *path, const char *name, const char *user, bool *ret_dropped,
                          struct rd_err **reterr) RD_MUST_CHECK;
/* The same on a tree; whether something was taken out. Pure. */
bool kubeconfig_drop(json_t *tree, const char *name, const char *user);
/* Where kubectl would write: --kubeconfig, the first of KUBECONFIG, else ~/.kube/config. Owned. */
char *kubeconfig_path(const struct config *c);

#endif
