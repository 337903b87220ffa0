/* What the two files of auth share. */
#ifndef EMU_AUTH_INTERNAL_H
#define EMU_AUTH_INTERNAL_H

#include "auth.h"
#include "tls.h"

enum { SKEW_S = 300, TOKEN_LIFETIME_S = 3599 };

struct emu_auth {
    EVP_PKEY *key;
    char *key_id, *deployer;
    char *refresh_token, *client_secret; /* of user.json */
    char *subject_token;                 /* of external.json */
    json_t *tokens;                      /* access token: {caller, expires} */
};

/* The claims of a JWT with a good signature and time, owned; NULL: *ret_why in Google's words. */
json_t *emu_jwt_verify(const struct emu *e, const char *jwt, const char **ret_why);
bool emu_auth_listen(struct emu *e, struct rd_err **reterr) RD_MUST_CHECK;

#endif
