/* token: one Google access token, as it is or as the ExecCredential that kubectl asks a plugin for.
 *
 * Protocol source: client.authentication.k8s.io/v1, kind ExecCredential. */
#include "verb.h"

#include "auth/auth.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "phase/steps/google.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct config_verb_flag flags[] = {
    {"exec-credential", NULL, NULL, false,
     "print an ExecCredential, for a kubeconfig's exec plugin"},
    {NULL, NULL, NULL, false, NULL},
};

static void on_warning(void *ctx, const char *text)
{
    verb_say(ctx, NOTE_WARN, "%s", text);
}

bool verb_google(struct verb_ctx *v, struct http_auth **ret, struct rd_err **reterr)
{
    struct google_ears ears = {.observe = verb_on_request, .warn = on_warning, .ctx = v};
    return google_credentials(v->loop, &v->config, &ears, ret, reterr);
}

struct asking {
    struct auth_token token;
    struct http_auth *auth;
};

static void start(struct op *parent, void *ctx)
{
    struct asking *a = ctx;
    auth_token_start(&a->token, parent, a->auth);
}

/* kubectl names the version it wants; v1 is what every supported one knows. */
static const char *exec_version(void)
{
    static const char beta[] = "client.authentication.k8s.io/v1beta1";
    const char *info = getenv("KUBERNETES_EXEC_INFO");
    return info != NULL && strstr(info, beta) != NULL ? beta : "client.authentication.k8s.io/v1";
}

static json_t *exec_credential(const struct auth_token *t)
{
    json_t *o = rd_json_pack("{s:s, s:s, s:{}, s:{s:s}}", "apiVersion", exec_version(), "kind",
                             "ExecCredential", "spec", "status", "token", t->token.data);
    char text[32];
    if (t->expires_wall_ms != 0) {
        rd_rfc3339_ms(t->expires_wall_ms - t->expires_wall_ms % 1000, text);
        rd_json_path_set(o, "status.expirationTimestamp", json_string(text));
    }
    return o;
}

static json_t *described(const struct asking *a)
{
    json_t *o = rd_json_pack("{s:s, s:s}", "token", a->token.token.data, "source",
                             auth_google_source(a->auth));
    const char *email = auth_google_email(a->auth);
    char text[32];
    if (email != NULL)
        json_object_set_new(o, "email", json_string(email));
    if (a->token.expires_wall_ms != 0) {
        rd_rfc3339_ms(a->token.expires_wall_ms, text);
        json_object_set_new(o, "expires", json_string(text));
    }
    return o;
}

/* The one result that is a secret: past the window, whose gate would black it out, and nowhere
 * else. */
static bool print_secret(const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static int print(struct verb_ctx *v, const struct asking *a)
{
    char *text = NULL;
    if (verb_flag(v, "exec-credential") || v->config.json_output) {
        RD_AUTOJSON json_t *o =
            verb_flag(v, "exec-credential") ? exec_credential(&a->token) : described(a);
        text = rd_json_dump(o);
    } else {
        text = rd_strdup(a->token.token.data);
    }
    RD_AUTOFREE char *line = rd_asprintf("%s\n", text);
    bool ok = print_secret(line);
    rd_wipe(line, strlen(line));
    rd_wipe(text, strlen(text));
    free(text);
    return ok ? 0 : verb_fail(v, rd_err_new(RD_ERR_FAILED, "standard output is closed"));
}

static int run(struct verb_ctx *v)
{
    struct asking a = {0};
    struct rd_err *err = NULL;
    if (!verb_google(v, &a.auth, &err))
        return verb_fail(v, err);
    int code = verb_run_op(v, &a.token.op, start, &a);
    if (code == 0)
        code = print(v, &a);
    auth_token_clear(&a.token);
    rd_err_free(op_take_err(&a.token.op));
    a.auth->ops->free(a.auth);
    return code;
}

const struct verb verb_token = {
    .name = "token",
    .summary = "a Google access token, or an ExecCredential for kubectl",
    .help =
        "Credentials are looked for in this order: --credentials, GOOGLE_APPLICATION_CREDENTIALS,\n"
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE, gcloud's application default credentials, the metadata\n"
        "server. The token goes to standard output and nowhere else.\n",
    .flags = flags,
    .run = run,
};
