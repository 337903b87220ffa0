/* One stream of notes, many sinks. */
#include "ui/internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <langinfo.h>
#include <stdlib.h>

#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Contract: at least one line every 30 s; earlier, so that a slow tick does not break it. */
#define HEARTBEAT_MS 20000
#define END_PATIENCE_MS 5000
#define LINE_MAX ((size_t)256 << 10)

static void ui_emit(struct note_sink *sink, const struct phase_note *n);

struct ui *ui_new(const struct ui_options *o, struct rd_err **reterr)
{
    int log_fd = -1;
    if (o->log_file) {
        log_fd = open(o->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_fd < 0) {
            rd_fail(reterr, RD_ERR_INPUT, "cannot open log file \"%s\": %s", o->log_file,
                    strerror(errno));
            return NULL;
        }
    }
    setlocale(LC_CTYPE, ""); /* widths of characters on this terminal */
    struct ui *u = rd_calloc(1, sizeof(*u));
    u->sink.emit = ui_emit;
    u->mode = o->mode;
    u->color = o->color;
    u->github = o->github;
    u->checks_to_stdout = o->checks_to_stdout;
    u->verbose = o->verbose;
    u->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    u->verb = rd_strdup(o->verb);
    u->github_summary = rd_strdup(o->github_summary);
    u->log_fd = log_fd;
    u->begun_ms = u->last_line_ms = rd_boot_ms();
    rd_buf_init(&u->drawn, 4096);
    ui_out_init(&u->out, STDERR_FILENO);
    return u;
}

struct note_sink *ui_sink(struct ui *u)
{
    return &u->sink;
}

/* ---- Steps ---- */

struct ui_step *ui_step_of(struct ui *u, const char *id)
{
    for (size_t i = 0; i < u->step_count; i++)
        if (strcmp(u->steps[i].id, id) == 0)
            return &u->steps[i];
    u->steps = rd_reallocarray(u->steps, u->step_count + 1, sizeof(*u->steps));
    struct ui_step *s = &u->steps[u->step_count++];
    *s = (struct ui_step){.id = rd_strdup(id), .state = NOTE_PENDING};
    return s;
}

const char *ui_step_title(const struct ui_step *s)
{
    return s->title ? s->title : s->id;
}

void ui_name_step(struct ui *u, const char *id, const char *title)
{
    rd_str_dup(&ui_step_of(u, id)->title, title);
}

/* ---- Lines ---- */

void ui_line(struct ui *u, const char *text)
{
    if (u->detached || u->mode == UI_JSON || u->mode == UI_QUIET)
        return;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    bool live = u->mode == UI_TTY;
    if (live)
        ui_tty_erase(u, &b);
    rd_buf_puts(&b, text);
    rd_buf_puts(&b, "\n");
    if (live)
        ui_tty_draw(u, rd_boot_ms(), &b);
    ui_out_write(&u->out, rd_buf_str(&b), b.len);
    u->last_line_ms = rd_boot_ms();
}

/* "[ 1m 3s] text" without a terminal: what was when is otherwise lost there. */
static void timed_line(struct ui *u, const char *text)
{
    if (u->mode != UI_PLAIN) {
        ui_line(u, text);
        return;
    }
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    char elapsed[32];
    uint64_t ms = rd_boot_ms() - u->begun_ms;
    rd_duration_text(ms / 1000 * 1000, elapsed);
    rd_buf_printf(&b, "[%7s] %s", ms < 1000 ? "0s" : elapsed, text);
    ui_line(u, rd_buf_str(&b));
}

static void paint(struct rd_buf *out, const struct ui *u, const char *code, const char *text)
{
    if (u->color)
        rd_buf_printf(out, "\033[%sm%s\033[0m", code, text);
    else
        rd_buf_puts(out, text);
}

/* ---- One note on the screen ---- */

