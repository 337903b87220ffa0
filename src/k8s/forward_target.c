#include "k8s/forward_target.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum target_state { TARGET_BEGIN, TARGET_SERVICE, TARGET_WATCH, TARGET_FIXED };

/* ---- Pure parts ---- */

json_t *forward_pod_facts(const json_t *pod)
{
    const json_t *ready = rd_json_condition(pod, "Ready");
    const char *status = rd_json_str(ready, "status", NULL);
    const char *name = rd_json_str(pod, "metadata", "name", NULL);
    const char *created = rd_json_str(pod, "metadata", "creationTimestamp", NULL);
    bool leaving = rd_json_get(pod, "metadata", "deletionTimestamp", NULL) != NULL;
    json_t *ports = json_object();
    size_t i, j;
    json_t *container, *port;
    json_array_foreach (rd_json_get(pod, "spec", "containers", NULL), i, container) {
        json_array_foreach (rd_json_get(container, "ports", NULL), j, port) {
            const char *port_name = rd_json_str(port, "name", NULL);
            const json_t *number = rd_json_get(port, "containerPort", NULL);
            if (port_name && json_is_integer(number) && !json_object_get(ports, port_name))
                json_object_set_new(ports, port_name, json_integer(json_integer_value(number)));
        }
    }
    return rd_json_pack("{s:s, s:s, s:b, s:o}", "name", name ? name : "", "created",
                        created ? created : "", "ready",
                        (int)(!leaving && name && rd_streq(status, "True")), "ports", ports);
}

const json_t *forward_pick(const json_t *pods)
{
    const json_t *best = NULL;
    const char *uid;
    json_t *facts;
    json_object_foreach ((json_t *)pods, uid, facts) {
        if (!json_is_true(json_object_get(facts, "ready")))
            continue;
        /* RFC 3339 in UTC compares as text. */
        int newer =
            best ? strcmp(rd_json_str(facts, "created", NULL), rd_json_str(best, "created", NULL))
                 : 1;
        if (newer == 0)
            newer = strcmp(rd_json_str(facts, "name", NULL), rd_json_str(best, "name", NULL));
        if (newer > 0)
            best = facts;
    }
    return best;
}

bool forward_service_read(const json_t *service, uint16_t port, json_t **ret_port,
                          char **ret_labels, struct rd_err **reterr)
{
    const char *name = rd_json_str(service, "metadata", "name", NULL);
    const json_t *selector = rd_json_get(service, "spec", "selector", NULL);
    struct rd_buf labels = RD_BUF_INIT((size_t)16 << 10), have = RD_BUF_INIT(1024);
    json_t *entry, *found = NULL;
    bool ok = false;
    size_t i;
    json_array_foreach (rd_json_get(service, "spec", "ports", NULL), i, entry) {
        const json_t *number = rd_json_get(entry, "port", NULL);
        if (!json_is_integer(number))
            continue;
        rd_buf_printf(&have, "%s%d", have.len ? ", " : "", (int)json_integer_value(number));
        if (json_integer_value(number) == port && !found)
            found = entry;
    }
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)selector, key, value) {
        if (json_is_string(value))
            rd_buf_printf(&labels, "%s%s=%s", labels.len ? "," : "", key, json_string_value(value));
    }
    if (!found) {
        rd_fail(reterr, RD_ERR_INPUT, "Service %s has no port %u", name ? name : "?", port);
        rd_err_hint(*reterr, "Its ports are: %s.", have.len ? rd_buf_str(&have) : "none");
    } else if (!labels.len || labels.overflow) {
        rd_fail(reterr, RD_ERR_INPUT, "Service %s selects no pods by label", name ? name : "?");
    } else {
        *ret_port = json_deep_copy(found);
        *ret_labels = rd_buf_take(&labels, NULL);
        ok = true;
    }
    rd_buf_clear(&labels);
    rd_buf_clear(&have);
    return ok;
}

static uint16_t port_number(const json_t *v)
{
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : 0;
    return n > 0 && n <= 65535 ? (uint16_t)n : 0;
}

uint16_t forward_target_port(const json_t *service_port, const json_t *facts)
{
    const json_t *target = rd_json_get(service_port, "targetPort", NULL);
    if (json_is_string(target))
        return port_number(rd_json_get(facts, "ports", json_string_value(target), NULL));
    uint16_t number = port_number(target);
    /* Unset means the same as port; the API server fills it in. */
    return number ? number : port_number(rd_json_get(service_port, "port", NULL));
}

/* ---- The op ---- */

