#include "config/option.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

static bool lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Every byte of s is a lower-case letter, a digit or one of `more`. */
static bool made_of(const char *s, const char *more)
{
    for (; *s; s++)
        if (!lower(*s) && !digit(*s) && !strchr(more, *s))
            return false;
    return true;
}

const char *check_not_empty(const char *s)
{
    return *s ? NULL : "must not be empty";
}

const char *check_dns_label(const char *s)
{
    return rd_is_dns_label(s, 63)
               ? NULL
               : "must be a DNS label: lower-case letters, digits and '-', at most "
                 "63 characters, a letter or digit at both ends";
}

/* 21 leaves room for the longest name derived from it: Google accounts end at 30 characters. Names
 * of Google resources begin with a letter. */
const char *check_deployment(const char *s)
{
    return rd_is_dns_label(s, 21) && lower(s[0]) ? NULL
                                                 : "must be a DNS label of at most 21 characters: "
                                                   "lower-case letters, digits and '-', "
                                                   "first a letter, last no '-'";
}

const char *check_project(const char *s)
{
    static const char must[] =
        "must be a Google Cloud project id: 6 to 30 lower-case letters, digits "
        "and '-', first a letter, last no '-'";
    const char *colon = strchr(s, ':'); /* projects of a domain: example.com:name */
    if (colon) {
        char domain[254];
        size_t n = (size_t)(colon - s);
        if (n == 0 || n >= sizeof(domain))
            return must;
        memcpy(domain, s, n);
        domain[n] = '\0';
        if (!rd_is_dns_subdomain(domain))
            return must;
        s = colon + 1;
    }
    size_t len = strlen(s);
    if (len < 6 || len > 30 || !lower(s[0]) || s[len - 1] == '-' || !made_of(s, "-"))
        return must;
    return NULL;
}

/* words of letters joined by '-', the last one ending in digits: us-central1. Returns the rest. */
static const char *skip_region(const char *s)
{
    unsigned words = 0;
    for (;;) {
        if (!lower(*s))
            return NULL;
        while (lower(*s))
            s++;
        words++;
        if (digit(*s))
            break;
        if (*s++ != '-')
            return NULL;
    }
    while (digit(*s))
        s++;
    return words >= 2 ? s : NULL;
}

const char *check_region(const char *s)
{
    const char *rest = skip_region(s);
    if (rest && *rest == '-')
        return "must be a region like us-central1, not a zone";
    return rest && *rest == '\0' && strlen(s) < 64 ? NULL : "must be a region like us-central1";
}

const char *check_zone(const char *s)
{
    const char *rest = skip_region(s);
    return rest && rest[0] == '-' && lower(rest[1]) && rest[2] == '\0' && strlen(s) < 64
               ? NULL
               : "must be a zone like us-central1-a";
}

const char *check_machine_type(const char *s)
{
    static const char must[] = "must be a machine type like n2-standard-4";
    if (!rd_is_dns_label(s, 63) || !lower(s[0]))
        return must;
    const char *dash = strchr(s, '-');
    return dash && strchr(dash + 1, '-') ? NULL : must;
}

const char *check_accelerator(const char *s)
{
    return rd_is_dns_label(s, 63) && lower(s[0])
               ? NULL
               : "must be an accelerator type like nvidia-tesla-t4";
}

static bool cidr_parse(const char *s, uint32_t *ret_ip, unsigned *ret_bits)
{
    char ip[INET_ADDRSTRLEN];
    const char *slash = strchr(s, '/');
    if (!slash || (size_t)(slash - s) >= sizeof(ip))
        return false;
    memcpy(ip, s, (size_t)(slash - s));
    ip[slash - s] = '\0';
    struct in_addr a;
    if (inet_pton(AF_INET, ip, &a) != 1)
        return false;
    const char *b = slash + 1;
    if (!digit(b[0]) || (b[1] && !digit(b[1])) || (b[1] && b[2]) || (b[0] == '0' && b[1]))
        return false;
    unsigned bits = (unsigned)(b[0] - '0');
    if (b[1])
        bits = bits * 10 + (unsigned)(b[1] - '0');
    if (bits > 32)
        return false;
    *ret_ip = ntohl(a.s_addr);
    *ret_bits = bits;
    return true;
}

static uint32_t host_mask(unsigned bits)
{
    return bits == 0 ? UINT32_MAX : bits == 32 ? 0 : (1U << (32 - bits)) - 1;
}

const char *check_cidr(const char *s)
{
    uint32_t ip;
    unsigned bits;
    if (!cidr_parse(s, &ip, &bits))
        return "must be an IPv4 range like 10.0.0.0/20";
    if (ip & host_mask(bits))
        return "has bits set after its prefix: the first address of the range must stand there";
    return NULL;
}

