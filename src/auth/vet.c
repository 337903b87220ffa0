/* Hosts inside credential files: a file from elsewhere must not send our tokens elsewhere. */
#include "auth/credential.h"
#include "auth/override.h"
#include "base/alloc.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <string.h>

static bool split(const char *what, const char *url, struct auth_url *u, struct rd_err **reterr)
{
    if (http_url_check(url, reterr) && auth_url_split(url, u))
        return true;
    if (*reterr == NULL)
        rd_fail(reterr, RD_ERR_CREDENTIALS, "malformed");
    (*reterr)->kind = RD_ERR_CREDENTIALS;
    rd_err_wrap(*reterr, "its %s", what);
    return false;
}

static bool refuse_host(const char *what, const char *host, const char *want,
                        struct rd_err **reterr)
{
    rd_fail(reterr, RD_ERR_CREDENTIALS, "its %s points to %.100s, want %s", what, host, want);
    rd_err_hint(*reterr, "A credential file that names other hosts than Google's can send your "
                         "tokens to somebody else. Get it anew from its source.");
    return false;
}

/* https to exactly `host`, no port. */
static bool google_url(const char *what, const char *url, const struct auth_url *u,
                       const char *host, bool any_host, struct rd_err **reterr)
{
    bool loopback = auth_host_is_loopback(u->host);
    if (!rd_streq(u->scheme, "https") && !(any_host && loopback))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "its %s is not https", what);
    if (!any_host && (!rd_streq(u->host, host) || u->port != NULL))
        return refuse_host(what, u->host, host, reterr);
    /* Written as Google's tools write it: what was vetted and what is sent are the same bytes. */
    RD_AUTOFREE char *start = rd_asprintf("https://%s/", host);
    if (!any_host && !rd_starts_with(url, start))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "its %s does not begin with %s", what, start);
    if (u->query != NULL)
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "its %s has a query", what);
    return true;
}

bool auth_vet_token_uri(const char *url, bool any_host, struct rd_err **reterr)
{
    struct auth_url u = {0};
    bool ok = split("token_uri", url, &u, reterr);
    bool legacy = ok && rd_streq(u.host, "accounts.google.com") &&
                  rd_streq(u.path, "/o/oauth2/token") && rd_streq(u.scheme, "https");
    if (ok && !legacy)
        ok = google_url("token_uri", url, &u, "oauth2.googleapis.com", any_host, reterr);
    if (ok && !legacy && !any_host && !rd_streq(u.path, "/token"))
        ok = rd_fail(reterr, RD_ERR_CREDENTIALS, "its token_uri has the path %.100s, want /token",
                     u.path);
    auth_url_clear(&u);
    return ok;
}

bool auth_vet_sts(const char *url, bool any_host, struct rd_err **reterr)
{
    struct auth_url u = {0};
    bool ok = split("token_url", url, &u, reterr) &&
              google_url("token_url", url, &u, "sts.googleapis.com", any_host, reterr);
    if (ok && !rd_streq(u.path, "/v1/token") && !rd_streq(u.path, "/v1/oauthtoken"))
        ok = rd_fail(reterr, RD_ERR_CREDENTIALS,
                     "its token_url has the path %.100s, want /v1/token", u.path);
    auth_url_clear(&u);
    return ok;
}

bool auth_vet_impersonation(const char *url, bool any_host, char **ret_email, char **ret_path,
                            struct rd_err **reterr)
{
    static const char what[] = "service_account_impersonation_url";
    static const char before[] = "/v1/projects/-/serviceAccounts/";
    static const char after[] = ":generateAccessToken";
    struct auth_url u = {0};
    bool ok = split(what, url, &u, reterr) &&
              google_url(what, url, &u, "iamcredentials.googleapis.com", any_host, reterr);
    if (ok) {
        size_t len = strlen(u.path), fixed = sizeof before - 1 + sizeof after - 1;
        size_t email = len > fixed ? len - fixed : 0;
        const char *at = u.path + sizeof before - 1;
        ok = email > 0 && rd_starts_with(u.path, before) && rd_ends_with(u.path, after) &&
             memchr(at, '/', email) == NULL && memchr(at, ':', email) == NULL;
        if (ok) {
            *ret_email = rd_strndup(at, email);
            *ret_path = rd_strdup(u.path);
        } else {
            rd_fail(reterr, RD_ERR_CREDENTIALS,
                    "its %s does not name an account's "
                    "generateAccessToken",
                    what);
        }
    }
    auth_url_clear(&u);
    return ok;
}

static bool link_local(const char *host)
{
    struct in_addr v4;
    return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 16 == 0xa9fe;
}

/* Nothing of Google's goes there, only the headers of the file itself. */
bool auth_vet_subject_url(const char *url, struct rd_err **reterr)
{
    struct auth_url u = {0};
    bool ok = split("credential_source.url", url, &u, reterr);
    if (ok && !rd_streq(u.scheme, "https") && !auth_host_is_loopback(u.host) &&
        !link_local(u.host) && !rd_streq(u.host, "metadata.google.internal"))
        ok = rd_fail(reterr, RD_ERR_CREDENTIALS, "its credential_source.url is not https");
    auth_url_clear(&u);
    return ok;
}
