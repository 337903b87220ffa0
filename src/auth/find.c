/* The order in which credentials are looked for. */
#include "auth/credential.h"
#include "auth/override.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define METADATA_ADDRESS "169.254.169.254"

static char *adc_path(void)
{
    const char *dir = auth_env("CLOUDSDK_CONFIG");
    if (dir != NULL)
        return rd_path_join(dir, "application_default_credentials.json");
    const char *home = auth_env("HOME");
    if (home == NULL) {
        const struct passwd *pw = getpwuid(geteuid());
        home = pw != NULL ? pw->pw_dir : "/";
    }
    return rd_path_join(home, ".config/gcloud/application_default_credentials.json");
}

static bool from_token_file(const char *path, struct auth_credential *ret, struct rd_err **reterr)
{
    struct rd_secret probe = {0};
    if (!auth_token_file_read(path, &probe, reterr)) {
        rd_err_wrap(*reterr, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE");
        return false;
    }
    rd_secret_clear(&probe);
    *ret = (struct auth_credential){.kind = AUTH_TOKEN_FILE};
    ret->path = rd_strdup(path);
    ret->source = rd_asprintf("%s %s", auth_kind_name(AUTH_TOKEN_FILE), path);
    return true;
}

/* GitHub's own variables, without the file that google-github-actions/auth would write. */
static bool from_github(const char *provider, const struct auth_options *o,
                        struct auth_credential *ret, struct rd_err **reterr)
{
    if (auth_env("ACTIONS_ID_TOKEN_REQUEST_URL") == NULL ||
        auth_env("ACTIONS_ID_TOKEN_REQUEST_TOKEN") == NULL) {
        rd_fail(reterr, RD_ERR_CREDENTIALS,
                "RAYDEPLOY_WIF_PROVIDER is set, but GitHub gives this job "
                "no ID token");
        rd_err_hint(*reterr, "Give the job `permissions: id-token: write`.");
        return false;
    }
    const char *account = auth_env("RAYDEPLOY_WIF_SERVICE_ACCOUNT");
    RD_AUTOFREE char *audience = rd_asprintf("//iam.googleapis.com/%s", provider);
    RD_AUTOFREE char *their_audience = rd_asprintf("https://iam.googleapis.com/%s", provider);
    RD_AUTOFREE char *escaped = rd_percent_encode(their_audience);
    const char *request = auth_env("ACTIONS_ID_TOKEN_REQUEST_URL");
    RD_AUTOFREE char *url =
        rd_asprintf("%s%caudience=%s", request, strchr(request, '?') != NULL ? '&' : '?', escaped);
    RD_AUTOFREE char *bearer = rd_asprintf("Bearer %s", auth_env("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
    RD_AUTOJSON json_t *file = rd_json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:{s:s, s:s}, s:{s:s, s:s}}}", "type", "external_account",
        "audience", audience, "subject_token_type", "urn:ietf:params:oauth:token-type:jwt",
        "credential_source", "url", url, "headers", "Authorization", bearer, "Accept",
        "application/json", "format", "type", "json", "subject_token_field_name", "value");
    if (account != NULL) {
        RD_AUTOFREE char *hop = rd_asprintf("https://iamcredentials.googleapis.com/v1/projects/-/"
                                            "serviceAccounts/%s:generateAccessToken",
                                            account);
        json_object_set_new(file, "service_account_impersonation_url", json_string(hop));
    }
    bool ok = auth_credential_parse(file, "RAYDEPLOY_WIF_PROVIDER", o, ret, reterr);
    rd_wipe(bearer, strlen(bearer));
    if (ok)
        rd_str_take(&ret->source, rd_asprintf("GitHub Actions, provider %s", provider));
    return ok;
}

static bool from_metadata(struct auth_credential *ret, struct rd_err **reterr)
{
    const char *named = auth_env("GCE_METADATA_HOST");
    RD_AUTOFREE char *base =
        rd_asprintf("http://%s/computeMetadata/v1", named != NULL ? named : METADATA_ADDRESS);
    struct auth_url u = {0};
    bool ok = http_url_check(base, reterr);
    if (ok && (!auth_url_split(base, &u) || !rd_streq(u.path, "/computeMetadata/v1")))
        ok = rd_fail(reterr, RD_ERR_INPUT, "not of the form host or host:port");
    auth_url_clear(&u);
    if (!ok) {
        (*reterr)->kind = RD_ERR_INPUT;
        rd_err_wrap(*reterr, "environment variable GCE_METADATA_HOST");
        return false;
    }
    *ret = (struct auth_credential){.kind = AUTH_METADATA, .metadata_named = named != NULL};
    ret->metadata_base = base;
    base = NULL;
    ret->source = rd_asprintf("%s %s", auth_kind_name(AUTH_METADATA),
                              named != NULL ? named : METADATA_ADDRESS);
    return true;
}

static bool find(const struct auth_options *o, struct auth_credential *ret, struct rd_buf *tried,
                 struct rd_err **reterr)
{
    if (o->credentials_file != NULL)
        return auth_credential_read(o->credentials_file, o, ret, reterr);
    const char *file = auth_env("GOOGLE_APPLICATION_CREDENTIALS");
    if (file != NULL) {
        if (auth_credential_read(file, o, ret, reterr))
            return true;
        rd_err_wrap(*reterr, "GOOGLE_APPLICATION_CREDENTIALS");
        return false;
    }
    rd_buf_puts(tried, "GOOGLE_APPLICATION_CREDENTIALS (not set), ");
    const char *token = auth_env("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE");
    if (token != NULL)
        return from_token_file(token, ret, reterr);
    rd_buf_puts(tried, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE (not set), ");
    RD_AUTOFREE char *adc = adc_path();
    if (rd_path_exists(adc))
        return auth_credential_read(adc, o, ret, reterr);
    rd_buf_printf(tried, "%s (not there), ", adc);
    const char *provider = auth_env("RAYDEPLOY_WIF_PROVIDER");
    if (provider != NULL)
        return from_github(provider, o, ret, reterr);
    rd_buf_puts(tried, "the metadata server");
    return from_metadata(ret, reterr);
}

bool auth_credential_find(const struct auth_options *o, struct auth_credential *ret,
                          char **ret_tried, struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf tried = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (!find(o, ret, &tried, reterr)) {
        if ((*reterr)->hint == NULL)
            rd_err_hint(*reterr,
                        "Name a valid credential file, or unset the variable to use the next "
                        "source; `gcloud auth application-default login` makes one.");
        return false;
    }
    const char *project = auth_env("GOOGLE_CLOUD_PROJECT");
    if (project == NULL)
        project = auth_env("GCLOUD_PROJECT");
    if (project != NULL)
        rd_str_dup(&ret->project, project);
    const char *quota = auth_env("GOOGLE_CLOUD_QUOTA_PROJECT");
    if (quota != NULL)
        rd_str_dup(&ret->quota_project, quota);
    *ret_tried = rd_buf_take(&tried, NULL);
    return true;
}
