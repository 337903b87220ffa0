/* Asking for the scan: every list at once, then the policies of what the lists named. */
#include "phase/steps/scan.h"

#include "base/alloc.h"
#include "gcp/policy.h"
#include "phase/steps/google.h"
#include "phase/steps/mgmt_plan.h"

#include <stdlib.h>
#include <string.h>

/* Collections of Compute; scope NULL: of every zone and region. */
static const struct {
    enum scan_kind kind;
    const char *collection, *scope;
} compute[] = {
    {SCAN_NETWORK, "networks", "global"},
    {SCAN_SUBNET, "subnetworks", NULL},
    {SCAN_INSTANCE, "instances", NULL},
    {SCAN_GROUP_MANAGER, "instanceGroupManagers", NULL},
    {SCAN_GROUP, "instanceGroups", NULL},
    {SCAN_ENDPOINT_GROUP, "networkEndpointGroups", NULL},
    {SCAN_TARGET_POOL, "targetPools", NULL},
    {SCAN_BACKEND, "backendServices", NULL},
    {SCAN_FORWARDING_RULE, "forwardingRules", NULL},
    {SCAN_ADDRESS, "addresses", NULL},
    {SCAN_DISK, "disks", NULL},
    {SCAN_SNAPSHOT, "snapshots", "global"},
    {SCAN_FIREWALL, "firewalls", "global"},
    {SCAN_ROUTER, "routers", NULL},
};

enum { S_BEGIN, S_LISTS, S_POLICIES };

struct policy_ask {
    struct gcp_call call;
    enum scan_kind kind;
    char *scope; /* owned */
};

struct scan_op {
    struct scan *s;
    int state;
    struct scan_match *match;
    struct gcp_call clusters;
    struct gcp_list lists[SCAN_KIND_MAX];
    bool listed[SCAN_KIND_MAX];
    struct policy_ask *policies; /* owned */
    size_t policy_len;
};

void scan_clear(struct scan *s)
{
    struct scan_op *x = s->priv;
    for (size_t i = 0; i < s->len; i++)
        scan_item_clear(&s->items[i]);
    free(s->items);
    rd_strv_clear(&s->unknown);
    rd_err_free(s->why);
    rd_err_freep(&s->op.err);
    if (x) {
        gcp_call_clear(&x->clusters);
        for (size_t i = 0; i < SCAN_KIND_MAX; i++)
            gcp_list_clear(&x->lists[i]);
        for (size_t i = 0; i < x->policy_len; i++) {
            gcp_call_clear(&x->policies[i].call);
            free(x->policies[i].scope);
        }
        free(x->policies);
        scan_match_free(x->match);
        free(x);
    }
    memset(s, 0, sizeof(*s));
}

static void add(void *ctx, struct scan_item *take)
{
    struct scan *s = ctx;
    /* A managed group is listed as a plain one too. */
    for (size_t i = 0; take->kind == SCAN_GROUP && i < s->len; i++)
        if (s->items[i].kind == SCAN_GROUP_MANAGER && rd_streq(s->items[i].name, take->name) &&
            rd_streq(s->items[i].where, take->where)) {
            scan_item_clear(take);
            return;
        }
    s->items = rd_reallocarray(s->items, s->len + 1, sizeof(*s->items));
    s->items[s->len++] = *take;
}

/* ---- Lists ---- */

static void start_lists(struct scan_op *x, struct op *op)
{
    struct step_ctx *ctx = x->s->ctx;
    const char *project = ctx->config->project;
    gcp_clusters_list(&x->clusters, ctx->gcp, project, "-");
    gcp_call_start(&x->clusters, op);
    for (size_t i = 0; i < RD_ARRAY_LEN(compute); i++) {
        struct gcp_list *l = &x->lists[compute[i].kind];
        if (compute[i].scope)
            gcp_compute_list(l, ctx->gcp, project, compute[i].scope, compute[i].collection, NULL);
        else
            gcp_compute_aggregated(l, ctx->gcp, project, compute[i].collection, NULL);
        x->listed[compute[i].kind] = true;
    }
    gcp_filestore_list(&x->lists[SCAN_FILESTORE], ctx->gcp, project);
    gcp_filestore_backups_list(&x->lists[SCAN_BACKUP], ctx->gcp, project);
    gcp_buckets_list(&x->lists[SCAN_BUCKET], ctx->gcp, project);
    gcp_repositories_list(&x->lists[SCAN_REGISTRY], ctx->gcp, project, ctx->config->region);
    gcp_accounts_list(&x->lists[SCAN_ACCOUNT], ctx->gcp, project);
    x->listed[SCAN_FILESTORE] = x->listed[SCAN_BACKUP] = x->listed[SCAN_BUCKET] = true;
    x->listed[SCAN_REGISTRY] = x->listed[SCAN_ACCOUNT] = true;
    for (size_t i = 0; i < SCAN_KIND_MAX; i++)
        if (x->listed[i])
            gcp_list_start(&x->lists[i], op);
}

