/* A package goes to the cluster once. */
#include <string.h>

#include "base/alloc.h"
#include "ray/package.h"

#define UPLOAD_MS 600000 /* 100 MiB over a slow line */

enum upload_state { UPLOAD_BEGIN, UPLOAD_LOOKED, UPLOAD_SENT };

static void upload_call(struct ray_upload *u, const char *method)
{
    RD_AUTOFREE char *path = rd_asprintf("/api/packages/gcs/%s", u->package->name);
    ray_call_clear(&u->call);
    ray_call_init(&u->call, u->dash, method, path);
    u->call.raw = true;
}

static void upload_step(struct op *op)
{
    struct ray_upload *u = container_of(op, struct ray_upload, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, op->timed_out ? op_take_err(&u->call.op) : NULL);
        return;
    }
    switch ((enum upload_state)u->state) {
    case UPLOAD_BEGIN:
        u->state = UPLOAD_LOOKED;
        upload_call(u, "GET");
        u->call.not_found_ok = true;
        ray_call_start(&u->call, op);
        return;
    case UPLOAD_LOOKED:
        if (!op_ended(&u->call.op))
            return;
        err = op_take_err(&u->call.op);
        u->present = !err && u->call.http.req.status == 200;
        if (err || u->present) {
            op_finish(op, err);
            return;
        }
        u->state = UPLOAD_SENT;
        upload_call(u, "PUT"); /* the same bytes under the same name: may be repeated */
        u->call.body = rd_malloc(u->package->zip.len + 1);
        memcpy(u->call.body, u->package->zip.data, u->package->zip.len);
        u->call.body_len = u->package->zip.len;
        u->call.body_type = "application/octet-stream";
        ray_call_start(&u->call, op);
        op_set_timeout(&u->call.op, UPLOAD_MS);
        return;
    case UPLOAD_SENT:
        if (op_ended(&u->call.op)) {
            err = op_take_err(&u->call.op);
            if (err)
                rd_err_wrap(err, "package %s", u->package->name);
            op_finish(op, err);
        }
        return;
    }
    RD_UNREACHABLE();
}

void ray_upload_start(struct ray_upload *u, struct op *parent, struct ray_dashboard *d,
                      const struct ray_package *p)
{
    *u = (struct ray_upload){.dash = d, .package = p};
    op_start(&u->op, parent, upload_step, "package upload");
}

void ray_upload_clear(struct ray_upload *u)
{
    ray_call_clear(&u->call);
    rd_err_free(op_take_err(&u->op));
}
