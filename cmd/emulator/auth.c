#include "auth.h"

#include "auth_internal.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

int64_t emu_auth_now_s(const struct emu *e)
{
    return (int64_t)time(NULL) + emu_setting_int(e, "clock-skew", 0);
}

const char *emu_auth_deployer(const struct emu *e)
{
    return e->auth->deployer;
}

char *emu_jwt_sign(const struct emu *e, const json_t *claims)
{
    RD_AUTOJSON json_t *head =
        rd_json_pack("{s:s, s:s, s:s}", "alg", "RS256", "typ", "JWT", "kid", e->auth->key_id);
    RD_AUTOFREE char *head_text = rd_json_dump(head);
    RD_AUTOFREE char *claims_text = rd_json_dump(claims);
    RD_AUTOFREE char *h = rd_base64url_encode(head_text, strlen(head_text));
    RD_AUTOFREE char *p = rd_base64url_encode(claims_text, strlen(claims_text));
    RD_AUTOFREE char *input = rd_asprintf("%s.%s", h, p);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[1024];
    size_t sig_len = sizeof(sig);
    RD_ASSERT(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, e->auth->key) == 1);
    RD_ASSERT(EVP_DigestSign(ctx, sig, &sig_len, (const unsigned char *)input, strlen(input)) == 1);
    EVP_MD_CTX_free(ctx);
    RD_AUTOFREE char *s = rd_base64url_encode(sig, sig_len);
    return rd_asprintf("%s.%s", input, s);
}

static json_t *part_json(const char *text, size_t len)
{
    size_t out_len = 0;
    RD_AUTOFREE unsigned char *data = rd_base64_decode(text, len, &out_len);
    return data == NULL ? NULL : json_loadb((const char *)data, out_len, 0, NULL);
}

json_t *emu_jwt_verify(const struct emu *e, const char *jwt, const char **ret_why)
{
    const char *dot1 = strchr(jwt, '.');
    const char *dot2 = dot1 == NULL ? NULL : strchr(dot1 + 1, '.');
    *ret_why = "Invalid JWT: not three parts.";
    if (dot2 == NULL)
        return NULL;
    RD_AUTOJSON json_t *head = part_json(jwt, (size_t)(dot1 - jwt));
    const char *kid = rd_json_str(head, "kid", NULL);
    *ret_why = "Invalid JWT Signature.";
    if (!rd_streq(rd_json_str(head, "alg", NULL), "RS256") ||
        (kid != NULL && !rd_streq(kid, e->auth->key_id)))
        return NULL;
    size_t sig_len = 0;
    RD_AUTOFREE unsigned char *sig = rd_base64_decode(dot2 + 1, strlen(dot2 + 1), &sig_len);
    if (sig == NULL)
        return NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good =
        EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, e->auth->key) == 1 &&
        EVP_DigestVerify(ctx, sig, sig_len, (const unsigned char *)jwt, (size_t)(dot2 - jwt)) == 1;
    EVP_MD_CTX_free(ctx);
    if (!good)
        return NULL;
    json_t *claims = part_json(dot1 + 1, (size_t)(dot2 - dot1 - 1));
    int64_t now = emu_auth_now_s(e);
    json_int_t iat = rd_json_path_int(claims, "iat", 0), exp = rd_json_path_int(claims, "exp", 0);
    *ret_why = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
               "timeframe. Check your iat and exp values in the JWT claim.";
    if (claims != NULL && iat <= now + SKEW_S && exp >= now - SKEW_S && exp - iat <= 3600 + SKEW_S)
        return claims;
    json_decref(claims);
    return NULL;
}

unsigned emu_auth_life_s(const struct emu *e, unsigned most)
{
    const char *set = emu_setting(e, "token-life");
    unsigned long life = set == NULL ? most : strtoul(set, NULL, 10);
    return life > most ? most : life < 2 ? 2 : (unsigned)life;
}

char *emu_auth_token_new(struct emu *e, const char *principal, unsigned lifetime_s)
{
    char hex[97];
    emu_rand_hex(e, hex, sizeof(hex) - 1);
    char *token = rd_asprintf("ya29.emu-%s", hex);
    json_object_set_new(e->auth->tokens, token,
                        rd_json_pack("{s:s, s:I}", "caller", principal, "expires",
                                     (json_int_t)(emu_auth_now_s(e) + lifetime_s)));
    return token;
}

const char *emu_auth_caller(struct emu_req *req, const char **ret_why)
{
    struct emu *e = req->emu;
    if (req->on_answer != NULL) /* from inside: emu_call named it */
        return req->caller;
    const char *header = emu_req_header(req, "authorization");
    *ret_why = "CREDENTIALS_MISSING";
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
        return NULL;
    const char *token = header + 7;
    const json_t *known = json_object_get(e->auth->tokens, token);
    if (known != NULL) {
        *ret_why = "ACCESS_TOKEN_EXPIRED";
        if (rd_json_path_int(known, "expires", 0) < emu_auth_now_s(e))
            return NULL;
        rd_str_dup(&req->caller, rd_json_str(known, "caller", NULL));
        return req->caller;
    }
    /* A self-signed JWT, used as it is (AIP-4111). */
    *ret_why = "ACCESS_TOKEN_TYPE_UNSUPPORTED";
    const char *why = NULL;
    RD_AUTOJSON json_t *claims = emu_jwt_verify(e, token, &why);
    const char *iss = rd_json_str(claims, "iss", NULL);
    if (iss == NULL || !rd_streq(iss, rd_json_str(claims, "sub", NULL)))
        return NULL;
    rd_str_take(&req->caller, rd_asprintf("serviceAccount:%s", iss));
    return req->caller;
}

