/* The longest chain of modelled latencies, from what really needed what: the time a client cannot
 * beat. Written to DIR/chain.json with the state. Only what was made counts, not what was deleted,
 * and only within one run: nobody waits for what an earlier one made. */
#ifndef EMU_CHAIN_H
#define EMU_CHAIN_H

#include "emu.h"

/* A client comes while none was there: its run begins, and what is there by now costs it nothing. */
void emu_chain_begin(struct emu *e);
/* `name` took ms (virtual) once all of `needs` (NULL-ended; names never added are passed over) were
 * there. Of a name that was made twice the last one counts. */
void emu_chain_add(struct emu *e, const char *name, uint64_t ms, const char *const *needs);
/* The same, with the needs read off the resource: everything added before whose name its JSON holds
 * or that it lies in, and the APIs ("services"). */
void emu_chain_add_resource(struct emu *e, const char *name, uint64_t ms);
/* `name` took ms in all before others could use it; nothing if it was never added, or took longer. */
void emu_chain_took(struct emu *e, const char *name, uint64_t ms);
/* Of all runs. Owned: {"ms": N, "steps": [{"name", "ms"}, ...]}, first to last. */
json_t *emu_chain_longest(const struct emu *e);

#endif
