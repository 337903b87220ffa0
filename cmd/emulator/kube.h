/* The Kubernetes half: one API server per GKE cluster, on a listener of its own ("kube-CLUSTER"), and
 * the controllers that live behind it. kube_*.c are the API server: discovery, OpenAPI, create, get,
 * list, server-side apply with managedFields and conflicts, patch, dry run, strict field validation,
 * watch with bookmarks and 410, delete with finalizers and propagation, tables for kubectl.
 * Controllers (ctl_*.c) use the functions below; a write of theirs goes through the same door as a
 * client's: resourceVersion, generation, watch events.
 *
 * Resources are named as kubectl names them: "deployments.apps", "pods", "rayclusters.ray.io",
 * "containerclusters.container.cnrm.cloud.google.com". Single-threaded. */
#ifndef EMU_KUBE_H
#define EMU_KUBE_H

#include "emu.h"
#include "server.h"

struct kube_cluster; /* one API server with what it stores */

/* A kind the server knows from the start or by a CustomResourceDefinition. */
struct kube_kind {
    const char *group, *version, *kind, *plural, *singular;
    const char *short_name; /* "po"; NULL: none */
    bool namespaced, has_status;
};

const char *kube_cluster_name(const struct kube_cluster *c); /* "projects/P/locations/L/clusters/C" */
struct emu *kube_cluster_emu(const struct kube_cluster *c);
/* Every API server there is now. */
struct kube_cluster *kube_cluster_find(struct emu *e, const char *name);
/* Any state a controller keeps per cluster, found again by its key (a static address); freed with the
 * cluster by `drop`. */
void kube_cluster_keep(struct kube_cluster *c, const void *key, void *take, void (*drop)(void *take));
void *kube_cluster_kept(const struct kube_cluster *c, const void *key);

/* ---- Objects, for controllers ---- */
/* Borrowed until it is written again; NULL: absent. ns NULL or "": cluster-scoped. */
const json_t *kube_get(struct kube_cluster *c, const char *resource, const char *ns, const char *name);
/* Owned array of references, by namespace and name; ns NULL: all. labels: {key: value}, NULL: all. */
json_t *kube_list(struct kube_cluster *c, const char *resource, const char *ns, const json_t *labels);
/* Creates or replaces, spec, status and metadata alike, as field manager `manager`; generation moves
 * when spec changed. Nothing happens when nothing would change. Borrowed result. Status of such a
 * write is never refused. */
const json_t *kube_put(struct kube_cluster *c, const char *manager, json_t *take_object);
/* Merges (RFC 7396) into the object's whole tree, for instance {"status": {...}}. NULL: it is gone. */
const json_t *kube_merge(struct kube_cluster *c, const char *manager, const char *resource, const char *ns,
                         const char *name, json_t *take_patch);
/* As a client's DELETE with background propagation: finalizers hold it, dependents are collected. */
void kube_delete(struct kube_cluster *c, const char *resource, const char *ns, const char *name);
/* A core/v1 Event about the object; repeats count up. type: "Normal", "Warning". */
void kube_event(struct kube_cluster *c, const char *component, const json_t *object, const char *type,
                const char *reason, const char *fmt, ...) RD_PRINTF(6, 7);
/* {apiVersion, kind, name, uid, controller, blockOwnerDeletion} of an owner; owned. */
json_t *kube_owner_ref(const json_t *object);

/* ---- Being told ---- */
enum kube_change { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED };
/* Called after the write has returned to whoever made it (from the run queue, virtual time not
 * passing), once per change in order; `object` is borrowed: as written, or as last seen. */
typedef void kube_told_fn(struct kube_cluster *c, enum kube_change change, const json_t *object, void *arg);
/* resource NULL: every one. For the cluster's life. Objects that are there already are told as added. */
void kube_subscribe(struct kube_cluster *c, const char *resource, kube_told_fn *fn, void *arg);

/* ---- Admission ---- */
struct kube_refusal {
    int code;      /* 0: not refused */
    char *reason;  /* "Forbidden"; owned */
    char *message; /* owned */
};
/* Before a create, update or delete of a client (dry runs too) is stored; may change `object` in
 * place (mutating) or fill `ret`. old NULL: create; object NULL: delete. */
typedef void kube_admit_fn(struct kube_cluster *c, const json_t *old, json_t *object, bool dry_run,
                           struct kube_refusal *ret, void *arg);
/* resource may be "*.GROUP" or "*.*.SUFFIX" as "*.*.cnrm.cloud.google.com"; order is that of calls. */
void kube_admit(struct kube_cluster *c, const char *resource, kube_admit_fn *fn, void *arg);
void kube_refuse(struct kube_refusal *r, int code, const char *reason, const char *fmt, ...) RD_PRINTF(4, 5);

/* ---- Subresources that are not data ---- */
/* "pods/portforward", "pods/log", "pods/exec": gets the request and owns it, as a handler of
 * server.h. */
typedef void kube_sub_fn(struct kube_cluster *c, const json_t *object, struct emu_req *take, void *arg);
void kube_subresource(struct kube_cluster *c, const char *resource, const char *sub, kube_sub_fn *fn,
                      void *arg);
/* Ends such a request with a Status. */
void kube_reply_status(struct emu_req *take, int code, const char *reason, const char *fmt, ...)
    RD_PRINTF(4, 5);

/* ---- CustomResourceDefinitions of our own ---- */
/* Puts a served, Established CRD there with an open schema whose spec knows the dotted field names of
 * `fields` (NULL-ended, "privateClusterConfig.enablePrivateNodes"; a name ends at a list: what is in it
 * is free). fields NULL: everything is allowed. Labels may be NULL. */
void kube_define(struct kube_cluster *c, const struct kube_kind *kind, const char *const *fields,
                 json_t *take_labels);

/* ---- Life ---- */
/* Sets the hooks of gke.h, once, before any request. The controllers of ctl.h start with each cluster. */
void kube_start(struct emu *e);
/* API servers, their listeners and controllers. */
void kube_stop(struct emu *e);

#endif
