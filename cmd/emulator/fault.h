/* Faults by rule: `METHOD path-glob:effect[@rate|@nth]`, several separated by ';' or newlines.
 * METHOD may be '*', WRITE (a request that may change something), AFTER-WRITE (the first GET after
 * one), INSIDE (any request of Config Connector's; the others never strike these) or INSIDE-METHOD. The glob is held against the path ("/v1/projects/...") and against the API
 * name with the path ("container/v1/..."). No '@': always; an integer: that matching request only,
 * from 1; "0.1" or "10%": that share of them, by the seeded generator. Source: docs/emulator.md. */
#ifndef EMU_FAULT_H
#define EMU_FAULT_H

#include "base/err.h"

enum emu_effect {
    EMU_NONE,
    EMU_STATUS,     /* answered with `status`; nothing happens */
    EMU_RESET,      /* the connection is reset before anything happens */
    EMU_DROP_REPLY, /* takes effect, the reply is lost */
    EMU_HALF,       /* takes effect, half of the reply is sent, then the connection closes */
    EMU_DELAY,      /* takes effect delay_ms (real) later */
    EMU_OP_FAIL,    /* takes effect; the long-running operation ends with an error */
    /* The client is killed (setting `victim`): */
    EMU_KILL,            /* before anything happens */
    EMU_KILL_UNANSWERED, /* takes effect, the reply is not sent */
    EMU_KILL_ANSWERED,   /* once the reply is on its way */
};

struct emu_fault {
    enum emu_effect effect;
    int status;
    uint64_t delay_ms;
};

struct emu_fault_rule {
    char *method;
    char *glob;
    struct emu_fault fault;
    double rate;   /* 1: always */
    uint64_t nth;  /* 0: by rate */
    uint64_t seen; /* matching requests so far */
};

struct emu_faults {
    struct emu_fault_rule *rules;
    size_t count;
    bool after_write; /* a write came, and no GET since */
};

/* Adds the rules of `spec`. */
bool emu_faults_parse(struct emu_faults *f, const char *spec, struct rd_err **reterr) RD_MUST_CHECK;
/* Whether a request may change something: not a dry run, a token, or a POST that only asks. */
bool emu_fault_is_write(const char *api, const char *method, const char *path, const char *query);
/* The fault for this request: of the rules that match, the first that strikes; each counts it.
 * `random` is 0 <= random < 1. */
struct emu_fault emu_faults_pick(struct emu_faults *f, const char *api, const char *method,
                                 const char *path, const char *query, double random);
/* The same for a request from inside. */
struct emu_fault emu_faults_pick_inside(struct emu_faults *f, const char *api, const char *method,
                                        const char *path, double random);
/* Whether there are rules for those at all. */
bool emu_faults_inside(const struct emu_faults *f);
void emu_faults_clear(struct emu_faults *f);

#endif
