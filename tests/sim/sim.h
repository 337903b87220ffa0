/* The simulation: the shipped core, tables and pure decisions against a model of the world, its clock,
 * disk, network and lease, with seeded faults. One life: a world that others have already put things in;
 * runs towards a goal with faults (crashes, cancels, freezes, a second run beside the first) and resumes;
 * then, with the faults off, the goal must be reached; so for each goal of the life, up and down, after
 * which the world must be what it was. A life is a function of its seed.
 *
 * graph.c    the shipped tables (generated from them at build time) and graphs made up
 * judge.c    what the shipped decoders and judges make of the answers that the model gives
 * world.c    what can happen out there: Google, Config Connector, Kubernetes, KubeRay, other people
 * net.c      requests on their way, and the shipped retry policy
 * disk.c     journal and mirror: the shipped lines and inventory on a disk that loses and tears
 * proc.c     one run of the program: what the hall does with the core's commands
 * rules.c    what must hold
 * aim.c      lives aimed at one cell of the coverage table, cells.c
 * life.c     puts them together; report.c, main.c: counts, coverage, workers */
#ifndef RD_TESTS_SIM_SIM_H
#define RD_TESTS_SIM_SIM_H

#include "http/retry.h"
#include "phase/core/phase.h"
#include "phase/drive/inventory.h"

#include <stdio.h>

#define SIM_STEPS_MAX 28
#define SIM_PROCS 2
#define SIM_LATE_MAX_MS 400 /* a request lands at most so long after its sender stopped */
#define SIM_FAR RD_NEVER

/* R: met by a request, S: by the stream of a watch, W: of the thing out there, P: of a run. */
#define SIM_FAULTS(X)                                                                              \
    X(FAULT_NONE, 'N', "none")                                                                     \
    X(FAULT_LOST_REQUEST, 'R', "lost request")                                                     \
    X(FAULT_LOST_REPLY, 'R', "lost reply")                                                         \
    X(FAULT_DUPLICATE, 'R', "delivered twice")                                                     \
    X(FAULT_RESET, 'R', "reset")                                                                   \
    X(FAULT_HALF, 'R', "half an answer")                                                           \
    X(FAULT_429, 'R', "429")                                                                       \
    X(FAULT_500, 'R', "500")                                                                       \
    X(FAULT_503, 'R', "503")                                                                       \
    X(FAULT_TOKEN, 'R', "token expired")                                                           \
    X(FAULT_REFUSED, 'R', "403")                                                                   \
    X(FAULT_STALE, 'R', "stale read")                                                              \
    X(FAULT_SLOW, 'R', "slow")                                                                     \
    X(FAULT_CUT, 'S', "watch cut")                                                                 \
    X(FAULT_GONE, 'S', "410 gone")                                                                 \
    X(FAULT_SILENT, 'S', "watch silent")                                                           \
    X(FAULT_CONFLICT, 'W', "conflict")                                                             \
    X(FAULT_OP_SLOW, 'W', "operation slow")                                                        \
    X(FAULT_OP_FAILED, 'W', "operation failed")                                                    \
    X(FAULT_COMPLAINT, 'W', "complaint")                                                           \
    X(FAULT_DEPENDENCY, 'W', "waits for another")                                                  \
    X(FAULT_FOREIGN, 'W', "foreign object")                                                        \
    X(FAULT_MEDDLE, 'W', "deleted by others")                                                      \
    X(FAULT_DRIFT, 'W', "changed by others")                                                       \
    X(FAULT_CRASH, 'P', "crash")                                                                   \
    X(FAULT_CANCEL, 'P', "cancel")                                                                 \
    X(FAULT_ABORT, 'P', "abort")                                                                   \
    X(FAULT_FREEZE, 'P', "stopped")                                                                \
    X(FAULT_JUMP, 'P', "clock jump")    /* the machine slept: connections are gone */              \
    X(FAULT_DISK, 'P', "disk full")                                                                \
    X(FAULT_TORN, 'P', "torn write")                                                               \
    X(FAULT_NO_DISK, 'P', "disk lost")  /* another machine, or the journal is rebuilt */             \
    X(FAULT_LEASE, 'P', "lease not renewed")                                                       \
    X(FAULT_MIRROR, 'P', "mirror not written")                                                     \
    X(FAULT_RIVAL, 'P', "second run")

