/* One request to an API server: what is tried again, what is not, and what is told. */
#include "harness/kube.h"
#include "k8s/apply.h"
#include "k8s/lease.h"

#define OK_OBJECT "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\",\"resourceVersion\":\"7\"}}"
#define WEBHOOK                                                                                    \
    KUBE_STATUS(500, "InternalError",                                                              \
                "failed calling webhook \\\"w\\\": no endpoints available for service", "")
#define ABSENT KUBE_STATUS(404, "NotFound", "not found", "\"name\":\"c\",\"kind\":\"configmaps\"")

static const struct row {
    const char *name, *method;
    int kind; /* -1: success */
    int status;
    size_t len;
    struct talk_row rows[4];
} table[] = {
    {"fine", "GET", -1, 200, 1, {{"GET /api/v1/namespaces/ns/configmaps/c", 200, NULL, OK_OBJECT, TALK_KEEP, 0}}},
    {"fairness", "PATCH", -1, 200, 2,
     {{"PATCH", 429, "Retry-After: 1\r\n", "Too many requests", TALK_KEEP, 0},
      {"PATCH", 200, NULL, OK_OBJECT, TALK_KEEP, 0}}},
    {"bad gateway", "GET", -1, 200, 3,
     {{"GET", 502, "Content-Type: text/html\r\n", "<html>", TALK_KEEP, 0},
      {"GET", 504, NULL, "", TALK_KEEP, 0},
      {"GET", 200, NULL, OK_OBJECT, TALK_KEEP, 0}}},
    {"reset", "PATCH", -1, 200, 2,
     {{"PATCH", 0, NULL, "", TALK_RESET, 0}, {"PATCH", 200, NULL, OK_OBJECT, TALK_KEEP, 0}}},
    {"webhook starts", "PATCH", -1, 201, 2,
     {{"PATCH", 500, NULL, WEBHOOK, TALK_KEEP, 0}, {"PATCH", 201, NULL, OK_OBJECT, TALK_KEEP, 0}}},
    {"create is not repeated blindly", "POST", RD_ERR_TRANSIENT, 500, 1,
     {{"POST", 500, NULL, WEBHOOK, TALK_KEEP, 0}}},
    {"create refused by load", "POST", -1, 201, 2,
     {{"POST", 429, "Retry-After: 1\r\n", "Too many requests", TALK_KEEP, 0},
      {"POST", 201, NULL, OK_OBJECT, TALK_KEEP, 0}}},
    {"401 twice", "GET", RD_ERR_CREDENTIALS, 401, 2,
     {{"GET", 401, NULL, KUBE_STATUS(401, "Unauthorized", "Unauthorized", ""), TALK_KEEP, 0},
      {"GET", 401, NULL, KUBE_STATUS(401, "Unauthorized", "Unauthorized", ""), TALK_KEEP, 0}}},
    {"unknown field", "PATCH", RD_ERR_FAILED, 500, 1,
     {{"PATCH", 500, NULL,
       KUBE_STATUS(500, "", "failed to create typed patch object: .x: field not declared in schema", ""),
       TALK_KEEP, 0}}},
    {"invalid", "PATCH", RD_ERR_FAILED, 422, 1,
     {{"PATCH", 422, NULL, KUBE_STATUS(422, "Invalid", "no", ""), TALK_KEEP, 0}}},
    {"terminating namespace", "PATCH", -1, 201, 2,
     {{"PATCH", 403, NULL,
       KUBE_STATUS(403, "Forbidden", "terminating", "\"causes\":[{\"reason\":\"NamespaceTerminating\"}]"),
       TALK_KEEP, 0},
      {"PATCH", 201, NULL, OK_OBJECT, TALK_KEEP, 0}}},
    {"cut inside the body", "GET", -1, 200, 2,
     {{"GET", 200, "Content-Type: application/json\r\nContent-Length: 1000\r\n", "{\"kind\":", TALK_CLOSE, 0},
      {"GET", 200, NULL, OK_OBJECT, TALK_KEEP, 0}}},
    {"not json", "GET", RD_ERR_FAILED, 0, 1, {{"GET", 200, NULL, "hello", TALK_KEEP, 0}}},
};

static void begin_call(struct op *parent, void *ctx)
{
    k8s_call_start(ctx, parent);
}

static void init(struct kube *k, struct k8s_call *c, const char *method)
{
    k8s_get_init(c, k->client, k8s_resource_find(k->client, "v1", "ConfigMap"), "ns", "c");
    if (rd_streq(method, "GET"))
        return;
    RD_AUTOFREE char *url = rd_strdup(c->http.req.url);
    k8s_call_clear(c);
    k8s_call_init(c, k->client, method, url);
    c->write = true;
    RD_AUTOJSON json_t *body = json_object();
    k8s_call_body_json(c, "application/json", body);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(table); i++) {
        const struct row *row = &table[i];
        struct kube k;
        struct k8s_call c = {0};
        kube_open(&k, row->rows, row->len, false, 0);
        init(&k, &c, row->method);
        kube_run(&k, begin_call, &c);
        struct rd_err *err = op_take_err(&c.op);
        int kind = err ? (int)err->kind : -1;
        if (kind != row->kind)
            print_message("%s: %s\n", row->name, err ? err->message : "no error");
        assert_int_equal(kind, row->kind);
        if (err)
            assert_int_equal(err->http_status, row->status);
        else
            assert_int_equal(c.http.req.status, row->status);
        assert_int_equal(c.result != NULL, err == NULL);
        rd_err_free(err);
        k8s_call_clear(&c);
        kube_close(&k);
    }
}

