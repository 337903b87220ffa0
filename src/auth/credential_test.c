/* Credential files, good and bad, and the order in which they are looked for. */
#include "auth/credential.h"

#include "auth/mint.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *key_pem(void)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(65536);
    struct rd_err *err = NULL;
    if (!rd_file_read(RD_SOURCE_DIR "/src/auth/testdata/rs256-key.pem", 65536, &b, &err))
        fail_msg("%s", err->message);
    return rd_buf_take(&b, NULL);
}

/* KEY stands for the test key. */
static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *root = json_loads(text, 0, &e);
    if (root == NULL)
        fail_msg("test data: %s in %s", e.text, text);
    if (rd_streq(json_string_value(json_object_get(root, "private_key")), "KEY")) {
        RD_AUTOFREE char *pem = key_pem();
        json_object_set_new(root, "private_key", json_string(pem));
    }
    return root;
}

#define SA                                                                                         \
    "\"type\":\"service_account\",\"client_email\":\"a@p.iam.gserviceaccount.com\","               \
    "\"private_key\":\"KEY\",\"private_key_id\":\"1\""
#define USER                                                                                       \
    "\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s3cretvalue\","          \
    "\"refresh_token\":\"refreshvalue\""
#define POOL "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x"
#define EXT                                                                                        \
    "\"type\":\"external_account\",\"audience\":\"" POOL "\","                                     \
    "\"subject_token_type\":\"urn:ietf:params:oauth:token-type:jwt\""
#define IMP(account)                                                                               \
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" account                 \
    ":generateAccessToken"

