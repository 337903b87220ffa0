#include "phase/core/note.h"

const char *note_event_name(enum note_event e)
{
    switch (e) {
    case NOTE_RUN:
        return "run";
    case NOTE_STEP:
        return "step";
    case NOTE_RESOURCE:
        return "resource";
    case NOTE_REQUEST:
        return "request";
    case NOTE_LOG:
        return "log";
    case NOTE_RESULT:
        return "result";
    }
    RD_UNREACHABLE();
}

const char *note_state_name(enum note_state s)
{
    switch (s) {
    case NOTE_PENDING:
        return "pending";
    case NOTE_RUNNING:
        return "running";
    case NOTE_DONE:
        return "done";
    case NOTE_FAILED:
        return "failed";
    case NOTE_SKIPPED:
        return "skipped";
    case NOTE_UNDONE:
        return "undone";
    case NOTE_STATE_MAX:
        break;
    }
    RD_UNREACHABLE();
}
