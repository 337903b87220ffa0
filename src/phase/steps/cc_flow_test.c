/* Goal: the Config Connector steps against a small Kubernetes with a small Config Connector behind it and a
 * small Google behind that: what they send, what they refuse, what they leave. */
#include "base/test.h"

#include "auth/auth.h"
#include "base/alloc.h"
#include "harness/server.h"
#include "phase/steps/cc_internal.h"
#include "phase/steps/names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MARK "Made by raydeploy for deployment ray"
#define API "/apis/"
#define COMPUTE "/compute/v1/projects/demo-project/"

struct world {
    pthread_mutex_t lock;
    json_t *objects;     /* path -> custom resource */
    json_t *google;      /* path -> resource */
    struct rd_buf log;   /* writes, "METHOD path" a line */
    unsigned version;    /* of the last change */
    const char *failing; /* Config Connector says this instead of doing anything */
    const char *operations; /* what GKE lists; NULL: nothing */
    struct server *server;
    struct config config;
    struct step_ctx ctx;
    struct note_sink notes;
    struct op op;
    struct step_op *step;
    bool begun;
};

/* ---- Config Connector and Google ---- */

/* Where a custom resource is at Google; owned, NULL: it has nothing of its own there. */
static char *google_path(const json_t *o)
{
    const char *kind = rd_json_str(o, "kind", NULL), *name = rd_json_path_str(o, "metadata.name");
    if (rd_streq(kind, "ComputeNetwork"))
        return rd_asprintf(COMPUTE "global/networks/%s", name);
    if (rd_streq(kind, "ComputeSubnetwork"))
        return rd_asprintf(COMPUTE "regions/us-central1/subnetworks/%s", name);
    if (rd_streq(kind, "StorageBucket"))
        return rd_asprintf("/storage/v1/b/%s", name);
    if (rd_streq(kind, "ContainerCluster"))
        return rd_asprintf("/v1/projects/demo-project/locations/us-central1/clusters/%s", name);
    return NULL;
}

static void set_ready(json_t *o, const char *status, const char *reason, const char *message)
{
    json_t *condition = rd_json_pack("{s:s, s:s, s:s, s:s}", "type", "Ready", "status", status, "reason",
                                     reason, "message", message);
    json_object_set_new(o, "status",
                        rd_json_pack("{s:[o], s:I}", "conditions", condition, "observedGeneration",
                                     rd_json_path_int(o, "metadata.generation", 0)));
}

static void reconcile(struct world *w, json_t *o)
{
    RD_AUTOFREE char *at = google_path(o);
    if (w->failing) {
        set_ready(o, "False", "UpdateFailed", w->failing);
        return;
    }
    if (at && !json_object_get(w->google, at)) {
        json_t *resource = rd_json_pack("{s:s}", "name", rd_json_path_str(o, "metadata.name"));
        const json_t *description = rd_json_path(o, "spec.description");
        if (description)
            json_object_set(resource, "description", (json_t *)description);
        else
            json_object_set(resource, "labels", rd_json_path(o, "metadata.labels"));
        json_object_set_new(w->google, at, resource);
    }
    set_ready(o, "True", "UpToDate", "The resource is up to date");
}

static void bump(struct world *w, json_t *o, bool generation)
{
    char text[32];
    snprintf(text, sizeof(text), "%u", ++w->version);
    rd_json_path_set(o, "metadata.resourceVersion", json_string(text));
    if (generation)
        rd_json_path_set(o, "metadata.generation",
                         json_integer(rd_json_path_int(o, "metadata.generation", 0) + 1));
}

static json_t *applied(struct world *w, const char *path, const json_t *intent, bool dry)
{
    json_t *old = json_object_get(w->objects, path);
    json_t *o = json_deep_copy(intent);
    bool changed = !old || !json_equal(json_object_get(old, "spec"), json_object_get(o, "spec"));
    json_t *meta = json_object_get(o, "metadata");
    if (old)
        json_object_update_missing(meta, json_object_get(old, "metadata"));
    else
        json_object_set_new(meta, "uid", json_sprintf("uid-%u", w->version + 1));
    if (old && json_object_get(old, "status"))
        json_object_set(o, "status", json_object_get(old, "status"));
    if (dry) {
        if (!old)
            bump(w, o, true);
        return o;
    }
    if (changed) {
        bump(w, o, true);
        reconcile(w, o);
    }
    json_object_set_new(w->objects, path, o);
    return json_incref(o);
}