static void files(void **state)
{
    (void)state;
    const struct {
        const char *name, *text;
        const char *error; /* NULL: accepted */
        enum auth_kind kind;
        const char *email;
        size_t hops;
    } rows[] = {
        {"key", "{" SA ",\"token_uri\":\"https://oauth2.googleapis.com/token\"}", NULL,
         AUTH_SERVICE_ACCOUNT, "a@p.iam.gserviceaccount.com", 0},
        {"key without token_uri", "{" SA "}", NULL, AUTH_SERVICE_ACCOUNT,
         "a@p.iam.gserviceaccount.com", 0},
        {"key, legacy token_uri",
         "{" SA ",\"token_uri\":\"https://accounts.google.com/o/oauth2/token\"}", NULL,
         AUTH_SERVICE_ACCOUNT, "a@p.iam.gserviceaccount.com", 0},
        {"key, token_uri elsewhere", "{" SA ",\"token_uri\":\"https://evil.example/token\"}",
         "evil.example", 0, NULL, 0},
        {"key, token_uri with a user",
         "{" SA ",\"token_uri\":\"https://x@oauth2.googleapis.com/token\"}", "token_uri", 0, NULL,
         0},
        {"key, token_uri with a port",
         "{" SA ",\"token_uri\":\"https://oauth2.googleapis.com:8443/token\"}", "token_uri", 0,
         NULL, 0},
        {"key, plain token_uri", "{" SA ",\"token_uri\":\"http://oauth2.googleapis.com/token\"}",
         "not https", 0, NULL, 0},
        {"key, other path", "{" SA ",\"token_uri\":\"https://oauth2.googleapis.com/other\"}",
         "path /other", 0, NULL, 0},
        {"key without email", "{\"type\":\"service_account\",\"private_key\":\"KEY\"}",
         "no client_email", 0, NULL, 0},
        {"key without key", "{\"type\":\"service_account\",\"client_email\":\"a@b\"}",
         "no private_key", 0, NULL, 0},
        {"key that is none",
         "{\"type\":\"service_account\",\"client_email\":\"a@b\",\"private_key\":\"x\"}",
         "not a private key", 0, NULL, 0},
        {"another universe", "{" SA ",\"universe_domain\":\"example.com\"}", "universe_domain", 0,
         NULL, 0},
        {"our universe", "{" SA ",\"universe_domain\":\"googleapis.com\",\"extra\":[1]}", NULL,
         AUTH_SERVICE_ACCOUNT, "a@p.iam.gserviceaccount.com", 0},
        {"user", "{" USER "}", NULL, AUTH_AUTHORIZED_USER, NULL, 0},
        {"user without refresh token",
         "{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s\"}",
         "no refresh_token", 0, NULL, 0},
        {"federated, file", "{" EXT ",\"credential_source\":{\"file\":\"/f\"}}", NULL,
         AUTH_EXTERNAL_ACCOUNT, NULL, 0},
        {"federated, url",
         "{" EXT
         ",\"credential_source\":{\"url\":\"https://t.example/x?a=b\",\"headers\":{\"A\":\"b\"},"
         "\"format\":{\"type\":\"json\",\"subject_token_field_name\":\"value\"}},"
         "\"token_url\":\"https://sts.googleapis.com/v1/token\","
         "\"service_account_impersonation_url\":\"" IMP("w@p.iam") "\"}",
         NULL, AUTH_EXTERNAL_ACCOUNT, "w@p.iam", 1},
        {"federated, plain url", "{" EXT ",\"credential_source\":{\"url\":\"http://t.example/x\"}}",
         "not https", 0, NULL, 0},
        {"federated, loopback",
         "{" EXT ",\"credential_source\":{\"url\":\"http://127.0.0.1:9/x\"}}", NULL,
         AUTH_EXTERNAL_ACCOUNT, NULL, 0},
        {"federated, header with a break",
         "{" EXT ",\"credential_source\":{\"url\":\"https://t.example/"
         "\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}}",
         "headers", 0, NULL, 0},
        {"federated, two sources",
         "{" EXT ",\"credential_source\":{\"file\":\"/f\",\"url\":\"https://x/\"}}", "exactly one",
         0, NULL, 0},
        {"federated, no source", "{" EXT "}", "no credential_source", 0, NULL, 0},
        {"federated, aws", "{" EXT ",\"credential_source\":{\"environment_id\":\"aws1\"}}",
         "not supported", 0, NULL, 0},
        {"federated, program",
         "{" EXT ",\"credential_source\":{\"executable\":{\"command\":\"/x\"}}}", "not allowed", 0,
         NULL, 0},
        {"federated, token_url elsewhere",
         "{" EXT ",\"credential_source\":{\"file\":\"/f\"},\"token_url\":\"https://"
         "sts.evil.example/v1/token\"}",
         "sts.evil.example", 0, NULL, 0},
        {"federated, impersonation elsewhere",
         "{" EXT ",\"credential_source\":{\"file\":\"/f\"},\"service_account_impersonation_url\":"
         "\"https://iamcredentials.evil.example/v1/projects/-/serviceAccounts/"
         "a@b:generateAccessToken\"}",
         "evil.example", 0, NULL, 0},
        {"federated, impersonation of a folder",
         "{" EXT
         ",\"credential_source\":{\"file\":\"/f\"},\"service_account_impersonation_url\":\"" IMP(
             "a/b") "\"}",
         "generateAccessToken", 0, NULL, 0},
        {"federated, lifetime",
         "{" EXT
         ",\"credential_source\":{\"file\":\"/f\"},\"service_account_impersonation_url\":\"" IMP(
             "a@b") "\",\"service_account_impersonation\":{\"token_lifetime_seconds\":60}}",
         "token_lifetime_seconds", 0, NULL, 0},
        {"federated, format without field",
         "{" EXT ",\"credential_source\":{\"file\":\"/f\",\"format\":{\"type\":\"json\"}}}",
         "subject_token_field_name", 0, NULL, 0},
        {"workforce project of a workload",
         "{" EXT ",\"workforce_pool_user_project\":\"1\",\"credential_source\":{\"file\":\"/f\"}}",
         "workforce", 0, NULL, 0},
        {"impersonated user",
         "{\"type\":\"impersonated_service_account\",\"source_credentials\":{" USER "},"
         "\"delegates\":[\"d@p\"],\"service_account_impersonation_url\":\"" IMP("t@p") "\"}",
         NULL, AUTH_AUTHORIZED_USER, "t@p", 1},
        {"impersonated, no source",
         "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":\"" IMP(
             "t@p") "\"}",
         "no source_credentials", 0, NULL, 0},
        {"impersonated federated, two hops",
         "{\"type\":\"impersonated_service_account\",\"source_credentials\":{" EXT
         ",\"credential_source\":"
         "{\"file\":\"/f\"},\"service_account_impersonation_url\":\"" IMP(
             "one@p") "\"},"
                      "\"service_account_impersonation_url\":\"" IMP("two@p") "\"}",
         NULL, AUTH_EXTERNAL_ACCOUNT, "two@p", 2},
        {"workforce user",
         "{\"type\":\"external_account_authorized_user\",\"audience\":\"a\",\"client_id\":\"i\","
         "\"client_secret\":\"secretvalue\",\"refresh_token\":\"refreshvalue\","
         "\"token_url\":\"https://sts.googleapis.com/v1/oauthtoken\"}",
         NULL, AUTH_AUTHORIZED_USER, NULL, 0},
        {"OAuth client", "{\"installed\":{}}", "OAuth client", 0, NULL, 0},
        {"distributed cloud", "{\"type\":\"gdch_service_account\"}", "gdch_service_account", 0,
         NULL, 0},
        {"no type", "{}", "no type", 0, NULL, 0},
    };
    const struct auth_options o = {0};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct auth_credential c = {0};
        struct rd_err *err = NULL;
        RD_AUTOJSON json_t *root = parse(rows[i].text);
        bool ok = auth_credential_parse(root, "f.json", &o, &c, &err);
        if (rows[i].error != NULL) {
            assert_false(ok);
            assert_non_null(err);
            if (strstr(err->message, "f.json") == NULL)
                fail_msg("%s: \"%s\" does not name the file", rows[i].name, err->message);
            rd_check_err(rows[i].name, &err, RD_ERR_CREDENTIALS, rows[i].error);
            continue;
        }
        if (!ok)
            fail_msg("%s: %s", rows[i].name, err->message);
        rd_check_int(rows[i].name, c.kind, rows[i].kind);
        rd_check_str(rows[i].name, c.email, rows[i].email);
        rd_check_int(rows[i].name, (long long)c.hops_len, (long long)rows[i].hops);
        auth_credential_clear(&c);
    }
}

