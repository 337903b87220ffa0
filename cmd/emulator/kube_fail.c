/* Refusals: kube_fail on the way, a Status in the answer. */
#include "kube_internal.h"

#include <stdlib.h>

void kube_fail_clear(struct kube_fail *f)
{
    free(f->reason);
    free(f->message);
    json_decref(f->details);
    *f = (struct kube_fail){0};
}

bool kube_fail(struct kube_fail *f, int code, const char *reason, const char *fmt, ...)
{
    kube_fail_clear(f);
    f->code = code;
    f->reason = rd_strdup(reason);
    va_list ap;
    va_start(ap, fmt);
    f->message = rd_vasprintf(fmt, ap);
    va_end(ap);
    return false;
}

void kube_fail_cause(struct kube_fail *f, const char *reason, const char *message, const char *field)
{
    if (f->details == NULL)
        f->details = json_object();
    json_t *causes = json_object_get(f->details, "causes");
    if (causes == NULL) {
        causes = json_array();
        json_object_set_new(f->details, "causes", causes);
    }
    json_t *cause = json_object();
    if (reason != NULL)
        json_object_set_new(cause, "reason", json_string(reason));
    json_object_set_new(cause, "message", json_string(message));
    if (field != NULL)
        json_object_set_new(cause, "field", json_string(field));
    json_array_append_new(causes, cause);
}

void kube_refuse(struct kube_refusal *r, int code, const char *reason, const char *fmt, ...)
{
    free(r->reason);
    free(r->message);
    r->code = code;
    r->reason = rd_strdup(reason);
    va_list ap;
    va_start(ap, fmt);
    r->message = rd_vasprintf(fmt, ap);
    va_end(ap);
}
