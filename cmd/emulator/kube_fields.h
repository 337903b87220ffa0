/* Field sets of managedFields and server-side apply, after structured-merge-diff: which paths a manager
 * owns, what a merge makes of two objects, who is in the way. Sets are trees of "f:name", "k:{...}" and
 * "v:..." nodes; a node that is itself in the set holds "." (on the wire a leaf is {}). Pure. */
#ifndef EMU_KUBE_FIELDS_H
#define EMU_KUBE_FIELDS_H

#include "kube_type.h"

json_t *kube_set_parse(const json_t *fields_v1); /* owned */
json_t *kube_set_write(const json_t *set);       /* owned; as fieldsV1 */
void kube_set_union(json_t *into, const json_t *other);
void kube_set_subtract(json_t *from, const json_t *other);
json_t *kube_set_intersect(const json_t *a, const json_t *b); /* owned */

/* Every path an applied configuration speaks of; owned. */
json_t *kube_set_of(const struct kube_type *t, const json_t *object);
struct kube_diff {
    json_t *added, *modified, *removed; /* owned sets */
};
/* builtin: struct fields that are always there get no "." of their own. */
struct kube_diff kube_diff(const struct kube_type *t, const json_t *old, const json_t *fresh,
                           bool builtin);
void kube_diff_clear(struct kube_diff *d);

/* live with config laid over it; owned. */
json_t *kube_fields_merge(const struct kube_type *t, const json_t *live, const json_t *config);
/* Takes away from v what is in `last` and that nobody in `managed` has. */
void kube_fields_prune(const struct kube_type *t, json_t *v, const json_t *last,
                       const json_t *managed);

/* Who writes. */
struct kube_owner {
    const char *manager, *api_version, *sub; /* sub "": none */
    bool apply;
};
/* managedFields after an update; owned, may be empty. `old` NULL: a new object. `given` is what stands
 * in the object now (a client may have edited it). */
json_t *kube_managed_update(const struct kube_type *t, const struct kube_owner *o, const json_t *given,
                            const json_t *old, const json_t *fresh, bool builtin);
struct kube_conflict {
    char *manager_text; /* `"kubectl" with subresource "scale" using apps/v1`; owned */
    char *path;         /* ".spec.replicas"; owned */
};
struct kube_applied {
    json_t *object;  /* owned: the merged object without managedFields */
    json_t *managed; /* owned */
    struct kube_conflict *conflicts;
    size_t conflict_count;
};
/* live NULL: a new object. With conflicts object and managed are NULL (unless forced). */
struct kube_applied kube_fields_apply(const struct kube_type *t, const struct kube_owner *o,
                                      const json_t *live, const json_t *config, bool force);
void kube_applied_clear(struct kube_applied *a);

#endif
