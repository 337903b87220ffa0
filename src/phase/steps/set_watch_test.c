/* Goal: what a set waits for and is taken away meanwhile ends the wait at once, and by name; what was
 * never ours to wait for is not waited for. */
#include "base/test.h"

#include "base/alloc.h"
#include "harness/kube.h"
#include "phase/steps/set.h"

#define DEPLOYMENT                                                                                 \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"operator\","      \
    "\"namespace\":\"ns\",\"uid\":\"u1\",\"generation\":1,\"resourceVersion\":\"7\"},\"spec\":{"    \
    "\"replicas\":1,\"selector\":{\"matchLabels\":{\"app\":\"operator\"}}}"
#define MAKING DEPLOYMENT ",\"status\":{\"observedGeneration\":1,\"replicas\":1}}"
#define READY                                                                                      \
    DEPLOYMENT ",\"status\":{\"observedGeneration\":1,\"replicas\":1,\"updatedReplicas\":1,"        \
               "\"readyReplicas\":1,\"availableReplicas\":1,\"conditions\":[{\"type\":"                \
               "\"Progressing\",\"status\":\"True\",\"reason\":\"NewReplicaSetAvailable\"},{"            \
               "\"type\":\"Available\",\"status\":\"True\"}]}}"
#define LIST(items)                                                                                \
    "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" items \
    "]}"
#define JSON "Content-Type: application/json\r\n"

struct world {
    const char *deployments; /* what the list says */
    const char *event;       /* then comes on the stream; NULL: the stream ends, and the next list is empty */
    atomic_uint lists;
    struct config config;
    struct step_ctx ctx;
    struct note_sink notes;
    struct step_row row;
    struct step_op s;
    struct op op;
    bool begun;
    char told[256];
};

static void script(struct peer *p, void *ctx)
{
    struct world *w = ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        bool deployments = strstr(q.path, "/deployments") != NULL;
        if (!strstr(q.path, "watch=")) {
            bool again = deployments && atomic_fetch_add(&w->lists, 1) > 0;
            peer_reply(p, 200, JSON, deployments && !again ? w->deployments : LIST(""));
            continue;
        }
        peer_send(p, "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n");
        if (deployments) {
            const char *event = w->event ? w->event
                                         : "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
                                           "\"reason\":\"Expired\"}}";
            RD_AUTOFREE char *chunk = rd_asprintf("%zx\r\n%s\n\r\n", strlen(event) + 1, event);
            peer_send(p, chunk);
        }
        peer_wait_gone(p);
        break;
    }
    peer_request_clear(&q);
}

static bool add(struct manifest_list *out, const char *text, struct rd_err **reterr)
{
    return manifest_add(out, json_loads(text, 0, NULL), "test.yaml", 1, reterr);
}

static bool render(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    (void)s;
    return add(out,
               "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"ns\"}}", reterr) &&
           add(out, DEPLOYMENT "}", reterr);
}

static bool render_deployment(struct step_op *s, struct manifest_list *out, struct rd_err **reterr)
{
    (void)s;
    return add(out, DEPLOYMENT "}", reterr);
}

static bool shared(struct step_op *s, const json_t *wanted, const json_t *live)
{
    (void)s;
    (void)live;
    return rd_streq(rd_json_str(wanted, "kind", NULL), "Namespace");
}

static const struct set_options plain = {.render = render_deployment};
static const struct set_options with_namespace = {.render = render, .shared = shared};

static void note(struct note_sink *sink, const struct phase_note *n)
{
    struct world *w = container_of(sink, struct world, notes);
    if (n->message && strlen(w->told) + strlen(n->message) + 2 < sizeof(w->told)) {
        strcat(w->told, n->message);
        strcat(w->told, "|");
    }
}

static void world_step(struct op *op)
{
    struct world *w = container_of(op, struct world, op);
    if (!w->begun) {
        w->begun = true;
        w->row.verbs[VERB_WATCH](&w->s, op);
    } else if (op_ended(&w->s.op)) {
        op_finish(op, NULL);
    }
}

static void watch_plain(struct step_op *s, struct op *parent)
{
    set_watch(s, parent, &plain);
}

static void watch_with_namespace(struct step_op *s, struct op *parent)
{
    set_watch(s, parent, &with_namespace);
}

/* The limit is there so that a silent wait fails the test instead of hanging it. */
static void check(struct world *w, void (*verb)(struct step_op *, struct op *), enum phase_finding want,
                  const char *part)
{
    struct server *server = server_new(script, w, NULL);
    struct loop *loop = loop_new();
    struct k8s_client_options o = {0};
    o.config.server = server_url(server, "");
    o.config.ns = rd_strdup("ns");
    o.config.origin = rd_strdup("test");
    rd_secret_set(&o.config.token, "t", 1);
    w->config.name = (char *)"ray";
    w->notes.emit = note;
    w->row = (struct step_row){.core.id = "kuberay", .verbs[VERB_WATCH] = verb};
    w->ctx = (struct step_ctx){.loop = loop, .config = &w->config, .notes = &w->notes};
    w->ctx.workload = k8s_client_new(loop, &o);
    w->s = (struct step_op){.ctx = &w->ctx, .row = &w->row, .verb = VERB_WATCH};
    op_start_root(&w->op, loop, world_step, "world");
    op_set_timeout(&w->op, 30000);
    loop_run(loop, &w->op);
    assert_null(w->op.err);
    if (w->s.verdict.found != want || (part && !strstr(w->s.reason, part)))
        fail_msg("%s, \"%s\"; want %s, \"%s\"", phase_finding_name(w->s.verdict.found), w->s.reason,
                 phase_finding_name(want), part);
    step_op_clear(&w->s);
    k8s_client_free(w->ctx.workload);
    loop_free(loop);
    server_free(server);
}

static void deleted_while_watched(void **state)
{
    (void)state;
    struct world w = {.deployments = LIST(MAKING),
                      .event = "{\"type\":\"DELETED\",\"object\":" MAKING "}"};
    check(&w, watch_plain, FOUND_ABSENT, "Deployment/ns/operator was deleted meanwhile");
    if (!strstr(w.told, "was deleted by somebody"))
        fail_msg("told: %s", w.told);
}

static void deleted_between_lists(void **state)
{
    (void)state;
    struct world w = {.deployments = LIST(MAKING)};
    check(&w, watch_plain, FOUND_ABSENT, "was deleted meanwhile");
}

static void gone_before_the_first_list(void **state)
{
    (void)state;
    struct world w = {.deployments = LIST("")};
    check(&w, watch_plain, FOUND_ABSENT, "was deleted meanwhile");
}

static void namespace_of_somebody_else(void **state)
{
    (void)state;
    struct world w = {.deployments = LIST(MAKING),
                      .event = "{\"type\":\"MODIFIED\",\"object\":" READY "}"};
    check(&w, watch_with_namespace, FOUND_READY, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleted_while_watched), cmocka_unit_test(deleted_between_lists),
        cmocka_unit_test(gone_before_the_first_list), cmocka_unit_test(namespace_of_somebody_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
