/* The live view: one line per running step at the bottom of what scrolls by. A frame is one write:
 * up over the old one, each line overwritten and cleared to its end, the rest cleared. The cursor
 * is never hidden and rests below the view, so there is nothing to restore when we die. */
#include "ui/internal.h"

#include "base/alloc.h"

#include <string.h>
#include <sys/ioctl.h>

void ui_tty_size(const struct ui *u, unsigned *ret_columns, unsigned *ret_rows)
{
    struct winsize w;
    *ret_columns = 80;
    *ret_rows = 24;
    if (ioctl(u->out.fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0) {
        *ret_columns = w.ws_col;
        *ret_rows = w.ws_row;
    }
}

static void step_line(const struct ui *u, const struct ui_step *s, uint64_t now_ms,
                      unsigned title_width, unsigned columns, struct rd_strv *lines)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    RD_AUTOBUF struct rd_buf cut = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    RD_AUTOBUF struct rd_buf elapsed = RD_BUF_INIT(64);
    uint64_t ms = now_ms > s->begun_ms ? now_ms - s->begun_ms : 0;
    ui_format_elapsed(&elapsed, ms / 1000 * 1000);
    /* Dots that move show that we live; a stalled remote does not stop them, a stalled us does. */
    static const char *const dots[] = {".  ", ".. ", "..."};
    rd_buf_puts(&b, u->color ? "\033[36m" : "");
    rd_buf_puts(&b, dots[ms / 500 % 3]);
    rd_buf_puts(&b, u->color ? "\033[0m " : " ");
    rd_buf_printf(&b, "%-*s %6s", (int)title_width, ui_step_title(s), rd_buf_str(&elapsed));
    if (s->message && *s->message) {
        rd_buf_puts(&b, u->color ? "  \033[2m" : "  ");
        rd_buf_puts(&b, s->message);
        rd_buf_puts(&b, u->color ? "\033[0m" : "");
    }
    /* One column less: a full line would wrap the cursor in some terminals. */
    ui_format_cut(&cut, rd_buf_str(&b), columns > 1 ? columns - 1 : 1);
    rd_strv_add(lines, rd_buf_str(&cut));
}

void ui_tty_layout(const struct ui *u, uint64_t now_ms, unsigned columns, unsigned rows,
                   struct rd_strv *lines)
{
    unsigned running = 0, width = 0;
    for (size_t i = 0; i < u->step_count; i++)
        if (u->steps[i].seen && u->steps[i].state == NOTE_RUNNING) {
            unsigned n = (unsigned)strlen(ui_step_title(&u->steps[i]));
            width = n > width ? n : width;
            running++;
        }
    if (width > columns / 2)
        width = columns / 2;
    unsigned room = rows > 2 ? rows - 2 : 1;
    unsigned shown = 0;
    for (size_t i = 0; i < u->step_count; i++) {
        if (!u->steps[i].seen || u->steps[i].state != NOTE_RUNNING)
            continue;
        if (running > room && shown == room - 1) {
            RD_AUTOFREE char *more = rd_asprintf("... and %u more", running - shown);
            rd_strv_add(lines, more);
            return;
        }
        step_line(u, &u->steps[i], now_ms, width, columns, lines);
        shown++;
    }
}

/* Rows the drawn lines take now: a narrower window wraps what was one row. */
static unsigned drawn_rows(const struct ui *u, unsigned columns)
{
    unsigned rows = 0;
    for (size_t i = 0; i + 1 < u->drawn.len; i += 2) {
        uint16_t w;
        memcpy(&w, u->drawn.data + i, sizeof(w));
        rows += w == 0 ? 1 : (w + columns - 1) / columns;
    }
    return rows;
}

void ui_tty_erase(struct ui *u, struct rd_buf *frame)
{
    unsigned columns, rows;
    ui_tty_size(u, &columns, &rows);
    unsigned up = drawn_rows(u, columns);
    if (up > 0)
        rd_buf_printf(frame, "\r\033[%uA\033[J", up);
    rd_buf_reset(&u->drawn);
}

void ui_tty_draw(struct ui *u, uint64_t now_ms, struct rd_buf *frame)
{
    unsigned columns, rows;
    ui_tty_size(u, &columns, &rows);
    struct rd_strv lines = {NULL, 0};
    ui_tty_layout(u, now_ms, columns, rows, &lines);
    unsigned up = drawn_rows(u, columns);
    if (up > 0)
        rd_buf_printf(frame, "\r\033[%uA", up);
    rd_buf_reset(&u->drawn);
    for (size_t i = 0; i < lines.len; i++) {
        RD_AUTOBUF struct rd_buf plain = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        uint16_t w = (uint16_t)ui_format_cut(&plain, lines.v[i], columns);
        rd_buf_append(&u->drawn, &w, sizeof(w));
        rd_buf_printf(frame, "%s\033[K\r\n", lines.v[i]);
    }
    if (up > 0 || lines.len > 0)
        rd_buf_puts(frame, "\033[J");
    rd_strv_clear(&lines);
}
