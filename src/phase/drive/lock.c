#include "phase/drive/lock.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "phase/drive/holder.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <string.h>

#define GOING_PAUSE_MS 500
#define GOING_TRIES_MAX 120 /* a namespace on its way out is waited for so often */
#define MIRROR_RETRY_MS 1000

enum lock_state {
    L_BEGIN,
    L_NAMESPACE, /* GET */
    L_CREATING,  /* POST */
    L_GOING,     /* it is being deleted: pause, then GET again */
    L_LEASE,     /* acquiring */
    L_READING,   /* the mirror */
    L_HELD,      /* renewing by itself; mirror writes come and go */
    L_WRITING,
    L_WRITE_PAUSE,
    L_UNMIRROR, /* removal begins */
    L_RELEASING,
    L_LEASE_LOOK,
    L_LEASE_DELETE,
    L_OTHERS,
    L_DELETE,
};

static struct lock *lock_of(struct guard *g)
{
    return container_of(g, struct lock, g);
}

static bool lock_ready(const struct step_ctx *ctx)
{
    return ctx->config->target == TARGET_LOCAL ? ctx->workload != NULL : ctx->management != NULL;
}

static const struct k8s_resource *kind(struct lock *l, const char *api_version, const char *name)
{
    const struct k8s_resource *r = k8s_resource_find(l->client, api_version, name);
    RD_ASSERT(r);
    return r;
}

