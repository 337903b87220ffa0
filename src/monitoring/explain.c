/* From the end of helm's log to an error that says what to do. */
#include "monitoring/helm.h"

#include "base/alloc.h"

#include <string.h>

#define REMOTE_LINES 12

/* What helm says, and what a person can do about it; the first that fits. */
static const struct {
    const char *says;
    enum rd_err_kind kind;
    const char *hint;
} known[] = {
    {"another operation (install/upgrade/rollback) is in progress", RD_ERR_TRANSIENT,
     "Somebody else's helm is at work on this release, or was cut off. Wait until `raydeploy "
     "monitoring status` shows another state, then run this command again."},
    {"unknown flag", RD_ERR_FAILED,
     "monitoring.helmImage holds a helm that is too old: it must be 3.14 or newer."},
    {"unknown command", RD_ERR_FAILED,
     "monitoring.helmImage must be an image in which `helm` is Helm 3.14 or newer."},
    {"no chart version found", RD_ERR_FAILED,
     "The repository does not have this version: set monitoring.chartVersion to one that it has."},
    {"chart \"" MON_CHART "\" matching", RD_ERR_FAILED,
     "The repository does not have this version: set monitoring.chartVersion to one that it has."},
    {"chart \"" MON_CHART "\" version", RD_ERR_FAILED,
     "The repository does not have this version: set monitoring.chartVersion to one that it has."},
    {"not a valid chart repository or cannot be reached", RD_ERR_FAILED,
     "The cluster's pods must reach monitoring.chartRepo: let the monitoring namespace out to it, or "
     "name a mirror that it reaches."},
    {"failed to download", RD_ERR_FAILED,
     "The cluster's pods must reach monitoring.chartRepo and where its index leads: let the monitoring "
     "namespace out, or name a mirror."},
    {"no such host", RD_ERR_FAILED,
     "The cluster's pods must be able to resolve and reach monitoring.chartRepo."},
    {"i/o timeout", RD_ERR_FAILED,
     "The cluster's pods must be able to reach the API server and monitoring.chartRepo."},
    {"invalid ownership metadata", RD_ERR_FOREIGN,
     "An object of that name is there and belongs to nobody's release. Remove it, or install the stack "
     "in another namespace (monitoring.namespace) or under another name (monitoring.release)."},
    {"is forbidden", RD_ERR_CREDENTIALS,
     "The job's account is bound to cluster-admin while it runs, so something above RBAC refused: an "
     "admission policy of the cluster, or a managed cluster that protects its system namespaces."},
    {"timed out waiting", RD_ERR_TIMEOUT,
     "The release is there and its pods are not ready: `raydeploy monitoring status` lists them. Run "
     "this command again when what holds them up is cured."},
    {"context deadline exceeded", RD_ERR_TIMEOUT,
     "The release is there and its pods are not ready: `raydeploy monitoring status` lists them. Run "
     "this command again when what holds them up is cured."},
};

/* The line that says most: the last one that helm marks as its error, else the last of all. */
static const char *telling(const struct rd_strv *lines)
{
    const char *last = NULL;
    for (size_t i = lines->len; i-- > 0;) {
        const char *line = lines->v[i];
        if (rd_starts_with(line, "Error: "))
            return line + strlen("Error: ");
        if (!last && *line)
            last = line;
    }
    return last;
}

static char *tail(const struct rd_strv *lines)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    size_t from = lines->len > REMOTE_LINES ? lines->len - REMOTE_LINES : 0;
    for (size_t i = from; i < lines->len; i++)
        rd_buf_printf(&b, "%s%.1000s", b.len ? "\n" : "", lines->v[i]);
    return rd_buf_take(&b, NULL);
}

struct rd_err *mon_helm_explain(const struct mon_helm_end *e)
{
    const char *line = telling(e->lines);
    enum rd_err_kind kind = RD_ERR_FAILED;
    const char *hint = "The job's log is above; run the same command again when its cause is cured.";
    RD_AUTOFREE char *why = NULL;
    if (rd_streq(e->reason, "OOMKilled")) {
        why = rd_strdup("its container ran out of memory (1Gi)");
        hint = "A chart of the usual size needs a quarter of it; see what monitoring.helmImage holds.";
    } else if (rd_streq(e->reason, "DeadlineExceeded")) {
        kind = RD_ERR_TIMEOUT;
        why = rd_asprintf("it was not done within %d s%s%s", MON_JOB_LIMIT_S, line ? "; it last said: " : "",
                          line ? line : "");
        hint = "Run the same command again: it goes on from what is there.";
    } else if (line) {
        why = rd_strdup(line);
        for (size_t i = 0; i < RD_ARRAY_LEN(known); i++)
            if (strstr(line, known[i].says)) {
                kind = known[i].kind;
                hint = known[i].hint;
                break;
            }
    } else if (e->exit_code >= 0) {
        why = rd_asprintf("exit code %d, without a word", e->exit_code);
    } else {
        why = rd_strdup("its pod is gone, and with it the reason");
        kind = RD_ERR_TRANSIENT;
        hint = "Run the same command again.";
    }
    struct rd_err *err = rd_err_new(kind, "helm %s of release %s failed: %.500s", e->verb, e->release,
                                    why);
    rd_err_resource(err, "Helm release %s/%s", e->ns, e->release);
    rd_err_hint(err, "%s", hint);
    rd_str_dup(&err->reason, e->reason);
    if (e->lines->len)
        rd_str_take(&err->remote, tail(e->lines));
    return err;
}
