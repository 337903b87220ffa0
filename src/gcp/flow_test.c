/* Calls, lists, operations and policies against a scripted Google. */
#include "gcp/policy.h"
#include "gcp/services.h"

#include "auth/auth.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/test.h"
#include "harness/server.h"

#include <pthread.h>
#include <stdlib.h>

struct line {
    const char *request; /* "GET /v1/x": prefix of method and path with query */
    int status;
    const char *body;
};

struct world {
    struct op op;
    const struct line *lines; /* each answers once, in order among those that fit */
    bool used[32];
    pthread_mutex_t lock;
    struct rd_buf log; /* "METHOD path body" a line */
    struct server *server;
    struct loop *loop;
    struct gcp_client *client;
    void (*start)(struct op *parent, void *ctx);
    void *ctx;
    struct op *wanted;
    bool started;
};

static void script(struct peer *p, void *ctx)
{
    struct world *w = ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        RD_AUTOFREE char *what = rd_asprintf("%s %s", q.method, q.path);
        int status = 400;
        const char *body = "{\"error\":{\"code\":400,\"message\":\"not in the script\"}}";
        pthread_mutex_lock(&w->lock);
        RD_AUTOFREE char *quota = peer_request_header(&q, "x-goog-user-project");
        rd_buf_printf(&w->log, "%s %s%s%s\n", what, rd_buf_str(&q.body), quota ? " for " : "",
                      quota ? quota : "");
        for (size_t i = 0; w->lines[i].request != NULL; i++) {
            if (w->used[i] || !rd_starts_with(what, w->lines[i].request))
                continue;
            w->used[i] = true;
            status = w->lines[i].status;
            body = w->lines[i].body;
            break;
        }
        pthread_mutex_unlock(&w->lock);
        peer_reply(p, status, "Content-Type: application/json\r\n", body);
    }
    peer_request_clear(&q);
}

static void open_world(struct world *w, const struct line *lines)
{
    memset(w, 0, sizeof *w);
    w->lines = lines;
    rd_buf_init(&w->log, 1 << 20);
    pthread_mutex_init(&w->lock, NULL);
    w->server = server_new(script, w, NULL);
    w->loop = loop_new();
    RD_AUTOFREE char *base = server_url(w->server, "/");
#define X(name, word, host, path) setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_" word, base, 1);
    GCP_APIS(X)
#undef X
    RD_AUTOFREE char *compute = server_url(w->server, "/compute/v1/");
    setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", compute, 1);
    unsetenv("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    struct gcp_client_options o = {.auth = auth_static_new("ya29.static-token"),
                                   .quota_project = "q"};
    struct rd_err *err = NULL;
    w->client = gcp_client_new(w->loop, &o, &err);
    if (w->client == NULL)
        fail_msg("%s", err->message);
}

static void world_step(struct op *op)
{
    struct world *w = container_of(op, struct world, op);
    if (!w->started) {
        w->started = true;
        w->start(op, w->ctx);
        return;
    }
    if (op_ended(w->wanted))
        op_finish(op, NULL);
}

static void run(struct world *w, struct op *wanted, void (*start)(struct op *, void *), void *ctx)
{
    w->wanted = wanted;
    w->start = start;
    w->ctx = ctx;
    w->started = false;
    op_start_root(&w->op, w->loop, world_step, "world");
    loop_run(w->loop, &w->op);
}

static void close_world(struct world *w, const char *row)
{
    for (size_t i = 0; w->lines[i].request != NULL; i++)
        if (!w->used[i])
            fail_msg("%s: nobody asked for %s; the log:\n%s", row, w->lines[i].request,
                     rd_buf_str(&w->log));
    gcp_client_free(w->client);
    loop_free(w->loop);
    server_free(w->server);
    rd_buf_clear(&w->log);
    pthread_mutex_destroy(&w->lock);
}

static void fine(const char *row, const struct world *w, const struct op *op)
{
    if (op->err != NULL)
        fail_msg("%s: %s; the log:\n%s", row, op->err->message, rd_buf_str(&w->log));
}

static void saw(const char *row, const struct world *w, const char *part)
{
    if (strstr(rd_buf_str(&w->log), part) == NULL)
        fail_msg("%s: want \"%s\" in\n%s", row, part, rd_buf_str(&w->log));
}

