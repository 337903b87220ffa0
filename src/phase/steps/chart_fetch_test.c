/* Goal: the chart comes by the repository's index over HTTPS, through redirects, and only when its digest
 * is the one that is pinned, that the index gives, or that was seen first. */
#include "base/test.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "harness/server.h"
#include "harness/tls.h"
#include "phase/steps/chart_fetch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct {
    char folder[32];
    char *archive, *index, *wrong_index;
    size_t len;
    char sha[RD_SHA256_HEX_LEN + 1];
    struct harness_ca *ca;
    struct harness_identity *identity;
    struct server *server;
} world;

/* ---- The repository ---- */

static void script(struct peer *p, void *ctx)
{
    static const struct {
        const char *path, *to;
    } moved[] = {
        {"/charts/a.tgz", "/assets/b?signature=not-to-be-shown"},
        {"/old/index.yaml", "../new/index.yaml"},
        {"/loop.tgz", "/loop.tgz"},
        {"/down.tgz", "http://127.0.0.1:1/b"},
        {"/file.tgz", "file:///etc/passwd"},
        {"/nowhere.tgz", NULL},
    };
    struct peer_request q = {0};
    (void)ctx;
    while (peer_read_request(p, &q)) {
        bool done = false;
        for (size_t i = 0; i < RD_ARRAY_LEN(moved) && !done; i++) {
            if (!rd_streq(q.path, moved[i].path))
                continue;
            RD_AUTOFREE char *header =
                moved[i].to ? rd_asprintf("Location: %s\r\n", moved[i].to) : NULL;
            done = true;
            peer_reply(p, 302, header, "");
        }
        if (done)
            continue;
        if (rd_streq(q.path, "/index.yaml") || rd_streq(q.path, "/new/index.yaml")) {
            peer_reply(p, 200, NULL, world.index);
        } else if (rd_streq(q.path, "/wrong/index.yaml")) {
            peer_reply(p, 200, NULL, world.wrong_index);
        } else if (rd_starts_with(q.path, "/assets/b?") || rd_streq(q.path, "/cut.tgz")) {
            size_t len = rd_streq(q.path, "/cut.tgz") ? world.len / 2 : world.len;
            RD_AUTOFREE char *head =
                rd_asprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
            if (!peer_send(p, head) || !peer_send_bytes(p, world.archive, len))
                break;
        } else {
            peer_reply(p, 404, NULL, "not here");
        }
    }
    peer_request_clear(&q);
}

static char *index_text(const char *digest)
{
    return rd_asprintf("apiVersion: v1\nentries:\n  kuberay-operator:\n"
                       "    - {version: 1.7.0, digest: \"%s\", urls: [/charts/a.tgz]}\n",
                       digest);
}

static int open_world(void **state)
{
    (void)state;
    strcpy(world.folder, "/tmp/chart_fetch.XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    RD_AUTOFREE char *make = rd_asprintf(
        "cd %s && mkdir -p kuberay-operator/crds && cd kuberay-operator && "
        "printf 'apiVersion: v2\\nname: kuberay-operator\\nversion: 1.7.0\\n' >Chart.yaml && "
        "printf 'apiVersion: apiextensions.k8s.io/v1\\nkind: CustomResourceDefinition\\n"
        "metadata: {name: rayclusters.ray.io}\\n' >crds/a.yaml && cd .. && "
        "tar -czf a.tgz kuberay-operator",
        world.folder);
    assert_int_equal(system(make), 0);
    RD_AUTOFREE char *path = rd_path_join(world.folder, "a.tgz");
    struct rd_buf b = RD_BUF_INIT(1 << 20);
    struct rd_err *err = NULL;
    assert_true(rd_file_read(path, 1 << 20, &b, &err));
    world.len = b.len;
    world.archive = rd_malloc(b.len);
    memcpy(world.archive, b.data, b.len);
    rd_buf_clear(&b);
    rd_sha256_hex(world.archive, world.len, world.sha);
    world.index = index_text(world.sha);
    world.wrong_index = index_text(ZEROS);
    world.ca = harness_ca_new("an authority");
    world.identity = harness_identity_new(world.ca, "charts", "IP:127.0.0.1", 1);
    world.server = server_new(script, NULL, world.identity);
    RD_AUTOFREE char *ca = rd_path_join(world.folder, "ca.pem");
    const char *pem = harness_ca_pem(world.ca);
    assert_true(rd_file_write_atomic(ca, pem, strlen(pem), 0600, &err));
    setenv("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", ca, 1);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    RD_AUTOFREE char *command = rd_asprintf("rm -r '%s'", world.folder);
    server_free(world.server);
    harness_identity_free(world.identity);
    harness_ca_free(world.ca);
    free(world.archive);
    free(world.index);
    free(world.wrong_index);
    return system(command);
}

/* ---- One fetch ---- */

struct run {
    struct op op;
    struct step_ctx ctx;
    struct chart_fetch fetch;
    bool started;
};

static void run_step(struct op *op)
{
    struct run *r = container_of(op, struct run, op);
    if (!r->started) {
        r->started = true;
        chart_fetch_start(&r->fetch, op, &r->ctx);
    } else if (op_ended(&r->fetch.op)) {
        op_finish(op, op_take_err(&r->fetch.op));
    }
}

