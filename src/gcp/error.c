/* The one decoder: reading. What it means is decided in situation.c. */
#include "gcp/said.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define BODY_SHOWN_MAX 512
#define RATE_PAUSE_MS 30000 /* windows are a minute wide */

void gcp_fault_clear(struct gcp_fault *f)
{
    free(f->service);
    free(f->permission);
    free(f->operation);
    free(f->metric);
    free(f->help_url);
    memset(f, 0, sizeof *f);
}

/* ---- Reading ---- */

static const struct {
    int code;
    const char *name;
    long http;
} grpc_codes[] = {
    {1, "CANCELLED", 499},           {2, "UNKNOWN", 500},
    {3, "INVALID_ARGUMENT", 400},    {4, "DEADLINE_EXCEEDED", 504},
    {5, "NOT_FOUND", 404},           {6, "ALREADY_EXISTS", 409},
    {7, "PERMISSION_DENIED", 403},   {8, "RESOURCE_EXHAUSTED", 429},
    {9, "FAILED_PRECONDITION", 400}, {10, "ABORTED", 409},
    {11, "OUT_OF_RANGE", 400},       {12, "UNIMPLEMENTED", 501},
    {13, "INTERNAL", 500},           {14, "UNAVAILABLE", 503},
    {15, "DATA_LOSS", 500},          {16, "UNAUTHENTICATED", 401},
};

/* "30s", "3.5s"; 0 when malformed. */
static uint64_t duration_ms(const char *text)
{
    char *end;
    double s = text != NULL ? strtod(text, &end) : 0;
    return text != NULL && *end == 's' && s > 0 && s < 86400 ? (uint64_t)(s * 1000) : 0;
}

static void add_violations(struct rd_buf *out, const json_t *detail, const char *list,
                           const char *subject)
{
    const json_t *v;
    size_t i;
    json_array_foreach (json_object_get(detail, list), i, v) {
        const char *who = json_string_value(json_object_get(v, subject));
        const char *what = json_string_value(json_object_get(v, "description"));
        if (who != NULL || what != NULL)
            rd_buf_printf(out, "; %s%s%s", who != NULL ? who : "", who != NULL && what ? ": " : "",
                          what != NULL ? what : "");
    }
}

static void read_detail(const json_t *d, struct gcp_said *s, struct gcp_fault *f)
{
    const char *type = json_string_value(json_object_get(d, "@type"));
    if (type == NULL)
        return;
    if (rd_ends_with(type, "google.rpc.ErrorInfo")) {
        const char *reason = json_string_value(json_object_get(d, "reason"));
        if (reason != NULL && *reason != '\0') {
            s->reason = reason;
            s->metadata = json_object_get(d, "metadata");
        }
    } else if (rd_ends_with(type, "google.rpc.RetryInfo")) {
        s->retry_ms = duration_ms(json_string_value(json_object_get(d, "retryDelay")));
    } else if (rd_ends_with(type, "google.rpc.QuotaFailure")) {
        add_violations(&s->details, d, "violations", "subject");
    } else if (rd_ends_with(type, "google.rpc.PreconditionFailure")) {
        add_violations(&s->details, d, "violations", "type");
    } else if (rd_ends_with(type, "google.rpc.BadRequest")) {
        add_violations(&s->details, d, "fieldViolations", "field");
    } else if (rd_ends_with(type, "google.rpc.Help") && f->help_url == NULL) {
        const json_t *link = json_array_get(json_object_get(d, "links"), 0);
        f->help_url = rd_strdup(json_string_value(json_object_get(link, "url")));
    }
}

static void read_error(const json_t *error, struct gcp_said *s, struct gcp_fault *f)
{
    s->message = json_string_value(json_object_get(error, "message"));
    s->status = json_string_value(json_object_get(error, "status"));
    const json_t *d, *first = json_array_get(json_object_get(error, "errors"), 0);
    size_t i;
    json_array_foreach (json_object_get(error, "details"), i, d)
        read_detail(d, s, f);
    if (s->reason == NULL)
        s->reason = json_string_value(json_object_get(first, "reason"));
    if (s->reason == NULL)
        s->reason = json_string_value(json_object_get(first, "code")); /* compute operations */
    if (s->message == NULL)
        s->message = json_string_value(json_object_get(first, "message"));
    json_array_foreach (json_object_get(first, "errorDetails"), i, d) {
        const json_t *info = json_object_get(d, "errorInfo");
        const json_t *quota = json_object_get(d, "quotaInfo");
        if (json_is_object(info))
            s->metadata = json_object_get(info, "metadatas");
        if (json_is_object(quota) && f->metric == NULL)
            f->metric = rd_strdup(json_string_value(json_object_get(quota, "metricName")));
    }
    json_int_t code = rd_json_path_int(error, "code", 0);
    for (size_t k = 0; k < RD_ARRAY_LEN(grpc_codes); k++) {
        if (s->http == 0 && (code == grpc_codes[k].code || rd_streq(s->status, grpc_codes[k].name)))
            s->http = grpc_codes[k].http;
        if (code == grpc_codes[k].code && s->status == NULL)
            s->status = grpc_codes[k].name;
    }
    if (s->http == 0)
        s->http = (long)code;
}

enum call_judgement gcp_decode_error(long status, const char *content_type, const char *body,
                                     size_t len, uint64_t retry_after_ms, const char *what,
                                     struct gcp_fault *fault, struct rd_err **ret_err)
{
    struct gcp_said s = {.http = status, .details = RD_BUF_INIT(GCP_SHOWN_MAX)};
    struct rd_err *ignored = NULL;
    RD_AUTOJSON json_t *root = len > 0 ? rd_json_parse(body, len, "answer", &ignored) : NULL;
    rd_err_free(ignored);
    const json_t *error = json_object_get(root, "error");
    RD_AUTOFREE char *plain = NULL;
    memset(fault, 0, sizeof *fault);
    if (json_is_object(error)) {
        read_error(error, &s, fault);
        s.http = status;
    } else if (json_is_string(error)) {
        s.reason = json_string_value(error);
        s.message = json_string_value(json_object_get(root, "error_description"));
    } else {
        /* A front end's page: its beginning tells a person most. */
        RD_AUTOBUF struct rd_buf safe = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        rd_redact(&safe, len > 0 ? body : "", len);
        RD_AUTOFREE char *start =
            rd_strndup(rd_buf_str(&safe), safe.len < BODY_SHOWN_MAX ? safe.len : BODY_SHOWN_MAX);
        plain = rd_asprintf("status %ld%s%s%s%s", status, content_type != NULL ? ", " : "",
                            content_type != NULL ? content_type : "", *start != '\0' ? ": " : "",
                            start);
        s.message = plain;
    }
    bool retry;
    *ret_err = gcp_said_judge(&s, what, fault, &retry);
    if ((*ret_err)->retry_after_ms == 0)
        (*ret_err)->retry_after_ms =
            retry_after_ms == 0 && fault->situation == GCP_RATE ? RATE_PAUSE_MS : retry_after_ms;
    rd_buf_clear(&s.details);
    return retry ? CALL_RETRY : CALL_FINAL;
}

struct rd_err *gcp_decode_status(const json_t *error, long http_status, const char *what,
                                 struct gcp_fault *fault)
{
    struct gcp_said s = {.http = http_status, .details = RD_BUF_INIT(GCP_SHOWN_MAX)};
    memset(fault, 0, sizeof *fault);
    read_error(error, &s, fault);
    bool retry;
    struct rd_err *err = gcp_said_judge(&s, what, fault, &retry);
    rd_buf_clear(&s.details);
    return err;
}
