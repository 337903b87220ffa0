/* Every kind of credential against a small Google of our own: what is asked, how often, and what
 * happens when tokens age, are refused, or clocks disagree. */
#include "auth/auth.h"

#include "auth/credential.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/test.h"
#include "harness/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- The small Google ---- */

struct google {
    struct server *server;
    pthread_mutex_t lock;
    int64_t wall_ms; /* its clock; also behind the tokens' expiry */
    int64_t life_s;
    unsigned minted, api_calls, api_401, subjects, hops;
    int64_t made_ms[1000];  /* when token i was handed out */
    unsigned revoked_below; /* tokens numbered less are not accepted */
    unsigned slow_ms;
    const char *refuse; /* body of a 400 that the token endpoint answers with; NULL: none */
    unsigned fail_from, fail_to; /* mints [from, to) are answered with 500 */
    unsigned attempts;
    bool check_iat, no_flavor, quoted_life;
    char last[8192]; /* body of the last token request */
    char last_hop[2048], last_basic[256];
};

static void say_token(struct google *g, struct peer *p, const char *scope_check)
{
    char body[256], date[64], headers[160];
    (void)scope_check;
    pthread_mutex_lock(&g->lock);
    unsigned n = g->minted++;
    g->made_ms[n % 1000] = g->wall_ms;
    time_t t = (time_t)(g->wall_ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    const char *q = g->quoted_life ? "\"" : "";
    snprintf(body, sizeof body,
             "{\"access_token\":\"ya29.token-%u-secret\",\"expires_in\":%s%lld%s,"
             "\"token_type\":\"Bearer\"}",
             n, q, (long long)g->life_s, q);
    pthread_mutex_unlock(&g->lock);
    snprintf(headers, sizeof headers, "Content-Type: application/json\r\n%sDate: %s\r\n",
             g->no_flavor ? "" : "Metadata-Flavor: Google\r\n", date);
    peer_reply(p, 200, headers, body);
}

/* iat of the assertion in a form; 0: none. */
static int64_t assertion_iat(const char *form)
{
    const char *at = strstr(form, "assertion=");
    const char *dot = at != NULL ? strchr(at, '.') : NULL;
    if (dot == NULL)
        return 0;
    size_t len;
    RD_AUTOFREE unsigned char *text = rd_base64_decode(dot + 1, strcspn(dot + 1, "."), &len);
    RD_AUTOJSON json_t *claims = json_loadb((const char *)text, len, 0, NULL);
    return rd_json_path_int(claims, "iat", 0);
}

static void on_token(struct google *g, struct peer *p, const struct peer_request *q)
{
    char date[64], headers[128];
    pthread_mutex_lock(&g->lock);
    snprintf(g->last, sizeof g->last, "%s", rd_buf_str(&q->body));
    RD_AUTOFREE char *basic = peer_request_header(q, "Authorization");
    snprintf(g->last_basic, sizeof g->last_basic, "%s", basic != NULL ? basic : "");
    const char *refuse = g->refuse;
    unsigned attempt = g->attempts++;
    bool fail = attempt >= g->fail_from && attempt < g->fail_to;
    int64_t now = g->wall_ms / 1000, iat = assertion_iat(g->last);
    if (g->check_iat && llabs(now - iat) > 300)
        refuse =
            "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT: Token must be a "
            "short-lived token (60 minutes) and in a reasonable timeframe\"}";
    time_t t = (time_t)now;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    pthread_mutex_unlock(&g->lock);
    if (g->slow_ms > 0)
        peer_pause(p, g->slow_ms);
    snprintf(headers, sizeof headers, "Date: %s\r\n", date);
    if (fail)
        peer_reply(p, 500, headers, "{\"error\":\"internal_failure\"}");
    else if (refuse != NULL)
        peer_reply(p, 400, headers, refuse);
    else
        say_token(g, p, NULL);
}

static void on_hop(struct google *g, struct peer *p, const struct peer_request *q)
{
    char expires[32], body[256], headers[128], date[64];
    pthread_mutex_lock(&g->lock);
    g->hops++;
    RD_AUTOFREE char *bearer = peer_request_header(q, "Authorization");
    snprintf(g->last_hop, sizeof g->last_hop, "%s %s %s", q->path, bearer != NULL ? bearer : "",
             rd_buf_str(&q->body));
    unsigned n = g->minted++;
    g->made_ms[n % 1000] = g->wall_ms;
    rd_rfc3339_ms(g->wall_ms + g->life_s * 1000, expires);
    time_t t = (time_t)(g->wall_ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    pthread_mutex_unlock(&g->lock);
    snprintf(body, sizeof body, "{\"accessToken\":\"ya29.token-%u-secret\",\"expireTime\":\"%s\"}",
             n, expires);
    snprintf(headers, sizeof headers, "Date: %s\r\n", date);
    peer_reply(p, 200, headers, body);
}

static void on_api(struct google *g, struct peer *p, const struct peer_request *q)
{
    RD_AUTOFREE char *bearer = peer_request_header(q, "Authorization");
    unsigned n = 0;
    pthread_mutex_lock(&g->lock);
    g->api_calls++;
    bool ok = bearer != NULL && sscanf(bearer, "Bearer ya29.token-%u-secret", &n) == 1 &&
              n >= g->revoked_below && g->wall_ms < g->made_ms[n % 1000] + g->life_s * 1000;
    if (bearer != NULL && strcmp(bearer, "Bearer ya29.ready") == 0)
        ok = true;
    if (!ok)
        g->api_401++;
    pthread_mutex_unlock(&g->lock);
    peer_reply(p, ok ? 200 : 401, NULL, "{}");
}

static void script(struct peer *p, void *ctx)
{
    struct google *g = ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        if (rd_starts_with(q.path, "/api"))
            on_api(g, p, &q);
        else if (rd_streq(q.path, "/token") || rd_streq(q.path, "/v1/token"))
            on_token(g, p, &q);
        else if (strstr(q.path, ":generateAccessToken") != NULL)
            on_hop(g, p, &q);
        else if (strstr(q.path, "/default/token") != NULL)
            say_token(g, p, NULL);
        else if (strstr(q.path, "/default/email") != NULL)
            peer_reply(p, 200, "Metadata-Flavor: Google\r\n", "vm@p.iam.gserviceaccount.com");
        else if (strstr(q.path, "/project-id") != NULL)
            peer_reply(p, 200, "Metadata-Flavor: Google\r\n", "the-project");
        else if (rd_starts_with(q.path, "/subject")) {
            RD_AUTOFREE char *who = peer_request_header(&q, "X-Who");
            pthread_mutex_lock(&g->lock);
            unsigned n = ++g->subjects;
            pthread_mutex_unlock(&g->lock);
            RD_AUTOFREE char *body =
                rd_asprintf("{\"value\":\"subject-token-%u-for-%s\"}", n, who != NULL ? who : "");
            peer_reply(p, 200, NULL, body);
        } else {
            peer_reply(p, 404, NULL, "{}");
        }
    }
    peer_request_clear(&q);
}

/* ---- The side under test ---- */

struct world {
    struct op op;
    struct google g;
    struct loop *loop;
    struct http_client *http;
    struct http_auth *auth;
    struct http_call call[16];
    size_t calls;
    int cancel; /* this call is cancelled at once; -1: none */
    bool started;
    /* Our clock. */
    uint64_t boot_ms;
    int64_t wall_ms;
};

static char *dir, *pem;

static uint64_t fake_boot(void *ctx)
{
    return ((struct world *)ctx)->boot_ms;
}

static int64_t fake_wall(void *ctx)
{
    return ((struct world *)ctx)->wall_ms;
}

static void advance(struct world *w, uint64_t ms)
{
    w->boot_ms += ms;
    w->wall_ms += (int64_t)ms;
    pthread_mutex_lock(&w->g.lock);
    w->g.wall_ms += (int64_t)ms;
    pthread_mutex_unlock(&w->g.lock);
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
                                 "RAYDEPLOY_WIF_PROVIDER",
                                 "HTTPS_PROXY",
                                 "https_proxy",
                                 "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"};
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    setenv("HOME", dir, 1);
}

