/* Port-forwards through a real API server and a kubelet's own port-forward code. The pods are
 * played; the rig sends their ports to servers in this process (`scripts/rig forward`). */
#include "live.h"

#include "base/encode.h"
#include "base/file.h"
#include "k8s/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BULK ((size_t)50 << 20)
#define BLOCK ((size_t)64 << 10)

static struct live *live;

/* ---- Bytes that both ends can make ---- */

static void fill(unsigned char *block, size_t len, size_t at)
{
    for (size_t i = 0; i < len; i++)
        block[i] = (unsigned char)(((at + i) * 2654435761u) >> 13);
}

static bool write_all(int fd, const void *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, (const char *)data + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static bool send_pattern(int fd, size_t len)
{
    unsigned char block[BLOCK];
    for (size_t at = 0; at < len; at += BLOCK) {
        size_t n = len - at < BLOCK ? len - at : BLOCK;
        fill(block, n, at);
        if (!write_all(fd, block, n))
            return false;
    }
    return true;
}

/* Reads up to len bytes of the pattern; the count that was right. *ret_errno: 0 for a clean end. */
static size_t read_pattern(int fd, size_t len, int *ret_errno)
{
    unsigned char block[BLOCK], want[BLOCK];
    size_t at = 0;
    *ret_errno = 0;
    while (at < len) {
        ssize_t n = recv(fd, block, len - at < BLOCK ? len - at : BLOCK, 0);
        if (n <= 0) {
            *ret_errno = n < 0 ? errno : 0;
            return at;
        }
        fill(want, (size_t)n, at);
        if (memcmp(block, want, (size_t)n) != 0)
            return at;
        at += (size_t)n;
    }
    return at;
}

/* ---- The server behind the pod ---- */

static size_t read_line(int fd, char *line, size_t max)
{
    size_t len = 0;
    while (len + 1 < max && recv(fd, line + len, 1, 0) == 1 && line[len] != '\n')
        len++;
    line[len] = '\0';
    return len;
}

static void serve(int fd)
{
    char line[64], block[BLOCK];
    size_t n = 0;
    int why;
    read_line(fd, line, sizeof(line));
    if (sscanf(line, "SEND %zu", &n) == 1) {
        send_pattern(fd, n);
    } else if (sscanf(line, "RECV %zu", &n) == 1) {
        snprintf(line, sizeof(line), "GOT %zu\n", read_pattern(fd, n, &why));
        write_all(fd, line, strlen(line));
    } else if (sscanf(line, "CUT %zu", &n) == 1) {
        struct linger hard = {.l_onoff = 1};
        send_pattern(fd, n);
        usleep(300000); /* what was sent shall arrive before the reset */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    } else if (strcmp(line, "LATE") == 0) {
        sleep(1);
        write_all(fd, "late answer\n", 12);
    } else if (strcmp(line, "ECHO") == 0) {
        ssize_t got;
        while ((got = recv(fd, block, sizeof(block), 0)) > 0 && write_all(fd, block, (size_t)got))
            ;
    } else if (strncmp(line, "NAME", 4) == 0) {
        struct sockaddr_in me;
        socklen_t len = sizeof(me);
        getsockname(fd, (struct sockaddr *)&me, &len);
        snprintf(line, sizeof(line), "%u\n", ntohs(me.sin_port));
        write_all(fd, line, strlen(line));
    }
    close(fd);
}

static void *serve_thread(void *arg)
{
    serve((int)(intptr_t)arg);
    return NULL;
}

static void *accept_thread(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_t t;
        if (pthread_create(&t, NULL, serve_thread, (void *)(intptr_t)fd) == 0)
            pthread_detach(t);
        else
            close(fd);
    }
    return NULL;
}

/* A listener on loopback; its port. It lives as long as the process. */
static unsigned server_open(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    pthread_t t;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(pthread_create(&t, NULL, accept_thread, (void *)(intptr_t)fd), 0);
    pthread_detach(t);
    return ntohs(a.sin_port);
}

