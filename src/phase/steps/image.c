#include "phase/steps/image.h"

#include "auth/override.h"
#include "base/alloc.h"
#include "phase/steps/google.h"
#include "phase/steps/values.h"

#include <stdlib.h>
#include <string.h>

#define DOCKER_HOST "docker.io"
#define DOCKER_REGISTRY "https://registry-1.docker.io"
#define MIRROR_ENV "RAYDEPLOY_DOCKER_REGISTRY"
/* A deploy does not wait longer for a registry's word. */
#define ASK_MS 4000

/* ---- References ---- */

bool image_ref_parse(const char *text, struct image_ref *ret)
{
    memset(ret, 0, sizeof(*ret));
    const char *slash = strchr(text, '/');
    const char *rest = text;
    size_t first = slash ? (size_t)(slash - text) : 0;
    /* The first part is a host when it looks like one (a dot, a port, localhost). */
    bool host = slash && (memchr(text, '.', first) || memchr(text, ':', first) ||
                          strncmp(text, "localhost/", 10) == 0);
    if (host) {
        ret->host = rd_strndup(text, first);
        rest = slash + 1;
    } else {
        ret->host = rd_strdup(DOCKER_HOST);
    }
    const char *at = strchr(rest, '@');
    size_t len = at ? (size_t)(at - rest) : strlen(rest);
    const char *colon = memchr(rest, ':', len);
    size_t path_len = colon ? (size_t)(colon - rest) : len;
    if (path_len == 0 || (at && !rd_starts_with(at + 1, "sha256:"))) {
        image_ref_clear(ret);
        return false;
    }
    RD_AUTOFREE char *path = rd_strndup(rest, path_len);
    bool official = rd_streq(ret->host, DOCKER_HOST) && !strchr(path, '/');
    ret->path = rd_asprintf("%s%s", official ? "library/" : "", path);
    if (at)
        ret->digest = rd_strdup(at + 1);
    else
        ret->tag = colon ? rd_strndup(colon + 1, len - path_len - 1) : rd_strdup("latest");
    return true;
}

void image_ref_clear(struct image_ref *r)
{
    free(r->host);
    free(r->path);
    free(r->tag);
    free(r->digest);
    memset(r, 0, sizeof(*r));
}

char *image_challenge(const char *header, const char *name)
{
    if (!header || !rd_starts_with(header, "Bearer "))
        return NULL;
    RD_AUTOFREE char *key = rd_asprintf("%s=\"", name);
    for (const char *at = strstr(header, key); at; at = strstr(at + 1, key)) {
        if (at[-1] != ' ' && at[-1] != ',')
            continue;
        const char *value = at + strlen(key), *end = strchr(value, '"');
        return end ? rd_strndup(value, (size_t)(end - value)) : NULL;
    }
    return NULL;
}

static bool is_artifact_registry(const struct image_ref *r)
{
    return rd_ends_with(r->host, "-docker.pkg.dev");
}

/* "PROJECT/REPOSITORY/IMAGE": the first two, and the rest. */
static bool split_path(const struct image_ref *r, char **project, char **repository,
                       const char **image)
{
    const char *a = strchr(r->path, '/'), *b = a ? strchr(a + 1, '/') : NULL;
    if (!b)
        return false;
    *project = rd_strndup(r->path, (size_t)(a - r->path));
    *repository = rd_strndup(a + 1, (size_t)(b - a - 1));
    *image = b + 1;
    return true;
}

bool image_is_listed(const struct image_ref *r, const json_t *docker_images)
{
    RD_AUTOFREE char *prefix = rd_asprintf("%s/%s@", r->host, r->path);
    size_t i, j;
    const json_t *image, *tag;
    json_array_foreach (docker_images, i, image) {
        const char *uri = rd_json_str(image, "uri", NULL);
        if (!uri || !rd_starts_with(uri, prefix))
            continue;
        if (r->digest && rd_streq(uri + strlen(prefix), r->digest))
            return true;
        json_array_foreach (json_object_get(image, "tags"), j, tag)
            if (r->tag && rd_streq(json_string_value(tag), r->tag))
                return true;
    }
    return false;
}

/* ---- One image ---- */

enum { A_BEGIN, A_FIRST, A_TOKEN, A_AGAIN, A_LIST };

static void doubt(struct image_ask *a, const char *text)
{
    rd_str_dup(&a->doubt, text);
    op_finish(&a->op, NULL);
}

static bool registry_base(const struct image_ref *r, char **ret, struct rd_err **reterr)
{
    *ret = NULL;
    if (!rd_streq(r->host, DOCKER_HOST)) {
        *ret = rd_asprintf("https://%s", r->host);
        return true;
    }
    if (!auth_override(MIRROR_ENV, "", ret, reterr))
        return false;
    if (!*ret)
        *ret = rd_strdup(DOCKER_REGISTRY);
    return true;
}

