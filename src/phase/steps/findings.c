#include "phase/steps/findings.h"

#include "base/alloc.h"

#include <string.h>

void findings_add(struct findings *f, struct rd_err *take)
{
    if (take && f->len < FINDINGS_MAX)
        f->v[f->len++] = take;
    else if (take)
        f->dropped++, rd_err_free(take);
}

/* As the core orders kinds: smaller is graver. */
static int gravity(enum rd_err_kind kind)
{
    return kind == RD_ERR_CREDENTIALS ? 0 : kind == RD_ERR_FOREIGN ? 1 : kind == RD_ERR_INPUT ? 2 : 3;
}

struct rd_err *findings_take(struct findings *f)
{
    if (!f->len)
        return NULL;
    size_t worst = 0;
    for (size_t i = 1; i < f->len; i++)
        if (gravity(f->v[i]->kind) < gravity(f->v[worst]->kind))
            worst = i;
    if (f->len == 1) {
        f->len = 0;
        return f->v[0];
    }
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    RD_AUTOBUF struct rd_buf hints = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(&text, "%zu problems", f->len + f->dropped);
    for (size_t i = 0; i < f->len; i++) {
        rd_buf_printf(&text, "%s (%zu) %s", i ? ";" : ":", i + 1, f->v[i]->message);
        if (f->v[i]->hint)
            rd_buf_printf(&hints, "%s(%zu) %s", hints.len ? " " : "", i + 1, f->v[i]->hint);
    }
    struct rd_err *err = rd_err_new(f->v[worst]->kind, "%s", rd_buf_str(&text));
    if (hints.len)
        rd_err_hint(err, "%s", rd_buf_str(&hints));
    if (f->v[worst]->resource)
        rd_err_resource(err, "%s", f->v[worst]->resource);
    err->http_status = f->v[worst]->http_status;
    if (f->v[worst]->remote)
        err->remote = rd_strdup(f->v[worst]->remote);
    findings_clear(f);
    return err;
}

void findings_clear(struct findings *f)
{
    for (size_t i = 0; i < f->len; i++)
        rd_err_free(f->v[i]);
    memset(f, 0, sizeof *f);
}
