/* job logs, and the log on standard output. */
#include "job.h"

#include "base/alloc.h"
#include "base/encode.h"

#include <string.h>
#include <unistd.h>

#define ESCAPE_MAX 32

void job_log_init(struct job_log *l, struct verb_ctx *v)
{
    *l = (struct job_log){.v = v, .terminal = isatty(STDOUT_FILENO) == 1};
    rd_buf_init(&l->line, RD_BUF_UNBOUNDED);
    rd_buf_init(&l->escape, ESCAPE_MAX + 1);
}

void job_log_clear(struct job_log *l)
{
    rd_buf_clear(&l->line);
    rd_buf_clear(&l->escape);
}

static void put(struct job_log *l, const char *data, size_t len)
{
    if (len && !l->closed && !ui_print(l->v->ui, data, len))
        l->closed = true;
}

/* ---- A terminal: newlines, tabs, returns and colours pass; other controls are shown ---- */

static void show_escape(struct job_log *l, struct rd_buf *out, bool whole)
{
    if (whole)
        rd_buf_append(out, l->escape.data, l->escape.len);
    else
        rd_text_escape(out, rd_buf_str(&l->escape), l->escape.len, true);
    rd_buf_reset(&l->escape);
}

/* ESC [ digits and semicolons, then m. */
static bool escape_byte(struct job_log *l, struct rd_buf *out, char c)
{
    bool fits = l->escape.len == 1 ? c == '[' : (c >= '0' && c <= '9') || c == ';' || c == 'm';
    if (!fits || l->escape.len >= ESCAPE_MAX) {
        show_escape(l, out, false);
        return false;
    }
    rd_buf_putc(&l->escape, c);
    if (c == 'm')
        show_escape(l, out, true);
    return true;
}

static void put_terminal(struct job_log *l, const char *data, size_t len)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (l->escape.len && escape_byte(l, &out, c))
            continue;
        if (c == '\x1b')
            rd_buf_putc(&l->escape, c);
        else if (((unsigned char)c < 0x20 && !strchr("\n\t\r", c)) || c == 0x7f)
            rd_buf_printf(&out, "\\x%02x", (unsigned char)c);
        else
            rd_buf_putc(&out, c);
    }
    put(l, out.data, out.len);
}

/* ---- JSON ---- */

static void put_line(struct job_log *l, const char *data, size_t len)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    RD_AUTOJSON json_t *o = json_object();
    json_object_set_new(o, "log", json_stringn_nocheck(data, len));
    RD_AUTOFREE char *text = rd_json_dump(o);
    rd_buf_printf(&out, "%s\n", text);
    put(l, out.data, out.len);
}

static void put_json(struct job_log *l, const char *data, size_t len)
{
    rd_buf_append(&l->line, data, len);
    size_t done = 0;
    for (;;) {
        const char *at = l->line.data + done;
        const char *end = l->line.len > done ? memchr(at, '\n', l->line.len - done) : NULL;
        if (!end)
            break;
        put_line(l, at, (size_t)(end - at) + 1);
        done += (size_t)(end - at) + 1;
    }
    rd_buf_consume(&l->line, done);
}

void job_log_write(struct job_log *l, const char *data, size_t len)
{
    l->bytes += len;
    if (l->v->config.json_output)
        put_json(l, data, len);
    else if (l->terminal)
        put_terminal(l, data, len);
    else
        put(l, data, len);
}

void job_log_end(struct job_log *l)
{
    if (l->line.len)
        put_line(l, l->line.data, l->line.len);
    rd_buf_reset(&l->line);
}

/* ---- job logs ---- */

static bool follows(const struct verb_ctx *v)
{
    return verb_flag(v, "follow") || verb_flag(v, "exit-code-from-job");
}

static void logs_step(struct job_verb *j)
{
    if (!j->following) {
        job_follow(j, !follows(j->v));
        return;
    }
    if (!op_ended(&j->follow.op))
        return;
    struct rd_err *err = op_take_err(&j->follow.op);
    if (err && err->kind == RD_ERR_NOT_FOUND && !err->hint) {
        RD_AUTOFREE char *flags = ray_way_flags(&j->way);
        rd_err_hint(err, "See them all: raydeploy job list%s", flags);
    }
    if (err) {
        op_finish(&j->op, err);
        return;
    }
    job_log_end(&j->log);
    if (j->follow.log_problem)
        err = rd_err_dup(j->follow.log_problem);
    struct rd_err *judged = job_judge(j, j->follow.job);
    if (err)
        rd_err_wrap(err, "the log is incomplete");
    if (follows(j->v) && !err) {
        err = judged;
        judged = NULL;
    }
    rd_err_free(judged);
    if (j->v->config.json_output) {
        RD_AUTOJSON json_t *o = job_json(j->follow.job);
        json_object_set_new(o, "log_bytes", json_integer((json_int_t)j->log.bytes));
        verb_print_json_of(j->v, o, err);
    }
    op_finish(&j->op, err);
}

int job_logs(struct verb_ctx *v)
{
    struct job_verb j;
    struct rd_err *err = NULL;
    int code;
    if (job_open(&j, v, &err)) {
        j.id = v->config.rest.v[1];
        j.step = logs_step;
        code = job_exit_code(&j, job_run(&j));
    } else {
        code = verb_fail(v, err);
    }
    job_close(&j);
    return code;
}