static void ask_manifest(struct image_ask *a, const char *base, const char *token)
{
    struct http_url u;
    struct rd_strv parts = {NULL, 0};
    http_url_init(&u, base);
    http_url_path(&u, "/v2");
    rd_strv_split(&parts, a->ref.path, "/");
    for (size_t i = 0; i < parts.len; i++)
        http_url_seg(&u, parts.v[i]);
    rd_strv_clear(&parts);
    http_url_path(&u, "/manifests");
    http_url_seg(&u, a->ref.tag ? a->ref.tag : a->ref.digest);
    http_req_clear(&a->req);
    /* HEAD is not counted against the pull limit. */
    http_req_init(&a->req, a->look->http, "HEAD", http_url_str(&u));
    http_url_clear(&u);
    http_req_header(&a->req, "Accept",
                    "application/vnd.oci.image.index.v1+json, "
                    "application/vnd.docker.distribution.manifest.list.v2+json, "
                    "application/vnd.oci.image.manifest.v1+json, "
                    "application/vnd.docker.distribution.manifest.v2+json");
    if (token) {
        RD_AUTOFREE char *bearer = rd_asprintf("Bearer %s", token);
        http_req_header(&a->req, "Authorization", bearer);
    }
    http_req_start(&a->req, &a->op);
}

static void begin(struct image_ask *a)
{
    struct rd_err *err RD_AUTOERR = NULL;
    RD_AUTOFREE char *base = NULL;
    RD_AUTOFREE char *project = NULL, *repository = NULL;
    const char *image;
    op_set_timeout(&a->op, ASK_MS);
    if (!image_ref_parse(a->text, &a->ref)) {
        doubt(a, "it cannot be read as an image reference");
    } else if (!is_artifact_registry(&a->ref)) {
        a->state = A_FIRST;
        if (registry_base(&a->ref, &base, &err))
            ask_manifest(a, base, NULL);
        else
            doubt(a, err->message);
    } else if (!split_path(&a->ref, &project, &repository, &image)) {
        doubt(a, "it names no image in an Artifact Registry repository");
    } else if (a->look->ctx->config->target == TARGET_LOCAL) {
        doubt(a, "--target local has no credentials for Artifact Registry");
    } else if (!a->look->ctx->gcp && !google_connect(a->look->ctx, &err)) {
        doubt(a, err->message);
    } else {
        RD_AUTOFREE char *location =
            rd_strndup(a->ref.host, strlen(a->ref.host) - strlen("-docker.pkg.dev"));
        a->state = A_LIST;
        gcp_docker_images_list(&a->list, a->look->ctx->gcp, project, location, repository);
        gcp_list_start(&a->list, &a->op);
    }
}

static void read_manifest(struct image_ask *a)
{
    struct rd_err *err RD_AUTOERR = op_take_err(&a->req.op);
    if (err) {
        doubt(a, err->message);
    } else if (a->req.status == 401 && a->state == A_FIRST) {
        RD_AUTOFREE char *realm = image_challenge(a->req.www_authenticate, "realm");
        RD_AUTOFREE char *service = image_challenge(a->req.www_authenticate, "service");
        RD_AUTOFREE char *scope = rd_asprintf("repository:%s:pull", a->ref.path);
        if (!realm || !http_url_check(realm, &err)) {
            doubt(a, "its registry wants credentials");
            return;
        }
        struct http_url u;
        http_url_init(&u, realm);
        if (service)
            http_url_query(&u, "service", service);
        http_url_query(&u, "scope", scope);
        http_req_clear(&a->req);
        http_req_init(&a->req, a->look->http, "GET", http_url_str(&u));
        http_url_clear(&u);
        a->state = A_TOKEN;
        http_req_start(&a->req, &a->op);
    } else if (a->req.status == 404) {
        a->missing = true;
        op_finish(&a->op, NULL);
    } else if (a->req.status >= 200 && a->req.status < 300) {
        a->found = true;
        op_finish(&a->op, NULL);
    } else {
        RD_AUTOFREE char *text =
            a->req.status == 401 || a->req.status == 403
                ? rd_strdup("its registry shows it to nobody without credentials")
                : rd_asprintf("its registry answered %ld", a->req.status);
        doubt(a, text);
    }
}

static void read_token(struct image_ask *a)
{
    struct rd_err *err RD_AUTOERR = op_take_err(&a->req.op);
    RD_AUTOFREE char *base = NULL;
    if (err) {
        doubt(a, err->message);
        return;
    }
    RD_AUTOJSON json_t *answer =
        rd_json_parse(rd_buf_str(&a->req.resp), a->req.resp.len, "token answer", &err);
    rd_err_freep(&err);
    const char *token = rd_json_str(answer, "token", NULL);
    if (!token)
        token = rd_json_str(answer, "access_token", NULL);
    if (!token || !registry_base(&a->ref, &base, &err)) {
        doubt(a, "its registry gave no anonymous token");
        return;
    }
    a->state = A_AGAIN;
    ask_manifest(a, base, token);
}