static void request(struct lock *l, enum lock_state state, const char *method,
                    const struct k8s_resource *r, const char *ns, const char *name,
                    const json_t *body)
{
    struct http_url u;
    k8s_url(&u, l->client, r, ns, rd_streq(method, "POST") ? NULL : name, NULL);
    k8s_call_clear(&l->call);
    k8s_call_init(&l->call, l->client, method, http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(&l->call, r, ns, name);
    if (body)
        k8s_call_body_json(&l->call, "application/json", body);
    l->call.http.idem = RETRY_SAFE; /* fixed names and preconditions */
    l->call.not_found_ok = !rd_streq(method, "POST");
    l->state = state;
    k8s_call_start(&l->call, &l->g.op);
}

/* ---- Acquiring ---- */

static void ask_namespace(struct lock *l)
{
    request(l, L_NAMESPACE, "GET", kind(l, "v1", "Namespace"), NULL, LOCK_NAMESPACE, NULL);
}

static void create_namespace(struct lock *l)
{
    RD_AUTOJSON json_t *ns =
        rd_json_pack("{s:s, s:s, s:{s:s, s:{s:s}}}", "apiVersion", "v1", "kind", "Namespace",
                     "metadata", "name", LOCK_NAMESPACE, "labels", MARK_MANAGED_BY, "raydeploy");
    request(l, L_CREATING, "POST", kind(l, "v1", "Namespace"), NULL, LOCK_NAMESPACE, ns);
}

static void on_held(struct k8s_lease *lease, uint64_t until_ms)
{
    struct lock *l = lease->ctx;
    l->g.until_ms = until_ms;
    op_wake(l->g.op.parent);
    op_wake(&l->g.op);
}

static void on_busy(struct k8s_lease *lease, const struct k8s_lease_holder *h)
{
    struct lock *l = lease->ctx;
    RD_AUTOFREE char *who = holder_person(h->identity);
    char since[32], wait[32];
    rd_rfc3339_ms(h->since_wall_ms, since);
    rd_duration_text(h->duration_ms, wait);
    RD_AUTOFREE char *text =
        rd_asprintf("the lock is held by %s since %s; if it is dead it is taken over after %s", who,
                    since, wait);
    struct phase_note n = {.event = NOTE_LOG, .level = NOTE_WARN, .message = text};
    l->g.ctx->notes->emit(l->g.ctx->notes, &n);
}

static bool holder_dead(struct k8s_lease *lease, const char *identity)
{
    (void)lease;
    return holder_is_dead(identity);
}

static void acquire(struct lock *l)
{
    RD_AUTOFREE char *identity = holder_identity();
    k8s_lease_init(&l->lease, l->client, LOCK_NAMESPACE, l->name, identity);
    if (l->g.ctx->config->lease_duration_ms)
        l->lease.duration_ms = l->g.ctx->config->lease_duration_ms;
    l->lease.on_held = on_held;
    l->lease.on_busy = on_busy;
    l->lease.holder_dead = holder_dead;
    l->lease.ctx = l;
    l->state = L_LEASE;
    k8s_lease_start(&l->lease, &l->g.op);
}

static void namespace_answered(struct lock *l, struct rd_err *take_err)
{
    const json_t *ns = l->call.result;
    if (take_err && l->state == L_CREATING && take_err->kind == RD_ERR_CONFLICT) {
        rd_err_free(take_err); /* somebody was faster */
        ask_namespace(l);
    } else if (take_err) {
        op_finish(&l->g.op, take_err);
    } else if (!ns) {
        create_namespace(l);
    } else if (rd_json_path_str(ns, "metadata.deletionTimestamp")) {
        l->state = L_GOING;
        if (++l->tries > GOING_TRIES_MAX)
            op_finish(&l->g.op, rd_err_new(RD_ERR_TIMEOUT,
                                           "namespace %s is being deleted and does "
                                           "not go",
                                           LOCK_NAMESPACE));
        else if (!op_timer_start(&l->pause, &l->g.op, GOING_PAUSE_MS))
            op_finish(&l->g.op, op_take_err(&l->pause.op));
    } else {
        acquire(l);
    }
}

/* The holder's identity is for machines; people are told host and pid. */
static struct rd_err *for_people(struct lock *l, struct rd_err *take)
{
    const char *identity = rd_json_path_str(l->lease.seen, "spec.holderIdentity");
    const char *at = identity && *identity ? strstr(take->message, identity) : NULL;
    if (at) {
        RD_AUTOFREE char *who = holder_person(identity);
        rd_str_take(&take->message, rd_asprintf("%.*s%s%s", (int)(at - take->message),
                                                take->message, who, at + strlen(identity)));
    }
    return take;
}

/* ---- Holding ---- */

static void held(struct lock *l)
{
    l->state = L_HELD;
    if (!l->g.held) {
        l->g.held = true;
        l->g.found = l->mirror.content;
    }
    op_wake(l->g.op.parent);
    op_wake(&l->g.op);
}

static void mirror_answered(struct lock *l)
{
    struct rd_err *err = op_take_err(&l->mirror.op);
    if (!err) {
        if (l->state == L_WRITING) {
            l->g.found = l->mirror.content;
            l->g.put_done = l->mirror_put;
        }
        held(l);
        return;
    }
    /* An intent waits for this write, and its step has a limit; meanwhile the lease is kept. */
    if (l->state == L_WRITING && rd_err_transient(err->kind) && !l->release) {
        rd_err_free(err);
        l->state = L_WRITE_PAUSE;
        if (!op_timer_start(&l->pause, &l->g.op, MIRROR_RETRY_MS))
            op_finish(&l->g.op, op_take_err(&l->pause.op));
        return;
    }
    if (l->release) { /* the next run reads a mirror that is one step behind: looking cures it */
        rd_err_free(err);
        held(l);
        return;
    }
    l->failure = err;
    l->release = true;
    held(l);
}

static void write_mirror(struct lock *l)
{
    l->state = L_WRITING;
    l->mirror_put = l->g.put_asked;
    mirror_write(&l->mirror, &l->g.op, json_incref(l->content));
}

/* ---- Giving back, taking away ---- */

static void end(struct lock *l, struct rd_err *take_err)
{
    rd_err_keep(&l->failure, &take_err);
    struct rd_err *err = l->failure;
    l->failure = NULL;
    op_finish(&l->g.op, err);
}

static void give_back(struct lock *l)
{
    l->state = L_RELEASING;
    k8s_lease_release(&l->lease);
}

/* Only if nobody took it since: the version is that of the look. */
static void delete_lease(struct lock *l)
{
    const json_t *lease = l->call.result;
    const char *holder = rd_json_path_str(lease, "spec.holderIdentity");
    if (!lease || (holder && *holder)) {
        end(l, NULL);
        return;
    }
    RD_AUTOJSON json_t *options =
        rd_json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                     "preconditions", "uid", rd_json_path_str(lease, "metadata.uid"),
                     "resourceVersion", rd_json_path_str(lease, "metadata.resourceVersion"));
    request(l, L_LEASE_DELETE, "DELETE", kind(l, "coordination.k8s.io/v1", "Lease"), LOCK_NAMESPACE,
            l->name, options);
}

