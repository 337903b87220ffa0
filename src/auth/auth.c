/* The cache: one token, one mint at a time, everyone else waits on it.
 *
 * The mint is a root operation: whoever asked first may be cancelled without taking the token away
 * from the others. */
#include "auth/auth.h"

#include "auth/mint.h"
#include "auth/override.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_FILE_MS 50000  /* how long a ready token is believed before the file is read again */
#define RENEW_AGAIN_MS 15000 /* after a renewal in the background failed */
#define CLOCK_JUMP_MS 60000

struct google_auth {
    struct http_auth auth;
    unsigned refs;
    struct loop *loop;
    struct auth_credential cred;
    char *tried;
    struct http_client *google, *direct;
    struct auth_clock clock;
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
    struct auth_mint mint;
    struct rd_list waiters; /* struct http_auth_wait.waiting */
    struct rd_secret token;
    bool have;
    uint64_t refresh_boot_ms, dead_boot_ms;
    int64_t expires_wall_ms;
    int64_t wall_minus_boot_ms; /* when it was made */
    int64_t skew_ms;
    bool identity_known;
};

static const char *const kind_names[AUTH_KIND_MAX] = {
    [AUTH_SERVICE_ACCOUNT] = "service account key", [AUTH_AUTHORIZED_USER] = "user login",
    [AUTH_EXTERNAL_ACCOUNT] = "external account",   [AUTH_METADATA] = "metadata server",
    [AUTH_TOKEN_FILE] = "access token file",        [AUTH_STATIC] = "access token",
};

const char *auth_kind_name(enum auth_kind kind)
{
    RD_ASSERT(kind < AUTH_KIND_MAX);
    return kind_names[kind];
}

static uint64_t system_boot_ms(void *ctx)
{
    (void)ctx;
    return rd_boot_ms();
}

static int64_t system_wall_ms(void *ctx)
{
    (void)ctx;
    return rd_wall_ms();
}

static struct google_auth *of(struct http_auth *auth)
{
    return container_of(auth, struct google_auth, auth);
}

static uint64_t now_boot(const struct google_auth *a)
{
    return a->clock.boot_ms(a->clock.ctx);
}

static int64_t wall_minus_boot(const struct google_auth *a)
{
    return a->clock.wall_ms(a->clock.ctx) - (int64_t)now_boot(a);
}

/* ---- Minting ---- */

/* Renew 225 s before the end; a token that never lives so long, at half its life. */
static void plan_renewal(struct google_auth *a, uint64_t now)
{
    uint64_t expires = a->mint.expires_boot_ms;
    if (expires == RD_NEVER) {
        a->refresh_boot_ms = now + TOKEN_FILE_MS;
        a->dead_boot_ms = RD_NEVER;
        return;
    }
    uint64_t left = expires > now ? expires - now : 0;
    uint64_t margin = left / 4 < AUTH_DEAD_MS ? left / 4 : AUTH_DEAD_MS;
    a->dead_boot_ms = expires - margin;
    a->refresh_boot_ms = left > AUTH_STALE_MS + 60000 ? expires - AUTH_STALE_MS : now + left / 2;
}

static void warn_skew(struct google_auth *a)
{
    if (a->warn == NULL)
        return;
    char text[32];
    rd_duration_text((uint64_t)llabs(a->skew_ms), text);
    RD_AUTOFREE char *line = rd_asprintf("this machine's clock is %s %s Google's; tokens are asked "
                                         "for by Google's",
                                         text, a->skew_ms > 0 ? "behind" : "ahead of");
    a->warn(a->warn_ctx, line);
}

static void adopt(struct google_auth *a)
{
    struct auth_mint *m = &a->mint;
    rd_secret_clear(&a->token);
    rd_secret_set(&a->token, m->token.data, m->token.len);
    a->have = true;
    a->expires_wall_ms = m->expires_wall_ms;
    a->wall_minus_boot_ms = wall_minus_boot(a);
    plan_renewal(a, now_boot(a));
    a->auth.generation++;
    a->skew_ms = m->skew_ms;
    if (m->skew_used)
        warn_skew(a);
    if (m->want_identity) {
        a->identity_known = true;
        if (m->email != NULL)
            rd_str_dup(&a->cred.email, m->email);
        if (m->project != NULL && a->cred.project == NULL)
            rd_str_dup(&a->cred.project, m->project);
    }
}