static void call_start(struct op *parent, void *ctx)
{
    gcp_call_start(ctx, parent);
}

static void list_start(struct op *parent, void *ctx)
{
    gcp_list_start(ctx, parent);
}

static void lro_start(struct op *parent, void *ctx)
{
    gcp_lro_start(ctx, parent);
}

/* ---- Calls ---- */

static void calls(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"GET /v1/projects/p/locations/l/clusters/c%2Fd", 404, "{\"error\":{\"code\":404}}"},
        {"GET /v1/projects/p/locations/l/clusters/c", 503, ""},
        {"GET /v1/projects/p/locations/l/clusters/c", 200, "{\"name\":\"c\"}"},
        {"POST /v1/projects/p:testIamPermissions", 200, "{}"},
        {"DELETE /v1/projects/p/serviceAccounts/a%40b", 200, ""},
        {"POST /v1/projects/p/serviceAccounts", 500, "{}"},
        {NULL, 0, NULL},
    };
    struct world w;
    struct gcp_call k = {0};
    open_world(&w, lines);
    gcp_cluster_get(&k, w.client, "p", "l", "c/d"); /* a name is one segment, whatever is in it */
    run(&w, &k.op, call_start, &k);
    fine("absent", &w, &k.op);
    assert_null(k.result);
    gcp_cluster_get(&k, w.client, "p", "l", "c");
    run(&w, &k.op, call_start, &k);
    fine("503, then there", &w, &k.op);
    rd_check_str("result", rd_json_path_str(k.result, "name"), "c");
    const char *const permissions[] = {"a.b.c"};
    gcp_project_test_permissions(&k, w.client, "p", permissions, 1);
    run(&w, &k.op, call_start, &k);
    fine("permissions", &w, &k.op);
    gcp_account_delete(&k, w.client, "p", "a@b");
    run(&w, &k.op, call_start, &k);
    fine("empty answer", &w, &k.op);
    assert_non_null(k.result);
    gcp_account_create(&k, w.client, "p", "acct", "Name", NULL);
    run(&w, &k.op, call_start, &k);
    assert_non_null(k.op.err); /* it may have been made: not sent again */
    rd_check_str("kind", rd_err_kind_name(k.op.err->kind), "transient");
    gcp_call_clear(&k);
    saw("body", &w, "{\"permissions\":[\"a.b.c\"]} for q");
    close_world(&w, "calls");
}

static void patience(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"GET /v1/projects/p/locations/-/instances", 403,
         "{\"error\":{\"code\":403,\"message\":\"off\",\"details\":[{\"@type\":"
         "\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"SERVICE_DISABLED\"}]}}"},
        {"GET /v1/projects/p/locations/-/instances", 200, "{\"instances\":[{\"name\":\"i\"}]}"},
        {"GET /v1/projects/p/locations/-/instances", 403,
         "{\"error\":{\"code\":403,\"message\":\"off\",\"details\":[{\"@type\":"
         "\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"SERVICE_DISABLED\"}]}}"},
        {NULL, 0, NULL},
    };
    struct world w;
    struct gcp_list l = {0};
    open_world(&w, lines);
    gcp_client_note_enabled(w.client);
    gcp_filestore_list(&l, w.client, "p");
    run(&w, &l.op, list_start, &l);
    fine("just enabled", &w, &l.op);
    rd_check_int("items", (long long)json_array_size(l.items), 1);
    gcp_list_clear(&l);
    /* Without our having enabled it, off is off. */
    struct gcp_client *old = w.client;
    struct gcp_client_options o = {.auth = NULL};
    struct rd_err *err = NULL;
    w.client = gcp_client_new(w.loop, &o, &err);
    gcp_filestore_list(&l, w.client, "p");
    run(&w, &l.op, list_start, &l);
    assert_non_null(l.op.err);
    rd_check_str("kind", rd_err_kind_name(l.op.err->kind), "preflight");
    rd_check_str("situation", gcp_situation_name(l.call.fault.situation), "api off");
    gcp_list_clear(&l);
    gcp_client_free(old);
    close_world(&w, "patience");
}

