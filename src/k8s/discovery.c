#include "base/alloc.h"
#include "base/text.h"
#include "k8s/client.h"
#include "k8s/internal.h"

#include <string.h>

/* Order matters: the server takes the first form it has (reference 1.1). */
#define AGGREGATED                                                                                 \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                        \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
#define DISCOVERY_MS 32000
#define WALK_MAX 8 /* requests in flight on a server of the old form */

enum { ASK_CORE, ASK_GROUPS, ASK_VERSION, ASK_MAX };

/* Old servers: one request a group-version. */
struct k8s_discover_walk {
    struct k8s_call call;
    char *path;
    bool started, read;
};

static void ask(struct k8s_discover *d, struct k8s_call *k, const char *path, const char *accept,
                const char *etag)
{
    struct http_url u;
    http_url_init(&u, d->client->config.server);
    http_url_path(&u, path);
    k8s_call_init(k, d->client, "GET", http_url_str(&u));
    http_url_clear(&u);
    http_req_header(&k->http.req, "Accept", accept);
    if (etag)
        http_req_header(&k->http.req, "If-None-Match", etag);
    k->accept_set = true;
    k->timeout_ms = DISCOVERY_MS;
    k8s_call_start(k, &d->op);
}

static void walk_add(struct k8s_discover *d, char *take_path)
{
    d->walk = rd_reallocarray(d->walk, d->walk_len + 1, sizeof(*d->walk));
    memset(&d->walk[d->walk_len], 0, sizeof(*d->walk));
    d->walk[d->walk_len++].path = take_path;
}

static void walk_plan(struct k8s_discover *d, const json_t *doc)
{
    size_t i, j;
    json_t *v, *group;
    json_array_foreach (json_object_get(doc, "versions"), i, v) {
        if (json_is_string(v) && rd_is_dns_label(json_string_value(v), 63))
            walk_add(d, rd_asprintf("/api/%s", json_string_value(v)));
    }
    json_array_foreach (json_object_get(doc, "groups"), i, group) {
        json_array_foreach (json_object_get(group, "versions"), j, v) {
            const char *name = rd_json_str(group, "name", NULL);
            const char *version = rd_json_str(v, "version", NULL);
            if (name && version && rd_is_dns_subdomain(name) && rd_is_dns_label(version, 63) &&
                d->walk_len < 2000)
                walk_add(d, rd_asprintf("/apis/%s/%s", name, version));
        }
    }
}

static bool read_answer(struct k8s_discover *d, int which, struct rd_err **reterr)
{
    struct k8s_client *c = d->client;
    struct k8s_call *k = &d->ask[which];
    if (which == ASK_VERSION) {
        const char *version = rd_json_str(k->result, "gitVersion", NULL);
        if (version)
            rd_str_dup(&c->version, version);
        return true;
    }
    if (k->http.req.status == 304)
        return true;
    if (rd_streq(rd_json_str(k->result, "kind", NULL), "APIGroupDiscoveryList")) {
        if (k->http.req.etag)
            rd_str_dup(&c->etag[which], k->http.req.etag);
        return k8s_mapping_read_aggregated(c, k->result, reterr);
    }
    return true;
}

/* An aggregated API server that is down must not take the others with it. */
static void walk_read(struct k8s_discover *d, struct k8s_discover_walk *w)
{
    RD_AUTOERR struct rd_err *err = op_take_err(&w->call.op);
    if (!err && !k8s_mapping_read_plain(d->client, w->call.result, &err))
        rd_err_freep(&err);
    k8s_call_clear(&w->call);
}

static bool walk_go(struct k8s_discover *d)
{
    size_t busy = 0;
    for (size_t i = 0; i < d->walk_len; i++) {
        struct k8s_discover_walk *w = &d->walk[i];
        if (w->started && !w->read && op_ended(&w->call.op)) {
            w->read = true;
            walk_read(d, w);
        }
        busy += w->started && !w->read;
    }
    for (size_t i = 0; i < d->walk_len && busy < WALK_MAX; i++) {
        if (d->walk[i].started)
            continue;
        d->walk[i].started = true;
        ask(d, &d->walk[i].call, d->walk[i].path, "application/json", NULL);
        busy++;
    }
    return busy == 0;
}

static void discover_step(struct op *op)
{
    struct k8s_discover *d = container_of(op, struct k8s_discover, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    for (int i = 0; i < ASK_MAX; i++) {
        if (d->read[i] || !op_ended(&d->ask[i].op))
            continue;
        d->read[i] = true;
        struct rd_err *err = op_take_err(&d->ask[i].op);
        if (err || !read_answer(d, i, &err)) {
            op_finish(op, err);
            return;
        }
    }
    if (!d->read[ASK_CORE] || !d->read[ASK_GROUPS] || !d->read[ASK_VERSION])
        return;
    if (!d->walk_len) {
        for (int i = 0; i <= ASK_GROUPS; i++)
            walk_plan(d, d->ask[i].result);
    }
    if (!walk_go(d))
        return;
    k8s_mapping_index_listable(d->client);
    d->client->discovered = true;
    op_finish(op, NULL);
}

void k8s_discover_start(struct k8s_discover *d, struct op *parent, struct k8s_client *c)
{
    k8s_discover_clear(d);
    d->client = c;
    op_start(&d->op, parent, discover_step, "discovery");
    ask(d, &d->ask[ASK_CORE], "/api", AGGREGATED, c->etag[0]);
    ask(d, &d->ask[ASK_GROUPS], "/apis", AGGREGATED, c->etag[1]);
    ask(d, &d->ask[ASK_VERSION], "/version", "application/json", NULL);
}

void k8s_discover_clear(struct k8s_discover *d)
{
    RD_ASSERT(!op_running(&d->op));
    for (int i = 0; i < ASK_MAX; i++)
        k8s_call_clear(&d->ask[i]);
    for (size_t i = 0; i < d->walk_len; i++) {
        k8s_call_clear(&d->walk[i].call);
        rd_freep(&d->walk[i].path);
    }
    rd_freep(&d->walk);
    rd_err_free(op_take_err(&d->op));
    memset(d, 0, sizeof(*d));
}
