/* The window: sinks for notes. tty (one live line per running step), plain (a line per change plus a
 * heartbeat), JSON lines, quiet; a log file (always JSON lines, all detail) beside it; annotations
 * and a summary in GitHub Actions. Only this module writes to stderr and stdout; it escapes control
 * bytes of remote text and redacts known secrets (base/secret.h). */
#ifndef RD_UI_UI_H
#define RD_UI_UI_H

#include "base/buf.h"
#include "phase/core/note.h"

#include <stdio.h>

enum ui_mode { UI_TTY, UI_PLAIN, UI_JSON, UI_QUIET };

struct ui_options {
    enum ui_mode mode;
    bool color;
    int verbose;           /* 0: INFO and up; 1: + DEBUG; 2: + requests */
    const char *log_file;  /* NULL: none */
    bool github;           /* GITHUB_ACTIONS=true */
    const char *github_summary; /* GITHUB_STEP_SUMMARY; NULL */
    const char *verb;      /* "up" */
};

struct ui;
struct ui *ui_new(const struct ui_options *o, struct rd_err **reterr);
struct note_sink *ui_sink(struct ui *u);
/* Redraws the live view, prints the heartbeat; call about 4 times a second. */
void ui_tick(struct ui *u, uint64_t now_ms);
/* The end of a display (HUP, closed terminal): later notes go to the log file only. */
void ui_detach(struct ui *u);
void ui_free(struct ui *u);

/* Result text to stdout, redacted; false when stdout is closed. */
bool ui_result(const char *text, size_t len);
/* The report of an error: what failed, on which resource, what the remote said, what to do next. */
void ui_error_text(const struct rd_err *err, bool color, struct rd_buf *out);
/* Asks on the terminal; false without one or when the answer is not yes. */
bool ui_confirm(const char *question);

#endif
