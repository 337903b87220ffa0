/* Goal: whichever socket, connect, send or recv of a call fails, in the TLS handshake as in the request and its
 * answer, and however: the call ends with the answer or with an error that says what was lost; what may be
 * repeated is repeated, what must go once is never sent twice; and no socket is left open. The system calls are
 * this program's own: a function of the executable stands before the library's. */
#include "http/call.h"

#include "harness/one_request.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum which { SOCKET, CONNECT, SEND, RECV, WHICH_MAX };
static const char *const names[WHICH_MAX] = {"socket", "connect", "send", "recv"};

enum { /* beside errno */
    SHORT = -1,  /* one byte only */
    CLOSED = -2, /* the peer said that it is over */
    TAKEN = -3,  /* sent, and then the connection is lost */
    LATE = -4,   /* connecting begins well and is refused in the end */
};

#define FDS_MAX 1024
static struct {
    pthread_t owner; /* calls of other threads are the server's */
    bool on, struck;
    enum which which;
    int how;
    unsigned count, fail_at;
    bool ours[FDS_MAX];
    int broken[FDS_MAX]; /* what every further call on it says; 0: well */
    unsigned open, connected, seen[WHICH_MAX];
} faults;

static bool is_ours(void)
{
    return faults.on && pthread_equal(pthread_self(), faults.owner);
}

static bool strikes(enum which w)
{
    faults.seen[w]++;
    if (faults.which != w || ++faults.count != faults.fail_at)
        return false;
    faults.struck = true;
    return true;
}

static bool lasts(int error) /* or may the next call go well? */
{
    return error > 0 && error != EINTR && error != EAGAIN;
}

static long fails(int fd, int error)
{
    if (fd >= 0 && lasts(error) && !faults.broken[fd]) {
        faults.broken[fd] = error;
        shutdown(fd, SHUT_RDWR); /* whoever asks the kernel hears of it as well */
    }
    errno = error;
    return -1;
}

int socket(int domain, int type, int protocol)
{
    if (is_ours() && strikes(SOCKET))
        return (int)fails(-1, faults.how);
    int fd = (int)syscall(SYS_socket, domain, type, protocol);
    if (is_ours() && fd >= 0) {
        assert_true(fd < FDS_MAX);
        faults.ours[fd] = true;
        faults.broken[fd] = 0;
        faults.open++;
    }
    return fd;
}

int close(int fd)
{
    if (is_ours() && fd >= 0 && fd < FDS_MAX && faults.ours[fd]) {
        faults.ours[fd] = false;
        faults.open--;
    }
    return (int)syscall(SYS_close, fd);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    if (is_ours() && strikes(CONNECT)) {
        if (faults.how != LATE)
            return (int)fails(fd, faults.how);
        faults.broken[fd] = ECONNREFUSED;
    }
    int rc = (int)syscall(SYS_connect, fd, address, len);
    if (is_ours() && (rc == 0 || errno == EINPROGRESS))
        faults.connected++;
    return rc;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (is_ours() && level == SOL_SOCKET && name == SO_ERROR && faults.broken[fd]) {
        *(int *)value = faults.broken[fd];
        *len = sizeof(int);
        return 0;
    }
    return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    if (is_ours() && faults.broken[fd])
        return fails(fd, faults.broken[fd] == ECONNRESET ? EPIPE : faults.broken[fd]);
    if (is_ours() && strikes(SEND)) {
        if (faults.how > 0)
            return fails(fd, faults.how);
        if (faults.how == SHORT)
            len = 1;
        else
            faults.broken[fd] = ECONNRESET;
    }
    ssize_t n = syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
    return n >= 0 && is_ours() && faults.broken[fd] ? fails(fd, ECONNRESET) : n;
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    if (is_ours() && faults.broken[fd])
        return fails(fd, faults.broken[fd]);
    if (is_ours() && strikes(RECV)) {
        if (faults.how > 0)
            return fails(fd, faults.how);
        if (faults.how == SHORT)
            len = 1;
        else
            return 0;
    }
    return syscall(SYS_recvfrom, fd, data, len, flags, NULL, NULL);
}

/* ---- A life: two calls, one after the other, so that the second meets the first one's connection ---- */

enum { CALLS = 2, BODY = 30000 };

struct life {
    struct op op;
    struct http_client *client;
    struct http_call call[CALLS];
    enum retry_idempotence idem;
    char *url;
    unsigned begun;
    atomic_uint requests[CALLS];
    char body[BODY + 1];
};

static void script(struct peer *p, void *ctx)
{
    struct life *l = ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        atomic_fetch_add(&l->requests[q.path[1] == '1'], 1);
        peer_reply(p, 200, NULL, l->body);
    }
    peer_request_clear(&q);
}

static const struct retry_policy hasty = {.base_ms = 1, .cap_ms = 5, .attempts_max = 4};

static void life_step(struct op *op)
{
    struct life *l = container_of(op, struct life, op);
    if (l->begun > 0 && !op_ended(&l->call[l->begun - 1].op))
        return;
    if (l->begun == CALLS) {
        op_finish(op, NULL);
        return;
    }
    struct http_call *c = &l->call[l->begun];
    RD_AUTOFREE char *url = rd_asprintf("%s%u", l->url, l->begun++);
    http_call_init(c, l->client, l->idem == RETRY_ONCE ? "POST" : "PUT", url);
    http_req_body(&c->req, "text/plain", rd_strdup("what is sent"), strlen("what is sent"));
    c->policy = &hasty;
    c->idem = l->idem;
    http_call_start(c, op);
    op_set_timeout(&c->op, 30000);
}

