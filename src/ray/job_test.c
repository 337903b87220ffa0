/* Jobs against a server that plays the dashboard: lost replies, cut logs, refusals. */
#include "base/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "harness/talk.h"
#include "ray/dashboard_internal.h"
#include "ray/job.h"

struct stage {
    struct op op;
    struct loop *loop;
    struct ray_dashboard dash;
    void (*begin)(struct op *parent, void *ctx);
    void *ctx;
    struct op *child;
    bool begun;
};

static void stage_step(struct op *op)
{
    struct stage *s = container_of(op, struct stage, op);
    if (!s->begun && !op->cancelled) {
        s->begun = true;
        ray_dashboard_start(&s->dash, op);
        s->begin(op, s->ctx);
    } else if (op->cancelled || op_ended(s->child)) {
        op_finish(op, NULL);
    }
}

static void stage_open(struct stage *s, struct server *server)
{
    *s = (struct stage){0};
    rd_alloc_init();
    s->loop = loop_new();
    ray_dashboard_init(&s->dash);
    s->dash.address = rd_asprintf("http://127.0.0.1:%u", server_port(server));
    rd_secret_set(&s->dash.token, "token-of-the-test", 17);
}

/* Runs child, which begin(ctx) starts; its error. */
static struct rd_err *stage_run(struct stage *s, void (*begin)(struct op *, void *), void *ctx,
                                struct op *child)
{
    s->begin = begin;
    s->ctx = ctx;
    s->child = child;
    s->begun = false;
    op_start_root(&s->op, s->loop, stage_step, "stage");
    op_set_timeout(&s->op, 60000);
    loop_run(s->loop, &s->op);
    struct rd_err *late = op_take_err(&s->op);
    if (late != NULL)
        fail_msg("%s", late->message);
    return op_take_err(child);
}

static void stage_close(struct stage *s)
{
    ray_dashboard_clear(&s->dash);
    loop_free(s->loop);
}

/* ---- Submit ---- */

struct submission {
    struct stage *stage;
    struct ray_job_submit submit;
};

static void begin_submit(struct op *parent, void *ctx)
{
    struct submission *b = ctx;
    struct ray_job_spec spec = {.submission_id = "run-1", .entrypoint = "python x.py"};
    ray_job_submit_start(&b->submit, parent, &b->stage->dash, &spec);
}

#define OK                                                                                         \
    {                                                                                              \
        "POST /api/jobs/", 200, NULL, "{\"submission_id\":\"run-1\"}", TALK_KEEP, 0                \
    }
#define LOST                                                                                       \
    {                                                                                              \
        "POST /api/jobs/", 0, NULL, NULL, TALK_RESET, 0                                            \
    }
#define JOB(entrypoint)                                                                            \
    {                                                                                              \
        "GET /api/jobs/run-1", 200, NULL,                                                          \
            "{\"entrypoint\":\"" entrypoint "\",\"status\":\"RUNNING\"}", TALK_KEEP, 0             \
    }
#define ABSENT                                                                                     \
    {                                                                                              \
        "GET /api/jobs/run-1", 404, "Content-Type: text/plain\r\n", "Job run-1 does not exist",    \
            TALK_KEEP, 0                                                                           \
    }
#define REFUSED(status, text)                                                                      \
    {                                                                                              \
        "POST /api/jobs/", status, "Content-Type: text/plain\r\n", text, TALK_KEEP, 0              \
    }
#define DUPLICATE                                                                                  \
    REFUSED(                                                                                       \
        500,                                                                                       \
        "Traceback (most recent call last):\n  File x\nValueError: Job with submission_id run-1 "  \
        "already exists. Please use a different submission_id.\n")
#define NO_AGENT REFUSED(500, "No available agent to submit job, please try again later.")

