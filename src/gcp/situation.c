/* The one decoder: meaning. Decided by reason, which is stable; texts are looked at only where
 * Google gives nothing else (the reference names those). */
#include "gcp/said.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const char *const situation_names[GCP_SITUATION_MAX] = {
    [GCP_OTHER] = "other",
    [GCP_API_OFF] = "api off",
    [GCP_BILLING_OFF] = "billing off",
    [GCP_PERMISSION] = "permission",
    [GCP_IDENTITY] = "identity",
    [GCP_ABSENT] = "absent",
    [GCP_EXISTS] = "exists",
    [GCP_ACCOUNT_UNSEEN] = "account unseen",
    [GCP_RACE] = "race",
    [GCP_BUSY] = "busy",
    [GCP_WRONG_STATE] = "wrong state",
    [GCP_RATE] = "rate",
    [GCP_QUOTA] = "quota",
    [GCP_STOCKOUT] = "stockout",
    [GCP_ORG_POLICY] = "organisation policy",
    [GCP_INVALID] = "invalid",
    [GCP_TRANSIENT] = "transient",
};

const char *gcp_situation_name(enum gcp_situation s)
{
    RD_ASSERT(s < GCP_SITUATION_MAX);
    return situation_names[s];
}

struct reason_row {
    const char *reason;
    enum gcp_situation situation;
    bool retry;
};
static const struct reason_row reason_rows[] = {
    {"SERVICE_DISABLED", GCP_API_OFF, false},
    {"accessNotConfigured", GCP_API_OFF, false},
    {"BILLING_DISABLED", GCP_BILLING_OFF, false},
    {"UREQ_PROJECT_BILLING_NOT_FOUND", GCP_BILLING_OFF, false},
    {"RATE_LIMIT_EXCEEDED", GCP_RATE, true},
    {"rateLimitExceeded", GCP_RATE, true},
    {"userRateLimitExceeded", GCP_RATE, true},
    {"CONCURRENT_OPERATIONS_QUOTA_EXCEEDED", GCP_RATE, true},
    {"RESOURCE_QUOTA_EXCEEDED", GCP_QUOTA, false},
    {"quotaExceeded", GCP_QUOTA, false},
    {"QUOTA_EXCEEDED", GCP_QUOTA, false},
    {"ACCESS_TOKEN_EXPIRED", GCP_IDENTITY, false},
    {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", GCP_IDENTITY, false},
    {"ACCESS_TOKEN_TYPE_UNSUPPORTED", GCP_IDENTITY, false},
    {"CREDENTIALS_MISSING", GCP_IDENTITY, false},
    {"CREDENTIAL_TYPE_UNSUPPORTED", GCP_IDENTITY, false},
    {"ACCOUNT_STATE_INVALID", GCP_IDENTITY, false},
    {"JWT_TOKEN_INVALID", GCP_IDENTITY, false},
    {"SECURITY_POLICY_VIOLATED", GCP_ORG_POLICY, false},
    {"LOCATION_ORG_POLICY_VIOLATED", GCP_ORG_POLICY, false},
    {"LOCATION_POLICY_VIOLATED", GCP_ORG_POLICY, false},
    {"ORG_RESTRICTION_VIOLATION", GCP_ORG_POLICY, false},
    {"CLUSTER_ALREADY_HAS_OPERATION", GCP_BUSY, false},
    {"operationInProgress", GCP_BUSY, true},
    {"resourceNotReady", GCP_WRONG_STATE, true},
    {"RESOURCE_NOT_READY", GCP_WRONG_STATE, true},
    {"resourceInUseByAnotherResource", GCP_WRONG_STATE, false},
    {"RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", GCP_WRONG_STATE, false},
    {"conditionNotMet", GCP_RACE, false},
    {"alreadyExists", GCP_EXISTS, false},
    {"RESOURCE_ALREADY_EXISTS", GCP_EXISTS, false},
    {"conflict", GCP_EXISTS, false},
    {"notFound", GCP_ABSENT, false},
    {"RESOURCE_NOT_FOUND", GCP_ABSENT, false},
    {"GCE_STOCKOUT", GCP_STOCKOUT, false},
    {"ZONE_RESOURCE_POOL_EXHAUSTED", GCP_STOCKOUT, false},
    {"ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", GCP_STOCKOUT, false},
    {"resource_availability", GCP_STOCKOUT, false},
};
static const struct reason_row text_rows[] = {
    {"GCE_STOCKOUT", GCP_STOCKOUT, false},
    {"ZONE_RESOURCE_POOL_EXHAUSTED", GCP_STOCKOUT, false},
    {"Another activation or deactivation is in progress", GCP_BUSY, true},
    {"160009", GCP_BUSY, true},
    {"running incompatible operation", GCP_BUSY, false},
    {"Please wait and try again once it is done", GCP_BUSY, false},
    {"Insufficient regional quota", GCP_QUOTA, false},
    {"Insufficient project quota", GCP_QUOTA, false},
    {"GCE_QUOTA_EXCEEDED", GCP_QUOTA, false},
    {"per minute", GCP_RATE, true},
    {"There were concurrent policy changes", GCP_RACE, false},
    {"constraints/", GCP_ORG_POLICY, false},
    {"prohibited by organization's policy", GCP_ORG_POLICY, false},
    {"do not belong to a permitted customer", GCP_ORG_POLICY, false},
    {"has not been used in project", GCP_API_OFF, false},
};

static const struct reason_row *row_for(const struct gcp_said *s)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(reason_rows); i++)
        if (rd_streq(reason_rows[i].reason, s->reason))
            return &reason_rows[i];
    for (size_t i = 0; s->message != NULL && i < RD_ARRAY_LEN(text_rows); i++)
        if (strcasestr(s->message, text_rows[i].reason) != NULL)
            return &text_rows[i];
    return NULL;
}

