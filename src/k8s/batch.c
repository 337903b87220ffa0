#include "k8s/batch.h"

#include "base/alloc.h"
#include "base/text.h"
#include "k8s/batch_internal.h"
#include "k8s/noop.h"
#include "k8s/order.h"

#include <string.h>

#define RUNNING_MAX 32 /* twice the writes in flight: while one writes another looks */
#define SURVEY_MIN 4   /* objects that are worth a list */
#define SURVEY_PAGE 250

enum { BATCH_BEGIN, BATCH_DISCOVER, BATCH_RUN };

const char *k8s_outcome_name(enum k8s_outcome o)
{
    static const char *const names[] = {
#define X(name, text) [name] = text,
        K8S_OUTCOMES(X)
#undef X
    };
    RD_ASSERT(o < K8S_OUT_MAX);
    return names[o];
}

void k8s_batch_init(struct k8s_batch *b, struct k8s_client *c, enum k8s_batch_verb verb)
{
    memset(b, 0, sizeof(*b));
    b->client = c;
    b->verb = verb;
    b->priv = rd_calloc(1, sizeof(struct batch_state));
}

size_t k8s_batch_add(struct k8s_batch *b, const json_t *object)
{
    struct batch_state *s = b->priv;
    RD_ASSERT(!op_running(&b->op));
    if (b->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 32;
        s->items = rd_reallocarray(s->items, s->cap, sizeof(*s->items));
    }
    struct batch_item *item = &s->items[b->count];
    memset(item, 0, sizeof(*item));
    item->batch = b;
    item->index = b->count;
    item->object = json_incref((json_t *)object);
    return b->count++;
}

void k8s_batch_add_list(struct k8s_batch *b, const struct manifest_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        k8s_batch_add(b, list->v[i].json);
}

const json_t *k8s_batch_object(const struct k8s_batch *b, size_t index)
{
    const struct batch_state *s = b->priv;
    RD_ASSERT(index < b->count);
    return batch_intent(&s->items[index]);
}

/* ---- What each object needs ---- */

static const char *kind_of(const json_t *object)
{
    return rd_json_str(object, "kind", NULL);
}

static bool is_crd(const json_t *object)
{
    const char *api = rd_json_str(object, "apiVersion", NULL);
    return rd_streq(kind_of(object), "CustomResourceDefinition") &&
           rd_starts_with(api ? api : "", "apiextensions.k8s.io/");
}

/* False while a kind is unknown that discovery might bring. */
static bool resolve(struct k8s_batch *b)
{
    struct batch_state *s = b->priv;
    bool all = true;
    for (size_t i = 0; i < b->count; i++) {
        if (is_crd(s->items[i].object))
            k8s_resource_learn_crd(b->client, s->items[i].object);
    }
    for (size_t i = 0; i < b->count; i++) {
        struct batch_item *item = &s->items[i];
        const char *api = rd_json_str(item->object, "apiVersion", NULL);
        const char *ns = rd_json_path_str(item->object, "metadata.namespace");
        item->name = rd_json_path_str(item->object, "metadata.name");
        RD_ASSERT(api && item->name && kind_of(item->object));
        item->resource = k8s_resource_find(b->client, api, kind_of(item->object));
        all = all && item->resource;
        item->ns = ns && *ns ? ns : b->ns ? b->ns : k8s_client_namespace(b->client);
        if (item->resource && !item->resource->namespaced)
            item->ns = NULL;
        rd_str_take(&item->title, item->ns ? rd_asprintf("%s/%s/%s", kind_of(item->object), item->ns,
                                                         item->name)
                                           : rd_asprintf("%s/%s", kind_of(item->object), item->name));
    }
    return all;
}

static void add_after(struct batch_item *item, size_t later)
{
    if (item->after_len == item->after_cap) {
        item->after_cap = item->after_cap ? item->after_cap * 2 : 4;
        item->after = rd_reallocarray(item->after, item->after_cap, sizeof(*item->after));
    }
    item->after[item->after_len++] = later;
}