/* ---- The order ---- */

static char *dir;

static char *put(const char *name, const char *text, mode_t mode)
{
    char *path = rd_path_join(dir, name);
    struct rd_err *err = NULL;
    if (!rd_file_write_atomic(path, text, strlen(text), mode, &err))
        fail_msg("%s", err->message);
    return path;
}

static void clean_env(void)
{
    const char *const names[] = {"GOOGLE_APPLICATION_CREDENTIALS",
                                 "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
                                 "CLOUDSDK_CONFIG",
                                 "GCE_METADATA_HOST",
                                 "GOOGLE_CLOUD_PROJECT",
                                 "GCLOUD_PROJECT",
                                 "GOOGLE_CLOUD_QUOTA_PROJECT",
                                 "CLOUDSDK_AUTH_TOKEN_HOST",
                                 "RAYDEPLOY_WIF_PROVIDER",
                                 "RAYDEPLOY_WIF_SERVICE_ACCOUNT",
                                 "ACTIONS_ID_TOKEN_REQUEST_URL",
                                 "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
                                 "CLOUDSDK_API_ENDPOINT_OVERRIDES_STS",
                                 "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"};
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    setenv("HOME", dir, 1);
}

static void expect(const char *row, const struct auth_options *o, enum auth_kind kind,
                   const char *source_part)
{
    struct auth_credential c = {0};
    char *tried = NULL;
    struct rd_err *err = NULL;
    if (!auth_credential_find(o, &c, &tried, &err))
        fail_msg("%s: %s", row, err->message);
    rd_check_int(row, c.kind, kind);
    if (strstr(c.source, source_part) == NULL)
        fail_msg("%s: got source %s, want %s", row, c.source, source_part);
    free(tried);
    auth_credential_clear(&c);
}