/* What could not be asked is not proven. An API that is off has nothing in it. */
static bool answered(struct scan *s, const char *what, struct op *op, const struct gcp_fault *f)
{
    struct rd_err *err = op_take_err(op);
    if (!err)
        return true;
    if (f->situation == GCP_API_OFF) {
        rd_err_free(err);
        return true;
    }
    if (!rd_strv_has(&s->unknown, what))
        rd_strv_add(&s->unknown, what);
    rd_err_keep(&s->why, &err);
    return false;
}

static void judge(struct scan_op *x, enum scan_kind kind, const json_t *items)
{
    struct scan *s = x->s;
    size_t i;
    const json_t *r;
    json_array_foreach (items, i, r) {
        struct scan_item item;
        s->seen[kind]++;
        if (scan_match_resource(x->match, kind, r, &item))
            add(s, &item);
    }
}

static void read_lists(struct scan_op *x)
{
    struct scan *s = x->s;
    for (unsigned kind = 0; kind < SCAN_KIND_MAX; kind++) {
        const char *word = scan_kind_name(kind);
        if (kind == SCAN_CLUSTER) {
            if (answered(s, word, &x->clusters.op, &x->clusters.fault))
                judge(x, kind, json_object_get(x->clusters.result, "clusters"));
            s->management = mgmt_cluster_find(x->clusters.result, MGMT_CLUSTER) != NULL;
            if (json_array_size(json_object_get(x->clusters.result, "missingZones")) &&
                !rd_strv_has(&s->unknown, word))
                rd_strv_add(&s->unknown, word);
        } else if (x->listed[kind]) {
            struct gcp_list *l = &x->lists[kind];
            if (answered(s, word, &l->op, &l->call.fault))
                judge(x, kind, l->items);
            if (l->incomplete && !rd_strv_has(&s->unknown, word))
                rd_strv_add(&s->unknown, word);
        }
    }
}

/* ---- Policies ---- */

static void ask_policy(struct scan_op *x, enum scan_kind kind, enum gcp_policy_target target,
                       const char *name, const char *scope)
{
    struct policy_ask *a = &x->policies[x->policy_len++];
    a->kind = kind;
    a->scope = rd_strdup(scope);
    gcp_policy_get(&a->call, x->s->ctx->gcp, target, name);
    a->call.not_found_ok = true; /* it went meanwhile */
}

static void start_policies(struct scan_op *x, struct op *op)
{
    const struct config *c = x->s->ctx->config;
    const json_t *accounts = x->lists[SCAN_ACCOUNT].items, *buckets = x->lists[SCAN_BUCKET].items;
    x->policies = rd_calloc(1 + json_array_size(accounts) + json_array_size(buckets),
                            sizeof(*x->policies));
    ask_policy(x, SCAN_PROJECT_BINDING, GCP_POLICY_PROJECT, c->project, c->project);
    size_t i;
    const json_t *r;
    json_array_foreach (accounts, i, r) {
        const char *name = rd_json_str(r, "name", NULL), *email = rd_json_str(r, "email", NULL);
        if (name && email)
            ask_policy(x, SCAN_ACCOUNT_BINDING, GCP_POLICY_ACCOUNT, name, email);
    }
    json_array_foreach (buckets, i, r) {
        const char *name = rd_json_str(r, "name", NULL);
        if (name)
            ask_policy(x, SCAN_BUCKET_BINDING, GCP_POLICY_BUCKET, name, name);
    }
    for (i = 0; i < x->policy_len; i++)
        gcp_call_start(&x->policies[i].call, op);
}

static void read_policies(struct scan_op *x)
{
    for (size_t i = 0; i < x->policy_len; i++) {
        struct policy_ask *a = &x->policies[i];
        x->s->seen[a->kind]++;
        if (answered(x->s, scan_kind_name(a->kind), &a->call.op, &a->call.fault))
            scan_match_policy(x->match, a->kind, a->scope, a->call.result, add, x->s);
    }
}

/* ---- The op ---- */

static void scan_step(struct op *op)
{
    struct scan *s = container_of(op, struct scan, op);
    struct scan_op *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (x->state) {
    case S_BEGIN:
        if (!s->ctx->gcp && !google_connect(s->ctx, &err)) {
            op_finish(op, err);
            return;
        }
        x->state = S_LISTS;
        start_lists(x, op);
        return;
    case S_LISTS:
        read_lists(x);
        x->state = S_POLICIES;
        start_policies(x, op);
        return;
    case S_POLICIES:
        read_policies(x);
        op_finish(op, NULL);
        return;
    }
    RD_UNREACHABLE();
}

void scan_start(struct scan *s, struct op *parent, struct step_ctx *ctx)
{
    struct scan_op *x = rd_calloc(1, sizeof(*x));
    memset(s, 0, sizeof(*s));
    s->ctx = ctx;
    s->priv = x;
    x->s = s;
    x->match = scan_match_new(ctx->config);
    op_start(&s->op, parent, scan_step, "scan");
}