/* A job is submitted once whatever happens to the replies. */
static void submits_once(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        struct talk_row talk[6];
        size_t len;
        bool adopted;
        enum rd_err_kind kind; /* RD_ERR_INTERNAL: success */
        const char *part;
    } rows[] = {
        {"at once", {OK}, 1, false, RD_ERR_INTERNAL, NULL},
        {"reply lost, job there", {LOST, JOB("python x.py")}, 2, true, RD_ERR_INTERNAL, NULL},
        {"request lost", {LOST, ABSENT, OK}, 3, false, RD_ERR_INTERNAL, NULL},
        {"from an earlier life", {DUPLICATE, JOB("python x.py")}, 2, true, RD_ERR_INTERNAL, NULL},
        {"no agent yet", {NO_AGENT, ABSENT, NO_AGENT, ABSENT, OK}, 5, false, RD_ERR_INTERNAL, NULL},
        {"somebody else's id",
         {DUPLICATE, JOB("rm -rf")},
         2,
         false,
         RD_ERR_FOREIGN,
         "belongs to another"},
        {"refused",
         {REFUSED(400, "unknown field")},
         1,
         false,
         RD_ERR_FAILED,
         "Ray answered 400: unknown field"},
        {"wrong token",
         {REFUSED(401, "Unauthorized: Missing authentication token"),
          REFUSED(401, "Unauthorized: Missing authentication token")},
         2,
         false,
         RD_ERR_CREDENTIALS,
         "Missing authentication token"},
        {"token of another",
         {REFUSED(403, "Forbidden: Invalid authentication token")},
         1,
         false,
         RD_ERR_CREDENTIALS,
         "Invalid authentication token"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct talk talk;
        struct stage s;
        struct submission b = {.stage = &s};
        talk_start(&talk, rows[i].talk, rows[i].len, false);
        stage_open(&s, talk.server);
        struct rd_err *err = stage_run(&s, begin_submit, &b, &b.submit.op);
        if (rows[i].kind == RD_ERR_INTERNAL && err != NULL)
            fail_msg("%s: %s", rows[i].row, err->message);
        if (rows[i].kind != RD_ERR_INTERNAL)
            rd_check_err(rows[i].row, &err, rows[i].kind, rows[i].part);
        rd_check_int(rows[i].row, b.submit.adopted, rows[i].adopted);
        rd_check_int(rows[i].row, (long long)talk.next, (long long)rows[i].len);
        rd_check_int(rows[i].row, (long long)talk.wrong, 0);
        ray_job_submit_clear(&b.submit);
        stage_close(&s);
        talk_stop(&talk);
    }
}

static const char *bad_id;

static void begin_bad(struct op *parent, void *ctx)
{
    struct submission *b = ctx;
    struct ray_job_spec spec = {.submission_id = bad_id, .entrypoint = "x"};
    ray_job_submit_start(&b->submit, parent, &b->stage->dash, &spec);
}

/* An id that could not stand in a path is not sent. */
static void bad_ids(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL, "", "a b", "a/b", "..", "\xc3\xa4"};
    for (size_t i = 0; i < RD_ARRAY_LEN(bad); i++) {
        struct talk talk;
        struct stage s;
        struct submission b = {.stage = &s};
        bad_id = bad[i];
        talk_start(&talk, NULL, 0, false);
        stage_open(&s, talk.server);
        struct rd_err *err = stage_run(&s, begin_bad, &b, &b.submit.op);
        rd_check_err(bad[i] ? bad[i] : "none", &err, RD_ERR_INPUT, "submission id");
        rd_check_int("requests", (long long)talk.next, 0);
        ray_job_submit_clear(&b.submit);
        stage_close(&s);
        talk_stop(&talk);
    }
}

/* ---- Follow ---- */

struct theatre {
    struct rd_buf log; /* what the job wrote */
    atomic_int log_reads;
    int cuts;        /* answers that break somewhere */
    int ends_after;  /* log readings until SUCCEEDED */
    bool unreadable; /* every log is a 500 */
    int shrinks_at;  /* from this reading on the log is another, shorter one; 0: never */
    unsigned seed;
};

