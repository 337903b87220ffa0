#ifndef RD_CMD_LINT_H
#define RD_CMD_LINT_H

#include "verb.h"

struct lint {
    const struct manifest_list *list; /* borrowed; the whole set, for rules about several objects */
    json_t *findings;                 /* borrowed array of {file, line, level, resource, message} */
    unsigned errors, warnings;
};

void lint_find(struct lint *l, const struct manifest_object *o, bool error, const char *fmt, ...)
    RD_PRINTF(4, 5);
void lint_all(struct lint *l, const struct manifest_list *list);
/* lint_ray.c: RayCluster, RayJob, RayService, and the operator's Deployment. */
void lint_ray(struct lint *l, const struct manifest_object *o);
/* lint_selectors.c: selectors of policies, budgets, Services and workloads. */
void lint_selectors(struct lint *l, const struct manifest_object *o);

#endif
