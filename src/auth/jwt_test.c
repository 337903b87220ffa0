/* RS256: known vectors byte for byte, keys that must be refused, libjwt against OpenSSL.
 *
 * testdata/rs256-key.pem is the published test key of google-auth-library-python (Apache-2.0); it
 * opens nothing. */
#include "auth/jwt.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ec.h>
#include <stdlib.h>

static char *read_key(void)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(65536);
    struct rd_err *err = NULL;
    if (!rd_file_read(RD_SOURCE_DIR "/src/auth/testdata/rs256-key.pem", 65536, &b, &err))
        fail_msg("%s", err->message);
    return rd_buf_take(&b, NULL);
}

static struct auth_key *vector_key(void)
{
    RD_AUTOFREE char *pem = read_key();
    struct rd_err *err = NULL;
    struct auth_key *k = auth_key_parse(pem, &err);
    if (k == NULL)
        fail_msg("%s", err->message);
    return k;
}

#define E "\"service-account@example.com\""
#define TIMES "\"iat\":1511900000,\"exp\":1511903600}"

static const struct {
    const char *name, *payload;
    size_t bytes;
    const char *input_sha256, *begins, *ends, *sha256;
} vectors[] = {
    {"a",
     "{\"iss\":" E ",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\","
     "\"aud\":\"https://oauth2.googleapis.com/token\"," TIMES,
     624, "bb6bd0bd0ad41dc99012edd65919442a4f305fe93bef581c665ffe52b67acdd5",
     "VoWPjVKrg0NlRfGMImF1w1hO", "dpd02ygIwsiX5rYY12RnvR_g",
     "d31d08c53f742a9ca4b3ff4cdbba815624b35ada5df88c417d0fe87ef6e9a717"},
    {"b",
     "{\"iss\":" E ",\"sub\":" E
     ",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\"," TIMES,
     613, "d9fbcc6eb00ed6df0cf226f1840af858fcc282aeabad7988c2518a7b15eaac7f",
     "d8eejrG8ITHJixPaqkcvQgH5", "kalHBw1HLwlY3Mr5Ku_GCsNA",
     "cbe410ffcb08c8711ed30f77cdde85063eee59da3912141e51eb4a5a0fae20d6"},
    {"c", "{\"iss\":" E ",\"sub\":" E ",\"aud\":\"https://container.googleapis.com/\"," TIMES, 593,
     "e360f22e77aa3232d10f7f42a0ba8ff94cefea7ac69a9f47c06e90e12616a433", "Ir2FlV5bv037TItZWwlOUD0o",
     "zhesl-eOWo_wY9pKPjQK-gpQ",
     "5df0121b2171e2e891e41bd839435e912b276a1d9304670bb4b046996ff6719d"},
};

static void known_vectors(void **state)
{
    (void)state;
    static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"1\"}";
    struct auth_key *k = vector_key();
    RD_AUTOFREE char *head = rd_base64url_encode(header, strlen(header));
    for (size_t i = 0; i < RD_ARRAY_LEN(vectors); i++) {
        const char *name = vectors[i].name;
        RD_AUTOFREE char *body =
            rd_base64url_encode(vectors[i].payload, strlen(vectors[i].payload));
        RD_AUTOFREE char *input = rd_asprintf("%s.%s", head, body);
        char hex[RD_SHA256_HEX_LEN + 1];
        rd_sha256_hex(input, strlen(input), hex);
        rd_check_str(name, hex, vectors[i].input_sha256);
        struct rd_err *err = NULL;
        RD_AUTOFREE char *jwt = auth_jwt_sign_text(k, input, &err);
        assert_null(err);
        const char *sig = strrchr(jwt, '.') + 1;
        rd_check_int(name, (long long)strlen(jwt), (long long)vectors[i].bytes);
        if (!rd_starts_with(sig, vectors[i].begins) || !rd_ends_with(sig, vectors[i].ends))
            fail_msg("%s: got signature %s, want %s...%s", name, sig, vectors[i].begins,
                     vectors[i].ends);
        rd_sha256_hex(jwt, strlen(jwt), hex);
        rd_check_str(name, hex, vectors[i].sha256);
    }
    auth_key_free(k);
}

