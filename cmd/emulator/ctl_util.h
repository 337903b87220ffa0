/* What the controllers share: a queue of keys to look at again, and short ways to write objects. */
#ifndef EMU_CTL_UTIL_H
#define EMU_CTL_UTIL_H

#include "kube.h"

#include "base/alloc.h"
#include "base/text.h"

/* A controller's work queue. Each key is looked at once per wake-up, at its earliest due time. */
struct ctl_queue;
typedef void ctl_look_fn(struct kube_cluster *c, const char *ns, const char *name, void *arg);
struct ctl_queue *ctl_queue_new(struct kube_cluster *c, ctl_look_fn *fn, void *arg);
void ctl_queue_add(struct ctl_queue *q, const char *ns, const char *name, uint64_t delay_ms);
void ctl_queue_free(struct ctl_queue *take);

const char *ctl_ns(const json_t *object);   /* "" when cluster-scoped */
const char *ctl_name(const json_t *object);
bool ctl_deleting(const json_t *object);
/* "2026-01-02T03:04:05Z" of an RFC 3339 second stamp; borrowed until the next call. */
const char *ctl_now(void);
/* {apiVersion, kind, metadata{name, namespace}}; owned. ns NULL: cluster-scoped. */
json_t *ctl_object(const char *api_version, const char *kind, const char *ns, const char *name);
/* Sets status.conditions[type] in place; lastTransitionTime moves when status does. true: changed.
 * reason and message may be NULL. */
bool ctl_condition(json_t *status, const char *type, const char *value, const char *reason,
                   const char *message);
bool ctl_condition_true(const json_t *object, const char *type);
bool ctl_has_finalizer(const json_t *object, const char *finalizer);
/* Without that one; owned array. */
json_t *ctl_finalizers_without(const json_t *object, const char *finalizer);
/* Whether all of `want` (may be NULL or empty: true) are in `labels`. */
bool ctl_labels_match(const json_t *want, const json_t *labels);
/* A LabelSelector: matchLabels and matchExpressions. NULL or empty matches all. */
bool ctl_selector_match(const json_t *selector, const json_t *labels);
/* The controlling owner's name when it is of that kind; borrowed or NULL. */
const char *ctl_owner(const json_t *object, const char *kind);
/* Five letters as generateName draws them; out has room for 6. */
void ctl_suffix(struct emu *e, char *out);
/* Quantity in thousandths; 0 when absent or malformed. */
int64_t ctl_milli(const json_t *quantity);
/* The last part of the cluster's name. */
const char *ctl_cluster_short(const struct kube_cluster *c);

#endif
