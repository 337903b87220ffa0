/* What went wrong, for a person, from what curl knows. The kind decides whether a retry is
 * thinkable, so the sorting is careful: a reset is worth another try, a certificate that does not
 * verify is not. */
#include "http/internal.h"

#include "base/alloc.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* curl's own sentence where it has one, else the general text of the code. */
static const char *detail(const struct http_req *r, CURLcode code)
{
    return r->errbuf[0] != '\0' ? r->errbuf : curl_easy_strerror(code);
}

static bool says(const struct http_req *r, const char *what)
{
    return strcasestr(r->errbuf, what) != NULL;
}

static bool via_proxy(const struct http_req *r)
{
    const struct http_client *c = r->client;
    if (c->o.proxy != NULL)
        return c->o.proxy[0] != '\0';
    if (strncasecmp(r->url, "https:", 6) == 0 &&
        (getenv("https_proxy") != NULL || getenv("HTTPS_PROXY") != NULL))
        return true;
    return getenv("http_proxy") != NULL || getenv("all_proxy") != NULL ||
           getenv("ALL_PROXY") != NULL;
}

/* The URL without its query, which may hold what is nobody's business. */
static void add_resource(const struct http_req *r, struct rd_err *err)
{
    rd_err_resource(err, "%s %.*s", r->method, (int)strcspn(r->url, "?#"), r->url);
}

static struct rd_err *fail_connect(const struct http_req *r, const char *origin)
{
    long os_errno = 0;
    curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_errno);
    struct rd_err *err;
    if (via_proxy(r)) {
        err = rd_err_new(RD_ERR_TRANSIENT, "cannot connect to %s: %s", origin,
                         detail(r, CURLE_COULDNT_CONNECT));
        rd_err_hint(err,
                    "A proxy may be in the way: check proxy-url in the kubeconfig, HTTPS_PROXY "
                    "and NO_PROXY.");
    } else {
        err =
            rd_err_new(RD_ERR_TRANSIENT, "cannot connect to %s: %s", origin,
                       os_errno != 0 ? strerror((int)os_errno) : detail(r, CURLE_COULDNT_CONNECT));
        rd_err_hint(err, "Check that the server is running and that this machine may reach %s.",
                    origin);
    }
    return err;
}

/* A proxy that answered CONNECT with a refusal. 502 to 504 is its upstream, which may come back. */
static struct rd_err *fail_tunnel(const char *origin, long code)
{
    bool upstream = code >= 502 && code <= 504;
    struct rd_err *err =
        rd_err_new(upstream ? RD_ERR_TRANSIENT : RD_ERR_NETWORK,
                   "the proxy refused a connection to %s with status %ld", origin, code);
    if (code == 407)
        rd_err_hint(err, "Put the proxy's user name and password into HTTPS_PROXY or proxy-url.");
    else
        rd_err_hint(err, "Allow %s in the proxy, or name it in NO_PROXY.", origin);
    return err;
}

static struct rd_err *fail_socks(const struct http_req *r, const char *origin)
{
    long code = 0;
    curl_easy_getinfo(r->easy, CURLINFO_PROXY_ERROR, &code);
    bool passing = code == CURLPX_REPLY_CONNECTION_REFUSED ||
                   code == CURLPX_REPLY_HOST_UNREACHABLE ||
                   code == CURLPX_REPLY_NETWORK_UNREACHABLE || code == CURLPX_REPLY_TTL_EXPIRED ||
                   code == CURLPX_CLOSED || code == CURLPX_RECV_CONNECT ||
                   code == CURLPX_SEND_CONNECT || code == CURLPX_REPLY_GENERAL_SERVER_FAILURE;
    struct rd_err *err =
        rd_err_new(passing ? RD_ERR_TRANSIENT : RD_ERR_NETWORK,
                   "the proxy did not connect to %s: %s", origin, detail(r, CURLE_PROXY));
    rd_err_hint(err, "Check proxy-url in the kubeconfig and HTTPS_PROXY.");
    return err;
}

/* X509_V_ERR_* of openssl/x509_vfy.h; this file needs no more of OpenSSL than these two numbers. */
enum { CERT_NOT_YET_VALID = 9, CERT_HAS_EXPIRED = 10 };

