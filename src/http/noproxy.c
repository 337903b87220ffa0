/* Which hosts the environment's proxy is not for.
 *
 * curl reads NO_PROXY itself, against the host in the URL. Two cases it cannot know: under a TLS
 * server name the URL no longer holds the host we connect to, and a loopback address is never
 * behind a proxy (kubectl knows this, and local clusters rely on it). */
#include "http/internal.h"

#include "base/alloc.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* entry: an address or a network, "10.0.0.0/8". */
static bool address_matches(const char *host, const char *entry)
{
    RD_AUTOFREE char *net = rd_strdup(entry);
    char *slash = strchr(net, '/');
    if (slash != NULL)
        *slash = '\0';
    static const struct {
        int family;
        unsigned bits;
    } kinds[] = {{AF_INET, 32}, {AF_INET6, 128}};
    for (size_t i = 0; i < RD_ARRAY_LEN(kinds); i++) {
        unsigned char a[16], b[16];
        if (inet_pton(kinds[i].family, host, a) != 1 || inet_pton(kinds[i].family, net, b) != 1)
            continue;
        char *end = NULL;
        unsigned long bits = slash != NULL ? strtoul(slash + 1, &end, 10) : kinds[i].bits;
        if (bits > kinds[i].bits || (slash != NULL && (end == slash + 1 || *end != '\0')))
            return false;
        return same_prefix(a, b, (unsigned)bits);
    }
    return false;
}

/* entry: a domain, with or without a leading dot, for itself and all below it. */
static bool name_matches(const char *host, const char *entry)
{
    entry += strspn(entry, ".");
    size_t h = strlen(host), e = strlen(entry);
    if (e == 0 || h < e || strcasecmp(host + h - e, entry) != 0)
        return false;
    return h == e || host[h - e - 1] == '.';
}

bool noproxy_matches(const char *host, const char *no_proxy)
{
    struct rd_strv entries = {0};
    bool match = false;
    rd_strv_split(&entries, no_proxy, ", \t");
    for (size_t i = 0; i < entries.len && !match; i++)
        match = rd_streq(entries.v[i], "*") || address_matches(host, entries.v[i]) ||
                name_matches(host, entries.v[i]);
    rd_strv_clear(&entries);
    return match;
}

bool noproxy_loopback(const char *host)
{
    return name_matches(host, "localhost") || address_matches(host, "127.0.0.0/8") ||
           address_matches(host, "::1");
}
