#include "phase/steps/cc_operator.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "manifest/archive.h"
#include "manifest/yaml.h"
#include "phase/steps/chart_fetch.h"

#include <stdlib.h>
#include <string.h>

#define BUNDLE_MAX ((size_t)16 << 20)
#define MANIFEST "operator-system/configconnector-operator.yaml"

enum { ST_BEGIN, ST_FETCH, ST_APPLY };

/* ---- The bundle ---- */

static bool is_manifest(const char *path)
{
    return rd_streq(path, MANIFEST) || rd_ends_with(path, "/" MANIFEST);
}

static bool add_documents(const struct archive_file *f, const char *label, struct manifest_list *ret,
                          struct rd_err **reterr)
{
    struct yaml_stream s;
    RD_AUTOFREE char *where = rd_asprintf("%s/%s", label, f->path);
    if (!yaml_read(f->data, f->len, where, YAML_FOREIGN, NULL, false, &s, reterr))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < s.len; i++) {
        json_t *root = s.docs[i].root;
        s.docs[i].root = NULL;
        if (json_is_object(root))
            ok = manifest_add(ret, root, where, s.docs[i].line, reterr);
        else
            json_decref(root); /* an empty document */
    }
    yaml_stream_clear(&s);
    return ok;
}

bool cc_operator_read(const char *data, size_t len, const char *label, struct manifest_list *ret,
                      struct rd_err **reterr)
{
    struct archive_files files;
    if (!archive_read_tgz(data, len, label, NULL, is_manifest, &files, reterr))
        return false;
    bool ok = files.len == 1 && add_documents(&files.v[0], label, ret, reterr);
    if (files.len != 1)
        rd_fail(reterr, RD_ERR_INPUT, "%s holds %zu files %s, wanted one", label, files.len,
                MANIFEST);
    archive_files_clear(&files);
    return ok && manifest_require(ret, label, reterr);
}

/* ---- What is trusted ---- */

static bool differs(const char *got, const char *want, const char *who, enum rd_err_kind kind,
                    struct rd_err **reterr)
{
    rd_fail(reterr, kind, "the Config Connector bundle has digest sha256:%s, but %s says sha256:%s",
            got, who, want);
    rd_err_hint(*reterr, "The bundle is not the one that was published or seen before. Do not use "
                         "it before you know why; management.operatorSha256 pins the digest you "
                         "trust.");
    return false;
}