static void expect_error(const char *row, const struct auth_options *o, enum rd_err_kind kind,
                         const char *part)
{
    struct auth_credential c = {0};
    char *tried = NULL;
    struct rd_err *err = NULL;
    assert_false(auth_credential_find(o, &c, &tried, &err));
    rd_check_err(row, &err, kind, part);
}

static void order(void **state)
{
    (void)state;
    clean_env();
    struct auth_options o = {0};
    RD_AUTOFREE char *user = put("user.json", "{" USER "}", 0600);
    RD_AUTOFREE char *other = put("other.json", "{" USER ",\"quota_project_id\":\"q\"}", 0600);
    RD_AUTOFREE char *token = put("token", " ya29.ready \n", 0600);
    RD_AUTOFREE char *broken = put("broken.json", "{", 0600);
    RD_AUTOFREE char *twice = put("twice.json", "{\"type\":\"a\",\"type\":\"b\"}", 0600);
    RD_AUTOFREE char *array = put("array.json", "[]", 0600);

    expect("nothing", &o, AUTH_METADATA, "169.254.169.254");
    setenv("GCE_METADATA_HOST", "127.0.0.1:8080", 1);
    expect("named metadata server", &o, AUTH_METADATA, "127.0.0.1:8080");
    setenv("GCE_METADATA_HOST", "evil.example/x", 1);
    expect_error("metadata host with a path", &o, RD_ERR_INPUT, "GCE_METADATA_HOST");
    setenv("GCE_METADATA_HOST", "127.0.0.1:8080", 1);

    setenv("RAYDEPLOY_WIF_PROVIDER", "projects/1/x", 1);
    expect_error("GitHub without an ID token", &o, RD_ERR_CREDENTIALS, "no ID token");
    setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://t.actions.githubusercontent.com/x?v=2", 1);
    setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token-value", 1);
    expect("GitHub", &o, AUTH_EXTERNAL_ACCOUNT, "GitHub Actions");

    RD_AUTOFREE char *config = rd_path_join(dir, "gcloud");
    struct rd_err *err = NULL;
    assert_true(rd_dir_make(config, &err));
    setenv("CLOUDSDK_CONFIG", config, 1);
    RD_AUTOFREE char *adc = put("gcloud/application_default_credentials.json", "{" USER "}", 0600);
    expect("gcloud's file", &o, AUTH_AUTHORIZED_USER, adc);
    setenv("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", token, 1);
    expect("token file", &o, AUTH_TOKEN_FILE, token);
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user, 1);
    expect("variable", &o, AUTH_AUTHORIZED_USER, user);
    o.credentials_file = other;
    expect("flag", &o, AUTH_AUTHORIZED_USER, other);
    o.credentials_file = NULL;

    /* What is named and broken is never passed over. */
    setenv("GOOGLE_APPLICATION_CREDENTIALS", broken, 1);
    expect_error("broken", &o, RD_ERR_CREDENTIALS, "GOOGLE_APPLICATION_CREDENTIALS");
    setenv("GOOGLE_APPLICATION_CREDENTIALS", twice, 1);
    expect_error("duplicate key", &o, RD_ERR_CREDENTIALS, "twice.json");
    setenv("GOOGLE_APPLICATION_CREDENTIALS", array, 1);
    expect_error("no object", &o, RD_ERR_CREDENTIALS, "array.json");
    setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/at/all.json", 1);
    expect_error("missing", &o, RD_ERR_CREDENTIALS, "/nowhere/at/all.json");
    setenv("GOOGLE_APPLICATION_CREDENTIALS", "/dev/zero", 1);
    expect_error("device", &o, RD_ERR_CREDENTIALS, "not a regular file");
    setenv("GOOGLE_APPLICATION_CREDENTIALS", "", 1);
    expect("empty is not set", &o, AUTH_TOKEN_FILE, token);
    clean_env();
}

static unsigned warnings;

