/* Config Connector by its own operator (management.connector: manual): the release bundle, from a file
 * or over HTTPS, checked by its digest, and the operator's objects in it applied server-side. */
#ifndef RD_PHASE_STEPS_CC_OPERATOR_H
#define RD_PHASE_STEPS_CC_OPERATOR_H

#include "k8s/batch.h"
#include "phase/steps/step.h"

#define CC_OPERATOR_VERSION "1.155.0"
#define CC_OPERATOR_URL                                                                            \
    "https://storage.googleapis.com/configconnector-operator/" CC_OPERATOR_VERSION                 \
    "/release-bundle.tar.gz"

struct cc_operator {
    struct op op;
    struct step_op *s;
    unsigned writes; /* out: objects created or changed */
    struct http_client *http;
    struct http_call call;
    struct manifest_list list;
    struct k8s_batch batch;
    bool batch_set;
    int state;
};
void cc_operator_start(struct cc_operator *o, struct op *parent, struct step_op *s);
void cc_operator_clear(struct cc_operator *o);

/* Pure: the operator's objects in a bundle. RD_ERR_INPUT naming `label`. */
bool cc_operator_read(const char *data, size_t len, const char *label, struct manifest_list *ret,
                      struct rd_err **reterr) RD_MUST_CHECK;

#endif