void forward_target_init(struct forward_target *t, struct k8s_client *c, const char *ns,
                         uint16_t port)
{
    *t = (struct forward_target){.client = c, .ns = ns, .wanted_port = port};
}

void forward_target_clear(struct forward_target *t)
{
    k8s_call_clear(&t->get);
    k8s_watch_clear(&t->watch);
    rd_freep(&t->pod);
    rd_freep(&t->why_none);
    rd_freep(&t->labels);
    rd_json_decrefp(&t->service_port);
    rd_json_decrefp(&t->pods);
    rd_err_free(op_take_err(&t->op));
}

static void target_settle(struct forward_target *t)
{
    const json_t *best = forward_pick(t->pods);
    const char *name = rd_json_str(best, "name", NULL);
    uint16_t port =
        best && t->service_port ? forward_target_port(t->service_port, best) : t->wanted_port;
    RD_AUTOFREE char *why = NULL;
    if (!best) {
        why = rd_asprintf("none of the %zu pods with %s in namespace %s is Ready",
                          json_object_size(t->pods), t->labels, t->ns);
    } else if (!port) {
        why = rd_asprintf("Pod/%s/%s has no port named %s", t->ns, name,
                          rd_json_str(t->service_port, "targetPort", NULL));
        name = NULL;
    }
    rd_str_take(&t->why_none, why);
    why = NULL;
    if (rd_streq(name, t->pod) && (!name || port == t->port))
        return;
    rd_str_dup(&t->pod, name);
    t->port = port;
    if (t->on_change)
        t->on_change(t);
}

static void on_pod(struct k8s_watch *w, enum k8s_event e, const json_t *object)
{
    struct forward_target *t = w->ctx;
    const char *uid = object ? rd_json_str(object, "metadata", "uid", NULL) : NULL;
    if (e == K8S_SYNCED)
        t->synced = true;
    else if (uid && e == K8S_DELETED)
        json_object_del(t->pods, uid);
    else if (uid)
        json_object_set_new(t->pods, uid, forward_pod_facts(object));
    if (t->synced)
        target_settle(t);
}

static void target_watch(struct forward_target *t)
{
    const struct k8s_resource *pods = k8s_resource_find(t->client, "v1", "Pod");
    RD_ASSERT(pods); /* compiled in */
    t->state = TARGET_WATCH;
    t->pods = json_object();
    rd_str_take(&t->why_none, rd_asprintf("the pods with %s in namespace %s are not known yet",
                                          t->labels, t->ns));
    k8s_watch_init(&t->watch, t->client, pods, t->ns);
    rd_str_dup(&t->watch.label_selector, t->labels);
    t->watch.on_event = on_pod;
    t->watch.ctx = t;
    k8s_watch_start(&t->watch, &t->op);
}

static void target_step(struct op *op)
{
    struct forward_target *t = container_of(op, struct forward_target, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    switch ((enum target_state)t->state) {
    case TARGET_BEGIN:
        if (t->fixed) {
            t->state = TARGET_FIXED;
            rd_str_dup(&t->pod, t->fixed);
            t->port = t->wanted_port;
            if (t->on_change)
                t->on_change(t);
        } else if (t->service) {
            const struct k8s_resource *services = k8s_resource_find(t->client, "v1", "Service");
            RD_ASSERT(services); /* compiled in */
            t->state = TARGET_SERVICE;
            rd_str_take(&t->why_none,
                        rd_asprintf("Service/%s/%s is not known yet", t->ns, t->service));
            k8s_get_init(&t->get, t->client, services, t->ns, t->service);
            k8s_call_start(&t->get, op);
        } else {
            rd_str_dup(&t->labels, t->selector);
            target_watch(t);
        }
        return;
    case TARGET_SERVICE:
        if (!op_ended(&t->get.op))
            return;
        err = op_take_err(&t->get.op);
        if (err || !forward_service_read(t->get.result, t->wanted_port, &t->service_port,
                                         &t->labels, &err))
            op_finish(op, err);
        else
            target_watch(t);
        return;
    case TARGET_WATCH:
        if (op_ended(&t->watch.op)) {
            err = op_take_err(&t->watch.op);
            op_finish(op, err ? err : rd_err_new(RD_ERR_TRANSIENT, "the watch of pods ended"));
        }
        return;
    case TARGET_FIXED:
        return; /* until cancelled */
    }
    RD_UNREACHABLE();
}

void forward_target_start(struct forward_target *t, struct op *parent)
{
    op_start(&t->op, parent, target_step, "forward target");
}
