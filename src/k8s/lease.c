#include "k8s/lease.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "k8s/internal.h"

#include <string.h>

#define DURATION_MS 60000
#define DURATION_MIN_MS 2000
#define POLL_MIN_MS 250
#define POLL_MAX_MS 5000
#define RELEASE_MS 5000
#define RUN_ANNOTATION "raydeploy/run"

enum {
    LEASE_CREATE,
    LEASE_CREATING,
    LEASE_LOOK,
    LEASE_LOOKING,
    LEASE_TAKING,  /* PUT of our name over a free or dead one */
    LEASE_WATCHING, /* pause before the next look at another's */
    LEASE_HELD,    /* pause before the next renewal */
    LEASE_RENEWING,
    LEASE_RELOOKING, /* a renewal met another version: is it still ours? */
    LEASE_RETRY,   /* pause after a renewal that failed for the moment */
    LEASE_RELEASING,
};

void k8s_lease_init(struct k8s_lease *l, struct k8s_client *c, const char *ns, const char *name,
                    const char *identity)
{
    RD_ASSERT(!op_running(&l->op));
    l->client = c;
    l->ns = ns;
    l->name = name;
    rd_str_dup(&l->identity, identity);
    l->duration_ms = DURATION_MS;
}

static const struct k8s_resource *resource(const struct k8s_lease *l)
{
    const struct k8s_resource *r = k8s_resource_find(l->client, "coordination.k8s.io/v1", "Lease");
    RD_ASSERT(r);
    return r;
}

static const char *holder(const json_t *lease)
{
    const char *identity = rd_json_path_str(lease, "spec.holderIdentity");
    return identity ? identity : "";
}

static int64_t now_us(void)
{
    return rd_wall_ms() * 1000;
}

/* What a writer puts there: ours, or with `free` nobody's. `old` is what it replaces, or NULL. */
static json_t *record(struct k8s_lease *l, const json_t *old, bool free)
{
    char now[32];
    rd_rfc3339_us(now_us(), now);
    const char *acquired = rd_json_path_str(old, "spec.acquireTime");
    json_int_t turns = rd_json_path_int(old, "spec.leaseTransitions", 0);
    bool same = old && rd_streq(holder(old), l->identity);
    json_int_t seconds = free ? 1 : (json_int_t)((l->duration_ms + 999) / 1000);
    json_t *spec = rd_json_pack("{s:s, s:I, s:s, s:s, s:I}", "holderIdentity", free ? "" : l->identity,
                                "leaseDurationSeconds", seconds, "acquireTime",
                                same && acquired ? acquired : now, "renewTime", now,
                                "leaseTransitions", old && !same ? turns + 1 : turns);
    json_t *lease = rd_json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:o}", "apiVersion",
                                 "coordination.k8s.io/v1", "kind", "Lease", "metadata", "name",
                                 l->name, "namespace", l->ns, "labels",
                                 "app.kubernetes.io/managed-by", "raydeploy", "spec", spec);
    json_t *metadata = json_object_get(lease, "metadata");
    if (old) {
        json_t *kept = json_copy(json_object_get(old, "metadata"));
        json_object_del(kept, "managedFields");
        json_object_set_new(lease, "metadata", kept);
        metadata = kept;
    }
    json_t *annotations = json_object_get(metadata, "annotations");
    annotations = annotations ? json_copy(annotations) : json_object();
    if (l->run_link && !free)
        json_object_set_new(annotations, RUN_ANNOTATION, json_string(l->run_link));
    else
        json_object_del(annotations, RUN_ANNOTATION);
    json_object_set_new(metadata, "annotations", annotations);
    return lease;
}

