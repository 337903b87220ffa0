#include "harness/tls.h"

#include "base/alloc.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct harness_ca {
    EVP_PKEY *key;
    X509 *cert;
    char *pem;
    long serial;
};

struct harness_identity {
    struct harness_ca *ca;
    char *cert_pem, *key_pem;
    SSL_CTX *ctx;
};

static char *bio_text(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = rd_strndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

static char *cert_text(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    RD_ASSERT(PEM_write_bio_X509(bio, cert) == 1);
    return bio_text(bio);
}

static char *key_text(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    RD_ASSERT(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    return bio_text(bio);
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    RD_ASSERT(e != NULL);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *new_cert(EVP_PKEY *key, const char *name, long serial, long from_s, long to_s)
{
    X509 *cert = X509_new();
    RD_ASSERT(cert != NULL);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    return cert;
}

struct harness_ca *harness_ca_new(const char *name)
{
    struct harness_ca *ca = rd_calloc(1, sizeof *ca);
    ca->serial = 1;
    ca->key = EVP_EC_gen("P-256");
    RD_ASSERT(ca->key != NULL);
    ca->cert = new_cert(ca->key, name, ca->serial, -86400, 86400);
    X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert));
    extend(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
    extend(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign");
    RD_ASSERT(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0);
    ca->pem = cert_text(ca->cert);
    return ca;
}

void harness_ca_free(struct harness_ca *ca)
{
    if (ca == NULL)
        return;
    EVP_PKEY_free(ca->key);
    X509_free(ca->cert);
    free(ca->pem);
    free(ca);
}

const char *harness_ca_pem(const struct harness_ca *ca)
{
    return ca->pem;
}

static int choose_http1(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                        const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl, (void)arg;
    static const unsigned char http1[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, http1, sizeof http1 - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct harness_identity *harness_identity_new(struct harness_ca *ca, const char *common_name,
                                              const char *sans, int days)
{
    struct harness_identity *i = rd_calloc(1, sizeof *i);
    i->ca = ca;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    RD_ASSERT(key != NULL);
    long to_s = (long)days * 86400;
    X509 *cert = new_cert(key, common_name, ++ca->serial, to_s < 0 ? to_s - 86400 : -3600, to_s);
    X509_set_issuer_name(cert, X509_get_subject_name(ca->cert));
    if (sans != NULL)
        extend(cert, ca->cert, NID_subject_alt_name, sans);
    RD_ASSERT(X509_sign(cert, ca->key, EVP_sha256()) > 0);
    i->cert_pem = cert_text(cert);
    i->key_pem = key_text(key);
    i->ctx = SSL_CTX_new(TLS_server_method());
    RD_ASSERT(i->ctx != NULL);
    RD_ASSERT(SSL_CTX_use_certificate(i->ctx, cert) == 1);
    RD_ASSERT(SSL_CTX_use_PrivateKey(i->ctx, key) == 1);
    SSL_CTX_set_alpn_select_cb(i->ctx, choose_http1, NULL);
    X509_free(cert);
    EVP_PKEY_free(key);
    return i;
}

void harness_identity_free(struct harness_identity *i)
{
    if (i == NULL)
        return;
    SSL_CTX_free(i->ctx);
    free(i->cert_pem);
    free(i->key_pem);
    free(i);
}

const char *harness_identity_cert_pem(const struct harness_identity *i)
{
    return i->cert_pem;
}

const char *harness_identity_key_pem(const struct harness_identity *i)
{
    return i->key_pem;
}

void harness_identity_want_client(struct harness_identity *i)
{
    X509_STORE_add_cert(SSL_CTX_get_cert_store(i->ctx), i->ca->cert);
    SSL_CTX_set_verify(i->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

void *harness_identity_ctx(struct harness_identity *i)
{
    return i->ctx;
}
