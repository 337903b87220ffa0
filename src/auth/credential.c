/* Reading a credential file into what a mint needs. */
#include "auth/credential_parts.h"

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
#define NESTED_MAX 2

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

bool credential_want(const json_t *o, const char *name, const char **ret, struct rd_err **reterr)
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

void credential_secret(struct rd_secret *s, const char *text)
{
    rd_secret_set(s, text, strlen(text));
}

bool credential_add_hop(const struct credential_reading *r, struct auth_credential *c,
                        const char *url, const json_t *delegates, unsigned lifetime_s,
                        struct rd_err **reterr)
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

static bool read_service_account(const struct credential_reading *r, const json_t *o,
                                 struct auth_credential *c, struct rd_err **reterr)
{
    const char *email, *pem;
    const char *uri = json_string_value(json_object_get(o, "token_uri"));
    if (!credential_want(o, "client_email", &email, reterr) ||
        !credential_want(o, "private_key", &pem, reterr))
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

static bool read_user(const struct credential_reading *r, const json_t *o,
                      struct auth_credential *c, struct rd_err **reterr)
{
    const char *id, *secret, *refresh;
    if (!credential_want(o, "client_id", &id, reterr) ||
        !credential_want(o, "client_secret", &secret, reterr) ||
        !credential_want(o, "refresh_token", &refresh, reterr))
        return false;
    credential_secret(&c->client_secret, secret);
    credential_secret(&c->refresh_token, refresh);
    c->client_id = rd_strdup(id);
    c->kind = AUTH_AUTHORIZED_USER;
    const char *account = json_string_value(json_object_get(o, "account"));
    c->email = account != NULL && *account != '\0' ? rd_strdup(account) : NULL;
    if (!c->workforce_user) /* the file's token_uri is ignored, as Google's libraries do */
        return endpoint("CLOUDSDK_AUTH_TOKEN_HOST", "/token", AUTH_AUDIENCE, &c->token_url, reterr);
    const char *url;
    if (!credential_want(o, "token_url", &url, reterr) || !auth_vet_sts(url, r->any_host, reterr))
        return false;
    RD_AUTOFREE char *base = NULL;
    if (!auth_override("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", "", &base, reterr))
        return false;
    c->token_url = base != NULL ? rd_asprintf("%s/v1/oauthtoken", base) : rd_strdup(url);
    return true;
}

static bool read_simple(const struct credential_reading *r, const json_t *o,
                        struct auth_credential *c, struct rd_err **reterr)
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
        return credential_external(r, o, c, reterr);
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
static bool read_nested(const struct credential_reading *r, const json_t *root,
                        struct auth_credential *c, struct rd_err **reterr)
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
        if (!credential_want(layer, "service_account_impersonation_url", &url, reterr) ||
            !credential_add_hop(r, c, url, json_object_get(layer, "delegates"), LIFETIME_S, reterr))
            return false;
    }
    return true;
}

bool auth_credential_parse(const json_t *root, const char *origin, const struct auth_options *o,
                           struct auth_credential *ret, struct rd_err **reterr)
{
    struct credential_reading r = {.o = o, .origin = origin, .any_host = o->allow_custom_hosts};
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
