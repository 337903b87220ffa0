/* credentials: a kubeconfig entry for a cluster of ours. Its exec plugin is this program, so kubectl
 * needs neither gcloud nor its plugin, and no token is ever written down. */
#include "kubeconfig_merge.h"
#include "verb.h"

#include "auth/override.h"
#include "base/alloc.h"
#include "gcp/services.h"
#include "phase/steps/cc.h"
#include "phase/steps/google.h"
#include "phase/steps/mgmt_plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct config_verb_flag flags[] = {
    {"management", NULL, NULL, false, "of the management cluster, not of the one that runs Ray"},
    {NULL, NULL, NULL, false, NULL},
};

struct asking {
    struct verb_ctx *v;
    struct gcp_call call;
    struct gcp_client *client;
};

static bool of_management(const struct verb_ctx *v)
{
    return verb_flag(v, "management");
}

static void on_warning(void *ctx, const char *text)
{
    verb_say(ctx, NOTE_WARN, "%s", text);
}

static void start(struct op *parent, void *ctx)
{
    struct asking *a = ctx;
    const struct config *c = &a->v->config;
    /* Listed: the zone of a management cluster need not be the one a new one would get. */
    gcp_clusters_list(&a->call, a->client, c->project, of_management(a->v) ? "-" : c->region);
    gcp_call_start(&a->call, parent);
}

/* The path by which this program can be found from anywhere; owned. */
static char *program_path(const struct verb_ctx *v)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n > 0)
        return rd_strndup(path, (size_t)n);
    char *real = realpath(v->program, NULL);
    char *own = rd_strdup(real ? real : v->program);
    free(real);
    return own;
}

static json_t *plugin_args(const struct config *c)
{
    json_t *args = rd_json_pack("[s, s]", "token", "--exec-credential");
    char *file = c->credentials ? realpath(c->credentials, NULL) : NULL;
    if (file) {
        json_array_append_new(args, json_string("--credentials"));
        json_array_append_new(args, json_string(file));
    }
    free(file);
    return args;
}

static int write_entry(struct verb_ctx *v, const json_t *cluster)
{
    const struct config *c = &v->config;
    struct gcp_endpoint end;
    struct rd_err *err = NULL;
    if (!gcp_cluster_endpoint(cluster, &end, &err))
        return verb_fail(v, err);
    RD_AUTOFREE char *path = kubeconfig_path(c);
    RD_AUTOFREE char *program = program_path(v);
    RD_AUTOFREE char *name =
        rd_asprintf("raydeploy_%s_%s_%s", c->project, rd_json_str(cluster, "location", NULL),
                    rd_json_str(cluster, "name", NULL));
    RD_AUTOJSON json_t *args = plugin_args(c);
    struct kubeconfig_entry e = {.name = name,
                                 .server = end.server,
                                 .ca_pem = end.ca_pem,
                                 .ca_file = auth_env("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"),
                                 .command = program,
                                 .args = args};
    bool ok = kubeconfig_put_file(path, &e, &err);
    gcp_endpoint_clear(&end);
    if (!ok)
        return verb_fail(v, err);
    if (v->config.json_output) {
        RD_AUTOJSON json_t *o = rd_json_pack("{s:s, s:s}", "kubeconfig", path, "context", name);
        verb_print_json(v, o);
    }
    rd_str_take(&v->result, rd_asprintf("context %s is in %s and is the current one", name, path));
    return 0;
}

static int found(struct asking *a)
{
    struct verb_ctx *v = a->v;
    RD_AUTOFREE char *name =
        of_management(v) ? rd_strdup(MGMT_CLUSTER) : cc_cluster(&v->config);
    const json_t *cluster = mgmt_cluster_find(a->call.result, name);
    if (cluster)
        return write_entry(v, cluster);
    struct rd_err *err =
        rd_err_new(RD_ERR_NOT_FOUND, "there is no cluster %s in project %s", name, v->config.project);
    rd_err_hint(err, of_management(v) ? "Run `raydeploy bootstrap` to make it."
                                      : "Run `raydeploy up` to make it.");
    rd_err_resource(err, "%s", name);
    return verb_fail(v, err);
}

static int run(struct verb_ctx *v)
{
    if (v->config.target == TARGET_LOCAL)
        return verb_refuse(v, "with --target local the kubeconfig is there already");
    struct asking a = {.v = v};
    struct rd_err *err = NULL;
    struct google_ears ears = {.observe = verb_on_request, .warn = on_warning, .ctx = v};
    a.client = google_client_new(v->loop, &v->config, &ears, &err);
    if (!a.client)
        return verb_fail(v, err);
    int code = verb_run_op(v, &a.call.op, start, &a);
    if (code == 0)
        code = found(&a);
    rd_err_free(op_take_err(&a.call.op));
    gcp_call_clear(&a.call);
    gcp_client_free(a.client);
    return code;
}

const struct verb verb_credentials = {
    .name = "credentials",
    .summary = "a kubeconfig entry for the new cluster; raydeploy itself is its exec plugin",
    .help = "Writes into --kubeconfig, the first file of KUBECONFIG, or ~/.kube/config; other entries "
            "stay,\ncomments do not. The file holds no secret: kubectl asks `raydeploy token` each "
            "time.\n",
    .flags = flags,
    .needs_deployment = true,
    .run = run,
};
