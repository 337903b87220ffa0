/* Server-side apply (reference section 2), its dry run, and patches.
 * Field manager K8S_FIELD_MANAGER, fieldValidation=Strict, never forced unless told. */
#ifndef RD_K8S_APPLY_H
#define RD_K8S_APPLY_H

#include "k8s/client.h"

enum k8s_applied { K8S_APPLY_CREATED, K8S_APPLY_CHANGED, K8S_APPLY_UNCHANGED };

struct k8s_apply {
    struct op op;
    struct k8s_client *client;
    const json_t *object;  /* borrowed: the intent */
    const char *ns;        /* borrowed; used when the object names none and its kind is namespaced */
    bool dry_run;
    bool force;
    /* To tell changed from unchanged, one of: */
    const char *before_rv; /* borrowed; resourceVersion seen before; "": absent or of no interest */
    const char *before_stamp; /* borrowed; k8s_apply_stamp of then; NULL: not taken */
    bool looked;           /* `live` is the whole object as it was, NULL: absent */
    const json_t *live;    /* borrowed */
                           /* neither: a GET is made first (of the metadata; whole for a dry run) */
    const char *lock_rv;   /* borrowed; the write fails with RD_ERR_CONFLICT unless the object still has
                              this resourceVersion; NULL: none */
    bool slim;             /* the answer may be metadata only */
    const char *field_manager; /* NULL: K8S_FIELD_MANAGER */
    /* Out. */
    json_t *result;        /* owned: the object as the server has it */
    enum k8s_applied outcome;
    json_t *conflicts;     /* owned; array of {manager, field, message} when the error is a conflict */
    struct k8s_call call;
    int state;
    struct op_timer pause;
    const struct k8s_resource *resource;
    uint64_t missing_ms;   /* boot time of the first "CRD not served yet" or "namespace not there yet" */
    unsigned pauses;
    char *seen_rv, *seen_stamp;
    json_t *seen;          /* whole object of our own GET for a dry run */
};
/* Fills zeroed memory; set the In fields, then start. The resource must be known (k8s_resource_find),
 * else RD_ERR_FAILED "no such kind on this server". A path that is not served yet is tried again for
 * 30 s when its CRD was learned, else for 3 s; so is a namespace that was just made. */
void k8s_apply_init(struct k8s_apply *a, struct k8s_client *c, const json_t *object);
void k8s_apply_start(struct k8s_apply *a, struct op *parent);
void k8s_apply_clear(struct k8s_apply *a);

/* When and at which generation `manager` (NULL: ours) last changed the object by an apply; owned, or NULL
 * when it never did. The server moves it only when an apply changes something, so equal stamps mean
 * "unchanged" although somebody else's write gave the object another resourceVersion meanwhile.
 * Stamps count whole seconds: with `date`, the Date header of the answer that held the object, one
 * from that same second is NULL, since a change right after it could look the same. */
char *k8s_apply_stamp(const json_t *object, const char *manager, const char *date);

/* Compares live and (dry-run) result, leaving out managedFields, resourceVersion, generation, uid,
 * creationTimestamp and status. Appends {path, from, to} to out (array, may be NULL), by path, for each
 * differing leaf or subtree that only one side has (from or to is left out then); Secret data is shown
 * as digests. Returns the number. Pure. */
size_t k8s_object_diff(const json_t *live, const json_t *wanted, json_t *out);

#endif
