/* What the files of the API server share. An object in the store is never changed in place: a write makes
 * a new tree, so history, watches and answers may hold references. */
#ifndef EMU_KUBE_INTERNAL_H
#define EMU_KUBE_INTERNAL_H

#include "kube.h"
#include "kube_type.h"

#include "base/alloc.h"
#include "base/text.h"

#define KUBE_GIT_VERSION "v1.35.3-gke.1234000"

enum {
    KUBE_HISTORY_MAX = 4096,           /* events kept for watches that begin in the past */
    KUBE_QUEUE_MAX = 8 * 1024 * 1024,  /* bytes a slow watcher may leave unread */
    KUBE_BODY_MAX = 3 * 1024 * 1024,   /* as the real server */
    KUBE_BOOKMARK_MS = 60 * 1000,      /* real time */
};

/* A refusal on its way to a Status; code 0: none. */
struct kube_fail {
    int code;
    char *reason, *message; /* owned */
    json_t *details;        /* owned; NULL: none */
};
void kube_fail_clear(struct kube_fail *f);
/* false, so that `return kube_fail(...)` reads well. */
bool kube_fail(struct kube_fail *f, int code, const char *reason, const char *fmt, ...) RD_PRINTF(4, 5);
void kube_fail_cause(struct kube_fail *f, const char *reason, const char *message, const char *field);

struct kube_version {
    char *name;
    struct kube_type *type; /* owned for custom kinds, made when first needed */
    json_t *schema;         /* borrowed from res->crd */
    json_t *columns;        /* borrowed from res->crd */
    bool has_status, has_scale;
};

struct kube_res {
    struct rd_list node;
    char *name; /* "deployments.apps" */
    char *group, *kind, *list_kind, *plural, *singular;
    struct kube_version *versions; /* the first is the preferred one */
    size_t version_count;
    char *storage; /* version objects are kept in */
    struct rd_strv short_names, categories, subs;
    char *verbs; /* "create delete ..." */
    bool namespaced, generation, custom;
    bool served;                  /* false: a custom kind that is not (or no longer) Established */
    const struct kube_type *type; /* built-in kinds; NULL: custom */
    json_t *crd;                  /* owned; custom kinds */
    json_t *objects;              /* owned: "ns/name" -> object */
};

/* One change; kept in order. */
struct kube_past {
    json_int_t rv;
    struct kube_res *res;
    enum kube_change change;
    json_t *object, *old; /* owned; old NULL: added */
};

struct kube_cluster {
    struct rd_list node;
    struct emu_kube *kube;
    struct emu *emu;
    char *name, *short_name; /* "projects/.../clusters/C", "C" */
    json_t *gke;             /* owned; as the last hook had it */
    struct emu_listener *listener;
    struct rd_list resources; /* struct kube_res, in the order of discovery */
    json_int_t rv;
    uint64_t addresses, node_ports; /* handed out to Services */
    uint64_t discovery; /* grows when kinds come and go */
    struct kube_past *past;
    size_t past_len, past_cap;
    json_int_t past_floor; /* changes up to this one are forgotten */
    struct rd_list told;   /* queue of changes for subscribers */
    uint64_t told_seq;
    struct rd_list subscribers, admits, subs, kept, watches;
    struct emu_timer sweep;
    char *token; /* of the kubeconfig files; owned, NULL until written */
    bool connector, dropped;
};

struct emu_kube {
    struct emu *emu;
    struct rd_list clusters;
    uv_idle_t idle; /* runs while somebody is to be told */
    bool idle_on;
};

/* ---- kube_kinds.c ---- */
void kube_kinds_add(struct kube_cluster *c);
void kube_res_free(struct kube_res *r);
struct kube_res *kube_res_new(struct kube_cluster *c, const char *group, const char *kind,
                              const char *plural);
struct kube_version *kube_res_version(struct kube_res *r, const char *version);
struct kube_version *kube_res_add_version(struct kube_res *r, const char *version);
struct kube_res *kube_res_find(struct kube_cluster *c, const char *resource); /* "pods", "jobs.batch" */
struct kube_res *kube_res_at(struct kube_cluster *c, const char *group, const char *version,
                             const char *plural);
struct kube_res *kube_res_of(struct kube_cluster *c, const char *api_version, const char *kind);
bool kube_res_can(const struct kube_res *r, const char *verb);
/* The schema of a version; never NULL (an open one if need be). */
const struct kube_type *kube_res_type(struct kube_res *r, const char *version);
char *kube_api_version(const struct kube_res *r, const char *version); /* "apps/v1"; owned */

/* ---- kube_store.c ---- */
json_t *kube_find(const struct kube_res *r, const char *ns, const char *name); /* borrowed or NULL */
/* Owned array of references, sorted as etcd does. ns NULL or "": all. */
json_t *kube_sorted(const struct kube_res *r, const char *ns);
/* Stores a tree that nobody else holds, gives it its resourceVersion and tells everybody. */
void kube_commit(struct kube_cluster *c, struct kube_res *r, json_t *take);
void kube_remove(struct kube_cluster *c, struct kube_res *r, const char *ns, const char *name);
void kube_past_clear(struct kube_cluster *c, size_t keep);
void kube_tell_all(struct kube_cluster *c); /* empties the queue */
void kube_told_clear(struct kube_cluster *c);
const char *kube_meta(const json_t *object, const char *field); /* "" when absent */
void kube_uid(struct emu *e, char out[37]);
/* A copy whose metadata may be changed too. */
json_t *kube_copy_meta(const json_t *object);

