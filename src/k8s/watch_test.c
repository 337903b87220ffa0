/* What a watch makes of servers that age, stumble, fall silent or talk nonsense. */
#include "harness/kube.h"
#include "k8s/watch.h"

#define OBJECT(name, rv)                                                                           \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\",\"uid\":\"u-" name                      \
    "\",\"resourceVersion\":\"" rv "\"}}"
#define LIST(rv, cont, items)                                                                      \
    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" rv "\",\"continue\":\"" cont          \
    "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define GONE KUBE_STATUS(410, "Expired", "too old", "")

struct story {
    const char *name;
    const char *log; /* +added ~modified -deleted .synced; the watch is cancelled when it is complete */
    enum rd_err_kind kind; /* RD_ERR_CANCELLED: our own end */
    size_t len;
    unsigned silence_ms; /* 0: the default */
    struct talk_row rows[8];
};

static const struct story stories[] = {
    {"pages, then events", "+a +b . +c ~c -c ", RD_ERR_CANCELLED, 3, 0,
     {{"GET /api/v1/namespaces/ns/pods limit=500 !continue !resourceVersion", 200, NULL,
       LIST("10", "more", OBJECT("a", "1")), TALK_KEEP, 0},
      {"limit=500 continue=more", 200, NULL, LIST("10", "", OBJECT("b", "2")), TALK_KEEP, 0},
      {"watch=true allowWatchBookmarks=true resourceVersion=10 timeoutSeconds=", 200, NULL,
       EVENT("ADDED", OBJECT("c", "11")) EVENT("MODIFIED", OBJECT("c", "12"))
           EVENT("DELETED", OBJECT("c", "13")),
       TALK_HANG, 0}}},
    {"too old as an event", "+a +b . +b -a . ", RD_ERR_CANCELLED, 4, 0,
     {{"limit=500", 200, NULL, LIST("10", "", OBJECT("a", "1") "," OBJECT("b", "2")), TALK_KEEP, 0},
      {"watch=true resourceVersion=10", 200, NULL, EVENT("ERROR", GONE), TALK_HANG, 0},
      {"limit=500", 200, NULL, LIST("20", "", OBJECT("b", "2")), TALK_KEEP, 0},
      {"watch=true resourceVersion=20", 200, NULL, "", TALK_HANG, 0}}},
    {"too old as a status", "+a . -a . ", RD_ERR_CANCELLED, 4, 0,
     {{"limit=500", 200, NULL, LIST("10", "", OBJECT("a", "1")), TALK_KEEP, 0},
      {"watch=true resourceVersion=10", 410, NULL, GONE, TALK_KEEP, 0},
      {"limit=500", 200, NULL, LIST("20", "", ""), TALK_KEEP, 0},
      {"watch=true resourceVersion=20", 200, NULL, "", TALK_HANG, 0}}},
    {"pages expire", "+a +a +b . ", RD_ERR_CANCELLED, 5, 0,
     {{"limit=500", 200, NULL, LIST("10", "more", OBJECT("a", "1")), TALK_KEEP, 0},
      {"continue=more", 410, NULL, GONE, TALK_KEEP, 0},
      {"limit=500 !continue", 200, NULL, LIST("20", "again", OBJECT("a", "1")), TALK_KEEP, 0},
      {"continue=again", 200, NULL, LIST("20", "", OBJECT("b", "2")), TALK_KEEP, 0},
      {"watch=true resourceVersion=20", 200, NULL, "", TALK_HANG, 0}}},
    {"empty streams", ". +a . ", RD_ERR_CANCELLED, 5, 0,
     {{"limit=500", 200, NULL, LIST("10", "", ""), TALK_KEEP, 0},
      {"watch=true resourceVersion=10", 200, NULL, "", TALK_CLOSE, 0},
      {"watch=true resourceVersion=10", 200, NULL, "", TALK_CLOSE, 0},
      {"limit=500", 200, NULL, LIST("20", "", OBJECT("a", "1")), TALK_KEEP, 0},
      {"watch=true resourceVersion=20", 200, NULL, "", TALK_HANG, 0}}},
    {"clean end goes on from the last bookmark", ". +a +b ", RD_ERR_CANCELLED, 3, 0,
     {{"limit=500", 200, NULL, LIST("10", "", ""), TALK_KEEP, 0},
      {"watch=true resourceVersion=10", 200, NULL,
       EVENT("ADDED", OBJECT("a", "11")) EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"15\"}}"),
       TALK_CLOSE, 0},
      {"watch=true resourceVersion=15", 200, NULL, EVENT("ADDED", OBJECT("b", "16")), TALK_HANG, 0}}},
    {"cut inside an event", ". +a +b ", RD_ERR_CANCELLED, 3, 0,
     {{"limit=500", 200, NULL, LIST("10", "", ""), TALK_KEEP, 0},
      {"watch=true resourceVersion=10", 200, NULL, EVENT("ADDED", OBJECT("a", "11")) "{\"type\":\"ADD",
       TALK_CLOSE, 0},
      {"watch=true resourceVersion=11", 200, NULL, EVENT("ADDED", OBJECT("b", "12")), TALK_HANG, 0}}},
    {"silence", ". +a +b ", RD_ERR_CANCELLED, 3, 300,
     {{"limit=500", 200, NULL, LIST("10", "", ""), TALK_KEEP, 0},
      {"watch=true resourceVersion=10", 200, NULL, EVENT("ADDED", OBJECT("a", "11")), TALK_HANG, 0},
      {"watch=true resourceVersion=11", 200, NULL, EVENT("ADDED", OBJECT("b", "12")), TALK_HANG, 0}}},
    {"nonsense in the stream", "+a . +a . ", RD_ERR_CANCELLED, 4, 0,
     {{"limit=500", 200, NULL, LIST("10", "", OBJECT("a", "1")), TALK_KEEP, 0},
      {"watch=true", 200, NULL, "<html>login</html>\n", TALK_HANG, 0},
      {"limit=500", 200, NULL, LIST("20", "", OBJECT("a", "1")), TALK_KEEP, 0},
      {"watch=true resourceVersion=20", 200, NULL, "", TALK_HANG, 0}}},
    {"restarting server", ". +a ", RD_ERR_CANCELLED, 6, 0,
     {{"limit=500", 503, "Retry-After: 1\r\n", "starting", TALK_KEEP, 0},
      {"limit=500", 0, NULL, "", TALK_RESET, 0},
      {"limit=500", 200, NULL, LIST("10", "", ""), TALK_KEEP, 0},
      {"watch=true", 429, NULL, "Too many requests", TALK_KEEP, 0},
      {"watch=true", 0, NULL, "", TALK_RESET, 0},
      {"watch=true resourceVersion=10", 200, NULL, EVENT("ADDED", OBJECT("a", "11")), TALK_HANG, 0}}},
    {"forbidden", "", RD_ERR_CREDENTIALS, 1, 0,
     {{"limit=500", 403, NULL,
       KUBE_STATUS(403, "Forbidden", "pods is forbidden: User \\\"u\\\" cannot list resource \\\"pods\\\"", ""),
       TALK_KEEP, 0}}},
    {"not a list", "", RD_ERR_FAILED, 1, 0, {{"limit=500", 200, NULL, "{\"kind\":\"Pod\"}", TALK_KEEP, 0}}},
    {"a page of html", "", RD_ERR_FAILED, 1, 0,
     {{"limit=500", 200, "Content-Type: text/html\r\n", "<html>hello</html>", TALK_KEEP, 0}}},
};

