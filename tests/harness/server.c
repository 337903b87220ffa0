#include "harness/server.h"

#include "base/alloc.h"
#include "harness/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX ((size_t)1 << 20)
#define BODY_MAX ((size_t)64 << 20)

struct server {
    int fd;
    unsigned port;
    peer_script *script;
    void *ctx;
    struct harness_identity *identity;
    pthread_t acceptor;
    pthread_mutex_t lock;
    struct peer **peers; /* under lock, as all below */
    size_t peers_len;
    char *client_name, *asked_name;
    unsigned open_requests, peak;
    atomic_uint requests, left;
    atomic_bool stopping;
};

struct peer {
    struct server *server;
    pthread_t thread;
    unsigned index;
    int fd; /* under the server's lock; -1: closed */
    SSL *ssl;
    struct rd_buf in; /* read and not yet used */
    bool unanswered;
};

/* ---- Bytes ---- */

size_t peer_read_some(struct peer *p, void *out, size_t len)
{
    if (p->in.len > 0) {
        size_t n = p->in.len < len ? p->in.len : len;
        memcpy(out, p->in.data, n);
        rd_buf_consume(&p->in, n);
        return n;
    }
    if (p->fd < 0)
        return 0;
    ssize_t n;
    if (p->ssl != NULL)
        n = SSL_read(p->ssl, out, (int)len);
    else
        n = recv(p->fd, out, len, 0);
    return n > 0 ? (size_t)n : 0;
}

bool peer_send_bytes(struct peer *p, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        if (p->fd < 0)
            return false;
        size_t part = len < 65536 ? len : 65536;
        ssize_t n;
        if (p->ssl != NULL)
            n = SSL_write(p->ssl, at, (int)part);
        else
            n = send(p->fd, at, part, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool peer_send(struct peer *p, const char *bytes)
{
    return peer_send_bytes(p, bytes, strlen(bytes));
}

/* ---- Requests ---- */

static void count_open(struct peer *p, bool unanswered)
{
    if (p->unanswered == unanswered)
        return;
    p->unanswered = unanswered;
    pthread_mutex_lock(&p->server->lock);
    p->server->open_requests += unanswered ? 1u : -1u;
    if (p->server->open_requests > p->server->peak)
        p->server->peak = p->server->open_requests;
    pthread_mutex_unlock(&p->server->lock);
}

void peer_request_clear(struct peer_request *r)
{
    rd_str_take(&r->method, NULL);
    rd_str_take(&r->path, NULL);
    rd_buf_clear(&r->head);
    rd_buf_clear(&r->body);
}

char *peer_request_header(const struct peer_request *r, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(rd_buf_str(&r->head), "\r\n"); line != NULL;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) != 0 || line[len] != ':')
            continue;
        const char *value = line + len + 1;
        value += strspn(value, " ");
        return rd_strndup(value, strcspn(value, "\r"));
    }
    return NULL;
}

bool peer_read_request(struct peer *p, struct peer_request *r)
{
    peer_request_clear(r);
    rd_buf_init(&r->head, HEAD_MAX);
    rd_buf_init(&r->body, BODY_MAX);
    const char *end;
    while ((end = strstr(rd_buf_str(&r->head), "\r\n\r\n")) == NULL) {
        char chunk[4096];
        size_t n = peer_read_some(p, chunk, sizeof chunk);
        if (n == 0 || r->head.overflow)
            return false;
        rd_buf_append(&r->head, chunk, n);
    }
    size_t head_len = (size_t)(end - r->head.data) + 4;
    rd_buf_append(&r->body, r->head.data + head_len, r->head.len - head_len);
    r->head.len = head_len;
    r->head.data[head_len] = '\0';
    const char *sp = strchr(r->head.data, ' ');
    if (sp == NULL)
        return false;
    r->method = rd_strndup(r->head.data, (size_t)(sp - r->head.data));
    r->path = rd_strndup(sp + 1, strcspn(sp + 1, " \r"));
    RD_AUTOFREE char *length = peer_request_header(r, "Content-Length");
    size_t want = length != NULL ? strtoul(length, NULL, 10) : 0;
    while (r->body.len < want) {
        char chunk[16384];
        size_t n = peer_read_some(
            p, chunk, want - r->body.len < sizeof chunk ? want - r->body.len : sizeof chunk);
        if (n == 0)
            return false;
        rd_buf_append(&r->body, chunk, n);
    }
    if (r->body.len > want) { /* the next request is already here */
        RD_ASSERT(p->in.len == 0);
        rd_buf_append(&p->in, r->body.data + want, r->body.len - want);
        r->body.len = want;
        r->body.data[want] = '\0';
    }
    atomic_fetch_add(&p->server->requests, 1);
    count_open(p, true);
    return true;
}

bool peer_reply(struct peer *p, int status, const char *headers, const char *body)
{
    RD_AUTOFREE char *text = rd_asprintf("HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n%s",
                                         status, body != NULL ? strlen(body) : 0,
                                         headers != NULL ? headers : "", body != NULL ? body : "");
    count_open(p, false);
    return peer_send(p, text);
}

/* ---- Time and endings ---- */

void peer_pause(struct peer *p, unsigned ms)
{
    for (unsigned waited = 0; waited < ms && !atomic_load(&p->server->stopping); waited += 5) {
        struct timespec t = {.tv_nsec = 5000000};
        nanosleep(&t, NULL);
    }
}