static json_t *part(const char *jwt, int index)
{
    for (; index > 0; index--)
        jwt = strchr(jwt, '.') + 1;
    size_t len;
    unsigned char *text = rd_base64_decode(jwt, strcspn(jwt, "."), &len);
    json_t *v = json_loadb((const char *)text, len, 0, NULL);
    free(text);
    return v;
}

/* What libjwt makes says what was asked for; auth_jwt_sign itself holds its signature against
 * OpenSSL's. */
static void claims_survive(void **state)
{
    (void)state;
    struct auth_key *k = vector_key();
    RD_AUTOJSON json_t *claims =
        rd_json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", "a\"b@example.com", "scope", "one two",
                     "aud", "https://oauth2.googleapis.com/token", "iat", (json_int_t)1511900000,
                     "exp", (json_int_t)1511903600);
    struct rd_err *err = NULL;
    RD_AUTOFREE char *jwt = auth_jwt_sign(k, "key-1", claims, &err);
    if (jwt == NULL)
        fail_msg("%s", err->message);
    RD_AUTOJSON json_t *head = part(jwt, 0);
    RD_AUTOJSON json_t *body = part(jwt, 1);
    RD_AUTOJSON json_t *want =
        rd_json_pack("{s:s, s:s, s:s}", "alg", "RS256", "typ", "JWT", "kid", "key-1");
    RD_AUTOFREE char *got_head = rd_json_dump(head);
    RD_AUTOFREE char *want_head = rd_json_dump(want);
    RD_AUTOFREE char *got_body = rd_json_dump(body);
    RD_AUTOFREE char *want_body = rd_json_dump(claims);
    rd_check_str("header", got_head, want_head);
    rd_check_str("claims", got_body, want_body);
    auth_key_free(k);
}

static char *pem_of(EVP_PKEY *pkey, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int ok = PEM_write_bio_PKCS8PrivateKey(bio, pkey, password ? EVP_aes_128_cbc() : NULL, NULL, 0,
                                           NULL, (void *)(uintptr_t)password);
    assert_int_equal(ok, 1);
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *out = rd_strndup(data, (size_t)len);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return out;
}

static void keys(void **state)
{
    (void)state;
    RD_AUTOFREE char *good = pem_of(EVP_RSA_gen(2048), NULL);
    RD_AUTOFREE char *large = pem_of(EVP_RSA_gen(3072), NULL);
    RD_AUTOFREE char *small = pem_of(EVP_RSA_gen(1024), NULL);
    RD_AUTOFREE char *locked = pem_of(EVP_RSA_gen(2048), "a password");
    RD_AUTOFREE char *curve = pem_of(EVP_EC_gen("P-256"), NULL);
    const struct {
        const char *name, *pem, *error; /* NULL: accepted */
    } rows[] = {
        {"2048 bits, PKCS#8", good, NULL},       {"3072 bits", large, NULL},
        {"1024 bits", small, "1024 bits"},       {"encrypted", locked, "encrypted"},
        {"elliptic curve", curve, "not an RSA"}, {"no key", "hello", "not a private key"},
        {"empty", "", "not a private key"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct rd_err *err = NULL;
        struct auth_key *k = auth_key_parse(rows[i].pem, &err);
        if (rows[i].error == NULL) {
            if (k == NULL)
                fail_msg("%s: %s", rows[i].name, err->message);
            RD_AUTOJSON json_t *claims = rd_json_pack("{s:s}", "iss", "x");
            RD_AUTOFREE char *jwt = auth_jwt_sign(k, NULL, claims, &err);
            if (jwt == NULL)
                fail_msg("%s: %s", rows[i].name, err->message);
            auth_key_free(k);
        } else {
            assert_null(k);
            rd_check_err(rows[i].name, &err, RD_ERR_CREDENTIALS, rows[i].error);
        }
    }
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(claims_survive),
        cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
