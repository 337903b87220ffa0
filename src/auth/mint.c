#include "auth/mint.h"

#include "auth/override.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum mint_state {
    MINT_BEGIN,
    MINT_SUBJECT,
    MINT_PROGRAM,
    MINT_TOKEN,
    MINT_HOP,
    MINT_EMAIL,
    MINT_PROJECT
};

#define ANSWER_MAX ((size_t)1 << 20)
#define SUBJECT_MAX ((size_t)64 << 10)
#define MINT_MS 120000
#define ASK_MS 30000
/* Nobody may be there at all. */
#define PROBE_MS 1000
#define PROBE_TRIES 3
/* The server of a new pod refuses connections for some seconds. */
#define PATIENT_MS 45000
#define SKEW_MS 60000

static const struct retry_policy mint_policy = {.base_ms = 1000, .cap_ms = 8000, .attempts_max = 4};
static const struct retry_policy probe_policy = {
    .base_ms = 50, .cap_ms = 50, .attempts_max = PROBE_TRIES};
static const struct retry_policy patient_policy = {.base_ms = 500, .cap_ms = 4000};

static const char *scopes_of(const struct auth_mint *m, size_t hop)
{
    return hop < m->cred->hops_len ? AUTH_SCOPE_PLATFORM : AUTH_SCOPE_PLATFORM " " AUTH_SCOPE_EMAIL;
}

static uint64_t boot_ms(const struct auth_mint *m)
{
    return m->clock->boot_ms(m->clock->ctx);
}

static int64_t wall_ms(const struct auth_mint *m)
{
    return m->clock->wall_ms(m->clock->ctx);
}

/* ---- Asking ---- */

static void form(struct rd_buf *b, const char *key, const char *value)
{
    RD_AUTOFREE char *escaped = rd_percent_encode(value);
    rd_buf_printf(b, "%s%s=%s", b->len > 0 ? "&" : "", key, escaped);
    rd_wipe(escaped, strlen(escaped));
}

static void wipe_call(struct auth_mint *m)
{
    rd_wipe(m->call.req.body, m->call.req.body_len);
    rd_wipe(m->call.req.resp.data, m->call.req.resp.len);
    rd_err_free(op_take_err(&m->call.op));
    http_call_clear(&m->call);
    memset(&m->call, 0, sizeof m->call);
}

static int64_t server_skew(const struct auth_mint *m)
{
    int64_t date;
    if (m->call.req.date == NULL || !rd_http_date_parse(m->call.req.date, &date))
        return 0;
    return date - wall_ms(m);
}

static enum call_judgement judge(struct http_call *call, struct rd_err **ret_err)
{
    struct auth_mint *m = call->ctx;
    RD_AUTOFREE char *endpoint = http_url_origin(call->req.url);
    return auth_decode_refusal(m->cred, endpoint, call->req.status, rd_buf_str(&call->req.resp),
                               call->req.resp.len, server_skew(m), ret_err);
}

static void ask(struct auth_mint *m, struct http_client *client, const char *method,
                const char *url, enum mint_state state)
{
    wipe_call(m);
    http_call_init(&m->call, client, method, url);
    m->call.policy = &mint_policy;
    m->call.judge = judge;
    m->call.ctx = m;
    m->call.req.resp.max = ANSWER_MAX;
    m->call.req.first_byte_ms = m->call.req.idle_ms = ASK_MS;
    http_req_header(&m->call.req, "Accept", "application/json");
    m->asked_boot_ms = boot_ms(m);
    m->state = state;
}

static void ask_form(struct auth_mint *m, struct rd_buf *body)
{
    ask(m, m->google, "POST", m->cred->token_url, MINT_TOKEN);
    size_t len;
    char *text = rd_buf_take(body, &len);
    http_req_body(&m->call.req, "application/x-www-form-urlencoded", text, len);
    http_call_start(&m->call, &m->op);
}