static struct rd_err *fail_verify(const struct http_req *r, const char *origin)
{
    long why = 0;
    curl_easy_getinfo(r->easy, CURLINFO_SSL_VERIFYRESULT, &why);
    struct rd_err *err = rd_err_new(RD_ERR_NETWORK, "the certificate of %s was not accepted: %s",
                                    origin, detail(r, CURLE_PEER_FAILED_VERIFICATION));
    const struct http_tls *t = &r->client->o.tls;
    if (why == CERT_NOT_YET_VALID || why == CERT_HAS_EXPIRED)
        rd_err_hint(err,
                    "Check this machine's clock with `date -u`, then the server's certificate.");
    else if (says(r, "subject name"))
        rd_err_hint(err, "The server answers under another name: check the address, or set "
                         "tls-server-name in the kubeconfig.");
    else if (t->ca_pem != NULL || t->ca_file != NULL)
        rd_err_hint(err, "The certificate authority configured for this server did not sign its "
                         "certificate: fetch the credentials of the cluster again.");
    else
        rd_err_hint(err, "If a proxy or a private authority signs here, name its certificate in "
                         "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE.");
    return err;
}

/* In TLS 1.3 the verdict on our certificate comes after the handshake, as a failed read. */
static bool refused_our_certificate(const struct http_req *r)
{
    return says(r, "alert certificate") || says(r, "alert bad certificate") ||
           says(r, "alert unknown ca") || says(r, "alert access denied");
}

static struct rd_err *fail_client_certificate(const struct http_req *r, const char *origin)
{
    struct rd_err *err =
        rd_err_new(RD_ERR_CREDENTIALS, "%s refused our client certificate: %s", origin, r->errbuf);
    rd_err_hint(err, "It may have expired: fetch the credentials of the cluster again.");
    return err;
}

static struct rd_err *fail_handshake(const struct http_req *r, const char *origin)
{
    if (refused_our_certificate(r))
        return fail_client_certificate(r, origin);
    /* OpenSSL queues an error for what the peer said; a lost connection is only a system error. */
    bool lost = says(r, "SSL_ERROR_SYSCALL") || says(r, "Connection reset") ||
                says(r, "Broken pipe") || says(r, "unexpected eof") || says(r, "timed out");
    struct rd_err *err =
        rd_err_new(lost ? RD_ERR_TRANSIENT : RD_ERR_NETWORK, "no TLS connection to %s: %s", origin,
                   detail(r, CURLE_SSL_CONNECT_ERROR));
    if (says(r, "wrong version number"))
        rd_err_hint(err,
                    "The server at %s does not speak TLS: check the port and whether the address "
                    "should begin with http://.",
                    origin);
    else if (!lost)
        rd_err_hint(err, "Check that %s is the right address and that no proxy answers for it.",
                    origin);
    return err;
}

static struct rd_err *fail_over(const struct http_req *r, const char *origin)
{
    if (r->header_bytes > HTTP_HEADERS_MAX)
        return rd_err_new(RD_ERR_FAILED,
                          "the headers of the answer from %s are over the limit of %zu bytes",
                          origin, HTTP_HEADERS_MAX);
    return rd_err_new(RD_ERR_FAILED, "the answer from %s is over the limit of %zu bytes", origin,
                      r->resp.max);
}

