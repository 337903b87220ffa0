#include "phase/steps/chart_fetch.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "manifest/url.h"
#include "phase/steps/crds_seen.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHART_NAME "kuberay-operator"
#define ARCHIVE_MAX ((size_t)32 << 20)
#define HOPS_MAX 5

enum { ST_BEGIN, ST_INDEX, ST_ARCHIVE };

char *chart_cache_dir(const struct config *c)
{
    if (c->state_dir)
        return rd_path_join(c->state_dir, "charts");
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/')
        return rd_path_join(state, "raydeploy/charts");
    RD_AUTOFREE char *base = rd_path_join(home ? home : "/", ".local/state");
    return rd_path_join(base, "raydeploy/charts");
}

static char *cache_path(struct chart_fetch *f, const char *suffix)
{
    RD_AUTOFREE char *dir = chart_cache_dir(f->ctx->config);
    RD_AUTOFREE char *name =
        rd_asprintf("%s-%s%s", CHART_NAME, f->ctx->config->kuberay.version, suffix);
    return rd_path_join(dir, name);
}

/* ---- What is trusted ---- */

static bool check_digest(struct chart_fetch *f, const char *got, const char *want, const char *who,
                         enum rd_err_kind kind, struct rd_err **reterr)
{
    if (strcasecmp(got, want) == 0)
        return true;
    rd_fail(reterr, kind, "the KubeRay %s chart has digest sha256:%s, but %s says sha256:%s",
            f->ctx->config->kuberay.version, got, who, want);
    rd_err_hint(*reterr, "The archive is not the one that was published or seen before. Do not use it "
                         "before you know why; kuberay.sha256 pins the digest you trust.");
    return false;
}

/* Trust on first use for a version: the remembered digest. */
static bool check_remembered(struct chart_fetch *f, const char *got, struct rd_err **reterr)
{
    RD_AUTOFREE char *path = cache_path(f, ".sha256");
    if (rd_path_exists(path)) {
        struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(4096);
        if (!rd_file_read(path, 4096, &b, reterr))
            return false;
        RD_AUTOFREE char *seen = rd_strndup(rd_buf_str(&b), strcspn(rd_buf_str(&b), "\r\n "));
        RD_AUTOFREE char *who = rd_asprintf("%s (the digest seen first)", path);
        return check_digest(f, got, seen, who, RD_ERR_FOREIGN, reterr);
    }
    RD_AUTOFREE char *dir = chart_cache_dir(f->ctx->config);
    if (!rd_dir_make(dir, reterr))
        return false;
    RD_AUTOFREE char *line = rd_asprintf("%s\n", got);
    return rd_file_write_atomic(path, line, strlen(line), 0600, reterr);
}