static void mint_done(struct op *op)
{
    struct google_auth *a = container_of(op, struct google_auth, mint.op);
    RD_AUTOERR struct rd_err *err = op_take_err(op);
    if (err == NULL)
        adopt(a);
    else if (a->have)
        a->refresh_boot_ms = now_boot(a) + RENEW_AGAIN_MS; /* the old one is still good */
    auth_mint_clear(&a->mint);
    while (!rd_list_empty(&a->waiters)) {
        struct http_auth_wait *w = container_of(a->waiters.next, struct http_auth_wait, waiting);
        rd_list_remove(&w->waiting);
        op_finish(&w->op, err != NULL ? rd_err_dup(err) : NULL);
    }
}

static void mint_ensure(struct google_auth *a)
{
    if (op_running(&a->mint.op))
        return;
    struct auth_mint *m = &a->mint;
    m->cred = &a->cred;
    m->google = a->google;
    m->direct = a->direct;
    m->clock = &a->clock;
    m->tried = a->tried;
    m->want_identity = !a->identity_known;
    m->skew_ms = a->skew_ms;
    auth_mint_init(m);
    m->op.done = mint_done;
    auth_mint_start(m, a->loop);
}

/* ---- http_auth ---- */

static void wait_step(struct op *op)
{
    struct http_auth_wait *w = container_of(op, struct http_auth_wait, op);
    if (!op->cancelled)
        return;
    rd_list_remove(&w->waiting);
    op_finish(op, NULL);
}

static bool google_ensure(struct http_auth *auth, struct http_auth_wait *wait, struct op *parent)
{
    struct google_auth *a = of(auth);
    uint64_t now = now_boot(a);
    if (a->have && now < a->dead_boot_ms) {
        bool jumped = llabs(wall_minus_boot(a) - a->wall_minus_boot_ms) > CLOCK_JUMP_MS;
        if (jumped)
            a->wall_minus_boot_ms = wall_minus_boot(a); /* once is enough */
        if (now >= a->refresh_boot_ms || jumped)
            mint_ensure(a);
        return true;
    }
    a->have = false;
    wait->auth = auth;
    op_start(&wait->op, parent, wait_step, "credential");
    rd_list_init(&wait->waiting);
    rd_list_append(&a->waiters, &wait->waiting);
    mint_ensure(a);
    return false;
}

/* Over TLS, or not at all; a loopback address is this machine. */
static bool may_carry(const char *url)
{
    if (rd_starts_with(url, "https://"))
        return true;
    struct auth_url u = {0};
    bool loopback = auth_url_split(url, &u) && auth_host_is_loopback(u.host);
    auth_url_clear(&u);
    return loopback;
}

static void bear(struct http_req *r, const struct rd_secret *token)
{
    if (!rd_secret_is_set(token) || !may_carry(r->url))
        return;
    RD_AUTOFREE char *value = rd_asprintf("Bearer %s", token->data);
    http_req_header(r, "Authorization", value);
    rd_wipe(value, strlen(value));
}

static void google_apply(struct http_auth *auth, struct http_req *r)
{
    bear(r, &of(auth)->token);
}

static void google_invalidate(struct http_auth *auth)
{
    of(auth)->have = false;
}

static void google_free(struct http_auth *auth)
{
    struct google_auth *a = of(auth);
    if (--a->refs > 0)
        return;
    RD_ASSERT(rd_list_empty(&a->waiters));
    if (op_running(&a->mint.op)) {
        op_cancel(&a->mint.op);
        loop_run(a->loop, &a->mint.op);
    }
    auth_mint_clear(&a->mint);
    http_client_free(a->google);
    http_client_free(a->direct);
    auth_credential_clear(&a->cred);
    rd_secret_clear(&a->token);
    free(a->tried);
    free(a);
}

static const struct http_auth_ops google_ops = {google_ensure, google_apply, google_invalidate,
                                                google_free};

