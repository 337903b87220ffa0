#include "middle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 64

struct middle {
    pthread_t thread;
    atomic_bool down, silent, stop;
    uint16_t port, local;
    int listener;
    struct {
        int fd[2];
    } pair[PAIRS_MAX];
    size_t pairs;
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons(port)};
}

static void open_listener(struct middle *m)
{
    struct sockaddr_in a = loopback(m->local);
    socklen_t len = sizeof(a);
    int one = 1;
    m->listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(m->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(m->listener, (struct sockaddr *)&a, sizeof(a)) || listen(m->listener, 64)) {
        perror("middle");
        abort();
    }
    getsockname(m->listener, (struct sockaddr *)&a, &len);
    m->local = ntohs(a.sin_port);
}

static void drop(struct middle *m, size_t i)
{
    struct linger reset = {.l_onoff = 1};
    for (int s = 0; s < 2; s++) {
        setsockopt(m->pair[i].fd[s], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(m->pair[i].fd[s]);
    }
    m->pair[i] = m->pair[--m->pairs];
}

static void accept_one(struct middle *m)
{
    int in = accept(m->listener, NULL, NULL);
    if (in < 0)
        return;
    int out = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = loopback(m->port);
    if (m->pairs == PAIRS_MAX || connect(out, (struct sockaddr *)&a, sizeof(a))) {
        close(in);
        close(out);
        return;
    }
    m->pair[m->pairs].fd[0] = in;
    m->pair[m->pairs].fd[1] = out;
    m->pairs++;
}

/* False when the pair is to be dropped. */
static bool relay(int from, int to)
{
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof(bytes));
    if (n <= 0)
        return false;
    for (ssize_t done = 0; done < n;) {
        ssize_t w = send(to, bytes + done, (size_t)(n - done), MSG_NOSIGNAL);
        if (w <= 0)
            return false;
        done += w;
    }
    return true;
}

static void *run(void *arg)
{
    struct middle *m = arg;
    while (!m->stop) {
        if (m->down && m->listener >= 0) {
            close(m->listener);
            m->listener = -1;
            while (m->pairs)
                drop(m, 0);
        } else if (!m->down && m->listener < 0) {
            open_listener(m);
        }
        struct pollfd p[1 + 2 * PAIRS_MAX];
        size_t n = 0;
        p[n++] = (struct pollfd){.fd = m->listener, .events = POLLIN};
        for (size_t i = 0; i < m->pairs && !m->silent; i++) {
            p[n++] = (struct pollfd){.fd = m->pair[i].fd[0], .events = POLLIN};
            p[n++] = (struct pollfd){.fd = m->pair[i].fd[1], .events = POLLIN};
        }
        if (poll(p, n, 20) <= 0)
            continue;
        for (size_t i = (n - 1) / 2; i-- > 0;) {
            bool ok = true;
            if (p[1 + 2 * i].revents)
                ok = relay(m->pair[i].fd[0], m->pair[i].fd[1]);
            if (ok && p[2 + 2 * i].revents)
                ok = relay(m->pair[i].fd[1], m->pair[i].fd[0]);
            if (!ok)
                drop(m, i);
        }
        if (p[0].revents)
            accept_one(m);
    }
    while (m->pairs)
        drop(m, 0);
    if (m->listener >= 0)
        close(m->listener);
    return NULL;
}

struct middle *middle_start(uint16_t port, uint16_t *ret_port)
{
    struct middle *m = calloc(1, sizeof(*m));
    if (!m)
        abort();
    m->port = port;
    open_listener(m);
    *ret_port = m->local;
    if (pthread_create(&m->thread, NULL, run, m))
        abort();
    return m;
}

void middle_set(struct middle *m, bool down, bool silent)
{
    m->down = down;
    m->silent = silent;
}

void middle_stop(struct middle *m)
{
    m->stop = true;
    pthread_join(m->thread, NULL);
    free(m);
}