/* Trust on first use for an address, as for the chart. */
static bool check_remembered(const struct config *c, const char *url, const char *got,
                             struct rd_err **reterr)
{
    char id[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(url, strlen(url), id);
    RD_AUTOFREE char *dir = chart_cache_dir(c);
    RD_AUTOFREE char *name = rd_asprintf("configconnector-%.16s.sha256", id);
    RD_AUTOFREE char *path = rd_path_join(dir, name);
    if (rd_path_exists(path)) {
        struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(4096);
        if (!rd_file_read(path, 4096, &b, reterr))
            return false;
        RD_AUTOFREE char *seen = rd_strndup(rd_buf_str(&b), strcspn(rd_buf_str(&b), "\r\n "));
        RD_AUTOFREE char *who = rd_asprintf("%s (the digest seen first)", path);
        return rd_streq(seen, got) || differs(got, seen, who, RD_ERR_FOREIGN, reterr);
    }
    if (!rd_dir_make(dir, reterr))
        return false;
    RD_AUTOFREE char *line = rd_asprintf("%s\n", got);
    return rd_file_write_atomic(path, line, strlen(line), 0600, reterr);
}

static bool accept_bundle(struct cc_operator *o, const char *data, size_t len, const char *from,
                          bool fetched, struct rd_err **reterr)
{
    const struct config *c = o->s->ctx->config;
    char sha[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(data, len, sha);
    if (c->management.operator_sha256) {
        if (!rd_streq(sha, c->management.operator_sha256))
            return differs(sha, c->management.operator_sha256, "management.operatorSha256",
                           RD_ERR_INPUT, reterr);
    } else if (fetched && !check_remembered(c, from, sha, reterr)) {
        return false;
    }
    step_note(o->s, "operator bundle from %s, sha256:%.12s%s", from, sha,
              c->management.operator_sha256 ? "" : fetched ? ", remembered" : ", not checked");
    return cc_operator_read(data, len, from, &o->list, reterr);
}

/* ---- Bringing and applying it ---- */

static const char *source(const struct config *c)
{
    return c->management.operator ? c->management.operator : CC_OPERATOR_URL;
}

static bool read_file(struct cc_operator *o, struct rd_err **reterr)
{
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(BUNDLE_MAX);
    const char *path = source(o->s->ctx->config);
    return rd_file_read(path, BUNDLE_MAX, &b, reterr) &&
           accept_bundle(o, rd_buf_str(&b), b.len, path, false, reterr);
}

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct cc_operator *o = b->ctx;
    bool wrote = r->outcome == K8S_OUT_CREATED || r->outcome == K8S_OUT_CONFIGURED;
    o->writes += wrote;
    step_note_resource(o->s, wrote ? NOTE_INFO : NOTE_DEBUG, r->title, "%s",
                       r->err ? r->err->message : k8s_outcome_name(r->outcome));
}

static void apply(struct cc_operator *o)
{
    o->state = ST_APPLY;
    o->batch_set = true;
    k8s_batch_init(&o->batch, o->s->ctx->management, K8S_BATCH_APPLY);
    o->batch.need_live = true;
    o->batch.lock = true;
    o->batch.hold_dependents = true;
    o->batch.on_result = on_result;
    o->batch.ctx = o;
    k8s_batch_add_list(&o->batch, &o->list);
    k8s_batch_start(&o->batch, &o->op);
}

static void fetch(struct cc_operator *o, const char *url)
{
    struct http_client_options ho = {.in_flight_max = 2};
    const char *ca = getenv("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    if (ca && *ca)
        ho.tls.ca_file = rd_strdup(ca);
    o->state = ST_FETCH;
    o->http = http_client_new(o->s->ctx->loop, &ho);
    http_call_init(&o->call, o->http, "GET", url);
    o->call.policy = &retry_fetch;
    o->call.idem = RETRY_SAFE;
    o->call.req.resp.max = BUNDLE_MAX;
    http_call_start(&o->call, &o->op);
}

static void operator_step(struct op *op)
{
    struct cc_operator *o = container_of(op, struct cc_operator, op);
    struct rd_err *err = NULL;
    const char *from = source(o->s->ctx->config);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (o->state) {
    case ST_BEGIN:
        if (strstr(from, "://"))
            fetch(o, from);
        else if (read_file(o, &err))
            apply(o);
        else
            op_finish(op, err);
        return;
    case ST_FETCH:
        err = op_take_err(&o->call.op);
        if (err) {
            rd_err_wrap(err, "fetch the Config Connector bundle from %s", from);
            if (!err->hint)
                rd_err_hint(err, "Where there is no way out, bring the bundle and set "
                                 "management.operator to the file.");
            op_finish(op, err);
        } else if (accept_bundle(o, o->call.req.resp.data, o->call.req.resp.len, from, true, &err)) {
            apply(o);
        } else {
            op_finish(op, err);
        }
        return;
    case ST_APPLY:
        op_finish(op, op_take_err(&o->batch.op));
        return;
    }
    RD_UNREACHABLE();
}

void cc_operator_start(struct cc_operator *o, struct op *parent, struct step_op *s)
{
    o->s = s;
    op_start(&o->op, parent, operator_step, "operator");
}

void cc_operator_clear(struct cc_operator *o)
{
    if (o->batch_set)
        k8s_batch_clear(&o->batch);
    http_call_clear(&o->call);
    if (o->http)
        http_client_free(o->http);
    manifest_list_clear(&o->list);
    rd_err_free(op_take_err(&o->call.op));
    rd_err_free(op_take_err(&o->op));
    memset(o, 0, sizeof *o);
}