enum sim_fault {
#define X(name, class, text) name,
    SIM_FAULTS(X)
#undef X
        FAULT_MAX
};
extern const char *const sim_fault_names[FAULT_MAX];
extern const char sim_fault_class[FAULT_MAX];
typedef uint64_t fault_set;
#define FAULT_BIT(f) ((fault_set)1 << (f))

/* ---- Graphs ---- */

/* A row of a shipped table, as far as it is data; tables.c is made of the tables by tables_dump. */
struct sim_row {
    const char *id;
    step_set needs, down_after;
    uint64_t limit_ms;
    unsigned tries_max;
    fact_set publishes;
    bool look_only, every_run, no_last_look, yields, unlocked, has_start, has_watch, has_undo;
};
extern const struct sim_row sim_rows_local[], sim_rows_gke[];
extern const unsigned sim_rows_local_count, sim_rows_gke_count;

enum sim_graph { GRAPH_LOCAL, GRAPH_GKE, GRAPH_ANY, GRAPH_MAX };

enum sim_kind {
    KIND_FACTS,     /* looked at only: credentials, quota, somebody's cluster */
    KIND_SWITCH,    /* APIs: switched on, never off */
    KIND_GOOGLE,    /* made by REST and an operation */
    KIND_POLICY,    /* read, change, write under an etag */
    KIND_CONNECTOR, /* a custom resource and what it stands for */
    KIND_OBJECTS,   /* Kubernetes objects */
    KIND_RAY,
    KIND_JOB,
    KIND_LEFTOVERS  /* what controllers in the workload cluster bought */
};

/* ---- judge.c ---- */

#define SIM_SIGHTS(X)                                                                              \
    X(SIGHT_CC_NEW) X(SIGHT_CC_WAITS) X(SIGHT_CC_MAKING) X(SIGHT_CC_HEALS) X(SIGHT_CC_QUOTA)       \
    X(SIGHT_CC_UP) X(SIGHT_CC_GOING) X(SIGHT_CC_STUCK)                                             \
    X(SIGHT_DEPLOY_MAKING) X(SIGHT_DEPLOY_UP) X(SIGHT_POD_PULL) X(SIGHT_POD_DENIED)                \
    X(SIGHT_RAY_MAKING) X(SIGHT_RAY_UP) X(SIGHT_GOING)

enum sim_sight {
#define X(name) name,
    SIM_SIGHTS(X)
#undef X
        SIGHT_MAX
};

enum sim_answer {
    ANSWER_OK, ANSWER_CONFLICT, ANSWER_EXISTS, ANSWER_BUSY, ANSWER_TAKEN, ANSWER_401, ANSWER_403,
    ANSWER_429, ANSWER_500, ANSWER_503, ANSWER_MAX
};

struct judged {
    long status;
    enum rd_err_kind kind;
    bool retry, final; /* the decoder's hints to the retry policy */
    uint64_t retry_after_ms;
};
void judge_init(void);
struct phase_verdict judge_sight(enum sim_sight s);
const struct judged *judge_answer(bool google, enum sim_answer a);
enum rd_err_kind judge_failed_operation(void);
/* What an op's error means for its step, as step_verdict_from_error has it. */
struct phase_verdict judge_error(enum rd_err_kind kind, uint64_t retry_after_ms);

/* ---- The world ---- */

enum thing_state { THING_NONE, THING_MAKING, THING_UP, THING_GOING };

/* What stands behind one step. */
struct thing {
    enum thing_state state, before; /* before: what a stale look may still show */
    bool ours, drifted;
    bool shared;         /* somebody else's that fits: used, never changed, never taken away */
    bool cr;             /* CONNECTOR: the custom resource is there */
    bool fails;          /* MAKING: the operation will end with an error */
    enum sim_fault trouble; /* COMPLAINT, DEPENDENCY, OP_FAILED: shown until trouble_until_ms */
    uint64_t trouble_until_ms, trouble_since_ms;
    uint64_t at_ms;      /* MAKING, GOING: when that ends */
    uint64_t changed_ms;
    unsigned version, born;
    unsigned by;         /* JOB: the id it was submitted under */
    bool judged;         /* JOB: a run has heard its end */
    bool alone;          /* JOB: no mirror was told of it; who submitted it may hear its end */
    unsigned copies;     /* alive; more than one is a duplicate */
    fault_set met;       /* faults of class W since it was last well */
};

/* ---- A run ---- */

