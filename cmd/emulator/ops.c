#include "ops.h"

#include "chain.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>

#define OPERATIONS "_operations" /* no resource: not in state.json */

static void set_stamp(json_t *o, const char *dotted)
{
    char now[32];
    emu_stamp_us(now);
    rd_json_path_set(o, dotted, json_string(now));
}

static void finish_longrunning(struct gcp_op *op, json_t *body)
{
    json_object_set_new(body, "done", json_true());
    const char *type = rd_json_path_str(body, "metadata.@type");
    if (type != NULL && rd_ends_with(type, "google.cloud.common.OperationMetadata"))
        set_stamp(body, "metadata.endTime");
    if (op->fail_status != NULL)
        json_object_set_new(body, "error", gcp_grpc_status(op->fail_status, op->fail_message));
    else if (op->response != NULL)
        json_object_set(body, "response", op->response);
}

static void finish_container(struct gcp_op *op, json_t *body)
{
    json_object_set_new(body, "status", json_string("DONE"));
    set_stamp(body, "endTime");
    if (op->fail_status != NULL) {
        json_object_set_new(body, "error", gcp_grpc_status(op->fail_status, op->fail_message));
        json_object_set_new(body, "statusMessage", json_string(op->fail_message));
    }
}

static void finish_compute(struct gcp_op *op, json_t *body)
{
    json_object_set_new(body, "status", json_string("DONE"));
    json_object_set_new(body, "progress", json_integer(100));
    set_stamp(body, "endTime");
    if (op->fail_status != NULL) {
        int code = rd_streq(op->fail_status, "QUOTA_EXCEEDED") ? 403 : 400;
        json_object_set_new(body, "error",
                            rd_json_pack("{s:[{s:s, s:s}]}", "errors", "code", op->fail_status,
                                         "message", op->fail_message));
        json_object_set_new(body, "httpErrorStatusCode", json_integer(code));
        json_object_set_new(body, "httpErrorMessage",
                            json_string(code == 403 ? "FORBIDDEN" : "BAD REQUEST"));
    }
}

static void op_free(struct gcp_op *op)
{
    emu_timer_stop(&op->timer);
    rd_list_remove(&op->node);
    free(op->key);
    free(op->target);
    json_decref(op->args);
    json_decref(op->response);
    free(op->fail_status);
    free(op->fail_message);
    free(op);
}

static void on_due(struct emu_timer *t)
{
    struct gcp_op *op = container_of(t, struct gcp_op, timer);
    if (op->fail_wanted)
        gcp_op_fail(op, "INTERNAL", "Internal error encountered (fault by rule of the emulator).");
    if (op->done != NULL)
        op->done(op);
    json_t *body = gcp_op_get(op->emu, op->key);
    RD_ASSERT(body != NULL);
    json_object_del(body, "_running");
    switch (op->form) {
    case GCP_OP_LONGRUNNING:
        finish_longrunning(op, body);
        break;
    case GCP_OP_CONTAINER:
        finish_container(op, body);
        break;
    case GCP_OP_COMPUTE:
        finish_compute(op, body);
        break;
    }
    op_free(op);
}

/* Whether an operation makes its target, rather than changing or deleting it. */
static bool makes(const json_t *body, const char *target)
{
    const char *type = rd_json_str(body, "operationType", NULL);
    return rd_streq(target, "services") || rd_streq(type, "insert") ||
           (type != NULL && rd_starts_with(type, "CREATE_")) ||
           rd_streq(rd_json_path_str(body, "metadata.verb"), "create");
}

struct gcp_op *gcp_op_start(struct gcp_call *c, enum gcp_op_form form, const char *key,
                            json_t *take_body, const char *target, uint64_t delay_ms,
                            gcp_op_fn *done, json_t *take_args)
{
    struct gcp_op *op = rd_calloc(1, sizeof(*op));
    *op = (struct gcp_op){.emu = c->emu,
                          .form = form,
                          .key = rd_strdup(key),
                          .target = rd_strdup(target),
                          .done = done,
                          .args = take_args,
                          .fail_wanted = c->req->fault.effect == EMU_OP_FAIL};
    rd_list_init(&op->node);
    rd_list_append(&c->emu->ops, &op->node);
    json_object_set_new(take_body, "_running", json_string(target));
    emu_store_put(&c->emu->store, OPERATIONS, key, take_body);
    uint64_t ms = emu_jitter(c->emu, delay_ms, 10);
    if (makes(take_body, target))
        emu_chain_add_resource(c->emu, target, ms);
    emu_timer_start(&c->emu->clock, &op->timer, ms, on_due);
    return op;
}

void gcp_ops_clear(struct emu *e)
{
    while (!rd_list_empty(&e->ops))
        op_free(container_of(e->ops.next, struct gcp_op, node));
}

void gcp_op_fail(struct gcp_op *op, const char *status, const char *fmt, ...)
{
    if (op->fail_status != NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    op->fail_message = rd_vasprintf(fmt, ap);
    va_end(ap);
    op->fail_status = rd_strdup(status);
}

json_t *gcp_op_get(struct emu *e, const char *key)
{
    return emu_store_get(&e->store, OPERATIONS, key);
}

const char *gcp_op_running(struct emu *e, const char *target)
{
    const char *key;
    json_t *body;
    RD_AUTOFREE char *below = rd_asprintf("%s/", target);
    json_object_foreach (emu_store_all(&e->store, OPERATIONS), key, body) {
        const char *at = rd_json_str(body, "_running", NULL);
        if (at != NULL && (rd_streq(at, target) || rd_starts_with(at, below)))
            return key;
    }
    return NULL;
}

const struct gcp_op *gcp_op_at(const struct emu *e, const char *path)
{
    rd_list_foreach (it, &e->ops) {
        const struct gcp_op *op = container_of(it, struct gcp_op, node);
        if (rd_ends_with(path, op->key))
            return op;
    }
    return NULL;
}

void gcp_longrunning_get(struct gcp_call *c)
{
    const json_t *body = gcp_op_get(c->emu, c->resource);
    if (body == NULL)
        gcp_fail(c, "NOT_FOUND", "Operation %s not found.", c->resource);
    else
        gcp_ok(c, emu_public(body));
}
