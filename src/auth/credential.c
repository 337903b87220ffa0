/* Reading a credential file into what a mint needs. */
#include "auth/credential.h"

#include "auth/override.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIFETIME_S 3600
/* Runners of CI have clocks that run ahead; one hour by theirs is more than one hour by Google's.
 */
#define LIFETIME_FEDERATED_S 3300
#define NESTED_MAX 2

struct reading {
    const struct auth_options *o;
    const char *origin;
    bool any_host;
};

void auth_credential_clear(struct auth_credential *c)
{
    char *texts[] = {c->source,        c->path,
                     c->email,         c->project,
                     c->quota_project, c->token_url,
                     c->key_id,        c->client_id,
                     c->audience,      c->subject_type,
                     c->user_project,  c->subject_at,
                     c->subject_field, c->subject_output_file,
                     c->metadata_base};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++)
        free(texts[i]);
    auth_key_free(c->key);
    rd_secret_clear(&c->client_secret);
    rd_secret_clear(&c->refresh_token);
    json_decref(c->subject_headers);
    for (size_t i = 0; i < c->hops_len; i++) {
        free(c->hops[i].url);
        free(c->hops[i].email);
        json_decref(c->hops[i].delegates);
    }
    memset(c, 0, sizeof *c);
}

/* ---- Fields ---- */

static bool want(const json_t *o, const char *name, const char **ret, struct rd_err **reterr)
{
    const char *value = json_string_value(json_object_get(o, name));
    if (value == NULL || *value == '\0')
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "it has no %s", name);
    *ret = value;
    return true;
}

/* The override, or the vetted URL of the file. */
static bool endpoint(const char *variable, const char *path, const char *vetted, char **ret,
                     struct rd_err **reterr)
{
    char *override = NULL;
    if (!auth_override(variable, path, &override, reterr))
        return false;
    rd_str_take(ret, override != NULL ? override : rd_strdup(vetted));
    return true;
}

static void secret_of(struct rd_secret *s, const char *text)
{
    rd_secret_set(s, text, strlen(text));
}

static bool add_hop(const struct reading *r, struct auth_credential *c, const char *url,
                    const json_t *delegates, unsigned lifetime_s, struct rd_err **reterr)
{
    if (c->hops_len == AUTH_HOPS_MAX)
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "it impersonates more than %d times",
                       AUTH_HOPS_MAX);
    RD_AUTOFREE char *email = NULL;
    RD_AUTOFREE char *path = NULL;
    char *base = NULL;
    if (!auth_vet_impersonation(url, r->any_host, &email, &path, reterr) ||
        !auth_override("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", "", &base, reterr))
        return false;
    struct auth_hop *h = &c->hops[c->hops_len++];
    *h = (struct auth_hop){.lifetime_s = lifetime_s};
    h->url = base != NULL ? rd_asprintf("%s%s", base, path) : rd_strdup(url);
    free(base);
    h->email = email;
    rd_str_dup(&c->email, email);
    email = NULL;
    if (json_array_size(delegates) == 0)
        return true;
    h->delegates = json_array();
    const json_t *one;
    size_t i;
    json_array_foreach (delegates, i, one) {
        const char *name = json_string_value(one);
        if (name == NULL)
            return rd_fail(reterr, RD_ERR_CREDENTIALS, "its delegates are not all strings");
        RD_AUTOFREE char *full = strncmp(name, "projects/", 9) == 0
                                     ? rd_strdup(name)
                                     : rd_asprintf("projects/-/serviceAccounts/%s", name);
        json_array_append_new(h->delegates, json_string(full));
    }
    return true;
}

/* ---- The types ---- */

static bool read_service_account(const struct reading *r, const json_t *o,
                                 struct auth_credential *c, struct rd_err **reterr)
{
    const char *email, *pem;
    const char *uri = json_string_value(json_object_get(o, "token_uri"));
    if (!want(o, "client_email", &email, reterr) || !want(o, "private_key", &pem, reterr))
        return false;
    if (uri != NULL && !auth_vet_token_uri(uri, r->any_host, reterr))
        return false;
    const char *vetted = uri != NULL && r->any_host ? uri : AUTH_AUDIENCE;
    if (!endpoint("CLOUDSDK_AUTH_TOKEN_HOST", "/token", vetted, &c->token_url, reterr))
        return false;
    c->key = auth_key_parse(pem, reterr);
    if (c->key == NULL)
        return false;
    c->kind = AUTH_SERVICE_ACCOUNT;
    c->email = rd_strdup(email);
    c->key_id = rd_strdup(json_string_value(json_object_get(o, "private_key_id")));
    c->project = rd_strdup(json_string_value(json_object_get(o, "project_id")));
    return true;
}