static char *log_answer(struct theatre *t, int read)
{
    size_t shown = t->log.len;
    if (read < t->ends_after)
        shown = t->log.len * (size_t)read / (size_t)t->ends_after;
    while (shown > 0 && shown < t->log.len && ((unsigned char)t->log.data[shown] & 0xc0) == 0x80)
        shown--;
    json_t *o = t->shrinks_at && read >= t->shrinks_at
                    ? json_pack("{s:s}", "logs", "anew\n")
                    : json_pack("{s:s#}", "logs", t->log.data ? t->log.data : "", (int)shown);
    char *text = json_dumps(o, JSON_ENSURE_ASCII);
    json_decref(o);
    return text;
}

static void play(struct peer *p, void *ctx)
{
    struct theatre *t = ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        if (!strstr(q.path, "/logs")) {
            bool over = atomic_load(&t->log_reads) >= t->ends_after;
            peer_reply(
                p, 200, "Content-Type: application/json\r\n",
                over ? "{\"status\":\"SUCCEEDED\",\"message\":\"done\",\"driver_exit_code\":0}"
                     : "{\"status\":\"RUNNING\"}");
            continue;
        }
        int read = atomic_fetch_add(&t->log_reads, 1) + 1;
        if (t->unreadable) {
            peer_reply(p, 500, "Content-Type: text/plain\r\n", "UnicodeDecodeError: 'utf-8' codec");
            continue;
        }
        char *answer = log_answer(t, read);
        if (read <= t->cuts) {
            size_t len = strlen(answer), part = (size_t)rand_r(&t->seed) % len;
            RD_AUTOFREE char *head =
                rd_asprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: %zu\r\n\r\n",
                            len);
            peer_send(p, head);
            peer_send_bytes(p, answer, part);
            free(answer);
            break; /* the script's end closes the connection */
        }
        peer_reply(p, 200, "Content-Type: application/json\r\n", answer);
        free(answer);
    }
    peer_request_clear(&q);
}

struct follower {
    struct stage *stage;
    struct ray_job_follow follow;
    struct rd_buf got;
};

static void on_log(struct ray_job_follow *f, const char *data, size_t len)
{
    struct follower *w = f->ctx;
    rd_buf_append(&w->got, data, len);
}

static void begin_follow(struct op *parent, void *ctx)
{
    struct follower *w = ctx;
    ray_job_follow_init(&w->follow, &w->stage->dash, "run-1");
    w->follow.on_log = on_log;
    w->follow.ctx = w;
    ray_job_follow_start(&w->follow, parent);
}

static void check_follow(const char *row, struct theatre *t, const char *want, bool problem)
{
    struct stage s;
    struct follower w = {.stage = &s, .got = RD_BUF_INIT((size_t)4 << 20)};
    struct server *server = server_new(play, t, NULL);
    stage_open(&s, server);
    struct rd_err *err = stage_run(&s, begin_follow, &w, &w.follow.op);
    if (err != NULL)
        fail_msg("%s: %s", row, err->message);
    rd_check_int(row, (long long)w.got.len, (long long)strlen(want));
    if (strcmp(rd_buf_str(&w.got), want) != 0)
        fail_msg("%s: other bytes", row);
    rd_check_str(row, ray_job_status_name(w.follow.status), "SUCCEEDED");
    rd_check_int(row, w.follow.log_problem != NULL, problem);
    ray_job_follow_clear(&w.follow);
    rd_buf_clear(&w.got);
    stage_close(&s);
    server_free(server);
}

