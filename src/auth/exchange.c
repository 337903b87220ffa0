/* Where a subject token comes from: a file, a URL, a program; each time anew. */
#include "auth/mint_parts.h"

#include "auth/override.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void ask_subject_url(struct auth_mint *m)
{
    const struct auth_credential *c = m->cred;
    bool plain = rd_starts_with(c->subject_at, "http://");
    mint_ask(m, plain ? m->direct : m->google, "GET", c->subject_at, MINT_SUBJECT);
    m->call.req.resp.max = MINT_SUBJECT_MAX;
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
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(MINT_SUBJECT_MAX);
    struct rd_err *err = NULL;
    bool ok = rd_file_read(path, MINT_SUBJECT_MAX, &b, &err) &&
              auth_executable_read(rd_buf_str(&b), b.len, true, mint_wall_ms(m), &m->subject, &err);
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
                                .out_max = MINT_SUBJECT_MAX};
    m->state = MINT_PROGRAM;
    op_proc_start(&m->proc, &m->op, &o);
    op_set_timeout(&m->proc.op, c->subject_timeout_ms);
    rd_strv_clear(&argv);
    rd_strv_clear(&env);
}

bool mint_read_program(struct auth_mint *m, struct rd_err **reterr)
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
                                    m->cred->subject_output_file != NULL, mint_wall_ms(m),
                                    &m->subject, reterr);
    }
    rd_wipe(m->proc.out.data, m->proc.out.len);
    op_proc_clear(&m->proc);
    if (*reterr == NULL)
        return true;
    rd_err_wrap(*reterr, "%s: its program", m->cred->source);
    return false;
}

bool mint_begin_external(struct auth_mint *m, struct rd_err **reterr)
{
    const struct auth_credential *c = m->cred;
    if (c->subject == SUBJECT_URL) {
        ask_subject_url(m);
        return true;
    }
    if (c->subject == SUBJECT_EXECUTABLE) {
        if (subject_from_output_file(m))
            mint_ask_exchange(m);
        else
            run_program(m);
        return true;
    }
    /* Each time anew: projected tokens rotate, and are symbolic links. */
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(MINT_SUBJECT_MAX);
    bool ok = rd_file_read(c->subject_at, MINT_SUBJECT_MAX, &b, reterr) &&
              auth_subject_read(c, rd_buf_str(&b), b.len, &m->subject, reterr);
    rd_wipe(b.data, b.len);
    if (ok) {
        mint_ask_exchange(m);
        return true;
    }
    (*reterr)->kind = RD_ERR_CREDENTIALS;
    rd_err_wrap(*reterr, "%s: subject token %s", c->source, c->subject_at);
    return false;
}

bool mint_read_subject(struct auth_mint *m, struct rd_err **reterr)
{
    const struct auth_credential *c = m->cred;
    struct rd_err *err = op_take_err(&m->call.op);
    RD_AUTOFREE char *origin = http_url_origin(c->subject_at);
    if (err == NULL && auth_subject_read(c, rd_buf_str(&m->call.req.resp), m->call.req.resp.len,
                                         &m->subject, &err)) {
        mint_ask_exchange(m);
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
