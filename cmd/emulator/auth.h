/* Who is calling: tokens that the emulator's own token endpoints hand out, and JWTs signed with the
 * key it wrote to DIR/key.json. Protocol sources: RFC 7523, RFC 6749, RFC 8693, the pages "About VM
 * metadata" and "Create short-lived credentials" of Google Cloud. */
#ifndef EMU_AUTH_H
#define EMU_AUTH_H

#include "server.h"

/* Makes the key and the credential files in DIR and opens the oauth2, sts, iamcredentials and
 * metadata listeners. */
bool emu_auth_start(struct emu *e, struct rd_err **reterr) RD_MUST_CHECK;
void emu_auth_free(struct emu_auth *a);

/* The principal ("serviceAccount:EMAIL", "user:EMAIL", "principal://...") of the request's bearer
 * token, also set as req->caller; borrowed. NULL: *ret_why says what is wrong with it, as a reason
 * of google/api/error_reason.proto. Works for the Kubernetes API servers as well. */
const char *emu_auth_caller(struct emu_req *req, const char **ret_why);
/* What the setting token-life says, at most `most`. */
unsigned emu_auth_life_s(const struct emu *e, unsigned most);
/* Another subject token takes the place of the one in DIR/subject-token. */
void emu_auth_subject_new(struct emu *e);
/* A fresh access token for a principal, valid lifetime_s; owned. */
char *emu_auth_token_new(struct emu *e, const char *principal, unsigned lifetime_s);
const char *emu_auth_deployer(const struct emu *e); /* "deployer@PROJECT.iam..." */
/* Seconds since the epoch as the services see it (--set clock-skew=S moves it). */
int64_t emu_auth_now_s(const struct emu *e);
/* JSON over a signed JWT: owned text. */
char *emu_jwt_sign(const struct emu *e, const json_t *claims);

#endif