static void step_finished_tty(struct ui *u, struct ui_step *s, const struct phase_note *n)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(LINE_MAX);
    switch (n->state) {
    case NOTE_DONE:
        paint(&b, u, "32", u->utf8 ? "✓" : "ok");
        break;
    case NOTE_FAILED:
        paint(&b, u, "31", u->utf8 ? "✗" : "FAILED");
        break;
    case NOTE_UNDONE:
        paint(&b, u, "32", u->utf8 ? "✓" : "gone");
        break;
    default:
        paint(&b, u, "33", "-");
        break;
    }
    rd_buf_putc(&b, ' ');
    ui_clean(&b, ui_step_title(s));
    if (s->elapsed_ms >= 100) {
        rd_buf_puts(&b, "  ");
        ui_format_elapsed(&b, s->elapsed_ms);
    }
    if (s->message && *s->message)
        rd_buf_printf(&b, "  %s", s->message);
    ui_line(u, rd_buf_str(&b));
}

static void show_step(struct ui *u, const struct phase_note *n)
{
    struct ui_step *s = ui_step_of(u, n->step);
    if (n->state == NOTE_RUNNING && s->state == NOTE_DONE && rd_streq(n->detail, "looking")) {
        s->rechecking = true;
        return;
    }
    if (s->rechecking && n->state == NOTE_DONE)
        return;
    s->rechecking = false;
    if (rd_streq(n->detail, "cancelled") && !s->begun_ms)
        return; /* it never began, and the end says why */
    bool changed = !s->seen || s->state != n->state;
    bool over = n->state == NOTE_DONE || n->state == NOTE_FAILED || n->state == NOTE_UNDONE ||
                n->state == NOTE_SKIPPED;
    uint64_t now = rd_boot_ms();
    if (n->state == NOTE_RUNNING && changed)
        s->begun_ms = now > n->elapsed_ms ? now - n->elapsed_ms : now;
    RD_AUTOBUF struct rd_buf message = RD_BUF_INIT(LINE_MAX);
    if (n->message)
        ui_clean(&message, n->message);
    bool said_more = n->message && (!s->message || strcmp(s->message, rd_buf_str(&message)) != 0);
    s->state = n->state;
    s->seen = s->seen || n->state != NOTE_PENDING;
    if (n->message)
        rd_str_dup(&s->message, rd_buf_str(&message));
    else if (changed)
        rd_str_take(&s->message, NULL);
    s->elapsed_ms = n->elapsed_ms ? n->elapsed_ms : over && s->begun_ms ? now - s->begun_ms : 0;
    u->dirty = true;
    if (u->mode == UI_TTY) {
        if (over && changed)
            step_finished_tty(u, s, n); /* ui_line knows about detached windows */
        return;
    }
    if (u->mode != UI_PLAIN || u->detached || n->state == NOTE_PENDING || (!changed && !said_more))
        return;
    struct phase_note shown = *n;
    shown.elapsed_ms = s->elapsed_ms;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(LINE_MAX);
    if (ui_format_note(&b, &shown, ui_step_title(s)))
        timed_line(u, rd_buf_str(&b));
}

static void show_check(struct ui *u, const struct phase_note *n)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(LINE_MAX);
    ui_clean(&b, n->message);
    rd_buf_putc(&b, '\n');
    ui_print(u, rd_buf_str(&b), b.len);
}

static void show_log(struct ui *u, const struct phase_note *n)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(LINE_MAX);
    if (n->level == NOTE_WARN)
        paint(&b, u, "33", "warning: ");
    else if (n->level == NOTE_ERROR && !rd_streq(n->detail, "check"))
        paint(&b, u, "31", "error: ");
    struct ui_step *s = n->step ? ui_step_of(u, n->step) : NULL;
    if (ui_format_note(&b, n, s && !rd_streq(n->detail, "check") ? ui_step_title(s) : NULL))
        timed_line(u, rd_buf_str(&b));
}

/* A resource is worth a line of its own without a live view; in it, it is what its step is at. */
static void show_resource(struct ui *u, const struct phase_note *n)
{
    if (u->mode != UI_TTY || !n->step || n->level >= NOTE_WARN) {
        show_log(u, n);
        return;
    }
    struct ui_step *s = ui_step_of(u, n->step);
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(LINE_MAX);
    if (s->state == NOTE_RUNNING && ui_format_note(&b, n, NULL))
        rd_str_dup(&s->message, rd_buf_str(&b));
}