static void pages(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"GET /v1/projects/p/services?filter=state%3AENABLED&pageSize=200&pageToken=a%2Fb", 200,
         "{\"services\":[{\"name\":\"3\"}]}"},
        {"GET /v1/projects/p/services?filter=state%3AENABLED&pageSize=200", 200,
         "{\"services\":[{\"name\":\"1\"},{\"name\":\"2\"}],\"nextPageToken\":\"a/b\"}"},
        {"GET /compute/v1/projects/p/aggregated/addresses", 200,
         "{\"items\":{\"regions/r\":{\"warning\":{\"code\":\"UNREACHABLE\"}}}}"},
        {"GET /compute/v1/projects/p/aggregated/disks", 200,
         "{\"items\":{\"zones/a\":{\"disks\":[{\"name\":\"x\"}]},\"zones/b\":{\"warning\":{}},"
         "\"regions/r\":{\"disks\":[{\"name\":\"y\"}]}},\"id\":\"i\"}"},
        {NULL, 0, NULL},
    };
    struct world w;
    struct gcp_list l = {0};
    open_world(&w, lines);
    gcp_services_enabled(&l, w.client, "p");
    run(&w, &l.op, list_start, &l);
    fine("pages", &w, &l.op);
    rd_check_int("items", (long long)json_array_size(l.items), 3);
    gcp_compute_aggregated(&l, w.client, "p", "disks", NULL);
    run(&w, &l.op, list_start, &l);
    fine("aggregated", &w, &l.op);
    rd_check_int("disks", (long long)json_array_size(l.items), 2);
    rd_check_int("all of them", l.incomplete, false);
    gcp_compute_aggregated(&l, w.client, "p", "addresses", NULL);
    run(&w, &l.op, list_start, &l);
    fine("a region that is away", &w, &l.op);
    rd_check_int("not all of them", l.incomplete, true);
    gcp_list_clear(&l);
    close_world(&w, "pages");
}

/* ---- Operations ---- */

static unsigned told;

static void on_progress(struct gcp_lro *l, const json_t *operation)
{
    (void)l, (void)operation;
    told++;
}

static void operations(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"POST /v1/projects/p/locations/l/clusters", 400,
         "{\"error\":{\"code\":400,\"status\":\"FAILED_PRECONDITION\",\"message\":\"Cluster is "
         "running "
         "incompatible operation operation-1-a.\",\"details\":[{\"@type\":"
         "\"type.googleapis.com/"
         "google.rpc.ErrorInfo\",\"reason\":\"CLUSTER_ALREADY_HAS_OPERATION\"}]}}"},
        {"GET /v1/projects/p/locations/l/operations/operation-1-a", 200,
         "{\"status\":\"RUNNING\"}"},
        {"GET /v1/projects/p/locations/l/operations/operation-1-a", 200, "{\"status\":\"DONE\"}"},
        {"POST /v1/projects/p/locations/l/clusters", 200,
         "{\"name\":\"operation-2-b\",\"status\":\"RUNNING\",\"selfLink\":\"https://elsewhere/v1/"
         "x\"}"},
        {"GET /v1/projects/p/locations/l/operations/operation-2-b", 404,
         "{\"error\":{\"code\":404}}"},
        {"GET /v1/projects/p/locations/l/operations/operation-2-b", 200,
         "{\"status\":\"RUNNING\"}"},
        {"GET /v1/projects/p/locations/l/operations/operation-2-b", 200,
         "{\"name\":\"operation-2-b\",\"status\":\"DONE\",\"error\":{\"code\":8,\"message\":"
         "\"Insufficient regional quota to satisfy request: resource \\\"CPUS\\\"\"}}"},
        {"DELETE /v1/projects/p/locations/l/clusters/c", 404, "{\"error\":{\"code\":404}}"},
        {"POST /v1/projects/p/services:batchEnable", 200,
         "{\"name\":\"operations/"
         "noop.DONE_OPERATION\",\"done\":true,\"response\":{\"services\":[]}}"},
        {"POST /compute/v1/projects/p/global/networks?requestId=", 200,
         "{\"name\":\"op1\",\"status\":\"RUNNING\"}"},
        {"GET /compute/v1/projects/p/global/operations/op1", 200,
         "{\"name\":\"op1\",\"status\":\"DONE\",\"targetLink\":\"t\"}"},
        {NULL, 0, NULL},
    };
    struct world w;
    struct gcp_lro l = {0};
    open_world(&w, lines);
    RD_AUTOJSON json_t *cluster = rd_json_pack("{s:s}", "name", "c");
    gcp_cluster_create(&l, w.client, "p", "l", cluster);
    l.on_progress = on_progress;
    told = 0;
    run(&w, &l.op, lro_start, &l);
    assert_non_null(l.op.err);
    rd_check_str("quota", gcp_situation_name(l.fault.situation), "quota");
    rd_check_str("metric", l.fault.metric, "CPUS");
    rd_check_str("name", l.name, "operation-2-b");
    rd_check_int("progress", told, 3);
    saw("body", &w, "{\"cluster\":{\"name\":\"c\"},\"parent\":\"projects/p/locations/l\"}");
    l.on_progress = NULL;
    gcp_cluster_delete(&l, w.client, "p", "l", "c");
    run(&w, &l.op, lro_start, &l);
    fine("already gone", &w, &l.op);
    assert_true(l.absent);
    const char *const names[] = {"file.googleapis.com"};
    gcp_services_enable(&l, w.client, "p", names, 1);
    run(&w, &l.op, lro_start, &l);
    fine("nothing to enable", &w, &l.op);
    assert_non_null(l.result);
    RD_AUTOJSON json_t *network = rd_json_pack("{s:s}", "name", "n");
    gcp_compute_insert(&l, w.client, "p", "global", "networks", network);
    run(&w, &l.op, lro_start, &l);
    fine("network", &w, &l.op);
    gcp_lro_clear(&l);
    close_world(&w, "operations");
}

