/* Lists and watches against a real API server: pages, live events, a version too old, a server that
 * goes away and comes back, a connection that falls silent. */
#include "live.h"
#include "middle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct live *live;
static struct middle *middle;
static uint16_t middle_port;

static int open_live(void **state)
{
    (void)state;
    live = live_open();
    const char *colon = strrchr(k8s_client_server(live->client), ':');
    middle = middle_start((uint16_t)atoi(colon + 1), &middle_port);
    return 0;
}

static int close_live(void **state)
{
    (void)state;
    middle_stop(middle);
    live_close(live);
    return 0;
}

static const struct k8s_resource *configmaps(struct k8s_client *c)
{
    return k8s_resource_find(c, "v1", "ConfigMap");
}

/* A watch, what it saw, and what is done to the world meanwhile. */
struct story {
    struct op op;
    struct k8s_watch watch;
    struct k8s_apply apply;
    struct k8s_delete del;
    struct op_timer pause;
    json_t *object;
    int step;
    size_t added, modified, deleted, synced;
    void (*go)(struct story *s); /* at each step; sets wake when it waits for events */
};

static void on_event(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct story *s = w->ctx;
    if (object) {
        assert_string_equal(rd_json_str(object, "kind", NULL), "ConfigMap");
        if (!rd_starts_with(rd_json_path_str(object, "metadata.name"), "w-"))
            return;
    }
    s->added += e == K8S_ADDED;
    s->modified += e == K8S_MODIFIED;
    s->deleted += e == K8S_DELETED;
    s->synced += e == K8S_SYNCED;
    op_wake(&s->op);
}

static void story_step(struct op *op)
{
    struct story *s = container_of(op, struct story, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_running(&s->apply.op) || op_running(&s->del.op) || op_running(&s->pause.op))
        return;
    live_must(op_take_err(&s->apply.op), "apply");
    live_must(op_take_err(&s->del.op), "delete");
    if (!op_running(&s->watch.op)) {
        live_must(op_take_err(&s->watch.op), "watch");
        op_finish(op, NULL);
        return;
    }
    s->go(s);
}

static void put(struct story *s, const char *name, const char *value)
{
    k8s_apply_clear(&s->apply);
    json_decref(s->object);
    s->object = live_configmap(live, name, "k", value);
    k8s_apply_init(&s->apply, live->client, s->object);
    s->apply.before_rv = "";
    k8s_apply_start(&s->apply, &s->op);
}

static void take_away(struct story *s, const char *name)
{
    k8s_delete_clear(&s->del);
    k8s_delete_init(&s->del, live->client, configmaps(live->client), live->ns, name);
    s->del.no_wait = true;
    k8s_delete_start(&s->del, &s->op);
}

static void begin_story(struct op *parent, void *ctx)
{
    struct story *s = ctx;
    op_start(&s->op, parent, story_step, "story");
    op_set_timeout(&s->op, 60000);
    s->watch.on_event = on_event;
    s->watch.ctx = s;
    k8s_watch_start(&s->watch, &s->op);
}

static struct story *tell(struct k8s_client *c, void (*go)(struct story *s),
                          void (*edit)(struct k8s_watch *w))
{
    struct story *s = rd_calloc(1, sizeof(*s));
    s->go = go;
    k8s_watch_init(&s->watch, c, configmaps(c), live->ns);
    if (edit)
        edit(&s->watch);
    live_run(live, begin_story, s);
    struct rd_err *err = op_take_err(&s->op);
    if (err)
        print_message("step %d, added %zu, modified %zu, deleted %zu, synced %zu, relists %zu\n",
                      s->step, s->added, s->modified, s->deleted, s->synced, s->watch.relists);
    live_must(err, "story");
    return s;
}

static void story_free(struct story *s)
{
    k8s_watch_clear(&s->watch);
    k8s_apply_clear(&s->apply);
    k8s_delete_clear(&s->del);
    rd_err_free(op_take_err(&s->pause.op));
    json_decref(s->object);
    rd_freep(&s);
}

static void go_events(struct story *s)
{
    switch (s->step) {
    case 0:
        if (s->synced) {
            s->step++;
            put(s, "w-1", "1");
        }
        return;
    case 1:
        if (s->added) {
            s->step++;
            put(s, "w-1", "2");
        }
        return;
    case 2:
        if (s->modified) {
            s->step++;
            take_away(s, "w-1");
        }
        return;
    case 3:
        if (s->deleted)
            op_cancel(&s->watch.op);
        if (s->deleted)
            op_finish(&s->op, NULL);
        return;
    }
}

static void metadata_only(struct k8s_watch *w)
{
    w->metadata_only = true;
}

static void test_events(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story *s = tell(live->client, go_events, i ? metadata_only : NULL);
        assert_int_equal(s->added, 1);
        assert_int_equal(s->modified, 2); /* the foreground delete marks it first */
        assert_int_equal(s->deleted, 1);
        assert_int_equal(s->watch.relists, 0);
        story_free(s);
    }
}

/* The version is made older than all that the server remembers, as compaction does. */
static void go_too_old(struct story *s)
{
    switch (s->step) {
    case 0:
        if (s->synced == 1 && s->watch.resource_version) {
            rd_str_dup(&s->watch.resource_version, "1");
            s->step++;
        }
        return;
    case 1:
        if (s->synced == 1 && !s->added)
            return;
        /* Listed anew; or, on a server so young that it still has every version, all of them told. */
        op_cancel(&s->watch.op);
        op_finish(&s->op, NULL);
        return;
    }
}