static void read_list(struct image_ask *a)
{
    struct rd_err *err RD_AUTOERR = op_take_err(&a->list.op);
    if (err && a->list.call.fault.situation != GCP_ABSENT) {
        doubt(a, err->message);
        return;
    }
    a->found = !err && image_is_listed(&a->ref, a->list.items);
    a->missing = !a->found;
    op_finish(&a->op, NULL);
}

static void ask_step(struct op *op)
{
    struct image_ask *a = container_of(op, struct image_ask, op);
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (a->state) {
    case A_BEGIN:
        begin(a);
        return;
    case A_FIRST:
    case A_AGAIN:
        read_manifest(a);
        return;
    case A_TOKEN:
        read_token(a);
        return;
    case A_LIST:
        read_list(a);
        return;
    }
    RD_UNREACHABLE();
}

/* ---- All of them ---- */

static json_t *seen_images(struct step_ctx *ctx)
{
    json_t *seen = json_object_get(ctx->session, "images");
    if (!seen && ctx->session) {
        seen = json_object();
        json_object_set_new(ctx->session, "images", seen);
    }
    return seen;
}

static void add(struct image_look *l, char *take)
{
    bool known = json_object_get(seen_images(l->ctx), take) != NULL || l->len == IMAGES_MAX;
    for (size_t i = 0; i < l->len; i++)
        known = known || rd_streq(l->asks[i].text, take);
    if (known) {
        free(take);
        return;
    }
    struct image_ask *a = &l->asks[l->len++];
    a->look = l;
    a->text = take;
}

static void gather(struct image_look *l)
{
    const struct config *c = l->ctx->config;
    size_t i;
    const json_t *group;
    add(l, values_ray_image(c));
    json_array_foreach (c->ray.workers, i, group)
        if (values_group_int(group, "gpus", 0) > 0)
            add(l, values_gpu_image(c));
}

static struct rd_err *missing(const struct image_ask *a)
{
    const char *what = a->ref.tag ? a->ref.tag : a->ref.digest;
    struct rd_err *err = rd_err_new(RD_ERR_PREFLIGHT, "image %s is not in its registry: %s has no %s %s",
                                    a->text, a->ref.path, a->ref.tag ? "tag" : "digest", what);
    rd_err_resource(err, "%s", a->text);
    if (is_artifact_registry(&a->ref))
        rd_err_hint(err,
                    "Push it, then run the same command again: gcloud auth configure-docker %s && docker "
                    "tag LOCAL-IMAGE %s && docker push %s. Or name another with ray.image, ray.gpuImage.",
                    a->ref.host, a->text, a->text);
    else
        rd_err_hint(err,
                    "Correct ray.version, ray.image or ray.gpuImage; if the image is yours, push it: docker "
                    "tag LOCAL-IMAGE %s && docker push %s.",
                    a->text, a->text);
    return err;
}

static void warn(struct image_look *l, const struct image_ask *a)
{
    RD_AUTOFREE char *text = rd_asprintf("could not look whether image %s exists: %s", a->text,
                                         a->doubt ? a->doubt : "no answer in time");
    struct phase_note n = {.event = NOTE_LOG, .level = NOTE_WARN, .message = text};
    l->ctx->notes->emit(l->ctx->notes, &n);
}

static void look_step(struct op *op)
{
    struct image_look *l = container_of(op, struct image_look, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (!l->begun) {
        l->begun = true;
        gather(l);
        for (size_t i = 0; i < l->len; i++)
            op_start(&l->asks[i].op, op, ask_step, "image");
    }
    if (op_has_children(op))
        return;
    for (size_t i = 0; i < l->len; i++) {
        struct image_ask *a = &l->asks[i];
        if (a->missing && !err)
            err = missing(a);
        else if (!a->missing && !a->found)
            warn(l, a);
        if (!a->missing && seen_images(l->ctx))
            json_object_set_new(seen_images(l->ctx), a->text, json_boolean(a->found));
    }
    op_finish(op, err);
}

void image_look_start(struct image_look *l, struct op *parent, struct step_ctx *ctx)
{
    memset(l, 0, sizeof(*l));
    l->ctx = ctx;
    struct http_client_options o = {.in_flight_max = 4};
    const char *ca = auth_env("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    if (!ca)
        ca = auth_env("SSL_CERT_FILE");
    if (ca)
        o.tls.ca_file = rd_strdup(ca);
    l->http = http_client_new(ctx->loop, &o);
    op_start(&l->op, parent, look_step, "images");
}

void image_look_clear(struct image_look *l)
{
    for (size_t i = 0; i < l->len; i++) {
        struct image_ask *a = &l->asks[i];
        http_req_clear(&a->req);
        gcp_list_clear(&a->list);
        image_ref_clear(&a->ref);
        free(a->text);
        free(a->doubt);
        rd_err_freep(&a->op.err);
        rd_err_freep(&a->req.op.err);
    }
    l->len = 0;
    rd_err_freep(&l->op.err);
    if (l->http)
        http_client_free(l->http);
    l->http = NULL;
}