static const struct {
    const char *api_version, *kind, *always; /* an object that every namespace has */
} lodgers[] = {
    {"v1", "ConfigMap", "kube-root-ca.crt"},
    {"coordination.k8s.io/v1", "Lease", NULL},
    {"v1", "Secret", NULL},
    {"v1", "Pod", NULL},
};

static void ask_others(struct lock *l)
{
    l->state = L_OTHERS;
    for (size_t i = 0; i < RD_ARRAY_LEN(lodgers); i++) {
        struct http_url u;
        k8s_url(&u, l->client, kind(l, lodgers[i].api_version, lodgers[i].kind), LOCK_NAMESPACE,
                NULL, NULL);
        k8s_call_init(&l->others[i], l->client, "GET", http_url_str(&u));
        http_url_clear(&u);
        k8s_call_start(&l->others[i], &l->g.op);
    }
    request(l, L_OTHERS, "GET", kind(l, "v1", "Namespace"), NULL, LOCK_NAMESPACE, NULL);
}

static void delete_namespace_if_empty(struct lock *l)
{
    const char *manager = rd_json_str(l->call.result, "metadata", "labels", MARK_MANAGED_BY, NULL);
    bool ours = rd_streq(manager, "raydeploy"), alone = true;
    for (size_t i = 0; i < RD_ARRAY_LEN(lodgers); i++) {
        struct rd_err *err = op_take_err(&l->others[i].op);
        rd_err_keep(&l->failure, &err);
        size_t n;
        const json_t *item;
        json_array_foreach (json_object_get(l->others[i].result, "items"), n, item)
            if (!rd_streq(rd_json_path_str(item, "metadata.name"), lodgers[i].always))
                alone = false;
    }
    if (l->failure || !ours || !alone) {
        end(l, NULL);
        return;
    }
    k8s_delete_init(&l->del, l->client, kind(l, "v1", "Namespace"), NULL, LOCK_NAMESPACE);
    rd_str_dup(&l->del.uid, rd_json_path_str(l->call.result, "metadata.uid"));
    l->state = L_DELETE;
    k8s_delete_start(&l->del, &l->g.op);
}

/* ---- The machine ---- */

static void begin(struct lock *l)
{
    const struct step_ctx *ctx = l->g.ctx;
    l->in_workload = ctx->config->target == TARGET_LOCAL;
    l->client = l->in_workload ? ctx->workload : ctx->management;
    mirror_init(&l->mirror, l->client, LOCK_NAMESPACE, l->name);
    ask_namespace(l);
}

static bool busy(struct lock *l)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(l->others); i++)
        if (op_running(&l->others[i].op))
            return true;
    return op_running(&l->call.op) || op_running(&l->mirror.op) || op_running(&l->pause.op) ||
           op_running(&l->del.op);
}

static void holding(struct lock *l)
{
    if (l->g.put_asked != l->g.put_done && !l->failure && l->mirror_put != l->g.put_asked)
        write_mirror(l);
    else if (l->release && l->remove)
        l->state = L_UNMIRROR, mirror_remove(&l->mirror, &l->g.op);
    else if (l->release)
        give_back(l);
}

