/* Before anything is made: are the names that a deployment will take free in the project?
 *
 * What is there already is ours when it carries our mark. What carries none may still be: Config Connector
 * was stopped between making and marking it, or somebody took the mark off. Then the management cluster,
 * where there is one, has our object for it, and only then is it asked. Everything else is refused. */
#ifndef RD_PHASE_STEPS_VACANCY_H
#define RD_PHASE_STEPS_VACANCY_H

#include "gcp/services.h"
#include "manifest/objects.h"
#include "phase/steps/findings.h"
#include "phase/steps/step.h"

struct vacancy_name {
    struct gcp_call google;
    struct k8s_call object; /* its custom resource; asked only where Google's answer proves nothing */
    char *title;            /* owned */
    bool asked, unproven;
};

struct vacancy {
    struct op op;
    struct step_ctx *ctx;
    struct manifest_list list;
    struct vacancy_name *names;   /* one an object; those that ask nothing stay zeroed */
    struct findings *findings;    /* borrowed; what is taken goes there */
    const json_t *management;     /* borrowed: the management cluster as GKE knows it; NULL: there is none */
    struct k8s_client *client;    /* owned; NULL: ctx->management serves, or nothing had to be asked */
    int state;
};
void vacancy_start(struct vacancy *v, struct op *parent, struct step_ctx *ctx,
                   struct findings *findings, const json_t *management);
void vacancy_clear(struct vacancy *v);

#endif