static void count_warning(void *ctx, const char *text)
{
    (void)ctx, (void)text;
    warnings++;
}

static void overrides_and_modes(void **state)
{
    (void)state;
    clean_env();
    struct auth_options o = {.warn = count_warning};
    RD_AUTOFREE char *open = put("open.json", "{" USER "}", 0644);
    RD_AUTOFREE char *evil = put("evil.json",
                                 "{" EXT ",\"credential_source\":{\"file\":\"/f\"},"
                                 "\"token_url\":\"https://sts.evil.example/v1/token\"}",
                                 0600);
    o.credentials_file = open;
    warnings = 0;
    expect("open file", &o, AUTH_AUTHORIZED_USER, open);
    rd_check_int("warnings", warnings, 1);

    const struct {
        const char *value, *url, *error;
    } rows[] = {
        {"127.0.0.1:9", "https://127.0.0.1:9/token", NULL},
        {"http://127.0.0.1:9/t", "http://127.0.0.1:9/t", NULL},
        {"https://tokens.example/", "https://tokens.example/token", NULL},
        {"http://tokens.example/token", NULL, "CLOUDSDK_AUTH_TOKEN_HOST"},
        {"ftp://127.0.0.1/", NULL, "CLOUDSDK_AUTH_TOKEN_HOST"},
        {"https://u:p@tokens.example/", NULL, "CLOUDSDK_AUTH_TOKEN_HOST"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        setenv("CLOUDSDK_AUTH_TOKEN_HOST", rows[i].value, 1);
        if (rows[i].error != NULL) {
            expect_error(rows[i].value, &o, RD_ERR_INPUT, rows[i].error);
            continue;
        }
        struct auth_credential c = {0};
        char *tried = NULL;
        struct rd_err *err = NULL;
        if (!auth_credential_find(&o, &c, &tried, &err))
            fail_msg("%s: %s", rows[i].value, err->message);
        rd_check_str(rows[i].value, c.token_url, rows[i].url);
        auth_credential_clear(&c);
        free(tried);
    }
    /* An override does not make a bad file good. */
    unsetenv("CLOUDSDK_AUTH_TOKEN_HOST");
    setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", "https://127.0.0.1:9/", 1);
    o.credentials_file = evil;
    expect_error("vetted first", &o, RD_ERR_CREDENTIALS, "sts.evil.example");
    clean_env();
}

/* ---- Answers ---- */

static void program_answers(void **state)
{
    (void)state;
    const int64_t now = 1700000000000;
    const struct {
        const char *text;
        bool file;
        const char *error, *token;
    } rows[] = {
        {"{\"version\":1,\"success\":true,\"token_type\":\"urn:ietf:params:oauth:token-type:jwt\","
         "\"id_token\":\"thetokenitself\"}",
         false, NULL, "thetokenitself"},
        {"{\"version\":1,\"success\":true,\"token_type\":\"urn:ietf:params:oauth:token-type:"
         "saml2\","
         "\"saml_response\":\"samlsamlsaml\",\"expiration_time\":1700000060}",
         true, NULL, "samlsamlsaml"},
        {"{\"version\":1,\"success\":true,\"token_type\":\"urn:ietf:params:oauth:token-type:jwt\","
         "\"id_token\":\"thetokenitself\"}",
         true, "expiration_time", NULL},
        {"{\"version\":1,\"success\":true,\"token_type\":\"urn:ietf:params:oauth:token-type:jwt\","
         "\"id_token\":\"thetokenitself\",\"expiration_time\":1600000000}",
         false, "expired", NULL},
        {"{\"version\":2}", false, "version 1", NULL},
        {"{\"version\":1,\"success\":false,\"code\":\"4\",\"message\":\"no luck\"}", false,
         "no luck", NULL},
        {"{\"version\":1,\"success\":true,\"token_type\":\"x\",\"id_token\":\"y\"}", false,
         "no token", NULL},
        {"what?", false, "answer", NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct rd_secret got = {0};
        struct rd_err *err = NULL;
        bool ok =
            auth_executable_read(rows[i].text, strlen(rows[i].text), rows[i].file, now, &got, &err);
        if (rows[i].error != NULL) {
            assert_false(ok);
            rd_check_err(rows[i].text, &err, RD_ERR_CREDENTIALS, rows[i].error);
        } else if (!ok) {
            fail_msg("%s: %s", rows[i].text, err->message);
        } else {
            rd_check_str(rows[i].text, got.data, rows[i].token);
        }
        rd_secret_clear(&got);
    }
}

static void refusals(void **state)
{
    (void)state;
    char source[] = "service account key f.json", email[] = "a@p";
    struct auth_credential c = {.kind = AUTH_SERVICE_ACCOUNT, .source = source, .email = email};
    const struct {
        long status;
        const char *body;
        int64_t skew;
        enum call_judgement judgement;
        enum rd_err_kind kind;
        const char *message, *hint; /* parts */
    } rows[] = {
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}", 0,
         CALL_FINAL, RD_ERR_CREDENTIALS, "invalid_grant: Invalid JWT Signature.", "key of a@p"},
        {400,
         "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid grant: account not found\"}",
         0, CALL_FINAL, RD_ERR_CREDENTIALS, "account not found", "a@p does not exist"},
        {400,
         "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT: Token must be a "
         "short-lived token\"}",
         600000, CALL_FINAL, RD_ERR_CREDENTIALS, "short-lived", "10m behind"},
        {400,
         "{\"error\":\"invalid_grant\",\"error_description\":\"reauth\",\"error_subtype\":"
         "\"invalid_rapt\"}",
         0, CALL_FINAL, RD_ERR_CREDENTIALS, "invalid_rapt", "log in again"},
        {400, "{\"error\":\"invalid_target\",\"error_description\":\"x\"}", 0, CALL_FINAL,
         RD_ERR_CREDENTIALS, "invalid_target", "provider"},
        {500, "{\"error\":\"internal_failure\"}", 0, CALL_RETRY, RD_ERR_TRANSIENT,
         "internal_failure", NULL},
        {400, "{\"error\":\"temporarily_unavailable\"}", 0, CALL_RETRY, RD_ERR_TRANSIENT,
         "temporarily_unavailable", NULL},
        {503, "<html>", 0, CALL_RETRY, RD_ERR_TRANSIENT, "status 503", NULL},
        {403,
         "{\"error\":{\"code\":403,\"message\":\"Permission denied\",\"status\":"
         "\"PERMISSION_DENIED\",\"details\":[{\"@type\":\"type.googleapis.com/"
         "google.rpc.ErrorInfo\","
         "\"reason\":\"IAM_PERMISSION_DENIED\"}]}}",
         0, CALL_FINAL, RD_ERR_CREDENTIALS, "IAM_PERMISSION_DENIED",
         "serviceAccountTokenCreator on a@p"},
        {404, "nothing here", 0, CALL_FINAL, RD_ERR_CREDENTIALS, "status 404", "raydeploy token"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct rd_err *err = NULL;
        enum call_judgement j = auth_decode_refusal(&c, "host:443", rows[i].status, rows[i].body,
                                                    strlen(rows[i].body), rows[i].skew, &err);
        rd_check_int(rows[i].body, j, rows[i].judgement);
        if (rows[i].hint != NULL && (err->hint == NULL || strstr(err->hint, rows[i].hint) == NULL))
            fail_msg("%s: got hint %s, want %s", rows[i].body, err->hint, rows[i].hint);
        rd_check_err(rows[i].body, &err, rows[i].kind, rows[i].message);
    }
}

int main(void)
{
    rd_alloc_init();
    char template[] = "/tmp/credential_test.XXXXXX";
    dir = mkdtemp(template);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),
        cmocka_unit_test(order),
        cmocka_unit_test(overrides_and_modes),
        cmocka_unit_test(program_answers),
        cmocka_unit_test(refusals),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    RD_AUTOFREE char *clean = rd_asprintf("rm -rf '%s'", dir);
    return system(clean) == 0 ? failed : 1;
}
