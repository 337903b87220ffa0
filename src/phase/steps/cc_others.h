/* What Config Connector still looks after, in every namespace and of every kind it knows: the
 * management cluster must not go while anything of it is there, because what it made would be
 * orphaned, alive and billed. */
#ifndef RD_PHASE_STEPS_CC_OTHERS_H
#define RD_PHASE_STEPS_CC_OTHERS_H

#include "config/config.h"
#include "k8s/client.h"

struct cc_others {
    struct op op;
    struct k8s_client *client;
    const struct config *config;
    struct rd_strv foreign; /* out: "Kind/namespace/name" without this deployment's mark */
    size_t ours;            /* out: with it */
    struct rd_buf text;     /* out: the first few of them, for people */
    struct k8s_discover discover;
    struct k8s_call *calls;
    const struct k8s_resource **resources;
    size_t count;
    bool listed;
};
void cc_others_start(struct cc_others *o, struct op *parent, struct k8s_client *c,
                     const struct config *config);
void cc_others_clear(struct cc_others *o);

#endif