/* The op of gcp_lro_wait, which starts by itself. */
static struct world *waiting_in;

static void lro_wait(struct op *parent, void *ctx)
{
    gcp_lro_wait(ctx, parent, waiting_in->client, GCP_FILE,
                 "projects/p/locations/z/operations/op-7", "create it");
}

static void known_operation(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"GET /v1/projects/p/locations/z/operations/op-7", 200, "{\"done\":false,\"name\":\"x\"}"},
        {"GET /v1/projects/p/locations/z/operations/op-7", 200,
         "{\"name\":\"x\",\"done\":true,\"response\":{\"a\":1}}"},
        {NULL, 0, NULL},
    };
    struct world w;
    struct gcp_lro l = {0};
    open_world(&w, lines);
    waiting_in = &w;
    run(&w, &l.op, lro_wait, &l);
    fine("known by name", &w, &l.op);
    rd_check_int("response", rd_json_path_int(l.result, "a", 0), 1);
    gcp_lro_clear(&l);
    close_world(&w, "known operation");
}

/* ---- Policies ---- */

static const struct gcp_binding binding = {.role = "roles/editor", .member = "serviceAccount:a@b"};
static struct world *policy_in;
static enum gcp_policy_target policy_target;

static void policy_start(struct op *parent, void *ctx)
{
    gcp_policy_start(ctx, parent, policy_in->client, policy_target,
                     policy_target == GCP_POLICY_ACCOUNT ? "projects/p/serviceAccounts/x@y" : "p",
                     &binding, 1);
}

static void policy_race(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"POST /v1/projects/p:getIamPolicy", 200,
         "{\"version\":3,\"etag\":\"E1\",\"bindings\":[{\"role\":\"roles/"
         "x\",\"members\":[\"user:u\"],"
         "\"condition\":{\"title\":\"t\",\"expression\":\"e\"}}],\"auditConfigs\":[{\"service\":"
         "\"s\"}]}"},
        {"POST /v1/projects/p:setIamPolicy", 409,
         "{\"error\":{\"code\":409,\"status\":\"ABORTED\",\"message\":\"There were concurrent "
         "policy "
         "changes.\"}}"},
        {"POST /v1/projects/p:getIamPolicy", 200, "{\"version\":1,\"etag\":\"E2\"}"},
        {"POST /v1/projects/p:setIamPolicy", 200, "{\"version\":3,\"etag\":\"E3\"}"},
        {"POST /v1/projects/p:getIamPolicy", 200,
         "{\"version\":1,\"etag\":\"E3\",\"bindings\":[{\"role\":\"roles/editor\",\"members\":["
         "\"serviceAccount:A@b\"]}]}"},
        {NULL, 0, NULL},
    };
    struct world w;
    struct gcp_policy p = {0};
    open_world(&w, lines);
    policy_in = &w;
    policy_target = GCP_POLICY_PROJECT;
    run(&w, &p.op, policy_start, &p);
    fine("race", &w, &p.op);
    rd_check_int("races", p.races, 1);
    rd_check_int("changed", (long long)p.changed, 1);
    saw("version asked", &w, "{\"options\":{\"requestedPolicyVersion\":3}}");
    saw("all kept", &w,
        "{\"policy\":{\"auditConfigs\":[{\"service\":\"s\"}],\"bindings\":[{\"condition\":{"
        "\"expression\":\"e\",\"title\":\"t\"},\"members\":[\"user:u\"],\"role\":\"roles/x\"},"
        "{\"members\":[\"serviceAccount:a@b\"],\"role\":\"roles/editor\"}],\"etag\":\"E1\","
        "\"version\":3},\"updateMask\":\"bindings,etag,auditConfigs\"}");
    saw("written", &w, "\"etag\":\"E2\",\"version\":3}");
    run(&w, &p.op, policy_start, &p);
    fine("there already", &w, &p.op);
    rd_check_int("changed", (long long)p.changed, 0);
    gcp_policy_clear(&p);
    close_world(&w, "policy race");
}

