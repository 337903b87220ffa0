#include "outside.h"

#include "setting.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define CHART_FILE "kuberay-operator-" EMU_CHART_VERSION ".tgz"
/* What an anonymous client is given; it opens nothing but names of images. */
#define ANONYMOUS "anonymous-pull"

/* ---- Charts ---- */
static void serve_chart(struct emu_req *req, void *arg)
{
    (void)arg;
    size_t len = 0;
    RD_AUTOFREE char *archive = emu_chart_archive(&len);
    if (!rd_streq(req->msg.method, "GET") && !rd_streq(req->msg.method, "HEAD")) {
        emu_reply_bytes(req, 405, "text/plain", "", 0);
    } else if (rd_streq(req->msg.path, "/index.yaml")) {
        char digest[RD_SHA256_HEX_LEN + 1];
        rd_sha256_hex(archive, len, digest);
        RD_AUTOFREE char *index =
            rd_asprintf("apiVersion: v1\nentries:\n  kuberay-operator:\n"
                        "    - apiVersion: v2\n      name: kuberay-operator\n"
                        "      version: " EMU_CHART_VERSION "\n      digest: %s\n"
                        "      urls:\n        - " CHART_FILE "\n",
                        digest);
        emu_reply_bytes(req, 200, "text/yaml", index, strlen(index));
    } else if (rd_streq(req->msg.path, "/" CHART_FILE)) {
        emu_reply_bytes(req, 200, "application/gzip", archive, len);
    } else {
        emu_reply_bytes(req, 404, "text/plain", "not found\n", 10);
    }
}

/* ---- Images ---- */
bool emu_docker_has(const struct emu *e, const char *repository, const char *tag)
{
    static const char *const versions[] = {"2.54.0", "2.55.0", "2.55.1", "2.56.0", "2.57.0",
                                           "2.58.0", "2.58.1", "2.59.0", "2.60.0"};
    static const char *const tails[] = {"", "-gpu", "-aarch64", "-py310", "-py311", "-py312",
                                        "-py310-gpu", "-py311-gpu", "-py312-gpu", "-py310-aarch64",
                                        "-py311-aarch64", "-py312-aarch64"};
    if (emu_setting_has(e, "image-missing", tag))
        return false;
    if (!rd_streq(repository, "rayproject/ray"))
        return true;
    for (size_t n = 0; n < RD_ARRAY_LEN(versions); n++) {
        for (size_t k = 0; k < RD_ARRAY_LEN(tails); k++) {
            size_t len = strlen(versions[n]);
            if (strncmp(tag, versions[n], len) == 0 && rd_streq(tag + len, tails[k]))
                return true;
        }
    }
    return false;
}

static void fail(struct emu_req *req, int status, const char *code, const char *message)
{
    emu_reply_json(req, status,
                   rd_json_pack("{s:[{s:s, s:s}]}", "errors", "code", code, "message", message));
}

/* "/v2/rayproject/ray/manifests/TAG": repository and tag; false: another path. */
static bool read_path(const char *path, char **repository, char **tag)
{
    const char *at = rd_starts_with(path, "/v2/") ? strstr(path, "/manifests/") : NULL;
    if (at == NULL || at < path + 4)
        return false;
    *repository = rd_strndup(path + 4, (size_t)(at - path - 4));
    *tag = rd_strdup(at + strlen("/manifests/"));
    return true;
}

static void serve_registry(struct emu_req *req, void *arg)
{
    (void)arg;
    RD_AUTOFREE char *repository = NULL;
    RD_AUTOFREE char *tag = NULL;
    const char *given = emu_req_header(req, "authorization");
    int port = emu_listener_port(req->listener);
    bool manifest = read_path(req->msg.path, &repository, &tag);
    if (rd_streq(req->msg.path, "/token")) {
        emu_reply_json(req, 200,
                       rd_json_pack("{s:s, s:s, s:i}", "token", ANONYMOUS, "access_token", ANONYMOUS,
                                    "expires_in", 300));
        return;
    }
    if (!rd_streq(given, "Bearer " ANONYMOUS)) {
        RD_AUTOFREE char *scope =
            manifest ? rd_asprintf(",scope=\"repository:%s:pull\"", repository) : rd_strdup("");
        RD_AUTOFREE char *challenge =
            rd_asprintf("Bearer realm=\"https://127.0.0.1:%d/token\",service=\"registry\"%s", port,
                        scope);
        emu_req_add_header(req, "WWW-Authenticate", challenge);
        fail(req, 401, "UNAUTHORIZED", "authentication required");
        return;
    }
    if (rd_streq(req->msg.path, "/v2/")) {
        emu_reply_json(req, 200, json_object());
    } else if (!manifest || (!rd_streq(req->msg.method, "GET") && !rd_streq(req->msg.method, "HEAD"))) {
        fail(req, 404, "UNSUPPORTED", "the emulator's registry knows manifests only");
    } else if (!rd_streq(repository, "rayproject/ray") ||
               !emu_docker_has(req->emu, repository, tag)) {
        fail(req, 404, "MANIFEST_UNKNOWN", "manifest unknown");
    } else {
        char digest[RD_SHA256_HEX_LEN + 1];
        rd_sha256_hex(tag, strlen(tag), digest);
        RD_AUTOFREE char *value = rd_asprintf("sha256:%s", digest);
        static const char type[] = "application/vnd.oci.image.index.v1+json";
        RD_AUTOFREE char *body = rd_asprintf(
            "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[{\"mediaType\":"
            "\"application/vnd.oci.image.manifest.v1+json\",\"size\":1024,\"digest\":\"%s\","
            "\"platform\":{\"architecture\":\"%s\",\"os\":\"linux\"}}]}",
            type, value, rd_ends_with(tag, "-aarch64") ? "arm64" : "amd64");
        emu_req_add_header(req, "Docker-Content-Digest", value);
        emu_reply_bytes(req, 200, type, body, strlen(body));
    }
}

/* ---- Start ---- */
bool emu_outside_start(struct emu *e, struct rd_err **reterr)
{
    return emu_listen(e, "charts", true, serve_chart, NULL, reterr) != NULL &&
           emu_listen(e, "registry", true, serve_registry, NULL, reterr) != NULL;
}

void emu_outside_env(struct emu *e, struct rd_buf *out)
{
    rd_buf_printf(out,
                  "export RAYDEPLOY_KUBERAY_CHART=https://127.0.0.1:%d/" CHART_FILE "\n"
                  "export RAYDEPLOY_DOCKER_REGISTRY=https://127.0.0.1:%d\n",
                  emu_listener_port(emu_listener_find(e, "charts")),
                  emu_listener_port(emu_listener_find(e, "registry")));
}