static void open_world(struct world *w)
{
    memset(w, 0, sizeof *w);
    pthread_mutex_init(&w->g.lock, NULL);
    w->g.life_s = 3600;
    w->g.wall_ms = w->wall_ms = 1790000000000;
    w->boot_ms = 1000000;
    w->cancel = -1;
    w->g.server = server_new(script, &w->g, NULL);
    w->loop = loop_new();
    struct http_client_options o = {.proxy = rd_strdup("")};
    w->http = http_client_new(w->loop, &o);
    clean_env();
    RD_AUTOFREE char *token = server_url(w->g.server, "/token");
    RD_AUTOFREE char *base = server_url(w->g.server, "");
    setenv("CLOUDSDK_AUTH_TOKEN_HOST", token, 1);
    setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", base, 1);
    setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", base, 1);
}

static void close_world(struct world *w)
{
    if (w->auth != NULL)
        w->auth->ops->free(w->auth);
    http_client_free(w->http);
    loop_free(w->loop);
    server_free(w->g.server);
    pthread_mutex_destroy(&w->g.lock);
}

static void open_auth(struct world *w, json_t *take_file, bool executable)
{
    struct auth_clock clock = {fake_boot, fake_wall, w};
    struct auth_options o = {.clock = &clock, .allow_executable = executable};
    struct rd_err *err = NULL;
    RD_AUTOFREE char *path = NULL;
    if (take_file != NULL) {
        path = rd_path_join(dir, "credential.json");
        RD_AUTOFREE char *text = rd_json_dump(take_file);
        assert_true(rd_file_write_atomic(path, text, strlen(text), 0600, &err));
        json_decref(take_file);
        o.credentials_file = path;
    }
    if (!auth_google_open(w->loop, &o, &w->auth, &err))
        fail_msg("%s", err->message);
}

