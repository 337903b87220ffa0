/* wait: watch the objects of -f until each is Current, or one has failed for good. */
#include "verb.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "k8s/verdict.h"
#include "k8s/watch.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_DEFAULT_MS ((uint64_t)10 * 60 * 1000)
/* Verdicts also depend on time (a pod that is Unschedulable for long, a grace that ran out). */
#define JUDGE_MS 1000

struct group;

struct item {
    const struct manifest_object *wanted;
    json_t *live;  /* owned; NULL: not there */
    char *message; /* owned; of the last verdict */
    enum k8s_status status;
    struct k8s_patience patience; /* how long its trouble has stood */
    enum rd_err_kind kind;
    bool synced;  /* the first list came: absent means absent */
    bool current; /* reported */
    const struct group *group;
    const char *name; /* borrowed from wanted */
};

/* One watch for each kind and namespace of the set. */
struct group {
    struct k8s_watch watch;
    struct waiting *w;
    const struct k8s_resource *resource;
    char *ns; /* owned; NULL: cluster-scoped */
};

struct waiting {
    struct op op;
    struct verb_ctx *v;
    struct k8s_client *client;
    const char *ns;
    struct k8s_discover discover;
    struct item *items;
    size_t count, left;
    struct group **groups;
    size_t group_count;
    bool discovering, watching;
    struct rd_err *failure;
};

static const struct config_verb_flag flags[] = {
    {"file", "f", "FILE", true, "manifests: a file, a folder, or - for standard input; repeats"},
    {"namespace", "n", "NAME", false, "for namespaced objects that name none"},
    {NULL, NULL, NULL, false, NULL},
};

static const char *item_ns(const struct waiting *w, const struct item *it)
{
    const char *ns = rd_json_str(it->wanted->json, "metadata", "namespace", NULL);
    return ns ? ns : w->ns ? w->ns : k8s_client_namespace(w->client);
}

static const struct k8s_resource *item_resource(const struct waiting *w, const struct item *it)
{
    return k8s_resource_find(w->client, rd_json_str(it->wanted->json, "apiVersion", NULL),
                             rd_json_str(it->wanted->json, "kind", NULL));
}

/* ---- Judging ---- */

static void say_state(struct waiting *w, const struct item *it)
{
    RD_AUTOFREE char *title = manifest_object_title(it->wanted->json);
    RD_AUTOFREE char *line = rd_asprintf("%s: %s", title, it->message);
    struct phase_note n = {.event = NOTE_STEP,
                           .level = NOTE_INFO,
                           .step = "wait",
                           .state = NOTE_RUNNING,
                           .message = line};
    w->v->notes->emit(w->v->notes, &n);
}

static void report_current(struct waiting *w, struct item *it)
{
    it->current = true;
    w->left--;
    if (w->v->config.json_output)
        return;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    verb_object_name(&text, it->wanted->json);
    rd_buf_puts(&text, " current\n");
    verb_print(w->v, &text);
}

static void fail_item(struct waiting *w, const struct item *it)
{
    if (w->failure)
        return;
    RD_AUTOFREE char *title = manifest_object_title(it->wanted->json);
    w->failure = rd_err_new(it->kind, "%s has failed: %s", title, it->message);
    rd_err_resource(w->failure, "%s", title);
    op_wake(&w->op);
}

static void judge(struct waiting *w, struct item *it)
{
    struct k8s_verdict verdict = {0};
    uint64_t now = op_now_ms(&w->op);
    if (it->live) {
        k8s_judge(it->live, rd_wall_ms(), &verdict);
    } else {
        verdict.status = K8S_IN_PROGRESS;
        verdict.message = rd_strdup(it->synced ? "is not there yet" : "not looked at yet");
    }
    bool same = it->message && rd_streq(it->message, verdict.message);
    bool final = k8s_patience_over(&it->patience, &verdict, now);
    bool news = !same || it->status != verdict.status;
    it->status = verdict.status;
    it->kind = verdict.kind;
    rd_str_take(&it->message, verdict.message);
    verdict.message = NULL;
    k8s_verdict_clear(&verdict);
    if (it->status == K8S_CURRENT) {
        if (!it->current)
            report_current(w, it);
        return;
    }
    if (it->current) { /* it was, and is no more: wait again */
        it->current = false;
        w->left++;
    }
    if (final)
        fail_item(w, it);
    else if (news && it->synced)
        say_state(w, it);
}

