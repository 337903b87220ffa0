/* The cluster and user entries of a kubeconfig, field by field; kubeconfig.c finds them. */
#ifndef RD_K8S_KUBECONFIG_PARTS_H
#define RD_K8S_KUBECONFIG_PARTS_H

#include "base/json.h"
#include "k8s/kubeconfig.h"

enum { KUBECONFIG_CLUSTERS, KUBECONFIG_USERS, KUBECONFIG_CONTEXTS, KUBECONFIG_LISTS };

/* What the files hold together: name -> {file, where ("file:line"), body}. */
struct kubeconfig {
    json_t *named[KUBECONFIG_LISTS];
    char *current;    /* current-context; NULL: none */
    char *current_at; /* "file:line" of it */
    char *files_text; /* for messages */
};

/* One entry being read. */
struct kubeconfig_part {
    const char *where; /* "file:line: user "x"" */
    const char *file;  /* relative paths start at its folder */
    const json_t *body;
};

/* Leaves *ret alone when the key is absent, null or empty. */
bool kubeconfig_str(const struct kubeconfig_part *p, const char *key, char **ret,
                    struct rd_err **reterr) RD_MUST_CHECK;
bool kubeconfig_read_cluster(const json_t *entry, const char *name, struct k8s_config *ret,
                             struct rd_err **reterr) RD_MUST_CHECK;
bool kubeconfig_read_user(const json_t *entry, const char *name, struct k8s_config *ret,
                          struct rd_err **reterr) RD_MUST_CHECK;

#endif