/* ---- kube_write.c: the one door for writes ---- */
enum kube_validation { KUBE_IGNORE, KUBE_WARN, KUBE_STRICT };
struct kube_write {
    struct kube_cluster *c;
    struct kube_res *res;
    const char *version, *ns, *name, *sub; /* sub "": the object itself */
    const char *manager;
    bool inside;  /* a controller: no admission, nothing is reset, no precondition */
    bool apply, force, dry_run;
    bool created, changed;
    struct kube_fail fail;
};
/* Stores `take` (in version w->version). old NULL: it is new. The result is owned; NULL: w->fail. */
json_t *kube_write(struct kube_write *w, const json_t *old, json_t *take);
json_t *kube_apply(struct kube_write *w, const json_t *old, json_t *take_config);
/* What any create has to pass; fills name from generateName. */
bool kube_prepare_new(struct kube_write *w, json_t *object);
/* The object in another version of its kind; owned. */
json_t *kube_in_version(const struct kube_res *r, const json_t *object, const char *version);
struct kube_res *kube_ns_res(struct kube_cluster *c);

/* ---- kube_admit.c ---- */
bool kube_admit_run(struct kube_write *w, const json_t *old, json_t *object);
bool kube_admit_ask(struct kube_cluster *c, struct kube_res *r, const json_t *old, json_t *object,
                    bool dry_run, struct kube_fail *f);
void kube_admit_clear(struct kube_cluster *c);

/* ---- kube_delete.c ---- */
struct kube_delete {
    struct kube_cluster *c;
    struct kube_res *res;
    const char *ns, *name, *propagation; /* NULL: the kind's default */
    const char *uid, *rv;                /* preconditions; NULL: none */
    long grace_s;                        /* -1: the kind's default */
    bool inside, dry_run, gone;
    struct kube_fail fail;
};
/* Owned: the object as it stays or as it was last. NULL: d->fail. */
json_t *kube_delete_run(struct kube_delete *d);
/* After a write: an object on its way out whose finalizers are gone goes. */
bool kube_delete_finish(struct kube_cluster *c, struct kube_res *r, const json_t *object);
/* Subscribes the collector of dependents and the namespace controller. */
void kube_collector_start(struct kube_cluster *c);

/* ---- kube_crd.c ---- */
void kube_crd_start(struct kube_cluster *c);

/* ---- kube_default.c, kube_valid.c ---- */
void kube_default(struct kube_cluster *c, struct kube_res *r, const char *version, json_t *object);
bool kube_valid(struct kube_cluster *c, struct kube_res *r, const char *version, const json_t *old,
                const json_t *object, struct kube_fail *f);

/* ---- kube_patch.c ---- */
/* Owned; NULL: f says why. Content types of reference 2.5. */
json_t *kube_patch(const struct kube_type *t, const char *content_type, const json_t *object,
                   const json_t *patch, struct kube_fail *f);
void kube_merge_patch(json_t *target, const json_t *patch); /* RFC 7396, in place */

/* ---- kube_select.c ---- */
struct kube_select {
    json_t *labels, *fields; /* owned; parsed */
};
bool kube_select_parse(struct kube_select *s, const struct emu_req *req, const struct kube_res *r,
                       struct kube_fail *f);
bool kube_select_parse_text(struct kube_select *s, const char *labels, const char *fields,
                            const struct kube_res *r, struct kube_fail *f);
bool kube_selected(const struct kube_select *s, const json_t *object);
void kube_select_clear(struct kube_select *s);

/* ---- kube_serve.c and its parts ---- */
struct kube_call {
    struct emu_req *req; /* NULL once answered */
    struct kube_cluster *c;
    struct kube_res *res;
    char *group, *version, *ns, *name, *sub; /* owned */
    struct kube_fail fail;
};
void kube_serve(struct emu_req *req, void *arg);
void kube_call_status(struct kube_call *k, const struct kube_fail *f);
void kube_call_reply(struct kube_call *k, int status, json_t *take);
/* An object, a list, a Table or metadata only, as the Accept header asks. */
void kube_call_object(struct kube_call *k, int status, json_t *take);
void kube_serve_write(struct kube_call *k);  /* POST, PUT, PATCH */
void kube_serve_delete(struct kube_call *k); /* DELETE of one or many */
void kube_serve_list(struct kube_call *k);
void kube_serve_watch(struct kube_call *k);
bool kube_serve_review(struct kube_call *k); /* the kinds that only answer */
bool kube_serve_scale(struct kube_call *k);
bool kube_discovery(struct kube_call *k); /* false: not a path of it */
bool kube_openapi(struct kube_call *k);
bool kube_authorized(struct emu *e, const char *caller, const char *verb, const char *group,
                     const char *plural, const char *sub, char **ret_permission);

/* ---- kube_view.c: what an Accept header makes of an object ---- */
enum kube_form { KUBE_FULL, KUBE_TABLE, KUBE_METADATA };
enum kube_form kube_form(const struct emu_req *req);
/* Owned. list: `object` is a List. include: "Metadata", "Object", "None" or NULL. */
json_t *kube_as(enum kube_form form, struct kube_res *r, const char *version, const json_t *object,
                bool list, bool with_columns, const char *include);

/* ---- kube_watch.c ---- */
void kube_watch_tell(struct kube_cluster *c, const struct kube_past *p);
void kube_watch_drop_all(struct kube_cluster *c);

/* ---- kube_config.c ---- */
void kube_config_write(struct emu_kube *k); /* kubeconfig files of every cluster */

#endif