static void policy_edges(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"POST /v1/projects/p/serviceAccounts/x%40y:getIamPolicy?options.requestedPolicyVersion=3",
         200, "{\"etag\":\"E\"}"},
        {"POST /v1/projects/p/serviceAccounts/x%40y:setIamPolicy", 400,
         "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"message\":\"Service account "
         "a@b does "
         "not exist.\"}}"},
        {"POST /v1/projects/p/serviceAccounts/x%40y:getIamPolicy", 200, "{\"etag\":\"E\"}"},
        {"POST /v1/projects/p/serviceAccounts/x%40y:setIamPolicy", 200, "{\"etag\":\"F\"}"},
        {"GET /storage/v1/b/p/iam?optionsRequestedPolicyVersion=3", 200, "{\"etag\":\"E\"}"},
        {"PUT /storage/v1/b/p/iam", 200, "{\"etag\":\"F\"}"},
        {"GET /storage/v1/b/p/iam?optionsRequestedPolicyVersion=3", 404,
         "{\"error\":{\"code\":404}}"},
        {NULL, 0, NULL},
    };
    struct world w;
    struct gcp_policy p = {.patience = GCP_PATIENT_ACCOUNT};
    open_world(&w, lines);
    policy_in = &w;
    policy_target = GCP_POLICY_ACCOUNT;
    run(&w, &p.op, policy_start, &p);
    fine("a member not seen yet", &w, &p.op);
    rd_check_int("races", p.races, 1);
    policy_target = GCP_POLICY_BUCKET;
    run(&w, &p.op, policy_start, &p);
    fine("bucket", &w, &p.op);
    p.absent_ok = true;
    run(&w, &p.op, policy_start, &p);
    fine("no bucket", &w, &p.op);
    rd_check_int("changed", (long long)p.changed, 0);
    gcp_policy_clear(&p);
    close_world(&w, "policy edges");
}

