/* From notes to text: pure, so that tables can test it. */
#include "ui/internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define TEXT_MAX ((size_t)64 << 10)

static void clean(struct rd_buf *out, const char *text, bool keep_newlines)
{
    RD_AUTOBUF struct rd_buf safe = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    size_t len = strlen(text);
    rd_redact(&safe, text, len);
    rd_text_escape(out, rd_buf_str(&safe), safe.len, keep_newlines);
}

void ui_clean(struct rd_buf *out, const char *text)
{
    clean(out, text, false);
}

static void set_text(json_t *o, const char *key, const char *text)
{
    if (!text)
        return;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    clean(&b, text, true);
    json_object_set_new(o, key, json_string(rd_buf_str(&b)));
}

json_t *ui_error_json(const struct rd_err *e)
{
    json_t *o = rd_json_pack("{s:s, s:i}", "code", rd_err_kind_name(e->kind), "exit_code",
                             rd_err_exit_code(e->kind));
    set_text(o, "message", e->message);
    set_text(o, "reason", e->reason);
    set_text(o, "resource", e->resource);
    if (e->http_status)
        json_object_set_new(o, "http_status", json_integer(e->http_status));
    set_text(o, "remote", e->remote);
    set_text(o, "hint", e->hint);
    if (e->cause)
        set_text(o, "cause", e->cause->message);
    return o;
}

void ui_format_json(struct rd_buf *out, const struct phase_note *n, int64_t wall_ms)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    char time[32];
    rd_rfc3339_ms(wall_ms, time);
    RD_AUTOJSON json_t *o =
        rd_json_pack("{s:s, s:s, s:s, s:I}", "time", time, "event", note_event_name(n->event),
                     "level", levels[n->level], "elapsed_ms", (json_int_t)n->elapsed_ms);
    set_text(o, "step", n->step);
    if (n->event == NOTE_STEP)
        json_object_set_new(o, "state", json_string(note_state_name(n->state)));
    set_text(o, "detail", n->detail);
    set_text(o, "resource", n->resource);
    set_text(o, "message", n->message);
    if (n->http_status)
        json_object_set_new(o, "http_status", json_integer(n->http_status));
    if (n->error)
        json_object_set_new(o, "error", ui_error_json(n->error));
    if (n->event == NOTE_RESULT)
        json_object_set_new(o, "exit_code", json_integer(n->exit_code));
    RD_AUTOFREE char *text = rd_json_dump(o);
    rd_buf_puts(out, text);
    rd_buf_putc(out, '\n');
}

void ui_format_elapsed(struct rd_buf *out, uint64_t ms)
{
    char text[32];
    rd_duration_text(ms, text);
    rd_buf_puts(out, text);
}

bool ui_format_note(struct rd_buf *out, const struct phase_note *n, const char *title)
{
    static const char *const words[] = {
        [NOTE_PENDING] = "pending", [NOTE_RUNNING] = "",        [NOTE_DONE] = "done",
        [NOTE_FAILED] = "FAILED",   [NOTE_SKIPPED] = "skipped", [NOTE_UNDONE] = "gone",
    };
    bool said = false;
    size_t len = title ? strlen(title) : 0;
    const char *message = n->message;
    /* Errors name their step too; once is enough. */
    if (message && title && strncmp(message, title, len) == 0 &&
        rd_starts_with(message + len, ": "))
        message += len + 2;
    if (title) {
        ui_clean(out, title);
        rd_buf_puts(out, ": ");
    }
    const char *word = "";
    if (n->event == NOTE_STEP) {
        word = words[n->state];
        if (n->state == NOTE_RUNNING && !n->message)
            word = n->detail ? n->detail : "running";
        rd_buf_puts(out, word);
        said = *word != '\0';
    }
    if (n->resource) {
        rd_buf_puts(out, said ? " " : "");
        ui_clean(out, n->resource);
        said = true;
    }
    if (message && rd_streq(message, word)) /* "gone: gone" */
        message = NULL;
    if (message) {
        rd_buf_puts(out, said ? ": " : "");
        ui_clean(out, message);
        said = true;
    }
    if (n->http_status) {
        rd_buf_printf(out, " %d", n->http_status);
        said = true;
    }
    bool over = n->event == NOTE_STEP &&
                (n->state == NOTE_DONE || n->state == NOTE_FAILED || n->state == NOTE_UNDONE);
    if ((over || n->event == NOTE_REQUEST) && n->elapsed_ms > 0) {
        rd_buf_puts(out, " (");
        ui_format_elapsed(out, n->elapsed_ms);
        rd_buf_puts(out, ")");
    }
    return said;
}

/* ---- Width ---- */

/* Length in bytes of the character at s, its columns in *ret_columns. */
static size_t char_width(const char *s, unsigned *ret_columns)
{
    wchar_t wide;
    mbstate_t state = {0};
    size_t n = mbrtowc(&wide, s, MB_CUR_MAX, &state);
    if (n == 0 || n > 16) {
        *ret_columns = 1; /* a locale that does not know it shows something of one column */
        return 1;
    }
    int w = wcwidth(wide);
    *ret_columns = w > 0 ? (unsigned)w : 0;
    return n;
}

