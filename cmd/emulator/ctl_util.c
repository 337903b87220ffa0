#include "ctl_util.h"

#include <stdlib.h>
#include <string.h>

struct item {
    struct rd_list node;
    struct emu_timer timer;
    struct ctl_queue *queue;
    char *ns, *name;
    bool armed;
};

struct ctl_queue {
    struct kube_cluster *cluster;
    struct emu *emu;
    ctl_look_fn *fn;
    void *arg;
    struct rd_list items;
};

struct ctl_queue *ctl_queue_new(struct kube_cluster *c, ctl_look_fn *fn, void *arg)
{
    struct ctl_queue *q = rd_calloc(1, sizeof(*q));
    *q = (struct ctl_queue){.cluster = c, .emu = kube_cluster_emu(c), .fn = fn, .arg = arg};
    rd_list_init(&q->items);
    return q;
}

static void item_free(struct item *i)
{
    emu_timer_stop(&i->timer);
    rd_list_remove(&i->node);
    free(i->ns);
    free(i->name);
    free(i);
}

/* The item goes before the look: what is added meanwhile is a new one. */
static void on_due(struct emu_timer *t)
{
    struct item *i = container_of(t, struct item, timer);
    struct ctl_queue *q = i->queue;
    RD_AUTOFREE char *ns = rd_strdup(i->ns);
    RD_AUTOFREE char *name = rd_strdup(i->name);
    item_free(i);
    q->fn(q->cluster, ns, name, q->arg);
}

void ctl_queue_add(struct ctl_queue *q, const char *ns, const char *name, uint64_t delay_ms)
{
    struct item *i = NULL;
    ns = ns == NULL ? "" : ns;
    rd_list_foreach (it, &q->items) {
        struct item *known = container_of(it, struct item, node);
        if (rd_streq(known->name, name) && rd_streq(known->ns, ns))
            i = known;
    }
    if (i == NULL) {
        i = rd_calloc(1, sizeof(*i));
        i->queue = q;
        i->ns = rd_strdup(ns);
        i->name = rd_strdup(name);
        rd_list_append(&q->items, &i->node);
    } else if (i->armed && i->timer.due_ms <= emu_clock_now(&q->emu->clock) + delay_ms) {
        return;
    }
    i->armed = true;
    emu_timer_start(&q->emu->clock, &i->timer, delay_ms, on_due);
}

void ctl_queue_free(struct ctl_queue *q)
{
    if (q == NULL)
        return;
    while (!rd_list_empty(&q->items))
        item_free(container_of(q->items.next, struct item, node));
    free(q);
}

const char *ctl_ns(const json_t *object)
{
    const char *ns = rd_json_str(object, "metadata", "namespace", NULL);
    return ns == NULL ? "" : ns;
}

const char *ctl_name(const json_t *object)
{
    const char *name = rd_json_str(object, "metadata", "name", NULL);
    return name == NULL ? "" : name;
}

bool ctl_deleting(const json_t *object)
{
    return rd_json_str(object, "metadata", "deletionTimestamp", NULL) != NULL;
}

const char *ctl_now(void)
{
    static char now[32];
    emu_stamp_s(now);
    return now;
}

json_t *ctl_object(const char *api_version, const char *kind, const char *ns, const char *name)
{
    json_t *o =
        rd_json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", api_version, "kind", kind, "metadata",
                     "name", name);
    if (ns != NULL && *ns != '\0')
        rd_json_path_set(o, "metadata.namespace", json_string(ns));
    return o;
}

static bool set_text(json_t *o, const char *key, const char *value)
{
    if (rd_streq(rd_json_str(o, key, NULL), value))
        return false;
    if (value == NULL)
        json_object_del(o, key);
    else
        json_object_set_new(o, key, json_string(value));
    return true;
}