static void rig_forward(const char *pod, unsigned port, unsigned to)
{
    RD_AUTOFREE char *command = rd_asprintf(
        "\"$RIG_SCRIPT\" forward %s/%s %u 127.0.0.1:%u >/dev/null", live->ns, pod, port, to);
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* ---- Pods ---- */

static void pod_apply(const char *name, const char *app)
{
    json_decref(live_apply(
        live,
        rd_json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:{s:i, s:[{s:s, s:s, s:[{s:s, s:i}]}]}}",
                     "apiVersion", "v1", "kind", "Pod", "metadata", "name", name, "namespace",
                     live->ns, "labels", "app", app, "spec", "terminationGracePeriodSeconds", 0,
                     "containers", "name", "c", "image", "img", "ports", "name", "web",
                     "containerPort", 8265),
        NULL, false));
}

static void pod_wait_ready(const char *name)
{
    for (int i = 0; i < 300; i++) {
        json_t *pod = live_get(live, "v1", "Pod", name);
        bool ready = rd_streq(rd_json_str(rd_json_condition(pod, "Ready"), "status", NULL), "True");
        json_decref(pod);
        if (ready)
            return;
        usleep(100000);
    }
    fail_msg("Pod/%s is not Ready after 30 s", name);
}

/* ---- A forward under test, with a client in a thread of its own ---- */

struct trial {
    struct op op;
    struct k8s_forward forward;
    void (*client)(struct trial *t); /* runs in its thread */
    const char *pod, *selector, *service;
    uint16_t remote_port;
    struct k8s_client *k8s; /* NULL: live's */
    /* For the client. */
    uint16_t port;
    size_t count, right;
    int err;
    char answer[256], answer2[256];
    double seconds;
    atomic_bool finished;
    bool started;
    pthread_t thread;
    char notes[4096];
    struct rd_err *last;
    struct rd_err *ended;
};

static int dial(const struct trial *t)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(t->port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *client_thread(void *arg)
{
    struct trial *t = arg;
    double from = now_s();
    t->client(t);
    t->seconds = now_s() - from;
    atomic_store(&t->finished, true);
    return NULL;
}

static void on_listening(struct k8s_forward *f)
{
    struct trial *t = f->ctx;
    t->port = f->local_port;
    t->started = pthread_create(&t->thread, NULL, client_thread, t) == 0;
}

static void on_note(struct k8s_forward *f, const char *text)
{
    struct trial *t = f->ctx;
    size_t len = strlen(t->notes);
    snprintf(t->notes + len, sizeof(t->notes) - len, "%s\n", text);
}

static void trial_step(struct op *op)
{
    struct trial *t = container_of(op, struct trial, op);
    if (op->cancelled || op_ended(&t->forward.op)) {
        op_finish(op, NULL);
        return;
    }
    if (atomic_load(&t->finished))
        op_cancel(&t->forward.op);
    op_set_alarm(op, op_now_ms(op) + 20);
}

static void trial_run(struct trial *t)
{
    k8s_forward_init(&t->forward, t->k8s ? t->k8s : live->client, live->ns, t->remote_port);
    rd_str_dup(&t->forward.pod, t->pod);
    rd_str_dup(&t->forward.selector, t->selector);
    rd_str_dup(&t->forward.service, t->service);
    t->forward.on_listening = on_listening;
    t->forward.on_note = on_note;
    t->forward.ctx = t;
    op_start_root(&t->op, live->loop, trial_step, "trial");
    op_set_timeout(&t->op, 180000);
    k8s_forward_start(&t->forward, &t->op);
    loop_run(live->loop, &t->op);
    if (t->started)
        pthread_join(t->thread, NULL);
    t->last = t->forward.last;
    t->forward.last = NULL;
    t->ended = op_take_err(&t->forward.op);
    k8s_forward_clear(&t->forward);
    live_must(op_take_err(&t->op), "trial");
}

static void trial_clear(struct trial *t)
{
    rd_err_free(t->last);
    rd_err_free(t->ended);
}

static void check_count(const char *what, size_t got, size_t want, const struct trial *t)
{
    if (got != want)
        fail_msg("%s: %zu, not %zu (%s; %s)", what, got, want,
                 t->last ? t->last->message : "no error", t->notes);
}

/* ---- Clients ---- */

static void client_download(struct trial *t)
{
    char line[64];
    int fd = dial(t);
    snprintf(line, sizeof(line), "SEND %zu\n", t->count);
    write_all(fd, line, strlen(line));
    t->right = read_pattern(fd, t->count + 1, &t->err);
    close(fd);
}

static void client_cut(struct trial *t)
{
    char line[64];
    int fd = dial(t);
    snprintf(line, sizeof(line), "CUT %zu\n", t->count);
    write_all(fd, line, strlen(line));
    t->right = read_pattern(fd, t->count + 1, &t->err);
    close(fd);
}

static void client_upload(struct trial *t)
{
    char line[64];
    int fd = dial(t);
    snprintf(line, sizeof(line), "RECV %zu\n", t->count);
    write_all(fd, line, strlen(line));
    send_pattern(fd, t->count);
    read_line(fd, t->answer, sizeof(t->answer));
    close(fd);
}

static void ask(const struct trial *t, const char *line, bool half_close, char *answer, size_t max)
{
    int fd = dial(t);
    write_all(fd, line, strlen(line));
    if (half_close)
        shutdown(fd, SHUT_WR);
    read_line(fd, answer, max);
    close(fd);
}

static void client_late(struct trial *t)
{
    ask(t, "LATE\n", true, t->answer, sizeof(t->answer));
}

static void client_name(struct trial *t)
{
    ask(t, "NAME\n", false, t->answer, sizeof(t->answer));
}

static void client_many(struct trial *t)
{
    int fd[64];
    char block[1024], back[1024];
    for (int i = 0; i < 64; i++) {
        fd[i] = dial(t);
        if (fd[i] >= 0)
            write_all(fd[i], "ECHO\n", 5);
    }
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 64; i++) {
            memset(block, 'a' + (i + round) % 26, sizeof(block));
            write_all(fd[i], block, sizeof(block));
        }
        for (int i = 0; i < 64; i++) {
            memset(block, 'a' + (i + round) % 26, sizeof(block));
            ssize_t n = recv(fd[i], back, sizeof(back), MSG_WAITALL);
            t->right += n == (ssize_t)sizeof(back) && memcmp(block, back, sizeof(back)) == 0;
        }
    }
    for (int i = 0; i < 64; i++)
        close(fd[i]);
}