static json_t *service_account(void)
{
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "service_account", "client_email",
                        "sa@p.iam.gserviceaccount.com", "private_key", pem, "private_key_id", "1",
                        "project_id", "p");
}

static void world_step(struct op *op)
{
    struct world *w = container_of(op, struct world, op);
    if (!w->started) {
        w->started = true;
        for (size_t i = 0; i < w->calls; i++)
            http_call_start(&w->call[i], op);
        if (w->cancel >= 0)
            op_cancel(&w->call[w->cancel].op);
        return;
    }
    for (size_t i = 0; i < w->calls; i++)
        if (!op_ended(&w->call[i].op))
            return;
    op_finish(op, NULL);
}

/* n calls at once; their errors stay in w->call until forget(). */
static void go(struct world *w, size_t n)
{
    RD_AUTOFREE char *url = server_url(w->g.server, "/api");
    w->calls = n;
    w->started = false;
    for (size_t i = 0; i < n; i++) {
        http_call_init(&w->call[i], w->http, "GET", url);
        w->call[i].auth = w->auth;
    }
    op_start_root(&w->op, w->loop, world_step, "world");
    loop_run(w->loop, &w->op);
}

static void forget(struct world *w)
{
    for (size_t i = 0; i < w->calls; i++) {
        rd_err_free(op_take_err(&w->call[i].op));
        http_call_clear(&w->call[i]);
    }
    rd_err_free(op_take_err(&w->op));
}

static void all_fine(struct world *w, const char *row)
{
    for (size_t i = 0; i < w->calls; i++) {
        if ((int)i == w->cancel)
            continue;
        if (w->call[i].op.err != NULL)
            fail_msg("%s: call %zu: %s", row, i, w->call[i].op.err->message);
        rd_check_int(row, w->call[i].req.status, 200);
    }
    forget(w);
}

static void saw(const char *row, const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("%s: got \"%s\", want it to hold \"%s\"", row, text, part);
}

#define SCOPES "scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform"
#define EMAIL_SCOPE "%20https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fuserinfo.email"

/* ---- Kinds ---- */