/* Dry runs and diffs change nothing, so nothing comes after anything. */
static void link_needs(struct k8s_batch *b)
{
    struct batch_state *s = b->priv;
    if (b->dry_run || b->verb == K8S_BATCH_DIFF)
        return;
    RD_AUTOFREE json_t **objects = rd_calloc(b->count + 1, sizeof(json_t *));
    for (size_t i = 0; i < b->count; i++)
        objects[i] = s->items[i].object;
    struct k8s_order order;
    if (b->verb == K8S_BATCH_DELETE)
        k8s_order_init_delete(&order, objects, b->count);
    else
        k8s_order_init(&order, objects, b->count);
    for (size_t i = 0; i < b->count; i++) {
        for (size_t j = 0; j < order.need_len[i]; j++) {
            add_after(&s->items[order.needs[i][j]], i);
            s->items[i].blocked_by++;
        }
    }
    k8s_order_clear(&order);
}

bool batch_brings_parent(const struct batch_item *item)
{
    const struct batch_state *s = item->batch->priv;
    for (size_t i = 0; i < item->batch->count; i++) {
        const json_t *object = s->items[i].object;
        if (item->ns && rd_streq(kind_of(object), "Namespace") &&
            rd_streq(s->items[i].name, item->ns))
            return true;
        if (is_crd(object) && item->resource &&
            rd_streq(rd_json_path_str(object, "spec.group"), item->resource->group) &&
            rd_streq(rd_json_path_str(object, "spec.names.kind"), item->resource->kind))
            return true;
    }
    return false;
}

/* ---- Surveys: one list instead of a GET for each; whole objects, so that most need no more ---- */

static void on_surveyed(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct batch_survey *survey = container_of(w, struct batch_survey, watch);
    struct k8s_batch *b = w->ctx;
    struct batch_state *s = b->priv;
    if (e != K8S_ADDED)
        return;
    /* A full house with few of ours: single looks are cheaper. */
    if (++survey->seen > SURVEY_PAGE + 8 * json_object_size(survey->names)) {
        op_cancel(&w->op);
        return;
    }
    const char *name = rd_json_path_str(object, "metadata.name");
    const char *rv = rd_json_path_str(object, "metadata.resourceVersion");
    const json_t *index = name ? json_object_get(survey->names, name) : NULL;
    if (!index || !rv)
        return;
    struct batch_item *item = &s->items[json_integer_value(index)];
    rd_str_dup(&item->seen_rv, rv);
    rd_str_take(&item->seen_stamp, k8s_apply_stamp(object, b->field_manager,
                                                   w->list.http.req.date));
    if (!k8s_apply_is_noop(item->object, object,
                           b->field_manager ? b->field_manager : K8S_FIELD_MANAGER))
        return;
    item->settled = b->want_results ? json_incref((json_t *)object)
                                    : rd_json_pack("{s:O}", "metadata", json_object_get(object, "metadata"));
}

static struct batch_survey *survey_of(struct k8s_batch *b, const struct batch_item *item)
{
    struct batch_state *s = b->priv;
    for (size_t i = 0; i < s->survey_len; i++) {
        struct batch_survey *survey = s->surveys[i];
        if (survey->watch.resource == item->resource && rd_streq(survey->watch.ns, item->ns))
            return survey;
    }
    struct batch_survey *survey = rd_calloc(1, sizeof(*survey));
    k8s_watch_init(&survey->watch, b->client, item->resource, item->ns);
    survey->watch.list_only = true;
    survey->watch.page_size = SURVEY_PAGE;
    survey->watch.on_event = on_surveyed;
    survey->watch.ctx = b;
    survey->names = json_object();
    s->surveys = rd_reallocarray(s->surveys, s->survey_len + 1, sizeof(*s->surveys));
    s->surveys[s->survey_len++] = survey;
    return survey;
}

static void start_surveys(struct k8s_batch *b)
{
    struct batch_state *s = b->priv;
    bool looks = b->need_live || b->may_touch || b->amend || b->lock;
    if (b->verb != K8S_BATCH_APPLY || b->dry_run || looks)
        return;
    for (size_t i = 0; i < b->count; i++) {
        struct batch_item *item = &s->items[i];
        /* The metadata of definitions holds their whole schema as owned fields: too much to list. */
        if (item->resource && !is_crd(item->object))
            json_object_set_new(survey_of(b, item)->names, item->name, json_integer((json_int_t)i));
    }
    for (size_t i = 0; i < s->survey_len; i++) {
        struct batch_survey *survey = s->surveys[i];
        const char *name;
        json_t *index;
        if (json_object_size(survey->names) < SURVEY_MIN)
            continue;
        json_object_foreach (survey->names, name, index)
            s->items[json_integer_value(index)].blocked_by++;
        survey->started = true;
        k8s_watch_start(&survey->watch, &b->op);
    }
}