static void show(struct ui *u, const struct phase_note *n)
{
    /* Every mode keeps the steps: heartbeats and GitHub's summary tell of them. */
    if (n->message && n->level >= NOTE_INFO)
        rd_str_dup(&u->last_message, n->message);
    if (n->event == NOTE_STEP && n->step) {
        show_step(u, n);
        return;
    }
    if (u->detached || u->mode == UI_QUIET || u->mode == UI_JSON)
        return;
    int wants = n->event == NOTE_REQUEST ? 2 : n->level == NOTE_DEBUG ? 1 : 0;
    if (u->verbose < wants)
        return;
    if (n->event == NOTE_RESOURCE)
        show_resource(u, n);
    else
        show_log(u, n);
}

/* ---- The sink ---- */

static void write_json(struct ui *u, const struct phase_note *n)
{
    int wants = n->event == NOTE_REQUEST ? 2 : n->level == NOTE_DEBUG ? 1 : 0;
    bool screen = u->mode == UI_JSON && !u->detached && u->verbose >= wants;
    if (u->log_fd < 0 && !screen)
        return;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    ui_format_json(&b, n, rd_wall_ms());
    if (screen) {
        ui_out_write(&u->out, rd_buf_str(&b), b.len);
        u->last_line_ms = rd_boot_ms();
    }
    /* One write a line, so that two runs may share a file. A full disk must not stop a deploy. */
    if (u->log_fd >= 0 && write(u->log_fd, rd_buf_str(&b), b.len) < 0 && errno == ENOSPC) {
        close(u->log_fd);
        u->log_fd = -1;
    }
}

static void keep_result(struct ui *u, const struct phase_note *n)
{
    u->has_result = true;
    u->exit_code = n->exit_code;
    u->result_elapsed_ms = n->elapsed_ms;
    if (n->message)
        rd_str_dup(&u->result_message, n->message);
    if (n->error) {
        rd_err_free(u->result_error);
        u->result_error = rd_err_dup(n->error);
    }
}

static void ui_emit(struct note_sink *sink, const struct phase_note *n)
{
    struct ui *u = container_of(sink, struct ui, sink);
    if (n->event == NOTE_RESULT) {
        keep_result(u, n);
        return;
    }
    write_json(u, n);
    if (n->event == NOTE_LOG && rd_streq(n->detail, "check") && n->message && u->checks_to_stdout)
        show_check(u, n);
    else
        show(u, n);
}

void ui_tick(struct ui *u, uint64_t now_ms)
{
    if (u->detached)
        return;
    if (!ui_out_idle(&u->out))
        ui_out_flush(&u->out, 0);
    if (u->mode == UI_TTY) {
        /* A reader that does not keep up gets no more frames, only lines. */
        if (!ui_out_idle(&u->out))
            return;
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        ui_tty_draw(u, now_ms, &b);
        ui_out_write(&u->out, rd_buf_str(&b), b.len);
        return;
    }
    if (u->mode == UI_QUIET || now_ms < u->last_line_ms + HEARTBEAT_MS)
        return;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(LINE_MAX);
    rd_buf_puts(&b, "still waiting");
    unsigned n = 0;
    for (size_t i = 0; i < u->step_count; i++) {
        const struct ui_step *s = &u->steps[i];
        if (!s->seen || s->state != NOTE_RUNNING)
            continue;
        rd_buf_puts(&b, n++ ? "; " : ": ");
        ui_clean(&b, ui_step_title(s));
        rd_buf_puts(&b, " (");
        ui_format_elapsed(&b, (now_ms > s->begun_ms ? now_ms - s->begun_ms : 0) / 1000 * 1000);
        rd_buf_puts(&b, ")");
        if (s->message)
            rd_buf_printf(&b, " %s", s->message);
    }
    if (n == 0 && u->last_message) {
        rd_buf_puts(&b, ": ");
        ui_clean(&b, u->last_message);
    }
    if (u->mode == UI_JSON) {
        struct phase_note beat = {.event = NOTE_LOG,
                                  .level = NOTE_INFO,
                                  .detail = "heartbeat",
                                  .message = rd_buf_str(&b),
                                  .elapsed_ms = now_ms - u->begun_ms};
        write_json(u, &beat);
        return;
    }
    timed_line(u, rd_buf_str(&b));
    u->last_line_ms = now_ms;
}

