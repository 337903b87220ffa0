#include "proof.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

#include <string.h>

/* Lists lag behind deletions by seconds. */
#define SETTLE_MS 60000

enum { P_BEGIN, P_SCAN, P_PAUSE, P_HOLDINGS };

void proof_init(struct proof *p, struct verb_ctx *v)
{
    memset(p, 0, sizeof(*p));
    p->v = v;
    p->ctx = (struct step_ctx){
        .loop = v->loop, .config = &v->config, .facts = json_object(), .notes = v->notes};
}

static void forget(struct proof *p)
{
    for (size_t i = 0; p->lists && i < p->scan.len; i++)
        gcp_list_clear(&p->lists[i]);
    free(p->lists);
    p->lists = NULL;
    if (p->scanned)
        scan_clear(&p->scan);
    p->scanned = false;
}

void proof_clear(struct proof *p)
{
    forget(p);
    rd_err_freep(&p->pause.op.err);
    gcp_client_free(p->ctx.gcp);
    p->ctx.gcp = NULL;
    json_decref(p->ctx.facts);
    p->ctx.facts = NULL;
}

/* ---- What an item means ---- */

static bool keeps(const struct proof *p, const char *word)
{
    size_t i;
    const json_t *v;
    json_array_foreach (p->keep, i, v)
        if (rd_streq(json_string_value(v), word))
            return true;
    return false;
}

static bool is_kept(const struct proof *p, const struct scan_item *i)
{
    switch (i->kind) {
    case SCAN_FILESTORE:
    case SCAN_NETWORK: /* a share stays in its network */
        return keeps(p, "filestore");
    case SCAN_BUCKET:
        return keeps(p, "bucket");
    case SCAN_REGISTRY:
        return keeps(p, "registry") || p->v->config.registry.keep;
    default:
        return false;
    }
}

enum proof_fate proof_fate(const struct proof *p, const struct scan_item *i)
{
    if (i->management)
        return p->management ? PROOF_GOES : PROOF_SHARED;
    return is_kept(p, i) ? PROOF_KEPT : PROOF_GOES;
}

size_t proof_count(const struct proof *p, enum proof_fate fate)
{
    size_t n = 0;
    for (size_t i = 0; i < p->scan.len; i++)
        n += proof_fate(p, &p->scan.items[i]) == fate;
    return n;
}

/* ---- The op ---- */

static bool holds_objects(const struct scan_item *i)
{
    return !i->management && (i->kind == SCAN_BUCKET || i->kind == SCAN_REGISTRY);
}

static bool start_holdings(struct proof *p, struct op *op)
{
    const struct config *c = &p->v->config;
    bool any = false;
    p->lists = rd_calloc(p->scan.len + 1, sizeof(*p->lists));
    for (size_t i = 0; p->holdings && i < p->scan.len; i++) {
        const struct scan_item *item = &p->scan.items[i];
        if (!holds_objects(item))
            continue;
        if (item->kind == SCAN_BUCKET)
            gcp_objects_list(&p->lists[i], p->ctx.gcp, item->name, "");
        else
            gcp_docker_images_list(&p->lists[i], p->ctx.gcp, c->project, item->where, item->name);
        p->lists[i].not_found_ok = true;
        gcp_list_start(&p->lists[i], op);
        any = true;
    }
    return any;
}

static void read_holdings(struct proof *p)
{
    for (size_t i = 0; i < p->scan.len; i++) {
        struct scan_item *item = &p->scan.items[i];
        if (!holds_objects(item) || p->lists[i].op.err || item->detail)
            continue;
        item->detail = rd_json_pack("{s:I}", item->kind == SCAN_BUCKET ? "objects" : "images",
                                    (json_int_t)json_array_size(p->lists[i].items));
    }
}

