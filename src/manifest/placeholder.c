#include "manifest/placeholder.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 6 to 30 of [a-z0-9-], a letter first, no hyphen last; old ones carry "domain.com:" before. */
static bool is_project_id(const char *s)
{
    const char *colon = strchr(s, ':');
    if (colon) {
        RD_AUTOFREE char *domain = rd_strndup(s, (size_t)(colon - s));
        if (!rd_is_dns_subdomain(domain))
            return false;
        s = colon + 1;
    }
    size_t len = strlen(s);
    if (len < 6 || len > 30 || !is_lower(s[0]) || s[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_lower(s[i]) && !is_digit(s[i]) && s[i] != '-')
            return false;
    }
    return true;
}

static bool is_cidr(const char *s)
{
    const char *slash = strchr(s, '/');
    if (!slash || strlen(slash) > 4 || !slash[1])
        return false;
    unsigned bits = 0;
    for (const char *p = slash + 1; *p; p++) {
        if (!is_digit(*p) || (p == slash + 1 && *p == '0' && p[1]))
            return false;
        bits = bits * 10 + (unsigned)(*p - '0');
    }
    RD_AUTOFREE char *address = rd_strndup(s, (size_t)(slash - s));
    unsigned char raw[16];
    unsigned size = 0;
    if (inet_pton(AF_INET, address, raw) == 1)
        size = 32;
    else if (inet_pton(AF_INET6, address, raw) == 1)
        size = 128;
    if (size == 0 || bits > size)
        return false;
    for (unsigned i = bits; i < size; i++) {
        if (raw[i / 8] & (0x80u >> (i % 8)))
            return false;
    }
    return true;
}

static bool is_quantity(const json_t *v)
{
    int64_t milli;
    if (json_is_integer(v))
        return json_integer_value(v) >= 0;
    return json_is_string(v) && rd_quantity_parse_milli(json_string_value(v), &milli) && milli >= 0;
}

/* Lower-case path part: letters and digits with ., _, __ or hyphens between. */
static const char *skip_image_part(const char *p)
{
    const char *start = p;
    while (is_lower(*p) || is_digit(*p) || (p > start && strchr("._-", *p) && *p))
        p++;
    return p > start && !strchr("._-", p[-1]) ? p : NULL;
}

static bool is_tag(const char *p, size_t len)
{
    if (len == 0 || len > 128 || *p == '.' || *p == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)p[i]) && !strchr("._-", p[i]))
            return false;
    }
    return true;
}

/* [host[:port]/]part[/part...][:tag][@algorithm:hex], the grammar of the distribution project. */
static bool is_image(const char *s)
{
    if (strlen(s) > 1024)
        return false;
    const char *p = s;
    const char *slash = strchr(s, '/');
    size_t first = slash ? (size_t)(slash - s) : 0;
    bool host = slash && (memchr(s, '.', first) || memchr(s, ':', first) ||
                          (first == 9 && memcmp(s, "localhost", 9) == 0));
    if (host) {
        const char *colon = memchr(s, ':', first);
        RD_AUTOFREE char *name = rd_strndup(s, colon ? (size_t)(colon - s) : first);
        if (!rd_is_dns_subdomain(name))
            return false;
        if (colon) {
            size_t digits = strspn(colon + 1, "0123456789");
            if (digits == 0 || digits > 5 || colon + 1 + digits != slash)
                return false;
        }
        p = slash + 1;
    }
    for (;;) {
        p = skip_image_part(p);
        if (!p)
            return false;
        if (*p != '/')
            break;
        p++;
    }
    if (*p == ':') {
        size_t len = strcspn(++p, "@");
        if (!is_tag(p, len))
            return false;
        p += len;
    }
    if (*p == '@') {
        static const char sha256[] = "@sha256:";
        if (strncmp(p, sha256, strlen(sha256)) != 0)
            return false;
        p += strlen(sha256);
        if (strlen(p) != 64 || strspn(p, "0123456789abcdef") != 64)
            return false;
        p += 64;
    }
    return *p == '\0';
}

