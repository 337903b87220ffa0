/* Requests of a mint: signed assertions, refresh tokens, exchanges, the metadata server. */
#include "auth/mint_parts.h"

#include "auth/override.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define ASK_MS 30000
/* Nobody may be there at all. */
#define PROBE_MS 1000
#define PROBE_TRIES 3
/* The server of a new pod refuses connections for some seconds. */
#define PATIENT_MS 45000

static const struct retry_policy mint_policy = {.base_ms = 1000, .cap_ms = 8000, .attempts_max = 4};
static const struct retry_policy probe_policy = {
    .base_ms = 50, .cap_ms = 50, .attempts_max = PROBE_TRIES};
static const struct retry_policy patient_policy = {.base_ms = 500, .cap_ms = 4000};

static const char *scopes_of(const struct auth_mint *m, size_t hop)
{
    return hop < m->cred->hops_len ? AUTH_SCOPE_PLATFORM : AUTH_SCOPE_PLATFORM " " AUTH_SCOPE_EMAIL;
}

uint64_t mint_boot_ms(const struct auth_mint *m)
{
    return m->clock->boot_ms(m->clock->ctx);
}

int64_t mint_wall_ms(const struct auth_mint *m)
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

void mint_wipe_call(struct auth_mint *m)
{
    rd_wipe(m->call.req.body, m->call.req.body_len);
    rd_wipe(m->call.req.resp.data, m->call.req.resp.len);
    rd_err_free(op_take_err(&m->call.op));
    http_call_clear(&m->call);
    memset(&m->call, 0, sizeof m->call);
}

int64_t mint_server_skew(const struct auth_mint *m)
{
    int64_t date;
    if (m->call.req.date == NULL || !rd_http_date_parse(m->call.req.date, &date))
        return 0;
    return date - mint_wall_ms(m);
}

static enum call_judgement judge(struct http_call *call, struct rd_err **ret_err)
{
    struct auth_mint *m = call->ctx;
    RD_AUTOFREE char *endpoint = http_url_origin(call->req.url);
    return auth_decode_refusal(m->cred, endpoint, call->req.status, rd_buf_str(&call->req.resp),
                               call->req.resp.len, mint_server_skew(m), ret_err);
}

void mint_ask(struct auth_mint *m, struct http_client *client, const char *method, const char *url,
              enum mint_state state)
{
    mint_wipe_call(m);
    http_call_init(&m->call, client, method, url);
    m->call.policy = &mint_policy;
    m->call.judge = judge;
    m->call.ctx = m;
    m->call.req.resp.max = MINT_ANSWER_MAX;
    m->call.req.first_byte_ms = m->call.req.idle_ms = ASK_MS;
    http_req_header(&m->call.req, "Accept", "application/json");
    m->asked_boot_ms = mint_boot_ms(m);
    m->state = state;
}

static void ask_form(struct auth_mint *m, struct rd_buf *body)
{
    mint_ask(m, m->google, "POST", m->cred->token_url, MINT_TOKEN);
    size_t len;
    char *text = rd_buf_take(body, &len);
    http_req_body(&m->call.req, "application/x-www-form-urlencoded", text, len);
    http_call_start(&m->call, &m->op);
}

bool mint_ask_jwt(struct auth_mint *m, struct rd_err **reterr)
{
    const struct auth_credential *c = m->cred;
    /* Ten seconds back: a clock a little ahead is common. */
    int64_t iat = (mint_wall_ms(m) + m->skew_ms) / 1000 - 10;
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
    RD_AUTOBUF struct rd_buf body = RD_BUF_INIT(MINT_ANSWER_MAX);
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

void mint_ask_refresh(struct auth_mint *m)
{
    const struct auth_credential *c = m->cred;
    RD_AUTOBUF struct rd_buf body = RD_BUF_INIT(MINT_ANSWER_MAX);
    form(&body, "grant_type", "refresh_token");
    if (!c->workforce_user) {
        form(&body, "client_id", c->client_id);
        form(&body, "client_secret", c->client_secret.data);
    }
    form(&body, "refresh_token", c->refresh_token.data);
    mint_ask(m, m->google, "POST", c->token_url, MINT_TOKEN);
    size_t len;
    char *text = rd_buf_take(&body, &len);
    http_req_body(&m->call.req, "application/x-www-form-urlencoded", text, len);
    if (c->workforce_user)
        basic(m);
    http_call_start(&m->call, &m->op);
}

void mint_ask_exchange(struct auth_mint *m)
{
    const struct auth_credential *c = m->cred;
    RD_AUTOBUF struct rd_buf body = RD_BUF_INIT(MINT_ANSWER_MAX);
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
    mint_ask(m, m->google, "POST", c->token_url, MINT_TOKEN);
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

void mint_ask_metadata(struct auth_mint *m, const char *path, enum mint_state state)
{
    RD_AUTOFREE char *url = rd_asprintf("%s/%s", m->cred->metadata_base, path);
    mint_ask(m, m->direct, "GET", url, state);
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

bool mint_ask_metadata_token(struct auth_mint *m, struct rd_err **reterr)
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
    mint_ask_metadata(m, path, MINT_TOKEN);
    return true;
}
