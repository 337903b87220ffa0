/* Endpoint overrides: values of environment variables that replace a Google host. */
#ifndef RD_AUTH_OVERRIDE_H
#define RD_AUTH_OVERRIDE_H

#include "base/err.h"

/* The parts of a URL; all owned, NULL when absent. */
struct auth_url {
    char *scheme, *host, *port, *path, *query, *user;
};
bool auth_url_split(const char *url, struct auth_url *ret); /* false: malformed */
void auth_url_clear(struct auth_url *u);
bool auth_host_is_loopback(const char *host); /* brackets allowed */

/* NULL when unset or empty. Borrowed from the environment. */
const char *auth_env(const char *name);
/* The value of `variable` as a URL without trailing slashes: host:port becomes https, plain http is
 * taken only for a loopback address. A value without path gets `path` ("/v1", "" for none).
 * *ret is NULL when the variable is not set; RD_ERR_INPUT naming the variable when it cannot be
 * used. */
bool auth_override(const char *variable, const char *path, char **ret,
                   struct rd_err **reterr) RD_MUST_CHECK;

#endif
