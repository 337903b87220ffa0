#include "live.h"

#include "base/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct root {
    struct op op;
    void (*begin)(struct op *parent, void *ctx);
    void *ctx;
    bool begun;
};

static void root_step(struct op *op)
{
    struct root *r = container_of(op, struct root, op);
    if (!r->begun && !op->cancelled) {
        r->begun = true;
        r->begin(op, r->ctx);
        return;
    }
    if (!op_has_children(op))
        op_finish(op, NULL);
}

void live_run(struct live *l, void (*begin)(struct op *parent, void *ctx), void *ctx)
{
    struct root r = {.begin = begin, .ctx = ctx};
    op_start_root(&r.op, l->loop, root_step, "test");
    op_set_timeout(&r.op, 240000);
    loop_run(l->loop, &r.op);
    rd_err_free(op_take_err(&r.op));
}

void live_begin_call(struct op *parent, void *ctx)
{
    k8s_call_start(ctx, parent);
}

void live_begin_apply(struct op *parent, void *ctx)
{
    k8s_apply_start(ctx, parent);
}

void live_begin_watch(struct op *parent, void *ctx)
{
    k8s_watch_start(ctx, parent);
}

void live_begin_delete(struct op *parent, void *ctx)
{
    k8s_delete_start(ctx, parent);
}

void live_begin_batch(struct op *parent, void *ctx)
{
    k8s_batch_start(ctx, parent);
}

void live_must(struct rd_err *take, const char *what)
{
    if (!take)
        return;
    fprintf(stderr, "%s: %s (%s, HTTP %d)\n", what, take->message, rd_err_kind_name(take->kind),
            take->http_status);
    rd_err_free(take);
    fail();
}

static void count(void *ctx, const struct http_req *req)
{
    struct live *l = ctx;
    (void)req;
    l->requests++;
}

struct k8s_client *live_client(struct live *l, void (*edit)(struct k8s_config *c))
{
    struct k8s_config_options o = {.path = getenv("RIG_KUBECONFIG")};
    struct k8s_client_options take = {.observe = count, .observe_ctx = l};
    struct rd_err *err = NULL;
    if (!k8s_config_load(&o, &take.config, &err)) {
        live_must(err, "kubeconfig");
        return NULL;
    }
    if (edit)
        edit(&take.config);
    return k8s_client_new(l->loop, &take);
}

struct live *live_open(void)
{
    if (!getenv("RIG_KUBECONFIG")) {
        printf("SKIP: RIG_KUBECONFIG is not set (scripts/rig start prints where its env is)\n");
        exit(77);
    }
    rd_alloc_init();
    struct live *l = rd_calloc(1, sizeof(*l));
    l->loop = loop_new();
    l->client = live_client(l, NULL);
    l->ns = rd_asprintf("client-test-%08x", (unsigned)rd_random_u64());
    json_decref(live_apply(l, rd_json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind",
                                           "Namespace", "metadata", "name", l->ns), NULL, false));
    return l;
}

void live_close(struct live *l)
{
    struct k8s_delete d = {0};
    k8s_delete_init(&d, l->client, k8s_resource_find(l->client, "v1", "Namespace"), NULL, l->ns);
    d.no_wait = true;
    live_run(l, live_begin_delete, &d);
    k8s_delete_clear(&d);
    k8s_client_free(l->client);
    loop_free(l->loop);
    rd_freep(&l->ns);
    rd_freep(&l);
}

json_t *live_get(struct live *l, const char *api_version, const char *kind, const char *name)
{
    struct k8s_call k = {0};
    const struct k8s_resource *r = k8s_resource_find(l->client, api_version, kind);
    assert_non_null(r);
    k8s_get_init(&k, l->client, r, l->ns, name);
    k.not_found_ok = true;
    live_run(l, live_begin_call, &k);
    live_must(op_take_err(&k.op), "get");
    json_t *result = json_incref(k.result);
    k8s_call_clear(&k);
    return result;
}

json_t *live_apply(struct live *l, json_t *take, const char *manager, bool force)
{
    struct k8s_apply a = {0};
    k8s_apply_init(&a, l->client, take);
    a.ns = l->ns;
    a.field_manager = manager;
    a.force = force;
    live_run(l, live_begin_apply, &a);
    live_must(op_take_err(&a.op), "apply");
    json_t *result = json_incref(a.result);
    k8s_apply_clear(&a);
    json_decref(take);
    return result;
}

json_t *live_configmap(struct live *l, const char *name, const char *key, const char *value)
{
    return rd_json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap",
                        "metadata", "name", name, "namespace", l->ns, "data", key, value);
}
