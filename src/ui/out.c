#include "ui/internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A stopped terminal or a reader that sleeps must not hold up the deploy (its lock would run out),
 * so what cannot be written now waits here. */
#define QUEUE_MAX ((size_t)4 << 20)
/* A pipe that polls writable takes at least this much without blocking (PIPE_BUF). */
#define CHUNK_MAX 4096

void ui_out_init(struct ui_out *o, int fd)
{
    *o = (struct ui_out){.fd = fd, .queue = RD_BUF_INIT(QUEUE_MAX)};
}

void ui_out_write(struct ui_out *o, const char *data, size_t len)
{
    if (o->closed || len == 0)
        return;
    rd_buf_append(&o->queue, data, len);
    if (o->queue.overflow) {
        /* Nobody has read for megabytes: begin anew rather than grow. */
        o->lost = true;
        rd_buf_reset(&o->queue);
    }
    ui_out_flush(o, 0);
}

void ui_out_flush(struct ui_out *o, int patience_ms)
{
    while (!o->closed && o->queue.len > 0) {
        struct pollfd p = {.fd = o->fd, .events = POLLOUT};
        int ready = poll(&p, 1, patience_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return;
        if (p.revents & (POLLERR | POLLNVAL)) {
            o->closed = true;
            break;
        }
        size_t n = o->queue.len < CHUNK_MAX ? o->queue.len : CHUNK_MAX;
        ssize_t done = write(o->fd, o->queue.data, n);
        if (done > 0)
            rd_buf_consume(&o->queue, (size_t)done);
        else if (done < 0 && errno != EINTR && errno != EAGAIN)
            o->closed = true; /* EPIPE, EIO of a terminal that hung up */
        else if (errno == EAGAIN && patience_ms == 0)
            return;
    }
    if (o->closed)
        rd_buf_reset(&o->queue);
}

bool ui_out_idle(const struct ui_out *o)
{
    return o->queue.len == 0;
}

void ui_out_clear(struct ui_out *o)
{
    rd_buf_clear(&o->queue);
}
