/* The event loop: libuv plus a run queue, a timer heap on the boot clock, signals. */
#ifndef RD_LOOP_LOOP_H
#define RD_LOOP_LOOP_H

#include "loop/op.h"

#include <uv.h>

struct loop *loop_new(void);
void loop_free(struct loop *l); /* every op must have ended; runs close callbacks to the end */
uv_loop_t *loop_uv(struct loop *l);
uint64_t loop_now_ms(const struct loop *l); /* boot clock, sampled once per turn */
/* Runs until `root` has ended. */
void loop_run(struct loop *l, const struct op *root);

/* Calls fn(ctx, signum) from the run queue for each delivery; NULL fn takes it off. SIGPIPE is
 * ignored from the start. */
void loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx);

/* Socket readiness for an op, for sockets that somebody else owns (curl's connect-only transfer). */
struct loop_poll {
    uv_poll_t uv;
    struct op *op; /* woken on readiness */
    int ready;     /* UV_READABLE | UV_WRITABLE | UV_DISCONNECT seen since last taken */
    int status;    /* negative: poll itself failed */
    bool open;
};
bool loop_poll_open(struct loop_poll *p, struct loop *l, int fd, struct op *op);
void loop_poll_want(struct loop_poll *p, int events); /* 0: none */
/* Closes; `op` is woken once more when the handle is really gone (p->open false). */
void loop_poll_close(struct loop_poll *p);

#endif
