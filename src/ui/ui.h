/* The window: sinks for notes. tty (one live line per running step), plain (a line per change plus
 * a heartbeat), JSON lines, quiet; a log file (always JSON lines, all detail) beside it;
 * annotations and a summary in GitHub Actions. Only this module writes to stderr and stdout; it
 * escapes control bytes of remote text and redacts known secrets (base/secret.h). */
#ifndef RD_UI_UI_H
#define RD_UI_UI_H

#include "base/buf.h"
#include "phase/core/note.h"

#include <stdio.h>

enum ui_mode { UI_TTY, UI_PLAIN, UI_JSON, UI_QUIET };

struct ui_options {
    enum ui_mode mode;
    bool color;
    int verbose;                /* 0: INFO and up; 1: + DEBUG; 2: + requests */
    const char *log_file;       /* NULL: none */
    bool github;                /* GITHUB_ACTIONS=true */
    const char *github_summary; /* GITHUB_STEP_SUMMARY; NULL */
    const char *verb;           /* "up" */
    bool checks_to_stdout;      /* LOG notes with detail "check" are results: they go to stdout */
};

struct ui;
/* NULL with an RD_ERR_INPUT error when the log file cannot be opened. */
struct ui *ui_new(const struct ui_options *o, struct rd_err **reterr);
struct note_sink *ui_sink(struct ui *u);
/* What people call a step; without it its id is shown. Copies both. */
void ui_name_step(struct ui *u, const char *id, const char *title);
/* Redraws the live view, prints the heartbeat; call about 4 times a second. */
void ui_tick(struct ui *u, uint64_t now_ms);
/* The end of a display (HUP, closed terminal): later notes go to the log file only. */
void ui_detach(struct ui *u);
/* Shows the RESULT note that came last (so it ends every stream), waits up to 5 s for a slow
 * reader, and leaves the terminal as it was. */
void ui_free(struct ui *u);

/* Result text to stdout, redacted; false when stdout is closed. Call it while no live view is
 * drawn, or through ui_print. */
bool ui_result(const char *text, size_t len);
/* The same with a live view on the screen. */
bool ui_print(struct ui *u, const char *text, size_t len);
/* The report of an error: what failed, on which resource, what the remote said, what to do next. */
void ui_error_text(const struct rd_err *err, bool color, struct rd_buf *out);
/* The same as {code, exit_code, message, ...}, cleaned; owned. */
json_t *ui_error_json(const struct rd_err *err);
/* Whether somebody can be asked: standard input and standard error are terminals. */
bool ui_can_ask(void);
/* Asks on the terminal; false without one or when the answer is not yes. */
bool ui_confirm(const char *question);
/* A date, a duration and the like never need it, but names and remote text do: redacted, control
 * bytes escaped, one line. Appends. */
void ui_clean(struct rd_buf *out, const char *text);

#endif