static void service_account_key(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    open_auth(&w, service_account(), false);
    assert_string_equal(auth_google_email(w.auth), "sa@p.iam.gserviceaccount.com");
    assert_string_equal(auth_google_project_hint(w.auth), "p");
    assert_int_equal(w.g.attempts, 0); /* opening asks nobody */
    go(&w, 1);
    all_fine(&w, "key");
    saw("grant", w.g.last,
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    const char *dot = strchr(strstr(w.g.last, "assertion="), '.') + 1;
    size_t len;
    RD_AUTOFREE unsigned char *text = rd_base64_decode(dot, strcspn(dot, "."), &len);
    RD_AUTOJSON json_t *claims = json_loadb((const char *)text, len, 0, NULL);
    rd_check_str("iss", rd_json_path_str(claims, "iss"), "sa@p.iam.gserviceaccount.com");
    rd_check_str("aud", rd_json_path_str(claims, "aud"), "https://oauth2.googleapis.com/token");
    rd_check_str("scope", rd_json_path_str(claims, "scope"),
                 AUTH_SCOPE_PLATFORM " " AUTH_SCOPE_EMAIL);
    rd_check_int("iat", rd_json_path_int(claims, "iat", 0), w.wall_ms / 1000 - 10);
    rd_check_int("exp", rd_json_path_int(claims, "exp", 0), w.wall_ms / 1000 - 10 + 3600);
    close_world(&w);
}

static void user_login(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    w.g.quoted_life = true;
    open_auth(&w,
              rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "authorized_user", "client_id",
                           "id.apps", "client_secret", "s3cret/value", "refresh_token",
                           "1//refresh+token", "quota_project_id", "q"),
              false);
    assert_string_equal(auth_google_quota_project(w.auth), "q");
    go(&w, 1);
    all_fine(&w, "user");
    rd_check_str("form", w.g.last,
                 "grant_type=refresh_token&client_id=id.apps&client_secret="
                 "s3cret%2Fvalue&refresh_token=1%2F%2Frefresh%2Btoken");
    close_world(&w);
}

static json_t *external(json_t *take_source, const char *hop)
{
    json_t *o = rd_json_pack("{s:s, s:s, s:s, s:o}", "type", "external_account", "audience",
                             "//iam.googleapis.com/projects/1/locations/global/"
                             "workloadIdentityPools/p/providers/x",
                             "subject_token_type", "urn:ietf:params:oauth:token-type:jwt",
                             "credential_source", take_source);
    if (hop != NULL)
        json_object_set_new(o, "service_account_impersonation_url", json_string(hop));
    return o;
}

