#include "base/alloc.h"
#include "base/text.h"
#include "manifest/chart.h"
#include "manifest/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *without_v(const char *version)
{
    return *version == 'v' ? version + 1 : version;
}

static const json_t *find_version(const json_t *entries, const char *version)
{
    size_t i;
    const json_t *entry;
    json_array_foreach (entries, i, entry) {
        const char *found = rd_json_str(entry, "version", NULL);
        if (found && strcmp(without_v(found), without_v(version)) == 0)
            return entry;
    }
    return NULL;
}

static bool fail_version(const json_t *entries, const char *where, const char *name,
                         const char *version, struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf known = RD_BUF_INIT(400);
    size_t i;
    const json_t *entry;
    json_array_foreach (entries, i, entry) {
        const char *found = rd_json_str(entry, "version", NULL);
        if (found && i < 8)
            rd_buf_printf(&known, "%s%.40s", known.len ? ", " : "", found);
    }
    rd_fail(reterr, RD_ERR_INPUT, "%s: no version %s of chart %s", where, version, name);
    if (known.len > 0)
        rd_err_hint(*reterr, "The newest there are %s.", rd_buf_str(&known));
    return false;
}

/* Owned 64 lower-case hex digits, or NULL; indexes of old write the algorithm before them. */
static char *clean_digest(const char *text)
{
    if (rd_starts_with(text, "sha256:"))
        text += strlen("sha256:");
    if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64)
        return NULL;
    char *hex = rd_strdup(text);
    for (char *p = hex; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return hex;
}

static bool find_in(const json_t *root, const char *where, const char *name, const char *version,
                    char **ret_url, char **ret_digest, struct rd_err **reterr)
{
    const json_t *entries = rd_json_get(root, "entries", name, NULL);
    if (!json_is_array(entries))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: no chart named %s in this index", where, name);
    const json_t *entry = find_version(entries, version);
    if (!entry)
        return fail_version(entries, where, name, version, reterr);
    const char *ref = json_string_value(json_array_get(json_object_get(entry, "urls"), 0));
    RD_AUTOFREE char *url = ref ? url_resolve(where, ref) : NULL;
    if (!url)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: chart %s %s has no http or https URL", where,
                       name, version);
    const char *digest = rd_json_str(entry, "digest", NULL);
    char *hex = NULL;
    if (digest && *digest) {
        hex = clean_digest(digest);
        if (!hex)
            return rd_fail(reterr, RD_ERR_INPUT, "%s: digest of chart %s %s is not SHA-256", where,
                           name, version);
    }
    *ret_url = url;
    url = NULL;
    *ret_digest = hex;
    return true;
}

bool chart_index_find(const char *data, size_t len, const char *index_url, const char *name,
                      const char *version, char **ret_url, char **ret_digest,
                      struct rd_err **reterr)
{
    struct yaml_stream s;
    if (!yaml_read(data, len, index_url, YAML_FOREIGN, NULL, false, &s, reterr))
        return false;
    const json_t *root = s.len ? s.docs[0].root : NULL;
    bool ok = find_in(root, index_url, name, version, ret_url, ret_digest, reterr);
    yaml_stream_clear(&s);
    return ok;
}
