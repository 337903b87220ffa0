/* RS256 JSON Web Tokens: the one place that knows libjwt.
 *
 * Protocol source: RFC 7515 (JWS compact form), RFC 7518 section 3.3 (RSASSA-PKCS1-v1_5 with
 * SHA-256). The signature is deterministic, so what libjwt signs is held against OpenSSL's own
 * signature over the same bytes before it is used. */
#ifndef RD_AUTH_JWT_H
#define RD_AUTH_JWT_H

#include "base/json.h"

struct auth_key;

/* PEM, PKCS#8 or PKCS#1, unencrypted, RSA of at least 2048 bits. RD_ERR_CREDENTIALS otherwise; the
 * key never shows in the message. */
struct auth_key *auth_key_parse(const char *pem, struct rd_err **reterr) RD_MUST_CHECK;
void auth_key_free(struct auth_key *k);

/* A token over `claims`; kid NULL: none. Owned; a secret: wipe it. */
char *auth_jwt_sign(const struct auth_key *k, const char *kid, const json_t *claims,
                    struct rd_err **reterr) RD_MUST_CHECK;
/* base64url(header).base64url(payload), as they are, with the signature joined. Owned. */
char *auth_jwt_sign_text(const struct auth_key *k, const char *signing_input,
                         struct rd_err **reterr) RD_MUST_CHECK;

#endif
