#include "k8s/client.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "k8s/internal.h"

#include <string.h>

#define WRITES_IN_FLIGHT 16

#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__aarch64__)
#define ARCH "arm64"
#else
#define ARCH "unknown"
#endif

void k8s_tls_dup(struct http_tls *dst, const struct http_tls *src)
{
    *dst = (struct http_tls){
        .ca_pem = rd_strdup(src->ca_pem),
        .ca_file = rd_strdup(src->ca_file),
        .cert_pem = rd_strdup(src->cert_pem),
        .server_name = rd_strdup(src->server_name),
        .insecure = src->insecure,
    };
    if (rd_secret_is_set(&src->key_pem))
        rd_secret_set(&dst->key_pem, src->key_pem.data, src->key_pem.len);
}

struct k8s_client *k8s_client_new(struct loop *l, struct k8s_client_options *take)
{
    struct k8s_client *c = rd_calloc(1, sizeof(*c));
    c->loop = l;
    c->config = take->config;
    memset(&take->config, 0, sizeof(take->config));
    struct http_client_options o = {
        .proxy = rd_strdup(c->config.proxy_url),
        .observe = take->observe,
        .observe_ctx = take->observe_ctx,
    };
    /* A copy: auth joins a plugin's certificate to the rest later. */
    k8s_tls_dup(&o.tls, &c->config.tls);
    c->http = http_client_new(l, &o);
    c->auth = take->auth ? take->auth : k8s_auth_new(&c->config, c->http);
    take->auth = NULL;
    c->writes_max = take->writes_in_flight ? take->writes_in_flight : WRITES_IN_FLIGHT;
    rd_list_init(&c->write_queue);
    c->warn = take->warn;
    c->warn_ctx = take->warn_ctx;
    c->warned = json_object();
    c->retry = take->retry;
    c->retry_ctx = take->retry_ctx;
    /* Never a name that starts with curl, Wget or Mozilla: those get pretty-printed streams. */
    c->user_agent = rd_strdup("raydeploy/" RAYDEPLOY_VERSION " (linux/" ARCH ")");
    k8s_mapping_init(c);
    return c;
}

void k8s_client_free(struct k8s_client *c)
{
    if (!c)
        return;
    RD_ASSERT(rd_list_empty(&c->write_queue));
    RD_ASSERT(c->writes == 0);
    if (c->auth)
        c->auth->ops->free(c->auth);
    http_client_free(c->http);
    k8s_config_clear(&c->config);
    k8s_mapping_clear(c);
    json_decref(c->warned);
    rd_freep(&c->user_agent);
    rd_freep(&c->retried);
    rd_freep(&c->version);
    rd_freep(&c->etag[0]);
    rd_freep(&c->etag[1]);
    rd_freep(&c);
}

const char *k8s_client_server(const struct k8s_client *c)
{
    return c->config.server;
}

const char *k8s_client_namespace(const struct k8s_client *c)
{
    return c->config.ns ? c->config.ns : "default";
}

const char *k8s_client_origin(const struct k8s_client *c)
{
    return c->config.origin;
}

struct http_client *k8s_client_http(struct k8s_client *c)
{
    return c->http;
}

struct http_auth *k8s_client_auth(struct k8s_client *c)
{
    return c->auth;
}

const char *k8s_server_version(const struct k8s_client *c)
{
    return c->version;
}

void k8s_client_decorate(struct k8s_client *c, struct http_req *r)
{
    http_req_header(r, "User-Agent", c->user_agent);
    const struct k8s_config *config = &c->config;
    if (config->disable_compression)
        r->no_decode = true;
    if (!config->as)
        return;
    http_req_header(r, "Impersonate-User", config->as);
    if (config->as_uid)
        http_req_header(r, "Impersonate-Uid", config->as_uid);
    for (size_t i = 0; i < config->as_groups.len; i++)
        http_req_header_add(r, "Impersonate-Group", config->as_groups.v[i]);
    const char *key;
    json_t *values;
    json_object_foreach (config->as_extra, key, values) {
        RD_AUTOFREE char *escaped = rd_percent_encode(key);
        RD_AUTOFREE char *name = rd_asprintf("Impersonate-Extra-%s", escaped);
        size_t i;
        json_t *value;
        json_array_foreach (values, i, value)
            http_req_header_add(r, name, json_string_value(value));
    }
}

void k8s_url(struct http_url *u, const struct k8s_client *c, const struct k8s_resource *r,
             const char *ns, const char *name, const char *sub)
{
    http_url_init(u, c->config.server);
    if (*r->group) {
        http_url_path(u, "/apis");
        http_url_seg(u, r->group);
    } else {
        http_url_path(u, "/api");
    }
    http_url_seg(u, r->version);
    if (r->namespaced && ns) {
        http_url_path(u, "/namespaces");
        http_url_seg(u, ns);
    }
    http_url_seg(u, r->plural);
    if (name)
        http_url_seg(u, name);
    if (sub)
        http_url_seg(u, sub);
}