static void federation_by_file(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    RD_AUTOFREE char *path = rd_path_join(dir, "subject");
    struct rd_err *err = NULL;
    assert_true(rd_file_write_atomic(path, "first-subject\n", 14, 0600, &err));
    open_auth(&w, external(rd_json_pack("{s:s}", "file", path), NULL), false);
    go(&w, 1);
    all_fine(&w, "file");
    saw("grant", w.g.last, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange");
    saw("subject", w.g.last, "&subject_token=first-subject");
    saw("scope", w.g.last, SCOPES EMAIL_SCOPE);
    /* The file rotates; the next exchange takes the new one. */
    assert_true(rd_file_write_atomic(path, "second-subject", 14, 0600, &err));
    w.auth->ops->invalidate(w.auth);
    go(&w, 1);
    all_fine(&w, "file again");
    saw("subject", w.g.last, "&subject_token=second-subject");
    close_world(&w);
}

static void federation_by_url(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    RD_AUTOFREE char *url = server_url(w.g.server, "/subject?audience=x");
    open_auth(
        &w,
        external(rd_json_pack("{s:s, s:{s:s}, s:{s:s, s:s}}", "url", url, "headers", "X-Who", "me",
                              "format", "type", "json", "subject_token_field_name", "value"),
                 "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
                 "ray@p.iam.gserviceaccount.com:generateAccessToken"),
        false);
    assert_string_equal(auth_google_email(w.auth), "ray@p.iam.gserviceaccount.com");
    go(&w, 1);
    all_fine(&w, "url");
    saw("subject", w.g.last, "&subject_token=subject-token-1-for-me");
    saw("scope", w.g.last, SCOPES "&");
    saw("hop", w.g.last_hop,
        "/v1/projects/-/serviceAccounts/ray@p.iam.gserviceaccount.com:"
        "generateAccessToken Bearer ya29.token-0-secret");
    saw("hop", w.g.last_hop, "\"lifetime\":\"3300s\"");
    saw("hop", w.g.last_hop, "[\"" AUTH_SCOPE_PLATFORM "\",\"" AUTH_SCOPE_EMAIL "\"]");
    w.auth->ops->invalidate(w.auth);
    go(&w, 1);
    all_fine(&w, "url again");
    saw("a fresh subject", w.g.last, "&subject_token=subject-token-2-for-me");
    rd_check_int("subjects", w.g.subjects, 2);
    rd_check_int("hops", w.g.hops, 2);
    close_world(&w);
}

static void federation_by_program(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    RD_AUTOFREE char *path = rd_path_join(dir, "program");
    static const char text[] =
        "#!/bin/sh\n"
        "printf '{\"version\":1,\"success\":true,\"token_type\":"
        "\"urn:ietf:params:oauth:token-type:jwt\",\"id_token\":\"by-program-%s-%s\"}' \"$1\" "
        "\"${GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE##*:}\"\n";
    struct rd_err *err = NULL;
    assert_true(rd_file_write_atomic(path, text, sizeof text - 1, 0700, &err));
    RD_AUTOFREE char *command = rd_asprintf("%s arg", path);
    open_auth(&w, external(rd_json_pack("{s:{s:s}}", "executable", "command", command), NULL),
              true);
    go(&w, 1);
    all_fine(&w, "program");
    saw("subject", w.g.last, "&subject_token=by-program-arg-jwt");
    close_world(&w);
}

static void impersonation_with_delegates(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    json_t *source = service_account();
    json_t *file =
        rd_json_pack("{s:s, s:s, s:[s,s], s:o}", "type", "impersonated_service_account",
                     "service_account_impersonation_url",
                     "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/t@p.iam:"
                     "generateAccessToken",
                     "delegates", "d1@p.iam", "projects/-/serviceAccounts/d2@p.iam",
                     "source_credentials", source);
    open_auth(&w, file, false);
    go(&w, 1);
    all_fine(&w, "delegates");
    saw("hop", w.g.last_hop,
        "\"delegates\":[\"projects/-/serviceAccounts/d1@p.iam\","
        "\"projects/-/serviceAccounts/d2@p.iam\"]");
    rd_check_int("mints", w.g.minted, 2);
    close_world(&w);
}

static void metadata_server(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    char host[32];
    snprintf(host, sizeof host, "127.0.0.1:%u", server_port(w.g.server));
    setenv("GCE_METADATA_HOST", host, 1);
    open_auth(&w, NULL, false);
    assert_null(auth_google_email(w.auth));
    go(&w, 2);
    all_fine(&w, "metadata");
    rd_check_int("mints", w.g.minted, 1);
    rd_check_str("email", auth_google_email(w.auth), "vm@p.iam.gserviceaccount.com");
    rd_check_str("project", auth_google_project_hint(w.auth), "the-project");
    w.auth->ops->invalidate(w.auth);
    w.g.no_flavor = true; /* some other server sits there */
    go(&w, 1);
    assert_non_null(w.call[0].op.err);
    rd_check_int("kind", w.call[0].op.err->kind, RD_ERR_CREDENTIALS);
    saw("message", w.call[0].op.err->message, "no metadata server");
    forget(&w);
    close_world(&w);
}

static void ready_token_file(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    RD_AUTOFREE char *path = rd_path_join(dir, "ready");
    struct rd_err *err = NULL;
    assert_true(rd_file_write_atomic(path, "ya29.stale\n", 11, 0600, &err));
    setenv("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", path, 1);
    open_auth(&w, NULL, false);
    assert_true(rd_file_write_atomic(path, "ya29.ready\n", 11, 0600, &err));
    go(&w, 1);
    all_fine(&w, "ready token");
    rd_check_int("mints", w.g.minted, 0);
    close_world(&w);
}

static void token_as_given(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    w.auth = auth_static_new("ya29.ready");
    go(&w, 1);
    all_fine(&w, "static");
    close_world(&w);
}

/* ---- Single flight ---- */

static void one_mint_for_all(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    w.g.slow_ms = 50;
    open_auth(&w, service_account(), false);
    go(&w, 16);
    all_fine(&w, "sixteen");
    rd_check_int("mints", w.g.minted, 1);
    rd_check_int("api calls", w.g.api_calls, 16);
    close_world(&w);
}

static void first_waiter_gives_up(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    w.g.slow_ms = 50;
    w.cancel = 0;
    open_auth(&w, service_account(), false);
    go(&w, 4);
    all_fine(&w, "three of four");
    rd_check_int("mints", w.g.minted, 1);
    rd_check_int("api calls", w.g.api_calls, 3);
    close_world(&w);
}

static void revoked_token(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    open_auth(&w, service_account(), false);
    go(&w, 1);
    all_fine(&w, "before");
    w.g.revoked_below = 1;
    go(&w, 8);
    all_fine(&w, "after");
    rd_check_int("mints", w.g.minted, 2);
    /* A token that is never accepted is refreshed once a call, not for ever. */
    w.g.revoked_below = 1000;
    unsigned before = w.g.api_calls;
    go(&w, 1);
    assert_non_null(w.call[0].op.err);
    rd_check_int("kind", w.call[0].op.err->kind, RD_ERR_CREDENTIALS);
    rd_check_int("api calls", w.g.api_calls - before, 2);
    forget(&w);
    close_world(&w);
}

static void freed_while_minting(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    w.g.slow_ms = 2000;
    w.cancel = 0;
    open_auth(&w, service_account(), false);
    go(&w, 1);
    forget(&w);
    close_world(&w); /* the mint is still on its way */
}

/* ---- Ageing ---- */

/* A run of 45 minutes with tokens of five: never a 401. */
static void long_run(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    w.g.life_s = 300;
    open_auth(&w, service_account(), false);
    for (int i = 0; i < 45 * 60 / 20; i++) {
        go(&w, 2);
        all_fine(&w, "long run");
        advance(&w, 20000);
    }
    rd_check_int("refused calls", w.g.api_401, 0);
    if (w.g.minted < 45 * 60 / 300 || w.g.minted > 60)
        fail_msg("got %u mints in 45 minutes", w.g.minted);
    close_world(&w);
}

/* Asleep for an hour: the old token is not even tried. */
static void after_a_sleep(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    open_auth(&w, service_account(), false);
    go(&w, 1);
    all_fine(&w, "before");
    advance(&w, 3600000 + 5000);
    go(&w, 3);
    all_fine(&w, "after");
    rd_check_int("refused calls", w.g.api_401, 0);
    rd_check_int("mints", w.g.minted, 2);
    close_world(&w);
}

/* The old token serves while the new one is being asked for in vain. */
static void renewal_fails(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    open_auth(&w, service_account(), false);
    go(&w, 1);
    all_fine(&w, "before");
    w.g.refuse = "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}";
    advance(&w, 3600000 - 200000);
    for (int i = 0; i < 4; i++) {
        go(&w, 1);
        all_fine(&w, "meanwhile");
        advance(&w, 20000);
    }
    advance(&w, 115000);
    go(&w, 1);
    assert_non_null(w.call[0].op.err);
    rd_check_int("kind", w.call[0].op.err->kind, RD_ERR_CREDENTIALS);
    saw("message", w.call[0].op.err->message, "Invalid JWT Signature");
    rd_check_int("refused calls", w.g.api_401, 0);
    forget(&w);
    close_world(&w);
}

static void clock_is_off(void **state)
{
    (void)state;
    static const int64_t skews[] = {600000, -600000};
    for (size_t i = 0; i < RD_ARRAY_LEN(skews); i++) {
        struct world w;
        open_world(&w);
        w.g.check_iat = true;
        w.g.wall_ms += skews[i];
        open_auth(&w, service_account(), false);
        go(&w, 1);
        all_fine(&w, "with their date");
        rd_check_int("attempts", w.g.attempts, 2);
        /* Next time it is known. */
        w.auth->ops->invalidate(w.auth);
        go(&w, 1);
        all_fine(&w, "again");
        rd_check_int("attempts", w.g.attempts, 3);
        close_world(&w);
    }
    /* Refused for the same reason with their own date as well: enough. */
    struct world w;
    open_world(&w);
    w.g.wall_ms += 600000;
    w.g.refuse = "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT: short-lived\"}";
    open_auth(&w, service_account(), false);
    go(&w, 1);
    assert_non_null(w.call[0].op.err);
    rd_check_int("kind", w.call[0].op.err->kind, RD_ERR_CREDENTIALS);
    saw("hint", w.call[0].op.err->hint, "10m behind");
    rd_check_int("attempts", w.g.attempts, 2);
    forget(&w);
    close_world(&w);
}

static void passing_failures(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    w.g.fail_from = 0;
    w.g.fail_to = 1;
    open_auth(&w, service_account(), false);
    go(&w, 1);
    all_fine(&w, "one 500");
    rd_check_int("attempts", w.g.attempts, 2);
    close_world(&w);
}

/* ---- Secrets ---- */

/* A server that gives back all it was told, in its refusal: nothing of it gets past the gate. */
static void nothing_leaks(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    open_auth(&w,
              rd_json_pack("{s:s, s:s, s:s, s:s}", "type", "authorized_user", "client_id",
                           "id.apps", "client_secret", "planted-client-secret", "refresh_token",
                           "planted-refresh-token"),
              false);
    w.g.refuse = "{\"error\":\"invalid_grant\",\"error_description\":\"you said "
                 "planted-client-secret and planted-refresh-token\"}";
    go(&w, 1);
    struct rd_err *err = w.call[0].op.err;
    assert_non_null(err);
    const char *const texts[] = {err->message, err->remote, err->hint, err->resource, err->reason};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++) {
        RD_AUTOBUF struct rd_buf shown = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        if (texts[i] != NULL)
            rd_redact(&shown, texts[i], strlen(texts[i]));
        if (strstr(rd_buf_str(&shown), "planted") != NULL)
            fail_msg("text %zu shows \"%s\"", i, rd_buf_str(&shown));
    }
    forget(&w);
    close_world(&w);
    /* Tokens, assertions and keys are known to the gate, too. */
    open_world(&w);
    open_auth(&w, service_account(), false);
    go(&w, 1);
    all_fine(&w, "key");
    RD_AUTOBUF struct rd_buf shown = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    const char *assertion = strstr(w.g.last, "assertion=") + strlen("assertion=");
    RD_AUTOFREE char *text = rd_asprintf("%s %s %s", pem, assertion, "ya29.token-0-secret");
    rd_redact(&shown, text, strlen(text));
    if (strstr(rd_buf_str(&shown), "MII") != NULL || strstr(rd_buf_str(&shown), "ya29") != NULL ||
        strstr(rd_buf_str(&shown), "eyJ") != NULL)
        fail_msg("the gate shows \"%s\"", rd_buf_str(&shown));
    close_world(&w);
}

