/* The lock of a deployment on a real API server: namespace, Lease and mirror come, are held, are
 * found by the next run, shut out a second one, and go when asked to. */
#include "live.h"
#include "phase/drive/holder.h"
#include "phase/drive/lock.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <string.h>

static struct live *live;

static int open_live(void **state)
{
    (void)state;
    live = live_open();
    return 0;
}

static int close_live(void **state)
{
    (void)state;
    live_close(live);
    return 0;
}

static void no_note(struct note_sink *sink, const struct phase_note *n)
{
    (void)sink;
    (void)n;
}

static struct note_sink quiet = {no_note};

struct story {
    struct op op;
    struct config config;
    struct step_ctx ctx;
    struct lock lock;
    json_t *put; /* owned; what to write once held; NULL: nothing */
    bool remove;
    json_t *found; /* owned */
    int step;
};

static void story_step(struct op *op)
{
    struct story *s = container_of(op, struct story, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    switch (s->step) {
    case 0:
        s->lock.g.ops->start(&s->lock.g, op);
        s->step++;
        return;
    case 1:
        if (op_ended(&s->lock.g.op)) {
            op_finish(op, op_take_err(&s->lock.g.op));
            return;
        }
        if (!s->lock.g.held)
            return;
        assert_true(s->lock.g.until_ms > op_now_ms(op));
        s->found = json_deep_copy(s->lock.g.found);
        if (s->put)
            s->lock.g.ops->put(&s->lock.g, json_incref(s->put));
        s->step++;
        /* fall through */
    case 2:
        if (s->lock.g.put_done != s->lock.g.put_asked)
            return;
        s->lock.g.ops->release(&s->lock.g, s->remove);
        s->step++;
        return;
    case 3:
        if (!op_ended(&s->lock.g.op))
            return;
        op_finish(op, op_take_err(&s->lock.g.op));
        return;
    }
}

static void begin_story(struct op *parent, void *ctx)
{
    struct story *s = ctx;
    op_start(&s->op, parent, story_step, "story");
    op_set_timeout(&s->op, 90000);
}

/* Holds the lock of deployment `name` once; returns the error, and the mirror as it was found. */
static struct rd_err *hold(const char *name, json_t *put, bool remove, json_t **ret_found)
{
    struct story *s = rd_calloc(1, sizeof *s);
    s->config.name = (char *)name;
    s->config.target = TARGET_LOCAL;
    s->config.lease_duration_ms = 2000;
    s->ctx.config = &s->config;
    s->ctx.workload = live->client;
    s->ctx.notes = &quiet;
    s->put = put;
    s->remove = remove;
    lock_init(&s->lock, &s->ctx);
    live_run(live, begin_story, s);
    struct rd_err *err = op_take_err(&s->op);
    if (ret_found)
        *ret_found = json_incref(s->found);
    lock_clear(&s->lock);
    json_decref(s->found);
    json_decref(s->put);
    free(s);
    return err;
}

static json_t *get(const char *api_version, const char *kind, const char *name)
{
    char *own = live->ns;
    live->ns = (char *)LOCK_NAMESPACE;
    json_t *object = live_get(live, api_version, kind, name);
    live->ns = own;
    return object;
}

static void test_held_found_again_and_removed(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *found = NULL;
    json_t *content = rd_json_pack("{s:{s:b}}", "steps", "base", 1);
    live_must(hold("lock-live", json_incref(content), false, &found), "first");
    assert_null(found);
    RD_AUTOJSON json_t *map = get("v1", "ConfigMap", "raydeploy-lock-live");
    assert_non_null(map);
    RD_AUTOJSON json_t *lease = get("coordination.k8s.io/v1", "Lease", "raydeploy-lock-live");
    assert_string_equal(rd_json_path_str(lease, "spec.holderIdentity"), "");

    /* The next run finds it, and changes nothing but the Lease. */
    RD_AUTOJSON json_t *again = NULL;
    live_must(hold("lock-live", NULL, false, &again), "second");
    assert_true(json_equal(again, content));
    RD_AUTOJSON json_t *map2 = get("v1", "ConfigMap", "raydeploy-lock-live");
    assert_string_equal(rd_json_path_str(map2, "metadata.resourceVersion"),
                        rd_json_path_str(map, "metadata.resourceVersion"));

    live_must(hold("lock-live", NULL, true, NULL), "removal");
    RD_AUTOJSON json_t *no_map = get("v1", "ConfigMap", "raydeploy-lock-live");
    RD_AUTOJSON json_t *no_lease = get("coordination.k8s.io/v1", "Lease", "raydeploy-lock-live");
    assert_null(no_map);
    assert_null(no_lease);
    json_decref(content);
}

/* Somebody else's live lease: turned away, the holder named as people would. */
static void test_a_foreign_holder_is_named(void **state)
{
    (void)state;
    live_must(hold("lock-busy", NULL, false, NULL), "make it");
    RD_AUTOJSON json_t *lease = get("coordination.k8s.io/v1", "Lease", "raydeploy-lock-busy");
    json_object_del(json_object_get(lease, "metadata"), "managedFields");
    /* This process holds it under a name that is not ours: alive, and never renewed, so that it is
     * taken over after its two seconds. */
    RD_AUTOFREE char *self = holder_identity();
    RD_AUTOFREE char *other = rd_asprintf("other-%s", self);
    rd_json_path_set(lease, "spec.holderIdentity", json_string(other));
    rd_json_path_set(lease, "spec.leaseDurationSeconds", json_integer(2));
    json_decref(live_apply(live, json_incref(lease), "other", true));
    live_must(hold("lock-busy", NULL, true, NULL), "takeover");
    RD_AUTOJSON json_t *gone = get("coordination.k8s.io/v1", "Lease", "raydeploy-lock-busy");
    assert_null(gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_found_again_and_removed),
        cmocka_unit_test(test_a_foreign_holder_is_named),
    };
    return cmocka_run_group_tests(tests, open_live, close_live);
}
