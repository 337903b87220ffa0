#include "ray_way.h"

#include "base/alloc.h"
#include "base/file.h"
#include "deploy.h"
#include "ray/validate_internal.h"

#include <stdlib.h>
#include <string.h>

#define WAY_MS 90000
#define TOKEN_FILE_MAX 4096
#define SECRET_NAME_MAX 50 /* KubeRay names it after the end of a longer name */

/* ---- Where to ---- */

static bool given_by_flag(const struct verb_ctx *v)
{
    static const char *const flags[] = {"target", "name", "kubeconfig", "context", "config"};
    for (size_t i = 0; i < RD_ARRAY_LEN(flags); i++)
        if (rd_starts_with(config_origin(&v->config, flags[i]), "--"))
            return true;
    return false;
}

/* Flag, then what Ray's own users set, unless the flags name a deployment. */
static bool find_address(struct verb_ctx *v, char **ret, struct rd_err **reterr)
{
    static const char *const names[] = {"RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"};
    const char *flag = verb_flag_text(v, "address"), *value = flag, *origin = "--address";
    for (size_t i = 0; i < RD_ARRAY_LEN(names) && !value && !given_by_flag(v); i++) {
        origin = names[i];
        value = getenv(origin);
        value = value && *value ? value : NULL;
    }
    if (!value)
        return true;
    bool web = rd_starts_with(value, "http://") || rd_starts_with(value, "https://");
    if (!web && (strstr(value, "://") || !flag || rd_streq(value, "auto"))) {
        rd_fail(reterr, RD_ERR_INPUT, "%s: \"%.200s\" is not the address of a dashboard", origin,
                value);
        rd_err_hint(*reterr, "Give the dashboard's URL by --address http://HOST:8265, or the "
                             "deployment by --target, --kubeconfig or --name.");
        return false;
    }
    if (!http_url_check(value, reterr)) {
        rd_err_wrap(*reterr, "%s", origin);
        return false;
    }
    RD_AUTOFREE char *url = web ? rd_strdup(value) : rd_asprintf("http://%s", value);
    size_t len = strlen(url);
    while (len && url[len - 1] == '/')
        url[--len] = '\0';
    if (!flag)
        verb_say(v, NOTE_INFO, "using %s=%s", origin, url);
    rd_str_take(ret, rd_strdup(url));
    return true;
}

/* As Ray's own client finds its token. */
static bool find_token(struct ray_dashboard *d, struct rd_err **reterr)
{
    const char *value = getenv("RAY_AUTH_TOKEN"), *path = getenv("RAY_AUTH_TOKEN_PATH");
    const char *home = getenv("HOME");
    RD_AUTOFREE char *usual = home ? rd_path_join(home, ".ray/auth_token") : NULL;
    struct rd_buf text = RD_BUF_INIT(TOKEN_FILE_MAX);
    if (value && *value) {
        rd_buf_puts(&text, value);
    } else if (path && *path) {
        if (!rd_file_read(path, TOKEN_FILE_MAX, &text, reterr)) {
            rd_err_wrap(*reterr, "RAY_AUTH_TOKEN_PATH");
            return false;
        }
    } else if (rd_streq(getenv("RAY_AUTH_MODE"), "token") && usual && rd_path_exists(usual)) {
        if (!rd_file_read(usual, TOKEN_FILE_MAX, &text, reterr))
            return false;
    }
    const char *at = rd_buf_str(&text);
    size_t len = strcspn(at += strspn(at, " \t\r\n"), " \t\r\n");
    bool ok = len == strlen(at) || at[len + strspn(at + len, " \t\r\n")] == '\0';
    for (size_t i = 0; i < len && ok; i++)
        ok = at[i] > 0x20 && at[i] < 0x7f;
    if (ok && len)
        rd_secret_set(&d->token, at, len);
    if (text.data)
        rd_wipe(text.data, text.len);
    rd_buf_clear(&text);
    if (!ok)
        return rd_fail(reterr, RD_ERR_INPUT, "the token for Ray holds what no header can");
    return true;
}

bool verb_deployment(struct verb_ctx *v, struct rd_err **reterr)
{
    config_clear(&v->config);
    return config_load(&v->config, v->argc, v->argv, v->verb->flags, true, reterr) &&
           config_require(&v->config, reterr);
}

char *ray_token_secret(const json_t *cluster)
{
    const char *mode = rd_json_path_str(cluster, "spec.authOptions.mode");
    const char *given = rd_json_path_str(cluster, "spec.authOptions.secretName");
    const char *name = rd_json_path_str(cluster, "metadata.name");
    if (!rd_streq(mode, "token"))
        return NULL;
    size_t len = name ? strlen(name) : 0;
    if (given && *given)
        return rd_strdup(given);
    return name ? rd_strdup(len > SECRET_NAME_MAX ? name + len - SECRET_NAME_MAX : name) : NULL;
}

static void on_note(struct ray_dashboard *d, const char *text)
{
    struct ray_way *w = d->ctx;
    verb_say(w->v, NOTE_DEBUG, "%s", text);
}

bool ray_way_open(struct ray_way *w, struct verb_ctx *v, struct rd_err **reterr)
{
    *w = (struct ray_way){.v = v};
    ray_dashboard_init(&w->dash);
    w->dash.on_note = on_note;
    w->dash.ctx = w;
    if (!find_address(v, &w->dash.address, reterr))
        return false;
    if (w->dash.address)
        return find_token(&w->dash, reterr);
    if (!verb_deployment(v, reterr))
        return false;
    w->client = verb_workload(v, NULL, reterr);
    if (!w->client)
        return false;
    w->dash.client = w->client;
    w->dash.ns = config_namespace(&v->config);
    w->dash.cluster = rd_strdup(v->config.name);
    return true;
}