static void request(struct k8s_lease *l, int state, const char *method, json_t *take_body,
                    uint64_t timeout_ms)
{
    struct http_url u;
    bool post = rd_streq(method, "POST");
    k8s_url(&u, l->client, resource(l), l->ns, post ? NULL : l->name, NULL);
    k8s_call_clear(&l->call);
    k8s_call_init(&l->call, l->client, method, http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(&l->call, resource(l), l->ns, l->name);
    if (take_body)
        k8s_call_body_json(&l->call, "application/json", take_body);
    json_decref(take_body);
    /* The name is ours: a lost reply is answered by 409 and a look. */
    l->call.http.idem = RETRY_SAFE;
    l->call.not_found_ok = rd_streq(method, "GET");
    l->call.timeout_ms = timeout_ms;
    l->state = state;
    l->sent_ms = op_now_ms(&l->op);
    k8s_call_start(&l->call, &l->op);
}

static void keep_seen(struct k8s_lease *l, json_t *take)
{
    json_decref(l->seen);
    l->seen = take;
}

static void busy_error(struct k8s_lease *l, const char *what)
{
    const char *since = rd_json_path_str(l->seen, "spec.acquireTime");
    const char *run = rd_json_get(l->seen, "metadata", "annotations", NULL)
                          ? rd_json_str(l->seen, "metadata", "annotations", RUN_ANNOTATION, NULL)
                          : NULL;
    struct rd_err *err =
        rd_err_new(RD_ERR_LOCKED, "lease %s/%s: %s: %s since %s%s%s", l->ns, l->name, what,
                   *holder(l->seen) ? holder(l->seen) : "nobody", since ? since : "?",
                   run ? ", " : "", run ? run : "");
    rd_err_resource(err, "Lease/%s/%s", l->ns, l->name);
    rd_err_hint(err, "Wait until that run has ended. If it is dead, run the same command again: a lease "
                     "that nobody renews is taken over after its duration.");
    op_finish(&l->op, err);
}

static uint64_t their_duration_ms(const json_t *lease)
{
    json_int_t s = rd_json_path_int(lease, "spec.leaseDurationSeconds", 60);
    return (uint64_t)(s < 1 ? 1 : s > 3600 ? 3600 : s) * 1000;
}

static void tell_busy(struct k8s_lease *l)
{
    int64_t since_ms = 0;
    const char *since = rd_json_path_str(l->seen, "spec.acquireTime");
    if (since && !rd_rfc3339_parse(since, &since_ms))
        since_ms = 0;
    const char *run = rd_json_str(l->seen, "metadata", "annotations", RUN_ANNOTATION, NULL);
    struct k8s_lease_holder h = {.identity = rd_strdup(holder(l->seen)),
                                 .run_link = rd_strdup(run),
                                 .since_wall_ms = since_ms,
                                 .duration_ms = their_duration_ms(l->seen)};
    if (l->on_busy)
        l->on_busy(l, &h);
    rd_freep(&h.identity);
    rd_freep(&h.run_link);
}

static void take(struct k8s_lease *l)
{
    request(l, LEASE_TAKING, "PUT", record(l, l->seen, false), l->duration_ms);
}

static void pause_then(struct k8s_lease *l, int state, uint64_t delay_ms)
{
    l->state = state;
    if (!op_timer_start(&l->pause, &l->op, delay_ms))
        op_finish(&l->op, op_take_err(&l->pause.op));
}

/* Another's lease: it lives while its record changes. Only our own clock measures how long it did
 * not; the two hosts' clocks are never compared. */
static void judge_other(struct k8s_lease *l, json_t *take_lease)
{
    uint64_t now = op_now_ms(&l->op);
    bool first = l->seen == NULL;
    bool same = !first && rd_streq(rd_json_path_str(l->seen, "metadata.resourceVersion"),
                                   rd_json_path_str(take_lease, "metadata.resourceVersion"));
    bool changed = !first && !same;
    keep_seen(l, take_lease);
    if (!same)
        l->seen_ms = now;
    if (l->holder_dead && l->holder_dead(l, holder(l->seen))) {
        take(l);
        return;
    }
    if (first)
        tell_busy(l);
    if (changed) {
        busy_error(l, "another run holds the lock");
        return;
    }
    uint64_t until = l->seen_ms + their_duration_ms(l->seen);
    if (now >= until) {
        take(l);
        return;
    }
    uint64_t delay = their_duration_ms(l->seen) / 8;
    delay = delay < POLL_MIN_MS ? POLL_MIN_MS : delay > POLL_MAX_MS ? POLL_MAX_MS : delay;
    pause_then(l, LEASE_WATCHING, delay < until - now ? delay : until - now);
}

static void held(struct k8s_lease *l)
{
    keep_seen(l, json_incref(l->call.result));
    l->until_ms = l->sent_ms + l->duration_ms;
    if (l->on_held)
        l->on_held(l, l->until_ms);
    uint64_t next = l->sent_ms + l->duration_ms / 4, now = op_now_ms(&l->op);
    if (!l->op.cancelled && l->op.life == OP_RUNNING)
        pause_then(l, LEASE_HELD, next > now && !l->release ? next - now : 0);
}

static void renew(struct k8s_lease *l)
{
    uint64_t now = op_now_ms(&l->op);
    if (now >= l->until_ms) {
        busy_error(l, "the lock was lost: it could not be renewed in time");
        return;
    }
    uint64_t left = l->until_ms - now;
    request(l, LEASE_RENEWING, "PUT", record(l, l->seen, false), left);
}

static void release(struct k8s_lease *l)
{
    request(l, LEASE_RELEASING, "PUT", record(l, l->seen, true), RELEASE_MS);
}

/* What GET found while we do not hold it. */
static void looked(struct k8s_lease *l)
{
    if (!l->call.result) {
        keep_seen(l, NULL);
        l->state = LEASE_CREATE;
        op_wake(&l->op);
        return;
    }
    json_t *lease = json_incref(l->call.result);
    if (!*holder(lease) || rd_streq(holder(lease), l->identity)) {
        keep_seen(l, lease);
        take(l);
    } else {
        judge_other(l, lease);
    }
}

/* The answer to a renewal that was refused: ours still, or somebody else's? */
static void relooked(struct k8s_lease *l)
{
    if (!l->call.result || !rd_streq(holder(l->call.result), l->identity)) {
        if (l->call.result)
            keep_seen(l, json_incref(l->call.result));
        busy_error(l, "the lock was lost to another run");
        return;
    }
    keep_seen(l, json_incref(l->call.result));
    renew(l);
}

static void renewal_failed(struct k8s_lease *l, struct rd_err *take_err)
{
    uint64_t now = op_now_ms(&l->op);
    if (take_err->kind == RD_ERR_CONFLICT) {
        rd_err_free(take_err);
        if (now < l->until_ms)
            request(l, LEASE_RELOOKING, "GET", NULL, l->until_ms - now);
        else
            busy_error(l, "the lock was lost: it could not be renewed in time");
        return;
    }
    /* A refusal does not take the lease away: it is ours until it runs out. A server that has just come
     * back refuses everybody for some seconds. */
    if ((rd_err_transient(take_err->kind) || take_err->kind == RD_ERR_CREDENTIALS) &&
        now < l->until_ms) {
        rd_err_free(take_err);
        pause_then(l, LEASE_RETRY, l->duration_ms / 20 + 1);
        return;
    }
    take_err->kind = RD_ERR_LOCKED;
    rd_err_wrap(take_err, "lease %s/%s: the lock was lost", l->ns, l->name);
    op_finish(&l->op, take_err);
}

static void answered(struct k8s_lease *l)
{
    struct rd_err *err = op_take_err(&l->call.op);
    bool conflict = err && err->kind == RD_ERR_CONFLICT;
    switch (l->state) {
    case LEASE_CREATING:
    case LEASE_TAKING:
        /* Somebody was faster, or a first attempt of ours got through: look who has it. */
        if (conflict || (err && err->http_status == 404 && l->state == LEASE_TAKING)) {
            rd_err_free(err);
            l->state = LEASE_LOOK;
            op_wake(&l->op);
        } else if (err) {
            op_finish(&l->op, err);
        } else {
            held(l);
        }
        return;
    case LEASE_LOOKING:
        if (err)
            op_finish(&l->op, err);
        else
            looked(l);
        return;
    case LEASE_RENEWING:
        if (err)
            renewal_failed(l, err);
        else
            held(l);
        return;
    case LEASE_RELOOKING:
        if (err)
            renewal_failed(l, err);
        else
            relooked(l);
        return;
    case LEASE_RELEASING:
        /* A release that fails only makes the next run wait. */
        rd_err_free(err);
        op_finish(&l->op, NULL);
        return;
    default:
        RD_UNREACHABLE();
    }
}

static void lease_step(struct op *op)
{
    struct k8s_lease *l = container_of(op, struct k8s_lease, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_running(&l->call.op))
        return;
    if (l->release && (l->state == LEASE_HELD || l->state == LEASE_RETRY)) {
        if (op_running(&l->pause.op))
            op_cancel(&l->pause.op);
        else
            release(l);
        return;
    }
    if (op_running(&l->pause.op))
        return;
    switch (l->state) {
    case LEASE_CREATE:
        request(l, LEASE_CREATING, "POST", record(l, NULL, false), l->duration_ms);
        return;
    case LEASE_LOOK:
    case LEASE_WATCHING:
        if (l->release)
            op_finish(op, NULL);
        else
            request(l, LEASE_LOOKING, "GET", NULL, l->duration_ms);
        return;
    case LEASE_HELD:
    case LEASE_RETRY:
        renew(l);
        return;
    default:
        answered(l);
        return;
    }
}

void k8s_lease_start(struct k8s_lease *l, struct op *parent)
{
    if (l->duration_ms < DURATION_MIN_MS)
        l->duration_ms = DURATION_MIN_MS;
    l->state = LEASE_CREATE;
    l->release = false;
    l->until_ms = 0;
    keep_seen(l, NULL);
    op_start(&l->op, parent, lease_step, "lease");
}

void k8s_lease_release(struct k8s_lease *l)
{
    l->release = true;
    if (l->state == LEASE_WATCHING)
        op_cancel(&l->pause.op);
    op_wake(&l->op);
}

void k8s_lease_clear(struct k8s_lease *l)
{
    RD_ASSERT(!op_running(&l->op));
    k8s_call_clear(&l->call);
    rd_err_free(op_take_err(&l->pause.op));
    rd_err_free(op_take_err(&l->op));
    rd_freep(&l->identity);
    rd_freep(&l->run_link);
    json_decref(l->seen);
    memset(l, 0, sizeof(*l));
}