static void proof_step(struct op *op)
{
    struct proof *p = container_of(op, struct proof, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (p->state) {
    case P_BEGIN:
        p->since_ms = op_now_ms(op);
        /* fall through */
    case P_PAUSE:
        forget(p);
        p->state = P_SCAN;
        p->scanned = true;
        scan_start(&p->scan, op, &p->ctx);
        return;
    case P_SCAN: {
        uint64_t waited = op_now_ms(op) - p->since_ms;
        if ((err = op_take_err(&p->scan.op))) {
            op_finish(op, err);
            return;
        }
        if (p->settle && proof_count(p, PROOF_GOES) && waited < SETTLE_MS) {
            p->state = P_PAUSE;
            if (op_timer_start(&p->pause, op, gcp_poll_pause_ms(waited) * 10))
                return;
        }
        p->state = P_HOLDINGS;
        if (!start_holdings(p, op))
            op_finish(op, NULL);
        return;
    }
    case P_HOLDINGS:
        read_holdings(p);
        op_finish(op, NULL);
        return;
    }
    RD_UNREACHABLE();
}

static void start(struct op *parent, void *ctx)
{
    struct proof *p = ctx;
    p->state = P_BEGIN;
    op_start(&p->op, parent, proof_step, "scan");
}

int proof_run(struct proof *p)
{
    return verb_run_op(p->v, &p->op, start, p);
}

/* ---- Telling ---- */

static void put_item(struct rd_buf *out, const struct scan_item *i)
{
    rd_buf_puts(out, scan_kind_name(i->kind));
    rd_buf_putc(out, ' ');
    ui_clean(out, i->name);
    rd_buf_puts(out, " (");
    ui_clean(out, i->where);
    const char *key;
    json_t *n;
    json_object_foreach (i->detail, key, n) {
        if (json_is_string(n))
            rd_buf_printf(out, ", %s %s", json_string_value(n), key);
        else if (json_is_integer(n))
            rd_buf_printf(out, ", %" JSON_INTEGER_FORMAT " %s", json_integer_value(n), key);
    }
    rd_buf_putc(out, ')');
}

void proof_put_data(const struct proof *p, struct rd_buf *out)
{
    for (size_t i = 0; i < p->scan.len; i++) {
        const struct scan_item *item = &p->scan.items[i];
        /* The disks of machines hold nothing of anybody's; those of claims do. */
        bool claims = item->kind == SCAN_DISK &&
                      (!rd_starts_with(item->name, "gke-") || strstr(item->name, "-pvc-"));
        bool data = item->kind == SCAN_FILESTORE || item->kind == SCAN_BUCKET ||
                    item->kind == SCAN_REGISTRY || claims;
        if (!data || item->management || proof_fate(p, item) != PROOF_GOES)
            continue;
        rd_buf_puts(out, "  ");
        put_item(out, item);
        rd_buf_putc(out, '\n');
    }
}

void proof_put_kept(const struct proof *p, struct rd_buf *out)
{
    for (size_t i = 0; i < p->scan.len; i++) {
        const struct scan_item *item = &p->scan.items[i];
        if (proof_fate(p, item) == PROOF_GOES || !item->billed)
            continue;
        put_item(out, item);
        rd_buf_putc(out, '\n');
    }
}

void proof_put_left(const struct proof *p, struct rd_buf *out)
{
    for (size_t i = 0; i < p->scan.len; i++) {
        const struct scan_item *item = &p->scan.items[i];
        if (proof_fate(p, item) != PROOF_GOES)
            continue;
        put_item(out, item);
        rd_buf_puts(out, item->billed ? ", billed, ours by " : ", ours by ");
        rd_buf_puts(out, item->why);
        rd_buf_puts(out, "\n    ");
        ui_clean(out, item->command);
        rd_buf_putc(out, '\n');
    }
}

static json_t *item_json(const struct scan_item *i)
{
    json_t *o = rd_json_pack("{s:s, s:s, s:s, s:b, s:s, s:s}", "kind", scan_kind_name(i->kind), "name",
                             i->name, "where", i->where, "billed", (int)i->billed, "because", i->why,
                             "command", i->command);
    if (i->detail)
        json_object_set(o, "holds", i->detail);
    return o;
}

json_t *proof_json(const struct proof *p)
{
    json_t *left = json_array(), *kept = json_array(), *seen = json_object(), *unknown = json_array();
    for (size_t i = 0; i < p->scan.len; i++)
        json_array_append_new(
            proof_fate(p, &p->scan.items[i]) == PROOF_GOES ? left : kept,
            item_json(&p->scan.items[i]));
    for (unsigned k = 0; k < SCAN_KIND_MAX; k++)
        json_object_set_new(seen, scan_kind_name(k), json_integer((json_int_t)p->scan.seen[k]));
    for (size_t i = 0; i < p->scan.unknown.len; i++)
        json_array_append_new(unknown, json_string(p->scan.unknown.v[i]));
    return rd_json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "deployment", p->v->config.name,
                        "project", p->v->config.project, "region", p->v->config.region, "scanned", seen,
                        "left", left, "kept", kept, "unknown", unknown);
}

bool proof_receipt(const struct proof *p, const struct deploy *d, const char *path,
                   struct rd_err **reterr)
{
    char now[32];
    RD_AUTOJSON json_t *o = proof_json(p);
    json_t *deleted = json_array();
    for (size_t i = 0; d && i < d->resource_count; i++)
        if (rd_streq(d->resources[i].outcome, "deleted"))
            json_array_append_new(deleted, json_string(d->resources[i].title));
    rd_rfc3339_ms(rd_wall_ms(), now);
    json_object_set_new(o, "time", json_string(now));
    json_object_set_new(o, "deleted", deleted);
    if (d) {
        json_object_set_new(o, "elapsed_ms", json_integer((json_int_t)d->result.elapsed_ms));
        json_t *steps = json_array();
        for (unsigned i = 0; i < d->result.step_count; i++)
            if (d->spans[i].ended_ms)
                json_array_append_new(
                    steps, rd_json_pack("{s:s, s:s, s:I}", "step", d->result.steps[i].id, "state",
                                        step_state_name(d->result.steps[i].state), "elapsed_ms",
                                        (json_int_t)(d->spans[i].ended_ms - d->spans[i].begun_ms)));
        json_object_set_new(o, "steps", steps);
    }
    RD_AUTOFREE char *text = json_dumps(o, JSON_INDENT(2) | JSON_SORT_KEYS);
    return rd_file_write_atomic(path, text, strlen(text), 0644, reterr);
}
