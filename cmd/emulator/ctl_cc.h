/* Config Connector inside a management cluster: what the files of ctl_cc_*.c share. One world per
 * cluster that has it; one item per object of its kinds, which makes one pass at a time. */
#ifndef EMU_CTL_CC_H
#define EMU_CTL_CC_H

#include "ctl.h"
#include "ctl_util.h"

#define CC_SYSTEM "cnrm-system"
#define CC_OPERATOR_NS "configconnector-operator-system"
#define CC_PREFIX "cnrm.cloud.google.com/"
#define CC_FINALIZER CC_PREFIX "finalizer"
#define CC_DEFENDER CC_PREFIX "deletion-defender"
#define CC_MANAGER "cnrm-controller-manager"
#define CC_SUFFIX ".cnrm.cloud.google.com"

struct cc_world {
    struct kube_cluster *c;
    struct emu *e;
    char *version;
    bool by_hand;
    struct emu_timer timer; /* the next stage of the installation */
    int stage;
    struct ctl_queue *core; /* ConfigConnector(Context)s, webhooks */
    struct rd_list items;
    uint64_t webhook_ms; /* when the webhooks begin to answer; virtual */
};

/* A field that the kind's schema has from a version on; NULL: always. */
struct cc_field {
    const char *path, *since;
};

struct cc_ref {
    const char *path;     /* below spec */
    const char *resource; /* as kube.h names it; NULL: the reference says its kind */
    const char *value;    /* status path that stands for it; NULL: its own name */
    bool parent;
};

struct cc_item;
/* What one pass would send, from the object, its references and the live resource. */
struct cc_plan {
    char *get, *create, *update, *remove; /* paths; owned */
    const char *create_method, *update_method;
    json_t *create_body, *update_body; /* owned; update_body NULL: as wanted */
};

struct cc_kind {
    const char *group, *kind, *plural; /* group: "compute" */
    const char *api;
    const char *what; /* "Network", as the provider's messages call it */
    bool dcl;         /* messages of the other provider */
    const struct cc_field *fields;
    const char *immutable; /* space-separated paths below spec */
    struct cc_ref refs[4];
    void (*plan)(const struct cc_item *i, const json_t *live, struct cc_plan *p);
    /* Adds to status from the live resource. */
    void (*status)(const struct cc_item *i, const json_t *live, json_t *status);
};

extern const struct cc_kind cc_kinds[];
extern const size_t cc_kinds_len;
const struct cc_kind *cc_kind_of(const char *kind);
char *cc_resource(const struct cc_kind *k); /* owned "plural.group.cnrm.cloud.google.com" */
/* Whether the installed version is at least that one. */
bool cc_at_least(const struct cc_world *w, const char *version);

struct cc_item {
    struct rd_list node;
    struct cc_world *w; /* NULL: the cluster is gone; a call's answer frees the item */
    const struct cc_kind *kind;
    char *ns, *name, *resource;
    struct emu_timer timer;
    bool busy, again, calling, waiting; /* waiting: for what it refers to */
    unsigned fails, tries;
    char *seen; /* what the last look saw of what makes a difference */
    /* One pass. */
    json_t *object, *refs, *live; /* copies; refs: spec path to text */
    char *principal;
    json_int_t generation;
    struct cc_plan plan;
    char *op_path, *failure;
    char *made;       /* what was made and is not Ready yet; NULL: nothing */
    uint64_t made_ms; /* when that began */
    void (*next)(struct cc_item *i, int status, const json_t *body);
    void (*then)(struct cc_item *i, const char *failure); /* an operation has ended */
    void (*go_on)(struct cc_item *i);
};

/* ---- ctl_cc_item.c: passes ---- */
void cc_item_told(struct cc_world *w, const struct cc_kind *k, enum kube_change change,
                  const json_t *object);
void cc_wake_waiting(struct cc_world *w);
void cc_wake_namespace(struct cc_world *w, const char *ns);
void cc_items_drop(struct cc_world *w);
void cc_call(struct cc_item *i, const char *method, const char *path, json_t *take_body,
             void (*next)(struct cc_item *, int, const json_t *));
/* For calls to other APIs than the kind's: what an answer of emu_call means to the item. */
void cc_answered(struct cc_item *i, int status, const json_t *body);
/* Polls the operation in `body`, an answer of the kind's API; then(failure or NULL). */
void cc_wait(struct cc_item *i, const json_t *body, void (*then)(struct cc_item *, const char *));
/* Writes Ready and the rest of status; extra may be NULL, stolen. */
void cc_say(struct cc_item *i, bool ready, const char *reason, const char *message,
            json_t *take_extra);
/* "Update call failed: ..." and a retry later. */
void cc_fail(struct cc_item *i, const char *fmt, ...) RD_PRINTF(2, 3);
/* After a write: reads the resource, then says UpToDate. */
void cc_read_again(struct cc_item *i, const char *failure);
void cc_ready(struct cc_item *i, const json_t *live);
void cc_gone(struct cc_item *i); /* takes the finalizers off */
void cc_delete_failed(struct cc_item *i, const char *fmt, ...) RD_PRINTF(2, 3);
void cc_end(struct cc_item *i, uint64_t again_ms); /* the pass is over */
void cc_back_off(struct cc_item *i);
/* Adds the two finalizers; before the first write. */
void cc_hold(struct cc_item *i);
/* "googleapi: Error 403: text, reason"; owned. */
char *cc_error(int status, const json_t *body);
const char *cc_annotation(const json_t *object, const char *key); /* key without prefix */
const char *cc_project(const struct cc_item *i);
const char *cc_id(const struct cc_item *i); /* spec.resourceID or the name */
const char *cc_text(const struct cc_item *i, const char *path); /* below spec */
const char *cc_ref_text(const struct cc_item *i, const char *path);

/* ---- ctl_cc_member.c ---- */
void cc_member_apply(struct cc_item *i);
void cc_member_remove(struct cc_item *i);

/* ---- ctl_cc_special.c: what only some kinds do around create and delete ---- */
void cc_after_create(struct cc_item *i);
void cc_before_delete(struct cc_item *i, void (*go_on)(struct cc_item *i));

/* ---- ctl_cc_admit.c ---- */
void cc_admission(struct cc_world *w);
bool cc_webhooks_answer(const struct cc_world *w);

/* ---- Identity (ctl_cc_core.c) ---- */
/* The account of a namespace's context; NULL: there is no context. Borrowed. */
const char *cc_account_of(struct cc_world *w, const char *ns);
/* Whether the Kubernetes account may mint tokens of that Google account. */
bool cc_may_act_as(struct cc_world *w, const char *member, const char *account);
bool cc_manager_runs(struct cc_world *w, const char *ns);
json_t *cc_system_labels(void);

#endif