static void on_event(struct k8s_watch *watch, enum k8s_event e, const json_t *object)
{
    struct group *g = watch->ctx;
    struct waiting *w = g->w;
    const char *name = object ? rd_json_str(object, "metadata", "name", NULL) : NULL;
    for (size_t i = 0; i < w->count; i++) {
        struct item *it = &w->items[i];
        if (it->group != g)
            continue;
        if (e == K8S_SYNCED) {
            it->synced = true;
            judge(w, it);
        } else if (rd_streq(name, it->name)) {
            json_decref(it->live);
            it->live = e == K8S_DELETED ? NULL : json_incref((json_t *)object);
            it->synced = true;
            judge(w, it);
        }
    }
    op_wake(&w->op);
}

/* ---- The op ---- */

static struct group *group_of(struct waiting *w, const struct k8s_resource *r, const char *ns)
{
    for (size_t i = 0; i < w->group_count; i++)
        if (w->groups[i]->resource == r && (!r->namespaced || rd_streq(w->groups[i]->ns, ns)))
            return w->groups[i];
    struct group *g = rd_calloc(1, sizeof(*g));
    g->w = w;
    g->resource = r;
    g->ns = r->namespaced ? rd_strdup(ns) : NULL;
    w->groups = rd_reallocarray(w->groups, w->group_count + 1, sizeof(struct group *));
    w->groups[w->group_count++] = g;
    return g;
}

static bool start_watches(struct waiting *w, struct rd_err **reterr)
{
    for (size_t i = 0; i < w->count; i++) {
        const json_t *o = w->items[i].wanted->json;
        const struct k8s_resource *r = item_resource(w, &w->items[i]);
        if (!r) {
            rd_fail(reterr, RD_ERR_INPUT, "%s:%d: no such kind on this server: %s %s",
                    w->items[i].wanted->file, w->items[i].wanted->line,
                    rd_json_str(o, "apiVersion", NULL), rd_json_str(o, "kind", NULL));
            return false;
        }
        w->items[i].group = group_of(w, r, item_ns(w, &w->items[i]));
        w->items[i].name = rd_json_str(o, "metadata", "name", NULL);
    }
    for (size_t i = 0; i < w->group_count; i++) {
        struct group *g = w->groups[i];
        k8s_watch_init(&g->watch, w->client, g->resource, g->ns);
        if (w->count == 1) {
            const char *name = rd_json_str(w->items[0].wanted->json, "metadata", "name", NULL);
            g->watch.field_selector = rd_asprintf("metadata.name=%s", name);
        }
        g->watch.on_event = on_event;
        g->watch.ctx = g;
        k8s_watch_start(&g->watch, &w->op);
    }
    w->watching = true;
    return true;
}

static bool all_known(const struct waiting *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (!item_resource(w, &w->items[i]))
            return false;
    return true;
}

/* What it still waits for, for the one who asks why it took so long. */
static struct rd_err *timeout_error(const struct waiting *w)
{
    struct rd_err *err = NULL;
    for (size_t i = 0; i < w->count; i++) {
        const struct item *it = &w->items[i];
        if (it->current)
            continue;
        RD_AUTOFREE char *title = manifest_object_title(it->wanted->json);
        err = rd_err_new(RD_ERR_TIMEOUT, "out of time: %zu of %zu objects are not ready; %s: %s",
                         w->left, w->count, title, it->message ? it->message : "not looked at yet");
        rd_err_resource(err, "%s", title);
        rd_err_hint(err, "Run the same command again to go on waiting, with a longer --timeout.");
        break;
    }
    return err;
}

static void take_child_error(struct waiting *w, struct op *child)
{
    struct rd_err *err = op_take_err(child);
    if (!err && !w->failure)
        err = rd_err_new(RD_ERR_INTERNAL, "a watch ended by itself");
    rd_err_keep(&w->failure, &err);
}

