/* Step `apis`: the Google APIs that a deployment needs are enabled, and answer. They are never
 * disabled again: others in the project may have come to rely on them. */
#include "phase/steps/mgmt_op.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static const char *const wanted[] = {
    "serviceusage.googleapis.com",  "cloudresourcemanager.googleapis.com",
    "cloudbilling.googleapis.com",  "iam.googleapis.com",
    "iamcredentials.googleapis.com", "compute.googleapis.com",
    "container.googleapis.com",     "file.googleapis.com",
    "storage.googleapis.com",       "artifactregistry.googleapis.com",
    "cloudquotas.googleapis.com",   "logging.googleapis.com",
    "monitoring.googleapis.com",
};
enum { WANTED = RD_ARRAY_LEN(wanted), PROBES = 5 };
_Static_assert(WANTED <= GCP_ENABLE_MAX, "one batch enables them all");

enum { ST_BEGIN, ST_LIST, ST_ENABLE, ST_PROBE };

struct apis {
    struct step_op *s;
    struct gcp_list list;
    struct gcp_lro lro;
    struct gcp_call probe[PROBES];
    const char *missing[WANTED];
    size_t missing_len;
    int state;
};

static void apis_free(void *priv)
{
    struct apis *x = priv;
    rd_err_free(op_take_err(&x->list.op));
    rd_err_free(op_take_err(&x->lro.op));
    gcp_list_clear(&x->list);
    gcp_lro_clear(&x->lro);
    for (size_t i = 0; i < PROBES; i++) {
        rd_err_free(op_take_err(&x->probe[i].op));
        gcp_call_clear(&x->probe[i]);
    }
    free(x);
}

static bool is_on(const json_t *items, const char *service)
{
    size_t i;
    const json_t *item;
    RD_AUTOFREE char *tail = rd_asprintf("/services/%s", service);
    json_array_foreach(items, i, item) {
        const char *name = rd_json_str(item, "name", NULL);
        if (name && rd_ends_with(name, tail))
            return true;
    }
    return false;
}

static char *join(const char *const *names, size_t len)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < len; i++)
        rd_buf_printf(&b, "%s%s", i ? ", " : "", names[i]);
    return rd_strdup(rd_buf_str(&b));
}

/* An earlier run began to enable and did not see the end of it: what is enabled may not answer yet. */
static bool began_before(const json_t *history)
{
    bool begun = false;
    size_t i;
    const json_t *record;
    json_array_foreach(history, i, record) {
        if (!rd_streq(rd_json_str(record, "step", NULL), "apis"))
            continue;
        begun = rd_streq(rd_json_str(record, "type", NULL), "intent");
    }
    return begun;
}

/* ---- They answer ---- */

/* One cheap question to each API that this command will talk to. The client is patient with those
 * that were just enabled. */
static void probe(struct apis *x, struct op *op)
{
    struct gcp_client *c = x->s->ctx->gcp;
    const struct config *cf = x->s->ctx->config;
    x->state = ST_PROBE;
    gcp_compute_project_get(&x->probe[0], c, cf->project);
    gcp_clusters_list(&x->probe[1], c, cf->project, "-");
    RD_AUTOFREE char *email = mgmt_node_email(cf);
    gcp_account_get(&x->probe[2], c, cf->project, email);
    gcp_filestore_get(&x->probe[3], c, cf->project, cf->region, "raydeploy-asks");
    gcp_repository_get(&x->probe[4], c, cf->project, cf->region, "raydeploy-asks");
    for (size_t i = 0; i < PROBES; i++)
        gcp_call_start(&x->probe[i], op);
}

static void probed(struct apis *x)
{
    for (size_t i = 0; i < PROBES; i++) {
        struct rd_err *err = op_take_err(&x->probe[i].op);
        if (err && mgmt_api_off(&x->probe[i])) {
            step_end_error(x->s, err);
            return;
        }
        rd_err_free(err); /* any other word of refusal is an answer */
    }
    step_end(x->s, x->s->verb == VERB_START ? FOUND_PENDING : FOUND_READY, "%d APIs answer", WANTED);
}

