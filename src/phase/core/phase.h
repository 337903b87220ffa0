/* The glass room: one event in, commands out. No I/O, no clock, no globals, no allocation after
 * phase_init. A trace is a function of its events (and of the seed in START).
 *
 * Rules the simulator asserts:
 *  1. START only when all needs are done.            5. Budgets hold.
 *  2. No START or UNDO without a durable intent.      6. After faults stop, the goal is reached.
 *  3. One mutating op per step at a time.            7. Teardown leaves what was there before us.
 *  4. Nothing starts after cancel or past the lock.   8. One seed, one trace hash.
 *
 * Up: a step whose needs are done is looked at; what is ABSENT or drifted gets an intent on disk, then
 * START, then WATCH until READY. A START that was not answered leads back to LOOK, never to a second
 * START. A failed step holds its dependents, the others run on. Before success every verdict older
 * than PHASE_FRESH_MS is asked for again, and what is found missing is mended.
 * Down: first every step is looked at in the order of needs, because facts and connections come that
 * way; then each is undone when its dependents are gone. Only what is ours is undone.
 *
 * Exit kind: the gravest failure rules, of equal ones the first in the table. From grave to light:
 * internal, credentials, foreign, input, preflight, failed (and the rest), remains, job, timeouts;
 * so "run it again" (5) is said only when nothing else is wrong. Going down any failure but
 * credentials, our bugs and a failed look-only step means remains (9). */
#ifndef RD_PHASE_CORE_PHASE_H
#define RD_PHASE_CORE_PHASE_H

#include "base/clock.h"
#include "base/err.h"
#include "phase/core/note.h"

#define PHASE_STEPS_MAX 32
#define PHASE_COMMANDS_MAX 256
#define PHASE_NO_STEP UINT32_MAX

typedef uint32_t step_set; /* bit i: the i-th row of the table */
typedef uint64_t fact_set; /* bit i: the i-th fact of the table */

enum phase_verb { VERB_LOOK, VERB_START, VERB_WATCH, VERB_UNDO, VERB_MAX };

/* What an op found, already judged. UNREACHABLE is never ABSENT. */
#define PHASE_FINDINGS(X)                                                                          \
    X(FOUND_ABSENT, "absent")                                                                      \
    X(FOUND_PENDING, "pending")     /* there, ours, on its way */                                  \
    X(FOUND_READY, "ready")                                                                        \
    X(FOUND_FAILING, "failing")     /* complains, may heal; final once unchanged for grace_ms */   \
    X(FOUND_FAILED, "failed")       /* final */                                                    \
    X(FOUND_LEAVING, "leaving")     /* being deleted */                                            \
    X(FOUND_FOREIGN, "foreign")     /* there, not ours */                                          \
    X(FOUND_UNREACHABLE, "unreachable")

enum phase_finding {
#define X(name, word) name,
    PHASE_FINDINGS(X)
#undef X
        PHASE_FINDING_MAX
};
const char *phase_finding_name(enum phase_finding f);
const char *phase_verb_name(enum phase_verb v); /* "look", ... */

struct phase_verdict {
    enum phase_finding found;
    enum rd_err_kind kind;   /* with FAILING, FAILED, FOREIGN, UNREACHABLE: decides the exit code */
    bool ours;               /* carries our mark; going down only that is undone. FAILED without it means
                                that the look itself failed */
    bool drifted;            /* there, but not as wanted: START may mend it; also with PENDING, FAILING,
                                FAILED */
    bool kept;               /* going down: stays on purpose (--keep, shared, not ours) */
    uint64_t retry_after_ms; /* 0: none */
    uint64_t complaint;      /* hash of the complaint's text: FAILING is final once it did not change */
    uint64_t grace_ms;       /* for FAILING */
    fact_set facts;          /* now known */
};

