/* Teardown with proof: what a deployment has at Google, before and after. */
#ifndef RD_CMD_PROOF_H
#define RD_CMD_PROOF_H

#include "deploy.h"
#include "phase/steps/scan.h"

struct proof {
    struct op op;
    struct verb_ctx *v;
    struct step_ctx ctx;   /* with Google alone */
    struct scan scan;
    bool scanned;
    bool settle;           /* look again while something is left: Google forgets in its own time */
    bool holdings;         /* count what registries and buckets hold */
    bool management;       /* what serves every deployment counts too */
    const json_t *keep;    /* borrowed: words of --keep; NULL: none */
    struct gcp_list *lists; /* one per item; proof.c's own, as is the rest */
    struct op_timer pause;
    uint64_t since_ms;
    int state;
};

void proof_init(struct proof *p, struct verb_ctx *v);
/* Scans; the exit code of a scan that could not be made, else 0. May be repeated. */
int proof_run(struct proof *p);
void proof_clear(struct proof *p);

/* What an item means for a teardown. */
enum proof_fate {
    PROOF_GOES,    /* to be deleted; after a teardown: left */
    PROOF_KEPT,    /* --keep, or registry.keep */
    PROOF_SHARED   /* the management cluster's, and not asked for */
};
enum proof_fate proof_fate(const struct proof *p, const struct scan_item *i);
size_t proof_count(const struct proof *p, enum proof_fate fate);
/* Lines about what holds data and would be lost; about what is kept and still billed; about what is left,
 * each with the command that removes it. They append, and say nothing of what there is none. */
void proof_put_data(const struct proof *p, struct rd_buf *out);
void proof_put_kept(const struct proof *p, struct rd_buf *out);
void proof_put_left(const struct proof *p, struct rd_buf *out);
/* {deployment, project, scanned: {kind: n}, left: [...], kept: [...], unknown: [...]}; owned. */
json_t *proof_json(const struct proof *p);
/* Writes the receipt: the scan, and what this run deleted. */
bool proof_receipt(const struct proof *p, const struct deploy *d, const char *path,
                   struct rd_err **reterr) RD_MUST_CHECK;

#endif