struct seen {
    struct rd_buf log;
    const char *want;
};

static void on_event(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct seen *s = w->ctx;
    if (object)
        assert_string_equal(rd_json_str(object, "kind", NULL), "Pod");
    const char *name = object ? rd_json_path_str(object, "metadata.name") : "";
    rd_buf_printf(&s->log, "%c%s ", "+~-."[e], name);
    if (rd_streq(rd_buf_str(&s->log), s->want))
        op_cancel(&w->op);
}

static void begin(struct op *parent, void *ctx)
{
    k8s_watch_start(ctx, parent);
}

static void test_stories(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(stories); i++) {
        const struct story *story = &stories[i];
        struct kube k;
        struct k8s_watch w = {0};
        struct seen seen = {.log = RD_BUF_INIT(4096), .want = story->log};
        /* The hanging last watch may not be asked for any more once the log is complete. */
        bool ends_hanging = story->rows[story->len - 1].end == TALK_HANG && !*story->rows[story->len - 1].body;
        kube_open(&k, story->rows, story->len - ends_hanging, false, 0);
        k8s_watch_init(&w, k.client, k8s_resource_find(k.client, "v1", "Pod"), "ns");
        if (story->silence_ms)
            w.silence_ms = story->silence_ms;
        w.on_event = on_event;
        w.ctx = &seen;
        kube_run(&k, begin, &w);
        struct rd_err *err = op_take_err(&w.op);
        if (!rd_streq(rd_buf_str(&seen.log), story->log) || !err || err->kind != story->kind)
            print_message("%s: %s\n", story->name, err ? err->message : "no error");
        assert_string_equal(rd_buf_str(&seen.log), story->log);
        assert_non_null(err);
        assert_int_equal(err->kind, story->kind);
        rd_err_free(err);
        k8s_watch_clear(&w);
        kube_close(&k);
        rd_buf_clear(&seen.log);
    }
}

/* Sets the deadline of a watch once it has had trouble: however slow the machine, there is some to tell. */
struct limiter {
    struct op op;
    struct k8s_watch watch;
};

static void limiter_step(struct op *op)
{
    struct limiter *l = container_of(op, struct limiter, op);
    bool trouble = l->watch.why != NULL || l->watch.list.http.last != NULL;
    if (!trouble && op_running(&l->watch.op) && !op->cancelled) {
        op_set_alarm(op, op_now_ms(op) + 10);
        return;
    }
    if (op_running(&l->watch.op))
        op_set_timeout(&l->watch.op, 300);
    op_finish(op, NULL);
}

static void begin_limited(struct op *parent, void *ctx)
{
    struct limiter *l = ctx;
    k8s_watch_start(&l->watch, parent);
    op_start(&l->op, parent, limiter_step, "limiter");
}

/* Out of time while the server stays away: the error says what was wrong. */
static void test_deadline(void **state)
{
    (void)state;
    static const struct talk_row rows[] = {{"limit=500", 503, NULL, "away", TALK_KEEP, 0}};
    struct kube k;
    struct limiter l = {0};
    kube_open(&k, rows, 1, true, 0);
    k8s_watch_init(&l.watch, k.client, k8s_resource_find(k.client, "v1", "Pod"), "ns");
    kube_run(&k, begin_limited, &l);
    struct rd_err *err = op_take_err(&l.watch.op);
    assert_non_null(err);
    print_message("%s\n", err->message);
    assert_int_equal(err->kind, RD_ERR_TIMEOUT);
    assert_non_null(strstr(err->message, "away"));
    rd_err_free(err);
    k8s_watch_clear(&l.watch);
    kube_close(&k);
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
