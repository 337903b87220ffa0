/* Ray's dashboard and Jobs API on the rig: a RayCluster made by the real operator, whose pods the
 * rig mirrors with a real Ray, reached through our own port-forward with its token. */
#include "live.h"
#include "middle.h"

#include "base/encode.h"
#include "base/file.h"
#include "ray/job.h"
#include "ray/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINES 100000

static struct live *live;

/* ---- A cluster of one head and one worker ---- */

#define MOUNT "\"volumeMounts\":[{\"name\":\"shared\",\"mountPath\":\"/mnt/shared\"}],"
#define VOLUME                                                                                     \
    "\"volumes\":[{\"name\":\"shared\",\"persistentVolumeClaim\":{\"claimName\":\"shared\"}}],"
#define SIZE                                                                                       \
    "\"image\":\"rayproject/ray:x\",\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"2Gi\"}}"
#define STORE "\"object-store-memory\":\"120000000\""

static const char claim_text[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"shared\"},"
    "\"spec\":{\"storageClassName\":\"shared-path\",\"accessModes\":[\"ReadWriteMany\"],"
    "\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}";

static const char cluster_text[] =
    "{\"apiVersion\":\"ray.io/"
    "v1\",\"kind\":\"RayCluster\",\"metadata\":{\"name\":\"small\"},\"spec\":{"
    "\"authOptions\":{\"mode\":\"token\"},"
    "\"headGroupSpec\":{\"rayStartParams\":{\"num-cpus\":\"1\"," STORE
    "},\"template\":{\"spec\":{" VOLUME "\"containers\":[{\"name\":\"ray-head\"," MOUNT
    "\"env\":[{\"name\":\"RAY_object_spilling_config\","
    "\"value\":\"{\\\"type\\\":\\\"filesystem\\\",\\\"params\\\":{\\\"directory_path\\\":"
    "\\\"/mnt/shared/spill\\\"}}\"}]," SIZE "}]}}},"
    "\"workerGroupSpecs\":[{\"groupName\":\"cpu\",\"replicas\":1,\"minReplicas\":1,\"maxReplicas\":"
    "1,"
    "\"rayStartParams\":{" STORE "},\"template\":{\"spec\":{" VOLUME
    "\"containers\":[{\"name\":\"ray-worker\"," MOUNT SIZE "}]}}}]}}";

static void begin_discover(struct op *parent, void *ctx)
{
    k8s_discover_start(ctx, parent, live->client);
}

static int open_live(void **state)
{
    (void)state;
    json_error_t why;
    live = live_open();
    struct k8s_discover d = {0};
    live_run(live, begin_discover, &d);
    live_must(op_take_err(&d.op), "discover");
    k8s_discover_clear(&d);
    json_t *claim = json_loads(claim_text, 0, &why), *cluster = json_loads(cluster_text, 0, &why);
    assert_non_null(claim);
    if (!cluster)
        fail_msg("cluster: %s at %d", why.text, why.column);
    json_decref(live_apply(live, claim, NULL, false));
    const char *version = getenv("RIG_RAY_VERSION");
    rd_json_path_set(cluster, "spec.rayVersion", json_string(version ? version : "2.60.0"));
    json_decref(live_apply(live, cluster, NULL, false));
    RD_AUTOFREE char *command =
        rd_asprintf("\"$RIG_SCRIPT\" wait-ray %s/small 2 240 >/dev/null", live->ns);
    if (system(command) != 0)
        fail_msg("%s", command);
    return 0;
}

static int close_live(void **state)
{
    (void)state;
    live_close(live);
    return 0;
}

/* ---- A dashboard and what runs over it ---- */

struct trial {
    struct op op;
    struct ray_dashboard dash;
    void (*begin)(struct trial *t);
    struct op *child;              /* ends the trial */
    void (*tick)(struct trial *t); /* every 50 ms; NULL */
    bool begun;
    struct ray_call call;
    struct ray_job_run run;
    struct ray_package package;
    struct ray_verify_log checks;
    struct rd_buf log; /* kept when max is set */
    size_t log_bytes, cuts, ticks;
    struct middle *middle;
    struct rd_err *err;
};

static void trial_step(struct op *op)
{
    struct trial *t = container_of(op, struct trial, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!t->begun) {
        t->begun = true;
        ray_dashboard_start(&t->dash, op);
        t->begin(t);
    }
    if (op_ended(t->child)) {
        t->err = op_take_err(t->child);
        op_finish(op, NULL);
        return;
    }
    if (t->tick) {
        t->tick(t);
        op_set_alarm(op, op_now_ms(op) + 50);
    }
}

static void on_note(struct ray_dashboard *d, const char *text)
{
    (void)d;
    if (getenv("LIVE_TALK"))
        print_message("note: %s\n", text);
}

static void trial_init(struct trial *t, bool token)
{
    *t = (struct trial){0};
    ray_dashboard_init(&t->dash);
    t->dash.client = live->client;
    t->dash.ns = rd_strdup(live->ns);
    t->dash.cluster = rd_strdup("small");
    t->dash.token_secret = token ? rd_strdup("small") : NULL;
    t->dash.on_note = on_note;
}

static void trial_run(struct trial *t)
{
    op_start_root(&t->op, live->loop, trial_step, "trial");
    op_set_timeout(&t->op, 300000);
    loop_run(live->loop, &t->op);
    live_must(op_take_err(&t->op), "trial");
}

static void trial_clear(struct trial *t)
{
    rd_err_free(t->err);
    ray_call_clear(&t->call);
    ray_job_run_clear(&t->run);
    ray_package_clear(&t->package);
    ray_verify_log_clear(&t->checks);
    rd_buf_clear(&t->log);
    ray_dashboard_clear(&t->dash);
}

static void begin_call(struct trial *t)
{
    t->child = &t->call.op;
    ray_call_start(&t->call, &t->op);
}

/* The version with the token of the Secret; without it a 401 that says what to do. */
static void test_token(void **state)
{
    (void)state;
    struct trial t;
    trial_init(&t, true);
    t.begin = begin_call;
    ray_version_init(&t.call, &t.dash);
    trial_run(&t);
    if (t.err)
        fail_msg("%s", t.err->message);
    assert_non_null(rd_json_str(t.call.result, "ray_version", NULL));
    print_message("Ray %s\n", rd_json_str(t.call.result, "ray_version", NULL));
    trial_clear(&t);

    trial_init(&t, true);
    t.begin = begin_call;
    ray_nodes_init(&t.call, &t.dash);
    trial_run(&t);
    if (t.err)
        fail_msg("%s", t.err->message);
    assert_int_equal(ray_nodes_alive(t.call.result), 2);
    trial_clear(&t);

    trial_init(&t, false);
    t.begin = begin_call;
    ray_job_list_init(&t.call, &t.dash);
    trial_run(&t);
    assert_non_null(t.err);
    if (t.err->kind != RD_ERR_CREDENTIALS || t.err->http_status != 401 || !t.err->hint)
        fail_msg("%s: %s", rd_err_kind_name(t.err->kind), t.err->message);
    trial_clear(&t);
}

static void on_check(struct ray_verify_log *v, enum ray_check_word word, const char *name,
                     const char *detail)
{
    static const char *const words[] = {"PASS", "FAIL", "SKIP"};
    (void)v;
    print_message("%s %s: %s\n", words[word], name, detail);
}

static void on_run_log(struct ray_job_run *r, const char *data, size_t len)
{
    struct trial *t = r->ctx;
    t->log_bytes += len;
    ray_verify_log_feed(&t->checks, data, len);
    if (t->log.max)
        rd_buf_append(&t->log, data, len);
}

static void on_run_status(struct ray_job_run *r, const char *text)
{
    (void)r;
    if (getenv("LIVE_TALK"))
        print_message("job: %s\n", text);
}

static void begin_run(struct trial *t)
{
    t->child = &t->run.op;
    ray_job_run_start(&t->run, &t->op);
}

static void run_init(struct trial *t, const char *id, const char *entrypoint)
{
    trial_init(t, true);
    t->begin = begin_run;
    ray_verify_log_init(&t->checks);
    ray_job_run_init(&t->run, &t->dash);
    t->run.spec.submission_id = id;
    t->run.spec.entrypoint = entrypoint;
    t->run.on_log = on_run_log;
    t->run.on_status = on_run_status;
    t->run.ctx = t;
}

/* The verification job, once; then again under its id: adopted, not run twice. */
static void test_verify(void **state)
{
    (void)state;
    struct rd_buf program = RD_BUF_INIT((size_t)1 << 20);
    struct rd_err *err = NULL;
    struct ray_verify_expect e = {
        .nodes = 2, .cpus = 2, .shared_path = "/mnt/shared", .spill = true, .wait_s = 120};
    if (!rd_file_read("templates/job/verify.py", program.max, &program, &err))
        fail_msg("%s", err->message);
    for (int turn = 0; turn < 2; turn++) {
        struct trial t;
        run_init(&t, "verify-1", ray_verify_entrypoint);
        t.checks.on_check = turn == 0 ? on_check : NULL;
        assert_true(ray_verify_package(program.data, program.len, &e, &t.package, &err));
        t.run.package = &t.package;
        trial_run(&t);
        if (t.err)
            fail_msg("%s", t.err->message);
        ray_verify_log_end(&t.checks);
        assert_int_equal(t.run.status, RAY_JOB_SUCCEEDED);
        assert_int_equal(t.run.driver_exit_code, 0);
        assert_int_equal(t.run.adopted, turn == 1);
        assert_int_equal(t.checks.fail, 0);
        assert_int_equal(t.checks.pass, 6);
        assert_int_equal(t.checks.skip, 1);
        assert_true(t.checks.summary);
        trial_clear(&t);
    }
    struct trial other;
    run_init(&other, "verify-1", "echo another");
    trial_run(&other);
    assert_non_null(other.err);
    assert_int_equal(other.err->kind, RD_ERR_FOREIGN);
    trial_clear(&other);
    rd_buf_clear(&program);
}

/* A job that fails is told with its exit code. */
static void test_failing(void **state)
{
    (void)state;
    struct trial t;
    run_init(&t, "failing", "echo before; exit 7");
    trial_run(&t);
    assert_non_null(t.err);
    assert_int_equal(t.err->kind, RD_ERR_JOB);
    assert_int_equal(t.run.status, RAY_JOB_FAILED);
    assert_int_equal(t.run.driver_exit_code, 7);
    trial_clear(&t);
}

/* Every connection to the API server is reset, again and again, at whatever byte it is. */
static void cut(struct trial *t)
{
    if (!t->log_bytes || t->cuts >= 100)
        return;
    bool down = t->ticks++ % 3 == 0;
    t->cuts += down;
    middle_set(t->middle, down, false);
    if (t->cuts == 100)
        middle_set(t->middle, false, false);
}

static uint16_t middle_port;

static void through_middle(struct k8s_config *c)
{
    rd_str_take(&c->server, rd_asprintf("https://127.0.0.1:%u", middle_port));
}

/* 100,000 lines while the connection is cut up to 100 times: the same bytes by digest. */
static void test_log_with_cuts(void **state)
{
    (void)state;
    struct trial t;
    char want[RD_SHA256_HEX_LEN + 1], got[RD_SHA256_HEX_LEN + 1];
    struct rd_sha256 *h = rd_sha256_new();
    for (int i = 0; i < LOG_LINES; i++) {
        char line[64];
        int n = snprintf(line, sizeof(line), "line %d \xe2\x82\xac \"quoted\" \\ \t end\n", i);
        rd_sha256_update(h, line, (size_t)n);
    }
    rd_sha256_final(h, want);
    run_init(&t, "long-log",
             "python -c \"for i in range(100000): print('line %d \xe2\x82\xac \\\"quoted\\\" "
             "\\\\\\\\ \\t end' % i, "
             "flush=i % 100 == 0)\"");
    rd_buf_init(&t.log, (size_t)64 << 20);
    t.tick = cut;
    const char *colon = strrchr(k8s_client_server(live->client), ':');
    assert_non_null(colon);
    t.middle = middle_start((uint16_t)atoi(colon + 1), &middle_port);
    struct k8s_client *client = live_client(live, through_middle);
    t.dash.client = client;
    trial_run(&t);
    if (t.err)
        fail_msg("%s", t.err->message);
    const char *from = strstr(rd_buf_str(&t.log), "line 0 "); /* Ray's own words come before it */
    assert_non_null(from);
    rd_sha256_hex(from, t.log.len - (size_t)(from - t.log.data), got);
    print_message("%zu bytes of log, %zu cuts\n", t.log_bytes, t.cuts);
    assert_string_equal(got, want);
    trial_clear(&t);
    middle_stop(t.middle);
    k8s_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_failing),
        cmocka_unit_test(test_log_with_cuts),
    };
    const char *ray = getenv("RIG_WITH_RAY");
    if (!getenv("RIG_KUBECONFIG") || !getenv("RIG_SCRIPT") || !ray || *ray != '1') {
        printf("SKIP: RIG_KUBECONFIG, RIG_SCRIPT or RIG_WITH_RAY=1 is not set\n");
        return 77;
    }
    if (system("\"$RIG_KUBECTL\" --kubeconfig \"$RIG_ADMIN_KUBECONFIG\" -n kuberay-system get "
               "deployment kuberay-operator >/dev/null 2>&1") != 0) {
        printf("SKIP: no KubeRay operator on the rig (raydeploy up --target local brings it)\n");
        return 77;
    }
    cmocka_set_test_filter(getenv("LIVE_ONLY"));
    return cmocka_run_group_tests(tests, open_live, close_live);
}