static struct rd_err *sort(const struct http_req *r, CURLcode code, const char *origin)
{
    long tunnel = 0;
    curl_easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (r->over)
        return fail_over(r, origin);
    if (r->held_back)
        return rd_err_new(RD_ERR_TRANSIENT, "the request to %s was held back", origin);
    if (tunnel >= 300 && !r->sent)
        return fail_tunnel(origin, tunnel);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY: {
        struct rd_err *err =
            rd_err_new(RD_ERR_NETWORK, "the name of the proxy for %s does not resolve", origin);
        rd_err_hint(err, "Check proxy-url in the kubeconfig and HTTPS_PROXY.");
        return err;
    }
    case CURLE_COULDNT_CONNECT:
        return fail_connect(r, origin);
    case CURLE_PROXY:
        return fail_socks(r, origin);
    case CURLE_OPERATION_TIMEDOUT: {
        struct rd_err *err = rd_err_new(RD_ERR_TIMEOUT, "no connection to %s within %llu ms",
                                        origin, (unsigned long long)r->connect_ms);
        rd_err_hint(err, "Check that this machine may reach %s%s.", origin,
                    via_proxy(r) ? " and that the proxy works" : "");
        return err;
    }
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return fail_verify(r, origin);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_USE_SSL_FAILED:
        return fail_handshake(r, origin);
    case CURLE_SSL_CERTPROBLEM: {
        struct rd_err *err =
            rd_err_new(RD_ERR_INPUT, "the client certificate or key for %s cannot be used: %s",
                       origin, detail(r, code));
        rd_err_hint(err, "Check that certificate and key belong together and are PEM.");
        return err;
    }
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE: {
        struct rd_err *err =
            rd_err_new(RD_ERR_INPUT, "the certificate authority for %s cannot be used: %s", origin,
                       detail(r, code));
        rd_err_hint(err, "Check that it is PEM and not cut short.");
        return err;
    }
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: {
        /* The URL was checked before: what is unsupported here is the answer. */
        struct rd_err *err =
            rd_err_new(RD_ERR_FAILED, "%s does not answer in HTTP: %s", origin, detail(r, code));
        rd_err_hint(err, "Check the port and whether the address should begin with https://.");
        return err;
    }
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        if (refused_our_certificate(r))
            return fail_client_certificate(r, origin);
        return rd_err_new(RD_ERR_TRANSIENT, "the connection to %s was lost: %s", origin,
                          detail(r, code));
    case CURLE_GOT_NOTHING:
        return rd_err_new(RD_ERR_TRANSIENT, "%s closed the connection without an answer", origin);
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_AGAIN:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_NO_CONNECTION_AVAILABLE:
        return rd_err_new(RD_ERR_TRANSIENT, "the answer from %s broke off: %s", origin,
                          detail(r, code));
    case CURLE_BAD_CONTENT_ENCODING:
        return rd_err_new(RD_ERR_FAILED, "the answer from %s cannot be decoded: %s", origin,
                          detail(r, code));
    default:
        return rd_err_new(RD_ERR_FAILED, "the request to %s failed: %s", origin, detail(r, code));
    }
}

struct rd_err *fail_curl(const struct http_req *r, CURLcode code)
{
    RD_AUTOFREE char *origin = http_url_origin(r->url);
    struct rd_err *err = sort(r, code, origin);
    add_resource(r, err);
    return err;
}

struct rd_err *fail_resolve(const struct http_req *r, int uv_status)
{
    RD_AUTOFREE char *origin = http_url_origin(r->url);
    char *colon = strrchr(origin, ':');
    if (colon != NULL)
        *colon = '\0';
    /* No such name, no address for it, or a resolver that refuses: asking again will not help. */
    bool final = uv_status == UV_EAI_NONAME || uv_status == UV_EAI_NODATA ||
                 uv_status == UV_EAI_FAIL || uv_status == UV_EINVAL;
    struct rd_err *err;
    if (final) {
        err = rd_err_new(RD_ERR_NETWORK, "host name %s does not resolve", origin);
        rd_err_hint(err, "Check the spelling, and this machine's resolver with `getent hosts %s`.",
                    origin);
    } else {
        err = rd_err_new(RD_ERR_TRANSIENT, "host name %s cannot be resolved at the moment%s%s",
                         origin, uv_status != 0 ? ": " : "",
                         uv_status != 0 ? uv_strerror(uv_status) : "");
        rd_err_hint(err, "Check this machine's network and resolver with `getent hosts %s`.",
                    origin);
    }
    add_resource(r, err);
    return err;
}

struct rd_err *fail_slow(const struct http_req *r)
{
    RD_AUTOFREE char *origin = http_url_origin(r->url);
    struct rd_err *err;
    if (r->connected_ms == 0)
        err = rd_err_new(RD_ERR_TIMEOUT, "no connection to %s in time", origin);
    else if (!r->headers_done && r->op.timed_out)
        err = rd_err_new(RD_ERR_TIMEOUT, "no answer from %s in time", origin);
    else if (!r->headers_done)
        err = rd_err_new(RD_ERR_TIMEOUT, "no answer from %s within %llu ms", origin,
                         (unsigned long long)r->first_byte_ms);
    else if (r->op.timed_out)
        err = rd_err_new(RD_ERR_TIMEOUT, "the answer from %s did not end in time", origin);
    else
        err = rd_err_new(RD_ERR_TIMEOUT, "the answer from %s stalled for %llu ms", origin,
                         (unsigned long long)r->idle_ms);
    /* The deadline was somebody else's; a stream that flowed until then was at nothing. */
    bool flowing = r->stream && r->headers_done && r->status >= 200 && r->status < 300;
    if (r->op.timed_out)
        err->bare = flowing ? RD_ERR_NAMELESS : RD_ERR_UNHEARD;
    add_resource(r, err);
    return err;
}
