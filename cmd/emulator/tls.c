#include "tls.h"

#include "base/alloc.h"
#include "base/encode.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdlib.h>

enum { VALID_S = 30 * 24 * 3600 };

static char *bio_text(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    char *text = rd_strndup(len > 0 ? data : "", len > 0 ? (size_t)len : 0);
    BIO_free(bio);
    return text;
}

char *emu_rsa_key_new(EVP_PKEY **ret_key)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    RD_ASSERT(key != NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    RD_ASSERT(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    if (ret_key != NULL)
        *ret_key = key;
    else
        EVP_PKEY_free(key);
    return bio_text(bio);
}

static void add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    RD_ASSERT(ext != NULL);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

static X509 *cert_new(const char *name, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    RD_ASSERT(cert != NULL);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), rd_random_u64() >> 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_pubkey(cert, key);
    return cert;
}

bool emu_tls_init(struct emu_tls *t, struct rd_err **reterr)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    RD_ASSERT(ca_key != NULL && key != NULL);
    X509 *ca = cert_new("raydeploy-emulator CA", ca_key);
    X509_set_issuer_name(ca, X509_get_subject_name(ca));
    add_ext(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
    add_ext(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_ext(ca, ca, NID_subject_key_identifier, "hash");
    X509_sign(ca, ca_key, EVP_sha256());

    X509 *cert = cert_new("raydeploy-emulator", key);
    X509_set_issuer_name(cert, X509_get_subject_name(ca));
    add_ext(cert, ca, NID_basic_constraints, "CA:FALSE");
    add_ext(cert, ca, NID_ext_key_usage, "serverAuth");
    add_ext(cert, ca, NID_subject_key_identifier, "hash");
    add_ext(cert, ca, NID_authority_key_identifier, "keyid");
    add_ext(cert, ca, NID_subject_alt_name,
            "IP:127.0.0.1,IP:::1,DNS:localhost,DNS:*.localhost,DNS:*.googleapis.com,DNS:*.pkg.dev,"
            "DNS:*.gke.goog");
    X509_sign(cert, ca_key, EVP_sha256());

    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, ca);
    t->ca_pem = bio_text(bio);
    t->ctx = SSL_CTX_new(TLS_server_method());
    bool ok = t->ctx != NULL && SSL_CTX_use_certificate(t->ctx, cert) == 1 &&
              SSL_CTX_use_PrivateKey(t->ctx, key) == 1;
    if (ok)
        SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return ok || rd_fail(reterr, RD_ERR_INTERNAL, "cannot make a TLS server context");
}

void emu_tls_clear(struct emu_tls *t)
{
    SSL_CTX_free(t->ctx);
    free(t->ca_pem);
    *t = (struct emu_tls){0};
}