/* ---- Running ---- */

static void ready(struct batch_state *s, struct batch_item *item)
{
    RD_ASSERT(item->life == ITEM_BLOCKED);
    item->life = ITEM_READY;
    rd_list_append(&s->ready, &item->queued);
}

static void unblock(struct batch_state *s, struct batch_item *item)
{
    RD_ASSERT(item->blocked_by > 0);
    if (--item->blocked_by == 0 && item->life == ITEM_BLOCKED)
        ready(s, item);
}

static void tell(struct k8s_batch *b, struct batch_item *item, enum k8s_outcome outcome,
                 struct rd_err *take)
{
    struct batch_state *s = b->priv;
    struct batch_work *w = item->work;
    struct k8s_batch_result r = {
        .index = item->index,
        .object = item->object,
        .outcome = outcome,
        .err = take,
        .result = w ? w->result : NULL,
        .live = w ? w->live : NULL,
        .changes = w ? w->changes : NULL,
        .conflicts = w ? w->conflicts : NULL,
        .title = item->title,
    };
    item->life = ITEM_TOLD;
    s->told++;
    b->tally[outcome]++;
    if (b->on_result)
        b->on_result(b, &r);
    if (outcome == K8S_OUT_FAILED && !s->first) {
        s->first = take;
        take = NULL;
    }
    rd_err_free(take);
    batch_work_free(w);
    item->work = NULL;
    bool failed = outcome == K8S_OUT_FAILED || outcome == K8S_OUT_SKIPPED;
    for (size_t i = 0; i < item->after_len; i++) {
        struct batch_item *later = &s->items[item->after[i]];
        later->need_failed = later->need_failed || failed;
        unblock(s, later);
    }
}

static void skip(struct k8s_batch *b, struct batch_item *item, const char *why)
{
    rd_list_remove(&item->queued);
    tell(b, item, K8S_OUT_SKIPPED, rd_err_new(RD_ERR_CANCELLED, "%s: not tried: %s", item->title, why));
}

static void skip_rest(struct k8s_batch *b, const char *why)
{
    struct batch_state *s = b->priv;
    for (size_t i = 0; i < b->count; i++) {
        struct batch_item *item = &s->items[i];
        if (item->life == ITEM_BLOCKED || item->life == ITEM_READY)
            skip(b, item, why);
    }
}

static void take_ended(struct k8s_batch *b)
{
    struct batch_state *s = b->priv;
    for (size_t i = 0; i < s->survey_len; i++) {
        struct batch_survey *survey = s->surveys[i];
        if (!survey->started || survey->ended || op_running(&survey->watch.op))
            continue;
        struct rd_err *err = op_take_err(&survey->watch.op);
        const char *name;
        json_t *index;
        survey->ended = true;
        json_object_foreach (survey->names, name, index) {
            struct batch_item *item = &s->items[json_integer_value(index)];
            if (err && !item->settled)
                rd_freep(&item->seen_rv); /* each looks for itself */
            else if (!item->seen_rv)
                item->seen_rv = rd_strdup("");
            unblock(s, item);
        }
        rd_err_free(err);
        k8s_watch_clear(&survey->watch);
    }
    while (!rd_list_empty(&s->ended)) {
        struct batch_item *item = container_of(s->ended.next, struct batch_item, queued);
        rd_list_remove(&item->queued);
        s->running--;
        struct rd_err *err = op_take_err(&item->work->op);
        tell(b, item, item->work->outcome, err);
    }
}

