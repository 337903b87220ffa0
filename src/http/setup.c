/* A curl handle for one request. */
#include "http/internal.h"

#include "base/alloc.h"
#include "base/text.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#define USER_TIMEOUT_MS 30000 /* unacknowledged bytes for so long: the peer is gone */

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct http_req *r = ctx;
    size_t len = size * count;
    if (!header_line(r, data, len)) {
        r->over = true;
        return 0;
    }
    r->last_byte_ms = op_now_ms(&r->op);
    if (len > 2 || r->headers_done)
        return len;
    long status = 0;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 && status != 101)
        return len; /* an interim answer */
    r->status = status;
    r->headers_done = true;
    op_wake(&r->op); /* from here on the idle limit counts */
    if (r->stream && r->op.parent != NULL)
        op_wake(r->op.parent);
    return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_req *r = ctx;
    size_t len = size * count;
    rd_buf_append(&r->resp, data, len);
    if (r->resp.overflow) {
        r->over = true;
        return 0;
    }
    r->got_bytes += len;
    r->last_byte_ms = op_now_ms(&r->op);
    if (r->stream && r->op.parent != NULL)
        op_wake(r->op.parent);
    return len;
}

static int on_about_to_send(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    struct http_req *r = ctx;
    r->held_back = r->may_leave != NULL && !r->may_leave(r);
    if (r->held_back)
        return CURL_PREREQFUNC_ABORT;
    r->sent = !r->connect_only;
    r->connected_ms = op_now_ms(&r->op);
    op_wake(&r->op); /* from here on the first-byte limit counts */
    return CURL_PREREQFUNC_OK;
}

/* The one place where a socket is born: closed on exec, so that credential plugins do not inherit
 * it. */
static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *addr)
{
    (void)ctx, (void)purpose;
    return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

static int on_socket_options(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    (void)ctx, (void)purpose;
    unsigned ms = USER_TIMEOUT_MS;
    /* Not fatal where it is not known: keepalive and our own limits remain. */
    int ignored = setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    (void)ignored;
    return CURL_SOCKOPT_OK;
}

static void set_blob(CURL *e, CURLoption option, const char *data, size_t len)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)data, .len = len, .flags = CURL_BLOB_COPY};
    curl_easy_setopt(e, option, &blob);
}

static void setup_tls(CURL *e, const struct http_tls *t)
{
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    const char *system_file = curl_version_info(CURLVERSION_NOW)->cainfo;
    if (t->ca_pem != NULL || t->ca_file != NULL) {
        /* curl would go on looking in the system's folder: a private CA must be the only one. */
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
        if (t->ca_pem != NULL)
            set_blob(e, CURLOPT_CAINFO_BLOB, t->ca_pem, strlen(t->ca_pem));
        else
            curl_easy_setopt(e, CURLOPT_CAINFO, t->ca_file);
    } else if (system_file != NULL && access(system_file, R_OK) == 0) {
        /* Without the folder beside it curl keeps the parsed roots for the next connection; reading
         * them costs OpenSSL 3 some 80 ms each time. */
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    }
    if (t->cert_pem != NULL) {
        set_blob(e, CURLOPT_SSLCERT_BLOB, t->cert_pem, strlen(t->cert_pem));
        curl_easy_setopt(e, CURLOPT_SSLCERTTYPE, "PEM");
    }
    if (rd_secret_is_set(&t->key_pem)) {
        set_blob(e, CURLOPT_SSLKEY_BLOB, t->key_pem.data, t->key_pem.len);
        curl_easy_setopt(e, CURLOPT_SSLKEYTYPE, "PEM");
    }
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, t->insecure ? 0L : 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, t->insecure ? 0L : 2L);
}

static char *host_of(const char *url)
{
    char *host = NULL;
    CURLU *u = curl_url();
    RD_ASSERT(u != NULL);
    char *out = NULL;
    if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        size_t len = strlen(host);
        bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';
        out = brackets ? rd_strndup(host + 1, len - 2) : rd_strdup(host);
    }
    curl_free(host);
    curl_url_cleanup(u);
    return out;
}

static void setup_env_proxy(CURL *e, const struct http_req *r, bool renamed)
{
    RD_AUTOFREE char *host = host_of(r->url);
    if (host == NULL)
        return;
    const char *no_proxy = getenv("no_proxy") != NULL ? getenv("no_proxy") : getenv("NO_PROXY");
    if (noproxy_loopback(host) || (renamed && no_proxy != NULL && noproxy_matches(host, no_proxy)))
        curl_easy_setopt(e, CURLOPT_PROXY, "");
    else if (renamed)
        curl_easy_setopt(e, CURLOPT_NOPROXY, ""); /* decided above, for the real host */
}

static void setup_named_proxy(CURL *e, const char *proxy)
{
    /* A proxy that was named holds for every host, whatever NO_PROXY says; and a SOCKS proxy
     * resolves names on its own side, as client-go does. */
    if (rd_starts_with(proxy, "socks5://")) {
        RD_AUTOFREE char *remote = rd_asprintf("socks5h://%s", proxy + strlen("socks5://"));
        curl_easy_setopt(e, CURLOPT_PROXY, remote);
    } else {
        curl_easy_setopt(e, CURLOPT_PROXY, proxy);
    }
    curl_easy_setopt(e, CURLOPT_NOPROXY, "");
}

