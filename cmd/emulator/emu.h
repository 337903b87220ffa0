/* The emulator as a whole: one loop, one clock, one store, one log, and the listeners of every API.
 * Single-threaded; every callback runs on the loop. */
#ifndef EMU_EMU_H
#define EMU_EMU_H

#include "clock.h"
#include "fault.h"
#include "store.h"

#include "base/text.h"

#include <stdio.h>
#include <uv.h>

struct emu_server;
struct emu_auth;
struct emu_kube;
struct emu_gke_hooks;

struct emu {
    uv_loop_t *loop;
    struct emu_clock clock;
    struct emu_faults faults;
    struct emu_store store;
    struct emu_server *server;
    struct emu_auth *auth;
    struct rd_strv settings;               /* "key=value", see setting.h */
    struct emu_kube *kube;                 /* owned by the Kubernetes half; NULL until it starts */
    json_t *chain, *chain_longest; /* owned; see chain.h */
    struct rd_list ops;                    /* operations under way, see ops.h */
    struct rd_list growths;                /* node pools that get machines, see gke.h */
    const struct emu_gke_hooks *gke_hooks; /* borrowed; see gke.h */
    uint64_t rand;                         /* state of the seeded generator */
    const char *dir;                       /* borrowed */
    const char *project;                   /* borrowed; the one project that exists */
    const char *project_number;
};

uint64_t emu_rand(struct emu *e);
/* delay_ms spread by up to +-percent, from the seeded generator. */
uint64_t emu_jitter(struct emu *e, uint64_t delay_ms, unsigned percent);
/* Lower-case hex of len characters, from the seeded generator; out has room for len + 1. */
void emu_rand_hex(struct emu *e, char *out, size_t len);
/* "2026-01-02T03:04:05Z" and "...05.678901Z" for now; out has room for 32. Dates are those of the
 * machine's wall clock, whatever --speed is, because clients compare them with theirs. */
void emu_stamp_s(char *out);
void emu_stamp_us(char *out);

#endif