static bool read_user(const struct reading *r, const json_t *o, struct auth_credential *c,
                      struct rd_err **reterr)
{
    const char *id, *secret, *refresh;
    if (!want(o, "client_id", &id, reterr) || !want(o, "client_secret", &secret, reterr) ||
        !want(o, "refresh_token", &refresh, reterr))
        return false;
    secret_of(&c->client_secret, secret);
    secret_of(&c->refresh_token, refresh);
    c->client_id = rd_strdup(id);
    c->kind = AUTH_AUTHORIZED_USER;
    const char *account = json_string_value(json_object_get(o, "account"));
    c->email = account != NULL && *account != '\0' ? rd_strdup(account) : NULL;
    if (!c->workforce_user) /* the file's token_uri is ignored, as Google's libraries do */
        return endpoint("CLOUDSDK_AUTH_TOKEN_HOST", "/token", AUTH_AUDIENCE, &c->token_url, reterr);
    const char *url;
    if (!want(o, "token_url", &url, reterr) || !auth_vet_sts(url, r->any_host, reterr))
        return false;
    RD_AUTOFREE char *base = NULL;
    if (!auth_override("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", "", &base, reterr))
        return false;
    c->token_url = base != NULL ? rd_asprintf("%s/v1/oauthtoken", base) : rd_strdup(url);
    return true;
}

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
        secret_of(&s, text);
        const char *space = strchr(text, ' ');
        if (space != NULL)
            secret_of(&s, space + 1);
        rd_secret_clear(&s);
    }
    c->subject_headers = json_incref(headers);
    return true;
}

static bool read_executable(const struct reading *r, const json_t *e, struct auth_credential *c,
                            struct rd_err **reterr)
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

static bool read_source(const struct reading *r, const json_t *source, struct auth_credential *c,
                        struct rd_err **reterr)
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

static bool read_external(const struct reading *r, const json_t *o, struct auth_credential *c,
                          struct rd_err **reterr)
{
    const char *audience, *type;
    const json_t *source = json_object_get(o, "credential_source");
    const char *url = json_string_value(json_object_get(o, "token_url"));
    const char *hop = json_string_value(json_object_get(o, "service_account_impersonation_url"));
    const char *id = json_string_value(json_object_get(o, "client_id"));
    const char *secret = json_string_value(json_object_get(o, "client_secret"));
    const char *pool = json_string_value(json_object_get(o, "workforce_pool_user_project"));
    if (!want(o, "audience", &audience, reterr) || !want(o, "subject_token_type", &type, reterr))
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
        secret_of(&c->client_secret, secret);
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
    return add_hop(r, c, hop, NULL, (unsigned)lifetime, reterr);
}

static bool read_simple(const struct reading *r, const json_t *o, struct auth_credential *c,
                        struct rd_err **reterr)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    if (rd_streq(type, "service_account"))
        return read_service_account(r, o, c, reterr);
    if (rd_streq(type, "authorized_user"))
        return read_user(r, o, c, reterr);
    if (rd_streq(type, "external_account_authorized_user")) {
        c->workforce_user = true;
        return read_user(r, o, c, reterr);
    }
    if (rd_streq(type, "external_account"))
        return read_external(r, o, c, reterr);
    if (type == NULL &&
        (json_object_get(o, "installed") != NULL || json_object_get(o, "web") != NULL)) {
        rd_fail(reterr, RD_ERR_CREDENTIALS, "it is an OAuth client, which is no credential");
        rd_err_hint(*reterr, "Use a service account key, or run "
                             "`gcloud auth application-default login`.");
        return false;
    }
    if (type == NULL)
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "it has no type");
    return rd_fail(reterr, RD_ERR_CREDENTIALS, "its type %.60s is not supported", type);
}

