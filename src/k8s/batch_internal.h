/* Shared by batch.c, which schedules, and batch_item.c, which brings one object home. */
#ifndef RD_K8S_BATCH_INTERNAL_H
#define RD_K8S_BATCH_INTERNAL_H

#include "k8s/batch.h"
#include "k8s/internal.h"

enum item_life { ITEM_BLOCKED, ITEM_READY, ITEM_RUNNING, ITEM_ENDED, ITEM_TOLD };

/* One object of the set. */
struct batch_item {
    struct k8s_batch *batch;
    size_t index;
    json_t *object;  /* a reference */
    json_t *amended; /* owned; NULL: sent as it is */
    const struct k8s_resource *resource; /* NULL: this server has no such kind */
    const char *ns, *name;               /* borrowed from object, batch or client */
    char *title;
    enum item_life life;
    size_t blocked_by;          /* needs and surveys not yet done */
    size_t *after, after_len, after_cap; /* items that wait for this one */
    bool need_failed;
    char *seen_rv, *seen_stamp; /* from the survey; NULL: not surveyed, no stamp */
    json_t *settled;            /* owned; the live object, metadata only unless want_results, when an
                                   apply would change nothing */
    struct rd_list queued;      /* ready or ended */
    struct batch_work *work;    /* while running */
};

/* The operation of one running item; freed once its result was told. */
struct batch_work {
    struct op op;
    struct batch_item *item;
    int state;
    struct k8s_call look;
    struct k8s_apply apply;
    struct k8s_delete del;
    struct k8s_watch served; /* of a CRD */
    bool looked, blind; /* blind: no right to look */
    json_t *live;
    json_t *result, *changes, *conflicts;
    bool crd_ready;
    struct rd_err *crd_err;
    enum k8s_outcome outcome;
};

/* One list that tells how many objects stand. */
struct batch_survey {
    struct k8s_watch watch;
    json_t *names; /* name -> index of the item */
    size_t seen;   /* objects the list held so far */
    bool started, ended;
};

struct batch_state {
    struct batch_item *items;
    size_t cap;
    struct rd_list ready, ended; /* struct batch_item.queued */
    size_t running, told;
    struct batch_survey **surveys;
    size_t survey_len;
    struct k8s_discover discover;
    struct rd_err *first; /* error of the first object that failed */
    int state;
};

/* Starts item->work as a child of parent. When it ended, work->outcome and op.err say how. */
void batch_work_start(struct batch_item *item, struct op *parent);
void batch_work_free(struct batch_work *w);
/* Whether the set itself holds the namespace or the definition that this item needs. */
bool batch_brings_parent(const struct batch_item *item);
const json_t *batch_intent(const struct batch_item *item);

#endif