#define STEP_STATES(X)                                                                             \
    X(STEP_BLOCKED, "blocked")                                                                     \
    X(STEP_LOOKING, "looking")                                                                     \
    X(STEP_INTENDING, "intending")   /* intent on its way to disk */                               \
    X(STEP_STARTING, "starting")                                                                   \
    X(STEP_WAITING, "waiting")                                                                     \
    X(STEP_PAUSING, "pausing")       /* before another look */                                     \
    X(STEP_DONE, "done")                                                                           \
    X(STEP_FAILED, "failed")                                                                       \
    X(STEP_HELD, "held")             /* a need failed */                                           \
    X(STEP_CANCELLED, "cancelled")                                                                 \
    X(STEP_UNDOING, "undoing")                                                                     \
    X(STEP_LEAVING, "leaving")                                                                     \
    X(STEP_GONE, "gone")                                                                           \
    X(STEP_KEPT, "kept")                                                                           \
    X(STEP_SEEN, "seen")             /* GOAL_LOOK: there, but not as wanted (yet) */               \
    X(STEP_UNWANTED, "unwanted")     /* not part of the goal */

enum step_state {
#define X(name, word) name,
    STEP_STATES(X)
#undef X
        STEP_STATE_MAX
};
const char *step_state_name(enum step_state s);

/* The line of a step's row that the core reads. */
struct phase_step_def {
    const char *id;
    step_set needs;
    step_set down_after;   /* going down: its turn comes after these too, and it is looked at again
                              then, because what they do while they live may bring it back */
    uint64_t limit_ms;     /* starts when its needs are done */
    unsigned tries_max;    /* of START (or UNDO) that ended transiently; 0: the limit alone decides */
    fact_set publishes;
    bool look_only;        /* has no START: what is ABSENT fails with RD_ERR_PREFLIGHT */
    bool every_run;        /* START even when READY was found once in an earlier run (the test job) */
    bool no_last_look;     /* not looked at again before success */
    bool yields;           /* going up: is first looked at when no other step is about to start something;
                              for what is ready long before its dependents can use it */
    bool unlocked;         /* may act before the lock is held, because the lock's home is made by it or
                              its dependents; implied by look_only */
};

enum phase_goal_kind {
    GOAL_UP,    /* bring `want` about */
    GOAL_LOOK,  /* look only, start nothing: check, status, plan */
    GOAL_DOWN   /* undo `want`, dependents first */
};

struct phase_goal {
    enum phase_goal_kind kind;
    step_set want;       /* needs are added by the core; DOWN only looks at those */
    step_set may_start;  /* UP: others are looked at only */
    bool fail_fast;
    uint64_t run_limit_ms;
};

enum phase_event_type {
    EV_START,     /* goal, seed */
    EV_TICK,
    EV_VERDICT,   /* of an earlier RUN */
    EV_JOURNALED, /* the record with this seq is durable (ok) or could not be written (!ok: the run ends) */
    EV_LOCK,      /* held until until_ms; 0: lost */
    EV_CANCEL,
    EV_ABORT
};

struct phase_event {
    uint64_t now_ms; /* boot clock */
    enum phase_event_type type;
    union {
        struct {
            struct phase_goal goal;
            uint64_t seed;
            bool needs_lock; /* nothing mutating before the first EV_LOCK */
        } start;
        struct {
            unsigned step;
            enum phase_verb verb;
            unsigned run_id; /* of the RUN it answers */
            struct phase_verdict verdict;
        } verdict;
        struct {
            uint64_t seq;
            bool ok;
        } journaled;
        struct {
            uint64_t until_ms;
        } lock;
    } u;
};

enum phase_command_type {
    CMD_JOURNAL, /* write this record, fsync, then send EV_JOURNALED with seq */
    CMD_RUN,     /* start the verb's op; deadline_ms is its hard limit */
    CMD_STOP,    /* cancel the op of run_id; its verdict still comes */
    CMD_NOTE,    /* a step changed state */
    CMD_END      /* nothing runs any more; exit_kind and why */
};

enum phase_record { REC_INTENT_START, REC_INTENT_UNDO, REC_DONE, REC_UNDONE, REC_END };

struct phase_command {
    enum phase_command_type type;
    unsigned step;           /* END: the step whose failure rules, or PHASE_NO_STEP; JOURNAL of END: none */
    enum phase_verb verb;
    unsigned run_id;
    uint64_t seq;            /* JOURNAL */
    enum phase_record record;
    uint64_t deadline_ms;    /* RUN */
    enum step_state from, to; /* NOTE */
    bool ok;                 /* END: goal reached */
    bool cancelled;          /* END: EV_CANCEL or EV_ABORT came before */
    enum rd_err_kind exit_kind; /* END, when not ok */
};