static void test_not_found_ok(void **state)
{
    (void)state;
    static const struct talk_row rows[] = {{"GET", 404, NULL, ABSENT, TALK_KEEP, 0},
                                           {"GET", 404, "Content-Type: text/plain\r\n",
                                            "404 page not found\n", TALK_KEEP, 0}};
    for (size_t i = 0; i < 2; i++) {
        struct kube k;
        struct k8s_call c = {0};
        kube_open(&k, &rows[i], 1, false, 0);
        init(&k, &c, "GET");
        c.not_found_ok = true;
        kube_run(&k, begin_call, &c);
        struct rd_err *err = op_take_err(&c.op);
        assert_null(c.result);
        assert_int_equal(err != NULL, i == 1); /* a type that is not served is no absent object */
        rd_err_free(err);
        k8s_call_clear(&c);
        kube_close(&k);
    }
}

static void test_warnings_once(void **state)
{
    (void)state;
    static const struct talk_row rows[] = {
        {"GET", 200, "Warning: 299 - \"v1 is old\"\r\n", OK_OBJECT, TALK_KEEP, 0},
        {"GET", 200, "Warning: 299 - \"v1 is old\"\r\nWarning: 299 - \"and slow\"\r\n", OK_OBJECT,
         TALK_KEEP, 0}};
    struct kube k;
    kube_open(&k, rows, 2, false, 0);
    for (int i = 0; i < 2; i++) {
        struct k8s_call c = {0};
        init(&k, &c, "GET");
        kube_run(&k, begin_call, &c);
        assert_null(c.op.err);
        k8s_call_clear(&c);
    }
    assert_string_equal(k.warnings, "v1 is old|and slow|");
    kube_close(&k);
}

#define WRITES 20

static void begin_writes(struct op *parent, void *ctx)
{
    struct k8s_call *calls = ctx;
    for (int i = 0; i < WRITES; i++)
        k8s_call_start(&calls[i], parent);
}

static void test_writes_in_flight(void **state)
{
    (void)state;
    static const struct talk_row rows[] = {{"PATCH", 200, NULL, OK_OBJECT, TALK_KEEP, 20}};
    struct kube k;
    kube_open(&k, rows, 1, true, 3);
    struct k8s_call *calls = rd_calloc(WRITES, sizeof(*calls));
    for (int i = 0; i < WRITES; i++)
        init(&k, &calls[i], "PATCH");
    kube_run(&k, begin_writes, calls);
    for (int i = 0; i < WRITES; i++) {
        assert_null(calls[i].op.err);
        k8s_call_clear(&calls[i]);
    }
    assert_int_equal(server_requests(k.talk.server), WRITES);
    assert_int_equal(server_requests_peak(k.talk.server), 3);
    rd_freep(&calls);
    kube_close(&k);
}

/* ---- Apply: paths that are not served yet ---- */

static void begin_apply(struct op *parent, void *ctx)
{
    k8s_apply_start(ctx, parent);
}

#define PAGE_404 404, "Content-Type: text/plain\r\n", "404 page not found\n", TALK_KEEP, 0
#define NO_NAMESPACE                                                                               \
    404, NULL, KUBE_STATUS(404, "NotFound", "namespaces \\\"ns\\\" not found",                         \
                           "\"name\":\"ns\",\"kind\":\"namespaces\""), TALK_KEEP, 0

static void test_not_served_yet(void **state)
{
    (void)state;
    static const struct talk_row type[] = {{"PATCH", PAGE_404}, {"PATCH", PAGE_404},
                                           {"PATCH fieldManager=raydeploy fieldValidation=Strict !force",
                                            201, NULL, OK_OBJECT, TALK_KEEP, 0}};
    static const struct talk_row ns[] = {{"PATCH", NO_NAMESPACE},
                                         {"PATCH", 201, NULL, OK_OBJECT, TALK_KEEP, 0}};
    static const struct talk_row never[] = {{"PATCH", PAGE_404}};
    static const struct {
        const struct talk_row *rows;
        size_t len;
        bool open_end, ok;
    } cases[] = {{type, 3, false, true}, {ns, 2, false, true}, {never, 1, true, false}};
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        struct kube k;
        struct k8s_apply a = {0};
        kube_open(&k, cases[i].rows, cases[i].len, cases[i].open_end, 0);
        RD_AUTOJSON json_t *object =
            json_loads("{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"metadata\":{\"name\":\"c\"}}",
                       0, NULL);
        k8s_apply_init(&a, k.client, object);
        a.before_rv = "";
        kube_run(&k, begin_apply, &a);
        struct rd_err *err = op_take_err(&a.op);
        assert_int_equal(err == NULL, cases[i].ok);
        if (err) {
            assert_int_equal(err->kind, RD_ERR_FAILED);
            assert_non_null(strstr(err->message, "no such kind on this server: RayCluster of ray.io/v1"));
        } else {
            assert_int_equal(a.outcome, K8S_APPLY_CREATED);
        }
        rd_err_free(err);
        k8s_apply_clear(&a);
        kube_close(&k);
    }
}