/* ---- Tests ---- */

static int open_live(void **state)
{
    (void)state;
    live = live_open();
    pod_apply("one", "bulk");
    pod_wait_ready("one");
    rig_forward("one", 8265, server_open());
    return 0;
}

static int close_live(void **state)
{
    (void)state;
    live_close(live);
    return 0;
}

/* The same bytes through kubectl's port-forward to the same pod; for the eye, nothing is asserted
 * about speed. */
static void through_kubectl(const char *what, void (*client)(struct trial *t))
{
    struct trial t = {.count = BULK};
    int out[2], port = 0;
    char line[256];
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], 1);
        close(out[0]);
        execl(getenv("RIG_KUBECTL"), "kubectl", "--kubeconfig", getenv("RIG_KUBECONFIG"), "-n",
              live->ns, "port-forward", "pod/one", ":8265", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    size_t len = 0;
    while (len + 1 < sizeof(line) && read(out[0], line + len, 1) == 1 && line[len] != '\n')
        len++;
    line[len] = '\0';
    if (sscanf(line, "Forwarding from 127.0.0.1:%d", &port) == 1) {
        double from = now_s();
        t.port = (uint16_t)port;
        client(&t);
        print_message("50 MiB %s through kubectl %.2f s (%s)\n", what, now_s() - from,
                      t.right == BULK || t.answer[0] ? "complete" : "incomplete");
    } else {
        print_message("kubectl said: %s\n", line);
    }
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    close(out[0]);
}