static void merge(struct world *w, json_t *o, const json_t *patch)
{
    static const char *const maps[] = {"labels", "annotations"};
    for (size_t i = 0; i < RD_ARRAY_LEN(maps); i++) {
        json_t *more = rd_json_get(patch, "metadata", maps[i], NULL);
        if (!more)
            continue;
        json_t *map = rd_json_get(o, "metadata", maps[i], NULL);
        json_t *copy = map ? json_copy(map) : json_object();
        json_object_update(copy, more);
        json_object_set_new(json_object_get(o, "metadata"), maps[i], copy);
    }
    bump(w, o, false);
    if (rd_json_get(patch, "metadata", "labels", NULL))
        reconcile(w, o);
}

static void remove_object(struct world *w, const char *path)
{
    json_t *o = json_object_get(w->objects, path);
    RD_AUTOFREE char *at = google_path(o);
    const char *policy =
        rd_json_str(o, "metadata", "annotations", "cnrm.cloud.google.com/deletion-policy", NULL);
    if (at && !rd_streq(policy, "abandon"))
        json_object_del(w->google, at);
    json_object_del(w->objects, path);
    w->version++;
}

/* ---- The server ---- */

static void reply(struct peer *p, int status, json_t *take)
{
    RD_AUTOFREE char *text = rd_json_dump(take);
    peer_reply(p, status, "Content-Type: application/json\r\n", text);
    json_decref(take);
}

static void absent(struct peer *p, bool kubernetes)
{
    reply(p, 404,
          kubernetes ? rd_json_pack("{s:s, s:s, s:s, s:i, s:{s:s}}", "kind", "Status", "status", "Failure",
                                    "reason", "NotFound", "code", 404, "details", "name", "x")
                     : rd_json_pack("{s:{s:i, s:s, s:s}}", "error", "code", 404, "message", "not found",
                                    "status", "NOT_FOUND"));
}

static json_t *items_under(struct world *w, const char *path)
{
    RD_AUTOFREE char *prefix = rd_asprintf("%s/", path);
    json_t *items = json_array();
    const char *key;
    json_t *o;
    json_object_foreach (w->objects, key, o) {
        if (rd_starts_with(key, prefix))
            json_array_append_new(items, json_deep_copy(o));
    }
    return items;
}

static bool send_event(struct peer *p, const char *type, const json_t *o)
{
    RD_AUTOJSON json_t *event = rd_json_pack("{s:s, s:O}", "type", type, "object", o);
    RD_AUTOFREE char *line = rd_json_dump(event);
    RD_AUTOFREE char *chunk = rd_asprintf("%zx\r\n%s\n\r\n", strlen(line) + 1, line);
    return peer_send(p, chunk);
}

/* Tells of each change under the path since `version` until the client leaves. */
static void stream(struct peer *p, struct world *w, const char *path)
{
    RD_AUTOJSON json_t *known = json_object();
    bool ok = peer_send(p, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; ok && i < 500; i++) {
        pthread_mutex_lock(&w->lock);
        RD_AUTOJSON json_t *items = items_under(w, path);
        pthread_mutex_unlock(&w->lock);
        size_t k;
        json_t *o;
        json_array_foreach (items, k, o) {
            const char *uid = rd_json_path_str(o, "metadata.uid");
            if (json_equal(json_object_get(known, uid), o))
                continue;
            ok = ok && send_event(p, "MODIFIED", o);
            json_object_set(known, uid, o);
        }
        peer_pause(p, 20);
    }
}

static void kubernetes(struct peer *p, struct world *w, const struct peer_request *q, const char *path,
                       const char *query)
{
    json_t *o = json_object_get(w->objects, path);
    bool object = rd_json_path_str(o, "metadata.name") != NULL;
    if (rd_streq(q->method, "PATCH")) {
        RD_AUTOFREE char *type = peer_request_header(q, "content-type");
        RD_AUTOJSON json_t *body = json_loads(rd_buf_str(&q->body), 0, NULL);
        bool dry = strstr(query, "dryRun=All") != NULL;
        if (!dry)
            rd_buf_printf(&w->log, "PATCH %s %s\n", strstr(type, "merge") ? "merge" : "apply", path);
        if (strstr(type, "merge")) {
            merge(w, o, body);
            reply(p, 200, json_incref(o));
        } else {
            reply(p, object ? 200 : 201, applied(w, path, body, dry));
        }
    } else if (rd_streq(q->method, "DELETE")) {
        bool dry = strstr(rd_buf_str(&q->body), "dryRun") != NULL;
        if (!object) {
            absent(p, true);
            return;
        }
        if (!dry) {
            rd_buf_printf(&w->log, "DELETE %s\n", path);
            remove_object(w, path);
        }
        reply(p, 200, rd_json_pack("{s:s, s:s}", "kind", "Status", "status", "Success"));
    } else if (object) {
        reply(p, 200, json_incref(o));
    } else if (strchr(path, '/') && rd_ends_with(strrchr(path, '/'), "s")) {
        reply(p, 200, rd_json_pack("{s:s, s:s, s:{s:s}, s:o}", "kind", "List", "apiVersion", "v1",
                                   "metadata", "resourceVersion", "1", "items", items_under(w, path)));
    } else {
        absent(p, true);
    }
}

