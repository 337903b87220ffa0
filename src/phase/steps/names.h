/* Labels, marks and names that every step agrees on. */
#ifndef RD_PHASE_STEPS_NAMES_H
#define RD_PHASE_STEPS_NAMES_H

#include "config/config.h"

#define MARK_MANAGED_BY "app.kubernetes.io/managed-by"
#define MARK_DEPLOYMENT "raydeploy-deployment"
#define LOCK_NAMESPACE "raydeploy"

/* The labels of our objects: who manages it, and for which deployment. Owned. */
json_t *names_labels(const struct config *c);
/* Carries our mark for this deployment. */
bool names_is_ours(const struct config *c, const json_t *object);
/* Carries raydeploy's mark, for whatever deployment. Borrowed: the deployment's name, or NULL. */
const char *names_deployment_of(const json_t *object);
/* "raydeploy-deployment=NAME": owned. */
char *names_selector(const struct config *c);

#endif