/* A service account that was just made is denied, absent or "does not exist", by who is asked. */
static bool account_unseen(const struct gcp_said *s)
{
    const char *m = s->message;
    if (m == NULL)
        return false;
    if (s->http == 403)
        return strstr(m, "iam.serviceAccounts.") != NULL && strstr(m, "may not exist") != NULL;
    bool account = strcasestr(m, "service account") != NULL ||
                   strcasestr(m, "service_account") != NULL || strstr(m, "Gaia id") != NULL;
    return (s->http == 400 || s->http == 404) && account &&
           (strcasestr(m, "does not exist") != NULL || strcasestr(m, "not found") != NULL ||
            strcasestr(m, "unknown service account") != NULL);
}

static enum gcp_situation by_status(const struct gcp_said *s)
{
    switch (s->http) {
    case 400:
        return rd_streq(s->status, "FAILED_PRECONDITION") ? GCP_WRONG_STATE : GCP_INVALID;
    case 401:
        return GCP_IDENTITY;
    case 403:
        return GCP_PERMISSION;
    case 404:
    case 410:
        return GCP_ABSENT;
    case 409:
        return rd_streq(s->status, "ABORTED") ? GCP_RACE : GCP_EXISTS;
    case 412:
        return GCP_RACE;
    case 429:
        return GCP_RATE;
    case 408:
        return GCP_TRANSIENT;
    default:
        return s->http >= 500 && s->http != 501 ? GCP_TRANSIENT : GCP_OTHER;
    }
}

static enum rd_err_kind kind_of(enum gcp_situation s, long http)
{
    switch (s) {
    case GCP_API_OFF:
    case GCP_BILLING_OFF:
        return RD_ERR_PREFLIGHT;
    case GCP_PERMISSION:
    case GCP_IDENTITY:
        return RD_ERR_CREDENTIALS;
    case GCP_ORG_POLICY:
    case GCP_ACCOUNT_UNSEEN:
        return http == 403 ? RD_ERR_CREDENTIALS : RD_ERR_FAILED;
    case GCP_ABSENT:
        return RD_ERR_NOT_FOUND;
    case GCP_EXISTS:
    case GCP_RACE:
        return RD_ERR_CONFLICT;
    case GCP_BUSY:
    case GCP_RATE:
    case GCP_TRANSIENT:
        return RD_ERR_TRANSIENT;
    default:
        return RD_ERR_FAILED;
    }
}

/* ---- What a person and a step want to know ---- */

static const char *meta(const struct gcp_said *s, const char *key)
{
    return json_string_value(json_object_get(s->metadata, key));
}

/* The run of permission-like bytes after `before`, owned; NULL when it is not there. */
static char *word_after(const char *text, const char *before)
{
    const char *at = text != NULL ? strstr(text, before) : NULL;
    if (at == NULL)
        return NULL;
    at += strlen(before);
    size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/");
    while (len > 0 && at[len - 1] == '.')
        len--;
    return len > 0 ? rd_strndup(at, len) : NULL;
}

