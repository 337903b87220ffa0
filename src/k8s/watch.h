/* List, then watch from there, for as long as wanted: pages, bookmarks, 410, empty and silent streams
 * (reference section 3). One watch serves one resource, namespace and selector. */
#ifndef RD_K8S_WATCH_H
#define RD_K8S_WATCH_H

#include "k8s/client.h"

enum k8s_event { K8S_ADDED, K8S_MODIFIED, K8S_DELETED, K8S_SYNCED };

struct k8s_watch {
    struct op op;
    struct k8s_client *client;
    const struct k8s_resource *resource; /* borrowed */
    char *ns, *label_selector, *field_selector; /* owned copies; NULL: none */
    bool metadata_only;
    bool list_only;      /* end after the list */
    unsigned page_size;  /* 0: 500 */
    uint64_t silence_ms; /* without a byte: dead stream; default 150 000 */
    /* Called from step for each object of the list (ADDED), once K8S_SYNCED (object NULL) after each
     * complete list, then for each change. After a relist, objects that vanished meanwhile come as
     * DELETED (metadata only). `object` is borrowed for the call. To stop: op_cancel(&w->op). */
    void (*on_event)(struct k8s_watch *w, enum k8s_event e, const json_t *object);
    void *ctx;
    struct k8s_call list;
    struct k8s_call stream;
    struct op_timer pause;
    char *resource_version, *cont;
    json_t *known;       /* uid -> metadata, to find what vanished during a relist */
    json_t *seen;
    int state, next;     /* next: what follows a pause or the end of a stream */
    unsigned failures, empty_runs;
    uint64_t started_ms; /* of the stream */
    bool heard;          /* an event came on this stream */
    size_t scanned, list_bytes;
    size_t relists;      /* counted, for tests and notes */
    struct rd_err *why;  /* the last trouble, told when time runs out */
};
void k8s_watch_init(struct k8s_watch *w, struct k8s_client *c, const struct k8s_resource *r,
                    const char *ns);
void k8s_watch_start(struct k8s_watch *w, struct op *parent);
void k8s_watch_clear(struct k8s_watch *w);

/* Incremental splitter of a watch stream: finds the next complete JSON document in [data, len) from
 * *scan on. Returns its end (bytes to consume) or 0. Pure; max bounds one document: more sets
 * *ret_too_long. */
size_t k8s_stream_next(const char *data, size_t len, size_t *scan, size_t max, bool *ret_too_long);

#endif
