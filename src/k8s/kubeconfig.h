/* kubeconfig: selection, merge and the parts of a context, as client-go reads them
 * (../shared/reference/kubernetes-client.md section 8). Nothing here talks to a server. */
#ifndef RD_K8S_KUBECONFIG_H
#define RD_K8S_KUBECONFIG_H

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "http/http.h"

struct k8s_exec_config {
    char *command; /* owned; NULL: no plugin. Resolved against the file's folder if it holds a slash */
    struct rd_strv args;
    struct rd_strv env; /* KEY=VALUE */
    char *api_version;
    char *install_hint;
    char *interactive_mode; /* Never, IfAvailable, Always */
    bool provide_cluster_info;
    json_t *cluster_extension; /* owned; may be NULL */
};

struct k8s_config {
    char *origin;   /* "file.yaml, context kind-x" or "in-cluster": for messages */
    char *context;  /* NULL in-cluster */
    char *user;     /* name of the users entry; NULL: none */
    char *server;   /* https://host:port[/prefix] */
    char *ns;       /* default namespace; "default" */
    char *proxy_url;
    bool disable_compression;
    struct http_tls tls;
    struct rd_secret token;
    char *token_file;
    char *username;
    struct rd_secret password;
    struct k8s_exec_config exec;
    char *as, *as_uid;
    struct rd_strv as_groups;
    json_t *as_extra; /* owned; object of string arrays; NULL */
};

struct k8s_config_options {
    const char *path;    /* --kubeconfig; NULL: KUBECONFIG, then ~/.kube/config, then in-cluster */
    const char *context; /* --context; NULL: current-context */
    bool no_in_cluster;
    const char *in_cluster_dir; /* NULL: where pods have their service account */
};
/* All errors RD_ERR_INPUT with file (and line of a syntax error). */
bool k8s_config_load(const struct k8s_config_options *o, struct k8s_config *ret,
                     struct rd_err **reterr) RD_MUST_CHECK;
void k8s_config_clear(struct k8s_config *c);

#endif