static void fill(const struct gcp_said *s, struct gcp_fault *f)
{
    if (f->situation == GCP_API_OFF)
        f->service = rd_strdup(meta(s, "service"));
    if (f->situation == GCP_API_OFF && f->help_url == NULL)
        f->help_url = rd_strdup(meta(s, "activationUrl"));
    if (f->situation == GCP_PERMISSION || f->situation == GCP_ACCOUNT_UNSEEN) {
        f->permission = rd_strdup(meta(s, "permission"));
        const char *const before[] = {"Required \"", "Required '", "Permission '", "Permission \""};
        for (size_t i = 0; f->permission == NULL && i < RD_ARRAY_LEN(before); i++)
            f->permission = word_after(s->message, before[i]);
    }
    if (f->situation == GCP_BUSY && s->message != NULL) {
        const char *at = strstr(s->message, "operation-");
        RD_AUTOFREE char *tail = at != NULL ? word_after(at, "operation-") : NULL;
        if (tail != NULL)
            f->operation = rd_asprintf("operation-%s", tail);
    }
    if ((f->situation == GCP_QUOTA || f->situation == GCP_RATE) && f->metric == NULL) {
        f->metric = rd_strdup(meta(s, "quota_metric"));
        const char *const before[] = {"resource \"", "Quota '", "quota metric '"};
        for (size_t i = 0; f->metric == NULL && i < RD_ARRAY_LEN(before); i++)
            f->metric = word_after(s->message, before[i]);
    }
}

static void hint(struct rd_err *err, const struct gcp_said *s, const struct gcp_fault *f)
{
    switch (f->situation) {
    case GCP_API_OFF:
        rd_err_hint(err, "Enable the API %s, or let `raydeploy bootstrap` do it.",
                    f->service != NULL ? f->service : "named above");
        return;
    case GCP_BILLING_OFF:
        rd_err_hint(err, "Link a billing account to the project: "
                         "https://console.cloud.google.com/billing/projects");
        return;
    case GCP_PERMISSION:
        if (f->permission != NULL)
            rd_err_hint(err,
                        "Grant a role that holds %s to the identity raydeploy runs as; "
                        "`raydeploy check` lists all that is missing.",
                        f->permission);
        else
            rd_err_hint(err, "The project may not exist, or a role is missing; `raydeploy check` "
                             "tells which.");
        return;
    case GCP_IDENTITY:
        rd_err_hint(err, "The credential is not accepted; `raydeploy token` tries it alone.");
        return;
    case GCP_QUOTA:
        rd_err_hint(err,
                    "Ask for more of %s, or take another region: "
                    "https://console.cloud.google.com/iam-admin/quotas",
                    f->metric != NULL ? f->metric : "that quota");
        return;
    case GCP_STOCKOUT:
        rd_err_hint(err,
                    "Google has no such machines there now. Take other zones or another machine "
                    "type in the configuration, or run the command again later.");
        return;
    case GCP_ORG_POLICY:
        rd_err_hint(err, "A policy of the organisation forbids it; ask who administers it%s%s.",
                    meta(s, "uid") != NULL ? ", with the id " : "",
                    meta(s, "uid") != NULL ? meta(s, "uid") : "");
        return;
    default:
        if (f->help_url != NULL)
            rd_err_hint(err, "See %s", f->help_url);
    }
}

struct rd_err *gcp_said_judge(const struct gcp_said *s, const char *what, struct gcp_fault *f,
                              bool *ret_retry)
{
    const struct reason_row *row = row_for(s);
    f->situation = row != NULL ? row->situation : by_status(s);
    /* 5xx stays what it is, whatever its text talks of. */
    if (s->http >= 500 && f->situation != GCP_STOCKOUT && f->situation != GCP_QUOTA)
        f->situation = by_status(s);
    if (f->situation != GCP_API_OFF && f->situation != GCP_ORG_POLICY && account_unseen(s))
        f->situation = GCP_ACCOUNT_UNSEEN;
    *ret_retry =
        (row != NULL && row->retry) || f->situation == GCP_TRANSIENT || f->situation == GCP_RATE;
    fill(s, f);
    const char *details = rd_buf_str(&s->details);
    /* Secrets go before the text is cut: half a token is no longer known for one. */
    RD_AUTOBUF struct rd_buf safe = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (s->message != NULL)
        rd_redact(&safe, s->message, strlen(s->message));
    else
        rd_buf_puts(&safe, "no reason given");
    struct rd_err *err = rd_err_new(kind_of(f->situation, s->http), "%s: %.*s%s", what,
                                    GCP_SHOWN_MAX, rd_buf_str(&safe), details);
    err->http_status = (int)s->http;
    rd_str_dup(&err->reason, s->reason != NULL ? s->reason : s->status);
    if (s->message != NULL)
        rd_str_take(&err->remote, rd_asprintf("%.*s%s", GCP_SHOWN_MAX, rd_buf_str(&safe), details));
    rd_err_resource(err, "%s", what);
    err->retry_after_ms = s->retry_ms;
    hint(err, s, f);
    return err;
}
