/* Does Config Connector work yet? `healthy` alone says that manifests were applied, a ready controller
 * pod alone says nothing of its webhooks (reference config-connector 5.7). Pure. */
#ifndef RD_PHASE_STEPS_CC_HEALTH_H
#define RD_PHASE_STEPS_CC_HEALTH_H

#include "base/json.h"

/* As the API server answered; NULL: absent. */
struct cc_health {
    const json_t *connector, *context;     /* ConfigConnector, ConfigConnectorContext */
    const json_t *sets, *deployments;      /* lists of namespace cnrm-system */
    const json_t *validating, *mutating;   /* webhook configurations */
    const json_t *slices;                  /* list: EndpointSlices of the webhooks' Service */
    const char *ns;                        /* namespace that the controller serves */
};
/* The first thing that is not there yet, for people; owned; NULL: all is well. */
char *cc_health_lacks(const struct cc_health *h);
/* Condition Established of a CustomResourceDefinition. */
bool cc_crd_established(const json_t *crd);
/* The namespace annotation in which Config Connector says its version; NULL: not yet. Borrowed. */
const char *cc_version_of(const json_t *ns);

#endif
