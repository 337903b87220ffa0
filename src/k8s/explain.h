/* One line about one saved object, for `raydeploy explain` (docs: interface, plumbing). */
#ifndef RD_K8S_EXPLAIN_H
#define RD_K8S_EXPLAIN_H

#include "base/buf.h"
#include "k8s/verdict.h"

/* Appends "KIND/NAMESPACE/NAME STATUS MESSAGE\n". Without a namespace (cluster-scoped, or left out)
 * the middle stays empty, KIND//NAME, so that a reader can always split at the slashes; a missing
 * name is
 * "-". Control bytes are escaped. *ret_status (may be NULL) is the verdict's. */
void k8s_explain_line(const json_t *object, int64_t now_wall_ms, struct rd_buf *out,
                      enum k8s_status *ret_status);

#endif
