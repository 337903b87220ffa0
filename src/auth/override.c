#include "auth/override.h"

#include "base/alloc.h"
#include "base/text.h"
#include "http/http.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static void part(CURLU *u, CURLUPart which, char **ret)
{
    char *text = NULL;
    if (curl_url_get(u, which, &text, 0) == CURLUE_OK)
        *ret = rd_strdup(text);
    curl_free(text);
}

bool auth_url_split(const char *url, struct auth_url *ret)
{
    memset(ret, 0, sizeof *ret);
    CURLU *u = curl_url();
    RD_ASSERT(u != NULL);
    bool ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK;
    if (ok) {
        part(u, CURLUPART_SCHEME, &ret->scheme);
        part(u, CURLUPART_HOST, &ret->host);
        part(u, CURLUPART_PORT, &ret->port);
        part(u, CURLUPART_PATH, &ret->path);
        part(u, CURLUPART_QUERY, &ret->query);
        part(u, CURLUPART_USER, &ret->user);
    }
    curl_url_cleanup(u);
    return ok && ret->scheme != NULL && ret->host != NULL;
}

void auth_url_clear(struct auth_url *u)
{
    free(u->scheme);
    free(u->host);
    free(u->port);
    free(u->path);
    free(u->query);
    free(u->user);
    memset(u, 0, sizeof *u);
}

bool auth_host_is_loopback(const char *host)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return rd_streq(host, "localhost") || rd_streq(host, "[::1]") || rd_streq(host, "::1");
}

const char *auth_env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

bool auth_override(const char *variable, const char *path, char **ret, struct rd_err **reterr)
{
    const char *value = auth_env(variable);
    if (value == NULL) {
        *ret = NULL;
        return true;
    }
    RD_AUTOFREE char *full =
        strstr(value, "://") != NULL ? rd_strdup(value) : rd_asprintf("https://%s", value);
    if (!http_url_check(full, reterr)) {
        rd_err_wrap(*reterr, "environment variable %s", variable);
        return false;
    }
    struct auth_url u;
    bool ok = auth_url_split(full, &u);
    bool plain = ok && rd_streq(u.scheme, "http") && !auth_host_is_loopback(u.host);
    bool bare = ok && (u.path == NULL || rd_streq(u.path, "/"));
    bool query = ok && u.query != NULL;
    auth_url_clear(&u);
    if (!ok || query)
        return rd_fail(reterr, RD_ERR_INPUT, "environment variable %s is not a base URL", variable);
    if (plain) {
        rd_fail(reterr, RD_ERR_INPUT,
                "environment variable %s: plain http would show tokens to the network", variable);
        rd_err_hint(*reterr, "Use https, or a loopback address.");
        return false;
    }
    size_t len = strlen(full);
    while (len > 0 && full[len - 1] == '/')
        full[--len] = '\0';
    *ret = rd_asprintf("%s%s", full, bare ? path : "");
    return true;
}
