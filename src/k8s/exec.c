/* Exec credential plugins (reference 8.3).
 *
 * One run serves everyone who waits. The run is a child of the first waiter, so cancelling that one
 * ends it, and the next waiter starts it anew: no operation outlives its tree. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/text.h"
#include "k8s/client.h"
#include "k8s/internal.h"
#include "loop/proc.h"

#include <string.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)1 << 20)
#define EXPIRY_SKEW_MS 10000

struct k8s_exec_auth {
    struct http_auth auth;
    const struct k8s_config *config;
    struct http_client *http;
    struct k8s_exec_credential now;
    bool have;
    struct rd_list waiters;        /* struct http_auth_wait.waiting */
    struct http_auth_wait *leader; /* whose op the run is a child of */
    struct op_proc proc;
};

char *k8s_exec_info(const struct k8s_config *config, bool interactive)
{
    RD_AUTOJSON json_t *info =
        rd_json_pack("{s:s, s:s, s:{s:b}}", "apiVersion", config->exec.api_version, "kind",
                     "ExecCredential", "spec", "interactive", (int)interactive);
    if (config->exec.provide_cluster_info) {
        json_t *cluster = rd_json_pack("{s:s}", "server", config->server);
        const struct http_tls *tls = &config->tls;
        if (tls->server_name)
            json_object_set_new(cluster, "tls-server-name", json_string(tls->server_name));
        if (tls->insecure)
            json_object_set_new(cluster, "insecure-skip-tls-verify", json_true());
        if (tls->ca_pem) {
            RD_AUTOFREE char *ca = rd_base64_encode(tls->ca_pem, strlen(tls->ca_pem));
            json_object_set_new(cluster, "certificate-authority-data", json_string(ca));
        }
        if (config->proxy_url)
            json_object_set_new(cluster, "proxy-url", json_string(config->proxy_url));
        if (config->disable_compression)
            json_object_set_new(cluster, "disable-compression", json_true());
        if (config->exec.cluster_extension)
            json_object_set(cluster, "config", config->exec.cluster_extension);
        rd_json_path_set(info, "spec.cluster", cluster);
    }
    return rd_json_dump(info);
}

void k8s_exec_credential_clear(struct k8s_exec_credential *c)
{
    rd_secret_clear(&c->token);
    rd_secret_clear(&c->key_pem);
    rd_freep(&c->cert_pem);
    c->expires_wall_ms = 0;
}

bool k8s_exec_read(const char *text, size_t len, const char *api_version,
                   struct k8s_exec_credential *ret, struct rd_err **reterr)
{
    RD_AUTOJSON json_t *root = rd_json_parse(text ? text : "", len, "its answer", reterr);
    if (!root) {
        (*reterr)->kind = RD_ERR_CREDENTIALS;
        return false;
    }
    const char *kind = rd_json_str(root, "kind", NULL);
    const char *version = rd_json_str(root, "apiVersion", NULL);
    const char *token = rd_json_path_str(root, "status.token");
    const char *cert = rd_json_path_str(root, "status.clientCertificateData");
    const char *key = rd_json_path_str(root, "status.clientKeyData");
    const char *expires = rd_json_path_str(root, "status.expirationTimestamp");
    if (!rd_streq(kind, "ExecCredential"))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "its answer is not an ExecCredential");
    if (!rd_streq(version, api_version))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "it answered %.80s, the kubeconfig asks for %s",
                       version ? version : "no apiVersion", api_version);
    if ((!token || !*token) && (!cert || !key))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "its answer holds neither a token nor a client "
                       "certificate with its key");
    if (token && strpbrk(token, "\r\n"))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "its token has line breaks");
    int64_t expires_ms = 0;
    if (expires && !rd_rfc3339_parse(expires, &expires_ms))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "its expirationTimestamp %.40s is not a date",
                       expires);
    memset(ret, 0, sizeof(*ret));
    if (token && *token)
        rd_secret_set(&ret->token, token, strlen(token));
    if (cert && key) {
        ret->cert_pem = rd_strdup(cert);
        rd_secret_set(&ret->key_pem, key, strlen(key));
    }
    ret->expires_wall_ms = expires_ms;
    return true;
}