struct flight { /* an op on its way: one request after the other */
    bool live, stopped, acted, twice, refreshed, polled;
    unsigned run_id, attempt;
    enum phase_verb verb;
    enum sim_fault fault; /* of the request under way */
    fault_set met, thing_met; /* by its requests; by the thing as it was seen */
    uint64_t act_ms, reply_ms, send_ms, deadline_ms; /* act: when it reads or changes the world */
    uint64_t begun_ms, list_ms;
    unsigned version, born; /* precondition: as it was looked at */
    enum sim_answer answer;
    struct phase_verdict verdict;
};

struct record { /* on its way to the disk */
    uint64_t seq, at_ms;
    unsigned step;
    enum phase_record record;
    enum phase_verb verb;
    bool fails;
    bool answered;  /* not a record of the core: what was asked for has been judged */
    unsigned asks;  /* JOB: the submission's id */
    bool alone;     /* JOB: the mirror is not told */
};
#define RECORDS_MAX 64

struct disk { /* of one machine; outlives its runs */
    struct inventory inventory;   /* what its records come to */
    step_set intent;              /* no later record answers them */
    enum phase_verb intent_verb[SIM_STEPS_MAX];
    unsigned count;               /* records */
    unsigned open;                /* JOB: what was asked for and not judged yet; 0: nothing */
    uint64_t answered[8];         /* JOB: ids that were judged, a bit each */
    uint64_t alone[8];            /* JOB: ids that no mirror was told of */
    bool real;                    /* holds the lines themselves */
    char *bytes;
    size_t len, room;
};

struct put { /* the mirror's next content */
    bool live;
    unsigned number;
    uint64_t at_ms;
    struct inventory content;
    unsigned open;
    unsigned version; /* precondition: as the mirror was when it was sent */
    bool sent;        /* the gate was open when it began */
    bool lands, answered;
};

struct proc {
    bool alive;
    unsigned id;         /* 1, 2, then on by two */
    struct phase phase;
    struct flight ops[SIM_STEPS_MAX];
    struct record records[RECORDS_MAX]; /* a queue: one file, appended to */
    unsigned record_first, record_count;
    uint64_t frozen_until_ms, cancel_at_ms, abort_at_ms, freeze_at_ms;
    bool sleeps;           /* the freeze is the machine's */
    unsigned crash_after;  /* commands; 0: never */
    bool disk_full;        /* the next record fails */
    bool cancelled, needs_lock, waived; /* waived: the lock's home is about to go */
    /* inventory and mirror, as in the hall */
    struct inventory inventory, asked;
    bool has_asked;
    unsigned open, asked_open; /* JOB: as on the disk, and as the mirror was asked to have it */
    unsigned asks;             /* JOB: what a START would ask for, by the last LOOK */
    bool asks_alone;           /* JOB: the intent's */
    bool wrote, found_open;    /* it changed something; the mirror as read had an open job */
    unsigned put_asked, put_done;
    struct put put;
    struct {
        uint64_t seq;
        unsigned put;
    } waiting[RECORDS_MAX];
    unsigned waiting_count;
    /* lease */
    bool wants_lock, has_lock;
    uint64_t lock_at_ms, until_ms;
    uint64_t busy_seen_until_ms;
    /* what rules.c remembers */
    struct phase_verdict seen[SIM_STEPS_MAX];
    bool has_seen[SIM_STEPS_MAX];
    unsigned delivered[SIM_STEPS_MAX]; /* findings of this run, a bit each */
    fault_set struck;                  /* faults of class P */
    bool looked_last[SIM_STEPS_MAX]; /* the last verdict was that of a LOOK */
    uint64_t seen_ms[SIM_STEPS_MAX];
    unsigned transient[SIM_STEPS_MAX];
    uint64_t cancelled_ms, begun_ms;
    struct phase_command end;
    bool ended, aborted;
    uint64_t wake_ms;      /* phase_wake_ms, which changes with events alone */
    bool stepped;          /* an event came since lease_wanted() */
    unsigned looked_version[SIM_STEPS_MAX], looked_born[SIM_STEPS_MAX];
};

struct late { /* a request of a run that is no more */
    bool live;
    unsigned step, by;
    bool alone;
    enum phase_verb verb;
    uint64_t at_ms;
    unsigned version, born;
};
#define LATE_MAX 64