static bool ask_jwt(struct auth_mint *m, struct rd_err **reterr)
{
    const struct auth_credential *c = m->cred;
    /* Ten seconds back: a clock a little ahead is common. */
    int64_t iat = (wall_ms(m) + m->skew_ms) / 1000 - 10;
    RD_AUTOJSON json_t *claims =
        rd_json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", c->email, "scope", scopes_of(m, 0), "aud",
                     AUTH_AUDIENCE, "iat", (json_int_t)iat, "exp", (json_int_t)(iat + 3600));
    char *jwt = auth_jwt_sign(c->key, c->key_id, claims, reterr);
    if (jwt == NULL) {
        rd_err_wrap(*reterr, "%s", c->source);
        return false;
    }
    struct rd_secret assertion = {0};
    rd_secret_take(&assertion, jwt);
    RD_AUTOBUF struct rd_buf body = RD_BUF_INIT(ANSWER_MAX);
    form(&body, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    form(&body, "assertion", assertion.data);
    rd_secret_clear(&assertion);
    ask_form(m, &body);
    return true;
}

static void basic(struct auth_mint *m)
{
    const struct auth_credential *c = m->cred;
    RD_AUTOFREE char *both = rd_asprintf("%s:%s", c->client_id, c->client_secret.data);
    RD_AUTOFREE char *encoded = rd_base64_encode(both, strlen(both));
    struct rd_secret value = {0};
    rd_secret_take(&value, rd_asprintf("Basic %s", encoded));
    http_req_header(&m->call.req, "Authorization", value.data);
    rd_wipe(both, strlen(both));
    rd_wipe(encoded, strlen(encoded));
    rd_secret_clear(&value);
}

static void ask_refresh(struct auth_mint *m)
{
    const struct auth_credential *c = m->cred;
    RD_AUTOBUF struct rd_buf body = RD_BUF_INIT(ANSWER_MAX);
    form(&body, "grant_type", "refresh_token");
    if (!c->workforce_user) {
        form(&body, "client_id", c->client_id);
        form(&body, "client_secret", c->client_secret.data);
    }
    form(&body, "refresh_token", c->refresh_token.data);
    ask(m, m->google, "POST", c->token_url, MINT_TOKEN);
    size_t len;
    char *text = rd_buf_take(&body, &len);
    http_req_body(&m->call.req, "application/x-www-form-urlencoded", text, len);
    if (c->workforce_user)
        basic(m);
    http_call_start(&m->call, &m->op);
}

