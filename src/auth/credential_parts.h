/* What the readers of credential files share. */
#ifndef RD_AUTH_CREDENTIAL_PARTS_H
#define RD_AUTH_CREDENTIAL_PARTS_H

#include "auth/credential.h"

struct credential_reading {
    const struct auth_options *o;
    const char *origin;
    bool any_host;
};

/* A string that must be there; borrowed from o. */
bool credential_want(const json_t *o, const char *name, const char **ret,
                     struct rd_err **reterr) RD_MUST_CHECK;
void credential_secret(struct rd_secret *s, const char *text);
bool credential_add_hop(const struct credential_reading *r, struct auth_credential *c,
                        const char *url, const json_t *delegates, unsigned lifetime_s,
                        struct rd_err **reterr) RD_MUST_CHECK;
/* external.c: type external_account. */
bool credential_external(const struct credential_reading *r, const json_t *o,
                         struct auth_credential *c, struct rd_err **reterr) RD_MUST_CHECK;

#endif