/* impersonated_service_account: the innermost source first, then one hop each way out. */
static bool read_nested(const struct reading *r, const json_t *root, struct auth_credential *c,
                        struct rd_err **reterr)
{
    const json_t *layers[NESTED_MAX];
    size_t depth = 0;
    const json_t *at = root;
    while (
        rd_streq(json_string_value(json_object_get(at, "type")), "impersonated_service_account")) {
        if (depth == NESTED_MAX)
            return rd_fail(reterr, RD_ERR_CREDENTIALS,
                           "its source_credentials are nested too deeply");
        layers[depth++] = at;
        at = json_object_get(at, "source_credentials");
        if (!json_is_object(at))
            return rd_fail(reterr, RD_ERR_CREDENTIALS, "it has no source_credentials");
    }
    if (!read_simple(r, at, c, reterr))
        return false;
    while (depth > 0) {
        const json_t *layer = layers[--depth];
        const char *url;
        if (!want(layer, "service_account_impersonation_url", &url, reterr) ||
            !add_hop(r, c, url, json_object_get(layer, "delegates"), LIFETIME_S, reterr))
            return false;
    }
    return true;
}

bool auth_credential_parse(const json_t *root, const char *origin, const struct auth_options *o,
                           struct auth_credential *ret, struct rd_err **reterr)
{
    struct reading r = {.o = o, .origin = origin, .any_host = o->allow_custom_hosts};
    struct auth_credential c = {0};
    const char *universe = json_string_value(json_object_get(root, "universe_domain"));
    bool ok = true;
    if (universe != NULL && *universe != '\0' && !rd_streq(universe, "googleapis.com"))
        ok = rd_fail(reterr, RD_ERR_CREDENTIALS,
                     "its universe_domain is %.100s, only googleapis.com "
                     "is supported",
                     universe);
    ok = ok && read_nested(&r, root, &c, reterr);
    if (!ok) {
        /* An override is the environment's fault, not the file's. */
        if ((*reterr)->kind == RD_ERR_CREDENTIALS)
            rd_err_wrap(*reterr, "credential file %s", origin);
        auth_credential_clear(&c);
        return false;
    }
    const char *quota = json_string_value(json_object_get(root, "quota_project_id"));
    if (quota != NULL && *quota != '\0')
        c.quota_project = rd_strdup(quota);
    c.path = rd_strdup(origin);
    c.source = rd_asprintf("%s %s", auth_kind_name(c.kind), origin);
    *ret = c;
    return true;
}

/* ---- The file ---- */

static bool regular(const char *path, const struct auth_options *o, struct rd_err **reterr)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return true; /* the reading says what is wrong */
    if (!S_ISREG(st.st_mode))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "credential file %s is not a regular file",
                       path);
    if (o->warn == NULL)
        return true;
    if ((st.st_mode & 077) != 0) {
        RD_AUTOFREE char *text = rd_asprintf("credential file %s can be read by others (mode %o); "
                                             "chmod 600 is safer",
                                             path, (unsigned)st.st_mode & 07777);
        o->warn(o->warn_ctx, text);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        RD_AUTOFREE char *text = rd_asprintf("credential file %s belongs to another user", path);
        o->warn(o->warn_ctx, text);
    }
    return true;
}

bool auth_credential_read(const char *path, const struct auth_options *o,
                          struct auth_credential *ret, struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(AUTH_FILE_MAX);
    if (!regular(path, o, reterr))
        return false;
    RD_AUTOJSON json_t *root = NULL;
    if (rd_file_read(path, AUTH_FILE_MAX, &text, reterr))
        root = rd_json_parse_own(rd_buf_str(&text), text.len, "it", reterr);
    rd_wipe(text.data, text.len);
    if (root != NULL && json_is_object(root))
        return auth_credential_parse(root, path, o, ret, reterr);
    if (*reterr == NULL)
        rd_fail(reterr, RD_ERR_CREDENTIALS, "it is not a JSON object");
    (*reterr)->kind = RD_ERR_CREDENTIALS;
    rd_err_wrap(*reterr, "credential file %s", path);
    return false;
}

bool auth_token_file_read(const char *path, struct rd_secret *ret, struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(AUTH_FILE_MAX);
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "token file %s is not a regular file", path);
    if (!rd_file_read(path, AUTH_FILE_MAX, &b, reterr)) {
        (*reterr)->kind = RD_ERR_CREDENTIALS;
        rd_err_wrap(*reterr, "token file");
        return false;
    }
    const char *text = rd_buf_str(&b);
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    bool ok = len > 0;
    for (size_t i = 0; i < len; i++)
        ok = ok && (unsigned char)text[i] > ' ' && (unsigned char)text[i] < 0x7f;
    if (ok)
        rd_secret_set(ret, text, len);
    else
        rd_fail(reterr, RD_ERR_CREDENTIALS, "token file %s holds no token", path);
    rd_wipe(b.data, b.len);
    return ok;
}
