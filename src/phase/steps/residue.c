#include "phase/steps/residue.h"

#include "base/alloc.h"
#include "phase/steps/names.h"

#include <string.h>

#define NAMED_MAX 5

enum { ST_RAY, ST_DISCOVER, ST_LIST };

static const char *const ray_kinds[] = {"RayCluster", "RayJob", "RayService", "RayCronJob"};

bool residue_is_default(const char *group, const char *kind, const json_t *o)
{
    const char *name = rd_json_str(o, "metadata", "name", NULL);
    if (rd_streq(kind, "Event") || rd_streq(kind, "Lease") || rd_streq(kind, "PodMetrics"))
        return true;
    if (json_array_size(rd_json_get(o, "metadata", "ownerReferences", NULL)) > 0)
        return true;
    if (group[0] == '\0' && rd_streq(kind, "ServiceAccount") && rd_streq(name, "default"))
        return true;
    if (group[0] == '\0' && rd_streq(kind, "ConfigMap") && rd_streq(name, "kube-root-ca.crt"))
        return true;
    /* Endpoints carry no owner; they follow a Service of the same name. */
    return group[0] == '\0' && rd_streq(kind, "Endpoints");
}

static void add_found(struct residue *r, const char *kind, const json_t *o)
{
    const char *ns = rd_json_str(o, "metadata", "namespace", NULL);
    const char *name = rd_json_str(o, "metadata", "name", NULL);
    char *title = ns ? rd_asprintf("%s/%s/%s", kind, ns, name) : rd_asprintf("%s/%s", kind, name);
    if (r->found.len < NAMED_MAX)
        rd_buf_printf(&r->text, "%s%s", r->found.len ? ", " : "", title);
    else if (r->found.len == NAMED_MAX)
        rd_buf_puts(&r->text, " and more");
    rd_strv_take(&r->found, title);
}

static void list(struct residue *r, size_t i, const struct k8s_resource *res)
{
    struct k8s_client *c = r->ctx->workload;
    struct http_url url;
    k8s_url(&url, c, res, r->ns, NULL, NULL);
    r->resources[i] = res;
    k8s_call_init(&r->calls[i], c, "GET", http_url_str(&url));
    http_url_clear(&url);
    r->calls[i].metadata_only = true;
    r->calls[i].collection = true;
    r->calls[i].not_found_ok = true;
    k8s_call_start(&r->calls[i], &r->op);
}

/* Nothing to ask for: no namespace, always a default (see above), or listed already in a version that
 * the server prefers. Asking anyway brings warnings of deprecated versions, and each object twice. */
static bool need_not_list(const struct residue *r, const struct k8s_resource *res)
{
    if (!res->namespaced || (!*res->group && rd_streq(res->kind, "Endpoints")))
        return true;
    for (size_t i = 0; i < r->count; i++)
        if (rd_streq(r->resources[i]->group, res->group) &&
            rd_streq(r->resources[i]->plural, res->plural))
            return true;
    return false;
}

static void alloc_calls(struct residue *r, size_t n)
{
    r->calls = rd_calloc(n + 1, sizeof(*r->calls));
    r->resources = rd_calloc(n + 1, sizeof(*r->resources));
}

static void judge(struct residue *r, size_t i)
{
    const struct config *c = r->ctx->config;
    size_t j;
    json_t *o;
    json_array_foreach(json_object_get(r->calls[i].result, "items"), j, o)
    {
        const char *kind = r->resources[i]->kind;
        if (names_is_ours(c, o))
            continue;
        if (r->ns && residue_is_default(r->resources[i]->group, kind, o))
            continue;
        add_found(r, kind, o);
    }
}

static void residue_step(struct op *op)
{
    struct residue *r = container_of(op, struct residue, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (r->state == ST_RAY) {
        r->state = ST_LIST;
        alloc_calls(r, RD_ARRAY_LEN(ray_kinds));
        for (size_t i = 0; i < RD_ARRAY_LEN(ray_kinds); i++) {
            const struct k8s_resource *res =
                k8s_resource_find(r->ctx->workload, "ray.io/v1", ray_kinds[i]);
            if (res)
                list(r, r->count++, res);
        }
        if (r->count == 0)
            op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    if (r->state == ST_DISCOVER) {
        if ((err = op_take_err(&r->discover.op))) {
            op_finish(op, err);
            return;
        }
        r->state = ST_LIST;
        size_t n;
        const struct k8s_resource *const *all = k8s_resources_listable(r->ctx->workload, &n);
        alloc_calls(r, n);
        for (size_t i = 0; i < n; i++)
            if (!need_not_list(r, all[i]))
                list(r, r->count++, all[i]);
        if (r->count == 0)
            op_finish(op, NULL);
        return;
    }
    for (size_t i = 0; i < r->count; i++) {
        struct rd_err *one = op_take_err(&r->calls[i].op);
        /* A type that vanished since discovery, or whose server is down, holds nothing we can see. */
        if (one && one->http_status != 404 && one->http_status != 405)
            rd_err_keep(&err, &one);
        rd_err_free(one);
        judge(r, i);
    }
    op_finish(op, err);
}

static void begin(struct residue *r, struct op *parent, struct step_ctx *ctx, const char *ns, int state)
{
    r->ctx = ctx;
    r->state = state;
    r->count = 0;
    rd_buf_init(&r->text, 4096);
    rd_str_dup(&r->ns, ns);
    op_start(&r->op, parent, residue_step, "residue");
}

void residue_ray_objects(struct residue *r, struct op *parent, struct step_ctx *ctx, const char *ns)
{
    begin(r, parent, ctx, ns, ST_RAY);
}

void residue_namespace(struct residue *r, struct op *parent, struct step_ctx *ctx, const char *ns)
{
    begin(r, parent, ctx, ns, ST_DISCOVER);
    k8s_discover_start(&r->discover, &r->op, ctx->workload);
}

void residue_clear(struct residue *r)
{
    for (size_t i = 0; i < r->count; i++)
        k8s_call_clear(&r->calls[i]);
    k8s_discover_clear(&r->discover);
    free(r->calls);
    free((void *)r->resources);
    r->calls = NULL;
    r->resources = NULL;
    r->count = 0;
    rd_strv_clear(&r->found);
    rd_buf_clear(&r->text);
    rd_freep(&r->ns);
}
