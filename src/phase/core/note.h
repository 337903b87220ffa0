/* Notes: the only progress channel. The core and the steps emit them, the sinks of src/ui show them.
 * All strings are borrowed for the call and hold no secret; remote text is not yet escaped. */
#ifndef RD_PHASE_CORE_NOTE_H
#define RD_PHASE_CORE_NOTE_H

#include "base/err.h"

enum note_event { NOTE_RUN, NOTE_STEP, NOTE_RESOURCE, NOTE_REQUEST, NOTE_LOG, NOTE_RESULT };

/* What a person sees of a step; the words are those of interface.md's --progress json. */
enum note_state {
    NOTE_PENDING,
    NOTE_RUNNING,
    NOTE_DONE,
    NOTE_FAILED,
    NOTE_SKIPPED,
    NOTE_UNDONE,
    NOTE_STATE_MAX
};

enum note_level { NOTE_DEBUG, NOTE_INFO, NOTE_WARN, NOTE_ERROR };

struct phase_note {
    enum note_event event;
    enum note_level level;
    const char *step;      /* step id; NULL: the run itself */
    enum note_state state; /* STEP only */
    const char *detail;    /* STEP: the inner state's name ("looking", "waiting", "held", ...); NULL */
    const char *resource;  /* RESOURCE, REQUEST: "Kind/ns/name" or method and URL; NULL */
    const char *message;   /* one line; NULL: none */
    uint64_t elapsed_ms;   /* of the step or run or request */
    const struct rd_err *error; /* borrowed; NULL */
    int http_status;       /* REQUEST */
    int exit_code;         /* RESULT */
};

struct note_sink {
    void (*emit)(struct note_sink *sink, const struct phase_note *note);
};

const char *note_event_name(enum note_event e); /* "run", "step", ... */
const char *note_state_name(enum note_state s); /* "pending", ... */

#endif