bool ctl_condition(json_t *status, const char *type, const char *value, const char *reason,
                   const char *message)
{
    json_t *list = json_object_get(status, "conditions");
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(status, "conditions", list);
    }
    json_t *found = NULL, *c;
    size_t i;
    json_array_foreach (list, i, c) {
        if (rd_streq(rd_json_str(c, "type", NULL), type))
            found = c;
    }
    if (found == NULL) {
        found = rd_json_pack("{s:s}", "type", type);
        json_array_append_new(list, found);
    }
    bool flipped = set_text(found, "status", value);
    if (flipped)
        json_object_set_new(found, "lastTransitionTime", json_string(ctl_now()));
    bool told = set_text(found, "reason", reason);
    return set_text(found, "message", message) || told || flipped;
}

bool ctl_condition_true(const json_t *object, const char *type)
{
    return rd_streq(rd_json_str(rd_json_condition(object, type), "status", NULL), "True");
}

bool ctl_has_finalizer(const json_t *object, const char *finalizer)
{
    size_t i;
    json_t *f;
    json_array_foreach (rd_json_get(object, "metadata", "finalizers", NULL), i, f) {
        if (rd_streq(json_string_value(f), finalizer))
            return true;
    }
    return false;
}

json_t *ctl_finalizers_without(const json_t *object, const char *finalizer)
{
    json_t *left = json_array();
    size_t i;
    json_t *f;
    json_array_foreach (rd_json_get(object, "metadata", "finalizers", NULL), i, f) {
        if (!rd_streq(json_string_value(f), finalizer))
            json_array_append(left, f);
    }
    return left;
}

bool ctl_labels_match(const json_t *want, const json_t *labels)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)want, key, value) {
        if (!rd_streq(json_string_value(value), rd_json_str(labels, key, NULL)))
            return false;
    }
    return true;
}

static bool has_value(const json_t *values, const char *have)
{
    size_t i;
    json_t *v;
    json_array_foreach ((json_t *)values, i, v) {
        if (rd_streq(json_string_value(v), have))
            return true;
    }
    return false;
}

bool ctl_selector_match(const json_t *selector, const json_t *labels)
{
    if (!ctl_labels_match(json_object_get(selector, "matchLabels"), labels))
        return false;
    size_t i;
    json_t *e;
    json_array_foreach (json_object_get(selector, "matchExpressions"), i, e) {
        const char *op = rd_json_str(e, "operator", NULL);
        const char *have = rd_json_str(labels, rd_json_str(e, "key", NULL), NULL);
        const json_t *values = json_object_get(e, "values");
        bool hit = rd_streq(op, "Exists")         ? have != NULL
                   : rd_streq(op, "DoesNotExist") ? have == NULL
                   : rd_streq(op, "In")           ? have != NULL && has_value(values, have)
                                        : have == NULL || !has_value(values, have); /* NotIn */
        if (!hit)
            return false;
    }
    return true;
}

const char *ctl_owner(const json_t *object, const char *kind)
{
    size_t i;
    json_t *ref;
    json_array_foreach (rd_json_get(object, "metadata", "ownerReferences", NULL), i, ref) {
        if (rd_json_path_bool(ref, "controller", false) &&
            rd_streq(rd_json_str(ref, "kind", NULL), kind))
            return rd_json_str(ref, "name", NULL);
    }
    return NULL;
}

void ctl_suffix(struct emu *e, char *out)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    for (size_t i = 0; i < 5; i++)
        out[i] = letters[emu_rand(e) % (sizeof(letters) - 1)];
    out[5] = '\0';
}

int64_t ctl_milli(const json_t *quantity)
{
    int64_t milli = 0;
    if (json_is_integer(quantity))
        return (int64_t)json_integer_value(quantity) * 1000;
    if (json_is_real(quantity))
        return (int64_t)(json_real_value(quantity) * 1000);
    if (!json_is_string(quantity) || !rd_quantity_parse_milli(json_string_value(quantity), &milli))
        return 0;
    return milli;
}

const char *ctl_cluster_short(const struct kube_cluster *c)
{
    return strrchr(kube_cluster_name(c), '/') + 1;
}