/* ---- LOOK ---- */

static void listed(struct apis *x, struct op *op)
{
    struct step_op *s = x->s;
    struct rd_err *err = op_take_err(&x->list.op);
    if (err && s->ctx->going_down) { /* nobody's to undo, and whatever is off has nothing in it */
        rd_err_free(err);
        step_end(s, FOUND_READY, NULL);
        return;
    }
    if (err) {
        step_end_error(s, err);
        return;
    }
    for (size_t i = 0; i < WANTED; i++)
        if (!is_on(x->list.items, wanted[i]))
            x->missing[x->missing_len++] = wanted[i];
    if (x->missing_len && !s->ctx->going_down) {
        RD_AUTOFREE char *names = join(x->missing, x->missing_len);
        mgmt_end_absent(s, "to be enabled: %s", names);
        return;
    }
    if (s->verb == VERB_LOOK && began_before(s->ctx->history)) {
        gcp_client_note_enabled(s->ctx->gcp);
        probe(x, op);
        return;
    }
    step_end(s, FOUND_READY, "%d APIs are enabled", WANTED);
}

/* ---- START ---- */

static void enabled(struct apis *x, struct op *op)
{
    struct step_op *s = x->s;
    struct rd_err *err = op_take_err(&x->lro.op);
    if (!err)
        err = gcp_services_enable_failures(x->lro.result);
    if (err) {
        RD_AUTOFREE char *names = join(x->missing, x->missing_len);
        /* Nothing that costs has been made: who may not is one thing, what cannot is the other. */
        if (err->kind == RD_ERR_FAILED || err->kind == RD_ERR_NOT_FOUND)
            err->kind = RD_ERR_PREFLIGHT;
        rd_err_wrap(err, "enable %s", names);
        if (!err->hint)
            rd_err_hint(err, "Enable them by hand to see why it is refused: "
                             "https://console.cloud.google.com/apis/library?project=%s",
                        s->ctx->config->project);
        step_end_error(s, err);
        return;
    }
    gcp_client_note_enabled(s->ctx->gcp);
    for (size_t i = 0; i < x->missing_len; i++)
        mgmt_wrote(s, x->missing[i], "enabled");
    step_note(s, "enabled; waits until they answer");
    probe(x, op);
}

static void apis_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct apis *x = s->priv;
    x->s = s;
    if (mgmt_rests(op))
        return;
    const char *project = s->ctx->config->project;
    switch (x->state) {
    case ST_BEGIN:
        x->state = ST_LIST;
        gcp_services_enabled(&x->list, s->ctx->gcp, project);
        gcp_list_start(&x->list, op);
        return;
    case ST_LIST:
        if (s->verb != VERB_START) {
            listed(x, op);
            return;
        }
        for (size_t i = 0; i < WANTED; i++)
            if (x->list.op.err || !is_on(x->list.items, wanted[i]))
                x->missing[x->missing_len++] = wanted[i];
        if (x->missing_len == 0) { /* a run beside this one was faster; they need not answer yet */
            gcp_client_note_enabled(s->ctx->gcp);
            probe(x, op);
            return;
        }
        x->state = ST_ENABLE;
        step_note(s, "enabling %zu API%s", x->missing_len, RD_PLURAL(x->missing_len));
        gcp_services_enable(&x->lro, s->ctx->gcp, project, x->missing, x->missing_len);
        gcp_lro_start(&x->lro, op);
        return;
    case ST_ENABLE:
        enabled(x, op);
        return;
    case ST_PROBE:
        probed(x);
        return;
    }
    RD_UNREACHABLE();
}

void apis_look(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct apis), apis_step, apis_free, "apis");
}

void apis_start(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct apis), apis_step, apis_free, "apis");
}
