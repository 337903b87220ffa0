#include "auth/mint_parts.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define MINT_MS 120000
#define SKEW_MS 60000

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
    m->expires_wall_ms = mint_wall_ms(m) - (int64_t)(mint_boot_ms(m) - m->asked_boot_ms) + left_ms;
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
    int64_t skew = mint_server_skew(m);
    if (err != NULL && m->cred->kind == AUTH_SERVICE_ACCOUNT && !m->skew_used &&
        rd_streq(err->reason, "invalid_grant") && llabs(skew - m->skew_ms) > SKEW_MS) {
        rd_err_free(err);
        m->skew_used = true;
        m->skew_ms = skew;
        return mint_ask_jwt(m, reterr);
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
    mint_ask(m, m->google, "POST", h->url, MINT_HOP);
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
    lives(m, at - (mint_wall_ms(m) + mint_server_skew(m)));
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
        mint_ask_metadata(m, "project/project-id", MINT_PROJECT);
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
        mint_ask_metadata(m, "instance/service-accounts/default/email", MINT_EMAIL);
    else
        op_finish(&m->op, NULL);
}

static bool begin(struct auth_mint *m, struct rd_err **reterr)
{
    switch (m->cred->kind) {
    case AUTH_SERVICE_ACCOUNT:
        return mint_ask_jwt(m, reterr);
    case AUTH_AUTHORIZED_USER:
        mint_ask_refresh(m);
        return true;
    case AUTH_EXTERNAL_ACCOUNT:
        return mint_begin_external(m, reterr);
    case AUTH_METADATA:
        return mint_ask_metadata_token(m, reterr);
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
        ok = mint_read_subject(m, &err);
        break;
    case MINT_PROGRAM:
        ok = mint_read_program(m, &err);
        if (ok)
            mint_ask_exchange(m);
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
    mint_wipe_call(m);
    op_proc_clear(&m->proc);
    rd_err_free(op_take_err(&m->proc.op));
    rd_secret_clear(&m->token);
    rd_secret_clear(&m->subject);
    rd_str_take(&m->email, NULL);
    rd_str_take(&m->project, NULL);
}
