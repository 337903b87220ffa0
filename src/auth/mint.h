/* One new token: from the credential to the answer of the last endpoint.
 *
 * Steps: a subject token (external accounts), the token itself, then one impersonation after the
 * other; for the metadata server also, once, who and where we are. A clock that is off is put right
 * with the server's Date and tried once more. */
#ifndef RD_AUTH_MINT_H
#define RD_AUTH_MINT_H

#include "auth/credential.h"
#include "loop/proc.h"

struct auth_mint {
    struct op op;
    /* In; borrowed. */
    const struct auth_credential *cred;
    struct http_client *google, *direct; /* direct: no proxy, HTTP/1.1: the metadata server */
    const struct auth_clock *clock;
    const char *tried; /* what else was looked at, for the message when nobody is there */
    bool want_identity;
    int64_t skew_ms; /* in and out: the server's clock minus ours, as far as it matters */
    /* Out. */
    struct rd_secret token;
    uint64_t expires_boot_ms; /* RD_NEVER: not known */
    int64_t expires_wall_ms;  /* by our clock; 0: not known */
    char *email, *project;    /* owned; metadata only */
    bool skew_used;           /* a second try with the server's Date was needed */
    /* mint.c's own. */
    int state;
    struct http_call call;
    struct op_proc proc;
    struct rd_secret subject;
    size_t hop;
    uint64_t asked_boot_ms;
};
void auth_mint_init(struct auth_mint *m);
/* A root of the loop: it outlives whoever asked first. */
void auth_mint_start(struct auth_mint *m, struct loop *l);
void auth_mint_clear(struct auth_mint *m); /* but the inputs; must not be running */

/* ---- refusal.c (pure): what a token endpoint's answer >= 400 means ---- */
/* `endpoint` is its host and port. CALL_RETRY for what passes. */
enum call_judgement auth_decode_refusal(const struct auth_credential *c, const char *endpoint,
                                        long status, const char *body, size_t len, int64_t skew_ms,
                                        struct rd_err **ret_err);
/* ---- subject.c (pure): the answer of a subject source, and of an executable ---- */
bool auth_subject_read(const struct auth_credential *c, const char *text, size_t len,
                       struct rd_secret *ret, struct rd_err **reterr) RD_MUST_CHECK;
bool auth_executable_read(const char *text, size_t len, bool from_file, int64_t now_wall_ms,
                          struct rd_secret *ret, struct rd_err **reterr) RD_MUST_CHECK;

#endif