static void edits(void **state)
{
    (void)state;
#define C "\"condition\":{\"expression\":\"e\",\"title\":\"t\"}"
    const struct {
        const char *name, *before, *after;
        struct gcp_binding b;
    } rows[] = {
        {"first",
         "{}",
         "{\"bindings\":[{\"members\":[\"user:a\"],\"role\":\"r\"}]}",
         {.role = "r", .member = "user:a"}},
        {"beside others",
         "{\"bindings\":[{\"role\":\"r\",\"members\":[\"user:b\"]}]}",
         "{\"bindings\":[{\"members\":[\"user:b\",\"user:a\"],\"role\":\"r\"}]}",
         {.role = "r", .member = "user:a"}},
        {"a condition is another binding",
         "{\"bindings\":[{\"role\":\"r\",\"members\":[\"user:b\"]," C "}]}",
         "{\"bindings\":[{" C ",\"members\":[\"user:b\"],\"role\":\"r\"},{\"members\":[\"user:a\"],"
         "\"role\":\"r\"}]}",
         {.role = "r", .member = "user:a"}},
        {"removed",
         "{\"bindings\":[{\"role\":\"r\",\"members\":[\"user:a\",\"user:b\"]}]}",
         "{\"bindings\":[{\"members\":[\"user:b\"],\"role\":\"r\"}]}",
         {.role = "r", .member = "user:a", .remove = true}},
        {"the last one removed",
         "{\"bindings\":[{\"role\":\"r\",\"members\":[\"user:a\"]}]}",
         "{\"bindings\":[]}",
         {.role = "r", .member = "USER:a", .remove = true}},
        {"not in the conditional one",
         "{\"bindings\":[{\"role\":\"r\",\"members\":[\"user:a\"]," C "}]}",
         NULL,
         {.role = "r", .member = "user:a", .remove = true}},
        {"in the conditional one",
         "{\"bindings\":[{\"role\":\"r\",\"members\":[\"user:a\"]," C "}]}",
         "{\"bindings\":[]}",
         {.role = "r", .member = "user:a", .title = "t", .expression = "e", .remove = true}},
        {"there",
         "{\"bindings\":[{\"role\":\"r\",\"members\":[\"user:A\"]}]}",
         NULL,
         {.role = "r", .member = "user:a"}},
        {"principals keep their case",
         "{\"bindings\":[{\"role\":\"r\",\"members\":[\"principal://X\"]}]}",
         "{\"bindings\":[{\"members\":[\"principal://X\",\"principal://x\"],\"role\":\"r\"}]}",
         {.role = "r", .member = "principal://x"}},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *policy = json_loads(rows[i].before, 0, NULL);
        assert_non_null(policy);
        bool changed = gcp_policy_edit(policy, &rows[i].b);
        rd_check_int(rows[i].name, changed, rows[i].after != NULL);
        if (rows[i].after == NULL)
            continue;
        RD_AUTOFREE char *got = rd_json_dump(policy);
        rd_check_str(rows[i].name, got, rows[i].after);
        rd_check_int(rows[i].name, gcp_policy_has(policy, &rows[i].b), !rows[i].b.remove);
    }
}

/* ---- Objects, endpoints, quotas ---- */

static struct world *objects_in;

static void objects_start(struct op *parent, void *ctx)
{
    gcp_objects_delete_start(ctx, parent, objects_in->client, "b", "dir/");
}

static void objects(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"GET /storage/v1/b/b/o?prefix=dir%2F", 200,
         "{\"items\":[{\"name\":\"dir/a b\",\"generation\":\"1\"},{\"name\":\"dir/c\","
         "\"generation\":\"2\"},{\"name\":\"dir/d\",\"generation\":\"3\"}]}"},
        {"DELETE /storage/v1/b/b/o/dir%2Fa%20b?ifGenerationMatch=1", 204, ""},
        {"DELETE /storage/v1/b/b/o/dir%2Fc?ifGenerationMatch=2", 404, "{}"},
        {"DELETE /storage/v1/b/b/o/dir%2Fd?ifGenerationMatch=3", 204, ""},
        {NULL, 0, NULL},
    };
    struct world w;
    struct gcp_objects_delete d = {0};
    open_world(&w, lines);
    objects_in = &w;
    run(&w, &d.op, objects_start, &d);
    fine("objects", &w, &d.op);
    rd_check_int("deleted", (long long)d.deleted, 3);
    gcp_objects_delete_clear(&d);
    close_world(&w, "objects");
}

