/* The emulator's own certificate authority, made at each start, and one server identity for
 * loopback addresses and the names that stand for Google's hosts. */
#ifndef EMU_TLS_H
#define EMU_TLS_H

#include "base/err.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>

struct emu_tls {
    SSL_CTX *ctx;
    char *ca_pem;
};

bool emu_tls_init(struct emu_tls *t, struct rd_err **reterr) RD_MUST_CHECK;
void emu_tls_clear(struct emu_tls *t);
/* An RSA key of 2048 bits as PKCS#8 PEM (owned) and, if wanted, the key itself (owned). */
char *emu_rsa_key_new(EVP_PKEY **ret_key);

#endif