/* ---- Lease: a server that stops answering ---- */

static void begin_lease(struct op *parent, void *ctx)
{
    k8s_lease_start(ctx, parent);
}

static void on_held(struct k8s_lease *l, uint64_t until_ms)
{
    assert_true(until_ms <= op_now_ms(&l->op) + l->duration_ms);
    ++*(size_t *)l->ctx;
}

static void test_lease_cannot_be_renewed(void **state)
{
    (void)state;
    static const struct talk_row rows[] = {
        {"POST leases", 201, NULL, "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"holderIdentity\":\"me\"}}",
         TALK_KEEP, 0},
        {"PUT leases/l", 503, NULL, "away", TALK_KEEP, 0}};
    struct kube k;
    struct k8s_lease l = {0};
    size_t held = 0;
    kube_open(&k, rows, 2, true, 0);
    k8s_lease_init(&l, k.client, "ns", "l", "me");
    l.duration_ms = 2000;
    l.on_held = on_held;
    l.ctx = &held;
    kube_run(&k, begin_lease, &l);
    struct rd_err *err = op_take_err(&l.op);
    assert_non_null(err);
    assert_int_equal(err->kind, RD_ERR_LOCKED);
    assert_int_equal(held, 1);
    rd_err_free(err);
    k8s_lease_clear(&l);
    kube_close(&k);
}

static void on_held_twice(struct k8s_lease *l, uint64_t until_ms)
{
    on_held(l, until_ms);
    if (*(size_t *)l->ctx == 2)
        op_cancel(&l->op);
}

/* A refusal while the lease runs does not take it away: a server that has just come back refuses everybody. */
static void test_lease_survives_a_refusal(void **state)
{
    (void)state;
    static const struct talk_row rows[] = {
        {"POST leases", 201, NULL, "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"holderIdentity\":\"me\"}}",
         TALK_KEEP, 0},
        {"PUT leases/l", 403, NULL, KUBE_STATUS(403, "Forbidden", "not yet", ""), TALK_KEEP, 0},
        {"PUT leases/l", 200, NULL, "{\"metadata\":{\"resourceVersion\":\"2\"},\"spec\":{\"holderIdentity\":\"me\"}}",
         TALK_KEEP, 0}};
    struct kube k;
    struct k8s_lease l = {0};
    size_t held = 0;
    kube_open(&k, rows, 3, false, 0);
    k8s_lease_init(&l, k.client, "ns", "l", "me");
    l.duration_ms = 12000;
    l.on_held = on_held_twice;
    l.ctx = &held;
    kube_run(&k, begin_lease, &l);
    rd_err_free(op_take_err(&l.op));
    assert_int_equal(held, 2);
    k8s_lease_clear(&l);
    kube_close(&k);
}

/* Right after the server was away a 403 is tried again; without that it is a refusal. */
static void test_refusal_after_away(void **state)
{
    (void)state;
    static const struct talk_row rows[] = {
        {"GET", 0, NULL, NULL, TALK_RESET, 0},
        {"GET", 403, NULL, KUBE_STATUS(403, "Forbidden", "not yet", ""), TALK_KEEP, 0},
        {"GET", 200, NULL, "{\"kind\":\"Pod\"}", TALK_KEEP, 0}};
    for (int away = 0; away < 2; away++) {
        struct kube k;
        struct k8s_call c = {0};
        kube_open(&k, away ? rows : rows + 1, away ? 3 : 1, false, 0);
        init(&k, &c, "GET");
        kube_run(&k, begin_call, &c);
        struct rd_err *err = op_take_err(&c.op);
        if (away) {
            assert_null(err);
            assert_string_equal(rd_json_str(c.result, "kind", NULL), "Pod");
        } else {
            assert_non_null(err);
            assert_int_equal(err->kind, RD_ERR_CREDENTIALS);
            rd_err_free(err);
        }
        k8s_call_clear(&c);
        kube_close(&k);
    }
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_not_found_ok),
        cmocka_unit_test(test_warnings_once),
        cmocka_unit_test(test_writes_in_flight),
        cmocka_unit_test(test_not_served_yet),
        cmocka_unit_test(test_lease_cannot_be_renewed),
        cmocka_unit_test(test_lease_survives_a_refusal),
        cmocka_unit_test(test_refusal_after_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