bool auth_google_open(struct loop *l, const struct auth_options *o, struct http_auth **ret,
                      struct rd_err **reterr)
{
    struct auth_credential cred;
    char *tried = NULL;
    if (!auth_credential_find(o, &cred, &tried, reterr))
        return false;
    struct google_auth *a = rd_calloc(1, sizeof *a);
    a->auth.ops = &google_ops;
    a->refs = 1;
    a->loop = l;
    a->cred = cred;
    a->tried = tried;
    a->clock =
        o->clock != NULL ? *o->clock : (struct auth_clock){system_boot_ms, system_wall_ms, NULL};
    a->warn = o->warn;
    a->warn_ctx = o->warn_ctx;
    a->identity_known = cred.kind != AUTH_METADATA;
    rd_list_init(&a->waiters);
    struct http_client_options google = {.observe = o->observe, .observe_ctx = o->observe_ctx};
    google.tls.ca_file = rd_strdup(auth_env("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"));
    a->google = http_client_new(l, &google);
    struct http_client_options direct = {.proxy = rd_strdup(""),
                                         .http1_only = true,
                                         .observe = o->observe,
                                         .observe_ctx = o->observe_ctx};
    a->direct = http_client_new(l, &direct);
    *ret = &a->auth;
    return true;
}

struct http_auth *auth_google_ref(struct http_auth *auth)
{
    RD_ASSERT(auth->ops == &google_ops);
    of(auth)->refs++;
    return auth;
}

/* ---- What is known ---- */

static const struct google_auth *known(const struct http_auth *auth)
{
    RD_ASSERT(auth->ops == &google_ops);
    return container_of(auth, struct google_auth, auth);
}

enum auth_kind auth_google_kind(const struct http_auth *a)
{
    return known(a)->cred.kind;
}

const char *auth_google_source(const struct http_auth *a)
{
    return known(a)->cred.source;
}

const char *auth_google_email(const struct http_auth *a)
{
    return known(a)->cred.email;
}

const char *auth_google_project_hint(const struct http_auth *a)
{
    return known(a)->cred.project;
}

const char *auth_google_quota_project(const struct http_auth *a)
{
    return known(a)->cred.quota_project;
}

/* ---- A token that is what it is ---- */

struct static_auth {
    struct http_auth auth;
    struct rd_secret token;
};

static bool static_ensure(struct http_auth *a, struct http_auth_wait *wait, struct op *parent)
{
    (void)a, (void)wait, (void)parent;
    return true;
}

static void static_apply(struct http_auth *a, struct http_req *r)
{
    bear(r, &container_of(a, struct static_auth, auth)->token);
}

static void static_invalidate(struct http_auth *a)
{
    (void)a; /* there is no other */
}

static void static_free(struct http_auth *a)
{
    struct static_auth *s = container_of(a, struct static_auth, auth);
    rd_secret_clear(&s->token);
    free(s);
}

static const struct http_auth_ops static_ops = {static_ensure, static_apply, static_invalidate,
                                                static_free};

struct http_auth *auth_static_new(const char *token)
{
    struct static_auth *s = rd_calloc(1, sizeof *s);
    s->auth.ops = &static_ops;
    s->auth.generation = 1;
    rd_secret_set(&s->token, token, strlen(token));
    return &s->auth;
}

/* ---- One token ---- */

static void token_step(struct op *op)
{
    struct auth_token *t = container_of(op, struct auth_token, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!t->waited) {
        t->waited = true;
        if (!t->auth->ops->ensure(t->auth, &t->wait, op))
            return;
    } else if (op_running(&t->wait.op)) {
        return;
    } else if (t->wait.op.err != NULL) {
        op_finish(op, op_take_err(&t->wait.op));
        return;
    }
    const struct rd_secret *token = NULL;
    if (t->auth->ops == &google_ops) {
        token = &of(t->auth)->token;
        t->expires_wall_ms = of(t->auth)->expires_wall_ms;
    } else {
        RD_ASSERT(t->auth->ops == &static_ops);
        token = &container_of(t->auth, struct static_auth, auth)->token;
    }
    rd_secret_set(&t->token, token->data, token->len);
    op_finish(op, NULL);
}

void auth_token_start(struct auth_token *t, struct op *parent, struct http_auth *a)
{
    t->auth = a;
    t->waited = false;
    t->expires_wall_ms = 0;
    rd_secret_clear(&t->token);
    op_start(&t->op, parent, token_step, "token");
}

void auth_token_clear(struct auth_token *t)
{
    RD_ASSERT(!op_running(&t->op));
    rd_err_free(op_take_err(&t->wait.op));
    rd_secret_clear(&t->token);
}