static void step(struct op *op)
{
    struct waiting *w = container_of(op, struct waiting, op);
    if (op->cancelled) {
        op_finish(op, op->timed_out ? timeout_error(w) : NULL);
        return;
    }
    if (!w->watching && !w->discovering && !all_known(w)) {
        w->discovering = true;
        k8s_discover_start(&w->discover, op, w->client);
        return;
    }
    if (w->discovering) {
        if (!op_ended(&w->discover.op))
            return;
        w->discovering = false;
        struct rd_err *err = op_take_err(&w->discover.op);
        if (err) {
            op_finish(op, err);
            return;
        }
    }
    if (!w->watching && !start_watches(w, &w->failure)) {
        op_finish(op, w->failure);
        w->failure = NULL;
        return;
    }
    for (size_t i = 0; i < w->group_count; i++)
        if (op_ended(&w->groups[i]->watch.op))
            take_child_error(w, &w->groups[i]->watch.op);
    for (size_t i = 0; i < w->count && !w->failure; i++)
        if (!w->items[i].current && w->items[i].live)
            judge(w, &w->items[i]);
    if (w->failure || w->left == 0) {
        op_finish(op, w->failure);
        w->failure = NULL;
        return;
    }
    op_set_alarm(op, op_now_ms(op) + JUDGE_MS);
}

static void start(struct op *parent, void *ctx)
{
    struct waiting *w = ctx;
    op_start(&w->op, parent, step, "wait");
    if (!w->v->config.timeout_ms)
        op_set_timeout(&w->op, WAIT_DEFAULT_MS);
}

static void print_json(const struct waiting *w)
{
    RD_AUTOJSON json_t *objects = json_array();
    for (size_t i = 0; i < w->count; i++) {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        json_t *one = verb_object_json(w->items[i].wanted->json);
        ui_clean(&text, w->items[i].message ? w->items[i].message : "");
        json_object_set_new(one, "status", json_string(k8s_status_name(w->items[i].status)));
        json_object_set_new(one, "message", json_string(rd_buf_str(&text)));
        json_array_append_new(objects, one);
    }
    RD_AUTOJSON json_t *all = rd_json_pack("{s:O}", "objects", objects);
    verb_print_json(w->v, all);
}

static void clear(struct waiting *w)
{
    for (size_t i = 0; i < w->group_count; i++) {
        k8s_watch_clear(&w->groups[i]->watch);
        free(w->groups[i]->ns);
        free(w->groups[i]);
    }
    free(w->groups);
    for (size_t i = 0; i < w->count; i++) {
        json_decref(w->items[i].live);
        free(w->items[i].message);
        k8s_patience_clear(&w->items[i].patience);
    }
    free(w->items);
    k8s_discover_clear(&w->discover);
    rd_err_free(w->failure);
}

/* A kind without a rule would wait for ever. */
static bool check_rules(const struct manifest_list *l, struct rd_err **reterr)
{
    for (size_t i = 0; i < l->len; i++) {
        const char *api = rd_json_str(l->v[i].json, "apiVersion", NULL);
        const char *kind = rd_json_str(l->v[i].json, "kind", NULL);
        if (!k8s_kind_has_rule(api, kind))
            return rd_fail(
                reterr, RD_ERR_INPUT,
                "%s:%d: no rule says when a %s of %s is ready, so it cannot be waited for",
                l->v[i].file, l->v[i].line, kind, api);
    }
    return true;
}

static int run(struct verb_ctx *v)
{
    struct rd_err *err = NULL;
    struct manifest_list list = {0};
    struct k8s_client *client = NULL;
    if (!verb_load_files(v, &list, &err) || !check_rules(&list, &err) ||
        !(client = verb_connect(v, &err))) {
        manifest_list_clear(&list);
        return verb_fail(v, err);
    }
    struct waiting w = {.v = v,
                        .client = client,
                        .ns = verb_flag_text(v, "namespace"),
                        .count = list.len,
                        .left = list.len};
    w.items = rd_calloc(list.len, sizeof(*w.items));
    for (size_t i = 0; i < list.len; i++)
        w.items[i].wanted = &list.v[i];
    int code = verb_run_op(v, &w.op, start, &w);
    if (v->config.json_output)
        print_json(&w);
    clear(&w);
    k8s_client_free(client);
    manifest_list_clear(&list);
    return code;
}

const struct verb verb_wait = {
    .name = "wait",
    .args = "-f FILE...",
    .summary = "wait until every object is ready",
    .help = "Watches, by the same rules as `explain`. An object that failed for good ends it at "
            "once. --timeout\n"
            "is 10m unless given.",
    .flags = flags,
    .run = run,
};
