/* What a token endpoint's refusal means to a person. Decided by reason; texts only tell apart what
 * shares a reason. */
#include "auth/mint.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 1024
#define SKEW_TOLD_MS 60000

struct refusal_row {
    const char *reason; /* error, or status of google.rpc */
    const char *part;   /* of the description; NULL: any */
    const char *hint;   /* %s: identity */
};
static const struct refusal_row rows[] = {
    {"invalid_grant", "Invalid JWT Signature",
     "The key of %s was deleted or replaced. Make a new one and name it in "
     "GOOGLE_APPLICATION_CREDENTIALS."},
    {"invalid_grant", "account not found",
     "The account %s does not exist any more. Use a key of another one."},
    {"invalid_grant", "rapt",
     "Your organisation wants you to log in again: run "
     "`gcloud auth application-default login`."},
    {"invalid_grant", "expired or revoked",
     "The login has expired: run `gcloud auth application-default login`."},
    {"invalid_grant", "audience",
     "The subject token was made for another provider. Compare its audience with the credential "
     "file."},
    {"invalid_target", NULL,
     "The workload identity pool or provider does not exist or is disabled. Compare the audience "
     "of "
     "the credential file with the provider's name."},
    {"unauthorized_client", NULL,
     "The provider's attribute condition refuses this identity, or it was made less than 5 minutes "
     "ago."},
    {"invalid_client", NULL,
     "The OAuth client of the credential file is not accepted; log in again "
     "with `gcloud auth application-default login`."},
    {"SERVICE_DISABLED", NULL,
     "Enable the API iamcredentials.googleapis.com in the project of %s."},
    {"PERMISSION_DENIED", NULL,
     "Grant roles/iam.serviceAccountTokenCreator on %s to the identity that impersonates it."},
    {"IAM_PERMISSION_DENIED", NULL,
     "Grant roles/iam.serviceAccountTokenCreator on %s to the identity that impersonates it."},
    {"NOT_FOUND", NULL, "The account %s does not exist; perhaps it was made a moment ago."},
};

static const char *hint_for(const char *reason, const char *said)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++)
        if (rd_streq(rows[i].reason, reason) &&
            (rows[i].part == NULL || strcasestr(said, rows[i].part) != NULL))
            return rows[i].hint;
    return NULL;
}

static const char *error_info_reason(const json_t *error)
{
    const json_t *details = json_object_get(error, "details"), *d;
    size_t i;
    json_array_foreach (details, i, d) {
        const char *reason = json_string_value(json_object_get(d, "reason"));
        if (reason != NULL)
            return reason;
    }
    return NULL;
}

/* Secrets go before the text is cut: half a token is no longer known for one. */
static char *shown(const char *text, size_t len)
{
    RD_AUTOBUF struct rd_buf safe = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_redact(&safe, text, len);
    return rd_strndup(rd_buf_str(&safe), safe.len < SHOWN_MAX ? safe.len : SHOWN_MAX);
}

static bool passing(long status, const char *reason, const char *said)
{
    static const char *const words[] = {"internal_failure", "server_error",
                                        "temporarily_unavailable"};
    for (size_t i = 0; i < RD_ARRAY_LEN(words); i++)
        if (rd_streq(reason, words[i]) || strstr(said, words[i]) != NULL)
            return true;
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

static void hint_skew(struct rd_err *err, int64_t skew_ms)
{
    char text[32];
    rd_duration_text((uint64_t)llabs(skew_ms), text);
    rd_err_hint(err,
                "This machine's clock is %s %s that of the server. Set it, for example with "
                "`timedatectl set-ntp true`, and run the command again.",
                text, skew_ms > 0 ? "behind" : "ahead of");
}

enum call_judgement auth_decode_refusal(const struct auth_credential *c, const char *endpoint,
                                        long status, const char *body, size_t len, int64_t skew_ms,
                                        struct rd_err **ret_err)
{
    struct rd_err *ignored = NULL;
    RD_AUTOJSON json_t *root = rd_json_parse(body, len, "answer", &ignored);
    rd_err_free(ignored);
    const json_t *error = json_object_get(root, "error");
    const char *reason = json_string_value(error);
    const char *said = json_string_value(json_object_get(root, "error_description"));
    const char *subtype = json_string_value(json_object_get(root, "error_subtype"));
    if (json_is_object(error)) {
        reason = error_info_reason(error);
        if (reason == NULL)
            reason = json_string_value(json_object_get(error, "status"));
        said = json_string_value(json_object_get(error, "message"));
    }
    RD_AUTOFREE char *words = shown(said != NULL ? said : "", said != NULL ? strlen(said) : 0);
    RD_AUTOFREE char *text = rd_asprintf("%s%s%.100s", words, subtype != NULL ? ", " : "",
                                         subtype != NULL ? subtype : "");
    bool retry = passing(status, reason, text);
    struct rd_err *err = rd_err_new(
        retry ? RD_ERR_TRANSIENT : RD_ERR_CREDENTIALS, "%s: %s answered %s%s%s", c->source,
        endpoint, reason != NULL ? reason : "with an error", *text != '\0' ? ": " : "", text);
    if (reason == NULL)
        rd_err_wrap(err, "status %ld", status);
    err->http_status = (int)status;
    err->reason = rd_strdup(reason);
    RD_AUTOFREE char *remote = shown(body, len);
    rd_str_dup(&err->remote, *text != '\0' ? text : remote);
    const char *hint = hint_for(reason, text);
    if (!retry && llabs(skew_ms) > SKEW_TOLD_MS && rd_streq(reason, "invalid_grant") &&
        (hint == NULL || strstr(hint, "login") == NULL))
        hint_skew(err, skew_ms);
    else if (hint != NULL)
        /* The format is one of ours above; each takes at most the identity. */
        rd_str_take(&err->hint, strstr(hint, "%s") != NULL
                                    ? rd_asprintf("%.*s%s%s", (int)(strstr(hint, "%s") - hint),
                                                  hint, c->email != NULL ? c->email : "the account",
                                                  strstr(hint, "%s") + 2)
                                    : rd_strdup(hint));
    else if (!retry)
        rd_err_hint(err, "Check the credential; `raydeploy token` tries it alone.");
    *ret_err = err;
    return retry ? CALL_RETRY : CALL_FINAL;
}
