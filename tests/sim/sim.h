/* The simulation: the shipped core against a model of the world, its clock, disk, network and lease,
 * with seeded faults. One life: a world that others have already put things in; runs up with faults
 * (crashes, cancels, freezes, a second run beside the first) and resumes; then, with the faults off,
 * the goal must be reached; then the same going down, after which the world must be what it was.
 *
 * world.c is what can happen out there, proc.c one run of the program, rules.c what must hold, life.c
 * puts them together. A life is a function of its seed. */
#ifndef RD_TESTS_SIM_SIM_H
#define RD_TESTS_SIM_SIM_H

#include "phase/core/phase.h"

#include <stdio.h>

#define SIM_STEPS_MAX 10
#define SIM_PROCS 2
#define SIM_LATE_MAX_MS 400 /* a request lands at most so long after its sender stopped */

#define SIM_FAULTS(X)                                                                              \
    X(FAULT_NONE, "none")                                                                          \
    X(FAULT_LOST_REQUEST, "lost request")                                                          \
    X(FAULT_LOST_REPLY, "lost reply")                                                              \
    X(FAULT_SLOW, "slow")                                                                          \
    X(FAULT_REFUSED, "refused")       /* 403, quota: final for this run */                         \
    X(FAULT_STALE, "stale look")                                                                   \
    X(FAULT_CUT, "watch cut")                                                                      \
    X(FAULT_SICK, "complaint")                                                                     \
    X(FAULT_MEDDLE, "deleted by others")                                                           \
    X(FAULT_DRIFT, "changed by others")                                                            \
    X(FAULT_CRASH, "crash")                                                                        \
    X(FAULT_CANCEL, "cancel")                                                                      \
    X(FAULT_FREEZE, "freeze")         /* SIGSTOP, a laptop that sleeps: the clock jumps */         \
    X(FAULT_DISK, "disk full")                                                                     \
    X(FAULT_LEASE, "lease not renewed")                                                            \
    X(FAULT_RIVAL, "second run")

enum sim_fault {
#define X(name, text) name,
    SIM_FAULTS(X)
#undef X
        FAULT_MAX
};
extern const char *const sim_fault_names[FAULT_MAX];

enum thing_state { THING_NONE, THING_MAKING, THING_UP, THING_GOING };

/* What stands behind one step. */
struct thing {
    enum thing_state state, before; /* before: what a stale look may still show */
    bool ours, drifted, sick;
    bool shared;         /* somebody else's that fits: used, never changed, never taken away */
    uint64_t at_ms;      /* MAKING, GOING: when that ends */
    uint64_t changed_ms;
    unsigned version;
};

struct flight { /* an op on its way */
    bool live, stopped, acted, answered_late;
    unsigned run_id;
    enum phase_verb verb;
    enum sim_fault fault;
    uint64_t sent_ms, act_ms, reply_ms, deadline_ms; /* act: when it reads or changes the world */
    unsigned version;    /* precondition: as it was looked at */
    struct phase_verdict verdict;
};

struct record { /* on its way to the disk */
    bool live;
    uint64_t seq, at_ms;
    unsigned step;
    enum phase_record record;
    enum phase_verb verb;
    bool fails;
};

struct proc {
    bool alive;
    unsigned id;         /* 1, 2 */
    struct phase phase;
    struct phase_commands out;
    struct flight ops[SIM_STEPS_MAX];
    struct record records[64];
    uint64_t frozen_until_ms, cancel_at_ms, freeze_at_ms;
    unsigned crash_after;  /* commands; 0: never */
    bool cancelled;
    /* lease */
    bool wants_lock, has_lock, told_lost;
    uint64_t lock_at_ms, until_ms;
    uint64_t busy_seen_until_ms;
    /* what rules.c remembers */
    struct phase_verdict seen[SIM_STEPS_MAX];
    bool has_seen[SIM_STEPS_MAX];
    bool looked_last[SIM_STEPS_MAX]; /* the last verdict was that of a LOOK */
    uint64_t seen_ms[SIM_STEPS_MAX];
    unsigned transient[SIM_STEPS_MAX];
    uint64_t cancelled_ms, begun_ms;
    struct phase_command end;
    bool ended;
    unsigned looked_version[SIM_STEPS_MAX];
    /* its machine's disk, which outlives it: the intent that no later record answers */
    bool intent[SIM_STEPS_MAX];
    enum phase_verb intent_verb[SIM_STEPS_MAX];
};

struct late { /* a request of a run that is no more */
    bool live;
    unsigned step;
    enum phase_verb verb;
    uint64_t at_ms;
    unsigned version;
};

struct sim {
    uint64_t seed, rng, now_ms, hash;
    bool faults;         /* on or off */
    unsigned rate;       /* per mille, of most faults */
    bool story;
    /* the graph */
    struct phase_step_def defs[SIM_STEPS_MAX];
    char ids[SIM_STEPS_MAX][8];
    unsigned count;
    /* the world */
    struct thing things[SIM_STEPS_MAX], first[SIM_STEPS_MAX];
    unsigned lease_holder;  /* proc id; 0: free */
    uint64_t lease_until_ms, lease_ms;
    struct late late[16];
    struct proc procs[SIM_PROCS];
    /* counts */
    uint64_t events;
    unsigned fault_count[FAULT_MAX], runs, crashes, resumed_alone, needed_help;
    bool local;          /* this life has the graph of --target local */
    uint64_t cells[SIM_STEPS_MAX][PHASE_FINDING_MAX][FAULT_MAX];
    char violation[256];
};

/* ---- chance ---- */
uint64_t sim_random(struct sim *s, uint64_t below);
bool sim_fault(struct sim *s, enum sim_fault f, unsigned per_mille); /* only with faults on; counts */
void sim_tell(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_hash(struct sim *s, uint64_t word);
/* Notes the first violation; the life ends. */
void sim_violate(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- world.c ---- */
void world_settle(struct sim *s);                       /* lets time do its work */
struct phase_verdict world_look(struct sim *s, unsigned step, bool stale);
/* Effects of requests; the verdict is what the reply would say. `by`: proc id, 0: a dead one. */
struct phase_verdict world_start(struct sim *s, unsigned step, unsigned version);
struct phase_verdict world_undo(struct sim *s, unsigned step, unsigned version);
void world_meddle(struct sim *s);

/* ---- proc.c ---- */
void proc_begin(struct sim *s, struct proc *p, const struct phase_goal *goal);
uint64_t proc_next_ms(const struct sim *s, const struct proc *p);
void proc_turn(struct sim *s, struct proc *p);
void proc_crash(struct sim *s, struct proc *p);

/* ---- rules.c ---- */
void rules_command(struct sim *s, struct proc *p, const struct phase_command *c);
void rules_verdict(struct sim *s, struct proc *p, unsigned step, enum phase_verb verb,
                   const struct phase_verdict *v);
void rules_change(struct sim *s, const struct proc *p, unsigned step, enum phase_verb verb);
void rules_after(struct sim *s, struct proc *p);

/* ---- life.c ---- */
#define SIM_LOCAL_STEPS 7
extern const char *const sim_local_steps[SIM_LOCAL_STEPS];
/* False: s->violation says which rule broke. */
bool sim_life(struct sim *s, uint64_t seed, bool story);

#endif