struct tally { /* of many lives; in memory that the workers share */
    uint64_t lives, runs, events, crashes, crash_lives, faults[FAULT_MAX];
    uint64_t goals, resumes, resumed_alone, duplicates, orphans, real_disks;
    uint64_t per_life[4096]; /* lives with so many faults */
    uint64_t cells[2][SIM_STEPS_MAX][PHASE_FINDING_MAX][FAULT_MAX];
    uint64_t last_hash;
    uint64_t bad_seed;
    char violation[512];
};

/* A cell of the coverage table that a life is aimed at; the step is sim.focus. */
struct aim {
    bool on;
    enum phase_finding found;
    enum sim_fault fault;
    bool late; /* of the last look */
    bool half; /* goals are left half-way */
};

struct sim {
    uint64_t seed, rng, now_ms, hash;
    bool faults;         /* on or off */
    bool story;
    unsigned rate[FAULT_MAX]; /* per mille, in this life */
    int focus;           /* the step that meets most of it; -1: none */
    enum sim_fault ambush; /* of class P: strikes soon after the step in focus was found so; NONE */
    enum phase_finding ambush_at;
    struct aim aim;
    /* the graph */
    enum sim_graph graph;
    struct phase_step_def defs[SIM_STEPS_MAX];
    enum sim_kind kinds[SIM_STEPS_MAX];
    int home[SIM_STEPS_MAX];  /* the step whose cluster it lives in; -1: none */
    bool has_watch[SIM_STEPS_MAX];
    char ids[SIM_STEPS_MAX][20];
    unsigned count, lock_home;
    step_set startable, undoable, management;
    /* the world */
    struct phase_goal goal;
    struct thing things[SIM_STEPS_MAX], first[SIM_STEPS_MAX];
    bool leftovers_come;
    struct inventory mirror;
    bool mirror_there;
    unsigned mirror_open;
    unsigned mirror_version;
    unsigned lease_holder;  /* proc id; 0: free */
    uint64_t lease_until_ms, lease_ms;
    struct late late[LATE_MAX];
    struct proc procs[SIM_PROCS];
    struct disk disks[SIM_PROCS];
    struct phase_commands out;
    /* this life's counts */
    unsigned life_faults, life_crashes;
    struct tally *tally;
    char violation[512];
};