unsigned ui_format_cut(struct rd_buf *out, const char *text, unsigned columns)
{
    unsigned used = 0, total = 0;
    for (const char *p = text; *p;) {
        unsigned w = 0;
        size_t n = *p == '\033' ? strcspn(p, "m") + 1 : char_width(p, &w);
        total += w;
        p += n;
    }
    bool cut = total > columns;
    unsigned room = cut && columns > 3 ? columns - 3 : columns;
    for (const char *p = text; *p;) {
        unsigned w = 0;
        bool escape = *p == '\033';
        size_t n = escape ? strcspn(p, "m") + 1 : char_width(p, &w);
        if (!escape && used + w > room) {
            p += n; /* colours behind the cut still end */
            room = used;
            continue;
        }
        rd_buf_append(out, p, n);
        used += w;
        p += n;
    }
    if (cut && columns > 3) {
        rd_buf_puts(out, "...");
        used += 3;
    }
    return used;
}

/* ---- Errors ---- */

static void paragraph(struct rd_buf *out, const char *label, const char *text)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(TEXT_MAX);
    clean(&b, text, true);
    const char *p = rd_buf_str(&b);
    bool first = true;
    while (*p) {
        size_t n = strcspn(p, "\n");
        rd_buf_printf(out, "  %-9s %.*s\n", first ? label : "", (int)n, p);
        first = false;
        p += n + (p[n] == '\n');
    }
}

void ui_error_text(const struct rd_err *err, bool color, struct rd_buf *out)
{
    rd_buf_puts(out, color ? "\033[1;31merror:\033[0m " : "error: ");
    ui_clean(out, err->message);
    rd_buf_putc(out, '\n');
    if (err->resource)
        paragraph(out, "resource:", err->resource);
    const struct rd_err *said = err;
    while (said && !said->http_status && !said->reason && !said->remote)
        said = said->cause;
    if (said && (said->http_status || said->reason)) {
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(TEXT_MAX);
        if (said->http_status)
            rd_buf_printf(&b, "HTTP %d%s", said->http_status, said->reason ? ", " : "");
        if (said->reason)
            rd_buf_puts(&b, said->reason);
        paragraph(out, "answer:", rd_buf_str(&b));
    }
    if (said && said->remote && !strstr(err->message, said->remote))
        paragraph(out, "remote:", said->remote);
    for (const struct rd_err *c = err->cause; c; c = c->cause)
        if (!strstr(err->message, c->message))
            paragraph(out, "because:", c->message);
    const struct rd_err *hinted = err;
    while (hinted && !hinted->hint)
        hinted = hinted->cause;
    if (hinted)
        paragraph(out, "hint:", hinted->hint);
}

/* ---- GitHub ---- */

static void command_escape(struct rd_buf *out, const char *text, bool property)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(TEXT_MAX);
    clean(&b, text, true);
    for (const char *p = rd_buf_str(&b); *p; p++) {
        if (*p == '%' || *p == '\n' || *p == '\r' || (property && (*p == ':' || *p == ',')))
            rd_buf_printf(out, "%%%02X", (unsigned char)*p);
        else
            rd_buf_putc(out, *p);
    }
}

void ui_format_annotation(struct rd_buf *out, const struct rd_err *e, const char *verb)
{
    RD_AUTOFREE char *title = rd_asprintf("raydeploy %s", verb ? verb : "");
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(TEXT_MAX);
    rd_buf_puts(&text, e->message);
    if (e->remote)
        rd_buf_printf(&text, "\n%s", e->remote);
    if (e->hint)
        rd_buf_printf(&text, "\n%s", e->hint);
    rd_buf_puts(out, "::error title=");
    command_escape(out, title, true);
    rd_buf_puts(out, "::");
    command_escape(out, rd_buf_str(&text), false);
    rd_buf_putc(out, '\n');
}

static void markdown_text(struct rd_buf *out, const char *text)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(TEXT_MAX);
    ui_clean(&b, text);
    for (const char *p = rd_buf_str(&b); *p; p++) {
        if (strchr("|<>`*_[]\\", *p))
            rd_buf_putc(out, '\\');
        rd_buf_putc(out, *p);
    }
}

void ui_format_summary(struct rd_buf *out, const struct ui *u)
{
    rd_buf_printf(out, "### raydeploy %s: %s\n\n", u->verb ? u->verb : "",
                  u->exit_code == 0 ? "done" : "failed");
    bool head = false;
    for (size_t i = 0; i < u->step_count; i++) {
        const struct ui_step *s = &u->steps[i];
        if (!s->seen)
            continue;
        if (!head)
            rd_buf_puts(out, "| step | state | time | |\n| --- | --- | --- | --- |\n");
        head = true;
        rd_buf_puts(out, "| ");
        markdown_text(out, ui_step_title(s));
        rd_buf_printf(out, " | %s | ", note_state_name(s->state));
        ui_format_elapsed(out, s->elapsed_ms);
        rd_buf_puts(out, " | ");
        if (s->message)
            markdown_text(out, s->message);
        rd_buf_puts(out, " |\n");
    }
    if (u->result_error) {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(TEXT_MAX);
        ui_error_text(u->result_error, false, &text);
        /* A fence that the text cannot close. */
        rd_buf_printf(out, "\n~~~~~~text\n%s~~~~~~\n", rd_buf_str(&text));
    }
    rd_buf_printf(out, "\nExit code %d.\n\n", u->exit_code);
}
