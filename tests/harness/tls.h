/* A certificate authority that lives as long as a test. */
#ifndef HARNESS_TLS_H
#define HARNESS_TLS_H

#include "base/macros.h"

struct harness_ca;
struct harness_identity;

struct harness_ca *harness_ca_new(const char *name);
void harness_ca_free(struct harness_ca *ca);
const char *harness_ca_pem(const struct harness_ca *ca);

/* sans: "IP:127.0.0.1,DNS:name"; days may be negative: expired so long ago. The identity also knows
 * its authority, for asking clients for certificates. */
struct harness_identity *harness_identity_new(struct harness_ca *ca, const char *common_name,
                                              const char *sans, int days);
void harness_identity_free(struct harness_identity *i);
const char *harness_identity_cert_pem(const struct harness_identity *i);
const char *harness_identity_key_pem(const struct harness_identity *i);
/* Clients must show a certificate of the same authority. */
void harness_identity_want_client(struct harness_identity *i);
/* For the server: its SSL_CTX. */
void *harness_identity_ctx(struct harness_identity *i);

#endif