/* "" and what the note says, or the error with its hint; owned. *ret_kind: RD_ERR_KIND_MAX for success. */
static char *fetch(const char *state_dir, const char *path, const char *pin, enum rd_err_kind *ret_kind)
{
    RD_AUTOFREE char *url = server_url(world.server, path);
    struct config c = {.name = "ray",
                       .state_dir = (char *)state_dir,
                       .kuberay = {.version = "1.7.0", .chart = url, .sha256 = (char *)pin}};
    struct run r = {.ctx = {.config = &c}, .fetch = {.whole = true}};
    struct loop *loop = loop_new();
    r.ctx.loop = loop;
    op_start_root(&r.op, loop, run_step, "run");
    loop_run(loop, &r.op);
    struct rd_err *err = op_take_err(&r.op);
    char *text = err ? rd_asprintf("%s %s", err->message, err->hint ? err->hint : "")
                     : rd_asprintf("%s, %zu CRD", r.fetch.note, r.fetch.chart.crds.len);
    *ret_kind = err ? err->kind : RD_ERR_KIND_MAX;
    rd_err_free(err);
    chart_fetch_clear(&r.fetch);
    loop_free(loop);
    return text;
}

static void one(const char *name, const char *state_dir, const char *path, const char *pin,
                enum rd_err_kind want, const char *say)
{
    enum rd_err_kind kind;
    RD_AUTOFREE char *text = fetch(state_dir, path, pin, &kind);
    if (kind != want || !strstr(text, say))
        fail_msg("%s: kind %d, want %d with \"%s\": %s", name, (int)kind, (int)want, say, text);
    if (strstr(text, "not-to-be-shown"))
        fail_msg("%s: shows a signature: %s", name, text);
}

static void by_index(void **state)
{
    (void)state;
    RD_AUTOFREE char *dir = rd_path_join(world.folder, "by-index");
    one("index", dir, "/index.yaml", NULL, RD_ERR_KIND_MAX, "as the repository's index says, 1 CRD");
    unsigned before = server_requests(world.server);
    one("again", dir, "/index.yaml", NULL, RD_ERR_KIND_MAX, "as the repository's index says, 1 CRD");
    assert_int_equal(server_requests(world.server), before + 1); /* the archive is kept by its digest */
    one("the index moved", dir, "/old/index.yaml", NULL, RD_ERR_KIND_MAX, "1 CRD");
    one("no index, but seen before", dir, "/gone/index.yaml", NULL, RD_ERR_KIND_MAX, "1 CRD");
    one("another digest later", dir, "/wrong/index.yaml", NULL, RD_ERR_FOREIGN, "the digest seen first");
    one("pinned", dir, "/index.yaml", world.sha, RD_ERR_KIND_MAX, "as kuberay.sha256 pins it");
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *path, *pin;
        enum rd_err_kind kind;
        const char *say;
    } rows[] = {
        {"the index lies", "/wrong/index.yaml", NULL, RD_ERR_FAILED, "the repository's index says sha256:0000"},
        {"another one is pinned", "/index.yaml", ZEROS, RD_ERR_INPUT, "kuberay.sha256 says sha256:0000"},
        {"half an archive", "/cut.tgz", NULL, RD_ERR_INPUT, ""},
        {"nothing there", "/gone.tgz", NULL, RD_ERR_NOT_FOUND, "--kuberay-chart FILE"},
        {"in a circle", "/loop.tgz", NULL, RD_ERR_FAILED, "more than 5 redirects"},
        {"from https to http", "/down.tgz", NULL, RD_ERR_FAILED, "from https to http"},
        {"to a file", "/file.tgz", NULL, RD_ERR_FAILED, "no http or https address"},
        {"to nowhere", "/nowhere.tgz", NULL, RD_ERR_FAILED, "names no other place"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *name = rd_asprintf("refused-%zu", i);
        RD_AUTOFREE char *dir = rd_path_join(world.folder, name);
        one(rows[i].name, dir, rows[i].path, rows[i].pin, rows[i].kind, rows[i].say);
    }
}

/* A pinned digest stands over the one that was seen first: it is the way out when a version was
 * published anew. */
static void pin_over_remembered(void **state)
{
    (void)state;
    RD_AUTOFREE char *dir = rd_path_join(world.folder, "pin");
    RD_AUTOFREE char *charts = rd_path_join(dir, "charts");
    RD_AUTOFREE char *seen = rd_path_join(charts, "kuberay-operator-1.7.0.sha256");
    struct rd_err *err = NULL;
    assert_true(rd_dir_make(charts, &err));
    assert_true(rd_file_write_atomic(seen, ZEROS "\n", strlen(ZEROS) + 1, 0600, &err));
    one("seen otherwise", dir, "/index.yaml", NULL, RD_ERR_FOREIGN, "the digest seen first");
    one("and pinned", dir, "/index.yaml", world.sha, RD_ERR_KIND_MAX, "as kuberay.sha256 pins it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_index),
        cmocka_unit_test(refused),
        cmocka_unit_test(pin_over_remembered),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
