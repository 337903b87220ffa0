/* Step `quota`: what the region and the project give, against what does not exist yet. Zones that are
 * up, machines and accelerators they offer, quotas, and names that must be free. Everything that is
 * wrong is said at once; what cannot be read yet (an API that is off) is no finding. */
#include "phase/steps/mgmt_op.h"

#include "base/alloc.h"
#include "phase/steps/cc.h"
#include "phase/steps/quota_plan.h"
#include "phase/steps/render.h"
#include "phase/steps/vacancy.h"

#include <stdlib.h>
#include <string.h>

#define ZONES_MAX 16

enum { ST_BEGIN, ST_ASKED, ST_ZONES, ST_NAMES };
enum { MACHINES = 3 }; /* management, CPU pool, GPU pool */

struct quota {
    struct step_op *s;
    struct gcp_list zones, shares;
    struct gcp_call number, project, region, clusters, share_limit, network, mgmt_network;
    struct gcp_call accelerator[ZONES_MAX], machine[MACHINES][ZONES_MAX];
    struct vacancy names;
    struct findings findings;
    const json_t *up; /* borrowed: fact region.zones */
    bool strict;      /* this command will make things; else only the facts count */
    int state;
};

static void clear_call(struct gcp_call *k)
{
    rd_err_free(op_take_err(&k->op));
    gcp_call_clear(k);
}

static void quota_free(void *priv)
{
    struct quota *x = priv;
    struct gcp_call *calls[] = {&x->number,      &x->project, &x->region,      &x->clusters,
                                &x->share_limit, &x->network, &x->mgmt_network};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++)
        clear_call(calls[i]);
    for (size_t z = 0; z < ZONES_MAX; z++) {
        clear_call(&x->accelerator[z]);
        for (size_t m = 0; m < MACHINES; m++)
            clear_call(&x->machine[m][z]);
    }
    rd_err_free(op_take_err(&x->zones.op));
    rd_err_free(op_take_err(&x->shares.op));
    gcp_list_clear(&x->zones);
    gcp_list_clear(&x->shares);
    vacancy_clear(&x->names);
    findings_clear(&x->findings);
    free(x);
}

/* ---- Asking ---- */

