/* IAM policies: read, change, write with the etag, from the start when somebody was faster.
 *
 * Protocol source: google/iam/v1/policy.proto; Cloud Storage has the policy itself as body and 412
 * for a lost race. Version 3 is always asked for and sent, so that conditions survive. */
#ifndef RD_GCP_POLICY_H
#define RD_GCP_POLICY_H

#include "gcp/client.h"

enum gcp_policy_target {
    GCP_POLICY_PROJECT,    /* name: project */
    GCP_POLICY_ACCOUNT,    /* name: "projects/P/serviceAccounts/EMAIL" */
    GCP_POLICY_BUCKET,     /* name: bucket */
    GCP_POLICY_REPOSITORY, /* name: "projects/P/locations/L/repositories/R" */
};

struct gcp_binding {
    const char *role;   /* "roles/editor" */
    const char *member; /* "serviceAccount:a@b" */
    /* NULL: without condition. A binding is found by role and all three. */
    const char *title, *description, *expression;
    bool remove;
};

/* Pure: adds or removes one member; unknown fields, other bindings and conditions stay as they are.
 * An emptied binding goes. True: something changed. */
bool gcp_policy_edit(json_t *policy, const struct gcp_binding *b);
bool gcp_policy_has(const json_t *policy, const struct gcp_binding *b);

/* Reads only. The result is the policy. */
void gcp_policy_get(struct gcp_call *k, struct gcp_client *c, enum gcp_policy_target target,
                    const char *name);

/* Brings all edits in: one read and at most one write when nobody interferes. */
struct gcp_policy {
    struct op op;
    struct gcp_client *client;
    enum gcp_policy_target target;
    char *name;                      /* owned */
    const struct gcp_binding *edits; /* borrowed until the end */
    size_t edits_len;
    unsigned patience; /* enum gcp_patience: members that were just made */
    bool absent_ok;    /* the target is gone: success (removals) */
    size_t changed;    /* out: edits that were not there already */
    json_t *policy;    /* out, owned: as it is now */
    unsigned races;    /* times we had to start over */
    struct gcp_call call;
    struct op_timer pause;
    int state;
};
/* Deadline 5 min, unless the parent's is earlier. Fields above are set by the owner before. */
void gcp_policy_start(struct gcp_policy *p, struct op *parent, struct gcp_client *c,
                      enum gcp_policy_target target, const char *name,
                      const struct gcp_binding *edits, size_t len);
void gcp_policy_clear(struct gcp_policy *p);

#endif