static void google(struct peer *p, struct world *w, const struct peer_request *q, const char *path)
{
    json_t *o = json_object_get(w->google, path);
    if (rd_ends_with(path, "/operations")) {
        json_t *list = w->operations ? json_loads(w->operations, 0, NULL) : json_array();
        reply(p, 200, rd_json_pack("{s:o}", "operations", list));
    } else if (!o) {
        absent(p, false);
    } else if (rd_streq(q->method, "DELETE")) {
        rd_buf_printf(&w->log, "DELETE google %s\n", path);
        json_object_del(w->google, path);
        reply(p, 200, rd_json_pack("{s:s, s:s, s:s, s:s}", "kind", "compute#operation", "name", "op-1",
                                   "status", "DONE", "selfLink", "https://x/compute/v1/op-1"));
    } else {
        reply(p, 200, json_incref(o));
    }
}

static void script(struct peer *p, void *ctx)
{
    struct world *w = ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        RD_AUTOFREE char *path = rd_strndup(q.path, strcspn(q.path, "?"));
        const char *query = strchr(q.path, '?') ? strchr(q.path, '?') : "";
        if (strstr(query, "watch=")) {
            stream(p, w, path);
            break;
        }
        pthread_mutex_lock(&w->lock);
        if (rd_starts_with(path, API))
            kubernetes(p, w, &q, path, query);
        else
            google(p, w, &q, path);
        pthread_mutex_unlock(&w->lock);
    }
    peer_request_clear(&q);
}

/* ---- The world ---- */

static void quiet(struct note_sink *s, const struct phase_note *n)
{
    (void)s;
    (void)n;
}

