#include "base/err.h"

#include "base/alloc.h"

#include <stdlib.h>

static const struct {
    int exit_code;
    bool transient;
    const char *word;
} kinds[RD_ERR_KIND_MAX] = {
#define X(name, code, again, text) [name] = {code, again, text},
    RD_ERR_KINDS(X)
#undef X
};

static struct rd_err *err_vnew(enum rd_err_kind kind, const char *fmt, va_list ap)
{
    RD_ASSERT(kind < RD_ERR_KIND_MAX);
    struct rd_err *err = rd_calloc(1, sizeof(*err));
    err->kind = kind;
    err->message = rd_vasprintf(fmt, ap);
    return err;
}

struct rd_err *rd_err_new(enum rd_err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct rd_err *err = err_vnew(kind, fmt, ap);
    va_end(ap);
    return err;
}

bool rd_fail(struct rd_err **reterr, enum rd_err_kind kind, const char *fmt, ...)
{
    RD_ASSERT(reterr != NULL);
    RD_ASSERT(*reterr == NULL);
    va_list ap;
    va_start(ap, fmt);
    *reterr = err_vnew(kind, fmt, ap);
    va_end(ap);
    return false;
}

void rd_err_wrap(struct rd_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *context = rd_vasprintf(fmt, ap);
    va_end(ap);
    rd_str_take(&err->message, rd_asprintf("%s: %s", context, err->message));
}

void rd_err_hint(struct rd_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    rd_str_take(&err->hint, rd_vasprintf(fmt, ap));
    va_end(ap);
}

void rd_err_resource(struct rd_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    rd_str_take(&err->resource, rd_vasprintf(fmt, ap));
    va_end(ap);
}

void rd_err_keep(struct rd_err **dst, struct rd_err **take)
{
    if (*dst == NULL)
        *dst = *take;
    else if (*dst != *take)
        rd_err_free(*take);
    *take = NULL;
}

struct rd_err *rd_err_dup(const struct rd_err *err)
{
    struct rd_err *first = NULL;
    struct rd_err **end = &first;
    for (; err != NULL; err = err->cause) {
        struct rd_err *copy = rd_calloc(1, sizeof(*copy));
        *copy = *err;
        copy->message = rd_strdup(err->message);
        copy->hint = rd_strdup(err->hint);
        copy->reason = rd_strdup(err->reason);
        copy->resource = rd_strdup(err->resource);
        copy->remote = rd_strdup(err->remote);
        copy->cause = NULL;
        *end = copy;
        end = &copy->cause;
    }
    return first;
}

void rd_err_free(struct rd_err *err)
{
    while (err != NULL) {
        struct rd_err *cause = err->cause;
        free(err->message);
        free(err->hint);
        free(err->reason);
        free(err->resource);
        free(err->remote);
        free(err);
        err = cause;
    }
}

void rd_err_freep(struct rd_err **err)
{
    rd_err_free(*err);
    *err = NULL;
}

int rd_err_exit_code(enum rd_err_kind kind)
{
    RD_ASSERT(kind < RD_ERR_KIND_MAX);
    return kinds[kind].exit_code;
}

bool rd_err_transient(enum rd_err_kind kind)
{
    RD_ASSERT(kind < RD_ERR_KIND_MAX);
    return kinds[kind].transient;
}

const char *rd_err_kind_name(enum rd_err_kind kind)
{
    RD_ASSERT(kind < RD_ERR_KIND_MAX);
    return kinds[kind].word;
}
