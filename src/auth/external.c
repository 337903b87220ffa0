/* Credential files of workload identity federation. */
#include "auth/credential_parts.h"

#include "auth/override.h"
#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

/* Runners of CI have clocks that run ahead; one hour by theirs is more than one by Google's. */
#define LIFETIME_FEDERATED_S 3300

static bool read_format(const json_t *source, struct auth_credential *c, struct rd_err **reterr)
{
    const char *type = rd_json_str(source, "format", "type", NULL);
    if (type == NULL || rd_streq(type, "text"))
        return true;
    if (!rd_streq(type, "json"))
        return rd_fail(reterr, RD_ERR_CREDENTIALS,
                       "its credential_source.format.type is %.40s, neither text nor json", type);
    const char *field = rd_json_str(source, "format", "subject_token_field_name", NULL);
    if (field == NULL || *field == '\0')
        return rd_fail(reterr, RD_ERR_CREDENTIALS,
                       "its credential_source.format has no subject_token_field_name");
    c->subject_field = rd_strdup(field);
    return true;
}

static bool read_headers(const json_t *source, struct auth_credential *c, struct rd_err **reterr)
{
    json_t *headers = json_object_get(source, "headers");
    if (headers == NULL)
        return true;
    const char *name;
    json_t *value;
    json_object_foreach (headers, name, value) {
        const char *text = json_string_value(value);
        if (text == NULL || strpbrk(text, "\r\n") != NULL || strpbrk(name, "\r\n:") != NULL)
            return rd_fail(reterr, RD_ERR_CREDENTIALS,
                           "its credential_source.headers are not all plain strings");
        /* Remembered for redaction; "Bearer x" also without its first word. */
        struct rd_secret s = {0};
        credential_secret(&s, text);
        const char *space = strchr(text, ' ');
        if (space != NULL)
            credential_secret(&s, space + 1);
        rd_secret_clear(&s);
    }
    c->subject_headers = json_incref(headers);
    return true;
}

static bool read_executable(const struct credential_reading *r, const json_t *e,
                            struct auth_credential *c, struct rd_err **reterr)
{
    const char *command = json_string_value(json_object_get(e, "command"));
    if (command == NULL || *command == '\0')
        return rd_fail(reterr, RD_ERR_CREDENTIALS,
                       "its credential_source.executable has no command");
    if (!r->o->allow_executable &&
        !rd_streq(auth_env("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"), "1")) {
        rd_fail(reterr, RD_ERR_CREDENTIALS, "it wants to run a program, which is not allowed");
        rd_err_hint(*reterr, "If you trust the file, set "
                             "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1.");
        return false;
    }
    json_int_t timeout = rd_json_path_int(e, "timeout_millis", 30000);
    if (timeout < 5000 || timeout > 120000)
        return rd_fail(
            reterr, RD_ERR_CREDENTIALS,
            "its credential_source.executable.timeout_millis is not within 5000 to 120000");
    c->subject = SUBJECT_EXECUTABLE;
    c->subject_at = rd_strdup(command);
    c->subject_timeout_ms = (uint64_t)timeout;
    c->subject_output_file = rd_strdup(json_string_value(json_object_get(e, "output_file")));
    return true;
}

static bool read_source(const struct credential_reading *r, const json_t *source,
                        struct auth_credential *c, struct rd_err **reterr)
{
    const char *file = json_string_value(json_object_get(source, "file"));
    const char *url = json_string_value(json_object_get(source, "url"));
    const json_t *executable = json_object_get(source, "executable");
    const json_t *certificate = json_object_get(source, "certificate");
    const char *environment = json_string_value(json_object_get(source, "environment_id"));
    if (environment != NULL || certificate != NULL) {
        rd_fail(reterr, RD_ERR_CREDENTIALS,
                "its credential_source is of the sort %s, which is not "
                "supported",
                certificate != NULL ? "certificate" : "aws");
        rd_err_hint(*reterr, "Use a source of the sort file, url or executable, a service account "
                             "key, or run on Google Cloud.");
        return false;
    }
    if ((file != NULL) + (url != NULL) + (executable != NULL) != 1)
        return rd_fail(reterr, RD_ERR_CREDENTIALS,
                       "its credential_source names not exactly one of file, url and executable");
    if (executable != NULL)
        return read_executable(r, executable, c, reterr);
    if (!read_format(source, c, reterr))
        return false;
    if (file != NULL) {
        c->subject = SUBJECT_FILE;
        c->subject_at = rd_strdup(file);
        return true;
    }
    if (!auth_vet_subject_url(url, reterr) || !read_headers(source, c, reterr))
        return false;
    c->subject = SUBJECT_URL;
    c->subject_at = rd_strdup(url);
    return true;
}

bool credential_external(const struct credential_reading *r, const json_t *o,
                         struct auth_credential *c, struct rd_err **reterr)
{
    const char *audience, *type;
    const json_t *source = json_object_get(o, "credential_source");
    const char *url = json_string_value(json_object_get(o, "token_url"));
    const char *hop = json_string_value(json_object_get(o, "service_account_impersonation_url"));
    const char *id = json_string_value(json_object_get(o, "client_id"));
    const char *secret = json_string_value(json_object_get(o, "client_secret"));
    const char *pool = json_string_value(json_object_get(o, "workforce_pool_user_project"));
    if (!credential_want(o, "audience", &audience, reterr) ||
        !credential_want(o, "subject_token_type", &type, reterr))
        return false;
    if (!json_is_object(source))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "it has no credential_source");
    if (url != NULL && !auth_vet_sts(url, r->any_host, reterr))
        return false;
    RD_AUTOFREE char *base = NULL;
    if (!auth_override("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", "", &base, reterr))
        return false;
    if (base != NULL)
        c->token_url = rd_asprintf("%s/v1/token", base);
    else
        c->token_url = rd_strdup(url != NULL ? url : "https://sts.googleapis.com/v1/token");
    c->kind = AUTH_EXTERNAL_ACCOUNT;
    c->audience = rd_strdup(audience);
    c->subject_type = rd_strdup(type);
    if (pool != NULL &&
        !rd_glob_match("//iam.googleapis.com/locations/*/workforcePools/*", audience))
        return rd_fail(
            reterr, RD_ERR_CREDENTIALS,
            "it has a workforce_pool_user_project, but its audience is no workforce pool");
    c->user_project = rd_strdup(pool);
    if (id != NULL && secret != NULL) {
        c->client_id = rd_strdup(id);
        credential_secret(&c->client_secret, secret);
    }
    if (!read_source(r, source, c, reterr))
        return false;
    if (hop == NULL)
        return true;
    json_int_t lifetime = rd_json_path_int(
        o, "service_account_impersonation.token_lifetime_seconds", LIFETIME_FEDERATED_S);
    if (lifetime < 600 || lifetime > 43200)
        return rd_fail(reterr, RD_ERR_CREDENTIALS,
                       "its token_lifetime_seconds is not within 600 to "
                       "43200");
    return credential_add_hop(r, c, hop, NULL, (unsigned)lifetime, reterr);
}
