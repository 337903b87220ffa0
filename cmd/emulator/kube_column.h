/* Columns of tables for kubectl. */
#ifndef EMU_KUBE_COLUMN_H
#define EMU_KUBE_COLUMN_H

#include "kube_internal.h"

json_t *kube_column_definitions(struct kube_res *r, const char *version);         /* owned */
json_t *kube_column_cells(struct kube_res *r, const char *version, const json_t *o); /* owned */
/* "5m30s" since an RFC 3339 time; "<unknown>" without one; owned. */
char *kube_age(const char *stamp);
/* The first value at a JSONPath as printer columns use it (".a.b[0].c", "[?(@.type=='Ready')]");
 * borrowed or NULL. */
const json_t *kube_json_path(const json_t *root, const char *path);

#endif