static bool is_email(const char *s)
{
    const char *at = strchr(s, '@');
    if (!at || at == s || at - s > 64 || !rd_is_dns_subdomain(at + 1))
        return false;
    for (const char *p = s; p < at; p++) {
        if (!isalnum((unsigned char)*p) && !strchr(".!#$%&'*+/=?^_`{|}~-", *p))
            return false;
    }
    return true;
}

static bool is_url(const char *s)
{
    const char *p = s;
    if (!is_lower(*p))
        return false;
    while (is_lower(*p) || is_digit(*p) || *p == '+' || *p == '-' || *p == '.')
        p++;
    if (strncmp(p, "://", 3) != 0 || !p[3])
        return false;
    for (p += 3; *p; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("\"<>\\^`{|}", *p))
            return false;
    }
    return true;
}

/* One line of text, as every value of the field is; YAML and JSON would carry more, readers not. */
static bool is_line(const json_t *v)
{
    const char *s = json_string_value(v);
    for (size_t i = 0; i < json_string_length(v); i++) {
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return false;
    }
    return true;
}

const char *placeholder_check(enum placeholder_type type, const json_t *v)
{
    const char *s = json_string_value(v);
    if (s && !is_line(v))
        return "text without control characters";
    switch (type) {
    case PH_STRING:
        return s ? NULL : "text";
    case PH_INT:
        return json_is_integer(v) ? NULL : "an integer";
    case PH_BOOL:
        return json_is_boolean(v) ? NULL : "true or false";
    case PH_LIST:
        return json_is_array(v) ? NULL : "a list";
    case PH_OBJECT:
        return json_is_object(v) ? NULL : "a mapping";
    case PH_DNS_LABEL:
        return s && rd_is_dns_label(s, 63)
                   ? NULL
                   : "a DNS label (at most 63 of a-z, 0-9 and hyphens between them)";
    case PH_DNS_NAME:
        return s && rd_is_dns_subdomain(s) ? NULL
                                           : "a DNS name (labels of a-z, 0-9, hyphens, joined "
                                             "by points)";
    case PH_PROJECT_ID:
        return s && is_project_id(s) ? NULL : "a project id (6 to 30 of a-z, 0-9 and hyphens)";
    case PH_CIDR:
        return s && is_cidr(s)
                   ? NULL
                   : "an address range like 10.0.0.0/16 (no bits set behind the prefix)";
    case PH_QUANTITY:
        return is_quantity(v) ? NULL : "a quantity like 500m, 2 or 8Gi";
    case PH_IMAGE:
        return s && is_image(s) ? NULL : "an image like host/path:tag";
    case PH_EMAIL:
        return s && is_email(s) ? NULL : "an e-mail address";
    case PH_URL:
        return s && is_url(s) ? NULL : "a URL";
    case PH_TYPE_MAX:
        break;
    }
    RD_UNREACHABLE();
}

static void add_part(struct placeholder_text *t, bool is_name, char *take)
{
    t->v = rd_reallocarray(t->v, t->len + 1, sizeof(*t->v));
    t->v[t->len++] = (struct placeholder_part){.is_name = is_name, .text = take};
}

static void add_literal(struct placeholder_text *t, struct rd_buf *literal)
{
    if (literal->len > 0)
        add_part(t, false, rd_buf_take(literal, NULL));
}

const char *placeholder_split(const char *text, struct placeholder_text *ret)
{
    *ret = (struct placeholder_text){0};
    RD_AUTOBUF struct rd_buf literal = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (const char *p = text; *p;) {
        if (strncmp(p, "$${", 3) == 0) {
            rd_buf_puts(&literal, "${");
            p += 3;
            continue;
        }
        if (strncmp(p, "${", 2) != 0) {
            rd_buf_putc(&literal, *p++);
            continue;
        }
        const char *name = p + 2;
        size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (len == 0 || !is_lower(*name) || name[len] != '}') {
            placeholder_text_clear(ret);
            return "malformed placeholder (write ${name}, or $${ for a literal ${)";
        }
        add_literal(ret, &literal);
        add_part(ret, true, rd_strndup(name, len));
        p = name + len + 1;
    }
    add_literal(ret, &literal);
    return NULL;
}

void placeholder_text_clear(struct placeholder_text *t)
{
    for (size_t i = 0; i < t->len; i++)
        free(t->v[i].text);
    free(t->v);
    *t = (struct placeholder_text){0};
}