const char *check_subnet(const char *s)
{
    const char *problem = check_cidr(s);
    if (problem)
        return problem;
    uint32_t ip;
    unsigned bits;
    if (!cidr_parse(s, &ip, &bits) || bits < 8 || bits > 29)
        return "must have a prefix length from 8 to 29, as subnets of a VPC do";
    return NULL;
}

void cidr_range(const char *s, uint32_t *ret_first, uint32_t *ret_last)
{
    uint32_t ip;
    unsigned bits;
    bool ok = cidr_parse(s, &ip, &bits);
    RD_ASSERT(ok);
    *ret_first = ip;
    *ret_last = ip | host_mask(bits);
}

const char *check_bucket(const char *s)
{
    static const char must[] =
        "must be a bucket name: 3 to 63 lower-case letters, digits, '-', '_' "
        "and '.', a letter or digit at both ends";
    size_t len = strlen(s);
    if (len < 3 || len > 63 || !made_of(s, "-_."))
        return must;
    if (!isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
        return must;
    return NULL;
}

const char *check_image(const char *s)
{
    static const char must[] = "must be an image reference like registry/name:tag";
    size_t len = strlen(s);
    if (len == 0 || len > 512 || !isalnum((unsigned char)s[0]))
        return must;
    for (const char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-/:@", *p))
            return must;
    if (!isalnum((unsigned char)s[len - 1]) || strstr(s, "//"))
        return must;
    return NULL;
}

const char *check_image_digest(const char *s)
{
    const char *at = strchr(s, '@');
    if (check_image(s) || !at || at == s || !rd_starts_with(at, "@sha256:") ||
        check_sha256(at + strlen("@sha256:")))
        return "must name the image by its digest, like alpine/helm@sha256:0123... with 64 digits: "
               "a tag can be moved";
    return NULL;
}

/* Three numbers, and maybe "rc1". */
const char *check_version(const char *s)
{
    static const char must[] = "must be a version like 2.60.0";
    for (int part = 0; part < 3; part++) {
        size_t n = strspn(s, "0123456789");
        if (n == 0 || n > 6)
            return must;
        s += n;
        if (part < 2 && *s++ != '.')
            return must;
    }
    if (rd_starts_with(s, "rc"))
        s += 2;
    else if (rd_starts_with(s, "-rc."))
        s += 4;
    else
        return *s ? must : NULL;
    size_t n = strspn(s, "0123456789");
    return n > 0 && n <= 6 && s[n] == '\0' ? NULL : must;
}

int version_compare(const char *a, const char *b)
{
    for (int part = 0; part < 3; part++) {
        unsigned long x = strtoul(a, (char **)&a, 10);
        unsigned long y = strtoul(b, (char **)&b, 10);
        if (x != y)
            return x < y ? -1 : 1;
        if (*a == '.')
            a++;
        if (*b == '.')
            b++;
    }
    return *a == *b ? 0 : *a ? -1 : 1;
}

static const char *url_problem(const char *s, bool plain_too)
{
    const char *host = rd_starts_with(s, "https://")               ? s + 8
                       : plain_too && rd_starts_with(s, "http://") ? s + 7
                                                                   : NULL;
    if (!host || !isalnum((unsigned char)*host))
        return plain_too ? "must be a URL like http://grafana.example.com" : "must be an https URL";
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return "must be a URL without blanks or control characters";
    return NULL;
}

const char *check_url(const char *s)
{
    return url_problem(s, true);
}

const char *check_chart_repo(const char *s)
{
    if (rd_starts_with(s, "oci://"))
        return check_image(s + strlen("oci://")) ? "must be a URL like oci://registry/charts" : NULL;
    return url_problem(s, true) ? "must be a URL like https://charts.example.com or oci://registry/charts"
                                : NULL;
}

const char *check_chart(const char *s)
{
    if (*s == '\0')
        return "must be the path of a chart archive, or an https URL";
    if (rd_starts_with(s, "http://"))
        return "must be fetched over https, or be a file";
    if (strstr(s, "://"))
        return url_problem(s, false);
    return NULL;
}

const char *check_sha256(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64
               ? NULL
               : "must be 64 lower-case hexadecimal digits";
}

/* As Kubernetes has it for environment variables since 1.34's relaxed rule is not everywhere yet.
 */
const char *check_env_name(const char *s)
{
    static const char must[] =
        "must be letters, digits, '_', '-' and '.', and not begin with a digit";
    if (*s == '\0' || digit(*s) || strlen(s) > 1024)
        return must;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_-.", *s))
            return must;
    return NULL;
}

const char *check_fact(const char *s)
{
    const char *eq = strchr(s, '=');
    if (!eq || eq == s)
        return "must be NAME=VALUE";
    for (const char *p = s; p < eq; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            return "must be NAME=VALUE, the name of letters, digits, '.', '_' and '-'";
    return NULL;
}