/* Whatever is cut, the log comes out whole and once. */
static void follows(void **state)
{
    (void)state;
    struct rd_buf log = RD_BUF_INIT((size_t)1 << 20);
    for (int i = 0; i < 3000; i++)
        rd_buf_printf(&log, "%d \xe2\x82\xac \"x\" \\ \t\n", i);
    struct theatre whole = {.log = log, .ends_after = 2};
    check_follow("whole", &whole, rd_buf_str(&log), false);
    struct theatre cut = {.log = log, .ends_after = 6, .cuts = 5, .seed = 7};
    check_follow("cut five times", &cut, rd_buf_str(&log), false);
    struct theatre silent = {.ends_after = 2};
    check_follow("no line", &silent, "", false);
    struct theatre broken = {.ends_after = 1, .unreadable = true};
    check_follow("a log that cannot be read", &broken, "", true);
    struct theatre other = {.log = log, .ends_after = 5, .shrinks_at = 2};
    size_t first = log.len / 5;
    while (((unsigned char)log.data[first] & 0xc0) == 0x80)
        first--;
    RD_AUTOFREE char *want = rd_asprintf("%.*sanew\n", (int)first, log.data);
    check_follow("a log that was replaced", &other, want, false);
    rd_buf_clear(&log);
}

/* ---- Words ---- */

static void statuses(void **state)
{
    (void)state;
    for (int i = 0; i < RAY_JOB_STATUS_MAX; i++) {
        enum ray_job_status s = (enum ray_job_status)i;
        rd_check_int(ray_job_status_name(s), ray_job_status_parse(ray_job_status_name(s)), s);
        rd_check_int(ray_job_status_name(s), ray_job_status_terminal(s),
                     s == RAY_JOB_SUCCEEDED || s == RAY_JOB_FAILED || s == RAY_JOB_STOPPED);
    }
    rd_check_int("a new word", ray_job_status_parse("RETRYING"), RAY_JOB_UNKNOWN);
    rd_check_int("none", ray_job_status_parse(NULL), RAY_JOB_UNKNOWN);
}

static void bodies(void **state)
{
    (void)state;
    json_t *env = json_pack("{s:s}", "working_dir", "gcs://x.zip");
    struct ray_job_spec spec = {.submission_id = "a",
                                .entrypoint = "b",
                                .runtime_env = env,
                                .num_gpus = 1,
                                .memory_bytes = 5};
    RD_AUTOFREE char *full = ray_job_body(&spec);
    rd_check_str("full", full,
                 "{\"entrypoint\":\"b\",\"entrypoint_memory\":5,\"entrypoint_num_gpus\":1.0,"
                 "\"runtime_env\":{\"working_dir\":\"gcs://x.zip\"},\"submission_id\":\"a\"}");
    struct ray_job_spec least = {.submission_id = "a", .entrypoint = "b"};
    RD_AUTOFREE char *small = ray_job_body(&least);
    rd_check_str("least", small,
                 "{\"entrypoint\":\"b\",\"runtime_env\":{},\"submission_id\":\"a\"}");
    json_decref(env);
}

static void tokens(void **state)
{
    (void)state;
    static const struct {
        const char *data, *want;
    } rows[] = {{"{\"auth_token\":\"YWJjZGVmZ2g=\"}", "abcdefgh"},
                {"{\"auth_token\":\"YQo=\"}", NULL},
                {"{\"auth_token\":\"\"}", NULL},
                {"{\"auth_token\":\"***\"}", NULL},
                {"{}", NULL}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *text =
            rd_asprintf("{\"metadata\":{\"name\":\"s\"},\"data\":%s}", rows[i].data);
        json_t *secret = json_loads(text, 0, NULL);
        struct rd_secret token = {0};
        struct rd_err *err = NULL;
        rd_check_int(rows[i].data, ray_token_decode(secret, &token, &err), rows[i].want != NULL);
        if (rows[i].want != NULL)
            rd_check_str(rows[i].data, token.data, rows[i].want);
        else
            rd_check_err(rows[i].data, &err, RD_ERR_CREDENTIALS, "Secret/s has no usable key");
        rd_secret_clear(&token);
        json_decref(secret);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submits_once), cmocka_unit_test(bad_ids), cmocka_unit_test(follows),
        cmocka_unit_test(statuses),     cmocka_unit_test(bodies),  cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