static bool write_json(struct emu *e, const char *name, json_t *take, struct rd_err **reterr)
{
    RD_AUTOJSON json_t *doc = take;
    RD_AUTOFREE char *text = json_dumps(doc, JSON_INDENT(2));
    RD_AUTOFREE char *path = rd_path_join(e->dir, name);
    return rd_file_write_atomic(path, text, strlen(text), 0600, reterr);
}

static bool write_subject(struct emu *e, struct rd_err **reterr)
{
    char hex[65];
    emu_rand_hex(e, hex, 64);
    RD_AUTOFREE char *path = rd_path_join(e->dir, "subject-token");
    rd_str_take(&e->auth->subject_token, rd_asprintf("oidc-%s", hex));
    return rd_file_write_atomic(path, e->auth->subject_token, strlen(e->auth->subject_token), 0600,
                                reterr);
}

void emu_auth_subject_new(struct emu *e)
{
    struct rd_err *err = NULL;
    if (!write_subject(e, &err)) {
        fprintf(stderr, "raydeploy-emulator: %s\n", err->message);
        rd_err_free(err);
    }
}

static bool write_files(struct emu *e, const char *pem, struct rd_err **reterr)
{
    struct emu_auth *a = e->auth;
    RD_AUTOFREE char *subject = rd_path_join(e->dir, "subject-token");
    RD_AUTOFREE char *audience = rd_asprintf(
        "//iam.googleapis.com/projects/%s/locations/global/workloadIdentityPools/pool/providers/ci",
        e->project_number);
    RD_AUTOFREE char *impersonate =
        rd_asprintf("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
                    "%s:generateAccessToken",
                    a->deployer);
    RD_AUTOFREE char *claims_aud = rd_asprintf("https:%s", audience);
    json_t *user = rd_json_pack("{s:s, s:s, s:s, s:s}", "type", "authorized_user", "client_id",
                                "emulator.apps.googleusercontent.com", "client_secret",
                                a->client_secret, "refresh_token", a->refresh_token);
    if (!write_subject(e, reterr) ||
        !write_json(e, "key.json",
                    rd_json_pack(
                        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "type", "service_account",
                        "project_id", e->project, "private_key_id", a->key_id, "private_key", pem,
                        "client_email", a->deployer, "client_id", "100000000000000000001",
                        "auth_uri", "https://accounts.google.com/o/oauth2/auth", "token_uri",
                        "https://oauth2.googleapis.com/token", "universe_domain", "googleapis.com"),
                    reterr) ||
        !write_json(e, "impersonated.json",
                    rd_json_pack("{s:s, s:s, s:O}", "type", "impersonated_service_account",
                                 "service_account_impersonation_url", impersonate,
                                 "source_credentials", user),
                    reterr)) {
        json_decref(user);
        return false;
    }
    return write_json(e, "user.json", user, reterr) &&
           write_json(e, "external.json",
                      rd_json_pack("{s:s, s:s, s:s, s:s, s:{s:s}, s:s}", "type", "external_account",
                                   "audience", audience, "subject_token_type",
                                   "urn:ietf:params:oauth:token-type:jwt", "token_url",
                                   "https://sts.googleapis.com/v1/token", "credential_source",
                                   "file", subject, "service_account_impersonation_url",
                                   impersonate),
                      reterr);
}

bool emu_auth_start(struct emu *e, struct rd_err **reterr)
{
    struct emu_auth *a = e->auth = rd_calloc(1, sizeof(*a));
    a->tokens = json_object();
    a->deployer = rd_asprintf("deployer@%s.iam.gserviceaccount.com", e->project);
    char hex[65];
    emu_rand_hex(e, hex, 40);
    a->key_id = rd_strdup(hex);
    emu_rand_hex(e, hex, 64);
    a->refresh_token = rd_asprintf("1//emu-%s", hex);
    emu_rand_hex(e, hex, 24);
    a->client_secret = rd_asprintf("GOCSPX-%s", hex);
    RD_AUTOFREE char *pem = emu_rsa_key_new(&a->key);
    return write_files(e, pem, reterr) && emu_auth_listen(e, reterr);
}

void emu_auth_free(struct emu_auth *a)
{
    if (a == NULL)
        return;
    EVP_PKEY_free(a->key);
    json_decref(a->tokens);
    free(a->key_id);
    free(a->deployer);
    free(a->refresh_token);
    free(a->client_secret);
    free(a->subject_token);
    free(a);
}