/* ---- chance (life.c) ---- */
uint64_t sim_random(struct sim *s, uint64_t below);
bool sim_chance(struct sim *s, unsigned per_mille);
bool sim_fault(struct sim *s, enum sim_fault f); /* at its rate, only with faults on; counts */
bool sim_fault_at(struct sim *s, unsigned step, enum sim_fault f); /* of class R, S or W */
unsigned sim_rate_at(const struct sim *s, unsigned step, enum sim_fault f);
void sim_count(struct sim *s, enum sim_fault f);
void sim_tell(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_hash(struct sim *s, uint64_t word);
/* Notes the first violation; the life ends. */
void sim_violate(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A fault of class P: it and every verdict of its run have met. */
void sim_struck(struct sim *s, struct proc *p, enum sim_fault f);
bool sim_mutates(enum phase_verb v);
bool sim_locked_step(const struct sim *s, unsigned i);

/* ---- graph.c ---- */
void graph_choose(struct sim *s);
const char *graph_name(enum sim_graph g);
unsigned graph_steps(enum sim_graph g);
const char *graph_step(enum sim_graph g, unsigned i);
enum sim_kind graph_kind(enum sim_graph g, unsigned i);
bool graph_is_home(enum sim_graph g, unsigned i); /* others live in its cluster */
const struct sim_row *graph_row(enum sim_graph g, unsigned i);

/* ---- world.c ---- */
void world_settle(struct sim *s);                       /* lets time do its work */
void world_heal(struct sim *s);                         /* what is still wrong passes */
/* `asks`: the submission that a LOOK or WATCH at a job asks for. */
struct phase_verdict world_look(struct sim *s, unsigned step, unsigned asks, bool stale, bool up);
/* Effects of requests; *ret is what a good reply would say. `by`: of a job, the id it is submitted under. */
enum sim_answer world_start(struct sim *s, unsigned step, unsigned by, unsigned version,
                            struct phase_verdict *ret);
enum sim_answer world_undo(struct sim *s, unsigned step, unsigned born, struct phase_verdict *ret);
void world_meddle(struct sim *s);
/* When a watch of it has news by itself; SIM_FAR: never. */
uint64_t world_next_ms(const struct sim *s, unsigned step);

/* ---- aim.c ---- */
/* A seed whose life is aimed at the cell. */
uint64_t aim_seed(enum sim_graph g, unsigned i, enum phase_finding v, enum sim_fault f, uint64_t seed);
void aim_choose(struct sim *s); /* graph and step in focus, where the seed says so */
void aim_rates(struct sim *s);
unsigned aim_rate(const struct sim *s, unsigned step, enum sim_fault f);
enum sim_fault aim_draw(struct sim *s, const struct proc *p, unsigned i, enum phase_verb verb,
                        bool (*can_meet)(enum sim_fault, enum phase_verb));
uint64_t aim_takes(struct sim *s, unsigned i);
uint64_t aim_breaks(struct sim *s, uint64_t within_ms);
bool aim_record(struct sim *s, struct proc *p);
bool aim_lasts(const struct sim *s, unsigned i);
bool aim_slow_disk(struct sim *s);
void aim_found(struct sim *s, struct proc *p, unsigned step, enum phase_finding found);
void aim_sent(struct sim *s, struct proc *p, unsigned i);
bool aim_meddles(struct sim *s);

/* ---- net.c ---- */
void net_run(struct sim *s, struct proc *p, const struct phase_command *c);
void net_stop(struct sim *s, struct proc *p, const struct phase_command *c);
void net_turn(struct sim *s, struct proc *p);
void net_freeze(struct sim *s, struct proc *p);
void net_wake(struct sim *s, struct proc *p); /* the machine slept: nothing is connected any more */
void net_abandon(struct sim *s, struct proc *p);
void net_land_late(struct sim *s);
uint64_t net_next_ms(const struct sim *s, const struct proc *p);
void net_changed(struct sim *s, unsigned step); /* watchers are told */

/* ---- disk.c ---- */
void disk_begin(struct sim *s, struct proc *p);
void disk_write(struct sim *s, struct proc *p, const struct phase_command *c);
void disk_turn(struct sim *s, struct proc *p);
void disk_crash(struct sim *s, struct proc *p);
void disk_wipe(struct disk *d);
void disk_lose(struct sim *s, struct proc *p);
uint64_t disk_next_ms(const struct proc *p);
void mirror_release(struct sim *s, struct proc *p);
void mirror_read(struct sim *s, struct proc *p); /* with the lock: what other machines applied and asked for */
bool disk_knows_alone(const struct sim *s, unsigned job);
void disk_answered(struct sim *s, struct proc *p, unsigned step); /* the job was judged */

/* ---- proc.c ---- */
struct disk *proc_disk(struct sim *s, const struct proc *p);
void proc_begin(struct sim *s, struct proc *p, const struct phase_goal *goal, bool needs_lock);
uint64_t proc_next_ms(const struct sim *s, const struct proc *p);
void proc_turn(struct sim *s, struct proc *p);
void proc_deliver(struct sim *s, struct proc *p, struct phase_event *e);

void proc_ambush(struct sim *s, struct proc *p, unsigned step, enum phase_finding found);

/* ---- rules.c ---- */
void rules_command(struct sim *s, struct proc *p, const struct phase_command *c);
void rules_verdict(struct sim *s, struct proc *p, unsigned step, enum phase_verb verb,
                   const struct phase_verdict *v);
void rules_change(struct sim *s, const struct proc *p, unsigned step, enum phase_verb verb);
void rules_after(struct sim *s, struct proc *p);
void rules_end(struct sim *s, struct proc *p);

/* ---- life.c ---- */
/* False: s->violation says which rule broke. */
bool sim_life(struct sim *s, uint64_t seed, bool story);

/* ---- cells.c ---- */
/* Why the verdict and the fault can never meet at that step; NULL: they can. */
const char *cells_impossible(enum sim_graph g, unsigned i, enum phase_finding v, enum sim_fault f);

/* ---- report.c ---- */
struct sim_cell {
    enum sim_graph graph;
    unsigned step;
    enum phase_finding found;
    enum sim_fault fault;
};
#define CELLS_MAX (2 * SIM_STEPS_MAX * PHASE_FINDING_MAX * FAULT_MAX)
bool report_cell(const char *name, struct sim_cell *ret);
/* The cells that can be met and were met less often; returns how many. */
unsigned report_thin(const struct tally *t, unsigned least, struct sim_cell *ret);
void tally_add(struct tally *to, const struct tally *from);
void report_summary(const struct tally *t, double seconds);
/* False: a cell that can be met was met less often than `least` times, or one that is said to be
 * impossible was met. */
bool report_coverage(const struct tally *t, unsigned least);

#endif