static bool has_header(const struct http_req *r, const char *name)
{
    size_t len = strlen(name);
    for (const struct curl_slist *h = r->headers; h != NULL; h = h->next) {
        if (strncasecmp(h->data, name, len) == 0 && (h->data[len] == ':' || h->data[len] == ';'))
            return true;
    }
    return false;
}

static void add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    RD_ASSERT(longer != NULL);
    *list = longer;
}

/* TLS for one name, TCP to another: the URL takes server_name, so that curl sends and verifies it;
 * CONNECT_TO and Host keep the real place. Returns the URL to give to curl, owned. */
static char *rename_host(struct http_req *r, const char *server_name)
{
    char *host = NULL, *port = NULL, *given_port = NULL, *url = NULL;
    CURLU *u = curl_url();
    RD_ASSERT(u != NULL);
    if (curl_url_set(u, CURLUPART_URL, r->url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_HOST, server_name, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK) {
        bool with_port = curl_url_get(u, CURLUPART_PORT, &given_port, 0) == CURLUE_OK;
        RD_AUTOFREE char *to = rd_asprintf("::%s:%s", host, port);
        add(&r->connect_to, to);
        RD_AUTOFREE char *header =
            rd_asprintf("Host: %s%s%s", host, with_port ? ":" : "", with_port ? given_port : "");
        if (!has_header(r, "Host"))
            add(&r->wire_headers, header);
    }
    char *out = rd_strdup(url);
    curl_free(url);
    curl_free(host);
    curl_free(port);
    curl_free(given_port);
    curl_url_cleanup(u);
    return out;
}

static void setup_method(CURL *e, const struct http_req *r)
{
    bool get = rd_streq(r->method, "GET");
    if (rd_streq(r->method, "HEAD")) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        return;
    }
    if (r->body != NULL || rd_streq(r->method, "POST") || rd_streq(r->method, "PUT") ||
        rd_streq(r->method, "PATCH")) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body != NULL ? r->body : "");
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        get = false;
    }
    if (!get && !rd_streq(r->method, "POST"))
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
}

static void setup_headers(CURL *e, struct http_req *r)
{
    for (const struct curl_slist *h = r->headers; h != NULL; h = h->next)
        add(&r->wire_headers, h->data);
    add(&r->wire_headers, "Expect:");
    if (!has_header(r, "Content-Type"))
        add(&r->wire_headers, "Content-Type:"); /* curl would call any POST a form */
    if (!has_header(r, "User-Agent")) {
        struct utsname host;
        RD_ASSERT(uname(&host) == 0);
        RD_AUTOFREE char *agent =
            rd_asprintf("User-Agent: raydeploy/%s (linux/%s)", RAYDEPLOY_VERSION, host.machine);
        add(&r->wire_headers, agent);
    }
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->wire_headers);
    curl_easy_setopt(e, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

CURL *setup_easy(struct http_req *r, struct rd_err **reterr)
{
    struct http_client *c = r->client;
    if (r->bad_header) {
        rd_fail(reterr, RD_ERR_INPUT, "a request header holds a line break");
        return NULL;
    }
    if (!http_url_check(r->url, reterr))
        return NULL;
    RD_AUTOFREE char *url = NULL;
    if (c->o.tls.server_name != NULL && strncasecmp(r->url, "https:", 6) == 0) {
        url = rename_host(r, c->o.tls.server_name);
        if (url == NULL) {
            rd_fail(reterr, RD_ERR_INPUT, "TLS server name %s is not a host name",
                    c->o.tls.server_name);
            return NULL;
        }
    }
    CURL *e = curl_easy_init();
    RD_ASSERT(e != NULL);
    curl_easy_setopt(e, CURLOPT_URL, url != NULL ? url : r->url);
    curl_easy_setopt(e, CURLOPT_CONNECT_TO, r->connect_to);
    curl_easy_setopt(e, CURLOPT_DEFAULT_PROTOCOL, "https");
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->errbuf);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_about_to_send);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, r);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_socket_options);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (r->connect_ms > 0)
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    if (!r->no_decode)
        curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
    bool http1 = r->http1 || r->connect_only || c->o.http1_only;
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                     (long)(http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    /* A connection that broke while its first request was being sent stays in curl's cache, of a server of
     * which it does not know whether it speaks HTTP/2: whoever waits to share it waits for ever. */
    bool shares = !http1 && !r->fresh && !c->lost;
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, shares ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, r->fresh || r->connect_only ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, r->connect_only ? 1L : 0L);
    setup_tls(e, &c->o.tls);
    curl_easy_setopt(e, CURLOPT_SHARE, c->share);
    if (c->o.proxy != NULL)
        setup_named_proxy(e, c->o.proxy);
    else
        setup_env_proxy(e, r, url != NULL);
    if (c->o.unix_socket != NULL)
        curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, c->o.unix_socket);
    setup_method(e, r);
    setup_headers(e, r);
    return e;
}