static void lock_step(struct op *op)
{
    struct lock *l = container_of(op, struct lock, g.op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_ended(&l->lease.op) && l->state >= L_LEASE && l->state <= L_UNMIRROR) {
        struct rd_err *err = op_take_err(&l->lease.op);
        op_finish(op, err ? for_people(l, err) : NULL);
        return;
    }
    if (busy(l))
        return;
    switch ((enum lock_state)l->state) {
    case L_BEGIN:
        begin(l);
        return;
    case L_NAMESPACE:
    case L_CREATING:
        if (l->release)
            end(l, NULL);
        else
            namespace_answered(l, op_take_err(&l->call.op));
        return;
    case L_GOING:
        ask_namespace(l);
        return;
    case L_LEASE:
        if (l->g.until_ms) {
            l->state = L_READING;
            mirror_read(&l->mirror, op);
        } else if (l->release) {
            k8s_lease_release(&l->lease);
        }
        return;
    case L_READING:
    case L_WRITING:
        mirror_answered(l);
        return;
    case L_WRITE_PAUSE:
        write_mirror(l);
        return;
    case L_HELD:
        holding(l);
        return;
    case L_UNMIRROR: {
        struct rd_err *err = op_take_err(&l->mirror.op);
        rd_err_keep(&l->failure, &err);
        give_back(l);
        return;
    }
    case L_RELEASING:
        if (!op_ended(&l->lease.op))
            return;
        if (l->remove && !l->failure)
            request(l, L_LEASE_LOOK, "GET", kind(l, "coordination.k8s.io/v1", "Lease"),
                    LOCK_NAMESPACE, l->name, NULL);
        else
            end(l, op_take_err(&l->lease.op));
        return;
    case L_LEASE_LOOK:
        if (l->call.op.err)
            end(l, op_take_err(&l->call.op));
        else
            delete_lease(l);
        return;
    case L_LEASE_DELETE:
        if (l->call.op.err && l->call.op.err->kind == RD_ERR_CONFLICT)
            rd_err_freep(&l->call.op.err); /* taken by another run: it is theirs now */
        if (l->call.op.err || !l->in_workload)
            end(l, op_take_err(&l->call.op));
        else
            ask_others(l);
        return;
    case L_OTHERS:
        if (l->call.op.err || !l->call.result)
            end(l, op_take_err(&l->call.op));
        else
            delete_namespace_if_empty(l);
        return;
    case L_DELETE:
        end(l, op_take_err(&l->del.op));
        return;
    }
    RD_UNREACHABLE();
}

static void lock_start(struct guard *g, struct op *parent)
{
    op_start(&g->op, parent, lock_step, "lock");
}

static void lock_put(struct guard *g, json_t *take_content)
{
    struct lock *l = lock_of(g);
    json_decref(l->content);
    l->content = take_content;
    g->put_asked++;
    op_wake(&g->op);
}

static void lock_release(struct guard *g, bool remove)
{
    struct lock *l = lock_of(g);
    l->release = true;
    l->remove = remove;
    op_wake(&g->op);
}

static void lock_clear_guard(struct guard *g)
{
    lock_clear(lock_of(g));
}

static const struct guard_ops lock_ops = {lock_ready, lock_start, lock_put, lock_release,
                                          lock_clear_guard};

void lock_init(struct lock *l, struct step_ctx *ctx)
{
    memset(l, 0, sizeof *l);
    l->g.ops = &lock_ops;
    l->g.ctx = ctx;
    l->name = rd_asprintf("raydeploy-%s", ctx->config->name);
}

void lock_clear(struct lock *l)
{
    k8s_call_clear(&l->call);
    for (size_t i = 0; i < RD_ARRAY_LEN(l->others); i++)
        k8s_call_clear(&l->others[i]);
    k8s_lease_clear(&l->lease);
    k8s_delete_clear(&l->del);
    mirror_clear(&l->mirror);
    rd_err_freep(&l->pause.op.err);
    rd_err_freep(&l->g.op.err);
    rd_err_freep(&l->failure);
    json_decref(l->content);
    free(l->name);
    memset(l, 0, sizeof *l);
}
