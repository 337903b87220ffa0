/* What Helm keeps of a release: Secrets of type helm.sh/release.v1, one a revision. Their labels say all
 * that is needed, so their contents are never read (Helm: pkg/storage/driver/secrets.go). */
#ifndef RD_MONITORING_RELEASE_H
#define RD_MONITORING_RELEASE_H

#include "monitoring/mon.h"

struct mon_release {
    bool found;
    json_int_t revision;     /* the newest */
    char *status;            /* owned; "deployed", "pending-install", "failed", ...; of that revision */
    char *deployment;        /* owned; whose mark it carries; NULL: not ours at all */
    char *inputs;            /* owned; mon_inputs of the run that made it; NULL: not known */
    int64_t changed_wall_ms; /* 0: not known */
};
/* The request for the list, metadata only. */
void mon_release_ask(struct k8s_call *call, const struct mon *m);
/* Of the answer (NULL: nothing there). ret need not be initialised. */
void mon_release_read(const json_t *list, struct mon_release *ret);
void mon_release_clear(struct mon_release *r);
bool mon_release_ours(const struct mon *m, const struct mon_release *r);
/* An operation was begun and not ended: it runs, or was cut off. */
bool mon_release_pending(const struct mon_release *r);
/* A release of somebody else: RD_ERR_FOREIGN. */
bool mon_release_refuse(const struct mon *m, const struct mon_release *r, struct rd_err **reterr);

#endif