static void test_version_too_old(void **state)
{
    (void)state;
    json_decref(live_apply(live, live_configmap(live, "w-2", "k", "1"), NULL, false));
    struct story *s = tell(live->client, go_too_old, NULL);
    size_t relists = s->watch.relists;
    story_free(s);
    if (!relists) {
        print_message("SKIP: the server still has every version since the first\n");
        skip();
    }
}

static void through_middle(struct k8s_config *c)
{
    rd_str_take(&c->server, rd_asprintf("https://127.0.0.1:%u", middle_port));
}

/* Cut in the middle of a watch; while nobody looks one object vanishes and another comes. */
static void go_cut(struct story *s)
{
    switch (s->step) {
    case 0:
        if (s->synced) {
            s->step++;
            s->added = 0;
            middle_set(middle, true, false);
            put(s, "w-3", "1");
        }
        return;
    case 1:
        s->step++;
        take_away(s, "w-2");
        return;
    case 2:
        s->step++;
        assert_true(op_timer_start(&s->pause, &s->op, 1500));
        return;
    case 3:
        middle_set(middle, false, false);
        if (s->deleted && s->added) {
            op_cancel(&s->watch.op);
            op_finish(&s->op, NULL);
        }
        return;
    }
}

static void test_server_dies_and_returns(void **state)
{
    (void)state;
    json_decref(live_apply(live, live_configmap(live, "w-2", "k", "1"), NULL, false));
    struct k8s_client *c = live_client(live, through_middle);
    struct story *s = tell(c, go_cut, NULL);
    assert_int_equal(s->deleted, 1);
    assert_int_equal(s->added, 1);
    story_free(s);
    k8s_client_free(c);
}

static void short_silence(struct k8s_watch *w)
{
    w->silence_ms = 1500;
}

/* No byte comes through although the connection stands: the stream is given up and begun anew. */
static void go_silent(struct story *s)
{
    switch (s->step) {
    case 0:
        if (s->synced) {
            s->step++;
            s->added = 0;
            middle_set(middle, false, true);
            put(s, "w-4", "1");
        }
        return;
    case 1:
        s->step++;
        assert_true(op_timer_start(&s->pause, &s->op, 2500));
        return;
    case 2:
        middle_set(middle, false, false);
        if (s->added) {
            op_cancel(&s->watch.op);
            op_finish(&s->op, NULL);
        }
        return;
    }
}

static void test_silence(void **state)
{
    (void)state;
    struct k8s_client *c = live_client(live, through_middle);
    struct story *s = tell(c, go_silent, short_silence);
    assert_int_equal(s->added, 1);
    story_free(s);
    k8s_client_free(c);
}

#define PAGED 1200

static void on_item(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    json_t *names = w->ctx;
    if (e == K8S_ADDED)
        json_object_set_new(names, rd_json_path_str(object, "metadata.name"), json_true());
}

static void test_pages(void **state)
{
    (void)state;
    struct k8s_batch b;
    k8s_batch_init(&b, live->client, K8S_BATCH_APPLY);
    for (int i = 0; i < PAGED; i++) {
        char name[32];
        snprintf(name, sizeof(name), "page-%d", i);
        json_t *o = live_configmap(live, name, "k", "v");
        k8s_batch_add(&b, o);
        json_decref(o);
    }
    live_run(live, live_begin_batch, &b);
    live_must(op_take_err(&b.op), "1200 objects");
    k8s_batch_clear(&b);
    for (int slim = 0; slim < 2; slim++) {
        struct k8s_watch w = {0};
        RD_AUTOJSON json_t *names = json_object();
        size_t before = live->requests;
        k8s_watch_init(&w, live->client, configmaps(live->client), live->ns);
        w.list_only = true;
        w.metadata_only = slim;
        w.on_event = on_item;
        w.ctx = names;
        live_run(live, live_begin_watch, &w);
        live_must(op_take_err(&w.op), "list");
        assert_true(json_object_size(names) >= PAGED);
        assert_int_equal(live->requests - before, (json_object_size(names) + 499) / 500);
        k8s_watch_clear(&w);
    }
}

static void test_label_selector(void **state)
{
    (void)state;
    json_t *o = live_configmap(live, "labelled", "k", "v");
    rd_json_path_set(o, "metadata.labels.colour", json_string("blue"));
    json_decref(live_apply(live, o, NULL, false));
    struct k8s_watch w = {0};
    RD_AUTOJSON json_t *names = json_object();
    k8s_watch_init(&w, live->client, configmaps(live->client), live->ns);
    w.list_only = true;
    rd_str_dup(&w.label_selector, "colour in (blue,green)");
    w.on_event = on_item;
    w.ctx = names;
    live_run(live, live_begin_watch, &w);
    live_must(op_take_err(&w.op), "list");
    assert_int_equal(json_object_size(names), 1);
    k8s_watch_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),         cmocka_unit_test(test_version_too_old),
        cmocka_unit_test(test_server_dies_and_returns), cmocka_unit_test(test_silence),
        cmocka_unit_test(test_label_selector), cmocka_unit_test(test_pages),
    };
    return cmocka_run_group_tests(tests, open_live, close_live);
}