static void ask(struct quota *x, struct op *op)
{
    const struct config *c = x->s->ctx->config;
    struct gcp_client *g = x->s->ctx->gcp;
    x->state = ST_ASKED;
    gcp_zones_list(&x->zones, g, c->project);
    gcp_list_start(&x->zones, op);
    gcp_project_get(&x->number, g, c->project);
    gcp_call_start(&x->number, op);
    if (!x->strict)
        return;
    gcp_region_get(&x->region, g, c->project, c->region);
    gcp_compute_project_get(&x->project, g, c->project);
    gcp_clusters_list(&x->clusters, g, c->project, "-");
    RD_AUTOFREE char *network = cc_network(c);
    gcp_network_get(&x->network, g, c->project, network);
    gcp_network_get(&x->mgmt_network, g, c->project, MGMT_NETWORK);
    struct gcp_call *calls[] = {&x->region, &x->project, &x->clusters, &x->network,
                                &x->mgmt_network};
    for (size_t i = 0; i < RD_ARRAY_LEN(calls); i++)
        gcp_call_start(calls[i], op);
    const char *id = quota_filestore_id(c->filestore.tier);
    if (!c->filestore.enabled || !id)
        return;
    gcp_filestore_list(&x->shares, g, c->project);
    gcp_list_start(&x->shares, op);
    gcp_quota_get(&x->share_limit, g, c->project, "file.googleapis.com", id);
    gcp_call_start(&x->share_limit, op);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of the region, those that are up, sorted. Owned. */
static json_t *zones_up(const json_t *items, const char *region)
{
    const char *names[ZONES_MAX];
    size_t n = 0, i;
    const json_t *zone;
    RD_AUTOFREE char *tail = rd_asprintf("/regions/%s", region);
    json_array_foreach(items, i, zone) {
        const char *of = rd_json_str(zone, "region", NULL);
        const char *name = rd_json_str(zone, "name", NULL);
        if (of && name && rd_ends_with(of, tail) && n < ZONES_MAX &&
            rd_streq(rd_json_str(zone, "status", NULL), "UP"))
            names[n++] = name;
    }
    qsort(names, n, sizeof names[0], by_name);
    json_t *out = json_array();
    for (size_t k = 0; k < n; k++)
        json_array_append_new(out, json_string(names[k]));
    return out;
}

static bool bootstraps(const struct quota *x)
{
    return x->s->ctx->dry_run || json_is_true(json_object_get(x->s->ctx->session, "bootstrap"));
}

static void ask_zone(struct quota *x, struct op *op, size_t i, const char *zone)
{
    const struct config *c = x->s->ctx->config;
    struct gcp_client *g = x->s->ctx->gcp;
    if (c->gpu_pool.enabled) {
        gcp_accelerator_get(&x->accelerator[i], g, c->project, zone, c->gpu_pool.accelerator);
        gcp_call_start(&x->accelerator[i], op);
    }
    if (!x->strict)
        return;
    const char *types[MACHINES] = {bootstraps(x) ? "e2-standard-4" : NULL, c->cpu_pool.machine_type,
                                   c->gpu_pool.enabled ? c->gpu_pool.machine_type : NULL};
    for (size_t m = 0; m < MACHINES; m++) {
        if (!types[m])
            continue;
        gcp_machine_type_get(&x->machine[m][i], g, c->project, zone, types[m]);
        gcp_call_start(&x->machine[m][i], op);
    }
}

/* ---- Judging ---- */

/* True: it can be judged. An API that is off, and what may not be read, is not known. */
static bool known(struct quota *x, struct gcp_call *k)
{
    if (!k->client)
        return false;
    struct rd_err *err = op_take_err(&k->op);
    if (!err)
        return true;
    if (!mgmt_api_off(k) && k->fault.situation != GCP_PERMISSION) {
        findings_add(&x->findings, err);
        return false;
    }
    if (!mgmt_api_off(k)) {
        RD_AUTOFREE char *text = rd_asprintf("not looked at: %s", err->message);
        google_on_warning(x->s->ctx, text);
    }
    rd_err_free(err);
    return false;
}

static bool has_pool(const json_t *cluster, const char *deployment, const char *kind)
{
    RD_AUTOFREE char *name = rd_asprintf("%s-%s", deployment, kind);
    size_t i;
    const json_t *pool;
    json_array_foreach(json_object_get(cluster, "nodePools"), i, pool)
        if (rd_streq(rd_json_str(pool, "name", NULL), name))
            return true;
    return false;
}

static void judge_filestore(struct quota *x)
{
    const struct config *c = x->s->ctx->config;
    RD_AUTOFREE char *name = cc_filestore(c);
    RD_AUTOFREE char *tail = rd_asprintf("/instances/%s", name);
    struct rd_err *err = op_take_err(&x->shares.op);
    bool off = err && mgmt_api_off(&x->shares.call);
    if (err && !off)
        findings_add(&x->findings, err);
    else
        rd_err_free(err);
    if (err || !known(x, &x->share_limit) || !x->share_limit.result)
        return;
    size_t i;
    const json_t *one;
    json_array_foreach(x->shares.items, i, one) {
        const char *is = rd_json_str(one, "name", NULL);
        if (is && rd_ends_with(is, tail))
            return; /* it is there already */
    }
    int64_t limit;
    if (gcp_quota_value(x->share_limit.result, c->region, &limit))
        findings_add(&x->findings,
                     quota_judge_filestore(
                         c, (double)limit,
                         quota_filestore_used(x->shares.items, c->filestore.tier, c->region)));
}

/* Returns the management cluster: its objects say what is ours where Google does not. */
static const json_t *judge_quotas(struct quota *x)
{
    const struct config *c = x->s->ctx->config;
    struct quota_there there = {.bootstrap = bootstraps(x),
                                .zones = (unsigned)json_array_size(x->up)};
    const json_t *management = NULL;
    if (known(x, &x->clusters)) {
        RD_AUTOFREE char *name = cc_cluster(c);
        const json_t *cluster = mgmt_cluster_find(x->clusters.result, name);
        management = mgmt_cluster_find(x->clusters.result, MGMT_CLUSTER);
        there.management = management != NULL;
        there.cluster = cluster != NULL;
        there.cpu_pool = has_pool(cluster, c->name, "cpu");
        there.gpu_pool = has_pool(cluster, c->name, "gpu");
    }
    there.network = known(x, &x->network) && x->network.result;
    there.management_network = known(x, &x->mgmt_network) && x->mgmt_network.result;
    bool region = known(x, &x->region), project = known(x, &x->project);
    struct quota_needs needs;
    quota_plan(c, &there, &needs);
    for (size_t i = 0; i < needs.len; i++) {
        double limit, usage;
        char *warn = NULL;
        const struct quota_need *n = &needs.v[i];
        if (!(n->project ? project : region) ||
            !gcp_compute_quota(n->project ? x->project.result : x->region.result, n->metric, &limit,
                               &usage))
            continue;
        findings_add(&x->findings, quota_judge(c, n, limit, usage, &warn));
        if (warn)
            google_on_warning(x->s->ctx, warn);
        free(warn);
    }
    judge_filestore(x);
    return management;
}

static bool wanted_zone(const json_t *wanted, const char *zone)
{
    size_t i;
    const json_t *one;
    json_array_foreach(wanted, i, one)
        if (rd_streq(json_string_value(one), zone))
            return true;
    return json_array_size(wanted) == 0;
}

/* Fact gpu.zones; also a finding when there is none. */
static void judge_accelerators(struct quota *x)
{
    const struct config *c = x->s->ctx->config;
    json_t *zones = json_array();
    bool asked = false;
    for (size_t i = 0; i < json_array_size(x->up) && c->gpu_pool.enabled; i++) {
        const char *zone = json_string_value(json_array_get(x->up, i));
        if (!known(x, &x->accelerator[i]))
            continue;
        asked = true;
        if (x->accelerator[i].result && wanted_zone(c->gpu_pool.zones, zone))
            json_array_append_new(zones, json_string(zone));
    }
    if (asked && json_array_size(zones) == 0 && x->strict) {
        struct rd_err *err =
            rd_err_new(RD_ERR_PREFLIGHT, "no zone of %s%s offers %s", c->region,
                       json_array_size(c->gpu_pool.zones) ? " in gpuPool.zones" : "",
                       c->gpu_pool.accelerator);
        rd_err_hint(err, "Set gpuPool.enabled=false, another gpuPool.accelerator, or another "
                         "region.");
        rd_err_resource(err, "%s", c->gpu_pool.accelerator);
        findings_add(&x->findings, err);
    }
    step_publish(x->s, "gpu.zones", zones);
}

static void judge_machines(struct quota *x)
{
    static const char *const keys[MACHINES] = {NULL, "cpuPool.machineType", "gpuPool.machineType"};
    const struct config *c = x->s->ctx->config;
    const char *types[MACHINES] = {"e2-standard-4", c->cpu_pool.machine_type,
                                   c->gpu_pool.machine_type};
    for (size_t m = 0; m < MACHINES; m++) {
        bool asked = false, there = false;
        for (size_t i = 0; i < json_array_size(x->up); i++) {
            if (!known(x, &x->machine[m][i]))
                continue;
            asked = true;
            there = there || x->machine[m][i].result;
        }
        if (!asked || there)
            continue;
        struct rd_err *err = rd_err_new(RD_ERR_PREFLIGHT, "no zone of %s has machines of type %s",
                                        c->region, types[m]);
        rd_err_hint(err, "Set %s, or another region.", keys[m] ? keys[m] : "another zone or region");
        rd_err_resource(err, "%s", types[m]);
        findings_add(&x->findings, err);
    }
}

static void judge_zone_names(struct quota *x)
{
    const struct config *c = x->s->ctx->config;
    const struct {
        const char *key, *zone;
    } named[] = {{"management.zone", c->management.zone}, {"filestore.zone", c->filestore.zone}};
    for (size_t i = 0; i < RD_ARRAY_LEN(named); i++) {
        if (!named[i].zone || wanted_zone(x->up, named[i].zone))
            continue;
        struct rd_err *err = rd_err_new(RD_ERR_PREFLIGHT, "%s names zone %s, which is not up in %s",
                                        named[i].key, named[i].zone, c->region);
        rd_err_hint(err, "Leave %s out, or name one that is.", named[i].key);
        findings_add(&x->findings, err);
    }
}

/* ---- The machine ---- */

/* Looking only, before the APIs are on: the stand-ins of `render` let the other steps say what they
 * would make. */
static void end_unknown(struct quota *x)
{
    static const char *const facts[] = {"region.zones", "gpu.zones"};
    for (size_t i = 0; i < RD_ARRAY_LEN(facts); i++)
        step_publish(x->s, facts[i], steps_stand_in(facts[i]));
    if (x->strict)
        google_on_warning(x->s->ctx, "zones, quotas and names can be looked at only once the APIs "
                                     "are on; raydeploy bootstrap does so before it makes anything");
    step_end(x->s, FOUND_READY, "unknown until the APIs are on");
}

static void zones_known(struct quota *x, struct op *op)
{
    struct step_op *s = x->s;
    const struct config *c = s->ctx->config;
    struct rd_err *err = op_take_err(&x->zones.op);
    bool looking = s->ctx->dry_run || !x->strict;
    if (err && looking && (mgmt_api_off(&x->zones.call) || !x->strict)) {
        rd_err_free(err);
        end_unknown(x);
        return;
    }
    if (err) {
        step_end_error(s, err);
        return;
    }
    json_t *up = zones_up(x->zones.items, c->region);
    if (json_array_size(up) == 0) {
        json_decref(up);
        err = rd_err_new(RD_ERR_PREFLIGHT, "region %s has no zone that is up", c->region);
        rd_err_hint(err, "Is it the name of a region? Choose another one with --region.");
        step_end_error(s, err);
        return;
    }
    step_publish(s, "region.zones", up);
    x->up = up;
    if (known(x, &x->number)) {
        const char *number = rd_json_str(x->number.result, "projectNumber", NULL);
        step_publish(s, "project.number", json_string(number ? number : ""));
    }
    x->state = ST_ZONES;
    for (size_t i = 0; i < json_array_size(up); i++)
        ask_zone(x, op, i, json_string_value(json_array_get(up, i)));
    op_wake(op);
}

static void quota_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct quota *x = s->priv;
    struct rd_err *err;
    x->s = s;
    if (mgmt_rests(op))
        return;
    switch (x->state) {
    case ST_BEGIN:
        x->strict = s->may_start;
        ask(x, op);
        return;
    case ST_ASKED:
        zones_known(x, op);
        return;
    case ST_ZONES:
        judge_accelerators(x);
        if (!x->strict) {
            findings_clear(&x->findings);
            step_end(s, FOUND_READY, NULL);
            return;
        }
        judge_machines(x);
        judge_zone_names(x);
        x->state = ST_NAMES;
        vacancy_start(&x->names, op, s->ctx, &x->findings, judge_quotas(x));
        return;
    case ST_NAMES:
        err = op_take_err(&x->names.op);
        findings_add(&x->findings, err);
        err = findings_take(&x->findings);
        if (err)
            step_end_error(s, err);
        else
            step_end(s, FOUND_READY, "%zu zones, and enough is left of each quota",
                     json_array_size(x->up));
        return;
    }
    RD_UNREACHABLE();
}

void quota_look(struct step_op *s, struct op *parent)
{
    mgmt_begin(s, parent, sizeof(struct quota), quota_step, quota_free, "quota");
}