static void adopt(struct k8s_exec_auth *a, struct k8s_exec_credential *take)
{
    bool changed = take->cert_pem && !rd_streq(take->cert_pem, a->now.cert_pem);
    k8s_exec_credential_clear(&a->now);
    a->now = *take;
    a->have = true;
    a->auth.generation++;
    if (!changed)
        return;
    struct http_tls tls;
    k8s_tls_dup(&tls, &a->config->tls);
    rd_str_dup(&tls.cert_pem, a->now.cert_pem);
    rd_secret_clear(&tls.key_pem);
    rd_secret_set(&tls.key_pem, a->now.key_pem.data, a->now.key_pem.len);
    http_client_set_tls(a->http, &tls);
}

static bool run_start(struct k8s_exec_auth *a, struct op *parent, struct rd_err **reterr)
{
    const struct k8s_exec_config *e = &a->config->exec;
    bool terminal = isatty(STDIN_FILENO);
    bool interactive = terminal && !rd_streq(e->interactive_mode, "Never");
    if (rd_streq(e->interactive_mode, "Always") && !terminal) {
        rd_fail(reterr, RD_ERR_CREDENTIALS,
                "%s: the plugin %s wants a terminal (interactiveMode: Always) and there is none",
                a->config->origin, e->command);
        rd_err_hint(*reterr, "Run the command from a terminal, or use a user that needs none.");
        return false;
    }
    RD_AUTOFREE const char **argv = rd_calloc(e->args.len + 2, sizeof(*argv));
    argv[0] = e->command;
    for (size_t i = 0; i < e->args.len; i++)
        argv[i + 1] = e->args.v[i];
    struct rd_strv env = {0};
    RD_AUTOFREE char *info = k8s_exec_info(a->config, interactive);
    rd_strv_take(&env, rd_asprintf("KUBERNETES_EXEC_INFO=%s", info));
    for (size_t i = 0; i < e->env.len; i++)
        rd_strv_add(&env, e->env.v[i]);
    /* Ours first: a program takes the first of two equal names. */
    for (char **v = environ; *v; v++) {
        bool replaced = false;
        size_t name = strcspn(*v, "=") + 1;
        for (size_t i = 0; i <= e->env.len; i++)
            replaced = replaced || strncmp(env.v[i], *v, name) == 0;
        if (!replaced)
            rd_strv_add(&env, *v);
    }
    struct op_proc_options o = {.file = e->command,
                                .argv = argv,
                                .env = (const char *const *)env.v,
                                .inherit_stdin = interactive,
                                .out_max = ANSWER_MAX};
    op_proc_start(&a->proc, parent, &o);
    rd_strv_clear(&env);
    return true;
}

static struct rd_err *run_read(struct k8s_exec_auth *a)
{
    const struct k8s_exec_config *e = &a->config->exec;
    struct rd_err *err = op_take_err(&a->proc.op);
    struct k8s_exec_credential got = {0};
    if (err)
        err->kind = RD_ERR_CREDENTIALS;
    else if (a->proc.term_signal)
        rd_fail(&err, RD_ERR_CREDENTIALS, "it was ended by signal %d", a->proc.term_signal);
    else if (a->proc.exit_status)
        rd_fail(&err, RD_ERR_CREDENTIALS, "it ended with status %d", (int)a->proc.exit_status);
    else if (k8s_exec_read(a->proc.out.data, a->proc.out.len, e->api_version, &got, &err))
        adopt(a, &got);
    rd_wipe(a->proc.out.data, a->proc.out.len);
    op_proc_clear(&a->proc);
    if (err) {
        rd_err_wrap(err, "%s: credential plugin %s", a->config->origin, e->command);
        if (e->install_hint)
            rd_err_hint(err, "%s", e->install_hint);
        else
            rd_err_hint(err, "Run the plugin by hand to see what it wants; perhaps a login.");
    }
    return err;
}

