#include "auth/jwt.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/secret.h"

#include <jwt.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BITS_MIN 2048

struct auth_key {
    EVP_PKEY *pkey;
    struct rd_secret pem; /* libjwt parses it anew each time */
};

/* Without it OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing, (void)ctx;
    return 0;
}

struct auth_key *auth_key_parse(const char *pem, struct rd_err **reterr)
{
    size_t len = strlen(pem);
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    RD_ASSERT(bio != NULL);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (pkey == NULL) {
        rd_fail(reterr, RD_ERR_CREDENTIALS, "its private_key is %s",
                strstr(pem, "ENCRYPTED") != NULL ? "encrypted" : "not a private key in PEM form");
        return NULL;
    }
    int type = EVP_PKEY_get_base_id(pkey), bits = EVP_PKEY_get_bits(pkey);
    if (type != EVP_PKEY_RSA || bits < KEY_BITS_MIN) {
        if (type != EVP_PKEY_RSA)
            rd_fail(reterr, RD_ERR_CREDENTIALS, "its private_key is not an RSA key");
        else
            rd_fail(reterr, RD_ERR_CREDENTIALS,
                    "its private_key has %d bits, fewer than the %d that are safe", bits,
                    KEY_BITS_MIN);
        EVP_PKEY_free(pkey);
        return NULL;
    }
    struct auth_key *k = rd_calloc(1, sizeof *k);
    k->pkey = pkey;
    rd_secret_set(&k->pem, pem, len);
    return k;
}

void auth_key_free(struct auth_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->pkey);
    rd_secret_clear(&k->pem);
    free(k);
}

char *auth_jwt_sign_text(const struct auth_key *k, const char *signing_input,
                         struct rd_err **reterr)
{
    size_t len = (size_t)EVP_PKEY_get_size(k->pkey);
    RD_AUTOFREE unsigned char *sig = rd_malloc(len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    RD_ASSERT(ctx != NULL);
    bool ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
              EVP_DigestSign(ctx, sig, &len, (const unsigned char *)signing_input,
                             strlen(signing_input)) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!ok) {
        rd_fail(reterr, RD_ERR_CREDENTIALS, "its private_key cannot sign");
        return NULL;
    }
    RD_AUTOFREE char *encoded = rd_base64url_encode(sig, len);
    return rd_asprintf("%s.%s", signing_input, encoded);
}

static char *encode(const struct auth_key *k, const char *kid, const char *claims)
{
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) != 0)
        return NULL;
    char *token = NULL;
    if (jwt_add_grants_json(jwt, claims) == 0 &&
        (kid == NULL || jwt_add_header(jwt, "kid", kid) == 0) &&
        jwt_set_alg(jwt, JWT_ALG_RS256, (const unsigned char *)k->pem.data, (int)k->pem.len) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    return token;
}

char *auth_jwt_sign(const struct auth_key *k, const char *kid, const json_t *claims,
                    struct rd_err **reterr)
{
    RD_AUTOFREE char *text = rd_json_dump(claims);
    char *token = encode(k, kid, text);
    if (token == NULL) {
        rd_fail(reterr, RD_ERR_CREDENTIALS, "its private_key cannot sign");
        return NULL;
    }
    const char *last = strrchr(token, '.');
    RD_AUTOFREE char *input = rd_strndup(token, last != NULL ? (size_t)(last - token) : 0);
    RD_AUTOFREE char *again = auth_jwt_sign_text(k, input, reterr);
    bool same = again != NULL && strcmp(again, token) == 0;
    if (again != NULL)
        rd_wipe(again, strlen(again));
    if (!same) {
        if (*reterr == NULL)
            rd_fail(reterr, RD_ERR_INTERNAL, "libjwt and OpenSSL do not sign alike");
        rd_wipe(token, strlen(token));
        free(token);
        return NULL;
    }
    return token;
}
