/* Proof of a teardown: everything in the project that a deployment can have caused and that costs money
 * or stands in the way, found by label, name and network, without trusting what we remember.
 *
 * Somebody else's is never claimed: another deployment's label rules a resource out, a name counts only
 * together with a place that is ours, and a cluster, network or account of our name without our mark makes
 * all that hangs on it foreign. */
#ifndef RD_PHASE_STEPS_SCAN_H
#define RD_PHASE_STEPS_SCAN_H

#include "gcp/services.h"
#include "phase/steps/cc.h"

/* What is looked for, in this order: later kinds are judged by what earlier ones were found to be. The
 * word is for people and for the receipt. */
#define SCAN_KINDS(X)                                                                              \
    X(SCAN_CLUSTER, "GKE cluster")                                                                 \
    X(SCAN_NETWORK, "VPC network")                                                                 \
    X(SCAN_SUBNET, "subnet")                                                                       \
    X(SCAN_INSTANCE, "VM instance")                                                                \
    X(SCAN_GROUP_MANAGER, "managed instance group")                                                \
    X(SCAN_GROUP, "instance group")                                                                \
    X(SCAN_ENDPOINT_GROUP, "network endpoint group")                                               \
    X(SCAN_TARGET_POOL, "target pool")                                                             \
    X(SCAN_BACKEND, "backend service")                                                             \
    X(SCAN_FORWARDING_RULE, "forwarding rule")                                                     \
    X(SCAN_ADDRESS, "address")                                                                     \
    X(SCAN_DISK, "disk")                                                                           \
    X(SCAN_SNAPSHOT, "snapshot")                                                                   \
    X(SCAN_FIREWALL, "firewall rule")                                                              \
    X(SCAN_ROUTER, "router")                                                                       \
    X(SCAN_FILESTORE, "Filestore instance")                                                        \
    X(SCAN_BACKUP, "Filestore backup")                                                             \
    X(SCAN_BUCKET, "bucket")                                                                       \
    X(SCAN_REGISTRY, "image registry")                                                             \
    X(SCAN_ACCOUNT, "service account")                                                             \
    X(SCAN_PROJECT_BINDING, "binding on the project")                                              \
    X(SCAN_ACCOUNT_BINDING, "binding on a service account")                                        \
    X(SCAN_BUCKET_BINDING, "binding on a bucket")

enum scan_kind {
#define X(name, word) name,
    SCAN_KINDS(X)
#undef X
        SCAN_KIND_MAX
};
const char *scan_kind_name(enum scan_kind k);

struct scan_item {
    enum scan_kind kind;
    char *name;      /* owned; of a binding: "ROLE for MEMBER" */
    char *where;     /* owned; "us-central1-a", "global", "project p" */
    char *why;       /* owned; what shows that it is ours */
    char *command;   /* owned; removes it */
    json_t *detail;  /* owned; size and the like of what holds data: {"gb": 1024}; NULL */
    bool billed;
    bool management; /* of ray-mgmt, which serves every deployment */
};

/* ---- Judging (pure; scan_match.c) ---- */
struct scan_match;
struct scan_match *scan_match_new(const struct config *c);
void scan_match_free(struct scan_match *m);
/* Judges a resource as Google lists it. Ours: *ret is filled and true. `scope`: of bindings, the resource
 * whose policy it is. All of an earlier kind must have been shown before the first of a later one. */
bool scan_match_resource(struct scan_match *m, enum scan_kind kind, const json_t *resource,
                         struct scan_item *ret);
/* Each binding of a policy; on_item is called for what is ours, which then owns the item. */
void scan_match_policy(struct scan_match *m, enum scan_kind kind, const char *scope,
                       const json_t *policy, void (*on_item)(void *ctx, struct scan_item *take),
                       void *ctx);
void scan_item_clear(struct scan_item *i);

/* ---- Asking ---- */
struct scan {
    struct op op;
    struct step_ctx *ctx;
    struct scan_item *items; /* out, owned; by kind */
    size_t len;
    bool management;         /* out: a management cluster is there, whoever made it */
    size_t seen[SCAN_KIND_MAX]; /* out: how many of each kind were looked at, ours or not */
    struct rd_strv unknown;     /* out: what could not be looked at */
    struct rd_err *why;         /* out, owned: the first reason for that */
    void *priv;                 /* scan.c's own */
};
/* Needs nothing but ctx->gcp (made when it is not there). Ends with an error only when cancelled or when
 * there are no credentials; what could not be asked is in `unknown`. */
void scan_start(struct scan *s, struct op *parent, struct step_ctx *ctx);
void scan_clear(struct scan *s);

#endif