static void lead(struct k8s_exec_auth *a);

static void wait_end(struct k8s_exec_auth *a, struct http_auth_wait *w, struct rd_err *take)
{
    rd_list_remove(&w->waiting);
    if (a->leader == w)
        a->leader = NULL;
    op_finish(&w->op, take);
}

static void wait_step(struct op *op)
{
    struct http_auth_wait *w = container_of(op, struct http_auth_wait, op);
    struct k8s_exec_auth *a = container_of(w->auth, struct k8s_exec_auth, auth);
    if (op->cancelled) {
        bool led = a->leader == w;
        if (led) {
            rd_err_free(op_take_err(&a->proc.op));
            op_proc_clear(&a->proc);
        }
        wait_end(a, w, NULL);
        if (led)
            lead(a);
        return;
    }
    if (a->leader != w || !op_ended(&a->proc.op))
        return;
    RD_AUTOERR struct rd_err *err = run_read(a);
    a->leader = NULL;
    while (!rd_list_empty(&a->waiters)) {
        struct http_auth_wait *next = container_of(a->waiters.next, struct http_auth_wait, waiting);
        wait_end(a, next, rd_err_dup(err));
    }
}

/* Makes the first waiter the one that runs the plugin. */
static void lead(struct k8s_exec_auth *a)
{
    while (!a->leader && !rd_list_empty(&a->waiters)) {
        struct http_auth_wait *w = container_of(a->waiters.next, struct http_auth_wait, waiting);
        struct rd_err *err = NULL;
        if (run_start(a, &w->op, &err)) {
            a->leader = w;
            return;
        }
        wait_end(a, w, err);
    }
}

static bool exec_ensure(struct http_auth *auth, struct http_auth_wait *wait, struct op *parent)
{
    struct k8s_exec_auth *a = container_of(auth, struct k8s_exec_auth, auth);
    int64_t expires = a->now.expires_wall_ms;
    if (a->have && (!expires || rd_wall_ms() + EXPIRY_SKEW_MS < expires))
        return true;
    wait->auth = auth;
    op_start(&wait->op, parent, wait_step, "credential plugin");
    rd_list_init(&wait->waiting);
    rd_list_append(&a->waiters, &wait->waiting);
    lead(a);
    return false;
}

static void exec_apply(struct http_auth *auth, struct http_req *r)
{
    struct k8s_exec_auth *a = container_of(auth, struct k8s_exec_auth, auth);
    if (!rd_secret_is_set(&a->now.token) || !rd_starts_with(r->url, "https://"))
        return;
    RD_AUTOFREE char *value = rd_asprintf("Bearer %s", a->now.token.data);
    http_req_header(r, "Authorization", value);
    rd_wipe(value, strlen(value));
}

static void exec_invalidate(struct http_auth *auth)
{
    container_of(auth, struct k8s_exec_auth, auth)->have = false;
}

static void exec_free(struct http_auth *auth)
{
    struct k8s_exec_auth *a = container_of(auth, struct k8s_exec_auth, auth);
    RD_ASSERT(rd_list_empty(&a->waiters));
    k8s_exec_credential_clear(&a->now);
    rd_freep(&a);
}

static const struct http_auth_ops exec_ops = {exec_ensure, exec_apply, exec_invalidate, exec_free};

struct http_auth *k8s_exec_auth_new(const struct k8s_config *config, struct http_client *http)
{
    struct k8s_exec_auth *a = rd_calloc(1, sizeof(*a));
    a->auth.ops = &exec_ops;
    a->config = config;
    a->http = http;
    rd_list_init(&a->waiters);
    return &a->auth;
}
