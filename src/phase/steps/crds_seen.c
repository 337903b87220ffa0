#include "phase/steps/crds_seen.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "phase/steps/chart_fetch.h"
#include "phase/steps/names.h"

#include <string.h>

#define RECORD_MAX ((size_t)64 << 10)
#define SHORT_HEX 12

/* One file a chart: that it was read well. */
static char *chart_path(const struct config *c, const char *chart_sha256)
{
    RD_AUTOFREE char *dir = chart_cache_dir(c);
    RD_AUTOFREE char *name = rd_asprintf("%s.good", chart_sha256);
    return rd_path_join(dir, name);
}

/* One file a deployment on a server. */
static char *record_path(const struct config *c, const char *server)
{
    RD_AUTOFREE char *dir = chart_cache_dir(c);
    RD_AUTOFREE char *whose =
        rd_asprintf("%s\n%s", server, c->name);
    char hex[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(whose, strlen(whose), hex);
    RD_AUTOFREE char *name = rd_asprintf("crds-%.*s.json", SHORT_HEX, hex);
    return rd_path_join(dir, name);
}

/* What is wanted: the chart's definitions under our labels, as this program makes them of it. */
static char *wanted(const struct config *c, const char *chart_sha256)
{
    RD_AUTOJSON json_t *labels = names_labels(c);
    RD_AUTOFREE char *text = rd_json_dump(labels);
    return rd_asprintf("%s %s %s", RAYDEPLOY_VERSION, chart_sha256, text);
}

/* The chart's name is always the same, its version the configured one: else it would not have been taken. */
static char *read_well(const struct config *c)
{
    return rd_asprintf("%s %s\n", RAYDEPLOY_VERSION, c->kuberay.version);
}

static bool read_small(const char *path, struct rd_buf *out)
{
    RD_AUTOERR struct rd_err *err = NULL;
    return rd_path_exists(path) && rd_file_read(path, RECORD_MAX, out, &err);
}

static bool write_small(const struct config *c, const char *path, const char *text)
{
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOFREE char *dir = chart_cache_dir(c);
    return rd_dir_make(dir, &err) && rd_file_write_atomic(path, text, strlen(text), 0600, &err);
}

bool crds_seen_chart(const struct config *c, const char *chart_sha256)
{
    RD_AUTOFREE char *path = chart_path(c, chart_sha256), *well = read_well(c);
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(RECORD_MAX);
    return read_small(path, &b) && rd_streq(rd_buf_str(&b), well);
}

char *crds_seen_digest(const json_t *crd)
{
    const json_t *metadata = json_object_get(crd, "metadata");
    if (!json_is_object(metadata))
        return NULL;
    RD_AUTOFREE char *text = rd_json_dump(metadata);
    char hex[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(text, strlen(text), hex);
    return rd_strdup(hex);
}

static bool is_seen(const json_t *live, const char *name, const char *digest)
{
    size_t i;
    json_t *crd;
    json_array_foreach((json_t *)live, i, crd)
    {
        if (!rd_streq(rd_json_path_str(crd, "metadata.name"), name))
            continue;
        RD_AUTOFREE char *now = crds_seen_digest(crd);
        return rd_streq(now, digest);
    }
    return false;
}

json_t *crds_seen_match(const struct config *c, const char *server, const char *chart_sha256,
                        const json_t *live)
{
    RD_AUTOFREE char *path = record_path(c, server), *want = wanted(c, chart_sha256);
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(RECORD_MAX);
    if (!read_small(path, &b))
        return NULL;
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOJSON json_t *record = rd_json_parse_own(rd_buf_str(&b), b.len, path, &err);
    const json_t *digests = json_object_get(record, "seen");
    if (!rd_streq(rd_json_str(record, "as", NULL), want) || !json_object_size(digests))
        return NULL;
    json_t *names = json_array();
    const char *name;
    json_t *digest;
    json_object_foreach((json_t *)digests, name, digest)
    {
        if (!json_is_string(digest) || !is_seen(live, name, json_string_value(digest))) {
            json_decref(names);
            return NULL;
        }
        json_array_append_new(names, json_string(name));
    }
    return names;
}

void crds_seen_keep(const struct config *c, const char *server, const char *chart_sha256,
                    const json_t *digests)
{
    RD_AUTOFREE char *path = record_path(c, server), *want = wanted(c, chart_sha256);
    RD_AUTOFREE char *chart = chart_path(c, chart_sha256), *well = read_well(c);
    RD_AUTOJSON json_t *record = rd_json_pack("{s:s, s:O}", "as", want, "seen", digests);
    RD_AUTOFREE char *text = rd_json_dump(record);
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(RECORD_MAX);
    if (read_small(path, &b) && rd_streq(rd_buf_str(&b), text) &&
        crds_seen_chart(c, chart_sha256))
        return;
    if (write_small(c, chart, well))
        (void)write_small(c, path, text);
}
