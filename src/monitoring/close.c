/* The lock, and the end of every path. */
#include "monitoring/install.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "phase/drive/holder.h"

#include <string.h>

#define JOB_END_MS 10000 /* within the 15 s that a stop may take */

static void on_held(struct k8s_lease *lease, uint64_t until_ms)
{
    struct mon_lock *l = container_of(lease, struct mon_lock, lease);
    (void)until_ms;
    l->held = true;
    if (lease->op.parent)
        op_wake(lease->op.parent);
}

static void on_busy(struct k8s_lease *lease, const struct k8s_lease_holder *h)
{
    struct mon *m = lease->ctx;
    RD_AUTOFREE char *who = holder_person(h->identity);
    char since[32], wait[32];
    rd_rfc3339_ms(h->since_wall_ms, since);
    rd_duration_text(h->duration_ms, wait);
    mon_say(m, NOTE_WARN,
            "the lock of monitoring is held by %s since %s; if it is dead it is taken over after %s",
            who, since, wait);
}

static bool holder_dead(struct k8s_lease *lease, const char *identity)
{
    (void)lease;
    return holder_is_dead(identity);
}

void mon_lock_start(struct mon_lock *l, struct mon *m, struct op *parent)
{
    RD_AUTOFREE char *name = mon_lease_name(m);
    rd_str_take(&m->holder, holder_identity());
    k8s_lease_init(&l->lease, m->client, m->config->monitoring.ns, NULL, m->holder);
    l->set = true;
    l->lease.name = rd_strdup(name);
    if (m->config->lease_duration_ms)
        l->lease.duration_ms = m->config->lease_duration_ms;
    l->lease.on_held = on_held;
    l->lease.on_busy = on_busy;
    l->lease.holder_dead = holder_dead;
    l->lease.ctx = m;
    k8s_lease_start(&l->lease, parent);
}

void mon_lock_free(struct mon_lock *l)
{
    if (!l->set)
        return;
    char *name = (char *)l->lease.name;
    k8s_lease_clear(&l->lease);
    free(name);
    *l = (struct mon_lock){0};
}

/* ---- The end of every path ---- */

enum { CLOSE_BEGIN, CLOSE_CLEARED, CLOSE_LOOKED, CLOSE_GIVEN };

void mon_close_free(struct mon_close *x)
{
    mon_helm_clear_free(&x->clear);
    k8s_call_clear(&x->look);
    k8s_call_clear(&x->del);
    rd_err_free(x->failure);
    rd_err_free(op_take_err(&x->op));
    *x = (struct mon_close){0};
}

static const struct k8s_resource *leases(struct mon_close *x)
{
    return k8s_resource_find(x->m->client, "coordination.k8s.io/v1", "Lease");
}

static void end(struct mon_close *x)
{
    op_finish(&x->op, x->failure);
    x->failure = NULL;
}

static void look(struct mon_close *x)
{
    if (!x->m->holder) {
        end(x);
        return;
    }
    RD_AUTOFREE char *name = mon_lease_name(x->m);
    x->state = CLOSE_LOOKED;
    k8s_get_init(&x->look, x->m->client, leases(x), x->m->config->monitoring.ns, name);
    x->look.not_found_ok = true;
    k8s_call_start(&x->look, &x->op);
}

/* Only the Lease that we looked at and that was ours: its version goes with the request. */
static void give_back(struct mon_close *x)
{
    const json_t *live = x->look.result;
    if (!live || !rd_streq(rd_json_str(live, "spec", "holderIdentity", NULL), x->m->holder)) {
        end(x);
        return;
    }
    RD_AUTOFREE char *name = mon_lease_name(x->m);
    struct http_url u;
    k8s_url(&u, x->m->client, leases(x), x->m->config->monitoring.ns, name, NULL);
    k8s_call_init(&x->del, x->m->client, "DELETE", http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(&x->del, leases(x), x->m->config->monitoring.ns, name);
    RD_AUTOJSON json_t *body = rd_json_pack(
        "{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "DeleteOptions", "preconditions",
        "uid", rd_json_str(live, "metadata", "uid", NULL), "resourceVersion",
        rd_json_str(live, "metadata", "resourceVersion", NULL));
    k8s_call_body_json(&x->del, "application/json", body);
    x->del.http.idem = RETRY_SAFE;
    x->del.not_found_ok = true;
    x->state = CLOSE_GIVEN;
    k8s_call_start(&x->del, &x->op);
}

static void close_step(struct op *op)
{
    struct mon_close *x = container_of(op, struct mon_close, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        end(x);
        return;
    }
    switch (x->state) {
    case CLOSE_BEGIN:
        x->state = CLOSE_CLEARED;
        if (x->m->helm_dirty) {
            mon_helm_clear_start(&x->clear, x->m, JOB_END_MS, op);
            return;
        }
        look(x);
        return;
    case CLOSE_CLEARED:
        if ((err = op_take_err(&x->clear.op))) {
            rd_err_wrap(err, "the account of the Helm job could not be taken away");
            rd_err_hint(err, "Run the same command again, which begins with that.");
            rd_err_keep(&x->failure, &err);
        }
        look(x);
        return;
    case CLOSE_LOOKED:
        err = op_take_err(&x->look.op);
        rd_err_free(err); /* then it runs out by itself */
        give_back(x);
        return;
    case CLOSE_GIVEN:
        rd_err_free(op_take_err(&x->del.op));
        end(x);
        return;
    }
    RD_UNREACHABLE();
}

void mon_close_start(struct mon_close *x, struct mon *m, struct op *parent)
{
    *x = (struct mon_close){.m = m};
    op_start(&x->op, parent, close_step, "close");
    op_set_timeout(&x->op, 30000);
}