static void test_bulk(void **state)
{
    (void)state;
    struct trial down = {
        .client = client_download, .pod = "one", .remote_port = 8265, .count = BULK};
    struct trial up = {.client = client_upload, .pod = "one", .remote_port = 8265, .count = BULK};
    trial_run(&down);
    check_count("downloaded", down.right, BULK, &down);
    assert_int_equal(down.err, 0);
    trial_run(&up);
    char want[64];
    snprintf(want, sizeof(want), "GOT %zu", BULK);
    assert_string_equal(up.answer, want);
    print_message("50 MiB down %.2f s, up %.2f s\n", down.seconds, up.seconds);
    if (getenv("RIG_KUBECTL")) {
        through_kubectl("down", client_download);
        through_kubectl("up", client_upload);
    }
    trial_clear(&down);
    trial_clear(&up);
}

/* The answer of a client that has sent its FIN still arrives. */
static void test_half_close(void **state)
{
    (void)state;
    struct trial t = {.client = client_late, .pod = "one", .remote_port = 8265};
    trial_run(&t);
    assert_string_equal(t.answer, "late answer");
    trial_clear(&t);
}

/* An answer that is cut in the middle arrives up to the cut and does not end as if it were whole.
 */
static void test_cut(void **state)
{
    (void)state;
    struct trial t = {.client = client_cut, .pod = "one", .remote_port = 8265, .count = 1000000};
    trial_run(&t);
    check_count("before the cut", t.right, t.count, &t);
    print_message("cut: errno %d, %s\n", t.err, t.last ? t.last->message : "no error");
    assert_int_equal(t.err, ECONNRESET);
    assert_non_null(t.last);
    trial_clear(&t);
}

static void test_many(void **state)
{
    (void)state;
    struct trial t = {.client = client_many, .pod = "one", .remote_port = 8265};
    trial_run(&t);
    check_count("echoed", t.right, (size_t)8 * 64, &t);
    trial_clear(&t);
}

/* A port that nobody listens on: the client is held, then let go, and the reason is known. */
static void test_refused(void **state)
{
    (void)state;
    struct trial t = {.client = client_name, .pod = "one", .remote_port = 9};
    trial_run(&t);
    assert_string_equal(t.answer, "");
    assert_non_null(t.last);
    if (!rd_streq(t.last->reason, K8S_STREAM_REFUSED) || t.last->kind != RD_ERR_TRANSIENT)
        fail_msg("%s: %s (%s)", rd_err_kind_name(t.last->kind), t.last->message,
                 t.last->reason ? t.last->reason : "no reason");
    trial_clear(&t);
}

static void client_opens_later(struct trial *t)
{
    int fd = dial(t);
    char line[16];
    write_all(fd, "NAME\n", 5);
    usleep(1500000);
    t->count = server_open();
    rig_forward("one", 10, (unsigned)t->count);
    read_line(fd, t->answer, sizeof(t->answer));
    close(fd);
    snprintf(line, sizeof(line), "%zu", t->count);
    t->right = strcmp(line, t->answer) == 0;
}

/* What was said to a port that opens a moment later is said again to it, once. */
static void test_opens_later(void **state)
{
    (void)state;
    struct trial t = {.client = client_opens_later, .pod = "one", .remote_port = 10};
    trial_run(&t);
    check_count("answered", t.right, 1, &t);
    trial_clear(&t);
}

/* A pod that does not exist is told at once. */
static void test_no_pod(void **state)
{
    (void)state;
    struct trial t = {.client = client_name, .pod = "nobody", .remote_port = 8265};
    trial_run(&t);
    assert_string_equal(t.answer, "");
    assert_non_null(t.last);
    if (t.last->kind != RD_ERR_NOT_FOUND)
        fail_msg("%s: %s", rd_err_kind_name(t.last->kind), t.last->message);
    trial_clear(&t);
}

static void drop_token(struct k8s_config *c)
{
    struct rd_buf token = RD_BUF_INIT(65536);
    struct rd_err *err = NULL;
    const char *file = getenv("RIG_NOBODY_TOKEN_FILE");
    if (!file || !rd_file_read(file, 65536, &token, &err))
        fail_msg("%s", err ? err->message : "RIG_NOBODY_TOKEN_FILE is not set");
    while (token.len && token.data[token.len - 1] == '\n')
        token.data[--token.len] = '\0';
    rd_freep(&c->tls.cert_pem);
    rd_secret_clear(&c->tls.key_pem);
    rd_secret_set(&c->token, token.data, token.len);
    rd_buf_clear(&token);
}