/* A kind that this server does not have: there is nothing to delete and no place to apply to. */
static void no_kind(struct k8s_batch *b, struct batch_item *item)
{
    const char *api = rd_json_str(item->object, "apiVersion", NULL);
    rd_list_remove(&item->queued);
    if (b->verb == K8S_BATCH_DELETE) {
        tell(b, item, K8S_OUT_ABSENT, NULL);
        return;
    }
    struct rd_err *err = rd_err_new(RD_ERR_FAILED, "cannot apply %s: no such kind on this server: %s of %s",
                                    item->title, kind_of(item->object), api);
    rd_err_resource(err, "%s", item->title);
    rd_err_hint(err, "Apply the CustomResourceDefinition of %s first.", kind_of(item->object));
    tell(b, item, K8S_OUT_FAILED, err);
}

static void start_ready(struct k8s_batch *b)
{
    struct batch_state *s = b->priv;
    while (!rd_list_empty(&s->ready)) {
        struct batch_item *item = container_of(s->ready.next, struct batch_item, queued);
        if (b->fail_fast && b->tally[K8S_OUT_FAILED]) {
            skip(b, item, "an earlier object failed");
        } else if (b->hold_dependents && item->need_failed) {
            skip(b, item, "what it needs failed");
        } else if (!item->resource) {
            no_kind(b, item);
        } else if (s->running < RUNNING_MAX) {
            rd_list_remove(&item->queued);
            s->running++;
            batch_work_start(item, &b->op);
        } else {
            return;
        }
    }
}

static void finish(struct k8s_batch *b)
{
    struct batch_state *s = b->priv;
    struct rd_err *err = s->first;
    s->first = NULL;
    op_finish(&b->op, err);
}

static void begin_run(struct k8s_batch *b)
{
    struct batch_state *s = b->priv;
    s->state = BATCH_RUN;
    link_needs(b);
    start_surveys(b);
    for (size_t i = 0; i < b->count; i++) {
        rd_list_init(&s->items[i].queued);
        if (!s->items[i].blocked_by)
            ready(s, &s->items[i]);
    }
}

static void batch_step(struct op *op)
{
    struct k8s_batch *b = container_of(op, struct k8s_batch, op);
    struct batch_state *s = b->priv;
    if (op->cancelled) {
        if (s->state == BATCH_RUN)
            take_ended(b);
        skip_rest(b, op->timed_out ? "out of time" : "stopped");
        finish(b);
        return;
    }
    switch (s->state) {
    case BATCH_BEGIN:
        if (!resolve(b) && !b->client->discovered) {
            s->state = BATCH_DISCOVER;
            k8s_discover_start(&s->discover, op, b->client);
            return;
        }
        break;
    case BATCH_DISCOVER: {
        struct op *discovery = &s->discover.op;
        if (op_running(discovery))
            return;
        struct rd_err *err = op_take_err(discovery);
        if (err) {
            op_finish(op, err);
            return;
        }
        resolve(b);
        break;
    }
    default:
        break;
    }
    if (s->state != BATCH_RUN)
        begin_run(b);
    take_ended(b);
    start_ready(b);
    if (s->told == b->count)
        finish(b);
}

void k8s_batch_start(struct k8s_batch *b, struct op *parent)
{
    struct batch_state *s = b->priv;
    s->state = BATCH_BEGIN;
    rd_list_init(&s->ready);
    rd_list_init(&s->ended);
    for (size_t i = 0; i < b->count; i++)
        rd_list_init(&s->items[i].queued);
    op_start(&b->op, parent, batch_step, "batch");
}

void k8s_batch_clear(struct k8s_batch *b)
{
    struct batch_state *s = b->priv;
    RD_ASSERT(!op_running(&b->op));
    if (!s)
        return;
    for (size_t i = 0; i < b->count; i++) {
        struct batch_item *item = &s->items[i];
        batch_work_free(item->work);
        json_decref(item->object);
        json_decref(item->amended);
        json_decref(item->settled);
        rd_freep(&item->title);
        rd_freep(&item->after);
        rd_freep(&item->seen_rv);
        rd_freep(&item->seen_stamp);
    }
    for (size_t i = 0; i < s->survey_len; i++) {
        k8s_watch_clear(&s->surveys[i]->watch);
        json_decref(s->surveys[i]->names);
        rd_freep(&s->surveys[i]);
    }
    rd_freep(&s->surveys);
    rd_freep(&s->items);
    k8s_discover_clear(&s->discover);
    rd_err_free(s->first);
    rd_err_free(op_take_err(&b->op));
    rd_freep(&s);
    memset(b, 0, sizeof(*b));
}