static void check_call(const struct life *l, unsigned n, const char *what)
{
    const struct http_call *c = &l->call[n];
    const struct rd_err *err = c->op.err;
    unsigned requests = atomic_load(&l->requests[n]);
    bool once = l->idem == RETRY_ONCE;
    if (!err && (c->req.status != 200 || strcmp(rd_buf_str(&c->req.resp), l->body) != 0))
        fail_msg("%s, call %u: the answer is not whole: %ld, %zu bytes", what, n, c->req.status,
                 c->req.resp.len);
    if (requests > 1 && once)
        fail_msg("%s, call %u: sent %u times", what, n, requests);
    if (!err)
        return;
    if (!once)
        fail_msg("%s, call %u: not repeated: %s", what, n, err->message);
    if (err->kind != RD_ERR_TRANSIENT || !strstr(err->message, "127.0.0.1:"))
        fail_msg("%s, call %u: %s: %s", what, n, rd_err_kind_name(err->kind), err->message);
    if (!c->unsure)
        fail_msg("%s, call %u: had not been sent, and was not sent again: %s", what, n, err->message);
}

static struct harness_ca *authority;

/* True: the fault struck. */
static bool live(struct harness_identity *identity, enum retry_idempotence idem, enum which which, int how,
                 unsigned fail_at)
{
    struct life *l = rd_calloc(1, sizeof(*l));
    char what[128];
    memset(l->body, 'x', BODY);
    l->idem = idem;
    struct server *server = server_new(script, l, identity);
    l->url = server_url(server, "/");
    struct loop *loop = loop_new();
    struct http_client_options o = {.proxy = rd_strdup("")};
    if (identity)
        o.tls.ca_pem = rd_strdup(harness_ca_pem(authority));
    l->client = http_client_new(loop, &o);

    memset(faults.seen, 0, sizeof(faults.seen));
    faults.connected = 0;
    faults.owner = pthread_self();
    faults.which = which;
    faults.how = how;
    faults.fail_at = fail_at;
    faults.count = 0;
    faults.struck = false;
    faults.on = true;
    op_start_root(&l->op, loop, life_step, "life");
    loop_run(loop, &l->op);
    http_client_free(l->client);
    loop_free(loop);
    faults.on = false;
    /* Only when every connection has been read to its end is it known how often something was sent. */
    while (server_connections_over(server) < faults.connected)
        usleep(1000);
    server_free(server);

    snprintf(what, sizeof(what), "%s, %s, %s %u fails with %d (%s)", identity ? "https" : "http",
             idem == RETRY_ONCE ? "once" : "safe", names[which], fail_at, how,
             how > 0 ? strerror(how) : "special");
    for (unsigned n = 0; n < CALLS; n++)
        check_call(l, n, what);
    if (faults.open != 0)
        fail_msg("%s: %u sockets are left open", what, faults.open);
    for (unsigned n = 0; n < CALLS; n++) {
        rd_err_free(op_take_err(&l->call[n].op));
        http_call_clear(&l->call[n]);
    }
    for (enum which w = 0; w < WHICH_MAX; w++)
        assert_true(faults.seen[w] > 0); /* the calls are ours indeed */
    free(l->url);
    free(l);
    return faults.struck;
}

static const struct {
    enum which which;
    int how;
} rows[] = {
    {SOCKET, EMFILE},       {SOCKET, ENFILE},     {SOCKET, ENOBUFS},
    {CONNECT, ECONNREFUSED}, {CONNECT, ENETUNREACH}, {CONNECT, EHOSTUNREACH},
    {CONNECT, ETIMEDOUT},   {CONNECT, EADDRNOTAVAIL}, {CONNECT, LATE},
    {SEND, ECONNRESET},     {SEND, EPIPE},        {SEND, ETIMEDOUT},
    {SEND, EINTR},          {SEND, EAGAIN},       {SEND, SHORT},
    {SEND, TAKEN},          {RECV, ECONNRESET},   {RECV, ETIMEDOUT},
    {RECV, EINTR},          {RECV, EAGAIN},       {RECV, SHORT},
    {RECV, CLOSED},
};

/* The first, the second, ... of each until a pass in which none was left to fail. */
static void every_call(struct harness_identity *identity, enum retry_idempotence idem)
{
    unsigned lives = 0;
    for (size_t k = 0; k < RD_ARRAY_LEN(rows); k++) {
        unsigned n = 1;
        while (live(identity, idem, rows[k].which, rows[k].how, n))
            n++;
        assert_true(n > 1);
        lives += n;
    }
    print_message("%u lives\n", lives);
}

static void plain_safe(void **state)
{
    (void)state;
    every_call(NULL, RETRY_SAFE);
}

static void plain_once(void **state)
{
    (void)state;
    every_call(NULL, RETRY_ONCE);
}

static void over_tls(enum retry_idempotence idem)
{
    authority = harness_ca_new("test");
    struct harness_identity *identity = harness_identity_new(authority, "server", "IP:127.0.0.1", 1);
    every_call(identity, idem);
    harness_identity_free(identity);
    harness_ca_free(authority);
}

static void tls_safe(void **state)
{
    (void)state;
    over_tls(RETRY_SAFE);
}

static void tls_once(void **state)
{
    (void)state;
    over_tls(RETRY_ONCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_safe), cmocka_unit_test(plain_once),
                                       cmocka_unit_test(tls_safe), cmocka_unit_test(tls_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
