/* Long-running operations: a change, then polling until it is done. One op for all of Google's
 * shapes.
 *
 * Protocol sources: google/longrunning/operations.proto (Service Usage, Filestore, Artifact
 * Registry), google/container/v1/cluster_service.proto (status DONE, with an error or without), the
 * Compute API's Operation resource (error.errors[], httpErrorStatusCode).
 *
 * The pause between polls is 1 % of the time waited so far, between 100 ms and 15 s. A poll that
 * fails in passing never fails the operation; done with an error does. When the change is refused
 * because another operation holds the cluster, that operation is waited for and the change is sent
 * again. */
#ifndef RD_GCP_LRO_H
#define RD_GCP_LRO_H

#include "gcp/client.h"

struct gcp_lro {
    struct op op;
    struct gcp_call call;     /* set up by the owner: the change */
    char *project, *location; /* owned; GKE: where operations are asked for */
    /* Told about each poll; `operation` is borrowed for the call. May be NULL. */
    void (*on_progress)(struct gcp_lro *l, const json_t *operation);
    void *ctx;
    bool absent_ok;    /* deleting: 404 to the change is success */
    bool no_wait;      /* end once the operation has a name */
    char *name;        /* owned; the operation, as soon as it is known: for the journal */
    json_t *operation; /* owned; its last state */
    json_t *result;    /* owned; google.longrunning: response; else the operation; may be NULL */
    bool absent;       /* absent_ok, and it was */
    struct gcp_fault fault; /* when it failed */
    /* lro.c's own. */
    struct gcp_call poll;
    struct op_timer pause;
    int state;
    uint64_t since_ms, busy_since_ms;
    unsigned lost; /* polls in a row that were answered 404 */
};
/* Sends l->call, then waits. The owner prepares it in l->call with the functions of services.h. */
void gcp_lro_start(struct gcp_lro *l, struct op *parent);
/* Waits for an operation that is known by name: as the API gave it ("operations/acf.p2-1",
 * "projects/p/locations/l/operations/x"), or bare for GKE with project and location set. */
void gcp_lro_wait(struct gcp_lro *l, struct op *parent, struct gcp_client *c, enum gcp_api api,
                  const char *name, const char *what);
void gcp_lro_clear(struct gcp_lro *l);

/* Pure: judges one state of an operation. false: not done. */
bool gcp_lro_done(enum gcp_api api, const json_t *operation, const char *what,
                  struct gcp_fault *fault, struct rd_err **ret_err);
/* The pause before the next poll. */
uint64_t gcp_poll_pause_ms(uint64_t waited_ms);

#endif
