/* Every resource the emulator holds: kind ("container.clusters") to full name
 * ("projects/p/locations/l/clusters/c") to its JSON. Insertion order is kept, so lists are stable.
 * What the Kubernetes half keeps by itself joins state.json through a view. */
#ifndef EMU_STORE_H
#define EMU_STORE_H

#include "base/json.h"

typedef json_t *emu_view_fn(void *arg); /* owned by the caller */

struct emu_store_view {
    char *name;
    emu_view_fn *fn;
    void *arg;
};

struct emu_store {
    json_t *kinds; /* owned */
    struct emu_store_view *views;
    size_t view_count;
    uint64_t changes; /* grows with every put and delete */
};

void emu_store_init(struct emu_store *s);
void emu_store_clear(struct emu_store *s);
/* Borrowed until the resource is replaced or deleted; NULL when absent. May be changed in place. */
json_t *emu_store_get(const struct emu_store *s, const char *kind, const char *name);
/* Steals `take`; returns it, borrowed. Replaces in place. */
json_t *emu_store_put(struct emu_store *s, const char *kind, const char *name, json_t *take);
bool emu_store_delete(struct emu_store *s, const char *kind, const char *name); /* false: absent */
/* All of one kind as an object of name to JSON; borrowed, never NULL. Collect before deleting. */
json_t *emu_store_all(struct emu_store *s, const char *kind);
/* Owned array of references to those whose name starts with `prefix` (NULL: all). */
json_t *emu_store_list(struct emu_store *s, const char *kind, const char *prefix);
void emu_store_add_view(struct emu_store *s, const char *name, emu_view_fn *fn, void *arg);
/* Owned: {"gcp": {kind: {name: ...}}, VIEW: ...}; empty kinds, and kinds and keys that start
 * with '_', which are the emulator's own notes, are left out. */
json_t *emu_store_dump(struct emu_store *s);
/* Owned deep copy without the emulator's own notes. */
json_t *emu_public(const json_t *resource);

#endif