static void ask_exchange(struct auth_mint *m)
{
    const struct auth_credential *c = m->cred;
    RD_AUTOBUF struct rd_buf body = RD_BUF_INIT(ANSWER_MAX);
    form(&body, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    form(&body, "audience", c->audience);
    form(&body, "scope", scopes_of(m, 0));
    form(&body, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
    form(&body, "subject_token_type", c->subject_type);
    form(&body, "subject_token", m->subject.data);
    if (c->user_project != NULL && c->client_id == NULL) {
        RD_AUTOJSON json_t *options = rd_json_pack("{s:s}", "userProject", c->user_project);
        RD_AUTOFREE char *text = rd_json_dump(options);
        RD_AUTOFREE char *escaped = rd_percent_encode(text);
        form(&body, "options", escaped); /* the API wants it encoded on its own, too */
    }
    rd_secret_clear(&m->subject);
    ask(m, m->google, "POST", c->token_url, MINT_TOKEN);
    size_t len;
    char *text = rd_buf_take(&body, &len);
    http_req_body(&m->call.req, "application/x-www-form-urlencoded", text, len);
    if (c->client_id != NULL)
        basic(m);
    http_call_start(&m->call, &m->op);
}

/* Whether this machine looks like one of Google's: then silence is worth waiting out. */
static bool on_google(void)
{
    if (auth_env("KUBERNETES_SERVICE_HOST") != NULL)
        return true;
    RD_AUTOBUF struct rd_buf name = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    struct rd_err *err = NULL;
    bool google = rd_file_read("/sys/class/dmi/id/product_name", 4096, &name, &err) &&
                  rd_starts_with(rd_buf_str(&name), "Google");
    rd_err_free(err);
    return google;
}

static void ask_metadata(struct auth_mint *m, const char *path, enum mint_state state)
{
    RD_AUTOFREE char *url = rd_asprintf("%s/%s", m->cred->metadata_base, path);
    ask(m, m->direct, "GET", url, state);
    http_req_header(&m->call.req, "Metadata-Flavor", "Google");
    m->call.req.connect_ms = PROBE_MS;
    uint64_t limit = ASK_MS;
    if (!m->cred->metadata_named) {
        bool likely = on_google();
        m->call.policy = likely ? &patient_policy : &probe_policy;
        m->call.req.first_byte_ms = likely ? ASK_MS : PROBE_MS;
        limit = likely ? PATIENT_MS : PROBE_TRIES * 2 * PROBE_MS;
    }
    http_call_start(&m->call, &m->op);
    op_set_timeout(&m->call.op, limit);
}

static bool ask_metadata_token(struct auth_mint *m, struct rd_err **reterr)
{
    const char *no = auth_env("NO_GCE_CHECK");
    if (!m->cred->metadata_named && no != NULL && strcasecmp(no, "true") == 0) {
        rd_fail(reterr, RD_ERR_CREDENTIALS, "no Google credentials were found");
        rd_err_hint(*reterr,
                    "Looked at: %s (switched off by NO_GCE_CHECK). Set "
                    "GOOGLE_APPLICATION_CREDENTIALS to a credential file.",
                    m->tried);
        return false;
    }
    RD_AUTOFREE char *a = rd_percent_encode(AUTH_SCOPE_PLATFORM);
    RD_AUTOFREE char *b = rd_percent_encode(AUTH_SCOPE_EMAIL);
    RD_AUTOFREE char *path =
        m->cred->hops_len > 0
            ? rd_asprintf("instance/service-accounts/default/token?scopes=%s", a)
            : rd_asprintf("instance/service-accounts/default/token?scopes=%s,%s", a, b);
    ask_metadata(m, path, MINT_TOKEN);
    return true;
}

/* ---- Subject tokens ---- */

static void ask_subject_url(struct auth_mint *m)
{
    const struct auth_credential *c = m->cred;
    bool plain = rd_starts_with(c->subject_at, "http://");
    ask(m, plain ? m->direct : m->google, "GET", c->subject_at, MINT_SUBJECT);
    m->call.req.resp.max = SUBJECT_MAX;
    m->call.judge = NULL;
    const char *name;
    json_t *value;
    json_object_foreach (c->subject_headers, name, value)
        http_req_header(&m->call.req, name, json_string_value(value));
    http_call_start(&m->call, &m->op);
}

static bool subject_from_output_file(struct auth_mint *m)
{
    const char *path = m->cred->subject_output_file;
    if (path == NULL || !rd_path_exists(path))
        return false;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(SUBJECT_MAX);
    struct rd_err *err = NULL;
    bool ok = rd_file_read(path, SUBJECT_MAX, &b, &err) &&
              auth_executable_read(rd_buf_str(&b), b.len, true, wall_ms(m), &m->subject, &err);
    rd_err_free(err); /* the program makes a new one */
    rd_wipe(b.data, b.len);
    return ok;
}

static void run_program(struct auth_mint *m)
{
    const struct auth_credential *c = m->cred;
    struct rd_strv argv = {0}, env = {0};
    rd_strv_split(&argv, c->subject_at, " \t\n");
    rd_strv_take(&env, rd_asprintf("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE=%s", c->audience));
    rd_strv_take(&env, rd_asprintf("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE=%s", c->subject_type));
    rd_strv_add(&env, "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=0");
    rd_strv_add(&env, "GOOGLE_EXTERNAL_ACCOUNT_REVOKE=0");
    if (c->hops_len > 0)
        rd_strv_take(
            &env, rd_asprintf("GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL=%s", c->hops[0].email));
    if (c->subject_output_file != NULL)
        rd_strv_take(&env,
                     rd_asprintf("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE=%s", c->subject_output_file));
    for (char **v = environ; *v != NULL; v++)
        rd_strv_add(&env, *v);
    struct op_proc_options o = {.file = argv.v[0],
                                .argv = (const char *const *)argv.v,
                                .env = (const char *const *)env.v,
                                .out_max = SUBJECT_MAX};
    m->state = MINT_PROGRAM;
    op_proc_start(&m->proc, &m->op, &o);
    op_set_timeout(&m->proc.op, c->subject_timeout_ms);
    rd_strv_clear(&argv);
    rd_strv_clear(&env);
}

static bool read_program(struct auth_mint *m, struct rd_err **reterr)
{
    struct rd_err *err = op_take_err(&m->proc.op);
    if (err != NULL) {
        err->kind = RD_ERR_CREDENTIALS;
        *reterr = err;
    } else if (m->proc.term_signal != 0 || m->proc.exit_status != 0) {
        rd_fail(reterr, RD_ERR_CREDENTIALS, "it ended with %s %d",
                m->proc.term_signal != 0 ? "signal" : "status",
                m->proc.term_signal != 0 ? m->proc.term_signal : (int)m->proc.exit_status);
    } else {
        (void)!auth_executable_read(rd_buf_str(&m->proc.out), m->proc.out.len,
                                    m->cred->subject_output_file != NULL, wall_ms(m), &m->subject,
                                    reterr);
    }
    rd_wipe(m->proc.out.data, m->proc.out.len);
    op_proc_clear(&m->proc);
    if (*reterr == NULL)
        return true;
    rd_err_wrap(*reterr, "%s: its program", m->cred->source);
    return false;
}

static bool begin_external(struct auth_mint *m, struct rd_err **reterr)
{
    const struct auth_credential *c = m->cred;
    if (c->subject == SUBJECT_URL) {
        ask_subject_url(m);
        return true;
    }
    if (c->subject == SUBJECT_EXECUTABLE) {
        if (subject_from_output_file(m))
            ask_exchange(m);
        else
            run_program(m);
        return true;
    }
    /* Each time anew: projected tokens rotate, and are symbolic links. */
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(SUBJECT_MAX);
    bool ok = rd_file_read(c->subject_at, SUBJECT_MAX, &b, reterr) &&
              auth_subject_read(c, rd_buf_str(&b), b.len, &m->subject, reterr);
    rd_wipe(b.data, b.len);
    if (ok) {
        ask_exchange(m);
        return true;
    }
    (*reterr)->kind = RD_ERR_CREDENTIALS;
    rd_err_wrap(*reterr, "%s: subject token %s", c->source, c->subject_at);
    return false;
}

static bool read_subject(struct auth_mint *m, struct rd_err **reterr)
{
    const struct auth_credential *c = m->cred;
    struct rd_err *err = op_take_err(&m->call.op);
    RD_AUTOFREE char *origin = http_url_origin(c->subject_at);
    if (err == NULL && auth_subject_read(c, rd_buf_str(&m->call.req.resp), m->call.req.resp.len,
                                         &m->subject, &err)) {
        ask_exchange(m);
        return true;
    }
    if (err->http_status >= 400 && !rd_err_transient(err->kind)) {
        err->kind = RD_ERR_CREDENTIALS;
        if (auth_env("ACTIONS_ID_TOKEN_REQUEST_URL") != NULL)
            rd_err_hint(err, "Give the job `permissions: id-token: write`.");
    }
    rd_err_wrap(err, "%s: subject token from %s", c->source, origin);
    *reterr = err;
    return false;
}

/* ---- Tokens ---- */

static bool number(const json_t *root, const char *name, int64_t *ret)
{
    const json_t *v = json_object_get(root, name);
    if (json_is_number(v)) {
        *ret = (int64_t)json_number_value(v);
        return true;
    }
    const char *text = json_string_value(v); /* some endpoints quote it */
    char *end = NULL;
    *ret = text != NULL ? strtoll(text, &end, 10) : 0;
    return text != NULL && end != text && *end == '\0';
}

static json_t *answer(struct auth_mint *m, struct rd_err **reterr)
{
    RD_AUTOFREE char *origin = http_url_origin(m->call.req.url);
    if (m->call.req.status < 200 || m->call.req.status >= 300) {
        rd_fail(reterr, RD_ERR_FAILED, "%s: %s answered with status %ld", m->cred->source, origin,
                m->call.req.status);
        return NULL;
    }
    json_t *root =
        rd_json_parse(rd_buf_str(&m->call.req.resp), m->call.req.resp.len, "the answer", reterr);
    if (root == NULL) {
        (*reterr)->kind = RD_ERR_FAILED;
        rd_err_wrap(*reterr, "%s: %s", m->cred->source, origin);
        rd_str_take(&(*reterr)->remote, NULL);
    }
    return root;
}

static bool take_token(struct auth_mint *m, const char *token, struct rd_err **reterr)
{
    RD_AUTOFREE char *origin = http_url_origin(m->call.req.url);
    bool ok = token != NULL && *token != '\0';
    for (const char *p = ok ? token : ""; *p != '\0'; p++)
        ok = ok && (unsigned char)*p > ' ' && (unsigned char)*p < 0x7f;
    if (!ok)
        return rd_fail(reterr, RD_ERR_FAILED, "%s: the answer of %s holds no token",
                       m->cred->source, origin);
    rd_secret_clear(&m->token);
    rd_secret_set(&m->token, token, strlen(token));
    return true;
}

static void lives(struct auth_mint *m, int64_t left_ms)
{
    if (left_ms < 0)
        left_ms = 0;
    m->expires_boot_ms = m->asked_boot_ms + (uint64_t)left_ms;
    m->expires_wall_ms = wall_ms(m) - (int64_t)(boot_ms(m) - m->asked_boot_ms) + left_ms;
}

/* Nobody answers where a metadata server would be: then there are no credentials at all. */
static struct rd_err *nobody(struct auth_mint *m, struct rd_err *take)
{
    if (m->cred->kind != AUTH_METADATA)
        return take;
    if (m->cred->metadata_named ||
        (take->http_status != 0 && m->call.req.metadata_flavor != NULL)) {
        if (take->http_status == 404) {
            take->kind = RD_ERR_CREDENTIALS;
            rd_err_hint(take, "This machine or pod has no service account. Attach one, or set "
                              "GOOGLE_APPLICATION_CREDENTIALS.");
        }
        return take;
    }
    struct rd_err *err = rd_err_new(RD_ERR_CREDENTIALS, "no Google credentials were found");
    err->cause = take;
    rd_err_hint(err,
                "Looked at: %s (none answers). Set GOOGLE_APPLICATION_CREDENTIALS to a credential "
                "file, or run `gcloud auth application-default login`.",
                m->tried);
    return err;
}

static void next(struct auth_mint *m);

static bool read_token(struct auth_mint *m, struct rd_err **reterr)
{
    struct rd_err *err = op_take_err(&m->call.op);
    int64_t skew = server_skew(m);
    if (err != NULL && m->cred->kind == AUTH_SERVICE_ACCOUNT && !m->skew_used &&
        rd_streq(err->reason, "invalid_grant") && llabs(skew - m->skew_ms) > SKEW_MS) {
        rd_err_free(err);
        m->skew_used = true;
        m->skew_ms = skew;
        return ask_jwt(m, reterr);
    }
    if (err != NULL) {
        *reterr = nobody(m, err);
        return false;
    }
    if (m->cred->kind == AUTH_METADATA && !rd_streq(m->call.req.metadata_flavor, "Google")) {
        struct rd_err *odd = rd_err_new(RD_ERR_CREDENTIALS,
                                        "%s: whoever answers is no metadata "
                                        "server",
                                        m->cred->source);
        *reterr = nobody(m, odd);
        return false;
    }
    RD_AUTOJSON json_t *root = answer(m, reterr);
    int64_t seconds = 0;
    if (root == NULL ||
        !take_token(m, json_string_value(json_object_get(root, "access_token")), reterr))
        return false;
    if (number(root, "expires_in", &seconds) && seconds > 0)
        lives(m, seconds * 1000);
    next(m);
    return true;
}

static void ask_hop(struct auth_mint *m)
{
    const struct auth_hop *h = &m->cred->hops[m->hop++];
    char lifetime[16];
    struct rd_buf text = RD_BUF_INIT(sizeof lifetime);
    rd_buf_printf(&text, "%us", h->lifetime_s);
    RD_AUTOJSON json_t *body =
        rd_json_pack("{s:[s], s:s}", "scope", AUTH_SCOPE_PLATFORM, "lifetime", rd_buf_str(&text));
    rd_buf_clear(&text);
    if (m->hop == m->cred->hops_len)
        json_array_append_new(json_object_get(body, "scope"), json_string(AUTH_SCOPE_EMAIL));
    if (h->delegates != NULL)
        json_object_set(body, "delegates", h->delegates);
    char *dump = rd_json_dump(body);
    ask(m, m->google, "POST", h->url, MINT_HOP);
    http_req_body(&m->call.req, "application/json", dump, strlen(dump));
    RD_AUTOFREE char *bearer = rd_asprintf("Bearer %s", m->token.data);
    http_req_header(&m->call.req, "Authorization", bearer);
    rd_wipe(bearer, strlen(bearer));
    if (m->cred->quota_project != NULL && m->cred->kind == AUTH_AUTHORIZED_USER)
        http_req_header(&m->call.req, "x-goog-user-project", m->cred->quota_project);
    http_call_start(&m->call, &m->op);
}

static bool read_hop(struct auth_mint *m, struct rd_err **reterr)
{
    struct rd_err *err = op_take_err(&m->call.op);
    const struct auth_hop *h = &m->cred->hops[m->hop - 1];
    if (err != NULL) {
        rd_err_wrap(err, "impersonating %s", h->email);
        *reterr = err;
        return false;
    }
    RD_AUTOJSON json_t *root = answer(m, reterr);
    if (root == NULL ||
        !take_token(m, json_string_value(json_object_get(root, "accessToken")), reterr))
        return false;
    const char *expires = json_string_value(json_object_get(root, "expireTime"));
    int64_t at;
    if (expires == NULL || !rd_rfc3339_parse(expires, &at))
        return rd_fail(reterr, RD_ERR_FAILED, "impersonating %s: the answer has no expireTime",
                       h->email);
    /* Their date by their clock. */
    lives(m, at - (wall_ms(m) + server_skew(m)));
    next(m);
    return true;
}

/* Failing to learn who we are is no failure. */
static void read_identity(struct auth_mint *m)
{
    struct rd_err *err = op_take_err(&m->call.op);
    bool ok = err == NULL && m->call.req.status == 200 && m->call.req.resp.len < 256;
    rd_err_free(err);
    const char *text = ok ? rd_buf_str(&m->call.req.resp) : "";
    if (m->state == MINT_EMAIL) {
        /* Without a linked account GKE gives the name of its pool. */
        if (strchr(text, '@') != NULL)
            m->email = rd_strdup(text);
        ask_metadata(m, "project/project-id", MINT_PROJECT);
        return;
    }
    if (*text != '\0')
        m->project = rd_strdup(text);
    op_finish(&m->op, NULL);
}

static void next(struct auth_mint *m)
{
    if (m->hop < m->cred->hops_len)
        ask_hop(m);
    else if (m->want_identity && m->cred->kind == AUTH_METADATA)
        ask_metadata(m, "instance/service-accounts/default/email", MINT_EMAIL);
    else
        op_finish(&m->op, NULL);
}

static bool begin(struct auth_mint *m, struct rd_err **reterr)
{
    switch (m->cred->kind) {
    case AUTH_SERVICE_ACCOUNT:
        return ask_jwt(m, reterr);
    case AUTH_AUTHORIZED_USER:
        ask_refresh(m);
        return true;
    case AUTH_EXTERNAL_ACCOUNT:
        return begin_external(m, reterr);
    case AUTH_METADATA:
        return ask_metadata_token(m, reterr);
    case AUTH_TOKEN_FILE:
        if (!auth_token_file_read(m->cred->path, &m->token, reterr))
            return false;
        op_finish(&m->op, NULL);
        return true;
    default:
        RD_UNREACHABLE();
    }
}

static void mint_step(struct op *op)
{
    struct auth_mint *m = container_of(op, struct auth_mint, op);
    struct rd_err *err = NULL;
    bool ok = true;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (m->state == MINT_PROGRAM ? op_running(&m->proc.op)
                                 : m->state != MINT_BEGIN && op_running(&m->call.op))
        return;
    switch (m->state) {
    case MINT_BEGIN:
        ok = begin(m, &err);
        break;
    case MINT_SUBJECT:
        ok = read_subject(m, &err);
        break;
    case MINT_PROGRAM:
        ok = read_program(m, &err);
        if (ok)
            ask_exchange(m);
        break;
    case MINT_TOKEN:
        ok = read_token(m, &err);
        break;
    case MINT_HOP:
        ok = read_hop(m, &err);
        break;
    case MINT_EMAIL:
    case MINT_PROJECT:
        read_identity(m);
        break;
    default:
        RD_UNREACHABLE();
    }
    if (!ok)
        op_finish(op, err);
}

void auth_mint_init(struct auth_mint *m)
{
    m->expires_boot_ms = RD_NEVER;
    m->expires_wall_ms = 0;
    m->skew_used = false;
    m->hop = 0;
    m->state = MINT_BEGIN;
}

void auth_mint_start(struct auth_mint *m, struct loop *l)
{
    op_start_root(&m->op, l, mint_step, "token");
    op_set_timeout(&m->op, MINT_MS);
}

void auth_mint_clear(struct auth_mint *m)
{
    wipe_call(m);
    op_proc_clear(&m->proc);
    rd_err_free(op_take_err(&m->proc.op));
    rd_secret_clear(&m->token);
    rd_secret_clear(&m->subject);
    rd_str_take(&m->email, NULL);
    rd_str_take(&m->project, NULL);
}