static bool accept_archive(struct chart_fetch *f, const char *data, size_t len, const char *label,
                           bool fetched, struct rd_err **reterr)
{
    const struct config *c = f->ctx->config;
    char sha[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(data, len, sha);
    chart_clear(&f->chart);
    f->unread = !f->whole && crds_seen_chart(c, sha);
    if (f->unread) {
        f->chart.name = rd_strdup(CHART_NAME);
        f->chart.version = rd_strdup(c->kuberay.version);
        memcpy(f->chart.sha256, sha, sizeof(sha));
    } else if (!chart_read(data, len, label, &f->chart, reterr)) {
        return false;
    }
    const char *checked = "not checked: a local file, and kuberay.sha256 is not set";
    if (c->kuberay.sha256) {
        if (!check_digest(f, f->chart.sha256, c->kuberay.sha256, "kuberay.sha256", RD_ERR_INPUT,
                          reterr))
            return false;
        checked = "as kuberay.sha256 pins it";
    } else if (fetched) {
        if (f->digest &&
            !check_digest(f, f->chart.sha256, f->digest, "the repository's index", RD_ERR_FAILED,
                          reterr))
            return false;
        if (!check_remembered(f, f->chart.sha256, reterr))
            return false;
        checked = f->digest ? "as the repository's index says" : "remembered for the next time";
    }
    if (!rd_streq(f->chart.name, CHART_NAME) || !rd_streq(f->chart.version, c->kuberay.version)) {
        rd_fail(reterr, RD_ERR_INPUT, "%s is the chart %s %s, wanted %s %s", label, f->chart.name,
                f->chart.version, CHART_NAME, c->kuberay.version);
        rd_err_hint(*reterr, "Set kuberay.version to the archive's version, or pass another archive "
                             "with --kuberay-chart.");
        return false;
    }
    if (f->chart.crds.len == 0 && !f->unread)
        return rd_fail(reterr, RD_ERR_INPUT, "%s holds no CustomResourceDefinitions", label);
    f->note = rd_asprintf("chart %s %s from %s, sha256:%.12s, %s", f->chart.name, f->chart.version,
                          label, f->chart.sha256, checked);
    return true;
}

/* ---- Ways ---- */

static bool read_file(struct chart_fetch *f, const char *path, struct rd_err **reterr)
{
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(ARCHIVE_MAX);
    return rd_file_read(path, ARCHIVE_MAX, &b, reterr) &&
           accept_archive(f, rd_buf_str(&b), b.len, path, false, reterr);
}

/* An archive fetched earlier whose digest is the one wanted now. */
static bool read_cache(struct chart_fetch *f, const char *digest)
{
    RD_AUTOFREE char *path = cache_path(f, ".tgz");
    if (!digest || !rd_path_exists(path))
        return false;
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(ARCHIVE_MAX);
    struct rd_err *err RD_AUTOERR = NULL;
    if (!rd_file_read(path, ARCHIVE_MAX, &b, &err))
        return false;
    char sha[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(b.data, b.len, sha);
    if (strcasecmp(sha, digest) != 0)
        return false;
    return accept_archive(f, rd_buf_str(&b), b.len, path, true, &err);
}

/* The index cannot be reached: the archive that was trusted before will do. */
static bool read_remembered(struct chart_fetch *f)
{
    RD_AUTOFREE char *path = cache_path(f, ".sha256");
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(4096);
    struct rd_err *err RD_AUTOERR = NULL;
    if (!rd_path_exists(path) || !rd_file_read(path, 4096, &b, &err))
        return false;
    RD_AUTOFREE char *seen = rd_strndup(rd_buf_str(&b), strcspn(rd_buf_str(&b), "\r\n "));
    return read_cache(f, seen);
}

static void get(struct chart_fetch *f, const char *url, size_t max)
{
    http_call_clear(&f->call);
    http_call_init(&f->call, f->http, "GET", url);
    f->call.policy = &retry_fetch;
    f->call.idem = RETRY_SAFE;
    f->call.req.resp.max = max;
    http_call_start(&f->call, &f->op);
}

bool chart_is_file(const struct config *c)
{
    const char *from = c->kuberay.chart;
    return from && !rd_starts_with(from, "https://") && !rd_starts_with(from, "http://");
}

bool chart_fetch_file(struct chart_fetch *f, struct step_ctx *ctx, struct rd_err **reterr)
{
    f->ctx = ctx;
    return read_file(f, ctx->config->kuberay.chart, reterr);
}

static bool begin(struct chart_fetch *f, struct rd_err **reterr)
{
    const struct config *c = f->ctx->config;
    const char *from = c->kuberay.chart ? c->kuberay.chart : CHART_INDEX_URL;
    if (chart_is_file(c)) {
        f->state = -1;
        return read_file(f, from, reterr);
    }
    if (!http_url_check(from, reterr))
        return false;
    if (read_cache(f, c->kuberay.sha256)) {
        f->state = -1;
        return true;
    }
    struct http_client_options o = {.in_flight_max = 2};
    const char *ca = getenv("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    if (!ca)
        ca = getenv("SSL_CERT_FILE");
    if (ca && ca[0])
        o.tls.ca_file = rd_strdup(ca);
    f->http = http_client_new(f->ctx->loop, &o);
    f->url = rd_strdup(from);
    f->state = rd_ends_with(from, ".tgz") ? ST_ARCHIVE : ST_INDEX;
    get(f, from, ARCHIVE_MAX);
    return true;
}

/* Goes where an answer of 3xx points. Messages keep naming the first address: the later ones are signed
 * for a few minutes, and what is signed is nobody else's. */
static bool follow(struct chart_fetch *f, struct rd_err **reterr)
{
    const char *from = f->at ? f->at : f->url;
    if (!f->call.req.location)
        return rd_fail(reterr, RD_ERR_FAILED, "the answer has status %ld and names no other place",
                       f->call.req.status);
    if (++f->hops > HOPS_MAX)
        return rd_fail(reterr, RD_ERR_FAILED, "more than %d redirects", HOPS_MAX);
    RD_AUTOFREE char *to = url_resolve(from, f->call.req.location);
    struct rd_err *why RD_AUTOERR = NULL;
    if (!to || !http_url_check(to, &why))
        return rd_fail(reterr, RD_ERR_FAILED, "the redirect leads to no http or https address");
    if (rd_starts_with(from, "https://") && !rd_starts_with(to, "https://"))
        return rd_fail(reterr, RD_ERR_FAILED, "the redirect leads from https to http");
    rd_str_dup(&f->at, to);
    get(f, to, ARCHIVE_MAX);
    return true;
}

static bool read_index(struct chart_fetch *f, struct rd_err **reterr)
{
    const struct config *c = f->ctx->config;
    char *url = NULL;
    if (!chart_index_find(rd_buf_str(&f->call.req.resp), f->call.req.resp.len,
                          f->at ? f->at : f->url, CHART_NAME, c->kuberay.version, &url, &f->digest,
                          reterr))
        return false;
    rd_str_take(&f->url, url);
    rd_freep(&f->at);
    f->hops = 0;
    return true;
}

static void keep(struct chart_fetch *f)
{
    RD_AUTOFREE char *path = cache_path(f, ".tgz");
    RD_AUTOFREE char *dir = chart_cache_dir(f->ctx->config);
    struct rd_err *err RD_AUTOERR = NULL;
    /* A cache that cannot be written costs a fetch next time, nothing more. */
    if (rd_dir_make(dir, &err) &&
        !rd_file_write_atomic(path, f->call.req.resp.data, f->call.req.resp.len, 0600, &err))
        return;
}

static void fetch_step(struct op *op)
{
    struct chart_fetch *f = container_of(op, struct chart_fetch, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (f->state == ST_BEGIN) {
        if (!begin(f, &err) || f->state < 0)
            op_finish(op, err);
        return;
    }
    err = op_take_err(&f->call.op);
    if (!err && f->call.req.status >= 300 && follow(f, &err))
        return;
    if (err && f->state == ST_INDEX && read_remembered(f)) {
        rd_err_free(err);
        op_finish(op, NULL);
        return;
    }
    if (err) {
        rd_err_wrap(err, "fetch the KubeRay chart from %s", f->url);
        if (!err->hint)
            rd_err_hint(err, "Where there is no way out, bring the archive and pass it with "
                             "--kuberay-chart FILE.");
        op_finish(op, err);
        return;
    }
    if (f->state == ST_INDEX) {
        if (!read_index(f, &err)) {
            op_finish(op, err);
            return;
        }
        /* A pinned digest stands over the one that was seen first. */
        if (f->digest && !f->ctx->config->kuberay.sha256 && !check_remembered(f, f->digest, &err)) {
            op_finish(op, err);
            return;
        }
        if (read_cache(f, f->digest)) {
            op_finish(op, NULL);
            return;
        }
        f->state = ST_ARCHIVE;
        get(f, f->url, ARCHIVE_MAX);
        return;
    }
    if (accept_archive(f, rd_buf_str(&f->call.req.resp), f->call.req.resp.len, f->url, true, &err))
        keep(f);
    op_finish(op, err);
}

void chart_fetch_start(struct chart_fetch *f, struct op *parent, struct step_ctx *ctx)
{
    f->ctx = ctx;
    f->state = ST_BEGIN;
    op_start(&f->op, parent, fetch_step, "chart");
}

void chart_fetch_clear(struct chart_fetch *f)
{
    http_call_clear(&f->call);
    if (f->http)
        http_client_free(f->http);
    chart_clear(&f->chart);
    rd_freep(&f->url);
    rd_freep(&f->at);
    rd_freep(&f->digest);
    rd_freep(&f->note);
    f->http = NULL;
}
