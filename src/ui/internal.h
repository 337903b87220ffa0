/* What the files of this folder share. */
#ifndef RD_UI_INTERNAL_H
#define RD_UI_INTERNAL_H

#include "base/json.h"
#include "base/text.h"
#include "ui/ui.h"

/* ---- out.c: bytes to a descriptor that must never hold up the deploy ---- */
struct ui_out {
    int fd;
    struct rd_buf queue; /* what the reader has not taken yet */
    bool closed;         /* the other end is gone: everything is dropped from here on */
    bool lost;           /* the queue was full once */
};
void ui_out_init(struct ui_out *o, int fd);
void ui_out_write(struct ui_out *o, const char *data, size_t len);
void ui_out_flush(struct ui_out *o, int patience_ms);
bool ui_out_idle(const struct ui_out *o); /* nothing is queued */
void ui_out_clear(struct ui_out *o);

struct ui_step {
    char *id, *title; /* owned; title NULL: id */
    enum note_state state;
    bool seen;
    char *message; /* owned, clean; what it waits for or why */
    uint64_t begun_ms, elapsed_ms;
    bool rechecking; /* was done and is looked at once more: no news until it is not */
};

struct ui {
    struct note_sink sink;
    enum ui_mode mode;
    bool color, github, utf8, checks_to_stdout, detached;
    int verbose;
    char *verb, *github_summary; /* owned */
    struct ui_out out;           /* stderr */
    int log_fd;                  /* -1: none */
    struct ui_step *steps;
    size_t step_count;
    uint64_t begun_ms, last_line_ms;
    char *last_message; /* owned; for heartbeats of commands without steps */
    /* The result, kept until the end. */
    bool has_result;
    int exit_code;
    char *result_message;
    struct rd_err *result_error;
    uint64_t result_elapsed_ms;
    /* The live view as it stands on the screen. */
    struct rd_buf drawn; /* widths of its lines, as uint16_t */
    bool dirty;
};

struct ui_step *ui_step_of(struct ui *u, const char *id);
const char *ui_step_title(const struct ui_step *s);
/* A line that stays; takes the live view out of its way. Text without the newline. */
void ui_line(struct ui *u, const char *text);

/* ---- format.c (pure) ---- */
/* One JSON line with its newline. */
void ui_format_json(struct rd_buf *out, const struct phase_note *n, int64_t wall_ms);
/* The line of a note on a screen, without its time; false: nothing to say. */
bool ui_format_note(struct rd_buf *out, const struct phase_note *n, const char *title);
void ui_format_elapsed(struct rd_buf *out, uint64_t ms);
/* Cuts text to `columns`, counting what a terminal shows; escape sequences count nothing. Returns
 * the columns used. */
unsigned ui_format_cut(struct rd_buf *out, const char *text, unsigned columns);
/* GitHub's escaping of workflow commands. */
void ui_format_annotation(struct rd_buf *out, const struct rd_err *e, const char *verb);
void ui_format_summary(struct rd_buf *out, const struct ui *u);

/* ---- tty.c ---- */
void ui_tty_erase(struct ui *u,
                  struct rd_buf *frame); /* appends what takes the view off the screen */
void ui_tty_draw(struct ui *u, uint64_t now_ms, struct rd_buf *frame);
/* The view's lines for a screen of that size (pure); one string a line. */
void ui_tty_layout(const struct ui *u, uint64_t now_ms, unsigned columns, unsigned rows,
                   struct rd_strv *lines);
void ui_tty_size(const struct ui *u, unsigned *ret_columns, unsigned *ret_rows);

#endif
