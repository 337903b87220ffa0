/* Credentials that need no program: tokens, token files, basic authentication. */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"
#include "k8s/client.h"
#include "k8s/internal.h"

#include <ctype.h>
#include <string.h>

#define TOKEN_FILE_MAX ((size_t)64 << 10)
/* Projected tokens rotate at 80 % of their life; client-go reads the file each minute, 10 s early. */
#define TOKEN_FILE_MS 50000

struct k8s_token_auth {
    struct http_auth auth;
    const struct k8s_config *config;
    struct rd_secret header; /* value of Authorization */
    uint64_t read_ms;        /* boot time of the last reading of the file; 0: read it now */
    struct rd_err *err;      /* why there is no credential at all */
};

static void header_set(struct k8s_token_auth *a, const char *scheme, const char *value)
{
    rd_secret_take(&a->header, rd_asprintf("%s %s", scheme, value));
    a->auth.generation++;
}

static void file_read(struct k8s_token_auth *a)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_err_freep(&a->err);
    a->read_ms = rd_boot_ms();
    if (!rd_file_read(a->config->token_file, TOKEN_FILE_MAX, &b, &a->err)) {
        a->err->kind = RD_ERR_CREDENTIALS;
        rd_err_wrap(a->err, "%s: tokenFile", a->config->origin);
        return; /* an older token stays in use */
    }
    char *text = b.data ? b.data : "";
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    if (!len || strpbrk(text, "\r\n")) {
        a->err = rd_err_new(RD_ERR_CREDENTIALS, "%s: tokenFile %s holds no token", a->config->origin,
                            a->config->token_file);
        return;
    }
    struct rd_secret token = {0};
    rd_secret_set(&token, text, len);
    RD_AUTOFREE char *value = rd_asprintf("Bearer %s", text);
    if (!a->header.data || strcmp(a->header.data, value) != 0)
        header_set(a, "Bearer", text);
    rd_wipe(value, strlen(value));
    rd_wipe(b.data, b.len);
    rd_secret_clear(&token);
}

static void no_credential_step(struct op *op)
{
    struct http_auth_wait *wait = container_of(op, struct http_auth_wait, op);
    struct k8s_token_auth *a = container_of(wait->auth, struct k8s_token_auth, auth);
    op_finish(op, op->cancelled || !a->err ? NULL : rd_err_dup(a->err));
}

static bool token_ensure(struct http_auth *auth, struct http_auth_wait *wait, struct op *parent)
{
    struct k8s_token_auth *a = container_of(auth, struct k8s_token_auth, auth);
    if (a->config->token_file && (!a->read_ms || rd_boot_ms() - a->read_ms >= TOKEN_FILE_MS))
        file_read(a);
    if (rd_secret_is_set(&a->header))
        return true;
    wait->auth = auth;
    op_start(&wait->op, parent, no_credential_step, "credential");
    return false;
}

static void token_apply(struct http_auth *auth, struct http_req *r)
{
    struct k8s_token_auth *a = container_of(auth, struct k8s_token_auth, auth);
    if (rd_secret_is_set(&a->header) && rd_starts_with(r->url, "https://"))
        http_req_header(r, "Authorization", a->header.data);
}

static void token_invalidate(struct http_auth *auth)
{
    container_of(auth, struct k8s_token_auth, auth)->read_ms = 0;
}

static void token_free(struct http_auth *auth)
{
    struct k8s_token_auth *a = container_of(auth, struct k8s_token_auth, auth);
    rd_secret_clear(&a->header);
    rd_err_freep(&a->err);
    rd_freep(&a);
}

static const struct http_auth_ops token_ops = {token_ensure, token_apply, token_invalidate,
                                               token_free};

struct http_auth *k8s_auth_new(const struct k8s_config *config, struct http_client *http)
{
    bool token = rd_secret_is_set(&config->token);
    bool basic = config->username || rd_secret_is_set(&config->password);
    if (!token && !config->token_file && !basic)
        return config->exec.command ? k8s_exec_auth_new(config, http) : NULL;
    struct k8s_token_auth *a = rd_calloc(1, sizeof(*a));
    a->auth.ops = &token_ops;
    a->config = config;
    if (token) {
        header_set(a, "Bearer", config->token.data);
    } else if (basic) {
        const char *password = config->password.data ? config->password.data : "";
        RD_AUTOFREE char *both =
            rd_asprintf("%s:%s", config->username ? config->username : "", password);
        RD_AUTOFREE char *encoded = rd_base64_encode(both, strlen(both));
        header_set(a, "Basic", encoded);
        rd_wipe(both, strlen(both));
        rd_wipe(encoded, strlen(encoded));
    }
    return &a->auth;
}