int main(void)
{
    rd_alloc_init();
    char template[] = "/tmp/flow_test.XXXXXX";
    dir = mkdtemp(template);
    struct rd_buf b = RD_BUF_INIT(65536);
    struct rd_err *err = NULL;
    if (!rd_file_read(RD_SOURCE_DIR "/src/auth/testdata/rs256-key.pem", 65536, &b, &err))
        return 1;
    pem = rd_buf_take(&b, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(service_account_key),   cmocka_unit_test(user_login),
        cmocka_unit_test(federation_by_file),    cmocka_unit_test(federation_by_url),
        cmocka_unit_test(federation_by_program), cmocka_unit_test(impersonation_with_delegates),
        cmocka_unit_test(metadata_server),       cmocka_unit_test(ready_token_file),
        cmocka_unit_test(token_as_given),        cmocka_unit_test(one_mint_for_all),
        cmocka_unit_test(first_waiter_gives_up), cmocka_unit_test(revoked_token),
        cmocka_unit_test(freed_while_minting),   cmocka_unit_test(long_run),
        cmocka_unit_test(after_a_sleep),         cmocka_unit_test(renewal_fails),
        cmocka_unit_test(clock_is_off),          cmocka_unit_test(passing_failures),
        cmocka_unit_test(nothing_leaks),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    RD_AUTOFREE char *clean = rd_asprintf("rm -rf '%s'", dir);
    free(pem);
    return system(clean) == 0 ? failed : 1;
}