struct phase_commands {
    struct phase_command v[PHASE_COMMANDS_MAX];
    unsigned len;
};

struct phase_step_live {
    enum step_state state;
    unsigned run_id;         /* of the op in flight; 0: none */
    enum phase_verb verb;    /* of the op in flight, else of the last one */
    bool stopping;           /* CMD_STOP is out */
    uint64_t stop_at_ms;     /* a mutating op may still settle until then; RD_NEVER: not asked to */
    bool intent_durable;     /* for intent_verb */
    enum phase_verb intent_verb;
    uint64_t seq;            /* of the intent being written; 0: none */
    uint64_t begun_ms, ended_ms;
    uint64_t wake_ms;        /* PAUSING, LEAVING: when to look again */
    uint64_t limit_at_ms;    /* 0: not begun */
    uint64_t seen_ms;        /* when the last verdict came */
    bool stale;              /* something below it was mended since */
    bool surveyed;           /* DOWN: looked at once; its turn comes after its dependents */
    bool undo_turn;          /* DOWN: its turn has come */
    bool paused;             /* a pause lies before the look that is under way */
    bool relook;             /* the look under way is a last look */
    unsigned acts;           /* STARTs or UNDOs sent since it was last done */
    unsigned tries;          /* of these, how many ended transiently */
    unsigned misses;         /* UNREACHABLE in a row */
    unsigned mends;          /* last looks that found it missing or drifted */
    bool complaining;
    uint64_t complaint, complaint_since_ms;
    struct phase_verdict last;
    enum rd_err_kind fail_kind;
};

/* Why a run ends early. */
enum phase_halt {
    HALT_NONE,
    HALT_CANCEL,
    HALT_FAIL_FAST,
    HALT_JOURNAL,   /* nothing can be written down any more, so nothing may be done */
    HALT_RUN_LIMIT,
    HALT_LOCK
};

struct phase {
    const struct phase_step_def *defs; /* borrowed for life */
    unsigned count;
    struct phase_goal goal;
    step_set closure;        /* what is looked at at all */
    uint64_t rng;
    uint64_t now_ms, begun_ms;
    uint64_t run_limit_at_ms;
    uint64_t next_seq;
    unsigned next_run_id;
    uint64_t lock_until_ms, lock_margin_ms;
    bool needs_lock, started, cancelled, ended;
    enum phase_halt halt;
    fact_set facts;
    struct phase_step_live steps[PHASE_STEPS_MAX];
    struct phase_commands *out; /* during phase_step only */
};

/* Nothing new starts later than this before the lock's end, or a tenth of what is left at renewal when
 * that is more. The caller passes the lock's end, the core subtracts. */
#define PHASE_LOCK_MARGIN_MS 500
/* A verdict older than this is asked for again before it is acted on or success is reported. */
#define PHASE_FRESH_MS 30000
/* After a cancel a mutating op may settle for so long, so that its outcome is known. */
#define PHASE_SETTLE_MS 10000
/* A step that a last look finds missing more often than this is somebody else's doing. */
#define PHASE_MENDS_MAX 5

/* Asserts that the table has no cycle and that every need exists. */
void phase_init(struct phase *p, const struct phase_step_def *defs, unsigned count);
/* `out` is bounded and overwritten. */
void phase_step(struct phase *p, const struct phase_event *e, struct phase_commands *out);
/* Next tick wanted, or RD_NEVER. */
uint64_t phase_wake_ms(const struct phase *p);
/* Only the lock keeps a step from going on: the shell may get it now. */
bool phase_wants_lock(const struct phase *p);
/* May a request that changes something under the lock leave at this moment? For the shell, which asks it
 * again before each attempt: a process that was stopped in between must not send what it was about to. */
bool phase_may_write(const struct phase *p, uint64_t now_ms);
/* wants plus everything they need, transitively. */
step_set phase_closure(const struct phase_step_def *defs, unsigned count, step_set want);
enum note_state phase_note_state(enum step_state s, enum phase_goal_kind goal);

#endif