void ui_detach(struct ui *u)
{
    u->detached = true;
    ui_out_clear(&u->out);
}

/* ---- The end ---- */

static void append_summary(const struct ui *u)
{
    int fd = open(u->github_summary, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return; /* GitHub's own file: nothing of the deploy depends on it */
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT((size_t)1 << 20);
    ui_format_summary(&b, u);
    ssize_t n = write(fd, rd_buf_str(&b), b.len);
    (void)n;
    close(fd);
}

static void show_result(struct ui *u)
{
    struct phase_note n = {.event = NOTE_RESULT,
                           .level = u->exit_code ? NOTE_ERROR : NOTE_INFO,
                           .message = u->result_message,
                           .error = u->result_error,
                           .exit_code = u->exit_code,
                           .elapsed_ms = u->result_elapsed_ms ? u->result_elapsed_ms
                                                              : rd_boot_ms() - u->begun_ms};
    if (u->mode != UI_JSON && !u->detached) {
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(LINE_MAX);
        if (u->result_error)
            ui_error_text(u->result_error, u->color, &b);
        if (u->result_message && (u->mode != UI_QUIET || u->exit_code != 0)) {
            RD_AUTOBUF struct rd_buf safe = RD_BUF_INIT(LINE_MAX);
            rd_redact(&safe, u->result_message, strlen(u->result_message));
            rd_text_escape(&b, rd_buf_str(&safe), safe.len, true);
            rd_buf_putc(&b, '\n');
        }
        if (u->github && u->result_error)
            ui_format_annotation(&b, u->result_error, u->verb);
        ui_out_write(&u->out, rd_buf_str(&b), b.len);
    }
    if (u->github && u->github_summary)
        append_summary(u);
    u->verbose = 2; /* the result is always the last line */
    write_json(u, &n);
}

void ui_free(struct ui *u)
{
    if (!u)
        return;
    if (u->mode == UI_TTY && !u->detached) {
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        ui_tty_erase(u, &b);
        ui_out_write(&u->out, rd_buf_str(&b), b.len);
    }
    if (u->has_result)
        show_result(u);
    if (!u->detached)
        ui_out_flush(&u->out, END_PATIENCE_MS);
    if (u->log_fd >= 0)
        close(u->log_fd);
    for (size_t i = 0; i < u->step_count; i++) {
        free(u->steps[i].id);
        free(u->steps[i].title);
        free(u->steps[i].message);
    }
    free(u->steps);
    free(u->verb);
    free(u->github_summary);
    free(u->last_message);
    free(u->result_message);
    rd_err_free(u->result_error);
    rd_buf_clear(&u->drawn);
    ui_out_clear(&u->out);
    free(u);
}

/* ---- Results and questions ---- */

bool ui_result(const char *text, size_t len)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_redact(&b, text, len);
    size_t done = 0;
    while (done < b.len) {
        ssize_t n = write(STDOUT_FILENO, b.data + done, b.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

bool ui_print(struct ui *u, const char *text, size_t len)
{
    bool live = u->mode == UI_TTY && !u->detached;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (live) {
        ui_tty_erase(u, &b);
        ui_out_write(&u->out, rd_buf_str(&b), b.len);
        rd_buf_reset(&b);
    }
    bool ok = ui_result(text, len);
    if (live) {
        ui_tty_draw(u, rd_boot_ms(), &b);
        ui_out_write(&u->out, rd_buf_str(&b), b.len);
    }
    u->last_line_ms = rd_boot_ms();
    return ok;
}

bool ui_can_ask(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool ui_confirm(const char *question)
{
    if (!ui_can_ask())
        return false;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(LINE_MAX);
    ui_clean(&b, question);
    rd_buf_puts(&b, " [y/N] ");
    struct ui_out out;
    ui_out_init(&out, STDERR_FILENO);
    ui_out_write(&out, rd_buf_str(&b), b.len);
    ui_out_flush(&out, END_PATIENCE_MS);
    ui_out_clear(&out);
    char answer[16] = {0};
    ssize_t n = read(STDIN_FILENO, answer, sizeof(answer) - 1);
    if (n <= 0)
        return false;
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}