static void endpoints(void **state)
{
    (void)state;
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
    RD_AUTOFREE char *ca = rd_base64_encode(pem, strlen(pem));
    RD_AUTOFREE char *with_ca = rd_asprintf("\"masterAuth\":{\"clusterCaCertificate\":\"%s\"}", ca);
#define DNS(open)                                                                                  \
    "\"controlPlaneEndpointsConfig\":{\"dnsEndpointConfig\":{\"endpoint\":"                        \
    "\"gke-1.r.gke.goog\",\"allowExternalTraffic\":" open "}}"
    const struct {
        const char *name, *body, *server;
        bool ca;
    } rows[] = {
        {"DNS", DNS("true") ",\"endpoint\":\"1.2.3.4\",", "https://gke-1.r.gke.goog", false},
        {"DNS that is closed", DNS("false") ",\"endpoint\":\"1.2.3.4\",", "https://1.2.3.4", true},
        {"DNS as the only endpoint", "\"endpoint\":\"gke-1.r.gke.goog\",",
         "https://gke-1.r.gke.goog", false},
        {"none yet", "", NULL, false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *text = rd_asprintf("{%s%s}", rows[i].body, with_ca);
        RD_AUTOJSON json_t *cluster = json_loads(text, 0, NULL);
        struct gcp_endpoint e;
        struct rd_err *err = NULL;
        bool ok = gcp_cluster_endpoint(cluster, &e, &err);
        rd_check_int(rows[i].name, ok, rows[i].server != NULL);
        rd_err_free(err);
        if (!ok)
            continue;
        rd_check_str(rows[i].name, e.server, rows[i].server);
        rd_check_str(rows[i].name, e.ca_pem, rows[i].ca ? pem : NULL);
        gcp_endpoint_clear(&e);
    }
}

static void quotas(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *info = json_loads(
        "{\"dimensionsInfos\":[{\"dimensions\":{\"region\":\"eu\",\"gpu_family\":\"T4\"},"
        "\"details\":{"
        "\"value\":\"9\"}},{\"dimensions\":{\"region\":\"eu\"},\"details\":{\"value\":\"3\"}},"
        "{\"details\":{\"value\":\"-1\"},\"applicableLocations\":[\"us\"]}]}",
        0, NULL);
    int64_t value;
    assert_true(gcp_quota_value(info, "eu", &value));
    rd_check_int("eu", value, 3);
    assert_true(gcp_quota_value(info, "us", &value));
    rd_check_int("us", value, -1);
    assert_false(gcp_quota_value(info, "asia", &value));
    RD_AUTOJSON json_t *region = json_loads(
        "{\"quotas\":[{\"metric\":\"CPUS\",\"limit\":24.0,\"usage\":3},{\"metric\":\"GPUS\"}]}", 0,
        NULL);
    double limit, usage;
    assert_true(gcp_compute_quota(region, "CPUS", &limit, &usage));
    rd_check_int("limit", (long long)limit, 24);
    rd_check_int("usage", (long long)usage, 3);
    assert_false(gcp_compute_quota(region, "GPUS", &limit, &usage));
}

static void endpoint_overrides(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    const struct {
        const char *variable, *value;
        enum gcp_api api;
        const char *base; /* NULL: refused */
    } rows[] = {
        {"CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER", "127.0.0.1:9", GCP_CONTAINER,
         "https://127.0.0.1:9/v1"},
        {"CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER", "https://e.example/", GCP_CONTAINER,
         "https://e.example/v1"},
        {"CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER", "https://e.example/v1/", GCP_CONTAINER,
         "https://e.example/v1"},
        {"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "https://e.example/storage/v1/", GCP_STORAGE,
         "https://e.example/storage/v1"},
        {"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "https://e.example", GCP_COMPUTE,
         "https://e.example/compute/v1"},
        {"CLOUDSDK_API_ENDPOINT_OVERRIDES_IAM", "http://e.example/", GCP_IAM, NULL},
    };
#define X(name, word, host, path) unsetenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_" word);
    GCP_APIS(X)
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        GCP_APIS(X)
        setenv(rows[i].variable, rows[i].value, 1);
        struct gcp_client_options o = {0};
        struct rd_err *err = NULL;
        struct gcp_client *c = gcp_client_new(loop, &o, &err);
        if (rows[i].base == NULL) {
            assert_null(c);
            rd_check_err(rows[i].value, &err, RD_ERR_INPUT, rows[i].variable);
            continue;
        }
        rd_check_str(rows[i].value, gcp_client_base(c, rows[i].api), rows[i].base);
        assert_true(gcp_client_overridden(c, rows[i].api));
        rd_check_str("others", gcp_client_base(c, GCP_QUOTAS),
                     "https://cloudquotas.googleapis.com/v1");
        gcp_client_free(c);
    }
#undef X
    loop_free(loop);
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),           cmocka_unit_test(patience),
        cmocka_unit_test(pages),           cmocka_unit_test(operations),
        cmocka_unit_test(known_operation), cmocka_unit_test(policy_race),
        cmocka_unit_test(policy_edges),    cmocka_unit_test(edits),
        cmocka_unit_test(objects),         cmocka_unit_test(endpoints),
        cmocka_unit_test(quotas),          cmocka_unit_test(endpoint_overrides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