/* Who may not forward is told so, and not held. */
static void test_forbidden(void **state)
{
    (void)state;
    struct k8s_client *nobody = live_client(live, drop_token);
    struct trial t = {.client = client_name, .pod = "one", .remote_port = 8265, .k8s = nobody};
    trial_run(&t);
    assert_string_equal(t.answer, "");
    assert_non_null(t.last);
    if (t.last->kind != RD_ERR_CREDENTIALS)
        fail_msg("%s: %s", rd_err_kind_name(t.last->kind), t.last->message);
    trial_clear(&t);
    struct trial s = {
        .client = client_name, .selector = "app=x", .remote_port = 8265, .k8s = nobody};
    trial_run(&s);
    assert_non_null(s.ended);
    if (s.ended->kind != RD_ERR_CREDENTIALS)
        fail_msg("%s: %s", rd_err_kind_name(s.ended->kind), s.ended->message);
    trial_clear(&s);
    k8s_client_free(nobody);
}

static unsigned twin_port;

static void client_pod_replaced(struct trial *t)
{
    ask(t, "NAME\n", false, t->answer, sizeof(t->answer));
    RD_AUTOFREE char *command = rd_asprintf("\"$RIG_KUBECTL\" --kubeconfig \"$RIG_KUBECONFIG\" -n "
                                            "%s delete pod twin-b --wait=true >/dev/null",
                                            live->ns);
    t->err = system(command);
    ask(t, "NAME\n", false, t->answer2, sizeof(t->answer2));
}

/* The newest Ready pod of a selector, and the other once that one is gone. */
static void test_selector(void **state)
{
    (void)state;
    char older[16], newer[16];
    pod_apply("twin-a", "twin");
    pod_wait_ready("twin-a");
    sleep(1); /* creation times have seconds */
    pod_apply("twin-b", "twin");
    pod_wait_ready("twin-b");
    twin_port = server_open();
    snprintf(older, sizeof(older), "%u", twin_port);
    rig_forward("twin-a", 8265, twin_port);
    twin_port = server_open();
    snprintf(newer, sizeof(newer), "%u", twin_port);
    rig_forward("twin-b", 8265, twin_port);
    struct trial t = {.client = client_pod_replaced, .selector = "app=twin", .remote_port = 8265};
    trial_run(&t);
    assert_int_equal(t.err, 0);
    assert_string_equal(t.answer, newer);
    assert_string_equal(t.answer2, older);
    if (!strstr(t.notes, "twin-a"))
        fail_msg("notes: %s", t.notes);
    trial_clear(&t);
}

/* A Service's port by the name of the pod's port; a port it does not have is refused with a list.
 */
static void test_service(void **state)
{
    (void)state;
    json_decref(live_apply(live,
                           rd_json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:{s:s}, s:[{s:i, s:s}]}}",
                                        "apiVersion", "v1", "kind", "Service", "metadata", "name",
                                        "svc", "namespace", live->ns, "spec", "selector", "app",
                                        "bulk", "ports", "port", 80, "targetPort", "web"),
                           NULL, false));
    struct trial t = {
        .client = client_download, .service = "svc", .remote_port = 80, .count = 1000};
    trial_run(&t);
    check_count("through the service", t.right, 1000, &t);
    trial_clear(&t);
    struct trial no = {.client = client_name, .service = "svc", .remote_port = 81};
    trial_run(&no);
    assert_non_null(no.ended);
    assert_string_equal(no.ended->message, "Service svc has no port 81");
    trial_clear(&no);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk),     cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_cut),      cmocka_unit_test(test_many),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_opens_later),
        cmocka_unit_test(test_no_pod),   cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_selector), cmocka_unit_test(test_service),
    };
    if (!getenv("RIG_KUBECONFIG") || !getenv("RIG_SCRIPT")) {
        printf("SKIP: RIG_KUBECONFIG or RIG_SCRIPT is not set\n");
        return 77;
    }
    cmocka_set_test_filter(getenv("LIVE_ONLY"));
    return cmocka_run_group_tests(tests, open_live, close_live);
}
