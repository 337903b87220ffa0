/* uv_spawn as an op. The op ends only when both handles are closed, since they live inside it. */
#include "loop/proc.h"

#include "base/alloc.h"

#include <signal.h>
#include <string.h>

#define KILL_AFTER_MS 2000
#define LINGER_MS 1000

static void on_closed(uv_handle_t *h)
{
    struct op_proc *p = h->data;
    p->open_handles--;
    op_wake(&p->op);
}

static void close_handle(uv_handle_t *h)
{
    if (!uv_is_closing(h))
        uv_close(h, on_closed);
}

static void on_exit(uv_process_t *process, int64_t status, int term_signal)
{
    struct op_proc *p = process->data;
    p->exit_status = status;
    p->term_signal = term_signal;
    p->exited = true;
    op_wake(&p->op);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct op_proc *p = h->data;
    *ret = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct op_proc *p = stream->data;
    if (n > 0)
        rd_buf_append(&p->out, buf->base, (size_t)n);
    else if (n < 0)
        p->eof = true;
    if (n < 0 || p->out.overflow) {
        uv_read_stop(stream);
        op_wake(&p->op);
    }
}

/* SIGTERM first, SIGKILL when that did not help. Called again by the alarm. */
static void stop_process(struct op_proc *p)
{
    uint64_t now = op_now_ms(&p->op);
    if (p->kills == 0) {
        p->kill_at_ms = now + KILL_AFTER_MS;
        uv_process_kill(&p->process, SIGTERM);
        p->kills = 1;
    } else if (p->kills == 1 && now >= p->kill_at_ms) {
        uv_process_kill(&p->process, SIGKILL);
        p->kills = 2;
    }
    if (p->kills == 1)
        op_set_alarm(&p->op, p->kill_at_ms);
}

static void proc_step(struct op *op)
{
    struct op_proc *p = container_of(op, struct op_proc, op);

    if (p->out.overflow && p->failure == NULL)
        p->failure = rd_err_new(RD_ERR_FAILED, "program %s printed more than %zu bytes",
                                p->process_file, p->out.max);
    if (!p->exited) {
        if (op->cancelled || p->failure != NULL)
            stop_process(p);
        return;
    }
    close_handle((uv_handle_t *)&p->process);
    if (!p->eof && !op->cancelled && p->failure == NULL) {
        uint64_t now = op_now_ms(op);
        if (p->linger_until_ms == 0)
            p->linger_until_ms = now + LINGER_MS;
        if (now < p->linger_until_ms) {
            op_set_alarm(op, p->linger_until_ms);
            return;
        }
    }
    close_handle((uv_handle_t *)&p->pipe);
    if (p->open_handles > 0)
        return;
    struct rd_err *failure = p->failure;
    p->failure = NULL;
    op_finish(op, failure);
}

static struct rd_err *spawn_error(int rc, const struct op_proc_options *o)
{
    struct rd_err *err;
    if (rc == UV_ENOENT)
        err = rd_err_new(RD_ERR_INPUT, "program %s was not found", o->file);
    else
        err = rd_err_new(RD_ERR_INPUT, "program %s cannot be run: %s", o->file, uv_strerror(rc));
    if (rc == UV_ENOENT && strchr(o->file, '/') == NULL)
        rd_err_hint(
            err, "Install it or put its folder on PATH; `command -v %s` shows whether it is there.",
            o->file);
    return err;
}

void op_proc_start(struct op_proc *p, struct op *parent, const struct op_proc_options *o)
{
    op_start(&p->op, parent, proc_step, "program");
    rd_buf_clear(&p->out);
    rd_buf_init(&p->out, o->out_max);
    p->exit_status = 0;
    p->term_signal = 0;
    p->exited = p->eof = false;
    p->kills = 0;
    p->linger_until_ms = 0;
    rd_str_dup(&p->process_file, o->file);
    rd_err_free(p->failure);
    p->failure = NULL;

    uv_loop_t *uv = loop_uv(p->op.loop);
    uv_stdio_container_t stdio[3] = {
        {.flags = o->inherit_stdin ? UV_INHERIT_FD : UV_IGNORE, .data.fd = 0},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->pipe},
        {.flags = o->quiet_stderr ? UV_IGNORE : UV_INHERIT_FD, .data.fd = 2},
    };
    /* uv takes mutable vectors and does not change them. */
    uv_process_options_t options = {
        .exit_cb = on_exit,
        .file = o->file,
        .args = (char **)(uintptr_t)o->argv,
        .env = (char **)(uintptr_t)o->env,
        .cwd = o->cwd,
        .stdio = stdio,
        .stdio_count = 3,
    };
    int rc = uv_pipe_init(uv, &p->pipe, 0);
    RD_ASSERT(rc == 0);
    p->pipe.data = p->process.data = p;
    p->open_handles = 2;
    rc = uv_spawn(uv, &p->process, &options);
    if (rc != 0) {
        /* A failed spawn leaves both handles initialised: close them, then say so. */
        p->failure = spawn_error(rc, o);
        p->exited = p->eof = true;
        op_wake(&p->op);
        return;
    }
    rc = uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read);
    RD_ASSERT(rc == 0);
}

void op_proc_clear(struct op_proc *p)
{
    RD_ASSERT(!op_running(&p->op));
    rd_buf_clear(&p->out);
    rd_str_take(&p->process_file, NULL);
    rd_err_free(p->failure);
    p->failure = NULL;
}