static void open_world(struct world *w)
{
    struct rd_err *err = NULL;
    char *argv[] = {(char *)"--project", (char *)"demo-project", NULL};
    memset(w, 0, sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    rd_buf_init(&w->log, 1 << 16);
    w->objects = json_object();
    w->google = json_object();
    w->version = 1;
    w->server = server_new(script, w, NULL);
    RD_AUTOFREE char *base = server_url(w->server, "");
#define X(name, word, host, path) setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_" word, base, 1);
    GCP_APIS(X)
#undef X
    unsetenv("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    assert_true(config_load(&w->config, 2, argv, NULL, true, &err));
    w->notes.emit = quiet;
    w->ctx = (struct step_ctx){.loop = loop_new(),
                               .config = &w->config,
                               .run_id = "run-1",
                               .notes = &w->notes,
                               .session = json_object(),
                               .facts = rd_json_pack("{s:[s]}", "region.zones", "us-central1-a")};
    w->ctx.templates = template_set_open(NULL, &err);
    struct gcp_client_options go = {.auth = auth_static_new("ya29.static-token")};
    w->ctx.gcp = gcp_client_new(w->ctx.loop, &go, &err);
    struct k8s_client_options ko = {0};
    ko.config.server = rd_strdup(base);
    ko.config.ns = rd_strdup(CC_NAMESPACE);
    ko.config.origin = rd_strdup("the management cluster");
    rd_secret_set(&ko.config.token, "t", 1);
    w->ctx.management = k8s_client_new(w->ctx.loop, &ko);
    assert_null(err);
}

static void close_world(struct world *w)
{
    k8s_client_free(w->ctx.management);
    gcp_client_free(w->ctx.gcp);
    server_free(w->server);
    loop_free(w->ctx.loop);
    template_set_free(w->ctx.templates);
    json_decref(w->ctx.session);
    json_decref(w->ctx.facts);
    json_decref(w->objects);
    json_decref(w->google);
    rd_buf_clear(&w->log);
    config_clear(&w->config);
}

static void world_step(struct op *op)
{
    struct world *w = container_of(op, struct world, op);
    if (!w->begun) {
        w->begun = true;
        w->step->row->verbs[w->step->verb](w->step, op);
    } else if (op_ended(&w->step->op)) {
        op_finish(op, NULL);
    }
}

/* Runs one verb of a step; the caller clears `s`. */
static void run_for(struct world *w, const char *id, enum phase_verb verb, struct step_op *s,
                    uint64_t limit_ms)
{
    unsigned count;
    const struct step_row *rows = steps_gke(&count);
    memset(s, 0, sizeof(*s));
    s->ctx = &w->ctx;
    s->row = &rows[steps_find(rows, count, id)];
    s->verb = verb;
    s->may_start = true;
    w->step = s;
    w->begun = false;
    op_start_root(&w->op, w->ctx.loop, world_step, "world");
    op_set_timeout(&w->op, limit_ms);
    loop_run(w->ctx.loop, &w->op);
    rd_err_freep(&w->op.err);
}

static void run(struct world *w, const char *id, enum phase_verb verb, struct step_op *s)
{
    run_for(w, id, verb, s, 60000);
}

static void expect(struct world *w, const char *id, enum phase_verb verb, enum phase_finding want,
                   const char *part)
{
    struct step_op s;
    run(w, id, verb, &s);
    if (s.verdict.found != want || (part && (!s.reason || !strstr(s.reason, part))))
        fail_msg("%s %s: %s, \"%s\"; want %s, \"%s\"; the log:\n%s", id, phase_verb_name(verb),
                 phase_finding_name(s.verdict.found), s.reason ? s.reason : "", phase_finding_name(want),
                 part ? part : "", rd_buf_str(&w->log));
    step_op_clear(&s);
}

static void put_google(struct world *w, const char *path, const char *description)
{
    json_object_set_new(w->google, path,
                        rd_json_pack("{s:s, s:s}", "name", "x", "description", description));
}

#define NETWORK COMPUTE "global/networks/ray-vpc"
#define CC_NET API "compute.cnrm.cloud.google.com/v1beta1/namespaces/raydeploy/computenetworks/ray-vpc"
#define CC_SUB                                                                                     \
    API "compute.cnrm.cloud.google.com/v1beta1/namespaces/raydeploy/computesubnetworks/ray-subnet"

/* ---- Tests ---- */

static void up_and_down(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    expect(&w, "net", VERB_LOOK, FOUND_ABSENT, NULL);
    assert_int_equal(w.log.len, 0);
    expect(&w, "net", VERB_START, FOUND_PENDING, NULL);
    expect(&w, "net", VERB_WATCH, FOUND_READY, NULL);
    rd_buf_reset(&w.log);
    expect(&w, "net", VERB_LOOK, FOUND_READY, NULL);
    rd_check_str("a second look writes nothing", rd_buf_str(&w.log), "");
    w.ctx.going_down = true;
    expect(&w, "net", VERB_LOOK, FOUND_PENDING, NULL);
    expect(&w, "net", VERB_UNDO, FOUND_ABSENT, NULL);
    rd_check_str("the subnet first", rd_buf_str(&w.log), "DELETE " CC_SUB "\nDELETE " CC_NET "\n");
    assert_int_equal(json_object_size(w.google), 0);
    expect(&w, "net", VERB_LOOK, FOUND_ABSENT, NULL);
    close_world(&w);
}

static void somebody_elses(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    put_google(&w, NETWORK, "of the office");
    expect(&w, "net", VERB_LOOK, FOUND_FOREIGN, "VPC network ray-vpc is already there");
    w.ctx.going_down = true;
    expect(&w, "net", VERB_LOOK, FOUND_ABSENT, NULL);
    w.ctx.going_down = false;
    w.config.adopt = true;
    expect(&w, "net", VERB_LOOK, FOUND_ABSENT, NULL);
    assert_int_equal(w.log.len, 0);
    close_world(&w);
}

static void orphans(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    put_google(&w, NETWORK, MARK);
    /* Going up it is ours to take. */
    expect(&w, "net", VERB_LOOK, FOUND_ABSENT, NULL);
    /* Going down it is ours to delete, at Google itself. */
    w.ctx.going_down = true;
    expect(&w, "net", VERB_LOOK, FOUND_PENDING, "without its object");
    expect(&w, "net", VERB_UNDO, FOUND_ABSENT, NULL);
    rd_check_str("at Google", rd_buf_str(&w.log), "DELETE google " NETWORK "\n");
    close_world(&w);
}

static void lost_at_google(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    expect(&w, "net", VERB_START, FOUND_PENDING, NULL);
    json_object_del(w.google, NETWORK);
    struct step_op s;
    run(&w, "net", VERB_LOOK, &s);
    assert_int_equal(s.verdict.found, FOUND_PENDING);
    assert_true(s.verdict.drifted);
    step_op_clear(&s);
    rd_buf_reset(&w.log);
    expect(&w, "net", VERB_START, FOUND_PENDING, NULL);
    assert_non_null(strstr(rd_buf_str(&w.log), "PATCH merge " CC_NET));
    assert_non_null(json_object_get(w.google, NETWORK));
    close_world(&w);
}

static void tried_again(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    w.failing = "Update call failed: googleapi: Error 403: Quota 'NETWORKS' exceeded. Limit: 5";
    expect(&w, "net", VERB_START, FOUND_PENDING, NULL);
    expect(&w, "net", VERB_WATCH, FOUND_FAILED, "Quota 'NETWORKS' exceeded");
    /* The cause is gone: the next run does not take the old words for new ones. */
    w.failing = NULL;
    struct step_op s;
    run(&w, "net", VERB_LOOK, &s);
    assert_int_equal(s.verdict.found, FOUND_PENDING);
    assert_true(s.verdict.drifted);
    step_op_clear(&s);
    expect(&w, "net", VERB_START, FOUND_PENDING, NULL);
    expect(&w, "net", VERB_WATCH, FOUND_READY, NULL);
    close_world(&w);
}

static void keeping(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    expect(&w, "storage", VERB_START, FOUND_PENDING, NULL);
    expect(&w, "storage", VERB_WATCH, FOUND_READY, NULL);
    assert_true(json_is_string(step_fact(&w.ctx, "spill.prefix")));
    w.ctx.going_down = true;
    json_object_set_new(w.ctx.session, "keep", rd_json_pack("[s]", "bucket"));
    json_object_set_new(w.ctx.session, "kept", json_array());
    expect(&w, "storage", VERB_UNDO, FOUND_ABSENT, NULL);
    assert_int_equal(json_object_size(w.google), 1);
    assert_int_equal(json_object_size(w.objects), 0);
    assert_int_equal(json_array_size(json_object_get(w.ctx.session, "kept")), 1);
    /* Asked for no more, it goes; its object is gone already. */
    json_object_del(w.ctx.session, "keep");
    expect(&w, "storage", VERB_LOOK, FOUND_PENDING, "without its object");
    expect(&w, "storage", VERB_UNDO, FOUND_ABSENT, NULL);
    assert_int_equal(json_object_size(w.google), 0);
    close_world(&w);
}

#define OPERATION(name, message)                                                                   \
    "[{\"name\":\"" name "\",\"operationType\":\"CREATE_CLUSTER\",\"status\":\"DONE\",\"targetLink\":"    \
    "\"https://x/projects/1/locations/us-central1/clusters/ray-gke\",\"error\":{\"code\":8,\"message\":\""  \
    message "\"}}]"

static void *fail_later(void *ctx)
{
    struct world *w = ctx;
    nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    pthread_mutex_lock(&w->lock);
    w->operations = OPERATION("op-1", "Insufficient regional quota to satisfy request: resource CPUS");
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* The custom resource says "Updating" all the while. */
static void hidden_errors(void **state)
{
    (void)state;
    struct world w;
    struct step_op s;
    pthread_t later;
    open_world(&w);
    expect(&w, "gke", VERB_START, FOUND_PENDING, NULL);
    const char *key;
    json_t *o;
    json_object_foreach (w.objects, key, o) {
        set_ready(o, "False", "Updating", "Update in progress");
    }
    /* What ended before is no news. */
    w.operations = OPERATION("op-0", "of last week");
    run_for(&w, "gke", VERB_WATCH, &s, 1500);
    assert_null(s.why);
    step_op_clear(&s);
    pthread_create(&later, NULL, fail_later, &w);
    run(&w, "gke", VERB_WATCH, &s);
    pthread_join(later, NULL);
    assert_int_equal(s.verdict.found, FOUND_FAILED);
    assert_non_null(strstr(s.reason, "Insufficient regional quota"));
    assert_int_equal(s.why->kind, RD_ERR_FAILED);
    step_op_clear(&s);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_and_down),    cmocka_unit_test(somebody_elses),
        cmocka_unit_test(orphans),        cmocka_unit_test(lost_at_google),
        cmocka_unit_test(tried_again),    cmocka_unit_test(keeping),
        cmocka_unit_test(hidden_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