void peer_wait_gone(struct peer *p)
{
    char chunk[4096];
    while (peer_read_some(p, chunk, sizeof chunk) > 0)
        ;
}

static void close_fd(struct peer *p)
{
    pthread_mutex_lock(&p->server->lock);
    int fd = p->fd;
    p->fd = -1;
    pthread_mutex_unlock(&p->server->lock);
    if (fd >= 0)
        close(fd);
}

void peer_reset(struct peer *p)
{
    struct linger hard = {.l_onoff = 1};
    if (p->fd >= 0)
        setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close_fd(p);
}

unsigned peer_index(const struct peer *p)
{
    return p->index;
}

void *peer_server_ctx(const struct peer *p)
{
    return p->server->ctx;
}

void peer_start_tls(struct peer *p, struct harness_identity *identity)
{
    if (p->fd < 0)
        return;
    p->ssl = SSL_new(harness_identity_ctx(identity));
    SSL_set_fd(p->ssl, p->fd);
    if (SSL_accept(p->ssl) != 1) {
        ERR_clear_error();
        /* Closing with unread bytes would reset, and the client might never see the alert. */
        SSL_free(p->ssl);
        p->ssl = NULL;
        shutdown(p->fd, SHUT_WR);
        peer_wait_gone(p);
        close_fd(p);
        return;
    }
    const char *asked = SSL_get_servername(p->ssl, TLSEXT_NAMETYPE_host_name);
    X509 *client = SSL_get1_peer_certificate(p->ssl);
    char name[256] = "";
    if (client != NULL)
        X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, name, sizeof name);
    X509_free(client);
    pthread_mutex_lock(&p->server->lock);
    rd_str_dup(&p->server->asked_name, asked != NULL ? asked : "");
    rd_str_dup(&p->server->client_name, name);
    pthread_mutex_unlock(&p->server->lock);
}

/* ---- Threads ---- */

static void *run_peer(void *arg)
{
    struct peer *p = arg;
    if (p->server->identity != NULL)
        peer_start_tls(p, p->server->identity);
    if (p->fd >= 0)
        p->server->script(p, p->server->ctx);
    count_open(p, false);
    if (p->ssl != NULL && p->fd >= 0)
        SSL_shutdown(p->ssl);
    SSL_free(p->ssl);
    p->ssl = NULL;
    ERR_clear_error();
    close_fd(p);
    atomic_fetch_add(&p->server->left, 1);
    return NULL;
}

static void *run_acceptor(void *arg)
{
    struct server *s = arg;
    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED) && !atomic_load(&s->stopping))
            continue;
        if (fd < 0)
            return NULL;
        struct peer *p = rd_calloc(1, sizeof *p);
        p->server = s;
        p->fd = fd;
        rd_buf_init(&p->in, BODY_MAX);
        pthread_mutex_lock(&s->lock);
        p->index = (unsigned)s->peers_len;
        s->peers = rd_reallocarray(s->peers, s->peers_len + 1, sizeof(struct peer *));
        s->peers[s->peers_len++] = p;
        RD_ASSERT(pthread_create(&p->thread, NULL, run_peer, p) == 0);
        pthread_mutex_unlock(&s->lock);
    }
}

struct server *server_new(peer_script *script, void *ctx, struct harness_identity *identity)
{
    struct server *s = rd_calloc(1, sizeof *s);
    s->script = script;
    s->ctx = ctx;
    s->identity = identity;
    pthread_mutex_init(&s->lock, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    RD_ASSERT(s->fd >= 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    RD_ASSERT(bind(s->fd, (struct sockaddr *)&a, len) == 0);
    RD_ASSERT(getsockname(s->fd, (struct sockaddr *)&a, &len) == 0);
    s->port = ntohs(a.sin_port);
    RD_ASSERT(listen(s->fd, 512) == 0);
    RD_ASSERT(pthread_create(&s->acceptor, NULL, run_acceptor, s) == 0);
    return s;
}

void server_free(struct server *s)
{
    if (s == NULL)
        return;
    atomic_store(&s->stopping, true);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->fd);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->peers_len; i++) {
        if (s->peers[i]->fd >= 0)
            shutdown(s->peers[i]->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->peers_len; i++) {
        pthread_join(s->peers[i]->thread, NULL);
        rd_buf_clear(&s->peers[i]->in);
        free(s->peers[i]);
    }
    free(s->peers);
    free(s->client_name);
    free(s->asked_name);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

unsigned server_port(const struct server *s)
{
    return s->port;
}

char *server_url(const struct server *s, const char *path)
{
    return rd_asprintf("%s://127.0.0.1:%u%s", s->identity != NULL ? "https" : "http", s->port,
                       path);
}

unsigned server_connections(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned n = (unsigned)s->peers_len;
    pthread_mutex_unlock(&s->lock);
    return n;
}

unsigned server_connections_over(struct server *s)
{
    return atomic_load(&s->left);
}

unsigned server_requests(struct server *s)
{
    return atomic_load(&s->requests);
}

unsigned server_requests_peak(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned n = s->peak;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static char *copy_name(struct server *s, char **name)
{
    pthread_mutex_lock(&s->lock);
    char *copy = rd_strdup(*name != NULL ? *name : "");
    pthread_mutex_unlock(&s->lock);
    return copy;
}

char *server_client_name(struct server *s)
{
    return copy_name(s, &s->client_name);
}

char *server_asked_name(struct server *s)
{
    return copy_name(s, &s->asked_name);
}