void ray_way_clear(struct ray_way *w)
{
    ray_call_clear(&w->version);
    ray_dashboard_clear(&w->dash);
    k8s_call_clear(&w->get);
    rd_err_free(op_take_err(&w->get.op));
    rd_err_free(op_take_err(&w->op));
    if (w->client)
        k8s_client_free(w->client);
    rd_freep(&w->ray_version);
    rd_freep(&w->wanted);
}

char *ray_way_flags(const struct ray_way *w)
{
    if (w->client)
        return deploy_flags(w->v);
    return w->dash.address ? rd_asprintf(" --address %s", w->dash.address) : rd_strdup("");
}

/* ---- Going there ---- */

static bool read_cluster(struct ray_way *w, struct rd_err **reterr)
{
    struct rd_err *err = op_take_err(&w->get.op);
    if (err && err->kind == RD_ERR_NOT_FOUND) {
        rd_err_free(err);
        RD_AUTOFREE char *flags = deploy_flags(w->v);
        rd_fail(reterr, RD_ERR_NOT_FOUND, "there is no RayCluster %s in namespace %s",
                w->dash.cluster, w->dash.ns);
        rd_err_hint(*reterr, "Make it with: raydeploy up%s", flags);
        return false;
    }
    if (err) {
        *reterr = err;
        return false;
    }
    w->dash.token_secret = ray_token_secret(w->get.result);
    rd_str_dup(&w->wanted, rd_json_path_str(w->get.result, "spec.rayVersion"));
    return true;
}

/* Ray's own client asks for 2.0 before anything else. */
static bool read_version(struct ray_way *w, struct rd_err **reterr)
{
    const char *where = w->dash.address ? w->dash.address : w->dash.base;
    struct rd_err *err = op_take_err(&w->version.op);
    if (err && !w->dash.address && err->kind == RD_ERR_NOT_FOUND && err->http_status == 404)
        where = w->dash.cluster;
    if (err && err->http_status == 404) {
        rd_err_free(err);
        rd_fail(reterr, RD_ERR_FAILED, "%s does not tell Ray's version", where);
        rd_err_hint(*reterr, "It must be the dashboard (port 8265) of Ray 2.0 or newer.");
        return false;
    }
    if (err) {
        rd_err_wrap(err, "ask Ray's dashboard for its version");
        if (err->http_status == 401 || err->http_status == 403)
            rd_err_hint(err, w->dash.address
                                 ? "Set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's token."
                                 : "The RayCluster's token does not fit; see: raydeploy status");
        *reterr = err;
        return false;
    }
    rd_str_dup(&w->ray_version, rd_json_str(w->version.result, "ray_version", NULL));
    if (!w->ray_version)
        return rd_fail(reterr, RD_ERR_FAILED, "%s does not tell Ray's version", where);
    if (!ray_way_needs(w, 2, 0, "the Jobs API", reterr))
        return false;
    if (w->wanted && !rd_streq(w->wanted, w->ray_version) && !w->quiet)
        verb_say(w->v, NOTE_WARN, "the RayCluster asks for Ray %s, and Ray %s is running", w->wanted,
                 w->ray_version);
    return true;
}

bool ray_way_needs(const struct ray_way *w, unsigned major, unsigned minor, const char *feature,
                   struct rd_err **reterr)
{
    int order = ray_version_compare(w->ray_version, major, minor);
    if (order != -1) /* a version that is no number is taken for a new one */
        return true;
    rd_fail(reterr, RD_ERR_FAILED, "Ray %s is running on the cluster, and %s needs Ray %u.%u or newer",
            w->ray_version, feature, major, minor);
    rd_err_hint(*reterr, "Deploy a newer Ray, or leave that out.");
    return false;
}

static void way_step(struct op *op)
{
    struct ray_way *w = container_of(op, struct ray_way, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        struct op *waited = w->dialled ? &w->version.op : w->asked ? &w->get.op : NULL;
        op_finish(op, op->timed_out && waited ? op_take_err(waited) : NULL);
        return;
    }
    if (w->client && !w->asked) {
        const struct k8s_resource *clusters = k8s_resource_find(w->client, "ray.io/v1", "RayCluster");
        RD_ASSERT(clusters); /* compiled in */
        w->asked = true;
        k8s_get_init(&w->get, w->client, clusters, w->dash.ns, w->dash.cluster);
        k8s_call_start(&w->get, op);
        return;
    }
    if (!w->dialled) {
        if (w->client && !op_ended(&w->get.op))
            return;
        if (w->client && !read_cluster(w, &err)) {
            op_finish(op, err);
            return;
        }
        w->dialled = true;
        ray_dashboard_start(&w->dash, op->parent);
        ray_version_init(&w->version, &w->dash);
        ray_call_start(&w->version, op);
        return;
    }
    if (!op_ended(&w->version.op))
        return;
    op_finish(op, read_version(w, &err) ? NULL : err);
}

void ray_way_start(struct ray_way *w, struct op *parent)
{
    op_start(&w->op, parent, way_step, "way to Ray");
    op_set_timeout(&w->op, WAY_MS);
}
